/* Watches: which fires with what, in which order, for whom; and that nothing outlives its watch. */
#include "tests/sim/hv/store_world.h"

/* "watch: fires once at registration, then per change" */
static void a_watch_fires_at_registration_and_per_change_at_or_below(void **state)
{
    (void)state;
    watch(world.tools, "/a/b", "7");
    expect_none();
    put(world.tools, "/a/b", "1");
    expect(world.tools, "7", "/a/b");
    put(world.tools, "/a/b/c/d", "2");
    expect(world.tools, "7", "/a/b/c/d");
    put(world.tools, "/a/bb", "no");
    put(world.tools, "/a", "no");
    put(world.tools, "/", "no");
    expect_none();
    store_remove(world.tools, 0, "/a/b/c");
    expect(world.tools, "7", "/a/b/c");
    store_mkdir(world.tools, 0, "/a/b");
    expect_none(); /* it was there */
    store_mkdir(world.tools, 0, "/a/b/m");
    expect(world.tools, "7", "/a/b/m");
    permit(world.tools, "/a/b/m", "n0r5");
    expect(world.tools, "7", "/a/b/m");
    expect_none();
}

static void removing_a_parent_fires_watches_of_what_existed(void **state)
{
    (void)state;
    put(world.tools, "/a/b/c", "1");
    watch(world.tools, "/", "1");
    watch(world.tools, "/a/b", "2");
    watch(world.tools, "/a/b/c", "3");
    watch(world.tools, "/a/b/never", "4");
    store_remove(world.tools, 0, "/a");
    expect(world.tools, "1", "/a");
    expect(world.tools, "2", "/a/b");
    expect(world.tools, "3", "/a/b/c");
    expect_none();
}

static void repeated_changes_are_one_event_until_it_is_taken(void **state)
{
    struct store_client *other = store_connect(world.store, TOOLS, NULL);

    (void)state;
    watch(world.tools, "/a", "1");
    watch(other, "/a", "1");
    put(world.tools, "/a", "1");
    put(world.tools, "/a", "2");
    put(world.tools, "/a/x", "");
    put(world.tools, "/a", "3");
    expect(world.tools, "1", "/a");
    expect(other, "1", "/a");
    expect(world.tools, "1", "/a/x");
    expect(other, "1", "/a/x");
    expect(world.tools, "1", "/a");
    put(world.tools, "/a", "4");
    expect(other, "1", "/a");
    expect(world.tools, "1", "/a");
    expect_none();
    store_disconnect(other);
}

static void several_nodes_are_all_there_at_the_first_event(void **state)
{
    (void)state;
    watch(world.tools, "/f", "1");
    put(world.tools, "/f/ring-ref", "9");
    put(world.tools, "/f/port", "3");
    expect(world.tools, "1", "/f/ring-ref");
    assert_string_equal(get(world.tools, "/f/port"), "3");
}

static void an_ended_watch_takes_its_events_along(void **state)
{
    struct store_client *other = store_connect(world.store, TOOLS, NULL);

    (void)state;
    watch(world.tools, "/a", "1");
    watch(world.tools, "/b", "1");
    watch(world.tools, "/a", "2");
    watch(other, "/a", "1");
    put(world.tools, "/a", "");
    put(world.tools, "/b", "");
    assert_int_equal(store_watches(world.store), 4);
    assert_int_equal(store_unwatch(world.tools, "/a", "3", 1), -ERR_NOENT);
    assert_int_equal(store_unwatch(world.tools, "/c", "1", 1), -ERR_NOENT);
    assert_int_equal(store_unwatch(world.tools, "/a/", "1", 1), -ERR_INVAL);
    assert_int_equal(store_unwatch(world.tools, "/a", "1", 1), 0);
    assert_int_equal(store_unwatch(world.tools, "/a", "1", 1), -ERR_NOENT);
    expect(world.tools, "2", "/a");
    expect(other, "1", "/a");
    expect(world.tools, "1", "/b");
    put(world.tools, "/a", "");
    store_reset(world.tools);
    expect(other, "1", "/a");
    expect_none();
    assert_int_equal(store_watches(world.store), 1);
    put(world.tools, "/a", "");
    store_disconnect(other);
    expect_none();
}

static void a_token_ends_its_watches_of_all_paths_and_no_others(void **state)
{
    struct store_client *other = store_connect(world.store, TOOLS, NULL);

    (void)state;
    watch(world.tools, "/a", "1");
    watch(world.tools, "/b", "1");
    watch(world.tools, "/a", "2");
    watch(other, "/a", "1");
    assert_int_equal(store_unwatch_token(world.tools, "1", 1), 2);
    assert_int_equal(store_unwatch_token(world.tools, "1", 1), 0);
    assert_int_equal(store_watches(world.store), 2);
    put(world.tools, "/a", "1");
    expect(world.tools, "2", "/a");
    expect(other, "1", "/a");
    put(world.tools, "/b", "1");
    expect_none();
    store_disconnect(other);
}

static void the_same_watch_twice_is_refused(void **state)
{
    (void)state;
    watch(world.tools, "/a", "1");
    assert_int_equal(watch_as(world.tools, "/a", "1"), -ERR_EXIST);
    watch(world.tools, "/a", "11");
    watch(world.tools, "/a/1", "1");
    assert_int_equal(watch_as(world.one, "data", "1"), 0);
    assert_int_equal(watch_as(world.one, "/local/domain/5/data", "1"), -ERR_EXIST);
}

static void watches_fire_in_the_order_in_which_they_came(void **state)
{
    struct store_client *other = store_connect(world.store, TOOLS, NULL);

    (void)state;
    put(world.tools, "/a/b/c", "1");
    watch(world.tools, "/a/b/c", "1");
    watch(other, "/", "2");
    watch(world.tools, "/a", "3");
    watch(other, "/a/b/c", "4");
    watch(world.tools, "/a/bb", "5");
    watch(other, "/a/b", "6");

    put(world.tools, "/a/b/c", "2");
    expect(world.tools, "1", "/a/b/c");
    expect(other, "2", "/a/b/c");
    expect(world.tools, "3", "/a/b/c");
    expect(other, "4", "/a/b/c");
    expect(other, "6", "/a/b/c");
    expect_none();

    store_remove(world.tools, 0, "/a/b");
    expect(world.tools, "1", "/a/b/c");
    expect(other, "2", "/a/b");
    expect(world.tools, "3", "/a/b");
    expect(other, "4", "/a/b/c");
    expect(other, "6", "/a/b");
    expect_none();
    store_disconnect(other);
}

/* Events of a relatively watched path are relative. */
static void events_name_paths_as_they_were_watched(void **state)
{
    struct store_event event;

    (void)state;
    watch(world.one, "data/x", "r");
    watch(world.one, "/local/domain/5/data/x", "a");
    put(world.tools, "/local/domain/5/data/x/y", "");
    assert_true(store_next(world.store, &event));
    assert_string_equal(event.path, "data/x/y");
    assert_ptr_equal(event.owner, &world.one);
    expect(world.one, "a", "/local/domain/5/data/x/y");
    assert_int_equal(store_unwatch(world.one, "data/x", "r", 1), 0);
}

static void who_may_not_see_hears_nothing(void **state)
{
    (void)state;
    put(world.tools, "/s/secret", "1");
    put(world.tools, "/s/open", "1");
    permit(world.tools, "/s/open", "r0");
    assert_int_equal(watch_as(world.one, "/s", "t"), 0); /* one may ask */
    expect(world.one, "t", "/s");
    put(world.tools, "/s/secret", "2");
    expect_none();
    put(world.tools, "/s/open", "2");
    expect(world.one, "t", "/s/open");
    store_remove(world.tools, 0, "/s/secret");
    expect_none();
    store_remove(world.tools, 0, "/s/open");
    expect(world.one, "t", "/s/open");
    permit(world.tools, "/s", "r0");
    expect(world.one, "t", "/s");
    put(world.tools, "/s/hidden", "1");
    permit(world.tools, "/s/hidden", "n0");
    expect(world.one, "t", "/s/hidden"); /* the parent shows that it is there */
    put(world.tools, "/s/hidden/deep", "1");
    expect_none();
}

/* Who is shut out is told so: what was readable before counts. */
static void losing_a_permission_is_told(void **state)
{
    (void)state;
    put(world.tools, "/s", "1");
    permit(world.tools, "/s", "n0r5");
    watch(world.one, "/s", "t");
    permit(world.tools, "/s", "n0");
    expect(world.one, "t", "/s");
    put(world.tools, "/s", "2");
    expect_none();
}

static void special_names_fire_their_own_watches_only(void **state)
{
    (void)state;
    watch(world.tools, "@releaseDomain", "1");
    watch(world.tools, "@introduceDomain", "i");
    watch(world.tools, "/", "2");
    store_introduce(world.store, ONE);
    expect(world.tools, "i", "@introduceDomain");
    store_release(world.store, ONE);
    store_release(world.store, TWO);
    expect(world.tools, "1", "@releaseDomain");
    expect(world.tools, "1", "@releaseDomain"); /* one for each */
    expect_none();
}

static void special_names_are_for_whom_domain_0_says(void **state)
{
    char name[STORE_RELATIVE_MAX + 2];

    (void)state;
    watch(world.one, "@releaseDomain", "1");
    store_release(world.store, TWO);
    expect_none();
    assert_int_equal(permit(world.one, "@releaseDomain", "r5"), -ERR_ACCES);
    assert_int_equal(permit(world.tools, "@nothing", "r5"), -ERR_INVAL);
    assert_int_equal(permit(world.tools, "@releaseDomain", "n0r5"), 0);
    store_release(world.store, TWO);
    expect(world.one, "1", "@releaseDomain");
    memset(name, '@', sizeof(name));
    name[STORE_RELATIVE_MAX + 1] = '\0';
    assert_int_equal(watch_as(world.one, name, "1"), -ERR_INVAL);
    name[STORE_RELATIVE_MAX] = '\0';
    watch(world.one, name, "1"); /* nothing fires it */
}

/* "watches 128: E2BIG at the 130th (compared with "greater")" */
static void a_domain_has_so_many_watches(void **state)
{
    struct store_client *second = store_connect(world.store, ONE, NULL);
    char token[16];

    (void)state;
    for (int i = 1; i <= 129; i++) {
        snprintf(token, sizeof(token), "%d", i);
        assert_int_equal(watch_as(i % 2 ? world.one : second, "data", token), 0);
    }
    assert_int_equal(watch_as(world.one, "data", "130"), -ERR_2BIG);
    assert_int_equal(watch_as(second, "data", "130"), -ERR_2BIG);
    assert_int_equal(usage(ONE).watches, 129);
    store_disconnect(second);
    assert_int_equal(usage(ONE).watches, 65);
    assert_int_equal(watch_as(world.one, "data", "130"), 0);
    for (int i = 0; i < 300; i++) {
        snprintf(token, sizeof(token), "%d", i);
        assert_int_equal(watch_as(world.tools, "/a", token), 0);
    }
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(a_watch_fires_at_registration_and_per_change_at_or_below),
        WATCH_TEST(removing_a_parent_fires_watches_of_what_existed),
        WATCH_TEST(repeated_changes_are_one_event_until_it_is_taken),
        WATCH_TEST(several_nodes_are_all_there_at_the_first_event),
        WATCH_TEST(an_ended_watch_takes_its_events_along),
        WATCH_TEST(a_token_ends_its_watches_of_all_paths_and_no_others),
        WATCH_TEST(the_same_watch_twice_is_refused),
        WATCH_TEST(watches_fire_in_the_order_in_which_they_came),
        WATCH_TEST(events_name_paths_as_they_were_watched),
        WATCH_TEST(who_may_not_see_hears_nothing),
        WATCH_TEST(losing_a_permission_is_told),
        WATCH_TEST(special_names_fire_their_own_watches_only),
        WATCH_TEST(special_names_are_for_whom_domain_0_says),
        WATCH_TEST(a_domain_has_so_many_watches),
    };

    return !!cmocka_run_group_tests_name("store_watches", tests, NULL, NULL);
}
