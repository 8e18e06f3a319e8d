/* Peers that misbehave, over TCP and in virtual time; and clients led to an echo by a forward. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "ringlib/err.h"
#include "tests/support/raw.h"
#include "tests/support/vpeer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { HEADER = PAYLOAD_HEADER_BYTES, SIZE = 100000, AFTER = 1000, BUFFERS = 1 << 20 };

/* ---- in virtual time ---- */

static void start_virtual(struct vpeer *vpeer, enum scenario_conduct conduct)
{
    struct scenario_peer spec = {.name = "peer",
                                 .kind = SCENARIO_PEER_ECHO,
                                 .cpu = -1,
                                 .conduct = conduct,
                                 .reset_after_bytes = AFTER};
    int error = -1;

    spec.addr.addr = vpeer_address(0);
    vpeer->peer = vpeer_try_start(vpeer, &spec, &error);
    assert_non_null(vpeer->peer);
    vpeer_settle(vpeer);
}

static int32_t connect_virtual(struct vpeer *vpeer, uint64_t token)
{
    struct call_addr addr = peer_virtual_address(vpeer->peer);

    net_connect(vpeer->other, token, &addr);
    return vpeer_await(vpeer, EV_NET_CONNECT, token);
}

static void virtual_refuses(void **state)
{
    start_virtual(*state, SCENARIO_CONDUCT_REFUSES);
    assert_int_equal(connect_virtual(*state, 1), -ERR_CONNREFUSED);
    assert_int_equal(vpeer_counters(*state)->connections, 0);
}

/* Nothing answers, however often it is tried. */
static void virtual_unreachable(void **state)
{
    struct vpeer *vpeer = *state;

    start_virtual(vpeer, SCENARIO_CONDUCT_UNREACHABLE);
    assert_int_equal(connect_virtual(vpeer, 1), -ERR_TIMEDOUT);
    assert_true(vclock_now_ns(vpeer->clock) > UINT64_C(100000000000));
    assert_int_equal(vpeer_counters(vpeer)->connections, 0);
}

/* Writes until nothing more is taken: how much was. */
static size_t fill(struct vpeer *vpeer, size_t most)
{
    static uint8_t zeros[65536];
    size_t sent = 0;
    int32_t ret;

    while (sent < most) {
        net_write(vpeer->other, 1, &(struct shared_iov){.base = zeros, .length = sizeof(zeros)}, 1);
        vpeer_settle(vpeer);
        if (!vpeer_take(vpeer, EV_NET_WRITE, 1, &ret))
            break;
        sent += (size_t)ret;
    }
    return sent;
}

static void virtual_never_reads(void **state)
{
    struct vpeer *vpeer = *state;

    start_virtual(vpeer, SCENARIO_CONDUCT_NEVER_READS);
    assert_int_equal(connect_virtual(vpeer, 1), 0);
    assert_in_range(fill(vpeer, 8 * BUFFERS), BUFFERS, 2 * BUFFERS);
    assert_int_equal(vpeer_counters(vpeer)->bytes_in, 0);
    assert_int_equal(vpeer_counters(vpeer)->open, 1);
}

static void virtual_never_answers(void **state)
{
    struct vpeer *vpeer = *state;
    uint8_t wire[HEADER + SIZE], byte;
    int32_t ret;

    start_virtual(vpeer, SCENARIO_CONDUCT_NEVER_ANSWERS);
    assert_int_equal(connect_virtual(vpeer, 1), 0);
    peers_wire(wire, PAYLOAD_BOTH, SIZE, SIZE);
    vpeer_say(vpeer, 1, wire, sizeof(wire));
    net_read(vpeer->other, 1, &(struct shared_iov){.base = &byte, .length = 1}, 1);
    vpeer_settle(vpeer);
    assert_false(vpeer_take(vpeer, EV_NET_READ, 1, &ret));
    assert_int_equal(vpeer_counters(vpeer)->bytes_in, SIZE);
    assert_int_equal(vpeer_counters(vpeer)->bytes_out, 0);
    assert_int_equal(vpeer_counters(vpeer)->mismatches, 0);
}

/* What comes before is echoed; then the connection breaks, and the next one is taken. */
static void virtual_resets(void **state)
{
    struct vpeer *vpeer = *state;
    uint8_t wire[HEADER + AFTER], got[AFTER];

    start_virtual(vpeer, SCENARIO_CONDUCT_RESETS);
    peers_wire(wire, PAYLOAD_BOTH, AFTER, AFTER);
    for (uint64_t token = 1; token <= 2; token++) {
        assert_int_equal(connect_virtual(vpeer, token), 0);
        vpeer_say(vpeer, token, wire, HEADER + AFTER - 1);
        assert_int_equal(vpeer_hear(vpeer, token, got, AFTER - 1), AFTER - 1);
        assert_memory_equal(got, wire + HEADER, AFTER - 1);
        vpeer_say(vpeer, token, wire + HEADER + AFTER - 1, 1);
        assert_int_equal(vpeer_hear(vpeer, token, got, 1), -ERR_CONNRESET);
    }
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 0);
    peers_assert_faults(vpeer_counters(vpeer), peers_no_faults); /* they are its own */
}

/* ---- over TCP ---- */

static void start_real(struct raw *raw, enum scenario_conduct conduct)
{
    struct scenario_peer spec = {.kind = SCENARIO_PEER_ECHO,
                                 .addr.addr = vpeer_address(0),
                                 .conduct = conduct,
                                 .reset_after_bytes = AFTER};
    int error = 0;

    raw->peer = peer_uv_start(&raw->loop, &spec, &(struct peer_uv_config){.cuts = true}, &error);
    assert_non_null(raw->peer);
}

/* A connection begun, and what became of it at once: loopback does not wait. */
static int try_connect(struct raw *raw, int *fd)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[SCENARIO_ADDR_BYTES];

    peer_uv_address(raw->peer, text);
    addr.sin_port = htons((uint16_t)strtoul(strrchr(text, ':') + 1, NULL, 10));
    assert_int_not_equal(addr.sin_port, 0);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(*fd >= 0);
    if (connect(*fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    socklen_t length = sizeof(addr);
    int error = 0;
    if (getpeername(*fd, (struct sockaddr *)&addr, &length) == 0)
        return 0;
    length = sizeof(error);
    assert_int_equal(getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    return error ? error : EINPROGRESS;
}

static void real_refuses(void **state)
{
    int fd;

    start_real(*state, SCENARIO_CONDUCT_REFUSES);
    assert_int_equal(try_connect(*state, &fd), ECONNREFUSED);
    close(fd);
}

/* Of as many as come none is connected, nor refused. */
static void real_unreachable(void **state)
{
    int fds[4];

    start_real(*state, SCENARIO_CONDUCT_UNREACHABLE);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(try_connect(*state, &fds[i]), EINPROGRESS);
        raw_turn(*state);
    }
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    assert_int_equal(raw_counters(*state)->connections, 0);
}

static void real_taken_port(void **state)
{
    static const enum scenario_conduct conducts[] = {SCENARIO_CONDUCT_REFUSES,
                                                     SCENARIO_CONDUCT_UNREACHABLE};
    struct raw *raw = *state;

    raw_start(raw, SCENARIO_PEER_ECHO);
    for (size_t i = 0; i < sizeof(conducts) / sizeof(conducts[0]); i++) {
        struct scenario_peer spec = {.kind = SCENARIO_PEER_ECHO, .conduct = conducts[i]};
        struct peer_uv_config config = {.cuts = true};
        char text[SCENARIO_ADDR_BYTES];
        int error = 0;

        peer_uv_address(raw->peer, text);
        spec.addr.addr = vpeer_address((uint16_t)strtoul(strrchr(text, ':') + 1, NULL, 10));
        assert_null(peer_uv_start(&raw->loop, &spec, &config, &error));
        assert_int_equal(error, -ERR_ADDRINUSE);
    }
}

static void real_never_reads(void **state)
{
    struct raw *raw = *state;
    size_t sent = 0;
    uint8_t *data = raw_payload(0, 64 << 20);

    start_real(raw, SCENARIO_CONDUCT_NEVER_READS);
    int fd = raw_open(raw, 0);
    for (int idle = 0; idle < 100; raw_turn(raw)) {
        ssize_t taken = send(fd, data, 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL);
        idle = taken > 0 ? 0 : idle + 1;
        sent += taken > 0 ? (size_t)taken : 0;
        assert_true(sent < 64 << 20);
    }
    assert_int_equal(raw_counters(raw)->bytes_in, 0);
    close(fd);
    free(data);
}

static void real_never_answers(void **state)
{
    struct raw *raw = *state;
    char byte;

    start_real(raw, SCENARIO_CONDUCT_NEVER_ANSWERS);
    int fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_BOTH, SIZE);
    raw_send_payload(raw, fd, SIZE);
    while (raw_counters(raw)->bytes_in < SIZE)
        raw_turn(raw);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
}

static void real_resets(void **state)
{
    struct raw *raw = *state;
    uint8_t got[AFTER];

    start_real(raw, SCENARIO_CONDUCT_RESETS);
    int fd = raw_open(raw, 0);
    raw_send_header(raw, fd, PAYLOAD_BOTH, SIZE);
    raw_send_payload(raw, fd, AFTER);
    while (raw_counters(raw)->bytes_in < AFTER)
        raw_turn(raw);
    while (raw_counters(raw)->open > 0)
        raw_turn(raw);
    ssize_t taken;
    while ((taken = raw_receive(raw, fd, got, sizeof(got))) > 0)
        ;
    assert_int_equal(taken, -1);
    assert_int_equal(errno, ECONNRESET);
    raw_assert_faults(raw, peers_no_faults);
    close(fd);
}

/* ---- a client that a forward leads to an echo ---- */

/* The header goes out and does not come back; wrong bytes are seen from the first on. */
static void client_of_an_echo(void **state)
{
    const struct scenario_peer spec = {
        .kind = SCENARIO_PEER_CLIENT, .connections = 9, .bytes = AFTER, .to_echo = true};
    uint8_t wire[HEADER + AFTER], out[HEADER + AFTER];
    struct peer_stream stream;
    struct peer_streams all;
    size_t echo_bytes;
    uint64_t number;

    (void)state;
    peer_streams_init(&all, &spec, PEERS_SEED, PEERS_STREAM);
    peers_wire(wire, PAYLOAD_BOTH, AFTER, AFTER);
    for (uint64_t i = 0; i < 2; i++) {
        assert_true(peer_streams_next(&all, &number));
        peer_stream_connect(&stream, &all, PEERS_STREAM);
        assert_int_equal(all.unanswered[0], 1);
        assert_int_equal(peer_stream_fill(&stream, out, sizeof(out)), sizeof(out));
        assert_memory_equal(out, wire, sizeof(out));
        peer_stream_sent(&stream, sizeof(out));
        wire[HEADER] ^= (uint8_t)i;
        assert_int_equal(peer_stream_take(&stream, wire + HEADER, AFTER - 1, &echo_bytes),
                         PEER_STREAM_READ);
        assert_int_equal(all.unanswered[0], 0);
        assert_int_equal(peer_stream_take(&stream, wire + sizeof(wire) - 1, 1, &echo_bytes),
                         PEER_STREAM_CLOSE);
        peer_stream_closed(&stream);
        assert_int_equal(all.counters.mismatches, i);
        assert_int_equal(all.counters.bytes_in, (i + 1) * AFTER);
    }
}

#define VIRTUAL(test) cmocka_unit_test_setup_teardown(test, vpeer_set_up, vpeer_tear_down)
#define REAL(test) cmocka_unit_test_setup_teardown(test, raw_set_up, raw_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        VIRTUAL(virtual_refuses),
        VIRTUAL(virtual_unreachable),
        VIRTUAL(virtual_never_reads),
        VIRTUAL(virtual_never_answers),
        VIRTUAL(virtual_resets),
        REAL(real_refuses),
        REAL(real_unreachable),
        REAL(real_taken_port),
        REAL(real_never_reads),
        REAL(real_never_answers),
        REAL(real_resets),
        cmocka_unit_test(client_of_an_echo),
    };

    return !!cmocka_run_group_tests_name("peer_conduct", tests, NULL, NULL);
}
