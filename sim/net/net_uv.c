/*
 * Real TCP sockets on a libuv loop: own non-blocking descriptors watched through uv_poll_t, since
 * uv_tcp_t of libuv 1.44 reports a busy port only at listen, reads into one buffer and accepts
 * before it is asked. Never decides whom to connect to; bytes: net_uv_stream.c.
 *
 * Every operation is tried first and waits for the loop on EAGAIN; a transfer shorter than asked
 * counts as EAGAIN for the next one. Watching is lazy, because each change of a mask costs libuv
 * two system calls: READABLE and WRITABLE are armed when an operation has to wait, and disarmed
 * only by an event that finds nothing posted.
 *
 * Invariants:
 * - A struct tcp is what a token names, from the submission of CONNECT, BIND, ACCEPT or POLL to
 *   its failure, to the end of POLL, or to CLOSE. A pending ACCEPT and a POLL have no descriptor.
 * - It lives while it is named, while its handle closes, and while a completion of it is queued.
 * - The descriptor is closed after its handle (libuv's rule), and EV_NET_CLOSE queued after that.
 * - Completions lie in the struct tcp, so none can fail to be queued, and reads and writes
 *   allocate nothing.
 * Source: net.h, architecture 3.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/net/net_uv_private.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

struct tcp *net_uv_find(struct net_uv *net, uint64_t token)
{
    struct tcp *tcp;

    HASH_FIND(hh, net->named, &token, sizeof(token), tcp);
    return tcp;
}

/* Like uthash, ends the process when there is no memory: an operation that cannot even be recorded
 * could not complete. */
static struct tcp *tcp_alloc(struct net_uv *net, uint64_t token, enum ev_kind opened_by)
{
    struct tcp *tcp = malloc(sizeof(*tcp));

    if (tcp == NULL) {
        fputs("net_uv: out of memory\n", stderr);
        abort();
    }
    *tcp = (struct tcp){.net = net, .token = token, .fd = -1, .holds = 1};
    tcp->opened = (struct completion){.tcp = tcp, .kind = opened_by};
    tcp->listened = (struct completion){.tcp = tcp, .kind = EV_NET_LISTEN};
    tcp->closed = (struct completion){.tcp = tcp, .kind = EV_NET_CLOSE};
    tcp->transfers[IN].done = (struct completion){.tcp = tcp, .kind = EV_NET_READ};
    tcp->transfers[OUT].done = (struct completion){.tcp = tcp, .kind = EV_NET_WRITE};
    return tcp;
}

static struct tcp *tcp_name(struct net_uv *net, uint64_t token, enum ev_kind opened_by)
{
    assert(net_uv_find(net, token) == NULL);

    struct tcp *tcp = tcp_alloc(net, token, opened_by);

    HASH_ADD(hh, net->named, token, sizeof(tcp->token), tcp);
    return tcp;
}

static void tcp_drop(struct tcp *tcp)
{
    if (--tcp->holds == 0)
        free(tcp);
}

void net_uv_complete(struct completion *done, int32_t ret)
{
    assert(done->prev == NULL);
    done->ret = ret;
    done->tcp->holds++;
    DL_APPEND(done->tcp->net->done, done);
}

static void free_if_over(struct net_uv *net)
{
    if (net->destroyed && net->handles == 0)
        free(net);
}

static void on_closed(uv_handle_t *handle)
{
    struct tcp *tcp = handle->data;
    struct net_uv *net = tcp->net;

    close(tcp->fd);
    net->base.counters.sockets_now--;
    net->base.counters.closes++;
    if (tcp->close_owed && !net->destroyed) {
        net_uv_complete(&tcp->closed, 0);
        net->wake(net->self);
    }
    tcp_drop(tcp);
    net->handles--;
    free_if_over(net);
}

/* The token names nothing any more. */
static void tcp_forget(struct tcp *tcp)
{
    HASH_DEL(tcp->net->named, tcp);
    if (tcp->fd >= 0)
        uv_close((uv_handle_t *)&tcp->poll, on_closed);
    else
        tcp_drop(tcp);
}

static void on_event(uv_poll_t *poll, int status, int events);

void net_uv_watch(struct tcp *tcp, int mask)
{
    if (mask == tcp->mask)
        return;
    tcp->mask = mask;

    int failed = mask == 0 ? uv_poll_stop(&tcp->poll) : uv_poll_start(&tcp->poll, mask, on_event);

    assert(failed == 0);
}

static int32_t tcp_option(struct tcp *tcp, int level, int option)
{
    int on = 1;

    return setsockopt(tcp->fd, level, option, &on, sizeof(on)) < 0 ? -net_host_error(errno) : 0;
}

/* Make `fd` (or the failure of the call it came from) the socket's. Returns 0 or -ERR_*. */
static int32_t tcp_attach(struct tcp *tcp, int fd)
{
    if (fd < 0)
        return -net_host_error(errno);

    int failed = uv_poll_init(tcp->net->loop, &tcp->poll, fd);

    if (failed < 0) {
        close(fd);
        return -net_host_error(-failed);
    }
    tcp->fd = fd;
    tcp->poll.data = tcp;
    tcp->net->handles++;
    tcp->net->base.counters.sockets_now++;
    return tcp_option(tcp, IPPROTO_TCP, TCP_NODELAY);
}

static int32_t tcp_open(struct tcp *tcp, const struct call_addr *addr)
{
    int family = call_addr_family(addr) == CALL_AF_INET ? AF_INET : AF_INET6;

    return tcp_attach(tcp, socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/* CONNECT, BIND or ACCEPT came to its end. */
static void tcp_opened(struct tcp *tcp, int32_t ret)
{
    struct net_counters *counters = &tcp->net->base.counters;

    counters->connects += ret == 0 && tcp->opened.kind == EV_NET_CONNECT;
    counters->accepts += ret == 0 && tcp->opened.kind == EV_NET_ACCEPT;
    net_uv_complete(&tcp->opened, ret);
    if (ret < 0)
        tcp_forget(tcp);
}

static void tcp_connect(struct net *net, uint64_t token, const struct call_addr *addr)
{
    struct tcp *tcp = tcp_name(net_uv_of(net), token, EV_NET_CONNECT);
    union net_host_addr host;
    socklen_t length = net_host_addr(&host, addr);
    int32_t ret = tcp_open(tcp, addr);

    if (ret == 0 && connect(tcp->fd, &host.any, length) < 0)
        ret = -net_host_error(errno);
    /* an interrupted connect goes on in the background like any other */
    if (ret == -ERR_INPROGRESS || ret == -ERR_INTR) {
        tcp->connecting = true;
        net_uv_watch(tcp, UV_WRITABLE);
    } else {
        tcp_opened(tcp, ret);
    }
}

static void connect_event(struct tcp *tcp)
{
    int number = 0;
    socklen_t length = sizeof(number);

    if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &number, &length) < 0)
        number = errno;
    tcp->connecting = false;
    net_uv_watch(tcp, 0);
    tcp_opened(tcp, -net_host_error(number));
}

static void tcp_bind(struct net *net, uint64_t token, const struct call_addr *addr)
{
    struct tcp *tcp = tcp_name(net_uv_of(net), token, EV_NET_BIND);
    union net_host_addr host;
    socklen_t length = net_host_addr(&host, addr);
    int32_t ret = tcp_open(tcp, addr);

    if (ret == 0)
        ret = tcp_option(tcp, SOL_SOCKET, SO_REUSEADDR);
    if (ret == 0 && bind(tcp->fd, &host.any, length) < 0)
        ret = -net_host_error(errno);
    tcp_opened(tcp, ret);
}

static void tcp_listen(struct net *net, uint64_t token, uint32_t backlog)
{
    struct tcp *tcp = net_uv_find(net_uv_of(net), token);
    int32_t ret = 0;

    assert(tcp != NULL && tcp->fd >= 0);
    if (listen(tcp->fd, backlog > INT_MAX ? INT_MAX : (int)backlog) < 0)
        ret = -net_host_error(errno);
    net_uv_complete(&tcp->listened, ret);
}

/* The list of its listener that a pending ACCEPT or POLL waits in. */
static struct tcp **waiting_list(struct tcp *tcp)
{
    struct tcp *listener = tcp->listener;

    return tcp->opened.kind == EV_NET_ACCEPT ? &listener->accepts : &listener->polls;
}

static struct tcp *start_waiting(struct net *net, uint64_t token, uint64_t listener,
                                 enum ev_kind kind)
{
    struct tcp *tcp = tcp_name(net_uv_of(net), token, kind);

    tcp->listener = net_uv_find(net_uv_of(net), listener);
    assert(tcp->listener != NULL && tcp->listener->fd >= 0);

    struct tcp **list = waiting_list(tcp);

    DL_APPEND(*list, tcp);
    return tcp;
}

static void stop_waiting(struct tcp *tcp)
{
    struct tcp **list = waiting_list(tcp);

    DL_DELETE(*list, tcp);
    tcp->listener = NULL;
}

/* Returns 0, -ERR_AGAIN or another -ERR_*. */
static int32_t accept_one(struct tcp *listener, struct tcp *tcp)
{
    int fd;

    do
        fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    return tcp_attach(tcp, fd);
}

/* Serve pending accepts in order until one has to wait. Being out of descriptors is an answer like
 * any other: waiting for one to come free would spin on the readable listener. */
static void accept_pending(struct tcp *listener)
{
    struct tcp *tcp, *next;

    DL_FOREACH_SAFE (listener->accepts, tcp, next) {
        int32_t ret = accept_one(listener, tcp);

        if (ret == -ERR_AGAIN) {
            net_uv_watch(listener, UV_READABLE);
            return;
        }
        stop_waiting(tcp);
        tcp_opened(tcp, ret);
    }
}

static void tcp_accept(struct net *net, uint64_t token, uint64_t listener)
{
    struct tcp *tcp = start_waiting(net, token, listener, EV_NET_ACCEPT);

    if (tcp->listener->accepts == tcp)
        accept_pending(tcp->listener);
}

/* Never tried at once: readiness is the loop's to tell. */
static void tcp_poll(struct net *net, uint64_t token, uint64_t listener)
{
    struct tcp *tcp = start_waiting(net, token, listener, EV_NET_POLL);

    net_uv_watch(tcp->listener, UV_READABLE);
}

/* An event that serves accepts says nothing of what is left for polls: the next one does. */
static void listener_event(struct tcp *listener)
{
    struct tcp *tcp, *next;

    if (listener->accepts != NULL) {
        accept_pending(listener);
        return;
    }
    DL_FOREACH_SAFE (listener->polls, tcp, next) {
        stop_waiting(tcp);
        net_uv_complete(&tcp->opened, 0);
        tcp_forget(tcp);
    }
}

/* The part of the mask that somebody still waits for. */
static int wanted_mask(const struct tcp *tcp)
{
    bool in = tcp->transfers[IN].posted || tcp->accepts != NULL || tcp->polls != NULL;

    return (in ? UV_READABLE : 0) | (tcp->transfers[OUT].posted ? UV_WRITABLE : 0);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct tcp *tcp = handle->data;
    struct net_uv *net = tcp->net;

    if (status < 0) {
        /* an error is pending on the socket and libuv stopped watching: what is posted meets it */
        tcp->mask = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (tcp->connecting) {
        connect_event(tcp);
    } else {
        net_uv_watch(tcp, tcp->mask & (~events | wanted_mask(tcp)));
        listener_event(tcp);
        net_uv_transfer_event(tcp, events);
    }
    if (net->done != NULL)
        net->wake(net->self);
}

static void cancel_pending(struct tcp *tcp)
{
    if (tcp->connecting)
        net_uv_complete(&tcp->opened, -ERR_CANCELED);
    if (tcp->listener != NULL) {
        stop_waiting(tcp);
        net_uv_complete(&tcp->opened, -ERR_CANCELED);
    }
    for (enum direction direction = IN; direction <= OUT; direction++)
        if (tcp->transfers[direction].posted)
            net_uv_transfer_done(&tcp->transfers[direction], -ERR_CANCELED);
}

/* Closing a token that names nothing (its CONNECT failed meanwhile) completes like any other. */
static void tcp_close(struct net *net, uint64_t token)
{
    struct tcp *tcp = net_uv_find(net_uv_of(net), token);

    if (tcp == NULL) {
        tcp = tcp_alloc(net_uv_of(net), token, EV_NET_CLOSE);
        net_uv_complete(&tcp->closed, 0);
        tcp_drop(tcp);
        return;
    }
    assert(tcp->accepts == NULL && tcp->polls == NULL);
    cancel_pending(tcp);
    if (tcp->fd >= 0)
        tcp->close_owed = true;
    else
        net_uv_complete(&tcp->closed, 0);
    tcp_forget(tcp);
}

/* The kernel resets what is closed without patience. */
static void tcp_reset(struct net *net, uint64_t token)
{
    const struct linger none = {.l_onoff = 1};
    const struct tcp *tcp = net_uv_find(net_uv_of(net), token);

    if (tcp != NULL && tcp->fd >= 0)
        setsockopt(tcp->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    tcp_close(net, token);
}

static bool tcp_next(struct net *net, struct ev *ev)
{
    struct net_uv *uv = net_uv_of(net);
    struct completion *done = uv->done;

    if (done == NULL)
        return false;
    *ev = (struct ev){.kind = done->kind, .ret = done->ret, .token = done->tcp->token};
    DL_DELETE(uv->done, done);
    done->prev = NULL;
    tcp_drop(done->tcp);
    return true;
}

static void tcp_destroy(struct net *net)
{
    struct net_uv *uv = net_uv_of(net);
    struct tcp *tcp, *next;
    struct ev ignored;

    uv->destroyed = true;
    while (tcp_next(net, &ignored))
        continue;
    HASH_ITER (hh, uv->named, tcp, next) {
        tcp_forget(tcp);
    }
    free_if_over(uv);
}

static const struct net_ops tcp_ops = {
    .connect = tcp_connect,
    .bind = tcp_bind,
    .listen = tcp_listen,
    .accept = tcp_accept,
    .poll = tcp_poll,
    .read = net_uv_read,
    .write = net_uv_write,
    .shutdown = net_uv_shutdown,
    .close = tcp_close,
    .reset = tcp_reset,
    .next = tcp_next,
    .destroy = tcp_destroy,
};

struct net *net_uv_create(uv_loop_t *loop, void (*wake)(void *self), void *self)
{
    struct net_uv *net = malloc(sizeof(*net));

    if (net == NULL)
        return NULL;
    *net = (struct net_uv){.base.ops = &tcp_ops, .loop = loop, .wake = wake, .self = self};
    return &net->base;
}
