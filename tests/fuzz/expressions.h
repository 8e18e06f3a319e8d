/*
 * Expressions of `expect`, for the harness of texts: whatever they say, they are parsed or refused
 * with one error whose place is in the text, and what is parsed can be looked at, with runs and
 * without. What they are worth is test_expect.c's.
 */
#ifndef XENSOCK_TESTS_FUZZ_EXPRESSIONS_H
#define XENSOCK_TESTS_FUZZ_EXPRESSIONS_H

#include "sim/run/study.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* A first byte that says that the rest of the input is one. */
#define FUZZ_EXPRESSION 0xff

static struct study *expression_study(void)
{
    static const char text[] =
        "{schema: xensock/scenario/1, name: s, mode: virtual, topology: {hosts: {dom0: {role: "
        "backend}, web: {role: frontend}}, peers: {echo: {kind: echo}}}, workload: [{name: ask, "
        "kind: request-response, connect_to: echo}], repeat: {count: 2}, sweep: {order: {path: "
        "protocol.order, values: [1, 3]}, dialect: {path: protocol.dialect, values: [xensock1, "
        "pvcalls1]}, size: {path: workload.ask.request, values: [4KiB, 64KiB], zip: order}}}";
    static struct diag_list diags;
    static struct study study;

    if (study.point_count == 0) {
        diag_init(&diags);
        diag_add_source(&diags, "s", text);
        FUZZ_CHECK(study_load_text(&study, text, NULL, 0, &diags) == 0, "%s",
                   diags.entries[0].message);
    }
    return &study;
}

/* In the first point's first repeat, which has a run or has not. */
static void expression_look(const struct expect *expect, const struct study *study, json_t *run)
{
    json_t *runs[8] = {run}, *errors[8] = {NULL};
    const struct expect_runs all = {.study = study, .runs = runs, .errors = errors};
    struct expect_outcome outcome = expect_look(expect, &all, 0, 0);

    FUZZ_CHECK(outcome.result >= EXPECT_HOLDS && outcome.result <= EXPECT_ABSENT, "%d",
               (int)outcome.result);
    FUZZ_CHECK(outcome.result != EXPECT_UNKNOWN || outcome.unknown[0], "unknown, but not what");
}

/* Always true: that was all of the input. */
static bool fuzz_expression(const struct fuzz_input *input)
{
    static struct expect expect;
    static struct diag_list diags;
    struct study *study = expression_study();
    char text[SCENARIO_TEXT_BYTES] = "";
    json_t *run =
        json_pack("{s:{s:{s:s, s:i}, s:{s:s, s:i, s:i}}, s:{s:I}}", "metrics", "throughput.ask",
                  "unit", "bytes_per_s", "value", 5, "latency.ask", "unit", "ns", "count", 3, "p99",
                  7, "counters", "frontend.steps", (json_int_t)INT64_MAX);

    memcpy(text, input->data, input->size < sizeof(text) ? input->size : sizeof(text) - 1);
    const struct diag_place place = {0, 1, 1, text[0] ? (uint32_t)strlen(text) : 1};
    diag_init(&diags);
    int ret = expect_parse(&expect, text, study, &diags, place);
    FUZZ_CHECK((ret == 0) == (diags.errors == 0) && diags.errors <= 1, "%d, and %u errors", ret,
               diags.errors);
    FUZZ_CHECK((ret == 0) == (expect.count > 0) && expect.count <= EXPECT_NODES_MAX, "%u nodes",
               expect.count);
    if (ret < 0)
        FUZZ_CHECK(diags.entries[0].place.column <= strlen(text) + 1, "column %u",
                   diags.entries[0].place.column);
    for (int with = 0; ret == 0 && with < 2; with++)
        expression_look(&expect, study, with ? run : NULL);
    json_decref(run);
    diag_fini(&diags);
    return true;
}

#endif
