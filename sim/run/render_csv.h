/* A result as CSV in long form, for R, pandas and spreadsheets. */
#ifndef XENSOCK_SIM_RUN_RENDER_CSV_H
#define XENSOCK_SIM_RUN_RENDER_CSV_H

#include <jansson.h>
#include <stdio.h>

/* Write a row for each number of each run: point, repeat, the axes, metric, field, unit, value, in
 * RFC 4180's words. Metrics, counters (their field is "counter"), processes (metric
 * "process.NAME") and the run's own numbers ("run"); no texts and no time lines. Axes have their
 * value in the axis' unit; one that is called as another column is "axis.NAME". */
void render_csv(FILE *out, const json_t *result);

#endif
