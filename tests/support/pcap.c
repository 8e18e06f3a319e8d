/* Reading a capture. See pcap.h. */
#include "tests/support/pcap.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

uint32_t pcap_u16(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

uint32_t pcap_u32(const uint8_t *at)
{
    return pcap_u16(at) | pcap_u16(at + 2) << 16;
}

uint64_t pcap_u64(const uint8_t *at)
{
    return pcap_u32(at) | (uint64_t)pcap_u32(at + 4) << 32;
}

/* The value of an option, which must be there. */
static const uint8_t *option(const uint8_t *at, const uint8_t *end, uint32_t code, uint32_t *bytes)
{
    *bytes = 0;
    for (; at < end && pcap_u16(at) != 0; at += 4 + ((pcap_u16(at + 2) + 3) & ~3u)) {
        *bytes = pcap_u16(at + 2);
        if (pcap_u16(at) == code)
            return at + 4;
    }
    fail_msg("no option %u", code);
    return NULL;
}

static void read_interface(struct pcap *pcap, const uint8_t *block, const uint8_t *end)
{
    uint32_t bytes, of_resolution;
    const uint8_t *name = option(block + 16, end, 2, &bytes);

    assert_int_equal(pcap->packet_count, 0);
    assert_in_range(pcap->interface_count, 0, PCAP_INTERFACES_MAX - 1);
    assert_int_equal(pcap_u16(block + 8), 147);
    assert_int_equal(pcap_u32(block + 12), 0);
    assert_int_equal(*option(block + 16, end, 9, &of_resolution), 9);
    assert_int_equal(of_resolution, 1);
    assert_in_range(bytes, 1, 63);
    memcpy(pcap->names[pcap->interface_count], name, bytes);
    pcap->names[pcap->interface_count++][bytes] = '\0';
}

static void read_packet(struct pcap *pcap, const uint8_t *block, const uint8_t *end)
{
    struct pcap_packet *packet = &pcap->packets[pcap->packet_count++];
    uint32_t bytes;

    assert_in_range(pcap->packet_count, 1, PCAP_PACKETS_MAX);
    *packet =
        (struct pcap_packet){.interface = pcap_u32(block + 8),
                             .now_ns = (uint64_t)pcap_u32(block + 12) << 32 | pcap_u32(block + 16),
                             .bytes = pcap_u32(block + 20),
                             .data = block + 28};
    assert_int_equal(pcap_u32(block + 24), packet->bytes);
    assert_in_range(packet->interface, 0, pcap->interface_count - 1);
    packet->flags = pcap_u32(option(block + 28 + ((packet->bytes + 3) & ~3u), end, 2, &bytes));
    assert_int_equal(packet->data[0], 1); /* version */
}

static void read_statistics(struct pcap *pcap, const uint8_t *block, const uint8_t *end)
{
    uint32_t bytes;

    assert_int_equal(pcap_u32(block + 8), pcap->statistics_count);
    pcap->received[pcap->statistics_count] = pcap_u64(option(block + 20, end, 4, &bytes));
    pcap->dropped[pcap->statistics_count++] = pcap_u64(option(block + 20, end, 5, &bytes));
}

void pcap_free(struct pcap *pcap)
{
    free(pcap->file);
    pcap->file = NULL;
    pcap->interface_count = pcap->packet_count = pcap->statistics_count = 0;
}

void pcap_load(struct pcap *pcap, const char *path)
{
    struct stat info = {0};
    int fd = open(path, O_RDONLY);
    uint32_t bytes;

    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    pcap_free(pcap);
    pcap->bytes = (uint32_t)info.st_size;
    pcap->file = calloc(1, pcap->bytes + 1);
    assert_non_null(pcap->file);
    assert_int_equal(read(fd, pcap->file, pcap->bytes), pcap->bytes);
    close(fd);
    for (uint32_t at = 0; at < pcap->bytes; at += bytes) {
        const uint8_t *block = pcap->file + at;
        assert_in_range(pcap->bytes - at, 12, UINT32_MAX);
        bytes = pcap_u32(block + 4);
        assert_true(bytes % 4 == 0 && bytes <= pcap->bytes - at);
        assert_int_equal(pcap_u32(block + bytes - 4), bytes);
        switch (pcap_u32(block)) {
        case 0x0a0d0d0a:
            assert_int_equal(at, 0);
            assert_int_equal(pcap_u32(block + 8), 0x1a2b3c4d);
            break;
        case 1: read_interface(pcap, block, block + bytes - 4); break;
        case 5: read_statistics(pcap, block, block + bytes - 4); break;
        case 6: read_packet(pcap, block, block + bytes - 4); break;
        default: fail_msg("block %u", pcap_u32(block));
        }
    }
}
