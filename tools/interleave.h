/*
 * Runs of two arms of one scenario in turns, A B B A, so that what drifts meets both alike.
 *
 * Each run is a child process `COMMAND run --quiet --out DIR/a/N ...`, one at a time, and keeps its
 * result; DIR/arms.json says what the arms are, so that more runs can be added later. Whatever ends
 * this early, what was measured stays. It compares nothing.
 */
#ifndef XENSOCK_TOOLS_INTERLEAVE_H
#define XENSOCK_TOOLS_INTERLEAVE_H

#include "sim/run/compare.h"

struct interleave {
    const char *out; /* DIR */
    uint64_t runs;   /* of each arm, in addition to those that are there */
    bool more;       /* go on with what DIR/arms.json says */
    bool quiet;
    json_t *arms; /* {"schema", "file", "a": {"command", "arguments"}, "b"}; unused with `more` */
};

/* New arms of a scenario, of this program: both without arguments; NULL if that is impossible. For
 * json_decref(). */
json_t *interleave_arms(const char *file);

/* Let an arm ("a", "b") be a command, or give it an argument "--set=X"; false if it is not UTF-8.
 */
bool interleave_command(json_t *arms, const char *arm, const char *command);
bool interleave_argument(json_t *arms, const char *arm, const char *option, const char *value);

/* Run them. CMD_OK: both arms have their runs; CMD_INTERRUPTED: told to end; else the code of a run
 * that could not be made, or of this, with `refusal` filled in. */
int interleave_run(const struct interleave *interleave, struct compare_refusal *refusal);

#endif
