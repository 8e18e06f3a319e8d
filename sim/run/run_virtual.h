/*
 * A run of a scenario in virtual time: one process, one clock, the same cores, workloads and
 * reports as a run of processes.
 *
 * Every guest, backend and peer has a vCPU; the network and the hypervisor are models.
 * Nothing here knows the host's time. A run ends by itself, or when it stalls: nothing is scheduled
 * any more, or nothing has moved for a virtual second in which nothing was under way in the network
 * and the workloads did not wait for their time.
 * Source: architecture 9.
 */
#ifndef XENSOCK_SIM_RUN_RUN_VIRTUAL_H
#define XENSOCK_SIM_RUN_RUN_VIRTUAL_H

#include "backend/policy.h"
#include "sim/hv/hypervisor.h"
#include "sim/run/capture.h"
#include "sim/run/exec.h"
#include "sim/run/scenario_domains.h"

#include <jansson.h>

struct run_virtual;

struct run_virtual_config {
    const struct scenario *scenario; /* all these outlive it */
    const struct costs *costs;
    const struct policy *policy;
    const struct trace_sink *trace; /* or NULL */
    struct capture *capture;        /* or NULL; its clock is the run's from then on */
    enum exec_notify notify;
};

/* Everything in its place at time 0; NULL when the system gives no memory for it, or a peer cannot
 * listen: then *error is a report of it, to be freed by the caller. */
struct run_virtual *run_virtual_create(const struct run_virtual_config *config, json_t **error);

enum run_virtual_status {
    RUN_VIRTUAL_GOING,
    RUN_VIRTUAL_DONE,
    RUN_VIRTUAL_STALLED,
    RUN_VIRTUAL_TIMEOUT, /* the scenario's, in virtual time */
};

/* Let so many events happen, or fewer. */
enum run_virtual_status run_virtual_go(struct run_virtual *run, uint32_t events);

/* End the workloads now; it is over when run_virtual_go says so. */
void run_virtual_interrupt(struct run_virtual *run);

/* The virtual time, and events and bytes so far, for progress and reports. */
uint64_t run_virtual_now_ns(const struct run_virtual *run);
uint64_t run_virtual_events(const struct run_virtual *run);
uint64_t run_virtual_bytes(const struct run_virtual *run);

/* exec_protocol_events of all domains, since the beginning. */
uint64_t run_virtual_protocol_events(const struct run_virtual *run);

/* From when to when it measured, of all guests: what happened at from_ns <= time < to_ns counts.
 * from_ns == to_ns: it did not come to that. */
void run_virtual_measured(const struct run_virtual *run, uint64_t *from_ns, uint64_t *to_ns);

/* What the parts report, as launch.h has it; the caller's. Once. */
json_t *run_virtual_reports(struct run_virtual *run);

/* Faults that cores reported of their peers: [{"code", "message"}]; the caller's. */
json_t *run_virtual_errors(struct run_virtual *run);

/* Why it was ended, a line, and who waits for what, several lines, each indented; for free(). */
char *run_virtual_stall(const struct run_virtual *run);

/* The i-th entity of the trace: its number in records, its name; false behind the last. */
bool run_virtual_entity(const struct scenario *scenario, uint32_t i, uint16_t *who,
                        char name[SCENARIO_DOMAIN_NAME_BYTES]);

/* Have this happen now, between two events, to a host of the scenario or to one of its guests
 * (UINT32_MAX: all); `for_ns` as in struct scenario_fault, all else of it is ignored. What is dead
 * already, or through with all it had to do, is left alone. */
void run_virtual_fault(struct run_virtual *run, const struct scenario_fault *fault);

/* The faults that happened, as fault_log_json has them; the caller's. */
json_t *run_virtual_faults(const struct run_virtual *run);

/* The hypervisor's tables, to look at. */
const struct hypervisor *run_virtual_tables(const struct run_virtual *run);

/* Frees it as it stands. */
void run_virtual_destroy(struct run_virtual *run);

#endif
