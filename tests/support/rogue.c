/* A side of a device played by hand. See rogue.h. */
#include "tests/support/rogue.h"

#include <stdlib.h>

enum { SLOTS = 8, SLOT_BYTES = 312 };

void rogue_take(struct rogue *rogue, enum ev_kind kind, struct ev *ev)
{
    do {
        bool any = hv_next(rogue->hv, ev);
        assert(any);
        if (ev->kind == EV_PORT)
            hv_unmask(rogue->hv, ev->port);
    } while (ev->kind != kind);
    assert(ev->ret >= 0);
}

static uint32_t slot_at(uint32_t index)
{
    return CMDRING_SLOTS + index % SLOTS * SLOT_BYTES;
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

void rogue_front_open(struct rogue *rogue, struct pair *pair, uint32_t order)
{
    struct ev ev;

    pair_open(pair, &(struct pair_config){.no_front = true, .max_sockets = 16});
    *rogue = (struct rogue){.pair = pair, .hv = pair->front_hv, .order = order};
    hv_share(rogue->hv, 1, PAIR_BACK, 1);
    rogue_take(rogue, EV_SHARE, &ev);
    rogue->page = ev.share.area;
    rogue->handle = ev.share.handle;
    write_number(pair, "ring-ref", ev.share.refs[0]);
    rogue_store(rogue, CMDRING_REQ_EVENT, 1);
    rogue_store(rogue, CMDRING_RSP_EVENT, 1);
    hv_port_alloc(rogue->hv, 2, PAIR_BACK);
    rogue_take(rogue, EV_PORT_ALLOC, &ev);
    rogue->port = ev.port;
    write_number(pair, "port", ev.port);
    write_number(pair, "dataring-page-order", order);
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

void rogue_share(struct rogue *rogue, struct rogue_data *data)
{
    struct ev ev;

    *data = (struct rogue_data){0};
    dialect_ring(&dialect_xensock1, rogue->order, &data->at);
    hv_share(rogue->hv, 3, PAIR_BACK, data->at.pages);
    rogue_take(rogue, EV_SHARE, &ev);
    data->area = ev.share.area;
    data->handle = ev.share.handle;
    memcpy(data->refs, ev.share.refs, data->at.pages * sizeof(data->refs[0]));
    hv_port_alloc(rogue->hv, 4, PAIR_BACK);
    rogue_take(rogue, EV_PORT_ALLOC, &ev);
    data->port = ev.port;
}

void rogue_unshare(struct rogue *rogue, struct rogue_data *data)
{
    struct ev ev;

    hv_unshare(rogue->hv, 3, data->handle);
    rogue_take(rogue, EV_UNSHARE, &ev);
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
    shared_fill(&rogue->page, slot_at(rogue->prod), slot, SLOT_BYTES);
    rogue_store(rogue, CMDRING_REQ_PROD, ++rogue->prod);
}

void rogue_put(struct rogue *rogue, const struct call *call)
{
    unsigned char slot[SLOT_BYTES];

    dialect_pack_call(&dialect_xensock1, call, slot);
    rogue_put_raw(rogue, slot);
}

void rogue_kick(struct rogue *rogue)
{
    hv_notify(rogue->hv, rogue->port);
    pair_run(rogue->pair);
}

bool rogue_reply(struct rogue *rogue, struct call_reply *reply)
{
    uint32_t slot[SLOT_BYTES / 4];

    if (rogue->cons == rogue_load(rogue, CMDRING_RSP_PROD))
        return false;
    shared_copy(slot, &rogue->page, slot_at(rogue->cons++), SLOT_BYTES);
    dialect_unpack_reply(&dialect_xensock1, slot, reply);
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

static uint32_t front_number(struct pair *pair, const char *path)
{
    const char *value = store_text(hypervisor_store(hv_mem_tables(pair->machine)), path);

    assert(value);
    return (uint32_t)xenbus_parse(value, UINT32_MAX);
}

void rogue_back_open(struct rogue *rogue, struct pair *pair, uint32_t order)
{
    struct ev ev;
    uint32_t ref;

    pair_open(pair, &(struct pair_config){.no_back = true, .order = order});
    *rogue = (struct rogue){.pair = pair, .hv = pair->back_hv, .order = order};
    pair_write(pair, PAIR_BACK, "max-dataring-page-order", "6");
    pair_write(pair, PAIR_BACK, "state", "2");
    pair_run(pair);
    ref = front_number(pair, "/local/domain/1/device/xensock/0/ring-ref");
    hv_map(rogue->hv, 1, PAIR_FRONT, &ref, 1);
    rogue_take(rogue, EV_MAP, &ev);
    rogue->page = ev.share.area;
    rogue->handle = ev.share.handle;
    hv_port_bind(rogue->hv, 2, PAIR_FRONT,
                 front_number(pair, "/local/domain/1/device/xensock/0/port"));
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
    uint32_t slot[SLOT_BYTES / 4];

    if (rogue->cons == rogue_load(rogue, CMDRING_REQ_PROD))
        return false;
    shared_copy(slot, &rogue->page, slot_at(rogue->cons++), SLOT_BYTES);
    rogue_store(rogue, CMDRING_REQ_EVENT, rogue->cons + 1);
    dialect_unpack_call(&dialect_xensock1, slot, call);
    return true;
}

struct call_reply rogue_answer_to(struct rogue *rogue, struct call *call, int32_t ret)
{
    bool any = rogue_request(rogue, call);

    assert(any);
    return (struct call_reply){call->id, call->code, call->sockid, ret};
}

void rogue_answer(struct rogue *rogue, const struct call_reply *reply)
{
    unsigned char slot[SLOT_BYTES];

    memset(slot, 0xa5, sizeof(slot)); /* what lies behind a response means nothing */
    dialect_pack_reply(&dialect_xensock1, reply, slot);
    shared_fill(&rogue->page, slot_at(rogue->prod), slot, SLOT_BYTES);
    rogue_store(rogue, CMDRING_RSP_PROD, ++rogue->prod);
    rogue_kick(rogue);
}

void rogue_map(struct rogue *rogue, const struct call *call, struct rogue_data *data)
{
    struct ev ev;

    *data = (struct rogue_data){0};
    dialect_ring(&dialect_xensock1, rogue->order, &data->at);
    hv_map(rogue->hv, 3, PAIR_FRONT, call->refs, data->at.pages);
    rogue_take(rogue, EV_MAP, &ev);
    data->area = ev.share.area;
    data->handle = ev.share.handle;
    hv_port_bind(rogue->hv, 4, PAIR_FRONT, call->evtchn);
    rogue_take(rogue, EV_PORT_BIND, &ev);
    data->port = ev.port;
}

void rogue_unmap(struct rogue *rogue, struct rogue_data *data)
{
    struct ev ev;

    hv_unmap(rogue->hv, 3, data->handle);
    rogue_take(rogue, EV_UNMAP, &ev);
    hv_port_close(rogue->hv, 4, data->port);
    rogue_take(rogue, EV_PORT_CLOSE, &ev);
}
