/*
 * Calls as both cores know them: neutral of any wire format.
 *
 * A dialect says which calls exist on its wire and where each member lies (dialect.h). Addresses
 * keep the wire's 28-byte form everywhere inside; only the socket seam turns them into the host's.
 * Source: protocol.md 1.2, 3.2 (sockaddr_in, sockaddr_in6).
 */
#ifndef XENSOCK_RINGLIB_CALL_H
#define XENSOCK_RINGLIB_CALL_H

#include <stdint.h>

/* Every call any dialect knows. A side without a handler for one of these does not compile. */
#define CALL_LIST(X)                                                                               \
    X(CONNECT)                                                                                     \
    X(RELEASE)                                                                                     \
    X(BIND)                                                                                        \
    X(LISTEN)                                                                                      \
    X(ACCEPT)                                                                                      \
    X(POLL)                                                                                        \
    X(SOCKET)

enum call_kind {
#define X(name) CALL_##name,
    CALL_LIST(X)
#undef X
        CALL_KINDS
};

enum {
    CALL_ADDR_BYTES = 28, /* xen_xensock_connect.addr */
    CALL_REFS_MAX = 64,   /* most refs a request carries in line: order 6 */
    CALL_AF_INET = 2,     /* the wire's numbers, which happen to be Linux's */
    CALL_AF_INET6 = 10,
    CALL_ADDR4_LEN = 16,
    CALL_ADDR6_LEN = 28,
    CALL_SOCK_STREAM = 1,
};

/* A socket address in wire form: family u16 little-endian @0, port u16 network order @2, then
 * IPv4 @4, or flow @4, IPv6 @8 and scope @24. `len` is 16 or 28. */
struct call_addr {
    uint8_t bytes[CALL_ADDR_BYTES];
    uint32_t len;
};

/* One request, copied out of the ring once. Members a call does not have stay zero. */
struct call {
    uint32_t id;           /* chosen by the front, echoed */
    uint32_t code;         /* the command as the wire says it, echoed */
    enum call_kind kind;   /* CALL_KINDS: the dialect does not know `code` */
    uint64_t sockid;       /* the socket concerned; for ACCEPT and POLL the listener */
    uint64_t new_sockid;   /* ACCEPT */
    struct call_addr addr; /* CONNECT, BIND */
    uint32_t flags;        /* CONNECT: raw file flags of the guest; ignored */
    uint32_t evtchn;       /* CONNECT, ACCEPT: the guest's port of the data ring */
    uint32_t backlog;      /* LISTEN */
    uint32_t reuse;        /* RELEASE: 1 hints that pages and port will come again; ignored */
    uint32_t family;       /* SOCKET: CALL_AF_*, CALL_SOCK_*, and the protocol, 0 */
    uint32_t type;
    uint32_t protocol;
    uint32_t refs[CALL_REFS_MAX]; /* CONNECT, ACCEPT: of the data ring, or of its index page */
};

/* One response. */
struct call_reply {
    uint32_t id;
    uint32_t code;
    uint64_t sockid;
    int32_t ret; /* 0 or -ERR_* */
};

/* "CONNECT" etc.; "UNKNOWN" for CALL_KINDS. */
const char *call_name(enum call_kind kind);

/* Fill an IPv4 address: `ip` is 4 bytes in network order, `port` in host order. */
void call_addr4(struct call_addr *addr, const uint8_t ip[4], uint16_t port);

/* Fill an IPv6 address: `ip` is 16 bytes in network order, `port` in host order. */
void call_addr6(struct call_addr *addr, const uint8_t ip[16], uint16_t port);

/* 0 if the address is one we speak; -ERR_INVAL for a wrong length or scope, -ERR_AFNOSUPPORT. */
int call_addr_check(const struct call_addr *addr);

/* The family (CALL_AF_*) and the port in host order of an address. */
uint16_t call_addr_family(const struct call_addr *addr);
uint16_t call_addr_port(const struct call_addr *addr);

/* The same address, `offset` ports on; the port must not pass 65535. */
struct call_addr call_addr_after(const struct call_addr *addr, uint32_t offset);

#endif
