/*
 * What a fuzz harness is: one function of bytes, called by libFuzzer in the preset `fuzz` and by
 * replay.c everywhere else. It must not keep anything from one input to the next, and it aborts
 * (FUZZ_CHECK) when one of its invariants does not hold.
 */
#ifndef XENSOCK_TESTS_FUZZ_FUZZ_H
#define XENSOCK_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Run one input to its end; always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An invariant of the harness, in words: `FUZZ_CHECK(replies <= requests, "%u replies", n)`. */
#define FUZZ_CHECK(holds, ...)                                                                     \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s: ", __FILE__, __LINE__, #holds);             \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input as a supply of choices: taken from its front, zeros when it is used up. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t fuzz_u8(struct fuzz_input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

static inline uint32_t fuzz_u32(struct fuzz_input *input)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < 4; i++)
        value |= (uint32_t)fuzz_u8(input) << (8 * i);
    return value;
}

/* 0..bound - 1 from as few bytes as that takes; `bound` is at least 1. */
static inline uint32_t fuzz_below(struct fuzz_input *input, uint32_t bound)
{
    return (bound <= 256 ? fuzz_u8(input) : fuzz_u32(input)) % bound;
}

#endif
