/*
 * Whether a run of processes has descriptors enough. See launch.h.
 *
 * The hypervisor is the process that needs most: of each data ring the memory and the channel
 * whole, as of each device's ring, and of each domain two sockets. A backend has its TCP sockets
 * instead, and only its own guests'; a guest its own ends; a peer a connection each.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/emu_channel.h"
#include "sim/run/scenario_domains.h"
#include "sim/run/workload.h"
#include "tools/launch.h"

#include <inttypes.h>
#include <sys/resource.h>

enum {
    OF_RING = 1,    /* beside its channel */
    OF_GUEST = 3,   /* beside its ring: listener, connection, the launcher's control */
    OF_BACKEND = 3, /* without a ring */
    OF_PEER = 1,
    OF_PROCESS = 32, /* the loop's, standard ones, a file or two for a moment */
};

static uint64_t sockets_of(const struct scenario *scenario, uint32_t host)
{
    const struct scenario_host *of = &scenario->hosts[host];

    return of->role == SCENARIO_FRONTEND ? (uint64_t)workload_slots(scenario, host) * of->count : 0;
}

/* The workload that has the most sockets in all its guests. */
static const struct scenario_workload *largest(const struct scenario *scenario)
{
    const struct scenario_workload *most = &scenario->workloads[0];

    for (uint32_t i = 1; i < scenario->workload_count; i++) {
        const struct scenario_workload *one = &scenario->workloads[i];
        if ((uint64_t)one->sockets * scenario->hosts[one->host].count >
            (uint64_t)most->sockets * scenario->hosts[most->host].count)
            most = one;
    }
    return most;
}

uint64_t launch_needs(uint32_t guests, uint32_t backends, uint32_t peers, uint64_t sockets)
{
    uint64_t of_ring = OF_RING + emu_channel_fds();

    return OF_PROCESS + (OF_GUEST + of_ring) * guests + (uint64_t)OF_BACKEND * backends +
           (uint64_t)OF_PEER * peers + of_ring * sockets;
}

bool launch_fits(const struct scenario *scenario, struct diag_list *diags)
{
    uint64_t sockets = 0;
    struct rlimit limit;

    for (uint32_t i = 0; i < scenario->host_count; i++)
        sockets += sockets_of(scenario, i);
    uint64_t needs = launch_needs(scenario_guest_count(scenario), scenario_backend_count(scenario),
                                  scenario->peer_count, sockets);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || needs <= limit.rlim_cur)
        return true;
    diag_error(diags, DIAG_DESCRIPTORS, largest(scenario)->place,
               "the hypervisor needs %" PRIu64 " descriptors for %" PRIu64
               " sockets of %u guests, and a process may have %" PRIu64,
               needs, sockets, scenario_guest_count(scenario), (uint64_t)limit.rlim_cur);
    diag_hint(diags, "fewer sockets or guests, a higher limit ('ulimit -Hn'), or mode 'virtual'");
    return false;
}
