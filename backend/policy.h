/*
 * Where guests may connect to and bind on the backend's host: a list of prefixes, checked on the
 * private copy of an address. Loopback only, unless the command line adds more.
 * Not protected against: a name service (there is none), ports (all of an allowed host's).
 */
#ifndef XENSOCK_BACKEND_POLICY_H
#define XENSOCK_BACKEND_POLICY_H

#include "ringlib/call.h"

#include <stdbool.h>

enum { POLICY_RULES_MAX = 32 };

/* A prefix of `bits` bits; IPv4 uses the first 4 bytes. */
struct policy_rule {
    uint16_t family; /* CALL_AF_* */
    uint8_t bits;
    uint8_t ip[16];
};

struct policy {
    uint32_t count;
    struct policy_rule rules[POLICY_RULES_MAX];
};

/* Start with loopback: 127.0.0.0/8 and ::1. */
void policy_init(struct policy *policy);

/* Allow one more prefix; false when the list is full. */
bool policy_allow(struct policy *policy, const struct policy_rule *rule);

/* Whether an address that passed call_addr_check lies in an allowed prefix. The unspecified
 * address and IPv4-mapped IPv6 count as themselves, so neither is loopback. */
bool policy_allows(const struct policy *policy, const struct call_addr *addr);

#endif
