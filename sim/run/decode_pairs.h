/*
 * Which request a response answers, in the eyes of either side.
 *
 * A side's view is enough by itself: a response that the front consumed answers what it published
 * last under that id, one that the back published what it consumed last. An id that is used again
 * before its answer (as draft 1's prototype did) loses the earlier request.
 */
#ifndef XENSOCK_SIM_RUN_DECODE_PAIRS_H
#define XENSOCK_SIM_RUN_DECODE_PAIRS_H

#include "sim/run/decode.h"

struct decode_pairs;

/* Those of one file; asserts that there is memory. */
struct decode_pairs *decode_pairs_create(void);
void decode_pairs_destroy(struct decode_pairs *pairs);

/* A request that waits for its answer. */
struct decode_request {
    uint64_t number, time_ns; /* of its packet */
};

/* Look at the next packet of the file. If it is a response whose request was seen, that one is
 * forgotten and written to `request`: true. Asserts that there is memory. */
bool decode_pairs_see(struct decode_pairs *pairs, const struct decode_packet *packet,
                      struct decode_request *request);

#endif
