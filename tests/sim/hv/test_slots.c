/* Next-fit allocation of numbers: pieces, wrap-around, exhaustion. */
#include "sim/hv/slots.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void slots_go_round_before_they_are_reused(void **state)
{
    struct slots slots;

    (void)state;
    slots_init(&slots, 8, 12);
    assert_int_equal(slots_take(&slots, 2), 8);
    slots_give(&slots, 8);
    assert_int_equal(slots_take(&slots, 1), 10);
    assert_int_equal(slots_take(&slots, 1), 11);
    assert_int_equal(slots_take(&slots, 1), 8);
    assert_int_equal(slots_take(&slots, 1), -ERR_NOSPC);
    assert_int_equal(slots_free(&slots), 0);
    slots_fini(&slots);
}

static void a_piece_is_found_where_the_cursor_stands_inside_it(void **state)
{
    struct slots slots;

    (void)state;
    slots_init(&slots, 0, 6);
    assert_int_equal(slots_take(&slots, 6), 0);
    for (uint32_t i = 1; i < 3; i++)
        slots_give(&slots, i);
    assert_int_equal(slots_take(&slots, 1), 1);
    slots_give(&slots, 1);
    slots_give(&slots, 3);
    /* 1..3 are free and the cursor is 2. */
    assert_int_equal(slots_take(&slots, 3), 1);
    slots_fini(&slots);
}

static void a_piece_never_crosses_the_end(void **state)
{
    struct slots slots;

    (void)state;
    slots_init(&slots, 1, 5);
    assert_int_equal(slots_take(&slots, 3), 1);
    slots_give(&slots, 1);
    assert_int_equal(slots_take(&slots, 2), -ERR_NOSPC); /* 4 and 1 are no neighbours */
    assert_true(slots_taken(&slots, 2));
    assert_false(slots_taken(&slots, 1));
    assert_false(slots_taken(&slots, 0));
    assert_false(slots_taken(&slots, UINT32_MAX));
    slots_fini(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_go_round_before_they_are_reused),
        cmocka_unit_test(a_piece_is_found_where_the_cursor_stands_inside_it),
        cmocka_unit_test(a_piece_never_crosses_the_end),
    };

    return !!cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
