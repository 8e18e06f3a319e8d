/* What no single key of a scenario can say: references, and rules over several keys. */
#ifndef XENSOCK_SIM_RUN_SCENARIO_CHECK_H
#define XENSOCK_SIM_RUN_SCENARIO_CHECK_H

#include "sim/run/scenario.h"
#include "sim/run/scenario_yaml.h"

#include <string.h>

/* A scenario being read, and the mappings its parts came from. */
struct scenario_draft {
    struct scenario *scenario;
    struct scenario_yaml *yaml;
    struct scenario_map root, topology, protocol; /* node 0: not in the file */
    int hosts_node;                               /* 0: no usable `hosts` */
    struct scenario_map hosts[SCENARIO_HOSTS_MAX];
    struct scenario_map protocols[SCENARIO_HOSTS_MAX]; /* node 0: the host has none */
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

/* Parts of it: what guests speak, and how many a backend can have when each has its backend
 * (scenario_protocol.c); as whose drivers hosts behave, before that, whether a guest's speaks what
 * the guest is to, and then whether its backend's does (scenario_peer.c); `faults`
 * (scenario_faults.c); who listens, who connects to that, and what misbehaves (scenario_listen.c),
 * when the workloads' targets are known; what they draw, and then what of it is cut
 * (scenario_draw.c); whether there is room for what is right otherwise
 * (scenario_room.c). */
void scenario_check_protocols(struct scenario_draft *draft);
void scenario_check_quotas(struct scenario_draft *draft);
void scenario_check_sides(struct scenario_draft *draft);
void scenario_check_driver(struct scenario_draft *draft, uint32_t guest);
void scenario_check_speaks(struct scenario_draft *draft);
void scenario_check_faults(struct scenario_draft *draft);
void scenario_check_listen(struct scenario_draft *draft);
void scenario_check_room(struct scenario_draft *draft);
void scenario_check_draws(struct scenario_draft *draft, uint32_t workload);
void scenario_note_draws(struct scenario_draft *draft, uint32_t workload);

/* When they come and go, when the faults are known (scenario_phases.c); whether a workload is
 * surely there at a time of the measured phase. */
void scenario_check_phases(struct scenario_draft *draft, uint32_t workload);
bool scenario_workload_is_on(const struct scenario_workload *spec, uint64_t at_ns);

/* The place of a key's value if the file has it, else that of the mapping. */
static inline struct diag_place scenario_check_place(const struct scenario_map *map,
                                                     const char *key)
{
    int node = map->node ? scenario_yaml_find(map->yaml, map->node, key) : 0;

    return node ? scenario_yaml_place(map->yaml, node) : scenario_yaml_map_place(map);
}

static inline bool scenario_check_has(const struct scenario_map *map, const char *key)
{
    return map->node && scenario_yaml_find(map->yaml, map->node, key);
}

/* Whether the key stands in the file with this value: false if another fault was found there. */
static inline bool scenario_check_given(const struct scenario_map *map, const char *key,
                                        const char *text)
{
    int node = map->node ? scenario_yaml_find(map->yaml, map->node, key) : 0;

    return node && strcmp(scenario_yaml_text(map->yaml, node), text) == 0;
}

#endif
