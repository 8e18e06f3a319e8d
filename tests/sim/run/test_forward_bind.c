/*
 * BIND of a SOCKS program: where it listens, who comes, and everything that ends it. What the bytes
 * mean: test_socks.c.
 */
#include "ringlib/err.h"
#include "tests/support/forward_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GREETING "\5\1\0"
#define BIND "\5\2\0\1\xc0\0\2\1\0\x15" /* expects 192.0.2.1:21 */
#define BIND6 "\5\2\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\x15"
#define BIND_NAME "\5\2\0\3\2db\0\x15"
#define BYTES(text) (text), (int32_t)sizeof(text) - 1

static void say(uint64_t program, const char *bytes, int32_t count)
{
    assert_true(net_mem_complete(world.net, EV_NET_READ, program, count, bytes));
    world_run();
}

/* The program is written exactly this, and no more, since it was last asked; it has it then. */
static void hears(uint64_t program, const void *bytes, uint32_t count)
{
    struct net_mem_op op;
    uint64_t before, all;

    net_mem_written(world.net, program, &before);
    assert_true(world_pending_of(world.net, EV_NET_WRITE, program, &op));
    assert_int_equal(op.bytes, count);
    assert_true(net_mem_complete(world.net, EV_NET_WRITE, program, (int32_t)count, NULL));
    const unsigned char *written = net_mem_written(world.net, program, &all);
    assert_int_equal(all, before + count);
    assert_memory_equal(written + before, bytes, count);
    world_run();
}

/* An answer with an IPv4 address. */
static void hears_answer(uint64_t program, uint8_t reply, const struct call_addr *addr)
{
    uint8_t answer[10] = {5, reply, 0, 1};

    if (addr) {
        memcpy(answer + 4, addr->bytes + 4, 4);
        memcpy(answer + 8, addr->bytes + 2, 2);
    }
    hears(program, answer, sizeof(answer));
}

static void hears_error(uint64_t program, uint8_t reply)
{
    hears_answer(program, reply, NULL);
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_CLOSED);
}

/* One who has asked for a listener; the backend has not been asked to bind yet, or has. */
static uint64_t asks(const char *request, int32_t count)
{
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);

    say(program, BYTES(GREETING));
    hears(program, "\5\0", 2);
    say(program, request, count);
    return program;
}

static struct call_addr asked_to_bind(void)
{
    struct net_mem_op op;

    assert_true(world_pending(world.pair.net, EV_NET_BIND, &op));
    return op.addr;
}

static uint64_t listens(void)
{
    uint64_t listener = world_complete(world.pair.net, EV_NET_BIND, 0);

    world_complete(world.pair.net, EV_NET_LISTEN, 0);
    return listener;
}

/* One whose listener is there, and who has been told so. */
static uint64_t waits(uint64_t *listener)
{
    uint64_t program = asks(BYTES(BIND));
    struct call_addr addr = asked_to_bind();

    *listener = listens();
    hears_answer(program, 0, &addr);
    return program;
}

static void assert_waits_for_nobody(uint64_t listener)
{
    struct net_mem_op op;

    assert_int_equal(net_mem_end(world.pair.net, listener), NET_MEM_CLOSED);
    assert_false(world_pending(world.pair.net, EV_NET_ACCEPT, &op));
    assert_false(world_pending(world.pair.net, EV_NET_POLL, &op));
}

static void first_who_comes_is_joined(void **state)
{
    struct call_addr addr = pair_addr(WORLD_BIND_FIRST);
    uint64_t listener;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    struct talk talk = {.program = waits(&listener)};
    assert_int_equal(world_counters()->joined, 0);
    world_complete(world.pair.net, EV_NET_POLL, 0);
    talk.peer = world_complete(world.pair.net, EV_NET_ACCEPT, 0);
    assert_waits_for_nobody(listener); /* nobody else can come */
    world_say(world.pair.net, talk.peer, "hello");
    hears_answer(talk.program, 0, NULL); /* before the peer's bytes, and who it is nobody knows */
    hears(talk.program, "hello", 5);
    say(talk.program, BYTES("and back"));
    world_complete(world.pair.net, EV_NET_WRITE, 8);
    assert_heard(world.pair.net, talk.peer, "and back");
    assert_int_equal(world_counters()->joined, 1);
    world_run_at(10 * (uint64_t)WORLD_BIND_NS);
    assert_lives(talk);
    world_end(world.net, talk.program, 0);
    world_end(world.pair.net, talk.peer, 0);
    assert_ended(talk, NET_MEM_CLOSED);
    assert_none_left();

    asks(BYTES(BIND)); /* the next port */
    struct call_addr next = asked_to_bind();
    addr = call_addr_after(&addr, 1);
    assert_memory_equal(&next, &addr, sizeof(addr));
    world_close();
}

/* The family is that of whom the program expects; a name is not looked up. */
static void it_listens_where_it_was_told(void **state)
{
    uint8_t answer[22] = {5, 0, 0, 4, [19] = 1};
    struct call_addr addr = pair_addr(WORLD_BIND_FIRST), bound;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    asks(BYTES(BIND_NAME));
    bound = asked_to_bind();
    assert_memory_equal(&bound, &addr, sizeof(addr));
    assert_int_equal(world.asked.id, 0);
    listens();
    uint64_t program = asks(BYTES(BIND6));
    bound = asked_to_bind();
    call_addr6(&addr, (const uint8_t[16]){[15] = 1}, WORLD_BIND_FIRST + 1);
    assert_memory_equal(&bound, &addr, sizeof(addr));
    listens();
    memcpy(answer + 20, bound.bytes + 2, 2);
    hears(program, answer, sizeof(answer));
    world_close();
}

/* At BIND or, where two may bind what one can listen on, at LISTEN; behind the last is the first.
 */
static void port_of_somebody_else_is_passed_over(void **state)
{
    struct call_addr addr = pair_addr(FORWARD_BIND_LOW), bound;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = asks(BYTES(BIND));
    world_complete(world.pair.net, EV_NET_BIND, -ERR_ADDRINUSE);
    uint64_t second = world_complete(world.pair.net, EV_NET_BIND, 0);
    world_complete(world.pair.net, EV_NET_LISTEN, -ERR_ADDRINUSE);
    assert_int_equal(net_mem_end(world.pair.net, second), NET_MEM_CLOSED);
    world_complete(world.pair.net, EV_NET_BIND, -ERR_ADDRINUSE);
    bound = asked_to_bind();
    assert_memory_equal(&bound, &addr, sizeof(addr));
    listens();
    hears_answer(program, 0, &addr);
    world_close();
}

static void ports_are_not_tried_for_ever(void **state)
{
    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = asks(BYTES(BIND));
    for (uint32_t i = 0; i < FORWARD_BIND_TRIES; i++) {
        uint64_t listener = world_complete(world.pair.net, EV_NET_BIND, i % 2 ? 0 : -ERR_ADDRINUSE);
        if (i % 2)
            world_complete(world.pair.net, EV_NET_LISTEN, -ERR_ADDRINUSE);
        assert_int_equal(net_mem_end(world.pair.net, listener), i % 2 ? NET_MEM_CLOSED : 0);
    }
    hears_error(program, 1);
    assert_int_equal(world_counters()->refused, 1);
    assert_none_left();
    world_close();
}

/* What the backend's policy does not allow, and what fails on the way, is told. */
static void failures_are_told(void **state)
{
    uint64_t listener;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = asks(BYTES(BIND));
    world_complete(world.pair.net, EV_NET_BIND, -ERR_ACCES);
    hears_error(program, 2);
    program = asks(BYTES(BIND));
    listener = world_complete(world.pair.net, EV_NET_BIND, 0);
    world_complete(world.pair.net, EV_NET_LISTEN, -ERR_MFILE);
    hears_error(program, 1);
    assert_waits_for_nobody(listener);
    program = waits(&listener);
    world_complete(world.pair.net, EV_NET_POLL, 0);
    world_complete(world.pair.net, EV_NET_ACCEPT, -ERR_MFILE);
    hears_error(program, 1);
    assert_waits_for_nobody(listener);
    assert_int_equal(world_counters()->refused, 3);
    assert_none_left();
    world_close();
}

/* Who comes before the program was told where: the answers keep their order. */
static void peer_is_faster_than_the_first_answer(void **state)
{
    uint64_t listener;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    struct talk talk = {.program = asks(BYTES(BIND))};
    struct call_addr addr = asked_to_bind();
    listener = listens();
    world_complete(world.pair.net, EV_NET_POLL, 0);
    talk.peer = world_complete(world.pair.net, EV_NET_ACCEPT, 0);
    assert_waits_for_nobody(listener);
    hears_answer(talk.program, 0, &addr);
    hears_answer(talk.program, 0, NULL);
    assert_int_equal(world_counters()->joined, 1);
    say(talk.program, BYTES("hello"));
    world_complete(world.pair.net, EV_NET_WRITE, 5);
    assert_heard(world.pair.net, talk.peer, "hello");
    world_close();
}

/* What it says before somebody has come is kept; its end is the end, or a break. */
static void end_of_the_program_ends_it(void **state)
{
    uint64_t listener;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = waits(&listener);
    say(program, BYTES("early"));
    world_end(world.net, program, 0);
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_CLOSED);
    assert_waits_for_nobody(listener);
    program = waits(&listener);
    world_end(world.net, program, -ERR_CONNRESET);
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_RESET);
    assert_waits_for_nobody(listener);
    program = asks(BYTES(BIND)); /* nothing is bound yet */
    world_end(world.net, program, 0);
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_CLOSED);
    world_settle();
    assert_int_equal(world_counters()->refused, 3);
    assert_none_left();
    assert_int_equal(net_mem_sockets(world.pair.net), 0);
    world_close();
}

static void nobody_comes(void **state)
{
    uint64_t listener;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = waits(&listener);
    assert_int_equal(world.due_ns, WORLD_BIND_NS);
    world_run_at(WORLD_BIND_NS - 1);
    assert_int_equal(net_mem_end(world.pair.net, listener), NET_MEM_OPEN);
    world_run_at(WORLD_BIND_NS);
    assert_waits_for_nobody(listener);
    hears_error(program, 6);
    assert_none_left();
    assert_int_equal(world.due_ns, STEP_NEVER);
    world_close();
}

static void there_are_so_many_and_no_more(void **state)
{
    uint64_t listener, first, rest = 0;

    (void)state;
    world_open(FORWARD_SOCKS, 2 * FORWARD_BINDS);
    first = waits(&listener);
    for (uint32_t i = 1; i < FORWARD_BINDS; i++) {
        struct net_mem_op op;
        asks(BYTES(BIND));
        while (world_pending(world.pair.net, EV_NET_BIND, &op))
            rest = listens();
    }
    assert_int_equal(net_mem_end(world.pair.net, rest), NET_MEM_OPEN);
    uint64_t program = asks(BYTES(BIND));
    hears_error(program, 1);
    world_end(world.net, first, 0);
    world_settle();
    asks(BYTES(BIND));
    asked_to_bind();
    world_close();
}

/* One waits for its port, one to be listening, one for whoever comes, one for the accept. */
static void binds_of_all_kinds(uint64_t programs[4], uint64_t listeners[4])
{
    programs[0] = waits(&listeners[0]);
    world_complete(world.pair.net, EV_NET_POLL, 0);
    programs[1] = waits(&listeners[1]);
    programs[2] = asks(BYTES(BIND));
    listeners[2] = world_complete(world.pair.net, EV_NET_BIND, 0);
    programs[3] = asks(BYTES(BIND));
}

static void device_goes(void **state)
{
    uint64_t programs[4], listeners[4];

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    binds_of_all_kinds(programs, listeners);
    exec_post(world.pair.back, 0, EV_STOP);
    world_run();
    assert_true(world.pair.gone);
    for (uint32_t i = 0; i < 4; i++)
        hears_error(programs[i], 1);
    assert_int_equal(world_counters()->refused, 4);
    assert_none_left();
    world_start();
    waits(&listeners[0]);
    world_close();
}

static void stop(void **state)
{
    uint64_t programs[4], listeners[4];

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    binds_of_all_kinds(programs, listeners);
    forward_stop(world.forward, false);
    world_settle();
    assert_true(forward_over(world.forward));
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(net_mem_end(world.net, programs[i]), NET_MEM_CLOSED);
    assert_int_equal(world_counters()->refused, 4);
    assert_int_equal(net_mem_sockets(world.pair.net), 0);
    assert_none_left();
    world_close();
}

/* Another rule that cannot listen stops it in the turn in which the BIND fails, which is yet to be
 * heard. */
static void stop_while_a_bind_fails(void **state)
{
    static const enum forward_kind kinds[] = {FORWARD_SOCKS, FORWARD_REMOTE};
    struct net_mem_op op;

    (void)state;
    world_create(kinds, 2, 4);
    world.stops = true;
    pair_start_front(&world.pair);
    pair_start_back(&world.pair);
    world_run();
    world_complete(world.net, EV_NET_BIND, 0);
    world_complete(world.net, EV_NET_LISTEN, 0);
    world_complete(world.pair.net, EV_NET_BIND, 0);
    uint64_t program = asks(BYTES(BIND));
    assert_true(world_pending(world.pair.net, EV_NET_LISTEN, &op));
    assert_true(net_mem_complete(world.pair.net, EV_NET_LISTEN, op.token, -ERR_ADDRINUSE, NULL));
    world_complete(world.pair.net, EV_NET_BIND, -ERR_ACCES);
    world_settle();
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_CLOSED);
    assert_true(forward_over(world.forward));
    assert_int_equal(world_counters()->refused, 1);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_who_comes_is_joined),
        cmocka_unit_test(it_listens_where_it_was_told),
        cmocka_unit_test(port_of_somebody_else_is_passed_over),
        cmocka_unit_test(ports_are_not_tried_for_ever),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(peer_is_faster_than_the_first_answer),
        cmocka_unit_test(end_of_the_program_ends_it),
        cmocka_unit_test(nobody_comes),
        cmocka_unit_test(there_are_so_many_and_no_more),
        cmocka_unit_test(device_goes),
        cmocka_unit_test(stop),
        cmocka_unit_test(stop_while_a_bind_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
