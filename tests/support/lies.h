/*
 * Lies about memory, ports and ids that a front may tell in a CONNECT or an ACCEPT, each with what
 * it is answered. They are told by a rogue (rogue.h), over whichever hypervisor that has.
 *
 * Answers, and whence:
 * - an order of 0, beyond the backend's, 31, 2^31: -EINVAL (protocol.md 7, 17 and 20)
 * - a ref that is reserved, none, of another domain's table, granted to another domain, taken back
 *   before its map: -EINVAL (hv.h, which has it from Xen's own map)
 * - refs that repeat, the index page as data, the command ring as data or as index page: -EINVAL,
 *   by a look of ours (backend/be_refs.c), for Xen would map them
 * - a port that is 0, none, closed, bound, the ring's: -EINVAL (hv.h, from Xen's bind)
 * - a port that was offered to another domain: -ESRCH (hv.h, from Xen's bind)
 * - an id that a socket or a listener has: -EEXIST (protocol.md 7, 27)
 *
 * Linux's backend answers -EFAULT to what cannot be mapped: a front that lies is told the more
 * exact number by ours, and one that does not never sees either.
 */
#ifndef XENSOCK_TESTS_SUPPORT_LIES_H
#define XENSOCK_TESTS_SUPPORT_LIES_H

#include "tests/support/rogue.h"

/* Who lies, to whom, and of what. */
struct lies {
    struct rogue *front;     /* connected, its rings of `front->order` */
    uint32_t order_most;     /* that the backend takes */
    uint64_t good, listener; /* a socket and a listener that it has */
    uint32_t good_port;      /* of that socket */
    uint16_t stranger;       /* another domain, */
    uint32_t strange_ref,
        strange_port; /* and what it gave the backend: none of the front's numbers */
    /* The front's pages are taken back just before the so-manieth map to come; NULL: nobody can. */
    void (*revoke)(struct lies *lies, uint32_t map, const struct rogue_data *data);
    /* Ask, and the answer. */
    int32_t (*ask)(struct lies *lies, const struct call *call);
};

/* A request that lies, and what it is made of. */
struct lies_told {
    struct rogue_data data;
    struct call call;
};

/* What is said where, and what that is answered. */
enum lies_place {
    LIES_NOWHERE,
    LIES_ORDER, /* of an index page */
    LIES_INDEX, /* its ref; then those of the data, by their places in the ring */
    LIES_FIRST,
    LIES_SECOND,
    LIES_LAST,
    LIES_ALL,
    LIES_PORT,
};

enum lies_source {
    LIES_NUMBER,
    LIES_BEYOND,     /* the backend's largest order */
    LIES_OF_ANOTHER, /* a ref, or a port, of another domain's */
    LIES_TO_ANOTHER, /* of ours, given to another domain */
    LIES_TAKEN_BACK, /* given to the backend, and taken back before it is asked */
    LIES_RINGS,      /* the command ring's */
    LIES_OWN_FIRST,  /* of the same request: of the first page of data, of the index page */
    LIES_OWN_INDEX,
    LIES_BOUND, /* the port of another socket */
};

struct lie {
    const char *name;
    enum lies_place place;
    enum lies_source source;
    uint32_t number;
    int32_t ret;
    uint32_t revoked_map; /* the pages are taken back just before so many maps; 0: they are not */
};

/* How it is told. */
enum lies_way { LIES_CONNECT, LIES_ACCEPT, LIES_SOCKET_CONNECT, LIES_WAYS };

/* The i-th lie; NULL behind the last. */
const struct lie *lies_at(uint32_t i);

/* Whether this front, in its dialect, can tell it so. */
bool lies_can(const struct lies *lies, const struct lie *lie, enum lies_way way);

/* Tell it; true if it is answered as it should be, and a socket that was made before stays until it
 * is released. What the front gave for it is taken back. */
bool lies_tell(struct lies *lies, const struct lie *lie, enum lies_way way);

/* Each call that makes a socket, of an id that is taken: how many are answered otherwise. */
uint32_t lies_of_ids(struct lies *lies);

/* The refs of the data of a request, wherever the dialect has them. */
uint32_t lies_ref(const struct lies *lies, const struct lies_told *told, uint32_t at);
void lies_set_ref(const struct lies *lies, struct lies_told *told, uint32_t at, uint32_t ref);

#endif
