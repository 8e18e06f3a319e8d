/*
 * Both cores against a peer that changes memory between two reads: the hooked build calls us before
 * each access a core makes.
 * Which attack each test is: attacks. Also rule 5 of architecture 5 (error_is_loaded_before_prod)
 * and rule 6 (work_while_arming, work_beyond_budget).
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue rogue;

/* What the test does before an access to a piece of memory; not called for what it does itself. */
static void (*meddle)(enum shared_access access, uint32_t offset, uint32_t bytes);
static const struct shared_area *watched;
static uint32_t accesses; /* that the test counts */

void shared_hook(enum shared_access access, const struct shared_area *area, uint32_t offset,
                 uint32_t bytes)
{
    void (*call)(enum shared_access, uint32_t, uint32_t) = meddle;

    if (!call || area->base != watched->base)
        return;
    meddle = NULL;
    call(access, offset, bytes);
    meddle = call;
}

static void begin_meddling(void (*how)(enum shared_access, uint32_t, uint32_t),
                           const struct shared_area *area)
{
    accesses = 0;
    watched = area;
    meddle = how;
}

static void end_meddling(void)
{
    meddle = NULL;
}

static int open_front(void **state)
{
    (void)state;
    rogue_front_open(&rogue, &pair, 1);
    return 0;
}

static int close_front(void **state)
{
    (void)state;
    rogue_front_close(&rogue);
    return 0;
}

static int open_back(void **state)
{
    (void)state;
    rogue_back_open(&rogue, &pair, 1);
    return 0;
}

static int close_back(void **state)
{
    (void)state;
    rogue_back_close(&rogue);
    return 0;
}

static bool in_slots(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    return access == SHARED_READ && offset + bytes > CMDRING_SLOTS;
}

/* ---- the backend ---------------------------------------------------------------------------- */

/* Each read finds another request, whole in itself: id and socket say which. */
static void next_version(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    static const enum call_kind kinds[] = {CALL_RELEASE, CALL_POLL, CALL_LISTEN, CALL_ACCEPT};
    unsigned char slot[312];

    if (!in_slots(access, offset, bytes))
        return;
    accesses++;
    struct call call = {.id = accesses, .sockid = accesses, .kind = kinds[accesses % 4]};
    dialect_pack_call(&dialect_xensock1, &call, slot);
    for (uint32_t i = 0; i < 8; i++)
        shared_fill(&rogue.page, CMDRING_SLOTS + i * 312, slot, sizeof(slot));
}

static void request_is_copied_once(void **state)
{
    static const uint32_t codes[] = {3, 7, 5, 6};
    struct call_reply reply;

    (void)state;
    for (uint32_t i = 1; i <= 100; i++) {
        rogue.prod++;
        rogue_store(&rogue, CMDRING_REQ_PROD, rogue.prod);
        begin_meddling(next_version, &rogue.page);
        accesses = i - 1;
        rogue_kick(&rogue);
        end_meddling();
        assert_int_equal(accesses, i); /* one read */
        assert_true(rogue_reply(&rogue, &reply));
        assert_int_equal(reply.id, i);
        assert_int_equal(reply.sockid, i);
        assert_int_equal(reply.code, codes[i % 4]);
        assert_int_equal(reply.ret, -ERR_INVAL);
        assert_false(rogue_reply(&rogue, &reply));
    }
    assert_int_equal(pair.back_fault_count, 0);
}

/* The first read is honest; from then on the slots are garbage. */
static void garbage_after_the_copy(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    unsigned char garbage[8 * 312];

    if (in_slots(access, offset, bytes))
        accesses++;
    if (accesses == 0 || (accesses == 1 && in_slots(access, offset, bytes)))
        return;
    memset(garbage, 0xff, sizeof(garbage));
    shared_fill(&rogue.page, CMDRING_SLOTS, garbage, sizeof(garbage));
}

static uint64_t open_socket(struct rogue_data *data)
{
    struct call_reply reply;
    struct call call;

    rogue_share(&rogue, data);
    call = rogue_connect(1, 1, data);
    rogue_put(&rogue, &call);
    rogue_kick(&rogue);
    uint64_t token = pair_pending(&pair, EV_NET_CONNECT);
    assert_true(net_mem_complete(pair.net, EV_NET_CONNECT, token, 0, NULL));
    pair_run(&pair);
    assert_true(rogue_reply(&rogue, &reply));
    assert_int_equal(reply.ret, 0);
    return token;
}

static void request_is_done_as_copied(void **state)
{
    struct rogue_data data;
    struct net_mem_op op;

    (void)state;
    rogue_share(&rogue, &data);
    struct call call = rogue_connect(1, 1, &data);
    rogue_put(&rogue, &call);
    begin_meddling(garbage_after_the_copy, &rogue.page);
    rogue_kick(&rogue);
    end_meddling();
    assert_true(net_mem_pending(pair.net, 0, &op));
    assert_int_equal(op.kind, EV_NET_CONNECT);
    assert_memory_equal(op.addr.bytes, call.addr.bytes, 16);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 2);
    assert_int_equal(pair.back_fault_count, 0);
}

static const struct rogue_data *lied; /* whose index changes */
static uint32_t lied_at, honest;

/* The first load gives `honest`, each later one something absurd. */
static void absurd_after_the_first(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    (void)bytes;
    if (access == SHARED_READ && offset == lied_at)
        shared_store(&lied->area, offset, accesses++ == 0 ? honest : 0x80000000);
}

static void lie_later(const struct rogue_data *data, uint32_t offset, uint32_t first)
{
    lied = data;
    lied_at = offset;
    honest = first;
    begin_meddling(absurd_after_the_first, &data->area);
}

static uint64_t bytes_in_flight(enum ev_kind kind)
{
    struct net_mem_op op;

    for (uint32_t i = 0; net_mem_pending(pair.net, i, &op); i++)
        if (op.kind == kind)
            return op.bytes;
    return 0;
}

static void out_prod_is_loaded_once(void **state)
{
    struct rogue_data data;

    (void)state;
    open_socket(&data);
    lie_later(&data, data.at.out.prod, 10);
    hv_notify(pair.front_hv, data.port);
    pair_run(&pair);
    end_meddling();
    assert_int_equal(accesses, 1);
    assert_int_equal(bytes_in_flight(EV_NET_WRITE), 10);
    assert_int_equal(pair.back_fault_count, 0);
}

static void in_cons_is_loaded_once(void **state)
{
    static unsigned char bytes[2048];
    struct rogue_data data;
    uint64_t token = open_socket(&data);

    (void)state;
    lie_later(&data, data.at.in.cons, 100);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 2048, bytes));
    pair_run(&pair);
    end_meddling();
    assert_int_equal(accesses, 1);
    assert_int_equal(bytes_in_flight(EV_NET_READ), 100);
    assert_int_equal(pair.back_fault_count, 0);
}

static void jump_within_the_pass(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    if (in_slots(access, offset, bytes) && accesses++ == 1)
        rogue_store(&rogue, CMDRING_REQ_PROD, rogue.prod); /* was absurd while the pass ran */
    else if (in_slots(access, offset, bytes))
        rogue_store(&rogue, CMDRING_REQ_PROD, 0x80000000);
}

static void req_prod_is_loaded_once_a_pass(void **state)
{
    struct call_reply reply;

    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        rogue_put(&rogue, &(struct call){.id = i, .kind = CALL_POLL, .sockid = 5});
    begin_meddling(jump_within_the_pass, &rogue.page);
    rogue_kick(&rogue);
    end_meddling();
    assert_int_equal(accesses, 2);
    assert_true(rogue_reply(&rogue, &reply) && rogue_reply(&rogue, &reply));
    assert_int_equal(pair.back_fault_count, 0);
}

static uint32_t more_requests;

/* A front that takes its responses and asks again, just as the backend arms. */
static void ask_while_arming(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    struct call_reply reply;

    (void)bytes;
    if (access != SHARED_WRITE || offset != CMDRING_REQ_EVENT || more_requests == 0)
        return;
    while (rogue_reply(&rogue, &reply))
        accesses++;
    for (; more_requests > 0; more_requests--)
        rogue_put(&rogue, &(struct call){.id = more_requests, .kind = CALL_POLL, .sockid = 5});
}

static uint32_t count_replies(void)
{
    struct call_reply reply;

    while (rogue_reply(&rogue, &reply))
        accesses++;
    return accesses;
}

/* A request put between the last look and the arming, which asks for no notification. */
static void work_while_arming(void **state)
{
    (void)state;
    more_requests = 1;
    rogue_put(&rogue, &(struct call){.id = 7, .kind = CALL_POLL, .sockid = 5});
    begin_meddling(ask_while_arming, &rogue.page);
    rogue_kick(&rogue);
    end_meddling();
    assert_int_equal(count_replies(), 2);
}

/* More than a step may serve, while another port of the device has fired too: the rest must be
 * gone on with, and the ring's port must not stay masked. */
static void work_beyond_budget(void **state)
{
    struct rogue_data data;

    (void)state;
    open_socket(&data);
    more_requests = 8;
    for (uint32_t i = 0; i < 8; i++)
        rogue_put(&rogue, &(struct call){.id = i, .kind = CALL_POLL, .sockid = 5});
    begin_meddling(ask_while_arming, &rogue.page);
    hv_notify(pair.front_hv, rogue.port);
    hv_notify(pair.front_hv, data.port);
    pair_run(&pair);
    end_meddling();
    assert_int_equal(count_replies(), 16);
    rogue_put(&rogue, &(struct call){.id = 1, .kind = CALL_POLL, .sockid = 5});
    rogue_kick(&rogue);
    assert_int_equal(count_replies(), 17);
}

static uint32_t rounds;

static void ask_again_while_arming(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    if (access != SHARED_WRITE || offset != CMDRING_REQ_EVENT || rounds == 0)
        return;
    rounds--;
    more_requests = 8;
    ask_while_arming(access, offset, bytes);
}

/* A guest that never lets the ring run empty does not keep the backend in one step. */
static void step_takes_no_more_than_a_ring(void **state)
{
    enum { ROUNDS = 50 };
    uint64_t steps = exec_counters(pair.back)->steps;

    (void)state;
    rounds = ROUNDS;
    for (uint32_t i = 0; i < 8; i++)
        rogue_put(&rogue, &(struct call){.id = i, .kind = CALL_POLL, .sockid = 5});
    begin_meddling(ask_again_while_arming, &rogue.page);
    rogue_kick(&rogue);
    end_meddling();
    assert_int_equal(count_replies(), 8 * (1 + ROUNDS));
    assert_in_range(exec_counters(pair.back)->steps - steps, 1 + ROUNDS, 3 * (1 + ROUNDS));
}

/* ---- the frontend --------------------------------------------------------------------------- */

static struct call asked;

/* Each read finds a different response; only the first is the right one. */
static void wrong_after_the_first(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    unsigned char slot[312];

    if (!in_slots(access, offset, bytes) || accesses++ == 0)
        return;
    memset(slot, 0xff, sizeof(slot));
    shared_fill(&rogue.page, CMDRING_SLOTS, slot, sizeof(slot));
}

static uint64_t begin_connect(void)
{
    int64_t sock = pair_connect_begin(&pair, 80);

    assert_true(sock >= 0);
    pair_run(&pair);
    assert_true(rogue_request(&rogue, &asked));
    return (uint64_t)sock;
}

static void response_is_copied_once(void **state)
{
    (void)state;
    uint64_t sock = begin_connect();
    struct call_reply reply = {asked.id, asked.code, asked.sockid, -ERR_CONNREFUSED};
    begin_meddling(wrong_after_the_first, &rogue.page);
    accesses = 0;
    rogue_answer(&rogue, &reply);
    end_meddling();
    assert_int_equal(accesses, 1);
    assert_int_equal(pair_done(&pair, CALL_CONNECT, sock), -ERR_CONNREFUSED);
    assert_int_equal(pair.front_fault_count, 0);
}

static struct call_reply late;

/* A second response just as the frontend arms, too early for it to be notified of. */
static void answer_while_arming(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    unsigned char slot[312];

    (void)bytes;
    if (access != SHARED_WRITE || offset != CMDRING_RSP_EVENT || accesses++ > 0)
        return;
    dialect_pack_reply(&dialect_xensock1, &late, slot);
    shared_fill(&rogue.page, CMDRING_SLOTS + rogue.prod++ % 8 * 312, slot, 24);
    rogue_store(&rogue, CMDRING_RSP_PROD, rogue.prod);
}

static void response_while_arming(void **state)
{
    (void)state;
    uint64_t first = begin_connect();
    struct call_reply reply = {asked.id, asked.code, asked.sockid, -ERR_CONNREFUSED};
    uint64_t second = begin_connect();
    late = (struct call_reply){asked.id, asked.code, asked.sockid, -ERR_HOSTUNREACH};
    begin_meddling(answer_while_arming, &rogue.page);
    rogue_answer(&rogue, &reply);
    end_meddling();
    assert_int_equal(pair_done(&pair, CALL_CONNECT, first), -ERR_CONNREFUSED);
    assert_int_equal(pair_done(&pair, CALL_CONNECT, second), -ERR_HOSTUNREACH);
}

static uint64_t connected(struct rogue_data *data)
{
    uint64_t sock = begin_connect();

    rogue_map(&rogue, &asked, data);
    rogue_answer(&rogue, &(struct call_reply){asked.id, asked.code, asked.sockid, 0});
    assert_int_equal(pair_done(&pair, CALL_CONNECT, sock), 0);
    return sock;
}

static void in_prod_is_loaded_once(void **state)
{
    static unsigned char got[4096];
    struct rogue_data data;
    uint64_t sock = connected(&data);

    (void)state;
    lie_later(&data, data.at.in.prod, 10);
    assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), 10);
    end_meddling();
    assert_int_equal(accesses, 1);
    assert_int_equal(pair.front_fault_count, 0);
    shared_store(&data.area, data.at.in.prod, 10);
    pair_release(&pair, sock);
}

static void out_cons_is_loaded_once(void **state)
{
    static unsigned char bytes[4096];
    struct rogue_data data;
    uint64_t sock = connected(&data);

    (void)state;
    assert_int_equal(pair_send(&pair, sock, bytes, 4096), 4096);
    lie_later(&data, data.at.out.cons, 100);
    assert_int_equal(pair_send(&pair, sock, bytes, 100), 100); /* all of it: nothing arms */
    end_meddling();
    assert_int_equal(accesses, 1);
    assert_int_equal(pair.front_fault_count, 0);
    shared_store(&data.area, data.at.out.cons, 4196);
    pair_release(&pair, sock);
}

/* The last bytes and the end come between two loads: the bytes must not be lost. */
static void last_bytes_and_end(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    (void)bytes;
    if (access != SHARED_READ || (offset != lied->at.in.prod && offset != lied->at.in.error))
        return;
    if (accesses++ != 1)
        return;
    shared_store(&lied->area, lied->at.in.prod, 4);
    shared_store(&lied->area, lied->at.in.error, (uint32_t)-ERR_NOTCONN);
}

static void error_is_loaded_before_prod(void **state)
{
    struct rogue_data data;
    char got[8];
    uint64_t sock = connected(&data);

    (void)state;
    lied = &data;
    begin_meddling(last_bytes_and_end, &data.area);
    int64_t first = pair_recv(&pair, sock, got, sizeof(got));
    end_meddling();
    assert_int_equal(first, 4); /* never 0, the end, with bytes to come */
    assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), 0);
    pair_release(&pair, sock);
}

int main(void)
{
#define FRONT(name) cmocka_unit_test_setup_teardown(name, open_front, close_front)
#define BACK(name) cmocka_unit_test_setup_teardown(name, open_back, close_back)
    const struct CMUnitTest tests[] = {
        FRONT(request_is_copied_once),
        FRONT(request_is_done_as_copied),
        FRONT(out_prod_is_loaded_once),
        FRONT(in_cons_is_loaded_once),
        FRONT(req_prod_is_loaded_once_a_pass),
        FRONT(work_while_arming),
        FRONT(work_beyond_budget),
        FRONT(step_takes_no_more_than_a_ring),
        BACK(response_is_copied_once),
        BACK(response_while_arming),
        BACK(in_prod_is_loaded_once),
        BACK(out_cons_is_loaded_once),
        BACK(error_is_loaded_before_prod),
    };
#undef FRONT
#undef BACK

    return !!cmocka_run_group_tests_name("lying_hooked", tests, NULL, NULL);
}
