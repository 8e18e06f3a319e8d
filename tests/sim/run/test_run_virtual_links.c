/* What links and the scheduling of host CPUs do to a whole run in virtual time, to the nanosecond,
 * and that the silence of a link is no stall. Nothing costs anything but where a test says so. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/model.h"
#include "sim/run/run_virtual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURES XENSOCK_SOURCE_DIR "/tests/sim/run/scenarios"

static const uint64_t MS = 1000000, SECOND = 1000000000;

static struct scenario scenario;
static struct model model;

/* Of the last run. */
static struct outcome {
    enum run_virtual_status status;
    uint64_t end_ns;
    json_t *reports;
    char *stall;
} outcome;

static void load(const char *path, const char *const *sets, uint32_t count)
{
    static struct diag_list diags;

    diag_init(&diags);
    if (scenario_load(&scenario, path, sets, count, &diags) < 0 ||
        model_load(&model, scenario.cost_model, path, &diags) < 0) {
        diag_print(&diags, stderr, false);
        fail();
    }
    diag_fini(&diags);
}

static int forget(void **state)
{
    (void)state;
    json_decref(outcome.reports);
    free(outcome.stall);
    outcome = (struct outcome){.status = RUN_VIRTUAL_GOING};
    return 0;
}

/* Let the scenario run to its end, or to its stall. */
static void go(void)
{
    struct policy policy;
    struct run_virtual *run;
    json_t *error;

    forget(NULL);
    policy_init(&policy);
    run = run_virtual_create(&(struct run_virtual_config){.scenario = &scenario,
                                                          .costs = &model.costs,
                                                          .policy = &policy,
                                                          .notify = EXEC_NOTIFY_COALESCED},
                             &error);
    assert_non_null(run);
    while (outcome.status == RUN_VIRTUAL_GOING)
        outcome.status = run_virtual_go(run, 1000);
    outcome.end_ns = run_virtual_now_ns(run);
    outcome.stall = run_virtual_stall(run);
    outcome.reports = run_virtual_reports(run);
    run_virtual_destroy(run);
}

static void run_with(const char *file, const char *set)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", FIXTURES, file);
    load(path, &set, set ? 1 : 0);
    go();
}

static uint64_t of_workload(const char *name)
{
    json_t *all = json_object_get(json_object_get(outcome.reports, "frontend"), "workloads");

    return (uint64_t)json_integer_value(json_object_get(json_array_get(all, 0), name));
}

static uint64_t of_part(const char *part, const char *counter)
{
    json_t *all = json_object_get(json_object_get(outcome.reports, part), "counters");
    json_t *value = json_object_get(all, counter);

    assert_non_null(value);
    return (uint64_t)json_integer_value(value);
}

/* ---- links ---- */

/* Connecting is there and back, the 32 bytes of the header are on the wire for 32 us; a request of
 * 1000 bytes is there and back and on the wire for a millisecond each way. To each comes the
 * nanosecond that a turn of the guest takes at least. */
static void delay_and_rate(void **state)
{
    uint64_t ten_ns;

    (void)state;
    run_with("good-network.yaml", NULL);
    assert_int_equal(outcome.status, RUN_VIRTUAL_DONE);
    ten_ns = of_workload("duration_ns");
    assert_int_equal(ten_ns, 20 * MS + 32000 + 2 + 10 * (2 * (10 * MS + MS) + 1));
    run_with("good-network.yaml", "workload.ask.operations=20");
    assert_int_equal(of_workload("duration_ns") - ten_ns, 10 * (2 * (10 * MS + MS) + 1));
    run_with("good-network.yaml", "topology.links.far.delay=30ms");
    assert_int_equal(of_workload("duration_ns") - ten_ns, 11 * 2 * 20 * MS);
    run_with("good-network.yaml", "topology.links.far.rate=unlimited");
    assert_int_equal(ten_ns - of_workload("duration_ns"), 32000 + 10 * 2 * MS);
    run_with("good-network.yaml", "topology.links.far.connect=3ms");
    assert_int_equal(of_workload("duration_ns") - ten_ns, 3 * MS);
}

/* A response begins with the first segment of its request: of ten, nine are on the wire both ways
 * at once. */
static void segments(void **state)
{
    (void)state;
    run_with("good-network.yaml", "topology.links.far.segment=100");
    assert_int_equal(of_workload("duration_ns"),
                     20 * MS + 32000 + 2 + 10 * (2 * 10 * MS + MS + MS / 10 + 1));
}

/* What is lost is late by retransmissions of 200 ms, and attempts to connect by whole seconds. */
static void loss(void **state)
{
    uint64_t whole_ns;

    (void)state;
    run_with("good-network.yaml", NULL);
    whole_ns = of_workload("duration_ns");
    run_with("good-network.yaml", "topology.links.far.loss=50%");
    assert_int_equal(outcome.status, RUN_VIRTUAL_DONE);
    assert_int_equal(of_workload("operations"), 10);
    assert_true(of_workload("duration_ns") > whole_ns);
    assert_int_equal((of_workload("duration_ns") - whole_ns) % (200 * MS), 0);
}

/* ---- silence ---- */

/* A client connects, which is there and back, sends, is answered, ends, and that is acknowledged:
 * each takes seven seconds in which nothing else happens. Then nothing is under way any more, and
 * the guest waits in vain for the second connection. */
static void silence(void **state)
{
    (void)state;
    run_with("good-silent.yaml", NULL);
    assert_int_equal(outcome.status, RUN_VIRTUAL_STALLED);
    assert_in_range(outcome.end_ns, 6 * 7 * SECOND, 6 * 7 * SECOND + 100);
    assert_int_equal(of_workload("connections"), 1);
    assert_int_equal(of_workload("received_bytes"), 1000);
    assert_non_null(strstr(outcome.stall, "1 unanswered, ACCEPT id=1 among them"));
    run_with("good-silent.yaml", "workload.srv.accepts=1");
    assert_int_equal(outcome.status, RUN_VIRTUAL_DONE);
}

/* Two minutes of attempts that are all lost end in an error of the workload, not in a stall; so do
 * the retransmissions of one unlucky segment, in time. */
static void retries(void **state)
{
    (void)state;
    run_with("good-network.yaml", "topology.links.far.retransmit=10s");
    scenario.links[0].link.loss_ppm = 1000000;
    go();
    assert_int_equal(outcome.status, RUN_VIRTUAL_DONE);
    assert_int_equal(of_workload("errors"), 1);
    assert_in_range(outcome.end_ns, 127 * SECOND, 128 * SECOND);
    scenario.links[0].link.loss_ppm = 500000;
    go();
    assert_int_equal(outcome.status, RUN_VIRTUAL_DONE);
    assert_int_equal(of_workload("operations"), 10);
    assert_in_range(outcome.end_ns, 100 * SECOND, 3600 * SECOND);
}

/* ---- host CPUs ---- */

static void cost(enum cost_row row, uint64_t cost_ns)
{
    model.costs.rows[row].low_ps = model.costs.rows[row].high_ps = cost_ns * 1000;
}

static void run_switching(const char *set, int32_t cpu)
{
    run_with("good-network.yaml", set);
    cost(COST_CONTEXT_SWITCH, 5000);
    for (uint32_t i = 0; i < scenario.host_count; i++)
        scenario.hosts[i].cpu = cpu;
    scenario.peers[0].cpu = cpu;
    go();
}

/* Whoever shares a CPU pays for each switch, and for nothing else. The counters are taken in a turn
 * of the guest, when all turns of the backend are paid for. */
static void switches(void **state)
{
    static const char *const sets[] = {"topology.scheduling=run-until-block",
                                       "topology.scheduling=preempt-on-wake"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint64_t count;

        run_switching(sets[i], 0);
        count = of_part("backend", "cpu_switches");
        assert_in_range(count, 10, 100);
        assert_int_equal(of_part("backend", "cpu_busy_ns"),
                         count * 5000 + of_part("backend", "turns") - count);
        assert_in_range(of_part("frontend", "cpu_switches"), 10, 100);
        run_switching(sets[i], SCENARIO_CPU_ANY);
        assert_int_equal(of_part("backend", "cpu_switches"), 0);
        assert_int_equal(of_part("frontend", "cpu_switches"), 0);
    }
}

/* Turns of 131 us, for 128 KiB copied, are before each answer: of three guests that are in the
 * queue, or of the one whose turn it is. */
static void preemption(void **state)
{
    const uint64_t turn_ns = 131072, switch_ns = 5000;

    (void)state;
    run_with("good-cpu.yaml", NULL);
    cost(COST_CONTEXT_SWITCH, switch_ns);
    cost(COST_COPY_BYTE, 1);
    go();
    assert_int_equal(outcome.status, RUN_VIRTUAL_DONE);
    assert_true(of_workload("duration_ns") > 99 * 3 * (turn_ns + switch_ns));
    run_with("good-cpu.yaml", "topology.scheduling=preempt-on-wake");
    cost(COST_CONTEXT_SWITCH, switch_ns);
    cost(COST_COPY_BYTE, 1);
    go();
    assert_int_equal(outcome.status, RUN_VIRTUAL_DONE);
    assert_true(of_workload("duration_ns") < 101 * (turn_ns + 3 * switch_ns));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(delay_and_rate, forget),
        cmocka_unit_test_teardown(segments, forget),
        cmocka_unit_test_teardown(loss, forget),
        cmocka_unit_test_teardown(silence, forget),
        cmocka_unit_test_teardown(retries, forget),
        cmocka_unit_test_teardown(switches, forget),
        cmocka_unit_test_teardown(preemption, forget),
    };

    return !!cmocka_run_group_tests_name("run_virtual_links", tests, NULL, NULL);
}
