/* Medians, intervals and the rank test of sim/run/stats.h, against numbers by hand and textbooks.
 */
#include "sim/run/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SAMPLE(...)                                                                                \
    (&(struct stats_sample){(const uint64_t[]){__VA_ARGS__},                                       \
                            sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)})

static void test_median(void **state)
{
    (void)state;
    assert_int_equal(stats_median((uint64_t[]){7}, 1), 7);
    assert_int_equal(stats_median((uint64_t[]){9, 1, 5}, 3), 5);
    assert_int_equal(stats_median((uint64_t[]){4, 1, 2, 9}, 4), 3);
    assert_int_equal(stats_median((uint64_t[]){4, 1, 1, 9}, 4), 2); /* 2.5 rounded down */
    assert_int_equal(stats_median((uint64_t[]){UINT64_MAX, UINT64_MAX - 2}, 2), UINT64_MAX - 1);
}

static void test_ratio(void **state)
{
    (void)state;
    assert_int_equal(stats_ratio_ppm(3, 2), 666666);
    assert_int_equal(stats_ratio_ppm(2, 3), 1500000);
    assert_int_equal(stats_ratio_ppm(0, 0), 1000000);
    assert_int_equal(stats_ratio_ppm(5, 0), 0);
    assert_int_equal(stats_ratio_ppm(0, 1), STATS_RATIO_MOST);
    assert_int_equal(stats_ratio_ppm(1, UINT64_MAX), STATS_RATIO_MOST);
    assert_in_range(stats_ratio_ppm(UINT64_MAX, UINT64_MAX - 1), 999999, 1000000);
    assert_int_equal(stats_ratio_ppm(UINT64_MAX / 2, UINT64_MAX), 2000000);
}

/* Of three values each is the median of a resample with 7, 13, 7 of 27: both ends are in. */
static void test_interval(void **state)
{
    struct stats_interval a, b;

    (void)state;
    assert_int_equal(stats_median_interval(SAMPLE(30, 10, 20), 2000, "k", &a), 0);
    assert_int_equal(a.low, 10);
    assert_int_equal(a.high, 30);
    assert_int_equal(stats_median_interval(SAMPLE(8), 40, "k", &a), 0);
    assert_int_equal(a.low, 8);
    assert_int_equal(a.high, 8);
    /* Few draws, so that another sequence would tell: numbers of this key, for ever. */
    const struct stats_sample *ten = SAMPLE(10, 20, 30, 40, 50, 60, 70, 80, 90, 100);
    assert_int_equal(stats_median_interval(ten, 40, "throughput.bulk", &a), 0);
    assert_int_equal(stats_median_interval(ten, 40, "throughput.bulk", &b), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(a.low, 30);
    assert_int_equal(a.high, 80);
    assert_int_equal(stats_median_interval(ten, 40, "latency.ask", &b), 0);
    assert_memory_not_equal(&a, &b, sizeof(a));
}

static void test_ratio_interval(void **state)
{
    struct stats_interval ppm;

    (void)state;
    assert_int_equal(stats_ratio_interval(SAMPLE(4), SAMPLE(5), 40, "k", &ppm), 0);
    assert_int_equal(ppm.low, 1250000);
    assert_int_equal(ppm.high, 1250000);
    assert_int_equal(
        stats_ratio_interval(SAMPLE(10, 20, 30), SAMPLE(100, 200, 300), 2000, "k", &ppm), 0);
    assert_in_range(ppm.low, 3333333, 5000000); /* 10 over 30 happens in 1 of 15 */
    assert_in_range(ppm.high, 20000000, 30000000);
    assert_int_equal(stats_ratio_interval(SAMPLE(0), SAMPLE(0), 40, "k", &ppm), 0);
    assert_int_equal(ppm.low, STATS_PPM);
}

static uint64_t p_of(const struct stats_sample *a, const struct stats_sample *b, bool exact)
{
    struct stats_test test, back;

    assert_int_equal(stats_mann_whitney(a, b, &test), 0);
    assert_int_equal(stats_mann_whitney(b, a, &back), 0);
    assert_int_equal(test.exact, exact);
    assert_int_equal(test.p, back.p);
    assert_int_equal(test.twice_u + back.twice_u, 2 * (uint64_t)a->count * b->count);
    return test.p;
}

static void test_exact(void **state)
{
    (void)state;
    assert_int_equal(p_of(SAMPLE(1, 2, 3), SAMPLE(4, 5, 6), true), UINT64_C(100000000000));
    assert_int_equal(p_of(SAMPLE(1, 2, 3, 4, 5), SAMPLE(6, 7, 8, 9, 10), true),
                     UINT64_C(7936507936)); /* 2 of 252 */
    assert_int_equal(p_of(SAMPLE(1, 4), SAMPLE(2, 3), true), STATS_P_ONE);
    assert_int_equal(p_of(SAMPLE(1), SAMPLE(2), true), STATS_P_ONE);
    /* U = 1 of 3 and 4: 2 * 2 / 35 */
    assert_int_equal(p_of(SAMPLE(1, 2, 4), SAMPLE(3, 5, 6, 7), true), UINT64_C(114285714285));
    /* Siegel, "Nonparametric Statistics", p. 119: U = 9 with 4 and 5, one-sided 0.452 */
    assert_int_equal(p_of(SAMPLE(78, 64, 75, 45, 82), SAMPLE(110, 70, 53, 51), true),
                     UINT64_C(904761904761));
}

static void test_ties(void **state)
{
    (void)state;
    assert_int_equal(p_of(SAMPLE(5, 5, 5), SAMPLE(5, 5, 5), true), STATS_P_ONE);
    /* Twice the ranks of 1 1 2 2 3 3: 3 3 7 7 11 11. The least sum of three, 13, comes from 3 3 and
     * either 7, the greatest, 29, likewise: 4 of 20 */
    assert_int_equal(p_of(SAMPLE(1, 1, 2), SAMPLE(2, 3, 3), true), UINT64_C(200000000000));
    /* ties on one side do not matter where the sides are apart: 2 of 252 */
    assert_int_equal(p_of(SAMPLE(1, 1, 1, 2, 2), SAMPLE(3, 3, 4, 5, 5), true),
                     UINT64_C(7936507936));
}

/* 31 times 1 2, and 2 3: pairs 961, of which b is greater in 3 of 4 and 1 of 4 ties. */
static void test_approximated(void **state)
{
    uint64_t a[62], b[62];

    (void)state;
    for (uint64_t i = 0; i < 62; i++) {
        a[i] = 1 + i % 2;
        b[i] = 2 + i % 2;
    }
    /* U = 3844 * 7 / 8, off 1441.5, ties 2 * (31^3 - 31) + 62^3 - 62 = 297786: of 124^3 - 124 =
     * 1906500 there are 1608714 left; sigma^2 = 3844 * 1608714 / (12 * 124 * 123) = 33787.7;
     * z = 1441 / 183.814 = 7.839, p = 4.5e-15 */
    assert_int_equal(p_of(&(struct stats_sample){a, 62}, &(struct stats_sample){b, 62}, false), 0);
    /* 32 even numbers, and 31 odd ones between them */
    for (uint64_t i = 0; i < 32; i++) {
        a[i] = 2 * i;
        b[i] = 2 * i + 1;
    }
    struct stats_test test;
    assert_int_equal(
        stats_mann_whitney(&(struct stats_sample){a, 32}, &(struct stats_sample){b, 31}, &test), 0);
    /* b[i] is above i + 1 of a: U = 31 * 32 / 2 = 496 of 992, off by nothing */
    assert_int_equal(test.twice_u, 992);
    assert_int_equal(test.p, STATS_P_ONE);
    for (uint64_t i = 0; i < 31; i++)
        b[i] += 4; /* above i + 3, but the last above all 32: U = 3 + 4 + ... + 32 + 32 */
    assert_int_equal(
        stats_mann_whitney(&(struct stats_sample){a, 32}, &(struct stats_sample){b, 31}, &test), 0);
    assert_int_equal(test.twice_u, 2 * 557);
    /* off by 61, z = 60.5 / sqrt(992 * 64 / 12) = 0.83176, p = 0.40554 */
    assert_in_range(test.p, UINT64_C(405542107233), UINT64_C(405542109233));
}

static void test_least_count(void **state)
{
    (void)state;
    assert_int_equal(stats_least_count(STATS_P_ONE), 1);
    assert_int_equal(stats_least_count(STATS_P_ONE / 10), 3);        /* 2 / 20 */
    assert_int_equal(stats_least_count(STATS_P_ONE / 100), 5);       /* 2 / 252 */
    assert_int_equal(stats_least_count(STATS_P_ONE / 100 / 100), 9); /* 2 / 48620 */
    assert_int_equal(stats_least_count(1), 22);                      /* 2 / 5.4e11, 2 / 2.1e12 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),       cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_interval),     cmocka_unit_test(test_ratio_interval),
        cmocka_unit_test(test_exact),        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_approximated), cmocka_unit_test(test_least_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
