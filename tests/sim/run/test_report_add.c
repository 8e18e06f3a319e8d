/*
 * Reports of several processes together: as if one guest had done it all, to the last count of a
 * histogram; who leaks, and why something failed, is not lost in the sum.
 */
#include "sim/run/metrics_counters.h"
#include "sim/run/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DOM0, WEB, DB, HOSTS, GUESTS = 3 };

/* Three of one host, one of another; each host has a workload. */
static const struct scenario scenario = {
    .hosts = {{.name = "dom0", .role = SCENARIO_BACKEND, .count = 1},
              {.name = "web", .role = SCENARIO_FRONTEND, .count = GUESTS},
              {.name = "db", .role = SCENARIO_FRONTEND, .count = 1}},
    .host_count = HOSTS,
    .workloads = {{.name = "ask", .kind = SCENARIO_REQUEST_RESPONSE, .host = WEB},
                  {.name = "read", .kind = SCENARIO_STREAM, .host = DB}},
    .workload_count = 2,
};

static int start(void **state)
{
    *state = json_pack("{s:{}, s:{}}", "hosts", "peers");
    return *state ? 0 : -1;
}

static int finish(void **state)
{
    json_decref(*state);
    return 0;
}

static uint64_t number(const json_t *object, const char *key)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* A process's report with these two results. */
static void add(json_t *reports, uint32_t host, const struct workload_result *ask,
                const struct workload_result *read, const char *leak)
{
    static const char *const names[] = {"dom0", "web.1", "db"};
    json_t *report = json_pack(
        "{s:s, s:{s:I, s:I, s:I}, s:{s:i, s:i, s:i}, s:[o, o], s:s?}", "name", names[host], "usage",
        "wall_ns", (json_int_t)100 + host, "cpu_user_ns", (json_int_t)10, "memory_peak_bytes",
        (json_int_t)1000 * host, "counters", "copies", 5, "grants_peak", (int)host * 7,
        "grants_left", leak ? 1 : 0, "workloads", report_workload("ask", ask),
        report_workload("read", read), "leak", leak);

    assert_non_null(report);
    report_add(reports, &scenario, host, report);
    json_decref(report);
}

static const json_t *workload(const json_t *reports, uint32_t i)
{
    return json_array_get(json_object_get(json_object_get(reports, "frontend"), "workloads"), i);
}

/* A histogram of all values is what the histograms of each third of them come to. */
static void test_histograms_by_their_counts(void **state)
{
    struct metrics_hist *all = metrics_hist_create(METRICS_HIST_HIGHEST_NS);

    for (uint32_t guest = 0; guest < GUESTS; guest++) {
        struct metrics_hist *own = metrics_hist_create(METRICS_HIST_HIGHEST_NS);
        struct workload_result ask = {.latency = own}, read = {.bytes = 0};
        for (uint64_t i = 0; i <= 10 * guest; i++) { /* a mean of percentiles would be another */
            metrics_hist_record(own, 1000 * (guest + 1) * (i + 1));
            metrics_hist_record(all, 1000 * (guest + 1) * (i + 1));
        }
        own->saturated = guest;
        add(*state, WEB, &ask, &read, NULL);
        metrics_hist_destroy(own);
    }
    struct metrics_hist *sum = report_hist(json_object_get(workload(*state, 0), "latency"));
    assert_non_null(sum);
    assert_int_equal(sum->count, all->count);
    assert_int_equal(sum->saturated, 0 + 1 + 2);
    assert_memory_equal(sum->buckets, all->buckets, all->bucket_count * sizeof(all->buckets[0]));
    assert_null(json_object_get(workload(*state, 0), "service"));
    metrics_hist_destroy(sum);
    metrics_hist_destroy(all);
}

static void test_sums_and_largest(void **state)
{
    const struct workload_result read = {.bytes = 0};

    for (uint64_t i = 1; i <= GUESTS; i++) {
        const struct workload_result ask = {.duration_ns = 100 * (i % 3),
                                            .bytes = i,
                                            .operations = 10 * i,
                                            .connected = i,
                                            .backlog = 1};
        add(*state, WEB, &ask, &read, NULL);
    }
    assert_int_equal(number(workload(*state, 0), "duration_ns"), 200);
    assert_int_equal(number(workload(*state, 0), "bytes"), 6);
    assert_int_equal(number(workload(*state, 0), "operations"), 60);
    assert_int_equal(number(workload(*state, 0), "connected"), 6);
    assert_int_equal(number(workload(*state, 0), "backlog"), 3);

    add(*state, DB, &read, &read, NULL);
    const json_t *front = json_object_get(*state, "frontend");
    const json_t *web = json_object_get(json_object_get(*state, "hosts"), "web");
    const json_t *usage = json_object_get(front, "usage");
    const json_t *counters = json_object_get(front, "counters");
    assert_int_equal(number(front, "processes"), GUESTS + 1);
    assert_int_equal(number(web, "processes"), GUESTS);
    assert_int_equal(number(usage, "cpu_user_ns"), 40);
    assert_int_equal(number(usage, "wall_ns"), 100 + DB);
    assert_int_equal(number(usage, "memory_peak_bytes"), 1000 * DB);
    assert_int_equal(number(counters, "copies"), 20);
    assert_int_equal(number(counters, "grants_peak"), 7 * DB);
    assert_int_equal(number(json_object_get(web, "counters"), "copies"), 15);
    assert_int_equal(number(json_object_get(web, "counters"), "grants_peak"), 7 * WEB);
    assert_null(json_object_get(*state, "backend"));
}

/* A guest reports all workloads, and has done nothing of those of other hosts. */
static void test_a_workload_is_its_own_hosts(void **state)
{
    const struct workload_result ask = {.bytes = 7}, read = {.bytes = 9};

    add(*state, WEB, &ask, &read, NULL);
    assert_int_equal(number(workload(*state, 0), "bytes"), 7);
    assert_null(json_object_get(workload(*state, 1), "bytes"));
    assert_string_equal(json_string_value(json_object_get(workload(*state, 1), "name")), "read");
    add(*state, DB, &ask, &read, NULL);
    assert_int_equal(number(workload(*state, 0), "bytes"), 7);
    assert_int_equal(number(workload(*state, 1), "bytes"), 9);
}

/* Of all bytes one received: of several it would be nobody's. */
static void test_digest(void **state)
{
    const struct workload_result one = {.received_xxh128 = "0123"};

    add(*state, WEB, &one, &one, NULL);
    add(*state, DB, &one, &one, NULL);
    assert_string_equal(json_string_value(json_object_get(workload(*state, 0), "xxh128")), "");
    assert_string_equal(json_string_value(json_object_get(workload(*state, 1), "xxh128")), "0123");
}

static void test_what_went_wrong_first(void **state)
{
    const struct workload_result good = {.bytes = 1}, read = {.bytes = 0};
    const struct workload_result bad = {
        .errors = 2, .bind_error = -ERR_ACCES, .bind_port = 7, .first_error_text = "bind: EACCES"};
    const struct workload_result worse = {
        .errors = 1, .bind_error = -ERR_NOMEM, .bind_port = 9, .first_error_text = "bind: ENOMEM"};

    add(*state, WEB, &good, &read, NULL);
    add(*state, WEB, &bad, &read, "grants_left");
    add(*state, WEB, &worse, &read, "ports_left");
    assert_int_equal(number(workload(*state, 0), "errors"), 3);
    assert_int_equal(number(workload(*state, 0), "bind_error"), ERR_ACCES);
    assert_int_equal(number(workload(*state, 0), "bind_port"), 7);
    assert_string_equal(json_string_value(json_object_get(workload(*state, 0), "error")),
                        "bind: EACCES");
    const json_t *front = json_object_get(*state, "frontend");
    assert_string_equal(json_string_value(json_object_get(front, "leak")), "grants_left");
    assert_string_equal(json_string_value(json_object_get(front, "leak_of")), "web.1");
    assert_int_equal(number(json_object_get(front, "counters"), "grants_left"), 2);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, start, finish)
    static const struct CMUnitTest tests[] = {
        TEST(test_histograms_by_their_counts),  TEST(test_sums_and_largest),
        TEST(test_a_workload_is_its_own_hosts), TEST(test_digest),
        TEST(test_what_went_wrong_first),
    };

    return !!cmocka_run_group_tests_name("report_add", tests, NULL, NULL);
}
