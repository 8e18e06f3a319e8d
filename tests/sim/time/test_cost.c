/* cost: each shape's range, middle and spread, the tail's chance, and what takes random numbers. */
#include "sim/time/cost.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DRAWS = 100000 };

static struct prng fresh(const char *name)
{
    struct prng prng;

    prng_init(&prng, 42, name, 0);
    return prng;
}

static void test_constant_takes_no_random_number(void **state)
{
    const struct cost cost = {.shape = COST_CONSTANT, .low_ps = 1234};
    struct prng prng = fresh("constant"), before = prng;

    (void)state;
    assert_true(cost_draw(&cost, &prng) == 1234);
    assert_memory_equal(&prng, &before, sizeof(prng));
}

static void test_uniform_has_both_ends(void **state)
{
    const struct cost cost = {.shape = COST_UNIFORM, .low_ps = 10, .high_ps = 12};
    const struct cost point = {.shape = COST_UNIFORM, .low_ps = 7, .high_ps = 7};
    struct prng prng = fresh("uniform");
    uint32_t counts[3] = {0};

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        uint64_t drawn = cost_draw(&cost, &prng);

        assert_in_range(drawn, 10, 12);
        counts[drawn - 10]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], DRAWS / 3 - 600, DRAWS / 3 + 600);
    assert_true(cost_draw(&point, &prng) == 7);
}

/* How many of DRAWS are at most median times e^exponent. */
static int lognormal_up_to(const struct cost *cost, double exponent)
{
    const double most = (double)cost->low_ps * exp(exponent);
    struct prng prng = fresh("lognormal");
    int count = 0;

    for (int i = 0; i < DRAWS; i++)
        count += (double)cost_draw(cost, &prng) <= most;
    return count;
}

/* A normal number is below -1, 0, 1 and 2 deviations with these probabilities. */
static void test_lognormal_median_and_sigma(void **state)
{
    const struct cost narrow = {.shape = COST_LOGNORMAL, .low_ps = 5000000, .sigma_ppm = 300000};
    const struct cost wide = {.shape = COST_LOGNORMAL, .low_ps = 5000000, .sigma_ppm = 2000000};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct cost *cost = i == 0 ? &narrow : &wide;
        double sigma = cost->sigma_ppm / 1e6;

        assert_in_range(lognormal_up_to(cost, -sigma), DRAWS * 0.15866 - 450,
                        DRAWS * 0.15866 + 450);
        assert_in_range(lognormal_up_to(cost, 0), DRAWS * 0.5 - 600, DRAWS * 0.5 + 600);
        assert_in_range(lognormal_up_to(cost, sigma), DRAWS * 0.84134 - 450, DRAWS * 0.84134 + 450);
        assert_in_range(lognormal_up_to(cost, 2 * sigma), DRAWS * 0.97725 - 200,
                        DRAWS * 0.97725 + 200);
    }
}

static void test_lognormal_without_deviation_is_its_median(void **state)
{
    const struct cost cost = {.shape = COST_LOGNORMAL, .low_ps = UINT64_C(1) << 48};
    struct prng prng = fresh("median");

    (void)state;
    assert_true(cost_draw(&cost, &prng) == UINT64_C(1) << 48);
}

static void test_tail_strikes_as_often_as_said(void **state)
{
    const struct cost cost = {.shape = COST_CONSTANT,
                              .low_ps = 100,
                              .tail_ppm = 20000,
                              .tail_low_ps = 1000,
                              .tail_high_ps = 1009};
    struct prng prng = fresh("tail");
    uint32_t struck = 0, ends = 0;

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        uint64_t drawn = cost_draw(&cost, &prng);

        if (drawn == 100)
            continue;
        assert_in_range(drawn, 1100, 1109);
        struck++;
        ends += drawn == 1100 || drawn == 1109;
    }
    assert_in_range(struck, 1800, 2200);
    assert_in_range(ends, struck / 5 - 80, struck / 5 + 80);
}

static void test_tail_always_and_never(void **state)
{
    struct cost cost = {
        .shape = COST_UNIFORM, .low_ps = 1, .high_ps = 2, .tail_low_ps = 50, .tail_high_ps = 50};
    struct prng prng = fresh("always");

    (void)state;
    for (int i = 0; i < 1000; i++) {
        cost.tail_ppm = 1000000;
        assert_in_range(cost_draw(&cost, &prng), 51, 52);
        cost.tail_ppm = 0;
        assert_in_range(cost_draw(&cost, &prng), 1, 2);
    }
}

/* Stored virtual runs hang on each bit. */
static void test_golden(void **state)
{
    const struct cost cost = {.shape = COST_LOGNORMAL,
                              .low_ps = 2000000,
                              .sigma_ppm = 400000,
                              .tail_ppm = 500000,
                              .tail_low_ps = 10000000,
                              .tail_high_ps = 90000000};
    struct prng prng = fresh("web.0");

    (void)state;
    assert_true(cost_draw(&cost, &prng) == 2445333);
    assert_true(cost_draw(&cost, &prng) == 52602020);
    assert_true(cost_draw(&cost, &prng) == 12707907);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_takes_no_random_number),
        cmocka_unit_test(test_uniform_has_both_ends),
        cmocka_unit_test(test_lognormal_median_and_sigma),
        cmocka_unit_test(test_lognormal_without_deviation_is_its_median),
        cmocka_unit_test(test_tail_strikes_as_often_as_said),
        cmocka_unit_test(test_tail_always_and_never),
        cmocka_unit_test(test_golden),
    };

    return !!cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
