/*
 * A capture's file from its first packet to its last, for whoever adds up what it holds.
 *
 * Packets of other link types, which mergecap may have put beside ours, are passed over; the first
 * thing that is wrong with one of ours, or with the file, ends the reading. It prints nothing.
 */
#ifndef XENSOCK_SIM_RUN_DECODE_FILE_H
#define XENSOCK_SIM_RUN_DECODE_FILE_H

#include "sim/run/decode.h"

/* Have each packet of the file seen, in its order, from where `in` stands. False, and the fault
 * filled in: what came before it was seen. */
bool decode_file_each(FILE *in, void (*see)(void *self, const struct decode_packet *packet),
                      void *self, struct pcapng_fault *fault);

/* The same by name; a file that cannot be opened is a fault at offset 0. */
bool decode_file_each_of(const char *path,
                         void (*see)(void *self, const struct decode_packet *packet), void *self,
                         struct pcapng_fault *fault);

#endif
