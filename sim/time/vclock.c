/*
 * The event queue: a binary heap of (time, sequence) with the events beside it, so that sifting
 * moves 16 bytes an entry. See vclock.h.
 *
 * An entry's `key` is its sequence number above the number of its event's slot: it orders as the
 * sequence does, and 2^40 events are more than a run can fire. Four children an entry instead of
 * two were no faster in a hold model (tests/bench/hold.c), and a calendar queue wants its width
 * fitted to the load.
 */
#include "sim/time/vclock.h"

#include <assert.h>
#include <stdlib.h>

enum { SLOT_BITS = 24, SLOTS_MAX = 1 << SLOT_BITS };

struct entry {
    uint64_t at_ns;
    uint64_t key;
};

struct vclock {
    uint64_t now_ns;
    uint64_t sequence; /* of the next event */
    uint64_t fired;
    struct entry *heap;
    struct vclock_event *slots; /* `arg` of a free one is the next free one */
    uint32_t count, room;
    uint32_t free_head; /* `room`: none */
};

struct vclock *vclock_create(void)
{
    struct vclock *clock = calloc(1, sizeof(*clock));

    assert(clock);
    return clock;
}

void vclock_destroy(struct vclock *clock)
{
    free(clock->heap);
    free(clock->slots);
    free(clock);
}

uint64_t vclock_now_ns(const struct vclock *clock)
{
    return clock->now_ns;
}

/* No slot is free: the new ones are. */
static void grow(struct vclock *clock)
{
    uint32_t room = clock->room ? clock->room * 2 : 64;

    assert(room <= SLOTS_MAX);
    clock->heap = realloc(clock->heap, room * sizeof(clock->heap[0]));
    clock->slots = realloc(clock->slots, room * sizeof(clock->slots[0]));
    assert(clock->heap && clock->slots);
    for (uint32_t slot = clock->room; slot < room; slot++)
        clock->slots[slot].arg = slot + 1;
    clock->free_head = clock->room;
    clock->room = room;
}

/* Without a branch, which would be guessed wrong every other time; that is up to a quarter of
 * the time of an event. */
static bool before(struct entry a, struct entry b)
{
    return (a.at_ns < b.at_ns) | ((a.at_ns == b.at_ns) & (a.key < b.key));
}

void vclock_at(struct vclock *clock, uint64_t at_ns, const struct vclock_event *event)
{
    assert(at_ns >= clock->now_ns && at_ns < VCLOCK_NEVER);
    if (clock->count == clock->room)
        grow(clock);
    uint32_t slot = clock->free_head;
    clock->free_head = (uint32_t)clock->slots[slot].arg;
    clock->slots[slot] = *event;

    struct entry entry = {at_ns, clock->sequence++ << SLOT_BITS | slot};
    uint32_t at = clock->count++;
    while (at > 0 && before(entry, clock->heap[(at - 1) / 2])) {
        clock->heap[at] = clock->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    clock->heap[at] = entry;
}

/* Have what lies below the children of `at` in the cache, if there is any, by the time it is
 * needed: with 100,000 events, a fifth of the time of an event. */
static void fetch_below(const struct vclock *clock, uint32_t at)
{
    __builtin_prefetch(
        (const void *)((uintptr_t)clock->heap + (4 * at + 4) * sizeof(struct entry)));
}

/* Take the first entry out: its place sinks to the bottom along the smaller children, and the last
 * entry, which nearly always belongs there, rises from it. */
static struct entry take(struct vclock *clock)
{
    struct entry *heap = clock->heap;
    struct entry first = heap[0], last = heap[--clock->count];
    uint32_t count = clock->count, at = 0, child;

    while ((child = 2 * at + 1) < count) {
        child += child + 1 < count && before(heap[child + 1], heap[child]) ? 1u : 0u;
        fetch_below(clock, child);
        heap[at] = heap[child];
        at = child;
    }
    while (at > 0 && before(last, heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = last;
    return first;
}

bool vclock_step(struct vclock *clock)
{
    if (clock->count == 0)
        return false;
    struct entry first = take(clock);
    uint32_t slot = (uint32_t)(first.key & (SLOTS_MAX - 1));
    struct vclock_event event = clock->slots[slot];

    clock->slots[slot].arg = clock->free_head;
    clock->free_head = slot;
    clock->now_ns = first.at_ns;
    clock->fired++;
    event.fire(event.self, event.arg);
    return true;
}

uint64_t vclock_next_ns(const struct vclock *clock)
{
    return clock->count > 0 ? clock->heap[0].at_ns : VCLOCK_NEVER;
}

uint32_t vclock_pending(const struct vclock *clock)
{
    return clock->count;
}

uint64_t vclock_fired(const struct vclock *clock)
{
    return clock->fired;
}
