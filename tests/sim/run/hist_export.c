/*
 * Prints histograms in every form there is, for other implementations to compare with theirs (see
 * hist_oracle). One fact a line:
 *
 *   case NAME HIGHEST        a new histogram; the lines below belong to it
 *   record VALUE COUNT       what was recorded, in this order
 *   total N, saturated N, min N, max N
 *   percentile PPM VALUE
 *   bucket INDEX LOWEST GREATEST COUNT     each in use, upwards
 *   v2 TEXT                  the export, which also ends the case
 */
#include "sim/run/metrics_hist.h"
#include "sim/time/prng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)

static struct metrics_hist *begin(const char *name, uint64_t highest_ns)
{
    struct metrics_hist *hist = metrics_hist_create(highest_ns);

    if (hist == NULL)
        abort();
    printf("case %s %" PRIu64 "\n", name, highest_ns);
    return hist;
}

static void record(struct metrics_hist *hist, uint64_t value, uint64_t count)
{
    printf("record %" PRIu64 " %" PRIu64 "\n", value, count);
    metrics_hist_record_many(hist, value, count);
}

static void print_percentiles(const struct metrics_hist *hist)
{
    static const uint32_t ppms[] = {1,      100,    1000,   10000,  100000, 250000,
                                    333333, 500000, 666667, 750000, 900000, 950000,
                                    990000, 999000, 999900, 999990, 999999, 1000000};

    for (size_t i = 0; i < sizeof(ppms) / sizeof(ppms[0]); i++)
        printf("percentile %" PRIu32 " %" PRIu64 "\n", ppms[i],
               metrics_hist_percentile_ns(hist, ppms[i]));
}

static void end(struct metrics_hist *hist)
{
    char *text = metrics_hist_encode(hist);

    if (text == NULL)
        abort();
    printf("total %" PRIu64 "\nsaturated %" PRIu64 "\nmin %" PRIu64 "\nmax %" PRIu64 "\n",
           hist->count, hist->saturated, metrics_hist_min_ns(hist), metrics_hist_max_ns(hist));
    print_percentiles(hist);
    for (size_t i = 0; i < hist->bucket_count; i++)
        if (hist->buckets[i] > 0)
            printf("bucket %zu %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", i, metrics_hist_lowest_ns(i),
                   metrics_hist_greatest_ns(i), hist->buckets[i]);
    printf("v2 %s\n", text);
    free(text);
    metrics_hist_destroy(hist);
}

/* One value in `hist`, alone. */
static void single(const char *name, uint64_t highest_ns, uint64_t value)
{
    struct metrics_hist *hist = begin(name, highest_ns);

    record(hist, value, 1);
    end(hist);
}

/* Both sides of every power of two, where an index is most easily one off. */
static void edges(void)
{
    struct metrics_hist *hist = begin("edges", METRICS_HIST_LIMIT);

    for (uint32_t bit = 1; bit < 53; bit++)
        for (uint64_t value = (UINT64_C(1) << bit) - 2; value <= (UINT64_C(1) << bit) + 2; value++)
            record(hist, value, bit);
    end(hist);
}

/* Latencies from 1 ns to 68 s, as many of each magnitude; a few saturate at 60 s. */
static void spread(const char *name, int samples, uint64_t count_below)
{
    struct metrics_hist *hist = begin(name, 60 * SECOND_NS);
    struct prng prng;

    prng_init(&prng, 1, name, 0);
    for (int i = 0; i < samples; i++) {
        uint64_t value = prng_u64(&prng) >> (28 + prng_below(&prng, 36));

        record(hist, value, 1 + prng_below(&prng, count_below));
    }
    record(hist, 61 * SECOND_NS, 2);
    end(hist);
}

int main(void)
{
    end(begin("empty", METRICS_HIST_HIGHEST_NS));
    single("zero", METRICS_HIST_HIGHEST_NS, 0);
    single("one", METRICS_HIST_HIGHEST_NS, 1);
    single("highest", METRICS_HIST_HIGHEST_NS, METRICS_HIST_HIGHEST_NS);
    single("smallest-range", 2, 2);
    single("limit", METRICS_HIST_LIMIT, METRICS_HIST_LIMIT);
    edges();
    spread("few", 10, 1);
    spread("thousand", 1000, 1);
    spread("counts", 5000, 1000000);
    spread("huge-counts", 100, UINT64_C(1) << 45);
    return 0;
}
