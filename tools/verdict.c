/* Judges a run. See verdict.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/verdict.h"

#include "ringlib/err.h"
#include "sim/run/model.h"
#include "sim/run/peer_fault.h"
#include "sim/run/record.h"
#include "sim/run/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <xxhash.h>

struct verdict {
    const struct scenario *scenario;
    const struct launch_outcome *outcome;
    struct diag_list *diags;
    json_t *result;
    int code;
};

static void breach(struct verdict *verdict, int code, const char *number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void breach(struct verdict *verdict, int code, const char *number, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    record_add_error(verdict->result, number, message);
    /* a broken core outweighs a call that failed */
    if (verdict->code == CMD_OK || (verdict->code == CMD_FAILED && code == CMD_BROKEN))
        verdict->code = code;
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static json_t *scenario_of(const struct verdict *verdict)
{
    const char *file = verdict->diags->names[0];
    const char *text = verdict->diags->texts[0];
    char digest[17];

    snprintf(digest, sizeof(digest), "%016llx",
             (unsigned long long)XXH3_64bits(text, strlen(text)));
    const char *base = strrchr(file, '/');
    return json_pack("{s:s, s:s, s:o}", "file", base ? base + 1 : file, "xxh3", digest, "resolved",
                     scenario_json(verdict->scenario));
}

static void add_process(struct verdict *verdict, const char *name, uint64_t count,
                        const json_t *usage_json)
{
    struct record_usage usage;

    if (record_usage_parse(usage_json, &usage) == 0)
        record_add_process(verdict->result, name, (uint32_t)count, &usage);
}

static void add_counters(struct verdict *verdict, const char *prefix, const json_t *report)
{
    const char *key;
    json_t *value;
    json_t *counters = json_object_get(report, "counters");

    json_object_foreach(counters, key, value)
    {
        char name[128];
        snprintf(name, sizeof(name), "%s.%s", prefix, key);
        record_add_counter(verdict->result, name, (uint64_t)json_integer_value(value));
    }
}

static void judge_leak(struct verdict *verdict, const char *name, const json_t *report)
{
    const char *leak = json_string_value(json_object_get(report, "leak"));
    const char *of = json_string_value(json_object_get(report, "leak_of"));
    bool several = number(report, "processes") > 1;

    if (leak && verdict->outcome->complete)
        breach(verdict, CMD_BROKEN, "E0503", "%s left something over: %s is not 0",
               of && several ? of : name, leak);
}

/* All domains of a role; if these are of several hosts, each of them too. */
static void add_role(struct verdict *verdict, const char *name, enum scenario_role role)
{
    const struct scenario *scenario = verdict->scenario;
    const json_t *report = json_object_get(verdict->outcome->reports, name);
    const json_t *hosts = json_object_get(verdict->outcome->reports, "hosts");
    uint32_t count = 0;

    if (!report)
        return;
    for (uint32_t i = 0; i < scenario->host_count; i++)
        count += scenario->hosts[i].role == role;
    add_counters(verdict, name, report);
    if (count == 1)
        add_process(verdict, name, number(report, "processes"), json_object_get(report, "usage"));
    for (uint32_t i = 0; count > 1 && i < scenario->host_count; i++) {
        const json_t *host = json_object_get(hosts, scenario->hosts[i].name);
        char part[SCENARIO_NAME_BYTES + 16];
        if (scenario->hosts[i].role != role || !host)
            continue;
        snprintf(part, sizeof(part), "%s.%s", name, scenario->hosts[i].name);
        add_process(verdict, part, number(host, "processes"), json_object_get(host, "usage"));
        add_counters(verdict, part, host);
    }
    judge_leak(verdict, name, report);
}

static void add_peer(struct verdict *verdict, const char *name, const json_t *report)
{
    add_process(verdict, name, 1, json_object_get(report, "usage"));
    add_counters(verdict, name, report);
    judge_leak(verdict, name, report);
}

/* What a guest and its backend do against the text. */
static uint32_t quirks_of(const struct scenario *scenario, uint32_t guest)
{
    const struct scenario_host *host = &scenario->hosts[guest];

    return host->side.quirks | scenario->hosts[host->backend].side.quirks;
}

/* An address of the scenario cannot be listened on: a fault of what was asked for, with its place.
 * Of several ports from there on it is this one. */
static void cannot_listen(struct verdict *verdict, struct diag_place place, const char *what,
                          uint64_t port, const char *reason)
{
    char on[32] = "";

    if (port > 0)
        snprintf(on, sizeof(on), " on port %" PRIu64, port);
    diag_error(verdict->diags, DIAG_CANNOT_LISTEN, place, "%s cannot listen%s: %s", what, on,
               reason);
    diag_hint(verdict->diags, "choose an address of this host and a free port");
    breach(verdict, CMD_SCENARIO, "E0115", "%s:%u:%u: %s cannot listen%s: %s",
           verdict->diags->names[place.source], place.line, place.column, what, on, reason);
}

/* A guest's listener: where the backend has IPv4 alone no other address or port would do. */
static void guest_cannot_listen(struct verdict *verdict, const struct scenario_workload *spec,
                                const json_t *workload)
{
    bool inet_only = (quirks_of(verdict->scenario, spec->host) & quirk_bit(QUIRK_INET_ONLY)) != 0;

    cannot_listen(verdict, spec->place, spec->name,
                  spec->listeners > 1 ? number(workload, "bind_port") : 0,
                  err_name((int32_t)number(workload, "bind_error")));
    if (inet_only && call_addr_family(&spec->listen.addr) != CALL_AF_INET)
        diag_hint(verdict->diags, "choose an IPv4 address: the backend's 'peer' knows no other");
}

/* How many operations are to begin a second, in the mean, in all guests of its host as the other
 * numbers are; 0: a closed loop. */
static uint64_t offered_per_s(const struct scenario *scenario, const struct scenario_workload *spec)
{
    uint64_t guests = scenario->hosts[spec->host].count;
    uint64_t on_ns = spec->arrivals.on_ns, all_ns = on_ns + spec->arrivals.off_ns;

    if (spec->arrivals.kind != SCENARIO_ON_OFF || all_ns == 0)
        return spec->arrivals.per_s * guests;
    for (; all_ns > UINT64_C(1) << 43; all_ns /= 2) /* with SCENARIO_RATE_MAX below 2^63 */
        on_ns /= 2;
    return (spec->arrivals.per_s * on_ns + all_ns / 2) / all_ns * guests;
}

/* Long as one list of what a workload's record has. */
static void add_workload(struct verdict *verdict, const struct scenario_workload *spec,
                         const json_t *workload)
{
    struct metrics_hist *latency = report_hist(json_object_get(workload, "latency"));
    struct metrics_hist *service = report_hist(json_object_get(workload, "service"));
    struct metrics_hist *released = report_hist(json_object_get(workload, "released"));
    const char *name = json_string_value(json_object_get(workload, "name"));
    const char *error = json_string_value(json_object_get(workload, "error"));
    const char *digest = json_string_value(json_object_get(workload, "xxh128"));
    uint64_t offered = offered_per_s(verdict->scenario, spec);

    record_add_workload(verdict->result, &(struct record_workload){
                                             .name = name,
                                             .duration_ns = number(workload, "duration_ns"),
                                             .bytes = number(workload, "bytes"),
                                             .operations = number(workload, "operations"),
                                             .latency = latency,
                                             .service = service,
                                             .released = released,
                                             .offered_per_s = offered,
                                             .backlog = number(workload, "backlog"),
                                             .listeners = (uint32_t)number(workload, "listeners"),
                                             .accepted = number(workload, "connections"),
                                             .starved = number(workload, "starved"),
                                             .accepted_least = number(workload, "accepted_least"),
                                             .accepted_most = number(workload, "accepted_most"),
                                             .forwards = spec->kind == SCENARIO_FORWARD,
                                             .sent_bytes = number(workload, "sent_bytes"),
                                             .received_bytes = number(workload, "received_bytes"),
                                             .joined = number(workload, "joined"),
                                             .refused = number(workload, "refused"),
                                             .resets = number(workload, "resets"),
                                             .held_out = number(workload, "held_out"),
                                             .cut_off = number(workload, "cut_off"),
                                             .most = number(workload, "most"),
                                             .cuts = scenario_cuts(verdict->scenario),
                                             .lost = number(workload, "lost"),
                                             .resumed = number(workload, "resumed")});
    if (digest && digest[0] != '\0')
        record_add_digest(verdict->result, name, number(workload, "received_bytes"), digest);
    metrics_hist_destroy(latency);
    metrics_hist_destroy(service);
    metrics_hist_destroy(released);
    if (number(workload, "mismatches") > 0)
        breach(verdict, CMD_BROKEN, "E0504",
               "%s: wrong bytes came back to a guest, in %llu receives: %s", name,
               (unsigned long long)number(workload, "mismatches"), error);
    if (number(workload, "bind_error") > 0)
        guest_cannot_listen(verdict, spec, workload);
    else if (number(workload, "errors") > 0)
        breach(verdict, CMD_FAILED, "E0401", "%s: %llu failed: %s", name,
               (unsigned long long)number(workload, "errors"), error);
}

static bool is_with(const struct scenario_workload *spec, uint32_t peer)
{
    return spec->kind != SCENARIO_SERVE && spec->peer == peer;
}

/* What the guests say they exchanged with one peer, over all workloads. */
static void exchanged(const struct verdict *verdict, uint32_t peer, uint64_t *sent,
                      uint64_t *received, bool *bounded)
{
    const json_t *workloads =
        json_object_get(json_object_get(verdict->outcome->reports, "frontend"), "workloads");

    *sent = *received = 0;
    *bounded = true;
    for (uint32_t i = 0; i < verdict->scenario->workload_count; i++) {
        const struct scenario_workload *spec = &verdict->scenario->workloads[i];
        const json_t *workload = json_array_get(workloads, i);
        if (!is_with(spec, peer))
            continue;
        *sent += number(workload, "sent_bytes");
        *received += number(workload, "received_bytes");
        *bounded &= (spec->kind != SCENARIO_STREAM || spec->bytes != 0) && spec->stop_ns == 0;
    }
}

/* What a peer did, and what the guests did with it. */
struct bytes {
    uint32_t peer;
    const char *did;
    uint64_t theirs;
    const char *guest;
    uint64_t ours;
};

/* They differ: a core broke an invariant, unless a driver that is at the peer's other end is known
 * to lose bytes. */
static void lost(struct verdict *verdict, const struct bytes *bytes)
{
    const struct scenario *scenario = verdict->scenario;
    uint32_t quirks = 0;

    for (uint32_t i = 0; i < scenario->workload_count; i++)
        if (is_with(&scenario->workloads[i], bytes->peer))
            quirks |= quirks_of(scenario, scenario->workloads[i].host);
    bool known = (quirk_costs(quirks) & QUIRK_LOSES) != 0;
    breach(verdict, known ? CMD_FAILED : CMD_BROKEN, "E0505",
           "%s %s %llu bytes, the guest %s %llu%s", scenario->peers[bytes->peer].name, bytes->did,
           (unsigned long long)bytes->theirs, bytes->guest, (unsigned long long)bytes->ours,
           known ? ", and a quirk of a host's 'peer' loses bytes" : "");
}

static void judge_peer(struct verdict *verdict, uint32_t i, const json_t *report)
{
    const struct scenario_peer *peer = &verdict->scenario->peers[i];
    const json_t *counters = json_object_get(report, "counters");
    uint64_t wrong = number(counters, "mismatches");
    uint64_t broken = number(counters, "short_streams") + number(counters, "protocol_errors") +
                      number(counters, "connect_failures") + number(counters, "resets");
    uint64_t sent, received;
    bool bounded;

    if (wrong > 0)
        breach(verdict, CMD_BROKEN, "E0504",
               "%s: %llu wrong bytes arrived, the first at offset %llu of stream %llu", peer->name,
               (unsigned long long)wrong, (unsigned long long)number(counters, "first_bad_offset"),
               (unsigned long long)number(counters, "first_bad_stream"));
    if (broken > 0 && verdict->outcome->complete)
        breach(verdict, CMD_FAILED, "E0402",
               "%s: %llu streams did not end as they should (short, reset, or refused)", peer->name,
               (unsigned long long)broken);
    /* what was on its way when a process died, nobody knows; that it was right, its receiver does
     */
    if (peer->kind == SCENARIO_PEER_CLIENT || !verdict->outcome->complete ||
        scenario_cuts_peer(verdict->scenario, i) || scenario_forwards_to(verdict->scenario, i))
        return;
    exchanged(verdict, i, &sent, &received, &bounded);
    if (number(counters, "bytes_in") != sent)
        lost(verdict, &(struct bytes){i, "received", number(counters, "bytes_in"), "sent", sent});
    /* a download of open length is cut off by the guest: the rest is dropped on the way */
    if (bounded ? number(counters, "bytes_out") != received
                : number(counters, "bytes_out") < received)
        lost(verdict,
             &(struct bytes){i, "sent", number(counters, "bytes_out"), "received", received});
}

static void judge_parts(struct verdict *verdict)
{
    const json_t *reports = verdict->outcome->reports;
    const json_t *frontend = json_object_get(reports, "frontend");
    const json_t *peers = json_object_get(reports, "peers");
    size_t index;
    json_t *workload;

    json_array_foreach(json_object_get(frontend, "workloads"), index, workload)
        add_workload(verdict, &verdict->scenario->workloads[index], workload);
    add_role(verdict, "frontend", SCENARIO_FRONTEND);
    add_role(verdict, "backend", SCENARIO_BACKEND);
    if (verdict->outcome->hypervisor)
        add_process(verdict, "hypervisor", 1, verdict->outcome->hypervisor);
    for (uint32_t i = 0; i < verdict->scenario->peer_count; i++) {
        const char *name = verdict->scenario->peers[i].name;
        const json_t *report = json_object_get(peers, name);
        char part[64];
        snprintf(part, sizeof(part), "peer.%s", name);
        if (report)
            add_peer(verdict, part, report);
        if (report && frontend)
            judge_peer(verdict, i, report);
    }
}

static void add_errors(struct verdict *verdict)
{
    size_t index;
    json_t *error;

    json_array_foreach(verdict->outcome->errors, index, error)
    {
        const json_t *peer = json_object_get(error, "peer");
        if (peer) {
            const struct scenario_peer *of = &verdict->scenario->peers[json_integer_value(peer)];
            cannot_listen(verdict, of->place, of->name, 0,
                          json_string_value(json_object_get(error, "code")));
            continue;
        }
        const char *code = json_string_value(json_object_get(error, "code"));
        bool broken = strcmp(code, PEER_FAULT_CODE) == 0;
        bool noted = json_object_get(error, "times") != NULL;
        json_t *words =
            noted ? peer_fault_words(error) : json_incref(json_object_get(error, "message"));
        record_add_error(verdict->result, code, json_string_value(words));
        json_decref(words);
        /* a core called its peer broken: both are ours, so one of them is */
        if (verdict->code == CMD_OK)
            verdict->code = broken ? CMD_BROKEN : CMD_FAILED;
    }
}

static void add_virtual(struct verdict *verdict)
{
    const struct launch_outcome *outcome = verdict->outcome;

    record_add_virtual(verdict->result,
                       &(struct record_virtual){.trace = outcome->trace,
                                                .model = outcome->model->name,
                                                .model_xxh128 = outcome->model->digest,
                                                .virtual_ns = outcome->virtual_ns});
    record_add_counter(verdict->result, "virtual.events", outcome->virtual_events);
    record_add_counter(verdict->result, "virtual.records", outcome->trace_records);
    record_add_counter(verdict->result, "virtual.protocol_events", outcome->protocol_events);
}

json_t *verdict_result(const struct scenario *scenario, struct diag_list *diags,
                       const struct launch_outcome *outcome, int *code)
{
    struct verdict verdict = {
        .scenario = scenario, .outcome = outcome, .diags = diags, .code = outcome->code};
    json_t *of = scenario_of(&verdict);
    json_t *host = record_host();

    verdict.result =
        record_begin(of, host, XENSOCK_VERSION,
                     scenario->mode == SCENARIO_VIRTUAL ? "virtual" : "emulated", scenario->seed);
    json_decref(of);
    json_decref(host);
    if (!verdict.result)
        return NULL;
    if (outcome->model && outcome->trace[0]) /* else nothing has run */
        add_virtual(&verdict);
    if (outcome->faults)
        record_add_faults(verdict.result, outcome->faults);
    add_errors(&verdict);
    judge_parts(&verdict);
    record_finish(verdict.result, outcome->wall_ns, outcome->complete);
    *code = verdict.code;
    return verdict.result;
}
