/*
 * One direction of a data ring: a circular byte array with free-running 32-bit indexes.
 *
 * The same struct serves both ends; each end uses its half of the functions. The end's own index
 * is private and only published. It does not know who notifies whom, nor what an error means.
 *
 * Invariants: 0 <= prod - cons <= size, unmasked, or the peer is broken (-1); a consumer loads
 * `error` before `prod`, so an error is only believed after the last byte (reliability 0.1).
 * Source: draft 1 data ring, protocol.md 1.4, 1.5; architecture 5, rules 1-5.
 */
#ifndef XENSOCK_RINGLIB_BYTERING_H
#define XENSOCK_RINGLIB_BYTERING_H

#include "ringlib/shared.h"

/* Where one direction lies: the array in the area of the data, the words in that of the indexes,
 * which may be the same; all in bytes from its start. */
struct bytering_layout {
    uint32_t array;
    uint32_t size; /* a power of two */
    uint32_t prod;
    uint32_t cons;
    uint32_t error;
};

struct bytering {
    struct shared_area area; /* of the indexes */
    struct shared_area data;
    struct bytering_layout at;
    uint32_t index;   /* our own: prod of a producer, cons of a consumer */
    uint32_t claimed; /* the peer's, as loaded last: for reports of one that cannot be */
};

/* Set up one end at index 0 over areas that were zeroed when they were shared. */
void bytering_init(struct bytering *ring, const struct shared_area *area,
                   const struct shared_area *data, const struct bytering_layout *at);

/* Producer: free bytes, 0..size; -1 if the peer's index is out of bounds. */
int64_t bytering_room(struct bytering *ring);

/* Either end: name, in the area of the data, `bytes` of the array from our index on, free ones for
 * a producer, queued ones for a consumer (at most what room or queued returned). Returns the number
 * of spans, 0..2. */
uint32_t bytering_spans(const struct bytering *ring, uint32_t bytes, struct shared_span spans[2]);

/* Producer: publish `bytes` that were written into the free spans. A notification is owed. */
void bytering_produced(struct bytering *ring, uint32_t bytes);

/* Producer: copy `bytes` (at most the room) in and publish them. A notification is owed. */
void bytering_put(struct bytering *ring, const void *from, uint32_t bytes);

/* Consumer: queued bytes, 0..size; -1 if the peer's index is out of bounds. */
int64_t bytering_queued(struct bytering *ring);

/* Consumer: give `bytes` back. A notification is owed. */
void bytering_consumed(struct bytering *ring, uint32_t bytes);

/* Consumer: copy `bytes` (at most what is queued) out and give them back. */
void bytering_take(struct bytering *ring, void *to, uint32_t bytes);

/* The error word: 0 while all is well, then -1..-ERR_MAX for good. A value the wire does not allow
 * is the peer's lie and reads as -ERR_IO. */
int32_t bytering_error(const struct bytering *ring);

/* Backend, and a frontend of QUIRK_OWN_ERROR: set the error word, after the last byte was produced.
 * A notification is owed. */
void bytering_fail(struct bytering *ring, int32_t error);

#endif
