/*
 * A command's capture: the directory beside its file in which processes leave their parts, and the
 * file that is made of them at the end, whatever became of the processes.
 *
 * Who starts the processes opens it, names a part for each, and ends it. A process that was started
 * by hand does so for its own.
 */
#ifndef XENSOCK_TOOLS_CAPTURING_H
#define XENSOCK_TOOLS_CAPTURING_H

#include "sim/run/capture.h"
#include "sim/run/capture_merge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURING_CODE "E0705"
#define CAPTURING_OFFSET "offset_ns" /* beside the parts: what is to be added to their times */

enum { CAPTURING_WORDS_BYTES = 4352 };

/* What stands on a command line. */
struct capturing_options {
    const char *file;     /* --capture; NULL: none is wanted */
    const char *part;     /* --capture-part: of somebody else's; or NULL */
    uint64_t limit_bytes; /* --capture-limit; 0: it was not given */
};

struct capturing {
    const char *file; /* as it was named; NULL: there is none */
    uint64_t limit_bytes;
    int64_t offset_ns; /* from the time of its parts to that of the file */
    char *to;          /* where the file is, if it was there, and a directory beside it */
    char *directory;
    char *offset; /* a file in it */
    char **parts;
    uint32_t part_count;
    struct capture *own; /* of this process; or NULL */
};

/* Read --capture-limit; false after saying what is wrong. */
bool capturing_limit(const char *text, uint64_t *limit_bytes);

/* Why no capture can be put there; NULL: one can. */
const char *capturing_refused(const char *file);

/* Begin one, of processes that have this system's time if `wall`, else of one in virtual time.
 * False with the reason in `why`: it cannot be written, and then there is nothing. */
bool capturing_open(struct capturing *capturing, const struct capturing_options *options, bool wall,
                    char why[CAPTURING_WORDS_BYTES]);

/* Name a part of a process; the text lives as long as `capturing`. */
const char *capturing_part(struct capturing *capturing, const char *process);

/* Make the file, and end it, if there is one. True: it is whole, or lacks only what the limit did
 * not let in. Else `why` says what is wrong; what could be written is there. */
bool capturing_end(struct capturing *capturing, struct capture_summary *summary,
                   char why[CAPTURING_WORDS_BYTES]);

/* What was lost to the limit, in words for people; "" if nothing was. */
void capturing_lost(const struct capture_summary *summary, uint64_t limit_bytes,
                    char words[CAPTURING_WORDS_BYTES]);

/* ---- of a process ---- */

/* What this process is to capture with, by its options, in `capturing->own`: a part that its
 * launcher named, one of its own, of which the file is made at the end, or NULL where none is
 * wanted. False with the reason in `why`. */
bool capturing_join(struct capturing *capturing, const struct capturing_options *options, bool wall,
                    const char *process, char why[CAPTURING_WORDS_BYTES]);

/* The cores are gone: end the capture, say on stderr what is to be said. Once; what there is none
 * for does nothing. False: it is not whole. */
bool capturing_leave(struct capturing *capturing, const char *command);

#endif
