/*
 * Faults of a run of processes: SIGKILL, a new process of the same domid, SIGSTOP and SIGCONT, and
 * the death of the hypervisor. See launch.h.
 *
 * A killed process is spawned again when its time has come and the old one was waited for. A new
 * guest goes on in its measured phase, as in virtual time (run_virtual_faults.c). Whoever is
 * told to quit must run, so what stands still goes on before.
 * Invariant: nothing happens any more when the measured phase is over, the hypervisor was killed or
 * the run ends early. In the first case who is away comes again; who is not needed by then is not
 * waited for.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/launch_private.h"

#include <signal.h>

static bool happens_no_more(const struct launch *launch)
{
    return launch->quitting || launch->interrupted || launch->measured || launch->hypervisor_killed;
}

static uint32_t note(struct launch *launch, enum scenario_fault_kind kind, const char *where)
{
    uint64_t now_ns = uv_hrtime();

    return fault_log_note(&launch->faults, kind, where, now_ns - launch->measure_ns, now_ns);
}

/* ---- coming again ---- */

static void return_if_due(struct launch_part *part)
{
    const struct launch *launch = part->launch;

    if (part->returning && part->due && part->closed && !launch->quitting)
        launch_part_again(part);
}

static void on_return(uv_timer_t *timer)
{
    struct launch_part *part = timer->data;

    part->due = true;
    if (part->paused)
        uv_process_kill(&part->process, SIGCONT);
    part->paused = false;
    return_if_due(part);
}

static void later(struct launch_part *part, uint64_t for_ns)
{
    part->due = false;
    if (!part->timing)
        uv_timer_init(part->launch->loop, &part->timer);
    part->timing = true;
    part->timer.data = part;
    uv_timer_start(&part->timer, on_return, for_ns / 1000000, 0);
}

void launch_part_closed(struct launch_part *part)
{
    part->closed = true;
    return_if_due(part);
}

/* Whether its backend was killed and has not come again. */
static bool is_alone(const struct launch_part *guest)
{
    const struct launch *launch = guest->launch;

    for (uint32_t i = 0; i < launch->part_count; i++)
        if (launch->parts[i].kind == LAUNCH_BACKEND &&
            launch->parts[i].domain.domid == guest->domain.backend)
            return launch->parts[i].killed;
    return false;
}

void launch_part_up(struct launch_part *part)
{
    if (is_alone(part))
        return; /* it read what the dead one wrote last, and will soon know better */
    fault_log_up(&part->launch->faults, &part->waits, uv_hrtime());
}

/* ---- faults ---- */

/* The guests of a backend lose their devices; one that never had it will not have it if the backend
 * does not come again. */
static void devices_lost(struct launch *launch, const struct launch_part *backend, uint32_t entry,
                         bool returns)
{
    for (uint32_t i = 0; i < launch->part_count; i++) {
        struct launch_part *part = &launch->parts[i];
        if (part->kind != LAUNCH_FRONTEND || part->domain.backend != backend->domain.domid ||
            part->reported)
            continue;
        fault_log_waits(&launch->faults, &part->waits, returns ? entry : FAULT_LOG_NONE);
        /* one that did waits for its time */
        if (!returns && !part->up && !part->exited && part->measure_ns == 0)
            control_uv_say(part->control, json_pack("{s:s}", "do", "interrupt"));
    }
}

uint64_t launch_until_ns(const struct launch_part *guest)
{
    return guest->measure_ns > 0 ? guest->measure_ns + guest->launch->scenario->duration_ns : 0;
}

/* Its time is, and nothing else holds it: it is to end in peace. */
static bool is_over(const struct launch_part *part)
{
    return part->kind == LAUNCH_FRONTEND && part->measure_ns > 0 &&
           uv_hrtime() >= launch_until_ns(part) &&
           !scenario_bounds(part->launch->scenario, part->domain.host);
}

static void fault_part(struct launch_part *part, const struct scenario_fault *fault)
{
    struct launch *launch = part->launch;
    bool returns = fault->kind == SCENARIO_FAULT_RESTART;

    if (part->exited || part->killed || part->reported || part->paused || is_over(part))
        return;
    uint32_t entry = note(launch, fault->kind, part->domain.name);
    if (fault->kind == SCENARIO_FAULT_PAUSE) {
        part->paused = true;
        uv_process_kill(&part->process, SIGSTOP);
        later(part, fault->for_ns);
        return;
    }
    part->killed = true;
    if (part->measure_ns == 0)
        part->measure_ns = uv_hrtime(); /* a guest's: the others measure */
    part->returning = returns;
    if (returns)
        later(part, fault->for_ns);
    uv_process_kill(&part->process, SIGKILL);
    if (part->kind == LAUNCH_BACKEND)
        devices_lost(launch, part, entry, returns);
    else
        fault_log_waits(&launch->faults, &part->waits, returns ? entry : FAULT_LOG_NONE);
}

static void strike(struct launch *launch, const struct scenario_fault *fault)
{
    uint32_t number = 0; /* of the guests of its host */

    if (fault->host == SCENARIO_HOSTS_MAX) {
        note(launch, fault->kind, fault->where);
        launch_kill_hypervisor(launch);
        return;
    }
    for (uint32_t i = 0; i < launch->part_count; i++) {
        struct launch_part *part = &launch->parts[i];
        if (part->kind != LAUNCH_PEER && part->domain.host == fault->host &&
            (fault->guest == UINT32_MAX || fault->guest == number++))
            fault_part(part, fault);
    }
}

static void on_fault(uv_timer_t *timer)
{
    struct launch_fault *planned = timer->data;
    struct launch *launch = planned->launch;
    const struct scenario_fault *fault = planned->fault;

    if (happens_no_more(launch))
        return;
    planned->count++;
    if (fault->every_ns > 0 && (fault->times == 0 || planned->count < fault->times))
        uv_timer_start(timer, on_fault, fault->every_ns / 1000000, 0);
    strike(launch, fault);
}

void launch_plan_faults(struct launch *launch)
{
    launch->measure_ns = uv_hrtime();
    launch->planned_count = launch->scenario->fault_count;
    for (uint32_t i = 0; i < launch->planned_count; i++) {
        struct launch_fault *planned = &launch->planned[i];
        *planned = (struct launch_fault){.launch = launch, .fault = &launch->scenario->faults[i]};
        uv_timer_init(launch->loop, &planned->timer);
        planned->timer.data = planned;
        uv_timer_start(&planned->timer, on_fault, planned->fault->at_ns / 1000000, 0);
    }
}

void launch_end_faults(struct launch *launch)
{
    for (uint32_t i = 0; i < launch->part_count; i++) {
        struct launch_part *part = &launch->parts[i];
        part->returning = false;
        if (part->paused && !part->exited)
            uv_process_kill(&part->process, SIGCONT);
        part->paused = false;
    }
}

void launch_close_faults(struct launch *launch)
{
    for (uint32_t i = 0; i < launch->planned_count; i++)
        uv_close((uv_handle_t *)&launch->planned[i].timer, NULL);
    for (uint32_t i = 0; i < launch->part_count; i++)
        if (launch->parts[i].timing)
            uv_close((uv_handle_t *)&launch->parts[i].timer, NULL);
    if (launch->scenario->fault_count > 0)
        launch->outcome->faults = fault_log_json(&launch->faults);
    fault_log_fini(&launch->faults);
}
