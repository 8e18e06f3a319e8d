/* peer_uv: what listens, echo, sink and source, against raw sockets with right and wrong streams.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sim/run/peer_uv.h"

#include "ringlib/err.h"
#include "sim/run/payload.h"
#include "tests/support/raw.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { HELD_BYTES_MAX = 64 << 10 }; /* of a connection, by a peer */

/* ---- sink ---- */

static void test_sink(void **state)
{
    struct raw *raw = *state;
    int fd;

    raw_start(raw, SCENARIO_PEER_SINK);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_UP, 300001);
    raw_send_payload(raw, fd, 300001);
    shutdown(fd, SHUT_WR);
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, peers_no_faults);
    assert_int_equal(raw_counters(raw)->connections, 1);
    assert_int_equal(raw_counters(raw)->bytes_in, 300001);
    assert_int_equal(raw_counters(raw)->bytes_out, 0);
}

static void test_header_in_pieces(void **state)
{
    struct raw *raw = *state;
    struct payload_header header = {
        .mode = PAYLOAD_UP, .seed = RAW_SEED, .stream = RAW_STREAM, .bytes = 3};
    uint8_t wire[PAYLOAD_HEADER_BYTES + 3];
    int one = 1, fd;

    raw_start(raw, SCENARIO_PEER_SINK);
    fd = raw_open(raw, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    payload_header_pack(&header, wire);
    payload_fill(payload_key(RAW_SEED, RAW_STREAM), 0, wire + PAYLOAD_HEADER_BYTES, 3);
    raw_send(raw, fd, wire, 5);
    while (raw_counters(raw)->connections == 0)
        raw_turn(raw);
    raw_send(raw, fd, wire + 5, 26);
    raw_send(raw, fd, wire + 31, 4);
    shutdown(fd, SHUT_WR);
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, peers_no_faults);
    assert_int_equal(raw_counters(raw)->bytes_in, 3);
}

static void test_sink_without_announced_end(void **state)
{
    struct raw *raw = *state;
    int fd;

    raw_start(raw, SCENARIO_PEER_SINK);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_UP, 0);
    raw_send_payload(raw, fd, 12345);
    shutdown(fd, SHUT_WR);
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, peers_no_faults);
    assert_int_equal(raw_counters(raw)->bytes_in, 12345);
}

static void test_flipped_bytes(void **state)
{
    struct raw *raw = *state;
    size_t size = 200000;
    uint8_t *data = raw_payload(0, size);
    int fd;

    raw_start(raw, SCENARIO_PEER_SINK);
    fd = raw_open(raw, 0);
    data[150001] ^= 0x10;
    data[150002] ^= 0x01;
    data[size - 1] ^= 0x80;
    raw_send_header(raw, fd, PAYLOAD_UP, size);
    raw_send(raw, fd, data, size);
    shutdown(fd, SHUT_WR);
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, (struct peer_counters){.mismatches = 3});
    assert_int_equal(raw_counters(raw)->first_bad_stream, RAW_STREAM);
    assert_int_equal(raw_counters(raw)->first_bad_offset, 150001);
    free(data);
}

static void test_short_stream(void **state)
{
    struct raw *raw = *state;
    int fd;

    raw_start(raw, SCENARIO_PEER_SINK);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_UP, 1000);
    raw_send_payload(raw, fd, 999);
    shutdown(fd, SHUT_WR);
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, (struct peer_counters){.short_streams = 1});
}

/* Right bytes, but one more than announced. */
static void test_long_stream(void **state)
{
    struct raw *raw = *state;
    int fd;

    raw_start(raw, SCENARIO_PEER_SINK);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_UP, 1000);
    raw_send_payload(raw, fd, 1001);
    raw_await_finished(raw, 1);
    close(fd);
    raw_assert_faults(raw, (struct peer_counters){.protocol_errors = 1});
}

static void test_reset(void **state)
{
    struct raw *raw = *state;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd;

    raw_start(raw, SCENARIO_PEER_SINK);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_UP, 1000);
    raw_send_payload(raw, fd, 10);
    while (raw_counters(raw)->bytes_in < 10)
        raw_turn(raw);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    raw_await_finished(raw, 1);
    raw_assert_faults(raw, (struct peer_counters){.resets = 1});
}

/* ---- what is no stream for this peer ---- */

static void test_wrong_magic(void **state)
{
    struct raw *raw = *state;
    int fd;

    raw_start(raw, SCENARIO_PEER_ECHO);
    fd = raw_open(raw, 0);
    raw_send(raw, fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 32);
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, (struct peer_counters){.protocol_errors = 1});
}

static void test_no_header(void **state)
{
    struct raw *raw = *state;
    int fd;

    raw_start(raw, SCENARIO_PEER_SINK);
    fd = raw_open(raw, 0);
    raw_send(raw, fd, "XSPL", 4);
    shutdown(fd, SHUT_WR);
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, (struct peer_counters){.protocol_errors = 1});
}

static void test_wrong_modes(void **state)
{
    static const struct {
        enum scenario_peer_kind kind;
        enum payload_mode mode;
    } wrong[] = {
        {SCENARIO_PEER_ECHO, PAYLOAD_UP},   {SCENARIO_PEER_ECHO, PAYLOAD_DOWN},
        {SCENARIO_PEER_SINK, PAYLOAD_DOWN}, {SCENARIO_PEER_SINK, PAYLOAD_BOTH},
        {SCENARIO_PEER_SOURCE, PAYLOAD_UP}, {SCENARIO_PEER_SOURCE, PAYLOAD_BOTH},
    };
    struct raw *raw = *state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int fd;

        raw_start(raw, wrong[i].kind);
        raw->finished = 0;
        fd = raw_open(raw, 0);
        raw_send_header(raw, fd, wrong[i].mode, 100);
        raw_assert_ended(raw, fd);
        raw_assert_faults(raw, (struct peer_counters){.protocol_errors = 1});
        peer_uv_stop(raw->peer);
        raw->peer = NULL;
    }
}

/* ---- source ---- */

static void test_source(void **state)
{
    struct raw *raw = *state;
    size_t size = 1000001;
    uint8_t *got = malloc(size);
    int fd;

    raw_start(raw, SCENARIO_PEER_SOURCE);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_DOWN, size);
    raw_receive_all(raw, fd, got, size);
    assert_int_equal(payload_check(payload_key(RAW_SEED, RAW_STREAM), 0, got, size), -1);
    assert_int_equal(raw_receive(raw, fd, got, 1), 0);
    assert_int_equal(raw_counters(raw)->open, 1); /* it waits for our end */
    close(fd);
    raw_await_finished(raw, 1);
    raw_assert_faults(raw, peers_no_faults);
    assert_int_equal(raw_counters(raw)->bytes_out, size);
    free(got);
}

static void test_source_is_told_too_much(void **state)
{
    struct raw *raw = *state;
    char byte;
    int fd;

    raw_start(raw, SCENARIO_PEER_SOURCE);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_DOWN, 1);
    raw_receive_all(raw, fd, &byte, 1);
    raw_send(raw, fd, "x", 1);
    raw_await_finished(raw, 1);
    close(fd);
    raw_assert_faults(raw, (struct peer_counters){.protocol_errors = 1});
}

/* The reader goes with bytes unread, so TCP resets: no fault, that is how an endless one ends. */
static void test_endless_source(void **state)
{
    struct raw *raw = *state;
    size_t size = 3000000;
    uint8_t *got = malloc(size);
    int fd;

    raw_start(raw, SCENARIO_PEER_SOURCE);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_DOWN, 0);
    raw_receive_all(raw, fd, got, size);
    assert_int_equal(payload_check(payload_key(RAW_SEED, RAW_STREAM), 0, got, size), -1);
    close(fd);
    raw_await_finished(raw, 1);
    raw_assert_faults(raw, peers_no_faults);
    free(got);
}

/* The same of an announced stream is a fault. */
static void test_source_cut_short(void **state)
{
    struct raw *raw = *state;
    uint8_t got[100];
    int fd;

    raw_start(raw, SCENARIO_PEER_SOURCE);
    fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_DOWN, 1 << 30);
    raw_receive_all(raw, fd, got, sizeof(got));
    close(fd);
    raw_await_finished(raw, 1);
    raw_assert_faults(raw, (struct peer_counters){.resets = 1});
}

/* ---- echo ---- */

static void test_echo(void **state)
{
    struct raw *raw = *state;
    uint8_t *data = raw_payload(0, 5000), got[5000];
    int fd;

    raw_start(raw, SCENARIO_PEER_ECHO);
    fd = raw_open(raw, 0);
    data[4321] ^= 1; /* comes back as it went */
    raw_send_header(raw, fd, PAYLOAD_BOTH, sizeof(got));
    for (size_t offset = 0; offset < sizeof(got); offset += 1000) {
        raw_send(raw, fd, data + offset, 1000);
        raw_receive_all(raw, fd, got + offset, 1000);
    }
    assert_memory_equal(got, data, sizeof(got));
    shutdown(fd, SHUT_WR);
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, (struct peer_counters){.mismatches = 1});
    assert_int_equal(raw_counters(raw)->first_bad_offset, 4321);
    assert_int_equal(raw_counters(raw)->bytes_in, sizeof(got));
    assert_int_equal(raw_counters(raw)->bytes_out, sizeof(got));
    free(data);
}

/* Sends until the kernel's buffers of both directions are full and the peer reads no more: how
 * much went. */
static size_t send_until_stuck(struct raw *raw, int fd, const uint8_t *data, size_t size)
{
    size_t sent = 0;

    for (uint32_t idle = 0; idle < 2000 && sent < size; idle++) {
        uint64_t before = raw_counters(raw)->bytes_in;
        ssize_t taken = send(fd, data + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (taken > 0)
            sent += (size_t)taken;
        raw_turn(raw);
        assert_in_range(raw_counters(raw)->bytes_in - raw_counters(raw)->bytes_out, 0,
                        HELD_BYTES_MAX);
        if (taken > 0 || raw_counters(raw)->bytes_in != before)
            idle = 0;
    }
    return sent;
}

/* The peer holds no more than its one buffer of what it has read and not yet written. */
static void test_echo_to_slow_reader(void **state)
{
    struct raw *raw = *state;
    size_t size = 64 << 20, sent, received = 0;
    uint8_t *data = raw_payload(0, size), got[4096];
    int fd;

    raw_start(raw, SCENARIO_PEER_ECHO);
    fd = raw_open(raw, 16384);
    raw_send_header(raw, fd, PAYLOAD_BOTH, 0);
    sent = send_until_stuck(raw, fd, data, size);
    assert_in_range(sent, 1, size - 1);
    assert_true(raw_counters(raw)->bytes_in > raw_counters(raw)->bytes_out);
    shutdown(fd, SHUT_WR);
    while (received < sent) {
        ssize_t taken = raw_receive(raw, fd, got, sizeof(got));

        assert_true(taken > 0);
        assert_memory_equal(got, data + received, (size_t)taken);
        received += (size_t)taken;
        raw_turn(raw);
    }
    raw_assert_ended(raw, fd);
    raw_assert_faults(raw, peers_no_faults);
    assert_int_equal(raw_counters(raw)->bytes_out, sent);
    free(data);
}

static void test_many_connections(void **state)
{
    enum { MANY = 40 };
    struct raw *raw = *state;
    uint8_t *data = raw_payload(0, 100), got[100];
    int fds[MANY];

    raw_start(raw, SCENARIO_PEER_ECHO);
    for (int i = 0; i < MANY; i++) {
        fds[i] = raw_open(raw, 0);
        raw_send_header(raw, fds[i], PAYLOAD_BOTH, 100);
        raw_send(raw, fds[i], data, 100);
    }
    while (raw_counters(raw)->open < MANY)
        raw_turn(raw);
    for (int i = MANY - 1; i >= 0; i--) {
        raw_receive_all(raw, fds[i], got, 100);
        assert_memory_equal(got, data, 100);
        close(fds[i]);
    }
    raw_await_finished(raw, 1);
    raw_assert_faults(raw, peers_no_faults);
    assert_int_equal(raw_counters(raw)->connections, MANY);
    assert_int_equal(raw_counters(raw)->bytes_in, MANY * 100);
    free(data);
}

/* ---- the peer itself ---- */

static void test_busy_port(void **state)
{
    struct raw *raw = *state;
    char address[SCENARIO_ADDR_BYTES];
    int listener = raw_listen(address), error = 0;

    assert_null(raw_try_start(raw, SCENARIO_PEER_ECHO, address, &error));
    assert_int_equal(error, -ERR_ADDRINUSE);
    assert_null(raw_try_start(raw, SCENARIO_PEER_SINK, "192.0.2.1:0", &error));
    assert_int_equal(error, -ERR_ADDRNOTAVAIL);
    close(listener);
}

static void test_ipv6(void **state)
{
    struct raw *raw = *state;
    char text[SCENARIO_ADDR_BYTES];
    int error = 0;

    raw->peer = raw_try_start(raw, SCENARIO_PEER_ECHO, "[::1]:0", &error);
    if (!raw->peer && error == -ERR_ADDRNOTAVAIL)
        skip(); /* a host without IPv6 */
    assert_non_null(raw->peer);
    peer_uv_address(raw->peer, text);
    assert_memory_equal(text, "[::1]:", 6);
    assert_string_not_equal(text, "[::1]:0");
}

/* Stopped in the midst of everything: a stuck write, a half header, a connection in progress. */
static void test_stop(void **state)
{
    struct raw *raw = *state;
    char byte;
    int stuck, silent;

    raw_start(raw, SCENARIO_PEER_SOURCE);
    stuck = raw_open(raw, 0);
    raw_send_header(raw, stuck, PAYLOAD_DOWN, 0);
    silent = raw_open(raw, 0);
    while (raw_counters(raw)->open < 2)
        raw_turn(raw);
    raw_send(raw, silent, "XS", 2);
    peer_uv_stop(raw->peer);
    raw->peer = NULL;
    assert_true(raw_receive(raw, silent, &byte, 1) <= 0);
    uv_run(&raw->loop, UV_RUN_DEFAULT);
    assert_int_equal(raw->finished, 0);
    close(stuck);
    close(silent);
}

#define PEER_TEST(function) cmocka_unit_test_setup_teardown(function, raw_set_up, raw_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_sink),
        PEER_TEST(test_header_in_pieces),
        PEER_TEST(test_sink_without_announced_end),
        PEER_TEST(test_flipped_bytes),
        PEER_TEST(test_short_stream),
        PEER_TEST(test_long_stream),
        PEER_TEST(test_reset),
        PEER_TEST(test_wrong_magic),
        PEER_TEST(test_no_header),
        PEER_TEST(test_wrong_modes),
        PEER_TEST(test_source),
        PEER_TEST(test_source_is_told_too_much),
        PEER_TEST(test_endless_source),
        PEER_TEST(test_source_cut_short),
        PEER_TEST(test_echo),
        PEER_TEST(test_echo_to_slow_reader),
        PEER_TEST(test_many_connections),
        PEER_TEST(test_busy_port),
        PEER_TEST(test_ipv6),
        PEER_TEST(test_stop),
    };

    return !!cmocka_run_group_tests_name("peer_uv", tests, NULL, NULL);
}
