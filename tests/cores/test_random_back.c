/*
 * 100,000 random calls of an application against a backend the test plays, which answers what is
 * outstanding in any order (a release before the call it ends, a listener's before its accepts')
 * with any result, keeps or lets go of pages and ports as it likes, and lies about data indexes.
 * Each call is told its end exactly once; at the end nothing is left. In every dialect.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CALLS = 100000, SLOTS_MAX = 64, IDS = 32, MAPS = 64 };

static const struct dialect *spoken;
static struct pair pair;
static struct rogue back;
static uint64_t random_state;

static struct {
    bool used;
    uint64_t id;
} known[IDS]; /* sockets the application has, or is about to have */
static struct call waiting[SLOTS_MAX];
static uint32_t waiting_count;
static struct {
    bool used;
    uint64_t sockid;
    struct rogue_data data;
} maps[MAPS];
static int64_t untold[CALL_KINDS]; /* calls begun whose end was not told */
static uint64_t told_by_kind[2];   /* success, error */

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

static bool one_in(uint32_t n)
{
    return random_below(n) == 0;
}

/* ---- the application ------------------------------------------------------------------------- */

static bool room_for_one(void)
{
    for (uint32_t i = 0; i < IDS; i++)
        if (!known[i].used)
            return true;
    return false;
}

static void began(enum call_kind kind, int64_t ret)
{
    uint32_t i = 0;

    untold[kind] += ret >= 0 ? 1 : 0;
    if (ret < 0 || (kind != CALL_CONNECT && kind != CALL_BIND && kind != CALL_ACCEPT))
        return;
    while (known[i].used)
        i++;
    known[i].used = true;
    known[i].id = (uint64_t)ret;
}

static void ended(uint64_t id)
{
    for (uint32_t i = 0; i < IDS; i++)
        known[i].used &= known[i].id != id;
}

static void call_something(void)
{
    static char bytes[5000];
    uint64_t id = known[random_below(IDS)].id; /* alive, dead, or never born */

    switch (room_for_one() ? random_below(9) : 4 + random_below(5)) {
    case 0: began(CALL_CONNECT, pair_connect_begin(&pair, 80)); return;
    case 1: began(CALL_BIND, pair_bind_begin(&pair, 80)); return;
    case 2: began(CALL_ACCEPT, pair_accept_begin(&pair, id)); return;
    case 3: began(CALL_LISTEN, pair_listen_begin(&pair, id)); return;
    case 4: began(CALL_POLL, pair_poll_begin(&pair, id)); return;
    case 5:
    case 6: began(CALL_RELEASE, pair_release(&pair, id)); return;
    case 7:
        assert_true(pair_send(&pair, id, bytes, random_below(sizeof(bytes))) >= -ERR_MAX);
        return;
    default: assert_true(pair_recv(&pair, id, bytes, 1 + random_below(999)) >= -ERR_MAX); return;
    }
}

/* What was told since the last time: each end belongs to a call that was begun. */
static void take_upcalls(void)
{
    for (uint32_t i = 0; i < pair.log_count; i++) {
        const struct act *act = &pair.log[i];
        assert_int_not_equal(act->kind, ACT_GONE);
        if (act->kind != ACT_DONE)
            continue;
        assert_true(--untold[act->done.call] >= 0);
        told_by_kind[act->done.ret < 0]++;
        if (act->done.call == CALL_RELEASE ||
            (act->done.ret < 0 && act->done.call != CALL_LISTEN && act->done.call != CALL_POLL))
            ended(act->done.sock);
    }
    pair_forget(&pair);
}

/* ---- the backend ----------------------------------------------------------------------------- */

static void take_requests(void)
{
    struct call call;

    while (rogue_request(&back, &call)) {
        for (uint32_t i = 0; i < waiting_count; i++)
            assert_int_not_equal(waiting[i].id, call.id); /* ids of the outstanding are unique */
        assert_true(waiting_count < cmdring_size(spoken->request_bytes));
        waiting[waiting_count++] = call;
    }
}

static void map_some(const struct call *call, uint64_t sockid)
{
    for (uint32_t i = 0; i < MAPS; i++) {
        if (maps[i].used)
            continue;
        rogue_map(&back, call, &maps[i].data);
        maps[i].used = true;
        maps[i].sockid = sockid;
        return;
    }
}

/* All maps, or those of one socket. */
static void unmap(bool all, uint64_t sockid)
{
    for (uint32_t i = 0; i < MAPS; i++) {
        if (!maps[i].used || (!all && maps[i].sockid != sockid))
            continue;
        rogue_unmap(&back, &maps[i].data);
        maps[i].used = false;
    }
}

static int32_t random_result(enum call_kind kind)
{
    static const int32_t errors[] = {-ERR_CONNREFUSED, -ERR_INVAL, -ERR_BADF, -ERR_MAX};

    return one_in(kind == CALL_LISTEN || kind == CALL_BIND ? 8 : 3) ? errors[random_below(4)] : 0;
}

/* Answer any of what waits. */
static void answer_one(void)
{
    if (waiting_count == 0)
        return;
    uint32_t pick = random_below(waiting_count);
    struct call call = waiting[pick];
    int32_t ret = random_result(call.kind);

    waiting[pick] = waiting[--waiting_count];
    if ((call.kind == CALL_CONNECT || call.kind == CALL_ACCEPT) && !one_in(4))
        map_some(&call, call.kind == CALL_ACCEPT ? call.new_sockid : call.sockid);
    if (call.kind == CALL_RELEASE && !one_in(4)) /* else it keeps them, and they are quarantined */
        unmap(false, call.sockid);
    rogue_answer(&back, &(struct call_reply){call.id, call.code, call.sockid, ret});
}

static void touch_data(void)
{
    uint32_t pick = random_below(MAPS);
    struct rogue_data *data = &maps[pick].data;

    if (!maps[pick].used)
        return;
    const uint32_t words[] = {data->at.in.prod, data->at.out.cons};
    uint32_t word = words[random_below(2)], now = shared_load(&data->area, word);
    shared_store(&data->area, word, one_in(50) ? 0x80000000 : now + random_below(300));
    if (one_in(20))
        shared_store(&data->area, one_in(2) ? data->at.in.error : data->at.out.error,
                     (uint32_t)random_state);
    hv_notify(pair.back_hv, data->port);
}

/* ---- both ------------------------------------------------------------------------------------ */

static void random_calls(void)
{
    for (uint32_t i = 0; i < CALLS; i++) {
        call_something();
        if (one_in(3))
            pair_run(&pair);
        take_requests();
        if (one_in(2))
            answer_one();
        if (one_in(4))
            touch_data();
        if (one_in(1000))
            unmap(true, 0);                      /* it forgets its sockets */
        pair.now_ns += random_below(1000000000); /* lingers end */
        take_upcalls();
    }
}

/* What is left is released, and the backend answers all. */
static void end(void)
{
    for (uint32_t i = 0; i < IDS; i++)
        if (known[i].used)
            began(CALL_RELEASE, pair_release(&pair, known[i].id));
    for (uint32_t round = 0; fe_counters(pair.fe)->sockets_now > 0; round++) {
        assert_true(round < 10000);
        pair.now_ns += 1000000000;
        pair_run(&pair);
        take_requests();
        answer_one();
        take_upcalls();
    }
    for (uint32_t kind = 0; kind < CALL_KINDS; kind++)
        assert_int_equal(untold[kind], 0);
    for (uint32_t i = 0; i < pair.front_fault_count; i++)
        assert_int_equal(pair.front_faults[i].reason, FAULT_BYTERING_WINDOW);
    assert_true(pair.front_fault_count > 0);
    assert_true(told_by_kind[0] > CALLS / 20 && told_by_kind[1] > CALLS / 20); /* the mix */
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_int_equal(pair.front_hv->counters.ports_now, 1);
}

static void random_back(void **state)
{
    (void)state;
    random_state = 0x13198a2e03707344u;
    memset(told_by_kind, 0, sizeof(told_by_kind));
    rogue_back_open_in(&back, &pair, spoken, 1);
    random_calls();
    end();
    unmap(true, 0);
    rogue_back_close(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_back),
    };

    int failed = 0;

    for (uint32_t i = 0; (spoken = dialect_at(i)); i++)
        failed += cmocka_run_group_tests_name(spoken->name, tests, NULL, NULL);
    return !!failed;
}
