/*
 * Our rings against Xen's own public headers: the same bytes and the same decisions.
 *
 * For test_xen_oracle.c and, with the other word size, m32_xen_oracle.c: no cmocka, one xorshift.
 * Each function ends the program where the two differ. The headers are Debian's (libxen-dev) and
 * used as they are: nothing of them is repeated here.
 */
#ifndef XENSOCK_TESTS_RINGLIB_XEN_ORACLE_H
#define XENSOCK_TESTS_RINGLIB_XEN_ORACLE_H

#include "ringlib/bytering.h"
#include "ringlib/cmdring.h"
#include "ringlib/dialect.h"
#include "ringlib/xenbus.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#define xen_mb() shared_fence()
#define xen_rmb() shared_fence()
#define xen_wmb() shared_fence()
#include <xen/io/pvcalls.h>
#define xenbus_state xen_xenbus_state /* one tag, two enums */
#include <xen/io/xenbus.h>
#undef xenbus_state

/* Xen's macros are expanded here, with conversions and GNU expressions that are theirs. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-statement-expression"
#endif
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

#define ORACLE_SAME(a, b) oracle_same((uint64_t)(a), (uint64_t)(b), #a ", " #b, __LINE__)

static inline void oracle_same(uint64_t a, uint64_t b, const char *what, int line)
{
    if (a == b)
        return;
    printf("xen_oracle.h:%d: %s: %llu, %llu\n", line, what, (unsigned long long)a,
           (unsigned long long)b);
    abort();
}

static uint64_t oracle_state = 0x452821e638d01377u;

static inline uint32_t oracle_below(uint32_t limit)
{
    oracle_state ^= oracle_state << 13;
    oracle_state ^= oracle_state >> 7;
    oracle_state ^= oracle_state << 17;
    return (uint32_t)((oracle_state >> 32) * limit >> 32);
}

static inline void oracle_fill(void *to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)to)[i] = (unsigned char)oracle_below(256);
}

/* ---- the command ring --------------------------------------------------------------------------
 */

/* A ring of which each end is ours or Xen's. The four of them go through the same. */
struct oracle_ring {
    bool front_ours, back_ours;
    struct shared_area page;
    struct cmdring_front front;
    struct cmdring_back back;
    struct xen_pvcalls_front_ring xen_front;
    struct xen_pvcalls_back_ring xen_back;
};

/* Both ends at `base`, as after so many requests. */
static inline void oracle_ring_open(struct oracle_ring *ring, uint32_t base)
{
    struct xen_pvcalls_sring *sring = (struct xen_pvcalls_sring *)(void *)ring->page.base;

    if (ring->front_ours) {
        cmdring_front_init(&ring->front, &ring->page, sizeof(struct xen_pvcalls_request));
        ring->front.req_prod_pvt = ring->front.req_pushed = base;
        ring->front.rsp_cons = ring->front.rsp_seen = base;
    } else {
        XEN_FRONT_RING_INIT(&ring->xen_front, sring, SHARED_PAGE_BYTES);
        FRONT_RING_ATTACH(&ring->xen_front, sring, base, SHARED_PAGE_BYTES);
    }
    if (ring->back_ours) {
        cmdring_back_init(&ring->back, &ring->page, sizeof(struct xen_pvcalls_request));
        ring->back.req_cons = ring->back.req_seen = base;
        ring->back.rsp_prod_pvt = ring->back.rsp_pushed = base;
    } else {
        BACK_RING_ATTACH(&ring->xen_back, sring, base, SHARED_PAGE_BYTES);
    }
    sring->req_prod = sring->rsp_prod = base;
    sring->req_event = sring->rsp_event = base + 1;
}

static inline uint32_t oracle_free(struct oracle_ring *ring)
{
    return ring->front_ours ? cmdring_front_free(&ring->front)
                            : RING_FREE_REQUESTS(&ring->xen_front);
}

static inline void oracle_put_request(struct oracle_ring *ring,
                                      const struct xen_pvcalls_request *request)
{
    if (ring->front_ours)
        cmdring_front_put(&ring->front, request);
    else
        *RING_GET_REQUEST(&ring->xen_front, ring->xen_front.req_prod_pvt++) = *request;
}

static inline bool oracle_push_requests(struct oracle_ring *ring)
{
    bool notify;

    if (ring->front_ours)
        return cmdring_front_push(&ring->front);
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring->xen_front, notify);
    return notify;
}

static inline int oracle_requests(struct oracle_ring *ring)
{
    uint32_t claimed;

    return ring->back_ours ? cmdring_back_pass(&ring->back, &claimed)
                           : (int)XEN_RING_NR_UNCONSUMED_REQUESTS(&ring->xen_back);
}

static inline void oracle_get_request(struct oracle_ring *ring, struct xen_pvcalls_request *request)
{
    if (ring->back_ours)
        cmdring_back_get(&ring->back, request);
    else
        RING_COPY_REQUEST(&ring->xen_back, ring->xen_back.req_cons++, request);
}

static inline bool oracle_check_requests(struct oracle_ring *ring)
{
    int work;

    if (!ring->back_ours) {
        RING_FINAL_CHECK_FOR_REQUESTS(&ring->xen_back, work);
        return work != 0;
    }
    work = oracle_requests(ring);
    if (work == 0) {
        cmdring_back_arm(&ring->back);
        work = oracle_requests(ring);
    }
    return work != 0;
}

static inline uint32_t oracle_unanswered(struct oracle_ring *ring)
{
    return ring->back_ours ? cmdring_back_unanswered(&ring->back)
                           : ring->xen_back.req_cons - ring->xen_back.rsp_prod_pvt;
}

static inline void oracle_put_response(struct oracle_ring *ring,
                                       const struct xen_pvcalls_response *response)
{
    if (ring->back_ours)
        cmdring_back_put(&ring->back, response, sizeof(*response));
    else
        *RING_GET_RESPONSE(&ring->xen_back, ring->xen_back.rsp_prod_pvt++) = *response;
}

static inline bool oracle_push_responses(struct oracle_ring *ring)
{
    bool notify;

    if (ring->back_ours)
        return cmdring_back_push(&ring->back);
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&ring->xen_back, notify);
    return notify;
}

static inline int oracle_responses(struct oracle_ring *ring)
{
    uint32_t claimed;

    return ring->front_ours ? cmdring_front_pass(&ring->front, &claimed)
                            : (int)XEN_RING_NR_UNCONSUMED_RESPONSES(&ring->xen_front);
}

static inline void oracle_get_response(struct oracle_ring *ring,
                                       struct xen_pvcalls_response *response)
{
    struct xen_pvcalls_request slot; /* ours copies the whole of it */

    if (ring->front_ours) {
        cmdring_front_get(&ring->front, &slot);
        memcpy(response, &slot, sizeof(*response));
    } else {
        RING_COPY_RESPONSE(&ring->xen_front, ring->xen_front.rsp_cons++, response);
    }
}

static inline bool oracle_check_responses(struct oracle_ring *ring)
{
    int work;

    if (!ring->front_ours) {
        RING_FINAL_CHECK_FOR_RESPONSES(&ring->xen_front, work);
        return work != 0;
    }
    work = oracle_responses(ring);
    if (work == 0) {
        cmdring_front_arm(&ring->front);
        work = oracle_responses(ring);
    }
    return work != 0;
}

enum { ORACLE_RINGS = 4 };

/* What both ends did and saw, to be asked that it was not nothing. */
struct oracle_seen {
    uint32_t requests, responses, notified, silent, slept, full;
};

static inline void oracle_note(struct oracle_seen *seen, bool notify)
{
    seen->notified += notify ? 1u : 0u;
    seen->silent += notify ? 0u : 1u;
}

/* The same random requests through all four; each reads what was written. */
static inline void oracle_front_turn(struct oracle_ring rings[], struct oracle_seen *seen)
{
    struct xen_pvcalls_request request;
    uint32_t count = oracle_below(oracle_free(&rings[0]) + 1);
    bool push = oracle_below(4) > 0, notify = false;

    seen->full += oracle_free(&rings[0]) == 0 ? 1u : 0u;
    for (uint32_t n = 0; n < count; n++) {
        oracle_fill(&request, sizeof(request));
        for (uint32_t i = 0; i < ORACLE_RINGS; i++)
            oracle_put_request(&rings[i], &request);
    }
    for (uint32_t i = 0; push && i < ORACLE_RINGS; i++) {
        bool now = oracle_push_requests(&rings[i]);
        if (i > 0)
            ORACLE_SAME(now, notify);
        notify = now;
    }
    if (push)
        oracle_note(seen, notify);
    seen->requests += count;
}

static inline void oracle_take_requests(struct oracle_ring rings[])
{
    struct xen_pvcalls_request first, request;
    int there = oracle_requests(&rings[0]);
    uint32_t count = oracle_below((uint32_t)there + 1);

    for (uint32_t i = 1; i < ORACLE_RINGS; i++)
        ORACLE_SAME(oracle_requests(&rings[i]), there);
    for (uint32_t n = 0; n < count; n++)
        for (uint32_t i = 0; i < ORACLE_RINGS; i++) {
            oracle_get_request(&rings[i], i == 0 ? &first : &request);
            if (i > 0)
                ORACLE_SAME(memcmp(&first, &request, sizeof(first)), 0);
        }
}

static inline void oracle_back_turn(struct oracle_ring rings[], struct oracle_seen *seen)
{
    struct xen_pvcalls_response response;
    uint32_t count = oracle_below(oracle_unanswered(&rings[0]) + 1);
    bool push = oracle_below(4) > 0, notify = false;

    for (uint32_t n = 0; n < count; n++) {
        oracle_fill(&response, sizeof(response));
        for (uint32_t i = 0; i < ORACLE_RINGS; i++)
            oracle_put_response(&rings[i], &response);
    }
    for (uint32_t i = 0; push && i < ORACLE_RINGS; i++) {
        bool now = oracle_push_responses(&rings[i]);
        if (i > 0)
            ORACLE_SAME(now, notify);
        notify = now;
    }
    if (push)
        oracle_note(seen, notify);
    seen->responses += count;
}

static inline void oracle_take_responses(struct oracle_ring rings[])
{
    struct xen_pvcalls_response first, response;
    int there = oracle_responses(&rings[0]);
    uint32_t count = oracle_below((uint32_t)there + 1);

    for (uint32_t i = 1; i < ORACLE_RINGS; i++)
        ORACLE_SAME(oracle_responses(&rings[i]), there);
    for (uint32_t n = 0; n < count; n++)
        for (uint32_t i = 0; i < ORACLE_RINGS; i++) {
            oracle_get_response(&rings[i], i == 0 ? &first : &response);
            if (i > 0)
                ORACLE_SAME(memcmp(&first, &response, sizeof(first)), 0);
        }
}

/* One side goes to sleep, or asks to be woken later than at the next: ring.h allows any word. */
static inline void oracle_sleep(struct oracle_ring rings[], bool front, struct oracle_seen *seen)
{
    uint32_t later = oracle_below(8) == 0 ? oracle_below(40) : 0;
    bool work = false;

    for (uint32_t i = 0; i < ORACLE_RINGS; i++) {
        bool now = front ? oracle_check_responses(&rings[i]) : oracle_check_requests(&rings[i]);
        uint32_t word = front ? CMDRING_RSP_EVENT : CMDRING_REQ_EVENT;
        if (i > 0)
            ORACLE_SAME(now, work);
        work = now;
        if (later > 0)
            shared_store(&rings[i].page, word, shared_load(&rings[i].page, word) + later - 20);
    }
    seen->slept += work ? 0u : 1u;
}

/* `steps` random turns of both ends, from requests and responses number `base` on. */
static inline void oracle_command_rings(uint32_t base, uint32_t steps)
{
    static _Alignas(4096) unsigned char pages[ORACLE_RINGS][SHARED_PAGE_BYTES];
    struct oracle_ring rings[ORACLE_RINGS];
    struct oracle_seen seen = {0};

    memset(pages, 0, sizeof(pages));
    for (uint32_t i = 0; i < ORACLE_RINGS; i++) {
        rings[i] = (struct oracle_ring){.front_ours = i & 1, .back_ours = i >> 1};
        rings[i].page = (struct shared_area){(struct shared_memory *)(void *)pages[i], 1};
        oracle_ring_open(&rings[i], base);
    }
    for (uint32_t step = 0; step < steps; step++) {
        switch (oracle_below(6)) {
        case 0: oracle_front_turn(rings, &seen); break;
        case 1: oracle_take_requests(rings); break;
        case 2: oracle_back_turn(rings, &seen); break;
        case 3: oracle_take_responses(rings); break;
        default: oracle_sleep(rings, oracle_below(2) > 0, &seen); break;
        }
        for (uint32_t i = 1; i < ORACLE_RINGS; i++) {
            ORACLE_SAME(oracle_free(&rings[i]), oracle_free(&rings[0]));
            ORACLE_SAME(oracle_unanswered(&rings[i]), oracle_unanswered(&rings[0]));
            ORACLE_SAME(memcmp(pages[i], pages[0], CMDRING_SLOTS), 0);
        }
    }
    ORACLE_SAME(seen.requests > steps / 4 && seen.responses > steps / 4, true);
    ORACLE_SAME(seen.notified > steps / 100 && seen.silent > steps / 100, true);
    ORACLE_SAME(seen.slept > steps / 100 && seen.full > steps / 1000, true);
}

/* ---- a data ring -------------------------------------------------------------------------------
 */

/* One direction, whose producer is ours or else its consumer; the other end is Xen's. */
struct oracle_bytes {
    bool produce;
    struct bytering ours;
    struct pvcalls_data_intf *intf;
    unsigned char *array;
    uint32_t size;
    RING_IDX *prod, *cons;
};

/* What is queued, by both. */
static inline uint32_t oracle_queued(struct oracle_bytes *bytes)
{
    uint32_t queued = pvcalls_queued(*bytes->prod, *bytes->cons, bytes->size);
    int64_t ours =
        bytes->produce ? bytes->size - bytering_room(&bytes->ours) : bytering_queued(&bytes->ours);

    ORACLE_SAME(ours, queued);
    return queued;
}

static inline void oracle_produce(struct oracle_bytes *bytes, const unsigned char *from,
                                  uint32_t count)
{
    RING_IDX masked = pvcalls_mask(*bytes->prod, bytes->size);

    if (bytes->produce) {
        bytering_put(&bytes->ours, from, count);
        return;
    }
    pvcalls_write_packet(bytes->array, from, count, &masked,
                         pvcalls_mask(*bytes->cons, bytes->size), bytes->size);
    xen_wmb();
    *bytes->prod += count;
    ORACLE_SAME(masked, pvcalls_mask(*bytes->prod, bytes->size));
}

static inline void oracle_consume(struct oracle_bytes *bytes, unsigned char *to, uint32_t count)
{
    RING_IDX masked = pvcalls_mask(*bytes->cons, bytes->size);

    if (!bytes->produce) {
        bytering_take(&bytes->ours, to, count);
        return;
    }
    pvcalls_read_packet(to, bytes->array, count, pvcalls_mask(*bytes->prod, bytes->size), &masked,
                        bytes->size);
    xen_mb();
    *bytes->cons += count;
    ORACLE_SAME(masked, pvcalls_mask(*bytes->cons, bytes->size));
}

/* Random amounts, full and empty included, until the indexes went round `laps` times. */
static inline void oracle_laps(struct oracle_bytes *bytes, uint32_t laps)
{
    unsigned char *sent = malloc(bytes->size), *got = malloc(bytes->size);
    uint64_t seed = oracle_state, moved = 0;

    ORACLE_SAME(sent && got, true);
    while (moved < (uint64_t)laps * bytes->size) {
        uint32_t room = bytes->size - oracle_queued(bytes);
        uint32_t count = oracle_below(4) == 0 ? room : oracle_below(room + 1);

        for (uint32_t i = 0; i < count; i++) /* of the place in the stream */
            sent[i] = (unsigned char)((seed ^ (moved + oracle_queued(bytes) + i)) * 151 >> 3);
        oracle_produce(bytes, sent, count);
        count = oracle_queued(bytes);
        count = oracle_below(4) == 0 ? count : oracle_below(count + 1);
        oracle_consume(bytes, got, count);
        for (uint32_t i = 0; i < count; i++)
            ORACLE_SAME(got[i], (unsigned char)((seed ^ (moved + i)) * 151 >> 3));
        moved += count;
    }
    free(sent);
    free(got);
}

/* A direction of a ring of `order`: `in` or out, produced by us or by Xen. */
static inline void oracle_data_ring(uint32_t order, bool in, bool produce)
{
    static _Alignas(4096) unsigned char page[SHARED_PAGE_BYTES];
    struct shared_area area = {(struct shared_memory *)(void *)page, 1}, data;
    struct oracle_bytes bytes = {.produce = produce};
    struct dialect_ring ring;

    dialect_ring(&dialect_pvcalls1, order, &ring);
    unsigned char *half = aligned_alloc(4096, (size_t)ring.pages * SHARED_PAGE_BYTES);
    ORACLE_SAME(half != NULL, true);
    memset(page, 0, sizeof(page));
    data = (struct shared_area){(struct shared_memory *)(void *)half, ring.pages};
    bytes.intf = (struct pvcalls_data_intf *)(void *)page;
    bytes.size = (uint32_t)XEN_FLEX_RING_SIZE(order);
    bytes.array = in ? half : half + bytes.size;
    bytes.prod = in ? &bytes.intf->in_prod : &bytes.intf->out_prod;
    bytes.cons = in ? &bytes.intf->in_cons : &bytes.intf->out_cons;
    bytering_init(&bytes.ours, &area, &data, in ? &ring.in : &ring.out);
    /* as after 4 GiB but a few: the indexes wrap within the test */
    *bytes.prod = *bytes.cons = bytes.ours.index = 0u - bytes.size - oracle_below(bytes.size);
    oracle_laps(&bytes, 4);
    free(half);
}

#endif
