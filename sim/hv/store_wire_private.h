/*
 * A session of the wire as its own files see it: store_wire.c (bytes and messages),
 * store_wire_requests.c (what each request asks of the store). Nobody else includes this.
 */
#ifndef XENSOCK_SIM_HV_STORE_WIRE_PRIVATE_H
#define XENSOCK_SIM_HV_STORE_WIRE_PRIVATE_H

#include "ringlib/err.h"
#include "sim/hv/store_wire.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct store_wire {
    struct store_wire_config config;
    struct store_client *client;
    const char *broken;
    struct store_wire_message *output;
    struct store_wire_message *unsent;    /* events among them, by what they say */
    uint32_t answers;                     /* messages of the output that are no events */
    uint32_t output_bytes;                /* that wait in all of them */
    uint32_t sent;                        /* of the first */
    uint32_t header_bytes, payload_bytes; /* that came of the request */
    union {
        struct store_wire_header header;
        char bytes[STORE_WIRE_HEADER_BYTES];
    } in;
    char payload[STORE_WIRE_PAYLOAD_MAX + 1]; /* with a terminator behind it */
};

/* Answer the request with its type. Too long an answer is -ERR_2BIG instead. */
void store_wire_answer(struct store_wire *wire, const void *payload, uint32_t bytes);

/* Answer it with an error. */
void store_wire_error(struct store_wire *wire, int ret);

/* Carry out the request in wire->in and wire->payload, and answer it. */
void store_wire_request(struct store_wire *wire);

#endif
