/* Reports of the parts of a run. See report.h. */
#include "sim/run/report.h"

#include <stddef.h>
#include <stdlib.h>

json_t *report_hist_json(const struct metrics_hist *hist)
{
    if (!hist)
        return NULL;
    char *text = metrics_hist_encode(hist);
    json_t *object =
        json_pack("{s:s, s:I}", "hdr_v2", text, "saturated", (json_int_t)hist->saturated);
    free(text);
    return object;
}

json_t *report_workload(const char *name, const struct workload_result *result)
{
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:s, s:o?, s:o?, s:o?, s:I, "
        "s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
        "name", name, "duration_ns", (json_int_t)result->duration_ns, "bytes",
        (json_int_t)result->bytes, "operations", (json_int_t)result->operations, "sent_bytes",
        (json_int_t)result->sent_bytes, "received_bytes", (json_int_t)result->received_bytes,
        "mismatches", (json_int_t)result->mismatches, "errors", (json_int_t)result->errors,
        "connections", (json_int_t)result->connections, "connected", (json_int_t)result->connected,
        "bind_error", -result->bind_error, "bind_port", (int)result->bind_port, "error",
        result->first_error_text, "latency", report_hist_json(result->latency), "service",
        report_hist_json(result->service), "released", report_hist_json(result->released),
        "backlog", (json_int_t)result->backlog, "xxh128", result->received_xxh128, "listeners",
        (int)result->listeners, "accepted_least", (json_int_t)result->accepted_least,
        "accepted_most", (json_int_t)result->accepted_most, "starved", (json_int_t)result->starved,
        "lost", (json_int_t)result->lost, "resumed", (json_int_t)result->resumed, "joined",
        (json_int_t)result->forwarded.joined, "refused", (json_int_t)result->forwarded.refused,
        "resets", (json_int_t)result->forwarded.resets, "held_out",
        (json_int_t)result->forwarded.held_out, "cut_off", (json_int_t)result->forwarded.now,
        "most", (json_int_t)result->forwarded.most);
}

static const struct counter {
    const char *name;
    size_t offset;
} peer_counters[] = {
#define COUNTER(name)                                                                              \
    {                                                                                              \
#name, offsetof(struct peer_counters, name)                                                \
    }
    COUNTER(connections),      COUNTER(connect_failures), COUNTER(bytes_in),
    COUNTER(bytes_out),        COUNTER(mismatches),       COUNTER(short_streams),
    COUNTER(protocol_errors),  COUNTER(resets),           COUNTER(first_bad_stream),
    COUNTER(first_bad_offset),
#undef COUNTER
};

/* Stream numbers come from whoever connected, so they may be too large for JSON: the top bit goes.
 */
static uint64_t counter_value(const struct peer_counters *all, const struct counter *counter)
{
    return *(const uint64_t *)(const void *)((const char *)all + counter->offset) & INT64_MAX;
}

json_t *report_peer_counters(const struct peer_counters *counters)
{
    json_t *json = json_object();

    for (size_t i = 0; i < sizeof(peer_counters) / sizeof(peer_counters[0]); i++)
        json_object_set_new(json, peer_counters[i].name,
                            json_integer((json_int_t)counter_value(counters, &peer_counters[i])));
    if (counters->cut > 0) /* only where there are faults */
        json_object_set_new(json, "cut", json_integer((json_int_t)counters->cut));
    return json;
}
