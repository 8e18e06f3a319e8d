/*
 * A capture read to its end, printed and derived from in every way, for tests with many odd ones.
 *
 * It asserts what must hold of any file whatever: each fault has a place in the file and words;
 * what is printed is printable text, and each line of the JSON is JSON without a member twice.
 */
#ifndef XENSOCK_TESTS_SUPPORT_CAPTURES_H
#define XENSOCK_TESTS_SUPPORT_CAPTURES_H

#include "sim/run/pcapng_read.h"

struct captures_outcome {
    uint32_t packets; /* of any link */
    int end;          /* what pcapng_read_next said last: 0 or -1 */
    struct pcapng_fault fault;
};

/* Read a file of `size` bytes, at least one. */
struct captures_outcome captures_read(const uint8_t *bytes, uint32_t size);

#endif
