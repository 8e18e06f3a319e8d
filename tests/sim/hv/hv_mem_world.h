/*
 * A memory machine with three domains, and the ops a test needs as one-liners: submit, take the
 * completion, check that it is this one's. FRONT shares and offers, BACK maps and binds.
 */
#ifndef XENSOCK_TESTS_SIM_HV_HV_MEM_WORLD_H
#define XENSOCK_TESTS_SIM_HV_HV_MEM_WORLD_H

#include "ringlib/err.h"
#include "sim/hv/hv_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { BACK = 0, FRONT = 5, OTHER = 6, TOKEN = 100, GRANTS = 8 + 32 };

struct world {
    struct hv_mem *machine;
    struct hv *back, *front, *other;
};

static struct world world;

static inline int make(void **state)
{
    const struct hypervisor_config limits = {.grants_max = GRANTS, .ports_max = 8};

    (void)state;
    world.machine = hv_mem_create(&limits);
    assert_non_null(world.machine);
    world.back = hv_mem_domain(world.machine, BACK);
    world.front = hv_mem_domain(world.machine, FRONT);
    world.other = hv_mem_domain(world.machine, OTHER);
    /* The tests are about the seam: anybody may write anywhere. */
    const struct store_perm anybody = {BACK, STORE_BOTH};
    struct store *store = hypervisor_store(hv_mem_tables(world.machine));
    assert_int_equal(store_set_perms(store_toolstack(store), 0, "/", &anybody, 1), 0);
    return 0;
}

/* Whoever is left dies; hv_mem_destroy asserts that no page of memory is then in use. */
static inline int unmake(void **state)
{
    (void)state;
    if (world.back)
        hv_close(world.back);
    if (world.front)
        hv_close(world.front);
    hv_close(world.other);
    hv_mem_destroy(world.machine);
    return 0;
}

static inline struct ev take(struct hv *hv, enum ev_kind kind, uint64_t token)
{
    struct ev ev;

    assert_true(hv_next(hv, &ev));
    assert_int_equal(ev.kind, kind);
    assert_int_equal(ev.token, token);
    return ev;
}

static inline void take_none(struct hv *hv)
{
    struct ev ev;

    assert_false(hv_next(hv, &ev));
}

/* A run of FRONT's, granted to `peer`; its refs are copied out of the event. */
static inline struct ev_share share(uint16_t peer, uint32_t pages, uint32_t *refs)
{
    hv_share(world.front, TOKEN, peer, pages);
    struct ev ev = take(world.front, EV_SHARE, TOKEN);
    assert_int_equal(ev.ret, 0);
    assert_int_equal(ev.share.area.pages, pages);
    memcpy(refs, ev.share.refs, pages * sizeof(*refs));
    return ev.share;
}

static inline int unshare(uint32_t handle)
{
    hv_unshare(world.front, TOKEN, handle);
    return take(world.front, EV_UNSHARE, TOKEN).ret;
}

/* Map as BACK. */
static inline struct ev map(const uint32_t *refs, uint32_t count)
{
    hv_map(world.back, TOKEN, FRONT, refs, count);
    return take(world.back, EV_MAP, TOKEN);
}

static inline int unmap(uint32_t handle)
{
    hv_unmap(world.back, TOKEN, handle);
    return take(world.back, EV_UNMAP, TOKEN).ret;
}

static inline uint32_t page_word(const struct shared_area *area, uint32_t page)
{
    return shared_load(area, page * SHARED_PAGE_BYTES);
}

static inline void set_page_word(const struct shared_area *area, uint32_t page, uint32_t value)
{
    shared_store(area, page * SHARED_PAGE_BYTES, value);
}

#define HV_TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

#endif
