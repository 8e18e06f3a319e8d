/* What the parts of a run in virtual time report. See run_virtual.h. */
#include "sim/run/report.h"
#include "sim/run/run_virtual_private.h"

void run_virtual_look_front(struct guest *guest, struct metrics_counters *all)
{
    struct domain_virtual *domain = guest->domain;

    all->count = 0;
    if (!domain)
        return;
    metrics_counters_fe(all, run_front_counters(guest->front));
    metrics_counters_hv(all, &domain_virtual_hv(domain)->counters);
    metrics_counters_exec(all, exec_counters(domain_virtual_exec(domain)));
    metrics_counters_vcpu(all, vcpu_counters(domain_virtual_vcpu(domain)));
}

void run_virtual_look_back(const struct backend *backend, struct metrics_counters *all)
{
    struct domain_virtual *domain = backend->domain;
    struct be_counters back;

    all->count = 0;
    if (!domain)
        return;
    run_back_counters(backend->back, &back);
    metrics_counters_be(all, &back);
    metrics_counters_hv(all, &domain_virtual_hv(domain)->counters);
    metrics_counters_net(all, &domain_virtual_net(domain)->counters);
    metrics_counters_exec(all, exec_counters(domain_virtual_exec(domain)));
    metrics_counters_vcpu(all, vcpu_counters(domain_virtual_vcpu(domain)));
}

void run_virtual_count_back(const struct run_virtual *run, struct be_counters *sum)
{
    *sum = (struct be_counters){0};
    for (uint32_t i = 0; i < run->backend_count; i++) {
        struct be_counters one;
        if (!run->backends[i].back)
            continue;
        run_back_counters(run->backends[i].back, &one);
        sum->requests += one.requests;
        sum->replies += one.replies;
        sum->sent_bytes += one.sent_bytes;
        sum->received_bytes += one.received_bytes;
    }
}

bool run_virtual_backs_idle(const struct run_virtual *run)
{
    bool idle = true;

    for (uint32_t i = 0; i < run->backend_count; i++)
        idle &= !run->backends[i].back || run_back_idle(run->backends[i].back);
    return idle;
}

/* ---- domains of a role, or of a host, as one ---- */

struct sum {
    uint32_t count;
    struct metrics_counters from, now, to;
};

/* Levels are looked at as they are now, flows as they were when the domain was measured. */
static void add_to_sum(struct sum *sum, const struct metrics_counters *from,
                       const struct metrics_counters *now, const struct metrics_counters *to)
{
    sum->count++;
    metrics_counters_add(&sum->now, now);
    metrics_counters_add(&sum->to, to->count > 0 ? to : now);
    if (from->count > 0)
        metrics_counters_add(&sum->from, from);
}

/* What earlier lives of a domain left. */
static void add_gone(struct sum *sum, const struct metrics_counters *gone)
{
    if (!gone)
        return;
    metrics_counters_add(&sum->now, gone);
    metrics_counters_add(&sum->to, gone);
}

static json_t *sum_json(struct sum *sum, const char *name)
{
    const char *leak = metrics_counters_leak(&sum->now);

    metrics_counters_stop(&sum->now, &sum->to);
    return json_pack("{s:s, s:i, s:o, s:s?}", "name", name, "processes", (int)sum->count,
                     "counters", metrics_counters_json(&sum->from, &sum->now), "leak", leak);
}

/* Of one host, or of all. */
static bool is_of(const struct scenario_domain *domain, const uint32_t *host)
{
    return !host || domain->host == *host;
}

static json_t *fronts(struct run_virtual *run, const uint32_t *host, const char *name)
{
    struct sum sum = {0};

    for (uint32_t i = 0; i < run->guest_count; i++) {
        struct guest *guest = &run->guests[i];
        struct metrics_counters now;
        if (!is_of(&guest->is, host))
            continue;
        add_gone(&sum, guest->gone);
        if (!guest->domain)
            continue;
        run_virtual_look_front(guest, &now);
        add_to_sum(&sum, &guest->from, &now, &guest->to);
    }
    return sum_json(&sum, name);
}

static json_t *backs(struct run_virtual *run, const uint32_t *host, const char *name)
{
    struct sum sum = {0};

    for (uint32_t i = 0; i < run->backend_count; i++) {
        const struct backend *backend = &run->backends[i];
        struct metrics_counters now;
        if (!is_of(&backend->is, host))
            continue;
        add_gone(&sum, backend->gone);
        if (!backend->domain)
            continue;
        run_virtual_look_back(backend, &now);
        add_to_sum(&sum, &backend->from, &now, &backend->to);
    }
    return sum_json(&sum, name);
}

static json_t *hosts(struct run_virtual *run)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < run->scenario.host_count; i++) {
        const struct scenario_host *host = &run->scenario.hosts[i];
        json_object_set_new(object, host->name,
                            host->role == SCENARIO_FRONTEND ? fronts(run, &i, host->name)
                                                            : backs(run, &i, host->name));
    }
    return object;
}

/* ---- workloads, of all guests that have them ---- */

/* What this life of the guest did; how long, counts from when its first one began to measure, since
 * what that did is added to it. */
bool run_virtual_result(const struct guest *guest, uint32_t index, struct workload_result *one)
{
    bool is = guest->front && workload_result(run_front_workloads(guest->front), index, one);

    if (is && guest->until_ns > 0 && one->duration_ns > 0)
        one->duration_ns += guest->life_ns - guest->measure_ns;
    else if (is && guest->until_ns > 0 && guest->ended) /* it did not come to measuring */
        one->duration_ns = (guest->ended_ns < guest->until_ns ? guest->ended_ns : guest->until_ns) -
                           guest->measure_ns;
    return is;
}

static void add_forwarded(struct forward_counters *sum, const struct forward_counters *one)
{
    sum->accepted += one->accepted;
    sum->joined += one->joined;
    sum->refused += one->refused;
    sum->resets += one->resets;
    sum->held_out += one->held_out;
    sum->up_bytes += one->up_bytes;
    sum->down_bytes += one->down_bytes;
    sum->now += one->now;
    sum->most = one->most > sum->most ? one->most : sum->most;
}

/* The longest of the times, the first of the errors, the sum of all else; the histograms are those
 * of all guests anyhow. */
void run_virtual_merge(struct workload_result *sum, const struct workload_result *one)
{
    if (sum->errors + sum->mismatches == 0) {
        sum->first_error = one->first_error;
        sum->bind_error = one->bind_error;
        sum->bind_port = one->bind_port;
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
    sum->lost += one->lost;
    sum->starved += one->starved;
    sum->resumed += one->resumed;
    sum->connected += one->connected;
    sum->backlog += one->backlog;
    add_forwarded(&sum->forwarded, &one->forwarded);
    sum->listeners = one->listeners; /* one guest's: see check_listener of scenario_check.c */
    sum->accepted_least = one->accepted_least;
    sum->accepted_most = one->accepted_most;
    sum->latency = one->latency ? one->latency : sum->latency;
    sum->service = one->service ? one->service : sum->service;
    sum->released = one->released ? one->released : sum->released;
    memcpy(sum->received_xxh128, one->received_xxh128, sizeof(sum->received_xxh128));
}

static json_t *workload(const struct run_virtual *run, uint32_t index)
{
    const struct scenario_workload *spec = &run->scenario.workloads[index];
    struct workload_result sum = {0}, one;

    for (uint32_t i = 0; i < run->guest_count; i++) {
        const struct guest *guest = &run->guests[i];
        if (guest->past)
            run_virtual_merge(&sum, &guest->past[index]);
        if (run_virtual_result(guest, index, &one))
            run_virtual_merge(&sum, &one);
    }
    if (run->scenario.hosts[spec->host].count > 1)
        sum.received_xxh128[0] = '\0'; /* of one guest it would be nobody's */
    return report_workload(spec->name, &sum);
}

/* A guest's phases change at the end of a turn, after all that happened in it. */
void run_virtual_measured(const struct run_virtual *run, uint64_t *from_ns, uint64_t *to_ns)
{
    *from_ns = run->scenario.warmup_ns > 0 ? run->measure_ns + 1 : 0;
    *to_ns = 0;
    for (uint32_t i = 0; i < run->guest_count; i++) {
        const struct guest *guest = &run->guests[i];
        uint64_t end_ns = guest->ended ? guest->ended_ns : vclock_now_ns(run->clock);
        *to_ns = end_ns >= *to_ns ? end_ns + 1 : *to_ns;
    }
    if (run->measuring == 0 || *to_ns < *from_ns)
        *from_ns = *to_ns = 0;
}

static json_t *front(struct run_virtual *run)
{
    json_t *json = fronts(run, NULL, "frontend"), *workloads = json_array();

    for (uint32_t i = 0; i < run->scenario.workload_count; i++)
        json_array_append_new(workloads, workload(run, i));
    json_object_set_new(json, "workloads", workloads);
    return json;
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
    return json_pack("{s:o, s:o, s:o, s:o}", "frontend", front(run), "backend",
                     backs(run, NULL, "backend"), "hosts", hosts(run), "peers", peers);
}

json_t *run_virtual_errors(struct run_virtual *run)
{
    return json_incref(run->errors);
}
