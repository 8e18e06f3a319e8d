/*
 * A packet of a capture: what a pcapng file of ours holds in each enhanced packet block.
 *
 * It writes and reads nothing: the writer (capture_merge.h) and every reader take numbers and names
 * from here. Link type LINKTYPE_USER0, since no number is assigned to the protocol. All interface
 * blocks stand before the packets, two for each ring: one a side whose view it is.
 * Invariants: little-endian, naturally aligned, no padding but `zero`; after the header the slot as
 * it lies in the ring: request_bytes or response_bytes of the dialect; after an index or a
 * notification nothing. A new version is a new number here, and never other numbers for a name.
 * Source: ours.
 */
#ifndef XENSOCK_SIM_RUN_CAPTURE_FORMAT_H
#define XENSOCK_SIM_RUN_CAPTURE_FORMAT_H

#include "ringlib/capture.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_LINKTYPE 147 /* LINKTYPE_USER0 */
#define CAPTURE_VERSION 1
#define CAPTURE_APPLICATION "xensock" /* shb_userappl; never a version: files compare */
#define CAPTURE_TSRESOL 9             /* 10^-9 s */

/* Whose view: who wrote the packet down. Kinds, moves, rings and words: ringlib/capture.h. */
#define CAPTURE_SIDES(X)                                                                           \
    X(FRONT, 0, "front")                                                                           \
    X(BACK, 1, "back")

#define X(constant, number, name) CAPTURE_##constant = (number),
enum capture_side { CAPTURE_SIDES(X) };
#undef X

/* What an interface is called, by printf: the frontend's domid and devid, the dialect, the socket's
 * id on the wire, the side. */
#define CAPTURE_NAME_COMMANDS "%u/%u %s commands %s"
#define CAPTURE_NAME_SOCKET "%u/%u %s socket 0x%llx %s"

struct capture_header {
    uint8_t version; /* CAPTURE_VERSION */
    uint8_t kind;    /* enum capture_kind */
    uint8_t side;    /* enum capture_side */
    uint8_t moved;   /* enum capture_moved */
    uint16_t front;  /* domid */
    uint16_t back;   /* domid */
    uint16_t device; /* devid */
    uint8_t dialect; /* place in dialect_at() */
    uint8_t ring;    /* enum capture_ring */
    uint32_t index;  /* of a request or response: its slot's free-running index; of an index: its
                        new value, of an error the int32; of a notification: the own port of whose
                        view it is */
    uint64_t sockid; /* of a data ring: its socket's id on the wire; of commands: 0 */
    uint32_t bytes;  /* of an index: how far it moved; else the length of what follows */
    uint8_t what;    /* of an index: enum capture_word; else 0 */
    uint8_t zero[3];
};
static_assert(sizeof(struct capture_header) == 32, "a packet's header has no padding");
static_assert(offsetof(struct capture_header, front) == 4, "as the format has it");
static_assert(offsetof(struct capture_header, dialect) == 10, "as the format has it");
static_assert(offsetof(struct capture_header, index) == 12, "as the format has it");
static_assert(offsetof(struct capture_header, sockid) == 16, "as the format has it");
static_assert(offsetof(struct capture_header, what) == 28, "as the format has it");

/* Which ring a packet is of; without padding, since it is compared as bytes. */
struct capture_ring_key {
    uint64_t sockid; /* of a data ring, else 0 */
    uint16_t front, back, device;
    uint8_t dialect, ring;
};
static_assert(sizeof(struct capture_ring_key) == 16, "no padding");

/* A ring of the device that a packet is of. */
static inline struct capture_ring_key capture_ring_key(const struct capture_header *of,
                                                       enum capture_ring ring, uint64_t sockid)
{
    return (struct capture_ring_key){.sockid = ring == CAPTURE_DATA ? sockid : 0,
                                     .front = of->front,
                                     .back = of->back,
                                     .device = of->device,
                                     .dialect = of->dialect,
                                     .ring = (uint8_t)ring};
}

#endif
