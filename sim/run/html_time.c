/*
 * The block of what happened when: the time line of the first repeat of each point that has one,
 * and the faults of it.
 *
 * All time lines of a page have TIME_SAMPLES_MAX samples at most: with more of them, neighbours
 * are joined, counts added up and levels by the larger.
 */
#include "sim/run/html_private.h"

#include <stdlib.h>
#include <string.h>

enum { TIME_SAMPLES_MAX = 120000 };

/* A level is the largest seen in an interval; anything else counts what happened in it. */
static bool is_level(const char *series)
{
    return strstr(series, "ring") != NULL;
}

static const char *unit_of(const char *series)
{
    return strstr(series, "_bytes") ? "bytes" : "";
}

/* The first repeat with a time line, or else with faults; NULL if a point has none. */
static const json_t *repeat_of(const json_t *point)
{
    const json_t *with_faults = NULL;
    json_t *repeat;
    size_t i;

    json_array_foreach(json_object_get(point, "repeats"), i, repeat)
    {
        if (json_is_object(json_object_get(repeat, "timeline")))
            return repeat;
        if (!with_faults && json_array_size(json_object_get(repeat, "faults")) > 0)
            with_faults = repeat;
    }
    return with_faults;
}

static json_t *series_of(const json_t *repeat)
{
    return json_object_get(json_object_get(repeat, "timeline"), "series");
}

/* How many samples become one. */
static size_t joined(const struct html_report *report)
{
    size_t samples = 0, i;
    const char *name;
    json_t *point, *values;

    json_array_foreach(report->points, i, point)
        json_object_foreach(series_of(repeat_of(point)), name, values) samples +=
        json_array_size(values);
    return samples / TIME_SAMPLES_MAX + 1;
}

static json_t *join(const json_t *values, size_t count, bool level)
{
    json_t *list = json_array(), *value;
    int64_t sum = 0;
    size_t i;

    json_array_foreach(values, i, value)
    {
        int64_t sample = json_integer_value(value);

        sum = !level ? html_sum(sum, sample) : sample > sum ? sample : sum;
        if (i % count == count - 1 || i + 1 == json_array_size(values)) {
            json_array_append_new(list, json_integer(sum));
            sum = 0;
        }
    }
    return list;
}

/* How long a fault of this kind and place lasts, by the scenario; 0 if it does not say. */
static int64_t planned_ns(const struct html_report *report, const json_t *fault)
{
    const json_t *resolved =
        json_object_get(json_object_get(report->result, "scenario"), "resolved");
    json_t *planned;
    size_t i;

    json_array_foreach(
        json_object_get(resolved, "faults"), i,
        planned) if (strcmp(html_string(planned, "kind"), html_string(fault, "kind")) == 0 &&
                     strcmp(html_string(planned, "where"), html_string(fault, "where")) ==
                         0) return html_integer(planned, "for_ns");
    return 0;
}

/* [from, to, words] of each: until it recovered, or as long as it was to last. */
static json_t *windows(const struct html_report *report, const json_t *repeat)
{
    json_t *list = json_array(), *fault;
    size_t i;

    json_array_foreach(json_object_get(repeat, "faults"), i, fault)
    {
        int64_t from = html_integer(fault, "at_ns"), length = html_integer(fault, "recovery_ns");
        json_t *words =
            json_sprintf("%s of %s", html_string(fault, "kind"), html_string(fault, "where"));

        if (length == 0)
            length = planned_ns(report, fault);
        json_array_append_new(list, json_pack("[I, I, o]", (json_int_t)from,
                                              (json_int_t)html_sum(from, length),
                                              html_visible(json_string_value(words))));
        json_decref(words);
    }
    return list;
}

static json_t *line_json(const struct html_report *report, const json_t *repeat, size_t count)
{
    const json_t *timeline = json_object_get(repeat, "timeline");
    int64_t interval = html_integer(timeline, "interval_ns");
    bool bears = interval > 0 && interval < INT64_MAX / (int64_t)count;
    int64_t step = bears ? interval * (int64_t)count : interval;
    json_t *series = json_array(), *values;
    const char *name;

    json_object_foreach(series_of(repeat), name, values) json_array_append_new(
        series, json_pack("[o, s, b, o]", html_visible(name), unit_of(name), is_level(name),
                          join(values, count, is_level(name))));
    return json_pack("{s:I, s:I, s:o, s:o}", "from", (json_int_t)html_integer(timeline, "from_ns"),
                     "step", (json_int_t)step, "series", series, "faults", windows(report, repeat));
}

/* ---- tables ---- */

static void put_series(const struct html_report *report, const json_t *point, const json_t *repeat)
{
    const char *name;
    json_t *values, *value;
    size_t i;

    json_object_foreach(series_of(repeat), name, values)
    {
        int64_t sum = 0, most = 0;
        const char *unit = unit_of(name);

        json_array_foreach(values, i, value)
        {
            int64_t sample = json_integer_value(value);
            sum = html_sum(sum, sample);
            most = sample > most ? sample : most;
        }
        html_put(report->out, "<tr>");
        html_cell_point(report, point);
        html_put(report->out, "<td class=\"text\">%t</td>", name);
        html_cell(report, unit, !is_level(name), sum);
        html_cell(report, unit, true, most);
        html_put(report->out, "</tr>\n");
    }
}

static void put_lines(const struct html_report *report)
{
    json_t *point;
    size_t i;

    html_put(report->out, "<div class=\"scroll\"><table class=\"sortable\"><thead><tr>");
    html_title_point(report);
    html_put(report->out,
             "<th scope=\"col\" class=\"text\">series</th><th scope=\"col\">in all</th><th "
             "scope=\"col\">most in an interval</th></tr></thead><tbody>\n");
    json_array_foreach(report->points, i, point) put_series(report, point, repeat_of(point));
    html_put(report->out, "</tbody></table></div>\n");
}

static void put_faults_of(const struct html_report *report, const json_t *point,
                          const json_t *repeat)
{
    json_t *fault;
    size_t i;

    json_array_foreach(json_object_get(repeat, "faults"), i, fault)
    {
        const json_t *recovery = json_object_get(fault, "recovery_ns");

        html_put(report->out, "<tr>");
        html_cell_point(report, point);
        html_put(report->out, "<td class=\"text\">%t</td><td class=\"text\"><bdi>%t</bdi></td>",
                 html_string(fault, "kind"), html_string(fault, "where"));
        html_cell(report, "ns", true, html_integer(fault, "at_ns"));
        html_cell(report, "ns", json_is_integer(recovery), json_integer_value(recovery));
        html_put(report->out, "</tr>\n");
    }
}

static void put_faults(const struct html_report *report)
{
    json_t *point;
    size_t i;

    html_put(report->out, "<details><summary><h3>Faults</h3></summary><div class=\"scroll\">"
                          "<table class=\"sortable\"><thead><tr>");
    html_title_point(report);
    html_put(
        report->out,
        "<th scope=\"col\" class=\"text\">fault</th><th scope=\"col\" class=\"text\">of</th><th "
        "scope=\"col\">at</th><th scope=\"col\">recovered after</th></tr>"
        "</thead><tbody>\n");
    json_array_foreach(report->points, i, point) put_faults_of(report, point, repeat_of(point));
    html_put(report->out, "</tbody></table></div></details>\n");
}

void html_lost(const struct html_report *report)
{
    int64_t lost = 0, most = 0;
    json_t *point, *repeat;
    size_t i, k;

    json_array_foreach(report->points, i, point)
        json_array_foreach(json_object_get(point, "repeats"), k, repeat)
    {
        lost = html_integer(json_object_get(repeat, "counters"), "capture.lost");
        most = lost > most ? lost : most;
    }
    if (most > 0)
        html_put(
            report->out,
            "<p class=\"missing\">Not all of it: up to %t packets of a run did not fit into its "
            "capture. What happened behind the last that did is missing here, and 0 in a time "
            "line. <code>--capture-limit</code> makes room.</p>\n",
            html_quantity("", most).text);
}

/* What any point has: a time line, faults. */
static void look(const struct html_report *report, bool *lines, bool *faults)
{
    json_t *point;
    size_t i;

    *lines = *faults = false;
    json_array_foreach(report->points, i, point)
    {
        const json_t *repeat = repeat_of(point);
        *lines |= json_object_size(series_of(repeat)) > 0;
        *faults |= json_array_size(json_object_get(repeat, "faults")) > 0;
    }
}

void html_time_block(struct html_report *report)
{
    json_t *list = json_array(), *point;
    size_t count = joined(report), i;
    bool lines, faults;

    look(report, &lines, &faults);
    html_put(report->out, "<section id=\"time\"><h2>Time line</h2>\n");
    if (lines) {
        json_array_foreach(report->points, i, point)
        {
            const json_t *repeat = repeat_of(point);
            json_array_append_new(list, json_object_size(series_of(repeat)) > 0
                                            ? line_json(report, repeat, count)
                                            : json_null());
        }
        html_lost(report);
        html_put(report->out,
                 "<p>Of the first repeat of a point that has one. Rings: the most seen in an "
                 "interval; all else: what happened in it.%t</p>\n<div class=\"picker\" "
                 "data-pick=\"time\"></div><div class=\"lines\" data-lines=\"time\"></div>\n",
                 faults ? " Shaded: from a fault until the device was up again." : "");
        put_lines(report);
    } else {
        html_absent(report, "xensock run --stages records throughput, rings and notifications "
                            "over time.");
    }
    if (faults)
        put_faults(report);
    html_put(report->out, "</section>\n");
    json_object_set_new(report->data, "time", list);
}
