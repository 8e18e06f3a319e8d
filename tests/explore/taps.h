/*
 * A pair of cores whose seams are explored: every operation of their event channels, and every look
 * for an event or a completion, is a point where another side may go.
 */
#ifndef XENSOCK_TESTS_EXPLORE_TAPS_H
#define XENSOCK_TESTS_EXPLORE_TAPS_H

#include "tests/support/explore.h"
#include "tests/support/pair.h"

/* The operations behind the taps, which have no self. */
static struct hv_ops taps_hv;
static struct net_ops taps_net;
static const struct net_ops *taps_real_net;

static inline int taps_notify(struct hv *hv, uint32_t port)
{
    explore_step("notifies");
    return taps_hv.notify(hv, port);
}

static inline int taps_unmask(struct hv *hv, uint32_t port)
{
    explore_step("unmasks its port");
    return taps_hv.unmask(hv, port);
}

static inline bool taps_hv_next(struct hv *hv, struct ev *ev)
{
    explore_step("looks for an event");
    bool taken = taps_hv.next(hv, ev);
    explore_saw(taken ? 1 + (uint64_t)ev->kind : 0);
    return taken;
}

static inline bool taps_net_next(struct net *net, struct ev *ev)
{
    explore_step("looks for a completion");
    bool taken = taps_real_net->next(net, ev);
    explore_saw(taken ? (1 + (uint64_t)ev->kind) << 32 | (uint32_t)ev->ret : 0);
    return taken;
}

static inline void taps_open(struct pair *pair)
{
    struct hv_ops *ops[] = {&pair->front_ops, &pair->back_ops};

    taps_hv = pair->front_ops;
    for (uint32_t i = 0; i < 2; i++) {
        ops[i]->notify = taps_notify;
        ops[i]->unmask = taps_unmask;
        ops[i]->next = taps_hv_next;
    }
    taps_real_net = pair->net->ops;
    taps_net = *taps_real_net;
    taps_net.next = taps_net_next;
    pair->net->ops = &taps_net;
}

static inline bool taps_event(void *hv)
{
    return hv_mem_due_ns(hv) != UINT64_MAX;
}

/* Whether an event of the port, its domain's serial-th from 0, is queued or pending behind its
 * mask. The mask is its side's to know. */
static inline bool taps_raised(const struct pair *pair, uint16_t domid, uint32_t serial,
                               uint32_t port)
{
    bool raised;
    bool live = hv_mem_signal_live(pair->machine, domid, (uint64_t)port << 32 | serial, &raised);

    assert(live);
    return raised;
}

#endif
