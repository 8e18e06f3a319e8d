/*
 * sim/run/stats.h beside R's own library (GPL, so here alone): p of the rank test on recorded
 * samples to five digits, and where the bootstrap's interval must lie by the binomial distribution.
 * Without Debian's r-mathlib nothing is compared: exit 77.
 */
#include "sim/run/stats.h"
#include "sim/time/prng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#ifdef XENSOCK_RMATH
#define MATHLIB_STANDALONE
#include <Rmath.h>

enum { COUNT_MOST = 60 };

/* Throughput in bytes per second of 12 runs of scenarios/quickstart.yaml each, emulated for
 * 200 ms in turns on two shared CPUs: --notify coalesced, and immediate. */
static const uint64_t coalesced[] = {1023802382, 1026510717, 1060744361, 1457278862,
                                     1468938905, 1563143618, 800600040,  843443963,
                                     875829435,  879286408,  913960113,  991914941};
static const uint64_t immediate[] = {1038855977, 1162525750, 1169804913, 1180150778,
                                     1201723519, 1298940545, 1311620584, 1453401222,
                                     1521856608, 2180451024, 741515534,  865303182};

static void agree(double expected, uint64_t p)
{
    double off = fabs((double)p / (double)STATS_P_ONE - expected);

    if (off > 1e-5 * expected && off > 2e-12)
        fail_msg("p is %.12f, R says %.12f", (double)p / (double)STATS_P_ONE, expected);
}

/* As wilcox.test() has it. */
static double exact_of(uint32_t n, uint32_t m, uint64_t twice_u)
{
    double u = (double)(twice_u / 2), pairs = (double)n * m;
    double p = 2 * pwilcox(u < pairs - u ? u : pairs - u, m, n, 1, 0);

    return p < 1 ? p : 1;
}

static double normal_of(double n, double m, uint64_t twice_u, double ties)
{
    double z = (double)twice_u / 2 - n * m / 2;
    double sigma = sqrt(n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1))));

    z = (z - (z > 0 ? 0.5 : z < 0 ? -0.5 : 0)) / sigma;
    return 2 * pnorm(-fabs(z), 0, 1, 1, 0);
}

static void test_recorded(void **state)
{
    const struct stats_sample a = {coalesced, 12}, b = {immediate, 12};
    struct stats_test test;

    (void)state;
    assert_int_equal(stats_mann_whitney(&a, &b, &test), 0);
    assert_true(test.exact);
    agree(exact_of(12, 12, test.twice_u), test.p);
}

/* Values drawn from `range`: many ties if that is small. Ties are counted another way than there.
 */
static double draw(struct prng *prng, uint64_t range, uint64_t *values, uint32_t count)
{
    double ties = 0;

    for (uint32_t i = 0; i < count; i++)
        values[i] = prng_below(prng, range);
    for (uint32_t i = 0; i < count; i++) {
        double equal = 0;
        for (uint32_t j = 0; j < count; j++)
            equal += values[j] == values[i];
        ties += equal * equal - 1; /* each of the t members says t^2 - 1 */
    }
    return ties;
}

static void test_drawn(void **state)
{
    uint64_t values[2 * COUNT_MOST];
    uint32_t exact = 0, approximated = 0;
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, "oracle", 0);
    for (uint32_t round = 0; round < 4000; round++) {
        uint32_t n = 1 + (uint32_t)prng_below(&prng, COUNT_MOST);
        uint32_t m = 1 + (uint32_t)prng_below(&prng, COUNT_MOST);
        double ties = draw(&prng, round % 2 ? 40 : UINT64_MAX / 2, values, n + m);
        for (uint32_t i = n; i < n + m && round % 3 == 0; i++)
            values[i] += values[i] / 2 * (round % 2 == 0); /* so that small p come up */
        const struct stats_sample a = {values, n}, b = {values + n, m};
        struct stats_test test;
        assert_int_equal(stats_mann_whitney(&a, &b, &test), 0);
        assert_int_equal(test.exact, n <= 30 && m <= 30);
        if (test.exact && ties == 0)
            agree(exact_of(n, m, test.twice_u), test.p);
        else if (!test.exact && ties < pow(n + m, 3) - n - m)
            agree(normal_of(n, m, test.twice_u, ties), test.p);
        exact += test.exact;
        approximated += !test.exact;
    }
    assert_in_range(exact, 200, 4000);
    assert_in_range(approximated, 2000, 4000);
}

static int64_t twice_off(const uint64_t *values, uint32_t count, uint32_t chosen)
{
    int64_t off = 0;

    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++)
            if (!(chosen >> i & 1) && (chosen >> j & 1))
                off += (values[j] > values[i]) - (values[j] < values[i]);
    return off < 0 ? -off : off;
}

/* With ties R has no exact p: here all choices, tried one by one. */
static void test_tied(void **state)
{
    uint64_t values[10];
    struct prng prng;

    (void)state;
    prng_init(&prng, 2, "oracle", 0);
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t n = 1 + (uint32_t)prng_below(&prng, 5), m = 1 + (uint32_t)prng_below(&prng, 5);
        double all = 0, extreme = 0;
        draw(&prng, 4, values, n + m);
        const struct stats_sample a = {values, n}, b = {values + n, m};
        int64_t off = twice_off(values, n + m, ((1u << m) - 1) << n);
        struct stats_test test;
        for (uint32_t chosen = 0; chosen < 1u << (n + m); chosen++)
            if ((uint32_t)__builtin_popcount(chosen) == m) {
                all++;
                extreme += twice_off(values, n + m, chosen) >= off;
            }
        assert_int_equal(stats_mann_whitney(&a, &b, &test), 0);
        assert_true(test.exact);
        agree(extreme / all, test.p);
    }
}

/* The median of n values drawn from n (odd, different) is at most the k-th with the probability
 * that more than half of n draws, each with k/n, are. */
static void test_bootstrap(void **state)
{
    uint64_t values[COUNT_MOST];

    (void)state;
    for (uint32_t n = 3; n < COUNT_MOST; n += 2) {
        struct stats_interval interval;
        for (uint32_t i = 0; i < n; i++)
            values[i] = n - i;
        const struct stats_sample sample = {values, n};
        assert_int_equal(stats_median_interval(&sample, 20000, "n", &interval), 0);
        /* half a percent is four deviations of what 20000 draws say of 2.5 % */
        assert_true(pbinom((double)n / 2, n, (double)interval.low / n, 0, 0) > 0.025 - 0.005);
        assert_true(pbinom((double)n / 2, n, (double)(interval.low - 1) / n, 0, 0) < 0.025 + 0.005);
        assert_true(pbinom((double)n / 2, n, (double)interval.high / n, 0, 0) > 0.975 - 0.005);
        assert_true(pbinom((double)n / 2, n, (double)(interval.high - 1) / n, 0, 0) <
                    0.975 + 0.005);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_tied),
        cmocka_unit_test(test_bootstrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
#else
int main(void)
{
    return 77;
}
#endif
