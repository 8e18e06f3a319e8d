/*
 * Loading a cost model: text, tree, keys, shapes. See model.h.
 *
 * The root has a mapping for each row of cost.h, and for the three durations beside them; all walk
 * the tables below with the reader of scenario_keys.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/model.h"

#include "sim/run/model_texts.h"
#include "sim/run/scenario_keys.h"
#include "sim/run/textfile.h"
#include "sim/run/units.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What the mapping of a row says. */
struct row {
    uint64_t value_ps, low_ps, high_ps, median_ps;
    uint32_t sigma_ppm;
    struct model_origin origin;
};

struct tail {
    uint32_t ppm;
    uint64_t low_ps, high_ps;
};

/* What the mapping of a duration says. */
struct limit {
    uint64_t value_ns;
    struct model_origin origin;
};

/* A model while it is read. */
struct draft {
    struct model *model;
    struct scenario_yaml yaml;
    struct scenario_map root;
};

#define WORD(constant, word) word,
static const char *const known_words[] = {MODEL_KNOWN(WORD)};
_Static_assert(sizeof(enum model_known) == 4, "words are stored as 32-bit numbers");

/* clang-format off */
#define ALL SCENARIO_ALL_KINDS
#define AT(type, member) .at = offsetof(struct type, member), .bytes = sizeof(((struct type *)0)->member)
#define TABLE(rows) {(rows), sizeof(rows) / sizeof((rows)[0])}
#define COST(member) SCENARIO_FINE_DURATION, ALL, AT(row, member), .max = COST_MAX_PS
#define ORIGIN(type) \
    {"source", SCENARIO_TEXT, ALL, .required = ALL, AT(type, origin.source), .min = 1}, \
    {"factor", SCENARIO_DECIMAL, ALL, .required = ALL, AT(type, origin.factor_ppm), .min = MILLION, .max = 1000 * MILLION}, \
    {"known", SCENARIO_WORD, ALL, .required = ALL, AT(type, origin.known), .words = known_words, .word_count = sizeof(known_words) / sizeof(known_words[0])}

#define MILLION UINT64_C(1000000)
#define COST_MAX_PS (1000000 * MILLION) /* a second: e to 4.7 deviations of 2 times that fits 64 bits */
#define DAY_NS (86400 * 1000 * MILLION)

static const struct scenario_key root_keys[] = {
    {"schema", SCENARIO_TEXT, ALL, .required = ALL, AT(model, schema)},
    {"name", SCENARIO_NAME, ALL, .required = ALL, AT(model, name)},
    {"description", SCENARIO_TEXT, ALL, .required = ALL, AT(model, description), .min = 1},
    {"dozing_after", SCENARIO_MAP, ALL, .required = ALL},
    {"asleep_after", SCENARIO_MAP, ALL, .required = ALL},
    {"slice", SCENARIO_MAP, ALL, .required = ALL},
#define X(constant, key, meaning) {key, SCENARIO_MAP, ALL, .required = ALL},
    COST_ROWS(X)
#undef X
};
static const struct scenario_key row_keys[] = {
    {"value", COST(value_ps)},
    {"low", COST(low_ps)},
    {"high", COST(high_ps)},
    {"median", COST(median_ps)},
    {"sigma", SCENARIO_DECIMAL, ALL, AT(row, sigma_ppm), .max = 2 * MILLION},
    {"tail", SCENARIO_MAP, ALL, .required = 0},
    ORIGIN(row),
};
static const struct scenario_key tail_keys[] = {
    {"probability", SCENARIO_DECIMAL, ALL, .required = ALL, AT(tail, ppm), .max = MILLION},
    {"low", SCENARIO_FINE_DURATION, ALL, .required = ALL, AT(tail, low_ps), .max = COST_MAX_PS},
    {"high", SCENARIO_FINE_DURATION, ALL, .required = ALL, AT(tail, high_ps), .max = COST_MAX_PS},
};
static const struct scenario_key idle_keys[] = {
    {"value", SCENARIO_DURATION_NEVER, ALL, .required = ALL, AT(limit, value_ns), .max = DAY_NS},
    ORIGIN(limit),
};
static const struct scenario_key slice_keys[] = {
    {"value", SCENARIO_DURATION, ALL, .required = ALL, AT(limit, value_ns), .min = 1000, .max = DAY_NS},
    ORIGIN(limit),
};
/* clang-format on */

_Static_assert(sizeof(root_keys) / sizeof(root_keys[0]) <= SCENARIO_KEYS_MAX, "room for the root");

static const struct scenario_table table_root = TABLE(root_keys), table_row = TABLE(row_keys),
                                   table_tail = TABLE(tail_keys), table_idle = TABLE(idle_keys),
                                   table_slice = TABLE(slice_keys);

/* Where a key of a mapping has its value; the mapping if it has no such key. */
static struct diag_place value_place(const struct scenario_map *map, const char *key)
{
    int node = scenario_yaml_find(map->yaml, map->node, key);

    return node ? scenario_yaml_place(map->yaml, node) : scenario_yaml_map_place(map);
}

static void check_order(const struct scenario_map *map, uint64_t low_ps, uint64_t high_ps)
{
    if (low_ps <= high_ps)
        return;
    diag_error(map->yaml->diags, DIAG_OUT_OF_RANGE, value_place(map, "low"),
               "'low' is more than 'high' in %s", map->what);
    diag_note(map->yaml->diags, value_place(map, "high"), "which is %s",
              units_format_fine_duration(high_ps).text);
}

/* The keys that make each shape, by enum cost_shape. */
static const char *const shape_keys[][2] = {
    [COST_CONSTANT] = {"value", "value"}, /* one is enough, and the first shape to be looked for */
    [COST_UNIFORM] = {"low", "high"},
    [COST_LOGNORMAL] = {"median", "sigma"},
};
enum { SHAPES = sizeof(shape_keys) / sizeof(shape_keys[0]) };

/* Whether the mapping has one of the two keys of a shape; *absent is one that it has not, NULL if
 * it has both. */
static bool has_shape(const struct scenario_map *map, uint32_t shape, const char **absent)
{
    uint32_t count = 0;

    *absent = NULL;
    for (uint32_t i = 0; i < 2; i++) {
        if (scenario_yaml_find(map->yaml, map->node, shape_keys[shape][i]))
            count++;
        else
            *absent = shape_keys[shape][i];
    }
    return count > 0;
}

/* Report the keys of another shape, of two keys, that stand beside those of `shape`. */
static void report_mixed(const struct scenario_map *map, uint32_t shape, uint32_t other)
{
    for (uint32_t i = 0; i < 2; i++) {
        int node = scenario_yaml_find(map->yaml, map->node, shape_keys[other][i]);

        if (node)
            diag_error(map->yaml->diags, DIAG_NOT_FOR_KIND, scenario_yaml_place(map->yaml, node),
                       "'%s' does not go with '%s' in %s", shape_keys[other][i],
                       shape_keys[shape][0], map->what);
    }
}

/* The shape whose keys a row has; reports it if they are none, not both, or of several shapes. */
static enum cost_shape find_shape(const struct scenario_map *map)
{
    const char *absent, *ignored;
    uint32_t shape = 0;

    while (shape < SHAPES && !has_shape(map, shape, &absent))
        shape++;
    if (shape == SHAPES) {
        diag_error(map->yaml->diags, DIAG_MISSING_KEY, scenario_yaml_map_place(map),
                   "%s has no value", map->what);
        diag_hint(map->yaml->diags, "add 'value', or 'low' and 'high', or 'median' and 'sigma'");
        return COST_CONSTANT;
    }
    if (absent) {
        diag_error(map->yaml->diags, DIAG_NEEDS_KEY, scenario_yaml_map_place(map),
                   "%s has '%s' without '%s'", map->what,
                   shape_keys[shape][absent == shape_keys[shape][0]], absent);
        diag_hint(map->yaml->diags, "add '%s'", absent);
    }
    for (uint32_t other = shape + 1; other < SHAPES; other++)
        if (has_shape(map, other, &ignored))
            report_mixed(map, shape, other);
    return shape;
}

static void read_tail(const struct scenario_map *row, struct cost *cost)
{
    char what[64];
    struct scenario_map map;
    uint32_t errors = row->yaml->diags->errors;
    struct tail tail = {0};

    snprintf(what, sizeof(what), "the tail of %s", row->what);
    map = scenario_yaml_map(row, "tail", what);
    if (!map.node)
        return;
    scenario_keys_read(&table_tail, &map, &tail);
    if (row->yaml->diags->errors == errors)
        check_order(&map, tail.low_ps, tail.high_ps);
    cost->tail_ppm = tail.ppm;
    cost->tail_low_ps = tail.low_ps;
    cost->tail_high_ps = tail.high_ps;
}

static void read_row(const struct draft *draft, uint32_t index, const char *key)
{
    char what[32];
    struct scenario_map map;
    struct cost *cost = &draft->model->costs.rows[index];
    uint32_t errors = draft->yaml.diags->errors;
    struct row row = {0};

    snprintf(what, sizeof(what), "'%s'", key);
    map = scenario_yaml_map(&draft->root, key, what);
    if (!map.node)
        return; /* reported with the root */
    scenario_keys_read(&table_row, &map, &row);
    cost->shape = find_shape(&map);
    if (draft->yaml.diags->errors == errors && cost->shape == COST_UNIFORM)
        check_order(&map, row.low_ps, row.high_ps);
    read_tail(&map, cost);
    draft->model->rows[index] = row.origin;
    switch (cost->shape) {
    case COST_CONSTANT: cost->low_ps = row.value_ps; break;
    case COST_UNIFORM:
        cost->low_ps = row.low_ps;
        cost->high_ps = row.high_ps;
        break;
    case COST_LOGNORMAL:
        cost->low_ps = row.median_ps;
        cost->sigma_ppm = row.sigma_ppm;
        break;
    }
}

/* The value of one of the durations beside the rows. */
static uint64_t read_limit(const struct draft *draft, const struct scenario_table *table,
                           const char *key, struct model_origin *origin)
{
    char what[32];
    struct scenario_map map;
    struct limit limit = {0};

    snprintf(what, sizeof(what), "'%s'", key);
    map = scenario_yaml_map(&draft->root, key, what);
    if (map.node)
        scenario_keys_read(table, &map, &limit);
    *origin = limit.origin;
    return limit.value_ns;
}

static void read_limits(const struct draft *draft)
{
    struct model *model = draft->model;
    struct costs *costs = &model->costs;
    uint32_t errors = draft->yaml.diags->errors;

    costs->dozing_after_ns = read_limit(draft, &table_idle, "dozing_after", &model->dozing_after);
    costs->asleep_after_ns = read_limit(draft, &table_idle, "asleep_after", &model->asleep_after);
    if (draft->yaml.diags->errors == errors && costs->asleep_after_ns < costs->dozing_after_ns) {
        diag_error(draft->yaml.diags, DIAG_OUT_OF_RANGE, value_place(&draft->root, "asleep_after"),
                   "'asleep_after' is shorter than 'dozing_after'");
    }
    costs->slice_ns = read_limit(draft, &table_slice, "slice", &model->slice);
}

static void read_draft(struct draft *draft)
{
    static const char *const keys[] = {
#define X(constant, key, meaning) [COST_##constant] = (key),
        COST_ROWS(X)
#undef X
    };

    draft->root = (struct scenario_map){
        .yaml = &draft->yaml, .node = scenario_yaml_root(&draft->yaml), .what = "the model"};
    scenario_yaml_check_duplicates(&draft->yaml);
    scenario_keys_read(&table_root, &draft->root, draft->model);
    read_limits(draft);
    for (uint32_t i = 0; i < COST_ROWS_COUNT; i++)
        read_row(draft, i, keys[i]);
}

static void digest_text(const char *text, char digest[PAYLOAD_DIGEST_TEXT_BYTES])
{
    struct payload_digest state;
    int result = payload_digest_init(&state);

    assert(result == 0); /* fails only without memory */
    payload_digest_update(&state, text, strlen(text));
    payload_digest_text(&state, digest);
    payload_digest_fini(&state);
}

static void load_text(struct model *out, const char *text, struct diag_list *diags, uint32_t source)
{
    struct draft draft = {.model = out};

    if (scenario_yaml_load(&draft.yaml, text, diags, source))
        return;
    if (scenario_keys_schema(&draft.yaml, "model", MODEL_SCHEMA) == 0)
        read_draft(&draft);
    scenario_yaml_fini(&draft.yaml);
    digest_text(text, out->digest);
}

bool model_is_path(const char *which)
{
    size_t bytes = strlen(which);

    return strchr(which, '/') || (bytes >= 5 && strcmp(which + bytes - 5, ".yaml") == 0);
}

const char *model_at(uint32_t i)
{
    return model_texts[i].name;
}

static const char *text_find(const char *name)
{
    for (const struct model_text *at = model_texts; at->name; at++)
        if (strcmp(at->name, name) == 0)
            return at->text;
    return NULL;
}

bool model_check_name(const char *which, struct diag_list *diags, struct diag_place place)
{
    const char *names[32];
    uint32_t count = 0;

    if (text_find(which))
        return true;
    for (; count < 32 && model_at(count); count++)
        names[count] = model_at(count);
    diag_error(diags, DIAG_UNKNOWN_VALUE, place, "there is no cost model '%.60s'", which);
    diag_hint(diags, "a file's name has a slash or ends in .yaml");
    diag_suggest(diags, which, "models", names, count);
    return false;
}

/* The path of a model's file, to be freed; NULL without memory. */
static char *path_beside(const char *which, const char *beside)
{
    const char *slash = strrchr(beside, '/');
    int directory = slash && which[0] != '/' ? (int)(slash - beside) + 1 : 0;
    char *path;

    return asprintf(&path, "%.*s%s", directory, beside, which) < 0 ? NULL : path;
}

static void load_file(struct model *out, const char *path, struct diag_list *diags)
{
    uint32_t source;
    char *text = textfile_read(path, MODEL_FILE_BYTES_MAX, diags, &source);

    if (text)
        load_text(out, text, diags, source);
    free(text);
}

static void load_named(struct model *out, const char *name, struct diag_list *diags)
{
    const char *text = text_find(name);
    uint32_t source = diag_add_source(diags, name, text);

    if (model_check_name(name, diags, (struct diag_place){.source = source}))
        load_text(out, text, diags, source);
}

int model_load(struct model *out, const char *which, const char *beside, struct diag_list *diags)
{
    char *path;

    assert(diags->errors == 0);
    memset(out, 0, sizeof(*out));
    if (model_is_path(which)) {
        path = path_beside(which, beside);
        assert(path);
        load_file(out, path, diags);
        free(path);
    } else {
        load_named(out, which, diags);
    }
    diag_sort(diags);
    return diags->errors ? -1 : 0;
}
