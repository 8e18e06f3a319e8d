/*
 * Sockets in virtual time: hosts with TCP-like stream sockets, joined by links.
 *
 * One world holds all hosts; each host is a struct net (net.h) of its own, so a backend and a peer
 * program use the same calls. Addresses are the world's: a listener of any host is found by its
 * address, as on one machine's loopback. A connection is two pipes, each with a send buffer, a link
 * and a receive buffer: bytes arrive in order, once, after the link's delay and at its rate; loss
 * delays a segment by a retransmission; a full receive buffer stops the sender.
 * What a call costs is charged to the host's vCPU; completions wake it. All effects of a call are
 * at vcpu_now_ns. Bytes are real: what is read is what was written. Source: architecture 3 and 9;
 * net.h for the contract.
 */
#ifndef XENSOCK_SIM_NET_NET_VIRTUAL_H
#define XENSOCK_SIM_NET_NET_VIRTUAL_H

#include "ringlib/trace.h"
#include "sim/net/net.h"
#include "sim/net/net_link.h"
#include "sim/time/vcpu.h"

struct net_virtual;

struct net_virtual_config {
    struct vclock *clock; /* outlives it */
    uint64_t seed;
    struct net_link link;           /* between hosts that have none of their own */
    const struct trace_sink *trace; /* or NULL; outlives it */
};

/* A world without hosts; asserts that there is memory. */
struct net_virtual *net_virtual_create(const struct net_virtual_config *config);

/* Frees it; every host must have been destroyed (net_destroy), and the clock fires no more. */
void net_virtual_destroy(struct net_virtual *world);

struct net_virtual_host_config {
    const char *name;  /* keys its random numbers; not kept */
    uint16_t who;      /* in trace records */
    struct vcpu *vcpu; /* charged and woken; outlives it */
};

/* A host. Its end (net_destroy) resets every connection of it. */
struct net *net_virtual_host(struct net_virtual *world,
                             const struct net_virtual_host_config *config);

/* The program on a host died: its sockets are closed as a kernel does it, in good order unless
 * something was not read; who waits at its listeners is reset. Nothing of it completes any more.
 * The host, with its links, is there for the next program, whose calls `vcpu` pays for. */
void net_virtual_died(struct net *host);
void net_virtual_reborn(struct net *host, struct vcpu *vcpu);

/* The link between two hosts, from now on; in flight is what left before. */
void net_virtual_set_link(struct net *a, struct net *b, const struct net_link *link);
const struct net_link *net_virtual_link(const struct net *a, const struct net *b);

/* Where a bound or listening socket of a host is; asserts that it is one. */
struct call_addr net_virtual_address(const struct net *host, uint64_t token);

/* How many events of the network are still to come: segments, ends, resets, acknowledgements,
 * windows, attempts to connect and what becomes of them. While there are any, nobody waits in vain
 * yet: each comes by itself, and none comes for ever. */
uint64_t net_virtual_under_way(const struct net_virtual *world);

/* Bytes a connected socket's pipes hold: written and not yet read by the other side, and the other
 * way round; for stall reports and for leak checks. */
void net_virtual_queued(const struct net *host, uint64_t token, uint64_t *out_bytes,
                        uint64_t *in_bytes);

#endif
