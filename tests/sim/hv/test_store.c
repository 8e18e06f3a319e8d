/* The tree: paths, values, lists, which watch fires with what, and that nothing outlives its watch.
 */
#include "sim/hv/store.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { DOMID = 5, OTHER = 6 };

static int make(void **state)
{
    *state = store_create();
    return 0;
}

static int unmake(void **state)
{
    store_destroy(*state);
    return 0;
}

static void expect(struct store *store, uint16_t domid, uint64_t cookie, const char *path)
{
    struct store_event event;

    assert_true(store_next(store, &event));
    assert_int_equal(event.domid, domid);
    assert_int_equal(event.cookie, cookie);
    assert_string_equal(event.path, path);
}

static void expect_none(struct store *store)
{
    struct store_event event;

    assert_false(store_next(store, &event));
}

/* Watch, and take the event of the registration. */
static void watch(struct store *store, uint16_t domid, const char *path, uint64_t cookie)
{
    assert_int_equal(store_watch(store, domid, path, cookie), 0);
    expect(store, domid, cookie, path);
}

static void values_are_written_read_and_removed(void **state)
{
    struct store *store = *state;
    uint32_t before = store_nodes(store);

    assert_null(store_read(store, "/a/b/c"));
    assert_int_equal(store_write(store, "/a/b/c", "1"), 0);
    assert_string_equal(store_read(store, "/a/b/c"), "1");
    assert_string_equal(store_read(store, "/a"), "");
    assert_int_equal(store_nodes(store), before + 3);
    assert_int_equal(store_write(store, "/a/b/c", store_read(store, "/a/b/c")), 0);
    assert_int_equal(store_write(store, "/a/bb", "2"), 0);
    assert_int_equal(store_remove(store, "/a/b"), 0);
    assert_null(store_read(store, "/a/b/c"));
    assert_null(store_read(store, "/a/b"));
    assert_string_equal(store_read(store, "/a/bb"), "2");
    assert_int_equal(store_remove(store, "/a/b"), -ERR_NOENT);
    assert_int_equal(store_remove(store, "/a"), 0);
    assert_int_equal(store_nodes(store), before);
}

static void bad_paths_and_values_are_refused(void **state)
{
    static const char *const bad[] = {"", "a", "/a//b", "/a/", "/a b", "//", "@x", "/a%"};
    struct store *store = *state;
    char path[STORE_PATH_MAX + 2];
    char value[STORE_VALUE_MAX + 2];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(store_write(store, bad[i], ""), -ERR_INVAL);
        assert_int_equal(store_remove(store, bad[i]), -ERR_INVAL);
        assert_null(store_read(store, bad[i]));
    }
    assert_int_equal(store_remove(store, "/"), -ERR_INVAL);
    assert_int_equal(store_watch(store, DOMID, "/a/", 1), -ERR_INVAL);
    assert_int_equal(store_watch(store, DOMID, "@", 1), -ERR_INVAL);

    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[STORE_PATH_MAX + 1] = '\0';
    assert_int_equal(store_write(store, path, ""), -ERR_INVAL);
    path[STORE_PATH_MAX] = '\0';
    assert_int_equal(store_write(store, path, ""), 0);

    memset(value, 'v', sizeof(value));
    value[STORE_VALUE_MAX + 1] = '\0';
    assert_int_equal(store_write_check("/v", value), -ERR_NOSPC);
    assert_int_equal(store_write(store, "/v", value), -ERR_NOSPC);
    assert_null(store_read(store, "/v"));
    value[STORE_VALUE_MAX] = '\0';
    assert_int_equal(store_write(store, "/v", value), 0);
}

static void children_are_listed_in_order_of_creation(void **state)
{
    struct store *store = *state;
    char names[8];
    uint32_t used;

    store_write(store, "/d/z", "");
    store_write(store, "/d/a/below", "");
    store_write(store, "/d/mmm", "");
    store_write(store, "/d/z", "again");
    assert_int_equal(store_list(store, "/d", names, sizeof(names), &used), 3);
    assert_int_equal(used, 8);
    assert_memory_equal(names, "z\0a\0mmm\0", 8);
    assert_int_equal(store_list(store, "/d", names, 7, &used), -ERR_NOSPC);
    assert_int_equal(store_list(store, "/d/z", names, sizeof(names), &used), 0);
    assert_int_equal(store_list(store, "/none", names, sizeof(names), &used), -ERR_NOENT);
    assert_int_equal(store_list(store, "/", names, sizeof(names), &used), 1);
    assert_string_equal(names, "d");
}

static void a_watch_fires_at_registration_and_per_change_at_or_below(void **state)
{
    struct store *store = *state;

    watch(store, DOMID, "/a/b", 7);
    expect_none(store);
    store_write(store, "/a/b", "1");
    expect(store, DOMID, 7, "/a/b");
    store_write(store, "/a/b/c/d", "2");
    expect(store, DOMID, 7, "/a/b/c/d");
    store_write(store, "/a/bb", "no");
    store_write(store, "/a", "no");
    store_write(store, "/", "no");
    expect_none(store);
    store_remove(store, "/a/b/c");
    expect(store, DOMID, 7, "/a/b/c");
    expect_none(store);
}

static void removing_a_parent_fires_watches_of_what_existed(void **state)
{
    struct store *store = *state;

    store_write(store, "/a/b/c", "1");
    watch(store, DOMID, "/", 1);
    watch(store, DOMID, "/a/b", 2);
    watch(store, DOMID, "/a/b/c", 3);
    watch(store, DOMID, "/a/b/never", 4);
    store_remove(store, "/a");
    expect(store, DOMID, 1, "/a");
    expect(store, DOMID, 2, "/a/b");
    expect(store, DOMID, 3, "/a/b/c");
    expect_none(store);
}

static void repeated_changes_are_one_event_until_it_is_taken(void **state)
{
    struct store *store = *state;

    watch(store, DOMID, "/a", 1);
    watch(store, OTHER, "/a", 1);
    store_write(store, "/a", "1");
    store_write(store, "/a", "2");
    store_write(store, "/a/x", "");
    store_write(store, "/a", "3");
    expect(store, DOMID, 1, "/a");
    expect(store, OTHER, 1, "/a");
    expect(store, DOMID, 1, "/a/x");
    expect(store, OTHER, 1, "/a/x");
    expect(store, DOMID, 1, "/a");
    store_write(store, "/a", "4");
    expect(store, OTHER, 1, "/a");
    expect(store, DOMID, 1, "/a");
    expect_none(store);
}

static void several_nodes_are_all_there_at_the_first_event(void **state)
{
    struct store *store = *state;

    watch(store, DOMID, "/f", 1);
    store_write(store, "/f/ring-ref", "9");
    store_write(store, "/f/port", "3");
    expect(store, DOMID, 1, "/f/ring-ref");
    assert_string_equal(store_read(store, "/f/port"), "3");
}

static void an_ended_watch_takes_its_events_along(void **state)
{
    struct store *store = *state;

    watch(store, DOMID, "/a", 1);
    watch(store, DOMID, "/b", 1);
    watch(store, DOMID, "/a", 2);
    watch(store, OTHER, "/a", 1);
    store_write(store, "/a", "");
    store_write(store, "/b", "");
    assert_int_equal(store_watches(store), 4);
    assert_int_equal(store_unwatch(store, DOMID, 1), 2);
    assert_int_equal(store_unwatch(store, DOMID, 1), 0);
    expect(store, DOMID, 2, "/a");
    expect(store, OTHER, 1, "/a");
    expect_none(store);
    store_write(store, "/a", "");
    store_forget(store, DOMID);
    expect(store, OTHER, 1, "/a");
    expect_none(store);
    assert_int_equal(store_watches(store), 1);
}

static void the_same_watch_twice_is_refused(void **state)
{
    struct store *store = *state;

    watch(store, DOMID, "/a", 1);
    assert_int_equal(store_watch(store, DOMID, "/a", 1), -ERR_EXIST);
    watch(store, DOMID, "/a", 2);
    watch(store, OTHER, "/a", 1);
}

static void watches_fire_in_the_order_in_which_they_came(void **state)
{
    struct store *store = *state;

    assert_int_equal(store_write(store, "/a/b/c", "1"), 0);
    watch(store, DOMID, "/a/b/c", 1);
    watch(store, OTHER, "/", 2);
    watch(store, DOMID, "/a", 3);
    watch(store, OTHER, "/a/b/c", 4);
    watch(store, DOMID, "/a/bb", 5);
    watch(store, OTHER, "/a/b", 6);

    assert_int_equal(store_write(store, "/a/b/c", "2"), 0);
    expect(store, DOMID, 1, "/a/b/c");
    expect(store, OTHER, 2, "/a/b/c");
    expect(store, DOMID, 3, "/a/b/c");
    expect(store, OTHER, 4, "/a/b/c");
    expect(store, OTHER, 6, "/a/b/c");
    expect_none(store);

    assert_int_equal(store_remove(store, "/a/b"), 0);
    expect(store, DOMID, 1, "/a/b/c");
    expect(store, OTHER, 2, "/a/b");
    expect(store, DOMID, 3, "/a/b");
    expect(store, OTHER, 4, "/a/b/c");
    expect(store, OTHER, 6, "/a/b");
    expect_none(store);
}

static void a_cookie_ends_its_watches_of_all_paths_and_no_others(void **state)
{
    struct store *store = *state;

    watch(store, DOMID, "/a", 1);
    watch(store, DOMID, "/b", 1);
    watch(store, DOMID, "/a", 2);
    watch(store, OTHER, "/a", 1);
    assert_int_equal(store_unwatch(store, DOMID, 1), 2);
    assert_int_equal(store_unwatch(store, DOMID, 1), 0);
    assert_int_equal(store_watches(store), 2);
    assert_int_equal(store_write(store, "/a", "1"), 0);
    expect(store, DOMID, 2, "/a");
    expect(store, OTHER, 1, "/a");
    assert_int_equal(store_write(store, "/b", "1"), 0);
    expect_none(store);
}

static void special_names_fire_their_own_watches_only(void **state)
{
    struct store *store = *state;

    watch(store, DOMID, "@releaseDomain", 1);
    watch(store, DOMID, "/", 2);
    store_fire(store, "@releaseDomain");
    expect(store, DOMID, 1, "@releaseDomain");
    store_fire(store, "@introduceDomain");
    expect_none(store);
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(values_are_written_read_and_removed),
        TREE_TEST(bad_paths_and_values_are_refused),
        TREE_TEST(children_are_listed_in_order_of_creation),
        TREE_TEST(a_watch_fires_at_registration_and_per_change_at_or_below),
        TREE_TEST(removing_a_parent_fires_watches_of_what_existed),
        TREE_TEST(repeated_changes_are_one_event_until_it_is_taken),
        TREE_TEST(several_nodes_are_all_there_at_the_first_event),
        TREE_TEST(an_ended_watch_takes_its_events_along),
        TREE_TEST(the_same_watch_twice_is_refused),
        TREE_TEST(watches_fire_in_the_order_in_which_they_came),
        TREE_TEST(a_cookie_ends_its_watches_of_all_paths_and_no_others),
        TREE_TEST(special_names_fire_their_own_watches_only),
    };

    return !!cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
