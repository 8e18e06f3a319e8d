/*
 * A domain's handle in an emulated run: connection, waiting, what is done. See hv_emu.h.
 *
 * Completions are taken before ports: a port's first event never overtakes the completion that
 * gives the port. The hypervisor is no adversary, but may be killed at any moment: a message that
 * it would not send counts as its death.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_channel.h"
#include "sim/hv/emu_runtime.h"
#include "sim/hv/hv_emu_private.h"

#include "ringlib/err.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    MESSAGES_PER_CALL = 64, /* so that a burst of watch events does not starve ports */
    RETRY_FIRST_MS = 1,     /* waiting for the hypervisor to make our socket */
    RETRY_LAST_MS = 20,
};

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void *hv_emu_grow(void *array, uint32_t *count, uint32_t wanted, size_t bytes)
{
    uint32_t new_count = *count;

    if (wanted <= new_count)
        return array;
    while (new_count < wanted)
        new_count = new_count < 16 ? 16 : new_count * 2;
    array = realloc(array, new_count * bytes);
    if (!array)
        abort(); /* as emu_new */
    memset((unsigned char *)array + *count * bytes, 0, (new_count - *count) * bytes);
    *count = new_count;
    return array;
}

void hv_emu_push(struct emu_ops *ops, struct emu_op *op)
{
    op->next = NULL;
    if (ops->tail)
        ops->tail->next = op;
    else
        ops->head = op;
    ops->tail = op;
}

struct emu_op *hv_emu_pop(struct emu_ops *ops)
{
    struct emu_op *op = ops->head;

    if (!op)
        return NULL;
    ops->head = op->next;
    if (!ops->head)
        ops->tail = NULL;
    return op;
}

static void op_free(struct emu_op *op)
{
    if (op)
        free(op->extra);
    free(op);
}

static void update_want_write(struct hv_emu *emu)
{
    bool want = emu_queue_waits(&emu->queue);

    if (want == emu->wants_write)
        return;
    emu->wants_write = want;
    emu->loop->fd_want(emu->loop, emu->queue.socket, true, want);
}

void hv_emu_send(struct hv_emu *emu, const void *bytes, uint32_t length, struct emu_file *file)
{
    if (emu->queue.socket < 0)
        return;
    if (emu_queue_send(&emu->queue, bytes, length, &file, file ? 1 : 0) < 0)
        emu_wire_end(emu->queue.socket);
    else
        update_want_write(emu);
}

static void disconnect(struct hv_emu *emu)
{
    if (emu->queue.socket < 0)
        return;
    emu->loop->fd_del(emu->loop, emu->queue.socket);
    close(emu->queue.socket);
    emu_queue_clear(&emu->queue);
    emu->queue.socket = -1;
    emu->polls[0].fd = -1;
}

void hv_emu_lose(struct hv_emu *emu)
{
    struct emu_op *op;

    disconnect(emu);
    while ((op = hv_emu_pop(&emu->pending)))
        hv_emu_fail(emu, op, -ERR_NODEV);
}

bool hv_emu_lost(const struct hv *hv)
{
    return ((const struct hv_emu *)(const void *)hv)->queue.socket < 0;
}

static void receive(struct hv_emu *emu)
{
    if (emu_queue_flush(&emu->queue) < 0) {
        hv_emu_lose(emu);
        return;
    }
    update_want_write(emu);
    for (int i = 0; i < MESSAGES_PER_CALL && emu->queue.socket >= 0; i++) {
        int ret = emu_wire_receive(emu->queue.socket, &emu->in);

        if (ret == -ERR_AGAIN)
            return;
        if (ret < 0 || !hv_emu_answer(emu))
            hv_emu_lose(emu);
        emu_wire_dismiss(&emu->in);
    }
}

void hv_emu_ready(struct hv *hv, int fd)
{
    struct hv_emu *emu = hv_emu_of(hv);
    uint32_t port = hv_emu_port_of(emu, fd);

    if (port != 0) {
        int ret = emu_channel_drain(fd);

        if (ret > 0)
            hv_emu_port_pend(emu, port);
        else if (ret < 0)
            hv_emu_port_deafen(emu, port);
    } else if (fd >= 0 && fd == emu->queue.socket) {
        receive(emu);
    }
}

bool hv_emu_next(struct hv *hv, struct ev *ev)
{
    struct hv_emu *emu = hv_emu_of(hv);

    op_free(emu->given);
    emu->given = hv_emu_pop(&emu->done);
    if (!emu->given)
        return hv_emu_port_next(emu, ev);
    *ev = emu->given->ev;
    return true;
}

static bool has_events(const struct hv_emu *emu)
{
    return emu->done.head || emu->ready_head != 0;
}

/* The connection comes last: what it brings can move `polls`. */
static void poll_once(struct hv_emu *emu)
{
    if (poll(emu->polls, emu->end_count, 0) <= 0)
        return;
    for (uint32_t i = emu->end_count; i-- > 0;) {
        if (emu->polls[i].fd >= 0 && emu->polls[i].revents != 0)
            hv_emu_ready(&emu->hv, emu->polls[i].fd);
    }
}

void hv_emu_wait(struct hv *hv, uint64_t spin_ns)
{
    struct hv_emu *emu = hv_emu_of(hv);
    uint64_t start_ns = clock_ns();

    while (!has_events(emu)) {
        poll_once(emu);
        if (clock_ns() - start_ns >= spin_ns)
            return;
    }
}

static void ops_free(struct emu_ops *ops)
{
    struct emu_op *op;

    while ((op = hv_emu_pop(ops)))
        op_free(op);
}

void hv_emu_close(struct hv *hv)
{
    struct hv_emu *emu = hv_emu_of(hv);

    disconnect(emu);
    ops_free(&emu->pending);
    ops_free(&emu->done);
    op_free(emu->given);
    emu_wire_dismiss(&emu->in);
    hv_emu_requests_fini(emu);
    hv_emu_ports_fini(emu);
    free(emu);
}

/* One attempt to connect: the socket, or -ERR_*; -ERR_NOENT is worth another. */
static int try_connect(const char *runtime, const struct sockaddr_un *address)
{
    int ret = emu_runtime_check(runtime);
    int fd, number;

    if (ret < 0)
        return ret;
    fd = emu_wire_socket();
    if (fd < 0)
        return -ERR_MFILE;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return fd;
    number = errno;
    close(fd);
    switch (number) {
    case ENOENT:
    case ECONNREFUSED: /* a leftover, or not listening yet */
    case EAGAIN: return -ERR_NOENT;
    default: return -ERR_ACCES;
    }
}

static int connect_until(const char *runtime, uint16_t domid, uint64_t deadline_ns)
{
    struct sockaddr_un address;
    int delay_ms = RETRY_FIRST_MS;

    if (!emu_runtime_address(runtime, domid, &address))
        return -ERR_INVAL;
    for (;;) {
        int fd = try_connect(runtime, &address);

        if (fd != -ERR_NOENT || clock_ns() >= deadline_ns)
            return fd;
        poll(NULL, 0, delay_ms);
        delay_ms = delay_ms * 2 < RETRY_LAST_MS ? delay_ms * 2 : RETRY_LAST_MS;
    }
}

static int check_hello(struct emu_message *message, uint16_t domid)
{
    const struct emu_hello *hello = &message->body.hello;
    bool proper = message->length == sizeof(*hello) && message->fd_count == 0 &&
                  hello->head.kind == EMU_HELLO && hello->version == EMU_VERSION &&
                  hello->domid == domid;

    emu_wire_dismiss(message);
    return proper ? hello->head.ret : -ERR_NODEV;
}

/* 0; -ERR_BUSY and whatever else the hypervisor says; -ERR_NODEV, -ERR_TIMEDOUT. */
static int await_hello(int fd, uint16_t domid, uint64_t deadline_ns, struct emu_message *message)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    for (;;) {
        uint64_t now_ns = clock_ns();
        int left_ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / 1000000u) + 1 : 0;

        if (poll(&poll_fd, 1, left_ms) > 0) {
            int ret = emu_wire_receive(fd, message);

            if (ret == 0)
                return check_hello(message, domid);
            if (ret != -ERR_AGAIN)
                return -ERR_NODEV;
        }
        if (left_ms == 0)
            return -ERR_TIMEDOUT;
    }
}

static struct hv_emu *emu_create(uint16_t domid, struct hv_loop *loop)
{
    struct hv_emu *emu = emu_new(sizeof(*emu));

    emu->hv.ops = &hv_emu_ops;
    emu->hv.domid = domid;
    emu->loop = loop;
    emu->queue.socket = -1;
    emu->area_free = UINT32_MAX;
    return emu;
}

struct hv *hv_emu_open(const char *runtime, uint16_t domid, struct hv_loop *loop,
                       uint32_t timeout_ms, int *error)
{
    uint64_t deadline_ns = clock_ns() + timeout_ms * UINT64_C(1000000);
    int fd = connect_until(runtime, domid, deadline_ns);
    struct hv_emu *emu;
    int ret;

    assert(loop->fd_add && loop->fd_del && loop->fd_want);
    if (fd < 0) {
        *error = fd;
        return NULL;
    }
    emu = emu_create(domid, loop);
    ret = await_hello(fd, domid, deadline_ns, &emu->in);
    if (ret == 0)
        ret = loop->fd_add(loop, fd);
    if (ret < 0) {
        *error = ret;
        close(fd);
        free(emu);
        return NULL;
    }
    emu->queue.socket = fd;
    emu->polls = hv_emu_grow(emu->polls, &emu->end_count, 1, sizeof(*emu->polls));
    for (uint32_t i = 0; i < emu->end_count; i++)
        emu->polls[i] = (struct pollfd){.fd = i == 0 ? fd : -1, .events = POLLIN};
    emu->ends = emu_new(emu->end_count * sizeof(*emu->ends));
    return &emu->hv;
}
