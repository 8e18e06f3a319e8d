/* What profile.c and profile_perf.c share: a `perf record` of this process. */
#ifndef XENSOCK_TOOLS_PROFILE_PRIVATE_H
#define XENSOCK_TOOLS_PROFILE_PRIVATE_H

#include "tools/profile.h"

/* Whether there is a perf, and events for it. */
bool profile_perf_possible(struct profile_why *why);

/* Start it, counting nothing yet, and wait until it listens; false, and why, if it does not. */
bool profile_perf_open(const char *path, struct profile_why *why);

/* Count, or not; returns when it does. */
void profile_perf_count(bool count);

/* End it, and wait until its file is written. */
void profile_perf_close(void);

#endif
