/* What the clients of the load share: plans, the clock, the report. See load.h. */
#define _GNU_SOURCE 1
#include "tests/bench/load.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void load_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t number(const char *text, uint64_t most)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > most) {
        fprintf(stderr, "load: '%s' is not a number from 1 to %" PRIu64 "\n", text, most);
        exit(2);
    }
    return value;
}

struct load_plan load_plan_of(int argc, char **argv)
{
    static const char *const names[] = {"up", "down", "rtt", "connect"};
    struct load_plan plan = {.what = LOAD_UP};

    if (argc < 3 || argc > 4) {
        fputs("usage: ... up|down|rtt|connect SIZE COUNT [LOOK]\n", stderr);
        exit(2);
    }
    while (strcmp(argv[0], names[plan.what]) != 0)
        if (++plan.what > LOAD_CONNECT) {
            fprintf(stderr, "load: '%s' is none of up, down, rtt, connect\n", argv[0]);
            exit(2);
        }
    plan.size = (uint32_t)number(argv[1], LOAD_SIZE_MAX);
    plan.count = number(argv[2], UINT32_MAX);
    plan.look = argc == 4 ? argv[3] : NULL;
    return plan;
}

struct load_header load_header_of(const struct load_plan *plan)
{
    return (struct load_header){
        .magic = LOAD_MAGIC, .what = plan->what, .size = plan->size, .count = plan->count};
}

uint64_t load_bytes(const struct load_plan *plan)
{
    return plan->count * plan->size;
}

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Touched now: a fault in the midst of it would be timed. */
void load_times_init(struct load_times *times, const struct load_plan *plan)
{
    uint64_t count = plan->what == LOAD_RTT ? plan->count : 1;

    times->count = 0;
    times->ns = malloc(count * sizeof(*times->ns));
    if (!times->ns)
        load_fail("no memory for %" PRIu64 " times", count);
    memset(times->ns, 0xff, count * sizeof(*times->ns));
}

void load_times_add(struct load_times *times, uint64_t ns)
{
    times->ns[times->count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

void load_times_fini(struct load_times *times)
{
    free(times->ns);
    times->ns = NULL;
}

void load_look(struct load_plan *plan)
{
    const char *look = plan->look;

    plan->look = NULL;
    if (look && system(look) != 0)
        load_fail("LOOK says no");
}

static int compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The value at integer rank ceil(count * percent / 100). */
static uint32_t percentile(const struct load_times *times, uint64_t percent)
{
    return times->count == 0 ? 0 : times->ns[(times->count * percent + 99) / 100 - 1];
}

void load_report(uint64_t took_ns, struct load_times *times)
{
    qsort(times->ns, times->count, sizeof(*times->ns), compare);
    printf("%" PRIu64 " %u %u\n", took_ns, percentile(times, 50), percentile(times, 99));
}
