/*
 * The table of a result, for people. See record.h.
 *
 * Reads the JSON and nothing else, so that a stored result prints like a fresh one. Numbers are
 * rounded here, and only here. A value that is missing prints as "-". Of several runs it is a row a
 * point: record_points.c.
 */
#include "sim/run/grid.h"
#include "sim/run/record.h"
#include "sim/run/record_points.h"
#include "sim/run/units.h"

#include <inttypes.h>
#include <string.h>

/* Errors of several runs that are told in a line each. */
enum { ERRORS_SHOWN = 8 };

/* ---- cells: each appends one to a row ---- */

static void add_count(json_t *row, const json_t *count)
{
    char text[UNITS_TEXT_BYTES] = "-";

    if (json_is_integer(count))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(count));
    grid_text(row, text);
}

static void add_time(json_t *row, const json_t *time_ns)
{
    uint64_t value = (uint64_t)json_integer_value(time_ns);

    grid_text(row, json_is_integer(time_ns) ? units_format_latency(value).text : "-");
}

static void add_rate(json_t *row, const json_t *bytes_per_s)
{
    uint64_t value = (uint64_t)json_integer_value(bytes_per_s);

    grid_text(row, json_is_integer(bytes_per_s) ? units_format_rate(value).text : "-");
}

/* Operations in a time, per second, whole ones. */
static void add_operations_rate(json_t *row, const json_t *operations, uint64_t duration_ns)
{
    char text[UNITS_TEXT_BYTES] = "-";

    if (json_is_integer(operations) && duration_ns > 0)
        snprintf(text, sizeof(text), "%" PRIu64 "/s",
                 record_rate((uint64_t)json_integer_value(operations), duration_ns));
    grid_text(row, text);
}

/* One decimal, cut, in the largest binary unit up to GiB that the size fills, KiB at least. */
static void add_size(json_t *row, const json_t *size_bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    uint64_t size = (uint64_t)json_integer_value(size_bytes), scale = 1024;
    char text[UNITS_TEXT_BYTES] = "-";
    size_t unit = 0;

    for (; size >= scale * 1024 && unit < 2; unit++)
        scale *= 1024;
    if (json_is_integer(size_bytes))
        snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64 " %s", size / scale,
                 size % scale * 10 / scale, units[unit]);
    grid_text(row, text);
}

/* ---- what is printed ---- */

static json_t *metric(const json_t *metrics, const char *kind, const char *workload,
                      const char *member)
{
    json_t *key = json_sprintf("%s.%s", kind, workload);
    json_t *value = json_object_get(json_object_get(metrics, json_string_value(key)), member);

    json_decref(key);
    return value;
}

static void add_latencies(json_t *row, const json_t *metrics, const char *kind, const char *name)
{
    static const char *const members[] = {"p50", "p90", "p99", "p99_9", "max"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        add_time(row, metric(metrics, kind, name, members[i]));
}

static void add_blanks(json_t *row, int count)
{
    for (int i = 0; i < count; i++)
        grid_text(row, "");
}

/* Of an open loop: how long it took once begun, what was wanted, and what was left of that. */
static void add_open_loop(json_t *grid, const json_t *metrics, const char *name)
{
    const json_t *offered = metric(metrics, "offered", name, "value");
    const json_t *backlog = metric(metrics, "backlog", name, "value");
    json_t *row = grid_row(grid, "  service");

    add_blanks(row, 4);
    add_latencies(row, metrics, "service", name);
    row = grid_row(grid, "  offered");
    add_blanks(row, 3);
    add_operations_rate(row, offered, 1000000000);
    if (json_integer_value(backlog) > 0) {
        row = grid_row(grid, "  backlog");
        add_blanks(row, 2);
        add_count(row, backlog);
    }
}

/* Of a forward: its bytes each way, and what became of connections that did not end well. */
static void add_forwarded(json_t *grid, const json_t *metrics, const char *name)
{
    static const struct {
        const char *member, *title;
    } ends[] = {{"refused", "  refused"}, {"reset", "  reset"}, {"cut_off", "  cut off"}};
    static const struct {
        const char *kind, *title;
    } ways[] = {{"sent", "  sent"}, {"received", "  received"}};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        json_t *row = grid_row(grid, ways[i].title);
        add_blanks(row, 1);
        add_size(row, metric(metrics, ways[i].kind, name, "value"));
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const json_t *count = metric(metrics, "forwarded", name, ends[i].member);
        if (json_integer_value(count) == 0)
            continue;
        json_t *row = grid_row(grid, ends[i].title);
        add_blanks(row, 2);
        add_count(row, count);
    }
}

static void add_workload(json_t *grid, const json_t *metrics, const char *name)
{
    json_t *row = grid_row(grid, name);
    json_t *operations = metric(metrics, "operations", name, "value");

    add_rate(row, metric(metrics, "throughput", name, "value"));
    add_size(row, metric(metrics, "bytes", name, "value"));
    add_count(row, operations);
    add_operations_rate(row, operations,
                        (uint64_t)json_integer_value(metric(metrics, "duration", name, "value")));
    add_latencies(row, metrics, "latency", name);
    if (metric(metrics, "released", name, "count")) {
        row = grid_row(grid, "  released");
        add_blanks(row, 4);
        add_latencies(row, metrics, "released", name);
    }
    if (metric(metrics, "offered", name, "value"))
        add_open_loop(grid, metrics, name);
    if (metric(metrics, "forwarded", name, "value"))
        add_forwarded(grid, metrics, name);
}

static void print_workloads(FILE *out, json_t *metrics)
{
    static const char prefix[] = "throughput.";
    json_t *grid = json_pack("[[s,s,s,s,s,s,s,s,s,s]]", "workload", "throughput", "bytes",
                             "operations", "rate", "p50", "p90", "p99", "p99.9", "max");
    const char *key;
    json_t *value;

    json_object_foreach(metrics, key, value) if (strncmp(key, prefix, strlen(prefix)) == 0)
        add_workload(grid, metrics, key + strlen(prefix));
    grid_print(out, grid);
}

/* How long each stage took: a path's name, then those of its stages below it. */
static void print_stages(FILE *out, json_t *metrics)
{
    static const char prefix[] = "stage.";
    json_t *grid = json_pack("[[s,s,s,s,s,s,s,s]]", "stage", "count", "mean", "p50", "p90", "p99",
                             "p99.9", "max");
    const char *key;
    json_t *value;

    json_object_foreach(metrics, key, value)
    {
        const char *name = key + strlen(prefix), *dot;
        uint64_t count = (uint64_t)json_integer_value(json_object_get(value, "count"));
        uint64_t sum_ns = (uint64_t)json_integer_value(json_object_get(value, "sum"));
        char text[64];

        if (strncmp(key, prefix, strlen(prefix)) != 0 || count == 0)
            continue;
        dot = strchr(name, '.');
        snprintf(text, sizeof(text), dot ? "  %s" : "%s", dot ? dot + 1 : name);
        json_t *row = grid_row(grid, text);
        add_count(row, json_object_get(value, "count"));
        grid_text(row, units_format_latency(sum_ns / count).text);
        add_latencies(row, metrics, "stage", name);
    }
    grid_print(out, grid);
}

static void print_processes(FILE *out, const json_t *processes)
{
    json_t *grid = json_pack("[[s,s,s,s,s,s,s]]", "process", "cpu user", "cpu system", "switches",
                             "preempted", "faults", "peak memory");
    json_t *process;
    size_t i;

    json_array_foreach(processes, i, process)
    {
        const char *name = json_string_value(json_object_get(process, "name"));
        json_int_t count = json_integer_value(json_object_get(process, "count"));
        char text[128];

        snprintf(text, sizeof(text), count > 1 ? "%s x %" JSON_INTEGER_FORMAT : "%s",
                 name == NULL ? "-" : name, count);
        json_t *row = grid_row(grid, text);

        add_time(row, json_object_get(process, "cpu_user_ns"));
        add_time(row, json_object_get(process, "cpu_system_ns"));
        add_count(row, json_object_get(process, "switches_voluntary"));
        add_count(row, json_object_get(process, "switches_involuntary"));
        add_count(row, json_object_get(process, "faults_minor"));
        add_size(row, json_object_get(process, "memory_peak_bytes"));
    }
    grid_print(out, grid);
}

/* Those worth a look at each run, a column each. All of them are in the JSON. */
static void add_counters(json_t *grid, const json_t *counters, const char *part)
{
    static const char *const names[] = {"notifications", "wakeups",       "copies",
                                        "room_waits",    "request_waits", "ring_full",
                                        "maps",          "grants_peak",   "ports_peak"};
    json_t *row = grid_row(grid, part);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *key = json_sprintf("%s.%s", part, names[i]);
        add_count(row, json_object_get(counters, json_string_value(key)));
        json_decref(key);
    }
}

/* A domain's counters are "PART.NAME": of all of a role, and of each host if there are several. */
static void print_counters(FILE *out, json_t *counters)
{
    static const char each[] = ".notifications";
    json_t *grid = json_pack("[[s,s,s,s,s,s,s,s,s,s]]", "counts", "notified", "woken", "copies",
                             "room waits", "slot waits", "ring full", "maps", "grants", "ports");
    const char *key;
    json_t *value;

    json_object_foreach(counters, key, value)
    {
        size_t bytes = strlen(key), end = strlen(each);
        char part[128];

        if (bytes <= end || strcmp(key + bytes - end, each) != 0)
            continue;
        snprintf(part, sizeof(part), "%.*s", (int)(bytes - end), key);
        add_counters(grid, counters, part);
    }
    grid_print(out, grid);
}

/* What a run in virtual time is known by. */
static void print_trace(FILE *out, const json_t *repeat)
{
    const char *trace = json_string_value(json_object_get(repeat, "trace"));
    uint64_t virtual_ns = (uint64_t)json_integer_value(json_object_get(repeat, "virtual_ns"));
    const char *model =
        json_string_value(json_object_get(json_object_get(repeat, "cost_model"), "name"));

    if (!trace)
        return;
    fprintf(out, "virtual %s%s%s\n", units_format_latency(virtual_ns).text,
            model ? ", costs of " : "", model ? model : "");
    fprintf(out, "trace %s\n", trace);
}

/* An error, with the run it is of if there are several, in full or in one line. */
static void print_error(FILE *out, const json_t *error, bool several, bool in_full)
{
    bool expected = json_is_true(json_object_get(error, "expected"));
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    const json_t *point = json_object_get(error, "point");
    int bytes;

    message = message == NULL ? "-" : message;
    bytes = (int)(in_full ? strlen(message) : strcspn(message, "\n"));
    fprintf(out, "%s[%s]: ", expected ? "expected" : "error", code == NULL ? "-" : code);
    if (several && point)
        fprintf(out, "point %" JSON_INTEGER_FORMAT " repeat %" JSON_INTEGER_FORMAT ": ",
                json_integer_value(point), json_integer_value(json_object_get(error, "repeat")));
    fprintf(out, "%.*s\n", bytes, message);
}

/* Of several runs those that were expected and all behind the first in one line each. */
static void print_errors(FILE *out, const json_t *errors, bool several)
{
    size_t i, shown = 0, in_full = 0;
    json_t *error;

    json_array_foreach(errors, i, error)
    {
        bool whole =
            !several || (in_full == 0 && !json_is_true(json_object_get(error, "expected")));
        if (several && !whole && shown == ERRORS_SHOWN)
            continue;
        print_error(out, error, several, whole);
        shown += several && !whole;
        in_full += whole;
    }
    if (shown + in_full < json_array_size(errors))
        fprintf(out, "and %zu more\n", json_array_size(errors) - shown - in_full);
}

/* Those that are no part of what is expected. */
static size_t count_errors(const json_t *errors)
{
    size_t count = 0, i;
    json_t *error;

    json_array_foreach(errors, i, error) count += !json_is_true(json_object_get(error, "expected"));
    return count;
}

static void print_verdict(FILE *out, const json_t *result)
{
    const json_t *expectations = json_object_get(result, "expectations");
    bool complete = json_is_true(json_object_get(result, "complete"));
    size_t errors = count_errors(json_object_get(result, "errors")), i, failed = 0;
    json_t *one;

    json_array_foreach(expectations, i, one) failed +=
        strcmp(json_string_value(json_object_get(one, "result")), "pass") != 0;
    if (errors > 0)
        fprintf(out, "FAIL: %zu %s", errors, errors == 1 ? "error" : "errors");
    if (failed > 0)
        fprintf(out, "%s%zu of %zu expectations failed", errors > 0 ? ", " : "FAIL: ", failed,
                json_array_size(expectations));
    if (errors + failed == 0)
        fputs(complete ? "ok" : "INCOMPLETE", out);
    else if (!complete)
        fputs(", incomplete", out);
    fputc('\n', out);
}

static void print_run(FILE *out, const json_t *repeat)
{
    print_workloads(out, json_object_get(repeat, "metrics"));
    print_stages(out, json_object_get(repeat, "metrics"));
    print_processes(out, json_object_get(repeat, "processes"));
    print_counters(out, json_object_get(repeat, "counters"));
    print_trace(out, repeat);
}

void record_print_table(FILE *out, const json_t *result)
{
    const json_t *points = json_object_get(result, "points");
    const json_t *repeats = json_object_get(json_array_get(points, 0), "repeats");
    bool several = json_array_size(points) > 1 || json_array_size(repeats) > 1;

    if (!several)
        print_run(out, json_array_get(repeats, 0));
    else
        record_print_points(out, result);
    record_print_expectations(out, result);
    print_errors(out, json_object_get(result, "errors"), several);
    print_verdict(out, result);
}
