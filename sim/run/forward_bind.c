/*
 * BIND of a SOCKS program: the guest listens for it on the backend's side, tells it where, and
 * joins it to the first who comes. See forward.c.
 *
 * Draft 1 has no getsockname, so the port is chosen here and bound by its number: the next of
 * FORWARD_BIND_LOW..HIGH, and when somebody has it the next, FORWARD_BIND_TRIES of them. Nor does
 * its ACCEPT say who came, so whom the client expects cannot be insisted on, and the second answer
 * says that it is not known (0.0.0.0:0) rather than what nobody has seen.
 * The listener is polled before it accepts: a POLL makes room for others in the command ring.
 * Source: RFC 1928, 4 and 6.
 *
 * Invariant: a pair has a listener from its BIND to DONE(RELEASE), or to the failure of its BIND.
 */
#include "ringlib/err.h"
#include "sim/run/forward_private.h"

static void listener_gone(struct pair *pair)
{
    pair->forward->by_slot[step_slot(pair->listener)] = NULL;
    pair->forward->binds--;
    pair->listens = pair->unlistening = pair->unbound = false;
}

void forward_bind_end(struct pair *pair)
{
    struct forward *forward = pair->forward;

    if (!pair->listens || pair->unlistening)
        return;
    pair->unlistening = true;
    int ret = fe_release(forward->config.fe, pair->listener, forward_begin(forward));
    forward_end(forward, CALL_RELEASE, pair->listener, ret);
    pair->unbound = ret < 0;
}

/* The second answer, when the first one is sent and nobody else can come. */
static void answer(struct pair *pair)
{
    if (!pair->talk || !pair->talk->bind.over || pair->listens || pair->down.busy)
        return;
    if (pair->talk->bind.ret < 0)
        forward_say_no(pair, pair->talk->bind.ret);
    else
        forward_say_yes(pair, NULL, TALK_JOIN);
}

/* Nobody else is to come, whatever has become of it. */
static void over(struct pair *pair, int32_t ret)
{
    forward_time_end(pair);
    forward_bind_end(pair);
    if (!pair->talk || pair->talk->bind.over)
        return;
    pair->talk->bind.over = true;
    pair->talk->bind.ret = ret;
    answer(pair);
}

void forward_bind_said(struct pair *pair)
{
    answer(pair);
}

void forward_bind_expired(struct pair *pair)
{
    over(pair, -ERR_TIMEDOUT);
}

static void try_port(struct pair *pair)
{
    struct forward *forward = pair->forward;
    const struct forward_config *config = &forward->config;
    const struct socks *socks = &pair->talk->socks;
    struct talk_bind *bind = &pair->talk->bind;
    bool v6 = socks->name[0] == '\0' && call_addr_family(&socks->addr) == CALL_AF_INET6;
    uint32_t port = config->bind_first - FORWARD_BIND_LOW + forward->bind_ports++;

    bind->tries++;
    bind->addr =
        call_addr_after(&config->bind_on[v6], port % (FORWARD_BIND_HIGH - FORWARD_BIND_LOW + 1));
    int64_t ret = forward_end(forward, CALL_BIND, 0,
                              fe_bind(config->fe, &bind->addr, forward_begin(forward)));
    if (ret < 0) {
        over(pair, (int32_t)ret);
        return;
    }
    assert(!forward->by_slot[step_slot((uint64_t)ret)]);
    forward->by_slot[step_slot((uint64_t)ret)] = pair;
    forward->binds++;
    pair->listener = (uint64_t)ret;
    pair->listens = true;
}

void forward_bind(struct pair *pair)
{
    struct forward *forward = pair->forward;

    pair->talk->next = TALK_BIND;
    if (forward->binds == FORWARD_BINDS) {
        over(pair, -ERR_MFILE);
        return;
    }
    forward_time_begin(pair, TIME_BIND);
    try_port(pair);
}

/* Somebody has the port, which shows at its BIND or at its LISTEN. */
static bool again(const struct pair *pair, int32_t ret)
{
    return ret == -ERR_ADDRINUSE && pair->talk && !pair->talk->bind.over &&
           pair->talk->bind.tries < FORWARD_BIND_TRIES;
}

static void bound(struct pair *pair, int32_t ret)
{
    struct forward *forward = pair->forward;

    if (ret < 0) { /* its id is dead */
        bool next = again(pair, ret);
        if (!pair->unlistening || pair->unbound)
            listener_gone(pair);
        if (next)
            try_port(pair);
        else
            over(pair, ret);
        forward_give_if_over(pair);
    } else if (!pair->unlistening) {
        ret = fe_listen(forward->config.fe, pair->listener, forward_begin(forward));
        forward_end(forward, CALL_LISTEN, pair->listener, ret);
        if (ret < 0)
            over(pair, ret);
    }
}

static void listening(struct pair *pair, int32_t ret)
{
    struct forward *forward = pair->forward;

    if (pair->unlistening)
        return;
    if (again(pair, ret)) {
        forward_bind_end(pair);
        return; /* the next port when this one is released */
    }
    if (ret == 0) {
        ret = fe_poll(forward->config.fe, pair->listener, forward_begin(forward));
        forward_end(forward, CALL_POLL, pair->listener, ret);
    }
    if (ret < 0)
        over(pair, ret);
    else
        forward_say_yes(pair, &pair->talk->bind.addr, TALK_BIND);
}

static void polled(struct pair *pair, int32_t ret)
{
    struct forward *forward = pair->forward;

    if (pair->unlistening)
        return;
    if (ret == 0) {
        int64_t sock =
            forward_end(forward, CALL_ACCEPT, pair->listener,
                        fe_accept(forward->config.fe, pair->listener, forward_begin(forward)));
        ret = sock < 0 ? (int32_t)sock : 0;
        if (ret == 0)
            forward_adopt(pair, (uint64_t)sock);
    }
    if (ret < 0)
        over(pair, ret);
}

static void released(struct pair *pair)
{
    listener_gone(pair);
    if (pair->talk && !pair->talk->bind.over)
        try_port(pair);
    else
        answer(pair);
    forward_give_if_over(pair);
}

void forward_bind_done(struct pair *pair, const struct act_done *done)
{
    switch ((int)done->call) {
    case CALL_BIND: bound(pair, done->ret); return;
    case CALL_LISTEN: listening(pair, done->ret); return;
    case CALL_POLL: polled(pair, done->ret); return;
    case CALL_RELEASE: released(pair); return;
    }
}

void forward_bind_accepted(struct pair *pair, int32_t ret)
{
    if (ret < 0 && !pair->leaving)
        forward_disown(pair);
    over(pair, ret);
}
