/*
 * The result of a study: the results of its runs (record.h) as points and repeats of one, summed up
 * and judged.
 *
 * A run's result goes in as it is; what is said of all runs (summary, expectations, exit code) is
 * derived from what is in, by study_result_judge, so the same comes of a result that was put
 * together from parts. A result knows the text of its scenario, and so is enough for that.
 * All numbers are integers. Source: ecosystem.md 6.2.
 */
#ifndef XENSOCK_SIM_RUN_STUDY_RESULT_H
#define XENSOCK_SIM_RUN_STUDY_RESULT_H

#include "sim/run/study.h"

/* Which runs of a study a result is to have. */
struct study_part {
    uint32_t index, count;   /* the index-th of `count` shards, from 1; count 0: no shard */
    const char *const *sets; /* overrides of the file */
    uint32_t set_count;
};

/* Whether a run is of that shard: each takes every count-th. */
bool study_part_has(const struct study *study, const struct study_part *part, uint32_t point,
                    uint32_t repeat);

/* A new result without runs, to be completed with what the first run's has. `diags` knows the
 * file's name and text as its first source. For json_decref(); NULL without memory. */
json_t *study_result_begin(const struct study *study, const struct study_part *part,
                           const struct diag_list *diags);

/* A run of a study, and the exit code it has by itself. */
struct study_run {
    uint32_t point, repeat;
    int code;
};

/* Put in a run's result, in place of the one that may be there. What names the program and the host
 * is the first one's. */
void study_result_add(json_t *result, const struct study *study, const struct study_run *which,
                      json_t *run);

/* Put in the runs of another result of the same study, in place of those that may be there: all, or
 * those that ended by themselves. What names the program and the host is the first one's. */
void study_result_take(json_t *result, const struct study *study, const json_t *from,
                       bool complete_only);

/* Whether another result has only runs that the study has, as objects that can be put in. */
bool study_result_fits(const struct study *study, const json_t *from);

/* Whether a run is in. */
bool study_result_has(const json_t *result, uint32_t point, uint32_t repeat);

/* Whether a run by itself, whose result this is, failed: by its exit code, unless its errors are
 * expected, or by an expectation of each repeat. */
bool study_result_failed(const struct study *study, const struct study_run *which,
                         const json_t *run);
/* Whether a run of a point has errors, and each of them is one that is expected there. */
bool study_result_excuses(const struct study *study, uint32_t point, const json_t *errors);

/* Sum up and judge what is in. `complete`: all runs that were to be made were; the result is so if
 * also each ended by itself, or as expected. Returns the exit code: 0; 1 if an expectation failed
 * or has no value; or the worst of the runs' whose errors were not expected. */
int study_result_judge(json_t *result, const struct study *study, bool complete);

#endif
