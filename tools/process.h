/*
 * What every process of a run has in common: a loop, signals, perhaps a launcher to obey, and the
 * measured phase with its usage and profile.
 *
 * With a launcher (--control) SIGINT and SIGHUP are the launcher's business and ignored, and the
 * first SIGTERM is told to it, so that the whole run ends in good order; without one, the first of
 * them asks the process to end. The second ends it.
 */
#ifndef XENSOCK_TOOLS_PROCESS_H
#define XENSOCK_TOOLS_PROCESS_H

#include "sim/run/control_uv.h"
#include "sim/run/record.h"
#include "tools/cmd.h"
#include "tools/signals.h"

#include <uv.h>

struct process {
    const char *name; /* "backend", a host's or a peer's name: in reports */
    uv_loop_t *loop;
    struct control_uv *control; /* NULL: started by hand */
    void *self;
    /* Asked to end: by the launcher ("interrupt", "quit"), or without one by a signal
     * ("interrupt"). */
    void (*asked)(void *self, const char *what);
    /* The same, with all that the launcher said; NULL: `asked` is enough. */
    void (*told)(void *self, const char *what, const json_t *object);
    /* A second signal ends it: what is to be cleared away before; NULL: nothing is. */
    void (*clear)(void *self);
    uint64_t connections; /* said with "report": how many there are to wait for */
    struct record_usage from, to;
    bool measured, measuring;
    struct signals signals;
    uint32_t signal_count;
};

/* Fill in `process` (name, self, asked and loop are set by the caller) and start listening to
 * `control_fd` unless it is negative. SIGPIPE is ignored from now on; so are SIGINT and SIGHUP of a
 * controlled process. Until process_signals, other signals do what they do by default, and a
 * controlled process that waits dies with its launcher. */
void process_start(struct process *process, int control_fd);

/* Start listening to signals: the loop is about to run. */
void process_signals(struct process *process);

/* How long to wait for the hypervisor, in ms: by hand it may be started later; a launcher's may
 * have many guests to attend to. */
uint32_t process_patience_ms(const struct process *process);

/* Close the handles; the loop must turn once more. */
void process_stop(struct process *process);

/* The measured phase begins or ends: usage is taken, the profile runs in between. */
void process_measure(struct process *process);
void process_measured(struct process *process);

/* Say {"event": EVENT}, or an object of one's own. */
void process_say_event(struct process *process, const char *event);

/* Say or print an error: {"event": "error", "code", "message"}. */
void process_error(struct process *process, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Pin the process to one CPU unless `cpu` is negative; false, and told, if it cannot be. */
bool process_pin(struct process *process, int cpu);

#endif
