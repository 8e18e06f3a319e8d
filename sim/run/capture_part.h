/*
 * Reads a process's part of a capture, which its writer may have left at any moment, or scribbled
 * over before it died: every length is checked, and what cannot be is where it ends. Changes
 * nothing of it but that it may give back the room of what was read.
 */
#ifndef XENSOCK_SIM_RUN_CAPTURE_PART_H
#define XENSOCK_SIM_RUN_CAPTURE_PART_H

#include "sim/run/capture.h"

#include <stddef.h>

struct capture_part {
    int fd;              /* while it is mapped */
    const uint8_t *file; /* mapped; NULL: there is nothing in it */
    size_t file_bytes;
    uint64_t at, end;    /* offsets of the next record, and behind the last whole one */
    uint64_t given_back; /* offset behind what has no room on the disk any more */
    bool damaged;        /* it ended before `end`, at a record that cannot be */
};

/* One packet, valid while the part is open. */
struct capture_view {
    uint64_t now_ns;
    struct capture_header header;
    const uint8_t *packet; /* the header again, then the slot */
    uint32_t bytes;
};

/* Open a part, to give its room back or not: 0, or the negated errno of what failed. A file that is
 * not there, or has no head yet, is a part without packets: its process died early. */
int capture_part_open(struct capture_part *part, const char *path, bool give_back);

/* The next packet; false: there is none. */
bool capture_part_next(struct capture_part *part, struct capture_view *view);

/* Begin again with the first. */
void capture_part_rewind(struct capture_part *part);

/* What was read is not needed again, nor what never was: give their room on the disk back, where
 * the file system can. Later views stay as they are. */
void capture_part_give_back(struct capture_part *part);

/* The i-th ring of which packets were lost; false: there is none in this place, of
 * CAPTURE_DROPS_MAX. */
bool capture_part_drop(const struct capture_part *part, uint32_t i, struct capture_key *key,
                       uint32_t *count);

/* Lost packets of other rings; why nothing more was taken: an errno, or 0. */
uint32_t capture_part_others(const struct capture_part *part);
uint32_t capture_part_error(const struct capture_part *part);

/* Let go of it. */
void capture_part_close(struct capture_part *part);

#endif
