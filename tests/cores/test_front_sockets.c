/*
 * The frontend's sockets where two things meet: a broken ring and what else is written in it, a
 * reconnect and what was outstanding, releases and what waits beside them; and what faults and
 * counters say of it. Mostly against a backend played by hand, in good order.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LINGER_NS 60000000000u

static struct pair pair;
static struct rogue back;

static int open_back(void **state)
{
    (void)state;
    rogue_back_open(&back, &pair, 1);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    pair_drop(&pair);
    return 0;
}

/* The next request, answered. */
static enum call_kind answer(int32_t ret)
{
    struct call call;
    struct call_reply reply = rogue_answer_to(&back, &call, ret);

    rogue_answer(&back, &reply);
    return call.kind;
}

static uint64_t open_socket(struct rogue_data *data)
{
    struct call call;
    int64_t sock = pair_connect_begin(&pair, 80);

    assert_true(sock >= 0);
    pair_run(&pair);
    struct call_reply reply = rogue_answer_to(&back, &call, 0);
    rogue_map(&back, &call, data);
    rogue_answer(&back, &reply);
    return (uint64_t)sock;
}

static void assert_fault(enum fault_reason reason, uint32_t index, uint32_t value)
{
    assert_int_equal(pair.front_fault_count, 1);
    assert_int_equal(fe_counters(pair.fe)->faults, 1);
    assert_int_equal(pair.front_faults[0].reason, reason);
    assert_int_equal(pair.front_faults[0].index, index);
    assert_int_equal(pair.front_faults[0].value, value);
}

static void put_error(const struct rogue_data *data, uint32_t offset, int32_t error)
{
    shared_store(&data->area, offset, (uint32_t)error);
}

/* Bytes are missing from a ring with a nonsensical index: it has no clean end, whatever it says. */
static void broken_ring_has_no_clean_end(void **state)
{
    struct rogue_data data;
    char byte;

    (void)state;
    uint64_t sock = open_socket(&data);
    put_error(&data, data.at.in.error, -ERR_NOTCONN);
    put_error(&data, data.at.out.error, -ERR_PIPE);
    shared_store(&data.area, data.at.in.prod, data.at.in.size + 3);
    hv_notify(pair.back_hv, data.port);
    pair_run(&pair);
    assert_fault(FAULT_BYTERING_WINDOW, 0, data.at.in.size + 3);
    assert_int_equal(pair_recv(&pair, sock, &byte, 1), -ERR_IO);
    assert_int_equal(pair_send(&pair, sock, "x", 1), -ERR_IO);
    assert_int_equal(fe_unsent(pair.fe, sock), -ERR_NOTCONN);
}

static void room_that_cannot_be_is_named(void **state)
{
    struct rogue_data data;

    (void)state;
    uint64_t sock = open_socket(&data);
    assert_int_equal(pair_send(&pair, sock, "abc", 3), 3);
    shared_store(&data.area, data.at.out.cons, 5);
    assert_int_equal(fe_unsent(pair.fe, sock), -ERR_IO);
    assert_int_equal(pair_send(&pair, sock, "x", 1), -ERR_IO);
    assert_fault(FAULT_BYTERING_WINDOW, 3, 5);
}

/* A socket that broke stays broken with that reason, though its device goes too. */
static void broken_stays_broken(void **state)
{
    struct rogue_data data;
    char byte;

    (void)state;
    uint64_t sock = open_socket(&data);
    shared_store(&data.area, data.at.in.prod, data.at.in.size + 3);
    hv_notify(pair.back_hv, data.port);
    pair_run(&pair);
    pair_write(&pair, PAIR_BACK, "state", "6");
    pair_run(&pair);
    assert_true(pair.gone);
    assert_int_equal(pair_recv(&pair, sock, &byte, 1), -ERR_IO);
}

/* A fault names the response it was, and what it said. */
static void response_faults_name_it(void **state)
{
    static const enum fault_reason reasons[] = {FAULT_RESPONSE_ID, FAULT_RESPONSE_ECHO,
                                                FAULT_RESPONSE_RET};
    struct call call;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        rogue_back_open(&back, &pair, 1);
        assert_true(pair_bind_begin(&pair, 7000) >= 0);
        assert_true(pair_bind_begin(&pair, 7001) >= 0);
        pair_run(&pair);
        assert_int_equal(answer(0), CALL_BIND);
        struct call_reply reply = rogue_answer_to(&back, &call, 0);
        reply.id += i == 0 ? 2 : 0;
        reply.code += i == 1 ? 2 : 0;
        reply.ret = i == 2 ? 5 : 0;
        rogue_answer(&back, &reply);
        assert_fault(reasons[i], 1, i == 0 ? reply.id : i == 1 ? reply.code : 5);
        assert_int_equal(fe_counters(pair.fe)->requests, 2);
        assert_int_equal(fe_counters(pair.fe)->responses, 1);
        pair_drop(&pair);
    }
}

/* The slot that comes free is a release's, though a bind has waited longer. */
static void release_goes_first(void **state)
{
    struct rogue_data data;
    uint64_t sock = open_socket(&data);
    struct call calls[8], call;

    (void)state;
    for (uint16_t i = 0; i < 9; i++)
        assert_true(pair_bind_begin(&pair, (uint16_t)(7000 + i)) >= 0);
    pair_run(&pair);
    assert_int_equal(pair_release(&pair, sock), 0);
    for (uint32_t i = 0; i < 8; i++)
        assert_true(rogue_request(&back, &calls[i]));
    assert_false(rogue_request(&back, &call));
    struct call_reply reply = {calls[0].id, calls[0].code, calls[0].sockid, 0};
    rogue_answer(&back, &reply);
    assert_true(rogue_request(&back, &call));
    assert_int_equal(call.kind, CALL_RELEASE);
}

/* The id of a poll's own slot is nothing the application has; nor is one with a device in it. */
static void ids_nobody_was_given(void **state)
{
    struct rogue_data data;
    char byte;

    (void)state;
    uint64_t sock = open_socket(&data);
    uint64_t other = sock | step_token(1, 0, 0);
    assert_int_equal(pair_send(&pair, other, "x", 1), -ERR_BADF);
    assert_int_equal(pair_recv(&pair, other, &byte, 1), -ERR_BADF);
    assert_int_equal(pair_release(&pair, other), -ERR_BADF);
    int64_t listener = pair_bind_begin(&pair, 7000);
    pair_run(&pair);
    answer(0);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)listener), 0);
    pair_run(&pair);
    answer(0);
    assert_int_equal(pair_poll_begin(&pair, (uint64_t)listener), 0);
    pair_run(&pair);
    assert_int_equal(pair_release(&pair, step_token(0, 0, 2)), -ERR_BADF);
    pair_forget(&pair);
    assert_int_equal(answer(0), CALL_POLL);
    assert_string_equal(pair_told(&pair), "POLL 0");
}

/* Who released a socket is not told of it any more but that it is released. */
static void released_is_not_woken(void **state)
{
    struct rogue_data data;

    (void)state;
    uint64_t sock = open_socket(&data);
    uint32_t size = data.at.out.size;
    static const char many[1 << 16];
    assert_int_equal(pair_send(&pair, sock, many, size + 1), size); /* arms WRITABLE */
    pair_forget(&pair);
    assert_int_equal(pair_release(&pair, sock), 0);
    shared_store(&data.area, data.at.in.prod, 1);
    shared_store(&data.area, data.at.out.cons, size - 1);
    hv_notify(pair.back_hv, data.port);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "");
    shared_store(&data.area, data.at.out.cons, size);
    hv_notify(pair.back_hv, data.port);
    pair_run(&pair);
    assert_int_equal(answer(0), CALL_RELEASE);
    assert_string_equal(pair_told(&pair), "RELEASE 0");
}

/* A share that the hypervisor takes its time for. */
static struct {
    const struct hv_ops *real;
    struct hv_ops ops;
    uint64_t token;
    uint32_t handle;
} held;

static void held_share(struct hv *hv, uint64_t token, uint16_t domid, uint32_t pages)
{
    (void)hv;
    assert_int_equal(domid, PAIR_BACK);
    assert_int_equal(pages, 2);
    held.token = token;
}

/* A connect whose device went before its pages were there fails as those that were sent. */
static void unsent_connect_goes_with_its_device(void **state)
{
    (void)state;
    held.real = pair.front_hv->ops;
    held.ops = *held.real;
    held.ops.share = held_share;
    pair.front_hv->ops = &held.ops;
    assert_true(pair_connect_begin(&pair, 80) >= 0);
    pair_write(&pair, PAIR_BACK, "state", "6");
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "GONE");
    held.real->share(pair.front_hv, held.token, PAIR_BACK, 2);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "GONE, CONNECT -104");
    assert_int_equal(pair.front_hv->counters.grants_now, 0);
}

static void held_unshare(struct hv *hv, uint64_t token, uint32_t handle)
{
    (void)hv;
    held.token = token;
    held.handle = handle;
}

/* The id of a connect that failed is dead, though its pages are still being taken back. */
static void failed_connect_cannot_be_released(void **state)
{
    struct call call;

    (void)state;
    int64_t sock = pair_connect_begin(&pair, 80);
    pair_run(&pair);
    held.real = pair.front_hv->ops;
    held.ops = *held.real;
    held.ops.unshare = held_unshare;
    pair.front_hv->ops = &held.ops;
    struct call_reply reply = rogue_answer_to(&back, &call, -ERR_CONNREFUSED);
    rogue_answer(&back, &reply);
    assert_string_equal(pair_told(&pair), "CONNECT -111");
    assert_int_equal(pair_release(&pair, (uint64_t)sock), -ERR_BADF);
    held.real->unshare(pair.front_hv, held.token, held.handle);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "CONNECT -111");
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
}

/* An accept for which there is no slot is nothing its listener's release waits for. */
static void refused_accept_holds_nothing_up(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1, .max_sockets = 2});
    uint64_t listener = pair_listen(&pair, NULL);
    assert_true(pair_accept_begin(&pair, listener) >= 0);
    assert_int_equal(pair_accept_begin(&pair, listener), -ERR_MFILE);
    assert_int_equal(pair_poll_begin(&pair, listener), -ERR_MFILE);
    pair_run(&pair);
    pair_forget(&pair);
    assert_int_equal(pair_release(&pair, listener), 0);
    pair_settle(&pair);
    assert_string_equal(pair_told(&pair), "ACCEPT -9, RELEASE 0");
    pair_close(&pair);
}

/* ring.h's hold-off: a backend that asked for the first request only is notified of that one. */
static void who_did_not_ask_is_not_notified(void **state)
{
    uint64_t notifies = pair.front_hv->counters.notifies;

    (void)state;
    for (uint16_t i = 0; i < 3; i++) {
        assert_true(pair_bind_begin(&pair, (uint16_t)(7000 + i)) >= 0);
        pair_run(&pair);
        assert_int_equal(pair.front_hv->counters.notifies - notifies, 1);
    }
}

/* An id is dead for as long as it can be told from others, however often its slot is used again. */
static void old_ids_stay_dead(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1, .max_sockets = 1});
    uint64_t first = pair_connect(&pair, NULL);
    for (uint32_t use = 0; use < 300; use++) {
        pair_forget(&pair);
        assert_int_equal(pair_release(&pair, use == 0 ? first : pair_connect(&pair, NULL)), 0);
        pair_settle(&pair);
        assert_int_equal(pair_send(&pair, first, "x", 1), -ERR_BADF);
        assert_int_equal(pair_release(&pair, first), -ERR_BADF);
    }
    pair_forget(&pair);
    pair_connect(&pair, NULL);
    assert_int_equal(pair_release(&pair, first), -ERR_BADF);
    pair_drop(&pair);
}

/* An accepted socket is as one that connected: told of its first bytes, and drained at its end. */
static void accepted_is_as_connected(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1});
    uint64_t listener = pair_listen(&pair, NULL);
    int64_t sock = pair_accept_begin(&pair, listener);
    assert_true(sock >= 0);
    pair_run(&pair);
    uint64_t token = pair_pending(&pair, EV_NET_ACCEPT);
    assert_true(net_mem_complete(pair.net, EV_NET_ACCEPT, token, 0, NULL));
    pair_run(&pair);
    pair_forget(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 1, "y"));
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "READABLE");
    assert_int_equal(pair_send(&pair, (uint64_t)sock, "x", 1), 1);
    assert_int_equal(pair_release(&pair, (uint64_t)sock), 0);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_WRITE), 1); /* it is not cancelled */
    pair_settle(&pair);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, (uint64_t)sock), 0);
    uint64_t written;
    assert_memory_equal(net_mem_written(pair.net, token, &written), "x", 1);
    assert_int_equal(written, 1);
    pair_release(&pair, listener);
    pair_close(&pair);
}

/* What it waits for is there to be seen: bytes from the start, room once there was too little. */
static void waits_can_be_seen(void **state)
{
    static const char many[1 << 14];
    struct rogue_data data;
    struct fe_data seen;

    (void)state;
    uint64_t sock = open_socket(&data);
    assert_true(fe_data(pair.fe, sock, &seen));
    assert_true(seen.wants_bytes && !seen.wants_room);
    assert_int_equal(pair_send(&pair, sock, many, data.at.out.size + 1), data.at.out.size);
    shared_store(&data.area, data.at.in.prod, 1);
    hv_notify(pair.back_hv, data.port);
    pair_run(&pair);
    assert_true(fe_data(pair.fe, sock, &seen));
    assert_true(!seen.wants_bytes && seen.wants_room);
}

/* A bound socket whose device went does not listen any more, and can be released. */
static void bound_socket_of_a_lost_device(void **state)
{
    (void)state;
    int64_t sock = pair_bind_begin(&pair, 7000);
    pair_run(&pair);
    answer(0);
    pair_write(&pair, PAIR_BACK, "state", "6");
    pair_run(&pair);
    pair_forget(&pair);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)sock), -ERR_CONNRESET);
    assert_int_equal(pair_release(&pair, (uint64_t)sock), 0);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "RELEASE 0");
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
}

/* Nobody asked for a shorter time than protocol.md 7 (28) has. */
static void lingers_a_minute_unless_told(void **state)
{
    struct rogue_data data;

    (void)state;
    uint64_t sock = open_socket(&data);
    assert_int_equal(pair_send(&pair, sock, "x", 1), 1);
    assert_int_equal(pair_release(&pair, sock), 0);
    assert_int_equal(fe_deadline_ns(pair.fe), pair.now_ns + LINGER_NS);
    pair.now_ns += LINGER_NS - 1;
    exec_turn(pair.front, pair.now_ns);
    assert_int_equal(fe_counters(pair.fe)->requests, 1);
    pair.now_ns += 1;
    exec_turn(pair.front, pair.now_ns); /* pair_run would wait for a deadline that is not met */
    assert_int_equal(answer(0), CALL_RELEASE);
}

/* One of those that wait for a slot is released: the others are not forgotten with it. */
static void released_accept_leaves_the_others(void **state)
{
    int64_t accepts[8];

    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1});
    uint64_t listener = pair_listen(&pair, NULL);
    for (uint32_t i = 0; i < 8; i++)
        accepts[i] = pair_accept_begin(&pair, listener);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), 6);
    assert_int_equal(pair_release(&pair, (uint64_t)accepts[6]), 0);
    for (uint32_t i = 0; i < 7; i++) {
        uint64_t token = pair_pending(&pair, EV_NET_ACCEPT);
        assert_true(net_mem_complete(pair.net, EV_NET_ACCEPT, token, 0, NULL));
        pair_run(&pair);
    }
    assert_int_equal(pair_done(&pair, CALL_ACCEPT, (uint64_t)accepts[6]), -ERR_CONNABORTED);
    assert_int_equal(pair_done(&pair, CALL_ACCEPT, (uint64_t)accepts[7]), 0);
    pair_drop(&pair);
}

/* As many accepts and connects as a ring takes were in it when the device went: the next ring
 * takes as many. */
static void next_ring_has_all_its_slots(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1});
    for (uint32_t life = 0; life < 3; life++) {
        pair_run(&pair);
        uint64_t listener = pair_listen(&pair, NULL);
        for (uint32_t i = 0; i < 6; i++)
            assert_true(pair_accept_begin(&pair, listener) >= 0);
        assert_true(pair_connect_begin(&pair, 80) >= 0);
        pair_run(&pair);
        assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), 6);
        assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 1);
        exec_post(pair.front, 0, EV_STOP);
        pair_settle(&pair);
        assert_int_equal(pair_release(&pair, listener), 0);
        pair_forget(&pair);
        pair_start_front(&pair);
    }
    pair_run(&pair);
    pair_close(&pair);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_back, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(broken_ring_has_no_clean_end),
        TEST(room_that_cannot_be_is_named),
        TEST(broken_stays_broken),
        cmocka_unit_test(response_faults_name_it),
        TEST(release_goes_first),
        TEST(ids_nobody_was_given),
        TEST(released_is_not_woken),
        TEST(unsent_connect_goes_with_its_device),
        TEST(failed_connect_cannot_be_released),
        cmocka_unit_test(refused_accept_holds_nothing_up),
        TEST(who_did_not_ask_is_not_notified),
        cmocka_unit_test(old_ids_stay_dead),
        cmocka_unit_test(accepted_is_as_connected),
        TEST(waits_can_be_seen),
        TEST(bound_socket_of_a_lost_device),
        TEST(lingers_a_minute_unless_told),
        cmocka_unit_test(released_accept_leaves_the_others),
        cmocka_unit_test(next_ring_has_all_its_slots),
    };

    return !!cmocka_run_group_tests_name("front_sockets", tests, NULL, NULL);
}
