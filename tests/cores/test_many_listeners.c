/*
 * More listeners than requests may park: polls make room for each other, so that no listener waits
 * for one that nobody connects to, nor one with connections for many without; and where nothing
 * happens they seldom do.
 * Source: protocol.md 7 (25); frontend/fe_ring.c, backend/be_poll.c.
 */
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LISTENERS = 20, ROOM = 6 /* ring of 8, less two */ };

static struct pair pair;
static uint64_t listeners[LISTENERS], listening[LISTENERS]; /* the guest's ids, backend's tokens */

static void finish_op(enum ev_kind kind)
{
    assert_true(net_mem_complete(pair.net, kind, pair_pending(&pair, kind), 0, NULL));
    pair_run(&pair);
}

static int open_listeners(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1, .max_sockets = 256});
    for (uint32_t i = 0; i < LISTENERS; i++) {
        int64_t sock = pair_bind_begin(&pair, (uint16_t)(7000 + i));
        assert_true(sock >= 0);
        listeners[i] = (uint64_t)sock;
        pair_run(&pair);
        listening[i] = pair_pending(&pair, EV_NET_BIND);
        finish_op(EV_NET_BIND);
        assert_int_equal(pair_listen_begin(&pair, listeners[i]), 0);
        pair_run(&pair);
        finish_op(EV_NET_LISTEN);
    }
    pair_forget(&pair);
    return 0;
}

static int close_clean(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < LISTENERS; i++)
        pair_release(&pair, listeners[i]);
    pair_settle(&pair);
    pair_close(&pair);
    return 0;
}

/* Whether a poll of this listener waits at the backend; its token. */
static bool waits(uint32_t listener, uint64_t *token)
{
    struct net_mem_op op;

    for (uint32_t i = 0; net_mem_pending(pair.net, i, &op); i++) {
        if (op.kind != EV_NET_POLL || op.listener != listening[listener])
            continue;
        *token = op.token;
        return true;
    }
    return false;
}

/* A connection comes to a listener: how many rounds of BE_POLL_NS until its poll knows. */
static uint32_t rounds_until_told(uint32_t listener, uint32_t most)
{
    uint64_t token;

    for (uint32_t round = 0; round <= most; round++) {
        if (waits(listener, &token)) {
            assert_true(net_mem_complete(pair.net, EV_NET_POLL, token, 0, NULL));
            pair_run(&pair);
            assert_int_equal(pair_done(&pair, CALL_POLL, listeners[listener]), 0);
            return round;
        }
        pair.now_ns += BE_POLL_NS;
        pair_run(&pair);
    }
    return most + 1;
}

static void poll_all(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(pair_poll_begin(&pair, listeners[i]), 0);
    pair_run(&pair);
}

/* As long as all may park nobody is disturbed. */
static void polls_with_room_wait_for_ever(void **state)
{
    (void)state;
    poll_all(ROOM - 1);
    assert_true(be_deadline_ns(pair.be) == STEP_NEVER);
    pair.now_ns += 100 * (uint64_t)BE_POLL_NS;
    pair_run(&pair);
    assert_int_equal(be_counters(pair.be)->poll_yields, 0);
    assert_int_equal(be_counters(pair.be)->requests, 2 * LISTENERS + ROOM - 1);
}

/* The last of twenty is told within as many rounds as half the room has to be emptied: the other
 * half is for those asked in vain before. */
static void no_listener_waits_for_one_without_connections(void **state)
{
    (void)state;
    poll_all(LISTENERS);
    assert_int_equal(pair_pending_count(&pair, EV_NET_POLL), ROOM);
    assert_true(rounds_until_told(LISTENERS - 1, LISTENERS) <= LISTENERS / (ROOM / 2));
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), 1); /* of the others nobody heard */
}

/* Nor does any wait for targets that never answer, which have some of the room. */
static void no_listener_waits_for_a_connect(void **state)
{
    int64_t connecting[3];

    (void)state;
    poll_all(4);
    for (uint16_t i = 0; i < 3; i++)
        assert_true((connecting[i] = pair_connect_begin(&pair, (uint16_t)(9000 + i))) >= 0);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 3);
    for (uint32_t i = 4; i < LISTENERS; i++)
        assert_int_equal(pair_poll_begin(&pair, listeners[i]), 0);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_POLL), 4);
    assert_true(rounds_until_told(LISTENERS - 1, LISTENERS) <= LISTENERS / 2);
    while (pair_pending_count(&pair, EV_NET_CONNECT) > 0)
        finish_op(EV_NET_CONNECT);
    pair.now_ns += 100 * (uint64_t)BE_POLL_NS;
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_POLL), ROOM); /* all of the room again */
    for (uint32_t i = 0; i < 3; i++)
        pair_release(&pair, (uint64_t)connecting[i]);
}

/* Before its time a poll that holds the last room is left alone. */
static void polls_keep_their_time(void **state)
{
    uint64_t token;

    (void)state;
    poll_all(LISTENERS);
    pair.now_ns += BE_POLL_NS - 1;
    pair_run(&pair);
    assert_int_equal(be_counters(pair.be)->poll_yields, 0);
    assert_false(waits(ROOM, &token));
    pair.now_ns += 1;
    pair_run(&pair);
    assert_int_equal(be_counters(pair.be)->poll_yields, ROOM);
    assert_true(waits(ROOM, &token));
}

/* One with a connection after the other is told of each at once, however many listen in vain. */
static void busy_listener_does_not_wait_for_idle_ones(void **state)
{
    (void)state;
    poll_all(LISTENERS);
    assert_true(rounds_until_told(3, 0) == 0);
    for (uint32_t round = 0; round < 4; round++) { /* all others have been asked in vain */
        pair.now_ns += BE_POLL_NS;
        pair_run(&pair);
    }
    for (uint32_t i = 0; i < 30; i++) {
        pair_forget(&pair);
        assert_int_equal(pair_poll_begin(&pair, listeners[3]), 0);
        pair_run(&pair);
        assert_true(rounds_until_told(3, 3) <= 1);
    }
}

/* Those with connections at any time, and polls that wait in the guest at any time, leave the idle
 * ones half of the room and no more. */
static void idle_listeners_do_not_wait_for_busy_ones(void **state)
{
    enum { BUSY = 4 };
    bool seen[LISTENERS] = {false};
    uint64_t token;

    (void)state;
    for (uint32_t i = 0; i < BUSY; i++)
        poll_all(BUSY);
    poll_all(LISTENERS);
    for (uint32_t round = 0; round < 3 * LISTENERS; round++) {
        uint32_t idle = 0;
        for (uint32_t i = BUSY; i < LISTENERS; i++) {
            bool now = round > LISTENERS && waits(i, &token); /* all have been asked in vain */
            seen[i] |= now;
            idle += now;
        }
        assert_true(idle <= ROOM / 2);
        for (uint32_t i = 0; i < 4 * BUSY; i++) {
            if (!waits(i % BUSY, &token))
                continue;
            assert_int_equal(pair_poll_begin(&pair, listeners[i % BUSY]), 0);
            assert_true(net_mem_complete(pair.net, EV_NET_POLL, token, 0, NULL));
            pair_run(&pair);
        }
        pair.now_ns += BE_POLL_NS;
        pair_run(&pair);
        pair_forget(&pair);
    }
    for (uint32_t i = BUSY; i < LISTENERS; i++)
        assert_true(seen[i]);
}

/* Nothing happens until then. */
static void idle_until(uint64_t until_ns)
{
    assert_true(until_ns < STEP_NEVER);
    while (be_deadline_ns(pair.be) <= until_ns) {
        pair.now_ns = be_deadline_ns(pair.be);
        pair_run(&pair);
    }
    pair.now_ns = until_ns;
}

/* Each listener's turn comes within its bound, and as soon as there have been no news for. */
static void turns_come_while_nothing_happens(void **state)
{
    enum { TURNS = (LISTENERS + ROOM - 1) / ROOM };
    uint64_t since_ns[LISTENERS], token, news_ns = pair.now_ns, waited_ns = 0;

    (void)state;
    poll_all(LISTENERS);
    for (uint32_t i = 0; i < LISTENERS; i++)
        since_ns[i] = pair.now_ns;
    while (pair.now_ns < news_ns + 10000 * (uint64_t)BE_POLL_NS) {
        for (uint32_t i = 0; i < LISTENERS; i++) {
            uint64_t wait_ns = pair.now_ns - since_ns[i];
            assert_true(wait_ns <= TURNS * (uint64_t)BE_POLL_MAX_NS);
            assert_true(wait_ns <= TURNS * (uint64_t)BE_POLL_NS * 2 + since_ns[i] - news_ns);
            waited_ns = wait_ns > waited_ns ? wait_ns : waited_ns;
            if (waits(i, &token))
                since_ns[i] = be_deadline_ns(pair.be);
        }
        idle_until(be_deadline_ns(pair.be));
    }
    assert_true(waited_ns > (TURNS - 2) * (uint64_t)BE_POLL_MAX_NS); /* so the bound was tried */
}

/* Where nothing happens for long, a round of all the room each BE_POLL_MAX_NS is all there is. */
static void idle_listeners_cost_little(void **state)
{
    enum { ROUNDS = 100 };

    (void)state;
    poll_all(LISTENERS);
    idle_until(pair.now_ns + 1000 * (uint64_t)BE_POLL_NS);
    uint64_t requests = be_counters(pair.be)->requests;
    idle_until(pair.now_ns + ROUNDS * (uint64_t)BE_POLL_MAX_NS);
    assert_int_equal(be_counters(pair.be)->requests - requests, ROUNDS * ROOM);
}

/* How often polls yield in the next 10 ms. */
static uint64_t yields_soon(void)
{
    uint64_t yields = be_counters(pair.be)->poll_yields;

    idle_until(pair.now_ns + 10 * (uint64_t)BE_POLL_NS);
    return be_counters(pair.be)->poll_yields - yields;
}

/* Whatever is new hurries those that wait already: what was found, a listener not polled before,
 * an accept. */
static void news_hurry_idle_listeners(void **state)
{
    uint64_t token;

    (void)state;
    poll_all(LISTENERS - 1);
    for (uint32_t news = 0; news < 3; news++) {
        idle_until(pair.now_ns + 1000 * (uint64_t)BE_POLL_NS);
        do
            idle_until(be_deadline_ns(pair.be));
        while (news == 0 && !waits(3, &token));
        assert_true(yields_soon() == 0);
        if (news == 0)
            assert_true(net_mem_complete(pair.net, EV_NET_POLL, token, 0, NULL));
        else if (news == 1)
            assert_int_equal(pair_poll_begin(&pair, listeners[LISTENERS - 1]), 0);
        else
            assert_true(pair_accept_begin(&pair, listeners[5]) >= 0);
        pair_run(&pair);
        while (news == 1 ? !waits(LISTENERS - 1, &token)
                         : news == 2 && pair_pending_count(&pair, EV_NET_ACCEPT) == 0)
            idle_until(be_deadline_ns(pair.be)); /* until there is room for it */
        assert_true(yields_soon() >= 4 * (ROOM - 1));
    }
}

/* Two have connections by the time that their polls yield: both are told, though the step that
 * tells one lets the other yield. */
static void poll_that_finds_while_it_yields_tells(void **state)
{
    uint64_t tokens[2];

    (void)state;
    poll_all(LISTENERS);
    for (uint32_t i = 0; i < 2; i++)
        assert_true(waits(i, &tokens[i]));
    pair.now_ns += BE_POLL_NS;
    for (uint32_t i = 0; i < 2; i++)
        assert_true(net_mem_complete(pair.net, EV_NET_POLL, tokens[i], 0, NULL));
    pair_run(&pair);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(pair_done(&pair, CALL_POLL, listeners[i]), 0);
}

/* Released while its poll comes back to be asked again: told once, and gone. */
static void poll_of_a_released_listener_ends(void **state)
{
    (void)state;
    poll_all(LISTENERS);
    pair.now_ns += BE_POLL_NS;
    for (uint32_t turn = 0; turn < 4; turn++)
        exec_turn(pair.back, pair.now_ns);
    assert_int_equal(be_counters(pair.be)->poll_yields, ROOM);
    assert_int_equal(pair_release(&pair, listeners[0]), 0);
    pair_settle(&pair);
    assert_int_equal(pair_done(&pair, CALL_POLL, listeners[0]), -ERR_BADF);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, listeners[0]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_listeners, close_clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(polls_with_room_wait_for_ever),
        TEST(no_listener_waits_for_one_without_connections),
        TEST(no_listener_waits_for_a_connect),
        TEST(polls_keep_their_time),
        TEST(busy_listener_does_not_wait_for_idle_ones),
        TEST(idle_listeners_do_not_wait_for_busy_ones),
        TEST(turns_come_while_nothing_happens),
        TEST(idle_listeners_cost_little),
        TEST(news_hurry_idle_listeners),
        TEST(poll_that_finds_while_it_yields_tells),
        TEST(poll_of_a_released_listener_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
