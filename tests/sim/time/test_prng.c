/* prng: the published vectors, the layout of key and counter, independence of names, no bias. */
#include "sim/time/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Known answers published with Random123 (tests/kat_vectors, philox4x32, 10 rounds). */
static void test_known_answers(void **state)
{
    static const uint32_t vectors[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    uint32_t block[4];

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        prng_block(vectors[i] + 4, vectors[i], block);
        assert_memory_equal(block, vectors[i] + 6, sizeof(block));
    }
}

/* XXH3-64 of no bytes under seed 0 is 2d06800538d394c2 (xxHash's own test value). */
static void test_key_and_counter(void **state)
{
    const uint32_t key[2] = {0x89abcdef, 0x01234567};
    uint32_t counter[4] = {0, 0, 0x38d394c2, 0x2d068005}, block[4];
    struct prng prng;

    (void)state;
    prng_init(&prng, 0x0123456789abcdef, "", 0);
    for (counter[0] = 0; counter[0] < 3; counter[0]++) {
        prng_block(key, counter, block);
        for (int i = 0; i < 4; i++)
            assert_int_equal(prng_u32(&prng), block[i]);
    }
    assert_int_equal(prng.counter[0], 3);
}

static void test_counter_carries(void **state)
{
    struct prng prng;
    uint32_t counter[4], block[4];

    (void)state;
    prng_init(&prng, 1, "web.0", 0);
    prng.counter[0] = UINT32_MAX;
    memcpy(counter, prng.counter, sizeof(counter));
    for (int i = 0; i < 4; i++)
        prng_u32(&prng);
    counter[0] = 0;
    counter[1] = 1;
    prng_block(prng.key, counter, block);
    assert_int_equal(prng_u32(&prng), block[0]);
}

static uint64_t first_u64(uint64_t seed, const char *entity, uint64_t stream)
{
    struct prng prng;

    prng_init(&prng, seed, entity, stream);
    return prng_u64(&prng);
}

/* Same on every compiler and host: these very numbers are in stored virtual runs. */
static void test_golden(void **state)
{
    (void)state;
    assert_true(first_u64(42, "web.0", 0) == 0x7eac64f6ac8896a9);
    assert_true(first_u64(42, "web.0", 1) == 0x6b616081fcff4b8a);
}

static void test_each_input_matters(void **state)
{
    const uint64_t numbers[] = {
        first_u64(1, "web.0", 0), first_u64(2, "web.0", 0), first_u64(1ull << 32, "web.0", 0),
        first_u64(1, "web.1", 0), first_u64(1, "web.0", 1), first_u64(1, "web.0", 1ull << 32),
    };
    const size_t count = sizeof(numbers) / sizeof(numbers[0]);

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(numbers[i] != numbers[j]);
}

static void test_u64_is_low_word_first(void **state)
{
    struct prng a, b;
    uint64_t low, high;

    (void)state;
    prng_init(&a, 7, "x", 0);
    b = a;
    low = prng_u32(&a);
    high = prng_u32(&a);
    assert_true(prng_u64(&b) == (low | high << 32));
}

/* Plain u64 % bound would give the lowest third half of the numbers instead of a third. */
static void test_below_has_no_bias(void **state)
{
    const uint64_t third = UINT64_C(1) << 62;
    struct prng prng;
    int counts[3] = {0};

    (void)state;
    prng_init(&prng, 3, "bias", 0);
    for (int i = 0; i < 30000; i++)
        counts[prng_below(&prng, 3 * third) / third]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 9700, 10300);
}

static void test_below_small_bounds(void **state)
{
    struct prng prng;
    int counts[7] = {0};

    (void)state;
    prng_init(&prng, 4, "small", 0);
    assert_true(prng_below(&prng, 1) == 0);
    for (int i = 0; i < 7000; i++)
        counts[prng_below(&prng, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 880, 1120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),      cmocka_unit_test(test_key_and_counter),
        cmocka_unit_test(test_counter_carries),    cmocka_unit_test(test_golden),
        cmocka_unit_test(test_each_input_matters), cmocka_unit_test(test_u64_is_low_word_first),
        cmocka_unit_test(test_below_has_no_bias),  cmocka_unit_test(test_below_small_bounds),
    };

    return !!cmocka_run_group_tests_name("prng", tests, NULL, NULL);
}
