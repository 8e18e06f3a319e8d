/*
 * A study dialect of ours: draft 1 with fields no larger than their values.
 *
 * Draft 1's commands, codes and meaning. Ids, commands and results have 16 and 8 bits, sockets 32;
 * a request names one page with indexes, laid out as PV Calls 1 has it, instead of 64 refs, and a
 * CONNECT carries no file flags, which nobody read. A slot is 44 bytes instead of 312, so a ring
 * has 64 instead of 8. Source: the review's question whether the fields "could be less big";
 * protocol.md 2.2.
 */
#include "ringlib/dialect_rows.h"

#include "ringlib/cmdring.h"
#include "ringlib/err.h"

struct compact_connect {
    uint8_t addr[28];
    uint32_t ref;
    uint32_t evtchn;
};

struct compact_accept {
    uint32_t sockid;
    uint32_t ref;
    uint32_t evtchn;
};

struct compact_request {
    uint16_t id;
    uint8_t cmd;
    uint8_t len; /* of u.connect.addr, which BIND uses too */
    uint32_t sockid;
    union {
        struct compact_connect connect;
        struct compact_accept accept;
    } u;
};

struct compact_response {
    uint16_t id;
    uint8_t cmd;
    uint8_t pad;
    uint32_t sockid;
    int16_t ret;
    uint16_t pad2;
};

#define AT(type, member, number) DIALECT_AT("compact", type, member, number)

AT(compact_request, id, 0);
AT(compact_request, cmd, 2);
AT(compact_request, len, 3);
AT(compact_request, sockid, 4);
AT(compact_request, u.connect.addr, 8);
AT(compact_request, u.connect.ref, 36);
AT(compact_request, u.connect.evtchn, 40);
AT(compact_request, u.accept.sockid, 8);
AT(compact_request, u.accept.ref, 12);
AT(compact_request, u.accept.evtchn, 16);
_Static_assert(sizeof(struct compact_request) == 44, "44 bytes on 32 and 64 bits");
AT(compact_response, id, 0);
AT(compact_response, cmd, 2);
AT(compact_response, sockid, 4);
AT(compact_response, ret, 8);
_Static_assert(sizeof(struct compact_response) == 12, "12 bytes on 32 and 64 bits");
_Static_assert((SHARED_PAGE_BYTES - CMDRING_SLOTS) / sizeof(struct compact_request) == 91,
               "91 fit, so the ring has 64 slots");

static const struct dialect_row request_rows[] = {
    DIALECT_ROW("id", compact_request, id, 2, call, id, 4),
    DIALECT_ROW("cmd", compact_request, cmd, 1, call, code, 4),
    DIALECT_ROW("sockid", compact_request, sockid, 4, call, sockid, 8),
};

static const struct dialect_row response_rows[] = {
    DIALECT_ROW("id", compact_response, id, 2, call_reply, id, 4),
    DIALECT_ROW("cmd", compact_response, cmd, 1, call_reply, code, 4),
    DIALECT_ROW("sockid", compact_response, sockid, 4, call_reply, sockid, 8),
    DIALECT_ROW_SIGNED("ret", compact_response, ret, 2, call_reply, ret, 4),
};

static const struct dialect_row connect_rows[] = {
    ROW("addr", compact_request, u.connect.addr, call, addr.bytes, 1),
    DIALECT_ROW("len", compact_request, len, 1, call, addr.len, 4),
    ROW("ref", compact_request, u.connect.ref, call, refs, 4),
    ROW("evtchn", compact_request, u.connect.evtchn, call, evtchn, 4),
};

static const struct dialect_row bind_rows[] = {
    ROW("addr", compact_request, u.connect.addr, call, addr.bytes, 1),
    DIALECT_ROW("len", compact_request, len, 1, call, addr.len, 4),
};

static const struct dialect_row accept_rows[] = {
    DIALECT_ROW("sockid", compact_request, u.accept.sockid, 4, call, new_sockid, 8),
    ROW("ref", compact_request, u.accept.ref, call, refs, 4),
    ROW("evtchn", compact_request, u.accept.evtchn, call, evtchn, 4),
};

const struct dialect dialect_xensock1_compact = {
    .name = "xensock1-compact",
    .device = "xensock-compact",
    .request_bytes = sizeof(struct compact_request),
    .response_bytes = sizeof(struct compact_response),
    .sockid_bytes = 4,
    .order_min = 1,
    .order_default = 6,
    .order_max = 9, /* ref[] */
    .backlog = 10,
    .stranger = -ERR_INVAL,
    .index = DIALECT_INDEX,
    .request = request_rows,
    .request_rows = 3,
    .response = response_rows,
    .response_rows = 4,
    .calls =
        {
            [CALL_CONNECT] = {true, 0, ROWS(connect_rows)},
            [CALL_RELEASE] = {true, 3, NULL, 0},
            [CALL_BIND] = {true, 4, ROWS(bind_rows)},
            [CALL_LISTEN] = {true, 5, NULL, 0},
            [CALL_ACCEPT] = {true, 6, ROWS(accept_rows)},
            [CALL_POLL] = {true, 7, NULL, 0},
        },
    .keys =
        {
            [DIALECT_KEY_STATE] = "state",
            [DIALECT_KEY_BACKEND_ID] = "backend-id",
            [DIALECT_KEY_RING_REF] = "ring-ref",
            [DIALECT_KEY_PORT] = "port",
            [DIALECT_KEY_MAX_ORDER] = "max-dataring-page-order",
        },
    .ring = dialect_halves,
};
