/*
 * The built-in peers in virtual time: programs on a host of net_virtual, run by a vCPU.
 *
 * What they do with their connections is peer_stream.h's; peer_uv.h is the same over TCP. A peer is
 * one event loop: woken by a completion, it takes what has completed, for COST_TURN a turn beside
 * what its calls cost. It sees the socket seam alone.
 * Invariants: an accept always waits; a connection has one read and one write in flight; an echo
 * reads nothing while a write is pending; after the last byte a source ends its direction and waits
 * for the other side's end.
 * Memory: a connection that waits for bytes holds room for few, IDLE_BYTES in peer_virtual.c. Each
 * read that fills its room is followed by one of four times the room, up to PEER_CHUNK_BYTES, each
 * that takes less than a quarter by one of a quarter. So a first large message takes some reads
 * more than it takes peer_uv, later ones of its size do not. Room for writes is held while there is
 * something to send.
 */
#ifndef XENSOCK_SIM_RUN_PEER_VIRTUAL_H
#define XENSOCK_SIM_RUN_PEER_VIRTUAL_H

#include "sim/net/net_virtual.h"
#include "sim/run/peer_stream.h"

struct peer_virtual;

struct peer_virtual_config {
    const struct scenario_peer *peer; /* any kind but external; not kept */
    struct vcpus *vcpus;              /* these three outlive the peer */
    struct net_virtual *world;
    const struct trace_sink *trace; /* or NULL */
    uint16_t who;                   /* in trace records */
    bool cuts;                      /* as in struct peer_streams */
    /* client: */
    struct call_addr connect_to; /* the first listener; the others are on the next ports */
    uint64_t seed;
    uint64_t stream_base; /* connection i carries stream stream_base + i */
};

/* Start a peer at its address, with a vCPU and a host of its name; a client waits for
 * peer_virtual_begin. NULL with *error as net_bind and net_listen complete; as after
 * peer_virtual_stop, the clock must then fire no more. Asserts that there is memory. */
struct peer_virtual *peer_virtual_start(const struct peer_virtual_config *config, int *error);

/* Where the peer listens, port 0 replaced by the one given; for a client an address of len 0. */
struct call_addr peer_virtual_address(const struct peer_virtual *peer);

/* Open the connections of a client from now on, once. At most PEER_UNANSWERED_MAX wait at a time
 * for a listener to answer. */
void peer_virtual_begin(struct peer_virtual *peer);

/* What was counted until now; valid until the peer is stopped. From its first turn on a client has
 * connections open until it has done all it had to do. */
const struct peer_counters *peer_virtual_counters(const struct peer_virtual *peer);

/* Its host, for links. */
struct net *peer_virtual_net(const struct peer_virtual *peer);

/* Reset what is open and free the peer. Its vCPU lives on and would run it: the clock must fire no
 * more. */
void peer_virtual_stop(struct peer_virtual *peer);

#endif
