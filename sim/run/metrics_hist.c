/*
 * Recording, merging and reading of histograms; metrics_hist_v2.c exports them. See
 * metrics_hist.h.
 *
 * Layout: the first 2048 buckets are one nanosecond wide; then each 1024 are twice as wide as the
 * 1024 before. In bucket numbers: a value v of b bits (b > 11) has s = v >> (b - 11), which is
 * from 1024 to 2047, and lies in bucket (b - 11) * 1024 + s.
 */
#include "sim/run/metrics_hist.h"

#include "ringlib/err.h"

#include <assert.h>
#include <stdlib.h>

#define SUB_BITS 11 /* 2048 is the power of two that 2 * 10^3 (3 digits) rounds up to */
#define HALF_COUNT 1024u

size_t metrics_hist_bucket_index(uint64_t value_ns)
{
    uint32_t bits = 64 - (uint32_t)__builtin_clzll(value_ns | (2 * HALF_COUNT - 1));
    uint32_t shift = bits - SUB_BITS;

    return (size_t)shift * HALF_COUNT + (size_t)(value_ns >> shift);
}

uint64_t metrics_hist_lowest_ns(size_t bucket_index)
{
    size_t shift;

    if (bucket_index < 2 * HALF_COUNT)
        return bucket_index;
    shift = bucket_index / HALF_COUNT - 1;
    return (uint64_t)(bucket_index % HALF_COUNT + HALF_COUNT) << shift;
}

uint64_t metrics_hist_greatest_ns(size_t bucket_index)
{
    return metrics_hist_lowest_ns(bucket_index + 1) - 1;
}

/* The buckets go on to the end of highest_ns's group of 1024, as in HdrHistogram. */
struct metrics_hist *metrics_hist_create(uint64_t highest_ns)
{
    struct metrics_hist *hist;
    size_t bucket_count = (metrics_hist_bucket_index(highest_ns) / HALF_COUNT + 1) * HALF_COUNT;

    assert(highest_ns >= 2 && highest_ns <= METRICS_HIST_LIMIT);
    if (bucket_count < 2 * HALF_COUNT)
        bucket_count = 2 * HALF_COUNT;
    hist = calloc(1, sizeof(*hist) + bucket_count * sizeof(hist->buckets[0]));
    if (hist == NULL)
        return NULL;
    hist->highest_ns = highest_ns;
    hist->bucket_count = bucket_count;
    return hist;
}

void metrics_hist_destroy(struct metrics_hist *hist)
{
    free(hist);
}

void metrics_hist_record(struct metrics_hist *hist, uint64_t value_ns)
{
    metrics_hist_record_many(hist, value_ns, 1);
}

void metrics_hist_record_many(struct metrics_hist *hist, uint64_t value_ns, uint64_t count)
{
    assert(count <= METRICS_HIST_LIMIT - hist->count);
    if (value_ns > hist->highest_ns) {
        value_ns = hist->highest_ns;
        hist->saturated += count;
    }
    hist->buckets[metrics_hist_bucket_index(value_ns)] += count;
    hist->count += count;
}

int metrics_hist_merge(struct metrics_hist *hist, const struct metrics_hist *from)
{
    if (from->count > METRICS_HIST_LIMIT - hist->count)
        return -ERR_OVERFLOW;
    for (size_t i = 0; i < from->bucket_count; i++)
        if (from->buckets[i] > 0)
            metrics_hist_record_many(hist, metrics_hist_lowest_ns(i), from->buckets[i]);
    hist->saturated += from->saturated;
    return 0;
}

/* The bucket of the value of a rank from 1 to count. */
static size_t bucket_of_rank(const struct metrics_hist *hist, uint64_t rank)
{
    size_t i = 0;
    uint64_t seen = hist->buckets[0];

    while (seen < rank)
        seen += hist->buckets[++i];
    return i;
}

uint64_t metrics_hist_min_ns(const struct metrics_hist *hist)
{
    if (hist->count == 0)
        return 0;
    return metrics_hist_lowest_ns(bucket_of_rank(hist, 1));
}

uint64_t metrics_hist_max_ns(const struct metrics_hist *hist)
{
    if (hist->count == 0)
        return 0;
    return metrics_hist_greatest_ns(bucket_of_rank(hist, hist->count));
}

/* Whole millions and the rest apart, since count * ppm does not fit in 64 bits. */
uint64_t metrics_hist_percentile_ns(const struct metrics_hist *hist, uint32_t ppm)
{
    const uint64_t million = 1000000;
    uint64_t rank;

    assert(ppm >= 1 && ppm <= million);
    if (hist->count == 0)
        return 0;
    rank = hist->count / million * ppm + (hist->count % million * ppm + million - 1) / million;
    return metrics_hist_greatest_ns(bucket_of_rank(hist, rank));
}
