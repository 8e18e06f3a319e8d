/*
 * A wire format as a table.
 *
 * A dialect says: the size of a slot, for each command its code and rows (wire field <-> member of
 * struct call), where things lie in a data ring of a given order, and which store nodes it uses.
 * A command with no rows does not exist in that dialect. Packing, printing, golden bytes and the
 * round-trip test all walk the same rows. One file per dialect; see dialect_xensock1.c.
 */
#ifndef XENSOCK_RINGLIB_DIALECT_H
#define XENSOCK_RINGLIB_DIALECT_H

#include "ringlib/bytering.h"
#include "ringlib/call.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    DIALECT_SLOT_MAX = 320,  /* largest slot of any dialect, bytes */
    DIALECTS_MAX = 8,        /* more than there are */
    DIALECT_NODES_MAX = 2,   /* most constants that a side publishes */
    DIALECT_PAGES_MAX = 512, /* most pages of a data ring, beside one of indexes */
};

/* Store nodes a core names; the table below gives their spelling, NULL where a dialect has none. */
enum dialect_key {
    DIALECT_KEY_STATE,      /* both sides: XenbusState, decimal */
    DIALECT_KEY_BACKEND_ID, /* front: domid of the backend, written by the toolstack */
    DIALECT_KEY_RING_REF,   /* front: grant reference of the command ring */
    DIALECT_KEY_PORT,       /* front: event channel of the command ring */
    DIALECT_KEY_ORDER,      /* front: order of the data rings */
    DIALECT_KEY_MAX_ORDER,  /* back: largest order it accepts */
    DIALECT_KEY_VERSIONS,   /* back: the versions of the protocol it speaks */
    DIALECT_KEY_FUNCTIONS,  /* back: which calls it knows */
    DIALECT_KEY_VERSION,    /* front: the version it chose */
    DIALECT_KEYS
};

/* One field: `count` little-endian elements of wire_bytes each at wire_at of the slot, kept in
 * elements of call_bytes each at call_at of struct call (or of struct call_reply). */
struct dialect_row {
    const char *name; /* the spec's */
    uint16_t wire_at;
    uint8_t wire_bytes;
    uint16_t call_at;
    uint8_t call_bytes;
    uint8_t count;
    bool is_signed; /* wider on the side of the call, it keeps its sign */
};

/* The rows of one command's arguments, beside the common ones. */
struct dialect_call {
    bool exists;
    uint32_t code;
    const struct dialect_row *rows;
    uint32_t row_count;
};

/* A node that one side publishes with a constant, which the other has to find there. */
struct dialect_node {
    enum dialect_key key;
    const char *value;
    bool listed; /* in a comma-separated list */
};

/* Data rings whose indexes lie in a page of their own, the one a request names: it names the pages
 * of the data. `pages` is 1, or 0 where requests name those themselves. Bytes from its start. */
struct dialect_index {
    uint32_t pages;
    uint32_t order_at; /* u32 */
    uint32_t refs_at;  /* u32 a page of data */
};

/* A data ring of one order. */
struct dialect_ring {
    uint32_t pages;             /* of data, or of data and indexes */
    struct bytering_layout in;  /* backend produces */
    struct bytering_layout out; /* frontend produces */
};

struct dialect {
    const char *name;
    const char *device;      /* device type in xenstore paths */
    uint32_t request_bytes;  /* also the stride of a slot */
    uint32_t response_bytes; /* of the 64-bit ABI, tail padding included */
    uint32_t sockid_bytes;   /* of a socket's id: 8, or 4 */
    uint32_t order_min, order_default, order_max;
    uint32_t order_silent; /* of a backend that names no maximum; 0: it has to name one */
    uint32_t backlog;      /* of LISTEN, where the wire has no field for it; 0: it has one */
    int32_t stranger;      /* what the RELEASE of an unknown id is answered */
    struct dialect_index index;
    /* a value of NULL ends them early */
    struct dialect_node back_nodes[DIALECT_NODES_MAX], front_nodes[DIALECT_NODES_MAX];
    const struct dialect_row *request; /* rows common to every request */
    uint32_t request_rows;
    const struct dialect_row *response;
    uint32_t response_rows;
    struct dialect_call calls[CALL_KINDS];
    const char *keys[DIALECT_KEYS];
    void (*ring)(uint32_t order, struct dialect_ring *ring);
};

/* Whether a dialect has a call. */
static inline bool dialect_has(const struct dialect *dialect, enum call_kind kind)
{
    return kind < CALL_KINDS && dialect->calls[kind].exists;
}

/* All dialects, by name; NULL if there is none of that name. */
const struct dialect *dialect_find(const char *name);

/* The i-th dialect of the registry, NULL behind the last. */
const struct dialect *dialect_at(uint32_t i);

/* How many constants a side has; that of a key, or NULL; whether what stands there is or lists it.
 */
uint32_t dialect_node_count(const struct dialect_node nodes[DIALECT_NODES_MAX]);
const struct dialect_node *dialect_node_find(const struct dialect_node nodes[DIALECT_NODES_MAX],
                                             enum dialect_key key);
bool dialect_node_fits(const struct dialect_node *node, const char *text);

/* Its place in the registry. */
uint32_t dialect_place(const struct dialect *dialect);

/* The layout of a data ring of `order`, which lies in order_min..order_max. */
void dialect_ring(const struct dialect *dialect, uint32_t order, struct dialect_ring *ring);

/* Write a request as the wire has it: request_bytes, every byte not named by a row zero.
 * call->code is ignored: the code is the kind's. */
void dialect_pack_call(const struct dialect *dialect, const struct call *call, void *slot);

/* Read a request from a private copy of a slot. An unknown code gives kind CALL_KINDS with the
 * common members set. Values are taken as they are: checking them is the core's. */
void dialect_unpack_call(const struct dialect *dialect, const void *slot, struct call *call);

/* Write a response: response_bytes, padding zero (XSA-216). */
void dialect_pack_reply(const struct dialect *dialect, const struct call_reply *reply, void *slot);

/* Read a response from a private copy of a slot. */
void dialect_unpack_reply(const struct dialect *dialect, const void *slot,
                          struct call_reply *reply);

extern const struct dialect dialect_xensock1;
extern const struct dialect dialect_pvcalls1;
extern const struct dialect dialect_xensock1_compact;

#endif
