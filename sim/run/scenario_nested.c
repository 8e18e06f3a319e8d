/* See scenario_nested.h. */
#include "sim/run/scenario_nested.h"

#include "sim/run/steps.h"
#include "sim/run/study.h"

#include <assert.h>
#include <string.h>

static const struct scenario_nested nested[] = {
    {&scenario_keys_root, "topology", SCENARIO_KEYS, &scenario_keys_topology, 0, 0},
    {&scenario_keys_root, "protocol", SCENARIO_KEYS, &scenario_keys_protocol, 0, 0},
    {&scenario_keys_root, "workload", SCENARIO_ITEMS, &scenario_keys_workload, 1,
     SCENARIO_WORKLOADS_MAX},
    {&scenario_keys_root, "faults", SCENARIO_ITEMS, &scenario_keys_fault, 0, SCENARIO_FAULTS_MAX},
    {&scenario_keys_root, "sweep", SCENARIO_BY_NAME, &scenario_keys_axis, 0, STUDY_AXES_MAX},
    {&scenario_keys_root, "repeat", SCENARIO_KEYS, &scenario_keys_repeat, 0, 0},
    {&scenario_keys_root, "expect", SCENARIO_ITEMS, &scenario_keys_expect, 0, STUDY_EXPECTS_MAX},
    {&scenario_keys_root, "record", SCENARIO_KEYS, &scenario_keys_record, 0, 0},
    {&scenario_keys_script, "protocol", SCENARIO_KEYS, &scenario_keys_protocol, 0, 0},
    {&scenario_keys_script, "steps", SCENARIO_KEYS, &steps_keys_steps, 0, 0},
    {&scenario_keys_script, "sweep", SCENARIO_BY_NAME, &scenario_keys_axis, 0, STUDY_AXES_MAX},
    {&scenario_keys_script, "expect", SCENARIO_ITEMS, &scenario_keys_expect, 0, STUDY_EXPECTS_MAX},
    {&steps_keys_steps, "ignore", SCENARIO_SCALARS, NULL, 0, STEPS_KIND_COUNT},
    {&steps_keys_steps, "script", SCENARIO_STEPS, NULL, 1, STEPS_MAX},
    {&scenario_keys_topology, "hosts", SCENARIO_BY_NAME, &scenario_keys_host, 2,
     SCENARIO_HOSTS_MAX},
    {&scenario_keys_topology, "peers", SCENARIO_BY_NAME, &scenario_keys_peer, 0,
     SCENARIO_PEERS_MAX},
    {&scenario_keys_topology, "links", SCENARIO_ITEMS, &scenario_keys_link, 0, SCENARIO_LINKS_MAX},
    {&scenario_keys_host, "protocol", SCENARIO_KEYS, &scenario_keys_protocol, 0, 0},
    {&scenario_keys_host, "limits", SCENARIO_KEYS, &scenario_keys_limits, 0, 0},
    {&scenario_keys_workload, "arrivals", SCENARIO_KEYS, &scenario_keys_arrivals, 0, 0},
    {&scenario_keys_axis, "values", SCENARIO_SCALARS, NULL, 1, STUDY_VALUES_MAX},
};

const struct scenario_nested *scenario_nested_find(const struct scenario_table *in,
                                                   const struct scenario_key *key)
{
    for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++)
        if (nested[i].in == in && strcmp(nested[i].key, key->name) == 0)
            return &nested[i];
    assert(!"a row of `nested` for each mapping and list");
    return NULL;
}

/* ---- words ---- */

/* The text while it is gone through, in the order of its lines. */
struct reading {
    struct scenario_words *words;
    const struct scenario_yaml *yaml;
    const char *text;
    uint32_t line;                  /* of the last key, */
    const struct scenario_key *key; /* and which it was */
};

const char *scenario_words_of(const struct scenario_words *words, const struct scenario_key *key)
{
    for (uint32_t i = 0; i < words->count; i++)
        if (words->list[i].key == key)
            return words->list[i].text;
    return "";
}

/* The comment of a line, what is behind " # ". */
static void take_comment(struct reading *reading)
{
    const char *at = reading->text, *sign;
    struct scenario_words *words = reading->words;
    size_t bytes;

    for (uint32_t line = 1; line < reading->line; line++)
        at += strcspn(at, "\n") + 1;
    sign = strstr(at, " # ");
    if (!reading->key || !sign || sign > at + strcspn(at, "\n") ||
        scenario_words_of(words, reading->key)[0])
        return;
    bytes = strcspn(sign + 3, "\n");
    assert(words->count < SCENARIO_WORDS_MAX && bytes < sizeof(words->list[0].text));
    words->list[words->count].key = reading->key;
    memcpy(words->list[words->count].text, sign + 3, bytes);
    words->list[words->count++].text[bytes] = '\0';
}

static void take_map(struct reading *reading, const struct scenario_table *table, int map);

static void take_nested(struct reading *reading, const struct scenario_nested *in, int value)
{
    int key, item;

    switch (in->how) {
    case SCENARIO_KEYS: take_map(reading, in->of, value); break;
    case SCENARIO_BY_NAME:
        for (uint32_t i = 0; scenario_yaml_pair(reading->yaml, value, i, &key, &item); i++)
            take_map(reading, in->of, item);
        break;
    case SCENARIO_ITEMS:
        for (uint32_t i = 0; (item = scenario_yaml_item(reading->yaml, value, i)); i++)
            take_map(reading, in->of, item);
        break;
    case SCENARIO_STEPS:
    case SCENARIO_SCALARS: break;
    }
}

static void take_map(struct reading *reading, const struct scenario_table *table, int map)
{
    int key, value;

    for (uint32_t i = 0; scenario_yaml_pair(reading->yaml, map, i, &key, &value); i++) {
        const struct scenario_key *row =
            scenario_keys_find(table, scenario_yaml_text(reading->yaml, key));
        uint32_t line = scenario_yaml_place(reading->yaml, key).line;
        assert(row);
        if (line != reading->line)
            take_comment(reading);
        reading->line = line;
        reading->key = row;
        if (row->type == SCENARIO_MAP || row->type == SCENARIO_LIST)
            take_nested(reading, scenario_nested_find(table, row), value);
        else if (row->type == SCENARIO_SIZES &&
                 scenario_yaml_type(reading->yaml, value) == YAML_MAPPING_NODE)
            take_map(reading, &scenario_keys_sizes, value);
    }
}

void scenario_words_load(struct scenario_words *words, const char *text)
{
    static struct diag_list diags;
    struct scenario_yaml yaml;
    struct reading reading = {words, &yaml, text, 0, NULL};

    diag_init(&diags);
    words->count = 0;
    diag_add_source(&diags, "annotated", text);
    int failed = scenario_yaml_load(&yaml, text, &diags, 0);
    assert(!failed);
    take_map(&reading, &scenario_keys_root, scenario_yaml_root(&yaml));
    take_comment(&reading);
    scenario_yaml_fini(&yaml);
    diag_fini(&diags);
}
