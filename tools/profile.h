/*
 * The profile of a process's measured phase: its CPU time by gperftools, its heap by tcmalloc, or
 * what perf sees of it. Knows nothing of phases: whoever is told to measure starts and stops it.
 *
 * CPU: this build must have gperftools. Heap: tcmalloc must have been preloaded, see
 * profile_preload; the profile is of the whole life up to profile_stop. perf: a `perf record` of
 * this process, which counts between start and stop alone, and ends with this process at the
 * latest.
 */
#ifndef XENSOCK_TOOLS_PROFILE_H
#define XENSOCK_TOOLS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

enum profile_kind { PROFILE_NONE, PROFILE_CPU, PROFILE_HEAP, PROFILE_PERF, PROFILE_KINDS };

enum { PROFILE_WHY_BYTES = 320 };

/* Why a profile cannot be taken. */
struct profile_why {
    const char *code; /* "E0711" */
    char text[PROFILE_WHY_BYTES];
};

/* "cpu", "heap", "perf"; and of the files' names what follows the last dot: "prof", "heap", "data".
 */
const char *profile_name(enum profile_kind kind);
const char *profile_suffix(enum profile_kind kind);

/* Whether profiles of this kind can be taken here, by this process and its children. */
bool profile_possible(enum profile_kind kind, struct profile_why *why);

/* Begin to be able to: which profile, and which file it goes to (kept, not copied). False, and why,
 * if it cannot be. Once before profile_finish. */
bool profile_configure(enum profile_kind kind, const char *path, struct profile_why *why);

/* The same of --profile's text, [cpu:|heap:|perf:]FILE; false after saying why it cannot be. */
bool profile_take(const char *text);

/* Begin and end a profile; nothing happens if none is configured. What stands in the file is
 * replaced at each start, and whole after each stop (perf's after profile_finish). */
void profile_start(void);
void profile_stop(void);

/* No profile any more, and its file is whole; without it the process's exit does that. */
void profile_finish(void);

/* Execute this program anew with tcmalloc in it unless it is, all arguments the same. Returns if it
 * is, or if that cannot be: profile_possible says why. */
void profile_preload(void);

/* What profile_preload put into the environment is for this program's processes alone. */
void profile_preload_end(void);

#endif
