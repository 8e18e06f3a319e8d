/*
 * The rules of `faults`: where one happens, and what would wait for ever behind it. See
 * scenario_check.h.
 */
#include "sim/run/scenario_check.h"

#include "sim/run/scenario_keys.h"
#include "sim/run/units.h"

#include <inttypes.h>
#include <string.h>

#define HYPERVISOR "hypervisor"

bool scenario_cuts(const struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->fault_count; i++)
        if (scenario->faults[i].kind != SCENARIO_FAULT_PAUSE)
            return true;
    return false;
}

bool scenario_cuts_host(const struct scenario *scenario, uint32_t host)
{
    for (uint32_t i = 0; i < scenario->fault_count; i++) {
        const struct scenario_fault *fault = &scenario->faults[i];
        bool struck = fault->host == host || fault->host == scenario->hosts[host].backend ||
                      fault->host == SCENARIO_HOSTS_MAX;
        if (fault->kind != SCENARIO_FAULT_PAUSE && struck)
            return true;
    }
    return false;
}

/* The one that a peer's connections end at, as far as it is one of these: a forward's target. */
static const struct scenario_peer *end_of(const struct scenario *scenario, uint32_t peer)
{
    const struct scenario_peer *of = &scenario->peers[peer];
    const struct scenario_workload *to = &scenario->workloads[of->workload];
    bool through = of->kind == SCENARIO_PEER_CLIENT && to->kind == SCENARIO_FORWARD;

    return through ? &scenario->peers[to->peer] : of;
}

bool scenario_forwards_to(const struct scenario *scenario, uint32_t peer)
{
    for (uint32_t i = 0; i < scenario->workload_count; i++)
        if (scenario->workloads[i].kind == SCENARIO_FORWARD && scenario->workloads[i].peer == peer)
            return true;
    return false;
}

bool scenario_cuts_peer(const struct scenario *scenario, uint32_t peer)
{
    bool client = scenario->peers[peer].kind == SCENARIO_PEER_CLIENT;

    if (end_of(scenario, peer)->conduct != SCENARIO_CONDUCT_GOOD)
        return true;
    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_workload *workload = &scenario->workloads[i];
        bool theirs = client ? scenario->peers[peer].workload == i
                             : workload->kind != SCENARIO_SERVE && workload->peer == peer;
        if (theirs && scenario_cuts_host(scenario, workload->host))
            return true;
    }
    return false;
}

static bool has_key(const struct scenario_map *map, const char *key)
{
    return scenario_yaml_find(map->yaml, map->node, key) != 0;
}

static struct diag_place value_place(const struct scenario_map *map, const char *key)
{
    int node = scenario_yaml_find(map->yaml, map->node, key);

    return node ? scenario_yaml_place(map->yaml, node) : scenario_yaml_map_place(map);
}

/* The guest that "web.3" means of host "web": 3; UINT32_MAX for "web" itself. False: it is not of
 * this host. */
static bool is_of_host(const struct scenario_host *host, const char *where, uint32_t *guest)
{
    size_t bytes = strlen(host->name);
    uint64_t number;

    *guest = UINT32_MAX;
    if (bytes == 0 || strncmp(where, host->name, bytes) != 0)
        return false;
    if (where[bytes] == '\0')
        return true;
    if (where[bytes] != '.' || units_parse_count(where + bytes + 1, &number) != UNITS_OK)
        return false;
    *guest = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX - 1;
    return true;
}

static void check_hypervisor(struct scenario_draft *draft, uint32_t index)
{
    struct scenario_fault *fault = &draft->scenario->faults[index];
    const struct scenario_map *map = &draft->faults[index];

    fault->host = SCENARIO_HOSTS_MAX;
    if (draft->scenario->mode == SCENARIO_VIRTUAL) {
        diag_error(map->yaml->diags, DIAG_NOT_VIRTUAL, value_place(map, "where"),
                   "in mode 'virtual' the hypervisor is no process that could be killed");
        diag_hint(map->yaml->diags, "name a host, or use mode 'emulated'");
    } else if (map->kind != SCENARIO_KIND_UNKNOWN && fault->kind != SCENARIO_FAULT_KILL) {
        diag_error(map->yaml->diags, DIAG_NOT_FOR_KIND, value_place(map, "kind"),
                   "the hypervisor can only be killed: what it knew does not come again");
        diag_hint(map->yaml->diags, "use 'kill'");
    }
}

static void check_where(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario *scenario = draft->scenario;
    struct scenario_fault *fault = &draft->scenario->faults[index];
    const struct scenario_map *map = &draft->faults[index];
    const char *names[SCENARIO_HOSTS_MAX + 1];

    fault->host = UINT32_MAX; /* none */
    if (fault->where[0] == '\0')
        return; /* reported */
    for (uint32_t i = 0; i < scenario->host_count; i++) {
        const struct scenario_host *host = &scenario->hosts[i];
        names[i] = host->name;
        if (!is_of_host(host, fault->where, &fault->guest))
            continue;
        fault->host = i;
        if (fault->guest == UINT32_MAX || (host->count > 1 && fault->guest < host->count))
            return;
        diag_error(map->yaml->diags, DIAG_UNKNOWN_NAME, value_place(map, "where"),
                   "host '%s' has no guest '%s'", host->name, fault->where);
        if (host->count > 1)
            diag_hint(map->yaml->diags, "its guests are %s.0 to %s.%" PRIu32, host->name,
                      host->name, host->count - 1);
        else
            diag_hint(map->yaml->diags, "it is one: write '%s'", host->name);
        return;
    }
    if (strcmp(fault->where, HYPERVISOR) == 0) {
        check_hypervisor(draft, index);
        return;
    }
    names[scenario->host_count] = HYPERVISOR;
    diag_error(map->yaml->diags, DIAG_UNKNOWN_NAME, value_place(map, "where"),
               "there is no host '%s'", fault->where);
    diag_suggest(map->yaml->diags, fault->where, "hosts", names, scenario->host_count + 1);
}

static void check_times(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_fault *fault = &draft->scenario->faults[index];
    const struct scenario_map *map = &draft->faults[index];

    if (has_key(map, "times") && !has_key(map, "every")) {
        diag_error(map->yaml->diags, DIAG_NEEDS_KEY, value_place(map, "times"),
                   "'times' needs 'every': a fault happens once");
        diag_hint(map->yaml->diags, "add 'every'");
    }
    if (fault->every_ns == 0 || fault->for_ns < fault->every_ns)
        return;
    diag_error(map->yaml->diags, DIAG_OUT_OF_RANGE, value_place(map, "for"),
               "'for' %s is not shorter than 'every', %s",
               units_format_duration(fault->for_ns).text,
               units_format_duration(fault->every_ns).text);
    diag_hint(map->yaml->diags, "the next one would find it still away");
}

/* Whether a workload ends by doing so much. */
static bool is_bounded(const struct scenario_workload *workload)
{
    switch (workload->kind) {
    case SCENARIO_STREAM: return workload->bytes != 0;
    case SCENARIO_REQUEST_RESPONSE:
    case SCENARIO_CONNECT_CLOSE: return workload->operations != 0;
    case SCENARIO_SERVE:
    case SCENARIO_FORWARD: return false; /* another rule's */
    }
    return false;
}

bool scenario_bounds(const struct scenario *scenario, uint32_t host)
{
    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_workload *workload = &scenario->workloads[i];
        if (workload->host == host && (is_bounded(workload) || workload->accepts != 0))
            return true;
    }
    return false;
}

/* Who has lost its backend for good can do no more. */
static void check_kill(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario *scenario = draft->scenario;
    const struct scenario_fault *fault = &scenario->faults[index];
    const struct scenario_map *map = &draft->faults[index];

    if (map->kind == SCENARIO_KIND_UNKNOWN || fault->kind != SCENARIO_FAULT_KILL ||
        fault->host >= scenario->host_count ||
        scenario->hosts[fault->host].role != SCENARIO_BACKEND)
        return;
    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_workload *workload = &scenario->workloads[i];
        if (scenario->hosts[workload->host].backend != fault->host || !is_bounded(workload))
            continue;
        diag_error(map->yaml->diags, DIAG_WRONG_TARGET, value_place(map, "where"),
                   "without '%s' workload '%s' would never have done what it has to", fault->where,
                   scenario->workloads[i].name);
        diag_hint(map->yaml->diags, "use 'restart', or bound the workload by 'duration'");
        return;
    }
}

/* How many connections were served whole, the two ends of one that was cut need not agree on. */
static void check_accepts(struct scenario_draft *draft)
{
    const struct scenario *scenario = draft->scenario;

    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_map *map = &draft->workloads[i];
        if (scenario->workloads[i].accepts == 0)
            continue;
        diag_error(map->yaml->diags, DIAG_NOT_FOR_KIND, value_place(map, "accepts"),
                   "'accepts' does not go with faults that cut connections");
        diag_hint(map->yaml->diags, "leave it out: it serves for 'duration' then");
    }
}

void scenario_check_faults(struct scenario_draft *draft)
{
    for (uint32_t i = 0; i < draft->scenario->fault_count; i++) {
        check_where(draft, i);
        check_times(draft, i);
        check_kill(draft, i);
    }
    if (scenario_cuts(draft->scenario))
        check_accepts(draft);
}
