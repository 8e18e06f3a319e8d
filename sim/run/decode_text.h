/*
 * Captured packets in words, and as JSON.
 *
 * Fields come from the rows of the packet's dialect, in their order and by their names; a row of a
 * command whose name a row of every request has, too, is called COMMAND.NAME. `cmd` is not repeated
 * in the words where the command's name says it, nor the length of an address that is as it should.
 */
#ifndef XENSOCK_SIM_RUN_DECODE_TEXT_H
#define XENSOCK_SIM_RUN_DECODE_TEXT_H

#include "sim/run/decode.h"
#include "sim/run/decode_pairs.h"

#include <stdio.h>

enum {
    DECODE_TEXT_BYTES = 2048, /* a request with 64 refs and strange ids needs half of it */
    DECODE_ADDR_BYTES = 64,
    DECODE_RESULT_BYTES = 24,
};

/* What a packet says beside when, where and of whom: "CONNECT id 3 sockid 0x1000001 addr
 * 127.0.0.1:80 flags 0 ref 8..71 evtchn 5", "out_prod +1448 to 4096", "port 5". */
void decode_text_words(const struct decode_packet *packet, char text[DECODE_TEXT_BYTES]);

/* An address as IP:PORT; one that is not as it should be as its 28 bytes in hexadecimal. */
void decode_text_addr(const struct call_addr *addr, char text[DECODE_ADDR_BYTES]);

/* A result: "0", or "-ECONNREFUSED", or the number of an error without a name. */
void decode_text_result(int32_t ret, char text[DECODE_RESULT_BYTES]);

/* Print a packet as one line: time in seconds, guest and device, ring, side, what it did, kind,
 * words; behind a response that answers `request`, unless that is NULL, how long it took. */
void decode_text_print(FILE *out, const struct decode_packet *packet,
                       const struct decode_request *request);

/* Print a packet as one line of JSON; its members are in xensock-decode(1). */
void decode_text_print_json(FILE *out, const struct decode_packet *packet,
                            const struct decode_request *request);

#endif
