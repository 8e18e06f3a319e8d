/*
 * Stages: of whole runs in virtual time, where those of each request add up to its latency as the
 * application's own calls have it, to the nanosecond; and of packets made by hand, for what such a
 * run does not show.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/capture_merge.h"
#include "sim/run/decode_file.h"
#include "sim/run/run_virtual_private.h"
#include "sim/run/stages_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATHS_MAX = 20000, ASKED_MAX = 4096, REQUEST = 64, PREFACE = 32 };

static char directory[] = "/tmp/xensock-stages-XXXXXX";
static char part[64], under[64], file[64];

/* ---- what is told ---- */

struct told {
    struct stages_path paths[PATHS_MAX];
    uint32_t count;
};
static struct told told;

static void tell(void *self, const struct stages_path *path)
{
    struct told *to = self;

    assert_true(to->count < PATHS_MAX);
    assert_true(path->marks >= 2 && path->marks <= STAGES_MARKS_MAX);
    for (uint32_t i = 1; i < path->marks; i++)
        assert_true(path->at_ns[i] >= path->at_ns[i - 1]);
    to->paths[to->count++] = *path;
}

static uint64_t whole_ns(const struct stages_path *path)
{
    return path->at_ns[path->marks - 1] - path->at_ns[0];
}

/* The i-th of a kind; NULL behind the last. What opens a stream for the peer is no request. */
static const struct stages_path *nth(enum stages_kind kind, uint32_t i)
{
    for (uint32_t at = 0; at < told.count; at++)
        if (told.paths[at].kind == kind && told.paths[at].bytes != PREFACE && i-- == 0)
            return &told.paths[at];
    return NULL;
}

/* ---- runs ---- */

/* When the application sent, and when it had its answer: from its calls alone. */
struct asked {
    uint64_t sent_ns[ASKED_MAX], answered_ns[ASKED_MAX];
    uint32_t sent, answered;
    uint16_t who;
};

struct world {
    struct scenario scenario;
    struct costs costs;
    struct policy policy;
    struct trace_sink sink;
    struct asked asked;
    struct run_virtual *run;
    json_t *reports;
    struct stages_window window;
};

static void record(void *self, const struct trace_record *record)
{
    struct asked *asked = &((struct world *)self)->asked;

    if (record->point != TRACE_CALL || record->who != asked->who || record->value != REQUEST)
        return;
    assert_true(asked->sent < ASKED_MAX);
    if (record->detail == TRACE_CALL_SEND)
        asked->sent_ns[asked->sent++] = record->now_ns;
    else if (record->detail == TRACE_CALL_RECV)
        asked->answered_ns[asked->answered++] = record->now_ns;
}

static struct world *load(const char *const *sets, uint32_t set_count)
{
    struct world *world = calloc(1, sizeof(*world));
    struct diag_list diags;

    assert_non_null(world);
    diag_init(&diags);
    if (scenario_load(&world->scenario,
                      XENSOCK_SOURCE_DIR "/tests/sim/run/scenarios/run-virtual.yaml", sets,
                      set_count, &diags) < 0)
        diag_print(&diags, stderr, false);
    assert_int_equal(diags.errors, 0);
    diag_fini(&diags);
    for (int row = 0; row < COST_ROWS_COUNT; row++) { /* no two stages alike */
        world->costs.rows[row].shape = COST_UNIFORM;
        world->costs.rows[row].low_ps = 1000 + 377 * (uint64_t)row;
        world->costs.rows[row].high_ps = 900000 + 70001 * (uint64_t)row;
    }
    for (int row = 0; row < COST_ROWS_COUNT; row++)
        if (row == COST_COPY_BYTE || row == COST_SOCKET_READ_BYTE || row == COST_SOCKET_WRITE_BYTE)
            world->costs.rows[row] = (struct cost){.shape = COST_UNIFORM, .high_ps = 2000};
    world->costs.dozing_after_ns = world->costs.asleep_after_ns = UINT64_MAX;
    world->costs.slice_ns = 1000000;
    policy_init(&world->policy);
    world->sink = (struct trace_sink){record, world};
    world->asked.who = 1;
    return world;
}

/* Run it to its end, with a capture of it in `file`. */
static void run(struct world *world, enum exec_notify notify)
{
    const char *const parts[] = {part};
    const struct capture_config config = {.path = part, .limit_bytes = CAPTURE_LIMIT_DEFAULT};
    struct capture_summary summary;
    struct capture *capture;
    json_t *error;

    assert_int_equal(capture_create(&config, &capture), 0);
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
    world->reports = run_virtual_reports(world->run);
    run_virtual_measured(world->run, &world->window.from_ns, &world->window.to_ns);
    run_virtual_destroy(world->run);
    capture_destroy(capture);
    const struct capture_merge_config merge = {
        .parts = parts, .part_count = 1, .to = file, .under = under};
    assert_int_equal(capture_merge(&merge, &summary), 0);
    assert_int_equal(summary.lost + summary.damaged, 0);
}

static void leave(struct world *world)
{
    json_decref(world->reports);
    free(world);
}

static void see(void *self, const struct decode_packet *packet)
{
    stages_see(self, packet);
}

static void read_stages(void)
{
    struct pcapng_fault fault;

    told.count = 0;
    struct stages *all = stages_create(tell, &told);
    assert_true(decode_file_each_of(file, see, all, &fault));
    stages_finish(all);
}

/* ---- a request's stages are its latency ---- */

/* One round is one move out, the peer, one move in: the marks of the three are the same. */
static void assert_round(const struct world *world, uint32_t i)
{
    const struct stages_path *out = nth(STAGES_OUT, i), *in = nth(STAGES_IN, i);
    const struct stages_path *round = nth(STAGES_ROUND, i);
    uint64_t sum_ns = 0;

    assert_true(out && in && round);
    for (uint32_t stage = 0; stage < 3; stage++)
        sum_ns +=
            out->at_ns[stage + 1] - out->at_ns[stage] + in->at_ns[stage + 1] - in->at_ns[stage];
    sum_ns += round->at_ns[2] - round->at_ns[1];
    assert_int_equal(sum_ns, world->asked.answered_ns[i] - world->asked.sent_ns[i]);
    assert_int_equal(sum_ns, whole_ns(round));
    assert_int_equal(whole_ns(out), round->at_ns[1] - round->at_ns[0]);
    assert_int_equal(whole_ns(in), round->at_ns[3] - round->at_ns[2]);
    assert_true(out->at_ns[2] > out->at_ns[1] && in->at_ns[2] > in->at_ns[1]);
    assert_int_equal(out->bytes, REQUEST);
    assert_int_equal(in->bytes, REQUEST);
}

static void add_up_to_each_latency(void **state)
{
    (void)state;
    for (uint32_t d = 0; dialect_at(d); d++) {
        for (uint32_t notify = EXEC_NOTIFY_COALESCED; notify <= EXEC_NOTIFY_IMMEDIATE; notify++) {
            char set[64];
            const char *const sets[] = {set};
            snprintf(set, sizeof(set), "protocol.dialect=%s", dialect_at(d)->name);
            struct world *world = load(sets, 1);
            run(world, (enum exec_notify)notify);
            read_stages();
            assert_true(world->asked.answered > 20);
            assert_true(world->asked.sent - world->asked.answered <= 1); /* cut at the end */
            for (uint32_t i = 0; i < world->asked.answered; i++)
                assert_round(world, i);
            assert_null(nth(STAGES_ROUND, world->asked.answered));
            leave(world);
        }
    }
}

/* Between the rounds of a closed loop is the application, and nothing else. */
static void rounds_and_the_application_are_all_time(void **state)
{
    (void)state;
    struct world *world = load(NULL, 0);
    run(world, EXEC_NOTIFY_COALESCED);
    read_stages();
    for (uint32_t i = 0; nth(STAGES_APP, i); i++) {
        assert_int_equal(nth(STAGES_APP, i)->at_ns[0], nth(STAGES_ROUND, i)->at_ns[3]);
        assert_int_equal(nth(STAGES_APP, i)->at_ns[1], nth(STAGES_ROUND, i + 1)->at_ns[0]);
    }
    leave(world);
}

/* ---- a result ---- */

static const json_t *metric(const json_t *repeat, const char *name)
{
    return json_object_get(json_object_get(repeat, "metrics"), name);
}

static uint64_t member(const json_t *repeat, const char *name, const char *key)
{
    const json_t *value = json_object_get(metric(repeat, name), key);

    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

static uint64_t sum_of(const json_t *repeat, const char *const *names)
{
    uint64_t sum = 0;

    for (; *names; names++)
        sum += member(repeat, *names, "sum");
    return sum;
}

static uint64_t total(const json_t *repeat, const char *series)
{
    const json_t *values =
        json_object_get(json_object_get(json_object_get(repeat, "timeline"), "series"), series);
    uint64_t sum = 0;

    assert_true(json_array_size(values) > 50 && json_array_size(values) <= 200);
    for (size_t i = 0; i < json_array_size(values); i++)
        sum += (uint64_t)json_integer_value(json_array_get(values, i));
    return sum;
}

static uint64_t counted(const struct world *world, const char *role, const char *counter)
{
    const json_t *counters = json_object_get(json_object_get(world->reports, role), "counters");

    assert_true(json_is_integer(json_object_get(counters, counter)));
    return (uint64_t)json_integer_value(json_object_get(counters, counter));
}

/* The time line holds what cores and hypervisor counted in the same phase. */
static void assert_as_counted(const struct world *world, const json_t *repeat)
{
    assert_int_equal(total(repeat, "sent_bytes"), counted(world, "frontend", "sent_bytes"));
    assert_int_equal(total(repeat, "received_bytes"), counted(world, "frontend", "received_bytes"));
    assert_int_equal(total(repeat, "notifications.frontend"),
                     counted(world, "frontend", "notifications"));
    assert_int_equal(total(repeat, "notifications.backend"),
                     counted(world, "backend", "notifications"));
}

/* The histogram of the rounds is the one that the workload measured, bucket for bucket. */
static void result_agrees_with_the_workload(void **state)
{
    static const char *const warmups[] = {"warmup=0ns", "warmup=137us"};
    static const char *const all[] = {"stage.out", "stage.round.peer", "stage.in", NULL};
    static const char *const outs[] = {"stage.out.notify", "stage.out.wake", "stage.out.take",
                                       NULL};
    static const char *const ins[] = {"stage.in.notify", "stage.in.wake", "stage.in.take", NULL};

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct world *world = load(&warmups[i], 1);
        struct pcapng_fault fault;
        run(world, EXEC_NOTIFY_COALESCED);
        json_t *repeat = json_pack("{s:{}}", "metrics");
        assert_true(stages_file_add(repeat, file, &world->window, &fault));
        const json_t *ask = json_array_get(
            json_object_get(json_object_get(world->reports, "frontend"), "workloads"), 0);
        const char *latency =
            json_string_value(json_object_get(json_object_get(ask, "latency"), "hdr_v2"));
        assert_non_null(latency);
        assert_string_equal(
            json_string_value(json_object_get(metric(repeat, "stage.round"), "hdr_v2")), latency);
        assert_int_equal(sum_of(repeat, outs), member(repeat, "stage.out", "sum"));
        assert_int_equal(sum_of(repeat, ins), member(repeat, "stage.in", "sum"));
        read_stages();
        assert_as_counted(world, repeat);
        const struct stages_path *preface = told.paths;
        while (preface->bytes != PREFACE)
            preface++;
        if (i == 0)
            assert_int_equal(sum_of(repeat, all) - whole_ns(preface),
                             member(repeat, "stage.round", "sum"));
        json_decref(repeat);
        leave(world);
    }
}

/* ---- packets by hand ---- */

enum { SOCKID = 0x1000001, FRONT = 1, BACK = 0 };

static struct stages *stages;
static uint32_t next_index; /* the slot of the guest's next request */

static void begin(void)
{
    next_index = 0;
    told.count = 0;
    stages = stages_create(tell, &told);
}

static void put(const struct decode_packet *packet)
{
    struct decode_packet whole = *packet;

    whole.header.front = FRONT;
    whole.header.back = BACK;
    whole.dialect = dialect_at(0);
    if (whole.header.ring == CAPTURE_DATA && !whole.header.sockid)
        whole.header.sockid = SOCKID;
    stages_see(stages, &whole);
}

static void moves(uint64_t now_ns, enum capture_word word, uint32_t value, uint32_t bytes)
{
    bool front = word == CAPTURE_OUT_PROD || word == CAPTURE_IN_CONS;

    put(&(struct decode_packet){.time_ns = now_ns,
                                .header = {.kind = CAPTURE_INDEX,
                                           .ring = CAPTURE_DATA,
                                           .side = front ? CAPTURE_FRONT : CAPTURE_BACK,
                                           .what = (uint8_t)word,
                                           .index = value,
                                           .bytes = bytes}});
}

static void notifies(uint64_t now_ns, enum capture_ring ring, enum capture_side side,
                     enum capture_moved moved)
{
    put(&(struct decode_packet){.time_ns = now_ns,
                                .header = {.kind = CAPTURE_NOTIFY,
                                           .ring = (uint8_t)ring,
                                           .side = (uint8_t)side,
                                           .moved = (uint8_t)moved}});
}

static void calls(uint64_t now_ns, enum capture_kind kind, enum capture_side side, uint32_t id)
{
    bool publishes = (kind == CAPTURE_REQUEST) == (side == CAPTURE_FRONT);

    put(&(struct decode_packet){
        .time_ns = now_ns,
        .kind = CALL_CONNECT,
        .id = id,
        .sockid = SOCKID,
        .header = {.kind = (uint8_t)kind,
                   .ring = CAPTURE_COMMANDS,
                   .side = (uint8_t)side,
                   .index = (kind == CAPTURE_REQUEST && publishes) ? next_index++ : 0,
                   .moved = publishes ? CAPTURE_PUBLISHED : CAPTURE_CONSUMED}});
}

static void assert_marks(const struct stages_path *path, enum stages_kind kind,
                         const uint64_t *at_ns)
{
    assert_int_equal(path->kind, kind);
    for (uint32_t i = 0; i < path->marks; i++)
        assert_int_equal(path->at_ns[i], at_ns[i]);
}
#define MARKS(path, kind, ...) assert_marks(path, kind, (const uint64_t[]){__VA_ARGS__})

/* Two moves behind one notification; a third that is not covered by it; an index that wraps. */
static void a_notification_is_of_all_before_it(void **state)
{
    (void)state;
    begin();
    moves(10, CAPTURE_OUT_PROD, UINT32_MAX, 5);
    moves(11, CAPTURE_OUT_PROD, 4, 5);
    notifies(12, CAPTURE_DATA, CAPTURE_FRONT, CAPTURE_PUBLISHED);
    moves(13, CAPTURE_OUT_PROD, 9, 5);
    notifies(20, CAPTURE_DATA, CAPTURE_BACK, CAPTURE_CONSUMED);
    moves(30, CAPTURE_OUT_CONS, 3, 9);
    assert_int_equal(told.count, 1);
    notifies(31, CAPTURE_DATA, CAPTURE_FRONT, CAPTURE_PUBLISHED);
    moves(40, CAPTURE_OUT_CONS, 9, 6);
    assert_int_equal(told.count, 3);
    MARKS(&told.paths[0], STAGES_OUT, 10, 12, 20, 30);
    MARKS(&told.paths[1], STAGES_OUT, 11, 12, 20, 40);
    MARKS(&told.paths[2], STAGES_OUT, 13, 31, 31, 40); /* taken before anybody woke for it */
    stages_finish(stages);
    assert_int_equal(told.count, 3);
}

/* What the other side takes before it is told, as one that is awake does, is all `take`. */
static void taken_before_it_is_told(void **state)
{
    (void)state;
    begin();
    moves(10, CAPTURE_IN_PROD, 7, 7);
    notifies(11, CAPTURE_DATA, CAPTURE_FRONT, CAPTURE_CONSUMED); /* of what was before */
    moves(15, CAPTURE_IN_CONS, 7, 7);
    notifies(16, CAPTURE_DATA, CAPTURE_BACK, CAPTURE_PUBLISHED);
    moves(17, CAPTURE_IN_PROD, 8, 1);
    notifies(18, CAPTURE_DATA, CAPTURE_BACK, CAPTURE_PUBLISHED);
    notifies(19, CAPTURE_DATA, CAPTURE_FRONT, CAPTURE_CONSUMED);
    moves(25, CAPTURE_IN_CONS, 8, 1);
    MARKS(nth(STAGES_IN, 0), STAGES_IN, 10, 10, 10, 15);
    MARKS(nth(STAGES_IN, 1), STAGES_IN, 17, 18, 19, 25);
    stages_finish(stages);
}

/* A round from the first byte of a question to the last of its answer, in as many moves as it
 * takes; where the next question comes before the answer is taken there is none. */
static void rounds_are_questions_with_answers(void **state)
{
    (void)state;
    begin();
    moves(10, CAPTURE_OUT_PROD, 8, 8);
    moves(12, CAPTURE_OUT_CONS, 8, 8);
    moves(13, CAPTURE_OUT_PROD, 10, 2);
    moves(14, CAPTURE_OUT_CONS, 10, 2);
    moves(20, CAPTURE_IN_PROD, 5, 5);
    moves(21, CAPTURE_IN_CONS, 5, 5);
    moves(22, CAPTURE_IN_PROD, 10, 5);
    moves(24, CAPTURE_IN_CONS, 10, 5);
    moves(30, CAPTURE_OUT_PROD, 11, 1);
    MARKS(nth(STAGES_ROUND, 0), STAGES_ROUND, 10, 14, 20, 24);
    moves(31, CAPTURE_OUT_CONS, 11, 1);
    moves(32, CAPTURE_IN_PROD, 11, 1);
    moves(33, CAPTURE_OUT_PROD, 12, 1); /* before it was taken */
    moves(34, CAPTURE_OUT_CONS, 12, 1);
    moves(35, CAPTURE_IN_CONS, 11, 1);
    moves(36, CAPTURE_IN_PROD, 12, 1);
    moves(37, CAPTURE_IN_CONS, 12, 1);
    stages_finish(stages);
    assert_null(nth(STAGES_ROUND, 1));
    assert_null(nth(STAGES_APP, 0));
}

/* Each mark of a command; then one that its backend, awake already, took without being told. */
static void marks_of_commands(void **state)
{
    (void)state;
    begin();
    calls(10, CAPTURE_REQUEST, CAPTURE_FRONT, 3);
    notifies(11, CAPTURE_COMMANDS, CAPTURE_FRONT, CAPTURE_PUBLISHED);
    notifies(13, CAPTURE_COMMANDS, CAPTURE_BACK, CAPTURE_CONSUMED);
    calls(16, CAPTURE_REQUEST, CAPTURE_BACK, 3);
    calls(17, CAPTURE_REQUEST, CAPTURE_FRONT, 4);
    calls(18, CAPTURE_REQUEST, CAPTURE_BACK, 4);
    calls(20, CAPTURE_RESPONSE, CAPTURE_BACK, 3);
    notifies(25, CAPTURE_COMMANDS, CAPTURE_BACK, CAPTURE_PUBLISHED);
    calls(26, CAPTURE_RESPONSE, CAPTURE_BACK, 4);
    notifies(31, CAPTURE_COMMANDS, CAPTURE_FRONT, CAPTURE_CONSUMED);
    calls(38, CAPTURE_RESPONSE, CAPTURE_FRONT, 3);
    calls(39, CAPTURE_RESPONSE, CAPTURE_FRONT, 4);
    calls(40, CAPTURE_RESPONSE, CAPTURE_FRONT, 4); /* nobody's */
    stages_finish(stages);
    assert_int_equal(told.count, 2);
    MARKS(&told.paths[0], STAGES_COMMAND, 10, 11, 13, 16, 20, 25, 31, 38);
    MARKS(&told.paths[1], STAGES_COMMAND, 17, 17, 17, 18, 26, 26, 26, 39);
    assert_int_equal(told.paths[0].command, CALL_CONNECT);
    assert_int_equal(told.paths[1].id, 4);
}

/* A socket's id that comes again is another socket's. */
static void a_socket_begins_anew(void **state)
{
    (void)state;
    begin();
    moves(10, CAPTURE_OUT_PROD, 8, 8);
    calls(11, CAPTURE_REQUEST, CAPTURE_FRONT, 1);
    moves(12, CAPTURE_OUT_PROD, 2, 2);
    moves(13, CAPTURE_OUT_CONS, 2, 2);
    stages_finish(stages);
    assert_int_equal(told.count, 1);
    MARKS(&told.paths[0], STAGES_OUT, 12, 12, 12, 13);
}

/* Nobody answers what a device was asked that died; what the next one is asked begins then. */
static void a_device_comes_again(void **state)
{
    (void)state;
    begin();
    calls(10, CAPTURE_REQUEST, CAPTURE_FRONT, 0);
    calls(11, CAPTURE_REQUEST, CAPTURE_BACK, 0);
    moves(12, CAPTURE_OUT_PROD, 8, 8);
    next_index = 0;
    calls(20, CAPTURE_REQUEST, CAPTURE_FRONT, 0);
    calls(21, CAPTURE_REQUEST, CAPTURE_BACK, 0);
    calls(22, CAPTURE_RESPONSE, CAPTURE_BACK, 0);
    calls(23, CAPTURE_RESPONSE, CAPTURE_FRONT, 0);
    moves(24, CAPTURE_OUT_CONS, 8, 8);
    stages_finish(stages);
    assert_int_equal(told.count, 1);
    MARKS(&told.paths[0], STAGES_COMMAND, 20, 20, 20, 21, 22, 22, 22, 23);
}

/* As many requests without answers as a file may hold: the oldest are forgotten, memory is not. */
static void requests_without_end(void **state)
{
    (void)state;
    begin();
    for (uint32_t id = 0; id < 5000; id++)
        calls(id, CAPTURE_REQUEST, CAPTURE_FRONT, id);
    for (uint32_t id = 4000; id < 5000; id++) {
        calls(10000, CAPTURE_REQUEST, CAPTURE_BACK, id);
        calls(10000, CAPTURE_RESPONSE, CAPTURE_BACK, id);
        calls(10000, CAPTURE_RESPONSE, CAPTURE_FRONT, id);
    }
    stages_finish(stages);
    assert_int_equal(told.count, 256);
    assert_int_equal(told.paths[0].id, 5000 - 256);
}

static void names(void **state)
{
    char name[STAGES_NAME_BYTES];

    (void)state;
    stages_name(STAGES_OUT, CALL_KINDS, 1, name);
    assert_string_equal(name, "out.wake");
    stages_name(STAGES_APP, CALL_KINDS, 0, name);
    assert_string_equal(name, "app");
    stages_name(STAGES_COMMAND, CALL_ACCEPT, 3, name);
    assert_string_equal(name, "accept.work");
    stages_name(STAGES_COMMAND, CALL_RELEASE, UINT32_MAX, name);
    assert_string_equal(name, "release");
    assert_int_equal(stages_count(STAGES_COMMAND), 7);
    assert_int_equal(stages_count(STAGES_APP), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_up_to_each_latency),
        cmocka_unit_test(rounds_and_the_application_are_all_time),
        cmocka_unit_test(result_agrees_with_the_workload),
        cmocka_unit_test(a_notification_is_of_all_before_it),
        cmocka_unit_test(taken_before_it_is_told),
        cmocka_unit_test(rounds_are_questions_with_answers),
        cmocka_unit_test(marks_of_commands),
        cmocka_unit_test(a_socket_begins_anew),
        cmocka_unit_test(a_device_comes_again),
        cmocka_unit_test(requests_without_end),
        cmocka_unit_test(names),
    };

    if (!mkdtemp(directory))
        return 1;
    snprintf(part, sizeof(part), "%s/part", directory);
    snprintf(under, sizeof(under), "%s/under", directory);
    snprintf(file, sizeof(file), "%s/file", directory);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(part);
    unlink(file);
    rmdir(directory);
    return failed;
}
