/*
 * The CPU profile of a process's measured phase, written by gperftools if this build has it.
 * Knows nothing of phases: whoever is told to measure starts and stops it.
 */
#ifndef XENSOCK_TOOLS_PROFILE_H
#define XENSOCK_TOOLS_PROFILE_H

/* Say which file the profile goes to (kept, not copied); NULL, as at first: none is taken. 0, or
 * -1 if this build cannot take one. */
int profile_configure(const char *path);

/* Begin and end a profile; nothing happens without a file. What stands in the file is replaced at
 * each start, and whole after each stop. */
void profile_start(void);
void profile_stop(void);

#endif
