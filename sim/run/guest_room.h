/*
 * How many sockets a guest has room for in its tables of grants and event channel ports.
 *
 * Beside the command ring's page and port; passive sockets need neither. The backend's own table of
 * ports may be full before.
 */
#ifndef XENSOCK_SIM_RUN_GUEST_ROOM_H
#define XENSOCK_SIM_RUN_GUEST_ROOM_H

#include <stdbool.h>

#include "ringlib/dialect.h"
#include "sim/hv/hypervisor.h"
#include "sim/run/scenario.h"

enum { GUEST_ROOM_WORDS = 80 };

struct guest_room {
    uint32_t sockets;
    bool of_ports; /* which are used up first; else grants */
};

/* With data rings of this order, in the dialect's range, in a domain with tables of these sizes,
 * the reserved refs and the invalid port 0 among them; none of the sizes is 0. */
struct guest_room guest_room(const struct dialect *dialect, uint32_t order,
                             struct hypervisor_limits tables);

/* The sizes of a host's own tables: of a guest, those that the scenario gives it, 0 where it gives
 * none. */
struct hypervisor_limits guest_room_limits(const struct scenario *scenario, uint32_t host);

/* The same with what it has where the scenario gives none. */
struct hypervisor_limits guest_room_tables(const struct scenario *scenario, uint32_t host);

/* The ports of a domain: in virtual time the FIFO ABI's, where the 2-level ABI's are too few. */
uint32_t guest_room_ports(const struct scenario *scenario);

/* Which table a guest of `host` did without when a call failed for want of room, in words: its own
 * one that was once full, as counted, since what was in use may have been given back before the
 * call is told; else one that is not its own. */
void guest_room_words(char text[GUEST_ROOM_WORDS], const struct scenario *scenario, uint32_t host,
                      const struct hv_counters *used);

/* The largest order at which `sockets` have room; 0 if at none. */
uint32_t guest_room_order(const struct dialect *dialect, uint32_t sockets,
                          struct hypervisor_limits tables);

#endif
