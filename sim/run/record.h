/*
 * The record of one run: result.json (schema xensock/result/1), and the table people read, which
 * is made from the JSON alone.
 *
 * A result is a json_t object that grows: record_begin, any number of record_add_*, record_finish,
 * record_write. It has one point with one repeat, where metrics, counters and processes go. Every
 * number in it is an integer: times are nanoseconds, sizes bytes. Until record_finish says
 * otherwise it is marked incomplete, so a result that was cut short cannot pass for a whole one.
 *
 * Names and texts are UTF-8. Values above 2^63 - 1 are ours to avoid (asserted).
 * Source: ecosystem.md 6.2.
 */
#ifndef XENSOCK_SIM_RUN_RECORD_H
#define XENSOCK_SIM_RUN_RECORD_H

#include "sim/run/metrics_hist.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A new result, incomplete and empty, for json_decref(); NULL without memory. `scenario` {file,
 * xxh3, resolved} and `host` (record_host) are shared, not taken: the caller keeps its references.
 * `mode` is "emulated" or "virtual". */
json_t *record_begin(json_t *scenario, json_t *host, const char *version, const char *mode,
                     uint64_t seed);

/* What a process has used since it started. */
struct record_usage {
    uint64_t wall_ns; /* a monotonic clock of unspecified start, not a time used */
    uint64_t cpu_user_ns;
    uint64_t cpu_system_ns;
    uint64_t switches_voluntary;
    uint64_t switches_involuntary;
    uint64_t faults_minor;
    uint64_t memory_peak_bytes; /* resident, since the program was executed */
};

/* The usage of the calling process, now. */
void record_usage_now(struct record_usage *usage);

/* What was used from one look to a later one, wall time too; the memory peak is that of `to`. */
struct record_usage record_usage_between(const struct record_usage *from,
                                         const struct record_usage *to);

/* A usage as a JSON object with the members' names, as a process reports it; NULL without memory.
 */
json_t *record_usage_json(const struct record_usage *usage);

/* Reads what record_usage_json made, from another process: 0, or -ERR_INVAL if a member is missing
 * or no integer from 0; then *usage is unchanged. */
int record_usage_parse(const json_t *json, struct record_usage *usage);

/* Adds `count` processes of one name ("backend") with the usage of all, the memory peak being the
 * largest of one: 0 or -ERR_NOMEM. */
int record_add_process(json_t *result, const char *name, uint32_t count,
                       const struct record_usage *usage);

/* What one workload did in its measured time, and how long its operations took. */
struct record_workload {
    const char *name;
    uint64_t duration_ns; /* measured; 0 if nothing was: the throughput is then 0 */
    uint64_t bytes;
    uint64_t operations;
    const struct metrics_hist *latency;  /* NULL: not measured, or nothing to measure */
    const struct metrics_hist *service;  /* open loop: from the actual start; else NULL */
    const struct metrics_hist *released; /* connect-close: to its release; else NULL */
    uint64_t offered_per_s;              /* open loop: operations wanted; 0: a closed one */
    uint64_t backlog;                    /* open loop: operations due, but never begun */
    uint32_t listeners;                  /* of a serve; 0: of another kind. Over the whole run: */
    uint64_t accepted, accepted_least, accepted_most; /* in all; by one listener */
    uint64_t starved;                                 /* how often there was no room for one */
    bool forwards;                       /* of a forward: `accepted`, and over the whole run: */
    uint64_t sent_bytes, received_bytes; /* towards the backend, and from it */
    uint64_t joined, refused, resets, held_out, cut_off,
        most;               /* connections; as result.json says */
    bool cuts;              /* faults of the run cut connections; then: */
    uint64_t lost, resumed; /* connections that went with the device; how often it came again */
};

/* A histogram of times as the metric it is: {unit, count, saturated, min, p50, p90, p99, p99_9,
 * max, hdr_v2}; NULL without memory. */
json_t *record_hist(const struct metrics_hist *hist);

/* Adds the metrics {throughput, bytes, operations, duration, latency}.NAME of a workload, of an
 * open loop also {service, offered, backlog}.NAME, of connect-close released.NAME, of a serve
 * accepted.NAME with how many listeners accepted at least and at most how much, and, unless 0, how
 * often there was no room ("no_room"), of a forward forwarded.NAME with what became of its
 * connections and {sent, received}.NAME, with faults also {lost, resumed}.NAME, each with its unit:
 * 0 or -ERR_NOMEM. A workload added twice keeps the later one. */
int record_add_workload(json_t *result, const struct record_workload *workload);

/* Adds the metric received.NAME: how many bytes a workload received, and their XXH3-128 as
 * xxh128sum prints it: 0 or -ERR_NOMEM. */
int record_add_digest(json_t *result, const char *name, uint64_t bytes, const char *xxh128);

/* What names a run in virtual time. */
struct record_virtual {
    const char *trace;        /* hash, 32 hex digits */
    const char *model;        /* cost model: its name, or NULL: nothing cost any time; */
    const char *model_xxh128; /* and the hash of its text */
    uint64_t virtual_ns;      /* how long it was */
};

/* Adds `trace`, `cost_model` if there is one, and `virtual_ns` to the repeat: 0 or -ERR_NOMEM. */
int record_add_virtual(json_t *result, const struct record_virtual *run);

/* Adds the faults that happened, [{"kind", "where", "at_ns", "recovery_ns"}], to the repeat;
 * shared, not taken: 0 or -ERR_NOMEM. */
int record_add_faults(json_t *result, json_t *faults);

/* Adds `value` to the counter of that name ("backend.notify"), which starts at 0: 0 or
 * -ERR_NOMEM. */
int record_add_counter(json_t *result, const char *name, uint64_t value);

/* Appends {code, message} to the errors: 0 or -ERR_NOMEM. Bytes of the message that are not UTF-8
 * (file names need not be) are written as '?'. */
int record_add_error(json_t *result, const char *code, const char *message);

/* Says how long the run took and whether it ran to its end: 0 or -ERR_NOMEM. */
int record_finish(json_t *result, uint64_t wall_ns, bool complete);

/* amount per second, rounded down: exact for every amount, duration_ns from 1 to 2^60. */
uint64_t record_rate(uint64_t amount, uint64_t duration_ns);

/* Writes result.json into the directory, which must exist: 0, or the negated errno of the step
 * that failed. It appears whole or not at all: on error an older result.json is as it was (unless
 * only the directory's own sync failed), and no temporary file is left. Survives a crash of the
 * host once 0 was returned. */
int record_write(const json_t *result, const char *directory);

/* What a number depends on that the scenario does not say: CPU model, kernel, cores, page size, TCP
 * congestion control, load average (thousandths, last minute). What this host does not tell is
 * missing. For json_decref(); NULL without memory. */
json_t *record_host(void);

/* Prints workloads, processes, counters and errors as far as the result has them, of a run in
 * virtual time a line "trace" with its hash, and a last line with the verdict: "ok", "INCOMPLETE",
 * or "FAIL: n errors" with ", incomplete" if that too. */
void record_print_table(FILE *out, const json_t *result);

#endif
