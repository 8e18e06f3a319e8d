/* See render_csv.h. */
#include "sim/run/render_csv.h"

#include "sim/run/render_common.h"

#include <string.h>

static const char *const before[] = {"point", "repeat"};
static const char *const behind[] = {"metric", "field", "unit", "value"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Where a row is: everything before its last four columns. */
struct row {
    FILE *out;
    const json_t *result, *point, *repeat;
};

static void put_field(FILE *out, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static bool is_taken(const char *name)
{
    for (size_t i = 0; i < COUNT(before); i++)
        if (strcmp(name, before[i]) == 0)
            return true;
    for (size_t i = 0; i < COUNT(behind); i++)
        if (strcmp(name, behind[i]) == 0)
            return true;
    return false;
}

static void put_header(FILE *out, const json_t *result)
{
    const json_t *axis;
    size_t i;

    for (i = 0; i < COUNT(before); i++)
        fprintf(out, "%s,", before[i]);
    json_array_foreach(json_object_get(result, "axes"), i, axis)
    {
        fputs(is_taken(render_text(axis, "name")) ? "axis." : "", out);
        put_field(out, render_text(axis, "name"));
        fputc(',', out);
    }
    for (i = 0; i < COUNT(behind); i++)
        fprintf(out, "%s%s", behind[i], i + 1 < COUNT(behind) ? "," : "\r\n");
}

static void put_axis(FILE *out, const json_t *value)
{
    if (json_is_integer(value))
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", out);
    else
        put_field(out, json_string_value(value) ? json_string_value(value) : "");
    fputc(',', out);
}

static void put_row(const struct row *row, const char *metric, const char *field, const char *unit,
                    const json_t *value)
{
    const json_t *axes = json_object_get(row->point, "axes"), *axis;
    size_t i;

    if (!json_is_integer(value))
        return;
    fprintf(row->out, "%" JSON_INTEGER_FORMAT ",%" JSON_INTEGER_FORMAT ",",
            json_integer_value(json_object_get(row->point, "id")),
            json_integer_value(json_object_get(row->repeat, "i")));
    json_array_foreach(json_object_get(row->result, "axes"), i, axis)
        put_axis(row->out, json_object_get(axes, render_text(axis, "name")));
    put_field(row->out, metric);
    fputc(',', row->out);
    put_field(row->out, field);
    fputc(',', row->out);
    put_field(row->out, unit);
    fprintf(row->out, ",%" JSON_INTEGER_FORMAT "\r\n", json_integer_value(value));
}

/* The unit that a name ends with: of a whole word of it. */
static const char *unit_of(const char *name)
{
    static const char *const units[][2] = {
        {"bytes_per_s", "bytes_per_s"}, {"per_s", "per_s"},    {"ns", "ns"}, {"bytes", "bytes"},
        {"bytes_in", "bytes"},          {"bytes_out", "bytes"}};
    size_t length = strlen(name);

    for (size_t i = 0; i < COUNT(units); i++) {
        size_t unit = strlen(units[i][0]);
        if (length > unit && strchr("_.", name[length - unit - 1]) &&
            strcmp(name + length - unit, units[i][0]) == 0)
            return units[i][1];
    }
    return "count";
}

/* Of a metric these are in its unit; its other numbers are counts. */
static bool is_in_unit(const char *field)
{
    static const char *const fields[] = {"value", "min", "p50", "p90",   "p99",
                                         "p99_9", "max", "sum", "least", "most"};

    for (size_t i = 0; i < COUNT(fields); i++)
        if (strcmp(field, fields[i]) == 0)
            return true;
    return false;
}

static void put_metric(const struct row *row, const char *name, const json_t *metric)
{
    const char *field;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)metric, field, value)
        put_row(row, name, field, is_in_unit(field) ? render_text(metric, "unit") : "count", value);
}

/* Each number of an object whose keys say their unit: of a process, or of a run. */
static void put_numbers(const struct row *row, const char *name, json_t *object)
{
    const char *field;
    json_t *value;

    json_object_foreach(object, field, value) if (strcmp(field, "i") != 0)
        put_row(row, name, field, unit_of(field), value);
}

static void put_run(const struct row *row)
{
    const json_t *process;
    const char *name;
    char text[256];
    json_t *entry;
    size_t i;

    put_numbers(row, "run", (json_t *)(uintptr_t)row->repeat);
    json_object_foreach(json_object_get(row->repeat, "metrics"), name, entry)
        put_metric(row, name, entry);
    json_object_foreach(json_object_get(row->repeat, "counters"), name, entry)
        put_row(row, name, "counter", unit_of(name), entry);
    json_array_foreach(json_object_get(row->repeat, "processes"), i, process)
    {
        snprintf(text, sizeof(text), "process.%s", render_text(process, "name"));
        put_numbers(row, text, (json_t *)(uintptr_t)process);
    }
}

void render_csv(FILE *out, const json_t *result)
{
    const json_t *point, *repeat;
    size_t i, j;

    put_header(out, result);
    json_array_foreach(json_object_get(result, "points"), i, point)
    {
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
            put_run(&(struct row){out, result, point, repeat});
    }
}
