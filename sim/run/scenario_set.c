/*
 * --set path=value, and what a sweep puts at a path: changing the tree before it is checked. See
 * scenario_yaml.h.
 *
 * Nodes made here carry marks into the text that named them: of all overrides, one a line, or of
 * the file, where the axis stands. So every later message about them points there.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/scenario_yaml.h"

#include <assert.h>
#include <string.h>

/* One override while its path is walked: `name` is the part of the path it has come to. */
struct walk {
    struct scenario_yaml *yaml;
    const char *override;
    struct diag_place origin; /* of its first character */
    char name[DIAG_WORD_BYTES];
    uint32_t column; /* of name within it, from 1 */
};

static struct diag_place walk_place(const struct walk *walk)
{
    uint32_t length = (uint32_t)strlen(walk->name);

    return (struct diag_place){walk->origin.source, walk->origin.line,
                               walk->origin.column + walk->column - 1, length ? length : 1};
}

static int walk_fail(const struct walk *walk, const char *problem)
{
    diag_error(walk->yaml->diags, DIAG_SET_PATH, walk_place(walk), "'%s' %s", walk->name, problem);
    return -1;
}

/* Characters, as libyaml counts columns, of well-formed UTF-8. */
static size_t char_count(const char *text, const char *end)
{
    size_t count = 0;

    for (; text < end; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* Mark a node made here as standing at `column` of the override, `text` long. Returns the node, 0
 * if it could not be made. */
static int node_mark(struct walk *walk, int node, uint32_t column, const char *text)
{
    yaml_node_t *at = node ? yaml_document_get_node(&walk->yaml->document, node) : NULL;

    if (!at) {
        diag_error(walk->yaml->diags, DIAG_SET_MALFORMED, walk_place(walk),
                   "the value is not UTF-8, or out of memory");
        return 0;
    }
    at->start_mark.line = at->end_mark.line = walk->origin.line - 1;
    at->start_mark.column = walk->origin.column + column - 2;
    at->end_mark.column = at->start_mark.column + char_count(text, text + strlen(text));
    return node;
}

static int scalar_add(struct walk *walk, const char *text, uint32_t column)
{
    int node = yaml_document_add_scalar(&walk->yaml->document, NULL, (const unsigned char *)text,
                                        (int)strlen(text), YAML_DOUBLE_QUOTED_SCALAR_STYLE);

    return node_mark(walk, node, column, text);
}

/* Make `value` that of the name walked to in a mapping, in place of the one it may have. */
static int value_put(struct walk *walk, int map, int value)
{
    yaml_node_t *at = yaml_document_get_node(&walk->yaml->document, map);
    int key;

    if (!value)
        return -1;
    for (yaml_node_pair_t *pair = at->data.mapping.pairs.start; pair < at->data.mapping.pairs.top;
         pair++) {
        if (strcmp(scenario_yaml_text(walk->yaml, pair->key), walk->name) == 0) {
            pair->value = value;
            return 0;
        }
    }
    key = scalar_add(walk, walk->name, walk->column);
    if (!key || !yaml_document_append_mapping_pair(&walk->yaml->document, map, key, value))
        return -1;
    return 0;
}

/* The mapping or list behind the name in a mapping, made if it is not there; 0 on a fault. */
static int map_enter(struct walk *walk, int map)
{
    int node = scenario_yaml_find(walk->yaml, map, walk->name);

    if (node && scenario_yaml_type(walk->yaml, node) == YAML_SCALAR_NODE) {
        walk_fail(walk, "has no keys of its own");
        return 0;
    }
    if (node)
        return node;
    node = yaml_document_add_mapping(&walk->yaml->document, NULL, YAML_BLOCK_MAPPING_STYLE);
    node = node_mark(walk, node, walk->column, walk->name);
    return value_put(walk, map, node) ? 0 : node;
}

/* The item of a list that is called as walked to; 0 on a fault. */
static int list_enter(struct walk *walk, int list)
{
    const char *names[SCENARIO_YAML_KEYS_MAX];
    uint32_t count = 0;
    int item;

    for (uint32_t i = 0; (item = scenario_yaml_item(walk->yaml, list, i)); i++) {
        const char *name = scenario_yaml_item_name(walk->yaml, item);

        if (strcmp(name, walk->name) == 0)
            return item;
        if (name[0] && count < SCENARIO_YAML_KEYS_MAX)
            names[count++] = name;
    }
    walk_fail(walk, "is not the name of an item of this list");
    diag_suggest(walk->yaml->diags, walk->name, "names", names, count);
    return 0;
}

/* Take the next part of the path. Returns the character behind it, '.' or '=', or -1. */
static int walk_next(struct walk *walk)
{
    const char *at = walk->override + walk->column - 1;
    size_t bytes = strcspn(at, ".=");

    if (bytes == 0 || bytes >= sizeof(walk->name)) {
        walk->name[0] = '\0';
        diag_error(walk->yaml->diags, DIAG_SET_MALFORMED, walk_place(walk),
                   "expected a key of 1 to %d characters here", DIAG_WORD_BYTES - 1);
        return -1;
    }
    memcpy(walk->name, at, bytes);
    walk->name[bytes] = '\0';
    return at[bytes];
}

/* Walk the path, whose characters have been checked, to the mapping of its last part; 0 on a fault.
 */
static int walk_path(struct walk *walk)
{
    int node = scenario_yaml_root(walk->yaml), behind = walk_next(walk);

    for (; behind == '.'; behind = walk_next(walk)) {
        if (scenario_yaml_type(walk->yaml, node) == YAML_MAPPING_NODE)
            node = map_enter(walk, node);
        else
            node = list_enter(walk, node);
        if (!node)
            return 0;
        walk->column += (uint32_t)strlen(walk->name) + 1;
    }
    if (behind == -1)
        return 0;
    if (scenario_yaml_type(walk->yaml, node) == YAML_MAPPING_NODE)
        return node;
    walk_fail(walk, "is a whole item: name one of its keys, with a dot");
    return 0;
}

/* Whether all characters are some that a path has, or, behind the '=', a value. */
static bool walk_is_plain(struct walk *walk, const char *equals)
{
    for (const char *at = walk->override; *at; at++) {
        bool plain = *at > ' ' && *at < 0x7f;

        if ((equals && at > equals) ? (unsigned char)*at >= ' ' && *at != 0x7f : plain)
            continue;
        walk->column = (uint32_t)char_count(walk->override, at) + 1;
        diag_error(walk->yaml->diags, DIAG_SET_MALFORMED, walk_place(walk),
                   "a character that no path or value has");
        return false;
    }
    return true;
}

int scenario_yaml_set(struct scenario_yaml *yaml, const char *override, uint32_t line)
{
    struct walk walk = {
        .yaml = yaml, .override = override, .origin = {yaml->set_source, line, 1, 1}, .column = 1};
    const char *equals = strchr(override, '=');
    uint32_t value_at;
    int map;

    assert(scenario_yaml_type(yaml, scenario_yaml_root(yaml)) == YAML_MAPPING_NODE);
    if (!walk_is_plain(&walk, equals))
        return -1;
    if (!equals) {
        diag_error(yaml->diags, DIAG_SET_MALFORMED, walk_place(&walk), "expected path=value");
        diag_hint(yaml->diags, "such as protocol.order=6");
        return -1;
    }
    map = walk_path(&walk);
    if (!map)
        return -1;
    value_at = walk.column + (uint32_t)strlen(walk.name); /* behind the '=' */
    return value_put(&walk, map, scalar_add(&walk, override + value_at, value_at + 1));
}

int scenario_yaml_put(struct scenario_yaml *yaml, int path, int value)
{
    const char *text = scenario_yaml_text(yaml, path);
    struct walk walk = {
        .yaml = yaml, .override = text, .origin = scenario_yaml_place(yaml, path), .column = 1};
    int map;

    walk.origin.column +=
        walk.origin.length == char_count(text, text + strlen(text)) + 2; /* quotes */
    if (!walk_is_plain(&walk, NULL))
        return -1;
    if (strchr(text, '=')) {
        diag_error(yaml->diags, DIAG_SET_MALFORMED, scenario_yaml_place(yaml, path),
                   "a path has no '='");
        return -1;
    }
    map = walk_path(&walk);
    return map ? value_put(&walk, map, value) : -1;
}
