/*
 * A `perf record` of this process. See profile_private.h.
 *
 * It is told over a pair of pipes when to count (perf-record(1), --control), so that its start,
 * some hundred milliseconds, lies outside of what is measured. It is in a process group of its own:
 * a terminal's ^C is for this process, which then ends it in good order. Should this process be
 * killed, perf sees that, writes its file and ends.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/profile_private.h"

#include "tools/perf_event.h"
#include "tools/search_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef __linux__

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 10000,
    FREQUENCY = 499, /* no divisor of what the scenarios do */
    CHILD_CONTROL = 3,
    CHILD_ANSWER = 4,
    SAFE = 10, /* descriptors from here on are not the two above */
};

/* Code without frame pointers is unwound from a piece of the stack that each sample takes along. */
#ifdef XENSOCK_FRAME_POINTERS
static const char unwind[] = "fp";
#else
static const char unwind[] = "dwarf,8192";
#endif

static struct {
    pid_t pid; /* 0: none runs */
    int control, answer;
} perf;

bool profile_perf_possible(struct profile_why *why)
{
    char path[512];

    if (!search_path("perf", path, sizeof(path))) {
        *why = (struct profile_why){"E0712", "perf is not installed (Debian: linux-perf)"};
        return false;
    }
    if (perf_event_name())
        return true;
    why->code = "E0712";
    snprintf(why->text, sizeof(why->text),
             "the kernel lets nothing be counted (%s); see kernel.perf_event_paranoid",
             strerror(errno));
    return false;
}

/* In the child: only what may be called between fork and exec. */
static void become_perf(char **args, int control, int answer)
{
    int null = open("/dev/null", O_RDWR);

    setpgid(0, 0);
    control = fcntl(control, F_DUPFD, SAFE);
    answer = fcntl(answer, F_DUPFD, SAFE);
    if (null < 0 || control < 0 || answer < 0)
        _exit(126);
    dup2(null, 0);
    dup2(null, 1);
    dup2(control, CHILD_CONTROL);
    dup2(answer, CHILD_ANSWER);
#ifdef SYS_close_range
    syscall(SYS_close_range, CHILD_ANSWER + 1, ~0u, 0);
#endif
    execvp(args[0], args);
    _exit(127);
}

/* One command, until perf has answered. */
static bool tell(const char *command)
{
    struct pollfd fd = {.fd = perf.answer, .events = POLLIN};
    char answer[16];
    ssize_t bytes = (ssize_t)strlen(command);

    if (perf.pid == 0 || write(perf.control, command, (size_t)bytes) != bytes)
        return false;
    while (poll(&fd, 1, PATIENCE_MS) < 0 && errno == EINTR)
        continue;
    return (fd.revents & POLLIN) && read(perf.answer, answer, sizeof(answer)) > 0;
}

/* It ends by itself: told to stop, it only writes what it has. */
static int reap(void)
{
    int status = 0;

    close(perf.control);
    close(perf.answer);
    while (waitpid(perf.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    perf.pid = 0;
    return status;
}

bool profile_perf_open(const char *path, struct profile_why *why)
{
    int control[2], answer[2];
    char pid[16], frequency[16];
    char event[16];
    char *args[] = {"perf",         "record",       "-q",         "-e", event, "-F", frequency,
                    "--call-graph", (char *)unwind, "-m",         "64", "-D",  "-1", "--control",
                    "fd:3,4",       "-o",           (char *)path, "-p", pid,   NULL};

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    snprintf(frequency, sizeof(frequency), "%d", FREQUENCY);
    snprintf(event, sizeof(event), "%s", perf_event_name() ? perf_event_name() : "cpu-clock");
    why->code = "E0712";
    snprintf(why->text, sizeof(why->text), "perf cannot be started");
    if (pipe2(control, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
        return false;         /* the process ends then */
    signal(SIGPIPE, SIG_IGN); /* perf may end before it is told to */
    perf.pid = fork();
    if (perf.pid == 0)
        become_perf(args, control[0], answer[1]);
    close(control[0]);
    close(answer[1]);
    perf.control = control[1];
    perf.answer = answer[0];
    if (perf.pid < 0) {
        perf.pid = 0;
        return false;
    }
    if (tell("ping\n"))
        return true;
    kill(perf.pid, SIGKILL);
    reap();
    snprintf(why->text, sizeof(why->text), "perf record does not come up, for %s", path);
    return false;
}

void profile_perf_count(bool count)
{
    if (perf.pid > 0 && !tell(count ? "enable\n" : "disable\n"))
        fprintf(stderr, "xensock: note: perf has ended early, or does not answer\n");
}

void profile_perf_close(void)
{
    if (perf.pid == 0)
        return;
    tell("stop\n");
    reap();
}

#else

bool profile_perf_possible(struct profile_why *why)
{
    *why = (struct profile_why){"E0712", "perf is Linux's"};
    return false;
}

bool profile_perf_open(const char *path, struct profile_why *why)
{
    (void)path;
    return profile_perf_possible(why);
}

void profile_perf_count(bool count)
{
    (void)count;
}

void profile_perf_close(void)
{
}

#endif
