/*
 * Expressions over what came out of a study: "p99(latency.short) <= 250us".
 *
 * Grammar, loosest first:  or,  and,  not,  < <= > >= == != (one),  + -,  * /,  unary -,
 * @ AXIS=VALUE[, AXIS=VALUE]...,  and at last numbers with units, "texts", names, FUNCTION(x), (x).
 * A name is a metric (latency.short), a counter (frontend.notifications), or an axis of the sweep.
 * Since names may hold '-', a minus between two of them stands apart.
 * Every expression is typed when it is parsed: a time is never compared with a size, nor with a
 * number that has no unit (but for 0).
 *
 * What it is looked at for follows from what it names: a metric has a value in each repeat, and
 * median() and its like make one of a point's; what is @ another point does not depend on this one.
 * Arithmetic is exact (ratio.h); what is too large for it has no value.
 */
#ifndef XENSOCK_SIM_RUN_EXPECT_H
#define XENSOCK_SIM_RUN_EXPECT_H

#include "sim/run/diag.h"
#include "sim/run/ratio.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct study;

enum {
    EXPECT_NODES_MAX = 96,
    EXPECT_NAME_BYTES = 96,
    EXPECT_SELECTED_MAX = 8, /* axes of one '@' */
    EXPECT_WORDS_BYTES = 64,
};

/* The dimension of a number: ns^time * bytes^data. */
struct expect_dim {
    int8_t time, data;
};

/* What an expression is looked at for: bits of it. */
enum {
    EXPECT_OF_REPEAT = 1, /* each repeat; else once for all of a point's */
    EXPECT_OF_POINT = 2,  /* each point; else once */
    EXPECT_OF_METRICS = 4 /* it names some: so not before there are runs */
};

enum expect_kind {
    EXPECT_NUMBER,
    EXPECT_TEXT,
    EXPECT_AXIS,
    EXPECT_METRIC, /* name: of metrics */
    EXPECT_COUNTER,
    EXPECT_CPU,    /* user and system time of a process */
    EXPECT_ERRORS, /* how many; with a name: of this code */
    EXPECT_PERCENTILE,
    EXPECT_LEAST_OF, /* of a histogram: min, max, count */
    EXPECT_MOST_OF,
    EXPECT_COUNT_OF,
    EXPECT_MEDIAN, /* over the repeats of a point */
    EXPECT_MEAN,
    EXPECT_LEAST,
    EXPECT_MOST,
    EXPECT_SUM,
    EXPECT_AT,
    EXPECT_MINUS,
    EXPECT_TIMES,
    EXPECT_OVER,
    EXPECT_PLUS,
    EXPECT_LESS_BY,
    EXPECT_LESS,
    EXPECT_AT_MOST,
    EXPECT_MORE,
    EXPECT_AT_LEAST,
    EXPECT_EQUAL,
    EXPECT_UNEQUAL,
    EXPECT_NOT,
    EXPECT_AND,
    EXPECT_OR,
};

enum expect_type { EXPECT_IS_NUMBER, EXPECT_IS_TEXT, EXPECT_IS_TRUTH, EXPECT_IS_HISTOGRAM };

struct expect_node {
    enum expect_kind kind;
    enum expect_type type;
    struct expect_dim dim;
    uint8_t of;           /* EXPECT_OF_* */
    uint16_t left, right; /* nodes */
    uint32_t axis;        /* EXPECT_AXIS */
    struct ratio number;  /* EXPECT_NUMBER; EXPECT_PERCENTILE: in ppm */
    char name[EXPECT_NAME_BYTES];
    /* EXPECT_AT: the value of each axis that it fixes, by index of the study's; else UINT32_MAX */
    uint32_t selected[EXPECT_SELECTED_MAX];
};

/* A parsed expression; without nodes there is none. */
struct expect {
    uint16_t count, root;
    struct expect_node nodes[EXPECT_NODES_MAX];
};

/* Parse `text`, whose first character stands at `place` (with length 0 the text stands there
 * otherwise than as it is, so no more is known), into an expression that is true or false. Its
 * names are those of the study's axes and first scenario. -1 with the first fault reported. */
int expect_parse(struct expect *expect, const char *text, const struct study *study,
                 struct diag_list *diags, struct diag_place place);

/* What is known of a study's runs, which are numbered by point * repeat_count + repeat: all, or
 * one. */
struct expect_runs {
    const struct study *study;
    json_t *const *runs;   /* repeats of a result, NULL where there is none; or NULL: only one */
    json_t *const *errors; /* of each run, arrays or NULL */
    json_t *one, *one_errors;
    size_t one_at; /* its number */
};

static inline json_t *expect_run(const struct expect_runs *runs, size_t at)
{
    if (!runs->runs)
        return at == runs->one_at ? runs->one : NULL;
    return runs->runs[at];
}

static inline json_t *expect_run_errors(const struct expect_runs *runs, size_t at)
{
    if (!runs->runs)
        return at == runs->one_at ? runs->one_errors : NULL;
    return runs->errors[at];
}

enum expect_result { EXPECT_HOLDS, EXPECT_FAILS, EXPECT_UNKNOWN, EXPECT_ABSENT };

struct expect_outcome {
    enum expect_result result;
    /* of the comparison that decided, in words; empty if none did */
    char measured[EXPECT_WORDS_BYTES], limit[EXPECT_WORDS_BYTES];
    const char *sign;                /* "<=": how they compare, or were to, for it to hold */
    struct ratio gap;                /* between measured and limit */
    char unknown[EXPECT_NAME_BYTES]; /* what had no value */
};

/* Whether it holds in a repeat of a point (of which only what it is looked at for matters). ABSENT:
 * a run that it needs has not been made; UNKNOWN: it was, and has no such value. */
struct expect_outcome expect_look(const struct expect *expect, const struct expect_runs *runs,
                                  uint32_t point, uint32_t repeat);

/* The metrics there are, one by one: its first word ("latency"), its unit as results have it, what
 * stands behind the dot, and what it is, in a line. False behind the last. */
struct expect_metric {
    const char *name, *unit, *of, *what;
    struct expect_dim dim;
    bool histogram;
};
bool expect_metric_at(uint32_t i, struct expect_metric *metric);

#endif
