/*
 * Xenbus states and numbers in xenstore, for both cores.
 * Source: Xen io/xenbus.h (states 0 to 8); all numbers in the store are decimal ASCII.
 */
#ifndef XENSOCK_RINGLIB_XENBUS_H
#define XENSOCK_RINGLIB_XENBUS_H

#include <stdbool.h>
#include <stdint.h>

enum xenbus_state {
    XENBUS_UNKNOWN = 0,
    XENBUS_INITIALISING = 1,
    XENBUS_INITWAIT = 2,
    XENBUS_INITIALISED = 3,
    XENBUS_CONNECTED = 4,
    XENBUS_CLOSING = 5,
    XENBUS_CLOSED = 6,
    XENBUS_RECONFIGURING = 7,
    XENBUS_RECONFIGURED = 8,
};

/* The largest number of a domain: Xen's DOMID_FIRST_RESERVED is 0x7ff0. */
#define XENBUS_DOMID_MAX 0x7fefu

/* How long a closing device waits, in ns, for the other side to close too. */
#define XENBUS_PATIENCE_NS 5000000000u

/* Parse a decimal number of at most 10 digits, nothing around it; -1 if it is none or > max. */
int64_t xenbus_parse(const char *text, uint32_t max);

/* Whether a read or a publish answered with `ret` found a node of the other side gone. Xen hides
 * that from who may not read what is left of the directories above it. */
bool xenbus_is_gone(int32_t ret);

/* The state that a read answered with `ret` and `value` gave: XENBUS_UNKNOWN where the node is
 * gone, -1 where it is no state or could not be read. */
int64_t xenbus_state_read(int32_t ret, const char *value);

/* Whether a comma-separated list names `item`. */
bool xenbus_lists(const char *list, const char *item);

/* Print a number in decimal; `text` holds at least 11 bytes. */
void xenbus_print(char *text, uint32_t number);

#endif
