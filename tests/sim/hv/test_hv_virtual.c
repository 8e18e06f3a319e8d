/* hv_virtual: what ops cost and when they complete, and xenstore's latency. */
#include "tests/sim/hv/virtual_world.h"

/* ---- ops ---- */

static void share(struct party *party)
{
    hv_share(party->hv, TOKEN, BACK, PAGES);
}

static void unshare(struct party *party)
{
    hv_unshare(party->hv, TOKEN, party->share.handle);
}

static void map(struct party *party)
{
    hv_map(party->hv, TOKEN, FRONT, party->world->front.refs, PAGES);
}

static void unmap(struct party *party)
{
    hv_unmap(party->hv, TOKEN, party->share.handle);
}

/* The op keeps the CPU for its cost, at the end of which it completes. */
static struct ev assert_cost(struct party *party, void (*op)(struct party *party),
                             enum ev_kind kind, uint64_t cost_ns)
{
    uint64_t start_ns = now_ns(party->world), busy = busy_ns(party);

    plan(party, start_ns, op);
    while (party->first == party->count)
        vclock_step(party->world->clock);
    struct seen seen = take(party, kind);
    assert_int_equal(seen.ev.ret, 0);
    assert_int_equal(seen.at_ns - start_ns, cost_ns);
    assert_int_equal(seen.ev.token, TOKEN);
    assert_in_range(busy_ns(party) - busy, cost_ns, cost_ns + 1); /* the turn that took it: 1 ns */
    return seen.ev;
}

static void test_cost_of_each_op(void **state)
{
    struct world *world = *state;
    struct party *front = &world->front, *back = &world->back;

    front->share = assert_cost(front, share, EV_SHARE, PAGES * 3).share;
    settle(world);
    back->share = assert_cost(back, map, EV_MAP, 20 + PAGES * 5).share;
    settle(world);
    assert_cost(back, unmap, EV_UNMAP, 20 + PAGES * 6);
    settle(world);
    assert_cost(front, unshare, EV_UNSHARE, PAGES * 4);
    settle(world);
    front->port = assert_cost(front, alloc, EV_PORT_ALLOC, 10).port;
    settle(world);
    back->port = assert_cost(back, bind, EV_PORT_BIND, 20).port;
    take(back, EV_PORT);
    settle(world);
    assert_cost(front, close_port, EV_PORT_CLOSE, 10);
    settle(world);
    assert_cost(back, close_port, EV_PORT_CLOSE, 20);
}

/* After 50 ns of other work: a run, a node, a port. */
static void three_ops(struct party *party)
{
    const struct hv_tag tag = {STEP_OWN, DIALECT_KEYS, 0};

    vcpu_charge(party->vcpu, COST_STEP, 1);
    hv_share(party->hv, 1, BACK, PAGES);
    assert_int_equal(hv_virtual_due_ns(party->hv), now_ns(party->world) + 62);
    hv_store_read(party->hv, 2, &tag, "/local/domain/5/nothing");
    hv_port_alloc(party->hv, 3, BACK);
}

static void test_completions_in_order_of_their_times(void **state)
{
    struct world *world = *state;
    struct party *front = &world->front;

    plan(front, 1000, three_ops);
    settle(world);
    struct seen seen = take(front, EV_SHARE);
    assert_int_equal(seen.ev.token, 1);
    assert_int_equal(seen.at_ns, 1072); /* due at 1062, but its CPU is busy until the end */
    assert_int_equal(take(front, EV_PORT_ALLOC).at_ns, 1072);
    seen = take(front, EV_STORE_READ);
    assert_int_equal(seen.ev.ret, -ERR_NOENT);
    assert_int_equal(seen.at_ns, 1062 + STORE_NS);
    take_none(front);
}

/* ---- xenstore ---- */

static const char *const path = "/local/domain/5/device/xensock/0/state";

static void watch(struct party *party)
{
    const struct hv_tag tag = {STEP_OTHER, DIALECT_KEYS, 0};

    hv_store_watch(party->hv, TOKEN, &tag, path);
}

static void work_then_publish(struct party *party)
{
    struct hv_node node = {.value = "3"};

    vcpu_charge(party->vcpu, COST_STEP, 1);
    memcpy(node.path, path, strlen(path) + 1);
    hv_store_publish(party->hv, TOKEN, &node, 1);
    vcpu_charge(party->vcpu, COST_STEP, 1);
}

static void add_device(struct world *world)
{
    assert_int_equal(
        hypervisor_device_add(hv_virtual_tables(world->machine), "xensock", FRONT, BACK, 0), 0);
}

static void test_store_events_take_their_time(void **state)
{
    struct world *world = *state;
    struct party *front = &world->front, *back = &world->back;

    add_device(world);
    uint64_t at_ns = now_ns(world);
    at_once(back, watch);
    assert_int_equal(take(back, EV_STORE_WATCH).at_ns, at_ns + STORE_NS);
    assert_int_equal(take(back, EV_STORE).at_ns, at_ns + STORE_NS);
    at_ns = now_ns(world) + 1000;
    uint64_t busy = busy_ns(front);
    plan(front, at_ns, work_then_publish);
    settle(world);
    assert_int_equal(take(front, EV_STORE_PUBLISH).at_ns, at_ns + STEP_NS + STORE_NS);
    struct seen seen = take(back, EV_STORE); /* from the write on, though it sleeps */
    assert_int_equal(seen.at_ns, at_ns + STEP_NS + STORE_NS);
    assert_int_equal(seen.ev.store.side, STEP_OTHER);
    take_none(back);
    assert_int_equal(busy_ns(front) - busy, 2 * STEP_NS + 1); /* it took no CPU; 1: to take it */
}

static void read_often(struct party *party)
{
    const struct hv_tag tag = {STEP_OWN, DIALECT_KEYS, 0};

    for (uint64_t i = 0; i < 32; i++)
        hv_store_read(party->hv, i, &tag, "/local/domain/5/nothing");
}

static void test_store_answers_keep_their_order(void **state)
{
    struct world *world = *state;

    world->costs.rows[COST_STORE_REQUEST] =
        (struct cost){.shape = COST_UNIFORM, .low_ps = 1000, .high_ps = 1000000000};
    at_once(&world->front, read_often);
    uint64_t before_ns = 0;
    for (uint64_t i = 0; i < 32; i++) {
        struct seen seen = take(&world->front, EV_STORE_READ);
        assert_int_equal(seen.ev.token, i);
        assert_true(seen.at_ns >= before_ns);
        before_ns = seen.at_ns;
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_cost_of_each_op),
        TEST(test_completions_in_order_of_their_times),
        TEST(test_store_events_take_their_time),
        TEST(test_store_answers_keep_their_order),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
