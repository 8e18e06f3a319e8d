/*
 * A session of both cores in which one operation fails, for every operation of every kind on either
 * side, and two at once: nobody hangs, every call is answered once, and nothing is left.
 *
 * The undoing operations (unmap, unshare, port close) cannot fail by their contract (hv.h); that
 * the cores do not hang if one does all the same is seen, that nothing is left then cannot be.
 */
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PATIENCE_NS 5000000000u

#define NONE UINT32_MAX /* no operation fails */

static struct pair pair;
static const struct dialect *spoken;

/* The operation to fail: the n-th of a kind on one side. */
struct failure {
    uint16_t domid;
    enum ev_kind kind;
    uint32_t n;
};

/* The kinds a session uses, on either side. */
static const enum ev_kind kinds[] = {
    EV_SHARE,      EV_UNSHARE,    EV_MAP,         EV_UNMAP,         EV_PORT_ALLOC,    EV_PORT_BIND,
    EV_PORT_CLOSE, EV_STORE_READ, EV_STORE_WATCH, EV_STORE_UNWATCH, EV_STORE_PUBLISH,
};

static bool undoes(enum ev_kind kind)
{
    return kind == EV_UNSHARE || kind == EV_UNMAP || kind == EV_PORT_CLOSE ||
           kind == EV_STORE_UNWATCH;
}

/* Every call is told its end exactly once, and with what truly was its end: no failure turns into
 * another on its way. */
static void assert_told(enum call_kind call, int64_t sock)
{
    uint32_t times = 0;

    for (uint32_t i = 0; sock >= 0 && i < pair.log_count; i++) {
        const struct act_done *done = &pair.log[i].done;
        if (pair.log[i].kind != ACT_DONE || done->call != call || done->sock != (uint64_t)sock)
            continue;
        assert_true(done->ret == 0 || done->ret == -ERR_NOMEM || done->ret == -ERR_CONNRESET ||
                    done->ret == -ERR_CONNABORTED);
        times++;
    }
    assert_int_equal(times, sock >= 0 ? 1 : 0);
}

/* A device that does not come up says so: the side that failed reports it, and a front that could
 * not offer its ring tells the application. */
static void assert_up_or_reported(void)
{
    if (pair.up)
        return;
    assert_true(pair.front_fault_count + pair.back_fault_count > 0);
    assert_true(pair.front_fault_count == 0 || pair.gone);
    assert_int_not_equal(be_state(pair.be), XENBUS_CONNECTED);
}

static void arm(const struct failure *failure)
{
    if (failure->n != NONE)
        hv_mem_fail(failure->domid == PAIR_FRONT ? pair.front_hv : pair.back_hv, failure->kind,
                    failure->n, -ERR_NOMEM);
}

static int64_t accept_on(int64_t listener)
{
    if (listener < 0 || pair_listen_begin(&pair, (uint64_t)listener) < 0)
        return -1;
    pair_settle(&pair);
    int64_t sock = pair_accept_begin(&pair, (uint64_t)listener);
    pair_run(&pair);
    if (pair_pending_count(&pair, EV_NET_ACCEPT) > 0)
        net_mem_complete(pair.net, EV_NET_ACCEPT, pair_pending(&pair, EV_NET_ACCEPT), 0, NULL);
    pair_run(&pair);
    return sock;
}

static void stop_both(void)
{
    exec_post(pair.front, 0, EV_STOP);
    exec_post(pair.back, 0, EV_STOP);
    for (uint32_t i = 0; i < 3; i++) {
        pair_settle(&pair);
        pair.now_ns += PATIENCE_NS;
    }
    assert_true(fe_idle(pair.fe));
    assert_true(be_idle(pair.be));
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
}

/* Handshake, connect, bind, listen, accept, bytes, releases, shut-down. */
static void session(const struct failure *one, const struct failure *two)
{
    pair_open(&pair, &(struct pair_config){.dialect = spoken, .order = 1, .not_started = true});
    arm(one);
    arm(two);
    pair_start_front(&pair);
    pair_start_back(&pair);
    pair_settle(&pair);
    assert_up_or_reported();
    int64_t connected = pair_connect_begin(&pair, 80);
    int64_t listener = pair_bind_begin(&pair, 7000);
    pair_settle(&pair);
    int64_t accepted = accept_on(listener);
    if (connected >= 0)
        pair_send(&pair, (uint64_t)connected, "x", 1);
    pair_settle(&pair);
    const int64_t socks[] = {accepted, listener, connected};
    for (uint32_t i = 0; i < 3; i++)
        if (socks[i] >= 0 && pair_release(&pair, (uint64_t)socks[i]) == 0) {
            pair_settle(&pair);
            assert_told(CALL_RELEASE, socks[i]);
        }
    stop_both();
    assert_told(CALL_CONNECT, connected);
    assert_told(CALL_BIND, listener);
    assert_told(CALL_ACCEPT, accepted);
    if ((one->n != NONE && undoes(one->kind)) || (two->n != NONE && undoes(two->kind)))
        pair_drop(&pair);
    else
        pair_close(&pair); /* sees that nothing is left */
}

static const struct failure nothing = {.n = NONE};

/* What the others are compared with reaches its end. */
static void a_session_without_failures(void **state)
{
    (void)state;
    session(&nothing, &nothing);
    assert_int_equal(pair_done(&pair, CALL_CONNECT, UINT64_MAX), 0);
    assert_int_equal(pair_done(&pair, CALL_LISTEN, UINT64_MAX), 0);
    assert_int_equal(pair_done(&pair, CALL_ACCEPT, UINT64_MAX), 0);
    assert_string_equal(pair.front_states, "3456");
    assert_int_equal(pair.front_fault_count + pair.back_fault_count, 0);
}

/* More of each kind than any session has: the last ones fail nothing. */
enum { N_MAX = 12 };

static void every_operation_fails_once(void **state)
{
    (void)state;
    for (uint16_t domid = 0; domid < 2; domid++)
        for (uint32_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
            for (uint32_t n = 0; n < N_MAX; n++)
                session(&(struct failure){domid, kinds[kind], n}, &nothing);
}

/* Both halves of what a socket needs, on one side or on both. */
static void two_operations_fail(void **state)
{
    (void)state;
    for (uint32_t pick = 0; pick < 121; pick++) {
        const struct failure one = {PAIR_FRONT, kinds[pick % 11], 1};
        for (uint16_t domid = 0; domid < 2; domid++) {
            if (domid == PAIR_FRONT && pick / 11 == pick % 11)
                continue; /* one failure a kind and side */
            session(&one, &(struct failure){domid, kinds[pick / 11], 1});
        }
        session(&(struct failure){PAIR_BACK, kinds[pick % 11], 1},
                &(struct failure){PAIR_FRONT, kinds[pick / 11], 1});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_without_failures),
        cmocka_unit_test(every_operation_fails_once),
        cmocka_unit_test(two_operations_fail),
    };

    int failed = 0;

    for (uint32_t i = 0; (spoken = dialect_at(i)); i++)
        failed += cmocka_run_group_tests_name(spoken->name, tests, NULL, NULL);
    return !!failed;
}
