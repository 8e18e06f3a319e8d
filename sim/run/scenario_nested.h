/*
 * What is in the mappings and lists of a scenario, which the rows of scenario_keys.h do not say;
 * and what each key is in a few words. For the schema, and whoever else walks the tables.
 */
#ifndef XENSOCK_SIM_RUN_SCENARIO_NESTED_H
#define XENSOCK_SIM_RUN_SCENARIO_NESTED_H

#include "sim/run/scenario_keys.h"

enum scenario_nesting {
    SCENARIO_KEYS,    /* a mapping with the keys of `of` */
    SCENARIO_BY_NAME, /* of names to such mappings */
    SCENARIO_ITEMS,   /* a list of such mappings */
    SCENARIO_SCALARS, /* a list of scalars */
    SCENARIO_STEPS,   /* a list of steps of a script: steps.h */
};

struct scenario_nested {
    const struct scenario_table *in;
    const char *key;
    enum scenario_nesting how;
    const struct scenario_table *of; /* NULL: scalars */
    uint32_t least, most;            /* names or items */
};

/* What is in the mapping or list of a key of a table; asserts that it is known. */
const struct scenario_nested *scenario_nested_find(const struct scenario_table *in,
                                                   const struct scenario_key *key);

enum { SCENARIO_WORDS_MAX = 256 };

struct scenario_words {
    struct {
        const struct scenario_key *key;
        char text[96];
    } list[SCENARIO_WORDS_MAX];
    uint32_t count;
};

/* Take the comments of an annotated scenario: what stands behind the last key of a line is said of
 * that key, where it is first said. The text is one of ours: it is asserted to be right. */
void scenario_words_load(struct scenario_words *words, const char *text);

/* What is said of a key, "" if nothing is. */
const char *scenario_words_of(const struct scenario_words *words, const struct scenario_key *key);

#endif
