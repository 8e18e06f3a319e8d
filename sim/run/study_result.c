/* Putting a study's result together. See study_result.h; study_judge.c judges it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/study_result.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

bool study_part_has(const struct study *study, const struct study_part *part, uint32_t point,
                    uint32_t repeat)
{
    return part->count == 0 ||
           (point * study->repeat_count + repeat) % part->count == part->index - 1;
}

static json_t *axes_json(const struct study *study)
{
    json_t *axes = json_array();

    for (uint32_t i = 0; i < study->axis_count; i++) {
        const struct study_axis *axis = &study->axes[i];
        json_t *texts = json_array();
        for (uint32_t j = 0; j < axis->count; j++)
            json_array_append_new(texts, json_string(study_text(study, i, j)));
        json_array_append_new(axes, json_pack("{s:s, s:s, s:s?, s:o}", "name", axis->name, "path",
                                              axis->path, "unit", study_unit_word(axis->unit),
                                              "texts", texts));
    }
    return axes;
}

static json_t *plan_json(const struct study *study, const struct study_part *part)
{
    json_t *sets = json_array(), *shard = json_null();

    if (part->count > 0)
        shard = json_pack("[i, i]", (int)part->index, (int)part->count);
    for (uint32_t i = 0; i < part->set_count; i++)
        json_array_append_new(sets, json_string(part->sets[i]));
    return json_pack("{s:i, s:i, s:i, s:o, s:o}", "points", (int)study->point_count, "repeats",
                     (int)study->repeat_count, "runs",
                     (int)(study->point_count * study->repeat_count), "shard", shard, "sets", sets);
}

json_t *study_result_begin(const struct study *study, const struct study_part *part,
                           const struct diag_list *diags)
{
    const char *file = diags->names[0], *text = diags->texts[0], *base = strrchr(file, '/');
    const struct scenario *first = &study->first;
    char digest[17];

    snprintf(digest, sizeof(digest), "%016" PRIx64, (uint64_t)XXH3_64bits(text, strlen(text)));
    return json_pack("{s:s, s:b, s:{}, s:{s:s, s:s, s:o, s:s}, s:{}, s:s, s:I, s:o, s:o, s:[], "
                     "s:[], s:[]}",
                     "schema", "xensock/result/1", "complete", 0, "tool", "scenario", "file",
                     base ? base + 1 : file, "xxh3", digest, "resolved", study_json(study), "text",
                     text, "host", "mode", first->mode == SCENARIO_VIRTUAL ? "virtual" : "emulated",
                     "seed", (json_int_t)first->seed, "plan", plan_json(study, part), "axes",
                     axes_json(study), "points", "expectations", "errors");
}

/* The index of the member of a sorted array that has this number, or where it belongs; whether it
 * is there. */
static bool array_find(const json_t *array, const char *key, uint32_t number, size_t *index)
{
    size_t low = 0, high = json_array_size(array);

    while (low < high) {
        size_t middle = (low + high) / 2;
        const json_t *its = json_object_get(json_array_get(array, middle), key);
        if (json_integer_value(its) < number)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return low < json_array_size(array) &&
           json_integer_value(json_object_get(json_array_get(array, low), key)) == number;
}

/* The point of that id, in its place between the others if it is not there yet and `study` is not
 * NULL. */
static json_t *point_of(const json_t *result, const struct study *study, uint32_t id)
{
    json_t *points = json_object_get(result, "points"), *point;
    size_t i;

    if (array_find(points, "id", id, &i))
        return json_array_get(points, i);
    if (!study)
        return NULL;
    point = study_point_json(study, id);
    json_object_set_new(point, "repeats", json_array());
    json_array_insert_new(points, i, point);
    return point;
}

bool study_result_has(const json_t *result, uint32_t point, uint32_t repeat)
{
    const json_t *of = point_of(result, NULL, point);
    size_t index;

    return of && array_find(json_object_get(of, "repeats"), "i", repeat, &index);
}

/* Whether an error belongs to a run. */
static bool is_of(const json_t *error, uint32_t point, uint32_t repeat)
{
    const json_t *its_point = json_object_get(error, "point");

    return json_is_integer(its_point) && json_integer_value(its_point) == point &&
           json_integer_value(json_object_get(error, "repeat")) == repeat;
}

static void drop_errors(json_t *errors, uint32_t point, uint32_t repeat)
{
    for (size_t i = json_array_size(errors); i-- > 0;)
        if (is_of(json_array_get(errors, i), point, repeat))
            json_array_remove(errors, i);
}

/* Put in an error of a run, which has its point and repeat: behind those of the runs before it and
 * its own, so whoever made the runs in whatever order, the result is the same. */
static void put_error(json_t *result, json_t *error)
{
    json_t *errors = json_object_get(result, "errors");
    json_int_t point = json_integer_value(json_object_get(error, "point"));
    json_int_t repeat = json_integer_value(json_object_get(error, "repeat"));
    size_t at = json_array_size(errors);

    for (; at > 0; at--) {
        const json_t *before = json_array_get(errors, at - 1),
                     *of = json_object_get(before, "point");
        json_int_t its = json_integer_value(of);
        if (of &&
            (its < point ||
             (its == point && json_integer_value(json_object_get(before, "repeat")) <= repeat)))
            break;
    }
    json_array_insert_new(errors, at, error);
}

/* What all runs have in common. */
static void add_common(json_t *result, const json_t *from, const char *key)
{
    if (json_object_size(json_object_get(result, key)) == 0)
        json_object_set(result, key, json_object_get(from, key));
}

/* Put in a repeat, whose errors are to follow; takes it. */
static void put(json_t *result, const struct study *study, uint32_t point, json_t *one)
{
    json_t *repeats = json_object_get(point_of(result, study, point), "repeats");
    uint32_t repeat = (uint32_t)json_integer_value(json_object_get(one, "i"));
    size_t index;

    drop_errors(json_object_get(result, "errors"), point, repeat);
    if (array_find(repeats, "i", repeat, &index))
        json_array_set_new(repeats, index, one);
    else
        json_array_insert_new(repeats, index, one);
}

void study_result_add(json_t *result, const struct study *study, const struct study_run *which,
                      json_t *run)
{
    const json_t *of = json_array_get(json_object_get(run, "points"), 0);
    json_t *one = json_copy(json_array_get(json_object_get(of, "repeats"), 0));
    size_t i;
    json_t *error;

    add_common(result, run, "tool");
    add_common(result, run, "host");
    json_object_set_new(one, "i", json_integer(which->repeat));
    json_object_set(one, "seed", json_object_get(run, "seed"));
    json_object_set_new(one, "code", json_integer(which->code));
    json_object_set(one, "complete", json_object_get(run, "complete"));
    put(result, study, which->point, one);
    json_array_foreach(json_object_get(run, "errors"), i, error)
    {
        json_t *its = json_copy(error);
        json_object_set_new(its, "point", json_integer(which->point));
        json_object_set_new(its, "repeat", json_integer(which->repeat));
        put_error(result, its);
    }
}

/* Whether these are two numbers of a run, below the study's. */
static bool is_run(const struct study *study, const json_t *point, const json_t *repeat)
{
    json_int_t id = json_integer_value(point), its = json_integer_value(repeat);

    return json_is_integer(point) && json_is_integer(repeat) && id >= 0 && its >= 0 &&
           id < study->point_count && its < study->repeat_count;
}

bool study_result_fits(const struct study *study, const json_t *from)
{
    size_t i, j;
    json_t *point, *repeat, *error;
    bool fits = true;

    json_array_foreach(json_object_get(from, "points"), i, point)
    {
        json_array_foreach(json_object_get(point, "repeats"), j, repeat) fits &=
            is_run(study, json_object_get(point, "id"), json_object_get(repeat, "i")) &&
            json_is_integer(json_object_get(repeat, "code"));
    }
    json_array_foreach(json_object_get(from, "errors"), i, error)
    {
        const json_t *of = json_object_get(error, "point");
        fits &= json_is_string(json_object_get(error, "code")) &&
                (!of || is_run(study, of, json_object_get(error, "repeat")));
    }
    return fits;
}

void study_result_take(json_t *result, const struct study *study, const json_t *from,
                       bool complete_only)
{
    size_t i, j;
    json_t *point, *repeat, *error;

    add_common(result, from, "tool");
    add_common(result, from, "host");
    json_array_foreach(json_object_get(from, "points"), i, point)
    {
        uint32_t id = (uint32_t)json_integer_value(json_object_get(point, "id"));
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
        {
            if (!complete_only || json_is_true(json_object_get(repeat, "complete")))
                put(result, study, id, json_incref(repeat));
        }
    }
    json_array_foreach(json_object_get(from, "errors"), i, error)
    {
        uint32_t id = (uint32_t)json_integer_value(json_object_get(error, "point"));
        uint32_t its = (uint32_t)json_integer_value(json_object_get(error, "repeat"));
        if (json_object_get(error, "point") && study_result_has(result, id, its))
            put_error(result, json_incref(error));
    }
}
