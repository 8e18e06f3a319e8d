/*
 * The parts of a capture, of whatever became of their processes, as one pcapng file.
 *
 * Packets stand in the order of their times; of the same time what was published before what was
 * consumed, else in the order of the parts; those of one part as they were told. Interfaces stand
 * in the order of frontend, device, backend, dialect; commands before sockets, these by their id;
 * the front's view before the back's, both of each ring. So a capture in virtual time is the same
 * file everywhere.
 */
#ifndef XENSOCK_SIM_RUN_CAPTURE_MERGE_H
#define XENSOCK_SIM_RUN_CAPTURE_MERGE_H

#include <stdbool.h>
#include <stdint.h>

struct capture_merge_config {
    const char *const *parts; /* their paths */
    uint32_t part_count;
    const char *to;    /* the file; one that is there is replaced when the new one is whole, */
    const char *under; /* under which name it is written; in the same file system */
    int64_t offset_ns; /* from the parts' times to the file's */
    bool give_back;    /* parts give back the room of what was read, by which they come to nothing;
                          nobody writes to them any more */
};

struct capture_summary {
    uint64_t packets, lost; /* lost: told, and not in the file */
    uint32_t damaged;       /* parts that ended before they should */
    uint32_t error;         /* why those, an errno: of a part, or the file; 0: a part's limit */
};

/* Merge them: 0, or the negated errno of what failed first.
 * What of it could be written is then still a pcapng file, and in its place; if no packet could,
 * that is as it was. */
int capture_merge(const struct capture_merge_config *config, struct capture_summary *summary);

#endif
