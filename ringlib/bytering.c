/* One direction of a data ring. See bytering.h. */
#include "ringlib/bytering.h"

#include "ringlib/err.h"

void bytering_init(struct bytering *ring, const struct shared_area *area,
                   const struct shared_area *data, const struct bytering_layout *at)
{
    assert(at->size > 0 && (at->size & (at->size - 1)) == 0);
    *ring = (struct bytering){.area = *area, .data = *data, .at = *at};
}

uint32_t bytering_spans(const struct bytering *ring, uint32_t bytes, struct shared_span spans[2])
{
    uint32_t start = ring->index & (ring->at.size - 1);
    uint32_t first = ring->at.size - start < bytes ? ring->at.size - start : bytes;

    assert(bytes <= ring->at.size);
    spans[0] = (struct shared_span){.offset = ring->at.array + start, .length = first};
    spans[1] = (struct shared_span){.offset = ring->at.array, .length = bytes - first};
    return (first > 0 ? 1u : 0u) + (bytes > first ? 1u : 0u);
}

/* Model: bytes.pml, hostile.pml. */
int64_t bytering_room(struct bytering *ring)
{
    uint32_t cons = shared_load(&ring->area, ring->at.cons);
    uint32_t used = ring->index - cons;

    ring->claimed = cons;
    return used > ring->at.size ? -1 : (int64_t)(ring->at.size - used);
}

/* Model: bytes.pml. */
void bytering_produced(struct bytering *ring, uint32_t bytes)
{
    ring->index += bytes;
    shared_store(&ring->area, ring->at.prod, ring->index);
}

/* Model: bytes.pml. */
void bytering_put(struct bytering *ring, const void *from, uint32_t bytes)
{
    struct shared_span spans[2];
    uint32_t count = bytering_spans(ring, bytes, spans);
    const unsigned char *next = from;

    for (uint32_t i = 0; i < count; i++) {
        shared_fill(&ring->data, spans[i].offset, next, spans[i].length);
        next += spans[i].length;
    }
    bytering_produced(ring, bytes);
}

/* Model: bytes.pml, hostile.pml. */
int64_t bytering_queued(struct bytering *ring)
{
    uint32_t prod = shared_load(&ring->area, ring->at.prod);
    uint32_t queued = prod - ring->index;

    ring->claimed = prod;
    return queued > ring->at.size ? -1 : (int64_t)queued;
}

/* Model: bytes.pml. */
void bytering_consumed(struct bytering *ring, uint32_t bytes)
{
    ring->index += bytes;
    shared_store(&ring->area, ring->at.cons, ring->index);
}

/* Model: bytes.pml. */
void bytering_take(struct bytering *ring, void *to, uint32_t bytes)
{
    struct shared_span spans[2];
    uint32_t count = bytering_spans(ring, bytes, spans);
    unsigned char *next = to;

    for (uint32_t i = 0; i < count; i++) {
        shared_bulk_in(next, &ring->data, spans[i].offset, spans[i].length);
        next += spans[i].length;
    }
    bytering_consumed(ring, bytes);
}

/* Model: bytes.pml. */
int32_t bytering_error(const struct bytering *ring)
{
    int32_t error = (int32_t)shared_load(&ring->area, ring->at.error);

    /* EAGAIN is a wait, never an end: published, it would have the application wait for ever */
    return error > 0 || error < -ERR_MAX || error == -ERR_AGAIN ? -ERR_IO : error;
}

/* Model: bytes.pml. */
void bytering_fail(struct bytering *ring, int32_t error)
{
    shared_store(&ring->area, ring->at.error, (uint32_t)error);
}
