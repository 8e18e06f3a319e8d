/* xensock baseline: a result kept on purpose, and later ones held against it. See
 * xensock-compare(1).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/baseline.h"
#include "tools/cmd.h"
#include "tools/comparing.h"
#include "tools/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: xensock baseline accept RESULT [--to FILE] [--force]\n"
    "       xensock baseline check RESULT [--to FILE] [OPTION]...\n"
    "\n"
    "accept keeps a result (a file, or a directory with results) as the baseline of its scenario\n"
    "and prints what that changes; check compares with it, and exits with 4 if something is "
    "worse,\n"
    "or in virtual time different.\n"
    "\n"
    "  --to FILE               the baseline (default baselines/NAME.json, NAME the scenario's)\n"
    "  --force                 accept a result that is incomplete, or failed\n" COMPARING_HELP "\n"
    "  xensock baseline accept out/quickstart\n"
    "  xensock baseline check out/quickstart\n";

struct baseline_options {
    struct comparing comparing;
    const char *to;
    bool force;
    char path[1024];
};

static bool find_path(struct baseline_options *options, const json_t *result)
{
    const json_t *resolved = json_object_get(json_object_get(result, "scenario"), "resolved");
    const char *name = json_string_value(json_object_get(resolved, "name"));
    int length;

    if (options->to)
        length = snprintf(options->path, sizeof(options->path), "%s", options->to);
    else if (name && name[0] && !strchr(name, '/') && name[0] != '.')
        length = snprintf(options->path, sizeof(options->path), "baselines/%s.json", name);
    else
        return false;
    return length < (int)sizeof(options->path);
}

/* What there is under the old name, and how the new one differs. */
static void print_change(const struct baseline_options *options, const json_t *result)
{
    struct compare_options any = options->comparing.options;
    struct compare_refusal refusal;
    json_t *old = compare_load(options->path, &refusal), *comparison;

    if (!old) {
        printf("replaces what cannot be read: %s\n", refusal.why);
        return;
    }
    any.any_host = any.incomplete = true;
    comparison = compare_results(old, result, &any, &refusal);
    if (comparison)
        compare_print_text(stdout, comparison);
    else
        printf("replaces what it cannot be compared with: %s\n", refusal.why);
    json_decref(comparison);
    json_decref(old);
}

static int keep(const struct baseline_options *options, const json_t *result)
{
    json_t *baseline = baseline_of(result);
    bool is_new = access(options->path, F_OK) != 0;
    struct compare_refusal refusal;
    const char *problem;

    if (!options->to && mkdir("baselines", 0777) < 0 && errno != EEXIST)
        problem = strerror(errno);
    else {
        if (!is_new)
            print_change(options, result);
        problem = output_json(options->path, baseline);
    }
    json_decref(baseline);
    if (!problem) {
        printf("%s baseline: %s\n", is_new ? "new" : "accepted as", options->path);
        return CMD_OK;
    }
    compare_refuse(&refusal, "E0826", "cannot write %s: %s", options->path, problem);
    comparing_refused(&options->comparing, "xensock baseline", &refusal);
    return CMD_FAILED;
}

static int accept_result(struct baseline_options *options, const json_t *result)
{
    struct compare_refusal refusal;

    if (!options->force && !baseline_worthy(result, &refusal))
        return comparing_refused(&options->comparing, "xensock baseline", &refusal);
    return keep(options, result);
}

static int check_result(struct baseline_options *options, const char *path)
{
    struct compare_refusal refusal;

    if (access(options->path, F_OK) == 0)
        return comparing_run(&options->comparing, "xensock baseline", options->path, path);
    compare_refuse(&refusal, "E0827",
                   "there is no baseline %s; xensock baseline accept %s makes it", options->path,
                   path);
    return comparing_refused(&options->comparing, "xensock baseline", &refusal);
}

static int act(struct baseline_options *options, const char *path, bool accept)
{
    struct compare_refusal refusal;
    json_t *result = compare_load(path, &refusal);
    int code;

    if (result && !find_path(options, result)) {
        compare_refuse(&refusal, "E0820", "%s: its scenario has no name for a file; give --to FILE",
                       path);
        json_decref(result);
        result = NULL;
    }
    if (!result)
        return comparing_refused(&options->comparing, "xensock baseline", &refusal);
    code = accept ? accept_result(options, result) : check_result(options, path);
    json_decref(result);
    return code;
}

int cmd_baseline(int argc, char **argv)
{
    static const struct option long_options[] = {COMPARING_OPTIONS,
                                                 {"to", required_argument, NULL, 't'},
                                                 {"force", no_argument, NULL, 'f'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    const char *what = argc > 1 ? argv[1] : "";
    bool accept = strcmp(what, "accept") == 0;
    static struct baseline_options options;
    int option;

    if (!accept && strcmp(what, "check") != 0)
        return strcmp(what, "--help") == 0 ? cmd_help(help) : cmd_usage(help);
    comparing_init(&options.comparing);
    argv[1] = accept ? "xensock baseline accept" : "xensock baseline check";
    argc--;
    argv++;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == 't')
            options.to = optarg;
        else if (option == 'f' && accept)
            options.force = true;
        else if (!comparing_take(&options.comparing, option, optarg))
            return option == 'f' ? cmd_usage(help) : CMD_USAGE;
    }
    return optind == argc - 1 ? act(&options, argv[optind], accept) : cmd_usage(help);
}
