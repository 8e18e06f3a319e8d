/* A study's result: runs put in, taken over and replaced; what is summed up, and the verdict, all
 * over runs that stand here by hand. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/study_result.h"
#include "tests/sim/run/study_fixture.h"

#define SWEEP                                                                                      \
    "sweep: {order: {path: protocol.order, values: [1, 3]}}\n"                                     \
    "repeat: {count: 3}\n"

static json_t *result;

static int drop(void **state)
{
    json_decref(result);
    result = NULL;
    return end(state);
}

static json_t *begin(const char *rest)
{
    static const struct study_part all;

    load_good(rest);
    json_decref(result);
    result = study_result_begin(&study, &all, &diags);
    assert_non_null(result);
    return result;
}

/* What a run gave: its throughput, in MB/s, its latency, in us, and the code of an error, each left
 * out if it is 0 or NULL. */
struct gave {
    int rate, latency;
    const char *error;
    int code;
};

static void put(uint32_t point, uint32_t repeat, struct gave gave)
{
    json_t *metrics = json_object(), *errors = json_array(), *run;

    if (gave.rate)
        json_object_set_new(metrics, "throughput.put",
                            json_pack("{s:s, s:I}", "unit", "bytes_per_s", "value",
                                      (json_int_t)gave.rate * 1000000));
    if (gave.latency)
        json_object_set_new(metrics, "latency.ask",
                            json_pack("{s:s, s:i, s:i, s:i, s:s}", "unit", "ns", "count", 3, "p99",
                                      gave.latency * 1000, "max", gave.latency * 2000, "hdr_v2",
                                      "none"));
    if (gave.error)
        json_array_append_new(errors,
                              json_pack("{s:s, s:s}", "code", gave.error, "message", "it broke"));
    run =
        json_pack("{s:b, s:{s:s}, s:{s:s}, s:i, s:[{s:[{s:i, s:o, s:{}, s:[]}]}], s:o}", "complete",
                  gave.code != 130, "tool", "version", "1", "host", "cpu", "c", "seed", 9, "points",
                  "repeats", "i", 0, "metrics", metrics, "counters", "processes", "errors", errors);
    assert_non_null(run);
    study_result_add(result, &study, &(struct study_run){point, repeat, gave.code}, run);
    json_decref(run);
}

#define add(point, repeat, ...) put(point, repeat, (struct gave){__VA_ARGS__})

static json_int_t number_at(const char *key, size_t i, const char *list, size_t j, const char *of)
{
    const json_t *at = json_array_get(json_object_get(result, key), i);

    if (list)
        at = json_array_get(json_object_get(at, list), j);
    return json_integer_value(json_object_get(at, of));
}

static const char *result_of(size_t expectation)
{
    const json_t *at = json_array_get(json_object_get(result, "expectations"), expectation);

    return json_string_value(json_object_get(at, "result"));
}

static const json_t *case_of(size_t expectation, size_t i)
{
    const json_t *at = json_array_get(json_object_get(result, "expectations"), expectation);

    return json_array_get(json_object_get(at, "cases"), i);
}

static const char *why(size_t expectation, size_t i)
{
    return json_string_value(json_object_get(case_of(expectation, i), "why"));
}

/* ---- putting in ---- */

/* In whatever order they come, points and repeats are in theirs; one that is put in again replaces
 * the first with its errors. */
static void order(void **state)
{
    (void)state;
    begin(SWEEP);
    add(1, 2, 5, 0, "E0503", 1);
    add(0, 1, 4, 0, "E0502", 1);
    add(1, 0, 3, 0, NULL, 0);
    add(0, 0, 2, 0, "E0501", 1);
    assert_int_equal(number_at("points", 0, NULL, 0, "id"), 0);
    assert_int_equal(number_at("points", 1, NULL, 0, "id"), 1);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(number_at("points", 0, "repeats", i, "i"), i);
        assert_int_equal(number_at("points", 1, "repeats", i, "i"), 2 * i);
    }
    for (size_t i = 0; i < 3; i++) { /* as the runs */
        char code[8];
        snprintf(code, sizeof(code), "E050%zu", i + 1);
        assert_string_equal(json_string_value(json_object_get(
                                json_array_get(json_object_get(result, "errors"), i), "code")),
                            code);
    }
    assert_true(study_result_has(result, 1, 2) && !study_result_has(result, 1, 1));
    add(0, 1, 7, 0, NULL, 0);
    assert_int_equal(json_array_size(json_object_get(result, "errors")), 2);
    assert_int_equal(json_array_size(json_object_get(
                         json_array_get(json_object_get(result, "points"), 0), "repeats")),
                     2);
    assert_int_equal(number_at("points", 0, "repeats", 1, "code"), 0);
}

/* What is taken over of another result: what ended by itself, or all, with its errors. */
static void taking(void **state)
{
    json_t *from;

    (void)state;
    from = json_incref(begin(SWEEP));
    add(0, 0, 1, 0, "E0501", 1);
    add(0, 1, 1, 0, "E0601", 130);
    add(1, 0, 1, 0, NULL, 0);
    begin(SWEEP);
    add(0, 0, 2, 0, "E0502", 1);
    study_result_take(result, &study, from, true);
    assert_true(study_result_has(result, 0, 0) && study_result_has(result, 1, 0));
    assert_false(study_result_has(result, 0, 1));
    assert_int_equal(json_array_size(json_object_get(result, "errors")), 1);
    study_result_take(result, &study, from, false);
    assert_true(study_result_has(result, 0, 1));
    assert_int_equal(json_array_size(json_object_get(result, "errors")), 2);
    assert_true(json_equal(json_object_get(result, "points"), json_object_get(from, "points")));
    assert_true(json_equal(json_object_get(result, "errors"), json_object_get(from, "errors")));
    json_decref(from);
}

/* A result that somebody wrote over is no result of the study. */
static void fits(void **state)
{
    static const struct {
        const char *points, *errors;
        bool fits;
    } all[] = {
        {"[{\"id\": 1, \"repeats\": [{\"i\": 2, \"code\": 0}]}]", "[]", true},
        {"[{\"id\": 2, \"repeats\": [{\"i\": 2, \"code\": 0}]}]", "[]", false},
        {"[{\"id\": -1, \"repeats\": [{\"i\": 2, \"code\": 0}]}]", "[]", false},
        {"[{\"id\": \"0\", \"repeats\": [{\"i\": 2, \"code\": 0}]}]", "[]", false},
        {"[{\"id\": 1, \"repeats\": [{\"i\": 3, \"code\": 0}]}]", "[]", false},
        {"[{\"id\": 1, \"repeats\": [{\"i\": 0}]}]", "[]", false},
        {"[{\"id\": 1, \"repeats\": [3]}]", "[]", false},
        {"[]", "[{\"code\": \"E0501\", \"point\": 1, \"repeat\": 2}]", true},
        {"[]", "[{\"code\": \"E0501\"}]", true},
        {"[]", "[{\"code\": \"E0501\", \"point\": 1}]", false},
        {"[]", "[{\"code\": \"E0501\", \"point\": 9, \"repeat\": 2}]", false},
        {"[]", "[{\"point\": 1, \"repeat\": 2}]", false},
    };
    char text[512];

    (void)state;
    load_good(SWEEP);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        snprintf(text, sizeof(text), "{\"points\": %s, \"errors\": %s}", all[i].points,
                 all[i].errors);
        json_t *from = json_loads(text, 0, NULL);
        assert_non_null(from);
        if (study_result_fits(&study, from) != all[i].fits)
            fail_msg("%s", text);
        json_decref(from);
    }
}

/* Every run is of one shard, and each shard has as many as the others, or one more. */
static void shards(void **state)
{
    (void)state;
    load_good(SWEEP);
    for (uint32_t count = 1; count <= 8; count++) {
        uint32_t of[9] = {0}, all = 0;
        for (uint32_t run = 0; run < 6; run++)
            for (uint32_t index = 1; index <= count; index++) {
                struct study_part part = {.index = index, .count = count};
                of[index] += study_part_has(&study, &part, run / 3, run % 3);
            }
        for (uint32_t index = 1; index <= count; index++) {
            assert_in_range(of[index], 6 / count, 6 / count + 1);
            all += of[index];
        }
        assert_int_equal(all, 6);
    }
}

/* ---- summing up ---- */

static void summary(void **state)
{
    const json_t *of, *rate, *p99;

    (void)state;
    begin(SWEEP);
    add(0, 0, 0, 0, "E0501", 5); /* the first failed before it had anything */
    add(0, 1, 30, 7, NULL, 0);
    add(0, 2, 10, 5, NULL, 0);
    add(1, 0, 10, 5, NULL, 0);
    add(1, 1, 20, 5, NULL, 0);
    add(1, 2, 90, 5, NULL, 0);
    study_result_judge(result, &study, true);
    of = json_object_get(json_array_get(json_object_get(result, "points"), 0), "summary");
    rate = json_object_get(of, "throughput.put");
    json_t *wanted = json_pack("{s:s, s:i, s:i, s:i, s:i}", "unit", "bytes_per_s", "n", 2, "median",
                               20000000, "least", 10000000, "most", 30000000);
    assert_true(json_equal(rate, wanted));
    json_decref(wanted);
    p99 = json_object_get(of, "latency.ask.p99");
    assert_string_equal(json_string_value(json_object_get(p99, "unit")), "ns");
    assert_int_equal(json_integer_value(json_object_get(p99, "median")), 6000);
    assert_null(json_object_get(of, "latency.ask.p50")); /* nobody had one */
    of = json_object_get(json_array_get(json_object_get(result, "points"), 1), "summary");
    const json_t *ci95 = json_object_get(json_object_get(of, "throughput.put"), "ci95");
    assert_int_equal(json_integer_value(json_array_get(ci95, 0)), 10000000);
    assert_int_equal(json_integer_value(json_array_get(ci95, 1)), 90000000);
}

/* ---- the verdict ---- */

/* Of the repeats that failed the worst is shown, with its number; of those that hold the nearest.
 */
static void worst(void **state)
{
    (void)state;
    begin(SWEEP "expect:\n"
                "  - {name: slow, that: p99(latency.ask) <= 6us}\n"
                "  - {name: fast, that: throughput.put >= 20MB/s}\n"
                "  - {name: both, that: median(throughput.put) @ order=3 > 1MB/s}\n"
                "  - {name: here, that: median(throughput.put) >= 25MB/s, when: order == 1}\n");
    add(0, 0, 30, 9, NULL, 0);
    add(0, 1, 20, 7, NULL, 0);
    add(0, 2, 40, 6, NULL, 0);
    add(1, 0, 30, 1, NULL, 0);
    add(1, 1, 10, 2, NULL, 0);
    add(1, 2, 30, 3, NULL, 0);
    assert_int_equal(study_result_judge(result, &study, true), 1);
    assert_string_equal(result_of(0), "fail");
    assert_string_equal(why(0, 0),
                        "9.00 us in repeat 0, wanted <= 6.00 us; fails in 2 of 3 repeats");
    assert_int_equal(json_integer_value(json_object_get(case_of(0, 0), "repeat")), 0);
    assert_int_equal(json_integer_value(json_object_get(case_of(0, 0), "failed")), 2);
    assert_int_equal(json_integer_value(json_object_get(case_of(0, 0), "of")), 3);
    assert_string_equal(why(0, 1), "3.00 us <= 6.00 us");
    assert_string_equal(why(1, 0), "20.0 MB/s >= 20.0 MB/s");
    assert_string_equal(why(1, 1), "10.0 MB/s in repeat 1, wanted >= 20.0 MB/s");
    /* of no point: once, and of none */
    assert_string_equal(result_of(2), "pass");
    assert_true(json_is_null(json_object_get(case_of(2, 0), "point")));
    assert_null(case_of(2, 1));
    /* only where it is wanted */
    assert_string_equal(why(3, 0), "30.0 MB/s >= 25.0 MB/s");
    assert_null(json_object_get(case_of(3, 0), "repeat"));
    assert_null(case_of(3, 1));
}

/* What has no value is no success, wherever among the repeats it is; what was not run is nothing.
 */
static void unknown(void **state)
{
    (void)state;
    begin(SWEEP "expect: [{name: slow, that: p99(latency.ask) <= 6us}]\n");
    add(0, 0, 30, 0, NULL, 0);
    add(0, 1, 30, 5, NULL, 0);
    add(0, 2, 30, 5, NULL, 0);
    assert_int_equal(study_result_judge(result, &study, true), 1);
    assert_string_equal(result_of(0), "unknown");
    assert_string_equal(why(0, 0), "latency.ask has no value in repeat 0; fails in 1 of 3 repeats");
    assert_null(case_of(0, 1));
    begin(SWEEP "expect: [{name: slow, that: p99(latency.ask) <= 6us}]\n");
    assert_int_equal(study_result_judge(result, &study, false), 0);
    assert_null(case_of(0, 0));
}

/* An error that is expected is no failure, only where it is, and one that is missing is. */
static void expected_errors(void **state)
{
#define EXPECTED SWEEP "expect: [{name: broken, error: E0501, when: order == 3}]\n"
    (void)state;
    begin(EXPECTED);
    add(0, 0, 1, 1, NULL, 0);
    for (uint32_t repeat = 0; repeat < 3; repeat++)
        add(1, repeat, 1, 1, "E0501", 5);
    assert_int_equal(study_result_judge(result, &study, true), 0);
    assert_string_equal(result_of(0), "pass");
    assert_string_equal(why(0, 0), "E0501");
    assert_true(json_is_true(
        json_object_get(json_array_get(json_object_get(result, "errors"), 0), "expected")));
    add(1, 1, 1, 1, NULL, 0);
    assert_int_equal(study_result_judge(result, &study, true), 1);
    assert_string_equal(why(0, 0), "no E0501 in repeat 1; fails in 1 of 3 repeats");
    add(1, 1, 1, 1, "E0502", 5); /* another one */
    assert_int_equal(study_result_judge(result, &study, true), 5);
    begin(EXPECTED);
    add(0, 0, 1, 1, "E0501", 5); /* elsewhere */
    assert_int_equal(study_result_judge(result, &study, true), 5);
}

/* The worst of the runs' codes, an interruption before all. */
static void codes(void **state)
{
    static const struct {
        int a, b, all;
    } all[] = {{0, 0, 0},   {0, 1, 1},    {1, 2, 2},      {2, 3, 3},     {3, 5, 5}, {5, 77, 77},
               {5, 70, 70}, {77, 70, 70}, {70, 130, 130}, {1, 130, 130}, {5, 3, 5}};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        begin(SWEEP);
        add(0, 0, 1, 1, NULL, all[i].a);
        add(1, 2, 1, 1, NULL, all[i].b);
        assert_int_equal(study_result_judge(result, &study, true), all[i].all);
    }
    begin(SWEEP "expect: [{name: fast, that: throughput.put >= 2MB/s}]\n");
    add(0, 0, 1, 1, NULL, 5);
    assert_int_equal(study_result_judge(result, &study, true), 5);
}

/* Judged again it is the same. */
static void twice(void **state)
{
    json_t *first;

    (void)state;
    begin(EXPECTED "  \n");
    add(0, 0, 1, 1, NULL, 0);
    add(1, 0, 1, 1, "E0501", 5);
    assert_int_equal(study_result_judge(result, &study, true), 0);
    first = json_deep_copy(result);
    assert_int_equal(study_result_judge(result, &study, true), 0);
    assert_true(json_equal(first, result));
    json_decref(first);
    study_result_judge(result, &study, false);
    assert_true(json_is_false(json_object_get(result, "complete")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(order, drop),   cmocka_unit_test_teardown(taking, drop),
        cmocka_unit_test_teardown(fits, drop),    cmocka_unit_test_teardown(shards, drop),
        cmocka_unit_test_teardown(summary, drop), cmocka_unit_test_teardown(worst, drop),
        cmocka_unit_test_teardown(unknown, drop), cmocka_unit_test_teardown(expected_errors, drop),
        cmocka_unit_test_teardown(codes, drop),   cmocka_unit_test_teardown(twice, drop),
    };

    return !!cmocka_run_group_tests_name("study_result", tests, NULL, NULL);
}
