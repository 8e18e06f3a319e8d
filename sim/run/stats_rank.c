/*
 * The Mann-Whitney test: exact by counting, or by the normal distribution. See stats.h.
 */
#include "sim/run/stats.h"

#include "ringlib/err.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_MOST = 100000 };

static uint64_t twice_u(const struct stats_sample *from, const struct stats_sample *to)
{
    uint64_t twice = 0;

    for (uint32_t i = 0; i < from->count; i++)
        for (uint32_t j = 0; j < to->count; j++)
            twice += to->values[j] > from->values[i] ? 2 : to->values[j] == from->values[i] ? 1 : 0;
    return twice;
}

/* The sum of t^3 - t over the groups of t equal values. */
static int ties_of(const struct stats_sample *from, const struct stats_sample *to, uint64_t *ties)
{
    uint64_t count = (uint64_t)from->count + to->count, first = 0;
    uint64_t *all = malloc(count * sizeof(*all));

    if (!all)
        return -ERR_NOMEM;
    memcpy(all, from->values, from->count * sizeof(*all));
    memcpy(all + from->count, to->values, to->count * sizeof(*all));
    stats_median(all, (uint32_t)count);
    *ties = 0;
    for (uint64_t i = 1; i <= count; i++)
        if (i == count || all[i] != all[first]) {
            uint64_t equal = i - first;
            *ties += equal * equal * equal - equal;
            first = i;
        }
    free(all);
    return 0;
}

/* parts * STATS_P_ONE / whole, rounded down, at most 1: the digits of schoolbook division. */
static uint64_t share(uint64_t parts, uint64_t whole)
{
    uint64_t p = 0;

    if (parts >= whole)
        return STATS_P_ONE;
    for (uint64_t decimal = 1; decimal < STATS_P_ONE; decimal *= 10) {
        parts *= 10;
        p = p * 10 + parts / whole;
        parts %= whole;
    }
    return p;
}

/*
 * In how many of all orders of n and m values U is each number up to `most`: the coefficients of
 * the Gaussian binomial, the product over i from 1 to n of (1 - q^(m+i)) / (1 - q^i). What is in
 * between may be negative; the end is right modulo 2^64, and below it, as C(60, 30) is 2^56.7.
 */
static uint64_t orders_up_to(uint32_t n, uint32_t m, uint32_t most)
{
    uint64_t orders[STATS_EXACT_COUNT * STATS_EXACT_COUNT + 1] = {1}, sum = 0;

    for (uint32_t i = 1; i <= n; i++) {
        for (uint32_t u = most; u >= m + i && u != UINT32_MAX; u--)
            orders[u] -= orders[u - m - i];
        for (uint32_t u = i; u <= most; u++)
            orders[u] += orders[u - i];
    }
    for (uint32_t u = 0; u <= most; u++)
        sum += orders[u];
    return sum;
}

/* C(n + m, n), which fits: each step divides without a rest. */
static uint64_t all_orders(uint32_t n, uint32_t m)
{
    uint64_t orders = 1;

    for (uint32_t i = 1; i <= n; i++)
        orders = orders * (m + i) / i;
    return orders;
}

static uint64_t exact_p(uint32_t n, uint32_t m, uint64_t twice)
{
    uint32_t u = (uint32_t)(twice / 2), pairs = n * m;

    return share(2 * orders_up_to(n, m, u < pairs - u ? u : pairs - u), all_orders(n, m));
}

/* z = (|U - nm/2| - 1/2) / sqrt(nm (N^3 - N - ties) / (12 N (N - 1))), p = erfc(z / sqrt(2)). */
static uint64_t normal_p(uint64_t n, uint64_t m, uint64_t twice, uint64_t ties)
{
    uint64_t pairs = n * m, all = n + m, spread = all * all * all - all - ties;
    uint64_t off = twice > pairs ? twice - pairs : pairs - twice;

    if (off <= 1 || spread == 0)
        return STATS_P_ONE;
    /* tidy: of a test's p, no result in virtual time depends on it */
    double over = (double)(off - 1) * (double)(off - 1) * 3 * (double)all * (double)(all - 1);
    /* tidy: the same */
    double under = 2 * (double)pairs * (double)spread;
    /* tidy: the same */
    return (uint64_t)llround(erfc(sqrt(over / under)) * (double)STATS_P_ONE);
}

int stats_mann_whitney(const struct stats_sample *from, const struct stats_sample *to,
                       struct stats_test *test)
{
    uint64_t ties;

    assert(from->count >= 1 && from->count <= COUNT_MOST);
    assert(to->count >= 1 && to->count <= COUNT_MOST);
    int ret = ties_of(from, to, &ties);
    if (ret < 0)
        return ret;
    test->twice_u = twice_u(from, to);
    test->exact = ties == 0 && from->count <= STATS_EXACT_COUNT && to->count <= STATS_EXACT_COUNT;
    test->p = test->exact ? exact_p(from->count, to->count, test->twice_u)
                          : normal_p(from->count, to->count, test->twice_u, ties);
    return 0;
}

uint32_t stats_least_count(uint64_t alpha)
{
    uint32_t count = 1;

    assert(alpha >= 1);
    while (count < STATS_EXACT_COUNT && share(2, all_orders(count, count)) > alpha)
        count++;
    return count;
}
