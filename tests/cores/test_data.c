/*
 * The bytes of an open socket over both cores: every one compared, at each order, whatever lengths
 * the sockets complete with; ends of stream, resets, lingering, wake-ups and what they cost.
 */
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    RING_IN_1 = 2048, /* order 1: a quarter and a half of 8192 */
    RING_OUT_1 = 4096,
    ROUNDS_MAX = 10000, /* of a stream, which a lost notification would keep going for ever */
};

static struct pair pair;
static uint64_t sock, token; /* one connected socket, and the backend's name of it */
static unsigned char buffer[1 << 18];

static void open_in(const struct dialect *dialect, uint32_t order)
{
    pair_open(&pair,
              &(struct pair_config){.dialect = dialect, .order = order, .linger_ns = 1000000});
    sock = pair_connect(&pair, &token);
    pair_forget(&pair);
}

static int open_small(void **state)
{
    (void)state;
    open_in(&dialect_xensock1, 1);
    return 0;
}

static int close_clean(void **state)
{
    (void)state;
    pair_release(&pair, sock); /* of tests that left it open */
    pair_close(&pair);
    return 0;
}

/* The byte that belongs at an offset of a stream; no period that divides a ring. */
static unsigned char byte_at(uint64_t offset)
{
    return (unsigned char)(offset * 131 + (offset >> 8) * 7 + offset / 251);
}

static void fill(uint64_t from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        buffer[i] = byte_at(from + i);
}

static void assert_bytes(const unsigned char *got, uint64_t from, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++)
        assert_int_equal(got[i], byte_at(from + i));
}

/* How many bytes the backend has in flight at the socket in one direction. */
static uint32_t in_flight(enum ev_kind kind)
{
    struct net_mem_op op;

    for (uint32_t i = 0; net_mem_pending(pair.net, i, &op); i++)
        if (op.kind == kind && op.token == token)
            return (uint32_t)op.bytes;
    return 0;
}

static void arrive(const void *bytes, int32_t count)
{
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, count, bytes));
    pair_run(&pair);
}

static void both_ways(void **state)
{
    uint64_t written;
    char got[16];

    (void)state;
    assert_int_equal(pair_send(&pair, sock, "hello", 5), 5);
    pair_settle(&pair);
    assert_memory_equal(net_mem_written(pair.net, token, &written), "hello", 5);
    assert_int_equal(written, 5);
    assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), -ERR_AGAIN);
    arrive("abc", 3);
    assert_int_equal(pair_upcalls(&pair, ACT_READABLE, NULL), 1);
    assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), 3);
    assert_memory_equal(got, "abc", 3);
    arrive(NULL, 0);
    assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), 0);
    assert_int_equal(pair_release(&pair, sock), 0);
    pair_settle(&pair);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, sock), 0);
}

/* `total` bytes out, in sends of varying length, the socket taking a varying part of each write. */
static void stream_out(uint64_t total)
{
    uint64_t sent = 0, written = 0;

    for (uint32_t round = 1; written < total; round++) {
        assert_true(round < ROUNDS_MAX);
        uint32_t ask = round * 977 % 20011 + 1;
        if (ask > total - sent)
            ask = (uint32_t)(total - sent);
        fill(sent, ask);
        int64_t ret = ask > 0 ? pair_send(&pair, sock, buffer, ask) : 0;
        assert_in_range(ret, 0, ask);
        sent += (uint64_t)ret;
        pair_run(&pair);
        uint32_t queued = in_flight(EV_NET_WRITE);
        if (queued == 0)
            continue;
        uint32_t part = 1 + round * 7919 % queued;
        assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, (int32_t)part, NULL));
        pair_run(&pair);
        net_mem_written(pair.net, token, &written);
    }
    assert_int_equal(written, total);
    assert_bytes(net_mem_written(pair.net, token, &written), 0, total);
}

static void stream_in(uint64_t total)
{
    uint64_t supplied = 0, received = 0;

    for (uint32_t round = 1; received < total; round++) {
        assert_true(round < ROUNDS_MAX);
        uint32_t room = in_flight(EV_NET_READ);
        if (room > 0 && supplied < total) {
            uint32_t part = 1 + round * 7919 % room;
            part = part < sizeof(buffer) ? part : (uint32_t)sizeof(buffer);
            part = part < total - supplied ? part : (uint32_t)(total - supplied);
            fill(supplied, part);
            arrive(buffer, (int32_t)part);
            supplied += part;
        }
        int64_t ret = pair_recv(&pair, sock, buffer, round * 977 % 20011 + 1);
        pair_run(&pair);
        if (ret == -ERR_AGAIN)
            continue;
        assert_in_range(ret, 1, round * 977 % 20011 + 1);
        assert_bytes(buffer, received, (uint64_t)ret);
        received += (uint64_t)ret;
    }
    assert_int_equal(supplied, total);
}

static void bytes_at_each_order(void **state)
{
    static const struct {
        const struct dialect *dialect;
        uint32_t order, lengths; /* of the whole ring: either direction wraps several times */
    } cases[] = {{&dialect_xensock1, 1, 5}, {&dialect_xensock1, 3, 5}, {&dialect_xensock1, 6, 5},
                 {&dialect_pvcalls1, 1, 5}, {&dialect_pvcalls1, 4, 5}, {&dialect_pvcalls1, 9, 2}};

    (void)state;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_in(cases[i].dialect, cases[i].order);
        uint64_t total = (uint64_t)(4096u << cases[i].order) * cases[i].lengths + 123;
        stream_out(total);
        stream_in(total);
        assert_int_equal(fe_counters(pair.fe)->sent_bytes, total);
        assert_int_equal(be_counters(pair.be)->sent_bytes, total);
        assert_int_equal(fe_counters(pair.fe)->received_bytes, total);
        assert_int_equal(be_counters(pair.be)->received_bytes, total);
        pair_release(&pair, sock);
        pair_close(&pair);
    }
}

static void fill_out_exactly(uint32_t size)
{
    uint64_t written;

    for (uint32_t lap = 0; lap < 3; lap++) { /* the second begins where the array wraps */
        uint32_t offset = lap * (size + 100);
        fill(offset, size + 1);
        assert_int_equal(pair_send(&pair, sock, buffer, size + 1), size);
        assert_int_equal(pair_send(&pair, sock, buffer, 1), 0);
        assert_int_equal(fe_unsent(pair.fe, sock), size);
        pair_settle(&pair);
        assert_int_equal(fe_unsent(pair.fe, sock), 0);
        fill(offset + size, 100);
        assert_int_equal(pair_send(&pair, sock, buffer, 100), 100);
        pair_settle(&pair);
    }
    assert_bytes(net_mem_written(pair.net, token, &written), 0, 3 * (size + 100));
}

static void fill_in_exactly(uint32_t size)
{
    for (uint32_t lap = 0; lap < 3; lap++) {
        assert_int_equal(in_flight(EV_NET_READ), size);
        fill(lap * size, size);
        arrive(buffer, (int32_t)size);
        assert_int_equal(in_flight(EV_NET_READ), 0); /* no room: nothing posted */
        assert_int_equal(pair_recv(&pair, sock, buffer, size - 7), size - 7);
        assert_int_equal(pair_recv(&pair, sock, buffer + size - 7, size), 7);
        assert_bytes(buffer, lap * size, size);
        pair_run(&pair);
    }
    assert_true(be_counters(pair.be)->ring_full >= 3);
}

static void exactly_full_rings(void **state)
{
    (void)state;
    fill_out_exactly(RING_OUT_1);
    fill_in_exactly(RING_IN_1);
}

/* The same in halves of 4096 bytes, and of 32768 as Linux has them. */
static void exactly_full_halves(void **state)
{
    (void)state;
    for (uint32_t order = 1; order <= 4; order += 3) {
        open_in(&dialect_pvcalls1, order);
        fill_out_exactly(2048u << order);
        fill_in_exactly(2048u << order);
        pair_release(&pair, sock);
        pair_close(&pair);
    }
}

/* ---- ends ---------------------------------------------------------------------------------- */

/* Bytes and the end came before the guest looked once. */
static void end_after_the_last_byte(void **state)
{
    (void)state;
    fill(0, 1000);
    arrive(buffer, 1000);
    arrive(NULL, 0);
    memset(buffer, 0, sizeof(buffer));
    assert_int_equal(pair_recv(&pair, sock, buffer, 600), 600);
    assert_int_equal(pair_recv(&pair, sock, buffer + 600, 600), 400);
    assert_bytes(buffer, 0, 1000);
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), 0);
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), 0);
    assert_int_equal(pair_upcalls(&pair, ACT_READABLE, NULL), 1);
}

static void error_after_the_last_byte(void **state)
{
    (void)state;
    fill(0, 10);
    arrive(buffer, 10);
    arrive(NULL, -ERR_CONNRESET);
    assert_int_equal(pair_recv(&pair, sock, buffer, 100), 10);
    assert_bytes(buffer, 0, 10);
    assert_int_equal(pair_recv(&pair, sock, buffer, 100), -ERR_CONNRESET);
}

static void half_close(void **state)
{
    uint64_t written;

    (void)state;
    arrive(NULL, 0);
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), 0);
    for (uint32_t i = 0; i < 10; i++) {
        fill(i * 1000, 1000);
        assert_int_equal(pair_send(&pair, sock, buffer, 1000), 1000);
        pair_settle(&pair);
    }
    assert_bytes(net_mem_written(pair.net, token, &written), 0, 10000);
    assert_int_equal(written, 10000);
}

static void reset_when_idle(void **state)
{
    (void)state;
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), -ERR_AGAIN);
    arrive(NULL, -ERR_CONNRESET);
    assert_string_equal(pair_told(&pair), "READABLE");
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), -ERR_CONNRESET);
}

static void write_error_is_no_clean_end(void **state)
{
    (void)state;
    assert_int_equal(pair_send(&pair, sock, "x", 1), 1);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, -ERR_PIPE, NULL));
    pair_run(&pair);
    assert_int_equal(pair_send(&pair, sock, "x", 1), -ERR_PIPE);
    arrive(NULL, 0);
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), -ERR_PIPE);
}

/* After an end there is nothing to post, so nothing spins, whatever is notified. */
static void no_steps_after_the_end(void **state)
{
    (void)state;
    arrive(NULL, 0);
    uint64_t steps = exec_counters(pair.back)->steps + exec_counters(pair.front)->steps;
    uint64_t notifies = pair.back_hv->counters.notifies + pair.front_hv->counters.notifies;
    for (uint32_t i = 0; i < 100; i++)
        pair_run(&pair);
    assert_int_equal(exec_counters(pair.back)->steps + exec_counters(pair.front)->steps, steps);
    assert_int_equal(in_flight(EV_NET_READ), 0);
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), 0); /* an end changes no index */
    pair_run(&pair);
    assert_int_equal(pair.back_hv->counters.notifies + pair.front_hv->counters.notifies, notifies);
}

/* protocol.md 5.2 f: an error of the write must not be tried again and again. */
static void no_steps_after_a_write_error(void **state)
{
    (void)state;
    assert_int_equal(pair_send(&pair, sock, buffer, RING_OUT_1), RING_OUT_1);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, -ERR_CONNRESET, NULL));
    pair_run(&pair);
    uint64_t steps = exec_counters(pair.back)->steps + exec_counters(pair.front)->steps;
    pair_run(&pair);
    assert_int_equal(exec_counters(pair.back)->steps + exec_counters(pair.front)->steps, steps);
    assert_int_equal(in_flight(EV_NET_WRITE), 0);
}

/* ---- lingering ------------------------------------------------------------------------------ */

static void release_waits_for_the_drain(void **state)
{
    (void)state;
    assert_int_equal(pair_send(&pair, sock, buffer, 3000), 3000);
    assert_int_equal(pair_release(&pair, sock), 0);
    assert_int_equal(pair_send(&pair, sock, buffer, 1), -ERR_BADF);
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), -ERR_BADF);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, 2999, NULL));
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "");
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, 1, NULL));
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "RELEASE 0");
    assert_int_equal(net_mem_sockets(pair.net), 0);
}

static void release_waits_no_longer_than_an_error(void **state)
{
    (void)state;
    assert_int_equal(pair_send(&pair, sock, buffer, 3000), 3000);
    assert_int_equal(pair_release(&pair, sock), 0);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, -ERR_CONNRESET, NULL));
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "RELEASE 0");
}

static void release_waits_no_longer_than_linger(void **state)
{
    (void)state;
    assert_int_equal(exec_deadline_ns(pair.front), STEP_NEVER);
    pair.now_ns = 500;
    assert_int_equal(pair_send(&pair, sock, buffer, 3000), 3000);
    assert_int_equal(pair_release(&pair, sock), 0);
    assert_int_equal(exec_deadline_ns(pair.front), 500 + 1000000);
    pair.now_ns = 500 + 999999;
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "");
    pair.now_ns += 1;
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "RELEASE 0");
    assert_int_equal(exec_deadline_ns(pair.front), STEP_NEVER);
    assert_int_equal(net_mem_sockets(pair.net), 0);
}

static void lingers_no_more_when_told(void **state)
{
    (void)state;
    assert_int_equal(pair_send(&pair, sock, buffer, 3000), 3000);
    assert_int_equal(pair_release(&pair, sock), 0);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "");
    assert_int_equal(fe_linger_end(pair.fe, sock, pair_call(&pair)), 0);
    pair_call_end(&pair);
    assert_int_equal(fe_linger_end(pair.fe, sock, pair_call(&pair)), -ERR_BADF);
    pair_call_end(&pair);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "RELEASE 0");
    assert_int_equal(net_mem_sockets(pair.net), 0);
}

/* ---- wake-ups and cost ---------------------------------------------------------------------- */

static void readable_once_per_arming(void **state)
{
    (void)state;
    arrive("a", 1); /* armed at connect */
    arrive("b", 1);
    assert_string_equal(pair_told(&pair), "READABLE");
    assert_int_equal(pair_recv(&pair, sock, buffer, 1), 1);
    arrive("c", 1);
    assert_string_equal(pair_told(&pair), "READABLE"); /* not armed: it was never told -EAGAIN */
    assert_int_equal(pair_recv(&pair, sock, buffer, 10), 2);
    assert_int_equal(pair_recv(&pair, sock, buffer, 10), -ERR_AGAIN);
    assert_int_equal(pair_recv(&pair, sock, buffer, 10), -ERR_AGAIN);
    arrive("d", 1);
    arrive(NULL, 0);
    assert_string_equal(pair_told(&pair), "READABLE, READABLE");
}

static void writable_at_half_the_ring(void **state)
{
    (void)state;
    assert_int_equal(pair_send(&pair, sock, buffer, RING_OUT_1), RING_OUT_1);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), ""); /* all was taken: nothing armed */
    assert_int_equal(pair_send(&pair, sock, buffer, 1), 0);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, RING_OUT_1 / 2 - 1, NULL));
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "");
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, 1, NULL));
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "WRITABLE");
    pair_settle(&pair);
    assert_string_equal(pair_told(&pair), "WRITABLE");
    assert_int_equal(fe_counters(pair.fe)->room_waits, 1);
}

static void writable_on_an_error(void **state)
{
    (void)state;
    assert_int_equal(pair_send(&pair, sock, buffer, RING_OUT_1 + 1), RING_OUT_1);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, -ERR_PIPE, NULL));
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "WRITABLE");
    assert_int_equal(pair_send(&pair, sock, buffer, 1), -ERR_PIPE);
}

/* The backend's turn takes a completion of each direction: one notification for both. */
static void one_notification_a_turn(void **state)
{
    (void)state;
    assert_int_equal(pair_send(&pair, sock, buffer, 100), 100);
    pair_run(&pair);
    uint64_t before = pair.back_hv->counters.notifies;
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, 50, NULL));
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 5, buffer));
    exec_turn(pair.back, 0);
    assert_int_equal(pair.back_hv->counters.notifies, before + 1);
    exec_turn(pair.back, 0);
    assert_int_equal(pair.back_hv->counters.notifies, before + 1);
}

/* Per message of a quiet connection: one copy each way, one notification per index change. */
static void cost_of_a_message(void **state)
{
    (void)state;
    uint64_t copies = fe_counters(pair.fe)->copies;
    uint64_t front = pair.front_hv->counters.notifies, back = pair.back_hv->counters.notifies;
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(pair_send(&pair, sock, buffer, 100), 100);
        pair_settle(&pair);
        arrive(buffer, 100);
        assert_int_equal(pair_recv(&pair, sock, buffer, 100), 100);
        pair_run(&pair);
    }
    assert_int_equal(fe_counters(pair.fe)->copies - copies, 20);
    assert_int_equal(pair.front_hv->counters.notifies - front, 20);
    assert_int_equal(pair.back_hv->counters.notifies - back, 20);
    assert_int_equal(pair_send(&pair, sock, buffer, 0), 0);
    assert_int_equal(pair_recv(&pair, sock, buffer, 100), -ERR_AGAIN);
    pair_run(&pair);
    assert_int_equal(pair.front_hv->counters.notifies - front, 20); /* nothing changed */
}

/* A notification that finds nothing, then data: both must come through (a masked port would not).
 */
static void spurious_notifications(void **state)
{
    uint64_t written;

    (void)state;
    uint32_t port = 0;
    while (hv_notify(pair.front_hv, ++port) != 0 || port < 2) /* the ring's, then the socket's */
        assert_true(port < 16);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(hv_notify(pair.front_hv, port), 0);
        pair_run(&pair);
    }
    assert_int_equal(pair_send(&pair, sock, "x", 1), 1);
    pair_settle(&pair);
    net_mem_written(pair.net, token, &written);
    assert_int_equal(written, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_small, close_clean)
    const struct CMUnitTest tests[] = {
        TEST(both_ways),
        cmocka_unit_test(bytes_at_each_order),
        TEST(exactly_full_rings),
        cmocka_unit_test(exactly_full_halves),
        TEST(end_after_the_last_byte),
        TEST(error_after_the_last_byte),
        TEST(half_close),
        TEST(reset_when_idle),
        TEST(write_error_is_no_clean_end),
        TEST(no_steps_after_the_end),
        TEST(no_steps_after_a_write_error),
        TEST(release_waits_for_the_drain),
        TEST(release_waits_no_longer_than_an_error),
        TEST(release_waits_no_longer_than_linger),
        TEST(lingers_no_more_when_told),
        TEST(readable_once_per_arming),
        TEST(writable_at_half_the_ring),
        TEST(writable_on_an_error),
        TEST(one_notification_a_turn),
        TEST(cost_of_a_message),
        TEST(spurious_notifications),
    };
#undef TEST

    return !!cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
