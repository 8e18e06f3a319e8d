/*
 * How a capture's rings were used over time: counts, and how full they were, in intervals of equal
 * length.
 *
 * There are TIMELINE_INTERVALS_MAX at most: the length is the least of 1, 2 or 5 times a power of
 * ten ns with which there are no more. What was under way before the window counts for how full a
 * ring is in it, never for what is counted.
 */
#ifndef XENSOCK_SIM_RUN_TIMELINE_H
#define XENSOCK_SIM_RUN_TIMELINE_H

#include "sim/run/decode.h"
#include "sim/run/stages_hist.h"

enum { TIMELINE_INTERVALS_MAX = 200 };

/* constant, name. Counted: bytes that guests put into rings and took out of them, notifications
 * sent by either side. The largest of one ring at any moment of the interval: requests of a guest
 * whose responses it has not taken; bytes published and not taken, each way. */
#define TIMELINE_SERIES(X)                                                                         \
    X(SENT_BYTES, "sent_bytes")                                                                    \
    X(RECEIVED_BYTES, "received_bytes")                                                            \
    X(NOTIFICATIONS_FRONT, "notifications.frontend")                                               \
    X(NOTIFICATIONS_BACK, "notifications.backend")                                                 \
    X(COMMAND_RING, "command_ring_slots")                                                          \
    X(OUT_RING, "out_ring_bytes")                                                                  \
    X(IN_RING, "in_ring_bytes")

#define X(constant, name) TIMELINE_##constant,
enum timeline_series { TIMELINE_SERIES(X) TIMELINE_SERIES_COUNT };
#undef X

struct timeline;

/* Of a window that is not empty. Asserts that there is memory, as all below. */
struct timeline *timeline_create(const struct stages_window *window);
void timeline_destroy(struct timeline *timeline);

/* Look at the next packet, in the order of the file. */
void timeline_see(struct timeline *timeline, const struct decode_packet *packet);

/* {"interval_ns", "from_ns": 0, "series": {NAME: [...]}}, for json_decref(). Once, at the end. */
json_t *timeline_json(struct timeline *timeline);

#endif
