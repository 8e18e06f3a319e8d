/*
 * The block of single points: how each of its repeats went, processes, and all counters; those that
 * were 0 at every point stand once, at the end.
 */
#include "sim/run/html_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- repeats ---- */

static void put_repeat(const struct html_report *report, const json_t *repeat)
{
    const json_t *code = json_object_get(repeat, "code");
    const json_t *virtual_ns = json_object_get(repeat, "virtual_ns");

    html_put(report->out, "<tr><th scope=\"row\">%i</th>", html_integer(repeat, "i"));
    if (json_is_integer(json_object_get(repeat, "seed")))
        html_put(report->out, "<td>%i</td>", html_integer(repeat, "seed"));
    else
        html_put(report->out, "<td></td>");
    html_cell(report, "", json_is_integer(code), json_integer_value(code));
    html_cell(report, "ns", true, html_integer(repeat, "wall_ns"));
    html_cell(report, "ns", json_is_integer(virtual_ns), json_integer_value(virtual_ns));
    html_put(report->out, "<td class=\"text\"><code>%t</code></td></tr>\n",
             html_string(repeat, "trace"));
}

static void put_repeats(const struct html_report *report, const json_t *point)
{
    json_t *repeat;
    size_t i;

    html_put(report->out,
             "<div class=\"scroll\"><table><caption>Repeats</caption><thead><tr>"
             "<th scope=\"col\">repeat</th><th scope=\"col\">seed</th><th scope=\"col\">exit code"
             "</th><th scope=\"col\">took</th><th scope=\"col\">virtual</th><th scope=\"col\" "
             "class=\"text\">trace</th></tr></thead><tbody>\n");
    json_array_foreach(json_object_get(point, "repeats"), i, repeat) put_repeat(report, repeat);
    html_put(report->out, "</tbody></table></div>\n");
}

/* ---- processes ---- */

static void put_process(const struct html_report *report, const json_t *process, int64_t repeat)
{
    static const struct {
        const char *member, *unit;
    } cells[] = {{"cpu_user_ns", "ns"},      {"cpu_system_ns", "ns"},
                 {"switches_voluntary", ""}, {"switches_involuntary", ""},
                 {"faults_minor", ""},       {"memory_peak_bytes", "bytes"}};
    int64_t count = html_integer(process, "count");

    html_put(report->out, "<tr><th scope=\"row\"><bdi>%t</bdi>", html_string(process, "name"));
    if (count > 1)
        html_put(report->out, " \xc3\x97 %i", count);
    html_put(report->out, "</th><td>%i</td>", repeat);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        const json_t *value = json_object_get(process, cells[i].member);
        html_cell(report, cells[i].unit, json_is_integer(value), json_integer_value(value));
    }
    html_put(report->out, "</tr>\n");
}

static void put_processes(const struct html_report *report, const json_t *point)
{
    json_t *repeat, *process;
    bool found = false;
    size_t i, j;

    json_array_foreach(json_object_get(point, "repeats"), i, repeat)
        json_array_foreach(json_object_get(repeat, "processes"), j, process)
    {
        if (!found)
            html_put(report->out,
                     "<div class=\"scroll\"><table class=\"sortable\"><caption>Processes</caption>"
                     "<thead><tr><th scope=\"col\">process</th><th scope=\"col\">repeat</th>"
                     "<th scope=\"col\">CPU user</th><th scope=\"col\">CPU system</th><th "
                     "scope=\"col\">switches</th><th scope=\"col\">preempted</th><th "
                     "scope=\"col\">page faults</th><th scope=\"col\">peak memory</th></tr>"
                     "</thead><tbody>\n");
        found = true;
        put_process(report, process, html_integer(repeat, "i"));
    }
    if (found)
        html_put(report->out, "</tbody></table></div>\n");
}

/* ---- counters ---- */

/* {COUNTER: whether it is 0 at every point}. */
static json_t *all_counters(const struct html_report *report)
{
    json_t *zero = json_object(), *point, *repeat, *value;
    const char *counter;
    size_t i, j;

    json_array_foreach(report->points, i, point)
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
            json_object_foreach(json_object_get(repeat, "counters"), counter, value)
    {
        const json_t *before = json_object_get(zero, counter);
        bool is_zero = json_integer_value(value) == 0 && (!before || json_is_true(before));

        json_object_set_new(zero, counter, json_boolean(is_zero));
    }
    return zero;
}

static const char *unit_of(const char *counter)
{
    size_t bytes = strlen(counter);

    return bytes > 3 && strcmp(counter + bytes - 3, "_ns") == 0 ? "ns" : "";
}

static void put_counters(const struct html_report *report, const json_t *point,
                         const json_t *counters)
{
    bool several = report->repeat_count > 1;
    const char *counter;
    json_t *zero;

    html_put(report->out,
             "<div class=\"scroll\"><table class=\"sortable counters\"><caption>Counters</caption>"
             "<thead><tr><th scope=\"col\">counter</th><th scope=\"col\">%t</th>",
             several ? "median" : "value");
    if (several)
        html_put(report->out, "<th scope=\"col\">least</th><th scope=\"col\">most</th>");
    html_put(report->out, "</tr></thead><tbody>\n");
    json_object_foreach((json_t *)counters, counter, zero)
    {
        struct html_value value = html_counter(point, counter);
        const char *unit = unit_of(counter);

        if (json_is_true(zero) || value.count == 0)
            continue;
        html_put(report->out, "<tr><th scope=\"row\">%t</th>", counter);
        html_cell(report, unit, true, value.median);
        if (several) {
            html_cell(report, unit, value.least != value.most, value.least);
            html_cell(report, unit, value.least != value.most, value.most);
        }
        html_put(report->out, "</tr>\n");
    }
    html_put(report->out, "</tbody></table></div>\n");
}

static void put_zeroes(const struct html_report *report, const json_t *counters)
{
    bool found = false;
    const char *counter;
    json_t *zero;

    json_object_foreach((json_t *)counters, counter, zero) if (json_is_true(zero))
    {
        html_put(report->out, "%t", found ? ", " : "");
        if (!found)
            html_put(report->out, "<details><summary>Counters that are 0 at every point</summary>"
                                  "<p class=\"note\">");
        html_put(report->out, "<code>%t</code>", counter);
        found = true;
    }
    if (found)
        html_put(report->out, "</p></details>\n");
}

static void put_command(const struct html_report *report, const json_t *point)
{
    char *command = html_command(report->result, point);

    html_put(report->out, "<p>Again: <code>%t</code></p>\n", command);
    free(command);
}

static void put_point(const struct html_report *report, const json_t *point, const json_t *counters)
{
    json_t *name = html_point_name(report, point);
    int64_t id = html_integer(point, "id");

    html_put(report->out, "<details class=\"point\" id=\"p%i\"%t><summary>Point %i <bdi>", id,
             report->point_count == 1 ? " open" : "", id);
    html_put(report->out, "%t</bdi></summary>\n", json_string_value(name));
    if (report->point_count > 1)
        put_command(report, point);
    put_repeats(report, point);
    put_processes(report, point);
    put_counters(report, point, counters);
    html_put(report->out, "</details>\n");
    json_decref(name);
}

void html_points_block(struct html_report *report)
{
    json_t *counters = all_counters(report), *point;
    size_t i;

    if (report->point_count > 0) {
        html_put(report->out, "<section id=\"points\"><h2>%t</h2>\n",
                 report->point_count > 1 ? "Points: repeats, processes, counters"
                                         : "Repeats, processes, counters");
        json_array_foreach(report->points, i, point) put_point(report, point, counters);
        put_zeroes(report, counters);
        html_put(report->out, "</section>\n");
    }
    json_decref(counters);
}
