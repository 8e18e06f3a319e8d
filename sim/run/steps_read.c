/* Reading a script out of the tree; what no row can say of a step, steps_check.c does. */
#include "sim/run/steps_private.h"

#include "ringlib/quirk.h"
#include "sim/run/units.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_words[] = {
#define X(constant, word, back, front) word,
    STEPS_KINDS(X)
#undef X
};

const char *steps_word_of(enum steps_kind kind)
{
    return kind_words[kind];
}

enum steps_role steps_role_of(enum steps_kind kind, enum steps_side against)
{
    static const uint8_t roles[][2] = {
#define X(constant, word, back, front) {STEPS_##back, STEPS_##front},
        STEPS_KINDS(X)
#undef X
    };

    return roles[kind][against];
}

bool steps_given(const struct steps_step *step, size_t at)
{
    const struct scenario_table *table = &steps_keys[step->kind];

    for (uint32_t i = 0; i < table->count; i++)
        if (table->keys[i].at == at)
            return step->given >> i & 1;
    return false;
}

static enum steps_kind kind_find(const char *word)
{
    enum steps_kind kind = 0;

    while (kind < STEPS_KIND_COUNT && strcmp(kind_words[kind], word) != 0)
        kind++;
    return kind;
}

static void fail_time(struct scenario_yaml *yaml, int key, int value)
{
    diag_error(yaml->diags, DIAG_MALFORMED, scenario_yaml_place(yaml, value), "'%s' is '%.60s'",
               scenario_yaml_text(yaml, key), scenario_yaml_text(yaml, value));
    diag_hint(yaml->diags, "expected a duration such as 250us or 2s; of 'at' also +250us");
}

/* `at`, `within` or `for`; false if the key is none of them. */
static bool read_time(struct scenario_yaml *yaml, int key, int value, struct steps_step *step)
{
    const char *word = scenario_yaml_text(yaml, key), *text = scenario_yaml_text(yaml, value);
    uint64_t *to = NULL;

    if (strcmp(word, "at") == 0) {
        to = &step->at_ns;
        step->timed = true;
        step->relative = text[0] == '+';
        text += step->relative;
    } else if (strcmp(word, "within") == 0) {
        to = &step->within_ns;
    } else if (strcmp(word, "for") == 0) {
        to = &step->for_ns;
    }
    if (to && (units_parse_duration(text, to) != UNITS_OK || *to > STEPS_TIME_MAX_NS))
        fail_time(yaml, key, value);
    return to != NULL;
}

/* A value that is no mapping is that of the kind's first key. */
static int as_mapping(struct scenario_yaml *yaml, enum steps_kind kind, int value)
{
    const struct scenario_key *first = &steps_keys[kind].keys[0];
    int map, key;

    if (scenario_yaml_type(yaml, value) != YAML_SCALAR_NODE || first->required == 0)
        return value;
    map = yaml_document_add_mapping(&yaml->document, NULL, YAML_FLOW_MAPPING_STYLE);
    key = yaml_document_add_scalar(&yaml->document, NULL, (const yaml_char_t *)first->name, -1,
                                   YAML_PLAIN_SCALAR_STYLE);
    assert(map && key);
    int appended = yaml_document_append_mapping_pair(&yaml->document, map, key, value);
    assert(appended);
    return map;
}

static void read_kind(struct steps_reading *reading, int key, int value)
{
    struct steps_step *step = reading->step;
    struct scenario_yaml *yaml = reading->map.yaml;
    const struct scenario_table *table = &steps_keys[step->kind];

    step->place = scenario_yaml_place(yaml, key);
    step->none = scenario_yaml_type(yaml, value) == YAML_SCALAR_NODE &&
                 strcmp(scenario_yaml_text(yaml, value), "none") == 0;
    if (step->none)
        return;
    value = as_mapping(yaml, step->kind, value);
    if (scenario_yaml_type(yaml, value) != YAML_MAPPING_NODE) {
        diag_error(yaml->diags, DIAG_WRONG_TYPE, scenario_yaml_place(yaml, value),
                   "'%s' has the wrong type", steps_word_of(step->kind));
        diag_hint(yaml->diags, "expected a mapping of keys");
        reading->broken = true;
        return;
    }
    reading->map.node = value;
    reading->map.key = key;
    reading->map.what = reading->what;
    snprintf(reading->what, sizeof(reading->what), "'%s'", steps_word_of(step->kind));
    uint32_t before = yaml->diags->errors;
    scenario_keys_read(table, &reading->map, step);
    reading->broken |= yaml->diags->errors != before;
    for (uint32_t i = 0; i < table->count; i++)
        if (scenario_yaml_find(yaml, value, table->keys[i].name))
            step->given |= 1u << i;
}

static void unknown_key(struct steps_reading *reading, int key)
{
    struct scenario_yaml *yaml = reading->map.yaml;
    const char *words[STEPS_KIND_COUNT + 3] = {"at", "within", "for"};
    uint32_t count = 3;

    for (enum steps_kind kind = 0; kind < STEPS_KIND_COUNT; kind++)
        if (steps_role_of(kind, reading->steps->against) != STEPS_NOTHING)
            words[count++] = steps_word_of(kind);
    diag_error(yaml->diags, DIAG_UNKNOWN_KEY, scenario_yaml_place(yaml, key),
               "unknown key '%.60s' in a step", scenario_yaml_text(yaml, key));
    diag_suggest(yaml->diags, scenario_yaml_text(yaml, key), "keys", words, count);
    reading->broken = true;
}

/* A step is one kind and its time. */
static void read_step(struct steps_reading *reading, int node)
{
    struct scenario_yaml *yaml = reading->map.yaml;
    int key, value, kind_key = 0, kind_value = 0;

    if (scenario_yaml_type(yaml, node) != YAML_MAPPING_NODE) {
        diag_error(yaml->diags, DIAG_WRONG_TYPE, scenario_yaml_place(yaml, node),
                   "this step has the wrong type");
        diag_hint(yaml->diags, "expected a mapping such as {notify: command}");
        return;
    }
    reading->step->kind = STEPS_KIND_COUNT;
    for (uint32_t i = 0; scenario_yaml_pair(yaml, node, i, &key, &value); i++) {
        enum steps_kind kind = kind_find(scenario_yaml_text(yaml, key));
        if (read_time(yaml, key, value, reading->step))
            continue;
        if (kind == STEPS_KIND_COUNT) {
            unknown_key(reading, key);
        } else if (kind_key) {
            diag_error(yaml->diags, DIAG_STEP, scenario_yaml_place(yaml, key),
                       "a step is one thing, and this is also a '%s'",
                       scenario_yaml_text(yaml, kind_key));
            diag_hint(yaml->diags, "begin another step");
            reading->broken = true;
        } else {
            kind_key = key;
            kind_value = value;
            reading->step->kind = kind;
        }
    }
    reading->map.node = node;
    if (kind_key)
        read_kind(reading, kind_key, kind_value);
    else if (!reading->broken)
        diag_error(yaml->diags, DIAG_STEP, scenario_yaml_place(yaml, node),
                   "this step neither does nor expects anything");
    if (kind_key && !reading->broken)
        steps_check(reading);
}

static void read_ignored(struct steps *steps, struct scenario_yaml *yaml, int list)
{
    const char *words[STEPS_KIND_COUNT];
    uint32_t count = 0;
    int node;

    for (enum steps_kind kind = 0; kind < STEPS_KIND_COUNT; kind++)
        if (steps_role_of(kind, steps->against) == STEPS_EXPECTS && kind != STEPS_INDEX &&
            kind != STEPS_QUIET)
            words[count++] = steps_word_of(kind);
    for (uint32_t i = 0; list && (node = scenario_yaml_item(yaml, list, i)); i++) {
        const char *text = scenario_yaml_text(yaml, node);
        uint32_t known = 0;
        while (known < count && strcmp(words[known], text) != 0)
            known++;
        if (known < count) {
            steps->ignored |= 1u << kind_find(text);
            continue;
        }
        diag_error(yaml->diags, DIAG_UNKNOWN_VALUE, scenario_yaml_place(yaml, node),
                   "'ignore' has '%.60s'", text);
        diag_suggest(yaml->diags, text, "values", words, count);
    }
}

/* As whose driver the core behaves. */
static void read_peer(struct steps *steps, const struct scenario_map *map,
                      const struct scenario *scenario)
{
    bool front = steps->against == STEPS_FRONTEND;
    int node = scenario_yaml_find(map->yaml, map->node, "peer");
    const struct quirk_peer *peer = NULL;
    const char *names[QUIRK_COUNT];
    struct quirk_text_part wrong;
    struct quirk_side side;
    uint32_t count = 0;

    if (!node || !steps->peer[0])
        return;
    if (quirk_parse(steps->peer, front, &side, &peer, &wrong) == 0) {
        steps->quirks = side.quirks;
        steps->order_max = front ? 0 : side.order;
        if (peer->dialect && strcmp(peer->dialect->name, scenario->protocol.dialect) != 0)
            diag_error(map->yaml->diags, DIAG_STEP_DIALECT, scenario_yaml_place(map->yaml, node),
                       "'%s' speaks %s alone", peer->name, peer->dialect->name);
        return;
    }
    for (uint32_t i = 0; wrong.is_peer && quirk_peer_at(i); i++)
        if (front ? quirk_peer_at(i)->front.exists : quirk_peer_at(i)->back.exists)
            names[count++] = quirk_peer_at(i)->name;
    for (uint32_t i = 0; !wrong.is_peer && i < QUIRK_COUNT; i++)
        if (quirk_is_front((enum quirk)i) == front)
            names[count++] = quirk_name((enum quirk)i);
    diag_error(map->yaml->diags, DIAG_UNKNOWN_NAME, scenario_yaml_place(map->yaml, node),
               "'%.*s' is no %s of a %s", (int)wrong.length, steps->peer + wrong.at,
               wrong.is_peer ? "driver" : "quirk", front ? "frontend" : "backend");
    diag_suggest(map->yaml->diags, "", wrong.is_peer ? "drivers" : "quirks", names, count);
}

static void read_script(struct steps *steps, struct scenario_yaml *yaml,
                        const struct scenario *scenario, int list)
{
    struct steps_reading reading = {.steps = steps, .scenario = scenario};
    int node;

    if (!scenario_yaml_item(yaml, list, 0))
        diag_error(yaml->diags, DIAG_MISSING_KEY, scenario_yaml_place(yaml, list),
                   "'script' is empty");
    for (uint32_t i = 0; (node = scenario_yaml_item(yaml, list, i)); i++) {
        if (steps->count == STEPS_MAX) {
            diag_error(yaml->diags, DIAG_TOO_MANY, scenario_yaml_place(yaml, node),
                       "more than %d steps", STEPS_MAX);
            return;
        }
        reading.step = &steps->steps[steps->count++];
        reading.map = (struct scenario_map){.yaml = yaml};
        reading.broken = false;
        read_step(&reading, node);
    }
}

void steps_read(struct steps *steps, struct scenario_yaml *yaml, const struct scenario *scenario)
{
    struct scenario_map root = {.yaml = yaml, .node = scenario_yaml_root(yaml)};
    struct scenario_map map = scenario_yaml_map(&root, "steps", "'steps'");
    int list;

    *steps = (struct steps){.steps = calloc(STEPS_MAX, sizeof(struct steps_step))};
    assert(steps->steps);
    if (!map.node)
        return; /* reported: it is no mapping */
    scenario_keys_read(&steps_keys_steps, &map, steps);
    read_peer(steps, &map, scenario);
    read_ignored(steps, yaml, scenario_yaml_find(yaml, map.node, "ignore"));
    list = scenario_yaml_find(yaml, map.node, "script");
    if (list && scenario_yaml_type(yaml, list) == YAML_SEQUENCE_NODE)
        read_script(steps, yaml, scenario, list);
}

void steps_fini(struct steps *steps)
{
    free(steps->steps);
    steps->steps = NULL;
}

static json_t *node_json(const struct scenario_yaml *yaml, int node)
{
    json_t *to;
    int key, value;

    if (scenario_yaml_type(yaml, node) == YAML_SCALAR_NODE)
        return json_string(scenario_yaml_text(yaml, node));
    if (scenario_yaml_type(yaml, node) == YAML_MAPPING_NODE) {
        to = json_object();
        for (uint32_t i = 0; scenario_yaml_pair(yaml, node, i, &key, &value); i++)
            json_object_set_new(to, scenario_yaml_text(yaml, key), node_json(yaml, value));
        return to;
    }
    to = json_array();
    for (uint32_t i = 0; (value = scenario_yaml_item(yaml, node, i)); i++)
        json_array_append_new(to, node_json(yaml, value));
    return to;
}

json_t *steps_json(const struct scenario_yaml *yaml)
{
    return node_json(yaml, scenario_yaml_find(yaml, scenario_yaml_root(yaml), "steps"));
}
