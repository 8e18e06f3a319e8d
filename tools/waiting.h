/*
 * Say once of a guest started by hand that its device has not come up, and what it waits for: it
 * waits for ever, since whatever is missing may be started later.
 */
#ifndef XENSOCK_TOOLS_WAITING_H
#define XENSOCK_TOOLS_WAITING_H

#include "sim/run/front_core.h"
#include "tools/process.h"

enum { WAITING_MS = 3000 }; /* parts that are started together are up long before */

/* Part of its user's own struct. */
struct waiting {
    uv_timer_t timer;
    const struct process *process;
    const struct fe *fe;
    const char *device, *runtime;
    uint16_t domid, backend;
};

/* The members beside `timer` are set, and outlive it. */
void waiting_start(struct waiting *waiting);

/* Before the core is freed; nothing happens where it was not started. */
void waiting_end(struct waiting *waiting);

#endif
