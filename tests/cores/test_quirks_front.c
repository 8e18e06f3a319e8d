/*
 * Each quirk of a frontend, by its name: what a backend sees of it, and what the application; and
 * that without the quirk it is otherwise. Every test runs with its quirk and without, in every
 * dialect; what a quirk cannot change in one of them is expected to be as without.
 * That our backend lives with each of them is seen in test_quirks_random. Source: ringlib/quirk.h.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue back;
static const struct dialect *spoken;
static bool has; /* the quirk that the test is about */

static uint32_t slots(void)
{
    return cmdring_size(spoken->request_bytes);
}

static uint32_t quirk(enum quirk which)
{
    return has ? quirk_bit(which) : 0;
}

static void open_front(enum quirk which)
{
    rogue_back_open_with(&back, &pair,
                         &(struct pair_config){.dialect = spoken,
                                               .order = 1,
                                               .max_sockets = 2 * slots(),
                                               .front_quirks = quirk(which)});
}

/* Nothing of any socket is left. */
static void close_front(void)
{
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_int_equal(pair.front_fault_count, 0);
    rogue_back_close(&back);
}

static void nothing_is_asked(void)
{
    struct call call;

    pair_run(&pair);
    assert_false(rogue_request(&back, &call));
}

static void answer_socket(void)
{
    if (dialect_has(spoken, CALL_SOCKET))
        rogue_serve(&back, CALL_SOCKET, 0);
}

/* A connected socket, and its CONNECT. */
static uint64_t connected(struct rogue_data *data, struct call *call)
{
    int64_t sock = pair_connect_begin(&pair, 80);

    assert_true(sock >= 0);
    answer_socket();
    struct call_reply reply = rogue_expect(&back, CALL_CONNECT, call, 0);
    rogue_map(&back, call, data);
    rogue_answer(&back, &reply);
    assert_int_equal(pair_done(&pair, CALL_CONNECT, (uint64_t)sock), 0);
    return (uint64_t)sock;
}

static uint64_t bind_begin(void)
{
    int64_t sock = pair_bind_begin(&pair, 7000);

    assert_true(sock >= 0);
    answer_socket();
    return (uint64_t)sock;
}

static uint64_t listener(void)
{
    uint64_t sock = bind_begin();

    rogue_serve(&back, CALL_BIND, 0);
    assert_int_equal(pair_listen_begin(&pair, sock), 0);
    rogue_serve(&back, CALL_LISTEN, 0);
    pair_forget(&pair);
    return sock;
}

/* Release what has no data ring. */
static void release(uint64_t sock)
{
    assert_int_equal(pair_release(&pair, sock), 0);
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, sock), 0);
}

/* The same of an open socket, whose RELEASE is the next request. */
static struct call let_go(uint64_t sock, struct rogue_data *data)
{
    rogue_unmap(&back, data);
    struct call call = rogue_serve(&back, CALL_RELEASE, 0);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, sock), 0);
    return call;
}

/* ---- bytes -------------------------------------------------------------------------------------
 */

static void error_first(void **state)
{
    struct rogue_data data;
    struct call call;
    char bytes[8];

    (void)state;
    open_front(QUIRK_ERROR_FIRST);
    uint64_t sock = connected(&data, &call);
    shared_store(&data.area, data.at.in.prod, 5);
    shared_store(&data.area, data.at.in.error, (uint32_t)-ERR_NOTCONN);
    hv_notify(back.hv, data.port);
    pair_run(&pair);
    assert_int_equal(pair_upcalls(&pair, ACT_READABLE, NULL), 1);
    assert_int_equal(pair_recv(&pair, sock, bytes, sizeof(bytes)), has ? 0 : 5);
    assert_int_equal(pair_recv(&pair, sock, bytes, sizeof(bytes)), 0);
    assert_int_equal(shared_load(&data.area, data.at.in.cons), has ? 0 : 5);
    assert_int_equal(pair_release(&pair, sock), 0);
    let_go(sock, &data);
    close_front();
}

/* Ten bytes that the backend does not take, and a release. */
static uint64_t released_unsent(struct rogue_data *data)
{
    struct call call;
    uint64_t sock = connected(data, &call);

    assert_int_equal(pair_send(&pair, sock, "0123456789", 10), 10);
    assert_int_equal(pair_release(&pair, sock), 0);
    pair_run(&pair);
    return sock;
}

static void no_linger(void **state)
{
    struct rogue_data data;

    (void)state;
    open_front(QUIRK_NO_LINGER);
    uint64_t sock = released_unsent(&data);
    if (!has) {
        nothing_is_asked();
        shared_store(&data.area, data.at.out.cons, 10);
        hv_notify(back.hv, data.port);
    }
    let_go(sock, &data);
    close_front();
}

/* An hour is more than any linger_ns. */
static void endless_linger(void **state)
{
    struct rogue_data data;

    (void)state;
    open_front(QUIRK_ENDLESS_LINGER);
    uint64_t sock = released_unsent(&data);
    nothing_is_asked();
    assert_true((fe_deadline_ns(pair.fe) == STEP_NEVER) == has);
    pair.now_ns += UINT64_C(3600000000000);
    if (has) {
        nothing_is_asked();
        shared_store(&data.area, data.at.out.cons, 10);
        hv_notify(back.hv, data.port);
    }
    let_go(sock, &data);
    close_front();
}

/* In the page that the backend still maps; what it wrote there before is gone. */
static void own_error(void **state)
{
    struct rogue_data data;
    struct call call;

    (void)state;
    open_front(QUIRK_OWN_ERROR);
    uint64_t sock = connected(&data, &call);
    shared_store(&data.area, data.at.in.error, (uint32_t)-ERR_NOTCONN);
    assert_int_equal(pair_release(&pair, sock), 0);
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_int_equal((int32_t)shared_load(&data.area, data.at.in.error),
                     has ? -ERR_BADF : -ERR_NOTCONN);
    rogue_unmap(&back, &data);
    close_front();
}

/* ---- what is asked -----------------------------------------------------------------------------
 */

static void raw_flags(void **state)
{
    bool wired = spoken != &dialect_xensock1_compact; /* which has no field for them */
    struct rogue_data data;
    struct call call;

    (void)state;
    open_front(QUIRK_RAW_FLAGS);
    uint64_t sock = connected(&data, &call);
    assert_int_equal(call.flags, has && wired ? 2 : 0);
    assert_int_equal(pair_release(&pair, sock), 0);
    let_go(sock, &data);
    close_front();
}

static void stale_reuse(void **state)
{
    struct rogue_data data;
    struct call call;

    (void)state;
    open_front(QUIRK_STALE_REUSE);
    uint64_t sock = connected(&data, &call);
    assert_int_equal(pair_release(&pair, sock), 0);
    assert_int_equal(let_go(sock, &data).reuse, has && spoken == &dialect_pvcalls1 ? 1 : 0);
    close_front();
}

/* Canonical addresses of the upper half; two sockets have two. Where an id has no 64 bits there is
 * no room for one. */
static void pointer_ids(void **state)
{
    struct rogue_data data[2];
    struct call call[2];
    uint64_t sock[2];

    (void)state;
    open_front(QUIRK_POINTER_IDS);
    for (uint32_t i = 0; i < 2; i++) {
        sock[i] = connected(&data[i], &call[i]);
        assert_true(call[i].sockid == fe_wire_id(pair.fe, sock[i]));
        assert_true((call[i].sockid >> 47 == 0x1ffff) == (has && spoken->sockid_bytes == 8));
    }
    assert_true(call[0].sockid != call[1].sockid);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(pair_release(&pair, sock[i]), 0);
        assert_true(let_go(sock[i], &data[i]).sockid == call[i].sockid);
    }
    close_front();
}

/* The bind: the application is told of success, and its socket stays. */
static void blind_bind_bind(void)
{
    uint64_t sock = bind_begin();

    rogue_serve(&back, CALL_BIND, -ERR_ADDRINUSE);
    assert_int_equal(pair_done(&pair, CALL_BIND, sock), has ? 0 : -ERR_ADDRINUSE);
    if (!has && dialect_has(spoken, CALL_SOCKET))
        rogue_serve(&back, CALL_RELEASE, 0); /* of what the SOCKET made */
    nothing_is_asked();
    assert_int_equal(pair_listen_begin(&pair, sock), has ? 0 : -ERR_BADF);
    if (!has)
        return;
    rogue_serve(&back, CALL_LISTEN, -ERR_INVAL);
    assert_int_equal(pair_done(&pair, CALL_LISTEN, sock), -ERR_INVAL);
    release(sock);
}

/* The listen: it is told, and yet the socket listens. */
static void blind_bind(void **state)
{
    (void)state;
    open_front(QUIRK_BLIND_BIND);
    blind_bind_bind();
    uint64_t sock = bind_begin();
    rogue_serve(&back, CALL_BIND, 0);
    assert_int_equal(pair_listen_begin(&pair, sock), 0);
    rogue_serve(&back, CALL_LISTEN, -ERR_INVAL);
    assert_int_equal(pair_done(&pair, CALL_LISTEN, sock), -ERR_INVAL);
    nothing_is_asked();
    int64_t accepted = pair_accept_begin(&pair, sock);
    assert_true(has ? accepted >= 0 : accepted == -ERR_INVAL);
    if (has) {
        rogue_serve(&back, CALL_ACCEPT, -ERR_INVAL);
        assert_int_equal(pair_done(&pair, CALL_ACCEPT, (uint64_t)accepted), -ERR_INVAL);
    } else { /* it may be tried again */
        assert_int_equal(pair_listen_begin(&pair, sock), 0);
        rogue_serve(&back, CALL_LISTEN, 0);
    }
    release(sock);
    close_front();
}

/* ---- the ring ----------------------------------------------------------------------------------
 */

/* One round of the ring behind an ACCEPT that waits, a POLL has its id, and its answer. */
static void id_of_slot(void **state)
{
    struct call accept, poll;
    struct call_reply waiting, reply;

    (void)state;
    open_front(QUIRK_ID_OF_SLOT);
    uint64_t one = listener(), other = listener();
    uint32_t before = back.cons;
    int64_t accepted = pair_accept_begin(&pair, one);
    waiting = rogue_expect(&back, CALL_ACCEPT, &accept, 0);
    assert_int_equal(accept.id, has ? before % slots() : 0);
    for (uint32_t i = 1; i <= slots(); i++) {
        assert_int_equal(pair_poll_begin(&pair, other), 0);
        reply = rogue_expect(&back, CALL_POLL, &poll, i < slots() ? 0 : -ERR_INVAL);
        assert_int_equal(poll.id, has ? (before + i) % slots() : 1);
        assert_int_equal(poll.id == accept.id, has && i == slots());
        pair_forget(&pair);
        rogue_answer(&back, &reply);
    }
    assert_string_equal(pair_told(&pair), has ? "ACCEPT -22" : "POLL -22");
    rogue_answer(&back, &waiting);
    assert_string_equal(pair_told(&pair), has ? "ACCEPT -22, POLL 0" : "POLL -22, ACCEPT 0");
    if (!has)
        release((uint64_t)accepted);
    release(one);
    release(other);
    close_front();
}

/* Everything else waits, a release too, until somebody connects. */
static void unreserved(void **state)
{
    struct call calls[64], call;
    struct call_reply replies[64];
    uint32_t taken = 0, most = has ? slots() : slots() - 2;

    (void)state;
    open_front(QUIRK_UNRESERVED);
    uint64_t sock = listener();
    for (uint32_t i = 0; i < slots() + 3; i++)
        assert_true(pair_accept_begin(&pair, sock) >= 0);
    for (pair_run(&pair); rogue_request(&back, &calls[taken]); taken++) {
        assert_int_equal(calls[taken].kind, CALL_ACCEPT);
        replies[taken] =
            (struct call_reply){calls[taken].id, calls[taken].code, calls[taken].sockid, -ERR_BADF};
    }
    assert_int_equal(taken, most);
    assert_int_equal(pair_release(&pair, sock), 0);
    if (has) {
        nothing_is_asked();
        rogue_answer(&back, &replies[--taken]);
    }
    replies[taken] = rogue_expect(&back, CALL_RELEASE, &call, 0);
    for (uint32_t i = 0; i <= taken; i++)
        rogue_answer(&back, &replies[i]);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), slots() + 3 + 1);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, sock), 0);
    close_front();
}

/* ---- the device --------------------------------------------------------------------------------
 */

/* What a backend does not say before InitWait the front cannot wait for: then it refuses. */
static void unwaited(void **state)
{
    uint32_t silent = spoken->order_silent;

    (void)state;
    pair_open(&pair, &(struct pair_config){.dialect = spoken,
                                           .order = silent,
                                           .not_started = true,
                                           .front_quirks = quirk(QUIRK_UNWAITED)});
    pair_start_front(&pair);
    pair_run(&pair);
    assert_string_equal(pair.front_states, !has ? "" : silent > 0 ? "3" : "6");
    assert_int_equal(pair.front_fault_count, has && silent == 0 ? 1 : 0);
    pair_start_back(&pair);
    pair_run(&pair);
    assert_int_equal(pair.up, !has || silent > 0);
    assert_int_equal(pair.back_fault_count, 0);
    pair_close(&pair);
}

static void exact_versions(void **state)
{
    const char *versions = spoken->keys[DIALECT_KEY_VERSIONS];
    bool refuses = has && versions;
    char text[16];

    (void)state;
    pair_open(&pair, &(struct pair_config){.dialect = spoken,
                                           .no_back = true,
                                           .front_quirks = quirk(QUIRK_EXACT_VERSIONS)});
    xenbus_print(text, spoken->order_max);
    pair_write(&pair, PAIR_BACK, spoken->keys[DIALECT_KEY_MAX_ORDER], text);
    rogue_write_constants(&pair, PAIR_BACK);
    if (versions)
        pair_write(&pair, PAIR_BACK, versions, "1,2");
    pair_write(&pair, PAIR_BACK, "state", "2");
    pair_run(&pair);
    assert_string_equal(pair.front_states, refuses ? "6" : "3");
    assert_int_equal(pair.front_fault_count, refuses ? 1 : 0);
    if (refuses) {
        assert_int_equal(pair.front_faults[0].reason, FAULT_VERSION);
        assert_int_equal(pair.front_faults[0].index, DIALECT_KEY_VERSIONS);
    }
    pair_write(&pair, PAIR_BACK, "state", "6");
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_first),    cmocka_unit_test(id_of_slot),
        cmocka_unit_test(unwaited),       cmocka_unit_test(no_linger),
        cmocka_unit_test(endless_linger), cmocka_unit_test(exact_versions),
        cmocka_unit_test(blind_bind),     cmocka_unit_test(raw_flags),
        cmocka_unit_test(stale_reuse),    cmocka_unit_test(own_error),
        cmocka_unit_test(pointer_ids),    cmocka_unit_test(unreserved),
    };
    char name[64];
    int failed = 0;

    _Static_assert(sizeof(tests) / sizeof(tests[0]) == QUIRK_UNRESERVED + 1, "one a quirk");
    for (uint32_t i = 0; (spoken = dialect_at(i)); i++) {
        for (uint32_t with = 0; with < 2; with++) {
            has = with == 1;
            snprintf(name, sizeof(name), "%s%s", spoken->name, has ? " with" : " without");
            failed += cmocka_run_group_tests_name(name, tests, NULL, NULL);
        }
    }
    return !!failed;
}
