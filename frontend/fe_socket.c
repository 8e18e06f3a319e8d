/*
 * The life of a frontend socket, and the application's calls on it.
 *
 *   connect  PREPARING -> QUEUED -> PENDING -> OPEN
 *            where the dialect has a SOCKET, that goes QUEUED -> PENDING -> QUEUED before; so it
 *            does for a bind, and then a call that fails leaves a socket to be released
 *   accept   the same as connect, with a listener as parent, and never a SOCKET
 *   bind     QUEUED -> PENDING -> BOUND; listen: BOUND -> QUEUED -> PENDING -> LISTENING
 *   poll     QUEUED -> PENDING -> freed, or QUEUED again
 *   release  from any of them, see fe_release; at its end UNWINDING gives pages and port back
 *
 * A slot is free again only when the backend answered everything it was asked about it (or the
 * device is gone) and pages and port are given back.
 * Source: protocol.md 1.3, 7 (7, 28); architecture 6.
 */
#include "frontend/fe_private.h"

static const char *const state_names[FE_SOCK_STATES] = {
    [FE_SOCK_FREE] = "free",           [FE_SOCK_PREPARING] = "preparing",
    [FE_SOCK_QUEUED] = "queued",       [FE_SOCK_PENDING] = "pending",
    [FE_SOCK_OPEN] = "open",           [FE_SOCK_BOUND] = "bound",
    [FE_SOCK_LISTENING] = "listening", [FE_SOCK_ENDED] = "ended",
    [FE_SOCK_UNWINDING] = "unwinding",
};

#define TO(state) (1u << (state))
#define END (TO(FE_SOCK_ENDED) | TO(FE_SOCK_UNWINDING))

static const uint32_t state_next[FE_SOCK_STATES] = {
    [FE_SOCK_FREE] = TO(FE_SOCK_PREPARING) | TO(FE_SOCK_QUEUED),
    [FE_SOCK_PREPARING] = TO(FE_SOCK_QUEUED) | END,
    [FE_SOCK_QUEUED] = TO(FE_SOCK_PENDING) | TO(FE_SOCK_BOUND) | END,
    [FE_SOCK_PENDING] =
        TO(FE_SOCK_OPEN) | TO(FE_SOCK_BOUND) | TO(FE_SOCK_LISTENING) | TO(FE_SOCK_QUEUED) | END,
    [FE_SOCK_OPEN] = END,
    [FE_SOCK_BOUND] = TO(FE_SOCK_QUEUED) | END,
    [FE_SOCK_LISTENING] = END,
    [FE_SOCK_ENDED] = TO(FE_SOCK_UNWINDING),
    [FE_SOCK_UNWINDING] = TO(FE_SOCK_FREE),
};

void fe_sock_set(struct fe *fe, struct fe_sock *sock, enum fe_sock_state to, struct step_out *out)
{
    assert(state_next[sock->state] & TO(to));
    step_act(out, ACT_TRACE, fe_sock_token(fe, sock))->trace =
        (struct act_trace){"socket", state_names[sock->state], state_names[to]};
    sock->state = to;
}

static void done(struct fe *fe, struct fe_sock *sock, enum call_kind call, int32_t ret,
                 struct step_out *out)
{
    /* a poll is about its listener; its own slot is nothing the application knows */
    uint64_t subject = call == CALL_POLL ? sock->parent : fe_sock_id(fe, sock);

    step_act(out, ACT_DONE, fe_sock_token(fe, sock))->done = (struct act_done){call, subject, ret};
}

/* The call of a slot has ended. */
static void call_done(struct fe *fe, struct fe_sock *sock, int32_t ret, struct step_out *out)
{
    if (!sock->told)
        done(fe, sock, sock->call, ret, out);
}

static void free_slot(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    if (sock->release != FE_RELEASE_NONE && !sock->quiet)
        done(fe, sock, CALL_RELEASE, 0, out);
    fe_sock_set(fe, sock, FE_SOCK_FREE, out);
    sock->generation = (sock->generation + 1) & STEP_GENERATION_MASK;
    fe->counters.sockets_now--;
    fe_enqueue(fe, &fe->free, sock);
}

/* Give pages and port back, then free. Everything about the slot has been answered. */
static void unwind(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    if (sock->queue)
        fe_dequeue(fe, sock);
    fe_sock_set(fe, sock, FE_SOCK_UNWINDING, out);
    if (sock->ported)
        step_act(out, ACT_PORT_CLOSE, fe_sock_token(fe, sock))->port.port = sock->port;
    if (sock->shared)
        step_act(out, ACT_UNSHARE, fe_sock_token(fe, sock));
    sock->ops = (uint8_t)((sock->ported ? 1 : 0) + (sock->shared ? 1 : 0));
    sock->ported = sock->shared = false;
    if (sock->ops == 0)
        free_slot(fe, sock, out);
}

struct fe_sock *fe_sock_new(struct fe *fe, enum call_kind call)
{
    struct fe_sock *sock = fe_queue_first(fe, &fe->free);

    if (!sock)
        return NULL;
    fe_dequeue(fe, sock);
    *sock = (struct fe_sock){.call = call,
                             .generation = sock->generation,
                             .making = (call == CALL_CONNECT || call == CALL_BIND) &&
                                       dialect_has(fe->config.dialect, CALL_SOCKET),
                             .parent = FE_NONE,
                             .parked = {FE_NONE, FE_NONE, 0, true}};
    fe->counters.sockets_now++;
    return sock;
}

void fe_sock_prepare(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    uint64_t token = fe_sock_token(fe, sock);
    uint32_t pages = fe->config.dialect->index.pages + fe->layout.pages;

    fe_sock_set(fe, sock, FE_SOCK_PREPARING, out);
    step_act(out, ACT_SHARE, token)->share = (struct act_share){fe->backend, pages};
    step_act(out, ACT_PORT_ALLOC, token)->port = (struct act_port){fe->backend, 0};
    sock->ops = 2;
}

/* A listener's parked calls take turns again, if they were held back. */
static void resume(struct fe *fe, struct fe_sock *listener)
{
    if (listener->queue != &fe->held)
        return;
    fe_dequeue(fe, listener);
    fe_enqueue(fe, listener->cold ? &fe->cold : &fe->listeners, listener);
}

/* Into the queue its kind waits in; a parked call makes its listener take turns. */
void fe_sock_queue(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    bool connect = sock->call == CALL_CONNECT && !sock->making;
    struct fe_queue *queue = connect ? &fe->connects : &fe->controls;

    fe_sock_set(fe, sock, FE_SOCK_QUEUED, out);
    if (sock->has_parent) {
        struct fe_sock *listener = fe_sock_by_id(fe, sock->parent);
        queue = &listener->parked;
        if (!listener->queue)
            fe_enqueue(fe, listener->cold ? &fe->cold : &fe->listeners, listener);
    }
    fe_enqueue(fe, queue, sock);
}

/* Let go of a slot that the backend let go of, after the calls on it have completed. */
static void let_go(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    if (sock->children == 0)
        unwind(fe, sock, out);
}

/* The call of an accept or a poll has completed, or was answered after that; its listener's release
 * may have waited for it. */
static void childless(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    struct fe_sock *listener = sock->has_parent ? fe_sock_by_id(fe, sock->parent) : NULL;

    if (listener) {
        assert(listener->children > 0);
        listener->children--;
        resume(fe, listener);
    }
    while (sock->call == CALL_ACCEPT && fe->held.count > 0)
        resume(fe, fe_queue_first(fe, &fe->held));
    if (listener && listener->release == FE_RELEASE_LOCAL)
        let_go(fe, listener, out);
}

/* The call of a slot has failed: say so, then let go of the slot or leave it to its release. */
static void fail_call(struct fe *fe, struct fe_sock *sock, int32_t ret, struct step_out *out)
{
    call_done(fe, sock, ret, out);
    childless(fe, sock, out);
    if (sock->made && sock->release == FE_RELEASE_NONE && fe->phase == FE_CONNECTED) {
        fe_sock_set(fe, sock, FE_SOCK_ENDED, out);
        sock->quiet = true;
        fe_sock_release_now(fe, sock, out);
        return;
    }
    if (sock->release == FE_RELEASE_NONE || sock->release == FE_RELEASE_LOCAL)
        unwind(fe, sock, out);
    else
        fe_sock_set(fe, sock, FE_SOCK_ENDED, out);
}

/* Take a queued call off its queue; a listener without parked calls takes no more turns. */
static void unqueue(struct fe *fe, struct fe_sock *sock)
{
    fe_dequeue(fe, sock);
    if (sock->has_parent) {
        struct fe_sock *listener = fe_sock_by_id(fe, sock->parent);
        if (listener->parked.count == 0 &&
            (listener->queue == &fe->listeners || listener->queue == &fe->cold ||
             listener->queue == &fe->held))
            fe_dequeue(fe, listener);
    }
}

/* Why nothing more can become of a call not yet sent: the device is gone, or its listener is, or
 * the socket is being released. 0: it can be sent. */
static int32_t doom(struct fe *fe, const struct fe_sock *sock)
{
    const struct fe_sock *listener = sock->has_parent ? fe_sock_by_id(fe, sock->parent) : NULL;

    if (fe->phase != FE_CONNECTED)
        return -ERR_CONNRESET;
    if (sock->has_parent && (!listener || listener->release != FE_RELEASE_NONE))
        return -ERR_BADF;
    return sock->release != FE_RELEASE_NONE ? -ERR_CONNABORTED : 0;
}

static void prepared(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    int32_t ret = sock->error < 0 ? sock->error : doom(fe, sock);

    if (ret == 0) {
        fe_sock_queue(fe, sock, out);
        return;
    }
    if (sock->release != FE_RELEASE_NONE)
        sock->release = FE_RELEASE_LOCAL;
    fail_call(fe, sock, ret, out);
}

/* The pages are there. Where the indexes have a page of their own it comes first, and names the
 * others, of which the backend learns nothing else. */
static void shared(const struct fe *fe, struct fe_sock *sock, const struct ev *ev)
{
    const struct dialect_index *index = &fe->config.dialect->index;
    const struct shared_area *area = &ev->share.area;
    struct shared_area data = *area;

    sock->shared = true;
    if (index->pages > 0) {
        data = shared_after(area, index->pages);
        sock->refs[0] = ev->share.refs[0];
        shared_store(area, index->order_at, fe->config.order);
        shared_fill(area, index->refs_at, ev->share.refs + index->pages,
                    fe->layout.pages * (uint32_t)sizeof(sock->refs[0]));
    } else {
        memcpy(sock->refs, ev->share.refs, fe->layout.pages * sizeof(sock->refs[0]));
    }
    bytering_init(&sock->in, area, &data, &fe->layout.in);
    bytering_init(&sock->out, area, &data, &fe->layout.out);
}

void fe_sock_step(struct fe *fe, struct fe_sock *sock, const struct ev *ev, struct step_out *out)
{
    assert(sock->ops > 0);
    sock->ops--;
    if (ev->kind == EV_SHARE && ev->ret >= 0) {
        shared(fe, sock, ev);
    } else if (ev->kind == EV_PORT_ALLOC && ev->ret >= 0) {
        sock->ported = true;
        sock->port = ev->port;
    } else if (ev->ret < 0) {
        sock->error = ev->ret;
    }
    if (sock->ops > 0)
        return;
    if (sock->state == FE_SOCK_PREPARING)
        prepared(fe, sock, out);
    else
        free_slot(fe, sock, out);
}

/* A parked call is to be asked again: at once, or if that would be in vain when another of its
 * listener, or for an accept any accept, has been answered; and so are the others of its listener.
 * Some backends take one at a time, and say so at once; ours never does so to an accept. */
static void ask_again(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    struct fe_sock *listener = fe_sock_by_id(fe, sock->parent);

    if (!fe_ring_waits(fe, sock)) {
        resume(fe, listener);
    } else if (listener->queue != &fe->held) {
        if (listener->queue)
            fe_dequeue(fe, listener);
        fe_enqueue(fe, &fe->held, listener);
    }
    fe_sock_queue(fe, sock, out);
}

/* Whether a parked call is to be asked again; what its listener's last one came to is noted. */
static bool is_in_vain(struct fe *fe, const struct fe_sock *sock, int32_t ret)
{
    struct fe_sock *listener = sock->has_parent ? fe_sock_by_id(fe, sock->parent) : NULL;

    if (!listener || (ret < 0 && ret != -ERR_INTR))
        return false;
    listener->cold = ret < 0;
    return ret < 0 && listener->release == FE_RELEASE_NONE && sock->release == FE_RELEASE_NONE &&
           (sock->call == CALL_POLL || fe_ring_waits(fe, sock));
}

/* The backend answered the SOCKET before the call. */
static void made(struct fe *fe, struct fe_sock *sock, int32_t ret, struct step_out *out)
{
    sock->making = false;
    sock->made = ret >= 0;
    if (ret < 0 || sock->release != FE_RELEASE_NONE)
        fail_call(fe, sock, ret < 0 ? ret : -ERR_CONNABORTED, out);
    else
        fe_sock_queue(fe, sock, out);
}

/* The answer to a call came after that to the socket's release. Where it is a success the backend
 * has the socket, for when it was to release it it did not know it yet: that is asked again. */
static void answered_late(struct fe *fe, struct fe_sock *sock, int32_t ret, struct step_out *out)
{
    if (ret < 0 || sock->call != CALL_ACCEPT) {
        fail_call(fe, sock, ret < 0 ? ret : -ERR_CONNABORTED, out);
        return;
    }
    call_done(fe, sock, -ERR_CONNABORTED, out);
    childless(fe, sock, out);
    fe_sock_set(fe, sock, FE_SOCK_ENDED, out);
    fe_sock_release_now(fe, sock, out);
}

/* The backend answered the call in the ring. */
void fe_sock_answered(struct fe *fe, struct fe_sock *sock, int32_t ret, struct step_out *out)
{
    enum fe_sock_state then = sock->call == CALL_BIND     ? FE_SOCK_BOUND
                              : sock->call == CALL_LISTEN ? FE_SOCK_LISTENING
                                                          : FE_SOCK_OPEN;

    if (sock->release == FE_RELEASE_LOCAL) { /* the backend released it before it answered */
        answered_late(fe, sock, ret, out);
        return;
    }
    if (sock->making) {
        made(fe, sock, ret, out);
        return;
    }
    if (is_in_vain(fe, sock, ret)) {
        ask_again(fe, sock, out);
        return;
    }
    if (ret < 0 && fe_has(fe, QUIRK_BLIND_BIND) && sock->call == CALL_BIND)
        ret = 0;
    if (sock->call == CALL_POLL && ret == -ERR_INTR)
        ret = -ERR_BADF; /* not to be asked again: its listener is being released */
    if (sock->call == CALL_LISTEN && ret < 0 && !fe_has(fe, QUIRK_BLIND_BIND))
        then = FE_SOCK_BOUND;
    if (sock->call == CALL_POLL || (ret < 0 && then == FE_SOCK_OPEN) ||
        (ret < 0 && sock->call == CALL_BIND)) {
        fail_call(fe, sock, ret, out); /* of a poll not a failure, but its end */
        return;
    }
    fe_sock_set(fe, sock, then, out);
    call_done(fe, sock, ret, out);
    childless(fe, sock, out);
    if (then == FE_SOCK_OPEN && sock->release == FE_RELEASE_NONE) {
        sock->arm_read = true;
        fe_data_port(fe, sock, out); /* bytes may have come with the answer */
    }
}

/* Tell of a release now: what is left of the slot waits for the backend alone. */
static void be_quiet(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    if (sock->release == FE_RELEASE_LOCAL && !sock->quiet) {
        done(fe, sock, CALL_RELEASE, 0, out);
        sock->quiet = true;
    }
}

/* The backend let go of the socket. */
void fe_sock_released(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    sock->release = FE_RELEASE_LOCAL;
    if (sock->told)
        be_quiet(fe, sock, out);
    if (sock->state == FE_SOCK_OPEN && fe_has(fe, QUIRK_OWN_ERROR))
        fe_data_fail(fe, sock, -ERR_BADF);
    if (sock->children > 0 &&
        fe_ring_child(fe, fe_sock_id(fe, sock))) /* left unanswered: they end here */
        fe_enqueue(fe, &fe->ending, sock);
    else if (sock->state != FE_SOCK_PENDING) /* else its answer is still to come */
        let_go(fe, sock, out);
}

void fe_sock_release_now(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    if (sock->queue)
        fe_dequeue(fe, sock);
    if (fe->phase != FE_CONNECTED) {
        sock->release = FE_RELEASE_LOCAL;
        if (sock->state == FE_SOCK_PENDING)
            fail_call(fe, sock, -ERR_CONNRESET, out);
        else
            let_go(fe, sock, out);
        return;
    }
    sock->release = FE_RELEASE_QUEUED;
    fe_enqueue(fe, &fe->releases, sock);
}

/* A release while the call has not reached the ring: nothing to tell the backend, unless it has the
 * socket by an earlier call. */
static void release_queued(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    unqueue(fe, sock);
    if (sock->call == CALL_LISTEN || sock->made) {
        done(fe, sock, sock->call, -ERR_CONNABORTED, out);
        fe_sock_set(fe, sock, sock->call == CALL_LISTEN ? FE_SOCK_BOUND : FE_SOCK_ENDED, out);
        fe_sock_release_now(fe, sock, out);
        return;
    }
    sock->release = FE_RELEASE_LOCAL;
    fail_call(fe, sock, -ERR_CONNABORTED, out);
}

static void release_open(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    sock->arm_read = sock->arm_write = false;
    if (fe->phase != FE_CONNECTED || fe_has(fe, QUIRK_NO_LINGER) ||
        fe_data_drained(fe, sock, out)) {
        fe_sock_release_now(fe, sock, out);
        return;
    }
    sock->release = FE_RELEASE_DRAINING;
    sock->deadline_ns =
        fe_has(fe, QUIRK_ENDLESS_LINGER) ? STEP_NEVER : out->now_ns + fe->config.linger_ns;
    fe_enqueue(fe, &fe->draining, sock);
}

int fe_release(struct fe *fe, uint64_t id, struct step_out *out)
{
    struct fe_sock *sock = fe_sock_by_id(fe, id);

    if (!sock || sock->release != FE_RELEASE_NONE || sock->call == CALL_POLL)
        return -ERR_BADF;
    switch (sock->state) {
    case FE_SOCK_PREPARING: sock->release = FE_RELEASE_LOCAL; break;
    case FE_SOCK_QUEUED: release_queued(fe, sock, out); break;
    case FE_SOCK_OPEN: release_open(fe, sock, out); break;
    case FE_SOCK_LISTENING:
        if (sock->queue)
            fe_dequeue(fe, sock);
        sock->release = FE_RELEASE_ENDING;
        fe_enqueue(fe, &fe->ending, sock);
        fe_end_listeners(fe, out);
        break;
    case FE_SOCK_PENDING:
    case FE_SOCK_BOUND:
    case FE_SOCK_ENDED: fe_sock_release_now(fe, sock, out); break;
    case FE_SOCK_FREE:
    case FE_SOCK_UNWINDING:
    case FE_SOCK_STATES: return -ERR_BADF;
    }
    fe_ring_submit(fe, out);
    return 0;
}

int fe_linger_end(struct fe *fe, uint64_t id, struct step_out *out)
{
    struct fe_sock *sock = fe_sock_by_id(fe, id);

    if (!sock || sock->release != FE_RELEASE_DRAINING)
        return -ERR_BADF;
    fe_sock_release_now(fe, sock, out);
    fe_ring_submit(fe, out);
    return 0;
}

/* The backend released a listener and left a call on it unanswered: it has failed. Its pages stay,
 * for the backend may map them yet; an answer that comes all the same is taken care of. */
static void end_unanswered(struct fe *fe, struct fe_sock *listener, struct step_out *out)
{
    struct fe_sock *sock = fe_ring_child(fe, fe_sock_id(fe, listener));

    if (!sock) {
        fe_dequeue(fe, listener);
        return;
    }
    done(fe, sock, sock->call, -ERR_BADF, out);
    be_quiet(fe, sock, out);
    sock->told = true;
    if (sock->release == FE_RELEASE_NONE) {
        sock->release = FE_RELEASE_LOCAL;
        sock->quiet = true;
    }
    childless(fe, sock, out);
    sock->has_parent = false;
}

/* Fail what waits in the guest for listeners being released, then release those; and what waits in
 * the ring for those that the backend has let go of. */
void fe_end_listeners(struct fe *fe, struct step_out *out)
{
    struct fe_sock *listener, *sock;

    while ((listener = fe_queue_first(fe, &fe->ending))) {
        while ((sock = fe_queue_first(fe, &listener->parked))) {
            if (step_room(out) < 2 * FE_SOCK_ACTS) {
                out->more = true;
                return;
            }
            fe_dequeue(fe, sock);
            fail_call(fe, sock, -ERR_BADF, out);
        }
        if (step_room(out) < 2 * FE_SOCK_ACTS) {
            out->more = true;
            return;
        }
        if (listener->release == FE_RELEASE_ENDING)
            fe_sock_release_now(fe, listener, out);
        else
            end_unanswered(fe, listener, out);
    }
}

/* The device is going: end what cannot go on. Only what the application must release stays. */
static void device_lost(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    bool releasing = sock->release != FE_RELEASE_NONE;

    switch (sock->state) {
    case FE_SOCK_QUEUED:
        unqueue(fe, sock);
        fail_call(fe, sock, -ERR_CONNRESET, out);
        break;
    case FE_SOCK_PENDING:
        sock->release = releasing ? FE_RELEASE_LOCAL : FE_RELEASE_NONE;
        fail_call(fe, sock, -ERR_CONNRESET, out);
        break;
    case FE_SOCK_OPEN:
    case FE_SOCK_BOUND:
    case FE_SOCK_LISTENING:
    case FE_SOCK_ENDED:
        if (releasing && sock->release != FE_RELEASE_ENDING) {
            fe_sock_release_now(fe, sock, out);
        } else if (sock->state != FE_SOCK_ENDED && sock->error == 0) {
            sock->error = -ERR_CONNRESET;
            fe_data_port(fe, sock, out);
        }
        break;
    case FE_SOCK_FREE:
    case FE_SOCK_PREPARING:
    case FE_SOCK_UNWINDING:
    case FE_SOCK_STATES: break;
    }
}

void fe_sweep_start(struct fe *fe)
{
    fe->sweeping = true;
    fe->sweep_next = 0;
}

void fe_sweep(struct fe *fe, struct step_out *out)
{
    for (; fe->sweep_next < fe->config.max_sockets; fe->sweep_next++) {
        struct fe_sock *sock = fe_sock_at(fe, fe->sweep_next);
        if (step_room(out) < 2 * FE_SOCK_ACTS) {
            out->more = true;
            return;
        }
        device_lost(fe, sock, out);
    }
    fe->sweeping = false;
    fe_device_swept(fe, out);
}
