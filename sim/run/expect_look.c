/* Looking whether an expression holds. See expect.h. */
#include "sim/run/expect_private.h"
#include "sim/run/metrics_hist.h"
#include "sim/run/study.h"
#include "sim/run/units.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TOO_LARGE "a number too large for exact arithmetic"

/* A value on the way; without one, `result` is why. */
struct value {
    enum expect_result result; /* EXPECT_HOLDS: there is one */
    struct ratio number;       /* of a truth 0 or 1 */
    const char *text;
};

/* The comparison that was looked at last: it is what decided. */
struct decision {
    enum expect_kind kind; /* EXPECT_NUMBER: there was none */
    bool is;               /* it holds */
    struct ratio gap;      /* between its two numbers, never below 0 */
};

struct look {
    const struct expect *expect;
    const struct expect_runs *runs;
    struct expect_outcome *outcome;
    struct decision *decision;
};

/* Which run is looked at. */
struct where {
    uint32_t point, repeat;
};

static struct value value_of(const struct look *look, uint16_t node, struct where where);

static const struct expect_node *node_of(const struct look *look, uint16_t node)
{
    return &look->expect->nodes[node];
}

static struct value number(struct ratio of)
{
    return (struct value){.result = EXPECT_HOLDS, .number = of};
}

static struct value whole(int64_t of)
{
    return number(ratio_of(of, 1));
}

static bool is_true(const struct value *value)
{
    return value->number.over != 0;
}

static struct value none(const struct look *look, enum expect_result why, const char *name)
{
    if (why == EXPECT_UNKNOWN && look->outcome->unknown[0] == '\0')
        snprintf(look->outcome->unknown, sizeof(look->outcome->unknown), "%s", name);
    return (struct value){.result = why};
}

static uint32_t run_index(const struct look *look, struct where where)
{
    return where.point * look->runs->study->repeat_count + where.repeat;
}

static json_t *run_of(const struct look *look, struct where where)
{
    return expect_run(look->runs, run_index(look, where));
}

/* ---- what a run has ---- */

static struct value metric(const struct look *look, const struct expect_node *node, json_t *run)
{
    const json_t *of = json_object_get(json_object_get(run, "metrics"), node->name);
    const json_t *value = json_object_get(of, "value");
    const char *unit = json_string_value(json_object_get(of, "unit"));

    if (!json_is_integer(value))
        return none(look, EXPECT_UNKNOWN, node->name);
    return number(expect_unit_number(unit, (uint64_t)json_integer_value(value)));
}

static struct value counter(const struct look *look, const struct expect_node *node, json_t *run)
{
    const json_t *value = json_object_get(json_object_get(run, "counters"), node->name);

    if (!json_is_integer(value))
        return none(look, EXPECT_UNKNOWN, node->name);
    return whole(json_integer_value(value));
}

static struct value cpu(const struct look *look, const struct expect_node *node, json_t *run)
{
    const char *name = node->name + strlen("cpu.");
    size_t index;
    json_t *process;

    json_array_foreach(json_object_get(run, "processes"), index, process)
    {
        const char *its = json_string_value(json_object_get(process, "name"));
        if (its && strcmp(its, name) == 0)
            return whole(json_integer_value(json_object_get(process, "cpu_user_ns")) +
                         json_integer_value(json_object_get(process, "cpu_system_ns")));
    }
    return none(look, EXPECT_UNKNOWN, node->name);
}

static struct value errors(const struct look *look, const struct expect_node *node,
                           struct where where)
{
    const char *code = strchr(node->name, '.');
    uint32_t count = 0;
    size_t index;
    json_t *error;

    json_array_foreach(expect_run_errors(look->runs, run_index(look, where)), index, error)
    {
        const char *its = json_string_value(json_object_get(error, "code"));
        count += !code || (its && strcmp(its, code + 1) == 0);
    }
    return whole(count);
}

/* The percentiles that a result holds need no decoding. */
static bool stored(const json_t *of, int64_t ppm, int64_t *value)
{
    const char *key = ppm == 500000   ? "p50"
                      : ppm == 900000 ? "p90"
                      : ppm == 990000 ? "p99"
                      : ppm == 999000 ? "p99_9"
                                      : NULL;
    const json_t *its = key ? json_object_get(of, key) : NULL;

    *value = json_integer_value(its);
    return json_is_integer(its);
}

static struct value of_histogram(const struct look *look, const struct expect_node *node,
                                 const struct expect_node *hist, json_t *run)
{
    const json_t *of = json_object_get(json_object_get(run, "metrics"), hist->name);
    const char *key = node->kind == EXPECT_LEAST_OF  ? "min"
                      : node->kind == EXPECT_MOST_OF ? "max"
                                                     : "count";
    const char *text = json_string_value(json_object_get(of, "hdr_v2"));
    struct metrics_hist *decoded;
    int64_t value;

    if (!of ||
        (node->kind != EXPECT_COUNT_OF && json_integer_value(json_object_get(of, "count")) == 0))
        return none(look, EXPECT_UNKNOWN, hist->name);
    if (node->kind != EXPECT_PERCENTILE)
        return whole(json_integer_value(json_object_get(of, key)));
    if (stored(of, node->number.over, &value))
        return whole(value);
    if (!text || metrics_hist_decode(text, &decoded) < 0)
        return none(look, EXPECT_UNKNOWN, hist->name);
    value = (int64_t)metrics_hist_percentile_ns(decoded, (uint32_t)node->number.over);
    metrics_hist_destroy(decoded);
    return whole(value);
}

/* The point at which a node stands below its '@'s; `*node` is then what is below them. */
static uint32_t point_below(const struct look *look, const struct expect_node **node,
                            uint32_t point)
{
    for (; (*node)->kind == EXPECT_AT; *node = node_of(look, (*node)->left))
        point = study_point_at(look->runs->study, point, (*node)->selected);
    return point;
}

/* What is a run's own. */
static struct value of_run(const struct look *look, const struct expect_node *node,
                           struct where where)
{
    const struct expect_node *hist = node->left ? node_of(look, node->left) : node;
    where.point = point_below(look, &hist, where.point);
    json_t *run = run_of(look, where);

    if (!run)
        return none(look, EXPECT_ABSENT, node->name);
    if (node->kind == EXPECT_ERRORS)
        return errors(look, node, where);
    if (node->kind == EXPECT_METRIC)
        return metric(look, node, run);
    if (node->kind == EXPECT_COUNTER)
        return counter(look, node, run);
    return node->kind == EXPECT_CPU ? cpu(look, node, run) : of_histogram(look, node, hist, run);
}

static struct value axis(const struct look *look, const struct expect_node *node, uint32_t point)
{
    const struct study *study = look->runs->study;
    const struct study_axis *of = &study->axes[node->axis];
    uint32_t value = study_value(study, point, node->axis);

    if (of->unit == STUDY_TEXT)
        return (struct value){.result = EXPECT_HOLDS, .text = study_text(study, node->axis, value)};
    return number(expect_unit_number(study_unit_word(of->unit), of->numbers[value]));
}

/* ---- over the repeats of a point ---- */

static int by_size(const void *a, const void *b)
{
    return ratio_compare(*(const struct ratio *)a, *(const struct ratio *)b);
}

/* False if the sum does not fit. */
static bool combine(enum expect_kind kind, struct ratio *values, uint32_t count, struct ratio *out)
{
    struct ratio sum = {0, 1};
    bool fits = true;

    qsort(values, count, sizeof(values[0]), by_size);
    *out = values[kind == EXPECT_LEAST ? 0 : kind == EXPECT_MOST ? count - 1 : count / 2];
    if (kind == EXPECT_LEAST || kind == EXPECT_MOST || (kind == EXPECT_MEDIAN && count % 2))
        return true;
    if (kind == EXPECT_MEDIAN)
        return ratio_add(values[count / 2 - 1], values[count / 2], &sum) &&
               ratio_divide(sum, ratio_of(2, 1), out);
    for (uint32_t i = 0; i < count; i++)
        fits = fits && ratio_add(sum, values[i], &sum);
    *out = sum;
    return fits && (kind == EXPECT_SUM || ratio_divide(sum, ratio_of(count, 1), out));
}

/* Of all repeats of a point: one without a value leaves it without one, and so does one that has
 * not been made, since a shard's part of them, or --repeat's, has another median and spread. */
static struct value over_repeats(const struct look *look, const struct expect_node *node,
                                 struct where where)
{
    struct ratio values[STUDY_REPEATS_MAX], out;
    uint32_t count = look->runs->study->repeat_count;

    for (uint32_t i = 0; i < count; i++) {
        struct value one = value_of(look, node->left, (struct where){where.point, i});
        if (one.result != EXPECT_HOLDS)
            return one;
        values[i] = one.number;
    }
    return combine(node->kind, values, count, &out) ? number(out)
                                                    : none(look, EXPECT_UNKNOWN, TOO_LARGE);
}

/* ---- two of them ---- */

static bool calculate(enum expect_kind kind, struct ratio a, struct ratio b, struct ratio *out)
{
    if (kind == EXPECT_PLUS)
        return ratio_add(a, b, out);
    if (kind == EXPECT_LESS_BY)
        return ratio_subtract(a, b, out);
    return kind == EXPECT_TIMES ? ratio_multiply(a, b, out) : ratio_divide(a, b, out);
}

/* Of what ratio_compare says. */
static bool holds(enum expect_kind kind, int order)
{
    if (kind == EXPECT_LESS)
        return order < 0;
    if (kind == EXPECT_AT_MOST)
        return order <= 0;
    if (kind == EXPECT_MORE)
        return order > 0;
    if (kind == EXPECT_AT_LEAST)
        return order >= 0;
    return (order == 0) == (kind == EXPECT_EQUAL);
}

/* Per second, of what is per ns. */
static bool per_s(struct ratio per_ns, struct ratio *out)
{
    return ratio_multiply(per_ns, ratio_of(1000000000, 1), out);
}

static void word(const struct expect_node *node, const struct value *value,
                 char text[EXPECT_WORDS_BYTES])
{
    const struct expect_dim dim = node->dim;
    struct ratio size = value->number, rate;
    const char *minus = size.over < 0 ? "-" : "";

    size.over = size.over < 0 ? -size.over : size.over;
    if (node->type == EXPECT_IS_TEXT)
        snprintf(text, EXPECT_WORDS_BYTES, "%.*s", EXPECT_WORDS_BYTES - 1, value->text);
    else if (dim.time == 1 && dim.data == 0)
        snprintf(text, EXPECT_WORDS_BYTES, "%s%s", minus,
                 units_format_latency((uint64_t)ratio_round(size)).text);
    else if (dim.time == -1 && dim.data == 1 && per_s(size, &rate))
        snprintf(text, EXPECT_WORDS_BYTES, "%s%s", minus,
                 units_format_rate((uint64_t)ratio_round(rate)).text);
    else if (dim.time == -1 && dim.data == 0 && per_s(value->number, &rate))
        snprintf(text, EXPECT_WORDS_BYTES, "%s/s", ratio_text(rate).text);
    else
        snprintf(text, EXPECT_WORDS_BYTES, "%s%s", ratio_text(value->number).text,
                 dim.data == 1 && dim.time == 0   ? " bytes"
                 : dim.time == 1 && dim.data == 0 ? " ns"
                                                  : "");
}

/* Two numbers in as many digits as tell them apart: whole ones, or else as fractions. */
static void words_apart(struct expect_dim dim, struct ratio a, struct ratio b,
                        struct expect_outcome *outcome)
{
    const char *unit = dim.time == 1 && dim.data == 0    ? " ns"
                       : dim.time == 0 && dim.data == 1  ? " bytes"
                       : dim.time == -1 && dim.data == 1 ? " B/s"
                       : dim.time == -1 && dim.data == 0 ? "/s"
                                                         : "";
    struct ratio *const both[] = {&a, &b};
    char *const words[] = {outcome->measured, outcome->limit};

    for (int i = 0; i < 2; i++)
        if (dim.time == -1 && !per_s(*both[i], both[i]))
            return;
    bool whole = ratio_round(a) != ratio_round(b);
    for (int i = 0; i < 2; i++)
        if (whole || both[i]->under == 1)
            snprintf(words[i], EXPECT_WORDS_BYTES, "%" PRId64 "%s", ratio_round(*both[i]), unit);
        else
            snprintf(words[i], EXPECT_WORDS_BYTES, "%" PRId64 "/%" PRId64 "%s", both[i]->over,
                     both[i]->under, unit);
}

/* 0 where it is too large to tell. */
static struct ratio gap_between(struct ratio a, struct ratio b)
{
    struct ratio gap = ratio_of(0, 1);

    if (ratio_subtract(a, b, &gap) && gap.over < 0)
        gap.over = -gap.over;
    return gap;
}

static struct value compare(const struct look *look, const struct expect_node *node,
                            struct where at)
{
    const struct expect_node *left = node_of(look, node->left), *right = node_of(look, node->right);
    struct value a = value_of(look, node->left, at), b = value_of(look, node->right, at);
    bool is;

    if (a.result != EXPECT_HOLDS)
        return a;
    if (b.result != EXPECT_HOLDS)
        return b;
    if (left->type == EXPECT_IS_TEXT)
        is = (strcmp(a.text, b.text) == 0) == (node->kind == EXPECT_EQUAL);
    else
        is = holds(node->kind, ratio_compare(a.number, b.number));
    word(left->type == EXPECT_IS_NUMBER && left->kind == EXPECT_NUMBER ? right : left, &a,
         look->outcome->measured);
    word(right->kind == EXPECT_NUMBER ? left : right, &b, look->outcome->limit);
    *look->decision = (struct decision){node->kind, is, ratio_of(0, 1)};
    if (left->type == EXPECT_IS_TEXT)
        return whole(is);
    if (strcmp(look->outcome->measured, look->outcome->limit) == 0 &&
        ratio_compare(a.number, b.number) != 0)
        words_apart((left->kind == EXPECT_NUMBER ? right : left)->dim, a.number, b.number,
                    look->outcome);
    look->decision->gap = gap_between(a.number, b.number);
    return whole(is);
}

/* What has no value decides only where the other does not. */
static struct value both(const struct look *look, const struct expect_node *node,
                         struct where where)
{
    bool decisive = node->kind == EXPECT_OR;
    struct value a = value_of(look, node->left, where);

    if (a.result == EXPECT_HOLDS && is_true(&a) == decisive)
        return a;
    struct value b = value_of(look, node->right, where);
    if (b.result == EXPECT_HOLDS && is_true(&b) == decisive)
        return b;
    return a.result != EXPECT_HOLDS ? a : b;
}

static struct value of_two(const struct look *look, const struct expect_node *node,
                           struct where where)
{
    struct value a = value_of(look, node->left, where), b = value_of(look, node->right, where);
    struct ratio out;

    if (a.result != EXPECT_HOLDS)
        return a;
    if (b.result != EXPECT_HOLDS)
        return b;
    if (node->kind == EXPECT_OVER && b.number.over == 0)
        return none(look, EXPECT_UNKNOWN, "a quotient by 0");
    return calculate(node->kind, a.number, b.number, &out) ? number(out)
                                                           : none(look, EXPECT_UNKNOWN, TOO_LARGE);
}

static struct value of_one(const struct look *look, const struct expect_node *node,
                           struct where where)
{
    struct value value = value_of(look, node->left, where);

    if (node->kind == EXPECT_NOT)
        value.number = ratio_of(!is_true(&value), 1);
    else
        value.number.over = -value.number.over;
    return value;
}

/* A switch over every kind of node. */
static struct value value_of(const struct look *look, uint16_t index, struct where where)
{
    const struct expect_node *node = node_of(look, index);

    switch (node->kind) {
    case EXPECT_NUMBER: return number(node->number);
    case EXPECT_TEXT: return (struct value){.result = EXPECT_HOLDS, .text = node->name};
    case EXPECT_AXIS: return axis(look, node, where.point);
    case EXPECT_METRIC:
    case EXPECT_COUNTER:
    case EXPECT_CPU:
    case EXPECT_ERRORS:
    case EXPECT_PERCENTILE:
    case EXPECT_LEAST_OF:
    case EXPECT_MOST_OF:
    case EXPECT_COUNT_OF: return of_run(look, node, where);
    case EXPECT_MEDIAN:
    case EXPECT_MEAN:
    case EXPECT_LEAST:
    case EXPECT_MOST:
    case EXPECT_SUM: return over_repeats(look, node, where);
    case EXPECT_AT:
        where.point = point_below(look, &node, where.point);
        return value_of(look, (uint16_t)(node - look->expect->nodes), where);
    case EXPECT_MINUS:
    case EXPECT_NOT: return of_one(look, node, where);
    case EXPECT_TIMES:
    case EXPECT_OVER:
    case EXPECT_PLUS:
    case EXPECT_LESS_BY: return of_two(look, node, where);
    case EXPECT_LESS:
    case EXPECT_AT_MOST:
    case EXPECT_MORE:
    case EXPECT_AT_LEAST:
    case EXPECT_EQUAL:
    case EXPECT_UNEQUAL: return compare(look, node, where);
    case EXPECT_AND:
    case EXPECT_OR: return both(look, node, where);
    }
    return none(look, EXPECT_UNKNOWN, "");
}

/* How the two sides of what decided were to compare, for the whole to hold; or, as it does, how
 * they do: below a `not` it is the contrary of what is written. */
static const char *sign_of(const struct decision *decision, bool all_holds)
{
    static const struct {
        const char *sign, *contrary;
    } signs[] = {[EXPECT_LESS] = {"<", ">="},   [EXPECT_AT_MOST] = {"<=", ">"},
                 [EXPECT_MORE] = {">", "<="},   [EXPECT_AT_LEAST] = {">=", "<"},
                 [EXPECT_EQUAL] = {"==", "!="}, [EXPECT_UNEQUAL] = {"!=", "=="}};

    if (decision->kind == EXPECT_NUMBER)
        return "";
    return decision->is == all_holds ? signs[decision->kind].sign : signs[decision->kind].contrary;
}

struct expect_outcome expect_look(const struct expect *expect, const struct expect_runs *runs,
                                  uint32_t point, uint32_t repeat)
{
    struct expect_outcome outcome = {.sign = "", .gap = {0, 1}};
    struct decision decision = {.kind = EXPECT_NUMBER, .gap = {0, 1}};
    const struct look look = {expect, runs, &outcome, &decision};
    struct value value = value_of(&look, expect->root, (struct where){point, repeat});

    if (value.result != EXPECT_HOLDS)
        outcome.result = value.result;
    else
        outcome.result = is_true(&value) ? EXPECT_HOLDS : EXPECT_FAILS;
    outcome.sign = sign_of(&decision, outcome.result == EXPECT_HOLDS);
    outcome.gap = decision.gap;
    return outcome;
}
