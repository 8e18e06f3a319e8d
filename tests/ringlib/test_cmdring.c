/*
 * The command ring: size, first page, slots in any order of answers, windows, notifications.
 *
 * Both ends sit on one page in one thread; a lying peer is a word written by hand. What is loaded
 * how often and in which order is test_order_hooked.c's, threads are test_ring_tsan.c's.
 */
#include "ringlib/cmdring.h"
#include "sim/time/prng.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SLOT = 312, SIZE = 8, RESPONSE = 24 }; /* of draft 1 */
enum { SLOT_WORDS = 4032 / 4 };               /* of the largest slot a page can hold */

static alignas(SHARED_PAGE_BYTES) unsigned char memory[SHARED_PAGE_BYTES];
static const struct shared_area page = {(struct shared_memory *)(void *)memory, 1};
static struct cmdring_front front;
static struct cmdring_back back;

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

/* Both ends, nothing under way, after `start` requests and as many responses. */
static void open_ends(uint32_t slot_bytes, uint32_t start)
{
    cmdring_front_init(&front, &page, slot_bytes);
    cmdring_back_init(&back, &page, slot_bytes);
    front.req_prod_pvt = front.req_pushed = front.rsp_cons = front.rsp_seen = start;
    back.req_cons = back.rsp_prod_pvt = back.rsp_pushed = back.req_seen = start;
    word_set(CMDRING_REQ_PROD, start);
    word_set(CMDRING_RSP_PROD, start);
    word_set(CMDRING_REQ_EVENT, start + 1);
    word_set(CMDRING_RSP_EVENT, start + 1);
}

/* ---- size and first page ----------------------------------------------------------------------
 */

static void size_is_the_largest_power_that_fits(void **state)
{
    (void)state;
    assert_int_equal(cmdring_size(312), 8); /* draft 1: 12 fit */
    assert_int_equal(cmdring_size(64), 32); /* draft 2: 63 fit */
    assert_int_equal(cmdring_size(60), 64); /* the same on i386: 67 fit */
    assert_int_equal(cmdring_size(63), 64);
    assert_int_equal(cmdring_size(112), 32); /* PV block: 36 fit */
    assert_int_equal(cmdring_size(2016), 2);
    assert_int_equal(cmdring_size(2017), 1);
    assert_int_equal(cmdring_size(4032), 1);
}

static void first_page_is_exact(void **state)
{
    static const unsigned char expected[SHARED_PAGE_BYTES] = {
        0, 0, 0, 0, /* req_prod */
        1, 0, 0, 0, /* req_event */
        0, 0, 0, 0, /* rsp_prod */
        1, 0, 0, 0, /* rsp_event */
    };

    (void)state;
    memset(memory, 0xaa, sizeof(memory));
    cmdring_front_init(&front, &page, SLOT);
    assert_memory_equal(memory, expected, sizeof(expected));
    cmdring_back_init(&back, &page, SLOT);
    assert_memory_equal(memory, expected, sizeof(expected));
    assert_int_equal(front.size, SIZE);
    assert_int_equal(back.size, SIZE);
    assert_int_equal(cmdring_front_free(&front), SIZE);
    assert_int_equal(cmdring_back_unanswered(&back), 0);
}

/* Slot i of draft 1 lies at 64 + 312 * i; the bytes from 2560 on belong to nobody. */
static void slots_lie_where_draft_1_has_them(void **state)
{
    static const uint32_t offsets[SIZE] = {64, 376, 688, 1000, 1312, 1624, 1936, 2248};
    unsigned char slot[SLOT];

    (void)state;
    open_ends(SLOT, 0);
    for (uint32_t i = 0; i < SIZE; i++) {
        memset(slot, (int)i + 1, sizeof(slot));
        cmdring_front_put(&front, slot);
        assert_memory_equal(memory + offsets[i], slot, SLOT);
        assert_int_equal(cmdring_front_free(&front), SIZE - 1 - i);
        assert_int_equal(word(CMDRING_REQ_PROD), 0);
    }
    for (uint32_t i = 2560; i < SHARED_PAGE_BYTES; i++)
        assert_int_equal(memory[i], 0);
    cmdring_front_push(&front);
    assert_int_equal(word(CMDRING_REQ_PROD), SIZE);
}

static void response_leaves_nothing_old_in_its_slot(void **state)
{
    static const unsigned char zero[SLOT];
    unsigned char slot[SLOT];
    uint32_t claimed;

    (void)state;
    open_ends(SLOT, 0);
    memset(slot, 0xff, sizeof(slot));
    cmdring_front_put(&front, slot);
    cmdring_front_put(&front, slot);
    cmdring_front_push(&front);
    assert_int_equal(cmdring_back_pass(&back, &claimed), 2);
    cmdring_back_get(&back, slot);
    memset(slot, 0x11, sizeof(slot));
    cmdring_back_put(&back, slot, RESPONSE);
    assert_memory_equal(memory + 64, slot, RESPONSE);
    assert_memory_equal(memory + 64 + RESPONSE, zero, SLOT - RESPONSE);
    assert_int_equal(memory[64 + SLOT], 0xff);
}

/* ---- random traffic ---------------------------------------------------------------------------
 */

/* What is under way: `taken` are the backend's, to be answered in any order. */
static struct {
    uint32_t slot_words, size;
    uint32_t next_id, put, got, answered, consumed;
    uint32_t taken[CMDRING_SIZE_MAX], taken_count;
    bool open[1 << 20]; /* by id: asked and no answer read */
    struct prng prng;
} traffic;

static uint32_t below(uint32_t bound)
{
    return (uint32_t)prng_below(&traffic.prng, bound);
}

/* The i-th word of request or response `id`. */
static uint32_t slot_word(uint32_t id, uint32_t i)
{
    return i == 0 ? id : id * 2654435761u + i;
}

static void slot_make(uint32_t id, uint32_t *slot)
{
    for (uint32_t i = 0; i < traffic.slot_words; i++)
        slot[i] = slot_word(id, i);
}

static void slot_check(const uint32_t *slot)
{
    for (uint32_t i = 1; i < traffic.slot_words; i++)
        assert_int_equal(slot[i], slot_word(slot[0], i));
}

static void front_asks(void)
{
    uint32_t slot[SLOT_WORDS];

    for (uint32_t count = below(cmdring_front_free(&front) + 1); count > 0; count--) {
        traffic.open[traffic.next_id] = true;
        slot_make(traffic.next_id++, slot);
        cmdring_front_put(&front, slot);
        traffic.put++;
    }
    cmdring_front_push(&front);
}

static void back_takes(void)
{
    uint32_t slot[SLOT_WORDS], claimed;
    int waiting = cmdring_back_pass(&back, &claimed);

    assert_int_equal(waiting, traffic.put - traffic.got);
    for (uint32_t count = below((uint32_t)waiting + 1); count > 0; count--) {
        cmdring_back_get(&back, slot);
        slot_check(slot);
        assert_int_equal(slot[0], traffic.got++);
        traffic.taken[traffic.taken_count++] = slot[0];
    }
}

static void back_answers(void)
{
    uint32_t slot[SLOT_WORDS];

    for (uint32_t count = below(traffic.taken_count + 1); count > 0; count--) {
        uint32_t which = below(traffic.taken_count);

        slot_make(traffic.taken[which], slot);
        traffic.taken[which] = traffic.taken[--traffic.taken_count];
        cmdring_back_put(&back, slot, traffic.slot_words * 4);
        traffic.answered++;
    }
    cmdring_back_push(&back);
}

static void front_reads(void)
{
    uint32_t slot[SLOT_WORDS], claimed;
    int waiting = cmdring_front_pass(&front, &claimed);

    assert_int_equal(waiting, traffic.answered - traffic.consumed);
    for (uint32_t count = below((uint32_t)waiting + 1); count > 0; count--) {
        cmdring_front_get(&front, slot);
        slot_check(slot);
        assert_true(slot[0] < traffic.next_id && traffic.open[slot[0]]);
        traffic.open[slot[0]] = false;
        traffic.consumed++;
    }
}

/* Starts 256 requests short of 2^32, so that the indexes cross it. */
static void run_traffic(uint32_t slot_bytes, uint32_t batches)
{
    static void (*const parts[4])(void) = {front_asks, back_takes, back_answers, front_reads};

    memset(&traffic, 0, sizeof(traffic));
    traffic.slot_words = slot_bytes / 4;
    traffic.size = cmdring_size(slot_bytes);
    prng_init(&traffic.prng, slot_bytes, "traffic", 0);
    open_ends(slot_bytes, 0xffffff00);
    for (uint32_t i = 0; i < batches; i++) {
        parts[below(4)]();
        assert_int_equal(cmdring_back_unanswered(&back), traffic.taken_count);
        assert_int_equal(cmdring_front_free(&front),
                         traffic.size - (traffic.put - traffic.consumed));
    }
    assert_int_equal(front.req_prod_pvt, 0xffffff00 + traffic.put);
    assert_true(front.rsp_cons < 0xffffff00 && traffic.consumed > 1000);
}

static void random_batches_arrive_once_and_whole(void **state)
{
    (void)state;
    run_traffic(312, 100000);
    run_traffic(64, 100000);
    run_traffic(2016, 40000);
    run_traffic(4032, 40000);
}

/* ---- windows ----------------------------------------------------------------------------------
 */

static const uint32_t bases[] = {0, 1, 7, 8, 0x7ffffffc, 0x80000000, 0xfffffff8, 0xffffffff};
static const int64_t claims[] = {-0x80000000LL,
                                 -64,
                                 -17,
                                 -16,
                                 -9,
                                 -8,
                                 -7,
                                 -2,
                                 -1,
                                 0,
                                 1,
                                 2,
                                 3,
                                 4,
                                 5,
                                 6,
                                 7,
                                 8,
                                 9,
                                 10,
                                 16,
                                 17,
                                 24,
                                 64,
                                 72,
                                 0x7fffffff};
enum { BASES = sizeof(bases) / sizeof(bases[0]), CLAIMS = sizeof(claims) / sizeof(claims[0]) };

/* The backend took `unanswered` requests without answering; the front claims `claim` more. */
static void check_back_window(uint32_t base, uint32_t unanswered, int64_t claim)
{
    uint32_t prod = (uint32_t)(base + claim), claimed;
    bool inside = claim >= 0 && claim <= SIZE - (int64_t)unanswered;

    open_ends(SLOT, base);
    back.rsp_prod_pvt = back.rsp_pushed = base - unanswered;
    word_set(CMDRING_REQ_PROD, prod);
    assert_int_equal(cmdring_back_pass(&back, &claimed), inside ? (int)claim : -1);
    assert_int_equal(claimed, prod);
    assert_int_equal(back.req_seen, inside ? prod : base);
    assert_int_equal(back.req_cons, base);
    assert_int_equal(word(CMDRING_REQ_PROD), prod);
}

/* The front has `outstanding` requests under way; the backend claims `claim` responses. */
static void check_front_window(uint32_t base, uint32_t outstanding, int64_t claim)
{
    uint32_t prod = (uint32_t)(base + claim), claimed;
    bool inside = claim >= 0 && claim <= (int64_t)outstanding;

    open_ends(SLOT, base);
    front.req_prod_pvt = front.req_pushed = base + outstanding;
    word_set(CMDRING_RSP_PROD, prod);
    assert_int_equal(cmdring_front_pass(&front, &claimed), inside ? (int)claim : -1);
    assert_int_equal(claimed, prod);
    assert_int_equal(front.rsp_seen, inside ? prod : base);
    assert_int_equal(front.rsp_cons, base);
    assert_int_equal(word(CMDRING_RSP_PROD), prod);
}

static void windows_are_exact(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < BASES; b++)
        for (uint32_t under_way = 0; under_way <= SIZE; under_way++)
            for (uint32_t c = 0; c < CLAIMS; c++) {
                check_back_window(bases[b], under_way, claims[c]);
                check_front_window(bases[b], under_way, claims[c]);
            }
}

/* ---- notifications ----------------------------------------------------------------------------
 */

/* ring.h in words: notify if publishing old+1 .. prod passed the index the peer waits for. */
static bool notified(uint32_t old, uint32_t count, uint32_t event)
{
    for (uint32_t i = 1; i <= count; i++)
        if (old + i == event)
            return true;
    return false;
}

static void check_push(uint32_t old, uint32_t count, uint32_t event)
{
    open_ends(SLOT, old);
    front.req_prod_pvt = old + count;
    word_set(CMDRING_REQ_EVENT, event);
    assert_int_equal(cmdring_front_push(&front), notified(old, count, event));
    assert_int_equal(word(CMDRING_REQ_PROD), old + count);
    assert_int_equal(word(CMDRING_REQ_EVENT), event);
    assert_false(cmdring_front_push(&front));

    open_ends(SLOT, old);
    back.req_cons = old + count;
    back.rsp_prod_pvt = old + count;
    word_set(CMDRING_RSP_EVENT, event);
    assert_int_equal(cmdring_back_push(&back), notified(old, count, event));
    assert_int_equal(word(CMDRING_RSP_PROD), old + count);
    assert_int_equal(word(CMDRING_RSP_EVENT), event);
    assert_false(cmdring_back_push(&back));
}

static void notification_is_due_if_the_event_was_crossed(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < BASES; b++)
        for (uint32_t count = 0; count <= SIZE; count++) {
            for (uint32_t event = 0; event <= 2 * SIZE; event++)
                check_push(bases[b], count, bases[b] - SIZE / 2 + event);
            check_push(bases[b], count, bases[b] + 0x80000000);
        }
}

static bool ask(uint32_t count)
{
    uint32_t slot[SLOT_WORDS] = {0};

    for (; count > 0; count--)
        cmdring_front_put(&front, slot);
    return cmdring_front_push(&front);
}

static bool answer(uint32_t count)
{
    uint32_t slot[SLOT_WORDS], claimed;

    assert_true(cmdring_back_pass(&back, &claimed) >= (int)count);
    for (; count > 0; count--) {
        cmdring_back_get(&back, slot);
        cmdring_back_put(&back, slot, RESPONSE);
    }
    return cmdring_back_push(&back);
}

static void read_answers(uint32_t count)
{
    uint32_t slot[SLOT_WORDS], claimed;

    assert_int_equal(cmdring_front_pass(&front, &claimed), count);
    for (; count > 0; count--)
        cmdring_front_get(&front, slot);
}

/* Armed once, told once; what came before the arming is found by the pass that is owed. */
static void backend_is_woken_once_per_arming(void **state)
{
    uint32_t claimed;

    (void)state;
    open_ends(SLOT, 0xfffffffe);
    assert_true(ask(1)); /* a fresh ring is armed */
    assert_false(ask(1));
    answer(2);
    read_answers(2);
    cmdring_back_arm(&back);
    assert_int_equal(word(CMDRING_REQ_EVENT), 1);
    assert_int_equal(cmdring_back_pass(&back, &claimed), 0);
    assert_true(ask(3));
    assert_false(ask(1));
    cmdring_back_arm(&back); /* too late for those four, but the pass after it sees them */
    assert_int_equal(word(CMDRING_REQ_EVENT), 1);
    assert_int_equal(cmdring_back_pass(&back, &claimed), 4);
    assert_false(ask(1));
    assert_int_equal(cmdring_back_pass(&back, &claimed), 5);
}

static void frontend_is_woken_once_per_arming(void **state)
{
    uint32_t claimed;

    (void)state;
    open_ends(SLOT, 0xfffffffe);
    ask(8);
    assert_true(answer(1));
    assert_false(answer(1));
    read_answers(2);
    cmdring_front_arm(&front);
    assert_int_equal(word(CMDRING_RSP_EVENT), 1);
    assert_int_equal(cmdring_front_pass(&front, &claimed), 0);
    assert_true(answer(3));
    assert_false(answer(1));
    cmdring_front_arm(&front);
    assert_int_equal(word(CMDRING_RSP_EVENT), 1);
    read_answers(4);
    cmdring_front_arm(&front);
    assert_int_equal(word(CMDRING_RSP_EVENT), 5);
    assert_int_equal(cmdring_front_pass(&front, &claimed), 0);
    assert_true(answer(2));
}

/* Written but not published: nobody can have answered it. */
static void response_to_an_unpublished_request_is_a_lie(void **state)
{
    uint32_t slot[SLOT_WORDS] = {0};
    uint32_t claimed;

    (void)state;
    open_ends(SLOT, 0xffffffff);
    ask(1);
    cmdring_front_put(&front, slot);
    word_set(CMDRING_RSP_PROD, 1);
    assert_int_equal(cmdring_front_pass(&front, &claimed), -1);
    assert_int_equal(claimed, 1);
    cmdring_front_push(&front);
    assert_int_equal(cmdring_front_pass(&front, &claimed), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_is_the_largest_power_that_fits),
        cmocka_unit_test(first_page_is_exact),
        cmocka_unit_test(slots_lie_where_draft_1_has_them),
        cmocka_unit_test(response_leaves_nothing_old_in_its_slot),
        cmocka_unit_test(random_batches_arrive_once_and_whole),
        cmocka_unit_test(windows_are_exact),
        cmocka_unit_test(notification_is_due_if_the_event_was_crossed),
        cmocka_unit_test(backend_is_woken_once_per_arming),
        cmocka_unit_test(frontend_is_woken_once_per_arming),
        cmocka_unit_test(response_to_an_unpublished_request_is_a_lie),
    };

    return !!cmocka_run_group_tests_name("cmdring", tests, NULL, NULL);
}
