/*
 * Which refs may be the pages of one data ring: each once, and neither the command ring's nor that
 * of the page the indexes are in.
 *
 * Xen maps a page as often as it is asked to, and a guest may well grant one frame under two refs;
 * so this keeps nobody from laying bytes over each other, which harms the guest alone. It refuses
 * what can only be a mistake where that costs next to nothing. Pages of its other sockets are not
 * looked at: that would need a table.
 *
 * Invariant: at most n log n steps, for the guest chooses the numbers; n where they ascend, as
 * those of pages that were granted together do. Source: protocol.md 3.4, 5.2 k; architecture 5
 * rule 2.
 */
#include "backend/be_private.h"

/* Let what stands at `at` sink to its place in a heap, the largest first. */
static void sink(uint32_t *heap, uint32_t at, uint32_t count)
{
    uint32_t value = heap[at], child;

    while ((child = 2 * at + 1) < count) {
        if (child + 1 < count && heap[child] < heap[child + 1])
            child++;
        if (heap[child] <= value)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = value;
}

/* Take the largest again and again: equal ones come one after the other. */
static bool repeats(const uint32_t *refs, uint32_t count)
{
    uint32_t heap[DIALECT_PAGES_MAX];

    memcpy(heap, refs, count * sizeof(refs[0]));
    for (uint32_t at = count / 2; at-- > 0;)
        sink(heap, at, count);
    for (uint32_t left = count - 1; left > 0; left--) {
        uint32_t last = heap[0];
        heap[0] = heap[left];
        sink(heap, 0, left);
        if (heap[0] == last)
            return true;
    }
    return false;
}

bool be_refs_fit(const struct be *be, const uint32_t *refs, uint32_t count, uint32_t index_ref)
{
    bool ascend = true;

    for (uint32_t i = 0; i < count; i++) {
        if (refs[i] == be->ring_ref || refs[i] == index_ref)
            return false;
        ascend = ascend && (i == 0 || refs[i - 1] < refs[i]);
    }
    return ascend || !repeats(refs, count);
}

/* What pages that are no ring are answered. */
int32_t be_refs_error(const struct be *be)
{
    return be_has(be, QUIRK_FAULT_ON_MAP) ? -ERR_FAULT : -ERR_INVAL;
}
