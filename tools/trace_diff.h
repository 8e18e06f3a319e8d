/* Comparing two traces, for people. */
#ifndef XENSOCK_TOOLS_TRACE_DIFF_H
#define XENSOCK_TOOLS_TRACE_DIFF_H

#include "sim/run/trace_file.h"

/* Say on stderr what is wrong with the file at `path`, and return the exit code for it. */
int trace_fault(const char *path, const struct trace_file_fault *fault);

/* Compare the records of two files, print where they part, and return an exit code: CMD_OK if they
 * are the same, CMD_FAILED if not, CMD_USAGE after saying that a file cannot be read to its end. */
int trace_diff(const char *path_a, const char *path_b);

#endif
