/* prng: the integer logarithm and exponential against those of libm, to what prng.h promises. */
#include "sim/time/prng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ONE (INT64_C(1) << 32)

static const double ONE_AS_DOUBLE = 4294967296.0;

/* 2^-28 is 16 times 2^-32. */
static void expect_log(uint64_t number)
{
    double right = log((double)number / ONE_AS_DOUBLE) * ONE_AS_DOUBLE;

    if (fabs((double)prng_log_q32(number) - right) > 16)
        fail_msg("log of %#llx", (unsigned long long)number);
}

static void test_log_at_edges(void **state)
{
    (void)state;
    assert_true(prng_log_q32(ONE) == 0);
    for (int bit = 0; bit < 64; bit++) {
        uint64_t number = UINT64_C(1) << bit;

        expect_log(number);
        expect_log(number + (number >> 1));
        expect_log(2 * (number - 1) + 1); /* up to UINT64_MAX */
        expect_log(number | 1);
    }
}

static void test_log_at_random(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, "log", 0);
    for (int i = 0; i < 200000; i++)
        expect_log(prng_u64(&prng) >> (i % 60) | 1);
}

/* An exponential number is 32 ln 2 less a logarithm, and must not be negative. */
static void test_log_is_never_above_32_ln_2(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1 << 16; i++) {
        assert_true(prng_log_q32(UINT64_MAX - i) <= 95265423098);
        assert_true(prng_log_q32(UINT64_MAX - (i << 20)) <= 95265423098);
    }
}

/* Beside the promised part, what is told apart is 2^-32. */
static void expect_exp(int64_t exponent_q32)
{
    double right = exp((double)exponent_q32 / ONE_AS_DOUBLE) * ONE_AS_DOUBLE;
    double most = right / (1 << 24);

    if (fabs((double)prng_exp_q32(exponent_q32) - right) > (most > 1 ? most : 1))
        fail_msg("exponential of %lld", (long long)exponent_q32);
}

static void test_exp_at_edges(void **state)
{
    (void)state;
    assert_true(prng_exp_q32(0) == ONE);
    for (int64_t whole = -20; whole <= 20; whole++)
        expect_exp(whole * ONE);
    for (int64_t twos = -28; twos <= 28; twos++)
        for (int64_t near = -2; near <= 2; near++)
            expect_exp(twos * 2977044472 + near); /* where the power of two changes */
    expect_exp(-20 * ONE + 1);
    expect_exp(20 * ONE - 1);
}

static void test_exp_at_random(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, "exp", 0);
    for (int i = 0; i < 200000; i++)
        expect_exp((int64_t)prng_below(&prng, 40 * (uint64_t)ONE) - 20 * ONE);
}

static void test_exp_undoes_log(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, "both", 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t number = prng_u64(&prng) >> 8 | 1u << 31;
        uint64_t again = prng_exp_q32(prng_log_q32(number));

        assert_in_range(again, number - (number >> 24), number + (number >> 24));
    }
}

static void test_times(void **state)
{
    const uint64_t most = UINT64_C(1) << 48;

    (void)state;
    assert_true(prng_times_q32(12345, ONE) == 12345);
    assert_true(prng_times_q32(most, ONE / 2) == most / 2);
    assert_true(prng_times_q32(3, ONE / 2) == 1); /* rounded down */
    assert_true(prng_times_q32(most, most - 1) == UINT64_MAX - 65535);
    assert_true(prng_times_q32(most - 1, most - 1) == 0xfffffffffffe0000);
    assert_true(prng_times_q32(0x123456789abc, 0xcba987654321) == 0x0e7b8ebf8556fcaa);
}

/* Stored virtual runs hang on each bit. */
static void test_golden(void **state)
{
    (void)state;
    assert_true(prng_log_q32(1) == -95265423098);
    assert_true(prng_log_q32(3) == -90546919248);
    assert_true(prng_log_q32(UINT64_MAX) == 95265423096);
    assert_true(prng_exp_q32(ONE) == 11674931552);
    assert_true(prng_exp_q32(-ONE) == 1580030168);
    assert_true(prng_exp_q32(20 * ONE) == 2083768647024640000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_at_edges),
        cmocka_unit_test(test_log_at_random),
        cmocka_unit_test(test_log_is_never_above_32_ln_2),
        cmocka_unit_test(test_exp_at_edges),
        cmocka_unit_test(test_exp_at_random),
        cmocka_unit_test(test_exp_undoes_log),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_golden),
    };

    return !!cmocka_run_group_tests_name("prng_log", tests, NULL, NULL);
}
