/* Summing up a study's result and judging it. See study_result.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/stats.h"
#include "sim/run/study_result.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Exit codes, as tools/cmd.h has them. */
enum { CODE_OK = 0, CODE_FAILED = 1 };

/* ---- summary ---- */

/* Of a histogram this is summed up, of all else its value. */
static const char *const of_histograms[] = {"min", "p50", "p90", "p99", "p99_9", "max"};
enum { OF_HISTOGRAMS = sizeof(of_histograms) / sizeof(of_histograms[0]) };

/* What is summed up: a metric's value, or, of a histogram, one of several. */
struct member {
    const char *metric, *key, *unit;
};

/* The values that it has in the repeats. */
static uint32_t values_of(const json_t *repeats, const struct member *member,
                          uint64_t values[STUDY_REPEATS_MAX])
{
    uint32_t count = 0;
    size_t i;
    json_t *repeat;

    json_array_foreach(repeats, i, repeat)
    {
        const json_t *of = json_object_get(json_object_get(repeat, "metrics"), member->metric);
        const json_t *value = json_object_get(of, member->key);
        if (json_is_integer(value) && count < STUDY_REPEATS_MAX)
            values[count++] = (uint64_t)json_integer_value(value);
    }
    return count;
}

static json_t *sum_up(const char *name, const char *unit, const uint64_t *values, uint32_t count)
{
    uint64_t sorted[STUDY_REPEATS_MAX];
    struct stats_interval interval;
    json_t *object, *ci95 = NULL;

    memcpy(sorted, values, count * sizeof(values[0]));
    uint64_t median = stats_median(sorted, count);
    if (count >= STATS_INTERVAL_COUNT &&
        stats_median_interval(&(struct stats_sample){values, count}, STATS_RESAMPLES, name,
                              &interval) == 0)
        ci95 = json_pack("[I, I]", (json_int_t)interval.low, (json_int_t)interval.high);
    object = json_pack("{s:s?, s:i, s:I, s:I, s:I}", "unit", unit, "n", (int)count, "median",
                       (json_int_t)median, "least", (json_int_t)sorted[0], "most",
                       (json_int_t)sorted[count - 1]);
    if (ci95)
        json_object_set_new(object, "ci95", ci95);
    return object;
}

static void summarise_member(json_t *summary, const json_t *repeats, const struct member *member)
{
    uint64_t values[STUDY_REPEATS_MAX];
    uint32_t count = values_of(repeats, member, values);
    bool whole = strcmp(member->key, "value") == 0;
    char name[192];

    snprintf(name, sizeof(name), "%s%s%s", member->metric, whole ? "" : ".",
             whole ? "" : member->key);
    if (count > 0)
        json_object_set_new(summary, name, sum_up(name, member->unit, values, count));
}

/* Every metric that a repeat has: the first may have failed before it had any. */
static json_t *metrics_of(const json_t *repeats)
{
    json_t *all = json_object(), *repeat;
    size_t i;

    json_array_foreach(repeats, i, repeat)
        json_object_update_missing(all, json_object_get(repeat, "metrics"));
    return all;
}

static void summarise(json_t *point)
{
    const json_t *repeats = json_object_get(point, "repeats");
    json_t *summary = json_object(), *metrics = metrics_of(repeats), *metric;
    const char *key;

    json_object_foreach(metrics, key, metric)
    {
        const char *unit = json_string_value(json_object_get(metric, "unit"));
        bool histogram = json_object_get(metric, "hdr_v2") != NULL;
        if (!histogram)
            summarise_member(summary, repeats, &(struct member){key, "value", unit});
        for (uint32_t i = 0; i < OF_HISTOGRAMS && histogram; i++)
            summarise_member(summary, repeats, &(struct member){key, of_histograms[i], unit});
    }
    json_decref(metrics);
    json_object_set_new(point, "summary", summary);
}

/* ---- expectations ---- */

struct judging {
    const struct study *study;
    json_t *result;
    json_t **runs, **errors; /* by point * repeat_count + repeat */
    uint32_t failed;         /* expectations that failed, or have no value */
};

/* How often an expectation was looked at for one case. */
struct count {
    uint32_t holds, fails, unknown;
    struct expect_outcome shown; /* of them the one that says most */
    uint32_t repeat;             /* where that was */
};

static bool index_runs(struct judging *judging)
{
    size_t runs = (size_t)judging->study->point_count * judging->study->repeat_count, i, j;
    json_t *point, *repeat, *error;

    judging->runs = calloc(runs, sizeof(judging->runs[0]));
    judging->errors = calloc(runs, sizeof(judging->errors[0]));
    if (!judging->runs || !judging->errors)
        return false;
    json_array_foreach(json_object_get(judging->result, "points"), i, point)
    {
        size_t id = (size_t)json_integer_value(json_object_get(point, "id"));
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
        {
            size_t its = (size_t)json_integer_value(json_object_get(repeat, "i"));
            judging->runs[id * judging->study->repeat_count + its] = repeat;
        }
    }
    json_array_foreach(json_object_get(judging->result, "errors"), i, error)
    {
        const json_t *of = json_object_get(error, "point");
        size_t at = (size_t)json_integer_value(of) * judging->study->repeat_count +
                    (size_t)json_integer_value(json_object_get(error, "repeat"));
        if (!of)
            continue;
        assert(at < runs);
        if (!judging->errors[at])
            judging->errors[at] = json_array();
        json_array_append(judging->errors[at], error);
    }
    return true;
}

static uint32_t run_at(const struct judging *judging, uint32_t point, uint32_t repeat)
{
    return point * judging->study->repeat_count + repeat;
}

static bool has_code(const json_t *errors, const char *code)
{
    size_t i;
    json_t *error;

    json_array_foreach(errors, i, error)
    {
        if (strcmp(json_string_value(json_object_get(error, "code")), code) == 0)
            return true;
    }
    return false;
}

/* Whether it is of any concern at a point. */
static bool applies(const struct study *study, const struct study_expect *expect, uint32_t point)
{
    const struct expect_runs runs = {.study = study}; /* it names axes only */

    return expect->where.count == 0 ||
           expect_look(&expect->where, &runs, point, 0).result == EXPECT_HOLDS;
}

/* Whether an outcome says more than the one that is shown: of those that failed the one that did so
 * by the most, of those that hold the one that does so by the least. */
static bool says_more(const struct count *count, const struct expect_outcome *outcome)
{
    bool first = count->holds + count->fails + count->unknown == 0;

    switch (outcome->result) {
    case EXPECT_FAILS:
        return count->fails == 0 || ratio_compare(outcome->gap, count->shown.gap) > 0;
    case EXPECT_UNKNOWN: return count->fails + count->unknown == 0;
    case EXPECT_HOLDS:
        return first || (count->fails + count->unknown == 0 &&
                         ratio_compare(outcome->gap, count->shown.gap) < 0);
    case EXPECT_ABSENT: break;
    }
    return false;
}

/* What comes of an expectation in a repeat of a point. */
static struct expect_outcome outcome_in(const struct expect_runs *runs,
                                        const struct study_expect *expect, uint32_t point,
                                        uint32_t repeat)
{
    struct expect_outcome outcome = {.sign = "", .gap = {0, 1}};
    size_t at = (size_t)point * runs->study->repeat_count + repeat;

    if (!expect->error[0])
        return expect_look(&expect->holds, runs, point, repeat);
    outcome.result = !expect_run(runs, at)                                  ? EXPECT_ABSENT
                     : has_code(expect_run_errors(runs, at), expect->error) ? EXPECT_HOLDS
                                                                            : EXPECT_FAILS;
    return outcome;
}

/* Look once, in a repeat of a point. */
static void look(const struct judging *judging, const struct study_expect *expect, uint32_t point,
                 uint32_t repeat, struct count *count)
{
    const struct expect_runs runs = {
        .study = judging->study, .runs = judging->runs, .errors = judging->errors};
    struct expect_outcome outcome = outcome_in(&runs, expect, point, repeat);

    if (outcome.result == EXPECT_ABSENT)
        return;
    if (says_more(count, &outcome)) {
        count->shown = outcome;
        count->repeat = repeat;
    }
    count->holds += outcome.result == EXPECT_HOLDS;
    count->fails += outcome.result == EXPECT_FAILS;
    count->unknown += outcome.result == EXPECT_UNKNOWN;
}

static const char *result_word(const struct count *count)
{
    if (count->fails > 0)
        return "fail";
    return count->unknown > 0 ? "unknown" : "pass";
}

/* Why, in a line. */
static void explain(const struct study_expect *expect, const struct count *count, char *why,
                    size_t bytes)
{
    const struct expect_outcome *shown = &count->shown;
    uint32_t of = count->holds + count->fails + count->unknown;
    uint32_t bad = count->fails + count->unknown;
    char where[32] = "", times[64] = "";

    if (of > 1 && bad > 0) {
        snprintf(where, sizeof(where), " in repeat %" PRIu32, count->repeat);
        snprintf(times, sizeof(times), "; fails in %" PRIu32 " of %" PRIu32 " repeats", bad, of);
    }
    if (expect->error[0])
        snprintf(why, bytes, "%s%s%s%s", count->fails ? "no " : "", expect->error, where,
                 bad ? times : "");
    else if (shown->result == EXPECT_UNKNOWN)
        snprintf(why, bytes, "%s has no value%s%s", shown->unknown, where, times);
    else if (count->fails)
        snprintf(why, bytes, "%s%s, wanted %s %s%s", shown->measured, where, shown->sign,
                 shown->limit, bad > 1 ? times : "");
    else
        snprintf(why, bytes, "%s %s %s", shown->measured, shown->sign, shown->limit);
}

/* Add one case, unless nothing of it has been run; false if it did not pass. */
static bool add_case(json_t *cases, const struct study_expect *expect, const struct count *count,
                     json_t *point)
{
    uint32_t of = count->holds + count->fails + count->unknown;
    bool of_repeat =
        expect->error[0] || expect->holds.nodes[expect->holds.root].of & EXPECT_OF_REPEAT;
    char why[320];

    if (of == 0) {
        json_decref(point);
        return true;
    }
    explain(expect, count, why, sizeof(why));
    json_array_append_new(cases, json_pack("{s:o, s:s, s:i, s:i, s:s, s:s, s:s}", "point", point,
                                           "result", result_word(count), "failed",
                                           (int)(count->fails + count->unknown), "of", (int)of,
                                           "measured", count->shown.measured, "limit",
                                           count->shown.limit, "why", why));
    if (of_repeat)
        json_object_set_new(json_array_get(cases, json_array_size(cases) - 1), "repeat",
                            json_integer(count->repeat));
    return count->fails + count->unknown == 0;
}

/* All cases of an expectation: one a point, or one alone if no point matters. */
static void judge_expect(struct judging *judging, const struct study_expect *expect)
{
    const struct study *study = judging->study;
    uint8_t of = expect->error[0] ? EXPECT_OF_REPEAT | EXPECT_OF_POINT
                                  : expect->holds.nodes[expect->holds.root].of;
    json_t *cases = json_array();
    bool passed = true, failed = false;
    size_t i;
    json_t *one;

    for (uint32_t point = 0; point < study->point_count; point++) {
        struct count count = {0};
        if (!applies(study, expect, point))
            continue;
        for (uint32_t repeat = 0; repeat < study->repeat_count; repeat++) {
            look(judging, expect, point, repeat, &count);
            if (!(of & EXPECT_OF_REPEAT))
                break;
        }
        passed &= add_case(cases, expect, &count,
                           of & EXPECT_OF_POINT ? json_integer(point) : json_null());
        if (!(of & EXPECT_OF_POINT))
            break;
    }
    json_array_foreach(cases, i, one) failed |=
        strcmp(json_string_value(json_object_get(one, "result")), "fail") == 0;
    judging->failed += !passed;
    json_array_append_new(json_object_get(judging->result, "expectations"),
                          json_pack("{s:s, s:s, s:i, s:i, s:s, s:o}", "name", expect->name, "that",
                                    expect->error[0] ? expect->error : expect->that, "line",
                                    (int)expect->place.line, "column", (int)expect->place.column,
                                    "result",
                                    failed    ? "fail"
                                    : !passed ? "unknown"
                                              : "pass",
                                    "cases", cases));
}

/* ---- the exit code ---- */

static bool is_expected(const struct study *study, uint32_t point, const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));

    for (uint32_t i = 0; i < study->expect_count; i++) {
        const struct study_expect *expect = &study->expects[i];
        if (strcmp(expect->error, code) == 0 && applies(study, expect, point))
            return true;
    }
    return false;
}

bool study_result_excuses(const struct study *study, uint32_t point, const json_t *errors)
{
    size_t i;
    json_t *error;

    json_array_foreach(errors, i, error)
    {
        if (!is_expected(study, point, error))
            return false;
    }
    return json_array_size(errors) > 0;
}

static void mark_expected(const struct judging *judging, uint32_t point, json_t *errors)
{
    size_t i;
    json_t *error;

    json_array_foreach(errors, i, error)
    {
        if (is_expected(judging->study, point, error))
            json_object_set_new(error, "expected", json_true());
    }
}

/* Of two runs' codes the one that says more: a bug of ours before a broken core, before a scenario
 * that cannot be run so, before a finding; and before all that it was interrupted. */
static int worse(int a, int b)
{
    static const int order[] = {130, 70, 77, 5, 3, 2, 1};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return CODE_OK;
}

/* The worst code of those that count; whether all of them ended by themselves, in `complete`. */
static int judge_runs(const struct judging *judging, bool *complete)
{
    int code = judging->failed ? CODE_FAILED : CODE_OK;

    for (uint32_t point = 0; point < judging->study->point_count; point++) {
        for (uint32_t repeat = 0; repeat < judging->study->repeat_count; repeat++) {
            uint32_t at = run_at(judging, point, repeat);
            const json_t *its = json_object_get(judging->runs[at], "code");
            if (!its)
                continue;
            mark_expected(judging, point, judging->errors[at]);
            if (study_result_excuses(judging->study, point, judging->errors[at]))
                continue;
            code = worse(code, (int)json_integer_value(its));
            *complete &= json_is_true(json_object_get(judging->runs[at], "complete"));
        }
    }
    return code;
}

int study_result_judge(json_t *result, const struct study *study, bool complete)
{
    struct judging judging = {.study = study, .result = result};
    json_t *point;
    size_t i;
    int code;

    json_array_foreach(json_object_get(result, "points"), i, point) summarise(point);
    json_array_clear(json_object_get(result, "expectations"));
    if (!index_runs(&judging))
        return worse(70, CODE_OK);
    for (uint32_t e = 0; e < study->expect_count; e++)
        judge_expect(&judging, &study->expects[e]);
    code = judge_runs(&judging, &complete);
    for (i = 0; i < (size_t)study->point_count * study->repeat_count; i++)
        json_decref(judging.errors[i]);
    free(judging.runs);
    free(judging.errors);
    json_object_set_new(result, "complete", json_boolean(complete));
    return code;
}

bool study_result_failed(const struct study *study, const struct study_run *which,
                         const json_t *run)
{
    const json_t *point = json_array_get(json_object_get(run, "points"), 0);
    const struct expect_runs runs = {.study = study,
                                     .one = json_array_get(json_object_get(point, "repeats"), 0),
                                     .one_errors = json_object_get(run, "errors"),
                                     .one_at = (size_t)which->point * study->repeat_count +
                                               which->repeat};
    bool failed =
        which->code != CODE_OK && !study_result_excuses(study, which->point, runs.one_errors);

    for (uint32_t i = 0; i < study->expect_count && !failed; i++) {
        const struct study_expect *expect = &study->expects[i];
        enum expect_result result = EXPECT_ABSENT;
        if (applies(study, expect, which->point))
            result = outcome_in(&runs, expect, which->point, which->repeat).result;
        failed = result == EXPECT_FAILS || result == EXPECT_UNKNOWN;
    }
    return failed;
}
