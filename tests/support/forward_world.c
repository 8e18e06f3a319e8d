/* Forwarding over both cores. See forward_world.h. */
#include "tests/support/forward_world.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct forward_world world;
struct hv_mem *world_machine;

/* ---- the world ---- */

static void on_upcall(void *self, const struct act *act)
{
    (void)self;
    forward_upcall(world.forward, act);
}

static void on_listening(void *self, uint32_t rule, int32_t ret)
{
    (void)self;
    world.heard[rule] = ret;
    world.heard_count++;
    if (ret < 0 && world.stops)
        forward_stop(world.forward, false);
}

static void on_resolve(void *self, uint64_t id, const char *name, uint16_t port)
{
    (void)self;
    world.asked.id = id;
    snprintf(world.asked.name, sizeof(world.asked.name), "%s", name);
    world.asked.port = port;
}

static uint64_t work_done(void)
{
    const struct exec_counters *counters = exec_counters(world.pair.front);

    return counters->steps + counters->calls;
}

/* Until nothing happens any more but what the test has to say. */
void world_run(void)
{
    uint64_t before;

    do {
        before = work_done();
        pair_run(&world.pair);
        world.due_ns = forward_turned(world.forward, world.pair.now_ns);
    } while (before != work_done() || world.due_ns <= world.pair.now_ns);
}

void world_run_at(uint64_t now_ns)
{
    world.pair.now_ns = now_ns;
    world_run();
}

/* Rule i listens on port 7000 + i and leads to 8000 + i. */
void world_create(const enum forward_kind *kinds, uint32_t count, uint32_t max_connections)
{
    memset(&world, 0, sizeof(world));
    for (uint32_t i = 0; i < count; i++)
        world.rules[i] = (struct forward_rule){kinds[i], pair_addr((uint16_t)(7000 + i)),
                                               pair_addr((uint16_t)(8000 + i))};
    pair_open(&world.pair, &(struct pair_config){
                               .order = WORLD_ORDER,
                               .max_sockets = forward_sockets(max_connections, world.rules, count),
                               .not_started = true,
                               .machine = world_machine,
                               .upcall = on_upcall});
    world.net = net_mem_create();
    struct call_addr bind_on[2] = {pair_addr(FORWARD_BIND_LOW)};
    call_addr6(&bind_on[1], (const uint8_t[16]){[15] = 1}, FORWARD_BIND_LOW);
    world.forward = forward_create(&(struct forward_config){.exec = world.pair.front,
                                                            .fe = world.pair.fe,
                                                            .net = world.net,
                                                            .rules = world.rules,
                                                            .rule_count = count,
                                                            .max_connections = max_connections,
                                                            .hold_ns = WORLD_HOLD_NS,
                                                            .connect_wait_ns = WORLD_CONNECT_NS,
                                                            .talk_wait_ns = WORLD_TALK_NS,
                                                            .bind_on = {bind_on[0], bind_on[1]},
                                                            .bind_first = WORLD_BIND_FIRST,
                                                            .bind_wait_ns = WORLD_BIND_NS,
                                                            .listening = on_listening,
                                                            .resolve = on_resolve});
    assert_non_null(world.forward);
}

/* What is in flight at both sides' sockets succeeds, but reads and accepts. */
void world_settle(void)
{
    do
        world_run();
    while (net_mem_settle(world.net) + net_mem_settle(world.pair.net) > 0);
}

void world_start(void)
{
    pair_start_front(&world.pair);
    pair_start_back(&world.pair);
    world_settle();
}

void world_open(enum forward_kind kind, uint32_t max_connections)
{
    world_create(&kind, 1, max_connections);
    world_start();
    assert_int_equal(world.heard_count, 1);
    assert_int_equal(world.heard[0], 0);
}

const struct forward_counters *world_counters(void)
{
    return forward_counters(world.forward);
}

/* Nothing of any connection is left, and each is accounted for. */
void assert_none_left(void)
{
    assert_int_equal(world_counters()->now, 0);
    assert_int_equal(world_counters()->accepted,
                     world_counters()->joined + world_counters()->refused);
}

void world_close(void)
{
    forward_stop(world.forward, true);
    world_run();
    assert_true(forward_over(world.forward));
    assert_none_left();
    assert_int_equal(net_mem_sockets(world.net), 0);
    assert_int_equal(fe_counters(world.pair.fe)->sockets_now, 0);
    pair_close(&world.pair);
    forward_destroy(world.forward);
    net_destroy(world.net);
}

/* ---- both sides' sockets ---- */

/* The newest operation of a kind that is in flight. */
bool world_pending(struct net *net, enum ev_kind kind, struct net_mem_op *op)
{
    struct net_mem_op at = {0};
    bool any = false;

    for (uint32_t i = 0; net_mem_pending(net, i, &at); i++) {
        if (at.kind != kind)
            continue;
        *op = at;
        any = true;
    }
    return any;
}

bool world_pending_of(struct net *net, enum ev_kind kind, uint64_t token, struct net_mem_op *op)
{
    for (uint32_t i = 0; net_mem_pending(net, i, op); i++)
        if (op->kind == kind && op->token == token)
            return true;
    return false;
}

/* The newest operation of a kind completes; its token. */
uint64_t world_complete(struct net *net, enum ev_kind kind, int32_t ret)
{
    struct net_mem_op op = {0};

    assert_true(world_pending(net, kind, &op));
    assert_true(net_mem_complete(net, kind, op.token, ret, NULL));
    world_run();
    return op.token;
}

void world_say(struct net *net, uint64_t token, const char *text)
{
    assert_true(net_mem_complete(net, EV_NET_READ, token, (int32_t)strlen(text), text));
    world_run();
}

/* The end of the stream, or a break. */
void world_end(struct net *net, uint64_t token, int32_t ret)
{
    assert_true(net_mem_complete(net, EV_NET_READ, token, ret, NULL));
    world_run();
}

void assert_heard(struct net *net, uint64_t token, const char *text)
{
    uint64_t bytes;
    const unsigned char *written = net_mem_written(net, token, &bytes);

    assert_int_equal(bytes, strlen(text));
    assert_memory_equal(written, text, bytes);
}

struct talk world_join_local(void)
{
    struct talk talk = {.program = world_complete(world.net, EV_NET_ACCEPT, 0)};

    talk.peer = world_complete(world.pair.net, EV_NET_CONNECT, 0);
    return talk;
}

struct talk world_join_remote(void)
{
    struct talk talk = {.peer = world_complete(world.pair.net, EV_NET_ACCEPT, 0)};

    talk.program = world_complete(world.net, EV_NET_CONNECT, 0);
    return talk;
}

void assert_ended(struct talk talk, enum net_mem_end program)
{
    assert_int_equal(net_mem_end(world.net, talk.program), program);
    assert_int_equal(net_mem_end(world.pair.net, talk.peer), NET_MEM_CLOSED);
}

void assert_lives(struct talk talk)
{
    assert_int_equal(net_mem_end(world.net, talk.program), NET_MEM_OPEN);
    assert_int_equal(net_mem_end(world.pair.net, talk.peer), NET_MEM_OPEN);
}
