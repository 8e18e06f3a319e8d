/*
 * The guest's application: what a scenario's workloads do with the frontend's calls.
 *
 * Knows no loop and no clock: it is told upcalls and the time, asks for a deadline, and makes its
 * calls through the executor. So the same workloads run in real and in virtual time. Every byte it
 * sends is a function of its offset, every byte that comes back is compared here.
 *
 * Phases: WARMUP from the device's UP (or, if it is to wait for other guests, from workload_start),
 * MEASURE after the scenario's warm-up, DRAIN when all bounded
 * workloads have finished and the duration is over: what is still under way is ended in good order,
 * then DONE. A guest that comes again goes on in the measured phase it was in. Where the scenario
 * has faults that cut connections, a device may be lost and come again: what went with it is
 * counted as lost, each socket once, and is begun again after UP: a stream its round, a request, a
 * listener; a forward counts what it breaks as resets. Streams take ids (guest << 48 | workload <<
 * 32 | socket number over all repeats).
 */
#ifndef XENSOCK_SIM_RUN_WORKLOAD_H
#define XENSOCK_SIM_RUN_WORKLOAD_H

#include "backend/policy.h"
#include "frontend/fe.h"
#include "sim/run/exec.h"
#include "sim/run/forward.h"
#include "sim/run/metrics_hist.h"
#include "sim/run/scenario.h"

struct workload_set;

enum workload_phase {
    WORKLOAD_IDLE, /* before UP; or up, and to be started */
    WORKLOAD_WARMUP,
    WORKLOAD_MEASURE,
    WORKLOAD_DRAIN,
    WORKLOAD_DONE,
};

/* How long requests of a workload took, as far as its kind has it; else NULL. */
struct workload_times {
    struct metrics_hist *latency; /* from the intended start */
    struct metrics_hist *service; /* from the actual start, of an open loop */
    struct metrics_hist
        *released; /* from the intended start to the connection's end, of connect-close */
};

struct workload_env {
    const struct scenario *scenario; /* outlives the set */
    struct exec *exec;
    uint16_t device;
    struct fe *fe;
    uint32_t host;        /* of the scenario's: its workloads are the guest's */
    uint32_t guest;       /* its number among all guests, from 0 */
    const char *name;     /* the guest's: with a workload's it keys random numbers; outlives it */
    uint32_t max_sockets; /* of the frontend */
    /* Where the times of several guests come together, by the scenario's workload; made here as
     * needed, the caller's to destroy. NULL: the set has its own. */
    struct workload_times *times;
    bool waits; /* for workload_start, behind UP */
    /* Of a guest that was there before: when its measured phase is over, whether its device came up
     * again or not; it has no warm-up. 0: of any other. */
    uint64_t until_ns;
    void *self;
    /* The sockets beside the guest of a forward, the scenario's i-th workload: a seam that nobody
     * else uses, which the set destroys; NULL without memory. */
    struct net *(*open_net)(void *self, uint32_t i);
    const struct policy *policy; /* where those may listen and connect; outlives it */
    /* Told at each change of phase, of IDLE when UP comes and it `waits`, and once with `listening`
     * when every serve listens. */
    void (*phase)(void *self, enum workload_phase phase, bool listening);
};

/* What one workload did. Counts of the measured phase, unless they say otherwise. */
struct workload_result {
    uint64_t duration_ns;
    uint64_t bytes;                      /* carried for the application, both directions */
    uint64_t operations;                 /* requests answered, or connections released */
    uint64_t sent_bytes, received_bytes; /* over the whole run, payload only */
    uint64_t mismatches;                 /* over the whole run: wrong bytes seen by this end */
    uint64_t errors;                     /* calls that failed, streams that ended too early */
    uint64_t connections;                /* over the whole run */
    uint64_t connected; /* over the whole run: of them, those that came about at the peer */
    /* serve, over the whole run: what each listener accepted, at least and at most */
    uint32_t listeners;
    uint64_t starved; /* over the whole run: how often a serve found no room to accept */
    uint64_t accepted_least, accepted_most;
    int32_t first_error; /* -ERR_*, 0 if none */
    int32_t bind_error;  /* serve: why it could not bind or listen, */
    uint32_t bind_port;  /* and on which port */
    char first_error_text[160];
    char received_xxh128[40]; /* of all received bytes, one socket and external peers only */
    const struct metrics_hist *latency; /* as in workload_times: of all guests that share them */
    const struct metrics_hist *service;
    const struct metrics_hist *released;
    uint64_t backlog;                  /* open loop: due, but not begun at the end */
    struct forward_counters forwarded; /* forward, over the whole run; `now`: cut off by its end */
    uint64_t lost;    /* over the whole run: connections that went with the device */
    uint64_t resumed; /* how often the device came up again */
};

/* How many slots the workloads of a guest of this host need of the frontend at most. */
uint32_t workload_slots(const struct scenario *scenario, uint32_t host);

/* Frees what was made in it. */
void workload_times_destroy(struct workload_times *times);

/* Begin, outside any other call: the device is UP, as are those of all other guests. */
void workload_start(struct workload_set *set);

/* Make the set; NULL when out of memory. */
struct workload_set *workload_create(const struct workload_env *env);
void workload_destroy(struct workload_set *set);

/* An upcall of the frontend. */
void workload_upcall(struct workload_set *set, const struct act *act);

/* The time has come to `now_ns`: phases change here, outside any other call. Returns when to be
 * called again at the latest, or STEP_NEVER. */
uint64_t workload_time(struct workload_set *set, uint64_t now_ns);

/* When the device goes next it does not come again, though the scenario has faults. */
void workload_refused(struct workload_set *set);

/* End now: on to DONE without waiting for what is under way, which a peer may never end. Stopping
 * the device closes it; the result is marked by the caller. */
void workload_interrupt(struct workload_set *set);

/* Each socket seam beside the guest. */
void workload_each_net(struct workload_set *set, void (*each)(struct net *net));

/* Bytes carried and operations made so far, by all workloads: that anything goes on. */
uint64_t workload_progress(const struct workload_set *set);

/* What is waited for, in words, or an empty text if nothing but time: which workload, how many of
 * its sockets, and in which state the first of them is; *sock is that one, if not NULL. */
void workload_waits(const struct workload_set *set, char *text, size_t bytes, uint64_t *sock);

/* The first workload that waits for connections from outside, in words, or an empty text if there
 * is none: who waits for `accepts` of them, and has not had them. */
void workload_expects(const struct workload_set *set, char *text, size_t bytes);

/* Which phase it is in. */
enum workload_phase workload_phase(const struct workload_set *set);

/* The result so far of the scenario's i-th workload; false if it is not this guest's. */
bool workload_result(const struct workload_set *set, uint32_t i, struct workload_result *result);

#endif
