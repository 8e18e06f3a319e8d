/* xensock check: is the scenario right, and what does it mean with every default filled in? */
#include "sim/run/scenario.h"
#include "sim/run/scenario_schema.h"
#include "sim/run/schema_texts.h"
#include "tools/cmd.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: xensock check [--set PATH=VALUE]... [--quiet] FILE...\n"
    "       xensock check --schema[=scenario|result]\n"
    "\n"
    "Reports every fault of each FILE with its place, and prints good ones as JSON with every\n"
    "default filled in. Nothing is run. Exits with 3 if a file is wrong.\n"
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

int cmd_check(int argc, char **argv)
{
    static const struct option options[] = {{"set", required_argument, NULL, 's'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"schema", optional_argument, NULL, 'S'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static struct scenario scenario;
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
        if (!cmd_scenario(&scenario, argv[i], &sets, !quiet)) {
            code = CMD_SCENARIO;
        } else if (!quiet) {
            json_t *resolved = scenario_json(&scenario);
            json_dumpf(resolved, stdout, JSON_INDENT(2));
            putchar('\n');
            json_decref(resolved);
        }
    }
    return code;
}
