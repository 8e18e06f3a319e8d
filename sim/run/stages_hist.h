/*
 * The stages of a capture's paths as histograms, and as metrics of a result.
 *
 * Each stage of a kind of path, and all of the path, is a histogram of its own; all those of one
 * kind count the same paths, so the means of its stages add up to the mean of the whole.
 */
#ifndef XENSOCK_SIM_RUN_STAGES_HIST_H
#define XENSOCK_SIM_RUN_STAGES_HIST_H

#include "sim/run/metrics_hist.h"
#include "sim/run/stages.h"

#include <jansson.h>

/* A part of a capture, in the times of its file. */
struct stages_window {
    uint64_t from_ns, to_ns; /* from <= time < to */
};

struct stages_hist;

/* Of the paths that end within the window. Asserts that there is memory, as all below. */
struct stages_hist *stages_hist_create(const struct stages_window *window);
void stages_hist_destroy(struct stages_hist *hist);

/* Add a path: for stages_create. */
void stages_hist_add(void *hist, const struct stages_path *path);

/* One of them, stage UINT32_MAX being all of the path, and the exact sum of its values; NULL: there
 * was no such path. */
const struct metrics_hist *stages_hist_of(const struct stages_hist *hist, enum stages_kind kind,
                                          enum call_kind command, uint32_t stage, uint64_t *sum_ns);

/* Set the metrics "stage.NAME" of an object, those of which there was one: {unit, count, saturated,
 * min, p50, p90, p99, p99_9, max, hdr_v2, sum}. 0, or -ERR_NOMEM. */
int stages_hist_metrics(const struct stages_hist *hist, json_t *metrics);

#endif
