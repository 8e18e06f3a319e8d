/*
 * Which numbers of a range are taken: grant refs, ports, pages of memory.
 *
 * Next fit: a search goes on where the last one ended, so it stays short in a full table and a
 * number just given back is the last to be taken again. What a number means is the caller's.
 */
#ifndef XENSOCK_SIM_HV_SLOTS_H
#define XENSOCK_SIM_HV_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

struct slots {
    uint32_t first, limit; /* numbers first..limit-1 exist */
    uint32_t cursor;       /* where the next search begins */
    uint32_t used;         /* how many are taken */
    bool *taken;           /* by number; [0, first) is never taken */
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

/* Whether a number, of any value, is taken. */
bool slots_taken(const struct slots *slots, uint32_t number);

#endif
