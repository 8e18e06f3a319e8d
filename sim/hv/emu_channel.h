/*
 * An event channel between processes: a receiving and a sending descriptor for each side.
 *
 * Signals coalesce: any number before a drain are one. Nothing waits. The hypervisor makes the
 * channel at allocation and is not in the data path.
 * Not a defence: a hostile process that holds a descriptor can misuse it (clear O_NONBLOCK, fill
 * the counter); hostile peers of the protocol are in scope, hostile processes are not.
 * Chosen at link time: emu_channel_linux.c (eventfds), emu_channel_posix.c (pipes).
 * Source: architecture 3 ("An event channel end is an eventfd").
 */
#ifndef XENSOCK_SIM_HV_EMU_CHANNEL_H
#define XENSOCK_SIM_HV_EMU_CHANNEL_H

#include "sim/hv/emu_queue.h"

/* One side's descriptors, close-on-exec and non-blocking. What one side sends the other receives;
 * where the host allows it that is one descriptor with two holders. */
struct emu_channel_end {
    struct emu_file *receive;
    struct emu_file *send;
};

/* Make a channel; each of the four members is held once, by the caller. 0, or -ERR_MFILE,
 * -ERR_NFILE, -ERR_NOMEM with nothing left over. */
int emu_channel_create(struct emu_channel_end ends[2]);

/* How many descriptors it takes its maker. */
uint32_t emu_channel_fds(void);

/* Signal the other side; also succeeds when it is signalled already or gone. */
void emu_channel_signal(int send);

/* Take what was signalled, all of it or (pipes) a part that bounds the turn: whether there was
 * anything, 0 or 1; -ERR_PIPE: nobody is left to signal, and the descriptor stays readable. */
int emu_channel_drain(int receive);

#endif
