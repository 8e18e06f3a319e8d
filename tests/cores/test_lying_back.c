/*
 * The frontend against a backend that lies; each test plays the backend by hand.
 * Which attack each test is: attacks. What needs memory to change between two reads is in
 * test_lying_hooked.c; false answers to each call are in test_false_answers.c.
 */
#include "tests/support/rogue.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue back;
static uint64_t opened[64]; /* by open_socket, to be released at the end */
static uint32_t opened_count;

static int open_back(void **state)
{
    (void)state;
    rogue_back_open(&back, &pair, 1);
    opened_count = 0;
    return 0;
}

static int close_clean(void **state)
{
    (void)state;
    while (opened_count > 0)
        pair_release(&pair, opened[--opened_count]);
    rogue_back_close(&back);
    return 0;
}

static void assert_no_fault(void)
{
    assert_int_equal(pair.front_fault_count, 0);
    assert_int_equal(fe_state(pair.fe), XENBUS_CONNECTED);
}

/* One fault of that reason, Closing published, every socket failed once, GONE once. */
static void assert_broken(enum fault_reason reason, const char *told)
{
    assert_int_equal(pair.front_fault_count, 1);
    assert_int_equal(pair.front_faults[0].reason, reason);
    assert_string_equal(pair.front_states, "345");
    assert_string_equal(pair_told(&pair), told);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    rogue_kick(&back);
    assert_int_equal(pair.front_fault_count, 1);
    assert_string_equal(pair_told(&pair), told);
}

/* A connect on its way, as the backend sees it; its id. */
static uint64_t begin(struct call *call)
{
    int64_t sock = pair_connect_begin(&pair, 80);

    assert_true(sock >= 0);
    pair_run(&pair);
    assert_true(rogue_request(&back, call));
    assert_int_equal(call->kind, CALL_CONNECT);
    return (uint64_t)sock;
}

static struct call_reply reply_to(const struct call *call, int32_t ret)
{
    return (struct call_reply){call->id, call->code, call->sockid, ret};
}

static uint64_t open_socket(struct rogue_data *data)
{
    struct call call;
    uint64_t sock = begin(&call);

    rogue_map(&back, &call, data);
    rogue_answer(&back, &(struct call_reply){call.id, call.code, call.sockid, 0});
    assert_int_equal(pair_done(&pair, CALL_CONNECT, sock), 0);
    opened[opened_count++ % 64] = sock;
    return sock;
}

static void answer_release(struct rogue_data *data)
{
    struct call call;
    struct call_reply reply = rogue_answer_to(&back, &call, 0);

    assert_int_equal(call.kind, CALL_RELEASE);
    rogue_unmap(&back, data);
    rogue_answer(&back, &reply);
}

/* A byte arrives. */
static void assert_works(uint64_t sock, struct rogue_data *data, uint32_t at)
{
    char got = 0;

    shared_fill(&data->area, data->at.in.array + at, "y", 1);
    shared_store(&data->area, data->at.in.prod, at + 1);
    hv_notify(pair.back_hv, data->port);
    pair_run(&pair);
    assert_int_equal(pair_recv(&pair, sock, &got, 1), 1);
    assert_int_equal(got, 'y');
}

static void rsp_prod_jumps(void **state)
{
    /* one request is outstanding and one answer may come: the claims are beside 0 and 1 */
    static const uint32_t claims[] = {2, 8, 9, 0x7fffffff, 0x80000000, 0xffffffff};
    struct call call;

    (void)state;
    for (uint32_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        rogue_back_open(&back, &pair, 1);
        begin(&call);
        rogue_store(&back, CMDRING_RSP_PROD, claims[i]);
        rogue_kick(&back);
        assert_broken(FAULT_CMDRING_WINDOW, "CONNECT -104, GONE");
        assert_int_equal(pair.front_faults[0].value, claims[i]);
        rogue_back_close(&back);
    }
}

static void our_indexes_overwritten(void **state)
{
    struct rogue_data data;
    struct call call;
    char got;
    uint64_t sock = open_socket(&data);

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        rogue_store(&back, CMDRING_REQ_PROD, i * 0x9e3779b9u);
        rogue_store(&back, CMDRING_RSP_EVENT, i * 0x9e3779b9u);
        shared_store(&data.area, data.at.out.prod, i * 0x85ebca6bu);
        shared_store(&data.area, data.at.in.cons, i * 0xc2b2ae35u);
        assert_int_equal(pair_send(&pair, sock, &(char){(char)('a' + i)}, 1), 1);
        assert_int_equal(shared_load(&data.area, data.at.out.prod), i + 1);
        assert_works(sock, &data, i);
        assert_int_equal(shared_load(&data.area, data.at.in.cons), i + 1);
    }
    for (uint32_t i = 0; i < 20; i++) {
        shared_bulk_in(&got, &data.area, data.at.out.array + i, 1);
        assert_int_equal(got, 'a' + i);
    }
    shared_store(&data.area, data.at.out.cons, 20);
    assert_int_equal(pair_release(&pair, sock), 0);
    assert_int_equal(rogue_load(&back, CMDRING_REQ_PROD), 2);
    answer_release(&data);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, sock), 0);
    assert_no_fault();
    assert_true(pair_connect_begin(&pair, 80) >= 0);
    pair_run(&pair);
    assert_true(rogue_request(&back, &call));
    rogue_answer(&back, &(struct call_reply){call.id, call.code, call.sockid, -ERR_MAX});
}

/* A lie about one data ring fails that socket, and only that. */
static void data_lie(bool in, uint32_t claim)
{
    struct rogue_data good, bad;
    char byte = 0;

    rogue_back_open(&back, &pair, 1);
    uint64_t healthy = open_socket(&good), victim = open_socket(&bad);
    assert_int_equal(pair_send(&pair, victim, "x", 1), 1);
    pair_forget(&pair);
    shared_store(&bad.area, in ? bad.at.in.prod : bad.at.out.cons, claim);
    hv_notify(pair.back_hv, bad.port);
    pair_run(&pair);
    if (!in) /* nobody waits for room: the next send meets it */
        assert_int_equal(pair_send(&pair, victim, &byte, 1), -ERR_IO);
    else
        assert_string_equal(pair_told(&pair), "READABLE"); /* armed at connect */
    assert_int_equal(pair_recv(&pair, victim, &byte, 1), -ERR_IO);
    assert_int_equal(pair_send(&pair, victim, &byte, 1), -ERR_IO);
    assert_int_equal(pair.front_fault_count, 1);
    assert_int_equal(pair.front_faults[0].reason, FAULT_BYTERING_WINDOW);
    assert_works(healthy, &good, 0);
    assert_int_equal(pair_release(&pair, victim), 0); /* unsent bytes hold nothing up */
    answer_release(&bad);
    assert_works(healthy, &good, 1);
    assert_int_equal(pair_release(&pair, healthy), 0);
    answer_release(&good);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(fe_state(pair.fe), XENBUS_CONNECTED);
    rogue_back_close(&back);
}

static void in_prod_jumps(void **state)
{
    static const uint32_t claims[] = {2049, 4096, 0x7fffffff, 0x80000000, 0xffffffff};

    (void)state;
    for (uint32_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        data_lie(true, claims[i]);
}

static void out_cons_jumps(void **state)
{
    /* one byte was sent: 2 is more than that, 1 - 4097 gives back what was never held */
    static const uint32_t claims[] = {2, 1u - 4097, 0x7fffffff, 0x80000000};

    (void)state;
    for (uint32_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        data_lie(false, claims[i]);
}

static void pages_are_zero(void **state)
{
    static unsigned char page[4096], zero[4096];
    struct rogue_data data;

    (void)state;
    for (uint32_t round = 0; round < 3; round++) { /* also when they held bytes before */
        uint64_t sock = open_socket(&data);
        for (uint32_t i = 0; i < data.at.pages; i++) {
            shared_bulk_in(page, &data.area, i * 4096, 4096);
            assert_memory_equal(page, zero, 4096);
        }
        assert_int_equal(pair_send(&pair, sock, "secret", 6), 6);
        shared_store(&data.area, data.at.out.cons, 6);
        assert_int_equal(pair_release(&pair, sock), 0);
        answer_release(&data);
    }
    shared_bulk_in(page, &back.page, CMDRING_SLOTS + 7 * 312, 312); /* a slot never used */
    assert_memory_equal(page, zero, 312);
    assert_no_fault();
}

/* b0576cc9c6b8: pages the backend still maps after the RELEASE's answer are not used again. */
static void pages_are_quarantined(void **state)
{
    struct rogue_data data;
    struct call call;
    struct hypervisor_usage usage;
    uint64_t sock = open_socket(&data);

    (void)state;
    assert_int_equal(pair_release(&pair, sock), 0);
    struct call_reply reply = rogue_answer_to(&back, &call, 0);
    rogue_answer(&back, &reply);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, sock), 0);
    hypervisor_usage(hv_mem_tables(pair.machine), PAIR_FRONT, &usage);
    assert_int_equal(usage.grants_quarantined, 2);
    rogue_unmap(&back, &data);
    hypervisor_usage(hv_mem_tables(pair.machine), PAIR_FRONT, &usage);
    assert_int_equal(usage.grants_quarantined, 0);
    assert_no_fault();
}

static void event_storm(void **state)
{
    struct rogue_data data;
    uint64_t sock = open_socket(&data);

    (void)state;
    pair_forget(&pair);
    uint64_t steps = exec_counters(pair.front)->steps;
    uint64_t notifies = pair.front_hv->counters.notifies;
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t k = 0; k < 100; k++) {
            hv_notify(pair.back_hv, back.port);
            hv_notify(pair.back_hv, data.port);
        }
        pair_run(&pair);
    }
    assert_int_equal(exec_counters(pair.front)->steps - steps, 200);
    assert_int_equal(pair.front_hv->counters.notifies, notifies);
    assert_string_equal(pair_told(&pair), "");
    assert_works(sock, &data, 0);
    assert_no_fault();
    rogue_unmap(&back, &data);
}

static void back_never_answers(void **state)
{
    struct rogue_data data;
    struct call call;
    uint64_t open = open_socket(&data), pending = begin(&call);

    (void)state;
    pair_forget(&pair);
    assert_int_equal(pair_release(&pair, open), 0);
    assert_int_equal(pair_release(&pair, pending), 0);
    for (uint32_t i = 0; i < 30; i++) /* the ring is full; more wait here, and cost one slot each */
        assert_true(pair_connect_begin(&pair, 80) >= 0);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "");
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 32);
    exec_post(pair.front, 0, EV_STOP);
    pair_run(&pair);
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
    assert_int_equal(pair.log[pair.log_count - 3].kind, ACT_GONE); /* the pages come back after */
    assert_int_equal(pair_done(&pair, CALL_CONNECT, pending), -ERR_CONNRESET);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, pending), 0);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, open), 0);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), 1 + 2 + 30);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(fe_state(pair.fe), XENBUS_CLOSING); /* the ring is still the backend's */
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    rogue_unmap(&back, &data);
}

/* It stays at 4 for ever, and then is gone. */
static void back_never_closes(void **state)
{
    (void)state;
    exec_post(pair.front, 0, EV_STOP);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "GONE");
    assert_string_equal(pair.front_states, "345");
    pair_write(&pair, PAIR_BACK, "state", NULL);
    pair_run(&pair);
    assert_string_equal(pair.front_states, "3456");
    assert_string_equal(pair_told(&pair), "GONE");
    assert_int_equal(pair.front_hv->counters.grants_now, 0);
    assert_int_equal(pair.front_hv->counters.ports_now, 0);
}

static void response_ids(void **state)
{
    static const uint32_t ids[] = {1, 7, 8, 31, 32, 0x7fffffff, 0x80000000, 0xffffffff};
    struct call call;

    (void)state;
    for (uint32_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        rogue_back_open(&back, &pair, 1);
        begin(&call);
        assert_int_equal(call.id, 0);
        struct call_reply reply = reply_to(&call, 0);
        reply.id = ids[i];
        rogue_answer(&back, &reply);
        assert_broken(FAULT_RESPONSE_ID, "CONNECT -104, GONE");
        assert_int_equal(pair.front_faults[0].value, ids[i]);
        rogue_back_close(&back);
    }
}

/* The same response twice, with another request outstanding so that the window allows it. */
static void response_replayed(void **state)
{
    struct call first, second;

    (void)state;
    begin(&first);
    begin(&second);
    assert_int_not_equal(first.id, second.id);
    struct call_reply reply = reply_to(&second, -ERR_CONNREFUSED);
    rogue_answer(&back, &reply);
    rogue_answer(&back, &reply);
    assert_broken(FAULT_RESPONSE_ID, "CONNECT -111, CONNECT -104, GONE");
}

static void response_echo(void **state)
{
    static const uint32_t codes[] = {1, 3, 4, 5, 6, 7, 0x80000000, 0xffffffff};
    struct call call;

    (void)state;
    for (uint32_t i = 0; i < 3 + sizeof(codes) / sizeof(codes[0]); i++) {
        rogue_back_open(&back, &pair, 1);
        begin(&call);
        struct call_reply reply = reply_to(&call, 0);
        if (i < 3)
            reply.sockid = i == 0   ? reply.sockid + 1
                           : i == 1 ? reply.sockid ^ 1ull << 63
                                    : reply.sockid ^ 1ull << 24;
        else
            reply.code = codes[i - 3];
        rogue_answer(&back, &reply);
        assert_broken(FAULT_RESPONSE_ECHO, "CONNECT -104, GONE");
        rogue_back_close(&back);
    }
}

static void response_ret(void **state)
{
    static const int32_t rets[] = {1, 8, INT_MAX, -4096, -4097, INT_MIN};
    struct call call;

    (void)state;
    for (uint32_t i = 0; i < sizeof(rets) / sizeof(rets[0]); i++) {
        rogue_back_open(&back, &pair, 1);
        begin(&call);
        struct call_reply reply = reply_to(&call, rets[i]);
        rogue_answer(&back, &reply);
        assert_broken(FAULT_RESPONSE_RET, "CONNECT -104, GONE");
        rogue_back_close(&back);
    }
    rogue_back_open(&back, &pair, 1); /* the largest number of all, named or not */
    uint64_t sock = begin(&call);
    struct call_reply reply = reply_to(&call, -4095);
    rogue_answer(&back, &reply);
    assert_int_equal(pair_done(&pair, CALL_CONNECT, sock), -4095);
    assert_no_fault();
    rogue_back_close(&back);
}

/* Error words come after the bytes, whatever they say; nonsense reads as -EIO. */
static void error_words(void **state)
{
    static const struct {
        int32_t word, reads;
    } errors[] = {{1, -ERR_IO},      {INT_MAX, -ERR_IO},
                  {-4096, -ERR_IO},  {INT_MIN, -ERR_IO},
                  {-4095, -4095},    {-ERR_CONNRESET, -ERR_CONNRESET},
                  {-ERR_NOTCONN, 0}, {-ERR_NOTSUP, -ERR_NOTSUP}};
    char byte;

    (void)state;
    for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct rogue_data data;
        uint64_t sock = open_socket(&data);
        shared_store(&data.area, data.at.in.error, (uint32_t)errors[i].word);
        assert_works(sock, &data, 0);
        assert_int_equal(pair_recv(&pair, sock, &byte, 1), errors[i].reads);
        assert_int_equal(pair_send(&pair, sock, "z", 1), 1); /* the other direction lives */
        shared_store(&data.area, data.at.out.error, (uint32_t)errors[i].word);
        assert_true(pair_send(&pair, sock, "z", 1) < 0);
        assert_int_equal(pair_release(&pair, sock), 0); /* so nothing drains */
        answer_release(&data);
    }
    assert_no_fault();
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
}

/* A RELEASE is answered before the CONNECT it aborts: the slot waits for both. */
static void release_answered_first(void **state)
{
    struct call connect, release;
    struct rogue_data data;
    uint64_t sock = begin(&connect);

    (void)state;
    assert_int_equal(pair_release(&pair, sock), 0);
    rogue_map(&back, &connect, &data);
    struct call_reply second = rogue_answer_to(&back, &release, -ERR_INVAL); /* nor is it 0 */
    rogue_answer(&back, &second);
    assert_string_equal(pair_told(&pair), "");
    assert_int_equal(pair.front_hv->counters.grants_now, 1 + 2);
    rogue_unmap(&back, &data);
    struct call_reply first = reply_to(&connect, 0);
    rogue_answer(&back, &first);
    assert_string_equal(pair_told(&pair), "CONNECT -103, RELEASE 0");
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_no_fault();
}

static void states_out_of_order(void **state)
{
    static const char *const states[] = {"0", "1", "2", "3", "4",  "5",
                                         "6", "7", "8", "9", "-1", "x"};
    uint32_t random = 1;

    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        random = random * 1664525 + 1013904223;
        pair_write(&pair, PAIR_BACK, "state", states[(random >> 16) % 12]);
        if ((random >> 8) % 3 == 0)
            pair_run(&pair);
        if (fe_state(pair.fe) == XENBUS_CLOSED)
            pair_start_front(&pair);
        pair_run(&pair);
        pair_forget(&pair);
    }
    exec_post(pair.front, 0, EV_STOP);
    pair_write(&pair, PAIR_BACK, "state", "6");
    pair_run(&pair);
    assert_int_equal(fe_state(pair.fe), XENBUS_CLOSED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_back, close_clean)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsp_prod_jumps),
        TEST(our_indexes_overwritten),
        cmocka_unit_test(in_prod_jumps),
        cmocka_unit_test(out_cons_jumps),
        TEST(pages_are_zero),
        TEST(pages_are_quarantined),
        TEST(event_storm),
        TEST(back_never_answers),
        TEST(back_never_closes),
        cmocka_unit_test(response_ids),
        TEST(response_replayed),
        cmocka_unit_test(response_echo),
        cmocka_unit_test(response_ret),
        TEST(error_words),
        TEST(release_answered_first),
        TEST(states_out_of_order),
    };
#undef TEST

    return !!cmocka_run_group_tests_name("lying_back", tests, NULL, NULL);
}
