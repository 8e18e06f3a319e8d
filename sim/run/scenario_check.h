/* What no single key of a scenario can say: references, and rules over several keys. */
#ifndef XENSOCK_SIM_RUN_SCENARIO_CHECK_H
#define XENSOCK_SIM_RUN_SCENARIO_CHECK_H

#include "sim/run/scenario.h"
#include "sim/run/scenario_yaml.h"

/* A scenario being read, and the mappings its parts came from. */
struct scenario_draft {
    struct scenario *scenario;
    struct scenario_yaml yaml;
    struct scenario_map root, topology, protocol; /* node 0: not in the file */
    int hosts_node;                               /* 0: no usable `hosts` */
    struct scenario_map hosts[SCENARIO_HOSTS_MAX];
    struct scenario_map peers[SCENARIO_PEERS_MAX];
    struct scenario_map links[SCENARIO_LINKS_MAX];
    struct scenario_map workloads[SCENARIO_WORKLOADS_MAX];
    struct scenario_map faults[SCENARIO_FAULTS_MAX];
    char names[SCENARIO_HOSTS_MAX + SCENARIO_PEERS_MAX + SCENARIO_LINKS_MAX +
               SCENARIO_WORKLOADS_MAX +
               SCENARIO_FAULTS_MAX][SCENARIO_NAME_BYTES + 16]; /* what the maps' `what` points to */
    uint32_t name_count;
};

/* Resolve and check a draft whose keys have all been read; a key reported before is not reported
 * again. Fills in the defaults that depend on other keys. */
void scenario_check(struct scenario_draft *draft);

/* A part of it: `faults` (scenario_faults.c). */
void scenario_check_faults(struct scenario_draft *draft);

#endif
