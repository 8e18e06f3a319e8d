/*
 * What real Xen does with event channels, row by row of the table `semantics` beside this file:
 * each test runs in memory, in virtual time and between processes.
 */
#include "tests/sim/hv/semantics_world.h"

static struct ev bind(uint16_t who, uint16_t remote, uint32_t port, uint64_t token)
{
    struct op op = {.kind = EV_PORT_BIND, .token = token, .domid = remote, .number = port};

    return submit(who, op);
}

static int close_port(uint16_t who, uint32_t port)
{
    return submit(who, (struct op){.kind = EV_PORT_CLOSE, .token = 99, .number = port}).ret;
}

static void do_notify(struct hv *hv, void *with)
{
    struct op *op = with;

    for (uint32_t i = 0; i < op->count; i++)
        op->ret = hv_notify(hv, op->number);
}

static int notify_times(uint16_t who, uint32_t port, uint32_t times)
{
    struct op op = {.number = port, .count = times};

    world->act(who, do_notify, &op);
    return op.ret;
}

static int notify(uint16_t who, uint32_t port)
{
    return notify_times(who, port, 1);
}

static void do_unmask(struct hv *hv, void *with)
{
    struct op *op = with;

    op->ret = hv_unmask(hv, op->number);
}

static int unmask(uint16_t who, uint32_t port)
{
    struct op op = {.number = port};

    world->act(who, do_unmask, &op);
    return op.ret;
}

enum { FRONT_TOKEN = 10, BACK_TOKEN = 20 };

/* A channel that FRONT offers and BACK binds; the event of its birth is taken. */
static void channel(uint32_t *front, uint32_t *back)
{
    *front = offer(FRONT, BACK, FRONT_TOKEN);
    *back = bind(BACK, FRONT, *front, BACK_TOKEN).port;
    assert_int_equal(expect(BACK, EV_PORT, BACK_TOKEN).port, *back);
    unmask(BACK, *back);
    silent(BACK);
}

static void a_notify_to_nobody_is_dropped(void **state)
{
    uint32_t front = offer(FRONT, BACK, FRONT_TOKEN);
    struct ev bound;

    (void)state;
    assert_int_equal(notify_times(FRONT, front, 100000), 0);
    bound = bind(BACK, FRONT, front, BACK_TOKEN);
    expect(BACK, EV_PORT, BACK_TOKEN); /* of its birth, and no other */
    unmask(BACK, bound.port);
    silent(BACK);
    assert_int_equal(close_port(BACK, bound.port), 0);
    assert_int_equal(notify(FRONT, front), 0);
    silent(BACK);
    silent(FRONT);
}

static void the_binders_port_is_born_pending(void **state)
{
    uint32_t front = offer(FRONT, BACK, FRONT_TOKEN);
    uint32_t back = bind(BACK, FRONT, front, BACK_TOKEN).port;

    (void)state;
    assert_int_equal(expect(BACK, EV_PORT, BACK_TOKEN).port, back);
    unmask(BACK, back);
    silent(BACK);
    silent(FRONT);
}

static void what_cannot_be_bound(void **state)
{
    uint32_t front, back;

    (void)state;
    channel(&front, &back);
    assert_int_equal(bind(BACK, FRONT, front, 5).ret, -ERR_INVAL);
    assert_int_equal(bind(BACK, FRONT, front + 1, 5).ret, -ERR_INVAL);
    assert_int_equal(bind(BACK, FRONT, 0, 5).ret, -ERR_INVAL);
    assert_int_equal(bind(BACK, FRONT, UINT32_MAX, 5).ret, -ERR_INVAL);
    assert_int_equal(usage(BACK).ports, 1);
    assert_int_equal(notify(FRONT, front), 0);
    expect(BACK, EV_PORT, BACK_TOKEN); /* and the channel is as it was */
}

static void nobody_offers_no_port(void **state)
{
    uint32_t front = offer(FRONT, BACK, FRONT_TOKEN);

    (void)state;
    assert_int_equal(bind(BACK, NOBODY, front, 5).ret, -ERR_SRCH);
    assert_int_equal(bind(THIRD, FRONT, front, 5).ret, -ERR_SRCH); /* offered to BACK */
    assert_int_equal(usage(BACK).ports, 0);
    assert_int_equal(usage(THIRD).ports, 0);
    assert_int_equal(bind(BACK, FRONT, front, 5).ret, 0);
}

static void delivery_masks_and_unmask_tells_once(void **state)
{
    uint32_t front, back;

    (void)state;
    channel(&front, &back);
    notify(FRONT, front);
    expect(BACK, EV_PORT, BACK_TOKEN);
    silent(BACK);
    for (int i = 0; i < 3; i++)
        notify(FRONT, front);
    silent(BACK);
    unmask(BACK, back);
    expect(BACK, EV_PORT, BACK_TOKEN);
    silent(BACK);
    unmask(BACK, back);
    silent(BACK);
    unmask(BACK, back);
    notify(FRONT, front);
    expect(BACK, EV_PORT, BACK_TOKEN);
}

static void five_notifies_are_one_to_five(void **state)
{
    uint32_t front, back, seen = 0;
    struct ev ev;

    (void)state;
    channel(&front, &back);
    for (int i = 0; i < 5; i++)
        notify(FRONT, front);
    while (world->next(BACK, &ev)) {
        assert_int_equal(ev.kind, EV_PORT);
        assert_int_equal(ev.port, back);
        seen++;
        unmask(BACK, back);
    }
    assert_in_range(seen, 1, 5);
    silent(FRONT);
}

static void ports_of_others_are_not_ours(void **state)
{
    uint32_t front, back;

    (void)state;
    channel(&front, &back);
    assert_int_equal(notify(THIRD, front), -ERR_NOTCONN);
    assert_int_equal(notify(FRONT, front + 1), -ERR_NOTCONN);
    assert_int_equal(notify(FRONT, 0), -ERR_NOTCONN);
    assert_int_equal(notify(FRONT, UINT32_MAX), -ERR_NOTCONN);
    assert_int_equal(unmask(THIRD, front), 0);
    assert_int_equal(unmask(FRONT, UINT32_MAX), 0);
    assert_int_equal(close_port(THIRD, front), -ERR_INVAL);
    assert_int_equal(close_port(FRONT, UINT32_MAX), -ERR_INVAL);
    silent(BACK);
    assert_int_equal(notify(FRONT, front), 0);
    expect(BACK, EV_PORT, BACK_TOKEN);
}

static void an_end_alone_can_be_bound_again(void **state)
{
    uint32_t front, back;

    (void)state;
    channel(&front, &back);
    assert_int_equal(close_port(BACK, back), 0);
    silent(FRONT);
    assert_int_equal(usage(BACK).ports, 0);
    back = bind(BACK, FRONT, front, 30).port;
    expect(BACK, EV_PORT, 30);
    unmask(BACK, back);
    assert_int_equal(notify(BACK, back), 0);
    assert_int_equal(expect(FRONT, EV_PORT, FRONT_TOKEN).port, front);
    assert_int_equal(close_port(FRONT, front), 0);
    silent(BACK);
    front = bind(FRONT, BACK, back, 31).port;
    expect(FRONT, EV_PORT, 31);
    assert_int_equal(notify(FRONT, front), 0);
    expect(BACK, EV_PORT, 30);
    silent(FRONT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL(a_notify_to_nobody_is_dropped),
        ALL(the_binders_port_is_born_pending),
        ALL(what_cannot_be_bound),
        ALL(nobody_offers_no_port),
        ALL(delivery_masks_and_unmask_tells_once),
        ALL(five_notifies_are_one_to_five),
        ALL(ports_of_others_are_not_ours),
        ALL(an_end_alone_can_be_bound_again),
    };

    return !!cmocka_run_group_tests_name("semantics of event channels", tests, NULL, NULL);
}
