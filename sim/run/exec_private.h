/* What the executor's files share: exec.c (turns), exec_actions.c (actions to calls) and
 * exec_share.c (what each device gets of a turn). */
#ifndef XENSOCK_SIM_RUN_EXEC_PRIVATE_H
#define XENSOCK_SIM_RUN_EXEC_PRIVATE_H

#include "sim/run/exec.h"

/* What a token's slot has at the hypervisor: at most two runs, of which the one that came last goes
 * first and is the one spans are of (the other holds its indexes). */
struct exec_channel {
    struct shared_area area;
    uint32_t handles[2];
    uint32_t runs;
    uint32_t port;
    bool marked; /* its port is to be notified at the end of the turn */
};

/* Events that came when the device had had its share: `count` of them from `at`. */
struct exec_held {
    struct ev *events;
    uint32_t at, count, room;
};

struct exec_device {
    bool used, start, stop;
    bool listed;        /* in exec.business */
    bool more;          /* a step left work: EV_MORE is due, whatever other steps say meanwhile */
    uint32_t late_port; /* the device's own, masked until the core has caught up; 0: none */
    uint32_t in_flight;
    uint64_t turn;  /* the last in which it was looked at, */
    uint32_t spent; /* and what it had of it */
    bool waiting;   /* in exec.waiting */
    struct exec_held held;
    struct exec_core core;
    struct exec_channel *channels; /* core.slots, then the device's own */
};

struct exec {
    struct exec_config config;
    struct exec_counters counters;
    struct exec_device *devices;
    uint32_t device_first; /* all below are used */
    uint32_t device_count; /* without buses, which have little to do */
    uint16_t *business;    /* devices that have something of their own to do, or a deadline */
    uint32_t business_count;
    uint16_t *waiting; /* devices for which events are held */
    uint32_t waiting_count;
    bool held_back; /* in this turn one with business of its own has had its share */
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

/* Whether the device may have more of this turn. */
bool exec_share_left(struct exec *exec, struct exec_device *device);

/* It had a step for this event. */
void exec_share_spend(struct exec_device *device, const struct ev *ev);

/* Hold an event for a later turn, unless it is its device's turn now: then false. */
bool exec_share_hold(struct exec *exec, const struct ev *ev);

/* Take the device's first held event, if it may have it in this turn. */
bool exec_share_take(struct exec *exec, uint16_t device, struct ev *ev);

/* Drop what is held: the device goes. */
void exec_share_forget(struct exec_device *device);

/* Carry out the actions in exec->out, which `device` wrote. */
void exec_run(struct exec *exec, uint16_t device);

/* Tell the device's capture, if it has one, that the token's port notified or was notified. */
void exec_capture(struct exec *exec, uint64_t token, uint32_t port, enum capture_moved moved);

/* Notify every marked port once. */
void exec_flush(struct exec *exec);

#endif
