/*
 * The YAML side of a scenario, or of a cost model: a tree of nodes that know where they were
 * written.
 *
 * Reads the subset of YAML that people mean: one document of mappings, lists and scalars. Anchors,
 * aliases, tags and merge keys are refused, as are duplicate keys, which libyaml would let pass.
 * Knows no key of the format. A node is a number from 1, as libyaml has it; 0 is no node. Nodes
 * added by --set have higher numbers than those of the file, which is how their place is known, and
 * those that a sweep adds (where a path leads to what the file does not have) higher ones still.
 */
#ifndef XENSOCK_SIM_RUN_SCENARIO_YAML_H
#define XENSOCK_SIM_RUN_SCENARIO_YAML_H

#include "sim/run/diag.h"

#include <stddef.h>
#include <yaml.h>

enum {
    SCENARIO_YAML_DEPTH_MAX = 16,
    SCENARIO_YAML_KEYS_MAX = 64, /* keys of one mapping; bounds the search for duplicates */
};

struct scenario_yaml {
    yaml_document_t document;
    struct diag_list *diags;
    uint32_t file_source, set_source;
    int file_nodes; /* nodes with a higher number came from --set, */
    int set_nodes;  /* but those behind this one are of the file again; 0: there are none yet */
};

/* A mapping, and how messages name it. */
struct scenario_map {
    struct scenario_yaml *yaml;
    int node;
    int key;          /* the key whose value it is, 0 for list items and the root */
    uint32_t kind;    /* as scenario_keys_read found it: SCENARIO_KIND_UNKNOWN if faulty */
    const char *what; /* "'protocol'", "peer 'echo'" */
};

/* Parse `text`, registered in `diags` as `file_source`. Returns 0, and the tree is to be freed
 * with scenario_yaml_fini; or -1 with the faults reported and nothing to free. */
int scenario_yaml_load(struct scenario_yaml *yaml, const char *text, struct diag_list *diags,
                       uint32_t file_source);

/* Free the tree. */
void scenario_yaml_fini(struct scenario_yaml *yaml);

/* Apply "path=value": a path of keys, and of what the items of a list are called, joined by dots. A
 * missing mapping or key is made; a list item is not. `line` is that of the override in
 * set_source. Returns 0, or -1 with the fault reported. */
int scenario_yaml_set(struct scenario_yaml *yaml, const char *override, uint32_t line);

/* Make `value`, a node of the file, that of the path which the scalar `path` holds: as --set does,
 * but faults are reported where the path stands. Before the first, all overrides have been applied,
 * and scenario_yaml_sets_end been called. */
int scenario_yaml_put(struct scenario_yaml *yaml, int path, int value);
void scenario_yaml_sets_end(struct scenario_yaml *yaml);

/* Report every key that stands twice in its mapping, and mappings of too many keys. */
void scenario_yaml_check_duplicates(struct scenario_yaml *yaml);

/* The root, 0 for an empty file. */
int scenario_yaml_root(const struct scenario_yaml *yaml);

/* YAML_SCALAR_NODE, YAML_MAPPING_NODE or YAML_SEQUENCE_NODE. */
yaml_node_type_t scenario_yaml_type(const struct scenario_yaml *yaml, int node);

/* The text of a scalar, "" for other nodes; belongs to the tree. */
const char *scenario_yaml_text(const struct scenario_yaml *yaml, int node);

/* The i-th key of a mapping and its value; false behind the last. */
bool scenario_yaml_pair(const struct scenario_yaml *yaml, int map, uint32_t i, int *key,
                        int *value);

/* The i-th item of a list, 0 behind the last. */
int scenario_yaml_item(const struct scenario_yaml *yaml, int list, uint32_t i);

/* What an item of a list is called: its `name`, else where it leads, `to`; "" if it says neither.
 */
const char *scenario_yaml_item_name(const struct scenario_yaml *yaml, int item);

/* The value of a key of a mapping, 0 if it has no such key. */
int scenario_yaml_find(const struct scenario_yaml *yaml, int map, const char *name);

/* The mapping that is the value of a key of a mapping, to be named `what`; node 0 if the key is not
 * there or its value is no mapping. */
struct scenario_map scenario_yaml_map(const struct scenario_map *map, const char *name,
                                      const char *what);

/* Where a node was written. */
struct diag_place scenario_yaml_place(const struct scenario_yaml *yaml, int node);

/* Whether it is a scalar in quotes. */
bool scenario_yaml_is_quoted(const struct scenario_yaml *yaml, int node);

/* Where to point for something a mapping lacks: its key, else its first key, else itself. */
struct diag_place scenario_yaml_map_place(const struct scenario_map *map);

#endif
