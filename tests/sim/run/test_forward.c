/*
 * Forwarding as long as both sides keep to it: bytes, ends in good order, and room.
 */
#include "ringlib/err.h"
#include "sim/time/prng.h"
#include "tests/support/forward_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LONG_BYTES = 1 << 20 };

/* ---- bytes ---- */

static unsigned char stream[2][LONG_BYTES]; /* towards the backend, and from it */

static void make_streams(struct prng *prng)
{
    prng_init(prng, 42, "forward", 0);
    for (uint32_t i = 0; i < LONG_BYTES; i++) {
        stream[0][i] = (unsigned char)prng_u32(prng);
        stream[1][i] = (unsigned char)prng_u32(prng);
    }
}

/* A pending read takes some of what is left of a stream, a pending write gives some. */
static bool read_some(struct net *net, uint64_t token, const unsigned char *from, uint32_t *at,
                      struct prng *prng)
{
    struct net_mem_op op;
    uint32_t left = LONG_BYTES - *at;

    if (left == 0 || !world_pending_of(net, EV_NET_READ, token, &op))
        return false;
    uint32_t bytes = op.bytes < left ? (uint32_t)op.bytes : left;
    bytes = prng ? 1 + (uint32_t)prng_below(prng, bytes) : bytes;
    assert_true(net_mem_complete(net, EV_NET_READ, token, (int32_t)bytes, from + *at));
    *at += bytes;
    return true;
}

static bool write_some(struct net *net, uint64_t token, struct prng *prng)
{
    struct net_mem_op op;

    if (!world_pending_of(net, EV_NET_WRITE, token, &op))
        return false;
    uint32_t bytes = 1 + (uint32_t)prng_below(prng, op.bytes);
    return net_mem_complete(net, EV_NET_WRITE, token, (int32_t)bytes, NULL);
}

static void assert_written(struct net *net, uint64_t token, const unsigned char *expected)
{
    uint64_t bytes;
    const unsigned char *written = net_mem_written(net, token, &bytes);

    assert_int_equal(bytes, LONG_BYTES);
    assert_memory_equal(written, expected, LONG_BYTES);
}

static void carry_both_ways(struct talk talk)
{
    struct prng prng;
    uint32_t up = 0, down = 0;
    bool any = true;

    make_streams(&prng);
    while (any) {
        any = read_some(world.net, talk.program, stream[0], &up, &prng);
        any |= read_some(world.pair.net, talk.peer, stream[1], &down, &prng);
        any |= write_some(world.net, talk.program, &prng);
        any |= write_some(world.pair.net, talk.peer, &prng);
        world_run();
    }
    assert_written(world.pair.net, talk.peer, stream[0]);
    assert_written(world.net, talk.program, stream[1]);
    assert_int_equal(world_counters()->up_bytes, LONG_BYTES);
    assert_int_equal(world_counters()->down_bytes, LONG_BYTES);
}

static void bytes_go_both_ways(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    carry_both_ways(world_join_local());
    world_close();
    world_open(FORWARD_REMOTE, 4);
    carry_both_ways(world_join_remote());
    world_close();
}

static uint32_t ring_bytes(bool out)
{
    struct dialect_ring ring;

    dialect_ring(&dialect_xensock1, WORLD_ORDER, &ring);
    return out ? ring.out.size : ring.in.size;
}

/* One side speaks as fast as it may, and the other does not listen: the ring and one buffer fill.
 * Then it does, and nothing was lost. */
static void hold_up(struct net *from, uint64_t speaker, struct net *to, uint64_t listener,
                    uint32_t room)
{
    struct prng prng;
    uint32_t at = 0;

    make_streams(&prng);
    while (read_some(from, speaker, stream[0], &at, NULL))
        world_run();
    assert_in_range(at, room, room + FORWARD_FLOW_BYTES);
    while (read_some(from, speaker, stream[0], &at, &prng) || write_some(to, listener, &prng))
        world_run();
    assert_written(to, listener, stream[0]);
}

static void slow_program_holds_up_the_peer(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local(), other = world_join_local();
    hold_up(world.pair.net, talk.peer, world.net, talk.program, ring_bytes(false));
    world_say(world.net, other.program, "and nobody else");
    world_complete(world.pair.net, EV_NET_WRITE, 15);
    assert_heard(world.pair.net, other.peer, "and nobody else");
    world_close();
}

static void slow_peer_holds_up_the_program(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local();
    hold_up(world.net, talk.program, world.pair.net, talk.peer, ring_bytes(true));
    world_close();
}

/* What the program says before the target has answered waits in one buffer. */
static void first_bytes_wait_for_the_target(void **state)
{
    struct net_mem_op op;

    (void)state;
    world_open(FORWARD_LOCAL, 4);
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);
    world_say(world.net, program, "early");
    assert_false(world_pending_of(world.net, EV_NET_READ, program, &op));
    uint64_t peer = world_complete(world.pair.net, EV_NET_CONNECT, 0);
    world_complete(world.pair.net, EV_NET_WRITE, 5);
    assert_heard(world.pair.net, peer, "early");
    world_close();
}

/* ---- ends in good order ---- */

static void peers_end_leaves_the_program_its_own(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local();
    world_say(world.pair.net, talk.peer, "last");
    world_end(world.pair.net, talk.peer, 0);
    assert_int_equal(net_mem_end(world.net, talk.program), NET_MEM_OPEN);
    world_complete(world.net, EV_NET_WRITE, 4); /* the end comes after the bytes */
    assert_int_equal(net_mem_end(world.net, talk.program), NET_MEM_SHUT);
    world_run_at(100 * WORLD_HOLD_NS);
    world_say(world.net, talk.program, "still here");
    world_complete(world.pair.net, EV_NET_WRITE, 10);
    assert_heard(world.pair.net, talk.peer, "still here");
    world_end(world.net, talk.program, 0);
    assert_ended(talk, NET_MEM_CLOSED);
    assert_none_left();
    assert_int_equal(world_counters()->held_out + world_counters()->resets, 0);
    world_close();
}

static void programs_end_waits_for_the_peers(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local();
    world_end(world.net, talk.program, 0);
    assert_lives(talk);
    world_say(world.pair.net, talk.peer, "the answer");
    world_end(world.pair.net, talk.peer, 0);
    assert_lives(talk);
    world_complete(world.net, EV_NET_WRITE, 10);
    assert_heard(world.net, talk.program, "the answer");
    assert_ended(talk, NET_MEM_CLOSED);
    assert_none_left();
    assert_int_equal(world_counters()->held_out, 0);
    world_close();
}

/* The end of one who has not yet been joined is held from then on. */
static void end_before_the_target_answers(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    uint64_t program = world_complete(world.net, EV_NET_ACCEPT, 0);
    world_say(world.net, program, "early");
    world_run_at(WORLD_HOLD_NS);
    struct talk talk = {program, world_complete(world.pair.net, EV_NET_CONNECT, 0)};
    world_end(world.net, program, 0);
    world_complete(world.pair.net, EV_NET_WRITE, 5);
    world_run_at(2 * WORLD_HOLD_NS - 1);
    assert_lives(talk);
    world_run_at(2 * WORLD_HOLD_NS);
    assert_ended(talk, NET_MEM_CLOSED);
    assert_int_equal(world_counters()->held_out, 1);
    world_close();
}

/* A service closes: its peer has all it said, and after a short silence its end. */
static void services_end_comes_soon(void **state)
{
    (void)state;
    world_open(FORWARD_REMOTE, 4);
    struct talk talk = world_join_remote();
    world_say(world.net, talk.program, "answer");
    world_end(world.net, talk.program, 0);
    world_complete(world.pair.net, EV_NET_WRITE, 6);
    assert_heard(world.pair.net, talk.peer, "answer");
    assert_int_equal(world.due_ns, WORLD_HOLD_NS / 50);
    world_run_at(WORLD_HOLD_NS / 50 - 1);
    assert_lives(talk);
    world_run_at(WORLD_HOLD_NS / 50);
    assert_ended(talk, NET_MEM_CLOSED);
    assert_none_left();
    world_close();
}

static void silence_ends_what_is_held(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local();
    world_run_at(WORLD_HOLD_NS);
    world_end(world.net, talk.program, 0);
    assert_int_equal(world.due_ns, 2 * WORLD_HOLD_NS);
    world_run_at(2 * WORLD_HOLD_NS - 1);
    assert_lives(talk);
    world_say(world.pair.net, talk.peer, "wait"); /* moves it */
    world_complete(world.net, EV_NET_WRITE, 4);
    assert_int_equal(world.due_ns, 3 * WORLD_HOLD_NS - 1);
    world_run_at(3 * WORLD_HOLD_NS - 2);
    assert_lives(talk);
    world_run_at(3 * WORLD_HOLD_NS - 1);
    assert_ended(talk, NET_MEM_CLOSED);
    assert_none_left();
    assert_int_equal(world_counters()->held_out, 1);
    assert_int_equal(world.due_ns, STEP_NEVER);
    world_close();
}

/* Who is slow to take what the peer has said is not the peer. */
static void slow_program_is_not_silence(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 4);
    struct talk talk = world_join_local();
    world_end(world.net, talk.program, 0);
    world_say(world.pair.net, talk.peer, "slowly");
    world_run_at(10 * WORLD_HOLD_NS);
    assert_lives(talk);
    world_complete(world.net, EV_NET_WRITE, 6);
    world_run_at(11 * WORLD_HOLD_NS - 1);
    assert_lives(talk);
    assert_heard(world.net, talk.program, "slowly");
    world_run_at(11 * WORLD_HOLD_NS);
    assert_ended(talk, NET_MEM_CLOSED);
    world_close();
}

/* ---- room ---- */

static void no_more_than_there_is_room_for(void **state)
{
    struct net_mem_op op;

    (void)state;
    world_open(FORWARD_LOCAL, 2);
    struct talk first = world_join_local();
    world_join_local();
    assert_false(world_pending(world.net, EV_NET_ACCEPT, &op));
    world_end(world.net, first.program, -ERR_CONNRESET);
    assert_true(world_pending(world.net, EV_NET_ACCEPT, &op));
    assert_int_equal(world_counters()->most, 2);
    world_close();
}

static void room_is_made_by_who_is_held_longest(void **state)
{
    (void)state;
    world_open(FORWARD_LOCAL, 2);
    struct talk first = world_join_local(), second = world_join_local();
    world_end(world.net, first.program, 0);
    world_run_at(1);
    world_end(world.net, second.program, 0);
    world_run_at(2);
    world_say(world.pair.net, first.peer, "not silent");
    world_complete(world.net, EV_NET_WRITE, 10);
    assert_lives(first);
    assert_lives(second); /* as long as nobody comes */
    struct talk third = world_join_local();
    assert_lives(first);
    assert_ended(second, NET_MEM_CLOSED);
    assert_lives(third);
    assert_int_equal(world_counters()->held_out, 1);
    assert_int_equal(world_counters()->now, 2);
    world_close();
}

static bool accepts(uint32_t rule, uint64_t *token)
{
    struct net_mem_op op;

    for (uint32_t i = 0; net_mem_pending(world.net, i, &op); i++) {
        if (op.kind != EV_NET_ACCEPT || (uint32_t)op.listener != rule)
            continue;
        *token = op.token;
        return true;
    }
    return false;
}

/* Nor does one rule take the room of the other: whose connection ends is no matter. */
static void rules_share_what_room_there_is(void **state)
{
    static const enum forward_kind kinds[WORLD_RULES] = {FORWARD_LOCAL, FORWARD_LOCAL};
    uint32_t had[WORLD_RULES] = {0};
    uint64_t tokens[2];

    (void)state;
    world_create(kinds, WORLD_RULES, 2);
    world_start();
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(accepts(i, &tokens[i]));
        assert_true(net_mem_complete(world.net, EV_NET_ACCEPT, tokens[i], 0, NULL));
        world_run();
        world_complete(world.pair.net, EV_NET_CONNECT, 0);
        assert_int_equal(world_counters()->now, i + 1);
    }
    for (uint32_t i = 0; i < 20; i++) {
        struct net_mem_op op;
        uint64_t token;
        assert_false(world_pending(world.net, EV_NET_ACCEPT, &op));
        world_end(world.net, tokens[0], -ERR_CONNRESET);
        bool first = accepts(0, &token);
        assert_true(first != accepts(1, &token));
        had[first ? 0 : 1]++;
        tokens[0] = world_join_local().program;
    }
    assert_in_range(had[0], 5, 15);
    assert_int_equal(world_counters()->most, 2);
    world_close();
}

static void failed_accept_is_tried_again(void **state)
{
    struct net_mem_op op;

    (void)state;
    world_open(FORWARD_LOCAL, 4);
    world_complete(world.net, EV_NET_ACCEPT, -ERR_MFILE);
    assert_false(world_pending(world.net, EV_NET_ACCEPT, &op));
    assert_in_range(world.due_ns, 1, STEP_NEVER - 1);
    world_run_at(world.due_ns);
    assert_lives(world_join_local());
    assert_int_equal(world_counters()->accepted, 1);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways),
        cmocka_unit_test(slow_program_holds_up_the_peer),
        cmocka_unit_test(slow_peer_holds_up_the_program),
        cmocka_unit_test(first_bytes_wait_for_the_target),
        cmocka_unit_test(peers_end_leaves_the_program_its_own),
        cmocka_unit_test(programs_end_waits_for_the_peers),
        cmocka_unit_test(end_before_the_target_answers),
        cmocka_unit_test(services_end_comes_soon),
        cmocka_unit_test(silence_ends_what_is_held),
        cmocka_unit_test(slow_program_is_not_silence),
        cmocka_unit_test(no_more_than_there_is_room_for),
        cmocka_unit_test(room_is_made_by_who_is_held_longest),
        cmocka_unit_test(rules_share_what_room_there_is),
        cmocka_unit_test(failed_accept_is_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
