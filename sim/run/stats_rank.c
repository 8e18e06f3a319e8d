/*
 * The Mann-Whitney test: exact by counting, with ties too, or by the normal distribution. See
 * stats.h.
 */
#include "sim/run/stats.h"

#include "ringlib/err.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t twice_u(const struct stats_sample *from, const struct stats_sample *to)
{
    uint64_t twice = 0;

    for (uint32_t i = 0; i < from->count; i++)
        for (uint32_t j = 0; j < to->count; j++)
            twice += to->values[j] > from->values[i] ? 2 : to->values[j] == from->values[i] ? 1 : 0;
    return twice;
}

/* The values of both sides from least to greatest, as ranks: twice the mean of the places, from 1,
 * that equal values share. */
struct ranks {
    uint64_t *twice;
    uint32_t count;
    uint64_t ties; /* the sum of t^3 - t over the groups of t equal values */
};

static int rank_all(const struct stats_sample *from, const struct stats_sample *to,
                    struct ranks *ranks)
{
    uint32_t count = from->count + to->count, first = 0;
    uint64_t *all = malloc(count * sizeof(*all));

    *ranks = (struct ranks){.twice = malloc(count * sizeof(*all)), .count = count};
    if (!all || !ranks->twice) {
        free(all);
        free(ranks->twice);
        return -ERR_NOMEM;
    }
    memcpy(all, from->values, from->count * sizeof(*all));
    memcpy(all + from->count, to->values, to->count * sizeof(*all));
    stats_median(all, count);
    for (uint32_t i = 1; i <= count; i++)
        if (i == count || all[i] != all[first]) {
            uint64_t equal = i - first;
            ranks->ties += equal * equal * equal - equal;
            for (uint32_t shared = first; shared < i; shared++)
                ranks->twice[shared] = (uint64_t)first + i + 1;
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

/* C(n + m, n), which fits: each step divides without a rest, and C(60, 30) is 2^56.7. */
static uint64_t all_orders(uint32_t n, uint32_t m)
{
    uint64_t orders = 1;

    for (uint32_t i = 1; i <= n; i++)
        orders = orders * (m + i) / i;
    return orders;
}

/* Of all choices of `chosen` ranks, those whose sum is at least `off` from the mean, as a share.
 * ways[k][s] is how many choices of k among the ranks looked at have the sum s. */
static int exact_p(const struct ranks *ranks, uint32_t chosen, uint64_t off, uint64_t *p)
{
    uint64_t width = (uint64_t)ranks->count * (ranks->count + 1) + 1, extreme = 0;
    uint64_t mean = (uint64_t)chosen * (ranks->count + 1);
    uint64_t *ways = calloc((size_t)((chosen + 1) * width), sizeof(*ways));

    if (!ways)
        return -ERR_NOMEM;
    ways[0] = 1;
    for (uint32_t i = 0; i < ranks->count; i++)
        for (uint32_t k = chosen; k > 0; k--)
            for (uint64_t s = ranks->twice[i]; s < width; s++)
                ways[k * width + s] += ways[(k - 1) * width + s - ranks->twice[i]];
    for (uint64_t s = 0; s < width; s++)
        if ((s > mean ? s - mean : mean - s) >= off)
            extreme += ways[chosen * width + s];
    *p = share(extreme, all_orders(chosen, ranks->count - chosen));
    free(ways);
    return 0;
}

/* z = (|U - nm/2| - 1/2) / sqrt(nm (N^3 - N - ties) / (12 N (N - 1))), p = erfc(z / sqrt(2)). */
static uint64_t normal_p(uint64_t n, uint64_t m, uint64_t off, uint64_t ties)
{
    uint64_t pairs = n * m, all = n + m, spread = all * all * all - all - ties;

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
    uint64_t pairs = (uint64_t)from->count * to->count, off;
    struct ranks ranks;

    assert(from->count >= 1 && from->count <= STATS_COUNT_MOST);
    assert(to->count >= 1 && to->count <= STATS_COUNT_MOST);
    int ret = rank_all(from, to, &ranks);
    if (ret < 0)
        return ret;
    test->twice_u = twice_u(from, to);
    test->exact = from->count <= STATS_EXACT_COUNT && to->count <= STATS_EXACT_COUNT;
    off = test->twice_u > pairs ? test->twice_u - pairs : pairs - test->twice_u;
    if (test->exact)
        ret = exact_p(&ranks, to->count, off, &test->p);
    else
        test->p = normal_p(from->count, to->count, off, ranks.ties);
    free(ranks.twice);
    return ret;
}

uint32_t stats_least_count(uint64_t alpha)
{
    uint32_t count = 1;

    assert(alpha >= 1);
    while (count < STATS_EXACT_COUNT && share(2, all_orders(count, count)) > alpha)
        count++;
    return count;
}

uint32_t stats_count_for(uint64_t p, uint64_t alpha, uint32_t count, uint32_t most)
{
    /* tidy: of a test's p, no result in virtual time depends on it */
    double times, values;

    if (p >= STATS_P_ONE)
        return most;
    /* tidy: the same */
    times = log((double)alpha / (double)STATS_P_ONE) /
            /* tidy: the same */
            log((double)p / (double)STATS_P_ONE);
    values = ceil(times * count);
    return values < most ? (uint32_t)values : most;
}
