/*
 * What a device says of itself and of the other side: the nodes it offers, what a fault names; and
 * that nothing of one life of it (a fault, a doubt, impatience, a deadline) reaches the next.
 * The handshake itself is test_device's, silence test_patience's.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PATIENCE_NS 5000000000u

static struct pair pair;
static struct rogue peer;

/* An operation of the seam that does not complete until the test lets it. */
static struct {
    const struct hv_ops *real;
    struct hv_ops ops;
    uint64_t token;
    uint32_t handle;
    uint32_t count;
    struct hv_node nodes[HV_PUBLISH_MAX];
} held;

static int drop(void **state)
{
    (void)state;
    pair_drop(&pair);
    return 0;
}

static void write_front(const char *key, const char *value)
{
    pair_write(&pair, PAIR_FRONT, key, value);
}

/* The front's state, as a liar or an old front writes it; then both run. */
static void front_says(const char *state)
{
    write_front("state", state);
    pair_run(&pair);
}

static void offer(const char *ref, const char *port, const char *order)
{
    write_front("ring-ref", ref);
    write_front("port", port);
    if (order)
        write_front("dataring-page-order", order);
    front_says("3");
}

static void assert_fault(const struct act_fault *fault, enum fault_reason reason, uint32_t index,
                         uint32_t value)
{
    assert_int_equal(fault->reason, reason);
    assert_int_equal(fault->index, index);
    assert_int_equal(fault->value, value);
}

static void assert_back_fault(uint32_t i, enum fault_reason reason, uint32_t index, uint32_t value)
{
    assert_int_equal(pair.back_fault_count, i + 1);
    assert_int_equal(be_counters(pair.be)->faults, i + 1);
    assert_fault(&pair.back_faults[i], reason, index, value);
}

static const char *node(const char *path)
{
    const char *value = store_text(hypervisor_store(hv_mem_tables(pair.machine)), path);

    return value ? value : "absent";
}

/* protocol.md 7 (20): the largest order is the backend's own, not all that the format has. */
static void back_offers_its_own_order(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true, .back_order = 4});
    assert_string_equal(node("/local/domain/0/backend/xensock/1/0/max-dataring-page-order"), "4");
}

/* No order is order 6, as draft 1 has it: too large for who takes 4. */
static void absent_order_is_draft_1s(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true, .back_order = 4});
    offer("8", "1", NULL);
    assert_back_fault(0, FAULT_ORDER, 4, 6);
}

static void back_faults_name_what_was_read(void **state)
{
    static const enum dialect_key keys[] = {DIALECT_KEY_RING_REF, DIALECT_KEY_PORT,
                                            DIALECT_KEY_ORDER};

    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true});
    for (uint32_t i = 0; i < 3; i++) {
        offer(i == 0 ? "x" : "8", i == 1 ? "x" : "1", i == 2 ? "x" : "6");
        assert_back_fault(i, FAULT_STORE_VALUE, keys[i], 0);
        front_says("6");
        front_says("1");
    }
    offer("4000", "77", "6");
    assert_back_fault(3, FAULT_MAP_RING, 4000, 77);
    front_says("6");
    front_says("1");
    front_says("9");
    assert_back_fault(4, FAULT_STORE_VALUE, DIALECT_KEY_STATE, 0);
}

static void front_faults_name_what_was_read(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_back = true, .order = 3});
    pair_write(&pair, PAIR_BACK, "max-dataring-page-order", "2");
    pair_write(&pair, PAIR_BACK, "state", "2");
    pair_run(&pair);
    assert_int_equal(pair.front_fault_count, 1);
    assert_int_equal(fe_counters(pair.fe)->faults, 1);
    assert_fault(&pair.front_faults[0], FAULT_ORDER, 3, 2);
    pair_write(&pair, PAIR_BACK, "state", "1");
    pair_start_front(&pair);
    pair_run(&pair);
    pair_write(&pair, PAIR_BACK, "state", "9");
    pair_run(&pair);
    assert_int_equal(pair.front_fault_count, 2);
    assert_fault(&pair.front_faults[1], FAULT_STORE_VALUE, DIALECT_KEY_STATE, 0);
}

/* A front that says 5 before it offered anything is followed. */
static void back_follows_a_front_that_gives_up(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true});
    front_says("5");
    assert_string_equal(pair.back_states, "25");
    front_says("6");
    assert_string_equal(pair.back_states, "256");
    pair_close(&pair);
}

/* The toolstack may take a device away and put another in its place between two looks of ours: one
 * whose nodes we never wrote, and whose guest waits for them. */
static void back_offers_again_where_another_device_may_stand(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true});
    pair_write(&pair, PAIR_BACK, "state", "1");
    front_says("1");
    assert_string_equal(node("/local/domain/0/backend/xensock/1/0/state"), "2");
    assert_string_equal(pair.back_states, "22");
    assert_int_equal(pair.back_fault_count, 0);
}

/* A front that does not wait for 2 after its 6, nor says 1, is served from the 3 it says. */
static void back_begins_at_once_with_who_did_not_wait(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true});
    offer("4000", "1", "6");
    front_says("6");
    assert_string_equal(pair.back_states, "256");
    offer("4000", "2", "6");
    assert_string_equal(pair.back_states, "25625");
    assert_back_fault(1, FAULT_MAP_RING, 4000, 2);
}

/* After a ring that could not be mapped the front begins again, and is believed. */
static void doubt_ends_with_the_life_it_arose_in(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.not_started = true});
    hv_mem_fail(pair.back_hv, EV_MAP, 0, -ERR_NOMEM);
    pair_start_front(&pair);
    pair_start_back(&pair);
    pair_run(&pair);
    assert_int_equal(pair.back_fault_count, 1);
    assert_true(fe_idle(pair.fe));
    pair_start_front(&pair);
    pair_run(&pair);
    assert_int_equal(pair.back_fault_count, 1);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    pair_close(&pair);
}

static void stop_back(uint64_t then_ns)
{
    exec_post(pair.back, 0, EV_STOP);
    pair_run(&pair);
    pair.now_ns += then_ns;
    pair_run(&pair);
}

/* Who was left behind once is waited for again. */
static void impatience_ends_with_the_life_it_arose_in(void **state)
{
    (void)state;
    rogue_front_open(&peer, &pair, 1);
    stop_back(PATIENCE_NS);
    assert_true(be_idle(pair.be));
    pair_start_back(&pair);
    pair_run(&pair);
    assert_string_equal(pair.back_states, "245624");
    stop_back(PATIENCE_NS - 1);
    assert_string_equal(pair.back_states, "2456245");
    assert_false(be_idle(pair.be));
}

static void held_unmap(struct hv *hv, uint64_t token, uint32_t handle)
{
    (void)hv;
    held.token = token;
    held.handle = handle;
    held.count++;
}

/* A hypervisor that takes its time is not the front's silence. */
static void front_that_closed_is_not_silent(void **state)
{
    (void)state;
    rogue_front_open(&peer, &pair, 1);
    memset(&held, 0, sizeof(held));
    held.real = pair.back_hv->ops;
    held.ops = *held.real;
    held.ops.unmap = held_unmap;
    pair.back_hv->ops = &held.ops;
    exec_post(pair.back, 0, EV_STOP);
    front_says("6");
    assert_int_equal(held.count, 1);
    pair.now_ns += PATIENCE_NS;
    pair_run(&pair);
    assert_int_equal(pair.back_fault_count, 0);
    held.real->unmap(pair.back_hv, held.token, held.handle);
    pair_run(&pair);
    assert_true(be_idle(pair.be));
    assert_string_equal(pair.back_states, "246");
}

enum { PUBLISHED_MAX = 100 };

/* A store that refuses whatever is written. */
static void refuse_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes,
                           uint32_t count)
{
    if (++held.count == PUBLISHED_MAX)
        fail_msg("it does not stop trying");
    hv_mem_fail(hv, EV_STORE_PUBLISH, 0, -ERR_NOBUFS);
    held.real->store_publish(hv, token, nodes, count);
}

/* It begins again when the front is heard of again, and only then. */
static void refused_store_is_not_tried_for_ever(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true, .not_started = true});
    memset(&held, 0, sizeof(held));
    held.real = pair.back_hv->ops;
    held.ops = *held.real;
    held.ops.store_publish = refuse_publish;
    pair.back_hv->ops = &held.ops;
    pair_start_back(&pair);
    pair_run(&pair);
    assert_true(pair.back_fault_count >= 1);
    assert_int_equal(pair.back_faults[0].reason, FAULT_STORE);
    uint32_t faults = pair.back_fault_count;
    pair.back_hv->ops = held.real;
    front_says("1");
    assert_int_equal(be_state(pair.be), XENBUS_INITWAIT);
    assert_int_equal(pair.back_fault_count, faults);
}

/* A front that could not share its ring once can in its next life. */
static void failure_ends_with_the_life_it_arose_in(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.not_started = true});
    hv_mem_fail(pair.front_hv, EV_SHARE, 0, -ERR_NOMEM);
    pair_start_front(&pair);
    pair_start_back(&pair);
    pair_run(&pair);
    assert_int_equal(pair.front_fault_count, 1);
    pair_start_front(&pair);
    pair_run(&pair);
    assert_int_equal(pair.front_fault_count, 1);
    assert_int_equal(fe_state(pair.fe), XENBUS_CONNECTED);
    pair_close(&pair);
}

static void held_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes, uint32_t count)
{
    (void)hv;
    held.token = token;
    held.count = count;
    memcpy(held.nodes, nodes, count * sizeof(nodes[0]));
}

/* The answer to its 3 may be there before the front hears that the 3 is. */
static void connected_before_the_offer_completes(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.no_back = true});
    memset(&held, 0, sizeof(held));
    held.real = pair.front_hv->ops;
    held.ops = *held.real;
    held.ops.store_publish = held_publish;
    pair.front_hv->ops = &held.ops;
    pair_write(&pair, PAIR_BACK, "state", "2");
    pair_run(&pair);
    assert_true(held.count >= 3);
    pair_write(&pair, PAIR_BACK, "state", "4");
    pair_run(&pair);
    assert_false(pair.up);
    pair.front_hv->ops = held.real;
    held.real->store_publish(pair.front_hv, held.token, held.nodes, held.count);
    pair_run(&pair);
    assert_true(pair.up);
    assert_string_equal(pair.front_states, "34");
}

/* Who is told to stop before it began has nothing to stop, then or later. */
static void stop_before_the_start_is_forgotten(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.not_started = true});
    stop_back(0);
    assert_int_equal(be_deadline_ns(pair.be), STEP_NEVER);
    pair_start_back(&pair);
    for (uint32_t life = 0; life < 2; life++) {
        pair_start_front(&pair);
        pair_run(&pair);
        assert_int_equal(fe_state(pair.fe), XENBUS_CONNECTED);
        exec_post(pair.front, 0, EV_STOP);
        pair_run(&pair);
    }
    assert_string_equal(pair.back_states, "24562456");
    pair_close(&pair);
}

/* A front that was stopped once follows the backend in its next life too, without a 5. */
static void stop_ends_with_the_life_it_was_for(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){0});
    exec_post(pair.front, 0, EV_STOP);
    pair_run(&pair);
    pair_start_front(&pair);
    pair_run(&pair);
    exec_post(pair.back, 0, EV_STOP);
    pair_run(&pair);
    assert_string_equal(pair.front_states, "34561346");
    pair_close(&pair);
}

#define TEST(name) cmocka_unit_test_teardown(name, drop)
#define CLOSED(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(back_offers_its_own_order),
        TEST(absent_order_is_draft_1s),
        TEST(back_faults_name_what_was_read),
        TEST(front_faults_name_what_was_read),
        CLOSED(back_follows_a_front_that_gives_up),
        TEST(back_offers_again_where_another_device_may_stand),
        TEST(back_begins_at_once_with_who_did_not_wait),
        CLOSED(doubt_ends_with_the_life_it_arose_in),
        TEST(impatience_ends_with_the_life_it_arose_in),
        TEST(front_that_closed_is_not_silent),
        TEST(refused_store_is_not_tried_for_ever),
        CLOSED(failure_ends_with_the_life_it_arose_in),
        TEST(connected_before_the_offer_completes),
        CLOSED(stop_before_the_start_is_forgotten),
        CLOSED(stop_ends_with_the_life_it_was_for),
    };

    return !!cmocka_run_group_tests_name("device_lives", tests, NULL, NULL);
}
