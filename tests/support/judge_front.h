/*
 * What a frontend owes, watched from outside: every access it makes to shared memory, every action,
 * every event, every call of its application. Written from the specification, not from the core,
 * whose state it never looks at.
 *
 * Command ring: the exact window, each response read once and whole, own words never read back, no
 * two requests of one id, the slots that parked calls leave free, what a request grants, itself or
 * by an index page; a response is believed only if it answers a request; what the backend was told
 * of is released there before it is forgotten here. Calls: each completes once, with what was
 * answered or for a reason that came first, before its socket's release. Bytes: taken once, in
 * order, as they lay in the ring when they were copied; the end only after the last byte. READABLE
 * and WRITABLE once per arming and never lost. Device: published states, one fault for one breach,
 * GONE once. A breach of a rule is a FUZZ_CHECK. Where things lie on the wire and in a ring is the
 * dialect's table's to say. Source: protocol.md 1, 3, 4, 5; architecture 3, 5, 7.
 */
#ifndef XENSOCK_TESTS_SUPPORT_JUDGE_FRONT_H
#define XENSOCK_TESTS_SUPPORT_JUDGE_FRONT_H

#include "frontend/fe.h"
#include "ringlib/cmdring.h"
#include "tests/support/seams.h"

enum {
    JUDGE_SOCKS = 8, /* of the frontend: its max_sockets */
    JUDGE_CALLS = 2 * JUDGE_SOCKS,
    JUDGE_NO_CALL = JUDGE_CALLS,
    JUDGE_NOBODY,       /* of requests: the application knows nothing of them, or no more */
    JUDGE_BYTES = 8192, /* most that a data ring holds here */
};

/* A call of the application that has not completed. `made`: its SOCKET was answered, and it was
 * not. */
struct judge_call {
    bool used, made, sent, answered;
    enum call_kind kind;
    uint64_t sock;   /* as its DONE will name it */
    uint64_t parent; /* ACCEPT: the listener */
    int32_t ret;     /* as answered */
};

/* A request in the ring. */
struct judge_request {
    bool used;
    struct call call;
    uint32_t by; /* which judge_call, or JUDGE_NOBODY; JUDGE_NO_CALL until the step is over */
};

/* A socket with a data ring, by its slot. */
struct judge_sock {
    uint64_t token;
    bool open, released, lost, broken, must_break, changed; /* lost: with its device */
    bool arm_read, arm_write;
    bool said_order, said_refs; /* in its index page */
    uint32_t claimed;
    uint32_t cons, prod;            /* of `in` and `out`: our own */
    uint32_t got, put;              /* bytes copied in this call */
    int64_t queued, room;           /* by the last look in this step; -1: none */
    int32_t in_error, out_error;    /* as read last, as the wire allows them */
    uint32_t error_time, prod_time; /* when in_error and in_prod were read last */
    unsigned char bytes[JUDGE_BYTES];
};

struct judge_front {
    struct seams *seams;
    const struct dialect *dialect;
    const struct fe *fe; /* for what fe.h tells of it: names on the wire, how many sockets */
    uint32_t slots, slot_bytes, order;
    struct dialect_ring layout;
    bool broken, was_broken, faulted, removed, going, up, gone, started;
    enum fault_reason must_fault; /* FAULT_REASONS: none */
    uint32_t reads, pushed, allowed, claimed, armed;
    bool looked, must_look, notify_due, event_due;
    bool retreated; /* the other side took back what it had published: its own loss */
    uint32_t pushed_before, time;
    uint32_t unpushed; /* slots written and not published */
    unsigned char shadow[CMDRING_SIZE_MAX][DIALECT_SLOT_MAX];
    struct judge_request asked[CMDRING_SIZE_MAX];
    struct judge_call calls[JUDGE_CALLS];
    uint64_t kept[CMDRING_SIZE_MAX]; /* sockets that the backend has, as the wire calls them */
    uint32_t kept_count;
    struct judge_sock socks[JUDGE_SOCKS];
    uint64_t faults, ring_faults; /* in all, and of data rings in this step */
    enum { STORED_NOTHING, STORED_SLOT, STORED_RING, STORED_DATA } stored;
    uint32_t stored_at, stored_offset;
    struct judge_sock *stored_in;
    struct ev ev;             /* of the step under way; EV_MORE in a call */
    struct judge_sock *waits; /* armed by this call */
    const unsigned char *sending;
    enum xenbus_state published;
};

/* The dialect is that of the seams. */
void judge_front_init(struct judge_front *judge, struct seams *seams, const struct fe *fe,
                      uint32_t order);

/* Around each step and each call: before it (NULL: a call), at each access to shared memory, and
 * after it, before its actions are carried out. */
void judge_front_begin(struct judge_front *judge, const struct ev *ev);
void judge_front_access(struct judge_front *judge, enum shared_access access,
                        const struct shared_area *area, struct shared_span span);
void judge_front_end(struct judge_front *judge, const struct step_out *out);

/* Between begin and end: what the call was. */
void judge_front_called(struct judge_front *judge, enum call_kind kind, uint64_t sock, int64_t ret);
void judge_front_sent(struct judge_front *judge, const struct fe_send *io, int64_t ret);
void judge_front_received(struct judge_front *judge, const struct fe_recv *io, int64_t ret);

/* Before anything else changes shared memory: look at what the core stored last. */
void judge_front_settle(struct judge_front *judge);

/* The socket of an id with a data ring, or NULL. */
struct judge_sock *judge_front_sock(struct judge_front *judge, uint64_t id);

/* Whether the backend has a socket of that name. */
bool judge_front_kept(const struct judge_front *judge, uint64_t sockid);

/* Whether the release of a socket of that name has been answered, and has not completed. */
bool judge_front_let_go(const struct judge_front *judge, uint64_t sockid);

/* Everything has ended. */
void judge_front_check_over(const struct judge_front *judge);

#endif
