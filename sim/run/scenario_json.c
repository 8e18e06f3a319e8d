/* A loaded scenario as JSON, by the tables its keys are read with. See scenario.h. */
#include "sim/run/scenario_keys.h"

#include <assert.h>
#include <string.h>

#define WORD(constant, word) word,

/* The key's name with its unit, "duration_ns"; "bytes" says its own. */
static void json_put(json_t *object, const struct scenario_key *key, json_t *value)
{
    char name[64];
    const char *unit = "";

    if (key->type == SCENARIO_DURATION)
        unit = "_ns";
    else if ((key->type == SCENARIO_SIZE || key->type == SCENARIO_SIZES) &&
             strcmp(key->name, "bytes") != 0)
        unit = "_bytes";
    else if (key->type == SCENARIO_RATE)
        unit = "_per_s";
    else if (key->type == SCENARIO_BANDWIDTH)
        unit = "_bytes_per_s";
    else if (key->type == SCENARIO_SHARE)
        unit = "_ppm";
    snprintf(name, sizeof(name), "%s%s", key->name, unit);
    json_object_set_new(object, name, value);
}

static json_t *number_json(const struct scenario_key *key, const void *in)
{
    uint64_t number = scenario_keys_number(key, in);

    if (key->nullable && number == key->preset)
        return json_null();
    assert(number <= INT64_MAX); /* by the ranges of the tables */
    return json_integer((json_int_t)number);
}

static json_t *word_json(const struct scenario_key *key, const void *in)
{
    static const char *const bools[] = {SCENARIO_BOOLS(WORD)};
    uint64_t word = scenario_keys_number(key, in);
    bool is_bool = strcmp(key->words[0], bools[SCENARIO_FALSE]) == 0;

    return is_bool ? json_boolean(word == SCENARIO_TRUE) : json_string(key->words[word]);
}

/* One that is fixed is the number it always gives. */
static json_t *draw_json(const struct scenario_key *key, const struct draw *draw)
{
    if (draw->kind != DRAW_FIXED)
        return scenario_keys_json(&scenario_keys_sizes, draw, draw->kind);
    return key->nullable && draw->value == key->preset ? json_null()
                                                       : json_integer((json_int_t)draw->value);
}

/* The value of a key; NULL for maps and lists, which their own functions add. */
static json_t *value_json(const struct scenario_key *key, const void *in)
{
    const char *member = (const char *)in + key->at;

    switch (key->type) {
    case SCENARIO_MAP:
    case SCENARIO_LIST: return NULL;
    case SCENARIO_NAME:
    case SCENARIO_TEXT: return key->nullable && !member[0] ? json_null() : json_string(member);
    case SCENARIO_WORD: return word_json(key, in);
    case SCENARIO_COUNT:
    case SCENARIO_CPU:
    case SCENARIO_DURATION:
    case SCENARIO_DURATION_NEVER:
    case SCENARIO_FINE_DURATION:
    case SCENARIO_DECIMAL:
    case SCENARIO_SIZE:
    case SCENARIO_RATE:
    case SCENARIO_BANDWIDTH:
    case SCENARIO_SHARE: return number_json(key, in);
    case SCENARIO_SIZES: return draw_json(key, (const struct draw *)(const void *)member);
    case SCENARIO_ADDR:
    case SCENARIO_ADDR_ANY_PORT:
        return json_string(((const struct scenario_addr *)(const void *)member)->text);
    }
    return NULL;
}

json_t *scenario_keys_json(const struct scenario_table *table, const void *in, uint32_t kind)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < table->count; i++) {
        json_t *value =
            scenario_keys_applies(&table->keys[i], kind) ? value_json(&table->keys[i], in) : NULL;

        if (value)
            json_put(object, &table->keys[i], value);
    }
    return object;
}

static json_t *host_json(const struct scenario_host *host)
{
    json_t *object = scenario_keys_json(&scenario_keys_host, host, 0);

    if (host->role == SCENARIO_FRONTEND)
        json_object_set_new(object, "protocol",
                            scenario_keys_json(&scenario_keys_protocol, &host->protocol, 0));
    if (host->role == SCENARIO_FRONTEND)
        json_object_set_new(object, "limits", scenario_keys_json(&scenario_keys_limits, host, 0));
    return object;
}

static json_t *topology_json(const struct scenario *scenario)
{
    json_t *topology = scenario_keys_json(&scenario_keys_topology, scenario, 0);
    json_t *hosts = json_object(), *peers = json_object(), *links = json_array();

    for (uint32_t i = 0; i < scenario->host_count; i++)
        json_object_set_new(hosts, scenario->hosts[i].name, host_json(&scenario->hosts[i]));
    for (uint32_t i = 0; i < scenario->peer_count; i++)
        json_object_set_new(
            peers, scenario->peers[i].name,
            scenario_keys_json(&scenario_keys_peer, &scenario->peers[i], scenario->peers[i].kind));
    json_object_set_new(topology, "hosts", hosts);
    json_object_set_new(topology, "peers", peers);
    for (uint32_t i = 0; i < scenario->link_count; i++)
        json_array_append_new(links,
                              scenario_keys_json(&scenario_keys_link, &scenario->links[i], 0));
    json_object_set_new(topology, "links", links);
    return topology;
}

static json_t *workload_json(const struct scenario_workload *workload)
{
    json_t *object = scenario_keys_json(&scenario_keys_workload, workload, workload->kind);

    if (workload->kind == SCENARIO_REQUEST_RESPONSE || workload->kind == SCENARIO_CONNECT_CLOSE)
        json_object_set_new(
            object, "arrivals",
            workload->arrivals.per_s
                ? scenario_keys_json(&scenario_keys_arrivals, workload, workload->arrivals.kind)
                : json_null());
    return object;
}

static json_t *faults_json(const struct scenario *scenario)
{
    json_t *faults = json_array();

    for (uint32_t i = 0; i < scenario->fault_count; i++)
        json_array_append_new(faults, scenario_keys_json(&scenario_keys_fault, &scenario->faults[i],
                                                         scenario->faults[i].kind));
    return faults;
}

json_t *scenario_json(const struct scenario *scenario)
{
    json_t *object, *workloads;

    if (scenario->steps) { /* the script itself is the tree's: steps_json */
        object = scenario_keys_json(&scenario_keys_script, scenario, 0);
        json_object_set_new(object, "protocol",
                            scenario_keys_json(&scenario_keys_protocol, &scenario->protocol, 0));
        return object;
    }
    object = scenario_keys_json(&scenario_keys_root, scenario, 0);
    workloads = json_array();

    for (uint32_t i = 0; i < scenario->workload_count; i++)
        json_array_append_new(workloads, workload_json(&scenario->workloads[i]));
    json_object_set_new(object, "topology", topology_json(scenario));
    json_object_set_new(object, "protocol",
                        scenario_keys_json(&scenario_keys_protocol, &scenario->protocol, 0));
    json_object_set_new(object, "workload", workloads);
    if (scenario->fault_count > 0)
        json_object_set_new(object, "faults", faults_json(scenario));
    if (scenario->record.stages || scenario->record.trace || scenario->record.capture)
        json_object_set_new(object, "record",
                            scenario_keys_json(&scenario_keys_record, &scenario->record, 0));
    return object;
}
