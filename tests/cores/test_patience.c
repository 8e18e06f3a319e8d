/*
 * Closing against a side that does not close, or never stops writing its state: it is waited for a
 * while and then left behind, with one report.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PATIENCE_NS 5000000000u

enum { READS_MAX = 100000 }; /* far beyond what one bounded turn can carry */

static struct pair pair;
static struct rogue peer;

/* What the liar does whenever the honest side reads its state. */
static struct {
    const struct hv_ops *real;
    struct hv_ops ops;
    uint16_t domid;
    const char *value;
    uint32_t reads;
} liar;

static int drop(void **state)
{
    (void)state;
    pair_drop(&pair);
    return 0;
}

static void after(uint64_t delay_ns)
{
    pair.now_ns += delay_ns;
    pair_run(&pair);
}

/* From now on reads of `hv` go through `reader`, which writes `domid`'s state. */
static void lie(struct hv *hv,
                void (*reader)(struct hv *, uint64_t, const struct hv_tag *, const char *),
                uint16_t domid, const char *value)
{
    liar.real = hv->ops;
    liar.ops = *hv->ops;
    liar.ops.store_read = reader;
    liar.domid = domid;
    liar.value = value;
    liar.reads = 0;
    hv->ops = &liar.ops;
}

/* One lie, right after the first read has seen the truth. */
static void read_then_written(struct hv *hv, uint64_t token, const struct hv_tag *tag,
                              const char *path)
{
    liar.real->store_read(hv, token, tag, path);
    if (strstr(path, "/state") && liar.reads++ == 0)
        pair_write(&pair, liar.domid, "state", liar.value);
}

/* A peer in a loop of writes: one more between a read and its answer, every time. */
static void written_then_read(struct hv *hv, uint64_t token, const struct hv_tag *tag,
                              const char *path)
{
    if (++liar.reads == READS_MAX)
        fail_msg("a turn did not come to its end");
    if (strstr(path, "/state"))
        pair_write(&pair, liar.domid, "state", liar.value);
    liar.real->store_read(hv, token, tag, path);
}

static void assert_silent(const struct act_fault *faults, uint32_t count, enum xenbus_state ours,
                          enum xenbus_state theirs)
{
    assert_int_equal(count, 1);
    assert_int_equal(faults[0].reason, FAULT_SILENT);
    assert_int_equal(faults[0].index, ours);
    assert_int_equal(faults[0].value, theirs);
}

static void backend_leaves_a_silent_front(void **state)
{
    (void)state;
    rogue_front_open(&peer, &pair, 1);
    assert_int_equal(be_deadline_ns(pair.be), STEP_NEVER);
    exec_post(pair.back, 0, EV_STOP);
    pair_run(&pair);
    assert_int_equal(be_deadline_ns(pair.be), pair.now_ns + PATIENCE_NS);
    after(PATIENCE_NS - 1);
    assert_string_equal(pair.back_states, "245");
    assert_int_equal(pair.back_fault_count, 0);
    assert_false(be_idle(pair.be));
    after(1);
    assert_string_equal(pair.back_states, "2456");
    assert_silent(pair.back_faults, pair.back_fault_count, XENBUS_CLOSING, XENBUS_CONNECTED);
    assert_true(be_idle(pair.be));
    assert_int_equal(be_deadline_ns(pair.be), STEP_NEVER);
}

/* A front that closes too is no silent one, however late it is within the time. */
static void backend_waits_for_a_slow_front(void **state)
{
    (void)state;
    rogue_front_open(&peer, &pair, 1);
    exec_post(pair.back, 0, EV_STOP);
    pair_run(&pair);
    after(PATIENCE_NS - 1);
    pair_write(&pair, PAIR_FRONT, "state", "6");
    pair_run(&pair);
    assert_true(be_idle(pair.be));
    assert_int_equal(be_deadline_ns(pair.be), STEP_NEVER);
    assert_string_equal(pair.back_states, "2456");
    assert_int_equal(pair.back_fault_count, 0);
}

static void front_leaves_a_silent_backend(void **state)
{
    (void)state;
    rogue_back_open(&peer, &pair, 1);
    assert_int_equal(fe_deadline_ns(pair.fe), STEP_NEVER);
    exec_post(pair.front, 0, EV_STOP);
    pair_run(&pair);
    assert_int_equal(fe_deadline_ns(pair.fe), pair.now_ns + PATIENCE_NS);
    after(PATIENCE_NS - 1);
    assert_string_equal(pair.front_states, "345");
    assert_int_equal(pair.front_fault_count, 0);
    after(1);
    assert_string_equal(pair.front_states, "3456");
    assert_silent(pair.front_faults, pair.front_fault_count, XENBUS_CLOSING, XENBUS_CONNECTED);
    assert_true(fe_idle(pair.fe));
    assert_int_equal(fe_deadline_ns(pair.fe), STEP_NEVER);
}

/* A listener with more parked calls than one step can fail: closing takes several steps. */
static void park_many(void)
{
    struct call_reply reply;
    struct call call;
    int64_t listener = pair_bind_begin(&pair, 7000);

    assert_true(listener >= 0);
    pair_run(&pair);
    reply = rogue_answer_to(&peer, &call, 0);
    rogue_answer(&peer, &reply);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)listener), 0);
    pair_run(&pair);
    reply = rogue_answer_to(&peer, &call, 0);
    rogue_answer(&peer, &reply);
    for (uint32_t i = 0; i < 60; i++)
        assert_int_equal(pair_poll_begin(&pair, (uint64_t)listener), 0);
    pair_run(&pair);
    pair_forget(&pair);
}

/* The backend says 5, and 4 again while the front still closes: the front has failed all calls, and
 * waits. */
static void flap(void)
{
    rogue_back_open(&peer, &pair, 1);
    park_many();
    lie(pair.front_hv, read_then_written, PAIR_BACK, "4");
    pair_write(&pair, PAIR_BACK, "state", "5");
    pair_run(&pair);
    assert_true(liar.reads > 1);
    assert_string_equal(pair.front_states, "34");
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), 60);
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
    assert_false(fe_idle(pair.fe));
}

static void front_leaves_a_flapping_backend(void **state)
{
    (void)state;
    flap();
    after(PATIENCE_NS);
    assert_string_equal(pair.front_states, "346");
    assert_silent(pair.front_faults, pair.front_fault_count, XENBUS_CONNECTED, XENBUS_CONNECTED);
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
}

/* EV_STOP is taken though the front closes already: it says so, before it leaves. */
static void front_stops_with_a_flapping_backend(void **state)
{
    (void)state;
    flap();
    exec_post(pair.front, 0, EV_STOP);
    pair_run(&pair);
    assert_string_equal(pair.front_states, "345");
    after(PATIENCE_NS);
    assert_string_equal(pair.front_states, "3456");
    assert_silent(pair.front_faults, pair.front_fault_count, XENBUS_CLOSING, XENBUS_CONNECTED);
    assert_true(fe_idle(pair.fe));
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
}

/* pair_run would not return: the peer always has one more write. */
static void turn(struct exec *exec)
{
    liar.reads = 0;
    exec_turn(exec, pair.now_ns);
}

/* What was read is acted on, although by then something else may be written. */
static void backend_believes_a_front_that_writes(void **state)
{
    (void)state;
    rogue_front_open(&peer, &pair, 1);
    lie(pair.back_hv, written_then_read, PAIR_FRONT, "5");
    pair_write(&pair, PAIR_FRONT, "state", "5");
    turn(pair.back);
    assert_string_equal(pair.back_states, "245");
}

static void front_believes_a_backend_that_writes(void **state)
{
    (void)state;
    rogue_back_open(&peer, &pair, 1);
    lie(pair.front_hv, written_then_read, PAIR_BACK, "5");
    pair_write(&pair, PAIR_BACK, "state", "5");
    turn(pair.front);
    assert_string_equal(pair.front_states, "346");
    assert_true(fe_idle(pair.fe));
}

static void backend_stops_while_the_front_writes(void **state)
{
    (void)state;
    rogue_front_open(&peer, &pair, 1);
    lie(pair.back_hv, written_then_read, PAIR_FRONT, "4");
    pair_write(&pair, PAIR_FRONT, "state", "4");
    turn(pair.back);
    exec_post(pair.back, 0, EV_STOP);
    turn(pair.back);
    assert_string_equal(pair.back_states, "245");
    pair.now_ns += PATIENCE_NS;
    turn(pair.back);
    assert_string_equal(pair.back_states, "2456");
    assert_silent(pair.back_faults, pair.back_fault_count, XENBUS_CLOSING, XENBUS_CONNECTED);
    assert_true(be_idle(pair.be));
}

static void front_stops_while_the_backend_writes(void **state)
{
    (void)state;
    rogue_back_open(&peer, &pair, 1);
    lie(pair.front_hv, written_then_read, PAIR_BACK, "4");
    pair_write(&pair, PAIR_BACK, "state", "4");
    turn(pair.front);
    exec_post(pair.front, 0, EV_STOP);
    turn(pair.front);
    assert_string_equal(pair.front_states, "345");
    pair.now_ns += PATIENCE_NS;
    turn(pair.front);
    assert_string_equal(pair.front_states, "3456");
    assert_silent(pair.front_faults, pair.front_fault_count, XENBUS_CLOSING, XENBUS_CONNECTED);
    assert_true(fe_idle(pair.fe));
}

#define TEST(name) cmocka_unit_test_teardown(name, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(backend_leaves_a_silent_front),        TEST(backend_waits_for_a_slow_front),
        TEST(front_leaves_a_silent_backend),        TEST(front_leaves_a_flapping_backend),
        TEST(front_stops_with_a_flapping_backend),  TEST(backend_believes_a_front_that_writes),
        TEST(front_believes_a_backend_that_writes), TEST(backend_stops_while_the_front_writes),
        TEST(front_stops_while_the_backend_writes),
    };

    return !!cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
