/*
 * The one place where the wire's error numbers and addresses meet the host's. Opens nothing and
 * calls nothing. Source: ringlib/err.h, ringlib/call.h.
 */
#ifndef XENSOCK_SIM_NET_NET_HOST_H
#define XENSOCK_SIM_NET_NET_HOST_H

#include "ringlib/call.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* A host's socket address; which member is meant, its family says. */
union net_host_addr {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* The wire's number (positive, ERR_*) of a host errno; 0 stays 0. A number outside the table is
 * returned as it is: on Linux it is the wire's already. */
int32_t net_host_error(int number);

/* Fill in the host's form of an address that passed call_addr_check, member by member, and return
 * its length in bytes. The IPv6 scope is 0. */
socklen_t net_host_addr(union net_host_addr *host, const struct call_addr *addr);

#endif
