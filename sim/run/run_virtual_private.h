/*
 * What the files of a run in virtual time share: run_virtual.c (building it, letting it go on),
 * run_virtual_around.c (peers, links), run_virtual_report.c (reports), run_virtual_stall.c (who
 * waits for what). Nobody else includes this.
 */
#ifndef XENSOCK_SIM_RUN_RUN_VIRTUAL_PRIVATE_H
#define XENSOCK_SIM_RUN_RUN_VIRTUAL_PRIVATE_H

#include "sim/run/domain_virtual.h"
#include "sim/run/fault_log.h"
#include "sim/run/metrics_counters.h"
#include "sim/run/peer_virtual.h"
#include "sim/run/run_back.h"
#include "sim/run/run_front.h"
#include "sim/run/run_virtual.h"
#include "sim/run/scenario_domains.h"

#define RUN_VIRTUAL_NEVER UINT64_MAX /* "for good", of who is away */

/* Without progress, and with nothing to come from the network, it is a stall after so long. */
#define RUN_VIRTUAL_PATIENCE_NS UINT64_C(1000000000)

struct backend {
    struct run_virtual *run;
    struct scenario_domain is;
    struct domain_virtual *domain; /* NULL, as is `back`: killed; it left: */
    struct run_back *back;
    struct net *kernel; /* with its links; else NULL */
    uint32_t guests;    /* how many are its own */
    uint64_t away_ns;   /* until when it is dead or stands still, as of its last fault */
    struct metrics_counters from, to;
    struct metrics_counters *gone; /* of those that were killed; or NULL */
};

/* A fault of the scenario, and how often it happened. */
struct planned_fault {
    struct run_virtual *run;
    const struct scenario_fault *fault;
    uint64_t count;
};

struct guest {
    struct run_virtual *run;
    struct scenario_domain is;
    struct backend *backend;
    struct domain_virtual *domain; /* NULL, as is `front`: killed */
    struct run_front *front;
    struct workload_result *past; /* by workload: of those that were killed; or NULL */
    uint64_t measure_ns;          /* when its measured phase began, */
    uint64_t life_ns;             /* and when it last began to measure, in this life */
    uint64_t ended_ns;            /* when that phase ended */
    uint64_t until_ns;            /* of one that came again: as in workload_env; or 0 */
    uint32_t waits;               /* for its device, since what: fault_log.h's */
    uint64_t away_ns;             /* as a backend's */
    uint64_t moved, moved_ns;     /* its progress as of the last look, and when it was another */
    enum workload_phase phase;
    bool listening, ended, through;
    struct metrics_counters from, to;
    struct metrics_counters *gone; /* as a backend's */
};

struct run_virtual {
    struct run_virtual_config config;
    struct scenario scenario; /* with the addresses where peers really listen */
    struct vclock *clock;
    struct vcpus *vcpus;
    struct hv_virtual *machine;
    struct net_virtual *world;
    struct backend backends[SCENARIO_HOSTS_MAX];
    uint32_t backend_count;
    struct peer_virtual *peers[SCENARIO_PEERS_MAX];      /* NULL: not of this run */
    struct workload_times times[SCENARIO_WORKLOADS_MAX]; /* of all guests */
    struct guest *guests;
    uint32_t guest_count;
    uint32_t listening, measuring, ended, through; /* how many guests */
    json_t *errors;
    bool interrupted;
    struct planned_fault planned[SCENARIO_FAULTS_MAX];
    struct fault_log faults;
    uint64_t measure_ns; /* when the first guest began to */
    uint32_t away;       /* how many are to come again, or to go on */
    uint64_t progress;   /* as of the last look, which found nothing to hope for */
    bool stuck;
    uint64_t progress_ns; /* until then there was hope */
    uint64_t look_at;     /* the events fired by then, for progress */
    enum run_virtual_status status;
};

/* run_virtual.c */
void run_virtual_open_backend(struct backend *backend);
void run_virtual_open_guest(struct guest *guest);
void run_virtual_listens(struct guest *guest); /* from now on, or never: nobody waits for it */
void run_virtual_ended(struct guest *guest);
void run_virtual_through(struct guest *guest);

/* run_virtual_around.c */
bool run_virtual_open_peer(struct run_virtual *run, uint32_t i, json_t **error);
void run_virtual_lay_links(struct run_virtual *run);
bool run_virtual_peers_idle(const struct run_virtual *run);
struct net *run_virtual_open_net(void *guest, uint32_t workload); /* as in workload_env */

/* run_virtual_faults.c */
void run_virtual_plan(struct run_virtual *run); /* the measured phase begins */
void run_virtual_up(void *guest);               /* its device is */
void run_virtual_faults_free(struct run_virtual *run);

/* run_virtual_report.c */
bool run_virtual_result(const struct guest *guest, uint32_t index, struct workload_result *one);
void run_virtual_merge(struct workload_result *sum, const struct workload_result *one);
void run_virtual_look_front(struct guest *guest, struct metrics_counters *all);
void run_virtual_look_back(const struct backend *backend, struct metrics_counters *all);
void run_virtual_count_back(const struct run_virtual *run, struct be_counters *sum);
bool run_virtual_backs_idle(const struct run_virtual *run);

#endif
