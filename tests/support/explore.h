/*
 * Runs two or three sides through every interleaving of their accesses to shared memory.
 *
 * A side is a function on a stack of its own. In the hooked build it stops before each access (and
 * wherever it says so itself), and any other side may go on from there. A word is accessed at once.
 * A span of bytes is not: between its first and its last byte the others run, what is being written
 * is poison meanwhile, and touching it is an error (torn). So is loading a word twice in one call
 * (explore_call), and loading a word that is one's own.
 *
 * How it searches: a run goes on with the same side as long as that can; where another could have
 * gone, that is noted and tried later, fewest such preemptions first. Runs start from the beginning
 * again, so sides must do the same whenever they see the same. A state that was reached before ends
 * the run; when no state is left, all interleavings have been explored. The state of a side is all
 * that it has read since it last said what it is (explore_at); so states are told apart too often
 * rather than too seldom.
 *
 * Sequential consistency is what is explored: stores are seen at once and in order. What a store
 * buffer does is for models and for tests on hardware.
 */
#ifndef XENSOCK_TESTS_SUPPORT_EXPLORE_H
#define XENSOCK_TESTS_SUPPORT_EXPLORE_H

#include "ringlib/shared.h"

#include <stdbool.h>
#include <stddef.h>

/* How slow sanitizers make a run: 1 some times slower, 2 a hundred times, which leaves out all but
 * the smallest explorations. There is but one thread to sanitize anyway. */
#if defined(__SANITIZE_THREAD__)
#define EXPLORE_SLOW 2
#elif defined(__SANITIZE_ADDRESS__)
#define EXPLORE_SLOW 1
#else
#define EXPLORE_SLOW 0
#endif

enum { EXPLORE_SIDES = 3, EXPLORE_REGIONS = 2, EXPLORE_NOBODY = EXPLORE_SIDES };

/* A named piece of a region: a word that one side writes, or bytes (writer EXPLORE_NOBODY). */
struct explore_place {
    const char *name;
    uint32_t offset, bytes;
    uint32_t writer;
};

/* Shared memory that is looked at: all of its accesses are points where another side may go. */
struct explore_region {
    struct shared_area area;
    const struct explore_place *places;
    uint32_t place_count;
};

/* Which runs are taken for the same. The others are for comparing: there are as many interleavings
 * whichever way they are counted. */
enum explore_merge {
    EXPLORE_STATES,  /* those in the same state */
    EXPLORE_READS,   /* those whose sides read the same from the beginning on: no explore_at */
    EXPLORE_NOTHING, /* none: every interleaving is run */
};

/* What is explored. `begin` and `end` enclose every run, also one that was left midway. */
struct explore {
    const char *name;
    void *self;
    uint32_t side_count;
    const char *side_names[EXPLORE_SIDES];
    void (*sides[EXPLORE_SIDES])(void *self);
    void (*begin)(void *self);     /* to the start; names its memory with explore_region */
    void (*end)(void *self);       /* NULL: nothing to free */
    uint64_t (*state)(void *self); /* of what else they share, as a number; NULL: nothing */
    uint32_t servants;             /* bits of sides that never return */
    /* When nobody goes on and all but servants have returned: NULL, or what is wrong. */
    const char *(*outcome)(void *self);
    uint32_t preemptions; /* at most so many in a run; 0: as many as there are */
    enum explore_merge merge;
    bool control; /* something is wrong on purpose: its schedule is not printed */
};

struct explore_result {
    const char *wrong; /* NULL: nothing was found */
    bool complete;     /* no state was left out */
    uint32_t states, runs, deepest, preemptions;
    double interleavings; /* ways through the states to an end */
};

/* Explore and print one line of figures; and, if something is wrong, the schedule with the fewest
 * preemptions, of those the shortest, that leads there. */
void explore(const struct explore *what, struct explore_result *result);

/* ---- for `begin` -------------------------------------------------------------------------------
 */

void explore_region(const struct explore_region *region);

/* ---- for sides ---------------------------------------------------------------------------------
 */

/* A point where others may go, before something that is shared but not memory. */
void explore_step(const char *what);

/* Sleep until `ready` says so. */
void explore_wait(bool (*ready)(void *self), void *self);

/* Any of 0..count-1: each is tried. */
uint32_t explore_choose(const char *what, uint32_t count);

/* Something was learnt that is neither in the regions nor chosen. */
void explore_saw(uint64_t value);

/* All that decides how this side goes on from here, but for what is shared. */
#define explore_at(state, bytes) explore_at_place(__LINE__, state, bytes)
void explore_at_place(uint32_t place, const void *state, size_t bytes);

/* A call begins, in which no word is loaded twice; NULL: that rule does not hold from here on. */
void explore_call(const char *name);

/* The run is wrong: ends it, does not return. */
_Noreturn void explore_fail(const char *why);

#define explore_check(condition)                                                                   \
    ((condition) ? (void)0 : explore_fail("does not hold: " #condition))

#endif
