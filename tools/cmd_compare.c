/* xensock compare: two results, or runs of two arms in turns. See xensock-compare(1). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/cmd.h"
#include "tools/comparing.h"
#include "tools/interleave.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: xensock compare [OPTION]... A B\n"
    "       xensock compare --runs N --out DIR [OPTION]... FILE\n"
    "       xensock compare --more N --out DIR [OPTION]...\n"
    "\n"
    "Compares two results, each a file or a directory with results: those of virtual time for\n"
    "equality, emulated ones run by run. Or makes the runs: N of the scenario FILE for each side,\n"
    "in turns. Exits with 4 if something is worse, or in virtual time different.\n"
    "\n" COMPARING_HELP "  --runs N                run FILE so often for each side, A B B A\n"
    "  --more N                as often again, beside what DIR has\n"
    "  --out DIR               where the runs go: DIR/a/0, DIR/b/0, ...\n"
    "  --set-a, --set-b PATH=VALUE, --command-a, --command-b XENSOCK, --arg-a, --arg-b ARGUMENT\n"
    "                          what is different of a side; --set, --arg: of both\n"
    "  --quiet                 do not say which run it is\n"
    "\n"
    "  xensock compare before/result.json after/result.json\n"
    "  xensock compare --runs 10 --out out/ab --set-b protocol.order=3 scenarios/quickstart.yaml\n";

/* Options of the runs, in the order they were given, until it is known whether there are any. */
enum { GIVEN_MAX = 128 };

struct given {
    int option;
    const char *value;
};

struct compare_command {
    struct comparing comparing;
    struct interleave interleave;
    struct given given[GIVEN_MAX];
    uint32_t given_count;
};

/* Whom of the arms an option is about, and how its argument begins. */
static const struct {
    int option;
    const char *name, *arms, *prefix; /* prefix NULL: the command */
} arm_options[] = {
    {'0', "--set-a", "a", "--set="}, {'1', "--set-b", "b", "--set="},
    {'2', "--set", "ab", "--set="},  {'3', "--arg-a", "a", ""},
    {'4', "--arg-b", "b", ""},       {'5', "--arg", "ab", ""},
    {'6', "--command-a", "a", NULL}, {'7', "--command-b", "b", NULL},
};

static bool give(struct compare_command *command, int option, const char *value)
{
    if (command->given_count == GIVEN_MAX) {
        fprintf(stderr, "xensock: error: more than %d --set, --arg and --command\n", GIVEN_MAX);
        return false;
    }
    command->given[command->given_count++] = (struct given){option, value};
    return true;
}

static bool apply(json_t *arms, const struct given *given)
{
    for (const char *arm = arm_options[given->option - '0'].arms; *arm; arm++) {
        const char side[2] = {*arm, '\0'}, *prefix = arm_options[given->option - '0'].prefix;
        if (!(prefix ? interleave_argument(arms, side, prefix, given->value)
                     : interleave_command(arms, side, given->value)))
            return false;
    }
    return true;
}

static bool take(struct compare_command *command, int option, const char *text)
{
    switch (option) {
    case 'r': return cmd_count("--runs", text, 100000, &command->interleave.runs);
    case 'm':
        command->interleave.more = true;
        return cmd_count("--more", text, 100000, &command->interleave.runs);
    case 'o': command->interleave.out = text; return true;
    case 'q': command->interleave.quiet = true; return true;
    default:
        return option >= '0' && option <= '7' ? give(command, option, text)
                                              : comparing_take(&command->comparing, option, text);
    }
}

/* Compare what there is of both arms. */
static int compare_arms(const struct compare_command *command)
{
    char a[PATH_MAX], b[PATH_MAX];

    snprintf(a, sizeof(a), "%s/a", command->interleave.out);
    snprintf(b, sizeof(b), "%s/b", command->interleave.out);
    return comparing_run(&command->comparing, "xensock compare", a, b);
}

static int run_arms(struct compare_command *command)
{
    struct compare_refusal refusal;
    int code = interleave_run(&command->interleave, &refusal);

    if (code == CMD_OK)
        return compare_arms(command);
    if (code != CMD_INTERRUPTED) {
        comparing_refused(&command->comparing, "xensock compare", &refusal);
        return code;
    }
    fprintf(stderr, "interrupted; --more N --out %s goes on\n", command->interleave.out);
    compare_arms(command);
    return CMD_INTERRUPTED;
}

static int interleaved(struct compare_command *command, const char *file)
{
    struct interleave *interleave = &command->interleave;
    int code = CMD_USAGE;

    if (!interleave->out) {
        fprintf(stderr, "xensock: error: --runs and --more need --out DIR\n");
        return CMD_USAGE;
    }
    if (interleave->more)
        return run_arms(command);
    interleave->arms = interleave_arms(file);
    bool good = interleave->arms != NULL;
    for (uint32_t i = 0; good && i < command->given_count; i++)
        good = apply(interleave->arms, &command->given[i]);
    if (good)
        code = run_arms(command);
    else
        fprintf(stderr, "xensock: error: file names and values must be UTF-8 here\n");
    json_decref(interleave->arms);
    return code;
}

/* Which of the three forms it is. */
static int act(struct compare_command *command, char **words, int count)
{
    bool runs = command->interleave.runs > 0, more = command->interleave.more;

    if (more && command->given_count > 0) {
        fprintf(stderr,
                "xensock: error: %s does not go with --more: the sides are what they were\n",
                arm_options[command->given[0].option - '0'].name);
        return CMD_USAGE;
    }
    if (!runs && (command->given_count > 0 || command->interleave.out)) {
        fprintf(stderr, "xensock: error: %s goes with --runs alone\n",
                command->given_count > 0 ? arm_options[command->given[0].option - '0'].name
                                         : "--out");
        return CMD_USAGE;
    }
    if (count != (more ? 0 : runs ? 1 : 2))
        return cmd_usage(help);
    return runs ? interleaved(command, words[0])
                : comparing_run(&command->comparing, "xensock compare", words[0], words[1]);
}

int cmd_compare(int argc, char **argv)
{
    static const struct option long_options[] = {COMPARING_OPTIONS,
                                                 {"runs", required_argument, NULL, 'r'},
                                                 {"more", required_argument, NULL, 'm'},
                                                 {"out", required_argument, NULL, 'o'},
                                                 {"quiet", no_argument, NULL, 'q'},
                                                 {"set-a", required_argument, NULL, '0'},
                                                 {"set-b", required_argument, NULL, '1'},
                                                 {"set", required_argument, NULL, '2'},
                                                 {"arg-a", required_argument, NULL, '3'},
                                                 {"arg-b", required_argument, NULL, '4'},
                                                 {"arg", required_argument, NULL, '5'},
                                                 {"command-a", required_argument, NULL, '6'},
                                                 {"command-b", required_argument, NULL, '7'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    static struct compare_command command;
    int option;

    comparing_init(&command.comparing);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!take(&command, option, optarg))
            return CMD_USAGE;
    }
    return act(&command, argv + optind, argc - optind);
}
