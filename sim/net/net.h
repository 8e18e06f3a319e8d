/*
 * The socket seam: what a backend asks of the world's sockets. Never frames or interprets bytes.
 *
 * Sockets are named by the token of the action that made them. Every operation completes exactly
 * once as the struct ev of the same name with its token, taken with net_next, never inside its
 * submission. At most one read and one write are in flight per socket.
 * Implementations: net_uv.c (real TCP), net_mem.c (scripted: completes with lengths a test chose).
 * Errors are the wire's (ringlib/err.h); each implementation translates the host's in one table.
 */
#ifndef XENSOCK_SIM_NET_NET_H
#define XENSOCK_SIM_NET_NET_H

#include "ringlib/step.h"

struct net_counters {
    uint64_t connects, accepts, closes;
    uint64_t reads, writes; /* system calls that moved bytes */
    uint64_t read_bytes, written_bytes;
    uint64_t read_waits, write_waits; /* EAGAIN: had to wait for the socket */
    uint64_t sockets_now;
};

struct net;

struct net_ops {
    void (*connect)(struct net *net, uint64_t token, const struct call_addr *addr);
    void (*bind)(struct net *net, uint64_t token, const struct call_addr *addr);
    void (*listen)(struct net *net, uint64_t token, uint32_t backlog);
    void (*accept)(struct net *net, uint64_t token, uint64_t listener);
    void (*poll)(struct net *net, uint64_t token, uint64_t listener);
    void (*read)(struct net *net, uint64_t token, const struct shared_iov *iov, uint32_t count);
    void (*write)(struct net *net, uint64_t token, const struct shared_iov *iov, uint32_t count);
    void (*shutdown)(struct net *net, uint64_t token);
    void (*close)(struct net *net, uint64_t token);
    void (*reset)(struct net *net, uint64_t token);
    bool (*next)(struct net *net, struct ev *ev);
    void (*destroy)(struct net *net);
};

/* Embedded first in each implementation's own struct. */
struct net {
    const struct net_ops *ops;
    struct net_counters counters;
};

/* Open a stream socket of the address's family, non-blocking, TCP_NODELAY, and connect it.
 * EV_NET_CONNECT: 0 or -ERR_*. On failure the token names nothing any more. */
static inline void net_connect(struct net *net, uint64_t token, const struct call_addr *addr)
{
    assert(call_addr_check(addr) == 0);
    net->ops->connect(net, token, addr);
}

/* Open a stream socket with SO_REUSEADDR and bind it. EV_NET_BIND: 0 or -ERR_ADDRINUSE, ... On
 * failure the token names nothing any more. */
static inline void net_bind(struct net *net, uint64_t token, const struct call_addr *addr)
{
    assert(call_addr_check(addr) == 0);
    net->ops->bind(net, token, addr);
}

/* EV_NET_LISTEN: 0 or -ERR_*. A failure leaves the socket bound. */
static inline void net_listen(struct net *net, uint64_t token, uint32_t backlog)
{
    net->ops->listen(net, token, backlog);
}

/* Take one connection of `listener`, waiting for it, in the order of submission; EV_NET_ACCEPT 0:
 * `token` now names the accepted socket. -ERR_CANCELED after net_close(token). */
static inline void net_accept(struct net *net, uint64_t token, uint64_t listener)
{
    net->ops->accept(net, token, listener);
}

/* Wait until `listener` has a connection nobody took; EV_NET_POLL 0. Takes nothing, and completes
 * only while no accept is pending. -ERR_CANCELED after net_close(token). */
static inline void net_poll(struct net *net, uint64_t token, uint64_t listener)
{
    net->ops->poll(net, token, listener);
}

/* Read into at most two iovecs, waiting for the first byte; the memory stays valid until
 * completion. EV_NET_READ: bytes, 0 at end of stream, -ERR_*; -ERR_CANCELED after net_close. */
static inline void net_read(struct net *net, uint64_t token, const struct shared_iov *iov,
                            uint32_t count)
{
    assert(count >= 1 && count <= 2 && iov[0].length > 0);
    net->ops->read(net, token, iov, count);
}

/* Write from at most two iovecs, waiting for room; may be short. EV_NET_WRITE: bytes > 0, -ERR_*;
 * never raises SIGPIPE. */
static inline void net_write(struct net *net, uint64_t token, const struct shared_iov *iov,
                             uint32_t count)
{
    assert(count >= 1 && count <= 2 && iov[0].length > 0);
    net->ops->write(net, token, iov, count);
}

/* End the own direction of a connected socket: the other side reads the end of the stream after the
 * last byte. Once per socket, no completion; a write in flight or afterwards gives -ERR_PIPE. */
static inline void net_shutdown(struct net *net, uint64_t token)
{
    net->ops->shutdown(net, token);
}

/* Cancel whatever is in flight under `token` (it completes with -ERR_CANCELED, unless its result
 * was already there), then close what the token names, if anything. EV_NET_CLOSE, ret 0, comes
 * after all of that. A listener's pending accepts and polls carry their own tokens: close those
 * first. */
static inline void net_close(struct net *net, uint64_t token)
{
    net->ops->close(net, token);
}

/* Close as net_close does, but a connected socket with a reset: what is in flight is lost; of the
 * other side's reads one fails with -ERR_CONNRESET, after the bytes it has received, and the rest
 * give 0; of its writes one fails so and the rest with -ERR_PIPE. EV_NET_CLOSE. */
static inline void net_reset(struct net *net, uint64_t token)
{
    net->ops->reset(net, token);
}

/* Take the next completion; false when there is none now. */
static inline bool net_next(struct net *net, struct ev *ev)
{
    return net->ops->next(net, ev);
}

/* Close everything and free the handle; nothing completes any more. */
static inline void net_destroy(struct net *net)
{
    net->ops->destroy(net);
}

#endif
