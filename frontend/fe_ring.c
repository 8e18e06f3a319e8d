/*
 * The frontend's command ring: which request goes next, which response belongs to whom.
 *
 * Ids come from a table of what is outstanding, so no two requests in the ring share one, and a
 * response must name an outstanding one with its command and socket. ACCEPT and POLL together
 * take at most SIZE - 2 slots, with CONNECT at most SIZE - 1: the last is for requests that cannot
 * park, RELEASE first. The rest wait here and are counted; connects and parked calls take turns,
 * and so do listeners. A POLL answered -ERR_INTR is asked again, after those that wait; its
 * listener is then cold until a call on it succeeds. Cold ones take turns with the others, for at
 * most half of the parked slots while others wait: so neither holds the other up for long, however
 * many listen in vain. Source: protocol.md 7 (4, 25), 5.2 a; architecture 5 rule 4, 7.
 */
#include "frontend/fe_private.h"

#define FLAGS_READ_WRITE 2u /* Linux's O_RDWR */

static bool is_parking(enum call_kind call)
{
    return call == CALL_ACCEPT || call == CALL_POLL;
}

static bool is_colds_turn(struct fe *fe)
{
    if (fe->listeners.count == 0 || fe->cold.count == 0)
        return fe->cold.count > 0;
    fe->cold_turn = !fe->cold_turn && fe->inflight_cold < (fe->ring.size - 2) / 2;
    return fe->cold_turn;
}

/* The next parked call: of the listener whose turn it is, which then goes to the back. */
static struct fe_sock *next_parked(struct fe *fe)
{
    struct fe_queue *queue = is_colds_turn(fe) ? &fe->cold : &fe->listeners;
    struct fe_sock *listener = fe_queue_first(fe, queue);

    if (!listener)
        return NULL;
    struct fe_sock *sock = fe_queue_first(fe, &listener->parked);
    fe_dequeue(fe, listener);
    fe_dequeue(fe, sock);
    if (listener->parked.count > 0)
        fe_enqueue(fe, queue, listener);
    return sock;
}

/* The request the rules above allow next, taken off its queue; NULL if none. */
static struct fe_sock *next_request(struct fe *fe)
{
    uint32_t size = fe->ring.size + (fe_has(fe, QUIRK_UNRESERVED) ? 2 : 0);
    uint32_t slow = fe->inflight_parked + fe->inflight_connects;
    struct fe_queue *queues[] = {&fe->releases, &fe->controls};
    struct fe_sock *sock;

    for (uint32_t i = 0; i < 2; i++) {
        sock = fe_queue_first(fe, queues[i]);
        if (sock) {
            fe_dequeue(fe, sock);
            return sock;
        }
    }
    if (slow >= size - 1)
        return NULL;
    fe->parked_turn = !fe->parked_turn; /* connects and parked calls take turns */
    sock = fe->parked_turn && fe->inflight_parked < size - 2 ? next_parked(fe) : NULL;
    if (!sock && (sock = fe_queue_first(fe, &fe->connects)))
        fe_dequeue(fe, sock);
    if (!sock && fe->inflight_parked < size - 2)
        sock = next_parked(fe);
    return sock;
}

/* Model: cmdring.pml. */
static uint32_t free_entry(const struct fe *fe)
{
    for (uint32_t i = 0; i < fe->ring.size; i++)
        if (!fe->inflight[i].used)
            return i;
    assert(false); /* they are as many as slots */
    return 0;
}

/* The outstanding request of an id, as the other side claims; NULL if there is none. */
static struct fe_inflight *find_entry(struct fe *fe, uint32_t id)
{
    if (!fe_has(fe, QUIRK_ID_OF_SLOT))
        return id < fe->ring.size && fe->inflight[id].used ? &fe->inflight[id] : NULL;
    for (uint32_t i = 0; i < fe->ring.size; i++)
        if (fe->inflight[i].used && fe->inflight[i].id == id)
            return &fe->inflight[i];
    return NULL;
}

/* A slot whose call on a listener is in the ring, and not yet told of; NULL if there is none. */
struct fe_sock *fe_ring_child(struct fe *fe, uint64_t listener)
{
    for (uint32_t i = 0; i < fe->ring.size; i++) {
        const struct fe_inflight *entry = &fe->inflight[i];
        if (!entry->used || !is_parking(entry->kind))
            continue;
        struct fe_sock *sock = fe_sock_at(fe, entry->slot);
        if (sock->has_parent && sock->parent == listener)
            return sock;
    }
    return NULL;
}

/* Whether a call waits in the ring that takes the place of this one at some backends. */
bool fe_ring_waits(struct fe *fe, const struct fe_sock *sock)
{
    for (uint32_t i = 0; sock->call == CALL_ACCEPT && i < fe->ring.size; i++)
        if (fe->inflight[i].used && fe->inflight[i].kind == CALL_ACCEPT)
            return true;
    return fe_ring_child(fe, sock->parent) != NULL;
}

static void describe(struct fe *fe, struct fe_sock *sock, struct call *call)
{
    *call = (struct call){.kind = sock->call, .sockid = fe_wire_id(fe, fe_sock_id(fe, sock))};
    if (sock->release == FE_RELEASE_QUEUED) {
        call->kind = CALL_RELEASE;
        call->reuse = fe_has(fe, QUIRK_STALE_REUSE) ? 1 : 0;
        return;
    }
    if (sock->making) {
        call->kind = CALL_SOCKET;
        call->family = call_addr_family(&sock->addr);
        call->type = CALL_SOCK_STREAM;
        return;
    }
    switch (sock->call) {
    case CALL_ACCEPT:
        call->new_sockid = call->sockid;
        call->sockid = fe_wire_id(fe, sock->parent);
        break;
    case CALL_POLL: call->sockid = fe_wire_id(fe, sock->parent); break;
    case CALL_CONNECT:
    case CALL_BIND: call->addr = sock->addr; break;
    case CALL_LISTEN: call->backlog = fe->config.backlog; break;
    case CALL_RELEASE:
    case CALL_SOCKET:
    case CALL_KINDS: break;
    }
    if (call->kind == CALL_CONNECT && fe_has(fe, QUIRK_RAW_FLAGS))
        call->flags = FLAGS_READ_WRITE;
    if (sock->ported) {
        call->evtchn = sock->port;
        memcpy(call->refs, sock->refs, sizeof(call->refs));
    }
}

static void send_request(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    uint32_t slot[DIALECT_SLOT_MAX / 4];
    struct call call;

    describe(fe, sock, &call);
    uint32_t place = free_entry(fe);
    call.id = fe_has(fe, QUIRK_ID_OF_SLOT) ? fe->ring.req_prod_pvt % fe->ring.size : place;
    bool cold = is_parking(call.kind) && fe_sock_by_id(fe, sock->parent)->cold;
    fe->inflight[place] =
        (struct fe_inflight){true, call.id, call.kind, call.sockid, fe_slot(fe, sock), cold};
    fe->inflight_parked += is_parking(call.kind) ? 1u : 0u;
    fe->inflight_cold += cold ? 1u : 0u;
    fe->inflight_connects += call.kind == CALL_CONNECT ? 1u : 0u;
    fe->counters.requests++;
    dialect_pack_call(fe->config.dialect, &call, slot);
    cmdring_front_put(&fe->ring, slot);
    if (call.kind == CALL_RELEASE)
        sock->release = FE_RELEASE_PENDING;
    else
        fe_sock_set(fe, sock, FE_SOCK_PENDING, out);
}

/* Model: cmdring.pml, hostile.pml. */
void fe_ring_submit(struct fe *fe, struct step_out *out)
{
    struct fe_sock *sock;
    bool any = false;

    if (fe->phase != FE_CONNECTED)
        return;
    while (cmdring_front_free(&fe->ring) > 0) {
        if (step_room(out) < 3) {
            out->more = true;
            break;
        }
        sock = next_request(fe);
        if (!sock)
            break;
        send_request(fe, sock, out);
        any = true;
    }
    fe->counters.request_waits += fe->waiting > fe->waited ? fe->waiting - fe->waited : 0;
    fe->waited = fe->waiting;
    if (any && cmdring_front_push(&fe->ring))
        step_act(out, ACT_NOTIFY, fe_token(fe))->port.port = fe->ring_port;
}

/* The request that a reply answers, as that was asked; NULL where it is not to be believed. */
static struct fe_inflight *answered_by(struct fe *fe, const struct call_reply *reply,
                                       struct step_out *out)
{
    struct fe_inflight *entry = find_entry(fe, reply->id);

    if (!entry) {
        fe_fault(fe, FAULT_RESPONSE_ID, fe->ring.rsp_cons - 1, reply->id, out);
        return NULL;
    }
    bool echoes = reply->code == fe->config.dialect->calls[entry->kind].code &&
                  reply->sockid == entry->sockid;
    if (!echoes && !fe_has(fe, QUIRK_ID_OF_SLOT)) {
        fe_fault(fe, FAULT_RESPONSE_ECHO, fe->ring.rsp_cons - 1, reply->code, out);
        return NULL;
    }
    if (reply->ret > 0 || reply->ret < -ERR_MAX) {
        fe_fault(fe, FAULT_RESPONSE_RET, fe->ring.rsp_cons - 1, (uint32_t)reply->ret, out);
        return NULL;
    }
    return entry;
}

/* Model: cmdring.pml, hostile.pml. */
static bool take_response(struct fe *fe, struct step_out *out)
{
    uint32_t slot[DIALECT_SLOT_MAX / 4];
    struct call_reply reply;

    cmdring_front_get(&fe->ring, slot);
    dialect_unpack_reply(fe->config.dialect, slot, &reply);
    struct fe_inflight *place = answered_by(fe, &reply, out);
    if (!place)
        return false;
    struct fe_inflight entry = *place;
    place->used = false;
    fe->inflight_parked -= is_parking(entry.kind) ? 1u : 0u;
    fe->inflight_connects -= entry.kind == CALL_CONNECT ? 1u : 0u;
    fe->inflight_cold -= entry.cold ? 1u : 0u;
    fe->counters.responses++;
    if (entry.kind == CALL_RELEASE)
        fe_sock_released(fe, fe_sock_at(fe, entry.slot), out);
    else
        fe_sock_answered(fe, fe_sock_at(fe, entry.slot), reply.ret, out);
    return true;
}

/* One pass over what is there. False: nothing was left, or the backend is broken. */
static bool pass(struct fe *fe, struct step_out *out)
{
    uint32_t claimed;
    int count = cmdring_front_pass(&fe->ring, &claimed);

    if (count < 0) {
        fe_fault(fe, FAULT_CMDRING_WINDOW, fe->ring.rsp_cons, claimed, out);
        fe_device_close(fe, out);
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (step_room(out) < 2 * FE_SOCK_ACTS) {
            out->more = true;
            return false;
        }
        if (!take_response(fe, out)) {
            fe_device_close(fe, out);
            return false;
        }
    }
    return count > 0;
}

/* Model: cmdring.pml, hostile.pml. */
void fe_ring_port(struct fe *fe, struct step_out *out)
{
    if (fe->phase != FE_CONNECTED)
        return;
    /* the look after arming begins a pass of its own; at most SIZE responses can be outstanding */
    while (pass(fe, out))
        cmdring_front_arm(&fe->ring);
}

void fe_ring_forget(struct fe *fe)
{
    memset(fe->inflight, 0, sizeof(fe->inflight));
    fe->inflight_parked = fe->inflight_connects = fe->inflight_cold = 0;
}
