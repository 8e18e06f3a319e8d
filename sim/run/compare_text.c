/*
 * A comparison for people: text in columns, or Markdown. See compare.h.
 *
 * Made from the JSON alone. Results of virtual time print to the last digit, since a difference of
 * one is a difference; others are rounded here, and only here.
 */
#include "sim/run/compare.h"
#include "sim/run/grid.h"
#include "sim/run/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_BYTES = 128, PLAIN_BYTES = 48 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* ---- cells ---- */

/* Whatever it is, on one line, and no longer than a line has room for. */
static void add_plain(json_t *row, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT), cut[CELL_BYTES];
    const char *plain = json_is_string(value) ? json_string_value(value) : text ? text : "?";
    size_t bytes = strlen(plain), end = PLAIN_BYTES;

    while (bytes > PLAIN_BYTES && ((uint8_t)plain[end] & 0xc0) == 0x80) /* within a character */
        end--;
    snprintf(cut, sizeof(cut), bytes > PLAIN_BYTES ? "%.*s..." : "%.*s", (int)end, plain);
    grid_text(row, !value || json_is_null(value) ? "-" : cut);
    free(text);
}

static void add_value(json_t *row, const json_t *value, const char *unit)
{
    uint64_t number = (uint64_t)json_integer_value(value);
    char text[CELL_BYTES];

    if (!json_is_integer(value)) {
        add_plain(row, value);
        return;
    }
    if (strcmp(unit, "ns") == 0)
        snprintf(text, sizeof(text), "%s", units_format_latency(number).text);
    else if (strcmp(unit, "bytes_per_s") == 0)
        snprintf(text, sizeof(text), "%s", units_format_rate(number).text);
    else if (strcmp(unit, "thousandths") == 0)
        snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64, number / 1000, number % 1000);
    else
        snprintf(text, sizeof(text), "%" PRIu64, number);
    grid_text(row, text);
}

/* Two decimals of a percent, cut; with a sign if `sign`. What is less is said to be. */
static void put_percent(char text[CELL_BYTES], json_int_t ppm, bool sign)
{
    uint64_t size = (uint64_t)(ppm < 0 ? -ppm : ppm);
    const char *before = ppm < 0 ? "-" : sign && ppm > 0 ? "+" : "";

    if (size > 0 && size < 100)
        snprintf(text, CELL_BYTES, "%s<0.01%%", before);
    else
        snprintf(text, CELL_BYTES, "%s%" PRIu64 ".%02" PRIu64 "%%", before, size / 10000,
                 size / 100 % 100);
}

static void add_percent(json_t *row, const json_t *ppm, bool sign)
{
    char text[CELL_BYTES] = "-";

    if (json_is_integer(ppm))
        put_percent(text, json_integer_value(ppm), sign);
    grid_text(row, text);
}

/* The interval of the change. */
static void add_interval(json_t *row, const json_t *interval)
{
    char low[CELL_BYTES], high[CELL_BYTES], text[2 * CELL_BYTES + 8] = "-";

    if (json_array_size(interval) == 2) {
        put_percent(low, json_integer_value(json_array_get(interval, 0)) - STATS_PPM, true);
        put_percent(high, json_integer_value(json_array_get(interval, 1)) - STATS_PPM, true);
        snprintf(text, sizeof(text), "%s .. %s", low, high);
    }
    grid_text(row, text);
}

static void add_p(json_t *row, const json_t *p)
{
    uint64_t value = (uint64_t)json_integer_value(p), ten_thousandths = value / 100000000;
    char text[CELL_BYTES] = "-";

    if (json_is_integer(p) && ten_thousandths == 0)
        snprintf(text, sizeof(text), "<0.0001");
    else if (json_is_integer(p))
        snprintf(text, sizeof(text), "%" PRIu64 ".%04" PRIu64, ten_thousandths / 10000,
                 ten_thousandths % 10000);
    grid_text(row, text);
}

/* "order=3 rate=5000" */
static void add_point(json_t *row, const json_t *compared)
{
    char text[CELL_BYTES] = "";
    json_t *axes = json_object_get(compared, "axes"), *value;
    size_t used = 0;
    const char *name;

    json_object_foreach(axes, name, value)
    {
        char *word = json_dumps(value, JSON_ENCODE_ANY);
        const char *plain = json_is_string(value) ? json_string_value(value) : word ? word : "?";
        if (used < sizeof(text))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s=%s",
                                     used > 0 ? " " : "", name, plain);
        free(word);
    }
    grid_text(row, text[0] ? text : "-");
}

static void add_runs(json_t *row, const json_t *runs)
{
    char text[CELL_BYTES] = "-";

    if (json_array_size(runs) == 2)
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
                 json_integer_value(json_array_get(runs, 0)),
                 json_integer_value(json_array_get(runs, 1)));
    grid_text(row, text);
}

/* ---- grids ---- */

static json_t *titles(const char *const *names)
{
    json_t *grid = json_array(), *row = grid_row(grid, *names);

    while (*++names)
        grid_text(row, *names);
    return grid;
}

static json_t *virtual_grid(const json_t *rows)
{
    static const char *const names[] = {"what", "verdict", "point",  "repeat",
                                        "A",    "B",       "change", NULL};
    json_t *grid = titles(names), *compared;
    size_t i;

    json_array_foreach(rows, i, compared)
    {
        json_t *row = grid_row(grid, text_of(compared, "name"));
        grid_text(row, text_of(compared, "verdict"));
        add_point(row, compared);
        add_plain(row, json_object_get(compared, "repeat"));
        add_plain(row, json_object_get(compared, "a"));
        add_plain(row, json_object_get(compared, "b"));
        add_percent(row, json_object_get(compared, "change_ppm"), true);
    }
    return grid;
}

static json_t *emulated_grid(const json_t *rows)
{
    static const char *const names[] = {"what", "verdict", "point",     "A",    "B", "change",
                                        "95 %", "p",       "A/A floor", "runs", NULL};
    json_t *grid = titles(names), *compared;
    size_t i;

    json_array_foreach(rows, i, compared)
    {
        json_t *row = grid_row(grid, text_of(compared, "name"));
        const char *unit = text_of(compared, "unit");
        grid_text(row, text_of(compared, "verdict"));
        add_point(row, compared);
        add_value(row, json_object_get(compared, "a"), unit);
        add_value(row, json_object_get(compared, "b"), unit);
        add_percent(row, json_object_get(compared, "change_ppm"), true);
        add_interval(row, json_object_get(compared, "ci95_ppm"));
        add_p(row, json_object_get(compared, "p"));
        add_percent(row, json_object_get(compared, "noise_ppm"), false);
        add_runs(row, json_object_get(compared, "runs"));
    }
    return grid;
}

/* Nothing in a cell may end it, or be taken for markup. */
static void put_markdown(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("|\\`*_<>[]#&", *text))
            fputc('\\', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
}

static void print_markdown_row(FILE *out, const json_t *row)
{
    json_t *cell;
    size_t i;

    fputc('|', out);
    json_array_foreach(row, i, cell)
    {
        fputc(' ', out);
        put_markdown(out, json_string_value(cell));
        fputs(" |", out);
    }
    fputc('\n', out);
}

static void print_markdown_grid(FILE *out, const json_t *grid)
{
    json_t *row;
    size_t r;

    json_array_foreach(grid, r, row)
    {
        print_markdown_row(out, row);
        for (size_t i = 0; r == 0 && i < json_array_size(row); i++)
            fputs("|---", out);
        if (r == 0)
            fputs("|\n", out);
    }
}

/* ---- the whole ---- */

static json_t *grid_of(const json_t *comparison)
{
    const json_t *rows = json_object_get(comparison, "rows");

    return strcmp(text_of(comparison, "mode"), "virtual") == 0 ? virtual_grid(rows)
                                                               : emulated_grid(rows);
}

static json_t *tree_grid(const json_t *differences, const char *title)
{
    const char *const names[] = {title, "A", "B", NULL};
    json_t *grid = titles(names), *one;
    size_t i;

    json_array_foreach(differences, i, one)
    {
        json_t *row = grid_row(grid, text_of(one, "path"));
        add_plain(row, json_object_get(one, "a"));
        add_plain(row, json_object_get(one, "b"));
    }
    return grid;
}

/* "2 worse, 1 better"; nothing of which there is none. */
static void print_counts(FILE *out, const json_t *comparison)
{
    static const char *const order[] = {"worse", "better", "inconclusive", "different", "same"};
    const json_t *counts = json_object_get(comparison, "counts");
    const char *before = ": ";

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        json_int_t count = json_integer_value(json_object_get(counts, order[i]));
        if (count > 0)
            fprintf(out, "%s%" JSON_INTEGER_FORMAT " %s", before, count, order[i]);
        before = count > 0 ? ", " : before;
    }
}

/* Reasons, each once, with how many rows they are of, or the name of the one. */
static void print_reasons(FILE *out, const json_t *comparison, const char *bullet)
{
    json_t *row, *reasons = json_object(), *rows;
    const char *why;
    size_t i;

    json_array_foreach(json_object_get(comparison, "rows"), i, row)
    {
        why = text_of(row, "why");
        if (why[0] && !json_object_get(reasons, why))
            json_object_set_new(reasons, why, json_array());
        if (why[0])
            json_array_append(json_object_get(reasons, why), row);
    }
    json_object_foreach(reasons, why, rows)
    {
        if (json_array_size(rows) == 1)
            fprintf(out, "%sinconclusive (%s): %s\n", bullet,
                    text_of(json_array_get(rows, 0), "name"), why);
        else
            fprintf(out, "%sinconclusive (%zu): %s\n", bullet, json_array_size(rows), why);
    }
    json_array_foreach(json_object_get(comparison, "notes"), i, row)
        fprintf(out, "%s%s\n", bullet, json_string_value(row));
    json_decref(reasons);
}

static void print_settings(FILE *out, const json_t *comparison)
{
    const json_t *settings = json_object_get(comparison, "settings");
    char alpha[CELL_BYTES], effect[CELL_BYTES];

    if (json_object_size(settings) == 0)
        return;
    put_percent(alpha, json_integer_value(json_object_get(settings, "alpha")) / 1000000, false);
    put_percent(effect, json_integer_value(json_object_get(settings, "min_effect_ppm")), false);
    fprintf(out,
            "Mann-Whitney of runs, alpha %s over all (Holm, tests: %" JSON_INTEGER_FORMAT
            "), least effect %s\n",
            alpha, json_integer_value(json_object_get(settings, "tests")), effect);
}

void compare_print_text(FILE *out, const json_t *comparison)
{
    static const char *const sides[] = {"a", "b"};

    for (int i = 0; i < 2; i++) {
        const json_t *side = json_object_get(comparison, sides[i]);
        fprintf(out, "%c  %s  %s\n", "AB"[i], text_of(side, "scenario"), text_of(side, "file"));
    }
    fputc('\n', out);
    grid_print(out, tree_grid(json_object_get(comparison, "scenario"), "scenario"));
    if (strcmp(text_of(comparison, "mode"), "virtual") != 0)
        grid_print(out, tree_grid(json_object_get(comparison, "host"), "host"));
    grid_print(out, grid_of(comparison));
    print_settings(out, comparison);
    print_reasons(out, comparison, "");
    fprintf(out, "%s", compare_verdict(comparison));
    print_counts(out, comparison);
    fputc('\n', out);
}

void compare_print_markdown(FILE *out, const json_t *comparison)
{
    json_t *grid = grid_of(comparison);
    json_t *scenario = tree_grid(json_object_get(comparison, "scenario"), "scenario");

    fprintf(out, "**%s**", compare_verdict(comparison));
    print_counts(out, comparison);
    fputs("\n\n", out);
    if (json_array_size(scenario) > 1) {
        print_markdown_grid(out, scenario);
        fputc('\n', out);
    }
    if (json_array_size(grid) > 1) {
        print_markdown_grid(out, grid);
        fputc('\n', out);
    }
    print_settings(out, comparison);
    print_reasons(out, comparison, "- ");
    json_decref(grid);
    json_decref(scenario);
}
