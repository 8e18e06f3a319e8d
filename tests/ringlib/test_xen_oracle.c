/*
 * Our rings against Xen's own public headers; what is done is in xen_oracle.h. Skipped where
 * Debian's libxen-dev is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef XENSOCK_XEN_HEADERS

#include "tests/ringlib/xen_oracle_numbers.h"

static void numbers_are_xens(void **state)
{
    (void)state;
    oracle_numbers();
    oracle_layouts();
}

static void states_are_xens(void **state)
{
    (void)state;
    oracle_states();
}

/* A request of ours is what Xen's struct says of its bytes, and the other way round. */
static void requests_mean_the_same(void **state)
{
    struct xen_pvcalls_request theirs;
    struct call call, got;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        memset(&call, 0, sizeof(call));
        memset(&theirs, 0, sizeof(theirs));
        call.kind = CALL_CONNECT;
        call.code = theirs.cmd = PVCALLS_CONNECT;
        call.id = theirs.req_id = oracle_below(UINT32_MAX);
        call.sockid = theirs.u.connect.id = (uint64_t)oracle_below(UINT32_MAX) << 32 | i;
        oracle_fill(theirs.u.connect.addr, sizeof(theirs.u.connect.addr));
        memcpy(call.addr.bytes, theirs.u.connect.addr, sizeof(call.addr.bytes));
        call.addr.len = theirs.u.connect.len = oracle_below(29);
        call.flags = theirs.u.connect.flags = oracle_below(UINT32_MAX);
        call.refs[0] = theirs.u.connect.ref = oracle_below(UINT32_MAX);
        call.evtchn = theirs.u.connect.evtchn = oracle_below(UINT32_MAX);
        unsigned char slot[sizeof(theirs)];
        dialect_pack_call(&dialect_pvcalls1, &call, slot);
        assert_memory_equal(slot, &theirs, sizeof(theirs));
        dialect_unpack_call(&dialect_pvcalls1, &theirs, &got);
        assert_memory_equal(&got, &call, sizeof(call));
    }
}

static void responses_mean_the_same(void **state)
{
    struct xen_pvcalls_response theirs, ours;
    struct call_reply reply, got;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        memset(&theirs, 0, sizeof(theirs));
        memset(&reply, 0, sizeof(reply));
        reply.id = theirs.req_id = oracle_below(UINT32_MAX);
        reply.code = theirs.cmd = oracle_below(7);
        reply.ret = theirs.ret = -(int32_t)oracle_below(525);
        reply.sockid = theirs.u.accept.id = (uint64_t)oracle_below(UINT32_MAX) << 32 | i;
        memset(&ours, 0xff, sizeof(ours));
        dialect_pack_reply(&dialect_pvcalls1, &reply, &ours);
        assert_memory_equal(&ours, &theirs, sizeof(theirs));
        memset(&got, 0, sizeof(got));
        dialect_unpack_reply(&dialect_pvcalls1, &theirs, &got);
        assert_memory_equal(&got, &reply, sizeof(reply));
    }
}

/* From the beginning, and across the wrap of the indexes. */
static void command_rings_decide_the_same(void **state)
{
    (void)state;
    oracle_command_rings(0, 200000);
    oracle_command_rings(0xffffff00u, 200000);
}

static void data_rings_carry_the_same(void **state)
{
    (void)state;
    for (uint32_t order = 1; order <= 9; order++)
        for (uint32_t which = 0; which < 4; which++)
            oracle_data_ring(order, which & 1, which >> 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_xens),
        cmocka_unit_test(states_are_xens),
        cmocka_unit_test(requests_mean_the_same),
        cmocka_unit_test(responses_mean_the_same),
        cmocka_unit_test(command_rings_decide_the_same),
        cmocka_unit_test(data_rings_carry_the_same),
    };

    return !!cmocka_run_group_tests_name("xen_oracle", tests, NULL, NULL);
}

#else

int main(void)
{
    print_message("libxen-dev is missing\n");
    return 77;
}

#endif
