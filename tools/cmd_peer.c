/*
 * xensock peer: one built-in peer of a scenario as a process of its own, started by `xensock run`
 * with a control or by hand. What the peers do is peer_uv.h's; this is its command line, its talk
 * with the launcher and what it reports. See xensock(1).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "ringlib/err.h"
#include "sim/run/control_uv.h"
#include "sim/run/peer_uv.h"
#include "sim/run/record.h"
#include "sim/run/scenario.h"
#include "sim/run/units.h"
#include "tools/cmd.h"
#include "tools/profile.h"

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { EXIT_USAGE = 2, EXIT_SCENARIO = 3 };

static const char help[] =
    "usage: xensock peer FILE NAME [OPTION]...\n"
    "\n"
    "Be the peer NAME of the scenario FILE, until interrupted; a client, until it is done.\n"
    "\n"
    "  --set PATH=VALUE   set a value of the scenario; may be repeated\n"
    "  --address IP:PORT  listen there (client: connect to it) instead of where FILE says\n"
    "  --profile PATH     write a CPU profile of the measured time, which --control says\n"
    "  --control FD       talk to a launcher over this descriptor\n"
    "  --quiet            print errors only\n"
    "  --help             print this\n";

struct options {
    const char *file;
    const char *name;
    const char **sets;
    uint32_t set_count;
    struct call_addr address; /* len 0: not given */
    int control;              /* -1: started by hand */
    bool quiet;
};

struct command {
    const struct options *options;
    const struct scenario_peer *spec;
    uv_loop_t loop;
    uv_signal_t interrupt, terminate;
    struct control_uv *control; /* NULL: started by hand, or closed */
    struct peer_uv *peer;       /* NULL: not started, or stopped */
    struct record_usage from, usage;
    bool begun, ended, reported;
};

static const struct counter {
    const char *name;
    size_t offset;
} counters[] = {
#define COUNTER(name)                                                                              \
    {                                                                                              \
#name, offsetof(struct peer_uv_counters, name)                                             \
    }
    COUNTER(connections),      COUNTER(connect_failures), COUNTER(bytes_in),
    COUNTER(bytes_out),        COUNTER(mismatches),       COUNTER(short_streams),
    COUNTER(protocol_errors),  COUNTER(resets),           COUNTER(first_bad_stream),
    COUNTER(first_bad_offset),
#undef COUNTER
};

enum { COUNTERS = sizeof(counters) / sizeof(counters[0]) };

/* Stream numbers come from whoever connected, so they may be too large for JSON: the top bit goes.
 */
static uint64_t counter_value(const struct peer_uv_counters *all, const struct counter *counter)
{
    return *(const uint64_t *)(const void *)((const char *)all + counter->offset) & INT64_MAX;
}

/* ---- reporting ---- */

static void print_counters(const struct command *command)
{
    for (size_t i = 0; i < COUNTERS; i++)
        printf("  %-18s %" PRIu64 "\n", counters[i].name,
               counter_value(peer_uv_counters(command->peer), &counters[i]));
}

static json_t *counters_json(const struct peer_uv_counters *all)
{
    json_t *json = json_object();

    for (size_t i = 0; i < COUNTERS; i++)
        json_object_set_new(json, counters[i].name,
                            json_integer((json_int_t)counter_value(all, &counters[i])));
    return json;
}

/* The report waits for the connections, so that what was on its way is in it. */
static void report_if_due(struct command *command)
{
    const struct peer_uv_counters *all = peer_uv_counters(command->peer);

    if (!command->ended || command->reported || all->open > 0)
        return;
    command->reported = true;
    control_uv_say(command->control,
                   json_pack("{s:s, s:s, s:o, s:o, s:I}", "event", "report", "name",
                             command->spec->name, "usage", record_usage_json(&command->usage),
                             "counters", counters_json(all), "open", (json_int_t)all->open));
}

/* Tell people and the launcher; the exit code of a start that failed. */
static int fail(struct command *command, int error, const char *message)
{
    fprintf(stderr, "xensock peer: %s: %s: %s\n", command->options->name, message, err_name(error));
    control_uv_say(command->control, json_pack("{s:s, s:s, s:s}", "event", "error", "code",
                                               err_name(error), "message", message));
    return EXIT_SCENARIO;
}

/* ---- what happens ---- */

static void quit(struct command *command)
{
    if (command->peer) {
        if (command->options->control < 0 && !command->options->quiet)
            print_counters(command);
        peer_uv_stop(command->peer);
        command->peer = NULL;
    }
    control_uv_close(command->control);
    command->control = NULL;
    if (!uv_is_closing((uv_handle_t *)&command->interrupt)) {
        uv_close((uv_handle_t *)&command->interrupt, NULL);
        uv_close((uv_handle_t *)&command->terminate, NULL);
    }
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct command *command = signal->data;

    /* ^C reaches the whole terminal: the launcher then ends the run in its order. */
    if (number == SIGTERM || command->options->control < 0)
        quit(command);
}

static void on_finished(void *self)
{
    struct command *command = self;

    report_if_due(command);
    if (command->options->control < 0 && command->spec->kind == SCENARIO_PEER_CLIENT)
        quit(command);
}

static void begin(struct command *command)
{
    if (command->spec->kind != SCENARIO_PEER_CLIENT || command->begun)
        return;
    command->begun = true;
    peer_uv_begin(command->peer);
}

static void measure(struct command *command)
{
    record_usage_now(&command->from);
    profile_start();
}

static void end(struct command *command)
{
    struct record_usage now;

    record_usage_now(&now);
    profile_stop();
    command->usage = record_usage_between(&command->from, &now);
    command->ended = true;
    report_if_due(command);
}

/* What the launcher says; a word of a later version is no reason to stop. */
static void on_said(void *self, json_t *object)
{
    struct command *command = self;
    const char *todo = object ? json_string_value(json_object_get(object, "do")) : "quit";

    if (!todo || !command->peer)
        return;
    if (strcmp(todo, "start") == 0)
        begin(command);
    else if (strcmp(todo, "measure") == 0)
        measure(command);
    else if (strcmp(todo, "end") == 0)
        end(command);
    else if (strcmp(todo, "quit") == 0)
        quit(command);
}

/* ---- starting ---- */

static int pin(int32_t cpu)
{
    cpu_set_t set;

    if (cpu == SCENARIO_CPU_ANY)
        return 0;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set);
}

static void announce(struct command *command)
{
    const char *name = command->options->name;
    char address[SCENARIO_ADDR_BYTES];
    bool is_client = command->spec->kind == SCENARIO_PEER_CLIENT;

    peer_uv_address(command->peer, address);
    if (is_client)
        control_uv_say(command->control, json_pack("{s:s}", "event", "ready"));
    else
        control_uv_say(command->control,
                       json_pack("{s:s, s:s}", "event", "ready", "address", address));
    if (command->options->control >= 0)
        return;
    if (!command->options->quiet)
        printf(is_client ? "%s connects\n" : "%s listens on %s\n", name, address);
    fflush(stdout);
    begin(command);
}

/* Streams of clients lie above those of workloads, 2^32 for each peer. */
static struct peer_uv_config config_of(struct command *command, const struct scenario *scenario)
{
    uint64_t index = (uint64_t)(command->spec - scenario->peers);
    const struct call_addr *address = &command->options->address;
    struct peer_uv_config config = {
        .finished = on_finished,
        .self = command,
        .seed = scenario->seed,
        .stream_base = (UINT64_C(1) << 48) + (index << 32),
    };

    if (command->spec->kind == SCENARIO_PEER_CLIENT)
        config.connect_to =
            address->len ? *address : scenario->workloads[command->spec->workload].listen.addr;
    return config;
}

static int start(struct command *command, const struct scenario *scenario)
{
    struct peer_uv_config config = config_of(command, scenario);
    struct scenario_peer spec = *command->spec;
    char message[SCENARIO_ADDR_BYTES + 32];
    int error = 0;

    if (pin(spec.cpu) < 0) {
        snprintf(message, sizeof(message), "no such cpu: %d", (int)spec.cpu);
        return fail(command, -ERR_INVAL, message);
    }
    if (command->options->address.len)
        spec.addr.addr = command->options->address;
    command->peer = peer_uv_start(&command->loop, &spec, &config, &error);
    if (!command->peer)
        return fail(command, error, "cannot listen");
    announce(command);
    return 0;
}

static void watch_signal(struct command *command, uv_signal_t *signal, int number)
{
    uv_signal_init(&command->loop, signal);
    signal->data = command;
    uv_signal_start(signal, on_signal, number);
}

static int run(const struct options *options, const struct scenario *scenario,
               const struct scenario_peer *spec)
{
    struct command command = {.options = options, .spec = spec};
    int code = EXIT_USAGE;

    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&command.loop) < 0)
        return EXIT_FAILURE;
    record_usage_now(&command.from);
    watch_signal(&command, &command.interrupt, SIGINT);
    watch_signal(&command, &command.terminate, SIGTERM);
    if (options->control >= 0)
        command.control = control_uv_open(&command.loop, options->control, on_said, &command);
    if (options->control < 0 || command.control)
        code = start(&command, scenario);
    else
        fprintf(stderr, "xensock peer: descriptor %d is no stream\n", options->control);
    if (code != 0)
        quit(&command);
    uv_run(&command.loop, UV_RUN_DEFAULT);
    uv_loop_close(&command.loop);
    return code;
}

/* ---- the command line ---- */

static bool is_fd(const char *text, int *fd)
{
    uint64_t number;

    if (units_parse_count(text, &number) != UNITS_OK || number > INT_MAX)
        return false;
    *fd = (int)number;
    return true;
}

/* Takes one option; an error text, or NULL. */
static const char *take_option(struct options *options, int option)
{
    switch (option) {
    case 's': options->sets[options->set_count++] = optarg; return NULL;
    case 'a':
        return units_parse_addr(optarg, &options->address) == UNITS_OK
                   ? NULL
                   : "--address wants IP:PORT, or [IP]:PORT for IPv6";
    case 'p':
        return profile_configure(optarg) == 0 ? NULL : "this build has no gperftools to --profile";
    case 'c': return is_fd(optarg, &options->control) ? NULL : "--control wants a descriptor";
    case 'q': options->quiet = true; return NULL;
    default: return "";
    }
}

static int usage_error(const char *message)
{
    if (*message)
        fprintf(stderr, "xensock peer: %s\n", message);
    fprintf(stderr, "Try 'xensock peer --help'.\n");
    return EXIT_USAGE;
}

/* Reads the command line into `options`: -1 to go on, or the exit code. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"set", required_argument, NULL, 's'},
        {"address", required_argument, NULL, 'a'},
        {"profile", required_argument, NULL, 'p'},
        {"control", required_argument, NULL, 'c'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *fault = NULL;
    int option;

    optind = 1;
    while (!fault && (option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        fault = take_option(options, option);
    }
    if (!fault && argc - optind != 2)
        fault = "wants a scenario FILE and the NAME of a peer";
    if (fault)
        return usage_error(fault);
    options->file = argv[optind];
    options->name = argv[optind + 1];
    return -1;
}

static int load(struct scenario *scenario, const struct options *options)
{
    struct diag_list diags;
    int ret;

    diag_init(&diags);
    ret = scenario_load(scenario, options->file, options->sets, options->set_count, &diags);
    diag_print(&diags, stderr, isatty(STDERR_FILENO));
    diag_fini(&diags);
    return ret;
}

static int run_named(const struct options *options)
{
    struct scenario scenario;

    if (load(&scenario, options) < 0)
        return EXIT_SCENARIO;
    for (uint32_t i = 0; i < scenario.peer_count; i++) {
        const struct scenario_peer *peer = &scenario.peers[i];

        if (strcmp(peer->name, options->name) == 0 && peer->kind != SCENARIO_PEER_EXTERNAL)
            return run(options, &scenario, peer);
    }
    fprintf(stderr, "xensock peer: %s has no built-in peer '%s'\n", options->file, options->name);
    return EXIT_USAGE;
}

int cmd_peer(int argc, char **argv)
{
    struct options options = {.control = -1};
    int code;

    options.sets = calloc((size_t)argc, sizeof(*options.sets));
    if (!options.sets)
        return EXIT_FAILURE;
    code = parse(argc, argv, &options);
    if (code < 0)
        code = run_named(&options);
    free(options.sets);
    return code;
}
