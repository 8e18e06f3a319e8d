/* Which event the kernel lets an unprivileged perf sample here. Opens one counter, and closes it.
 */
#ifndef XENSOCK_TOOLS_PERF_EVENT_H
#define XENSOCK_TOOLS_PERF_EVENT_H

/* "cycles"; "cpu-clock" where the machine has no hardware counters; NULL where neither may be
 * counted, with the reason in errno. */
const char *perf_event_name(void);

#endif
