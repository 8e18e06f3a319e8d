/*
 * The life of a device over both cores: handshake in either order, the order of the data rings,
 * shut-down from either side, the other side's death, reconnecting, and every operation failing.
 */
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;

static void open_idle(uint32_t order)
{
    pair_open(&pair, &(struct pair_config){.order = order, .not_started = true});
}

static void start_both(void)
{
    pair_start_front(&pair);
    pair_start_back(&pair);
    pair_run(&pair);
}

static void assert_connected(void)
{
    assert_int_equal(fe_state(pair.fe), XENBUS_CONNECTED);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    assert_true(pair.up);
}

static void stop_front(void)
{
    exec_post(pair.front, 0, EV_STOP);
    pair_settle(&pair);
}

static void stop_back(void)
{
    exec_post(pair.back, 0, EV_STOP);
    pair_settle(&pair);
}

/* A socket connects, a byte goes each way, it closes. */
static void use_a_socket(void)
{
    uint64_t token, written;
    char got[4];
    uint64_t sock = pair_connect(&pair, &token);

    assert_int_equal(pair_send(&pair, sock, "x", 1), 1);
    pair_settle(&pair);
    assert_memory_equal(net_mem_written(pair.net, token, &written), "x", 1);
    assert_int_equal(written, 1);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 1, "y"));
    pair_settle(&pair);
    assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), 1);
    assert_int_equal(got[0], 'y');
    assert_int_equal(pair_release(&pair, sock), 0);
    pair_settle(&pair);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, sock), 0);
}

static void handshake_front_first(void **state)
{
    (void)state;
    open_idle(0);
    pair_start_front(&pair);
    pair_run(&pair);
    assert_string_equal(pair.front_states, ""); /* it waits for the backend's InitWait */
    pair_start_back(&pair);
    pair_run(&pair);
    assert_connected();
    assert_string_equal(pair.front_states, "34");
    assert_string_equal(pair.back_states, "24");
    use_a_socket();
    pair_close(&pair);
}

static void handshake_back_first(void **state)
{
    (void)state;
    open_idle(0);
    pair_start_back(&pair);
    pair_run(&pair);
    assert_string_equal(pair.back_states, "2");
    pair_start_front(&pair);
    pair_run(&pair);
    assert_connected();
    assert_string_equal(pair.front_states, "34");
    assert_string_equal(pair.back_states, "24");
    assert_string_equal(pair_told(&pair), "UP");
    pair_close(&pair);
}

static const char *node(const char *path)
{
    const char *value = store_text(hypervisor_store(hv_mem_tables(pair.machine)), path);

    return value ? value : "absent";
}

static void order_is_agreed(void **state)
{
    (void)state;
    open_idle(3);
    start_both();
    assert_connected();
    assert_string_equal(node("/local/domain/0/backend/xensock/1/0/max-dataring-page-order"), "6");
    assert_string_equal(node("/local/domain/1/device/xensock/0/dataring-page-order"), "3");
    uint64_t sock = pair_connect(&pair, NULL);
    assert_int_equal(pair.front_hv->counters.grants_now, 1 + 8);
    pair_release(&pair, sock);
    pair_close(&pair);
}

/* A backend that the test plays says 2 and offers `max`; the front's fault, or -1. */
static int front_meets(uint32_t order, const char *max)
{
    int fault;

    pair_open(&pair, &(struct pair_config){.order = order, .no_back = true});
    if (max)
        pair_write(&pair, PAIR_BACK, "max-dataring-page-order", max);
    pair_write(&pair, PAIR_BACK, "state", "2");
    pair_run(&pair);
    fault = pair.front_fault_count > 0 ? (int)pair.front_faults[0].reason : -1;
    assert_true(pair.front_fault_count <= 1);
    assert_string_equal(pair.front_states, fault < 0 ? "3" : "6");
    assert_int_equal(pair.gone, fault >= 0);
    assert_int_equal(pair.front_hv->counters.grants_now, fault < 0 ? 1 : 0);
    pair_drop(&pair);
    return fault;
}

static void front_judges_the_offer(void **state)
{
    (void)state;
    assert_int_equal(front_meets(6, NULL), -1); /* a silent backend is a draft 1 backend */
    assert_int_equal(front_meets(3, NULL), FAULT_ORDER);
    assert_int_equal(front_meets(3, "3"), -1);
    assert_int_equal(front_meets(3, "9"), -1);
    assert_int_equal(front_meets(3, "2"), FAULT_ORDER);
    assert_int_equal(front_meets(1, "0"), FAULT_ORDER);
    assert_int_equal(front_meets(6, ""), FAULT_STORE_VALUE);
    assert_int_equal(front_meets(6, "six"), FAULT_STORE_VALUE);
    assert_int_equal(front_meets(6, "-1"), FAULT_STORE_VALUE);
    assert_int_equal(front_meets(6, "6 "), FAULT_STORE_VALUE);
    assert_int_equal(front_meets(6, "99999999999"), FAULT_STORE_VALUE);
    assert_int_equal(front_meets(6, "0000000000000000000000000000000000000000000000000000000000000"
                                    "0000000000000000006"),
                     FAULT_STORE_VALUE); /* longer than any value a core takes */
}

/* Without backend-id the front waits for it; one that is no domain, or cannot be read, is an end.
 */
static void front_judges_the_backends_domain(void **state)
{
    static const char *const bad[] = {"", "x", "-1", "32752", "99999999999"};

    (void)state;
    open_idle(0);
    pair_write(&pair, PAIR_FRONT, "backend-id", NULL);
    start_both();
    assert_false(fe_idle(pair.fe));
    assert_int_equal(pair.front_fault_count, 0);
    pair_write(&pair, PAIR_FRONT, "backend-id", "0");
    pair_run(&pair);
    assert_connected();
    pair_close(&pair);
    for (uint32_t i = 0; i < 1 + sizeof(bad) / sizeof(bad[0]); i++) {
        open_idle(0);
        if (i == 0)
            hv_mem_fail(pair.front_hv, EV_STORE_READ, 0, -ERR_NOMEM);
        else
            pair_write(&pair, PAIR_FRONT, "backend-id", bad[i - 1]);
        start_both();
        assert_int_equal(pair.front_fault_count, 1);
        assert_int_equal(pair.front_faults[0].reason, FAULT_STORE_VALUE);
        assert_int_equal(pair.front_faults[0].index, DIALECT_KEY_BACKEND_ID);
        assert_true(pair.gone && fe_idle(pair.fe));
        pair_write(&pair, PAIR_FRONT, "backend-id", "0"); /* and it can begin again */
        pair_start_front(&pair);
        pair_run(&pair);
        assert_connected();
        pair_close(&pair);
    }
}

/* A front that the test plays writes its three nodes and 3; the back's fault. */
static int back_meets(const char *ref, const char *port, const char *order)
{
    int fault;

    pair_open(&pair, &(struct pair_config){.no_front = true});
    if (ref)
        pair_write(&pair, PAIR_FRONT, "ring-ref", ref);
    if (port)
        pair_write(&pair, PAIR_FRONT, "port", port);
    if (order)
        pair_write(&pair, PAIR_FRONT, "dataring-page-order", order);
    pair_write(&pair, PAIR_FRONT, "state", "3");
    pair_run(&pair);
    assert_string_equal(pair.back_states, "25");
    assert_int_equal(pair.back_fault_count, 1);
    fault = (int)pair.back_faults[0].reason;
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 0);
    assert_int_equal(pair.back_hv->counters.ports_now, 0);
    pair_write(&pair, PAIR_FRONT, "state", "6");
    pair_close(&pair);
    return fault;
}

static void back_refuses_bad_nodes(void **state)
{
    (void)state;
    /* ring and port are good in these: only the order is wrong */
    static const char *const orders[] = {"0", "7", "31", "4294967295"};
    static const char *const garbage[] = {
        "",
        "x",
        "6x",
        " 6",
        "+6",
        "-1",
        "99999999999",
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000006"};

    for (uint32_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        assert_int_equal(back_meets("8", "1", orders[i]), FAULT_ORDER);
    for (uint32_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        assert_int_equal(back_meets("8", "1", garbage[i]), FAULT_STORE_VALUE);
        assert_int_equal(back_meets(garbage[i], "1", "6"), FAULT_STORE_VALUE);
        assert_int_equal(back_meets("8", garbage[i], "6"), FAULT_STORE_VALUE);
    }
    assert_int_equal(back_meets(NULL, "1", "6"), FAULT_STORE_VALUE);
    assert_int_equal(back_meets("8", NULL, "6"), FAULT_STORE_VALUE);
    assert_int_equal(back_meets("0", "1", "6"), FAULT_MAP_RING);    /* reserved */
    assert_int_equal(back_meets("4000", "1", "6"), FAULT_MAP_RING); /* not granted */
    assert_int_equal(back_meets("4294967295", "1", NULL), FAULT_MAP_RING);
}

static struct hv_ops closing_ops;

/* The front closes, in good order, at the moment its ring is mapped. */
static void map_late(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs,
                     uint32_t count)
{
    pair_write(&pair, PAIR_FRONT, "state", "5");
    pair.back_ops.map(hv, token, domid, refs, count);
}

static void back_does_not_blame_a_front_that_closes(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true});
    closing_ops = pair.back_ops;
    closing_ops.map = map_late;
    pair.back_hv->ops = &closing_ops;
    pair_write(&pair, PAIR_FRONT, "ring-ref", "4000");
    pair_write(&pair, PAIR_FRONT, "port", "1");
    pair_write(&pair, PAIR_FRONT, "state", "3");
    pair_run(&pair);
    assert_int_equal(pair.back_fault_count, 0);
    assert_string_equal(pair.back_states, "25");
    pair_write(&pair, PAIR_FRONT, "state", "6");
    pair_run(&pair);
    assert_string_equal(pair.back_states, "256");
    pair_close(&pair);
}

static void back_refuses_a_bad_port(void **state)
{
    struct ev ev;
    char ref[16];

    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true});
    hv_share(pair.front_hv, 1, PAIR_BACK, 1);
    assert_true(hv_next(pair.front_hv, &ev));
    xenbus_print(ref, ev.share.refs[0]);
    pair_write(&pair, PAIR_FRONT, "ring-ref", ref);
    pair_write(&pair, PAIR_FRONT, "port", "77");
    pair_write(&pair, PAIR_FRONT, "state", "3");
    pair_run(&pair);
    assert_string_equal(pair.back_states, "25");
    assert_int_equal(pair.back_fault_count, 1);
    assert_int_equal(pair.back_faults[0].reason, FAULT_MAP_RING);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 0); /* the good half is undone */
    pair_write(&pair, PAIR_FRONT, "state", "6");
    pair_close(&pair);
}

static void front_shuts_down(void **state)
{
    (void)state;
    open_idle(0);
    start_both();
    stop_front();
    assert_string_equal(pair.front_states, "3456");
    assert_string_equal(pair.back_states, "2456");
    assert_string_equal(pair_told(&pair), "UP, GONE");
    pair_close(&pair);
}

static void back_shuts_down(void **state)
{
    (void)state;
    open_idle(0);
    start_both();
    stop_back();
    assert_string_equal(pair.front_states, "346");
    assert_string_equal(pair.back_states, "2456");
    assert_string_equal(pair_told(&pair), "UP, GONE");
    assert_true(be_idle(pair.be));
    pair_close(&pair);
}

/* What was open when the device went is told once each, and can only be released. */
static void sockets_fail_once(void **state)
{
    char byte;

    (void)state;
    open_idle(0);
    start_both();
    uint64_t open = pair_connect(&pair, NULL), listener = pair_listen(&pair, NULL);
    assert_true(pair_accept_begin(&pair, listener) >= 0);
    assert_int_equal(pair_poll_begin(&pair, listener), 0);
    assert_int_equal(pair_recv(&pair, open, &byte, 1), -ERR_AGAIN);
    pair_run(&pair);
    pair_forget(&pair);
    stop_back();
    assert_string_equal(pair_told(&pair), "POLL -103, ACCEPT -103, READABLE, GONE");
    assert_int_equal(pair_recv(&pair, open, &byte, 1), -ERR_CONNRESET);
    assert_int_equal(pair_send(&pair, open, &byte, 1), -ERR_CONNRESET);
    assert_int_equal(pair_accept_begin(&pair, listener), -ERR_CONNRESET);
    assert_int_equal(pair_connect_begin(&pair, 80), -ERR_NOTCONN);
    assert_int_equal(pair_release(&pair, open), 0);
    assert_int_equal(pair_release(&pair, listener), 0);
    pair_run(&pair);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    pair_close(&pair);
}

static void reconnects_after_either(void **state)
{
    (void)state;
    open_idle(0);
    start_both();
    use_a_socket();
    stop_front();
    pair_start_front(&pair);
    pair_run(&pair);
    assert_connected();
    use_a_socket();
    stop_back();
    assert_true(be_idle(pair.be));
    start_both();
    assert_connected();
    use_a_socket();
    assert_string_equal(pair.front_states, "34561346134");
    assert_string_equal(pair.back_states, "2456245624");
    pair_close(&pair);
}

/* A socket of the device's former life can still be released in its next. */
static void old_sockets_survive_a_reconnect(void **state)
{
    char byte;

    (void)state;
    open_idle(0);
    start_both();
    uint64_t open = pair_connect(&pair, NULL), listener = pair_listen(&pair, NULL);
    stop_front();
    pair_start_front(&pair);
    pair_run(&pair);
    assert_connected();
    assert_int_equal(pair_recv(&pair, open, &byte, 1), -ERR_CONNRESET);
    pair_forget(&pair);
    assert_int_equal(pair_release(&pair, open), 0);
    assert_int_equal(pair_release(&pair, listener), 0);
    pair_settle(&pair);
    assert_string_equal(pair_told(&pair), "RELEASE 0, RELEASE 0");
    use_a_socket();
    pair_close(&pair);
}

static void thousand_reconnects_leak_nothing(void **state)
{
    struct pair_usage before, after;

    (void)state;
    open_idle(1);
    start_both();
    uint64_t sock = pair_connect(&pair, NULL);
    pair_release(&pair, sock);
    stop_front();
    pair_usage(&pair, &before);
    for (uint32_t i = 0; i < 1000; i++) {
        pair_forget(&pair);
        if (be_idle(pair.be))
            pair_start_back(&pair);
        pair_start_front(&pair);
        pair_run(&pair);
        assert_connected();
        uint64_t kept = pair_connect(&pair, NULL), listener = pair_listen(&pair, NULL);
        assert_true(pair_accept_begin(&pair, listener) >= 0);
        pair_run(&pair);
        if (i % 2)
            stop_front();
        else
            stop_back();
        assert_true(pair.gone);
        pair_release(&pair, kept);
        pair_release(&pair, listener);
        pair_settle(&pair);
    }
    pair_usage(&pair, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    pair_close(&pair);
}

/* A front that crashed begins again at 1 while the backend is still Connected. */
static void front_returns_to_1(void **state)
{
    (void)state;
    open_idle(0);
    start_both();
    pair_connect(&pair, NULL);
    pair_write(&pair, PAIR_FRONT, "state", "1");
    exec_turn(pair.back, 0); /* and the old front runs no more */
    assert_string_equal(pair.back_states, "2462");
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 0);
    assert_int_equal(net_mem_sockets(pair.net), 0);
    assert_int_equal(pair.back_fault_count, 0);
    pair_drop(&pair);
}

static void backend_dies(void **state)
{
    char byte;

    (void)state;
    open_idle(0);
    start_both();
    uint64_t open = pair_connect(&pair, NULL);
    assert_int_equal(pair_send(&pair, open, "lost", 4), 4);
    int64_t pending = pair_connect_begin(&pair, 81);
    pair_run(&pair);
    pair_forget(&pair);
    pair_kill_back(&pair);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "READABLE, CONNECT -104, GONE");
    assert_int_equal(pair_recv(&pair, open, &byte, 1), -ERR_CONNRESET);
    assert_int_equal(pair_release(&pair, (uint64_t)pending), -ERR_BADF);
    assert_int_equal(pair_release(&pair, open), 0);
    pair_run(&pair);
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
    assert_int_equal(fe_state(pair.fe), XENBUS_CLOSED);
    assert_int_equal(pair.front_fault_count, 0); /* that it may not see the rest is no breach */
    /* the toolstack removed the device's nodes: closing revives none */
    assert_null(store_text(hypervisor_store(hv_mem_tables(pair.machine)),
                           "/local/domain/1/device/xensock/0/state"));
    pair_close(&pair); /* sees that pages and ports are free */
}

/* Fails the first operation of a kind on one side, and stops both: nothing stays, nobody hangs. */
static void handshake_without(uint16_t domid, enum ev_kind kind, uint32_t n,
                              enum fault_reason reason)
{
    open_idle(0);
    hv_mem_fail(domid == PAIR_FRONT ? pair.front_hv : pair.back_hv, kind, n, -ERR_NOMEM);
    start_both();
    assert_false(pair.up);
    assert_int_not_equal(be_state(pair.be), XENBUS_CONNECTED);
    if (domid == PAIR_FRONT) {
        assert_int_equal(pair.front_fault_count, 1);
        assert_int_equal(pair.front_faults[0].reason, reason);
        assert_int_equal(pair.front_faults[0].index, kind); /* what of ours was refused */
        assert_true(pair.gone);
    } else {
        assert_int_equal(pair.back_fault_count, 1);
        assert_int_equal(pair.back_faults[0].reason, reason);
    }
    pair_close(&pair);
}

static void handshake_survives_failures(void **state)
{
    (void)state;
    handshake_without(PAIR_FRONT, EV_SHARE, 0, FAULT_STORE);
    handshake_without(PAIR_FRONT, EV_PORT_ALLOC, 0, FAULT_STORE);
    handshake_without(PAIR_FRONT, EV_STORE_WATCH, 0, FAULT_STORE);
    handshake_without(PAIR_FRONT, EV_STORE_WATCH, 1, FAULT_STORE);
    handshake_without(PAIR_FRONT, EV_STORE_PUBLISH, 0, FAULT_STORE);
    handshake_without(PAIR_BACK, EV_STORE_WATCH, 0, FAULT_STORE);
    handshake_without(PAIR_BACK, EV_STORE_PUBLISH, 1, FAULT_STORE); /* of 4 */
    handshake_without(PAIR_BACK, EV_MAP, 0, FAULT_MAP_RING);
    handshake_without(PAIR_BACK, EV_PORT_BIND, 0, FAULT_MAP_RING);
}

/* A backend whose InitWait was refused says so, and begins again when it hears of the front. */
static void back_begins_again(void **state)
{
    (void)state;
    open_idle(0);
    hv_mem_fail(pair.back_hv, EV_STORE_PUBLISH, 0, -ERR_NOSPC);
    start_both();
    assert_int_equal(pair.back_fault_count, 1);
    assert_int_equal(pair.back_faults[0].reason, FAULT_STORE);
    assert_connected();
    pair_close(&pair);
}

/* The next operation of a kind fails under a CONNECT; `told` is what the application hears. */
static void connect_without(struct hv *hv, enum ev_kind kind, const char *told)
{
    struct pair_usage before, after;

    pair_usage(&pair, &before);
    pair_forget(&pair);
    hv_mem_fail(hv, kind, 0, -ERR_NOMEM);
    assert_true(pair_connect_begin(&pair, 80) >= 0);
    pair_settle(&pair);
    assert_string_equal(pair_told(&pair), told);
    pair_usage(&pair, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
}

static void connect_survives_failures(void **state)
{
    (void)state;
    open_idle(0);
    start_both();
    connect_without(pair.front_hv, EV_SHARE, "CONNECT -12");
    connect_without(pair.front_hv, EV_PORT_ALLOC, "CONNECT -12");
    connect_without(pair.back_hv, EV_MAP, "CONNECT -12");
    connect_without(pair.back_hv, EV_PORT_BIND, "CONNECT -12");
    use_a_socket();
    pair_close(&pair);
}

static void accept_survives_failures(void **state)
{
    (void)state;
    static const struct {
        bool front;
        enum ev_kind kind;
    } steps[] = {{true, EV_SHARE}, {true, EV_PORT_ALLOC}, {false, EV_MAP}, {false, EV_PORT_BIND}};

    open_idle(0);
    start_both();
    uint64_t listener = pair_listen(&pair, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        pair_forget(&pair);
        hv_mem_fail(steps[i].front ? pair.front_hv : pair.back_hv, steps[i].kind, 0, -ERR_NOMEM);
        assert_true(pair_accept_begin(&pair, listener) >= 0);
        pair_settle(&pair);
        assert_string_equal(pair_told(&pair), "ACCEPT -12");
        assert_int_equal(fe_counters(pair.fe)->sockets_now, 1);
        assert_int_equal(be_counters(pair.be)->sockets_now, 1);
    }
    pair_release(&pair, listener);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_front_first),
        cmocka_unit_test(handshake_back_first),
        cmocka_unit_test(order_is_agreed),
        cmocka_unit_test(front_judges_the_offer),
        cmocka_unit_test(front_judges_the_backends_domain),
        cmocka_unit_test(back_refuses_bad_nodes),
        cmocka_unit_test(back_does_not_blame_a_front_that_closes),
        cmocka_unit_test(back_refuses_a_bad_port),
        cmocka_unit_test(front_shuts_down),
        cmocka_unit_test(back_shuts_down),
        cmocka_unit_test(sockets_fail_once),
        cmocka_unit_test(reconnects_after_either),
        cmocka_unit_test(old_sockets_survive_a_reconnect),
        cmocka_unit_test(thousand_reconnects_leak_nothing),
        cmocka_unit_test(front_returns_to_1),
        cmocka_unit_test(backend_dies),
        cmocka_unit_test(handshake_survives_failures),
        cmocka_unit_test(back_begins_again),
        cmocka_unit_test(connect_survives_failures),
        cmocka_unit_test(accept_survives_failures),
    };

    return !!cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
