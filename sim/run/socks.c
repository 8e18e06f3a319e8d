/* SOCKS version 5 before the bytes. See socks.h. */
#include "sim/run/socks.h"

#include "ringlib/err.h"

#include <string.h>

enum { VERSION = 5, NO_AUTHENTICATION = 0, NO_METHOD = 0xff };
enum { CMD_CONNECT = 1, CMD_BIND = 2 };
enum { ATYP_IPV4 = 1, ATYP_NAME = 3, ATYP_IPV6 = 4 };

enum {
    GREETING_FIXED = 2, /* version, how many methods */
    REQUEST_FIXED = 4,  /* version, command, reserved, kind of address */
    PORT_BYTES = 2,
};

/* RFC 1928, 6. */
enum {
    REP_OK = 0,
    REP_FAILURE = 1,
    REP_NOT_ALLOWED = 2,
    REP_NET_UNREACHABLE = 3,
    REP_HOST_UNREACHABLE = 4,
    REP_REFUSED = 5,
    REP_EXPIRED = 6,
    REP_NO_COMMAND = 7,
    REP_NO_ADDRESS = 8,
};

static uint8_t rep_of(int32_t error)
{
    switch (-error) {
    case 0: return REP_OK;
    case ERR_ACCES:
    case ERR_PERM: return REP_NOT_ALLOWED;
    case ERR_NETUNREACH: return REP_NET_UNREACHABLE;
    case ERR_HOSTUNREACH:
    case ERR_NOENT: return REP_HOST_UNREACHABLE;
    case ERR_CONNREFUSED: return REP_REFUSED;
    case ERR_TIMEDOUT: return REP_EXPIRED;
    case ERR_AFNOSUPPORT: return REP_NO_ADDRESS;
    }
    return REP_FAILURE;
}

static void answer(struct socks *socks, uint8_t rep, const struct call_addr *addr)
{
    bool v6 = addr && call_addr_family(addr) == CALL_AF_INET6;
    uint32_t ip_bytes = v6 ? 16 : 4;
    uint8_t *at = socks->reply;

    memset(socks->reply, 0, sizeof(socks->reply));
    *at++ = VERSION;
    *at++ = rep;
    at++;
    *at++ = v6 ? ATYP_IPV6 : ATYP_IPV4;
    if (addr) {
        memcpy(at, addr->bytes + (v6 ? 8 : 4), ip_bytes);
        at[ip_bytes] = (uint8_t)(call_addr_port(addr) >> 8);
        at[ip_bytes + 1] = (uint8_t)call_addr_port(addr);
    }
    socks->reply_bytes = (uint32_t)(at - socks->reply) + ip_bytes + PORT_BYTES;
}

void socks_answer(struct socks *socks, int32_t error, const struct call_addr *addr)
{
    answer(socks, rep_of(error), addr);
}

static enum socks_verdict take_greeting(struct socks *socks, const uint8_t *bytes, uint32_t count,
                                        uint32_t *used)
{
    if (count >= 1 && bytes[0] != VERSION)
        return SOCKS_BROKEN;
    if (count < GREETING_FIXED || count < GREETING_FIXED + (uint32_t)bytes[1])
        return SOCKS_MORE;
    *used = GREETING_FIXED + (uint32_t)bytes[1];
    socks->greeted = memchr(bytes + GREETING_FIXED, NO_AUTHENTICATION, bytes[1]) != NULL;
    socks->reply[0] = VERSION;
    socks->reply[1] = socks->greeted ? NO_AUTHENTICATION : NO_METHOD;
    socks->reply_bytes = 2;
    return socks->greeted ? SOCKS_ANSWER : SOCKS_BROKEN;
}

static enum socks_verdict refuse(struct socks *socks, uint8_t rep)
{
    answer(socks, rep, NULL);
    return SOCKS_BROKEN;
}

/* How long the address of a request is, its port not counted; 0: not known yet, or of no kind. */
static uint32_t address_bytes(const uint8_t *bytes, uint32_t count)
{
    switch (bytes[3]) {
    case ATYP_IPV4: return 4;
    case ATYP_IPV6: return 16;
    case ATYP_NAME: return count > REQUEST_FIXED ? 1 + (uint32_t)bytes[REQUEST_FIXED] : 0;
    }
    return 0;
}

/* False: a name that is none. */
static bool take_address(struct socks *socks, uint8_t kind, const uint8_t *at, uint32_t address)
{
    uint16_t port = (uint16_t)(at[address] << 8 | at[address + 1]);

    socks->name[0] = '\0';
    socks->port = port;
    if (kind == ATYP_IPV4) {
        call_addr4(&socks->addr, at, port);
    } else if (kind == ATYP_IPV6) {
        call_addr6(&socks->addr, at, port);
    } else {
        memcpy(socks->name, at + 1, address - 1);
        socks->name[address - 1] = '\0';
        return address > 1 && strlen(socks->name) == address - 1;
    }
    return true;
}

static enum socks_verdict take_request(struct socks *socks, const uint8_t *bytes, uint32_t count,
                                       uint32_t *used)
{
    if (count < REQUEST_FIXED)
        return SOCKS_MORE;
    if (bytes[0] != VERSION)
        return SOCKS_BROKEN;
    if (bytes[3] != ATYP_IPV4 && bytes[3] != ATYP_IPV6 && bytes[3] != ATYP_NAME)
        return refuse(socks, REP_NO_ADDRESS);
    uint32_t address = address_bytes(bytes, count);
    if (address == 0 || count < REQUEST_FIXED + address + PORT_BYTES)
        return SOCKS_MORE;
    *used = REQUEST_FIXED + address + PORT_BYTES;
    if (bytes[1] != CMD_CONNECT && bytes[1] != CMD_BIND)
        return refuse(socks, REP_NO_COMMAND);
    if (!take_address(socks, bytes[3], bytes + REQUEST_FIXED, address))
        return refuse(socks, REP_FAILURE);
    return bytes[1] == CMD_CONNECT ? SOCKS_CONNECT : SOCKS_BIND;
}

enum socks_verdict socks_take(struct socks *socks, const uint8_t *bytes, uint32_t count,
                              uint32_t *used)
{
    *used = 0;
    socks->reply_bytes = 0;
    return socks->greeted ? take_request(socks, bytes, count, used)
                          : take_greeting(socks, bytes, count, used);
}
