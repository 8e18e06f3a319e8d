/* The ops of hv.h between processes: each one, its errors, and what is left over. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/emu_pair.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct hv_tag TAG = {.side = STEP_OTHER, .key = DIALECT_KEY_PORT, .domid = 77};

static void bytes_pass_both_ways_and_nothing_stays(void **state)
{
    uint32_t refs[4];
    struct ev_share run = emu_pair_share(4, refs);
    struct ev mapped = emu_pair_map(refs, 4);

    (void)state;
    assert_int_equal(mapped.ret, 0);
    assert_int_equal(shared_load(&mapped.share.area, 3 * 4096), 0);
    for (uint32_t page = 0; page < 4; page++)
        shared_store(&run.area, page * 4096 + 8, 100 + page);
    for (uint32_t page = 0; page < 4; page++)
        assert_int_equal(shared_load(&mapped.share.area, page * 4096 + 8), 100 + page);
    shared_store(&mapped.share.area, 4092, 7);
    assert_int_equal(shared_load(&run.area, 4092), 7);
    assert_int_equal(emu_pair.domains[FRONT]->counters.grants_now, 4);
    assert_int_equal(emu_pair.domains[BACK]->counters.mapped_pages_now, 4);

    emu_pair_unmap(mapped.share.handle);
    emu_pair_unshare(run.handle);
    assert_int_equal(emu_pair_usage(FRONT).grants, 0);
    assert_int_equal(emu_pair_usage(BACK).maps, 0);
    assert_int_equal(emu_pair.domains[FRONT]->counters.grants_now, 0);
    assert_int_equal(emu_pair.domains[BACK]->counters.mapped_pages_now, 0);
}

static void a_map_has_its_refs_in_their_order(void **state)
{
    uint32_t a[2], b[3];
    struct ev_share first = emu_pair_share(2, a), second = emu_pair_share(3, b);
    uint32_t refs[] = {b[2], a[0], a[1], b[2], b[0]};
    uint32_t values[] = {22, 10, 11, 22, 20};
    struct ev mapped;

    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        shared_store(&first.area, i * 4096, 10 + i);
    for (uint32_t i = 0; i < 3; i++)
        shared_store(&second.area, i * 4096, 20 + i);
    mapped = emu_pair_map(refs, 5);
    assert_int_equal(mapped.ret, 0);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(shared_load(&mapped.share.area, i * 4096), values[i]);
    emu_pair_unmap(mapped.share.handle);
    emu_pair_unshare(first.handle);
    emu_pair_unshare(second.handle);
}

static void a_bad_ref_maps_nothing(void **state)
{
    uint32_t refs[3];
    struct ev_share run = emu_pair_share(2, refs);
    uint32_t bad[] = {0, 7, refs[1] + 1, UINT32_MAX};

    (void)state;
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refs[2] = bad[i];
        assert_int_equal(emu_pair_map(refs, 3).ret, -ERR_INVAL);
    }
    hv_map(emu_pair.domains[THIRD], 5, FRONT, refs, 2);
    assert_int_equal(emu_pair_expect(THIRD, EV_MAP, 5).ret, -ERR_INVAL);
    hv_map(emu_pair.domains[BACK], 5, 4711, refs, 2);
    assert_int_equal(emu_pair_expect(BACK, EV_MAP, 5).ret, -ERR_INVAL);
    assert_int_equal(emu_pair_usage(BACK).maps, 0);
    emu_pair_unshare(run.handle);
    emu_machine_settle(&emu_pair); /* one way: the hypervisor may hear of it later */
    assert_int_equal(emu_pair_map(refs, 2).ret, -ERR_INVAL);
}

static void a_mapping_outlives_unshare_and_death_of_the_owner(void **state)
{
    uint32_t refs[2];
    struct ev_share run = emu_pair_share(2, refs);
    struct ev mapped = emu_pair_map(refs, 2);

    (void)state;
    shared_store(&run.area, 4096, 42);
    emu_pair_unshare(run.handle);
    assert_int_equal(emu_pair_usage(FRONT).grants_quarantined, 2);
    assert_int_equal(shared_load(&mapped.share.area, 4096), 42);
    hv_close(emu_pair.domains[FRONT]);
    emu_pair.domains[FRONT] = NULL;
    emu_machine_settle(&emu_pair);
    assert_int_equal(shared_load(&mapped.share.area, 4096), 42);
    emu_pair_unmap(mapped.share.handle);
}

static void more_runs_than_a_message_holds_are_refused(void **state)
{
    uint32_t refs[254], handles[254];
    struct ev mapped;

    (void)state;
    for (uint32_t i = 0; i < 254; i++)
        handles[i] = emu_pair_share(1, &refs[i]).handle;
    assert_int_equal(emu_pair_map(refs, 254).ret, -ERR_NOSPC);
    assert_int_equal(emu_pair_usage(BACK).maps, 0);
    mapped = emu_pair_map(refs, 253);
    assert_int_equal(mapped.ret, 0);
    emu_pair_unmap(mapped.share.handle);
    for (uint32_t i = 0; i < 254; i++)
        emu_pair_unshare(handles[i]);
}

static void a_port_is_born_pending_for_the_binder_only(void **state)
{
    uint32_t front, back;

    (void)state;
    emu_pair_open_channel(&front, &back); /* expects just that */
    assert_true(front > 0 && back > 0);
}

static void notifies_coalesce_and_wait_for_unmask(void **state)
{
    uint32_t front, back;

    (void)state;
    emu_pair_open_channel(&front, &back);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hv_notify(emu_pair.domains[FRONT], front), 0);
    emu_pair_expect(BACK, EV_PORT, 20);
    emu_machine_silent(&emu_pair, BACK);
    assert_int_equal(hv_notify(emu_pair.domains[FRONT], front), 0);
    assert_int_equal(hv_notify(emu_pair.domains[FRONT], front), 0);
    emu_machine_silent(&emu_pair, BACK); /* masked */
    hv_unmask(emu_pair.domains[BACK], back);
    emu_pair_expect(BACK, EV_PORT, 20);
    hv_unmask(emu_pair.domains[BACK], back);
    emu_machine_silent(&emu_pair, BACK);
    assert_int_equal(hv_notify(emu_pair.domains[BACK], back), 0);
    assert_int_equal(emu_pair_expect(FRONT, EV_PORT, 10).port, front);
}

static void a_notify_before_the_bind_is_not_lost(void **state)
{
    uint32_t front;

    (void)state;
    hv_port_alloc(emu_pair.domains[FRONT], 10, BACK);
    front = emu_pair_expect(FRONT, EV_PORT_ALLOC, 10).port;
    assert_int_equal(hv_notify(emu_pair.domains[FRONT], front), 0);
    hv_port_bind(emu_pair.domains[BACK], 20, FRONT, front);
    emu_pair_expect(BACK, EV_PORT_BIND, 20);
    assert_int_equal(hv_notify(emu_pair.domains[BACK], 1), 0);
    emu_pair_expect(FRONT, EV_PORT, 10);
    emu_pair_expect(BACK, EV_PORT, 20);
}

static void ports_refuse_what_xen_refuses(void **state)
{
    struct hv *back = emu_pair.domains[BACK];
    uint32_t front, bound;

    (void)state;
    emu_pair_open_channel(&front, &bound);
    hv_port_bind(back, 21, FRONT, front);
    assert_int_equal(emu_pair_expect(BACK, EV_PORT_BIND, 21).ret, -ERR_INVAL);
    hv_port_bind(back, 21, FRONT, 4000);
    assert_int_equal(emu_pair_expect(BACK, EV_PORT_BIND, 21).ret, -ERR_INVAL);
    hv_port_bind(emu_pair.domains[THIRD], 22, FRONT, front);
    assert_int_equal(emu_pair_expect(THIRD, EV_PORT_BIND, 22).ret, -ERR_SRCH);
    hv_port_bind(back, 21, 4711, front);
    assert_int_equal(emu_pair_expect(BACK, EV_PORT_BIND, 21).ret, -ERR_SRCH);
    assert_int_equal(hv_notify(back, bound + 1), -ERR_NOTCONN);
    assert_int_equal(hv_notify(back, UINT32_MAX), -ERR_NOTCONN);
    assert_int_equal(hv_unmask(back, bound + 1), 0);
}

static void a_closed_port_is_silent_and_can_be_bound_again_from_either_end(void **state)
{
    struct hv *front_hv = emu_pair.domains[FRONT], *back_hv = emu_pair.domains[BACK];
    uint32_t front, back;
    struct ev ev;

    (void)state;
    emu_pair_open_channel(&front, &back);
    hv_notify(front_hv, front);
    emu_machine_settle(&emu_pair);
    hv_port_close(back_hv, 23, back);
    assert_int_equal(emu_pair_expect(BACK, EV_PORT_CLOSE, 23).ret, 0);
    emu_machine_silent(&emu_pair, BACK);
    emu_machine_silent(&emu_pair, FRONT);
    assert_int_equal(hv_notify(front_hv, front), 0);
    assert_int_equal(hv_notify(back_hv, back), -ERR_NOTCONN);

    hv_port_bind(back_hv, 24, FRONT, front);
    back = emu_pair_expect(BACK, EV_PORT_BIND, 24).port;
    emu_pair_expect(BACK, EV_PORT, 24);
    hv_port_close(front_hv, 25, front);
    emu_pair_expect(FRONT, EV_PORT_CLOSE, 25);
    emu_machine_settle(&emu_pair);
    hv_port_bind(front_hv, 26, BACK, back);
    ev = emu_pair_expect(FRONT, EV_PORT_BIND, 26);
    emu_pair_expect(FRONT, EV_PORT, 26);
    hv_unmask(back_hv, back);
    emu_machine_silent(&emu_pair, BACK);
    hv_notify(front_hv, ev.port);
    emu_pair_expect(BACK, EV_PORT, 24);
    hv_unmask(front_hv, ev.port);
    hv_notify(back_hv, back);
    emu_pair_expect(FRONT, EV_PORT, 26);
}

static void wait_takes_what_comes_without_sleeping(void **state)
{
    struct hv *hv = emu_pair.domains[BACK];
    uint32_t front, back;
    struct ev ev;

    (void)state;
    emu_pair_open_channel(&front, &back);
    hv_wait(hv, 0);
    assert_false(hv_next(hv, &ev));
    hv_notify(emu_pair.domains[FRONT], front);
    hv_wait(hv, 0);
    assert_true(hv_next(hv, &ev));
    assert_int_equal(ev.kind, EV_PORT);
}

static void publish(uint16_t domid, const char *path, const char *value, int32_t ret)
{
    struct hv_node node = {0};

    snprintf(node.path, sizeof(node.path), "%s", path);
    snprintf(node.value, sizeof(node.value), "%s", value);
    hv_store_publish(emu_pair.domains[domid], 30, &node, 1);
    assert_int_equal(emu_pair_expect(domid, EV_STORE_PUBLISH, 30).ret, ret);
}

static void check_tag(const struct ev *ev)
{
    assert_int_equal(ev->store.side, TAG.side);
    assert_int_equal(ev->store.key, TAG.key);
    assert_int_equal(ev->store.domid, TAG.domid);
}

/* What the front owns, so that it may write it. */
#define OWN "/local/domain/1/data"

static void the_store_reads_lists_and_publishes(void **state)
{
    struct hv *hv = emu_pair.domains[BACK];
    struct hv_node nodes[2] = {{OWN "/b", "2"}, {OWN "//bad", "3"}};
    struct ev ev;

    (void)state;
    publish(FRONT, OWN "/a", "1", 0);
    hv_store_publish(hv, 31, nodes, 2);
    assert_int_equal(emu_pair_expect(BACK, EV_STORE_PUBLISH, 31).ret, -ERR_INVAL);
    publish(BACK, OWN "/c", "", 0);
    hv_store_read(hv, 32, &TAG, OWN "/a");
    ev = emu_pair_expect(BACK, EV_STORE_READ, 32);
    assert_string_equal(ev.store.value, "1");
    check_tag(&ev);
    hv_store_read(hv, 33, &TAG, OWN "/b"); /* all or nothing */
    assert_int_equal(emu_pair_expect(BACK, EV_STORE_READ, 33).ret, -ERR_NOENT);
    hv_store_list(hv, 34, &TAG, OWN);
    ev = emu_pair_expect(BACK, EV_STORE_LIST, 34);
    assert_int_equal(ev.ret, 2);
    assert_memory_equal(ev.store.names, "a\0c\0", 4);
    check_tag(&ev);
    hv_store_list(hv, 35, &TAG, "/nowhere");
    assert_int_equal(emu_pair_expect(BACK, EV_STORE_LIST, 35).ret, -ERR_NOENT);
}

static void a_watch_fires_at_once_per_change_and_not_after_its_end(void **state)
{
    struct hv_tag second = {.side = STEP_OWN, .key = DIALECT_KEY_STATE, .domid = 5};
    struct ev ev;

    (void)state;
    hv_store_watch(emu_pair.domains[BACK], 40, &TAG, OWN "/t");
    assert_int_equal(emu_pair_expect(BACK, EV_STORE_WATCH, 40).ret, 0);
    ev = emu_pair_expect(BACK, EV_STORE, 40);
    check_tag(&ev);
    hv_store_watch(emu_pair.domains[BACK], 40, &second, OWN "/u");
    emu_pair_expect(BACK, EV_STORE_WATCH, 40);
    emu_pair_expect(BACK, EV_STORE, 40);
    publish(FRONT, OWN "/t", "1", 0);
    ev = emu_pair_expect(BACK, EV_STORE, 40);
    check_tag(&ev);
    publish(FRONT, OWN "/u", "1", 0);
    assert_int_equal(emu_pair_expect(BACK, EV_STORE, 40).store.key, DIALECT_KEY_STATE);

    publish(FRONT, OWN "/t", "2", 0); /* on its way, or not, when the watch ends */
    hv_store_unwatch(emu_pair.domains[BACK], 40);
    do
        ev = emu_machine_await(&emu_pair, BACK);
    while (ev.kind == EV_STORE);
    assert_int_equal(ev.kind, EV_STORE_UNWATCH);
    publish(FRONT, OWN "/t", "3", 0);
    publish(FRONT, OWN "/u", "3", 0);
    emu_machine_silent(&emu_pair, BACK);
    hv_store_unwatch(emu_pair.domains[BACK], 40); /* there is none any more */
    assert_int_equal(emu_pair_expect(BACK, EV_STORE_UNWATCH, 40).ret, 0);
    hv_store_watch(emu_pair.domains[BACK], 41, &TAG, OWN "//");
    assert_int_equal(emu_pair_expect(BACK, EV_STORE_WATCH, 41).ret, -ERR_INVAL);
}

/* The hypervisor alone, so that what it sends stays unread. */
static void serve_only(void)
{
    while (poll(emu_pair.loop.fds, emu_pair.loop.count, 0) > 0) {
        for (uint32_t i = 0; i < emu_pair.loop.count; i++) {
            if (emu_pair.loop.fds[i].revents != 0)
                emu_server_ready(emu_pair.server, emu_pair.loop.fds[i].fd);
        }
    }
}

static void an_event_on_its_way_belongs_to_the_watch_it_was_sent_for(void **state)
{
    struct hv *hv = emu_pair.domains[BACK];
    struct hv_node node = {"/t/x", "1"};

    (void)state;
    hv_store_watch(hv, 43, &TAG, "/t");
    emu_pair_expect(BACK, EV_STORE_WATCH, 43);
    emu_pair_expect(BACK, EV_STORE, 43);
    hv_store_publish(hv, 44, &node, 1);
    serve_only();
    hv_store_unwatch(hv, 43);
    hv_store_watch(hv, 45, &TAG, "/u");
    emu_pair_expect(BACK, EV_STORE_PUBLISH, 44);
    emu_pair_expect(BACK, EV_STORE, 43);
    emu_pair_expect(BACK, EV_STORE_UNWATCH, 43);
    emu_pair_expect(BACK, EV_STORE_WATCH, 45);
    emu_pair_expect(BACK, EV_STORE, 45);
    emu_machine_silent(&emu_pair, BACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, emu_pair_make, emu_pair_unmake)
        T(bytes_pass_both_ways_and_nothing_stays),
        T(a_map_has_its_refs_in_their_order),
        T(a_bad_ref_maps_nothing),
        T(a_mapping_outlives_unshare_and_death_of_the_owner),
        T(more_runs_than_a_message_holds_are_refused),
        T(a_port_is_born_pending_for_the_binder_only),
        T(notifies_coalesce_and_wait_for_unmask),
        T(a_notify_before_the_bind_is_not_lost),
        T(ports_refuse_what_xen_refuses),
        T(a_closed_port_is_silent_and_can_be_bound_again_from_either_end),
        T(wait_takes_what_comes_without_sleeping),
        T(the_store_reads_lists_and_publishes),
        T(a_watch_fires_at_once_per_change_and_not_after_its_end),
        T(an_event_on_its_way_belongs_to_the_watch_it_was_sent_for),
#undef T
    };
    return !!cmocka_run_group_tests_name("hv_emu", tests, NULL, NULL);
}
