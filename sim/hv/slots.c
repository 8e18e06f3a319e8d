/* Which numbers of a range are taken. See slots.h. */
#include "sim/hv/slots.h"

#include "ringlib/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void slots_init(struct slots *slots, uint32_t first, uint32_t limit)
{
    assert(first < limit);
    *slots = (struct slots){.first = first, .limit = limit, .cursor = first};
    slots->taken = calloc(limit, sizeof(*slots->taken));
    assert(slots->taken);
}

void slots_fini(struct slots *slots)
{
    free(slots->taken);
    *slots = (struct slots){0};
}

uint32_t slots_free(const struct slots *slots)
{
    return slots->limit - slots->first - slots->used;
}

int64_t slots_take(struct slots *slots, uint32_t count)
{
    uint32_t at = slots->cursor;
    uint32_t free_count = 0; /* free numbers just before `at`, in one piece */

    if (count > slots_free(slots))
        return -ERR_NOSPC;
    /* `count` beyond one round, for a piece that the cursor stood in. */
    for (uint64_t left = (uint64_t)slots->limit - slots->first + count; left > 0; left--) {
        if (at == slots->limit) {
            at = slots->first;
            free_count = 0;
        }
        free_count = slots->taken[at++] ? 0 : free_count + 1;
        if (free_count == count) {
            memset(&slots->taken[at - count], true, count * sizeof(*slots->taken));
            slots->used += count;
            slots->cursor = at;
            return at - count;
        }
    }
    return -ERR_NOSPC;
}

void slots_give(struct slots *slots, uint32_t number)
{
    assert(slots_taken(slots, number));
    slots->taken[number] = false;
    slots->used--;
}

bool slots_taken(const struct slots *slots, uint32_t number)
{
    return number < slots->limit && slots->taken[number];
}
