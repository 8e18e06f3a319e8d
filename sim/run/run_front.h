/*
 * A guest's frontend device at its executor, with the workloads of a scenario on top.
 * Where the scenario has faults that cut connections, a device that was lost is started again.
 * Knows no loop: it lives from upcalls, and from run_front_turned after each turn.
 */
#ifndef XENSOCK_SIM_RUN_RUN_FRONT_H
#define XENSOCK_SIM_RUN_RUN_FRONT_H

#include "sim/run/workload.h"

struct run_front;

struct run_front_config {
    struct exec *exec;
    uint16_t domid, devid;
    uint16_t backend;                /* domid of the backend */
    const struct scenario *scenario; /* outlives it */
    uint32_t host;                   /* of the scenario's */
    uint32_t guest;                  /* its number among all guests, from 0 */
    const char *name;                /* the guest's; outlives it */
    struct workload_times *times;    /* as in workload_env; or NULL */
    bool waits;                      /* as in workload_env */
    uint64_t until_ns;               /* likewise */
    const struct policy *policy;     /* likewise */
    struct capture *capture;         /* outlives it; or NULL */
    void *self;
    /* As in workload_env; NULL: nothing of the scenario forwards. */
    struct net *(*open_net)(void *self, uint32_t i);
    /* Phases of the workloads, see workload.h. */
    void (*phase)(void *self, enum workload_phase phase, bool listening);
    /* The device is up, for the first time or again. May be NULL. */
    void (*up)(void *self);
    /* Something is wrong: fault_words.h says it. May be NULL. */
    void (*report)(void *self, const struct act_fault *fault);
};

/* Start the device; NULL when out of memory. */
struct run_front *run_front_create(const struct run_front_config *config);

/* After a turn: phases change here, and the device is stopped when the workloads are done. Returns
 * when to be called again at the latest, or STEP_NEVER. */
uint64_t run_front_turned(struct run_front *front, uint64_t now_ns);

/* Begin the workloads, which waited. */
void run_front_start(struct run_front *front);

/* End the workloads now. */
void run_front_interrupt(struct run_front *front);

/* Whether the workloads are done and the device is closed, with nothing in flight. */
bool run_front_through(const struct run_front *front);

/* The core's counts, and the workloads to ask for results. */
const struct fe_counters *run_front_counters(const struct run_front *front);
struct workload_set *run_front_workloads(struct run_front *front);

/* The core, to look at. */
const struct fe *run_front_core(const struct run_front *front);

/* Frees it as it stands. */
void run_front_destroy(struct run_front *front);

#endif
