/* Numbers by distribution. See draw.h. */
#include "sim/run/draw.h"

#include <assert.h>

#define ONE_Q32 (INT64_C(1) << 32)

/* The 99th percentile of a standard normal number: 2.3263478740408411. */
static const int64_t NORMAL_P99_Q32 = 9991588038;

static const int64_t EXPONENT_MOST_Q32 = 20 * ONE_Q32;

/* How many normal deviations ln p99 is above ln median, by what they are for a standard one, as a
 * multiple of 2^-24: at most ln 2^37 / 2.3. */
static int64_t sigma_q24(const struct draw *draw)
{
    int64_t log_q32 = prng_log_q32(draw->p99) - prng_log_q32(draw->median);

    return log_q32 * (1 << 24) / NORMAL_P99_Q32;
}

/* ln(max / median), or where that is below, the most that prng_exp_q32 takes. */
static int64_t exponent_most_q32(const struct draw *draw)
{
    int64_t log_q32 = prng_log_q32(draw->max) - prng_log_q32(draw->median);

    return log_q32 < EXPONENT_MOST_Q32 ? log_q32 : EXPONENT_MOST_Q32;
}

/* number times factor / 2^32, for a product below 2^63. */
static uint64_t times_q32(uint64_t number, uint64_t factor_q32)
{
    uint64_t low = number & UINT32_MAX, part = factor_q32 & UINT32_MAX;

    return number * (factor_q32 >> 32) + (number >> 32) * part + (low * part >> 32);
}

/* A power beyond what is asked for is not worked out: it may have no room. */
static uint64_t lognormal(const struct draw *draw, struct prng *prng)
{
    /* a product of at most 4.7 * 2^32 and 11.1 * 2^24 */
    int64_t exponent_q32 = prng_normal_q32(prng) * sigma_q24(draw) / (1 << 24);
    int64_t most_q32 = exponent_most_q32(draw);

    if (exponent_q32 > most_q32)
        exponent_q32 = most_q32;
    if (exponent_q32 < -EXPONENT_MOST_Q32)
        exponent_q32 = -EXPONENT_MOST_Q32;
    return times_q32(draw->median, prng_exp_q32(exponent_q32)) + 1;
}

uint64_t draw_next(const struct draw *draw, uint64_t least, struct prng *prng)
{
    uint64_t most = draw_most(draw), number = 0;

    switch (draw->kind) {
    case DRAW_FIXED: number = draw->value; break;
    case DRAW_UNIFORM: number = draw->min + prng_below(prng, draw->max - draw->min + 1); break;
    case DRAW_EXPONENTIAL: number = prng_exponential(prng, draw->mean) + 1; break;
    case DRAW_LOGNORMAL: number = lognormal(draw, prng); break;
    }
    assert(least <= most);
    if (number < least)
        return least;
    return number < most ? number : most;
}

/* ---- what is cut off ---- */

enum { GRADES = 6 };
static const uint32_t grades_ppm[GRADES] = {100000, 10000, 1000, 100, 10, 1};

/* A normal number is above so many deviations in a share of those ppm, */
static const int64_t normal_q32[GRADES] = {5504222062,  9991588038,  13272446692,
                                           15973054178, 18317566481, 20415801950};

/* an exponential one above so many means, and below so many. */
static const int64_t above_q32[GRADES] = {9889527671,  19779055341, 29668583012,
                                          39558110683, 49447638353, 59337166024};
static const int64_t below_q32[GRADES] = {452519969, 43165864, 4297116, 429518, 42950, 4295};

/* The first grade beyond which `at` is not, of limits that fall as shares grow. */
static uint32_t grade_above(const int64_t limits_q32[GRADES], int64_t at_q32)
{
    for (uint32_t i = 0; i < GRADES; i++)
        if (at_q32 < limits_q32[i])
            return grades_ppm[i];
    return 0;
}

/* ln(bound / median) in deviations; of a distribution without any, far out. */
static int64_t deviations_q32(const struct draw *draw, uint64_t bound)
{
    int64_t log_q32 = prng_log_q32(bound) - prng_log_q32(draw->median);
    int64_t sigma = sigma_q24(draw);

    if (sigma == 0)
        return log_q32 < 0 ? -EXPONENT_MOST_Q32 : EXPONENT_MOST_Q32;
    return log_q32 * (1 << 24) / sigma;
}

uint32_t draw_cut_above_ppm(const struct draw *draw)
{
    switch (draw->kind) {
    case DRAW_FIXED:
    case DRAW_UNIFORM: break;
    case DRAW_EXPONENTIAL:
        if (draw->max >= 14 * draw->mean) /* ln 10^6 is 13.8 */
            return 0;
        return grade_above(above_q32, (int64_t)((draw->max << 26) / draw->mean << 6));
    case DRAW_LOGNORMAL: return grade_above(normal_q32, deviations_q32(draw, draw->max));
    }
    return 0;
}

/* The least share of numbers that are below `least`: 1 - e^-x is at least x - x^2 / 2. */
uint32_t draw_cut_below_ppm(const struct draw *draw, uint64_t least)
{
    if (least <= 1)
        return 0; /* rounded up, none is below */
    switch (draw->kind) {
    case DRAW_FIXED: break;
    case DRAW_UNIFORM: return draw->min < least ? grades_ppm[0] : 0;
    case DRAW_EXPONENTIAL:
        for (uint32_t i = 0; i < GRADES; i++)
            if ((int64_t)(((least - 1) << 26) / draw->mean << 6) > below_q32[i])
                return grades_ppm[i];
        break;
    case DRAW_LOGNORMAL: return grade_above(normal_q32, -deviations_q32(draw, least - 1));
    }
    return 0;
}
