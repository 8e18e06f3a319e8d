/*
 * The blocks of metrics: over the points of a sweep a chart each and a table for each kind, of a
 * single point one table; and two results side by side.
 */
#include "sim/run/html_private.h"

#include <stdlib.h>
#include <string.h>

/* Kinds of metrics, the part of a name before its first dot, in the order they are shown; any other
 * comes behind. Those that `opens` are what most look for. */
static const struct kind {
    const char *name, *title, *text;
    bool opens;
} kinds[] = {
    {"throughput", "Throughput", "Bytes a second in the measured phase.", true},
    {"latency", "Latency",
     "Percentiles of one repeat each, from the intended start of an operation.", true},
    {"service", "Service time",
     "The same from the actual start: what an operation took once it was begun.", false},
    {"released", "Until released", "From the start of a connection to its release.", false},
    {"recovery", "Recovery", "The longest until a device was connected again after a fault.", true},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), KIND_BYTES = 64 };

/* What of a name is its kind. */
static size_t kind_bytes(const char *name)
{
    return strcspn(name, ".");
}

static bool is_of(const char *name, const char *kind)
{
    return strlen(kind) == kind_bytes(name) && strncmp(name, kind, strlen(kind)) == 0;
}

/* What of a name is not its kind: the workload, and of a histogram its percentile. */
static const char *rest_of(const char *name)
{
    return name[kind_bytes(name)] == '.' ? name + kind_bytes(name) + 1 : name;
}

/* {KIND: {NAME: UNIT}}, the known kinds first. */
static json_t *by_kind(const json_t *names)
{
    json_t *all = json_object(), *unit;
    const char *name;
    void *next;

    for (size_t i = 0; i < KINDS; i++)
        json_object_set_new(all, kinds[i].name, json_object());
    json_object_foreach((json_t *)names, name, unit)
    {
        json_t *key = json_stringn(name, kind_bytes(name));
        if (!json_object_get(all, json_string_value(key)))
            json_object_set_new(all, json_string_value(key), json_object());
        json_object_set(json_object_get(all, json_string_value(key)), name, unit);
        json_decref(key);
    }
    json_object_foreach_safe(all, next, name, unit) if (json_object_size(unit) == 0)
        json_object_del(all, name);
    return all;
}

/* Whether all points have the same value, in all repeats. */
static bool is_constant(const struct html_report *report, const char *name)
{
    struct html_value first = html_metric(json_array_get(report->points, 0), name);
    json_t *point;
    size_t i;

    json_array_foreach(report->points, i, point)
    {
        struct html_value value = html_metric(point, name);
        if (value.count == 0 || value.least != value.most || value.median != first.median)
            return false;
    }
    return true;
}

/* ---- charts ---- */

static json_t *number(bool there, int64_t value)
{
    return there ? json_integer(value) : json_null();
}

/* Adds a chart to the data: the median of each point, its interval, and that of the other result.
 * Its number. */
static size_t add_chart(struct html_report *report, const char *name, const char *unit)
{
    json_t *charts = json_object_get(report->data, "charts"), *point;
    json_t *chart = json_pack("{s:o, s:o, s:[], s:[], s:[], s:[]}", "name",
                              html_visible(html_metric_name(name).text), "unit", html_visible(unit),
                              "y", "low", "high", "other");
    size_t i;

    json_array_foreach(report->points, i, point)
    {
        struct html_value value = html_metric(point, name), other = {0};
        const json_t *same = html_same_point(report->other, point);
        bool has = value.count > 0;

        json_array_append_new(json_object_get(chart, "y"), number(has, value.median));
        json_array_append_new(json_object_get(chart, "low"),
                              number(has, value.has_interval ? value.low : value.least));
        json_array_append_new(json_object_get(chart, "high"),
                              number(has, value.has_interval ? value.high : value.most));
        if (same)
            other = html_metric(same, name);
        if (report->other)
            json_array_append_new(json_object_get(chart, "other"),
                                  number(other.count > 0, other.median));
    }
    json_array_append_new(charts, chart);
    return json_array_size(charts) - 1;
}

static void put_charts(struct html_report *report, const json_t *names)
{
    const char *name;
    json_t *unit;

    html_put(report->out, "<div class=\"charts\">");
    json_object_foreach((json_t *)names, name, unit)
    {
        size_t chart = add_chart(report, name, json_string_value(unit));
        html_put(report->out,
                 "<figure><figcaption>%t</figcaption><div data-chart=\"%u\"></div></figure>\n",
                 html_metric_name(name).text, chart);
    }
    html_put(report->out, "</div>\n");
}

/* ---- a sweep: a row a point ---- */

static void put_sweep_table(const struct html_report *report, const json_t *names)
{
    const char *name;
    json_t *unit, *point;
    size_t i;

    html_put(report->out, "<div class=\"scroll\"><table class=\"sortable\"><thead><tr>");
    html_title_point(report);
    json_object_foreach((json_t *)names, name, unit)
        html_put(report->out, "<th scope=\"col\">%t</th>", rest_of(html_metric_name(name).text));
    html_put(report->out, "</tr></thead><tbody>\n");
    json_array_foreach(report->points, i, point)
    {
        html_put(report->out, "<tr>");
        html_cell_point(report, point);
        json_object_foreach((json_t *)names, name, unit)
            html_cell_value(report, json_string_value(unit), html_metric(point, name));
        html_put(report->out, "</tr>\n");
    }
    html_put(report->out, "</tbody></table></div>\n");
}

static void put_kind(struct html_report *report, const char *kind, json_t *names)
{
    struct kind shown = {kind, kind, "", false};

    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, kind) == 0)
            shown = kinds[i];
    html_put(report->out,
             "<details class=\"kind\" id=\"metric-%t\"%t><summary><h3>%t</h3></summary>", kind,
             shown.opens ? " open" : "", shown.title);
    html_put(report->out, "<p class=\"note\">%t</p>\n", shown.text);
    put_charts(report, names);
    put_sweep_table(report, names);
    html_put(report->out, "</details>\n");
}

static void put_constants(const struct html_report *report, const json_t *constants)
{
    const json_t *first = json_array_get(report->points, 0);
    const char *name;
    json_t *unit;

    if (json_object_size(constants) == 0)
        return;
    html_put(report->out,
             "<details class=\"kind\"><summary><h3>The same at every point</h3>"
             "</summary><div class=\"scroll\"><table class=\"sortable\"><thead><tr>"
             "<th scope=\"col\" class=\"text\">metric</th><th scope=\"col\">value</th></tr></thead>"
             "<tbody>\n");
    json_object_foreach((json_t *)constants, name, unit)
    {
        html_put(report->out, "<tr><th scope=\"row\">%t</th>", html_metric_name(name).text);
        html_cell_value(report, json_string_value(unit), html_metric(first, name));
        html_put(report->out, "</tr>\n");
    }
    html_put(report->out, "</tbody></table></div></details>\n");
}

static void put_sweep(struct html_report *report)
{
    json_t *constants = json_object(), *changing = json_object(), *all, *names, *unit;
    const char *name;

    json_object_foreach(report->names, name,
                        unit) if (!is_of(name, "stage")) /* a block of its own has them */
        json_object_set(is_constant(report, name) ? constants : changing, name, unit);
    all = by_kind(changing);
    html_put(report->out, "<p>Medians over %u %t a point%t. %t</p>\n", report->repeat_count,
             report->repeat_count == 1 ? "repeat" : "repeats",
             report->repeat_count > 2 ? "; in brackets, and as bands, the interval that holds the "
                                        "median with 95 % confidence, or where there is none the "
                                        "least and the most"
             : report->repeat_count > 1 ? "; in brackets, and as bands, the least and the most"
                                        : "",
             report->other ? "Dashed: the other result." : "");
    html_put(report->out, "<div id=\"filters\"></div>\n");
    json_object_foreach(all, name, names) put_kind(report, name, names);
    put_constants(report, constants);
    json_decref(all);
    json_decref(changing);
    json_decref(constants);
}

/* ---- a single point with repeats: a row a metric ---- */

static void put_interval(const struct html_report *report, const char *unit,
                         struct html_value value)
{
    if (!value.has_interval) {
        html_put(report->out, "<td></td>");
        return;
    }
    html_put(report->out, "<td>");
    html_range(report->out, unit, value.low, value.high);
    html_put(report->out, "</td>");
}

static void put_repeated(const struct html_report *report)
{
    const json_t *point = json_array_get(report->points, 0);
    const char *name, *unit;
    json_t *value;

    html_put(report->out,
             "<div class=\"scroll\"><table class=\"sortable\"><thead><tr><th "
             "scope=\"col\">metric</th><th scope=\"col\">median of %u</th><th "
             "scope=\"col\">95 %% of medians</th><th scope=\"col\">least</th><th "
             "scope=\"col\">most</th></tr></thead><tbody>\n",
             report->repeat_count);
    json_object_foreach(report->names, name, value)
    {
        struct html_value metric = html_metric(point, name);

        unit = json_string_value(value);
        html_put(report->out, "<tr><th scope=\"row\">%t</th>", html_metric_name(name).text);
        html_cell(report, unit, metric.count > 0, metric.median);
        put_interval(report, unit, metric);
        html_cell(report, unit, metric.count > 0, metric.least);
        html_cell(report, unit, metric.count > 0, metric.most);
        html_put(report->out, "</tr>\n");
    }
    html_put(report->out, "</tbody></table></div>\n");
}

/* ---- a single run: a row a workload, a column a kind ---- */

/* Not the percentiles, which stand with their histogram. */
static bool is_plain(const struct html_report *report, const char *name)
{
    const json_t *repeats = json_object_get(json_array_get(report->points, 0), "repeats");
    const json_t *metrics = json_object_get(json_array_get(repeats, 0), "metrics");

    return json_is_integer(json_object_get(json_object_get(metrics, name), "value"));
}

static void put_row(const struct html_report *report, const char *workload, const json_t *all)
{
    const json_t *point = json_array_get(report->points, 0);
    const char *kind, *name;
    json_t *names, *unit;

    html_put(report->out, "<tr><th scope=\"row\"><bdi>%t</bdi></th>", workload);
    json_object_foreach((json_t *)all, kind, names)
    {
        bool found = false;
        json_object_foreach(names, name, unit) if (!found && strcmp(rest_of(name), workload) == 0)
        {
            html_cell_value(report, json_string_value(unit), html_metric(point, name));
            found = true;
        }
        if (!found)
            html_put(report->out, "<td></td>");
    }
    html_put(report->out, "</tr>\n");
}

static void put_single(const struct html_report *report)
{
    json_t *shown = json_object(), *rows = json_object(), *all, *value;
    const char *name;

    json_object_foreach(report->names, name, value) if (is_plain(report, name))
    {
        json_object_set(shown, name, value);
        json_object_set_new(rows, rest_of(name), json_null());
    }
    all = by_kind(shown);
    html_put(report->out, "<div class=\"scroll\"><table class=\"sortable\"><thead><tr>"
                          "<th scope=\"col\">workload</th>");
    json_object_foreach(all, name, value) html_put(report->out, "<th scope=\"col\">%t</th>", name);
    html_put(report->out, "</tr></thead><tbody>\n");
    json_object_foreach(rows, name, value) put_row(report, name, all);
    html_put(report->out, "</tbody></table></div>\n");
    json_decref(all);
    json_decref(rows);
    json_decref(shown);
}

void html_metrics_block(struct html_report *report)
{
    if (json_object_size(report->names) == 0)
        return;
    html_put(report->out, "<section id=\"metrics\"><h2>%t</h2>\n",
             report->point_count > 1 ? "Sweep" : "Metrics");
    if (report->point_count > 1)
        put_sweep(report);
    else if (report->repeat_count > 1)
        put_repeated(report);
    else
        put_single(report);
    html_put(report->out, "</section>\n");
}

/* ---- beside another result ---- */

/* this / other, with three decimals, cut; "" without a ratio. */
static struct units_text ratio_text(int64_t value, int64_t other)
{
    struct units_text text = {""};

    if (value >= 0 && other > 0 && value < INT64_MAX / 1000)
        snprintf(text.text, sizeof(text.text), "%lld.%03lld", (long long)(value / other),
                 (long long)(value % other * 1000 / other));
    return text;
}

static void put_compared(const struct html_report *report, const json_t *point, const char *name,
                         const char *unit)
{
    const json_t *same = html_same_point(report->other, point);
    struct html_value value = html_metric(point, name), other = {0};

    if (same)
        other = html_metric(same, name);
    if (value.count == 0 && other.count == 0)
        return;
    html_put(report->out, "<tr>");
    html_cell_point(report, point);
    html_put(report->out, "<td class=\"text\">%t</td>", html_metric_name(name).text);
    html_cell_value(report, unit, value);
    html_cell_value(report, unit, other);
    html_put(report->out, "<td>%t</td></tr>\n",
             value.count > 0 && other.count > 0 ? ratio_text(value.median, other.median).text : "");
}

/* Of each point what most look for; all the rest is in the two results. */
static bool is_compared(const char *name)
{
    const char *end = strrchr(name, '.');

    return is_of(name, "throughput") || is_of(name, "recovery") ||
           (is_of(name, "latency") && end &&
            (strcmp(end, ".p50") == 0 || strcmp(end, ".p99") == 0));
}

void html_compare_block(struct html_report *report)
{
    const json_t *scenario = json_object_get(report->other, "scenario");
    const char *name;
    json_t *unit, *point;
    size_t i;

    if (!report->other)
        return;
    html_put(report->out,
             "<section id=\"compare\"><h2>Beside another result</h2><p><bdi>%t</bdi> (text "
             "<code>%t</code>, %t, xensock %t), at the points that both have. ",
             html_string(scenario, "file"), html_string(scenario, "xxh3"),
             html_string(report->other, "mode"),
             html_string(json_object_get(report->other, "tool"), "version"));
    html_put(report->out,
             "A ratio is this median over the other's. Whether a difference means anything is "
             "what <code>xensock compare</code> tells.</p>\n<div class=\"scroll\"><table "
             "class=\"sortable\"><thead><tr>");
    html_title_point(report);
    html_put(report->out, "<th scope=\"col\" class=\"text\">metric</th><th scope=\"col\">this</th>"
                          "<th scope=\"col\">other</th><th scope=\"col\">ratio</th></tr></thead>"
                          "<tbody>\n");
    json_array_foreach(report->points, i, point)
        json_object_foreach(report->names, name, unit) if (is_compared(name))
            put_compared(report, point, name, json_string_value(unit));
    html_put(report->out, "</tbody></table></div></section>\n");
}
