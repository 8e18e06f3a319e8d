/* The reader that walks the tables of scenario_keys.c: one value, one mapping at a time. */
#include "sim/run/scenario_keys.h"
#include "sim/run/units.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* What a value of each type is called, by enum scenario_type. */
static const char *const type_names[] = {
    [SCENARIO_MAP] = "a mapping of keys",
    [SCENARIO_LIST] = "a list",
    [SCENARIO_NAME] = "a name of a-z, 0-9 and -",
    [SCENARIO_TEXT] = "a text",
    [SCENARIO_WORD] = "a word",
    [SCENARIO_COUNT] = "a whole number",
    [SCENARIO_CPU] = "the number of a CPU",
    [SCENARIO_DURATION] = "a duration such as 250us or 2s",
    [SCENARIO_DURATION_NEVER] = "a duration such as 250us, or never",
    [SCENARIO_FINE_DURATION] = "a duration such as 2.6us or 0.1ns",
    [SCENARIO_DECIMAL] = "a number such as 0.5 or 2",
    [SCENARIO_SIZE] = "a size such as 64KiB",
    [SCENARIO_SIZES] =
        "a size such as 64KiB, or a distribution such as {kind: exponential, mean: 512}",
    [SCENARIO_RATE] = "a rate such as 5000/s",
    [SCENARIO_BANDWIDTH] = "a bandwidth such as 10Gbit/s, or unlimited",
    [SCENARIO_SHARE] = "a share such as 0.1% or 250ppm",
    [SCENARIO_ADDR] = "an address such as \"127.0.0.1:9000\" or \"[::1]:9000\"",
    [SCENARIO_ADDR_ANY_PORT] = "an address such as \"127.0.0.1:0\" or \"[::1]:9000\"",
};

/* One value while it is read. */
struct reading {
    struct scenario_yaml *yaml;
    const struct scenario_key *key;
    int node;
    const char *text;
};

bool scenario_keys_applies(const struct scenario_key *key, uint32_t kind)
{
    return kind == SCENARIO_KIND_UNKNOWN || (key->kinds >> kind & 1);
}

static bool key_is_required(const struct scenario_key *key, uint32_t kind)
{
    if (kind == SCENARIO_KIND_UNKNOWN)
        return key->required == SCENARIO_ALL_KINDS;
    return key->required >> kind & 1;
}

uint64_t scenario_keys_number(const struct scenario_key *key, const void *in)
{
    uint64_t number = 0; /* little-endian, so a prefix is the value */

    assert(key->bytes == 4 || key->bytes == 8);
    memcpy(&number, (const char *)in + key->at, key->bytes);
    return number;
}

static bool is_draw(const struct scenario_key *key)
{
    return key->type == SCENARIO_SIZES;
}

static void number_put(const struct scenario_key *key, uint64_t number, void *out)
{
    if (is_draw(key)) {
        struct draw draw = {.kind = DRAW_FIXED, .value = number};

        assert(key->bytes == sizeof(draw));
        memcpy((char *)out + key->at, &draw, sizeof(draw));
        return;
    }
    assert(key->bytes == 8 || (key->bytes == 4 && number <= UINT32_MAX));
    memcpy((char *)out + key->at, &number, key->bytes);
}

static struct diag_list *fail(const struct reading *reading, enum diag_code code)
{
    diag_error(reading->yaml->diags, code, scenario_yaml_place(reading->yaml, reading->node),
               "'%s' is '%.60s'", reading->key->name, reading->text);
    return reading->yaml->diags;
}

const char *scenario_keys_noun(enum scenario_type type)
{
    return type_names[type];
}

struct units_text scenario_keys_format(enum scenario_type type, uint64_t number)
{
    struct units_text out;

    if (type == SCENARIO_DURATION || type == SCENARIO_DURATION_NEVER)
        return units_format_duration(number);
    if (type == SCENARIO_FINE_DURATION)
        return units_format_fine_duration(number);
    if (type == SCENARIO_DECIMAL)
        return units_format_decimal(number);
    if (type == SCENARIO_SIZE || type == SCENARIO_SIZES)
        return units_format_size(number);
    if (type == SCENARIO_BANDWIDTH)
        return units_format_bandwidth(number);
    if (type == SCENARIO_SHARE)
        return units_format_share(number);
    snprintf(out.text, sizeof(out.text), "%" PRIu64 "%s", number,
             type == SCENARIO_RATE ? UNITS_OF_RATE : "");
    return out;
}

const char *scenario_keys_units(enum scenario_type type)
{
    if (type == SCENARIO_SIZE || type == SCENARIO_SIZES)
        return UNITS_OF_SIZE;
    if (type == SCENARIO_RATE)
        return UNITS_OF_RATE;
    if (type == SCENARIO_BANDWIDTH)
        return UNITS_OF_BANDWIDTH;
    if (type == SCENARIO_SHARE)
        return UNITS_OF_SHARE;
    return type == SCENARIO_FINE_DURATION ? UNITS_OF_FINE_DURATION : UNITS_OF_DURATION;
}

static void fail_range(const struct reading *reading)
{
    const struct scenario_key *key = reading->key;

    diag_hint(fail(reading, DIAG_OUT_OF_RANGE), "allowed: %s to %s",
              scenario_keys_format(key->type, key->min).text,
              scenario_keys_format(key->type, key->max).text);
}

static void fail_units(const struct reading *reading, enum units_fault fault)
{
    const char *units = scenario_keys_units(reading->key->type);

    switch (fault) {
    case UNITS_OK: break;
    case UNITS_MALFORMED:
        diag_hint(fail(reading, DIAG_MALFORMED), "expected %s", type_names[reading->key->type]);
        break;
    case UNITS_NO_UNIT: diag_hint(fail(reading, DIAG_MALFORMED), "needs a unit: %s", units); break;
    case UNITS_UNKNOWN_UNIT:
        diag_hint(fail(reading, DIAG_MALFORMED), "no such unit; known: %s", units);
        break;
    case UNITS_OVERFLOW: fail_range(reading); break;
    case UNITS_TOO_FINE:
        diag_hint(fail(reading, DIAG_MALFORMED), "too fine: the least step is %s",
                  scenario_keys_format(reading->key->type, 1).text);
        break;
    }
}

static enum units_fault parse_number(const struct reading *reading, uint64_t *number)
{
    switch (reading->key->type) {
    case SCENARIO_DURATION:
    case SCENARIO_DURATION_NEVER: return units_parse_duration(reading->text, number);
    case SCENARIO_FINE_DURATION: return units_parse_fine_duration(reading->text, number);
    case SCENARIO_DECIMAL: return units_parse_decimal(reading->text, number);
    case SCENARIO_SIZE:
    case SCENARIO_SIZES: return units_parse_size(reading->text, number);
    case SCENARIO_RATE: return units_parse_rate(reading->text, number);
    case SCENARIO_BANDWIDTH: return units_parse_bandwidth(reading->text, number);
    case SCENARIO_SHARE: return units_parse_share(reading->text, number);
    case SCENARIO_COUNT:
    case SCENARIO_CPU: return units_parse_count(reading->text, number);
    case SCENARIO_MAP:
    case SCENARIO_LIST:
    case SCENARIO_NAME:
    case SCENARIO_TEXT:
    case SCENARIO_WORD:
    case SCENARIO_ADDR:
    case SCENARIO_ADDR_ANY_PORT: break;
    }
    assert(!"a type whose values are numbers");
    return UNITS_MALFORMED;
}

/* A word in place of a number. */
static bool is_word_for(const struct reading *reading, uint64_t *number)
{
    if (reading->key->type == SCENARIO_DURATION_NEVER && strcmp(reading->text, "never") == 0) {
        *number = UINT64_MAX;
        return true;
    }
    *number = 0;
    return reading->key->type == SCENARIO_BANDWIDTH && strcmp(reading->text, "unlimited") == 0;
}

static void read_number(const struct reading *reading, void *out)
{
    const struct scenario_key *key = reading->key;
    enum units_fault fault;
    uint64_t number;

    if (is_word_for(reading, &number)) {
        number_put(key, number, out);
        return;
    }
    fault = parse_number(reading, &number);
    if (fault != UNITS_OK)
        fail_units(reading, fault);
    else if (number < key->min || number > key->max)
        fail_range(reading);
    else
        number_put(key, number, out);
}

static void read_addr(const struct reading *reading, void *out)
{
    struct scenario_addr addr = {.text = ""};
    enum units_fault fault = units_parse_addr(reading->text, &addr.addr);

    if (fault == UNITS_OVERFLOW) {
        diag_hint(fail(reading, DIAG_OUT_OF_RANGE), "a port is at most 65535");
    } else if (fault != UNITS_OK) {
        fail_units(reading, UNITS_MALFORMED);
    } else if (reading->key->type == SCENARIO_ADDR && call_addr_port(&addr.addr) == 0) {
        diag_hint(fail(reading, DIAG_OUT_OF_RANGE),
                  "port 0 means any port, but here the other side must know it");
    } else {
        snprintf(addr.text, sizeof(addr.text), "%s", reading->text);
        memcpy((char *)out + reading->key->at, &addr, sizeof(addr));
    }
}

/* The index of `text` among the words, word_count if it is none of them. */
static uint32_t word_find(const struct scenario_key *key, const char *text)
{
    uint32_t i = 0;

    while (i < key->word_count && strcmp(key->words[i], text) != 0)
        i++;
    return i;
}

static void read_word(const struct reading *reading, void *out)
{
    const struct scenario_key *key = reading->key;
    uint32_t word = word_find(key, reading->text);

    if (word == key->word_count)
        diag_suggest(fail(reading, DIAG_UNKNOWN_VALUE), reading->text, "values", key->words,
                     key->word_count);
    else
        number_put(key, word, out);
}

static void read_text(const struct reading *reading, void *out)
{
    const struct scenario_key *key = reading->key;
    size_t bytes = strlen(reading->text);

    if (bytes >= key->bytes)
        diag_error(reading->yaml->diags, DIAG_OUT_OF_RANGE,
                   scenario_yaml_place(reading->yaml, reading->node),
                   "'%s' is too long: at most %zu bytes", key->name, key->bytes - 1);
    else if (bytes < key->min)
        diag_error(reading->yaml->diags, DIAG_OUT_OF_RANGE,
                   scenario_yaml_place(reading->yaml, reading->node), "'%s' is empty", key->name);
    else
        memcpy((char *)out + key->at, reading->text, bytes + 1);
}

bool scenario_keys_name(struct scenario_yaml *yaml, int node, char name[SCENARIO_NAME_BYTES])
{
    const char *text = scenario_yaml_text(yaml, node);
    size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (letters > 0 && letters < SCENARIO_NAME_BYTES && text[letters] == '\0') {
        memcpy(name, text, letters + 1);
        return true;
    }
    diag_error(yaml->diags, DIAG_BAD_NAME, scenario_yaml_place(yaml, node), "'%.60s' is no name",
               text);
    diag_hint(yaml->diags, "a name is 1 to %d of a-z, 0-9 and -", SCENARIO_NAME_BYTES - 1);
    return false;
}

static void fail_type(const struct reading *reading)
{
    diag_error(reading->yaml->diags, DIAG_WRONG_TYPE,
               scenario_yaml_place(reading->yaml, reading->node), "'%s' has the wrong type",
               reading->key->name);
    diag_hint(reading->yaml->diags, "expected %s", type_names[reading->key->type]);
}

static void read_scalar(const struct reading *reading, void *out)
{
    if (scenario_yaml_type(reading->yaml, reading->node) != YAML_SCALAR_NODE) {
        fail_type(reading);
        return;
    }
    switch (reading->key->type) {
    case SCENARIO_MAP:
    case SCENARIO_LIST: break;
    case SCENARIO_NAME:
        scenario_keys_name(reading->yaml, reading->node, (char *)out + reading->key->at);
        break;
    case SCENARIO_TEXT: read_text(reading, out); break;
    case SCENARIO_WORD: read_word(reading, out); break;
    case SCENARIO_COUNT:
    case SCENARIO_CPU:
    case SCENARIO_DURATION:
    case SCENARIO_DURATION_NEVER:
    case SCENARIO_FINE_DURATION:
    case SCENARIO_DECIMAL:
    case SCENARIO_SIZE:
    case SCENARIO_SIZES:
    case SCENARIO_RATE:
    case SCENARIO_BANDWIDTH:
    case SCENARIO_SHARE: read_number(reading, out); break;
    case SCENARIO_ADDR:
    case SCENARIO_ADDR_ANY_PORT: read_addr(reading, out); break;
    }
}

/* A number by distribution. */
static void read_draw(const struct reading *reading, void *out)
{
    char what[SCENARIO_NAME_BYTES];
    struct scenario_map map = {.yaml = reading->yaml, .node = reading->node, .what = what};

    snprintf(what, sizeof(what), "'%s'", reading->key->name);
    memset((char *)out + reading->key->at, 0, sizeof(struct draw));
    scenario_keys_read(&scenario_keys_sizes, &map, (char *)out + reading->key->at);
}

/* Maps and lists are only looked at here; their own readers go inside. */
static void read_value(const struct reading *reading, void *out)
{
    yaml_node_type_t type = scenario_yaml_type(reading->yaml, reading->node);

    if (is_draw(reading->key) && type == YAML_MAPPING_NODE)
        read_draw(reading, out);
    else if (reading->key->type == SCENARIO_MAP && type != YAML_MAPPING_NODE)
        fail_type(reading);
    else if (reading->key->type == SCENARIO_LIST && type != YAML_SEQUENCE_NODE)
        fail_type(reading);
    else if (reading->key->type != SCENARIO_MAP && reading->key->type != SCENARIO_LIST)
        read_scalar(reading, out);
}

static void preset_put(const struct scenario_key *key, void *out)
{
    struct scenario_addr *addr = (void *)((char *)out + key->at);

    switch (key->type) {
    case SCENARIO_MAP:
    case SCENARIO_LIST:
    case SCENARIO_NAME: break; /* empty, as the caller zeroed it */
    case SCENARIO_TEXT:
        if (key->text)
            memcpy((char *)out + key->at, key->text, strlen(key->text) + 1);
        break;
    case SCENARIO_WORD:
    case SCENARIO_COUNT:
    case SCENARIO_CPU:
    case SCENARIO_DURATION:
    case SCENARIO_DURATION_NEVER:
    case SCENARIO_FINE_DURATION:
    case SCENARIO_DECIMAL:
    case SCENARIO_SIZE:
    case SCENARIO_SIZES:
    case SCENARIO_RATE:
    case SCENARIO_BANDWIDTH:
    case SCENARIO_SHARE: number_put(key, key->preset, out); break;
    case SCENARIO_ADDR:
    case SCENARIO_ADDR_ANY_PORT:
        if (key->text) {
            enum units_fault fault = units_parse_addr(key->text, &addr->addr);

            assert(fault == UNITS_OK);
            snprintf(addr->text, sizeof(addr->text), "%s", key->text);
        }
        break;
    }
}

/* The kind a mapping says it has; 0 where a table knows no kinds. */
static uint32_t map_kind(const struct scenario_table *table, const struct scenario_map *map)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct scenario_key *key = &table->keys[i];
        int node = scenario_yaml_find(map->yaml, map->node, key->name);
        uint32_t kind;

        if (strcmp(key->name, "kind") != 0)
            continue;
        kind = node ? word_find(key, scenario_yaml_text(map->yaml, node)) : key->word_count;
        return kind < key->word_count ? kind : SCENARIO_KIND_UNKNOWN;
    }
    return 0;
}

/* For the error reported last about a key called `got`: the keys this mapping may have. */
static void suggest_keys(const struct scenario_table *table, const struct scenario_map *map,
                         const char *got)
{
    const char *names[SCENARIO_KEYS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < table->count; i++)
        if (scenario_keys_applies(&table->keys[i], map->kind))
            names[count++] = table->keys[i].name;
    diag_suggest(map->yaml->diags, got, "keys", names, count);
}

const struct scenario_key *scenario_keys_find(const struct scenario_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (strcmp(table->keys[i].name, name) == 0)
            return &table->keys[i];
    return NULL;
}

/* One key and its value, as the file has them. */
static void read_pair(const struct scenario_table *table, const struct scenario_map *map, int name,
                      int value, void *out)
{
    const char *text = scenario_yaml_text(map->yaml, name);
    const struct scenario_key *key = scenario_keys_find(table, text);
    struct reading reading = {map->yaml, key, value, scenario_yaml_text(map->yaml, value)};
    struct diag_place place = scenario_yaml_place(map->yaml, name);

    if (scenario_yaml_type(map->yaml, name) != YAML_SCALAR_NODE) {
        diag_error(map->yaml->diags, DIAG_WRONG_TYPE, place, "a key in %s is not a word",
                   map->what);
    } else if (!key) {
        diag_error(map->yaml->diags, DIAG_UNKNOWN_KEY, place, "unknown key '%.60s' in %s", text,
                   map->what);
        suggest_keys(table, map, text);
    } else if (!scenario_keys_applies(key, map->kind)) {
        diag_error(map->yaml->diags, DIAG_NOT_FOR_KIND, place, "'%s' does not go with kind '%s'",
                   text, scenario_keys_find(table, "kind")->words[map->kind]);
        suggest_keys(table, map, "");
    } else {
        read_value(&reading, out);
    }
}

static void report_missing(const struct scenario_map *map, const struct scenario_key *key)
{
    diag_error(map->yaml->diags, DIAG_MISSING_KEY, scenario_yaml_map_place(map), "%s has no '%s'",
               map->what, key->name);
    diag_hint(map->yaml->diags, "add '%s', %s", key->name, type_names[key->type]);
    diag_suggest(map->yaml->diags, "", "values", key->words, key->word_count);
}

int scenario_keys_schema(struct scenario_yaml *yaml, const char *noun, const char *schema)
{
    int root = scenario_yaml_root(yaml), node;
    struct diag_place place = {yaml->file_source, 1, 1, 1};

    if (!root || scenario_yaml_type(yaml, root) != YAML_MAPPING_NODE) {
        diag_error(yaml->diags, DIAG_WRONG_TYPE, root ? scenario_yaml_place(yaml, root) : place,
                   "a %s is a mapping of keys", noun);
        diag_hint(yaml->diags, "start with 'schema: %s'", schema);
        return -1;
    }
    node = scenario_yaml_find(yaml, root, "schema");
    if (node && strcmp(scenario_yaml_text(yaml, node), schema) == 0)
        return 0;
    if (node)
        diag_error(yaml->diags, DIAG_WRONG_SCHEMA, scenario_yaml_place(yaml, node),
                   "this version reads no schema '%.60s'", scenario_yaml_text(yaml, node));
    else
        diag_error(yaml->diags, DIAG_WRONG_SCHEMA, place, "the %s has no 'schema'", noun);
    diag_hint(yaml->diags, "expected 'schema: %s'", schema);
    return -1;
}

void scenario_keys_presets(const struct scenario_table *table, uint32_t kind, void *out)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (kind != SCENARIO_KIND_UNKNOWN && scenario_keys_applies(&table->keys[i], kind))
            preset_put(&table->keys[i], out);
}

void scenario_keys_read(const struct scenario_table *table, struct scenario_map *map, void *out)
{
    int name, value;

    map->kind = map_kind(table, map);
    scenario_keys_presets(table, map->kind, out);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct scenario_key *key = &table->keys[i];

        if (key_is_required(key, map->kind) && !scenario_yaml_find(map->yaml, map->node, key->name))
            report_missing(map, key);
    }
    for (uint32_t i = 0; scenario_yaml_pair(map->yaml, map->node, i, &name, &value); i++)
        read_pair(table, map, name, value, out);
}
