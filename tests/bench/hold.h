/*
 * The hold model, the usual load for an event queue: so many events are pending; the earliest fires
 * and schedules another one, an exponentially distributed delay from now. What both arms of the
 * comparison share: the delays, ready in a table, the handler's work, and the report.
 * C that is also C++. Source: Jones, CACM 29 (1986).
 */
#ifndef XENSOCK_TESTS_BENCH_HOLD_H
#define XENSOCK_TESTS_BENCH_HOLD_H

#include "sim/time/prng.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { HOLD_DELAYS = 1 << 16, HOLD_MEAN_NS = 1000000 };

struct hold {
    uint32_t delays_ns[HOLD_DELAYS];
    uint32_t next_delay;
    uint32_t pending;
    uint64_t events;
    uint64_t left;  /* events until the loop is to stop */
    uint64_t order; /* a hash of which event fired when: the same wherever the same model runs */
};

/* From the command line: PENDING EVENTS. */
static inline void hold_init(struct hold *hold, int argc, char **argv)
{
    struct prng prng;

    if (argc != 3) {
        fprintf(stderr, "usage: %s PENDING EVENTS\n", argv[0]);
        exit(2);
    }
    hold->pending = (uint32_t)strtoul(argv[1], NULL, 10);
    hold->events = strtoull(argv[2], NULL, 10);
    hold->next_delay = 0;
    hold->order = 0;
    prng_init(&prng, 1, "hold", 0);
    for (uint32_t i = 0; i < HOLD_DELAYS; i++)
        hold->delays_ns[i] = (uint32_t)prng_exponential(&prng, HOLD_MEAN_NS);
}

static inline uint32_t hold_delay_ns(struct hold *hold)
{
    return hold->delays_ns[hold->next_delay++ % HOLD_DELAYS];
}

/* What a handler does, beside scheduling; `number` is the event's own. */
static inline void hold_fired(struct hold *hold, uint64_t number)
{
    hold->order = hold->order * 31 + number;
    hold->left--;
}

static inline uint64_t hold_host_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What tools/bench reads: the time taken, and what must be the same in both arms. */
static inline void hold_report(const struct hold *hold, uint64_t took_ns, uint64_t end_ns)
{
    printf("%llu %llu:%llx\n", (unsigned long long)took_ns, (unsigned long long)end_ns,
           (unsigned long long)hold->order);
}

#endif
