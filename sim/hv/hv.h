/*
 * The hypervisor seam: grants, event channels, xenstore, in Xen's nouns and with Xen's contracts.
 *
 * Everything but notify, unmask and wait is split-phase: it is submitted with a token and
 * completes later as a struct ev of the same name, taken with hv_next, never inside its own
 * submission. The table hangs off a handle, so several domains live in one process.
 * Implementations: hv_mem.c (both sides in one process), hv_emu.c (processes).
 * The inline wrappers below are the only callers of the table; they check arguments and results.
 * Source: architecture 3; xengnttab.h, xenevtchn.h for the contracts; data/xen-semantics.md.
 */
#ifndef XENSOCK_SIM_HV_HV_H
#define XENSOCK_SIM_HV_HV_H

#include "ringlib/step.h"

enum {
    HV_REFS_MAX = 513,    /* most refs of one map or share: a ring of order 9, and its index page */
    HV_PATH_BYTES = 256,  /* longest store path, with its terminator */
    HV_PUBLISH_MAX = 16,  /* most nodes of one publish */
    HV_REFS_RESERVED = 8, /* GNTTAB_NR_RESERVED_ENTRIES */
};

/* A node with its absolute path. */
struct hv_node {
    char path[HV_PATH_BYTES];
    char value[STEP_VALUE_BYTES];
};

/* Which node a store operation is about: comes back in ev.store of its completion and, for a
 * watch, of each EV_STORE. */
struct hv_tag {
    enum step_side side;
    enum dialect_key key;
    uint16_t domid;
};

/* Counts since the handle was opened, for reports and for leak checks. */
struct hv_counters {
    uint64_t notifies; /* sent */
    uint64_t wakeups;  /* port events delivered */
    uint64_t maps;     /* areas mapped so far, and */
    uint64_t unmaps;   /* unmapped */
    uint64_t shares;   /* runs shared so far, and */
    uint64_t unshares; /* ended */
    uint64_t ports_opened;
    uint64_t ports_closed;
    uint64_t grants_now;  /* pages of ours granted now, and */
    uint64_t grants_peak; /* at most */
    uint64_t ports_now;
    uint64_t ports_peak;
    uint64_t mapped_pages_now; /* foreign pages mapped now */
};

struct hv;

struct hv_ops {
    void (*share)(struct hv *hv, uint64_t token, uint16_t domid, uint32_t pages);
    void (*unshare)(struct hv *hv, uint64_t token, uint32_t handle);
    void (*map)(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs,
                uint32_t count);
    void (*unmap)(struct hv *hv, uint64_t token, uint32_t handle);
    void (*port_alloc)(struct hv *hv, uint64_t token, uint16_t domid);
    void (*port_bind)(struct hv *hv, uint64_t token, uint16_t domid, uint32_t remote_port);
    void (*port_close)(struct hv *hv, uint64_t token, uint32_t port);
    int (*notify)(struct hv *hv, uint32_t port);
    int (*unmask)(struct hv *hv, uint32_t port);
    void (*wait)(struct hv *hv, uint64_t spin_ns);
    void (*store_read)(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path);
    void (*store_list)(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path);
    void (*store_publish)(struct hv *hv, uint64_t token, const struct hv_node *nodes,
                          uint32_t count);
    void (*store_watch)(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path);
    void (*store_unwatch)(struct hv *hv, uint64_t token);
    bool (*next)(struct hv *hv, struct ev *ev);
    void (*close)(struct hv *hv);
};

/* Embedded first in each implementation's own struct. */
struct hv {
    const struct hv_ops *ops;
    uint16_t domid; /* of the domain this handle is */
    struct hv_counters counters;
};

/* Grant `pages` (1..HV_REFS_MAX) zeroed pages read-write to `domid`. Completes as EV_SHARE with
 * the area, one ref a page and a handle; -ERR_NOSPC when the grant table is full, -ERR_NOMEM.
 * Succeeds whether or not the domain exists, as on Xen. Undo: hv_unshare. */
static inline void hv_share(struct hv *hv, uint64_t token, uint16_t domid, uint32_t pages)
{
    assert(pages > 0 && pages <= HV_REFS_MAX);
    hv->ops->share(hv, token, domid, pages);
}

/* End a run's grants. The area is gone for us when EV_UNSHARE comes (ret 0, or -ERR_INVAL for a
 * handle that is no run's); while the peer still maps it, its pages and refs stay quarantined and
 * are never handed out again. */
static inline void hv_unshare(struct hv *hv, uint64_t token, uint32_t handle)
{
    hv->ops->unshare(hv, token, handle);
}

/* Map `count` (1..HV_REFS_MAX) refs of `domid`, read-write and contiguous in this order, all or
 * nothing. `refs` is copied before this returns. EV_MAP gives area and handle, or -ERR_INVAL for
 * any ref that is bogus, reserved or granted to another domain; -ERR_NOMEM. Mapping a ref twice
 * is allowed. Undo: hv_unmap. */
static inline void hv_map(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs,
                          uint32_t count)
{
    assert(count > 0 && count <= HV_REFS_MAX);
    hv->ops->map(hv, token, domid, refs, count);
}

/* Unmap a whole area; EV_UNMAP, ret 0, or -ERR_INVAL for a handle that is no mapping's. */
static inline void hv_unmap(struct hv *hv, uint64_t token, uint32_t handle)
{
    hv->ops->unmap(hv, token, handle);
}

/* Allocate an event channel that `domid` may bind; EV_PORT_ALLOC gives our port (>= 1) or
 * -ERR_NOSPC. EV_PORT events of it carry this token. Undo: hv_port_close. */
static inline void hv_port_alloc(struct hv *hv, uint64_t token, uint16_t domid)
{
    hv->ops->port_alloc(hv, token, domid);
}

/* Bind `remote_port` of `domid`; EV_PORT_BIND gives our own port, which is born pending, or
 * -ERR_INVAL (bogus or bound port), -ERR_SRCH (no such domain, or one that did not offer the port
 * to us). */
static inline void hv_port_bind(struct hv *hv, uint64_t token, uint16_t domid, uint32_t remote_port)
{
    hv->ops->port_bind(hv, token, domid, remote_port);
}

/* Close our end; EV_PORT_CLOSE, ret 0, or -ERR_INVAL for a port that is not ours. No EV_PORT with
 * it comes later. The peer is not woken; its end becomes unbound and its notifies are dropped. */
static inline void hv_port_close(struct hv *hv, uint64_t token, uint32_t port)
{
    hv->ops->port_close(hv, token, port);
}

/* Signal the other end. Whoever takes the event sees what we stored before: the data rings rely on
 * it, which have no fence there (tests/model, in-notify-overtakes). 0 also when it is already
 * pending, unbound or gone; -ERR_NOTCONN for a port that is not ours. */
static inline int hv_notify(struct hv *hv, uint32_t port)
{
    hv->counters.notifies++;
    return hv->ops->notify(hv, port);
}

/* Allow the next delivery of a port, which delivery masked. What arrived meanwhile is delivered
 * once. 0, also for a port that is not ours. */
static inline int hv_unmask(struct hv *hv, uint32_t port)
{
    return hv->ops->unmask(hv, port);
}

/* Poll for events for at most spin_ns without sleeping; sleeping is the loop's. */
static inline void hv_wait(struct hv *hv, uint64_t spin_ns)
{
    hv->ops->wait(hv, spin_ns);
}

/* Read a node: EV_STORE_READ with the value, -ERR_NOENT, or -ERR_2BIG beyond 63 bytes. */
static inline void hv_store_read(struct hv *hv, uint64_t token, const struct hv_tag *tag,
                                 const char *path)
{
    assert(strlen(path) < HV_PATH_BYTES);
    hv->ops->store_read(hv, token, tag, path);
}

/* Names of a node's children: EV_STORE_LIST, ret = how many, or -ERR_NOENT. */
static inline void hv_store_list(struct hv *hv, uint64_t token, const struct hv_tag *tag,
                                 const char *path)
{
    assert(strlen(path) < HV_PATH_BYTES);
    hv->ops->store_list(hv, token, tag, path);
}

/* Write `count` (1..HV_PUBLISH_MAX) nodes, seen by others all at once; EV_STORE_PUBLISH, 0 or
 * -ERR_INVAL, -ERR_NOSPC, -ERR_NOENT where the toolstack removed the device: then nothing is
 * written. `nodes` is copied before this returns. */
static inline void hv_store_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes,
                                    uint32_t count)
{
    assert(count > 0 && count <= HV_PUBLISH_MAX);
    hv->ops->store_publish(hv, token, nodes, count);
}

/* Watch a node and everything below: EV_STORE_WATCH completes; EV_STORE comes once at
 * registration, also if the node does not exist, then for each change of it or below it, also its
 * removal or that of a parent. */
static inline void hv_store_watch(struct hv *hv, uint64_t token, const struct hv_tag *tag,
                                  const char *path)
{
    assert(strlen(path) < HV_PATH_BYTES);
    hv->ops->store_watch(hv, token, tag, path);
}

/* End every watch registered with this token; EV_STORE_UNWATCH. No EV_STORE with it comes later. */
static inline void hv_store_unwatch(struct hv *hv, uint64_t token)
{
    hv->ops->store_unwatch(hv, token);
}

/* Take the next event; false when there is none now. A delivered port is masked until hv_unmask.
 * Pointers in the event are valid until the next call. */
static inline bool hv_next(struct hv *hv, struct ev *ev)
{
    bool taken = hv->ops->next(hv, ev);

    if (taken && ev->kind == EV_PORT)
        hv->counters.wakeups++;
    return taken;
}

/* Give everything back and free the handle. To the peers it is the death of this domain. */
static inline void hv_close(struct hv *hv)
{
    hv->ops->close(hv);
}

/* Counters, kept by the implementations through these: one place for now and peak. */
void hv_count_grants(struct hv *hv, int32_t pages);
void hv_count_ports(struct hv *hv, int32_t ports);
void hv_count_mapped(struct hv *hv, int32_t pages);

#endif
