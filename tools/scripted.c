/* Playing a script, and its result. See scripted.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/scripted.h"

#include "sim/run/record.h"
#include "sim/run/steps.h"
#include "sim/run/trace_log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static void add_error(json_t *result, const char *code, const char *message)
{
    int ret = record_add_error(result, code, message);

    assert(ret == 0);
}

/* The line of the place as diagnostics show it, and a caret below. */
static void put_line(FILE *to, const struct diag_list *diags, const struct diag_place *place)
{
    const char *at = diags->texts[place->source];

    for (uint32_t line = 1; at && line < place->line && *at; line++) {
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    if (at)
        fprintf(to, "\n%5u | %.*s\n      | %*s^", place->line, (int)strcspn(at, "\r\n"), at,
                (int)place->column - 1, "");
}

/* What the script found, with the place and the text of its step. */
static void add_failure(json_t *result, const struct diag_list *diags,
                        const struct steps_outcome *outcome)
{
    const char *file = diags->names[outcome->place.source];
    size_t first = strcspn(outcome->message, "\n"), bytes;
    char *message = NULL, code[8];
    FILE *to = open_memstream(&message, &bytes);

    assert(to);
    snprintf(code, sizeof(code), "E%04d", (int)outcome->code);
    fprintf(to, "%s:%u:%u: %.*s", file, outcome->place.line, outcome->place.column, (int)first,
            outcome->message);
    put_line(to, diags, &outcome->place);
    fputs(outcome->message + first, to);
    fclose(to);
    add_error(result, code, message);
    free(message);
    json_t *errors = json_object_get(result, "errors");
    json_t *error = json_array_get(errors, json_array_size(errors) - 1);
    json_object_set_new(error, "file", json_string(file));
    json_object_set_new(error, "line", json_integer(outcome->place.line));
    json_object_set_new(error, "column", json_integer(outcome->place.column));
}

/* The trace of it, whose file may not be writable. */
static struct trace_log *open_trace(const struct scenario *scenario, const char *path,
                                    json_t *result)
{
    const struct trace_log_entity entities[] = {{.who = 0, .name = "backend"},
                                                {.who = 1, .name = "frontend"}};
    struct trace_log *log;
    char message[512];
    int ret = trace_log_create(&(struct trace_log_config){.path = path,
                                                          .scenario = scenario->name,
                                                          .seed = scenario->seed,
                                                          .entities = entities,
                                                          .entity_count = 2},
                               &log);

    if (ret == 0)
        return log;
    snprintf(message, sizeof(message), "cannot write the trace %s: %s", path, strerror(-ret));
    add_error(result, "E0704", message);
    return NULL;
}

static void add_virtual(json_t *result, struct trace_log *log, const struct steps_outcome *outcome)
{
    char hash[TRACE_LOG_HASH_BYTES];

    trace_log_hash(log, hash);
    record_add_virtual(result,
                       &(struct record_virtual){.trace = hash, .virtual_ns = outcome->now_ns});
    record_add_counter(result, "virtual.steps", outcome->played);
    record_add_counter(result, "virtual.records", trace_log_count(log));
    record_add_counter(result, "virtual.protocol_events", outcome->events);
}

static int play(json_t *result, const struct steps_config *config, struct diag_list *diags,
                struct trace_log *log)
{
    struct steps_outcome outcome;
    char message[128];
    int ret;

    if (!steps_play(config, &outcome)) {
        add_error(result, "E0601", "no memory file can be made");
        return CMD_UNSUPPORTED;
    }
    ret = trace_log_finish(log);
    add_virtual(result, log, &outcome);
    if (outcome.code != 0)
        add_failure(result, diags, &outcome);
    if (ret < 0) {
        snprintf(message, sizeof(message), "the trace is not whole: %s", strerror(-ret));
        add_error(result, "E0704", message);
    }
    return outcome.code != 0 || ret < 0 ? CMD_FAILED : CMD_OK;
}

json_t *scripted_run(const struct scenario *scenario, struct scenario_yaml *yaml,
                     const struct launch_options *options, int *code)
{
    json_t *about = json_pack("{s:s}", "file", options->file), *host = record_host();
    json_t *result = record_begin(about, host, XENSOCK_VERSION, "virtual", scenario->seed);
    uint64_t start_ns = uv_hrtime();
    struct trace_log *log;
    struct steps steps;

    json_decref(about);
    json_decref(host);
    if (!result)
        return NULL;
    log = open_trace(scenario, options->trace, result);
    *code = CMD_USAGE;
    if (log) {
        struct diag_list *diags = yaml->diags;
        steps_read(&steps, yaml, scenario);
        assert(diags->errors == 0); /* it was checked when the study was loaded */
        *code = play(result,
                     &(struct steps_config){
                         .steps = &steps, .scenario = scenario, .trace = trace_log_sink(log)},
                     diags, log);
        steps_fini(&steps);
        trace_log_destroy(log);
    }
    record_finish(result, uv_hrtime() - start_ns, log != NULL);
    return result;
}
