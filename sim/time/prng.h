/*
 * The only randomness: Philox4x32-10, a block cipher run over a counter, so a number is a pure
 * function of (seed, entity name, stream, position) and adding a host changes nobody else's.
 *
 * Integers only.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC11), through Random123's
 * header; names are hashed with XXH3-64.
 */
#ifndef XENSOCK_SIM_TIME_PRNG_H
#define XENSOCK_SIM_TIME_PRNG_H

#include <stdint.h>

/* One sequence of random numbers; owned by the caller, holds no pointer, may be copied to replay.
 * The key is the seed; the counter is the number of the block (low half) and the hash of entity
 * and stream (high half); `taken` words of `block` are used up. */
struct prng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    uint32_t taken;
};

/* One application of Philox4x32-10 to a counter under a key, low words first. */
void prng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t block[4]);

/* Starts the sequence of `entity` (a name, any length, not kept) and `stream`, under `seed`. */
void prng_init(struct prng *prng, uint64_t seed, const char *entity, uint64_t stream);

/* The next 32 random bits. */
uint32_t prng_u32(struct prng *prng);

/* The next 64 random bits: two prng_u32, the first one low. */
uint64_t prng_u64(struct prng *prng);

/* The next number from 0 to bound - 1, each equally likely; bound is at least 1. Takes one
 * prng_u64, or now and then more, so positions in the sequence depend on what was drawn. */
uint64_t prng_below(struct prng *prng, uint64_t bound);

/* In integers, so the same on every compiler and word size: */

/* The natural logarithm of number / 2^32, for number from 1, as a multiple of 2^-32; exact to
 * 2^-28.
 */
int64_t prng_log_q32(uint64_t number);

/* e to the exponent / 2^32, as a multiple of 2^-32, for exponents from -20 to 20 times 2^32; exact
 * to one part in 2^24, or 2^-32 where that is more. */
uint64_t prng_exp_q32(int64_t exponent_q32);

/* number times factor / 2^32, rounded down; number is at most 2^48, factor_q32 below 2^48. */
uint64_t prng_times_q32(uint64_t number, uint64_t factor_q32);

/* An exponentially distributed number with this mean, rounded down: times between the events of a
 * Poisson process. `mean` is at most 2^48, the number at most 44.4 times that. Takes one
 * prng_u64. */
uint64_t prng_exponential(struct prng *prng, uint64_t mean);

/* A standard normal number as a multiple of 2^-32, drawn again if it is beyond 4.7 deviations.
 * Takes one prng_u64, or now and then more. */
int64_t prng_normal_q32(struct prng *prng);

#endif
