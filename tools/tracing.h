/*
 * What a run's capture is made into when it is over: stages and time line in its result, a trace
 * for Perfetto in a file.
 *
 * A run that is to have them and takes no capture takes one for them alone, in a file beside its
 * result, and removes it.
 */
#ifndef XENSOCK_TOOLS_TRACING_H
#define XENSOCK_TOOLS_TRACING_H

#include "tools/capturing.h"
#include "tools/launch.h"
#include "tools/trace_export.h"

/* What stands on a command line. */
struct tracing_options {
    bool stages;       /* --stages */
    const char *trace; /* --trace FILE.json; NULL: none */
    bool on_failure;   /* --trace-on failure: only of a run that failed */
};

/* A run that is over. */
struct tracing_run {
    const struct scenario *scenario; /* its domains' names */
    const struct launch_outcome *outcome;
    bool failed; /* by its exit code, or what was expected of it */
};

struct tracing {
    struct tracing_options options;
    char *own;         /* the capture's file, where it is taken for this alone; else NULL */
    const char *file;  /* the capture's; NULL: none is needed */
    int64_t offset_ns; /* from the time of the processes to the file's; set it before the capture
                          is ended */
};

/* Read --trace-on; false after saying what is wrong. */
bool tracing_on(const char *text, struct tracing_options *options);

/* Before a run: `capture` is given a file in the result's directory if one is needed. False: the
 * trace cannot be written, with the reason; its code is TRACE_EXPORT_CODE. */
bool tracing_begin(struct tracing *tracing, const struct tracing_options *options,
                   const char *directory, struct capturing_options *capture,
                   char why[TRACE_EXPORT_WHY_BYTES]);

/* After it, with the capture made: add what is wanted to the result of that one run, errors among
 * it; a file that was ours alone is gone, from `capture` too. Returns the exit code, which was
 * `code` so far. */
int tracing_end(struct tracing *tracing, const struct tracing_run *run,
                struct capturing_options *capture, json_t *result, int code);

#endif
