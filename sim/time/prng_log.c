/*
 * Logarithm, exponential and product in fixed point, for the distributions of prng.c and the costs.
 *
 * Invariant: what is not negative is rounded down at every step, so the fraction of a logarithm is
 * never above the true one.
 * Source: the series of the inverse hyperbolic tangent and of e^x, with powers of two taken out.
 */
#include "sim/time/prng.h"

#include <assert.h>
#include <stddef.h>

#define ONE (UINT64_C(1) << 32)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ln 2 as a multiple of 2^-58: so precise that 32 times its error is below 2^-32, and 32 times it
 * below 2^63. */
static const int64_t LN2_Q58 = 199786072581291494;
static const int64_t Q26 = 1 << 26; /* from multiples of 2^-32 to those of 2^-58 */

/* number / 2^32 is x 2^twos with x from 1 to 2, and ln x = 2 (z + z^3/3 + z^5/5 + ...), where
 * z = (x - 1) / (x + 1) is at most 1/3; what is left out is below 2^-36. */
int64_t prng_log_q32(uint64_t number)
{
    static const uint64_t inverses[] = {ONE / 19, ONE / 17, ONE / 15, ONE / 13, ONE / 11,
                                        ONE / 9,  ONE / 7,  ONE / 5,  ONE / 3,  ONE};
    uint64_t x_q63, z, sum = 0;
    int64_t twos;
    int zeros;

    assert(number >= 1);
    zeros = __builtin_clzll(number);
    x_q63 = number << zeros;
    twos = 31 - zeros;
    z = (x_q63 - (UINT64_C(1) << 63)) / ((x_q63 >> 32) + (ONE >> 1));
    for (size_t i = 0; i < LENGTH(inverses); i++)
        sum = inverses[i] + (sum * (z * z >> 32) >> 32);
    return twos * LN2_Q58 / Q26 + (int64_t)(sum * z >> 31);
}

/* The exponent is twos ln 2 + rest with a rest from 0 to ln 2, and e^rest = 1 + rest + rest^2/2! +
 * ...; what is left out is below 2^-39. */
uint64_t prng_exp_q32(int64_t exponent_q32)
{
    static const uint64_t inverses[] = {ONE / 479001600,
                                        ONE / 39916800,
                                        ONE / 3628800,
                                        ONE / 362880,
                                        ONE / 40320,
                                        ONE / 5040,
                                        ONE / 720,
                                        ONE / 120,
                                        ONE / 24,
                                        ONE / 6,
                                        ONE / 2,
                                        ONE,
                                        ONE};
    const int64_t most = 20 * (int64_t)ONE;
    int64_t twos, rest_q58;
    uint64_t rest, sum = 0;

    assert(exponent_q32 >= -most && exponent_q32 <= most);
    twos = exponent_q32 * Q26 / LN2_Q58;
    rest_q58 = exponent_q32 * Q26 - twos * LN2_Q58;
    if (rest_q58 < 0) {
        rest_q58 += LN2_Q58;
        twos--;
    }
    rest = (uint64_t)(rest_q58 / Q26);
    for (size_t i = 0; i < LENGTH(inverses); i++)
        sum = inverses[i] + (sum * rest >> 32);
    return twos >= 0 ? sum << twos : ((sum >> (-twos - 1)) + 1) >> 1;
}

uint64_t prng_times_q32(uint64_t number, uint64_t factor_q32)
{
    uint64_t low = number % ONE, high = number / ONE;

    assert(number <= UINT64_C(1) << 48 && factor_q32 < UINT64_C(1) << 48);
    return number * (factor_q32 / ONE) + high * (factor_q32 % ONE) +
           (low * (factor_q32 % ONE) >> 32);
}
