/* Records in words: every trace point, every kind of number, and what has no word. */
#include "sim/run/trace_text.h"

#include "ringlib/step.h"
#include "sim/run/workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DEVICE_TOKEN UINT64_C(0x0002000009ffffff) /* generation 9 of device 2 itself */
#define TOKEN UINT64_C(0x0001000007000003)        /* generation 7 of slot 3 of device 1 */
#define ERROR(name) ((uint64_t)-ERR_##name)

static const struct {
    enum trace_point point;
    uint8_t detail;
    uint64_t token;
    uint64_t extra, value;
    const char *text;
} rows[] = {
    {TRACE_EVENT, EV_START, DEVICE_TOKEN, 0, 0, "START 2/-/9"},
    {TRACE_EVENT, EV_MORE, DEVICE_TOKEN, 0, 0, "MORE 2/-/9"},
    {TRACE_EVENT, EV_TIME, 0, 0, 0, "TIME 0/0/0"},
    {TRACE_EVENT, EV_PORT, TOKEN, 0, 12, "PORT 1/3/7 port=12"},
    {TRACE_EVENT, EV_STORE, DEVICE_TOKEN, 0, 0, "STORE 2/-/9"},
    {TRACE_EVENT, EV_SHARE, TOKEN, 0, 0, "SHARE 1/3/7 result=0"},
    {TRACE_EVENT, EV_NET_READ, TOKEN, 4096, 0, "NET_READ 1/3/7 result=4096"},
    {TRACE_EVENT, EV_NET_READ, TOKEN, ERROR(CONNRESET), 0, "NET_READ 1/3/7 result=-ECONNRESET"},
    {TRACE_EVENT, EV_NET_READ, TOKEN, (uint64_t)-4000, 0, "NET_READ 1/3/7 result=-4000"},
    {TRACE_EVENT, EV_PORT_ALLOC, TOKEN, 0, 5, "PORT_ALLOC 1/3/7 result=0 port=5"},
    {TRACE_EVENT, EV_PORT_BIND, TOKEN, ERROR(INVAL), 0, "PORT_BIND 1/3/7 result=-EINVAL port=0"},
    {TRACE_EVENT, EV_STORE_READ, 0, 0, '4', "STORE_READ 0/0/0 result=0 read='4'"},
    {TRACE_EVENT, EV_STORE_READ, 0, 0, UINT64_C(0x316b636f736e6578),
     "STORE_READ 0/0/0 result=0 read='xensock1'"},
    {TRACE_EVENT, EV_STORE_READ, 0, 0, '"', "STORE_READ 0/0/0 result=0 read=0x22"},
    {TRACE_EVENT, EV_STORE_READ, 0, 0, '4' << 8, "STORE_READ 0/0/0 result=0 read=0x3400"},
    {TRACE_EVENT, EV_STORE_READ, 0, 0, '4' | '4' << 16, "STORE_READ 0/0/0 result=0 read=0x340034"},
    {TRACE_EVENT, EV_STORE + 1, 0, 1, 2, "detail=26 0/0/0 extra=1 value=2"},

    {TRACE_ACTION, ACT_SHARE, TOKEN, 17, 0, "SHARE 1/3/7 pages=17"},
    {TRACE_ACTION, ACT_MAP, TOKEN, 16, 0, "MAP 1/3/7 refs=16"},
    {TRACE_ACTION, ACT_PORT_ALLOC, TOKEN, 0, 0, "PORT_ALLOC 1/3/7"},
    {TRACE_ACTION, ACT_PORT_BIND, TOKEN, 8, 0, "PORT_BIND 1/3/7 port=8"},
    {TRACE_ACTION, ACT_PORT_CLOSE, TOKEN, 8, 0, "PORT_CLOSE 1/3/7 port=8"},
    {TRACE_ACTION, ACT_NOTIFY, TOKEN, 8, 0, "NOTIFY 1/3/7 port=8"},
    {TRACE_ACTION, ACT_NET_READ, TOKEN, 0, 4096, "NET_READ 1/3/7 bytes=4096"},
    {TRACE_ACTION, ACT_NET_WRITE, TOKEN, 0, UINT64_C(1) << 40,
     "NET_WRITE 1/3/7 bytes=1099511627776"},
    {TRACE_ACTION, ACT_FAULT, DEVICE_TOKEN, FAULT_RESPONSE_ID, 0, "FAULT 2/-/9 reason=RESPONSE_ID"},
    {TRACE_ACTION, ACT_FAULT, DEVICE_TOKEN, FAULT_REASONS, 0, "FAULT 2/-/9 reason=13"},
    {TRACE_ACTION, ACT_FAULT, DEVICE_TOKEN, 256, 0, "FAULT 2/-/9 reason=256"},
    {TRACE_ACTION, ACT_DONE, TOKEN, CALL_BIND, 0, "DONE 1/3/7 call=BIND result=0"},
    {TRACE_ACTION, ACT_DONE, TOKEN, CALL_CONNECT, ERROR(CONNREFUSED),
     "DONE 1/3/7 call=CONNECT result=-ECONNREFUSED"},
    {TRACE_ACTION, ACT_DONE, TOKEN, 99, 0, "DONE 1/3/7 call=99 result=0"},
    {TRACE_ACTION, ACT_READABLE, TOKEN, 0, 0, "READABLE 1/3/7"},
    {TRACE_ACTION, ACT_STORE_PUBLISH, TOKEN, 3, 0, "STORE_PUBLISH 1/3/7 extra=3"},
    {TRACE_ACTION, ACT_DEVICE_GONE, 0, 0, 0, "DEVICE_GONE 0/0/0"},
    {TRACE_ACTION, 255, TOKEN, 0, 0, "detail=255 1/3/7"},

    {TRACE_CALL, CALL_CONNECT, TOKEN, 0, 0, "CONNECT 1/3/7 bytes=0 result=0"},
    {TRACE_CALL, TRACE_CALL_SEND, TOKEN, 100, 60, "SEND 1/3/7 bytes=100 result=60"},
    {TRACE_CALL, TRACE_CALL_RECV, TOKEN, 100, ERROR(AGAIN), "RECV 1/3/7 bytes=100 result=-EAGAIN"},
    {TRACE_CALL, TRACE_CALL_RECV, TOKEN, 1, (uint32_t)-ERR_AGAIN,
     "RECV 1/3/7 bytes=1 result=-EAGAIN"},
    {TRACE_CALL, TRACE_CALL_RECV, TOKEN, 1, UINT64_C(1) << 32,
     "RECV 1/3/7 bytes=1 result=4294967296"},
    {TRACE_CALL, CALL_KINDS, TOKEN, 0, 0, "detail=7 1/3/7 bytes=0 result=0"},

    {TRACE_TURN, 0, 0, 12, 3456, "steps=12 cost_ns=3456"},
    {TRACE_NOTIFY, TRACE_FATE_SENT, 0, 5, 1200, "sent port=5 arrives_in_ns=1200"},
    {TRACE_NOTIFY, TRACE_FATE_COALESCED, 0, 5, 0, "coalesced port=5 arrives_in_ns=0"},
    {TRACE_NOTIFY, TRACE_FATE_UNBOUND, 0, 5, 0, "unbound port=5 arrives_in_ns=0"},
    {TRACE_NOTIFY, 3, 0, 5, 0, "detail=3 port=5 arrives_in_ns=0"},
    {TRACE_WAKE, 0, 0, 5, 0, "port=5"},
    {TRACE_LINK, 0, TOKEN, 1448, 50000, "sent_again=0 1/3/7 bytes=1448 arrives_in_ns=50000"},
    {TRACE_LINK, 2, 0, 1448, 50000, "sent_again=2 bytes=1448 arrives_in_ns=50000"},
    {TRACE_SOCKET, TRACE_SOCKET_CONNECTED, 0, 7001, 3, "connected port=7001 other=3"},
    {TRACE_SOCKET, TRACE_SOCKET_REFUSED, 0, 7001, 0, "refused port=7001 other=0"},
    {TRACE_SOCKET, TRACE_SOCKET_ACCEPTED, 0, 7001, 3, "accepted port=7001 other=3"},
    {TRACE_SOCKET, TRACE_SOCKET_ENDED, 0, 7001, 3, "ended port=7001 other=3"},
    {TRACE_SOCKET, TRACE_SOCKET_RESET, 0, 7001, 3, "reset port=7001 other=3"},
    {TRACE_SOCKET, TRACE_SOCKET_CLOSED, 0, 7001, 3, "closed port=7001 other=3"},
    {TRACE_SOCKET, TRACE_SOCKET_CLOSED + 1, 0, 1, 3, "detail=6 port=1 other=3"},
    {TRACE_ARRIVAL, 0, 7000, 1, 17, "due_ns=7000 workload=1 number=17"},
    {TRACE_ANSWER, 0, 0, 1, 88000, "due_ns=0 workload=1 latency_ns=88000"},
    {TRACE_PHASE, WORKLOAD_IDLE, 0, 0, 0, "idle"},
    {TRACE_PHASE, WORKLOAD_WARMUP, 0, 0, 0, "warmup"},
    {TRACE_PHASE, WORKLOAD_MEASURE, 0, 0, 0, "measure"},
    {TRACE_PHASE, WORKLOAD_DRAIN, 0, 0, 0, "drain"},
    {TRACE_PHASE, WORKLOAD_DONE, 0, 0, 5, "done value=5"},
    {TRACE_PEER, 0, 0, 4096, 8192, "took bytes=4096 offset=8192"},
    {TRACE_PEER, 1, 0, 4096, 8192, "sent bytes=4096 offset=8192"},
    {TRACE_PEER, 2, 0, 0, 8192, "ended bytes=0 offset=8192"},
    {TRACE_FAULT, 3, 0, 0, 5000000, "which=3 length_ns=5000000"},
    {TRACE_POINT_COUNT, 0, 0, 0, 0, ""},
    {TRACE_POINT_COUNT, 1, 2, 3, 4, "detail=1 0/2/0 extra=3 value=4"},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void test_details(void **state)
{
    bool seen[TRACE_POINT_COUNT + 1] = {false};

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct trace_record record = {.point = (uint8_t)rows[i].point,
                                            .detail = rows[i].detail,
                                            .token = rows[i].token,
                                            .extra = (uint32_t)rows[i].extra,
                                            .value = rows[i].value};
        char text[TRACE_TEXT_BYTES];

        trace_text_detail(&record, text);
        assert_string_equal(text, rows[i].text);
        seen[rows[i].point] = true;
    }
    for (size_t i = 0; i < TRACE_POINT_COUNT; i++)
        if (!seen[i])
            fail_msg("no row for the point %s", trace_text_point((enum trace_point)i));
}

/* Whatever a record holds, its text is terminated, printable, and needs no escape. */
static void test_any_record(void **state)
{
    static const uint64_t numbers[] = {
        0, 1, UINT32_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX, UINT64_C(0x0a22415c1b7f80ff)};

    (void)state;
    for (uint32_t i = 0; i < 6 * 256 * (TRACE_POINT_COUNT + 1); i++) {
        const uint64_t number = numbers[i % 6];
        const struct trace_record record = {.point = (uint8_t)(i / 6 / 256),
                                            .detail = (uint8_t)(i / 6),
                                            .token = number,
                                            .extra = (uint32_t)number,
                                            .value = number};
        char text[TRACE_TEXT_BYTES];

        memset(text, 'x', sizeof(text));
        trace_text_detail(&record, text);
        assert_non_null(memchr(text, '\0', sizeof(text) - 1)); /* not cut either */
        for (const char *c = text; *c != '\0'; c++)
            assert_true(*c >= ' ' && *c <= '~' && *c != '"' && *c != '\\');
    }
}

static void test_points(void **state)
{
    uint8_t point = 99;

    (void)state;
    for (uint32_t i = 0; i < TRACE_POINT_COUNT; i++) {
        assert_true(trace_text_find_point(trace_text_point((enum trace_point)i), &point));
        assert_int_equal(point, i);
    }
    assert_string_equal(trace_text_point(TRACE_EVENT), "event");
    assert_false(trace_text_find_point("even", &point));
    assert_false(trace_text_find_point("", &point));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_any_record),
        cmocka_unit_test(test_points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
