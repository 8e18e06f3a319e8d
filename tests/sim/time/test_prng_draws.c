/*
 * prng: the exponential and normal numbers. A million draws of fixed seeds are counted against the
 * distribution, so what is seen is the same in each run; the bounds are four and a half standard
 * deviations of such counts.
 */
#include "sim/time/prng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DRAWS = 1000000, BINS = 94 };

static const double ONE_AS_DOUBLE = 4294967296.0;

/* Whether `count` of DRAWS is what a probability makes likely. */
static void expect_count(uint32_t count, double probability)
{
    double expected = DRAWS * probability;
    double deviation = sqrt(expected * (1 - probability));

    if (fabs(count - expected) > 4.5 * deviation + 1)
        fail_msg("%u draws where %.1f +- %.1f were expected", count, expected, deviation);
}

/* How many are beyond k/2 means, for k up to 20: at the last, 45 are to be expected. */
static void test_exponential_counts(void **state)
{
    const uint64_t mean = 1000000007;
    uint32_t beyond[21] = {0};
    uint64_t sum = 0;
    struct prng prng;

    (void)state;
    prng_init(&prng, 42, "counts", 0);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t drawn = prng_exponential(&prng, mean);

        sum += drawn;
        for (uint32_t k = 0; k <= 20 && drawn >= mean * k / 2; k++)
            beyond[k]++;
    }
    for (uint32_t k = 0; k <= 20; k++)
        expect_count(beyond[k], exp(-0.5 * k));
    assert_in_range(sum / DRAWS, mean - mean * 3 / 1000, mean + mean * 3 / 1000);
}

static void test_exponential_of_small_and_large_means(void **state)
{
    const uint64_t most = UINT64_C(1) << 48;
    uint32_t zeros = 0, beyond = 0;
    struct prng prng;

    (void)state;
    prng_init(&prng, 42, "means", 0);
    assert_true(prng_exponential(&prng, 0) == 0);
    for (int i = 0; i < DRAWS; i++) {
        zeros += prng_exponential(&prng, 1) == 0;
        beyond += prng_exponential(&prng, most) > most;
    }
    expect_count(zeros, 1 - exp(-1));
    expect_count(beyond, exp(-1));
}

static void test_exponential_takes_one_u64(void **state)
{
    struct prng a, b;

    (void)state;
    prng_init(&a, 7, "takes", 0);
    b = a;
    prng_exponential(&a, 1000);
    prng_u64(&b);
    assert_memory_equal(&a, &b, sizeof(a));
}

static double normal_below(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

/* Bins of a tenth from -4.7 to 4.7, and the counts up to each. */
static void test_normal_counts(void **state)
{
    const double edge = 4.7, inside = 1 - 2 * normal_below(-edge);
    double sum = 0, squares = 0;
    uint32_t counts[BINS] = {0}, below = 0;
    struct prng prng;

    (void)state;
    prng_init(&prng, 42, "counts", 0);
    for (int i = 0; i < DRAWS; i++) {
        double drawn = (double)prng_normal_q32(&prng) / ONE_AS_DOUBLE;

        assert_true(fabs(drawn) <= edge);
        sum += drawn;
        squares += drawn * drawn;
        counts[(int)((drawn + edge) * 10)]++;
    }
    for (int i = 0; i < BINS; i++) {
        double from = i / 10.0 - edge, to = from + 0.1;

        below += counts[i];
        expect_count(counts[i], (normal_below(to) - normal_below(from)) / inside);
        expect_count(below, (normal_below(to) - normal_below(-edge)) / inside);
    }
    assert_true(fabs(sum / DRAWS) < 0.003);
    assert_true(fabs(squares / DRAWS - 1) < 0.005);
}

/* Stored virtual runs hang on each bit. */
static void test_golden(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, 42, "web.0", 0);
    assert_true(prng_exponential(&prng, 1000000) == 703565);
    assert_true(prng_exponential(&prng, 1000000) == 28147);
    assert_true(prng_exponential(&prng, UINT64_C(1) << 48) == 377573279531008);
    prng_init(&prng, 42, "web.0", 0);
    assert_true(prng_normal_q32(&prng) == 2158589588);
    assert_true(prng_normal_q32(&prng) == 4234191629);
    assert_true(prng_normal_q32(&prng) == 6838357717);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exponential_counts),
        cmocka_unit_test(test_exponential_of_small_and_large_means),
        cmocka_unit_test(test_exponential_takes_one_u64),
        cmocka_unit_test(test_normal_counts),
        cmocka_unit_test(test_golden),
    };

    return !!cmocka_run_group_tests_name("prng_draws", tests, NULL, NULL);
}
