/*
 * The six commands over both cores, told from the application's side: success and each error, who
 * waits for whom, and the rules of the command ring's slots. Release: test_release.c.
 */
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;

static int open_default(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1, .max_sockets = 256});
    pair_forget(&pair);
    return 0;
}

static int close_clean(void **state)
{
    (void)state;
    pair_close(&pair);
    return 0;
}

/* Nothing of any socket is left on either side. */
static void assert_no_sockets(void)
{
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_int_equal(pair.front_hv->counters.ports_now, 1);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
    assert_int_equal(net_mem_sockets(pair.net), 0);
    assert_int_equal(pair.front_fault_count + pair.back_fault_count, 0);
}

static void release(int64_t sock)
{
    assert_true(sock >= 0);
    assert_int_equal(pair_release(&pair, (uint64_t)sock), 0);
}

static void finish_op(enum ev_kind kind, int32_t ret)
{
    assert_true(net_mem_complete(pair.net, kind, pair_pending(&pair, kind), ret, NULL));
    pair_run(&pair);
}

/* ---- success and errors -------------------------------------------------------------------- */

static void six_commands_succeed(void **state)
{
    uint64_t listening;

    (void)state;
    uint64_t client = pair_connect(&pair, NULL), listener = pair_listen(&pair, &listening);
    assert_int_equal(pair_poll_begin(&pair, listener), 0);
    pair_run(&pair);
    finish_op(EV_NET_POLL, 0);
    int64_t server = pair_accept_begin(&pair, listener);
    pair_run(&pair);
    finish_op(EV_NET_ACCEPT, 0);
    release(server);
    release((int64_t)listener);
    release((int64_t)client);
    pair_settle(&pair);
    assert_string_equal(pair_told(&pair), "CONNECT 0, BIND 0, LISTEN 0, POLL 0, ACCEPT 0, "
                                          "RELEASE 0, RELEASE 0, RELEASE 0");
    assert_no_sockets();
}

static void sockets_errors_arrive(void **state)
{
    static const int32_t errors[] = {-ERR_CONNREFUSED, -ERR_TIMEDOUT, -ERR_NETUNREACH,
                                     -ERR_HOSTUNREACH, -ERR_MAX};

    (void)state;
    for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        int64_t sock = pair_connect_begin(&pair, 80);
        pair_run(&pair);
        finish_op(EV_NET_CONNECT, errors[i]);
        assert_int_equal(pair_done(&pair, CALL_CONNECT, (uint64_t)sock), errors[i]);
        assert_int_equal(pair_release(&pair, (uint64_t)sock), -ERR_BADF); /* the id is dead */
        assert_no_sockets();
    }
    int64_t bound = pair_bind_begin(&pair, 80);
    pair_run(&pair);
    finish_op(EV_NET_BIND, -ERR_ADDRINUSE);
    assert_int_equal(pair_done(&pair, CALL_BIND, (uint64_t)bound), -ERR_ADDRINUSE);
    assert_no_sockets();
}

static void listen_error_leaves_it_bound(void **state)
{
    (void)state;
    int64_t sock = pair_bind_begin(&pair, 80);
    pair_settle(&pair);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)sock), 0);
    pair_run(&pair);
    struct net_mem_op op;
    assert_true(net_mem_pending(pair.net, 0, &op));
    assert_int_equal(op.backlog, 10); /* the draft has no field: the prototype's */
    finish_op(EV_NET_LISTEN, -ERR_ADDRINUSE);
    assert_int_equal(pair_accept_begin(&pair, (uint64_t)sock), -ERR_INVAL);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)sock), 0);
    pair_settle(&pair);
    assert_string_equal(pair_told(&pair), "BIND 0, LISTEN -98, LISTEN 0");
    release(sock);
}

static void accept_error_arrives(void **state)
{
    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    pair_forget(&pair);
    assert_true(pair_accept_begin(&pair, listener) >= 0);
    pair_run(&pair);
    finish_op(EV_NET_ACCEPT, -ERR_MFILE);
    assert_string_equal(pair_told(&pair), "ACCEPT -24");
    release((int64_t)listener);
    pair_settle(&pair);
    assert_no_sockets();
}

/* What a call on an address gives: at once, or the backend's answer. */
static int32_t connect_to(const struct call_addr *addr)
{
    pair_forget(&pair);
    int64_t sock = fe_connect(pair.fe, addr, pair_call(&pair));
    pair_call_end(&pair);
    if (sock < 0)
        return (int32_t)sock;
    pair_settle(&pair);
    int32_t ret = pair_done(&pair, CALL_CONNECT, (uint64_t)sock);
    if (ret == 0)
        release(sock);
    pair_settle(&pair);
    assert_no_sockets();
    return ret;
}

static int32_t bind_to(const struct call_addr *addr)
{
    pair_forget(&pair);
    int64_t sock = fe_bind(pair.fe, addr, pair_call(&pair));
    pair_call_end(&pair);
    if (sock < 0)
        return (int32_t)sock;
    pair_settle(&pair);
    int32_t ret = pair_done(&pair, CALL_BIND, (uint64_t)sock);
    if (ret == 0)
        release(sock);
    pair_settle(&pair);
    assert_no_sockets();
    return ret;
}

static void policy_is_loopback_only(void **state)
{
    static const struct {
        uint8_t ip[4];
        int32_t ret;
    } four[] = {{{127, 0, 0, 1}, 0},
                {{127, 255, 255, 255}, 0},
                {{126, 255, 255, 255}, -ERR_ACCES},
                {{128, 0, 0, 1}, -ERR_ACCES},
                {{0, 0, 0, 0}, -ERR_ACCES},
                {{169, 254, 169, 254}, -ERR_ACCES},
                {{255, 255, 255, 255}, -ERR_ACCES}};
    static const struct {
        uint8_t ip[16];
        int32_t ret;
    } six[] = {{{[15] = 1}, 0},
               {{0}, -ERR_ACCES},
               {{[15] = 2}, -ERR_ACCES},
               {{[0] = 127, [3] = 1}, -ERR_ACCES}, /* begins as 127.0.0.1 does */
               {{[0] = 1, [15] = 1}, -ERR_ACCES},
               {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, -ERR_ACCES}, /* mapped */
               {{[12] = 127, [15] = 1}, -ERR_ACCES},                           /* compatible */
               {{[0] = 0xfe, [1] = 0x80, [15] = 1}, -ERR_ACCES}};
    struct call_addr addr;

    (void)state;
    for (uint32_t i = 0; i < sizeof(four) / sizeof(four[0]); i++) {
        call_addr4(&addr, four[i].ip, 80);
        assert_int_equal(connect_to(&addr), four[i].ret);
        assert_int_equal(bind_to(&addr), four[i].ret);
    }
    for (uint32_t i = 0; i < sizeof(six) / sizeof(six[0]); i++) {
        call_addr6(&addr, six[i].ip, 80);
        assert_int_equal(connect_to(&addr), six[i].ret);
        assert_int_equal(bind_to(&addr), six[i].ret);
    }
    assert_int_equal(be_counters(pair.be)->refused, 2 * (5 + 7));
}

static void guest_checks_addresses_too(void **state)
{
    struct call_addr addr = pair_addr(80);

    (void)state;
    addr.bytes[0] = 1; /* AF_UNIX */
    assert_int_equal(connect_to(&addr), -ERR_AFNOSUPPORT);
    addr = pair_addr(80);
    addr.len = 28;
    assert_int_equal(connect_to(&addr), -ERR_INVAL);
    assert_int_equal(bind_to(&addr), -ERR_INVAL);
    assert_int_equal(fe_counters(pair.fe)->requests, 0);
}

static void guest_runs_out_of_slots(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 256; i++)
        assert_true(pair_connect_begin(&pair, 80) >= 0);
    assert_int_equal(pair_connect_begin(&pair, 80), -ERR_MFILE);
    assert_int_equal(pair_bind_begin(&pair, 80), -ERR_MFILE);
    pair_settle(&pair);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), 256);
    for (uint32_t i = 0; i < 256; i++)
        assert_int_equal(pair.log[i].done.ret, 0);
    for (uint32_t i = 0; i < 256; i++)
        release((int64_t)pair.log[i].done.sock);
    pair_settle(&pair);
    assert_no_sockets();
}

static void stale_ids_are_errors(void **state)
{
    char byte = 0;

    (void)state;
    uint64_t old = pair_connect(&pair, NULL);
    release((int64_t)old);
    assert_int_equal(pair_release(&pair, old), -ERR_BADF); /* once is enough */
    pair_settle(&pair);
    for (uint32_t i = 0; i < 256; i++) { /* until its slot is used again */
        uint64_t sock = pair_connect(&pair, NULL);
        assert_true(sock != old);
        assert_int_equal(pair_send(&pair, old, &byte, 1), -ERR_BADF);
        assert_int_equal(pair_recv(&pair, old, &byte, 1), -ERR_BADF);
        assert_int_equal(pair_release(&pair, old), -ERR_BADF);
        assert_int_equal(pair_listen_begin(&pair, old), -ERR_BADF);
        assert_int_equal(pair_accept_begin(&pair, old), -ERR_BADF);
        assert_int_equal(pair_poll_begin(&pair, old), -ERR_BADF);
        assert_int_equal(fe_unsent(pair.fe, old), -ERR_BADF);
        assert_int_equal(step_slot(sock) == step_slot(old), i == 255);
        release((int64_t)sock);
        pair_settle(&pair);
        pair_forget(&pair);
    }
    assert_int_equal(pair_release(&pair, UINT64_MAX), -ERR_BADF);
    assert_int_equal(pair_release(&pair, 256), -ERR_BADF); /* behind the last slot */
}

static void wrong_state_is_an_error(void **state)
{
    char byte = 0;

    (void)state;
    uint64_t open = pair_connect(&pair, NULL), listener = pair_listen(&pair, NULL);
    assert_int_equal(pair_listen_begin(&pair, open), -ERR_INVAL);
    assert_int_equal(pair_listen_begin(&pair, listener), -ERR_INVAL);
    assert_int_equal(pair_accept_begin(&pair, open), -ERR_INVAL);
    assert_int_equal(pair_poll_begin(&pair, open), -ERR_INVAL);
    assert_int_equal(pair_send(&pair, listener, &byte, 1), -ERR_NOTCONN);
    assert_int_equal(pair_recv(&pair, listener, &byte, 1), -ERR_NOTCONN);
    release((int64_t)open);
    release((int64_t)listener);
}

/* ---- who waits for whom -------------------------------------------------------------------- */

static void pending_connect_delays_nobody(void **state)
{
    (void)state;
    int64_t slow = pair_connect_begin(&pair, 81);
    pair_run(&pair);
    uint64_t black_hole = pair_pending(&pair, EV_NET_CONNECT), fast[20];
    pair_forget(&pair);
    for (uint32_t i = 0; i < 20; i++)
        fast[i] = pair_connect(&pair, NULL);
    assert_int_equal(pair_done(&pair, CALL_CONNECT, (uint64_t)slow), 1); /* still waits */
    assert_true(net_mem_complete(pair.net, EV_NET_CONNECT, black_hole, -ERR_TIMEDOUT, NULL));
    pair_run(&pair);
    assert_int_equal(pair_done(&pair, CALL_CONNECT, (uint64_t)slow), -ERR_TIMEDOUT);
    for (uint32_t i = 0; i < 20; i++)
        release((int64_t)fast[i]);
    pair_settle(&pair);
    assert_no_sockets();
}

static void accepts_are_served_in_order(void **state)
{
    int64_t socks[40];

    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    for (uint32_t i = 0; i < 40; i++)
        socks[i] = pair_accept_begin(&pair, listener);
    pair_run(&pair);
    pair_forget(&pair);
    for (uint32_t i = 0; i < 40; i++) {
        struct net_mem_op op = {0};
        for (uint32_t k = 0; op.kind != EV_NET_ACCEPT; k++) /* the oldest */
            assert_true(net_mem_pending(pair.net, k, &op));
        assert_true(net_mem_complete(pair.net, EV_NET_ACCEPT, op.token, 0, NULL));
        pair_run(&pair);
        assert_int_equal(pair.log_count, i + 1);
        assert_int_equal(pair.log[i].done.sock, socks[i]);
    }
    for (uint32_t i = 0; i < 40; i++)
        release(socks[i]);
    release((int64_t)listener);
    pair_settle(&pair);
    assert_no_sockets();
}

/* Accepts of ten listeners: each has had its turn before one has a second. */
static void listeners_take_turns(void **state)
{
    uint64_t listeners[10], tokens[10];
    uint32_t served[10] = {0};

    (void)state;
    for (uint32_t i = 0; i < 10; i++) {
        listeners[i] = pair_listen(&pair, &tokens[i]);
        for (uint32_t k = 0; k < 8; k++)
            assert_true(pair_accept_begin(&pair, listeners[i]) >= 0);
    }
    pair_run(&pair);
    pair_forget(&pair);
    for (uint32_t i = 0; i < 80; i++) {
        struct net_mem_op op = {0};
        for (uint32_t k = 0; op.kind != EV_NET_ACCEPT; k++)
            assert_true(net_mem_pending(pair.net, k, &op));
        assert_true(net_mem_complete(pair.net, EV_NET_ACCEPT, op.token, -ERR_NOMEM, NULL));
        pair_run(&pair);
        for (uint32_t k = 0; k < 10; k++)
            served[k] += op.listener == tokens[k] ? 1u : 0u;
        /* the first listener filled the ring alone, before there was another */
        for (uint32_t k = 1; i >= 6 + 2 && k < 10; k++)
            assert_in_range(served[k], (i - 8) / 10, (i - 8) / 10 + 2);
    }
    for (uint32_t i = 0; i < 10; i++)
        release((int64_t)listeners[i]);
    pair_settle(&pair);
    assert_no_sockets();
}

static void polls_beside_accepts(void **state)
{
    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    pair_forget(&pair);
    assert_int_equal(pair_poll_begin(&pair, listener), 0);
    int64_t sock = pair_accept_begin(&pair, listener);
    assert_int_equal(pair_poll_begin(&pair, listener), 0);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_POLL), 2);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), 1);
    finish_op(EV_NET_ACCEPT, 0);
    finish_op(EV_NET_POLL, 0);
    finish_op(EV_NET_POLL, 0);
    assert_string_equal(pair_told(&pair), "ACCEPT 0, POLL 0, POLL 0");
    assert_int_equal(pair.log[1].done.sock, listener);
    release(sock);
    release((int64_t)listener);
    pair_settle(&pair);
    assert_no_sockets();
}

/* ---- the slots of the ring ----------------------------------------------------------------- */

static void parked_requests_leave_two_slots(void **state)
{
    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    uint64_t waits = fe_counters(pair.fe)->request_waits;
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(pair_accept_begin(&pair, listener) >= 0);
        assert_int_equal(pair_poll_begin(&pair, listener), 0);
    }
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT) +
                         pair_pending_count(&pair, EV_NET_POLL),
                     6); /* SIZE - 2 */
    assert_int_equal(fe_counters(pair.fe)->request_waits - waits, 14);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(pair_connect_begin(&pair, 80) >= 0);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 1); /* with them SIZE - 1 */
    assert_int_equal(fe_counters(pair.fe)->request_waits - waits, 16);
    int64_t bound = pair_bind_begin(&pair, 80); /* the last is for what cannot park */
    pair_run(&pair);
    finish_op(EV_NET_BIND, 0);
    assert_int_equal(pair_done(&pair, CALL_BIND, (uint64_t)bound), 0);
    assert_int_equal(fe_counters(pair.fe)->request_waits - waits, 16);
    release(bound);
    release((int64_t)listener);
    pair_settle(&pair);
    for (uint32_t i = 0; i < pair.log_count; i++)
        if (pair.log[i].done.call == CALL_CONNECT)
            release((int64_t)pair.log[i].done.sock);
    pair_settle(&pair);
    assert_no_sockets();
}

static void connects_leave_one_slot(void **state)
{
    int64_t socks[20];

    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        socks[i] = pair_connect_begin(&pair, 80);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 7); /* SIZE - 1 */
    int64_t bound = pair_bind_begin(&pair, 80);
    pair_run(&pair);
    finish_op(EV_NET_BIND, 0);
    release(bound);
    pair_run(&pair);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, (uint64_t)bound), 0);
    for (uint32_t i = 0; i < 20; i++)
        release(socks[i]);
    pair_settle(&pair);
    assert_no_sockets();
}

static void release_gets_through(void **state)
{
    int64_t socks[100];

    (void)state;
    uint64_t listener = pair_listen(&pair, NULL), open = pair_connect(&pair, NULL);
    for (uint32_t i = 0; i < 100; i++)
        socks[i] = pair_accept_begin(&pair, listener);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(pair_connect_begin(&pair, 80) >= 0);
    pair_run(&pair);
    pair_forget(&pair);
    release((int64_t)open);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "RELEASE 0");
    for (uint32_t i = 100; i-- > 0;) /* those in the ring last */
        release(socks[i]);
    pair_run(&pair);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), 201);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(pair_done(&pair, CALL_ACCEPT, (uint64_t)socks[i]), -ERR_CONNABORTED);
        assert_int_equal(pair_done(&pair, CALL_RELEASE, (uint64_t)socks[i]), 0);
    }
    release((int64_t)listener);
    pair_settle(&pair);
    for (uint32_t i = 0; i < pair.log_count; i++)
        if (pair.log[i].done.call == CALL_CONNECT)
            release((int64_t)pair.log[i].done.sock);
    pair_settle(&pair);
    assert_no_sockets();
}

/* protocol.md 5.2 a: many commands pass while one ACCEPT waits; none takes its answer. */
static void held_accept_keeps_its_id(void **state)
{
    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    int64_t held = pair_accept_begin(&pair, listener);
    pair_run(&pair);
    uint64_t token = pair_pending(&pair, EV_NET_ACCEPT);
    for (uint32_t i = 0; i < 40; i++) {
        int64_t sock = pair_bind_begin(&pair, (uint16_t)(100 + i));
        pair_settle(&pair);
        assert_int_equal(pair_done(&pair, CALL_BIND, (uint64_t)sock), 0);
        release(sock);
        pair_settle(&pair);
        assert_int_equal(pair_done(&pair, CALL_ACCEPT, (uint64_t)held), 1);
    }
    assert_int_equal(pair.front_fault_count, 0);
    assert_true(net_mem_complete(pair.net, EV_NET_ACCEPT, token, 0, NULL));
    pair_run(&pair);
    assert_int_equal(pair_done(&pair, CALL_ACCEPT, (uint64_t)held), 0);
    release(held);
    release((int64_t)listener);
    pair_settle(&pair);
    assert_no_sockets();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_default, close_clean)
    const struct CMUnitTest tests[] = {
        TEST(six_commands_succeed),         TEST(sockets_errors_arrive),
        TEST(listen_error_leaves_it_bound), TEST(accept_error_arrives),
        TEST(policy_is_loopback_only),      TEST(guest_checks_addresses_too),
        TEST(guest_runs_out_of_slots),      TEST(stale_ids_are_errors),
        TEST(wrong_state_is_an_error),      TEST(pending_connect_delays_nobody),
        TEST(accepts_are_served_in_order),  TEST(listeners_take_turns),
        TEST(polls_beside_accepts),         TEST(parked_requests_leave_two_slots),
        TEST(connects_leave_one_slot),      TEST(release_gets_through),
        TEST(held_accept_keeps_its_id),
    };
#undef TEST

    return !!cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
