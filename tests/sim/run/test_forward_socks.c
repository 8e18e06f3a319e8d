/*
 * Forwarding for programs that speak SOCKS: the talk before the bytes, and everything that can come
 * between. What the bytes of the talk mean: test_socks.c.
 */
#include "ringlib/err.h"
#include "tests/support/forward_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GREETING "\5\1\0"
#define TO_ADDRESS "\5\1\0\1\x7f\0\0\1\x1f\x40" /* 127.0.0.1:8000 */
#define TO_NAME "\5\1\0\3\2db\x15\x38"          /* db:5432 */
#define ANSWER(reply) "\5" reply "\0\1\0\0\0\0\0\0"
#define BYTES(text) (text), (int32_t)sizeof(text) - 1

static void say(uint64_t program, const char *bytes, int32_t count)
{
    assert_true(net_mem_complete(world.net, EV_NET_READ, program, count, bytes));
    world_run();
}

/* The program is written exactly this since `*heard`, and has it. */
static void hears(uint64_t program, uint64_t *heard, const char *bytes, int32_t count)
{
    struct net_mem_op op;
    uint64_t all;

    assert_true(world_pending_of(world.net, EV_NET_WRITE, program, &op));
    assert_int_equal(op.bytes, count);
    world_complete(world.net, EV_NET_WRITE, count);
    const unsigned char *written = net_mem_written(world.net, program, &all);
    assert_int_equal(all, *heard + (uint64_t)count);
    assert_memory_equal(written + *heard, bytes, (size_t)count);
    *heard = all;
}

/* One who has greeted, and been greeted. */
static uint64_t greeted(uint64_t *heard)
{
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);

    *heard = 0;
    say(program, BYTES(GREETING));
    hears(program, heard, BYTES("\5\0"));
    return program;
}

static void assert_connects_to(uint16_t port)
{
    struct call_addr addr = pair_addr(port);
    struct net_mem_op op;

    assert_true(world_pending(world.pair.net, EV_NET_CONNECT, &op));
    assert_memory_equal(&op.addr, &addr, sizeof(addr));
}

static void address_is_reached(void **state)
{
    uint64_t heard;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = greeted(&heard);
    for (int32_t i = 0; i < (int32_t)sizeof(TO_ADDRESS) - 1; i++)
        say(program, &TO_ADDRESS[i], 1);
    assert_connects_to(8000);
    assert_int_equal(world_counters()->joined, 0);
    struct talk talk = {program, world_complete(world.pair.net, EV_NET_CONNECT, 0)};
    world_say(world.pair.net, talk.peer, "hello");
    hears(program, &heard, BYTES(ANSWER("\0"))); /* before the peer's bytes */
    hears(program, &heard, BYTES("hello"));
    assert_int_equal(world_counters()->joined, 1);
    say(program, BYTES("and back"));
    world_complete(world.pair.net, EV_NET_WRITE, 8);
    assert_heard(world.pair.net, talk.peer, "and back");
    assert_int_equal(world_counters()->up_bytes, 8); /* the talk does not count */
    assert_int_equal(world_counters()->down_bytes, 5);
    world_close();
}

/* Whoever does not wait for the answers, and has ended, is heard all the same. */
static void all_at_once(void **state)
{
    uint64_t heard = 0;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);
    say(program, BYTES(GREETING TO_ADDRESS "early"));
    hears(program, &heard, BYTES("\5\0"));
    say(program, BYTES(" bird"));
    assert_connects_to(8000);
    struct talk talk = {program, world_complete(world.pair.net, EV_NET_CONNECT, 0)};
    hears(program, &heard, BYTES(ANSWER("\0")));
    world_end(world.net, program, 0);
    world_settle();
    assert_heard(world.pair.net, talk.peer, "early bird");
    assert_lives(talk); /* held */
    world_end(world.pair.net, talk.peer, 0);
    assert_ended(talk, NET_MEM_CLOSED);
    assert_none_left();
    world_close();
}

/* More than the ring takes, so that the peer ends before all of it is sent. */
static void end_while_the_target_is_on_its_way(void **state)
{
    enum { REQUEST = sizeof(TO_ADDRESS) - 1, EARLY = 20000 };
    char bytes[REQUEST + EARLY + 1] = "";
    uint64_t heard;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = greeted(&heard);
    memcpy(bytes, TO_ADDRESS, REQUEST);
    memset(bytes + REQUEST, 'x', EARLY);
    say(program, bytes, REQUEST + EARLY);
    world_end(world.net, program, 0);
    struct talk talk = {program, world_complete(world.pair.net, EV_NET_CONNECT, 0)};
    world_say(world.pair.net, talk.peer, "reply");
    world_end(world.pair.net, talk.peer, 0);
    hears(program, &heard, BYTES(ANSWER("\0")));
    hears(program, &heard, BYTES("reply"));
    world_settle();
    assert_heard(world.pair.net, talk.peer, bytes + REQUEST);
    assert_ended(talk, NET_MEM_CLOSED);
    assert_none_left();
    world_close();
}

/* In words of SOCKS, then the end. */
static void refused_target_is_told(void **state)
{
    uint64_t heard;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = greeted(&heard);
    say(program, BYTES(TO_ADDRESS));
    world_complete(world.pair.net, EV_NET_CONNECT, -ERR_CONNREFUSED);
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_OPEN);
    hears(program, &heard, BYTES(ANSWER("\5")));
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_CLOSED);
    assert_int_equal(world_counters()->refused, 1);
    assert_none_left();
    world_close();
}

static void name_is_asked_for(void **state)
{
    struct call_addr addr = pair_addr(5432);
    uint64_t heard, other_heard;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = greeted(&heard), other = greeted(&other_heard);
    say(program, BYTES(TO_NAME));
    uint64_t id = world.asked.id;
    assert_string_equal(world.asked.name, "db");
    assert_int_equal(world.asked.port, 5432);
    say(other, BYTES(TO_NAME));
    assert_int_not_equal(world.asked.id, id);
    forward_resolved(world.forward, world.asked.id, -ERR_NOENT, NULL);
    hears(other, &other_heard, BYTES(ANSWER("\4")));
    assert_int_equal(net_mem_end(world.net, other), NET_MEM_CLOSED);
    forward_resolved(world.forward, id, 0, &addr);
    world_run();
    assert_connects_to(5432);
    world_complete(world.pair.net, EV_NET_CONNECT, 0);
    hears(program, &heard, BYTES(ANSWER("\0")));
    assert_int_equal(world_counters()->joined, 1);
    world_close();
}

/* The answer to who has gone is nobody's, not even theirs who have its place. */
static void name_comes_too_late(void **state)
{
    struct call_addr addr = pair_addr(5432);
    struct net_mem_op op;
    uint64_t heard;

    (void)state;
    world_open(FORWARD_SOCKS, 1);
    uint64_t program = greeted(&heard);
    say(program, BYTES(TO_NAME));
    uint64_t id = world.asked.id;
    world_end(world.net, program, -ERR_CONNRESET);
    assert_none_left();
    forward_resolved(world.forward, id, 0, &addr);
    for (uint32_t i = 0; i < 2 * (1 + FORWARD_ACCEPTS); i++) { /* each place, once or more */
        program = greeted(&heard);
        say(program, BYTES(TO_NAME));
        forward_resolved(world.forward, id, 0, &addr);
        world_run();
        assert_false(world_pending(world.pair.net, EV_NET_CONNECT, &op));
        world_end(world.net, program, -ERR_CONNRESET);
    }
    assert_none_left();
    world_close();
}

static void who_speaks_something_else_is_reset(void **state)
{
    uint64_t heard = 0;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);
    say(program, BYTES("GET / HTTP/1.0\r\n"));
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_RESET);
    program = world_complete(world.net, EV_NET_ACCEPT, 0);
    say(program, BYTES("\5\1\2")); /* a password, or nothing */
    hears(program, &heard, BYTES("\5\xff"));
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_CLOSED);
    program = world_complete(world.net, EV_NET_ACCEPT, 0);
    world_end(world.net, program, 0); /* nothing at all */
    assert_int_equal(net_mem_end(world.net, program), NET_MEM_RESET);
    assert_int_equal(world_counters()->refused, 3);
    assert_int_equal(world_counters()->resets, 0);
    assert_none_left();
    world_close();
}

/* Who says nothing, or not all of it, or a word every now and then, or does not hear what it is
 * told: it ends, and who said what it wants in time does not. */
static void who_takes_too_long_is_ended(void **state)
{
    uint64_t silent, slow, deaf, heard;

    (void)state;
    world_open(FORWARD_SOCKS, 5);
    uint64_t prompt = greeted(&heard);
    say(prompt, BYTES(TO_ADDRESS));
    silent = world_complete(world.net, EV_NET_ACCEPT, 0);
    slow = greeted(&heard);
    deaf = world_complete(world.net, EV_NET_ACCEPT, 0);
    say(deaf, BYTES(GREETING));
    assert_int_equal(world.due_ns, WORLD_TALK_NS);
    for (uint32_t i = 0; i < sizeof(TO_ADDRESS) - 2; i++) {
        world_run_at(1 + i * (WORLD_TALK_NS / 10));
        say(slow, &TO_ADDRESS[i], 1);
    }
    assert_int_equal(world_counters()->now, 4);
    world_run_at(WORLD_TALK_NS);
    world_run(); /* what it closed is closed */
    assert_int_equal(net_mem_end(world.net, silent), NET_MEM_CLOSED);
    assert_int_equal(net_mem_end(world.net, slow), NET_MEM_CLOSED);
    assert_int_equal(net_mem_end(world.net, deaf), NET_MEM_CLOSED);
    assert_int_equal(world_counters()->refused, 3);
    struct talk talk = {prompt, world_complete(world.pair.net, EV_NET_CONNECT, 0)};
    heard = 2;
    hears(prompt, &heard, BYTES(ANSWER("\0")));
    world_run_at(100 * WORLD_TALK_NS);
    assert_lives(talk);
    world_close();
}

/* One waits for its target, one for a name, one for its answer to go out. */
static void talks_of_all_kinds(uint64_t programs[3])
{
    uint64_t heard;

    for (uint32_t i = 0; i < 3; i++) {
        programs[i] = greeted(&heard);
        if (i == 0)
            say(programs[i], BYTES(TO_NAME));
        else
            say(programs[i], BYTES(TO_ADDRESS));
        if (i == 1)
            world_complete(world.pair.net, EV_NET_CONNECT, 0);
    }
}

static void device_goes_in_the_talk(void **state)
{
    struct call_addr addr = pair_addr(5432);
    uint64_t programs[3], heard = 2;

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    talks_of_all_kinds(programs);
    exec_post(world.pair.back, 0, EV_STOP);
    world_run();
    assert_true(world.pair.gone);
    assert_int_equal(net_mem_end(world.net, programs[1]), NET_MEM_RESET);
    hears(programs[2], &heard, BYTES(ANSWER("\1")));
    assert_int_equal(net_mem_end(world.net, programs[2]), NET_MEM_CLOSED);
    forward_resolved(world.forward, world.asked.id, 0, &addr);
    world_run();
    heard = 2;
    hears(programs[0], &heard, BYTES(ANSWER("\1")));
    assert_int_equal(net_mem_end(world.net, programs[0]), NET_MEM_CLOSED);
    assert_int_equal(world_counters()->refused, 3);
    assert_none_left();
    world_start();
    world_close();
}

static void stop_in_the_talk(void **state)
{
    struct call_addr addr = pair_addr(5432);
    uint64_t programs[3];

    (void)state;
    world_open(FORWARD_SOCKS, 4);
    talks_of_all_kinds(programs);
    forward_stop(world.forward, false);
    forward_resolved(world.forward, world.asked.id, 0, &addr);
    world_settle();
    assert_true(forward_over(world.forward));
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(net_mem_end(world.net, programs[i]), NET_MEM_CLOSED);
    assert_int_equal(world_counters()->refused, 3);
    assert_none_left();
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_is_reached),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(end_while_the_target_is_on_its_way),
        cmocka_unit_test(refused_target_is_told),
        cmocka_unit_test(name_is_asked_for),
        cmocka_unit_test(name_comes_too_late),
        cmocka_unit_test(who_speaks_something_else_is_reset),
        cmocka_unit_test(who_takes_too_long_is_ended),
        cmocka_unit_test(device_goes_in_the_talk),
        cmocka_unit_test(stop_in_the_talk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
