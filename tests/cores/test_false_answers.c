/*
 * The frontend against a backend that answers falsely: each of the six calls, each part of the
 * answer; and what the backend finds in the slots it is given. Each test plays the backend by hand.
 * Which attack each test is: attacks.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SLOT_BYTES = 312, SLOTS = 8 };

static struct pair pair;
static struct rogue back;

static int open_back(void **state)
{
    (void)state;
    rogue_back_open(&back, &pair, 1);
    return 0;
}

static int close_clean(void **state)
{
    (void)state;
    rogue_back_close(&back);
    return 0;
}

static void answer_next(enum call_kind kind, int32_t ret)
{
    struct call call;
    struct call_reply reply = rogue_answer_to(&back, &call, ret);

    assert_int_equal(call.kind, kind);
    rogue_answer(&back, &reply);
}

/* A bound socket, and listening if asked. */
static uint64_t passive(bool listening)
{
    int64_t sock = pair_bind_begin(&pair, 7000);

    assert_true(sock >= 0);
    pair_run(&pair);
    answer_next(CALL_BIND, 0);
    if (!listening)
        return (uint64_t)sock;
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)sock), 0);
    pair_run(&pair);
    answer_next(CALL_LISTEN, 0);
    return (uint64_t)sock;
}

/* Has the front ask `kind`; the socket to release at the end, or UINT64_MAX. */
static uint64_t provoke(enum call_kind kind, struct call *call)
{
    uint64_t kept = UINT64_MAX;

    if (kind == CALL_LISTEN || kind == CALL_RELEASE)
        kept = passive(false);
    else if (kind == CALL_ACCEPT || kind == CALL_POLL)
        kept = passive(true);
    if (kind == CALL_CONNECT)
        assert_true(pair_connect_begin(&pair, 80) >= 0);
    else if (kind == CALL_BIND)
        assert_true(pair_bind_begin(&pair, 80) >= 0);
    else if (kind == CALL_LISTEN)
        assert_int_equal(pair_listen_begin(&pair, kept), 0);
    else if (kind == CALL_ACCEPT)
        assert_true(pair_accept_begin(&pair, kept) >= 0);
    else if (kind == CALL_POLL)
        assert_int_equal(pair_poll_begin(&pair, kept), 0);
    else
        assert_int_equal(pair_release(&pair, kept), 0);
    pair_run(&pair);
    assert_true(rogue_request(&back, call));
    assert_int_equal(call->kind, kind);
    return kind == CALL_LISTEN || kind == CALL_RELEASE ? UINT64_MAX : kept;
}

/* What is false, and the fault it is reported as. */
struct lie {
    void (*tell)(struct call_reply *reply);
    enum fault_reason reason;
};

static void another_id(struct call_reply *reply)
{
    reply->id ^= 1;
}

static void id_beyond_the_ring(struct call_reply *reply)
{
    reply->id += SLOTS;
}

static void another_command(struct call_reply *reply)
{
    reply->code = reply->code == 5 ? 7 : 5;
}

static void unknown_command(struct call_reply *reply)
{
    reply->code = 1;
}

static void another_socket(struct call_reply *reply)
{
    reply->sockid++;
}

static void pointer_for_a_socket(struct call_reply *reply)
{
    reply->sockid = (uint64_t)(uintptr_t)reply;
}

static void success_and_more(struct call_reply *reply)
{
    reply->ret = 1;
}

static void no_errno(struct call_reply *reply)
{
    reply->ret = -4096;
}

static const struct lie lies[] = {
    {another_id, FAULT_RESPONSE_ID},        {id_beyond_the_ring, FAULT_RESPONSE_ID},
    {another_command, FAULT_RESPONSE_ECHO}, {unknown_command, FAULT_RESPONSE_ECHO},
    {another_socket, FAULT_RESPONSE_ECHO},  {pointer_for_a_socket, FAULT_RESPONSE_ECHO},
    {success_and_more, FAULT_RESPONSE_RET}, {no_errno, FAULT_RESPONSE_RET}};

static void lie_about(enum call_kind kind, const struct lie *lie)
{
    struct call call;

    rogue_back_open(&back, &pair, 1);
    uint64_t kept = provoke(kind, &call);
    struct call_reply reply = {call.id, call.code, call.sockid, 0};
    pair_forget(&pair);
    lie->tell(&reply);
    rogue_answer(&back, &reply);
    assert_int_equal(pair.front_fault_count, 1);
    assert_int_equal(pair.front_faults[0].reason, lie->reason);
    assert_string_equal(pair.front_states, "345");
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), 1); /* what was asked, once */
    assert_int_equal(pair_done(&pair, kind, UINT64_MAX), kind == CALL_RELEASE ? 0 : -ERR_CONNRESET);
    if (kept != UINT64_MAX)
        assert_int_equal(pair_release(&pair, kept), 0);
    pair_run(&pair);
    /* a listen that fails with the device ends its socket */
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    rogue_back_close(&back);
}

static void every_call_refuses_every_lie(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind <= CALL_POLL; kind++)
        for (uint32_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
            lie_about(kind, &lies[i]);
}

/* Whatever errno there is, each call passes it on and the device lives. */
static void every_call_takes_every_errno(void **state)
{
    static const int32_t errors[] = {-1, -11, -ERR_MFILE, -ERR_NOTSUP, -4095};

    (void)state;
    for (uint32_t kind = 0; kind <= CALL_POLL; kind++) {
        for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
            struct call call;
            rogue_back_open(&back, &pair, 1);
            provoke(kind, &call);
            struct call_reply reply = {call.id, call.code, call.sockid, errors[i]};
            pair_forget(&pair);
            rogue_answer(&back, &reply);
            assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), 1);
            /* a release cannot fail: what the backend says of it changes nothing */
            assert_int_equal(pair_done(&pair, kind, UINT64_MAX),
                             kind == CALL_RELEASE ? 0 : errors[i]);
            assert_int_equal(pair.front_fault_count, 0);
            assert_int_equal(pair.front_hv->counters.grants_now, 1);
            rogue_back_close(&back);
        }
    }
}

/* 5.2 e: a listener's release is answered before its accept and poll: they end then, and the
 * release after them. Answers that come all the same are taken: what was accepted is released, and
 * only then its pages are given back. */
static void listener_answered_before_its_calls(void **state)
{
    struct call accept, poll, release, bind;
    struct call_reply reply;

    (void)state;
    uint64_t listener = passive(true);
    int64_t accepted = pair_accept_begin(&pair, listener);
    pair_run(&pair);
    assert_true(rogue_request(&back, &accept));
    assert_int_equal(pair_poll_begin(&pair, listener), 0);
    pair_run(&pair);
    assert_true(rogue_request(&back, &poll));
    pair_forget(&pair);
    assert_int_equal(pair_release(&pair, listener), 0);
    pair_run(&pair);
    reply = rogue_answer_to(&back, &release, 0);
    rogue_answer(&back, &reply);
    assert_string_equal(pair_told(&pair), "ACCEPT -9, POLL -9, RELEASE 0");
    assert_int_equal(pair_done(&pair, CALL_ACCEPT, (uint64_t)accepted), -ERR_BADF);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, listener), 0);
    assert_int_equal(pair_release(&pair, (uint64_t)accepted), -ERR_BADF);
    assert_int_equal(pair.front_hv->counters.grants_now, 1 + 2);
    int64_t next = pair_bind_begin(&pair, 7001);
    pair_run(&pair);
    assert_true(rogue_request(&back, &bind));
    reply = (struct call_reply){poll.id, poll.code, poll.sockid, 0};
    rogue_answer(&back, &reply);
    pair_forget(&pair);
    reply = (struct call_reply){accept.id, accept.code, accept.sockid, 0};
    rogue_answer(&back, &reply);
    assert_int_equal(pair.front_hv->counters.grants_now, 1 + 2);
    reply = rogue_answer_to(&back, &release, 0);
    assert_int_equal(release.kind, CALL_RELEASE);
    assert_true(release.sockid == accept.new_sockid);
    rogue_answer(&back, &reply);
    assert_string_equal(pair_told(&pair), "");
    reply = (struct call_reply){bind.id, bind.code, bind.sockid, -ERR_ADDRINUSE};
    rogue_answer(&back, &reply);
    assert_int_equal(pair_done(&pair, CALL_BIND, (uint64_t)next), -ERR_ADDRINUSE);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_int_equal(pair.front_fault_count, 0);
}

/* Padding of a response, and the rest of its slot, say nothing. */
static void pads_of_a_response_are_ignored(void **state)
{
    unsigned char slot[SLOT_BYTES];
    struct call call;

    (void)state;
    provoke(CALL_BIND, &call);
    struct call_reply reply = {call.id, call.code, call.sockid, -ERR_ADDRINUSE};
    dialect_pack_reply(&dialect_xensock1, &reply, slot);
    memset(slot + 20, 0xff, sizeof(slot) - 20);
    shared_fill(&back.page, CMDRING_SLOTS, slot, sizeof(slot));
    rogue_store(&back, CMDRING_RSP_PROD, ++back.prod);
    rogue_kick(&back);
    assert_int_equal(pair_done(&pair, CALL_BIND, UINT64_MAX), -ERR_ADDRINUSE);
    assert_int_equal(pair.front_fault_count, 0);
}

/* What a stack may hold of the guest's: what the front writes next must not carry it out. */
static void __attribute__((noinline)) smear_the_stack(void)
{
    unsigned char stack[16384];

    memset(stack, 0xa5, sizeof(stack));
    assert_memory_equal(stack, stack + 1, sizeof(stack) - 1); /* so it is there */
}

static void smear_the_slots(void)
{
    unsigned char slot[SLOT_BYTES];

    memset(slot, 0xa5, sizeof(slot));
    for (uint32_t i = 0; i < SLOTS; i++)
        shared_fill(&back.page, CMDRING_SLOTS + i * SLOT_BYTES, slot, sizeof(slot));
}

/* Of a slot as the front left it: every byte that no field of its call covers is zero. */
static void assert_clean(uint32_t index)
{
    unsigned char slot[SLOT_BYTES], again[SLOT_BYTES];
    struct call call;

    shared_bulk_in(slot, &back.page, CMDRING_SLOTS + index % SLOTS * SLOT_BYTES, SLOT_BYTES);
    dialect_unpack_call(&dialect_xensock1, slot, &call);
    for (uint32_t i = back.order == 1 ? 2 : 64; i < CALL_REFS_MAX; i++)
        assert_int_equal(call.refs[i], 0); /* order 1 has two pages */
    if (call.kind == CALL_CONNECT || call.kind == CALL_BIND)
        for (uint32_t i = CALL_ADDR4_LEN; i < CALL_ADDR_BYTES; i++)
            assert_int_equal(call.addr.bytes[i], 0);
    dialect_pack_call(&dialect_xensock1, &call, again);
    assert_memory_equal(slot, again, SLOT_BYTES);
}

static void requests_leak_nothing(void **state)
{
    struct call call;

    (void)state;
    for (uint32_t kind = 0; kind <= CALL_POLL; kind++) {
        rogue_back_open(&back, &pair, 1);
        smear_the_slots();
        smear_the_stack();
        provoke(kind, &call);
        for (uint32_t i = 0; i < rogue_load(&back, CMDRING_REQ_PROD); i++)
            if (i >= back.prod) /* the answered ones are the rogue's own garbage */
                assert_clean(i);
        rogue_back_close(&back);
    }
}

/* All that the backend left in pages of earlier sockets is gone when they come round again. */
static void pages_used_again_leak_nothing(void **state)
{
    enum { PAGES = 64, ROUNDS = 65536 / PAGES + 100 }; /* hv_mem's memory, and some more */
    static unsigned char full[PAGES * 4096], zero[PAGES * 4096], got[PAGES * 4096];

    (void)state;
    rogue_back_open(&back, &pair, 6);
    memset(full, 0xa5, sizeof(full));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct rogue_data data;
        struct call call;
        pair_forget(&pair);
        int64_t sock = pair_connect_begin(&pair, 80);
        pair_run(&pair);
        struct call_reply reply = rogue_answer_to(&back, &call, -ERR_CONNREFUSED);
        rogue_map(&back, &call, &data);
        shared_bulk_in(got, &data.area, 0, sizeof(got));
        if (memcmp(got, zero, sizeof(got)) != 0)
            fail_msg("round %u: old bytes", i);
        shared_fill(&data.area, 0, full, sizeof(full));
        rogue_unmap(&back, &data);
        rogue_answer(&back, &reply);
        assert_int_equal(pair_done(&pair, CALL_CONNECT, (uint64_t)sock), -ERR_CONNREFUSED);
    }
    rogue_back_close(&back);
}

/* 5.2 i: what the front gave is in its own table; slots and pages the backend scribbles on are not
 * asked what is to be given back. */
static void what_was_given_is_remembered(void **state)
{
    static unsigned char garbage[4096];
    struct rogue_data data;
    struct call call;
    int64_t sock = pair_connect_begin(&pair, 80);

    (void)state;
    pair_run(&pair);
    struct call_reply reply = rogue_answer_to(&back, &call, 0);
    rogue_map(&back, &call, &data);
    rogue_answer(&back, &reply);
    assert_int_equal(pair_done(&pair, CALL_CONNECT, (uint64_t)sock), 0);
    memset(garbage, 0xff, sizeof(garbage));
    shared_fill(&back.page, CMDRING_SLOTS, garbage, sizeof(garbage) - CMDRING_SLOTS);
    for (uint32_t i = 0; i < data.at.pages; i++)
        shared_fill(&data.area, i * 4096, garbage, sizeof(garbage));
    assert_int_equal(pair_release(&pair, (uint64_t)sock), 0);
    pair_run(&pair);
    reply = rogue_answer_to(&back, &call, 0);
    assert_int_equal(call.kind, CALL_RELEASE);
    assert_int_equal(call.sockid, sock);
    rogue_unmap(&back, &data);
    rogue_answer(&back, &reply);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, (uint64_t)sock), 0);
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_int_equal(pair.front_hv->counters.ports_now, 1);
}

/* The backend closes its end of a socket's channel, and of the device's: what the front notifies
 * goes nowhere, and the front goes on. */
static void the_backend_closes_its_ports(void **state)
{
    struct rogue_data data;
    struct call call;
    struct ev ev;
    int64_t sock = pair_connect_begin(&pair, 80);

    (void)state;
    pair_run(&pair);
    struct call_reply reply = rogue_answer_to(&back, &call, 0);
    rogue_map(&back, &call, &data);
    rogue_answer(&back, &reply);
    hv_port_close(back.hv, 4, data.port);
    rogue_take(&back, EV_PORT_CLOSE, &ev);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(pair_send(&pair, (uint64_t)sock, "x", 1), 1);
    pair_run(&pair);
    shared_store(&data.area, data.at.out.cons, 10);
    assert_int_equal(pair_release(&pair, (uint64_t)sock), 0);
    pair_run(&pair);
    reply = rogue_answer_to(&back, &call, 0);
    hv_unmap(back.hv, 3, data.handle);
    rogue_take(&back, EV_UNMAP, &ev);
    rogue_answer(&back, &reply);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, (uint64_t)sock), 0);
    assert_int_equal(pair.front_fault_count, 0);
    assert_int_equal(pair.front_hv->counters.ports_now, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_back, close_clean)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_refuses_every_lie),
        cmocka_unit_test(every_call_takes_every_errno),
        TEST(listener_answered_before_its_calls),
        TEST(pads_of_a_response_are_ignored),
        cmocka_unit_test(requests_leak_nothing),
        cmocka_unit_test(pages_used_again_leak_nothing),
        TEST(what_was_given_is_remembered),
        TEST(the_backend_closes_its_ports),
    };
#undef TEST

    return !!cmocka_run_group_tests_name("false_answers", tests, NULL, NULL);
}
