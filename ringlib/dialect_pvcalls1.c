/*
 * PV Calls version 1 (2017), byte for byte.
 *
 * The mirror structs keep the specification's field names and exist to be measured, on 32 and 64
 * bits alike. Where the text contradicts itself, what the structs say and Linux speaks is the wire:
 * commands are 0 to 6 (the text counts them one too low from connect on); the order lies at 128 of
 * the index page and the refs at 132 (the figure says 76 and 80); `ref` of connect lies at 52 (the
 * figure gives 44, from the start of its member); ENOTSUP is 524, Linux's number inside the kernel;
 * an orderly end is -107 in in_error (the text gives no sign).
 * Source: protocol.md 3.1, 3.2, 3.4 and its list of the specification's defects.
 */
#include "ringlib/dialect_rows.h"

#include "ringlib/cmdring.h"

struct xen_pvcalls_socket {
    uint64_t id;
    uint32_t domain;
    uint32_t type;
    uint32_t protocol;
    uint8_t pad[4];
};

struct xen_pvcalls_connect {
    uint64_t id;
    uint8_t addr[28];
    uint32_t len;
    uint32_t flags;
    uint32_t ref;
    uint32_t evtchn;
    uint8_t pad[4];
};

struct xen_pvcalls_release {
    uint64_t id;
    uint8_t reuse;
    uint8_t pad[7];
};

struct xen_pvcalls_bind {
    uint64_t id;
    uint8_t addr[28];
    uint32_t len;
};

struct xen_pvcalls_listen {
    uint64_t id;
    uint32_t backlog;
    uint8_t pad[4];
};

struct xen_pvcalls_accept {
    uint64_t id;
    uint64_t id_new;
    uint32_t ref;
    uint32_t evtchn;
};

struct xen_pvcalls_poll {
    uint64_t id;
};

struct xen_pvcalls_request {
    uint32_t req_id;
    uint32_t cmd;
    union {
        struct xen_pvcalls_socket socket;
        struct xen_pvcalls_connect connect;
        struct xen_pvcalls_release release;
        struct xen_pvcalls_bind bind;
        struct xen_pvcalls_listen listen;
        struct xen_pvcalls_accept accept;
        struct xen_pvcalls_poll poll;
        uint8_t dummy[56];
    } u;
};

struct xen_pvcalls_response {
    uint32_t req_id;
    uint32_t cmd;
    int32_t ret;
    uint32_t pad;
    uint64_t id;
};

struct pvcalls_data_intf {
    uint32_t in_cons, in_prod, in_error;
    uint8_t pad1[52];
    uint32_t out_cons, out_prod, out_error;
    uint8_t pad2[52];
    uint32_t ring_order;
    uint32_t ref[(SHARED_PAGE_BYTES - 132) / 4];
};

#define AT(type, member, number) DIALECT_AT("PV Calls 1", type, member, number)

AT(xen_pvcalls_request, req_id, 0); /* "Request fields" */
AT(xen_pvcalls_request, cmd, 4);
AT(xen_pvcalls_request, u, 8);
AT(xen_pvcalls_request, u.socket.domain, 16); /* PVCALLS_SOCKET */
AT(xen_pvcalls_request, u.socket.type, 20);
AT(xen_pvcalls_request, u.socket.protocol, 24);
AT(xen_pvcalls_request, u.connect.addr, 16); /* PVCALLS_CONNECT */
AT(xen_pvcalls_request, u.connect.len, 44);
AT(xen_pvcalls_request, u.connect.flags, 48);
AT(xen_pvcalls_request, u.connect.ref, 52);
AT(xen_pvcalls_request, u.connect.evtchn, 56);
AT(xen_pvcalls_request, u.release.reuse, 16); /* PVCALLS_RELEASE */
AT(xen_pvcalls_request, u.bind.addr, 16);     /* PVCALLS_BIND */
AT(xen_pvcalls_request, u.bind.len, 44);
AT(xen_pvcalls_request, u.listen.backlog, 16); /* PVCALLS_LISTEN */
AT(xen_pvcalls_request, u.accept.id_new, 16);  /* PVCALLS_ACCEPT */
AT(xen_pvcalls_request, u.accept.ref, 24);
AT(xen_pvcalls_request, u.accept.evtchn, 28);
_Static_assert(sizeof(struct xen_pvcalls_request) == 64, "64 bytes on 32 and 64 bits");
AT(xen_pvcalls_response, req_id, 0); /* "Response fields" */
AT(xen_pvcalls_response, cmd, 4);
AT(xen_pvcalls_response, ret, 8);
AT(xen_pvcalls_response, pad, 12);
AT(xen_pvcalls_response, id, 16);
_Static_assert(sizeof(struct xen_pvcalls_response) == 24, "24 bytes on 32 and 64 bits");
_Static_assert((SHARED_PAGE_BYTES - CMDRING_SLOTS) / sizeof(struct xen_pvcalls_request) == 63,
               "63 fit, so the ring has 32 slots");
AT(pvcalls_data_intf, in_cons, 0); /* "Indexes Page Structure" */
AT(pvcalls_data_intf, in_prod, 4);
AT(pvcalls_data_intf, in_error, 8);
AT(pvcalls_data_intf, out_cons, 64);
AT(pvcalls_data_intf, out_prod, 68);
AT(pvcalls_data_intf, out_error, 72);
AT(pvcalls_data_intf, ring_order, 128);
AT(pvcalls_data_intf, ref, 132);
_Static_assert(sizeof(struct pvcalls_data_intf) == SHARED_PAGE_BYTES, "one page");
_Static_assert(1 << 9 <= (SHARED_PAGE_BYTES - 132) / 4, "order 9 fits, 10 does not");

/* The commands' ids all lie at 8, so one row serves them. */
static const struct dialect_row request_rows[] = {
    ROW("req_id", xen_pvcalls_request, req_id, call, id, 4),
    ROW("cmd", xen_pvcalls_request, cmd, call, code, 4),
    ROW("id", xen_pvcalls_request, u.poll.id, call, sockid, 8),
};

static const struct dialect_row response_rows[] = {
    ROW("req_id", xen_pvcalls_response, req_id, call_reply, id, 4),
    ROW("cmd", xen_pvcalls_response, cmd, call_reply, code, 4),
    ROW("ret", xen_pvcalls_response, ret, call_reply, ret, 4),
    ROW("id", xen_pvcalls_response, id, call_reply, sockid, 8),
};

static const struct dialect_row socket_rows[] = {
    ROW("domain", xen_pvcalls_request, u.socket.domain, call, family, 4),
    ROW("type", xen_pvcalls_request, u.socket.type, call, type, 4),
    ROW("protocol", xen_pvcalls_request, u.socket.protocol, call, protocol, 4),
};

static const struct dialect_row connect_rows[] = {
    ROW("addr", xen_pvcalls_request, u.connect.addr, call, addr.bytes, 1),
    ROW("len", xen_pvcalls_request, u.connect.len, call, addr.len, 4),
    ROW("flags", xen_pvcalls_request, u.connect.flags, call, flags, 4),
    ROW("ref", xen_pvcalls_request, u.connect.ref, call, refs, 4),
    ROW("evtchn", xen_pvcalls_request, u.connect.evtchn, call, evtchn, 4),
};

static const struct dialect_row release_rows[] = {
    DIALECT_ROW("reuse", xen_pvcalls_request, u.release.reuse, 1, call, reuse, 4),
};

static const struct dialect_row bind_rows[] = {
    ROW("addr", xen_pvcalls_request, u.bind.addr, call, addr.bytes, 1),
    ROW("len", xen_pvcalls_request, u.bind.len, call, addr.len, 4),
};

static const struct dialect_row listen_rows[] = {
    ROW("backlog", xen_pvcalls_request, u.listen.backlog, call, backlog, 4),
};

static const struct dialect_row accept_rows[] = {
    ROW("id_new", xen_pvcalls_request, u.accept.id_new, call, new_sockid, 8),
    ROW("ref", xen_pvcalls_request, u.accept.ref, call, refs, 4),
    ROW("evtchn", xen_pvcalls_request, u.accept.evtchn, call, evtchn, 4),
};

/* The data is two halves (XEN_FLEX_RING_SIZE); the indexes are in their page. */
void dialect_halves(uint32_t order, struct dialect_ring *ring)
{
    uint32_t half = SHARED_PAGE_BYTES / 2 << order;

    *ring = (struct dialect_ring){
        .pages = 1u << order,
        .in = {.array = 0,
               .size = half,
               .prod = offsetof(struct pvcalls_data_intf, in_prod),
               .cons = offsetof(struct pvcalls_data_intf, in_cons),
               .error = offsetof(struct pvcalls_data_intf, in_error)},
        .out = {.array = half,
                .size = half,
                .prod = offsetof(struct pvcalls_data_intf, out_prod),
                .cons = offsetof(struct pvcalls_data_intf, out_cons),
                .error = offsetof(struct pvcalls_data_intf, out_error)},
    };
}

const struct dialect dialect_pvcalls1 = {
    .name = "pvcalls1",
    .device = "pvcalls",
    .request_bytes = sizeof(struct xen_pvcalls_request),
    .response_bytes = sizeof(struct xen_pvcalls_response),
    .sockid_bytes = 8,
    .order_min = 1,     /* "max-page-order ... at least 1"; 0 is refused (protocol.md 7, 17) */
    .order_default = 4, /* Linux's, on both sides */
    .order_max = 9,
    .index = DIALECT_INDEX,
    .back_nodes = {{DIALECT_KEY_VERSIONS, "1", true}, {DIALECT_KEY_FUNCTIONS, "1", false}},
    .front_nodes = {{DIALECT_KEY_VERSION, "1", false}},
    .request = request_rows,
    .request_rows = 3,
    .response = response_rows,
    .response_rows = 4,
    .calls =
        {
            [CALL_SOCKET] = {true, 0, ROWS(socket_rows)},
            [CALL_CONNECT] = {true, 1, ROWS(connect_rows)},
            [CALL_RELEASE] = {true, 2, ROWS(release_rows)},
            [CALL_BIND] = {true, 3, ROWS(bind_rows)},
            [CALL_LISTEN] = {true, 4, ROWS(listen_rows)},
            [CALL_ACCEPT] = {true, 5, ROWS(accept_rows)},
            [CALL_POLL] = {true, 6, NULL, 0},
        },
    .keys =
        {
            [DIALECT_KEY_STATE] = "state",
            [DIALECT_KEY_BACKEND_ID] = "backend-id",
            [DIALECT_KEY_RING_REF] = "ring-ref",
            [DIALECT_KEY_PORT] = "port",
            [DIALECT_KEY_MAX_ORDER] = "max-page-order",
            [DIALECT_KEY_VERSIONS] = "versions",
            [DIALECT_KEY_FUNCTIONS] = "function-calls",
            [DIALECT_KEY_VERSION] = "version",
        },
    .ring = dialect_halves,
};
