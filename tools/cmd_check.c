/* xensock check: is the scenario right, and what does it mean with every default filled in? */
#include "sim/run/scenario.h"
#include "tools/cmd.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "usage: xensock check [--set PATH=VALUE]... [--quiet] FILE...\n"
    "\n"
    "Reports every fault of each FILE with its place, and prints good ones as JSON with every\n"
    "default filled in. Nothing is run. Exits with 3 if a file is wrong.\n"
    "\n"
    "  xensock check scenarios/quickstart.yaml\n"
    "  xensock check --quiet --set protocol.order=3 scenarios/*.yaml\n";

int cmd_check(int argc, char **argv)
{
    static const struct option options[] = {{"set", required_argument, NULL, 's'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static struct scenario scenario;
    static struct cmd_sets sets;
    bool quiet = false;
    int option, code = CMD_OK;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
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
