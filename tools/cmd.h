/* The subcommands of xensock, one file each, and what reading their command lines shares. */
#ifndef XENSOCK_TOOLS_CMD_H
#define XENSOCK_TOOLS_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes, kept for ever. */
enum cmd_exit {
    CMD_OK = 0,
    CMD_FAILED = 1,       /* an expectation failed: a finding */
    CMD_USAGE = 2,        /* wrong command line */
    CMD_SCENARIO = 3,     /* the scenario is invalid, or cannot be run as it is written */
    CMD_WORSE = 4,        /* compare: something got worse, or is not as it was */
    CMD_BROKEN = 5,       /* stalled, or a core broke an invariant */
    CMD_ABSENT = 6,       /* no hypervisor serves where it was looked for */
    CMD_LATE = 7,         /* it did not answer in time */
    CMD_BUG = 70,         /* of this program */
    CMD_UNSUPPORTED = 77, /* cannot run on this machine */
    CMD_INTERRUPTED = 130,
};

/* Each takes its own arguments, argv[0] being the subcommand's name, and returns an exit code. */
int cmd_backend(int argc, char **argv);
int cmd_baseline(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_decode(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_forward(int argc, char **argv);
int cmd_frontend(int argc, char **argv);
int cmd_grants(int argc, char **argv);
int cmd_hypervisor(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_payload(int argc, char **argv);
int cmd_peer(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_ports(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_quirks(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_shrink(int argc, char **argv);
int cmd_socks(int argc, char **argv);
int cmd_swarm(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_xenstore(int argc, char **argv);

/* Print a help text to stdout and return 0. */
int cmd_help(const char *text);

/* Print a help text to stderr and return the code for a wrong command line. */
int cmd_usage(const char *text);

/* Read a domain id, any number up to `max`, or one from 1; false after saying what is wrong with
 * `option`. */
bool cmd_domid(const char *option, const char *text, uint16_t *domid);
bool cmd_number(const char *option, const char *text, uint64_t max, uint64_t *number);
bool cmd_count(const char *option, const char *text, uint64_t max, uint64_t *number);

/* Read "coalesced" or "immediate", when a marked port is notified; false after saying so. */
bool cmd_notify(const char *text, bool *immediate);

struct dialect;

/* Read the name of a dialect; false after saying which there are. */
bool cmd_dialect(const char *option, const char *text, const struct dialect **dialect);

struct quirk_peer;
struct quirk_side;

/* Read --peer, the driver that a side behaves as; false after saying what of it there is not. */
bool cmd_quirks_of(const char *text, bool front, struct quirk_side *side,
                   const struct quirk_peer **peer);

struct policy_rule;

/* Read "10.0.0.0/8" or an address alone; false after saying that it is neither. */
bool cmd_allow(const char *text, struct policy_rule *rule);

/* The overrides of --set, in order. */
enum { CMD_SETS_MAX = 64, CMD_SETS_ROOM = CMD_SETS_MAX + 16 };
struct cmd_sets {
    const char *list[CMD_SETS_ROOM]; /* with room for those of a point of a sweep */
    uint32_t count;
};

/* Append one; false after saying that there are too many. */
bool cmd_set(struct cmd_sets *sets, const char *text);

/* Print a word of a command line, behind a space and so that a shell takes it as it is. */
void cmd_put_word(FILE *to, const char *word);

struct scenario;

/* Load and check a scenario; false if it cannot be used. Prints every diagnostic to stderr, those
 * of a good one, which are notes, only with `notes`. */
bool cmd_scenario(struct scenario *scenario, const char *path, const struct cmd_sets *sets,
                  bool notes);

#endif
