/* Faults of a scenario: what a good file gives, and what is said about a bad one, to the letter. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/sim/run/scenario_fixture.h"

static void bad(void **state)
{
    (void)state;
    assert_int_equal(load("bad-faults.yaml"), -1);
    assert_printed("bad-faults.txt");
}

static void good(void **state)
{
    const struct scenario_fault *faults = scenario.faults;

    (void)state;
    assert_int_equal(load("good-faults.yaml"), 0);
    assert_int_equal(scenario.fault_count, 5);
    assert_true(scenario_cuts(&scenario));
    assert_int_equal(faults[0].kind, SCENARIO_FAULT_KILL);
    assert_int_equal(faults[0].host, 1);
    assert_int_equal(faults[0].guest, 2);
    assert_int_equal(faults[1].host, 0);
    assert_int_equal(faults[1].guest, UINT32_MAX);
    assert_int_equal(faults[1].at_ns, 5000000);
    assert_int_equal(faults[1].for_ns, 2000000);
    assert_int_equal(faults[1].every_ns, 20000000);
    assert_int_equal(faults[1].times, 3);
    assert_int_equal(faults[2].for_ns + faults[2].every_ns + faults[2].times, 0);
    assert_int_equal(faults[3].kind, SCENARIO_FAULT_PAUSE);
    assert_int_equal(faults[4].host, SCENARIO_HOSTS_MAX);
}

/* In virtual time the hypervisor is no process. */
static void no_process(void **state)
{
    (void)state;
    assert_int_equal(load_with("good-faults.yaml", "mode=virtual"), -1);
    assert_int_equal(diags.errors, 1);
    assert_int_equal(diags.entries[0].code, DIAG_NOT_VIRTUAL);
    assert_int_equal(diags.entries[0].place.line, 18);
    assert_int_equal(diags.entries[0].place.column, 25);
}

/* Who only stands still cuts no connection. */
static void pauses_cut_nothing(void **state)
{
    (void)state;
    assert_int_equal(load("good-faults.yaml"), 0);
    for (uint32_t i = 0; i < scenario.fault_count; i++)
        scenario.faults[i].kind = SCENARIO_FAULT_PAUSE;
    assert_false(scenario_cuts(&scenario));
}

/* Who is struck, or whose backend is, and those that talk to them. */
static void others_lose_nothing(void **state)
{
    (void)state;
    assert_int_equal(load("far-faults.yaml"), 0);
    assert_true(scenario_cuts(&scenario));
    assert_false(scenario_cuts_host(&scenario, 2)); /* left: its backend stands still once */
    assert_true(scenario_cuts_host(&scenario, 3));  /* right: its backend dies */
    assert_true(scenario_cuts_host(&scenario, 4));  /* one of its guests does */
    assert_false(scenario_cuts_peer(&scenario, 0));
    assert_false(scenario_cuts_peer(&scenario, 1)); /* calls left */
    assert_true(scenario_cuts_peer(&scenario, 2));  /* two hosts talk to it */
    assert_true(scenario_cuts_peer(&scenario, 3));
    scenario.faults[0].host = SCENARIO_HOSTS_MAX;
    assert_true(scenario_cuts_host(&scenario, 2));
    assert_true(scenario_cuts_peer(&scenario, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad, start, finish),
        cmocka_unit_test_setup_teardown(good, start, finish),
        cmocka_unit_test_setup_teardown(no_process, start, finish),
        cmocka_unit_test_setup_teardown(pauses_cut_nothing, start, finish),
        cmocka_unit_test_setup_teardown(others_lose_nothing, start, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
