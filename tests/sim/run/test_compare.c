/* Comparisons of emulated results made by hand: every verdict, and the numbers behind them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/sim/run/compare_fixture.h"

#include "sim/time/prng.h"

/* The verdict on the throughputs a and b, and why if it is inconclusive. */
static void verdict_is(const int64_t *a, const int64_t *b, const char *verdict, const char *why)
{
    json_t *comparison = compare(runs_of(a), runs_of(b), &usual), *row = row_at(comparison, 0);

    has_text(row, "verdict", verdict);
    has_text(comparison, "verdict", verdict);
    assert_int_equal(compare_is_bad(comparison), strcmp(verdict, "worse") == 0);
    if (why)
        assert_non_null(strstr(json_string_value(json_object_get(row, "why")), why));
    else
        assert_null(json_object_get(row, "why"));
    json_decref(comparison);
}

/* ---- emulated ---- */

static void test_verdicts(void **state)
{
    (void)state;
    verdict_is(RUNS(1000, 1010, 1020, 1030, 1040), RUNS(900, 910, 920, 930, 940), "worse", NULL);
    verdict_is(RUNS(900, 910, 920, 930, 940), RUNS(1000, 1010, 1020, 1030, 1040), "better", NULL);
    verdict_is(RUNS(1000, 1010, 1020, 1030, 1040), RUNS(1001, 1011, 1021, 1031, 1041), "same",
               NULL);
    /* told apart for sure, by 2 %, which does not matter */
    verdict_is(RUNS(1000, 1001, 1002, 1003, 1004), RUNS(980, 981, 982, 983, 984), "same", NULL);
    /* five a side are the least: 2 of 252 is below 1 % */
    verdict_is(RUNS(1000, 1010, 1020, 1030), RUNS(900, 910, 920, 930), "inconclusive",
               "4 runs of one side; with so many metrics it takes 5");
    verdict_is(RUNS(1000), RUNS(1000), "inconclusive", "1 runs of one side");
    verdict_is(RUNS(500, 1000, 1500, 2000, 2500), RUNS(600, 900, 1400, 2100, 2600), "inconclusive",
               "too much noise");
    /* 4 of 252, and less by four fifths: one more of such runs, and it is 1 % */
    verdict_is(RUNS(1000, 1010, 1020, 1030, 1040), RUNS(200, 210, 220, 230, 1005), "inconclusive",
               "too much noise; about 6 runs might tell");
    /* every other run of A is 30 % faster, and B slower than all of them by 10 % only */
    verdict_is(RUNS(1000, 1300, 1001, 1301, 1002, 1302), RUNS(900, 901, 902, 903, 904, 905),
               "inconclusive", "halves of one side differ by 29.");
}

static void test_numbers(void **state)
{
    json_t *comparison = compare(runs_of(RUNS(1000, 1010, 1020, 1030, 1040)),
                                 runs_of(RUNS(900, 910, 920, 930, 940)), &usual);
    json_t *row = row_of(comparison, "throughput.bulk");

    (void)state;
    has_number(row, "a", 1020);
    has_number(row, "b", 920);
    has_number(row, "change_ppm", -98040); /* 920 / 1020 = 0.901960 */
    has_number(row, "p", 7936507936);      /* 2 of 252, one test */
    /* even runs of A: 1000 1020 1040, odd: 1010 1030, so 1020 and 1020; of B the same */
    has_number(row, "noise_ppm", 0);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(row, "runs"), 0)), 5);
    assert_in_range(json_integer_value(json_array_get(json_object_get(row, "ci95_ppm"), 0)), 865384,
                    901960);
    assert_in_range(json_integer_value(json_array_get(json_object_get(row, "ci95_ppm"), 1)), 901960,
                    940000);
    has_number(json_object_get(comparison, "settings"), "tests", 1);
    has_number(json_object_get(comparison, "settings"), "least_runs", 5);
    json_decref(comparison);
}

/* Five a side cannot tell among two metrics: 2 / 252 twice is more than 1 %. Six can. */
static json_t *two_metrics(int runs, int64_t up, int64_t ns)
{
    json_t *result = new_result("emulated"), *point = add_point(result, 0);

    for (int i = 0; i < runs; i++) {
        json_t *repeat = add_repeat(point);
        add_metric(repeat, "throughput.bulk", "bytes_per_s", up + i);
        json_object_set_new(json_object_get(repeat, "metrics"), "latency.ask",
                            json_pack("{s:s, s:i, s:I, s:I}", "unit", "ns", "count", 9, "p50",
                                      (json_int_t)ns + i % 3, "p99", (json_int_t)ns * 2 + i));
    }
    return result;
}

static void test_holm(void **state)
{
    json_t *comparison = compare(two_metrics(5, 1000, 500), two_metrics(5, 1000, 700), &usual);

    (void)state;
    has_number(json_object_get(comparison, "settings"), "tests", 3);
    has_number(json_object_get(comparison, "settings"), "least_runs", 6);
    has_text(comparison, "verdict", "inconclusive");
    json_decref(comparison);
    comparison = compare(two_metrics(6, 1000, 500), two_metrics(6, 1000, 700), &usual);
    has_text(row_of(comparison, "latency.ask.p99"), "verdict", "worse");
    has_number(row_of(comparison, "latency.ask.p99"), "p", 3 * INT64_C(2164502164)); /* 2 of 924 */
    /* the next is worth twice as much, but no less than the one before; its ties are within sides
     */
    has_number(row_of(comparison, "latency.ask.p50"), "p", 3 * INT64_C(2164502164));
    has_text(row_of(comparison, "throughput.bulk"), "verdict", "same");
    has_number(row_of(comparison, "throughput.bulk"), "p", STATS_P_ONE);
    /* what is worse comes first, the larger change before; the rest behind */
    has_text(row_at(comparison, 2), "name", "throughput.bulk");
    json_decref(comparison);
}

/* Four metrics of eight runs: lognormal, with a tenth as deviation; those of B times `percent`. */
static json_t *drawn(struct prng *prng, int percent)
{
    static const char *const names[] = {"throughput.a", "throughput.b", "throughput.c",
                                        "throughput.d"};
    json_t *result = new_result("emulated"), *point = add_point(result, 0);

    for (int i = 0; i < 8; i++) {
        json_t *repeat = add_repeat(point);
        for (int metric = 0; metric < 4; metric++) {
            uint64_t factor = prng_exp_q32(prng_normal_q32(prng) / 10);
            add_metric(repeat, names[metric], "bytes_per_s",
                       (int64_t)(prng_times_q32(1000000, factor) * (uint64_t)percent / 100));
        }
    }
    return result;
}

static int loud_of(struct prng *prng, int percent, int rounds)
{
    struct compare_options options = usual;
    int loud = 0;

    options.min_effect_ppm = 1; /* the test alone keeps it quiet, and the A/A floor */
    for (int i = 0; i < rounds; i++) {
        json_t *a = drawn(prng, 100);
        json_t *comparison = compare(a, drawn(prng, percent), &options);
        const char *verdict = compare_verdict(comparison);
        loud += strcmp(verdict, "worse") == 0 || strcmp(verdict, "better") == 0;
        json_decref(comparison);
    }
    return loud;
}

/* alpha is 1 % for all four together: of 100 one is to be expected at most, and five come up in one
 * of three hundred sequences; the sequence is always the same. */
static void test_false_alarms(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, "A/A", 0);
    assert_in_range(loud_of(&prng, 100, 100), 0, 4);
    assert_in_range(loud_of(&prng, 70, 20), 19, 20);
}

static void test_metrics_chosen(void **state)
{
    struct compare_options options = usual;
    json_t *comparison;

    (void)state;
    options.metrics[options.metric_count++] = "latency";
    comparison = compare(two_metrics(5, 1000, 500), two_metrics(5, 900, 700), &options);
    assert_int_equal(json_array_size(json_object_get(comparison, "rows")), 2);
    json_decref(comparison);
}

/* Wrong bytes are no noise, and measured nothing. */
static void test_failed_runs(void **state)
{
    json_t *a = runs_of(RUNS(1000, 1010, 1020, 1030, 1040));
    json_t *b = runs_of(RUNS(1, 1000, 1010, 1020, 1030, 1040));
    json_t *point = json_array_get(json_object_get(b, "points"), 0);
    json_t *repeat = json_array_get(json_object_get(point, "repeats"), 0);

    (void)state;
    json_object_set_new(repeat, "code", json_integer(5));
    json_t *comparison = compare(a, b, &usual);
    has_text(row_at(comparison, 0), "name", "failed_runs");
    has_text(row_at(comparison, 0), "verdict", "worse");
    has_number(row_at(comparison, 0), "b", 1);
    has_text(row_of(comparison, "throughput.bulk"), "verdict", "same");
    assert_true(compare_is_bad(comparison));
    json_decref(comparison);
}

static void test_one_side(void **state)
{
    json_t *a = new_result("emulated"), *b = new_result("emulated");

    (void)state;
    add_metric(add_repeat(add_point(a, 1)), "throughput.bulk", "bytes_per_s", 1);
    add_metric(add_repeat(add_point(b, 1)), "throughput.other", "bytes_per_s", 1);
    add_repeat(add_point(b, 2));
    json_t *comparison = compare(a, b, &usual);
    has_text(row_of(comparison, "throughput.bulk"), "why", "one side alone has measured it");
    has_text(row_of(comparison, "throughput.other"), "verdict", "inconclusive");
    assert_string_equal(json_string_value(json_array_get(json_object_get(comparison, "notes"), 0)),
                        "only B has the point {\"order\":2}");
    json_decref(comparison);
}

/* ---- what a run is worth ---- */

static void test_values(void **state)
{
    json_t *result = new_result("emulated"), *repeat = add_repeat(add_point(result, 0)), *values;

    (void)state;
    add_metric(repeat, "bytes.ask", "bytes", 1 << 20);
    add_metric(repeat, "operations.ask", "operations", 40);
    add_counter(repeat, "frontend.notifications", 50);
    add_counter(repeat, "backend.notifications", 31);
    json_object_set_new(
        repeat, "processes",
        json_pack("[{s:s, s:i, s:i}, {s:s, s:i, s:i}, {s:s, s:i, s:i}, {s:s, s:i, s:i}]", "name",
                  "frontend", "cpu_user_ns", 1000, "cpu_system_ns", 2000, "name", "backend",
                  "cpu_user_ns", 3000, "cpu_system_ns", 4000, "name", "peer.echo", "cpu_user_ns", 7,
                  "cpu_system_ns", 7, "name", "hypervisor", "cpu_user_ns", 7, "cpu_system_ns", 7));
    values = compare_values(repeat);
    has_number(json_object_get(values, "notifications_per_operation"), "value", 2025); /* 81 / 40 */
    has_number(json_object_get(values, "cpu_per_operation"), "value", 250);
    assert_null(json_object_get(values, "notifications_per_mib"));
    json_decref(values);
    add_metric(repeat, "bytes.bulk", "bytes", 2 << 20);
    add_metric(repeat, "operations.bulk", "operations", 0);
    values = compare_values(repeat);
    has_number(json_object_get(values, "notifications_per_mib"), "value", 27000); /* 81 / 3 */
    has_number(json_object_get(values, "cpu_per_mib"), "value", 3333);
    assert_null(json_object_get(values, "bytes.bulk"));
    json_decref(values);
    json_decref(result);
}

static void test_directions(void **state)
{
    (void)state;
    assert_int_equal(compare_direction("throughput.frontend"), 1);
    assert_int_equal(compare_direction("latency.ask.p99"), -1);
    assert_int_equal(compare_direction("latency.ask.count"), 0);
    assert_int_equal(compare_direction("backlog.ask"), -1);
    assert_int_equal(compare_direction("recovery.dom0"), -1);
    assert_int_equal(compare_direction("frontend.notifications"), -1);
    assert_int_equal(compare_direction("backend.cost.copy_ns"), -1);
    assert_int_equal(compare_direction("notifications_per_operation"), -1);
    assert_int_equal(compare_direction("bytes.bulk"), 0);
    assert_int_equal(compare_direction("throughputs.x"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),       cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_holm),           cmocka_unit_test(test_false_alarms),
        cmocka_unit_test(test_metrics_chosen), cmocka_unit_test(test_failed_runs),
        cmocka_unit_test(test_one_side),       cmocka_unit_test(test_values),
        cmocka_unit_test(test_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
