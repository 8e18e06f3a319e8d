/*
 * Reading YAML with libyaml, twice: its events first, since its tree no longer shows anchors and
 * aliases, and since nesting can be bounded there; then its tree. See scenario_yaml.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/scenario_yaml.h"

#include <assert.h>
#include <string.h>

/* libyaml's getters take no const, but change nothing. */
static yaml_node_t *node_get(const struct scenario_yaml *yaml, int node)
{
    union {
        const yaml_document_t *in;
        yaml_document_t *out;
    } document = {&yaml->document};

    return yaml_document_get_node(document.out, node);
}

static struct diag_place place_of(const struct scenario_yaml *yaml, const yaml_mark_t *start,
                                  const yaml_mark_t *end)
{
    struct diag_place place = {yaml->file_source, (uint32_t)start->line + 1,
                               (uint32_t)start->column + 1, 1};

    if (end && end->line == start->line && end->column > start->column)
        place.length = (uint32_t)(end->column - start->column);
    return place;
}

/* libyaml puts the end of a text without a last line break on a line that is not there. */
static struct diag_place problem_place(const struct scenario_yaml *yaml, const yaml_mark_t *mark,
                                       const char *text)
{
    struct diag_place place = place_of(yaml, mark, NULL);
    struct diag_place end = diag_place_at(yaml->file_source, text, strlen(text));

    return place.line > end.line ? end : place;
}

static void report_syntax(struct scenario_yaml *yaml, const yaml_parser_t *parser, const char *text)
{
    struct diag_place whole = {.source = yaml->file_source};

    if (parser->error == YAML_MEMORY_ERROR) {
        diag_error(yaml->diags, DIAG_NO_MEMORY, whole, "out of memory");
        return;
    }
    if (parser->error == YAML_READER_ERROR) {
        /* the reader knows bytes only */
        diag_error(yaml->diags, DIAG_SYNTAX,
                   diag_place_at(yaml->file_source, text, parser->problem_offset),
                   "not a text file: %s", parser->problem);
        return;
    }
    diag_error(yaml->diags, DIAG_SYNTAX, problem_place(yaml, &parser->problem_mark, text),
               "YAML syntax: %s", parser->problem);
    if (parser->context && parser->context_mark.line != parser->problem_mark.line)
        diag_note(yaml->diags, problem_place(yaml, &parser->context_mark, text), "%s",
                  parser->context);
}

static void report_feature(struct scenario_yaml *yaml, const yaml_event_t *event, const char *what)
{
    diag_error(yaml->diags, DIAG_YAML_FEATURE, place_of(yaml, &event->start_mark, &event->end_mark),
               "%s are not part of this format", what);
}

static void check_scalar(struct scenario_yaml *yaml, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    if (event->data.scalar.anchor)
        report_feature(yaml, event, "anchors");
    if (event->data.scalar.tag)
        report_feature(yaml, event, "tags");
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(text, "<<") == 0)
        report_feature(yaml, event, "merge keys");
    if (strlen(text) != event->data.scalar.length)
        diag_error(yaml->diags, DIAG_MALFORMED,
                   place_of(yaml, &event->start_mark, &event->end_mark), "a text holds no NUL");
}

/* Look at one event; `depth` counts open collections, `documents` those begun. */
static void check_event(struct scenario_yaml *yaml, const yaml_event_t *event, uint32_t *depth,
                        uint32_t *documents)
{
    /* mappings and sequences have the same first members, but not the same type */
    const void *anchor = NULL, *tag = NULL;

    if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    }
    if (anchor)
        report_feature(yaml, event, "anchors");
    if (tag)
        report_feature(yaml, event, "tags");
    if (event->type == YAML_ALIAS_EVENT)
        report_feature(yaml, event, "aliases");
    if (event->type == YAML_SCALAR_EVENT)
        check_scalar(yaml, event);
    if (event->type == YAML_DOCUMENT_START_EVENT && ++*documents == 2)
        report_feature(yaml, event, "further documents");
    *depth += event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
    *depth -= event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
    if (*depth > SCENARIO_YAML_DEPTH_MAX)
        diag_error(yaml->diags, DIAG_TOO_MANY, place_of(yaml, &event->start_mark, NULL),
                   "nested more than %d deep", SCENARIO_YAML_DEPTH_MAX);
}

static void parser_start(yaml_parser_t *parser, const char *text)
{
    int started = yaml_parser_initialize(parser);

    assert(started); /* fails only without memory for its first small buffers */
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, strlen(text));
}

/* The first reading. Returns -1 with anything reported. */
static int check_events(struct scenario_yaml *yaml, const char *text)
{
    uint32_t depth = 0, documents = 0;
    yaml_parser_t parser;
    bool last = false;

    parser_start(&parser, text);
    while (!last && depth <= SCENARIO_YAML_DEPTH_MAX) {
        yaml_event_t event;

        if (!yaml_parser_parse(&parser, &event)) {
            report_syntax(yaml, &parser, text);
            break;
        }
        check_event(yaml, &event, &depth, &documents);
        last = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return yaml->diags->errors ? -1 : 0;
}

int scenario_yaml_load(struct scenario_yaml *yaml, const char *text, struct diag_list *diags,
                       uint32_t file_source)
{
    yaml_parser_t parser;
    int result = 0;

    memset(yaml, 0, sizeof(*yaml));
    yaml->diags = diags;
    yaml->file_source = file_source;
    if (check_events(yaml, text))
        return -1;
    parser_start(&parser, text);
    if (!yaml_parser_load(&parser, &yaml->document)) {
        report_syntax(yaml, &parser, text);
        result = -1;
    }
    yaml_parser_delete(&parser);
    if (result == 0)
        yaml->file_nodes = (int)(yaml->document.nodes.top - yaml->document.nodes.start);
    return result;
}

void scenario_yaml_sets_end(struct scenario_yaml *yaml)
{
    yaml->set_nodes = (int)(yaml->document.nodes.top - yaml->document.nodes.start);
}

void scenario_yaml_fini(struct scenario_yaml *yaml)
{
    yaml_document_delete(&yaml->document);
}

int scenario_yaml_root(const struct scenario_yaml *yaml)
{
    return yaml->file_nodes ? 1 : 0; /* libyaml: the root is the first node */
}

yaml_node_type_t scenario_yaml_type(const struct scenario_yaml *yaml, int node)
{
    return node_get(yaml, node)->type;
}

const char *scenario_yaml_text(const struct scenario_yaml *yaml, int node)
{
    const yaml_node_t *at = node_get(yaml, node);

    return at->type == YAML_SCALAR_NODE ? (const char *)at->data.scalar.value : "";
}

bool scenario_yaml_pair(const struct scenario_yaml *yaml, int map, uint32_t i, int *key, int *value)
{
    const yaml_node_t *at = node_get(yaml, map);

    if (i >= (size_t)(at->data.mapping.pairs.top - at->data.mapping.pairs.start))
        return false;
    *key = at->data.mapping.pairs.start[i].key;
    *value = at->data.mapping.pairs.start[i].value;
    return true;
}

int scenario_yaml_item(const struct scenario_yaml *yaml, int list, uint32_t i)
{
    const yaml_node_t *at = node_get(yaml, list);

    if (i >= (size_t)(at->data.sequence.items.top - at->data.sequence.items.start))
        return 0;
    return at->data.sequence.items.start[i];
}

const char *scenario_yaml_item_name(const struct scenario_yaml *yaml, int item)
{
    int name = 0;

    if (scenario_yaml_type(yaml, item) == YAML_MAPPING_NODE)
        name = scenario_yaml_find(yaml, item, "name");
    if (!name && scenario_yaml_type(yaml, item) == YAML_MAPPING_NODE)
        name = scenario_yaml_find(yaml, item, "to");
    return name ? scenario_yaml_text(yaml, name) : "";
}

int scenario_yaml_find(const struct scenario_yaml *yaml, int map, const char *name)
{
    int key, value;

    for (uint32_t i = 0; scenario_yaml_pair(yaml, map, i, &key, &value); i++)
        if (scenario_yaml_type(yaml, key) == YAML_SCALAR_NODE &&
            strcmp(scenario_yaml_text(yaml, key), name) == 0)
            return value;
    return 0;
}

struct scenario_map scenario_yaml_map(const struct scenario_map *map, const char *name,
                                      const char *what)
{
    struct scenario_map found = {.yaml = map->yaml, .what = what};
    int key, value;

    for (uint32_t i = 0; map->node && scenario_yaml_pair(map->yaml, map->node, i, &key, &value);
         i++) {
        if (strcmp(scenario_yaml_text(map->yaml, key), name) == 0 &&
            scenario_yaml_type(map->yaml, value) == YAML_MAPPING_NODE) {
            found.node = value;
            found.key = key;
            break;
        }
    }
    return found;
}

struct diag_place scenario_yaml_place(const struct scenario_yaml *yaml, int node)
{
    const yaml_node_t *at = node_get(yaml, node);
    struct diag_place place =
        place_of(yaml, &at->start_mark, at->type == YAML_SCALAR_NODE ? &at->end_mark : NULL);

    if (node > yaml->file_nodes && (yaml->set_nodes == 0 || node <= yaml->set_nodes))
        place.source = yaml->set_source;
    return place;
}

bool scenario_yaml_is_quoted(const struct scenario_yaml *yaml, int node)
{
    const yaml_node_t *at = node_get(yaml, node);

    return at->type == YAML_SCALAR_NODE &&
           (at->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
            at->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

struct diag_place scenario_yaml_map_place(const struct scenario_map *map)
{
    int key = map->key, value;

    if (!key && !scenario_yaml_pair(map->yaml, map->node, 0, &key, &value))
        key = map->node;
    return scenario_yaml_place(map->yaml, key);
}

static void check_map_duplicates(struct scenario_yaml *yaml, int map)
{
    int key, value, other;

    for (uint32_t i = 0; scenario_yaml_pair(yaml, map, i, &key, &value); i++) {
        if (i == SCENARIO_YAML_KEYS_MAX) {
            diag_error(yaml->diags, DIAG_TOO_MANY, scenario_yaml_place(yaml, key),
                       "more than %d keys", SCENARIO_YAML_KEYS_MAX);
            return;
        }
        for (uint32_t j = 0; j < i && scenario_yaml_pair(yaml, map, j, &other, &value); j++) {
            if (scenario_yaml_text(yaml, key)[0] == '\0' ||
                strcmp(scenario_yaml_text(yaml, other), scenario_yaml_text(yaml, key)) != 0)
                continue;
            diag_error(yaml->diags, DIAG_DUPLICATE_KEY, scenario_yaml_place(yaml, key),
                       "'%.40s' stands here twice", scenario_yaml_text(yaml, key));
            diag_note(yaml->diags, scenario_yaml_place(yaml, other), "the first one");
            break;
        }
    }
}

void scenario_yaml_check_duplicates(struct scenario_yaml *yaml)
{
    int count = (int)(yaml->document.nodes.top - yaml->document.nodes.start);

    for (int node = 1; node <= count; node++)
        if (scenario_yaml_type(yaml, node) == YAML_MAPPING_NODE)
            check_map_duplicates(yaml, node);
}
