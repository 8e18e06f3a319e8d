/*
 * Both rings between two threads on one mapping, with no lock: what the door orders is all there
 * is. In the tsan preset ThreadSanitizer watches; in the others the bytes alone are compared.
 *
 * An end that finds nothing to do yields and looks again: sleeping and waking is not tested here.
 */
#include "ringlib/bytering.h"
#include "ringlib/cmdring.h"
#include "ringlib/err.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SLOT = 312,
    STREAM_BYTES = 8 << 20,
    CALLS = 50000,
    PATIENCE_S = 50, /* of the alarm that ends a stuck test; a good run takes a second of CPU */
};

static alignas(SHARED_PAGE_BYTES) unsigned char memory[2 * SHARED_PAGE_BYTES];
static const struct shared_area area = {(struct shared_memory *)(void *)memory, 2};

/* What a thread found wrong; cmocka's asserts belong to the main thread. */
struct report {
    const char *wrong;
    uint32_t at;
};

static void run_threads(void *(*one)(void *), void *(*other)(void *))
{
    struct report reports[2] = {{NULL, 0}, {NULL, 0}};
    pthread_t threads[2];

    assert_int_equal(pthread_create(&threads[0], NULL, one, &reports[0]), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, other, &reports[1]), 0);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    for (uint32_t i = 0; i < 2; i++)
        if (reports[i].wrong)
            fail_msg("thread %u at %u: %s", i, reports[i].at, reports[i].wrong);
}

/* ---- data ring --------------------------------------------------------------------------------
 */

/* One page of array; the indexes start 4096 short of 2^32. */
static const struct bytering_layout layout = {
    .array = 4096, .size = 4096, .prod = 4, .cons = 0, .error = 8};
static struct bytering producer, consumer;

static unsigned char byte_at(uint32_t position)
{
    return (unsigned char)(position * 2654435761u >> 24);
}

/* Pieces of 1 to 1500 bytes, as far as there is room; at the end the error word. */
static void *produce(void *argument)
{
    struct report *report = argument;
    unsigned char bytes[1500];
    uint32_t sent = 0;

    while (sent < STREAM_BYTES) {
        int64_t room = bytering_room(&producer);
        uint32_t count = 1 + sent % sizeof(bytes);

        if (room < 0) {
            *report = (struct report){"room", sent};
            break;
        }
        if (room == 0)
            sched_yield();
        count = count > room ? (uint32_t)room : count;
        count = count > STREAM_BYTES - sent ? STREAM_BYTES - sent : count;
        for (uint32_t i = 0; i < count; i++)
            bytes[i] = byte_at(sent + i);
        bytering_put(&producer, bytes, count);
        sent += count;
    }
    bytering_fail(&producer, -ERR_NOTCONN);
    return NULL;
}

/* Looks at the error first, then at the index: an error seen means that no byte is missing. */
static void *consume(void *argument)
{
    struct report *report = argument;
    unsigned char bytes[4096];
    uint32_t taken = 0;

    for (;;) {
        int32_t error = bytering_error(&consumer);
        int64_t queued = bytering_queued(&consumer);

        if (queued < 0) {
            *report = (struct report){"queued", taken};
            return NULL;
        }
        if (queued == 0 && error != 0)
            break;
        if (queued == 0)
            sched_yield();
        bytering_take(&consumer, bytes, (uint32_t)queued);
        for (uint32_t i = 0; i < (uint32_t)queued; i++, taken++)
            if (bytes[i] != byte_at(taken) && !report->wrong)
                *report = (struct report){"byte", taken};
    }
    if (taken != STREAM_BYTES && !report->wrong)
        *report = (struct report){"bytes missing at the end", taken};
    return NULL;
}

static void stream_arrives_whole(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    bytering_init(&producer, &area, &area, &layout);
    bytering_init(&consumer, &area, &area, &layout);
    producer.index = consumer.index = 0xfffff000;
    bytering_produced(&producer, 0);
    bytering_consumed(&consumer, 0);
    run_threads(produce, consume);
}

/* ---- command ring -----------------------------------------------------------------------------
 */

static struct cmdring_front front;
static struct cmdring_back back;

/* Every word of request and response n. */
static void slot_make(uint32_t *slot, uint32_t n)
{
    for (uint32_t i = 0; i < SLOT / 4; i++)
        slot[i] = n * 2654435761u + i;
}

/* Asks as long as there is room, and reads what has come back. */
static void *ask(void *argument)
{
    struct report *report = argument;
    uint32_t slot[SLOT / 4], expected[SLOT / 4];
    uint32_t asked = 0, answered = 0, claimed;

    while (answered < CALLS) {
        for (; asked < CALLS && cmdring_front_free(&front) > 0; asked++) {
            slot_make(slot, asked);
            cmdring_front_put(&front, slot);
        }
        cmdring_front_push(&front);
        int waiting = cmdring_front_pass(&front, &claimed);
        if (waiting < 0) {
            *report = (struct report){"window of responses", claimed};
            return NULL;
        }
        for (int i = 0; i < waiting; i++, answered++) {
            slot_make(expected, answered);
            cmdring_front_get(&front, slot);
            if (memcmp(slot, expected, sizeof(slot)) != 0 && !report->wrong)
                *report = (struct report){"response", answered};
        }
        cmdring_front_arm(&front);
        if (waiting == 0)
            sched_yield();
    }
    return NULL;
}

/* Sends each request back as its response. */
static void *echo(void *argument)
{
    struct report *report = argument;
    uint32_t slot[SLOT / 4], claimed;

    for (uint32_t echoed = 0; echoed < CALLS;) {
        int waiting = cmdring_back_pass(&back, &claimed);

        if (waiting < 0) {
            *report = (struct report){"window of requests", claimed};
            return NULL;
        }
        for (int i = 0; i < waiting; i++, echoed++) {
            cmdring_back_get(&back, slot);
            cmdring_back_put(&back, slot, SLOT);
        }
        cmdring_back_push(&back);
        cmdring_back_arm(&back);
        if (waiting == 0)
            sched_yield();
    }
    return NULL;
}

static void every_call_is_echoed_whole(void **state)
{
    (void)state;
    cmdring_front_init(&front, &area, SLOT);
    cmdring_back_init(&back, &area, SLOT);
    run_threads(ask, echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_arrives_whole),
        cmocka_unit_test(every_call_is_echoed_whole),
    };

    alarm(PATIENCE_S);
    return !!cmocka_run_group_tests_name("ring_tsan", tests, NULL, NULL);
}
