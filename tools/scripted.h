/*
 * A run of a scenario with a script (sim/run/steps.h): played, and its result.
 */
#ifndef XENSOCK_TOOLS_SCRIPTED_H
#define XENSOCK_TOOLS_SCRIPTED_H

#include "sim/run/scenario_yaml.h"
#include "tools/launch.h"

/* Play the script that the tree has now. The result of the run (record.h), finished, for
 * json_decref(), and its exit code; NULL without memory. */
json_t *scripted_run(const struct scenario *scenario, struct scenario_yaml *yaml,
                     const struct launch_options *options, int *code);

#endif
