/*
 * Whether the sockets that a scenario surely has at once have room in its domains' tables. A part
 * of scenario_check.h.
 *
 * Surely: those of streams, requests and closed loops of connections, which all begin at once, and
 * in a guest share their pages before the first is released. Who waits for room (serve, forward),
 * or for its turn (an open loop of connections), is let in as far as there is any. At a backend a
 * socket may be gone before the next comes, but for those that last as long as the run.
 */
#include <inttypes.h>

#include "sim/run/guest_room.h"
#include "sim/run/scenario_check.h"

static uint32_t at_once(const struct scenario_workload *workload)
{
    switch (workload->kind) {
    case SCENARIO_STREAM:
    case SCENARIO_REQUEST_RESPONSE: return workload->sockets;
    case SCENARIO_CONNECT_CLOSE:
        if (workload->arrivals.per_s > 0)
            return 1;
        return workload->operations == 0 || workload->operations > workload->sockets
                   ? workload->sockets
                   : (uint32_t)workload->operations;
    case SCENARIO_SERVE:
    case SCENARIO_FORWARD: return 0;
    }
    return 0;
}

static uint32_t at_length(const struct scenario_workload *workload)
{
    bool lasts = (workload->kind == SCENARIO_STREAM && workload->bytes == 0) ||
                 (workload->kind == SCENARIO_REQUEST_RESPONSE && workload->operations == 0);

    return lasts ? workload->sockets : 0;
}

/* The first workload with which the sockets of a guest are too many. */
static void check_guest(struct scenario_draft *draft, uint32_t host)
{
    const struct scenario *scenario = draft->scenario;
    const struct scenario_protocol *protocol = &scenario->hosts[host].protocol;
    const struct dialect *dialect = scenario_dialect(scenario, host);
    struct guest_room room = guest_room(dialect, protocol->order, guest_room_ports(scenario));
    uint32_t sockets = 0;

    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        if (scenario->workloads[i].host != host)
            continue;
        sockets += at_once(&scenario->workloads[i]);
        if (sockets <= room.sockets)
            continue;
        diag_error(
            draft->yaml->diags, DIAG_NO_ROOM, scenario_check_place(&draft->workloads[i], "sockets"),
            "with workload '%s' guest '%s' has %" PRIu32 " sockets at once; at order %" PRIu32
            " of %s its %s have room for %" PRIu32,
            scenario->workloads[i].name, scenario->hosts[host].name, sockets, protocol->order,
            dialect->name, room.of_ports ? "ports" : "grants", room.sockets);
        uint32_t fits = guest_room_order(dialect, sockets, guest_room_ports(scenario));
        if (fits > 0)
            diag_hint(draft->yaml->diags, "fewer, or an 'order' of at most %" PRIu32, fits);
        else
            diag_hint(draft->yaml->diags, "fewer, or more guests");
        return;
    }
}

/* The first workload with which the sockets of all guests of a backend are too many. */
static void check_backend(struct scenario_draft *draft, uint32_t backend)
{
    const struct scenario *scenario = draft->scenario;
    uint64_t ports = 0;

    for (uint32_t i = 0; i < scenario->host_count; i++)
        if (scenario->hosts[i].role == SCENARIO_FRONTEND && scenario->hosts[i].backend == backend)
            ports += scenario->hosts[i].count;
    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_workload *workload = &scenario->workloads[i];
        const struct scenario_host *host = &scenario->hosts[workload->host];
        if (host->backend != backend)
            continue;
        ports += (uint64_t)host->count * at_length(workload);
        if (ports < guest_room_ports(scenario))
            continue;
        diag_error(
            draft->yaml->diags, DIAG_NO_ROOM, scenario_check_place(&draft->workloads[i], "sockets"),
            "with workload '%s' backend '%s' has %" PRIu64
            " event channels, one a guest and one a socket; a domain has %" PRIu32 " ports",
            workload->name, scenario->hosts[backend].name, ports, guest_room_ports(scenario) - 1);
        diag_hint(draft->yaml->diags, scenario->mode == SCENARIO_VIRTUAL
                                          ? "fewer sockets or guests, or another backend"
                                          : "fewer sockets or guests, another backend, or mode "
                                            "'virtual'");
        return;
    }
}

void scenario_check_room(struct scenario_draft *draft)
{
    for (uint32_t i = 0; i < draft->scenario->host_count; i++)
        if (draft->scenario->hosts[i].role == SCENARIO_FRONTEND)
            check_guest(draft, i);
        else
            check_backend(draft, i);
}
