/*
 * The built-in peers: the ordinary TCP programs a backend's sockets talk to, on a libuv loop.
 *
 * echo, sink and source listen; a client connects to what a guest listens on. Each byte is compared
 * with, or made by, payload.h alone: nothing of the rings or of the socket seam is in here, so that
 * what those get wrong shows.
 * Invariants: a connection holds 64 KiB for each direction and nothing that grows; an echo reads
 * nothing while a write is pending; no callback of the caller's runs inside a call of the caller's.
 * The process must ignore SIGPIPE.
 */
#ifndef XENSOCK_SIM_RUN_PEER_UV_H
#define XENSOCK_SIM_RUN_PEER_UV_H

#include "sim/run/scenario.h"

struct uv_loop_s;
struct peer_uv;

/* What a peer has done since it was started. Bytes are those of the streams: no header counts. */
struct peer_uv_counters {
    uint64_t connections;      /* accepted, or connected */
    uint64_t connect_failures; /* connections that did not come about */
    uint64_t open;             /* now, those still connecting among them */
    uint64_t bytes_in;         /* received and compared */
    uint64_t bytes_out;        /* taken by the kernel */
    uint64_t mismatches;       /* wrong bytes */
    uint64_t short_streams;    /* ended before the bytes the header announced */
    uint64_t protocol_errors;  /* bad or missing header, wrong mode, bytes after the last one */
    uint64_t resets;           /* broke instead of ending, unless endless and sent to by us */
    uint64_t first_bad_stream; /* if there were mismatches: the stream of the first, */
    uint64_t first_bad_offset; /* and where in it */
};

struct peer_uv_config {
    /* Called from the loop each time the last open connection has ended; a client's has then done
     * all it had to do. May be NULL. */
    void (*finished)(void *self);
    void *self;
    /* client: */
    struct call_addr connect_to;
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

/* Open the connections of a client, once; none is tried twice. At most 8 wait at a time for the
 * other side to answer. */
void peer_uv_begin(struct peer_uv *peer);

/* What was counted until now; valid until the peer is stopped. */
const struct peer_uv_counters *peer_uv_counters(const struct peer_uv *peer);

/* Close everything and free the peer; handles close in the loop's next turns, nothing is called. */
void peer_uv_stop(struct peer_uv *peer);

#endif
