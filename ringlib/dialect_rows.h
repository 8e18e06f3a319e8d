/*
 * How a dialect's file writes its table: a row from a mirror struct, a list of rows, an offset that
 * is asserted. For those files only. See dialect.h.
 */
#ifndef XENSOCK_RINGLIB_DIALECT_ROWS_H
#define XENSOCK_RINGLIB_DIALECT_ROWS_H

#include "ringlib/dialect.h"

/* A field of a mirror struct, in elements of `wire_bytes`, and the member of struct `in` that keeps
 * as many elements of `call_bytes`. */
#define DIALECT_ROW(field, type, wire, wire_bytes, in, member, call_bytes)                         \
    {                                                                                              \
        (field), offsetof(struct type, wire), (wire_bytes), offsetof(struct in, member),           \
            (call_bytes), sizeof(((struct type *)0)->wire) / (wire_bytes), false                   \
    }

/* The same of a signed field. */
#define DIALECT_ROW_SIGNED(field, type, wire, wire_bytes, in, member, call_bytes)                  \
    {                                                                                              \
        (field), offsetof(struct type, wire), (wire_bytes), offsetof(struct in, member),           \
            (call_bytes), sizeof(((struct type *)0)->wire) / (wire_bytes), true                    \
    }

/* The usual one: elements of the same size on both sides. */
#define ROW(field, type, wire, in, member, element)                                                \
    DIALECT_ROW(field, type, wire, element, in, member, element)

#define ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])

#define DIALECT_AT(spec, type, member, number)                                                     \
    _Static_assert(offsetof(struct type, member) == (number), spec ": " #member)

/* The indexes page and the data ring of PV Calls 1, which a dialect of ours has too: see there. */
#define DIALECT_INDEX                                                                              \
    {                                                                                              \
        .pages = 1, .order_at = 128, .refs_at = 132                                                \
    }
void dialect_halves(uint32_t order, struct dialect_ring *ring);

#endif
