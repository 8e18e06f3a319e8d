/* Sockets in virtual time: bytes, back-pressure, ends of streams, resets, cancelled transfers. */
#include "sim/net/net_virtual_private.h"
#include "tests/sim/net/virtual_fixture.h"

/* A link through whose buffers little fits, and that loses and delays. */
static const struct net_link narrow_link = {.delay_ns = 50000,
                                            .jitter_ns = 200000,
                                            .rate_bytes_per_s = 10000019,
                                            .loss_ppm = 50000,
                                            .retransmit_ns = 1000000,
                                            .segment_bytes = 77,
                                            .send_buffer_bytes = 500,
                                            .receive_buffer_bytes = 300};

static void test_two_spans(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    char first[4] = "", second[6] = "";
    const struct shared_iov spans[2] = {{first, 3}, {second, 5}};
    const struct shared_iov out[2] = {{first, 2}, {second, 5}};

    connect_pair(world);
    net_read(server->net, B, spans, 2);
    send_bytes(client, A, "hello world", 11);
    expect(server, EV_NET_READ, B, 8);
    assert_string_equal(first, "hel");
    assert_string_equal(second, "lo wo");
    net_read(server->net, B, spans, 2);
    expect(server, EV_NET_READ, B, 3);
    assert_string_equal(first, "rld");
    net_write(server->net, B, out, 2);
    expect(server, EV_NET_WRITE, B, 7);
    expect_text(client, A, "rllo wo");
    assert_int_equal(server->net->counters.reads, 2);
    assert_int_equal(server->net->counters.read_waits, 1);
    assert_int_equal(server->net->counters.read_bytes, 11);
    assert_int_equal(server->net->counters.writes, 1);
    assert_int_equal(server->net->counters.written_bytes, 7);
    assert_int_equal(client->net->counters.written_bytes, 11);
}

/* One end of a stream both ways: random lengths, read and write posted whenever they may be. */
struct end {
    struct host *host;
    uint64_t token;
    struct prng prng;
    uint64_t sent, got;
    unsigned char out[700], in[700];
};

enum { STREAM_BYTES = 100000 };

static uint32_t random_length(struct end *end, uint64_t left)
{
    uint64_t length = 1 + prng_below(&end->prng, prng_below(&end->prng, 8) == 0 ? 700 : 20);

    return (uint32_t)(length < left ? length : left);
}

static void post_write(struct end *end)
{
    uint32_t length = random_length(end, STREAM_BYTES - end->sent);
    const struct shared_iov iov[2] = {{end->out, (length + 1) / 2},
                                      {end->out + (length + 1) / 2, length / 2}};

    for (uint32_t i = 0; i < length; i++)
        end->out[i] = stream_byte(end->sent + i + end->token);
    if (length > 0)
        net_write(end->host->net, end->token, iov, length > 1 ? 2 : 1);
    else
        net_shutdown(end->host->net, end->token);
}

static void post_read(struct end *end)
{
    uint32_t length = random_length(end, sizeof(end->in));
    const struct shared_iov iov[2] = {{end->in, (length + 1) / 2},
                                      {end->in + (length + 1) / 2, length / 2}};

    net_read(end->host->net, end->token, iov, length > 1 ? 2 : 1);
}

/* Returns whether the stream from the other end is over. */
static bool step_end(struct end *end, uint64_t other, const struct ev *ev)
{
    if (ev->kind == EV_NET_WRITE) {
        assert_true(ev->ret > 0);
        end->sent += (uint64_t)ev->ret;
        post_write(end);
        return false;
    }
    assert_int_equal(ev->kind, EV_NET_READ);
    assert_true(ev->ret >= 0);
    for (int32_t i = 0; i < ev->ret; i++)
        assert_int_equal(end->in[i], stream_byte(end->got++ + other));
    if (ev->ret > 0)
        post_read(end);
    return ev->ret == 0;
}

static struct end *any_ready(struct end ends[2])
{
    for (int i = 0; i < 2; i++)
        if (ends[i].host->count > 0)
            return &ends[i];
    return NULL;
}

static void run_stream(struct world *world, uint64_t seed)
{
    struct end ends[2] = {{.host = &world->hosts[CLIENT], .token = A},
                          {.host = &world->hosts[SERVER], .token = B}};
    int over = 0;

    connect_pair(world);
    for (uint64_t i = 0; i < 2; i++) {
        prng_init(&ends[i].prng, seed, "test", i);
        post_write(&ends[i]);
        post_read(&ends[i]);
    }
    while (over < 2) {
        struct end *end = any_ready(ends);

        if (end == NULL) {
            assert_true(vclock_step(world->clock));
            continue;
        }
        const struct ev ev = wait_seen(end->host).ev;
        over += step_end(end, end->token == A ? B : A, &ev);
    }
    assert_int_equal(ends[0].got, STREAM_BYTES);
    assert_int_equal(ends[1].got, STREAM_BYTES);
    assert_int_equal(ends[0].host->net->counters.read_bytes, STREAM_BYTES);
    assert_int_equal(ends[1].host->net->counters.written_bytes, STREAM_BYTES);
    assert_true(ends[0].host->net->counters.write_waits > 0);
}

static void test_streams_both_ways(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world *world = new_world(&narrow_link, seed);

        world->untraced = true;
        add_host(world, CLIENT, "client", -1);
        add_host(world, SERVER, "server", -1);
        run_stream(world, seed);
        free_world(world);
    }
}

static void expect_queued(struct host *host, uint64_t token, uint64_t out_bytes, uint64_t in_bytes)
{
    uint64_t out, in;

    net_virtual_queued(host->net, token, &out, &in);
    assert_int_equal(out, out_bytes);
    assert_int_equal(in, in_bytes);
}

/* A reader that does not read stops the writer when both buffers are full; one that waits goes on
 * when a third of the send buffer is free, and the sender learns of both a delay later. */
static void test_back_pressure(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct net_link link = plain_link;
    static char bytes[1000];

    link.segment_bytes = 100;
    link.send_buffer_bytes = 300;
    link.receive_buffer_bytes = 250;
    net_virtual_set_link(client->net, server->net, &link);
    connect_pair(world);
    send_bytes(client, A, bytes, 250);
    start_write(client, A, bytes, 1000); /* takes what little room there is */
    expect(client, EV_NET_WRITE, A, 50);
    settle(world);
    expect_queued(server, B, 0, 300); /* of which 250 have arrived */
    start_write(client, A, bytes, 1000);
    expect(client, EV_NET_WRITE, A, 250);
    start_write(client, A, bytes, 1000);
    expect_quiet(client);
    assert_int_equal(client->net->counters.write_waits, 1);
    expect_queued(client, A, 550, 0);

    run_until(world, SECOND);
    start_read(server, B, bytes, 99); /* 99 leave, in two segments, are there and acknowledged: */
    assert_int_equal(expect(server, EV_NET_READ, B, 99), SECOND);
    expect_quiet(client); /* 99 are free */
    run_until(world, 2 * SECOND);
    start_read(server, B, bytes, 1);
    expect(server, EV_NET_READ, B, 1);
    assert_int_equal(expect(client, EV_NET_WRITE, A, 100), 2 * SECOND + 150 * US);
    expect_queued(client, A, 550, 0);
    start_read(server, B, bytes, 1000); /* what has arrived, not what is on its way */
    expect(server, EV_NET_READ, B, 250);
}

static void test_a_ring_is_as_big_as_need_be(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    static char bytes[60000];
    const struct virtual_pipe *pipe;

    connect_pair(world);
    pipe = &net_virtual_find(net_virtual_host_of(client->net), A)->side->out;
    assert_int_equal(pipe->room, 0);
    send_bytes(client, A, bytes, 10);
    assert_int_equal(pipe->room, 64);
    send_bytes(client, A, bytes, 54);
    assert_int_equal(pipe->room, 64);
    send_bytes(client, A, bytes, 1);
    assert_int_equal(pipe->room, 128);
    settle(world);
    send_bytes(client, A, bytes, 60000);
    assert_int_equal(pipe->room, 65536);
    settle(world);
    start_read(server, B, bytes, 60000);
    expect(server, EV_NET_READ, B, 60000);
    expect_queued(server, B, 0, 65);
    start_read(server, B, bytes, 60000);
    expect(server, EV_NET_READ, B, 65);
    assert_int_equal(pipe->room, 0);
    assert_null(pipe->bytes);
}

static void test_a_ring_that_wraps_grows(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    static const uint32_t lengths[] = {60, 50, 200}; /* the second one wraps in 64 */
    unsigned char bytes[310], in[310];

    for (uint32_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = stream_byte(i);
    connect_pair(world);
    send_bytes(client, A, bytes, lengths[0]);
    start_read(server, B, in, 50);
    expect(server, EV_NET_READ, B, 50);
    send_bytes(client, A, bytes + 60, lengths[1]);
    send_bytes(client, A, bytes + 110, lengths[2]);
    settle(world);
    start_read(server, B, in + 50, sizeof(in) - 50);
    expect(server, EV_NET_READ, B, 260);
    assert_memory_equal(in, bytes, sizeof(in));
}

static void test_close_in_good_order(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    connect_pair(world);
    send_bytes(client, A, "abc", 3);
    close_socket(client, A);
    assert_int_equal(client->net->counters.sockets_now, 0);
    expect_text(server, B, "abc");
    expect_read(server, B, 0);
    expect_read(server, B, 0);
    close_socket(server, B);
    assert_int_equal(server->net->counters.closes, 1);
    settle(world);
}

static void test_the_end_waits_for_what_the_window_holds_back(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct net_link link = plain_link;

    link.receive_buffer_bytes = 2;
    net_virtual_set_link(client->net, server->net, &link);
    connect_pair(world);
    send_bytes(client, A, "abc", 3);
    close_socket(client, A);
    settle(world);
    expect_text(server, B, "ab");
    expect_text(server, B, "c");
    expect_read(server, B, 0);
}

static void test_half_close(struct host *first, uint64_t a, struct host *second, uint64_t b)
{
    char in[8] = "";
    uint32_t sent;

    send_bytes(first, a, "last", 4);
    net_shutdown(first->net, a);
    expect_write(first, a, -ERR_PIPE);
    expect_text(second, b, "last");
    expect_read(second, b, 0);
    start_read(first, a, in, sizeof(in));
    send_bytes(second, b, "still", 5);
    expect(first, EV_NET_READ, a, 5);
    assert_string_equal(in, "still");
    close_socket(second, b);
    expect_read(first, a, 0);
    sent = first->world->traced_count;
    close_socket(first, a);
    expect_quiet(first);
    expect_quiet(second);
    assert_int_equal(first->world->traced_count, sent + 1); /* no second end */
}

static void test_half_close_of_the_client(void **state)
{
    struct world *world = *state;

    connect_pair(world);
    test_half_close(&world->hosts[CLIENT], A, &world->hosts[SERVER], B);
}

static void test_half_close_of_the_server(void **state)
{
    struct world *world = *state;

    connect_pair(world);
    test_half_close(&world->hosts[SERVER], B, &world->hosts[CLIENT], A);
}

static void test_shutdown_ends_a_write_that_waits(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct net_link link = plain_link;

    link.send_buffer_bytes = link.receive_buffer_bytes = 1;
    net_virtual_set_link(client->net, server->net, &link);
    connect_pair(world);
    expect_write(client, A, 1);
    expect_write(client, A, 1); /* the one before has not been acknowledged: it waits */
    start_write(client, A, "x", 1);
    expect_quiet(client);
    net_shutdown(client->net, A);
    expect(client, EV_NET_WRITE, A, -ERR_PIPE);
}

/* What has arrived can be read; what is on its way is lost; each direction is told once. */
static void test_reset(struct host *first, uint64_t a, struct host *second, uint64_t b)
{
    uint32_t sent;

    send_bytes(first, a, "there", 5);
    settle(first->world);
    send_bytes(first, a, "lost", 4);
    net_reset(first->net, a);
    expect(first, EV_NET_CLOSE, a, 0);
    expect_quiet(second);
    expect_text(second, b, "there");
    expect_read(second, b, -ERR_CONNRESET);
    expect_write(second, b, -ERR_CONNRESET);
    for (int i = 0; i < 2; i++) {
        expect_read(second, b, 0);
        expect_write(second, b, -ERR_PIPE);
    }
    sent = first->world->traced_count;
    close_socket(second, b);
    expect_quiet(first);
    assert_int_equal(first->world->traced_count, sent + 1); /* only that it is closed */
}

static void test_reset_by_the_client(void **state)
{
    struct world *world = *state;

    connect_pair(world);
    test_reset(&world->hosts[CLIENT], A, &world->hosts[SERVER], B);
}

static void test_reset_by_the_server(void **state)
{
    struct world *world = *state;

    connect_pair(world);
    test_reset(&world->hosts[SERVER], B, &world->hosts[CLIENT], A);
}

static void test_reset_ends_what_waits(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    static char bytes[70000];
    char in[8];

    connect_pair(world);
    for (uint64_t wrote = 0; wrote < 131072;) {
        start_write(server, B, bytes, 65536);
        wrote += (uint64_t)wait_seen(server).ev.ret;
        settle(world);
    }
    start_write(server, B, bytes, 1);
    start_read(server, B, in, sizeof(in));
    expect_quiet(server);
    run_until(world, SECOND);
    net_reset(client->net, A);
    assert_int_equal(expect(server, EV_NET_READ, B, -ERR_CONNRESET), SECOND + 50 * US);
    assert_int_equal(expect(server, EV_NET_WRITE, B, -ERR_CONNRESET), SECOND + 50 * US);
    expect_queued(server, B, 65536, 0); /* what the client had got, and nobody reads */
}

static void test_close_with_unread_bytes_resets(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    connect_pair(world);
    send_bytes(client, A, "abc", 3);
    settle(world);
    close_socket(server, B);
    settle(world);
    expect_read(client, A, -ERR_CONNRESET);
    expect_write(client, A, -ERR_CONNRESET);
    expect_read(client, A, 0);
}

static uint32_t count_resets(const struct world *world, uint16_t host)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->traced_count; i++)
        count += world->traced[i].point == TRACE_SOCKET &&
                 world->traced[i].who == TRACE_PEER_BASE + host &&
                 world->traced[i].detail == TRACE_SOCKET_RESET;
    return count;
}

/* The first writes are taken; a round trip later the one reset is there. */
static void test_write_to_one_that_closed(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    connect_pair(world);
    send_bytes(server, B, "bye", 3);
    close_socket(server, B);
    settle(world);
    run_until(world, SECOND);
    send_bytes(client, A, "x", 1);
    run_until(world, SECOND + 10 * US);
    send_bytes(client, A, "x", 1);
    run_until(world, SECOND + 99 * US);
    send_bytes(client, A, "x", 1);
    run_until(world, SECOND + 101 * US);
    expect_write(client, A, -ERR_PIPE);
    expect_text(client, A, "bye");
    expect_read(client, A, 0);
    settle(world);
    assert_int_equal(count_resets(world, CLIENT), 1);
    assert_int_equal(count_resets(world, SERVER), 1);
}

/* Bytes that arrive at a closed socket reset it before its end was known. */
static void test_bytes_in_flight_to_one_that_closes(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct net_link link = plain_link;

    connect_pair(world);
    link.loss_ppm = 1000000; /* the end is late */
    send_bytes(client, A, "abc", 3);
    net_virtual_set_link(client->net, server->net, &link);
    close_socket(server, B);
    net_virtual_set_link(client->net, server->net, &plain_link);
    settle(world);
    expect_read(client, A, -ERR_CONNRESET);
    expect_write(client, A, -ERR_CONNRESET);
    expect_write(client, A, -ERR_PIPE);
}

static void test_close_cancels_transfers_first(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct net_link link = plain_link;
    char in[8];

    link.send_buffer_bytes = 2;
    net_virtual_set_link(client->net, server->net, &link);
    connect_pair(world);
    start_write(client, A, "abc", 3);
    expect(client, EV_NET_WRITE, A, 2);
    start_write(client, A, "c", 1);
    start_read(client, A, in, sizeof(in));
    net_close(client->net, A);
    expect(client, EV_NET_READ, A, -ERR_CANCELED);
    expect(client, EV_NET_WRITE, A, -ERR_CANCELED);
    expect(client, EV_NET_CLOSE, A, 0);
    expect_quiet(client);
    expect_text(server, B, "ab");
    expect_read(server, B, 0);
    close_socket(client, A); /* names nothing any more */
}

/* Each change of a connection is in the trace, with who saw it, and the port and the other side. */
static void test_trace_of_states(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    static const struct {
        enum trace_socket what;
        uint16_t who;
        uint64_t token;
    } changes[] = {
        {TRACE_SOCKET_ACCEPTED, SERVER, B}, {TRACE_SOCKET_CONNECTED, CLIENT, A},
        {TRACE_SOCKET_CLOSED, CLIENT, A},   {TRACE_SOCKET_ENDED, SERVER, B},
        {TRACE_SOCKET_CLOSED, SERVER, B},   {TRACE_SOCKET_RESET, SERVER, B},
    };
    uint32_t next = 0;

    connect_pair(world);
    close_socket(client, A);
    expect_read(server, B, 0);
    net_reset(server->net, B);
    settle(world);
    for (uint32_t i = 0; i < world->traced_count; i++) {
        const struct trace_record *record = &world->traced[i];

        if (record->point != TRACE_SOCKET)
            continue;
        assert_true(next < 6);
        assert_int_equal(record->detail, changes[next].what);
        assert_int_equal(record->who, TRACE_PEER_BASE + changes[next].who);
        assert_int_equal(record->value, TRACE_PEER_BASE + (changes[next].who ^ 1u));
        assert_int_equal(record->token, changes[next].token);
        assert_int_equal(record->extra, PORT);
        next++;
    }
    assert_int_equal(next, 6);
}

static const struct CMUnitTest tests[] = {
    VIRTUAL_TEST(test_two_spans),
    cmocka_unit_test(test_streams_both_ways),
    VIRTUAL_TEST(test_back_pressure),
    VIRTUAL_TEST(test_a_ring_is_as_big_as_need_be),
    VIRTUAL_TEST(test_a_ring_that_wraps_grows),
    VIRTUAL_TEST(test_close_in_good_order),
    VIRTUAL_TEST(test_the_end_waits_for_what_the_window_holds_back),
    VIRTUAL_TEST(test_half_close_of_the_client),
    VIRTUAL_TEST(test_half_close_of_the_server),
    VIRTUAL_TEST(test_shutdown_ends_a_write_that_waits),
    VIRTUAL_TEST(test_reset_by_the_client),
    VIRTUAL_TEST(test_reset_by_the_server),
    VIRTUAL_TEST(test_reset_ends_what_waits),
    VIRTUAL_TEST(test_close_with_unread_bytes_resets),
    VIRTUAL_TEST(test_write_to_one_that_closed),
    VIRTUAL_TEST(test_bytes_in_flight_to_one_that_closes),
    VIRTUAL_TEST(test_close_cancels_transfers_first),
    VIRTUAL_TEST(test_trace_of_states),
};

int main(void)
{
    return !!cmocka_run_group_tests_name("net_virtual_io", tests, NULL, NULL);
}
