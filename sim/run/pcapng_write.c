/* Writing pcapng. See pcapng_write.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/pcapng_write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    MAGIC = 0x1a2b3c4d,
    OPTION_END = 0,
    OPTION_NAME = 2,        /* if_name */
    OPTION_FLAGS = 2,       /* epb_flags */
    OPTION_APPLICATION = 4, /* shb_userappl */
    OPTION_RECEIVED = 4,    /* isb_ifrecv */
    OPTION_DROPPED = 5,     /* isb_ifdrop */
    OPTION_RESOLUTION = 9,  /* if_tsresol */
};

enum { BUFFER_BYTES = 256 * 1024, BLOCK_MAX = PCAPNG_PACKET_MAX + 1024 };

struct pcapng_writer {
    int fd, error;    /* error: the errno of what failed first, or 0 */
    uint64_t written; /* bytes of whole blocks in the file, */
    uint64_t packets; /* and how many of these are packets */
    uint32_t used;    /* of the buffer, */
    uint32_t whole;   /* and of it whole blocks */
    uint8_t buffer[BUFFER_BYTES];
};

/* ---- the file ---- */

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Of the buffer's first `count` bytes, which are in the file, the blocks that are whole. */
static uint32_t count_blocks(struct pcapng_writer *writer, uint32_t count)
{
    uint32_t at = 0;

    while (at < count && get32(writer->buffer + at + 4) <= count - at) {
        writer->packets += get32(writer->buffer + at) == BLOCK_PACKET ? 1u : 0u;
        at += get32(writer->buffer + at + 4);
    }
    return at;
}

/* Whole blocks go out. If not all of them can, the file is cut back to the last that could. */
static void flush(struct pcapng_writer *writer)
{
    uint32_t done = 0;

    while (writer->error == 0 && done < writer->whole) {
        ssize_t count = write(writer->fd, writer->buffer + done, writer->whole - done);
        if (count > 0)
            done += (uint32_t)count;
        else if (count == 0 || errno != EINTR)
            writer->error = count == 0 ? EIO : errno;
    }
    uint32_t whole = count_blocks(writer, done);
    writer->written += whole;
    if (whole < done && ftruncate(writer->fd, (off_t)writer->written) < 0)
        writer->packets = 0; /* nobody knows */
    writer->used = writer->whole = 0;
}

static void put(struct pcapng_writer *writer, const void *bytes, uint32_t count)
{
    assert(writer->used + count <= BUFFER_BYTES);
    memcpy(writer->buffer + writer->used, bytes, count);
    writer->used += count;
}

static void put16(struct pcapng_writer *writer, uint16_t value)
{
    put(writer, (uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8)}, 2);
}

static void put32(struct pcapng_writer *writer, uint32_t value)
{
    put16(writer, (uint16_t)value);
    put16(writer, (uint16_t)(value >> 16));
}

/* The upper half first, which is the format's own idea. */
static void put_time(struct pcapng_writer *writer, uint64_t time)
{
    put32(writer, (uint32_t)(time >> 32));
    put32(writer, (uint32_t)time);
}

static void put_padded(struct pcapng_writer *writer, const void *bytes, uint32_t count)
{
    put(writer, bytes, count);
    put(writer, "\0\0", -count & 3);
}

static void put_option(struct pcapng_writer *writer, uint16_t code, const void *bytes,
                       uint16_t count)
{
    put16(writer, code);
    put16(writer, count);
    put_padded(writer, bytes, count);
}

static void put_option64(struct pcapng_writer *writer, uint16_t code, uint64_t value)
{
    put16(writer, code);
    put16(writer, 8);
    put32(writer, (uint32_t)value);
    put32(writer, (uint32_t)(value >> 32));
}

/* ---- blocks ---- */

static void begin(struct pcapng_writer *writer, uint32_t type)
{
    if (writer->used + BLOCK_MAX > BUFFER_BYTES)
        flush(writer);
    put32(writer, type);
    put32(writer, 0); /* the length, when it is known */
}

static void end(struct pcapng_writer *writer)
{
    uint32_t bytes;

    put32(writer, OPTION_END);
    bytes = writer->used - writer->whole + 4;
    put32(writer, bytes);
    memcpy(writer->buffer + writer->whole + 4, writer->buffer + writer->used - 4, 4);
    writer->whole = writer->used;
}

int pcapng_create(const char *path, const char *application, struct pcapng_writer **writer)
{
    struct pcapng_writer *made = calloc(1, sizeof(*made));

    assert(made && strlen(application) <= PCAPNG_NAME_MAX);
    made->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (made->fd < 0) {
        int error = errno;
        free(made);
        return -error;
    }
    begin(made, BLOCK_SECTION);
    put32(made, MAGIC);
    put16(made, 1); /* version 1.0 */
    put16(made, 0);
    put32(made, UINT32_MAX); /* how long the section is: not said */
    put32(made, UINT32_MAX);
    put_option(made, OPTION_APPLICATION, application, (uint16_t)strlen(application));
    end(made);
    *writer = made;
    return 0;
}

void pcapng_interface(struct pcapng_writer *writer, uint16_t linktype, const char *name,
                      uint8_t resolution)
{
    assert(strlen(name) <= PCAPNG_NAME_MAX);
    begin(writer, BLOCK_INTERFACE);
    put16(writer, linktype);
    put16(writer, 0);
    put32(writer, 0); /* packets are of any length */
    put_option(writer, OPTION_NAME, name, (uint16_t)strlen(name));
    put_option(writer, OPTION_RESOLUTION, &resolution, 1);
    end(writer);
}

void pcapng_packet(struct pcapng_writer *writer, const struct pcapng_packet *packet)
{
    assert(packet->count <= PCAPNG_PACKET_MAX);
    begin(writer, BLOCK_PACKET);
    put32(writer, packet->interface);
    put_time(writer, packet->time);
    put32(writer, packet->count); /* of it captured, */
    put32(writer, packet->count); /* and sent */
    put_padded(writer, packet->bytes, packet->count);
    put16(writer, OPTION_FLAGS);
    put16(writer, 4);
    put32(writer, packet->way);
    end(writer);
}

void pcapng_statistics(struct pcapng_writer *writer, const struct pcapng_statistics *statistics)
{
    begin(writer, BLOCK_STATISTICS);
    put32(writer, statistics->interface);
    put_time(writer, statistics->time);
    put_option64(writer, OPTION_RECEIVED, statistics->received);
    put_option64(writer, OPTION_DROPPED, statistics->dropped);
    end(writer);
}

int pcapng_finish(struct pcapng_writer *writer, uint64_t *packets)
{
    flush(writer);
    if (close(writer->fd) != 0 && writer->error == 0)
        writer->error = errno;
    *packets = writer->packets;
    int error = writer->error;
    free(writer);
    return -error;
}
