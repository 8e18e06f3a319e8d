/*
 * Workloads that come and go within the measured phase: `start` and `stop`.
 *
 * One that has neither begins with the others, before the warm-up, and ends with the measured
 * phase. A workload is measured while it is active, so its rates are over that time. One that stops
 * is over then, whatever it had still to do: what is under way is ended in good order, as at the
 * end of the run, and counts no more.
 */
#include "sim/run/workload_private.h"

bool workload_stopping(const struct wl *wl)
{
    return wl->left || wl->set->phase >= WORKLOAD_DRAIN;
}

bool workload_measures(const struct wl *wl)
{
    return wl->set->phase == WORKLOAD_MEASURE && !wl->left;
}

uint64_t workload_over_ns(const struct workload_set *set)
{
    return set->env.until_ns != 0 ? set->env.until_ns
                                  : set->measure_ns + set->env.scenario->duration_ns;
}

void workload_begin(struct wl *wl)
{
    wl->begun = true;
    wl->base_ns = wl->set->now_ns;
    wl->kind->start(wl);
}

static void leave(struct wl *wl)
{
    workload_finish(wl);
    wl->left = true;
    wl->kind->drain(wl);
}

/* The next time at which this one is to begin or to stop, or STEP_NEVER. */
static uint64_t turns_ns(const struct wl *wl)
{
    uint64_t from_ns = workload_over_ns(wl->set) - wl->set->env.scenario->duration_ns;

    if (wl->finished)
        return STEP_NEVER;
    if (!wl->begun)
        return from_ns + wl->spec->start_ns;
    return wl->spec->stop_ns != 0 ? from_ns + wl->spec->stop_ns : STEP_NEVER;
}

bool workload_phases(struct workload_set *set, uint64_t *next_ns)
{
    bool began = false;

    *next_ns = STEP_NEVER;
    for (uint32_t i = 0; i < set->count && set->phase == WORKLOAD_MEASURE; i++) {
        struct wl *wl = &set->wls[i];
        uint64_t due_ns;
        while ((due_ns = turns_ns(wl)) <= set->now_ns) {
            began |= !wl->begun;
            if (wl->begun)
                leave(wl);
            else
                workload_begin(wl);
        }
        *next_ns = due_ns < *next_ns ? due_ns : *next_ns;
    }
    return began;
}
