/*
 * Whether the sockets that a scenario surely has at once have room in its domains' tables. A part
 * of scenario_check.h.
 *
 * Surely: those of streams, requests and closed loops of connections, which all begin at once, and
 * in a guest share their pages before the first is released. Who waits for room (serve, forward),
 * or for its turn (an open loop of connections), is let in as far as there is any. At a backend a
 * socket may be gone before the next comes, but for those that last as long as their workload.
 * Workloads that come and go are only counted with those that are there when one of them comes.
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

/* Which workloads count for a host, and how much. */
struct counting {
    bool (*of)(const struct scenario_workload *workload, const struct scenario *scenario,
               uint32_t host);
    uint64_t (*sockets)(const struct scenario_workload *workload, const struct scenario *scenario);
    uint32_t host;
};

/* Of the first `count` workloads: as many as there are at once. */
static uint64_t most_at_once(const struct scenario *scenario, uint32_t count,
                             const struct counting *counting)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t sum = 0;
        if (!counting->of(&scenario->workloads[i], scenario, counting->host))
            continue;
        for (uint32_t j = 0; j < count; j++) {
            const struct scenario_workload *workload = &scenario->workloads[j];
            if (counting->of(workload, scenario, counting->host) &&
                scenario_workload_is_on(workload, scenario->workloads[i].start_ns))
                sum += counting->sockets(workload, scenario);
        }
        most = sum > most ? sum : most;
    }
    return most;
}

static bool is_in_guest(const struct scenario_workload *workload, const struct scenario *scenario,
                        uint32_t host)
{
    (void)scenario;
    return workload->host == host;
}

static bool is_of_backend(const struct scenario_workload *workload, const struct scenario *scenario,
                          uint32_t host)
{
    return scenario->hosts[workload->host].backend == host;
}

static uint64_t in_guest(const struct scenario_workload *workload, const struct scenario *scenario)
{
    (void)scenario;
    return at_once(workload);
}

static uint64_t in_guests(const struct scenario_workload *workload, const struct scenario *scenario)
{
    return (uint64_t)scenario->hosts[workload->host].count * at_length(workload);
}

/* The first workload with which the sockets of a guest are too many. */
static void check_guest(struct scenario_draft *draft, uint32_t host)
{
    const struct scenario *scenario = draft->scenario;
    const struct scenario_protocol *protocol = &scenario->hosts[host].protocol;
    const struct dialect *dialect = scenario_dialect(scenario, host);
    struct hypervisor_limits tables = guest_room_tables(scenario, host);
    struct guest_room room = guest_room(dialect, protocol->order, tables);
    const struct counting counting = {is_in_guest, in_guest, host};

    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        if (scenario->workloads[i].host != host)
            continue;
        uint32_t sockets = (uint32_t)most_at_once(scenario, i + 1, &counting);
        if (sockets <= room.sockets)
            continue;
        diag_error(
            draft->yaml->diags, DIAG_NO_ROOM, scenario_check_place(&draft->workloads[i], "sockets"),
            "with workload '%s' guest '%s' has %" PRIu32 " sockets at once; at order %" PRIu32
            " of %s its %s have room for %" PRIu32,
            scenario->workloads[i].name, scenario->hosts[host].name, sockets, protocol->order,
            dialect->name, room.of_ports ? "ports" : "grants", room.sockets);
        uint32_t fits = guest_room_order(dialect, sockets, tables);
        if (fits > 0)
            diag_hint(draft->yaml->diags, "fewer, or an 'order' of at most %" PRIu32, fits);
        else
            diag_hint(draft->yaml->diags, "fewer, or more guests");
        struct scenario_map limits = scenario_yaml_map(&draft->hosts[host], "limits", "");
        if (limits.node)
            diag_note(draft->yaml->diags, scenario_yaml_place(draft->yaml, limits.node),
                      "its limits");
        return;
    }
}

/* The first workload with which the sockets of all guests of a backend are too many. */
static void check_backend(struct scenario_draft *draft, uint32_t backend)
{
    const struct scenario *scenario = draft->scenario;
    const struct counting counting = {is_of_backend, in_guests, backend};
    uint64_t guests = 0;

    for (uint32_t i = 0; i < scenario->host_count; i++)
        if (scenario->hosts[i].role == SCENARIO_FRONTEND && scenario->hosts[i].backend == backend)
            guests += scenario->hosts[i].count;
    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_workload *workload = &scenario->workloads[i];
        const struct scenario_host *host = &scenario->hosts[workload->host];
        if (host->backend != backend)
            continue;
        uint64_t ports = guests + most_at_once(scenario, i + 1, &counting);
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
