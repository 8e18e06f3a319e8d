/* Room in a guest's tables. See guest_room.h. */
#include "sim/run/guest_room.h"

#include <inttypes.h>
#include <stdio.h>

enum { OF_COMMAND_RING = 1 }; /* a page and a port */

struct guest_room guest_room(const struct dialect *dialect, uint32_t order,
                             struct hypervisor_limits tables)
{
    struct dialect_ring ring;

    dialect_ring(dialect, order, &ring);
    uint32_t of_grants = (tables.grants_max - HV_REFS_RESERVED - OF_COMMAND_RING) /
                         (ring.pages + dialect->index.pages);
    uint32_t of_ports = tables.ports_max - 1 - OF_COMMAND_RING;
    return (struct guest_room){of_grants < of_ports ? of_grants : of_ports, of_ports < of_grants};
}

uint32_t guest_room_ports(const struct scenario *scenario)
{
    return scenario->mode == SCENARIO_VIRTUAL ? HYPERVISOR_PORTS_FIFO : HYPERVISOR_PORTS;
}

struct hypervisor_limits guest_room_limits(const struct scenario *scenario, uint32_t host)
{
    const struct scenario_host *of = &scenario->hosts[host];

    if (of->role != SCENARIO_FRONTEND)
        return (struct hypervisor_limits){0};
    return (struct hypervisor_limits){of->grant_frames * HYPERVISOR_FRAME_GRANTS, of->ports};
}

struct hypervisor_limits guest_room_tables(const struct scenario *scenario, uint32_t host)
{
    struct hypervisor_limits tables = guest_room_limits(scenario, host);

    if (tables.grants_max == 0)
        tables.grants_max = HYPERVISOR_GRANTS;
    if (tables.ports_max == 0)
        tables.ports_max = guest_room_ports(scenario);
    return tables;
}

void guest_room_words(char text[GUEST_ROOM_WORDS], const struct scenario *scenario, uint32_t host,
                      const struct hv_counters *used)
{
    const struct dialect *dialect = scenario_dialect(scenario, host);
    uint32_t order = scenario->hosts[host].protocol.order;
    struct hypervisor_limits tables = guest_room_tables(scenario, host);
    struct guest_room room = guest_room(dialect, order, tables);
    struct dialect_ring ring;

    dialect_ring(dialect, order, &ring);
    if (used->grants_peak + ring.pages + dialect->index.pages >
        tables.grants_max - HV_REFS_RESERVED)
        snprintf(text, GUEST_ROOM_WORDS,
                 "grants: at order %" PRIu32 " of %s there is room for %" PRIu32 " sockets", order,
                 dialect->name, room.sockets);
    else if (used->ports_peak + 1 >= tables.ports_max)
        snprintf(text, GUEST_ROOM_WORDS,
                 "event channel ports: there is room for %" PRIu32 " sockets", room.sockets);
    else
        snprintf(text, GUEST_ROOM_WORDS,
                 "pages that the backend still maps, of room for %" PRIu32 " sockets; or its ports",
                 room.sockets);
}

uint32_t guest_room_order(const struct dialect *dialect, uint32_t sockets,
                          struct hypervisor_limits tables)
{
    uint32_t order = dialect->order_max;

    while (order >= dialect->order_min && guest_room(dialect, order, tables).sockets < sockets)
        order--;
    return order >= dialect->order_min ? order : 0;
}
