/*
 * A domain as a process: the client end of an emulated hypervisor, over `domain-N.sock` in the
 * runtime directory. Grants are memory files, event channels pairs of descriptors; notify does not
 * involve the hypervisor process.
 * unmap, unshare and port_close complete here, without the hypervisor, which is told one way. So
 * many requests may wait for the hypervisor that more complete with -ERR_NOBUFS. A map of more than
 * 253 distinct runs completes with -ERR_NOSPC; where the host's page is larger than 4096, one that
 * is not a single consecutive range of one run with -ERR_INVAL; -ERR_MFILE where descriptors ran
 * out.
 * What differs among hosts is behind emu_memory.h, emu_channel.h and emu_wire.h.
 */
#ifndef XENSOCK_SIM_HV_HV_EMU_H
#define XENSOCK_SIM_HV_HV_EMU_H

#include "sim/hv/hv.h"

/* What a loop offers: tell hv_emu_ready (or emu_server_ready) when `fd` is readable,
 * level-triggered, until fd_del. fd_want says for what from then on: to write only while more waits
 * to be sent than the socket takes, not to read only while what was sent must be taken first; one
 * of both it is always. `fd` is still open in each of these calls. */
struct hv_loop {
    int (*fd_add)(struct hv_loop *loop, int fd); /* 0 or -ERR_* */
    void (*fd_del)(struct hv_loop *loop, int fd);
    void (*fd_want)(struct hv_loop *loop, int fd, bool reads, bool writes);
};

/* Connect as domain `domid`; waits for the hypervisor's socket and its hello, at most `timeout_ms`
 * in all, so that either may be started first. NULL with *error = -ERR_*: NOENT (no such runtime or
 * domain appeared), BUSY (the domain is already connected), ACCES (the directory is not ours),
 * INVAL (the path is too long for a socket), TIMEDOUT (no hello), NODEV (no hypervisor of this
 * version), MFILE. */
struct hv *hv_emu_open(const char *runtime, uint16_t domid, struct hv_loop *loop,
                       uint32_t timeout_ms, int *error);

/* An fd of ours became readable or writable: what it meant is then taken with hv_next. An fd that
 * is not ours any more is ignored. hv_unmask, too, can make hv_next yield events. */
void hv_emu_ready(struct hv *hv, int fd);

/* Whether the hypervisor has gone away. From then on every op completes with -ERR_NODEV, but undo
 * (unshare, unmap, port_close, store_unwatch), which never fails; memory and channels stay usable.
 * It becomes so in hv_emu_ready of the connection and nowhere else: a loop asks after each. */
bool hv_emu_lost(const struct hv *hv);

#endif
