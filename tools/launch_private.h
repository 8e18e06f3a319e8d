/* What launch.c (the course of a run), launch_parts.c (its processes), launch_hypervisor.c and
 * launch_faults.c (what happens to them) and launch_stall.c (what they wait for) share. */
#ifndef XENSOCK_TOOLS_LAUNCH_PRIVATE_H
#define XENSOCK_TOOLS_LAUNCH_PRIVATE_H

#include "sim/run/control_uv.h"
#include "sim/run/fault_log.h"
#include "sim/run/record.h"
#include "sim/run/scenario_domains.h"
#include "tools/launch.h"
#include "tools/runtime_dir.h"
#include "tools/signals.h"

#include <uv.h>

enum {
    LAUNCH_DOMAINS_MAX = SCENARIO_HOSTS_MAX + SCENARIO_PROCESSES_MAX,
    LAUNCH_PARTS_MAX = SCENARIO_PEERS_MAX + LAUNCH_DOMAINS_MAX,
};

/* Sets of them say whom something concerns. */
enum launch_kind { LAUNCH_PEER = 1, LAUNCH_BACKEND = 2, LAUNCH_FRONTEND = 4, LAUNCH_ALL = 7 };

#define LAUNCH_NO_HYPERVISOR "E0602" /* what a domain says that has lost it */

struct launch;

/* A process of the run. */
struct launch_part {
    struct launch *launch;
    enum launch_kind kind;
    char name[SCENARIO_DOMAIN_NAME_BYTES]; /* "backend", of several the domain's; the peer's */
    uint32_t peer;                         /* of the scenario's */
    struct scenario_domain domain;         /* backend or guest */
    uv_process_t process;
    struct control_uv *control;
    bool ready, reported, exited;
    bool terminated;                      /* by a SIGTERM of somebody else's */
    bool up, listening, measuring, ended; /* a guest, see launch.h */
    uint64_t bytes, operations;           /* a guest's so far, for progress */
    char waits_for[256];                  /* and what it said last that its workloads wait for */
    /* faults: */
    bool killed;                       /* on purpose */
    bool returning;                    /* and is to come again, when: */
    bool due, closed;                  /* its time has come, and the old process's handle is gone */
    bool paused;                       /* stands still */
    bool told;                         /* that the hypervisor is gone */
    bool timing;                       /* the timer is open: */
    uv_timer_t timer;                  /* until it comes again, or goes on */
    uint64_t measure_ns;               /* a guest: when its measured phase began */
    uint32_t waits;                    /* a guest: for its device, since what: fault_log.h's */
    char address[SCENARIO_ADDR_BYTES]; /* where a peer really listens */
};

/* A fault of the scenario, and how often it happened. */
struct launch_fault {
    struct launch *launch;
    const struct scenario_fault *fault;
    uv_timer_t timer;
    uint64_t count;
};

struct launch {
    const struct scenario *scenario;
    const struct launch_options *options;
    struct launch_outcome *outcome;
    uv_loop_t *loop;
    uv_timer_t timer; /* the time-out, then the grace */
    struct signals signals;
    struct hypervisor_uv *hypervisor; /* NULL: in a process of its own */
    pid_t hypervisor_pid;
    int hypervisor_end; /* which ends when this closes */
    bool hypervisor_killed;
    char runtime[RUNTIME_DIR_BYTES];
    bool own_runtime, quitting, ended;
    bool spawned, started, served, measuring, measured, asked; /* how far the guests have come */
    bool interrupted;                                          /* they were told to end */
    uint32_t interrupts;
    struct launch_part parts[LAUNCH_PARTS_MAX];
    uint32_t part_count;
    struct launch_fault planned[SCENARIO_FAULTS_MAX];
    uint32_t planned_count;
    struct fault_log faults;
    uint64_t measure_ns; /* when the first guest began to measure */
    struct record_usage from;
    uint64_t start_ns, progress_ns, progress_bytes;
};

/* launch.c */
void launch_error(struct launch *launch, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void launch_quit(struct launch *launch);
void launch_fail(struct launch *launch, int code);
void launch_terminated(struct launch *launch, struct launch_part *part);
void launch_said(struct launch *launch, struct launch_part *part, json_t *object);
void launch_advance(struct launch *launch);
void launch_ended(struct launch *launch);
void launch_expect_end(struct launch *launch); /* of all domains, by themselves and at once */

/* launch_hypervisor.c */
bool launch_start_hypervisor(struct launch *launch);
void launch_stop_hypervisor(struct launch *launch);
void launch_kill_hypervisor(struct launch *launch);

/* launch_faults.c */
void launch_plan_faults(struct launch *launch);    /* the measured phase begins */
void launch_end_faults(struct launch *launch);     /* who is away is not waited for */
void launch_close_faults(struct launch *launch);   /* their handles; they are in the outcome */
void launch_part_closed(struct launch_part *part); /* its process's handle has */
void launch_part_up(struct launch_part *part);     /* its device is */
uint64_t launch_until_ns(const struct launch_part *guest); /* its measured phase; 0: not begun */

/* launch_stall.c */
char *launch_stall(const struct launch *launch); /* who waits for what, a line each; to be freed */

/* launch_parts.c */
void launch_peers(struct launch *launch);
void launch_part_again(struct launch_part *part); /* a new process of a domain */
void launch_part_ready(struct launch *launch, struct launch_part *part, const char *address);
void launch_parts_check(struct launch *launch);

#endif
