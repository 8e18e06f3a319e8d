/*
 * What real Xen does with grants, row by row of the table `semantics` beside this file: each test
 * runs in memory, in virtual time and between processes.
 */
#include "tests/sim/hv/semantics_world.h"

/* A run of `owner`'s for `peer`; its refs are copied. */
static struct ev share(uint16_t owner, uint16_t peer, uint32_t pages, uint32_t *refs)
{
    struct ev ev = submit(owner, (struct op){.kind = EV_SHARE, .domid = peer, .number = pages});

    if (ev.ret == 0)
        memcpy(refs, ev.share.refs, pages * sizeof(*refs));
    return ev;
}

static struct ev_share share_front(uint32_t pages, uint32_t *refs)
{
    struct ev ev = share(FRONT, BACK, pages, refs);

    assert_int_equal(ev.ret, 0);
    return ev.share;
}

static int unshare(uint32_t handle)
{
    return submit(FRONT, (struct op){.kind = EV_UNSHARE, .number = handle}).ret;
}

static struct ev map_of(uint16_t mapper, uint16_t owner, const uint32_t *refs, uint32_t count)
{
    struct op op = {.kind = EV_MAP, .domid = owner, .refs = refs, .count = count};

    return submit(mapper, op);
}

static struct ev map(const uint32_t *refs, uint32_t count)
{
    return map_of(BACK, FRONT, refs, count);
}

static int unmap(uint32_t handle)
{
    return submit(BACK, (struct op){.kind = EV_UNMAP, .number = handle}).ret;
}

static uint32_t word(const struct shared_area *area, uint32_t page)
{
    return shared_load(area, page * SHARED_PAGE_BYTES);
}

static void set_word(const struct shared_area *area, uint32_t page, uint32_t value)
{
    shared_store(area, page * SHARED_PAGE_BYTES, value);
}

static void fresh_pages_are_zero(void **state)
{
    uint32_t refs[8];

    (void)state;
    for (uint32_t round = 0; round < 20; round++) {
        struct ev_share run = share_front(8, refs);
        struct ev mapped = map(refs, 8);

        assert_int_equal(mapped.ret, 0);
        for (uint32_t offset = 0; offset < 8 * SHARED_PAGE_BYTES; offset += 4) {
            assert_int_equal(shared_load(&run.area, offset), 0);
            assert_int_equal(shared_load(&mapped.share.area, offset), 0);
            shared_store(&run.area, offset, 0xdead);
        }
        assert_int_equal(unmap(mapped.share.handle), 0);
        assert_int_equal(unshare(run.handle), 0);
    }
}

static void a_ref_can_be_mapped_twice(void **state)
{
    uint32_t ref;
    struct ev_share run = share_front(1, &ref);
    struct ev first = map(&ref, 1), second = map(&ref, 1);

    (void)state;
    assert_int_equal(first.ret, 0);
    assert_int_equal(second.ret, 0);
    assert_int_equal(usage(BACK).maps, 2);
    set_word(&first.share.area, 0, 7);
    assert_int_equal(word(&second.share.area, 0), 7);
    assert_int_equal(unmap(first.share.handle), 0);
    set_word(&run.area, 0, 8);
    assert_int_equal(word(&second.share.area, 0), 8);
}

static void what_cannot_be_mapped(void **state)
{
    uint32_t ref = 0, others = 0;

    (void)state;
    share_front(1, &ref);
    assert_int_equal(share(FRONT, THIRD, 1, &others).ret, 0);
    const uint32_t bad[] = {others, others + 1, 0, HV_REFS_RESERVED - 1, UINT32_MAX};
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(map(&bad[i], 1).ret, -ERR_INVAL);
    assert_int_equal(map_of(BACK, THIRD, &ref, 1).ret, -ERR_INVAL);
    assert_int_equal(map_of(BACK, NOBODY, &ref, 1).ret, -ERR_INVAL);
    assert_int_equal(map_of(THIRD, FRONT, &ref, 1).ret, -ERR_INVAL);
    assert_int_equal(usage(BACK).maps, 0);
    assert_int_equal(map(&ref, 1).ret, 0);
}

static void sharing_with_nobody_succeeds(void **state)
{
    uint32_t refs[2];
    struct ev ev = share(FRONT, NOBODY, 2, refs);

    (void)state;
    assert_int_equal(ev.ret, 0);
    assert_int_equal(map(refs, 2).ret, -ERR_INVAL);
    assert_int_equal(unshare(ev.share.handle), 0);
    assert_int_equal(usage(FRONT).grants, 0);
}

static void one_bad_ref_maps_nothing(void **state)
{
    uint32_t refs[6] = {0};
    struct ev_share run = share_front(6, refs);

    (void)state;
    for (uint32_t at = 0; at < 6; at++) {
        uint32_t tried[6];

        memcpy(tried, refs, sizeof(tried));
        tried[at] = refs[5] + 1;
        assert_int_equal(map(tried, 6).ret, -ERR_INVAL);
        assert_int_equal(usage(BACK).maps, 0);
        assert_int_equal(world->domain(BACK)->counters.mapped_pages_now, 0);
    }
    assert_int_equal(unshare(run.handle), 0);
    assert_int_equal(usage(FRONT).grants, 0); /* no half of a map holds it */
}

static void page_i_is_ref_i(void **state)
{
    uint32_t a[4], b[2];
    struct ev_share first = share_front(4, a), second = share_front(2, b);

    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        set_word(&first.area, i, 10 + i);
    for (uint32_t i = 0; i < 2; i++)
        set_word(&second.area, i, 20 + i);
    const uint32_t refs[] = {b[1], a[2], a[3], a[0], b[0], a[0]};
    const uint32_t want[] = {21, 12, 13, 10, 20, 10};
    struct ev mapped = map(refs, 6);
    assert_int_equal(mapped.ret, 0);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(word(&mapped.share.area, i), want[i]);
    set_word(&mapped.share.area, 3, 99);
    assert_int_equal(word(&first.area, 0), 99);
    assert_int_equal(word(&mapped.share.area, 5), 99);
}

static void unmap_takes_a_live_mapping_alone(void **state)
{
    uint32_t refs[2];
    struct ev_share run = share_front(2, refs);
    struct ev mapped = map(refs, 2);

    (void)state;
    assert_int_equal(unmap(mapped.share.handle + 1), -ERR_INVAL);
    assert_int_equal(unmap(UINT32_MAX), -ERR_INVAL);
    assert_int_equal(usage(BACK).maps, 1);
    assert_int_equal(unmap(mapped.share.handle), 0);
    assert_int_equal(unmap(mapped.share.handle), -ERR_INVAL);
    assert_int_equal(world->domain(BACK)->counters.mapped_pages_now, 0);
    assert_int_equal(unshare(run.handle + 1), -ERR_INVAL);
    assert_int_equal(unshare(run.handle), 0);
    assert_int_equal(unshare(run.handle), -ERR_INVAL);
    assert_int_equal(usage(FRONT).grants, 0);
    assert_int_equal(world->domain(FRONT)->counters.grants_now, 0);
}

/* The owner may end a run that is mapped: refs and pages are not used again before the unmap. */
static void an_unshared_run_is_reclaimed_late(void **state)
{
    uint32_t refs[4] = {0}, more[4] = {0};
    struct ev_share run = share_front(4, refs);
    struct ev mapped = map(refs, 4);

    (void)state;
    set_word(&run.area, 2, 42);
    assert_int_equal(unshare(run.handle), 0);
    assert_int_equal(map(refs, 4).ret, -ERR_INVAL);
    assert_int_equal(usage(FRONT).grants_quarantined, 4);
    for (uint32_t i = 0; i < 64; i++) {
        struct ev_share other = share_front(4, more);

        for (uint32_t page = 0; page < 4; page++) {
            assert_false(more[page] >= refs[0] && more[page] <= refs[3]);
            set_word(&other.area, page, 0xbad);
        }
    }
    assert_int_equal(word(&mapped.share.area, 2), 42);
    assert_int_equal(word(&mapped.share.area, 3), 0);
    assert_int_equal(unmap(mapped.share.handle), 0);
    assert_int_equal(usage(FRONT).grants_quarantined, 0);
    assert_int_equal(usage(FRONT).grants, 64 * 4);
}

/* Xen's default of 64 frames: 32768 entries, 8 of them reserved. */
static void a_full_table_says_so_and_serves_again(void **state)
{
    enum { RUNS = 64, EACH = 512, ENTRIES = RUNS * EACH - HV_REFS_RESERVED };
    static uint32_t refs[EACH];
    uint32_t handles[RUNS], left = ENTRIES;

    (void)state;
    for (uint32_t i = 0; i < RUNS; i++) {
        uint32_t pages = left < EACH ? left : EACH;

        handles[i] = share_front(pages, refs).handle;
        left -= pages;
    }
    assert_int_equal(left, 0);
    assert_int_equal(share(FRONT, BACK, 1, refs).ret, -ERR_NOSPC);
    assert_int_equal(share(FRONT, BACK, EACH, refs).ret, -ERR_NOSPC);
    assert_int_equal(share(THIRD, BACK, 1, refs).ret, 0); /* a table each */
    assert_int_equal(unshare(handles[7]), 0);
    assert_int_equal(share(FRONT, BACK, EACH, refs).ret, 0);
    assert_int_equal(share(FRONT, BACK, 1, refs).ret, -ERR_NOSPC);
}

static void numbers_are_each_domains_own(void **state)
{
    uint32_t ours = 0, theirs = 0;

    (void)state;
    share_front(1, &ours);
    assert_int_equal(share(THIRD, BACK, 1, &theirs).ret, 0);
    assert_true(ours >= HV_REFS_RESERVED);
    assert_int_equal(ours, theirs);
    assert_int_equal(map_of(BACK, FRONT, &ours, 1).ret, 0);
    assert_int_equal(map_of(BACK, THIRD, &theirs, 1).ret, 0);
    assert_int_equal(offer(FRONT, BACK, 2), offer(THIRD, BACK, 2));
    for (uint32_t ref = 0; ref < HV_REFS_RESERVED; ref++)
        assert_int_equal(map(&ref, 1).ret, -ERR_INVAL);
}

static void the_survivor_can_still_read(void **state)
{
    uint32_t refs[2], back_refs[1];
    struct ev_share run = share_front(2, refs);
    struct ev mapped = map(refs, 2);

    (void)state;
    assert_int_equal(share(BACK, THIRD, 1, back_refs).ret, 0);
    struct ev third = map_of(THIRD, BACK, back_refs, 1);
    set_word(&run.area, 1, 42);
    set_word(&third.share.area, 0, 43);
    world->kill(FRONT);
    assert_int_equal(word(&mapped.share.area, 1), 42);
    assert_int_equal(map(refs, 2).ret, -ERR_INVAL);
    world->kill(BACK);
    assert_int_equal(word(&third.share.area, 0), 43);
    assert_int_equal(usage(THIRD).maps, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL(fresh_pages_are_zero),
        ALL(a_ref_can_be_mapped_twice),
        ALL(what_cannot_be_mapped),
        ALL(sharing_with_nobody_succeeds),
        ALL(one_bad_ref_maps_nothing),
        ALL(page_i_is_ref_i),
        ALL(unmap_takes_a_live_mapping_alone),
        ALL(an_unshared_run_is_reclaimed_late),
        ALL(a_full_table_says_so_and_serves_again),
        ALL(numbers_are_each_domains_own),
        ALL(the_survivor_can_still_read),
    };

    return !!cmocka_run_group_tests_name("semantics of grants", tests, NULL, NULL);
}
