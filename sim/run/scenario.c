/* Loading a scenario: file, tree, overrides, keys, rules, in this order. See scenario.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/scenario.h"

#include "sim/run/scenario_check.h"
#include "sim/run/scenario_keys.h"
#include "sim/run/scenario_tree.h"
#include "sim/run/scenario_yaml.h"
#include "sim/run/steps.h"
#include "sim/run/textfile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* All overrides as one text, a line each, to be freed; NULL without memory. Characters that would
 * end a line are not kept here, so that each override is one. */
static char *sets_join(const char *const *sets, uint32_t count)
{
    size_t bytes = 1, used = 0;
    char *text;

    for (uint32_t i = 0; i < count; i++)
        bytes += strlen(sets[i]) + 1;
    text = malloc(bytes);
    for (uint32_t i = 0; text && i < count; i++) {
        for (const char *at = sets[i]; *at; at++) {
            size_t broken = diag_break_bytes(at);

            text[used++] = broken ? '?' : *at;
            at += broken ? broken - 1 : 0;
        }
        text[used++] = '\n';
    }
    if (text)
        text[used] = '\0';
    return text;
}

/* The hosts, the peers, the links or the workloads of a draft. */
struct parts {
    const char *word;
    struct scenario_map *maps;
    uint32_t *count;
    uint32_t most;
};

/* Take one part into the draft, named for messages; NULL if it is reported instead. */
static struct scenario_map *part_take(struct scenario_draft *draft, const struct parts *parts,
                                      int key, int node)
{
    struct scenario_yaml *yaml = draft->yaml;
    const char *name = key ? scenario_yaml_text(yaml, key) : scenario_yaml_item_name(yaml, node);
    struct scenario_map map = {.yaml = yaml, .node = node, .key = key};
    char *what = draft->names[draft->name_count];

    if (*parts->count == parts->most) {
        diag_error(yaml->diags, DIAG_TOO_MANY, scenario_yaml_place(yaml, key ? key : node),
                   "more than %u %ss", parts->most, parts->word);
        return NULL;
    }
    if (name[0])
        snprintf(what, sizeof(draft->names[0]), "%s '%.32s'", parts->word, name);
    else
        snprintf(what, sizeof(draft->names[0]), "this %s", parts->word);
    map.what = what;
    if (scenario_yaml_type(yaml, node) != YAML_MAPPING_NODE) {
        diag_error(yaml->diags, DIAG_WRONG_TYPE, scenario_yaml_place(yaml, node),
                   "%s has the wrong type", what);
        diag_hint(yaml->diags, "expected a mapping of keys");
        return NULL;
    }
    draft->name_count++;
    parts->maps[*parts->count] = map;
    return &parts->maps[(*parts->count)++];
}

/* Without one the order is the dialect's default. */
static void read_protocol(struct scenario_map *map, struct scenario_protocol *protocol)
{
    if (map->node)
        scenario_keys_read(&scenario_keys_protocol, map, protocol);
    else
        protocol->order = UINT32_MAX;
}

static void read_hosts(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;
    struct scenario_map hosts = scenario_yaml_map(&draft->topology, "hosts", "'hosts'");
    struct parts parts = {"host", draft->hosts, &scenario->host_count, SCENARIO_HOSTS_MAX};
    int key, node;

    draft->hosts_node = hosts.node;
    if (!hosts.node)
        return;
    for (uint32_t i = 0; scenario_yaml_pair(hosts.yaml, hosts.node, i, &key, &node); i++) {
        struct scenario_host *host = &scenario->hosts[scenario->host_count];
        struct scenario_map *map = part_take(draft, &parts, key, node);

        if (!map)
            continue;
        scenario_keys_name(draft->yaml, key, host->name);
        scenario_keys_read(&scenario_keys_host, map, host);
        struct scenario_map *protocol = &draft->protocols[map - draft->hosts];
        *protocol = scenario_yaml_map(map, "protocol", "'protocol'");
        read_protocol(protocol, &host->protocol);
        struct scenario_map limits = scenario_yaml_map(map, "limits", "'limits'");
        if (limits.node)
            scenario_keys_read(&scenario_keys_limits, &limits, host);
        else
            scenario_keys_presets(&scenario_keys_limits, 0, host);
    }
}

/* Where to point when a run finds that an address cannot be used. */
static struct diag_place address_place(const struct scenario_map *map)
{
    int node = scenario_yaml_find(map->yaml, map->node, "listen");

    return node ? scenario_yaml_place(map->yaml, node) : scenario_yaml_map_place(map);
}

static void read_peers(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;
    struct scenario_map peers = scenario_yaml_map(&draft->topology, "peers", "'peers'");
    struct parts parts = {"peer", draft->peers, &scenario->peer_count, SCENARIO_PEERS_MAX};
    int key, node;

    if (!peers.node)
        return;
    for (uint32_t i = 0; scenario_yaml_pair(peers.yaml, peers.node, i, &key, &node); i++) {
        struct scenario_peer *peer = &scenario->peers[scenario->peer_count];
        struct scenario_map *map = part_take(draft, &parts, key, node);

        if (!map)
            continue;
        scenario_keys_name(draft->yaml, key, peer->name);
        scenario_keys_read(&scenario_keys_peer, map, peer);
        peer->place = address_place(map);
    }
}

/* The list behind a key of a mapping; 0 if there is none. */
static int find_list(const struct scenario_map *map, const char *name)
{
    int list = map->node ? scenario_yaml_find(map->yaml, map->node, name) : 0;

    return list && scenario_yaml_type(map->yaml, list) == YAML_SEQUENCE_NODE ? list : 0;
}

static void read_links(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;
    int list = find_list(&draft->topology, "links"), node;
    struct parts parts = {"link", draft->links, &scenario->link_count, SCENARIO_LINKS_MAX};

    for (uint32_t i = 0; list && (node = scenario_yaml_item(draft->yaml, list, i)); i++) {
        struct scenario_link *link = &scenario->links[scenario->link_count];
        struct scenario_map *map = part_take(draft, &parts, 0, node);

        if (map)
            scenario_keys_read(&scenario_keys_link, map, link);
    }
}

struct net_link scenario_link_preset(void)
{
    struct scenario_link link = {.from = ""};

    scenario_keys_presets(&scenario_keys_link, 0, &link);
    return link.link;
}

static void read_workloads(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;
    int list = find_list(&draft->root, "workload"), node;
    struct parts parts = {"workload", draft->workloads, &scenario->workload_count,
                          SCENARIO_WORKLOADS_MAX};

    if (!list)
        return;
    if (!scenario_yaml_item(draft->yaml, list, 0))
        diag_error(draft->yaml->diags, DIAG_MISSING_KEY, scenario_yaml_place(draft->yaml, list),
                   "'workload' is empty: a run needs something to do");
    for (uint32_t i = 0; (node = scenario_yaml_item(draft->yaml, list, i)); i++) {
        struct scenario_workload *workload = &scenario->workloads[scenario->workload_count];
        struct scenario_map *map = part_take(draft, &parts, 0, node);

        if (!map)
            continue;
        scenario_keys_read(&scenario_keys_workload, map, workload);
        struct scenario_map arrivals = scenario_yaml_map(map, "arrivals", "'arrivals'");
        if (arrivals.node)
            scenario_keys_read(&scenario_keys_arrivals, &arrivals, workload);
        workload->place = address_place(map);
    }
}

static void read_faults(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;
    int list = find_list(&draft->root, "faults"), node;
    struct parts parts = {"fault", draft->faults, &scenario->fault_count, SCENARIO_FAULTS_MAX};

    for (uint32_t i = 0; list && (node = scenario_yaml_item(draft->yaml, list, i)); i++) {
        struct scenario_fault *fault = &scenario->faults[scenario->fault_count];
        struct scenario_map *map = part_take(draft, &parts, 0, node);

        if (map)
            scenario_keys_read(&scenario_keys_fault, map, fault);
    }
}

/* All of a scenario with a script. */
static void read_script(struct scenario_draft *draft)
{
    static struct steps steps;
    const char *also = "workload";

    for (int i = 0; i < 2; i++, also = "topology") {
        if (!scenario_check_has(&draft->root, also))
            continue;
        diag_error(draft->yaml->diags, DIAG_STEPS_OR_WORKLOAD,
                   scenario_check_place(&draft->root, also), "'%s' does not go with 'steps'", also);
        diag_hint(draft->yaml->diags, "a script says all that happens");
        return;
    }
    scenario_keys_read(&scenario_keys_script, &draft->root, draft->scenario);
    read_protocol(&draft->protocol, &draft->scenario->protocol);
    scenario_check_protocols(draft);
    if (scenario_check_given(&draft->root, "mode", "emulated")) {
        diag_error(draft->yaml->diags, DIAG_STEP_KEYS, scenario_check_place(&draft->root, "mode"),
                   "'steps' are played in mode 'virtual'");
        diag_hint(draft->yaml->diags, "use 'virtual'");
    }
    steps_read(&steps, draft->yaml, draft->scenario);
    steps_fini(&steps);
}

void scenario_tree_read(struct scenario *out, struct scenario_yaml *yaml)
{
    struct scenario_draft draft = {.scenario = out, .yaml = yaml};

    memset(out, 0, sizeof(*out));
    draft.root = (struct scenario_map){
        .yaml = yaml, .node = scenario_yaml_root(yaml), .what = "the scenario"};
    draft.topology = scenario_yaml_map(&draft.root, "topology", "'topology'");
    draft.protocol = scenario_yaml_map(&draft.root, "protocol", "'protocol'");
    scenario_yaml_check_duplicates(yaml);
    out->steps = scenario_check_has(&draft.root, "steps");
    if (out->steps) {
        read_script(&draft);
        return;
    }
    scenario_keys_read(&scenario_keys_root, &draft.root, out);
    if (!scenario_check_has(&draft.root, "workload")) {
        diag_error(yaml->diags, DIAG_STEPS_OR_WORKLOAD, scenario_yaml_map_place(&draft.root),
                   "the scenario has neither 'workload' nor 'steps'");
        diag_hint(yaml->diags, "add 'workload', a list");
    }
    if (draft.topology.node)
        scenario_keys_read(&scenario_keys_topology, &draft.topology, out);
    read_protocol(&draft.protocol, &out->protocol);
    struct scenario_map record = scenario_yaml_map(&draft.root, "record", "'record'");
    if (record.node)
        scenario_keys_read(&scenario_keys_record, &record, &out->record);
    read_hosts(&draft);
    read_peers(&draft);
    read_links(&draft);
    read_workloads(&draft);
    read_faults(&draft);
    scenario_check(&draft);
}

/* Apply the overrides: the number of those that are reported instead. */
static uint32_t apply_sets(struct scenario_yaml *yaml, const char *const *sets, uint32_t set_count)
{
    char *joined = sets_join(sets, set_count);
    uint32_t failed = 0;

    yaml->set_source = diag_add_source(yaml->diags, "--set", joined);
    free(joined);
    if (scenario_yaml_root(yaml) &&
        scenario_yaml_type(yaml, scenario_yaml_root(yaml)) == YAML_MAPPING_NODE)
        for (uint32_t i = 0; i < set_count; i++)
            failed += scenario_yaml_set(yaml, sets[i], i + 1) != 0;
    scenario_yaml_sets_end(yaml);
    return failed;
}

int scenario_tree_parse(struct scenario_yaml *yaml, const char *text, const char *const *sets,
                        uint32_t set_count, struct diag_list *diags)
{
    uint32_t failed;

    if (scenario_yaml_load(yaml, text, diags, 0))
        return -1;
    failed = apply_sets(yaml, sets, set_count);
    assert(failed == 0 || diags->errors > 0);
    if (scenario_keys_schema(yaml, "scenario", SCENARIO_SCHEMA) == 0)
        return 0;
    scenario_yaml_fini(yaml);
    return -1;
}

int scenario_tree_load(struct scenario_yaml *yaml, const char *path, const char *const *sets,
                       uint32_t set_count, struct diag_list *diags)
{
    uint32_t source;
    char *text;
    int ret;

    assert(diags->errors == 0 && diags->source_count == 0);
    text = textfile_read(path, SCENARIO_FILE_BYTES_MAX, diags, &source);
    if (!text)
        return -1;
    assert(source == 0);
    ret = scenario_tree_parse(yaml, text, sets, set_count, diags);
    free(text);
    return ret;
}

/* Who wants hosts and workloads has no use for a script. */
static void refuse_script(const struct scenario *scenario, struct scenario_yaml *yaml)
{
    int node = scenario->steps && yaml->diags->errors == 0
                   ? scenario_yaml_find(yaml, scenario_yaml_root(yaml), "steps")
                   : 0;

    if (!node)
        return;
    diag_error(yaml->diags, DIAG_STEP_KEYS, scenario_yaml_place(yaml, node),
               "a script is only for 'xensock run'");
    diag_hint(yaml->diags, "here hosts and workloads are needed");
}

int scenario_load(struct scenario *out, const char *path, const char *const *sets,
                  uint32_t set_count, struct diag_list *diags)
{
    struct scenario_yaml yaml;

    memset(out, 0, sizeof(*out));
    if (scenario_tree_load(&yaml, path, sets, set_count, diags) == 0) {
        scenario_tree_read(out, &yaml);
        refuse_script(out, &yaml);
        scenario_yaml_fini(&yaml);
    }
    diag_sort(diags);
    return diags->errors ? -1 : 0;
}
