/*
 * The hypervisor's serving side in an emulated run: tables and store behind one socket a domain.
 *
 * Belongs to no particular loop: it is told when a descriptor is ready, and never waits. A domain
 * that breaks the wire (emu_wire.h), lies about its memory or does not read its answers is dropped
 * and reported, which to the other domains is its death; nothing a domain sends can do more.
 * Notifications and ring bytes do not pass here. Beside its own socket each domain has one for the
 * store alone (store_server.h), domain 0 that of a Xen's tools, xenstore.sock.
 * Source: architecture 3 ("Who is the hypervisor in an emulated run").
 */
#ifndef XENSOCK_SIM_HV_EMU_SERVER_H
#define XENSOCK_SIM_HV_EMU_SERVER_H

#include "sim/hv/hv_emu.h"
#include "sim/hv/hypervisor.h"

struct emu_server;

struct emu_server_config {
    const char *runtime;  /* directory; its parent exists */
    struct hv_loop *loop; /* outlives the server */
    uint32_t grants_max;  /* per domain; 0: as in struct hypervisor_config */
    uint32_t ports_max;
    void *self;
    /* A domain was dropped, and why. Called at the end of a call below; not for a domain that
     * just went away. May be NULL. */
    void (*report)(void *self, uint16_t domid, const char *reason);
};

/* Take the runtime directory. NULL with a text for people in `error` (emu_runtime_take). */
struct emu_server *emu_server_create(const struct emu_server_config *config, char *error,
                                     size_t error_bytes);

/* Drop every domain, remove sockets, pid file, and the directory if it was made here. */
void emu_server_destroy(struct emu_server *server);

/* Let domain `domid` connect, from now on and again after each death. 0; -ERR_EXIST; -ERR_* of the
 * socket; each with a text in `error`. */
int emu_server_domain(struct emu_server *server, uint16_t domid, char *error, size_t error_bytes);

/* The sizes of a domain's tables, before it connects: hypervisor_domain_limit. */
void emu_server_limit(struct emu_server *server, uint16_t domid,
                      const struct hypervisor_limits *limits);

/* Create a device's nodes, as the toolstack does: hypervisor_device_add. They go with the first
 * of the two domains that dies, and are created anew when both are there again. */
int emu_server_device(struct emu_server *server, const char *type, uint16_t front, uint16_t back,
                      uint16_t devid);

/* An fd of ours became readable or, where asked for, writable. Unknown ones are ignored. */
void emu_server_ready(struct emu_server *server, int fd);

/* Whether the domain is connected now. */
bool emu_server_connected(const struct emu_server *server, uint16_t domid);

/* The tables, to look at. */
const struct hypervisor *emu_server_tables(const struct emu_server *server);

#endif
