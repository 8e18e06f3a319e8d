/*
 * Faults of a run in virtual time: processes that die, come again, or stand still. See
 * run_virtual.h.
 *
 * A killed domain is closed between two events of the clock: hypervisor and kernel give back what
 * it held, and nothing of it happens any more. What its sockets had sent is still delivered. A new
 * one of its domid is a new process: a guest goes on in its measured phase, whose clock did not
 * stop, with its bounded workloads from the start; if it died while others measured and it did not
 * yet, the phase began with that. Invariant: `away` counts those that are to come again or to go
 * on; while there are any, nobody waits in vain.
 */
#include <stdlib.h>

#include "sim/run/run_virtual_private.h"

static void trace(const struct run_virtual *run, uint16_t domid, enum trace_fault what,
                  uint64_t for_ns)
{
    trace_put(run->config.trace, &(struct trace_record){.now_ns = vclock_now_ns(run->clock),
                                                        .who = domid,
                                                        .point = TRACE_FAULT,
                                                        .detail = (uint8_t)what,
                                                        .value = for_ns});
}

/* ---- what happened ---- */

static uint32_t note(struct run_virtual *run, enum scenario_fault_kind kind, const char *where)
{
    uint64_t now_ns = vclock_now_ns(run->clock);

    return fault_log_note(&run->faults, kind, where,
                          run->measuring > 0 ? now_ns - run->measure_ns : 0, now_ns);
}

void run_virtual_up(void *self)
{
    struct guest *guest = self;

    if (!guest->backend->domain)
        return; /* it read what the dead one wrote last, and will soon know better */
    fault_log_up(&guest->run->faults, &guest->waits, vclock_now_ns(guest->run->clock));
}

json_t *run_virtual_faults(const struct run_virtual *run)
{
    return fault_log_json(&run->faults);
}

/* ---- dying ---- */

/* What was counted so far is kept: the next one counts from 0. */
static void keep_results(struct guest *guest)
{
    const struct scenario *scenario = &guest->run->scenario;
    struct workload_result one;

    if (!guest->past)
        guest->past = calloc(scenario->workload_count, sizeof(guest->past[0]));
    assert(guest->past);
    for (uint32_t i = 0; i < scenario->workload_count; i++)
        if (run_virtual_result(guest, i, &one))
            run_virtual_merge(&guest->past[i], &one);
}

static void keep_counters(struct metrics_counters **gone, struct metrics_counters *now,
                          const struct metrics_counters *from, const struct metrics_counters *to)
{
    metrics_counters_stop(now, to);
    metrics_counters_die(now, from);
    if (!*gone)
        *gone = calloc(1, sizeof(**gone));
    assert(*gone);
    metrics_counters_add(*gone, now);
}

/* One that has not come to measuring leaves no flows. */
static void keep_guest(struct guest *guest)
{
    bool measured =
        guest->from.count > 0 || guest->until_ns > 0 || guest->run->scenario.warmup_ns == 0;
    struct metrics_counters now;

    run_virtual_look_front(guest, &now);
    keep_counters(&guest->gone, &now, measured ? &guest->from : &now, &guest->to);
}

static void keep_backend(struct backend *backend)
{
    struct metrics_counters now;

    run_virtual_look_back(backend, &now);
    keep_counters(&backend->gone, &now, &backend->from, &backend->to);
}

static void kill_guest(struct guest *guest)
{
    const struct run_virtual *run = guest->run;

    keep_results(guest);
    keep_guest(guest);
    if (guest->measure_ns == 0 && run->measuring > 0)
        guest->measure_ns = vclock_now_ns(run->clock);
    (void)domain_virtual_kill(guest->domain); /* sockets it has only beside it */
    workload_each_net(run_front_workloads(guest->front), net_virtual_died); /* the kernel closes */
    run_front_destroy(guest->front);
    guest->domain = NULL;
    guest->front = NULL;
    guest->from.count = guest->to.count = 0;
}

static void kill_backend(struct backend *backend)
{
    keep_backend(backend);
    backend->kernel = domain_virtual_kill(backend->domain);
    run_back_destroy(backend->back);
    backend->domain = NULL;
    backend->back = NULL;
    backend->from.count = backend->to.count = 0;
}

/* Nothing comes of this guest any more. */
static void give_up(struct guest *guest)
{
    fault_log_waits(&guest->run->faults, &guest->waits, FAULT_LOG_NONE);
    run_virtual_listens(guest);
    run_virtual_ended(guest);
    run_virtual_through(guest);
}

/* ---- coming again ---- */

/* When a guest's measured phase is over, if that is a matter of time; 0: it has not begun. */
static uint64_t until_ns(const struct guest *guest)
{
    return guest->measure_ns > 0 ? guest->measure_ns + guest->run->scenario.duration_ns : 0;
}

static void guest_returns(void *self, uint64_t arg)
{
    struct guest *guest = self;

    (void)arg;
    guest->run->away--;
    trace(guest->run, guest->is.domid, TRACE_FAULT_RETURN, 0);
    guest->until_ns = until_ns(guest);
    guest->phase = WORKLOAD_IDLE;
    run_virtual_open_guest(guest);
}

static void backend_returns(void *self, uint64_t arg)
{
    struct backend *backend = self;
    struct run_virtual *run = backend->run;

    (void)arg;
    run->away--;
    if (run->through == run->guest_count)
        return; /* nobody needs it any more */
    trace(run, backend->is.domid, TRACE_FAULT_RETURN, 0);
    run_virtual_open_backend(backend);
}

static void goes_on(void *self, uint64_t domid)
{
    struct run_virtual *run = self;

    run->away--;
    trace(run, (uint16_t)domid, TRACE_FAULT_RETURN, 0);
}

static void later(struct run_virtual *run, uint64_t for_ns, const struct vclock_event *event)
{
    run->away++;
    vclock_at(run->clock, vclock_now_ns(run->clock) + for_ns, event);
}

/* ---- faults ---- */

static uint64_t away_ns(const struct run_virtual *run, const struct scenario_fault *fault)
{
    return fault->kind == SCENARIO_FAULT_KILL ? RUN_VIRTUAL_NEVER
                                              : vclock_now_ns(run->clock) + fault->for_ns;
}

static void pause_domain(struct run_virtual *run, const struct scenario_domain *is,
                         struct domain_virtual *domain, uint64_t for_ns)
{
    trace(run, is->domid, TRACE_FAULT_PAUSE, for_ns);
    vcpu_stall(domain_virtual_vcpu(domain), vclock_now_ns(run->clock) + for_ns);
    later(run, for_ns, &(struct vclock_event){goes_on, run, is->domid});
}

/* Its time is, and nothing else holds it: it is to end in peace. */
static bool is_over(const struct guest *guest)
{
    const struct run_virtual *run = guest->run;

    return guest->measure_ns > 0 && vclock_now_ns(run->clock) >= until_ns(guest) &&
           !scenario_bounds(&run->scenario, guest->is.host);
}

static void fault_guest(struct guest *guest, const struct scenario_fault *fault)
{
    struct run_virtual *run = guest->run;

    if (!guest->domain || guest->through || is_over(guest))
        return;
    uint32_t past = note(run, fault->kind, guest->is.name);
    guest->away_ns = away_ns(run, fault);
    switch (fault->kind) {
    case SCENARIO_FAULT_KILL:
        trace(run, guest->is.domid, TRACE_FAULT_KILL, 0);
        kill_guest(guest);
        give_up(guest);
        break;
    case SCENARIO_FAULT_RESTART:
        trace(run, guest->is.domid, TRACE_FAULT_RESTART, fault->for_ns);
        kill_guest(guest);
        fault_log_waits(&run->faults, &guest->waits, past);
        later(run, fault->for_ns, &(struct vclock_event){guest_returns, guest, 0});
        break;
    case SCENARIO_FAULT_PAUSE: pause_domain(run, &guest->is, guest->domain, fault->for_ns); break;
    }
}

/* Each of its guests loses its device; one that never had it will not have it if the backend does
 * not come again. */
static void backend_lost(const struct backend *backend, uint32_t past, bool returns)
{
    struct run_virtual *run = backend->run;

    for (uint32_t i = 0; i < run->guest_count; i++) {
        struct guest *guest = &run->guests[i];
        if (guest->through || guest->backend != backend)
            continue;
        fault_log_waits(&run->faults, &guest->waits, returns ? past : FAULT_LOG_NONE);
        /* one that did waits for its time */
        if (!returns && guest->front && guest->phase == WORKLOAD_IDLE && guest->until_ns == 0) {
            run_front_interrupt(guest->front);
            domain_virtual_kick(guest->domain);
        }
    }
}

static void fault_backend(struct backend *backend, const struct scenario_fault *fault)
{
    struct run_virtual *run = backend->run;

    if (!backend->domain || run->through == run->guest_count)
        return;
    uint32_t past = note(run, fault->kind, backend->is.name);
    backend->away_ns = away_ns(run, fault);
    switch (fault->kind) {
    case SCENARIO_FAULT_KILL:
        trace(run, backend->is.domid, TRACE_FAULT_KILL, 0);
        kill_backend(backend);
        backend_lost(backend, past, false);
        break;
    case SCENARIO_FAULT_RESTART:
        trace(run, backend->is.domid, TRACE_FAULT_RESTART, fault->for_ns);
        kill_backend(backend);
        backend_lost(backend, past, true);
        later(run, fault->for_ns, &(struct vclock_event){backend_returns, backend, 0});
        break;
    case SCENARIO_FAULT_PAUSE:
        pause_domain(run, &backend->is, backend->domain, fault->for_ns);
        break;
    }
}

void run_virtual_fault(struct run_virtual *run, const struct scenario_fault *fault)
{
    uint32_t number = 0; /* of its host's guests */

    for (uint32_t i = 0; i < run->backend_count; i++)
        if (run->backends[i].is.host == fault->host)
            fault_backend(&run->backends[i], fault);
    for (uint32_t i = 0; i < run->guest_count; i++) {
        struct guest *guest = &run->guests[i];
        if (guest->is.host == fault->host &&
            (fault->guest == UINT32_MAX || fault->guest == number++))
            fault_guest(guest, fault);
    }
}

static void on_fault(void *self, uint64_t arg)
{
    struct planned_fault *planned = self;
    struct run_virtual *run = planned->run;
    const struct scenario_fault *fault = planned->fault;

    (void)arg;
    if (run->ended == run->guest_count)
        return; /* the measured phase is over */
    run_virtual_fault(run, fault);
    planned->count++;
    if (fault->every_ns > 0 && (fault->times == 0 || planned->count < fault->times))
        vclock_at(run->clock, vclock_now_ns(run->clock) + fault->every_ns,
                  &(struct vclock_event){on_fault, planned, 0});
}

void run_virtual_plan(struct run_virtual *run)
{
    run->measure_ns = vclock_now_ns(run->clock);
    for (uint32_t i = 0; i < run->scenario.fault_count; i++) {
        struct planned_fault *planned = &run->planned[i];
        *planned = (struct planned_fault){.run = run, .fault = &run->scenario.faults[i]};
        vclock_at(run->clock, run->measure_ns + planned->fault->at_ns,
                  &(struct vclock_event){on_fault, planned, 0});
    }
}

void run_virtual_faults_free(struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->guest_count; i++) {
        free(run->guests[i].past);
        free(run->guests[i].gone);
    }
    for (uint32_t i = 0; i < run->backend_count; i++)
        free(run->backends[i].gone);
    fault_log_fini(&run->faults);
}
