/*
 * xensock doctor: what this machine can run, and what it does to results. The looking is in
 * doctor*.c; here are the command line, how findings are shown, and the exit code.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/cmd.h"
#include "tools/doctor.h"

#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

static const char help[] =
    "usage: xensock doctor [--json] [--set PATH=VALUE]... [FILE]\n"
    "\n"
    "Says what this machine supports, what is missing, and how it will distort measurements: what "
    "was\n"
    "found, what that means, what to do. Of a scenario FILE also whether it has the descriptors "
    "it\n"
    "needs. Takes less than two seconds.\n"
    "\n"
    "  --json           the same for programs\n"
    "  --set PATH=VALUE change a value of the scenario\n"
    "  --root DIR       read /proc and /sys below DIR, another machine's, and measure nothing: for "
    "tests\n"
    "\n"
    "Exits with 0 if measurements can be trusted, 1 if something makes them unreliable now, 77 if "
    "no\n"
    "processes can be run here.\n";

enum { INDENT = 32, WIDTH = 100 };

static const char *verdict(const struct doctor *doctor)
{
    return doctor->worst == DOCTOR_UNUSABLE     ? "unusable"
           : doctor->worst == DOCTOR_UNRELIABLE ? "unreliable"
                                                : "fine";
}

static const char *text_of(const json_t *finding, const char *key)
{
    return json_string_value(json_object_get(finding, key));
}

/* In lines behind the columns of level and name. */
static void print_wrapped(const char *before, const char *text)
{
    int column = printf("%*s%s", INDENT, "", before);

    while (*text) {
        int bytes = (int)strcspn(text, " ");
        if (column + bytes > WIDTH && column > INDENT)
            column = printf("\n%*s", INDENT, "") - 1;
        column += printf("%.*s%s", bytes, text, text[bytes] ? " " : "\n");
        text += bytes + (text[bytes] == ' ');
    }
}

static void print_text(const struct doctor *doctor)
{
    size_t i;
    json_t *finding;

    json_array_foreach(doctor->findings, i, finding)
    {
        printf("%-10s  %-18s  %s\n", text_of(finding, "level"), text_of(finding, "name"),
               text_of(finding, "found"));
        print_wrapped("", text_of(finding, "means"));
        if (text_of(finding, "do"))
            print_wrapped("-> ", text_of(finding, "do"));
    }
    printf("\n%s:", verdict(doctor));
    for (int level = DOCTOR_LEVELS - 1; level >= 0; level--)
        if (doctor->counts[level] > 0)
            printf(" %" PRIu32 " %s", doctor->counts[level],
                   doctor_level_name((enum doctor_level)level));
    printf("\n");
}

static void print_json(const struct doctor *doctor)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:O}", "schema", "xensock/doctor/1", "version", XENSOCK_VERSION,
                  "verdict", verdict(doctor), "findings", doctor->findings);

    assert(object);
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static int look(struct doctor *doctor, bool json)
{
    doctor->findings = json_array();
    assert(doctor->findings);
    doctor_machine(doctor);
    doctor_kernel(doctor);
    doctor_programs(doctor);
    if (doctor->root[0] == '\0')
        doctor_measure(doctor);
    if (json)
        print_json(doctor);
    else
        print_text(doctor);
    json_decref(doctor->findings);
    return doctor->worst == DOCTOR_UNUSABLE     ? CMD_UNSUPPORTED
           : doctor->worst == DOCTOR_UNRELIABLE ? CMD_FAILED
                                                : CMD_OK;
}

int cmd_doctor(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"set", required_argument, NULL, 's'},
                                            {"root", required_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static struct scenario scenario;
    static struct cmd_sets sets;
    struct doctor doctor = {.root = ""};
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == '?' || (option == 's' && !cmd_set(&sets, optarg)))
            return CMD_USAGE;
        json |= option == 'j';
        doctor.root = option == 'r' ? optarg : doctor.root;
    }
    if (optind < argc - 1)
        return cmd_usage(help);
    if (optind == argc - 1) {
        if (!cmd_scenario(&scenario, argv[optind], &sets, false))
            return CMD_SCENARIO;
        doctor.scenario = &scenario;
    }
    return look(&doctor, json);
}
