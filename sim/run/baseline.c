/* Results kept on purpose. See baseline.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/baseline.h"

#include "sim/run/render_common.h"

#include <assert.h>
#include <string.h>

/* The first expectation that was not met, or NULL. */
static const char *unmet(const json_t *result)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(result, "expectations"), i, one)
    {
        const char *met = json_string_value(json_object_get(one, "result"));
        const char *name = json_string_value(json_object_get(one, "name"));
        if (!met || strcmp(met, "pass") != 0)
            return name ? name : "(without a name)";
    }
    return NULL;
}

/* Whether an error that was awaited is why a run has the code of one that failed. */
static bool is_awaited(const json_t *result, const json_t *point, const json_t *repeat)
{
    json_t *error;
    size_t i;

    json_array_foreach(json_object_get(result, "errors"), i, error)
    {
        if (json_equal(json_object_get(error, "point"), json_object_get(point, "id")) &&
            json_equal(json_object_get(error, "repeat"), json_object_get(repeat, "i")))
            return render_awaited(error); /* one that was not is found by itself */
    }
    return false;
}

/* Whether there is an error that nobody awaits, or a run that failed without one that somebody did.
 */
static bool any_failed(const json_t *result)
{
    json_t *point, *repeat, *error;
    size_t p, r, i;

    json_array_foreach(json_object_get(result, "errors"), i, error)
    {
        if (!render_awaited(error))
            return true;
    }
    json_array_foreach(json_object_get(result, "points"), p, point)
    {
        json_array_foreach(json_object_get(point, "repeats"), r, repeat)
        {
            if (json_integer_value(json_object_get(repeat, "code")) != 0 &&
                !is_awaited(result, point, repeat))
                return true;
        }
    }
    return false;
}

bool baseline_worthy(const json_t *result, struct compare_refusal *refusal)
{
    const char *file = json_string_value(json_object_get(result, "file"));

    if (!json_is_true(json_object_get(result, "complete")))
        compare_refuse(refusal, "E0825", "%s is incomplete: its run was cut short", file);
    else if (any_failed(result))
        compare_refuse(refusal, "E0825", "%s has failed runs", file);
    else if (unmet(result))
        compare_refuse(refusal, "E0825", "%s does not meet the expectation '%s'", file,
                       unmet(result));
    else
        return true;
    return false;
}

static void strip_repeat(json_t *repeat)
{
    json_t *metric;
    const char *name;

    json_object_del(repeat, "wall_ns");
    json_object_del(repeat, "timeline");
    json_object_foreach(json_object_get(repeat, "metrics"), name, metric)
        json_object_del(metric, "hdr_v2");
}

json_t *baseline_of(const json_t *result)
{
    json_t *baseline = json_deep_copy(result), *point, *repeat;
    size_t p, r;

    assert(baseline && "out of memory");
    json_object_del(baseline, "file");
    json_object_del(json_object_get(baseline, "host"), "load_1m_milli");
    if (strcmp(json_string_value(json_object_get(result, "mode")), "virtual") != 0)
        return baseline;
    json_object_del(baseline, "host");
    json_array_foreach(json_object_get(baseline, "points"), p, point)
        json_array_foreach(json_object_get(point, "repeats"), r, repeat) strip_repeat(repeat);
    return baseline;
}
