/*
 * What a backend owes, watched from outside: every access it makes to shared memory, every action,
 * every event. Written from the specification, not from the core, whose state it never looks at.
 *
 * Command ring: the exact window (architecture 5, rule 4), each slot read once and whole, own words
 * never read back, one answer to each request read and none to others, with its echo, zero behind,
 * after what it promises; armed before it sleeps. Data rings: exact bounds, spans that lie where
 * the stream is, indexes that say what was moved, an error after the last byte, a notification
 * after each change. Device: published states, Connected only with a ring, one fault for one
 * breach. Only loopback is connected or bound, at the address of a request as it was read; only the
 * pages that it named, or that its index page did when order and refs were read, once each, are a
 * ring, and none of them twice. A breach of a rule is a FUZZ_CHECK. Where things lie on the wire
 * and in a ring is the dialect's table's to say. Source: protocol.md 1, 3, 4, 5; architecture 3,
 * 5, 7.
 */
#ifndef XENSOCK_TESTS_SUPPORT_JUDGE_BACK_H
#define XENSOCK_TESTS_SUPPORT_JUDGE_BACK_H

#include "ringlib/cmdring.h"
#include "tests/support/seams.h"

enum {
    JUDGE_SOCKS = 5,     /* of the backend: its max_sockets, fewer than the ids guests choose */
    JUDGE_ORDER_MAX = 2, /* and its order_max */
};

/* A request as the backend read it. */
struct judge_asked {
    bool used;
    bool twin; /* another had the same echo, and one of the two was answered */
    struct call call;
};

/* A socket of the guest's, by its id, from a good answer to that of its release. `made`: by a
 * SOCKET, and neither connected nor bound. */
struct judge_open {
    bool used, made, passive;
    uint64_t sockid;
};

/* A data ring, by the token's slot. */
struct judge_data {
    uint64_t token;
    /* its index page is being mapped, its order was read, its refs were; its pages are being */
    enum { PAGES_NAMED, ORDER_READ, REFS_READ, RING_NAMED } stage;
    uint32_t order, index_ref, refs[1 << JUDGE_ORDER_MAX];
    struct dialect_ring layout;
    bool open, closing, broken, in_failed, out_failed, reading, writing;
    bool must_break;      /* an index read in this step is out of bounds: */
    uint32_t claimed;     /* this one */
    uint32_t prod, cons;  /* of `in` and of `out`: what was moved */
    uint32_t owed;        /* bytes read that are not published: 0 after each step */
    uint32_t taken;       /* bytes written that are not given back */
    int64_t room, queued; /* by the last look in this step; -1: none */
    bool changed;         /* in this step */
};

struct judge_back {
    struct seams *seams;
    const struct dialect *dialect;
    uint32_t slots, slot_bytes;
    uint32_t order; /* of every data ring, where the front tells it for all at once */
    /* command ring, since the device was attached */
    bool broken, was_broken, faulted, removed, going;
    uint32_t reads, pushed; /* requests read, answers published */
    uint32_t allowed;       /* reads left in this pass */
    uint32_t claimed;       /* req_prod as read last */
    bool looked, must_look, notify_due, event_due;
    bool retreated; /* the other side took back what it had published: its own loss */
    uint32_t armed, pushed_before, step_reads;
    unsigned char shadow[CMDRING_SIZE_MAX][DIALECT_SLOT_MAX]; /* slots as the backend left them */
    struct judge_asked asked[CMDRING_SIZE_MAX];
    struct judge_open open[JUDGE_SOCKS];
    uint32_t unknown; /* sockets that a twin asked for */
    struct judge_data data[JUDGE_SOCKS];
    uint64_t total_reads, total_answers, faults;
    uint32_t window_faults, ring_faults; /* in this step */
    uint32_t connected[CALL_KINDS];      /* good completions that wait for a good answer */
    /* the access under way: what was stored is looked at when the next begins */
    enum { STORED_NOTHING, STORED_SLOT, STORED_RING, STORED_DATA } stored;
    uint32_t stored_at, stored_offset;
    struct judge_data *stored_in;
    /* the step under way */
    struct ev ev;
    enum xenbus_state published;
};

/* The dialect is that of the seams. */
void judge_back_init(struct judge_back *judge, struct seams *seams);

/* Around each step: before it, at each access to shared memory, and after it, before its actions
 * are carried out. */
void judge_back_begin(struct judge_back *judge, const struct ev *ev);
void judge_back_access(struct judge_back *judge, enum shared_access access,
                       const struct shared_area *area, struct shared_span span);
void judge_back_end(struct judge_back *judge, const struct step_out *out);

/* Before anything else changes shared memory: look at what the core stored last. */
void judge_back_settle(struct judge_back *judge);

/* The data ring of a slot if its pages are known, else NULL. */
const struct judge_data *judge_back_ring(const struct judge_back *judge, uint32_t slot);

/* Sockets the guest was told that it has; 0 while the device goes. */
uint32_t judge_back_sockets(const struct judge_back *judge);

/* Requests read and not answered. */
uint32_t judge_back_unanswered(const struct judge_back *judge);

#endif
