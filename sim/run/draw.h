/*
 * Numbers by distribution: how many bytes a request has, how long somebody thinks.
 *
 * Integers only, from prng.h, so the same on every compiler and word size. Knows no scenario and no
 * unit. Whatever is drawn is rounded up to a whole number and lies between `least`, which the
 * caller says, and the most that the distribution says: what would lie beyond is that bound itself.
 * Errors: a logarithm is exact to 2^-28 and a power of e to one part in 2^24 (prng.h), so a
 * log-normal number is the true one of its normal number to one part in 2^23, or 1. Normal numbers
 * beyond 4.7 deviations, 2.6 in a million, are drawn again; e^20 times the median is the most.
 */
#ifndef XENSOCK_SIM_RUN_DRAW_H
#define XENSOCK_SIM_RUN_DRAW_H

#include "sim/time/prng.h"

#include <stdbool.h>

#define DRAW_KINDS(X)                                                                              \
    X(FIXED, "fixed")                                                                              \
    X(UNIFORM, "uniform")                                                                          \
    X(EXPONENTIAL, "exponential")                                                                  \
    X(LOGNORMAL, "lognormal")

#define X(constant, word) DRAW_##constant,
enum draw_kind { DRAW_KINDS(X) };
#undef X

/* Each number is below 2^37 and, but for `value`, at least 1. */
struct draw {
    enum draw_kind kind;
    uint64_t value;       /* of fixed; 0: there is none */
    uint64_t min;         /* of uniform */
    uint64_t max;         /* of all but fixed: the most; not below min */
    uint64_t mean;        /* of exponential, before max cuts it */
    uint64_t median, p99; /* of lognormal, before max cuts it; p99 is not below the median */
};

/* Whether it says anything at all. */
static inline bool draw_is_given(const struct draw *draw)
{
    return draw->kind != DRAW_FIXED || draw->value != 0;
}

/* The most it can give. */
static inline uint64_t draw_most(const struct draw *draw)
{
    return draw->kind == DRAW_FIXED ? draw->value : draw->max;
}

/* The next number, from `least`, which is not above draw_most, to draw_most. Takes nothing of the
 * sequence if it is fixed, else one prng_u64, or now and then more. */
uint64_t draw_next(const struct draw *draw, uint64_t least, struct prng *prng);

/* How much is cut off by its `max`, or (below) by `least`: the greatest power of ten, in ppm from 1
 * to 100000, that the share of cut numbers is above; 0 if they are 1 ppm or less. */
uint32_t draw_cut_above_ppm(const struct draw *draw);
uint32_t draw_cut_below_ppm(const struct draw *draw, uint64_t least);

#endif
