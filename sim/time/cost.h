/*
 * What things cost in virtual time: one distribution for each row of a cost model, drawn in integer
 * picoseconds. Knows no file format; sim/run/model.h reads models.
 * Source: architecture 9; the numbers and where they are from: scenarios/models/.
 */
#ifndef XENSOCK_SIM_TIME_COST_H
#define XENSOCK_SIM_TIME_COST_H

#include "sim/time/prng.h"

#include <stdbool.h>

/* constant, the key in a model, meaning. "of the CPU": the vCPU that does it is busy that long. */
#define COST_ROWS(X)                                                                               \
    X(NOTIFY, "notify", "sending one notification, of the CPU")                                    \
    X(DELIVER_RUNNING, "deliver_running", "from the send to the handler, the receiver running")    \
    X(DELIVER_IDLE, "deliver_idle", "the same, its CPU idle for a short time")                     \
    X(DELIVER_DOZING, "deliver_dozing", "the same, idle for longer than `dozing_after`")           \
    X(DELIVER_ASLEEP, "deliver_asleep", "the same, idle for longer than `asleep_after`")           \
    X(DELIVER_CONTENDED, "deliver_contended", "added while another vCPU has the receiver's CPU")   \
    X(WAKE_BACKEND, "wake_backend", "added for an idle backend: from its kernel to its process")   \
    X(HYPERCALL_FRONT, "hypercall_front", "one hypercall of a guest, of the CPU")                  \
    X(HYPERCALL_BACK, "hypercall_back", "one hypercall of the backend's domain, of the CPU")       \
    X(SHARE_PAGE, "share_page", "granting a page, of the CPU")                                     \
    X(UNSHARE_PAGE, "unshare_page", "ending the grant of a page, of the CPU")                      \
    X(MAP_PAGE, "map_page", "mapping a page, beside the hypercall, of the CPU")                    \
    X(UNMAP_PAGE, "unmap_page", "unmapping a page, beside the hypercall, of the CPU")              \
    X(COPY_BYTE, "copy_byte", "copying a byte between application and ring, of the CPU")           \
    X(STORE_REQUEST, "store_request", "a request to xenstore, there and back; takes no CPU")       \
    X(SOCKET_OPEN, "socket_open", "opening, connecting, binding, accepting, closing: each")        \
    X(SOCKET_READ, "socket_read", "one read of a socket, of the CPU")                              \
    X(SOCKET_READ_BYTE, "socket_read_byte", "and each byte of it")                                 \
    X(SOCKET_WRITE, "socket_write", "one write to a socket, of the CPU")                           \
    X(SOCKET_WRITE_BYTE, "socket_write_byte", "and each byte of it")                               \
    X(SOCKET_WAKE, "socket_wake", "from a socket's event to the idle process that waits for it")   \
    X(TURN, "turn", "one turn of an event loop, of the CPU")                                       \
    X(STEP, "step", "one step of a core or call of its application, of the CPU")                   \
    X(CONTEXT_SWITCH, "context_switch", "a CPU goes from one vCPU to another")

enum cost_row {
#define X(constant, key, meaning) COST_##constant,
    COST_ROWS(X)
#undef X
        COST_ROWS_COUNT
};

/* Those that a CPU is busy with: all but delays, which nobody pays for. */
static inline bool cost_of_cpu(enum cost_row row)
{
    return row != COST_STORE_REQUEST && row != COST_SOCKET_WAKE &&
           (row < COST_DELIVER_RUNNING || row > COST_WAKE_BACKEND);
}

enum cost_shape {
    COST_CONSTANT,  /* low_ps */
    COST_UNIFORM,   /* low_ps to high_ps, both included */
    COST_LOGNORMAL, /* the median low_ps, at most 2^48, times e to a normal number with deviation
                       sigma_ppm / 10^6, which prng_normal_q32 cuts off; rounded down */
};

/* One distribution. With probability tail_ppm / 10^6 a uniform number from tail_low_ps to
 * tail_high_ps is added. */
struct cost {
    enum cost_shape shape;
    uint64_t low_ps, high_ps;
    uint32_t sigma_ppm; /* at most 2,000,000 */
    uint32_t tail_ppm;
    uint64_t tail_low_ps, tail_high_ps;
};

/* A cost model. */
struct costs {
    struct cost rows[COST_ROWS_COUNT];
    uint64_t dozing_after_ns; /* how long idle: from then on DELIVER_DOZING, */
    uint64_t asleep_after_ns; /* and DELIVER_ASLEEP; UINT64_MAX: never */
    uint64_t slice_ns;        /* a vCPU that does not block leaves its CPU to the next after this */
};

/* Draw one cost, in ps. A constant takes no random number, nor does a tail without probability; a
 * tail takes one and, when it strikes, its length. */
uint64_t cost_draw(const struct cost *cost, struct prng *prng);

#endif
