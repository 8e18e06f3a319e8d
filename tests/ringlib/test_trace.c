/* A record reaches its sink whole and once; without a sink it goes nowhere. */
#include "ringlib/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct trace_record taken;
static unsigned count;

static void take(void *self, const struct trace_record *record)
{
    assert_ptr_equal(self, &taken);
    taken = *record;
    count++;
}

static void record_reaches_its_sink(void **state)
{
    struct trace_sink sink = {take, &taken};
    struct trace_record record = {.now_ns = 1,
                                  .token = 2,
                                  .value = 3,
                                  .extra = 4,
                                  .who = 5,
                                  .point = TRACE_EVENT,
                                  .detail = 6};

    (void)state;
    trace_put(&sink, &record);
    assert_int_equal(count, 1);
    assert_memory_equal(&taken, &record, sizeof(record));
}

static void no_sink_takes_nothing(void **state)
{
    struct trace_record record = {.now_ns = 1};

    (void)state;
    count = 0;
    trace_put(NULL, &record);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_reaches_its_sink),
        cmocka_unit_test(no_sink_takes_nothing),
    };

    return !!cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
