/*
 * Both cores while the other side's state says anything at any moment, or nothing ever: before each
 * event of a whole session a state is written that is not true, once or flapping, and in every
 * phase the other side falls silent. No crash, no state 4 without a ring, and at the end nothing is
 * left. Which attack each test is: attacks.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PATIENCE_NS 5000000000u
#define HOUR_NS 3600000000000u

enum { HELD = 0 }; /* no lie before an event: one while a completion is kept back */

static struct pair pair;

static const char *const states[] = {"0", "1", "2", "3", "4", "5", "6",
                                     "7", "8", "9", "",  "x", "-1"};

/* Who is lied to, before which of its events, and how often. */
static struct {
    const struct hv_ops *real;
    struct hv_ops ops;
    uint16_t about; /* the domain whose state is falsified */
    const char *state;
    uint32_t at, times, seen;
    bool hold; /* the event at `at`, if it is a completion, until the state was written and acted on
                */
    bool holding;
    struct ev held;
    uint32_t refs[CALL_REFS_MAX]; /* of a held SHARE: the event's are valid during its step only */
} liar;

/* Completions of different kinds may come in any order: one is kept back. */
static bool next_but_held(struct hv *hv, struct ev *ev)
{
    bool any = liar.real->next(hv, ev);

    if (any && liar.hold && liar.seen >= liar.at && !liar.holding && ev->kind < EV_START) {
        liar.hold = false;
        liar.holding = true;
        liar.held = *ev;
        if (ev->kind == EV_SHARE && ev->ret >= 0) {
            memcpy(liar.refs, ev->share.refs, ev->share.area.pages * sizeof(liar.refs[0]));
            liar.held.share.refs = liar.refs;
        }
        any = liar.real->next(hv, ev);
    }
    return any;
}

/* The events of the side lied to pass here; a flapping state is 4 every other time. */
static bool lie_then_next(struct hv *hv, struct ev *ev)
{
    bool any = next_but_held(hv, ev);

    if (any && liar.seen >= liar.at && liar.seen < liar.at + liar.times)
        pair_write(&pair, liar.about, "state", (liar.seen - liar.at) % 2 == 0 ? liar.state : "4");
    liar.seen += any ? 1u : 0u;
    return any;
}

static bool give_held(struct hv *hv, struct ev *ev)
{
    if (!liar.holding)
        return lie_then_next(hv, ev);
    liar.holding = false;
    *ev = liar.held;
    return true;
}

/* All that can happen happens; then, if a completion is kept back, the lie, and then that. */
static void settle(void)
{
    pair_settle(&pair);
    if (!liar.holding)
        return;
    pair_write(&pair, liar.about, "state", liar.state);
    pair_settle(&pair);
    liar.ops.next = give_held;
    pair_settle(&pair);
    liar.ops.next = lie_then_next;
}

static void begin_lying(struct hv *hv)
{
    liar.real = hv->ops;
    liar.ops = *hv->ops;
    liar.ops.next = lie_then_next;
    hv->ops = &liar.ops;
}

static void assert_ring_behind_4(void)
{
    if (be_state(pair.be) == XENBUS_CONNECTED)
        assert_true(pair.back_hv->counters.mapped_pages_now >= 1);
}

/* A connected and an accepted socket, as far as it goes; ids, or what the calls said. */
static void use(int64_t socks[3])
{
    socks[0] = pair_connect_begin(&pair, 80);
    socks[1] = pair_bind_begin(&pair, 7000);
    settle();
    assert_ring_behind_4();
    if (socks[1] >= 0)
        pair_listen_begin(&pair, (uint64_t)socks[1]);
    settle();
    socks[2] = socks[1] < 0 ? -1 : pair_accept_begin(&pair, (uint64_t)socks[1]);
    pair_run(&pair);
    if (socks[0] >= 0)
        pair_send(&pair, (uint64_t)socks[0], "x", 1);
    settle();
    assert_ring_behind_4();
}

/* Both are told to stop, and are waited for; whatever sockets there still are, are released. */
static void end(const int64_t socks[3])
{
    exec_post(pair.front, 0, EV_STOP);
    exec_post(pair.back, 0, EV_STOP);
    for (uint32_t i = 0; i < 3; i++) { /* a front leaves after its patience, a backend after its */
        settle();
        pair.now_ns += PATIENCE_NS;
    }
    for (uint32_t i = 0; i < 3; i++)
        if (socks[i] >= 0)
            pair_release(&pair, (uint64_t)socks[i]);
    settle();
    assert_true(fe_idle(pair.fe));
    assert_true(be_idle(pair.be));
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    pair_close(&pair); /* sees that nothing is left */
}

/* One session with the lie; how many events the side lied to had. */
static uint32_t session(uint16_t about, const char *state, uint32_t at, uint32_t times)
{
    int64_t socks[3];

    pair_open(&pair, &(struct pair_config){.order = 1, .not_started = true});
    liar.about = about;
    liar.state = state;
    liar.at = at;
    liar.times = times;
    liar.seen = 0;
    liar.holding = false;
    liar.hold = times == HELD;
    begin_lying(about == PAIR_BACK ? pair.front_hv : pair.back_hv);
    pair_start_front(&pair);
    pair_start_back(&pair);
    settle();
    assert_ring_behind_4();
    use(socks);
    end(socks);
    return liar.seen;
}

static void every_state_before_every_event(uint16_t about, uint32_t times)
{
    uint32_t events = session(about, "4", UINT32_MAX - 100, times);

    assert_in_range(events, 20, 1000); /* handshake, sockets, and closing */
    for (uint32_t at = 0; at < events; at++)
        for (uint32_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
            session(about, states[i], at, times);
}

static void front_meets_every_state_in_every_phase(void **state)
{
    (void)state;
    every_state_before_every_event(PAIR_BACK, 1);
}

static void back_meets_every_state_in_every_phase(void **state)
{
    (void)state;
    every_state_before_every_event(PAIR_FRONT, 1);
}

static void front_meets_flapping_in_every_phase(void **state)
{
    (void)state;
    every_state_before_every_event(PAIR_BACK, 9);
}

static void back_meets_flapping_in_every_phase(void **state)
{
    (void)state;
    every_state_before_every_event(PAIR_FRONT, 9);
}

static void front_meets_every_state_with_one_completion_late(void **state)
{
    (void)state;
    every_state_before_every_event(PAIR_BACK, HELD);
}

static void back_meets_every_state_with_one_completion_late(void **state)
{
    (void)state;
    every_state_before_every_event(PAIR_FRONT, HELD);
}

/* 7 and 8 mean nothing to this protocol, and do not end what is connected. */
static void reconfiguring_is_no_end(void **state)
{
    uint64_t token, written;

    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1});
    uint64_t sock = pair_connect(&pair, &token);
    for (uint32_t i = 0; i < 4; i++) {
        pair_write(&pair, i % 2 == 0 ? PAIR_FRONT : PAIR_BACK, "state", i < 2 ? "7" : "8");
        pair_run(&pair);
        assert_int_equal(pair_send(&pair, sock, "x", 1), 1);
        pair_settle(&pair);
        net_mem_written(pair.net, token, &written);
        assert_int_equal(written, i + 1);
    }
    assert_string_equal(pair.front_states, "34");
    assert_string_equal(pair.back_states, "24");
    pair_write(&pair, PAIR_FRONT, "state", "4");
    pair_write(&pair, PAIR_BACK, "state", "4");
    pair_release(&pair, sock);
    pair_close(&pair);
}

/* ---- silence --------------------------------------------------------------------------------- */

/* Hours pass in which the other side says nothing: no step is taken for them, nothing grows. */
static void hours_pass(void)
{
    struct pair_usage before, after;

    pair_usage(&pair, &before);
    uint32_t log = pair.log_count;
    for (uint32_t i = 0; i < 24; i++) {
        pair.now_ns += HOUR_NS;
        pair_run(&pair);
    }
    pair_usage(&pair, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(pair.log_count, log);
}

/* The states that a backend wrote before it fell silent, a digit each. */
static void front_waits_and_leaves(const char *said)
{
    bool connected = strcmp(said, "24") == 0;

    pair_open(&pair, &(struct pair_config){.no_back = true, .order = 6});
    for (const char *digit = said; *digit; digit++) {
        pair_write(&pair, PAIR_BACK, "state", (const char[]){*digit, '\0'});
        pair_run(&pair);
    }
    assert_int_equal(pair.up, connected); /* it cannot see whether its ring is mapped */
    hours_pass();
    exec_post(pair.front, 0, EV_STOP);
    pair_run(&pair);
    assert_int_equal(fe_idle(pair.fe), !connected);
    pair.now_ns += PATIENCE_NS;
    pair_run(&pair);
    assert_true(fe_idle(pair.fe));
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
    pair_close(&pair);
}

static void backend_falls_silent_in_every_phase(void **state)
{
    static const char *const said[] = {"",  "2", "24", "0", "1", "3", "4",
                                       "5", "6", "7",  "8", "9", "2x"};

    (void)state;
    for (uint32_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        front_waits_and_leaves(said[i]);
}

static void back_waits_and_leaves(const char *last)
{
    pair_open(&pair, &(struct pair_config){.no_front = true});
    if (last)
        pair_write(&pair, PAIR_FRONT, "state", last);
    pair_run(&pair);
    hours_pass();
    exec_post(pair.back, 0, EV_STOP);
    pair_run(&pair);
    pair.now_ns += PATIENCE_NS;
    pair_run(&pair);
    assert_true(be_idle(pair.be));
    pair_close(&pair);
}

static void front_falls_silent_in_every_phase(void **state)
{
    (void)state;
    back_waits_and_leaves(NULL);
    for (uint32_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        back_waits_and_leaves(states[i]); /* 3 and 4 without a ring among them */
}

/* A front with requests of every kind outstanding, bytes both ways and a full ring of responses
 * says no more: the backend keeps what it has, and no more. */
static void silent_front_costs_nothing_more(void **state)
{
    struct rogue front;
    struct rogue_data data[4];
    static unsigned char bytes[2048];

    (void)state;
    rogue_front_open(&front, &pair, 1);
    for (uint32_t i = 0; i < 4; i++) {
        rogue_share(&front, &data[i]);
        struct call call = rogue_connect(i, i, &data[i]);
        rogue_put(&front, &call);
    }
    rogue_kick(&front);
    uint64_t token = pair_pending(&pair, EV_NET_CONNECT); /* one opens, three stay */
    assert_true(net_mem_complete(pair.net, EV_NET_CONNECT, token, 0, NULL));
    pair_run(&pair);
    shared_store(&data[3].area, data[3].at.out.prod, 4096);
    hv_notify(pair.front_hv, data[3].port);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 2048, bytes));
    pair_run(&pair);
    uint64_t steps = exec_counters(pair.back)->steps;
    hours_pass();
    assert_int_equal(exec_counters(pair.back)->steps, steps);
    assert_int_equal(pair.back_fault_count, 0);
    rogue_front_close(&front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(front_meets_every_state_in_every_phase),
        cmocka_unit_test(back_meets_every_state_in_every_phase),
        cmocka_unit_test(front_meets_flapping_in_every_phase),
        cmocka_unit_test(back_meets_flapping_in_every_phase),
        cmocka_unit_test(front_meets_every_state_with_one_completion_late),
        cmocka_unit_test(back_meets_every_state_with_one_completion_late),
        cmocka_unit_test(reconfiguring_is_no_end),
        cmocka_unit_test(backend_falls_silent_in_every_phase),
        cmocka_unit_test(front_falls_silent_in_every_phase),
        cmocka_unit_test(silent_front_costs_nothing_more),
    };

    return !!cmocka_run_group_tests_name("lying_states", tests, NULL, NULL);
}
