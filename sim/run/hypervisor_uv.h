/*
 * An emulated hypervisor on a libuv loop: an emu_server with its domains and devices, one uv_poll_t
 * a descriptor. What it serves is emu_server.h's; how long it runs is its host's.
 */
#ifndef XENSOCK_SIM_RUN_HYPERVISOR_UV_H
#define XENSOCK_SIM_RUN_HYPERVISOR_UV_H

#include "sim/hv/emu_server.h"

struct uv_loop_s;
struct hypervisor_uv;

struct hypervisor_uv_device {
    const char *type; /* "xensock": as in store paths */
    uint16_t front;
    uint16_t back;
    uint16_t devid;
};

struct hypervisor_uv_config {
    const char *runtime; /* directory; its parent exists */
    const uint16_t *domains;
    const struct hypervisor_limits *limits; /* of each of them; NULL: they have none of their own */
    uint32_t domain_count;
    const struct hypervisor_uv_device *devices;
    uint32_t device_count;
    void *self;
    /* A domain was dropped, and why; called from the loop. May be NULL. */
    void (*report)(void *self, uint16_t domid, const char *reason);
};

/* Start serving; nothing of `config` is kept but `self` and `report`. NULL with a text for people
 * in `error`; then nothing is left but handles that the next turn of the loop closes. */
struct hypervisor_uv *hypervisor_uv_start(struct uv_loop_s *loop,
                                          const struct hypervisor_uv_config *config, char *error,
                                          size_t error_bytes);

/* Drop the domains, remove what was put in the file system, free. The loop must turn once more for
 * its handles to close. */
void hypervisor_uv_stop(struct hypervisor_uv *host);

#endif
