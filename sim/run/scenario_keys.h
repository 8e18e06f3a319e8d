/*
 * The keys of the scenario format as tables, and the one reader that walks them.
 *
 * A row says how a key is spelled, what type its value has, its range and default, where it goes
 * and for which kinds it exists. Reading, defaults, messages and JSON all walk the same rows; what
 * one row cannot say (references, rules over several keys) is scenario_check.c's.
 */
#ifndef XENSOCK_SIM_RUN_SCENARIO_KEYS_H
#define XENSOCK_SIM_RUN_SCENARIO_KEYS_H

#include "sim/run/scenario.h"
#include "sim/run/scenario_yaml.h"
#include "sim/run/units.h"

enum scenario_type {
    SCENARIO_MAP,
    SCENARIO_LIST,
    SCENARIO_NAME, /* char[SCENARIO_NAME_BYTES] */
    SCENARIO_TEXT, /* char[] */
    SCENARIO_WORD, /* an enum, the index into `words` */
    SCENARIO_COUNT,
    SCENARIO_CPU, /* a count with SCENARIO_CPU_ANY for none */
    SCENARIO_DURATION,
    SCENARIO_DURATION_NEVER, /* or "never", UINT64_MAX */
    SCENARIO_FINE_DURATION,  /* with a fraction, in ps */
    SCENARIO_DECIMAL,        /* in millionths */
    SCENARIO_SIZE,
    SCENARIO_SIZES,     /* struct draw: a size, or a mapping by scenario_keys_sizes */
    SCENARIO_RATE,      /* how often, in 1/s */
    SCENARIO_BANDWIDTH, /* in bytes/s, or "unlimited", 0 */
    SCENARIO_SHARE,     /* in ppm */
    SCENARIO_ADDR,      /* struct scenario_addr with a port */
    SCENARIO_ADDR_ANY_PORT,
};

enum {
    SCENARIO_KEYS_MAX = 32,           /* rows of a table */
    SCENARIO_ALL_KINDS = 0xff,        /* a set of kinds: bit k is kind k */
    SCENARIO_KIND_UNKNOWN = UINT8_MAX /* the key `kind` is missing or wrong, and reported */
};

struct scenario_key {
    const char *name;
    enum scenario_type type;
    uint8_t kinds;             /* for which it exists */
    uint8_t required;          /* for which it must be there */
    bool nullable;             /* the default means "none" and is null in JSON */
    size_t at, bytes;          /* of the member */
    uint64_t min, max, preset; /* of a text, min is its least length */
    const char *text;          /* default of a text or an address */
    const char *const *words;
    uint32_t word_count;
};

struct scenario_table {
    const struct scenario_key *keys;
    uint32_t count;
};

/* Of struct scenario: the root, `topology` and `protocol`. */
extern const struct scenario_table scenario_keys_root, scenario_keys_topology,
    scenario_keys_protocol;
/* Of struct scenario: the root of one with a script (steps.h). */
extern const struct scenario_table scenario_keys_script;
/* Of struct scenario_host, scenario_peer, scenario_link, scenario_workload. */
extern const struct scenario_table scenario_keys_host, scenario_keys_peer, scenario_keys_link,
    scenario_keys_workload;
/* Of struct scenario_host: its `limits`. */
extern const struct scenario_table scenario_keys_limits;
/* Of struct scenario_fault. */
extern const struct scenario_table scenario_keys_fault;
/* Of struct scenario_workload: its `arrivals`. */
extern const struct scenario_table scenario_keys_arrivals;
/* Of struct scenario_recording. */
extern const struct scenario_table scenario_keys_record;
/* Of struct draw. */
extern const struct scenario_table scenario_keys_sizes;

/* Of struct study_axis, struct study (its `repeat`) and struct study_expect. */
extern const struct scenario_table scenario_keys_axis, scenario_keys_repeat, scenario_keys_expect;

/* The row of a key, NULL if there is none. */
const struct scenario_key *scenario_keys_find(const struct scenario_table *table, const char *name);

/* Whether a key exists for a kind, or may. */
bool scenario_keys_applies(const struct scenario_key *key, uint32_t kind);

/* A number, whatever its type, out of its member of `in`. */
uint64_t scenario_keys_number(const struct scenario_key *key, const void *in);

/* Of a type, for messages: what a value is, "a duration such as 250us"; the units a number may have
 * ("ns, us"); a number as a file has it. */
const char *scenario_keys_noun(enum scenario_type type);
const char *scenario_keys_units(enum scenario_type type);
struct units_text scenario_keys_format(enum scenario_type type, uint64_t number);

/* Check that the root is a mapping whose `schema` is `schema`; -1 if that is reported. It decides
 * what everything else means: if it is wrong, nothing else is to be looked at. `noun` is what the
 * file is: "scenario". */
int scenario_keys_schema(struct scenario_yaml *yaml, const char *noun, const char *schema);

/* Fill `out` with the defaults of a kind (0 where a table knows none); else it is zeroed before. */
void scenario_keys_presets(const struct scenario_table *table, uint32_t kind, void *out);

/* Fill `out` from a mapping: defaults first, then what the file says. Every fault is reported, and
 * the member it concerns keeps its default (of an unknown kind: zero). Notes the kind in the map.
 */
void scenario_keys_read(const struct scenario_table *table, struct scenario_map *map, void *out);

/* The rows of a table as an object of what `in` holds, units in the names; what is a mapping or a
 * list is left out. The caller's. */
json_t *scenario_keys_json(const struct scenario_table *table, const void *in, uint32_t kind);

/* Check and copy a name given as a key or value at `node`; false if it is reported. */
bool scenario_keys_name(struct scenario_yaml *yaml, int node, char name[SCENARIO_NAME_BYTES]);

#endif
