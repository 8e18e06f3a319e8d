/*
 * The backend's bytes of PV Calls 1, as the words of an index page show them to a front that the
 * test plays: ends, errors, notifications. What both cores carry is test_data's. Source:
 * protocol.md 3.4.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue front;

static int open_front(void **state)
{
    (void)state;
    rogue_front_open_in(&front, &pair, &dialect_pvcalls1, 1);
    return 0;
}

static int close_front(void **state)
{
    (void)state;
    rogue_front_close(&front);
    return 0;
}

/* Events of the data ring's port that have come to the front since it looked last. */
static uint32_t events_of(uint32_t port)
{
    uint32_t count = 0;
    struct ev ev;

    while (hv_next(front.hv, &ev)) {
        count += ev.kind == EV_PORT && ev.port == port ? 1u : 0u;
        if (ev.kind == EV_PORT)
            hv_unmask(front.hv, ev.port);
    }
    return count;
}

static uint64_t open_data(struct rogue_data *data)
{
    struct call_reply reply;

    rogue_share(&front, data);
    struct call call = rogue_connect(1, 5, data);
    assert_int_equal(rogue_ask(&front, &call), 1);
    uint64_t token = pair_pending(&pair, EV_NET_CONNECT);
    assert_true(net_mem_complete(pair.net, EV_NET_CONNECT, token, 0, NULL));
    pair_run(&pair);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    events_of(data->port);
    return token;
}

static void release(void)
{
    const struct call call = {.id = 2, .kind = CALL_RELEASE, .sockid = 5};

    assert_int_equal(rogue_ask(&front, &call), 0);
}

/* protocol.md 3.4: in_error @8 and out_error @72; an orderly end is -107, as Linux stores it, and
 * comes after the last byte; any other error is its own number. */
static void ends_are_told_in_the_index_page(void **state)
{
    static const struct {
        enum ev_kind kind;
        int32_t ret;
        int32_t in_error;
    } cases[] = {{EV_NET_READ, 0, -107},
                 {EV_NET_READ, -ERR_CONNRESET, -104},
                 {EV_NET_READ, -ERR_TIMEDOUT, -110}};
    struct rogue_data data;

    (void)state;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t token = open_data(&data);
        assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 3, "end"));
        pair_run(&pair);
        assert_int_equal(shared_load(&data.area, 8), 0);
        assert_true(net_mem_complete(pair.net, cases[i].kind, token, cases[i].ret, NULL));
        pair_run(&pair);
        assert_int_equal(shared_load(&data.area, 4), 3); /* in_prod */
        assert_int_equal((int32_t)shared_load(&data.area, 8), cases[i].in_error);
        assert_true(events_of(data.port) > 0);
        release();
    }
}

static void write_errors_are_told_in_the_index_page(void **state)
{
    struct rogue_data data;

    (void)state;
    uint64_t token = open_data(&data);
    shared_store(&data.area, 68, 3); /* out_prod */
    hv_notify(front.hv, data.port);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, -ERR_PIPE, NULL));
    pair_run(&pair);
    assert_int_equal((int32_t)shared_load(&data.area, 72), -32);
    assert_int_equal(shared_load(&data.area, 8), 0);
    assert_true(events_of(data.port) > 0);
}

/* xen-semantics.md: on consume as well as on produce, or Linux's front hangs. */
static void notifies_of_what_it_took_and_gave(void **state)
{
    struct rogue_data data;

    (void)state;
    uint64_t token = open_data(&data);
    for (uint32_t i = 1; i <= 5; i++) {
        shared_store(&data.area, 68, i); /* out_prod */
        hv_notify(front.hv, data.port);
        pair_settle(&pair);
        assert_int_equal(shared_load(&data.area, 64), i); /* out_cons */
        assert_int_equal(events_of(data.port), 1);
        assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 1, "x"));
        pair_run(&pair);
        assert_int_equal(shared_load(&data.area, 4), i); /* in_prod */
        assert_int_equal(events_of(data.port), 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_front, close_front)
    const struct CMUnitTest tests[] = {
        TEST(ends_are_told_in_the_index_page),
        TEST(write_errors_are_told_in_the_index_page),
        TEST(notifies_of_what_it_took_and_gave),
    };

    return !!cmocka_run_group_tests_name("pvcalls_data", tests, NULL, NULL);
}
