/*
 * A whole run in virtual time: exact times under constant costs, several guests, the same run
 * twice, its ends (by itself, interrupted, too late, stalled), what it reports, and who waits for
 * what.
 */
#include "sim/run/run_virtual.h"

#include "ringlib/trace.h"
#include "sim/run/payload.h"
#include "sim/run/workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SCENARIO(name) XENSOCK_SOURCE_DIR "/tests/sim/run/scenarios/" name ".yaml"

enum { RECORDS_MAX = 1 << 17 };

struct world {
    struct scenario scenario;
    struct costs costs;
    struct policy policy;
    struct trace_sink sink;
    struct trace_record *records;
    uint32_t count;
    struct run_virtual *run;
};

static void record(void *self, const struct trace_record *record)
{
    struct world *world = self;

    assert_in_range(world->count, 0, RECORDS_MAX - 1);
    world->records[world->count++] = *record;
}

/* Only waiting takes time, in ns: what rings bells, and what wakes who waits for a socket. */
static struct world *new_world(uint64_t deliver_ns, uint64_t socket_wake_ns)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->records = calloc(RECORDS_MAX, sizeof(*world->records));
    assert_non_null(world->records);
    for (int row = COST_DELIVER_RUNNING; row <= COST_DELIVER_ASLEEP; row++)
        world->costs.rows[row].low_ps = deliver_ns * 1000;
    world->costs.rows[COST_SOCKET_WAKE].low_ps = socket_wake_ns * 1000;
    world->costs.dozing_after_ns = world->costs.asleep_after_ns = UINT64_MAX;
    world->costs.slice_ns = 1000000;
    world->sink = (struct trace_sink){record, world};
    policy_init(&world->policy);
    return world;
}

static void free_world(struct world *world)
{
    if (world->run)
        run_virtual_destroy(world->run);
    free(world->records);
    free(world);
}

/* The scenario, changed by up to four overrides. */
static void load_scenario(struct world *world, const char *path, const char *const sets[4])
{
    struct diag_list diags;
    uint32_t set_count = 0;

    while (set_count < 4 && sets[set_count])
        set_count++;
    diag_init(&diags);
    if (scenario_load(&world->scenario, path, sets, set_count, &diags) < 0) {
        diag_print(&diags, stderr, false);
        fail_msg("%s is faulty", path);
    }
    diag_fini(&diags);
}

static void create(struct world *world)
{
    json_t *error;

    world->run = run_virtual_create(&(struct run_virtual_config){.scenario = &world->scenario,
                                                                 .costs = &world->costs,
                                                                 .policy = &world->policy,
                                                                 .trace = &world->sink},
                                    &error);
    assert_non_null(world->run);
}

static void begin(struct world *world, const char *path, const char *const sets[4])
{
    load_scenario(world, path, sets);
    create(world);
}

static void begin_asking(struct world *world)
{
    begin(world, SCENARIO("run-virtual"), (const char *[4]){NULL});
}

static enum run_virtual_status end(struct world *world)
{
    enum run_virtual_status status;

    do
        status = run_virtual_go(world->run, 1000);
    while (status == RUN_VIRTUAL_GOING);
    return status;
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* What a part has left over. */
static const char *leak_of(const json_t *reports, const char *part)
{
    const json_t *leak = json_object_get(json_object_get(reports, part), "leak");

    return json_is_string(leak) ? json_string_value(leak) : "";
}

static json_t *reports_of(struct world *world)
{
    json_t *errors = run_virtual_errors(world->run), *reports = run_virtual_reports(world->run);

    assert_int_equal(json_array_size(errors), 0);
    json_decref(errors);
    assert_string_equal(leak_of(reports, "frontend"), "");
    assert_string_equal(leak_of(reports, "backend"), "");
    return reports;
}

static const json_t *counters_of(const json_t *reports, const char *part)
{
    const json_t *counters = json_object_get(json_object_get(reports, part), "counters");

    assert_true(json_is_object(counters));
    return counters;
}

static const json_t *workload_of(const json_t *reports, size_t index)
{
    const json_t *front = json_object_get(reports, "frontend");

    return json_array_get(json_object_get(front, "workloads"), index);
}

/* ---- times ---- */

static uint64_t phase_ns(const struct world *world, enum workload_phase phase)
{
    for (uint32_t i = 0; i < world->count; i++)
        if (world->records[i].point == TRACE_PHASE && world->records[i].detail == phase)
            return world->records[i].now_ns;
    return 0;
}

/* How many requests were answered after one time and up to another. */
static uint32_t answers(const struct world *world, uint64_t from_ns, uint64_t to_ns)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->count; i++)
        if (world->records[i].point == TRACE_ANSWER && world->records[i].now_ns > from_ns &&
            world->records[i].now_ns <= to_ns)
            count++;
    return count;
}

/* Each answer came so long after its request, and the next request with it. */
static void assert_latency(const struct world *world, uint64_t latency_ns)
{
    uint64_t asked_ns = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->count; i++) {
        const struct trace_record *one = &world->records[i];
        if (one->point == TRACE_ANSWER) {
            assert_int_equal(one->value, latency_ns);
            assert_int_equal(one->now_ns, asked_ns + latency_ns);
            count++;
        } else if (one->point == TRACE_ARRIVAL) {
            assert_true(count == 0 || one->now_ns == asked_ns + latency_ns);
            asked_ns = one->now_ns;
        }
    }
    assert_true(count > 200);
}

/* There: a notification, the echo's wake-up. Back: the backend's wake-up, a notification. Nothing
 * else takes time, and turns of 1 ns overlap with waiting. */
static void test_a_request_takes_what_it_waits_for(void **state)
{
    struct world *world = new_world(1000, 700);

    (void)state;
    begin_asking(world);
    assert_int_equal(end(world), RUN_VIRTUAL_DONE);
    assert_latency(world, 1000 + 700 + 700 + 1000);
    json_t *reports = reports_of(world);
    assert_int_equal(number(workload_of(reports, 0), "operations"),
                     answers(world, 0, phase_ns(world, WORKLOAD_DRAIN)));
    assert_int_equal(number(workload_of(reports, 0), "duration_ns"), 1000000);
    json_decref(reports);
    free_world(world);
}

/* What a turn costs is paid before its actions take effect: in the guest's turn, the backend's on
 * both ways, the echo's. */
static void test_a_request_takes_what_it_costs(void **state)
{
    struct world *world = new_world(1000, 700);

    (void)state;
    world->costs.rows[COST_TURN].low_ps = 50 * 1000;
    begin_asking(world);
    assert_int_equal(end(world), RUN_VIRTUAL_DONE);
    assert_latency(world, 3400 + 4 * 50);
    free_world(world);
}

/* ---- guests ---- */

static void test_guests_are_summed(void **state)
{
    struct world *one = new_world(1000, 700), *three = new_world(1000, 700);

    (void)state;
    begin_asking(one);
    begin(three, SCENARIO("run-virtual"),
          (const char *[4]){"topology.hosts.web.count=3", "workload.ask.sockets=2"});
    assert_int_equal(end(one), RUN_VIRTUAL_DONE);
    assert_int_equal(end(three), RUN_VIRTUAL_DONE);
    json_t *alone = reports_of(one), *all = reports_of(three);
    const json_t *front = counters_of(all, "frontend"), *back = counters_of(all, "backend");
    assert_int_equal(number(workload_of(all, 0), "connections"), 6);
    assert_int_equal(number(front, "requests"),
                     6 * number(counters_of(alone, "frontend"), "requests"));
    assert_int_equal(number(front, "responses"), number(front, "requests"));
    assert_int_equal(number(front, "grants_peak"), 1 + 2 * 2); /* of any guest */
    assert_int_equal(number(back, "requests"), number(front, "requests"));
    assert_int_equal(number(back, "replies"), number(front, "requests"));
    assert_int_equal(number(front, "sent_bytes"), number(back, "sent_bytes"));
    /* guests stop counting one by one, with an answer of 64 bytes a socket under way at most */
    assert_in_range(number(back, "received_bytes") - number(front, "received_bytes"), 0, 6 * 64);
    assert_int_equal(number(workload_of(all, 0), "sent_bytes"),
                     number(workload_of(all, 0), "received_bytes"));
    assert_true(number(workload_of(all, 0), "operations") >
                3 * number(workload_of(alone, 0), "operations"));
    json_decref(alone);
    json_decref(all);
    free_world(one);
    free_world(three);
}

static void test_the_names_of_all(void **state)
{
    static const struct {
        uint16_t who;
        const char *name;
    } expected[] = {
        {0, "dom0"}, {TRACE_PEER_BASE, "echo"}, {1, "web.0"}, {2, "web.1"}, {3, "web.2"}};
    struct world *world = new_world(1, 1);
    char name[SCENARIO_NAME_BYTES + 8];
    uint16_t who;

    (void)state;
    begin(world, SCENARIO("run-virtual"), (const char *[4]){"topology.hosts.web.count=3"});
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(run_virtual_entity(&world->scenario, i, &who, name));
        assert_int_equal(who, expected[i].who);
        assert_string_equal(name, expected[i].name);
    }
    assert_false(run_virtual_entity(&world->scenario, 5, &who, name));
    free_world(world);
}

static void test_the_same_again(void **state)
{
    struct world *runs[3];
    static const char *const seeds[] = {"seed=5", "seed=5", "seed=6"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        runs[i] = new_world(1000, 700);
        for (int row = 0; row < COST_ROWS_COUNT; row++)
            runs[i]->costs.rows[row] =
                (struct cost){.shape = COST_UNIFORM, .low_ps = 1000, .high_ps = 1000000};
        begin(runs[i], SCENARIO("run-virtual"),
              (const char *[4]){seeds[i], "topology.hosts.web.count=2"});
        assert_int_equal(end(runs[i]), RUN_VIRTUAL_DONE);
        json_t *reports = reports_of(runs[i]); /* the first guest to end does not end the others */
        assert_int_equal(number(workload_of(reports, 0), "errors"), 0);
        json_decref(reports);
    }
    assert_int_equal(runs[0]->count, runs[1]->count);
    assert_memory_equal(runs[0]->records, runs[1]->records,
                        runs[0]->count * sizeof(runs[0]->records[0]));
    assert_true(runs[0]->count != runs[2]->count ||
                memcmp(runs[0]->records, runs[2]->records,
                       runs[0]->count * sizeof(runs[0]->records[0])) != 0);
    for (int i = 0; i < 3; i++)
        free_world(runs[i]);
}

/* ---- ends ---- */

static void test_phases(void **state)
{
    struct world *world = new_world(1000, 700);

    (void)state;
    begin(world, SCENARIO("run-virtual"), (const char *[4]){"warmup=300us"});
    assert_int_equal(end(world), RUN_VIRTUAL_DONE);
    uint64_t warmup_ns = phase_ns(world, WORKLOAD_WARMUP);
    assert_true(warmup_ns > 0);
    assert_int_equal(phase_ns(world, WORKLOAD_MEASURE), warmup_ns + 300000);
    assert_int_equal(phase_ns(world, WORKLOAD_DRAIN), warmup_ns + 1300000);
    json_t *reports = reports_of(world);
    assert_int_equal(number(workload_of(reports, 0), "operations"),
                     answers(world, warmup_ns + 300000, warmup_ns + 1300000));
    assert_true(answers(world, 0, warmup_ns + 300000) > 50);
    assert_int_equal(number(workload_of(reports, 0), "sent_bytes"),
                     64 * answers(world, 0, UINT64_MAX)); /* of the whole run */
    json_decref(reports);
    free_world(world);
}

static void test_interrupted(void **state)
{
    struct world *world = new_world(1000, 700);

    (void)state;
    begin(world, SCENARIO("run-virtual"),
          (const char *[4]){"duration=10s", "topology.hosts.web.count=3"});
    while (phase_ns(world, WORKLOAD_MEASURE) == 0)
        assert_int_equal(run_virtual_go(world->run, 100), RUN_VIRTUAL_GOING);
    run_virtual_interrupt(world->run);
    run_virtual_interrupt(world->run);
    assert_int_equal(end(world), RUN_VIRTUAL_DONE);
    assert_true(run_virtual_now_ns(world->run) < 10000000);
    json_t *reports = run_virtual_reports(world->run);
    assert_string_equal(leak_of(reports, "frontend"), "sockets_left"); /* nobody released it */
    assert_int_equal(number(counters_of(reports, "frontend"), "sockets_left"), 3);
    assert_string_equal(leak_of(reports, "backend"), "");
    assert_int_equal(number(counters_of(reports, "backend"), "requests"),
                     number(counters_of(reports, "frontend"), "requests"));
    json_decref(reports);
    free_world(world);
}

static void test_too_late(void **state)
{
    struct world *world = new_world(1000, 700);

    (void)state;
    begin(world, SCENARIO("run-virtual"),
          (const char *[4]){"workload.ask.operations=1000000", "timeout=2ms"});
    assert_int_equal(end(world), RUN_VIRTUAL_TIMEOUT);
    assert_in_range(run_virtual_now_ns(world->run), 2000000, 3000000);
    char *text = run_virtual_stall(world->run);
    assert_non_null(strstr(text, "the run had not ended at its timeout\n"));
    free(text);
    json_decref(run_virtual_reports(world->run));
    free_world(world);
}

/* ---- who waits for what ---- */

/* Whether at some moment of the run the text is told. */
static bool is_told(const char *path, const char *expected)
{
    struct world *world = new_world(1000, 700);
    bool told = false;

    begin(world, path, (const char *[4]){NULL});
    while (!told && run_virtual_go(world->run, 1) == RUN_VIRTUAL_GOING) {
        char *text = run_virtual_stall(world->run);
        told = strstr(text, expected) != NULL;
        free(text);
    }
    free_world(world);
    return told;
}

static void test_what_is_waited_for(void **state)
{
    const char *const ask = SCENARIO("run-virtual"), *const up = SCENARIO("run-virtual-up");

    (void)state;
    assert_true(
        is_told(ask, "web      waits: for its device to connect\n   web      device: state"));
    assert_true(is_told(ask, "ask: 1 of its sockets; socket 0 waits for the answer to CONNECT"));
    assert_true(is_told(ask, "1 unanswered, CONNECT id=0 among them; port 1, "));
    assert_true(is_told(ask, "waits for bytes or their end (sent 64, received 0 bytes)"));
    assert_true(is_told(ask, "64 bytes to write: the backend was not told of them"));
    assert_true(is_told(ask, "64 bytes to read: the guest was not told of them"));
    assert_true(is_told(ask, "echo     has 1 connections open; 64 bytes in, 64 out"));
    assert_true(is_told(ask, "waits for the answer to RELEASE"));
    assert_true(is_told(ask, "web      waits: for its device to close"));
    assert_true(is_told(up, "up: 3 of its sockets; socket 0 waits for room to send"));
    assert_false(is_told(up, "waits for bytes or their end"));
}

/* Whether one text is told at some moment of the run, and whether another ever is beside it. */
static bool is_told_alone(const char *path, const char *expected, const char *beside)
{
    struct world *world = new_world(1000, 700);
    bool told = false, both = false;

    begin(world, path, (const char *[4]){NULL});
    while (run_virtual_go(world->run, 1) == RUN_VIRTUAL_GOING) {
        char *text = run_virtual_stall(world->run);
        bool now = strstr(text, expected) != NULL;
        told |= now;
        both |= now && strstr(text, beside) != NULL;
        free(text);
    }
    free_world(world);
    return told && !both;
}

static void test_who_is_away_is_named_and_not_suspected(void **state)
{
    const char *const faults = SCENARIO("run-virtual-faults");

    (void)state;
    assert_true(is_told(faults, "64 bytes to write: the backend was not told of them"));
    assert_true(is_told(faults, "64 bytes to read: the guest was not told of them"));
    assert_true(is_told_alone(faults, "   dom0     stands still until 0.000", "the backend was"));
    assert_true(is_told_alone(faults, "   web      stands still until 0.000", "the guest was"));
    assert_true(is_told_alone(faults, "   dom0     is dead until 0.000", "stands still"));
    assert_true(is_told_alone(faults, "   web      is dead until 0.001", "web      waits"));
    assert_true(is_told(faults, "   dom0     is dead for good\n   web      waits: for its time"));
}

/* At the timeout of a run that goes on there is always something that has just happened. */
static void test_what_has_just_happened_is_not_suspected(void **state)
{
    static const char *const timeouts[] = {"timeout=2ms", "timeout=3ms", "timeout=4ms",
                                           "timeout=5ms", "timeout=6ms"};

    (void)state;
    for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
        struct world *world = new_world(1000, 700);
        begin(world, SCENARIO("run-virtual"),
              (const char *[4]){"workload.ask.operations=1000000", timeouts[i]});
        assert_int_equal(end(world), RUN_VIRTUAL_TIMEOUT);
        char *text = run_virtual_stall(world->run);
        assert_null(strstr(text, "likely"));
        free(text);
        free_world(world);
    }
}

/* ---- a guest that serves ---- */

static void test_serve(void **state)
{
    struct world *world = new_world(1000, 700);

    (void)state;
    begin(world, SCENARIO("run-virtual-serve"), (const char *[4]){NULL});
    assert_int_equal(end(world), RUN_VIRTUAL_DONE);
    json_t *reports = reports_of(world);
    const json_t *peer =
        json_object_get(json_object_get(json_object_get(reports, "peers"), "visitor"), "counters");
    assert_int_equal(number(peer, "connections"), 2);
    assert_int_equal(number(peer, "mismatches"), 0);
    assert_int_equal(number(workload_of(reports, 0), "connections"), 2);
    assert_int_equal(number(workload_of(reports, 0), "received_bytes"), 20000);
    assert_int_equal(number(workload_of(reports, 0), "sent_bytes"), 20000);
    assert_int_equal(number(peer, "bytes_in"), number(peer, "bytes_out"));
    json_decref(reports);
    free_world(world);
}

static void test_a_connection_that_does_not_come(void **state)
{
    struct world *world = new_world(1000, 700);

    (void)state;
    begin(world, SCENARIO("run-virtual-serve"), (const char *[4]){"workload.srv.accepts=3"});
    assert_int_equal(end(world), RUN_VIRTUAL_STALLED);
    char *text = run_virtual_stall(world->run);
    assert_non_null(strstr(text, "   web      waits: srv: for connections (accepted 2 of 3)\n"
                                 "   web      command ring: "));
    free(text);
    free_world(world);
}

/* Who is through is not waited for while another waits for its time, however long that is. */
static void test_one_is_through_long_before_another(void **state)
{
    struct world *world = new_world(1000, 700);

    (void)state;
    begin(world, SCENARIO("run-virtual-idle"), (const char *[4]){NULL});
    assert_int_equal(end(world), RUN_VIRTUAL_DONE);
    assert_in_range(run_virtual_now_ns(world->run), 3000000000, 3100000000);
    free_world(world);
}

/* ---- quotas ---- */

static void ignore(void *self, const struct trace_record *record)
{
    (void)self;
    (void)record;
}

static void assert_used_up(const json_t *error)
{
    assert_string_equal(json_string_value(json_object_get(error, "code")), "E0608");
    assert_non_null(strstr(json_string_value(json_object_get(error, "message")),
                           "domain 1 cannot watch its device with many.128: the domain itself has "
                           "used up its watches"));
}

/* As many as the scenario may say; more, which it may not, find a quota used up, and the backend is
 * told of it once a guest, up to eight. */
static void test_as_many_guests_as_quotas_allow(void **state)
{
    static const uint32_t mores[] = {0, 1, 12};

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct world *world = new_world(1000, 700);
        load_scenario(world, SCENARIO("run-virtual-quota"), (const char *[4]){NULL});
        world->scenario.hosts[3].count += mores[i];
        world->sink = (struct trace_sink){ignore, NULL};
        create(world);
        assert_int_equal(end(world), i == 0 ? RUN_VIRTUAL_DONE : RUN_VIRTUAL_STALLED);
        json_t *errors = run_virtual_errors(world->run), *reports = run_virtual_reports(world->run);
        const json_t *last = json_array_get(errors, json_array_size(errors) - 1);
        assert_int_equal(json_array_size(errors), mores[i] < 9 ? mores[i] : 9);
        assert_int_equal(number(workload_of(reports, 0), "operations"), 128);
        if (mores[i] > 0)
            assert_used_up(json_array_get(errors, 0));
        if (mores[i] > 8)
            assert_int_equal(number(last, "times"), mores[i] - 8);
        json_decref(errors);
        json_decref(reports);
        free_world(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_takes_what_it_waits_for),
        cmocka_unit_test(test_a_request_takes_what_it_costs),
        cmocka_unit_test(test_guests_are_summed),
        cmocka_unit_test(test_the_names_of_all),
        cmocka_unit_test(test_the_same_again),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_too_late),
        cmocka_unit_test(test_what_is_waited_for),
        cmocka_unit_test(test_who_is_away_is_named_and_not_suspected),
        cmocka_unit_test(test_what_has_just_happened_is_not_suspected),
        cmocka_unit_test(test_serve),
        cmocka_unit_test(test_a_connection_that_does_not_come),
        cmocka_unit_test(test_one_is_through_long_before_another),
        cmocka_unit_test(test_as_many_guests_as_quotas_allow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
