/* peer_uv: the client, against servers that echo rightly and wrongly. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sim/run/peer_uv.h"

#include "sim/run/payload.h"
#include "tests/support/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Sends back what comes, byte `bad` of it (header included) changed, until `size` have or the
 * client closes. */
static void echo_raw(struct raw *raw, int fd, uint64_t size, uint64_t bad)
{
    uint8_t data[30000];
    uint64_t done = 0;

    while (done < size) {
        size_t room = size - done < sizeof(data) ? (size_t)(size - done) : sizeof(data);
        ssize_t got = raw_receive(raw, fd, data, room);

        if (got <= 0)
            return;
        if (bad >= done && bad < done + (uint64_t)got)
            data[bad - done] ^= 0x40;
        raw_send(raw, fd, data, (size_t)got);
        done += (uint64_t)got;
    }
}

static void test_client(void **state)
{
    struct raw *raw = *state;
    char address[SCENARIO_ADDR_BYTES];
    int listener = raw_listen(address);

    raw_start_client(raw, address, 3, 500000);
    assert_int_equal(raw_counters(raw)->open, 3);
    for (int i = 0; i < 3; i++) {
        int fd = raw_accept(raw, listener);

        assert_int_equal(raw->finished, 0);
        echo_raw(raw, fd, UINT64_MAX, UINT64_MAX);
        close(fd);
    }
    raw_await_finished(raw, 1);
    close(listener);
    raw_assert_faults(raw, peers_no_faults);
    assert_int_equal(raw_counters(raw)->connections, 3);
    assert_int_equal(raw_counters(raw)->bytes_in, 1500000);
    assert_int_equal(raw_counters(raw)->bytes_out, 1500000);
}

/* What a client says, looked at by itself and not by what comes back. */
static void test_client_streams(void **state)
{
    struct raw *raw = *state;
    char address[SCENARIO_ADDR_BYTES];
    int listener = raw_listen(address);
    uint64_t seen = 0;

    raw_start_client(raw, address, 2, 1000);
    for (int i = 0; i < 2; i++) {
        int fd = raw_accept(raw, listener);
        uint8_t got[PAYLOAD_HEADER_BYTES + 1000];
        struct payload_header header;

        raw_receive_all(raw, fd, got, sizeof(got));
        assert_int_equal(payload_header_unpack(got, &header), 0);
        assert_int_equal(header.mode, PAYLOAD_BOTH);
        assert_int_equal(header.seed, RAW_SEED);
        assert_int_equal(header.bytes, 1000);
        assert_in_range(header.stream, RAW_STREAM, RAW_STREAM + 1);
        seen += header.stream;
        assert_int_equal(payload_check(payload_key(RAW_SEED, header.stream), 0,
                                       got + PAYLOAD_HEADER_BYTES, 1000),
                         -1);
        raw_send(raw, fd, got, sizeof(got));
        close(fd);
    }
    assert_int_equal(seen, RAW_STREAM + RAW_STREAM + 1);
    raw_await_finished(raw, 1);
    close(listener);
    raw_assert_faults(raw, peers_no_faults);
}

/* One connection to a server that sends `size` bytes back, byte `bad` changed, and then closes. */
static void client_against(struct raw *raw, uint64_t size, uint64_t bad,
                           struct peer_counters expected)
{
    char address[SCENARIO_ADDR_BYTES];
    int listener = raw_listen(address);
    int fd;

    raw_start_client(raw, address, 1, 1000);
    fd = raw_accept(raw, listener);
    echo_raw(raw, fd, size, bad);
    shutdown(fd, SHUT_WR);
    raw_await_finished(raw, 1);
    close(fd);
    close(listener);
    raw_assert_faults(raw, expected);
}

static void test_client_wrong_byte(void **state)
{
    struct raw *raw = *state;

    client_against(raw, UINT64_MAX, PAYLOAD_HEADER_BYTES + 999,
                   (struct peer_counters){.mismatches = 1});
    assert_int_equal(raw_counters(raw)->first_bad_stream, RAW_STREAM);
    assert_int_equal(raw_counters(raw)->first_bad_offset, 999);
}

static void test_client_wrong_header(void **state)
{
    client_against(*state, UINT64_MAX, PAYLOAD_HEADER_BYTES - 1,
                   (struct peer_counters){.protocol_errors = 1});
}

static void test_client_short(void **state)
{
    client_against(*state, PAYLOAD_HEADER_BYTES + 999, UINT64_MAX,
                   (struct peer_counters){.short_streams = 1});
}

static void test_client_refused(void **state)
{
    struct raw *raw = *state;
    char address[SCENARIO_ADDR_BYTES];

    close(raw_listen(address));
    raw_start_client(raw, address, 2, 1000);
    assert_int_equal(raw->finished, 0);
    raw_await_finished(raw, 1);
    raw_assert_faults(raw, (struct peer_counters){.connect_failures = 2});
    assert_int_equal(raw_counters(raw)->connections, 0);
}

static void test_stop_connecting_client(void **state)
{
    struct raw *raw = *state;
    char address[SCENARIO_ADDR_BYTES];
    int listener = raw_listen(address);

    raw_start_client(raw, address, 2, 1000);
    peer_uv_stop(raw->peer);
    raw->peer = NULL;
    uv_run(&raw->loop, UV_RUN_DEFAULT);
    assert_int_equal(raw->finished, 0);
    close(listener);
}

#define PEER_TEST(function) cmocka_unit_test_setup_teardown(function, raw_set_up, raw_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_client),
        PEER_TEST(test_client_streams),
        PEER_TEST(test_client_wrong_byte),
        PEER_TEST(test_client_wrong_header),
        PEER_TEST(test_client_short),
        PEER_TEST(test_client_refused),
        PEER_TEST(test_stop_connecting_client),
    };

    return !!cmocka_run_group_tests_name("peer_client_uv", tests, NULL, NULL);
}
