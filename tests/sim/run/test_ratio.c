/* Exact fractions: at the ends of what they hold, and in words. */
#include "sim/run/ratio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MOST INT64_MAX

/* Each is above the one before it. */
static void order(void **state)
{
    static const struct ratio list[] = {{-MOST, 1},
                                        {-MOST, 2},
                                        {-3, 2},
                                        {-MOST, MOST - 1},
                                        {-1, 1},
                                        {-(MOST - 1), MOST},
                                        {-1, MOST},
                                        {0, 1},
                                        {1, MOST},
                                        {1, MOST - 1},
                                        {(MOST - 2), MOST},
                                        {1, 1},
                                        {MOST, MOST - 1},
                                        {3, 2},
                                        {MOST, 2},
                                        {MOST - 1, 1},
                                        {MOST, 1}};
    enum { COUNT = sizeof(list) / sizeof(list[0]) };

    (void)state;
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            int found = ratio_compare(list[i], list[j]);
            assert_int_equal((found > 0) - (found < 0), (i > j) - (i < j));
        }
}

static void arithmetic(void **state)
{
    struct ratio out;

    (void)state;
    assert_true(ratio_add(ratio_of(1, 6), ratio_of(1, 10), &out));
    assert_true(out.over == 4 && out.under == 15);
    assert_true(ratio_subtract(ratio_of(1, 3), ratio_of(1, 3), &out));
    assert_true(out.over == 0 && out.under == 1);
    assert_true(ratio_multiply(ratio_of(MOST, 3), ratio_of(3, MOST), &out)); /* what cancels fits */
    assert_true(out.over == 1 && out.under == 1);
    assert_true(ratio_divide(ratio_of(-1, 2), ratio_of(-3, 4), &out));
    assert_true(out.over == 2 && out.under == 3);
    out = ratio_of(7, 1);
    assert_false(ratio_add(ratio_of(MOST, 1), ratio_of(1, 1), &out));
    assert_false(ratio_add(ratio_of(1, MOST), ratio_of(1, MOST - 1), &out));
    assert_false(ratio_multiply(ratio_of(MOST, 1), ratio_of(2, 1), &out));
    assert_false(ratio_divide(ratio_of(1, 1), ratio_of(0, 1), &out));
    assert_true(out.over == 7 && out.under == 1); /* nothing was written */
}

static void words(void **state)
{
    static const struct {
        struct ratio ratio;
        const char *text;
        int64_t rounded;
    } list[] = {{{3, 2}, "1.5", 2},
                {{-3, 2}, "-1.5", -2},
                {{1, 3}, "0.333333", 0},
                {{2, 3}, "0.666667", 1},
                {{1000000, 3}, "333333", 333333},
                {{20000, 3}, "6666.67", 6667},
                {{MOST, 1}, "9223372036854775807", MOST},
                {{0, 1}, "0", 0},
                {{999999999, 1000000000}, "1", 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        assert_string_equal(ratio_text(list[i].ratio).text, list[i].text);
        assert_true(ratio_round(list[i].ratio) == list[i].rounded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(words),
    };

    return !!cmocka_run_group_tests_name("ratio", tests, NULL, NULL);
}
