/*
 * The host's core: one struct be is one device. The handshake, dispatch, the sockets and their
 * bytes, the one reply function, and the policy of where a guest may connect and bind.
 *
 * A function of (state, event) to (state, actions); all memory is handed in. It trusts nothing a
 * guest can write: each value is loaded once, checked, and used from the local. Every request it
 * accepts gets exactly one reply, written only when what the reply promises has happened.
 * Source: protocol.md 1, 4, 5.2, 7; architecture 3, 5, 7.
 */
#ifndef XENSOCK_BACKEND_BE_H
#define XENSOCK_BACKEND_BE_H

#include "backend/policy.h"
#include "ringlib/quirk.h"
#include "ringlib/step.h"
#include "ringlib/xenbus.h"

struct be;

struct be_config {
    const struct dialect *dialect;
    const struct policy *policy; /* outlives the core */
    uint16_t device;             /* of the tokens */
    uint16_t front;              /* domid of the guest */
    uint32_t order_max;          /* largest data ring accepted; the dialect's range */
    uint32_t max_sockets;        /* quota, 1..65536 */
    uint32_t backlog;            /* of LISTEN, where the wire has no field; 0: the dialect's */
    uint32_t quirks;             /* bits of enum quirk; 0: ours */
};

/* How long a POLL may hold the last room, at first and at most: see be_poll.c. */
enum { BE_POLL_NS = 1000000, BE_POLL_MAX_NS = 64 * BE_POLL_NS };

/* Counts since be_init. */
struct be_counters {
    uint64_t requests, replies;
    uint64_t forgotten;      /* requests never answered: a quirk */
    uint64_t refused;        /* by policy */
    uint64_t poll_yields;    /* polls to be asked again, so that others may wait */
    uint64_t sent_bytes;     /* guest to socket */
    uint64_t received_bytes; /* socket to guest */
    uint64_t ring_full;      /* looks at a full `in`, when no read could be posted */
    uint64_t faults;         /* of the guest */
    uint32_t sockets_now, sockets_peak;
};

/* Bytes of memory a be of this configuration needs. */
size_t be_size(const struct be_config *config);

/* Make a core in `mem` (be_size bytes, aligned as malloc's); it begins with EV_START. */
struct be *be_init(void *mem, const struct be_config *config);

/* End of life; asserts that no operation is in flight. */
void be_fini(struct be *be);

/* How many slots the tokens of this core name, the device's beside them. */
uint32_t be_slots(const struct be_config *config);

/* One step. Only EV_PORT may carry a token that died. */
void be_step(struct be *be, const struct ev *ev, struct step_out *out);

/* When EV_TIME is due, or STEP_NEVER: a stopping device does not wait for ever for its front, and
 * polls that wait beside as many others as may park are to be asked again. */
uint64_t be_deadline_ns(const struct be *be);

/* Its counts; they live as long as the core. */
const struct be_counters *be_counters(const struct be *be);

/* Where it stands, for people: the command ring's indexes. Valid while the device is connected,
 * else all 0. */
struct be_look {
    uint32_t req_cons, rsp_prod; /* its own */
    uint32_t req_prod;           /* the front's, as it is now */
    uint32_t req_event;          /* where it asked to be notified */
    uint32_t unanswered;         /* requests taken */
    uint32_t port;               /* of the device */
};
void be_look(const struct be *be, struct be_look *look);

/* The same of the guest's open socket `id`; false for any other id. */
struct be_sock_look {
    bool reading,
        writing; /* an operation of its socket is under way, or that direction has ended */
    uint32_t port;
};
bool be_look_sock(const struct be *be, uint64_t id, struct be_sock_look *look);

/* The xenbus state this side published last. */
enum xenbus_state be_state(const struct be *be);

/* Whether the device is closed and nothing of it is in flight: it may be finished. */
bool be_idle(const struct be *be);

#endif
