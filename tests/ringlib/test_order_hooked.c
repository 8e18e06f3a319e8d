/*
 * The rules of shared memory seen from the door: which word is touched how often and in which
 * order, where a full fence stands, and that nothing the peer writes over our own published words
 * is ever read back.
 *
 * Built over the hooked libraries: shared_hook() records every access and, when told to, first
 * overwrites the words that belong to the acting end. What lies within one access (each word of a
 * slot is loaded once) is shared.h's own.
 * Source: architecture 5, rules 1, 2 and 6.
 */
#include "ringlib/bytering.h"
#include "ringlib/cmdring.h"
#include "sim/time/prng.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SLOT = 312, SIZE = 8, RESPONSE = 24, LOG = 8, PAGES = 2 };

static alignas(SHARED_PAGE_BYTES) unsigned char memory[PAGES * SHARED_PAGE_BYTES];
static const struct shared_area area = {(struct shared_memory *)(void *)memory, PAGES};
static struct prng prng;

enum touch_kind { TOUCH_READ = SHARED_READ, TOUCH_WRITE = SHARED_WRITE, TOUCH_FENCE };

struct touch {
    enum touch_kind kind;
    uint32_t offset, bytes;
};

static struct touch touches[LOG];
static uint32_t touch_count;

/* Words of the acting end, which it published and the peer may overwrite. */
static uint32_t own[2], own_count;

static void note(enum touch_kind kind, uint32_t offset, uint32_t bytes)
{
    if (touch_count < LOG)
        touches[touch_count] = (struct touch){kind, offset, bytes};
    touch_count++;
}

void shared_hook_fence(void)
{
    note(TOUCH_FENCE, 0, 0);
}

void shared_hook(enum shared_access access, const struct shared_area *where, uint32_t offset,
                 uint32_t bytes)
{
    assert_ptr_equal(where->base, area.base);
    note(access == SHARED_READ ? TOUCH_READ : TOUCH_WRITE, offset, bytes);
    for (uint32_t i = 0; i < own_count; i++) {
        uint32_t lie = prng_u32(&prng);

        memcpy(memory + own[i], &lie, 4);
    }
}

/* Exactly these accesses happened since the last look, in this order. */
static void check_touches(const struct touch *expected, uint32_t count)
{
    assert_int_equal(touch_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(touches[i].kind, expected[i].kind);
        assert_int_equal(touches[i].offset, expected[i].offset);
        assert_int_equal(touches[i].bytes, expected[i].bytes);
    }
    touch_count = 0;
}

#define TOUCHED(...)                                                                               \
    check_touches((const struct touch[]){__VA_ARGS__},                                             \
                  sizeof((const struct touch[]){__VA_ARGS__}) / sizeof(struct touch))
#define READ(offset, bytes)                                                                        \
    {                                                                                              \
        TOUCH_READ, (offset), (bytes)                                                              \
    }
#define WRITE(offset, bytes)                                                                       \
    {                                                                                              \
        TOUCH_WRITE, (offset), (bytes)                                                             \
    }
#define FENCE                                                                                      \
    {                                                                                              \
        TOUCH_FENCE, 0, 0                                                                          \
    }

static int start(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    prng_init(&prng, 1, "hooked", 0);
    own_count = 0;
    touch_count = 0;
    return 0;
}

/* ---- data ring --------------------------------------------------------------------------------
 */

enum { PROD = 4, CONS = 8, ERROR = 12, ARRAY = 4096, BYTES = 64 };

static const struct bytering_layout layout = {
    .array = ARRAY, .size = BYTES, .prod = PROD, .cons = CONS, .error = ERROR};

static void bytering_loads_each_peer_word_once(void **state)
{
    struct shared_span spans[2];
    struct bytering ring;

    (void)state;
    bytering_init(&ring, &area, &area, &layout);
    assert_int_equal(touch_count, 0);
    bytering_room(&ring);
    TOUCHED(READ(CONS, 4));
    bytering_queued(&ring);
    TOUCHED(READ(PROD, 4));
    bytering_error(&ring);
    TOUCHED(READ(ERROR, 4));
    bytering_spans(&ring, BYTES, spans);
    assert_int_equal(touch_count, 0);
    bytering_fail(&ring, -1);
    TOUCHED(WRITE(ERROR, 4));
    bytering_produced(&ring, 1);
    TOUCHED(WRITE(PROD, 4));
    bytering_consumed(&ring, 1);
    TOUCHED(WRITE(CONS, 4));
}

static void bytes_are_written_before_they_are_published(void **state)
{
    struct bytering ring;

    (void)state;
    bytering_init(&ring, &area, &area, &layout);
    ring.index = BYTES - 2;
    bytering_put(&ring, "ab", 2);
    TOUCHED(WRITE(ARRAY + BYTES - 2, 2), WRITE(PROD, 4));
    ring.index = BYTES - 2;
    bytering_put(&ring, "abcde", 5);
    TOUCHED(WRITE(ARRAY + BYTES - 2, 2), WRITE(ARRAY, 3), WRITE(PROD, 4));
}

static void bytes_are_read_before_they_are_given_back(void **state)
{
    struct bytering ring;
    char got[5];

    (void)state;
    bytering_init(&ring, &area, &area, &layout);
    ring.index = BYTES - 2;
    bytering_take(&ring, got, 2);
    TOUCHED(READ(ARRAY + BYTES - 2, 2), WRITE(CONS, 4));
    ring.index = BYTES - 2;
    bytering_take(&ring, got, 5);
    TOUCHED(READ(ARRAY + BYTES - 2, 2), READ(ARRAY, 3), WRITE(CONS, 4));
}

/* From here on the acting end's own word is overwritten before each of its accesses. */
static void act_as(uint32_t first, uint32_t count)
{
    own[0] = first;
    own[1] = first == CMDRING_REQ_PROD ? CMDRING_RSP_EVENT : CMDRING_REQ_EVENT;
    own_count = count;
}

static uint32_t word(uint32_t offset)
{
    uint32_t value;

    memcpy(&value, memory + offset, 4);
    return value;
}

static void word_set(uint32_t offset, uint32_t value)
{
    memcpy(memory + offset, &value, 4);
}

static uint32_t below(uint32_t bound)
{
    return (uint32_t)prng_below(&prng, bound);
}

/* The byte at a position of the stream. */
static unsigned char byte_at(uint32_t position)
{
    return (unsigned char)(position * 2654435761u >> 24);
}

static void produce_some(struct bytering *ring, uint32_t *sent)
{
    unsigned char bytes[BYTES];
    uint32_t count;

    act_as(PROD, 1);
    int64_t room = bytering_room(ring);
    assert_in_range(room, 0, BYTES);
    count = below((uint32_t)room + 1);
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = byte_at((*sent)++);
    bytering_put(ring, bytes, count);
    own_count = 0;
}

static void consume_some(struct bytering *ring, uint32_t *taken)
{
    unsigned char bytes[BYTES];
    uint32_t count;

    act_as(CONS, 1);
    int64_t queued = bytering_queued(ring);
    assert_in_range(queued, 0, BYTES);
    count = below((uint32_t)queued + 1);
    bytering_take(ring, bytes, count);
    own_count = 0;
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(bytes[i], byte_at((*taken)++));
}

static void overwritten_own_index_of_a_bytering_does_not_matter(void **state)
{
    struct bytering producer, consumer;
    uint32_t sent = 0, taken = 0;

    (void)state;
    bytering_init(&producer, &area, &area, &layout);
    bytering_init(&consumer, &area, &area, &layout);
    for (uint32_t i = 0; i < 10000; i++) {
        produce_some(&producer, &sent);
        assert_int_equal(word(PROD), sent);
        consume_some(&consumer, &taken);
        assert_int_equal(word(CONS), taken);
    }
    assert_true(taken > 100000);
}

/* ---- command ring -----------------------------------------------------------------------------
 */

static const struct shared_area page = {(struct shared_memory *)(void *)memory, 1};

static void cmdring_front_touches_each_thing_once(void **state)
{
    unsigned char slot[SLOT] = {0};
    struct cmdring_front front;
    uint32_t claimed;

    (void)state;
    cmdring_front_init(&front, &page, SLOT);
    TOUCHED(WRITE(0, 4096), WRITE(CMDRING_REQ_EVENT, 4), WRITE(CMDRING_RSP_EVENT, 4));
    cmdring_front_free(&front);
    assert_int_equal(touch_count, 0);
    cmdring_front_put(&front, slot);
    TOUCHED(WRITE(64, SLOT));
    cmdring_front_put(&front, slot);
    TOUCHED(WRITE(64 + SLOT, SLOT));
    cmdring_front_push(&front);
    TOUCHED(WRITE(CMDRING_REQ_PROD, 4), FENCE, READ(CMDRING_REQ_EVENT, 4));
    word_set(CMDRING_RSP_PROD, 2);
    cmdring_front_pass(&front, &claimed);
    TOUCHED(READ(CMDRING_RSP_PROD, 4));
    cmdring_front_get(&front, slot);
    TOUCHED(READ(64, SLOT));
    cmdring_front_get(&front, slot);
    TOUCHED(READ(64 + SLOT, SLOT));
    cmdring_front_arm(&front);
    TOUCHED(WRITE(CMDRING_RSP_EVENT, 4), FENCE);
}

static void cmdring_back_touches_each_thing_once(void **state)
{
    unsigned char slot[SLOT] = {0};
    struct cmdring_back back;
    uint32_t claimed;

    (void)state;
    cmdring_back_init(&back, &page, SLOT);
    assert_int_equal(touch_count, 0);
    word_set(CMDRING_REQ_PROD, 2);
    cmdring_back_pass(&back, &claimed);
    TOUCHED(READ(CMDRING_REQ_PROD, 4));
    cmdring_back_get(&back, slot);
    TOUCHED(READ(64, SLOT));
    cmdring_back_get(&back, slot);
    TOUCHED(READ(64 + SLOT, SLOT));
    cmdring_back_unanswered(&back);
    assert_int_equal(touch_count, 0);
    cmdring_back_put(&back, slot, RESPONSE);
    TOUCHED(WRITE(64, RESPONSE), WRITE(64 + RESPONSE, SLOT - RESPONSE));
    cmdring_back_push(&back);
    TOUCHED(WRITE(CMDRING_RSP_PROD, 4), FENCE, READ(CMDRING_RSP_EVENT, 4));
    cmdring_back_arm(&back);
    TOUCHED(WRITE(CMDRING_REQ_EVENT, 4), FENCE);
}

/* A pass looks once: what is published while its slots are read belongs to the next. */
static void pass_does_not_grow_while_it_is_read(void **state)
{
    unsigned char slot[SLOT];
    struct cmdring_back back;
    uint32_t claimed;

    (void)state;
    cmdring_back_init(&back, &page, SLOT);
    word_set(CMDRING_REQ_PROD, 1);
    assert_int_equal(cmdring_back_pass(&back, &claimed), 1);
    word_set(CMDRING_REQ_PROD, 0xdeadbeef);
    cmdring_back_get(&back, slot);
    assert_int_equal(back.req_cons, back.req_seen);
    assert_int_equal(cmdring_back_pass(&back, &claimed), -1);
    assert_int_equal(claimed, 0xdeadbeef);
}

/* Publishing restores the index; an event word is restored by arming. */
static void front_turn(struct cmdring_front *front, uint32_t *asked, uint32_t *answered)
{
    uint32_t slot[SLOT / 4], claimed;

    act_as(CMDRING_REQ_PROD, 2);
    int waiting = cmdring_front_pass(front, &claimed);
    assert_in_range(waiting, 0, SIZE);
    for (; waiting > 0; waiting--, (*answered)++) {
        cmdring_front_get(front, slot);
        assert_int_equal(slot[0], *answered);
        assert_int_equal(slot[RESPONSE / 4], 0);
    }
    for (uint32_t count = below(cmdring_front_free(front) + 1); count > 0; count--) {
        memset(slot, 0xff, sizeof(slot));
        slot[0] = (*asked)++;
        cmdring_front_put(front, slot);
    }
    own_count = 1;
    cmdring_front_arm(front);
    assert_int_equal(word(CMDRING_RSP_EVENT), *answered + 1);
    cmdring_front_push(front);
    own_count = 0;
    word_set(CMDRING_REQ_PROD, *asked); /* the push looked at the event after publishing */
}

static void back_turn(struct cmdring_back *back, uint32_t *taken)
{
    uint32_t slot[SLOT / 4], claimed;

    act_as(CMDRING_RSP_PROD, 2);
    int waiting = cmdring_back_pass(back, &claimed);
    assert_in_range(waiting, 0, SIZE);
    for (; waiting > 0; waiting--, (*taken)++) {
        cmdring_back_get(back, slot);
        assert_int_equal(slot[0], *taken);
        assert_int_equal(slot[SLOT / 4 - 1], 0xffffffff);
        cmdring_back_put(back, slot, RESPONSE);
    }
    own_count = 1;
    cmdring_back_arm(back);
    assert_int_equal(word(CMDRING_REQ_EVENT), *taken + 1);
    cmdring_back_push(back);
    own_count = 0;
    word_set(CMDRING_RSP_PROD, *taken);
}

static void overwritten_own_indexes_of_a_cmdring_do_not_matter(void **state)
{
    uint32_t asked = 0, taken = 0, answered = 0;
    struct cmdring_front front;
    struct cmdring_back back;

    (void)state;
    cmdring_front_init(&front, &page, SLOT);
    cmdring_back_init(&back, &page, SLOT);
    for (uint32_t i = 0; i < 5000; i++) {
        front_turn(&front, &asked, &answered);
        back_turn(&back, &taken);
        assert_int_equal(taken, asked);
    }
    assert_true(answered > 10000);
}

/* The decision to notify goes by what was last published, not by what the word says now. */
static void overwritten_own_index_does_not_change_who_is_notified(void **state)
{
    unsigned char slot[SLOT] = {0};
    struct cmdring_front front;
    struct cmdring_back back;
    uint32_t claimed;

    (void)state;
    cmdring_front_init(&front, &page, SLOT);
    cmdring_back_init(&back, &page, SLOT);
    for (uint32_t i = 0; i < 1000; i++) {
        cmdring_front_put(&front, slot);
        act_as(CMDRING_REQ_PROD, 1);
        assert_true(cmdring_front_push(&front));
        own_count = 0;
        word_set(CMDRING_REQ_PROD, i + 1);
        assert_int_equal(cmdring_back_pass(&back, &claimed), 1);
        cmdring_back_get(&back, slot);
        cmdring_back_arm(&back);
        cmdring_back_put(&back, slot, RESPONSE);
        act_as(CMDRING_RSP_PROD, 1);
        assert_true(cmdring_back_push(&back));
        own_count = 0;
        word_set(CMDRING_RSP_PROD, i + 1);
        assert_int_equal(cmdring_front_pass(&front, &claimed), 1);
        cmdring_front_get(&front, slot);
        cmdring_front_arm(&front);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytering_loads_each_peer_word_once),
        TEST(bytes_are_written_before_they_are_published),
        TEST(bytes_are_read_before_they_are_given_back),
        TEST(overwritten_own_index_of_a_bytering_does_not_matter),
        TEST(cmdring_front_touches_each_thing_once),
        TEST(cmdring_back_touches_each_thing_once),
        TEST(pass_does_not_grow_while_it_is_read),
        TEST(overwritten_own_indexes_of_a_cmdring_do_not_matter),
        TEST(overwritten_own_index_does_not_change_who_is_notified),
    };

    return !!cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
