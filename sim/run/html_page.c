/* The whole page: head, verdict, and the blocks of the others. See html_page.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/html_private.h"
#include "sim/run/html_texts.h"
#include "sim/run/render_common.h"

#include "ringlib/err.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- the verdict ---- */

struct verdict {
    size_t failed, unknown, expectations, errors;
    bool complete;
};

static struct verdict judge(const json_t *result)
{
    struct verdict verdict = {.complete = json_is_true(json_object_get(result, "complete"))};
    json_t *expectation, *error;
    size_t i;

    json_array_foreach(json_object_get(result, "errors"), i, error) verdict.errors +=
        !render_awaited(error);
    json_array_foreach(json_object_get(result, "expectations"), i, expectation)
    {
        const char *outcome = html_string(expectation, "result");
        verdict.failed += strcmp(outcome, "fail") == 0;
        verdict.unknown += strcmp(outcome, "fail") != 0 && strcmp(outcome, "pass") != 0;
        verdict.expectations++;
    }
    return verdict;
}

static const char *verdict_class(const struct verdict *verdict)
{
    if (verdict->failed > 0 || verdict->errors > 0)
        return "fail";
    return verdict->complete && verdict->unknown == 0 ? "pass" : "unknown";
}

static const char *verdict_word(const struct verdict *verdict)
{
    if (verdict->failed > 0 || verdict->errors > 0)
        return "Failed";
    return !verdict->complete ? "Incomplete" : verdict->unknown > 0 ? "Undecided" : "Passed";
}

static void put_verdict(const struct html_report *report)
{
    struct verdict verdict = judge(report->result);
    FILE *out = report->out;

    html_put(out, "<p class=\"verdict %t\"><strong>%t</strong> <span>", verdict_class(&verdict),
             verdict_word(&verdict));
    if (verdict.failed > 0)
        html_put(out, "%u of %u expectations not met. ", verdict.failed, verdict.expectations);
    else if (verdict.unknown > 0)
        html_put(out, "%u of %u expectations undecided. ", verdict.unknown, verdict.expectations);
    else if (verdict.expectations > 0)
        html_put(out, "%u of %u expectations met. ", verdict.expectations, verdict.expectations);
    if (verdict.errors > 0)
        html_put(out, "%u %t. ", verdict.errors, verdict.errors == 1 ? "error" : "errors");
    if (!verdict.complete)
        html_put(out, "The run did not come to its end. ");
    if (report->point_count == 1 && report->repeat_count == 1)
        html_put(out, "One run.</span></p>\n");
    else
        html_put(out, "%u %t, %u %t%t.</span></p>\n", report->point_count,
                 report->point_count == 1 ? "point" : "points", report->repeat_count,
                 report->repeat_count == 1 ? "repeat" : "repeats",
                 report->point_count == 1 ? "" : " each");
}

/* ---- the header ---- */

static void put_command(const struct html_report *report)
{
    char *command = html_command(report->result, NULL);

    html_put(report->out,
             "<p class=\"command\"><code id=\"command\">%t</code> <button type=\"button\" "
             "data-copy=\"command\" hidden>Copy</button></p>\n",
             command);
    free(command);
}

static void put_header(const struct html_report *report)
{
    const json_t *result = report->result, *scenario = json_object_get(result, "scenario");
    const json_t *resolved = json_object_get(scenario, "resolved"),
                 *host = json_object_get(result, "host");
    FILE *out = report->out;

    html_put(out, "<header><h1><bdi>%t</bdi></h1>\n<p class=\"lead\"><bdi>%t</bdi></p>\n",
             html_string(resolved, "name"), html_string(resolved, "description"));
    put_verdict(report);
    html_put(out,
             "<dl class=\"facts\"><div><dt>Scenario</dt><dd><bdi>%t</bdi> <code>%t</code></dd>"
             "</div><div><dt>Mode</dt><dd>%t</dd></div>",
             html_string(scenario, "file"), html_string(scenario, "xxh3"),
             html_string(result, "mode"));
    html_put(out, "<div><dt>Seed</dt><dd>%i</dd></div><div><dt>Version</dt><dd>%t</dd></div>",
             html_integer(result, "seed"), html_string(json_object_get(result, "tool"), "version"));
    html_put(out, "<div><dt>Host</dt><dd><bdi>%t</bdi>, %i CPUs, %t</dd></div></dl>\n",
             html_string(host, "cpu"), html_integer(host, "cores"), html_string(host, "kernel"));
    put_command(report);
    html_put(out, "</header>\n");
}

/* ---- the body ---- */

static const struct block {
    const char *id, *title;
    void (*write)(struct html_report *report);
} blocks[] = {
    {"errors", "Errors", html_errors_block},
    {"expectations", "Expectations", html_expectations_block},
    {"metrics", "Metrics", html_metrics_block},
    {"compare", "Comparison", html_compare_block},
    {"latency", "Latency", html_latency_block},
    {"time", "Time line", html_time_block},
    {"stages", "Stages", html_stages_block},
    {"cost", "Costs", html_cost_block},
    {"resources", "Resources", html_resources_block},
    {"points", "Points", html_points_block},
    {"scenario", "Scenario", html_scenario_block},
    {"environment", "Environment", html_environment_block},
};
enum { BLOCKS = sizeof(blocks) / sizeof(blocks[0]) };

/* Each block is written aside first, since the links before them are of those that are there. */
static int put_blocks(struct html_report *report)
{
    char *texts[BLOCKS] = {NULL};
    FILE *out = report->out;
    size_t bytes;
    int ret = 0;

    for (size_t i = 0; i < BLOCKS && ret == 0; i++) {
        report->out = open_memstream(&texts[i], &bytes);
        if (report->out)
            blocks[i].write(report);
        if (!report->out || fclose(report->out) != 0)
            ret = -ERR_NOMEM;
    }
    report->out = out;
    html_put(out, "<nav aria-label=\"Contents\"><ul>");
    for (size_t i = 0; i < BLOCKS && ret == 0; i++)
        if (texts[i][0])
            html_put(out, "<li><a href=\"#%t\">%t</a></li>", blocks[i].id, blocks[i].title);
    html_put(out, "</ul></nav>\n<main id=\"main\">\n");
    for (size_t i = 0; i < BLOCKS; i++) {
        if (ret == 0)
            fputs(texts[i], out);
        free(texts[i]);
    }
    html_put(out, "</main>\n");
    return ret;
}

/* ---- the head ---- */

static int hash_bytes(const char *bytes, size_t count, void *state)
{
    XXH3_128bits_update(state, bytes, count);
    return 0;
}

/* What the page's own scripts are marked by. Of all that is shown: nobody can write the mark of a
 * text into that text. */
static bool take_nonce(const struct html_report *report, char nonce[40])
{
    XXH3_state_t *state = XXH3_createState();
    XXH128_hash_t hash;

    if (!state)
        return false;
    XXH3_128bits_reset(state);
    json_dump_callback(report->result, hash_bytes, state, JSON_COMPACT);
    if (report->other)
        json_dump_callback(report->other, hash_bytes, state, JSON_COMPACT);
    hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(nonce, 40, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
    return true;
}

/* With more points than that, what is not on the screen is not laid out. */
enum { LARGE = 50 };

/* A file of tools/report/, by its name. */
static const char *text_of(const char *name)
{
    const struct html_text *text = html_texts;

    while (strcmp(text->name, name) != 0)
        text++;
    return text->text;
}

static void put_head(const struct html_report *report, const char *nonce)
{
    struct verdict verdict = judge(report->result);
    const json_t *resolved =
        json_object_get(json_object_get(report->result, "scenario"), "resolved");
    FILE *out = report->out;

    html_put(out,
             "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta "
             "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
             "script-src 'nonce-%t'; style-src 'nonce-%t'; base-uri 'none'; "
             "form-action 'none'\">\n",
             nonce, nonce);
    html_put(out,
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<meta name=\"referrer\" content=\"no-referrer\">\n"
             "<title>%t: %t \xc2\xb7 xensock</title>\n",
             html_string(resolved, "name"), verdict_word(&verdict));
    html_put(out, "<style nonce=\"%t\">\n", nonce);
    fputs(report->assets->style ? report->assets->style : "", out);
    fputs(text_of("style"), out);
    html_put(out,
             "</style></head>\n<body%t><a class=\"skip\" href=\"#main\">Skip to the content</a>\n",
             report->point_count > LARGE ? " class=large" : "");
}

static void put_missing(const struct html_report *report)
{
    if (!report->assets->script)
        html_put(report->out,
                 "<p class=\"missing\" role=\"note\">No charts: %t All numbers are in the "
                 "tables.</p>\n",
                 report->assets->missing);
    else
        html_put(report->out, "<noscript><p class=\"missing\">Charts need scripts; all numbers "
                              "are in the tables.</p></noscript>\n");
}

static void put_scripts(const struct html_report *report, const char *nonce)
{
    FILE *out = report->out;

    html_put(out, "<script type=\"application/json\" id=\"data\">");
    html_json(out, report->data);
    html_put(out, "</script>\n");
    if (report->assets->script) {
        html_put(out, "<script nonce=\"%t\">", nonce);
        fputs(report->assets->script, out);
        html_put(out, "</script>\n");
    }
    html_put(out, "<script nonce=\"%t\">", nonce);
    fputs(text_of("script"), out);
    html_put(out, "</script>\n");
}

static void put_footer(const struct html_report *report)
{
    html_put(report->out,
             "<footer><p>Made by xensock from a result of schema <code>%t</code>. "
             "Nothing here is loaded from elsewhere.</p>\n",
             html_string(report->result, "schema"));
    if (report->assets->script && report->assets->licence)
        html_put(report->out,
                 "<details><summary>Charts are drawn by uPlot; its licence</summary>"
                 "<pre tabindex=\"0\">%t</pre></details>\n",
                 report->assets->licence);
    html_put(report->out, "</footer>\n");
}

/* ---- data ---- */

/* Where the points are: {"axes": [NAME], "points": [{"id", "at": [TEXT], "x": [INTEGER or null]}]}.
 */
static void add_places(struct html_report *report)
{
    json_t *axes = json_array(), *points = json_array(), *axis, *point;
    size_t i, j;

    json_array_foreach(report->axes, i, axis)
        json_array_append_new(axes, html_visible(html_string(axis, "name")));
    json_array_foreach(report->points, i, point)
    {
        json_t *at = json_array(), *x = json_array();

        json_array_foreach(report->axes, j, axis)
        {
            const json_t *value =
                json_object_get(json_object_get(point, "axes"), html_string(axis, "name"));
            json_t *text = html_axis_text(axis, point);

            json_array_append_new(at, html_visible(json_string_value(text)));
            json_array_append_new(
                x, json_is_integer(value) ? json_integer(json_integer_value(value)) : json_null());
            json_decref(text);
        }
        json_array_append_new(points,
                              json_pack("{s:I, s:o, s:o}", "id",
                                        (json_int_t)html_integer(point, "id"), "at", at, "x", x));
    }
    json_object_set_new(report->data, "axes", axes);
    json_object_set_new(report->data, "points", points);
}

int html_page(FILE *out, const json_t *result, const json_t *other,
              const struct html_assets *assets)
{
    struct html_report report = {.out = out,
                                 .result = result,
                                 .other = other,
                                 .assets = assets,
                                 .points = json_object_get(result, "points"),
                                 .axes = json_object_get(result, "axes"),
                                 .data = json_pack("{s:[]}", "charts")};
    int ret = -ERR_NOMEM;
    json_t *point;
    char nonce[40];
    size_t i;

    report.point_count = json_array_size(report.points);
    json_array_foreach(report.points, i, point)
    {
        size_t repeats = json_array_size(json_object_get(point, "repeats"));
        report.repeat_count = repeats > report.repeat_count ? repeats : report.repeat_count;
    }
    report.names = html_metric_names(report.points);
    if (report.names && report.data && take_nonce(&report, nonce)) {
        add_places(&report);
        put_head(&report, nonce);
        put_header(&report);
        put_missing(&report);
        ret = put_blocks(&report);
        put_footer(&report);
        put_scripts(&report, nonce);
        html_put(out, "</body></html>\n");
    }
    json_decref(report.names);
    json_decref(report.data);
    return ret;
}
