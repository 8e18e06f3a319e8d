/*
 * The explorer. See explore.h.
 *
 * Whoever runs asks schedule() before it goes on; that returns at once unless another side's turn
 * has come. A run is named by its deviations from "the same side goes on": a chain of items.
 * Invariant: a run up to its last deviation reaches the state from which that was noted (checked).
 */
#include "tests/support/explore_private.h"

#ifdef XENSOCK_HOOKED
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(from, bytes) ((void)(from), (void)(bytes))
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

struct explore_engine engine;

static void *grown(void *list, uint32_t count, uint32_t *room, size_t element_bytes)
{
    if (count < *room)
        return list;
    *room = *room ? *room * 2 : 1024;
    list = realloc(list, *room * element_bytes);
    assert(list);
    return list;
}

static void push(struct list *list, uint32_t item)
{
    list->items = grown(list->items, list->count, &list->room, sizeof(list->items[0]));
    list->items[list->count++] = item;
}

/* ---- the state ---------------------------------------------------------------------------------
 */

void explore_mix(struct side *side, uint64_t kind, uint64_t value)
{
    uint64_t all[3] = {side->history, kind, value};

    side->history = XXH3_64bits(all, sizeof(all));
}

static bool can_go(uint32_t i)
{
    const struct side *side = &engine.sides[i];

    return i < engine.what->side_count && !side->done &&
           (side->next.kind != STEP_WAIT || side->ready(side->ready_self));
}

static uint64_t state_hash(void)
{
    uint64_t all[EXPLORE_REGIONS + EXPLORE_SIDES + 2] = {0};
    uint32_t count = 0;

    for (uint32_t i = 0; i < engine.region_count; i++) {
        const struct shared_area *area = &engine.regions[i].area;
        all[count++] = XXH3_64bits(shared_at(area, 0, 0), (size_t)area->pages * SHARED_PAGE_BYTES);
    }
    for (uint32_t i = 0; i < engine.what->side_count; i++)
        all[count++] = engine.sides[i].history;
    all[count++] = engine.what->state ? engine.what->state(engine.what->self) : 0;
    /* whose turn it is decides what costs a preemption: of no account when none is left out */
    all[count++] = engine.what->preemptions ? engine.current : 0;
    assert(count <= sizeof(all) / sizeof(all[0]));
    return XXH3_64bits(all, sizeof(all));
}

static void rehash(void)
{
    engine.table_room = engine.table_room ? engine.table_room * 2 : 1 << 16;
    free(engine.table);
    engine.table = calloc(engine.table_room, sizeof(engine.table[0]));
    assert(engine.table);
    for (uint32_t i = 1; i < engine.state_count; i++) {
        uint32_t slot = (uint32_t)engine.states[i].hash & (engine.table_room - 1);
        while (engine.table[slot])
            slot = (slot + 1) & (engine.table_room - 1);
        engine.table[slot] = i;
    }
}

/* The state of this hash; one that is new becomes the last. */
static uint32_t state_of(uint64_t hash)
{
    bool merge = engine.what->merge != EXPLORE_NOTHING;

    if (engine.state_count * 2 >= engine.table_room)
        rehash();
    uint32_t slot = (uint32_t)hash & (engine.table_room - 1);
    while (engine.table[slot]) {
        if (merge && engine.states[engine.table[slot]].hash == hash)
            return engine.table[slot];
        slot = (slot + 1) & (engine.table_room - 1);
    }
    engine.states =
        grown(engine.states, engine.state_count, &engine.state_room, sizeof(engine.states[0]));
    engine.states[engine.state_count] = (struct state){.hash = hash};
    engine.table[slot] = engine.state_count;
    return engine.state_count++;
}

static void edge_add(uint32_t from, uint32_t to)
{
    if (from == 0)
        return;
    engine.edges =
        grown(engine.edges, engine.edge_count, &engine.edge_room, sizeof(engine.edges[0]));
    engine.edges[engine.edge_count] = (struct edge){to, engine.states[from].first_edge};
    engine.states[from].first_edge = engine.edge_count++;
}

/* ---- who goes on -------------------------------------------------------------------------------
 */

static void note_item(uint32_t state, uint32_t side, uint32_t value, bool preempts)
{
    engine.items =
        grown(engine.items, engine.item_count, &engine.item_room, sizeof(engine.items[0]));
    engine.items[engine.item_count] = (struct item){engine.item, engine.steps, state, side, value};
    push(preempts ? &engine.later : &engine.now, engine.item_count++);
}

/* Everything that could go on from here but for what does. */
static void note_others(uint32_t state, uint32_t chosen)
{
    bool could = can_go(engine.current);

    for (uint32_t i = 0; i < engine.what->side_count; i++) {
        if (!can_go(i))
            continue;
        bool preempts = could && i != engine.current;
        for (uint32_t value = i == chosen ? 1 : 0; value < engine.sides[i].next.choices; value++)
            note_item(state, i, value, preempts);
    }
}

/* By default the same side goes on, else the first that can; NONE if nobody can. */
static int by_default(void)
{
    if (can_go(engine.current))
        return (int)engine.current;
    for (uint32_t i = 0; i < engine.what->side_count; i++)
        if (can_go(i))
            return (int)i;
    return NONE;
}

static void switch_to(ucontext_t *from, ucontext_t *to, void *fiber)
{
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(fiber, 0);
#else
    (void)fiber;
#endif
    swapcontext(from, to);
}

/* The run is over, whatever its sides were about to do. */
_Noreturn void explore_leave(void)
{
    ucontext_t dropped;

    engine.running = false;
    switch_to(&dropped, &engine.main, engine.main_fiber);
    abort(); /* nobody comes back here */
}

/* The rest of a run that was not repeated: look whether it leads anywhere new. */
static void look(uint32_t chosen)
{
    uint32_t known = engine.state_count;
    uint32_t state = state_of(state_hash());

    edge_add(engine.at_state, state);
    engine.at_state = state;
    if (state < known)
        explore_leave();
    if (engine.state_count >= STATES_MAX)
        explore_fail("more states than there is memory for");
    note_others(state, chosen);
}

static const char *nobody_goes(void)
{
    for (uint32_t i = 0; i < engine.what->side_count; i++)
        if (!engine.sides[i].done && !(engine.what->servants >> i & 1))
            return "all sleep, and nobody will wake them";
    engine.running = false;
    return engine.what->outcome(engine.what->self);
}

/* The deviation at this step, if there is one: it must begin in the state where it was noted. */
static const struct item *deviation(void)
{
    const struct item *item;

    if (engine.deviation_count == 0)
        return NULL;
    item = &engine.items[engine.deviations[engine.deviation_count - 1]];
    if (item->at != engine.steps)
        return NULL;
    engine.deviation_count--;
    engine.at_state = item->state;
    return item;
}

/* Who takes the next step; what it chooses, if it has a choice, goes to *value. */
static uint32_t decide(uint32_t *value)
{
    bool repeated = engine.deviation_count > 0;
    const struct item *other = deviation();
    int chosen = other ? (int)other->side : by_default();

    *value = other ? other->value : 0;
    if (other && engine.deviation_count == 0)
        assert(state_hash() == engine.states[other->state].hash);
    if (!repeated)
        look(chosen == NONE ? 0 : (uint32_t)chosen);
    if (chosen == NONE) {
        engine.wrong = nobody_goes();
        explore_leave();
    }
    if (engine.steps == DEEPEST)
        explore_fail("it does not end");
    return (uint32_t)chosen;
}

/* `side` is about to take a step: returns when it is its turn, with what it chose. */
static uint32_t schedule(uint32_t side)
{
    uint32_t value, next = decide(&value);

    engine.trace[engine.steps] = engine.sides[next].next;
    engine.trace[engine.steps].value = value;
    engine.steps++;
    engine.current = next;
    if (next != side) {
        engine.sides[next].next.value = value;
        switch_to(side == EXPLORE_NOBODY ? &engine.main : &engine.sides[side].context,
                  &engine.sides[next].context, engine.sides[next].fiber);
        value = side == EXPLORE_NOBODY ? 0 : engine.sides[side].next.value;
    }
    return value;
}

uint32_t explore_take_step(struct step step)
{
    struct side *side = &engine.sides[engine.current];
    uint32_t value;

    step.side = engine.current;
    step.choices = step.choices ? step.choices : 1;
    side->next = step;
    value = schedule(engine.current);
    explore_mix(side, step.kind, value);
    return value;
}

static void start(void)
{
    uint32_t me = engine.current;

    explore_mix(&engine.sides[me], STEP_RETURN, me);
    engine.what->sides[me](engine.what->self);
    engine.sides[me].done = true;
    engine.sides[me].history = me;
    schedule(me);
}

/* An assert of the code under test: say how it came to it. */
static void on_abort(int number)
{
    (void)number;
    signal(SIGABRT, SIG_DFL);
    explore_print(engine.trace, engine.steps, "an assert failed"); /* NOLINT: it dies anyway */
}

/* ---- runs --------------------------------------------------------------------------------------
 */

static void prepare_side(uint32_t i)
{
    struct side *side = &engine.sides[i];
    unsigned char *stack = side->stack ? side->stack : malloc(STACK_BYTES);
    void *fiber = side->fiber;

    assert(stack);
    ASAN_UNPOISON_MEMORY_REGION(stack, STACK_BYTES);
#if defined(__SANITIZE_THREAD__)
    /* dear; one that was left midway can be used again, but keeps a few calls it thinks it is in */
    if (fiber && engine.result->runs % FIBER_RUNS == 0) {
        __tsan_destroy_fiber(fiber);
        fiber = NULL;
    }
    fiber = fiber ? fiber : __tsan_create_fiber(0);
#endif
    *side = (struct side){.stack = stack, .fiber = fiber};
    side->next = (struct step){.kind = STEP_RETURN, .side = i, .choices = 1};
    getcontext(&side->context);
    side->context.uc_stack.ss_sp = stack;
    side->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&side->context, start, 0);
}

static void keep_worst(void)
{
    if (!engine.wrong || (engine.worst_why && engine.worst_steps <= engine.steps))
        return;
    memcpy(engine.worst, engine.trace, engine.steps * sizeof(engine.trace[0]));
    engine.worst_steps = engine.steps;
    engine.worst_why = engine.wrong;
}

static void run(uint32_t item)
{
    engine.item = item;
    engine.steps = engine.deviation_count = engine.at_state = engine.region_count = 0;
    engine.current = EXPLORE_NOBODY;
    engine.wrong = NULL;
    for (uint32_t i = item; i != 0; i = engine.items[i].parent)
        engine.deviations[engine.deviation_count++] = i;
    for (uint32_t i = 0; i < engine.what->side_count; i++)
        prepare_side(i);
    engine.what->begin(engine.what->self);
    engine.running = true;
    schedule(EXPLORE_NOBODY);
    engine.running = false;
    if (engine.what->end)
        engine.what->end(engine.what->self);
    keep_worst();
    engine.result->runs++;
    if (engine.steps > engine.result->deepest)
        engine.result->deepest = engine.steps;
}

/* Ways from each state to an end. A state is counted when all it leads to are; none leads back. */
static double count_ways(uint32_t state)
{
    struct list stack = {0};

    push(&stack, state);
    while (stack.count > 0) {
        struct state *at = &engine.states[stack.items[stack.count - 1]];
        uint32_t before = stack.count;
        assert(before <= engine.edge_count); /* else states lead back to themselves */
        double ways = at->first_edge ? 0 : 1;
        for (uint32_t e = at->first_edge; e; e = engine.edges[e].next) {
            const struct state *to = &engine.states[engine.edges[e].to];
            ways += to->ways;
            if (to->ways < 1)
                push(&stack, engine.edges[e].to);
        }
        if (stack.count > before)
            continue;
        at->ways = ways;
        stack.count--;
    }
    free(stack.items);
    return engine.states[state].ways;
}

static void swap_lists(void)
{
    struct list empty = engine.now;

    engine.now = engine.later;
    engine.later = empty;
}

static void search(void)
{
    uint32_t bound = engine.what->preemptions ? engine.what->preemptions : UINT32_MAX;

    engine.item_count = engine.state_count = engine.edge_count = 1;
    engine.items = grown(engine.items, 1, &engine.item_room, sizeof(engine.items[0]));
    engine.states = grown(engine.states, 1, &engine.state_room, sizeof(engine.states[0]));
    engine.edges = grown(engine.edges, 1, &engine.edge_room, sizeof(engine.edges[0]));
    push(&engine.now, 0);
    while (engine.now.count > 0) {
        while (engine.now.count > 0)
            run(engine.now.items[--engine.now.count]);
        if (engine.worst_why || engine.result->preemptions == bound)
            break;
        swap_lists();
        engine.result->preemptions += engine.now.count > 0 ? 1 : 0;
    }
    engine.result->complete = engine.now.count + engine.later.count == 0;
}

static void forget(void)
{
    for (uint32_t i = 0; i < EXPLORE_SIDES; i++) {
        free(engine.sides[i].stack);
#if defined(__SANITIZE_THREAD__)
        if (engine.sides[i].fiber)
            __tsan_destroy_fiber(engine.sides[i].fiber);
#endif
    }
    free(engine.items);
    free(engine.now.items);
    free(engine.later.items);
    free(engine.states);
    free(engine.table);
    free(engine.edges);
    memset(&engine, 0, sizeof(engine));
}

void explore(const struct explore *what, struct explore_result *result)
{
    void (*before)(int) = signal(SIGABRT, on_abort);

    *result = (struct explore_result){0};
    engine.what = what;
    engine.result = result;
#if defined(__SANITIZE_THREAD__)
    engine.main_fiber = __tsan_get_current_fiber();
#endif
    search();
    result->wrong = engine.worst_why;
    result->states = engine.state_count - 1;
    result->interleavings = result->wrong ? 0 : count_ways(1);
    fprintf(stderr,
            "%s: %u states, %.3g interleavings, %u runs, deepest %u steps, %u preemptions%s\n",
            what->name, result->states, result->interleavings, result->runs, result->deepest,
            result->preemptions, result->complete ? ", complete" : "");
    if (result->wrong && what->control)
        fprintf(stderr, "    control, as it must: %s after %u steps\n", result->wrong,
                engine.worst_steps);
    else if (result->wrong)
        explore_print(engine.worst, engine.worst_steps, result->wrong);
    forget();
    signal(SIGABRT, before);
}
#endif
