/* Results made by hand to compare, and looks at comparisons. For the tests of sim/run/compare.h. */
#ifndef XENSOCK_TESTS_SIM_RUN_COMPARE_FIXTURE_H
#define XENSOCK_TESTS_SIM_RUN_COMPARE_FIXTURE_H

#include "sim/run/compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RUNS(...) ((const int64_t[]){__VA_ARGS__, 0})

static const struct compare_options usual = {.alpha = COMPARE_ALPHA,
                                             .min_effect_ppm = COMPARE_MIN_EFFECT_PPM};

/* ---- results ---- */

static inline json_t *new_result(const char *mode)
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
static inline json_t *add_point(json_t *result, int order)
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

static inline json_t *add_repeat(json_t *point)
{
    json_t *repeats = json_object_get(point, "repeats");

    json_array_append_new(repeats, json_pack("{s:i, s:i, s:i, s:{}, s:{}, s:[]}", "i",
                                             (int)json_array_size(repeats), "code", 0, "wall_ns",
                                             (int)rand(), "metrics", "counters", "processes"));
    return json_array_get(repeats, json_array_size(repeats) - 1);
}

static inline void add_metric(json_t *repeat, const char *name, const char *unit, int64_t value)
{
    json_object_set_new(json_object_get(repeat, "metrics"), name,
                        json_pack("{s:s, s:I}", "unit", unit, "value", (json_int_t)value));
}

static inline void add_counter(json_t *repeat, const char *name, int64_t value)
{
    json_object_set_new(json_object_get(repeat, "counters"), name, json_integer(value));
}

/* An emulated result with a throughput a run, in order; ends with 0. */
static inline json_t *runs_of(const int64_t *values)
{
    json_t *result = new_result("emulated"), *point = add_point(result, 0);

    for (; *values; values++)
        add_metric(add_repeat(point), "throughput.bulk", "bytes_per_s", *values);
    return result;
}

/* ---- looking at comparisons ---- */

/* Compares and lets go of both; it must not be refused. */
static inline json_t *compare(json_t *a, json_t *b, const struct compare_options *options)
{
    struct compare_refusal refusal = {0};
    json_t *comparison = compare_results(a, b, options, &refusal);

    if (!comparison)
        fail_msg("refused: %s %s", refusal.code, refusal.why);
    json_decref(a);
    json_decref(b);
    return comparison;
}

static inline json_t *row_at(const json_t *comparison, size_t i)
{
    json_t *row = json_array_get(json_object_get(comparison, "rows"), i);

    assert_non_null(row);
    return row;
}

static inline json_t *row_of(const json_t *comparison, const char *name)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(comparison, "rows"), i,
                       row) if (strcmp(json_string_value(json_object_get(row, "name")), name) ==
                                0) return row;
    fail_msg("no row %s", name);
    return NULL;
}

static inline void has_text(const json_t *object, const char *key, const char *text)
{
    assert_string_equal(json_string_value(json_object_get(object, key)), text);
}

static inline void has_number(const json_t *object, const char *key, int64_t number)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    assert_int_equal(json_integer_value(json_object_get(object, key)), number);
}

static inline json_t *virtual_result(int64_t throughput, int64_t notifications, const char *trace)
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

#endif
