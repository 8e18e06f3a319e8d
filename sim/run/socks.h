/*
 * SOCKS version 5, the server's half of the talk before the bytes: what the client said, and what
 * to answer. Knows no socket and no connection; bytes in, verdicts and bytes out. No
 * authentication, no UDP. Source: RFC 1928.
 */
#ifndef XENSOCK_SIM_RUN_SOCKS_H
#define XENSOCK_SIM_RUN_SOCKS_H

#include "ringlib/call.h"

#include <stdbool.h>

enum {
    SOCKS_TALK_BYTES = 262, /* of the longest thing a client says */
    SOCKS_NAME_BYTES = 256, /* a name and its NUL */
    SOCKS_REPLY_BYTES = 22, /* of the longest answer */
};

enum socks_verdict {
    SOCKS_MORE,    /* the rest has not come yet */
    SOCKS_ANSWER,  /* `reply` is to be sent; go on afterwards */
    SOCKS_CONNECT, /* to `addr`, or to `name` if that is not empty and then to be resolved */
    SOCKS_BIND,    /* for somebody at `addr` or `name`, as the client expects */
    SOCKS_BROKEN,  /* it does not speak it; `reply` may be an answer to send before the end */
};

struct socks {
    bool greeted;
    struct call_addr addr;
    char name[SOCKS_NAME_BYTES];
    uint16_t port; /* of a name */
    uint8_t reply[SOCKS_REPLY_BYTES];
    uint32_t reply_bytes;
};

/* Look at the `count` bytes that are there; `*used` of them are done with. */
enum socks_verdict socks_take(struct socks *socks, const uint8_t *bytes, uint32_t count,
                              uint32_t *used);

/* Make `reply` the answer to a request: `error` is 0 or -ERR_*, which the client is told as nearly
 * as SOCKS can; `addr` is the address bound or connected, or NULL if nobody knows it. */
void socks_answer(struct socks *socks, int32_t error, const struct call_addr *addr);

#endif
