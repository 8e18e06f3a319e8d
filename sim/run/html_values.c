/* What a report's page shows of a result: metrics over repeats, quantities, cells. */
#include "sim/run/html_private.h"
#include "sim/run/stats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of a histogram: what is a metric of its own, and shown. */
static const char *const quantiles[] = {"p50", "p90", "p99", "p99_9", "max"};
enum { QUANTILES = sizeof(quantiles) / sizeof(quantiles[0]), NAME_BYTES = 256 };

const char *html_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

int64_t html_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

int64_t html_sum(int64_t a, int64_t b)
{
    if (b > 0 && a > INT64_MAX - b)
        return INT64_MAX;
    if (b < 0 && a < INT64_MIN - b)
        return INT64_MIN;
    return a + b;
}

/* ---- names ---- */

static void add_name(json_t *names, const char *name, const json_t *unit)
{
    if (!json_object_get(names, name))
        json_object_set_new(names, name,
                            json_string(json_is_string(unit) ? json_string_value(unit) : ""));
}

static void add_metric(json_t *names, const char *name, const json_t *metric)
{
    char quantile[NAME_BYTES];

    if (json_is_integer(json_object_get(metric, "value")))
        add_name(names, name, json_object_get(metric, "unit"));
    for (size_t i = 0; i < QUANTILES; i++)
        if (json_is_integer(json_object_get(metric, quantiles[i])) &&
            (size_t)snprintf(quantile, sizeof(quantile), "%s.%s", name, quantiles[i]) <
                sizeof(quantile))
            add_name(names, quantile, json_object_get(metric, "unit"));
}

json_t *html_metric_names(const json_t *points)
{
    json_t *names = json_object(), *point, *repeat, *metric;
    const char *name;
    size_t i, j;

    json_array_foreach(points, i, point)
    {
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
            json_object_foreach(json_object_get(repeat, "metrics"), name, metric)
                add_metric(names, name, metric);
        json_object_foreach(json_object_get(point, "summary"), name,
                            metric) if (json_is_integer(json_object_get(metric, "median")))
            add_name(names, name, json_object_get(metric, "unit"));
    }
    return names;
}

struct html_name html_metric_name(const char *name)
{
    static const char end[] = ".p99_9";
    struct html_name shown;
    size_t bytes = strlen(name);

    snprintf(shown.text, sizeof(shown.text), "%s", name);
    if (bytes < sizeof(shown.text) && bytes > strlen(end) &&
        strcmp(name + bytes - strlen(end), end) == 0)
        shown.text[bytes - 2] = '.';
    return shown;
}

/* ---- values ---- */

/* The value of `key` in one repeat, by whoever knows where such keys are; NULL if there is none. */
static const json_t *metric_in(const json_t *repeat, const char *name)
{
    const json_t *metrics = json_object_get(repeat, "metrics"), *metric;
    const char *dot = strrchr(name, '.');
    char of[NAME_BYTES];

    metric = json_object_get(json_object_get(metrics, name), "value");
    if (metric || !dot || (size_t)(dot - name) >= sizeof(of))
        return metric;
    snprintf(of, sizeof(of), "%.*s", (int)(dot - name), name);
    return json_object_get(json_object_get(metrics, of), dot + 1);
}

static const json_t *counter_in(const json_t *repeat, const char *name)
{
    return json_object_get(json_object_get(repeat, "counters"), name);
}

/* What is negative is none of ours, and left out. */
static struct html_value over_repeats(const json_t *point, const char *name,
                                      const json_t *(*find)(const json_t *, const char *))
{
    const json_t *repeats = json_object_get(point, "repeats");
    size_t room = json_array_size(repeats), i;
    uint64_t *values = calloc(room + 1, sizeof(*values));
    struct html_value value = {0};
    json_t *repeat;

    json_array_foreach(repeats, i, repeat)
    {
        const json_t *found = find(repeat, name);

        if (values && json_is_integer(found) && json_integer_value(found) >= 0)
            values[value.count++] = (uint64_t)json_integer_value(found);
    }
    if (value.count > 0) {
        value.median = (int64_t)stats_median(values, (uint32_t)value.count); /* sorts them */
        value.least = (int64_t)values[0];
        value.most = (int64_t)values[value.count - 1];
    }
    free(values);
    return value;
}

struct html_value html_metric(const json_t *point, const char *name)
{
    const json_t *summary = json_object_get(json_object_get(point, "summary"), name);
    const json_t *interval = json_object_get(summary, "ci95");
    struct html_value value = {
        .count = (size_t)html_integer(summary, "n"),
        .median = html_integer(summary, "median"),
        .least = html_integer(summary, "least"),
        .most = html_integer(summary, "most"),
        .has_interval = json_array_size(interval) == 2,
        .low = json_integer_value(json_array_get(interval, 0)),
        .high = json_integer_value(json_array_get(interval, 1)),
    };

    if (json_is_integer(json_object_get(summary, "median")) && value.count > 0)
        return value;
    return over_repeats(point, name, metric_in);
}

struct html_value html_counter(const json_t *point, const char *name)
{
    return over_repeats(point, name, counter_in);
}

const json_t *html_same_point(const json_t *result, const json_t *point)
{
    const json_t *axes = json_object_get(point, "axes");
    json_t *other;
    size_t i;

    json_array_foreach(json_object_get(result, "points"), i,
                       other) if (json_equal(json_object_get(other, "axes"), axes)) return other;
    return NULL;
}

/* ---- texts ---- */

/* Digits in groups of three, parted by narrow no-break spaces. */
static struct units_text grouped(int64_t value, const char *unit)
{
    struct units_text text = {""};
    char digits[24];
    size_t count, end = 0;

    snprintf(digits, sizeof(digits), "%" PRId64, value);
    count = strlen(digits);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0 && digits[i - 1] != '-' && count > 4) {
            memcpy(text.text + end, "\xe2\x80\xaf", 3);
            end += 3;
        }
        text.text[end++] = digits[i];
    }
    snprintf(text.text + end, sizeof(text.text) - end, "%s", unit);
    return text;
}

/* One decimal, cut, as the console's table has sizes. */
static struct units_text size_text(int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    int64_t scale = 1024;
    struct units_text text;
    size_t unit = 0;

    if (bytes < scale)
        return grouped(bytes, " B");
    for (; bytes >= scale * 1024 && unit < 2; unit++)
        scale *= 1024;
    snprintf(text.text, sizeof(text.text), "%" PRId64 ".%d %s", bytes / scale,
             (int)(bytes % scale * 10 / scale), units[unit]);
    return text;
}

struct units_text html_quantity(const char *unit, int64_t value)
{
    if (value < 0)
        return grouped(value, "");
    if (strcmp(unit, "ns") == 0)
        return units_format_latency((uint64_t)value);
    if (strcmp(unit, "bytes_per_s") == 0)
        return units_format_rate((uint64_t)value);
    if (strcmp(unit, "bytes") == 0)
        return size_text(value);
    if (strcmp(unit, "ppm") == 0)
        return units_format_share((uint64_t)value);
    return grouped(value, strstr(unit, "per_s") ? "/s" : "");
}

static struct units_text axis_number(const char *unit, int64_t value)
{
    struct units_text text;

    if (value >= 0 && strcmp(unit, "ns") == 0)
        return units_format_duration((uint64_t)value);
    if (value >= 0 && strcmp(unit, "bytes") == 0)
        return units_format_size((uint64_t)value);
    if (value >= 0 && strcmp(unit, "bytes_per_s") == 0 && value < INT64_C(1) << 60)
        return units_format_bandwidth((uint64_t)value);
    if (value >= 0 && strcmp(unit, "ppm") == 0)
        return units_format_share((uint64_t)value);
    snprintf(text.text, sizeof(text.text), "%" PRId64 "%s", value,
             strcmp(unit, "per_s") == 0 ? "/s" : "");
    return text;
}

json_t *html_axis_text(const json_t *axis, const json_t *point)
{
    const json_t *at = json_object_get(json_object_get(point, "axes"), html_string(axis, "name"));

    if (json_is_integer(at))
        return json_string(axis_number(html_string(axis, "unit"), json_integer_value(at)).text);
    return json_string(json_is_string(at) ? json_string_value(at) : "");
}

json_t *html_point_name(const struct html_report *report, const json_t *point)
{
    json_t *name = json_string(""), *axis;
    size_t i;

    json_array_foreach(report->axes, i, axis)
    {
        json_t *text = html_axis_text(axis, point);
        json_t *longer = json_sprintf("%s%s%s=%s", json_string_value(name), i > 0 ? " " : "",
                                      html_string(axis, "name"), json_string_value(text));
        json_decref(text);
        json_decref(name);
        name = longer;
    }
    return name;
}

/* ---- cells ---- */

/* A number that is shown as it is needs no second writing: there are many of them. */
static void put_exact(FILE *out, int64_t value, const char *text)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRId64, value);
    html_put(out, strcmp(digits, text) == 0 ? "%t" : "<data value=\"%t\">", digits);
    if (strcmp(digits, text) != 0)
        html_put(out, "%t</data>", text);
}

void html_cell(const struct html_report *report, const char *unit, bool there, int64_t value)
{
    html_put(report->out, "<td>");
    if (there)
        put_exact(report->out, value, html_quantity(unit, value).text);
    html_put(report->out, "</td>");
}

/* "56.9-58.5 MB/s", or both with their units if these differ. */
void html_range(FILE *out, const char *unit, int64_t low, int64_t high)
{
    struct units_text from = html_quantity(unit, low), to = html_quantity(unit, high);
    char *from_unit = strrchr(from.text, ' '), *to_unit = strrchr(to.text, ' ');

    if (from_unit && to_unit && strcmp(from_unit, to_unit) == 0)
        *from_unit = '\0';
    html_put(out, "%t\xe2\x80\x93%t", from.text, to.text);
}

void html_cell_value(const struct html_report *report, const char *unit, struct html_value value)
{
    int64_t low = value.has_interval ? value.low : value.least;
    int64_t high = value.has_interval ? value.high : value.most;

    if (value.count < 2 ||
        strcmp(html_quantity(unit, low).text, html_quantity(unit, high).text) == 0) {
        html_cell(report, unit, value.count > 0, value.median);
        return;
    }
    html_put(report->out, "<td>");
    put_exact(report->out, value.median, html_quantity(unit, value.median).text);
    html_put(report->out, " <small>[");
    html_range(report->out, unit, low, high);
    html_put(report->out, "]</small></td>");
}

void html_title_point(const struct html_report *report)
{
    json_t *axis;
    size_t i;

    html_put(report->out, "<th scope=\"col\">point</th>");
    json_array_foreach(report->axes, i, axis) html_put(
        report->out, "<th scope=\"col\" class=\"axis\">%t</th>", html_string(axis, "name"));
}

void html_cell_point(const struct html_report *report, const json_t *point)
{
    int64_t id = html_integer(point, "id");
    json_t *axis;
    size_t i;

    html_put(report->out, "<th scope=\"row\"><a href=\"#p%i\">%i</a></th>", id, id);
    json_array_foreach(report->axes, i, axis)
    {
        json_t *text = html_axis_text(axis, point);
        const json_t *at =
            json_object_get(json_object_get(point, "axes"), html_string(axis, "name"));

        html_put(report->out, "<td class=\"axis\">");
        if (json_is_integer(at))
            put_exact(report->out, json_integer_value(at), json_string_value(text));
        else
            html_put(report->out, "<bdi>%t</bdi>", json_string_value(text));
        html_put(report->out, "</td>");
        json_decref(text);
    }
}

void html_bar(FILE *out, const int64_t *parts, size_t count, int64_t whole)
{
    int64_t from = 0;

    html_put(out, "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" "
                  "aria-hidden=\"true\">");
    for (size_t i = 0; i < count && whole > 0; i++) {
        int64_t part = parts[i] < 0 ? 0 : parts[i] < whole ? parts[i] : whole;
        int64_t width = whole > INT64_MAX / 1000 ? part / (whole / 1000) : part * 1000 / whole;

        html_put(out, "<rect class=\"s%i\" x=\"%i\" width=\"%i\" height=\"10\"/>", (int64_t)(i % 8),
                 from, width);
        from += width;
    }
    html_put(out, "</svg>");
}

void html_absent(const struct html_report *report, const char *how)
{
    html_put(report->out, "<p class=\"absent\">Not in this result. %t</p>", how);
}
