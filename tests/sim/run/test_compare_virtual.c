/* Comparisons of results of virtual time made by hand, what is refused, and how either kind prints.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/sim/run/compare_fixture.h"

/* ---- virtual time ---- */

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
        cmocka_unit_test(test_virtual),
        cmocka_unit_test(test_virtual_lacks),
        cmocka_unit_test(test_virtual_verdicts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_markdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
