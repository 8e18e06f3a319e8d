/*
 * What the kernel does not tell: the cost of the clock, how long waking takes, and how much of a
 * CPU that wants to work is somebody else's. See doctor.h.
 *
 * Each measurement ends after its number of samples, or its share of time, whichever is first, so
 * that a slow machine gets a verdict, too.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/doctor.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

enum {
    SAMPLES = 2000,
    WARM = 20,
    WAKE_NS = 120 * 1000000, /* for each of the two placements */
    WORK_NS = 50000,         /* one turn of the calibrated loop */
    NOISE_NS = 100 * 1000000,
    CLOCK_READS = 2000,
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct samples {
    uint64_t ns[SAMPLES];
    uint32_t count;
};

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

/* Of sorted ones, the value at the integer rank. */
static uint64_t rank(const struct samples *samples, uint32_t per_mille)
{
    uint32_t at = (samples->count * per_mille + 999) / 1000;

    return samples->ns[at > 0 ? at - 1 : 0];
}

/* ---- the clock ---- */

static void clock_cost(struct doctor *doctor)
{
    uint64_t least = UINT64_MAX, before = now_ns(), from = before;

    for (int i = 0; i < CLOCK_READS; i++) {
        uint64_t now = now_ns();
        if (now > before && now - before < least)
            least = now - before;
        before = now;
    }
    uint64_t cost = (before - from) / CLOCK_READS;
    bool dear = cost > 250;
    doctor_say(
        doctor,
        &(struct doctor_words){dear ? DOCTOR_UNRELIABLE : DOCTOR_OK, "clock",
                               dear ? "looking at the time is a good part of a short operation"
                                    : "looking at the time costs little beside what is timed",
                               dear ? "see clock-source" : NULL},
        "%" PRIu64 " ns a look, steps of %" PRIu64 " ns", cost, least);
}

/* ---- waking ---- */

#ifdef __linux__

struct partner {
    int ask, answer;
    int cpu;
};

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    sched_setaffinity(0, sizeof(set), &set); /* of this thread; where it cannot be, it floats */
}

/* Answers until it is asked for more than one. */
static void *answer(void *data)
{
    const struct partner *partner = data;
    uint64_t value = 0, one = 1;

    pin(partner->cpu);
    while (read(partner->ask, &value, sizeof(value)) == sizeof(value) && value == 1)
        if (write(partner->answer, &one, sizeof(one)) != sizeof(one))
            break;
    return NULL;
}

static void ask(const struct partner *partner, struct samples *samples)
{
    uint64_t value, one = 1, end_ns = now_ns() + WAKE_NS;

    for (uint32_t i = 0; samples->count < SAMPLES && now_ns() < end_ns; i++) {
        uint64_t from = now_ns();
        if (write(partner->ask, &one, sizeof(one)) != sizeof(one) ||
            read(partner->answer, &value, sizeof(value)) != sizeof(value))
            return;
        if (i >= WARM)
            samples->ns[samples->count++] = now_ns() - from;
    }
}

static bool round_trips(int own_cpu, int other_cpu, struct samples *samples)
{
    struct partner partner = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC), other_cpu};
    uint64_t over = 2;
    pthread_t thread;

    samples->count = 0;
    if (partner.ask >= 0 && partner.answer >= 0 &&
        pthread_create(&thread, NULL, answer, &partner) == 0) {
        pin(own_cpu);
        ask(&partner, samples);
        if (write(partner.ask, &over, sizeof(over)) == sizeof(over))
            pthread_join(thread, NULL);
        qsort(samples->ns, samples->count, sizeof(uint64_t), by_size);
    }
    close(partner.ask);
    close(partner.answer);
    return samples->count > 0;
}

static void say_wake(struct doctor *doctor, const char *name, const struct samples *samples,
                     const char *means)
{
    uint64_t p50 = rank(samples, 500), p99 = rank(samples, 990);
    bool late = p99 > 2000000, slow = p50 > 20000;

    doctor_say(
        doctor,
        &(struct doctor_words){
            late   ? DOCTOR_UNRELIABLE
            : slow ? DOCTOR_NOTE
                   : DOCTOR_OK,
            name,
            late   ? "one wake-up in a hundred waits for milliseconds: that is the p99 of whatever "
                     "is measured, not the protocol"
            : slow ? "most of a short operation's latency is this, twice for each way"
                   : means,
            late   ? "see load, quota, steal and noise"
            : slow ? "see machine and idle; place all on one CPU to compare code"
                   : NULL},
        "an answer takes p50 %" PRIu64 ".%" PRIu64 " us, p99 %" PRIu64 ".%" PRIu64
        " us (%u eventfd round trips)",
        p50 / 1000, p50 % 1000 / 100, p99 / 1000, p99 % 1000 / 100, samples->count);
}

static void wake(struct doctor *doctor)
{
    static struct samples samples;
    cpu_set_t all;
    int cpus[2] = {-1, -1};

    if (sched_getaffinity(0, sizeof(all), &all) < 0)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE && cpus[1] < 0; cpu++)
        if (CPU_ISSET((unsigned)cpu, &all))
            cpus[cpus[0] < 0 ? 0 : 1] = cpu;
    if (round_trips(cpus[0], cpus[0], &samples))
        say_wake(doctor, "wake-up-one-cpu", &samples,
                 "a switch from one process to another, twice");
    if (cpus[1] >= 0 && round_trips(cpus[0], cpus[1], &samples))
        say_wake(doctor, "wake-up-two-cpus", &samples, "a CPU that idles is woken, twice");
    sched_setaffinity(0, sizeof(all), &all);
}

#else

static void wake(struct doctor *doctor)
{
    (void)doctor;
}

#endif

/* ---- noise ---- */

/* A chain of operations of which none can be left out. */
static uint64_t work(uint64_t value, uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
    }
    return value;
}

/* How many turns take WORK_NS: of the fastest of some tries. */
static uint32_t calibrated(uint64_t *value)
{
    const uint32_t turns = 10000;
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < 50; i++) {
        uint64_t from = now_ns();
        *value = work(*value, turns);
        uint64_t took = now_ns() - from;
        least = took < least ? took : least;
    }
    return (uint32_t)((uint64_t)turns * WORK_NS / (least + 1)) + 1;
}

/* The same work takes the same time unless somebody else has the CPU, or its clock changes. */
static void noise(struct doctor *doctor)
{
    static struct samples samples;
    uint64_t value = 88172645463325252u, over = 0, end_ns, all = 0;
    uint32_t turns = calibrated(&value);

    end_ns = now_ns() + NOISE_NS;
    /* one at least, though the time be over before the first */
    for (samples.count = 0; samples.count == 0 || (samples.count < SAMPLES && now_ns() < end_ns);
         samples.count++) {
        uint64_t from = now_ns();
        value = work(value, turns);
        samples.ns[samples.count] = now_ns() - from;
        all += samples.ns[samples.count];
    }
    assert(value != 0); /* which it cannot be, but the compiler does not know */
    qsort(samples.ns, samples.count, sizeof(uint64_t), by_size);
    uint64_t p50 = rank(&samples, 500), p99 = rank(&samples, 990), most = rank(&samples, 1000);
    for (uint32_t i = 0; i < samples.count; i++)
        over += samples.ns[i] > p50 ? samples.ns[i] - p50 : 0;
    uint64_t per_mille = over * 1000 / all;
    bool bad = per_mille > 100, some = per_mille > 20;
    doctor_say(doctor,
               &(struct doctor_words){
                   bad    ? DOCTOR_UNRELIABLE
                   : some ? DOCTOR_NOTE
                          : DOCTOR_OK,
                   "noise",
                   bad    ? "differences of some per cent cannot be seen here, whatever one does"
                   : some ? "single runs differ by this much; differences need repeats"
                          : "the CPU is this run's own",
                   bad    ? "see load, quota and steal; mode 'virtual' does not depend on any of it"
                   : some ? "repeat, and xensock compare"
                          : NULL},
               "%" PRIu64 ".%" PRIu64 " %% of the time was not the work's: a loop of %" PRIu64
               ".%" PRIu64 " us took p99 %" PRIu64 ".%" PRIu64 " us, at most %" PRIu64 ".%" PRIu64
               " us",
               per_mille / 10, per_mille % 10, p50 / 1000, p50 % 1000 / 100, p99 / 1000,
               p99 % 1000 / 100, most / 1000, most % 1000 / 100);
}

void doctor_measure(struct doctor *doctor)
{
    clock_cost(doctor);
    wake(doctor);
    noise(doctor);
}
