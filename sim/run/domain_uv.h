/*
 * A domain's process on a libuv loop: its hypervisor handle, its executor, and when to turn.
 *
 * A turn is run after each look at the descriptors; while a turn leaves work, the loop does not
 * sleep. The clock is read here, once a turn, and nowhere below.
 */
#ifndef XENSOCK_SIM_RUN_DOMAIN_UV_H
#define XENSOCK_SIM_RUN_DOMAIN_UV_H

#include "sim/net/net.h"
#include "sim/run/exec.h"

struct uv_loop_s;
struct domain_uv;

struct domain_uv_config {
    const char *runtime;
    uint16_t domid;
    bool sockets;         /* a backend: with a socket seam */
    uint32_t max_devices; /* of the executor */
    enum exec_notify notify;
    uint32_t timeout_ms; /* to wait for the hypervisor */
    void *self;
    /* The hypervisor went away; called once, from the loop. */
    void (*lost)(void *self);
    /* After each turn, with its time; NULL: none. May make calls, and says when it wants to be
     * called again at the latest (STEP_NEVER: no need). */
    uint64_t (*turned)(void *self, uint64_t now_ns);
};

/* Connect to the hypervisor and set everything up. NULL with *error = -ERR_* of hv_emu_open. */
struct domain_uv *domain_uv_open(struct uv_loop_s *uv, const struct domain_uv_config *config,
                                 int *error);

/* Leave the hypervisor, which to the others is this domain's death, and free. The cores were
 * removed or are forgotten; the loop must turn once more for its handles to close. */
void domain_uv_close(struct domain_uv *domain);

/* Its executor, to add cores to. */
struct exec *domain_uv_exec(struct domain_uv *domain);

/* What its seams counted; all zero for sockets it does not have. */
const struct hv_counters *domain_uv_hv(const struct domain_uv *domain);
const struct net_counters *domain_uv_net(const struct domain_uv *domain);

/* Run a turn soon, without sleeping before: something was posted or called outside of one. */
void domain_uv_kick(struct domain_uv *domain);

#endif
