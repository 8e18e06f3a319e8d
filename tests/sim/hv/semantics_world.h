/*
 * What the tests of Xen's semantics share: a world over each implementation of hv.h (hv_worlds.h),
 * and its ops as one-liners: submit in the domain's turn, take the completion.
 */
#ifndef XENSOCK_TESTS_SIM_HV_SEMANTICS_WORLD_H
#define XENSOCK_TESTS_SIM_HV_SEMANTICS_WORLD_H

#include "tests/support/hv_worlds.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BACK = WORLD_BACK, FRONT = WORLD_FRONT, THIRD = WORLD_THIRD, NOBODY = WORLD_NOBODY };

static const struct hv_world *world;

struct op {
    enum ev_kind kind;
    uint64_t token;
    uint16_t domid;
    uint32_t number; /* pages, handle or port */
    const uint32_t *refs;
    uint32_t count;
    int ret; /* of notify and unmask */
};

static inline void op_do(struct hv *hv, void *with)
{
    struct op *op = with;

    switch (op->kind) {
    case EV_SHARE: hv_share(hv, op->token, op->domid, op->number); break;
    case EV_UNSHARE: hv_unshare(hv, op->token, op->number); break;
    case EV_MAP: hv_map(hv, op->token, op->domid, op->refs, op->count); break;
    case EV_UNMAP: hv_unmap(hv, op->token, op->number); break;
    case EV_PORT_ALLOC: hv_port_alloc(hv, op->token, op->domid); break;
    case EV_PORT_BIND: hv_port_bind(hv, op->token, op->domid, op->number); break;
    case EV_PORT_CLOSE: hv_port_close(hv, op->token, op->number); break;
    default: fail();
    }
}

static inline struct ev expect(uint16_t who, enum ev_kind kind, uint64_t token)
{
    struct ev ev = {0};

    assert_true(world->next(who, &ev));
    assert_int_equal(ev.kind, kind);
    assert_int_equal(ev.token, token);
    return ev;
}

static inline void silent(uint16_t who)
{
    struct ev ev;

    assert_false(world->next(who, &ev));
}

static inline struct ev submit(uint16_t who, struct op op)
{
    if (op.token == 0)
        op.token = 1;
    world->act(who, op_do, &op);
    return expect(who, op.kind, op.token);
}

static inline struct hypervisor_usage usage(uint16_t domid)
{
    struct hypervisor_usage found;

    world->settle();
    hypervisor_usage(world->tables(), domid, &found);
    return found;
}

/* The port of an event channel that `who` offers to `peer`. */
static inline uint32_t offer(uint16_t who, uint16_t peer, uint64_t token)
{
    struct op op = {.kind = EV_PORT_ALLOC, .token = token, .domid = peer};
    struct ev ev = submit(who, op);

    assert_int_equal(ev.ret, 0);
    return ev.port;
}

static inline int start_memory(void **state)
{
    world = &hv_world_mem;
    return world->start(state);
}

static inline int start_virtual(void **state)
{
    world = &hv_world_virtual;
    return world->start(state);
}

static inline int start_processes(void **state)
{
    world = &hv_world_emu;
    return world->start(state);
}

static inline int stop(void **state)
{
    return world->stop(state);
}

#define IN(where, name)                                                                            \
    {                                                                                              \
#name " (" #where ")", name, start_##where, stop, NULL                                     \
    }
#define ALL(name) IN(memory, name), IN(virtual, name), IN(processes, name)

#endif
