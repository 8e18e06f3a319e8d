/*
 * A byte ring in every interleaving: a producer writes a few bytes in pieces of 1 to 3 and then the
 * error word, a consumer takes one or all that there are, each sleeps on its event channel
 * (hv_mem's own) when there is no room or nothing to read. Rings of 1, 2 and 4 bytes, indexes also
 * passing 2^32.
 *
 * Promised: each byte arrives once and in order, the end only after the last, and nobody sleeps
 * while there is work for it. The loops stand for fe_data.c and be_data.c, which
 * test_cores_hooked.c has: notify after every change of an index; look again before sleeping.
 */
#include "ringlib/bytering.h"
#include "ringlib/err.h"
#include "tests/explore/channel.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { PRODUCER, CONSUMER, PIECE = 3, BYTES_MAX = 8 };
#define NEAR_WRAP 0xfffffffdu
enum { PROD = 0, CONS = 4, ERROR = 8, ARRAY = 64 };

static alignas(SHARED_PAGE_BYTES) unsigned char memory[SHARED_PAGE_BYTES];
static const struct shared_area page = {(struct shared_memory *)(void *)memory, 1};
static const struct explore_place places[] = {
    {"prod", PROD, 4, PRODUCER},
    {"cons", CONS, 4, CONSUMER},
    {"error", ERROR, 4, PRODUCER},
    {"array", ARRAY, BYTES_MAX, EXPLORE_NOBODY},
};

/* What a loop does wrong on purpose: to look at the error after the index, to publish the error
 * before the last byte, to forget an event that came while its port was masked. */
enum control { RIGHT, ERROR_LAST, ERROR_EARLY, DEAF };

struct stream {
    uint32_t size, bytes, start;
    enum control control;
    struct channel *channel;
    struct {
        struct bytering ring;
        uint32_t sent, want; /* want: what is left of the write under way */
        uint32_t masked;     /* its port, since it last woke up */
    } producer;
    struct {
        struct bytering ring;
        uint32_t taken, masked;
    } consumer;
};

static unsigned char byte_at(uint32_t position)
{
    return (unsigned char)(position + 1);
}

/* As the executor does: the port is unmasked when all has been looked at. */
static void sleep_again(struct stream *at, uint32_t side, uint32_t *masked)
{
    if (*masked)
        channel_unmask(at->channel, side);
    *masked = 1;
    channel_sleep(at->channel, side);
}

static void produce_some(struct stream *at, uint32_t room)
{
    unsigned char bytes[PIECE];
    uint32_t count = at->producer.want < room ? at->producer.want : room;

    for (uint32_t i = 0; i < count; i++)
        bytes[i] = byte_at(at->producer.sent + i);
    at->producer.sent += count;
    at->producer.want -= count;
    if (at->control == ERROR_EARLY && at->producer.sent == at->bytes)
        bytering_fail(&at->producer.ring, -ERR_NOTCONN);
    explore_call("bytering_put");
    bytering_put(&at->producer.ring, bytes, count);
    channel_notify(at->channel, PRODUCER);
}

static void produce(void *self)
{
    struct stream *at = self;

    while (at->producer.sent < at->bytes) {
        uint32_t rest = at->bytes - at->producer.sent;
        explore_at(&at->producer, sizeof(at->producer));
        if (at->producer.want == 0)
            at->producer.want =
                1 + explore_choose("writes one more than", rest < PIECE ? rest : PIECE);
        explore_call("bytering_room");
        int64_t room = bytering_room(&at->producer.ring);
        explore_check(room >= 0 && room <= at->size);
        if (room > 0) {
            produce_some(at, (uint32_t)room);
        } else {
            sleep_again(at, PRODUCER, &at->producer.masked);
        }
    }
    explore_call("bytering_fail");
    bytering_fail(&at->producer.ring, -ERR_NOTCONN);
    channel_notify(at->channel, PRODUCER);
}

/* What is there to take; the error that was loaded with it. */
static uint32_t look(struct stream *at, int32_t *error)
{
    explore_call("bytering_error");
    *error = at->control == ERROR_LAST ? 0 : bytering_error(&at->consumer.ring);
    explore_call("bytering_queued");
    int64_t queued = bytering_queued(&at->consumer.ring);
    explore_check(queued >= 0 && queued <= at->size);
    if (at->control == ERROR_LAST)
        *error = bytering_error(&at->consumer.ring);
    return (uint32_t)queued;
}

static void consume_some(struct stream *at, uint32_t queued)
{
    unsigned char bytes[BYTES_MAX];
    uint32_t count = explore_choose("takes but one", 2) ? 1 : queued;

    explore_call("bytering_take");
    bytering_take(&at->consumer.ring, bytes, count);
    for (uint32_t i = 0; i < count; i++)
        explore_check(bytes[i] == byte_at(at->consumer.taken + i));
    at->consumer.taken += count;
    channel_notify(at->channel, CONSUMER);
}

static void consume(void *self)
{
    struct stream *at = self;
    int32_t error = 0;
    uint32_t queued = 0;

    for (;;) {
        explore_at(&at->consumer, sizeof(at->consumer));
        queued = look(at, &error);
        if (queued > 0) {
            consume_some(at, queued);
        } else if (error != 0) {
            break;
        } else {
            sleep_again(at, CONSUMER, &at->consumer.masked);
        }
    }
    explore_check(error == -ERR_NOTCONN && at->consumer.taken == at->bytes);
}

static void begin(void *self)
{
    struct stream *at = self;
    const struct explore_region region = {page, places, sizeof(places) / sizeof(places[0])};
    const struct bytering_layout layout = {ARRAY, at->size, PROD, CONS, ERROR};

    memset(memory, 0, sizeof(memory));
    memset(&at->producer, 0, sizeof(at->producer));
    memset(&at->consumer, 0, sizeof(at->consumer));
    bytering_init(&at->producer.ring, &page, &page, &layout);
    bytering_init(&at->consumer.ring, &page, &page, &layout);
    at->producer.ring.index = at->consumer.ring.index = at->start;
    shared_store(&page, PROD, at->start);
    shared_store(&page, CONS, at->start);
    channel_reset(at->channel, at->control == DEAF);
    explore_region(&region);
}

static uint64_t state(void *self)
{
    return channel_state(((struct stream *)self)->channel);
}

static const char *outcome(void *self)
{
    const struct stream *at = self;

    return at->consumer.taken == at->bytes ? NULL : "not every byte arrived";
}

static struct explore_result search(struct stream *stream, const char *name)
{
    struct explore_result result;
    char text[100];

    snprintf(text, sizeof(text), "%s, %u to send", name, stream->bytes);
    stream->channel = channel_open();
    explore(&(struct explore){.name = text,
                              .self = stream,
                              .side_count = 2,
                              .side_names = {"producer", "consumer"},
                              .sides = {produce, consume},
                              .begin = begin,
                              .state = state,
                              .outcome = outcome,
                              .control = stream->control != RIGHT},
            &result);
    channel_close(stream->channel);
    return result;
}

/* Sanitized, two bytes fewer. */
static void right(struct stream *stream, const char *name)
{
    stream->bytes -= EXPLORE_SLOW ? 2 : 0;
    struct explore_result result = search(stream, name);

    assert_null(result.wrong);
    assert_true(result.complete);
}

static void one_byte(void **unused)
{
    (void)unused;
    right(&(struct stream){.size = 1, .bytes = 4}, "bytering, 1 byte");
    right(&(struct stream){.size = 1, .bytes = 5, .start = NEAR_WRAP},
          "bytering, 1 byte around the wrap");
}

static void two_bytes(void **unused)
{
    (void)unused;
    right(&(struct stream){.size = 2, .bytes = 5}, "bytering, 2 bytes");
    right(&(struct stream){.size = 2, .bytes = 6, .start = NEAR_WRAP},
          "bytering, 2 bytes around the wrap");
}

static void four_bytes(void **unused)
{
    (void)unused;
    if (EXPLORE_SLOW > 1)
        return;
    right(&(struct stream){.size = 4, .bytes = 6}, "bytering, 4 bytes");
    right(&(struct stream){.size = 4, .bytes = 7, .start = NEAR_WRAP},
          "bytering, 4 bytes around the wrap");
}

/* What must be found, or finding nothing means nothing. */
static void controls(void **unused)
{
    struct stream last = {.size = 2, .bytes = 3, .control = ERROR_LAST};
    struct stream early = {.size = 2, .bytes = 3, .control = ERROR_EARLY};
    struct stream deaf = {.size = 2, .bytes = 3, .control = DEAF};

    (void)unused;
    assert_non_null(search(&last, "bytering, the error loaded after prod").wrong);
    assert_non_null(search(&early, "bytering, the error published before the last byte").wrong);
    assert_non_null(search(&deaf, "bytering, events while masked are lost").wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_byte),
        cmocka_unit_test(two_bytes),
        cmocka_unit_test(four_bytes),
        cmocka_unit_test(controls),
    };

    return !!cmocka_run_group_tests_name("bytering", tests, NULL, NULL);
}
