/*
 * One session of xenstore's wire protocol: bytes in, split anywhere; bytes out. No sockets, no
 * clock: who has the bytes gives and takes them.
 *
 * A message is a header of four little-endian 32-bit words (type, request, transaction, length) and
 * at most 4096 bytes. Each request is answered once, in order, with its type or with XS_ERROR and
 * the error's name; watch events come in between. A session acts as its domain.
 * Xen's quota of 20 requests is a limit of what waits: while so many answers were not taken, no
 * request is. Domain 0 is held to it too.
 * What differs from Xen: XS_INTRODUCE takes a domain that is there, whatever its page and port, and
 * undoes XS_RELEASE; that ends the domain's use of the store, not the domain.
 * Source: xen/include/public/io/xs_wire.h, docs/misc/xenstore.txt of Xen 4.17.
 */
#ifndef XENSOCK_SIM_HV_STORE_WIRE_H
#define XENSOCK_SIM_HV_STORE_WIRE_H

#include "sim/hv/store.h"

enum {
    STORE_WIRE_PAYLOAD_MAX = 4096,   /* XENSTORE_PAYLOAD_MAX */
    STORE_WIRE_HEADER_BYTES = 16,    /* struct xsd_sockmsg */
    STORE_WIRE_UNREAD_MAX = 1 << 20, /* bytes that wait; who lets more wait is dropped */
    STORE_WIRE_WORDS_MAX = 16,       /* of one XS_CONTROL */
};

/* enum xsd_sockmsg_type. */
enum store_wire_type {
    XS_CONTROL = 0,
    XS_DIRECTORY = 1,
    XS_READ = 2,
    XS_GET_PERMS = 3,
    XS_WATCH = 4,
    XS_UNWATCH = 5,
    XS_TRANSACTION_START = 6,
    XS_TRANSACTION_END = 7,
    XS_INTRODUCE = 8,
    XS_RELEASE = 9,
    XS_GET_DOMAIN_PATH = 10,
    XS_WRITE = 11,
    XS_MKDIR = 12,
    XS_RM = 13,
    XS_SET_PERMS = 14,
    XS_WATCH_EVENT = 15,
    XS_ERROR = 16,
    XS_IS_DOMAIN_INTRODUCED = 17,
    XS_RESUME = 18,
    XS_SET_TARGET = 19,
    XS_RESET_WATCHES = 21,
    XS_DIRECTORY_PART = 22,
};

/* struct xsd_sockmsg. */
struct store_wire_header {
    uint32_t type, req_id, tx_id, len;
};

struct store_wire;

struct store_wire_config {
    struct store *store;
    uint16_t domid;
    void *self;
    /* XS_CONTROL: writes its answer, at most `bytes` (4096) of it; returns how many, or -ERR_*, as
     * which it is answered. May be NULL: -ERR_INVAL. */
    int (*control)(void *self, const char *const *words, uint32_t count, char *answer,
                   uint32_t bytes);
};

/* A session with nothing to say. `config` is copied. It is the owner of its store's events. */
struct store_wire *store_wire_open(const struct store_wire_config *config);

/* Its watches and transactions end. */
void store_wire_close(struct store_wire *wire);

/* Take what came. Returns how many bytes were taken, fewer than `bytes` only when answers wait or
 * it is broken: the rest is to be given again when some were sent. Changes queue events in the
 * store, which are the caller's to take. */
uint32_t store_wire_feed(struct store_wire *wire, const void *bytes, uint32_t count);

/* An event of the store whose owner is this session. */
void store_wire_event(struct store_wire *wire, const struct store_event *event);

/* What is to be sent next: how many bytes, 0: nothing. Valid until the next call. */
uint32_t store_wire_output(const struct store_wire *wire, const void **bytes);

/* So many of those were sent. */
void store_wire_sent(struct store_wire *wire, uint32_t bytes);

/* Whether it takes requests now. */
bool store_wire_ready(const struct store_wire *wire);

/* Why it must be ended, after what can be sent of its output; NULL: it need not. */
const char *store_wire_broken(const struct store_wire *wire);

/* The domain it acts as. */
uint16_t store_wire_domid(const struct store_wire *wire);

#endif
