/*
 * What is around the domains of a run in virtual time: peers, links, and the sockets beside guests.
 * See run_virtual.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ringlib/err.h"
#include "sim/run/run_virtual_private.h"

/* Where a peer was given a port, everybody must know it. */
static void note_address(struct scenario_peer *peer, const struct call_addr *addr)
{
    char *colon = strrchr(peer->addr.text, ':');

    peer->addr.addr = *addr;
    snprintf(colon + 1, SCENARIO_ADDR_BYTES - (size_t)(colon + 1 - peer->addr.text), "%u",
             call_addr_port(addr));
}

bool run_virtual_open_peer(struct run_virtual *run, uint32_t i, json_t **error)
{
    struct scenario_peer *peer = &run->scenario.peers[i];
    const struct scenario_workload *target = &run->scenario.workloads[peer->workload];
    int problem;

    run->peers[i] = peer_virtual_start(
        &(struct peer_virtual_config){.peer = peer,
                                      .vcpus = run->vcpus,
                                      .world = run->world,
                                      .who = (uint16_t)(TRACE_PEER_BASE + i),
                                      .trace = run->config.trace,
                                      .cuts = scenario_cuts_peer(&run->scenario, i),
                                      .seed = run->scenario.seed,
                                      .stream_base = (UINT64_C(1) << 48) + ((uint64_t)i << 32),
                                      .connect_to = target->listen.addr},
        &problem);
    if (!run->peers[i]) {
        *error = json_pack("{s:s, s:s, s:i}", "code", err_name(problem), "message", "cannot listen",
                           "peer", (int)i);
        return false;
    }
    if (peer->kind != SCENARIO_PEER_CLIENT) {
        struct call_addr addr = peer_virtual_address(run->peers[i]);
        note_address(peer, &addr);
    }
    return true;
}

void run_virtual_lay_links(struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->scenario.link_count; i++) {
        const struct scenario_link *link = &run->scenario.links[i];
        for (uint32_t b = 0; b < run->backend_count; b++)
            if (run->backends[b].is.host == link->host)
                net_virtual_set_link(domain_virtual_net(run->backends[b].domain),
                                     peer_virtual_net(run->peers[link->peer]), &link->link);
    }
}

/* Who misbehaves does not see the ends of what it was given. */
bool run_virtual_peers_idle(const struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->scenario.peer_count; i++)
        if (run->peers[i] && run->scenario.peers[i].conduct == SCENARIO_CONDUCT_GOOD &&
            peer_virtual_counters(run->peers[i])->open > 0)
            return false;
    return true;
}

/* Programs beside a guest are on its machine: the guest's own CPU pays for its ends of their
 * connections, and what lies between is loopback. */
struct net *run_virtual_open_net(void *self, uint32_t workload)
{
    struct guest *guest = self;
    struct run_virtual *run = guest->run;
    char name[SCENARIO_DOMAIN_NAME_BYTES + SCENARIO_NAME_BYTES];

    snprintf(name, sizeof(name), "%s/%s", guest->is.name, run->scenario.workloads[workload].name);
    return net_virtual_host(
        run->world, &(struct net_virtual_host_config){.name = name,
                                                      .who = guest->is.domid,
                                                      .vcpu = domain_virtual_vcpu(guest->domain)});
}
