/*
 * Drawing from the distributions of a cost model. See cost.h.
 */
#include "sim/time/cost.h"

#include <assert.h>

enum { MILLION = 1000000 };

static uint64_t draw_uniform(uint64_t low, uint64_t high, struct prng *prng)
{
    assert(low <= high);
    return low + prng_below(prng, high - low + 1);
}

static uint64_t draw_lognormal(const struct cost *cost, struct prng *prng)
{
    int64_t exponent_q32 = prng_normal_q32(prng) * (int64_t)cost->sigma_ppm / MILLION;

    assert(cost->sigma_ppm <= 2 * MILLION);
    return prng_times_q32(cost->low_ps, prng_exp_q32(exponent_q32));
}

static uint64_t draw_shape(const struct cost *cost, struct prng *prng)
{
    switch (cost->shape) {
    case COST_CONSTANT: return cost->low_ps;
    case COST_UNIFORM: return draw_uniform(cost->low_ps, cost->high_ps, prng);
    case COST_LOGNORMAL: return draw_lognormal(cost, prng);
    }
    assert(!"a shape of enum cost_shape");
    return 0;
}

uint64_t cost_draw(const struct cost *cost, struct prng *prng)
{
    uint64_t drawn_ps = draw_shape(cost, prng);

    if (cost->tail_ppm > 0 && prng_below(prng, MILLION) < cost->tail_ppm)
        drawn_ps += draw_uniform(cost->tail_low_ps, cost->tail_high_ps, prng);
    return drawn_ps;
}
