/* Expressions: what they are parsed into and what each is worth over runs that stand here by hand;
 * units, dimensions, selectors, what has no value; and what is said about bad ones, and where. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/sim/run/study_fixture.h"

/* Two axes of two, and one in step with the first; two repeats. */
#define SWEEP                                                                                      \
    "sweep:\n"                                                                                     \
    "  order: {path: protocol.order, values: [1, 3]}\n"                                            \
    "  dialect: {path: protocol.dialect, values: [xensock1, pvcalls1]}\n"                          \
    "  size: {path: workload.put.write_size, values: [4KiB, 64KiB], zip: order}\n"                 \
    "  s2: {path: seed, values: [5]}\n"                                                            \
    "repeat: {count: 2}\n"

enum { POINTS = 4, REPEATS = 2 };

static json_t *runs[POINTS * REPEATS], *errors[POINTS * REPEATS];

/* A run of point p and repeat r: everything in it follows from the two. Without an operation there
 * is no percentile. */
static json_t *run_of(uint32_t p, uint32_t r)
{
    json_int_t base = 1000 * (json_int_t)(p + 1) + 100 * r;

    return json_pack(
        "{s:i, s:{s:{s:s, s:I}, s:{s:s, s:I, s:I, s:I, s:I}, s:{s:s, s:i, s:i, s:i}}, s:{s:I, s:I, "
        "s:I}, s:[{s:s, s:i, s:i}]}",
        "code", 0, "metrics", "throughput.put", "unit", "bytes_per_s", "value", base * 1000000,
        "latency.ask", "unit", "ns", "count", base, "min", base, "p99", base * 10, "max", base * 20,
        "latency.door", "unit", "ns", "count", 0, "min", 0, "max", 0, "counters", "frontend.steps",
        base, "frontend.cpu_busy_ns", base, "peer.echo.bytes_in", base, "processes", "name", "web",
        "cpu_user_ns", 30, "cpu_system_ns", 12);
}

static void have_runs(void)
{
    load_good(SWEEP);
    for (uint32_t i = 0; i < POINTS * REPEATS; i++) {
        runs[i] = run_of(i / REPEATS, i % REPEATS);
        errors[i] = NULL;
    }
    errors[0] = json_pack("[{s:s}, {s:s}]", "code", "E0501", "code", "E0503");
}

static int drop(void **state)
{
    for (uint32_t i = 0; i < POINTS * REPEATS; i++) {
        json_decref(runs[i]);
        json_decref(errors[i]);
        runs[i] = errors[i] = NULL;
    }
    return end(state);
}

static struct expect expect;
static const struct expect_runs all_runs = {.study = &study, .runs = runs, .errors = errors};

static int parse(const char *text)
{
    const struct diag_place place = {0, 1, 1, text[0] ? (uint32_t)strlen(text) : 1};

    diag_fini(&diags);
    diag_init(&diags);
    diag_add_source(&diags, "e", text);
    return expect_parse(&expect, text, &study, &diags, place);
}

static struct expect_outcome look(const char *text, uint32_t point, uint32_t repeat)
{
    if (parse(text) < 0)
        fail_msg("%s: %s", text, told());
    return expect_look(&expect, &all_runs, point, repeat);
}

/* ---- what they are worth: each row holds, and what is below `not` does not ---- */

static const char *const holding[] = {
    /* precedence, loosest first: or, and, not, comparison, sum, product, minus */
    "1 == 1 or 1 == 2 and 1 == 2",
    "not 1 == 2 and 1 == 1",
    "not (1 == 1 and 1 == 2)",
    "not not 1 == 1",
    "1 + 2 * 3 == 7",
    "(1 + 2) * 3 == 9",
    "7 - 2 - 1 == 4",
    "8 / 4 / 2 == 1",
    "-2 + 3 == 1",
    "2 * -3 == -6",
    "1 - -1 == 2",
    "1 < 2 and 2 <= 2 and 3 > 2 and 2 >= 2 and 1 != 2",
    "not (2 < 2) and not (2 > 2) and not (1 == 2) and not (2 != 2)",
    /* numbers and units */
    "1.5 * 2 == 3",
    "50% == 0.5",
    "1000000ppm == 1",
    "1ms == 1000us and 1us == 1000ns and 1s == 1000ms and 1min == 60s",
    "1.5us == 1500ns",
    "1KiB == 1024B and 1MiB == 1024KiB and 1kB == 1000B",
    "8Mbit/s == 1MB/s",
    "1000/s == 1 / 1ms",
    "1MB/s == 1MB / 1s",
    "1MB/s * 1s == 1MB",
    "1MB / 1MB/s == 1s",
    "0 < 1us and -1us < 0 and 0 == 0B",
    /* what runs have: here of point 1 and repeat 1 */
    "throughput.put == 2100MB/s",
    "p99(latency.ask) == 21us",
    "p99.0(latency.ask) == 21us",
    "min(latency.ask) == 2100ns and max(latency.ask) == 42us",
    "count(latency.ask) == 2100",
    "count(latency.door) == 0",
    "frontend.steps == 2100",
    "frontend.cpu_busy_ns == 2100ns",
    "peer.echo.bytes_in == 2100B",
    "cpu.web == 42ns",
    "errors == 0 and errors.E0501 == 0",
    /* over the repeats of the point, 2000 and 2100 */
    "median(frontend.steps) == 2050",
    "mean(frontend.steps) == 2050",
    "least(frontend.steps) == 2000",
    "most(frontend.steps) == 2100",
    "sum(frontend.steps) == 4100",
    "median(p99(latency.ask)) == 20.5us",
    "most(frontend.steps + 1) == 2101",
    /* axes */
    "order == 1 and dialect == \"pvcalls1\" and size == 4KiB",
    "dialect != \"xensock1\"",
    "size / order == 4KiB",
    "10/s2 == 2",
    /* at other points: the rest is as here, and what goes in step goes along */
    "median(frontend.steps) @ order=3 == 4050",
    "frontend.steps @ order=3 == 4100",
    "frontend.steps @ size=64KiB == 4100",
    "frontend.steps @ size=65536B == 4100",
    "frontend.steps @ dialect=xensock1 == 1100",
    "frontend.steps @ dialect=\"xensock1\", order=3 == 3100",
    "frontend.steps @ dialect=xensock1 @ order=3 == 3100",
    "(order @ order=3) == 3",
    "(size @ order=3) == 64KiB",
    "errors @ dialect=xensock1, order=1 == 0",
    "p99(latency.ask @ order=3) == 41us",
    "p99(latency.ask @ dialect=xensock1 @ order=3) == 31us",
    "most(frontend.steps) @ order=3 / most(frontend.steps) @ order=1 > 1.9",
};

static void hold(void **state)
{
    (void)state;
    have_runs();
    for (size_t i = 0; i < sizeof(holding) / sizeof(holding[0]); i++) {
        struct expect_outcome outcome = look(holding[i], 1, 1);
        if (outcome.result != EXPECT_HOLDS)
            fail_msg("%s: %d, %s %s %s", holding[i], outcome.result, outcome.measured, outcome.sign,
                     outcome.limit);
    }
    assert_int_equal(look("errors == 2 and errors.E0501 == 1", 0, 0).result, EXPECT_HOLDS);
}

/* What a run does not have is unknown, a run that was not made absent; neither matters where the
 * other side decides. */
static void truth(void **state)
{
    static const struct {
        const char *text;
        enum expect_result result;
    } all[] = {
#define T "1 == 1"
#define F "1 == 2"
#define U "p99(latency.door) > 0"
#define A "frontend.steps @ order=3 == 1" /* its runs are missing */
        {T " and " T, EXPECT_HOLDS},
        {T " and " F, EXPECT_FAILS},
        {F " and " T, EXPECT_FAILS},
        {F " and " F, EXPECT_FAILS},
        {T " or " T, EXPECT_HOLDS},
        {T " or " F, EXPECT_HOLDS},
        {F " or " T, EXPECT_HOLDS},
        {F " or " F, EXPECT_FAILS},
        {"not " T, EXPECT_FAILS},
        {"not " F, EXPECT_HOLDS},
        {U, EXPECT_UNKNOWN},
        {"not " U, EXPECT_UNKNOWN},
        {U " and " T, EXPECT_UNKNOWN},
        {T " and " U, EXPECT_UNKNOWN},
        {U " and " F, EXPECT_FAILS},
        {F " and " U, EXPECT_FAILS},
        {U " or " T, EXPECT_HOLDS},
        {T " or " U, EXPECT_HOLDS},
        {U " or " F, EXPECT_UNKNOWN},
        {F " or " U, EXPECT_UNKNOWN},
        {A, EXPECT_ABSENT},
        {"not " A, EXPECT_ABSENT},
        {A " and " T, EXPECT_ABSENT},
        {A " or " T, EXPECT_HOLDS},
        {A " and " F, EXPECT_FAILS},
        {F " or " A, EXPECT_ABSENT},
        {"1 / 0 > 1", EXPECT_UNKNOWN},
        {"cpu.nobody > 0s", EXPECT_UNKNOWN},
        {"recovery.web > 0s", EXPECT_UNKNOWN},
        {"p50(latency.ask) > 0s", EXPECT_UNKNOWN}, /* neither stored nor decoded */
        {"errors @ order=3 == 0", EXPECT_ABSENT},
        {"median(frontend.steps) @ order=3 > 0", EXPECT_ABSENT},
    };

    (void)state;
    have_runs();
    for (uint32_t i = 2 * REPEATS; i < POINTS * REPEATS; i++) {
        json_decref(runs[i]);
        runs[i] = NULL;
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (look(all[i].text, 0, 0).result != all[i].result)
            fail_msg("%s: %d", all[i].text, look(all[i].text, 0, 0).result);
    assert_string_equal(look(U, 0, 0).unknown, "latency.door");
    assert_string_equal(look("1 / 0 > 1", 0, 0).unknown, "a quotient by 0");
}

/* Of all repeats or none: half of them would be another number. One that has no such value leaves
 * it without one. */
static void missing_repeats(void **state)
{
    (void)state;
    have_runs();
    json_decref(runs[1]);
    runs[1] = NULL;
    assert_int_equal(look("median(frontend.steps) == 1000", 0, 0).result, EXPECT_ABSENT);
    assert_int_equal(look("most(frontend.steps) - least(frontend.steps) == 0", 0, 0).result,
                     EXPECT_ABSENT);
    runs[1] = json_pack("{s:{}, s:{}}", "metrics", "counters");
    assert_int_equal(look("median(frontend.steps) == 1000", 0, 0).result, EXPECT_UNKNOWN);
}

/* What decided is told in the units of what is compared, below `not` the other way round. */
static void told_so(void **state)
{
    static const struct {
        const char *text, *measured, *sign, *limit;
    } all[] = {
        {"p99(latency.ask) <= 5us", "10.0 us", "<=", "5.00 us"},
        {"p99(latency.ask) > 5us", "10.0 us", ">", "5.00 us"},
        {"not (p99(latency.ask) > 5us)", "10.0 us", "<=", "5.00 us"},
        {"not (p99(latency.ask) <= 5us)", "10.0 us", ">", "5.00 us"},
        {"throughput.put >= 2 * throughput.put", "1.00 GB/s", ">=", "2.00 GB/s"},
        {"p99(latency.ask) <= 0", "10.0 us", "<=", "0 ns"},
        {"min(latency.ask) - p99(latency.ask) > 0s", "-9.00 us", ">", "0 ns"},
        {"dialect == \"pvcalls1\"", "xensock1", "==", "pvcalls1"},
        {"not (dialect == \"xensock1\")", "xensock1", "!=", "xensock1"},
        {"order >= 2", "1", ">=", "2"},
        {"size < 100B", "4096 bytes", "<", "100 bytes"},
        {"1000/s < frontend.steps / 1s - 1/s", "1000/s", "<", "999/s"},
        /* what differs looks different */
        {"p99(latency.ask) > 10001ns", "10000 ns", ">", "10001 ns"},
        {"throughput.put == 3000000001B / 3s", "1000000000 B/s", "==", "3000000001/3 B/s"},
        {"throughput.put == 1000000001B / 1s", "1000000000 B/s", "==", "1000000001 B/s"},
        {"-1MB/s * 1s < -1000000B - 1B / 3", "-1000000 bytes", "<", "-3000001/3 bytes"},
        {"1 / 10 == 1000001 / 10000000", "1/10", "==", "1000001/10000000"},
        {"throughput.put != throughput.put", "1.00 GB/s", "!=", "1.00 GB/s"},
        {"order == 1 and order == 2", "1", "==", "2"},
        {"order == 2 or order == 3", "1", "==", "3"},
    };

    (void)state;
    have_runs();
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct expect_outcome outcome = look(all[i].text, 0, 0);
        if (strcmp(outcome.measured, all[i].measured) != 0 ||
            strcmp(outcome.sign, all[i].sign) != 0 || strcmp(outcome.limit, all[i].limit) != 0)
            fail_msg("%s: %s %s %s", all[i].text, outcome.measured, outcome.sign, outcome.limit);
    }
}

/* What an expression is looked at for. */
static void levels(void **state)
{
    static const struct {
        const char *text;
        int of;
    } all[] = {
        {"1 == 1", 0},
        {"order == 1", EXPECT_OF_POINT},
        {"errors == 0", EXPECT_OF_POINT | EXPECT_OF_REPEAT | EXPECT_OF_METRICS},
        {"median(frontend.steps) > 0", EXPECT_OF_POINT | EXPECT_OF_METRICS},
        {"frontend.steps @ order=1 > 0", EXPECT_OF_POINT | EXPECT_OF_REPEAT | EXPECT_OF_METRICS},
        {"frontend.steps @ order=1, dialect=xensock1, s2=5 > 0",
         EXPECT_OF_REPEAT | EXPECT_OF_METRICS},
        {"median(frontend.steps) @ size=4KiB, dialect=xensock1, s2=5 > 0", EXPECT_OF_METRICS},
        {"median(frontend.steps) @ order=1, dialect=xensock1, s2=5 > median(frontend.steps)",
         EXPECT_OF_POINT | EXPECT_OF_METRICS},
    };

    (void)state;
    load_good(SWEEP);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(parse(all[i].text), 0);
        if (expect.nodes[expect.root].of != all[i].of)
            fail_msg("%s: %d", all[i].text, expect.nodes[expect.root].of);
    }
}

/* ---- what is wrong: the first fault alone, where it stands ---- */

static const struct {
    const char *text, *told;
} faulty[] = {
    {"", "E0132 1:1 the expression ends too early\n"},
    {"order", "E0134 1:1 a comparison is wanted here, and this is a number\n"},
    {"order ==", "E0132 1:9 the expression ends too early\n"},
    {"== 1", "E0132 1:1 expected a number, a name or '('\n"},
    {"(1 == 1", "E0132 1:8 expected ')' to close this\n"},
    {"1 == 1)", "E0132 1:7 the expression should end here (between two comparisons stands "
                "'and' or 'or')\n"},
    {"1 == 1 2 == 2", "E0132 1:8 the expression should end here (between two comparisons "
                      "stands 'and' or 'or')\n"},
    {"1 == 1 == 1", "E0132 1:8 the expression should end here (between two comparisons stands "
                    "'and' or 'or')\n"},
    {"order = 1", "E0132 1:7 expected '==' to compare\n"},
    {"1 == 1 and", "E0132 1:11 the expression ends too early\n"},
    {"not", "E0132 1:4 the expression ends too early\n"},
    {"1 ! 2", "E0132 1:3 the expression should end here (between two comparisons stands 'and' "
              "or 'or')\n"},
    {"\"a", "E0132 1:1 a text without a second '\"'\n"},
    {"é == 1", "E0132 1:1 expected a number, a name or '('\n"},
    {"5parsecs == 1us", "E0132 1:1 '5parsecs' is no number with a known unit (such as 250us, "
                        "64KiB, 100MB/s, 5000/s, 5%)\n"},
    {"1e3 == 1", "E0132 1:1 '1e' is no number with a known unit (such as 250us, 64KiB, "
                 "100MB/s, 5000/s, 5%)\n"},
    {"010 == 8", "E0132 1:1 '010' is no number with a known unit (such as 250us, 64KiB, "
                 "100MB/s, 5000/s, 5%)\n"},
    {"1..5 == 1", "E0132 1:1 '1..5' is no number with a known unit (such as 250us, 64KiB, "
                  "100MB/s, 5000/s, 5%)\n"},
    {"1.5B == 1B", "E0132 1:1 '1.5B' is no number with a known unit (such as 250us, 64KiB, "
                   "100MB/s, 5000/s, 5%)\n"},
    {"99999999999999999999 == 1", "E0132 1:1 '99999999999999999999' is no number with a known "
                                  "unit (such as 250us, 64KiB, 100MB/s, 5000/s, 5%)\n"},
    {"1000000000000000000000000000000000000000 == 1",
     "E0132 1:1 '1000000000000000000000000000000000000000' is no number with a known unit "
     "(such as 250us, 64KiB, 100MB/s, 5000/s, 5%)\n"},
    {"1 == 1us", "E0134 1:3 a plain number stands here against a time (the number needs a "
                 "unit, such as 250us, 64KiB, 100MB/s, 5000/s)\n"},
    {"1us == 1B", "E0134 1:5 a time stands here against a size\n"},
    {"1us + 1B == 1", "E0134 1:5 a time stands here against a size\n"},
    {"order + 1us == 1", "E0134 1:7 a plain number stands here against a time\n"},
    {"1us < 250", "E0134 1:5 a time stands here against a plain number (the number needs a "
                  "unit, such as 250us, 64KiB, 100MB/s, 5000/s)\n"},
    {"p99(latency.ask) <= 250",
     "E0134 1:18 a time stands here against a plain number (the number needs a unit, such as "
     "250us, 64KiB, 100MB/s, 5000/s)\n"},
    {"size == 4096", "E0134 1:6 a size stands here against a plain number (the number needs a "
                     "unit, such as 250us, 64KiB, 100MB/s, 5000/s)\n"},
    {"throughput.put > 1/s", "E0134 1:16 a throughput stands here against a rate\n"},
    {"1MB/s * 1MB == 1",
     "E0134 1:13 a number of another dimension stands here against a plain number (the number "
     "needs a unit, such as 250us, 64KiB, 100MB/s, 5000/s)\n"},
    {"1 and 1 == 1", "E0134 1:1 a comparison is wanted here, and this is a number\n"},
    {"1 == 1 and 1", "E0134 1:12 a comparison is wanted here, and this is a number\n"},
    {"not 1", "E0134 1:5 a comparison is wanted here, and this is a number\n"},
    {"(1 == 1) + 1 == 2", "E0134 1:10 a number is wanted here, and this is true or false\n"},
    {"-(1 == 1) == 1", "E0134 1:1 a number is wanted here, and this is true or false\n"},
    {"dialect < \"a\"", "E0134 1:9 a number is wanted here, and this is a text\n"},
    {"dialect == 1", "E0134 1:9 a \"text\" is wanted here, and this is a number\n"},
    {"\"a\"", "E0134 1:1 a comparison is wanted here, and this is a text\n"},
    {"latency.ask > 1us", "E0134 1:13 a number is wanted here, and this is a histogram (such "
                          "as p99(latency.ask))\n"},
    {"p99(1us) > 1us",
     "E0134 1:5 a histogram such as latency.NAME is wanted here, and this is a number\n"},
    {"p99(throughput.put) > 1us",
     "E0134 1:5 a histogram such as latency.NAME is wanted here, and this is a number\n"},
    {"median(latency.ask) > 1us",
     "E0134 1:8 a number is wanted here, and this is a histogram (such as p99(latency.ask))\n"},
    {"median(1 == 1) == 1", "E0134 1:8 a number is wanted here, and this is true or false\n"},
    {"median(order) == 1",
     "E0134 1:8 median() is over the repeats, and this is the same in each\n"},
    {"sum(1us) == 1us", "E0134 1:5 sum() is over the repeats, and this is the same in each\n"},
    {"median(median(frontend.steps)) == 1",
     "E0134 1:8 median() is over the repeats, and this is the same in each\n"},

    {"p0(latency.ask) > 1us", "E0133 1:1 no function is called 'p0' (did you mean 'p50'?)\n"},
    {"p100.1(latency.ask) > 1us",
     "E0133 1:1 no function is called 'p100.1' (known functions: p50, p99, p99.9, min, max, "
     "count, median, mean, least, most, sum)\n"},
    {"p99.99999(latency.ask) > 1us",
     "E0133 1:1 no function is called 'p99.99999' (known functions: p50, p99, p99.9, min, max, "
     "count, median, mean, least, most, sum)\n"},
    {"p(latency.ask) > 1us", "E0133 1:1 no function is called 'p' (known functions: p50, p99, "
                             "p99.9, min, max, count, median, mean, least, most, sum)\n"},
    {"medain(frontend.steps) > 1",
     "E0133 1:1 no function is called 'medain' (did you mean 'median'?)\n"},
    {"p99 latency.ask > 1us", "E0133 1:1 'p99' is a function (its argument stands in brackets)\n"},
    {"p99(latency.ask > 1us", "E0134 1:17 a number is wanted here, and this is a histogram "
                              "(such as p99(latency.ask))\n"},
    {"p99() > 1us", "E0132 1:5 expected a number, a name or '('\n"},
    {"latency > 1us", "E0133 1:1 'latency' does not say whose (such as latency.WORKLOAD)\n"},
    {"latency.as > 1us", "E0133 1:1 no workload is called 'as' (did you mean 'ask'?)\n"},
    {"latency.put > 1us", "E0133 1:1 workload 'put' has no latency\n"},
    {"accepted.ask > 1", "E0133 1:1 workload 'ask' has no accepted\n"},
    {"latncy.ask > 1us",
     "E0133 1:1 no metric, counter or axis is called 'latncy' (did you mean 'latency'?)\n"},
    {"recovery.wbe > 1us", "E0133 1:1 no host is called 'wbe' (did you mean 'web'?)\n"},
    {"frontend.step > 1", "E0133 1:1 no counter is called 'step' (did you mean 'steps'?)\n"},
    {"frontend.nobody.steps > 1", "E0133 1:1 no counter is called 'nobody.steps' (known names: "},

    {"peer.ech.bytes_in > 1B", "E0133 1:1 no peer is called 'ech' (did you mean 'echo'?)\n"},
    {"peer.echo.bytes_inn > 1B",
     "E0133 1:1 no counter is called 'bytes_inn' (did you mean 'bytes_in'?)\n"},
    {"peer.echo > 1B",
     "E0133 1:1 of peer 'echo' it names no counter (such as peer.echo.bytes_in)\n"},
    {"virtual.event > 1",
     "E0133 1:1 no counter is called 'virtual.event' (did you mean 'virtual.events'?)\n"},
    {"dialect == xensock1",
     "E0133 1:12 'xensock1' is no name (a value of an axis stands in quotes: \"xensock1\")\n"},
    {"xensock1 == dialect",
     "E0133 1:1 'xensock1' is no name (a value of an axis stands in quotes: \"xensock1\")\n"},
    {"dialect == \"xensok1\"",
     "E0133 1:9 axis 'dialect' has no value 'xensok1' (did you mean 'xensock1'?)\n"},
    {"\"xensok1\" != dialect",
     "E0133 1:11 axis 'dialect' has no value 'xensok1' (did you mean 'xensock1'?)\n"},
    {"errors.e0501 == 0", "E0133 1:1 no error has a code 'e0501' (such as errors.E0501)\n"},
    {"errors.E501 == 0", "E0133 1:1 no error has a code 'E501' (such as errors.E0501)\n"},
    {"orde == 1",
     "E0133 1:1 no metric, counter or axis is called 'orde' (did you mean 'order'?)\n"},
    {"order @ ordr=1 == 1",
     "E0133 1:9 no axis of the sweep is called 'ordr' (did you mean 'order'?)\n"},
    {"order @ order=2 == 1", "E0133 1:15 axis 'order' has no value '2' (known values: 1, 3)\n"},
    {"order @ order 1 == 1", "E0132 1:15 expected '=' and a value of the axis\n"},
    {"order @ == 1",
     "E0133 1:9 no axis of the sweep is called '==' (known axes: order, dialect, size, s2)\n"},
    {"order @ order= == 1", "E0133 1:16 axis 'order' has no value '==' (known values: 1, 3)\n"},
    {"order @ dialect=\"xensok1\" == 1",
     "E0133 1:17 axis 'dialect' has no value '\"xensok1\"' (did you mean 'xensock1'?)\n"},
    {"order @ size=4KB == 1", "E0133 1:14 axis 'size' has no value '4KB' (did you mean '4KiB'?)\n"},
    {"order @ order=1, == 1",
     "E0133 1:18 no axis of the sweep is called '==' (known axes: order, dialect, size, s2)\n"},
};

static void bad(void **state)
{
    (void)state;
    load_good(SWEEP);
    uint32_t wrong = 0;
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
        int ret = parse(faulty[i].text);
        if (ret == -1 && expect.count == 0 &&
            strncmp(told(), faulty[i].told, strlen(faulty[i].told)) == 0)
            continue;
        print_message("%s: %d %s", faulty[i].text, ret, told());
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* As deep and as long as allowed, and once more. */
static void limits(void **state)
{
    char text[2048];

    (void)state;
    load_good(SWEEP);
    for (int depth = 30; depth <= 33; depth++) {
        size_t used = 0;
        for (int i = 0; i < depth; i++)
            text[used++] = '(';
        used += (size_t)sprintf(text + used, "1 == 1");
        for (int i = 0; i < depth; i++)
            text[used++] = ')';
        text[used] = '\0';
        assert_int_equal(parse(text), depth <= 32 ? 0 : -1);
    }
    assert_string_equal(told(), "E0113 1:34 nested more than 32 deep\n");
    for (int nots = 32; nots <= 33; nots++) {
        text[0] = '\0';
        for (int i = 0; i < nots; i++)
            strcat(text, "not ");
        strcat(text, "1 == 1");
        assert_int_equal(parse(text), nots <= 32 ? 0 : -1);
    }
    /* "1" is a node, and each "+ 1" two */
    for (int more = 45; more <= 47; more++) {
        strcpy(text, "1");
        for (int i = 0; i < more; i++)
            strcat(text, "+1");
        strcat(text, "==1");
        assert_int_equal(parse(text), more <= 46 ? 0 : -1);
    }
    assert_string_equal(told(), "E0113 1:99 the expression has too many parts\n");
}

/* Columns are those of the file: behind quotes, and of a folded text its beginning. */
static void places(void **state)
{
    (void)state;
    assert_told(
        "expect:\n"
        "  - {name: a, that: error == 0}\n"
        "  - {name: b, that: 'errors = 0'}\n"
        "  - {name: c, that: \"errors ! 0\"}\n"
        "  - {name: d, that: \"errors \\u003d 0\"}\n"
        "  - name: e\n"
        "    that: >-\n"
        "      errors == 0 and\n"
        "      error == 0\n",
        "E0133 17:21 no metric, counter or axis is called 'error' (did you mean "
        "'errors'?)\n"
        "E0132 18:29 expected '==' to compare\n"
        "E0132 19:29 the expression should end here (between two comparisons stands 'and' "
        "or 'or')\n"
        "E0132 20:21 expected '==' to compare, at '= 0'\n"
        "E0133 22:11 no metric, counter or axis is called 'error', at 'error == 0' (did you "
        "mean 'errors'?)\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(hold, drop),    cmocka_unit_test_teardown(truth, drop),
        cmocka_unit_test_teardown(told_so, drop), cmocka_unit_test_teardown(missing_repeats, drop),
        cmocka_unit_test_teardown(levels, end),   cmocka_unit_test_teardown(bad, end),
        cmocka_unit_test_teardown(limits, end),   cmocka_unit_test_teardown(places, end),
    };

    return !!cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
