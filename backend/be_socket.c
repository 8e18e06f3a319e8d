/*
 * Opening, closing and unwinding of a backend socket.
 *
 *   SOCKET   MADE, reply 0
 *   CONNECT  MAPPING -> CONNECTING -> OPEN, reply 0
 *   ACCEPT   MAPPING -> ACCEPTING -> OPEN, reply 0
 *            where the indexes have a page of their own, INDEXING -> MAPPING
 *   BIND     BINDING -> BOUND; LISTEN: STARTING -> LISTENING
 *   close    CLOSING (net close) -> UNWINDING (port close, unmap) -> replies -> free
 *
 * A failure at any step takes the same way out from where it stands, and only then is replied; a
 * socket made by a SOCKET is MADE again then, and stays until it is released. A
 * listener is closed after the accepts and polls that wait on it have been answered.
 * Source: architecture 3 (sketch of CONNECT), protocol.md 7 (7).
 */
#include "backend/be_private.h"

static const char *const state_names[BE_SOCK_STATES] = {
    [BE_SOCK_FREE] = "free",
    [BE_SOCK_MADE] = "made",
    [BE_SOCK_INDEXING] = "indexing",
    [BE_SOCK_MAPPING] = "mapping",
    [BE_SOCK_CONNECTING] = "connecting",
    [BE_SOCK_ACCEPTING] = "accepting",
    [BE_SOCK_OPEN] = "open",
    [BE_SOCK_BINDING] = "binding",
    [BE_SOCK_BOUND] = "bound",
    [BE_SOCK_STARTING] = "starting",
    [BE_SOCK_LISTENING] = "listening",
    [BE_SOCK_CLOSING] = "closing",
    [BE_SOCK_UNWINDING] = "unwinding",
};

#define TO(state) (1u << (state))
#define END (TO(BE_SOCK_CLOSING) | TO(BE_SOCK_UNWINDING))

static const uint32_t state_next[BE_SOCK_STATES] = {
    [BE_SOCK_FREE] =
        TO(BE_SOCK_MADE) | TO(BE_SOCK_INDEXING) | TO(BE_SOCK_MAPPING) | TO(BE_SOCK_BINDING),
    [BE_SOCK_MADE] = TO(BE_SOCK_INDEXING) | TO(BE_SOCK_MAPPING) | TO(BE_SOCK_BINDING) | END,
    [BE_SOCK_INDEXING] = TO(BE_SOCK_MAPPING) | TO(BE_SOCK_UNWINDING),
    [BE_SOCK_MAPPING] = TO(BE_SOCK_CONNECTING) | TO(BE_SOCK_ACCEPTING) | TO(BE_SOCK_UNWINDING),
    [BE_SOCK_CONNECTING] = TO(BE_SOCK_OPEN) | END,
    [BE_SOCK_ACCEPTING] = TO(BE_SOCK_OPEN) | END,
    [BE_SOCK_OPEN] = TO(BE_SOCK_CLOSING),
    [BE_SOCK_BINDING] = TO(BE_SOCK_BOUND) | END,
    [BE_SOCK_BOUND] = TO(BE_SOCK_STARTING) | TO(BE_SOCK_CLOSING),
    [BE_SOCK_STARTING] = TO(BE_SOCK_BOUND) | TO(BE_SOCK_LISTENING) | TO(BE_SOCK_CLOSING),
    [BE_SOCK_LISTENING] = TO(BE_SOCK_CLOSING),
    [BE_SOCK_CLOSING] = TO(BE_SOCK_UNWINDING),
    [BE_SOCK_UNWINDING] = TO(BE_SOCK_FREE) | TO(BE_SOCK_MADE),
};

void be_sock_set(struct be *be, struct be_sock *sock, enum be_sock_state to, struct step_out *out)
{
    assert(state_next[sock->state] & TO(to));
    step_act(out, ACT_TRACE, be_sock_token(be, sock))->trace =
        (struct act_trace){"socket", state_names[sock->state], state_names[to]};
    sock->state = to;
}

/* How many refs a request names: of an index page, or of all of the data ring. */
uint32_t be_sock_named(const struct be *be)
{
    uint32_t pages = be->config.dialect->index.pages;

    return pages > 0 ? pages : 1u << be->order;
}

void be_sock_map(struct be *be, struct be_sock *sock, const struct call *call, struct step_out *out)
{
    uint64_t token = be_sock_token(be, sock);
    uint32_t *refs = be_sock_refs(be, sock);
    uint32_t count = be_sock_named(be);
    bool index = be->config.dialect->index.pages > 0;

    sock->order = (uint8_t)be->order;
    be_sock_set(be, sock, index ? BE_SOCK_INDEXING : BE_SOCK_MAPPING, out);
    memcpy(refs, call->refs, count * sizeof(refs[0]));
    step_act(out, ACT_MAP, token)->map = (struct act_map){be->config.front, count, refs};
    step_act(out, ACT_PORT_BIND, token)->port = (struct act_port){be->config.front, call->evtchn};
    sock->ops = 2;
}

/* A listener lost a child; if it only waited for that, it closes now. */
void be_sock_childless(struct be *be, uint32_t slot, struct step_out *out)
{
    struct be_sock *listener = &be->socks[slot];

    assert(listener->children > 0);
    listener->children--;
    be->parked--;
    if (listener->closing && listener->children == 0)
        be_sock_close(be, listener, listener->result, out);
}

/* Everything is undone: say so, and free. */
static void finish(struct be *be, struct be_sock *sock, struct step_out *out)
{
    uint32_t parent = sock->parent;
    bool child = sock->call.pending && parent != BE_NONE;

    if (sock->call.pending)
        be_reply(be, &sock->call, sock->result);
    if (sock->made && !sock->release.pending && be->phase == BE_CONNECTED) {
        be_sock_set(be, sock, BE_SOCK_MADE, out);
        sock->generation = (sock->generation + 1) & STEP_GENERATION_MASK; /* of its old port */
        sock->result = 0;
        return;
    }
    if (sock->release.pending)
        be_reply(be, &sock->release, 0);
    be_sock_set(be, sock, BE_SOCK_FREE, out);
    be_sock_free(be, sock);
    if (child)
        be_sock_childless(be, parent, out);
}

static void unwind(struct be *be, struct be_sock *sock, struct step_out *out)
{
    be_sock_set(be, sock, BE_SOCK_UNWINDING, out);
    if (sock->ported)
        step_act(out, ACT_PORT_CLOSE, be_sock_token(be, sock))->port.port = sock->port;
    if (sock->mapped)
        step_act(out, ACT_UNMAP, be_sock_token(be, sock));
    if (sock->indexed)
        step_act(out, ACT_UNMAP, be_sock_token(be, sock));
    sock->ops = (uint8_t)(sock->ported + sock->mapped + sock->indexed);
    sock->ported = sock->mapped = sock->indexed = false;
    if (sock->ops == 0)
        finish(be, sock, out);
}

/* Close in any state; `result` is what a call still under way will be answered. */
void be_sock_close(struct be *be, struct be_sock *sock, int32_t result, struct step_out *out)
{
    if (sock->state == BE_SOCK_CLOSING || sock->state == BE_SOCK_UNWINDING)
        return;
    if (!sock->closing)
        sock->result = result;
    sock->closing = true;
    if (sock->state == BE_SOCK_INDEXING || sock->state == BE_SOCK_MAPPING)
        return; /* its completions go on from here */
    if (sock->state == BE_SOCK_MADE) {
        unwind(be, sock, out);
        return;
    }
    if (sock->children > 0) {
        if (be->phase == BE_CONNECTED) { /* else a sweep over all is under way */
            be->sweeping = true;
            be->sweep_next = 0;
        }
        return;
    }
    be_sock_set(be, sock, BE_SOCK_CLOSING, out);
    step_act(out, ACT_NET_CLOSE, be_sock_token(be, sock));
}

/* The index page is there: map what it names. It is the guest's, so each word is read once. */
static void indexed(struct be *be, struct be_sock *sock, struct step_out *out)
{
    const struct dialect_index *index = &be->config.dialect->index;
    uint32_t order = shared_load(&sock->in.area, index->order_at);
    uint32_t *refs = be_sock_refs(be, sock), index_ref = refs[0];
    bool fits = be_order_fits(be, order);

    if (fits) {
        sock->order = (uint8_t)order;
        shared_copy(refs, &sock->in.area, index->refs_at, (uint32_t)sizeof(refs[0]) << order);
        fits = be_refs_fit(be, refs, 1u << order, index_ref);
    }
    if (!fits) {
        sock->result = be_refs_error(be);
        unwind(be, sock, out);
        return;
    }
    be_sock_set(be, sock, BE_SOCK_MAPPING, out);
    step_act(out, ACT_MAP, be_sock_token(be, sock))->map =
        (struct act_map){be->config.front, 1u << order, refs};
    sock->ops = 1;
}

static void mapped(struct be *be, struct be_sock *sock, struct step_out *out)
{
    uint64_t token = be_sock_token(be, sock);

    if (sock->result < 0 || sock->closing) {
        unwind(be, sock, out);
        return;
    }
    if (sock->state == BE_SOCK_INDEXING) {
        indexed(be, sock, out);
        return;
    }
    if (sock->parent == BE_NONE) {
        be_sock_set(be, sock, BE_SOCK_CONNECTING, out);
        step_act(out, ACT_NET_CONNECT, token)->net.addr = sock->addr;
    } else {
        be_sock_set(be, sock, BE_SOCK_ACCEPTING, out);
        step_act(out, ACT_NET_ACCEPT, token)->net.listener =
            be_sock_token(be, &be->socks[sock->parent]);
    }
}

/* The data is mapped, its indexes with it or before. */
static void have_data(struct be *be, struct be_sock *sock, const struct shared_area *data)
{
    struct shared_area area = sock->indexed ? sock->in.area : *data;
    struct dialect_ring ring;

    dialect_ring(be->config.dialect, sock->order, &ring);
    sock->mapped = true;
    bytering_init(&sock->in, &area, data, &ring.in);
    bytering_init(&sock->out, &area, data, &ring.out);
}

/* Completion of map, port bind, or of undoing them. */
static void memory_step(struct be *be, struct be_sock *sock, const struct ev *ev,
                        struct step_out *out)
{
    assert(sock->ops > 0);
    sock->ops--;
    if (ev->kind == EV_MAP && ev->ret >= 0 && sock->state == BE_SOCK_INDEXING) {
        sock->indexed = true;
        sock->in.area = ev->share.area;
    } else if (ev->kind == EV_MAP && ev->ret >= 0) {
        have_data(be, sock, &ev->share.area);
    } else if (ev->kind == EV_PORT_BIND && ev->ret >= 0) {
        sock->ported = true;
        sock->port = ev->port;
    } else if (ev->ret < 0 && sock->result == 0) {
        sock->result = be_has(be, QUIRK_FAULT_ON_MAP) ? -ERR_FAULT : ev->ret;
    }
    if (sock->ops > 0)
        return;
    if (sock->state == BE_SOCK_INDEXING || sock->state == BE_SOCK_MAPPING)
        mapped(be, sock, out);
    else
        finish(be, sock, out);
}

/* A call's net operation ended where the socket still wants it. */
static void opened(struct be *be, struct be_sock *sock, int32_t ret, struct step_out *out)
{
    uint32_t parent = sock->parent;

    if (ret < 0) { /* a failed connect or accept leaves nothing to close */
        sock->result = ret;
        unwind(be, sock, out);
        return;
    }
    be_sock_set(be, sock, BE_SOCK_OPEN, out);
    be_reply(be, &sock->call, 0);
    sock->parent = BE_NONE;
    be_data_port(be, sock, out);
    if (parent != BE_NONE)
        be_sock_childless(be, parent, out);
}

static void passive_step(struct be *be, struct be_sock *sock, const struct ev *ev,
                         struct step_out *out)
{
    if (ev->kind == EV_NET_BIND && ev->ret < 0) {
        sock->result = ev->ret;
        unwind(be, sock, out);
        return;
    }
    bool listening = ev->kind == EV_NET_LISTEN && ev->ret >= 0;
    be_sock_set(be, sock, listening ? BE_SOCK_LISTENING : BE_SOCK_BOUND, out);
    be_reply(be, &sock->call, ev->ret);
}

/* Long for the events that never come here: they are listed so that a new one is not forgotten. */
void be_sock_step(struct be *be, struct be_sock *sock, const struct ev *ev, struct step_out *out)
{
    bool closing = sock->state == BE_SOCK_CLOSING;

    switch (ev->kind) {
    case EV_MAP:
    case EV_UNMAP:
    case EV_PORT_BIND:
    case EV_PORT_CLOSE: memory_step(be, sock, ev, out); return;
    case EV_NET_CLOSE: unwind(be, sock, out); return;
    case EV_NET_CONNECT:
    case EV_NET_ACCEPT:
        if (!closing)
            opened(be, sock, ev->ret, out);
        return;
    case EV_NET_BIND:
    case EV_NET_LISTEN:
        if (!closing)
            passive_step(be, sock, ev, out);
        return;
    case EV_NET_READ:
    case EV_NET_WRITE:
        if (!closing)
            be_data_step(be, sock, ev, out);
        return;
    case EV_SHARE:
    case EV_UNSHARE:
    case EV_PORT_ALLOC:
    case EV_STORE_READ:
    case EV_STORE_LIST:
    case EV_STORE_PUBLISH:
    case EV_STORE_WATCH:
    case EV_STORE_UNWATCH:
    case EV_NET_POLL:
    case EV_START:
    case EV_STOP:
    case EV_MORE:
    case EV_TIME:
    case EV_PORT:
    case EV_STORE: assert(!"an event no backend socket asked for");
    }
}

/* Whether a sweep has to close this: the device goes, or the listener it waits on. */
static bool doomed(const struct be *be, bool child, uint32_t listener)
{
    return be->phase != BE_CONNECTED || (child && be->socks[listener].closing);
}

static bool room(struct step_out *out)
{
    if (step_room(out) >= 2 * BE_SOCK_ACTS)
        return true;
    out->more = true;
    return false;
}

void be_sweep(struct be *be, struct step_out *out)
{
    int32_t result = be->phase != BE_CONNECTED ? -ERR_CONNABORTED : -ERR_BADF;
    uint32_t sockets = be->config.max_sockets;

    for (; be->sweep_next < sockets + CMDRING_SIZE_MAX; be->sweep_next++) {
        if (!room(out))
            return;
        if (be->sweep_next >= sockets) {
            struct be_poll *poll = &be->polls[be->sweep_next - sockets];
            if (poll->call.pending && !poll->closing && doomed(be, true, poll->listener)) {
                poll->call.forgotten = be_has(be, QUIRK_FORGETS_WAITERS);
                be_poll_close(be, poll, result, out);
            }
            continue;
        }
        struct be_sock *sock = &be->socks[be->sweep_next];
        bool child = sock->call.pending && sock->parent != BE_NONE;
        if (sock->state == BE_SOCK_FREE || sock->closing || !doomed(be, child, sock->parent))
            continue;
        sock->call.forgotten = child && be_has(be, QUIRK_FORGETS_WAITERS);
        be_sock_close(be, sock, result, out);
    }
    be->sweeping = false;
}
