/*
 * A capture added up, ring by ring.
 *
 * Of a command ring: requests and responses of each command, as many as each side saw, and how long
 * the front waited for its responses. Of a data ring: bytes each way, as each side moved its index.
 * Of both: notifications. Percentiles are exact, the value at rank ceil(n * p / 100).
 * Memory is bounded by the rings and the responses of the file.
 */
#ifndef XENSOCK_SIM_RUN_DECODE_SUMMARY_H
#define XENSOCK_SIM_RUN_DECODE_SUMMARY_H

#include "sim/run/decode.h"
#include "sim/run/decode_pairs.h"

struct decode_summary;

/* That of one file; asserts that there is memory. */
struct decode_summary *decode_summary_create(void);
void decode_summary_destroy(struct decode_summary *summary);

/* Add a packet, and of a response the request it answers or NULL. Asserts that there is memory. */
void decode_summary_add(struct decode_summary *summary, const struct decode_packet *packet,
                        const struct decode_request *request);

/* Print it for people, or as JSON, an object a ring on a line of its own; rings in the order in
 * which they were met. */
void decode_summary_print(FILE *out, struct decode_summary *summary);
void decode_summary_print_json(FILE *out, struct decode_summary *summary);

#endif
