/* Waiting packets of one control connection. See emu_queue.h. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_queue.h"

#include "ringlib/err.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct emu_packet {
    struct emu_packet *next;
    struct emu_file **files;
    uint32_t file_count;
    uint32_t length;
    uint32_t left; /* of a packet begun: bytes to send; 0: not begun */
    unsigned char bytes[];
};

void *emu_new(size_t bytes)
{
    void *memory = calloc(1, bytes);

    if (!memory)
        abort();
    return memory;
}

int emu_os_error(void)
{
    switch (errno) {
    case EMFILE: return -ERR_MFILE;
    case ENFILE: return -ERR_NFILE;
    default: return -ERR_NOMEM;
    }
}

struct emu_file *emu_file_new(int fd)
{
    struct emu_file *file = emu_new(sizeof(*file));

    *file = (struct emu_file){.fd = fd, .holders = 1};
    return file;
}

struct emu_file *emu_file_hold(struct emu_file *file)
{
    file->holders++;
    return file;
}

void emu_file_drop(struct emu_file *file)
{
    assert(file->holders > 0);
    if (--file->holders > 0)
        return;
    close(file->fd);
    free(file);
}

static int send_now(const struct emu_queue *queue, const void *bytes, uint32_t length,
                    struct emu_file *const *files, uint32_t file_count)
{
    int fds[EMU_FDS_MAX];

    assert(file_count <= EMU_FDS_MAX);
    for (uint32_t i = 0; i < file_count; i++)
        fds[i] = files[i]->fd;
    return emu_wire_send(queue->socket, bytes, length, fds, file_count);
}

static uint64_t packet_bytes(const struct emu_packet *packet)
{
    return sizeof(*packet) + packet->length + packet->file_count * sizeof(*packet->files);
}

static void packet_free(struct emu_packet *packet)
{
    for (uint32_t i = 0; i < packet->file_count; i++)
        emu_file_drop(packet->files[i]);
    free(packet->files);
    free(packet);
}

static void append(struct emu_queue *queue, struct emu_packet *packet)
{
    if (queue->tail)
        queue->tail->next = packet;
    else
        queue->head = packet;
    queue->tail = packet;
    queue->bytes += packet_bytes(packet);
}

static void remove_head(struct emu_queue *queue)
{
    struct emu_packet *packet = queue->head;

    queue->head = packet->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->bytes -= packet_bytes(packet);
    packet_free(packet);
}

int emu_queue_send(struct emu_queue *queue, const void *bytes, uint32_t length,
                   struct emu_file *const *files, uint32_t file_count)
{
    struct emu_packet *packet;
    uint32_t left = 0;

    if (!queue->head) {
        int ret = send_now(queue, bytes, length, files, file_count);

        if (ret <= 0 && ret != -ERR_AGAIN)
            return ret;
        left = ret > 0 ? (uint32_t)ret : 0;
    }
    packet = emu_new(sizeof(*packet) + length);
    packet->length = length;
    packet->left = left;
    packet->file_count = file_count;
    memcpy(packet->bytes, bytes, length);
    if (file_count > 0)
        packet->files = emu_new(file_count * sizeof(*packet->files));
    for (uint32_t i = 0; i < file_count; i++)
        packet->files[i] = emu_file_hold(files[i]);
    append(queue, packet);
    return 0;
}

static int send_packet(const struct emu_queue *queue, const struct emu_packet *packet)
{
    if (packet->left > 0)
        return emu_wire_send_rest(queue->socket, packet->bytes, packet->length, packet->file_count,
                                  packet->left);
    return send_now(queue, packet->bytes, packet->length, packet->files, packet->file_count);
}

int emu_queue_flush(struct emu_queue *queue)
{
    while (queue->head) {
        struct emu_packet *packet = queue->head;
        int ret = send_packet(queue, packet);

        if (ret > 0)
            packet->left = (uint32_t)ret;
        if (ret > 0 || ret == -ERR_AGAIN)
            return 0;
        if (ret < 0)
            return ret;
        remove_head(queue);
    }
    return 0;
}

bool emu_queue_waits(const struct emu_queue *queue)
{
    return queue->head != NULL;
}

bool emu_queue_full(const struct emu_queue *queue)
{
    return queue->bytes >= EMU_QUEUE_BYTES_MAX;
}

void emu_queue_clear(struct emu_queue *queue)
{
    while (queue->head)
        remove_head(queue);
}
