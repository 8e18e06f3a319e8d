/*
 * What several processes of one role, or of one host, report together. See report.h.
 *
 * Sums, but of times and peaks the largest: what a domain in virtual time is added up to by
 * run_virtual_report.c. Histograms are merged by their counts.
 */
#include "sim/run/report.h"

#include <stdlib.h>
#include <string.h>

#include "sim/run/metrics_counters.h"
#include "sim/run/record.h"

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void add(json_t *sum, const char *key, uint64_t value)
{
    set_number(sum, key, number(sum, key) + value);
}

static void add_largest(json_t *sum, const char *key, uint64_t value)
{
    set_number(sum, key, value > number(sum, key) ? value : number(sum, key));
}

struct metrics_hist *report_hist(const json_t *object)
{
    const char *text = json_string_value(json_object_get(object, "hdr_v2"));
    struct metrics_hist *hist = NULL;

    if (text && metrics_hist_decode(text, &hist) == 0)
        hist->saturated = number(object, "saturated");
    return hist;
}

static void add_hist(json_t *sum, const char *key, const json_t *one)
{
    struct metrics_hist *all = report_hist(json_object_get(sum, key));
    struct metrics_hist *more = report_hist(one);

    if (all && more && metrics_hist_merge(all, more) == 0)
        json_object_set_new(sum, key, report_hist_json(all));
    else if (!all && more)
        json_object_set_new(sum, key, report_hist_json(more));
    metrics_hist_destroy(all);
    metrics_hist_destroy(more);
}

/* A text or a code that says why: the first there is. */
static void add_first(json_t *sum, const char *key, json_t *value)
{
    const json_t *there = json_object_get(sum, key);
    const char *text = json_string_value(there);

    if (!there || (text && text[0] == '\0') || (json_is_integer(there) && number(sum, key) == 0))
        json_object_set(sum, key, value);
}

static void add_workload(json_t *sum, json_t *one, bool single)
{
    const char *key;
    json_t *value;

    json_object_foreach(one, key, value)
    {
        if (strcmp(key, "duration_ns") == 0 || strcmp(key, "most") == 0)
            add_largest(sum, key, number(one, key));
        else if (strncmp(key, "bind_", 5) == 0 || json_is_string(value))
            add_first(sum, key, value);
        else if (json_is_object(value))
            add_hist(sum, key, value);
        else if (json_is_integer(value))
            add(sum, key, number(one, key));
    }
    if (!single) /* of one guest it would be nobody's */
        json_object_set_new(sum, "xxh128", json_string(""));
}

/* Those of the guest's own host; of others it has done nothing. */
static void add_workloads(json_t *sum, const struct scenario *scenario, uint32_t host,
                          const json_t *report)
{
    json_t *workloads = json_object_get(sum, "workloads");

    if (!workloads) {
        workloads = json_array();
        for (uint32_t i = 0; i < scenario->workload_count; i++)
            json_array_append_new(workloads,
                                  json_pack("{s:s}", "name", scenario->workloads[i].name));
        json_object_set_new(sum, "workloads", workloads);
    }
    for (uint32_t i = 0; i < scenario->workload_count; i++)
        if (scenario->workloads[i].host == host)
            add_workload(json_array_get(workloads, i),
                         json_array_get(json_object_get(report, "workloads"), i),
                         scenario->hosts[host].count == 1);
}

static void add_numbers(json_t *sum, const char *key, json_t *numbers)
{
    json_t *into = json_object_get(sum, key), *value;
    const char *name;

    if (!into) {
        into = json_object();
        json_object_set_new(sum, key, into);
    }
    json_object_foreach(numbers, name, value)
    {
        /* cannot be added up: the highest level one of them had, and how long all took */
        if (metrics_counters_is_peak(name) || strcmp(name, "memory_peak_bytes") == 0 ||
            strcmp(name, "wall_ns") == 0)
            add_largest(into, name, number(numbers, name));
        else
            add(into, name, number(numbers, name));
    }
}

/* What is found at `key` of `parts`, made if it is not there, with one more process in it. */
static json_t *add_part(json_t *parts, const char *key, const json_t *report)
{
    json_t *sum = json_object_get(parts, key);

    if (!sum) {
        sum = json_pack("{s:s}", "name", key);
        json_object_set_new(parts, key, sum);
    }
    add(sum, "processes", 1);
    add_numbers(sum, "usage", json_object_get(report, "usage"));
    add_numbers(sum, "counters", json_object_get(report, "counters"));
    if (json_is_string(json_object_get(report, "leak")) && !json_object_get(sum, "leak")) {
        json_object_set(sum, "leak", json_object_get(report, "leak"));
        json_object_set(sum, "leak_of", json_object_get(report, "name"));
    }
    return sum;
}

void report_add(json_t *reports, const struct scenario *scenario, uint32_t host,
                const json_t *report)
{
    bool guest = scenario->hosts[host].role == SCENARIO_FRONTEND;
    json_t *hosts = json_object_get(reports, "hosts");
    json_t *sum = add_part(reports, guest ? "frontend" : "backend", report);

    add_part(hosts, scenario->hosts[host].name, report);
    if (guest)
        add_workloads(sum, scenario, host, report);
}
