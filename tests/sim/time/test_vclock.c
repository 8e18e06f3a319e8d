/*
 * vclock: the order of events, with the tie rule, against a plain sorted list; scheduling while an
 * event fires; the counts; and that the past is refused.
 */
#define _GNU_SOURCE 1
#include "sim/time/prng.h"
#include "sim/time/vclock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LOG_MAX = 15000 };

/* What has fired, in order. */
struct log {
    struct vclock *clock;
    uint32_t count;
    uint64_t args[LOG_MAX];
    uint64_t times[LOG_MAX];
};

static void record(void *self, uint64_t arg)
{
    struct log *log = self;

    assert_in_range(log->count, 0, LOG_MAX - 1);
    log->times[log->count] = vclock_now_ns(log->clock);
    log->args[log->count++] = arg;
}

static int make(void **state)
{
    struct log *log = calloc(1, sizeof(*log));

    log->clock = vclock_create();
    *state = log;
    return 0;
}

static int unmake(void **state)
{
    struct log *log = *state;

    vclock_destroy(log->clock);
    free(log);
    return 0;
}

static void at(struct log *log, uint64_t at_ns, uint64_t arg)
{
    vclock_at(log->clock, at_ns, &(struct vclock_event){record, log, arg});
}

static void test_nothing_is_scheduled(void **state)
{
    struct log *log = *state;

    assert_true(vclock_now_ns(log->clock) == 0);
    assert_true(vclock_next_ns(log->clock) == VCLOCK_NEVER);
    assert_int_equal(vclock_pending(log->clock), 0);
    assert_false(vclock_step(log->clock));
    assert_true(vclock_fired(log->clock) == 0);
}

static void test_order_is_by_time(void **state)
{
    struct log *log = *state;

    at(log, 30, 3);
    at(log, VCLOCK_NEVER - 1, 4);
    at(log, 10, 1);
    at(log, 20, 2);
    for (uint64_t i = 1; i <= 4; i++) {
        uint64_t next_ns = vclock_next_ns(log->clock);

        assert_int_equal(vclock_pending(log->clock), 5 - i);
        assert_true(vclock_step(log->clock));
        assert_true(log->args[i - 1] == i);
        assert_true(log->times[i - 1] == next_ns && vclock_now_ns(log->clock) == next_ns);
        assert_true(vclock_fired(log->clock) == i);
    }
    assert_false(vclock_step(log->clock));
    assert_true(vclock_now_ns(log->clock) == VCLOCK_NEVER - 1);
}

/* Enough that the queue grows often meanwhile. */
static void test_ties_fire_as_scheduled(void **state)
{
    struct log *log = *state;

    for (uint64_t i = 0; i < 9000; i++)
        at(log, 7 + i % 3, i);
    while (vclock_step(log->clock))
        ;
    assert_int_equal(log->count, 9000);
    for (uint64_t i = 0; i < 9000; i++) {
        assert_true(log->args[i] == i % 3000 * 3 + i / 3000);
        assert_true(log->times[i] == 7 + i / 3000);
    }
}

/* An event that schedules two for the same time, as long as `arg` allows. */
static void breed(void *self, uint64_t arg)
{
    struct log *log = self;

    record(self, arg);
    for (uint64_t child = 2 * arg; child <= 2 * arg + 1 && child < 1024; child++)
        vclock_at(log->clock, vclock_now_ns(log->clock), &(struct vclock_event){breed, log, child});
}

static void test_now_comes_after_what_was_scheduled_for_now(void **state)
{
    struct log *log = *state;

    at(log, 6, 1024);
    vclock_at(log->clock, 5, &(struct vclock_event){breed, log, 1});
    while (vclock_step(log->clock))
        ;
    assert_int_equal(log->count, 1024);
    for (uint32_t i = 0; i < 1024; i++) {
        assert_true(log->args[i] == i + 1);
        assert_true(log->times[i] == (i < 1023 ? 5 : 6));
    }
}

static void look(void *self, uint64_t arg)
{
    struct log *log = self;

    assert_int_equal(vclock_pending(log->clock), arg);
    assert_true(vclock_fired(log->clock) == 1);
    assert_true(vclock_now_ns(log->clock) == 5);
    assert_true(vclock_next_ns(log->clock) == 9);
}

static void test_what_is_under_way_is_no_longer_pending(void **state)
{
    struct log *log = *state;

    at(log, 9, 0);
    vclock_at(log->clock, 5, &(struct vclock_event){look, log, 1});
    assert_true(vclock_step(log->clock));
    assert_int_equal(vclock_pending(log->clock), 1);
}

static void test_event_is_copied(void **state)
{
    struct log *log = *state;
    struct vclock_event event = {record, log, 1};

    vclock_at(log->clock, 1, &event);
    memset(&event, 0xff, sizeof(event));
    assert_true(vclock_step(log->clock));
    assert_true(log->args[0] == 1);
}

/* ---- against a sorted list ----------------------------------------------------------------------
 */

struct planned {
    uint64_t at_ns, number; /* the number in order of scheduling */
};

struct oracle {
    struct prng prng;
    struct planned *list; /* sorted from `fired` on */
    uint32_t scheduled, fired;
    uint32_t wanted;
};

/* Behind all that are not later: insertion keeps the tie rule by itself. */
static void oracle_insert(struct oracle *oracle, uint64_t at_ns)
{
    uint32_t place = oracle->scheduled++;

    while (place > oracle->fired && oracle->list[place - 1].at_ns > at_ns) {
        oracle->list[place] = oracle->list[place - 1];
        place--;
    }
    oracle->list[place] = (struct planned){at_ns, oracle->scheduled - 1};
}

/* Few different delays, zero among them, so that ties are many; now and then a burst, so that the
 * queue grows and runs down again. */
static void oracle_schedule(struct oracle *oracle, struct log *log)
{
    uint64_t now_ns = vclock_now_ns(log->clock);
    uint32_t burst =
        prng_below(&oracle->prng, 50) == 0 ? 100 : (uint32_t)prng_below(&oracle->prng, 3);

    for (; burst > 0 && oracle->scheduled < oracle->wanted; burst--) {
        uint64_t at_ns = now_ns + prng_below(&oracle->prng, 60);

        at(log, at_ns, oracle->scheduled);
        oracle_insert(oracle, at_ns);
    }
}

static void test_random_events_fire_as_a_sorted_list(void **state)
{
    struct log *log = *state;
    struct oracle oracle = {.wanted = LOG_MAX};
    uint32_t most = 0;

    oracle.list = calloc(LOG_MAX, sizeof(oracle.list[0]));
    prng_init(&oracle.prng, 42, "events", 0);
    while (oracle.fired < LOG_MAX) {
        oracle_schedule(&oracle, log);
        most = vclock_pending(log->clock) > most ? vclock_pending(log->clock) : most;
        assert_int_equal(vclock_pending(log->clock), oracle.scheduled - oracle.fired);
        if (!vclock_step(log->clock))
            continue;
        assert_true(log->args[oracle.fired] == oracle.list[oracle.fired].number);
        assert_true(log->times[oracle.fired] == oracle.list[oracle.fired].at_ns);
        oracle.fired++;
    }
    assert_in_range(most, 2000, LOG_MAX);
    assert_true(vclock_fired(log->clock) == LOG_MAX);
    free(oracle.list);
}

/* ---- what is refused ----------------------------------------------------------------------------
 */

/* Whether scheduling at `at_ns` ends a process that is at 100 ns; in one of its own. */
static bool refused(struct log *log, uint64_t at_ns)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        at(log, at_ns, 0);
        _exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_the_past_is_refused(void **state)
{
    struct log *log = *state;

    at(log, 100, 0);
    assert_true(vclock_step(log->clock));
    assert_true(refused(log, 99));
    assert_true(refused(log, 0));
    assert_false(refused(log, 100));
    assert_true(refused(log, VCLOCK_NEVER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make, unmake)
        T(test_nothing_is_scheduled),
        T(test_order_is_by_time),
        T(test_ties_fire_as_scheduled),
        T(test_now_comes_after_what_was_scheduled_for_now),
        T(test_what_is_under_way_is_no_longer_pending),
        T(test_event_is_copied),
        T(test_random_events_fire_as_a_sorted_list),
        T(test_the_past_is_refused),
#undef T
    };

    return !!cmocka_run_group_tests_name("vclock", tests, NULL, NULL);
}
