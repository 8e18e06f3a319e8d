/*
 * The backend against requests that are wrong in themselves: each is answered with its error, and
 * the ring goes on. Each test plays the front by hand. Which attack each test is: attacks.
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

/* An open socket of the honest kind. */
static void open_socket(uint64_t sockid, struct rogue_data *data)
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
}

static int32_t release(uint64_t sockid)
{
    return rogue_ask(&front, &(struct call){.id = 7, .kind = CALL_RELEASE, .sockid = sockid});
}

static void bad_refs(void **state)
{
    struct rogue_data data, foreign;
    struct hv *third = hv_mem_domain(pair.machine, 7);
    struct rogue stranger = {.pair = &pair, .hv = third, .dialect = &dialect_xensock1, .order = 6};

    (void)state;
    rogue_share(&stranger, &foreign); /* another domain's: its numbers mean nothing of ours */
    rogue_share(&front, &data);
    hv_share(pair.front_hv, 9, 7, 1); /* ours, but granted to another */
    struct ev ev;
    rogue_take(&front, EV_SHARE, &ev);
    const uint32_t refs[] = {0, 7, foreign.refs[40], ev.share.refs[0], 0x7fffffff, 0xffffffff};
    for (uint32_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
        for (uint32_t at = 0; at < 2; at++) {
            struct call call = rogue_connect(i, 1, &data);
            call.refs[at] = refs[i];
            assert_int_equal(rogue_ask(&front, &call), -ERR_INVAL);
            assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
            assert_int_equal(pair.back_hv->counters.ports_now, 1);
        }
    }
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    assert_no_fault();
    hv_close(third);
}

static void bad_ports(void **state)
{
    struct rogue_data data, used;
    struct hv *third = hv_mem_domain(pair.machine, 7);
    struct rogue stranger = {.pair = &pair, .hv = third, .dialect = &dialect_xensock1, .order = 1};
    struct ev ev;

    (void)state;
    open_socket(9, &used);
    hv_port_alloc(third, 1, PAIR_BACK);
    rogue_take(&stranger, EV_PORT_ALLOC, &ev);
    hv_port_alloc(pair.front_hv, 1, 7); /* offered to another */
    rogue_take(&front, EV_PORT_ALLOC, &ev);
    rogue_share(&front, &data);
    const struct {
        uint32_t port;
        int32_t ret;
    } ports[] = {{0, -ERR_INVAL},         {front.port, -ERR_INVAL}, {used.port, -ERR_INVAL},
                 {ev.port, -ERR_SRCH},    {4096, -ERR_INVAL},       {0x80000000, -ERR_INVAL},
                 {0xffffffff, -ERR_INVAL}};
    for (uint32_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        struct call call = rogue_connect(i, 1, &data);
        call.evtchn = ports[i].port;
        assert_int_equal(rogue_ask(&front, &call), ports[i].ret);
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 2);
        assert_int_equal(pair.back_hv->counters.ports_now, 2);
    }
    struct call call = rogue_connect(1, 1, &data); /* and none of them spoiled the good one */
    rogue_put(&front, &call);
    rogue_kick(&front);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 1);
    assert_no_fault();
    hv_close(third);
}

static void unknown_commands(void **state)
{
    static const uint32_t codes[] = {1, 2, 8, 9, 0x80000000, 0xffffffff};
    uint32_t slot[78];

    (void)state;
    for (uint32_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct call_reply reply;
        memset(slot, 0xff, sizeof(slot));
        slot[0] = 1000 + i;
        slot[1] = codes[i];
        rogue_put_raw(&front, slot);
        rogue_kick(&front);
        assert_true(rogue_reply(&front, &reply));
        assert_int_equal(reply.id, 1000 + i);
        assert_int_equal(reply.code, codes[i]);
        assert_true(reply.sockid == UINT64_MAX);
        assert_int_equal(reply.ret, -ERR_NOTSUP);
        assert_false(rogue_reply(&front, &reply));
    }
    assert_no_fault();
}

/* Bytes of a slot no field covers, fields of other calls, the unused rest of the 64 refs. */
static void pads_are_ignored(void **state)
{
    struct rogue_data data;
    unsigned char slot[312];
    struct call_reply reply;

    (void)state;
    rogue_share(&front, &data);
    struct call call = rogue_connect(1, 1, &data);
    for (uint32_t i = 2; i < CALL_REFS_MAX; i++)
        call.refs[i] = 0xffffffff;
    call.flags = 0xffffffff;
    memset(call.addr.bytes + 16, 0xff, 12); /* behind sockaddr_in */
    rogue_put(&front, &call);
    rogue_kick(&front);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 1);
    pair_settle(&pair);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    memset(slot, 0xff, sizeof(slot));
    dialect_pack_call(&dialect_xensock1, &(struct call){.kind = CALL_RELEASE, .sockid = 1}, slot);
    memset(slot + 16, 0xff, sizeof(slot) - 16);
    rogue_put_raw(&front, slot);
    rogue_kick(&front);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    assert_no_fault();
}

static struct call simple(enum call_kind kind, uint64_t sockid)
{
    return (struct call){.id = 5, .kind = kind, .sockid = sockid, .addr = pair_addr(80)};
}

static int32_t ask(enum call_kind kind, uint64_t sockid)
{
    struct call call = simple(kind, sockid);

    return rogue_ask(&front, &call);
}

/* A BIND or LISTEN that the socket then carries out. */
static int32_t ask_settled(enum call_kind kind, uint64_t sockid)
{
    struct call_reply reply;

    assert_int_equal(ask(kind, sockid), 1);
    pair_settle(&pair);
    assert_true(rogue_reply(&front, &reply));
    return reply.ret;
}

static void ids(void **state)
{
    struct rogue_data data, more;
    struct call call;

    (void)state;
    for (uint32_t k = 0; k < 2; k++) { /* the second time as ids that died */
        uint64_t dead = k == 0 ? 0 : 1;
        assert_int_equal(ask(CALL_RELEASE, dead), -ERR_INVAL);
        assert_int_equal(ask(CALL_LISTEN, dead), -ERR_INVAL);
        assert_int_equal(ask(CALL_POLL, dead), -ERR_INVAL);
        assert_int_equal(ask(CALL_ACCEPT, dead), -ERR_INVAL);
        open_socket(1, &data);
        assert_int_equal(ask(CALL_BIND, 1), -ERR_EXIST);
        call = rogue_connect(5, 1, &data);
        assert_int_equal(rogue_ask(&front, &call), -ERR_EXIST);
        assert_int_equal(ask(CALL_LISTEN, 1), -ERR_INVAL);
        assert_int_equal(ask(CALL_POLL, 1), -ERR_INVAL);
        assert_int_equal(ask_settled(CALL_BIND, UINT64_MAX), 0);
        assert_int_equal(ask(CALL_POLL, UINT64_MAX), -ERR_INVAL); /* not yet listening */
        assert_int_equal(ask_settled(CALL_LISTEN, UINT64_MAX), 0);
        assert_int_equal(ask(CALL_LISTEN, UINT64_MAX), 0);
        call = rogue_connect(5, UINT64_MAX, &data);
        call.kind = CALL_ACCEPT;
        call.new_sockid = 1; /* live */
        assert_int_equal(rogue_ask(&front, &call), -ERR_EXIST);
        call.new_sockid = UINT64_MAX; /* the listener itself */
        assert_int_equal(rogue_ask(&front, &call), -ERR_EXIST);
        assert_int_equal(release(UINT64_MAX), 0);
        assert_int_equal(release(1), 0);
        rogue_unshare(&front, &data);
    }
    for (uint32_t i = 0; i < 16; i++) /* the quota of this device */
        assert_int_equal(ask_settled(CALL_BIND, 100 + i), 0);
    assert_int_equal(ask(CALL_BIND, 200), -ERR_MFILE);
    rogue_share(&front, &more);
    call = rogue_connect(5, 200, &more);
    assert_int_equal(rogue_ask(&front, &call), -ERR_MFILE);
    assert_no_fault();
}

/* Two requests under one id: the front's own confusion, each gets its answer. */
static void request_ids_twice(void **state)
{
    struct call_reply first, second;

    (void)state;
    struct call call = simple(CALL_BIND, 1);
    rogue_put(&front, &call);
    call.sockid = 2;
    rogue_put(&front, &call);
    rogue_kick(&front);
    pair_settle(&pair);
    assert_true(rogue_reply(&front, &first));
    assert_true(rogue_reply(&front, &second));
    assert_int_equal(first.id, 5);
    assert_int_equal(second.id, 5);
    assert_int_equal(first.sockid + second.sockid, 3);
    /* two releases of one socket: the second finds it going */
    call = simple(CALL_RELEASE, 1);
    rogue_put(&front, &call);
    rogue_put(&front, &call);
    rogue_kick(&front);
    assert_true(rogue_reply(&front, &first));
    assert_true(rogue_reply(&front, &second));
    assert_int_equal(first.ret, -ERR_INVAL); /* at once, the other after the close */
    assert_int_equal(second.ret, 0);
    assert_no_fault();
}

/* Two sockets over the same pages: each is mapped, the liar only confuses its own bytes; one going
 * leaves the other its pages. A port serves one socket. */
static void pages_of_two_sockets(void **state)
{
    struct rogue_data data, other;
    struct call_reply reply;
    uint64_t written;

    (void)state;
    open_socket(1, &data);
    rogue_share(&front, &other);
    struct call call = rogue_connect(2, 2, &data);
    assert_int_equal(rogue_ask(&front, &call), -ERR_INVAL); /* the port is bound */
    call.evtchn = other.port;
    rogue_put(&front, &call);
    rogue_kick(&front);
    uint64_t second = pair_pending(&pair, EV_NET_CONNECT);
    pair_settle(&pair);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 2 + 2);
    assert_int_equal(release(1), 0);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 2);
    shared_fill(&data.area, data.at.out.array, "two", 3);
    shared_store(&data.area, data.at.out.prod, 3);
    hv_notify(pair.front_hv, other.port);
    pair_settle(&pair);
    assert_memory_equal(net_mem_written(pair.net, second, &written), "two", 3);
    assert_int_equal(written, 3);
    assert_int_equal(release(2), 0);
    assert_no_fault();
}

/* A port closed under an open socket, and its number used again for another: what the backend
 * notifies goes nowhere, and the new one works. */
static void a_port_is_closed_and_used_again(void **state)
{
    static unsigned char bytes[100];
    struct rogue_data data, again;
    struct call_reply reply;
    struct ev ev;

    (void)state;
    open_socket(1, &data);
    uint64_t token = pair_pending(&pair, EV_NET_READ);
    hv_port_close(pair.front_hv, 4, data.port);
    rogue_take(&front, EV_PORT_CLOSE, &ev);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 100, bytes)); /* it would notify */
    pair_run(&pair);
    assert_int_equal(shared_load(&data.area, data.at.in.prod), 100);
    struct call closed = rogue_connect(2, 2, &data);
    assert_int_equal(rogue_ask(&front, &closed), -ERR_INVAL);
    rogue_share(&front, &again);
    for (uint32_t i = 0; again.port != data.port; i++) { /* numbers go round */
        assert_true(i < 5000);
        hv_port_close(pair.front_hv, 4, again.port);
        rogue_take(&front, EV_PORT_CLOSE, &ev);
        hv_port_alloc(pair.front_hv, 4, PAIR_BACK);
        rogue_take(&front, EV_PORT_ALLOC, &ev);
        again.port = ev.port;
    }
    struct call call = rogue_connect(3, 3, &again);
    assert_int_equal(rogue_ask(&front, &call), 1);
    pair_settle(&pair);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    shared_store(&again.area, again.at.out.prod, 10);
    hv_notify(pair.front_hv, again.port);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_WRITE), 1);
    pair_settle(&pair);
    assert_int_equal(release(1), 0);
    assert_int_equal(release(3), 0);
    assert_int_equal(pair.back_hv->counters.ports_now, 1);
    assert_no_fault();
}

static struct call accept_as(uint32_t id, uint64_t new_sockid, const struct rogue_data *data)
{
    struct call call = rogue_connect(id, UINT64_MAX, data);

    call.kind = CALL_ACCEPT;
    call.new_sockid = new_sockid;
    return call;
}

/* An id belongs to its request as soon as that is taken, until its last answer. */
static void ids_of_what_is_under_way(void **state)
{
    struct rogue_data data, more;
    struct call_reply reply;

    (void)state;
    assert_int_equal(ask_settled(CALL_BIND, UINT64_MAX), 0);
    assert_int_equal(ask_settled(CALL_LISTEN, UINT64_MAX), 0);
    rogue_share(&front, &data);
    rogue_share(&front, &more);
    struct call call = accept_as(1, 7, &data);
    assert_int_equal(rogue_ask(&front, &call), 1); /* waits for a connection */
    call = accept_as(2, 7, &more);
    assert_int_equal(rogue_ask(&front, &call), -ERR_EXIST);
    call = rogue_connect(3, 7, &more);
    assert_int_equal(rogue_ask(&front, &call), -ERR_EXIST);
    assert_int_equal(ask(CALL_BIND, 7), -ERR_EXIST);
    assert_int_equal(ask(CALL_LISTEN, 7), -ERR_INVAL);
    assert_int_equal(ask(CALL_POLL, 7), -ERR_INVAL);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), 1);
    call = simple(CALL_RELEASE, 7); /* of the accept that waits: answered, and then this */
    rogue_put(&front, &call);
    rogue_kick(&front);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.id, 1);
    assert_int_equal(reply.ret, -ERR_CONNABORTED);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    call = accept_as(4, 7, &data); /* free again, pages and port too */
    assert_int_equal(rogue_ask(&front, &call), 1);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), 1);
    assert_no_fault();
}

/* Both accepts under one new id in one pass, and a connect between: the first has it. */
static void one_new_id_for_many_at_once(void **state)
{
    struct rogue_data data[3];
    struct call_reply reply;
    uint32_t refused = 0;

    (void)state;
    assert_int_equal(ask_settled(CALL_BIND, UINT64_MAX), 0);
    assert_int_equal(ask_settled(CALL_LISTEN, UINT64_MAX), 0);
    for (uint32_t i = 0; i < 3; i++) {
        rogue_share(&front, &data[i]);
        struct call call = i == 1 ? rogue_connect(i, 7, &data[i]) : accept_as(i, 7, &data[i]);
        rogue_put(&front, &call);
    }
    rogue_kick(&front);
    for (; rogue_reply(&front, &reply); refused++) {
        assert_int_equal(reply.ret, -ERR_EXIST);
        assert_int_equal(reply.id, refused + 1);
    }
    assert_int_equal(refused, 2);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), 1);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 0);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 2);
    assert_no_fault();
}

/* While a socket closes, its id is neither free nor usable. */
static void ids_of_what_is_closing(void **state)
{
    static const int32_t rets[] = {-ERR_EXIST, -ERR_INVAL, -ERR_INVAL, -ERR_INVAL, -ERR_INVAL, 0};
    static const enum call_kind kinds[] = {CALL_BIND,   CALL_LISTEN,  CALL_POLL,
                                           CALL_ACCEPT, CALL_RELEASE, CALL_RELEASE};
    struct call_reply reply;

    (void)state;
    assert_int_equal(ask_settled(CALL_BIND, 1), 0);
    assert_int_equal(ask_settled(CALL_LISTEN, 1), 0);
    struct call call = simple(CALL_RELEASE, 1);
    rogue_put(&front, &call);
    for (uint32_t i = 0; i < 5; i++) { /* in the pass that begins to close it */
        call = simple(kinds[i], 1);
        rogue_put(&front, &call);
    }
    rogue_kick(&front);
    for (uint32_t i = 0; i < 6; i++) {
        assert_true(rogue_reply(&front, &reply));
        assert_int_equal(reply.ret, rets[i]);
    }
    assert_false(rogue_reply(&front, &reply));
    assert_no_fault();
}

/* Long by its table: family, length and scope, each beside what is right. */
static void addresses(void **state)
{
    const struct {
        uint16_t family;
        uint32_t len;
        uint32_t scope;
        int32_t ret;
    } wrong[] = {{0, 16, 0, -ERR_AFNOSUPPORT},
                 {1, 28, 0, -ERR_AFNOSUPPORT},
                 {3, 16, 0, -ERR_AFNOSUPPORT},
                 {0x0202, 16, 0, -ERR_AFNOSUPPORT},
                 {0xffff, 16, 0, -ERR_AFNOSUPPORT},
                 {CALL_AF_INET, 0, 0, -ERR_INVAL},
                 {CALL_AF_INET, 1, 0, -ERR_INVAL},
                 {CALL_AF_INET, 15, 0, -ERR_INVAL},
                 {CALL_AF_INET, 17, 0, -ERR_INVAL},
                 {CALL_AF_INET, 27, 0, -ERR_INVAL},
                 {CALL_AF_INET, 28, 0, -ERR_INVAL},
                 {CALL_AF_INET, 29, 0, -ERR_INVAL},
                 {CALL_AF_INET, 0xffffffff, 0, -ERR_INVAL},
                 {CALL_AF_INET6, 16, 0, -ERR_INVAL},
                 {CALL_AF_INET6, 27, 0, -ERR_INVAL},
                 {CALL_AF_INET6, 29, 0, -ERR_INVAL},
                 {CALL_AF_INET6, 0xffffffff, 0, -ERR_INVAL},
                 {CALL_AF_INET6, 0x80000000, 0, -ERR_INVAL},
                 {CALL_AF_INET6, 28, 1, -ERR_INVAL},
                 {CALL_AF_INET6, 28, 0x80000000, -ERR_INVAL},
                 {CALL_AF_INET6, 28, 0, -ERR_ACCES}}; /* ::7f00:1 is not loopback */
    struct rogue_data data;

    (void)state;
    rogue_share(&front, &data);
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct call call = rogue_connect(i, 1, &data);
        memset(call.addr.bytes, 0, sizeof(call.addr.bytes));
        memcpy(call.addr.bytes, &wrong[i].family, 2);
        memcpy(call.addr.bytes + 20, "\x7f\0\0\1", 4);
        memcpy(call.addr.bytes + 24, &wrong[i].scope, 4);
        call.addr.len = wrong[i].len;
        assert_int_equal(rogue_ask(&front, &call), wrong[i].ret);
        call.kind = CALL_BIND;
        assert_int_equal(rogue_ask(&front, &call), wrong[i].ret);
    }
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 0);
    assert_no_fault();
}

/* Whole addresses from a guest whose own core checks nothing: where it may not go, and the port
 * that is left to the socket. */
static void addresses_of_both_families(void **state)
{
    static const struct {
        uint8_t ip[16];
        bool six;
        int32_t ret;
    } addrs[] = {{{0}, false, -ERR_ACCES},
                 {{224, 0, 0, 1}, false, -ERR_ACCES},
                 {{239, 255, 255, 255}, false, -ERR_ACCES},
                 {{255, 255, 255, 255}, false, -ERR_ACCES},
                 {{169, 254, 169, 254}, false, -ERR_ACCES},
                 {{10, 0, 0, 1}, false, -ERR_ACCES},
                 {{0}, true, -ERR_ACCES},
                 {{[0] = 0xff, [1] = 2, [15] = 1}, true, -ERR_ACCES},
                 {{[0] = 0xfe, [1] = 0x80, [15] = 1}, true, -ERR_ACCES},
                 {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, true, -ERR_ACCES},
                 {{[10] = 0xff, [11] = 0xff, [12] = 169, 254, 169, 254}, true, -ERR_ACCES},
                 {{[12] = 127, [15] = 1}, true, -ERR_ACCES}};
    struct rogue_data data;
    struct net_mem_op op;

    (void)state;
    rogue_share(&front, &data);
    for (uint32_t i = 0; i < 2 * sizeof(addrs) / sizeof(addrs[0]); i++) {
        struct call call = rogue_connect(i, 1, &data);
        uint16_t port = i % 2 == 0 ? 80 : 0;
        if (addrs[i / 2].six)
            call_addr6(&call.addr, addrs[i / 2].ip, port);
        else
            call_addr4(&call.addr, addrs[i / 2].ip, port);
        assert_int_equal(rogue_ask(&front, &call), addrs[i / 2].ret);
        call.kind = CALL_BIND;
        assert_int_equal(rogue_ask(&front, &call), addrs[i / 2].ret);
    }
    assert_int_equal(be_counters(pair.be)->refused, 4 * sizeof(addrs) / sizeof(addrs[0]));
    struct call call = rogue_connect(1, 1, &data);
    call.addr = pair_addr(0); /* of loopback: the socket's affair */
    assert_int_equal(rogue_ask(&front, &call), 1);
    assert_true(net_mem_pending(pair.net, 0, &op));
    assert_int_equal(call_addr_port(&op.addr), 0);
    assert_no_fault();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_front, close_clean)
    const struct CMUnitTest tests[] = {
        TEST(bad_refs),
        TEST(bad_ports),
        TEST(unknown_commands),
        TEST(pads_are_ignored),
        TEST(ids),
        TEST(request_ids_twice),
        TEST(pages_of_two_sockets),
        TEST(a_port_is_closed_and_used_again),
        TEST(ids_of_what_is_under_way),
        TEST(one_new_id_for_many_at_once),
        TEST(ids_of_what_is_closing),
        TEST(addresses),
        TEST(addresses_of_both_families),
    };
#undef TEST

    return !!cmocka_run_group_tests_name("bad_requests", tests, NULL, NULL);
}
