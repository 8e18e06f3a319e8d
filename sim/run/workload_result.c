/*
 * What came of a guest's workloads, and what they still wait for. See workload.h.
 */
#include <inttypes.h>
#include <stdio.h>

#include "sim/run/workload_private.h"

static const struct wl *find(const struct workload_set *set, uint32_t index)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->wls[i].index == index)
            return &set->wls[i];
    return NULL;
}

/* How evenly a serve's listeners accepted. */
static void spread(const struct wl *wl, struct workload_result *result)
{
    if (!wl->listeners)
        return;
    result->listeners = wl->spec->listeners;
    result->accepted_least = UINT64_MAX;
    for (uint32_t i = 0; i < wl->spec->listeners; i++) {
        uint64_t accepted = wl->listeners[i].accepted;
        if (accepted < result->accepted_least)
            result->accepted_least = accepted;
        if (accepted > result->accepted_most)
            result->accepted_most = accepted;
    }
}

bool workload_result(const struct workload_set *set, uint32_t i, struct workload_result *result)
{
    const struct wl *wl = find(set, i);
    bool measured = set->measure_ns != 0;

    *result = (struct workload_result){0};
    if (!wl)
        return false;
    uint64_t end_ns = wl->finished ? wl->end_ns : set->now_ns;
    uint64_t end_carried = wl->finished ? wl->end_carried : workload_carried(wl);
    uint64_t end_operations = wl->finished ? wl->end_operations : wl->operations;
    *result = (struct workload_result){
        .duration_ns = wl->begun && measured && end_ns > wl->base_ns ? end_ns - wl->base_ns : 0,
        .bytes = measured && end_carried > wl->base_carried ? end_carried - wl->base_carried : 0,
        .operations = wl->begun && measured ? end_operations - wl->base_operations : 0,
        .sent_bytes = wl->sent,
        .received_bytes = wl->received,
        .mismatches = wl->mismatches,
        .errors = wl->errors,
        .connections = wl->connections,
        .connected = wl->connected,
        .first_error = wl->first_error,
        .bind_error = wl->bind_error,
        .bind_port = wl->bind_port,
        .latency = wl->times->latency,
        .service = wl->times->service,
        .released = wl->times->released,
        .backlog = wl->backlog,
        .forwarded = workload_forward_counters(wl),
        .lost = wl->lost,
        .starved = wl->starved,
        .resumed = set->resumed};
    memcpy(result->first_error_text, wl->first_error_text, sizeof(result->first_error_text));
    spread(wl, result);
    if (wl->digesting)
        payload_digest_text(&wl->digest, result->received_xxh128);
    return true;
}

uint64_t workload_progress(const struct workload_set *set)
{
    uint64_t progress = set->phase + set->resumed;

    for (uint32_t i = 0; i < set->count; i++)
        progress += set->wls[i].sent + set->wls[i].received + set->wls[i].operations +
                    set->wls[i].connections + set->wls[i].served + set->wls[i].lost;
    return progress;
}

/* What a socket waits for, or NULL. */
static const char *waits_for(const struct conn *conn)
{
    const struct wl *wl = conn->wl;

    switch (conn->state) {
    case CONN_IDLE: return NULL;
    case CONN_CONNECTING: return wl->conns ? "the answer to CONNECT" : NULL;
    case CONN_RELEASING: return "the answer to RELEASE";
    case CONN_OPEN: break;
    }
    if (!wl->conns)
        return conn->echo_bytes > 0 ? "room to send" : "bytes or their end";
    if (conn->header_left > 0 || conn->sent < conn->to_send)
        return "room to send";
    return conn->idle ? NULL : "bytes or their end";
}

static void look_at(const struct conn *conn, uint32_t *count, const struct conn **first)
{
    if (!waits_for(conn))
        return;
    if ((*count)++ == 0)
        *first = conn;
}

static size_t wl_waits(const struct wl *wl, char *text, size_t bytes, uint64_t *sock)
{
    const struct conn *first = NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; wl->conns && i < wl->spec->sockets; i++)
        if (wl->conns[i].wl)
            look_at(&wl->conns[i], &count, &first);
    for (const struct conn *conn = wl->served_conns; conn; conn = conn->next)
        look_at(conn, &count, &first);
    if (count == 0)
        return 0;
    *sock = first->sock;
    int length = snprintf(text, bytes,
                          "%s: %" PRIu32 " of its sockets; socket %" PRIu32
                          " waits for %s (sent %" PRIu64 ", received %" PRIu64 " bytes)",
                          wl->spec->name, count, first->number, waits_for(first), first->sent,
                          first->received);
    return length > 0 && (size_t)length < bytes ? (size_t)length : bytes - 1;
}

void workload_waits(const struct workload_set *set, char *text, size_t bytes, uint64_t *sock)
{
    uint64_t ignored;
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < set->count; i++) {
        size_t start = used;
        if (used > 0 && bytes - used > 2)
            used += (size_t)snprintf(text + used, bytes - used, "; ");
        size_t more =
            wl_waits(&set->wls[i], text + used, bytes - used, used == 0 && sock ? sock : &ignored);
        used = more > 0 ? used + more : start;
        text[used] = '\0';
    }
}

void workload_expects(const struct workload_set *set, char *text, size_t bytes)
{
    bool open = set->phase == WORKLOAD_WARMUP || set->phase == WORKLOAD_MEASURE;

    text[0] = '\0';
    for (uint32_t i = 0; open && i < set->count && !text[0]; i++) {
        const struct wl *wl = &set->wls[i];
        if (!wl->finished && wl->connections < wl->spec->accepts)
            snprintf(text, bytes, "%s: for connections (accepted %" PRIu64 " of %" PRIu64 ")",
                     wl->spec->name, wl->connections, wl->spec->accepts);
    }
}
