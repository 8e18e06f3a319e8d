/*
 * What of a run is compared, and which way is better. See compare.h.
 */
#include "sim/run/compare_private.h"

#include <string.h>

/* Metrics by their first word. */
static const struct {
    const char *kind;
    int better;
} kinds[] = {
    {"throughput", 1}, {"operations", 1}, {"resumed", 0},      {"latency", -1},
    {"service", -1},   {"released", -1},  {"backlog", -1},     {"lost", -1},
    {"recovery", -1},  {"stage", -1},     {"failed_runs", -1}, {"code", -1},
};

/* Counters, and what is derived, by how the name ends, or what is in it. */
static const char *const less_is_better[] = {
    ".notifications",     ".wakeups",         ".copies",          ".room_waits",
    ".request_waits",     ".ring_full",       ".peer_faults",     ".refused",
    ".cpu_busy_ns",       ".cpu_switches",    ".sockets_left",    ".grants_left",
    ".ports_left",        ".mismatches",      ".short_streams",   ".connect_failures",
    ".tcp_read_waits",    ".tcp_write_waits", ".protocol_errors", ".resets",
    ".mapped_pages_left", ".failed",
};

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);

    return length >= tail && strcmp(name + length - tail, end) == 0;
}

int compare_direction(const char *name)
{
    size_t word = strcspn(name, ".");

    if (ends_with(name, ".count") || ends_with(name, ".saturated"))
        return 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strlen(kinds[i].kind) == word && strncmp(kinds[i].kind, name, word) == 0)
            return kinds[i].better;
    for (size_t i = 0; i < sizeof(less_is_better) / sizeof(less_is_better[0]); i++)
        if (ends_with(name, less_is_better[i]))
            return -1;
    return strstr(name, ".cost.") || strstr(name, "_per_operation") || strstr(name, "_per_mib") ? -1
                                                                                                : 0;
}

static void put(json_t *values, const char *name, const char *unit, json_int_t value)
{
    compare_set(values, name, json_pack("{s:s, s:I}", "unit", unit, "value", value));
}

/* A metric with one value by its name, a histogram by its percentiles. */
static void put_metric(json_t *values, const char *name, const json_t *metric)
{
    static const char *const percentiles[] = {"p50", "p99"};
    const char *unit = json_string_value(json_object_get(metric, "unit"));
    const json_t *value = json_object_get(metric, "value");

    if (!unit || compare_direction(name) == 0 || strncmp(name, "operations.", 11) == 0)
        return; /* what counts operations in a time says what throughput does */
    if (json_is_integer(value))
        put(values, name, unit, json_integer_value(value));
    for (size_t i = 0; i < 2 && !value; i++) {
        json_t *key = json_sprintf("%s.%s", name, percentiles[i]);
        const json_t *percentile = json_object_get(metric, percentiles[i]);
        if (json_is_integer(percentile) && json_integer_value(json_object_get(metric, "count")) > 0)
            put(values, json_string_value(key), unit, json_integer_value(percentile));
        json_decref(key);
    }
}

/* amount * scale / whole, rounded down; what does not fit loses its last digits. */
static json_int_t per(uint64_t amount, uint64_t scale, uint64_t whole)
{
    while (amount > INT64_MAX / scale) {
        amount /= 2;
        whole /= 2;
    }
    return whole > 0 ? (json_int_t)(amount * scale / whole) : 0;
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* CPU time of both cores: of their processes, or as modelled. */
static uint64_t cpu_ns(const json_t *repeat)
{
    const json_t *counters = json_object_get(repeat, "counters"), *process;
    uint64_t sum =
        number(counters, "frontend.cpu_busy_ns") + number(counters, "backend.cpu_busy_ns");
    size_t i;

    json_array_foreach(json_object_get(repeat, "processes"), i, process)
    {
        const char *name = json_string_value(json_object_get(process, "name"));
        if (name && strncmp(name, "peer.", 5) != 0 && strcmp(name, "hypervisor") != 0)
            sum += number(process, "cpu_user_ns") + number(process, "cpu_system_ns");
    }
    return sum;
}

/* Operations and bytes of all workloads; `streams`: one of them moves bytes without counting. */
struct work {
    uint64_t operations, bytes;
    bool streams;
};

static void add_work(struct work *work, const json_t *metrics, const char *workload)
{
    json_t *bytes = json_sprintf("bytes.%s", workload);
    json_t *operations = json_sprintf("operations.%s", workload);
    uint64_t moved = number(json_object_get(metrics, json_string_value(bytes)), "value");
    uint64_t done = number(json_object_get(metrics, json_string_value(operations)), "value");

    work->operations += done;
    work->bytes += moved;
    work->streams |= done == 0 && moved > 0;
    json_decref(bytes);
    json_decref(operations);
}

static void put_derived(json_t *values, const json_t *repeat, const struct work *work)
{
    const json_t *counters = json_object_get(repeat, "counters");
    const uint64_t mib = UINT64_C(1) << 20, cpu = cpu_ns(repeat);
    const uint64_t notified =
        number(counters, "frontend.notifications") + number(counters, "backend.notifications");

    if (work->operations > 0) {
        put(values, "notifications_per_operation", "thousandths",
            per(notified, 1000, work->operations));
        put(values, "cpu_per_operation", "ns", per(cpu, 1, work->operations));
    }
    if (work->streams) {
        put(values, "notifications_per_mib", "thousandths", per(notified, 1000 * mib, work->bytes));
        put(values, "cpu_per_mib", "ns", per(cpu, mib, work->bytes));
    }
}

json_t *compare_values(const json_t *repeat)
{
    json_t *metrics = json_object_get(repeat, "metrics"), *values = json_object(), *metric;
    struct work work = {0};
    const char *name;

    json_object_foreach(metrics, name, metric)
    {
        put_metric(values, name, metric);
        if (strncmp(name, "bytes.", 6) == 0)
            add_work(&work, metrics, name + 6);
    }
    put_derived(values, repeat, &work);
    return values;
}

bool compare_wants(const struct compare_options *options, const char *name)
{
    for (uint32_t i = 0; i < options->metric_count; i++)
        if (strncmp(name, options->metrics[i], strlen(options->metrics[i])) == 0)
            return true;
    return options->metric_count == 0;
}
