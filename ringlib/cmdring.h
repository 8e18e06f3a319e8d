/*
 * The command ring: fixed slots, requests one way and responses back through the same slots.
 *
 * Each end keeps its own indexes private; shared memory only publishes them. The peer's index is
 * loaded once a pass and checked against the exact window, so a lying peer is found, not followed.
 * Does not know what a slot means (dialect.h) nor how a notification travels.
 *
 * Invariant: a slot is reused by the front only after it consumed the response that lay in it.
 * Source: Xen ring.h in words, protocol.md 4; the window, architecture 5 rule 4, reliability 0.2.
 */
#ifndef XENSOCK_RINGLIB_CMDRING_H
#define XENSOCK_RINGLIB_CMDRING_H

#include "ringlib/shared.h"

#include <stdbool.h>
#include <stdint.h>

/* Offsets in the ring page (ring.h: struct sring). */
enum {
    CMDRING_REQ_PROD = 0,
    CMDRING_REQ_EVENT = 4,
    CMDRING_RSP_PROD = 8,
    CMDRING_RSP_EVENT = 12,
    CMDRING_SLOTS = 64, /* first slot */
    CMDRING_SIZE_MAX = 64,
};

/* The frontend's end. */
struct cmdring_front {
    struct shared_area page;
    uint32_t slot_bytes;
    uint32_t size;         /* slots, a power of two */
    uint32_t req_prod_pvt; /* next request to write */
    uint32_t req_pushed;   /* what req_prod was last published as */
    uint32_t rsp_cons;     /* next response to read */
    uint32_t rsp_seen;     /* rsp_prod as snapshot by this pass */
};

/* The backend's end. */
struct cmdring_back {
    struct shared_area page;
    uint32_t slot_bytes;
    uint32_t size;
    uint32_t req_cons;     /* next request to read */
    uint32_t rsp_prod_pvt; /* next response to write */
    uint32_t rsp_pushed;   /* what rsp_prod was last published as */
    uint32_t req_seen;     /* req_prod as snapshot by this pass */
};

/* How many slots of `slot_bytes` a ring page holds: the largest power of two that fits. */
uint32_t cmdring_size(uint32_t slot_bytes);

/* Set up the front's end and the shared page: zeroed, both event words 1 (SHARED_RING_INIT).
 * `page` is one page, not yet visible to the peer. */
void cmdring_front_init(struct cmdring_front *ring, const struct shared_area *page,
                        uint32_t slot_bytes);

/* Free request slots, 0..size: size minus requests whose response was not consumed yet. */
uint32_t cmdring_front_free(const struct cmdring_front *ring);

/* Copy one request into the next slot; the peer does not see it before cmdring_front_push.
 * The caller has checked cmdring_front_free() > 0. */
void cmdring_front_put(struct cmdring_front *ring, const void *slot);

/* Publish what was put; true if the peer asked for a notification, which the caller then owes. */
bool cmdring_front_push(struct cmdring_front *ring);

/* Begin a pass: snapshot rsp_prod once. Returns responses to read, 0..size, or -1 if the index
 * left the window (the peer is broken; `*claimed` is what it wrote). */
int cmdring_front_pass(struct cmdring_front *ring, uint32_t *claimed);

/* Copy the next response of this pass; the caller counts with what the pass returned. */
void cmdring_front_get(struct cmdring_front *ring, void *slot);

/* Ask to be notified of the next response, with a full fence. The caller must then begin one
 * more pass before it sleeps. */
void cmdring_front_arm(struct cmdring_front *ring);

/* The mirror image for the backend. It adopts the page as the front initialised it. */
void cmdring_back_init(struct cmdring_back *ring, const struct shared_area *page,
                       uint32_t slot_bytes);

/* Begin a pass: snapshot req_prod once. Returns requests to read, 0..size, or -1 if broken. */
int cmdring_back_pass(struct cmdring_back *ring, uint32_t *claimed);

/* Copy the next request of this pass. */
void cmdring_back_get(struct cmdring_back *ring, void *slot);

/* Requests taken and not yet answered, 0..size. */
uint32_t cmdring_back_unanswered(const struct cmdring_back *ring);

/* Copy one response into the next slot, whole slot written so that nothing old leaks. `bytes` is
 * the response's size. The caller owes a cmdring_back_push. */
void cmdring_back_put(struct cmdring_back *ring, const void *response, uint32_t bytes);

/* Publish responses; true if the front asked for a notification. */
bool cmdring_back_push(struct cmdring_back *ring);

/* Ask to be notified of the next request; then one more pass is owed. */
void cmdring_back_arm(struct cmdring_back *ring);

#endif
