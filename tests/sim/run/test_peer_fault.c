/*
 * Faults of peers in the errors of a run: one line for the same words, few lines of different ones,
 * the rest counted, each code for itself, other errors left alone; nodes of the store by name.
 */
#include "sim/run/peer_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_words(const json_t *errors, size_t index, const char *expected)
{
    json_t *words = peer_fault_words(json_array_get(errors, index));

    assert_string_equal(json_string_value(words), expected);
    json_decref(words);
}

static void test_the_same_words_stand_once(void **state)
{
    json_t *errors = json_pack("[{s:s, s:s}]", "code", "E0603", "message", "web: no");

    (void)state;
    peer_fault_note(errors, PEER_FAULT_CODE, "web: no", "");
    peer_fault_note(errors, PEER_FAULT_CODE, "web: yes", "kill of dom0 at 2 ms");
    peer_fault_note(errors, PEER_FAULT_CODE, "web: no", "kill of dom0 at 2 ms");
    peer_fault_note(errors, PEER_FAULT_CODE, "web: oh", "restart of dom0 at 3 ms");
    peer_fault_note(errors, PEER_FAULT_CODE, "web: yes", "restart of dom0 at 3 ms");
    assert_int_equal(json_array_size(errors), 4);
    assert_words(errors, 1, "web: no, 2 times");
    assert_words(errors, 2, "web: yes, 2 times, first after the kill of dom0 at 2 ms");
    assert_words(errors, 3, "web: oh, after the restart of dom0 at 3 ms");
    json_decref(errors);
}

static void test_others_are_only_counted(void **state)
{
    json_t *errors = json_array();
    char message[24];

    (void)state;
    for (int i = 0; i < PEER_FAULT_MAX + 3; i++) {
        snprintf(message, sizeof(message), "web.%d: no", i);
        peer_fault_note(errors, PEER_FAULT_CODE, message, "");
    }
    peer_fault_note(errors, PEER_FAULT_CODE, "web.0: no", "");
    assert_int_equal(json_array_size(errors), PEER_FAULT_MAX + 1);
    assert_words(errors, 0, "web.0: no, 2 times");
    assert_words(errors, PEER_FAULT_MAX, "and 3 more of other words");
    json_decref(errors);
}

/* Each code has lines of its own, which do not use up another's. */
static void test_codes_are_counted_apart(void **state)
{
    json_t *errors = json_array();
    char message[24];

    (void)state;
    peer_fault_note(errors, "E0608", "web: no", "");
    peer_fault_note(errors, PEER_FAULT_CODE, "web: no", "");
    for (int i = 0; i < PEER_FAULT_MAX + 2; i++) {
        snprintf(message, sizeof(message), "web.%d: no", i);
        peer_fault_note(errors, "E0608", message, "");
    }
    peer_fault_note(errors, PEER_FAULT_CODE, "web: oh", "");
    assert_int_equal(json_array_size(errors), 1 + PEER_FAULT_MAX + 2);
    assert_words(errors, 0, "web: no");
    assert_words(errors, 1, "web: no");
    assert_words(errors, PEER_FAULT_MAX + 1, "and 3 more of other words");
    assert_words(errors, PEER_FAULT_MAX + 2, "web: oh");
    json_decref(errors);
}

static const struct dialect *fault_dialect = &dialect_xensock1;

static void assert_text(struct act_fault fault, const char *expected)
{
    char text[PEER_FAULT_BYTES];

    peer_fault_text(text, &fault, fault_dialect);
    assert_string_equal(text, expected);
}

static void test_nodes_have_names(void **state)
{
    (void)state;
    assert_text((struct act_fault){FAULT_STORE_VALUE, DIALECT_KEY_RING_REF, 0},
                "STORE_VALUE of node 'ring-ref'");
    assert_text((struct act_fault){FAULT_STORE_VALUE, DIALECT_KEYS, 0},
                "STORE_VALUE (ours 9, claimed 0)");
    fault_dialect = &dialect_pvcalls1;
    assert_text((struct act_fault){FAULT_VERSION, DIALECT_KEY_FUNCTIONS, 0},
                "VERSION of node 'function-calls'");
    assert_text((struct act_fault){FAULT_ORDER, 4, 2}, "ORDER (ours 4, claimed 2)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_words_stand_once),
        cmocka_unit_test(test_others_are_only_counted),
        cmocka_unit_test(test_codes_are_counted_apart),
        cmocka_unit_test(test_nodes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
