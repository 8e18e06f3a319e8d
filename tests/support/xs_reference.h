/*
 * What xenstore must answer, kept a second time in the plainest way: nodes in a list, whole copies,
 * everything looked up by comparing strings.
 *
 * Is told each request with its answer, and which events came; does the request itself and stops
 * the process (FUZZ_CHECK) where the answer, the events or a quota are not what they must be.
 * Shares no code with sim/hv: its rules are those of Xen's documentation of the protocol and of
 * data/xen-semantics.md, written again.
 * Within a transaction answers are only kept: when it commits, all that was asked must give the
 * same answers, now and at once; when it is told EAGAIN, somebody must have changed something
 * since. Source: Xen docs/misc/xenstore.txt; xen/io/xs_wire.h; data/xen-semantics.md "xenstore".
 */
#ifndef XENSOCK_TESTS_SUPPORT_XS_REFERENCE_H
#define XENSOCK_TESTS_SUPPORT_XS_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    XS_REFERENCE_CLIENTS = 5,
    XS_REFERENCE_DOMAINS = 3, /* 0 is privileged */
};

/* A message, either way; `bytes` of payload, which is followed by a zero that does not count. */
struct xs_said {
    uint32_t type, req_id, tx_id, bytes;
    const uint8_t *payload;
};

/* Nobody there, but the toolstack's nodes as they are; quotas are Xen's. The tree is taken from the
 * one that is tested: `path`, `value`, permissions as GET_PERMS has them. */
void xs_reference_start(void);
void xs_reference_node(const char *path, const char *value, uint32_t bytes, const char *perms,
                       uint32_t perms_bytes);

/* A node of the tree that is tested, now: it must be ours. How many we have. */
void xs_reference_compare(const char *path, const char *value, uint32_t bytes, const char *perms,
                          uint32_t perms_bytes);
uint32_t xs_reference_nodes(void);

/* A client of a domain comes, or goes. */
void xs_reference_open(uint32_t client, uint16_t domid);
void xs_reference_close(uint32_t client);

/* A client asked, and was answered. */
void xs_reference_answered(uint32_t client, const struct xs_said *asked,
                           const struct xs_said *answer);

/* An event came to a client. */
void xs_reference_event(uint32_t client, const struct xs_said *event);

/* All events that what was answered fires have come. */
void xs_reference_settled(void);

/* What a domain holds. */
struct xs_reference_usage {
    uint32_t nodes, watches, transactions;
};
void xs_reference_usage(uint16_t domid, struct xs_reference_usage *usage);

#endif
