/*
 * Which notifications an executor tells a capture: each that it sends, when it sends it, also the
 * last one of a port that is closed; each that arrives, also where its device has had its share.
 */
#include "sim/hv/hv_mem.h"
#include "sim/run/exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DOMID = 1, PEER = 2, SLOTS = 4 };

static struct hv_mem *machine;
static struct hv *hv, *peer;
static struct exec *exec;
static uint32_t ports[SLOTS + 1], peer_ports[SLOTS + 1], steps;
static struct capture_packet told[64];
static uint32_t told_count;

/* A port a slot, and one of the device, each with the peer. */
static void step(void *core, const struct ev *ev, struct step_out *out)
{
    uint32_t slot = step_slot(ev->token) == STEP_SLOT_DEVICE ? SLOTS : step_slot(ev->token);

    (void)core;
    steps += ev->kind == EV_PORT;
    for (uint32_t i = 0; ev->kind == EV_START && i <= SLOTS; i++)
        step_act(out, ACT_PORT_ALLOC, step_token(0, 0, i == SLOTS ? STEP_SLOT_DEVICE : i))
            ->port.domid = PEER;
    if (ev->kind == EV_PORT_ALLOC)
        ports[slot] = ev->port;
}

static uint64_t wire_id(const void *core, uint64_t token)
{
    (void)core;
    return 100 + step_slot(token);
}

static void take(void *self, const struct capture_packet *packet)
{
    (void)self;
    assert_in_range(told_count, 0, 63);
    told[told_count++] = *packet;
}

static void begin(enum exec_notify notify)
{
    static const struct capture_sink sink = {take, NULL};
    struct ev ev;

    machine = hv_mem_create_pages(NULL, 16);
    hv = hv_mem_domain(machine, DOMID);
    peer = hv_mem_domain(machine, PEER);
    exec = exec_create(
        &(struct exec_config){.hv = hv, .notify = notify, .max_devices = 2, .share = 1});
    for (uint32_t i = 0; i < 2; i++) /* the other device, so that there are shares */
        assert_int_equal(exec_add(exec, &(struct exec_core){.step = step,
                                                            .dialect = &dialect_xensock1,
                                                            .slots = SLOTS,
                                                            .capture = &sink,
                                                            .wire_id = wire_id}),
                         i);
    exec_post(exec, 0, EV_START);
    while (exec_turn(exec, 1))
        ;
    for (uint32_t i = 0; i <= SLOTS; i++)
        hv_port_bind(peer, i, DOMID, ports[i]);
    while (hv_next(peer, &ev))
        if (ev.kind == EV_PORT_BIND)
            peer_ports[ev.token] = ev.port;
        else
            hv_unmask(peer, ev.port);
    told_count = steps = 0;
}

static void end(void)
{
    exec_destroy(exec);
    hv_close(hv);
    hv_close(peer);
    hv_mem_destroy(machine);
}

static void act(struct step_out *out, enum act_kind kind, uint32_t slot)
{
    step_act(out, kind, step_token(0, 0, slot == SLOTS ? STEP_SLOT_DEVICE : slot))->port.port =
        ports[slot];
}

static void assert_told(uint32_t i, uint32_t slot, enum capture_moved moved)
{
    assert_in_range(i, 0, told_count - 1);
    assert_int_equal(told[i].kind, CAPTURE_NOTIFY);
    assert_int_equal(told[i].moved, moved);
    assert_int_equal(told[i].ring, slot == SLOTS ? CAPTURE_COMMANDS : CAPTURE_DATA);
    assert_int_equal(told[i].index, ports[slot]);
    assert_int_equal(told[i].sockid, slot == SLOTS ? 0 : 100 + slot);
    assert_null(told[i].slot);
}

/* Marked twice it is sent, and told, once; immediately twice. */
static void sent(void **state)
{
    (void)state;
    for (enum exec_notify notify = EXEC_NOTIFY_COALESCED; notify <= EXEC_NOTIFY_IMMEDIATE;
         notify++) {
        begin(notify);
        struct step_out *out = exec_call(exec, 20);
        act(out, ACT_NOTIFY, 2);
        act(out, ACT_NOTIFY, SLOTS);
        act(out, ACT_NOTIFY, 2);
        exec_call_end(exec, 0);
        assert_int_equal(told_count, notify == EXEC_NOTIFY_IMMEDIATE ? 3 : 2);
        assert_told(0, 2, CAPTURE_PUBLISHED);
        assert_told(1, SLOTS, CAPTURE_PUBLISHED);
        end();
    }
}

/* What a port is owed when it is closed is sent, and told, before. */
static void sent_before_a_close(void **state)
{
    (void)state;
    begin(EXEC_NOTIFY_COALESCED);
    uint64_t notifies = hv->counters.notifies;
    struct step_out *out = exec_call(exec, 20);
    act(out, ACT_NOTIFY, 1);
    act(out, ACT_PORT_CLOSE, 1);
    exec_call_end(exec, 0);
    assert_int_equal(hv->counters.notifies - notifies, 1);
    assert_int_equal(told_count, 1);
    assert_told(0, 1, CAPTURE_PUBLISHED);
    end();
}

/* All that arrive are told as they do, though a turn has room for one of them. */
static void received(void **state)
{
    (void)state;
    begin(EXEC_NOTIFY_COALESCED);
    for (uint32_t i = 0; i <= SLOTS; i++)
        hv_notify(peer, peer_ports[i]);
    exec_turn(exec, 20);
    assert_int_equal(steps, 1);
    assert_int_equal(told_count, SLOTS + 1);
    for (uint32_t i = 0; i <= SLOTS; i++)
        assert_told(i, i, CAPTURE_CONSUMED);
    while (exec_turn(exec, 20))
        ;
    assert_int_equal(steps, SLOTS + 1);
    assert_int_equal(told_count, SLOTS + 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sent), cmocka_unit_test(sent_before_a_close), cmocka_unit_test(received)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
