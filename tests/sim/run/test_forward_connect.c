/*
 * Forwarding to targets that do not answer: what they leave to others, and how long it lasts.
 * Target i of a SOCKS program is port 100 + i; a rule leads to 8000 and its number.
 */
#include "ringlib/err.h"
#include "tests/support/forward_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ROOM = 7, HALF = 3 };
static const uint64_t TURN_NS = UINT64_C(250) * 1000 * 1000;

#define GREETING "\5\1\0"
#define BYTES(text) (text), (int32_t)sizeof(text) - 1

/* Until then, with all that is due on the way. */
static void run_to(uint64_t now_ns)
{
    while (world.due_ns < now_ns)
        world_run_at(world.due_ns > world.pair.now_ns ? world.due_ns : world.pair.now_ns + 1);
    world_run_at(now_ns);
}

/* CONNECTs of the backend to a port (0: to any), and the first of them. */
static uint32_t connects(uint16_t port, uint64_t *first)
{
    struct net_mem_op op;
    uint32_t count = 0;

    for (uint32_t i = 0; net_mem_pending(world.pair.net, i, &op); i++) {
        if (op.kind != EV_NET_CONNECT || (port != 0 && call_addr_port(&op.addr) != port))
            continue;
        if (count++ == 0 && first)
            *first = op.token;
    }
    return count;
}

static uint64_t answers(uint16_t port, int32_t ret)
{
    uint64_t peer = 0;

    assert_in_range(connects(port, &peer), 1, ROOM);
    assert_true(net_mem_complete(world.pair.net, EV_NET_CONNECT, peer, ret, NULL));
    world_run();
    return peer;
}

/* Somebody comes to a rule. */
static uint64_t comes(uint32_t rule)
{
    struct net_mem_op op;

    for (uint32_t i = 0; net_mem_pending(world.net, i, &op); i++) {
        if (op.kind != EV_NET_ACCEPT || (uint32_t)op.listener != rule)
            continue;
        assert_true(net_mem_complete(world.net, EV_NET_ACCEPT, op.token, 0, NULL));
        world_run();
        return op.token;
    }
    fail_msg("rule %u accepts nobody", rule);
    return 0;
}

/* A SOCKS program that wants to reach a port. */
static uint64_t wants(uint16_t port)
{
    char request[10] = {5, 1, 0, 1, 127, 0, 0, 1, (char)(port >> 8), (char)port};
    uint64_t program = comes(0);

    assert_true(net_mem_complete(world.net, EV_NET_READ, program, 3, GREETING));
    world_run();
    assert_true(net_mem_complete(world.net, EV_NET_WRITE, program, 2, NULL));
    world_run();
    assert_true(net_mem_complete(world.net, EV_NET_READ, program, 10, request));
    world_run();
    return program;
}

static void hears_reply(uint64_t program, uint8_t reply)
{
    uint64_t bytes;

    assert_true(net_mem_complete(world.net, EV_NET_WRITE, program, 10, NULL));
    const unsigned char *written = net_mem_written(world.net, program, &bytes);
    assert_int_equal(bytes, 12);
    assert_int_equal(written[3], reply);
    world_run();
}

/* ---- the grant table ---- */

/* A ring has two pages, and the table room for three and the command ring: who comes fourth is
 * connected when somebody has gone, and the fifth after it. */
static void a_full_table_is_waited_for(void **state)
{
    static const enum forward_kind one_local[] = {FORWARD_LOCAL};
    const struct hypervisor_config limits = {.grants_max = HV_REFS_RESERVED + 1 + 3 * 2};
    struct talk talks[3];

    (void)state;
    world_machine = hv_mem_create(&limits);
    world_create(one_local, 1, 100);
    world_start();
    for (uint32_t i = 0; i < 3; i++)
        talks[i] = (struct talk){comes(0), answers(8000, 0)};
    uint64_t fourth = comes(0), fifth = comes(0);
    assert_int_equal(connects(8000, NULL), 0);
    assert_true(world.due_ns < world.pair.now_ns + TURN_NS / 10);
    run_to(world.pair.now_ns + TURN_NS);
    assert_int_equal(connects(8000, NULL), 0);
    for (uint32_t i = 0; i < 2; i++) {
        world_end(world.net, talks[i].program, 0);
        world_end(world.pair.net, talks[i].peer, 0);
        world_settle();
        run_to(world.pair.now_ns + TURN_NS);
        assert_int_equal(connects(8000, NULL), 1);
        struct talk talk = {i == 0 ? fourth : fifth, answers(8000, 0)};
        assert_lives(talk);
    }
    assert_int_equal(world_counters()->refused, 0);
    world_close();
    hv_mem_destroy(world_machine);
    world_machine = NULL;
}

/* ---- one target ---- */

static const enum forward_kind two_local[] = {FORWARD_LOCAL, FORWARD_LOCAL};

/* Half of the room, at once: no time passes. */
static void one_dead_target_has_half_of_the_room(void **state)
{
    (void)state;
    world_create(two_local, 2, 100);
    world_start();
    for (uint32_t i = 0; i < 50; i++)
        comes(0);
    assert_int_equal(connects(8000, NULL), HALF);
    for (uint32_t i = 0; i < 40; i++) {
        struct talk talk = {comes(1), answers(8001, 0)};
        assert_lives(talk);
    }
    assert_int_equal(connects(8000, NULL), HALF);
    assert_int_equal(world_counters()->joined, 40);
    world_close();
}

/* One that answers has all of it, until it dies: then others wait for one turn. */
static void live_target_has_all_of_the_room(void **state)
{
    (void)state;
    world_create(two_local, 2, 100);
    world_start();
    for (uint32_t i = 0; i < 20; i++)
        comes(0);
    assert_int_equal(connects(8000, NULL), HALF);
    answers(8000, 0);
    assert_int_equal(connects(8000, NULL), ROOM);
    run_to(TURN_NS - 1);
    answers(8000, -ERR_CONNREFUSED); /* an answer, too */
    assert_int_equal(connects(8000, NULL), ROOM);
    comes(1);
    run_to(TURN_NS);
    assert_int_equal(connects(8000, NULL), HALF + 1); /* of which one has just been asked for */
    answers(8001, 0);
    run_to(2 * TURN_NS - 1);
    assert_in_range(connects(8000, NULL), HALF, HALF + 1);
    run_to(2 * TURN_NS);
    comes(0);
    assert_int_equal(connects(8000, NULL), HALF);
    world_close();
}

/* Nor does it matter how long that lasts. */
static void live_target_is_asked_at_once_for_ever(void **state)
{
    (void)state;
    world_create(two_local, 2, 1000);
    world_start();
    for (uint64_t now_ns = 0; now_ns < 3 * WORLD_CONNECT_NS; now_ns += TURN_NS / 2) {
        run_to(now_ns);
        comes(0);
        comes(0);
        comes(1);
        answers(8001, 0);
    }
    world_close();
}

/* Each that ends one way or the other lets the next one go. */
static void those_that_wait_follow(void **state)
{
    (void)state;
    world_create(two_local, 1, 100);
    world_start();
    for (uint32_t i = 0; i < 30; i++)
        comes(0);
    for (uint32_t i = 0; i < 30; i++)
        answers(8000, i % 3 == 1 ? -ERR_CONNREFUSED : 0);
    assert_int_equal(connects(0, NULL), 0);
    assert_int_equal(world_counters()->joined, 20);
    assert_int_equal(world_counters()->refused, 10);
    world_close();
}

/* ---- many targets ---- */

/* As long as nobody knows who is dead, each turn tells of as many as there is room for. */
static void dead_targets_are_found_out(void **state)
{
    (void)state;
    world_open(FORWARD_SOCKS, 100);
    for (uint16_t i = 0; i < ROOM; i++)
        wants(100 + i);
    assert_int_equal(connects(0, NULL), ROOM);
    wants(80);
    run_to(TURN_NS - 1);
    assert_int_equal(connects(80, NULL), 0);
    run_to(TURN_NS);
    uint64_t program = world_counters()->now; /* nobody is lost */
    assert_int_equal(program, ROOM + 1);
    assert_int_equal(connects(0, NULL), HALF + 1);
    answers(80, 0);

    for (uint16_t i = 0; i < ROOM; i++)
        wants(100 + i); /* again: they are known */
    assert_int_equal(connects(0, NULL), HALF);
    wants(80);
    answers(80, 0);
    assert_int_equal(connects(0, NULL), HALF);
    world_close();
}

/* 20 dead targets with three programs each, and 1,000 connections to one that lives, at any time.
 */
static void live_ones_go_on_beside_many_dead(void **state)
{
    (void)state;
    world_open(FORWARD_SOCKS, 100);
    for (uint16_t i = 0; i < 60; i++)
        wants(100 + i / 3);
    run_to(20 * TURN_NS);
    for (uint32_t i = 0; i < 1000; i++) {
        run_to(20 * TURN_NS + i * UINT64_C(1000000));
        uint64_t program = wants(80);
        uint64_t peer = answers(80, 0);
        hears_reply(program, 0);
        world_end(world.net, program, -ERR_CONNRESET);
        assert_int_equal(net_mem_end(world.pair.net, peer), NET_MEM_CLOSED);
        assert_in_range(connects(0, NULL), 1, HALF);
    }
    assert_int_equal(world_counters()->joined, 1000);
    world_close();
}

/* A target that takes 1.5 s to answer, one of six that wait for their turn: that becomes longer
 * until it is long enough. */
static void far_target_is_reached_in_the_end(void **state)
{
    uint64_t since_ns = 0, token, asked = 0;
    bool any = false, reached = false;

    (void)state;
    world_open(FORWARD_SOCKS, 100);
    for (uint16_t i = 0; i < 5; i++)
        wants(100 + i);
    uint64_t program = wants(80);
    while (!reached && world.pair.now_ns < WORLD_CONNECT_NS) {
        bool now = connects(80, &token) > 0;
        if (now && (!any || token != asked))
            since_ns = world.pair.now_ns;
        any = now;
        asked = token;
        if (any && world.pair.now_ns - since_ns >= UINT64_C(6) * TURN_NS) {
            answers(80, 0);
            hears_reply(program, 0);
            reached = true;
        }
        run_to(world.pair.now_ns + TURN_NS / 10);
    }
    assert_true(reached);
    world_close();
}

/* All of them have a turn, whatever their number. */
static void slow_ones_take_turns(void **state)
{
    uint32_t seen[12] = {0};

    (void)state;
    world_open(FORWARD_SOCKS, 100);
    for (uint16_t i = 0; i < 12; i++)
        wants(100 + i);
    while (world.pair.now_ns < WORLD_CONNECT_NS) {
        for (uint16_t i = 0; i < 12; i++)
            seen[i] += connects(100 + i, NULL);
        run_to(world.pair.now_ns + TURN_NS / 2);
    }
    for (uint32_t i = 0; i < 12; i++)
        assert_in_range(seen[i], 8, 40); /* of 80: one of three, but for the turns' lengths */
    world_close();
}

/* However many come for others: one of the slow is always asked for, each in its turn. */
static void slow_ones_are_not_starved(void **state)
{
    uint32_t seen[5] = {0};

    (void)state;
    world_open(FORWARD_SOCKS, 2000);
    for (uint16_t i = 0; i < 5; i++)
        wants(100 + i);
    for (uint16_t i = 0; i < 10; i++)
        wants(80 + i % 2);
    while (world.pair.now_ns < 32 * TURN_NS) { /* two that live, and a queue before each */
        wants(80);
        wants(81);
        answers(80, 0);
        answers(81, 0);
        run_to(world.pair.now_ns + TURN_NS / 10);
        assert_int_equal(connects(0, NULL), ROOM);
        assert_in_range(connects(80, NULL) + connects(81, NULL), 2, ROOM - 1);
        for (uint16_t i = 0; i < 5 && world.pair.now_ns > 4 * TURN_NS; i++)
            seen[i] += connects(100 + i, NULL);
    }
    for (uint32_t i = 0; i < 5; i++)
        assert_in_range(seen[i], 1, 279); /* of 280 */
    world_close();
}

/* Those who wait for a target that is slow are so too. */
static void queue_before_a_dead_target_is_passed(void **state)
{
    (void)state;
    world_open(FORWARD_SOCKS, 100);
    for (uint16_t i = 0; i < 40; i++)
        wants(100 + i % 2);
    wants(80);
    run_to(TURN_NS - 1);
    assert_int_equal(connects(0, NULL), ROOM);
    run_to(TURN_NS);
    answers(80, 0);
    world_close();
}

/* One that answers after all is not slow any more, and neither is who waits for it. */
static void target_that_answers_is_not_slow(void **state)
{
    (void)state;
    world_open(FORWARD_SOCKS, 100);
    for (uint16_t i = 0; i < 20; i++)
        wants(80);
    for (uint16_t i = 0; i < 10; i++)
        wants(100 + i);
    run_to(10 * TURN_NS);
    while (connects(80, NULL) == 0)
        run_to(world.pair.now_ns + TURN_NS);
    uint64_t then_ns = world.pair.now_ns;
    for (uint32_t i = 0; i < 20; i++)
        answers(80, 0);
    assert_int_equal(world.pair.now_ns, then_ns);
    world_close();
}

/* ---- the end of waiting ---- */

static void waiting_is_over_in_time(void **state)
{
    (void)state;
    world_create(two_local, 2, 100);
    world_start();
    uint64_t programs[20];
    for (uint32_t i = 0; i < 20; i++)
        programs[i] = comes(0);
    run_to(WORLD_CONNECT_NS - 1);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(net_mem_end(world.net, programs[i]), NET_MEM_OPEN);
    run_to(WORLD_CONNECT_NS);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(net_mem_end(world.net, programs[i]), NET_MEM_RESET);
    assert_int_equal(world_counters()->refused, 20);
    assert_int_equal(connects(0, NULL), 0);
    assert_none_left();
    assert_int_equal(world.due_ns, STEP_NEVER);
    world_close();
}

static void socks_program_is_told(void **state)
{
    struct call_addr addr = pair_addr(80);

    (void)state;
    world_open(FORWARD_SOCKS, 100);
    uint64_t asked = wants(100), named = comes(0);
    assert_true(net_mem_complete(world.net, EV_NET_READ, named, 3, GREETING));
    world_run();
    assert_true(net_mem_complete(world.net, EV_NET_WRITE, named, 2, NULL));
    world_run();
    assert_true(net_mem_complete(world.net, EV_NET_READ, named, 9, "\5\1\0\3\2db\0\1"));
    world_run();
    run_to(WORLD_CONNECT_NS);
    hears_reply(asked, 6);
    forward_resolved(world.forward, world.asked.id, 0, &addr); /* too late */
    world_run();
    assert_int_equal(connects(0, NULL), 0);
    hears_reply(named, 6);
    assert_int_equal(net_mem_end(world.net, asked), NET_MEM_CLOSED);
    assert_int_equal(net_mem_end(world.net, named), NET_MEM_CLOSED);
    assert_int_equal(connects(0, NULL), 0);
    assert_none_left();
    world_close();
}

/* One that was joined just before has no end to wait for. */
static void joined_in_time(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 100);
    struct talk talk = {.program = comes(0)};
    run_to(WORLD_CONNECT_NS - 1);
    talk.peer = answers(8000, 0);
    run_to(3 * WORLD_CONNECT_NS);
    assert_lives(talk);
    assert_int_equal(world.due_ns, STEP_NEVER);
    world_close();
}

static void service_that_does_not_answer(void **state)
{
    struct net_mem_op op;

    (void)state;
    world_open(FORWARD_REMOTE, 4);
    uint64_t peer = world_complete(world.pair.net, EV_NET_ACCEPT, 0);
    assert_true(world_pending(world.net, EV_NET_CONNECT, &op));
    run_to(WORLD_CONNECT_NS - 1);
    assert_int_equal(net_mem_end(world.pair.net, peer), NET_MEM_OPEN);
    run_to(WORLD_CONNECT_NS);
    assert_int_equal(net_mem_end(world.pair.net, peer), NET_MEM_CLOSED);
    assert_false(world_pending(world.net, EV_NET_CONNECT, &op));
    assert_none_left();
    assert_lives(world_join_remote());
    world_close();
}

/* ---- beside other calls ---- */

/* Neither those that come through the backend, nor any release, wait for the dead. */
static void dead_targets_do_not_hold_up_a_listener(void **state)
{
    static const enum forward_kind kinds[] = {FORWARD_SOCKS, FORWARD_REMOTE};

    (void)state;
    world_create(kinds, 2, 100);
    world_start();
    for (uint16_t i = 0; i < 20; i++)
        wants(100 + i);
    for (uint32_t i = 0; i < 20; i++) {
        struct talk talk = world_join_remote();
        assert_lives(talk);
        world_end(world.pair.net, talk.peer, -ERR_CONNRESET);
        assert_ended(talk, NET_MEM_RESET);
    }
    world_close();
}

/* In each state a CONNECT can be in: asked for, waiting and new, waiting and slow, making room. */
static void all_states(uint64_t programs[20])
{
    uint64_t end_ns = world.pair.now_ns + 2 * TURN_NS;

    for (uint16_t i = 0; i < 20; i++)
        programs[i] = wants(100 + i);
    run_to(end_ns - 1);
    world.pair.now_ns = end_ns;
    forward_turned(world.forward, world.pair.now_ns); /* some yield, and nobody has heard it yet */
}

static void programs_end_while_they_wait(void **state)
{
    uint64_t programs[20];

    (void)state;
    world_open(FORWARD_SOCKS, 20);
    all_states(programs);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(net_mem_complete(world.net, EV_NET_READ, programs[i], -ERR_CONNRESET, NULL));
    world_run();
    assert_int_equal(connects(0, NULL), 0);
    assert_none_left();

    all_states(programs);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(net_mem_complete(world.net, EV_NET_READ, programs[i], 0, NULL));
    run_to(world.pair.now_ns + WORLD_CONNECT_NS);
    for (uint32_t i = 0; i < 20; i++) /* who has ended its direction may want to hear */
        hears_reply(programs[i], 6);
    assert_none_left();
    assert_int_equal(net_mem_sockets(world.pair.net), 0);
    world_close();
}

static void device_goes_while_they_wait(void **state)
{
    uint64_t programs[20];

    (void)state;
    world_open(FORWARD_SOCKS, 20);
    all_states(programs);
    exec_post(world.pair.back, 0, EV_STOP);
    world_run();
    assert_true(world.pair.gone);
    for (uint32_t i = 0; i < 20; i++)
        if (net_mem_end(world.net, programs[i]) == NET_MEM_OPEN)
            hears_reply(programs[i], 1);
    assert_none_left();
    assert_int_equal(world_counters()->refused, 20);
    world_start();
    wants(80);
    answers(80, 0);
    world_close();
}

static void stop_while_they_wait(void **state)
{
    uint64_t programs[20];

    (void)state;
    world_open(FORWARD_SOCKS, 20);
    all_states(programs);
    forward_stop(world.forward, false);
    world_run();
    assert_true(forward_over(world.forward));
    assert_int_equal(world_counters()->refused, 20);
    assert_int_equal(connects(0, NULL), 0);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_table_is_waited_for),
        cmocka_unit_test(one_dead_target_has_half_of_the_room),
        cmocka_unit_test(live_target_has_all_of_the_room),
        cmocka_unit_test(live_target_is_asked_at_once_for_ever),
        cmocka_unit_test(those_that_wait_follow),
        cmocka_unit_test(dead_targets_are_found_out),
        cmocka_unit_test(live_ones_go_on_beside_many_dead),
        cmocka_unit_test(far_target_is_reached_in_the_end),
        cmocka_unit_test(slow_ones_take_turns),
        cmocka_unit_test(slow_ones_are_not_starved),
        cmocka_unit_test(queue_before_a_dead_target_is_passed),
        cmocka_unit_test(target_that_answers_is_not_slow),
        cmocka_unit_test(waiting_is_over_in_time),
        cmocka_unit_test(socks_program_is_told),
        cmocka_unit_test(joined_in_time),
        cmocka_unit_test(service_that_does_not_answer),
        cmocka_unit_test(dead_targets_do_not_hold_up_a_listener),
        cmocka_unit_test(programs_end_while_they_wait),
        cmocka_unit_test(device_goes_while_they_wait),
        cmocka_unit_test(stop_while_they_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
