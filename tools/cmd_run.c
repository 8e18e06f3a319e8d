/* xensock run: a scenario from its file to its result. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "backend/policy.h"
#include "tools/studying.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: xensock run [OPTION]... FILE\n"
    "\n"
    "Runs the scenario FILE: hosts the hypervisor, starts peers, backend and guest as processes,\n"
    "compares every byte at both ends, prints a table and writes result.json; all points and "
    "repeats\n"
    "of a sweep, and says whether what is expected came out.\n"
    "\n"
    "  --set PATH=VALUE   change a value of the scenario; may be given often\n"
    "  --out DIR          where result.json goes (default out/NAME of the scenario)\n"
    "  --point N, --repeat N, --only AXIS=VALUE\n"
    "                     of a sweep: only that point, that repeat, points with that value\n"
    "  --shard I/N        every N-th run, from the I-th; `xensock merge` puts shards together\n"
    "  --jobs N           in virtual time: so many runs at a time (default 1)\n"
    "  --resume           keep the runs that the result there has, make the others\n"
    "  --fail-fast        end with the first run that fails\n"
    "  --format FORMAT    text (default): a table; json: the result, also on errors\n"
    "  --quiet            print nothing but errors\n"
    "  --profile cpu|heap a profile of the measured phase of each process, table and flame graph\n"
    "  --perf             the same by perf, which sees the kernel, too\n"
    "  --allow IP[/BITS]  where the guest may connect and bind beside loopback\n"
    "  --notify WHEN      coalesced (default): each port once a turn; immediate: at once\n"
    "  --trace FILE       in virtual time: write every event there, for `xensock trace`\n"
    "                     FILE.json: in both modes, for ui.perfetto.dev\n"
    "  --trace-on WHEN    write FILE.json always (default), or only on failure\n"
    "  --stages           say where the time went: stages, and a time line, in the result\n"
    "  --capture FILE     write what crosses the rings there, as pcapng\n"
    "  --capture-limit N  how much of it, in bytes a process (default 256MiB)\n"
    "  --runtime DIR      put the sockets of the run there instead of in a directory of its own\n"
    "\n"
    "  xensock run scenarios/quickstart.yaml\n"
    "  xensock run --set protocol.order=1 --format json scenarios/quickstart.yaml\n";

/* "2/4", both from 1, the first at most the second. */
static bool take_shard(struct studying_options *options, const char *text)
{
    char *slash, *end;
    unsigned long index = strtoul(text, &slash, 10), count = 0;

    if (text[0] >= '0' && text[0] <= '9' && *slash == '/' && slash[1] >= '0' && slash[1] <= '9') {
        count = strtoul(slash + 1, &end, 10);
        if (*end == '\0' && index >= 1 && index <= count && count <= STUDY_POINTS_MAX) {
            options->shard = (uint32_t)index;
            options->shards = (uint32_t)count;
            return true;
        }
    }
    fprintf(stderr, "xensock: error: --shard takes I/N, such as 2/4, not '%s'\n", text);
    return false;
}

/* One of several numbers of runs: which there is, the study says. */
static bool take_index(const char *option, const char *text, int64_t *index)
{
    uint64_t number;

    if (!cmd_number(option, text, STUDY_POINTS_MAX, &number))
        return false;
    *index = (int64_t)number;
    return true;
}

static bool take_only(struct studying_options *options, const char *text)
{
    if (options->only_count < STUDYING_ONLY_MAX) {
        options->only[options->only_count++].text = text;
        return true;
    }
    fprintf(stderr, "xensock: error: more than %d --only\n", STUDYING_ONLY_MAX);
    return false;
}

static bool take_allow(struct studying_options *options, const char *text)
{
    struct policy_rule rule;

    if (!cmd_allow(text, &rule))
        return false;
    if (options->launch.allow_count < STUDYING_ALLOW_MAX) {
        options->allow[options->launch.allow_count++] = text;
        return true;
    }
    fprintf(stderr, "xensock: error: more than %d --allow\n", STUDYING_ALLOW_MAX);
    return false;
}

static bool take_format(struct studying_options *options, const char *text)
{
    options->json = strcmp(text, "json") == 0;
    if (options->json || strcmp(text, "text") == 0)
        return true;
    fprintf(stderr, "xensock: error: --format takes text or json, not '%s'\n", text);
    return false;
}

static bool take_trace(struct studying_options *options, const char *file)
{
    *(trace_export_is(file) ? &options->traced.trace : &options->launch.trace) = file;
    return true;
}

static bool take(struct studying_options *options, int option, const char *text)
{
    uint64_t number;

    switch (option) {
    case 's': return cmd_set(&options->sets, text);
    case 'o': options->out = text; return true;
    case 'q': options->quiet = true; return true;
    case 'r': options->launch.runtime = text; return true;
    case 'n': options->launch.notify = text; return cmd_notify(text, &options->launch.immediate);
    case 't': return take_trace(options, text);
    case 'T': return tracing_on(text, &options->traced);
    case 'g': options->traced.stages = true; return true;
    case 'C': options->capture.file = text; return true;
    case 'L': return capturing_limit(text, &options->capture.limit_bytes);
    case 'f': return take_format(options, text);
    case 'p': return profiling_want(&options->profiling, text ? text : "perf");
    case 'a': return take_allow(options, text);
    case 'P': return take_index("--point", text, &options->point);
    case 'R': return take_index("--repeat", text, &options->repeat);
    case 'O': return take_only(options, text);
    case 'S': return take_shard(options, text);
    case 'u': options->resume = true; return true;
    case 'x': options->fail_fast = true; return true;
    case 'j':
        if (!cmd_count("--jobs", text, STUDYING_JOBS_MAX, &number))
            return false;
        options->jobs = (uint32_t)number;
        return true;
    }
    return false;
}

int cmd_run(int argc, char **argv)
{
    static const struct option long_options[] = {{"set", required_argument, NULL, 's'},
                                                 {"out", required_argument, NULL, 'o'},
                                                 {"format", required_argument, NULL, 'f'},
                                                 {"quiet", no_argument, NULL, 'q'},
                                                 {"profile", required_argument, NULL, 'p'},
                                                 {"perf", no_argument, NULL, 'p'},
                                                 {"allow", required_argument, NULL, 'a'},
                                                 {"notify", required_argument, NULL, 'n'},
                                                 {"runtime", required_argument, NULL, 'r'},
                                                 {"trace", required_argument, NULL, 't'},
                                                 {"trace-on", required_argument, NULL, 'T'},
                                                 {"stages", no_argument, NULL, 'g'},
                                                 {"capture", required_argument, NULL, 'C'},
                                                 {"capture-limit", required_argument, NULL, 'L'},
                                                 {"point", required_argument, NULL, 'P'},
                                                 {"repeat", required_argument, NULL, 'R'},
                                                 {"only", required_argument, NULL, 'O'},
                                                 {"shard", required_argument, NULL, 'S'},
                                                 {"jobs", required_argument, NULL, 'j'},
                                                 {"resume", no_argument, NULL, 'u'},
                                                 {"fail-fast", no_argument, NULL, 'x'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    static struct studying_options options = {.jobs = 1, .point = -1, .repeat = -1};
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!take(&options, option, optarg))
            return CMD_USAGE;
    }
    if (optind != argc - 1)
        return cmd_usage(help);
    options.launch.allow = options.allow;
    options.file = options.launch.file = argv[optind];
    return studying_run(&options);
}
