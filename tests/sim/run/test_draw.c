/*
 * Numbers by distribution: their shapes against the true ones, their bounds, and each bit of some.
 * The quantiles are those of Python's statistics.NormalDist, and of -log(1 - share).
 */
#include "sim/run/draw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DRAWS = 200000 };

static const struct draw lognormal = {
    .kind = DRAW_LOGNORMAL, .median = 512, .p99 = 16384, .max = 1 << 24};
static const struct draw exponential = {.kind = DRAW_EXPONENTIAL, .mean = 512, .max = 1 << 24};
static const struct draw uniform = {.kind = DRAW_UNIFORM, .min = 64, .max = 4096};

static uint32_t count_to(const struct draw *draw, uint64_t value)
{
    uint32_t count = 0;
    struct prng prng;

    prng_init(&prng, 42, "draws", 7);
    for (int i = 0; i < DRAWS; i++)
        count += draw_next(draw, 1, &prng) <= value;
    return count;
}

/* As many as there should be, up to 4.5 deviations of such a count. */
static void expect_share(const struct draw *draw, uint64_t value, double share)
{
    double off = fabs(count_to(draw, value) - share * DRAWS);

    if (off > 4.5 * sqrt(share * (1 - share) * DRAWS))
        fail_msg("up to %u: %u, not %.0f", (unsigned)value, count_to(draw, value), share * DRAWS);
}

/* Rounded up, a number is at most `value` where it was before; of the true quantiles below, the
 * whole ones are the same to a tenth of a deviation. */
static void shapes(void **state)
{
    static const struct {
        uint64_t value;
        double share;
    } tails[] = {{5, 0.00094},   {16, 0.01},      {187, 0.2495}, {512, 0.5},
                 {1398, 0.7499}, {3455, 0.90001}, {16384, 0.99}, {51127, 0.999}};

    (void)state;
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
        expect_share(&lognormal, tails[i].value, tails[i].share);
    for (uint64_t value = 1; value < 5000; value = value * 3 / 2 + 1)
        expect_share(&exponential, value, 1 - exp(-(double)value / 512));
    for (uint64_t value = 64; value < 4096; value += 401)
        expect_share(&uniform, value, (double)(value - 63) / (4096 - 63));
    assert_int_equal(count_to(&uniform, 63), 0);
    assert_int_equal(count_to(&uniform, 4096), DRAWS);
}

/* A bound is what lies beyond it, and it is as often as it should be. */
static void bounds(void **state)
{
    struct draw cut = lognormal;
    uint32_t low = 0, high = 0;
    struct prng prng;

    (void)state;
    cut.max = 3455;
    prng_init(&prng, 42, "cut", 0);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t number = draw_next(&cut, 16, &prng);
        assert_true(number >= 16 && number <= 3455);
        low += number == 16;
        high += number == 3455;
    }
    assert_true(abs((int)low - DRAWS / 100) < 250);
    assert_true(abs((int)high - DRAWS / 10) < 650);
}

/* As far as their numbers go: nothing overflows, and nothing is 0. */
static void extremes(void **state)
{
    static const uint64_t most = (UINT64_C(1) << 37) - 1;
    static const struct draw all[] = {
        {.kind = DRAW_LOGNORMAL, .median = 1, .p99 = most, .max = most},
        {.kind = DRAW_LOGNORMAL, .median = most, .p99 = most, .max = most},
        {.kind = DRAW_LOGNORMAL, .median = 1, .p99 = 1, .max = 1},
        {.kind = DRAW_LOGNORMAL, .median = 3, .p99 = 3, .max = most},
        {.kind = DRAW_EXPONENTIAL, .mean = most, .max = most},
        {.kind = DRAW_EXPONENTIAL, .mean = 1, .max = 1},
        {.kind = DRAW_UNIFORM, .min = most, .max = most},
        {.kind = DRAW_UNIFORM, .min = 1, .max = most}};
    struct prng prng;

    (void)state;
    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
        prng_init(&prng, 1, "extremes", k);
        for (int i = 0; i < 20000; i++) {
            uint64_t number = draw_next(&all[k], 1, &prng);
            assert_true(number >= 1 && number <= all[k].max);
        }
        draw_cut_above_ppm(&all[k]);
        draw_cut_below_ppm(&all[k], 16);
    }
}

/* Without a spread it is the median, or the next number. */
static void no_spread(void **state)
{
    struct draw draw = {.kind = DRAW_LOGNORMAL, .median = 1000, .p99 = 1000, .max = 5000};
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, "none", 0);
    for (int i = 0; i < 100; i++)
        assert_true(draw_next(&draw, 1, &prng) - 1000 <= 1);
}

static void fixed_takes_nothing(void **state)
{
    struct draw draw = {.kind = DRAW_FIXED, .value = 77};
    struct prng prng, before;

    (void)state;
    prng_init(&prng, 1, "fixed", 0);
    before = prng;
    assert_int_equal(draw_next(&draw, 1, &prng), 77);
    assert_memory_equal(&prng, &before, sizeof(prng));
    assert_true(draw_is_given(&draw));
    assert_false(draw_is_given(&(struct draw){.kind = DRAW_FIXED}));
}

static void cuts(void **state)
{
    static const struct {
        uint64_t max;
        uint32_t lognormal_ppm, exponential_ppm; /* the true shares stand beside */
    } rows[] = {
        {3000, 100000, 1000}, /* 11.8 % and 0.29 % */
        {4000, 10000, 100},   /* 8.4 % and 405 ppm */
        {16000, 10000, 0},    /* 1.04 % and 0 */
        {17000, 1000, 0},     /* 0.94 % */
        {600000, 1, 0},       /* 1.05 ppm */
        {620000, 0, 0},       /* 0.93 ppm */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct draw draw = lognormal;
        draw.max = rows[i].max;
        assert_int_equal(draw_cut_above_ppm(&draw), rows[i].lognormal_ppm);
        draw = exponential;
        draw.max = rows[i].max;
        assert_int_equal(draw_cut_above_ppm(&draw), rows[i].exponential_ppm);
    }
    assert_int_equal(draw_cut_below_ppm(&lognormal, 1), 0);
    assert_int_equal(draw_cut_below_ppm(&lognormal, 16), 1000);    /* 0.9 % are up to 15 */
    assert_int_equal(draw_cut_below_ppm(&lognormal, 18), 10000);   /* 1.1 % up to 17 */
    assert_int_equal(draw_cut_below_ppm(&lognormal, 2), 10);       /* 14 ppm up to 1 */
    assert_int_equal(draw_cut_below_ppm(&exponential, 16), 10000); /* 2.9 % */
    assert_int_equal(draw_cut_below_ppm(&exponential, 6), 1000);   /* 0.97 % */
    assert_int_equal(draw_cut_below_ppm(&uniform, 64), 0);
}

/* Stored virtual runs hang on each bit. */
static void golden(void **state)
{
    static const struct draw *const all[] = {&lognormal, &exponential, &uniform};
    static const uint64_t numbers[3][4] = {
        {332, 21648, 373, 408}, {376, 707, 101, 1034}, {691, 2697, 4008, 3955}};
    struct prng prng;

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        prng_init(&prng, 42, "web/pages", k);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(draw_next(all[k], 1, &prng), numbers[k][i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),   cmocka_unit_test(bounds),
        cmocka_unit_test(extremes), cmocka_unit_test(no_spread),
        cmocka_unit_test(cuts),     cmocka_unit_test(fixed_takes_nothing),
        cmocka_unit_test(golden),
    };

    return !!cmocka_run_group_tests_name("draw", tests, NULL, NULL);
}
