/*
 * What the files of net_uv share: net_uv.c (what tokens name, the loop, opening, listening, ends),
 * net_uv_stream.c (bytes of connected sockets). Its invariants stand in net_uv.c.
 */
#ifndef XENSOCK_SIM_NET_NET_UV_PRIVATE_H
#define XENSOCK_SIM_NET_NET_UV_PRIVATE_H

#include "ringlib/err.h"
#include "sim/net/net_host.h"
#include "sim/net/net_uv.h"

#include <stddef.h>
#include <sys/uio.h>
#include <uthash.h>

static_assert(sizeof(struct shared_iov) == sizeof(struct iovec), "spans are passed as iovecs");
static_assert(offsetof(struct shared_iov, base) == offsetof(struct iovec, iov_base), "base");
static_assert(offsetof(struct shared_iov, length) == offsetof(struct iovec, iov_len), "length");

struct tcp;

struct completion {
    struct completion *prev, *next; /* in net_uv.done; prev is NULL while not queued */
    struct tcp *tcp;
    enum ev_kind kind;
    int32_t ret;
};

enum direction { IN, OUT };

struct transfer {
    struct completion done;
    struct iovec iov[2];
    int count;
    size_t wanted_bytes;
    bool posted;
    bool dry; /* the last one was short: the next would only meet EAGAIN */
};

struct tcp {
    struct net_uv *net;
    uint64_t token;
    uv_poll_t poll;
    int fd;   /* -1: none, and then `poll` is not in use */
    int mask; /* what `poll` watches */
    bool connecting;
    bool close_owed;              /* EV_NET_CLOSE is due once the handle is closed */
    uint32_t holds;               /* 1 while named or closing, 1 a queued completion */
    struct completion opened;     /* CONNECT, BIND, ACCEPT or POLL */
    struct completion listened;   /* LISTEN */
    struct completion closed;     /* CLOSE */
    struct transfer transfers[2]; /* by enum direction */
    struct tcp *listener;         /* of a pending ACCEPT or POLL, and then */
    struct tcp *prev, *next;      /* in one of the listener's two lists: */
    struct tcp *accepts, *polls;  /* in order of submission */
    UT_hash_handle hh;
};

static_assert(sizeof(struct tcp) <= 1024, "private memory of a socket");

struct net_uv {
    struct net base; /* first: struct net * is struct net_uv * */
    uv_loop_t *loop;
    void (*wake)(void *self);
    void *self;
    struct tcp *named;       /* by token */
    struct completion *done; /* in order of completion */
    uint32_t handles;        /* uv handles not closed yet */
    bool destroyed;
};

static inline struct net_uv *net_uv_of(struct net *net)
{
    return (struct net_uv *)(void *)net;
}

/* ---- net_uv.c ---- */

/* The socket of a token, or NULL. */
struct tcp *net_uv_find(struct net_uv *net, uint64_t token);

/* Queue a completion, which is not queued. */
void net_uv_complete(struct completion *done, int32_t ret);

/* Have the loop watch for exactly this. */
void net_uv_watch(struct tcp *tcp, int mask);

/* ---- net_uv_stream.c ---- */

/* Operations of net_ops. */
void net_uv_read(struct net *net, uint64_t token, const struct shared_iov *iov, uint32_t count);
void net_uv_write(struct net *net, uint64_t token, const struct shared_iov *iov, uint32_t count);
void net_uv_shutdown(struct net *net, uint64_t token);

/* What the loop saw: transfers that waited for it go on. */
void net_uv_transfer_event(struct tcp *tcp, int events);

/* A transfer that was posted comes to its end. */
void net_uv_transfer_done(struct transfer *transfer, int32_t ret);

#endif
