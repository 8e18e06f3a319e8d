/*
 * A backend process's devices: a bus for each dialect that finds them, and one core each.
 *
 * Knows no loop: it lives from upcalls of its executor, and from run_back_turned after each turn.
 */
#ifndef XENSOCK_SIM_RUN_RUN_BACK_H
#define XENSOCK_SIM_RUN_RUN_BACK_H

#include "backend/be.h"
#include "sim/run/exec.h"

struct run_back;

struct run_back_config {
    struct exec *exec;
    uint16_t domid;
    uint32_t dialects;           /* whose devices it serves: bit i for dialect_at(i) */
    const struct policy *policy; /* outlives it */
    uint32_t order_max;          /* and never above the dialect's; 0: the dialect's */
    uint32_t max_sockets;        /* per device */
    uint32_t backlog, quirks;    /* be_config's */
    uint32_t max_devices;
    void *self;
    /* Something is wrong with a guest's device of a dialect: fault_words.h says it. Where `front`
     * is the backend's own domid, no guest's can be found. May be NULL. */
    void (*report)(void *self, const struct dialect *dialect, uint16_t front,
                   const struct act_fault *fault);
};

/* Start looking for devices; NULL when out of memory. */
struct run_back *run_back_create(const struct run_back_config *config);

/* Close every device in good order; done when run_back_idle. */
void run_back_stop(struct run_back *back);

/* After a turn: lets go of devices that are through. */
void run_back_turned(struct run_back *back);

/* Whether no device is left. */
bool run_back_idle(const struct run_back *back);

/* The core that serves a guest, to look at; NULL if none does. */
const struct be *run_back_core(const struct run_back *back, uint16_t front);

/* Which guest the device of a token serves, or -1. */
int32_t run_back_front(const struct run_back *back, uint64_t token);

/* Sums over all devices, those that are gone too. */
void run_back_counters(const struct run_back *back, struct be_counters *sum);

/* Frees it; devices that are not through are forgotten as they are. */
void run_back_destroy(struct run_back *back);

#endif
