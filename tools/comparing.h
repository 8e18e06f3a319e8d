/* What `compare` and `baseline` share: options of a comparison, and how it and its refusal print.
 */
#ifndef XENSOCK_TOOLS_COMPARING_H
#define XENSOCK_TOOLS_COMPARING_H

#include "sim/run/compare.h"

#include <getopt.h>

enum comparing_format { COMPARING_TEXT, COMPARING_JSON, COMPARING_MARKDOWN };

struct comparing {
    struct compare_options options;
    enum comparing_format format;
};

/* The long options that comparing_take takes. */
/* clang-format off */
#define COMPARING_OPTIONS                                                                          \
    {"alpha", required_argument, NULL, 'A'},                                                       \
    {"min-effect", required_argument, NULL, 'E'},                                                  \
    {"metric", required_argument, NULL, 'M'},                                                      \
    {"allow-different-host", no_argument, NULL, 'H'},                                              \
    {"json", no_argument, NULL, 'J'},                                                              \
    {"markdown", no_argument, NULL, 'D'}
/* clang-format on */
#define COMPARING_HELP                                                                             \
    "  --min-effect SHARE      what is less does not matter (default 5%)\n"                        \
    "  --alpha P               how likely one false alarm may be (default 0.01)\n"                 \
    "  --metric NAME           only what begins so; may be given often\n"                          \
    "  --allow-different-host  compare what different machines measured\n"                         \
    "  --json, --markdown      the comparison in that form\n"

/* Before any option. */
void comparing_init(struct comparing *comparing);

/* Take one of COMPARING_OPTIONS; false after saying what is wrong, or if it is none of them. */
bool comparing_take(struct comparing *comparing, int option, const char *text);

/* Print a refusal, and return the exit code for it. */
int comparing_refused(const struct comparing *comparing, const char *command,
                      const struct compare_refusal *refusal);

/* Compare what is in two files or directories, print it, and return the exit code. */
int comparing_run(const struct comparing *comparing, const char *command, const char *path_a,
                  const char *path_b);

#endif
