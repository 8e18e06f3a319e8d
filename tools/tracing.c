/* What a run's capture is made into. See tracing.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/tracing.h"

#include "sim/run/record.h"
#include "sim/run/scenario_domains.h"
#include "sim/run/stages_file.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool tracing_begin(struct tracing *tracing, const struct tracing_options *options,
                   const char *directory, struct capturing_options *capture,
                   char why[TRACE_EXPORT_WHY_BYTES])
{
    *tracing = (struct tracing){.options = *options};
    if (options->trace && !trace_export_can(options->trace, why))
        return false;
    if (!options->stages && !options->trace)
        return true;
    if (!capture->file &&
        asprintf(&tracing->own, "%s/stages-%ld.pcapng", directory, (long)getpid()) < 0)
        assert(!"there is memory");
    if (tracing->own)
        capture->file = tracing->own;
    tracing->file = capture->file;
    return true;
}

bool tracing_on(const char *text, struct tracing_options *options)
{
    options->on_failure = strcmp(text, "failure") == 0;
    if (options->on_failure || strcmp(text, "always") == 0)
        return true;
    fprintf(stderr, "xensock: error: --trace-on takes always or failure, not '%s'\n", text);
    return false;
}

/* The run fails for it, unless it has already. */
static int failed(json_t *result, const char *error, const char *words, int code)
{
    record_add_error(result, error, words);
    return code == CMD_OK ? CMD_FAILED : code;
}

static int add_stages(const struct tracing *tracing, const struct launch_outcome *outcome,
                      json_t *result, int code)
{
    const json_t *point = json_array_get(json_object_get(result, "points"), 0);
    json_t *repeat = json_array_get(json_object_get(point, "repeats"), 0);
    const struct stages_window window = {outcome->from_ns + (uint64_t)tracing->offset_ns,
                                         outcome->to_ns + (uint64_t)tracing->offset_ns};
    struct pcapng_fault fault;

    if (stages_file_add(repeat, tracing->file, &window, &fault))
        return code;
    json_t *words = json_sprintf("the capture %s: offset %" PRIu64 ": %s", tracing->file,
                                 fault.offset, fault.what);
    code = failed(result, CAPTURING_CODE, json_string_value(words), code);
    json_decref(words);
    return code;
}

static bool name_of(void *self, uint16_t domid, char name[PERFETTO_NAME_BYTES])
{
    const struct scenario *scenario = self;
    struct scenario_domain domain;

    for (uint32_t i = 0; scenario_domain(scenario, i, &domain); i++) {
        if (domain.domid != domid)
            continue;
        snprintf(name, PERFETTO_NAME_BYTES, "%s (domain %u)", domain.name, (unsigned)domid);
        return true;
    }
    return false;
}

static int write_trace(const struct tracing *tracing, const struct scenario *scenario,
                       json_t *result, int code)
{
    const struct perfetto_config config = {.to_ns = UINT64_MAX,
                                           .limit = PERFETTO_LIMIT_DEFAULT,
                                           .name_of = name_of,
                                           .self = (void *)scenario};
    struct perfetto_summary summary;
    char why[TRACE_EXPORT_WHY_BYTES];

    const char *error =
        trace_export_file(tracing->file, tracing->options.trace, &config, &summary, why);
    if (error)
        return failed(result, error, why, code);
    trace_export_note(&summary);
    return code;
}

int tracing_end(struct tracing *tracing, const struct tracing_run *run,
                struct capturing_options *capture, json_t *result, int code)
{
    const struct tracing_options *options = &tracing->options;
    bool there =
        result && tracing->file && access(tracing->file, F_OK) == 0; /* else that was told */

    if (there && options->trace && (run->failed || !options->on_failure))
        code = write_trace(tracing, run->scenario, result, code);
    if (there && options->stages)
        code = add_stages(tracing, run->outcome, result, code);
    if (tracing->own) {
        unlink(tracing->own);
        capture->file = NULL;
    }
    free(tracing->own);
    *tracing = (struct tracing){.file = NULL};
    return code;
}
