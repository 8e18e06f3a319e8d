/*
 * The profiles of a run: of each process but the hypervisor, or in virtual time of this one; and
 * what is made of them, a table (.txt) and a flame graph (.svg) each, beside the result.
 *
 * Files are called profile.PART.*: .prof (CPU), .heap or .data (perf) is the profile itself. Those
 * that a run left there before are removed when a new one begins.
 */
#ifndef XENSOCK_TOOLS_PROFILING_H
#define XENSOCK_TOOLS_PROFILING_H

#include "tools/profile.h"

struct profiling {
    enum profile_kind kind; /* PROFILE_NONE: none is wanted, and nothing below does anything */
    char prefix[600];
    char own[640]; /* file of this process's, in virtual time */
};

/* Want one: `word` is "cpu", "heap" or "perf". False after saying why there cannot be one. Does not
 * return where this program must be executed anew for it. */
bool profiling_want(struct profiling *profiling, const char *word);

/* A run begins, whose result goes to the directory `out`; in virtual time this process is the one
 * that will be profiled, once it calls profile_start. */
void profiling_begin(struct profiling *profiling, const char *out, bool own);

/* It has ended. Summarise what its processes wrote and, if `print`, show the head of each. What is
 * missing for that is said once on stderr, and the profiles stay as they are. */
void profiling_end(struct profiling *profiling, const char *out, bool print);

#endif
