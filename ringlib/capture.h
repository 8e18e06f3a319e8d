/*
 * What crosses the rings, told as it happens: a packet a request, response, index that moved,
 * error, and notification.
 *
 * A packet is told by the side whose view it is: what it publishes right before the peer can see
 * it, what it consumes right after it saw it. So in any order of time publishing comes before
 * consuming. Without a sink nothing is told. Nothing here knows the time, a file or a domain.
 * Source: ours; sim/run/capture_format.h is what becomes of it.
 */
#ifndef XENSOCK_RINGLIB_CAPTURE_H
#define XENSOCK_RINGLIB_CAPTURE_H

#include <stdint.h>

/* constant, number, name for people; numbers are kept for ever */
#define CAPTURE_KINDS(X)                                                                           \
    X(REQUEST, 1, "request")                                                                       \
    X(RESPONSE, 2, "response")                                                                     \
    X(INDEX, 3, "index")                                                                           \
    X(NOTIFY, 4, "notify")

#define CAPTURE_MOVES(X)                                                                           \
    X(PUBLISHED, 0, "published") /* of a notification: sent */                                     \
    X(CONSUMED, 1, "consumed")   /* of a notification: received */

#define CAPTURE_RINGS(X)                                                                           \
    X(COMMANDS, 0, "commands")                                                                     \
    X(DATA, 1, "data")

/* Which word of a data ring moved; an error's value is its int32. */
#define CAPTURE_WORDS(X)                                                                           \
    X(IN_PROD, 0, "in_prod")                                                                       \
    X(IN_CONS, 1, "in_cons")                                                                       \
    X(OUT_PROD, 2, "out_prod")                                                                     \
    X(OUT_CONS, 3, "out_cons")                                                                     \
    X(IN_ERROR, 4, "in_error")                                                                     \
    X(OUT_ERROR, 5, "out_error")

#define X(constant, number, name) CAPTURE_##constant = (number),
enum capture_kind { CAPTURE_KINDS(X) };
enum capture_moved { CAPTURE_MOVES(X) };
enum capture_ring { CAPTURE_RINGS(X) };
enum capture_word { CAPTURE_WORDS(X) };
#undef X

struct capture_packet {
    uint8_t kind;     /* enum capture_kind */
    uint8_t moved;    /* enum capture_moved; an index is always published */
    uint8_t ring;     /* enum capture_ring */
    uint8_t what;     /* of an index: enum capture_word */
    uint32_t index;   /* of a request or response its slot's, of an index its new value, of a
                         notification the own port */
    uint32_t bytes;   /* of an index: how far it moved; of a request or response: of `slot` */
    uint64_t sockid;  /* of a data ring: its socket's id on the wire */
    const void *slot; /* of a request or response: as in the ring, for the time of the call */
};

struct capture_sink {
    void (*take)(void *self, const struct capture_packet *packet);
    void *self;
};

/* Tell a sink that may be NULL. */
static inline void capture_put(const struct capture_sink *sink, const struct capture_packet *packet)
{
    if (sink)
        sink->take(sink->self, packet);
}

#endif
