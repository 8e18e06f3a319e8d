/*
 * The talk between a run's launcher and the processes it started: JSON objects, a line each, over
 * a stream socket that a child has as a descriptor (--control FD).
 *
 * A child says {"event": "ready"|"up"|"listening"|"measure"|"progress"|"end"|"report"|"error"|
 * "terminated", ...}; the launcher says {"do":
 * "start"|"measure"|"measure-all"|"end"|"report"|"interrupt"|"quit"}; with "report" a listening
 * peer is told in "connections" how many the guest opened to it. What the members mean is the
 * business of those who talk (launch_uv.h). Started by hand a process has no control, and says
 * nothing.
 */
#ifndef XENSOCK_SIM_RUN_CONTROL_UV_H
#define XENSOCK_SIM_RUN_CONTROL_UV_H

#include <jansson.h>

struct uv_loop_s;
struct control_uv;

/* Talk over the descriptor `fd`, which now belongs to the control. `said` gets each object the
 * other end says (borrowed), and once NULL when it is gone or spoke nonsense. NULL without memory
 * or if `fd` is no stream. */
struct control_uv *control_uv_open(struct uv_loop_s *loop, int fd,
                                   void (*said)(void *self, json_t *object), void *self);

/* Say an object; the reference is taken. Queued without bound, so meant for few and small ones.
 * NULL (a failed json_pack) is ignored, and so is `control` NULL: a process started by hand. */
void control_uv_say(struct control_uv *control, json_t *object);

/* Take what the other end said before it went and that lies in the descriptor still. For a child
 * that has exited: its last words come before the judgement on its exit. */
void control_uv_drain(struct control_uv *control);

/* Stop talking: what was said is still sent if it can be at once. Handles close in the loop's next
 * turns. NULL is allowed. */
void control_uv_close(struct control_uv *control);

#endif
