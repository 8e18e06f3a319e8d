/*
 * See scenario_schema.h. A row of a table needs nothing here; what is in a mapping or a list says
 * scenario_nested.h, and what a key is, scenarios/annotated.yaml.
 *
 * Values are what a YAML reader makes of them: `64` is a number, `64KiB` a string, and both are
 * sizes; a quoted "64" is one, too. Ranges are stated where values are numbers.
 */
#include "sim/run/scenario_schema.h"

#include "sim/run/scenario_nested.h"
#include "sim/run/schema_texts.h"
#include "sim/run/steps.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NAME_PATTERN "^[a-z0-9-]{1,32}$"
#define WHOLE "(0|[1-9][0-9]*)"
#define POINT WHOLE "(\\.[0-9]+)?"

_Static_assert(SCENARIO_NAME_BYTES == 33, "NAME_PATTERN says so");

static struct scenario_words words;

static json_t *table_schema(const struct scenario_table *table);

static void put(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

/* A string of a number and one of its type's units; `behind` is what else may stand there. */
static void put_pattern(json_t *schema, const struct scenario_key *key, const char *number,
                        const char *behind)
{
    const char *units = scenario_keys_units(key->type);
    char pattern[256];
    int used = snprintf(pattern, sizeof(pattern), "^%s(", number);

    for (const char *at = units; *at; at++)
        if (*at != ' ')
            pattern[used++] = *at == ',' ? '|' : *at;
    snprintf(pattern + used, sizeof(pattern) - (size_t)used, ")%s$", behind);
    put(schema, "pattern", json_string(pattern));
}

/* The range of what may be written without a unit. */
static void put_range(json_t *schema, const struct scenario_key *key)
{
    put(schema, "minimum", json_integer((json_int_t)key->min));
    if (key->max <= INT64_MAX)
        put(schema, "maximum", json_integer((json_int_t)key->max));
}

static json_t *words_schema(const struct scenario_key *key)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < key->word_count; i++) {
        json_array_append_new(list, json_string(key->words[i]));
        /* YAML's own word, and the same as a string */
        if (strcmp(key->words[i], "true") == 0 || strcmp(key->words[i], "false") == 0)
            json_array_append_new(list, json_boolean(key->words[i][0] == 't'));
    }
    return json_pack("{s:o}", "enum", list);
}

static json_t *text_schema(const struct scenario_key *key)
{
    return json_pack("{s:[s,s,s], s:I, s:I}", "type", "string", "number", "boolean", "minLength",
                     (json_int_t)key->min, "maxLength", (json_int_t)key->bytes - 1);
}

static json_t *string_schema(void)
{
    return json_pack("{s:s}", "type", "string");
}

static json_t *count_schema(const struct scenario_key *key)
{
    json_t *schema =
        json_pack("{s:[s,s], s:s}", "type", "integer", "string", "pattern", "^" WHOLE "$");

    put_range(schema, key);
    return schema;
}

static json_t *address_schema(const char *port)
{
    char pattern[128];

    snprintf(pattern, sizeof(pattern), "^([0-9.]{7,15}|\\[[0-9a-fA-F:.]{2,45}\\]):%s$", port);
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *quantity_schema(const struct scenario_key *key)
{
    json_t *schema = string_schema();

    if (key->type == SCENARIO_SIZE) {
        put(schema, "type", json_pack("[s,s]", "integer", "string"));
        put_range(schema, key);
        put_pattern(schema, key, WHOLE, "?");
    } else if (key->type == SCENARIO_DURATION || key->type == SCENARIO_RATE) {
        put_pattern(schema, key, WHOLE, "");
    } else if (key->type == SCENARIO_DURATION_NEVER) {
        put_pattern(schema, key, WHOLE, "$|^never");
    } else if (key->type == SCENARIO_BANDWIDTH) {
        put_pattern(schema, key, POINT, "$|^unlimited");
    } else {
        put_pattern(schema, key, POINT, "");
    }
    return schema;
}

/* A size, or how sizes are drawn. */
static json_t *sizes_schema(const struct scenario_key *key)
{
    struct scenario_key one = *key;

    one.type = SCENARIO_SIZE;
    return json_pack("{s:[o, o]}", "anyOf", quantity_schema(&one),
                     table_schema(&scenario_keys_sizes));
}

/* What a scalar may be. A switch without default: a new type must say. */
static json_t *scalar_schema(const struct scenario_key *key)
{
    switch (key->type) {
    case SCENARIO_MAP:
    case SCENARIO_LIST: break;
    case SCENARIO_NAME:
        return json_pack("{s:[s,s], s:s}", "type", "string", "integer", "pattern", NAME_PATTERN);
    case SCENARIO_TEXT: return text_schema(key);
    case SCENARIO_WORD: return words_schema(key);
    case SCENARIO_COUNT:
    case SCENARIO_CPU: return count_schema(key);
    case SCENARIO_DECIMAL:
        return json_pack("{s:[s,s], s:s}", "type", "number", "string", "pattern", "^" POINT "$");
    case SCENARIO_DURATION:
    case SCENARIO_DURATION_NEVER:
    case SCENARIO_FINE_DURATION:
    case SCENARIO_SIZE:
    case SCENARIO_RATE:
    case SCENARIO_BANDWIDTH:
    case SCENARIO_SHARE: return quantity_schema(key);
    case SCENARIO_SIZES: return sizes_schema(key);
    case SCENARIO_ADDR: return address_schema("[1-9][0-9]{0,4}");
    case SCENARIO_ADDR_ANY_PORT: return address_schema("(0|[1-9][0-9]{0,4})");
    }
    assert(!"a scalar");
    return NULL;
}

static bool is_number(enum scenario_type type)
{
    return type != SCENARIO_MAP && type != SCENARIO_LIST && type != SCENARIO_NAME &&
           type != SCENARIO_TEXT && type != SCENARIO_WORD && type != SCENARIO_ADDR &&
           type != SCENARIO_ADDR_ANY_PORT;
}

/* Where the default is none, or depends on other keys, there is nothing to say. */
static void put_default(json_t *schema, const struct scenario_key *key)
{
    bool depends =
        key->required || key->nullable || key->preset < key->min || key->preset == UINT32_MAX;

    if (key->text)
        put(schema, "default", json_string(key->text));
    else if (depends)
        return;
    else if (key->type == SCENARIO_WORD)
        put(schema, "default", json_string(key->words[key->preset]));
    else if (key->type == SCENARIO_COUNT)
        put(schema, "default", json_integer((json_int_t)key->preset));
    else if (is_number(key->type))
        put(schema, "default", json_string(scenario_keys_format(key->type, key->preset).text));
}

/* What the key is, and what may stand there. */
static void put_description(json_t *schema, const struct scenario_key *key)
{
    const char *said = scenario_words_of(&words, key);
    char text[256];

    if (is_number(key->type))
        snprintf(text, sizeof(text), "%s%s%s, from %s to %s", said, said[0] ? "; " : "",
                 scenario_keys_noun(key->type), scenario_keys_format(key->type, key->min).text,
                 scenario_keys_format(key->type, key->max).text);
    else
        snprintf(text, sizeof(text), "%s", said[0] ? said : scenario_keys_noun(key->type));
    put(schema, "description", json_string(text));
}

static json_t *any_scalar(void)
{
    return json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");
}

/* One kind and its time: which kinds a core has, and that there is one, is not seen here. */
static json_t *step_schema(void)
{
    static const char *const times[] = {"at", "within", "for"};
    json_t *properties = json_object();

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        put(properties, times[i], string_schema());
    for (enum steps_kind kind = 0; kind < STEPS_KIND_COUNT; kind++)
        put(properties, steps_word_of(kind),
            json_pack("{s:[o,o]}", "anyOf", table_schema(&steps_keys[kind]), any_scalar()));
    return json_pack("{s:s, s:o, s:b, s:i}", "type", "object", "properties", properties,
                     "additionalProperties", 0, "minProperties", 1);
}

static json_t *nested_schema(const struct scenario_nested *nested)
{
    json_t *inner = nested->of                      ? table_schema(nested->of)
                    : nested->how == SCENARIO_STEPS ? step_schema()
                                                    : any_scalar();
    json_int_t least = nested->least, most = nested->most;

    switch (nested->how) {
    case SCENARIO_KEYS: return inner;
    case SCENARIO_BY_NAME:
        return json_pack("{s:s, s:{s:s}, s:I, s:I, s:o}", "type", "object", "propertyNames",
                         "pattern", NAME_PATTERN, "minProperties", least, "maxProperties", most,
                         "additionalProperties", inner);
    case SCENARIO_ITEMS:
    case SCENARIO_STEPS:
    case SCENARIO_SCALARS: break;
    }
    return json_pack("{s:s, s:I, s:I, s:o}", "type", "array", "minItems", least, "maxItems", most,
                     "items", inner);
}

static json_t *key_schema(const struct scenario_table *table, const struct scenario_key *key)
{
    json_t *schema;

    if ((table == &scenario_keys_root || table == &scenario_keys_script) &&
        strcmp(key->name, "schema") == 0)
        return json_pack("{s:s}", "const", SCENARIO_SCHEMA);
    if (key->type == SCENARIO_MAP || key->type == SCENARIO_LIST) {
        schema = nested_schema(scenario_nested_find(table, key));
    } else {
        schema = scalar_schema(key);
        put_default(schema, key);
    }
    put_description(schema, key);
    return schema;
}

/* A mapping with the keys of a kind and no others. */
static json_t *kind_schema(const struct scenario_table *table, uint32_t kind)
{
    json_t *properties = json_object(), *required = json_array();

    for (uint32_t i = 0; i < table->count; i++) {
        const struct scenario_key *key = &table->keys[i];
        if (!scenario_keys_applies(key, kind))
            continue;
        put(properties, key->name, key_schema(table, key));
        if (key->required >> kind & 1)
            json_array_append_new(required, json_string(key->name));
    }
    if (table == &scenario_keys_root) /* where there are no `steps`: see scenario.c */
        json_array_append_new(required, json_string("workload"));
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", 0);
}

/* The row that says which kinds there are, if kinds have different keys. */
static const struct scenario_key *find_kinds(const struct scenario_table *table)
{
    const struct scenario_key *kinds = NULL;
    bool differ = false;

    for (uint32_t i = 0; i < table->count; i++) {
        const struct scenario_key *key = &table->keys[i];
        if (strcmp(key->name, "kind") == 0)
            kinds = key;
        differ |= key->kinds != SCENARIO_ALL_KINDS ||
                  (key->required && key->required != SCENARIO_ALL_KINDS);
    }
    assert(!differ || kinds);
    return differ ? kinds : NULL;
}

/* By its kind a mapping has other keys. Not `oneOf`: the complaint would be of all kinds at once.
 */
static json_t *table_schema(const struct scenario_table *table)
{
    const struct scenario_key *kinds = find_kinds(table);
    json_t *cases = json_array();

    if (!kinds) {
        json_decref(cases);
        return kind_schema(table, 0);
    }
    for (uint32_t i = 0; i < kinds->word_count; i++)
        json_array_append_new(cases, json_pack("{s:{s:{s:{s:s}}, s:[s]}, s:o}", "if", "properties",
                                               "kind", "const", kinds->words[i], "required", "kind",
                                               "then", kind_schema(table, i)));
    return json_pack("{s:s, s:{s:o}, s:[s], s:o}", "type", "object", "properties", "kind",
                     words_schema(kinds), "required", "kind", "allOf", cases);
}

static void load_words(void)
{
    for (const struct schema_text *at = schema_texts; at->name; at++)
        if (strcmp(at->name, "annotated") == 0)
            scenario_words_load(&words, at->text);
    assert(words.count > 0);
}

json_t *scenario_schema(void)
{
    json_t *head =
        json_pack("{s:s, s:s, s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema",
                  "$id", "urn:xensock:scenario:1", "title", "A scenario of xensock", "description",
                  "See xensock-scenario(5).");

    load_words();
    put(head, "if", json_pack("{s:s, s:[s]}", "type", "object", "required", "steps"));
    put(head, "then", table_schema(&scenario_keys_script));
    put(head, "else", table_schema(&scenario_keys_root));
    return head;
}
