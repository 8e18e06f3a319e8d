/* peer_virtual: what listens, echo, sink and source, with right and wrong streams; and times. */
#include "tests/support/vpeer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { HEADER = PAYLOAD_HEADER_BYTES };

/* ---- what listens ---- */

static void test_sink(void **state)
{
    struct vpeer *vpeer = *state;

    vpeer_tell(vpeer, SCENARIO_PEER_SINK, PAYLOAD_UP, 300001, 300001);
    vpeer_shut(vpeer, 1);
    vpeer_assert_ended(vpeer, 1);
    peers_assert_faults(vpeer_counters(vpeer), peers_no_faults);
    assert_int_equal(vpeer_counters(vpeer)->connections, 1);
    assert_int_equal(vpeer_counters(vpeer)->bytes_in, 300001);
    assert_int_equal(vpeer_counters(vpeer)->bytes_out, 0);
}

/* The other side reads only when it can write no more: then the pipes are full, and the peer holds
 * no more than one buffer. */
static void test_echo_through_small_buffers(void **state)
{
    struct vpeer *vpeer = *state;
    struct net_link link = vpeer_link(1000);
    size_t size = 20000, sent = 0, got = 0;
    uint8_t wire[HEADER + 20000], back[20000];
    int32_t ret;

    peers_wire(wire, PAYLOAD_BOTH, size, size);
    vpeer_start(vpeer, SCENARIO_PEER_ECHO);
    net_virtual_set_link(vpeer->other, peer_virtual_net(vpeer->peer), &link);
    vpeer_open(vpeer, 1);
    wire[HEADER + 12345] ^= 1;
    while (sent < HEADER + size) {
        struct shared_iov iov = {.base = wire + sent, .length = HEADER + size - sent};

        net_write(vpeer->other, 1, &iov, 1);
        vpeer_settle(vpeer);
        while (!vpeer_take(vpeer, EV_NET_WRITE, 1, &ret)) { /* stuck: make room */
            assert_in_range(vpeer_counters(vpeer)->bytes_in - vpeer_counters(vpeer)->bytes_out, 1,
                            1000);
            assert_int_equal(vpeer_hear(vpeer, 1, back + got, 500), 500);
            got += 500;
            vpeer_settle(vpeer);
        }
        sent += (size_t)ret;
    }
    assert_true(got > 10000);
    assert_int_equal(vpeer_hear(vpeer, 1, back + got, size - got), size - got);
    assert_memory_equal(back, wire + HEADER, size);
    vpeer_shut(vpeer, 1);
    vpeer_assert_ended(vpeer, 1);
    peers_assert_faults(vpeer_counters(vpeer), (struct peer_counters){.mismatches = 1});
    assert_int_equal(vpeer_counters(vpeer)->first_bad_stream, PEERS_STREAM);
    assert_int_equal(vpeer_counters(vpeer)->first_bad_offset, 12345);
    assert_int_equal(vpeer_counters(vpeer)->bytes_in, size);
    assert_int_equal(vpeer_counters(vpeer)->bytes_out, size);
}

static void test_source(void **state)
{
    struct vpeer *vpeer = *state;
    size_t size = 300001;
    uint8_t *got = malloc(size + 1);

    vpeer_tell(vpeer, SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, size, 0);
    assert_int_equal(vpeer_hear(vpeer, 1, got, size + 1), size);
    assert_int_equal(payload_check(payload_key(PEERS_SEED, PEERS_STREAM), 0, got, size), -1);
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 1); /* it waits for our end */
    vpeer_shut(vpeer, 1);
    vpeer_assert_ended(vpeer, 1);
    peers_assert_faults(vpeer_counters(vpeer), peers_no_faults);
    assert_int_equal(vpeer_counters(vpeer)->bytes_out, size);
    free(got);
}

/* Whoever reads an endless stream leaves in the midst of it. */
static void test_endless_source(void **state)
{
    struct vpeer *vpeer = *state;
    uint8_t *got = malloc(3000000);

    vpeer_tell(vpeer, SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, 0, 0);
    assert_int_equal(vpeer_hear(vpeer, 1, got, 3000000), 3000000);
    assert_int_equal(payload_check(payload_key(PEERS_SEED, PEERS_STREAM), 0, got, 3000000), -1);
    net_reset(vpeer->other, 1);
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 0);
    peers_assert_faults(vpeer_counters(vpeer), peers_no_faults);
    free(got);
}

static void test_short_stream(void **state)
{
    struct vpeer *vpeer = *state;

    vpeer_tell(vpeer, SCENARIO_PEER_SINK, PAYLOAD_UP, 1000, 999);
    vpeer_shut(vpeer, 1);
    vpeer_assert_ended(vpeer, 1);
    peers_assert_faults(vpeer_counters(vpeer), (struct peer_counters){.short_streams = 1});
}

static void test_reset(void **state)
{
    struct vpeer *vpeer = *state;

    vpeer_tell(vpeer, SCENARIO_PEER_SINK, PAYLOAD_UP, 1000, 10);
    vpeer_settle(vpeer);
    net_reset(vpeer->other, 1);
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 0);
    assert_int_equal(vpeer_counters(vpeer)->bytes_in, 10);
    peers_assert_faults(vpeer_counters(vpeer), (struct peer_counters){.resets = 1});
}

static void test_wrong_mode(void **state)
{
    struct vpeer *vpeer = *state;

    vpeer_tell(vpeer, SCENARIO_PEER_SINK, PAYLOAD_DOWN, 1000, 0);
    vpeer_assert_ended(vpeer, 1);
    peers_assert_faults(vpeer_counters(vpeer), (struct peer_counters){.protocol_errors = 1});
}

static void test_many_connections(void **state)
{
    enum { MANY = 300 };
    struct vpeer *vpeer = *state;
    uint8_t wire[HEADER + 100], back[100];

    peers_wire(wire, PAYLOAD_BOTH, 100, 100);
    vpeer_start(vpeer, SCENARIO_PEER_ECHO);
    for (uint64_t token = 1; token <= MANY; token++) {
        vpeer_open(vpeer, token);
        vpeer_say(vpeer, token, wire, HEADER + 100);
    }
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, MANY);
    for (uint64_t token = MANY; token > 0; token--) {
        assert_int_equal(vpeer_hear(vpeer, token, back, 100), 100);
        assert_memory_equal(back, wire + HEADER, 100);
        vpeer_shut(vpeer, token);
    }
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->connections, MANY);
    assert_int_equal(vpeer_counters(vpeer)->open, 0);
    peers_assert_faults(vpeer_counters(vpeer), peers_no_faults);
}

/* A first large message takes a read more, later ones of its size do not, until small ones came. */
static void test_room_for_reads(void **state)
{
    static const struct {
        size_t bytes, reads;
    } rows[] = {{1000, 2}, {1000, 1}, {1000, 1}, {10, 1}, {1000, 2}};
    struct vpeer *vpeer = *state;
    const struct net_counters *seen;
    uint8_t wire[HEADER + 4010], back[1000];
    size_t at = HEADER, header = HEADER, before = 0;

    peers_wire(wire, PAYLOAD_BOTH, 0, 4010);
    vpeer_start(vpeer, SCENARIO_PEER_ECHO);
    seen = &peer_virtual_net(vpeer->peer)->counters;
    vpeer_open(vpeer, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        vpeer_say(vpeer, 1, wire + at - header, rows[i].bytes + header);
        header = 0;
        assert_int_equal(vpeer_hear(vpeer, 1, back, rows[i].bytes), rows[i].bytes);
        assert_memory_equal(back, wire + at, rows[i].bytes);
        assert_int_equal(seen->reads - before, rows[i].reads);
        before = seen->reads;
        at += rows[i].bytes;
    }
}

/* ---- time ---- */

static void assert_record(const struct vpeer *vpeer, uint32_t i, struct trace_record expected)
{
    const struct trace_record *got = &vpeer->records[i];

    assert_in_range(i, 0, vpeer->record_count - 1);
    assert_int_equal(got->now_ns, expected.now_ns);
    assert_int_equal(got->point, expected.point);
    assert_int_equal(got->detail, expected.detail);
    assert_int_equal(got->extra, expected.extra);
    assert_int_equal(got->value, expected.value);
    assert_int_equal(got->who, VPEER_WHO);
}

/* Every nanosecond of an echo and of an end: link, wake-up, then a turn and its calls. */
static void test_times(void **state)
{
    static const uint64_t costs_ns[COST_ROWS_COUNT] = {
        [COST_TURN] = 1000,        [COST_SOCKET_READ] = 200,     [COST_SOCKET_READ_BYTE] = 1,
        [COST_SOCKET_WRITE] = 300, [COST_SOCKET_WRITE_BYTE] = 2, [COST_SOCKET_OPEN] = 7000,
        [COST_SOCKET_WAKE] = 5000,
    };
    struct vpeer *vpeer = *state;
    uint8_t wire[HEADER + 100];
    uint64_t said_ns, took_ns, reply_ns, shut_ns;

    peers_wire(wire, PAYLOAD_BOTH, 100, 100);
    vpeer_start(vpeer, SCENARIO_PEER_ECHO);
    vpeer_open(vpeer, 1);
    vpeer_settle(vpeer);
    for (uint32_t row = 0; row < COST_ROWS_COUNT; row++)
        vpeer->costs.rows[row] = (struct cost){.low_ps = costs_ns[row] * 1000};
    said_ns = vclock_now_ns(vpeer->clock);
    vpeer_say(vpeer, 1, wire, HEADER + 100);
    vpeer_settle(vpeer);
    took_ns = said_ns + VPEER_DELAY_NS + 5000;
    reply_ns = 200 + (HEADER + 100) * 1 + 1000 + 300 + 100 * 2;
    shut_ns = vclock_now_ns(vpeer->clock);
    assert_true(shut_ns > took_ns + reply_ns + 1000);
    vpeer_shut(vpeer, 1);
    vpeer_settle(vpeer);
    assert_int_equal(vpeer->record_count, 5);
    assert_record(vpeer, 0, (struct trace_record){took_ns, 1, 0, 100, VPEER_WHO, TRACE_PEER, 0});
    assert_record(vpeer, 1,
                  (struct trace_record){took_ns, 1, reply_ns + VPEER_DELAY_NS, 100, VPEER_WHO,
                                        TRACE_LINK, 0});
    assert_record(vpeer, 2,
                  (struct trace_record){took_ns + reply_ns, 1, 0, 100, VPEER_WHO, TRACE_PEER, 1});
    assert_record(vpeer, 3,
                  (struct trace_record){shut_ns + VPEER_DELAY_NS + 5000, 1, 100, 0, VPEER_WHO,
                                        TRACE_PEER, 2});
    assert_record(vpeer, 4,
                  (struct trace_record){shut_ns + VPEER_DELAY_NS + 5000, 1,
                                        200 + 1000 + 7000 + VPEER_DELAY_NS, 0, VPEER_WHO,
                                        TRACE_LINK, 0});
}

/* ---- the peer itself ---- */

static void test_busy_address(void **state)
{
    struct vpeer *vpeer = *state;
    struct scenario_peer spec = {.name = "late", .kind = SCENARIO_PEER_ECHO, .cpu = -1};
    int error = 0;

    vpeer_start(vpeer, SCENARIO_PEER_SINK);
    spec.addr.addr = peer_virtual_address(vpeer->peer);
    assert_null(vpeer_try_start(vpeer, &spec, &error));
    assert_int_equal(error, -ERR_ADDRINUSE);
}

/* Stopped with a write that waits for room, a read that waits for bytes, and an accept. */
static void test_stop(void **state)
{
    struct vpeer *vpeer = *state;

    vpeer_tell(vpeer, SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, 0, 0);
    vpeer_open(vpeer, 2);
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 2);
    peer_virtual_stop(vpeer->peer);
    vpeer->peer = NULL;
}

#define PEER_TEST(function) cmocka_unit_test_setup_teardown(function, vpeer_set_up, vpeer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_sink),           PEER_TEST(test_echo_through_small_buffers),
        PEER_TEST(test_source),         PEER_TEST(test_endless_source),
        PEER_TEST(test_short_stream),   PEER_TEST(test_reset),
        PEER_TEST(test_wrong_mode),     PEER_TEST(test_many_connections),
        PEER_TEST(test_room_for_reads), PEER_TEST(test_times),
        PEER_TEST(test_busy_address),   PEER_TEST(test_stop),
    };

    return !!cmocka_run_group_tests_name("peer_virtual", tests, NULL, NULL);
}
