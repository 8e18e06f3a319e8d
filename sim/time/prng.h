/*
 * The only randomness: Philox4x32-10, a block cipher run over a counter, so a number is a pure
 * function of (seed, entity name, stream, position) and adding a host changes nobody else's.
 *
 * Integers only; a distribution other than uniform is its user's business.
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

#endif
