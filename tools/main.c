/* xensock: finds the subcommand. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

static const char help[] =
    "usage: xensock COMMAND [OPTION]...\n"
    "\n"
    "  run FILE          run a scenario: hypervisor, backend, guest, peers, result\n"
    "  report DIR        the result of a run as one HTML page\n"
    "  check FILE        check a scenario and print it with every default filled in\n"
    "  plan FILE         the points and runs of a scenario's sweep, and which shard makes which\n"
    "  merge DIR         the results of shards as one\n"
    "  compare A B       two results: what is different, better or worse; or run both in turns\n"
    "  baseline          keep a result on purpose, and hold later ones against it\n"
    "  convert RESULT    a result as JUnit XML, CSV or Markdown\n"
    "  hypervisor        one part of a run by hand, each in its own terminal:\n"
    "  backend             the backend's process\n"
    "  frontend FILE       the guest's process with the workloads of a scenario\n"
    "  peer FILE NAME      a built-in peer of a scenario\n"
    "  ps                what goes on in a running testbed: its domains and devices,\n"
    "  grants              who shares pages with whom, and who maps them\n"
    "  ports               event channels\n"
    "  xenstore            nodes, values, permissions; what changes\n"
    "  forward           programs that know nothing of the protocol, through it\n"
    "  socks               the same for programs that speak SOCKS5\n"
    "  trace             show what happened in a virtual run, or where two of them part\n"
    "  decode FILE       what crossed the rings of a run, from its capture\n"
    "  capture DIR FILE  that capture, of a run that was killed before it made it\n"
    "  swarm FILE        random calls and disturbances in virtual time, everything checked\n"
    "  shrink FILE       reduce a seed of the swarm that fails to the fewest events\n"
    "  doctor            what this machine supports, and how it distorts measurements\n"
    "  quirks            the drivers as which a host may behave, and what they do\n"
    "  payload           write the bytes a stream carries, to compare them elsewhere\n"
    "\n"
    "xensock COMMAND --help tells more; xensock(1) and xensock-scenario(5) tell all.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
#ifdef XENSOCK_HOOKED /* what `swarm` becomes */
    {"swarm", cmd_swarm},
    {"shrink", cmd_shrink},
#else
    {"plan", cmd_plan},         {"merge", cmd_merge},       {"run", cmd_run},
    {"check", cmd_check},       {"convert", cmd_convert},   {"hypervisor", cmd_hypervisor},
    {"backend", cmd_backend},   {"frontend", cmd_frontend}, {"forward", cmd_forward},
    {"socks", cmd_socks},       {"peer", cmd_peer},         {"trace", cmd_trace},
    {"decode", cmd_decode},     {"capture", cmd_capture},   {"payload", cmd_payload},
    {"swarm", cmd_swarm},       {"shrink", cmd_shrink},     {"ps", cmd_ps},
    {"quirks", cmd_quirks},     {"grants", cmd_grants},     {"ports", cmd_ports},
    {"xenstore", cmd_xenstore}, {"compare", cmd_compare},   {"baseline", cmd_baseline},
    {"doctor", cmd_doctor},     {"report", cmd_report},
#endif
};

/* Standard descriptors that are closed would be taken by something else; a loop needs a few more.
 */
static bool usable_process(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && uv_default_loop())
        return true;
    fprintf(stderr, "xensock: error[E0606]: too few descriptors (ulimit -n), or no /dev/null\n");
    return false;
}

/* What was printed must have arrived, or the exit code is no success. */
static int flushed(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "xensock: error[E0702]: cannot write to the standard output: %s\n",
            strerror(errno));
    return code == CMD_OK ? CMD_FAILED : code;
}

/* A socket costs two descriptors in each domain and three in the hypervisor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static char full_name[64];
    const char *name = argc > 1 ? argv[1] : "--help";

    if (!usable_process())
        return CMD_UNSUPPORTED;
    raise_descriptor_limit();
    snprintf(full_name, sizeof(full_name), "xensock %s", name); /* as getopt's messages begin */
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(name, commands[i].name) == 0) {
            argv[1] = full_name;
            return flushed(commands[i].run(argc - 1, argv + 1));
        }
    if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0)
        return flushed(cmd_help(help));
    if (strcmp(name, "--version") == 0) {
        puts("xensock " XENSOCK_VERSION);
        return flushed(CMD_OK);
    }
    fprintf(stderr, "xensock: error: unknown command '%s'\n\n", name);
    return cmd_usage(help);
}
