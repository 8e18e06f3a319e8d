/*
 * Finds devices: watches the backend's directory and tells its process when one appears or goes.
 *
 * A core of its own in the same manner as struct be: events in, actions out, memory handed in. It
 * refuses a second frontend of a domain, once, as a fault. Two levels are listed: domains, then
 * the devices of each.
 * Source: protocol.md 0.1 (backend directory), 7 (26); architecture 3.
 */
#ifndef XENSOCK_BACKEND_BUS_H
#define XENSOCK_BACKEND_BUS_H

#include "ringlib/step.h"

struct bus;

struct bus_config {
    uint16_t device;      /* of the tokens */
    uint32_t max_devices; /* 1..65535 */
};

/* Bytes of memory a bus of this configuration needs. */
size_t bus_size(const struct bus_config *config);

/* Make a bus in `mem` (bus_size bytes); it begins with EV_START. */
struct bus *bus_init(void *mem, const struct bus_config *config);

/* One step: upcalls DEVICE_NEW and DEVICE_GONE name domid and devid. Directories it cannot list
 * are left as they were; one that does not exist is empty. */
void bus_step(struct bus *bus, const struct ev *ev, struct step_out *out);

#endif
