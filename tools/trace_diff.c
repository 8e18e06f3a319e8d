/*
 * Comparing two traces. See trace_diff.h.
 *
 * Records are compared one by one until two differ. From there on a window of both traces is held,
 * in which each entity's own records are compared: when a turn takes longer, the records of all
 * others move, but they stay the same until they hear of it. So those who differ are in the order
 * of cause and effect. What lies behind the windows is only counted.
 */
#include "tools/trace_diff.h"

#include "sim/run/trace_text.h"
#include "tools/cmd.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTEXT = 4, /* common records shown before the first difference */
    SHOWN = 4,   /* of each trace, from the first difference */
    ENTITIES_SHOWN = 10,
    WINDOW = 1 << 17, /* records: 4 MiB */
    NONE = WINDOW,    /* no record of the window */
};

struct side {
    char letter;
    const char *path;
    struct trace_file *file;
    struct trace_record record; /* the last one read, if `got` is 1 */
    int got;                    /* what trace_file_next said */
    uint64_t count;             /* records read */
    struct trace_file_fault fault;
    struct trace_record *window;
    uint32_t window_count, *first, *next; /* of an entity, and after a record of it, or NONE */
};

int trace_fault(const char *path, const struct trace_file_fault *fault)
{
    fflush(stdout);
    fprintf(stderr, "xensock trace: error[E0703]: %s: offset %" PRIu64 ": %s\n", path,
            fault->offset, fault->what);
    return CMD_USAGE;
}

static bool side_open(struct side *side)
{
    side->file = trace_file_open(side->path, &side->fault);
    if (!side->file)
        trace_fault(side->path, &side->fault);
    return side->file != NULL;
}

static void side_close(struct side *side)
{
    if (side->file)
        trace_file_close(side->file);
    free(side->window);
    free(side->first);
    free(side->next);
}

static void side_next(struct side *side)
{
    side->got = trace_file_next(side->file, &side->record, &side->fault);
    side->count += side->got == 1;
}

static bool same_record(const struct trace_record *a, const struct trace_record *b)
{
    return memcmp(a, b, sizeof(*a)) == 0; /* which has no padding */
}

/* ---- the window ---- */

/* Keep the record at hand and those that follow, chain each entity's, and count the rest. */
static void side_hold(struct side *side)
{
    side->window = malloc(WINDOW * sizeof(*side->window));
    side->next = malloc(WINDOW * sizeof(*side->next));
    side->first = malloc(TRACE_FILE_ENTITIES * sizeof(*side->first));
    assert(side->window && side->next && side->first);
    for (; side->got == 1 && side->window_count < WINDOW; side_next(side))
        side->window[side->window_count++] = side->record;
    for (uint32_t who = 0; who < TRACE_FILE_ENTITIES; who++)
        side->first[who] = NONE;
    for (uint32_t i = side->window_count; i-- > 0;) {
        side->next[i] = side->first[side->window[i].who];
        side->first[side->window[i].who] = i;
    }
    while (side->got == 1)
        side_next(side);
}

/* Whether the entity's records in the windows differ, and since when. Where one window has no more
 * of them it is not known, unless that trace ends in it. */
static bool entity_differs(const struct side *a, const struct side *b, uint32_t who,
                           uint64_t *at_ns)
{
    uint32_t i = a->first[who], j = b->first[who];

    while (i < NONE && j < NONE && same_record(&a->window[i], &b->window[j])) {
        i = a->next[i];
        j = b->next[j];
    }
    if (i == j && i == NONE)
        return false;
    if ((i == NONE && a->window_count == WINDOW) || (j == NONE && b->window_count == WINDOW))
        return false;
    *at_ns = UINT64_MAX;
    if (i < NONE)
        *at_ns = a->window[i].now_ns;
    if (j < NONE && b->window[j].now_ns < *at_ns)
        *at_ns = b->window[j].now_ns;
    return true;
}

struct parted {
    uint64_t at_ns;
    uint16_t who;
};

static int by_time(const void *a, const void *b)
{
    const struct parted *one = a, *other = b;

    if (one->at_ns != other->at_ns)
        return one->at_ns < other->at_ns ? -1 : 1;
    return (one->who > other->who) - (one->who < other->who);
}

static void print_entities(const struct side *a, const struct side *b)
{
    struct parted *parted = malloc(TRACE_FILE_ENTITIES * sizeof(*parted));
    char name[TRACE_FILE_NAME_BYTES];
    uint32_t count = 0;

    assert(parted);
    for (uint32_t who = 0; who < TRACE_FILE_ENTITIES; who++)
        if (entity_differs(a, b, who, &parted[count].at_ns))
            parted[count++].who = (uint16_t)who;
    qsort(parted, count, sizeof(*parted), by_time);
    printf("\nwhose records differ, and since when:\n");
    for (uint32_t i = 0; i < count && i < ENTITIES_SHOWN; i++) {
        trace_text_who(trace_file_name(a->file, parted[i].who) ? a->file : b->file, parted[i].who,
                       name);
        printf("%6" PRIu64 ".%09" PRIu64 "  %s\n", parted[i].at_ns / 1000000000,
               parted[i].at_ns % 1000000000, name);
    }
    if (count == 0)
        printf("%*snobody's, only their order\n", 18, "");
    if (count > ENTITIES_SHOWN)
        printf("%*s%u more\n", 18, "", count - ENTITIES_SHOWN);
    free(parted);
}

/* ---- the report ---- */

static void print_record(char letter, uint64_t number, const struct side *side,
                         const struct trace_record *record)
{
    printf("%c %9" PRIu64 "  ", letter, number);
    trace_text_print(stdout, side->file, record);
}

static void print_window(const struct side *side, uint64_t number)
{
    for (uint32_t i = 0; i < SHOWN && i < side->window_count; i++)
        print_record(side->letter, number + i, side, &side->window[i]);
    if (side->window_count < SHOWN && side->got == 0)
        printf("%c %9" PRIu64 "  the end\n", side->letter, number + side->window_count);
}

/* The sides stand at the first records that differ; `context` has the common ones before it. */
static void report(struct side *a, struct side *b, const struct trace_record *context)
{
    uint64_t number = a->count - (a->got == 1);
    uint64_t from = number < CONTEXT ? 0 : number - CONTEXT;

    printf("the first difference is at record %" PRIu64 "\n\n", number);
    side_hold(a);
    side_hold(b);
    for (uint64_t i = from; i < number; i++)
        print_record(' ', i, a, &context[i % CONTEXT]);
    print_window(a, number);
    print_window(b, number);
    print_entities(a, b);
    printf("\nA has %" PRIu64 " records, B %" PRIu64 "\n", a->count, b->count);
}

static int compare(struct side *a, struct side *b)
{
    struct trace_record context[CONTEXT] = {{0}};
    bool same;

    side_next(a);
    side_next(b);
    while (a->got == 1 && b->got == 1 && same_record(&a->record, &b->record)) {
        context[(a->count - 1) % CONTEXT] = a->record;
        side_next(a);
        side_next(b);
    }
    same = a->got < 1 && b->got < 1;
    if (same && a->got == 0 && b->got == 0)
        printf("the same %" PRIu64 " records\n", a->count);
    else if (!same)
        report(a, b, context);
    if (a->got < 0)
        trace_fault(a->path, &a->fault);
    if (b->got < 0)
        trace_fault(b->path, &b->fault);
    return a->got < 0 || b->got < 0 ? CMD_USAGE : same ? CMD_OK : CMD_FAILED;
}

int trace_diff(const char *path_a, const char *path_b)
{
    struct side sides[2] = {{.letter = 'A', .path = path_a}, {.letter = 'B', .path = path_b}};
    int code = CMD_USAGE;

    if (side_open(&sides[0]) && side_open(&sides[1])) {
        for (int i = 0; i < 2; i++)
            printf("%c  %s: scenario %s, seed %" PRIu64 "\n", sides[i].letter, sides[i].path,
                   trace_file_scenario(sides[i].file), trace_file_seed(sides[i].file));
        code = compare(&sides[0], &sides[1]);
    }
    side_close(&sides[0]);
    side_close(&sides[1]);
    return code;
}
