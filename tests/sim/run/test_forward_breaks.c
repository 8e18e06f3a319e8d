/*
 * Forwarding where something breaks: a side, a target, the device, or all of it at once.
 */
#include "ringlib/err.h"
#include "tests/support/forward_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- what breaks ---- */

static void refused_target_is_a_reset(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);
    assert_int_equal(world_counters()->accepted, 1);
    assert_int_equal(world_counters()->now, 1);
    assert_int_equal(world_counters()->refused, 0);
    world_complete(world.pair.net, EV_NET_CONNECT, -ERR_CONNREFUSED);
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_RESET);
    assert_int_equal(world_counters()->refused, 1);
    assert_int_equal(world_counters()->resets, 0);
    assert_none_left();
    world_close();
}

static void peers_break_resets_the_program(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local();
    world_say(world.pair.net, talk.peer, "before");
    world_end(world.pair.net, talk.peer, -ERR_CONNRESET);
    world_complete(world.net, EV_NET_WRITE, 6);
    assert_heard(world.net, talk.program, "before");
    assert_ended(talk, NET_MEM_RESET);
    assert_int_equal(world_counters()->resets, 1);
    assert_none_left();
    world_close();
}

/* Not even what it has sent is waited for. */
static void programs_break_ends_the_peer(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local();
    world_say(world.net, talk.program, "not wanted");
    world_end(world.net, talk.program, -ERR_CONNRESET);
    assert_ended(talk, NET_MEM_RESET);
    assert_heard(world.pair.net, talk.peer, "");
    assert_int_equal(world_counters()->resets, 1);
    assert_none_left();

    talk = world_join_local();
    world_say(world.pair.net, talk.peer, "in vain");
    world_complete(world.net, EV_NET_WRITE, -ERR_PIPE);
    assert_ended(talk, NET_MEM_RESET);
    assert_int_equal(world_counters()->resets, 2);
    world_close();
}

/* A connection to whose peer nothing can be sent any more, while a word of the peer's is on its way
 * to the program and another one is in the ring. */
static struct talk deaf_peer_speaks(void)
{
    struct talk talk = world_join_local();

    world_say(world.pair.net, talk.peer, "almost ");
    world_say(world.pair.net, talk.peer, "all");
    world_say(world.net, talk.program, "in vain");
    world_complete(world.pair.net, EV_NET_WRITE, -ERR_PIPE);
    world_say(world.net, talk.program, "again");
    assert_int_equal(net_mem_end(world.net, talk.program), NET_MEM_OPEN);
    world_complete(world.net, EV_NET_WRITE, 7);
    world_complete(world.net, EV_NET_WRITE, 3);
    assert_heard(world.net, talk.program, "almost all");
    return talk;
}

/* What it said before reaches the program, and then a reset, however the peer ends. */
static void last_words_of_a_deaf_peer_are_heard(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = deaf_peer_speaks();
    world_say(world.pair.net, talk.peer, ", now");
    world_complete(world.net, EV_NET_WRITE, 5);
    assert_heard(world.net, talk.program, "almost all, now");
    world_end(world.pair.net, talk.peer, -ERR_CONNRESET);
    assert_ended(talk, NET_MEM_RESET);
    talk = deaf_peer_speaks();
    world_end(world.pair.net, talk.peer, 0);
    assert_ended(talk, NET_MEM_RESET);
    talk = deaf_peer_speaks(); /* it is not waited for longer than one that is held */
    world_run_at(world.pair.now_ns + WORLD_HOLD_NS);
    assert_ended(talk, NET_MEM_RESET);
    talk = world_join_local(); /* it has ended before */
    world_end(world.pair.net, talk.peer, 0);
    world_say(world.net, talk.program, "in vain");
    world_complete(world.pair.net, EV_NET_WRITE, -ERR_PIPE);
    world_say(world.net, talk.program, "again");
    assert_ended(talk, NET_MEM_RESET);
    assert_int_equal(world_counters()->resets, 4);
    assert_int_equal(world_counters()->held_out, 0);
    assert_none_left();
    world_close();
}

/* What it said is in the ring, and its peer takes nothing: so the end of one that was given up
 * lingers, until a reset ends that too. */
static void reset_ends_who_lingers(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local();
    world_say(world.net, talk.program, "not taken");
    world_end(world.net, talk.program, 0);
    world_run_at(WORLD_HOLD_NS);
    assert_int_equal(world_counters()->held_out, 1);
    assert_int_equal(world_counters()->now, 1);
    forward_stop(world.forward, true);
    world_run();
    assert_true(forward_over(world.forward));
    assert_none_left();
    world_close();
}

/* It was never joined, so it is one of the refused. */
static void break_before_the_target_answers(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);
    world_end(world.net, program, -ERR_CONNRESET);
    world_settle();
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_RESET);
    assert_int_equal(world_counters()->refused, 1);
    assert_int_equal(world_counters()->resets, 0);
    assert_none_left();
    world_close();
}

/* ---- from the backend's side ---- */

static uint32_t frontend_sockets(void)
{
    return fe_counters(world.pair.fe)->sockets_now;
}

static void so_many_wait_on_the_backends_side(void **state)
{
    struct net_mem_op op;

    (void)state;
    world_open(FORWARD_REMOTE, 4);
    assert_int_equal(frontend_sockets(), 1 + FORWARD_ACCEPTS);
    for (uint32_t i = 0; i < 3; i++)
        assert_lives(world_join_remote());
    assert_int_equal(frontend_sockets(), 1 + 1 + 3); /* there is room for one more */
    world_complete(world.pair.net, EV_NET_ACCEPT, 0);
    assert_true(world_pending(world.net, EV_NET_CONNECT, &op));
    assert_memory_equal(&op.addr, &world.rules[0].target, sizeof(op.addr));
    assert_int_equal(frontend_sockets(), 1 + 4); /* no more are asked for */
    assert_int_equal(world_counters()->accepted, 4);
    assert_int_equal(world_counters()->joined, 3);
    world_close();
}

static void refused_service_releases_the_socket(void **state)
{
    (void)state;
    world_open(FORWARD_REMOTE, 4);
    uint64_t peer = world_complete(world.pair.net, EV_NET_ACCEPT, 0);
    world_complete(world.net, EV_NET_CONNECT, -ERR_CONNREFUSED);
    assert_int_equal(net_mem_end(world.pair.net, peer), NET_MEM_CLOSED);
    assert_int_equal(frontend_sockets(), 1 + FORWARD_ACCEPTS);
    assert_int_equal(world_counters()->refused, 1);
    assert_none_left();
    world_close();
}

static void failed_accept_of_the_backend_is_tried_again(void **state)
{
    struct net_mem_op op;

    (void)state;
    world_open(FORWARD_REMOTE, 4);
    while (world_pending(world.pair.net, EV_NET_ACCEPT, &op))
        world_complete(world.pair.net, EV_NET_ACCEPT, -ERR_MFILE);
    assert_int_equal(frontend_sockets(), 1);
    assert_in_range(world.due_ns, 1, STEP_NEVER - 1);
    world_run_at(world.due_ns);
    assert_int_equal(frontend_sockets(), 1 + FORWARD_ACCEPTS);
    assert_lives(world_join_remote());
    world_close();
}

/* ---- the device ---- */

static const enum forward_kind both_kinds[WORLD_RULES] = {FORWARD_LOCAL, FORWARD_REMOTE};

static void device_goes(void)
{
    exec_post(world.pair.back, 0, EV_STOP);
    world_run();
    assert_true(world.pair.gone);
    assert_int_equal(net_mem_sockets(world.pair.net), 0);
}

static void device_that_goes_resets_and_comes_again(void **state)
{
    (void)state;
    world_create(both_kinds, WORLD_RULES, 8);
    world_start();
    struct talk local = world_join_local(), remote = world_join_remote();
    world_say(world.pair.net, remote.peer, "in the middle of a write");
    world_end(world.net, local.program, 0); /* held */
    uint64_t connecting = world_complete(world.net, EV_NET_ACCEPT, 0);
    device_goes();
    assert_ended(local, NET_MEM_RESET);
    assert_ended(remote, NET_MEM_RESET);
    assert_int_equal(net_mem_end(world.net, connecting), NET_MEM_RESET);
    assert_int_equal(world_counters()->resets, 2);
    assert_int_equal(world_counters()->refused, 1);
    assert_int_equal(world_counters()->held_out, 0);
    assert_none_left();
    for (uint32_t i = 0; i < 3; i++) { /* nobody waits until it comes again */
        uint64_t late = world_complete(world.net, EV_NET_ACCEPT, 0);
        assert_int_equal(net_mem_end(world.net, late), NET_MEM_RESET);
    }
    assert_int_equal(world_counters()->refused, 1 + 3);

    uint32_t heard = world.heard_count;
    world_start();
    assert_int_equal(world.heard_count, heard + 1); /* the REMOTE rule */
    assert_lives(world_join_remote());
    assert_lives(world_join_local());
    world_close();
}

/* Nobody is told that a rule cannot listen: it will when the device is up again. */
static void device_that_goes_while_a_rule_binds(void **state)
{
    struct net_mem_op op;

    (void)state;
    world_create(both_kinds, WORLD_RULES, 8);
    pair_start_front(&world.pair);
    pair_start_back(&world.pair);
    world_run();
    assert_true(world_pending(world.pair.net, EV_NET_BIND, &op));
    device_goes();
    world_complete(world.net, EV_NET_BIND, 0);
    world_complete(world.net, EV_NET_LISTEN, 0);
    assert_int_equal(world.heard[1], 0);
    assert_int_equal(world.heard_count, 1); /* the LOCAL rule */
    world_start();
    assert_int_equal(world.heard_count, 2);
    assert_int_equal(world.heard[1], 0);
    assert_lives(world_join_remote());
    world_close();
}

static void rules_that_cannot_listen_say_so(void **state)
{
    (void)state;
    world_create(both_kinds, WORLD_RULES, 8);
    pair_start_front(&world.pair);
    pair_start_back(&world.pair);
    world_run();
    world_complete(world.net, EV_NET_BIND, -ERR_ADDRINUSE);
    world_complete(world.pair.net, EV_NET_BIND, 0);
    world_complete(world.pair.net, EV_NET_LISTEN, -ERR_ADDRINUSE);
    assert_int_equal(world.heard[0], -ERR_ADDRINUSE);
    assert_int_equal(world.heard[1], -ERR_ADDRINUSE);
    assert_int_equal(world.heard_count, 2);
    world_close();
}

/* ---- the end of it all ---- */

static void stop_in_good_order(void **state)
{
    (void)state;
    world_create(both_kinds, WORLD_RULES, 8);
    world_start();
    struct talk local = world_join_local(), remote = world_join_remote();
    world_complete(world.net, EV_NET_ACCEPT, 0); /* its target has not answered */
    world_say(world.net, local.program, "to the end");
    forward_stop(world.forward, false);
    assert_false(forward_over(world.forward));
    world_run();
    assert_int_equal(net_mem_end(world.net, local.program), NET_MEM_CLOSED);
    assert_ended(remote, NET_MEM_CLOSED);
    assert_false(forward_over(world.forward)); /* the peer has not taken all yet */
    world_settle();
    assert_true(forward_over(world.forward));
    assert_heard(world.pair.net, local.peer, "to the end");
    assert_ended(local, NET_MEM_CLOSED);
    assert_int_equal(net_mem_sockets(world.net), 0);
    assert_int_equal(world_counters()->resets, 0);
    assert_none_left();
    world_close();
}

static void stop_with_resets_waits_for_nobody(void **state)
{
    (void)state;
    world_create(both_kinds, WORLD_RULES, 8);
    world_start();
    struct talk local = world_join_local(), remote = world_join_remote();
    world_say(world.net, local.program, "never to be taken");
    forward_stop(world.forward, true);
    world_run();
    assert_true(forward_over(world.forward));
    assert_ended(local, NET_MEM_RESET);
    assert_ended(remote, NET_MEM_RESET);
    assert_none_left();
    world_close();
}

/* Nor is anybody told that a rule listens. */
static void stop_before_it_listens(void **state)
{
    (void)state;
    world_create(both_kinds, WORLD_RULES, 8);
    pair_start_front(&world.pair);
    pair_start_back(&world.pair);
    world_run();
    forward_stop(world.forward, false);
    world_settle();
    assert_true(forward_over(world.forward));
    assert_int_equal(net_mem_sockets(world.net), 0);
    assert_int_equal(world.heard_count, 0);
    world_close();
}

/* The rule that fails stops it all, in the same turn in which the other one has got somebody. */
static void stop_while_an_accept_completes(void **state)
{
    static const enum forward_kind kinds[WORLD_RULES] = {FORWARD_REMOTE, FORWARD_REMOTE};
    struct net_mem_op op;

    (void)state;
    world_create(kinds, WORLD_RULES, 8);
    world.stops = true;
    pair_start_front(&world.pair);
    pair_start_back(&world.pair);
    world_run();
    assert_true(net_mem_pending(world.pair.net, 0, &op));
    assert_int_equal(op.kind, EV_NET_BIND);
    assert_true(net_mem_complete(world.pair.net, EV_NET_BIND, op.token, 0, NULL));
    world_run();
    world_complete(world.pair.net, EV_NET_LISTEN, 0);
    assert_true(world_pending(world.pair.net, EV_NET_BIND, &op));
    assert_true(net_mem_complete(world.pair.net, EV_NET_BIND, op.token, -ERR_ADDRINUSE, NULL));
    world_complete(world.pair.net, EV_NET_ACCEPT, 0);
    assert_int_equal(world.heard[1], -ERR_ADDRINUSE);
    world_settle();
    assert_true(forward_over(world.forward));
    assert_int_equal(net_mem_sockets(world.net) + net_mem_sockets(world.pair.net), 0);
    assert_int_equal(world_counters()->accepted, 1);
    assert_int_equal(world_counters()->refused, 1);
    world_close();
}

/* The rule that cannot listen stops it all in the turn in which a target refuses: the refusal is on
 * its way, and there is no socket to release any more. */
static void stop_while_a_connect_fails(void **state)
{
    struct net_mem_op op;

    (void)state;
    world_create(both_kinds, WORLD_RULES, 8);
    world.stops = true;
    pair_start_front(&world.pair);
    pair_start_back(&world.pair);
    world_run();
    world_complete(world.net, EV_NET_BIND, 0);
    world_complete(world.net, EV_NET_LISTEN, 0);
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);
    world_complete(world.pair.net, EV_NET_BIND, 0);
    assert_true(world_pending(world.pair.net, EV_NET_LISTEN, &op));
    assert_true(net_mem_complete(world.pair.net, EV_NET_LISTEN, op.token, -ERR_ADDRINUSE, NULL));
    world_complete(world.pair.net, EV_NET_CONNECT, -ERR_CONNREFUSED);
    world_settle();
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_CLOSED);
    assert_true(forward_over(world.forward));
    assert_int_equal(world_counters()->refused, 1);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_target_is_a_reset),
        cmocka_unit_test(peers_break_resets_the_program),
        cmocka_unit_test(programs_break_ends_the_peer),
        cmocka_unit_test(last_words_of_a_deaf_peer_are_heard),
        cmocka_unit_test(reset_ends_who_lingers),
        cmocka_unit_test(break_before_the_target_answers),
        cmocka_unit_test(so_many_wait_on_the_backends_side),
        cmocka_unit_test(refused_service_releases_the_socket),
        cmocka_unit_test(failed_accept_of_the_backend_is_tried_again),
        cmocka_unit_test(device_that_goes_resets_and_comes_again),
        cmocka_unit_test(device_that_goes_while_a_rule_binds),
        cmocka_unit_test(rules_that_cannot_listen_say_so),
        cmocka_unit_test(stop_in_good_order),
        cmocka_unit_test(stop_with_resets_waits_for_nobody),
        cmocka_unit_test(stop_before_it_listens),
        cmocka_unit_test(stop_while_an_accept_completes),
        cmocka_unit_test(stop_while_a_connect_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
