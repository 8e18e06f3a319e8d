/*
 * Medians, ratios and their bootstrap intervals, in integers. See stats.h; stats_rank.c tests.
 */
#include "sim/run/stats.h"

#include "ringlib/err.h"
#include "sim/time/prng.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_RESAMPLES = 40, TAIL_PPM = 25000 };

static int compare(const void *left, const void *right)
{
    uint64_t a, b;

    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return (a > b) - (a < b);
}

/* Of two in order; their sum may not fit. */
static uint64_t middle(uint64_t low, uint64_t high)
{
    return low + (high - low) / 2;
}

uint64_t stats_median(uint64_t *values, uint32_t count)
{
    assert(count >= 1);
    qsort(values, count, sizeof(*values), compare);
    return middle(values[(count - 1) / 2], values[count / 2]);
}

/* What is drawn from: the values in order, and how often each was drawn. */
struct urn {
    uint64_t *ordered;
    uint32_t *drawn;
    uint32_t count;
};

static void urn_close(struct urn *urn)
{
    free(urn->ordered);
    free(urn->drawn);
    *urn = (struct urn){0};
}

static bool urn_open(struct urn *urn, const struct stats_sample *sample)
{
    assert(sample->count >= 1);
    *urn = (struct urn){.ordered = malloc(sample->count * sizeof(*urn->ordered)),
                        .drawn = malloc(sample->count * sizeof(*urn->drawn)),
                        .count = sample->count};
    if (!urn->ordered || !urn->drawn) {
        urn_close(urn);
        return false;
    }
    memcpy(urn->ordered, sample->values, sample->count * sizeof(*urn->ordered));
    stats_median(urn->ordered, urn->count);
    return true;
}

/* The value of this place, from 0, among all that were drawn. */
static uint64_t drawn_at(const struct urn *urn, uint32_t place)
{
    uint32_t i = 0;

    for (uint32_t before = urn->drawn[0]; before <= place; before += urn->drawn[i])
        i++;
    return urn->ordered[i];
}

/* The median of as many values as there are, drawn with replacement. */
static uint64_t draw_median(struct urn *urn, struct prng *prng)
{
    memset(urn->drawn, 0, urn->count * sizeof(*urn->drawn));
    for (uint32_t i = 0; i < urn->count; i++)
        urn->drawn[prng_below(prng, urn->count)]++;
    return middle(drawn_at(urn, (urn->count - 1) / 2), drawn_at(urn, urn->count / 2));
}

/* What lies between the outermost fortieths. */
static struct stats_interval percentiles(uint64_t *values, uint32_t count)
{
    uint32_t tail = (uint32_t)((uint64_t)count * TAIL_PPM / STATS_PPM);

    stats_median(values, count);
    return (struct stats_interval){.low = values[tail], .high = values[count - 1 - tail]};
}

int stats_median_interval(const struct stats_sample *sample, uint32_t resamples, const char *key,
                          struct stats_interval *interval)
{
    uint64_t *medians = malloc(resamples * sizeof(*medians));
    struct prng prng;
    struct urn urn;

    assert(resamples >= LEAST_RESAMPLES);
    if (!medians || !urn_open(&urn, sample)) {
        free(medians);
        return -ERR_NOMEM;
    }
    prng_init(&prng, 0, key, 0);
    for (uint32_t i = 0; i < resamples; i++)
        medians[i] = draw_median(&urn, &prng);
    *interval = percentiles(medians, resamples);
    urn_close(&urn);
    free(medians);
    return 0;
}

/* Schoolbook division, one decimal at a time: no product exceeds 64 bits. */
uint64_t stats_ratio_ppm(uint64_t from, uint64_t to)
{
    uint64_t ratio, rest;

    if (from == 0)
        return to == 0 ? STATS_PPM : STATS_RATIO_MOST;
    ratio = to / from;
    rest = to % from;
    if (ratio >= STATS_RATIO_MOST / STATS_PPM)
        return STATS_RATIO_MOST;
    while (from > UINT64_MAX / 10) { /* what is lost is less than the last digit */
        from /= 2;
        rest /= 2;
    }
    for (uint64_t decimal = 1; decimal < STATS_PPM; decimal *= 10) {
        ratio = ratio * 10 + rest * 10 / from;
        rest = rest * 10 % from;
    }
    return ratio;
}

int stats_ratio_interval(const struct stats_sample *from, const struct stats_sample *to,
                         uint32_t resamples, const char *key, struct stats_interval *ppm)
{
    uint64_t *ratios = malloc(resamples * sizeof(*ratios));
    struct urn from_urn = {0}, to_urn = {0};
    struct prng from_prng, to_prng;
    int ret = -ERR_NOMEM;

    assert(resamples >= LEAST_RESAMPLES);
    if (ratios && urn_open(&from_urn, from) && urn_open(&to_urn, to)) {
        prng_init(&from_prng, 0, key, 1);
        prng_init(&to_prng, 0, key, 2);
        for (uint32_t i = 0; i < resamples; i++) {
            uint64_t median = draw_median(&from_urn, &from_prng);
            ratios[i] = stats_ratio_ppm(median, draw_median(&to_urn, &to_prng));
        }
        *ppm = percentiles(ratios, resamples);
        ret = 0;
    }
    urn_close(&from_urn);
    urn_close(&to_urn);
    free(ratios);
    return ret;
}
