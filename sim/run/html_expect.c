/* The blocks of the verdict: expectations, each with the case that says most, and errors. */
#include "sim/run/html_private.h"

#include <string.h>

/* ---- expectations ---- */

/* A quantity as a verdict words it ("39.7 ms"), in thousandths of its smallest unit; 0 if it is
 * none. */
static int64_t worded(const char *text)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1},
                 {" ns", 1},
                 {" us", 1000},
                 {" ms", 1000000},
                 {" s", 1000000000},
                 {" B/s", 1},
                 {" kB/s", 1000},
                 {" MB/s", 1000000},
                 {" GB/s", 1000000000},
                 {" B", 1},
                 {" KiB", 1024},
                 {" MiB", 1024 * 1024},
                 {" GiB", 1024 * 1024 * 1024},
                 {"/s", 1},
                 {" %", 1},
                 {"%", 1}};
    uint64_t millionths;
    char number[24];
    size_t digits = strspn(text, "0123456789.");

    if (digits >= sizeof(number))
        return 0;
    snprintf(number, sizeof(number), "%.*s", (int)digits, text);
    if (units_parse_decimal(number, &millionths) != UNITS_OK)
        return 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(units[i].unit, text + digits) == 0 &&
            millionths / 1000 < (uint64_t)(INT64_MAX / units[i].factor))
            return (int64_t)(millionths / 1000) * units[i].factor;
    return 0;
}

/* How many times the limit is missed, in thousandths; 0 if the words do not tell. */
static int64_t missed_by(const json_t *one)
{
    int64_t measured = worded(html_string(one, "measured"));
    int64_t limit = worded(html_string(one, "limit"));
    int64_t more = measured > limit ? measured : limit, less = measured > limit ? limit : measured;

    if (less == 0)
        return more > 0 ? INT64_MAX : 0;
    return more > INT64_MAX / 1000 ? more / less : more * 1000 / less;
}

/* Anything is worse than none. */
static bool is_worse(const json_t *one, const json_t *than)
{
    static const char *const order[] = {"pass", "unknown", "fail"};
    const char *outcome = html_string(one, "result"), *other = html_string(than, "result");
    int64_t failed = html_integer(one, "failed"), others = html_integer(than, "failed");
    int rank = 1, others_rank = 1;

    for (int i = 0; i < 3; i++) {
        rank = strcmp(outcome, order[i]) == 0 ? i : rank;
        others_rank = strcmp(other, order[i]) == 0 ? i : others_rank;
    }
    if (!than || rank != others_rank)
        return !than || rank > others_rank;
    return failed != others ? failed > others : rank == 2 && missed_by(one) > missed_by(than);
}

/* The case that says most: one that failed in most repeats, of these the one farthest from its
 * limit; then an undecided one; then the first. */
static const json_t *worst_case(const json_t *expectation)
{
    const json_t *worst = NULL;
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(expectation, "cases"), i, one) if (is_worse(one, worst))
        worst = one;
    return worst;
}

static void put_place(const struct html_report *report, const json_t *point)
{
    json_t *other, *name;
    size_t i;

    json_array_foreach(report->points, i, other)
    {
        if (!json_is_integer(point) ||
            html_integer(other, "id") != (int64_t)json_integer_value(point))
            continue;
        name = html_point_name(report, other);
        html_put(report->out, "<a href=\"#p%i\">%i</a> ", html_integer(other, "id"),
                 html_integer(other, "id"));
        html_put(report->out, "<bdi>%t</bdi>", json_string_value(name));
        json_decref(name);
        return;
    }
    if (json_is_null(point))
        html_put(report->out, "all points");
}

static void put_badge(FILE *out, const char *outcome)
{
    bool pass = strcmp(outcome, "pass") == 0, fail = strcmp(outcome, "fail") == 0;

    html_put(out, "<td><span class=\"badge %t\">%t</span></td>",
             pass   ? "pass"
             : fail ? "fail"
                    : "unknown",
             pass || fail ? outcome : "unknown");
}

static void put_expectation(const struct html_report *report, const json_t *expectation)
{
    const json_t *worst = worst_case(expectation);
    FILE *out = report->out;

    html_put(out, "<tr><th scope=\"row\"><bdi>%t</bdi></th><td class=\"text\"><code>%t</code></td>",
             html_string(expectation, "name"), html_string(expectation, "that"));
    put_badge(out, html_string(expectation, "result"));
    html_put(out, "<td class=\"text\">");
    put_place(report, json_object_get(worst, "point"));
    html_put(out, "</td><td>%t</td><td>%t</td><td class=\"text\">%t</td></tr>\n",
             html_string(worst, "measured"), html_string(worst, "limit"),
             html_string(worst, "why"));
}

static void put_cases(const struct html_report *report, const json_t *expectation)
{
    FILE *out = report->out;
    json_t *one;
    size_t i;

    if (json_array_size(json_object_get(expectation, "cases")) < 2)
        return;
    html_put(out,
             "<details><summary>Each case of <bdi>%t</bdi></summary><div class=\"scroll\"><table "
             "class=\"sortable\"><thead><tr><th scope=\"col\">point</th><th scope=\"col\">result"
             "</th><th scope=\"col\">failed</th><th scope=\"col\">of</th><th scope=\"col\">"
             "measured</th><th scope=\"col\">limit</th><th scope=\"col\" class=\"text\">why</th>"
             "</tr></thead><tbody>\n",
             html_string(expectation, "name"));
    json_array_foreach(json_object_get(expectation, "cases"), i, one)
    {
        html_put(out, "<tr><th scope=\"row\">");
        put_place(report, json_object_get(one, "point"));
        html_put(out, "</th>");
        put_badge(out, html_string(one, "result"));
        html_put(out, "<td>%i</td><td>%i</td>", html_integer(one, "failed"),
                 html_integer(one, "of"));
        html_put(out, "<td>%t</td><td>%t</td><td class=\"text\">%t</td></tr>\n",
                 html_string(one, "measured"), html_string(one, "limit"), html_string(one, "why"));
    }
    html_put(out, "</tbody></table></div></details>\n");
}

void html_expectations_block(struct html_report *report)
{
    const json_t *expectations = json_object_get(report->result, "expectations");
    FILE *out = report->out;
    json_t *expectation;
    size_t i;

    html_put(out, "<section id=\"expectations\"><h2>Expectations</h2>\n");
    if (json_array_size(expectations) == 0) {
        html_absent(report, "The scenario's key expect says what must hold. Without it a run "
                            "passes if every byte arrived and nothing was left over.");
    } else {
        html_put(out, "<div class=\"scroll\"><table class=\"sortable\"><thead><tr><th scope="
                      "\"col\">name</th><th scope=\"col\" class=\"text\">expected</th><th "
                      "scope=\"col\">result</th><th scope=\"col\" class=\"text\">worst point</th>"
                      "<th scope=\"col\">measured</th><th scope=\"col\">limit</th><th scope="
                      "\"col\" class=\"text\">why</th></tr></thead><tbody>\n");
        json_array_foreach(expectations, i, expectation) put_expectation(report, expectation);
        html_put(out, "</tbody></table></div>\n");
        json_array_foreach(expectations, i, expectation) put_cases(report, expectation);
    }
    html_put(out, "</section>\n");
}

/* ---- errors ---- */

void html_errors_block(struct html_report *report)
{
    const json_t *errors = json_object_get(report->result, "errors");
    FILE *out = report->out;
    json_t *error;
    size_t i;

    if (json_array_size(errors) == 0)
        return;
    html_put(out,
             "<section id=\"errors\"><h2>Errors</h2>\n<div class=\"scroll\"><table><thead>"
             "<tr><th scope=\"col\">code</th><th scope=\"col\" class=\"text\">message</th><th "
             "scope=\"col\" class=\"text\">point</th><th scope=\"col\">repeat</th></tr></thead>"
             "<tbody>\n");
    json_array_foreach(errors, i, error)
    {
        const json_t *repeat = json_object_get(error, "repeat");

        html_put(out,
                 "<tr><th scope=\"row\"><code>%t</code></th><td class=\"text\">%t</td><td "
                 "class=\"text\">",
                 html_string(error, "code"), html_string(error, "message"));
        put_place(report, json_object_get(error, "point"));
        html_put(out, "</td>");
        html_cell(report, "", json_is_integer(repeat), json_integer_value(repeat));
        html_put(out, "</tr>\n");
    }
    html_put(out, "</tbody></table></div></section>\n");
}
