/*
 * Which numbers of a range are taken: grant refs, ports, pages of memory.
 *
 * Next fit: a search goes on where the last one ended, so it stays short in a full table and a
 * number just given back is the last to be taken again. What a number means is the caller's.
 * Memory is taken for the numbers up to the highest there ever was, not for the range.
 */
#ifndef XENSOCK_SIM_HV_SLOTS_H
#define XENSOCK_SIM_HV_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slots {
    uint32_t first, limit; /* numbers first..limit-1 exist */
    uint32_t cursor;       /* where the next search begins */
    uint32_t used;         /* how many are taken */
    uint32_t room;         /* numbers from here on have never been taken */
    bool *taken;           /* by number, below `room`; [0, first) is never taken */
};

/* Numbers first..limit-1, all free; first < limit. Undo: slots_fini. */
void slots_init(struct slots *slots, uint32_t first, uint32_t limit);
void slots_fini(struct slots *slots);

/* How many are free. */
uint32_t slots_free(const struct slots *slots);

/* Take `count` (>= 1) consecutive numbers; the first of them, or -ERR_NOSPC. */
int64_t slots_take(struct slots *slots, uint32_t count);

/* Give one taken number back. */
void slots_give(struct slots *slots, uint32_t number);

/* A table of the caller's by number, which has `*room` elements, as long as `slots` needs it after
 * a take: moved perhaps, what is new zeroed, `*room` brought up to date. For free(). */
void *slots_table(const struct slots *slots, void *table, uint32_t *room, size_t element_bytes);

/* Whether a number, of any value, is taken. */
bool slots_taken(const struct slots *slots, uint32_t number);

#endif
