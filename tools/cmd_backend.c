/*
 * xensock backend: the backend domain's process, which owns the real sockets.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/domain_uv.h"
#include "sim/run/fault_words.h"
#include "sim/run/metrics_counters.h"
#include "sim/run/peer_fault.h"
#include "sim/run/run_back.h"
#include "tools/capturing.h"
#include "tools/cmd.h"
#include "tools/process.h"
#include "tools/profile.h"
#include "tools/resolve.h"

#include <getopt.h>
#include <stdlib.h>

static const char help[] =
    "usage: xensock backend --runtime DIR [OPTION]...\n"
    "\n"
    "Connects to the hypervisor in DIR as the backend domain and serves every device it finds\n"
    "there, with real TCP sockets. Runs until SIGINT.\n"
    "\n"
    "  --domid N          which domain it is (default 0)\n"
    "  --allow IP[/BITS]  let guests connect to and bind on these addresses too; without it only\n"
    "                     loopback is allowed. May be given up to 30 times\n"
    "  --max-order N      largest order of a data ring it offers (default: each dialect's)\n"
    "  --max-sockets N    quota of sockets per guest (default 4096)\n"
    "  --backlog N        how many connections wait for a listener's accept, where the guest "
    "cannot\n"
    "                     say it (default 10)\n"
    "  --peer NAME        behave as this driver does (default xensock; xensock quirks lists "
    "them)\n"
    "  --notify WHEN      coalesced (default): each port once a turn; immediate: at once\n"
    "  --cpu N            pin the process\n"
    "  --profile FILE     write a CPU profile of the measured phase (or of the whole run)\n"
    "  --capture FILE     write what crosses the rings there, as pcapng, when it ends\n"
    "  --capture-limit N  how much of it, in bytes (default 256MiB)\n"
    "\n"
    "  xensock backend --runtime /tmp/xs\n"
    "  perf record -g xensock backend --runtime /tmp/xs --allow 192.168.0.0/16\n";

struct backend {
    struct process process;
    struct domain_uv *domain;
    uint16_t domid;
    struct run_back *back;
    struct metrics_counters from, to;
    const struct policy *policy;
    struct capturing capturing;
    bool ending, failed;
};

struct backend_options {
    const char *runtime;
    uint16_t domid;
    uint64_t max_order; /* 0: each dialect's own */
    uint64_t max_sockets, backlog, cpu;
    const struct quirk_peer *peer;
    struct quirk_side side;
    bool pinned;
    bool immediate;
    int control_fd;
    struct policy policy;
    struct capturing_options capture;
};

static void look(struct backend *backend, struct metrics_counters *all)
{
    struct be_counters be;

    all->count = 0;
    run_back_counters(backend->back, &be);
    metrics_counters_be(all, &be);
    metrics_counters_hv(all, domain_uv_hv(backend->domain));
    metrics_counters_net(all, domain_uv_net(backend->domain));
    metrics_counters_exec(all, exec_counters(domain_uv_exec(backend->domain)));
}

/* Everything is closed: tell what was counted, by hand in words. */
static void say_report(struct backend *backend)
{
    struct process *process = &backend->process;
    struct metrics_counters all;
    struct record_usage usage = record_usage_between(&process->from, &process->to);

    look(backend, &all);
    const char *leak = metrics_counters_leak(&all);
    metrics_counters_stop(&all, &backend->to);
    json_t *counters = metrics_counters_json(&backend->from, &all);
    if (!process->control) {
        json_dumpf(counters, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(counters);
        return;
    }
    control_uv_say(process->control,
                   json_pack("{s:s, s:s, s:o, s:o, s:s?}", "event", "report", "name", process->name,
                             "usage", record_usage_json(&usage), "counters", counters, "leak",
                             leak));
}

static void finish(struct backend *backend)
{
    if (!backend->domain)
        return;
    domain_uv_close(backend->domain);
    run_back_destroy(backend->back);
    backend->domain = NULL;
    process_stop(&backend->process);
}

static uint64_t turned(void *self, uint64_t now_ns)
{
    struct backend *backend = self;

    (void)now_ns;
    run_back_turned(backend->back);
    if (backend->ending && run_back_idle(backend->back)) {
        backend->ending = false;
        process_measured(&backend->process);
        say_report(backend);
        if (!backend->process.control)
            finish(backend);
    }
    return STEP_NEVER;
}

static void end(struct backend *backend)
{
    if (backend->ending || !backend->domain)
        return;
    backend->ending = true;
    run_back_stop(backend->back);
    domain_uv_kick(backend->domain);
}

static void asked(void *self, const char *what)
{
    struct backend *backend = self;

    if (!backend->domain)
        return;
    if (strcmp(what, "measure") == 0)
        look(backend, &backend->from);
    else if (strcmp(what, "end") == 0)
        look(backend, &backend->to);
    else if (strcmp(what, "quit") == 0)
        finish(backend);
    else if (strcmp(what, "report") == 0 || strcmp(what, "interrupt") == 0)
        end(backend);
}

static void resolved(void *self, uint64_t id, int32_t error, const struct call_addr *addr)
{
    struct backend *backend = self;
    char text[RESOLVE_TEXT_BYTES] = "";

    if (addr)
        resolve_text(text, addr);
    control_uv_say(backend->process.control,
                   json_pack("{s:s, s:I, s:i, s:s}", "event", "resolved", "id", (json_int_t)id,
                             "error", (int)error, "address", text));
}

/* A forward's question: a name is looked up here, where the sockets are. */
static void told(void *self, const char *what, const json_t *object)
{
    struct backend *backend = self;
    const char *name = json_string_value(json_object_get(object, "name"));
    const struct resolve resolve = {backend->policy, backend, resolved};

    if (strcmp(what, "resolve") == 0 && name)
        resolve_name(backend->process.loop, &resolve,
                     (uint64_t)json_integer_value(json_object_get(object, "id")), name,
                     (uint16_t)json_integer_value(json_object_get(object, "port")));
}

static void leave_capture(void *self)
{
    struct backend *backend = self;

    if (!capturing_leave(&backend->capturing, "xensock backend"))
        backend->failed = true;
}

static void lost(void *self)
{
    struct backend *backend = self;

    process_error(&backend->process, "E0602", "the hypervisor has gone away");
    leave_capture(backend);
    exit(CMD_FAILED); /* nothing of ours outlives it but sockets, which the exit closes */
}

static void report(void *self, const struct dialect *dialect, uint16_t front,
                   const struct act_fault *fault)
{
    struct backend *backend = self;
    char text[PEER_FAULT_BYTES], own[FAULT_WORDS_BYTES];
    char guest[32] = "any guest";

    if (front != backend->domid)
        snprintf(guest, sizeof(guest), "domain %u", front);
    if (fault_words(own, fault, backend->domid, guest)) {
        process_error(&backend->process, FAULT_WORDS_CODE, "%s", own);
        return;
    }
    peer_fault_text(text, fault, dialect);
    /* a launcher knows its name */
    if (backend->process.control)
        control_uv_say(backend->process.control,
                       json_pack("{s:s, s:s, s:i, s:s}", "event", "error", "code", PEER_FAULT_CODE,
                                 "domid", front, "message", text));
    else
        process_error(&backend->process, PEER_FAULT_CODE, "fault of domain %u: %s", front, text);
}

static bool join(struct backend *backend, const struct backend_options *options)
{
    int error;
    struct domain_uv_config config = {.runtime = options->runtime,
                                      .domid = options->domid,
                                      .sockets = true,
                                      .max_devices = 256,
                                      .notify = options->immediate ? EXEC_NOTIFY_IMMEDIATE
                                                                   : EXEC_NOTIFY_COALESCED,
                                      .timeout_ms = process_patience_ms(&backend->process),
                                      .self = backend,
                                      .lost = lost,
                                      .turned = turned};

    backend->domain = domain_uv_open(backend->process.loop, &config, &error);
    if (!backend->domain)
        process_error(&backend->process, "E0601", "no hypervisor in %s for domain %u: %s",
                      options->runtime, options->domid, err_name(error));
    return backend->domain != NULL;
}

static void serve(struct backend *backend, const struct backend_options *options)
{
    const struct dialect *only = options->peer->dialect;
    uint32_t least = options->side.order;

    if (least == 0 || (options->max_order > 0 && options->max_order < least))
        least = (uint32_t)options->max_order;
    backend->domid = options->domid;
    backend->back = run_back_create(
        &(struct run_back_config){.exec = domain_uv_exec(backend->domain),
                                  .domid = options->domid,
                                  .dialects = only ? 1u << dialect_place(only) : UINT32_MAX,
                                  .policy = &options->policy,
                                  .order_max = least,
                                  .max_sockets = (uint32_t)options->max_sockets,
                                  .backlog = (uint32_t)options->backlog,
                                  .quirks = options->side.quirks,
                                  .max_devices = 250, /* beside a bus for each dialect */
                                  .capture = backend->capturing.own,
                                  .self = backend,
                                  .report = report});
    assert(backend->back);
    domain_uv_kick(backend->domain);
    process_signals(&backend->process);
    if (!backend->process.control)
        process_measure(&backend->process);
    process_say_event(&backend->process, "ready");
}

static bool start_capture(struct backend *backend, const struct backend_options *options)
{
    char why[CAPTURING_WORDS_BYTES];
    bool begun = capturing_join(&backend->capturing, &options->capture, true, "backend", why);

    if (!begun)
        process_error(&backend->process, CAPTURING_CODE, "%s", why);
    return begun;
}

static int run(struct backend *backend, const struct backend_options *options)
{
    int code = CMD_OK;

    process_start(&backend->process, options->control_fd);
    if (!process_pin(&backend->process, options->pinned ? (int)options->cpu : -1))
        code = CMD_UNSUPPORTED;
    else if (!start_capture(backend, options) || !join(backend, options))
        code = CMD_USAGE;
    if (code == CMD_OK)
        serve(backend, options);
    else
        process_stop(&backend->process);
    uv_run(backend->process.loop, UV_RUN_DEFAULT);
    uv_loop_close(backend->process.loop);
    leave_capture(backend);
    return code == CMD_OK && backend->failed ? CMD_FAILED : code;
}

/* One option into `options`; false after saying what is wrong. */
static bool take(struct backend_options *options, int option, const char *text)
{
    uint64_t fd;
    struct policy_rule rule;

    switch (option) {
    case 'r': options->runtime = text; return true;
    case 'd': return cmd_domid("--domid", text, &options->domid);
    case 'a': return cmd_allow(text, &rule) && policy_allow(&options->policy, &rule);
    case 'o': return cmd_count("--max-order", text, 9, &options->max_order);
    case 'B': return cmd_count("--backlog", text, 65535, &options->backlog);
    case 's': return cmd_count("--max-sockets", text, 65536, &options->max_sockets);
    case 'e': return cmd_quirks_of(text, false, &options->side, &options->peer);
    case 'n': return cmd_notify(text, &options->immediate);
    case 'c': options->pinned = true; return cmd_number("--cpu", text, 1023, &options->cpu);
    case 'p': return profile_take(text);
    case 'C': options->capture.file = text; return true;
    case 'P': options->capture.part = text; return true;
    case 'L': return capturing_limit(text, &options->capture.limit_bytes);
    case 'k':
        if (!cmd_number("--control", text, 1u << 20, &fd))
            return false;
        options->control_fd = (int)fd;
        return true;
    }
    return false;
}

int cmd_backend(int argc, char **argv)
{
    static const struct option long_options[] = {{"runtime", required_argument, NULL, 'r'},
                                                 {"domid", required_argument, NULL, 'd'},
                                                 {"allow", required_argument, NULL, 'a'},
                                                 {"max-order", required_argument, NULL, 'o'},
                                                 {"max-sockets", required_argument, NULL, 's'},
                                                 {"backlog", required_argument, NULL, 'B'},
                                                 {"peer", required_argument, NULL, 'e'},
                                                 {"notify", required_argument, NULL, 'n'},
                                                 {"cpu", required_argument, NULL, 'c'},
                                                 {"profile", required_argument, NULL, 'p'},
                                                 {"capture", required_argument, NULL, 'C'},
                                                 {"capture-part", required_argument, NULL, 'P'},
                                                 {"capture-limit", required_argument, NULL, 'L'},
                                                 {"control", required_argument, NULL, 'k'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    static struct backend_options options = {.max_sockets = 4096, .control_fd = -1};
    static struct backend backend = {
        .process = {.name = "backend", .asked = asked, .told = told, .clear = leave_capture}};
    int option;

    policy_init(&options.policy);
    options.peer = quirk_peer_at(0);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!take(&options, option, optarg))
            return CMD_USAGE;
    }
    if (!options.runtime || optind != argc || options.max_sockets == 0)
        return cmd_usage(help);
    backend.process.loop = uv_default_loop();
    backend.process.self = &backend;
    backend.policy = &options.policy;
    return run(&backend, &options);
}
