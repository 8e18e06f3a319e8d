/*
 * What the files of a run in virtual time share: run_virtual.c (building it, letting it go on),
 * run_virtual_report.c (reports), run_virtual_stall.c (who waits for what). Nobody else includes
 * this.
 */
#ifndef XENSOCK_SIM_RUN_RUN_VIRTUAL_PRIVATE_H
#define XENSOCK_SIM_RUN_RUN_VIRTUAL_PRIVATE_H

#include "sim/run/domain_virtual.h"
#include "sim/run/metrics_counters.h"
#include "sim/run/peer_virtual.h"
#include "sim/run/run_back.h"
#include "sim/run/run_front.h"
#include "sim/run/run_virtual.h"
#include "sim/run/scenario_domains.h"

/* Without progress, and with nothing to come from the network, it is a stall after so long. */
#define RUN_VIRTUAL_PATIENCE_NS UINT64_C(1000000000)

struct backend {
    struct run_virtual *run;
    struct scenario_domain is;
    struct domain_virtual *domain;
    struct run_back *back;
    uint32_t guests; /* how many are its own */
    struct metrics_counters from, to;
};

struct guest {
    struct run_virtual *run;
    struct scenario_domain is;
    struct backend *backend;
    struct domain_virtual *domain;
    struct run_front *front;
    enum workload_phase phase;
    bool listening, through;
    struct metrics_counters from, to;
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
    uint64_t progress; /* as of the last look, which found nothing to hope for */
    bool stuck;
    uint64_t progress_ns; /* until then there was hope */
    uint64_t look_at;     /* the events fired by then, for progress */
    enum run_virtual_status status;
};

/* run_virtual_report.c */
void run_virtual_look_front(struct guest *guest, struct metrics_counters *all);
void run_virtual_look_back(const struct backend *backend, struct metrics_counters *all);
void run_virtual_count_back(const struct run_virtual *run, struct be_counters *sum);
bool run_virtual_backs_idle(const struct run_virtual *run);

#endif
