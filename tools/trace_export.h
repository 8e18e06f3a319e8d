/* A capture as a trace for Perfetto, in a file that appears whole or not at all. */
#ifndef XENSOCK_TOOLS_TRACE_EXPORT_H
#define XENSOCK_TOOLS_TRACE_EXPORT_H

#include "sim/run/perfetto.h"

#define TRACE_EXPORT_CODE "E0704"

enum { TRACE_EXPORT_WHY_BYTES = 1024 };

/* Whether a file of --trace is one of these: its name ends in .json. */
bool trace_export_is(const char *file);

/* Why no trace can be written there, in `why`: then false. */
bool trace_export_can(const char *to, char why[TRACE_EXPORT_WHY_BYTES]);

/* Export it to `to`: NULL; else an error's code, with the reason in `why`, and what was there is as
 * it was. */
const char *trace_export_file(const char *capture, const char *to,
                              const struct perfetto_config *config,
                              struct perfetto_summary *summary, char why[TRACE_EXPORT_WHY_BYTES]);

/* What was left out for its limit, on stderr, if anything was. */
void trace_export_note(const struct perfetto_summary *summary);

/* xensock trace export: its arguments, its exit code. */
int trace_export(int argc, char **argv);

#endif
