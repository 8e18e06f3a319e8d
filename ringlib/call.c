/* Names of calls and the arithmetic of wire addresses. See call.h. */
#include "ringlib/call.h"
#include "ringlib/err.h"

#include <assert.h>

#include <string.h>

const char *call_name(enum call_kind kind)
{
    switch (kind) {
#define X(name)                                                                                    \
    case CALL_##name: return #name;
        CALL_LIST(X)
#undef X
    case CALL_KINDS: break;
    }
    return "UNKNOWN";
}

static void addr_start(struct call_addr *addr, uint16_t family, uint16_t port, uint32_t len)
{
    memset(addr, 0, sizeof(*addr));
    addr->bytes[0] = (uint8_t)family;
    addr->bytes[1] = (uint8_t)(family >> 8);
    addr->bytes[2] = (uint8_t)(port >> 8);
    addr->bytes[3] = (uint8_t)port;
    addr->len = len;
}

void call_addr4(struct call_addr *addr, const uint8_t ip[4], uint16_t port)
{
    addr_start(addr, CALL_AF_INET, port, CALL_ADDR4_LEN);
    memcpy(addr->bytes + 4, ip, 4);
}

void call_addr6(struct call_addr *addr, const uint8_t ip[16], uint16_t port)
{
    addr_start(addr, CALL_AF_INET6, port, CALL_ADDR6_LEN);
    memcpy(addr->bytes + 8, ip, 16);
}

uint16_t call_addr_family(const struct call_addr *addr)
{
    return (uint16_t)(addr->bytes[0] | addr->bytes[1] << 8);
}

uint16_t call_addr_port(const struct call_addr *addr)
{
    return (uint16_t)(addr->bytes[2] << 8 | addr->bytes[3]);
}

int call_addr_check(const struct call_addr *addr)
{
    static const uint8_t zero[4];

    if (addr->len < 2 || addr->len > CALL_ADDR_BYTES)
        return -ERR_INVAL;
    switch (call_addr_family(addr)) {
    case CALL_AF_INET: return addr->len == CALL_ADDR4_LEN ? 0 : -ERR_INVAL;
    case CALL_AF_INET6:
        /* a scope would name an interface of the backend's host: refused (protocol.md 3.2) */
        return addr->len == CALL_ADDR6_LEN && memcmp(addr->bytes + 24, zero, 4) == 0 ? 0
                                                                                     : -ERR_INVAL;
    }
    return -ERR_AFNOSUPPORT;
}

struct call_addr call_addr_after(const struct call_addr *addr, uint32_t offset)
{
    struct call_addr after = *addr;
    uint32_t port = call_addr_port(addr) + offset;

    assert(port <= UINT16_MAX);
    after.bytes[2] = (uint8_t)(port >> 8);
    after.bytes[3] = (uint8_t)port;
    return after;
}
