/*
 * Who waits for what, when a run of processes has not ended in its time, as far as the launcher
 * knows. See launch.h.
 *
 * Who is dead or stands still by a fault of the scenario, and for how long; then what each process
 * has not come to, guests by their own words of up to a fifth of a second ago. What rings hold,
 * only the processes know: in virtual time run_virtual_stall.c tells that, too.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/launch_private.h"

#include "sim/run/units.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOLD = 4 }; /* of a kind */

static bool is_away(const struct launch_part *part)
{
    return part->paused || (part->killed && !part->reported);
}

static void tell_away(const struct launch_part *part, FILE *out)
{
    fprintf(out, "\n   %-8s %s", part->domain.name, part->killed ? "is dead" : "stands still");
    if (part->killed && !part->returning)
        fputs(" for good", out);
    else if (!part->due)
        fprintf(out, " for another %s",
                units_format_duration(uv_timer_get_due_in(&part->timer) * UINT64_C(1000000)).text);
}

/* What it has not come to; NULL: nothing that is asked of it. */
static const char *waits_for(const struct launch_part *part)
{
    const struct launch *launch = part->launch;

    if (part->reported || part->exited)
        return NULL;
    if (!part->ready)
        return part->kind == LAUNCH_PEER ? "for its address" : "for the hypervisor";
    if (part->kind == LAUNCH_BACKEND)
        return launch->asked ? "for its devices to close" : NULL;
    if (part->kind == LAUNCH_PEER)
        return launch->asked ? "for its connections to come, or to end" : NULL;
    if (!part->up)
        return "for its device to connect";
    if (!launch->started)
        return "for the devices of others";
    if (part->waits_for[0])
        return part->waits_for;
    return part->ended ? "for its device to close" : "for its time";
}

static void tell_waiting(const struct launch_part *part, FILE *out)
{
    fprintf(out, "\n   %-8s waits: %s", part->kind == LAUNCH_PEER ? part->name : part->domain.name,
            waits_for(part));
}

static bool is_waiting(const struct launch_part *part)
{
    return !is_away(part) && waits_for(part);
}

/* Of each kind the first few. */
static void tell_some(const struct launch *launch, FILE *out,
                      bool (*is)(const struct launch_part *part),
                      void (*tell)(const struct launch_part *part, FILE *out))
{
    static const struct {
        enum launch_kind kind;
        const char *name;
    } kinds[] = {{LAUNCH_BACKEND, "backends"}, {LAUNCH_FRONTEND, "guests"}, {LAUNCH_PEER, "peers"}};

    for (uint32_t kind = 0; kind < 3; kind++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < launch->part_count; i++)
            if (launch->parts[i].kind == kinds[kind].kind && is(&launch->parts[i]) &&
                count++ < TOLD)
                tell(&launch->parts[i], out);
        if (count > TOLD)
            fprintf(out, "\n   and %u more %s", count - TOLD, kinds[kind].name);
    }
}

char *launch_stall(const struct launch *launch)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    assert(out);
    tell_some(launch, out, is_away, tell_away);
    tell_some(launch, out, is_waiting, tell_waiting);
    fclose(out);
    return text;
}
