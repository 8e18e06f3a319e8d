/*
 * Forwarding from many listeners on the backend's side, more than the command ring has room for:
 * each is heard in time, whatever the others do.
 */
#include "ringlib/err.h"
#include "tests/support/forward_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MANY = 12, ROOM = 6 /* to park in a ring of 8 */ };

static uint64_t listening[MANY]; /* the backend's tokens */

/* All rules listen; which is which shows in what the backend is to bind. */
static void start(void)
{
    struct net_mem_op op;

    pair_start_front(&world.pair);
    pair_start_back(&world.pair);
    world_run();
    while (world_pending(world.pair.net, EV_NET_BIND, &op)) {
        listening[call_addr_port(&op.addr) - 7000] = op.token;
        world_complete(world.pair.net, EV_NET_BIND, 0);
    }
    world_settle();
    assert_int_equal(world.heard_count, MANY);
}

static void open_many(uint32_t max_connections)
{
    enum forward_kind kinds[MANY];

    for (uint32_t i = 0; i < MANY; i++)
        kinds[i] = FORWARD_REMOTE;
    world_create(kinds, MANY, max_connections);
    start();
}

static bool finish_of(enum ev_kind kind, uint32_t rule, int32_t ret, uint64_t *token)
{
    struct net_mem_op op;

    for (uint32_t i = 0; net_mem_pending(world.pair.net, i, &op); i++) {
        if (op.kind != kind || op.listener != listening[rule])
            continue;
        assert_true(net_mem_complete(world.pair.net, kind, op.token, ret, NULL));
        *token = op.token;
        world_run();
        return true;
    }
    return false;
}

static uint32_t pending(enum ev_kind kind)
{
    struct net_mem_op op;
    uint32_t count = 0;

    for (uint32_t i = 0; net_mem_pending(world.pair.net, i, &op); i++)
        count += op.kind == kind ? 1u : 0u;
    return count;
}

static uint64_t finish_by(uint64_t end_ns, enum ev_kind kind, uint32_t rule)
{
    uint64_t token = 0;

    while (!finish_of(kind, rule, 0, &token)) {
        assert_true(world.pair.now_ns <= end_ns);
        world_run_at(world.pair.now_ns + BE_POLL_NS / 2);
    }
    return token;
}

/* Somebody comes to a rule, and is joined to its service; how long it waited. */
static uint64_t join(uint32_t rule, uint64_t most_ns, struct talk *talk)
{
    uint64_t since_ns = world.pair.now_ns;
    struct net_mem_op op;

    finish_by(since_ns + most_ns, EV_NET_POLL, rule);
    talk->peer = finish_by(since_ns + most_ns, EV_NET_ACCEPT, rule);
    assert_true(world_pending(world.net, EV_NET_CONNECT, &op));
    assert_memory_equal(&op.addr, &world.rules[rule].target, sizeof(op.addr));
    talk->program = world_complete(world.net, EV_NET_CONNECT, 0);
    assert_lives(*talk);
    return world.pair.now_ns - since_ns;
}

/* Nothing has happened for long, so that a turn lasts longest. */
static void each_listener_is_heard(void **state)
{
    const uint64_t most_ns = (MANY / ROOM) * (uint64_t)BE_POLL_MAX_NS;
    struct talk talk;

    (void)state;
    open_many(1000);
    assert_int_equal(pending(EV_NET_ACCEPT), 0);
    for (uint32_t i = 0; i < 3 * MANY; i++) {
        for (uint64_t end_ns = world.pair.now_ns + 10 * most_ns; world.pair.now_ns < end_ns;)
            world_run_at(world.pair.now_ns + BE_POLL_NS);
        assert_in_range(join(i * 5 % MANY, most_ns, &talk), 0, most_ns);
    }
    assert_int_equal(world_counters()->joined, 3 * MANY);
    world_close();
}

/* Nobody waits for listeners to whom one comes after the other. */
static void busy_listeners_leave_room(void **state)
{
    struct talk talk;

    (void)state;
    open_many(1000);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 5; i++)
            join(i, 2 * (uint64_t)BE_POLL_NS * MANY, &talk);
        join(5 + round % 7, 2 * (uint64_t)BE_POLL_NS * MANY, &talk);
    }
    world_close();
}

/* One rule of the twelve is for programs that want to reach targets that never answer. */
static void listeners_are_heard_beside_dead_targets(void **state)
{
    enum forward_kind kinds[MANY] = {FORWARD_LOCAL};
    const uint64_t most_ns = 3 * (uint64_t)BE_POLL_MAX_NS; /* 11 listeners, and room for four */
    struct talk talk;

    (void)state;
    for (uint32_t i = 1; i < MANY; i++)
        kinds[i] = FORWARD_REMOTE;
    world_create(kinds, MANY, 1000);
    start();
    for (uint32_t i = 0; i < 20; i++)
        world_complete(world.net, EV_NET_ACCEPT, 0);
    for (uint32_t i = 0; i < 30; i++)
        join(1 + i * 5 % (MANY - 1), most_ns, &talk);
    assert_in_range(pending(EV_NET_CONNECT), 1, 2);
    world_close();
}

/* Who is there while there is no room has it as soon as there is. */
static void no_more_than_there_is_room_for(void **state)
{
    struct talk talks[2], third;

    (void)state;
    open_many(2);
    join(0, 2 * (uint64_t)BE_POLL_MAX_NS, &talks[0]);
    join(1, 2 * (uint64_t)BE_POLL_MAX_NS, &talks[1]);
    for (uint32_t i = 0; i < MANY; i++) /* but the one that was joined last does not ask */
        if (i != 1)
            finish_by(world.pair.now_ns + 2 * (uint64_t)BE_POLL_MAX_NS, EV_NET_POLL, i);
    assert_int_equal(pending(EV_NET_ACCEPT) + pending(EV_NET_POLL), 0);
    world_end(world.pair.net, talks[1].peer, -ERR_CONNRESET);
    assert_int_equal(pending(EV_NET_POLL), ROOM);
    join(2, 2 * (uint64_t)BE_POLL_MAX_NS, &third);
    assert_int_equal(world_counters()->most, 2);
    world_close();
}

static void failed_poll_is_tried_again(void **state)
{
    struct talk talk;
    uint64_t token;

    (void)state;
    open_many(1000);
    assert_true(finish_of(EV_NET_POLL, MANY - 1, -ERR_NOMEM, &token));
    assert_in_range(world.due_ns, 1, STEP_NEVER - 1);
    world_run_at(world.due_ns);
    join(MANY - 1, 4 * (uint64_t)BE_POLL_MAX_NS, &talk);
    world_close();
}

static void device_goes_and_comes_again(void **state)
{
    struct talk talk;

    (void)state;
    open_many(1000);
    join(3, 2 * (uint64_t)BE_POLL_MAX_NS, &talk);
    exec_post(world.pair.back, 0, EV_STOP);
    world_run();
    assert_true(world.pair.gone);
    assert_ended(talk, NET_MEM_RESET);
    world.heard_count = 0;
    start();
    for (uint32_t i = 0; i < MANY; i++)
        join(i, 2 * (uint64_t)BE_POLL_MAX_NS, &talk);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_listener_is_heard),
        cmocka_unit_test(busy_listeners_leave_room),
        cmocka_unit_test(listeners_are_heard_beside_dead_targets),
        cmocka_unit_test(no_more_than_there_is_room_for),
        cmocka_unit_test(failed_poll_is_tried_again),
        cmocka_unit_test(device_goes_and_comes_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
