/*
 * The hypervisor's tables: domains, grants, event channels; and the toolstack's work in the store.
 *
 * Pure bookkeeping, shared by every emulated hypervisor: no descriptors, memory, sockets or clock.
 * What a run of pages or a channel *is* belongs to the caller as an opaque backing, which is handed
 * back through `release` when nobody can reach it any more.
 * Invariants: refs and ports are numbered per domain; refs 0-7 are reserved; a run is one peer, one
 * permission, granted and ended whole; its refs and pages stay quarantined until it is both ended
 * (or its owner died) and unmapped; a mapping belongs to the mapping domain.
 * Source: architecture 3 ("Who is the hypervisor"), data/xen-semantics.md.
 */
#ifndef XENSOCK_SIM_HV_HYPERVISOR_H
#define XENSOCK_SIM_HV_HYPERVISOR_H

#include "sim/hv/hv.h"
#include "sim/hv/store.h"

struct hypervisor;

/* Limits where nobody says others, per domain. */
enum {
    HYPERVISOR_FRAME_GRANTS = 512, /* of version 1, 8 bytes each */
    HYPERVISOR_FRAMES = 64,        /* Xen's default of max_grant_frames */
    HYPERVISOR_GRANTS = HYPERVISOR_FRAMES * HYPERVISOR_FRAME_GRANTS, /* the reserved 8 too */
    HYPERVISOR_PORTS = 4096,        /* of the 2-level ABI, 64-bit; the invalid port 0 too */
    HYPERVISOR_PORTS_FIFO = 131072, /* of the FIFO ABI, likewise */
};

struct hypervisor_config {
    uint32_t grants_max; /* 0: HYPERVISOR_GRANTS */
    uint32_t ports_max;  /* 0: HYPERVISOR_PORTS */
    void *self;
    void (*release_run)(void *self, void *backing);     /* the run is gone for good */
    void (*release_channel)(void *self, void *backing); /* both ends are closed; may be NULL */
};

/* Of one domain, where they are not the machine's. */
struct hypervisor_limits {
    uint32_t grants_max, ports_max; /* 0: the machine's */
};

/* Consecutive pages of one run within a map, in order. */
struct hypervisor_piece {
    void *backing;
    uint32_t first_page;
    uint32_t pages;
    uint32_t run_pages; /* of the whole run */
};

/* Tables without domains; `config` is copied. In all calls below a domain that acts (owner, peer of
 * a map, binder) must have been added: asserted. */
struct hypervisor *hypervisor_create(const struct hypervisor_config *config);

/* Every domain dies, everything is released. */
void hypervisor_destroy(struct hypervisor *hv);

/* The tree, which belongs to the tables: for serving it and for playing the toolstack. */
struct store *hypervisor_store(struct hypervisor *hv);

/* A domain that was not yet there may come: who looks (hypervisor_look.h) is told so. Nothing else
 * follows from it. */
void hypervisor_domain_expect(struct hypervisor *hv, uint16_t domid);

/* The sizes of a domain's tables from its next birth on: before it is added, for this one and those
 * to come. Each leaves room for more than the reserved numbers. */
void hypervisor_domain_limit(struct hypervisor *hv, uint16_t domid,
                             const struct hypervisor_limits *limits);

/* Introduce a domain: it may use the other calls; its /local/domain/N exists, which it may read,
 * with `domid`, and `data`, which is its own. Of a domain that died and is back, the devices whose
 * other domain is there are created anew, at state 1. 0 or -ERR_EXIST. */
int hypervisor_domain_add(struct hypervisor *hv, uint16_t domid);

/* The store as that domain, which exists, uses it through its handle. */
struct store_client *hypervisor_client(struct hypervisor *hv, uint16_t domid);

/* A domain died or closed its handle: its mappings, runs, ports and watches go, both directories of
 * the devices it was part of go (with a parent left empty), its /local/domain/N and all other nodes
 * it owns go, @releaseDomain fires. The peers' mappings of its runs stay valid. The devices stay
 * configured. On Xen a rebooted guest is a new domain and a new backend domain is attached by hand;
 * this toolstack detaches and attaches by itself, and the domid is the same. */
void hypervisor_domain_remove(struct hypervisor *hv, uint16_t domid);

/* The toolstack configures and creates a device: front `backend`, `backend-id`, `state` 1; back
 * `frontend`, `frontend-id`, `online` 1, `state` 1. Each directory belongs to its domain, and the
 * other may read it. The domains need not exist yet. 0 or -ERR_EXIST. */
int hypervisor_device_add(struct hypervisor *hv, const char *type, uint16_t front, uint16_t back,
                          uint16_t devid);

/* A domain writes nodes, all or none, in a transaction. Below /local/domain a node's directory must
 * be there, as must /local/domain/N itself, so nobody revives a device that was removed. 0,
 * -ERR_NOENT, or as store_write. */
int hypervisor_publish(struct hypervisor *hv, uint16_t domid, const struct hv_node *nodes,
                       uint32_t count);

/* Number a run of `pages` pages of `owner` granted to `peer`; writes one ref a page.
 * Returns the run's handle (>= 0) or -ERR_NOSPC, leaving the backing with the caller. */
int64_t hypervisor_share(struct hypervisor *hv, uint16_t owner, uint16_t peer, uint32_t pages,
                         void *backing, uint32_t *refs);

/* End a run by its handle. 0 or -ERR_INVAL (not the owner's). */
int hypervisor_unshare(struct hypervisor *hv, uint16_t owner, uint32_t handle);

/* Resolve `count` refs of `owner` for `mapper`, all or nothing, into pieces in order (`pieces` has
 * room for `count`); consecutive refs of one run are one piece. Returns a map handle (>= 0), with
 * `*piece_count` set, or -ERR_INVAL. */
int64_t hypervisor_map(struct hypervisor *hv, uint16_t mapper, uint16_t owner, const uint32_t *refs,
                       uint32_t count, struct hypervisor_piece *pieces, uint32_t *piece_count);

/* Undo a map. 0 or -ERR_INVAL. */
int hypervisor_unmap(struct hypervisor *hv, uint16_t mapper, uint32_t handle);

/* New channel end of `owner`, which `peer` may bind: its port (>= 1) or -ERR_NOSPC. */
int64_t hypervisor_port_alloc(struct hypervisor *hv, uint16_t owner, uint16_t peer, void *backing);

/* Bind `remote_port` of `remote`: the binder's port, and the channel's backing. -ERR_SRCH: no such
 * domain or the port was offered to another; -ERR_INVAL: no such port, or bound already;
 * -ERR_NOSPC. */
int64_t hypervisor_port_bind(struct hypervisor *hv, uint16_t binder, uint16_t remote,
                             uint32_t remote_port, void **backing);

/* Close an end; the other becomes unbound and may be bound again. 0 or -ERR_INVAL. */
int hypervisor_port_close(struct hypervisor *hv, uint16_t owner, uint32_t port);

/* The other end of a bound port; false if it is unbound or not `owner`'s. */
bool hypervisor_port_peer(const struct hypervisor *hv, uint16_t owner, uint32_t port,
                          uint16_t *peer, uint32_t *peer_port);

/* Counts of one domain for leak checks: refs in use (quarantined ones too), ports, mappings. */
struct hypervisor_usage {
    uint32_t grants, grants_quarantined, ports, maps;
};
void hypervisor_usage(const struct hypervisor *hv, uint16_t domid, struct hypervisor_usage *usage);

#endif
