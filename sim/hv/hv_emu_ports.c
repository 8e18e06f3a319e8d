/*
 * Event channels of a domain process: delivery, masking. See hv_emu.h, emu_channel.h.
 *
 * A descriptor is added to the loop once, for the life of its port; masking is a flag of ours, so
 * that a wake-up costs one read and no epoll_ctl. Nothing here allocates but opening a port.
 * Source: architecture 3; the 2-level event channel ABI for pending and masked.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_channel.h"
#include "sim/hv/hv_emu_private.h"

#include "ringlib/err.h"

#include <stdlib.h>
#include <unistd.h>

bool hv_emu_port_is(const struct hv_emu *emu, uint32_t port)
{
    return port < emu->end_count && emu->ends[port].used;
}

uint32_t hv_emu_port_of(const struct hv_emu *emu, int fd)
{
    return fd >= 0 && (uint32_t)fd < emu->fd_count ? emu->port_of_fd[fd] : 0;
}

static void make_room(struct hv_emu *emu, uint32_t port, int fd)
{
    uint32_t count = emu->end_count;

    emu->polls = hv_emu_grow(emu->polls, &count, port + 1, sizeof(*emu->polls));
    for (uint32_t i = emu->end_count; i < count; i++)
        emu->polls[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    emu->ends = hv_emu_grow(emu->ends, &emu->end_count, port + 1, sizeof(*emu->ends));
    emu->port_of_fd =
        hv_emu_grow(emu->port_of_fd, &emu->fd_count, (uint32_t)fd + 1, sizeof(*emu->port_of_fd));
}

int hv_emu_port_open(struct hv_emu *emu, uint32_t port, uint64_t token, const int fds[2])
{
    int ret = emu->loop->fd_add(emu->loop, fds[0]);

    if (ret < 0) {
        close(fds[0]);
        close(fds[1]);
        return ret;
    }
    make_room(emu, port, fds[0]);
    emu->ends[port] =
        (struct emu_end){.used = true, .receive = fds[0], .send = fds[1], .token = token};
    emu->polls[port].fd = fds[0];
    emu->port_of_fd[fds[0]] = port;
    hv_count_ports(&emu->hv, 1);
    return 0;
}

static void unqueue(struct hv_emu *emu, uint32_t port)
{
    uint32_t previous = 0;

    for (uint32_t i = emu->ready_head; i != port; i = emu->ends[i].next_ready)
        previous = i;
    if (previous == 0)
        emu->ready_head = emu->ends[port].next_ready;
    else
        emu->ends[previous].next_ready = emu->ends[port].next_ready;
    if (emu->ready_tail == port)
        emu->ready_tail = previous;
}

void hv_emu_port_deafen(struct hv_emu *emu, uint32_t port)
{
    int fd = emu->polls[port].fd;

    if (fd < 0)
        return;
    emu->loop->fd_del(emu->loop, fd);
    emu->polls[port].fd = -1;
    emu->port_of_fd[fd] = 0;
}

void hv_emu_port_close(struct hv_emu *emu, uint32_t port)
{
    struct emu_end *end = &emu->ends[port];

    assert(hv_emu_port_is(emu, port));
    if (end->queued)
        unqueue(emu, port);
    hv_emu_port_deafen(emu, port);
    close(end->receive);
    close(end->send);
    *end = (struct emu_end){0};
    hv_count_ports(&emu->hv, -1);
}

static void queue(struct hv_emu *emu, uint32_t port)
{
    struct emu_end *end = &emu->ends[port];

    if (end->queued)
        return;
    end->queued = true;
    end->next_ready = 0;
    if (emu->ready_tail != 0)
        emu->ends[emu->ready_tail].next_ready = port;
    else
        emu->ready_head = port;
    emu->ready_tail = port;
}

void hv_emu_port_pend(struct hv_emu *emu, uint32_t port)
{
    if (emu->ends[port].masked)
        emu->ends[port].pending = true;
    else
        queue(emu, port);
}

bool hv_emu_port_next(struct hv_emu *emu, struct ev *ev)
{
    uint32_t port = emu->ready_head;

    if (port == 0)
        return false;
    unqueue(emu, port);
    emu->ends[port].queued = false;
    emu->ends[port].masked = true;
    memset(ev, 0, sizeof(*ev));
    ev->kind = EV_PORT;
    ev->token = emu->ends[port].token;
    ev->port = port;
    return true;
}

int hv_emu_notify(struct hv *hv, uint32_t port)
{
    const struct hv_emu *emu = hv_emu_of(hv);

    if (!hv_emu_port_is(emu, port))
        return -ERR_NOTCONN;
    emu_channel_signal(emu->ends[port].send);
    return 0;
}

int hv_emu_unmask(struct hv *hv, uint32_t port)
{
    struct hv_emu *emu = hv_emu_of(hv);

    if (!hv_emu_port_is(emu, port))
        return 0;
    emu->ends[port].masked = false;
    if (emu->ends[port].pending) {
        emu->ends[port].pending = false;
        queue(emu, port);
    }
    return 0;
}

void hv_emu_ports_fini(struct hv_emu *emu)
{
    for (uint32_t port = 1; port < emu->end_count; port++) {
        if (emu->ends[port].used)
            hv_emu_port_close(emu, port);
    }
    free(emu->ends);
    free(emu->polls);
    free(emu->port_of_fd);
}
