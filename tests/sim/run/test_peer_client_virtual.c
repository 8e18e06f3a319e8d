/* peer_virtual: the client, against a server that echoes rightly and wrongly. */
#include "tests/support/vpeer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { HEADER = PAYLOAD_HEADER_BYTES };

static void start_client(struct vpeer *vpeer, uint32_t connections, uint64_t bytes)
{
    struct scenario_peer spec = {.name = "peer",
                                 .kind = SCENARIO_PEER_CLIENT,
                                 .cpu = -1,
                                 .connections = connections,
                                 .bytes = bytes};
    int error = -1;

    vpeer->peer = vpeer_try_start(vpeer, &spec, &error);
    assert_non_null(vpeer->peer);
    assert_int_equal(peer_virtual_address(vpeer->peer).len, 0);
}

static void listen_at_80(struct vpeer *vpeer)
{
    struct call_addr addr = vpeer_address(80);

    net_bind(vpeer->other, 1000, &addr);
    assert_int_equal(vpeer_await(vpeer, EV_NET_BIND, 1000), 0);
    net_listen(vpeer->other, 1000, 16);
    assert_int_equal(vpeer_await(vpeer, EV_NET_LISTEN, 1000), 0);
}

/* Twelve connections, answered one after the other in order, of which at most 8 wait. */
static void test_client(void **state)
{
    enum { SIZE = 200000 };
    struct vpeer *vpeer = *state;
    uint8_t *got = malloc(HEADER + SIZE);

    listen_at_80(vpeer);
    start_client(vpeer, 12, SIZE);
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 0);
    peer_virtual_begin(vpeer->peer);
    for (uint64_t token = 1; token <= 12; token++) {
        struct payload_header header;

        vpeer_settle(vpeer);
        assert_int_equal(vpeer_counters(vpeer)->open, token <= 5 ? 8 : 13 - token);
        net_accept(vpeer->other, token, 1000);
        assert_int_equal(vpeer_await(vpeer, EV_NET_ACCEPT, token), 0);
        assert_int_equal(vpeer_hear(vpeer, token, got, HEADER + SIZE), HEADER + SIZE);
        assert_int_equal(payload_header_unpack(got, &header), 0);
        assert_int_equal(header.stream, PEERS_STREAM + token - 1);
        assert_int_equal(
            payload_check(payload_key(PEERS_SEED, header.stream), 0, got + HEADER, SIZE), -1);
        vpeer_say(vpeer, token, got, HEADER + SIZE);
    }
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 0);
    peers_assert_faults(vpeer_counters(vpeer), peers_no_faults);
    assert_int_equal(vpeer_counters(vpeer)->connections, 12);
    assert_int_equal(vpeer_counters(vpeer)->bytes_in, 12 * SIZE);
    assert_int_equal(vpeer_counters(vpeer)->bytes_out, 12 * SIZE);
    free(got);
}

static void test_client_refused(void **state)
{
    struct vpeer *vpeer = *state;

    start_client(vpeer, 20, 1000);
    peer_virtual_begin(vpeer->peer);
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 0);
    assert_int_equal(vpeer_counters(vpeer)->connections, 0);
    peers_assert_faults(vpeer_counters(vpeer), (struct peer_counters){.connect_failures = 20});
}

static void test_client_is_cut_short(void **state)
{
    struct vpeer *vpeer = *state;
    uint8_t got[HEADER + 1000];

    listen_at_80(vpeer);
    start_client(vpeer, 1, 1000);
    peer_virtual_begin(vpeer->peer);
    net_accept(vpeer->other, 1, 1000);
    assert_int_equal(vpeer_await(vpeer, EV_NET_ACCEPT, 1), 0);
    assert_int_equal(vpeer_hear(vpeer, 1, got, sizeof(got)), sizeof(got));
    got[HEADER + 998] ^= 0x80;
    vpeer_say(vpeer, 1, got, sizeof(got) - 1);
    vpeer_shut(vpeer, 1);
    vpeer_assert_ended(vpeer, 1);
    peers_assert_faults(vpeer_counters(vpeer),
                        (struct peer_counters){.mismatches = 1, .short_streams = 1});
}

#define PEER_TEST(function) cmocka_unit_test_setup_teardown(function, vpeer_set_up, vpeer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_client),
        PEER_TEST(test_client_refused),
        PEER_TEST(test_client_is_cut_short),
    };

    return !!cmocka_run_group_tests_name("peer_client_virtual", tests, NULL, NULL);
}
