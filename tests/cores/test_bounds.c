/*
 * Limits that must hold however much comes at once: of the array of actions, of a turn, of the
 * ring's slots; and results that must not be mistaken for others.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue peer;

static int drop(void **state)
{
    (void)state;
    pair_drop(&pair);
    return 0;
}

/* ---- the array of actions -------------------------------------------------------------------- */

/* Parked calls of the first leave no room in the array; the listeners behind it are released by
 * the same steps in which the device goes and every socket is failed. */
static void many_listeners_end_while_the_device_goes(void **state)
{
    enum { LISTENERS = 45, POLLS = 1800 };
    uint64_t listeners[LISTENERS];

    (void)state;
    pair_open(&pair, &(struct pair_config){.max_sockets = 4000});
    for (uint32_t i = 0; i < LISTENERS; i++) {
        int64_t sock = pair_bind_begin(&pair, (uint16_t)(7000 + i));
        assert_true(sock >= 0);
        listeners[i] = (uint64_t)sock;
        pair_settle(&pair);
        assert_int_equal(pair_listen_begin(&pair, listeners[i]), 0);
        pair_settle(&pair);
    }
    for (uint32_t i = 0; i < POLLS; i++)
        assert_int_equal(pair_poll_begin(&pair, listeners[0]), 0);
    pair_run(&pair);
    pair_forget(&pair);
    for (uint32_t i = 0; i < LISTENERS; i++)
        assert_int_equal(pair_release(&pair, listeners[i]), 0);
    exec_post(pair.front, 0, EV_STOP);
    pair_settle(&pair);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), POLLS + LISTENERS);
    for (uint32_t i = 0; i < LISTENERS; i++)
        assert_true(pair_done(&pair, CALL_RELEASE, listeners[i]) <= 0);
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    pair_close(&pair);
}

/* Calls that only wait in the guest have nothing to complete when the device goes: whoever stops
 * failing them midway is not called again by anything else. */
static void more_calls_wait_than_a_step_can_fail(void **state)
{
    enum { POLLS = 500 };

    (void)state;
    pair_open(&pair, &(struct pair_config){.max_sockets = 1000});
    uint64_t listener = pair_listen(&pair, NULL);
    for (uint32_t i = 0; i < POLLS; i++)
        assert_int_equal(pair_poll_begin(&pair, listener), 0);
    pair_run(&pair);
    pair_forget(&pair);
    exec_post(pair.front, 0, EV_STOP);
    pair_settle(&pair);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), POLLS);
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
    assert_int_equal(pair_release(&pair, listener), 0);
    pair_settle(&pair);
    pair_close(&pair);
}

static struct call answer_next(int32_t ret)
{
    struct call call;
    struct call_reply reply = rogue_answer_to(&peer, &call, ret);

    rogue_answer(&peer, &reply);
    return call;
}

static uint64_t listen_by_hand(void)
{
    int64_t listener = pair_bind_begin(&pair, 7000);

    assert_true(listener >= 0);
    pair_run(&pair);
    answer_next(0);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)listener), 0);
    pair_run(&pair);
    answer_next(0);
    return (uint64_t)listener;
}

static uint64_t connect_by_hand(struct rogue_data *data)
{
    struct call call;
    int64_t sock = pair_connect_begin(&pair, 80);

    assert_true(sock >= 0);
    pair_run(&pair);
    struct call_reply reply = rogue_answer_to(&peer, &call, 0);
    rogue_map(&peer, &call, data);
    rogue_answer(&peer, &reply);
    return (uint64_t)sock;
}

/* What is left over for the next step must not hide that a socket has lingered long enough: its
 * deadline is gone by then, and nothing else would send its RELEASE. */
static void linger_ends_in_a_turn_with_more(void **state)
{
    struct rogue_data data;
    struct call call;
    uint32_t releases = 0;

    (void)state;
    rogue_back_open(&peer, &pair, 1);
    uint64_t sock = connect_by_hand(&data);
    uint64_t listener = listen_by_hand();
    for (uint32_t i = 0; i < 55; i++)
        assert_int_equal(pair_poll_begin(&pair, listener), 0);
    pair_run(&pair);
    while (rogue_request(&peer, &call))
        assert_int_equal(call.kind, CALL_POLL);
    assert_int_equal(pair_send(&pair, sock, "x", 1), 1);
    assert_int_equal(pair_release(&pair, sock), 0); /* lingers: nobody takes the byte */
    pair_run(&pair);
    assert_false(rogue_request(&peer, &call));
    pair.now_ns = fe_deadline_ns(pair.fe);
    assert_int_equal(pair_release(&pair, listener), 0); /* fills the array with failed polls */
    pair_run(&pair);
    while (rogue_request(&peer, &call))
        releases += call.kind == CALL_RELEASE ? 1u : 0u;
    assert_int_equal(releases, 2);
    assert_int_equal(fe_deadline_ns(pair.fe), STEP_NEVER);
}

/* ---- a turn ---------------------------------------------------------------------------------- */

enum { TURN_EVENTS_MAX = 64 * 128 * 2 }; /* rounds, events of a seam, seams */

/* A sink that takes all at once, and a guest on another processor that produces meanwhile. */
static struct {
    const struct net_ops *real;
    struct net_ops ops;
    struct rogue_data data;
    struct ev done;
    bool any;
    uint32_t writes;
} eager;

static void eager_write(struct net *net, uint64_t token, const struct shared_iov *iov,
                        uint32_t count)
{
    (void)net;
    if (++eager.writes > TURN_EVENTS_MAX)
        fail_msg("a turn did not come to its end");
    eager.done = (struct ev){.kind = EV_NET_WRITE, .token = token};
    for (uint32_t i = 0; i < count; i++)
        eager.done.ret += (int32_t)iov[i].length;
    eager.any = true;
    const struct dialect_ring *at = &eager.data.at;
    uint32_t prod = shared_load(&eager.data.area, at->out.prod);
    shared_store(&eager.data.area, at->out.prod, prod + (uint32_t)eager.done.ret);
}

static bool eager_next(struct net *net, struct ev *ev)
{
    if (!eager.any)
        return eager.real->next(net, ev);
    *ev = eager.done;
    eager.any = false;
    return true;
}

static void turn_ends_though_the_guest_does_not(void **state)
{
    (void)state;
    memset(&eager, 0, sizeof(eager));
    rogue_front_open(&peer, &pair, 1);
    rogue_share(&peer, &eager.data);
    struct call call = rogue_connect(0, 5, &eager.data);
    rogue_put(&peer, &call);
    rogue_kick(&peer);
    pair_settle(&pair);
    eager.real = pair.net->ops;
    eager.ops = *pair.net->ops;
    eager.ops.write = eager_write;
    eager.ops.next = eager_next;
    pair.net->ops = &eager.ops;
    shared_store(&eager.data.area, eager.data.at.out.prod, 100);
    hv_notify(pair.front_hv, eager.data.port);
    uint64_t steps = exec_counters(pair.back)->steps;
    assert_true(exec_turn(pair.back, 0)); /* true: the loop must come back without sleeping */
    assert_in_range(exec_counters(pair.back)->steps - steps, 1, TURN_EVENTS_MAX);
    assert_true(eager.writes > 1);
    pair.net->ops = eager.real;
}

/* ---- the ring's slots ------------------------------------------------------------------------ */

/* An application that begins a connect whenever one ends keeps the ring full; an accept must get
 * its slot all the same. */
static void connects_do_not_starve_accepts(void **state)
{
    struct call_reply waiting[8]; /* requests not answered, oldest first */
    uint32_t count = 0, accepts = 0;
    struct call call;

    (void)state;
    rogue_back_open(&peer, &pair, 1);
    uint64_t listener = listen_by_hand();
    for (uint32_t i = 0; i < 20; i++)
        assert_true(pair_connect_begin(&pair, 80) >= 0);
    pair_run(&pair);
    assert_true(pair_accept_begin(&pair, listener) >= 0);
    for (uint32_t answered = 0; answered < 100 && accepts == 0; answered++) {
        while (rogue_request(&peer, &call)) {
            assert_true(count < 8);
            accepts += call.kind == CALL_ACCEPT ? 1u : 0u;
            waiting[count++] =
                (struct call_reply){call.id, call.code, call.sockid, -ERR_CONNREFUSED};
        }
        assert_true(count > 0);
        rogue_answer(&peer, &waiting[0]);
        memmove(waiting, waiting + 1, --count * sizeof(waiting[0]));
        assert_true(pair_connect_begin(&pair, 80) >= 0);
        pair_run(&pair);
    }
    assert_int_equal(accepts, 1);
}

/* ---- results --------------------------------------------------------------------------------- */

/* EAGAIN as what ended a stream would have the application wait for READABLE for ever. */
static void again_is_no_end_of_a_stream(void **state)
{
    struct rogue_data data;
    char bytes[8];

    (void)state;
    rogue_back_open(&peer, &pair, 1);
    uint64_t sock = connect_by_hand(&data);
    shared_store(&data.area, data.at.in.error, (uint32_t)-ERR_AGAIN);
    hv_notify(peer.hv, data.port);
    pair_run(&pair);
    assert_int_equal(pair_upcalls(&pair, ACT_READABLE, NULL), 1);
    assert_int_equal(pair_recv(&pair, sock, bytes, sizeof(bytes)), -ERR_IO);
}

/* 0 is the end of the stream, so that no bytes cannot be asked for. */
static void recv_of_nothing_is_refused(void **state)
{
    uint64_t token;
    char bytes[8];

    (void)state;
    pair_open(&pair, &(struct pair_config){0});
    uint64_t sock = pair_connect(&pair, &token);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 4, "abcd"));
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 0, NULL));
    pair_run(&pair);
    assert_int_equal(pair_recv(&pair, sock, bytes, 0), -ERR_INVAL);
    assert_int_equal(pair_recv(&pair, sock, bytes, sizeof(bytes)), 4);
    assert_int_equal(pair_recv(&pair, sock, bytes, 0), -ERR_INVAL);
    assert_int_equal(pair_recv(&pair, sock, bytes, sizeof(bytes)), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_listeners_end_while_the_device_goes),
        cmocka_unit_test(more_calls_wait_than_a_step_can_fail),
        TEST(linger_ends_in_a_turn_with_more),
        TEST(turn_ends_though_the_guest_does_not),
        TEST(connects_do_not_starve_accepts),
        TEST(again_is_no_end_of_a_stream),
        TEST(recv_of_nothing_is_refused),
    };

    return !!cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
