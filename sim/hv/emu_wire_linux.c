/*
 * Packets with descriptors over SOCK_SEQPACKET, each whole or not at all: see emu_wire.h. Knows no
 * kind of message.
 *
 * The control buffer always has room for every descriptor a packet can carry, so that a truncated
 * one means that our own table is full, and nothing else.
 * Source: unix(7), cmsg(3).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/emu_wire.h"

#include "ringlib/err.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(EMU_FDS_MAX * sizeof(int))];
};

int emu_wire_socket(void)
{
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int emu_wire_stream(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int emu_wire_accept(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Out of buffers, or too many descriptors of this user are in flight (unix(7), ETOOMANYREFS):
 * both pass as soon as the other side reads. */
static bool is_transient(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS || number == ENOMEM ||
           number == ETOOMANYREFS;
}

int64_t emu_wire_stream_send(int socket, const void *bytes, uint32_t count)
{
    ssize_t sent;

    do
        sent = send(socket, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return is_transient(errno) ? -ERR_AGAIN : -ERR_PIPE;
    return sent;
}

int emu_wire_send(int socket, const void *bytes, uint32_t length, const int *fds, uint32_t fd_count)
{
    union control control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t sent;

    assert(fd_count <= EMU_FDS_MAX);
    if (fd_count > 0) {
        size_t fd_bytes = fd_count * sizeof(int);

        memset(&control, 0, CMSG_SPACE(fd_bytes));
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(fd_bytes);
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(fd_bytes);
        memcpy(CMSG_DATA(&control.align), fds, fd_bytes);
    }
    do
        sent = sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return is_transient(errno) ? -ERR_AGAIN : -ERR_PIPE;
    return 0;
}

int emu_wire_send_rest(int socket, const void *bytes, uint32_t length, uint32_t fd_count,
                       uint32_t left)
{
    (void)socket, (void)bytes, (void)length, (void)fd_count, (void)left;
    assert(!"a packet is sent whole");
    return -ERR_PIPE;
}

static void take_fds(struct emu_message *message, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        uint32_t count = (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        assert(message->fd_count + count <= EMU_FDS_MAX);
        memcpy(message->fds + message->fd_count, CMSG_DATA(c), count * sizeof(int));
        message->fd_count += count;
    }
}

int emu_wire_receive(int socket, struct emu_message *message)
{
    union control control;
    struct iovec iov = {.iov_base = &message->body, .iov_len = sizeof(message->body)};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    ssize_t got;

    message->fd_count = 0;
    do
        got = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return is_transient(errno) ? -ERR_AGAIN : -ERR_PIPE;
    take_fds(message, &header);
    message->fds_lost = (header.msg_flags & MSG_CTRUNC) != 0;
    message->length = header.msg_flags & MSG_TRUNC ? UINT32_MAX : (uint32_t)got;
    if (got > 0)
        return 0;
    emu_wire_dismiss(message);
    return -ERR_PIPE;
}
