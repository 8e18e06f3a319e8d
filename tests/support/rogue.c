/* A side of a device played by hand. See rogue.h. */
#include "tests/support/rogue.h"

#include <stdlib.h>

void rogue_take(struct rogue *rogue, enum ev_kind kind, struct ev *ev)
{
    do {
        while (!hv_next(rogue->hv, ev)) {
            assert(rogue->wait);
            rogue->wait(rogue);
        }
        if (ev->kind == EV_PORT)
            hv_unmask(rogue->hv, ev->port);
    } while (ev->kind != kind);
    assert(ev->ret >= 0);
}

static uint32_t slot_at(const struct rogue *rogue, uint32_t index)
{
    uint32_t bytes = rogue->dialect->request_bytes;

    return CMDRING_SLOTS + index % cmdring_size(bytes) * bytes;
}

void rogue_store(struct rogue *rogue, uint32_t offset, uint32_t value)
{
    shared_store(&rogue->page, offset, value);
}

uint32_t rogue_load(const struct rogue *rogue, uint32_t offset)
{
    return shared_load(&rogue->page, offset);
}

static void write_number(struct pair *pair, const char *key, uint32_t number)
{
    char text[16];

    xenbus_print(text, number);
    pair_write(pair, PAIR_FRONT, key, text);
}

void rogue_write_constants(struct pair *pair, uint16_t domid)
{
    const struct dialect *dialect = pair->config.dialect;
    const struct dialect_node *node =
        domid == PAIR_FRONT ? dialect->front_nodes : dialect->back_nodes;

    for (uint32_t i = 0; i < 2 && node[i].value; i++)
        pair_write(pair, domid, dialect->keys[node[i].key], node[i].value);
}

void rogue_front_open(struct rogue *rogue, struct pair *pair, uint32_t order)
{
    rogue_front_open_in(rogue, pair, &dialect_xensock1, order);
}

void rogue_front_ring(struct rogue *rogue)
{
    struct ev ev;

    hv_share(rogue->hv, 1, PAIR_BACK, 1);
    rogue_take(rogue, EV_SHARE, &ev);
    rogue->page = ev.share.area;
    rogue->handle = ev.share.handle;
    rogue->ring_ref = ev.share.refs[0];
    rogue_store(rogue, CMDRING_REQ_EVENT, 1);
    rogue_store(rogue, CMDRING_RSP_EVENT, 1);
    hv_port_alloc(rogue->hv, 2, PAIR_BACK);
    rogue_take(rogue, EV_PORT_ALLOC, &ev);
    rogue->port = ev.port;
}

void rogue_front_open_in(struct rogue *rogue, struct pair *pair, const struct dialect *dialect,
                         uint32_t order)
{
    rogue_front_open_with(rogue, pair, &(struct pair_config){.dialect = dialect, .order = order});
}

void rogue_front_open_with(struct rogue *rogue, struct pair *pair, const struct pair_config *config)
{
    const struct dialect *dialect = config->dialect;
    struct pair_config ours = *config;
    uint32_t order = config->order;

    ours.no_front = true;
    ours.back_order = dialect->index.pages > 0 ? order : 0;
    if (ours.max_sockets == 0)
        ours.max_sockets = 2 * cmdring_size(dialect->request_bytes);
    pair_open(pair, &ours);
    *rogue = (struct rogue){.pair = pair, .hv = pair->front_hv, .dialect = dialect, .order = order};
    rogue_front_ring(rogue);
    write_number(pair, "ring-ref", rogue->ring_ref);
    write_number(pair, "port", rogue->port);
    if (dialect->keys[DIALECT_KEY_ORDER])
        write_number(pair, dialect->keys[DIALECT_KEY_ORDER], order);
    rogue_write_constants(pair, PAIR_FRONT);
    pair_write(pair, PAIR_FRONT, "state", "3");
    pair_run(pair);
    assert(be_state(pair->be) == XENBUS_CONNECTED);
    pair_write(pair, PAIR_FRONT, "state", "4");
    pair_run(pair);
}

void rogue_front_close(struct rogue *rogue)
{
    pair_write(rogue->pair, PAIR_FRONT, "state", "6");
    pair_settle(rogue->pair);
    pair_close(rogue->pair);
}

void rogue_name_pages(struct rogue *rogue, struct rogue_data *data, uint32_t order)
{
    const struct dialect_index *index = &rogue->dialect->index;

    shared_store(&data->area, index->order_at, order);
    shared_fill(&data->area, index->refs_at, data->page_refs,
                data->at.pages * (uint32_t)sizeof(data->page_refs[0]));
}

void rogue_share(struct rogue *rogue, struct rogue_data *data)
{
    const struct dialect_index *index = &rogue->dialect->index;
    struct ev ev;

    *data = (struct rogue_data){0};
    dialect_ring(rogue->dialect, rogue->order, &data->at);
    hv_share(rogue->hv, 3, PAIR_BACK, index->pages + data->at.pages);
    rogue_take(rogue, EV_SHARE, &ev);
    data->area = data->data = ev.share.area;
    data->handle = ev.share.handle;
    if (index->pages > 0) {
        data->data = shared_after(&data->area, index->pages);
        data->refs[0] = ev.share.refs[0];
        memcpy(data->page_refs, ev.share.refs + 1, data->at.pages * sizeof(data->page_refs[0]));
        rogue_name_pages(rogue, data, rogue->order);
    } else {
        memcpy(data->refs, ev.share.refs, data->at.pages * sizeof(data->refs[0]));
    }
    hv_port_alloc(rogue->hv, 4, PAIR_BACK);
    rogue_take(rogue, EV_PORT_ALLOC, &ev);
    data->port = ev.port;
}

void rogue_unshare(struct rogue *rogue, struct rogue_data *data)
{
    struct ev ev;

    hv_unshare(rogue->hv, 3, data->handle);
    rogue_take(rogue, EV_UNSHARE, &ev);
    rogue_port_close(rogue, data);
}

void rogue_port_close(struct rogue *rogue, const struct rogue_data *data)
{
    struct ev ev;

    hv_port_close(rogue->hv, 4, data->port);
    rogue_take(rogue, EV_PORT_CLOSE, &ev);
}

struct call rogue_connect(uint32_t id, uint64_t sockid, const struct rogue_data *data)
{
    struct call call = {.id = id, .kind = CALL_CONNECT, .sockid = sockid, .addr = pair_addr(80)};

    call.evtchn = data->port;
    memcpy(call.refs, data->refs, sizeof(call.refs));
    return call;
}

void rogue_put_raw(struct rogue *rogue, const void *slot)
{
    shared_fill(&rogue->page, slot_at(rogue, rogue->prod), slot, rogue->dialect->request_bytes);
    rogue_store(rogue, CMDRING_REQ_PROD, ++rogue->prod);
}

void rogue_put(struct rogue *rogue, const struct call *call)
{
    unsigned char slot[DIALECT_SLOT_MAX];

    dialect_pack_call(rogue->dialect, call, slot);
    rogue_put_raw(rogue, slot);
}

void rogue_kick(struct rogue *rogue)
{
    hv_notify(rogue->hv, rogue->port);
    if (rogue->pair)
        pair_run(rogue->pair);
}

bool rogue_reply(struct rogue *rogue, struct call_reply *reply)
{
    uint32_t slot[DIALECT_SLOT_MAX / 4];

    if (rogue->cons == rogue_load(rogue, CMDRING_RSP_PROD))
        return false;
    shared_copy(slot, &rogue->page, slot_at(rogue, rogue->cons++), rogue->dialect->request_bytes);
    dialect_unpack_reply(rogue->dialect, slot, reply);
    return true;
}

int32_t rogue_ask(struct rogue *rogue, const struct call *call)
{
    struct call_reply reply;

    rogue_put(rogue, call);
    rogue_kick(rogue);
    if (!rogue_reply(rogue, &reply))
        return 1;
    assert(reply.id == call->id && reply.sockid == call->sockid);
    return reply.ret;
}

static uint32_t front_number(struct pair *pair, const char *key)
{
    const char *value = pair_node(pair, PAIR_FRONT, key);

    assert(value);
    return (uint32_t)xenbus_parse(value, UINT32_MAX);
}

void rogue_back_open(struct rogue *rogue, struct pair *pair, uint32_t order)
{
    rogue_back_open_in(rogue, pair, &dialect_xensock1, order);
}

void rogue_back_open_in(struct rogue *rogue, struct pair *pair, const struct dialect *dialect,
                        uint32_t order)
{
    rogue_back_open_with(rogue, pair, &(struct pair_config){.dialect = dialect, .order = order});
}

void rogue_back_open_with(struct rogue *rogue, struct pair *pair, const struct pair_config *config)
{
    const struct dialect *dialect = config->dialect;
    struct pair_config ours = *config;
    struct ev ev;
    char text[16];
    uint32_t ref;

    ours.no_back = true;
    pair_open(pair, &ours);
    *rogue = (struct rogue){
        .pair = pair, .hv = pair->back_hv, .dialect = dialect, .order = config->order};
    xenbus_print(text, dialect->order_max);
    pair_write(pair, PAIR_BACK, dialect->keys[DIALECT_KEY_MAX_ORDER], text);
    rogue_write_constants(pair, PAIR_BACK);
    pair_write(pair, PAIR_BACK, "state", "2");
    pair_run(pair);
    ref = front_number(pair, "ring-ref");
    hv_map(rogue->hv, 1, PAIR_FRONT, &ref, 1);
    rogue_take(rogue, EV_MAP, &ev);
    rogue->page = ev.share.area;
    rogue->handle = ev.share.handle;
    hv_port_bind(rogue->hv, 2, PAIR_FRONT, front_number(pair, "port"));
    rogue_take(rogue, EV_PORT_BIND, &ev);
    rogue->port = ev.port;
    pair_write(pair, PAIR_BACK, "state", "4");
    pair_run(pair);
    assert(pair->up && fe_state(pair->fe) == XENBUS_CONNECTED);
    pair_forget(pair);
}

void rogue_back_close(struct rogue *rogue)
{
    struct ev ev;

    hv_unmap(rogue->hv, 1, rogue->handle);
    rogue_take(rogue, EV_UNMAP, &ev);
    hv_port_close(rogue->hv, 2, rogue->port);
    rogue_take(rogue, EV_PORT_CLOSE, &ev);
    pair_write(rogue->pair, PAIR_BACK, "state", "6");
    pair_close(rogue->pair);
}

bool rogue_request(struct rogue *rogue, struct call *call)
{
    uint32_t slot[DIALECT_SLOT_MAX / 4];

    if (rogue->cons == rogue_load(rogue, CMDRING_REQ_PROD))
        return false;
    shared_copy(slot, &rogue->page, slot_at(rogue, rogue->cons++), rogue->dialect->request_bytes);
    rogue_store(rogue, CMDRING_REQ_EVENT, rogue->cons + 1);
    dialect_unpack_call(rogue->dialect, slot, call);
    return true;
}

struct call_reply rogue_answer_to(struct rogue *rogue, struct call *call, int32_t ret)
{
    bool any = rogue_request(rogue, call);

    assert(any);
    return (struct call_reply){call->id, call->code, call->sockid, ret};
}

struct call_reply rogue_expect(struct rogue *rogue, enum call_kind kind, struct call *call,
                               int32_t ret)
{
    struct call_reply reply;

    pair_run(rogue->pair);
    reply = rogue_answer_to(rogue, call, ret);
    assert(call->kind == kind);
    return reply;
}

struct call rogue_serve(struct rogue *rogue, enum call_kind kind, int32_t ret)
{
    struct call call;
    struct call_reply reply = rogue_expect(rogue, kind, &call, ret);

    rogue_answer(rogue, &reply);
    return call;
}

void rogue_answer(struct rogue *rogue, const struct call_reply *reply)
{
    unsigned char slot[DIALECT_SLOT_MAX];

    memset(slot, 0xa5, sizeof(slot)); /* what lies behind a response means nothing */
    dialect_pack_reply(rogue->dialect, reply, slot);
    shared_fill(&rogue->page, slot_at(rogue, rogue->prod), slot, rogue->dialect->request_bytes);
    rogue_store(rogue, CMDRING_RSP_PROD, ++rogue->prod);
    rogue_kick(rogue);
}

/* The pages that an index page names; a front that means well named ours as many as we expect. */
static void map_named(struct rogue *rogue, const struct call *call, struct rogue_data *data)
{
    const struct dialect_index *index = &rogue->dialect->index;
    struct ev ev;

    hv_map(rogue->hv, 3, PAIR_FRONT, call->refs, index->pages);
    rogue_take(rogue, EV_MAP, &ev);
    data->area = ev.share.area;
    data->index_handle = ev.share.handle;
    assert(shared_load(&data->area, index->order_at) == rogue->order);
    shared_copy(data->page_refs, &data->area, index->refs_at,
                data->at.pages * (uint32_t)sizeof(data->page_refs[0]));
}

void rogue_map(struct rogue *rogue, const struct call *call, struct rogue_data *data)
{
    bool named = rogue->dialect->index.pages > 0;
    struct ev ev;

    *data = (struct rogue_data){0};
    dialect_ring(rogue->dialect, rogue->order, &data->at);
    if (named)
        map_named(rogue, call, data);
    hv_map(rogue->hv, 3, PAIR_FRONT, named ? data->page_refs : call->refs, data->at.pages);
    rogue_take(rogue, EV_MAP, &ev);
    data->data = ev.share.area;
    data->handle = ev.share.handle;
    if (!named)
        data->area = data->data;
    hv_port_bind(rogue->hv, 4, PAIR_FRONT, call->evtchn);
    rogue_take(rogue, EV_PORT_BIND, &ev);
    data->port = ev.port;
}

void rogue_unmap(struct rogue *rogue, struct rogue_data *data)
{
    struct ev ev;

    hv_unmap(rogue->hv, 3, data->handle);
    rogue_take(rogue, EV_UNMAP, &ev);
    if (rogue->dialect->index.pages > 0) {
        hv_unmap(rogue->hv, 3, data->index_handle);
        rogue_take(rogue, EV_UNMAP, &ev);
    }
    hv_port_close(rogue->hv, 4, data->port);
    rogue_take(rogue, EV_PORT_CLOSE, &ev);
}
