/* What the processes of a run share. See process.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/process.h"

#include "tools/profile.h"

#include <poll.h>
#include <sched.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void on_signal(void *self, int number)
{
    struct process *process = self;

    if (process->control && number != SIGTERM)
        return; /* the whole group of the terminal gets it; the launcher decides */
    if (process->signal_count++ > 0) {
        if (process->clear)
            process->clear(process->self);
        _Exit(CMD_INTERRUPTED);
    }
    if (process->control)
        process_say_event(process, "terminated");
    else
        process->asked(process->self, "interrupt");
}

#ifdef __linux__
static void wake_no_more(void)
{
    prctl(PR_SET_PDEATHSIG, 0);
}
#endif

/* While it joins, the launcher's end is its own: it waits for a hypervisor that is gone with the
 * launcher, and no loop tells it. */
static void end_with_launcher(int control_fd)
{
    struct pollfd control = {.fd = control_fd};

#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (poll(&control, 1, 0) > 0 && (control.revents & POLLHUP))
        _Exit(CMD_FAILED); /* too late for the signal */
}

/* One that stands still when the launcher dies (a fault of the scenario) would for ever. Not who
 * exits: the signal would undo the stop by which a leak checker looks at it. */
static void wake_at_launchers_end(void)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    atexit(wake_no_more);
#endif
}

static void on_said(void *self, json_t *object)
{
    struct process *process = self;
    const char *what = json_string_value(json_object_get(object, "do"));

    if (!object)
        what = "quit"; /* nobody is left to report to */
    if (!what)
        return;
    if (strcmp(what, "measure") == 0 || strcmp(what, "measure-all") == 0)
        process_measure(process);
    else if (strcmp(what, "end") == 0)
        process_measured(process);
    else if (strcmp(what, "report") == 0)
        process->connections = (uint64_t)json_integer_value(json_object_get(object, "connections"));
    if (process->told && object)
        process->told(process->self, what, object);
    process->asked(process->self, what);
}

void process_start(struct process *process, int control_fd)
{
    signal(SIGPIPE, SIG_IGN);
    if (control_fd < 0)
        return;
    end_with_launcher(control_fd);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    process->control = control_uv_open(process->loop, control_fd, on_said, process);
}

void process_signals(struct process *process)
{
    if (process->control)
        wake_at_launchers_end();
    signals_listen(&process->signals, process->loop, process, on_signal);
    signals_unref(&process->signals);
}

uint32_t process_patience_ms(const struct process *process)
{
    return process->control ? 30000 : 10000;
}

void process_stop(struct process *process)
{
    signals_close(&process->signals);
    control_uv_close(process->control);
    process->control = NULL;
}

void process_measure(struct process *process)
{
    if (process->measuring || process->measured)
        return;
    process->measuring = true;
    profile_start();
    record_usage_now(&process->from);
}

void process_measured(struct process *process)
{
    if (!process->measuring)
        return;
    record_usage_now(&process->to);
    profile_stop();
    process->measuring = false;
    process->measured = true;
}

void process_say_event(struct process *process, const char *event)
{
    control_uv_say(process->control, json_pack("{s:s}", "event", event));
}

void process_error(struct process *process, const char *code, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (process->control)
        control_uv_say(process->control, json_pack("{s:s, s:s, s:s}", "event", "error", "code",
                                                   code, "message", message));
    else
        fprintf(stderr, "xensock %s: error[%s]: %s\n", process->name, code, message);
}

bool process_pin(struct process *process, int cpu)
{
    cpu_set_t set;

    if (cpu < 0)
        return true;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) == 0)
        return true;
    process_error(process, "E0607", "cannot run on CPU %d", cpu);
    return false;
}
