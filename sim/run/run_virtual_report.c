/* What the parts of a run in virtual time report. See run_virtual.h. */
#include "sim/run/report.h"
#include "sim/run/run_virtual_private.h"

void run_virtual_look_front(struct guest *guest, struct metrics_counters *all)
{
    struct domain_virtual *domain = guest->domain;

    all->count = 0;
    metrics_counters_fe(all, run_front_counters(guest->front));
    metrics_counters_hv(all, &domain_virtual_hv(domain)->counters);
    metrics_counters_exec(all, exec_counters(domain_virtual_exec(domain)));
    metrics_counters_vcpu(all, vcpu_counters(domain_virtual_vcpu(domain)));
}

void run_virtual_look_back(struct run_virtual *run, struct metrics_counters *all)
{
    struct domain_virtual *domain = run->backend;
    struct be_counters back;

    all->count = 0;
    run_back_counters(run->back, &back);
    metrics_counters_be(all, &back);
    metrics_counters_hv(all, &domain_virtual_hv(domain)->counters);
    metrics_counters_net(all, &domain_virtual_net(domain)->counters);
    metrics_counters_exec(all, exec_counters(domain_virtual_exec(domain)));
    metrics_counters_vcpu(all, vcpu_counters(domain_virtual_vcpu(domain)));
}

/* A part's levels are looked at as they are now, its flows as they were when it was measured. */
static json_t *part(const char *name, const struct metrics_counters *from,
                    struct metrics_counters *now, const struct metrics_counters *to)
{
    const char *leak = metrics_counters_leak(now);

    metrics_counters_stop(now, to);
    return json_pack("{s:s, s:o, s:s?}", "name", name, "counters", metrics_counters_json(from, now),
                     "leak", leak);
}

/* ---- guests, as one ---- */

/* The longest of the times, the first of the errors, the sum of all else; the histograms are those
 * of all guests anyhow. */
static void merge_result(struct workload_result *sum, const struct workload_result *one)
{
    if (sum->errors + sum->mismatches == 0) {
        sum->first_error = one->first_error;
        sum->bind_error = one->bind_error;
        memcpy(sum->first_error_text, one->first_error_text, sizeof(sum->first_error_text));
    }
    if (one->duration_ns > sum->duration_ns)
        sum->duration_ns = one->duration_ns;
    sum->bytes += one->bytes;
    sum->operations += one->operations;
    sum->sent_bytes += one->sent_bytes;
    sum->received_bytes += one->received_bytes;
    sum->mismatches += one->mismatches;
    sum->errors += one->errors;
    sum->connections += one->connections;
    sum->connected += one->connected;
    sum->backlog += one->backlog;
    sum->listeners = one->listeners; /* one guest's: see check_listener of scenario_check.c */
    sum->accepted_least = one->accepted_least;
    sum->accepted_most = one->accepted_most;
    sum->latency = one->latency;
    sum->service = one->service;
    sum->released = one->released;
    memcpy(sum->received_xxh128, one->received_xxh128, sizeof(sum->received_xxh128));
}

static json_t *workload(const struct run_virtual *run, uint32_t index)
{
    const struct scenario_workload *spec = &run->scenario.workloads[index];
    struct workload_result sum = {0}, one;

    for (uint32_t i = 0; i < run->guest_count; i++) {
        if (workload_result(run_front_workloads(run->guests[i].front), index, &one))
            merge_result(&sum, &one);
    }
    if (run->scenario.hosts[spec->host].count > 1)
        sum.received_xxh128[0] = '\0'; /* of one guest it would be nobody's */
    return report_workload(spec->name, &sum);
}

static json_t *front(struct run_virtual *run)
{
    struct metrics_counters from = {0}, now = {0}, to = {0};
    json_t *workloads = json_array();

    for (uint32_t i = 0; i < run->guest_count; i++) {
        struct guest *guest = &run->guests[i];
        struct metrics_counters all;
        run_virtual_look_front(guest, &all);
        metrics_counters_add(&now, &all);
        metrics_counters_add(&to, guest->to.count > 0 ? &guest->to : &all);
        if (guest->from.count > 0)
            metrics_counters_add(&from, &guest->from);
    }
    for (uint32_t i = 0; i < run->scenario.workload_count; i++)
        json_array_append_new(workloads, workload(run, i));
    json_t *json = part("frontend", &from, &now, &to);
    json_object_set_new(json, "workloads", workloads);
    return json;
}

/* ---- the others ---- */

static json_t *back(struct run_virtual *run)
{
    struct metrics_counters now;

    run_virtual_look_back(run, &now);
    return part("backend", &run->back_from, &now, &run->back_to);
}

json_t *run_virtual_reports(struct run_virtual *run)
{
    json_t *peers = json_object();

    for (uint32_t i = 0; i < run->scenario.peer_count; i++)
        if (run->peers[i])
            json_object_set_new(
                peers, run->scenario.peers[i].name,
                json_pack("{s:s, s:o}", "name", run->scenario.peers[i].name, "counters",
                          report_peer_counters(peer_virtual_counters(run->peers[i]))));
    return json_pack("{s:o, s:o, s:o}", "frontend", front(run), "backend", back(run), "peers",
                     peers);
}

json_t *run_virtual_errors(struct run_virtual *run)
{
    return json_incref(run->errors);
}
