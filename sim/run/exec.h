/*
 * The executor: turns the actions of cores into calls on the hypervisor and socket seams, and
 * their completions into events. Shared by every mode; knows no clock, loop or descriptor.
 *
 * One executor per process; each core in it is a device with an index of its own in the tokens.
 * A turn takes what the seams have, steps the cores until nothing is left or the budget is spent,
 * that of the turn or each device's share of it, delivers upcalls after the completions, and last
 * of all notifies each marked port once.
 * Source: architecture 3 ("The executor").
 */
#ifndef XENSOCK_SIM_RUN_EXEC_H
#define XENSOCK_SIM_RUN_EXEC_H

#include "ringlib/capture.h"
#include "ringlib/trace.h"
#include "sim/hv/hv.h"
#include "sim/net/net.h"
#include "sim/time/vcpu.h"

enum {
    EXEC_PATH_BYTES = 160,
    /* A device's share of a turn (exec_share.c): the more, the longer others wait; the less, the
     * more turns there are. Of 2 to 32 that were tried, 6 lets a noisy guest cost too much
     * (scenarios/noisy-guest.yaml), and 2 costs guests with many small requests a third of them. */
    EXEC_SHARE = 3,
};

/* One core. The function pointers are fe_step, be_step, bus_step and the like. */
struct exec_core {
    void *core;
    void (*step)(void *core, const struct ev *ev, struct step_out *out);
    uint64_t (*deadline_ns)(const void *core); /* NULL: it has none */
    const struct dialect *dialect;             /* spells the store's keys; NULL: the bus */
    uint32_t slots;                            /* tokens' slots, the device's beside them */
    char own[EXEC_PATH_BYTES];                 /* store directories, no slash at the end */
    char other[EXEC_PATH_BYTES];
    void *self; /* of the two below */
    /* An upcall (UP, GONE, DONE, READABLE, WRITABLE, DEVICE_*); may call the core again. */
    void (*upcall)(void *self, const struct act *act);
    /* FAULT and TRACE as they happen; NULL: nobody looks. Must not call anything here. */
    void (*observe)(void *self, const struct act *act);
    const struct capture_sink *capture; /* of its notifications; NULL: nobody captures them */
    /* With it: what the socket of a token is called on the wire. */
    uint64_t (*wire_id)(const void *core, uint64_t token);
};

enum exec_notify {
    EXEC_NOTIFY_COALESCED, /* each marked port once at the end of the turn */
    EXEC_NOTIFY_IMMEDIATE, /* as the action comes */
};

struct exec_config {
    struct hv *hv;
    struct net *net; /* NULL in a guest */
    enum exec_notify notify;
    uint32_t max_devices;           /* 1..65536 */
    uint32_t share;                 /* of a turn for each of several devices; 0: no bound */
    const struct trace_sink *trace; /* or NULL: events, actions, calls */
    struct vcpu *vcpu;              /* in virtual time: pays for steps and copies; else NULL */
};

struct exec_counters {
    uint64_t turns, steps, actions, calls;
};

/* Protocol events, the unit in which a simulation's speed is told: events into cores (each is a
 * step), actions out of them, calls of the application. */
static inline uint64_t exec_protocol_events(const struct exec_counters *counters)
{
    return counters->steps + counters->actions + counters->calls;
}

struct exec;

/* NULL when out of memory. The seams stay the caller's. */
struct exec *exec_create(const struct exec_config *config);

/* Frees the executor; the cores and seams are the caller's. */
void exec_destroy(struct exec *exec);

/* Which index the next exec_add will give; a core needs it in its configuration. */
uint16_t exec_next_device(const struct exec *exec);

/* Add a core: its device index, or -ERR_NOSPC, -ERR_NOMEM. `core` is copied. */
int exec_add(struct exec *exec, const struct exec_core *core);

/* Take a core out; nothing of it may be in flight. Its index may be given again. */
void exec_remove(struct exec *exec, uint16_t device);

/* Hand a device an event of its own: EV_START, EV_STOP. Taken in the next turn. */
void exec_post(struct exec *exec, uint16_t device, enum ev_kind kind);

/* Begin a call of the application on a core: the turn to pass to fe_connect and the like. The
 * time is that of the turn under way, or `now_ns` outside one. exec_call_end must follow. */
struct step_out *exec_call(struct exec *exec, uint64_t now_ns);

/* What a call was: enum call_kind or enum trace_call, its socket, bytes asked, result. */
struct exec_call {
    uint8_t call;
    uint64_t sock;
    uint32_t bytes;
    int64_t ret;
};

/* Trace the call just made and pay for it; between exec_call and exec_call_end. */
void exec_call_was(struct exec *exec, const struct exec_call *call);

/* Trace something else of the application: `note`, at the turn's time and as this domain's. */
void exec_note(struct exec *exec, const struct trace_record *note);

/* Carry out what the call wrote; outside a turn also notifies. */
void exec_call_end(struct exec *exec, uint16_t device);

/* Whether something was posted, or called outside a turn, since the last turn began that may
 * already have completed: a loop must then not sleep before the next. */
bool exec_called(const struct exec *exec);

/* Run one turn at `now_ns`. True if work is left, so that the loop must not sleep. */
bool exec_turn(struct exec *exec, uint64_t now_ns);

/* The earliest deadline of all cores, or STEP_NEVER. */
uint64_t exec_deadline_ns(const struct exec *exec);

/* Whether anything of a device is in flight at the seams. */
bool exec_busy(const struct exec *exec, uint16_t device);

/* Its counts since it was made. */
const struct exec_counters *exec_counters(const struct exec *exec);

/* The domain's counts at its seam to the hypervisor. */
const struct hv_counters *exec_hv_counters(const struct exec *exec);

#endif
