/*
 * What a side of the explorer may do. See explore.h.
 *
 * A word is accessed in one step. A span takes two, with the others between them; the access itself
 * happens after the second, as if its bytes had come and gone at any moment between.
 */
#include "tests/support/explore_private.h"

#ifdef XENSOCK_HOOKED
#include <xxhash.h>

static int region_of(const unsigned char *at, uint32_t *offset)
{
    for (uint32_t i = 0; i < engine.region_count; i++) {
        const struct shared_area *area = &engine.regions[i].area;
        const unsigned char *base = shared_at(area, 0, 0);
        if (at >= base && at < base + (size_t)area->pages * SHARED_PAGE_BYTES) {
            *offset = (uint32_t)(at - base);
            return (int)i;
        }
    }
    return NONE;
}

static const struct explore_place *place_of(uint32_t region, uint32_t offset)
{
    const struct explore_region *in = &engine.regions[region];

    for (uint32_t i = 0; i < in->place_count; i++)
        if (offset >= in->places[i].offset && offset < in->places[i].offset + in->places[i].bytes)
            return &in->places[i];
    return NULL;
}

/* Nobody else may be in the midst of these bytes, unless both only read. */
static void check_torn(enum shared_access access, const unsigned char *from, uint32_t bytes)
{
    for (uint32_t i = 0; i < engine.what->side_count; i++) {
        const struct side *other = &engine.sides[i];
        if (i == engine.current || !other->inside || from >= other->from + other->bytes ||
            other->from >= from + bytes)
            continue;
        if (access == SHARED_WRITE && other->access == SHARED_READ)
            explore_fail("torn: written while another reads it");
        if (access == SHARED_WRITE || other->access == SHARED_WRITE)
            explore_fail("torn: touched while another writes it");
    }
}

static void check_repeated(struct side *side, struct read read)
{
    if (!side->call)
        return;
    for (uint32_t i = 0; i < side->read_count; i++) {
        const struct read *old = &side->reads[i];
        if (old->region == read.region && old->offset < read.offset + read.bytes &&
            read.offset < old->offset + old->bytes)
            explore_fail("loaded twice in one call");
    }
    assert(side->read_count < READS_MAX);
    side->reads[side->read_count++] = read;
}

static void access_word(struct side *side, const struct step *step, const unsigned char *at)
{
    uint32_t value;

    explore_take_step(*step);
    check_torn(step->access, at, step->bytes);
    if (step->access == SHARED_WRITE)
        return;
    if (step->place->writer == step->side)
        explore_fail("own word loaded");
    memcpy(&value, at, sizeof(value));
    engine.trace[engine.steps - 1].value = value;
    explore_mix(side, STEP_WORD, value);
}

static void access_span(struct side *side, const struct step *step, unsigned char *at)
{
    explore_take_step(*step);
    check_torn(step->access, at, step->bytes);
    side->inside = true;
    side->access = step->access;
    side->from = at;
    side->bytes = step->bytes;
    if (step->access == SHARED_WRITE)
        memset(at, POISON, step->bytes);
    struct step end = *step;
    end.kind = STEP_END;
    explore_take_step(end);
    side->inside = false;
    if (step->access == SHARED_READ)
        explore_mix(side, STEP_END, XXH3_64bits(at, step->bytes));
}

void shared_hook(enum shared_access access, const struct shared_area *area, uint32_t offset,
                 uint32_t bytes)
{
    struct step step = {.access = access, .side = engine.current, .bytes = bytes};
    unsigned char *at = shared_at(area, offset, bytes);
    int region = region_of(at, &step.offset);

    if (!engine.running || region == NONE || bytes == 0)
        return;
    struct side *side = &engine.sides[engine.current];
    if (access == SHARED_READ)
        check_repeated(side, (struct read){(uint32_t)region, step.offset, bytes});
    step.place = place_of((uint32_t)region, step.offset);
    if (step.place && step.place->writer != EXPLORE_NOBODY) {
        step.kind = STEP_WORD;
        access_word(side, &step, at);
    } else {
        step.kind = STEP_BEGIN;
        access_span(side, &step, at);
    }
}

void explore_region(const struct explore_region *region)
{
    assert(engine.region_count < EXPLORE_REGIONS);
    engine.regions[engine.region_count++] = *region;
}

void explore_step(const char *what)
{
    if (engine.running)
        explore_take_step((struct step){.kind = STEP_POINT, .what = what});
}

void explore_wait(bool (*ready)(void *self), void *self)
{
    struct side *side = &engine.sides[engine.current];

    side->ready = ready;
    side->ready_self = self;
    explore_take_step((struct step){.kind = STEP_WAIT});
}

uint32_t explore_choose(const char *what, uint32_t count)
{
    return count < 2 ? 0
                     : explore_take_step(
                           (struct step){.kind = STEP_CHOICE, .what = what, .choices = count});
}

void explore_saw(uint64_t value)
{
    if (engine.running)
        explore_mix(&engine.sides[engine.current], STEP_POINT, value);
}

void explore_at_place(uint32_t place, const void *state, size_t bytes)
{
    struct side *side = &engine.sides[engine.current];

    if (engine.what->merge != EXPLORE_STATES)
        return;
    side->history = XXH3_64bits(state, bytes);
    explore_mix(side, engine.current, place);
}

void explore_call(const char *name)
{
    engine.sides[engine.current].call = name;
    engine.sides[engine.current].read_count = 0;
}

_Noreturn void explore_fail(const char *why)
{
    engine.wrong = why;
    explore_leave();
}

#endif
