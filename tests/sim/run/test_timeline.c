/* The time line of a capture: packets by hand; whole runs are in test_stages. */
#include "sim/run/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct timeline *timeline;
static json_t *result;

static void begin(uint64_t from_ns, uint64_t to_ns)
{
    timeline = timeline_create(&(struct stages_window){from_ns, to_ns});
}

static void end(void)
{
    result = timeline_json(timeline);
    timeline_destroy(timeline);
}

static void moves(uint64_t now_ns, enum capture_word word, uint32_t value, uint32_t bytes)
{
    bool front = word == CAPTURE_OUT_PROD || word == CAPTURE_IN_CONS;

    timeline_see(timeline,
                 &(struct decode_packet){.time_ns = now_ns,
                                         .header = {.kind = CAPTURE_INDEX,
                                                    .ring = CAPTURE_DATA,
                                                    .side = front ? CAPTURE_FRONT : CAPTURE_BACK,
                                                    .what = (uint8_t)word,
                                                    .index = value,
                                                    .sockid = 7,
                                                    .bytes = bytes}});
}

/* The slot of the guest's next request. */
static uint32_t next_index;

static void calls(uint64_t now_ns, enum capture_kind kind, enum capture_side side,
                  enum call_kind call)
{
    bool asks = kind == CAPTURE_REQUEST && side == CAPTURE_FRONT;

    timeline_see(timeline, &(struct decode_packet){.time_ns = now_ns,
                                                   .kind = call,
                                                   .sockid = 7,
                                                   .header = {.kind = (uint8_t)kind,
                                                              .ring = CAPTURE_COMMANDS,
                                                              .index = asks ? next_index++ : 0,
                                                              .side = (uint8_t)side}});
}

static void notifies(uint64_t now_ns, enum capture_side side, enum capture_moved moved)
{
    timeline_see(timeline, &(struct decode_packet){.time_ns = now_ns,
                                                   .header = {.kind = CAPTURE_NOTIFY,
                                                              .ring = CAPTURE_DATA,
                                                              .side = (uint8_t)side,
                                                              .sockid = 7,
                                                              .moved = (uint8_t)moved}});
}

/* The first values of a series; all behind them are 0. */
static void assert_series(const char *name, const uint64_t *wanted, size_t count)
{
    const json_t *values = json_object_get(json_object_get(result, "series"), name);

    assert_true(json_array_size(values) >= count);
    for (size_t i = 0; i < json_array_size(values); i++)
        assert_int_equal(json_integer_value(json_array_get(values, i)), i < count ? wanted[i] : 0);
}
#define SERIES(name, ...)                                                                          \
    assert_series(name, (const uint64_t[]){__VA_ARGS__},                                           \
                  sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* 1, 2 or 5 times a power of ten, and no more than there may be. */
static void intervals(void **state)
{
    static const struct {
        uint64_t took_ns, interval_ns, count;
    } rows[] = {{1, 1, 1},
                {200, 1, 200},
                {201, 2, 101},
                {400, 2, 200},
                {401, 5, 81},
                {1000, 5, 200},
                {1001, 10, 101},
                {UINT64_C(2000000000), 10000000, 200},
                {UINT64_C(2000000001), 20000000, 101}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(1000, 1000 + rows[i].took_ns);
        end();
        const json_t *series = json_object_get(json_object_get(result, "series"), "sent_bytes");
        assert_int_equal(json_integer_value(json_object_get(result, "interval_ns")),
                         rows[i].interval_ns);
        assert_int_equal(json_array_size(series), rows[i].count);
        json_decref(result);
    }
}

/* Counted where it happens; a level goes on through intervals in which nothing does. */
static void counts_and_levels(void **state)
{
    (void)state;
    begin(1000, 1010);
    moves(999, CAPTURE_OUT_PROD, 100, 100); /* before: a level, and nothing counted */
    moves(1002, CAPTURE_OUT_PROD, 150, 50);
    moves(1002, CAPTURE_OUT_CONS, 120, 120);
    notifies(1003, CAPTURE_FRONT, CAPTURE_PUBLISHED);
    notifies(1003, CAPTURE_BACK, CAPTURE_CONSUMED);
    notifies(1004, CAPTURE_BACK, CAPTURE_PUBLISHED);
    moves(1005, CAPTURE_OUT_CONS, 150, 30);
    moves(1007, CAPTURE_IN_PROD, 9, 9);
    moves(1008, CAPTURE_IN_CONS, 4, 4);
    moves(1010, CAPTURE_IN_CONS, 9, 5); /* behind */
    end();
    SERIES("sent_bytes", 0, 0, 50);
    SERIES("received_bytes", 0, 0, 0, 0, 0, 0, 0, 0, 4);
    SERIES("notifications.frontend", 0, 0, 0, 1);
    SERIES("notifications.backend", 0, 0, 0, 0, 1);
    SERIES("out_ring_bytes", 100, 100, 150, 30, 30, 30);
    SERIES("in_ring_bytes", 0, 0, 0, 0, 0, 0, 0, 9, 9, 5);
    json_decref(result);
}

/* Slots from the request to the response that the guest took; what a socket left is gone with it.
 */
static void commands_and_sockets_that_end(void **state)
{
    (void)state;
    begin(0, 10);
    calls(1, CAPTURE_REQUEST, CAPTURE_FRONT, CALL_CONNECT);
    calls(2, CAPTURE_REQUEST, CAPTURE_BACK, CALL_CONNECT);
    calls(2, CAPTURE_RESPONSE, CAPTURE_BACK, CALL_CONNECT);
    calls(3, CAPTURE_RESPONSE, CAPTURE_FRONT, CALL_CONNECT);
    moves(3, CAPTURE_OUT_PROD, 70, 70);
    calls(5, CAPTURE_REQUEST, CAPTURE_FRONT, CALL_RELEASE);
    calls(5, CAPTURE_REQUEST, CAPTURE_FRONT, CALL_BIND);
    calls(6, CAPTURE_RESPONSE, CAPTURE_FRONT, CALL_RELEASE);
    end();
    SERIES("command_ring_slots", 0, 1, 1, 1, 0, 2, 2, 1, 1, 1);
    SERIES("out_ring_bytes", 0, 0, 0, 70, 70, 70, 70);
    json_decref(result);
}

/* What was in the rings of a device that died is not in those of the one that comes. */
static void a_device_comes_again(void **state)
{
    (void)state;
    begin(0, 10);
    next_index = 0;
    calls(1, CAPTURE_REQUEST, CAPTURE_FRONT, CALL_LISTEN);
    calls(2, CAPTURE_REQUEST, CAPTURE_FRONT, CALL_BIND);
    moves(3, CAPTURE_OUT_PROD, 70, 70);
    next_index = 0;
    calls(5, CAPTURE_REQUEST, CAPTURE_FRONT, CALL_BIND);
    calls(6, CAPTURE_REQUEST, CAPTURE_FRONT, CALL_LISTEN);
    calls(8, CAPTURE_RESPONSE, CAPTURE_FRONT, CALL_BIND);
    end();
    SERIES("command_ring_slots", 0, 1, 2, 2, 2, 2, 2, 2, 2, 1);
    SERIES("out_ring_bytes", 0, 0, 0, 70, 70, 70);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals),
        cmocka_unit_test(counts_and_levels),
        cmocka_unit_test(commands_and_sockets_that_end),
        cmocka_unit_test(a_device_comes_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
