/*
 * Cost models: what things cost in virtual time, read from a YAML file and checked completely.
 *
 * Those of scenarios/models/ are part of the program, by name; others are files. Every number comes
 * with where it is from and how far to trust it, or it is refused. Draws nothing: cost.h does.
 * The format is documented in xensock-scenario(5), the sources in scenarios/models/README.md.
 */
#ifndef XENSOCK_SIM_RUN_MODEL_H
#define XENSOCK_SIM_RUN_MODEL_H

#include "sim/run/payload.h"
#include "sim/run/scenario.h"
#include "sim/time/cost.h"

enum {
    MODEL_FILE_BYTES_MAX = 1 << 16,
    MODEL_SOURCE_BYTES = 256,
};

#define MODEL_SCHEMA "xensock/model/1"

/* How a number came to be known, each with its constant: MODEL_READ is "read". */
#define MODEL_KNOWN(X)                                                                             \
    X(READ, "read")           /* stands in a source that was read */                               \
    X(RECALLED, "recalled")   /* from a source that was remembered, not read again */              \
    X(DERIVED, "derived")     /* calculated from numbers of sources */                             \
    X(MEASURED, "measured")   /* on a machine of the kind meant */                                 \
    X(ESTIMATED, "estimated") /* a guess, with its reason */

#define X(constant, word) MODEL_##constant,
enum model_known { MODEL_KNOWN(X) };
#undef X

/* Where a number is from. */
struct model_origin {
    char source[MODEL_SOURCE_BYTES]; /* never empty; "A1" and the like are rows of the README */
    uint32_t factor_ppm;             /* from 10^6: at 80 %, the truth is within this factor of it */
    enum model_known known;
};

struct model {
    char schema[SCENARIO_NAME_BYTES];
    char name[SCENARIO_NAME_BYTES];
    char description[SCENARIO_TEXT_BYTES];
    char digest[PAYLOAD_DIGEST_TEXT_BYTES]; /* XXH3-128 of its text */
    struct costs costs;
    struct model_origin rows[COST_ROWS_COUNT];
    struct model_origin dozing_after, asleep_after, slice;
};

/* Whether a scenario's `cost_model` is the path of a file: it has a slash, or ends in .yaml. */
bool model_is_path(const char *which);

/* The i-th model that is part of the program, in order of their names; NULL behind the last. */
const char *model_at(uint32_t i);

/* Report that `which`, which is no path, is no model of the program, if so, and suggest one.
 * Returns whether it is one. */
bool model_check_name(const char *which, struct diag_list *diags, struct diag_place place);

/* Read and check a model: one of the program, or a file, whose path is taken from the directory of
 * the file `beside`, a scenario. Returns 0, or -1 with every fault found in `diags`, sorted; `out`
 * is then not to be used. `diags` holds no error; the model becomes its next source. */
int model_load(struct model *out, const char *which, const char *beside, struct diag_list *diags);

#endif
