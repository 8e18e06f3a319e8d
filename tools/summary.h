/* Text summaries of the CPU profiles that a run's processes wrote, by google-pprof. */
#ifndef XENSOCK_TOOLS_SUMMARY_H
#define XENSOCK_TOOLS_SUMMARY_H

#include <stdbool.h>

/* For each profile.NAME.prof in `directory` write profile.NAME.txt beside it and, if `print`, its
 * head to stdout. Without google-pprof nothing is written, and said once on stderr. */
void summary_profiles(const char *directory, bool print);

#endif
