/*
 * See render_markdown.h. Texts of the result are escaped as entities, so that none of them can be
 * Markdown, HTML, a cell's end or somebody's name; in a block of code, where entities are none, the
 * fence is longer than any within.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/render_markdown.h"

#include "sim/run/render_common.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 200,
    COLUMNS_MAX = 10, /* of metrics */
    ERRORS_MAX = 50,
    NAME_BYTES = 128,
};

/* What is seldom looked for first stays in result.json. */
static const char *const shown[][2] = {
    {"throughput.", ""}, {"latency.", ".p50"}, {"latency.", ".p99"}, {"recovery.", ""}};

struct columns {
    char names[COLUMNS_MAX][NAME_BYTES];
    uint32_t count, left_out;
};

static void put_text(FILE *file, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at <= ' ' || *at == 0x7f)
            fputc(' ', file);
        else if (strchr("&<>|`*_[]\\~#@!$:\"'", *at))
            fprintf(file, "&#%d;", *at);
        else
            fputc(*at, file);
    }
}

static void put_code(FILE *file, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        fputc((*at < ' ' && *at != '\n') || *at == 0x7f ? ' ' : *at, file);
}

/* ---- expectations ---- */

static void put_expectation(FILE *out, const json_t *result, const json_t *expectation,
                            const json_t *one)
{
    const struct render_sink sink = {out, put_text};
    const char *word = render_text(one, "result"), *that = render_text(expectation, "that");
    bool good = strcmp(word, "pass") == 0;

    fprintf(out, "| %s | ", good ? "pass" : strcmp(word, "fail") == 0 ? "**fail**" : "**unknown**");
    put_text(out, render_text(expectation, "name"));
    fputs(" | ", out);
    render_where(&sink, result, one);
    fputs(" | ", out);
    put_text(out, that);
    fputs(" | ", out);
    put_text(out, render_text(one, "measured"));
    fputs(" | ", out);
    put_text(out, render_text(one, "why"));
    fputs(" |\n", out);
}

/* Those that are not met first; how many of them there are. */
static uint32_t put_some(FILE *out, const json_t *result, bool met, uint32_t *rows)
{
    const json_t *expectation, *one;
    uint32_t count = 0;
    size_t i, j;

    json_array_foreach(json_object_get(result, "expectations"), i, expectation)
    {
        json_array_foreach(json_object_get(expectation, "cases"), j, one)
        {
            if ((strcmp(render_text(one, "result"), "pass") == 0) != met)
                continue;
            count++;
            if (++*rows <= ROWS_MAX)
                put_expectation(out, result, expectation, one);
        }
    }
    return count;
}

static void put_left_out(FILE *out, uint32_t rows, uint32_t most)
{
    if (rows > most)
        fprintf(out, "\n%" PRIu32 " more are in result.json.\n", rows - most);
}

static void put_expectations(FILE *out, const json_t *result)
{
    uint32_t rows = 0, unmet, met;

    if (json_array_size(json_object_get(result, "expectations")) == 0)
        return;
    fputs("\n### Expectations\n\n"
          "|   | name | point | expected | measured | why |\n|---|---|---|---|---|---|\n",
          out);
    unmet = put_some(out, result, false, &rows);
    met = put_some(out, result, true, &rows);
    put_left_out(out, rows, ROWS_MAX);
    fprintf(out, "\n%" PRIu32 " met, %" PRIu32 " not.\n", met, unmet);
}

/* ---- points ---- */

/* The n-th number of a point by its name in a summary, "latency.ask.p99"; false if it has none.
 * Without a summary it is that of the first repeat, where percentiles are fields. */
static bool find_number(const json_t *point, const char *name, const char **unit, uint64_t *value,
                        const json_t **interval)
{
    const json_t *entry = json_object_get(json_object_get(point, "summary"), name);
    const json_t *repeat = json_array_get(json_object_get(point, "repeats"), 0);
    const json_t *metrics = json_object_get(repeat, "metrics");
    const char *field = strrchr(name, '.');
    char metric[NAME_BYTES];

    *interval = json_object_get(entry, "ci95");
    *unit = render_text(entry, "unit");
    *value = render_number(entry, "median");
    if (entry)
        return true;
    entry = json_object_get(metrics, name);
    *value = render_number(entry, "value");
    if (!entry && field) {
        snprintf(metric, sizeof(metric), "%.*s", (int)(field - name), name);
        entry = json_object_get(metrics, metric);
        *value = render_number(entry, field + 1);
    }
    *unit = render_text(entry, "unit");
    return entry != NULL;
}

static void add_column(struct columns *columns, const char *name)
{
    for (uint32_t i = 0; i < columns->count; i++)
        if (strcmp(columns->names[i], name) == 0)
            return;
    if (columns->count < COLUMNS_MAX && strlen(name) < NAME_BYTES)
        strcpy(columns->names[columns->count++], name);
    else
        columns->left_out++;
}

/* The columns that a point's first repeat asks for. */
static void add_columns(struct columns *columns, const json_t *point)
{
    const json_t *repeat = json_array_get(json_object_get(point, "repeats"), 0);
    const char *metric;
    json_t *value;

    json_object_foreach(json_object_get(repeat, "metrics"), metric, value)
    {
        for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
            char name[2 * NAME_BYTES];
            if (strncmp(metric, shown[i][0], strlen(shown[i][0])) != 0 ||
                strlen(metric) >= NAME_BYTES)
                continue;
            snprintf(name, sizeof(name), "%s%s", metric, shown[i][1]);
            add_column(columns, name);
        }
    }
}

static void put_cell(FILE *out, const json_t *point, const char *name)
{
    const struct render_sink sink = {out, put_text};
    const json_t *interval;
    const char *unit;
    uint64_t value;

    fputs(" ", out);
    if (find_number(point, name, &unit, &value, &interval))
        render_quantity(&sink, unit, value);
    if (json_array_size(interval) == 2) {
        json_int_t low = json_integer_value(json_array_get(interval, 0));
        json_int_t high = json_integer_value(json_array_get(interval, 1));
        fputs(" (", out);
        render_quantity(&sink, unit, low > 0 ? (uint64_t)low : 0);
        fputs("&#8211;", out);
        render_quantity(&sink, unit, high > 0 ? (uint64_t)high : 0);
        fputs(")", out);
    }
    fputs(" |", out);
}

static void put_heads(FILE *out, const json_t *axes, const struct columns *columns)
{
    const json_t *axis;
    size_t i;

    fputs("\n### Points\n\n|", out);
    json_array_foreach(axes, i, axis)
    {
        fputs(" ", out);
        put_text(out, render_text(axis, "name"));
        fputs(" |", out);
    }
    fputs(" runs |", out);
    for (i = 0; i < columns->count; i++) {
        fputs(" ", out);
        put_text(out, columns->names[i]);
        fputs(" |", out);
    }
    fputs("\n|", out);
    for (i = 0; i < json_array_size(axes) + 1 + columns->count; i++)
        fputs("---|", out);
    fputs("\n", out);
}

static void put_point(FILE *out, const json_t *axes, const json_t *point,
                      const struct columns *columns)
{
    const struct render_sink sink = {out, put_text};
    const json_t *axis;
    size_t i;

    fputs("|", out);
    json_array_foreach(axes, i, axis)
    {
        fputs(" ", out);
        render_axis(&sink, axis, point);
        fputs(" |", out);
    }
    fprintf(out, " %zu |", json_array_size(json_object_get(point, "repeats")));
    for (i = 0; i < columns->count; i++)
        put_cell(out, point, columns->names[i]);
    fputs("\n", out);
}

static void put_points(FILE *out, const json_t *result)
{
    const json_t *points = json_object_get(result, "points");
    const json_t *axes = json_object_get(result, "axes"), *point;
    struct columns *columns = calloc(1, sizeof(*columns));
    size_t i;

    if (!columns || json_array_size(points) == 0) {
        free(columns);
        return;
    }
    json_array_foreach(points, i, point) add_columns(columns, point);
    put_heads(out, axes, columns);
    json_array_foreach(points, i, point) if (i < ROWS_MAX) put_point(out, axes, point, columns);
    put_left_out(out, (uint32_t)json_array_size(points), ROWS_MAX);
    if (render_number(json_object_get(result, "plan"), "repeats") > 1)
        fputs("\nMedians over repeats, and their 95&#8239;% intervals.\n", out);
    if (columns->left_out > 0)
        fputs("\nMore metrics are in result.json.\n", out);
    free(columns);
}

/* ---- the rest ---- */

static void put_errors(FILE *out, const json_t *result)
{
    const struct render_sink sink = {out, put_text};
    uint32_t count = 0;
    const json_t *error;
    size_t i;

    json_array_foreach(json_object_get(result, "errors"), i, error)
    {
        if (render_awaited(error))
            continue;
        fputs(count == 0 ? "\n### Errors\n\n" : "", out);
        if (++count > ERRORS_MAX)
            continue;
        fputs("- ", out);
        put_text(out, render_text(error, "code"));
        if (json_object_get(error, "point"))
            fputs(" ", out);
        render_where(&sink, result, error);
        fputs(": ", out);
        if (json_object_get(error, "line")) {
            put_text(out, render_text(error, "file"));
            fprintf(out, ":%" PRIu64 ": ", render_number(error, "line"));
        }
        put_text(out, render_text(error, "message"));
        fputs("\n", out);
    }
    put_left_out(out, count, ERRORS_MAX);
}

static void put_head(FILE *out, const json_t *result)
{
    static const char *const words[] = {"passed", "**failed**", "**incomplete**"};
    const json_t *points = json_object_get(result, "points"), *repeat;
    const json_t *plan = json_object_get(result, "plan");

    fputs("## ", out);
    put_text(out, render_name(result));
    fprintf(out, ": %s\n", words[render_verdict(result)]);
    if (json_array_size(points) == 0)
        return;
    repeat = json_array_get(json_object_get(json_array_get(points, 0), "repeats"), 0);
    fputs("\nMode ", out);
    put_text(out, render_text(result, "mode"));
    fprintf(out, ", seed %" PRIu64, render_number(result, "seed"));
    if (plan)
        fprintf(out, ", %" PRIu64 " points of %" PRIu64 " runs", render_number(plan, "points"),
                render_number(plan, "repeats"));
    if (json_array_size(points) == 1 && render_text(repeat, "trace")[0]) {
        fputs(", trace ", out);
        put_text(out, render_text(repeat, "trace"));
    }
    fputs(", xensock ", out);
    put_text(out, render_text(json_object_get(result, "tool"), "version"));
    fputs(".\n", out);
}

/* The longest run of backquotes. */
static size_t longest_fence(const char *text)
{
    size_t longest = 0;

    while (*text) {
        size_t run = strspn(text, "`");
        longest = run > longest ? run : longest;
        text += run > 0 ? run : 1;
    }
    return longest;
}

static void put_command(FILE *out, const json_t *result)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);

    if (!memory || !json_object_get(result, "scenario")) {
        if (memory)
            fclose(memory);
        free(text);
        return;
    }
    render_command(&(struct render_sink){memory, put_code}, result, NULL, NULL);
    if (fclose(memory) != 0) {
        free(text);
        return;
    }
    size_t fence = longest_fence(text) + 1;
    fence = fence < 3 ? 3 : fence;
    fputs("\n### Again\n\n", out);
    for (size_t i = 0; i < 2 * fence; i++) {
        fputc('`', out);
        if (i + 1 == fence)
            fprintf(out, "sh\n%s\n", text);
    }
    fputs("\n", out);
    free(text);
}

void render_markdown(FILE *out, const json_t *result)
{
    put_head(out, result);
    put_expectations(out, result);
    put_points(out, result);
    put_errors(out, result);
    put_command(out, result);
}
