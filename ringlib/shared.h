/*
 * The one door to memory that a peer can write at any moment.
 *
 * Nothing else in the project dereferences a mapped area: an area is an address of an incomplete
 * type, so it cannot be read by accident. Loads and stores of words are acquire and release; the
 * sleep handshake adds one full fence on each side. With XENSOCK_HOOKED defined every access first
 * calls shared_hook(), which a test supplies: there a fuzzer changes memory "just before" a read.
 *
 * Invariant: a word is loaded once per decision and the local copy is what gets checked and used.
 * Source: Xen's public ring.h semantics; XSA-155 (double fetch).
 */
#ifndef XENSOCK_RINGLIB_SHARED_H
#define XENSOCK_RINGLIB_SHARED_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Xen's rings are little-endian and so is every host it runs on"
#endif

/* The page of the ABI: 4096 bytes, whatever the host's page size (XEN_PAGE_SHIFT 12). */
#define SHARED_PAGE_BYTES 4096u

struct shared_memory; /* never defined */

/* A run of mapped or shared pages, contiguous in our address space. Owner: the executor. */
struct shared_area {
    struct shared_memory *base;
    uint32_t pages;
};

/* What follows the first `pages` (fewer than there are) of an area. */
static inline struct shared_area shared_after(const struct shared_area *area, uint32_t pages)
{
    assert(pages < area->pages);
    unsigned char *base = (unsigned char *)area->base + (size_t)pages * SHARED_PAGE_BYTES;
    return (struct shared_area){(struct shared_memory *)(void *)base, area->pages - pages};
}

/* A piece of an area in bytes from its start. Names memory without pointing at it. */
struct shared_span {
    uint32_t offset;
    uint32_t length;
};

/* The same piece as an address, for implementations of net.h only; laid out as struct iovec. */
struct shared_iov {
    void *base;
    size_t length;
};

enum shared_access { SHARED_READ, SHARED_WRITE };

#ifdef XENSOCK_HOOKED
/* Called before every access in the hooked build; defined by the test that links it. */
void shared_hook(enum shared_access access, const struct shared_area *area, uint32_t offset,
                 uint32_t bytes);
/* Called before every full fence; does nothing unless the test has one of its own. */
void shared_hook_fence(void);
#define SHARED_HOOK(access, area, offset, bytes) shared_hook(access, area, offset, bytes)
#define SHARED_HOOK_FENCE() shared_hook_fence()
#else
#define SHARED_HOOK(access, area, offset, bytes) ((void)0)
#define SHARED_HOOK_FENCE() ((void)0)
#endif

static inline unsigned char *shared_at(const struct shared_area *area, uint32_t offset,
                                       uint32_t bytes)
{
    assert((uint64_t)offset + bytes <= (uint64_t)area->pages * SHARED_PAGE_BYTES);
    return (unsigned char *)area->base + offset;
}

/* Load one aligned 32-bit word; nothing after it is reordered before it. Model: machine.pml. */
static inline uint32_t shared_load(const struct shared_area *area, uint32_t offset)
{
    SHARED_HOOK(SHARED_READ, area, offset, 4);
    const _Atomic uint32_t *word =
        (const _Atomic uint32_t *)(const void *)shared_at(area, offset, 4);
    return atomic_load_explicit(word, memory_order_acquire);
}

/* Publish one aligned 32-bit word; nothing before it is reordered after it. Model: machine.pml. */
static inline void shared_store(const struct shared_area *area, uint32_t offset, uint32_t value)
{
    SHARED_HOOK(SHARED_WRITE, area, offset, 4);
    _Atomic uint32_t *word = (_Atomic uint32_t *)(void *)shared_at(area, offset, 4);
    atomic_store_explicit(word, value, memory_order_release);
}

/* Full barrier of the sleep handshake: publish, fence, look; arm, fence, look again (ring.h).
 * Model: machine.pml. */
static inline void shared_fence(void)
{
    SHARED_HOOK_FENCE();
    atomic_thread_fence(memory_order_seq_cst);
}

/* Copy a slot or a list of refs in, each 32-bit word loaded exactly once (bytes: multiple of 4). */
static inline void shared_copy(void *to, const struct shared_area *area, uint32_t offset,
                               uint32_t bytes)
{
    assert(bytes % 4 == 0 && offset % 4 == 0);
    SHARED_HOOK(SHARED_READ, area, offset, bytes);
    const volatile uint32_t *from =
        (const volatile uint32_t *)(void *)shared_at(area, offset, bytes);
    unsigned char *out = to;
    for (uint32_t i = 0; i < bytes / 4; i++) {
        uint32_t word = from[i];
        memcpy(out + (size_t)i * 4, &word, 4);
    }
}

/* Copy a whole slot out; the caller publishes it afterwards with shared_store. */
static inline void shared_fill(const struct shared_area *area, uint32_t offset, const void *from,
                               uint32_t bytes)
{
    SHARED_HOOK(SHARED_WRITE, area, offset, bytes);
    memcpy(shared_at(area, offset, bytes), from, bytes);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Zero a piece before the peer can see it (architecture 5, rule 7). */
static inline void shared_zero(const struct shared_area *area, uint32_t offset, uint32_t bytes)
{
    SHARED_HOOK(SHARED_WRITE, area, offset, bytes);
    memset(shared_at(area, offset, bytes), 0, bytes);
}

/* Bulk copy of payload, whose bytes are never interpreted; the barrier keeps it one copy. */
static inline void shared_bulk_in(void *to, const struct shared_area *area, uint32_t offset,
                                  uint32_t bytes)
{
    SHARED_HOOK(SHARED_READ, area, offset, bytes);
    memcpy(to, shared_at(area, offset, bytes), bytes);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Turn at most two spans of an area into addresses; returns how many. For net.h only. */
static inline uint32_t shared_spans(const struct shared_area *area,
                                    const struct shared_span spans[2], uint32_t count,
                                    struct shared_iov iov[2])
{
    assert(count <= 2);
    for (uint32_t i = 0; i < count; i++) {
        iov[i].base = shared_at(area, spans[i].offset, spans[i].length);
        iov[i].length = spans[i].length;
    }
    return count;
}

#endif
