/*
 * A run of a scenario in virtual time, in this process: what launch.h is for a run as processes,
 * with the same outcome.
 */
#ifndef XENSOCK_TOOLS_SIMULATE_H
#define XENSOCK_TOOLS_SIMULATE_H

#include "sim/run/model.h"
#include "tools/launch.h"

/* Run it with the costs of a model. The options are those of a run; their runtime directory and
 * profile have no meaning here. The outcome's references are the caller's. */
void simulate_run(const struct scenario *scenario, const struct model *model,
                  const struct launch_options *options, struct launch_outcome *outcome);

#endif
