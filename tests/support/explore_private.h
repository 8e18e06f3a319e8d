/*
 * What the explorer's files share. Not for others.
 *
 * explore.c: which run comes next. explore_side.c: what a side may do, and the hook at its
 * accesses. explore_print.c: the schedule, for people.
 */
#ifndef XENSOCK_TESTS_SUPPORT_EXPLORE_PRIVATE_H
#define XENSOCK_TESTS_SUPPORT_EXPLORE_PRIVATE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* ucontext */
#endif
#include "tests/support/explore.h"

#include <ucontext.h>

enum {
    STACK_BYTES = 256 << 10,
    DEEPEST = 2000, /* steps of a run: beyond that it does not end */
    STATES_MAX = 1 << 23,
    READS_MAX = 32,   /* of one call */
    FIBER_RUNS = 256, /* of one of ThreadSanitizer's fibers */
    POISON = 0xa5,
    NONE = -1,
};

enum step_kind { STEP_WORD, STEP_BEGIN, STEP_END, STEP_POINT, STEP_CHOICE, STEP_WAIT, STEP_RETURN };

/* What a side is about to do; once done, `value` says with what. */
struct step {
    enum step_kind kind;
    uint32_t side, choices;
    enum shared_access access;
    const struct explore_place *place;
    const char *what;
    uint32_t offset, bytes, value;
};

struct read {
    uint32_t region, offset, bytes;
};

struct side {
    ucontext_t context;
    void *fiber;
    unsigned char *stack;
    struct step next;
    bool done;
    bool (*ready)(void *self);
    void *ready_self;
    uint64_t history;
    const char *call;
    struct read reads[READS_MAX];
    uint32_t read_count;
    /* the span it is in the midst of */
    bool inside;
    enum shared_access access;
    const unsigned char *from;
    uint32_t bytes;
};

struct state {
    uint64_t hash;
    uint32_t first_edge; /* of those leading on; 0: none */
    double ways;         /* to an end; 0: not counted yet */
};

struct edge {
    uint32_t to, next;
};

/* A deviation: at step `at` of its parent's run, in `state`, `side` goes on instead. */
struct item {
    uint32_t parent, at, state;
    uint32_t side, value;
};

struct list {
    uint32_t *items;
    uint32_t count, room;
};

struct explore_engine {
    const struct explore *what;
    struct explore_result *result;
    struct explore_region regions[EXPLORE_REGIONS];
    uint32_t region_count;
    struct side sides[EXPLORE_SIDES];
    ucontext_t main;
    void *main_fiber;
    uint32_t current;
    bool running; /* else accesses belong to begin, end and outcome */
    const char *wrong;

    struct item *items; /* the first is the run without deviation */
    uint32_t item_count, item_room;
    struct list now, later; /* items to be run at this number of preemptions, and one more */

    struct state *states; /* the first is not used */
    uint32_t state_count, state_room;
    uint32_t *table; /* of states by hash */
    uint32_t table_room;
    struct edge *edges; /* the first is not used */
    uint32_t edge_count, edge_room;

    struct step trace[DEEPEST]; /* of this run */
    uint32_t steps;
    uint32_t item;                /* which is run */
    uint32_t deviations[DEEPEST]; /* its chain, last first */
    uint32_t deviation_count;
    uint32_t at_state; /* in which the last step was decided; 0: in the part that is repeated */

    struct step worst[DEEPEST]; /* the shortest run that went wrong */
    uint32_t worst_steps;
    const char *worst_why;
};

extern struct explore_engine engine;

/* The side that runs takes a step when its turn comes; gives what it chose. */
uint32_t explore_take_step(struct step step);

/* The run is over: does not return. */
_Noreturn void explore_leave(void);

/* Something that decides what a side does next. */
void explore_mix(struct side *side, uint64_t kind, uint64_t value);

/* Steps, one line each, and what came of them. */
void explore_print(const struct step *steps, uint32_t count, const char *why);

#endif
