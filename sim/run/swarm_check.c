/*
 * The checks of a swarm, from outside: a sink in front of the trace that looks at the rings at
 * every record, so before and after every step. See swarm.h.
 *
 * Nothing of the cores is believed but where their rings lie. What the backend moved for a data
 * ring is added up from its completions, by the guest's port.
 */
#include <stdlib.h>

#include "ringlib/err.h"
#include "sim/run/swarm_private.h"

/* ---- the command ring ---- */

static void asked(struct swarm_guest *guest, const struct call *call)
{
    uint32_t free_entry = CMDRING_SIZE_MAX;

    for (uint32_t i = 0; i < CMDRING_SIZE_MAX; i++) {
        if (guest->ring.asked[i].used && guest->ring.asked[i].id == call->id)
            swarm_fail(guest->swarm, "id used twice",
                       "guest %u: request id %u (%s) while it is outstanding", guest->number,
                       call->id, call_name(call->kind));
        if (!guest->ring.asked[i].used)
            free_entry = i;
    }
    if (free_entry == CMDRING_SIZE_MAX)
        return; /* more than the ring has slots: told by its indexes */
    guest->ring.asked[free_entry].used = true;
    guest->ring.asked[free_entry].id = call->id;
    guest->ring.asked[free_entry].code = call->code;
    guest->ring.asked[free_entry].sockid = call->sockid;
    guest->swarm->outcome->requests++;
}

static void answered(struct swarm_guest *guest, const struct call_reply *reply)
{
    uint32_t i = 0;

    while (i < CMDRING_SIZE_MAX &&
           !(guest->ring.asked[i].used && guest->ring.asked[i].id == reply->id))
        i++;
    if (i == CMDRING_SIZE_MAX)
        swarm_fail(guest->swarm, "response to nothing",
                   "guest %u: a response with id %u, which is not outstanding", guest->number,
                   reply->id);
    else if (guest->ring.asked[i].code != reply->code ||
             guest->ring.asked[i].sockid != reply->sockid)
        swarm_fail(guest->swarm, "response to another",
                   "guest %u: the response with id %u echoes another request", guest->number,
                   reply->id);
    if (i < CMDRING_SIZE_MAX)
        guest->ring.asked[i].used = false;
    guest->swarm->progress++;
}

static void check_ring(struct swarm_guest *guest)
{
    const struct dialect *dialect = guest->core.config.dialect;
    struct fe_look look;
    uint32_t slot[DIALECT_SLOT_MAX / 4];

    fe_look(guest->core.fe, &look);
    if (look.page.pages == 0)
        return;
    uint32_t req_prod = shared_load(&look.page, CMDRING_REQ_PROD);
    uint32_t rsp_prod = shared_load(&look.page, CMDRING_RSP_PROD);
    if (req_prod - guest->ring.rsp_seen > look.slots ||
        rsp_prod - guest->ring.rsp_seen > req_prod - guest->ring.rsp_seen) {
        swarm_fail(guest->swarm, "index out of bounds",
                   "guest %u: req_prod %u, rsp_prod %u after %u responses, %u slots", guest->number,
                   req_prod, rsp_prod, guest->ring.rsp_seen, look.slots);
        return;
    }
    for (; guest->ring.req_seen != req_prod; guest->ring.req_seen++) {
        struct call call;
        shared_copy(slot, &look.page,
                    CMDRING_SLOTS + guest->ring.req_seen % look.slots * dialect->request_bytes,
                    dialect->request_bytes);
        dialect_unpack_call(dialect, slot, &call);
        asked(guest, &call);
    }
    for (; guest->ring.rsp_seen != rsp_prod; guest->ring.rsp_seen++) {
        struct call_reply reply;
        shared_copy(slot, &look.page,
                    CMDRING_SLOTS + guest->ring.rsp_seen % look.slots * dialect->request_bytes,
                    dialect->response_bytes);
        dialect_unpack_reply(dialect, slot, &reply);
        answered(guest, &reply);
    }
}

/* ---- data rings ---- */

static void check_bounds(struct swarm_guest *guest, const struct shared_area *area,
                         const struct bytering_layout *at, const char *which)
{
    uint32_t prod = shared_load(area, at->prod), cons = shared_load(area, at->cons);

    if (prod - cons > at->size)
        swarm_fail(guest->swarm, "index out of bounds", "guest %u: `%s` has prod %u, cons %u of %u",
                   guest->number, which, prod, cons, at->size);
}

static void check_data(struct swarm_guest *guest, uint64_t sock)
{
    struct fe_data data;

    if (!fe_data(guest->core.fe, sock, &data))
        return;
    check_bounds(guest, &data.area, &data.in, "in");
    check_bounds(guest, &data.area, &data.out, "out");
}

/* ---- records ---- */

/* The stream of a backend's token; NULL for the device's own. */
static struct swarm_stream *stream_of(struct swarm_guest *guest, uint64_t token)
{
    uint32_t slot = step_slot(token);

    if (slot >= sizeof(guest->bound) / sizeof(guest->bound[0]) || guest->bound[slot] == 0)
        return NULL;
    return &guest->streams[guest->bound[slot] % SWARM_STREAMS];
}

static void back_event(struct swarm_guest *guest, const struct trace_record *record)
{
    struct swarm_stream *stream = stream_of(guest, record->token);
    int32_t ret = (int32_t)record->extra;

    if (!stream)
        return;
    if (record->detail == EV_NET_READ && ret > 0)
        stream->read_bytes += (uint32_t)ret;
    else if (record->detail == EV_NET_WRITE && ret > 0)
        stream->written_bytes += (uint32_t)ret;
    else if (record->detail == EV_NET_WRITE && ret < 0)
        stream->write_failed = true;
    if ((record->detail == EV_NET_READ || record->detail == EV_NET_WRITE) && ret > 0)
        guest->swarm->progress += (uint32_t)ret;
}

static void back_record(struct swarm_guest *guest, const struct trace_record *record)
{
    uint32_t slot = step_slot(record->token);

    if (record->point == TRACE_EVENT)
        back_event(guest, record);
    else if (record->point == TRACE_ACTION && record->detail == ACT_PORT_BIND &&
             slot < sizeof(guest->bound) / sizeof(guest->bound[0]))
        guest->bound[slot] = record->extra;
}

static void front_record(struct swarm_guest *guest, const struct trace_record *record)
{
    if (record->point == TRACE_EVENT && record->detail == EV_PORT_ALLOC &&
        step_slot(record->token) != STEP_SLOT_DEVICE)
        guest->streams[record->value % SWARM_STREAMS] = (struct swarm_stream){0};
    if (record->point == TRACE_ACTION && record->detail == ACT_DONE)
        guest->swarm->progress++;
    check_data(guest, record->token & ((UINT64_C(1) << 48) - 1));
}

static struct swarm_guest *guest_of(struct swarm *swarm, const struct trace_record *record)
{
    int32_t domid = record->who;

    if (domid == 0)
        domid = record->point == TRACE_CALL ? -1 : run_back_front(swarm->back, record->token);
    return domid >= 1 && (uint32_t)domid <= swarm->plan->guests ? &swarm->guests[domid - 1] : NULL;
}

void swarm_check_record(void *self, const struct trace_record *record)
{
    struct swarm *swarm = self;

    trace_put(trace_log_sink(swarm->log), record);
    if (record->point > TRACE_CALL || !swarm->back)
        return;
    struct swarm_guest *guest = guest_of(swarm, record);
    if (!guest || !guest->core.fe)
        return;
    swarm->checking = true; /* these looks are no accesses of a core */
    check_ring(guest);
    if (record->who == 0)
        back_record(guest, record);
    else
        front_record(guest, record);
    swarm->checking = false;
}

/* After a turn in the midst of another: its last step may have left no record, and what it wrote is
 * about to be read and written over. */
void swarm_check_rings(struct swarm *swarm)
{
    swarm->checking = true;
    for (uint32_t i = 0; i < swarm->plan->guests; i++)
        if (swarm->guests[i].core.fe)
            check_ring(&swarm->guests[i]);
    swarm->checking = false;
}

/* ---- when something is over ---- */

void swarm_check_ended(struct swarm_guest *guest, const struct swarm_conn *conn, int64_t ret)
{
    uint32_t port = fe_port(guest->core.fe, conn->sock);
    const struct swarm_stream *stream = &guest->streams[port % SWARM_STREAMS];
    uint64_t received = conn->front.received + (conn->passive ? 1 : 0); /* its number, too */

    guest->swarm->progress++;
    if (port == 0 || received == stream->read_bytes)
        return;
    swarm_fail(guest->swarm, "ended too early",
               "connection %u: the guest was told %s after %llu bytes, the backend had read %llu",
               conn->number, ret == 0 ? "the end of the stream" : err_name((int32_t)ret),
               (unsigned long long)received, (unsigned long long)stream->read_bytes);
}

void swarm_check_released(struct swarm_guest *guest, const struct swarm_conn *conn)
{
    const struct swarm_stream *stream = &guest->streams[conn->port % SWARM_STREAMS];

    if (conn->port == 0 || stream->write_failed || conn->broke ||
        stream->written_bytes == conn->front.sent)
        return;
    swarm_fail(guest->swarm, "lost by a release",
               "connection %u: the guest sent %llu bytes and released, the backend wrote %llu",
               conn->number, (unsigned long long)conn->front.sent,
               (unsigned long long)stream->written_bytes);
}

static void check_left(struct swarm *swarm, const char *who, const struct hv_counters *hv)
{
    if (hv->grants_now + hv->ports_now + hv->mapped_pages_now > 0)
        swarm_fail(swarm, "left over", "%s: %llu grants, %llu ports, %llu mapped pages", who,
                   (unsigned long long)hv->grants_now, (unsigned long long)hv->ports_now,
                   (unsigned long long)hv->mapped_pages_now);
}

/* Both ends agree where nobody left early: what was sent one way is what came. */
static void check_conn(struct swarm *swarm, const struct swarm_conn *conn)
{
    bool whole = conn->front.state == SWARM_OVER && conn->peer.state == SWARM_OVER && !conn->left &&
                 !conn->broke && conn->patient;

    if (whole &&
        (conn->peer.received != conn->front.sent || conn->front.received != conn->peer.sent))
        swarm_fail(swarm, "bytes lost",
                   "connection %u: guest sent %llu, peer received %llu; peer sent %llu, guest "
                   "received %llu",
                   conn->number, (unsigned long long)conn->front.sent,
                   (unsigned long long)conn->peer.received, (unsigned long long)conn->peer.sent,
                   (unsigned long long)conn->front.received);
}

void swarm_check_over(struct swarm *swarm)
{
    struct be_counters back;
    uint32_t watches = store_watches(hypervisor_store(hv_virtual_tables(swarm->machine)));

    if (watches > 1)
        swarm_fail(swarm, "left over", "%u watches of xenstore beside the bus's", watches - 1);
    run_back_counters(swarm->back, &back);
    check_left(swarm, "backend", &domain_virtual_hv(swarm->backend)->counters);
    if (back.sockets_now > 0 || back.requests != back.replies + back.forgotten)
        swarm_fail(swarm, "left over", "backend: %u sockets; %llu requests, %llu replies",
                   back.sockets_now, (unsigned long long)back.requests,
                   (unsigned long long)back.replies);
    if (domain_virtual_net(swarm->backend)->counters.sockets_now > 0)
        swarm_fail(swarm, "left over", "backend: %llu network sockets",
                   (unsigned long long)domain_virtual_net(swarm->backend)->counters.sockets_now);
    for (uint32_t i = 0; i < swarm->plan->guests; i++) {
        struct swarm_guest *guest = &swarm->guests[i];
        check_left(swarm, "guest", &domain_virtual_hv(guest->domain)->counters);
        if (fe_counters(guest->core.fe)->sockets_now > 0)
            swarm_fail(swarm, "left over", "guest %u: %u sockets", i,
                       fe_counters(guest->core.fe)->sockets_now);
    }
    for (uint32_t i = 0; i < SWARM_CONNS; i++)
        check_conn(swarm, &swarm->conns[i]);
}
