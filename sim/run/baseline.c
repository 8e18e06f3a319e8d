/* Results kept on purpose. See baseline.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/baseline.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static bool any_failed(const json_t *result)
{
    json_t *point, *repeat;
    size_t p, r;

    json_array_foreach(json_object_get(result, "points"), p, point) json_array_foreach(
        json_object_get(point, "repeats"), r,
        repeat) if (json_integer_value(json_object_get(repeat, "code")) != 0) return true;
    return json_array_size(json_object_get(result, "errors")) > 0;
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

static int error_of(int problem)
{
    return problem > 0 ? -problem : -EIO;
}

int baseline_write(const json_t *baseline, const char *path)
{
    char temporary[4200];
    int ret = 0;

    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid()) >=
        sizeof(temporary))
        return -ENAMETOOLONG;
    FILE *file = fopen(temporary, "wx");
    if (!file)
        return error_of(errno);
    errno = 0;
    if (json_dumpf(baseline, file, JSON_INDENT(1) | JSON_SORT_KEYS) != 0 ||
        fputc('\n', file) == EOF || fflush(file) != 0 || fsync(fileno(file)) != 0)
        ret = error_of(errno);
    if (fclose(file) != 0 && ret == 0)
        ret = error_of(errno);
    if (ret == 0 && rename(temporary, path) != 0)
        ret = error_of(errno);
    if (ret != 0)
        unlink(temporary);
    return ret;
}
