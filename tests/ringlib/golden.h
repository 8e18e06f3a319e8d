/*
 * Golden bytes: each command's request and response of each dialect as they lie in the ring.
 *
 * Written from the offsets of the specifications, not from the sources, and compiled with both word
 * sizes: test_dialect.c and m32_golden.c check them. Two refs in a row differ by 0x01010101, so
 * that each of their bytes tells its place. The bytes are in a file for each dialect.
 */
#ifndef XENSOCK_TESTS_RINGLIB_GOLDEN_H
#define XENSOCK_TESTS_RINGLIB_GOLDEN_H

#include "ringlib/dialect.h"

enum { GOLDEN_RESPONSE_MAX = 24 };

/* A request: the bytes, as many as a slot has, and what they mean. */
struct golden_request {
    const char *name;
    const uint8_t *wire;
    uint32_t id, code;
    enum call_kind kind;
    uint64_t sockid, new_sockid;
    struct call_addr addr;
    uint32_t flags, evtchn, ref, ref_count; /* first ref, how many are set */
    uint32_t backlog, reuse, family, type, protocol;
};

/* A response: the bytes, tail padding included, and what they mean. */
struct golden_response {
    const char *name;
    uint8_t wire[GOLDEN_RESPONSE_MAX];
    struct call_reply reply;
};

#include "tests/ringlib/golden_compact.h"
#include "tests/ringlib/golden_pvcalls.h"
#include "tests/ringlib/golden_xensock1.h"

/* All of one dialect, in the order of the registry. */
struct golden_set {
    const struct dialect *dialect;
    const struct golden_request *requests;
    const struct golden_response *responses;
    uint32_t request_count, response_count, request_bytes, response_bytes;
};

#define GOLDEN_COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define GOLDEN_SET(name)                                                                           \
    {                                                                                              \
        &dialect_##name, golden_##name##_requests, golden_##name##_responses,                      \
            GOLDEN_COUNT(golden_##name##_requests), GOLDEN_COUNT(golden_##name##_responses),       \
            GOLDEN_##name##_BYTES, GOLDEN_##name##_RESPONSE                                        \
    }

static const struct golden_set golden_sets[] = {GOLDEN_SET(xensock1), GOLDEN_SET(pvcalls1),
                                                GOLDEN_SET(xensock1_compact)};

enum { GOLDEN_SETS = GOLDEN_COUNT(golden_sets) };

/* The call a golden request means. */
static inline void golden_call(const struct golden_request *golden, struct call *call)
{
    memset(call, 0, sizeof(*call));
    call->id = golden->id;
    call->code = golden->code;
    call->kind = golden->kind;
    call->sockid = golden->sockid;
    call->new_sockid = golden->new_sockid;
    call->addr = golden->addr;
    call->flags = golden->flags;
    call->evtchn = golden->evtchn;
    call->backlog = golden->backlog;
    call->reuse = golden->reuse;
    call->family = golden->family;
    call->type = golden->type;
    call->protocol = golden->protocol;
    for (uint32_t i = 0; i < golden->ref_count; i++)
        call->refs[i] = golden->ref + i * 0x01010101u;
}

/* Whether two calls agree in every member; padding does not count. */
static inline bool golden_same_call(const struct call *a, const struct call *b)
{
    return a->id == b->id && a->code == b->code && a->kind == b->kind && a->sockid == b->sockid &&
           a->new_sockid == b->new_sockid && a->flags == b->flags && a->evtchn == b->evtchn &&
           a->backlog == b->backlog && a->reuse == b->reuse && a->family == b->family &&
           a->type == b->type && a->protocol == b->protocol && a->addr.len == b->addr.len &&
           memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes)) == 0 &&
           memcmp(a->refs, b->refs, sizeof(a->refs)) == 0;
}

static inline bool golden_same_reply(const struct call_reply *a, const struct call_reply *b)
{
    return a->id == b->id && a->code == b->code && a->sockid == b->sockid && a->ret == b->ret;
}

/* Whether packing a golden request gives its bytes, whatever lay in the slot before. */
static inline bool golden_packs(const struct dialect *dialect, const struct golden_request *golden)
{
    uint8_t slot[DIALECT_SLOT_MAX];
    struct call call;

    memset(slot, 0xa5, sizeof(slot));
    golden_call(golden, &call);
    call.code = 0xdeadbeef; /* ignored: the code is the kind's */
    dialect_pack_call(dialect, &call, slot);
    return memcmp(slot, golden->wire, dialect->request_bytes) == 0;
}

/* Whether a golden request's bytes read as what they mean, whatever lay in the call before. */
static inline bool golden_unpacks(const struct dialect *dialect,
                                  const struct golden_request *golden)
{
    struct call expected, call;

    memset(&call, 0xa5, sizeof(call));
    golden_call(golden, &expected);
    dialect_unpack_call(dialect, golden->wire, &call);
    return golden_same_call(&call, &expected);
}

static inline bool golden_reply_packs(const struct dialect *dialect,
                                      const struct golden_response *golden)
{
    uint8_t slot[DIALECT_SLOT_MAX];

    memset(slot, 0xa5, sizeof(slot));
    dialect_pack_reply(dialect, &golden->reply, slot);
    return memcmp(slot, golden->wire, dialect->response_bytes) == 0;
}

static inline bool golden_reply_unpacks(const struct dialect *dialect,
                                        const struct golden_response *golden)
{
    struct call_reply reply;

    memset(&reply, 0xa5, sizeof(reply));
    dialect_unpack_reply(dialect, golden->wire, &reply);
    return golden_same_reply(&reply, &golden->reply);
}

#endif
