/* Rules of workloads that come and go within the measured phase. A part of scenario_check.h. */
#include "sim/run/scenario_check.h"
#include "sim/run/units.h"

/* A phase that cannot be: its place, what is wrong, and what would be right. */
static void fail(const struct scenario_map *map, const char *key, const char *what,
                 const char *hint)
{
    diag_error(map->yaml->diags, DIAG_BAD_PHASE, scenario_check_place(map, key), "%s", what);
    diag_hint(map->yaml->diags, "%s", hint);
}

static void check_times(const struct scenario *scenario, const struct scenario_workload *spec,
                        const struct scenario_map *map)
{
    char text[DIAG_TEXT_BYTES], hint[DIAG_WORD_BYTES];

    snprintf(hint, sizeof(hint), "'duration' is %s",
             units_format_duration(scenario->duration_ns).text);
    if (spec->start_ns >= scenario->duration_ns && spec->start_ns > 0) {
        snprintf(text, sizeof(text), "workload '%s' starts when the measured phase may be over",
                 spec->name);
        fail(map, "start", text, hint);
    } else if (spec->stop_ns > scenario->duration_ns) {
        snprintf(text, sizeof(text), "workload '%s' stops behind the end of the measured phase",
                 spec->name);
        fail(map, "stop", text, hint);
    } else if (spec->stop_ns > 0 && spec->stop_ns <= spec->start_ns) {
        snprintf(text, sizeof(text), "workload '%s' stops before it starts", spec->name);
        snprintf(hint, sizeof(hint), "'start' is %s", units_format_duration(spec->start_ns).text);
        fail(map, "stop", text, hint);
    }
}

/* What a guest that comes again did before would be forgotten, or be done twice. */
static void check_faults(const struct scenario_draft *draft, uint32_t index)
{
    const struct scenario *scenario = draft->scenario;
    const struct scenario_workload *spec = &scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];
    char text[DIAG_TEXT_BYTES];

    for (uint32_t i = 0; i < scenario->fault_count; i++) {
        const struct scenario_fault *fault = &scenario->faults[i];
        if (fault->kind == SCENARIO_FAULT_PAUSE || fault->host != spec->host)
            continue;
        snprintf(text, sizeof(text), "the guest of workload '%s' dies: '%s' would begin anew",
                 spec->name, spec->start_ns > 0 ? "start" : "stop");
        fail(map, spec->start_ns > 0 ? "start" : "stop", text,
             "leave it out, or let only backends die");
        diag_note(map->yaml->diags, scenario_check_place(&draft->faults[i], "where"), "the fault");
        return;
    }
}

void scenario_check_phases(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_workload *spec = &draft->scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];
    char text[DIAG_TEXT_BYTES];

    if (spec->start_ns == 0 && spec->stop_ns == 0)
        return;
    check_times(draft->scenario, spec, map);
    if (spec->stop_ns > 0 && spec->bytes > 0) {
        snprintf(text, sizeof(text), "workload '%s' stops, and is to carry all its 'bytes'",
                 spec->name);
        fail(map, "stop", text, "leave out one of them");
    }
    check_faults(draft, index);
}

bool scenario_workload_is_on(const struct scenario_workload *spec, uint64_t at_ns)
{
    bool lasts = spec->bytes == 0 && spec->operations == 0;

    return spec->start_ns == at_ns ||
           (lasts && spec->start_ns < at_ns && (spec->stop_ns == 0 || at_ns < spec->stop_ns));
}
