/*
 * xensock frontend: the guest domain's process, with the workloads of a scenario on its calls.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/net/net_uv.h"
#include "sim/run/domain_uv.h"
#include "sim/run/fault_words.h"
#include "sim/run/metrics_counters.h"
#include "sim/run/peer_fault.h"
#include "sim/run/report.h"
#include "sim/run/run_front.h"
#include "sim/run/scenario_domains.h"
#include "sim/run/units.h"
#include "tools/capturing.h"
#include "tools/cmd.h"
#include "tools/process.h"
#include "tools/profile.h"
#include "tools/waiting.h"

#include <getopt.h>
#include <stdlib.h>

static const char help[] =
    "usage: xensock frontend --runtime DIR [OPTION]... FILE\n"
    "\n"
    "Connects to the hypervisor in DIR as a guest and runs its workloads of the scenario FILE\n"
    "once, then prints what they did. Peers must be running at the addresses FILE names\n"
    "(xensock peer), so give them fixed ports, with --set if need be.\n"
    "\n"
    "  --guest NAME       which guest of FILE it is: a host's name, of several its number behind\n"
    "                     it, as web.1 (default: the one with the number of --domid, or the "
    "first)\n"
    "  --domid N          which domain it is (default: as FILE numbers them)\n"
    "  --backend N        which domain its backend is (default: likewise)\n"
    "  --set PATH=VALUE   change a value of the scenario; may be given often\n"
    "  --allow IP[/BITS]  where a forward beside the guest may listen and connect, beside "
    "loopback\n"
    "  --notify WHEN      coalesced (default): each port once a turn; immediate: at once\n"
    "  --profile FILE     write a CPU profile of the measured phase\n"
    "  --capture FILE     write what crosses the rings there, as pcapng, when it ends\n"
    "  --capture-limit N  how much of it, in bytes (default 256MiB)\n"
    "\n"
    "  xensock frontend --runtime /tmp/xs scenarios/quickstart.yaml\n"
    "  gdb --args xensock frontend --runtime /tmp/xs --set duration=10min "
    "scenarios/quickstart.yaml\n";

struct frontend {
    struct process process;
    struct scenario scenario;
    struct scenario_domain guest;
    struct domain_uv *domain;
    uint16_t domid;
    struct run_front *front;
    struct metrics_counters from, to;
    uv_timer_t progress;
    struct waiting waiting; /* by hand */
    struct capturing capturing;
    bool reported, interrupted, failed;
    uint64_t until_ns; /* of one that comes again: as in workload_env; or 0 */
};

static void look(struct frontend *frontend, struct metrics_counters *all)
{
    all->count = 0;
    metrics_counters_fe(all, run_front_counters(frontend->front));
    metrics_counters_hv(all, domain_uv_hv(frontend->domain));
    metrics_counters_exec(all, exec_counters(domain_uv_exec(frontend->domain)));
}

/* By hand there is no launcher to print the table. */
static void print_workload(const struct frontend *frontend, uint32_t i)
{
    struct workload_result result;

    workload_result(run_front_workloads(frontend->front), i, &result);
    printf("%-16s %s  %llu operations", frontend->scenario.workloads[i].name,
           units_format_rate(record_rate(result.bytes, result.duration_ns ? result.duration_ns : 1))
               .text,
           (unsigned long long)result.operations);
    if (result.latency && result.latency->count > 0)
        printf("  p50 %s  p99 %s",
               units_format_latency(metrics_hist_percentile_ns(result.latency, 500000)).text,
               units_format_latency(metrics_hist_percentile_ns(result.latency, 990000)).text);
    printf("  %s\n", result.errors + result.mismatches ? result.first_error_text
                     : frontend->interrupted           ? "interrupted"
                                                       : "ok");
}

static void say_report(struct frontend *frontend)
{
    struct process *process = &frontend->process;
    struct record_usage usage = record_usage_between(&process->from, &process->to);
    struct metrics_counters now;
    json_t *workloads = json_array();

    for (uint32_t i = 0; i < frontend->scenario.workload_count; i++) {
        struct workload_result result;
        workload_result(run_front_workloads(frontend->front), i, &result);
        frontend->failed |= result.errors + result.mismatches > 0;
        json_array_append_new(workloads,
                              report_workload(frontend->scenario.workloads[i].name, &result));
        if (!process->control && frontend->scenario.workloads[i].host == frontend->guest.host)
            print_workload(frontend, i);
    }
    look(frontend, &now);
    const char *leak = metrics_counters_leak(&now);
    metrics_counters_stop(&now, &frontend->to);
    control_uv_say(process->control,
                   json_pack("{s:s, s:s, s:o, s:o, s:o, s:s?}", "event", "report", "name",
                             process->name, "usage", record_usage_json(&usage), "counters",
                             metrics_counters_json(&frontend->from, &now), "workloads", workloads,
                             "leak", leak));
}

static void phase(void *self, enum workload_phase to, bool listening)
{
    struct frontend *frontend = self;

    if (listening) {
        process_say_event(&frontend->process, "listening");
        return;
    }
    switch (to) {
    case WORKLOAD_IDLE:
    case WORKLOAD_WARMUP: return;
    case WORKLOAD_MEASURE:
        /* without a warm-up flows count from the start */
        if (frontend->scenario.warmup_ns > 0 && frontend->until_ns == 0)
            look(frontend, &frontend->from);
        process_measure(&frontend->process);
        process_say_event(&frontend->process, "measure");
        return;
    case WORKLOAD_DRAIN:
        process_measured(&frontend->process);
        look(frontend, &frontend->to);
        process_say_event(&frontend->process, "end");
        return;
    case WORKLOAD_DONE: return;
    }
}

static void up(void *self)
{
    struct frontend *frontend = self;

    process_say_event(&frontend->process, "up");
}

static void on_progress(uv_timer_t *timer)
{
    struct frontend *frontend = timer->data;
    const struct workload_set *workloads = run_front_workloads(frontend->front);
    uint64_t bytes = 0, operations = 0;
    char waits_for[256];

    workload_expects(workloads, waits_for, sizeof(waits_for));
    if (!waits_for[0])
        workload_waits(workloads, waits_for, sizeof(waits_for), NULL);
    for (uint32_t i = 0; i < frontend->scenario.workload_count; i++) {
        struct workload_result result;
        workload_result(workloads, i, &result);
        bytes += result.sent_bytes + result.received_bytes;
        operations += result.operations;
    }
    control_uv_say(frontend->process.control,
                   json_pack("{s:s, s:I, s:I, s:i, s:s}", "event", "progress", "bytes",
                             (json_int_t)bytes, "operations", (json_int_t)operations, "phase",
                             (int)workload_phase(workloads), "waits_for", waits_for));
}

static void finish(struct frontend *frontend)
{
    if (!frontend->domain)
        return;
    uv_close((uv_handle_t *)&frontend->progress, NULL);
    waiting_end(&frontend->waiting);
    domain_uv_close(frontend->domain);
    run_front_destroy(frontend->front);
    frontend->domain = NULL;
    process_stop(&frontend->process);
}

static uint64_t turned(void *self, uint64_t now_ns)
{
    struct frontend *frontend = self;
    uint64_t due_ns = run_front_turned(frontend->front, now_ns);

    if (run_front_through(frontend->front) && !frontend->reported) {
        frontend->reported = true;
        say_report(frontend);
        if (!frontend->process.control)
            finish(frontend);
        return STEP_NEVER;
    }
    if (due_ns <= now_ns && frontend->domain) {
        domain_uv_kick(frontend->domain);
        return STEP_NEVER;
    }
    return due_ns;
}

static void asked(void *self, const char *what)
{
    struct frontend *frontend = self;

    if (strcmp(what, "quit") == 0) {
        finish(frontend);
    } else if (strcmp(what, "start") == 0 && frontend->domain) {
        run_front_start(frontend->front);
        domain_uv_kick(frontend->domain);
    } else if (strcmp(what, "interrupt") == 0 && frontend->domain) {
        frontend->interrupted = true;
        run_front_interrupt(frontend->front);
        domain_uv_kick(frontend->domain);
    }
}

static void leave_capture(void *self)
{
    struct frontend *frontend = self;

    if (!capturing_leave(&frontend->capturing, "xensock frontend"))
        frontend->failed = true;
}

static void lost(void *self)
{
    struct frontend *frontend = self;

    process_error(&frontend->process, "E0602", "the hypervisor has gone away");
    leave_capture(frontend);
    exit(CMD_FAILED);
}

static void report(void *self, const struct act_fault *fault)
{
    struct frontend *frontend = self;
    char text[PEER_FAULT_BYTES], own[FAULT_WORDS_BYTES];

    if (fault_words(own, fault, frontend->domid, "the backend")) {
        process_error(&frontend->process, FAULT_WORDS_CODE, "%s", own);
        return;
    }
    peer_fault_text(text, fault, scenario_dialect(&frontend->scenario, frontend->guest.host));
    /* as the backend does */
    if (frontend->process.control)
        control_uv_say(frontend->process.control,
                       json_pack("{s:s, s:s, s:i, s:s}", "event", "error", "code", PEER_FAULT_CODE,
                                 "domid", frontend->guest.backend, "message", text));
    else
        process_error(&frontend->process, PEER_FAULT_CODE, "fault of the backend: %s", text);
}

struct frontend_options {
    const char *runtime, *guest;
    uint16_t domid, backend;
    uint64_t control_fd, until_ns;
    bool domid_given, backend_given, controlled, immediate;
    struct policy policy; /* of what it opens beside it */
    struct cmd_sets sets;
    struct capturing_options capture;
};

static bool join(struct frontend *frontend, const struct frontend_options *options)
{
    int error;
    struct domain_uv_config config = {.runtime = options->runtime,
                                      .domid = options->domid,
                                      .notify = options->immediate ? EXEC_NOTIFY_IMMEDIATE
                                                                   : EXEC_NOTIFY_COALESCED,
                                      .max_devices = 1,
                                      .timeout_ms = process_patience_ms(&frontend->process),
                                      .self = frontend,
                                      .lost = lost,
                                      .turned = turned};

    frontend->domain = domain_uv_open(frontend->process.loop, &config, &error);
    if (!frontend->domain)
        process_error(&frontend->process, "E0601", "no hypervisor in %s for domain %u: %s",
                      options->runtime, options->domid, err_name(error));
    return frontend->domain != NULL;
}

/* What programs beside it did. */
static void wake(void *self)
{
    struct frontend *frontend = self;

    if (frontend->domain)
        domain_uv_kick(frontend->domain);
}

static struct net *open_net(void *self, uint32_t workload)
{
    struct frontend *frontend = self;

    (void)workload;
    return net_uv_create(frontend->process.loop, wake, frontend);
}

static void start_waiting(struct frontend *frontend, const struct frontend_options *options)
{
    frontend->waiting = (struct waiting){
        .process = &frontend->process,
        .fe = run_front_core(frontend->front),
        .device = scenario_dialect(&frontend->scenario, frontend->guest.host)->device,
        .runtime = options->runtime,
        .domid = options->domid,
        .backend = options->backend};
    waiting_start(&frontend->waiting);
}

static void start(struct frontend *frontend, const struct frontend_options *options)
{
    frontend->domid = options->domid;
    uv_timer_init(frontend->process.loop, &frontend->progress);
    frontend->progress.data = frontend;
    frontend->front =
        run_front_create(&(struct run_front_config){.exec = domain_uv_exec(frontend->domain),
                                                    .domid = options->domid,
                                                    .backend = options->backend,
                                                    .scenario = &frontend->scenario,
                                                    .host = frontend->guest.host,
                                                    .guest = frontend->guest.number,
                                                    .name = frontend->guest.name,
                                                    .waits = options->controlled,
                                                    .until_ns = frontend->until_ns,
                                                    .policy = &options->policy,
                                                    .capture = frontend->capturing.own,
                                                    .self = frontend,
                                                    .open_net = open_net,
                                                    .phase = phase,
                                                    .up = up,
                                                    .report = report});
    assert(frontend->front);
    if (frontend->process.control)
        uv_timer_start(&frontend->progress, on_progress, 200, 200);
    else
        start_waiting(frontend, options);
    domain_uv_kick(frontend->domain);
    process_signals(&frontend->process);
    process_say_event(&frontend->process, "ready");
}

static bool start_capture(struct frontend *frontend, const struct frontend_options *options)
{
    char why[CAPTURING_WORDS_BYTES];
    bool begun =
        capturing_join(&frontend->capturing, &options->capture, true, frontend->guest.name, why);

    if (!begun)
        process_error(&frontend->process, CAPTURING_CODE, "%s", why);
    return begun;
}

static int run(struct frontend *frontend, const struct frontend_options *options)
{
    int cpu = frontend->scenario.hosts[frontend->guest.host].cpu, code = CMD_OK;

    process_start(&frontend->process, options->controlled ? (int)options->control_fd : -1);
    if (!process_pin(&frontend->process, cpu))
        code = CMD_UNSUPPORTED;
    else if (!start_capture(frontend, options) || !join(frontend, options))
        code = CMD_USAGE;
    if (code == CMD_OK)
        start(frontend, options);
    else
        process_stop(&frontend->process);
    uv_run(frontend->process.loop, UV_RUN_DEFAULT);
    uv_loop_close(frontend->process.loop);
    leave_capture(frontend);
    if (code != CMD_OK || options->controlled)
        return code; /* what failed in the run is in the report */
    return frontend->interrupted ? CMD_INTERRUPTED : frontend->failed ? CMD_FAILED : CMD_OK;
}

static bool take(struct frontend_options *options, int option, const char *text)
{
    struct policy_rule rule;

    switch (option) {
    case 'r': options->runtime = text; return true;
    case 'g': options->guest = text; return true;
    case 'd': options->domid_given = true; return cmd_domid("--domid", text, &options->domid);
    case 'b': options->backend_given = true; return cmd_domid("--backend", text, &options->backend);
    case 'n': return cmd_notify(text, &options->immediate);
    case 's': return cmd_set(&options->sets, text);
    case 'a': return cmd_allow(text, &rule) && policy_allow(&options->policy, &rule);
    case 'p': return profile_take(text);
    case 'C': options->capture.file = text; return true;
    case 'P': options->capture.part = text; return true;
    case 'L': return capturing_limit(text, &options->capture.limit_bytes);
    case 'u': return cmd_number("--until", text, INT64_MAX, &options->until_ns);
    case 'k':
        options->controlled = true;
        return cmd_number("--control", text, 1u << 20, &options->control_fd);
    }
    return false;
}

/* Which guest it is, and the numbers of both domains; false after saying what is wrong. */
static bool choose_guest(struct frontend *frontend, struct frontend_options *options)
{
    const struct scenario *scenario = &frontend->scenario;
    struct scenario_domain *guest = &frontend->guest;
    bool found = options->guest
                     ? scenario_domain_find(scenario, options->guest, guest)
                     : options->domid_given && scenario_domain(scenario, options->domid, guest);

    if (options->guest && (!found || guest->role != SCENARIO_FRONTEND)) {
        fprintf(stderr, "xensock frontend: error: the scenario has no guest '%s'\n",
                options->guest);
        return false;
    }
    if (!found || guest->role != SCENARIO_FRONTEND)
        scenario_domain(scenario, scenario_backend_count(scenario), guest);
    options->domid = options->domid_given ? options->domid : guest->domid;
    options->backend = options->backend_given ? options->backend : guest->backend;
    if (options->domid == options->backend)
        fprintf(stderr, "xensock frontend: error: domain %u cannot be its own backend\n",
                options->domid);
    return options->domid != options->backend;
}

/* tidy: mostly the list of options */
int cmd_frontend(int argc, char **argv)
{
    static const struct option long_options[] = {{"runtime", required_argument, NULL, 'r'},
                                                 {"guest", required_argument, NULL, 'g'},
                                                 {"domid", required_argument, NULL, 'd'},
                                                 {"backend", required_argument, NULL, 'b'},
                                                 {"set", required_argument, NULL, 's'},
                                                 {"allow", required_argument, NULL, 'a'},
                                                 {"notify", required_argument, NULL, 'n'},
                                                 {"profile", required_argument, NULL, 'p'},
                                                 {"control", required_argument, NULL, 'k'},
                                                 {"until", required_argument, NULL, 'u'},
                                                 {"capture", required_argument, NULL, 'C'},
                                                 {"capture-part", required_argument, NULL, 'P'},
                                                 {"capture-limit", required_argument, NULL, 'L'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    static struct frontend_options options;
    static struct frontend frontend = {
        .process = {.name = "frontend", .asked = asked, .clear = leave_capture}};
    int option;

    policy_init(&options.policy);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!take(&options, option, optarg))
            return CMD_USAGE;
    }
    if (!options.runtime || optind != argc - 1)
        return cmd_usage(help);
    if (!cmd_scenario(&frontend.scenario, argv[optind], &options.sets, false))
        return CMD_SCENARIO;
    if (!choose_guest(&frontend, &options))
        return CMD_USAGE;
    frontend.process.name = frontend.guest.name;
    frontend.process.loop = uv_default_loop();
    frontend.process.self = &frontend;
    frontend.until_ns = options.until_ns;
    return run(&frontend, &options);
}
