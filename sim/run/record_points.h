/* The table of a result with several runs, for people: part of record_print_table. */
#ifndef XENSOCK_SIM_RUN_RECORD_POINTS_H
#define XENSOCK_SIM_RUN_RECORD_POINTS_H

#include <jansson.h>
#include <stdio.h>

/* A row a point: its axes, of each workload the median throughput or latencies of the repeats, with
 * their interval where there are enough, and what failed there. */
void record_print_points(FILE *out, const json_t *result);

/* A line an expectation, and one a point at which it failed. */
void record_print_expectations(FILE *out, const json_t *result);

/* "order=6, rate=5000/s": a point's axes as a file would say them; empty without a sweep. */
void record_point_words(const json_t *result, const json_t *point, char *text, size_t bytes);

#endif
