/* xensock run: a scenario from its file to its result. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "backend/policy.h"
#include "sim/run/record.h"
#include "tools/capturing.h"
#include "tools/cmd.h"
#include "tools/launch.h"
#include "tools/profiling.h"
#include "tools/simulate.h"
#include "tools/verdict.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: xensock run [OPTION]... FILE\n"
    "\n"
    "Runs the scenario FILE: hosts the hypervisor, starts peers, backend and guest as processes,\n"
    "compares every byte at both ends, prints a table and writes result.json.\n"
    "\n"
    "  --set PATH=VALUE   change a value of the scenario; may be given often\n"
    "  --out DIR          where result.json goes (default out/NAME of the scenario)\n"
    "  --format FORMAT    text (default): a table; json: the result, also on errors\n"
    "  --quiet            print nothing but errors\n"
    "  --profile cpu|heap a profile of the measured phase of each process, table and flame graph\n"
    "  --perf             the same by perf, which sees the kernel, too\n"
    "  --allow IP[/BITS]  where the guest may connect and bind beside loopback\n"
    "  --notify WHEN      coalesced (default): each port once a turn; immediate: at once\n"
    "  --trace FILE       in virtual time: write every event there, for `xensock trace`\n"
    "  --capture FILE     write what crosses the rings there, as pcapng\n"
    "  --capture-limit N  how much of it, in bytes a process (default 256MiB)\n"
    "  --runtime DIR      put the sockets of the run there instead of in a directory of its own\n"
    "\n"
    "  xensock run scenarios/quickstart.yaml\n"
    "  xensock run --set protocol.order=1 --format json scenarios/quickstart.yaml\n";

enum { ALLOW_MAX = 30 };

struct run_options {
    struct launch_options launch;
    struct model model; /* of a run in virtual time */
    const char *allow[ALLOW_MAX];
    struct cmd_sets sets;
    const char *out;
    struct capturing_options capture;
    struct capturing capturing;
    struct capture_summary captured;
    struct profiling profiling;
    bool json, quiet;
};

/* Make DIR and the directories above it. */
static int make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    struct stat info;
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return -1;
    errno = ENOTDIR;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode) ? 0 : -1;
}

/* The result of what could not be started; takes `errors`. */
static void print_errors(json_t *errors)
{
    json_t *result =
        json_pack("{s:s, s:b, s:o}", "schema", "xensock/result/1", "complete", 0, "errors", errors);

    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
}

/* Diagnostics of a scenario that cannot be used, in the format that was asked for. */
static int bad_scenario(struct diag_list *diags, bool json)
{
    if (json) {
        print_errors(diag_json(diags));
    } else {
        diag_print(diags, stderr, isatty(2) && !getenv("NO_COLOR"));
    }
    diag_fini(diags);
    return CMD_SCENARIO;
}

/* Each process of a run reads the file for itself, so it must still be there, and the same. */
static bool is_regular(const char *path, struct diag_list *diags)
{
    struct stat info;

    if (stat(path, &info) < 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))
        return true; /* what else is wrong with it, the loader says */
    diag_error(diags, DIAG_UNREADABLE,
               (struct diag_place){.source = diag_add_source(diags, path, NULL)},
               "not a regular file: a run reads it more than once");
    return false;
}

static int output(const struct run_options *options, const char *out, json_t *result,
                  const struct diag_list *diags, int code)
{
    int ret = record_write(result, out);

    if (ret < 0) {
        char message[640];
        snprintf(message, sizeof(message), "cannot write %s/result.json: %s", out, strerror(-ret));
        record_add_error(result, "E0701", message);
        code = code == CMD_OK ? CMD_FAILED : code;
    }
    if (options->json) {
        json_dumpf(result, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (diags->errors > 0) {
        diag_print(diags, stderr, isatty(2) && !getenv("NO_COLOR"));
    } else if (!options->quiet) {
        diag_print(diags, stderr, isatty(2) && !getenv("NO_COLOR")); /* notes */
        record_print_table(stdout, result);
        if (ret == 0)
            printf("result: %s/result.json\n", out);
        if (options->capture.file)
            printf("capture: %s, %llu packets\n", options->capture.file,
                   (unsigned long long)options->captured.packets);
    } else if (code != CMD_OK) {
        record_print_table(stderr, result);
    }
    return code;
}

static int cannot_write(const char *code, const char *why, bool json)
{
    if (json)
        print_errors(json_pack("[{s:s, s:s}]", "code", code, "message", why));
    else
        fprintf(stderr, "xensock run: error[%s]: %s\n", code, why);
    return CMD_USAGE;
}

static int no_directory(const char *out, int problem, bool json)
{
    char why[640];

    snprintf(why, sizeof(why), "cannot make the directory %s: %s", out, strerror(problem));
    return cannot_write("E0701", why, json);
}

/* Begin the capture, if one is wanted: in virtual time this process's own. */
static bool begin_capture(struct run_options *options, enum scenario_mode mode,
                          char why[CAPTURING_WORDS_BYTES])
{
    struct capturing *capturing = &options->capturing;

    if (!options->capture.file)
        return true;
    options->launch.capturing = capturing;
    return mode == SCENARIO_VIRTUAL
               ? capturing_join(capturing, &options->capture, false, "virtual", why)
               : capturing_open(capturing, &options->capture, true, why);
}

/* Whatever became of the run, there is what was captured of it. */
static void end_capture(struct run_options *options, struct launch_outcome *outcome)
{
    char words[CAPTURING_WORDS_BYTES];
    uint64_t limit_bytes = options->capturing.limit_bytes;

    if (!capturing_end(&options->capturing, &options->captured, words))
        json_array_append_new(outcome->errors,
                              json_pack("{s:s, s:s}", "code", CAPTURING_CODE, "message", words));
    capturing_lost(&options->captured, limit_bytes, words);
    if (words[0])
        fprintf(stderr, "xensock run: note: of the capture %s %s\n", options->capture.file, words);
}

static int run(struct run_options *options, const struct scenario *scenario,
               struct diag_list *diags)
{
    char out[512], why[CAPTURING_WORDS_BYTES];
    struct launch_outcome outcome;
    int code;

    snprintf(out, sizeof(out), options->out ? "%s" : "out/%s",
             options->out ? options->out : scenario->name);
    if (make_directories(out) < 0)
        return no_directory(out, errno, options->json);
    if (!begin_capture(options, scenario->mode, why))
        return cannot_write(CAPTURING_CODE, why, options->json);
    profiling_begin(&options->profiling, out, scenario->mode == SCENARIO_VIRTUAL);
    options->launch.profiling = &options->profiling;
    options->launch.sets = &options->sets;
    options->launch.allow = options->allow;
    options->launch.progress = !options->quiet && !options->json && isatty(2) && !getenv("CI");
    if (scenario->mode == SCENARIO_VIRTUAL)
        simulate_run(scenario, &options->model, &options->launch, &outcome);
    else
        launch_run(scenario, &options->launch, &outcome);
    end_capture(options, &outcome);
    json_t *result = verdict_result(scenario, diags, &outcome, &code);
    json_decref(outcome.reports);
    json_decref(outcome.errors);
    json_decref(outcome.hypervisor);
    json_decref(outcome.faults);
    if (!result)
        return CMD_BUG;
    if (options->capture.file) {
        record_add_counter(result, "capture.packets", options->captured.packets);
        record_add_counter(result, "capture.lost", options->captured.lost);
    }
    code = output(options, out, result, diags, code);
    json_decref(result);
    profiling_end(&options->profiling, out, !options->quiet && !options->json);
    return code;
}

static bool take(struct run_options *options, int option, const char *text)
{
    struct policy_rule rule;

    switch (option) {
    case 's': return cmd_set(&options->sets, text);
    case 'o': options->out = text; return true;
    case 'q': options->quiet = true; return true;
    case 'r': options->launch.runtime = text; return true;
    case 'n': options->launch.notify = text; return cmd_notify(text, &options->launch.immediate);
    case 't': options->launch.trace = text; return true;
    case 'C': options->capture.file = text; return true;
    case 'L': return capturing_limit(text, &options->capture.limit_bytes);
    case 'f':
        options->json = strcmp(text, "json") == 0;
        if (options->json || strcmp(text, "text") == 0)
            return true;
        fprintf(stderr, "xensock: error: --format takes text or json, not '%s'\n", text);
        return false;
    case 'p': return profiling_want(&options->profiling, text ? text : "perf");
    case 'a':
        if (!cmd_allow(text, &rule))
            return false;
        if (options->launch.allow_count < ALLOW_MAX) {
            options->allow[options->launch.allow_count++] = text;
            return true;
        }
        fprintf(stderr, "xensock: error: more than %d --allow\n", ALLOW_MAX);
        return false;
    }
    return false;
}

/* What only one of the modes can do. */
static bool suits_mode(const struct run_options *options, enum scenario_mode mode)
{
    const char *option = NULL;

    if (mode == SCENARIO_VIRTUAL)
        option = options->launch.runtime ? "--runtime" : NULL;
    else if (options->launch.trace)
        option = "--trace";
    if (option)
        fprintf(stderr, "xensock: error: %s does not go with mode '%s'\n", option,
                mode == SCENARIO_VIRTUAL ? "virtual" : "emulated");
    return option == NULL;
}

/* The scenario, and the cost model of one in virtual time, room for one of processes. */
static bool load(struct run_options *options, struct scenario *scenario, const char *file,
                 struct diag_list *diags)
{
    diag_init(diags);
    if (!is_regular(file, diags) ||
        scenario_load(scenario, file, options->sets.list, options->sets.count, diags) < 0)
        return false;
    return scenario->mode == SCENARIO_VIRTUAL
               ? model_load(&options->model, scenario->cost_model, file, diags) == 0
               : launch_fits(scenario, diags);
}

int cmd_run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"set", required_argument, NULL, 's'},     {"out", required_argument, NULL, 'o'},
        {"format", required_argument, NULL, 'f'},  {"quiet", no_argument, NULL, 'q'},
        {"profile", required_argument, NULL, 'p'}, {"perf", no_argument, NULL, 'p'},
        {"allow", required_argument, NULL, 'a'},   {"notify", required_argument, NULL, 'n'},
        {"runtime", required_argument, NULL, 'r'}, {"trace", required_argument, NULL, 't'},
        {"capture", required_argument, NULL, 'C'}, {"capture-limit", required_argument, NULL, 'L'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    static struct run_options options;
    static struct scenario scenario;
    static struct diag_list diags;
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!take(&options, option, optarg))
            return CMD_USAGE;
    }
    if (optind != argc - 1)
        return cmd_usage(help);
    if (!load(&options, &scenario, argv[optind], &diags))
        return bad_scenario(&diags, options.json);
    if (!suits_mode(&options, scenario.mode))
        return CMD_USAGE;
    options.launch.file = argv[optind];
    int code = run(&options, &scenario, &diags);
    diag_fini(&diags);
    return code;
}
