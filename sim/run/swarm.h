/*
 * A swarm: the real cores in virtual time under random calls, sizes, delays and closes from both
 * sides, with everything checked from outside at every step.
 *
 * A seed draws a plan: a list of events, each of which can be left out. First comes a time of
 * disturbances: of the network (delay, rate, loss, small buffers, resets), of timing (vCPUs held
 * back, notifications delayed) and, in the hooked build, of the interleaving: at an access to
 * shared memory the other side takes a whole turn, as on a CPU of its own. Then it is quiet, and
 * everything must come to its end.
 *
 * Checked: each request gets exactly one response, which echoes it; ids of outstanding requests are
 * unique; ring indexes stay in bounds; bytes arrive once and in order; an end or an error is told
 * only after the last byte; nothing that was sent is lost by a release; calls complete once; nobody
 * waits for ever; no side calls the other broken; nothing is left at the end. What a quirk of a
 * side costs (quirk.h) is excused: bytes lost before an error or at a release, a wait that never
 * ends, a handshake refused, and all that follows from an answer to another call. Source:
 * reliability goals of the project: safety at every step, then liveness.
 */
#ifndef XENSOCK_SIM_RUN_SWARM_H
#define XENSOCK_SIM_RUN_SWARM_H

#include "sim/run/scenario.h"
#include "sim/run/trace_log.h"
#include "sim/time/cost.h"

enum { SWARM_CONNS = 10, SWARM_GUESTS = 2, SWARM_OPS_MAX = 192, SWARM_TEXT_BYTES = 4096 };

/* constant, words; `amount` in them is printed with its unit. What an event of a plan does. */
#define SWARM_KINDS(X)                                                                             \
    X(CONNECT, "guest connects")                                                                   \
    X(LISTEN, "guest binds and listens")                                                           \
    X(ACCEPT, "guest accepts")                                                                     \
    X(POLL, "guest polls")                                                                         \
    X(CALL, "peer connects")                                                                       \
    X(GUEST_SEND, "guest sends, bytes")                                                            \
    X(PEER_SEND, "peer sends, bytes")                                                              \
    X(GUEST_PAUSE, "guest reads nothing, ns")                                                      \
    X(PEER_PAUSE, "peer reads nothing, ns")                                                        \
    X(RELEASE, "guest releases")                                                                   \
    X(PEER_SHUT, "peer ends its stream")                                                           \
    X(PEER_CLOSE, "peer closes")                                                                   \
    X(PEER_RESET, "peer resets")                                                                   \
    X(LINK, "the link becomes bad, ns")                                                            \
    X(STALL, "a vCPU is held back, ns")                                                            \
    X(DELAY, "notifications take longer by, ns")

enum swarm_kind {
#define X(constant, words) SWARM_##constant,
    SWARM_KINDS(X)
#undef X
        SWARM_KIND_COUNT
};

/* One event of a plan. */
struct swarm_op {
    uint64_t at_ns;
    enum swarm_kind kind;
    uint32_t guest;
    uint32_t conn; /* which connection; STALL and DELAY: whose, 0 the backend, 1.. a guest */
    uint32_t amount;
};

/* What a seed draws. */
struct swarm_plan {
    uint32_t order;   /* of the data rings, at most the scenario's */
    uint32_t costs;   /* 0: the model's; 1: nothing costs anything; 2: sockets cost nothing */
    uint32_t guests;  /* 1.. */
    uint32_t sockets; /* of a guest at once; few: they are soon used again */
    uint32_t every;   /* one in so many accesses is interleaved; 0: none */
    uint64_t rest_ns; /* when it becomes quiet */
    bool passive[SWARM_CONNS];   /* the peer connects */
    bool refused[SWARM_CONNS];   /* else the guest does, where the peer does not listen */
    bool patient[SWARM_CONNS];   /* in the end the guest waits for the peer's end of stream */
    uint32_t owner[SWARM_CONNS]; /* which guest's */
    uint64_t delay_ns, rate_bytes_per_s;
    uint32_t loss_ppm, segment_bytes, buffer_bytes;
    uint32_t op_count;
    struct swarm_op ops[SWARM_OPS_MAX]; /* by time */
};

/* What both sides of every guest are: what the first frontend of the scenario is, and its backend;
 * without hosts the scenario's protocol, and no quirks. */
struct swarm_sides {
    const struct scenario_protocol *protocol;
    struct quirk_side front, back;
};
struct swarm_sides swarm_sides(const struct scenario *scenario);

/* Draw the plan of a seed for a scenario's dialect and order. */
void swarm_plan_make(struct swarm_plan *plan, const struct scenario *scenario, uint64_t seed);

/* Bring any numbers into the ranges that swarm_plan_make draws from, in its order; what would make
 * no sense is left out, such as an event of a connection before it is opened. */
void swarm_plan_fit(struct swarm_plan *plan, const struct scenario *scenario);

/* An event in words. */
void swarm_op_text(const struct swarm_op *op, char *text, size_t bytes);

struct swarm_config {
    const struct scenario *scenario; /* its protocol and drivers count: see swarm_sides */
    const struct costs *costs;
    uint64_t seed;
    const struct swarm_plan *plan;
    const bool *keep; /* by event: false leaves it out; NULL: all are kept */
    /* Where the hooked build interleaves, instead of drawing that: after how many accesses, and
     * then what; when they are used up nowhere any more. NULL: drawn as the plan says. */
    const uint8_t *choices;
    size_t choice_count;
    const char *trace; /* file, or NULL */
};

struct swarm_outcome {
    bool failed;
    bool excused;                /* it ended early, or lost bytes, as the quirks of a side let it */
    char what[32];               /* the check that failed: "lost wake-up" */
    char text[SWARM_TEXT_BYTES]; /* and how */
    char trace[TRACE_LOG_HASH_BYTES];
    int32_t trace_error; /* 0, or the negated errno for which its file is not whole */
    uint64_t events, records, requests, bytes, intrusions, virtual_ns;
};

/* Run one seed. The outcome is a function of the configuration and of the build's being hooked. */
void swarm_run(const struct swarm_config *config, struct swarm_outcome *outcome);

/* Whether this build interleaves within a step. */
bool swarm_hooked(void);

#endif
