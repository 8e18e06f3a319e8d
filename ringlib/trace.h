/*
 * The trace: one fixed record an event, from one list of trace points.
 *
 * Records hold no pointer, descriptor or host time, so the bytes of a virtual run's trace are the
 * same on every machine, and their hash names the run. Who makes records is handed a sink; without
 * one nothing is recorded.
 * Source: architecture 9.
 */
#ifndef XENSOCK_RINGLIB_TRACE_H
#define XENSOCK_RINGLIB_TRACE_H

#include <assert.h>
#include <stdint.h>

/* constant, name for people, what `detail`, `extra` and `value` are; a result is >= 0 or -ERR_*,
 * with its sign in all bits; what a kind has no use for is 0 */
#define TRACE_POINTS(X)                                                                            \
    X(EVENT, "event", "into a core: enum ev_kind, result, port or 8 characters of what was read")  \
    X(ACTION, "action",                                                                            \
      "out of a core: enum act_kind; pages, refs, port, enum fault_reason or enum call_kind; "     \
      "bytes or the call's result")                                                                \
    X(CALL, "call", "of the application: enum trace_call, bytes asked, result")                    \
    X(TURN, "turn", "a vCPU took a turn: 0, steps, its cost in ns")                                \
    X(NOTIFY, "notify", "sent: enum trace_fate, port, ns until it arrives")                        \
    X(WAKE, "wake", "a port's event arrived: 0, port, 0")                                          \
    X(LINK, "link", "a segment left: times sent again, bytes, ns until it arrives")                \
    X(SOCKET, "socket", "of a host: enum trace_socket, port, the other side's number")             \
    X(ARRIVAL, "arrival",                                                                          \
      "a request began: 0, workload, its number; token: when it was to, in ns")                    \
    X(ANSWER, "answer", "one was answered: 0, workload, its latency in ns; token: as of arrival")  \
    X(PHASE, "phase", "of a guest's workloads: enum workload_phase, 0, 0")                         \
    X(PEER, "peer", "took or sent payload: 0 took, 1 sent, 2 ended; bytes, offset")                \
    X(FAULT, "fault", "enum trace_fault, or a disturbance of the swarm: 0, its length in ns")

enum trace_point {
#define X(constant, name, meaning) TRACE_##constant,
    TRACE_POINTS(X)
#undef X
        TRACE_POINT_COUNT
};

enum trace_call { /* the calls of enum call_kind, in its order, then bytes */
                  TRACE_CALL_SEND = 16,
                  TRACE_CALL_RECV,
};

enum trace_fate {
    TRACE_FATE_SENT,
    TRACE_FATE_COALESCED, /* one was already under way or pending */
    TRACE_FATE_UNBOUND,   /* there is nobody at the other end */
};

enum trace_socket {
    TRACE_SOCKET_CONNECTED,
    TRACE_SOCKET_REFUSED,
    TRACE_SOCKET_ACCEPTED,
    TRACE_SOCKET_ENDED, /* half-closed by the other side */
    TRACE_SOCKET_RESET,
    TRACE_SOCKET_CLOSED,
};

/* What happens to a process; smaller numbers are the swarm's disturbances. */
enum trace_fault {
    TRACE_FAULT_KILL = 64,
    TRACE_FAULT_RESTART, /* killed, to come again */
    TRACE_FAULT_PAUSE,
    TRACE_FAULT_RETURN, /* it comes again, or goes on */
};

/* Which entity it concerns: a domain by its domid, the i-th peer as TRACE_PEER_BASE + i. */
#define TRACE_PEER_BASE 0x8000u

struct trace_record {
    uint64_t now_ns; /* the turn's, or the event's */
    uint64_t token;  /* of a core's event or action; a socket id; a time in ns; 0 */
    uint64_t value;
    uint32_t extra;
    uint16_t who;
    uint8_t point;
    uint8_t detail;
};
static_assert(sizeof(struct trace_record) == 32, "a record has no padding");

struct trace_sink {
    void (*take)(void *self, const struct trace_record *record);
    void *self;
};

/* Hand a record to a sink that may be NULL. */
static inline void trace_put(const struct trace_sink *sink, const struct trace_record *record)
{
    if (sink)
        sink->take(sink->self, record);
}

#endif
