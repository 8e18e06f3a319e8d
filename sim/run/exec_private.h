/* What the executor's two files share: exec.c (turns) and exec_actions.c (actions to calls). */
#ifndef XENSOCK_SIM_RUN_EXEC_PRIVATE_H
#define XENSOCK_SIM_RUN_EXEC_PRIVATE_H

#include "sim/run/exec.h"

/* What a token's slot has at the hypervisor. */
struct exec_channel {
    struct shared_area area;
    uint32_t handle;
    uint32_t port;
    bool marked; /* its port is to be notified at the end of the turn */
};

struct exec_device {
    bool used, start, stop;
    bool listed;        /* in exec.business */
    bool more;          /* a step left work: EV_MORE is due, whatever other steps say meanwhile */
    uint32_t late_port; /* the device's own, masked until the core has caught up; 0: none */
    uint32_t in_flight;
    struct exec_core core;
    struct exec_channel *channels; /* core.slots, then the device's own */
};

struct exec {
    struct exec_config config;
    struct exec_counters counters;
    struct exec_device *devices;
    uint32_t device_first; /* all below are used */
    uint16_t *business;    /* devices that have something of their own to do, or a deadline */
    uint32_t business_count;
    uint64_t now_ns;
    bool in_turn, called; /* called: actions were carried out since the last turn */
    struct step_out out;
    uint64_t *marks; /* tokens whose port is to be notified */
    uint32_t mark_count, mark_room;
    struct act *upcalls;
    uint32_t upcall_next, upcall_count, upcall_room;
};

/* What the token's slot has at the hypervisor. */
struct exec_channel *exec_channel(struct exec *exec, uint64_t token);

/* Carry out the actions in exec->out, which `device` wrote. */
void exec_run(struct exec *exec, uint16_t device);

/* Notify every marked port once. */
void exec_flush(struct exec *exec);

#endif
