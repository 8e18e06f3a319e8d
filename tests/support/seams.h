/*
 * Both seams of one core, for a fuzzer: a hypervisor with a few pages, ports and store nodes, and
 * sockets that complete as the fuzzer chooses. The other domain is bytes: whoever drives this
 * writes its pages and nodes directly.
 *
 * Unlike hv_mem with net_mem it allocates nothing, so that an input costs some ten microseconds,
 * and completions may be taken in any order that hv.h and net.h allow. A map must be one
 * consecutive range of pages, as hv.h allows where the host's pages are larger; each page is
 * granted under two refs, as a guest may, and its two mappings are told apart by their address; a
 * notification goes nowhere. Invariants, each a FUZZ_CHECK: an action names what its token has;
 * nothing is unmapped under a transfer; net.h's contract for closing. Source: hv.h, net.h.
 */
#ifndef XENSOCK_TESTS_SUPPORT_SEAMS_H
#define XENSOCK_TESTS_SUPPORT_SEAMS_H

#include "backend/be.h"
#include "tests/fuzz/fuzz.h"

enum {
    SEAMS_PAGES = 24,
    SEAMS_REF = 8,    /* the ref of page 0, */
    SEAMS_APART = 32, /* and so many on its other one: a multiple of any host's page */
    SEAMS_BYTES = 2 * SEAMS_APART * SHARED_PAGE_BYTES,
    SEAMS_PORTS = 16, /* of the other domain: 1..16 may be bound */
    SEAMS_SLOTS = 80, /* of tokens, the device's beside them */
    SEAMS_OPS = 192,
    SEAMS_MEDDLES = 8,
};

/* An operation in flight: `ready` when its result is there and it may be delivered. */
struct seams_op {
    struct act act;
    struct ev ev;
    bool ready;
};

/* What a token's slot has at the seams. */
struct seams_channel {
    uint64_t token;
    bool ported, open; /* port, socket */
    bool fired;        /* EV_PORT is due */
    uint32_t mapped;   /* areas: a ring with its index page has two, of which that is the first */
    uint32_t page, pages, port, remote; /* pages: of the last area */
    uint32_t index_page;                /* of the first of two */
};

/* A change of shared memory that waits for a read of the core. Only the oldest counts down. */
struct seams_meddle {
    uint8_t after; /* reads that pass before, of those that count: */
    enum { MEDDLE_ANY, MEDDLE_WORD, MEDDLE_BULK } reads;
    enum { MEDDLE_HERE, MEDDLE_LAST, MEDDLE_AT } where; /* what is read now, was last; `at` */
    bool add;                                           /* to what is there */
    uint32_t at;                                        /* HERE, LAST: bytes into it */
    uint32_t value;
};

struct seams {
    const struct dialect *dialect;
    unsigned char *memory; /* SEAMS_BYTES, of which the second half is the first */
    struct seams_op ops[SEAMS_OPS];
    uint32_t op_count;
    struct seams_channel channels[SEAMS_SLOTS + 1]; /* the device's last */
    uint32_t next_port;
    char store[2][DIALECT_KEYS][STEP_VALUE_BYTES]; /* by enum step_side; "": there is none */
    struct seams_watch {
        bool on, fired;
        uint64_t token;
        struct act_store node;
    } watches[4];
    struct seams_fail {
        bool armed;
        uint32_t after;
        int32_t ret;
    } fails[EV_STORE_UNWATCH + 1];
    struct seams_meddle meddles[SEAMS_MEDDLES];
    uint32_t meddle_first, meddle_count;
    uint32_t last_read, last_bytes; /* in `memory` */
    uint32_t refs[CALL_REFS_MAX];   /* of the EV_SHARE taken last */
};

/* As a machine where nothing ever happened, for a core of that dialect. */
void seams_reset(struct seams *seams, const struct dialect *dialect);

/* A dialect of the registry, by any number. */
const struct dialect *seams_dialect(uint32_t which);

/* The i-th of the six words of a data ring, modulo six: in_cons, in_prod, out_cons, out_prod,
 * in_error, out_error; where it lies, in bytes. */
uint32_t seams_word(const struct dialect_ring *ring, uint32_t i);

/* Write what an index page says: the order of a ring, and that its pages are these. */
void seams_name_pages(struct seams *seams, uint32_t index_page, uint32_t order, uint32_t page);

/* Carry out the actions of a step. */
void seams_run(struct seams *seams, const struct step_out *out);

/* The other side, or the toolstack, writes a node; "": removes it. */
void seams_write(struct seams *seams, enum step_side side, enum dialect_key key, const char *value);

/* The other side writes the constants that it has to. */
void seams_constants(struct seams *seams, const struct dialect_node nodes[DIALECT_NODES_MAX]);

/* Give the i-th operation that waits for the world (of those that do, in order) its result: bytes
 * of a READ are `fill`, `fill` + 1, ... False if there is none. */
bool seams_waiting(const struct seams *seams, uint32_t i, uint32_t *op);
void seams_resolve(struct seams *seams, uint32_t op, int32_t ret, uint8_t fill);

/* Take the `which`-th (modulo how many there are) completion, then port, then store event, of those
 * that are due; false if none is. */
bool seams_next(struct seams *seams, uint32_t which, struct ev *ev);

/* Make the n-th following submission of `kind` fail with `ret`. */
void seams_fail(struct seams *seams, enum ev_kind kind, uint32_t n, int32_t ret);

/* Make one of the next four of one of these kinds fail with one of four errors, as a byte says. */
void seams_fail_one(struct seams *seams, const enum ev_kind kinds[5], uint8_t what);

/* Queue a change made of the next bytes of the input; full: nothing. */
void seams_meddle(struct seams *seams, struct fuzz_input *input);

/* A core is about to read: apply what is due. */
void seams_reading(struct seams *seams, uint32_t at, uint32_t bytes);

/* Where an area lies in `memory`; checks that it is there. */
uint32_t seams_at(const struct seams *seams, const struct shared_area *area);

/* What the token's slot has; the device's: of its token. */
struct seams_channel *seams_channel(struct seams *seams, uint64_t token);

/* Operations of a kind that are in flight under a token. */
uint32_t seams_in_flight(const struct seams *seams, enum ev_kind kind, uint64_t token);

/* Tell libFuzzer, where it runs, that something happened in this dialect: the code is the same for
 * all of them, so that it would not notice. An event (its kind), or the answer to a call (behind
 * them, SEAMS_ANSWERS and its kind). */
enum { SEAMS_ANSWERS = 40, SEAMS_HAPPENINGS = SEAMS_ANSWERS + CALL_KINDS + 1 };
void seams_happened(const struct seams *seams, uint32_t what, bool well);

/* A word of `memory`, as the other domain reads and writes it. */
uint32_t seams_load(const struct seams *seams, uint32_t at);
void seams_store(struct seams *seams, uint32_t at, uint32_t value);

/* A number as a fuzzer likes them: often small and of either sign, else any 32 bits. */
uint32_t seams_number(struct fuzz_input *input);

/* Nothing of the core is left: no op, page, port, socket, watch. */
void seams_check_empty(const struct seams *seams);

#endif
