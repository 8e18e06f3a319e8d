/* Descriptors of the hypervisor seam on a libuv loop. See watch_uv.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/watch_uv.h"

#include <stdlib.h>
#include <uv.h>

/* Freed by its close callback, which may run after the watch is gone and touches nothing else. */
struct watch_uv_fd {
    uv_poll_t poll; /* first: the close callback gets its address */
    struct watch_uv *watch;
    int fd;
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch_uv_fd *entry = (struct watch_uv_fd *)(void *)poll;

    (void)status; /* an error shows again when the descriptor is read */
    (void)events;
    entry->watch->ready(entry->watch->self, entry->fd);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Room in the table for descriptor `fd`; descriptors are small numbers. */
static bool make_room(struct watch_uv *watch, int fd)
{
    int count = watch->by_fd_count ? watch->by_fd_count : 64;

    while (count <= fd)
        count *= 2;
    if (count == watch->by_fd_count)
        return true;
    struct watch_uv_fd **grown = realloc(watch->by_fd, (size_t)count * sizeof(*grown));
    if (!grown)
        return false;
    for (int i = watch->by_fd_count; i < count; i++)
        grown[i] = NULL;
    watch->by_fd = grown;
    watch->by_fd_count = count;
    return true;
}

static int fd_add(struct hv_loop *loop, int fd)
{
    struct watch_uv *watch = (struct watch_uv *)(void *)loop;
    struct watch_uv_fd *entry = calloc(1, sizeof(*entry));

    if (!entry || !make_room(watch, fd)) {
        free(entry);
        return -ERR_NOMEM;
    }
    if (uv_poll_init(watch->uv, &entry->poll, fd) < 0) {
        free(entry);
        return -ERR_IO;
    }
    entry->watch = watch;
    entry->fd = fd;
    assert(!watch->by_fd[fd]);
    watch->by_fd[fd] = entry;
    uv_poll_start(&entry->poll, UV_READABLE, on_ready);
    return 0;
}

static void fd_del(struct hv_loop *loop, int fd)
{
    struct watch_uv *watch = (struct watch_uv *)(void *)loop;
    struct watch_uv_fd *entry = watch->by_fd[fd];

    watch->by_fd[fd] = NULL;
    uv_poll_stop(&entry->poll);
    uv_close((uv_handle_t *)&entry->poll, on_closed);
}

static void fd_want(struct hv_loop *loop, int fd, bool reads, bool writes)
{
    struct watch_uv *watch = (struct watch_uv *)(void *)loop;

    uv_poll_start(&watch->by_fd[fd]->poll, (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0),
                  on_ready);
}

void watch_uv_init(struct watch_uv *watch, struct uv_loop_s *uv, void (*ready)(void *self, int fd),
                   void *self)
{
    *watch = (struct watch_uv){
        .loop = {fd_add, fd_del, fd_want}, .uv = uv, .ready = ready, .self = self};
}

void watch_uv_fini(struct watch_uv *watch)
{
    for (int fd = 0; fd < watch->by_fd_count; fd++)
        assert(!watch->by_fd[fd]);
    free(watch->by_fd);
}
