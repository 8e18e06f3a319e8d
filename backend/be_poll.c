/*
 * Requests that park: how many there are, and the life of a POLL.
 *
 * Nobody can withdraw a parked request, and a ring has few slots for them, fewer when targets do
 * not answer their CONNECTs. So a guest that listens on more sockets than that would wait for the
 * first of them alone, for ever. Therefore a POLL that has waited for a while since all that room
 * was taken is answered -ERR_INTR, "ask again", which loses nothing: the guest asks for another
 * listener first. An ACCEPT does not yield: its connection could be lost between here and the
 * guest.
 *
 * That while is BE_POLL_NS, and doubles with each rotation in which every poll was in vain, up to
 * BE_POLL_MAX_NS, so that a guest to whom nothing happens costs little. News end that: a poll that
 * finds something, an accept, a poll of a listener whose last one was not in vain. The wait is here
 * and not in the guest: there the room would be empty meanwhile, and here it tells at once.
 *
 * Invariants: while room is left nobody waits in the guest, and no POLL yields. With L listeners
 * and room for P polls none waits longer in the guest than ceil(L / P) times BE_POLL_MAX_NS, nor
 * longer than that many times BE_POLL_NS and as long as there have been no news.
 * Source: protocol.md 1.3 (draft 1 answers -4 to an ACCEPT that is to be asked again), 7 (3, 25).
 */
#include "backend/be_private.h"

/* Something happens at this listener: others are not to wait for long. */
void be_poll_news(struct be *be, struct be_sock *listener)
{
    listener->vain = 0;
    be->rotation++;
    be->poll_ns = BE_POLL_NS;
}

/* A poll of this listener came. If an earlier one of this rotation was in vain, so were all: the
 * guest takes turns. */
void be_poll_again(struct be *be, struct be_sock *listener)
{
    if (listener->vain == 0) {
        be_poll_news(be, listener);
    } else if (listener->vain == be->rotation && be->poll_ns < BE_POLL_MAX_NS) {
        be->rotation++;
        be->poll_ns *= 2;
    }
}

/* Room for what parks, with CONNECTs and without them: the front keeps to it. */
static bool has_room(const struct be *be)
{
    return be->parked < be->ring.size - 2 && be->parked + be->connects < be->ring.size - 1;
}

/* If that was the last room, all polls that wait are on borrowed time. */
void be_poll_room_taken(struct be *be, struct step_out *out)
{
    if (has_room(be))
        return;
    for (uint32_t i = 0; i < CMDRING_SIZE_MAX; i++) {
        struct be_poll *poll = &be->polls[i];
        if (poll->call.pending && poll->yields_ns > out->now_ns + be->poll_ns)
            poll->yields_ns = out->now_ns + be->poll_ns;
        if (poll->call.pending && poll->yields_ns < be->yields_ns)
            be->yields_ns = poll->yields_ns;
    }
}

/* An accept or a poll of this listener begins to wait. */
void be_poll_park(struct be *be, struct be_sock *listener, struct step_out *out)
{
    listener->children++;
    be->parked++;
    be_poll_room_taken(be, out);
}

void be_poll_close(struct be *be, struct be_poll *poll, int32_t result, struct step_out *out)
{
    poll->closing = true;
    poll->result = result;
    step_act(out, ACT_NET_CLOSE, be_poll_token(be, poll));
}

void be_poll_step(struct be *be, struct be_poll *poll, const struct ev *ev, struct step_out *out)
{
    bool over = ev->kind == EV_NET_CLOSE || !poll->closing;

    assert(step_generation(ev->token) == poll->generation);
    if (ev->kind == EV_NET_POLL) {
        /* what it found before it could yield is told: the guest would ask others first */
        bool told = !poll->closing || (poll->result == -ERR_INTR && ev->ret == 0);
        if (told)
            be_poll_news(be, &be->socks[poll->listener]);
        be_reply(be, &poll->call, told ? ev->ret : poll->result);
        be_sock_childless(be, poll->listener, out);
    }
    if (over) {
        poll->closing = false;
        be->live--;
    }
}

static void yield(struct be *be, struct be_poll *poll, struct step_out *out)
{
    be->counters.poll_yields++;
    be->socks[poll->listener].vain = be->rotation;
    be_poll_close(be, poll, -ERR_INTR, out);
}

void be_poll_yield(struct be *be, struct step_out *out)
{
    uint64_t next_ns = STEP_NEVER;

    if (out->now_ns < be->yields_ns)
        return;
    for (uint32_t i = 0; i < CMDRING_SIZE_MAX; i++) {
        struct be_poll *poll = &be->polls[i];
        if (!poll->call.pending || poll->closing)
            continue;
        if (poll->yields_ns <= out->now_ns && step_room(out) >= BE_SOCK_ACTS)
            yield(be, poll, out);
        else if (poll->yields_ns < next_ns)
            next_ns = poll->yields_ns;
    }
    be->yields_ns = next_ns;
}
