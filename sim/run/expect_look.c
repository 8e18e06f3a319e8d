/* Looking whether an expression holds. See expect.h. */
#include "sim/run/expect_private.h"
#include "sim/run/metrics_hist.h"
#include "sim/run/study.h"
#include "sim/run/units.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A value on the way; without one, `result` is why. */
struct value {
    enum expect_result result; /* EXPECT_HOLDS: there is one */
    double number;             /* of a truth 0 or 1 */
    const char *text;
};

/* The comparison that was looked at last: it is what decided. */
struct decision {
    enum expect_kind kind; /* EXPECT_NUMBER: there was none */
    bool is;               /* it holds */
    double gap;            /* between its two numbers */
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

static struct value number(double of)
{
    return (struct value){.result = EXPECT_HOLDS, .number = of};
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
    return look->runs->runs[run_index(look, where)];
}

/* The point that differs from another in the values a node selects; axes in step go along. */
static uint32_t select_point(const struct study *study, const struct expect_node *node,
                             uint32_t point)
{
    for (uint32_t other = 0; other < study->point_count; other++) {
        bool is = true;
        for (uint32_t i = 0; is && i < study->axis_count; i++) {
            uint32_t wanted = study_value(study, point, i);
            for (uint32_t j = 0; j < study->axis_count; j++)
                if (node->selected[j] != UINT32_MAX && study->axes[j].along == study->axes[i].along)
                    wanted = node->selected[j];
            is = study_value(study, other, i) == wanted;
        }
        if (is)
            return other;
    }
    assert(!"every combination is a point");
    return 0;
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
    return number((double)json_integer_value(value));
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
            return number((double)(json_integer_value(json_object_get(process, "cpu_user_ns")) +
                                   json_integer_value(json_object_get(process, "cpu_system_ns"))));
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

    json_array_foreach(look->runs->errors[run_index(look, where)], index, error)
    {
        const char *its = json_string_value(json_object_get(error, "code"));
        count += !code || (its && strcmp(its, code + 1) == 0);
    }
    return number(count);
}

/* The percentiles that a result holds need no decoding. */
static bool stored(const json_t *of, uint32_t ppm, double *value)
{
    const char *key = ppm == 500000   ? "p50"
                      : ppm == 900000 ? "p90"
                      : ppm == 990000 ? "p99"
                      : ppm == 999000 ? "p99_9"
                                      : NULL;
    const json_t *its = key ? json_object_get(of, key) : NULL;

    *value = (double)json_integer_value(its);
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
    double value;

    if (!of ||
        (node->kind != EXPECT_COUNT_OF && json_integer_value(json_object_get(of, "count")) == 0))
        return none(look, EXPECT_UNKNOWN, hist->name);
    if (node->kind != EXPECT_PERCENTILE)
        return number((double)json_integer_value(json_object_get(of, key)));
    if (stored(of, (uint32_t)node->number, &value))
        return number(value);
    if (!text || metrics_hist_decode(text, &decoded) < 0)
        return none(look, EXPECT_UNKNOWN, hist->name);
    value = (double)metrics_hist_percentile_ns(decoded, (uint32_t)node->number);
    metrics_hist_destroy(decoded);
    return number(value);
}

/* The point at which a node stands below its '@'s; `*node` is then what is below them. */
static uint32_t point_below(const struct look *look, const struct expect_node **node,
                            uint32_t point)
{
    for (; (*node)->kind == EXPECT_AT; *node = node_of(look, (*node)->left))
        point = select_point(look->runs->study, *node, point);
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
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double combine(enum expect_kind kind, double *values, uint32_t count)
{
    double sum = 0;

    qsort(values, count, sizeof(values[0]), by_size);
    for (uint32_t i = 0; i < count; i++)
        sum += values[i];
    if (kind == EXPECT_LEAST)
        return values[0];
    if (kind == EXPECT_MOST)
        return values[count - 1];
    if (kind == EXPECT_MEDIAN)
        return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
    return kind == EXPECT_SUM ? sum : sum / count;
}

/* Of all repeats that there are; one without a value leaves it without one. */
static struct value over_repeats(const struct look *look, const struct expect_node *node,
                                 struct where where)
{
    double values[STUDY_REPEATS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < look->runs->study->repeat_count; i++) {
        struct value one = value_of(look, node->left, (struct where){where.point, i});
        if (one.result == EXPECT_UNKNOWN)
            return one;
        if (one.result == EXPECT_HOLDS)
            values[count++] = one.number;
    }
    return count ? number(combine(node->kind, values, count)) : none(look, EXPECT_ABSENT, "");
}

/* ---- two of them ---- */

static double calculate(enum expect_kind kind, double a, double b)
{
    if (kind == EXPECT_PLUS)
        return a + b;
    if (kind == EXPECT_LESS_BY)
        return a - b;
    return kind == EXPECT_TIMES ? a * b : a / b;
}

static bool holds(enum expect_kind kind, double a, double b)
{
    if (kind == EXPECT_LESS)
        return a < b;
    if (kind == EXPECT_AT_MOST)
        return a <= b;
    if (kind == EXPECT_MORE)
        return a > b;
    if (kind == EXPECT_AT_LEAST)
        return a >= b;
    return kind == EXPECT_EQUAL ? a == b : a != b;
}

static void word(const struct expect_node *node, const struct value *value,
                 char text[EXPECT_WORDS_BYTES])
{
    double size = value->number < 0 ? -value->number : value->number;
    const char *minus = value->number < 0 ? "-" : "";

    if (node->type == EXPECT_IS_TEXT)
        snprintf(text, EXPECT_WORDS_BYTES, "%.*s", EXPECT_WORDS_BYTES - 1, value->text);
    else if (size < 1e18 && node->dim.time == 1 && node->dim.data == 0)
        snprintf(text, EXPECT_WORDS_BYTES, "%s%s", minus,
                 units_format_latency((uint64_t)(size + 0.5)).text);
    else if (size < 1e9 && node->dim.time == -1 && node->dim.data == 1)
        snprintf(text, EXPECT_WORDS_BYTES, "%s%s", minus,
                 units_format_rate((uint64_t)(size * 1e9 + 0.5)).text);
    else if (node->dim.time == -1 && node->dim.data == 0)
        snprintf(text, EXPECT_WORDS_BYTES, "%.6g/s", value->number * 1e9);
    else
        snprintf(text, EXPECT_WORDS_BYTES, "%.6g%s", value->number,
                 node->dim.data == 1 && node->dim.time == 0 ? " bytes" : "");
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
        is = holds(node->kind, a.number, b.number);
    word(left->type == EXPECT_IS_NUMBER && left->kind == EXPECT_NUMBER ? right : left, &a,
         look->outcome->measured);
    word(right->kind == EXPECT_NUMBER ? left : right, &b, look->outcome->limit);
    *look->decision = (struct decision){
        node->kind, is, a.number < b.number ? b.number - a.number : a.number - b.number};
    return number(is);
}

/* What has no value decides only where the other does not. */
static struct value both(const struct look *look, const struct expect_node *node,
                         struct where where)
{
    bool decisive = node->kind == EXPECT_OR;
    struct value a = value_of(look, node->left, where);

    if (a.result == EXPECT_HOLDS && (a.number != 0) == decisive)
        return a;
    struct value b = value_of(look, node->right, where);
    if (b.result == EXPECT_HOLDS && (b.number != 0) == decisive)
        return b;
    return a.result != EXPECT_HOLDS ? a : b;
}

static struct value of_two(const struct look *look, const struct expect_node *node,
                           struct where where)
{
    struct value a = value_of(look, node->left, where), b = value_of(look, node->right, where);

    if (a.result != EXPECT_HOLDS)
        return a;
    if (b.result != EXPECT_HOLDS)
        return b;
    if (node->kind == EXPECT_OVER && b.number == 0)
        return none(look, EXPECT_UNKNOWN, "a quotient by 0");
    return number(calculate(node->kind, a.number, b.number));
}

static struct value of_one(const struct look *look, const struct expect_node *node,
                           struct where where)
{
    struct value value = value_of(look, node->left, where);

    value.number = node->kind == EXPECT_NOT ? value.number == 0 : -value.number;
    return value;
}

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
    struct expect_outcome outcome = {.sign = ""};
    struct decision decision = {.kind = EXPECT_NUMBER};
    const struct look look = {expect, runs, &outcome, &decision};
    struct value value = value_of(&look, expect->root, (struct where){point, repeat});

    if (value.result != EXPECT_HOLDS)
        outcome.result = value.result;
    else
        outcome.result = value.number != 0 ? EXPECT_HOLDS : EXPECT_FAILS;
    outcome.sign = sign_of(&decision, outcome.result == EXPECT_HOLDS);
    outcome.gap = decision.gap;
    return outcome;
}
