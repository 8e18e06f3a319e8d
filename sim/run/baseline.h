/*
 * Results that are kept on purpose, to hold later ones against them.
 *
 * A baseline is a result (schema xensock/result/1) without what changes though nothing did, so that
 * a version control system shows what an acceptance changed. Nothing here compares: compare.h.
 */
#ifndef XENSOCK_SIM_RUN_BASELINE_H
#define XENSOCK_SIM_RUN_BASELINE_H

#include "sim/run/compare.h"

/* Whether a result of compare_load may be one: it is complete, and nothing in it failed. */
bool baseline_worthy(const json_t *result, struct compare_refusal *refusal);

/* The result as it is kept: without its file's name, the host's load and, of virtual time, the
 * host, the time it took there, histograms beyond their percentiles and time lines. For
 * json_decref(). */
json_t *baseline_of(const json_t *result);

#endif
