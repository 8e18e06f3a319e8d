/*
 * XenSock draft 1 (July 2016), byte for byte.
 *
 * The mirror structs keep the draft's field names and exist to be measured: every offset is
 * asserted as a number on 32 and 64 bits, and the rows take theirs from them. The draft's response
 * is 20 bytes on i386 and 24 elsewhere by tail padding; we always write 24, which the slot's
 * stride (the request's 312) makes harmless.
 * Source: the draft as quoted in its review, sections "Commands Ring" and "Data Ring";
 * protocol.md 1.2, 1.4; the layout as a function of the order, protocol.md 7 (23).
 */
#include "ringlib/dialect_rows.h"

#include "ringlib/cmdring.h"
#include "ringlib/err.h"

struct xen_xensock_connect {
    uint8_t addr[28];
    uint32_t len;
    uint32_t flags;
    uint32_t ref[64];
    uint32_t evtchn;
};

struct xen_xensock_bind {
    uint8_t addr[28];
    uint32_t len;
};

/* u.accept.sockid is aligned to 4 on i386 and to 8 elsewhere; at 16 both give the same offsets */
struct xen_xensock_accept {
    uint64_t sockid;
    uint32_t ref[64];
    uint32_t evtchn;
};

struct xen_xensock_request {
    uint32_t id;
    uint32_t cmd;
    uint64_t sockid;
    union {
        struct xen_xensock_connect connect;
        struct xen_xensock_bind bind;
        struct xen_xensock_accept accept;
    } u;
};

struct xen_xensock_response {
    uint32_t id;
    uint32_t cmd;
    uint64_t sockid;
    int32_t ret;
};

#define AT(type, member, number) DIALECT_AT("draft 1", type, member, number)

AT(xen_xensock_request, id, 0); /* draft 1, first table of "Commands Ring" */
AT(xen_xensock_request, cmd, 4);
AT(xen_xensock_request, sockid, 8);
AT(xen_xensock_request, u, 16);
AT(xen_xensock_request, u.connect.addr, 16); /* XENSOCK_CONNECT */
AT(xen_xensock_request, u.connect.len, 44);
AT(xen_xensock_request, u.connect.flags, 48);
AT(xen_xensock_request, u.connect.ref, 52);
AT(xen_xensock_request, u.connect.evtchn, 308);
AT(xen_xensock_request, u.bind.addr, 16); /* XENSOCK_BIND */
AT(xen_xensock_request, u.bind.len, 44);
AT(xen_xensock_request, u.accept.sockid, 16); /* XENSOCK_ACCEPT */
AT(xen_xensock_request, u.accept.ref, 24);
AT(xen_xensock_request, u.accept.evtchn, 280);
_Static_assert(sizeof(struct xen_xensock_request) == 312, "312 bytes on 32 and 64 bits");
AT(xen_xensock_response, id, 0);
AT(xen_xensock_response, cmd, 4);
AT(xen_xensock_response, sockid, 8);
AT(xen_xensock_response, ret, 16);
_Static_assert(sizeof(struct xen_xensock_response) == (sizeof(void *) == 4 ? 20 : 24),
               "20 bytes on i386, 24 on 64 bits");
_Static_assert((SHARED_PAGE_BYTES - CMDRING_SLOTS) / sizeof(struct xen_xensock_request) == 12,
               "twelve fit, so the ring has eight slots");

static const struct dialect_row request_rows[] = {
    ROW("id", xen_xensock_request, id, call, id, 4),
    ROW("cmd", xen_xensock_request, cmd, call, code, 4),
    ROW("sockid", xen_xensock_request, sockid, call, sockid, 8),
};

static const struct dialect_row response_rows[] = {
    ROW("id", xen_xensock_response, id, call_reply, id, 4),
    ROW("cmd", xen_xensock_response, cmd, call_reply, code, 4),
    ROW("sockid", xen_xensock_response, sockid, call_reply, sockid, 8),
    ROW("ret", xen_xensock_response, ret, call_reply, ret, 4),
};

static const struct dialect_row connect_rows[] = {
    ROW("addr", xen_xensock_request, u.connect.addr, call, addr.bytes, 1),
    ROW("len", xen_xensock_request, u.connect.len, call, addr.len, 4),
    ROW("flags", xen_xensock_request, u.connect.flags, call, flags, 4),
    ROW("ref", xen_xensock_request, u.connect.ref, call, refs, 4),
    ROW("evtchn", xen_xensock_request, u.connect.evtchn, call, evtchn, 4),
};

static const struct dialect_row bind_rows[] = {
    ROW("addr", xen_xensock_request, u.bind.addr, call, addr.bytes, 1),
    ROW("len", xen_xensock_request, u.bind.len, call, addr.len, 4),
};

static const struct dialect_row accept_rows[] = {
    ROW("sockid", xen_xensock_request, u.accept.sockid, call, new_sockid, 8),
    ROW("ref", xen_xensock_request, u.accept.ref, call, refs, 4),
    ROW("evtchn", xen_xensock_request, u.accept.evtchn, call, evtchn, 4),
};

/* SIZE = 4096 << order: in is a quarter, out a half, the indexes follow at three quarters. */
static void ring_layout(uint32_t order, struct dialect_ring *ring)
{
    uint32_t bytes = SHARED_PAGE_BYTES << order;
    uint32_t indexes = bytes / 4 * 3;

    *ring = (struct dialect_ring){
        .pages = 1u << order,
        .in = {.array = 0,
               .size = bytes / 4,
               .cons = indexes,
               .prod = indexes + 4,
               .error = indexes + 16},
        .out = {.array = bytes / 4,
                .size = bytes / 2,
                .cons = indexes + 8,
                .prod = indexes + 12,
                .error = indexes + 20},
    };
}

const struct dialect dialect_xensock1 = {
    .name = "xensock1",
    .device = "xensock", /* the name Linux's prototype used; the draft gives none */
    .request_bytes = sizeof(struct xen_xensock_request),
    .response_bytes = 24,
    .sockid_bytes = 8,
    .order_min = 1,
    .order_default = 6, /* XENSOCK_DATARING_ORDER */
    .order_max = 6,     /* ref[64] */
    .order_silent = 6,
    .backlog = 10, /* the prototype's; the draft has no field (protocol.md 7, 22) */
    .stranger = -ERR_INVAL,
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
            [DIALECT_KEY_ORDER] = "dataring-page-order",
            [DIALECT_KEY_MAX_ORDER] = "max-dataring-page-order",
        },
    .ring = ring_layout,
};
