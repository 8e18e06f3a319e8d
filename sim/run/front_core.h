/*
 * A frontend core at its executor: memory, store paths, faults in words. Whose upcalls go where is
 * its user's business: workloads (run_front.c) or a swarm (swarm_guest.c).
 */
#ifndef XENSOCK_SIM_RUN_FRONT_CORE_H
#define XENSOCK_SIM_RUN_FRONT_CORE_H

#include "frontend/fe.h"
#include "sim/run/exec.h"

struct front_core_config {
    struct exec *exec;
    uint16_t domid, devid;
    uint16_t backend; /* domid of the backend */
    const struct dialect *dialect;
    uint32_t order, max_sockets;
    uint32_t backlog, quirks; /* these as struct fe_config has them */
    uint64_t linger_ns;
    void *self;
    void (*upcall)(void *self, const struct act *act);
    /* Something is wrong: fault_words.h says it. May be NULL. */
    void (*report)(void *self, const struct act_fault *fault);
};

/* Part of its user's own struct; fields are for reading. */
struct front_core {
    struct front_core_config config;
    struct fe *fe;
    uint16_t index; /* at the executor */
};

/* Make the core and add it to the executor; false when out of memory. It begins with EV_START. */
bool front_core_init(struct front_core *core, const struct front_core_config *config);

/* Whether the device is closed with nothing in flight. */
bool front_core_idle(const struct front_core *core);

/* Frees the core as it stands; the executor must not step it any more. */
void front_core_fini(struct front_core *core);

#endif
