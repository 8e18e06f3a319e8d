/*
 * Scripted sockets for tests: nothing completes until the test says with what. Bytes written are
 * kept in order of their offset; bytes to read are what the test supplied.
 */
#ifndef XENSOCK_SIM_NET_NET_MEM_H
#define XENSOCK_SIM_NET_NET_MEM_H

#include "sim/net/net.h"

/* A new set of sockets; asserts that there is memory. Ends with net_destroy. */
struct net *net_mem_create(void);

/* What is in flight, as the test sees it: the i-th pending operation in submission order; false
 * behind the last. */
struct net_mem_op {
    enum ev_kind kind;
    uint64_t token;
    uint64_t listener;     /* ACCEPT, POLL */
    struct call_addr addr; /* CONNECT, BIND */
    uint32_t backlog;      /* LISTEN */
    uint64_t bytes;        /* READ, WRITE: of all spans */
};
bool net_mem_pending(struct net *net, uint32_t i, struct net_mem_op *op);

/* Complete the oldest pending operation of `kind` under `token` with `ret`. A READ of ret > 0
 * copies `ret` bytes of `data` into the spans; a WRITE of ret > 0 keeps the first `ret` bytes.
 * False if there is none. */
bool net_mem_complete(struct net *net, enum ev_kind kind, uint64_t token, int32_t ret,
                      const void *data);

/* Complete everything in flight but reads, accepts and polls with success, writes wholly. Returns
 * how many. NET_CLOSE always completes by itself. */
uint32_t net_mem_settle(struct net *net);

/* What was written to a socket so far: also after its close, until its token is opened again.
 * Owned by `net`, valid until the next write completes. NULL and 0 bytes if it never was open. */
const unsigned char *net_mem_written(struct net *net, uint64_t token, uint64_t *bytes);

/* How far a socket has ended, by net_shutdown, net_close or net_reset; one that never was open is
 * as one that has not. */
enum net_mem_end { NET_MEM_OPEN, NET_MEM_SHUT, NET_MEM_CLOSED, NET_MEM_RESET };
enum net_mem_end net_mem_end(struct net *net, uint64_t token);

/* Open sockets, for leak checks. */
uint32_t net_mem_sockets(const struct net *net);

#endif
