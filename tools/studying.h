/*
 * `xensock run`: a study from its file to its result.
 *
 * The runs that were asked for are made one after the other (in virtual time several at a time,
 * each worker a process with a share of them), each judged by itself; what has been measured is
 * written now and then, and whatever ends it.
 */
#ifndef XENSOCK_TOOLS_STUDYING_H
#define XENSOCK_TOOLS_STUDYING_H

#include "sim/run/study_result.h"
#include "tools/capturing.h"
#include "tools/launch.h"
#include "tools/profiling.h"
#include "tools/tracing.h"

#include <signal.h>

enum { STUDYING_ALLOW_MAX = 30, STUDYING_ONLY_MAX = 64, STUDYING_JOBS_MAX = 64 };

/* Held back, ends a worker behind its run, where other signals end the run too. */
#define STUDYING_STOP SIGUSR1

/* AXIS=VALUE of --only. */
struct studying_only {
    const char *text;
    uint32_t axis, value; /* once the study is known */
};

struct studying_options {
    const char *file;
    struct cmd_sets sets;
    const char *out; /* or NULL: out/NAME */
    struct launch_options launch;
    const char *allow[STUDYING_ALLOW_MAX];
    struct capturing_options capture;
    struct profiling profiling;
    struct tracing_options traced;
    bool json, quiet, fail_fast, resume;
    uint32_t jobs;          /* at a time, in virtual time; at least 1 */
    uint32_t shard, shards; /* from 1; 0: no shard */
    int64_t point, repeat;  /* the only ones, or -1 */
    struct studying_only only[STUDYING_ONLY_MAX];
    uint32_t only_count;
};

/* What is known of a study that is run. */
struct studying {
    struct studying_options *options;
    struct study *study;
    struct diag_list *diags;
    struct study_part part;
    json_t *result;
    char out[512];     /* where result.json goes; of a worker a directory of its own */
    const char *files; /* where files of single runs go, if not there */
    uint8_t
        *wanted; /* of each run, by point * repeat_count + repeat: whether it is still to be made */
    uint32_t run_count, done; /* of those: all, and made */
    uint32_t kept;            /* of those made: by an earlier run */
    uint64_t start_ns, said_ns;
    uint64_t write_ns; /* not before this is what there is written again */
    int told_fd;       /* of a worker: where it tells the indexes of runs that are done; or 0 */
    int code;          /* why it ended early; CMD_OK: it did not */
    uint64_t captured; /* packets, of the last run */
};

/* Run it; the exit code. */
int studying_run(struct studying_options *options);

/* Note which runs are to be made; false if what was asked for is not there, or if it does not go
 * with the mode or with several runs, after saying so. */
bool studying_choose(struct studying *studying);
bool studying_suits(const struct studying *studying);

/* Whether a run is asked for; whether the command line chose some: then the result of all is not to
 * be replaced by theirs. */
bool studying_is_asked(const struct studying *studying, uint32_t point, uint32_t repeat);
bool studying_is_choice(const struct studying_options *options);

/* One run: its result, for json_decref(), and its exit code; NULL without memory, or, with a code,
 * if it could not begin, which has been said. */
json_t *studying_one(struct studying *studying, uint32_t point, uint32_t repeat, int *code);

/* All runs that are wanted, one after the other, or by workers; ended early, `code` says why. A run
 * that cannot begin ends it. */
void studying_make(struct studying *studying);
void studying_jobs(struct studying *studying);

/* Of workers that were killed together with who would have put it together: take it in, if it is of
 * this study (whether there was any), and remove it. */
bool studying_jobs_take_left(struct studying *studying);
void studying_jobs_drop_left(const struct studying *studying);

/* Why a result cannot be gone on with; NULL if it can. One without runs has no version. */
const char *studying_cannot_resume(const struct studying *studying, const json_t *old);

/* Write the result as it is: 0, or a negated errno. */
int studying_write(struct studying *studying);

/* A run is done, by its index: say how far it all is. */
void studying_say_done(struct studying *studying, uint32_t run);

/* Errors before there is a result, in the format that was asked for; takes `errors`. */
void studying_print_errors(json_t *errors);

#endif
