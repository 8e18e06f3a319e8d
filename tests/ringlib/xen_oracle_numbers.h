/*
 * Our tables against Xen's own public headers: offsets, sizes, codes, states. See xen_oracle.h.
 */
#ifndef XENSOCK_TESTS_RINGLIB_XEN_ORACLE_NUMBERS_H
#define XENSOCK_TESTS_RINGLIB_XEN_ORACLE_NUMBERS_H

#include "tests/ringlib/xen_oracle.h"

/* A field as the header has it. */
struct oracle_field {
    const char *name;
    size_t at, bytes;
};

#define REQUEST(field, member)                                                                     \
    {                                                                                              \
        (field), offsetof(struct xen_pvcalls_request, member),                                     \
            sizeof(((struct xen_pvcalls_request *)0)->member)                                      \
    }
#define RESPONSE(field, member)                                                                    \
    {                                                                                              \
        (field), offsetof(struct xen_pvcalls_response, member),                                    \
            sizeof(((struct xen_pvcalls_response *)0)->member)                                     \
    }

static inline void oracle_rows(const struct dialect_row *rows, uint32_t count,
                               const struct oracle_field *fields)
{
    for (uint32_t i = 0; i < count; i++, fields++) {
        ORACLE_SAME(strcmp(rows[i].name, fields->name), 0);
        ORACLE_SAME(rows[i].wire_at, fields->at);
        ORACLE_SAME((size_t)rows[i].wire_bytes * rows[i].count, fields->bytes);
    }
    ORACLE_SAME(fields->name != NULL, 0);
}

static inline void oracle_call(enum call_kind kind, uint32_t code, size_t id_at,
                               const struct oracle_field *fields)
{
    const struct dialect_call *call = &dialect_pvcalls1.calls[kind];

    ORACLE_SAME(call->exists, true);
    ORACLE_SAME(call->code, code);
    ORACLE_SAME(id_at, 8); /* of every command, so that one row serves them */
    oracle_rows(call->rows, call->row_count, fields);
}

#define ID(member) offsetof(struct xen_pvcalls_request, u.member.id)

static inline void oracle_commands(void)
{
    static const struct oracle_field socket[] = {REQUEST("domain", u.socket.domain),
                                                 REQUEST("type", u.socket.type),
                                                 REQUEST("protocol", u.socket.protocol),
                                                 {0}};
    static const struct oracle_field connect[] = {
        REQUEST("addr", u.connect.addr),     REQUEST("len", u.connect.len),
        REQUEST("flags", u.connect.flags),   REQUEST("ref", u.connect.ref),
        REQUEST("evtchn", u.connect.evtchn), {0}};
    static const struct oracle_field release[] = {REQUEST("reuse", u.release.reuse), {0}};
    static const struct oracle_field bind[] = {
        REQUEST("addr", u.bind.addr), REQUEST("len", u.bind.len), {0}};
    static const struct oracle_field listen[] = {REQUEST("backlog", u.listen.backlog), {0}};
    static const struct oracle_field accept[] = {REQUEST("id_new", u.accept.id_new),
                                                 REQUEST("ref", u.accept.ref),
                                                 REQUEST("evtchn", u.accept.evtchn),
                                                 {0}};
    static const struct oracle_field poll[] = {{0}};

    oracle_call(CALL_SOCKET, PVCALLS_SOCKET, ID(socket), socket);
    oracle_call(CALL_CONNECT, PVCALLS_CONNECT, ID(connect), connect);
    oracle_call(CALL_RELEASE, PVCALLS_RELEASE, ID(release), release);
    oracle_call(CALL_BIND, PVCALLS_BIND, ID(bind), bind);
    oracle_call(CALL_LISTEN, PVCALLS_LISTEN, ID(listen), listen);
    oracle_call(CALL_ACCEPT, PVCALLS_ACCEPT, ID(accept), accept);
    oracle_call(CALL_POLL, PVCALLS_POLL, ID(poll), poll);
}

static inline void oracle_numbers(void)
{
    static const struct oracle_field request[] = {
        REQUEST("req_id", req_id), REQUEST("cmd", cmd), REQUEST("id", u.poll.id), {0}};
    static const struct oracle_field response[] = {RESPONSE("req_id", req_id),
                                                   RESPONSE("cmd", cmd),
                                                   RESPONSE("ret", ret),
                                                   RESPONSE("id", u.poll.id),
                                                   {0}};
    const struct dialect *v1 = &dialect_pvcalls1;

    oracle_commands();
    oracle_rows(v1->request, v1->request_rows, request);
    oracle_rows(v1->response, v1->response_rows, response);
    ORACLE_SAME(v1->request_bytes, sizeof(struct xen_pvcalls_request));
    ORACLE_SAME(v1->response_bytes, sizeof(struct xen_pvcalls_response));
    ORACLE_SAME(cmdring_size(v1->request_bytes), __CONST_RING_SIZE(xen_pvcalls, SHARED_PAGE_BYTES));
    ORACLE_SAME(CMDRING_REQ_PROD, offsetof(struct xen_pvcalls_sring, req_prod));
    ORACLE_SAME(CMDRING_REQ_EVENT, offsetof(struct xen_pvcalls_sring, req_event));
    ORACLE_SAME(CMDRING_RSP_PROD, offsetof(struct xen_pvcalls_sring, rsp_prod));
    ORACLE_SAME(CMDRING_RSP_EVENT, offsetof(struct xen_pvcalls_sring, rsp_event));
    ORACLE_SAME(CMDRING_SLOTS, offsetof(struct xen_pvcalls_sring, ring));
    ORACLE_SAME(v1->index.order_at, offsetof(struct pvcalls_data_intf, ring_order));
    ORACLE_SAME(v1->index.refs_at, offsetof(struct pvcalls_data_intf, ref));
    ORACLE_SAME(SHARED_PAGE_BYTES, 1u << XEN_PAGE_SHIFT);
}

/* The data of each order, and its words in the index page. */
static inline void oracle_layouts(void)
{
    const struct dialect *v1 = &dialect_pvcalls1;

    for (uint32_t order = v1->order_min; order <= v1->order_max; order++) {
        struct dialect_ring ring;

        dialect_ring(v1, order, &ring);
        ORACLE_SAME(ring.pages, 1u << order);
        ORACLE_SAME(ring.in.array, 0);
        ORACLE_SAME(ring.in.size, XEN_FLEX_RING_SIZE(order));
        ORACLE_SAME(ring.out.array, XEN_FLEX_RING_SIZE(order));
        ORACLE_SAME(ring.out.size, XEN_FLEX_RING_SIZE(order));
        ORACLE_SAME(ring.in.cons, offsetof(struct pvcalls_data_intf, in_cons));
        ORACLE_SAME(ring.in.prod, offsetof(struct pvcalls_data_intf, in_prod));
        ORACLE_SAME(ring.in.error, offsetof(struct pvcalls_data_intf, in_error));
        ORACLE_SAME(ring.out.cons, offsetof(struct pvcalls_data_intf, out_cons));
        ORACLE_SAME(ring.out.prod, offsetof(struct pvcalls_data_intf, out_prod));
        ORACLE_SAME(ring.out.error, offsetof(struct pvcalls_data_intf, out_error));
        ORACLE_SAME(v1->index.refs_at + ring.pages * sizeof(grant_ref_t) <= SHARED_PAGE_BYTES,
                    true);
    }
}

static inline void oracle_states(void)
{
    ORACLE_SAME(XENBUS_UNKNOWN, XenbusStateUnknown);
    ORACLE_SAME(XENBUS_INITIALISING, XenbusStateInitialising);
    ORACLE_SAME(XENBUS_INITWAIT, XenbusStateInitWait);
    ORACLE_SAME(XENBUS_INITIALISED, XenbusStateInitialised);
    ORACLE_SAME(XENBUS_CONNECTED, XenbusStateConnected);
    ORACLE_SAME(XENBUS_CLOSING, XenbusStateClosing);
    ORACLE_SAME(XENBUS_CLOSED, XenbusStateClosed);
    ORACLE_SAME(XENBUS_RECONFIGURING, XenbusStateReconfiguring);
    ORACLE_SAME(XENBUS_RECONFIGURED, XenbusStateReconfigured);
}

#endif
