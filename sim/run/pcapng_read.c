/* Blocks of a pcapng file, and the packets in them. See pcapng_read.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/pcapng_read.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a, /* the same in either byte order */
    BLOCK_INTERFACE = 1,
    BLOCK_OLD_PACKET = 2, /* these two carry packets no capture of ours has; they count */
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BLOCK_FRAME = 12, /* type, length, and the length once more */

    SECTION_BYTES = 16, /* the parts of fixed length of bodies */
    INTERFACE_BYTES = 8,
    STATISTICS_BYTES = 12,
    PACKET_BYTES = 20,

    OPTION_END = 0,        /* a code says different things in different blocks */
    OPTION_DROPPED = 5,    /* isb_ifdrop */
    OPTION_RESOLUTION = 9, /* if_tsresol */
    OPTION_SINCE = 14,     /* if_tsoffset */

    RESOLUTION_USUAL = 6, /* of an interface that names none */
    TENS_MAX = 19,        /* 10^19 is the last that fits 64 bits */
    TWOS_MAX = 63,
};

#define NS_PER_S UINT64_C(1000000000)

struct pcapng_reader {
    FILE *in;
    uint64_t offset;  /* of what is read next */
    uint64_t packets; /* met so far */
    bool is_big;      /* of the section: its numbers are big-endian */
    bool has_section;
    uint64_t block; /* offset of the one being read */
    uint32_t type;
    uint32_t body_bytes, body_room;
    uint8_t *body;               /* of those that are kept */
    uint32_t first, count, room; /* the section's first interface, all of them */
    struct pcapng_read_interface *interfaces;
};

bool pcapng_fault(struct pcapng_fault *fault, uint64_t offset, const char *format, ...)
{
    va_list arguments;

    fault->offset = offset;
    va_start(arguments, format);
    vsnprintf(fault->what, sizeof(fault->what), format, arguments);
    va_end(arguments);
    return false;
}

struct pcapng_reader *pcapng_read_open(FILE *in)
{
    struct pcapng_reader *file = calloc(1, sizeof(*file));

    assert(file);
    file->in = in;
    return file;
}

void pcapng_read_close(struct pcapng_reader *file)
{
    free(file->interfaces);
    free(file->body);
    free(file);
}

uint32_t pcapng_read_interfaces(const struct pcapng_reader *file)
{
    return file->count;
}

const struct pcapng_read_interface *pcapng_read_interface(const struct pcapng_reader *file,
                                                          uint32_t i)
{
    return &file->interfaces[i];
}

/* ---- bytes ---- */

/* A number of the section's byte order. */
static uint64_t number_at(const struct pcapng_reader *file, const uint8_t *from, uint32_t bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < bytes; i++)
        value = value << 8 | from[file->is_big ? i : bytes - 1 - i];
    return value;
}

static uint32_t u32_at(const struct pcapng_reader *file, const uint8_t *from)
{
    return (uint32_t)number_at(file, from, 4);
}

/* Read the next `size` bytes; fewer, and how many in `got`, only at the end of the file. */
static bool read_some(struct pcapng_reader *file, void *to, size_t size, size_t *got,
                      struct pcapng_fault *fault)
{
    *got = fread(to, 1, size, file->in);
    file->offset += *got;
    if (*got < size && ferror(file->in))
        return pcapng_fault(fault, file->offset, "cannot be read: %s", strerror(errno));
    return true;
}

static bool read_all(struct pcapng_reader *file, void *to, size_t size, struct pcapng_fault *fault)
{
    size_t got;

    if (!read_some(file, to, size, &got, fault))
        return false;
    return got == size ||
           pcapng_fault(fault, file->offset, "the file ends in the block that begins at %" PRIu64,
                        file->block);
}

/* ---- blocks ---- */

static bool is_kept(uint32_t type)
{
    return type == BLOCK_SECTION || type == BLOCK_INTERFACE || type == BLOCK_PACKET ||
           type == BLOCK_STATISTICS;
}

/* Keep a body, of which `had` bytes are read already. */
static bool keep_body(struct pcapng_reader *file, const uint8_t *start, uint32_t had,
                      struct pcapng_fault *fault)
{
    if (file->body_bytes > PCAPNG_READ_BYTES_MAX)
        return pcapng_fault(fault, file->block + 4, "a block of %" PRIu64 " bytes; at most %d",
                            (uint64_t)file->body_bytes + BLOCK_FRAME, PCAPNG_READ_BYTES_MAX);
    if (file->body_bytes > file->body_room) {
        file->body = realloc(file->body, file->body_bytes);
        assert(file->body);
        file->body_room = file->body_bytes;
    }
    if (had > 0)
        memcpy(file->body, start, had);
    return read_all(file, file->body + had, file->body_bytes - had, fault);
}

static bool skip_body(struct pcapng_reader *file, struct pcapng_fault *fault)
{
    uint8_t away[4096];
    uint32_t left = file->body_bytes;

    while (left > 0) {
        uint32_t part = left < sizeof(away) ? left : (uint32_t)sizeof(away);

        if (!read_all(file, away, part, fault))
            return false;
        left -= part;
    }
    return true;
}

/* What stands at the start of a section says in which order its numbers are. */
static bool read_order(struct pcapng_reader *file, uint8_t magic[4], struct pcapng_fault *fault)
{
    static const uint8_t big[4] = {0x1a, 0x2b, 0x3c, 0x4d}, little[4] = {0x4d, 0x3c, 0x2b, 0x1a};

    if (!read_all(file, magic, 4, fault))
        return false;
    file->is_big = memcmp(magic, big, 4) == 0;
    return file->is_big || memcmp(magic, little, 4) == 0 ||
           pcapng_fault(fault, file->block + 8, "0x%02x%02x%02x%02x is no byte order", magic[0],
                        magic[1], magic[2], magic[3]);
}

static uint32_t body_least(uint32_t type)
{
    switch (type) {
    case BLOCK_SECTION: return SECTION_BYTES;
    case BLOCK_INTERFACE: return INTERFACE_BYTES;
    case BLOCK_STATISTICS: return STATISTICS_BYTES;
    case BLOCK_PACKET: return PACKET_BYTES;
    }
    return 0;
}

/* Type, byte order and length of the block whose first `got` of 8 bytes are in `head`. */
static bool read_head(struct pcapng_reader *file, uint8_t head[12], size_t got,
                      struct pcapng_fault *fault)
{
    static const uint8_t section[4] = {0x0a, 0x0d, 0x0d, 0x0a};
    bool is_section = got >= 4 && memcmp(head, section, 4) == 0;

    if (!file->has_section && !is_section)
        return pcapng_fault(fault, 0, "no capture: it does not begin as a pcapng file does");
    if (got < 8)
        return pcapng_fault(fault, file->offset,
                            "the file ends in the block that begins at %" PRIu64, file->block);
    if (is_section && !read_order(file, head + 8, fault))
        return false;
    file->has_section = true;
    file->type = u32_at(file, head);
    uint32_t bytes = u32_at(file, head + 4);
    if (bytes % 4 != 0 || bytes < BLOCK_FRAME + body_least(file->type))
        return pcapng_fault(fault, file->block + 4, "no block of this kind has %u bytes", bytes);
    file->body_bytes = bytes - BLOCK_FRAME;
    return true;
}

/* Read a block, its body if it is one of those that matter: 1; 0 at the end, -1 for a fault. */
static int read_block(struct pcapng_reader *file, struct pcapng_fault *fault)
{
    uint8_t head[12], tail[4];
    size_t got;

    file->block = file->offset;
    if (!read_some(file, head, 8, &got, fault))
        return -1;
    if (got == 0 && file->has_section)
        return 0;
    if (!read_head(file, head, got, fault))
        return -1;
    bool is_read = is_kept(file->type)
                       ? keep_body(file, head + 8, file->type == BLOCK_SECTION ? 4 : 0, fault)
                       : skip_body(file, fault);
    if (!is_read || !read_all(file, tail, 4, fault))
        return -1;
    if (u32_at(file, tail) - BLOCK_FRAME != file->body_bytes) {
        pcapng_fault(fault, file->offset - 4,
                     "the block that begins at %" PRIu64
                     " has %u bytes at its end, and %u at its start",
                     file->block, u32_at(file, tail), file->body_bytes + BLOCK_FRAME);
        return -1;
    }
    return 1;
}

/* ---- options ---- */

struct option {
    uint32_t code, bytes;
    const uint8_t *value;
};

/* Take the option at `*at` of the body: 1; 0 behind the last, -1 for a fault. */
static int take_option(struct pcapng_reader *file, uint32_t *at, struct option *option,
                       struct pcapng_fault *fault)
{
    const uint8_t *head = file->body + *at;
    uint32_t left = file->body_bytes - *at;

    if (left < 4)
        return 0;
    option->code = (uint32_t)number_at(file, head, 2);
    option->bytes = (uint32_t)number_at(file, head + 2, 2);
    option->value = head + 4;
    if (option->code == OPTION_END)
        return 0;
    if ((option->bytes + 3) / 4 * 4 > left - 4) {
        pcapng_fault(fault, file->block + 8 + *at, "an option of %u bytes; its block has %u more",
                     option->bytes, left - 4);
        return -1;
    }
    *at += 4 + (option->bytes + 3) / 4 * 4;
    return 1;
}

/* ---- what blocks say ---- */

static bool take_section(struct pcapng_reader *file, struct pcapng_fault *fault)
{
    uint32_t major = (uint32_t)number_at(file, file->body + 4, 2);

    file->first = file->count;
    return major == 1 || pcapng_fault(fault, file->block + 12,
                                      "pcapng of version %u; this xensock reads version 1", major);
}

static struct pcapng_read_interface *add_interface(struct pcapng_reader *file)
{
    if (file->count == file->room) {
        file->room = file->room ? 2 * file->room : 16;
        file->interfaces = realloc(file->interfaces, file->room * sizeof(file->interfaces[0]));
        assert(file->interfaces);
    }
    struct pcapng_read_interface *interface = &file->interfaces[file->count++];
    *interface = (struct pcapng_read_interface){
        .offset = file->block,
        .link_type = (uint16_t)number_at(file, file->body, 2),
        .resolution = RESOLUTION_USUAL,
    };
    return interface;
}

static bool take_interface(struct pcapng_reader *file, struct pcapng_fault *fault)
{
    struct pcapng_read_interface *interface = add_interface(file);
    uint32_t at = INTERFACE_BYTES;
    struct option option;
    int got;

    while ((got = take_option(file, &at, &option, fault)) == 1) {
        if (option.code == OPTION_RESOLUTION && option.bytes >= 1)
            interface->resolution = option.value[0];
        if (option.code == OPTION_SINCE && option.bytes >= 8)
            interface->since_s = (int64_t)number_at(file, option.value, 8);
    }
    if (got < 0)
        return false;
    bool is_two = interface->resolution & 0x80;
    return (interface->resolution & 0x7f) <= (is_two ? TWOS_MAX : TENS_MAX) ||
           pcapng_fault(fault, file->block, "an interface whose clock ticks every %d^-%d s",
                        is_two ? 2 : 10, interface->resolution & 0x7f);
}

/* The interface a block of this section names at `at` of its body. */
static bool find_interface(struct pcapng_reader *file, uint32_t at, uint32_t *found,
                           struct pcapng_fault *fault)
{
    uint32_t named = u32_at(file, file->body + at);

    if (named >= file->count - file->first)
        return pcapng_fault(fault, file->block + 8 + at,
                            "interface %u; the section has named %u until here", named,
                            file->count - file->first);
    *found = file->first + named;
    return true;
}

static bool take_statistics(struct pcapng_reader *file, struct pcapng_fault *fault)
{
    uint32_t at = STATISTICS_BYTES, found = 0;
    struct option option;
    int got;

    if (!find_interface(file, 0, &found, fault))
        return false;
    while ((got = take_option(file, &at, &option, fault)) == 1)
        if (option.code == OPTION_DROPPED && option.bytes >= 8)
            file->interfaces[found].dropped = number_at(file, option.value, 8);
    return got == 0;
}

/* Ticks of an interface in whole nanoseconds; false if they do not fit. */
static bool time_of(const struct pcapng_read_interface *interface, uint64_t ticks,
                    uint64_t *time_ns)
{
    uint32_t power = interface->resolution & 0x7f;
    uint64_t seconds, rest_ns, per_s = 1;

    if (interface->resolution & 0x80) {
        /* of the rest 34 bits are enough, so that it fits when multiplied */
        uint32_t away = power > 34 ? power - 34 : 0;

        seconds = ticks >> power;
        rest_ns = ((ticks - (seconds << power)) >> away) * NS_PER_S >> (power - away);
    } else {
        for (uint32_t i = 0; i < power; i++)
            per_s *= 10;
        seconds = ticks / per_s;
        rest_ns = per_s <= NS_PER_S ? ticks % per_s * (NS_PER_S / per_s)
                                    : ticks % per_s / (per_s / NS_PER_S);
    }
    if (seconds > INT64_MAX)
        return false;
    seconds += (uint64_t)interface->since_s; /* a negative one wraps to less, or to far too much */
    if (seconds >= UINT64_MAX / NS_PER_S)
        return false;
    *time_ns = seconds * NS_PER_S + rest_ns;
    return true;
}

static bool take_packet(struct pcapng_reader *file, struct pcapng_read_packet *packet,
                        struct pcapng_fault *fault)
{
    const uint8_t *body = file->body;
    uint64_t ticks = (uint64_t)u32_at(file, body + 4) << 32 | u32_at(file, body + 8);

    *packet = (struct pcapng_read_packet){
        .number = file->packets,
        .offset = file->block + 8 + PACKET_BYTES,
        .bytes = u32_at(file, body + 12),
        .original_bytes = u32_at(file, body + 16),
        .data = body + PACKET_BYTES,
    };
    if (!find_interface(file, 0, &packet->interface, fault))
        return false;
    if (packet->bytes > file->body_bytes - PACKET_BYTES)
        return pcapng_fault(fault, file->block + 20, "a packet of %u bytes; its block has %u",
                            packet->bytes, file->body_bytes - PACKET_BYTES);
    return time_of(&file->interfaces[packet->interface], ticks, &packet->time_ns) ||
           pcapng_fault(fault, file->block + 12, "a time that 64 bits of nanoseconds cannot hold");
}

int pcapng_read_next(struct pcapng_reader *file, struct pcapng_read_packet *packet,
                     struct pcapng_fault *fault)
{
    bool is_good = true;
    int got;

    while (is_good && (got = read_block(file, fault)) == 1) {
        switch (file->type) {
        case BLOCK_SECTION: is_good = take_section(file, fault); break;
        case BLOCK_INTERFACE: is_good = take_interface(file, fault); break;
        case BLOCK_STATISTICS: is_good = take_statistics(file, fault); break;
        case BLOCK_OLD_PACKET:
        case BLOCK_SIMPLE_PACKET: file->packets++; break;
        case BLOCK_PACKET: file->packets++; return take_packet(file, packet, fault) ? 1 : -1;
        }
    }
    return is_good ? got : -1;
}
