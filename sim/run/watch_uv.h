/*
 * What the hypervisor seam asks of a loop (struct hv_loop), on libuv: one uv_poll_t a descriptor,
 * found by its number. Knows nothing of what a descriptor means.
 */
#ifndef XENSOCK_SIM_RUN_WATCH_UV_H
#define XENSOCK_SIM_RUN_WATCH_UV_H

#include "sim/hv/hv_emu.h"

struct uv_loop_s;
struct watch_uv_fd;

struct watch_uv {
    struct hv_loop loop; /* first: its callbacks get this address */
    struct uv_loop_s *uv;
    void (*ready)(void *self, int fd); /* readable, or writable where asked for */
    void *self;
    struct watch_uv_fd **by_fd; /* by_fd_count of them */
    int by_fd_count;
};

/* Start watching nothing; every field is set. */
void watch_uv_init(struct watch_uv *watch, struct uv_loop_s *uv, void (*ready)(void *self, int fd),
                   void *self);

/* Free the table. Every descriptor was deleted before; their handles close in the loop's next
 * turn, which needs nothing of `watch`. */
void watch_uv_fini(struct watch_uv *watch);

#endif
