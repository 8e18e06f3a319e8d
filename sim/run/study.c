/*
 * Reading a study. See study.h; study_runs.c gives out its runs.
 *
 * The tree of the file is read once for each point, with the point's values at their paths; what is
 * wrong at every point is reported once.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/study.h"

#include "sim/run/scenario_keys.h"
#include "sim/run/units.h"
#include "sim/time/prng.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static enum units_fault parse_in(enum study_unit unit, const char *text, uint64_t *number)
{
    switch (unit) {
    case STUDY_COUNT: return units_parse_count(text, number);
    case STUDY_BYTES: return units_parse_size(text, number);
    case STUDY_NS: return units_parse_duration(text, number);
    case STUDY_PER_S: return units_parse_rate(text, number);
    case STUDY_BYTES_PER_S: return units_parse_bandwidth(text, number);
    case STUDY_PPM: return units_parse_share(text, number);
    case STUDY_TEXT: break;
    }
    return UNITS_MALFORMED;
}

/* The first unit in which all its values are numbers that a result can hold. */
static void find_unit(const struct study *study, struct study_axis *axis)
{
    for (axis->unit = STUDY_COUNT; axis->unit < STUDY_TEXT; axis->unit++) {
        uint32_t read = 0;
        for (; read < axis->count; read++)
            if (parse_in(axis->unit, scenario_yaml_text(&study->yaml, axis->nodes[read]),
                         &axis->numbers[read]) != UNITS_OK ||
                axis->numbers[read] > INT64_MAX)
                break;
        if (read == axis->count)
            return;
    }
}

static struct diag_list *axis_error(struct study *study, int node, const char *problem)
{
    diag_error(study->yaml.diags, DIAG_AXIS, scenario_yaml_place(&study->yaml, node), "%s",
               problem);
    return study->yaml.diags;
}

/* It is to be the value of an override too. */
static void check_value(struct study *study, int item)
{
    const char *text = scenario_yaml_text(&study->yaml, item);

    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            axis_error(study, item, "a character that no value has");
            break;
        }
    if (strlen(text) >= STUDY_VALUE_BYTES) {
        diag_error(study->yaml.diags, DIAG_OUT_OF_RANGE, scenario_yaml_place(&study->yaml, item),
                   "this value is too long");
        diag_hint(study->yaml.diags, "allowed: 0 to %d bytes", STUDY_VALUE_BYTES - 1);
    }
}

static void read_values(struct study *study, struct study_axis *axis)
{
    struct scenario_yaml *yaml = &study->yaml;
    int item;

    for (uint32_t i = 0; (item = scenario_yaml_item(yaml, axis->values_node, i)); i++) {
        if (i == STUDY_VALUES_MAX) {
            diag_error(yaml->diags, DIAG_TOO_MANY, scenario_yaml_place(yaml, item),
                       "more than %d values", STUDY_VALUES_MAX);
            return;
        }
        if (scenario_yaml_type(yaml, item) != YAML_SCALAR_NODE) {
            diag_hint(axis_error(study, item, "a value of an axis is no mapping and no list"),
                      "axes that go along with each other: zip");
            continue;
        }
        check_value(study, item);
        for (uint32_t j = 0; j < axis->count; j++)
            if (strcmp(scenario_yaml_text(yaml, axis->nodes[j]), scenario_yaml_text(yaml, item)) ==
                0)
                axis_error(study, item, "this value stands here twice");
        axis->nodes[axis->count++] = item;
    }
    if (!scenario_yaml_item(yaml, axis->values_node, 0))
        axis_error(study, axis->values_node, "an axis has at least one value");
    find_unit(study, axis);
}

static bool is_swept(const char *path)
{
    static const char *const not [] = {"schema", "name",   "mode",  "sweep",
                                       "repeat", "expect", "record"};
    size_t bytes = strcspn(path, ".");

    for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
        if (strlen(not [i]) == bytes && strncmp(not [i], path, bytes) == 0)
            return false;
    return true;
}

static void read_axis(struct study *study, int key, int node)
{
    struct study_axis *axis = &study->axes[study->axis_count];
    char what[SCENARIO_NAME_BYTES + 16];
    struct scenario_map map = {.yaml = &study->yaml, .node = node, .key = key, .what = what};

    snprintf(what, sizeof(what), "axis '%.32s'", scenario_yaml_text(&study->yaml, key));
    if (study->axis_count == STUDY_AXES_MAX) {
        diag_error(study->yaml.diags, DIAG_TOO_MANY, scenario_yaml_place(&study->yaml, key),
                   "more than %d axes", STUDY_AXES_MAX);
        return;
    }
    if (scenario_yaml_type(&study->yaml, node) != YAML_MAPPING_NODE) {
        diag_error(study->yaml.diags, DIAG_WRONG_TYPE, scenario_yaml_place(&study->yaml, node),
                   "%s has the wrong type", what);
        diag_hint(study->yaml.diags, "expected {path: protocol.order, values: [1, 2, 4]}");
        return;
    }
    if (!scenario_keys_name(&study->yaml, key, axis->name))
        return;
    scenario_keys_read(&scenario_keys_axis, &map, axis);
    axis->path_node = scenario_yaml_find(&study->yaml, node, "path");
    axis->values_node = scenario_yaml_find(&study->yaml, node, "values");
    if (axis->values_node &&
        scenario_yaml_type(&study->yaml, axis->values_node) == YAML_SEQUENCE_NODE)
        read_values(study, axis);
    if (axis->path[0] && !is_swept(axis->path)) {
        axis_error(study, axis->path_node, "this is the same at every point");
        axis->path[0] = '\0'; /* nothing is to be put there */
    }
    axis->along = study->axis_count++;
}

/* Which axes go in step. */
static void join_axes(struct study *study, const struct scenario_map *sweep)
{
    const char *names[STUDY_AXES_MAX];

    for (uint32_t i = 0; i < study->axis_count; i++)
        names[i] = study->axes[i].name;
    for (uint32_t i = 0; i < study->axis_count; i++) {
        struct study_axis *axis = &study->axes[i];
        int map = scenario_yaml_find(&study->yaml, sweep->node, axis->name);
        uint32_t along = study_axis_find(study, axis->zip);
        int node = axis->zip[0] ? scenario_yaml_find(&study->yaml, map, "zip") : 0;

        for (uint32_t j = 0; j < i; j++)
            if (strcmp(axis->path, study->axes[j].path) == 0 && axis->path[0])
                axis_error(study, axis->path_node, "another axis has the same path");
        if (!node)
            continue;
        if (along == study->axis_count)
            diag_suggest(axis_error(study, node, "no axis is called so"), axis->zip, "axes", names,
                         study->axis_count);
        else if (along == i || study->axes[along].zip[0])
            diag_hint(axis_error(study, node, "it can go along only with one that goes alone"),
                      "name the one that all of them go along with");
        else if (study->axes[along].count != axis->count)
            diag_hint(axis_error(study, node, "axes in step have as many values as each other"),
                      "here %" PRIu32 ", there %" PRIu32, axis->count, study->axes[along].count);
        else
            axis->along = along;
    }
}

static void read_sweep(struct study *study, const struct scenario_map *root)
{
    struct scenario_map sweep = scenario_yaml_map(root, "sweep", "'sweep'");
    uint64_t points = 1;
    int key, node;

    for (uint32_t i = 0; sweep.node && scenario_yaml_pair(&study->yaml, sweep.node, i, &key, &node);
         i++)
        read_axis(study, key, node);
    join_axes(study, &sweep);
    for (uint32_t i = 0; i < study->axis_count && points <= STUDY_POINTS_MAX; i++)
        if (study->axes[i].along == i && study->axes[i].count > 0)
            points *= study->axes[i].count;
    if (points > STUDY_POINTS_MAX)
        diag_error(study->yaml.diags, DIAG_POINTS, scenario_yaml_place(&study->yaml, sweep.key),
                   "the sweep has more than %d points", STUDY_POINTS_MAX);
    study->point_count = points > STUDY_POINTS_MAX ? 1 : (uint32_t)points;
}

/* An override cannot give what the axis of the same path gives. */
static void check_sets(struct study *study, const char *const *sets, uint32_t set_count)
{
    for (uint32_t i = 0; i < set_count; i++) {
        size_t bytes = strcspn(sets[i], "=");
        for (uint32_t j = 0; j < study->axis_count; j++) {
            const struct study_axis *axis = &study->axes[j];
            if (strlen(axis->path) != bytes || strncmp(axis->path, sets[i], bytes) != 0)
                continue;
            diag_error(study->yaml.diags, DIAG_AXIS_SET,
                       (struct diag_place){study->yaml.set_source, i + 1, 1, (uint32_t)bytes},
                       "axis '%s' of the sweep gives this at every point", axis->name);
            diag_hint(study->yaml.diags, "run some of its points: --only %s=VALUE", axis->name);
        }
    }
}

/* Whether every axis has something to put somewhere, whatever else is wrong with it. */
static bool has_paths(const struct study *study)
{
    bool all = true;

    for (uint32_t i = 0; i < study->axis_count; i++)
        all &= study->axes[i].path[0] && study->axes[i].count > 0;
    return all;
}

/* Where a text begins: behind its quotes. Of one that stands there otherwise than as it is (folded,
 * or with escapes) only the node's place is known, which length 0 says. */
static struct diag_place text_place(const struct study *study, int node, const char *text)
{
    struct diag_place place = scenario_yaml_place(&study->yaml, node);
    bool quoted = scenario_yaml_is_quoted(&study->yaml, node);
    size_t bytes = strlen(text);

    if (place.length != bytes + 2 * quoted || strchr(text, '\n')) {
        place.length = 0;
        return place;
    }
    place.column += quoted;
    place.length = (uint32_t)bytes;
    return place;
}

/* It chooses points, and at least one: what is never looked at would pass. */
static void check_when(const struct study *study, const struct study_expect *expect,
                       struct diag_place place)
{
    const struct expect_runs none = {.study = study};
    struct diag_list *diags = study->yaml.diags;

    if (expect->where.nodes[expect->where.root].of & EXPECT_OF_METRICS) {
        diag_error(diags, DIAG_EXPECT_TYPE, place, "'when' depends on metrics");
        diag_hint(diags, "it chooses points: name axes only");
        return;
    }
    for (uint32_t i = 0; i < study->point_count; i++)
        if (!has_paths(study) || expect_look(&expect->where, &none, i, 0).result == EXPECT_HOLDS)
            return;
    diag_error(diags, DIAG_EXPECT_TYPE, place, "'when' holds at no point");
    diag_hint(diags, "nothing would ever be expected");
}

/* Looked at once there is a first scenario, whose names it may use. */
static void parse_expect(struct study *study, struct study_expect *expect, int node)
{
    struct diag_list *diags = study->yaml.diags;
    int that = scenario_yaml_find(&study->yaml, node, "that");
    int when = scenario_yaml_find(&study->yaml, node, "when");

    if (expect->that[0])
        expect_parse(&expect->holds, expect->that, study, diags,
                     text_place(study, that, expect->that));
    if (expect->when[0] && expect_parse(&expect->where, expect->when, study, diags,
                                        text_place(study, when, expect->when)) == 0)
        check_when(study, expect, scenario_yaml_place(&study->yaml, when));
}

bool study_is_code(const char *text)
{
    return strlen(text) == 5 && text[0] == 'E' && strspn(text + 1, "0123456789") == 4;
}

static void read_expect(struct study *study, int node)
{
    struct study_expect *expect = &study->expects[study->expect_count];
    struct diag_list *diags = study->yaml.diags;
    char what[SCENARIO_NAME_BYTES + 20];
    struct scenario_map map = {.yaml = &study->yaml, .node = node, .what = what};
    int error, that;

    memset(expect, 0, sizeof(*expect));
    if (scenario_yaml_type(&study->yaml, node) != YAML_MAPPING_NODE) {
        diag_error(diags, DIAG_WRONG_TYPE, scenario_yaml_place(&study->yaml, node),
                   "this expectation has the wrong type");
        diag_hint(diags, "expected {name: tail, that: p99(latency.NAME) <= 250us}");
        return;
    }
    const char *name = scenario_yaml_item_name(&study->yaml, node);
    snprintf(what, sizeof(what), name[0] ? "expectation '%.32s'" : "this expectation", name);
    scenario_keys_read(&scenario_keys_expect, &map, expect);
    error = scenario_yaml_find(&study->yaml, node, "error");
    that = scenario_yaml_find(&study->yaml, node, "that");
    expect->place = scenario_yaml_place(&study->yaml, that ? that : error ? error : node);
    if (!that == !error && map.kind != SCENARIO_KIND_UNKNOWN)
        diag_error(diags, DIAG_NEEDS_KEY, scenario_yaml_map_place(&map),
                   "%s has %s of 'that' and 'error'", what, that ? "both" : "neither");
    if (expect->error[0] && !study_is_code(expect->error)) {
        diag_error(diags, DIAG_MALFORMED, expect->place, "'error' is '%s'", expect->error);
        diag_hint(diags, "expected the code of an error, such as E0501");
    }
    for (uint32_t i = 0; i < study->expect_count; i++)
        if (expect->name[0] && strcmp(study->expects[i].name, expect->name) == 0)
            diag_error(
                diags, DIAG_DUPLICATE_KEY,
                scenario_yaml_place(&study->yaml, scenario_yaml_find(&study->yaml, node, "name")),
                "two expectations are called '%s'", expect->name);
    parse_expect(study, expect, node);
    study->expect_count++;
}

static void read_expects(struct study *study)
{
    int list = scenario_yaml_find(&study->yaml, scenario_yaml_root(&study->yaml), "expect"), node;

    if (!list || scenario_yaml_type(&study->yaml, list) != YAML_SEQUENCE_NODE)
        return;
    for (uint32_t i = 0; (node = scenario_yaml_item(&study->yaml, list, i)); i++) {
        if (i == STUDY_EXPECTS_MAX) {
            diag_error(study->yaml.diags, DIAG_TOO_MANY, scenario_yaml_place(&study->yaml, node),
                       "more than %d expectations", STUDY_EXPECTS_MAX);
            return;
        }
        read_expect(study, node);
    }
}

/* ---- points ---- */

/* Whether a fault was reported before, of another point. */
static bool is_known(const struct diag_list *diags, const struct diag *diag)
{
    for (uint32_t i = 0; i < diags->count; i++)
        if (diags->entries[i].severity == diag->severity &&
            diags->entries[i].place.line == diag->place.line &&
            diags->entries[i].place.column == diag->place.column &&
            strcmp(diags->entries[i].message, diag->message) == 0)
            return true;
    return false;
}

/* Add what is new of a point's faults, the point named with it. */
static void merge_faults(const struct study *study, struct diag_list *diags,
                         const struct diag_list *found, uint32_t point)
{
    char words[DIAG_HELP_BYTES];
    bool taken = true; /* a note before any error stands for itself */

    study_point_words(study, point, words, sizeof(words));
    for (uint32_t i = 0; i < found->count; i++) {
        const struct diag *diag = &found->entries[i];
        if (diag->severity == DIAG_ERROR)
            taken = !is_known(diags, diag);
        if (!taken || (diag->severity == DIAG_NOTE && is_known(diags, diag)))
            continue;
        diag_add(diags, diag);
        if (words[0] && diag->severity == DIAG_ERROR && diag->help[0] == '\0')
            diag_help(diags, "at point %" PRIu32 ": %s", point, words);
    }
}

/* Read a point, for its faults only, unless it is the first. */
static void check_point(struct study *study, uint32_t point, struct diag_list *diags)
{
    static struct scenario scratch;
    static struct diag_list found;

    diag_init(&found);
    study->yaml.diags = &found;
    study_put(study, point);
    if (found.errors == 0)
        scenario_tree_read(point == 0 ? &study->first : &scratch, &study->yaml);
    if (point == 0)
        study->sound = found.errors == 0;
    study->yaml.diags = diags;
    merge_faults(study, diags, &found, point);
    diag_fini(&found);
}

static void check_points(struct study *study, struct diag_list *diags)
{
    uint32_t before = diags->errors;

    if (has_paths(study)) {
        for (uint32_t i = 0; i < study->point_count; i++)
            check_point(study, i, diags);
        return;
    }
    scenario_tree_read(&study->first, &study->yaml);
    study->sound = diags->errors == before;
}

/* All behind the tree. */
static int load(struct study *study, const char *const *sets, uint32_t set_count)
{
    struct diag_list *diags = study->yaml.diags;
    struct scenario_map root, repeat;

    root = (struct scenario_map){.yaml = &study->yaml, .node = scenario_yaml_root(&study->yaml)};
    repeat = scenario_yaml_map(&root, "repeat", "'repeat'");
    study->repeat_count = 1;
    if (repeat.node)
        scenario_keys_read(&scenario_keys_repeat, &repeat, study);
    read_sweep(study, &root);
    check_sets(study, sets, set_count);
    check_points(study, diags);
    read_expects(study);
    diag_sort(diags);
    if (diags->errors == 0)
        return 0;
    study_fini(study);
    return -1;
}

/* But for expectations, which are large, and which each clears that is there. */
static void clear(struct study *study)
{
    memset(study, 0, offsetof(struct study, expects));
    study->expect_count = 0;
}

int study_load(struct study *study, const char *path, const char *const *sets, uint32_t set_count,
               struct diag_list *diags)
{
    clear(study);
    if (scenario_tree_load(&study->yaml, path, sets, set_count, diags) == 0)
        return load(study, sets, set_count);
    diag_sort(diags);
    return -1;
}

int study_load_text(struct study *study, const char *text, const char *const *sets,
                    uint32_t set_count, struct diag_list *diags)
{
    clear(study);
    if (scenario_tree_parse(&study->yaml, text, sets, set_count, diags) == 0)
        return load(study, sets, set_count);
    diag_sort(diags);
    return -1;
}

void study_fini(struct study *study)
{
    scenario_yaml_fini(&study->yaml);
}
