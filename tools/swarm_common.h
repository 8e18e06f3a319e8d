/* What `xensock swarm` and `xensock shrink` share: their input, plans and failures in words. */
#ifndef XENSOCK_TOOLS_SWARM_COMMON_H
#define XENSOCK_TOOLS_SWARM_COMMON_H

#include "sim/run/model.h"
#include "sim/run/swarm.h"
#include "tools/cmd.h"

struct swarm_input {
    const char *file;
    struct cmd_sets sets;
    struct scenario scenario;
    struct model model;
};

/* Become xensock-hooked, which interleaves within steps, if it stands beside this program. */
void swarm_exec_hooked(int argc, char **argv);

/* Load scenario and cost model; false after saying what is wrong with them. */
bool swarm_load(struct swarm_input *input, const char *file);

/* "3,5-9" or "none" into `keep`, by event; false after saying what is wrong. */
bool swarm_parse_list(const char *text, uint32_t count, bool *keep);

/* The same written; `text` has room for any. */
enum { SWARM_LIST_BYTES = SWARM_OPS_MAX * 5 };
void swarm_list_text(const bool *keep, uint32_t count, char text[SWARM_LIST_BYTES]);

/* Print a plan, an event a line with its number; events that are left out are not printed. */
void swarm_print_plan(const struct swarm_plan *plan, const bool *keep);

/* Say what a seed broke, and the commands that show it again and reduce it. `only` may be NULL. */
void swarm_print_failure(const struct swarm_input *input, uint64_t seed, const char *only,
                         const struct swarm_outcome *outcome);

/* Whether a file can be written; false after saying why not. */
bool swarm_can_write(const char *path);

#endif
