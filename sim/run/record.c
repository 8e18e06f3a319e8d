/*
 * Building and writing a result. See record.h; record_host.c looks at host and process,
 * record_table.c prints.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sim/run/record.h"

#include "ringlib/err.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* jansson refuses a NULL value by returning -1, so a failed allocation need be looked for once. */
static int set_new(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0 ? 0 : -ERR_NOMEM;
}

static json_t *integer(uint64_t value)
{
    assert(value <= INT64_MAX);
    return json_integer((json_int_t)value);
}

/* The one repeat of the one point. */
static json_t *repeat_of(const json_t *result)
{
    json_t *point = json_array_get(json_object_get(result, "points"), 0);

    return json_array_get(json_object_get(point, "repeats"), 0);
}

json_t *record_begin(json_t *scenario, json_t *host, const char *version, const char *mode,
                     uint64_t seed)
{
    assert(seed <= INT64_MAX);
    return json_pack("{s:s, s:b, s:{s:s}, s:O, s:O, s:s, s:I, "
                     "s:[{s:i, s:{}, s:[{s:i, s:i, s:{}, s:[], s:{}}]}], s:[]}",
                     "schema", "xensock/result/1", "complete", 0, "tool", "version", version,
                     "scenario", scenario, "host", host, "mode", mode, "seed", (json_int_t)seed,
                     "points", "id", 0, "axes", "repeats", "i", 0, "wall_ns", 0, "metrics",
                     "processes", "counters", "errors");
}

struct record_usage record_usage_between(const struct record_usage *from,
                                         const struct record_usage *to)
{
    return (struct record_usage){
        .wall_ns = to->wall_ns - from->wall_ns,
        .cpu_user_ns = to->cpu_user_ns - from->cpu_user_ns,
        .cpu_system_ns = to->cpu_system_ns - from->cpu_system_ns,
        .switches_voluntary = to->switches_voluntary - from->switches_voluntary,
        .switches_involuntary = to->switches_involuntary - from->switches_involuntary,
        .faults_minor = to->faults_minor - from->faults_minor,
        .memory_peak_bytes = to->memory_peak_bytes,
    };
}

int record_add_process(json_t *result, const char *name, uint32_t count,
                       const struct record_usage *usage)
{
    json_t *process = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", name, "count", integer(count),
        "cpu_user_ns", integer(usage->cpu_user_ns), "cpu_system_ns", integer(usage->cpu_system_ns),
        "switches_voluntary", integer(usage->switches_voluntary), "switches_involuntary",
        integer(usage->switches_involuntary), "faults_minor", integer(usage->faults_minor),
        "memory_peak_bytes", integer(usage->memory_peak_bytes));

    if (json_array_append_new(json_object_get(repeat_of(result), "processes"), process) != 0)
        return -ERR_NOMEM;
    return 0;
}

/* Schoolbook division, one decimal of the second at a time: no product exceeds 64 bits. */
uint64_t record_rate(uint64_t amount, uint64_t duration_ns)
{
    uint64_t rate, rest;

    assert(duration_ns >= 1 && duration_ns <= UINT64_C(1) << 60);
    rate = amount / duration_ns;
    rest = amount % duration_ns;
    for (int i = 0; i < 9; i++) {
        rate = rate * 10 + rest * 10 / duration_ns;
        rest = rest * 10 % duration_ns;
    }
    return rate;
}

/* Sets the metric KIND.WORKLOAD; takes `metric`. */
static int set_metric(json_t *result, const char *kind, const char *workload, json_t *metric)
{
    json_t *key = json_sprintf("%s.%s", kind, workload);
    int ret =
        set_new(json_object_get(repeat_of(result), "metrics"), json_string_value(key), metric);

    json_decref(key);
    return ret;
}

static int set_value(json_t *result, const char *kind, const char *workload, const char *unit,
                     uint64_t value)
{
    json_t *metric = json_pack("{s:s, s:o}", "unit", unit, "value", integer(value));

    return set_metric(result, kind, workload, metric);
}

json_t *record_hist(const struct metrics_hist *hist)
{
    char *text = metrics_hist_encode(hist);
    json_t *metric = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "unit", "ns",
                               "count", integer(hist->count), "saturated", integer(hist->saturated),
                               "min", integer(metrics_hist_min_ns(hist)), "p50",
                               integer(metrics_hist_percentile_ns(hist, 500000)), "p90",
                               integer(metrics_hist_percentile_ns(hist, 900000)), "p99",
                               integer(metrics_hist_percentile_ns(hist, 990000)), "p99_9",
                               integer(metrics_hist_percentile_ns(hist, 999000)), "max",
                               integer(metrics_hist_max_ns(hist)), "hdr_v2", text);

    free(text);
    return metric;
}

static int add_open_loop(json_t *result, const struct record_workload *workload)
{
    const char *name = workload->name;
    int ret = set_value(result, "offered", name, "operations_per_s", workload->offered_per_s);

    if (ret == 0)
        ret = set_value(result, "backlog", name, "operations", workload->backlog);
    if (ret == 0 && workload->service != NULL)
        ret = set_metric(result, "service", name, record_hist(workload->service));
    return ret;
}

static int add_accepted(json_t *result, const struct record_workload *workload)
{
    return set_metric(result, "accepted", workload->name,
                      json_pack("{s:s, s:o, s:i, s:o, s:o, s:o*}", "unit", "connections", "value",
                                integer(workload->accepted), "listeners", (int)workload->listeners,
                                "least", integer(workload->accepted_least), "most",
                                integer(workload->accepted_most), "no_room",
                                workload->starved > 0 ? integer(workload->starved) : NULL));
}

static int add_forwarded(json_t *result, const struct record_workload *workload)
{
    int ret = set_value(result, "sent", workload->name, "bytes", workload->sent_bytes);

    if (ret == 0)
        ret = set_value(result, "received", workload->name, "bytes", workload->received_bytes);
    if (ret != 0)
        return ret;
    return set_metric(result, "forwarded", workload->name,
                      json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "unit", "connections",
                                "value", integer(workload->accepted), "joined",
                                integer(workload->joined), "refused", integer(workload->refused),
                                "reset", integer(workload->resets), "held_out",
                                integer(workload->held_out), "cut_off", integer(workload->cut_off),
                                "most", integer(workload->most)));
}

int record_add_workload(json_t *result, const struct record_workload *workload)
{
    const char *name = workload->name;
    uint64_t throughput = 0;
    int ret;

    if (workload->duration_ns > 0)
        throughput = record_rate(workload->bytes, workload->duration_ns);
    ret = set_value(result, "throughput", name, "bytes_per_s", throughput);
    if (ret == 0)
        ret = set_value(result, "bytes", name, "bytes", workload->bytes);
    if (ret == 0)
        ret = set_value(result, "operations", name, "operations", workload->operations);
    if (ret == 0)
        ret = set_value(result, "duration", name, "ns", workload->duration_ns);
    if (ret == 0 && workload->latency != NULL)
        ret = set_metric(result, "latency", name, record_hist(workload->latency));
    if (ret == 0 && workload->released != NULL)
        ret = set_metric(result, "released", name, record_hist(workload->released));
    if (ret == 0 && workload->offered_per_s > 0)
        ret = add_open_loop(result, workload);
    if (ret == 0 && workload->listeners > 0)
        ret = add_accepted(result, workload);
    if (ret == 0 && workload->forwards)
        ret = add_forwarded(result, workload);
    if (ret == 0 && workload->cuts)
        ret = set_value(result, "lost", name, "connections", workload->lost);
    if (ret == 0 && workload->cuts)
        ret = set_value(result, "resumed", name, "times", workload->resumed);
    return ret;
}

int record_add_digest(json_t *result, const char *name, uint64_t bytes, const char *xxh128)
{
    json_t *metrics = json_object_get(repeat_of(result), "metrics");
    char key[128];

    snprintf(key, sizeof(key), "received.%s", name);
    return set_new(
        metrics, key,
        json_pack("{s:s, s:o, s:s}", "unit", "bytes", "value", integer(bytes), "xxh128", xxh128));
}

int record_add_virtual(json_t *result, const struct record_virtual *run)
{
    json_t *repeat = repeat_of(result);
    int ret = set_new(repeat, "trace", json_string(run->trace));

    if (ret == 0)
        ret = set_new(repeat, "virtual_ns", integer(run->virtual_ns));
    if (ret == 0 && run->model)
        ret = set_new(repeat, "cost_model",
                      json_pack("{s:s, s:s}", "name", run->model, "xxh128", run->model_xxh128));
    return ret;
}

int record_add_faults(json_t *result, json_t *faults)
{
    return set_new(repeat_of(result), "faults", json_incref(faults));
}

int record_add_counter(json_t *result, const char *name, uint64_t value)
{
    json_t *counters = json_object_get(repeat_of(result), "counters");
    uint64_t before = (uint64_t)json_integer_value(json_object_get(counters, name));

    return set_new(counters, name, integer(before + value));
}

/* `text` as a JSON string, every byte above ASCII replaced if they are no UTF-8. */
static json_t *string_of_bytes(const char *text)
{
    json_t *string = json_string(text);
    char *ascii;

    if (string != NULL)
        return string;
    ascii = strdup(text);
    if (ascii == NULL)
        return NULL;
    for (char *c = ascii; *c != '\0'; c++)
        if ((*c & 0x80) != 0)
            *c = '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

int record_add_error(json_t *result, const char *code, const char *message)
{
    json_t *error = json_pack("{s:s, s:o}", "code", code, "message", string_of_bytes(message));

    return json_array_append_new(json_object_get(result, "errors"), error) == 0 ? 0 : -ERR_NOMEM;
}

int record_finish(json_t *result, uint64_t wall_ns, bool complete)
{
    int ret = set_new(repeat_of(result), "wall_ns", integer(wall_ns));

    return ret == 0 ? set_new(result, "complete", json_boolean(complete)) : ret;
}

/* ---- writing ---- */

/* Negated errno of the call that just failed, EIO if it did not say. */
static int last_error(void)
{
    return errno > 0 ? -errno : -EIO;
}

/* Writes the text through to the disk; takes `fd`. */
static int write_and_close(const json_t *result, int fd)
{
    FILE *file = fdopen(fd, "w");
    int ret = 0;

    if (file == NULL) {
        ret = last_error();
        close(fd);
        return ret;
    }
    errno = 0;
    if (json_dumpf(result, file, JSON_INDENT(1)) != 0 || fputc('\n', file) == EOF ||
        fflush(file) != 0 || fsync(fd) != 0)
        ret = last_error();
    if (fclose(file) != 0 && ret == 0)
        ret = last_error();
    return ret;
}

/* A temporary name of our own: two runs into one directory must not share it, and what a killed
 * run left may be written over. */
static int write_into(const json_t *result, int directory_fd)
{
    char temporary[64];
    int ret, fd;

    snprintf(temporary, sizeof(temporary), ".result.json.%ld", (long)getpid());
    fd = openat(directory_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                0666);
    if (fd < 0)
        return last_error();
    ret = write_and_close(result, fd);
    if (ret == 0 && renameat(directory_fd, temporary, directory_fd, "result.json") != 0)
        ret = last_error();
    if (ret != 0)
        unlinkat(directory_fd, temporary, 0);
    else if (fsync(directory_fd) != 0)
        ret = last_error();
    return ret;
}

int record_write(const json_t *result, const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ret;

    if (fd < 0)
        return last_error();
    ret = write_into(result, fd);
    close(fd);
    return ret;
}
