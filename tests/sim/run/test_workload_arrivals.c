/*
 * The open loop: when requests begin, and what their latency counts from. A workload on a real
 * frontend and backend, with the times and the far end under the test's control. Times stay below
 * 2048 ns of each other where histograms are looked at: there a bucket is one ns wide.
 */
#include "sim/run/workload.h"
#include "sim/time/prng.h"

#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 UINT64_C(1000000007)
#define FOREVER UINT64_C(3600000000000)

enum { REQUEST = 64, SOCKETS = 2, LIST = 200 };

struct world {
    struct pair pair;
    struct scenario scenario;
    struct workload_set *set;
    uint64_t tokens[SOCKETS]; /* of the backend, by number of the socket */
    uint64_t answered[SOCKETS];
};

static struct world world;

static void upcall(void *self, const struct act *act)
{
    (void)self;
    workload_upcall(world.set, act);
}

static void ignore_phase(void *self, enum workload_phase phase, bool listening)
{
    (void)self;
    (void)phase;
    (void)listening;
}

/* A turn of the guest at a time, and all that follows from it up to the peer. Returns when the
 * workload wants the next. */
static uint64_t at(uint64_t now_ns)
{
    world.pair.now_ns = now_ns;
    pair_forget(&world.pair);
    pair_settle(&world.pair);
    uint64_t due_ns = workload_time(world.set, now_ns);
    pair_settle(&world.pair);
    return due_ns;
}

/* The scenario of a test: to be changed before open_world. */
static struct scenario_workload *plan(enum scenario_arrivals kind, uint64_t per_s)
{
    struct scenario_workload *workload = &world.scenario.workloads[0];

    memset(&world, 0, sizeof(world));
    world.scenario.seed = 5;
    world.scenario.duration_ns = FOREVER;
    world.scenario.workload_count = world.scenario.peer_count = 1;
    world.scenario.peers[0] =
        (struct scenario_peer){.kind = SCENARIO_PEER_EXTERNAL, .addr = {.addr = pair_addr(80)}};
    *workload = (struct scenario_workload){.name = "ask",
                                           .kind = SCENARIO_REQUEST_RESPONSE,
                                           .sockets = 1,
                                           .request = {.value = REQUEST},
                                           .arrivals = {.kind = kind, .per_s = per_s}};
    return workload;
}

/* Up to T0, when the workload starts; returns what `at` does. */
static uint64_t open_world(const char *guest)
{
    struct pair *pair = &world.pair;
    uint32_t sockets = world.scenario.workloads[0].sockets;

    pair_open(pair, &(struct pair_config){.not_started = true, .upcall = upcall});
    world.set = workload_create(&(struct workload_env){.scenario = &world.scenario,
                                                       .exec = pair->front,
                                                       .fe = pair->fe,
                                                       .name = guest,
                                                       .max_sockets = pair->config.max_sockets,
                                                       .phase = ignore_phase});
    assert_non_null(world.set);
    pair->now_ns = T0;
    workload_time(world.set, T0);
    pair_start_front(pair);
    pair_start_back(pair);
    pair_run(pair);
    assert_int_equal(pair_pending_count(pair, EV_NET_CONNECT), sockets);
    for (uint32_t i = 0, taken = 0; taken < sockets; i++) {
        struct net_mem_op op;
        assert_true(net_mem_pending(pair->net, i, &op));
        if (op.kind == EV_NET_CONNECT)
            world.tokens[taken++] = op.token;
    }
    return at(T0);
}

static void close_world(void)
{
    workload_interrupt(world.set);
    at(world.pair.now_ns);
    assert_int_equal(workload_phase(world.set), WORKLOAD_DONE);
    pair_close(&world.pair);
    workload_destroy(world.set);
}

/* How many requests of a socket have come to the peer. */
static uint64_t asked(uint32_t socket)
{
    uint64_t bytes;

    net_mem_written(world.pair.net, world.tokens[socket], &bytes);
    return bytes / REQUEST;
}

/* The peer sends a request back; the guest learns of it in its next turn. */
static void answer(uint32_t socket)
{
    uint64_t bytes, from = world.answered[socket]++ * REQUEST;
    const unsigned char *written = net_mem_written(world.pair.net, world.tokens[socket], &bytes);

    assert_true(bytes >= from + REQUEST);
    assert_true(net_mem_complete(world.pair.net, EV_NET_READ, world.tokens[socket], REQUEST,
                                 written + from));
}

static struct workload_result result(void)
{
    struct workload_result now;

    workload_result(world.set, 0, &now);
    assert_int_equal(now.errors, 0);
    assert_int_equal(now.mismatches, 0);
    return now;
}

static uint64_t times(const struct metrics_hist *hist, uint64_t value_ns)
{
    return hist->buckets[metrics_hist_bucket_index(value_ns)];
}

/* Each request begins when it is to and is answered at once: the times of the first of them. */
static void collect(const char *guest, enum scenario_arrivals kind, uint64_t per_s,
                    uint64_t list[LIST])
{
    plan(kind, per_s);
    uint64_t due_ns = open_world(guest);
    for (uint32_t i = 0; i < LIST; i++) {
        if (i == 0 && asked(0) == 1) {
            list[0] = T0; /* begun at once */
        } else {
            list[i] = due_ns;
            at(due_ns);
        }
        assert_int_equal(asked(0), i + 1);
        answer(0);
        due_ns = at(world.pair.now_ns);
    }
    close_world();
}

/* 1 / 7 s has no end in ns, and still nothing adds up: each start is the exact one, rounded down.
 */
static void fixed_starts_are_exact(void **state)
{
    uint64_t list[LIST];

    (void)state;
    collect("web", SCENARIO_FIXED, 7, list);
    for (uint64_t k = 0; k < LIST; k++)
        assert_true(list[k] == T0 + k * 1000000000 / 7);
    collect("web", SCENARIO_FIXED, SCENARIO_RATE_MAX, list);
    assert_true(list[LIST - 1] == T0 + (LIST - 1) * 1000);
}

/* Three at once, and as many a second as without bursts: at 0, 428, 857 ms, ... Each has its
 * latency from the start of its burst, however few sockets there are. */
static void bursts_come_at_once(void **state)
{
    struct scenario_workload *workload = plan(SCENARIO_BURST, 7);
    uint64_t due_ns = 0;

    (void)state;
    workload->arrivals.size = 3;
    open_world("web");
    for (uint64_t k = 0; k < 20; k++) {
        uint64_t start_ns = T0 + k * 3 * 1000000000 / 7;
        assert_true(k == 0 || due_ns == start_ns);
        at(start_ns);
        for (uint64_t i = 0; i < 3; i++) {
            assert_int_equal(asked(0), 3 * k + i + 1);
            answer(0);
            due_ns = at(start_ns + 100 * (i + 1));
        }
    }
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(times(result().latency, 100 * i), 20);
    assert_int_equal(times(result().service, 100), 60);
    close_world();
}

/* At their rate while on, of which time off takes nothing: the k-th start is the k-th fixed one,
 * and as many times off later as there were times on before. */
static void on_off_starts_are_exact(void **state)
{
    struct scenario_workload *workload = plan(SCENARIO_ON_OFF, 7000);
    uint64_t due_ns;

    (void)state;
    workload->arrivals.on_ns = 1000001;
    workload->arrivals.off_ns = 90000000;
    due_ns = open_world("web");
    for (uint64_t k = 0; k < 100; k++) {
        uint64_t on_ns = k * 1000000000 / 7000;
        if (k > 0) {
            assert_true(due_ns == T0 + on_ns + on_ns / 1000001 * 90000000);
            at(due_ns);
        }
        assert_int_equal(asked(0), k + 1);
        answer(0);
        due_ns = at(world.pair.now_ns);
    }
    assert_true(due_ns > T0 + 14 * UINT64_C(90000000) && due_ns < T0 + 15 * UINT64_C(91000001));
    close_world();
}

/* The gaps are exponential, in parts of a ns; the first start is one of them after T0. */
static void poisson_starts_follow_seed_and_names(void **state)
{
    uint64_t list[LIST], again[LIST], other[LIST], sum = 0, same = 0;
    struct prng prng;

    (void)state;
    collect("web", SCENARIO_POISSON, 5000, list);
    prng_init(&prng, 5, "web/ask", 0);
    for (uint32_t k = 0; k < LIST; k++) {
        sum += prng_exponential(&prng, 1000000000);
        assert_true(list[k] == T0 + sum / 5000);
    }
    collect("web", SCENARIO_POISSON, 5000, again);
    assert_memory_equal(list, again, sizeof(list));
    collect("db", SCENARIO_POISSON, 5000, other);
    for (uint32_t k = 0; k < LIST; k++)
        same += list[k] == other[k];
    assert_int_equal(same, 0);
}

/* A guest that sleeps through 20 starts begins them late, and the 21st when it always was to. */
static void lateness_changes_no_start(void **state)
{
    uint64_t list[LIST], due_ns;

    (void)state;
    collect("web", SCENARIO_POISSON, 5000, list);
    plan(SCENARIO_POISSON, 5000);
    assert_true(open_world("web") == list[0]);
    for (uint32_t i = 0; i < 20; i++) {
        due_ns = at(list[19]);
        assert_int_equal(asked(0), i + 1); /* one at a time: there is one socket */
        assert_true(due_ns > list[20]);    /* no need to be called while it is busy */
        answer(0);
    }
    assert_true(at(list[19]) == list[20]);
    assert_int_equal(asked(0), 20);
    close_world();
}

/* The figures by hand: starts are to be at 0, 1000, 2000, 3000 after T0. */
static void latency_counts_from_the_intended_start(void **state)
{
    static const uint64_t latencies[] = {1500, 1100, 200, 100}, services[] = {1500, 600, 100, 93};

    (void)state;
    plan(SCENARIO_FIXED, SCENARIO_RATE_MAX);
    assert_true(open_world("web") == T0 + FOREVER); /* 0 is begun, the socket is busy */
    answer(0);
    at(T0 + 1500); /* 1 begins, 500 late */
    answer(0);
    at(T0 + 2100); /* 2 begins, 100 late */
    answer(0);
    assert_true(at(T0 + 2200) == T0 + 3000);
    at(T0 + 3007); /* 3 begins, 7 late, because the loop was */
    assert_int_equal(asked(0), 4);
    answer(0);
    at(T0 + 3100);
    struct workload_result now = result();
    assert_int_equal(now.operations, 4);
    assert_int_equal(now.latency->count, 4);
    assert_int_equal(now.service->count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(times(now.latency, latencies[i]), 1);
        assert_int_equal(times(now.service, services[i]), 1);
    }
    close_world();
}

/* Whom nobody waits for has one latency, from when it asked; the next follows the answer. */
static void closed_loop_has_no_service_time(void **state)
{
    (void)state;
    plan(SCENARIO_FIXED, 0)->operations = 2;
    open_world("web");
    answer(0);
    at(T0 + 1500);
    assert_int_equal(asked(0), 2);
    answer(0);
    at(T0 + 1600);
    struct workload_result now = result();
    assert_null(now.service);
    assert_int_equal(times(now.latency, 1500), 1);
    assert_int_equal(times(now.latency, 100), 1);
    close_world();
}

/* The socket that has been idle for longest is next, though another one is idle too. */
static void idle_sockets_take_turns(void **state)
{
    (void)state;
    plan(SCENARIO_FIXED, SCENARIO_RATE_MAX)->sockets = 2;
    open_world("web");
    for (uint32_t i = 1; i <= 6; i++) {
        assert_int_equal(asked(0) + asked(1), i);
        assert_int_equal(asked(0), (i + 1) / 2);
        answer((i + 1) % 2);
        assert_true(at(world.pair.now_ns) == T0 + i * 1000);
        at(T0 + i * 1000);
    }
    answer(0);
    at(T0 + 6500);
    close_world();
}

/* An idle socket whose peer has gone is passed over. */
static void lost_idle_socket_gets_no_request(void **state)
{
    (void)state;
    plan(SCENARIO_FIXED, SCENARIO_RATE_MAX)->sockets = 2;
    open_world("web");
    answer(0);
    at(T0 + 10);
    net_mem_complete(world.pair.net, EV_NET_READ, world.tokens[1], 0, NULL);
    at(T0 + 20);
    at(T0 + 1000);
    assert_int_equal(asked(0), 2);
    assert_int_equal(asked(1), 0);
    answer(0);
    at(T0 + 1100);
    result();
    close_world();
}

/* At the end 1 to 5 are due and have not begun; what was begun is awaited. */
static void end_drops_what_waits(void **state)
{
    (void)state;
    plan(SCENARIO_FIXED, SCENARIO_RATE_MAX);
    world.scenario.duration_ns = 5000;
    open_world("web");
    assert_true(at(T0 + 4999) == T0 + 5000);
    at(T0 + 5000);
    assert_int_equal(workload_phase(world.set), WORKLOAD_DRAIN);
    assert_int_equal(result().backlog, 5);
    answer(0);
    at(T0 + 5100);
    assert_int_equal(asked(0), 1);
    assert_int_equal(workload_phase(world.set), WORKLOAD_DONE);
    assert_int_equal(result().backlog, 5);
    assert_int_equal(result().operations, 0);
    assert_int_equal(result().latency->count, 0);
    close_world();
}

/* What is due at the very end and finds an idle socket is begun: nothing is left of it. */
static void end_begins_what_can(void **state)
{
    (void)state;
    plan(SCENARIO_FIXED, SCENARIO_RATE_MAX);
    world.scenario.duration_ns = 1000;
    open_world("web");
    answer(0);
    at(T0 + 900);
    at(T0 + 1000);
    assert_int_equal(asked(0), 2);
    assert_int_equal(result().backlog, 0);
    answer(0);
    at(T0 + 1100);
    assert_int_equal(result().operations, 1);
    assert_int_equal(workload_phase(world.set), WORKLOAD_DONE);
    close_world();
}

/* All begun, and the idle socket is not kept waiting for a fourth. */
static void operations_end_it(void **state)
{
    struct scenario_workload *workload = plan(SCENARIO_FIXED, SCENARIO_RATE_MAX);

    (void)state;
    workload->sockets = 2;
    workload->operations = 3;
    open_world("web");
    at(T0 + 1900);
    answer(0);
    answer(1);
    at(T0 + 1950);
    at(T0 + 9000); /* 2 begins; 3 to 9 are not wanted */
    assert_int_equal(asked(0) + asked(1), 3);
    answer(0);
    at(T0 + 9100);
    assert_int_equal(workload_phase(world.set), WORKLOAD_DONE);
    assert_int_equal(result().operations, 3);
    assert_int_equal(result().backlog, 0);
    close_world();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_starts_are_exact),
        cmocka_unit_test(bursts_come_at_once),
        cmocka_unit_test(on_off_starts_are_exact),
        cmocka_unit_test(poisson_starts_follow_seed_and_names),
        cmocka_unit_test(lateness_changes_no_start),
        cmocka_unit_test(latency_counts_from_the_intended_start),
        cmocka_unit_test(closed_loop_has_no_service_time),
        cmocka_unit_test(idle_sockets_take_turns),
        cmocka_unit_test(lost_idle_socket_gets_no_request),
        cmocka_unit_test(end_drops_what_waits),
        cmocka_unit_test(end_begins_what_can),
        cmocka_unit_test(operations_end_it),
    };

    return !!cmocka_run_group_tests_name("workload_arrivals", tests, NULL, NULL);
}
