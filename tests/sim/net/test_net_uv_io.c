/* Real TCP on loopback: bytes, ends of streams, resets, cancelled transfers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "tests/sim/net/uv_fixture.h"

#include <errno.h>

static void reset(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
}

static void test_two_spans(void **state)
{
    struct fixture *f = *state;
    int peer = connect_peer(f, A);
    char first[4] = "", second[6] = "", got[8] = "";
    const struct shared_iov in[2] = {{first, 3}, {second, 5}};
    const struct shared_iov out[2] = {{first, 2}, {second, 5}};

    net_read(f->net, A, in, 2);
    expect_quiet(f);
    assert_int_equal(send(peer, "hello world", 11, 0), 11);
    expect(f, EV_NET_READ, A, 8);
    assert_string_equal(first, "hel");
    assert_string_equal(second, "lo wo");
    net_read(f->net, A, in, 2);
    expect(f, EV_NET_READ, A, 3);
    assert_string_equal(first, "rld");
    net_write(f->net, A, out, 2);
    expect(f, EV_NET_WRITE, A, 7);
    assert_int_equal(recv(peer, got, 7, MSG_WAITALL), 7);
    assert_string_equal(got, "rllo wo");
    assert_int_equal(f->net->counters.read_bytes, 11);
    assert_int_equal(f->net->counters.written_bytes, 7);
    close(peer);
}

/* The byte at an offset of a stream; neighbours and pages differ. */
static unsigned char stream_byte(size_t offset)
{
    return (unsigned char)(offset * 31 + offset / 4096 * 7 + offset / 251);
}

static unsigned char *new_stream(void)
{
    unsigned char *data = malloc(STREAM_BYTES);

    assert_non_null(data);
    for (size_t i = 0; i < STREAM_BYTES; i++)
        data[i] = stream_byte(i);
    return data;
}

/* Everything there is for now, without waiting. */
static void drain_peer(int peer, size_t *received)
{
    unsigned char piece[1000];
    ssize_t bytes;

    while ((bytes = recv(peer, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
        for (ssize_t i = 0; i < bytes; i++)
            assert_int_equal(piece[i], stream_byte((*received)++));
}

/* Give the descriptor whose peer is `peer` the smallest send buffer there is. */
static void shrink_send_buffer(int peer)
{
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in at = {0};
        socklen_t length = sizeof(at);
        int bytes = 1;

        if (getpeername(fd, (struct sockaddr *)&at, &length) < 0 ||
            ntohs(at.sin_port) != port_of(peer))
            continue;
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
        return;
    }
    fail_msg("no descriptor is connected to the peer");
}

static void test_partial_writes(void **state)
{
    struct fixture *f = *state;
    unsigned char *data = new_stream();
    int peer = connect_peer(f, A);
    struct shared_iov iov = {data, STREAM_BYTES};
    size_t received = 0;

    shrink_send_buffer(peer);
    net_write(f->net, A, &iov, 1);
    for (size_t sent = 0; sent < STREAM_BYTES;) {
        struct ev ev = wait_event(f);

        assert_int_equal(ev.kind, EV_NET_WRITE);
        assert_true(ev.ret > 0 && (size_t)ev.ret <= STREAM_BYTES - sent);
        sent += (size_t)ev.ret;
        iov = (struct shared_iov){data + sent, STREAM_BYTES - sent};
        if (iov.length > 0)
            net_write(f->net, A, &iov, 1);
        drain_peer(peer, &received);
    }
    net_close(f->net, A);
    expect(f, EV_NET_CLOSE, A, 0);
    while (received < STREAM_BYTES)
        drain_peer(peer, &received);
    assert_true(f->net->counters.writes > 1 && f->net->counters.write_waits > 0);
    close(peer);
    free(data);
}

static void test_end_of_stream(void **state)
{
    struct fixture *f = *state;
    int peer = connect_peer(f, A);
    char in[8];
    const struct shared_iov iov = {in, sizeof(in)};

    assert_int_equal(send(peer, "abc", 3, 0), 3);
    close(peer);
    net_read(f->net, A, &iov, 1);
    expect(f, EV_NET_READ, A, 3);
    net_read(f->net, A, &iov, 1);
    expect(f, EV_NET_READ, A, 0);
    net_read(f->net, A, &iov, 1);
    expect(f, EV_NET_READ, A, 0);
}

/* What the other side sends still comes after the end of the own direction. */
static void test_shutdown_ends_one_direction(void **state)
{
    struct fixture *f = *state;
    int peer = connect_peer(f, A);
    char in[8];
    const struct shared_iov iov = {in, sizeof(in)};

    net_read(f->net, A, &iov, 1);
    net_shutdown(f->net, A);
    assert_int_equal(recv(peer, in, sizeof(in), 0), 0);
    assert_int_equal(send(peer, "abc", 3, 0), 3);
    expect(f, EV_NET_READ, A, 3);
    net_write(f->net, A, &iov, 1);
    expect(f, EV_NET_WRITE, A, -ERR_PIPE);
    net_close(f->net, A);
    expect(f, EV_NET_CLOSE, A, 0);
    close(peer);
}

static void test_reset_tells_the_other_side(void **state)
{
    struct fixture *f = *state;
    int peer = connect_peer(f, A);
    char in[8];
    const struct shared_iov iov = {in, sizeof(in)};

    net_read(f->net, A, &iov, 1);
    net_reset(f->net, A);
    expect(f, EV_NET_READ, A, -ERR_CANCELED);
    expect(f, EV_NET_CLOSE, A, 0);
    assert_int_equal(recv(peer, in, sizeof(in), 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(peer);
}

static void test_reset_while_reading(void **state)
{
    struct fixture *f = *state;
    int peer = connect_peer(f, A);
    char in[8] = "";
    const struct shared_iov iov = {in, sizeof(in)};

    net_read(f->net, A, &iov, 1);
    expect_quiet(f);
    reset(peer);
    expect(f, EV_NET_READ, A, -ERR_CONNRESET);
    net_write(f->net, A, &iov, 1); /* SIGPIPE would end this process */
    expect(f, EV_NET_WRITE, A, -ERR_PIPE);
    for (int i = 0; i < 2; i++) { /* the error is told once; the second wait is a new one */
        net_read(f->net, A, &iov, 1);
        expect(f, EV_NET_READ, A, 0);
    }
}

static void test_reset_with_nothing_posted(void **state)
{
    struct fixture *f = *state;
    int peer = connect_peer(f, A);
    char in[8];
    const struct shared_iov iov = {in, sizeof(in)};

    assert_int_equal(send(peer, "abc", 3, 0), 3);
    net_read(f->net, A, &iov, 1);
    expect(f, EV_NET_READ, A, 3);
    reset(peer);
    expect_quiet(f);
    net_read(f->net, A, &iov, 1);
    expect(f, EV_NET_READ, A, -ERR_CONNRESET);
}

static void test_close_cancels_transfers_first(void **state)
{
    struct fixture *f = *state;
    unsigned char *data = new_stream();
    const struct shared_iov out = {data, STREAM_BYTES};
    int peer = connect_peer(f, A);
    char in[8];
    const struct shared_iov iov = {in, sizeof(in)};
    struct ev ev;

    do {
        net_write(f->net, A, &out, 1);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    } while (net_next(f->net, &ev)); /* until the peer, which never reads, is full */
    net_read(f->net, A, &iov, 1);
    expect_quiet(f);
    net_close(f->net, A);
    expect(f, EV_NET_READ, A, -ERR_CANCELED);
    expect(f, EV_NET_WRITE, A, -ERR_CANCELED);
    expect(f, EV_NET_CLOSE, A, 0);
    expect_quiet(f);
    close(peer);
    free(data);
}

static void test_close_keeps_a_result_already_there(void **state)
{
    struct fixture *f = *state;
    int peer = connect_peer(f, A);
    char in[8] = "";
    const struct shared_iov iov = {in, sizeof(in)};

    assert_int_equal(send(peer, "abc", 3, 0), 3);
    net_read(f->net, A, &iov, 1);
    net_close(f->net, A);
    expect(f, EV_NET_READ, A, 3);
    expect(f, EV_NET_CLOSE, A, 0);
    assert_string_equal(in, "abc");
    close(peer);
}

/* One end of the big stream: what it sends, what it has got. */
struct end {
    uint64_t token;
    unsigned char *got;
    size_t sent, received;
};

static void post_write(struct fixture *f, struct end *end, unsigned char *data)
{
    size_t left = STREAM_BYTES - end->sent;
    size_t first = left / 2 + 1 < 9001 ? left / 2 + 1 : 9001;
    size_t second = left - first < 50000 ? left - first : 50000;
    const struct shared_iov iov[2] = {{data + end->sent, first},
                                      {data + end->sent + first, second}};

    if (left > 0)
        net_write(f->net, end->token, iov, second > 0 ? 2 : 1);
}

static void post_read(struct fixture *f, struct end *end)
{
    size_t left = STREAM_BYTES - end->received;
    const struct shared_iov iov = {end->got + end->received, left < 30011 ? left : 30011};

    if (left > 0)
        net_read(f->net, end->token, &iov, 1);
}

static void step_stream(struct fixture *f, struct end *end, const struct ev *ev,
                        unsigned char *data)
{
    assert_true(ev->ret > 0);
    if (ev->kind == EV_NET_WRITE) {
        end->sent += (size_t)ev->ret;
        post_write(f, end, data);
    } else {
        assert_int_equal(ev->kind, EV_NET_READ);
        end->received += (size_t)ev->ret;
        post_read(f, end);
    }
}

static void test_stream_both_ways(void **state)
{
    struct fixture *f = *state;
    unsigned char *data = new_stream();
    struct end ends[2] = {{.token = A, .got = calloc(1, STREAM_BYTES)},
                          {.token = B, .got = calloc(1, STREAM_BYTES)}};

    start_connect(f, A, start_listener(f));
    net_accept(f->net, B, LISTENER);
    for (int i = 0; i < 2; i++)
        assert_int_equal(wait_event(f).ret, 0);
    for (int i = 0; i < 2; i++) {
        assert_non_null(ends[i].got);
        post_write(f, &ends[i], data);
        post_read(f, &ends[i]);
    }
    while (ends[0].received < STREAM_BYTES || ends[1].received < STREAM_BYTES) {
        struct ev ev = wait_event(f);

        step_stream(f, &ends[ev.token == B], &ev, data);
    }
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(ends[i].got, data, STREAM_BYTES);
        free(ends[i].got);
    }
    assert_int_equal(f->net->counters.read_bytes, 2 * STREAM_BYTES);
    free(data);
}

static const struct CMUnitTest tests[] = {
    UV_TEST(test_two_spans),
    UV_TEST(test_partial_writes),
    UV_TEST(test_end_of_stream),
    UV_TEST(test_shutdown_ends_one_direction),
    UV_TEST(test_reset_tells_the_other_side),
    UV_TEST(test_reset_while_reading),
    UV_TEST(test_reset_with_nothing_posted),
    UV_TEST(test_close_cancels_transfers_first),
    UV_TEST(test_close_keeps_a_result_already_there),
    UV_TEST(test_stream_both_ways),
};

int main(void)
{
    alarm(60); /* a failed test may leave a later one without its peer */
    return !!cmocka_run_group_tests_name("net_uv_io", tests, NULL, NULL);
}
