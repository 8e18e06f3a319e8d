/*
 * Statistics over the values of runs: medians, how sure they are, and whether two sets differ.
 *
 * A value is what one run measured (never what one operation took: operations of one run are not
 * independent): nanoseconds, bytes, rates. All in integers and the same on every machine, but for
 * p above 30 values a side, which is rounded to its last digits by libm.
 *
 * Memory is taken only while a function runs. Sources: Efron and Tibshirani, "An Introduction to
 * the Bootstrap", 13.3 (percentile interval); Mann and Whitney (1947); Lehmann, "Nonparametrics",
 * 1.4 (ties, continuity). Draws are Philox's (sim/time/prng.h).
 */
#ifndef XENSOCK_SIM_RUN_STATS_H
#define XENSOCK_SIM_RUN_STATS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    STATS_RESAMPLES = 2000,    /* enough that the ends of an interval of 95 % stand still */
    STATS_INTERVAL_COUNT = 3,  /* with fewer values an interval says nothing */
    STATS_PPM = 1000000,       /* a ratio of 1 */
    STATS_COUNT_MOST = 100000, /* values a side of a test */
    STATS_EXACT_COUNT = 30,    /* values a side up to which p is exact */
};
#define STATS_P_ONE UINT64_C(1000000000000) /* p = 1 */
#define STATS_RATIO_MOST UINT64_C(1000000000000)

/* The caller's values, in any order; not changed. */
struct stats_sample {
    const uint64_t *values;
    uint32_t count; /* from 1 */
};

/* Both ends are in it. */
struct stats_interval {
    uint64_t low, high;
};

/* Puts values in order and returns the middle one; of an even count the mean of the middle two,
 * rounded down. `count` is from 1. */
uint64_t stats_median(uint64_t *values, uint32_t count);

/* The percentile bootstrap interval of 95 % of the median, from `resamples` draws (at least 40) of
 * a sequence that `key` names: the same key, the same interval, for ever. 0, or -ERR_NOMEM. */
int stats_median_interval(const struct stats_sample *sample, uint32_t resamples, const char *key,
                          struct stats_interval *interval);

/* to / from in millionths, rounded down (from 2^60 the last digit may be one more):
 * 1000000 if both are 0; at most STATS_RATIO_MOST, which it
 * is where `from` alone is 0. */
uint64_t stats_ratio_ppm(uint64_t from, uint64_t to);

/* The same interval of median(to) / median(from), as stats_ratio_ppm; each side is drawn from by
 * itself. 0, or -ERR_NOMEM. */
int stats_ratio_interval(const struct stats_sample *from, const struct stats_sample *to,
                         uint32_t resamples, const char *key, struct stats_interval *ppm);

/* Of the Mann-Whitney test. */
struct stats_test {
    uint64_t twice_u; /* twice the pairs where `to` is greater; a tie counts once */
    uint64_t p;       /* two-sided, of STATS_P_ONE */
    bool exact;       /* p is counted; else approximated, ties and continuity corrected */
};

/* Whether one side tends to be greater: 0, or -ERR_NOMEM. Counts are at most STATS_COUNT_MOST. */
int stats_mann_whitney(const struct stats_sample *from, const struct stats_sample *to,
                       struct stats_test *test);

/* How many values a side it takes at least until the test can say p <= alpha, which is from 1 (of
 * STATS_P_ONE): two sides that do not overlap at all. */
uint32_t stats_least_count(uint64_t alpha);

/* About how many values a side it takes until such a difference, of which `count` gave p, has p <=
 * alpha; at most `most`. A normal tail's logarithm goes with the square of how far out it begins,
 * and so with the values. */
uint32_t stats_count_for(uint64_t p, uint64_t alpha, uint32_t count, uint32_t most);

#endif
