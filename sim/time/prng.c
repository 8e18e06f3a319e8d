/*
 * Philox4x32-10 as a sequence of numbers, and distributions of them. See prng.h.
 *
 * Invariant: `block` is the cipher of (`counter` - 1) whenever taken < 4.
 */
#include "sim/time/prng.h"

#include <assert.h>
#include <Random123/philox.h>
#include <string.h>
#include <xxhash.h>

void prng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t block[4])
{
    philox4x32_key_t k = {{key[0], key[1]}};
    philox4x32_ctr_t c = {{counter[0], counter[1], counter[2], counter[3]}};

    c = philox4x32_R(10, c, k);
    memcpy(block, c.v, sizeof(c.v));
}

void prng_init(struct prng *prng, uint64_t seed, const char *entity, uint64_t stream)
{
    uint64_t hash = XXH3_64bits_withSeed(entity, strlen(entity), stream);

    *prng = (struct prng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, 0, (uint32_t)hash, (uint32_t)(hash >> 32)},
        .taken = 4,
    };
}

uint32_t prng_u32(struct prng *prng)
{
    if (prng->taken == 4) {
        prng_block(prng->key, prng->counter, prng->block);
        if (++prng->counter[0] == 0)
            prng->counter[1]++;
        prng->taken = 0;
    }
    return prng->block[prng->taken++];
}

uint64_t prng_u64(struct prng *prng)
{
    uint64_t low = prng_u32(prng);

    return low | (uint64_t)prng_u32(prng) << 32;
}

/* The lowest 2^64 mod bound numbers are refused: what is left divides evenly by bound. */
uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    uint64_t refused, number;

    assert(bound >= 1);
    refused = (UINT64_MAX - bound + 1) % bound;
    do
        number = prng_u64(prng);
    while (number < refused);
    return number % bound;
}

/* Inversion: -ln u with u from 0 to 1 in steps of 2^-64; odd ones, since 0 has no logarithm. */
uint64_t prng_exponential(struct prng *prng, uint64_t mean)
{
    const int64_t log_of_2_to_32 = 95265423098;
    int64_t times = log_of_2_to_32 - prng_log_q32(prng_u64(prng) | 1);

    return prng_times_q32(mean, (uint64_t)times);
}

/* Ratio of uniforms: with u from 0 to 1 and v up to sqrt(2 / e) to both sides, v / u is normal if
 * (v / u)^2 is at most -4 ln u. Exact also in the tails, and without a root.
 * Source: Kinderman and Monahan, ACM TOMS 3 (1977). */
int64_t prng_normal_q32(struct prng *prng)
{
    const uint64_t sqrt_2_by_e = 3684067834, cut = 20186346291;
    uint64_t u, v, x;
    uint32_t word;

    do {
        u = UINT64_C(1) + prng_u32(prng);
        word = prng_u32(prng);
        v = (word & INT32_MAX) * sqrt_2_by_e >> 31;
        x = (v << 32) / u;
    } while (x > cut || (int64_t)((x >> 3) * (x >> 3) >> 26) > -4 * prng_log_q32(u));
    return word > INT32_MAX ? -(int64_t)x : (int64_t)x;
}
