/*
 * The page of a report: texts cannot become markup, and no result, whatever is in it, can do harm.
 *
 * Each value of a result is replaced by values of every other kind, one at a time; what the tables
 * say is compared in tests/report.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/html.h"
#include "sim/run/html_page.h"

#include "sim/run/metrics_hist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- texts ---- */

static void check_text(const char *text, const char *wanted)
{
    char *written = NULL;
    size_t bytes;
    FILE *out = open_memstream(&written, &bytes);

    html_text(out, text);
    fclose(out);
    assert_string_equal(written, wanted);
    free(written);
}

static void test_texts_are_escaped(void **state)
{
    (void)state;
    check_text("a & b", "a &amp; b");
    check_text("</script>", "&lt;/script&gt;");
    check_text("\" onload='x'", "&quot; onload=&#39;x&#39;");
    check_text("&lt;", "&amp;lt;");
    check_text("", "");
    check_text(NULL, "");
    check_text("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a");
}

static void test_what_is_unseen_is_shown(void **state)
{
    (void)state;
    check_text("a\n\tb", "a\n\tb");
    check_text("\x1b[31m\x01\x7f", "[U+001B][31m[U+0001][U+007F]");
    check_text("a\xe2\x80\xaegnp", "a[U+202E]gnp");
    check_text("\xc2\x85\xd8\x9c\xe2\x81\xa9\xef\xbb\xbf", "[U+0085][U+061C][U+2069][U+FEFF]");
    check_text("\xd7\xa9", "\xd7\xa9"); /* a letter of Hebrew is no override */
}

/* Not from JSON, but names are cut. */
static void test_broken_characters(void **state)
{
    (void)state;
    check_text("\xe2\x82", "\xef\xbf\xbd");
    check_text("\xc3<", "\xef\xbf\xbd&lt;");
    check_text("\xff", "\xef\xbf\xbd");
    check_text("\x80", "\xef\xbf\xbd");
}

static void test_json_cannot_end_its_script(void **state)
{
    json_t *value = json_pack("{s:s, s:[s, i]}", "</script>", "<!-- & \xe2\x80\xa8", "a", "\"", 3);
    char *written = NULL;
    size_t bytes;
    FILE *out = open_memstream(&written, &bytes);
    json_t *read;

    (void)state;
    html_json(out, value);
    fclose(out);
    assert_null(strpbrk(written, "<>&"));
    for (const char *c = written; *c; c++)
        assert_true(*c >= 0x20 && *c < 0x7f);
    read = json_loads(written, 0, NULL);
    assert_true(json_equal(read, value));
    json_decref(read);
    json_decref(value);
    free(written);
}

/* ---- results ---- */

static json_t *histogram(void)
{
    struct metrics_hist *hist = metrics_hist_create(100000);
    char *text;
    json_t *metric;

    for (uint64_t value = 1000; value < 1100; value++)
        metrics_hist_record(hist, value);
    text = metrics_hist_encode(hist);
    metric = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:s}", "unit", "ns", "count", 100,
                       "saturated", 0, "p50", 1049, "p99", 1098, "max", 1099, "hdr_v2", text);
    free(text);
    metrics_hist_destroy(hist);
    return metric;
}

static json_t *run_of(int i)
{
    return json_pack(
        "{s:i, s:i, s:i, s:s, s:{s:{s:s, s:i}, s:o, s:o}, s:[{s:s, s:i, s:i}], s:{s:i, s:i, s:i, "
        "s:i}, s:[{s:s, s:s, s:i, s:n}], s:{s:i, s:i, s:{s:[i, i], s:[i, i]}}}",
        "i", i, "seed", 42, "wall_ns", 5, "trace", "0123", "metrics", "throughput.bulk", "unit",
        "bytes_per_s", "value", 1000000, "latency.ask", histogram(), "stage.out", histogram(),
        "processes", "name", "backend", "count", 2, "cpu_user_ns", 7, "counters",
        "frontend.cost.copy_ns", 3, "frontend.grants_peak", 4, "frontend.grants_left", 0,
        "frontend.notifications", i, "faults", "kind", "restart", "where", "dom0", "at_ns", 3,
        "recovery_ns", "timeline", "interval_ns", 10, "from_ns", 0, "series", "sent_bytes", 1, 2,
        "out_ring_bytes", 3, 4);
}

static json_t *point_of(int id)
{
    json_t *point = json_pack("{s:i, s:{s:i, s:s}, s:[o, o, o]}", "id", id, "axes", "order", id * 2,
                              "dialect", "xensock1", "repeats", run_of(0), run_of(1), run_of(2));

    json_object_set_new(point, "summary",
                        json_pack("{s:{s:s, s:i, s:i, s:i, s:i, s:[i, i]}}", "throughput.bulk",
                                  "unit", "bytes_per_s", "n", 3, "median", 1000 + id, "least", 900,
                                  "most", 1100, "ci95", 950, 1050));
    return point;
}

static json_t *result_of(size_t points)
{
    json_t *result = json_pack(
        "{s:s, s:b, s:{s:s}, s:{s:s, s:s, s:{s:s, s:{s:{s:{s:s, s:{s:i, s:i}}}}, s:[{s:s, s:s, "
        "s:i}], s:[[], [i, {}]]}}, s:{s:s, s:i}, s:s, s:i, s:{s:[s]}}",
        "schema", "xensock/result/1", "complete", 1, "tool", "version", "1", "scenario", "file",
        "a b.yaml", "xxh3", "12", "resolved", "name", "storm", "topology", "hosts", "web", "role",
        "frontend", "limits", "grant_frames", 2, "ports", 64, "faults", "kind", "restart", "where",
        "dom0", "for_ns", 5, "odd", 1, "host", "cpu", "x", "cores", 2, "mode", "virtual", "seed",
        42, "plan", "sets", "seed=1");

    json_object_set_new(result, "axes",
                        json_pack("[{s:s, s:n, s:[s]}, {s:s, s:s}]", "name", "order", "unit",
                                  "texts", "0", "name", "dialect", "unit", "bytes"));
    json_object_set_new(result, "points", json_array());
    for (size_t i = 0; i < points; i++)
        json_array_append_new(json_object_get(result, "points"), point_of((int)i));
    json_object_set_new(result, "expectations",
                        json_pack("[{s:s, s:s, s:s, s:[{s:i, s:s, s:i, s:i, s:s}, {s:n, s:s}]}]",
                                  "name", "tail", "that", "1 < 2", "result", "fail", "cases",
                                  "point", 0, "result", "fail", "failed", 2, "of", 3, "why", "so",
                                  "point", "result", "pass"));
    json_object_set_new(result, "errors",
                        json_pack("[{s:s, s:s, s:i, s:i}]", "code", "E0501", "message", "stalled",
                                  "point", 0, "repeat", 1));
    return result;
}

/* The page of a result, for free(). */
static char *page_of(const json_t *result, const json_t *other)
{
    static const struct html_assets assets = {NULL, NULL, NULL, "get it"};
    char *page = NULL;
    size_t bytes;
    FILE *out = open_memstream(&page, &bytes);

    assert_int_equal(html_page(out, result, other, &assets), 0);
    assert_int_equal(fclose(out), 0);
    return page;
}

static void expect_in(const json_t *result, const char *wanted)
{
    char *page = page_of(result, NULL);

    if (!strstr(page, wanted))
        fail_msg("the page lacks: %s", wanted);
    free(page);
}

static void test_verdicts(void **state)
{
    json_t *result = result_of(2);

    (void)state;
    expect_in(result, "<strong>Failed</strong> <span>1 of 1 expectations not met. 1 error. ");
    json_t *error = json_array_get(json_object_get(result, "errors"), 0);
    json_object_set_new(error, "expected", json_true()); /* an awaited one is no failure */
    expect_in(result, "<strong>Failed</strong> <span>1 of 1 expectations not met. 2 points");
    json_array_clear(json_object_get(result, "errors"));
    json_t *expectation = json_array_get(json_object_get(result, "expectations"), 0);
    json_object_set_new(expectation, "result", json_string("unknown"));
    expect_in(result, "<strong>Undecided</strong> <span>1 of 1 expectations undecided. ");
    json_object_set_new(expectation, "result", json_string("pass"));
    expect_in(result, "<strong>Passed</strong> <span>1 of 1 expectations met. 2 points, 3 repeats");
    json_object_set_new(result, "complete", json_false());
    expect_in(result, "<strong>Incomplete</strong> <span>1 of 1 expectations met. The run did not");
    expect_in(result, "xensock run &#39;a b.yaml&#39; --set seed=1</code>");
    json_decref(result);
}

static void test_unreadable_histograms_are_told(void **state)
{
    json_t *result = result_of(1);
    json_t *repeats =
        json_object_get(json_array_get(json_object_get(result, "points"), 0), "repeats");
    json_t *metrics = json_object_get(json_array_get(repeats, 1), "metrics");

    (void)state;
    expect_in(result, "<bdi>latency.ask</bdi></td><td>300</td>");
    json_object_set_new(json_object_get(metrics, "latency.ask"), "hdr_v2", json_string("HISTno"));
    expect_in(result, "<bdi>latency.ask</bdi> <small class=\"bad\">without 1 unreadable</small>"
                      "</td><td>200</td>");
    json_decref(result);
}

/* ---- anything in the place of anything ---- */

enum { SUBSTITUTES = 9 };

static json_t *substitute(size_t i)
{
    switch (i) {
    case 0: return json_null();
    case 1: return json_true();
    case 2: return json_integer(INT64_MAX);
    case 3: return json_integer(INT64_MIN);
    case 4: return json_string("<script>\x1b");
    case 5: return json_array();
    case 6: return json_object();
    case 7: return json_pack("[[[i]], {s:s}]", 1, "a", "b");
    default: return json_real(-0.5);
    }
}

static void try_page(const json_t *whole)
{
    char *page = page_of(whole, whole);

    assert_null(strstr(page, "<script>"));
    assert_null(strchr(page, '\x1b'));
    free(page);
}

/* Puts each substitute in the place of each value below, the page made with each. */
static size_t try_all(const json_t *whole, json_t *within)
{
    const char *key;
    json_t *member;
    size_t tried = 0, i;
    void *next;

    json_object_foreach_safe(within, next, key, member)
    {
        json_incref(member);
        for (i = 0; i < SUBSTITUTES; i++, tried++) {
            json_object_set_new(within, key, substitute(i));
            try_page(whole);
        }
        json_object_set_new(within, key, member);
        tried += try_all(whole, member);
    }
    for (size_t at = 0; at < json_array_size(within); at++) {
        member = json_incref(json_array_get(within, at));
        for (i = 0; i < SUBSTITUTES; i++, tried++) {
            json_array_set_new(within, at, substitute(i));
            try_page(whole);
        }
        json_array_set_new(within, at, member);
        tried += try_all(whole, member);
    }
    return tried;
}

static void test_any_value_in_any_place(void **state)
{
    json_t *result = result_of(1), *empty = json_object();

    (void)state;
    assert_in_range(try_all(result, result), 1000, 10000);
    try_page(empty);
    json_decref(empty);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_escaped),
        cmocka_unit_test(test_what_is_unseen_is_shown),
        cmocka_unit_test(test_broken_characters),
        cmocka_unit_test(test_json_cannot_end_its_script),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_unreadable_histograms_are_told),
        cmocka_unit_test(test_any_value_in_any_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
