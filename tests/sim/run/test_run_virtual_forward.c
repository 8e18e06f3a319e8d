/* Guests that forward, in virtual time: what is carried and counted, whatever the targets do, and
 * however the run ends. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "ringlib/err.h"
#include "sim/run/model.h"
#include "sim/run/run_virtual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_PATH XENSOCK_SOURCE_DIR "/tests/sim/run/scenarios/run-virtual-forward.yaml"

enum { OUT, IN, HEADER = 32 };

static struct scenario scenario;
static struct model model;
static struct policy policy;
static json_t *reports;

static int forget(void **state)
{
    (void)state;
    json_decref(reports);
    reports = NULL;
    return 0;
}

/* The run, with up to three changes of the scenario. */
static struct run_virtual *begin(const char *first, const char *second, const char *third)
{
    const char *sets[] = {first, second, third};
    static struct diag_list diags;
    struct run_virtual *run;
    uint32_t count = 0;
    json_t *error;

    while (count < 3 && sets[count])
        count++;
    diag_init(&diags);
    if (scenario_load(&scenario, FILE_PATH, sets, count, &diags) < 0 ||
        model_load(&model, scenario.cost_model, FILE_PATH, &diags) < 0) {
        diag_print(&diags, stderr, false);
        fail();
    }
    diag_fini(&diags);
    run = run_virtual_create(&(struct run_virtual_config){.scenario = &scenario,
                                                          .costs = &model.costs,
                                                          .policy = &policy,
                                                          .notify = EXEC_NOTIFY_COALESCED},
                             &error);
    assert_non_null(run);
    return run;
}

/* To the end, which it comes to by itself. */
static void end(struct run_virtual *run)
{
    enum run_virtual_status status = RUN_VIRTUAL_GOING;

    while (status == RUN_VIRTUAL_GOING)
        status = run_virtual_go(run, 1000);
    assert_int_equal(status, RUN_VIRTUAL_DONE);
    forget(NULL);
    reports = run_virtual_reports(run);
    run_virtual_destroy(run);
}

static int64_t of_workload(uint32_t index, const char *name)
{
    json_t *all = json_object_get(json_object_get(reports, "frontend"), "workloads");
    json_t *value = json_object_get(json_array_get(all, index), name);

    assert_non_null(value);
    return json_integer_value(value);
}

static int64_t of_peer(const char *peer, const char *name)
{
    json_t *report = json_object_get(json_object_get(reports, "peers"), peer);

    return json_integer_value(json_object_get(json_object_get(report, "counters"), name));
}

/* What became of the connections of a workload: joined, refused, reset, held out, cut off. */
static void assert_counts(uint32_t index, const int64_t expected[5])
{
    static const char *const names[] = {"joined", "refused", "resets", "held_out", "cut_off"};

    for (int i = 0; i < 5; i++)
        if (of_workload(index, names[i]) != expected[i])
            fail_msg("%s of %d: %lld", names[i], (int)index,
                     (long long)of_workload(index, names[i]));
}

static void assert_nothing_wrong(void)
{
    static const char *const wrong[] = {"mismatches", "protocol_errors", "short_streams", "resets",
                                        "connect_failures"};
    static const char *const peers[] = {"far", "near", "near-client", "far-client"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        for (size_t j = 0; j < sizeof(peers) / sizeof(peers[0]); j++)
            assert_int_equal(of_peer(peers[j], wrong[i]), 0);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(of_workload(i, "errors") + of_workload(i, "mismatches"), 0);
}

/* To the byte; and a client that has all its bytes closes, which cannot be told, or is at once. */
static void both_ways(void **state)
{
    (void)state;
    end(begin(NULL, NULL, NULL));
    assert_nothing_wrong();
    assert_counts(OUT, (int64_t[]){3, 0, 0, 3, 0});
    assert_int_equal(of_workload(OUT, "sent_bytes"), 3 * (10000 + HEADER));
    assert_int_equal(of_workload(OUT, "received_bytes"), 3 * 10000);
    assert_int_equal(of_workload(OUT, "operations"), 3);
    assert_int_equal(of_workload(OUT, "duration_ns"), 30000000);
    assert_int_equal(of_peer("near-client", "bytes_in"), 3 * 10000);
    assert_int_equal(of_peer("far", "bytes_in"), 3 * 10000);
    assert_counts(IN, (int64_t[]){2, 0, 0, 0, 0});
    assert_int_equal(of_workload(IN, "sent_bytes"), 2 * 20000);
    assert_int_equal(of_workload(IN, "received_bytes"), 2 * (20000 + HEADER));
    assert_int_equal(of_peer("far-client", "bytes_in"), 2 * 20000);
    assert_int_equal(of_peer("near", "bytes_in"), 2 * 20000);
}

/* It ends when so many have, long before `duration`. */
static void bounded(void **state)
{
    (void)state;
    end(begin("workload.out.accepts=3", "workload.in.accepts=2", "duration=10s"));
    assert_nothing_wrong();
    assert_in_range(of_workload(OUT, "duration_ns"), 1, 10000000);
    assert_int_equal(of_workload(OUT, "operations") + of_workload(IN, "operations"), 5);
}

/* More than there may be at a time wait, and are carried: each has the room of one that is held. */
static void one_at_a_time(void **state)
{
    (void)state;
    end(begin("workload.out.connections=1", "workload.out.accepts=3", NULL));
    assert_nothing_wrong();
    assert_int_equal(of_workload(OUT, "most"), 2);
    assert_int_equal(of_workload(OUT, "held_out"), 3);
    assert_int_equal(of_workload(OUT, "joined"), 3);
}

static void refusing_target(void **state)
{
    (void)state;
    end(begin("topology.peers.far.conduct=refuses", "topology.peers.near.conduct=refuses", NULL));
    assert_nothing_wrong();
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(of_workload(i, "joined") + of_workload(i, "operations"), 0);
        assert_in_range(of_workload(i, "refused"), 5, 50); /* they come again */
    }
    assert_in_range(of_peer("near-client", "cut"), 5, 50);
}

static void resetting_target(void **state)
{
    (void)state;
    end(begin("topology.peers.far.conduct=resets", "topology.peers.far.reset_after=5kB", NULL));
    assert_nothing_wrong();
    assert_in_range(of_workload(OUT, "resets"), 5, 50);
    assert_true(of_workload(OUT, "joined") >= of_workload(OUT, "resets"));
    assert_true(of_workload(OUT, "received_bytes") < 5000 * of_workload(OUT, "joined"));
}

/* Who waits at the end of the run is cut off, whatever it waits for; the others are as ever. */
static void silent_targets(void **state)
{
    static const char *const conducts[] = {"never-reads", "never-answers", "unreachable"};
    char set[64];

    (void)state;
    for (int i = 0; i < 3; i++) {
        snprintf(set, sizeof(set), "topology.peers.far.conduct=%s", conducts[i]);
        end(begin(set, "topology.peers.near-client.bytes=10MB", NULL));
        assert_nothing_wrong();
        assert_counts(OUT, (int64_t[]){i < 2 ? 3 : 0, 0, 0, 0, 3});
        assert_counts(IN, (int64_t[]){2, 0, 0, 0, 0});
        assert_int_equal(of_workload(OUT, "received_bytes"), 0);
        assert_int_equal(of_peer("near-client", "cut"), 3);
    }
}

static void interrupted(void **state)
{
    (void)state;
    struct run_virtual *run = begin("topology.peers.near-client.bytes=1GB",
                                    "topology.peers.far-client.bytes=1GB", "duration=20s");
    run_virtual_go(run, 5000);
    run_virtual_interrupt(run);
    end(run);
    assert_counts(OUT, (int64_t[]){3, 0, 0, 0, 3});
    assert_counts(IN, (int64_t[]){2, 0, 0, 0, 2});
    assert_int_equal(of_peer("far", "mismatches") + of_peer("near-client", "mismatches"), 0);
}

/* Where it may not listen, and where nobody can. */
static void cannot_listen(void **state)
{
    struct policy_rule rule = {.family = CALL_AF_INET, .bits = 32, .ip = {192, 0, 2, 1}};

    (void)state;
    for (int allowed = 0; allowed < 2; allowed++) {
        end(begin("workload.out.listen=192.0.2.1:80", "workload.in.listen=192.0.2.1:81", NULL));
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(of_workload(i, "bind_error"), allowed ? ERR_ADDRNOTAVAIL : ERR_ACCES);
            assert_int_equal(of_workload(i, "errors"), 1);
        }
        policy_allow(&policy, &rule);
    }
    policy_init(&policy);
}

/* A guest that dies takes its connections with it; the next one carries on. */
static void guest_dies(void **state)
{
    const struct scenario_fault fault = {
        .kind = SCENARIO_FAULT_RESTART, .host = 1, .guest = UINT32_MAX, .for_ns = 1000000};

    (void)state;
    struct run_virtual *run =
        begin("topology.peers.near-client.bytes=1GB", "topology.peers.far-client.bytes=1GB", NULL);
    run_virtual_go(run, 5000);
    run_virtual_fault(run, &fault);
    end(run);
    assert_int_equal(of_workload(OUT, "joined"),
                     3); /* nobody comes again, without a fault to see */
    assert_int_equal(of_peer("far", "mismatches") + of_peer("near-client", "mismatches"), 0);
}

static int start(void **state)
{
    (void)state;
    policy_init(&policy);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(both_ways, forget),
        cmocka_unit_test_teardown(bounded, forget),
        cmocka_unit_test_teardown(one_at_a_time, forget),
        cmocka_unit_test_teardown(refusing_target, forget),
        cmocka_unit_test_teardown(resetting_target, forget),
        cmocka_unit_test_teardown(silent_targets, forget),
        cmocka_unit_test_teardown(interrupted, forget),
        cmocka_unit_test_teardown(cannot_listen, forget),
        cmocka_unit_test_teardown(guest_dies, forget),
    };

    return !!cmocka_run_group_tests_name("run_virtual_forward", tests, start, NULL);
}
