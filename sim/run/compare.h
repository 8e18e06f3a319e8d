/*
 * Two results beside each other: JSON in, JSON out (schema xensock/comparison/1).
 *
 * Results of virtual time are compared for equality: what is different is listed, and nothing is
 * noise. Emulated ones are compared by what each run measured: a run is one value, however many
 * operations it had. It reads no file but in compare_load, runs nothing, and decides no exit code.
 *
 * A comparison: {"schema", "mode", "verdict", "a", "b": {"file", "scenario", "runs", ...},
 * "scenario", "host": [{"path", "a", "b"}], "notes": [text], "settings", "counts": {VERDICT: n},
 * "rows": [...]}; a row has "verdict", "point" (null: all), "axes", "name", "unit", "a", "b" and
 * "change_ppm" (signed; null without a ratio), and of virtual time "repeat", else "runs": [a, b],
 * "ci95_ppm": [low, high], "p" (of 10^12, corrected), "noise_ppm" and "why". Rows that matter most
 * come first. Every number is an integer.
 */
#ifndef XENSOCK_SIM_RUN_COMPARE_H
#define XENSOCK_SIM_RUN_COMPARE_H

#include "sim/run/stats.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { COMPARE_WHY_BYTES = 1536 };

/* Why two results cannot be compared, or one not be read: a diagnostic code and a text, of lines.
 */
struct compare_refusal {
    const char *code;
    char why[COMPARE_WHY_BYTES];
};

/* Word a refusal. */
void compare_refuse(struct compare_refusal *refusal, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a result, or those of a directory: DIR/result.json, else all DIR/X/result.json of one
 * scenario in natural order, joined point by point with their repeats numbered anew. NULL: it was
 * refused. For json_decref(). Each repeat then has a "code"; the result "file" and "runs". */
json_t *compare_load(const char *path, struct compare_refusal *refusal);

enum { COMPARE_METRICS_MAX = 32 };

struct compare_options {
    uint64_t alpha;          /* of STATS_P_ONE, from 1: how likely one false alarm in all may be */
    uint64_t min_effect_ppm; /* what is less does not matter */
    bool any_host;           /* compare what different machines measured */
    bool incomplete;         /* compare what is there of results that were cut short */
    const char *metrics[COMPARE_METRICS_MAX]; /* only these, or all that begin like it */
    uint32_t metric_count;                    /* 0: all */
};

/* 1 % and 5 %. */
#define COMPARE_ALPHA (STATS_P_ONE / 100)
#define COMPARE_MIN_EFFECT_PPM UINT64_C(50000)

/* The comparison of two results of compare_load; NULL: it was refused. For json_decref(). */
json_t *compare_results(const json_t *a, const json_t *b, const struct compare_options *options,
                        struct compare_refusal *refusal);

/* The verdict of a comparison: "equal" or "different", of emulated results "worse" if anything is,
 * else "better" if anything is, else "inconclusive" or "same". */
const char *compare_verdict(const json_t *comparison);

/* Whether that means a failed gate: "different" or "worse". */
bool compare_is_bad(const json_t *comparison);

/* Which change of a value is better: 1 upwards, -1 downwards, 0 neither. */
int compare_direction(const char *name);

/* What a run measured, {NAME: {"unit", "value"}}: throughput, percentiles of times, backlog, and
 * per operation or MiB notifications (thousandths) and CPU time of frontend and backend. For
 * json_decref(). */
json_t *compare_values(const json_t *repeat);

/* Append {"path", "a", "b"} for each leaf that is not the same on both sides, null for what is not
 * there; elements of arrays are found by their "name", or place. */
void compare_tree(json_t *into, const char *path, const json_t *a, const json_t *b);

/* Print a comparison as text in columns, or as a Markdown table. */
void compare_print_text(FILE *out, const json_t *comparison);
void compare_print_markdown(FILE *out, const json_t *comparison);

#endif
