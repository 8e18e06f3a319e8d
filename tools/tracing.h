/*
 * What a run's capture is made into when it is over: stages and time line in its result.
 *
 * A run that is to have them and takes no capture takes one for them alone, in a file beside its
 * result, and removes it.
 */
#ifndef XENSOCK_TOOLS_TRACING_H
#define XENSOCK_TOOLS_TRACING_H

#include "tools/capturing.h"
#include "tools/launch.h"

/* What stands on a command line. */
struct tracing_options {
    bool stages; /* --stages */
};

struct tracing {
    struct tracing_options options;
    char *own;         /* the capture's file, where it is taken for this alone; else NULL */
    const char *file;  /* the capture's; NULL: none is needed */
    int64_t offset_ns; /* from the time of the processes to the file's; set it before the capture
                          is ended */
};

/* Before a run: `capture` is given a file in the result's directory if one is needed. */
void tracing_begin(struct tracing *tracing, const struct tracing_options *options,
                   const char *directory, struct capturing_options *capture);

/* After it, with the capture made: add what is wanted to the result of that one run, errors among
 * it; a file that was ours alone is gone, from `capture` too. Returns the exit code, which was
 * `code` so far. */
int tracing_end(struct tracing *tracing, const struct launch_outcome *outcome,
                struct capturing_options *capture, json_t *result, int code);

#endif
