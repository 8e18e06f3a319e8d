/*
 * What goes into a core and what comes out: one struct ev, one struct act, for both cores and the
 * bus. A core is a function of (state, event) to (state, actions).
 *
 * Actions run in the order they were written. NOTIFY, FAULT, TRACE and the upcalls complete
 * nothing. Each of STEP_OPS carries a token and completes exactly once, as the event of the same
 * name with that token, also when it was cancelled. No op completes inside its own submission.
 * Source: architecture 3.
 */
#ifndef XENSOCK_RINGLIB_STEP_H
#define XENSOCK_RINGLIB_STEP_H

#include "ringlib/call.h"
#include "ringlib/dialect.h"
#include "ringlib/err.h"
#include "ringlib/shared.h"

#include <stdbool.h>

/* A token is device 16 | generation 24 | slot 24. Slot STEP_SLOT_DEVICE is the device itself. A
 * socket id is the same without the device; the generation makes a stale one an error. */
#define STEP_SLOT_DEVICE 0xffffffu
#define STEP_GENERATION_MASK 0xffffffu
#define STEP_DOMID_ALL 0xffffu /* no domain's */

static inline uint64_t step_token(uint16_t device, uint32_t generation, uint32_t slot)
{
    return (uint64_t)device << 48 | (uint64_t)(generation & STEP_GENERATION_MASK) << 24 |
           (slot & STEP_SLOT_DEVICE);
}

static inline uint16_t step_device(uint64_t token)
{
    return (uint16_t)(token >> 48);
}

static inline uint32_t step_generation(uint64_t token)
{
    return (uint32_t)(token >> 24) & STEP_GENERATION_MASK;
}

static inline uint32_t step_slot(uint64_t token)
{
    return (uint32_t)token & STEP_SLOT_DEVICE;
}

/* Operations that complete. What each takes and gives, who undoes it: frontend/README.md,
 * backend/README.md. */
#define STEP_OPS(X)                                                                                \
    X(SHARE)         /* grant zeroed pages to a domain -> area, refs */                            \
    X(UNSHARE)       /* end the grants of this token's run */                                      \
    X(MAP)           /* map a domain's refs -> area */                                             \
    X(UNMAP)         /* unmap this token's area */                                                 \
    X(PORT_ALLOC)    /* event channel for a domain to bind -> port */                              \
    X(PORT_BIND)     /* bind a domain's port -> own port, born pending */                          \
    X(PORT_CLOSE)    /* close the token's port */                                                  \
    X(STORE_READ)    /* one node -> its value */                                                   \
    X(STORE_LIST)    /* bus: children of the backend's directory -> names */                       \
    X(STORE_PUBLISH) /* nodes of the own side, as one transaction */                               \
    X(STORE_WATCH)   /* one node: EV_STORE at once and per change */                               \
    X(STORE_UNWATCH) /* end the watches of this device */                                          \
    X(NET_CONNECT)   /* open a stream socket and connect it */                                     \
    X(NET_BIND)      /* open a stream socket and bind it */                                        \
    X(NET_LISTEN)    /* with a backlog */                                                          \
    X(NET_ACCEPT)    /* take one connection of `listener` as this token's socket */                \
    X(NET_POLL)      /* wait until `listener` has a connection to take */                          \
    X(NET_READ)      /* into free spans of the token's area -> bytes; 0 is end of stream */        \
    X(NET_WRITE)     /* from queued spans of the token's area -> bytes */                          \
    X(NET_CLOSE)     /* cancel what is in flight under the token, then close; completes last */

enum act_kind {
#define X(op) ACT_##op,
    STEP_OPS(X)
#undef X
        ACT_NOTIFY,  /* mark a port; sent once at the end of the turn */
    ACT_FAULT,       /* the peer broke the protocol */
    ACT_TRACE,       /* a machine changed state */
    ACT_UP,          /* frontend upcall: the device is connected */
    ACT_GONE,        /* frontend upcall: the device is lost or stopped, every socket has failed */
    ACT_DONE,        /* frontend upcall: a call completed */
    ACT_READABLE,    /* frontend upcall, once per arming */
    ACT_WRITABLE,    /* frontend upcall, once per arming */
    ACT_DEVICE_NEW,  /* bus upcall */
    ACT_DEVICE_GONE, /* bus upcall */
};

enum ev_kind {
#define X(op) EV_##op,
    STEP_OPS(X)
#undef X
        EV_START, /* begin, or begin again after the device was closed */
    EV_STOP,      /* shut the device down in good order */
    EV_MORE,      /* go on: the last step said `more` */
    EV_TIME,      /* the deadline the core asked for has passed */
    EV_PORT,      /* the token's event channel fired */
    EV_STORE,     /* a watched node may have changed */
};

/* Why a peer is broken, which ring, where: for people and for counting. */
#define STEP_FAULTS(X)                                                                             \
    X(CMDRING_WINDOW)  /* command ring index outside the window */                                 \
    X(BYTERING_WINDOW) /* data ring index outside the array */                                     \
    X(RESPONSE_ID)     /* response to no outstanding request */                                    \
    X(RESPONSE_ECHO)   /* response whose command or socket is another's */                         \
    X(RESPONSE_RET)    /* return value no call can have */                                         \
    X(STORE_VALUE)     /* a store node that is no number or out of range */                        \
    X(ORDER)           /* a ring order the other side does not allow */                            \
    X(MAP_RING)        /* the command ring could not be mapped or its port bound */                \
    X(SECOND_FRONT)    /* a second frontend of one domain (index: domid, value: devid) */          \
    X(SILENT)          /* the other side did not close in time (index: our state, value: its) */   \
    X(DEVICES)         /* more devices than this backend serves (index: domid, value: devid) */    \
    X(STORE)           /* an operation of ours was refused (index: its EV_, value: its ERR_) */    \
    X(VERSION)         /* a store node that names no version or calls of ours (index: its key) */

enum fault_reason {
#define X(name) FAULT_##name,
    STEP_FAULTS(X)
#undef X
        FAULT_REASONS
};

enum step_side { STEP_OWN, STEP_OTHER };

/* Longest value of a store node a core reads or writes, with its terminator. */
#define STEP_VALUE_BYTES 64u

/* One node to publish. The list belongs to the core until STORE_PUBLISH completes. */
struct step_node {
    enum dialect_key key;
    char value[STEP_VALUE_BYTES];
};

struct act_share {
    uint16_t domid;
    uint32_t pages;
};
struct act_map {
    uint16_t domid;
    uint32_t count;
    const uint32_t *refs; /* the core's until completion */
};
struct act_port {
    uint16_t domid;
    uint32_t port; /* PORT_BIND: the remote one; NOTIFY, PORT_CLOSE: our own */
};
struct act_store {
    enum step_side side;
    enum dialect_key key;
    uint16_t domid; /* STORE_LIST: STEP_DOMID_ALL lists domains, else that domain's devices */
};
struct act_publish {
    const struct step_node *nodes;
    uint32_t count;
};
struct act_net {
    struct call_addr addr;
    uint64_t listener;
    uint32_t backlog;
};
struct act_io {
    struct shared_span spans[2];
    uint32_t count;
};
struct act_fault {
    enum fault_reason reason;
    uint32_t index; /* of ours, at the moment */
    uint32_t value; /* what the peer claimed */
};
struct act_trace {
    const char *machine; /* "device", "socket" */
    const char *from;
    const char *to;
};
struct act_done {
    enum call_kind call;
    uint64_t sock; /* socket concerned; for ACCEPT the new one */
    int32_t ret;
};
struct act_device {
    uint16_t domid;
    uint16_t devid;
};

struct act {
    enum act_kind kind;
    uint64_t token;
    union {
        struct act_share share;
        struct act_map map;
        struct act_port port;
        struct act_store store;
        struct act_publish publish;
        struct act_net net;
        struct act_io io;
        struct act_fault fault;
        struct act_trace trace;
        struct act_done done; /* DONE; READABLE and WRITABLE use `sock` */
        struct act_device device;
    };
};

struct ev_share {
    struct shared_area area; /* SHARE, MAP */
    const uint32_t *refs;    /* SHARE: one a page, valid during the step */
    uint32_t handle;         /* the hypervisor layer's name of the run; the executor keeps it */
};
struct ev_store {
    enum step_side side;
    enum dialect_key key;
    uint16_t domid;
    char value[STEP_VALUE_BYTES]; /* STORE_READ: terminated; longer values fail with -ERR_2BIG */
    const char *names;            /* STORE_LIST: terminated names, `ret` of them, during the step */
};

struct ev {
    enum ev_kind kind;
    int32_t ret; /* a completion's result: >= 0 or -ERR_* */
    uint64_t token;
    union {
        struct ev_share share;
        struct ev_store store;
        uint32_t port; /* PORT_ALLOC, PORT_BIND: the new port; PORT: which */
    };
};

/* The turn a step belongs to: what time it is, the same for every step of the turn, and room for
 * the actions of one step. `more`: call again with EV_MORE, after the other ready devices. */
#define STEP_ACTS 96u
struct step_out {
    uint64_t now_ns;
    uint32_t count;
    bool more;
    struct act acts[STEP_ACTS];
};

/* Start an action; asserts that there is room, which the core made sure of before. */
static inline struct act *step_act(struct step_out *out, enum act_kind kind, uint64_t token)
{
    assert(out->count < STEP_ACTS);
    struct act *act = &out->acts[out->count++];
    act->kind = kind;
    act->token = token;
    return act;
}

/* How many more actions fit. */
static inline uint32_t step_room(const struct step_out *out)
{
    return STEP_ACTS - out->count;
}

/* Write a side's constants, to be published: how many they are. */
uint32_t step_constants(struct step_node *to, const struct dialect_node nodes[DIALECT_NODES_MAX]);

/* Names for people: "NET_READ", "BYTERING_WINDOW"; "?" for a number that is none. */
const char *step_act_name(enum act_kind kind);
const char *step_ev_name(enum ev_kind kind);
const char *step_fault_name(enum fault_reason reason);

/* "No deadline" of fe_deadline_ns and be_deadline_ns. */
#define STEP_NEVER UINT64_MAX

#endif
