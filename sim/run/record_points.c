/* See record_points.h. Reads the JSON alone; workloads beyond those that fit are left to the JSON.
 */
#include "sim/run/record_points.h"
#include "sim/run/grid.h"
#include "sim/run/study.h"
#include "sim/run/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum { CASES_SHOWN = 6, WORDS_BYTES = 512, COLUMNS_OF_METRICS = 40 };

/* A member of the summary, and how it is titled behind the workload's name. */
struct column {
    const char *kind, *member, *title;
    bool is_time;
};

static const struct column of_latency[] = {{"latency", ".p50", "p50", true},
                                           {"latency", ".p99", "p99", true}};
static const struct column of_throughput[] = {{"throughput", "", "throughput", false}};

static const json_t *summary_of(const json_t *point, const struct column *column, const char *name)
{
    char key[192];

    snprintf(key, sizeof(key), "%s.%s%s", column->kind, name, column->member);
    return json_object_get(json_object_get(point, "summary"), key);
}

static struct units_text number_words(const json_t *number, bool is_time)
{
    uint64_t value = (uint64_t)json_integer_value(number);

    return is_time ? units_format_latency(value) : units_format_rate(value);
}

/* "412 us [398, 430]" if all three have one unit, else each with its own. */
static void add_summary(json_t *row, const json_t *summary, bool is_time)
{
    const json_t *ci95 = json_object_get(summary, "ci95");
    struct units_text median = number_words(json_object_get(summary, "median"), is_time);
    struct units_text low = number_words(json_array_get(ci95, 0), is_time);
    struct units_text high = number_words(json_array_get(ci95, 1), is_time);
    const char *unit = strchr(median.text, ' ');
    char text[160] = "-";

    if (strcmp(strchr(low.text, ' '), unit) == 0 && strcmp(strchr(high.text, ' '), unit) == 0) {
        *strchr(low.text, ' ') = '\0';
        *strchr(high.text, ' ') = '\0';
    }
    if (summary && ci95)
        snprintf(text, sizeof(text), "%s [%s, %s]", median.text, low.text, high.text);
    else if (summary)
        snprintf(text, sizeof(text), "%s", median.text);
    grid_text(row, text);
}

/* Whether something has gone wrong at a point, or did not come out as expected: in a word or two,
 * of what is expected the first and how many more. */
static void add_outcome(json_t *row, const json_t *result, const json_t *point)
{
    json_int_t id = json_integer_value(json_object_get(point, "id"));
    size_t i, j, errors = 0, unmet = 0;
    json_t *one, *a_case;
    const char *first = "";
    char text[128] = "ok";

    json_array_foreach(json_object_get(result, "errors"), i, one)
    {
        const json_t *of = json_object_get(one, "point");
        errors +=
            of && json_integer_value(of) == id && !json_is_true(json_object_get(one, "expected"));
    }
    if (errors > 0)
        snprintf(text, sizeof(text), "%zu %s", errors, errors == 1 ? "error" : "errors");
    json_array_foreach(json_object_get(result, "expectations"), i, one)
    {
        json_array_foreach(json_object_get(one, "cases"), j, a_case)
        {
            const json_t *of = json_object_get(a_case, "point");
            const char *its = json_string_value(json_object_get(a_case, "result"));
            if (json_is_integer(of) && json_integer_value(of) == id && strcmp(its, "pass") != 0 &&
                unmet++ == 0)
                first = json_string_value(json_object_get(one, "name"));
        }
    }
    if (errors == 0 && unmet > 1)
        snprintf(text, sizeof(text), "FAIL %s +%zu", first, unmet - 1);
    else if (errors == 0 && unmet == 1)
        snprintf(text, sizeof(text), "FAIL %s", first);
    grid_text(row, text);
}

/* The names of workloads: as keys, in the order of the points that have them, which are not all
 * where runs fail; each with whether it has latencies. */
static json_t *workloads_of(const json_t *points)
{
    static const char prefix[] = "throughput.";
    json_t *names = json_object(), *point, *value;
    const char *key;
    size_t i;

    json_array_foreach(points, i, point)
    {
        json_object_foreach(json_object_get(point, "summary"), key, value)
        {
            const char *name = key + strlen(prefix);
            if (strncmp(key, prefix, strlen(prefix)) == 0 &&
                !json_is_true(json_object_get(names, name)))
                json_object_set_new(names, name,
                                    json_boolean(summary_of(point, &of_latency[0], name)));
        }
    }
    return names;
}

static const struct column *columns_of(const json_t *has_latency, size_t *count)
{
    bool latency = json_is_true(has_latency);

    *count = latency ? 2 : 1;
    return latency ? of_latency : of_throughput;
}

static json_t *titles(const json_t *result, json_t *names)
{
    json_t *grid = json_array(), *row = grid_row(grid, "point"), *one;
    const char *name;
    size_t i, count;

    json_array_foreach(json_object_get(result, "axes"), i, one)
        grid_text(row, json_string_value(json_object_get(one, "name")));
    json_object_foreach(names, name, one)
    {
        const struct column *columns = columns_of(one, &count);
        for (size_t c = 0; c < count && json_array_size(row) < COLUMNS_OF_METRICS; c++) {
            json_t *title = json_sprintf("%s %s", name, columns[c].title);
            json_array_append_new(row, title);
        }
    }
    grid_text(row, "result");
    return grid;
}

static void add_point(json_t *grid, const json_t *result, const json_t *point, json_t *names)
{
    const json_t *axes = json_object_get(point, "axes");
    const char *name;
    char id[24];
    size_t i, count;
    json_t *one;

    snprintf(id, sizeof(id), "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(point, "id")));
    json_t *row = grid_row(grid, id);
    json_array_foreach(json_object_get(result, "axes"), i, one)
    {
        const json_t *value =
            json_object_get(axes, json_string_value(json_object_get(one, "name")));
        grid_text(row,
                  study_value_words(value, json_string_value(json_object_get(one, "unit"))).text);
    }
    json_object_foreach(names, name, one)
    {
        const struct column *columns = columns_of(one, &count);
        for (size_t c = 0; c < count && json_array_size(row) < COLUMNS_OF_METRICS; c++)
            add_summary(row, summary_of(point, &columns[c], name), columns[c].is_time);
    }
    add_outcome(row, result, point);
}

void record_print_points(FILE *out, const json_t *result)
{
    const json_t *points = json_object_get(result, "points");
    json_t *names = workloads_of(points), *grid = titles(result, names), *point;
    size_t i;

    json_array_foreach(points, i, point) add_point(grid, result, point, names);
    grid_print(out, grid);
    json_decref(names);
}

void record_point_words(const json_t *result, const json_t *point, char *text, size_t bytes)
{
    const json_t *values = json_object_get(point, "axes");
    size_t i, used = 0;
    json_t *axis;

    text[0] = '\0';
    json_array_foreach(json_object_get(result, "axes"), i, axis)
    {
        const char *name = json_string_value(json_object_get(axis, "name"));
        const char *unit = json_string_value(json_object_get(axis, "unit"));
        if (used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, "%s%s=%s", i ? ", " : "", name,
                                     study_value_words(json_object_get(values, name), unit).text);
    }
}

static const json_t *point_of(const json_t *result, const json_t *id)
{
    size_t i;
    json_t *point;

    json_array_foreach(json_object_get(result, "points"), i, point)
    {
        if (json_equal(json_object_get(point, "id"), id))
            return point;
    }
    return NULL;
}

static void print_cases(FILE *out, const json_t *result, const json_t *expectation)
{
    const json_t *cases = json_object_get(expectation, "cases");
    char words[WORDS_BYTES];
    size_t i, shown = 0, bad = 0;
    json_t *one;

    json_array_foreach(cases, i, one)
    {
        const json_t *point = point_of(result, json_object_get(one, "point"));
        if (strcmp(json_string_value(json_object_get(one, "result")), "pass") == 0)
            continue;
        if (bad++ >= CASES_SHOWN)
            continue;
        shown++;
        record_point_words(result, point, words, sizeof(words));
        fprintf(out, "        %s%s%s\n", words, words[0] ? ": " : "",
                json_string_value(json_object_get(one, "why")));
    }
    if (bad > shown)
        fprintf(out, "        and %zu more\n", bad - shown);
}

void record_print_expectations(FILE *out, const json_t *result)
{
    const json_t *expectations = json_object_get(result, "expectations");
    size_t i;
    json_t *one;

    json_array_foreach(expectations, i, one)
    {
        const char *its = json_string_value(json_object_get(one, "result"));
        fprintf(out, "%-7s %s: %s\n",
                json_array_size(json_object_get(one, "cases")) == 0 ? "not run"
                : strcmp(its, "pass") == 0                          ? "ok"
                : strcmp(its, "fail") == 0                          ? "FAIL"
                                                                    : "UNKNOWN",
                json_string_value(json_object_get(one, "name")),
                json_string_value(json_object_get(one, "that")));
        print_cases(out, result, one);
    }
    if (json_array_size(expectations) > 0)
        fputc('\n', out);
}
