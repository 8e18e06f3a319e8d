/* See peers.h. */
#include "tests/support/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void peers_wire(uint8_t *wire, enum payload_mode mode, uint64_t bytes, size_t size)
{
    struct payload_header header = {
        .mode = mode, .seed = PEERS_SEED, .stream = PEERS_STREAM, .bytes = bytes};

    payload_header_pack(&header, wire);
    payload_fill(payload_key(PEERS_SEED, PEERS_STREAM), 0, wire + PAYLOAD_HEADER_BYTES, size);
}

void peers_assert_faults(const struct peer_counters *got, struct peer_counters expected)
{
    assert_int_equal(got->connect_failures, expected.connect_failures);
    assert_int_equal(got->mismatches, expected.mismatches);
    assert_int_equal(got->short_streams, expected.short_streams);
    assert_int_equal(got->protocol_errors, expected.protocol_errors);
    assert_int_equal(got->resets, expected.resets);
}
