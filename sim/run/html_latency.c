/*
 * The blocks of histograms: of operations by percentile, and of the stages of the path.
 *
 * A point's histograms are those of its repeats added up, from their HdrHistogram V2 text; what
 * cannot be read is said in the row, and the rest is shown. A curve has eight values to each nine
 * of the axis, as far as there are operations behind them.
 */
#include "sim/run/html_private.h"
#include "sim/run/metrics_hist.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 8, CURVE = 6 * STEPS + 1, PPM = 1000000 };

/* A histogram of a point, taken apart. */
struct curve {
    uint64_t count, saturated, min, max;
    uint64_t at[CURVE]; /* value i: of the share 1 - 10^-(i/8) */
    size_t known;       /* of these, as many as the count bears */
    size_t unreadable;  /* repeats left out */
};

/* Columns of a table, as places on a curve; those of p50, which is on none, are between. */
static const struct {
    const char *title;
    size_t at;
} columns[] = {{"p90", STEPS},
               {"p99", 2 * STEPS},
               {"p99.9", 3 * STEPS},
               {"p99.99", 4 * STEPS},
               {"p99.999", 5 * STEPS}};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* 10^-(i/8) in millionths, for i of 0 to 7. */
static const uint32_t rest_ppm[STEPS] = {1000000, 749894, 562341, 421697,
                                         316228,  237137, 177828, 133352};

/* What is above step i of the axis, in millionths. */
static uint32_t above_ppm(size_t i)
{
    uint32_t rest = rest_ppm[i % STEPS];

    for (size_t nine = 0; nine < i / STEPS; nine++)
        rest /= 10;
    return rest;
}

/* ---- taking histograms apart ---- */

/* The rank, from 1, of the share `ppm`: as metrics_hist_percentile_ns has it. */
static uint64_t rank_of(uint64_t count, uint32_t ppm)
{
    uint64_t rank = count / PPM * ppm + (count % PPM * ppm + PPM - 1) / PPM;

    return rank > 0 ? rank : 1;
}

/* One pass over the buckets: the steps ascend. */
static void fill_curve(struct curve *curve, const struct metrics_hist *hist)
{
    uint64_t seen = 0;
    size_t bucket = 0;

    curve->count = hist->count;
    curve->min = metrics_hist_min_ns(hist);
    curve->max = metrics_hist_max_ns(hist);
    for (size_t i = 0; i < CURVE && hist->count > 0; i++) {
        uint32_t above = above_ppm(i);
        uint64_t rank = rank_of(hist->count, PPM - above);

        while (bucket < hist->bucket_count && seen + hist->buckets[bucket] < rank)
            seen += hist->buckets[bucket++];
        curve->at[i] = i == 0 ? curve->min : metrics_hist_greatest_ns(bucket);
        if (hist->count / PPM * above + hist->count % PPM * above / PPM >= 1)
            curve->known = i + 1;
    }
}

/* The histogram `name` of all repeats of a point; NULL if none has it. */
static struct metrics_hist *merge_repeats(const json_t *point, const char *name,
                                          struct curve *curve)
{
    struct metrics_hist *all = NULL;
    json_t *repeat;
    size_t i;

    json_array_foreach(json_object_get(point, "repeats"), i, repeat)
    {
        const json_t *metric = json_object_get(json_object_get(repeat, "metrics"), name);
        const char *text = json_string_value(json_object_get(metric, "hdr_v2"));
        struct metrics_hist *hist = NULL;

        if (!text)
            continue;
        curve->saturated += (uint64_t)html_integer(metric, "saturated");
        if (metrics_hist_decode(text, &hist) != 0) {
            curve->unreadable++;
        } else if (!all) {
            all = hist;
        } else {
            curve->unreadable += metrics_hist_merge(all, hist) != 0;
            metrics_hist_destroy(hist);
        }
    }
    return all;
}

/* A point's histogram; false if it has none. */
static bool take_curve(const json_t *point, const char *name, struct curve *curve,
                       struct metrics_hist **hist)
{
    memset(curve, 0, sizeof(*curve));
    *hist = merge_repeats(point, name, curve);
    if (*hist)
        fill_curve(curve, *hist);
    return *hist != NULL || curve->unreadable > 0;
}

/* What a chart draws: the count, the steps that are known, the largest. */
static json_t *curve_json(const struct curve *curve)
{
    json_t *values = json_pack("[I]", (json_int_t)curve->count);

    for (size_t i = 0; i < curve->known; i++)
        json_array_append_new(values, json_integer((json_int_t)curve->at[i]));
    json_array_append_new(values, json_integer((json_int_t)curve->max));
    return values;
}

/* ---- names ---- */

static bool is_stage(const char *name)
{
    return strncmp(name, "stage.", 6) == 0;
}

/* The histograms of any point: {NAME: null}. */
static json_t *histogram_names(const struct html_report *report, bool stages)
{
    json_t *names = json_object(), *point, *repeat, *metric;
    const char *name;
    size_t i, j;

    json_array_foreach(report->points, i, point)
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
            json_object_foreach(json_object_get(repeat, "metrics"), name,
                                metric) if (json_is_string(json_object_get(metric, "hdr_v2")) &&
                                            is_stage(name) == stages)
                json_object_set_new(names, name, json_null());
    return names;
}

/* ---- tables ---- */

static void put_title(const struct html_report *report, const char *what)
{
    html_put(report->out, "<div class=\"scroll\"><table class=\"sortable\"><thead><tr>");
    html_title_point(report);
    html_put(report->out,
             "<th scope=\"col\" class=\"text\">%t</th><th scope=\"col\">count</th><th "
             "scope=\"col\">least</th>"
             "<th scope=\"col\">p50</th>",
             what);
    for (size_t i = 0; i < COLUMNS; i++)
        html_put(report->out, "<th scope=\"col\">%t</th>", columns[i].title);
    html_put(report->out, "<th scope=\"col\">most</th></tr></thead><tbody>\n");
}

static void put_cells(const struct html_report *report, const struct curve *curve,
                      const struct metrics_hist *hist)
{
    bool has = curve->count > 0;

    html_cell(report, "", true, (int64_t)curve->count);
    html_cell(report, "ns", has, (int64_t)curve->min);
    html_cell(report, "ns", has, has ? (int64_t)metrics_hist_percentile_ns(hist, PPM / 2) : 0);
    for (size_t i = 0; i < COLUMNS; i++)
        html_cell(report, "ns", columns[i].at < curve->known, (int64_t)curve->at[columns[i].at]);
    html_cell(report, "ns", has, (int64_t)curve->max);
}

static void put_row(const struct html_report *report, const json_t *point, const char *name,
                    json_t *curves)
{
    struct metrics_hist *hist;
    struct curve curve;

    if (!take_curve(point, name, &curve, &hist)) {
        json_array_append_new(curves, json_null());
        return;
    }
    json_array_append_new(curves, curve_json(&curve));
    html_put(report->out, "<tr>");
    html_cell_point(report, point);
    html_put(report->out, "<td class=\"text\"><bdi>%t</bdi>", name);
    if (curve.unreadable > 0)
        html_put(report->out, " <small class=\"bad\">without %u unreadable</small>",
                 curve.unreadable);
    if (curve.saturated > 0)
        html_put(report->out, " <small class=\"bad\">%i longer than can be counted</small>",
                 (int64_t)curve.saturated);
    html_put(report->out, "</td>");
    put_cells(report, &curve, hist);
    html_put(report->out, "</tr>\n");
    metrics_hist_destroy(hist);
}

/* The curves of the other result's points that are also here, for the chart alone. */
static json_t *other_curves(const struct html_report *report, const char *name)
{
    json_t *curves = json_array(), *point;
    struct metrics_hist *hist;
    struct curve curve;
    size_t i;

    json_array_foreach(report->points, i, point)
    {
        const json_t *same = html_same_point(report->other, point);
        bool has = same && take_curve(same, name, &curve, &hist);

        json_array_append_new(curves, has ? curve_json(&curve) : json_null());
        if (has)
            metrics_hist_destroy(hist);
    }
    return curves;
}

/* The table of these histograms, and their curves into the data under `key`. */
static void put_histograms(struct html_report *report, const json_t *names, const char *key,
                           const char *what)
{
    json_t *list = json_array(), *point, *none;
    const char *name;
    size_t i;

    put_title(report, what);
    json_object_foreach((json_t *)names, name, none)
    {
        json_t *entry = json_pack("{s:o, s:[]}", "name", html_visible(name), "of");

        json_array_foreach(report->points, i, point)
            put_row(report, point, name, json_object_get(entry, "of"));
        if (report->other)
            json_object_set_new(entry, "other", other_curves(report, name));
        json_array_append_new(list, entry);
    }
    html_put(report->out, "</tbody></table></div>\n");
    json_object_set_new(report->data, key, list);
}

void html_latency_block(struct html_report *report)
{
    json_t *names = histogram_names(report, false);

    if (json_object_size(names) > 0) {
        html_put(report->out,
                 "<section id=\"latency\"><h2>Latency by percentile</h2>\n<p><i>latency</i> is "
                 "from the intended start of an operation, <i>service</i> from the actual one. "
                 "The repeats of a point are added up; a percentile with less than one operation "
                 "above it is left out.</p>\n<div class=\"picker\" data-pick=\"latency\"></div>"
                 "<div class=\"wide\" data-curves=\"latency\"></div>\n");
        put_histograms(report, names, "latency", "histogram");
        html_put(report->out, "</section>\n");
    }
    json_decref(names);
}

/* ---- stages ---- */

/* Of each stage its p99, as bars of one scale. */
static void put_bars(const struct html_report *report, const json_t *point, const json_t *names)
{
    int64_t longest = 0;
    const char *name;
    json_t *none, *title = html_point_name(report, point);

    json_object_foreach((json_t *)names, name, none)
    {
        json_t *key = json_sprintf("%s.p99", name);
        struct html_value value = html_metric(point, json_string_value(key));
        longest = value.median > longest ? value.median : longest;
        json_decref(key);
    }
    html_put(report->out,
             "<table class=\"bars\"><caption>Point %i <bdi>%t</bdi>: p99 of each stage</caption>"
             "<tbody>",
             html_integer(point, "id"), json_string_value(title));
    json_decref(title);
    json_object_foreach((json_t *)names, name, none)
    {
        json_t *key = json_sprintf("%s.p99", name);
        struct html_value value = html_metric(point, json_string_value(key));

        html_put(report->out, "<tr><th scope=\"row\">%t</th>", name + strlen("stage."));
        html_cell(report, "ns", value.count > 0, value.median);
        html_put(report->out, "<td class=\"bar\">");
        html_bar(report->out, &value.median, 1, longest);
        html_put(report->out, "</td></tr>\n");
        json_decref(key);
    }
    html_put(report->out, "</tbody></table>\n");
}

void html_stages_block(struct html_report *report)
{
    json_t *names = histogram_names(report, true);

    html_put(report->out, "<section id=\"stages\"><h2>Stages of the path</h2>\n");
    if (json_object_size(names) > 0) {
        html_put(report->out, "<p>How long bytes and commands spent at each stage between the "
                              "application, the rings, the sockets and back.</p>\n");
        html_lost(report);
        put_bars(report, json_array_get(report->points, 0), names);
        html_put(report->out, "<div class=\"picker\" data-pick=\"stages\"></div><div "
                              "class=\"wide\" data-curves=\"stages\"></div>\n");
        put_histograms(report, names, "stages", "stage");
    } else {
        html_absent(report, "xensock run --stages records how long each stage took.");
    }
    html_put(report->out, "</section>\n");
    json_decref(names);
}
