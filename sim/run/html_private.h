/*
 * What the parts of a report's page share. Each html_*.c writes one or two blocks of it, and adds
 * to the data of the charts what these need.
 */
#ifndef XENSOCK_SIM_RUN_HTML_PRIVATE_H
#define XENSOCK_SIM_RUN_HTML_PRIVATE_H

#include "sim/run/html.h"
#include "sim/run/html_page.h"
#include "sim/run/units.h"

#include <stdbool.h>
#include <stdint.h>

struct html_report {
    FILE *out;
    const json_t *result, *other;
    const struct html_assets *assets;
    json_t *points, *axes;            /* of the result; a list each, or NULL */
    size_t point_count, repeat_count; /* the latter: most of a point */
    json_t *names;                    /* its metrics: {NAME: UNIT}, in order; ours */
    json_t *data;                     /* of the charts; ours */
};

/* ---- html_values.c ---- */

/* A metric of a point, over its repeats. */
struct html_value {
    size_t count; /* of repeats that have it; 0: nothing else is set */
    int64_t median, least, most;
    bool has_interval;
    int64_t low, high; /* of the median, 95 % */
};

/* All metrics of a result's points, of histograms their percentiles ("latency.short.p99"), each
 * with its unit: {NAME: UNIT} in the order they come; NULL without memory. */
json_t *html_metric_names(const json_t *points);

/* A metric of a point: as its summary says, or else from its repeats. */
struct html_value html_metric(const json_t *point, const char *name);

/* A counter of a point, over its repeats. */
struct html_value html_counter(const json_t *point, const char *name);

/* The point of another result with the same axes; NULL if there is none. */
const json_t *html_same_point(const json_t *result, const json_t *point);

/* A quantity in three digits, as the console's table has it. */
struct units_text html_quantity(const char *unit, int64_t value);

/* Where a point is: "order=6 rate=5000/s", exactly; "" without axes. For json_decref(). */
json_t *html_point_name(const struct html_report *report, const json_t *point);

/* The name of a metric as it is shown: a percentile with its point. */
struct html_name {
    char text[256];
};
struct html_name html_metric_name(const char *name);

/* The value of one axis, exactly; "" if the point has none. For json_decref(). */
json_t *html_axis_text(const json_t *axis, const json_t *point);

/* A member of an object: a text or "", an integer or 0. */
const char *html_string(const json_t *object, const char *key);
int64_t html_integer(const json_t *object, const char *key);

/* a + b, or the nearest that there is: a result may hold any integer. */
int64_t html_sum(int64_t a, int64_t b);

/* The command that runs it again, of all points or of one; NULL without memory. For free(). */
char *html_command(const json_t *result, const json_t *point);

/* ---- cells ---- */

/* "<td>" with a quantity and its exact value; an empty one if it is not there. */
void html_cell(const struct html_report *report, const char *unit, bool there, int64_t value);

/* The same with the interval, or with least and most, in small print. */
void html_cell_value(const struct html_report *report, const char *unit, struct html_value value);

/* Two quantities as a range. */
void html_range(FILE *out, const char *unit, int64_t low, int64_t high);

/* The cells of a point's axes, the first a link to the point; and their titles. */
void html_cell_point(const struct html_report *report, const json_t *point);
void html_title_point(const struct html_report *report);

/* A bar of `parts` of `whole`, coloured in turn; of one part in the colour of the charts. */
void html_bar(FILE *out, const int64_t *parts, size_t count, int64_t whole);

/* Say that something is not in the result, and how to have it there. */
void html_absent(const struct html_report *report, const char *how);

/* Says so where a capture did not hold all that happened: what is made of it ends before the run.
 */
void html_lost(const struct html_report *report);

/* ---- blocks ---- */

/* Each writes its section, or nothing where it has nothing to say. */
void html_errors_block(struct html_report *report);
void html_expectations_block(struct html_report *report);
void html_metrics_block(struct html_report *report);
void html_latency_block(struct html_report *report);
void html_stages_block(struct html_report *report);
void html_time_block(struct html_report *report);
void html_cost_block(struct html_report *report);
void html_resources_block(struct html_report *report);
void html_compare_block(struct html_report *report);
void html_points_block(struct html_report *report);
void html_scenario_block(struct html_report *report);
void html_environment_block(struct html_report *report);

#endif
