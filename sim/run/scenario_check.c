/* Rules over several keys. See scenario_check.h. */
#include "sim/run/scenario_check.h"

#include "sim/run/model.h"
#include "sim/run/scenario_keys.h"
#include "sim/run/units.h"

#include <string.h>

/* In virtual time there is nothing but the model. */
static void check_peer_mode(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_map *map = &draft->peers[index];

    if (draft->scenario->mode != SCENARIO_VIRTUAL ||
        draft->scenario->peers[index].kind != SCENARIO_PEER_EXTERNAL ||
        !scenario_check_has(map, "kind"))
        return;
    diag_error(draft->yaml->diags, DIAG_NOT_VIRTUAL, scenario_check_place(map, "kind"),
               "an external peer cannot be reached in mode 'virtual'");
    diag_hint(draft->yaml->diags, "use 'echo', 'sink' or 'source', or mode 'emulated'");
}

/* A host that may name a backend: its own, or the first of the file. */
static void check_backend(struct scenario_draft *draft, uint32_t index)
{
    struct scenario *scenario = draft->scenario;
    struct scenario_host *host = &scenario->hosts[index];
    const struct scenario_map *map = &draft->hosts[index];
    const char *names[SCENARIO_HOSTS_MAX];
    uint32_t count = 0;

    host->backend = scenario->backend;
    if (!scenario_check_has(map, "backend"))
        memcpy(host->backend_name, scenario->hosts[scenario->backend].name,
               sizeof(host->backend_name));
    if (!scenario_check_given(map, "backend", host->backend_name))
        return;
    for (uint32_t i = 0; i < scenario->host_count; i++) {
        const struct scenario_host *other = &scenario->hosts[i];
        if (scenario_check_given(&draft->hosts[i], "role", "backend"))
            names[count++] = other->name;
        if (strcmp(other->name, host->backend_name) != 0)
            continue;
        host->backend = i;
        if (scenario_check_given(&draft->hosts[i], "role", "frontend"))
            diag_error(map->yaml->diags, DIAG_WRONG_TARGET, scenario_check_place(map, "backend"),
                       "host '%s' is a guest, no backend", other->name);
        return;
    }
    diag_error(map->yaml->diags, DIAG_UNKNOWN_NAME, scenario_check_place(map, "backend"),
               "there is no host '%s'", host->backend_name);
    diag_suggest(map->yaml->diags, host->backend_name, "backends", names, count);
}

static void check_is_one(const struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_host *host = &draft->scenario->hosts[index];
    const struct scenario_map *map = &draft->hosts[index];

    if (host->count > 1) {
        diag_error(draft->yaml->diags, DIAG_TOO_MANY, scenario_check_place(map, "count"),
                   "host '%s' is a backend: one domain, not %u", host->name, host->count);
        diag_hint(draft->yaml->diags, "add hosts of role 'backend', each with a name");
    }
    if (scenario_check_has(map, "limits")) {
        diag_error(draft->yaml->diags, DIAG_NOT_FOR_KIND, scenario_check_place(map, "limits"),
                   "'limits' does not go with role 'backend'");
        diag_hint(draft->yaml->diags, "it is guests whose tables are small");
    }
    if (scenario_check_has(map, "backend")) {
        diag_error(draft->yaml->diags, DIAG_NOT_FOR_KIND, scenario_check_place(map, "backend"),
                   "'backend' does not go with role 'backend'");
        diag_hint(draft->yaml->diags, "a frontend names its backend");
    }
}

/* How many guests there are, each a process in emulated mode, and which backend each has. */
static void check_hosts(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;
    uint32_t guests = 0;

    for (uint32_t i = 0; i < scenario->host_count; i++) {
        const struct scenario_map *map = &draft->hosts[i];
        if (scenario_check_given(map, "role", "backend"))
            check_is_one(draft, i);
        if (!scenario_check_given(map, "role", "frontend"))
            continue;
        check_backend(draft, i);
        bool fitted = guests <= SCENARIO_PROCESSES_MAX;
        guests += scenario->hosts[i].count;
        if (scenario->mode != SCENARIO_EMULATED || !fitted || guests <= SCENARIO_PROCESSES_MAX)
            continue;
        diag_error(draft->yaml->diags, DIAG_TOO_MANY, scenario_check_place(map, "count"),
                   "with host '%s' there are %u guests; in mode 'emulated', where each is a "
                   "process, there are at most %u",
                   scenario->hosts[i].name, guests, SCENARIO_PROCESSES_MAX);
        diag_hint(draft->yaml->diags, "lower 'count', or use mode 'virtual'");
    }
}

/* Only by name: a model that is a file is read when it is used. */
static void check_cost_model(struct scenario_draft *draft)
{
    const char *which = draft->scenario->cost_model;

    if (!model_is_path(which))
        model_check_name(which, draft->yaml->diags,
                         scenario_check_place(&draft->root, "cost_model"));
}

/* The first host of a role; reports that there is none, if all their roles are clear. */
static uint32_t host_first(const struct scenario_draft *draft, const char *word)
{
    uint32_t unclear = draft->hosts_node ? 0 : 1;

    for (uint32_t i = 0; i < draft->scenario->host_count; i++) {
        if (scenario_check_given(&draft->hosts[i], "role", word))
            return i;
        unclear += !scenario_check_given(&draft->hosts[i], "role", "backend") &&
                   !scenario_check_given(&draft->hosts[i], "role", "frontend");
    }
    if (!unclear)
        diag_error(draft->yaml->diags, DIAG_MISSING_KEY,
                   scenario_check_place(&draft->topology, "hosts"), "no host has the role '%s'",
                   word);
    return 0;
}

static void check_where(struct scenario_draft *draft, uint32_t index)
{
    struct scenario *scenario = draft->scenario;
    struct scenario_workload *workload = &scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];
    const char *names[SCENARIO_HOSTS_MAX];

    workload->host = scenario->frontend;
    if (!scenario_check_has(map, "where"))
        memcpy(workload->where, scenario->hosts[scenario->frontend].name, sizeof(workload->where));
    if (!scenario_check_given(map, "where", workload->where))
        return;
    for (uint32_t i = 0; i < scenario->host_count; i++) {
        names[i] = scenario->hosts[i].name;
        if (strcmp(names[i], workload->where) != 0)
            continue;
        workload->host = i;
        if (scenario->hosts[i].role != SCENARIO_FRONTEND)
            diag_error(map->yaml->diags, DIAG_WRONG_TARGET, scenario_check_place(map, "where"),
                       "host '%s' is no frontend: workloads run in a guest", workload->where);
        return;
    }
    diag_error(map->yaml->diags, DIAG_UNKNOWN_NAME, scenario_check_place(map, "where"),
               "there is no host '%s'", workload->where);
    diag_suggest(map->yaml->diags, workload->where, "hosts", names, scenario->host_count);
}

/* What a workload needs of its peer: a set of kinds, and the words for it. */
static const char *peer_needs(const struct scenario_workload *workload, uint32_t *kinds)
{
    uint32_t own = 1u << SCENARIO_PEER_ECHO;
    const char *words = "'echo' or 'external'";

    if (workload->kind == SCENARIO_STREAM && workload->direction == SCENARIO_UP) {
        own = 1u << SCENARIO_PEER_SINK;
        words = "'sink' or 'external'";
    } else if (workload->kind == SCENARIO_STREAM && workload->direction == SCENARIO_DOWN) {
        own = 1u << SCENARIO_PEER_SOURCE;
        words = "'source' or 'external'";
    } else if (workload->kind == SCENARIO_CONNECT_CLOSE) {
        own |=
            1u << SCENARIO_PEER_SINK | 1u << SCENARIO_PEER_SOURCE | 1u << SCENARIO_PEER_RESPONDER;
        words = "'echo', 'sink', 'source', 'responder' or 'external'";
    } else if (workload->kind == SCENARIO_REQUEST_RESPONSE) {
        own |= 1u << SCENARIO_PEER_RESPONDER;
        words = "'echo', 'responder' or 'external'";
    }
    *kinds = own | 1u << SCENARIO_PEER_EXTERNAL;
    return words;
}

#define WORD(constant, word) word,
static void check_peer_kind(struct scenario_draft *draft, uint32_t index)
{
    static const char *const words_of[] = {SCENARIO_DIRECTIONS(WORD)};
    static const char *const kinds_of[] = {SCENARIO_WORKLOAD_KINDS(WORD)};
    struct scenario_workload *workload = &draft->scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];
    const struct scenario_map *peer = &draft->peers[workload->peer];
    uint32_t kinds;
    const char *words = peer_needs(workload, &kinds);
    bool stream = workload->kind == SCENARIO_STREAM;

    if (map->kind == SCENARIO_KIND_UNKNOWN || peer->kind == SCENARIO_KIND_UNKNOWN ||
        kinds >> peer->kind & 1)
        return;
    if (scenario_check_has(map, "direction") &&
        !scenario_check_given(map, "direction", words_of[workload->direction]))
        return;
    diag_error(map->yaml->diags, DIAG_WRONG_TARGET, scenario_check_place(map, "connect_to"),
               "%s%s needs a peer of kind %s", stream ? "direction " : "",
               stream ? words_of[workload->direction] : kinds_of[workload->kind], words);
    diag_note(map->yaml->diags, scenario_check_place(peer, "kind"), "%s is of kind '%s'",
              peer->what,
              scenario_yaml_text(peer->yaml, scenario_yaml_find(peer->yaml, peer->node, "kind")));
}

/* The peer that a key leads to, by its `name`; false if there is none, which is reported. */
static bool find_peer(const struct scenario_draft *draft, const struct scenario_map *map,
                      const char *key, const char *name, uint32_t *index)
{
    const struct scenario *scenario = draft->scenario;
    const char *names[SCENARIO_PEERS_MAX];

    for (uint32_t i = 0; i < scenario->peer_count; i++) {
        names[i] = scenario->peers[i].name;
        if (strcmp(names[i], name) == 0) {
            *index = i;
            return true;
        }
    }
    diag_error(map->yaml->diags, DIAG_UNKNOWN_NAME, scenario_check_place(map, key),
               "there is no peer '%s'", name);
    diag_suggest(map->yaml->diags, name, "peers", names, scenario->peer_count);
    return false;
}

static void check_target(struct scenario_draft *draft, uint32_t index)
{
    struct scenario_workload *workload = &draft->scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];

    if (workload->kind == SCENARIO_SERVE ||
        !scenario_check_given(map, "connect_to", workload->connect_to))
        return;
    if (!find_peer(draft, map, "connect_to", workload->connect_to, &workload->peer))
        return;
    check_peer_kind(draft, index);
}

/* Where a link begins; it goes without saying only while there is one backend. */
static void check_from(struct scenario_draft *draft, uint32_t index)
{
    struct scenario *scenario = draft->scenario;
    struct scenario_link *link = &scenario->links[index];
    const struct scenario_map *map = &draft->links[index];
    const char *names[SCENARIO_HOSTS_MAX];
    uint32_t count = 0;
    bool found = false;

    link->host = SCENARIO_HOSTS_MAX + index; /* unknown, and no other link's */
    for (uint32_t i = 0; i < scenario->host_count; i++) {
        if (!scenario_check_given(&draft->hosts[i], "role", "backend"))
            continue;
        names[count++] = scenario->hosts[i].name;
        if (strcmp(scenario->hosts[i].name, link->from) == 0)
            link->host = i;
        found |= strcmp(scenario->hosts[i].name, link->from) == 0;
    }
    if (count > 1 && !scenario_check_has(map, "from")) {
        diag_error(map->yaml->diags, DIAG_MISSING_KEY, scenario_yaml_map_place(map),
                   "%s does not say which of %u backends it leads from", map->what, count);
        diag_suggest(map->yaml->diags, "", "backends", names, count);
    } else if (count > 0 && !scenario_check_has(map, "from")) {
        memcpy(link->from, scenario->hosts[scenario->backend].name, sizeof(link->from));
        link->host = scenario->backend;
    } else if (count > 0 && !found && scenario_check_given(map, "from", link->from)) {
        diag_error(map->yaml->diags, DIAG_WRONG_TARGET, scenario_check_place(map, "from"),
                   "'%s' is no backend: links lead from there to peers", link->from);
        diag_suggest(map->yaml->diags, link->from, "backends", names, count);
    }
}

static void check_link(struct scenario_draft *draft, uint32_t index)
{
    struct scenario *scenario = draft->scenario;
    struct scenario_link *link = &scenario->links[index];
    const struct scenario_map *map = &draft->links[index];

    check_from(draft, index);
    if (!scenario_check_given(map, "to", link->to) ||
        !find_peer(draft, map, "to", link->to, &link->peer))
        return;
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(scenario->links[i].to, link->to) != 0 || scenario->links[i].host != link->host)
            continue;
        diag_error(map->yaml->diags, DIAG_DUPLICATE_KEY, scenario_check_place(map, "to"),
                   "two links lead to peer '%s'", link->to);
        diag_note(map->yaml->diags, scenario_check_place(&draft->links[i], "to"), "the first one");
        return;
    }
}

static void check_names(struct scenario_draft *draft, uint32_t first, uint32_t second)
{
    const char *name = draft->scenario->workloads[first].name;
    struct diag_list *diags = draft->yaml->diags;

    if (name[0] == '\0' || strcmp(name, draft->scenario->workloads[second].name) != 0)
        return;
    diag_error(diags, DIAG_DUPLICATE_KEY, scenario_check_place(&draft->workloads[second], "name"),
               "two workloads are named '%s'", name);
    diag_note(diags, scenario_check_place(&draft->workloads[first], "name"), "the first one");
}

static void check_workload(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_workload *workload = &draft->scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];

    check_where(draft, index);
    check_target(draft, index);
    scenario_check_draws(draft, index);
    for (uint32_t i = 0; i < index; i++)
        check_names(draft, i, index);
    if (workload->kind == SCENARIO_STREAM && workload->repeat > 1 &&
        !scenario_check_has(map, "bytes")) {
        diag_error(map->yaml->diags, DIAG_NEEDS_KEY, scenario_check_place(map, "repeat"),
                   "'repeat' needs 'bytes': sockets that stream for a time are used once");
        diag_hint(map->yaml->diags, "add 'bytes'");
    }
}

/* Whether a workload runs for `duration`. Asked of the keys: a faulty `bytes` is no missing one. */
static bool is_time_bound(const struct scenario_workload *workload, const struct scenario_map *map)
{
    switch (workload->kind) {
    case SCENARIO_STREAM: return !scenario_check_has(map, "bytes");
    case SCENARIO_REQUEST_RESPONSE:
    case SCENARIO_CONNECT_CLOSE: return !scenario_check_has(map, "operations");
    case SCENARIO_FORWARD: return !scenario_check_has(map, "accepts");
    case SCENARIO_SERVE: return false;
    }
    return false;
}

/* A run that cannot end in time would only be found out after that time. */
static void check_timeout(struct scenario_draft *draft)
{
    const struct scenario *scenario = draft->scenario;
    uint64_t least_ns = scenario->warmup_ns + scenario->duration_ns;
    bool time_bound = false;

    for (uint32_t i = 0; i < scenario->workload_count; i++)
        time_bound = time_bound || is_time_bound(&scenario->workloads[i], &draft->workloads[i]);
    if (!time_bound || scenario->timeout_ns > least_ns)
        return;
    diag_error(
        draft->yaml->diags, DIAG_OUT_OF_RANGE,
        scenario_check_place(&draft->root,
                             scenario_check_has(&draft->root, "timeout") ? "timeout" : "duration"),
        "'timeout' %s is not longer than 'warmup' and 'duration', %s",
        units_format_duration(scenario->timeout_ns).text, units_format_duration(least_ns).text);
}

/* A scenario without faults is told what of it a mode leaves out. */
static void note_no_effect(struct scenario_draft *draft, const char *key)
{
    const struct scenario_yaml *yaml = draft->yaml;
    int name, value;

    for (uint32_t i = 0; scenario_yaml_pair(yaml, draft->topology.node, i, &name, &value); i++)
        if (strcmp(scenario_yaml_text(yaml, name), key) == 0)
            diag_note(yaml->diags, scenario_yaml_place(yaml, name),
                      "'%s' has no effect in mode 'emulated'", key);
}

void scenario_check(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;

    check_cost_model(draft);
    scenario_check_sides(draft);
    scenario_check_protocols(draft);
    scenario->backend = host_first(draft, "backend");
    scenario->frontend = host_first(draft, "frontend");
    check_hosts(draft);
    scenario_check_speaks(draft);
    scenario_check_quotas(draft);
    for (uint32_t i = 0; i < scenario->peer_count; i++)
        check_peer_mode(draft, i);
    for (uint32_t i = 0; i < scenario->link_count; i++)
        check_link(draft, i);
    for (uint32_t i = 0; i < scenario->workload_count; i++)
        check_workload(draft, i);
    scenario_check_listen(draft);
    check_timeout(draft);
    scenario_check_faults(draft);
    for (uint32_t i = 0; i < scenario->workload_count; i++)
        scenario_check_phases(draft, i);
    if (draft->yaml->diags->errors == 0)
        scenario_check_room(draft);
    for (uint32_t i = 0; i < scenario->workload_count && draft->yaml->diags->errors == 0; i++)
        scenario_note_draws(draft, i);
    if (scenario->mode == SCENARIO_EMULATED && draft->yaml->diags->errors == 0) {
        note_no_effect(draft, "links");
        note_no_effect(draft, "scheduling");
    }
}
