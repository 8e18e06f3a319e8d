/* The tree: paths, values, lists, permissions and quotas; each row of data/xen-semantics.md's
 * section on xenstore about them, by its words. Watches and transactions have tests of their own.
 */
#include "tests/sim/hv/store_world.h"

static void values_are_written_read_and_removed(void **state)
{
    uint32_t before = store_nodes(world.store);
    const void *value;
    uint32_t bytes;

    (void)state;
    assert_null(store_text(world.store, "/a/b/c"));
    assert_int_equal(store_put(world.store, "/a/b/c", "1"), 0);
    assert_string_equal(store_text(world.store, "/a/b/c"), "1");
    assert_string_equal(store_text(world.store, "/a"), "");
    assert_int_equal(store_nodes(world.store), before + 3);
    assert_int_equal(store_put(world.store, "/a/b/c", store_text(world.store, "/a/b/c")), 0);
    assert_int_equal(store_put(world.store, "/a/bb", "2"), 0);
    assert_int_equal(store_cut(world.store, "/a/b"), 0);
    assert_null(store_text(world.store, "/a/b/c"));
    assert_null(store_text(world.store, "/a/b"));
    assert_string_equal(store_text(world.store, "/a/bb"), "2");
    assert_int_equal(store_cut(world.store, "/a/b"), -ERR_NOENT);
    assert_int_equal(store_cut(world.store, "/a"), 0);
    assert_int_equal(store_nodes(world.store), before);

    assert_int_equal(store_write(world.tools, 0, "/binary", "a\0b", 3), 0);
    assert_int_equal(store_read(world.tools, 0, "/binary", &value, &bytes), 0);
    assert_int_equal(bytes, 3);
    assert_memory_equal(value, "a\0b", 4); /* terminated */
}

/* "paths `/a//b`, `/a/`, `/a b`: EINVAL each" */
static void bad_paths_are_refused(void **state)
{
    static const char *const bad[] = {"",    "/a//b", "/a/", "/a b",           "//",  "@x",
                                      "/a%", "a/",    "a b", "@releaseDomain", "a//b"};
    char path[STORE_PATH_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(put(world.tools, bad[i], ""), -ERR_INVAL);
        assert_int_equal(store_mkdir(world.tools, 0, bad[i]), -ERR_INVAL);
        assert_int_equal(store_remove(world.tools, 0, bad[i]), -ERR_INVAL);
        assert_string_equal(get(world.tools, bad[i]), "EINVAL");
        assert_string_equal(list(world.tools, bad[i]), "EINVAL");
        assert_string_equal(permits(world.tools, bad[i]), "EINVAL");
    }
    assert_int_equal(store_remove(world.tools, 0, "/"), -ERR_INVAL);
    assert_int_equal(watch_as(world.tools, "/a/", "t"), -ERR_INVAL);

    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[STORE_RELATIVE_MAX + 1] = '\0';
    assert_int_equal(put(world.tools, path, ""), -ERR_INVAL);
    path[STORE_RELATIVE_MAX] = '\0';
    assert_int_equal(put(world.tools, path, ""), 0);
    memset(path, 'a', sizeof(path));
    memcpy(path, "/local/domain/65535/", 20);
    path[20 + STORE_RELATIVE_MAX + 1] = '\0';
    assert_int_equal(put(world.tools, path, ""), -ERR_INVAL);
    path[20 + STORE_RELATIVE_MAX] = '\0';
    assert_int_equal(put(world.tools, path, ""), 0);
    memset(path, 'a', sizeof(path));
    path[STORE_PATH_MAX + 1] = '\0';
    assert_int_equal(put(world.tools, path, ""), -ERR_INVAL);
}

static void children_are_listed_in_order_of_creation(void **state)
{
    (void)state;
    put(world.tools, "/d/z", "");
    put(world.tools, "/d/a/below", "");
    put(world.tools, "/d/mmm", "");
    put(world.tools, "/d/z", "again");
    assert_string_equal(list(world.tools, "/d"), "z,a,mmm,");
    assert_string_equal(list(world.tools, "/d/z"), "");
    assert_string_equal(list(world.tools, "/none"), "ENOENT");
    assert_int_equal(store_remove(world.tools, 0, "/d/z"), 0);
    put(world.tools, "/d/z", "");
    assert_string_equal(list(world.tools, "/d"), "a,mmm,z,");
    assert_string_equal(list(world.tools, "/"), "tool,local,d,");
}

static void a_list_changes_its_generation(void **state)
{
    struct store_names names;
    uint64_t before;

    (void)state;
    put(world.tools, "/d/a", "");
    assert_int_equal(store_list(world.tools, 0, "/d", &names), 0);
    before = names.generation;
    put(world.tools, "/d/a", "1");
    assert_int_equal(store_list(world.tools, 0, "/d", &names), 0);
    assert_true(names.generation == before);
    put(world.tools, "/d/b", "");
    assert_int_equal(store_list(world.tools, 0, "/d", &names), 0);
    assert_true(names.generation != before);
    before = names.generation;
    assert_int_equal(store_remove(world.tools, 0, "/d/b"), 0);
    assert_int_equal(store_list(world.tools, 0, "/d", &names), 0);
    assert_true(names.generation != before);
}

/* "relative path: resolves under `/local/domain/<own domid>`" */
static void a_relative_path_is_below_ones_own_domain(void **state)
{
    (void)state;
    assert_int_equal(put(world.one, "data/x", "5"), 0);
    assert_int_equal(put(world.tools, "y", "0"), 0);
    assert_string_equal(get(world.tools, "/local/domain/5/data/x"), "5");
    assert_string_equal(get(world.tools, "/local/domain/0/y"), "0");
    assert_string_equal(get(world.one, "data/x"), "5");
    assert_string_equal(get(world.tools, "data/x"), "ENOENT");
}

static void making_and_removing_twice_is_no_error(void **state)
{
    (void)state;
    assert_int_equal(store_mkdir(world.tools, 0, "/m/n"), 0);
    assert_int_equal(put(world.tools, "/m/n", "kept"), 0);
    assert_int_equal(store_mkdir(world.tools, 0, "/m/n"), 0);
    assert_string_equal(get(world.tools, "/m/n"), "kept");
    assert_int_equal(store_remove(world.tools, 0, "/m/n"), 0);
    assert_int_equal(store_remove(world.tools, 0, "/m/n"), 0); /* its parent is there */
    assert_int_equal(store_remove(world.tools, 0, "/none/n"), -ERR_NOENT);
}

/* "read/write of `/local/domain/0` with `n0` by domain 5: EACCES"; "after `n0,r5`: read / write by
 * 5: ok / EACCES" */
static void permissions_say_who_may(void **state)
{
    (void)state;
    put(world.tools, "/local/domain/0", "zero");
    assert_string_equal(permits(world.tools, "/local/domain/0"), "n0");
    assert_string_equal(get(world.one, "/local/domain/0"), "EACCES");
    assert_int_equal(put(world.one, "/local/domain/0", "1"), -ERR_ACCES);
    assert_int_equal(permit(world.tools, "/local/domain/0", "n0r5"), 0);
    assert_string_equal(get(world.one, "/local/domain/0"), "zero");
    assert_int_equal(put(world.one, "/local/domain/0", "1"), -ERR_ACCES);
    assert_string_equal(get(world.two, "/local/domain/0"), "EACCES");
    assert_int_equal(permit(world.tools, "/local/domain/0", "n0w5"), 0);
    assert_string_equal(get(world.one, "/local/domain/0"), "EACCES");
    assert_int_equal(put(world.one, "/local/domain/0", "1"), 0);
    assert_int_equal(permit(world.tools, "/local/domain/0", "r0b5n6"), 0);
    assert_string_equal(get(world.one, "/local/domain/0"), "1");
    assert_int_equal(put(world.one, "/local/domain/0", "2"), 0);
    assert_string_equal(get(world.two, "/local/domain/0"), "EACCES"); /* its own entry counts */
    assert_int_equal(permit(world.tools, "/local/domain/0", "r0b5"), 0);
    assert_string_equal(get(world.two, "/local/domain/0"), "2");
    assert_int_equal(store_remove(world.two, 0, "/local/domain/0"), -ERR_ACCES);
    assert_int_equal(store_remove(world.one, 0, "/local/domain/0"), 0);
}

static void what_is_not_there_is_hidden_by_what_is(void **state)
{
    (void)state;
    assert_string_equal(get(world.one, "/local/domain/5/none"), "ENOENT");
    assert_string_equal(get(world.one, "/local/domain/6/none"), "EACCES");
    assert_string_equal(get(world.one, "/none"), "EACCES");
    assert_int_equal(put(world.one, "none", "1"), -ERR_ACCES); /* readable, not writable */
    assert_int_equal(store_remove(world.one, 0, "none"), -ERR_ACCES);
    assert_int_equal(store_remove(world.one, 0, "data/none"), 0);
    assert_int_equal(store_remove(world.one, 0, "data/none/none"), -ERR_NOENT);
}

/* "set permissions of a node one does not own / give one's own node away: EACCES / EPERM" */
static void only_the_owner_permits_and_he_stays_it(void **state)
{
    (void)state;
    assert_int_equal(permit(world.one, "/local/domain/5", "n5"), -ERR_ACCES);
    put(world.tools, "/shared", "");
    assert_int_equal(permit(world.tools, "/shared", "n0b5"), 0);
    assert_int_equal(permit(world.one, "/shared", "n5"), -ERR_ACCES); /* writing is not owning */
    put(world.one, "data/x", "1");
    assert_int_equal(permit(world.one, "data/x", "n6"), -ERR_PERM);
    assert_string_equal(get(world.two, "/local/domain/5/data/x"), "EACCES");
    assert_int_equal(permit(world.one, "data/x", "n5r6"), 0);
    assert_string_equal(get(world.two, "/local/domain/5/data/x"), "1");
    assert_int_equal(permit(world.one, "data/none", "n5"), -ERR_NOENT);
}

static void what_is_made_inherits(void **state)
{
    (void)state;
    assert_int_equal(permit(world.tools, "/local/domain/5/data", "n5r6"), 0);
    put(world.one, "data/a/b", "1");
    assert_string_equal(permits(world.one, "data/a"), "n5r6");
    assert_string_equal(permits(world.one, "data/a/b"), "n5r6");
    put(world.tools, "/local/domain/5/data/tools", "1");
    assert_string_equal(permits(world.one, "data/tools"), "n5r6"); /* the owner stays */
    assert_int_equal(permit(world.tools, "/local/domain/5/data", "n5b6"), 0);
    put(world.two, "/local/domain/5/data/two", "1");
    assert_string_equal(permits(world.two, "/local/domain/5/data/two"), "n6b6");
    assert_string_equal(get(world.one, "data/two"), "EACCES");
}

/* "nodes 1000: ENOSPC" */
static void a_domain_owns_so_many_nodes(void **state)
{
    char path[64];
    uint32_t own = usage(ONE).nodes;

    (void)state;
    assert_int_equal(own, 1);
    for (uint32_t i = 0; own + i < STORE_NODES_MAX; i++) {
        snprintf(path, sizeof(path), "data/%u/%u", i / 100, i); /* a directory's own size is one */
        if (i % 100 == 0)
            own++;
        assert_int_equal(put(world.one, path, ""), 0);
    }
    assert_int_equal(usage(ONE).nodes, STORE_NODES_MAX);
    assert_int_equal(put(world.one, "data/one-more", ""), -ERR_NOSPC);
    assert_int_equal(store_mkdir(world.one, 0, "data/one-more"), -ERR_NOSPC);
    assert_int_equal(put(world.one, "data/0/0", "a change is none"), 0);
    assert_int_equal(put(world.tools, "/local/domain/5/data/tools", ""), 0); /* may exceed it */
    assert_int_equal(usage(ONE).nodes, STORE_NODES_MAX + 1);
    assert_int_equal(store_remove(world.one, 0, "data/0"), 0);
    assert_int_equal(usage(ONE).nodes, STORE_NODES_MAX + 1 - 101);
    assert_int_equal(put(world.one, "data/one-more", ""), 0);
    assert_int_equal(usage(TWO).nodes, 1);
}

/* All that a path lacks is made, or nothing. */
static void a_path_is_made_whole_or_not(void **state)
{
    char path[64];
    uint32_t nodes;

    (void)state;
    for (uint32_t i = 0; usage(ONE).nodes < STORE_NODES_MAX - 2; i++) {
        snprintf(path, sizeof(path), "data/%u/%u", i / 100, i);
        put(world.one, path, "");
    }
    nodes = usage(ONE).nodes;
    assert_int_equal(put(world.one, "data/a/b/c", ""), -ERR_NOSPC);
    assert_int_equal(usage(ONE).nodes, nodes);
    assert_string_equal(get(world.one, "data/a"), "ENOENT");
    assert_int_equal(put(world.one, "data/a/b", ""), 0);
}

/* "value of 2049 bytes from a guest: ENOSPC"; a node counts as Xen counts it. */
static void a_node_is_so_large(void **state)
{
    static const char bytes[STORE_NODE_MAX + 1];
    const uint32_t fits = STORE_NODE_MAX - STORE_NODE_BYTES - STORE_PERM_BYTES - 1;
    const struct store_perm two[] = {{ONE, STORE_NONE}, {TWO, STORE_READ}};

    (void)state;
    assert_int_equal(store_write(world.one, 0, "data/x", bytes, 2049), -ERR_NOSPC);
    assert_string_equal(get(world.one, "data/x"), "ENOENT");
    assert_int_equal(store_write(world.one, 0, "data/x", bytes, fits + 1), -ERR_NOSPC);
    assert_int_equal(store_write(world.one, 0, "data/x", bytes, fits), 0);
    assert_int_equal(store_write(world.one, 0, "data/x", bytes, fits + 1), -ERR_NOSPC);
    assert_int_equal(store_set_perms(world.one, 0, "data/x", two, 2), -ERR_NOSPC);
    assert_int_equal(put(world.one, "data/x/child", ""), -ERR_NOSPC);
    assert_int_equal(put(world.one, "data/x/child/b", ""), -ERR_NOSPC);
    assert_int_equal(store_write(world.one, 0, "data/x", bytes, fits - 2), 0);
    assert_int_equal(put(world.one, "data/x/c", ""), 0); /* a name of one, and its terminator */
    assert_int_equal(store_write(world.tools, 0, "/big", bytes, sizeof(bytes)), 0);
}

/* "5 permissions" */
static void a_node_has_so_many_permissions(void **state)
{
    (void)state;
    assert_int_equal(permit(world.one, "data", "n5r1r2r3r4r6"), -ERR_NOSPC);
    assert_int_equal(permit(world.one, "data", "n5r1r2r3r4"), 0);
    assert_int_equal(permit(world.tools, "/tool", "n0r1r2r3r4r5"), 0);
}

/* A node's owner has it on his account, whoever made it. */
static void the_count_goes_with_the_owner(void **state)
{
    (void)state;
    put(world.tools, "/gift", "");
    assert_int_equal(permit(world.tools, "/gift", "n5"), 0);
    assert_int_equal(usage(ONE).nodes, 2);
    assert_int_equal(permit(world.tools, "/gift", "n6"), 0);
    assert_int_equal(usage(ONE).nodes, 1);
    assert_int_equal(usage(TWO).nodes, 2);
    assert_int_equal(store_remove(world.tools, 0, "/gift"), 0);
    assert_int_equal(usage(TWO).nodes, 1);
    assert_int_equal(usage(4711).nodes, 0);
}

/* "XS_INTRODUCE by a guest: EACCES" is the wire's to say; what it does is this. */
static void a_released_domain_leaves_nothing(void **state)
{
    (void)state;
    store_introduce(world.store, ONE);
    assert_true(store_introduced(world.store, ONE));
    put(world.one, "data/x", "1");
    put(world.tools, "/local/domain/5/data/x/tools", "goes too");
    put(world.tools, "/shared", "1");
    assert_int_equal(permit(world.tools, "/shared", "n0b5"), 0);
    assert_int_equal(watch_as(world.one, "data", "t"), 0);
    assert_true(store_begin(world.one) > 0);

    store_release(world.store, ONE);
    assert_false(store_introduced(world.store, ONE));
    assert_string_equal(get(world.tools, "/local/domain/5/data"), "ENOENT");
    assert_string_equal(get(world.tools, "/local/domain/5"), ""); /* the toolstack's */
    assert_int_equal(usage(ONE).nodes + usage(ONE).watches + usage(ONE).transactions, 0);
    assert_string_equal(get(world.one, "/shared"), "ENODEV");
    assert_int_equal(watch_as(world.one, "data", "t"), -ERR_NODEV);
    assert_int_equal((int)store_begin(world.one), -ERR_NODEV);
    assert_string_equal(permits(world.tools, "/shared"), "n0");

    store_introduce(world.store, ONE);
    assert_string_equal(get(world.one, "/shared"), "EACCES"); /* that was another's */
    put(world.tools, "/shared", "2");
    assert_string_equal(get(world.one, "/shared"), "EACCES");
    assert_int_equal(permit(world.tools, "/shared", "n0r5"), 0);
    assert_string_equal(get(world.one, "/shared"), "2");
    store_release(world.store, TOOLS); /* the toolstack does not die with a backend */
    assert_string_equal(get(world.tools, "/shared"), "2");
    assert_true(store_introduced(world.store, TOOLS));
}

static void the_root_outlives_whom_it_was_given(void **state)
{
    (void)state;
    assert_int_equal(permit(world.tools, "/", "n5"), 0);
    put(world.one, "/x", "1");
    store_release(world.store, ONE);
    assert_string_equal(permits(world.tools, "/"), "n0");
    assert_string_equal(get(world.tools, "/x"), "ENOENT");
    assert_string_equal(get(world.tools, "/local/domain/5"), "");
    assert_int_equal(usage(ONE).nodes, 0);
}

static void a_target_lends_its_rights(void **state)
{
    (void)state;
    assert_string_equal(get(world.one, "/local/domain/6/data"), "EACCES");
    store_set_target(world.store, ONE, TWO);
    assert_string_equal(get(world.one, "/local/domain/6/data"), "");
    assert_string_equal(get(world.two, "/local/domain/5/data"), "EACCES");
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(values_are_written_read_and_removed),
        TREE_TEST(bad_paths_are_refused),
        TREE_TEST(children_are_listed_in_order_of_creation),
        TREE_TEST(a_list_changes_its_generation),
        TREE_TEST(a_relative_path_is_below_ones_own_domain),
        TREE_TEST(making_and_removing_twice_is_no_error),
        TREE_TEST(permissions_say_who_may),
        TREE_TEST(what_is_not_there_is_hidden_by_what_is),
        TREE_TEST(only_the_owner_permits_and_he_stays_it),
        TREE_TEST(what_is_made_inherits),
        TREE_TEST(a_domain_owns_so_many_nodes),
        TREE_TEST(a_path_is_made_whole_or_not),
        TREE_TEST(a_node_is_so_large),
        TREE_TEST(a_node_has_so_many_permissions),
        TREE_TEST(the_count_goes_with_the_owner),
        TREE_TEST(a_released_domain_leaves_nothing),
        TREE_TEST(the_root_outlives_whom_it_was_given),
        TREE_TEST(a_target_lends_its_rights),
    };

    return !!cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
