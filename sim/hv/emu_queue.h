/*
 * What waits to be sent on one control connection, with the descriptors it carries.
 *
 * Sends at once while nothing waits, else keeps order; never blocks, never loses. How much may wait
 * is the owner's decision: it asks emu_queue_full before. Knows no kind of message.
 */
#ifndef XENSOCK_SIM_HV_EMU_QUEUE_H
#define XENSOCK_SIM_HV_EMU_QUEUE_H

#include "sim/hv/emu_wire.h"

enum {
    EMU_QUEUE_BYTES_MAX = 4 << 20, /* full: thousands of answers unread */
};

/* A descriptor with several holders: a run's memory in the tables and in waiting answers. */
struct emu_file {
    int fd;
    uint32_t holders;
};

struct emu_packet;

/* Empty when all zero but the socket, which stays the owner's. */
struct emu_queue {
    int socket;
    struct emu_packet *head;
    struct emu_packet *tail;
    uint64_t bytes; /* that wait, each packet's own overhead included */
};

/* Memory of `bytes` zeroed bytes for bookkeeping of the control path. Never NULL: a process that
 * cannot get a few hundred bytes cannot report it either, and ends. Freed with free(). */
void *emu_new(size_t bytes);

/* What errno says of a descriptor or memory that could not be made: -ERR_MFILE, -ERR_NFILE or
 * -ERR_NOMEM. */
int emu_os_error(void);

/* Take over `fd`, with one holder. */
struct emu_file *emu_file_new(int fd);

/* One more holder. */
struct emu_file *emu_file_hold(struct emu_file *file);

/* One holder less; the last closes the descriptor. */
void emu_file_drop(struct emu_file *file);

/* Send a packet or let it wait; it holds its files while it waits. 0, or -ERR_PIPE (the connection
 * is gone). The caller watches for writability while emu_queue_waits. */
int emu_queue_send(struct emu_queue *queue, const void *bytes, uint32_t length,
                   struct emu_file *const *files, uint32_t file_count);

/* Send what waits as far as it goes. 0, or -ERR_PIPE. */
int emu_queue_flush(struct emu_queue *queue);

/* Whether anything waits. */
bool emu_queue_waits(const struct emu_queue *queue);

/* Whether as much waits as should. */
bool emu_queue_full(const struct emu_queue *queue);

/* Forget what waits. */
void emu_queue_clear(struct emu_queue *queue);

#endif
