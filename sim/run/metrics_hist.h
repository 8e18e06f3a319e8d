/*
 * A log-linear histogram of times, with the bucket layout of HdrHistogram at 1 ns and 3
 * significant digits, and that library's V2 export.
 *
 * A bucket's width is at most 1/1024 of its values, and one below 2048 ns. Only counts are kept:
 * min, max and percentiles are those of buckets, so they are the same after a merge and after an
 * export. Integers only. One histogram has one writer.
 * Source: the layout and the encoding of HdrHistogram's documentation and implementations, which
 * are the oracle in tests/sim/run/hist_oracle.
 */
#ifndef XENSOCK_SIM_RUN_METRICS_HIST_H
#define XENSOCK_SIM_RUN_METRICS_HIST_H

#include <stddef.h>
#include <stdint.h>

/* One hour, 270 KiB of counts, of which only touched pages are used: longer than any wait that a
 * run does not already report as a stall. */
#define METRICS_HIST_HIGHEST_NS UINT64_C(3600000000000)

/* 2^53 - 1: the largest highest_ns, and the largest total of counts. Readers of the export compute
 * with doubles. */
#define METRICS_HIST_LIMIT ((UINT64_C(1) << 53) - 1)

/* Owned through create and destroy; fields are for reading. */
struct metrics_hist {
    uint64_t highest_ns; /* larger values are recorded as this one, and counted in `saturated` */
    uint64_t count;      /* of all recorded values, the saturated ones too */
    uint64_t saturated;
    size_t bucket_count;
    uint64_t buckets[]; /* how many values fell into each */
};

/* An empty histogram for values from 0 to highest_ns (2 to METRICS_HIST_LIMIT); NULL without
 * memory. */
struct metrics_hist *metrics_hist_create(uint64_t highest_ns);

/* Releases it; NULL is allowed. */
void metrics_hist_destroy(struct metrics_hist *hist);

/* Counts one value. */
void metrics_hist_record(struct metrics_hist *hist, uint64_t value_ns);

/* Counts a value `count` times; the total may not pass METRICS_HIST_LIMIT. */
void metrics_hist_record_many(struct metrics_hist *hist, uint64_t value_ns, uint64_t count);

/* Adds all counts of `from`, whose highest_ns may differ (what does not fit saturates): 0, or
 * -ERR_OVERFLOW if the total would pass METRICS_HIST_LIMIT, and nothing is added. */
int metrics_hist_merge(struct metrics_hist *hist, const struct metrics_hist *from);

/* The least value of the lowest bucket in use; 0 if empty. */
uint64_t metrics_hist_min_ns(const struct metrics_hist *hist);

/* The greatest value of the highest bucket in use, which may be above every value recorded by one
 * part in 1024; 0 if empty. */
uint64_t metrics_hist_max_ns(const struct metrics_hist *hist);

/* The greatest value of the bucket that holds the value of rank ceil(count * ppm / 10^6), ranks
 * counted from 1; 0 if empty. ppm is 1 to 1000000: 999000 is p99.9. */
uint64_t metrics_hist_percentile_ns(const struct metrics_hist *hist, uint32_t ppm);

/* The bucket that a value belongs to. */
size_t metrics_hist_bucket_index(uint64_t value_ns);

/* The least value of a bucket. */
uint64_t metrics_hist_lowest_ns(size_t bucket_index);

/* The greatest value of a bucket. */
uint64_t metrics_hist_greatest_ns(size_t bucket_index);

/* HdrHistogram's V2 compressed form in base64 ("HISTFAAAA..."), for free(); NULL without memory.
 * It holds highest_ns and the buckets; `saturated` is not in the format and travels beside it. */
char *metrics_hist_encode(const struct metrics_hist *hist);

/* A new histogram from what metrics_hist_encode wrote, `saturated` 0: 0; -ERR_NOMEM; -ERR_INVAL
 * for anything else, also for another library's export with other digits or units. On error
 * *hist is unchanged. */
int metrics_hist_decode(const char *text, struct metrics_hist **hist);

#endif
