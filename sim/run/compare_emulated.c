/*
 * Results of real time: one value a run, and whether the runs of one side differ from those of the
 * other by more than they do among themselves. See compare.h.
 *
 * Something is worse, or better, if four things hold: the Mann-Whitney test says so at alpha, after
 * Holm's correction for all that was tested; the medians differ by the least effect that matters;
 * and by more than halves of one side differ from each other (every other run against those
 * between: the A/A floor); and the direction is known. It is the same if the test could have said
 * otherwise and the interval of the ratio lies within the least effect. All else is inconclusive.
 */
#include "sim/run/compare_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_SHOWN_MOST = 10000 };

struct emulated {
    json_t *comparison, *rows;
    const struct compare_options *options;
};

/* ---- values ---- */

static bool failed(const json_t *repeat)
{
    return json_integer_value(json_object_get(repeat, "code")) != 0;
}

/* The values of all runs that did not fail, in their order. */
static json_t *runs_of(const json_t *point)
{
    json_t *runs = json_array(), *repeat;
    size_t i;

    assert(runs);
    json_array_foreach(json_object_get(point, "repeats"), i, repeat) if (!failed(repeat))
        json_array_append_new(runs, compare_values(repeat));
    return runs;
}

static uint32_t failures_of(const json_t *point)
{
    uint32_t count = 0;
    json_t *repeat;
    size_t i;

    json_array_foreach(json_object_get(point, "repeats"), i, repeat) count += failed(repeat);
    return count;
}

/* What runs measured under this name; to be freed. Each `step`-th of them from the `first`. */
static struct stats_sample sample_of(const json_t *runs, const char *name, size_t first,
                                     size_t step)
{
    size_t all = json_array_size(runs);
    uint64_t *values = calloc(all + 1, sizeof(*values));
    uint32_t count = 0;

    assert(values);
    for (size_t i = first; i < all; i += step) {
        const json_t *one = json_object_get(json_array_get(runs, i), name);
        if (one)
            values[count++] = (uint64_t)json_integer_value(json_object_get(one, "value"));
    }
    return (struct stats_sample){.values = values, .count = count};
}

static void sample_free(struct stats_sample *sample)
{
    free((void *)sample->values);
}

static uint64_t median_of(const struct stats_sample *sample)
{
    uint64_t *copy = malloc((sample->count + 1) * sizeof(*copy)), median;

    assert(copy && sample->count > 0);
    memcpy(copy, sample->values, sample->count * sizeof(*copy));
    median = stats_median(copy, sample->count);
    free(copy);
    return median;
}

static uint64_t distance(uint64_t ratio_ppm)
{
    return ratio_ppm > STATS_PPM ? ratio_ppm - STATS_PPM : STATS_PPM - ratio_ppm;
}

/* How much one half of the runs differs from the other. */
static uint64_t noise_of(const json_t *runs, const char *name)
{
    struct stats_sample even = sample_of(runs, name, 0, 2), odd = sample_of(runs, name, 1, 2);
    uint64_t noise = 0;

    if (even.count > 0 && odd.count > 0)
        noise = distance(stats_ratio_ppm(median_of(&even), median_of(&odd)));
    sample_free(&even);
    sample_free(&odd);
    return noise;
}

/* ---- one metric at one point: what is measured, before a verdict ---- */

static const char *unit_of(const json_t *runs, const char *name)
{
    json_t *run;
    size_t i;

    json_array_foreach(runs, i, run) if (json_object_get(run, name)) return json_string_value(
        json_object_get(json_object_get(run, name), "unit"));
    return NULL;
}

/* The key of its draws: the same metric at the same point is drawn the same way, for ever. */
static void set_interval(json_t *row, const struct stats_sample *a, const struct stats_sample *b)
{
    struct stats_interval ppm;
    char *axes = json_dumps(json_object_get(row, "axes"), JSON_SORT_KEYS | JSON_ENCODE_ANY);
    json_t *key =
        json_sprintf("%s %s", json_string_value(json_object_get(row, "name")), axes ? axes : "");

    int ret = stats_ratio_interval(a, b, STATS_RESAMPLES, json_string_value(key), &ppm);
    assert(ret == 0 && "out of memory");
    (void)ret;
    compare_set(row, "ci95_ppm", json_pack("[I, I]", (json_int_t)ppm.low, (json_int_t)ppm.high));
    json_decref(key);
    free(axes);
}

static void measure(json_t *row, const json_t *runs_a, const json_t *runs_b)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    struct stats_sample a = sample_of(runs_a, name, 0, 1), b = sample_of(runs_b, name, 0, 1);
    uint64_t noise_a = noise_of(runs_a, name), noise_b = noise_of(runs_b, name);
    struct stats_test test;

    compare_set(row, "runs", json_pack("[i, i]", (int)a.count, (int)b.count));
    if (a.count > 0)
        compare_set(row, "a", json_integer((json_int_t)median_of(&a)));
    if (b.count > 0)
        compare_set(row, "b", json_integer((json_int_t)median_of(&b)));
    if (a.count > 0 && b.count > 0) {
        int ret = stats_mann_whitney(&a, &b, &test);
        assert(ret == 0 && "out of memory");
        (void)ret;
        compare_set(row, "p", json_integer((json_int_t)test.p));
        compare_set(row, "noise_ppm",
                    json_integer((json_int_t)(noise_a > noise_b ? noise_a : noise_b)));
        set_interval(row, &a, &b);
    }
    compare_judge(row);
    sample_free(&a);
    sample_free(&b);
}

/* All names that either side has, a's in their order, then b's. */
static json_t *names_of(const json_t *runs_a, const json_t *runs_b)
{
    const json_t *sides[2] = {runs_a, runs_b};
    json_t *names = json_object(), *run, *value;
    const char *name;
    size_t i;

    for (int side = 0; side < 2; side++)
        json_array_foreach(sides[side], i, run)
            json_object_foreach(run, name, value) if (!json_object_get(names, name))
                compare_set(names, name, json_true());
    return names;
}

/* ---- points ---- */

static void note(const struct emulated *self, json_t *text)
{
    json_array_append_new(json_object_get(self->comparison, "notes"), text);
}

/* Runs that failed measured nothing, and are no noise either. */
static void compare_failures(const struct emulated *self, const struct compare_pair *pair)
{
    uint32_t a = failures_of(pair->a), b = failures_of(pair->b);

    if (a == 0 && b == 0)
        return;
    json_t *row = compare_add_row(self->rows, pair, "failed_runs");
    compare_set(row, "a", json_integer(a));
    compare_set(row, "b", json_integer(b));
    compare_set(row, "first", json_true());
    compare_set(row, "runs",
                json_pack("[i, i]", (int)json_array_size(json_object_get(pair->a, "repeats")),
                          (int)json_array_size(json_object_get(pair->b, "repeats"))));
    compare_judge(row);
    if (a == b)
        compare_set(row, "verdict", json_string("same"));
}

static void each_point(void *context, const struct compare_pair *pair)
{
    const struct emulated *self = context;
    const char *name;
    json_t *any;

    if (!pair->a || !pair->b) {
        char *axes = json_dumps(pair->axes, JSON_COMPACT);
        note(self, json_sprintf("only %s has the point %s", pair->a ? "A" : "B", axes));
        free(axes);
        return;
    }
    json_t *runs_a = runs_of(pair->a), *runs_b = runs_of(pair->b);
    json_t *names = names_of(runs_a, runs_b);
    compare_failures(self, pair);
    json_object_foreach(names, name, any)
    {
        const char *unit = unit_of(unit_of(runs_a, name) ? runs_a : runs_b, name);
        if (!compare_wants(self->options, name))
            continue;
        json_t *row = compare_add_row(self->rows, pair, name);
        compare_set(row, "unit", json_string(unit ? unit : ""));
        measure(row, runs_a, runs_b);
    }
    json_decref(names);
    json_decref(runs_a);
    json_decref(runs_b);
}

/* ---- verdicts ---- */

/* Rows that were tested, from the least p. */
static int by_p(const void *left, const void *right)
{
    const json_t *const *a = left, *const *b = right;
    json_int_t p = json_integer_value(json_object_get(*a, "p"));
    json_int_t q = json_integer_value(json_object_get(*b, "p"));

    return (p > q) - (p < q);
}

/* Holm: the k-th least p of n is worth n + 1 - k times as much, and no less than those before it.
 * Returns how many were tested. */
static size_t correct(json_t *rows)
{
    json_t **tested = calloc(json_array_size(rows) + 1, sizeof(json_t *)), *row;
    uint64_t least = 0;
    size_t count = 0, i;

    assert(tested);
    json_array_foreach(rows, i, row) if (json_object_get(row, "p")) tested[count++] = row;
    qsort(tested, count, sizeof(*tested), by_p);
    for (i = 0; i < count; i++) {
        uint64_t p = (uint64_t)json_integer_value(json_object_get(tested[i], "p")) * (count - i);
        p = p < STATS_P_ONE ? p : STATS_P_ONE;
        least = p > least ? p : least;
        compare_set(tested[i], "p", json_integer((json_int_t)least));
    }
    free(tested);
    return count;
}

static uint64_t at(const json_t *row, const char *key, size_t i)
{
    const json_t *value = json_object_get(row, key);

    return (uint64_t)json_integer_value(json_is_array(value) ? json_array_get(value, i) : value);
}

/* What matters is told by the test; the rest may be the same: an interval is narrower by the root
 * of the runs, and is to be as wide as the least effect. */
static uint64_t runs_for(const json_t *row, uint64_t runs, const struct compare_options *options)
{
    uint64_t width = at(row, "ci95_ppm", 1) - at(row, "ci95_ppm", 0), p = at(row, "p", 0), times;
    uint64_t effect_ppm = options->min_effect_ppm > 0 ? options->min_effect_ppm : 1;

    if (p > options->alpha &&
        distance(stats_ratio_ppm(at(row, "a", 0), at(row, "b", 0))) >= effect_ppm)
        return stats_count_for(p, options->alpha, (uint32_t)runs, RUNS_SHOWN_MOST);
    times = width / effect_ppm + 1;
    if (times > 100)
        return RUNS_SHOWN_MOST;
    return runs * times * times < RUNS_SHOWN_MOST ? runs * times * times : RUNS_SHOWN_MOST;
}

static void inconclusive(json_t *row, json_t *why)
{
    compare_set(row, "verdict", json_string("inconclusive"));
    compare_set(row, "why", why);
}

static bool within(uint64_t ratio_ppm, uint64_t effect_ppm)
{
    return distance(ratio_ppm) <= effect_ppm;
}

/* Of a row with p; compare_judge has said which way it went. */
static void judge(json_t *row, const struct compare_options *options, uint32_t least_runs)
{
    uint64_t runs_a = at(row, "runs", 0), runs_b = at(row, "runs", 1),
             noise = at(row, "noise_ppm", 0);
    uint64_t runs = runs_a < runs_b ? runs_a : runs_b;
    uint64_t effect = distance(stats_ratio_ppm(at(row, "a", 0), at(row, "b", 0)));

    if (runs < least_runs)
        inconclusive(row,
                     json_sprintf("%" PRIu64 " runs of one side; with so many metrics it takes "
                                  "%" PRIu32,
                                  runs, least_runs));
    else if (within(at(row, "ci95_ppm", 0), options->min_effect_ppm) &&
             within(at(row, "ci95_ppm", 1), options->min_effect_ppm))
        compare_set(row, "verdict", json_string("same"));
    else if (at(row, "p", 0) > options->alpha || effect < options->min_effect_ppm)
        inconclusive(
            row, json_sprintf("too much noise; %s%" PRIu64 " runs might tell",
                              runs_for(row, runs, options) < RUNS_SHOWN_MOST ? "about " : "over ",
                              runs_for(row, runs, options)));
    else if (effect <= noise)
        inconclusive(row, json_sprintf("halves of one side differ by %" PRIu64 ".%" PRIu64 " %%",
                                       noise / 10000, noise / 1000 % 10));
}

void compare_emulated(json_t *comparison, const json_t *a, const json_t *b,
                      const struct compare_options *options)
{
    struct emulated self = {comparison, json_object_get(comparison, "rows"), options};
    uint32_t least_runs;
    size_t tests, i;
    json_t *row;

    compare_each_point(a, b, each_point, &self);
    tests = correct(self.rows);
    least_runs =
        stats_least_count(tests > 0 && options->alpha / tests > 0 ? options->alpha / tests : 1);
    json_array_foreach(self.rows, i, row)
    {
        if (json_object_get(row, "p"))
            judge(row, options, least_runs);
        else if (!json_object_get(row, "a") || !json_object_get(row, "b"))
            inconclusive(row, json_string("one side alone has measured it"));
    }
    compare_set(comparison, "settings",
                json_pack("{s:I, s:I, s:s, s:I, s:I}", "alpha", (json_int_t)options->alpha,
                          "min_effect_ppm", (json_int_t)options->min_effect_ppm, "correction",
                          "holm", "tests", (json_int_t)tests, "least_runs",
                          (json_int_t)least_runs));
}
