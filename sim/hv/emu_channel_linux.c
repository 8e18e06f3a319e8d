/*
 * Event channels as a pair of eventfds: each side reads its own and writes the other's. See
 * emu_channel.h.
 * Source: eventfd(2).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/emu_channel.h"

#include "ringlib/err.h"

#include <sys/eventfd.h>
#include <unistd.h>

int emu_channel_create(struct emu_channel_end ends[2])
{
    int fds[2];

    for (int i = 0; i < 2; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (fds[i] < 0) {
            int ret = emu_os_error();

            if (i == 1)
                close(fds[0]);
            return ret;
        }
    }
    for (int i = 0; i < 2; i++)
        ends[i].receive = emu_file_new(fds[i]);
    for (int i = 0; i < 2; i++)
        ends[i].send = emu_file_hold(ends[1 - i].receive);
    return 0;
}

uint32_t emu_channel_fds(void)
{
    return 2;
}

void emu_channel_signal(int send)
{
    const uint64_t one = 1;

    /* EAGAIN: the counter is full, so it is pending already, which is success. Nothing else can
     * happen to an eventfd of ours, whoever holds the other end. */
    ssize_t ignored = write(send, &one, sizeof(one));
    (void)ignored;
}

int emu_channel_drain(int receive)
{
    uint64_t count;

    return read(receive, &count, sizeof(count)) == (ssize_t)sizeof(count);
}
