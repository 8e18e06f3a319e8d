/*
 * A front that lies in the index page of PV Calls 1: the order, the refs, the page's own ref, its
 * indexes. Each is answered with an error of its own or read as it is; nothing stays mapped, and
 * the backend serves its other sockets. What changes between two reads: test_pvcalls_hooked.
 * Source: protocol.md 3.4, 5.2 i and k, 7 (17).
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ORDER_MAX = 3 }; /* what the backend takes: less than the page could name */

static struct pair pair;
static struct rogue front;
static struct rogue_data good; /* of a socket that works all the while */
static uint64_t good_token;
static uint32_t good_bytes;

static struct call_reply reply_to(const struct call *call)
{
    struct call_reply reply = {.ret = 1};

    rogue_put(&front, call);
    rogue_kick(&front);
    rogue_reply(&front, &reply);
    return reply;
}

static uint64_t open_socket(uint64_t sockid, const struct rogue_data *data)
{
    struct call call = rogue_connect(1, sockid, data);
    struct call_reply reply;

    assert_int_equal(reply_to(&call).ret, 1);
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

static int open_front(void **state)
{
    (void)state;
    rogue_front_open_in(&front, &pair, &dialect_pvcalls1, ORDER_MAX);
    rogue_share(&front, &good);
    good_token = open_socket(1000, &good);
    good_bytes = 0;
    return 0;
}

/* The other socket still carries bytes both ways, no more than its pages is mapped, and nobody is
 * called broken. */
static void assert_unharmed(void)
{
    uint64_t written;

    shared_fill(&good.data, good.at.out.array + good_bytes, "w", 1);
    shared_store(&good.area, good.at.out.prod, ++good_bytes);
    hv_notify(pair.front_hv, good.port);
    pair_settle(&pair);
    assert_int_equal(net_mem_written(pair.net, good_token, &written)[good_bytes - 1], 'w');
    assert_int_equal(written, good_bytes);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, good_token, 1, "r"));
    pair_run(&pair);
    assert_int_equal(shared_load(&good.area, good.at.in.prod), good_bytes);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 1 + good.at.pages);
    assert_int_equal(pair.back_hv->counters.ports_now, 2);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    assert_int_equal(pair.back_fault_count, 0);
}

static int close_front(void **state)
{
    (void)state;
    assert_unharmed();
    rogue_front_close(&front); /* sees that nothing was kept */
    return 0;
}

/* CONNECT with and without a SOCKET before, and ACCEPT, over `data`: each is refused so, and its id
 * is what it was before. */
static void assert_refused(const struct rogue_data *data, int32_t ret)
{
    const struct call socket = {.id = 2, .kind = CALL_SOCKET, .sockid = 5, .family = 2, .type = 1};
    struct call call = rogue_connect(3, 5, data);

    assert_int_equal(reply_to(&call).ret, ret);
    assert_int_equal(reply_to(&socket).ret, 0);
    assert_int_equal(reply_to(&call).ret, ret);
    assert_int_equal(reply_to(&socket).ret, -ERR_EXIST); /* it stayed */
    assert_int_equal(reply_to(&call).ret, ret);
    assert_int_equal(release(5), 0);
    call.kind = CALL_ACCEPT;
    call.sockid = 6;
    call.new_sockid = 5;
    assert_int_equal(reply_to(&call).ret, ret);
    assert_int_equal(reply_to(&socket).ret, 0);
    assert_int_equal(release(5), 0);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 0);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), 0);
    assert_unharmed();
}

static void open_listener(void)
{
    struct call call = {.id = 4, .kind = CALL_BIND, .sockid = 6, .addr = pair_addr(7000)};

    reply_to(&call);
    pair_settle(&pair);
    call.kind = CALL_LISTEN;
    reply_to(&call);
    pair_settle(&pair);
    while (rogue_reply(&front, &(struct call_reply){0}))
        ;
}

static void orders_that_are_not_offered(void **state)
{
    static const uint32_t orders[] = {
        0,          ORDER_MAX + 1, 9,          10,         31,    32,     33,
        0x80000000, 0x80000001,    0x7fffffff, 0xffffffff, 0x103, 0x10003};
    struct rogue_data data;

    (void)state;
    open_listener();
    rogue_share(&front, &data);
    for (uint32_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        rogue_name_pages(&front, &data, orders[i]);
        assert_refused(&data, -ERR_INVAL);
    }
    rogue_name_pages(&front, &data, ORDER_MAX);
    open_socket(5, &data);
    assert_int_equal(release(5), 0);
}

/* Each smaller order is one: the refs behind it are not looked at. */
static void orders_that_are(void **state)
{
    struct rogue_data data;

    (void)state;
    rogue_share(&front, &data);
    for (uint32_t order = 1; order <= ORDER_MAX; order++) {
        for (uint32_t i = 1u << order; i < 1u << ORDER_MAX; i++)
            shared_store(&data.area, 132 + 4 * i, 0xffffffff);
        rogue_name_pages(&front, &data, order);
        open_socket(5, &data);
        assert_int_equal(pair.back_hv->counters.mapped_pages_now,
                         1 + 1 + good.at.pages + 1 + (1u << order));
        assert_int_equal(release(5), 0);
        assert_unharmed();
    }
}

static void refs_of_data_that_are_none(void **state)
{
    struct rogue_data data;
    const uint32_t bad[] = {0, 1, 7, 4000, 0x80000000, 0xffffffff};

    (void)state;
    open_listener();
    rogue_share(&front, &data);
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (uint32_t at = 0; at < 1u << ORDER_MAX; at += (1u << ORDER_MAX) - 1) {
            rogue_name_pages(&front, &data, ORDER_MAX);
            shared_store(&data.area, 132 + 4 * at, bad[i]);
            assert_refused(&data, -ERR_INVAL);
        }
}

static void index_refs_that_are_none(void **state)
{
    const uint32_t bad[] = {0, 1, 7, 4000, 0x80000000, 0xffffffff};
    struct rogue_data data;

    (void)state;
    open_listener();
    rogue_share(&front, &data);
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        data.refs[0] = bad[i];
        assert_refused(&data, -ERR_INVAL);
    }
}

static void ports_that_are_none(void **state)
{
    const uint32_t bad[] = {0, 4000, 0xffffffff};
    struct rogue_data data;

    (void)state;
    open_listener();
    rogue_share(&front, &data);
    for (uint32_t i = 0; i < 3; i++) {
        data.port = bad[i];
        assert_refused(&data, -ERR_INVAL);
    }
    data.port = good.port; /* bound by another socket */
    assert_refused(&data, -ERR_INVAL);
}

/* Grants that the front made for another domain, and those it took back. */
static void refs_foreign_and_revoked(void **state)
{
    struct rogue_data data;
    struct ev foreign;
    uint32_t ref;

    (void)state;
    open_listener();
    rogue_share(&front, &data);
    hv_share(front.hv, 9, 77, 1);
    rogue_take(&front, EV_SHARE, &foreign);
    ref = foreign.share.refs[0];
    uint32_t handle = foreign.share.handle;
    shared_store(&data.area, 132 + 4, ref);
    assert_refused(&data, -ERR_INVAL);
    data.refs[0] = ref;
    assert_refused(&data, -ERR_INVAL);
    hv_unshare(front.hv, 9, handle);
    rogue_take(&front, EV_UNSHARE, &foreign);

    hv_share(front.hv, 9, PAIR_BACK, 1);
    rogue_take(&front, EV_SHARE, &foreign);
    ref = foreign.share.refs[0];
    hv_unshare(front.hv, 9, foreign.share.handle);
    rogue_take(&front, EV_UNSHARE, &foreign);
    data.refs[0] = ref;
    assert_refused(&data, -ERR_INVAL);
}

/* The index page of one socket lies in the ring of another, whose bytes are written over the words
 * that the first is counted by. */
static void index_page_within_an_array(void **state)
{
    static unsigned char bytes[4096 + 4096];
    struct rogue_data data, other;

    (void)state;
    memset(bytes, 0x5a, sizeof(bytes));
    for (uint32_t at = 0; at < 4; at++) {
        rogue_share(&front, &data);
        rogue_share(&front, &other);
        open_socket(5, &data);
        shared_store(&other.area, 132 + 4 * at, data.refs[0]);
        uint64_t token = open_socket(6, &other);
        while (net_mem_complete(pair.net, EV_NET_READ, token, 4096, bytes))
            pair_settle(&pair);
        hv_notify(pair.front_hv, data.port);
        pair_settle(&pair);
        assert_int_equal(pair.back_fault_count, 1);
        assert_int_equal(pair.back_faults[0].reason, FAULT_BYTERING_WINDOW);
        pair.back_fault_count = 0;
        assert_int_equal(release(5), 0);
        assert_int_equal(release(6), 0);
        assert_unharmed();
    }
}

/* One index page for two sockets at once: their indexes are one, and each is checked by itself. */
static void index_page_for_two(void **state)
{
    struct rogue_data data, other;

    (void)state;
    rogue_share(&front, &data);
    rogue_share(&front, &other);
    open_socket(5, &data);
    other.refs[0] = data.refs[0];
    open_socket(6, &other);
    for (uint32_t i = 1; i < 50; i++) {
        shared_store(&data.area, data.at.out.prod, i * 200);
        hv_notify(pair.front_hv, i % 2 ? data.port : other.port);
        pair_settle(&pair);
    }
    assert_int_equal(release(5), 0);
    assert_int_equal(release(6), 0);
    assert_true(pair.back_fault_count <= 2); /* either of them may be called broken */
    pair.back_fault_count = 0;
}

/* Everything of the page but the front's indexes may be written over once the socket is open: the
 * backend has read it, and unmaps what it mapped. */
static void index_page_rewritten(void **state)
{
    static const uint32_t words[] = {0, 9, 0xffffffff};
    struct rogue_data data;
    uint64_t written;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        rogue_share(&front, &data);
        uint64_t token = open_socket(5, &data);
        for (uint32_t at = 128; at < 4096; at += 4)
            shared_store(&data.area, at, words[i]);
        for (uint32_t at = 12; at < 64; at += 4) /* and the pads */
            shared_store(&data.area, at, words[i]);
        shared_store(&data.area, data.at.in.prod, words[i]); /* its own, never read back */
        shared_store(&data.area, data.at.out.cons, words[i]);
        shared_fill(&data.data, data.at.out.array, "abc", 3);
        shared_store(&data.area, data.at.out.prod, 3);
        hv_notify(pair.front_hv, data.port);
        pair_settle(&pair);
        assert_memory_equal(net_mem_written(pair.net, token, &written), "abc", 3);
        assert_int_equal(written, 3);
        assert_int_equal(release(5), 0);
        assert_unharmed();
    }
}

/* Grants ended while mapped: quarantined until the backend lets go of them, both runs. */
static void pages_revoked_under_an_open_socket(void **state)
{
    struct rogue_data data;
    struct hypervisor_usage usage;

    (void)state;
    rogue_share(&front, &data);
    open_socket(5, &data);
    rogue_unshare(&front, &data);
    hypervisor_usage(hv_mem_tables(pair.machine), PAIR_FRONT, &usage);
    assert_int_equal(usage.grants_quarantined, 1 + (1u << ORDER_MAX));
    pair_settle(&pair);
    assert_int_equal(release(5), 0);
    hypervisor_usage(hv_mem_tables(pair.machine), PAIR_FRONT, &usage);
    assert_int_equal(usage.grants_quarantined, 0);
}

/* The front's indexes: a byte too many breaks this socket, and no other. */
static void indexes_beyond_the_half(void **state)
{
    const uint32_t half = 2048u << ORDER_MAX;
    const uint32_t claims[] = {half + 1, 2 * half, 0x7fffffff, 0x80000000, 0xffffffff};
    struct rogue_data data;

    (void)state;
    for (uint32_t out = 0; out < 2; out++)
        for (uint32_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
            rogue_share(&front, &data);
            uint64_t token = open_socket(5, &data);
            if (out) {
                shared_store(&data.area, data.at.out.prod, claims[i]);
                hv_notify(pair.front_hv, data.port);
            } else { /* one byte was produced: what is consumed lies behind or ahead of it */
                shared_store(&data.area, data.at.in.cons, 1 + claims[i]);
                assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 1, "x"));
                if (claims[i] == 0xffffffff) /* 0: nothing wrong with it */
                    shared_store(&data.area, data.at.in.cons, 2);
            }
            pair_settle(&pair);
            assert_int_equal(pair.back_fault_count, 1);
            assert_int_equal(pair.back_faults[0].reason, FAULT_BYTERING_WINDOW);
            assert_int_equal((int32_t)shared_load(&data.area, 8), -ERR_IO);
            assert_int_equal((int32_t)shared_load(&data.area, 72), -ERR_IO);
            pair.back_fault_count = 0;
            assert_int_equal(release(5), 0);
            assert_unharmed();
        }
}

/* protocol.md 5.2 i: a backend that rewrites order and refs of a page it was given. The front gives
 * back what it shared, not what stands there. */
static void back_rewrites_the_index_page(void **state)
{
    struct rogue back;
    struct call call;

    (void)state;
    rogue_back_open_in(&back, &pair, &dialect_pvcalls1, 4);
    for (uint32_t i = 0; i < 3; i++) {
        struct rogue_data data;
        int64_t sock = pair_connect_begin(&pair, 80);

        pair_run(&pair);
        struct call_reply reply = rogue_answer_to(&back, &call, 0); /* SOCKET */
        rogue_answer(&back, &reply);
        reply = rogue_answer_to(&back, &call, 0);
        rogue_map(&back, &call, &data);
        rogue_answer(&back, &reply);
        for (uint32_t at = 128; at < 4096; at += 4)
            shared_store(&data.area, at, i == 0 ? 0 : i == 1 ? 9 : 0xffffffff);
        assert_int_equal(pair_send(&pair, (uint64_t)sock, "abc", 3), 3);
        assert_int_equal(shared_load(&data.area, data.at.out.prod), 3);
        shared_store(&data.area, data.at.out.cons, 3);
        assert_int_equal(pair_release(&pair, (uint64_t)sock), 0);
        pair_run(&pair);
        reply = rogue_answer_to(&back, &call, 0);
        rogue_answer(&back, &reply);
        rogue_unmap(&back, &data);
        pair_run(&pair);
        assert_int_equal(pair_done(&pair, CALL_RELEASE, (uint64_t)sock), 0);
        assert_int_equal(pair.front_hv->counters.grants_now, 1);
    }
    assert_int_equal(pair.front_fault_count, 0);
    rogue_back_close(&back);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_front, close_front)
    const struct CMUnitTest tests[] = {
        TEST(orders_that_are_not_offered), TEST(orders_that_are),
        TEST(refs_of_data_that_are_none),  TEST(index_refs_that_are_none),
        TEST(ports_that_are_none),         TEST(refs_foreign_and_revoked),
        TEST(index_page_within_an_array),  TEST(index_page_for_two),
        TEST(index_page_rewritten),        TEST(pages_revoked_under_an_open_socket),
        TEST(indexes_beyond_the_half),     cmocka_unit_test(back_rewrites_the_index_page),
    };

    return !!cmocka_run_group_tests_name("pvcalls_lying", tests, NULL, NULL);
}
