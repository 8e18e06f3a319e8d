/* Real TCP sockets on a libuv loop. See net.h for the contract. */
#ifndef XENSOCK_SIM_NET_NET_UV_H
#define XENSOCK_SIM_NET_NET_UV_H

#include "sim/net/net.h"

#include <uv.h>

/* A socket seam on `loop`. `wake` (with `self`) is called from the loop when a completion was
 * queued outside a submission, so that a turn is run; it may take completions and submit. NULL
 * when out of memory. After net_destroy the handles still close: run the loop once more
 * (uv_run) before uv_loop_close; descriptors and memory are released there, `wake` is not called
 * any more. EV_NET_CLOSE comes after the descriptor was closed. */
struct net *net_uv_create(uv_loop_t *loop, void (*wake)(void *self), void *self);

#endif
