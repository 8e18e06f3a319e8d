/*
 * Packets with descriptors over SOCK_STREAM, for hosts without SOCK_SEQPACKET. See emu_wire.h.
 *
 * A frame is its length and its number of descriptors, then the bytes; descriptors go with the
 * frame's first bytes. A read never reaches beyond the frame it began, so whatever descriptors come
 * are this frame's, however the stream is cut. A frame longer than any message is not read.
 * Close-on-exec is set after the fact: a process that forks from another thread meanwhile hands the
 * descriptor on. Nothing keeps SIGPIPE away but ignoring it, since pipes (emu_channel_posix.c) have
 * no flag for that.
 * Source: POSIX.1-2008 sendmsg, recvmsg; CMSG_SPACE and SO_NOSIGPIPE are older than their standard.
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE 1
#endif
#include "sim/hv/emu_wire.h"

#include "ringlib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FRAME_BYTES = 8 };

static_assert(sizeof(((struct emu_message *)0)->frame) == FRAME_BYTES, "frame");

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(EMU_FDS_MAX * sizeof(int))];
};

static void ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
        return;
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* Non-blocking, close-on-exec. */
static int prepare(int fd)
{
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

    if (fd < 0)
        return fd;
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        close(fd);
        return -1;
    }
#ifdef SO_NOSIGPIPE
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    ignore_sigpipe();
    return fd;
}

int emu_wire_socket(void)
{
    return prepare(socket(AF_UNIX, SOCK_STREAM, 0));
}

int emu_wire_stream(void)
{
    return emu_wire_socket();
}

int emu_wire_accept(int listener)
{
    return prepare(accept(listener, NULL, NULL));
}

/* As emu_wire_linux.c: both kinds pass as soon as the other side reads. */
static bool is_transient(int number)
{
#ifdef ETOOMANYREFS
    if (number == ETOOMANYREFS)
        return true;
#endif
    return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS || number == ENOMEM;
}

int64_t emu_wire_stream_send(int socket, const void *bytes, uint32_t count)
{
    ssize_t sent;

    do
        sent = write(socket, bytes, count);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return is_transient(errno) ? -ERR_AGAIN : -ERR_PIPE;
    return sent;
}

static void put_fds(struct msghdr *header, union control *control, const int *fds, uint32_t count)
{
    size_t fd_bytes = count * sizeof(int);

    memset(control, 0, sizeof(*control));
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(fd_bytes);
    control->align.cmsg_level = SOL_SOCKET;
    control->align.cmsg_type = SCM_RIGHTS;
    control->align.cmsg_len = CMSG_LEN(fd_bytes);
    memcpy(CMSG_DATA(&control->align), fds, fd_bytes);
}

/* Send the last `left` bytes of a frame, as far as it goes. How many are left, or -1 with errno. */
static int64_t send_last(int socket, struct iovec iov[2], uint32_t left, struct msghdr *header)
{
    uint32_t body = (uint32_t)iov[1].iov_len;
    uint32_t from_frame = left > body ? left - body : 0;
    uint32_t from_body = left - from_frame;
    ssize_t sent;

    iov[0].iov_base = (char *)iov[0].iov_base + (FRAME_BYTES - from_frame);
    iov[0].iov_len = from_frame;
    iov[1].iov_base = (char *)iov[1].iov_base + (body - from_body);
    iov[1].iov_len = from_body;
    header->msg_iov = iov;
    header->msg_iovlen = 2;
    do
        sent = sendmsg(socket, header, 0);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : (int64_t)left - sent;
}

int emu_wire_send(int socket, const void *bytes, uint32_t length, const int *fds, uint32_t fd_count)
{
    uint32_t frame[2] = {length, fd_count};
    struct iovec iov[2] = {{frame, FRAME_BYTES}, {(void *)(uintptr_t)bytes, length}};
    struct msghdr header = {0};
    union control control;
    int64_t left;

    assert(fd_count <= EMU_FDS_MAX && length <= INT32_MAX - FRAME_BYTES);
    if (fd_count > 0)
        put_fds(&header, &control, fds, fd_count);
    left = send_last(socket, iov, FRAME_BYTES + length, &header);
    if (left < 0)
        return is_transient(errno) ? -ERR_AGAIN : -ERR_PIPE;
    return (int)left;
}

int emu_wire_send_rest(int socket, const void *bytes, uint32_t length, uint32_t fd_count,
                       uint32_t left)
{
    uint32_t frame[2] = {length, fd_count};
    struct iovec iov[2] = {{frame, FRAME_BYTES}, {(void *)(uintptr_t)bytes, length}};
    struct msghdr header = {0};
    int64_t now_left;

    assert(left > 0 && left < FRAME_BYTES + length);
    now_left = send_last(socket, iov, left, &header);
    if (now_left < 0)
        return is_transient(errno) ? (int)left : -ERR_PIPE;
    return (int)now_left;
}

/* What no message has room for is closed: only who sends no proper message sends so many. */
static void take_fds(struct emu_message *message, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
            if (message->fd_count < EMU_FDS_MAX)
                message->fds[message->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

/* Read once, within what is `wanted` of the frame or its bytes. As recvmsg. */
static ssize_t receive_part(int socket, struct emu_message *message, void *to, size_t wanted)
{
    union control control;
    struct iovec iov = {.iov_base = to, .iov_len = wanted};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    ssize_t got;

    do
        got = recvmsg(socket, &header, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return got;
    take_fds(message, &header);
    message->fds_lost = message->fds_lost || (header.msg_flags & MSG_CTRUNC) != 0;
    message->received += (uint32_t)got;
    return got;
}

/* The next piece of what is under way. As recvmsg. */
static ssize_t receive_next(int socket, struct emu_message *message)
{
    uint32_t had = message->received;

    if (had < FRAME_BYTES)
        return receive_part(socket, message, (char *)message->frame + had, FRAME_BYTES - had);
    return receive_part(socket, message, (char *)&message->body + (had - FRAME_BYTES),
                        message->frame[0] - (had - FRAME_BYTES));
}

static bool is_whole(const struct emu_message *message)
{
    return message->received >= FRAME_BYTES &&
           (message->frame[0] > sizeof(message->body) ||
            message->received - FRAME_BYTES == message->frame[0]);
}

int emu_wire_receive(int socket, struct emu_message *message)
{
    if (message->received == 0) {
        message->fd_count = 0;
        message->fds_lost = false;
    }
    while (!is_whole(message)) {
        ssize_t got = receive_next(socket, message);

        if (got < 0 && is_transient(errno))
            return -ERR_AGAIN;
        if (got <= 0) {
            emu_wire_dismiss(message);
            return -ERR_PIPE;
        }
    }
    message->received = 0;
    message->length = message->frame[0] > sizeof(message->body) ? UINT32_MAX : message->frame[0];
    message->fds_lost = message->fds_lost || message->fd_count < message->frame[1];
    if (message->length > 0)
        return 0;
    emu_wire_dismiss(message);
    return -ERR_PIPE;
}
