/*
 * From what the processes of a run reported to a result, and to an exit code.
 *
 * A run is right when nobody saw a wrong byte, both ends counted the same bytes, no call failed
 * and nothing is left over. Each breach becomes an error of the result.
 */
#ifndef XENSOCK_TOOLS_VERDICT_H
#define XENSOCK_TOOLS_VERDICT_H

#include "sim/run/scenario.h"
#include "tools/launch.h"

/* The result of a run (record.h), finished. `*code` is the run's exit code. What turned out wrong
 * with the scenario itself is also added to `diags`, which knows its file as its first source. The
 * result is the caller's; NULL without memory. */
json_t *verdict_result(const struct scenario *scenario, struct diag_list *diags,
                       const struct launch_outcome *outcome, int *code);

#endif
