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

/* What a peer counted, by name; NULL without memory. */
json_t *report_peer_counters(const struct peer_counters *counters);

#endif
