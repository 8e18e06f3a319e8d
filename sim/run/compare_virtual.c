/*
 * Results of virtual time: whatever differs, by point, repeat and name. See compare.h.
 *
 * Not compared: the time the host took, histograms beyond their percentiles and time lines (whose
 * events the trace's hash names all), and the tool's version.
 */
#include "sim/run/compare_private.h"

#include <assert.h>
#include <string.h>

struct virtual_comparison {
    json_t *rows;
    const struct compare_options *options;
};

/* What of a repeat is a function of program, scenario and seed. */
static json_t *exact_part(const json_t *repeat)
{
    static const char *const kept[] = {"seed",   "code",  "metrics",    "counters",
                                       "faults", "trace", "virtual_ns", "cost_model"};
    json_t *part = json_object(), *metric, *copy;
    const char *name;

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (json_object_get(repeat, kept[i]))
            compare_set(part, kept[i], json_deep_copy(json_object_get(repeat, kept[i])));
    copy = json_object_get(part, "metrics");
    json_object_foreach(copy, name, metric)
    {
        json_object_del(metric, "hdr_v2");
        json_object_del(metric, "unit");
    }
    json_t *values = compare_values(repeat), *derived = json_object();
    json_object_foreach(values, name, metric) if (strstr(name, "_per_"))
        compare_set(derived, name, json_incref(json_object_get(metric, "value")));
    compare_set(part, "derived", derived);
    json_decref(values);
    return part;
}

/* "metrics.throughput.bulk.value" is the value of the metric throughput.bulk. */
static json_t *short_name(const char *path)
{
    static const char *const prefixes[] = {"metrics.", "counters.", "derived."};
    static const char *const ends[] = {".value", ".result"};
    size_t length;

    for (size_t i = 0; i < 3; i++)
        if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0) {
            path += strlen(prefixes[i]);
            break;
        }
    length = strlen(path);
    for (size_t i = 0; i < 2; i++) {
        size_t end = strlen(ends[i]);
        if (length > end && strcmp(path + length - end, ends[i]) == 0)
            length -= end;
    }
    return json_stringn(path, length);
}

/* Turns a list of compare_tree into rows; `repeat` may be NULL. */
static void add_rows(const struct virtual_comparison *self, const struct compare_pair *pair,
                     const json_t *repeat, const json_t *differences)
{
    json_t *one;
    size_t i;

    json_array_foreach(differences, i, one)
    {
        const char *path = json_string_value(json_object_get(one, "path"));
        json_t *name = short_name(path);
        /* that a run failed, or what is expected of it, is no metric to choose from */
        bool first = strcmp(path, "code") == 0 || strncmp(path, "expectations", 12) == 0;
        if (first || compare_wants(self->options, json_string_value(name))) {
            json_t *row = compare_add_row(self->rows, pair, json_string_value(name));
            compare_set(row, "repeat", repeat ? json_incref((json_t *)repeat) : json_null());
            compare_set(row, "a", json_incref(json_object_get(one, "a")));
            compare_set(row, "b", json_incref(json_object_get(one, "b")));
            compare_judge(row);
            if (first)
                compare_set(row, "first", json_true());
        }
        json_decref(name);
    }
}

static const json_t *repeat_like(const json_t *point, const json_t *number)
{
    json_t *repeat;
    size_t i;

    json_array_foreach(json_object_get(point, "repeats"), i,
                       repeat) if (json_equal(json_object_get(repeat, "i"), number)) return repeat;
    return NULL;
}

/* A point or a repeat that one side alone has is one difference. */
static void add_missing(const struct virtual_comparison *self, const struct compare_pair *pair,
                        const json_t *repeat, bool in_a)
{
    const char *name = repeat ? "repeat" : "point";
    json_t *row = compare_add_row(self->rows, pair, name);

    compare_set(row, "repeat", repeat ? json_incref((json_t *)repeat) : json_null());
    compare_set(row, "a", json_string(in_a ? "present" : "absent"));
    compare_set(row, "b", json_string(in_a ? "absent" : "present"));
    compare_judge(row);
    compare_set(row, "first", json_true());
}

static void compare_repeats(const struct virtual_comparison *self, const struct compare_pair *pair,
                            const json_t *a, const json_t *b)
{
    json_t *parts[2] = {exact_part(a), exact_part(b)}, *differences = json_array();

    assert(differences);
    compare_tree(differences, "", parts[0], parts[1]);
    add_rows(self, pair, json_object_get(a, "i"), differences);
    json_decref(differences);
    json_decref(parts[0]);
    json_decref(parts[1]);
}

static void each_point(void *context, const struct compare_pair *pair)
{
    const struct virtual_comparison *self = context;
    json_t *repeat;
    size_t i;

    if (!pair->a || !pair->b) {
        add_missing(self, pair, NULL, pair->a != NULL);
        return;
    }
    json_array_foreach(json_object_get(pair->a, "repeats"), i, repeat)
    {
        const json_t *other = repeat_like(pair->b, json_object_get(repeat, "i"));
        if (other)
            compare_repeats(self, pair, repeat, other);
        else
            add_missing(self, pair, json_object_get(repeat, "i"), true);
    }
    json_array_foreach(json_object_get(pair->b, "repeats"), i,
                       repeat) if (!repeat_like(pair->a, json_object_get(repeat, "i")))
        add_missing(self, pair, json_object_get(repeat, "i"), false);
}

/* By point: whether it was met, and how many repeats did not. */
static json_t *cases_of(const json_t *expectation)
{
    json_t *cases = json_object(), *one;
    size_t i;

    json_array_foreach(json_object_get(expectation, "cases"), i, one)
    {
        json_t *key =
            json_sprintf("point %d", (int)json_integer_value(json_object_get(one, "point")));
        if (json_is_integer(json_object_get(one, "point")))
            compare_set(cases, json_string_value(key),
                        json_pack("{s:O?, s:O?}", "result", json_object_get(one, "result"),
                                  "failed", json_object_get(one, "failed")));
        json_decref(key);
    }
    return cases;
}

/* By name. What was measured is compared as such, and where it stands is not a result. */
static json_t *verdicts_of(const json_t *result)
{
    json_t *verdicts = json_object(), *one;
    size_t i;

    json_array_foreach(json_object_get(result, "expectations"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name)
            compare_set(verdicts, name,
                        json_pack("{s:O?, s:o}", "result", json_object_get(one, "result"), "cases",
                                  cases_of(one)));
    }
    return verdicts;
}

void compare_virtual(json_t *comparison, const json_t *a, const json_t *b,
                     const struct compare_options *options)
{
    struct virtual_comparison self = {json_object_get(comparison, "rows"), options};
    json_t *verdicts[2] = {verdicts_of(a), verdicts_of(b)}, *differences = json_array();

    compare_tree(differences, "expectations", verdicts[0], verdicts[1]);
    add_rows(&self, NULL, NULL, differences);
    json_decref(differences);
    json_decref(verdicts[0]);
    json_decref(verdicts[1]);
    compare_each_point(a, b, each_point, &self);
}
