/* Workloads that come and go: what good files give, what is said about bad ones, to the letter, and
 * which sockets have to have room together. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/sim/run/scenario_fixture.h"

static void bad(void **state)
{
    (void)state;
    assert_int_equal(load("bad-phases.yaml"), -1);
    assert_printed("bad-phases.txt");
}

static void good(void **state)
{
    (void)state;
    assert_int_equal(load("good-phases.yaml"), 0);
    assert_int_equal(diags.count, 0);
    assert_true(scenario.workloads[0].start_ns == 0 && scenario.workloads[0].stop_ns == 300000000);
    assert_true(scenario.workloads[1].start_ns == 300000000);
    assert_true(scenario.workloads[2].stop_ns == 0);
}

/* 511 sockets have room at once (xensock-scenario(5)): who goes when others come makes some. */
static void room(void **state)
{
    static const struct {
        const char *set;
        int result;
    } all[] = {{"first.stop=301ms", -1},  {"second.start=299ms", -1}, {"second.sockets=511", -1},
               {"second.sockets=510", 0}, {"first.sockets=510", 0},   {"first.sockets=511", -1}};
    char set[64];

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        snprintf(set, sizeof(set), "workload.%s", all[i].set);
        if (load_with("good-phases.yaml", set) != all[i].result)
            fail_msg("%s", set);
        assert_true(all[i].result == 0 || diags.entries[0].code == DIAG_NO_ROOM);
        finish(state);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad, start, finish),
        cmocka_unit_test_setup_teardown(good, start, finish),
        cmocka_unit_test_setup_teardown(room, start, finish),
    };

    return !!cmocka_run_group_tests_name("scenario_phases", tests, NULL, NULL);
}
