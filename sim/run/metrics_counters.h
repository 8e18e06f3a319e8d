/*
 * The counters of a process by name: what cores, seams and executor counted, as one list.
 *
 * A flow (notifications, bytes) is reported as what came during the measured phase; a level (grants
 * in use) and a peak as they are at the end.
 */
#ifndef XENSOCK_SIM_RUN_METRICS_COUNTERS_H
#define XENSOCK_SIM_RUN_METRICS_COUNTERS_H

#include "backend/be.h"
#include "frontend/fe.h"
#include "sim/hv/hv.h"
#include "sim/net/net.h"
#include "sim/run/exec.h"

#include <jansson.h>

enum { METRICS_COUNTERS_MAX = 64 };

enum metrics_counter_kind { METRICS_FLOW, METRICS_LEVEL, METRICS_PEAK };

struct metrics_counter {
    const char *name;
    enum metrics_counter_kind kind;
    uint64_t value;
};

struct metrics_counters {
    uint32_t count;
    struct metrics_counter list[METRICS_COUNTERS_MAX];
};

/* Append the counters of each part. */
void metrics_counters_hv(struct metrics_counters *all, const struct hv_counters *hv);
/* What its CPU was busy with, "cost.KEY_ns" for each row of the cost model, adds up to
 * cpu_busy_ns. */
void metrics_counters_vcpu(struct metrics_counters *all, const struct vcpu_counters *vcpu);
void metrics_counters_exec(struct metrics_counters *all, const struct exec_counters *exec);
void metrics_counters_fe(struct metrics_counters *all, const struct fe_counters *fe);
void metrics_counters_be(struct metrics_counters *all, const struct be_counters *be);
void metrics_counters_net(struct metrics_counters *all, const struct net_counters *net);

/* What is to be reported of two looks in the same order, by name: flows as differences. The object
 * is the caller's; NULL without memory. */
json_t *metrics_counters_json(const struct metrics_counters *from,
                              const struct metrics_counters *to);

/* Set the flows back to an earlier look at the same list, taken when the measured phase ended; an
 * empty one changes nothing. */
void metrics_counters_stop(struct metrics_counters *all, const struct metrics_counters *end);

/* Make of a look at a process that dies what it leaves to those of others: flows since an earlier
 * look, which may be empty, peaks, and of levels nothing. */
void metrics_counters_die(struct metrics_counters *all, const struct metrics_counters *from);

/* Add a second list of the same counters: the larger of peaks, the sum of all else. Into an empty
 * list it is copied. */
void metrics_counters_add(struct metrics_counters *sum, const struct metrics_counters *one);

/* Whether a counter of this name is a peak: all that are say so, "_peak". */
bool metrics_counters_is_peak(const char *name);

/* Levels that must be 0 when a process has given everything back: the first that is not, or NULL.
 */
const char *metrics_counters_leak(const struct metrics_counters *all);

#endif
