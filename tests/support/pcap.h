/*
 * Reads a pcapng file of a capture, from its format alone, so that a mistake of the writer is no
 * mistake of the reader as well: whatever is not as it should be fails the test.
 */
#ifndef XENSOCK_TESTS_SUPPORT_PCAP_H
#define XENSOCK_TESTS_SUPPORT_PCAP_H

#include <stdint.h>

enum { PCAP_PACKETS_MAX = 400000, PCAP_INTERFACES_MAX = 8192 };

struct pcap_packet {
    uint32_t interface, flags, bytes;
    uint64_t now_ns;
    const uint8_t *data;
};

/* Large: not for a stack. */
struct pcap {
    uint8_t *file;
    uint32_t bytes, interface_count, packet_count, statistics_count;
    char names[PCAP_INTERFACES_MAX][64];
    uint64_t received[PCAP_INTERFACES_MAX], dropped[PCAP_INTERFACES_MAX];
    struct pcap_packet packets[PCAP_PACKETS_MAX];
};

/* Numbers of any alignment. */
uint32_t pcap_u16(const uint8_t *at);
uint32_t pcap_u32(const uint8_t *at);
uint64_t pcap_u64(const uint8_t *at);

/* Read a file; what was read before into it is freed. */
void pcap_load(struct pcap *pcap, const char *path);

/* Free what it holds. */
void pcap_free(struct pcap *pcap);

#endif
