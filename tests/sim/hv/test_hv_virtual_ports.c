/*
 * hv_virtual's notifications: how long they take by what the receiver does, which are coalesced,
 * and those whose port or domain goes while they are under way.
 */
#include "tests/sim/hv/virtual_world.h"

/* ---- notifications ---- */

/* A channel between the two, and nothing under way. */
static void connect(struct world *world)
{
    at_once(&world->front, alloc);
    world->front.port = take(&world->front, EV_PORT_ALLOC).ev.port;
    at_once(&world->back, bind);
    world->back.port = take(&world->back, EV_PORT_BIND).ev.port;
    forget(world);
}

static void notify(struct party *party)
{
    assert_int_equal(hv_notify(party->hv, party->port), 0);
}

static void notify_twice(struct party *party)
{
    notify(party);
    notify(party);
}

static void work(struct party *party)
{
    vcpu_charge(party->vcpu, COST_STEP, 1000); /* 50 us */
}

static void work_then_notify(struct party *party)
{
    vcpu_charge(party->vcpu, COST_STEP, 1);
    notify(party);
}

static struct trace_record traced(const struct world *world, enum trace_point point, uint32_t nth)
{
    for (uint32_t i = 0; i < world->traced_count; i++)
        if (world->traced[i].point == point && nth-- == 0)
            return world->traced[i];
    fail_msg("there is no such record");
    return (struct trace_record){0};
}

static uint32_t traced_count(const struct world *world, enum trace_point point)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->traced_count; i++)
        count += world->traced[i].point == point ? 1u : 0u;
    return count;
}

/* The n-th notification since forget(): sent at, to whom, and when it arrived. */
static void assert_sent(const struct world *world, uint32_t nth, const struct party *to,
                        uint64_t sent_ns, uint64_t takes_ns)
{
    struct trace_record sent = traced(world, TRACE_NOTIFY, nth);
    struct trace_record wake = traced(world, TRACE_WAKE, nth);

    assert_int_equal(sent.now_ns, sent_ns);
    assert_int_equal(sent.detail, TRACE_FATE_SENT);
    assert_int_equal(sent.who, to->hv->domid);
    assert_int_equal(sent.extra, to->port);
    assert_int_equal(sent.value, takes_ns);
    assert_int_equal(wake.now_ns, sent_ns + takes_ns);
    assert_int_equal(wake.who, to->hv->domid);
    assert_int_equal(wake.extra, to->port);
}

/* One from back to front at `at_ns`, with nothing else going on. */
static void assert_delivery(struct world *world, uint64_t at_ns, uint64_t takes_ns)
{
    forget(world);
    plan(&world->back, at_ns, notify);
    settle(world);
    assert_sent(world, 0, &world->front, at_ns, takes_ns);
    struct seen seen = take(&world->front, EV_PORT);
    assert_int_equal(seen.at_ns, at_ns + takes_ns);
    assert_int_equal(seen.ev.port, world->front.port);
    assert_int_equal(seen.ev.token, TOKEN);
    take_none(&world->front);
}

static void test_delivery_by_idle_time(void **state)
{
    struct world *world = *state;

    connect(world);
    at_once(&world->front, work);
    uint64_t end_ns = now_ns(world); /* the front's CPU is idle from now on */
    assert_delivery(world, end_ns + 1, 200);
    end_ns += 1 + 200 + 1; /* the turn that took it was 1 ns */
    assert_delivery(world, end_ns + DOZING_NS - 1, 200);
    end_ns += DOZING_NS - 1 + 200 + 1;
    assert_delivery(world, end_ns + DOZING_NS, 300);
    end_ns += DOZING_NS + 300 + 1;
    assert_delivery(world, end_ns + ASLEEP_NS - 1, 300);
    end_ns += ASLEEP_NS - 1 + 300 + 1;
    assert_delivery(world, end_ns + ASLEEP_NS, 400);
}

static void test_delivery_to_the_backend_wakes_a_process(void **state)
{
    struct world *world = *state;

    connect(world);
    at_once(&world->back, work);
    uint64_t at_ns = now_ns(world);
    plan(&world->front, at_ns, notify);
    settle(world);
    assert_sent(world, 0, &world->back, at_ns, 1000 + 200);
    assert_int_equal(take(&world->back, EV_PORT).at_ns, at_ns + 1200);
}

static void test_delivery_to_one_that_runs(void **state)
{
    struct world *world = *state;

    connect(world);
    uint64_t at_ns = now_ns(world) + 1000;
    plan(&world->back, at_ns, work);
    plan(&world->front, at_ns + 500, notify);
    settle(world);
    assert_sent(world, 0, &world->back, at_ns + 500, 100); /* the backend's process is awake */
    assert_int_equal(take(&world->back, EV_PORT).at_ns, at_ns + 1000 * STEP_NS);
}

static void test_delivery_to_one_without_a_cpu(void **state)
{
    struct world *world = *state;

    connect(world);
    uint64_t at_ns = now_ns(world) + 1000;
    vcpu_wake(world->other, at_ns);
    plan(&world->back, at_ns + 10, notify);
    settle(world);
    assert_sent(world, 0, &world->front, at_ns + 10, 100 + 5000);
    assert_int_equal(take(&world->front, EV_PORT).at_ns, at_ns + 10 + 5100);
}

static void test_a_send_takes_effect_in_program_order(void **state)
{
    struct world *world = *state;

    connect(world);
    uint64_t at_ns = now_ns(world) + 1000, busy = busy_ns(&world->back);
    plan(&world->back, at_ns, work_then_notify);
    pass_until(world, at_ns + STEP_NS - 1);
    assert_int_equal(traced_count(world, TRACE_NOTIFY), 0);
    settle(world);
    assert_int_equal(traced(world, TRACE_NOTIFY, 0).now_ns, at_ns + STEP_NS);
    assert_int_equal(busy_ns(&world->back) - busy, STEP_NS + 11);
}

static void test_coalesced_under_way(void **state)
{
    struct world *world = *state;
    struct hv_virtual_signal last;

    connect(world);
    at_once(&world->front, work);
    uint64_t at_ns = now_ns(world);
    plan(&world->back, at_ns, notify_twice);
    pass_until(world, at_ns + 20);
    assert_true(hv_virtual_last_signal(world->machine, FRONT, world->front.port, &last));
    assert_int_equal(last.sent_ns, at_ns + 11);
    assert_int_equal(last.arrived_ns, 0);
    assert_int_equal(last.fate, TRACE_FATE_COALESCED);
    assert_int_equal(last.count, 2);
    settle(world);
    assert_int_equal(traced(world, TRACE_NOTIFY, 1).detail, TRACE_FATE_COALESCED);
    assert_int_equal(traced_count(world, TRACE_WAKE), 1);
    take(&world->front, EV_PORT);
    take_none(&world->front);
    assert_true(hv_virtual_last_signal(world->machine, FRONT, world->front.port, &last));
    assert_int_equal(last.arrived_ns, at_ns + 200);
    assert_false(last.waiting);
    at_once(&world->back, notify); /* the next one is on its own */
    take(&world->front, EV_PORT);
}

static void test_coalesced_pending_and_masked(void **state)
{
    struct world *world = *state;
    struct party *front = &world->front;
    struct hv_virtual_signal last;

    connect(world);
    front->keeps_masked = true;
    at_once(&world->back, notify);
    take(front, EV_PORT);
    at_once(&world->back, notify); /* remembered */
    take_none(front);
    assert_true(hv_virtual_last_signal(world->machine, FRONT, front->port, &last));
    assert_int_equal(last.fate, TRACE_FATE_SENT);
    assert_true(last.arrived_ns > 0);
    assert_true(last.waiting);
    at_once(&world->back, notify); /* once */
    assert_int_equal(traced_count(world, TRACE_WAKE), 2);
    assert_true(hv_virtual_last_signal(world->machine, FRONT, front->port, &last));
    assert_int_equal(last.fate, TRACE_FATE_COALESCED);
    assert_int_equal(last.arrived_ns, 0);
    assert_true(last.waiting);
    hv_unmask(front->hv, front->port);
    assert_int_equal(hv_virtual_due_ns(front->hv), now_ns(world));
    vcpu_wake(front->vcpu, now_ns(world));
    settle(world);
    take(front, EV_PORT);
    take_none(front);
}

static void test_born_pending(void **state)
{
    struct world *world = *state;
    struct hv_virtual_signal last;

    at_once(&world->front, alloc);
    world->front.port = take(&world->front, EV_PORT_ALLOC).ev.port;
    uint64_t start_ns = now_ns(world);
    at_once(&world->back, bind);
    struct seen bound = take(&world->back, EV_PORT_BIND), port = take(&world->back, EV_PORT);
    assert_int_equal(bound.at_ns, start_ns + 20);
    assert_int_equal(port.at_ns, start_ns + 20); /* not before its port is known */
    assert_int_equal(port.ev.port, bound.ev.port);
    take_none(&world->back);
    take_none(&world->front);
    assert_false(hv_virtual_last_signal(world->machine, BACK, bound.ev.port, &last));
}

/* Numbers are given in turn: all others first, then this one again. */
static void close_and_alloc(struct party *party)
{
    hv_port_close(party->hv, TOKEN, party->port);
    for (uint32_t i = 1; i < PORTS - 1; i++) {
        hv_port_alloc(party->hv, TOKEN, BACK);
        hv_port_close(party->hv, TOKEN, (party->port - 1 + i) % (PORTS - 1) + 1);
    }
    hv_port_alloc(party->hv, TOKEN + 1, BACK);
}

static void test_port_closed_while_a_notification_is_under_way(void **state)
{
    struct world *world = *state;
    struct party *front = &world->front;
    struct hv_virtual_signal last;

    connect(world);
    at_once(front, work);
    plan(&world->back, now_ns(world), notify);
    plan(front, now_ns(world) + 100, close_port);
    settle(world);
    take(front, EV_PORT_CLOSE);
    take_none(front);
    assert_int_equal(traced(world, TRACE_NOTIFY, 0).detail, TRACE_FATE_SENT);
    assert_int_equal(traced_count(world, TRACE_WAKE), 0);
    assert_false(hv_virtual_last_signal(world->machine, FRONT, front->port, &last));
}

static void test_port_reused_while_a_notification_is_under_way(void **state)
{
    struct world *world = *state;
    struct party *front = &world->front;
    struct hv_virtual_signal last;

    connect(world);
    at_once(front, work);
    plan(&world->back, now_ns(world), notify);
    plan(front, now_ns(world) + 100, close_and_alloc);
    settle(world);
    front->first = front->count - 1;                                   /* after all that closing */
    assert_int_equal(take(front, EV_PORT_ALLOC).ev.port, front->port); /* the same number */
    take_none(front);
    assert_int_equal(traced_count(world, TRACE_WAKE), 0);
    assert_false(hv_virtual_last_signal(world->machine, FRONT, front->port, &last));
    forget(world);
    at_once(&world->back, bind);
    world->back.port = take(&world->back, EV_PORT_BIND).ev.port;
    at_once(&world->back, notify); /* and the new one is whole */
    assert_int_equal(take(front, EV_PORT).ev.token, TOKEN + 1);
    assert_true(hv_virtual_last_signal(world->machine, FRONT, front->port, &last));
    assert_int_equal(last.count, 1);
}

static void test_nobody_there_when_it_takes_effect(void **state)
{
    struct world *world = *state;

    connect(world);
    uint64_t at_ns = now_ns(world) + 1000;
    plan(&world->back, at_ns, work_then_notify);
    plan(&world->front, at_ns + 10, close_port);
    settle(world);
    struct trace_record sent = traced(world, TRACE_NOTIFY, 0);
    assert_int_equal(sent.detail, TRACE_FATE_UNBOUND);
    assert_int_equal(sent.now_ns, at_ns + STEP_NS);
    assert_int_equal(traced_count(world, TRACE_WAKE), 0);
    forget(world);
    at_once(&world->back, notify); /* an unbound port: dropped at once, and it was paid for */
    assert_int_equal(traced_count(world, TRACE_NOTIFY), 0);
}

static void test_death_while_a_notification_is_under_way(void **state)
{
    struct world *world = *state;
    struct party *front = &world->front;

    connect(world);
    at_once(front, work);
    uint64_t turns = vcpu_counters(front->vcpu)->turns;
    plan(&world->back, now_ns(world), notify_twice);
    pass_until(world, now_ns(world) + 5);
    hv_close(front->hv);
    front->hv = NULL;
    vcpu_retire(front->vcpu);
    settle(world);
    assert_int_equal(traced_count(world, TRACE_WAKE), 0);
    assert_int_equal(traced(world, TRACE_NOTIFY, 1).detail, TRACE_FATE_UNBOUND);
    assert_int_equal(vcpu_counters(front->vcpu)->turns, turns);
}

static void test_delay_of_notifications(void **state)
{
    struct world *world = *state;

    connect(world);
    at_once(&world->front, work);
    hv_virtual_delay(world->machine, FRONT, 3000);
    assert_delivery(world, now_ns(world) + 10, 200 + 3000);
    hv_virtual_delay(world->machine, FRONT, 0);
    assert_delivery(world, now_ns(world) + 10, 200);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_delivery_by_idle_time),
        TEST(test_delivery_to_the_backend_wakes_a_process),
        TEST(test_delivery_to_one_that_runs),
        TEST(test_delivery_to_one_without_a_cpu),
        TEST(test_a_send_takes_effect_in_program_order),
        TEST(test_coalesced_under_way),
        TEST(test_coalesced_pending_and_masked),
        TEST(test_born_pending),
        TEST(test_port_closed_while_a_notification_is_under_way),
        TEST(test_port_reused_while_a_notification_is_under_way),
        TEST(test_nobody_there_when_it_takes_effect),
        TEST(test_death_while_a_notification_is_under_way),
        TEST(test_delay_of_notifications),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
