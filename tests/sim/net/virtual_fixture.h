/* What the tests of net_virtual share: a world of hosts in virtual time, whose vCPUs take what has
 * completed in their turns and note when. Calls are made by the test between events, or in a turn
 * (in_turn) where costs matter; all costs are 0 unless a test sets them. */
#ifndef XENSOCK_TESTS_SIM_NET_VIRTUAL_FIXTURE_H
#define XENSOCK_TESTS_SIM_NET_VIRTUAL_FIXTURE_H

#include "ringlib/err.h"
#include "sim/net/net_virtual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LISTENER = 1, A = 2, B = 3, P = 4, Q = 5, PORT = 4711, HOSTS = 4, SEEN_MAX = 64 };
enum { CLIENT, SERVER, THIRD, FOURTH }; /* hosts; one test or another names the third */
enum { TRACED_MAX = 4096 };

static const uint8_t loopback[4] = {127, 0, 0, 1};
static const uint64_t US = 1000, MS = 1000000, SECOND = 1000000000;

struct seen {
    uint64_t at_ns;
    struct ev ev;
};

struct world;

struct host {
    struct world *world;
    struct net *net;
    struct vcpu *vcpu;
    void (*turn)(struct host *host); /* to be called in the next turn, once */
    uint64_t turn_ns, after_ns;      /* when it was, and vcpu_now_ns after it */
    struct seen seen[SEEN_MAX];
    uint32_t first, count;
};

struct world {
    struct vclock *clock;
    struct costs costs;
    struct vcpus *vcpus;
    struct net_virtual *net;
    struct trace_sink sink;
    bool untraced; /* for tests that make more records than there is room for */
    struct trace_record traced[TRACED_MAX];
    uint32_t traced_count;
    struct host hosts[HOSTS];
};

/* Delay 50 us, nothing else: the numbers of most tests. */
static const struct net_link plain_link = {.delay_ns = 50000,
                                           .retransmit_ns = 200000000,
                                           .connect_ns = 7000,
                                           .segment_bytes = 1448,
                                           .send_buffer_bytes = 65536,
                                           .receive_buffer_bytes = 65536};

static inline bool host_run(void *self, uint64_t now_ns)
{
    struct host *host = self;
    struct ev ev;

    host->turn_ns = now_ns;
    if (host->turn != NULL) {
        void (*turn)(struct host * host) = host->turn;

        host->turn = NULL;
        turn(host);
        host->after_ns = vcpu_now_ns(host->vcpu);
    }
    while (host->net != NULL && net_next(host->net, &ev)) {
        assert_true(host->count < SEEN_MAX);
        host->seen[(host->first + host->count++) % SEEN_MAX] = (struct seen){now_ns, ev};
    }
    return false;
}

static inline void world_trace(void *self, const struct trace_record *record)
{
    struct world *world = self;

    if (!world->untraced) {
        assert_true(world->traced_count < TRACED_MAX);
        world->traced[world->traced_count++] = *record;
    }
}

/* Add the i-th host under a name, on a CPU (below 0: its own). */
static inline void add_host(struct world *world, uint16_t i, const char *name, int32_t cpu)
{
    struct host *host = &world->hosts[i];

    host->world = world;
    host->vcpu = vcpu_add(world->vcpus, &(struct vcpu_config){name, cpu, host, host_run});
    host->net = net_virtual_host(
        world->net,
        &(struct net_virtual_host_config){name, (uint16_t)(TRACE_PEER_BASE + i), host->vcpu});
}

/* A world with this link, and no host yet. */
static inline struct world *new_world(const struct net_link *link, uint64_t seed)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->clock = vclock_create();
    world->costs.slice_ns = SECOND;
    world->vcpus = vcpus_create(&(struct vcpus_config){world->clock, &world->costs, seed, false});
    world->sink = (struct trace_sink){world_trace, world};
    world->net =
        net_virtual_create(&(struct net_virtual_config){world->clock, seed, *link, &world->sink});
    return world;
}

static inline void free_world(struct world *world)
{
    for (int i = 0; i < HOSTS; i++)
        if (world->hosts[i].net != NULL)
            net_destroy(world->hosts[i].net);
    net_virtual_destroy(world->net);
    vcpus_destroy(world->vcpus);
    vclock_destroy(world->clock);
    free(world);
}

/* A client and a server, each on a CPU of its own. */
static inline struct world *two_hosts(const struct net_link *link)
{
    struct world *world = new_world(link, 1);

    add_host(world, CLIENT, "client", -1);
    add_host(world, SERVER, "server", -1);
    return world;
}

static inline int setup(void **state)
{
    *state = two_hosts(&plain_link);
    return 0;
}

static inline int teardown(void **state)
{
    free_world(*state);
    return 0;
}

static inline void settle(struct world *world)
{
    while (vclock_step(world->clock))
        continue;
}

static inline void nothing(void *self, uint64_t arg)
{
    (void)self;
    (void)arg;
}

/* Let time pass until `at_ns`, with all that happens at it. */
static inline void run_until(struct world *world, uint64_t at_ns)
{
    vclock_at(world->clock, at_ns, &(struct vclock_event){nothing, NULL, 0});
    while (vclock_next_ns(world->clock) <= at_ns)
        vclock_step(world->clock);
}

/* Let the host do something in a turn, which begins now if it is idle. */
static inline void in_turn(struct host *host, void (*turn)(struct host *host))
{
    host->turn = turn;
    vcpu_wake(host->vcpu, vclock_now_ns(host->world->clock));
    while (host->turn != NULL)
        assert_true(vclock_step(host->world->clock));
}

/* The host's next completion, with when it took it. */
static inline struct seen wait_seen(struct host *host)
{
    while (host->count == 0)
        assert_true(vclock_step(host->world->clock));

    struct seen seen = host->seen[host->first];

    host->first = (host->first + 1) % SEEN_MAX;
    host->count--;
    return seen;
}

/* Returns when the host took it. */
static inline uint64_t expect(struct host *host, enum ev_kind kind, uint64_t token, int32_t ret)
{
    struct seen seen = wait_seen(host);

    assert_int_equal(seen.ev.kind, kind);
    assert_int_equal(seen.ev.token, token);
    assert_int_equal(seen.ev.ret, ret);
    return seen.at_ns;
}

static inline void expect_quiet(struct host *host)
{
    settle(host->world);
    assert_int_equal(host->count, 0);
}

static inline struct call_addr local_addr(uint16_t port)
{
    struct call_addr addr;

    call_addr4(&addr, loopback, port);
    return addr;
}

static inline void start_connect(struct host *host, uint64_t token, uint16_t port)
{
    struct call_addr addr = local_addr(port);

    net_connect(host->net, token, &addr);
}

static inline void start_listener(struct host *host, uint16_t port, uint32_t backlog)
{
    struct call_addr addr = local_addr(port);

    net_bind(host->net, LISTENER, &addr);
    expect(host, EV_NET_BIND, LISTENER, 0);
    net_listen(host->net, LISTENER, backlog);
    expect(host, EV_NET_LISTEN, LISTENER, 0);
}

/* Connect A of the client to B of the server, whose LISTENER stays. */
static inline void connect_pair(struct world *world)
{
    start_listener(&world->hosts[SERVER], PORT, 8);
    net_accept(world->hosts[SERVER].net, B, LISTENER);
    start_connect(&world->hosts[CLIENT], A, PORT);
    expect(&world->hosts[SERVER], EV_NET_ACCEPT, B, 0);
    expect(&world->hosts[CLIENT], EV_NET_CONNECT, A, 0);
}

static inline void start_write(struct host *host, uint64_t token, const void *data, size_t bytes)
{
    const struct shared_iov iov = {(void *)(uintptr_t)data, bytes};

    net_write(host->net, token, &iov, 1);
}

static inline void start_read(struct host *host, uint64_t token, void *data, size_t bytes)
{
    const struct shared_iov iov = {data, bytes};

    net_read(host->net, token, &iov, 1);
}

static inline void send_bytes(struct host *host, uint64_t token, const void *data, size_t bytes)
{
    start_write(host, token, data, bytes);
    expect(host, EV_NET_WRITE, token, (int32_t)bytes);
}

/* Read once and compare; returns when. */
static inline uint64_t expect_text(struct host *host, uint64_t token, const char *text)
{
    char in[64] = "";
    uint64_t at_ns;

    start_read(host, token, in, sizeof(in) - 1);
    at_ns = expect(host, EV_NET_READ, token, (int32_t)strlen(text));
    assert_string_equal(in, text);
    return at_ns;
}

/* Read once: the end, or an error. */
static inline void expect_read(struct host *host, uint64_t token, int32_t ret)
{
    char in[8];

    start_read(host, token, in, sizeof(in));
    expect(host, EV_NET_READ, token, ret);
}

static inline void expect_write(struct host *host, uint64_t token, int32_t ret)
{
    start_write(host, token, "x", 1);
    expect(host, EV_NET_WRITE, token, ret);
}

static inline void close_socket(struct host *host, uint64_t token)
{
    net_close(host->net, token);
    expect(host, EV_NET_CLOSE, token, 0);
}

/* The byte at an offset of a stream; neighbours and pages differ. */
static inline unsigned char stream_byte(uint64_t offset)
{
    return (unsigned char)(offset * 31 + offset / 4096 * 7 + offset / 251);
}

#define VIRTUAL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
