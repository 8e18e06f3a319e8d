/*
 * The talk of a SOCKS program before its bytes: whom it wants to reach, and what it is answered.
 * What is said lies in socks.c; whatever moves afterwards is a pair like any other. See forward.c.
 */
#include "ringlib/err.h"
#include "sim/run/forward_private.h"

#include <stdlib.h>

/* Send the answer that lies in `reply`; what comes next begins when it is gone. */
static void say(struct pair *pair, enum talk_next next)
{
    struct flow *down = &pair->down;

    memcpy(down->bytes, pair->talk->socks.reply, pair->talk->socks.reply_bytes);
    down->from = 0;
    down->to = pair->talk->socks.reply_bytes;
    pair->talk->next = next;
    forward_write_program(pair);
}

void forward_say_yes(struct pair *pair, const struct call_addr *addr, enum talk_next next)
{
    socks_answer(&pair->talk->socks, 0, addr);
    say(pair, next);
}

void forward_say_no(struct pair *pair, int32_t error)
{
    socks_answer(&pair->talk->socks, error, NULL);
    say(pair, TALK_END);
}

static void ask_name(struct pair *pair)
{
    struct forward *forward = pair->forward;
    struct talk *talk = pair->talk;

    talk->asked = ++forward->names_asked;
    forward->config.resolve(forward->config.self, (uint64_t)pair->number << 32 | talk->asked,
                            talk->socks.name, talk->socks.port);
}

/* Whoever waits is listened to, so that its end is noticed; what it says early is kept. */
static void listen_on(struct pair *pair)
{
    if (!pair->up.busy && !pair->up.ended && pair->up.to < FORWARD_FLOW_BYTES)
        forward_read_program(pair);
}

/* Something of the program that is not of the talk. Nobody can be told from one who has closed
 * altogether: who ends while it waits to be connected to is not waited for. */
static void early(struct pair *pair)
{
    if (!pair->up.ended)
        listen_on(pair);
    else if (pair->talk->next == TALK_BIND && !pair->talk->bind.over)
        forward_finish(pair, false);
}

static void more(struct pair *pair)
{
    if (pair->up.ended)
        forward_broken(pair);
    else if (!pair->up.busy)
        forward_read_program(pair);
}

void forward_talk(struct pair *pair)
{
    struct flow *up = &pair->up;
    struct socks *socks = &pair->talk->socks;
    uint32_t used;

    if (pair->talk->next != TALK_MORE) {
        early(pair);
        return;
    }
    enum socks_verdict verdict = socks_take(socks, up->bytes + up->from, up->to - up->from, &used);
    up->from += used;
    switch (verdict) {
    case SOCKS_MORE: more(pair); return;
    case SOCKS_ANSWER: say(pair, TALK_MORE); return;
    case SOCKS_BIND:
        listen_on(pair);
        forward_bind(pair);
        return;
    case SOCKS_CONNECT:
        pair->talk->next = TALK_WAIT;
        forward_time_begin(pair, TIME_CONNECT);
        listen_on(pair);
        if (socks->name[0] != '\0')
            ask_name(pair);
        else
            forward_connect(pair, &pair->talk->socks.addr);
        return;
    case SOCKS_BROKEN:
        if (socks->reply_bytes > 0)
            say(pair, TALK_END);
        else
            forward_finish(pair, true);
        return;
    }
}

void forward_talk_begin(struct pair *pair)
{
    pair->talk = calloc(1, sizeof(*pair->talk));
    if (!pair->talk) {
        forward_broken(pair);
        return;
    }
    forward_time_begin(pair, TIME_TALK);
    forward_read_program(pair);
}

void forward_talk_end(struct pair *pair)
{
    free(pair->talk);
    pair->talk = NULL;
}

void forward_talk_said(struct pair *pair)
{
    switch (pair->talk->next) {
    case TALK_MORE: forward_talk(pair); return;
    case TALK_WAIT: return;
    case TALK_BIND: forward_bind_said(pair); return;
    case TALK_END: forward_finish(pair, false); return;
    case TALK_JOIN:
        forward_talk_end(pair);
        pair->outside = true;
        forward_joined(pair);
        return;
    }
}

void forward_talk_connected(struct pair *pair, int32_t ret)
{
    pair->talk->asked = 0; /* a name that is found too late is nobody's */
    if (ret < 0)
        forward_say_no(pair, ret);
    else
        forward_say_yes(pair, NULL, TALK_JOIN);
}

void forward_resolved(struct forward *forward, uint64_t id, int32_t error,
                      const struct call_addr *addr)
{
    struct pair *pair = &forward->pairs[(uint32_t)(id >> 32)];

    if (!pair->talk || pair->talk->asked != (uint32_t)id || !pair->inside)
        return; /* the program has gone meanwhile */
    if (error < 0) {
        forward_connect_over(pair, error);
        return;
    }
    pair->talk->socks.addr = *addr;
    forward_connect(pair, &pair->talk->socks.addr);
}
