/*
 * The backend against a frontend that lies; each test plays the front by hand.
 * Which attack each test is: attacks. What needs memory to change between two reads is in
 * test_lying_hooked.c; requests wrong in themselves are in test_bad_requests.c.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue front;

static int open_front(void **state)
{
    (void)state;
    rogue_front_open(&front, &pair, 1);
    return 0;
}

static int close_clean(void **state)
{
    (void)state;
    rogue_front_close(&front);
    return 0;
}

static void assert_no_fault(void)
{
    assert_int_equal(pair.back_fault_count, 0);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
}

/* One fault of that reason, the device closing, nothing of the guest's kept. */
static void assert_broken(enum fault_reason reason)
{
    pair_settle(&pair);
    assert_int_equal(pair.back_fault_count, 1);
    assert_int_equal(pair.back_faults[0].reason, reason);
    assert_string_equal(pair.back_states, "245");
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 0);
    assert_int_equal(pair.back_hv->counters.ports_now, 0);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    assert_int_equal(net_mem_sockets(pair.net), 0);
    rogue_kick(&front); /* and it stays as it is */
    assert_int_equal(pair.back_fault_count, 1);
}

/* An open socket of the honest kind; the backend's token. */
static uint64_t open_socket(uint64_t sockid, struct rogue_data *data)
{
    struct call_reply reply;
    struct call call;

    rogue_share(&front, data);
    call = rogue_connect(0, sockid, data);
    rogue_put(&front, &call);
    rogue_kick(&front);
    uint64_t token = pair_pending(&pair, EV_NET_CONNECT);
    assert_true(net_mem_complete(pair.net, EV_NET_CONNECT, token, 0, NULL));
    pair_run(&pair);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    return token;
}

static int32_t release(uint64_t sockid)
{
    return rogue_ask(&front, &(struct call){.id = 7, .kind = CALL_RELEASE, .sockid = sockid});
}

/* The socket still carries a byte. */
static void assert_works(uint64_t token, struct rogue_data *data, uint32_t at)
{
    uint64_t written;

    shared_fill(&data->area, data->at.out.array + at, "w", 1);
    shared_store(&data->area, data->at.out.prod, at + 1);
    hv_notify(pair.front_hv, data->port);
    pair_settle(&pair);
    assert_int_equal(net_mem_written(pair.net, token, &written)[at], 'w');
    assert_int_equal(written, at + 1);
}

static void req_prod_jumps(void **state)
{
    static const uint32_t ahead[] = {9, 10, 64, 0x7fffffff, 0x80000000, 0xffffffff};
    struct rogue_data data;

    (void)state;
    for (uint32_t before = 0; before < 2; before++) {
        for (uint32_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
            rogue_front_open(&front, &pair, 1);
            if (before) /* something to be given back */
                open_socket(1, &data);
            rogue_store(&front, CMDRING_REQ_PROD, front.prod + ahead[i]);
            rogue_kick(&front);
            assert_int_equal(be_counters(pair.be)->requests, before);
            assert_broken(FAULT_CMDRING_WINDOW);
            assert_int_equal(pair.back_faults[0].index, before);
            assert_int_equal(pair.back_faults[0].value, before + ahead[i]);
            rogue_front_close(&front);
        }
    }
}

/* Eight at once are allowed, but only as many as are answered may follow. */
static void req_prod_beyond_unanswered(void **state)
{
    struct rogue_data data;

    (void)state;
    rogue_share(&front, &data);
    for (uint32_t i = 0; i < 7; i++) { /* one answered, six parked on the net */
        struct call call = rogue_connect(i, i == 0 ? 99 : i, &data);
        if (i == 0)
            call.kind = CALL_RELEASE;
        call.evtchn = i == 1 ? data.port : 9999;
        rogue_put(&front, &call);
    }
    rogue_kick(&front);
    assert_no_fault();
    assert_int_equal(be_counters(pair.be)->requests, 7);
    assert_int_equal(be_counters(pair.be)->replies, 6);
    rogue_store(&front, CMDRING_REQ_PROD, front.prod + 8); /* one is unanswered: 7 would do */
    rogue_kick(&front);
    assert_broken(FAULT_CMDRING_WINDOW);
}

static void our_indexes_overwritten(void **state)
{
    struct rogue_data data;
    struct call_reply reply;
    uint64_t written, token = open_socket(1, &data);

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        rogue_store(&front, CMDRING_RSP_PROD, i * 0x9e3779b9u);
        rogue_store(&front, CMDRING_REQ_EVENT, i * 0x9e3779b9u);
        shared_store(&data.area, data.at.out.cons, i * 0x85ebca6bu);
        shared_store(&data.area, data.at.in.prod, i * 0xc2b2ae35u);
        shared_store(&data.area, data.at.out.error, 77);
        shared_fill(&data.area, data.at.out.array + i, &(char){(char)('a' + i)}, 1);
        shared_store(&data.area, data.at.out.prod, i + 1);
        hv_notify(pair.front_hv, data.port);
        pair_settle(&pair);
        assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 1, "z"));
        pair_run(&pair);
        assert_int_equal(shared_load(&data.area, data.at.in.prod), i + 1);
        assert_int_equal(shared_load(&data.area, data.at.out.cons), i + 1);
    }
    assert_memory_equal(net_mem_written(pair.net, token, &written), "abcdefghijklmnopqrst", 20);
    assert_int_equal(written, 20);
    rogue_put(&front, &(struct call){.id = 3, .kind = CALL_RELEASE, .sockid = 1});
    rogue_kick(&front);
    assert_int_equal(rogue_load(&front, CMDRING_RSP_PROD), 2);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    assert_no_fault();
}

/* Whether a port of the guest's has fired since it was asked last. */
static bool heard(uint32_t port)
{
    struct ev ev;
    bool any = false;

    while (hv_next(pair.front_hv, &ev)) {
        any |= ev.kind == EV_PORT && ev.port == port;
        if (ev.kind == EV_PORT)
            hv_unmask(pair.front_hv, ev.port);
    }
    return any;
}

/* A lie about one data ring breaks that socket, and only that; the guest is woken to see it. */
static void data_lie(bool out, uint32_t claim)
{
    struct rogue_data good, bad;

    rogue_front_open(&front, &pair, 1);
    uint64_t healthy = open_socket(1, &good);
    open_socket(2, &bad);
    shared_store(&bad.area, out ? bad.at.out.prod : bad.at.in.cons, claim);
    heard(bad.port);
    hv_notify(pair.front_hv, bad.port);
    pair_run(&pair);
    if (!out) { /* a read is in flight; the lie is met at the next look */
        struct net_mem_op op = {0};
        for (uint32_t i = 0; op.kind != EV_NET_READ || op.token == healthy; i++)
            assert_true(net_mem_pending(pair.net, i, &op));
        assert_true(net_mem_complete(pair.net, EV_NET_READ, op.token, 1, "x"));
        pair_run(&pair);
    }
    assert_true(heard(bad.port));
    hv_notify(pair.front_hv, bad.port);
    pair_run(&pair);
    assert_int_equal(pair.back_fault_count, 1);
    assert_int_equal(pair.back_faults[0].reason, FAULT_BYTERING_WINDOW);
    assert_int_equal((int32_t)shared_load(&bad.area, bad.at.in.error), -ERR_IO);
    assert_int_equal((int32_t)shared_load(&bad.area, bad.at.out.error), -ERR_IO);
    assert_works(healthy, &good, 0);
    assert_int_equal(release(2), 0);
    assert_works(healthy, &good, 1);
    assert_int_equal(release(1), 0);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    rogue_front_close(&front);
}

static void out_prod_jumps(void **state)
{
    static const uint32_t claims[] = {4097, 8192, 0x7fffffff, 0x80000000, 0xffffffff};

    (void)state;
    for (uint32_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        data_lie(true, claims[i]);
}

static void in_cons_jumps(void **state)
{
    /* one byte will have been produced: 2 is ahead of it, 1 - 2049 behind by more than the array */
    static const uint32_t claims[] = {2, 1u - 2049, 0x7fffffff, 0x80000000};

    (void)state;
    for (uint32_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        data_lie(false, claims[i]);
}

static void order_changes_later(void **state)
{
    struct rogue_data data;

    (void)state;
    pair_write(&pair, PAIR_FRONT, "dataring-page-order", "6");
    pair_write(&pair, PAIR_FRONT, "ring-ref", "0");
    pair_write(&pair, PAIR_FRONT, "state", "4");
    pair_run(&pair);
    uint64_t token = open_socket(1, &data);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 2);
    assert_works(token, &data, 0);
    assert_no_fault();
}

/* Grants ended while mapped: the pages stay for the backend, and come free with its unmap. */
static void refs_revoked(void **state)
{
    struct rogue_data data;
    struct hypervisor_usage usage;
    uint64_t written, token = open_socket(1, &data);

    (void)state;
    shared_store(&data.area, data.at.out.prod, 100);
    rogue_unshare(&front, &data);
    hypervisor_usage(hv_mem_tables(pair.machine), PAIR_FRONT, &usage);
    assert_int_equal(usage.grants_quarantined, 2);
    pair_settle(&pair);
    assert_int_equal(release(1), 0);
    net_mem_written(pair.net, token, &written);
    assert_in_range(written, 0, 100);
    hypervisor_usage(hv_mem_tables(pair.machine), PAIR_FRONT, &usage);
    assert_int_equal(usage.grants_quarantined, 0);
    assert_no_fault();
}

/* The same of the command ring and of its port, under an open socket and a connect under way: the
 * socket goes on, the answer goes to nobody, and nothing is kept when the front leaves. */
static void ring_and_port_taken_away(void **state)
{
    struct rogue_data data, more;
    struct hypervisor_usage usage;
    struct ev ev;
    uint64_t token = open_socket(1, &data);

    (void)state;
    rogue_share(&front, &more);
    struct call call = rogue_connect(1, 2, &more);
    rogue_put(&front, &call);
    rogue_kick(&front);
    uint64_t connecting = pair_pending(&pair, EV_NET_CONNECT);
    hv_unshare(pair.front_hv, 1, front.handle);
    rogue_take(&front, EV_UNSHARE, &ev);
    hv_port_close(pair.front_hv, 2, front.port);
    rogue_take(&front, EV_PORT_CLOSE, &ev);
    assert_true(net_mem_complete(pair.net, EV_NET_CONNECT, connecting, 0, NULL));
    pair_run(&pair);
    assert_works(token, &data, 0);
    assert_int_equal(be_counters(pair.be)->replies, 2);
    hypervisor_usage(hv_mem_tables(pair.machine), PAIR_FRONT, &usage);
    assert_int_equal(usage.grants_quarantined, 1);
    assert_no_fault();
    pair_write(&pair, PAIR_FRONT, "state", "6");
    pair_settle(&pair);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 0);
    hypervisor_usage(hv_mem_tables(pair.machine), PAIR_FRONT, &usage);
    assert_int_equal(usage.grants_quarantined, 0);
}

static void event_storm(void **state)
{
    struct rogue_data data;

    (void)state;
    uint64_t token = open_socket(1, &data);
    uint64_t steps = exec_counters(pair.back)->steps, replies = be_counters(pair.be)->replies;
    uint64_t notifies = pair.back_hv->counters.notifies;
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t k = 0; k < 100; k++) { /* they coalesce */
            hv_notify(pair.front_hv, front.port);
            hv_notify(pair.front_hv, data.port);
        }
        pair_run(&pair);
    }
    assert_int_equal(exec_counters(pair.back)->steps - steps, 200);
    assert_int_equal(be_counters(pair.be)->replies, replies);
    assert_int_equal(pair.back_hv->counters.notifies, notifies);
    assert_works(token, &data, 0);
    assert_no_fault();
}

static void front_never_reads(void **state)
{
    static unsigned char bytes[2048];
    struct rogue_data data;
    uint64_t token = open_socket(1, &data);

    (void)state;
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 2048, bytes));
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_READ), 0); /* back-pressure, no buffer */
    uint64_t steps = exec_counters(pair.back)->steps;
    pair_run(&pair);
    assert_int_equal(exec_counters(pair.back)->steps, steps);
    for (uint32_t i = 0; i < 50; i++) { /* nor are its responses waited for */
        struct call call = {.id = 5, .kind = CALL_POLL, .sockid = 77};
        rogue_put(&front, &call);
        rogue_kick(&front);
    }
    assert_int_equal(rogue_load(&front, CMDRING_RSP_PROD), 51);
    assert_no_fault();
}

/* The backend stops; the front stays at 4 for ever. All it gave is let go. */
static void front_never_closes(void **state)
{
    struct rogue_data data;

    (void)state;
    open_socket(1, &data);
    exec_post(pair.back, 0, EV_STOP);
    pair_settle(&pair);
    assert_string_equal(pair.back_states, "245");
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 0);
    assert_int_equal(pair.back_hv->counters.ports_now, 0);
    assert_int_equal(net_mem_sockets(pair.net), 0);
    assert_false(be_idle(pair.be));
    pair_write(&pair, PAIR_FRONT, "state", NULL); /* until it is gone */
    pair_run(&pair);
    assert_true(be_idle(pair.be));
}

static void replies_leak_nothing(void **state)
{
    uint32_t slot[78], zero[78] = {0};

    (void)state;
    memset(slot, 0xff, sizeof(slot));
    rogue_put_raw(&front, slot);
    rogue_kick(&front);
    shared_copy(slot, &front.page, CMDRING_SLOTS, sizeof(slot));
    assert_memory_equal(&slot[5], &zero[5], sizeof(slot) - 5 * sizeof(slot[0]));
}

/* Any order of states, any garbage: never a crash, never 4 without a ring, nothing kept. */
static void states_out_of_order(void **state)
{
    static const char *const states[] = {"0", "1", "2", "3", "4",  "5",
                                         "6", "7", "8", "9", "-1", "x"};
    uint32_t random = 1;

    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        random = random * 1664525 + 1013904223;
        pair_write(&pair, PAIR_FRONT, "state", states[(random >> 16) % 12]);
        if ((random >> 8) % 3 == 0)
            pair_settle(&pair);
        if (be_state(pair.be) == XENBUS_CONNECTED)
            assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
    }
    pair_write(&pair, PAIR_FRONT, "state", "6");
    pair_settle(&pair);
    assert_int_equal(be_state(pair.be), XENBUS_CLOSED);
    pair_write(&pair, PAIR_FRONT, "state", "1");
    pair_run(&pair);
    assert_int_equal(be_state(pair.be), XENBUS_INITWAIT);
}

/* A device that closes in good order answers what it accepted before it lets the ring go. */
static void leaves_with_requests(void **state)
{
    struct rogue_data data;
    struct call_reply reply;

    (void)state;
    rogue_share(&front, &data);
    struct call call = rogue_connect(5, 1, &data);
    rogue_put(&front, &call);
    rogue_kick(&front);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 1);
    pair_write(&pair, PAIR_FRONT, "state", "5");
    pair_settle(&pair);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.id, 5);
    assert_int_equal(reply.ret, -ERR_CONNABORTED);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 0);
    assert_int_equal(pair.back_fault_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_front, close_clean)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(req_prod_jumps),
        TEST(req_prod_beyond_unanswered),
        TEST(our_indexes_overwritten),
        cmocka_unit_test(out_prod_jumps),
        cmocka_unit_test(in_cons_jumps),
        TEST(order_changes_later),
        TEST(refs_revoked),
        TEST(ring_and_port_taken_away),
        TEST(event_storm),
        TEST(front_never_reads),
        TEST(front_never_closes),
        TEST(replies_leak_nothing),
        TEST(states_out_of_order),
        TEST(leaves_with_requests),
    };
#undef TEST

    return !!cmocka_run_group_tests_name("lying_front", tests, NULL, NULL);
}
