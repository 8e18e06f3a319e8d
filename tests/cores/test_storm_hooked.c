/*
 * Both cores against a peer on another processor that makes work faster than it is done: it
 * notifies, asks or answers again at each access the core makes to shared memory. A step and a turn
 * end all the same, and the other sockets are served within them.
 * Which attack each test is: attacks.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Rounds, and steps of one: events of the hypervisor, the device's own, events of the sockets. */
enum { TURN_STEPS_MAX = 64 * (128 + 1 + 1) };

static struct pair pair;
static struct rogue rogue;
static void (*storm)(enum shared_access access, const struct shared_area *area, uint32_t offset);
static uint32_t ports[2];

void shared_hook(enum shared_access access, const struct shared_area *area, uint32_t offset,
                 uint32_t bytes)
{
    void (*call)(enum shared_access, const struct shared_area *, uint32_t) = storm;

    (void)bytes;
    if (!call)
        return;
    storm = NULL; /* its own accesses are not the core's */
    call(access, area, offset);
    storm = call;
}

static int drop(void **state)
{
    (void)state;
    storm = NULL;
    pair_drop(&pair);
    return 0;
}

static void notify_always(enum shared_access access, const struct shared_area *area,
                          uint32_t offset)
{
    (void)access;
    (void)area;
    (void)offset;
    hv_notify(rogue.hv, ports[0]);
    hv_notify(rogue.hv, ports[1]);
}

/* One turn under the storm: it ends, though there is always more. */
static void turn_in_the_storm(struct exec *exec)
{
    uint64_t steps = exec_counters(exec)->steps;

    hv_notify(rogue.hv, ports[0]);
    storm = notify_always;
    assert_true(exec_turn(exec, pair.now_ns)); /* to be called again, without sleeping */
    storm = NULL;
    assert_in_range(exec_counters(exec)->steps - steps, 100, TURN_STEPS_MAX);
}

static uint64_t open_in_back(uint64_t id, struct rogue_data *data)
{
    struct call_reply reply;

    rogue_share(&rogue, data);
    struct call call = rogue_connect((uint32_t)id, id, data);
    rogue_put(&rogue, &call);
    rogue_kick(&rogue);
    uint64_t token = pair_pending(&pair, EV_NET_CONNECT);
    assert_true(net_mem_complete(pair.net, EV_NET_CONNECT, token, 0, NULL));
    pair_run(&pair);
    assert_true(rogue_reply(&rogue, &reply));
    return token;
}

static void back_serves_others_in_a_storm(void **state)
{
    struct rogue_data noisy, quiet;
    uint64_t written;

    (void)state;
    rogue_front_open(&rogue, &pair, 1);
    open_in_back(1, &noisy);
    uint64_t token = open_in_back(2, &quiet);
    ports[0] = noisy.port;
    ports[1] = rogue.port;
    for (uint32_t i = 1; i <= 20; i++) {
        shared_store(&quiet.area, quiet.at.out.prod, i * 100);
        hv_notify(rogue.hv, quiet.port); /* once; the storm is all around it */
        turn_in_the_storm(pair.back);
        assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, 100, NULL));
        turn_in_the_storm(pair.back);
        net_mem_written(pair.net, token, &written);
        assert_int_equal(written, i * 100);
        assert_int_equal(shared_load(&quiet.area, quiet.at.out.cons), i * 100);
    }
    assert_int_equal(pair.back_fault_count, 0);
}

static uint64_t open_in_front(struct rogue_data *data)
{
    struct call call;
    int64_t sock = pair_connect_begin(&pair, 80);

    pair_run(&pair);
    struct call_reply reply = rogue_answer_to(&rogue, &call, 0);
    rogue_map(&rogue, &call, data);
    rogue_answer(&rogue, &reply);
    return (uint64_t)sock;
}

static void front_serves_others_in_a_storm(void **state)
{
    struct rogue_data noisy, quiet;
    char got[200];

    (void)state;
    rogue_back_open(&rogue, &pair, 1);
    open_in_front(&noisy);
    uint64_t sock = open_in_front(&quiet);
    ports[0] = noisy.port;
    ports[1] = rogue.port;
    for (uint32_t i = 1; i <= 20; i++) {
        pair_forget(&pair);
        assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), -ERR_AGAIN);
        shared_store(&quiet.area, quiet.at.in.prod, i * 100);
        hv_notify(rogue.hv, quiet.port);
        turn_in_the_storm(pair.front);
        assert_string_equal(pair_told(&pair), "READABLE");
        assert_int_equal(pair_recv(&pair, sock, got, sizeof(got)), 100);
    }
    assert_int_equal(pair.front_fault_count, 0);
}

static uint32_t arms_of_a_step;
static uint64_t steps_at_arm;

/* The front takes what was answered and fills the ring again, just as the backend arms. */
static void ask_always(enum shared_access access, const struct shared_area *area, uint32_t offset)
{
    struct call_reply reply;
    uint64_t steps = exec_counters(pair.back)->steps;

    if (access != SHARED_WRITE || area->base != rogue.page.base || offset != CMDRING_REQ_EVENT)
        return;
    arms_of_a_step = steps == steps_at_arm ? arms_of_a_step + 1 : 1;
    steps_at_arm = steps;
    if (arms_of_a_step > 8)
        fail_msg("a step did not come to its end");
    while (rogue_reply(&rogue, &reply))
        rogue_put(&rogue, &(struct call){.id = 1, .kind = CALL_POLL, .sockid = 5});
}

/* M10: at most a ring of requests a step, at most so many steps a turn. */
static void requests_without_end(void **state)
{
    struct rogue_data quiet;

    (void)state;
    rogue_front_open(&rogue, &pair, 1);
    uint64_t token = open_in_back(2, &quiet);
    shared_store(&quiet.area, quiet.at.out.prod, 100);
    hv_notify(rogue.hv, quiet.port);
    for (uint32_t i = 0; i < 8; i++)
        rogue_put(&rogue, &(struct call){.id = 1, .kind = CALL_POLL, .sockid = 5});
    hv_notify(rogue.hv, rogue.port);
    uint64_t requests = be_counters(pair.be)->requests, steps = exec_counters(pair.back)->steps;
    storm = ask_always;
    exec_turn(pair.back, pair.now_ns);
    storm = NULL;
    steps = exec_counters(pair.back)->steps - steps;
    requests = be_counters(pair.be)->requests - requests;
    assert_in_range(steps, 2, TURN_STEPS_MAX);
    assert_in_range(requests, 8, steps * 8);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, 100, NULL)); /* it was begun */
    assert_int_equal(pair.back_fault_count, 0);
}

static uint32_t looks;

/* rsp_prod goes on by one at each look, over slots the backend never wrote. */
static void answer_always(enum shared_access access, const struct shared_area *area,
                          uint32_t offset)
{
    if (access != SHARED_READ || area->base != rogue.page.base || offset != CMDRING_RSP_PROD)
        return;
    if (++looks > 100)
        fail_msg("a step did not come to its end");
    rogue_store(&rogue, CMDRING_RSP_PROD, ++rogue.prod);
}

/* d99e5b8857ed: a loop of the frontend that its backend can keep going. */
static void responses_without_end(void **state)
{
    (void)state;
    rogue_back_open(&rogue, &pair, 1);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(pair_connect_begin(&pair, 80) >= 0);
    pair_run(&pair);
    pair_forget(&pair);
    looks = 0;
    hv_notify(rogue.hv, rogue.port);
    storm = answer_always;
    pair_run(&pair);
    storm = NULL;
    assert_in_range(looks, 1, 9);
    assert_int_equal(pair.front_fault_count, 1);
    assert_int_equal(pair_upcalls(&pair, ACT_DONE, NULL), 20);
    assert_int_equal(pair_upcalls(&pair, ACT_GONE, NULL), 1);
}

#define TEST(name) cmocka_unit_test_teardown(name, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(back_serves_others_in_a_storm),
        TEST(front_serves_others_in_a_storm),
        TEST(requests_without_end),
        TEST(responses_without_end),
    };

    return !!cmocka_run_group_tests_name("storm_hooked", tests, NULL, NULL);
}
