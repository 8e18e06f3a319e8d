/*
 * One moment at which a libuv loop is to wake up, to the precision of the kernel's timers.
 *
 * uv_timer_t counts in whole ms, too coarse to begin requests on time. On Linux this is a timerfd
 * on the clock of uv_hrtime; elsewhere a uv_timer_t, late by less than one ms. Never early, and
 * never busy.
 */
#ifndef XENSOCK_SIM_RUN_TIMER_UV_H
#define XENSOCK_SIM_RUN_TIMER_UV_H

#include <stdint.h>

struct uv_loop_s;
struct timer_uv;

/* A timer that is not set; NULL when out of memory or descriptors. */
struct timer_uv *timer_uv_open(struct uv_loop_s *uv);

/* Wake the loop once, at `due_ns` of uv_hrtime, or at once if that is past; STEP_NEVER: not. What
 * was set before is forgotten. Setting the time it is set to costs no system call. */
void timer_uv_set(struct timer_uv *timer, uint64_t due_ns);

/* Closes and frees it in the loop's next turn; NULL is allowed. */
void timer_uv_close(struct timer_uv *timer);

#endif
