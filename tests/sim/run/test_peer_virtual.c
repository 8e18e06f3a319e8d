/* peer_virtual: every kind of peer and a hand-made other side, on two hosts of one world. */
#include "sim/run/peer_virtual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    SEED = 42,
    STREAM = 7,
    HEADER = PAYLOAD_HEADER_BYTES,
    WHO = TRACE_PEER_BASE + 3,
    DELAY_NS = 10000,
    EVENTS = 16,
    RECORDS = 1024,
};

/* A peer, and the other side: a host whose completions wait here until the test takes them. */
struct world {
    struct vclock *clock;
    struct costs costs;
    struct vcpus *vcpus;
    struct net_virtual *net;
    struct net *other;
    struct peer_virtual *peer;
    uint32_t finished;
    struct ev events[EVENTS];
    uint32_t event_count;
    struct trace_record records[RECORDS]; /* of the peer, the first of them */
    uint32_t record_count;
};

static void on_record(void *self, const struct trace_record *record)
{
    struct world *world = self;

    if (record->point == TRACE_PEER && world->record_count < RECORDS)
        world->records[world->record_count++] = *record;
}

static void on_finished(void *self)
{
    ((struct world *)self)->finished++;
}

static bool run_other(void *self, uint64_t now_ns)
{
    struct world *world = self;

    (void)now_ns;
    while (net_next(world->other, &world->events[world->event_count])) {
        world->event_count++;
        assert_in_range(world->event_count, 1, EVENTS - 1);
    }
    return false;
}

static struct net_link link_of(uint32_t buffer_bytes)
{
    return (struct net_link){
        .delay_ns = DELAY_NS,
        .segment_bytes = 65536,
        .send_buffer_bytes = buffer_bytes,
        .receive_buffer_bytes = buffer_bytes,
    };
}

static int set_up(void **state)
{
    static struct trace_sink sink;
    struct world *world = calloc(1, sizeof(*world));
    struct net_link link = link_of(1 << 20);
    struct vcpu *vcpu;

    assert_non_null(world);
    sink = (struct trace_sink){.take = on_record, .self = world};
    world->clock = vclock_create();
    world->vcpus = vcpus_create(
        &(struct vcpus_config){.clock = world->clock, .costs = &world->costs, .seed = SEED});
    world->net = net_virtual_create(&(struct net_virtual_config){
        .clock = world->clock, .seed = SEED, .link = link, .trace = &sink});
    vcpu = vcpu_add(world->vcpus, &(struct vcpu_config){
                                      .name = "other", .cpu = -1, .self = world, .run = run_other});
    world->other = net_virtual_host(
        world->net, &(struct net_virtual_host_config){.name = "other", .who = 1, .vcpu = vcpu});
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    if (world->peer)
        peer_virtual_stop(world->peer);
    net_destroy(world->other);
    net_virtual_destroy(world->net);
    vcpus_destroy(world->vcpus);
    vclock_destroy(world->clock);
    free(world);
    return 0;
}

static const struct call_addr *address(uint16_t port)
{
    static const uint8_t ip[4] = {10, 0, 0, 1};
    static struct call_addr addr;

    call_addr4(&addr, ip, port);
    return &addr;
}

static struct peer_virtual *try_start(struct world *world, const struct scenario_peer *spec,
                                      int *error)
{
    static struct trace_sink sink;
    struct peer_virtual_config config = {
        .peer = spec,
        .vcpus = world->vcpus,
        .world = world->net,
        .trace = &sink,
        .who = WHO,
        .finished = on_finished,
        .self = world,
        .connect_to = *address(80),
        .seed = SEED,
        .stream_base = STREAM,
    };

    sink = (struct trace_sink){.take = on_record, .self = world};
    return peer_virtual_start(&config, error);
}

static void start(struct world *world, enum scenario_peer_kind kind)
{
    struct scenario_peer spec = {.name = "peer", .kind = kind, .cpu = -1};
    int error = -1;

    spec.addr.addr = *address(0);
    world->peer = try_start(world, &spec, &error);
    assert_non_null(world->peer);
    assert_int_equal(error, 0);
}

static const struct peer_counters *counters(const struct world *world)
{
    return peer_virtual_counters(world->peer);
}

static void assert_faults(const struct world *world, struct peer_counters expected)
{
    const struct peer_counters *got = counters(world);

    assert_int_equal(got->connect_failures, expected.connect_failures);
    assert_int_equal(got->mismatches, expected.mismatches);
    assert_int_equal(got->short_streams, expected.short_streams);
    assert_int_equal(got->protocol_errors, expected.protocol_errors);
    assert_int_equal(got->resets, expected.resets);
}

static const struct peer_counters no_faults = {0};

/* ---- the other side ---- */

/* Takes a completion that is there. */
static bool take(struct world *world, enum ev_kind kind, uint64_t token, int32_t *ret)
{
    for (uint32_t i = 0; i < world->event_count; i++) {
        if (world->events[i].kind != kind || world->events[i].token != token)
            continue;
        *ret = world->events[i].ret;
        world->events[i] = world->events[--world->event_count];
        return true;
    }
    return false;
}

static int32_t await(struct world *world, enum ev_kind kind, uint64_t token)
{
    int32_t ret = 0;

    while (!take(world, kind, token, &ret))
        assert_true(vclock_step(world->clock));
    return ret;
}

/* Until nothing happens any more. */
static void settle(struct world *world)
{
    while (vclock_step(world->clock))
        continue;
}

static void open_to_peer(struct world *world, uint64_t token)
{
    struct call_addr addr = peer_virtual_address(world->peer);

    net_connect(world->other, token, &addr);
    assert_int_equal(await(world, EV_NET_CONNECT, token), 0);
}

static void say(struct world *world, uint64_t token, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        struct shared_iov iov = {.base = (void *)(uintptr_t)bytes, .length = size};
        int32_t ret;

        net_write(world->other, token, &iov, 1);
        ret = await(world, EV_NET_WRITE, token);
        assert_true(ret > 0);
        bytes += ret;
        size -= (size_t)ret;
    }
}

/* Reads until `size` bytes or the end: how many; or what broke it. */
static int64_t hear(struct world *world, uint64_t token, uint8_t *bytes, size_t size)
{
    size_t got = 0;

    while (got < size) {
        struct shared_iov iov = {.base = bytes + got, .length = size - got};
        int32_t ret;

        net_read(world->other, token, &iov, 1);
        ret = await(world, EV_NET_READ, token);
        if (ret < 0)
            return ret;
        if (ret == 0)
            break;
        got += (size_t)ret;
    }
    return (int64_t)got;
}

static void shut(struct world *world, uint64_t token)
{
    net_virtual_shutdown(world->other, token);
}

/* The peer ends the connection too, and has none left. */
static void assert_ended(struct world *world, uint64_t token)
{
    uint8_t byte;

    assert_int_equal(hear(world, token, &byte, 1), 0);
    net_close(world->other, token);
    settle(world);
    assert_int_equal(counters(world)->open, 0);
    assert_true(peer_virtual_is_idle(world->peer));
    assert_int_equal(world->finished, 1);
}

/* A header and the first `size` bytes of its stream, to be freed. */
static uint8_t *make(enum payload_mode mode, uint64_t bytes, size_t size)
{
    struct payload_header header = {.mode = mode, .seed = SEED, .stream = STREAM, .bytes = bytes};
    uint8_t *wire = malloc(HEADER + size);

    assert_non_null(wire);
    payload_header_pack(&header, wire);
    payload_fill(payload_key(SEED, STREAM), 0, wire + HEADER, size);
    return wire;
}

/* Connects to a new peer of that kind and says so many bytes of a stream. */
static void tell(struct world *world, enum scenario_peer_kind kind, enum payload_mode mode,
                 uint64_t bytes, size_t size)
{
    uint8_t *wire = make(mode, bytes, size);

    start(world, kind);
    open_to_peer(world, 1);
    say(world, 1, wire, HEADER + size);
    free(wire);
}

/* ---- what listens ---- */

static void test_sink(void **state)
{
    struct world *world = *state;

    tell(world, SCENARIO_PEER_SINK, PAYLOAD_UP, 300001, 300001);
    shut(world, 1);
    assert_ended(world, 1);
    assert_faults(world, no_faults);
    assert_int_equal(counters(world)->connections, 1);
    assert_int_equal(counters(world)->bytes_in, 300001);
    assert_int_equal(counters(world)->bytes_out, 0);
}

/* Read in full after the other side has sent all: the pipes hold a part, the peer one buffer. */
static void test_echo_through_small_buffers(void **state)
{
    struct world *world = *state;
    struct net_link link = link_of(1000);
    size_t size = 20000, sent = 0, got = 0;
    uint8_t *wire = make(PAYLOAD_BOTH, size, size), *back = malloc(size);
    int32_t ret;

    start(world, SCENARIO_PEER_ECHO);
    net_virtual_set_link(world->other, peer_virtual_net(world->peer), &link);
    open_to_peer(world, 1);
    wire[HEADER + 12345] ^= 1;
    while (sent < HEADER + size) {
        struct shared_iov iov = {.base = wire + sent, .length = HEADER + size - sent};

        net_write(world->other, 1, &iov, 1);
        settle(world);
        while (!take(world, EV_NET_WRITE, 1, &ret)) { /* stuck: make room */
            assert_in_range(counters(world)->bytes_in - counters(world)->bytes_out, 1, 1000);
            assert_int_equal(hear(world, 1, back + got, 500), 500);
            got += 500;
            settle(world);
        }
        sent += (size_t)ret;
    }
    assert_true(got > 10000);
    assert_int_equal(hear(world, 1, back + got, size - got), size - got);
    assert_memory_equal(back, wire + HEADER, size);
    shut(world, 1);
    assert_ended(world, 1);
    assert_faults(world, (struct peer_counters){.mismatches = 1});
    assert_int_equal(counters(world)->first_bad_stream, STREAM);
    assert_int_equal(counters(world)->first_bad_offset, 12345);
    assert_int_equal(counters(world)->bytes_in, size);
    assert_int_equal(counters(world)->bytes_out, size);
    free(wire);
    free(back);
}

static void test_source(void **state)
{
    struct world *world = *state;
    size_t size = 300001;
    uint8_t *got = malloc(size + 1);

    tell(world, SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, size, 0);
    assert_int_equal(hear(world, 1, got, size + 1), size);
    assert_int_equal(payload_check(payload_key(SEED, STREAM), 0, got, size), -1);
    settle(world);
    assert_int_equal(counters(world)->open, 1); /* it waits for our end */
    assert_false(peer_virtual_is_idle(world->peer));
    shut(world, 1);
    assert_ended(world, 1);
    assert_faults(world, no_faults);
    assert_int_equal(counters(world)->bytes_out, size);
    free(got);
}

/* Whoever reads an endless stream leaves in the midst of it. */
static void test_endless_source(void **state)
{
    struct world *world = *state;
    uint8_t *got = malloc(3000000);

    tell(world, SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, 0, 0);
    assert_int_equal(hear(world, 1, got, 3000000), 3000000);
    assert_int_equal(payload_check(payload_key(SEED, STREAM), 0, got, 3000000), -1);
    net_virtual_reset(world->other, 1);
    settle(world);
    assert_int_equal(world->finished, 1);
    assert_faults(world, no_faults);
    free(got);
}

static void test_short_stream(void **state)
{
    struct world *world = *state;

    tell(world, SCENARIO_PEER_SINK, PAYLOAD_UP, 1000, 999);
    shut(world, 1);
    assert_ended(world, 1);
    assert_faults(world, (struct peer_counters){.short_streams = 1});
}

static void test_reset(void **state)
{
    struct world *world = *state;

    tell(world, SCENARIO_PEER_SINK, PAYLOAD_UP, 1000, 10);
    settle(world);
    net_virtual_reset(world->other, 1);
    settle(world);
    assert_int_equal(world->finished, 1);
    assert_int_equal(counters(world)->bytes_in, 10);
    assert_faults(world, (struct peer_counters){.resets = 1, .short_streams = 1});
}

static void test_wrong_mode(void **state)
{
    struct world *world = *state;

    tell(world, SCENARIO_PEER_SINK, PAYLOAD_DOWN, 1000, 0);
    assert_ended(world, 1);
    assert_faults(world, (struct peer_counters){.protocol_errors = 1});
}

static void test_many_connections(void **state)
{
    enum { MANY = 300 };
    struct world *world = *state;
    uint8_t *wire = make(PAYLOAD_BOTH, 100, 100), back[100];

    start(world, SCENARIO_PEER_ECHO);
    for (uint64_t token = 1; token <= MANY; token++) {
        open_to_peer(world, token);
        say(world, token, wire, HEADER + 100);
    }
    settle(world);
    assert_int_equal(counters(world)->open, MANY);
    for (uint64_t token = MANY; token > 0; token--) {
        assert_int_equal(hear(world, token, back, 100), 100);
        assert_memory_equal(back, wire + HEADER, 100);
        shut(world, token);
    }
    settle(world);
    assert_int_equal(world->finished, 1);
    assert_int_equal(counters(world)->connections, MANY);
    assert_int_equal(counters(world)->open, 0);
    assert_faults(world, no_faults);
    free(wire);
}

/* A first large message takes some reads more, later ones of its size and its end do not. */
static void test_room_for_reads(void **state)
{
    static const uint32_t reads[] = {2, 1, 1};
    struct world *world = *state;
    const struct net_counters *seen;
    uint8_t *wire = make(PAYLOAD_BOTH, 0, 3000), back[1000];
    uint64_t before = 0;

    start(world, SCENARIO_PEER_ECHO);
    seen = &peer_virtual_net(world->peer)->counters;
    open_to_peer(world, 1);
    for (size_t i = 0; i < 3; i++) {
        say(world, 1, wire + (i ? HEADER + 1000 * i : 0), i ? 1000 : HEADER + 1000);
        assert_int_equal(hear(world, 1, back, 1000), 1000);
        assert_memory_equal(back, wire + HEADER + 1000 * i, 1000);
        assert_int_equal(seen->reads - before, reads[i]);
        before = seen->reads;
    }
    free(wire);
}

/* ---- client ---- */

static void start_client(struct world *world, uint32_t connections, uint64_t bytes)
{
    struct scenario_peer spec = {.name = "peer",
                                 .kind = SCENARIO_PEER_CLIENT,
                                 .cpu = -1,
                                 .connections = connections,
                                 .bytes = bytes};
    int error = -1;

    world->peer = try_start(world, &spec, &error);
    assert_non_null(world->peer);
    assert_int_equal(peer_virtual_address(world->peer).len, 0);
}

static void listen_at_80(struct world *world)
{
    net_bind(world->other, 1000, address(80));
    assert_int_equal(await(world, EV_NET_BIND, 1000), 0);
    net_listen(world->other, 1000, 16);
    assert_int_equal(await(world, EV_NET_LISTEN, 1000), 0);
}

/* Twelve connections, answered one after the other in order, of which at most 8 wait. */
static void test_client(void **state)
{
    enum { SIZE = 200000 };
    struct world *world = *state;
    uint8_t *got = malloc(HEADER + SIZE);

    listen_at_80(world);
    start_client(world, 12, SIZE);
    settle(world);
    assert_int_equal(counters(world)->open, 0);
    assert_false(peer_virtual_is_idle(world->peer));
    peer_virtual_begin(world->peer);
    for (uint64_t token = 1; token <= 12; token++) {
        struct payload_header header;

        settle(world);
        assert_int_equal(counters(world)->open, token <= 5 ? 8 : 13 - token);
        assert_int_equal(world->finished, 0);
        net_accept(world->other, token, 1000);
        assert_int_equal(await(world, EV_NET_ACCEPT, token), 0);
        assert_int_equal(hear(world, token, got, HEADER + SIZE), HEADER + SIZE);
        assert_int_equal(payload_header_unpack(got, &header), 0);
        assert_int_equal(header.stream, STREAM + token - 1);
        assert_int_equal(payload_check(payload_key(SEED, header.stream), 0, got + HEADER, SIZE),
                         -1);
        say(world, token, got, HEADER + SIZE);
    }
    settle(world);
    assert_int_equal(world->finished, 1);
    assert_true(peer_virtual_is_idle(world->peer));
    assert_faults(world, no_faults);
    assert_int_equal(counters(world)->connections, 12);
    assert_int_equal(counters(world)->bytes_in, 12 * SIZE);
    assert_int_equal(counters(world)->bytes_out, 12 * SIZE);
    free(got);
}

static void test_client_refused(void **state)
{
    struct world *world = *state;

    start_client(world, 20, 1000);
    peer_virtual_begin(world->peer);
    settle(world);
    assert_int_equal(world->finished, 1);
    assert_true(peer_virtual_is_idle(world->peer));
    assert_int_equal(counters(world)->connections, 0);
    assert_faults(world, (struct peer_counters){.connect_failures = 20});
}

static void test_client_is_cut_short(void **state)
{
    struct world *world = *state;
    uint8_t got[HEADER + 1000];

    listen_at_80(world);
    start_client(world, 1, 1000);
    peer_virtual_begin(world->peer);
    net_accept(world->other, 1, 1000);
    assert_int_equal(await(world, EV_NET_ACCEPT, 1), 0);
    assert_int_equal(hear(world, 1, got, sizeof(got)), sizeof(got));
    got[HEADER + 998] ^= 0x80;
    say(world, 1, got, sizeof(got) - 1);
    shut(world, 1);
    assert_ended(world, 1);
    assert_faults(world, (struct peer_counters){.mismatches = 1, .short_streams = 1});
}

/* ---- the peer itself ---- */

static void test_busy_address(void **state)
{
    struct world *world = *state;
    struct scenario_peer spec = {.name = "peer", .kind = SCENARIO_PEER_ECHO, .cpu = -1};
    int error = 0;

    listen_at_80(world);
    spec.addr.addr = *address(80);
    assert_null(try_start(world, &spec, &error));
    assert_int_equal(error, -ERR_ADDRINUSE);
}

/* Stopped with a write that waits for room, a read that waits for bytes, and an accept. */
static void test_stop(void **state)
{
    struct world *world = *state;

    tell(world, SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, 0, 0);
    open_to_peer(world, 2);
    settle(world);
    assert_int_equal(counters(world)->open, 2);
    peer_virtual_stop(world->peer);
    world->peer = NULL;
    assert_int_equal(world->finished, 0);
}

#define PEER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_sink),           PEER_TEST(test_echo_through_small_buffers),
        PEER_TEST(test_source),         PEER_TEST(test_endless_source),
        PEER_TEST(test_short_stream),   PEER_TEST(test_reset),
        PEER_TEST(test_wrong_mode),     PEER_TEST(test_many_connections),
        PEER_TEST(test_room_for_reads), PEER_TEST(test_client),
        PEER_TEST(test_client_refused), PEER_TEST(test_client_is_cut_short),
        PEER_TEST(test_busy_address),   PEER_TEST(test_stop),
    };

    return !!cmocka_run_group_tests_name("peer_virtual", tests, NULL, NULL);
}
