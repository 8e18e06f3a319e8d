/*
 * Each quirk of a backend, by its name: what a frontend sees of it, and that without the quirk it
 * is otherwise. Every test runs with its quirk and without, in every dialect; what a quirk cannot
 * change in one of them is expected to be as without.
 * That our frontend lives with each of them is seen in test_quirks_random; what it does where
 * answers never come, in test_unanswered. Source: ringlib/quirk.h.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue front;
static struct rogue_data rings[3];
static const struct dialect *spoken;
static bool has; /* the quirk that the test is about */
static uint32_t next_id;

#define NO_ANSWER 1 /* beside 0 and -ERR_* */
#define SOCKET_DGRAM 2
#define NONBLOCK 2048 /* Linux's O_NONBLOCK */

static uint32_t quirk(enum quirk which)
{
    return has ? quirk_bit(which) : 0;
}

static void open_back(enum quirk which)
{
    next_id = 0;
    rogue_front_open_with(
        &front, &pair,
        &(struct pair_config){.dialect = spoken, .order = 1, .back_quirks = quirk(which)});
    for (uint32_t i = 0; i < 3; i++)
        rogue_share(&front, &rings[i]);
}

static void close_back(void)
{
    assert_int_equal(pair.back_fault_count, 0);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    rogue_front_close(&front);
}

/* ---- requests ---------------------------------------------------------------------------------
 */

static struct call call_of(enum call_kind kind, uint64_t sockid)
{
    return (struct call){
        .id = next_id++, .kind = kind, .sockid = sockid, .addr = pair_addr(80), .backlog = 1};
}

static struct call connect_of(uint64_t sockid, uint32_t ring)
{
    return rogue_connect(next_id++, sockid, &rings[ring]);
}

static struct call accept_of(uint64_t listener, uint64_t sockid, uint32_t ring)
{
    struct call call = connect_of(listener, ring);

    call.kind = CALL_ACCEPT;
    call.new_sockid = sockid;
    return call;
}

/* What a request is answered before anything happens at the sockets. */
static int32_t ask(const struct call *call)
{
    return rogue_ask(&front, call);
}

static int32_t ask_kind(enum call_kind kind, uint64_t sockid)
{
    struct call call = call_of(kind, sockid);

    return ask(&call);
}

static int32_t ask_connect(uint64_t sockid, uint32_t ring)
{
    struct call call = connect_of(sockid, ring);

    return ask(&call);
}

static int32_t ask_accept(uint64_t listener, uint64_t sockid, uint32_t ring)
{
    struct call call = accept_of(listener, sockid, ring);

    return ask(&call);
}

/* It is answered after others. */
static void put_release(uint64_t sockid)
{
    struct call call = call_of(CALL_RELEASE, sockid);

    rogue_put(&front, &call);
    rogue_kick(&front);
}

static uint32_t answers(void)
{
    struct call_reply reply;
    uint32_t count = 0;

    while (rogue_reply(&front, &reply))
        count++;
    return count;
}

/* The next answer, which is `ret`. */
static void answered(int32_t ret)
{
    struct call_reply reply;

    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, ret);
}

static void finish(enum ev_kind kind, int32_t ret)
{
    assert_true(net_mem_complete(pair.net, kind, pair_pending(&pair, kind), ret, "abcde"));
    pair_run(&pair);
}

/* A connected socket over a ring. */
static void open_socket(uint64_t sockid, uint32_t ring)
{
    assert_int_equal(ask_connect(sockid, ring), NO_ANSWER);
    finish(EV_NET_CONNECT, 0);
    answered(0);
}

static void listen_on(uint64_t sockid)
{
    assert_int_equal(ask_kind(CALL_BIND, sockid), NO_ANSWER);
    finish(EV_NET_BIND, 0);
    answered(0);
    assert_int_equal(ask_kind(CALL_LISTEN, sockid), NO_ANSWER);
    finish(EV_NET_LISTEN, 0);
    answered(0);
}

/* ---- what is answered -------------------------------------------------------------------------
 */

/* What it made of a SOCKET shows when the same is made again. */
static void unmade(void **state)
{
    struct call call = call_of(CALL_SOCKET, 7);

    (void)state;
    open_back(QUIRK_UNMADE);
    call.family = CALL_AF_INET;
    call.type = CALL_SOCK_STREAM;
    if (dialect_has(spoken, CALL_SOCKET)) {
        assert_int_equal(ask(&call), 0);
        assert_int_equal(be_counters(pair.be)->sockets_now, has ? 0 : 1);
        assert_int_equal(ask(&call), has ? 0 : -ERR_EXIST);
    }
    open_socket(7, 0);
    assert_int_equal(ask_kind(CALL_RELEASE, 7), 0);
    close_back();
}

static void inet_only(void **state)
{
    static const uint8_t loopback[16] = {[15] = 1};
    struct call call;

    (void)state;
    open_back(QUIRK_INET_ONLY);
    if (dialect_has(spoken, CALL_SOCKET)) {
        call = call_of(CALL_SOCKET, 1);
        call.family = CALL_AF_INET6;
        call.type = CALL_SOCK_STREAM;
        assert_int_equal(ask(&call), has ? -ERR_AFNOSUPPORT : 0);
        call = call_of(CALL_SOCKET, 2);
        call.family = CALL_AF_INET;
        call.type = SOCKET_DGRAM;
        assert_int_equal(ask(&call), has ? -ERR_AFNOSUPPORT : -ERR_NOTSUP);
    }
    call = connect_of(3, 0);
    call_addr6(&call.addr, loopback, 80);
    assert_int_equal(ask(&call), has ? -ERR_INVAL : NO_ANSWER);
    call = call_of(CALL_BIND, 4);
    call_addr6(&call.addr, loopback, 80);
    assert_int_equal(ask(&call), has ? -ERR_INVAL : NO_ANSWER);
    open_socket(5, 1);
    close_back();
}

/* A ref of nobody's, a port of nobody's; where the index page says it, an order of nobody's. */
static void fault_on_map(void **state)
{
    int32_t expected = has ? -ERR_FAULT : -ERR_INVAL;
    struct call call;

    (void)state;
    open_back(QUIRK_FAULT_ON_MAP);
    call = connect_of(1, 0);
    call.refs[0] = 4000;
    assert_int_equal(ask(&call), expected);
    call = connect_of(1, 0);
    call.evtchn = 4000;
    assert_int_equal(ask(&call), expected);
    if (spoken->index.pages > 0) {
        rogue_name_pages(&front, &rings[0], 31);
        assert_int_equal(ask_connect(1, 0), expected);
        rogue_name_pages(&front, &rings[0], 1);
    }
    assert_int_equal(ask_kind(CALL_CONNECT, 2), expected); /* no ring at all */
    open_socket(1, 0);
    close_back();
}

/* What the index page says; half of its one page is for each direction. */
static void order_zero(void **state)
{
    bool takes = has && spoken->index.pages > 0;

    (void)state;
    open_back(QUIRK_ORDER_ZERO);
    if (spoken->index.pages > 0) {
        rogue_name_pages(&front, &rings[0], 0);
        assert_int_equal(ask_connect(1, 0), takes ? NO_ANSWER : -ERR_INVAL);
    }
    if (takes) {
        struct net_mem_op op;
        finish(EV_NET_CONNECT, 0);
        answered(0);
        shared_store(&rings[0].area, rings[0].at.out.prod, 2048);
        hv_notify(front.hv, rings[0].port);
        pair_run(&pair);
        assert_int_equal(pair_pending_count(&pair, EV_NET_WRITE), 1);
        for (uint32_t i = 0; net_mem_pending(pair.net, i, &op); i++)
            assert_int_equal(op.bytes, 2048); /* to be written, and room to read into */
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 2);
    }
    close_back();
}

/* Where the flags are on the wire; each is another file flag. */
static void nonblock_fails(void **state)
{
    bool wired = spoken != &dialect_xensock1_compact;
    struct call call;

    (void)state;
    open_back(QUIRK_NONBLOCK_FAILS);
    call = connect_of(1, 0);
    call.flags = NONBLOCK | 2;
    assert_int_equal(ask(&call), has && wired ? -ERR_INPROGRESS : NO_ANSWER);
    call = connect_of(2, 1);
    call.flags = ~(uint32_t)NONBLOCK;
    assert_int_equal(ask(&call), NO_ANSWER);
    close_back();
}

/* Everything behind a CONNECT waits for it, another one for the first. */
static void serial_connect(void **state)
{
    (void)state;
    open_back(QUIRK_SERIAL_CONNECT);
    assert_int_equal(ask_connect(1, 0), NO_ANSWER);
    assert_int_equal(ask_kind(CALL_RELEASE, 9), has ? NO_ANSWER : spoken->stranger);
    assert_int_equal(ask_connect(2, 1), NO_ANSWER);
    assert_int_equal(ask_kind(CALL_RELEASE, 9), has ? NO_ANSWER : spoken->stranger);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), has ? 1 : 2);
    finish(EV_NET_CONNECT, -ERR_CONNREFUSED);
    answered(-ERR_CONNREFUSED);
    if (has)
        answered(spoken->stranger);
    assert_int_equal(answers(), 0);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 1);
    finish(EV_NET_CONNECT, 0);
    answered(0);
    if (has)
        answered(spoken->stranger);
    close_back();
}

/* ---- what waits -------------------------------------------------------------------------------
 */

/* In the whole backend; a POLL does not count. */
static void one_accept(void **state)
{
    (void)state;
    open_back(QUIRK_ONE_ACCEPT);
    listen_on(1);
    listen_on(2);
    assert_int_equal(ask_kind(CALL_POLL, 1), NO_ANSWER);
    assert_int_equal(ask_accept(1, 3, 0), NO_ANSWER);
    assert_int_equal(ask_accept(2, 4, 1), has ? -ERR_INTR : NO_ANSWER);
    assert_int_equal(pair_pending_count(&pair, EV_NET_ACCEPT), has ? 1 : 2);
    finish(EV_NET_ACCEPT, 0);
    answered(0);
    assert_int_equal(ask_accept(2, 5, 2), NO_ANSWER); /* there is room again */
    assert_int_equal(ask_kind(CALL_POLL, 1), NO_ANSWER);
    close_back();
}

/* Of each listener, whichever it is. */
static void one_waiter(void **state)
{
    int32_t refused = has ? -ERR_INTR : NO_ANSWER;

    (void)state;
    open_back(QUIRK_ONE_WAITER);
    listen_on(1);
    listen_on(2);
    assert_int_equal(ask_accept(1, 3, 0), NO_ANSWER);
    assert_int_equal(ask_kind(CALL_POLL, 1), refused);
    assert_int_equal(ask_kind(CALL_POLL, 2), NO_ANSWER);
    assert_int_equal(ask_kind(CALL_POLL, 2), refused);
    assert_int_equal(ask_accept(2, 4, 1), refused);
    finish(EV_NET_ACCEPT, 0);
    answered(0);
    finish(EV_NET_POLL, 0);
    answered(0);
    assert_int_equal(ask_accept(2, 5, 2), NO_ANSWER);
    close_back();
}

static void silent_poll(void **state)
{
    (void)state;
    open_back(QUIRK_SILENT_POLL);
    assert_int_equal(ask_kind(CALL_POLL, 9), has ? NO_ANSWER : -ERR_INVAL);
    assert_int_equal(be_counters(pair.be)->forgotten, has ? 1 : 0);
    listen_on(1);
    assert_int_equal(ask_kind(CALL_POLL, 1), NO_ANSWER);
    finish(EV_NET_POLL, 0);
    answered(0);
    close_back();
}

/* The first is overtaken by the second, the third stands beside an ACCEPT. */
static void lost_poll(void **state)
{
    (void)state;
    open_back(QUIRK_LOST_POLL);
    listen_on(1);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(ask_kind(CALL_POLL, 1), NO_ANSWER);
    assert_int_equal(pair_pending_count(&pair, EV_NET_POLL), has ? 1 : 2);
    for (uint32_t i = 0; i < (has ? 1 : 2); i++) {
        finish(EV_NET_POLL, 0);
        answered(0);
    }
    assert_int_equal(be_counters(pair.be)->forgotten, has ? 1 : 0);
    assert_int_equal(ask_accept(1, 2, 0), NO_ANSWER);
    assert_int_equal(ask_kind(CALL_POLL, 1), NO_ANSWER);
    assert_int_equal(pair_pending_count(&pair, EV_NET_POLL), has ? 0 : 1);
    put_release(1);
    assert_int_equal(answers(), has ? 2 : 3); /* the accept's, and the release's */
    close_back();
}

/* A command that no dialect has. */
static int32_t ask_unknown(uint64_t sockid, struct call_reply *reply)
{
    const struct dialect_row *cmd = &spoken->request[1];
    struct call call = call_of(CALL_RELEASE, sockid);
    unsigned char slot[DIALECT_SLOT_MAX];

    dialect_pack_call(spoken, &call, slot);
    slot[cmd->wire_at] = 99;
    rogue_put_raw(&front, slot);
    rogue_kick(&front);
    return rogue_reply(&front, reply) ? reply->ret : NO_ANSWER;
}

static void silent_unknown(void **state)
{
    struct call_reply reply;

    (void)state;
    open_back(QUIRK_SILENT_UNKNOWN);
    assert_int_equal(ask_unknown(9, &reply), has ? NO_ANSWER : -ERR_NOTSUP);
    assert_int_equal(be_counters(pair.be)->forgotten, has ? 1 : 0);
    assert_int_equal(ask_kind(CALL_RELEASE, 9), spoken->stranger);
    close_back();
}

static void nameless_unknown(void **state)
{
    struct call_reply reply;

    (void)state;
    open_back(QUIRK_NAMELESS_UNKNOWN);
    assert_int_equal(ask_unknown(9, &reply), -ERR_NOTSUP);
    assert_int_equal(reply.code, 99);
    assert_int_equal(reply.sockid, has ? 0 : 9);
    assert_int_equal(ask_kind(CALL_RELEASE, 9), spoken->stranger); /* names it: rogue_ask asserts */
    close_back();
}

/* They end all the same: nothing of them stays mapped. */
static void forgets_waiters(void **state)
{
    (void)state;
    open_back(QUIRK_FORGETS_WAITERS);
    listen_on(1);
    assert_int_equal(ask_accept(1, 2, 0), NO_ANSWER);
    assert_int_equal(ask_kind(CALL_POLL, 1), NO_ANSWER);
    put_release(1);
    if (!has)
        for (uint32_t i = 0; i < 2; i++)
            answered(-ERR_BADF);
    answered(0);
    assert_int_equal(answers(), 0);
    assert_int_equal(be_counters(pair.be)->forgotten, has ? 2 : 0);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    close_back();
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

static void push(uint32_t prod)
{
    shared_store(&rings[0].area, rings[0].at.out.prod, prod);
    hv_notify(front.hv, rings[0].port);
    pair_run(&pair);
}

/* What has bytes does not deafen it, nor does what comes while it connects. */
static void deaf(void **state)
{
    (void)state;
    open_back(QUIRK_DEAF);
    assert_int_equal(ask_connect(1, 0), NO_ANSWER);
    hv_notify(front.hv, rings[0].port);
    pair_run(&pair);
    finish(EV_NET_CONNECT, 0);
    answered(0);
    for (uint32_t prod = 5; prod < 20; prod += 5) {
        push(prod);
        finish(EV_NET_WRITE, 5);
    }
    push(15); /* nothing to send */
    push(20);
    assert_int_equal(pair_pending_count(&pair, EV_NET_WRITE), has ? 0 : 1);
    assert_int_equal(shared_load(&rings[0].area, rings[0].at.out.cons), 15);
    close_back();
}

/* Of a reset; the end of a stream it does tell. */
static void silent_reset(void **state)
{
    (void)state;
    open_back(QUIRK_SILENT_RESET);
    open_socket(1, 0);
    finish(EV_NET_READ, 5);
    finish(EV_NET_READ, -ERR_CONNRESET);
    assert_int_equal(shared_load(&rings[0].area, rings[0].at.in.prod), 5);
    assert_int_equal((int32_t)shared_load(&rings[0].area, rings[0].at.in.error),
                     has ? 0 : -ERR_CONNRESET);
    assert_int_equal(pair_pending_count(&pair, EV_NET_READ), 0);
    open_socket(2, 1);
    finish(EV_NET_READ, 0);
    assert_int_equal((int32_t)shared_load(&rings[1].area, rings[1].at.in.error), -ERR_NOTCONN);
    close_back();
}

/* ---- the device -------------------------------------------------------------------------------
 */

/* Where a dialect says what silence means, a front of that order does without. */
static void offers_nothing(void **state)
{
    (void)state;
    for (uint32_t order = 1; order <= spoken->order_max; order++) {
        bool refused = has && order != spoken->order_silent;
        pair_open(&pair, &(struct pair_config){.dialect = spoken,
                                               .order = order,
                                               .back_quirks = quirk(QUIRK_OFFERS_NOTHING)});
        for (uint32_t key = DIALECT_KEY_MAX_ORDER; key <= DIALECT_KEY_FUNCTIONS; key++)
            if (spoken->keys[key])
                assert_true(has == !pair_node(&pair, PAIR_BACK, spoken->keys[key]));
        assert_int_equal(pair.up, !refused);
        assert_int_equal(pair.front_fault_count, refused ? 1 : 0);
        pair_close(&pair);
    }
}

/* A front played by hand as far as its nodes. */
static void offer(enum quirk which, const char *ref, const char *version)
{
    struct ev ev;
    char text[16];
    struct pair_config config = {.dialect = spoken, .no_front = true, .back_quirks = quirk(which)};

    pair_open(&pair, &config);
    front = (struct rogue){.pair = &pair, .hv = pair.front_hv, .dialect = spoken};
    hv_share(front.hv, 1, PAIR_BACK, 1);
    rogue_take(&front, EV_SHARE, &ev);
    xenbus_print(text, ev.share.refs[0]);
    pair_write(&pair, PAIR_FRONT, "ring-ref", ref ? ref : text);
    hv_port_alloc(front.hv, 2, PAIR_BACK);
    rogue_take(&front, EV_PORT_ALLOC, &ev);
    xenbus_print(text, ev.port);
    pair_write(&pair, PAIR_FRONT, "port", text);
    rogue_write_constants(&pair, PAIR_FRONT);
    if (version && spoken->keys[DIALECT_KEY_VERSION])
        pair_write(&pair, PAIR_FRONT, spoken->keys[DIALECT_KEY_VERSION], version);
    pair_write(&pair, PAIR_FRONT, "state", "3");
    pair_run(&pair);
}

static void connects_anyway(void **state)
{
    (void)state;
    offer(QUIRK_CONNECTS_ANYWAY, "4000", NULL);
    assert_string_equal(pair.back_states, has ? "24" : "25");
    assert_int_equal(pair.back_fault_count, has ? 0 : 1);
    pair_write(&pair, PAIR_FRONT, "state", "4");
    pair_run(&pair);
    assert_string_equal(pair.back_states, has ? "24" : "25");
    pair_write(&pair, PAIR_FRONT, "state", "6");
    pair_settle(&pair);
    assert_string_equal(pair.back_states, has ? "246" : "256");
    pair_close(&pair);
}

static void ignores_version(void **state)
{
    bool told = spoken->keys[DIALECT_KEY_VERSION];

    (void)state;
    offer(QUIRK_IGNORES_VERSION, NULL, "2");
    assert_string_equal(pair.back_states, has || !told ? "24" : "25");
    assert_int_equal(pair.back_fault_count, has || !told ? 0 : 1);
    pair_write(&pair, PAIR_FRONT, "state", "6");
    pair_settle(&pair);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_nothing),
        cmocka_unit_test(connects_anyway),
        cmocka_unit_test(ignores_version),
        cmocka_unit_test(order_zero),
        cmocka_unit_test(unmade),
        cmocka_unit_test(inet_only),
        cmocka_unit_test(fault_on_map),
        cmocka_unit_test(serial_connect),
        cmocka_unit_test(nonblock_fails),
        cmocka_unit_test(one_accept),
        cmocka_unit_test(one_waiter),
        cmocka_unit_test(silent_poll),
        cmocka_unit_test(lost_poll),
        cmocka_unit_test(silent_unknown),
        cmocka_unit_test(nameless_unknown),
        cmocka_unit_test(forgets_waiters),
        cmocka_unit_test(deaf),
        cmocka_unit_test(silent_reset),
    };
    char name[64];
    int failed = 0;

    _Static_assert(sizeof(tests) / sizeof(tests[0]) == QUIRK_COUNT - QUIRK_OFFERS_NOTHING,
                   "one a quirk");
    for (uint32_t i = 0; (spoken = dialect_at(i)); i++) {
        for (uint32_t with = 0; with < 2; with++) {
            has = with == 1;
            snprintf(name, sizeof(name), "%s%s", spoken->name, has ? " with" : " without");
            failed += cmocka_run_group_tests_name(name, tests, NULL, NULL);
        }
    }
    return !!failed;
}
