/*
 * What the frontend's files share: the slot table, the queues, the device. Not for others.
 *
 * fe_device.c: xenbus handshake and device states. fe_ring.c: requests and responses.
 * fe_socket.c: the life of a slot. fe_calls.c: calls that begin one. fe_data.c: bytes. fe.c:
 * memory, dispatch of events.
 */
#ifndef XENSOCK_FRONTEND_FE_PRIVATE_H
#define XENSOCK_FRONTEND_FE_PRIVATE_H

#include "frontend/fe.h"
#include "ringlib/cmdring.h"

#define FE_NONE UINT32_MAX /* no slot */

/* Life of a slot. A slot carries at most one call at a time, and beside it a release. */
enum fe_sock_state {
    FE_SOCK_FREE,
    FE_SOCK_PREPARING, /* CONNECT, ACCEPT: share and port under way */
    FE_SOCK_QUEUED,    /* the call waits for a ring slot */
    FE_SOCK_PENDING,   /* the call is in the ring */
    FE_SOCK_OPEN,      /* bytes flow */
    FE_SOCK_BOUND,
    FE_SOCK_LISTENING,
    FE_SOCK_ENDED,     /* failed or answered while a release is under way: nothing but release */
    FE_SOCK_UNWINDING, /* unshare and port close under way, then free */
    FE_SOCK_STATES
};

enum fe_release {
    FE_RELEASE_NONE,
    FE_RELEASE_DRAINING, /* waits for `out` to drain */
    FE_RELEASE_ENDING,   /* a listener whose waiting calls are being failed */
    FE_RELEASE_QUEUED,
    FE_RELEASE_PENDING,
    FE_RELEASE_LOCAL, /* nothing for the backend to release any more */
};

/* A list of slots through their links. */
struct fe_queue {
    uint32_t head, tail, count;
    bool requests; /* its slots wait for room in the command ring */
};

struct fe_sock {
    enum fe_sock_state state;
    enum fe_release release;
    enum call_kind call; /* while PREPARING, QUEUED, PENDING */
    uint32_t generation;
    uint32_t prev, next; /* of the one queue it is in */
    struct fe_queue *queue;
    bool has_parent;     /* ACCEPT, POLL: */
    uint64_t parent;     /* the listener's id: it outlives them */
    uint32_t children;   /* listener: accepts and polls that have not completed */
    bool cold;           /* listener: it was asked last in vain */
    uint8_t ops;         /* of share and port under way */
    bool shared, ported; /* what there is to undo */
    bool making;         /* its call is to be preceded by a SOCKET, or is by one in the ring */
    bool made;           /* the backend has the socket, whatever becomes of the call */
    bool told;           /* the end of its call, though the backend has not answered it */
    bool quiet;          /* the application does not know of its release */
    bool broken;         /* the backend wrote nonsense into its ring */
    bool arm_read, arm_write;
    int32_t error; /* of the preparation, or of a dead device */
    uint32_t port;
    uint64_t deadline_ns; /* of draining */
    struct call_addr addr;
    struct bytering in, out;
    struct fe_queue parked; /* listener: its accepts and polls waiting for a ring slot */
    uint32_t refs[CALL_REFS_MAX];
};

/* Where the device is; the comments name the xenbus state it has published. */
enum fe_phase {
    FE_OFF,       /* before EV_START, or closed (6) */
    FE_FINDING,   /* reads backend-id */
    FE_WAITING,   /* 1: waits for the backend's InitWait */
    FE_READING,   /* 1: reads what the backend offers */
    FE_PREPARING, /* 1: command ring and port under way */
    FE_OFFERED,   /* 3: waits for Connected */
    FE_CONNECTED, /* 4 */
    FE_CLOSING,   /* 5, or still 3 or 4 when the backend went first */
    FE_LEAVING,   /* port close, unshare and 6 under way */
    FE_PHASES
};

/* A request in the ring. */
struct fe_inflight {
    bool used;
    uint32_t id; /* its place in the table, or by a quirk another number */
    enum call_kind kind;
    uint64_t sockid; /* as sent: the response must echo it */
    uint32_t slot;
    bool cold; /* as its listener was when it was sent */
};

struct fe {
    struct fe_config config;
    struct dialect_ring layout;
    struct fe_counters counters;

    enum fe_phase phase;
    enum xenbus_state published;
    uint16_t backend;         /* domid */
    uint8_t ops;              /* of the phase under way */
    int32_t failed;           /* the error of one of them that failed, or 0, */
    enum ev_kind failed_kind; /* and which */
    bool reading_state, reread_state;
    uint8_t reads;            /* of FE_READING */
    bool doubting;            /* a node is missing: the backend's fault, unless it died */
    enum dialect_key doubted; /* which */
    bool stopping;            /* EV_STOP came */
    bool gone_reported;
    uint64_t patience_ns; /* when closing waits no more for the backend; STEP_NEVER: not closing */
    bool ring_shared, ring_ported;
    enum xenbus_state other; /* the backend's state as last read */
    struct step_node nodes[6];
    struct cmdring_front ring;
    uint32_t ring_ref, ring_port;

    struct fe_inflight inflight[CMDRING_SIZE_MAX];
    uint32_t inflight_parked, inflight_connects;
    uint32_t inflight_cold; /* of the parked */
    bool parked_turn;       /* whether a parked call went last, rather than a connect */
    bool cold_turn;         /* whether a cold listener's went last, rather than another's */
    struct fe_queue releases, controls, connects, draining, ending, free;
    struct fe_queue listeners, cold; /* those with parked calls to send, */
    struct fe_queue held;            /* or to send when others have been answered */
    uint32_t waiting, waited;        /* requests without a slot: now, after the last submit */
    bool sweeping;                   /* a fan-out over slots is under way */
    uint32_t sweep_next;

    struct fe_sock socks[];
};

/* Whether this frontend has a quirk. */
static inline bool fe_has(const struct fe *fe, enum quirk which)
{
    return (fe->config.quirks & quirk_bit(which)) != 0;
}

/* fe.c */
struct fe_sock *fe_sock_by_id(struct fe *fe, uint64_t id);
struct fe_sock *fe_sock_at(struct fe *fe, uint32_t slot);
uint32_t fe_slot(const struct fe *fe, const struct fe_sock *sock);
uint64_t fe_sock_id(const struct fe *fe, const struct fe_sock *sock);
uint64_t fe_sock_token(const struct fe *fe, const struct fe_sock *sock);
uint64_t fe_token(const struct fe *fe);
void fe_enqueue(struct fe *fe, struct fe_queue *queue, struct fe_sock *sock);
void fe_dequeue(struct fe *fe, struct fe_sock *sock);
struct fe_sock *fe_queue_first(struct fe *fe, const struct fe_queue *queue);
void fe_fault(struct fe *fe, enum fault_reason reason, uint32_t index, uint32_t value,
              struct step_out *out);

/* fe_device.c */
void fe_device_step(struct fe *fe, const struct ev *ev, struct step_out *out);
void fe_device_close(struct fe *fe, struct step_out *out);
void fe_device_patience(struct fe *fe, struct step_out *out);
void fe_device_swept(struct fe *fe, struct step_out *out);

/* fe_ring.c */
void fe_ring_submit(struct fe *fe, struct step_out *out);
void fe_ring_port(struct fe *fe, struct step_out *out);
void fe_ring_forget(struct fe *fe);
struct fe_sock *fe_ring_child(struct fe *fe, uint64_t listener);
bool fe_ring_waits(struct fe *fe, const struct fe_sock *sock);

/* fe_socket.c */
void fe_sock_set(struct fe *fe, struct fe_sock *sock, enum fe_sock_state to, struct step_out *out);
struct fe_sock *fe_sock_new(struct fe *fe, enum call_kind call);
void fe_sock_prepare(struct fe *fe, struct fe_sock *sock, struct step_out *out);
void fe_sock_queue(struct fe *fe, struct fe_sock *sock, struct step_out *out);
void fe_sock_step(struct fe *fe, struct fe_sock *sock, const struct ev *ev, struct step_out *out);
void fe_sock_answered(struct fe *fe, struct fe_sock *sock, int32_t ret, struct step_out *out);
void fe_sock_released(struct fe *fe, struct fe_sock *sock, struct step_out *out);
void fe_sock_release_now(struct fe *fe, struct fe_sock *sock, struct step_out *out);
void fe_end_listeners(struct fe *fe, struct step_out *out);
void fe_sweep_start(struct fe *fe);
void fe_sweep(struct fe *fe, struct step_out *out);

/* fe_data.c */
void fe_data_port(struct fe *fe, struct fe_sock *sock, struct step_out *out);
bool fe_data_drained(struct fe *fe, struct fe_sock *sock, struct step_out *out);

/* Actions one slot can cause in one event: what a loop over slots asks room for. */
enum { FE_SOCK_ACTS = 8 };

#endif
