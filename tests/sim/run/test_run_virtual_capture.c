/*
 * Captures of whole runs in virtual time, in each dialect: as many requests, responses and
 * notifications as cores and hypervisor counted, as many bytes; the same file twice; and nothing of
 * the run is another for it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/capture_merge.h"
#include "sim/run/run_virtual_private.h"
#include "tests/support/pcap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SCENARIO(name) XENSOCK_SOURCE_DIR "/tests/sim/run/scenarios/" name ".yaml"

static char directory[] = "/tmp/xensock-capture-XXXXXX";
static char part[64], under[64], to[2][64];
static struct pcap pcap;

struct counts {
    uint64_t requests, responses, notifications, wakeups, sent_bytes, received_bytes;
};

struct world {
    struct scenario scenario;
    struct costs costs;
    struct policy policy;
    struct trace_sink sink;
    uint64_t records;
    struct run_virtual *run;
};

static void record(void *self, const struct trace_record *record)
{
    struct world *world = self;

    world->records = world->records * 31 + record->now_ns + record->value;
}

static struct world *load(const char *const *sets, uint32_t set_count)
{
    struct world *world = calloc(1, sizeof(*world));
    struct diag_list diags;

    assert_non_null(world);
    diag_init(&diags);
    if (scenario_load(&world->scenario, SCENARIO("run-virtual-capture"), sets, set_count, &diags) <
        0)
        diag_print(&diags, stderr, false);
    assert_int_equal(diags.errors, 0);
    diag_fini(&diags);
    for (int row = COST_DELIVER_RUNNING; row <= COST_DELIVER_ASLEEP; row++)
        world->costs.rows[row].low_ps = 1500000;
    world->costs.rows[COST_STEP].low_ps = 100000;
    world->costs.dozing_after_ns = world->costs.asleep_after_ns = UINT64_MAX;
    world->costs.slice_ns = 1000000;
    policy_init(&world->policy);
    world->sink = (struct trace_sink){record, world};
    return world;
}

static void run(struct world *world, struct capture *capture, enum exec_notify notify)
{
    json_t *error;

    world->run = run_virtual_create(&(struct run_virtual_config){.scenario = &world->scenario,
                                                                 .costs = &world->costs,
                                                                 .policy = &world->policy,
                                                                 .trace = &world->sink,
                                                                 .capture = capture,
                                                                 .notify = notify},
                                    &error);
    assert_non_null(world->run);
    enum run_virtual_status status = RUN_VIRTUAL_GOING;
    while (status == RUN_VIRTUAL_GOING)
        status = run_virtual_go(world->run, 1000);
    assert_int_equal(status, RUN_VIRTUAL_DONE);
}

/* What its capture holds of each side, by guest. */
static void captured(enum capture_side side, uint32_t domid, struct counts *counts)
{
    for (uint32_t i = 0; i < pcap.packet_count; i++) {
        const struct pcap_packet *packet = &pcap.packets[i];
        bool published = packet->data[3] == CAPTURE_PUBLISHED;
        uint32_t bytes = pcap_u32(packet->data + 24);
        if (packet->data[2] != side ||
            pcap_u16(packet->data + (side == CAPTURE_FRONT ? 4 : 6)) != domid)
            continue;
        assert_int_equal(packet->flags, published ? 2 : 1);
        switch ((enum capture_kind)packet->data[1]) {
        case CAPTURE_REQUEST: counts->requests++; break;
        case CAPTURE_RESPONSE: counts->responses++; break;
        case CAPTURE_NOTIFY: *(published ? &counts->notifications : &counts->wakeups) += 1; break;
        case CAPTURE_INDEX:
            if (packet->data[28] == CAPTURE_OUT_PROD || packet->data[28] == CAPTURE_OUT_CONS)
                counts->sent_bytes += bytes;
            else
                counts->received_bytes += bytes;
            break;
        }
    }
}

static void assert_counted(const struct counts *got, const struct counts *wanted)
{
    assert_int_equal(got->requests, wanted->requests);
    assert_int_equal(got->responses, wanted->responses);
    assert_int_equal(got->notifications, wanted->notifications);
    assert_int_equal(got->wakeups, wanted->wakeups);
    assert_int_equal(got->sent_bytes, wanted->sent_bytes);
    assert_int_equal(got->received_bytes, wanted->received_bytes);
    assert_true(wanted->requests > 4 && wanted->wakeups > 100);
    assert_true(wanted->sent_bytes + wanted->received_bytes > 100000);
}

static void compare_guest(const struct guest *guest)
{
    const struct fe_counters *fe = run_front_counters(guest->front);
    const struct hv_counters *hv = &domain_virtual_hv(guest->domain)->counters;
    struct counts got = {0};

    captured(CAPTURE_FRONT, guest->is.domid, &got);
    assert_counted(&got, &(struct counts){fe->requests, fe->responses, hv->notifies, hv->wakeups,
                                          fe->sent_bytes, fe->received_bytes});
}

static void compare_backend(const struct backend *backend)
{
    const struct hv_counters *hv = &domain_virtual_hv(backend->domain)->counters;
    struct be_counters be;
    struct counts got = {0};

    run_back_counters(backend->back, &be);
    captured(CAPTURE_BACK, backend->is.domid, &got);
    assert_counted(&got, &(struct counts){be.requests, be.replies, hv->notifies, hv->wakeups,
                                          be.sent_bytes, be.received_bytes});
}

static void capture_run(const char *dialect, enum exec_notify notify, const char *file,
                        uint64_t *records)
{
    char set[64];
    const char *const sets[] = {set};
    const char *const parts[] = {part};
    struct capture *capture;
    struct capture_summary summary;

    snprintf(set, sizeof(set), "protocol.dialect=%s", dialect);
    struct world *world = load(sets, 1);
    assert_int_equal(
        capture_create(&(struct capture_config){.path = part, .limit_bytes = CAPTURE_LIMIT_DEFAULT},
                       &capture),
        0);
    run(world, capture, notify);
    const struct capture_merge_config config = {
        .parts = parts, .part_count = 1, .to = file, .under = under};
    assert_int_equal(capture_merge(&config, &summary), 0);
    assert_int_equal(summary.lost + summary.damaged, 0);
    pcap_load(&pcap, file);
    for (uint32_t i = 0; i < world->run->guest_count; i++)
        compare_guest(&world->run->guests[i]);
    compare_backend(&world->run->backends[0]);
    assert_true(pcap.packets[pcap.packet_count - 1].now_ns <= run_virtual_now_ns(world->run));
    run_virtual_destroy(world->run);
    capture_destroy(capture);
    *records = world->records;
    free(world);
}

static void numbers_add_up(void **state)
{
    uint64_t records;

    (void)state;
    for (uint32_t i = 0; dialect_at(i); i++) {
        capture_run(dialect_at(i)->name, EXEC_NOTIFY_COALESCED, to[0], &records);
        capture_run(dialect_at(i)->name, EXEC_NOTIFY_IMMEDIATE, to[0], &records);
    }
}

static void same_twice_and_as_without(void **state)
{
    uint64_t records[2];
    uint8_t *first;

    (void)state;
    capture_run("pvcalls1", EXEC_NOTIFY_COALESCED, to[0], &records[0]);
    uint32_t bytes = pcap.bytes;
    first = malloc(bytes);
    assert_non_null(first);
    memcpy(first, pcap.file, bytes);
    capture_run("pvcalls1", EXEC_NOTIFY_COALESCED, to[1], &records[1]);
    assert_int_equal(pcap.bytes, bytes);
    assert_memory_equal(pcap.file, first, bytes);
    free(first);
    assert_int_equal(records[0], records[1]);
    struct world *world = load((const char *[]){"protocol.dialect=pvcalls1"}, 1);
    run(world, NULL, EXEC_NOTIFY_COALESCED);
    assert_int_equal(world->records, records[0]);
    run_virtual_destroy(world->run);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_add_up),
                                       cmocka_unit_test(same_twice_and_as_without)};

    if (!mkdtemp(directory))
        return 1;
    snprintf(part, sizeof(part), "%s/part", directory);
    snprintf(under, sizeof(under), "%s/under", directory);
    for (uint32_t i = 0; i < 2; i++)
        snprintf(to[i], sizeof(to[i]), "%s/%u", directory, i);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(part);
    unlink(to[0]);
    unlink(to[1]);
    rmdir(directory);
    pcap_free(&pcap);
    return failed;
}
