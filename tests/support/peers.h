/* What all tests of the built-in peers need: a stream, and the faults that were counted. */
#ifndef XENSOCK_TESTS_SUPPORT_PEERS_H
#define XENSOCK_TESTS_SUPPORT_PEERS_H

#include "sim/run/peer_stream.h"

enum { PEERS_SEED = 42, PEERS_STREAM = 7 }; /* of every header and payload */

/* Writes a header and the first `size` bytes of its stream. */
void peers_wire(uint8_t *wire, enum payload_mode mode, uint64_t bytes, size_t size);

/* Just these faults were counted; the counters of work are not looked at. */
void peers_assert_faults(const struct peer_counters *got, struct peer_counters expected);

static const struct peer_counters peers_no_faults = {0};

#endif
