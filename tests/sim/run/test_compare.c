/* Comparisons of results made by hand: every verdict, every refusal, and the numbers behind them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/compare.h"

#include "sim/time/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct compare_options usual = {.alpha = COMPARE_ALPHA,
                                             .min_effect_ppm = COMPARE_MIN_EFFECT_PPM};

/* ---- results ---- */

static json_t *new_result(const char *mode)
{
    json_t *result =
        json_pack("{s:s, s:b, s:s, s:s, s:{s:s, s:{s:s, s:{s:i}}}, s:{s:s, s:i}, s:i, s:[], s:[]}",
                  "schema", "xensock/result/1", "complete", 1, "file", "x", "mode", mode,
                  "scenario", "xxh3", "0", "resolved", "name", "x", "protocol", "order", 6, "host",
                  "cpu", "C", "load_1m_milli", 5, "seed", 42, "points", "errors");

    assert_non_null(result);
    return result;
}

/* A point on the axis "order", or without axes if that is 0. */
static json_t *add_point(json_t *result, int order)
{
    json_t *points = json_object_get(result, "points"), *point;
    int id = (int)json_array_size(points);

    point = json_pack("{s:i, s:{}, s:[]}", "id", id, "axes", "repeats");
    if (order > 0) {
        json_object_set_new(result, "axes", json_pack("[{s:s}]", "name", "order"));
        json_object_set_new(json_object_get(point, "axes"), "order", json_integer(order));
    }
    json_array_append_new(points, point);
    return point;
}

static json_t *add_repeat(json_t *point)
{
    json_t *repeats = json_object_get(point, "repeats");

    json_array_append_new(repeats, json_pack("{s:i, s:i, s:i, s:{}, s:{}, s:[]}", "i",
                                             (int)json_array_size(repeats), "code", 0, "wall_ns",
                                             (int)rand(), "metrics", "counters", "processes"));
    return json_array_get(repeats, json_array_size(repeats) - 1);
}

static void add_metric(json_t *repeat, const char *name, const char *unit, int64_t value)
{
    json_object_set_new(json_object_get(repeat, "metrics"), name,
                        json_pack("{s:s, s:I}", "unit", unit, "value", (json_int_t)value));
}

static void add_counter(json_t *repeat, const char *name, int64_t value)
{
    json_object_set_new(json_object_get(repeat, "counters"), name, json_integer(value));
}

/* An emulated result with a throughput a run, in order; ends with 0. */
static json_t *runs_of(const int64_t *values)
{
    json_t *result = new_result("emulated"), *point = add_point(result, 0);

    for (; *values; values++)
        add_metric(add_repeat(point), "throughput.bulk", "bytes_per_s", *values);
    return result;
}

/* ---- looking at comparisons ---- */

/* Compares and lets go of both; it must not be refused. */
static json_t *compare(json_t *a, json_t *b, const struct compare_options *options)
{
    struct compare_refusal refusal = {0};
    json_t *comparison = compare_results(a, b, options, &refusal);

    if (!comparison)
        fail_msg("refused: %s %s", refusal.code, refusal.why);
    json_decref(a);
    json_decref(b);
    return comparison;
}

static json_t *row_at(const json_t *comparison, size_t i)
{
    json_t *row = json_array_get(json_object_get(comparison, "rows"), i);

    assert_non_null(row);
    return row;
}

static json_t *row_of(const json_t *comparison, const char *name)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(comparison, "rows"), i,
                       row) if (strcmp(json_string_value(json_object_get(row, "name")), name) ==
                                0) return row;
    fail_msg("no row %s", name);
    return NULL;
}

static void has_text(const json_t *object, const char *key, const char *text)
{
    assert_string_equal(json_string_value(json_object_get(object, key)), text);
}

static void has_number(const json_t *object, const char *key, int64_t number)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    assert_int_equal(json_integer_value(json_object_get(object, key)), number);
}

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

#define RUNS(...) ((const int64_t[]){__VA_ARGS__, 0})

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

/* ---- virtual time ---- */

static json_t *virtual_result(int64_t throughput, int64_t notifications, const char *trace)
{
    json_t *result = new_result("virtual"), *repeat = add_repeat(add_point(result, 2));

    add_metric(repeat, "throughput.bulk", "bytes_per_s", throughput);
    json_object_set_new(
        json_object_get(repeat, "metrics"), "latency.ask",
        json_pack("{s:s, s:i, s:i, s:s}", "unit", "ns", "count", 3, "p50", 9, "hdr_v2", trace));
    add_counter(repeat, "frontend.notifications", notifications);
    json_object_set_new(repeat, "trace", json_string(trace));
    return result;
}

static void test_virtual(void **state)
{
    json_t *comparison =
        compare(virtual_result(1000, 7, "t"), virtual_result(1000, 7, "t"), &usual);

    (void)state;
    has_text(comparison, "verdict", "equal");
    assert_false(compare_is_bad(comparison));
    json_decref(comparison);
    comparison = compare(virtual_result(1000, 8, "t"), virtual_result(1001, 9, "u"), &usual);
    has_text(comparison, "verdict", "different");
    assert_true(compare_is_bad(comparison));
    assert_int_equal(json_array_size(json_object_get(comparison, "rows")), 3);
    json_t *row = row_at(comparison, 0);
    has_text(row, "name", "frontend.notifications");
    has_text(row, "verdict", "worse");
    has_number(row, "change_ppm", 125000);
    has_number(row, "repeat", 0);
    has_number(json_object_get(row, "axes"), "order", 2);
    has_text(row_at(comparison, 1), "name", "throughput.bulk");
    has_text(row_at(comparison, 1), "verdict", "better");
    has_number(row_at(comparison, 1), "change_ppm", 1000);
    has_text(row_at(comparison, 2), "name", "trace");
    has_text(row_at(comparison, 2), "verdict", "different");
    json_decref(comparison);
}

static void test_virtual_lacks(void **state)
{
    json_t *a = virtual_result(1000, 7, "t"), *b = virtual_result(1000, 7, "t"), *comparison;

    (void)state;
    add_repeat(add_point(a, 3));
    add_repeat(add_point(b, 4));
    add_repeat(json_array_get(json_object_get(b, "points"), 0));
    add_metric(json_array_get(
                   json_object_get(json_array_get(json_object_get(a, "points"), 0), "repeats"), 0),
               "sent.door", "bytes", 5);
    comparison = compare(a, b, &usual);
    has_text(comparison, "verdict", "different");
    assert_int_equal(json_array_size(json_object_get(comparison, "rows")), 4);
    has_text(row_at(comparison, 0), "name", "repeat");
    has_text(row_at(comparison, 0), "a", "absent");
    has_number(row_at(comparison, 0), "repeat", 1);
    has_text(row_at(comparison, 1), "name", "point");
    has_text(row_at(comparison, 1), "b", "absent");
    has_text(row_at(comparison, 2), "name", "point");
    has_text(row_at(comparison, 2), "a", "absent");
    has_text(row_at(comparison, 3), "name", "sent.door");
    assert_true(json_is_null(json_object_get(row_at(comparison, 3), "b")));
    json_decref(comparison);
}

/* Verdicts that fell, and how a run ended, stand before all numbers. */
static void test_virtual_verdicts(void **state)
{
    json_t *a = virtual_result(1000, 7, "t"), *b = virtual_result(1000, 700, "t"), *comparison;
    json_t *point = json_array_get(json_object_get(b, "points"), 0);

    (void)state;
    json_object_set_new(a, "expectations",
                        json_pack("[{s:s, s:s, s:[{s:i, s:s, s:i}]}, {s:s, s:s}]", "name", "tail",
                                  "result", "pass", "cases", "point", 0, "result", "fail", "failed",
                                  1, "name", "rate", "result", "unknown"));
    json_object_set_new(b, "expectations",
                        json_pack("[{s:s, s:s, s:[{s:n, s:s}, {s:i, s:s, s:i}]}, {s:s, s:s}]",
                                  "name", "tail", "result", "fail", "cases", "point", "result",
                                  "fail", "point", 0, "result", "fail", "failed", 2, "name", "rate",
                                  "result", "pass"));
    json_object_set_new(json_array_get(json_object_get(point, "repeats"), 0), "code",
                        json_integer(5));
    comparison = compare(a, b, &usual);
    has_text(row_at(comparison, 0), "name", "expectations.tail");
    has_text(row_at(comparison, 0), "verdict", "worse");
    has_text(row_at(comparison, 1), "name", "expectations.tail.cases.point 0.failed");
    has_text(row_at(comparison, 1), "verdict", "worse");
    has_text(row_at(comparison, 2), "name", "expectations.rate");
    has_text(row_at(comparison, 2), "verdict", "better");
    has_text(row_at(comparison, 3), "name", "code");
    has_text(row_at(comparison, 3), "verdict", "worse");
    has_text(row_at(comparison, 4), "name", "frontend.notifications");
    json_decref(comparison);
}

/* ---- around them ---- */

static void refused(json_t *a, json_t *b, const char *code, const char *why)
{
    struct compare_refusal refusal = {0};

    assert_null(compare_results(a, b, &usual, &refusal));
    assert_string_equal(refusal.code, code);
    if (!strstr(refusal.why, why))
        fail_msg("not said: %s: %s", why, refusal.why);
    json_decref(a);
    json_decref(b);
}

static void test_refusals(void **state)
{
    json_t *a = runs_of(RUNS(1)), *b = runs_of(RUNS(1));

    (void)state;
    refused(runs_of(RUNS(1)), virtual_result(1, 1, "t"), "E0821",
            "A is of mode 'emulated', B of mode 'virtual'");
    json_object_set_new(b, "complete", json_false());
    refused(json_incref(a), b, "E0823", "B is incomplete");
    b = virtual_result(1, 1, "t");
    json_object_set_new(b, "axes", json_pack("[{s:s}]", "name", "rate"));
    refused(virtual_result(1, 1, "t"), b, "E0821", "the sweeps have other axes");
    b = new_result("virtual");
    add_repeat(add_point(b, 3));
    json_object_set_new(
        json_object_get(json_object_get(json_object_get(b, "scenario"), "resolved"), "protocol"),
        "order", json_integer(3));
    refused(virtual_result(1, 1, "t"), b, "E0821",
            "there is no point that both have; the scenarios differ:\n"
            "  protocol.order: A 6, B 3");
    b = runs_of(RUNS(1));
    json_object_set_new(json_object_get(b, "host"), "cpu", json_string("D"));
    json_object_set_new(json_object_get(b, "host"), "load_1m_milli", json_integer(900));
    refused(json_incref(a), json_incref(b), "E0822", "\n  cpu: A \"C\", B \"D\"");
    struct compare_options any = usual;
    any.any_host = true;
    json_t *comparison = compare(a, b, &any);
    assert_int_equal(json_array_size(json_object_get(comparison, "host")), 1); /* not the load */
    json_decref(comparison);
}

static void test_tree(void **state)
{
    json_t *list = json_array();
    json_t *a = json_pack("{s:i, s:n, s:[{s:s, s:i}, {s:s, s:i}], s:[i, i], s:{s:i}}", "same", 1,
                          "nothing", "workload", "name", "x", "n", 1, "name", "y", "n", 2, "plain",
                          1, 2, "gone", "k", 1);
    json_t *b = json_pack("{s:i, s:[{s:s, s:i}, {s:s, s:i}], s:[i], s:{}}", "same", 1, "workload",
                          "name", "y", "n", 3, "name", "x", "n", 1, "plain", 1, "new");

    (void)state;
    compare_tree(list, "", a, b);
    char *text = json_dumps(list, JSON_COMPACT);
    assert_string_equal(text, "[{\"path\":\"workload.y.n\",\"a\":2,\"b\":3},"
                              "{\"path\":\"plain.1\",\"a\":2,\"b\":null},"
                              "{\"path\":\"gone.k\",\"a\":1,\"b\":null}]");
    free(text);
    json_decref(a);
    json_decref(b);
    json_decref(list);
}

/* ---- texts ---- */

static void prints(void (*print)(FILE *out, const json_t *comparison), json_t *comparison,
                   const char *text)
{
    char *got;
    size_t bytes;
    FILE *out = open_memstream(&got, &bytes);

    print(out, comparison);
    fclose(out);
    assert_string_equal(got, text);
    free(got);
    json_decref(comparison);
}

static json_t *with_order(json_t *result, const char *name, int order)
{
    json_t *resolved = json_object_get(json_object_get(result, "scenario"), "resolved");

    json_object_set_new(resolved, "name", json_string(name));
    json_object_set_new(json_object_get(resolved, "protocol"), "order", json_integer(order));
    return result;
}

static void test_text(void **state)
{
    (void)state;
    prints(compare_print_text,
           compare(virtual_result(1000, 8, "t"), with_order(virtual_result(999, 9, "u"), "x", 3),
                   &usual),
           "A  x  x\n"
           "B  x  x\n"
           "\n"
           "scenario        A  B\n"
           "protocol.order  6  3\n"
           "\n"
           "what                      verdict    point  repeat     A    B   change\n"
           "frontend.notifications      worse  order=2       0     8    9  +12.50%\n"
           "throughput.bulk             worse  order=2       0  1000  999   -0.10%\n"
           "trace                   different  order=2       0     t    u        -\n"
           "\n"
           "different: 2 worse, 1 different\n");
    prints(
        compare_print_text,
        compare(runs_of(RUNS(1000, 1010, 1020, 1030, 1040)),
                runs_of(RUNS(1020, 1020, 1020, 1020, 1020)), &usual),
        "A  x  x\n"
        "B  x  x\n"
        "\n"
        "what             verdict  point          A          B  change              95 %       p  "
        "A/A floor  runs\n"
        "throughput.bulk     same      -  1.02 kB/s  1.02 kB/s   0.00%  -1.92% .. +2.00%  1.0000  "
        "    0.00%   5/5\n"
        "\n"
        "Mann-Whitney of runs, alpha 1.00% over all (Holm, tests: 1), least effect 5.00%\n"
        "same: 1 same\n");
}

static void test_markdown(void **state)
{
    (void)state;
    prints(compare_print_markdown,
           compare(virtual_result(1000, 8, "t"),
                   with_order(virtual_result(1000, 8, "a|b <i>"), "x", 3), &usual),
           "**different**: 1 different\n"
           "\n"
           "| scenario | A | B |\n"
           "|---|---|---|\n"
           "| protocol.order | 6 | 3 |\n"
           "\n"
           "| what | verdict | point | repeat | A | B | change |\n"
           "|---|---|---|---|---|---|---|\n"
           "| trace | different | order=2 | 0 | t | a\\|b \\<i\\> | - |\n"
           "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_holm),
        cmocka_unit_test(test_metrics_chosen),
        cmocka_unit_test(test_failed_runs),
        cmocka_unit_test(test_one_side),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_directions),
        cmocka_unit_test(test_virtual),
        cmocka_unit_test(test_virtual_lacks),
        cmocka_unit_test(test_virtual_verdicts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_false_alarms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
