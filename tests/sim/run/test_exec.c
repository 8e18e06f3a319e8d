/*
 * The executor's turn by itself: devices that have something of their own to do, an index that is
 * given again, and what the trace has of events, actions and calls. The cores are made up, over
 * hv_mem; real ones are in tests/cores.
 */
#include "sim/hv/hv_mem.h"
#include "sim/run/exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DOMID = 3, PEER = 4, DEVICES = 4, LOG_MAX = 64, RECORDS_MAX = 64, PORTS = 8, SHARE = 3 };

/* A core that notes what it is told, and says what a test has it say. */
struct core {
    struct world *world;
    char name;
    uint64_t deadline_ns;
    uint32_t more; /* steps that leave work */
    bool allocs;   /* at EV_START asks for a port, and then for a deadline */
    uint16_t with; /* whom that port is for; 0: its own domain */
    uint32_t port;
    uint32_t pokes; /* steps in the midst of which the peer notifies */
    bool leaves;    /* at EV_STOP notifies, faults, and is then removed by its upcall, */
    bool calls;     /* which otherwise makes a call */
    uint64_t then_ns;
    bool allocs_many; /* at EV_START asks for a port a slot, with its peer */
    uint32_t ports[PORTS];
};

struct world {
    struct hv_mem *machine;
    struct hv *hv, *peer;
    uint32_t peer_port;
    struct exec *exec;
    struct core cores[DEVICES + 1];
    char log[2 * LOG_MAX]; /* pairs: a core, and the event as a letter */
    struct trace_sink sink;
    struct trace_record records[RECORDS_MAX];
    uint32_t record_count;
    uint32_t share; /* for the executors that are opened */
    uint32_t buses; /* bit i: core i is one */
};

static const char *letter(enum ev_kind kind)
{
    return kind == EV_START  ? "s"
           : kind == EV_STOP ? "x"
           : kind == EV_MORE ? "m"
           : kind == EV_TIME ? "t"
                             : "o";
}

static void step(void *self, const struct ev *ev, struct step_out *out)
{
    struct core *core = self;
    char pair[3] = {core->name, letter(ev->kind)[0], '\0'};

    size_t used = strlen(core->world->log);

    assert_true(used < sizeof(core->world->log) - sizeof(pair));
    memcpy(core->world->log + used, pair, sizeof(pair));
    if (ev->kind == EV_TIME && core->deadline_ns <= out->now_ns)
        core->deadline_ns = STEP_NEVER;
    for (uint32_t i = 0; ev->kind == EV_START && core->allocs_many && i < PORTS; i++)
        step_act(out, ACT_PORT_ALLOC, step_token(step_device(ev->token), 0, i))->port.domid = PEER;
    if (ev->kind == EV_PORT_ALLOC && core->allocs_many) {
        core->ports[step_slot(ev->token)] = ev->port;
    } else if (ev->kind == EV_START && core->allocs) {
        step_act(out, ACT_PORT_ALLOC, ev->token)->port.domid = core->with ? core->with : DOMID;
    } else if (ev->kind == EV_PORT_ALLOC) {
        core->port = ev->port;
        step_act(out, ACT_NOTIFY, ev->token)->port.port = ev->port;
        core->deadline_ns = core->then_ns;
    }
    if (ev->kind == EV_STOP && (core->leaves || core->calls)) {
        step_act(out, ACT_NOTIFY, ev->token)->port.port = core->port;
        step_act(out, ACT_FAULT, ev->token)->fault = (struct act_fault){FAULT_SILENT, 5, 7};
        step_act(out, ACT_DONE, ev->token)->done = (struct act_done){CALL_POLL, 42, -ERR_BADF};
        step_act(out, ACT_GONE, ev->token);
    }
    if (core->pokes > 0) {
        core->pokes--;
        hv_notify(core->world->peer, core->world->peer_port);
    }
    if (core->more > 0) {
        core->more--;
        out->more = true;
    }
}

static uint64_t deadline(const void *self)
{
    return ((const struct core *)self)->deadline_ns;
}

static void upcall(void *self, const struct act *act)
{
    struct core *core = self;
    uint16_t device = step_device(act->token);

    if (act->kind == ACT_DONE)
        return;
    assert_int_equal(act->kind, ACT_GONE);
    if (core->leaves)
        exec_remove(core->world->exec, device);
    if (!core->calls)
        return;
    /* a call within a turn has the turn's time */
    assert_int_equal(exec_call(core->world->exec, 99)->now_ns, 20);
    exec_call_end(core->world->exec, device);
}

static void record(void *self, const struct trace_record *record)
{
    struct world *world = self;

    assert_in_range(world->record_count, 0, RECORDS_MAX - 1);
    world->records[world->record_count++] = *record;
}

static struct core *add(struct world *world, uint32_t i, int index)
{
    struct core *core = &world->cores[i];
    struct exec_core at = {.core = core,
                           .step = step,
                           .deadline_ns = deadline,
                           .self = core,
                           .upcall = upcall,
                           .dialect = world->buses >> i & 1u ? NULL : &dialect_xensock1,
                           .slots = PORTS};

    *core = (struct core){
        .world = world, .name = (char)('a' + i), .deadline_ns = STEP_NEVER, .then_ns = STEP_NEVER};
    assert_int_equal(exec_next_device(world->exec), index);
    assert_int_equal(exec_add(world->exec, &at), index);
    return core;
}

static void open_exec(struct world *world, enum exec_notify notify)
{
    world->exec = exec_create(&(struct exec_config){.hv = world->hv,
                                                    .notify = notify,
                                                    .max_devices = DEVICES,
                                                    .share = world->share,
                                                    .trace = &world->sink});
    for (uint32_t i = 0; i < DEVICES; i++)
        add(world, i, (int)i);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->sink = (struct trace_sink){record, world};
    world->machine = hv_mem_create_pages(NULL, 16);
    world->hv = hv_mem_domain(world->machine, DOMID);
    open_exec(world, EXEC_NOTIFY_COALESCED);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    exec_destroy(world->exec);
    hv_close(world->hv);
    hv_mem_destroy(world->machine);
    free(world);
    return 0;
}

/* A turn's log; whether it left work. */
static void assert_turn(struct world *world, uint64_t now_ns, const char *log, bool left)
{
    world->log[0] = '\0';
    assert_int_equal(exec_turn(world->exec, now_ns), left);
    assert_string_equal(world->log, log);
}

static void test_a_deadline_needs_nobody_who_posts(void **state)
{
    struct world *world = *state;

    exec_post(world->exec, 2, EV_START);
    world->cores[2].deadline_ns = 1000; /* as its step for START would ask */
    assert_int_equal(exec_deadline_ns(world->exec), 1000);
    assert_turn(world, 10, "cs", false);
    assert_turn(world, 999, "", false);
    assert_int_equal(exec_deadline_ns(world->exec), 1000);
    assert_turn(world, 1000, "ct", false);
    assert_int_equal(exec_deadline_ns(world->exec), STEP_NEVER);
    assert_turn(world, 2000, "", false);
}

/* It comes by a step for an event of a seam. */
static void test_a_deadline_of_one_that_had_nothing_to_do(void **state)
{
    struct world *world = *state;

    world->cores[1].allocs = true;
    world->cores[1].then_ns = 300;
    exec_post(world->exec, 1, EV_START);
    assert_turn(world, 10, "bsbo", false);
    assert_int_equal(exec_deadline_ns(world->exec), 300);
    assert_turn(world, 300, "bt", false);
}

static void test_in_the_order_in_which_they_came(void **state)
{
    struct world *world = *state;

    for (uint32_t i = 0; i < DEVICES; i++)
        world->cores[i].more = i == 1 ? 3 : i == 3 ? 1 : 0;
    exec_post(world->exec, 3, EV_START);
    exec_post(world->exec, 1, EV_START);
    exec_post(world->exec, 0, EV_STOP);
    exec_post(world->exec, 3, EV_STOP); /* it is in the list already */
    assert_turn(world, 10, "dsbsaxdxbmdmbmbm", false);
}

/* Each of those that never have enough gets its share of a turn, and the turn ends. */
static void test_the_greedy_take_turns(void **state)
{
    struct world *world = *state;

    world->cores[0].more = world->cores[2].more = 10;
    exec_post(world->exec, 2, EV_START);
    exec_post(world->exec, 0, EV_START);
    assert_turn(world, 10,
                "csas"
                "cmamcmamcmamcmamcmamcmamcmamcmamcmam"
                "cmam",
                false);
}

/* Gives device 1 a port with a peer, who is then quiet. */
static void with_peer(struct world *world)
{
    struct ev ev;

    world->peer = hv_mem_domain(world->machine, PEER);
    world->cores[1].allocs = true;
    world->cores[1].with = PEER;
    exec_post(world->exec, 1, EV_START);
    assert_turn(world, 10, "bsbo", false);
    hv_port_bind(world->peer, 0, DOMID, world->cores[1].port);
    while (hv_next(world->peer, &ev)) {
        world->peer_port = ev.port;
        if (ev.kind == EV_PORT)
            hv_unmask(world->peer, ev.port);
    }
}

/* Device 0 has a port a slot, each with the peer: all are notified. */
static void flood(struct world *world)
{
    struct core *core = &world->cores[0];
    struct ev ev;

    core->allocs_many = true;
    exec_post(world->exec, 0, EV_START);
    while (exec_turn(world->exec, 20))
        ;
    for (uint32_t i = 0; i < PORTS; i++)
        hv_port_bind(world->peer, i, DOMID, core->ports[i]);
    while (hv_next(world->peer, &ev))
        if (ev.kind == EV_PORT_BIND)
            hv_notify(world->peer, ev.port);
}

/* From here on each device has a share of a turn. */
static void share_turns(struct world *world)
{
    world->share = SHARE;
    exec_destroy(world->exec);
    open_exec(world, EXEC_NOTIFY_COALESCED);
}

/* What comes for one device in a flood waits for the turns of others. */
static void test_a_flood_is_held(void **state)
{
    struct world *world = *state;

    share_turns(world);
    with_peer(world);
    flood(world);
    assert_turn(world, 30, "aoaoao", true);
    hv_notify(world->peer, world->peer_port);
    assert_turn(world, 40, "aoaoaobo", true);
    assert_turn(world, 50, "aoao", false);
    hv_close(world->peer);
}

/* What it has left to do is not starved by what comes for it, however much that is. */
static void test_a_flood_starves_nothing(void **state)
{
    struct world *world = *state;

    share_turns(world);
    with_peer(world);
    flood(world);
    world->cores[0].more = 100;
    assert_turn(world, 30, "aoaoao", true);
    assert_turn(world, 40, "amaoao", true);
    assert_turn(world, 50, "amaoao", true);
    hv_close(world->peer);
}

/* For one alone there is nobody to wait for; a bus, of which there is one a dialect, is nobody. */
static void test_a_flood_of_one_alone(void **state)
{
    struct world *world = *state;

    world->buses = 1u << 1 | 1u << 2;
    share_turns(world);
    with_peer(world);
    flood(world);
    exec_remove(world->exec, 3);
    assert_turn(world, 30, "aoaoaoaoaoaoaoao", false);
    hv_close(world->peer);
}

/* A device that goes takes along what is held for it, whoever gets its index. */
static void test_a_flood_goes_with_its_device(void **state)
{
    struct world *world = *state;

    share_turns(world);
    with_peer(world);
    flood(world);
    assert_turn(world, 30, "aoaoao", true);
    exec_remove(world->exec, 0);
    add(world, 4, 0);
    exec_post(world->exec, 0, EV_START);
    assert_turn(world, 40, "es", false);
    hv_close(world->peer);
}

/* Nor has one that never has enough more than its share, and it is there again. */
static void test_the_greedy_have_their_share(void **state)
{
    struct world *world = *state;

    share_turns(world);
    world->cores[0].more = 5;
    exec_post(world->exec, 0, EV_START);
    assert_turn(world, 10, "asamam", true);
    exec_post(world->exec, 2, EV_START);
    assert_turn(world, 20, "amcsamam", false);
}

static void test_removed_while_it_had_something_to_do(void **state)
{
    struct world *world = *state;

    exec_post(world->exec, 1, EV_START);
    exec_post(world->exec, 2, EV_START);
    exec_remove(world->exec, 1);
    assert_int_equal(exec_deadline_ns(world->exec), STEP_NEVER);
    assert_turn(world, 10, "cs", false);
}

static void test_an_index_given_again(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < DEVICES; i++)
        exec_post(world->exec, (uint16_t)i, EV_START);
    for (uint32_t round = 0; round < 3; round++) {
        exec_remove(world->exec, 1);
        add(world, 4, 1);
        exec_post(world->exec, 1, EV_START); /* once in the list, whoever has the index */
        world->cores[4].deadline_ns = 500;
    }
    world->cores[0].more = world->cores[4].more = 2; /* twice in the list would be served twice */
    assert_turn(world, 10, "asescsdsamemamem", false);
    assert_int_equal(exec_deadline_ns(world->exec), 500);
    assert_turn(world, 500, "et", false);
}

static void test_a_call_outside_a_turn(void **state)
{
    struct world *world = *state;

    exec_call(world->exec, 70)->more = true;
    exec_call_was(world->exec, &(struct exec_call){TRACE_CALL_SEND, 7, 100, 40});
    exec_call_end(world->exec, 3);
    assert_true(exec_called(world->exec));
    assert_turn(world, 80, "dm", false);
    assert_false(exec_called(world->exec));
}

/* What a call outside a turn owes is not kept until there is one. */
static void test_a_call_outside_a_turn_notifies(void **state)
{
    struct world *world = *state;
    struct ev ev;

    with_peer(world);
    struct step_out *out = exec_call(world->exec, 20);
    step_act(out, ACT_NOTIFY, step_token(1, 0, STEP_SLOT_DEVICE))->port.port = world->cores[1].port;
    exec_call_end(world->exec, 1);
    assert_true(hv_next(world->peer, &ev));
    assert_int_equal(ev.kind, EV_PORT);
    hv_close(world->peer);
}

/* Two notifications of one port are one, unless the executor was told not to wait with them. */
static void test_notifications_coalesce_if_they_may(void **state)
{
    struct world *world = *state;

    for (enum exec_notify notify = EXEC_NOTIFY_COALESCED; notify <= EXEC_NOTIFY_IMMEDIATE;
         notify++) {
        exec_destroy(world->exec);
        open_exec(world, notify);
        with_peer(world);
        uint64_t notifies = world->hv->counters.notifies;
        struct step_out *out = exec_call(world->exec, 20);
        for (uint32_t i = 0; i < 2; i++)
            step_act(out, ACT_NOTIFY, step_token(1, 0, STEP_SLOT_DEVICE))->port.port =
                world->cores[1].port;
        exec_call_end(world->exec, 1);
        assert_int_equal(world->hv->counters.notifies - notifies,
                         notify == EXEC_NOTIFY_IMMEDIATE ? 2 : 1);
        hv_close(world->peer);
    }
}

/* A port that is closed is notified once more before, and not after. */
static void test_a_notification_due_at_a_close(void **state)
{
    const uint64_t own = step_token(1, 0, STEP_SLOT_DEVICE);
    struct world *world = *state;

    with_peer(world);
    uint64_t notifies = world->hv->counters.notifies;
    struct step_out *out = exec_call(world->exec, 20);
    step_act(out, ACT_NOTIFY, own)->port.port = world->cores[1].port;
    step_act(out, ACT_PORT_CLOSE, own)->port.port = world->cores[1].port;
    exec_call_end(world->exec, 1);
    assert_int_equal(world->hv->counters.notifies - notifies, 1);
    assert_turn(world, 30, "bo", false);
    assert_int_equal(world->hv->counters.notifies - notifies, 1);
    hv_close(world->peer);
}

/* What it owed a port is not looked for in the place it left. */
static void test_removed_with_a_notification_due(void **state)
{
    struct world *world = *state;

    with_peer(world);
    world->cores[1].leaves = true;
    exec_post(world->exec, 1, EV_STOP);
    assert_turn(world, 20, "bx", false);
    assert_int_equal(exec_next_device(world->exec), 1);
    const struct trace_record expected[] = {
        {20, step_token(1, 0, STEP_SLOT_DEVICE), 5ull << 32 | 7, FAULT_SILENT, DOMID, TRACE_ACTION,
         ACT_FAULT},
        {20, 42, (uint64_t)-ERR_BADF, CALL_POLL, DOMID, TRACE_ACTION, ACT_DONE},
    };
    const struct trace_record *last = &world->records[world->record_count - 3];
    assert_memory_equal(last, expected, sizeof(expected)); /* before that of GONE */
    hv_close(world->peer);
}

/* A call that leaves nothing gives the core nothing more to do. */
static void test_a_call_within_a_turn(void **state)
{
    struct world *world = *state;

    with_peer(world);
    world->cores[1].calls = true;
    exec_post(world->exec, 1, EV_STOP);
    assert_true(exec_called(world->exec));
    assert_turn(world, 20, "bx", false);
    assert_false(exec_called(world->exec));
    hv_close(world->peer);
}

static void test_the_earliest_deadline_is_told(void **state)
{
    static const uint64_t due_ns[DEVICES] = {300, 200, STEP_NEVER, 250};
    struct world *world = *state;

    for (uint32_t i = 0; i < DEVICES; i++) {
        exec_post(world->exec, (uint16_t)i, EV_START);
        world->cores[i].deadline_ns = due_ns[i];
    }
    assert_int_equal(exec_deadline_ns(world->exec), 200);
    assert_turn(world, 100, "asbscsds", false);
    assert_int_equal(exec_deadline_ns(world->exec), 200);
    assert_turn(world, 250, "btdt", false);
    assert_int_equal(exec_deadline_ns(world->exec), 300);
}

static uint32_t unmasked;

static int count_unmask(struct hv *hv, uint32_t port)
{
    (void)hv;
    (void)port;
    unmasked++;
    return 0;
}

/* Whoever notifies all the time is not heard before the core has caught up, and then once. */
static void test_a_port_is_unmasked_when_the_work_is_done(void **state)
{
    struct world *world = *state;

    with_peer(world);
    world->cores[1].more = 2;
    world->cores[1].pokes = 3;
    hv_notify(world->peer, world->peer_port);
    assert_turn(world, 20, "bobmbmbo", false);
    struct hv_ops counting = *world->hv->ops;
    const struct hv_ops *real = world->hv->ops;
    counting.unmask = count_unmask;
    world->hv->ops = &counting;
    unmasked = 0;
    exec_post(world->exec, 1, EV_STOP);
    assert_turn(world, 30, "bx", false);
    assert_int_equal(unmasked, 0); /* the number may be another's by then */
    world->hv->ops = real;
    hv_close(world->peer);
}

static void test_trace(void **state)
{
    struct world *world = *state;
    const uint64_t own = step_token(1, 0, STEP_SLOT_DEVICE);
    const struct trace_record expected[] = {
        {5, 7, 40, 100, DOMID, TRACE_CALL, TRACE_CALL_SEND},
        {5, 7, (uint64_t)-ERR_AGAIN, 100, DOMID, TRACE_CALL, TRACE_CALL_RECV},
        {10, own, 0, 0, DOMID, TRACE_EVENT, EV_START},
        {10, own, 0, 0, DOMID, TRACE_ACTION, ACT_PORT_ALLOC},
        {10, own, 1, 0, DOMID, TRACE_EVENT, EV_PORT_ALLOC},
        {10, own, 0, 1, DOMID, TRACE_ACTION, ACT_NOTIFY},
    };

    exec_call(world->exec, 5);
    exec_call_was(world->exec, &(struct exec_call){TRACE_CALL_SEND, 7, 100, 40});
    exec_call_was(world->exec, &(struct exec_call){TRACE_CALL_RECV, 7, 100, -ERR_AGAIN});
    exec_call_end(world->exec, 1);
    world->cores[1].allocs = true;
    exec_post(world->exec, 1, EV_START);
    assert_turn(world, 10, "bsbo", false);
    assert_int_equal(world->record_count, sizeof(expected) / sizeof(expected[0]));
    for (uint32_t i = 0; i < world->record_count; i++)
        assert_memory_equal(&world->records[i], &expected[i], sizeof(expected[i]));
    assert_int_equal(exec_counters(world->exec)->steps, 2);
    assert_int_equal(exec_counters(world->exec)->actions, 2);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_deadline_needs_nobody_who_posts),
        TEST(test_a_deadline_of_one_that_had_nothing_to_do),
        TEST(test_in_the_order_in_which_they_came),
        TEST(test_the_greedy_take_turns),
        TEST(test_the_greedy_have_their_share),
        TEST(test_a_flood_starves_nothing),
        TEST(test_a_flood_is_held),
        TEST(test_a_flood_of_one_alone),
        TEST(test_a_flood_goes_with_its_device),
        TEST(test_removed_while_it_had_something_to_do),
        TEST(test_an_index_given_again),
        TEST(test_a_call_outside_a_turn),
        TEST(test_a_call_outside_a_turn_notifies),
        TEST(test_notifications_coalesce_if_they_may),
        TEST(test_a_notification_due_at_a_close),
        TEST(test_removed_with_a_notification_due),
        TEST(test_a_call_within_a_turn),
        TEST(test_the_earliest_deadline_is_told),
        TEST(test_a_port_is_unmasked_when_the_work_is_done),
        TEST(test_trace),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
