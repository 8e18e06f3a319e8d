/* A domain's own faults in words. See fault_words.h. Quotas: store.h. */
#include "sim/run/fault_words.h"

#include <stdio.h>

#include "ringlib/err.h"
#include "sim/hv/store.h"

/* What an operation of one's own is for, and the quota that its error says is used up. */
struct operation {
    enum ev_kind kind;
    const char *verb;
    enum err full;
    const char *quota;
};

static const struct operation operations[] = {
    {EV_STORE_WATCH, "watch", ERR_2BIG, "watches in xenstore"},
    {EV_STORE_PUBLISH, "publish", ERR_NOSPC, "nodes in xenstore"},
    {EV_SHARE, "share the ring of", ERR_NOSPC, "grants"},
    {EV_PORT_ALLOC, "have an event channel for", ERR_NOSPC, "event channel ports"},
};

bool fault_words(char text[FAULT_WORDS_BYTES], const struct act_fault *fault, uint16_t domid,
                 const char *other)
{
    const struct operation *operation = NULL;
    char most[48] = "";

    if (fault->reason != FAULT_STORE)
        return false;
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        if (operations[i].kind == fault->index)
            operation = &operations[i];
    const char *verb = operation ? operation->verb : "go on with";
    if (!operation || fault->value != (uint32_t)operation->full) {
        snprintf(text, FAULT_WORDS_BYTES, "domain %u cannot %s its device with %.64s: %s (%s)",
                 domid, verb, other, err_name((int32_t)fault->value),
                 step_ev_name((enum ev_kind)fault->index));
        return true;
    }
    if (operation->kind == EV_STORE_WATCH)
        snprintf(most, sizeof(most), " (at most %d)", STORE_WATCHES_MAX + 1);
    else if (operation->kind == EV_STORE_PUBLISH)
        snprintf(most, sizeof(most), " (at most %d)", STORE_NODES_MAX);
    snprintf(
        text, FAULT_WORDS_BYTES,
        "domain %u cannot %s its device with %.64s: the domain itself has used up its %s%s, over "
        "all its connections: give some back (xensock ps --domain %u counts them)",
        domid, verb, other, operation->quota, most, domid);
    return true;
}
