/*
 * A scenario file as a tree that can be read more than once: for who changes something between
 * (study.h). Who wants one scenario calls scenario_load.
 */
#ifndef XENSOCK_SIM_RUN_SCENARIO_TREE_H
#define XENSOCK_SIM_RUN_SCENARIO_TREE_H

#include "sim/run/scenario.h"
#include "sim/run/scenario_yaml.h"

/* Read the file and apply the overrides, as scenario_load does. Returns 0, and the tree is to be
 * freed with scenario_yaml_fini, though an override may have been reported; or -1 with what makes
 * it no scenario reported, and nothing to free. */
int scenario_tree_load(struct scenario_yaml *yaml, const char *path, const char *const *sets,
                       uint32_t set_count, struct diag_list *diags);

/* The same of a text, which is the first source of `diags` already. */
int scenario_tree_parse(struct scenario_yaml *yaml, const char *text, const char *const *sets,
                        uint32_t set_count, struct diag_list *diags);

/* Read and check the scenario it says now. Faults go to yaml->diags; with one of them `out` is not
 * to be used. */
void scenario_tree_read(struct scenario *out, struct scenario_yaml *yaml);

#endif
