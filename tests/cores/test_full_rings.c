/*
 * Rings that hold more than one step has actions for, as draft 1's eight slots never do: 32 in PV
 * Calls 1, 64 in the compact dialect. The rest is gone on with, unasked.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct dialect *const dialects[] = {&dialect_pvcalls1, &dialect_xensock1_compact};
static struct pair pair;
static struct rogue front, back;

static void take_answers(uint32_t count)
{
    struct call_reply reply;

    for (uint32_t i = 0; i < count; i++) {
        assert_true(rogue_reply(&front, &reply));
        assert_int_equal(reply.ret, 0);
    }
    assert_false(rogue_reply(&front, &reply));
}

static void a_ring_full_of_connects(void **state)
{
    struct rogue_data data[64];

    (void)state;
    for (uint32_t d = 0; d < 2; d++) {
        uint32_t slots = cmdring_size(dialects[d]->request_bytes);

        rogue_front_open_in(&front, &pair, dialects[d], 1);
        for (uint32_t i = 0; i < slots; i++) {
            rogue_share(&front, &data[i]);
            struct call call = rogue_connect(i, i, &data[i]);
            rogue_put(&front, &call);
        }
        rogue_kick(&front);
        assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), slots);
        pair_settle(&pair);
        take_answers(slots);
        for (uint32_t i = 0; i < slots; i++) {
            struct call call = {.id = i, .kind = CALL_RELEASE, .sockid = i};
            rogue_put(&front, &call);
        }
        rogue_kick(&front);
        take_answers(slots);
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
        rogue_front_close(&front);
    }
}

/* All that is asked is answered at once: how much that was. */
static uint32_t answer_all(int32_t ret)
{
    uint32_t bytes = back.dialect->request_bytes, count = 0;
    unsigned char slot[DIALECT_SLOT_MAX];
    struct call call;

    pair_run(&pair);
    for (; rogue_request(&back, &call); count++) {
        const struct call_reply reply = {call.id, call.code, call.sockid, ret};

        memset(slot, 0, sizeof(slot));
        dialect_pack_reply(back.dialect, &reply, slot);
        shared_fill(&back.page, CMDRING_SLOTS + back.prod++ % cmdring_size(bytes) * bytes, slot,
                    bytes);
    }
    rogue_store(&back, CMDRING_RSP_PROD, back.prod);
    rogue_kick(&back);
    return count;
}

/* So many connects, which succeed or fail at once; then so many releases, the application's or,
 * where a SOCKET was before, the quiet ones. */
static void connect_all(const struct dialect *dialect, int32_t ret)
{
    uint32_t parked = cmdring_size(dialect->request_bytes) - 1;
    bool makes = dialect_has(dialect, CALL_SOCKET);

    rogue_back_open_in(&back, &pair, dialect, 1);
    for (uint32_t i = 0; i < parked; i++)
        assert_true(pair_connect_begin(&pair, 80) >= 0);
    if (makes)
        assert_int_equal(answer_all(0), parked);
    assert_int_equal(answer_all(ret), parked);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), parked);
    for (uint32_t i = 0; ret == 0 && i < parked; i++)
        assert_int_equal(pair_release(&pair, pair.log[i].done.sock), 0);
    assert_int_equal(answer_all(0), ret == 0 || makes ? parked : 0);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), ret == 0 ? 2 * parked : parked);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_int_equal(pair.front_fault_count, 0);
    rogue_back_close(&back);
}

static void a_ring_full_of_answers(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        connect_all(dialects[i], 0);
        connect_all(dialects[i], -ERR_CONNREFUSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_full_of_connects),
        cmocka_unit_test(a_ring_full_of_answers),
    };

    return !!cmocka_run_group_tests_name("full_rings", tests, NULL, NULL);
}
