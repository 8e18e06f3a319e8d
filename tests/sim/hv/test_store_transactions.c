/* Transactions: what they see and what others see of them, what conflicts, what quotas do in one,
 * and that a failed one leaves nothing. */
#include "tests/sim/hv/store_world.h"

static uint32_t begin(struct store_client *client)
{
    int64_t id = store_begin(client);

    assert_true(id > 0);
    return (uint32_t)id;
}

static void nothing_is_seen_before_the_end(void **state)
{
    (void)state;
    put(world.tools, "/d/a", "1");
    put(world.tools, "/d/b", "1");
    watch(world.tools, "/d", "w");
    uint32_t t = begin(world.tools);
    assert_int_equal(put_in(world.tools, t, "/d/a", "2"), 0);
    assert_int_equal(put_in(world.tools, t, "/d/n/m", "new"), 0);
    assert_int_equal(store_remove(world.tools, t, "/d/b"), 0);
    assert_string_equal(get_in(world.tools, t, "/d/a"), "2");
    assert_string_equal(get_in(world.tools, t, "/d/b"), "ENOENT");
    assert_string_equal(list_in(world.tools, t, "/d"), "a,n,");
    assert_string_equal(list_in(world.tools, t, "/d/n"), "m,");
    assert_string_equal(get(world.tools, "/d/a"), "1");
    assert_string_equal(list(world.tools, "/d"), "a,b,");
    expect_none();
    assert_int_equal(store_end(world.tools, t, true), 0);
    assert_string_equal(get(world.tools, "/d/a"), "2");
    assert_string_equal(get(world.tools, "/d/n/m"), "new");
    assert_string_equal(list(world.tools, "/d"), "a,n,");
    expect(world.tools, "w", "/d/a");
    expect(world.tools, "w", "/d/n/m");
    expect(world.tools, "w", "/d/b");
    expect_none();
}

static void an_aborted_one_leaves_nothing(void **state)
{
    uint32_t nodes = store_nodes(world.store);

    (void)state;
    watch(world.tools, "/", "w");
    uint32_t t = begin(world.one);
    assert_int_equal(put_in(world.one, t, "data/a/b", "1"), 0);
    assert_int_equal(store_end(world.one, t, false), 0);
    assert_int_equal(store_end(world.one, t, false), -ERR_NOENT);
    assert_string_equal(get_in(world.one, t, "data"), "ENOENT"); /* there is no such transaction */
    assert_int_equal(put_in(world.one, t, "data/a", "1"), -ERR_NOENT);
    assert_int_equal(store_nodes(world.store), nodes);
    assert_int_equal(usage(ONE).nodes, 1);
    assert_int_equal(usage(ONE).transactions, 0);
    expect_none();
    assert_string_equal(get_in(world.two, begin(world.one), "data"), "ENOENT"); /* not his */
}

/* "transaction with a conflicting write, at commit: EAGAIN" */
static void a_conflicting_write_ends_in_again(void **state)
{
    (void)state;
    put(world.tools, "/a", "1");
    uint32_t t = begin(world.tools);
    put_in(world.tools, t, "/a", "2");
    put_in(world.tools, t, "/b", "2");
    put(world.tools, "/a", "other");
    assert_int_equal(store_end(world.tools, t, true), -ERR_AGAIN);
    assert_string_equal(get(world.tools, "/a"), "other");
    assert_string_equal(get(world.tools, "/b"), "ENOENT");
}

static void what_was_only_read_conflicts_too(void **state)
{
    (void)state;
    put(world.tools, "/a", "1");
    uint32_t t = begin(world.tools);
    assert_string_equal(get_in(world.tools, t, "/a"), "1");
    put(world.tools, "/a", "2");
    assert_string_equal(get_in(world.tools, t, "/a"), "1"); /* as it was first seen */
    assert_int_equal(store_end(world.tools, t, true), -ERR_AGAIN);

    t = begin(world.tools);
    assert_string_equal(get_in(world.tools, t, "/none"), "ENOENT");
    put(world.tools, "/none", "");
    assert_int_equal(store_end(world.tools, t, true), -ERR_AGAIN);

    t = begin(world.tools);
    assert_string_equal(list_in(world.tools, t, "/a"), "");
    put(world.tools, "/a/child", "");
    assert_int_equal(store_end(world.tools, t, true), -ERR_AGAIN);

    t = begin(world.tools);
    put_in(world.tools, t, "/a", "3");
    permit(world.tools, "/a", "n0r5");
    assert_int_equal(store_end(world.tools, t, true), -ERR_AGAIN);
}

static void others_elsewhere_do_not_conflict(void **state)
{
    (void)state;
    put(world.tools, "/d/a", "1");
    put(world.tools, "/d/b", "1");
    uint32_t one = begin(world.tools), two = begin(world.tools);
    put_in(world.tools, one, "/d/a", "2");
    put_in(world.tools, two, "/d/b", "2");
    put(world.tools, "/e", "");
    assert_int_equal(store_end(world.tools, two, true), 0);
    assert_int_equal(store_end(world.tools, one, true), 0);
    assert_string_equal(get(world.tools, "/d/a"), "2");
    assert_string_equal(get(world.tools, "/d/b"), "2");
}

static void what_is_removed_can_be_made_again(void **state)
{
    (void)state;
    put(world.tools, "/d/a/x", "old");
    put(world.tools, "/d/b", "");
    uint32_t t = begin(world.tools);
    assert_int_equal(store_remove(world.tools, t, "/d/a"), 0);
    assert_string_equal(get_in(world.tools, t, "/d/a/x"), "ENOENT");
    assert_int_equal(put_in(world.tools, t, "/d/a/y", "new"), 0);
    assert_string_equal(list_in(world.tools, t, "/d"), "b,a,");
    assert_string_equal(list_in(world.tools, t, "/d/a"), "y,");
    assert_int_equal(store_end(world.tools, t, true), 0);
    assert_string_equal(list(world.tools, "/d"), "b,a,");
    assert_string_equal(list(world.tools, "/d/a"), "y,");
    assert_string_equal(get(world.tools, "/d/a/x"), "ENOENT");

    t = begin(world.tools); /* made and removed: as if never */
    put_in(world.tools, t, "/d/n/m", "");
    assert_int_equal(store_remove(world.tools, t, "/d/n"), 0);
    assert_int_equal(store_remove(world.tools, t, "/d/n"), 0);
    assert_int_equal(store_remove(world.tools, t, "/"), -ERR_INVAL);
    assert_int_equal(store_end(world.tools, t, true), 0);
    assert_string_equal(list(world.tools, "/d"), "b,a,");
}

static void a_removal_fires_what_was_below(void **state)
{
    (void)state;
    put(world.tools, "/d/a/x", "1");
    watch(world.tools, "/d/a/x", "x");
    watch(world.tools, "/d", "d");
    uint32_t t = begin(world.tools);
    assert_int_equal(store_remove(world.tools, t, "/d/a"), 0);
    assert_int_equal(store_end(world.tools, t, true), 0);
    expect(world.tools, "x", "/d/a/x");
    expect(world.tools, "d", "/d/a");
    expect_none();
}

static void permissions_change_and_are_inherited_in_one(void **state)
{
    const struct store_perm perms[] = {{ONE, STORE_NONE}, {TWO, STORE_READ}};
    const struct store_perm given[] = {{TWO, STORE_NONE}};
    const struct store_perm *found;

    (void)state;
    uint32_t t = begin(world.one);
    assert_int_equal(store_mkdir(world.one, t, "data/d"), 0);
    assert_int_equal(store_set_perms(world.one, t, "data/d", given, 1), -ERR_PERM);
    assert_int_equal(store_set_perms(world.one, t, "data/d", perms, 2), 0);
    assert_int_equal(put_in(world.one, t, "data/d/x", "1"), 0);
    assert_int_equal(store_get_perms(world.one, t, "data/d/x", &found), 2);
    assert_int_equal(found[1].domid, TWO);
    assert_int_equal(store_end(world.one, t, true), 0);
    assert_string_equal(get(world.two, "/local/domain/5/data/d/x"), "1");
    assert_string_equal(permits(world.one, "data/d"), "n5r6");

    t = begin(world.tools); /* the account goes with a node given away in one */
    assert_int_equal(store_set_perms(world.tools, t, "/local/domain/5/data/d", given, 1), 0);
    assert_int_equal(usage(TWO).nodes, 1);
    assert_int_equal(store_end(world.tools, t, true), 0);
    assert_int_equal(usage(TWO).nodes, 2);
    assert_int_equal(usage(ONE).nodes, 2);
}

static void permissions_hold_in_one(void **state)
{
    (void)state;
    uint32_t t = begin(world.one);
    assert_string_equal(get_in(world.one, t, "/local/domain/6/data"), "EACCES");
    assert_int_equal(put_in(world.one, t, "/local/domain/6/data/x", ""), -ERR_ACCES);
    assert_int_equal(put_in(world.one, t, "/a//b", ""), -ERR_INVAL);
    assert_int_equal(store_end(world.one, t, true), 0);
}

/* "also transactions 10" */
static void a_domain_has_so_many_at_once(void **state)
{
    uint32_t ids[STORE_TRANSACTIONS_MAX + 1];

    (void)state;
    for (int i = 0; i <= STORE_TRANSACTIONS_MAX; i++) /* compared with "greater" */
        ids[i] = begin(world.one);
    assert_int_equal(store_begin(world.one), -ERR_NOSPC);
    assert_int_equal(usage(ONE).transactions, STORE_TRANSACTIONS_MAX + 1);
    assert_int_equal(store_end(world.one, ids[3], true), 0);
    begin(world.one);
    for (int i = 0; i < 100; i++)
        begin(world.tools);
    store_reset(world.tools);
    assert_int_equal(usage(TOOLS).transactions, 0);
}

/* "1024 nodes per transaction" */
static void one_touches_so_many_nodes(void **state)
{
    char path[64];

    (void)state;
    for (int i = 0; i < STORE_TOUCHED_MAX + 1; i++) {
        snprintf(path, sizeof(path), "/local/domain/5/data/%d", i);
        put(world.tools, path, "");
    }
    uint32_t t = begin(world.one);
    for (int i = 0; i < STORE_TOUCHED_MAX; i++) {
        snprintf(path, sizeof(path), "data/%d", i);
        assert_string_equal(get_in(world.one, t, path), "");
    }
    assert_string_equal(get_in(world.one, t, "data/1024"), "ENOSPC");
    assert_string_equal(get_in(world.one, t, "data/none"), "ENOSPC");
    assert_string_equal(get_in(world.one, t, "data/0"), "");
    assert_int_equal(store_end(world.one, t, true), -ERR_NOMEM); /* Xen spoils it */
    t = begin(world.one);
    assert_int_equal(store_remove(world.one, t, "data"), -ERR_NOSPC);
    assert_int_equal(store_end(world.one, t, true), -ERR_NOMEM);
    assert_string_equal(get(world.one, "data/0"), "");
    t = begin(world.tools);
    assert_int_equal(store_remove(world.tools, t, "/local/domain/5/data"), 0);
    assert_int_equal(store_end(world.tools, t, true), 0);
    assert_int_equal(usage(ONE).nodes, 0);
}

static void a_quota_of_nodes_holds_in_one_and_at_its_end(void **state)
{
    char path[64];

    (void)state;
    for (uint32_t i = 0; usage(ONE).nodes < STORE_NODES_MAX - 2; i++) {
        snprintf(path, sizeof(path), "data/%u/%u", i / 100, i);
        put(world.one, path, "");
    }
    uint32_t t = begin(world.one), other = begin(world.one);
    assert_int_equal(put_in(world.one, t, "data/a", ""), 0);
    assert_int_equal(put_in(world.one, t, "data/b", ""), 0);
    assert_int_equal(put_in(world.one, t, "data/c", ""), -ERR_NOSPC); /* that alone spoils none */
    assert_int_equal(put_in(world.one, other, "data/0/c", ""), 0);
    assert_int_equal(store_end(world.one, other, true), 0);
    assert_int_equal(store_end(world.one, t, true), -ERR_NOSPC);
    assert_int_equal(usage(ONE).nodes, STORE_NODES_MAX - 1);
    t = begin(world.one); /* what goes makes room */
    assert_int_equal(store_remove(world.one, t, "data/0"), 0);
    assert_int_equal(put_in(world.one, t, "data/a/b/c/d", ""), 0);
    assert_int_equal(store_end(world.one, t, true), 0);
    t = begin(world.one);
    static const char large[STORE_NODE_MAX];
    assert_int_equal(store_write(world.one, t, "data/a", large, sizeof(large)), -ERR_NOSPC);
    assert_int_equal(store_end(world.one, t, true), -ERR_NOMEM);
}

static void they_end_with_their_client(void **state)
{
    struct store_client *second = store_connect(world.store, ONE, NULL);

    (void)state;
    uint32_t t = begin(second);
    assert_int_equal(put_in(second, t, "data/x", ""), 0);
    store_disconnect(second);
    assert_int_equal(usage(ONE).transactions, 0);
    assert_string_equal(get(world.one, "data/x"), "ENOENT");
}

/* What is granted in a transaction that began before a death is not for the life after it. */
static void a_death_in_between(void **state)
{
    (void)state;
    put(world.tools, "/s", "1");
    permit(world.tools, "/s", "n0r5");
    store_introduce(world.store, ONE);
    uint32_t t = begin(world.tools);
    assert_string_equal(get_in(world.tools, t, "/s"), "1");
    store_release(world.store, ONE);
    store_introduce(world.store, ONE);
    assert_int_equal(put_in(world.tools, t, "/s", "2"), 0);
    assert_int_equal(put_in(world.tools, t, "/s/below", "2"), 0);
    assert_int_equal(store_end(world.tools, t, true), 0);
    assert_string_equal(get(world.one, "/s"), "EACCES");
    assert_string_equal(get(world.one, "/s/below"), "EACCES");
}

#define TRANSACTION_TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSACTION_TEST(nothing_is_seen_before_the_end),
        TRANSACTION_TEST(an_aborted_one_leaves_nothing),
        TRANSACTION_TEST(a_conflicting_write_ends_in_again),
        TRANSACTION_TEST(what_was_only_read_conflicts_too),
        TRANSACTION_TEST(others_elsewhere_do_not_conflict),
        TRANSACTION_TEST(what_is_removed_can_be_made_again),
        TRANSACTION_TEST(a_removal_fires_what_was_below),
        TRANSACTION_TEST(permissions_change_and_are_inherited_in_one),
        TRANSACTION_TEST(permissions_hold_in_one),
        TRANSACTION_TEST(a_domain_has_so_many_at_once),
        TRANSACTION_TEST(one_touches_so_many_nodes),
        TRANSACTION_TEST(a_quota_of_nodes_holds_in_one_and_at_its_end),
        TRANSACTION_TEST(they_end_with_their_client),
        TRANSACTION_TEST(a_death_in_between),
    };

    return !!cmocka_run_group_tests_name("store_transactions", tests, NULL, NULL);
}
