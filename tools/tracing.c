/* What a run's capture is made into. See tracing.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/tracing.h"

#include "sim/run/record.h"
#include "sim/run/stages_file.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void tracing_begin(struct tracing *tracing, const struct tracing_options *options,
                   const char *directory, struct capturing_options *capture)
{
    *tracing = (struct tracing){.options = *options};
    if (!options->stages)
        return;
    if (!capture->file &&
        asprintf(&tracing->own, "%s/stages-%ld.pcapng", directory, (long)getpid()) < 0)
        assert(!"there is memory");
    if (tracing->own)
        capture->file = tracing->own;
    tracing->file = capture->file;
}

static int failed(const struct tracing *tracing, const struct pcapng_fault *fault, json_t *result,
                  int code)
{
    json_t *words = json_sprintf("the capture %s: offset %" PRIu64 ": %s", tracing->file,
                                 fault->offset, fault->what);

    record_add_error(result, CAPTURING_CODE, json_string_value(words));
    json_decref(words);
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
    return failed(tracing, &fault, result, code);
}

int tracing_end(struct tracing *tracing, const struct launch_outcome *outcome,
                struct capturing_options *capture, json_t *result, int code)
{
    if (tracing->file && access(tracing->file, F_OK) == 0) /* else that was told */
        code = add_stages(tracing, outcome, result, code);
    if (tracing->own) {
        unlink(tracing->own);
        capture->file = NULL;
    }
    free(tracing->own);
    *tracing = (struct tracing){.file = NULL};
    return code;
}
