/* xensock check: is the scenario right, and what does it mean with every default filled in? */
#include "sim/run/scenario_schema.h"
#include "sim/run/schema_texts.h"
#include "sim/run/study.h"
#include "tools/cmd.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: xensock check [--set PATH=VALUE]... [--quiet] FILE...\n"
    "       xensock check --schema[=scenario|result]\n"
    "\n"
    "Reports every fault of each FILE, at every point of its sweep, with its place, and prints "
    "good\n"
    "ones as JSON with every default filled in, as the first point has them. Nothing is run. "
    "Exits\n"
    "with 3 if a file is wrong.\n"
    "--schema prints the JSON Schema of scenarios, for editors, or that of result.json.\n"
    "\n"
    "  xensock check scenarios/quickstart.yaml\n"
    "  xensock check --quiet --set protocol.order=3 scenarios/*.yaml\n"
    "  xensock check --schema >xensock-scenario.schema.json\n";

static int print_schema(const char *which)
{
    json_t *schema;

    for (const struct schema_text *at = schema_texts; at->name; at++)
        if (strcmp(at->name, "result") == 0 && strcmp(which, "result") == 0)
            fputs(at->text, stdout);
    if (strcmp(which, "result") == 0)
        return CMD_OK;
    if (strcmp(which, "scenario") != 0) {
        fprintf(stderr, "xensock: error: --schema takes scenario or result, not '%s'\n", which);
        return CMD_USAGE;
    }
    schema = scenario_schema();
    json_dumpf(schema, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(schema);
    return CMD_OK;
}

static void print_resolved(const struct study *study)
{
    json_t *resolved = study_json(study);

    json_dumpf(resolved, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(resolved);
}

int cmd_check(int argc, char **argv)
{
    static const struct option options[] = {{"set", required_argument, NULL, 's'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"schema", optional_argument, NULL, 'S'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static struct study study;
    static struct cmd_sets sets;
    bool quiet = false;
    int option, code = CMD_OK;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == 'S')
            return print_schema(optarg ? optarg : "scenario");
        if (option == '?' || (option == 's' && !cmd_set(&sets, optarg)))
            return CMD_USAGE;
        quiet |= option == 'q';
    }
    if (optind == argc)
        return cmd_usage(help);
    for (int i = optind; i < argc; i++) {
        struct diag_list diags;
        diag_init(&diags);
        bool good = study_load(&study, argv[i], sets.list, sets.count, &diags) == 0;
        if (!good || !quiet)
            diag_print(&diags, stderr, isatty(2) && !getenv("NO_COLOR"));
        if (good && !quiet)
            print_resolved(&study);
        if (good)
            study_fini(&study);
        else
            code = CMD_SCENARIO;
        diag_fini(&diags);
    }
    return code;
}
