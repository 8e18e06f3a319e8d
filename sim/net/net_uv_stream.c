/*
 * Bytes of real TCP sockets: reads, writes, and the end of a direction. Knows no address, no
 * listener and no end of a socket. See net_uv.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/net/net_uv_private.h"

#include <errno.h>
#include <sys/socket.h>

static const int interest[] = {[IN] = UV_READABLE, [OUT] = UV_WRITABLE};

/* Returns bytes or -errno of the host. */
static ssize_t transfer_once(struct tcp *tcp, enum direction direction)
{
    struct transfer *transfer = &tcp->transfers[direction];
    const struct msghdr message = {.msg_iov = transfer->iov, .msg_iovlen = (size_t)transfer->count};
    ssize_t bytes;

    do
        bytes = direction == IN ? readv(tcp->fd, transfer->iov, transfer->count)
                                : sendmsg(tcp->fd, &message, MSG_NOSIGNAL);
    while (bytes < 0 && errno == EINTR);
    return bytes < 0 ? -errno : bytes;
}

static void count_transfer(struct net_counters *counters, enum direction direction, size_t bytes)
{
    *(direction == IN ? &counters->reads : &counters->writes) += bytes > 0;
    *(direction == IN ? &counters->read_bytes : &counters->written_bytes) += bytes;
}

static void transfer_wait(struct tcp *tcp, enum direction direction)
{
    struct net_counters *counters = &tcp->net->base.counters;

    *(direction == IN ? &counters->read_waits : &counters->write_waits) += 1;
    net_uv_watch(tcp, tcp->mask | interest[direction]);
}

void net_uv_transfer_done(struct transfer *transfer, int32_t ret)
{
    transfer->posted = false;
    net_uv_complete(&transfer->done, ret);
}

static void transfer_try(struct tcp *tcp, enum direction direction)
{
    struct transfer *transfer = &tcp->transfers[direction];
    ssize_t bytes = transfer_once(tcp, direction);

    if (bytes == -EAGAIN) {
        transfer_wait(tcp, direction);
    } else if (bytes < 0) {
        net_uv_transfer_done(transfer, -net_host_error((int)-bytes));
    } else {
        transfer->dry = (size_t)bytes < transfer->wanted_bytes;
        count_transfer(&tcp->net->base.counters, direction, (size_t)bytes);
        net_uv_transfer_done(transfer, (int32_t)bytes);
    }
}

static void transfer_post(struct tcp *tcp, enum direction direction, const struct shared_iov *iov,
                          uint32_t count)
{
    assert(tcp != NULL && tcp->fd >= 0 && !tcp->connecting);

    struct transfer *transfer = &tcp->transfers[direction];

    assert(!transfer->posted && transfer->done.prev == NULL);
    memcpy(transfer->iov, iov, count * sizeof(*iov));
    transfer->count = (int)count;
    transfer->wanted_bytes = iov[0].length + (count > 1 ? iov[1].length : 0);
    assert(transfer->wanted_bytes <= INT32_MAX);
    transfer->posted = true;
    if (transfer->dry)
        transfer_wait(tcp, direction);
    else
        transfer_try(tcp, direction);
}

void net_uv_read(struct net *net, uint64_t token, const struct shared_iov *iov, uint32_t count)
{
    transfer_post(net_uv_find(net_uv_of(net), token), IN, iov, count);
}

void net_uv_write(struct net *net, uint64_t token, const struct shared_iov *iov, uint32_t count)
{
    transfer_post(net_uv_find(net_uv_of(net), token), OUT, iov, count);
}

/* Reading goes first: after a reset only the first of the two learns ECONNRESET. */
void net_uv_transfer_event(struct tcp *tcp, int events)
{
    for (enum direction direction = IN; direction <= OUT; direction++) {
        if (!(events & interest[direction]))
            continue;
        tcp->transfers[direction].dry = false;
        if (tcp->transfers[direction].posted)
            transfer_try(tcp, direction);
    }
}

/* A connection that is broken already has no direction to end; its next operation tells. */
void net_uv_shutdown(struct net *net, uint64_t token)
{
    struct tcp *tcp = net_uv_find(net_uv_of(net), token);

    assert(tcp != NULL && tcp->fd >= 0 && !tcp->connecting);
    shutdown(tcp->fd, SHUT_WR);
}
