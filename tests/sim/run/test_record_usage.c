/* record_usage: what a process reports of itself, there and back. */
#include "ringlib/err.h"
#include "sim/run/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_usage_json(void **state)
{
    struct record_usage usage = {1, 2, 3, 4, 5, 6, INT64_MAX}, parsed = {0};
    json_t *json = record_usage_json(&usage);

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(json, "memory_peak_bytes")), INT64_MAX);
    assert_int_equal(record_usage_parse(json, &parsed), 0);
    assert_memory_equal(&parsed, &usage, sizeof(usage));
    json_object_set_new(json, "faults_minor", json_integer(-1));
    parsed.wall_ns = 99;
    assert_int_equal(record_usage_parse(json, &parsed), -ERR_INVAL);
    json_object_del(json, "faults_minor");
    assert_int_equal(record_usage_parse(json, &parsed), -ERR_INVAL);
    assert_int_equal(record_usage_parse(NULL, &parsed), -ERR_INVAL);
    assert_int_equal(parsed.wall_ns, 99);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage_json),
    };

    return !!cmocka_run_group_tests_name("record_usage", tests, NULL, NULL);
}
