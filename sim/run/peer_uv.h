/*
 * The built-in peers: the ordinary TCP programs a backend's sockets talk to, on a libuv loop.
 *
 * echo, sink and source listen; a client connects to what a guest listens on. What they do with
 * their connections is peer_stream.h's.
 * Invariants: a connection holds 64 KiB for each direction and nothing that grows; an echo reads
 * nothing while a write is pending; no callback of the caller's runs inside a call of the caller's.
 * The process must ignore SIGPIPE.
 */
#ifndef XENSOCK_SIM_RUN_PEER_UV_H
#define XENSOCK_SIM_RUN_PEER_UV_H

#include "sim/run/peer_stream.h"

struct uv_loop_s;
struct peer_uv;

struct peer_uv_config {
    /* Called from the loop each time the last open connection has ended; a client has then done all
     * it had to do, unless one was cut. May be NULL. */
    void (*finished)(void *self);
    void *self;
    bool cuts; /* as in struct peer_streams */
    /* client: */
    struct call_addr connect_to; /* the first listener; the others are on the next ports */
    uint64_t seed;
    uint64_t stream_base; /* connection i carries stream stream_base + i */
};

/* Start a peer of any kind but external; a client waits for peer_uv_begin. Nothing that is passed
 * is kept. NULL with *error -ERR_ADDRINUSE, -ERR_ADDRNOTAVAIL, -ERR_ACCES, -ERR_AFNOSUPPORT,
 * -ERR_MFILE, -ERR_NFILE, -ERR_NOMEM or, for all else, -ERR_IO; what was opened closes in the
 * loop's next turns. */
struct peer_uv *peer_uv_start(struct uv_loop_s *loop, const struct scenario_peer *peer,
                              const struct peer_uv_config *config, int *error);

/* Write where the peer listens ("127.0.0.1:41234", "[::1]:80"), port 0 replaced by the one given;
 * for a client an empty text. */
void peer_uv_address(const struct peer_uv *peer, char text[SCENARIO_ADDR_BYTES]);

/* Open the connections of a client, once. At most 8 wait at a time for a listener to answer. */
void peer_uv_begin(struct peer_uv *peer);

/* Open no more connections: nobody is left to take them. */
void peer_uv_end(struct peer_uv *peer);

/* What was counted until now; valid until the peer is stopped. */
const struct peer_counters *peer_uv_counters(const struct peer_uv *peer);

/* Close everything and free the peer; handles close in the loop's next turns, nothing is called. */
void peer_uv_stop(struct peer_uv *peer);

#endif
