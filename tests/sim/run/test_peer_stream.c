/* peer_stream: what each kind of peer makes of its bytes, with nothing around it. */
#include "tests/support/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { HEADER = PAYLOAD_HEADER_BYTES, ROOM = 4096 };

/* One connection of a peer, and what was said of the last bytes it took. */
struct one {
    struct peer_streams all;
    struct peer_stream stream;
    enum peer_stream_todo todo;
    size_t echo_bytes;
};

static void start(struct one *one, enum scenario_peer_kind kind)
{
    struct scenario_peer peer = {.kind = kind};

    peer_streams_init(&one->all, &peer, 0, 0);
    peer_stream_accept(&one->stream, &one->all);
}

static void start_client(struct one *one, uint64_t bytes)
{
    struct scenario_peer peer = {.kind = SCENARIO_PEER_CLIENT, .connections = 1, .bytes = bytes};
    uint64_t number;

    peer_streams_init(&one->all, &peer, PEERS_SEED, PEERS_STREAM);
    assert_true(peer_streams_next(&one->all, &number));
    peer_stream_connect(&one->stream, &one->all, number);
}

static void take(struct one *one, const void *data, size_t size)
{
    one->echo_bytes = 0;
    one->todo = peer_stream_take(&one->stream, data, size, &one->echo_bytes);
}

/* ---- the header ---- */

/* Cut in two at every place, and into single bytes. */
static void test_header_in_pieces(void **state)
{
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_BOTH, 3, 3);
    for (size_t cut = 1; cut < HEADER + 3; cut++) {
        start(&one, SCENARIO_PEER_ECHO);
        take(&one, wire, cut);
        assert_int_equal(one.echo_bytes, cut > HEADER ? cut - HEADER : 0);
        assert_int_equal(one.todo, cut > HEADER ? PEER_STREAM_ECHO : PEER_STREAM_READ);
        take(&one, wire + cut, HEADER + 3 - cut);
        assert_int_equal(one.todo, PEER_STREAM_ECHO);
        assert_int_equal(one.echo_bytes, cut > HEADER ? HEADER + 3 - cut : 3);
        peer_stream_end(&one.stream, false);
        peers_assert_faults(&one.all.counters, peers_no_faults);
        assert_int_equal(one.all.counters.bytes_in, 3);
    }
    start(&one, SCENARIO_PEER_ECHO);
    for (size_t i = 0; i < HEADER + 3; i++) {
        take(&one, wire + i, 1);
        assert_int_equal(one.echo_bytes, i < HEADER ? 0 : 1);
    }
    peers_assert_faults(&one.all.counters, peers_no_faults);
}

static void test_wrong_header(void **state)
{
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_UP, 3, 3);
    wire[0] ^= 1;
    start(&one, SCENARIO_PEER_SINK);
    take(&one, wire, HEADER - 1);
    assert_int_equal(one.todo, PEER_STREAM_READ);
    take(&one, wire + HEADER - 1, 4);
    assert_int_equal(one.todo, PEER_STREAM_CLOSE);
    peers_assert_faults(&one.all.counters, (struct peer_counters){.protocol_errors = 1});
    assert_int_equal(one.all.counters.bytes_in, 0);
}

static void test_modes(void **state)
{
    static const struct {
        enum scenario_peer_kind kind;
        enum payload_mode mode;
        enum peer_stream_todo todo;
    } rows[] = {
        {SCENARIO_PEER_SINK, PAYLOAD_UP, PEER_STREAM_READ},
        {SCENARIO_PEER_SINK, PAYLOAD_DOWN, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_SINK, PAYLOAD_BOTH, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_SOURCE, PAYLOAD_UP, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, PEER_STREAM_SEND},
        {SCENARIO_PEER_SOURCE, PAYLOAD_BOTH, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_ECHO, PAYLOAD_UP, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_ECHO, PAYLOAD_DOWN, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_ECHO, PAYLOAD_BOTH, PEER_STREAM_READ},
        {SCENARIO_PEER_ECHO, PAYLOAD_ASK, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_SOURCE, PAYLOAD_ASK, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_ASK, PEER_STREAM_READ},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_BOTH, PEER_STREAM_CLOSE},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_DOWN, PEER_STREAM_CLOSE},
    };
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        peers_wire(wire, rows[i].mode, 100, 0);
        start(&one, rows[i].kind);
        take(&one, wire, HEADER);
        assert_int_equal(one.todo, rows[i].todo);
        assert_int_equal(one.all.counters.protocol_errors, rows[i].todo == PEER_STREAM_CLOSE);
    }
}

/* ---- what arrives ---- */

static void test_wrong_bytes(void **state)
{
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_UP, 1000, 1000);
    wire[HEADER + 500] ^= 1;
    wire[HEADER + 501] ^= 1;
    wire[HEADER + 999] ^= 0x80;
    start(&one, SCENARIO_PEER_SINK);
    take(&one, wire, HEADER + 300);
    take(&one, wire + HEADER + 300, 700);
    assert_int_equal(one.todo, PEER_STREAM_READ);
    peer_stream_end(&one.stream, false);
    peers_assert_faults(&one.all.counters, (struct peer_counters){.mismatches = 3});
    assert_int_equal(one.all.counters.first_bad_stream, PEERS_STREAM);
    assert_int_equal(one.all.counters.first_bad_offset, 500);
    assert_int_equal(one.all.counters.bytes_in, 1000);
}

static void test_too_many_bytes(void **state)
{
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_UP, 10, 11);
    start(&one, SCENARIO_PEER_SINK);
    take(&one, wire, HEADER + 10);
    assert_int_equal(one.todo, PEER_STREAM_READ);
    take(&one, wire + HEADER + 10, 1);
    assert_int_equal(one.todo, PEER_STREAM_CLOSE);
    peers_assert_faults(&one.all.counters, (struct peer_counters){.protocol_errors = 1});
    assert_int_equal(one.all.counters.bytes_in, 10);
}

static void test_source_is_told_something(void **state)
{
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_DOWN, 10, 1);
    start(&one, SCENARIO_PEER_SOURCE);
    take(&one, wire, HEADER);
    assert_int_equal(one.todo, PEER_STREAM_SEND);
    take(&one, wire + HEADER, 1);
    assert_int_equal(one.todo, PEER_STREAM_CLOSE);
    peers_assert_faults(&one.all.counters, (struct peer_counters){.protocol_errors = 1});
}

/* ---- what is sent ---- */

static void test_source_sends(void **state)
{
    uint8_t wire[ROOM], out[600];
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_DOWN, 1000, 1000);
    start(&one, SCENARIO_PEER_SOURCE);
    take(&one, wire, HEADER);
    assert_int_equal(peer_stream_fill(&one.stream, out, sizeof(out)), 600);
    assert_memory_equal(out, wire + HEADER, 600);
    peer_stream_sent(&one.stream, 599);
    assert_int_equal(peer_stream_fill(&one.stream, out, sizeof(out)), 401);
    assert_memory_equal(out, wire + HEADER + 599, 401);
    peer_stream_sent(&one.stream, 401);
    assert_int_equal(peer_stream_fill(&one.stream, out, sizeof(out)), 0);
    assert_int_equal(one.all.counters.bytes_out, 1000);
    peer_stream_end(&one.stream, false);
    peers_assert_faults(&one.all.counters, peers_no_faults);
}

/* ---- a responder ---- */

/* A header and two requests, of 20 bytes and of 16, which want 5 bytes and 3. */
enum { ASK_ONE = 20, ASK_TWO = 16 };

static void wire_asks(uint8_t *wire)
{
    uint64_t key = payload_key(PEERS_SEED, PEERS_STREAM);

    peers_wire(wire, PAYLOAD_ASK, 0, ASK_ONE + ASK_TWO);
    payload_ask_pack(&(struct payload_ask){ASK_ONE, 5}, key, 0, wire + HEADER);
    payload_ask_pack(&(struct payload_ask){ASK_TWO, 3}, key, ASK_ONE, wire + HEADER + ASK_ONE);
}

/* Take a part of the answer out of the peer, in pieces of two bytes. */
static void take_answer(struct one *one, uint64_t offset, size_t size)
{
    uint64_t key = payload_answer_key(payload_key(PEERS_SEED, PEERS_STREAM));
    uint8_t out[ROOM];
    size_t piece;

    assert_int_equal(peer_stream_unsent(&one->stream), size);
    for (size_t at = 0; at < size; at += piece) {
        piece = peer_stream_fill(&one->stream, out + at, 2);
        peer_stream_sent(&one->stream, piece);
    }
    assert_int_equal(peer_stream_fill(&one->stream, out, 2), 0);
    assert_int_equal(payload_check(key, offset, out, size), -1);
}

/* Cut in two at every place. */
static void test_responder(void **state)
{
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    wire_asks(wire);
    for (size_t cut = 1; cut < HEADER + ASK_ONE; cut++) {
        start(&one, SCENARIO_PEER_RESPONDER);
        take(&one, wire, cut);
        assert_int_equal(one.todo, PEER_STREAM_READ);
        take(&one, wire + cut, HEADER + ASK_ONE - cut);
        assert_int_equal(one.todo, PEER_STREAM_SEND);
        take_answer(&one, 0, 5);
        take(&one, wire + HEADER + ASK_ONE, 7);
        assert_int_equal(one.todo, PEER_STREAM_READ);
        take(&one, wire + HEADER + ASK_ONE + 7, ASK_TWO - 7);
        assert_int_equal(one.todo, PEER_STREAM_SEND);
        take_answer(&one, 5, 3);
        peer_stream_end(&one.stream, false);
        peers_assert_faults(&one.all.counters, peers_no_faults);
        assert_int_equal(one.all.counters.bytes_in, ASK_ONE + ASK_TWO);
        assert_int_equal(one.all.counters.bytes_out, 8);
    }
}

/* Each bit that is wrong is seen, and where it is; what follows the request is never answered. */
static void test_responder_sees_wrong_bytes(void **state)
{
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    for (size_t at = 0; at < ASK_ONE; at++) {
        wire_asks(wire);
        wire[HEADER + at] ^= 1;
        start(&one, SCENARIO_PEER_RESPONDER);
        take(&one, wire, HEADER + ASK_ONE);
        peers_assert_faults(&one.all.counters, (struct peer_counters){.mismatches = 1});
        assert_int_equal(one.all.counters.first_bad_stream, PEERS_STREAM);
        assert_int_equal(one.all.counters.first_bad_offset, at < PAYLOAD_ASK_BYTES ? 8 : at);
        assert_int_equal(one.todo, at < PAYLOAD_ASK_BYTES ? PEER_STREAM_CLOSE : PEER_STREAM_SEND);
    }
    wire_asks(wire);
    start(&one, SCENARIO_PEER_RESPONDER);
    take(&one, wire, HEADER + ASK_ONE + 1);
    assert_int_equal(one.todo, PEER_STREAM_CLOSE);
    peers_assert_faults(&one.all.counters, (struct peer_counters){.protocol_errors = 1});
}

/* Its header is sent, and expected back, before its stream, and counts as no byte of it. */
static void test_client(void **state)
{
    uint8_t wire[ROOM], out[ROOM];
    size_t sent = 0, room = 20, size;
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_BOTH, 100, 100);
    start_client(&one, 100);
    while ((size = peer_stream_fill(&one.stream, out + sent, room)) > 0) {
        peer_stream_sent(&one.stream, size);
        sent += size;
    }
    assert_int_equal(sent, HEADER + 100);
    assert_memory_equal(out, wire, sent);
    assert_int_equal(one.all.counters.bytes_out, 100);
    take(&one, out, 50);
    assert_int_equal(one.todo, PEER_STREAM_READ);
    take(&one, out + 50, sent - 51);
    assert_int_equal(one.todo, PEER_STREAM_READ);
    take(&one, out + sent - 1, 1);
    assert_int_equal(one.todo, PEER_STREAM_CLOSE);
    peers_assert_faults(&one.all.counters, peers_no_faults);
    assert_int_equal(one.all.counters.bytes_in, 100);
}

static void test_client_gets_another_header(void **state)
{
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_BOTH, 100, 0);
    wire[HEADER - 1] ^= 1;
    start_client(&one, 100);
    take(&one, wire, HEADER - 1);
    assert_int_equal(one.todo, PEER_STREAM_READ);
    take(&one, wire + HEADER - 1, 1);
    assert_int_equal(one.todo, PEER_STREAM_CLOSE);
    peers_assert_faults(&one.all.counters, (struct peer_counters){.protocol_errors = 1});
}

/* At most so many wait for an answer; one that is over leaves its place to the next, once. */
static void test_client_opens_a_few(void **state)
{
    struct scenario_peer peer = {.kind = SCENARIO_PEER_CLIENT, .connections = 10, .bytes = 5};
    struct peer_streams all;
    struct peer_stream streams[10];
    uint64_t number;
    size_t echo_bytes;

    (void)state;
    peer_streams_init(&all, &peer, PEERS_SEED, PEERS_STREAM);
    for (uint64_t i = 0; i < PEER_UNANSWERED_MAX; i++) {
        assert_true(peer_streams_next(&all, &number));
        assert_int_equal(number, PEERS_STREAM + i);
        peer_stream_connect(&streams[i], &all, number);
    }
    assert_false(peer_streams_next(&all, &number));
    peer_stream_take(&streams[3], streams[3].wire, HEADER, &echo_bytes);
    assert_true(peer_streams_next(&all, &number));
    peer_stream_connect(&streams[8], &all, number);
    peer_stream_closed(&streams[3]);
    assert_false(peer_streams_next(&all, &number));
    assert_int_equal(all.counters.open, 8);
    peer_stream_closed(&streams[0]);
    assert_true(peer_streams_next(&all, &number));
    assert_int_equal(number, PEERS_STREAM + 9);
    peer_stream_connect(&streams[9], &all, number);
    peer_stream_closed(&streams[1]);
    assert_false(peer_streams_next(&all, &number));
    peer_streams_init(&all, &(struct scenario_peer){.kind = SCENARIO_PEER_ECHO, .connections = 3},
                      PEERS_SEED, PEERS_STREAM);
    assert_false(peer_streams_next(&all, &number));
}

/* Each listener has its own; a connection whose listener is full holds up those behind it. */
static void test_client_spreads(void **state)
{
    enum { LISTENERS = 3, FULL = LISTENERS * PEER_UNANSWERED_MAX };
    struct scenario_peer peer = {
        .kind = SCENARIO_PEER_CLIENT, .connections = 2 * FULL, .listeners = LISTENERS, .bytes = 5};
    struct peer_streams all;
    struct peer_stream streams[2 * FULL];
    uint64_t number;

    (void)state;
    peer_streams_init(&all, &peer, PEERS_SEED, PEERS_STREAM);
    for (uint32_t i = 0; i < FULL; i++) {
        assert_true(peer_streams_next(&all, &number));
        peer_stream_connect(&streams[i], &all, number);
        assert_int_equal(streams[i].listener, i % LISTENERS);
    }
    assert_false(peer_streams_next(&all, &number));
    peer_stream_closed(&streams[1]); /* of the second listener; the next is the first's */
    assert_false(peer_streams_next(&all, &number));
    peer_stream_closed(&streams[0]);
    for (uint32_t i = FULL; i < FULL + 2; i++) {
        assert_true(peer_streams_next(&all, &number));
        assert_int_equal(number, PEERS_STREAM + i);
        peer_stream_connect(&streams[i], &all, number);
    }
    assert_false(peer_streams_next(&all, &number));
}

/* ---- the end ---- */

/* Every end of a connection that was accepted, and how it is judged. */
static void test_ends(void **state)
{
    static const struct {
        enum scenario_peer_kind kind;
        enum payload_mode mode;
        uint64_t bytes; /* announced */
        size_t said;    /* bytes of header and stream */
        size_t sent;
        bool broken;
        struct peer_counters expected;
    } rows[] = {
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 9, HEADER + 9, 0, false, {0}},
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 9, HEADER + 8, 0, false, {.short_streams = 1}},
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 9, HEADER + 9, 0, true, {.resets = 1}},
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 9, HEADER, 0, true, {.resets = 1}},
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 0, HEADER + 8, 0, false, {0}},
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 0, HEADER + 8, 0, true, {.resets = 1}},
        /* a guest may give a socket up as it connects */
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 9, 0, 0, false, {0}},
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 9, 0, 0, true, {0}},
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 9, HEADER - 1, 0, false, {.protocol_errors = 1}},
        {SCENARIO_PEER_SINK, PAYLOAD_UP, 9, HEADER - 1, 0, true, {.resets = 1}},
        {SCENARIO_PEER_ECHO, PAYLOAD_BOTH, 9, HEADER + 9, 9, false, {0}},
        {SCENARIO_PEER_ECHO, PAYLOAD_BOTH, 9, HEADER + 8, 8, false, {.short_streams = 1}},
        {SCENARIO_PEER_ECHO, PAYLOAD_BOTH, 0, HEADER + 8, 5, true, {0}},
        {SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, 9, HEADER, 9, false, {0}},
        {SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, 9, HEADER, 8, false, {.short_streams = 1}},
        {SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, 9, HEADER, 9, true, {.resets = 1}},
        /* in the midst of a request, of what it opens with, and of its answer */
        {SCENARIO_PEER_RESPONDER, PAYLOAD_ASK, 0, HEADER, 0, false, {0}},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_ASK, 0, HEADER, 0, true, {.resets = 1}},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_ASK, 0, HEADER + 1, 0, false, {.short_streams = 1}},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_ASK, 0, HEADER + 19, 0, false, {.short_streams = 1}},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_ASK, 0, HEADER + 20, 4, false, {.short_streams = 1}},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_ASK, 0, HEADER + 20, 4, true, {.resets = 1}},
        {SCENARIO_PEER_RESPONDER, PAYLOAD_ASK, 0, HEADER + 20, 5, false, {0}},
        /* whoever reads an endless stream leaves in the midst of it */
        {SCENARIO_PEER_SOURCE, PAYLOAD_DOWN, 0, HEADER, 8, true, {0}},
    };
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        peers_wire(wire, rows[i].mode, rows[i].bytes, 100);
        if (rows[i].mode == PAYLOAD_ASK)
            wire_asks(wire);
        start(&one, rows[i].kind);
        if (rows[i].said > 0)
            take(&one, wire, rows[i].said);
        peer_stream_sent(&one.stream, rows[i].sent);
        peer_stream_end(&one.stream, rows[i].broken);
        peers_assert_faults(&one.all.counters, rows[i].expected);
        assert_int_equal(one.all.counters.open, 1);
        peer_stream_closed(&one.stream);
        assert_int_equal(one.all.counters.open, 0);
    }
}

static void test_client_ends(void **state)
{
    static const struct {
        size_t returned; /* bytes of header and stream */
        bool broken;
        struct peer_counters expected;
    } rows[] = {
        {0, false, {.protocol_errors = 1}},    {0, true, {.resets = 1}},
        {HEADER, false, {.short_streams = 1}}, {HEADER + 8, false, {.short_streams = 1}},
        {HEADER + 8, true, {.resets = 1}},
    };
    uint8_t wire[ROOM];
    struct one one;

    (void)state;
    peers_wire(wire, PAYLOAD_BOTH, 9, 9);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start_client(&one, 9);
        if (rows[i].returned > 0)
            take(&one, wire, rows[i].returned);
        peer_stream_end(&one.stream, rows[i].broken);
        peers_assert_faults(&one.all.counters, rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_in_pieces),
        cmocka_unit_test(test_wrong_header),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_wrong_bytes),
        cmocka_unit_test(test_too_many_bytes),
        cmocka_unit_test(test_source_is_told_something),
        cmocka_unit_test(test_source_sends),
        cmocka_unit_test(test_responder),
        cmocka_unit_test(test_responder_sees_wrong_bytes),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_client_gets_another_header),
        cmocka_unit_test(test_client_opens_a_few),
        cmocka_unit_test(test_client_spreads),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_client_ends),
    };

    return !!cmocka_run_group_tests_name("peer_stream", tests, NULL, NULL);
}
