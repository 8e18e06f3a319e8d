/*
 * Reading results to compare: one file, or a directory of several runs of one scenario. See
 * compare.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/compare_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void compare_refuse(struct compare_refusal *refusal, const char *code, const char *format, ...)
{
    va_list list;

    refusal->code = code;
    va_start(list, format);
    vsnprintf(refusal->why, sizeof(refusal->why), format, list);
    va_end(list);
}

/* A repeat says how it ended; one of a tool that did not is judged by the errors beside it. */
static void complete_repeats(json_t *result)
{
    const json_t *errors = json_object_get(result, "errors");
    json_t *point, *repeat;
    size_t p, r;

    json_array_foreach(json_object_get(result, "points"), p, point) json_array_foreach(
        json_object_get(point, "repeats"), r, repeat) if (!json_object_get(repeat, "code"))
        compare_set(repeat, "code", json_integer(json_array_size(errors) > 0 ? 1 : 0));
}

/* What everything else takes for granted. */
static const char *missing_of(const json_t *result)
{
    const char *schema = json_string_value(json_object_get(result, "schema"));
    const json_t *point, *repeat;
    size_t i, k;

    if (!schema || strcmp(schema, "xensock/result/1") != 0)
        return "'schema' is not xensock/result/1";
    if (!json_is_string(json_object_get(result, "mode")))
        return "it has no 'mode': nothing was run";
    if (!json_is_object(json_object_get(result, "scenario")))
        return "it has no 'scenario'";
    if (json_array_size(json_object_get(result, "points")) == 0)
        return "it has no 'points'";
    json_array_foreach(json_object_get(result, "points"), i, point)
    {
        if (!json_is_array(json_object_get(point, "repeats")))
            return "a point has no 'repeats'";
        json_array_foreach(
            json_object_get(point, "repeats"), k,
            repeat) if (!json_is_object(repeat)) return "one of 'repeats' is no object";
    }
    return NULL;
}

static json_t *load_file(const char *path, struct compare_refusal *refusal)
{
    json_error_t error;
    FILE *file = fopen(path, "r");
    const char *missing;

    if (!file) {
        compare_refuse(refusal, "E0820", "%s: %s", path, strerror(errno));
        return NULL;
    }
    json_t *result = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    fclose(file);
    if (!result) {
        compare_refuse(refusal, "E0820", "%s:%d:%d: not JSON: %s", path, error.line, error.column,
                       error.text);
        return NULL;
    }
    missing = missing_of(result);
    if (missing) {
        compare_refuse(refusal, "E0820", "%s: not a result of xensock run: %s", path, missing);
        json_decref(result);
        return NULL;
    }
    complete_repeats(result);
    return result;
}

/* ---- several ---- */

static int natural(const struct dirent **a, const struct dirent **b)
{
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

json_t *compare_point_like(const json_t *result, const json_t *axes)
{
    json_t *point;
    size_t i;

    json_array_foreach(json_object_get(result, "points"), i,
                       point) if (json_equal(json_object_get(point, "axes"), axes)) return point;
    return NULL;
}

/* Puts the repeats of `more` behind those of `result`. */
static void join(json_t *result, const json_t *more)
{
    json_t *points = json_object_get(result, "points"), *point, *repeat;
    size_t i, r;

    json_array_foreach(json_object_get(more, "points"), i, point)
    {
        json_t *like = compare_point_like(result, json_object_get(point, "axes"));
        json_t *repeats = json_object_get(like, "repeats");
        if (!like)
            json_array_append(points, point);
        json_array_foreach(like ? json_object_get(point, "repeats") : NULL, r, repeat)
        {
            compare_set(repeat, "i", json_integer((json_int_t)json_array_size(repeats)));
            json_array_append(repeats, repeat);
        }
    }
    json_array_extend(json_object_get(result, "errors"), json_object_get(more, "errors"));
    if (!json_is_true(json_object_get(more, "complete")))
        compare_set(result, "complete", json_false());
}

/* But for its load. */
static bool same_host(const json_t *a, const json_t *b)
{
    json_t *ours = json_copy((json_t *)a), *theirs = json_copy((json_t *)b);

    json_object_del(ours, "load_1m_milli");
    json_object_del(theirs, "load_1m_milli");
    bool same = (!ours && !theirs) || json_equal(ours, theirs);
    json_decref(ours);
    json_decref(theirs);
    return same;
}

static bool belongs(const json_t *result, const json_t *more, const char *path,
                    struct compare_refusal *refusal)
{
    static const char *const same[] = {"mode", "scenario"};

    if (strcmp(json_string_value(json_object_get(result, "mode")), "emulated") == 0 &&
        !same_host(json_object_get(result, "host"), json_object_get(more, "host"))) {
        compare_refuse(refusal, "E0821", "%s: of another host than the results beside it", path);
        return false;
    }
    for (size_t i = 0; i < 2; i++)
        if (!json_equal(json_object_get(result, same[i]), json_object_get(more, same[i]))) {
            compare_refuse(refusal, "E0821", "%s: of another %s than the results beside it", path,
                           same[i]);
            return false;
        }
    return true;
}

/* Joins the result in `path`, if there is one; false: refused. */
static bool add_file(json_t **result, const char *path, struct compare_refusal *refusal)
{
    json_t *more;
    bool good = true;

    if (access(path, F_OK) != 0)
        return true;
    more = load_file(path, refusal);
    if (!more || !*result) {
        *result = more ? more : *result;
        return more != NULL;
    }
    good = belongs(*result, more, path, refusal);
    if (good)
        join(*result, more);
    json_decref(more);
    return good;
}

static json_t *load_directory(const char *path, struct compare_refusal *refusal)
{
    struct dirent **entries;
    json_t *result = NULL;
    bool good = true;
    int count = scandir(path, &entries, is_entry, natural);

    for (int i = 0; i < count; i++) {
        char file[4200];
        snprintf(file, sizeof(file), "%s/%s/result.json", path, entries[i]->d_name);
        good = good && add_file(&result, file, refusal);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    if (good && !result)
        compare_refuse(refusal, "E0820",
                       "%s: there is no result.json in it, nor in the directories in it", path);
    if (good)
        return result;
    json_decref(result);
    return NULL;
}

static bool too_many(const json_t *result)
{
    json_t *point;
    size_t i;

    json_array_foreach(json_object_get(result, "points"), i, point)
    {
        if (json_array_size(json_object_get(point, "repeats")) > STATS_COUNT_MOST)
            return true;
    }
    return false;
}

json_t *compare_load(const char *path, struct compare_refusal *refusal)
{
    struct stat info;
    char file[4200];
    json_t *result;

    snprintf(file, sizeof(file), "%s/result.json", path);
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        result = load_file(path, refusal);
    else if (access(file, F_OK) == 0)
        result = load_file(file, refusal);
    else
        result = load_directory(path, refusal);
    if (result && too_many(result)) {
        compare_refuse(refusal, "E0820", "%s: a point has more than %d repeats", path,
                       STATS_COUNT_MOST);
        json_decref(result);
        result = NULL;
    }
    if (result) {
        json_t *name = json_string(path);
        compare_set(result, "file", name ? name : json_string("(a name that is not UTF-8)"));
    }
    return result;
}
