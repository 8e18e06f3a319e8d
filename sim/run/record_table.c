/*
 * The table of a result, for people. See record.h.
 *
 * Reads the JSON and nothing else, so that a stored result prints like a fresh one. Numbers are
 * rounded here, and only here. A value that is missing prints as "-". A grid is an array of rows,
 * a row an array of strings, the first of which is a name.
 */
#include "sim/run/record.h"
#include "sim/run/units.h"

#include <inttypes.h>
#include <string.h>

#define COLUMNS_MAX 10

/* ---- cells: each appends one to a row ---- */

static void add_text(json_t *row, const char *text)
{
    json_array_append_new(row, json_string(text));
}

static void add_count(json_t *row, const json_t *count)
{
    char text[UNITS_TEXT_BYTES] = "-";

    if (json_is_integer(count))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(count));
    add_text(row, text);
}

static void add_time(json_t *row, const json_t *time_ns)
{
    uint64_t value = (uint64_t)json_integer_value(time_ns);

    add_text(row, json_is_integer(time_ns) ? units_format_latency(value).text : "-");
}

static void add_rate(json_t *row, const json_t *bytes_per_s)
{
    uint64_t value = (uint64_t)json_integer_value(bytes_per_s);

    add_text(row, json_is_integer(bytes_per_s) ? units_format_rate(value).text : "-");
}

/* Operations in a time, per second, whole ones. */
static void add_operations_rate(json_t *row, const json_t *operations, uint64_t duration_ns)
{
    char text[UNITS_TEXT_BYTES] = "-";

    if (json_is_integer(operations) && duration_ns > 0)
        snprintf(text, sizeof(text), "%" PRIu64 "/s",
                 record_rate((uint64_t)json_integer_value(operations), duration_ns));
    add_text(row, text);
}

/* One decimal, cut, in the largest binary unit up to GiB that the size fills, KiB at least. */
static void add_size(json_t *row, const json_t *size_bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    uint64_t size = (uint64_t)json_integer_value(size_bytes), rest;
    char text[UNITS_TEXT_BYTES] = "-";
    size_t unit = 0;

    for (; size >= 1024 * 1024 && unit < 2; unit++)
        size /= 1024;
    rest = size % 1024;
    if (json_is_integer(size_bytes))
        snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64 " %s", size / 1024, rest * 10 / 1024,
                 units[unit]);
    add_text(row, text);
}

/* ---- grids ---- */

static json_t *new_row(json_t *grid, const char *name)
{
    json_array_append_new(grid, json_pack("[s]", name));
    return json_array_get(grid, json_array_size(grid) - 1);
}

/* Terminal columns of a UTF-8 text, one for each character. */
static size_t text_columns(const char *text)
{
    size_t columns = 0;

    for (; *text != '\0'; text++)
        columns += (*text & 0xc0) != 0x80;
    return columns;
}

static void print_row(FILE *out, const json_t *row, const size_t widths[COLUMNS_MAX])
{
    size_t i;
    json_t *cell;

    json_array_foreach(row, i, cell)
    {
        const char *text = json_string_value(cell);
        int padding = (int)(widths[i] - text_columns(text));

        if (i == 0)
            fprintf(out, "%s%*s", text, padding, "");
        else
            fprintf(out, "  %*s%s", padding, "", text);
    }
    fputc('\n', out);
}

/* Prints a grid that has more than its titles, names to the left, the rest to the right, and an
 * empty line; takes it. */
static void print_grid(FILE *out, json_t *grid)
{
    size_t widths[COLUMNS_MAX] = {0}, r, i;
    json_t *row, *cell;

    json_array_foreach(grid, r, row) json_array_foreach(row, i, cell)
    {
        size_t columns = text_columns(json_string_value(cell));

        widths[i] = columns > widths[i] ? columns : widths[i];
    }
    if (json_array_size(grid) > 1) {
        json_array_foreach(grid, r, row) print_row(out, row, widths);
        fputc('\n', out);
    }
    json_decref(grid);
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
        add_text(row, "");
}

/* Of an open loop: how long it took once begun, what was wanted, and what was left of that. */
static void add_open_loop(json_t *grid, const json_t *metrics, const char *name)
{
    const json_t *offered = metric(metrics, "offered", name, "value");
    const json_t *backlog = metric(metrics, "backlog", name, "value");
    json_t *row = new_row(grid, "  service");

    add_blanks(row, 4);
    add_latencies(row, metrics, "service", name);
    row = new_row(grid, "  offered");
    add_blanks(row, 3);
    add_operations_rate(row, offered, 1000000000);
    if (json_integer_value(backlog) > 0) {
        row = new_row(grid, "  backlog");
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
        json_t *row = new_row(grid, ways[i].title);
        add_blanks(row, 1);
        add_size(row, metric(metrics, ways[i].kind, name, "value"));
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const json_t *count = metric(metrics, "forwarded", name, ends[i].member);
        if (json_integer_value(count) == 0)
            continue;
        json_t *row = new_row(grid, ends[i].title);
        add_blanks(row, 2);
        add_count(row, count);
    }
}

static void add_workload(json_t *grid, const json_t *metrics, const char *name)
{
    json_t *row = new_row(grid, name);
    json_t *operations = metric(metrics, "operations", name, "value");

    add_rate(row, metric(metrics, "throughput", name, "value"));
    add_size(row, metric(metrics, "bytes", name, "value"));
    add_count(row, operations);
    add_operations_rate(row, operations,
                        (uint64_t)json_integer_value(metric(metrics, "duration", name, "value")));
    add_latencies(row, metrics, "latency", name);
    if (metric(metrics, "released", name, "count")) {
        row = new_row(grid, "  released");
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
    print_grid(out, grid);
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
        json_t *row = new_row(grid, text);

        add_time(row, json_object_get(process, "cpu_user_ns"));
        add_time(row, json_object_get(process, "cpu_system_ns"));
        add_count(row, json_object_get(process, "switches_voluntary"));
        add_count(row, json_object_get(process, "switches_involuntary"));
        add_count(row, json_object_get(process, "faults_minor"));
        add_size(row, json_object_get(process, "memory_peak_bytes"));
    }
    print_grid(out, grid);
}

/* Those worth a look at each run, a column each. All of them are in the JSON. */
static void add_counters(json_t *grid, const json_t *counters, const char *part)
{
    static const char *const names[] = {"notifications", "wakeups",       "copies",
                                        "room_waits",    "request_waits", "ring_full",
                                        "maps",          "grants_peak",   "ports_peak"};
    json_t *row = new_row(grid, part);

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
    print_grid(out, grid);
}

/* What a run in virtual time is known by. */
static void print_trace(FILE *out, const json_t *repeat)
{
    const char *trace = json_string_value(json_object_get(repeat, "trace"));
    uint64_t virtual_ns = (uint64_t)json_integer_value(json_object_get(repeat, "virtual_ns"));

    if (!trace)
        return;
    fprintf(out, "virtual %s, costs of %s\n", units_format_latency(virtual_ns).text,
            json_string_value(json_object_get(json_object_get(repeat, "cost_model"), "name")));
    fprintf(out, "trace %s\n", trace);
}

static void print_verdict(FILE *out, const json_t *result)
{
    const json_t *errors = json_object_get(result, "errors");
    size_t i, count = json_array_size(errors);
    json_t *error;

    json_array_foreach(errors, i, error)
    {
        const char *code = json_string_value(json_object_get(error, "code"));
        const char *message = json_string_value(json_object_get(error, "message"));

        fprintf(out, "error[%s]: %s\n", code == NULL ? "-" : code, message == NULL ? "-" : message);
    }
    if (count > 0)
        fprintf(out, "FAIL: %zu %s", count, count == 1 ? "error" : "errors");
    else
        fputs(json_is_true(json_object_get(result, "complete")) ? "ok" : "INCOMPLETE", out);
    if (count > 0 && !json_is_true(json_object_get(result, "complete")))
        fputs(", incomplete", out);
    fputc('\n', out);
}

void record_print_table(FILE *out, const json_t *result)
{
    const json_t *point = json_array_get(json_object_get(result, "points"), 0);
    const json_t *repeat = json_array_get(json_object_get(point, "repeats"), 0);

    print_workloads(out, json_object_get(repeat, "metrics"));
    print_processes(out, json_object_get(repeat, "processes"));
    print_counters(out, json_object_get(repeat, "counters"));
    print_trace(out, repeat);
    print_verdict(out, result);
}
