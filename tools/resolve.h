/*
 * Names into addresses, on a libuv loop: what a forward's SOCKS programs name is looked up beside
 * the backend, which owns the sockets, and held to its policy.
 */
#ifndef XENSOCK_TOOLS_RESOLVE_H
#define XENSOCK_TOOLS_RESOLVE_H

#include "backend/policy.h"

#include <uv.h>

/* Look `name` up and tell `done` (with `self` and `id`), from the loop, or at once if it can be no
 * name: the first address that `policy` (NULL: any) lets a guest reach, IPv4 before IPv6, with
 * `port`; or an error and NULL: -ERR_NOENT, there is no such name; -ERR_ACCES, none of its
 * addresses is allowed. */
struct resolve {
    const struct policy *policy;
    void *self;
    void (*done)(void *self, uint64_t id, int32_t error, const struct call_addr *addr);
};
void resolve_name(uv_loop_t *loop, const struct resolve *resolve, uint64_t id, const char *name,
                  uint16_t port);

/* "127.0.0.1:80", "[::1]:80": as units_parse_addr reads it. */
enum { RESOLVE_TEXT_BYTES = 64 };
void resolve_text(char text[RESOLVE_TEXT_BYTES], const struct call_addr *addr);

/* Read what the host knows as an address; false: of neither family. */
bool resolve_addr(struct call_addr *addr, const struct sockaddr *host, uint16_t port);

#endif
