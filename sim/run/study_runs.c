/* What a study has at each point: values, seeds, overrides, scenarios. See study.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/scenario_keys.h"
#include "sim/run/steps.h"
#include "sim/run/study.h"
#include "sim/run/units.h"
#include "sim/time/prng.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Its place among the draws that depend on a seed alone; see prng.h. */
#define SEED_STREAM UINT64_C(1)

const char *study_unit_word(enum study_unit unit)
{
#define X(constant, word) word,
    static const char *const words[] = {STUDY_UNITS(X)};
#undef X

    return words[unit];
}

uint32_t study_axis_find(const struct study *study, const char *name)
{
    uint32_t i = 0;

    while (i < study->axis_count && strcmp(study->axes[i].name, name) != 0)
        i++;
    return i;
}

const char *study_text(const struct study *study, uint32_t axis, uint32_t value)
{
    return scenario_yaml_text(&study->yaml, study->axes[axis].nodes[value]);
}

uint32_t study_value(const struct study *study, uint32_t point, uint32_t axis)
{
    uint32_t behind = 1; /* points for which the axis does not change */

    for (uint32_t i = study->axes[axis].along + 1; i < study->axis_count; i++)
        if (study->axes[i].along == i)
            behind *= study->axes[i].count;
    return point / behind % study->axes[axis].count;
}

uint32_t study_point_at(const struct study *study, uint32_t point,
                        const uint32_t selected[STUDY_AXES_MAX])
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < study->axis_count; i++) {
        uint32_t value = study_value(study, point, i);
        if (study->axes[i].along != i)
            continue;
        for (uint32_t j = 0; j < study->axis_count; j++)
            if (study->axes[j].along == i && selected[j] != UINT32_MAX)
                value = selected[j];
        at = at * study->axes[i].count + value;
    }
    return at;
}

void study_put(struct study *study, uint32_t point)
{
    for (uint32_t i = 0; i < study->axis_count; i++) {
        const struct study_axis *axis = &study->axes[i];
        scenario_yaml_put(&study->yaml, axis->path_node, axis->nodes[study_value(study, point, i)]);
    }
}

uint64_t study_seed(uint64_t seed, uint32_t repeat)
{
    struct prng prng;
    char entity[32];

    if (repeat == 0)
        return seed;
    snprintf(entity, sizeof(entity), "repeat.%" PRIu32, repeat);
    prng_init(&prng, seed, entity, SEED_STREAM);
    return prng_u64(&prng) & INT64_MAX;
}

void study_scenario(struct study *study, uint32_t point, uint32_t repeat, struct scenario *out)
{
    struct diag_list *diags = study->yaml.diags;
    static struct diag_list none;

    diag_init(&none); /* its notes were told when it was loaded */
    study->yaml.diags = &none;
    study_put(study, point);
    scenario_tree_read(out, &study->yaml);
    assert(none.errors == 0);
    study->yaml.diags = diags;
    diag_fini(&none);
    out->seed = study_seed(out->seed, repeat);
}

void study_set(const struct study *study, uint32_t point, uint32_t axis, char text[STUDY_SET_BYTES])
{
    snprintf(text, STUDY_SET_BYTES, "%s=%s", study->axes[axis].path,
             study_text(study, axis, study_value(study, point, axis)));
}

/* ---- as JSON ---- */

json_t *study_value_json(const struct study *study, uint32_t axis, uint32_t value)
{
    if (study->axes[axis].unit == STUDY_TEXT)
        return json_string(study_text(study, axis, value));
    return json_integer((json_int_t)study->axes[axis].numbers[value]);
}

json_t *study_point_json(const struct study *study, uint32_t point)
{
    json_t *axes = json_object();

    for (uint32_t i = 0; i < study->axis_count; i++)
        json_object_set_new(axes, study->axes[i].name,
                            study_value_json(study, i, study_value(study, point, i)));
    return json_pack("{s:i, s:o}", "id", (int)point, "axes", axes);
}

void study_point_words(const struct study *study, uint32_t point, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < study->axis_count && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s=%s", i ? ", " : "",
                                 study->axes[i].name,
                                 study_text(study, i, study_value(study, point, i)));
}

struct units_text study_value_words(const json_t *value, const char *unit)
{
    uint64_t number = (uint64_t)json_integer_value(value);
    struct units_text out;

    if (!json_is_integer(value))
        snprintf(out.text, sizeof(out.text), "%s",
                 json_is_string(value) ? json_string_value(value) : "-");
    else if (unit && strcmp(unit, "ns") == 0)
        out = units_format_duration(number);
    else if (unit && strcmp(unit, "bytes") == 0)
        out = units_format_size(number);
    else if (unit && strcmp(unit, "bytes_per_s") == 0)
        out = units_format_bandwidth(number);
    else if (unit && strcmp(unit, "ppm") == 0)
        out = units_format_share(number);
    else
        snprintf(out.text, sizeof(out.text), "%" PRIu64 "%s", number,
                 unit && strcmp(unit, "per_s") == 0 ? "/s" : "");
    return out;
}

static json_t *axis_json(const struct study *study, uint32_t axis)
{
    json_t *object = scenario_keys_json(&scenario_keys_axis, &study->axes[axis], 0);
    json_t *values = json_array();

    for (uint32_t i = 0; i < study->axes[axis].count; i++)
        json_array_append_new(values, json_string(study_text(study, axis, i)));
    json_object_set_new(object, "values", values);
    return object;
}

json_t *study_json(const struct study *study)
{
    json_t *object = scenario_json(&study->first), *sweep = json_object(), *expect = json_array();

    for (uint32_t i = 0; i < study->axis_count; i++)
        json_object_set_new(sweep, study->axes[i].name, axis_json(study, i));
    for (uint32_t i = 0; i < study->expect_count; i++)
        json_array_append_new(expect,
                              scenario_keys_json(&scenario_keys_expect, &study->expects[i], 0));
    if (study->first.steps)
        json_object_set_new(object, "steps", steps_json(&study->yaml));
    if (study->axis_count > 0)
        json_object_set(object, "sweep", sweep);
    if (study->repeat_count > 1)
        json_object_set_new(object, "repeat", scenario_keys_json(&scenario_keys_repeat, study, 0));
    if (study->expect_count > 0)
        json_object_set(object, "expect", expect);
    json_decref(sweep);
    json_decref(expect);
    return object;
}
