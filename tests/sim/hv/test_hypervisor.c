/* The tables: refs and quarantine, channels, the toolstack's nodes, and what a death leaves. */
#include "sim/hv/hypervisor.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { BACK = 0, FRONT = 5, OTHER = 6, GRANTS = 8 + 16, PORTS = 4 };

/* A backing is an int, counted up when it is released; static in each test, because what a test
 * leaves is released in its teardown. */
static void release(void *self, void *backing)
{
    (void)self;
    ++*(int *)backing;
}

static int make(void **state)
{
    const struct hypervisor_config config = {.grants_max = GRANTS,
                                             .ports_max = PORTS,
                                             .release_run = release,
                                             .release_channel = release};
    struct hypervisor *hv = hypervisor_create(&config);

    *state = hv;
    hypervisor_domain_add(hv, BACK);
    hypervisor_domain_add(hv, FRONT);
    hypervisor_domain_add(hv, OTHER);
    return 0;
}

static int unmake(void **state)
{
    hypervisor_destroy(*state);
    return 0;
}

static struct hypervisor_usage usage(struct hypervisor *hv, uint16_t domid)
{
    struct hypervisor_usage u;

    hypervisor_usage(hv, domid, &u);
    return u;
}

/* Map as BACK; the handle or the error, and the pieces of the last map. */
static struct hypervisor_piece pieces[HV_REFS_MAX];
static uint32_t piece_count;

static int64_t map(struct hypervisor *hv, const uint32_t *refs, uint32_t count)
{
    return hypervisor_map(hv, BACK, FRONT, refs, count, pieces, &piece_count);
}

static void refs_are_consecutive_and_never_the_reserved(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t refs[16];
    static int run;

    assert_true(hypervisor_share(hv, FRONT, BACK, 16, &run, refs) >= 0);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(refs[i], HV_REFS_RESERVED + i);
    assert_int_equal(usage(hv, FRONT).grants, 16);
    assert_int_equal(hypervisor_share(hv, FRONT, BACK, 1, &run, refs), -ERR_NOSPC);
    assert_int_equal(usage(hv, OTHER).grants, 0); /* refs are numbered per domain */
    assert_true(hypervisor_share(hv, OTHER, BACK, 1, &run, refs) >= 0);
    assert_int_equal(refs[0], HV_REFS_RESERVED);
}

static void a_run_takes_scattered_refs_when_it_must(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t refs[16];
    int64_t handles[8];
    static int runs[8];
    static int scattered;

    for (int i = 0; i < 8; i++)
        handles[i] = hypervisor_share(hv, FRONT, BACK, 2, &runs[i], refs);
    for (int i = 0; i < 8; i += 2)
        assert_int_equal(hypervisor_unshare(hv, FRONT, (uint32_t)handles[i]), 0);
    assert_int_equal(hypervisor_share(hv, FRONT, BACK, 9, &scattered, refs), -ERR_NOSPC);
    int64_t handle = hypervisor_share(hv, FRONT, BACK, 7, &scattered, refs);
    assert_true(handle >= 0);
    assert_true(map(hv, refs, 7) >= 0);
    assert_int_equal(piece_count, 1); /* its pages are consecutive, whatever the refs */
    assert_int_equal(pieces[0].pages, 7);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal((refs[i] - HV_REFS_RESERVED) / 2 % 2, 0);
    assert_int_equal(usage(hv, FRONT).grants, 8 + 7);
    assert_int_equal(hypervisor_unshare(hv, FRONT, (uint32_t)handle), 0);
}

static void pieces_follow_the_order_of_the_refs(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t a[4], b[4];
    static int run_a, run_b;

    hypervisor_share(hv, FRONT, BACK, 4, &run_a, a);
    hypervisor_share(hv, FRONT, BACK, 4, &run_b, b);
    const uint32_t refs[] = {a[2], a[3], b[0], a[1], a[0], b[1], b[2], b[3]};
    const struct hypervisor_piece want[] = {{&run_a, 2, 2, 4},
                                            {&run_b, 0, 1, 4},
                                            {&run_a, 1, 1, 4},
                                            {&run_a, 0, 1, 4},
                                            {&run_b, 1, 3, 4}};

    assert_true(map(hv, refs, 8) >= 0);
    assert_int_equal(piece_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_ptr_equal(pieces[i].backing, want[i].backing);
        assert_int_equal(pieces[i].first_page, want[i].first_page);
        assert_int_equal(pieces[i].pages, want[i].pages);
        assert_int_equal(pieces[i].run_pages, want[i].run_pages);
    }
}

static void a_bad_ref_maps_nothing(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t refs[3];
    static int run, foreign;

    int64_t handle = hypervisor_share(hv, FRONT, BACK, 2, &run, refs);
    assert_true(hypervisor_share(hv, FRONT, OTHER, 1, &foreign, &refs[2]) >= 0);
    assert_int_equal(map(hv, refs, 3), -ERR_INVAL); /* the third is granted to another */
    const uint32_t bad[] = {0, 7, 11, GRANTS, UINT32_MAX};
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const uint32_t mixed[] = {refs[0], bad[i]};
        assert_int_equal(map(hv, mixed, 2), -ERR_INVAL);
    }
    assert_int_equal(hypervisor_map(hv, BACK, OTHER, refs, 1, pieces, &piece_count), -ERR_INVAL);
    assert_int_equal(hypervisor_map(hv, BACK, 77, refs, 1, pieces, &piece_count), -ERR_INVAL);
    assert_int_equal(usage(hv, BACK).maps, 0);
    assert_int_equal(hypervisor_unshare(hv, FRONT, (uint32_t)handle), 0);
    assert_int_equal(run, 1); /* no failed map holds it */
    assert_int_equal(map(hv, refs, 1), -ERR_INVAL);
}

static void an_unshared_run_is_quarantined_until_unmapped(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t refs[16], more[16];
    static int run, rest;

    int64_t handle = hypervisor_share(hv, FRONT, BACK, 4, &run, refs);
    int64_t first = map(hv, refs, 4);
    int64_t second = map(hv, &refs[1], 2);
    assert_true(first >= 0 && second >= 0 && first != second);
    assert_int_equal(hypervisor_unshare(hv, FRONT, (uint32_t)handle), 0);
    assert_int_equal(hypervisor_unshare(hv, FRONT, (uint32_t)handle), -ERR_INVAL);
    assert_int_equal(map(hv, refs, 1), -ERR_INVAL);
    assert_int_equal(usage(hv, FRONT).grants_quarantined, 4);
    assert_int_equal(hypervisor_share(hv, FRONT, BACK, 13, &rest, more), -ERR_NOSPC);
    assert_true(hypervisor_share(hv, FRONT, BACK, 12, &rest, more) >= 0);
    for (uint32_t i = 0; i < 12; i++)
        assert_true(more[i] > refs[3]);

    assert_int_equal(hypervisor_unmap(hv, BACK, (uint32_t)first), 0);
    assert_int_equal(run, 0);
    assert_int_equal(hypervisor_unmap(hv, BACK, (uint32_t)second), 0);
    assert_int_equal(run, 1);
    assert_int_equal(usage(hv, FRONT).grants, 12);
    assert_int_equal(usage(hv, FRONT).grants_quarantined, 0);
    assert_int_equal(usage(hv, BACK).maps, 0);
}

static void handles_of_others_and_old_ones_are_refused(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t refs[2];
    static int run;

    int64_t handle = hypervisor_share(hv, FRONT, BACK, 2, &run, refs);
    int64_t mapping = map(hv, refs, 2);
    assert_int_equal(hypervisor_unshare(hv, FRONT, refs[1]), -ERR_INVAL);
    assert_int_equal(hypervisor_unshare(hv, BACK, (uint32_t)handle), -ERR_INVAL);
    assert_int_equal(hypervisor_unmap(hv, FRONT, (uint32_t)mapping), -ERR_INVAL);
    assert_int_equal(hypervisor_unmap(hv, BACK, (uint32_t)mapping + 1), -ERR_INVAL);
    assert_int_equal(hypervisor_unmap(hv, BACK, (uint32_t)mapping), 0);
    assert_int_equal(hypervisor_unmap(hv, BACK, (uint32_t)mapping), -ERR_INVAL);
    assert_int_equal(hypervisor_unshare(hv, FRONT, (uint32_t)handle), 0);
    assert_int_equal(run, 1);
}

static void a_full_table_still_finds_a_run_of_64(void **state)
{
    const struct hypervisor_config config = {.release_run = release};
    struct hypervisor *hv = hypervisor_create(&config);
    uint32_t refs[64];
    int64_t handles[256];
    static int run;

    (void)state;
    hypervisor_domain_add(hv, FRONT);
    for (uint32_t i = 0; i < 256; i++)
        handles[i] = hypervisor_share(hv, FRONT, BACK, 64, &run, refs);
    assert_int_equal(usage(hv, FRONT).grants, 16384);
    for (uint32_t i = 0; i < 20 * 256; i++) {
        assert_int_equal(hypervisor_unshare(hv, FRONT, (uint32_t)handles[i % 256]), 0);
        handles[i % 256] = hypervisor_share(hv, FRONT, BACK, 64, &run, refs);
        assert_int_equal(refs[63], refs[0] + 63);
    }
    hypervisor_destroy(hv);
}

/* Its own tables are full where others' are not, and are as small when it comes again. */
static void a_domain_may_have_smaller_tables(void **state)
{
    const struct hypervisor_config config = {.release_run = release};
    struct hypervisor *hv = hypervisor_create(&config);
    static int run, channel;
    uint32_t refs[4], most = 0;

    (void)state;
    hypervisor_domain_limit(hv, FRONT, &(struct hypervisor_limits){HV_REFS_RESERVED + 9, 3});
    hypervisor_domain_add(hv, BACK);
    for (uint32_t life = 0; life < 2; life++) {
        hypervisor_domain_add(hv, FRONT);
        run = 0;
        assert_true(hypervisor_share(hv, FRONT, BACK, 4, &run, refs) >= 0);
        int64_t second = hypervisor_share(hv, FRONT, BACK, 4, &run, refs);
        assert_true(second >= 0);
        assert_int_equal(hypervisor_share(hv, FRONT, BACK, 2, &run, refs), -ERR_NOSPC);
        assert_true(hypervisor_share(hv, FRONT, BACK, 1, &run, refs) >= 0);
        assert_int_equal(hypervisor_unshare(hv, FRONT, (uint32_t)second), 0);
        assert_true(hypervisor_share(hv, FRONT, BACK, 4, &run, refs) >= 0);
        for (most = 0; hypervisor_port_alloc(hv, FRONT, BACK, &channel) >= 0; most++)
            ;
        assert_int_equal(most, 2);
        for (most = 0; most < 100; most++) {
            assert_true(hypervisor_share(hv, BACK, FRONT, 4, &run, refs) >= 0);
            assert_true(hypervisor_port_alloc(hv, BACK, FRONT, &channel) >= 0);
        }
        hypervisor_domain_remove(hv, FRONT);
    }
    hypervisor_destroy(hv);
}

static void a_channel_is_bound_once_by_whom_it_was_offered(void **state)
{
    struct hypervisor *hv = *state;
    void *backing = NULL;
    static int channel;
    uint16_t peer;
    uint32_t peer_port;

    int64_t port = hypervisor_port_alloc(hv, FRONT, BACK, &channel);
    assert_true(port >= 1);
    assert_false(hypervisor_port_peer(hv, FRONT, (uint32_t)port, &peer, &peer_port));
    assert_int_equal(hypervisor_port_bind(hv, BACK, 77, (uint32_t)port, &backing), -ERR_SRCH);
    assert_int_equal(hypervisor_port_bind(hv, OTHER, FRONT, (uint32_t)port, &backing), -ERR_SRCH);
    assert_int_equal(hypervisor_port_bind(hv, BACK, FRONT, 0, &backing), -ERR_INVAL);
    assert_int_equal(hypervisor_port_bind(hv, BACK, FRONT, 99999, &backing), -ERR_INVAL);
    int64_t bound = hypervisor_port_bind(hv, BACK, FRONT, (uint32_t)port, &backing);
    assert_true(bound >= 1);
    assert_ptr_equal(backing, &channel);
    assert_int_equal(hypervisor_port_bind(hv, BACK, FRONT, (uint32_t)port, &backing), -ERR_INVAL);
    assert_true(hypervisor_port_peer(hv, FRONT, (uint32_t)port, &peer, &peer_port));
    assert_int_equal(peer, BACK);
    assert_int_equal(peer_port, bound);
    assert_false(hypervisor_port_peer(hv, OTHER, (uint32_t)port, &peer, &peer_port));
}

static void a_closed_end_can_be_bound_again(void **state)
{
    struct hypervisor *hv = *state;
    void *backing = NULL;
    static int channel;
    uint16_t peer;
    uint32_t peer_port;

    int64_t port = hypervisor_port_alloc(hv, FRONT, BACK, &channel);
    int64_t bound = hypervisor_port_bind(hv, BACK, FRONT, (uint32_t)port, &backing);
    assert_int_equal(hypervisor_port_close(hv, BACK, (uint32_t)bound), 0);
    assert_int_equal(hypervisor_port_close(hv, BACK, (uint32_t)bound), -ERR_INVAL);
    assert_false(hypervisor_port_peer(hv, FRONT, (uint32_t)port, &peer, &peer_port));
    bound = hypervisor_port_bind(hv, BACK, FRONT, (uint32_t)port, &backing);
    assert_true(bound >= 1);
    /* The other way round: whoever is left offers its end to the one that closed. */
    assert_int_equal(hypervisor_port_close(hv, FRONT, (uint32_t)port), 0);
    port = hypervisor_port_bind(hv, FRONT, BACK, (uint32_t)bound, &backing);
    assert_true(hypervisor_port_peer(hv, FRONT, (uint32_t)port, &peer, &peer_port));
    assert_int_equal(peer, BACK);
    assert_int_equal(channel, 0);
    assert_int_equal(hypervisor_port_close(hv, FRONT, (uint32_t)port), 0);
    assert_int_equal(hypervisor_port_close(hv, BACK, (uint32_t)bound), 0);
    assert_int_equal(channel, 1);
    assert_int_equal(usage(hv, FRONT).ports + usage(hv, BACK).ports, 0);
}

static void ports_run_out(void **state)
{
    struct hypervisor *hv = *state;
    static int channels[PORTS];
    void *backing;

    for (int i = 0; i < PORTS - 1; i++)
        assert_true(hypervisor_port_alloc(hv, FRONT, BACK, &channels[i]) >= 1);
    assert_int_equal(hypervisor_port_alloc(hv, FRONT, BACK, &channels[PORTS - 1]), -ERR_NOSPC);
    int64_t port = hypervisor_port_alloc(hv, BACK, FRONT, &channels[PORTS - 1]);
    assert_int_equal(hypervisor_port_bind(hv, FRONT, BACK, (uint32_t)port, &backing), -ERR_NOSPC);
    assert_int_equal(hypervisor_port_close(hv, FRONT, 1), 0);
    assert_int_equal(hypervisor_port_bind(hv, FRONT, BACK, (uint32_t)port, &backing), 1);
}

static void a_device_has_both_directories(void **state)
{
    static const char *const nodes[][2] = {
        {"/local/domain/5/device/xensock/2/backend", "/local/domain/0/backend/xensock/5/2"},
        {"/local/domain/5/device/xensock/2/backend-id", "0"},
        {"/local/domain/5/device/xensock/2/state", "1"},
        {"/local/domain/0/backend/xensock/5/2/frontend", "/local/domain/5/device/xensock/2"},
        {"/local/domain/0/backend/xensock/5/2/frontend-id", "5"},
        {"/local/domain/0/backend/xensock/5/2/online", "1"},
        {"/local/domain/0/backend/xensock/5/2/state", "1"},
        {"/local/domain/5/domid", "5"},
    };
    struct hypervisor *hv = *state;

    assert_int_equal(hypervisor_device_add(hv, "xensock", FRONT, BACK, 2), 0);
    assert_int_equal(hypervisor_device_add(hv, "xensock", FRONT, OTHER, 2), -ERR_EXIST);
    assert_int_equal(hypervisor_device_add(hv, "xensock", 99, 98, 0), 0); /* before its domains */
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        const char *value = store_text(hypervisor_store(hv), nodes[i][0]);
        assert_non_null(value);
        assert_string_equal(value, nodes[i][1]);
    }
}

static void watch(struct hypervisor *hv, uint16_t domid, const char *path, char token)
{
    assert_int_equal(store_watch(hypervisor_client(hv, domid), path, &token, 1), 0);
}

/* Take events until that token's; false when there is none. */
static bool fired(struct store *store, char token)
{
    struct store_event event;

    while (store_next(store, &event)) {
        if (*(const char *)event.token == token)
            return true;
    }
    return false;
}

static void a_death_removes_devices_and_tells_by_watch(void **state)
{
    struct hypervisor *hv = *state;
    struct store *store = hypervisor_store(hv);
    struct store_event event;

    hypervisor_device_add(hv, "xensock", FRONT, BACK, 0);
    hypervisor_device_add(hv, "xensock", OTHER, BACK, 0);
    watch(hv, BACK, "/local/domain/5/device/xensock/0/state", '1');
    watch(hv, FRONT, "/local/domain/0/backend", '9');
    watch(hv, BACK, "@releaseDomain", '2');
    while (store_next(store, &event))
        ;
    hypervisor_domain_remove(hv, FRONT);
    assert_true(fired(store, '1'));
    assert_true(fired(store, '2'));
    assert_false(fired(store, '9'));
    assert_int_equal(store_watches(store), 2);
    assert_null(store_text(store, "/local/domain/5"));
    assert_null(store_text(store, "/local/domain/0/backend/xensock/5"));
    assert_non_null(store_text(store, "/local/domain/0/backend/xensock/6/0/state"));
    assert_int_equal(hypervisor_domain_add(hv, FRONT), 0);
    assert_int_equal(hypervisor_device_add(hv, "xensock", FRONT, BACK, 0), -ERR_EXIST);
}

static const char *node(struct hypervisor *hv, const char *path)
{
    const char *value = store_text(hypervisor_store(hv), path);

    return value ? value : "none";
}

static void a_device_is_new_when_both_domains_are_back(void **state)
{
    static const char front[] = "/local/domain/5/device/xensock/0/state";
    static const char back[] = "/local/domain/0/backend/xensock/5/0/state";
    struct hypervisor *hv = *state;

    hypervisor_device_add(hv, "xensock", FRONT, BACK, 0);
    store_put(hypervisor_store(hv), front, "4");
    store_put(hypervisor_store(hv), "/local/domain/5/device/xensock/0/ring-ref", "8");
    hypervisor_domain_remove(hv, BACK);
    assert_string_equal(node(hv, front), "none");
    hypervisor_domain_remove(hv, FRONT);
    hypervisor_domain_add(hv, BACK);
    assert_string_equal(node(hv, back), "none"); /* not before the guest is there */
    hypervisor_domain_add(hv, FRONT);
    assert_string_equal(node(hv, front), "1");
    assert_string_equal(node(hv, back), "1");
    assert_string_equal(node(hv, "/local/domain/5/device/xensock/0/ring-ref"), "none");
    assert_string_equal(node(hv, "/local/domain/6/device/xensock/0/state"), "none");
}

static void the_dead_keep_what_others_map(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t refs[4];
    static int mapped, free_run, ended, ours, channel;
    void *backing;

    hypervisor_share(hv, FRONT, BACK, 3, &mapped, refs);
    int64_t mapping = map(hv, refs, 2);
    int64_t handle = hypervisor_share(hv, FRONT, BACK, 2, &ended, refs);
    int64_t ended_mapping = map(hv, refs, 2);
    hypervisor_unshare(hv, FRONT, (uint32_t)handle);
    hypervisor_share(hv, FRONT, BACK, 4, &free_run, refs);
    handle = hypervisor_share(hv, BACK, FRONT, 1, &ours, refs);
    hypervisor_map(hv, FRONT, BACK, refs, 1, pieces, &piece_count);
    hypervisor_unshare(hv, BACK, (uint32_t)handle);
    int64_t port = hypervisor_port_alloc(hv, FRONT, BACK, &channel);
    int64_t bound = hypervisor_port_bind(hv, BACK, FRONT, (uint32_t)port, &backing);

    hypervisor_domain_remove(hv, FRONT);
    assert_int_equal(free_run, 1);
    assert_int_equal(ours, 1); /* the dead one's mapping was the last that held it */
    assert_int_equal(mapped + ended + channel, 0);
    assert_int_equal(usage(hv, BACK).grants, 0);
    assert_int_equal(usage(hv, BACK).maps, 2);
    hypervisor_domain_add(hv, FRONT); /* born again, with a new table */
    assert_int_equal(map(hv, &(uint32_t){8}, 1), -ERR_INVAL);
    assert_int_equal(hypervisor_unmap(hv, BACK, (uint32_t)mapping), 0);
    assert_int_equal(hypervisor_unmap(hv, BACK, (uint32_t)ended_mapping), 0);
    assert_int_equal(mapped, 1);
    assert_int_equal(ended, 1);
    assert_int_equal(hypervisor_port_close(hv, BACK, (uint32_t)bound), 0);
    assert_int_equal(channel, 1);
}

static void a_domain_exists_once(void **state)
{
    assert_int_equal(hypervisor_domain_add(*state, FRONT), -ERR_EXIST);
}

/* A domain that is gone stays gone, whatever the others write. */
static void nobody_makes_a_domain(void **state)
{
    static const struct hv_node makers[] = {
        {"/local/domain/99", "1"}, {"/local/domain/99/device", "1"}, {"/local/domain/a", ""}};
    static const struct hv_node allowed[] = {{"/local/domain/5", "x"}, {"/local/domain/5/a", "x"}};
    struct hypervisor *hv = *state;
    uint32_t nodes = store_nodes(hypervisor_store(hv));

    for (uint32_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        assert_int_equal(hypervisor_publish(hv, BACK, &makers[i], 1), -ERR_NOENT);
    assert_int_equal(store_nodes(hypervisor_store(hv)), nodes);
    assert_int_equal(hypervisor_publish(hv, BACK, allowed, 2), 0);
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(refs_are_consecutive_and_never_the_reserved),
        TABLE_TEST(a_run_takes_scattered_refs_when_it_must),
        TABLE_TEST(pieces_follow_the_order_of_the_refs),
        TABLE_TEST(a_bad_ref_maps_nothing),
        TABLE_TEST(an_unshared_run_is_quarantined_until_unmapped),
        TABLE_TEST(handles_of_others_and_old_ones_are_refused),
        cmocka_unit_test(a_full_table_still_finds_a_run_of_64),
        cmocka_unit_test(a_domain_may_have_smaller_tables),
        TABLE_TEST(a_channel_is_bound_once_by_whom_it_was_offered),
        TABLE_TEST(a_closed_end_can_be_bound_again),
        TABLE_TEST(ports_run_out),
        TABLE_TEST(a_device_has_both_directories),
        TABLE_TEST(a_death_removes_devices_and_tells_by_watch),
        TABLE_TEST(a_device_is_new_when_both_domains_are_back),
        TABLE_TEST(the_dead_keep_what_others_map),
        TABLE_TEST(a_domain_exists_once),
        TABLE_TEST(nobody_makes_a_domain),
    };

    return !!cmocka_run_group_tests_name("hypervisor", tests, NULL, NULL);
}
