/*
 * The frontend's calls of PV Calls 1, against a backend the test plays: the SOCKET before, what an
 * application is told of one that fails, the quiet RELEASE of what only the backend has, releases
 * at every moment, ids while an ACCEPT waits. Source: protocol.md 3.2, 3.3, 5.2 a, 7 (4, 25).
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SLOTS = 32 };

static struct pair pair;
static struct rogue back;

static int open_back(void **state)
{
    (void)state;
    rogue_back_open_in(&back, &pair, &dialect_pvcalls1, 1);
    return 0;
}

/* The application has no socket left, nor has the device anything but its ring. */
static int close_back(void **state)
{
    (void)state;
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_int_equal(pair.front_hv->counters.ports_now, 1);
    assert_int_equal(pair.front_fault_count, 0);
    rogue_back_close(&back);
    return 0;
}

static void nothing_more_is_asked(void)
{
    struct call call;

    pair_run(&pair);
    assert_false(rogue_request(&back, &call));
}

static uint64_t connect_begin(void)
{
    int64_t sock = pair_connect_begin(&pair, 80);

    assert_true(sock >= 0);
    return (uint64_t)sock;
}

static uint64_t bind_begin(void)
{
    int64_t sock = pair_bind_begin(&pair, 7000);

    assert_true(sock >= 0);
    return (uint64_t)sock;
}

static void release(uint64_t sock)
{
    assert_int_equal(pair_release(&pair, sock), 0);
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, sock), 0);
    nothing_more_is_asked();
}

static uint64_t listener(void)
{
    uint64_t sock = bind_begin();

    rogue_serve(&back, CALL_SOCKET, 0);
    rogue_serve(&back, CALL_BIND, 0);
    assert_int_equal(pair_listen_begin(&pair, sock), 0);
    rogue_serve(&back, CALL_LISTEN, 0);
    pair_forget(&pair);
    return sock;
}

/* ---- what is asked -----------------------------------------------------------------------------
 */

static void connect_asks_for_a_socket_first(void **state)
{
    struct call_addr addr = pair_addr(80);
    struct rogue_data data;

    (void)state;
    uint64_t sock = connect_begin();
    struct call call = rogue_serve(&back, CALL_SOCKET, 0);
    assert_int_equal(call.sockid, sock);
    assert_int_equal(call.family, 2);
    assert_int_equal(call.type, 1);
    assert_int_equal(call.protocol, 0);
    assert_string_equal(pair_told(&pair), "");
    struct call_reply reply = rogue_expect(&back, CALL_CONNECT, &call, 0);
    assert_int_equal(call.sockid, sock);
    assert_memory_equal(call.addr.bytes, addr.bytes, sizeof(addr.bytes));
    assert_int_equal(call.addr.len, 16);
    assert_int_equal(call.flags, 0);
    rogue_map(&back, &call, &data); /* sees the order, and that each page is one */
    assert_int_equal(data.data.pages, 2);
    rogue_answer(&back, &reply);
    assert_string_equal(pair_told(&pair), "CONNECT 0");
    assert_int_equal(pair_release(&pair, sock), 0);
    call = rogue_serve(&back, CALL_RELEASE, 0);
    assert_int_equal(call.reuse, 0);
    rogue_unmap(&back, &data);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "CONNECT 0, RELEASE 0");
}

static void bind_asks_for_a_socket_first(void **state)
{
    (void)state;
    uint64_t sock = bind_begin();
    assert_int_equal(rogue_serve(&back, CALL_SOCKET, 0).sockid, sock);
    assert_int_equal(rogue_serve(&back, CALL_BIND, 0).sockid, sock);
    assert_int_equal(pair_listen_begin(&pair, sock), 0);
    struct call call = rogue_serve(&back, CALL_LISTEN, 0);
    assert_int_equal(call.backlog, 128);
    assert_string_equal(pair_told(&pair), "BIND 0, LISTEN 0");
    release(sock);
}

static void socket_of_ipv6_says_so(void **state)
{
    static const uint8_t ip[16] = {[15] = 1};
    struct call_addr addr;

    (void)state;
    call_addr6(&addr, ip, 80);
    assert_true(fe_connect(pair.fe, &addr, pair_call(&pair)) >= 0);
    pair_call_end(&pair);
    struct call call = rogue_serve(&back, CALL_SOCKET, -524);
    assert_int_equal(call.family, 10);
    assert_string_equal(pair_told(&pair), "CONNECT -524");
}

/* Of a new socket ACCEPT itself tells; POLL is about a listener. */
static void accept_and_poll_ask_for_none(void **state)
{
    (void)state;
    uint64_t sock = listener();
    int64_t accepted = pair_accept_begin(&pair, sock);
    assert_true(accepted >= 0);
    struct call call = rogue_serve(&back, CALL_ACCEPT, 0);
    assert_int_equal(call.sockid, sock);
    assert_int_equal(call.new_sockid, accepted);
    assert_int_equal(pair_poll_begin(&pair, sock), 0);
    assert_int_equal(rogue_serve(&back, CALL_POLL, 0).sockid, sock);
    assert_string_equal(pair_told(&pair), "ACCEPT 0, POLL 0");
    release((uint64_t)accepted);
    release(sock);
}

/* ---- what fails --------------------------------------------------------------------------------
 */

/* The backend has nothing, so nothing is released. */
static void refused_socket_fails_the_call(void **state)
{
    (void)state;
    connect_begin();
    rogue_serve(&back, CALL_SOCKET, -ERR_NOTSUP);
    nothing_more_is_asked();
    bind_begin();
    rogue_serve(&back, CALL_SOCKET, -ERR_MFILE);
    nothing_more_is_asked();
    assert_string_equal(pair_told(&pair), "CONNECT -524, BIND -24");
}

/* The application is told once; the socket that the backend still has is released quietly, and
 * until that is answered its id is dead, and its slot and pages are not used again. */
static void failed_call_is_released_quietly(void **state)
{
    char byte = 0;

    (void)state;
    for (uint32_t bind = 0; bind < 2; bind++) {
        uint64_t sock = bind ? bind_begin() : connect_begin();
        rogue_serve(&back, CALL_SOCKET, 0);
        rogue_serve(&back, bind ? CALL_BIND : CALL_CONNECT,
                    bind ? -ERR_ADDRINUSE : -ERR_CONNREFUSED);
        assert_string_equal(pair_told(&pair), bind ? "BIND -98" : "CONNECT -111");
        assert_int_equal(fe_counters(pair.fe)->sockets_now, 1);
        assert_int_equal(pair_release(&pair, sock), -ERR_BADF);
        assert_int_equal(pair_listen_begin(&pair, sock), -ERR_BADF);
        assert_int_equal(pair_accept_begin(&pair, sock), -ERR_BADF);
        assert_int_equal(pair_poll_begin(&pair, sock), -ERR_BADF);
        assert_int_equal(pair_send(&pair, sock, &byte, 1), -ERR_BADF);
        assert_int_equal(pair_recv(&pair, sock, &byte, 1), -ERR_BADF);
        assert_int_equal(fe_unsent(pair.fe, sock), -ERR_BADF);
        assert_int_equal(rogue_serve(&back, CALL_RELEASE, 0).sockid, sock);
        nothing_more_is_asked();
        assert_string_equal(pair_told(&pair), bind ? "BIND -98" : "CONNECT -111");
        pair_forget(&pair);
        assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    }
}

/* A thousand of them do not fill the table, and each has an id of its own. */
static void failures_leave_nothing(void **state)
{
    uint64_t before = UINT64_MAX;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t sock = connect_begin();
        assert_true(sock != before);
        before = sock;
        rogue_serve(&back, CALL_SOCKET, 0);
        rogue_serve(&back, CALL_CONNECT, -ERR_TIMEDOUT);
        rogue_serve(&back, CALL_RELEASE, 0);
        pair_forget(&pair);
    }
}

/* A RELEASE that is refused ends the socket all the same: there is nobody to tell. */
static void quiet_release_may_be_refused(void **state)
{
    (void)state;
    connect_begin();
    rogue_serve(&back, CALL_SOCKET, 0);
    rogue_serve(&back, CALL_CONNECT, -ERR_CONNREFUSED);
    rogue_serve(&back, CALL_RELEASE, -ERR_INVAL);
    assert_string_equal(pair_told(&pair), "CONNECT -111");
}

/* The device goes while a quiet RELEASE is on its way: nothing of it is told either. */
static void device_goes_under_a_quiet_release(void **state)
{
    (void)state;
    connect_begin();
    rogue_serve(&back, CALL_SOCKET, 0);
    rogue_serve(&back, CALL_CONNECT, -ERR_CONNREFUSED);
    pair_forget(&pair);
    exec_post(pair.front, 0, EV_STOP);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "GONE");
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    rogue_back_close(&back);
}

/* ---- releases at every moment ------------------------------------------------------------------
 */

/* Neither SOCKET nor CONNECT has been sent: pages and port were still under way. */
static void release_while_preparing(void **state)
{
    (void)state;
    uint64_t sock = connect_begin();
    assert_int_equal(pair_release(&pair, sock), 0);
    nothing_more_is_asked();
    assert_string_equal(pair_told(&pair), "CONNECT -103, RELEASE 0");
}

static void release_while_socket_is_in_the_ring(void **state)
{
    static const int32_t rets[] = {0, -ERR_NOTSUP};

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct call call;
        uint64_t sock = connect_begin();
        struct call_reply made = rogue_expect(&back, CALL_SOCKET, &call, rets[i]);
        assert_int_equal(pair_release(&pair, sock), 0);
        assert_int_equal(pair_release(&pair, sock), -ERR_BADF);
        struct call_reply released = rogue_expect(&back, CALL_RELEASE, &call, 0);
        rogue_answer(&back, &made);
        assert_string_equal(pair_told(&pair), i ? "CONNECT -524" : "CONNECT -103");
        rogue_answer(&back, &released);
        nothing_more_is_asked(); /* no CONNECT */
        assert_string_equal(pair_told(&pair),
                            i ? "CONNECT -524, RELEASE 0" : "CONNECT -103, RELEASE 0");
        pair_forget(&pair);
    }
}

/* The release is answered before the SOCKET is: the backend may, and nothing is freed too soon. */
static void release_overtakes_the_socket(void **state)
{
    struct call call;

    (void)state;
    uint64_t sock = connect_begin();
    struct call_reply made = rogue_expect(&back, CALL_SOCKET, &call, 0);
    assert_int_equal(pair_release(&pair, sock), 0);
    struct call_reply released = rogue_expect(&back, CALL_RELEASE, &call, 0);
    rogue_answer(&back, &released);
    assert_string_equal(pair_told(&pair), "");
    rogue_answer(&back, &made);
    nothing_more_is_asked();
    assert_string_equal(pair_told(&pair), "CONNECT -103, RELEASE 0");
}

/* As many SOCKETs as there are slots, then: one that waits for a slot is never sent. */
static void release_while_socket_is_queued(void **state)
{
    uint64_t socks[SLOTS + 1];
    struct call_reply made[SLOTS];
    struct call call;

    (void)state;
    for (uint32_t i = 0; i <= SLOTS; i++)
        socks[i] = bind_begin();
    for (uint32_t i = 0; i < SLOTS; i++)
        made[i] = rogue_expect(&back, CALL_SOCKET, &call, -ERR_NOTSUP);
    nothing_more_is_asked();
    assert_int_equal(pair_release(&pair, socks[SLOTS]), 0);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "BIND -103, RELEASE 0");
    for (uint32_t i = 0; i < SLOTS; i++)
        rogue_answer(&back, &made[i]);
    nothing_more_is_asked();
}

/* SOCKET is answered, the CONNECT waits for a slot: not sent, but the backend has the socket. */
static void release_while_connect_is_queued(void **state)
{
    uint64_t socks[SLOTS];
    struct call_reply connects[SLOTS];
    struct call call;

    (void)state;
    for (uint32_t i = 0; i < SLOTS; i++) {
        socks[i] = connect_begin();
        rogue_serve(&back, CALL_SOCKET, 0);
        if (i < SLOTS - 1) /* the last slot is for what cannot park (7, 25) */
            connects[i] = rogue_expect(&back, CALL_CONNECT, &call, -ERR_CONNREFUSED);
    }
    nothing_more_is_asked();
    assert_int_equal(pair_release(&pair, socks[SLOTS - 1]), 0);
    assert_int_equal(rogue_serve(&back, CALL_RELEASE, 0).sockid, socks[SLOTS - 1]);
    assert_string_equal(pair_told(&pair), "CONNECT -103, RELEASE 0");
    for (uint32_t i = 0; i < SLOTS - 1; i++) {
        rogue_answer(&back, &connects[i]);
        rogue_serve(&back, CALL_RELEASE, 0);
    }
    nothing_more_is_asked();
}

static void release_while_connect_is_in_the_ring(void **state)
{
    struct call call;

    (void)state;
    uint64_t sock = connect_begin();
    rogue_serve(&back, CALL_SOCKET, 0);
    struct call_reply connected = rogue_expect(&back, CALL_CONNECT, &call, -ERR_CONNABORTED);
    assert_int_equal(pair_release(&pair, sock), 0);
    struct call_reply released = rogue_expect(&back, CALL_RELEASE, &call, 0);
    rogue_answer(&back, &connected);
    rogue_answer(&back, &released);
    nothing_more_is_asked(); /* one release, not two */
    assert_string_equal(pair_told(&pair), "CONNECT -103, RELEASE 0");
}

/* The device goes at each moment of a connect: the call ends once, and nothing stays. */
static void device_goes_at_each_moment(void **state)
{
    (void)state;
    for (uint32_t moment = 0; moment < 5; moment++) {
        struct call call;

        rogue_back_open_in(&back, &pair, &dialect_pvcalls1, 1);
        uint64_t sock = connect_begin();
        if (moment > 0)
            pair_run(&pair);
        if (moment == 2)
            rogue_expect(&back, CALL_SOCKET, &call, 0);
        if (moment > 2)
            rogue_serve(&back, CALL_SOCKET, 0);
        if (moment > 3)
            rogue_serve(&back, CALL_CONNECT, 0);
        pair_write(&pair, PAIR_BACK, "state", "5");
        pair_run(&pair);
        assert_true(pair.gone);
        assert_string_equal(pair_told(&pair),
                            moment > 3 ? "CONNECT 0, READABLE, GONE" : "CONNECT -104, GONE");
        assert_int_equal(pair_release(&pair, sock), moment > 3 ? 0 : -ERR_BADF);
        pair_run(&pair);
        assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
        rogue_back_close(&back);
    }
}

/* ---- slots and ids ------------------------------------------------------------------------------
 */

/* protocol.md 5.2 a: with an ACCEPT outstanding, the ids of forty later commands are others. */
static void ids_are_unique_while_an_accept_waits(void **state)
{
    struct call accept, call;

    (void)state;
    uint64_t sock = listener();
    int64_t accepted = pair_accept_begin(&pair, sock);
    assert_true(accepted >= 0);
    struct call_reply late = rogue_expect(&back, CALL_ACCEPT, &accept, 0);
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t other = bind_begin();
        struct call_reply made = rogue_expect(&back, CALL_SOCKET, &call, 0);
        assert_int_not_equal(call.id, accept.id);
        rogue_answer(&back, &made);
        call = rogue_serve(&back, CALL_BIND, 0);
        assert_int_not_equal(call.id, accept.id);
        release(other);
        pair_forget(&pair);
    }
    rogue_answer(&back, &late);
    assert_string_equal(pair_told(&pair), "ACCEPT 0");
    release((uint64_t)accepted);
    release(sock);
}

/* 7 (25): at most 30 ACCEPTs and POLLs, 31 with CONNECTs; a RELEASE always finds a slot. */
static void parked_calls_leave_room(void **state)
{
    enum { ASKED = 40, PARKED = SLOTS - 2 };
    struct call_reply waiting[ASKED];
    int64_t accepted[ASKED];
    uint32_t count = 0;
    struct call call;
    bool used[SLOTS] = {false};

    (void)state;
    uint64_t sock = listener();
    for (uint32_t i = 0; i < ASKED; i++)
        accepted[i] = pair_accept_begin(&pair, sock);
    pair_run(&pair);
    while (rogue_request(&back, &call)) {
        assert_int_equal(call.kind, CALL_ACCEPT);
        assert_true(call.id < SLOTS && !used[call.id]);
        used[call.id] = true;
        waiting[count++] = (struct call_reply){call.id, call.code, call.sockid, 0};
    }
    assert_int_equal(count, PARKED);
    uint64_t other = connect_begin();
    rogue_serve(&back, CALL_SOCKET, 0);
    struct call_reply connected = rogue_expect(&back, CALL_CONNECT, &call, -ERR_CONNREFUSED);
    assert_int_equal(pair_release(&pair, other), 0);
    rogue_serve(&back, CALL_RELEASE, 0);
    rogue_answer(&back, &connected);
    for (uint32_t i = 0; i < ASKED; i++) {
        rogue_answer(&back, &waiting[i]);
        pair_run(&pair);
        while (rogue_request(&back, &call))
            waiting[count++] = (struct call_reply){call.id, call.code, call.sockid, 0};
    }
    assert_int_equal(count, ASKED);
    for (uint32_t i = 0; i < ASKED; i++)
        release((uint64_t)accepted[i]);
    release(sock);
}

/* ---- bytes
 * --------------------------------------------------------------------------------------- */

/* Whether an event of the data ring's port has come to the backend since it looked last. */
static bool was_notified(uint32_t port)
{
    bool notified = false;
    struct ev ev;

    while (hv_next(back.hv, &ev)) {
        notified |= ev.kind == EV_PORT && ev.port == port;
        if (ev.kind == EV_PORT)
            hv_unmask(back.hv, ev.port);
    }
    return notified;
}

static uint64_t open_data(struct rogue_data *data)
{
    struct call call;
    uint64_t sock = connect_begin();

    rogue_serve(&back, CALL_SOCKET, 0);
    struct call_reply reply = rogue_expect(&back, CALL_CONNECT, &call, 0);
    rogue_map(&back, &call, data);
    rogue_answer(&back, &reply);
    pair_run(&pair);
    was_notified(data->port);
    return sock;
}

static void close_data(uint64_t sock, struct rogue_data *data)
{
    if (pair_release(&pair, sock) == 0)
        rogue_serve(&back, CALL_RELEASE, 0);
    rogue_unmap(&back, data);
    pair_run(&pair);
}

/* 6.1's backend stalls without the one of the consumer, and every backend may sleep without the one
 * of the producer. */
static void notifies_of_what_it_sent_and_took(void **state)
{
    struct rogue_data data;
    char got[4];

    (void)state;
    uint64_t sock = open_data(&data);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(pair_send(&pair, sock, "x", 1), 1);
        assert_int_equal(shared_load(&data.area, 68), i); /* out_prod */
        assert_true(was_notified(data.port));
        shared_store(&data.area, 64, i); /* out_cons */
        shared_fill(&data.data, i - 1, "y", 1);
        shared_store(&data.area, 4, i); /* in_prod */
        assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), 1);
        assert_int_equal(got[0], 'y');
        assert_int_equal(shared_load(&data.area, 0), i); /* in_cons */
        assert_true(was_notified(data.port));
    }
    close_data(sock, &data);
}

/* protocol.md 3.4: what was received is read before an error is told; -107 is the end of the
 * stream, any other its own; the words are int32. */
static void bytes_before_the_error(void **state)
{
    static const int32_t errors[][2] = {{-107, 0},    {-104, -104},   {-5, -5},
                                        {-524, -524}, {107, -ERR_IO}, {-11, -ERR_IO}};
    char got[8];

    (void)state;
    for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct rogue_data data;
        uint64_t sock = open_data(&data);

        shared_fill(&data.data, 0, "bytes", 5);
        shared_store(&data.area, 4, 5);
        shared_store(&data.area, 8, (uint32_t)errors[i][0]);
        assert_int_equal(pair_recv(&pair, sock, got, 3), 3);
        assert_int_equal(pair_recv(&pair, sock, got + 3, 5), 2);
        assert_memory_equal(got, "bytes", 5);
        assert_int_equal(pair_recv(&pair, sock, got, 1), errors[i][1]);
        assert_int_equal(pair_send(&pair, sock, "x", 1), 1); /* the other direction goes on */
        shared_store(&data.area, 64, 1);
        close_data(sock, &data);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_back, close_back)
    const struct CMUnitTest tests[] = {
        TEST(connect_asks_for_a_socket_first),
        TEST(bind_asks_for_a_socket_first),
        TEST(socket_of_ipv6_says_so),
        TEST(accept_and_poll_ask_for_none),
        TEST(refused_socket_fails_the_call),
        TEST(failed_call_is_released_quietly),
        TEST(failures_leave_nothing),
        TEST(quiet_release_may_be_refused),
        cmocka_unit_test_setup(device_goes_under_a_quiet_release, open_back),
        TEST(release_while_preparing),
        TEST(release_while_socket_is_in_the_ring),
        TEST(release_overtakes_the_socket),
        TEST(release_while_socket_is_queued),
        TEST(release_while_connect_is_queued),
        TEST(release_while_connect_is_in_the_ring),
        cmocka_unit_test(device_goes_at_each_moment),
        TEST(ids_are_unique_while_an_accept_waits),
        TEST(parked_calls_leave_room),
        TEST(notifies_of_what_it_sent_and_took),
        TEST(bytes_before_the_error),
    };

    return !!cmocka_run_group_tests_name("pvcalls_front", tests, NULL, NULL);
}
