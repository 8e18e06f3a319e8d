/* Sizes by distribution in a scenario: what good files give, what is said about bad ones, to the
 * letter, and what is noted of numbers that are cut. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/sim/run/scenario_fixture.h"

static void bad(void **state)
{
    (void)state;
    assert_int_equal(load("bad-draws.yaml"), -1);
    assert_printed("bad-draws.txt");
}

static void good(void **state)
{
    const struct scenario_workload *pages = &scenario.workloads[0];

    (void)state;
    assert_int_equal(load("good-draws.yaml"), 0);
    assert_int_equal(diags.count, 0);
    assert_int_equal(scenario.peers[0].kind, SCENARIO_PEER_RESPONDER);
    assert_int_equal(pages->request.kind, DRAW_UNIFORM);
    assert_true(pages->request.min == 16 && pages->request.max == 2048);
    assert_int_equal(pages->response.kind, DRAW_LOGNORMAL);
    assert_true(pages->response.median == 4096 && pages->response.p99 == 65536);
    assert_true(pages->response.max == 2097152);
    assert_true(scenario.workloads[1].request.value == 16);
    assert_false(draw_is_given(&scenario.workloads[1].response));
    assert_int_equal(scenario.workloads[2].request.kind, DRAW_EXPONENTIAL);
    assert_true(scenario.workloads[2].request.max == 16777216);
    assert_true(scenario.workloads[3].write.kind == DRAW_FIXED);
    assert_true(scenario.workloads[3].write.value == 4096);
}

/* --set puts a distribution where a size was, and the other way round. */
static void overrides(void **state)
{
    static const char *const sets[] = {"workload.pages.request=17",
                                       "workload.same.response.kind=exponential",
                                       "workload.same.response.mean=1KiB"};

    (void)state;
    assert_int_equal(scenario_load(&scenario, "good-draws.yaml", sets, 3, &diags), 0);
    assert_true(scenario.workloads[0].request.kind == DRAW_FIXED);
    assert_true(scenario.workloads[0].request.value == 17);
    assert_true(scenario.workloads[1].response.mean == 1024);
}

/* What is written is resolved: a fixed one to a number, as ever, the others to all of theirs. */
static void resolved(void **state)
{
    static const char *const expected =
        "[{\"kind\": \"uniform\", \"min_bytes\": 16, \"max_bytes\": 2048}, "
        "{\"kind\": \"lognormal\", \"median_bytes\": 4096, \"p99_bytes\": 65536, "
        "\"max_bytes\": 2097152}, 16, null, 4096]";
    static const struct {
        size_t workload;
        const char *key;
    } of[] = {{0, "request_bytes"},
              {0, "response_bytes"},
              {1, "request_bytes"},
              {1, "response_bytes"},
              {3, "write_size_bytes"}};
    json_t *list = json_array();

    (void)state;
    assert_int_equal(load("good-draws.yaml"), 0);
    json_t *json = scenario_json(&scenario), *workloads = json_object_get(json, "workload");
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        json_array_append(list,
                          json_object_get(json_array_get(workloads, of[i].workload), of[i].key));
    char *text = json_dumps(list, 0);
    assert_string_equal(text, expected);
    free(text);
    json_decref(list);
    json_decref(json);
}

/* What would be cut off is said where it is more than one in a million. */
static void notes(void **state)
{
    static const char *const sets[] = {"workload.pages.response.max=128KiB",
                                       "workload.echoes.connect_to=server"};

    (void)state;
    for (uint32_t i = 0; i < 2; i++, finish(state)) {
        assert_int_equal(load_with("good-draws.yaml", sets[i]), 0);
        assert_int_equal(diags.errors, 0);
        assert_int_equal(diags.count, 1);
        assert_string_equal(diags.entries[0].message,
                            i == 0 ? "more than 0.1% of 'response' would be above 128KiB, and are "
                                     "that instead"
                                   : "more than 1% of 'request' would be below 16B, and are that "
                                     "instead");
    }
}

/* Each end of a range is in it; its neighbours are not. */
static void ranges(void **state)
{
    static const struct {
        const char *set;
        int result;
    } all[] = {{"request=16", 0},         {"request=15", -1},          {"request=16MiB", 0},
               {"request=16777217", -1},  {"request=0", -1},           {"response=1", 0},
               {"response=0", -1},        {"response.max=16MiB", 0},   {"response.max=4KiB", 0},
               {"response.max=4095", -1}, {"response.p99=4KiB", 0},    {"response.p99=4095", -1},
               {"request.min=2KiB", 0},   {"request.min=2049", -1},    {"request.min=15", -1},
               {"response.median=1", 0},  {"response.median=0", -1},   {"response.mean=7", -1},
               {"response.size=7", -1},   {"response.kind=fixed", -1}, {"connect_to=echo", -1}};
    char set[64];

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        snprintf(set, sizeof(set), "workload.pages.%s", all[i].set);
        if (load_with("good-draws.yaml", set) != all[i].result)
            fail_msg("%s", set);
        finish(state);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad, start, finish),
        cmocka_unit_test_setup_teardown(good, start, finish),
        cmocka_unit_test_setup_teardown(overrides, start, finish),
        cmocka_unit_test_setup_teardown(resolved, start, finish),
        cmocka_unit_test_setup_teardown(notes, start, finish),
        cmocka_unit_test_setup_teardown(ranges, start, finish),
    };

    return !!cmocka_run_group_tests_name("scenario_draws", tests, NULL, NULL);
}
