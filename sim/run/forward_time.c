/*
 * What lasts too long. Knows what each deadline is for only as far as to ask whose it is; when it
 * is set and taken back is the business of what it belongs to. See forward.c.
 *
 * Invariant: no pair's deadline is before the forward's, which is looked for anew when it is over.
 */
#include "sim/run/forward_private.h"

void forward_deadline(struct pair *pair, uint64_t in_ns)
{
    struct forward *forward = pair->forward;

    pair->deadline_ns = in_ns > 0 ? forward->now_ns + in_ns : 0;
    if (in_ns > 0 && pair->deadline_ns < forward->deadline_ns)
        forward->deadline_ns = pair->deadline_ns;
}

static void expired(struct pair *pair)
{
    pair->deadline_ns = 0;
    if (pair->talk && pair->talk->next == TALK_BIND)
        forward_bind_expired(pair);
}

uint64_t forward_expire(struct forward *forward)
{
    if (forward->now_ns < forward->deadline_ns)
        return forward->deadline_ns;
    for (uint32_t i = 0; i < forward->pair_count; i++) {
        struct pair *pair = &forward->pairs[i];
        if (pair->deadline_ns != 0 && pair->deadline_ns <= forward->now_ns)
            expired(pair);
    }
    forward->deadline_ns = STEP_NEVER;
    for (uint32_t i = 0; i < forward->pair_count; i++) {
        uint64_t due_ns = forward->pairs[i].deadline_ns;
        if (due_ns != 0 && due_ns < forward->deadline_ns)
            forward->deadline_ns = due_ns;
    }
    return forward->deadline_ns;
}
