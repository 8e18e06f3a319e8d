/* xensock trace: what `run --trace` wrote, for people. See xensock(1). */
#include "sim/run/trace_file.h"
#include "sim/run/trace_text.h"
#include "sim/run/units.h"
#include "tools/cmd.h"
#include "tools/trace_diff.h"
#include "tools/trace_export.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: xensock trace show FILE [OPTION]...\n"
    "       xensock trace diff A B\n"
    "       xensock trace export CAPTURE [OPTION]...\n"
    "\n"
    "show prints the records of a trace, one a line:\n"
    "\n"
    "  --who NAME            only of this host or peer\n"
    "  --point NAME          only of this trace point\n"
    "  --from DURATION       only those at this virtual time or later\n"
    "  --to DURATION         only those at this virtual time or earlier\n"
    "  --limit N             the first N of them\n"
    "  --format text|json    for people (default), or an object a line\n"
    "\n"
    "export makes of a capture a trace for Perfetto; see xensock trace export --help.\n"
    "\n"
    "diff says where two traces part, and who differs first. Exits with 1 if they do.\n"
    "\n"
    "  xensock trace show out.trace --who web --from 2ms --limit 50\n"
    "  xensock trace diff before.trace after.trace\n";

/* What is shown. */
struct choice {
    const char *path;
    const char *who_name; /* NULL: all */
    uint64_t from_ns, to_ns, limit;
    uint16_t who;
    uint8_t point; /* TRACE_POINT_COUNT: all */
    bool json;
};

static bool read_duration(const char *option, const char *text, uint64_t *duration_ns)
{
    if (units_parse_duration(text, duration_ns) == UNITS_OK)
        return true;
    fprintf(stderr, "xensock: error: %s takes a duration (%s), not '%s'\n", option,
            UNITS_OF_DURATION, text);
    return false;
}

static bool read_point(const char *text, uint8_t *point)
{
    if (trace_text_find_point(text, point))
        return true;
    fprintf(stderr, "xensock: error: there is no trace point '%s'; there are:", text);
    for (int i = 0; i < TRACE_POINT_COUNT; i++)
        fprintf(stderr, " %s", trace_text_point((enum trace_point)i));
    fputc('\n', stderr);
    return false;
}

static bool read_format(const char *text, bool *json)
{
    *json = strcmp(text, "json") == 0;
    if (*json || strcmp(text, "text") == 0)
        return true;
    fprintf(stderr, "xensock: error: --format takes text or json, not '%s'\n", text);
    return false;
}

static bool read_option(int option, struct choice *choice)
{
    switch (option) {
    case 'w': choice->who_name = optarg; return true;
    case 'p': return read_point(optarg, &choice->point);
    case 'f': return read_duration("--from", optarg, &choice->from_ns);
    case 't': return read_duration("--to", optarg, &choice->to_ns);
    case 'l': return cmd_number("--limit", optarg, UINT64_MAX, &choice->limit);
    case 'j': return read_format(optarg, &choice->json);
    default: return false;
    }
}

static bool is_chosen(const struct choice *choice, const struct trace_record *record)
{
    return (!choice->who_name || record->who == choice->who) &&
           (choice->point == TRACE_POINT_COUNT || record->point == choice->point) &&
           record->now_ns >= choice->from_ns && record->now_ns <= choice->to_ns;
}

/* Times go back where a record tells of what comes later, so all of the file is looked at. */
static int show_records(const struct choice *choice, struct trace_file *file)
{
    struct trace_file_fault fault;
    struct trace_record record;
    uint64_t shown = 0;
    int got = 0;

    while (shown < choice->limit && (got = trace_file_next(file, &record, &fault)) == 1) {
        if (!is_chosen(choice, &record))
            continue;
        shown++;
        if (choice->json)
            trace_text_print_json(stdout, file, &record);
        else
            trace_text_print(stdout, file, &record);
    }
    return got < 0 ? trace_fault(choice->path, &fault) : CMD_OK;
}

static int show_file(struct choice *choice, struct trace_file *file)
{
    if (choice->who_name && !trace_file_find(file, choice->who_name, &choice->who)) {
        fprintf(stderr, "xensock trace: error: %s has no '%s'; it has:", choice->path,
                choice->who_name);
        for (uint32_t who = 0; who < TRACE_FILE_ENTITIES; who++)
            if (trace_file_name(file, (uint16_t)who))
                fprintf(stderr, " %s", trace_file_name(file, (uint16_t)who));
        fputc('\n', stderr);
        return CMD_USAGE;
    }
    printf(choice->json ? "{\"schema\":\"xensock/trace/1\",\"scenario\":\"%s\",\"seed\":%" PRIu64
                          "}\n"
                        : "scenario %s, seed %" PRIu64 "\n",
           trace_file_scenario(file), trace_file_seed(file));
    return show_records(choice, file);
}

static int show(int argc, char **argv)
{
    static const struct option options[] = {
        {"who", required_argument, NULL, 'w'},   {"point", required_argument, NULL, 'p'},
        {"from", required_argument, NULL, 'f'},  {"to", required_argument, NULL, 't'},
        {"limit", required_argument, NULL, 'l'}, {"format", required_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    struct choice choice = {.to_ns = UINT64_MAX, .limit = UINT64_MAX, .point = TRACE_POINT_COUNT};
    struct trace_file_fault fault;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!read_option(option, &choice))
            return CMD_USAGE;
    }
    if (optind != argc - 1)
        return cmd_usage(help);
    choice.path = argv[optind];
    struct trace_file *file = trace_file_open(choice.path, &fault);
    if (!file)
        return trace_fault(choice.path, &fault);
    int code = show_file(&choice, file);
    trace_file_close(file);
    return code;
}

static int diff(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option = getopt_long(argc, argv, "", options, NULL);

    if (option == 'h')
        return cmd_help(help);
    if (option != -1)
        return CMD_USAGE;
    return optind == argc - 2 ? trace_diff(argv[optind], argv[optind + 1]) : cmd_usage(help);
}

int cmd_trace(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "show") == 0) {
        argv[1] = "xensock trace show"; /* as getopt's messages begin */
        return show(argc - 1, argv + 1);
    }
    if (strcmp(what, "diff") == 0) {
        argv[1] = "xensock trace diff";
        return diff(argc - 1, argv + 1);
    }
    if (strcmp(what, "export") == 0) {
        argv[1] = "xensock trace export";
        return trace_export(argc - 1, argv + 1);
    }
    return strcmp(what, "--help") == 0 ? cmd_help(help) : cmd_usage(help);
}
