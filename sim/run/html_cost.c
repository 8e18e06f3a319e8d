/*
 * The blocks of what a run took: virtual time by key of the cost model, and grants, ports and
 * sockets against their limits, with what was left over.
 */
#include "sim/hv/hypervisor.h"
#include "sim/run/html_private.h"

#include <stdlib.h>
#include <string.h>

enum { COSTS_MAX = 64, WORD_BYTES = 128, GRANTS_OF_A_FRAME = 512 };

static const char cost_mark[] = ".cost.";

/* ---- costs ---- */

/* Splits "ROLE.cost.NAME_ns"; false for any other counter. */
static bool split_cost(const char *counter, char role[WORD_BYTES], char name[WORD_BYTES])
{
    const char *mark = strstr(counter, cost_mark), *end = counter + strlen(counter);

    if (!mark || end - counter < 4 || strcmp(end - 3, "_ns") != 0 || end - counter >= WORD_BYTES ||
        end - 3 <= mark + strlen(cost_mark))
        return false;
    snprintf(role, WORD_BYTES, "%.*s", (int)(mark - counter), counter);
    mark += strlen(cost_mark);
    snprintf(name, WORD_BYTES, "%.*s", (int)(end - 3 - mark), mark);
    return true;
}

/* Of all points: the roles that have costs, and the names of those that are not always 0, as keys.
 */
static void find_costs(const struct html_report *report, json_t *roles, json_t *names)
{
    char role[WORD_BYTES], name[WORD_BYTES];
    json_t *point, *repeat, *value;
    const char *counter;
    size_t i, j;

    json_array_foreach(report->points, i, point)
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
            json_object_foreach(json_object_get(repeat, "counters"), counter,
                                value) if (json_integer_value(value) > 0 &&
                                           split_cost(counter, role, name) &&
                                           json_object_size(names) < COSTS_MAX)
    {
        json_object_set_new(roles, role, json_null());
        json_object_set_new(names, name, json_null());
    }
}

/* The costs of a role at a point, in the order of `names`; their sum. */
static int64_t costs_of(const json_t *point, const char *role, const json_t *names,
                        int64_t costs[COSTS_MAX])
{
    const char *name;
    json_t *none;
    int64_t sum = 0;
    size_t i = 0;

    json_object_foreach((json_t *)names, name, none)
    {
        json_t *counter = json_sprintf("%s%s%s_ns", role, cost_mark, name);
        struct html_value value = html_counter(point, json_string_value(counter));

        costs[i] = value.median > 0 ? value.median : 0;
        sum = html_sum(sum, costs[i++]);
        json_decref(counter);
    }
    return sum;
}

static int64_t largest(const struct html_report *report, const json_t *roles, const json_t *names)
{
    int64_t costs[COSTS_MAX], most = 0;
    const char *role;
    json_t *none, *point;
    size_t i;

    json_array_foreach(report->points, i, point) json_object_foreach((json_t *)roles, role, none)
    {
        int64_t sum = costs_of(point, role, names, costs);
        most = sum > most ? sum : most;
    }
    return most;
}

static void put_costs_of(const struct html_report *report, const json_t *point, const char *role,
                         const json_t *names, int64_t most)
{
    int64_t costs[COSTS_MAX], sum = costs_of(point, role, names, costs);

    if (sum == 0)
        return;
    html_put(report->out, "<tr>");
    html_cell_point(report, point);
    html_put(report->out, "<td class=\"text\"><bdi>%t</bdi></td><td class=\"bar\">", role);
    html_bar(report->out, costs, json_object_size(names), most);
    html_put(report->out, "</td>");
    html_cell(report, "ns", true, sum);
    for (size_t i = 0; i < json_object_size(names); i++)
        html_cell(report, "ns", costs[i] > 0, costs[i]);
    html_put(report->out, "</tr>\n");
}

static void put_costs(const struct html_report *report, const json_t *roles, const json_t *names)
{
    int64_t most = largest(report, roles, names), colour = 0;
    const char *name, *role;
    json_t *none, *point;
    size_t i;

    html_put(report->out, "<div class=\"scroll\"><table class=\"sortable\"><thead><tr>");
    html_title_point(report);
    html_put(report->out, "<th scope=\"col\" class=\"text\">part</th><th scope=\"col\" "
                          "class=\"text\">made of</th><th scope=\"col\">in all</th>");
    json_object_foreach((json_t *)names, name, none)
        html_put(report->out, "<th scope=\"col\"><span class=\"key k%i\"></span>%t</th>",
                 colour++ % 8, name);
    html_put(report->out, "</tr></thead><tbody>\n");
    json_array_foreach(report->points, i, point) json_object_foreach((json_t *)roles, role, none)
        put_costs_of(report, point, role, names, most);
    html_put(report->out, "</tbody></table></div>\n");
}

void html_cost_block(struct html_report *report)
{
    json_t *roles = json_object(), *names = json_object();
    bool emulated = strcmp(html_string(report->result, "mode"), "emulated") == 0;

    find_costs(report, roles, names);
    html_put(report->out, "<section id=\"cost\"><h2>Cost breakdown</h2>\n");
    if (json_object_size(names) > 0) {
        html_put(report->out, "<p>Where virtual CPU time went in the measured phase, by key of "
                              "the cost model: medians, bars of one scale.</p>\n");
        put_costs(report, roles, names);
    } else {
        html_absent(report, emulated ? "A run in virtual time (--set mode=virtual) counts what "
                                       "each part of its cost model took."
                                     : "This version of xensock did not count it.");
    }
    html_put(report->out, "</section>\n");
    json_decref(roles);
    json_decref(names);
}

/* ---- resources ---- */

/* The limit that a host's own limits, or else the mode, set; 0 if none is known. */
static int64_t limit_of(const struct html_report *report, const json_t *host, const char *what)
{
    const json_t *limits = json_object_get(host, "limits");
    bool is_virtual = strcmp(html_string(report->result, "mode"), "virtual") == 0;
    int64_t frames = html_integer(limits, "grant_frames"), ports = html_integer(limits, "ports");

    if (strcmp(what, "grants") == 0)
        return (frames > 0 && frames < INT32_MAX ? frames * GRANTS_OF_A_FRAME : HYPERVISOR_GRANTS) -
               HV_REFS_RESERVED;
    if (strcmp(what, "ports") == 0) /* 0 is no port */
        return (ports > 0 ? ports : is_virtual ? HYPERVISOR_PORTS_FIFO : HYPERVISOR_PORTS) - 1;
    return 0;
}

/* The least limit of the hosts that `part` stands for: "frontend" for all of that role,
 * "frontend.web" for one. */
static int64_t limit_of_part(const struct html_report *report, const char *part, const char *what)
{
    const json_t *resolved =
        json_object_get(json_object_get(report->result, "scenario"), "resolved");
    json_t *hosts = json_object_get(json_object_get(resolved, "topology"), "hosts"), *host;
    const char *name, *dot = strchr(part, '.');
    int64_t least = limit_of(report, NULL, what);
    bool found = false;

    json_object_foreach(hosts, name, host)
    {
        size_t bytes = strlen(html_string(host, "role"));
        bool is_meant = strncmp(part, html_string(host, "role"), bytes) == 0 &&
                        (!dot || strcmp(dot + 1, name) == 0);
        int64_t limit = limit_of(report, host, what);

        if (is_meant && (!found || limit < least))
            least = limit;
        found |= is_meant;
    }
    return least;
}

/* Counters that end so, over all points: {NAME: [most, POINT]}. */
static json_t *ending(const struct html_report *report, const char *end)
{
    json_t *found = json_object(), *point, *repeat, *value;
    const char *counter;
    size_t i, j;

    json_array_foreach(report->points, i, point)
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
            json_object_foreach(json_object_get(repeat, "counters"), counter, value)
    {
        const json_t *before = json_array_get(json_object_get(found, counter), 0);
        size_t bytes = strlen(counter);

        if (bytes > strlen(end) && strcmp(counter + bytes - strlen(end), end) == 0 &&
            (!before || json_integer_value(value) > json_integer_value(before)))
            json_object_set_new(found, counter,
                                json_pack("[I, I]", (json_int_t)json_integer_value(value),
                                          (json_int_t)html_integer(point, "id")));
    }
    return found;
}

static void put_peak(const struct html_report *report, const char *counter, const json_t *most)
{
    const char *dot = strrchr(counter, '.');
    size_t bytes = dot ? (size_t)(dot - counter) : 0;
    char part[WORD_BYTES], what[WORD_BYTES];
    int64_t peak = json_integer_value(json_array_get(most, 0)), limit;
    int64_t id = json_integer_value(json_array_get(most, 1));

    snprintf(part, sizeof(part), "%.*s", (int)bytes, counter);
    snprintf(what, sizeof(what), "%s", dot ? dot + 1 : counter);
    what[strlen(what) > 5 ? strlen(what) - 5 : 0] = '\0';
    limit = limit_of_part(report, part, what);
    html_put(report->out, "<tr><th scope=\"row\"><bdi>%t</bdi></th><td class=\"text\">%t</td>",
             part, what);
    html_cell(report, "", true, peak);
    html_cell(report, "", limit > 0, limit);
    html_put(report->out, "<td class=\"bar\">");
    if (limit > 0)
        html_bar(report->out, &peak, 1, limit);
    html_put(report->out, "</td><td><a href=\"#p%i\">%i</a></td></tr>\n", id, id);
}

static void put_leaks(const struct html_report *report)
{
    json_t *left = ending(report, "_left"), *most;
    const char *counter;
    size_t leaks = 0;

    json_object_foreach(left, counter, most)
    {
        int64_t count = json_integer_value(json_array_get(most, 0));
        int64_t id = json_integer_value(json_array_get(most, 1));

        if (count == 0)
            continue;
        if (leaks++ == 0)
            html_put(report->out, "<p class=\"bad\">Left over at the end:</p><ul>");
        html_put(report->out, "<li><code>%t</code>: %i at point <a href=\"#p%i\">", counter, count,
                 id);
        html_put(report->out, "%i</a></li>\n", id);
    }
    if (leaks > 0)
        html_put(report->out, "</ul>\n");
    else if (json_object_size(left) > 0)
        html_put(report->out,
                 "<p>Nothing was left over: all %u counters of what must be given "
                 "back are 0 at the end of every run.</p>\n",
                 json_object_size(left));
    json_decref(left);
}

void html_resources_block(struct html_report *report)
{
    json_t *peaks = ending(report, "_peak"), *most;
    const char *counter;

    if (json_object_size(peaks) > 0) {
        html_put(report->out,
                 "<section id=\"resources\"><h2>Resources</h2>\n<p>The most that one domain of "
                 "a part had at a time, over all points.</p>\n<div class=\"scroll\"><table "
                 "class=\"sortable\"><thead><tr><th scope=\"col\">part</th><th scope=\"col\" "
                 "class=\"text\">of"
                 "</th><th scope=\"col\">most</th><th scope=\"col\">limit</th><th scope=\"col\" "
                 "class=\"bar\">share</th><th scope=\"col\">at point</th></tr></thead><tbody>\n");
        json_object_foreach(peaks, counter, most) put_peak(report, counter, most);
        html_put(report->out, "</tbody></table></div>\n");
        put_leaks(report);
        html_put(report->out, "</section>\n");
    }
    json_decref(peaks);
}
