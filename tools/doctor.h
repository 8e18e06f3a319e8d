/*
 * What a machine does to a run's results: findings of `xensock doctor`, and who looks for them.
 *
 * A finding is what is there, what that means for results, and what to do about it. Whoever looks
 * adds its findings and decides nothing else; the worst of all is the verdict. What the kernel
 * shows as files is read below `root`, so that a test can show another machine.
 */
#ifndef XENSOCK_TOOLS_DOCTOR_H
#define XENSOCK_TOOLS_DOCTOR_H

#include "sim/run/scenario.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In order of weight. */
enum doctor_level {
    DOCTOR_OK,
    DOCTOR_MISSING,    /* something optional: a command or an option will not work */
    DOCTOR_NOTE,       /* moves results in a way that can be said */
    DOCTOR_UNRELIABLE, /* real-time results of this machine are not worth comparing, as it is now */
    DOCTOR_UNUSABLE,   /* no processes can be run here */
    DOCTOR_LEVELS,
};

enum { DOCTOR_LINE_BYTES = 512 };

struct doctor {
    const char *root;                /* "": this machine */
    const struct scenario *scenario; /* that is to be run; or NULL */
    json_t *findings;
    enum doctor_level worst;
    uint32_t counts[DOCTOR_LEVELS];
    uint32_t cpus; /* usable; set by doctor_machine */
};

/* What a finding says beside what was found. `todo` may be NULL. */
struct doctor_words {
    enum doctor_level level;
    const char *name, *means, *todo;
};

/* Add a finding; the rest words what was found. */
void doctor_say(struct doctor *doctor, const struct doctor_words *words, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "ok", "missing", ... */
const char *doctor_level_name(enum doctor_level level);

/* The first line of a file below the root, or what follows `label` in the first line that begins
 * with it; false, and an empty line, if there is none. */
bool doctor_line(const struct doctor *doctor, const char *path, const char *label,
                 char line[DOCTOR_LINE_BYTES]);

/* The number with which the file's first line begins; false if it does not. */
bool doctor_number(const struct doctor *doctor, const char *path, int64_t *number);

/* Whether there is such a file or folder. */
bool doctor_there(const struct doctor *doctor, const char *path);

/* Processor time, load, clocks, memory, as far as the kernel tells. */
void doctor_machine(struct doctor *doctor);

/* What the kernel gives: descriptors, memory files, sockets, TCP, counters. */
void doctor_kernel(struct doctor *doctor);

/* Programs, and what this build has in it. */
void doctor_programs(struct doctor *doctor);

/* How long a wake-up takes and how even the CPU's time is, measured: some 300 ms. */
void doctor_measure(struct doctor *doctor);

#endif
