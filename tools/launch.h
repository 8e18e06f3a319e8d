/*
 * A run of a scenario as processes: hosts the hypervisor, starts peers, backends and guests, tells
 * them when the measured phase begins and ends, collects what they report, and leaves no process
 * and no file behind.
 *
 * Order: hypervisor and peers; when every peer says where it listens, backends and guests; the
 * guests' workloads when every device is up; clients when every guest listens. Each guest says when
 * it begins to measure and when that ends: the others are measured from the first one's beginning
 * to the last one's end, and report when all guests have. Whoever fails before that has the guests
 * that are left end early and report.
 */
#ifndef XENSOCK_TOOLS_LAUNCH_H
#define XENSOCK_TOOLS_LAUNCH_H

#include "sim/run/scenario.h"
#include "sim/run/trace_log.h"
#include "tools/cmd.h"

#include <jansson.h>

struct capturing;
struct model;
struct profiling;

struct launch_options {
    const char *file;            /* of the scenario */
    const struct cmd_sets *sets; /* that make the file be this run */
    /* how this run is called again: */
    const struct cmd_sets *asked;      /* overrides of the command line */
    bool of_several;                   /* it is one of a study's */
    uint32_t point, repeat;            /* then these */
    const char *runtime;               /* NULL: a directory of its own */
    const struct profiling *profiling; /* that the processes are to write; or NULL */
    const char *const *allow;          /* of --allow, for the backend */
    uint32_t allow_count;
    const char *notify;          /* of --notify, for the backend; NULL: its default */
    struct capturing *capturing; /* in which processes leave what crossed their rings; or NULL */
    bool progress;               /* on stderr */
    /* in virtual time: */
    bool immediate;    /* --notify */
    const char *trace; /* file; NULL: only its hash is taken */
};

/* What came out of a run, before anybody judged it. */
struct launch_outcome {
    json_t *reports;    /* as report_add has them, and "peers": {NAME: {...}} */
    json_t *hypervisor; /* usage of this process in the measured phase, NULL if there was none */
    json_t *errors;     /* [{"code", "message"}], of the run itself */
    json_t *faults; /* that happened, as run_virtual_faults has them; NULL: none were asked for */
    uint64_t wall_ns;
    uint64_t from_ns, to_ns; /* the measured phase, in the time of the processes; the same: none */
    bool complete;           /* it went to its end by itself */
    int code;                /* CMD_OK, or why the run itself failed */
    /* in virtual time: */
    const struct model *model; /* NULL: it was none */
    char trace[TRACE_LOG_HASH_BYTES];
    uint64_t trace_records, virtual_ns, virtual_events, protocol_events;
};

/* How many descriptors the process of a run needs that needs most, for so many of each. */
uint64_t launch_needs(uint32_t guests, uint32_t backends, uint32_t peers, uint64_t sockets);

/* Whether this system gives each process of the run the descriptors it needs; if not, a report of
 * it in `diags`, which knows the scenario's file as its first source. */
bool launch_fits(const struct scenario *scenario, struct diag_list *diags);

/* Run it. The outcome's references are the caller's. */
void launch_run(const struct scenario *scenario, const struct launch_options *options,
                struct launch_outcome *outcome);

#endif
