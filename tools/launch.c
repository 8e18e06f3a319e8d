/* A run as processes. See launch.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/launch.h"

#include "sim/run/fault_words.h"
#include "sim/run/peer_fault.h"
#include "sim/run/report.h"
#include "sim/run/units.h"
#include "tools/launch_private.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    GRACE_MS = 3000,         /* for parts to report or to exit: asked to, or without a hypervisor */
    PROGRESS_NS = 100000000, /* between lines of it, at least */
};

void launch_error(struct launch *launch, const char *code, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    json_array_append_new(launch->outcome->errors,
                          json_pack("{s:s, s:s}", "code", code, "message", message));
}

/* Say a word to the parts of these kinds. */
static void say_all(struct launch *launch, uint32_t kinds, const char *what)
{
    for (uint32_t i = 0; i < launch->part_count; i++) {
        struct launch_part *part = &launch->parts[i];
        if ((part->kind & kinds) && !part->exited)
            control_uv_say(part->control, json_pack("{s:s}", "do", what));
    }
}

/* Parts of these kinds have had their time to end. */
static void kill_left(struct launch *launch, uint32_t kinds)
{
    for (uint32_t i = 0; i < launch->part_count; i++) {
        struct launch_part *part = &launch->parts[i];
        if (!(part->kind & kinds) || part->exited)
            continue;
        launch_error(launch, "E0604", "%s had not ended and was killed", part->name);
        part->killed = true;
        uv_process_kill(&part->process, SIGKILL);
    }
}

static void on_kill_time(uv_timer_t *timer)
{
    kill_left(timer->data, LAUNCH_ALL);
}

void launch_quit(struct launch *launch)
{
    if (launch->quitting)
        return;
    launch->quitting = true;
    launch_end_faults(launch);
    say_all(launch, LAUNCH_ALL, "quit");
    uv_timer_start(&launch->timer, on_kill_time, GRACE_MS, 0);
    launch_parts_check(launch);
}

static void on_grace_over(uv_timer_t *timer)
{
    launch_quit(timer->data);
}

/* To end early: what the guests have measured so far is still reported, if they have begun. */
static void interrupt(struct launch *launch)
{
    bool alive = false;

    launch->outcome->complete = false;
    if (launch->quitting || launch->interrupted)
        return;
    for (uint32_t i = 0; i < launch->part_count; i++)
        alive |= launch->parts[i].kind == LAUNCH_FRONTEND && !launch->parts[i].exited;
    if (!launch->started || !alive) {
        launch_quit(launch);
        return;
    }
    launch->interrupted = true;
    launch_end_faults(launch);
    say_all(launch, LAUNCH_FRONTEND, "interrupt");
    uv_timer_start(&launch->timer, on_grace_over, GRACE_MS, 0);
}

void launch_fail(struct launch *launch, int code)
{
    if (launch->outcome->code == CMD_OK)
        launch->outcome->code = code;
    interrupt(launch);
}

static void on_timeout(uv_timer_t *timer)
{
    struct launch *launch = timer->data;

    char *who = launch_stall(launch);
    json_array_append_new(
        launch->outcome->errors,
        json_pack("{s:s, s:o}", "code", "E0501", "message",
                  json_sprintf("stalled: the run had not ended after %s (timeout)%s",
                               units_format_duration(launch->scenario->timeout_ns).text, who)));
    free(who);
    launch->outcome->code = CMD_BROKEN;
    interrupt(launch);
}

static void on_signal(void *self, int number)
{
    struct launch *launch = self;

    (void)number;
    if (launch->outcome->code == CMD_OK)
        launch->outcome->code = CMD_INTERRUPTED;
    if (launch->interrupts++ > 0) {
        launch_quit(launch);
        on_kill_time(&launch->timer);
        return;
    }
    interrupt(launch);
}

/* The others are measured from the first guest's beginning to the last one's end. */
static void measure(struct launch *launch)
{
    launch->measuring = true;
    launch_plan_faults(launch);
    launch->outcome->from_ns =
        launch->scenario->warmup_ns > 0 ? launch->measure_ns : launch->start_ns;
    record_usage_now(&launch->from);
    /* without a warm-up everything counts, also what came before this word arrives */
    say_all(launch, LAUNCH_PEER | LAUNCH_BACKEND,
            launch->scenario->warmup_ns > 0 ? "measure" : "measure-all");
}

static void measured(struct launch *launch)
{
    struct record_usage now, usage;

    launch->measured = true;
    launch->outcome->to_ns = uv_hrtime();
    record_usage_now(&now);
    usage = record_usage_between(&launch->from, &now);
    launch->outcome->hypervisor = record_usage_json(&usage);
    say_all(launch, LAUNCH_PEER | LAUNCH_BACKEND, "end");
}

static void progress(struct launch *launch, struct launch_part *part, const json_t *object)
{
    uint64_t now_ns = uv_hrtime(), bytes = 0, operations = 0;

    part->bytes = (uint64_t)json_integer_value(json_object_get(object, "bytes"));
    part->operations = (uint64_t)json_integer_value(json_object_get(object, "operations"));
    const char *waits_for = json_string_value(json_object_get(object, "waits_for"));
    snprintf(part->waits_for, sizeof(part->waits_for), "%s", waits_for ? waits_for : "");
    if (!launch->options->progress || now_ns - launch->progress_ns < PROGRESS_NS)
        return;
    for (uint32_t i = 0; i < launch->part_count; i++) {
        bytes += launch->parts[i].bytes;
        operations += launch->parts[i].operations;
    }
    fprintf(stderr, "\r\033[K%s  %.1f s  %s  %llu operations", launch->scenario->name,
            (double)(now_ns - launch->start_ns) / 1e9,
            units_format_rate((bytes - launch->progress_bytes) * 1000000 /
                              ((now_ns - launch->progress_ns) / 1000 + 1))
                .text,
            (unsigned long long)operations);
    launch->progress_bytes = bytes;
    launch->progress_ns = now_ns;
}

/* How many connections the guests opened to a peer, by their own report. */
static uint64_t opened_to(const struct launch *launch, uint32_t peer)
{
    const json_t *report = json_object_get(launch->outcome->reports, "frontend");
    const json_t *workloads = json_object_get(report, "workloads");
    uint64_t opened = 0;

    for (uint32_t i = 0; i < launch->scenario->workload_count; i++) {
        const struct scenario_workload *spec = &launch->scenario->workloads[i];
        const json_t *count = json_object_get(json_array_get(workloads, i), "connected");
        if (spec->kind != SCENARIO_SERVE && spec->peer == peer)
            opened += (uint64_t)json_integer_value(count);
    }
    return opened;
}

/* The guests are through: now the others report, when all that these began has come to them. */
static void ask_reports(struct launch *launch)
{
    launch->asked = true;
    launch_end_faults(launch);
    for (uint32_t i = 0; i < launch->part_count; i++) {
        struct launch_part *part = &launch->parts[i];
        json_int_t opened =
            part->kind == LAUNCH_PEER ? (json_int_t)opened_to(launch, part->peer) : 0;
        if (part->kind != LAUNCH_FRONTEND && !part->exited)
            control_uv_say(part->control,
                           json_pack("{s:s, s:I}", "do", "report", "connections", opened));
    }
}

/* A guest that is gone is waited for by nobody. */
static bool is_over(const struct launch_part *part)
{
    return part->reported || (part->exited && !part->returning);
}

static bool is_up(const struct launch_part *part)
{
    return part->up || is_over(part);
}

static bool is_listening(const struct launch_part *part)
{
    return part->listening || is_over(part);
}

static bool has_ended(const struct launch_part *part)
{
    return part->ended || is_over(part);
}

static bool all(const struct launch *launch, uint32_t kinds,
                bool (*is)(const struct launch_part *part))
{
    for (uint32_t i = 0; i < launch->part_count; i++)
        if ((launch->parts[i].kind & kinds) && !is(&launch->parts[i]))
            return false;
    return true;
}

static void on_domains_kill_time(uv_timer_t *timer)
{
    kill_left(timer->data, LAUNCH_BACKEND | LAUNCH_FRONTEND);
}

/* Without a hypervisor each domain ends by itself; then the peers, who need none, are told to. */
void launch_expect_end(struct launch *launch)
{
    uv_timer_start(&launch->timer, on_domains_kill_time, GRACE_MS, 0);
    launch_advance(launch);
}

static bool has_exited(const struct launch_part *part)
{
    return part->exited;
}

/* Each stage of a run begins when all guests have come to it. */
void launch_advance(struct launch *launch)
{
    if (!launch->spawned || launch->quitting)
        return;
    if (launch->hypervisor_killed) {
        if (all(launch, LAUNCH_BACKEND | LAUNCH_FRONTEND, has_exited))
            launch_quit(launch);
        return;
    }
    if (!launch->started && all(launch, LAUNCH_FRONTEND, is_up)) {
        launch->started = true;
        say_all(launch, LAUNCH_FRONTEND, "start");
    }
    if (!launch->served && all(launch, LAUNCH_FRONTEND, is_listening)) {
        launch->served = true;
        say_all(launch, LAUNCH_PEER, "start");
    }
    if (launch->measuring && !launch->measured && all(launch, LAUNCH_FRONTEND, has_ended))
        measured(launch);
    if (!launch->asked && all(launch, LAUNCH_FRONTEND, is_over))
        ask_reports(launch);
    if (launch->asked && all(launch, LAUNCH_ALL, is_over))
        launch_quit(launch);
}

static void take_report(struct launch *launch, struct launch_part *part, json_t *object)
{
    json_t *reports = launch->outcome->reports;

    part->reported = true;
    if (part->kind == LAUNCH_PEER)
        json_object_set(json_object_get(reports, "peers"), part->name, object);
    else
        report_add(reports, launch->scenario, part->domain.host, object);
}

/* A core called its peer broken; both have names. */
static void take_fault(struct launch *launch, const struct launch_part *part, const json_t *object)
{
    json_int_t domid = json_integer_value(json_object_get(object, "domid"));
    const char *text = json_string_value(json_object_get(object, "message"));
    struct scenario_domain of = {.name = "?"};
    char message[512], after[SCENARIO_DOMAIN_NAME_BYTES + 64];

    scenario_domain(launch->scenario, (uint32_t)domid, &of);
    snprintf(message, sizeof(message), "%s: fault of %s: %s", part->domain.name, of.name,
             text ? text : "");
    fault_log_last(&launch->faults, after, sizeof(after));
    peer_fault_note(launch->outcome->errors, PEER_FAULT_CODE, message, after);
}

/* A domain's own fault, of one of its devices; it may have many. */
static void take_own_fault(struct launch *launch, const struct launch_part *part,
                           const json_t *object)
{
    const char *text = json_string_value(json_object_get(object, "message"));
    char message[FAULT_WORDS_BYTES + SCENARIO_DOMAIN_NAME_BYTES + 2];
    char after[SCENARIO_DOMAIN_NAME_BYTES + 64];

    snprintf(message, sizeof(message), "%s: %s", part->name, text ? text : "");
    fault_log_last(&launch->faults, after, sizeof(after));
    peer_fault_note(launch->outcome->errors, FAULT_WORDS_CODE, message, after);
}

/* A peer that cannot start has an address it cannot listen on; the verdict knows where it stands.
 */
static void take_error(struct launch *launch, struct launch_part *part, const json_t *object)
{
    const char *code = json_string_value(json_object_get(object, "code"));

    if (launch->hypervisor_killed && code && strcmp(code, LAUNCH_NO_HYPERVISOR) == 0) {
        part->told = true; /* as it should */
        return;
    }
    if (code && strcmp(code, PEER_FAULT_CODE) == 0) {
        take_fault(launch, part, object);
        return;
    }
    if (code && strcmp(code, FAULT_WORDS_CODE) == 0) {
        take_own_fault(launch, part, object);
        return;
    }
    launch_error(launch, code ? code : "E0606", "%s: %s", part->name,
                 json_string_value(json_object_get(object, "message")));
    bool address = code && code[0] == 'E' && !(code[1] >= '0' && code[1] <= '9');
    if (part->kind == LAUNCH_PEER && !part->ready && address) {
        json_t *errors = launch->outcome->errors;
        json_object_set_new(json_array_get(errors, json_array_size(errors) - 1), "peer",
                            json_integer(part->peer));
    }
}

/* Who comes again has nobody to wait for. */
static void take_up(struct launch *launch, struct launch_part *part)
{
    part->up = true;
    launch_part_up(part);
    if (launch->started)
        control_uv_say(part->control, json_pack("{s:s}", "do", "start"));
}

static void take_measure(struct launch *launch, struct launch_part *part)
{
    if (part->measure_ns == 0)
        part->measure_ns = uv_hrtime();
    if (!launch->measuring)
        measure(launch);
}

void launch_said(struct launch *launch, struct launch_part *part, json_t *object)
{
    const char *event = json_string_value(json_object_get(object, "event"));

    if (!event)
        return;
    if (strcmp(event, "ready") == 0)
        launch_part_ready(launch, part, json_string_value(json_object_get(object, "address")));
    else if (strcmp(event, "up") == 0)
        take_up(launch, part);
    else if (strcmp(event, "listening") == 0)
        part->listening = true;
    else if (strcmp(event, "measure") == 0)
        take_measure(launch, part);
    else if (strcmp(event, "end") == 0)
        part->ended = true;
    else if (strcmp(event, "progress") == 0)
        progress(launch, part, object);
    else if (strcmp(event, "report") == 0)
        take_report(launch, part, object);
    else if (strcmp(event, "error") == 0)
        take_error(launch, part, object);
    else if (strcmp(event, "terminated") == 0)
        launch_terminated(launch, part);
    launch_advance(launch);
}

void launch_terminated(struct launch *launch, struct launch_part *part)
{
    if (launch->quitting)
        return; /* it ends anyhow */
    part->terminated = true;
    interrupt(launch);
}

/* Who was sent SIGTERM, unless this process was, too: that is a user's, who ends all of the run. */
static void tell_terminated(struct launch *launch)
{
    for (uint32_t i = 0; i < launch->part_count && launch->interrupts == 0; i++) {
        if (!launch->parts[i].terminated)
            continue;
        launch_error(launch, "E0603", "%s was told to end early by signal %d (%s)",
                     launch->parts[i].name, SIGTERM, strsignal(SIGTERM));
        if (launch->outcome->code == CMD_OK)
            launch->outcome->code = CMD_FAILED;
    }
}

void launch_ended(struct launch *launch)
{
    tell_terminated(launch);
    launch_stop_hypervisor(launch);
    launch_close_faults(launch);
    uv_close((uv_handle_t *)&launch->timer, NULL);
    signals_close(&launch->signals);
}

static void start_handles(struct launch *launch)
{
    signal(SIGPIPE, SIG_IGN);
    uv_timer_init(launch->loop, &launch->timer);
    launch->timer.data = launch;
    uv_timer_start(&launch->timer, on_timeout, launch->scenario->timeout_ns / 1000000 + 1, 0);
    signals_listen(&launch->signals, launch->loop, launch, on_signal);
}

void launch_run(const struct scenario *scenario, const struct launch_options *options,
                struct launch_outcome *outcome)
{
    struct launch *launch = calloc(1, sizeof(*launch));

    assert(launch);
    *outcome = (struct launch_outcome){.reports = json_pack("{s:{}, s:{}}", "hosts", "peers"),
                                       .errors = json_array(),
                                       .complete = true};
    launch->scenario = scenario;
    launch->options = options;
    launch->outcome = outcome;
    launch->loop = uv_default_loop();
    launch->start_ns = launch->progress_ns = uv_hrtime();
    start_handles(launch);
    if (launch_start_hypervisor(launch))
        launch_peers(launch);
    else
        launch_fail(launch, options->runtime ? CMD_USAGE : CMD_UNSUPPORTED);
    uv_run(launch->loop, UV_RUN_DEFAULT);
    uv_loop_close(launch->loop);
    outcome->wall_ns = uv_hrtime() - launch->start_ns;
    if (launch->measuring && !launch->measured)
        outcome->to_ns = uv_hrtime();
    if (options->progress)
        fputs("\r\033[K", stderr);
    free(launch);
}
