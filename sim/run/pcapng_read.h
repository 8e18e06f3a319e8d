/*
 * Reading pcapng, the file format of a capture: from blocks to packets.
 *
 * It knows nothing of what packets hold, and writes nothing. A file may be anybody's, of mergecap
 * or editcap, say: nothing in it is believed, what is wrong is said with its offset. Sections of
 * either byte order, any resolution of time; blocks it does not know are skipped.
 * Invariants: memory is bounded by the largest block kept and by the number of interfaces; an
 * offset counts bytes from the file's start.
 * Source: draft-ietf-opsawg-pcapng, "PCAP Now Generic (pcapng) Capture File Format".
 */
#ifndef XENSOCK_SIM_RUN_PCAPNG_READ_H
#define XENSOCK_SIM_RUN_PCAPNG_READ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PCAPNG_READ_BYTES_MAX = 16 << 20 }; /* of a block that is kept; Wireshark's limit too */

/* What is wrong with a file: where, and what, for people. */
struct pcapng_fault {
    uint64_t offset;
    char what[192];
};

struct pcapng_read_interface {
    uint64_t offset;    /* of its block */
    uint64_t dropped;   /* packets its writer says are missing */
    int64_t since_s;    /* added to each of its times */
    uint16_t link_type; /* LINKTYPE_* */
    uint8_t resolution; /* if_tsresol: a power of 10, with the highest bit of 2, negated */
};

struct pcapng_read_packet {
    uint64_t number;         /* from 1, as Wireshark counts */
    uint64_t offset;         /* of its data */
    uint64_t time_ns;        /* since whatever the writer counts from */
    uint32_t interface;      /* counted through all sections */
    uint32_t bytes;          /* that are here */
    uint32_t original_bytes; /* as it was captured; more than that, if it was cut */
    const uint8_t *data;     /* until the next call; any alignment */
};

struct pcapng_reader;

/* Read a file from where `in` stands, which stays the caller's. Asserts that there is memory. */
struct pcapng_reader *pcapng_read_open(FILE *in);
void pcapng_read_close(struct pcapng_reader *file);

/* Read on to the next packet: 1; 0 at the end; -1, and the fault filled in, where the file cannot
 * be read on. After 0 or -1 there is nothing more to read. */
int pcapng_read_next(struct pcapng_reader *file, struct pcapng_read_packet *packet,
                     struct pcapng_fault *fault);

/* The interfaces met so far; the i-th lives until the next call of pcapng_read_next. */
uint32_t pcapng_read_interfaces(const struct pcapng_reader *file);
const struct pcapng_read_interface *pcapng_read_interface(const struct pcapng_reader *file,
                                                          uint32_t i);

/* Word a fault; false, for the caller to return. */
bool pcapng_fault(struct pcapng_fault *fault, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
