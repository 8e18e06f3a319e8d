/*
 * The bytes of an open backend socket: straight between ring memory and the socket, no copy.
 *
 * At most one read and one write are in flight. The guest's index is loaded once a look and must
 * lie within the array, else this socket is broken: both errors are published, nothing more moves.
 * An error is published after the last byte. After a write completed the ring is looked at again,
 * for the guest notified before it.
 * Source: protocol.md 1.5, 5.2 f g; architecture 4, 5.
 */
#include "backend/be_private.h"

static void notify(struct be *be, struct be_sock *sock, struct step_out *out)
{
    step_act(out, ACT_NOTIFY, be_sock_token(be, sock))->port.port = sock->port;
}

/* A word of ours is about to be `value`. */
static void capture(const struct be *be, const struct be_sock *sock, enum capture_word what,
                    uint32_t value, uint32_t bytes)
{
    if (be->config.capture)
        capture_put(be->config.capture, &(struct capture_packet){.kind = CAPTURE_INDEX,
                                                                 .moved = CAPTURE_PUBLISHED,
                                                                 .ring = CAPTURE_DATA,
                                                                 .what = (uint8_t)what,
                                                                 .index = value,
                                                                 .bytes = bytes,
                                                                 .sockid = sock->id});
}

static void fail(struct be *be, struct be_sock *sock, enum capture_word what, int32_t error)
{
    capture(be, sock, what, (uint32_t)error, 0);
    bytering_fail(what == CAPTURE_IN_ERROR ? &sock->in : &sock->out, error);
}

static void broken(struct be *be, struct be_sock *sock, const struct bytering *ring,
                   struct step_out *out)
{
    sock->broken = true;
    be_fault(be, FAULT_BYTERING_WINDOW, ring->index, ring->claimed, out);
    fail(be, sock, CAPTURE_IN_ERROR, -ERR_IO);
    fail(be, sock, CAPTURE_OUT_ERROR, -ERR_IO);
    notify(be, sock, out);
}

static void post(struct be *be, struct be_sock *sock, enum act_kind kind, uint32_t bytes,
                 struct step_out *out)
{
    const struct bytering *ring = kind == ACT_NET_READ ? &sock->in : &sock->out;
    struct act *act = step_act(out, kind, be_sock_token(be, sock));

    act->io.count = bytering_spans(ring, bytes, act->io.spans);
}

/* Give the socket what the guest queued. Model: bytering.pml. */
static void pump_out(struct be *be, struct be_sock *sock, struct step_out *out)
{
    if (sock->writing || sock->out_ended || sock->broken)
        return;
    int64_t queued = bytering_queued(&sock->out);
    if (queued < 0) {
        broken(be, sock, &sock->out, out);
    } else if (queued > 0) {
        sock->writing = true;
        post(be, sock, ACT_NET_WRITE, (uint32_t)queued, out);
    }
}

/* Offer the socket what room the guest left. Model: bytering.pml. */
static void pump_in(struct be *be, struct be_sock *sock, struct step_out *out)
{
    if (sock->reading || sock->in_ended || sock->broken)
        return;
    int64_t room = bytering_room(&sock->in);
    if (room < 0) {
        broken(be, sock, &sock->in, out);
    } else if (room > 0) {
        sock->reading = true;
        post(be, sock, ACT_NET_READ, (uint32_t)room, out);
    } else {
        be->counters.ring_full++;
    }
}

/* Model: bytering.pml. */
void be_data_port(struct be *be, struct be_sock *sock, struct step_out *out)
{
    if (sock->state != BE_SOCK_OPEN)
        return; /* looked at when it opens */
    pump_out(be, sock, out);
    pump_in(be, sock, out);
}

/* The guest's event, or by a quirk the last one. */
void be_data_event(struct be *be, struct be_sock *sock, struct step_out *out)
{
    if (sock->deaf)
        return;
    sock->deaf = be_has(be, QUIRK_DEAF) && sock->state == BE_SOCK_OPEN && !sock->out_ended &&
                 bytering_queued(&sock->out) == 0;
    be_data_port(be, sock, out);
}

/* Model: bytering.pml. */
static void wrote(struct be *be, struct be_sock *sock, int32_t ret, struct step_out *out)
{
    sock->writing = false;
    if (sock->broken)
        return;
    if (ret >= 0) {
        capture(be, sock, CAPTURE_OUT_CONS, sock->out.index + (uint32_t)ret, (uint32_t)ret);
        bytering_consumed(&sock->out, (uint32_t)ret);
        be->counters.sent_bytes += (uint64_t)ret;
    } else {
        sock->out_ended = true;
        sock->write_error = ret;
        fail(be, sock, CAPTURE_OUT_ERROR, ret);
    }
    notify(be, sock, out);
    pump_out(be, sock, out);
}

/* Model: bytering.pml. */
static void was_read(struct be *be, struct be_sock *sock, int32_t ret, struct step_out *out)
{
    sock->reading = false;
    if (sock->broken)
        return;
    if (ret > 0) {
        capture(be, sock, CAPTURE_IN_PROD, sock->in.index + (uint32_t)ret, (uint32_t)ret);
        bytering_produced(&sock->in, (uint32_t)ret);
        be->counters.received_bytes += (uint64_t)ret;
    } else {
        /* a reset is reported once by the host, perhaps to the write: then this is no clean end */
        int32_t end = sock->out_ended ? sock->write_error : -ERR_NOTCONN;
        sock->in_ended = true;
        if (ret < 0 && be_has(be, QUIRK_SILENT_RESET))
            return;
        fail(be, sock, CAPTURE_IN_ERROR, ret < 0 ? ret : end);
    }
    notify(be, sock, out);
    pump_in(be, sock, out);
}

void be_data_step(struct be *be, struct be_sock *sock, const struct ev *ev, struct step_out *out)
{
    if (ev->kind == EV_NET_WRITE)
        wrote(be, sock, ev->ret, out);
    else
        was_read(be, sock, ev->ret, out);
}
