/*
 * Writes pcapng: one section, its interfaces, packets, statistics. Whole blocks only: when the disk
 * is full, the file ends behind the last one that fitted, so it is a pcapng file at any time.
 *
 * Little-endian, as everything here. Knows nothing of what packets hold. Source: the IETF's draft
 * draft-ietf-opsawg-pcapng.
 */
#ifndef XENSOCK_SIM_RUN_PCAPNG_WRITE_H
#define XENSOCK_SIM_RUN_PCAPNG_WRITE_H

#include <stdint.h>

enum { PCAPNG_NAME_MAX = 255, PCAPNG_PACKET_MAX = 32768 };

/* Bits of a packet's flags: which way it went. */
enum pcapng_way { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

struct pcapng_writer;

struct pcapng_packet {
    uint32_t interface; /* in the order in which they were written, from 0 */
    uint64_t time;      /* in its interface's units */
    enum pcapng_way way;
    const void *bytes;
    uint32_t count; /* of bytes, 0..PCAPNG_PACKET_MAX */
};

struct pcapng_statistics {
    uint32_t interface;
    uint64_t time;              /* when they were taken */
    uint64_t received, dropped; /* packets: those that were lost are among the received */
};

/* Begin a file, which is overwritten, with a section of what `application` wrote: 0, or the negated
 * errno of what failed, and then there is no writer. Asserts that there is memory. */
int pcapng_create(const char *path, const char *application, struct pcapng_writer **writer);

/* Add an interface: link type, name, and n where its times are in units of 10^-n s. */
void pcapng_interface(struct pcapng_writer *writer, uint16_t linktype, const char *name,
                      uint8_t resolution);

/* Add a packet of an interface that was written. */
void pcapng_packet(struct pcapng_writer *writer, const struct pcapng_packet *packet);

/* Add an interface's statistics. */
void pcapng_statistics(struct pcapng_writer *writer, const struct pcapng_statistics *statistics);

/* Write what is left and free the writer: 0, or the negated errno of what failed first since it was
 * created; whole blocks before that are in the file, `*packets` of them packets. */
int pcapng_finish(struct pcapng_writer *writer, uint64_t *packets);

#endif
