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

void *slots_table(const struct slots *slots, void *table, uint32_t *room, size_t element_bytes)
{
    uint32_t old = *room;

    if (old >= slots->room)
        return table;
    table = realloc(table, slots->room * element_bytes);
    assert(table);
    memset((char *)table + old * element_bytes, 0, (slots->room - old) * element_bytes);
    *room = slots->room;
    return table;
}

/* Numbers below `end` can be noted. */
static void make_room(struct slots *slots, uint32_t end)
{
    uint32_t old = slots->room;
    uint64_t room = old ? old : 64;

    if (end <= old)
        return;
    while (room < end)
        room *= 2;
    slots->room = room < slots->limit ? (uint32_t)room : slots->limit;
    slots->taken = slots_table(slots, slots->taken, &old, sizeof(*slots->taken));
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
        free_count = slots_taken(slots, at++) ? 0 : free_count + 1;
        if (free_count == count) {
            make_room(slots, at);
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
    return number < slots->room && slots->taken[number];
}
