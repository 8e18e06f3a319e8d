/* A run in virtual time. See simulate.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/simulate.h"

#include "sim/run/run_virtual.h"
#include "sim/run/trace_log.h"
#include "sim/run/units.h"
#include "tools/capturing.h"
#include "tools/profile.h"
#include "tools/signals.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
    EVENTS_AT_ONCE = 1 << 16, /* between looks at signals: some 30 ms */
};

struct simulation {
    const struct scenario *scenario;
    const struct launch_options *options;
    struct launch_outcome *outcome;
    struct trace_log *log;
    struct run_virtual *run;
    uint64_t start_ns;
    uint32_t signals;
};

static void add_error(const struct simulation *sim, const char *code, json_t *message)
{
    json_array_append_new(sim->outcome->errors,
                          json_pack("{s:s, s:o}", "code", code, "message", message));
}

static uint32_t count_entities(const struct scenario *scenario)
{
    return scenario_backend_count(scenario) + scenario->peer_count + scenario_guest_count(scenario);
}

static bool open_trace(struct simulation *sim)
{
    uint32_t count = count_entities(sim->scenario);
    struct trace_log_entity *entities = calloc(count, sizeof(*entities));
    char(*names)[SCENARIO_DOMAIN_NAME_BYTES] = calloc(count, sizeof(*names));

    assert(entities && names);
    for (uint32_t i = 0; i < count; i++) {
        bool there = run_virtual_entity(sim->scenario, i, &entities[i].who, names[i]);
        assert(there);
        entities[i].name = names[i];
    }
    int ret = trace_log_create(&(struct trace_log_config){.path = sim->options->trace,
                                                          .scenario = sim->scenario->name,
                                                          .seed = sim->scenario->seed,
                                                          .entities = entities,
                                                          .entity_count = count},
                               &sim->log);
    free(entities);
    free(names);
    if (ret == 0)
        return true;
    add_error(sim, "E0704",
              json_sprintf("cannot write the trace %s: %s", sim->options->trace, strerror(-ret)));
    sim->outcome->code = CMD_USAGE;
    return false;
}

static void close_trace(struct simulation *sim)
{
    int ret = trace_log_finish(sim->log);

    trace_log_hash(sim->log, sim->outcome->trace);
    sim->outcome->trace_records = trace_log_count(sim->log);
    if (ret < 0) {
        add_error(
            sim, "E0704",
            json_sprintf("the trace %s is not whole: %s", sim->options->trace, strerror(-ret)));
        if (sim->outcome->code == CMD_OK)
            sim->outcome->code = CMD_FAILED;
    }
    trace_log_destroy(sim->log);
}

static void progress(const struct simulation *sim)
{
    uint64_t wall_ns = uv_hrtime() - sim->start_ns;

    if (sim->options->progress)
        fprintf(
            stderr, "\r\033[K%s  virtual %s  %llu events  %s", sim->scenario->name,
            units_format_latency(run_virtual_now_ns(sim->run)).text,
            (unsigned long long)run_virtual_events(sim->run),
            units_format_rate(run_virtual_bytes(sim->run) * 1000 / (wall_ns / 1000000 + 1)).text);
}

static bool sets_seed(const struct cmd_sets *sets)
{
    bool found = false;

    for (uint32_t i = 0; i < sets->count; i++)
        found |= strncmp(sets->list[i], "seed=", 5) == 0;
    return found;
}

/* The command that shows it again: all that the run depended on, and a trace. Its own is itself.
 * For free(). */
static char *reproduce(const struct simulation *sim)
{
    const struct launch_options *options = sim->options;
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    assert(to);
    fputs("xensock run", to);
    if (options->of_several)
        fprintf(to, " --point %u --repeat %u", options->point, options->repeat);
    else if (!sets_seed(options->asked))
        fprintf(to, " --set seed=%llu", (unsigned long long)sim->scenario->seed);
    for (uint32_t i = 0; i < options->asked->count; i++) {
        fputs(" --set", to);
        cmd_put_word(to, options->asked->list[i]);
    }
    for (uint32_t i = 0; i < options->allow_count; i++) {
        fputs(" --allow", to);
        cmd_put_word(to, options->allow[i]);
    }
    fputs(options->immediate ? " --notify immediate --trace stall.trace" : " --trace stall.trace",
          to);
    cmd_put_word(to, options->file);
    fclose(to);
    assert(text);
    return text;
}

static void tell_stall(struct simulation *sim)
{
    uint64_t now_ns = run_virtual_now_ns(sim->run);
    char *who = run_virtual_stall(sim->run);
    char *command = reproduce(sim);

    add_error(sim, "E0501",
              json_sprintf("stalled at virtual %llu.%09llu s: %s   reproduce: %s",
                           (unsigned long long)(now_ns / 1000000000),
                           (unsigned long long)(now_ns % 1000000000), who, command));
    free(command);
    free(who);
    sim->outcome->complete = false;
    sim->outcome->code = CMD_BROKEN;
}

/* The first ends the workloads, the second the run. */
static void on_signal(void *self, int number)
{
    struct simulation *sim = self;

    (void)number;
    if (sim->signals++ > 0)
        return;
    sim->outcome->complete = false;
    sim->outcome->code = CMD_INTERRUPTED;
    if (sim->run)
        run_virtual_interrupt(sim->run);
}

/* Signals are taken here only. */
static void go(struct simulation *sim)
{
    enum run_virtual_status status = RUN_VIRTUAL_GOING;
    uint64_t said_ns = sim->start_ns;

    while (status == RUN_VIRTUAL_GOING && sim->signals < 2) {
        status = run_virtual_go(sim->run, EVENTS_AT_ONCE);
        uv_run(uv_default_loop(), UV_RUN_NOWAIT);
        if (uv_hrtime() - said_ns > 200000000) {
            said_ns = uv_hrtime();
            progress(sim);
        }
    }
    if (status == RUN_VIRTUAL_STALLED || status == RUN_VIRTUAL_TIMEOUT)
        tell_stall(sim);
    if (sim->options->progress)
        fputs("\r\033[K", stderr);
}

static void simulate(struct simulation *sim, const struct model *model, const struct policy *policy)
{
    json_t *error;

    sim->run = run_virtual_create(
        &(struct run_virtual_config){
            .scenario = sim->scenario,
            .costs = &model->costs,
            .policy = policy,
            .trace = trace_log_sink(sim->log),
            .capture = sim->options->capturing ? sim->options->capturing->own : NULL,
            .notify = sim->options->immediate ? EXEC_NOTIFY_IMMEDIATE : EXEC_NOTIFY_COALESCED},
        &error);
    if (!sim->run) {
        if (!error)
            add_error(sim, "E0601", json_string("no memory file can be made"));
        else
            json_array_append_new(sim->outcome->errors, error);
        sim->outcome->complete = false;
        sim->outcome->code = error ? CMD_SCENARIO : CMD_UNSUPPORTED;
        return;
    }
    profile_start();
    go(sim);
    profile_stop();
    json_decref(sim->outcome->reports);
    sim->outcome->reports = run_virtual_reports(sim->run);
    json_t *faults = run_virtual_errors(sim->run);
    json_array_extend(sim->outcome->errors, faults);
    json_decref(faults);
    if (sim->scenario->fault_count > 0)
        sim->outcome->faults = run_virtual_faults(sim->run);
    run_virtual_measured(sim->run, &sim->outcome->from_ns, &sim->outcome->to_ns);
    sim->outcome->virtual_ns = run_virtual_now_ns(sim->run);
    sim->outcome->virtual_events = run_virtual_events(sim->run);
    sim->outcome->protocol_events = run_virtual_protocol_events(sim->run);
    run_virtual_destroy(sim->run);
    sim->run = NULL;
}

void simulate_run(const struct scenario *scenario, const struct model *model,
                  const struct launch_options *options, struct launch_outcome *outcome)
{
    struct simulation sim = {
        .scenario = scenario, .options = options, .outcome = outcome, .start_ns = uv_hrtime()};
    struct policy policy;
    struct signals signals;

    /* before there is a trace: whoever sees it may interrupt */
    signals_listen(&signals, uv_default_loop(), &sim, on_signal);
    policy_init(&policy);
    for (uint32_t i = 0; i < options->allow_count; i++) {
        struct policy_rule rule;
        if (cmd_allow(options->allow[i], &rule))
            policy_allow(&policy, &rule);
    }
    *outcome = (struct launch_outcome){.reports = json_pack("{s:{}, s:{}}", "hosts", "peers"),
                                       .errors = json_array(),
                                       .model = model,
                                       .complete = true};
    if (open_trace(&sim)) {
        simulate(&sim, model, &policy);
        close_trace(&sim);
    } else {
        outcome->complete = false;
    }
    signals_last(uv_default_loop());
    signals_close(&signals);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    outcome->wall_ns = uv_hrtime() - sim.start_ns;
}
