/* Faults in words. See fault_words.h. Quotas: store.h. */
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

static void own(struct fault_words *words, const struct act_fault *fault, uint16_t domid,
                const char *other)
{
    const struct operation *operation = NULL;
    char most[48] = "";
    int said;

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        if (operations[i].kind == fault->index)
            operation = &operations[i];
    words->code = "E0608";
    said = snprintf(words->text, sizeof(words->text),
                    "domain %u cannot %s its device with %s: ", domid,
                    operation ? operation->verb : "go on with", other);
    if (!operation || fault->value != (uint32_t)operation->full) {
        snprintf(words->text + said, sizeof(words->text) - (size_t)said, "%s (%s)",
                 err_name((int32_t)fault->value), step_ev_name((enum ev_kind)fault->index));
        return;
    }
    if (operation->kind == EV_STORE_WATCH)
        snprintf(most, sizeof(most), " (at most %d)", STORE_WATCHES_MAX + 1);
    else if (operation->kind == EV_STORE_PUBLISH)
        snprintf(most, sizeof(most), " (at most %d)", STORE_NODES_MAX);
    snprintf(words->text + said, sizeof(words->text) - (size_t)said,
             "the domain itself has used up its %s%s, over all its connections: give some back "
             "(xensock ps --domain %u counts them)",
             operation->quota, most, domid);
}

void fault_words(struct fault_words *words, const struct act_fault *fault, uint16_t domid,
                 const char *other)
{
    if (fault->reason == FAULT_STORE) {
        own(words, fault, domid, other);
        return;
    }
    words->code = "E0502";
    snprintf(words->text, sizeof(words->text), "fault of %s: %s (ours %u, claimed %u)", other,
             step_fault_name(fault->reason), fault->index, fault->value);
}
