/*
 * xensock peer: one built-in peer of a scenario as a process of its own, started by `xensock run`
 * with a control or by hand. What the peers do is peer_uv.h's; this is its command line and what it
 * reports. See xensock(1).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "backend/policy.h"
#include "ringlib/err.h"
#include "sim/run/peer_uv.h"
#include "sim/run/report.h"
#include "sim/run/units.h"
#include "tools/cmd.h"
#include "tools/process.h"
#include "tools/profile.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: xensock peer FILE NAME [OPTION]...\n"
    "\n"
    "Be the peer NAME of the scenario FILE, until interrupted; a client, until it is done.\n"
    "\n"
    "  --set PATH=VALUE   set a value of the scenario; may be repeated\n"
    "  --address IP:PORT  listen there (client: connect to it) instead of where FILE says\n"
    "  --allow IP[/BITS]  where it may listen beside loopback\n"
    "  --profile PATH     write a CPU profile of the measured time, which the launcher says\n"
    "  --quiet            print errors only\n"
    "\n"
    "  xensock peer --address 127.0.0.1:9001 scenarios/quickstart.yaml sink\n"
    "  xensock peer scenarios/serve.yaml caller\n";

struct peer_options {
    struct cmd_sets sets;
    struct call_addr address; /* len 0: not given */
    char address_text[SCENARIO_ADDR_BYTES];
    struct policy policy; /* where it may listen */
    uint64_t control_fd;
    bool controlled, quiet;
};

struct peer_process {
    struct process process;
    const struct peer_options *options;
    const struct scenario_peer *spec;
    struct peer_uv *peer; /* NULL: not started, or stopped */
    bool begun, due, reported;
    bool cuts; /* faults of the run cut connections */
};

static void print_counters(const struct peer_process *peer)
{
    const char *name;
    json_t *value, *all = report_peer_counters(peer_uv_counters(peer->peer));

    json_object_foreach(all, name, value)
        printf("  %-18s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(value));
    json_decref(all);
}

/* The report waits for the connections, so that what was on its way is in it: for those the guest
 * opened, which a loaded host may hand to us after all else is over, and for their ends. */
static void report_if_due(struct peer_process *peer)
{
    const struct peer_counters *all = peer_uv_counters(peer->peer);
    const struct process *process = &peer->process;
    struct record_usage usage = record_usage_between(&process->from, &process->to);

    /* of connections that were cut the two ends need not know alike */
    bool all_came = peer->cuts || all->connections >= process->connections;

    /* who misbehaves does not see the ends of what it was given */
    bool over = all->open == 0 || peer->spec->conduct != SCENARIO_CONDUCT_GOOD;

    if (!peer->due || peer->reported || !over || !all_came)
        return;
    peer->reported = true;
    control_uv_say(process->control,
                   json_pack("{s:s, s:s, s:o, s:o, s:I}", "event", "report", "name",
                             peer->spec->name, "usage", record_usage_json(&usage), "counters",
                             report_peer_counters(all), "open", (json_int_t)all->open));
}

static void quit(struct peer_process *peer)
{
    if (!peer->peer)
        return;
    if (!peer->options->controlled && !peer->options->quiet)
        print_counters(peer);
    peer_uv_stop(peer->peer);
    peer->peer = NULL;
    process_stop(&peer->process);
}

static void on_finished(void *self)
{
    struct peer_process *peer = self;

    report_if_due(peer);
    if (!peer->options->controlled && peer->spec->kind == SCENARIO_PEER_CLIENT)
        quit(peer);
}

static void begin(struct peer_process *peer)
{
    if (peer->spec->kind != SCENARIO_PEER_CLIENT || peer->begun)
        return;
    peer->begun = true;
    peer_uv_begin(peer->peer);
}

static void asked(void *self, const char *what)
{
    struct peer_process *peer = self;

    if (!peer->peer)
        return;
    if (strcmp(what, "start") == 0) {
        begin(peer);
    } else if (strcmp(what, "report") == 0) {
        peer->due = true;
        peer_uv_end(peer->peer);
        report_if_due(peer);
    } else if (strcmp(what, "quit") == 0 || strcmp(what, "interrupt") == 0) {
        quit(peer);
    }
}

static void announce(struct peer_process *peer)
{
    char address[SCENARIO_ADDR_BYTES];
    bool is_client = peer->spec->kind == SCENARIO_PEER_CLIENT;

    peer_uv_address(peer->peer, address);
    if (is_client)
        process_say_event(&peer->process, "ready");
    else
        control_uv_say(peer->process.control,
                       json_pack("{s:s, s:s}", "event", "ready", "address", address));
    if (peer->options->controlled)
        return;
    if (!peer->options->quiet)
        printf(is_client ? "%s connects\n" : "%s listens on %s\n", peer->spec->name, address);
    fflush(stdout);
    begin(peer);
}

/* Streams of clients lie above those of workloads, 2^32 for each peer. */
static struct peer_uv_config config_of(struct peer_process *peer, const struct scenario *scenario)
{
    uint64_t index = (uint64_t)(peer->spec - scenario->peers);
    const struct call_addr *address = &peer->options->address;
    struct peer_uv_config config = {
        .finished = on_finished,
        .self = peer,
        .cuts = peer->cuts,
        .seed = scenario->seed,
        .stream_base = (UINT64_C(1) << 48) + (index << 32),
    };

    if (peer->spec->kind == SCENARIO_PEER_CLIENT)
        config.connect_to =
            address->len ? *address : scenario->workloads[peer->spec->workload].listen.addr;
    return config;
}

static int run(struct peer_process *peer, const struct scenario *scenario)
{
    struct peer_uv_config config = config_of(peer, scenario);
    struct scenario_peer spec = *peer->spec;
    int error = 0, code = CMD_OK;

    process_start(&peer->process, peer->options->controlled ? (int)peer->options->control_fd : -1);
    if (peer->options->address.len) {
        spec.addr.addr = peer->options->address;
        memcpy(spec.addr.text, peer->options->address_text, sizeof(spec.addr.text));
    }
    if (spec.kind != SCENARIO_PEER_CLIENT &&
        !policy_allows(&peer->options->policy, &spec.addr.addr))
        error = -ERR_ACCES; /* loopback only, unless --allow says more */
    else if (process_pin(&peer->process, spec.cpu))
        peer->peer = peer_uv_start(peer->process.loop, &spec, &config, &error);
    if (peer->peer) {
        process_signals(&peer->process);
        announce(peer);
    } else {
        code = error ? CMD_SCENARIO : CMD_UNSUPPORTED;
        if (error)
            process_error(&peer->process, err_name(error), "cannot listen on %s", spec.addr.text);
        process_stop(&peer->process);
    }
    uv_run(peer->process.loop, UV_RUN_DEFAULT);
    uv_loop_close(peer->process.loop);
    return code;
}

/* One option into `options`; false after saying what is wrong. */
static bool take(struct peer_options *options, int option, const char *text)
{
    struct policy_rule rule;

    switch (option) {
    case 's': return cmd_set(&options->sets, text);
    case 'a':
        if (units_parse_addr(text, &options->address) == UNITS_OK) {
            snprintf(options->address_text, sizeof(options->address_text), "%s", text);
            return true;
        }
        fprintf(stderr, "xensock: error: --address takes IP:PORT or [IP]:PORT, not '%s'\n", text);
        return false;
    case 'p': return profile_take(text);
    case 'l': return cmd_allow(text, &rule) && policy_allow(&options->policy, &rule);
    case 'q': options->quiet = true; return true;
    case 'k':
        options->controlled = true;
        return cmd_number("--control", text, 1u << 20, &options->control_fd);
    }
    return false;
}

static const struct scenario_peer *find(const struct scenario *scenario, const char *name)
{
    for (uint32_t i = 0; i < scenario->peer_count; i++)
        if (strcmp(scenario->peers[i].name, name) == 0 &&
            scenario->peers[i].kind != SCENARIO_PEER_EXTERNAL)
            return &scenario->peers[i];
    return NULL;
}

int cmd_peer(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"set", required_argument, NULL, 's'},     {"address", required_argument, NULL, 'a'},
        {"profile", required_argument, NULL, 'p'}, {"control", required_argument, NULL, 'k'},
        {"quiet", no_argument, NULL, 'q'},         {"allow", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    static struct scenario scenario;
    static struct peer_options options;
    static struct peer_process peer = {.process = {.asked = asked}, .options = &options};
    int option;

    policy_init(&options.policy);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!take(&options, option, optarg))
            return CMD_USAGE;
    }
    if (optind != argc - 2)
        return cmd_usage(help);
    if (!cmd_scenario(&scenario, argv[optind], &options.sets, false))
        return CMD_SCENARIO;
    peer.spec = find(&scenario, argv[optind + 1]);
    if (!peer.spec) {
        fprintf(stderr, "xensock peer: error: %s has no built-in peer '%s'\n", argv[optind],
                argv[optind + 1]);
        return CMD_USAGE;
    }
    peer.cuts = scenario_cuts_peer(&scenario, (uint32_t)(peer.spec - scenario.peers));
    peer.process.name = peer.spec->name;
    peer.process.self = &peer;
    peer.process.loop = uv_default_loop();
    return run(&peer, &scenario);
}
