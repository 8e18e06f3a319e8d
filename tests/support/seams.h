/*
 * Both seams of one core, for a fuzzer: a hypervisor with a few pages, ports and store nodes, and
 * sockets that complete as the fuzzer chooses. The other domain is bytes: whoever drives this
 * writes its pages and nodes directly.
 *
 * Unlike hv_mem with net_mem it allocates nothing, so that an input costs some ten microseconds,
 * and completions may be taken in any order that hv.h and net.h allow. A map must be one
 * consecutive range of pages, as hv.h allows where the host's pages are larger; a notification goes
 * nowhere. Invariants, each a FUZZ_CHECK: an action names what its token has; nothing is unmapped
 * under a transfer; net.h's contract for closing. Source: hv.h, net.h.
 */
#ifndef XENSOCK_TESTS_SUPPORT_SEAMS_H
#define XENSOCK_TESTS_SUPPORT_SEAMS_H

#include "backend/be.h"
#include "tests/fuzz/fuzz.h"

enum {
    SEAMS_PAGES = 24,
    SEAMS_REF = 8,    /* the ref of page 0 */
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
    bool mapped, ported, open; /* pages, port, socket */
    bool fired;                /* EV_PORT is due */
    uint32_t page, pages, port, remote;
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
    unsigned char memory[SEAMS_PAGES * SHARED_PAGE_BYTES];
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

/* As a machine where nothing ever happened. */
void seams_reset(struct seams *seams);

/* Carry out the actions of a step. */
void seams_run(struct seams *seams, const struct step_out *out);

/* The other side, or the toolstack, writes a node; "": removes it. */
void seams_write(struct seams *seams, enum step_side side, enum dialect_key key, const char *value);

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

/* A word of `memory`, as the other domain reads and writes it. */
uint32_t seams_load(const struct seams *seams, uint32_t at);
void seams_store(struct seams *seams, uint32_t at, uint32_t value);

/* A number as a fuzzer likes them: often small and of either sign, else any 32 bits. */
uint32_t seams_number(struct fuzz_input *input);

/* Nothing of the core is left: no op, page, port, socket, watch. */
void seams_check_empty(const struct seams *seams);

#endif
