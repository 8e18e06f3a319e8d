/*
 * Bytes of a pair, both ways. Knows no rule, no accept and no reason why a pair ends. See
 * forward.c.
 */
#include "ringlib/err.h"
#include "sim/run/forward_private.h"

void forward_read_program(struct pair *pair)
{
    struct flow *up = &pair->up;

    if (up->from == up->to)
        up->from = up->to = 0;
    const struct shared_iov iov = {up->bytes + up->to, FORWARD_FLOW_BYTES - up->to};

    up->busy = true;
    net_read(pair->forward->config.net, forward_token_of(pair), &iov, 1);
}

/* The peer takes no more: what it said before still reaches the program, and then the reset. */
static void up_failed(struct pair *pair)
{
    pair->up.from = pair->up.to;
    pair->up.ended = pair->up.failed = true;
    if (pair->down.ended)
        forward_broken(pair);
    else
        forward_pump_down(pair);
}

/* From the program to the guest's socket, which says when it has room again. */
void forward_pump_up(struct pair *pair)
{
    struct forward *forward = pair->forward;
    struct flow *up = &pair->up;

    if (pair->outside && up->from < up->to) {
        uint32_t bytes = up->to - up->from;
        const struct fe_send io = {pair->sock, up->bytes + up->from, bytes};
        int64_t ret = forward_end_io(pair, TRACE_CALL_SEND, bytes,
                                     fe_send(forward->config.fe, &io, forward_begin(forward)));
        if (ret < 0) {
            up_failed(pair);
            return;
        }
        up->from += (uint32_t)ret;
        forward->counters.up_bytes += (uint64_t)ret;
    }
    if (up->from < up->to || up->busy || !pair->inside)
        return;
    if (!up->ended)
        forward_read_program(pair);
    else if (pair->outside && pair->down.ended)
        forward_finish(pair, false);
    else if (pair->outside && !pair->down.busy && !pair->held)
        forward_hold(pair);
}

void forward_write_program(struct pair *pair)
{
    struct flow *down = &pair->down;
    const struct shared_iov iov = {down->bytes + down->from, down->to - down->from};

    down->busy = true;
    net_write(pair->forward->config.net, forward_token_of(pair), &iov, 1);
}

/* The program has ended, and there is nothing left of what it said before. */
static bool all_sent(const struct pair *pair)
{
    return pair->up.ended && pair->up.from == pair->up.to;
}

static void down_ended(struct pair *pair)
{
    pair->down.ended = true;
    if (pair->up.failed)
        forward_broken(pair);
    else if (all_sent(pair))
        forward_finish(pair, false);
    else
        net_shutdown(pair->forward->config.net, forward_token_of(pair));
}

/* From the guest's socket, which says when it has bytes again, to the program. */
void forward_pump_down(struct pair *pair)
{
    struct forward *forward = pair->forward;
    struct flow *down = &pair->down;

    if (!pair->inside || !pair->outside || down->busy || down->ended)
        return;
    const struct fe_recv io = {pair->sock, down->bytes, FORWARD_FLOW_BYTES};
    int64_t ret = forward_end_io(pair, TRACE_CALL_RECV, FORWARD_FLOW_BYTES,
                                 fe_recv(forward->config.fe, &io, forward_begin(forward)));
    if (ret > 0) {
        down->from = 0;
        down->to = (uint32_t)ret;
        forward->counters.down_bytes += (uint64_t)ret;
        forward_unhold(pair);
        forward_write_program(pair);
    } else if (ret == 0) {
        down_ended(pair);
    } else if (ret != -ERR_AGAIN) {
        forward_broken(pair);
    } else if (all_sent(pair) && !pair->held) {
        forward_hold(pair);
    }
}

void forward_read_done(struct pair *pair, int32_t ret)
{
    struct flow *up = &pair->up;

    up->busy = false;
    if (!pair->inside)
        return;
    if (ret < 0) {
        forward_broken(pair);
        return;
    }
    if (up->failed)
        return;
    up->ended = ret == 0;
    up->to += (uint32_t)ret;
    if (pair->talk)
        forward_talk(pair);
    else
        forward_pump_up(pair);
}

void forward_write_done(struct pair *pair, int32_t ret)
{
    struct flow *down = &pair->down;

    down->busy = false;
    if (!pair->inside)
        return;
    if (ret < 0) {
        forward_broken(pair);
        return;
    }
    down->from += (uint32_t)ret;
    if (down->from < down->to)
        forward_write_program(pair);
    else if (pair->talk)
        forward_talk_said(pair);
    else
        forward_pump_down(pair);
}
