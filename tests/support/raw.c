/* A built-in peer and raw sockets in one thread. See raw.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "tests/support/raw.h"

#include "sim/run/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_NS UINT64_C(15000000000)

static void on_finished(void *self)
{
    ((struct raw *)self)->finished++;
}

int raw_set_up(void **state)
{
    struct raw *raw = calloc(1, sizeof(*raw));

    signal(SIGPIPE, SIG_IGN);
    assert_non_null(raw);
    assert_int_equal(uv_loop_init(&raw->loop), 0);
    raw->deadline_ns = uv_hrtime() + PATIENCE_NS;
    *state = raw;
    return 0;
}

/* Also sees that stopping leaves no handle behind. */
int raw_tear_down(void **state)
{
    struct raw *raw = *state;

    if (raw->peer)
        peer_uv_stop(raw->peer);
    uv_run(&raw->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&raw->loop), 0);
    free(raw);
    return 0;
}

void raw_turn(struct raw *raw)
{
    assert_true(uv_hrtime() < raw->deadline_ns);
    uv_run(&raw->loop, UV_RUN_NOWAIT);
}

static void parse(const char *text, struct call_addr *addr)
{
    assert_int_equal(units_parse_addr(text, addr), UNITS_OK);
}

struct peer_uv *raw_try_start(struct raw *raw, enum scenario_peer_kind kind, const char *address,
                              int *error)
{
    struct peer_uv_config config = {.finished = on_finished, .self = raw};
    struct scenario_peer spec = {.kind = kind};

    parse(address, &spec.addr.addr);
    return peer_uv_start(&raw->loop, &spec, &config, error);
}

void raw_start(struct raw *raw, enum scenario_peer_kind kind)
{
    int error = 0;

    raw->peer = raw_try_start(raw, kind, "127.0.0.1:0", &error);
    assert_non_null(raw->peer);
}

void raw_start_client(struct raw *raw, const char *address, uint32_t connections, uint64_t bytes)
{
    struct scenario_peer spec = {
        .kind = SCENARIO_PEER_CLIENT, .connections = connections, .bytes = bytes};
    struct peer_uv_config config = {
        .finished = on_finished, .self = raw, .seed = RAW_SEED, .stream_base = RAW_STREAM};
    int error = 0;

    parse(address, &config.connect_to);
    raw->peer = peer_uv_start(&raw->loop, &spec, &config, &error);
    assert_non_null(raw->peer);
    peer_uv_begin(raw->peer);
}

const struct peer_counters *raw_counters(struct raw *raw)
{
    return peer_uv_counters(raw->peer);
}

void raw_await_finished(struct raw *raw, uint32_t times)
{
    while (raw->finished < times)
        raw_turn(raw);
    assert_int_equal(raw_counters(raw)->open, 0);
}

int raw_open(struct raw *raw, int receive_buffer_bytes)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    char text[SCENARIO_ADDR_BYTES];
    struct call_addr addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    peer_uv_address(raw->peer, text);
    parse(text, &addr);
    memcpy(&in.sin_port, addr.bytes + 2, 2);
    memcpy(&in.sin_addr, addr.bytes + 4, 4);
    assert_true(fd >= 0);
    if (receive_buffer_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

void raw_send(struct raw *raw, int fd, const void *data, size_t size)
{
    const char *next = data;

    while (size > 0) {
        ssize_t sent = send(fd, next, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        assert_true(sent > 0 || errno == EAGAIN);
        if (sent > 0) {
            next += sent;
            size -= (size_t)sent;
        }
        raw_turn(raw);
    }
}

/* What a recv gives as soon as it gives something: bytes, 0 at the end, or -1 and errno. */
ssize_t raw_receive(struct raw *raw, int fd, void *data, size_t size)
{
    ssize_t got;

    while ((got = recv(fd, data, size, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
        raw_turn(raw);
    return got;
}

void raw_receive_all(struct raw *raw, int fd, void *data, size_t size)
{
    char *next = data;

    while (size > 0) {
        ssize_t got = raw_receive(raw, fd, next, size);

        assert_true(got > 0);
        next += got;
        size -= (size_t)got;
    }
}

void raw_send_header(struct raw *raw, int fd, enum payload_mode mode, uint64_t bytes)
{
    struct payload_header header = {
        .mode = mode, .seed = RAW_SEED, .stream = RAW_STREAM, .bytes = bytes};
    uint8_t wire[PAYLOAD_HEADER_BYTES];

    payload_header_pack(&header, wire);
    raw_send(raw, fd, wire, sizeof(wire));
}

uint8_t *raw_payload(uint64_t offset, size_t size)
{
    uint8_t *data = malloc(size);

    assert_non_null(data);
    payload_fill(payload_key(RAW_SEED, RAW_STREAM), offset, data, size);
    return data;
}

void raw_send_payload(struct raw *raw, int fd, size_t size)
{
    uint8_t *data = raw_payload(0, size);

    raw_send(raw, fd, data, size);
    free(data);
}

/* The other side closed in good order, and the connection is gone here too. */
void raw_assert_ended(struct raw *raw, int fd)
{
    char byte;

    assert_int_equal(raw_receive(raw, fd, &byte, 1), 0);
    close(fd);
    raw_await_finished(raw, 1);
}

void raw_assert_faults(struct raw *raw, struct peer_counters expected)
{
    peers_assert_faults(raw_counters(raw), expected);
}

int raw_listen(char text[SCENARIO_ADDR_BYTES])
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&in, &length);
    snprintf(text, SCENARIO_ADDR_BYTES, "127.0.0.1:%u", ntohs(in.sin_port));
    return fd;
}

int raw_accept(struct raw *raw, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        assert_int_equal(errno, EAGAIN);
        raw_turn(raw);
    }
    return fd;
}
