/*
 * A process's part of a capture: what its devices tell, in a file that outlives it.
 *
 * The file is mapped shared: whatever was taken before the process died, of whatever signal and at
 * whatever instruction, is in it. Nothing is written by a call, but that the file grows in steps,
 * for which room is reserved, so that a full disk is an error here and not a signal. Records follow
 * each other; how far they are whole is said in the head, after each. It is read by capture_part.h
 * alone, on the same machine.
 *
 * Invariants: what is in the file is all that was told from the beginning up to one moment; from
 * then on, which the limit or the disk sets, packets are counted, for each ring, and nothing else.
 * Times never go back.
 */
#ifndef XENSOCK_SIM_RUN_CAPTURE_H
#define XENSOCK_SIM_RUN_CAPTURE_H

#include "sim/run/capture_format.h"

#include <stdbool.h>

enum {
    CAPTURE_DROPS_MAX = 1024,   /* rings whose lost packets are counted each for itself, at most */
    CAPTURE_PACKET_MAX = 32768, /* of the largest packet, bytes: more than there is */
    CAPTURE_LIMIT_MIN = 65536,  /* of a part, bytes; the least, and the usual one: */
    CAPTURE_LIMIT_DEFAULT = 256 * 1024 * 1024,
};
#define CAPTURE_LIMIT_MAX (UINT64_C(16) << 30) /* half of what `committed` can count */

/* ---- the file ---- */

#define CAPTURE_PART_MAGIC UINT64_C(0x3150414354434f53)

/* Which ring, and whose view. No padding: it is compared as bytes. */
struct capture_key {
    uint64_t sockid;
    uint16_t front, device, back;
    uint8_t dialect, ring;
    uint8_t side;
    uint8_t zero[7];
};
static_assert(sizeof(struct capture_key) == 24, "a key has no padding");

struct capture_drop {
    struct capture_key key;
    uint32_t count; /* 0: nothing stands here */
    uint32_t zero;
};

/* The first CAPTURE_RECORDS_AT bytes. Words that change when others may look (`committed`, counts
 * and what comes with them) are written and read through ringlib/shared.h, what they tell of
 * before. */
struct capture_part_head {
    uint64_t magic;
    uint32_t committed; /* records, in units of 8 bytes */
    uint32_t error;     /* why it took no more: an errno; 0: the limit, or it took all */
    uint32_t others;    /* lost packets of rings beyond the table */
    uint32_t zero;
    struct capture_drop drops[CAPTURE_DROPS_MAX];
};
enum { CAPTURE_RECORDS_AT = 65536 };
static_assert(sizeof(struct capture_part_head) <= CAPTURE_RECORDS_AT, "the head has room");

/* Before each packet, which begins with a struct capture_header; then zeros up to 8 bytes. */
struct capture_record {
    uint64_t now_ns;
    uint32_t bytes; /* of the packet */
    uint32_t zero;
};

/* How much of the file a record takes. */
static inline uint64_t capture_record_bytes(const struct capture_record *record)
{
    return (sizeof(*record) + record->bytes + 7) & ~UINT64_C(7);
}

/* The ring of a packet. */
struct capture_key capture_key_of(const struct capture_header *header);

/* ---- writing it ---- */

struct capture;

struct capture_config {
    const char *path;     /* one that is there is overwritten */
    uint64_t limit_bytes; /* of records; CAPTURE_LIMIT_MIN..CAPTURE_LIMIT_MAX */
    /* What time it is; NULL: capture_clock will be called. */
    void *clock;
    uint64_t (*now_ns)(void *clock);
};

/* Make a part: 0, or the negated errno of what failed, and then there is none. */
int capture_create(const struct capture_config *config, struct capture **capture);

/* From now on this is the time. */
void capture_clock(struct capture *capture, void *clock, uint64_t (*now_ns)(void *clock));

/* Let go of the file, which stays. */
void capture_destroy(struct capture *capture);

/* What a core is given as its sink: adds whose packets they are. */
struct capture_device {
    struct capture_sink sink;
    struct capture *capture;
    struct capture_header who; /* what all of its packets have */
};

/* Of `who` the side, both domids, the devid and the dialect are taken. Its sink; NULL without a
 * capture, which is what a core that nobody captures is given. */
const struct capture_sink *capture_device_init(struct capture_device *device,
                                               struct capture *capture,
                                               const struct capture_header *who);

#endif
