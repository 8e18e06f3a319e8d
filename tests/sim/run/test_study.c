/* Studies: axes and what they give each point, seeds, overrides, limits, and what is said about bad
 * ones, to the letter. Expressions: test_expect.c. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/sim/run/study_fixture.h"

#include <inttypes.h>

/* ---- points ---- */

static void none(void **state)
{
    (void)state;
    load_good("");
    assert_int_equal(study.axis_count, 0);
    assert_int_equal(study.point_count, 1);
    assert_int_equal(study.repeat_count, 1);
    assert_int_equal(study.expect_count, 0);
}

/* The first axis changes slowest; what goes along with another multiplies nothing. */
static void order(void **state)
{
    static const uint32_t orders[] = {1, 1, 3, 3}, sizes[] = {4096, 4096, 65536, 65536};
    static const char *const dialects[] = {"xensock1", "pvcalls1", "xensock1", "pvcalls1"};
    static struct scenario scenario;

    (void)state;
    load_good("sweep:\n"
              "  order: {path: protocol.order, values: [1, 3]}\n"
              "  dialect: {path: protocol.dialect, values: [xensock1, pvcalls1]}\n"
              "  size: {path: workload.put.write_size, values: [4KiB, 64KiB], zip: order}\n"
              "repeat: {count: 2}\n");
    assert_int_equal(study.point_count, 4);
    assert_int_equal(study.repeat_count, 2);
    for (uint32_t point = 0; point < 4; point++) {
        study_scenario(&study, point, 0, &scenario);
        assert_int_equal(scenario.hosts[1].protocol.order, orders[point]);
        assert_string_equal(scenario.hosts[1].protocol.dialect, dialects[point]);
        assert_int_equal(scenario.workloads[1].write.value, sizes[point]);
    }
}

/* An axis that goes along may stand before the one it follows, and several may. */
static void zips(void **state)
{
    (void)state;
    load_good("sweep:\n"
              "  a: {path: seed, values: [1, 2, 3], zip: b}\n"
              "  b: {path: protocol.order, values: [1, 2, 3]}\n"
              "  c: {path: workload.put.write_size, values: [1KiB, 2KiB, 3KiB], zip: b}\n");
    assert_int_equal(study.point_count, 3);
    for (uint32_t point = 0; point < 3; point++)
        for (uint32_t axis = 0; axis < 3; axis++)
            assert_int_equal(study_value(&study, point, axis), point);
}

/* The first unit in which all of an axis' values are numbers. */
static void units(void **state)
{
    static const struct {
        const char *path, *values, *word;
        enum study_unit unit;
        uint64_t first;
    } all[] = {
        {"protocol.order", "1, 2", NULL, STUDY_COUNT, 1},
        {"workload.put.write_size", "4KiB, 8192", "bytes", STUDY_BYTES, 4096},
        {"duration", "10ms, 1s", "ns", STUDY_NS, 10000000},
        {"workload.ask.arrivals.rate", "5/s, 7/s", "per_s", STUDY_PER_S, 5},
        {"protocol.dialect", "xensock1, pvcalls1", NULL, STUDY_TEXT, 0},
        {"description", "1, a", NULL, STUDY_TEXT, 0},
        {"description", "5%, 20ppm", "ppm", STUDY_PPM, 50000},
        {"description", "80Mbit/s, 1MB/s", "bytes_per_s", STUDY_BYTES_PER_S, 10000000},
        {"description", "1, 18446744073709551615", NULL, STUDY_TEXT, 0}, /* no result holds it */
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        snprintf(text, sizeof(text), "sweep: {a: {path: %s, values: [%s]}}\n", all[i].path,
                 all[i].values);
        load_good(text);
        assert_int_equal(study.axes[0].unit, all[i].unit);
        if (all[i].word)
            assert_string_equal(study_unit_word(study.axes[0].unit), all[i].word);
        if (study.axes[0].unit != STUDY_TEXT)
            assert_int_equal(study.axes[0].numbers[0], all[i].first);
    }
}

/* A value of a result is said as it would be written. */
static void words(void **state)
{
    static const struct {
        uint64_t value;
        const char *unit, *words;
    } all[] = {{3, NULL, "3"},
               {65536, "bytes", "64KiB"},
               {250000, "ns", "250us"},
               {5000, "per_s", "5000/s"},
               {125, "bytes_per_s", "1kbit/s"},
               {50000, "ppm", "5%"}};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        json_t *value = json_integer((json_int_t)all[i].value);
        assert_string_equal(study_value_words(value, all[i].unit).text, all[i].words);
        json_decref(value);
    }
}

/* Repeat 0 has the scenario's seed, the others one of their own, each the same at every point. */
static void seeds(void **state)
{
    static struct scenario a, b;

    (void)state;
    load_good("sweep: {o: {path: protocol.order, values: [1, 2]}}\nrepeat: {count: 3}\n");
    for (uint32_t repeat = 0; repeat < 3; repeat++) {
        study_scenario(&study, 0, repeat, &a);
        study_scenario(&study, 1, repeat, &b);
        assert_int_equal(a.seed, b.seed);
        assert_int_equal(a.seed, study_seed(7, repeat));
        assert_true(a.seed <= INT64_MAX);
    }
    assert_int_equal(study_seed(7, 0), 7);
    assert_int_not_equal(study_seed(7, 1), study_seed(7, 2));
    assert_int_not_equal(study_seed(7, 1), study_seed(8, 1));
    /* kept for ever: results name their seeds */
    assert_int_equal(study_seed(7, 1), UINT64_C(0x1a69673d346f47cb));
}

/* The file with the overrides of a run is that run. */
static void sets(void **state)
{
    static const char rest[] = "sweep:\n"
                               "  order: {path: protocol.order, values: [1, 3]}\n"
                               "  size: {path: workload.put.write_size, values: [4KiB, 64KiB]}\n"
                               "repeat: {count: 2}\n";
    static struct scenario wanted, got;
    char text[3][STUDY_SET_BYTES];
    const char *list[] = {text[0], text[1], text[2]};
    static char file[4096];

    (void)state;
    load_good(rest);
    study_scenario(&study, 2, 1, &wanted);
    for (uint32_t i = 0; i < 2; i++)
        study_set(&study, 2, i, text[i]);
    snprintf(text[2], sizeof(text[2]), "seed=%" PRIu64, wanted.seed);
    assert_string_equal(text[0], "protocol.order=3");
    assert_string_equal(text[1], "workload.put.write_size=4KiB");
    snprintf(file, sizeof(file), "%s",
             STUDY_HEAD); /* as a process reads it: a sweep is passed over */
    struct scenario_yaml yaml;
    struct diag_list found;
    diag_init(&found);
    diag_add_source(&found, "s.yaml", file);
    assert_int_equal(scenario_tree_parse(&yaml, file, list, 3, &found), 0);
    scenario_tree_read(&got, &yaml);
    assert_int_equal(found.errors, 0);
    scenario_yaml_fini(&yaml);
    diag_fini(&found);
    json_t *a = scenario_json(&wanted), *b = scenario_json(&got);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
}

/* ---- limits: each is allowed, and one more is not ---- */

static char *many(char *at, const char *format, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        at += sprintf(at, format, i);
    return at;
}

static const char *axes(uint32_t count)
{
    static char text[4096];
    char *at = text + sprintf(text, "sweep:\n");

    for (uint32_t i = 0; i < count; i++)
        at += sprintf(
            at, "  a%" PRIu32 ": {path: topology.peers.p%" PRIu32 ".kind, values: [echo]}\n", i, i);
    return text;
}

/* An axis of `a` values times one of `b`. */
static const char *grid(uint32_t a, uint32_t b)
{
    static char text[1 << 14];
    char *at = text + sprintf(text, "sweep:\n  a: {path: seed, values: [");

    at = many(at, "%" PRIu32 ", ", a) - 2;
    at += sprintf(at, "]}\n  b: {path: duration, values: [");
    at = many(at, "%" PRIu32 "ms, ", b + 1) - 2;
    sprintf(at, "]}\n");
    memmove(strstr(text, "0ms, "), strstr(text, "0ms, ") + 5,
            strlen(strstr(text, "0ms, ") + 5) + 1);
    return text;
}

static const char *expects(uint32_t count)
{
    static char text[1 << 14];

    many(text + sprintf(text, "expect:\n"), "  - {name: e%" PRIu32 ", error: E0501}\n", count);
    return text;
}

static void limits(void **state)
{
    (void)state;
    load_good(axes(8));
    assert_true(only_error(axes(9), &(struct fault){DIAG_TOO_MANY, 25, 3, "more than 8 axes"}));
    load_good(grid(256, 1));
    assert_int_equal(study.point_count, 256);
    assert_true(
        only_error(grid(257, 1), &(struct fault){DIAG_TOO_MANY, 17, 1198, "more than 256 values"}));
    load_good(grid(100, 100));
    assert_int_equal(study.point_count, 10000);
    assert_true(
        only_error(grid(101, 100),
                   &(struct fault){DIAG_POINTS, 16, 1, "the sweep has more than 10000 points"}));
    load_good("repeat: {count: 1000}\n");
    assert_true(only_error("repeat: {count: 1001}\n",
                           &(struct fault){DIAG_OUT_OF_RANGE, 16, 17, "'count' is '1001'"}));
    assert_true(only_error("repeat: {count: 0}\n",
                           &(struct fault){DIAG_OUT_OF_RANGE, 16, 17, "'count' is '0'"}));
    load_good(expects(64));
    assert_true(only_error(expects(65),
                           &(struct fault){DIAG_TOO_MANY, 81, 5, "more than 64 expectations"}));
}

/* A value fits behind a path as long as there can be one. */
static void longest_value(void **state)
{
    char text[512], value[256] = "";

    (void)state;
    memset(value, 'v', STUDY_VALUE_BYTES - 1);
    snprintf(text, sizeof(text), "sweep: {a: {path: description, values: [%s]}}\n", value);
    load_good(text);
    memset(value, 'v', STUDY_VALUE_BYTES);
    snprintf(text, sizeof(text), "sweep: {a: {path: description, values: [%s]}}\n", value);
    assert_true(
        only_error(text, &(struct fault){DIAG_OUT_OF_RANGE, 16, 41, "this value is too long"}));
}

/* ---- what is wrong ---- */

static const struct {
    const char *rest;
    struct fault fault;
} faulty[] = {
#define ONE "sweep: {o: {path: protocol.order, values: [1, 2]}}\n"
    {"sweep: {o: {path: protocol.order, values: []}}\n",
     {DIAG_AXIS, 16, 43, "an axis has at least one value"}},
    {"sweep: {o: {path: protocol.order, values: [[1]]}}\n",
     {DIAG_AXIS, 16, 44, "a value of an axis is no mapping and no list"}},
    {"sweep: {o: {path: protocol.order, values: [1, 2, 1]}}\n",
     {DIAG_AXIS, 16, 50, "this value stands here twice"}},
    {"sweep: {o: {path: description, values: [\"a\\tb\"]}}\n",
     {DIAG_AXIS, 16, 41, "a character that no value has"}},
    {"sweep: {o: {path: mode, values: [virtual]}}\n",
     {DIAG_AXIS, 16, 19, "this is the same at every point"}},
    {"sweep: {o: {path: expect.a.that, values: [1]}}\n",
     {DIAG_AXIS, 16, 19, "this is the same at every point"}},
    {"sweep: {o: {path: protocol.order, values: [1]}, p: {path: protocol.order, values: "
     "[2]}}\n",
     {DIAG_AXIS, 16, 59, "another axis has the same path"}},
    {"sweep: {o: {path: protocol.order, values: [1], zip: p}}\n",
     {DIAG_AXIS, 16, 53, "no axis is called so"}},
    {"sweep: {o: {path: protocol.order, values: [1], zip: o}}\n",
     {DIAG_AXIS, 16, 53, "it can go along only with one that goes alone"}},
    {"sweep: {o: {path: protocol.order, values: [1, 2]}, p: {path: seed, values: [1], zip: "
     "o}}\n",
     {DIAG_AXIS, 16, 86, "axes in step have as many values as each other"}},
    {"sweep: {O: {path: seed, values: [1]}}\n", {DIAG_BAD_NAME, 16, 9, "'O' is no name"}},
    {"sweep: {o: 3}\n", {DIAG_WRONG_TYPE, 16, 12, "axis 'o' has the wrong type"}},
    {"sweep: {o: {values: [1]}}\n", {DIAG_MISSING_KEY, 16, 9, "axis 'o' has no 'path'"}},
    {"sweep: {o: {path: seed}}\n", {DIAG_MISSING_KEY, 16, 9, "axis 'o' has no 'values'"}},
    {"sweep: {o: {path: seed=1, values: [1]}}\n",
     {DIAG_SET_MALFORMED, 16, 19, "a path has no '='"}},
    {"sweep: {o: {path: workload.pu.write_size, values: [1]}}\n",
     {DIAG_SET_PATH, 16, 28, "'pu' is not the name of an item of this list"}},
    {"sweep: {o: {path: name.x, values: [1]}}\n",
     {DIAG_AXIS, 16, 19, "this is the same at every point"}},
    {"sweep: {o: {path: seed.x, values: [1]}}\n",
     {DIAG_SET_PATH, 16, 19, "'seed' has no keys of its own"}},
    {"sweep: {o: {path: protocol.order, values: [1, 99]}}\n",
     {DIAG_OUT_OF_RANGE, 16, 47, "order 99 is too large for dialect 'xensock1'"}},
    {"expect: [{that: errors == 0}]\n",
     {DIAG_MISSING_KEY, 16, 11, "this expectation has no 'name'"}},
    {"expect: [{name: a}]\n",
     {DIAG_NEEDS_KEY, 16, 11, "expectation 'a' has neither of 'that' and 'error'"}},
    {"expect: [{name: a, that: errors == 0, error: E0501}]\n",
     {DIAG_NEEDS_KEY, 16, 11, "expectation 'a' has both of 'that' and 'error'"}},
    {"expect: [{name: a, that: ''}]\n", {DIAG_OUT_OF_RANGE, 16, 26, "'that' is empty"}},
    {"expect: [{name: a, error: E50}]\n", {DIAG_MALFORMED, 16, 27, "'error' is 'E50'"}},
    {"expect: [{name: a, error: E0501}, {name: a, error: E0502}]\n",
     {DIAG_DUPLICATE_KEY, 16, 42, "two expectations are called 'a'"}},
    {"expect: [5]\n", {DIAG_WRONG_TYPE, 16, 10, "this expectation has the wrong type"}},
    {ONE "expect: [{name: a, error: E0501, when: errors == 0}]\n",
     {DIAG_EXPECT_TYPE, 17, 40, "'when' depends on metrics"}},
    {ONE "expect: [{name: a, error: E0501, when: o == 3}]\n",
     {DIAG_EXPECT_TYPE, 17, 40, "'when' holds at no point"}},
};

static void bad(void **state)
{
    uint32_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++)
        wrong += !only_error(faulty[i].rest, &faulty[i].fault);
    assert_int_equal(wrong, 0);
}

/* All at once, sorted; a fault of some points once, with the first of them. What is said of names
 * is of those of a scenario that is one, here of none. */
static void all_at_once(void **state)
{
    (void)state;
    assert_told("sweep:\n"
                "  order: {path: protocol.order, values: [1, 2, 77, 78]}\n"
                "  dialect: {path: protocol.dialect, values: [xensock1, pvcals1]}\n"
                "  size: {path: workload.put.write_size, values: [1KiB], zip: oder}\n"
                "repeat: {count: -1}\n"
                "expect:\n"
                "  - {name: a, that: 'p99(latency.ask) <= 250', when: order == 1}\n"
                "  - {name: b, that: p99(latency.ak) <= 250us}\n",
                "E0112 17:48 order 77 is too large for dialect 'xensock1' (allowed: 1 to 6)\n"
                "E0112 17:52 order 78 is too large for dialect 'xensock1' (allowed: 1 to 6)\n"
                "E0105 18:56 there is no dialect 'pvcals1' (did you mean 'pvcalls1'?)\n"
                "E0130 19:62 no axis is called so (did you mean 'order'?)\n"
                "E0106 20:17 'count' is '-1' (expected a whole number)\n"
                "E0134 22:39 a time stands here against a plain number (the number needs a unit, "
                "such as 250us, 64KiB, 100MB/s, 5000/s)\n"
                "E0133 23:25 no workload is called 'ak' (did you mean 'ask'?)\n");
}

/* Where the scenario itself is wrong, nothing is said of names that it might have had. */
static void unsound(void **state)
{
    (void)state;
    assert_told("faults: 5\n"
                "expect:\n"
                "  - {name: a, that: p99(latency.nobody) <= 250us}\n"
                "  - {name: b, that: backend.nobody == 0 and peer.nobody.x == 0}\n"
                "  - {name: c, that: p99(latncy.ask) <= 250us}\n",
                "E0104 16:9 'faults' has the wrong type (expected a list)\n"
                "E0133 20:25 no metric, counter or axis is called 'latncy' (did you mean "
                "'latency'?)\n");
}

/* Notes of a good file are told, once for all points. */
static void notes(void **state)
{
    static const char *const two[] = {"mode=emulated", "topology.scheduling=preempt-on-wake"};
    static const char text[] = STUDY_HEAD "sweep: {o: {path: seed, values: [1, 2]}}\n";

    (void)state;
    end(NULL);
    diag_init(&diags);
    diag_add_source(&diags, "s.yaml", text);
    assert_int_equal(study_load_text(&study, text, two, 2, &diags), 0);
    loaded = true;
    assert_string_equal(told(), "note 2:10 'scheduling' has no effect in mode 'emulated'\n");
}

/* An override cannot give what an axis gives; it can give what the axis is. */
static void overrides(void **state)
{
    static const char rest[] = "sweep: {order: {path: protocol.order, values: [1, 2]}}\n"
                               "repeat: {count: 2}\n";

    (void)state;
    assert_int_equal(load_with(rest, "protocol.order=3"), -1);
    assert_string_equal(told(), "E0135 1:1 axis 'order' of the sweep gives this at every point "
                                "(run some of its points: --only order=VALUE)\n");
    assert_int_equal(load_with(rest, "repeat.count=5"), 0);
    assert_int_equal(study.repeat_count, 5);
    assert_int_equal(load_with(rest, "sweep.order.path=seed"), 0);
    assert_string_equal(study.axes[0].path, "seed");
}

/* What is resolved has the study's keys where the file has them. */
static void resolved(void **state)
{
    json_t *object;

    (void)state;
    load_good("");
    object = study_json(&study);
    assert_true(!json_object_get(object, "sweep") && !json_object_get(object, "repeat") &&
                !json_object_get(object, "expect"));
    json_decref(object);
    load_good("sweep: {o: {path: protocol.order, values: [1, 3]}}\n"
              "repeat: {count: 2}\n"
              "expect: [{name: a, error: E0501, when: o == 1}]\n");
    object = study_json(&study);
    json_t *wanted =
        json_pack("{s:{s:{s:s, s:n, s:[s, s]}}, s:{s:i}, s:[{s:s, s:n, s:s, s:s}]}", "sweep", "o",
                  "path", "protocol.order", "zip", "values", "1", "3", "repeat", "count", 2,
                  "expect", "name", "a", "that", "error", "E0501", "when", "o == 1");
    const char *key;
    json_t *value;
    json_object_foreach(wanted, key, value)
        assert_true(json_equal(json_object_get(object, key), value));
    json_decref(wanted);
    json_decref(object);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(none, end),          cmocka_unit_test_teardown(order, end),
        cmocka_unit_test_teardown(zips, end),          cmocka_unit_test_teardown(units, end),
        cmocka_unit_test_teardown(words, end),         cmocka_unit_test_teardown(seeds, end),
        cmocka_unit_test_teardown(sets, end),          cmocka_unit_test_teardown(limits, end),
        cmocka_unit_test_teardown(longest_value, end), cmocka_unit_test_teardown(bad, end),
        cmocka_unit_test_teardown(all_at_once, end),   cmocka_unit_test_teardown(notes, end),
        cmocka_unit_test_teardown(unsound, end),       cmocka_unit_test_teardown(overrides, end),
        cmocka_unit_test_teardown(resolved, end),
    };

    return !!cmocka_run_group_tests_name("study", tests, NULL, NULL);
}
