/*
 * Requests of xenstore's wire made from the bytes of a fuzzer: well formed but for some words, and
 * of so few names that what several clients do meets. No judge: that is xs_reference.h.
 */
#ifndef XENSOCK_TESTS_SUPPORT_XS_MESSAGES_H
#define XENSOCK_TESTS_SUPPORT_XS_MESSAGES_H

#include "tests/fuzz/fuzz.h"

#include <stdbool.h>

enum { XS_PAYLOAD_MAX = 4096 };

/* A request as it is made; the byte behind its payload is the reader's. */
struct xs_request {
    uint32_t type, req_id, tx_id, bytes;
    uint8_t payload[XS_PAYLOAD_MAX + 1];
};

/* Types that are asked for here: the tree's more often than others. CONTROL, INTRODUCE and what
 * else concerns the machine are tests/sim/hv's. */
uint32_t xs_messages_type(struct fuzz_input *input);

/* Its payload, by its type. `number` over 0: one of many, so in its names; `narrow`: of three paths
 * one. */
void xs_messages_fill(struct fuzz_input *input, struct xs_request *request, uint32_t number,
                      bool narrow);

/* So many bytes more, as far as there is room. */
void xs_messages_add(struct xs_request *request, const void *bytes, size_t count);

#endif
