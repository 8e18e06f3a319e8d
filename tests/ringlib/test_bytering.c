/*
 * One direction of a data ring: spans, wrap, full and empty, lying indexes, the error word.
 *
 * Both ends sit on one area in one thread; a lying peer is a word written by hand. What is loaded
 * how often and in which order is test_order_hooked.c's, threads are test_ring_tsan.c's.
 */
#include "ringlib/bytering.h"
#include "ringlib/dialect.h"
#include "ringlib/err.h"
#include "sim/time/prng.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

enum { AREA_BYTES = DIALECT_PAGES_MAX * SHARED_PAGE_BYTES, SIZE_MAX_BYTES = 131072 };

/* Starts around every place where an index or an offset could go wrong. */
static const uint32_t starts[] = {0, 1, 2047, 4095, 0x7fffffff, 0xfffff000, 0xffffff00, 0xffffffff};

static alignas(SHARED_PAGE_BYTES) unsigned char memory[AREA_BYTES];
static unsigned char sent[SIZE_MAX_BYTES], got[SIZE_MAX_BYTES];
static struct bytering producer, consumer;

static void word_set(uint32_t offset, uint32_t value)
{
    memcpy(memory + offset, &value, 4);
}

static uint32_t word(uint32_t offset)
{
    uint32_t value;

    memcpy(&value, memory + offset, 4);
    return value;
}

/* Both ends of one direction, empty, with both indexes at `start`. */
static void open_ends(const struct bytering_layout *at, uint32_t start)
{
    struct shared_area area = {(struct shared_memory *)(void *)memory, DIALECT_PAGES_MAX};

    memset(memory, 0, sizeof(memory));
    bytering_init(&producer, &area, &area, at);
    bytering_init(&consumer, &area, &area, at);
    assert_int_equal(producer.index, 0);
    assert_int_equal(consumer.index, 0);
    producer.index = start;
    consumer.index = start;
    word_set(at->prod, start);
    word_set(at->cons, start);
}

/* The i-th of the twelve arrays there are: orders 1 to 6, in and out. */
static struct bytering_layout layout_at(uint32_t i)
{
    struct dialect_ring ring;

    dialect_ring(&dialect_xensock1, 1 + i / 2, &ring);
    return i % 2 ? ring.out : ring.in;
}

static void fill_random(struct prng *prng, unsigned char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)prng_u32(prng);
}

/* ---- spans ------------------------------------------------------------------------------------
 */

struct span_case {
    uint32_t index, bytes, count;
    struct shared_span spans[2];
};

/* The out array of order 1: 4096 bytes from 2048 on. */
static const struct span_case span_cases[] = {
    {0, 0, 0, {{0, 0}, {0, 0}}},
    {0, 1, 1, {{2048, 1}, {0, 0}}},
    {0, 4096, 1, {{2048, 4096}, {0, 0}}},
    {1, 4095, 1, {{2049, 4095}, {0, 0}}},
    {1, 4096, 2, {{2049, 4095}, {2048, 1}}},
    {4000, 95, 1, {{6048, 95}, {0, 0}}},
    {4000, 96, 1, {{6048, 96}, {0, 0}}},
    {4000, 97, 2, {{6048, 96}, {2048, 1}}},
    {4095, 0, 0, {{0, 0}, {0, 0}}},
    {4095, 1, 1, {{6143, 1}, {0, 0}}},
    {4095, 2, 2, {{6143, 1}, {2048, 1}}},
    {4095, 4096, 2, {{6143, 1}, {2048, 4095}}},
    {4096, 1, 1, {{2048, 1}, {0, 0}}},
    {8191, 3, 2, {{6143, 1}, {2048, 2}}},
    {0xfffff000, 4096, 1, {{2048, 4096}, {0, 0}}},
    {0xffffff00, 256, 1, {{5888, 256}, {0, 0}}},
    {0xffffff00, 257, 2, {{5888, 256}, {2048, 1}}},
    {0xffffffff, 2, 2, {{6143, 1}, {2048, 1}}},
};

static void spans_are_exact(void **state)
{
    struct bytering_layout at = layout_at(1);

    (void)state;
    assert_int_equal(at.array, 2048);
    assert_int_equal(at.size, 4096);
    for (uint32_t i = 0; i < sizeof(span_cases) / sizeof(span_cases[0]); i++) {
        const struct span_case *expected = &span_cases[i];
        struct shared_span spans[2];

        open_ends(&at, expected->index);
        assert_int_equal(bytering_spans(&producer, expected->bytes, spans), expected->count);
        for (uint32_t k = 0; k < expected->count; k++) {
            assert_int_equal(spans[k].offset, expected->spans[k].offset);
            assert_int_equal(spans[k].length, expected->spans[k].length);
        }
    }
}

/* Every start and length of a small array, byte for byte: the n-th byte lies at (index + n) % size.
 */
static void check_spans(uint32_t size, uint32_t index, uint32_t bytes)
{
    struct bytering_layout at = {.array = 4096, .size = size, .prod = 0, .cons = 4, .error = 8};
    struct shared_span spans[2];
    uint32_t next = 0;

    open_ends(&at, index);
    uint32_t count = bytering_spans(&consumer, bytes, spans);
    for (uint32_t k = 0; k < count; k++) {
        assert_true(spans[k].length > 0);
        for (uint32_t i = 0; i < spans[k].length; i++, next++)
            assert_int_equal(spans[k].offset + i, 4096 + (uint32_t)(index + next) % size);
    }
    assert_int_equal(next, bytes);
}

static void spans_of_small_arrays_are_exact(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 16; size *= 2)
        for (uint32_t index = 0; index < 2 * size; index++)
            for (uint32_t bytes = 0; bytes <= size; bytes++) {
                check_spans(size, index, bytes);
                check_spans(size, 0u - size + index, bytes);
            }
}

/* ---- full, empty, random ----------------------------------------------------------------------
 */

/* Nothing but the array and the two published indexes was written. */
static void check_rest_untouched(const struct bytering_layout *at)
{
    for (uint32_t i = 0; i < AREA_BYTES; i++) {
        bool named = (i >= at->array && i < at->array + at->size) ||
                     (i >= at->prod && i < at->prod + 4) || (i >= at->cons && i < at->cons + 4);
        if (!named && memory[i] != 0)
            fail_msg("byte %u was written", i);
    }
}

static void check_fill_and_drain(const struct bytering_layout *at, uint32_t start)
{
    open_ends(at, start);
    assert_int_equal(bytering_room(&producer), at->size);
    assert_int_equal(bytering_queued(&consumer), 0);
    bytering_put(&producer, sent, at->size);
    assert_int_equal(word(at->prod), start + at->size);
    assert_int_equal(bytering_room(&producer), 0);
    assert_int_equal(bytering_queued(&consumer), at->size);
    bytering_take(&consumer, got, at->size);
    assert_int_equal(word(at->cons), start + at->size);
    assert_memory_equal(got, sent, at->size);
    assert_int_equal(bytering_room(&producer), at->size);
    assert_int_equal(bytering_queued(&consumer), 0);
    check_rest_untouched(at);
}

static void every_byte_of_every_array_is_usable(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, "bytering", 0);
    fill_random(&prng, sent, sizeof(sent));
    for (uint32_t i = 0; i < 12; i++) {
        struct bytering_layout at = layout_at(i);

        for (uint32_t k = 0; k < sizeof(starts) / sizeof(starts[0]); k++)
            check_fill_and_drain(&at, starts[k]);
    }
}

/* The reference: bytes in the order they came, moved up when some leave. */
static struct {
    unsigned char bytes[SIZE_MAX_BYTES];
    uint32_t count;
} queue;

/* Mostly small pieces, and now and then everything there is. */
static uint32_t piece(struct prng *prng, uint32_t most)
{
    uint32_t bound = prng_below(prng, 4) > 0 && most > 40 ? 40 : most;

    return (uint32_t)prng_below(prng, (uint64_t)bound + 1);
}

static void random_put(struct prng *prng, const struct bytering_layout *at)
{
    uint32_t bytes = piece(prng, at->size - queue.count);
    struct shared_span spans[2];
    uint32_t done = 0;

    fill_random(prng, sent, bytes);
    if (prng_below(prng, 2) == 0) {
        bytering_put(&producer, sent, bytes);
    } else { /* as a socket that reads into the spans */
        uint32_t count = bytering_spans(&producer, bytes, spans);

        for (uint32_t i = 0; i < count; done += spans[i++].length)
            memcpy(memory + spans[i].offset, sent + done, spans[i].length);
        bytering_produced(&producer, bytes);
    }
    memcpy(queue.bytes + queue.count, sent, bytes);
    queue.count += bytes;
}

static void random_take(struct prng *prng)
{
    uint32_t bytes = piece(prng, queue.count);
    struct shared_span spans[2];
    uint32_t done = 0;

    if (prng_below(prng, 2) == 0) {
        bytering_take(&consumer, got, bytes);
    } else {
        uint32_t count = bytering_spans(&consumer, bytes, spans);

        for (uint32_t i = 0; i < count; done += spans[i++].length)
            memcpy(got + done, memory + spans[i].offset, spans[i].length);
        bytering_consumed(&consumer, bytes);
    }
    assert_memory_equal(got, queue.bytes, bytes);
    queue.count -= bytes;
    memmove(queue.bytes, queue.bytes + bytes, queue.count);
}

/* Starts 256 short of 2^32, so that the indexes cross it. */
static void run_random(const struct bytering_layout *at, uint32_t operations)
{
    struct prng prng;

    prng_init(&prng, at->size, "random", 0);
    open_ends(at, 0xffffff00);
    queue.count = 0;
    for (uint32_t i = 0; i < operations; i++) {
        if (prng_below(&prng, 2) == 0)
            random_put(&prng, at);
        else
            random_take(&prng);
        assert_int_equal(bytering_queued(&consumer), queue.count);
        assert_int_equal(bytering_room(&producer), at->size - queue.count);
    }
    assert_true(producer.index < 0xffffff00 && producer.index > at->size);
}

static void random_operations_match_a_queue(void **state)
{
    struct bytering_layout small = {.array = 4096, .size = 64, .prod = 0, .cons = 4, .error = 8};
    struct bytering_layout first = layout_at(0);

    (void)state;
    run_random(&small, 100000);
    run_random(&first, 100000);
    for (uint32_t i = 1; i < 12; i++) {
        struct bytering_layout at = layout_at(i);

        run_random(&at, 1000);
    }
}

/* ---- a lying peer -----------------------------------------------------------------------------
 */

/* prod - cons is to be believed from 0 to size, whatever the start, at either end. */
static void check_distance(const struct bytering_layout *at, uint32_t index, int64_t distance)
{
    bool believed = distance >= 0 && distance <= at->size;

    open_ends(at, index);
    word_set(at->cons, (uint32_t)(index - distance));
    assert_int_equal(bytering_room(&producer), believed ? at->size - distance : -1);
    assert_int_equal(word(at->prod), index);

    open_ends(at, index);
    word_set(at->prod, (uint32_t)(index + distance));
    assert_int_equal(bytering_queued(&consumer), believed ? distance : -1);
    assert_int_equal(word(at->cons), index);
}

/* A multiple of the size would be full or empty if the indexes were masked first. */
static void index_outside_the_array_is_refused(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        struct bytering_layout at = layout_at(i);
        int64_t size = at.size;
        int64_t distances[] = {0,         1,          size - 1,   size,       size + 1,  2 * size,
                               64 * size, 0x7fffffff, 0x80000000, 0x80000001, -1,        -2,
                               1 - size,  -size,      -size - 1,  -2 * size,  -64 * size};

        for (uint32_t k = 0; k < sizeof(distances) / sizeof(distances[0]); k++)
            for (uint32_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++)
                check_distance(&at, starts[s], distances[k]);
    }
}

/* What lies in the error word, and what it reads as. */
static const struct {
    uint32_t raw;
    int32_t error;
} errors[] = {
    {0, 0},
    {0xffffffff, -1},    /* EPERM */
    {0xffffff91, -111},  /* ECONNREFUSED */
    {0xfffff001, -4095}, /* the last number an error can have */
    {0xfffff000, -5},    /* -4096 */
    {0x80000000, -5},
    {0x80000001, -5},
    {1, -5},
    {111, -5},
    {0x7fffffff, -5},
};

static void error_word_is_made_safe(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        struct bytering_layout at = layout_at(i);

        open_ends(&at, 0);
        for (uint32_t k = 0; k < sizeof(errors) / sizeof(errors[0]); k++) {
            word_set(at.error, errors[k].raw);
            assert_int_equal(bytering_error(&consumer), errors[k].error);
            assert_int_equal(bytering_error(&producer), errors[k].error);
        }
    }
}

static void failing_sets_the_error_word_alone(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        struct bytering_layout at = layout_at(i);

        open_ends(&at, 0);
        bytering_put(&producer, "abc", 3);
        bytering_fail(&producer, -ERR_NOTCONN);
        assert_int_equal(word(at.error), 0xffffff95); /* -107 */
        assert_int_equal(bytering_error(&consumer), -ERR_NOTCONN);
        assert_int_equal(bytering_queued(&consumer), 3);
        word_set(at.error, 0);
        check_rest_untouched(&at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_exact),
        cmocka_unit_test(spans_of_small_arrays_are_exact),
        cmocka_unit_test(every_byte_of_every_array_is_usable),
        cmocka_unit_test(random_operations_match_a_queue),
        cmocka_unit_test(index_outside_the_array_is_refused),
        cmocka_unit_test(error_word_is_made_safe),
        cmocka_unit_test(failing_sets_the_error_word_alone),
    };

    return !!cmocka_run_group_tests_name("bytering", tests, NULL, NULL);
}
