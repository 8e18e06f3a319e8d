/*
 * The backend's sockets where two things meet: a release and what is still under way, two
 * listeners, a breach and an operation in flight. Each test plays the front by hand, in good order.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue front;

/* An operation of a seam that the test holds back. */
static struct {
    const struct hv_ops *hv;
    struct hv_ops hv_ops;
    uint64_t token;
    uint32_t refs[CALL_REFS_MAX];
    uint32_t count;
    const struct net_ops *net;
    struct net_ops net_ops;
} held;

static int open_front(void **state)
{
    (void)state;
    memset(&held, 0, sizeof(held));
    rogue_front_open(&front, &pair, 1);
    return 0;
}

static int close_clean(void **state)
{
    (void)state;
    rogue_front_close(&front);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    pair_drop(&pair);
    return 0;
}

static void assert_reply(uint32_t id, uint64_t sockid, int32_t ret)
{
    struct call_reply reply;

    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.id, id);
    assert_int_equal(reply.sockid, sockid);
    assert_int_equal(reply.ret, ret);
}

static void assert_no_reply(void)
{
    struct call_reply reply;

    assert_false(rogue_reply(&front, &reply));
}

static void put(enum call_kind kind, uint32_t id, uint64_t sockid)
{
    rogue_put(&front, &(struct call){.id = id, .kind = kind, .sockid = sockid});
}

static void put_accept(uint32_t id, uint64_t listener, uint64_t sockid,
                       const struct rogue_data *data)
{
    struct call call = rogue_connect(id, listener, data);

    call.kind = CALL_ACCEPT;
    call.new_sockid = sockid;
    rogue_put(&front, &call);
}

/* A socket that listens; the backend's token. */
static uint64_t open_listener(uint64_t sockid)
{
    struct call bind = {.id = 6, .kind = CALL_BIND, .sockid = sockid, .addr = pair_addr(7000)};

    rogue_put(&front, &bind);
    rogue_kick(&front);
    uint64_t token = pair_pending(&pair, EV_NET_BIND);
    net_mem_complete(pair.net, EV_NET_BIND, token, 0, NULL);
    pair_run(&pair);
    assert_reply(6, sockid, 0);
    put(CALL_LISTEN, 7, sockid);
    rogue_kick(&front);
    net_mem_complete(pair.net, EV_NET_LISTEN, token, 0, NULL);
    pair_run(&pair);
    assert_reply(7, sockid, 0);
    return token;
}

/* A connected socket; the backend's token. */
static uint64_t open_socket(uint64_t sockid, struct rogue_data *data)
{
    rogue_share(&front, data);
    struct call call = rogue_connect(0, sockid, data);
    rogue_put(&front, &call);
    rogue_kick(&front);
    uint64_t token = pair_pending(&pair, EV_NET_CONNECT);
    net_mem_complete(pair.net, EV_NET_CONNECT, token, 0, NULL);
    pair_run(&pair);
    assert_reply(0, sockid, 0);
    return token;
}

static void release(uint64_t sockid)
{
    put(CALL_RELEASE, 5, sockid);
    rogue_kick(&front);
    assert_reply(5, sockid, 0);
}

/* The guest's word of a data ring. */
static uint32_t word(const struct rogue_data *data, uint32_t offset)
{
    return shared_load(&data->area, offset);
}

/* Once it is released, a connect was aborted, whatever becomes of its pages; it is answered first.
 * architecture 3. */
static void aborted_is_aborted_though_its_map_fails(void **state)
{
    struct rogue_data data;

    (void)state;
    rogue_share(&front, &data);
    data.refs[1] = 4000;
    struct call call = rogue_connect(1, 10, &data);
    rogue_put(&front, &call);
    put(CALL_RELEASE, 2, 10);
    rogue_kick(&front);
    assert_reply(1, 10, -ERR_CONNABORTED);
    assert_reply(2, 10, 0);
    assert_no_reply();
    rogue_unshare(&front, &data);
}

static void held_map(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs,
                     uint32_t count)
{
    (void)hv;
    (void)domid;
    held.token = token;
    held.count = count;
    memcpy(held.refs, refs, count * sizeof(refs[0]));
}

static void hold_maps(void)
{
    held.hv = pair.back_hv->ops;
    held.hv_ops = *held.hv;
    held.hv_ops.map = held_map;
    pair.back_hv->ops = &held.hv_ops;
}

static void let_map(void)
{
    pair.back_hv->ops = held.hv;
    held.hv->map(pair.back_hv, held.token, PAIR_FRONT, held.refs, held.count);
    pair_run(&pair);
}

/* An accept whose listener went, and which is then released too: it fails as its listener's. */
static void first_reason_to_close_is_told(void **state)
{
    struct rogue_data data;

    (void)state;
    open_listener(20);
    rogue_share(&front, &data);
    hold_maps();
    put_accept(1, 20, 21, &data);
    put(CALL_RELEASE, 2, 20);
    rogue_kick(&front);
    put(CALL_RELEASE, 3, 21);
    rogue_kick(&front);
    assert_no_reply(); /* nothing is said of pages that are still being mapped */
    let_map();
    assert_reply(1, 20, -ERR_BADF);
    assert_reply(3, 21, 0);
    assert_reply(2, 20, 0);
    rogue_unshare(&front, &data);
}

/* What waits on a listener goes with it, on another stays; listener after listener. */
static void listener_takes_only_its_own(void **state)
{
    struct rogue_data own, others;

    (void)state;
    open_listener(30);
    rogue_share(&front, &own);
    rogue_share(&front, &others);
    put_accept(0, 30, 31, &others);
    rogue_kick(&front);
    uint64_t waits = pair_pending(&pair, EV_NET_ACCEPT);
    for (uint32_t i = 0; i < 3; i++) {
        open_listener(40);
        put_accept(1, 40, 41, &own);
        put(CALL_RELEASE, 2, 40);
        rogue_kick(&front);
        assert_reply(1, 40, -ERR_BADF);
        assert_reply(2, 40, 0);
        assert_no_reply();
    }
    assert_true(net_mem_complete(pair.net, EV_NET_ACCEPT, waits, 0, NULL));
    pair_run(&pair);
    assert_reply(0, 30, 0);
    release(31);
    release(30);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), 0);
    rogue_unshare(&front, &own);
    rogue_unshare(&front, &others);
}

/* A listener whose release waits for its accepts is none any more. */
static void closing_listener_takes_nothing(void **state)
{
    struct rogue_data waits, comes;

    (void)state;
    open_listener(50);
    rogue_share(&front, &waits);
    rogue_share(&front, &comes);
    put_accept(0, 50, 51, &waits);
    rogue_kick(&front);
    put(CALL_RELEASE, 1, 50);
    put_accept(2, 50, 52, &comes);
    put(CALL_POLL, 3, 50);
    put(CALL_LISTEN, 4, 50);
    rogue_kick(&front);
    assert_reply(2, 50, -ERR_INVAL);
    assert_reply(3, 50, -ERR_INVAL);
    assert_reply(4, 50, -ERR_INVAL);
    assert_reply(0, 50, -ERR_BADF);
    assert_reply(1, 50, 0);
    rogue_unshare(&front, &waits);
    rogue_unshare(&front, &comes);
}

/* The guest asks for the next poll as soon as the last is answered, while that still closes. */
static bool next_and_poll(struct net *net, struct ev *ev)
{
    if (held.count == 1) {
        held.count++;
        return false;
    }
    bool any = held.net->next(net, ev);
    if (any && ev->kind == EV_NET_POLL && held.count == 0) {
        held.count++;
        put(CALL_POLL, 3, 61);
        hv_notify(front.hv, front.port);
    }
    return any;
}

static void poll_is_not_another_while_it_closes(void **state)
{
    (void)state;
    open_listener(60);
    open_listener(61);
    put(CALL_POLL, 1, 60);
    rogue_kick(&front);
    held.net = pair.net->ops;
    held.net_ops = *held.net;
    held.net_ops.next = next_and_poll;
    pair.net->ops = &held.net_ops;
    put(CALL_RELEASE, 2, 60);
    rogue_kick(&front);
    pair.net->ops = held.net;
    assert_int_equal(held.count, 2);
    assert_reply(1, 60, -ERR_BADF);
    assert_reply(2, 60, 0);
    assert_int_equal(pair_pending_count(&pair, EV_NET_POLL), 1);
    uint64_t token = pair_pending(&pair, EV_NET_POLL);
    assert_true(net_mem_complete(pair.net, EV_NET_POLL, token, 0, NULL));
    pair_run(&pair);
    assert_reply(3, 61, 0);
    release(61);
}

/* After the guest's index was nonsense nothing moves any more, what was under way included. */
static void broken_ring_moves_no_more(void **state)
{
    struct rogue_data out, in;

    (void)state;
    uint64_t token = open_socket(70, &out);
    shared_store(&out.area, out.at.out.prod, out.at.out.size + 9);
    hv_notify(front.hv, out.port);
    pair_run(&pair);
    assert_int_equal(pair.back_fault_count, 1);
    assert_int_equal(pair.back_faults[0].index, 0);
    assert_int_equal(pair.back_faults[0].value, out.at.out.size + 9);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 5, "bytes"));
    pair_run(&pair);
    assert_int_equal(word(&out, out.at.in.prod), 0);
    assert_int_equal(pair_pending_count(&pair, EV_NET_READ), 0);
    release(70);

    token = open_socket(71, &in);
    shared_store(&in.area, in.at.out.prod, 4);
    hv_notify(front.hv, in.port);
    pair_run(&pair);
    shared_store(&in.area, in.at.in.cons, 9);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 5, "bytes"));
    pair_run(&pair);
    assert_int_equal(pair.back_fault_count, 2);
    assert_int_equal(pair.back_faults[1].index, 5);
    assert_int_equal(pair.back_faults[1].value, 9);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, 4, NULL));
    pair_run(&pair);
    assert_int_equal(word(&in, in.at.out.cons), 0);
    assert_int_equal(pair_pending_count(&pair, EV_NET_WRITE), 0);
    release(71);
    rogue_unshare(&front, &out);
    rogue_unshare(&front, &in);
}

/* A socket that could not listen is bound: it takes no accept, and may be tried again. */
static void failed_listen_is_no_listener(void **state)
{
    struct call bind = {.id = 0, .kind = CALL_BIND, .sockid = 65, .addr = pair_addr(7000)};

    (void)state;
    rogue_put(&front, &bind);
    rogue_kick(&front);
    uint64_t token = pair_pending(&pair, EV_NET_BIND);
    net_mem_complete(pair.net, EV_NET_BIND, token, 0, NULL);
    pair_run(&pair);
    assert_reply(0, 65, 0);
    for (uint32_t i = 0; i < 2; i++) {
        put(CALL_LISTEN, 1, 65);
        rogue_kick(&front);
        assert_int_equal(pair_pending_count(&pair, EV_NET_LISTEN), 1);
        net_mem_complete(pair.net, EV_NET_LISTEN, token, -ERR_ADDRINUSE, NULL);
        pair_run(&pair);
        assert_reply(1, 65, -ERR_ADDRINUSE);
        put(CALL_POLL, 2, 65);
        rogue_kick(&front);
        assert_reply(2, 65, -ERR_INVAL);
    }
    release(65);
}

/* A guest that takes one byte out of a full ring is given one more. */
static void one_byte_of_room_is_offered(void **state)
{
    static const char many[1 << 14];
    struct rogue_data data;

    (void)state;
    uint64_t token = open_socket(66, &data);
    uint32_t size = data.at.in.size;
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, (int32_t)size, many));
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_READ), 0);
    shared_store(&data.area, data.at.in.cons, 1);
    hv_notify(front.hv, data.port);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 1, "y"));
    pair_run(&pair);
    assert_int_equal(word(&data, data.at.in.prod), size + 1);
    release(66);
    rogue_unshare(&front, &data);
}

/* ring.h's hold-off: a front that asked for the first answer only is notified of that one. */
static void who_did_not_ask_is_not_notified(void **state)
{
    uint64_t notifies = pair.back_hv->counters.notifies;

    (void)state;
    for (uint32_t id = 0; id < 3; id++) {
        put(CALL_LISTEN, id, 67);
        rogue_kick(&front);
        assert_reply(id, 67, -ERR_INVAL);
        assert_int_equal(pair.back_hv->counters.notifies - notifies, 1);
    }
}

/* What is cancelled by the close is nothing the guest is told in its ring. */
static void close_writes_nothing_into_the_ring(void **state)
{
    struct rogue_data data;

    (void)state;
    open_socket(75, &data);
    shared_store(&data.area, data.at.out.prod, 4);
    hv_notify(front.hv, data.port);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_WRITE), 1);
    release(75);
    assert_int_equal(word(&data, data.at.in.error), 0);
    assert_int_equal(word(&data, data.at.out.error), 0);
    rogue_unshare(&front, &data);
}

/* A front that broke the protocol is answered nothing more, though its calls are unwound. */
static void broken_front_is_not_answered(void **state)
{
    struct rogue_data data;

    (void)state;
    rogue_share(&front, &data);
    struct call call = rogue_connect(1, 80, &data);
    rogue_put(&front, &call);
    rogue_kick(&front);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 1);
    rogue_store(&front, CMDRING_REQ_PROD, 100);
    rogue_kick(&front);
    pair_settle(&pair);
    assert_int_equal(pair.back_fault_count, 1);
    assert_int_equal(pair.back_faults[0].reason, FAULT_CMDRING_WINDOW);
    assert_int_equal(pair.back_faults[0].index, 1);
    assert_int_equal(pair.back_faults[0].value, 100);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    assert_int_equal(be_counters(pair.be)->replies, 0);
    assert_int_equal(rogue_load(&front, CMDRING_RSP_PROD), 0);
}

/* Each direction's bytes, requests and answers, sockets now and at most. */
static void counts_are_what_happened(void **state)
{
    const struct be_counters *counters = be_counters(pair.be);
    struct rogue_data first, second, third;

    (void)state;
    open_socket(90, &first);
    uint64_t token = open_socket(91, &second);
    shared_store(&second.area, second.at.out.prod, 3);
    hv_notify(front.hv, second.port);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, 3, NULL));
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 5, "bytes"));
    pair_run(&pair);
    release(90);
    assert_int_equal(counters->sent_bytes, 3);
    assert_int_equal(counters->received_bytes, 5);
    assert_int_equal(counters->requests, 3);
    assert_int_equal(counters->replies, 3);
    assert_int_equal(counters->sockets_now, 1);
    release(91);
    open_socket(92, &third);
    assert_int_equal(counters->sockets_now, 1);
    assert_int_equal(counters->sockets_peak, 2);
    release(92);
    rogue_unshare(&front, &first);
    rogue_unshare(&front, &second);
    rogue_unshare(&front, &third);
}

/* Closing with more open than one step has actions for, be their number odd or even. */
static void closes_more_than_a_step_holds(void **state)
{
    (void)state;
    for (uint32_t sockets = 63; sockets <= 64; sockets++) {
        pair_open(&pair, &(struct pair_config){.order = 1, .max_sockets = 64});
        for (uint32_t i = 0; i < sockets; i++)
            pair_connect(&pair, NULL);
        exec_post(pair.back, 0, EV_STOP);
        pair_settle(&pair);
        assert_int_equal(net_mem_sockets(pair.net), 0);
        assert_true(be_idle(pair.be));
        pair_drop(&pair);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_front, close_clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(aborted_is_aborted_though_its_map_fails),
        TEST(first_reason_to_close_is_told),
        TEST(listener_takes_only_its_own),
        TEST(closing_listener_takes_nothing),
        TEST(poll_is_not_another_while_it_closes),
        TEST(broken_ring_moves_no_more),
        TEST(failed_listen_is_no_listener),
        TEST(one_byte_of_room_is_offered),
        TEST(who_did_not_ask_is_not_notified),
        TEST(close_writes_nothing_into_the_ring),
        cmocka_unit_test_setup_teardown(broken_front_is_not_answered, open_front, drop),
        TEST(counts_are_what_happened),
        cmocka_unit_test(closes_more_than_a_step_holds),
    };

    return !!cmocka_run_group_tests_name("back_sockets", tests, NULL, NULL);
}
