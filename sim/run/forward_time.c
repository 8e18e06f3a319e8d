/*
 * What lasts too long. When a time begins and ends is the business of what takes it. See forward.c.
 *
 * A length of 0 is no limit. Invariant: each kind of time has one length, so in its list who began
 * first is due first.
 */
#include "sim/run/forward_private.h"

static uint64_t length_ns(const struct forward *forward, enum time_kind kind)
{
    switch (kind) {
    case TIME_TALK: return forward->config.talk_wait_ns;
    case TIME_CONNECT: return forward->config.connect_wait_ns;
    case TIME_BIND: return forward->config.bind_wait_ns;
    case TIME_KINDS: break;
    }
    return 0;
}

void forward_time_end(struct pair *pair)
{
    if (pair->timed)
        DL_DELETE2(pair->forward->timed[pair->time], pair, time_prev, time_next);
    pair->timed = false;
}

void forward_time_begin(struct pair *pair, enum time_kind kind)
{
    struct forward *forward = pair->forward;

    forward_time_end(pair);
    if (length_ns(forward, kind) == 0)
        return;
    pair->timed = true;
    pair->time = kind;
    pair->time_over_ns = forward->now_ns + length_ns(forward, kind);
    DL_APPEND2(forward->timed[kind], pair, time_prev, time_next);
}

static void over(struct pair *pair)
{
    enum time_kind kind = pair->time;

    forward_time_end(pair);
    switch (kind) {
    case TIME_TALK: forward_finish(pair, false); return;
    case TIME_CONNECT: forward_connect_expired(pair); return;
    case TIME_BIND: forward_bind_expired(pair); return;
    case TIME_KINDS: return;
    }
}

uint64_t forward_time_turned(struct forward *forward)
{
    uint64_t due_ns = STEP_NEVER;

    for (uint32_t kind = 0; kind < TIME_KINDS; kind++) {
        while (forward->timed[kind] && forward->timed[kind]->time_over_ns <= forward->now_ns)
            over(forward->timed[kind]);
        if (forward->timed[kind] && forward->timed[kind]->time_over_ns < due_ns)
            due_ns = forward->timed[kind]->time_over_ns;
    }
    return due_ns;
}
