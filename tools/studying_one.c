/* One run of a study, begun, judged and told. See studying.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/record.h"
#include "tools/output.h"
#include "tools/scripted.h"
#include "tools/simulate.h"
#include "tools/studying.h"
#include "tools/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one run needs beside its scenario. */
struct one {
    struct studying *studying;
    struct scenario scenario;
    struct model model;
    struct launch_options launch;
    struct cmd_sets sets; /* those asked for, and the point's */
    char texts[STUDY_AXES_MAX + 1][STUDY_SET_BYTES];
    struct study_run which;
    struct capturing_options capture; /* as asked for, or for its stages alone */
    struct tracing_options traced;
    char capture_path[600], trace_path[600]; /* of what the scenario records */
    bool failed;                             /* if it matters here */
    struct capturing capturing;
    struct capture_summary captured;
    struct tracing tracing;
    struct profiling profiling;
    char directory[560]; /* of its own files */
};

static int cannot_begin(const struct one *one, const char *code, const char *why)
{
    if (one->studying->options->json)
        studying_print_errors(json_pack("[{s:s, s:s}]", "code", code, "message", why));
    else
        fprintf(stderr, "xensock run: error[%s]: %s\n", code, why);
    return CMD_USAGE;
}

/* Overrides that make the file be this run; a study of one run needs none. */
static void add_sets(struct one *one, uint32_t point, uint32_t repeat)
{
    const struct study *study = one->studying->study;
    char *seed = one->texts[study->axis_count];

    one->sets = one->studying->options->sets;
    for (uint32_t i = 0; i < study->axis_count; i++) {
        study_set(study, point, i, one->texts[i]);
        one->sets.list[one->sets.count++] = one->texts[i];
    }
    snprintf(seed, STUDY_SET_BYTES, "seed=%" PRIu64, one->scenario.seed);
    if (repeat > 0)
        one->sets.list[one->sets.count++] = seed;
    one->launch.sets = &one->sets;
    one->launch.asked = &one->studying->options->sets;
    one->launch.of_several = one->studying->study->point_count * study->repeat_count > 1;
    one->launch.point = point;
    one->launch.repeat = repeat;
}

/* Files of the run lie beside the result, or, of one of several, in a directory of its own. */
static bool make_directory(struct one *one, uint32_t point, uint32_t repeat)
{
    const struct studying *studying = one->studying;
    const char *out = studying->files ? studying->files : studying->out;

    if (one->launch.of_several)
        snprintf(one->directory, sizeof(one->directory), "%s/p%ur%u", out, point, repeat);
    else
        snprintf(one->directory, sizeof(one->directory), "%s", out);
    if (studying->options->profiling.kind == PROFILE_NONE && !one->scenario.record.trace &&
        !one->scenario.record.capture)
        return true;
    if (output_directories(one->directory) == 0)
        return true;
    char why[640];
    snprintf(why, sizeof(why), "cannot make the directory %s: %s", one->directory, strerror(errno));
    cannot_begin(one, "E0701", why);
    return false;
}

/* What the scenario has recorded, unless the command line says where to. */
static void apply_record(struct one *one)
{
    const struct scenario_recording *record = &one->scenario.record;

    one->traced = one->studying->options->traced;
    one->traced.stages |= record->stages == SCENARIO_TRUE;
    if (record->trace != SCENARIO_NEVER && !one->traced.trace) {
        snprintf(one->trace_path, sizeof(one->trace_path), "%s/trace.json", one->directory);
        one->traced.trace = one->trace_path;
        one->traced.on_failure = record->trace == SCENARIO_ON_FAILURE;
    }
    if (record->capture != SCENARIO_NEVER && !one->capture.file) {
        snprintf(one->capture_path, sizeof(one->capture_path), "%s/capture.pcapng", one->directory);
        one->capture.file = one->capture_path;
    }
}

/* A capture that the scenario wants of failures alone goes again. */
static void drop_capture(const struct one *one)
{
    if (one->capture_path[0] && one->scenario.record.capture == SCENARIO_ON_FAILURE && !one->failed)
        unlink(one->capture_path);
    if (one->launch.of_several)
        rmdir(one->directory); /* if nothing is in it */
}

/* Begin the capture, if one is wanted: in virtual time this process's own. */
static bool begin_capture(struct one *one, char why[CAPTURING_WORDS_BYTES])
{
    const struct capturing_options *wanted = &one->capture;

    if (!wanted->file)
        return true;
    one->launch.capturing = &one->capturing;
    return one->scenario.mode == SCENARIO_VIRTUAL
               ? capturing_join(&one->capturing, wanted, false, "virtual", why)
               : capturing_open(&one->capturing, wanted, true, why);
}

/* The capture and what is to be made of it; false after saying why that cannot be. */
static bool begin_traces(struct one *one)
{
    char why[CAPTURING_WORDS_BYTES];
    bool good = tracing_begin(&one->tracing, &one->traced, one->studying->out, &one->capture, why);

    if (!good)
        cannot_begin(one, TRACE_EXPORT_CODE, why);
    else if (!begin_capture(one, why)) {
        cannot_begin(one, CAPTURING_CODE, why);
        good = false;
    }
    return good;
}

/* Whatever became of the run, there is what was captured of it. */
static void end_capture(struct one *one, struct launch_outcome *outcome)
{
    char words[CAPTURING_WORDS_BYTES];
    uint64_t limit_bytes = one->capturing.limit_bytes;

    one->tracing.offset_ns = one->capturing.offset_ns;
    if (!capturing_end(&one->capturing, &one->captured, words))
        json_array_append_new(outcome->errors,
                              json_pack("{s:s, s:s}", "code", CAPTURING_CODE, "message", words));
    capturing_lost(&one->captured, limit_bytes, words);
    if (words[0])
        fprintf(stderr, "xensock run: note: of the capture %s %s\n", one->capture.file, words);
    one->studying->captured = one->captured.packets;
}

/* The result of what came out. */
static json_t *judge(struct one *one, struct launch_outcome *outcome, int *code)
{
    struct tracing_run run = {&one->scenario, outcome, false};
    json_t *result = verdict_result(&one->scenario, one->studying->diags, outcome, code);

    json_decref(outcome->reports);
    json_decref(outcome->errors);
    json_decref(outcome->hypervisor);
    json_decref(outcome->faults);
    if (result && one->capture.file) {
        record_add_counter(result, "capture.packets", one->captured.packets);
        record_add_counter(result, "capture.lost", one->captured.lost);
    }
    one->which.code = *code;
    if (one->traced.on_failure || one->scenario.record.capture == SCENARIO_ON_FAILURE)
        one->failed = !result || study_result_failed(one->studying->study, &one->which, result);
    run.failed = one->failed;
    *code = tracing_end(&one->tracing, &run, &one->capture, result, *code);
    return result;
}

/* The costs of a run in virtual time. They were looked at when the study was loaded. */
static bool load_model(struct one *one)
{
    struct diag_list diags;
    bool loaded;

    if (one->scenario.mode != SCENARIO_VIRTUAL)
        return true;
    diag_init(&diags);
    loaded = model_load(&one->model, one->scenario.cost_model, one->studying->options->file,
                        &diags) == 0;
    if (!loaded)
        diag_print(&diags, stderr, false);
    diag_fini(&diags);
    return loaded;
}

json_t *studying_one(struct studying *studying, uint32_t point, uint32_t repeat, int *code)
{
    const struct studying_options *options = studying->options;
    static struct one one;
    struct launch_outcome outcome;
    json_t *result;

    memset(&one, 0, sizeof(one));
    one.studying = studying;
    one.which = (struct study_run){.point = point, .repeat = repeat};
    one.launch = options->launch;
    one.capture = options->capture;
    study_scenario(studying->study, point, repeat, &one.scenario);
    add_sets(&one, point, repeat);
    if (one.scenario.steps)
        return scripted_run(&one.scenario, &studying->study->yaml, &one.launch, code);
    *code = CMD_USAGE;
    if (!load_model(&one) || !make_directory(&one, point, repeat))
        return NULL;
    apply_record(&one);
    if (!begin_traces(&one))
        return NULL;
    one.profiling = options->profiling;
    one.launch.profiling = &one.profiling;
    profiling_begin(&one.profiling, one.directory, one.scenario.mode == SCENARIO_VIRTUAL);
    if (one.scenario.mode == SCENARIO_VIRTUAL)
        simulate_run(&one.scenario, &one.model, &one.launch, &outcome);
    else
        launch_run(&one.scenario, &one.launch, &outcome);
    end_capture(&one, &outcome);
    result = judge(&one, &outcome, code);
    if (!result)
        *code = CMD_BUG;
    drop_capture(&one);
    profiling_end(&one.profiling, one.directory, !options->quiet && !options->json);
    return result;
}
