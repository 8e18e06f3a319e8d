/*
 * The backend's calls of PV Calls 1, from a front the test plays: SOCKET and what needs none,
 * errors of each call, failed connects that may be tried again, what is echoed, what is ignored.
 * Source: protocol.md 3.2, 3.3, 7 (2, 27).
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { OTHER = -ERR_NOTSUP };

static struct pair pair;
static struct rogue front;
static uint32_t next_id;

static int open_front(void **state)
{
    (void)state;
    next_id = 100;
    rogue_front_open_in(&front, &pair, &dialect_pvcalls1, 1);
    return 0;
}

static int close_front(void **state)
{
    (void)state;
    rogue_front_close(&front); /* sees that the backend kept nothing */
    return 0;
}

static struct call call_of(enum call_kind kind, uint64_t sockid)
{
    return (struct call){.id = next_id++, .kind = kind, .sockid = sockid};
}

/* Its answer; 1 if there is none yet. */
static int32_t ask(enum call_kind kind, uint64_t sockid)
{
    struct call call = call_of(kind, sockid);

    return rogue_ask(&front, &call);
}

static int32_t ask_socket(uint64_t sockid, uint32_t family, uint32_t type, uint32_t protocol)
{
    struct call call = call_of(CALL_SOCKET, sockid);

    call.family = family;
    call.type = type;
    call.protocol = protocol;
    return rogue_ask(&front, &call);
}

static int32_t ask_socket4(uint64_t sockid)
{
    return ask_socket(sockid, 2, 1, 0);
}

static int32_t ask_bind(uint64_t sockid)
{
    struct call call = call_of(CALL_BIND, sockid);

    call.addr = pair_addr(7000);
    return rogue_ask(&front, &call);
}

static int32_t ask_connect(uint64_t sockid, const struct rogue_data *data)
{
    struct call call = rogue_connect(next_id++, sockid, data);

    return rogue_ask(&front, &call);
}

/* The socket's operation ends so; the answer that follows, 1 if there is none. */
static int32_t answer_after(enum ev_kind kind, int32_t ret)
{
    struct call_reply reply;

    assert_true(net_mem_complete(pair.net, kind, pair_pending(&pair, kind), ret, NULL));
    pair_run(&pair);
    return rogue_reply(&front, &reply) ? reply.ret : 1;
}

static void open_listener(uint64_t sockid)
{
    assert_int_equal(ask_bind(sockid), 1);
    assert_int_equal(answer_after(EV_NET_BIND, 0), 0);
    assert_int_equal(ask(CALL_LISTEN, sockid), 1);
    assert_int_equal(answer_after(EV_NET_LISTEN, 0), 0);
}

/* ---- SOCKET -----------------------------------------------------------------------------------
 */

/* SPEC: AF_INET, SOCK_STREAM, protocol 0; AF_INET6 is ours (protocol.md 3.2). Linux takes protocol
 * 2, and answers -97. */
static void socket_of_what_there_is(void **state)
{
    static const struct {
        uint32_t family, type, protocol;
        int32_t ret;
    } cases[] = {
        {2, 1, 0, 0},         {10, 1, 0, 0},          {0, 1, 0, OTHER}, {1, 1, 0, OTHER},
        {3, 1, 0, OTHER},     {0x10002, 1, 0, OTHER}, {2, 0, 0, OTHER}, {2, 2, 0, OTHER},
        {2, 3, 0, OTHER},     {2, 1, 2, OTHER},       {2, 1, 6, OTHER}, {UINT32_MAX, 1, 0, OTHER},
        {2, 0x801, 0, OTHER}, {10, 2, 0, OTHER},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ask_socket(i, cases[i].family, cases[i].type, cases[i].protocol),
                         cases[i].ret);
        assert_int_equal(ask(CALL_RELEASE, i), 0); /* of an unknown id too */
    }
    assert_int_equal(net_mem_sockets(pair.net), 0); /* nothing of the host's is taken */
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
}

static void socket_twice_is_a_duplicate(void **state)
{
    (void)state;
    assert_int_equal(ask_socket4(5), 0);
    assert_int_equal(ask_socket4(5), -ERR_EXIST);
    assert_int_equal(ask_socket(5, 2, 2, 0), OTHER);
    assert_int_equal(ask(CALL_RELEASE, 5), 0);
    assert_int_equal(ask_socket4(5), 0); /* its id is free again */
}

/* A made socket is nothing but made: it neither listens nor accepts, and its id is taken. */
static void socket_is_only_made(void **state)
{
    struct call call;

    (void)state;
    assert_int_equal(ask_socket4(5), 0);
    assert_int_equal(ask(CALL_LISTEN, 5), -ERR_INVAL);
    assert_int_equal(ask(CALL_ACCEPT, 5), -ERR_INVAL);
    assert_int_equal(ask(CALL_POLL, 5), -ERR_INVAL);
    open_listener(6);
    call = call_of(CALL_ACCEPT, 6);
    call.new_sockid = 5;
    assert_int_equal(rogue_ask(&front, &call), -ERR_EXIST);
}

/* Sockets that are made and nothing else count against the quota (protocol.md 4, rule 8). */
static void made_sockets_have_a_quota(void **state)
{
    enum { QUOTA = 64 };

    (void)state;
    for (uint32_t i = 0; i < QUOTA; i++)
        assert_int_equal(ask_socket4(i), 0);
    assert_int_equal(ask_socket4(QUOTA), -ERR_MFILE);
    assert_int_equal(ask_bind(QUOTA + 1), -ERR_MFILE);
    assert_int_equal(ask_bind(3), 1); /* made before */
    assert_int_equal(answer_after(EV_NET_BIND, 0), 0);
    assert_int_equal(ask(CALL_RELEASE, 15), 0);
    assert_int_equal(ask_socket4(QUOTA), 0);
}

/* ---- CONNECT and BIND -------------------------------------------------------------------------
 */

static void connect_with_and_without_socket(void **state)
{
    struct rogue_data data[2];

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        rogue_share(&front, &data[i]);
        if (i == 1)
            assert_int_equal(ask_socket4(i), 0);
        assert_int_equal(ask_connect(i, &data[i]), 1);
        assert_int_equal(ask_connect(i, &data[i]), -ERR_EXIST);
        assert_int_equal(answer_after(EV_NET_CONNECT, 0), 0);
        assert_int_equal(ask_connect(i, &data[i]), -ERR_EXIST);
        assert_int_equal(ask_socket4(i), -ERR_EXIST);
    }
    /* the ring's page, and of each an index page and two of data */
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 2 * 3);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(ask(CALL_RELEASE, i), 0);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
}

static void bind_with_and_without_socket(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        if (i == 1)
            assert_int_equal(ask_socket4(i), 0);
        assert_int_equal(ask_bind(i), 1);
        assert_int_equal(ask_bind(i), -ERR_EXIST);
        assert_int_equal(answer_after(EV_NET_BIND, 0), 0);
        assert_int_equal(ask_bind(i), -ERR_EXIST);
    }
}

/* After a failure the socket that a SOCKET made is as it was; one that none made is unknown. */
static void failed_connect_may_be_tried_again(void **state)
{
    struct rogue_data data;

    (void)state;
    rogue_share(&front, &data);
    assert_int_equal(ask_socket4(5), 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(ask_connect(5, &data), 1);
        assert_int_equal(answer_after(EV_NET_CONNECT, -ERR_CONNREFUSED), -ERR_CONNREFUSED);
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
        assert_int_equal(be_counters(pair.be)->sockets_now, 1);
        assert_int_equal(ask_socket4(5), -ERR_EXIST);
    }
    assert_int_equal(ask_connect(5, &data), 1);
    assert_int_equal(answer_after(EV_NET_CONNECT, 0), 0);
    assert_int_equal(ask(CALL_RELEASE, 5), 0);

    assert_int_equal(ask_connect(6, &data), 1);
    assert_int_equal(answer_after(EV_NET_CONNECT, -ERR_CONNREFUSED), -ERR_CONNREFUSED);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    assert_int_equal(ask_socket4(6), 0);
}

static void failed_bind_may_be_tried_again(void **state)
{
    struct rogue_data data;

    (void)state;
    assert_int_equal(ask_socket4(5), 0);
    assert_int_equal(ask_bind(5), 1);
    assert_int_equal(answer_after(EV_NET_BIND, -ERR_ADDRINUSE), -ERR_ADDRINUSE);
    assert_int_equal(ask(CALL_LISTEN, 5), -ERR_INVAL);
    assert_int_equal(ask_bind(5), 1);
    assert_int_equal(answer_after(EV_NET_BIND, -ERR_ADDRINUSE), -ERR_ADDRINUSE);
    rogue_share(&front, &data); /* and even become another kind of socket */
    assert_int_equal(ask_connect(5, &data), 1);
    assert_int_equal(answer_after(EV_NET_CONNECT, 0), 0);
}

/* protocol.md 3.3: a length from 2 to 28, AF_INET; ours is stricter. The socket stays. */
static void wrong_addresses_leave_a_made_socket(void **state)
{
    static const struct {
        uint32_t len;
        uint8_t family;
        int32_t ret;
    } cases[] = {{0, 2, -ERR_INVAL},        {1, 2, -ERR_INVAL},        {15, 2, -ERR_INVAL},
                 {29, 2, -ERR_INVAL},       {17, 2, -ERR_INVAL},       {UINT32_MAX, 2, -ERR_INVAL},
                 {16, 1, -ERR_AFNOSUPPORT}, {16, 0, -ERR_AFNOSUPPORT}, {28, 77, -ERR_AFNOSUPPORT}};
    struct rogue_data data;

    (void)state;
    rogue_share(&front, &data);
    assert_int_equal(ask_socket4(5), 0);
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (uint32_t bind = 0; bind < 2; bind++) {
            struct call call = rogue_connect(next_id++, 5, &data);
            call.kind = bind ? CALL_BIND : CALL_CONNECT;
            call.addr.len = cases[i].len;
            call.addr.bytes[0] = cases[i].family;
            assert_int_equal(rogue_ask(&front, &call), cases[i].ret);
        }
    assert_int_equal(ask_connect(5, &data), 1);
    assert_int_equal(answer_after(EV_NET_CONNECT, 0), 0);
}

/* A RELEASE while a CONNECT is under way: it is answered first, then the RELEASE (7, 7). */
static void release_of_a_connecting_socket(void **state)
{
    struct rogue_data data;
    struct call_reply reply;

    (void)state;
    rogue_share(&front, &data);
    assert_int_equal(ask_socket4(5), 0);
    assert_int_equal(ask_connect(5, &data), 1);
    struct call call = call_of(CALL_RELEASE, 5);
    rogue_put(&front, &call);
    rogue_kick(&front);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.code, 1);
    assert_int_equal(reply.ret, -ERR_CONNABORTED);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.code, 2);
    assert_int_equal(reply.ret, 0);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
}

/* `reuse` is a hint, and Linux leaves what lay in the slot: pages and port are let go all the same.
 */
static void reuse_is_ignored(void **state)
{
    struct rogue_data data;

    (void)state;
    rogue_share(&front, &data);
    for (uint32_t reuse = 0; reuse < 256; reuse += 51) {
        assert_int_equal(ask_connect(5, &data), 1);
        assert_int_equal(answer_after(EV_NET_CONNECT, 0), 0);
        struct call call = call_of(CALL_RELEASE, 5);
        call.reuse = reuse;
        assert_int_equal(rogue_ask(&front, &call), 0);
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
    }
}

/* SPEC: what a request does not name may hold anything: pads, the rest of the slot, flags. */
static void pads_and_flags_are_ignored(void **state)
{
    static const uint32_t used[] = {[CALL_SOCKET] = 28, [CALL_CONNECT] = 60, [CALL_RELEASE] = 17,
                                    [CALL_BIND] = 48,   [CALL_LISTEN] = 20,  [CALL_POLL] = 16};
    static const enum call_kind kinds[] = {CALL_SOCKET, CALL_CONNECT, CALL_RELEASE,
                                           CALL_SOCKET, CALL_BIND,    CALL_LISTEN};
    struct rogue_data data;
    struct call_reply reply;

    (void)state;
    rogue_share(&front, &data);
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct call call = rogue_connect(next_id++, 5, &data);
        unsigned char slot[64];

        call.kind = kinds[i];
        call.family = 2;
        call.type = 1;
        call.flags = 0xffffffff;
        dialect_pack_call(&dialect_pvcalls1, &call, slot);
        memset(slot + used[call.kind], 0xff, sizeof(slot) - used[call.kind]);
        rogue_put_raw(&front, slot);
        rogue_kick(&front);
        pair_settle(&pair);
        assert_true(rogue_reply(&front, &reply));
        assert_int_equal(reply.ret, 0);
        assert_false(rogue_reply(&front, &reply));
    }
}

/* ---- LISTEN, ACCEPT, POLL, RELEASE ------------------------------------------------------------
 */

static void backlog_is_as_given(void **state)
{
    static const uint32_t cases[][2] = {{0, 0},         {1, 1},         {10, 10},
                                        {65535, 65535}, {65536, 65535}, {UINT32_MAX, 65535}};
    struct net_mem_op op;

    (void)state;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ask_bind(i), 1);
        assert_int_equal(answer_after(EV_NET_BIND, 0), 0);
        struct call call = call_of(CALL_LISTEN, i);
        call.backlog = cases[i][0];
        assert_int_equal(rogue_ask(&front, &call), 1);
        assert_true(net_mem_pending(pair.net, 0, &op));
        assert_int_equal(op.kind, EV_NET_LISTEN);
        assert_int_equal(op.backlog, cases[i][1]);
        assert_int_equal(answer_after(EV_NET_LISTEN, 0), 0);
    }
}

static void strangers_are_told_so(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 3; id++) {
        assert_int_equal(ask(CALL_RELEASE, id), 0); /* as Linux; draft 1: -22 */
        assert_int_equal(ask(CALL_LISTEN, id), -ERR_INVAL);
        assert_int_equal(ask(CALL_ACCEPT, id), -ERR_INVAL);
        assert_int_equal(ask(CALL_POLL, id), -ERR_INVAL); /* Linux is silent */
    }
}

static struct call accept_call(uint64_t listener, uint64_t id_new, const struct rogue_data *data)
{
    struct call call = rogue_connect(next_id++, listener, data);

    call.kind = CALL_ACCEPT;
    call.new_sockid = id_new;
    return call;
}

/* Only when a connection came, and of the listener; never -EAGAIN. A SOCKET of `id_new` is none. */
static void accept_is_answered_when_accepted(void **state)
{
    struct rogue_data data[3];
    struct call_reply reply;

    (void)state;
    open_listener(1);
    for (uint32_t i = 0; i < 3; i++) {
        rogue_share(&front, &data[i]);
        struct call call = accept_call(1, 10 + i, &data[i]);
        assert_int_equal(rogue_ask(&front, &call), 1); /* any number of them wait */
    }
    assert_int_equal(ask_socket4(10), -ERR_EXIST);
    for (uint32_t i = 0; i < 3; i++) {
        struct net_mem_op op;
        uint32_t at = 0;
        do
            assert_true(net_mem_pending(pair.net, at++, &op));
        while (op.kind != EV_NET_ACCEPT);
        assert_true(net_mem_complete(pair.net, EV_NET_ACCEPT, op.token, 0, NULL));
        pair_run(&pair);
        assert_true(rogue_reply(&front, &reply));
        assert_int_equal(reply.code, 5);
        assert_int_equal(reply.sockid, 1);
        assert_int_equal(reply.ret, 0);
    }
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 3 * 3);
}

/* An accept whose listener goes is answered before the RELEASE is, and lets go of its pages. */
static void accepts_end_with_their_listener(void **state)
{
    struct rogue_data data;
    struct call_reply reply;

    (void)state;
    open_listener(1);
    rogue_share(&front, &data);
    struct call accept = accept_call(1, 10, &data), poll = call_of(CALL_POLL, 1);
    struct call release = call_of(CALL_RELEASE, 1);
    assert_int_equal(rogue_ask(&front, &accept), 1);
    assert_int_equal(rogue_ask(&front, &poll), 1);
    rogue_put(&front, &release);
    rogue_kick(&front);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(rogue_reply(&front, &reply));
        assert_true(reply.code == 5 || reply.code == 6);
        assert_int_equal(reply.ret, -ERR_BADF);
    }
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.id, release.id);
    assert_int_equal(reply.ret, 0);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
    assert_int_equal(ask_socket4(10), 0); /* its id was never a socket's */
}

static void poll_is_answered_once(void **state)
{
    struct call_reply reply;

    (void)state;
    open_listener(1);
    struct call call = call_of(CALL_POLL, 1);
    assert_int_equal(rogue_ask(&front, &call), 1);
    assert_int_equal(answer_after(EV_NET_POLL, 0), 0);
    pair_settle(&pair);
    assert_false(rogue_reply(&front, &reply));
    assert_int_equal(pair_pending_count(&pair, EV_NET_POLL), 0);
}

/* -524, with request id, command and socket as they came; the device lives. */
static void unknown_commands_are_echoed(void **state)
{
    static const uint32_t codes[] = {7, 8, 255, 256, 257, 0x100, 0x80000001, UINT32_MAX};

    (void)state;
    for (uint32_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        uint32_t slot[16] = {0xabcd0000 + i, codes[i], 0x11111111, 0x22222222};
        struct call_reply reply;

        memset(slot + 4, 0xff, 48);
        rogue_put_raw(&front, slot);
        rogue_kick(&front);
        assert_true(rogue_reply(&front, &reply));
        assert_int_equal(reply.id, slot[0]);
        assert_int_equal(reply.code, codes[i]);
        assert_int_equal(reply.sockid, 0x2222222211111111);
        assert_int_equal(reply.ret, -524);
    }
    assert_int_equal(ask_socket4(1), 0);
    assert_int_equal(pair.back_fault_count, 0);
}

/* 32 slots: as many requests at once, each answered; one more is beyond the window. */
static void thirty_two_slots(void **state)
{
    struct call_reply reply;

    (void)state;
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 32; i++) {
            struct call call = call_of(CALL_RELEASE, i);
            rogue_put(&front, &call);
        }
        rogue_kick(&front);
        for (uint32_t i = 0; i < 32; i++) {
            assert_true(rogue_reply(&front, &reply));
            assert_int_equal(reply.sockid, i);
        }
        assert_false(rogue_reply(&front, &reply));
    }
    assert_int_equal(pair.back_fault_count, 0);
    rogue_store(&front, CMDRING_REQ_PROD, front.prod + 33);
    rogue_kick(&front);
    assert_int_equal(pair.back_fault_count, 1);
    assert_int_equal(pair.back_faults[0].reason, FAULT_CMDRING_WINDOW);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_front, close_front)
    const struct CMUnitTest tests[] = {
        TEST(socket_of_what_there_is),
        TEST(socket_twice_is_a_duplicate),
        TEST(socket_is_only_made),
        TEST(made_sockets_have_a_quota),
        TEST(connect_with_and_without_socket),
        TEST(bind_with_and_without_socket),
        TEST(failed_connect_may_be_tried_again),
        TEST(failed_bind_may_be_tried_again),
        TEST(wrong_addresses_leave_a_made_socket),
        TEST(release_of_a_connecting_socket),
        TEST(reuse_is_ignored),
        TEST(pads_and_flags_are_ignored),
        TEST(backlog_is_as_given),
        TEST(strangers_are_told_so),
        TEST(accept_is_answered_when_accepted),
        TEST(accepts_end_with_their_listener),
        TEST(poll_is_answered_once),
        TEST(unknown_commands_are_echoed),
        TEST(thirty_two_slots),
    };

    return !!cmocka_run_group_tests_name("pvcalls_back", tests, NULL, NULL);
}
