/*
 * One connection of a built-in peer as a state machine: bytes go in, what to do comes out.
 *
 * First the header (32 bytes, in whatever pieces), then the stream, then the end, which is judged.
 * Each byte is compared with, or made by, payload.h alone: nothing of the rings or of the socket
 * seam is in here, so that what those get wrong shows. Knows no socket, buffer, loop or clock:
 * peer_uv.c and peer_virtual.c move the bytes and do what is said here.
 * Invariants: what goes wrong with a connection is counted, and closes it; the peer goes on.
 */
#ifndef XENSOCK_SIM_RUN_PEER_STREAM_H
#define XENSOCK_SIM_RUN_PEER_STREAM_H

#include "sim/run/payload.h"
#include "sim/run/scenario.h"

enum {
    PEER_CHUNK_BYTES = 64 << 10, /* what a peer reads or writes at most at once */
    PEER_UNANSWERED_MAX = 8,     /* a client's connections to a listener that nobody took: below the
                                    backlog of draft 1 */
    PEER_PAUSE_NS = 10000000,
};

/* What a peer has done since it was started. Bytes are those of the streams: no header counts. */
struct peer_counters {
    uint64_t connections;      /* accepted, or connected */
    uint64_t connect_failures; /* connections that did not come about */
    uint64_t open;             /* now, those still connecting among them */
    uint64_t bytes_in;         /* received and compared */
    uint64_t bytes_out;        /* taken by the socket */
    uint64_t mismatches;       /* wrong bytes */
    uint64_t short_streams;    /* ended, in good order, before the bytes the header announced */
    uint64_t protocol_errors;  /* bad or missing header, wrong mode, bytes after the last one */
    uint64_t resets;           /* broke instead of ending, unless endless and sent to by us */
    uint64_t cut;              /* short, broken or refused where faults of the run do that */
    uint64_t first_bad_stream; /* if there were mismatches: the stream of the first, */
    uint64_t first_bad_offset; /* and where in it */
};

/* What the connections of one peer share. */
struct peer_streams {
    enum scenario_peer_kind kind; /* not external */
    struct peer_counters counters;
    bool cuts; /* faults of the run, or somebody's conduct, cut connections: that is counted, and no
                  failure */
    /* echo: */
    enum scenario_conduct conduct; /* NEVER_READS, REFUSES and UNREACHABLE are the caller's */
    uint64_t reset_after;
    /* client: */
    uint64_t seed;
    uint64_t stream_base; /* connection i carries stream stream_base + i */
    uint64_t bytes;
    bool to_echo;                               /* the header does not come back */
    uint32_t connections;                       /* to be carried through */
    uint32_t opened;                            /* so far, those that were cut too */
    bool pausing;                               /* one was cut: the next is to wait */
    bool over;                                  /* none is wanted any more */
    uint32_t listeners;                         /* connection i goes to the (i mod listeners)-th, */
    uint8_t unanswered[SCENARIO_LISTENERS_MAX]; /* where nobody took so many yet */
};

/* One connection. `limit` is UINT64_MAX for a stream without an end. */
struct peer_stream {
    struct peer_streams *all;
    uint8_t
        wire[PAYLOAD_HEADER_BYTES]; /* as far as received; a client's: said, and expected back */
    uint32_t header_received;       /* bytes of it */
    uint32_t header_unsent;         /* a client's */
    struct payload_header header;
    uint64_t key, limit;
    uint64_t sent, received; /* bytes of the stream */
    /* a responder's: the request that arrives, */
    uint8_t ask[PAYLOAD_ASK_BYTES]; /* as far as received */
    uint64_t ask_at, ask_end;       /* in `received`; the same: none has begun */
    uint64_t answer_end;            /* in `sent` */
    uint32_t listener;              /* a client's: how many ports behind the first it connects to */
    bool unanswered;                /* a client's: counted as one nobody took yet */
};

/* Begin: no connection yet. Nothing of `peer` is kept. */
void peer_streams_init(struct peer_streams *all, const struct scenario_peer *peer, uint64_t seed,
                       uint64_t stream_base);

/* Whether a client is to open another connection now, and which stream that carries; at most
 * PEER_UNANSWERED_MAX wait at a time for a listener: the next waits for its listener. None is
 * opened twice; instead of one that was cut comes another one, PEER_PAUSE_NS later: who sees
 * `pausing` clears it then. False for what listens. */
bool peer_streams_next(struct peer_streams *all, uint64_t *number);

/* Begin a connection that was accepted, or that a client opens; `all` must outlive it. It counts
 * as open until peer_stream_closed. */
void peer_stream_accept(struct peer_stream *stream, struct peer_streams *all);
void peer_stream_connect(struct peer_stream *stream, struct peer_streams *all, uint64_t number);

enum peer_stream_todo {
    PEER_STREAM_READ,  /* read on */
    PEER_STREAM_ECHO,  /* send the last of the bytes taken back, and only then read on */
    PEER_STREAM_SEND,  /* send all that peer_stream_fill gives, then (a source) end that direction,
                          then read on */
    PEER_STREAM_CLOSE, /* it is over, and judged */
    PEER_STREAM_RESET, /* the same, with a reset: such is its conduct */
};

/* Take bytes that arrived. *echo_bytes: for ECHO, how many. */
enum peer_stream_todo peer_stream_take(struct peer_stream *stream, const void *data, size_t size,
                                       size_t *echo_bytes);

/* How many bytes a source, a client or a responder has still to send, its header included. */
uint64_t peer_stream_unsent(const struct peer_stream *stream);

/* Write the next of them, the header first; all that were written before must have been sent. How
 * many, 0 behind the last one. */
size_t peer_stream_fill(const struct peer_stream *stream, void *buffer, size_t size);

/* Bytes have been taken by the socket, of what was written or is echoed. */
void peer_stream_sent(struct peer_stream *stream, size_t bytes);

/* The connection came to its end, in good order or broken: judge it. It is then to be closed. */
void peer_stream_end(struct peer_stream *stream, bool broken);

/* A client's connection did not come about. */
void peer_stream_refused(struct peer_stream *stream);

/* It was closed, for whatever reason; once. */
void peer_stream_closed(struct peer_stream *stream);

#endif
