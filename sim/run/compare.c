/*
 * Whether two results can be compared, what differs around them, and the order of what is found.
 * See compare.h.
 */
#include "sim/run/compare_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED = 12 }; /* lines of a refusal */

void compare_set(json_t *object, const char *key, json_t *value)
{
    int ret = json_object_set_new(object, key, value);

    assert(ret == 0 && "out of memory");
    (void)ret;
}

static void append(json_t *array, json_t *value)
{
    int ret = json_array_append_new(array, value);

    assert(ret == 0 && "out of memory");
    (void)ret;
}

/* ---- what is not the same ---- */

static void add_leaf(json_t *into, const char *path, const json_t *a, const json_t *b)
{
    append(into, json_pack("{s:s, s:O?, s:O?}", "path", path, "a", a, "b", b));
}

static const char *name_of(const json_t *element)
{
    return json_string_value(json_object_get(element, "name"));
}

/* The element of the same name, or of the same place if it has none. */
static json_t *partner(const json_t *array, size_t place, const json_t *element)
{
    json_t *other;
    size_t i;

    if (!name_of(element))
        return json_array_get(array, place);
    json_array_foreach(array, i,
                       other) if (name_of(other) &&
                                  strcmp(name_of(other), name_of(element)) == 0) return other;
    return NULL;
}

static void compare_below(json_t *into, const char *path, const char *key, const json_t *sides[2])
{
    json_t *below = path[0] ? json_sprintf("%s.%s", path, key) : json_string(key);

    compare_tree(into, json_string_value(below), sides[0], sides[1]);
    json_decref(below);
}

static void compare_element(json_t *into, const char *path, size_t i, const json_t *sides[2])
{
    const char *name = name_of(sides[0] ? sides[0] : sides[1]);
    json_t *key = name ? json_string(name) : json_sprintf("%d", (int)i);

    compare_below(into, path, json_string_value(key), sides);
    json_decref(key);
}

static void compare_arrays(json_t *into, const char *path, const json_t *a, const json_t *b)
{
    json_t *element;
    size_t i;

    json_array_foreach(a, i, element)
        compare_element(into, path, i, (const json_t *[2]){element, partner(b, i, element)});
    json_array_foreach(b, i, element) if (!partner(a, i, element))
        compare_element(into, path, i, (const json_t *[2]){NULL, element});
}

void compare_tree(json_t *into, const char *path, const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    a = json_is_null(a) ? NULL : a; /* what is null is not there */
    b = json_is_null(b) ? NULL : b;
    if (a == b || json_equal(a, b))
        return;
    if ((json_is_array(a) && (!b || json_is_array(b))) || (!a && json_is_array(b))) {
        compare_arrays(into, path, a, b);
        return;
    }
    if (!((json_is_object(a) && (!b || json_is_object(b))) || (!a && json_is_object(b)))) {
        add_leaf(into, path, a, b);
        return;
    }
    json_object_foreach((json_t *)a, key, value)
        compare_below(into, path, key, (const json_t *[2]){value, json_object_get(b, key)});
    json_object_foreach((json_t *)b, key, value) if (!json_object_get(a, key))
        compare_below(into, path, key, (const json_t *[2]){NULL, value});
}

/* ---- points and rows ---- */

static struct compare_pair pair_of(const json_t *a, const json_t *b)
{
    return (struct compare_pair){.a = a,
                                 .b = b,
                                 .id = json_object_get(a ? a : b, "id"),
                                 .axes = json_object_get(a ? a : b, "axes")};
}

void compare_each_point(const json_t *a, const json_t *b,
                        void (*each)(void *self, const struct compare_pair *pair), void *self)
{
    json_t *point;
    size_t i;

    json_array_foreach(json_object_get(a, "points"), i, point)
    {
        struct compare_pair pair =
            pair_of(point, compare_point_like(b, json_object_get(point, "axes")));
        each(self, &pair);
    }
    json_array_foreach(json_object_get(b, "points"), i, point)
    {
        struct compare_pair pair = pair_of(NULL, point);
        if (!compare_point_like(a, json_object_get(point, "axes")))
            each(self, &pair);
    }
}

json_t *compare_add_row(json_t *rows, const struct compare_pair *pair, const char *name)
{
    append(rows, json_pack("{s:O?, s:O?, s:s}", "point", pair ? pair->id : NULL, "axes",
                           pair ? pair->axes : NULL, "name", name));
    return json_array_get(rows, json_array_size(rows) - 1);
}

int64_t compare_change_ppm(uint64_t from, uint64_t to)
{
    if (from == 0 && to > 0)
        return INT64_MAX;
    return (int64_t)stats_ratio_ppm(from, to) - STATS_PPM;
}

static bool reads(const json_t *value, const char *word)
{
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

/* Both sides have a number that is not negative. */
static bool has_numbers(const json_t *a, const json_t *b)
{
    return json_is_integer(a) && json_is_integer(b) && json_integer_value(a) >= 0 &&
           json_integer_value(b) >= 0;
}

void compare_judge(json_t *row)
{
    const json_t *a = json_object_get(row, "a"), *b = json_object_get(row, "b");
    int better = compare_direction(json_string_value(json_object_get(row, "name")));
    json_int_t from = json_integer_value(a), to = json_integer_value(b);
    const char *verdict = "different";
    json_t *change = json_null();

    if (has_numbers(a, b)) {
        if (better != 0 && from != to)
            verdict = (to > from) == (better > 0) ? "better" : "worse";
        if (from > 0)
            change = json_integer(compare_change_ppm((uint64_t)from, (uint64_t)to));
    } else if (reads(a, "pass") || reads(b, "pass")) { /* an expectation */
        verdict = reads(a, "pass") ? "worse" : "better";
    }
    compare_set(row, "verdict", json_string(verdict));
    compare_set(row, "change_ppm", change);
}

/* ---- order ---- */

static int rank_of(const char *verdict)
{
    static const char *const order[] = {"worse", "better", "inconclusive", "different", "same"};
    int rank = 0;

    while (rank < 4 && strcmp(order[rank], verdict) != 0)
        rank++;
    return rank;
}

/* Without a ratio, from nothing to something, is the most. */
static uint64_t size_of_change(const json_t *row)
{
    const json_t *change = json_object_get(row, "change_ppm");
    json_int_t ppm = json_integer_value(change);

    if (!json_is_integer(change))
        return UINT64_MAX;
    return (uint64_t)(ppm < 0 ? -ppm : ppm);
}

struct entry {
    json_t *row;
    size_t place; /* before; decides where nothing else does */
};

/* What failed is before everything else. */
static int class_of(const json_t *row)
{
    if (json_is_true(json_object_get(row, "first")))
        return -1;
    return rank_of(json_string_value(json_object_get(row, "verdict")));
}

static int by_relevance(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int class_a = class_of(a->row), class_b = class_of(b->row);
    uint64_t size_a = size_of_change(a->row), size_b = size_of_change(b->row);

    if (class_a != class_b)
        return class_a < class_b ? -1 : 1;
    if (size_a != size_b && class_a >= 0)
        return size_a > size_b ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

static void sort_rows(json_t *comparison)
{
    json_t *rows = json_object_get(comparison, "rows"), *sorted = json_array();
    size_t count = json_array_size(rows);
    struct entry *entries = calloc(count + 1, sizeof(*entries));

    assert(entries && sorted);
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct entry){json_array_get(rows, i), i};
    qsort(entries, count, sizeof(*entries), by_relevance);
    for (size_t i = 0; i < count; i++) {
        json_object_del(entries[i].row, "first");
        json_array_append(sorted, entries[i].row);
    }
    free(entries);
    compare_set(comparison, "rows", sorted);
}

static void count_rows(json_t *comparison)
{
    json_t *counts = json_pack("{s:i, s:i, s:i, s:i, s:i}", "worse", 0, "better", 0, "inconclusive",
                               0, "different", 0, "same", 0);
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(comparison, "rows"), i, row)
    {
        const char *verdict = json_string_value(json_object_get(row, "verdict"));
        json_int_t count = json_integer_value(json_object_get(counts, verdict));
        compare_set(counts, verdict, json_integer(count + 1));
    }
    compare_set(comparison, "counts", counts);
}

static const char *sum_up(const json_t *comparison)
{
    static const char *const order[] = {"worse", "better", "inconclusive"};
    const json_t *counts = json_object_get(comparison, "counts");

    if (strcmp(json_string_value(json_object_get(comparison, "mode")), "virtual") == 0)
        return json_array_size(json_object_get(comparison, "rows")) > 0 ? "different" : "equal";
    for (size_t i = 0; i < 3; i++)
        if (json_integer_value(json_object_get(counts, order[i])) > 0)
            return order[i];
    return "same";
}

/* ---- what can be compared ---- */

/* The differences as lines, the first of them. */
static void refuse_with(struct compare_refusal *refusal, const char *code, const char *what,
                        const json_t *differences)
{
    size_t i, used;
    json_t *one;

    compare_refuse(refusal, code, "%s", what);
    json_array_foreach(differences, i, one)
    {
        char *a = json_dumps(json_object_get(one, "a"), JSON_ENCODE_ANY | JSON_COMPACT);
        char *b = json_dumps(json_object_get(one, "b"), JSON_ENCODE_ANY | JSON_COMPACT);
        used = strlen(refusal->why);
        if (i < LISTED)
            snprintf(refusal->why + used, sizeof(refusal->why) - used, "\n  %s: A %s, B %s",
                     json_string_value(json_object_get(one, "path")), a, b);
        free(a);
        free(b);
    }
}

/* What a machine is; its load changes. */
static json_t *host_differences(const json_t *a, const json_t *b)
{
    json_t *list = json_array(), *hosts[2];

    hosts[0] = json_deep_copy(json_object_get(a, "host"));
    hosts[1] = json_deep_copy(json_object_get(b, "host"));
    for (int i = 0; i < 2; i++)
        json_object_del(hosts[i], "load_1m_milli");
    compare_tree(list, "", hosts[0], hosts[1]);
    json_decref(hosts[0]);
    json_decref(hosts[1]);
    return list;
}

static json_t *axis_names(const json_t *result)
{
    json_t *names = json_array(), *axis;
    size_t i;

    json_array_foreach(json_object_get(result, "axes"), i, axis)
        json_array_append(names, json_object_get(axis, "name"));
    return names;
}

static bool same_axes(const json_t *a, const json_t *b)
{
    json_t *names_a = axis_names(a), *names_b = axis_names(b);
    bool same = json_equal(names_a, names_b);

    json_decref(names_a);
    json_decref(names_b);
    return same;
}

static bool any_common_point(const json_t *a, const json_t *b)
{
    const json_t *point;
    size_t i;

    json_array_foreach(
        json_object_get(a, "points"), i,
        point) if (compare_point_like(b, json_object_get(point, "axes"))) return true;
    return false;
}

static bool is_complete(const json_t *result)
{
    return json_is_true(json_object_get(result, "complete"));
}

/* Fills `comparison` with what differs around the measurements; false: refused. */
static bool compatible(json_t *comparison, const json_t *a, const json_t *b,
                       const struct compare_options *options, struct compare_refusal *refusal)
{
    const char *mode_a = json_string_value(json_object_get(a, "mode"));
    const char *mode_b = json_string_value(json_object_get(b, "mode"));
    const json_t *scenario = json_object_get(comparison, "scenario");
    const json_t *host = json_object_get(comparison, "host");

    if (strcmp(mode_a, mode_b) != 0)
        compare_refuse(refusal, "E0821", "A is of mode '%s', B of mode '%s'", mode_a, mode_b);
    else if (!options->incomplete && !(is_complete(a) && is_complete(b)))
        compare_refuse(refusal, "E0823", "%s is incomplete: its run was cut short",
                       is_complete(a) ? "B" : "A");
    else if (!same_axes(a, b))
        refuse_with(refusal, "E0821",
                    "the sweeps have other axes; the scenarios differ:", scenario);
    else if (!any_common_point(a, b))
        refuse_with(refusal, "E0821",
                    "there is no point that both have; the scenarios differ:", scenario);
    else if (strcmp(mode_a, "emulated") == 0 && !options->any_host && json_array_size(host) > 0)
        refuse_with(refusal, "E0822",
                    "measured on different machines, or on one that has changed; "
                    "--allow-different-host compares nevertheless:",
                    host);
    else
        return true;
    return false;
}

static json_t *side_of(const json_t *result)
{
    const json_t *scenario = json_object_get(result, "scenario");
    const json_t *resolved = json_object_get(scenario, "resolved");

    return json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?}", "file", json_object_get(result, "file"),
                     "scenario", json_object_get(resolved, "name"), "xxh3",
                     json_object_get(scenario, "xxh3"), "seed", json_object_get(result, "seed"),
                     "tool", json_object_get(result, "tool"));
}

json_t *compare_results(const json_t *a, const json_t *b, const struct compare_options *options,
                        struct compare_refusal *refusal)
{
    json_t *scenario = json_array();
    json_t *comparison = json_pack("{s:s, s:O, s:o, s:o, s:o, s:o, s:[], s:{}, s:[]}", "schema",
                                   "xensock/comparison/1", "mode", json_object_get(a, "mode"), "a",
                                   side_of(a), "b", side_of(b), "scenario", scenario, "host",
                                   host_differences(a, b), "notes", "settings", "rows");

    assert(comparison);
    compare_tree(scenario, "", json_object_get(json_object_get(a, "scenario"), "resolved"),
                 json_object_get(json_object_get(b, "scenario"), "resolved"));
    if (!compatible(comparison, a, b, options, refusal)) {
        json_decref(comparison);
        return NULL;
    }
    if (strcmp(json_string_value(json_object_get(a, "mode")), "virtual") == 0)
        compare_virtual(comparison, a, b, options);
    else
        compare_emulated(comparison, a, b, options);
    sort_rows(comparison);
    count_rows(comparison);
    compare_set(comparison, "verdict", json_string(sum_up(comparison)));
    return comparison;
}

const char *compare_verdict(const json_t *comparison)
{
    return json_string_value(json_object_get(comparison, "verdict"));
}

bool compare_is_bad(const json_t *comparison)
{
    return strcmp(compare_verdict(comparison), "different") == 0 ||
           strcmp(compare_verdict(comparison), "worse") == 0;
}
