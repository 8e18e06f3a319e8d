/*
 * What a part of a run reports, as JSON: the same whether it is a process that tells its launcher
 * or a domain in virtual time. tools/verdict.c judges it.
 */
#ifndef XENSOCK_SIM_RUN_REPORT_H
#define XENSOCK_SIM_RUN_REPORT_H

#include "sim/run/peer_stream.h"
#include "sim/run/workload.h"

#include <jansson.h>

/* What a workload of this name did; NULL without memory. */
json_t *report_workload(const char *name, const struct workload_result *result);

/* A histogram in a report, and back: NULL for none. The caller's. */
json_t *report_hist_json(const struct metrics_hist *hist);
struct metrics_hist *report_hist(const json_t *object);

/* Add what a process of a host reports to what its role and its host report together: to
 * {"frontend" or "backend": {"name", "processes", "counters", "usage", "leak" and "leak_of" if one
 * has a leak, of frontends "workloads"}, "hosts": {NAME: the same without workloads}}. Numbers are
 * added; of times, and of peaks, the largest counts; of errors the first. `hosts` is there. */
void report_add(json_t *reports, const struct scenario *scenario, uint32_t host,
                const json_t *report);

/* What a peer counted, by name; NULL without memory. */
json_t *report_peer_counters(const struct peer_counters *counters);

#endif
