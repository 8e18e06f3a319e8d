/* Grants over the memory hypervisor: the verdicts of data/xen-semantics.md on real pages. */
#include "tests/sim/hv/hv_mem_world.h"

static void a_run_is_shared_memory(void **state)
{
    uint32_t refs[2];

    (void)state;
    struct ev_share ours = share(BACK, 2, refs);
    struct ev theirs = map(refs, 2);
    assert_int_equal(theirs.ret, 0);
    assert_int_equal(theirs.share.area.pages, 2);
    set_page_word(&ours.area, 1, 0x1234);
    assert_int_equal(page_word(&theirs.share.area, 1), 0x1234);
    set_page_word(&theirs.share.area, 0, 0x5678);
    assert_int_equal(page_word(&ours.area, 0), 0x5678);
    /* One mapping for both sides: what a race detector needs. */
    assert_ptr_equal(theirs.share.area.base, ours.area.base);
}

static void fresh_pages_are_zero(void **state)
{
    static unsigned char bytes[SHARED_PAGE_BYTES], zero[SHARED_PAGE_BYTES];
    uint32_t refs[32];

    (void)state;
    /* Next fit comes back to a page only after a round of 65536: here 2100 of 32. */
    for (uint32_t round = 0; round < 2100; round++) {
        struct ev_share run = share(BACK, 32, refs);
        for (uint32_t page = 0; page < 32; page++)
            assert_int_equal(page_word(&run.area, page), 0);
        set_page_word(&run.area, round % 32, 1);
        if (round == 2099) {
            shared_bulk_in(bytes, &run.area, 0, SHARED_PAGE_BYTES);
            assert_memory_equal(bytes, zero, SHARED_PAGE_BYTES);
        }
        assert_int_equal(unshare(run.handle), 0);
    }
}

static void a_ref_can_be_mapped_twice(void **state)
{
    uint32_t refs[1];

    (void)state;
    struct ev_share ours = share(BACK, 1, refs);
    struct ev first = map(refs, 1), second = map(refs, 1);
    assert_int_equal(first.ret, 0);
    assert_int_equal(second.ret, 0);
    assert_int_not_equal(first.share.handle, second.share.handle);
    assert_int_equal(unmap(first.share.handle), 0);
    assert_int_equal(world.back->counters.maps, 2);
    assert_int_equal(world.back->counters.unmaps, 1);
    assert_int_equal(world.back->counters.mapped_pages_now, 1);
    set_page_word(&ours.area, 0, 9);
    assert_int_equal(page_word(&second.share.area, 0), 9);
}

static void scattered_refs_keep_their_order(void **state)
{
    uint32_t a[4], b[2];

    (void)state;
    struct ev_share run_a = share(BACK, 4, a), run_b = share(BACK, 2, b);
    for (uint32_t i = 0; i < 4; i++)
        set_page_word(&run_a.area, i, 10 + i);
    for (uint32_t i = 0; i < 2; i++)
        set_page_word(&run_b.area, i, 20 + i);
    const uint32_t refs[] = {b[1], a[2], a[3], a[0], b[0], a[0]};
    const uint32_t want[] = {21, 12, 13, 10, 20, 10};
    struct ev mapped = map(refs, 6);
    assert_int_equal(mapped.ret, 0);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(page_word(&mapped.share.area, i), want[i]);
    set_page_word(&mapped.share.area, 3, 99);
    assert_int_equal(page_word(&run_a.area, 0), 99);
    assert_int_equal(page_word(&mapped.share.area, 5), 99);
    assert_int_equal(unmap(mapped.share.handle), 0);
}

static void a_bad_ref_maps_nothing(void **state)
{
    uint32_t refs[3];

    (void)state;
    struct ev_share good = share(BACK, 2, refs);
    share(OTHER, 1, &refs[2]);
    const uint32_t bad[] = {0, HV_REFS_RESERVED - 1, refs[2], refs[2] + 1, UINT32_MAX};
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const uint32_t mixed[] = {refs[0], bad[i], refs[1]};
        assert_int_equal(map(mixed, 3).ret, -ERR_INVAL);
        assert_int_equal(map(&bad[i], 1).ret, -ERR_INVAL);
    }
    hv_map(world.back, TOKEN, OTHER, refs, 1); /* not OTHER's */
    assert_int_equal(take(world.back, EV_MAP, TOKEN).ret, -ERR_INVAL);
    hv_map(world.back, TOKEN, 77, refs, 1); /* no such domain */
    assert_int_equal(take(world.back, EV_MAP, TOKEN).ret, -ERR_INVAL);
    assert_int_equal(world.back->counters.mapped_pages_now, 0);
    assert_int_equal(unshare(good.handle), 0);
    struct hypervisor_usage usage;
    hypervisor_usage(hv_mem_tables(world.machine), FRONT, &usage);
    assert_int_equal(usage.grants, 1); /* no failed map left a quarantine */
}

static void an_unshared_run_stays_with_its_mapper(void **state)
{
    uint32_t refs[4], more[32];

    (void)state;
    struct ev_share run = share(BACK, 4, refs);
    const uint32_t backwards[] = {refs[3], refs[0]};
    struct ev mapped = map(backwards, 2);
    set_page_word(&mapped.share.area, 0, 0x77);
    assert_int_equal(unshare(run.handle), 0);
    assert_int_equal(unshare(run.handle), -ERR_INVAL);
    assert_int_equal(map(refs, 4).ret, -ERR_INVAL);
    assert_int_equal(page_word(&mapped.share.area, 0), 0x77);

    struct ev_share rest = share(BACK, 28, more); /* all other refs */
    for (uint32_t i = 0; i < 28; i++) {
        assert_true(more[i] > refs[3]);
        set_page_word(&rest.area, i, 0xbad);
    }
    assert_int_equal(page_word(&mapped.share.area, 0), 0x77);
    hv_share(world.front, TOKEN, BACK, 1);
    assert_int_equal(take(world.front, EV_SHARE, TOKEN).ret, -ERR_NOSPC);
    assert_int_equal(unmap(mapped.share.handle), 0);
    assert_int_equal(unshare(rest.handle), 0);
    share(BACK, 32, more);
}

static void unmap_wants_a_live_handle(void **state)
{
    uint32_t refs[1];

    (void)state;
    share(BACK, 1, refs);
    struct ev mapped = map(refs, 1);
    assert_int_equal(unmap(mapped.share.handle + 1), -ERR_INVAL);
    assert_int_equal(unmap(mapped.share.handle), 0);
    assert_int_equal(unmap(mapped.share.handle), -ERR_INVAL);
    assert_int_equal(world.back->counters.unmaps, 1);
}

static void sharing_with_nobody_succeeds(void **state)
{
    uint32_t refs[1];

    (void)state;
    share(77, 1, refs);
}

static void memory_runs_out_before_ours_does(void **state)
{
    const struct hypervisor_config limits = {.grants_max = 70000};
    struct hv_mem *machine = hv_mem_create(&limits);
    struct hv *hv = hv_mem_domain(machine, FRONT);
    struct ev ev;

    (void)state;
    for (uint32_t i = 0; i < 65536 / 512; i++) {
        hv_share(hv, TOKEN, BACK, 512);
        assert_int_equal(take(hv, EV_SHARE, TOKEN).ret, 0);
    }
    hv_share(hv, TOKEN, BACK, 1);
    assert_true(hv_next(hv, &ev));
    assert_int_equal(ev.ret, -ERR_NOMEM);
    hv_close(hv);
    hv_mem_destroy(machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(a_run_is_shared_memory),
        HV_TEST(fresh_pages_are_zero),
        HV_TEST(a_ref_can_be_mapped_twice),
        HV_TEST(scattered_refs_keep_their_order),
        HV_TEST(a_bad_ref_maps_nothing),
        HV_TEST(an_unshared_run_stays_with_its_mapper),
        HV_TEST(unmap_wants_a_live_handle),
        HV_TEST(sharing_with_nobody_succeeds),
        cmocka_unit_test(memory_runs_out_before_ours_does),
    };

    return !!cmocka_run_group_tests_name("hv_mem_grants", tests, NULL, NULL);
}
