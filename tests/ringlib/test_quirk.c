/*
 * The table of quirks, the peers made of them, and the texts that name a side: quirk.h.
 */
#include "ringlib/quirk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct quirk_peer *peer;
static struct quirk_side side;
static struct quirk_text_part wrong;

static int parse(const char *text, bool front)
{
    return quirk_parse(text, front, &side, &peer, &wrong);
}

/* What quirk_parse says of a text that is wrong. */
static void assert_wrong(const char *text, bool front, const struct quirk_text_part *expected)
{
    assert_int_equal(parse(text, front), -1);
    assert_int_equal(wrong.at, expected->at);
    assert_int_equal(wrong.length, expected->length);
    assert_int_equal(wrong.is_peer, expected->is_peer);
    assert_int_equal(wrong.other_side, expected->other_side);
}

static void names_are_unique(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < QUIRK_COUNT; i++) {
        assert_true(strcspn(quirk_name((enum quirk)i), "+") == strlen(quirk_name((enum quirk)i)));
        assert_true(strlen(quirk_name((enum quirk)i)) > 0);
        for (uint32_t k = 0; k < i; k++)
            assert_string_not_equal(quirk_name((enum quirk)i), quirk_name((enum quirk)k));
    }
    for (uint32_t i = 0; quirk_peer_at(i); i++) {
        assert_true(strcspn(quirk_peer_at(i)->name, "+") == strlen(quirk_peer_at(i)->name));
        for (uint32_t k = 0; k < i; k++)
            assert_string_not_equal(quirk_peer_at(i)->name, quirk_peer_at(k)->name);
    }
    assert_string_equal(quirk_name(QUIRK_COUNT), "?");
    assert_string_equal(quirk_text(QUIRK_COUNT), "?");
}

/* Each quirk says what it does and where that stands; fronts' come first. */
static void texts_and_sides(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < QUIRK_COUNT; i++)
        assert_true(strlen(quirk_text((enum quirk)i)) > 10);
#define X(constant, name, cost, text, source) assert_true(strcspn(source, "0123456789") == 0);
    QUIRKS(X)
#undef X
#define X(constant, name, cost, text, source)                                                      \
    assert_true(quirk_is_front(QUIRK_##constant));                                                 \
    assert_string_equal(quirk_name(QUIRK_##constant), name);
    QUIRKS_FRONT(X)
#undef X
#define X(constant, name, cost, text, source)                                                      \
    assert_false(quirk_is_front(QUIRK_##constant));                                                \
    assert_string_equal(quirk_name(QUIRK_##constant), name);
    QUIRKS_BACK(X)
#undef X
}

static void assert_side(const struct quirk_peer *of, bool front)
{
    const struct quirk_side *one = front ? &of->front : &of->back;

    assert_true(one->exists || (one->quirks == 0 && one->order == 0));
    for (uint32_t i = 0; i < 32; i++)
        if (one->quirks >> i & 1u)
            assert_true(i < QUIRK_COUNT && quirk_is_front((enum quirk)i) == front);
    if (of->dialect && one->order > 0)
        assert_in_range(one->order, of->dialect->order_min, of->dialect->order_max);
}

static void peers_hold_quirks_of_their_sides(void **state)
{
    uint32_t count = 0;

    (void)state;
    for (; quirk_peer_at(count); count++) {
        assert_side(quirk_peer_at(count), true);
        assert_side(quirk_peer_at(count), false);
        assert_true(quirk_peer_at(count)->front.exists || quirk_peer_at(count)->back.exists);
        assert_true(count == 0 ||
                    (quirk_peer_at(count)->front.quirks | quirk_peer_at(count)->back.quirks));
    }
    assert_null(quirk_peer_at(count));
    assert_string_equal(quirk_peer_at(0)->name, "xensock");
    assert_true(quirk_peer_at(0)->front.exists && quirk_peer_at(0)->back.exists);
    assert_int_equal(quirk_peer_at(0)->front.quirks | quirk_peer_at(0)->back.quirks, 0);
    assert_null(quirk_peer_at(0)->dialect);
}

static void every_peer_and_quirk_by_name(void **state)
{
    char text[64];

    (void)state;
    for (uint32_t i = 0; quirk_peer_at(i); i++) {
        for (uint32_t front = 0; front < 2; front++) {
            const struct quirk_side *one =
                front ? &quirk_peer_at(i)->front : &quirk_peer_at(i)->back;
            assert_int_equal(parse(quirk_peer_at(i)->name, front), one->exists ? 0 : -1);
            assert_ptr_equal(peer, quirk_peer_at(i));
            assert_int_equal(side.quirks, one->quirks);
            assert_int_equal(side.order, one->order);
        }
    }
    for (uint32_t i = 0; i < QUIRK_COUNT; i++) {
        strcpy(text, "xensock+");
        strcat(text, quirk_name((enum quirk)i));
        assert_int_equal(parse(text, quirk_is_front((enum quirk)i)), 0);
        assert_int_equal(side.quirks, quirk_bit((enum quirk)i));
    }
}

/* Quirks are added to those of the peer, in any order, and twice is as once. */
static void quirks_are_added(void **state)
{
    uint32_t linux_back;

    (void)state;
    assert_int_equal(parse("linux-2023-back", false), 0);
    linux_back = side.quirks;
    assert_int_equal(parse("linux-2023-back+deaf", false), 0);
    assert_int_equal(side.quirks, linux_back | quirk_bit(QUIRK_DEAF));
    assert_int_equal(side.order, 4);
    assert_int_equal(parse("linux-6.1-back", false), 0);
    assert_int_equal(side.quirks, linux_back | quirk_bit(QUIRK_DEAF)); /* all that was mended */
    assert_int_equal(parse("xensock+no-linger+raw-flags+no-linger", true), 0);
    assert_int_equal(side.quirks, quirk_bit(QUIRK_NO_LINGER) | quirk_bit(QUIRK_RAW_FLAGS));
}

/* Which part is wrong, where it begins and how long it is; whether the other side has it. */
static void wrong_parts_have_a_place(void **state)
{
    (void)state;
    assert_wrong("", true, &(struct quirk_text_part){0, 0, true, false});
    assert_wrong("+deaf", false, &(struct quirk_text_part){0, 0, true, false});
    assert_wrong("nobody", true, &(struct quirk_text_part){0, 6, true, false});
    assert_wrong("nobody+deaf", false, &(struct quirk_text_part){0, 6, true, false});
    assert_wrong("deaf", false, &(struct quirk_text_part){0, 4, true, false});
    assert_wrong("xensoc", true, &(struct quirk_text_part){0, 6, true, false});
    assert_wrong("xensock1", true, &(struct quirk_text_part){0, 8, true, false});
    assert_wrong("linux-6.1-back", true, &(struct quirk_text_part){0, 14, true, true});
    assert_wrong("linux-6.1-front+deaf", false, &(struct quirk_text_part){0, 15, true, true});
    assert_wrong("xensock+", true, &(struct quirk_text_part){8, 0, false, false});
    assert_wrong("xensock++deaf", false, &(struct quirk_text_part){8, 0, false, false});
    assert_wrong("xensock+deaf+", false, &(struct quirk_text_part){13, 0, false, false});
    assert_wrong("xensock+dea", false, &(struct quirk_text_part){8, 3, false, false});
    assert_wrong("xensock+deaf ", false, &(struct quirk_text_part){8, 5, false, false});
    assert_wrong("xensock+deaf+deafer", false, &(struct quirk_text_part){13, 6, false, false});
    assert_wrong("xensock+deaf", true, &(struct quirk_text_part){8, 4, false, true});
    assert_wrong("xensock+deaf+raw-flags+no", false, &(struct quirk_text_part){13, 9, false, true});
}

static void costs_of_a_mask(void **state)
{
    uint32_t all = 0;

    (void)state;
#define X(constant, name, cost, text, source)                                                      \
    all |= QUIRK_##cost;                                                                           \
    assert_int_equal(quirk_costs(quirk_bit(QUIRK_##constant)), QUIRK_##cost);
    QUIRKS(X)
#undef X
    assert_int_equal(quirk_costs(0), QUIRK_FREE);
    assert_int_equal(quirk_costs(quirk_bit(QUIRK_RAW_FLAGS) | quirk_bit(QUIRK_UNMADE)), QUIRK_FREE);
    assert_int_equal(quirk_costs(quirk_bit(QUIRK_NO_LINGER)), QUIRK_LOSES);
    assert_int_equal(quirk_costs(quirk_bit(QUIRK_DEAF) | quirk_bit(QUIRK_SILENT_RESET)),
                     QUIRK_STALLS);
    assert_int_equal(quirk_costs(quirk_bit(QUIRK_ERROR_FIRST) | quirk_bit(QUIRK_ID_OF_SLOT)),
                     QUIRK_LOSES | QUIRK_MIXES);
    assert_int_equal(quirk_costs(UINT32_MAX), all);
    for (uint32_t i = QUIRK_COUNT; i < 32; i++)
        assert_int_equal(quirk_costs(UINT32_C(1) << i), QUIRK_FREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(texts_and_sides),
        cmocka_unit_test(peers_hold_quirks_of_their_sides),
        cmocka_unit_test(every_peer_and_quirk_by_name),
        cmocka_unit_test(quirks_are_added),
        cmocka_unit_test(wrong_parts_have_a_place),
        cmocka_unit_test(costs_of_a_mask),
    };

    return cmocka_run_group_tests_name("quirk", tests, NULL, NULL);
}
