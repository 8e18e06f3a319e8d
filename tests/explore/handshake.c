/*
 * The sleep handshake of the command ring on two CPUs: handshake [COUNT].
 *
 * A round has one handshake each way. Both threads meet; then one publishes and looks whether to
 * notify, while the other arms and looks again, as in cmdring.c; then they meet again. If the one
 * did not notify and the other saw nothing, a wake-up is lost: for after the second meeting both
 * have done all that they ever do about it, and the consumer, looking a third time, finds the work
 * that it would have slept over. No clock takes part in that.
 *
 * Exit code 0: none was lost; 1: one was, or something arrived wrong; 77: there is but one CPU.
 * Built with UNFENCED, over a shared.h whose fence was taken out, at least one must be lost.
 * Source: reliability 0.8, 3.5; protocol.md 4.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* sched_setaffinity */
#endif
#include "ringlib/cmdring.h"

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { COUNT = 50000 };
#else
enum { COUNT = 1000000 };
#endif
enum { SLOT = 64, SPINS = 1 << 12, DELAY = 200, JITTER = 16 };
enum { FRONT, BACK, SIDES };

static alignas(SHARED_PAGE_BYTES) unsigned char memory[2 * SHARED_PAGE_BYTES];
static const struct shared_area page = {(struct shared_memory *)(void *)memory, 1};
/* Where the threads meet: a word each, in cache lines of their own. */
static const struct shared_area meeting = {
    (struct shared_memory *)(void *)(memory + SHARED_PAGE_BYTES), 1};
enum { MEETING_STRIDE = 256 };

static struct cmdring_front front;
static struct cmdring_back back;
static uint32_t rounds;

/* One side: what it did last, read by the other after they met; and what it counted. */
static struct side {
    alignas(MEETING_STRIDE) uint32_t met;
    bool notified;
    uint32_t random;
    uint32_t delay; /* as the consumer, in loads */
    uint32_t wrong;
    uint32_t lost, noticed, seen, both; /* as the consumer */
} sides[SIDES];

/* Wait for the other side. What either did before, both see after. */
static void meet(uint32_t me)
{
    uint32_t met = ++sides[me].met, spins = 0;

    shared_store(&meeting, me * MEETING_STRIDE, met);
    while ((int32_t)(shared_load(&meeting, (1 - me) * MEETING_STRIDE) - met) < 0)
        if (++spins % SPINS == 0)
            sched_yield();
}

/* Some loads of one's own line, a random few more or less. */
static void delay(uint32_t me, uint32_t loads)
{
    struct side *side = &sides[me];

    side->random = side->random * 1664525 + 1013904223;
    for (loads += side->random >> 16 & (JITTER - 1); loads > 0; loads--)
        shared_load(&meeting, me * MEETING_STRIDE);
}

/* The consumer's verdict, after both have met again. Whoever came first is to come later next time,
 * so that they keep doing it at the same time, which is all that matters here. */
static void judge(struct side *me, bool notified, int seen)
{
    if (seen > 0 && me->delay > 0)
        me->delay--;
    else if (seen == 0 && me->delay < 2 * DELAY)
        me->delay++;
    me->both += notified && seen > 0;
    me->noticed += notified && seen == 0;
    me->seen += !notified && seen > 0;
    me->lost += !notified && seen == 0;
    me->wrong += seen < 0;
}

/* Ask, and take the answer. The pass before meeting leaves the words' line in both caches. */
static void front_round(uint32_t round)
{
    struct side *me = &sides[FRONT];
    uint32_t slot[SLOT / 4] = {round}, claimed;

    cmdring_front_put(&front, slot);
    me->wrong += cmdring_front_pass(&front, &claimed) != 0;
    meet(FRONT);
    delay(FRONT, DELAY);
    me->notified = cmdring_front_push(&front);
    meet(FRONT);
    meet(FRONT); /* the answer is ready */
    delay(FRONT, me->delay);
    cmdring_front_arm(&front);
    int seen = cmdring_front_pass(&front, &claimed);
    meet(FRONT);
    judge(me, sides[BACK].notified, seen);
    me->wrong += seen == 0 && cmdring_front_pass(&front, &claimed) != 1;
    cmdring_front_get(&front, slot);
    me->wrong += slot[0] != ~round;
}

static void back_round(uint32_t round)
{
    struct side *me = &sides[BACK];
    uint32_t slot[SLOT / 4], claimed;

    me->wrong += cmdring_back_pass(&back, &claimed) != 0;
    meet(BACK);
    delay(BACK, me->delay);
    cmdring_back_arm(&back);
    int seen = cmdring_back_pass(&back, &claimed);
    meet(BACK);
    judge(me, sides[FRONT].notified, seen);
    me->wrong += seen == 0 && cmdring_back_pass(&back, &claimed) != 1;
    cmdring_back_get(&back, slot);
    me->wrong += slot[0] != round;
    slot[0] = ~round;
    cmdring_back_put(&back, slot, SLOT);
    meet(BACK);
    delay(BACK, DELAY);
    me->notified = cmdring_back_push(&back);
    meet(BACK);
}

static void *front_run(void *unused)
{
    for (uint32_t round = 0; round < rounds; round++)
        front_round(round);
    return unused;
}

static void *back_run(void *unused)
{
    for (uint32_t round = 0; round < rounds; round++)
        back_round(round);
    return unused;
}

/* Each thread on a CPU of its own, else 77. */
static void place(pthread_t threads[SIDES])
{
    cpu_set_t all, one;
    uint32_t side = 0;

    sched_getaffinity(0, sizeof(all), &all);
    if (CPU_COUNT(&all) < SIDES) {
        printf("skipped: there is but one CPU\n");
        exit(77);
    }
    for (size_t cpu = 0; side < SIDES; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setaffinity_np(&attributes, sizeof(one), &one);
        int ret = pthread_create(&threads[side], &attributes, side ? back_run : front_run, NULL);
        assert(ret == 0);
        pthread_attr_destroy(&attributes);
        side++;
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint32_t report(uint64_t took_ns)
{
    static const char *const names[] = {"response", "request"};
    uint32_t lost = 0;

    for (uint32_t i = 0; i < SIDES; i++) {
        const struct side *side = &sides[i];
        printf("%-8s  %u lost, %u notified, %u seen, %u both, %u wrong\n", names[i], side->lost,
               side->noticed, side->seen, side->both, side->wrong);
        lost += side->lost;
    }
    printf("%u handshakes, %u lost, %llu a second\n", 2 * rounds, lost,
           (unsigned long long)(2ull * rounds * 1000000000 / (took_ns + 1)));
    return lost;
}

int main(int argc, char **argv)
{
    pthread_t threads[SIDES];
    uint64_t begin_ns = now_ns();

    rounds = (argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : COUNT) / 2;
    sides[BACK].random = 1;
    cmdring_front_init(&front, &page, SLOT);
    cmdring_back_init(&back, &page, SLOT);
    place(threads);
    for (uint32_t i = 0; i < SIDES; i++)
        pthread_join(threads[i], NULL);
    uint32_t lost = report(now_ns() - begin_ns);
    if (sides[FRONT].wrong + sides[BACK].wrong > 0)
        return 1;
#ifdef UNFENCED
    return lost == 0;
#else
    return lost > 0;
#endif
}
