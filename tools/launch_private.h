/* What launch.c (the course of a run) and launch_parts.c (its processes) share. */
#ifndef XENSOCK_TOOLS_LAUNCH_PRIVATE_H
#define XENSOCK_TOOLS_LAUNCH_PRIVATE_H

#include "sim/run/control_uv.h"
#include "sim/run/record.h"
#include "tools/launch.h"

#include <uv.h>

enum {
    LAUNCH_BACKEND_DOMID = 0,
    LAUNCH_GUEST_DOMID = 1,
    LAUNCH_PARTS_MAX = SCENARIO_PEERS_MAX + 2,
};

enum launch_kind { LAUNCH_PEER, LAUNCH_BACKEND, LAUNCH_FRONTEND };

struct launch;

/* A process of the run. */
struct launch_part {
    struct launch *launch;
    enum launch_kind kind;
    const char *name;
    uint32_t peer; /* of the scenario's */
    uv_process_t process;
    struct control_uv *control;
    bool ready, reported, exited;
    char address[SCENARIO_ADDR_BYTES]; /* where a peer really listens */
};

struct launch {
    const struct scenario *scenario;
    const struct launch_options *options;
    struct launch_outcome *outcome;
    uv_loop_t *loop;
    uv_timer_t timer; /* the time-out, then the grace */
    uv_signal_t signals[2];
    struct hypervisor_uv *hypervisor;
    char runtime[128];
    bool own_runtime, quitting, ended;
    uint32_t interrupts;
    struct launch_part parts[LAUNCH_PARTS_MAX];
    uint32_t part_count;
    struct launch_part *backend, *frontend;
    struct record_usage from;
    uint64_t start_ns, progress_ns, progress_bytes;
};

/* launch.c */
void launch_error(struct launch *launch, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void launch_quit(struct launch *launch);
void launch_fail(struct launch *launch, int code);
void launch_said(struct launch *launch, struct launch_part *part, json_t *object);
void launch_ended(struct launch *launch);

/* launch_parts.c */
void launch_peers(struct launch *launch);
void launch_part_ready(struct launch *launch, struct launch_part *part, const char *address);
void launch_parts_check(struct launch *launch);

#endif
