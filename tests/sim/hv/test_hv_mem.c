/*
 * Event channels, xenstore and handles as a core's executor sees them, over the memory hypervisor:
 * the verdicts of data/xen-semantics.md that this seam can express.
 */
#include "tests/sim/hv/hv_mem_world.h"

#include <stdio.h>

/* --- event channels --- */

static uint32_t port_alloc(uint64_t token)
{
    hv_port_alloc(world.front, token, BACK);
    struct ev ev = take(world.front, EV_PORT_ALLOC, token);
    assert_int_equal(ev.ret, 0);
    assert_true(ev.port >= 1);
    return ev.port;
}

static int bind_error(struct hv *binder, uint16_t remote, uint32_t port)
{
    hv_port_bind(binder, TOKEN, remote, port);
    return take(binder, EV_PORT_BIND, TOKEN).ret;
}

/* Bind as BACK, and take the event the port is born with. */
static uint32_t port_bind(uint32_t remote_port, uint64_t token)
{
    hv_port_bind(world.back, token, FRONT, remote_port);
    struct ev ev = take(world.back, EV_PORT_BIND, token);
    assert_int_equal(ev.ret, 0);
    assert_int_equal(take(world.back, EV_PORT, token).port, ev.port);
    hv_unmask(world.back, ev.port);
    return ev.port;
}

static void only_the_binders_port_is_born_pending(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1);
    port_bind(port, 2);
    take_none(world.front);
    take_none(world.back);
}

static void a_notify_wakes_the_other_end_under_its_token(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1), bound = port_bind(port, 2);
    assert_int_equal(hv_notify(world.front, port), 0);
    take_none(world.front);
    assert_int_equal(take(world.back, EV_PORT, 2).port, bound);
    assert_int_equal(hv_notify(world.back, bound), 0);
    assert_int_equal(take(world.front, EV_PORT, 1).port, port);
    assert_int_equal(world.back->counters.wakeups, 2);
    assert_int_equal(world.back->counters.notifies, 1);
}

static void delivery_masks_and_unmask_tells_once_what_was_missed(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1), bound = port_bind(port, 2);
    for (int i = 0; i < 5; i++)
        hv_notify(world.front, port);
    take(world.back, EV_PORT, 2);
    take_none(world.back);
    for (int i = 0; i < 5; i++)
        hv_notify(world.front, port);
    take_none(world.back);
    hv_unmask(world.back, bound);
    take(world.back, EV_PORT, 2);
    hv_unmask(world.back, bound);
    take_none(world.back);
    hv_notify(world.front, port);
    hv_unmask(world.back, bound); /* not masked: nothing changes */
    take(world.back, EV_PORT, 2);
    take_none(world.back);
}

static void two_ports_are_told_once_each_in_order(void **state)
{
    (void)state;
    uint32_t first = port_alloc(1), second = port_alloc(2);
    port_bind(first, 3);
    port_bind(second, 4);
    for (int i = 0; i < 3; i++) {
        hv_notify(world.front, first);
        hv_notify(world.front, second);
    }
    hv_notify(world.front, first);
    take(world.back, EV_PORT, 3);
    take(world.back, EV_PORT, 4);
    take_none(world.back);
}

static void notify_of_an_unbound_port_is_dropped(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1);
    assert_int_equal(hv_notify(world.front, port), 0);
    uint32_t bound = port_bind(port, 2);
    take_none(world.back); /* but the one of its birth, the drop left nothing behind */
    hv_port_close(world.back, TOKEN, bound);
    assert_int_equal(take(world.back, EV_PORT_CLOSE, TOKEN).ret, 0);
    assert_int_equal(hv_notify(world.front, port), 0);
    take_none(world.front);
    take_none(world.back);
}

static void a_port_of_another_is_not_connected(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1);
    assert_int_equal(hv_notify(world.other, port), -ERR_NOTCONN);
    assert_int_equal(hv_notify(world.front, 0), -ERR_NOTCONN);
    assert_int_equal(hv_unmask(world.other, port), 0);
    hv_port_close(world.other, TOKEN, port);
    assert_int_equal(take(world.other, EV_PORT_CLOSE, TOKEN).ret, -ERR_INVAL);
}

static void bind_is_refused_as_on_xen(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1);
    assert_int_equal(bind_error(world.back, 77, port), -ERR_SRCH);
    assert_int_equal(bind_error(world.other, FRONT, port), -ERR_SRCH);
    assert_int_equal(bind_error(world.back, FRONT, port + 1), -ERR_INVAL);
    port_bind(port, 2);
    assert_int_equal(bind_error(world.back, FRONT, port), -ERR_INVAL);
    take_none(world.back);
    assert_int_equal(world.back->counters.ports_now, 1);
}

static void a_closed_port_is_silent_and_its_peer_can_be_bound_again(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1), bound = port_bind(port, 2);
    hv_notify(world.front, port);
    hv_port_close(world.back, 3, bound);
    take(world.back, EV_PORT_CLOSE, 3);
    take_none(world.back);  /* the queued event went with the port */
    take_none(world.front); /* and the peer is not woken */
    bound = port_bind(port, 4);
    hv_notify(world.front, port);
    assert_int_equal(take(world.back, EV_PORT, 4).port, bound);
}

static void ports_run_out(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < 8; i++)
        port_alloc(i);
    hv_port_alloc(world.front, TOKEN, BACK);
    assert_int_equal(take(world.front, EV_PORT_ALLOC, TOKEN).ret, -ERR_NOSPC);
}

/* --- xenstore --- */

static const struct hv_tag state_tag = {
    .side = STEP_OTHER, .key = DIALECT_KEY_STATE, .domid = FRONT};
static const struct hv_tag port_tag = {.side = STEP_OWN, .key = DIALECT_KEY_PORT, .domid = OTHER};

static int publish(struct hv *hv, const char *path, const char *value)
{
    struct hv_node node;

    snprintf(node.path, sizeof(node.path), "%s", path);
    snprintf(node.value, sizeof(node.value), "%s", value);
    hv_store_publish(hv, TOKEN, &node, 1);
    return take(hv, EV_STORE_PUBLISH, TOKEN).ret;
}

static struct ev store_value(struct hv *hv, const char *path)
{
    hv_store_read(hv, TOKEN, &state_tag, path);
    return take(hv, EV_STORE_READ, TOKEN);
}

/* Watch as BACK and take the event of the registration. */
static void watch(uint64_t token, const struct hv_tag *tag, const char *path)
{
    hv_store_watch(world.back, token, tag, path);
    assert_int_equal(take(world.back, EV_STORE_WATCH, token).ret, 0);
    assert_int_equal(take(world.back, EV_STORE, token).store.key, tag->key);
}

static void a_node_is_read_with_its_tag(void **state)
{
    char longest[STEP_VALUE_BYTES];

    (void)state;
    assert_int_equal(publish(world.front, "/f/state", "4"), 0);
    struct ev ev = store_value(world.back, "/f/state");
    assert_int_equal(ev.ret, 0);
    assert_string_equal(ev.store.value, "4");
    assert_int_equal(ev.store.side, STEP_OTHER);
    assert_int_equal(ev.store.key, DIALECT_KEY_STATE);
    assert_int_equal(ev.store.domid, FRONT);
    assert_int_equal(store_value(world.back, "/f/none").ret, -ERR_NOENT);

    memset(longest, '7', sizeof(longest));
    longest[STEP_VALUE_BYTES - 1] = '\0';
    publish(world.front, "/f/state", longest);
    assert_string_equal(store_value(world.back, "/f/state").store.value, longest);
    struct store *store = hypervisor_store(hv_mem_tables(world.machine));
    store_put(store, "/f/state",
              "64 bytes, so one more than a core takes: ----------------------.");
    assert_int_equal(store_value(world.back, "/f/state").ret, -ERR_2BIG);
}

static void children_are_listed(void **state)
{
    char path[HV_PATH_BYTES];
    struct ev ev;

    (void)state;
    for (int i = 0; i < 500; i++) { /* more than the first buffer holds */
        snprintf(path, sizeof(path), "/d/%d", i);
        publish(world.front, path, "");
    }
    hv_store_list(world.back, TOKEN, &port_tag, "/d");
    ev = take(world.back, EV_STORE_LIST, TOKEN);
    assert_int_equal(ev.ret, 500);
    assert_int_equal(ev.store.domid, OTHER);
    const char *name = ev.store.names;
    for (int i = 0; i < 500; i++, name += strlen(name) + 1) {
        snprintf(path, sizeof(path), "%d", i);
        assert_string_equal(name, path);
    }
    hv_store_list(world.back, TOKEN, &port_tag, "/none");
    assert_int_equal(take(world.back, EV_STORE_LIST, TOKEN).ret, -ERR_NOENT);
}

static void a_watch_fires_at_once_and_per_change(void **state)
{
    (void)state;
    watch(1, &state_tag, "/f/state");
    take_none(world.back);
    publish(world.front, "/f/state", "1");
    take(world.back, EV_STORE, 1);
    publish(world.front, "/f/other", "1");
    take_none(world.back);
    store_cut(hypervisor_store(hv_mem_tables(world.machine)), "/f");
    take(world.back, EV_STORE, 1);
    take_none(world.back);
}

static void a_publish_is_seen_whole(void **state)
{
    const struct hv_node nodes[] = {{"/f/ring-ref", "8"}, {"/f/port", "3"}, {"/f/state", "3"}};

    (void)state;
    watch(1, &state_tag, "/f");
    hv_store_publish(world.front, TOKEN, nodes, 3);
    take(world.back, EV_STORE, 1);
    /* The first event is taken; the node written last is there. */
    hv_store_read(world.back, 2, &state_tag, "/f/state");
    take(world.back, EV_STORE, 1);
    take(world.back, EV_STORE, 1);
    assert_string_equal(take(world.back, EV_STORE_READ, 2).store.value, "3");
}

static void a_bad_publish_writes_nothing(void **state)
{
    const struct hv_node nodes[] = {{"/f/port", "3"}, {"/f//state", "3"}};

    (void)state;
    hv_store_publish(world.front, TOKEN, nodes, 2);
    assert_int_equal(take(world.front, EV_STORE_PUBLISH, TOKEN).ret, -ERR_INVAL);
    assert_int_equal(store_value(world.back, "/f/port").ret, -ERR_NOENT);
}

static void unwatch_ends_all_of_a_token_and_their_events(void **state)
{
    (void)state;
    watch(1, &state_tag, "/a");
    watch(1, &port_tag, "/a");
    watch(2, &port_tag, "/a");
    publish(world.front, "/a", "1");
    assert_int_equal(take(world.back, EV_STORE, 1).store.key, DIALECT_KEY_STATE);
    hv_store_unwatch(world.back, 1); /* one event of token 1 is still queued on the handle */
    take(world.back, EV_STORE, 2);
    take(world.back, EV_STORE_UNWATCH, 1);
    take_none(world.back);
    publish(world.front, "/a", "2");
    take(world.back, EV_STORE, 2);
    take_none(world.back);
    assert_int_equal(store_watches(hypervisor_store(hv_mem_tables(world.machine))), 1);
}

static void what_happened_first_is_told_first(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1);
    port_bind(port, 2);
    watch(3, &state_tag, "/f");
    publish(world.front, "/f", "4");
    hv_notify(world.front, port);
    take(world.back, EV_STORE, 3);
    take(world.back, EV_PORT, 2);
}

/* --- handles --- */

static void completions_come_in_order_of_submission(void **state)
{
    struct ev ev;

    (void)state;
    hv_share(world.front, 1, BACK, 1);
    hv_port_alloc(world.front, 2, BACK);
    hv_unmap(world.front, 3, 12345);
    hv_store_unwatch(world.front, 4);
    for (uint64_t token = 1; token <= 4; token++) {
        assert_true(hv_next(world.front, &ev));
        assert_int_equal(ev.token, token);
    }
    take_none(world.front);
}

static void a_death_frees_all_and_leaves_the_peer_its_mapping(void **state)
{
    uint32_t refs[4], own[1];
    struct hypervisor_usage usage;

    (void)state;
    hypervisor_device_add(hv_mem_tables(world.machine), "xensock", FRONT, BACK, 0);
    struct ev_share run = share(BACK, 4, refs);
    set_page_word(&run.area, 3, 0x42);
    struct ev mapped = map((const uint32_t[]){refs[3], refs[0]}, 2);
    uint32_t bound = port_bind(port_alloc(1), 2);
    hv_share(world.back, TOKEN, FRONT, 1);
    struct ev back_run = take(world.back, EV_SHARE, TOKEN);
    own[0] = back_run.share.refs[0];
    hv_map(world.front, TOKEN, BACK, own, 1);
    take(world.front, EV_MAP, TOKEN);
    watch(3, &state_tag, "/local/domain/5/device/xensock/0/state");
    hv_store_watch(world.front, TOKEN, &port_tag, "/x");
    hv_share(world.front, TOKEN, BACK, 1); /* completions nobody takes */
    hv_close(world.front);
    world.front = NULL;

    take(world.back, EV_STORE, 3);
    take_none(world.back);
    assert_int_equal(hv_notify(world.back, bound), 0);
    assert_int_equal(page_word(&mapped.share.area, 0), 0x42);
    assert_int_equal(unmap(mapped.share.handle), 0);
    hv_unshare(world.back, TOKEN, back_run.share.handle);
    assert_int_equal(take(world.back, EV_UNSHARE, TOKEN).ret, 0);
    hypervisor_usage(hv_mem_tables(world.machine), BACK, &usage);
    assert_int_equal(usage.grants + usage.maps, 0);
    assert_int_equal(usage.ports, 1);
}

static void counters_return_to_their_start(void **state)
{
    uint32_t refs[6];

    (void)state;
    struct ev_share run = share(BACK, 4, refs), small = share(BACK, 2, &refs[4]);
    struct ev mapped = map((const uint32_t[]){refs[1], refs[5]}, 2);
    uint32_t port = port_alloc(1), bound = port_bind(port, 2);
    const struct hv_counters *front = &world.front->counters, *back = &world.back->counters;
    assert_int_equal(front->grants_now, 6);
    assert_int_equal(front->shares, 2);
    assert_int_equal(front->ports_now + back->ports_now, 2);
    assert_int_equal(back->mapped_pages_now, 2);
    assert_int_equal(unmap(mapped.share.handle), 0);
    assert_int_equal(unshare(run.handle), 0);
    assert_int_equal(unshare(small.handle), 0);
    hv_port_close(world.front, TOKEN, port);
    hv_port_close(world.back, TOKEN, bound);
    assert_int_equal(front->grants_now + front->ports_now, 0);
    assert_int_equal(back->mapped_pages_now + back->ports_now, 0);
    assert_int_equal(front->grants_peak, 6);
    assert_int_equal(front->unshares, 2);
    assert_int_equal(back->maps, 1);
    assert_int_equal(back->unmaps, 1);
    assert_int_equal(back->ports_closed, 1);
}

static void a_chosen_submission_fails_untried(void **state)
{
    struct hypervisor_usage usage;

    (void)state;
    hv_mem_fail(world.front, EV_PORT_ALLOC, 1, -ERR_NOSPC);
    port_alloc(1);
    hv_port_alloc(world.front, TOKEN, BACK);
    assert_int_equal(take(world.front, EV_PORT_ALLOC, TOKEN).ret, -ERR_NOSPC);
    port_alloc(3);
    hypervisor_usage(hv_mem_tables(world.machine), FRONT, &usage);
    assert_int_equal(usage.ports, 2);
}

/* Of a node that could not be read it is still known which it was. */
static void a_failed_read_keeps_its_tag(void **state)
{
    const struct hv_tag tag = {STEP_OTHER, DIALECT_KEY_PORT, 7};

    (void)state;
    hv_mem_fail(world.front, EV_STORE_READ, 0, -ERR_NOMEM);
    hv_mem_fail(world.front, EV_STORE_LIST, 0, -ERR_NOMEM);
    hv_store_read(world.front, TOKEN, &tag, "/local/domain/1/port");
    struct ev ev = take(world.front, EV_STORE_READ, TOKEN);
    assert_int_equal(ev.ret, -ERR_NOMEM);
    assert_int_equal(ev.store.side, STEP_OTHER);
    assert_int_equal(ev.store.key, DIALECT_KEY_PORT);
    hv_store_list(world.front, TOKEN, &tag, "/local/domain/1");
    ev = take(world.front, EV_STORE_LIST, TOKEN);
    assert_int_equal(ev.ret, -ERR_NOMEM);
    assert_int_equal(ev.store.domid, 7);
}

static void a_notification_can_be_lost(void **state)
{
    (void)state;
    uint32_t port = port_alloc(1), bound = port_bind(port, 2);
    assert_false(hv_mem_drop(world.back, bound));
    hv_notify(world.front, port);
    assert_true(hv_mem_drop(world.back, bound));
    take_none(world.back);
    hv_notify(world.front, port);
    take(world.back, EV_PORT, 2);
}

static void a_domain_has_one_handle_and_can_live_again(void **state)
{
    (void)state;
    assert_null(hv_mem_domain(world.machine, FRONT));
    hv_close(world.front);
    world.front = hv_mem_domain(world.machine, FRONT);
    assert_non_null(world.front);
    port_alloc(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(only_the_binders_port_is_born_pending),
        HV_TEST(a_notify_wakes_the_other_end_under_its_token),
        HV_TEST(delivery_masks_and_unmask_tells_once_what_was_missed),
        HV_TEST(two_ports_are_told_once_each_in_order),
        HV_TEST(notify_of_an_unbound_port_is_dropped),
        HV_TEST(a_port_of_another_is_not_connected),
        HV_TEST(bind_is_refused_as_on_xen),
        HV_TEST(a_closed_port_is_silent_and_its_peer_can_be_bound_again),
        HV_TEST(ports_run_out),
        HV_TEST(a_node_is_read_with_its_tag),
        HV_TEST(children_are_listed),
        HV_TEST(a_watch_fires_at_once_and_per_change),
        HV_TEST(a_publish_is_seen_whole),
        HV_TEST(a_bad_publish_writes_nothing),
        HV_TEST(unwatch_ends_all_of_a_token_and_their_events),
        HV_TEST(what_happened_first_is_told_first),
        HV_TEST(completions_come_in_order_of_submission),
        HV_TEST(a_death_frees_all_and_leaves_the_peer_its_mapping),
        HV_TEST(counters_return_to_their_start),
        HV_TEST(a_chosen_submission_fails_untried),
        HV_TEST(a_failed_read_keeps_its_tag),
        HV_TEST(a_notification_can_be_lost),
        HV_TEST(a_domain_has_one_handle_and_can_live_again),
    };

    return !!cmocka_run_group_tests_name("hv_mem", tests, NULL, NULL);
}
