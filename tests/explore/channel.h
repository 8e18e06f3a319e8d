/*
 * An event channel between two sides that are explored: one of hv_mem, whose every operation is a
 * point where the other side may go. Side 0 is domain 1, side 1 is domain 0.
 * Does not sleep: that is the explorer's.
 */
#ifndef XENSOCK_TESTS_EXPLORE_CHANNEL_H
#define XENSOCK_TESTS_EXPLORE_CHANNEL_H

#include "sim/hv/hv_mem.h"
#include "tests/support/explore.h"

#include <stdlib.h>

struct channel {
    struct hv_mem *machine;
    struct hv *ends[2];
    uint32_t ports[2];
    bool deaf; /* a control: what comes while a port is masked is forgotten */
};

/* The completion of what was just asked. */
static inline uint32_t channel_port(struct hv *hv)
{
    struct ev ev;
    bool any = hv_next(hv, &ev);

    assert(any && ev.ret == 0);
    return ev.port;
}

static inline struct channel *channel_open(void)
{
    struct channel *channel = calloc(1, sizeof(*channel));

    assert(channel);
    channel->machine = hv_mem_create_pages(NULL, 8);
    channel->ends[0] = hv_mem_domain(channel->machine, 1);
    channel->ends[1] = hv_mem_domain(channel->machine, 0);
    hv_port_alloc(channel->ends[0], 0, 0);
    channel->ports[0] = channel_port(channel->ends[0]);
    hv_port_bind(channel->ends[1], 0, 1, channel->ports[0]);
    channel->ports[1] = channel_port(channel->ends[1]);
    return channel;
}

static inline void channel_close(struct channel *channel)
{
    hv_close(channel->ends[0]);
    hv_close(channel->ends[1]);
    hv_mem_destroy(channel->machine);
    free(channel);
}

/* Nothing pending, nothing masked. */
static inline void channel_reset(struct channel *channel, bool deaf)
{
    struct ev ev;

    channel->deaf = deaf;
    for (uint32_t side = 0; side < 2; side++) {
        hv_unmask(channel->ends[side], channel->ports[side]);
        while (hv_next(channel->ends[side], &ev))
            hv_unmask(channel->ends[side], channel->ports[side]);
    }
}

static inline bool channel_raised(const struct channel *channel, uint32_t side)
{
    bool raised;

    hv_mem_signal_live(channel->machine, channel->ends[side]->domid,
                       (uint64_t)channel->ports[side] << 32, &raised);
    return raised;
}

/* Whether an end has an event queued, or pending behind its mask, which is its side's to know. */
static inline uint64_t channel_state(const struct channel *channel)
{
    return (channel_raised(channel, 0) ? 1u : 0u) | (channel_raised(channel, 1) ? 2u : 0u);
}

static inline bool channel_ready(void *hv)
{
    return hv_mem_due_ns(hv) != UINT64_MAX;
}

/* Until an event comes, and take it: the port is masked then. */
static inline void channel_sleep(struct channel *channel, uint32_t side)
{
    struct ev ev;

    explore_wait(channel_ready, channel->ends[side]);
    bool taken = hv_next(channel->ends[side], &ev);
    assert(taken && ev.kind == EV_PORT);
}

static inline void channel_unmask(struct channel *channel, uint32_t side)
{
    explore_step("unmasks its port");
    hv_unmask(channel->ends[side], channel->ports[side]);
    if (channel->deaf)
        hv_mem_drop(channel->ends[side], channel->ports[side]);
}

static inline void channel_notify(struct channel *channel, uint32_t side)
{
    explore_step("notifies");
    hv_notify(channel->ends[side], channel->ports[side]);
}

#endif
