/* xensock swarm: many seeds of random calls and disturbances, everything checked. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/model.h"
#include "sim/run/units.h"
#include "tools/cmd.h"
#include "tools/swarm_common.h"
#include "tools/swarm_jobs.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static const char help[] =
    "usage: xensock swarm [OPTION]... FILE\n"
    "\n"
    "Runs both cores of the scenario's protocol in virtual time under random calls, sizes, delays\n"
    "and closes, a seed at a time, and checks everything from outside at every step. Prints the\n"
    "first seed that breaks a rule, and the commands that show it again and reduce it.\n"
    "\n"
    "  --seeds A..B       which seeds (default 0..999)\n"
    "  --jobs N           how many processes at a time (default 1)\n"
    "  --only LIST        of one seed: only these events of its plan, \"3,5-9\"; \"none\"\n"
    "  --plan             of one seed: print its plan\n"
    "  --trace FILE       of one seed: write every event there, for `xensock trace`\n"
    "  --set PATH=VALUE   change a value of the scenario; may be given often\n"
    "  --quiet            print nothing but what is wrong\n"
    "\n"
    "  xensock swarm --seeds 0..9999 --jobs 2 scenarios/quickstart.yaml\n"
    "  xensock swarm --seeds 17..17 --plan scenarios/quickstart.yaml\n";

struct swarm_options {
    struct swarm_input input;
    uint64_t first, last, jobs;
    const char *only, *trace;
    bool plan, quiet, progress;
};

static void on_done(void *self, uint64_t done, uint64_t failed)
{
    const struct swarm_options *options = self;

    if (options->progress && done % 64 == 0)
        fprintf(stderr, "\r\033[K%llu seeds, %llu failed", (unsigned long long)done,
                (unsigned long long)failed);
}

static void print_sum(const struct swarm_sum *sum, uint64_t wall_ns)
{
    printf("%llu seeds, no violation: %llu requests, %llu bytes, %llu events, %llu turns in the "
           "midst of another, %llu virtual s in %s\n",
           (unsigned long long)sum->seeds, (unsigned long long)sum->requests,
           (unsigned long long)sum->bytes, (unsigned long long)sum->events,
           (unsigned long long)sum->intrusions, (unsigned long long)(sum->virtual_ns / 1000000000),
           units_format_latency(wall_ns).text);
    if (sum->excused > 0)
        printf("%llu of them lost bytes or ended early, as the quirks of their drivers let them\n",
               (unsigned long long)sum->excused);
    if (!swarm_hooked())
        puts("note: without xensock-hooked beside this program nothing is interleaved in a step");
    printf("trace %s\n", sum->trace);
}

static int run_many(struct swarm_options *options)
{
    static struct swarm_sum sum;
    uint64_t start_ns = uv_hrtime();
    struct swarm_jobs jobs = {.scenario = &options->input.scenario,
                              .costs = &options->input.model.costs,
                              .first = options->first,
                              .last = options->last,
                              .jobs = (uint32_t)options->jobs,
                              .done = on_done,
                              .self = options};

    if (!swarm_jobs_run(&jobs, &sum)) {
        fprintf(stderr, "xensock swarm: error[E0606]: cannot start a process\n");
        return CMD_UNSUPPORTED;
    }
    if (options->progress)
        fputs("\r\033[K", stderr);
    if (sum.failed) {
        swarm_print_failure(&options->input, sum.seed, NULL, &sum.outcome);
        return CMD_BROKEN;
    }
    if (!options->quiet)
        print_sum(&sum, uv_hrtime() - start_ns);
    return CMD_OK;
}

static int run_one(struct swarm_options *options)
{
    static struct swarm_plan plan;
    static struct swarm_outcome outcome;
    bool keep[SWARM_OPS_MAX];
    struct swarm_config config = {.scenario = &options->input.scenario,
                                  .costs = &options->input.model.costs,
                                  .seed = options->first,
                                  .plan = &plan,
                                  .trace = options->trace};

    swarm_plan_make(&plan, config.scenario, config.seed);
    if (options->only) {
        if (!swarm_parse_list(options->only, plan.op_count, keep))
            return CMD_USAGE;
        config.keep = keep;
    }
    if (options->plan) {
        swarm_print_plan(&plan, config.keep);
        return CMD_OK;
    }
    if (options->trace && !swarm_can_write(options->trace))
        return CMD_USAGE;
    if (!swarm_jobs_one(&config, &outcome)) {
        fprintf(stderr, "xensock swarm: error[E0606]: cannot start a process\n");
        return CMD_UNSUPPORTED;
    }
    if (outcome.trace_error < 0)
        fprintf(stderr, "xensock swarm: error[E0704]: the trace %s is not whole: %s\n",
                options->trace, strerror(-outcome.trace_error));
    if (outcome.failed) {
        swarm_print_failure(&options->input, config.seed, options->only, &outcome);
        return CMD_BROKEN;
    }
    if (!options->quiet)
        printf("seed %llu: no violation, %llu events, %llu records\ntrace %s\n",
               (unsigned long long)config.seed, (unsigned long long)outcome.events,
               (unsigned long long)outcome.records, outcome.trace);
    return outcome.trace_error < 0 ? CMD_FAILED : CMD_OK;
}

static bool parse_seeds(struct swarm_options *options, const char *text)
{
    char first[32];
    const char *dots = strstr(text, "..");
    size_t length = dots ? (size_t)(dots - text) : strlen(text);

    if (length < sizeof(first)) {
        memcpy(first, text, length);
        first[length] = '\0';
        if (cmd_number("--seeds A..B", first, INT64_MAX, &options->first) &&
            cmd_number("--seeds A..B", dots ? dots + 2 : first, INT64_MAX, &options->last) &&
            options->first <= options->last && options->last - options->first < SWARM_SEEDS_MAX)
            return true;
    }
    fprintf(stderr, "xensock: error: --seeds takes A..B, at most %d of them, not '%s'\n",
            SWARM_SEEDS_MAX, text);
    return false;
}

static bool take(struct swarm_options *options, int option, const char *text)
{
    switch (option) {
    case 'e': return parse_seeds(options, text);
    case 'j':
        if (!cmd_number("--jobs", text, SWARM_JOBS_MAX, &options->jobs))
            return false;
        if (options->jobs == 0)
            fprintf(stderr, "xensock: error: --jobs takes a number from 1, not '%s'\n", text);
        return options->jobs > 0;
    case 'o': options->only = text; return true;
    case 'p': options->plan = true; return true;
    case 't': options->trace = text; return true;
    case 's': return cmd_set(&options->input.sets, text);
    case 'q': options->quiet = true; return true;
    }
    return false;
}

int cmd_swarm(int argc, char **argv)
{
    static const struct option long_options[] = {{"seeds", required_argument, NULL, 'e'},
                                                 {"jobs", required_argument, NULL, 'j'},
                                                 {"only", required_argument, NULL, 'o'},
                                                 {"plan", no_argument, NULL, 'p'},
                                                 {"trace", required_argument, NULL, 't'},
                                                 {"set", required_argument, NULL, 's'},
                                                 {"quiet", no_argument, NULL, 'q'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    static struct swarm_options options = {.last = 999, .jobs = 1};
    int option;

    swarm_exec_hooked(argc, argv);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!take(&options, option, optarg))
            return CMD_USAGE;
    }
    if (optind != argc - 1)
        return cmd_usage(help);
    bool one = options.first == options.last;
    if (!one && (options.only || options.plan || options.trace)) {
        fprintf(stderr, "xensock: error: --only, --plan and --trace go with one seed\n");
        return CMD_USAGE;
    }
    if (!swarm_load(&options.input, argv[optind]))
        return CMD_SCENARIO;
    options.progress = !options.quiet && isatty(2) && !getenv("CI");
    return one ? run_one(&options) : run_many(&options);
}
