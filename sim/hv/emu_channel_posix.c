/*
 * Event channels as two pipes, one a direction: the notifier alone has the writing end. See
 * emu_channel.h.
 *
 * A byte is a signal; a full pipe is pending already. A drain takes at most 4 KiB, so that a turn
 * is bounded; what is left is one more signal. The hypervisor holds both ends of both pipes while
 * either port is open, so only its death can leave a pipe without a reader or a writer.
 * Unlike with eventfds a hostile process cannot fill what the other side's notify writes to: it has
 * no writing end of that. It can stop reading, which costs nobody's wake-ups but its own.
 * Source: POSIX.1-2008 pipe, write.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_channel.h"

#include "ringlib/err.h"

#include <fcntl.h>
#include <unistd.h>

enum { DRAIN_BYTES = 4096 };

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static int make_pipe(int fds[2])
{
    if (pipe(fds) < 0)
        return emu_os_error();
    for (int i = 0; i < 2; i++) {
        if (fcntl(fds[i], F_SETFL, O_NONBLOCK) < 0 || fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0) {
            int ret = emu_os_error();

            close_both(fds);
            return ret;
        }
    }
    return 0;
}

int emu_channel_create(struct emu_channel_end ends[2])
{
    int pipes[2][2];
    int ret = make_pipe(pipes[0]);

    if (ret < 0)
        return ret;
    ret = make_pipe(pipes[1]);
    if (ret < 0) {
        close_both(pipes[0]);
        return ret;
    }
    for (int i = 0; i < 2; i++) {
        ends[i].receive = emu_file_new(pipes[i][0]);
        ends[1 - i].send = emu_file_new(pipes[i][1]);
    }
    return 0;
}

uint32_t emu_channel_fds(void)
{
    return 4;
}

void emu_channel_signal(int send)
{
    /* EAGAIN: the pipe is full, so it is pending. EPIPE: nobody is left to tell. */
    ssize_t ignored = write(send, "", 1);
    (void)ignored;
}

int emu_channel_drain(int receive)
{
    char bytes[DRAIN_BYTES];
    ssize_t got = read(receive, bytes, sizeof(bytes));

    if (got == 0)
        return -ERR_PIPE;
    return got > 0;
}
