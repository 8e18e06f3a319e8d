/*
 * What the backend's files share. Not for others.
 *
 * be.c: memory, tables, dispatch of events. be_device.c: the xenbus machine. be_ring.c: requests
 * in, replies out. be_calls.c: one handler a call. be_socket.c: opening, closing, unwinding.
 * be_refs.c: which pages. be_data.c: bytes.
 */
#ifndef XENSOCK_BACKEND_BE_PRIVATE_H
#define XENSOCK_BACKEND_BE_PRIVATE_H

#include "backend/be.h"
#include "ringlib/cmdring.h"

#define BE_NONE UINT32_MAX

/* What is to be echoed to whom. */
struct be_request {
    bool pending;
    bool forgotten; /* its answer is never written: a quirk */
    uint32_t id;
    uint32_t code;
    uint64_t sockid;
};

enum be_sock_state {
    BE_SOCK_FREE,
    BE_SOCK_MADE,     /* by a SOCKET: a CONNECT or a BIND may come */
    BE_SOCK_INDEXING, /* CONNECT, ACCEPT: map of the index page and port bind under way */
    BE_SOCK_MAPPING,  /* map under way, and port bind if not before */
    BE_SOCK_CONNECTING,
    BE_SOCK_ACCEPTING, /* waits for a connection */
    BE_SOCK_OPEN,
    BE_SOCK_BINDING,
    BE_SOCK_BOUND,
    BE_SOCK_STARTING, /* LISTEN under way */
    BE_SOCK_LISTENING,
    BE_SOCK_CLOSING,   /* net close under way */
    BE_SOCK_UNWINDING, /* port close and unmap under way */
    BE_SOCK_STATES
};

struct be_sock {
    enum be_sock_state state;
    uint32_t generation;
    uint64_t id;        /* the guest's, any 64 bits */
    uint32_t hash_next; /* chain of its bucket, or of free slots */
    uint32_t parent;    /* ACCEPT: the listener's slot */
    uint32_t children;  /* listener: accepts and polls not answered yet */
    uint64_t vain;      /* listener: the rotation when it was last polled in vain; 0: news */
    uint8_t ops;        /* of maps, port bind, and their undoing */
    uint8_t order;      /* of its data ring */
    bool made;          /* by a SOCKET: it outlives a call that fails */
    bool indexed, mapped, ported; /* what there is to undo */
    bool closing;                 /* to be closed as soon as nothing forbids it */
    bool reading, writing;        /* net operations in flight */
    bool in_ended, out_ended, broken;
    bool deaf;           /* a quirk */
    int32_t result;      /* of the call, replied after unwinding */
    int32_t write_error; /* what ended `out` */
    uint32_t port;
    struct be_request call, release;
    struct call_addr addr;
    struct bytering in, out; /* before they are set up, `in.area` is the index page */
};

/* A POLL that waits; its token uses the slots behind the sockets'. */
struct be_poll {
    struct be_request call;
    uint32_t listener;
    uint32_t generation;
    bool closing;
    int32_t result;
    uint64_t yields_ns; /* when it makes room for others; STEP_NEVER: nothing shows that any wait */
};

enum be_phase {
    BE_OFF,
    BE_WAITING,   /* 2: waits for the front's Initialised */
    BE_READING,   /* 2: reads ring-ref, port, order */
    BE_ATTACHING, /* 2: maps the ring, binds the port */
    BE_CONNECTED, /* 4 */
    BE_CLOSING,   /* sockets, then ring and port, are let go */
    BE_CLOSED,    /* 5 or 6: waits for the front */
    BE_PHASES
};

struct be {
    struct be_config config;
    struct be_counters counters;

    enum be_phase phase;
    enum xenbus_state published, other;
    bool stopping, broken; /* EV_STOP came; the guest broke the protocol */
    bool reading_state, reread_state;
    bool doubting; /* a node is missing, an attach failed: its fault, unless it closed or died */
    bool looked;   /* the front's state was read since we offered */
    enum dialect_key doubted; /* the node */
    bool unwatching;
    bool impatient;       /* the front is not waited for any more */
    uint64_t patience_ns; /* when that is, if we stop; else STEP_NEVER */
    uint8_t ops;          /* of the phase */
    uint8_t reads;        /* of BE_READING */
    bool ring_mapped, ring_ported;
    struct step_node nodes[4];
    uint32_t ring_ref, ring_port, front_port;
    uint32_t order; /* of every data ring, where the front tells it for all at once */
    struct cmdring_back ring;
    bool reply_notify; /* replies were written in this step */
    bool held;         /* requests wait for a CONNECT: a quirk */

    uint32_t live;      /* slots and polls not free */
    uint32_t parked;    /* accepts and polls not answered yet */
    uint32_t connects;  /* not answered yet */
    uint64_t yields_ns; /* no poll yields before; STEP_NEVER: none does */
    uint64_t poll_ns;   /* how long a poll may hold the last room */
    uint64_t rotation;  /* polls in vain of which poll_ns comes, from 1; another: others count */
    uint32_t free_head;
    uint32_t sweep_next;
    bool sweeping;
    uint32_t bucket_mask;
    uint32_t *buckets;
    uint32_t *refs; /* for each slot those of its map, until that completes */
    uint32_t refs_per_slot;
    struct be_poll polls[CMDRING_SIZE_MAX];
    struct be_sock socks[];
};

/* Whether this backend has a quirk. */
static inline bool be_has(const struct be *be, enum quirk which)
{
    return (be->config.quirks & quirk_bit(which)) != 0;
}

/* be.c */
uint64_t be_token(const struct be *be);
uint64_t be_sock_token(const struct be *be, const struct be_sock *sock);
uint64_t be_poll_token(const struct be *be, const struct be_poll *poll);
uint32_t be_slot(const struct be *be, const struct be_sock *sock);
struct be_sock *be_sock_find(struct be *be, uint64_t id);
uint32_t *be_sock_refs(struct be *be, const struct be_sock *sock);
struct be_sock *be_sock_new(struct be *be, uint64_t id);
void be_sock_free(struct be *be, struct be_sock *sock);
void be_fault(struct be *be, enum fault_reason reason, uint32_t index, uint32_t value,
              struct step_out *out);

/* be_device.c */
void be_device_step(struct be *be, const struct ev *ev, struct step_out *out);
void be_device_broken(struct be *be, struct step_out *out);
void be_device_patience(struct be *be, struct step_out *out);
void be_device_on(struct be *be, struct step_out *out);
bool be_order_fits(const struct be *be, uint32_t order);

/* be_ring.c */
void be_ring_port(struct be *be, struct step_out *out);
void be_ring_flush(struct be *be, struct step_out *out);
void be_reply(struct be *be, struct be_request *request, int32_t ret);

/* be_calls.c: carry a request out, or reply at once. */
void be_call(struct be *be, const struct call *call, struct step_out *out);

/* be_socket.c */
void be_sock_set(struct be *be, struct be_sock *sock, enum be_sock_state to, struct step_out *out);
uint32_t be_sock_named(const struct be *be);
void be_sock_map(struct be *be, struct be_sock *sock, const struct call *call,
                 struct step_out *out);
void be_sock_step(struct be *be, struct be_sock *sock, const struct ev *ev, struct step_out *out);
void be_sock_close(struct be *be, struct be_sock *sock, int32_t result, struct step_out *out);
void be_sock_childless(struct be *be, uint32_t listener, struct step_out *out);
void be_sweep(struct be *be, struct step_out *out);

/* be_poll.c */
void be_poll_news(struct be *be, struct be_sock *listener);
void be_poll_again(struct be *be, struct be_sock *listener);
void be_poll_park(struct be *be, struct be_sock *listener, struct step_out *out);
void be_poll_room_taken(struct be *be, struct step_out *out);
void be_poll_step(struct be *be, struct be_poll *poll, const struct ev *ev, struct step_out *out);
void be_poll_close(struct be *be, struct be_poll *poll, int32_t result, struct step_out *out);
void be_poll_yield(struct be *be, struct step_out *out);

/* be_refs.c: `index_ref` is that of the ring's index page, BE_NONE where it has none. */
bool be_refs_fit(const struct be *be, const uint32_t *refs, uint32_t count, uint32_t index_ref);
int32_t be_refs_error(const struct be *be);

/* be_data.c */
void be_data_event(struct be *be, struct be_sock *sock, struct step_out *out);
void be_data_port(struct be *be, struct be_sock *sock, struct step_out *out);
void be_data_step(struct be *be, struct be_sock *sock, const struct ev *ev, struct step_out *out);

/* Actions one socket can cause in one event. */
enum { BE_SOCK_ACTS = 8 };

#endif
