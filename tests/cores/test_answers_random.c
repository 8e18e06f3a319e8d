/*
 * The frontend against a backend that answers random calls in random order with random results,
 * -EINTR among them, and leaves answers until long after the application gave the call up: no
 * assert, every call ends exactly once, a poll never with -EINTR; nobody waits for what the
 * backend was not asked; and neither side has a socket left. What single answers come to is in
 * test_unanswered.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LIVES = 1000, ROUNDS_MAX = 320, SOCKS = 400, OUTSTANDING = 64 };

/* A socket of the application: how often its call, its polls and its release were begun and ended.
 */
struct sock {
    uint64_t id;
    bool bound, listening;
    uint32_t calls, called, polls, polled, releases, released;
};

static struct pair pair;
static struct rogue back;
static const struct dialect *spoken;
static struct sock socks[SOCKS];
static uint32_t sock_count;
static struct call outstanding[OUTSTANDING];
static uint32_t outstanding_count;
static uint64_t owned[SOCKS]; /* sockets the backend has: a success that no release came after */
static uint32_t owned_count;
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

static struct sock *find(uint64_t id)
{
    for (uint32_t i = 0; i < sock_count; i++)
        if (socks[i].id == id)
            return &socks[i];
    fail_msg("an end of what nobody began");
    return NULL;
}

static void note(const struct act_done *done)
{
    struct sock *sock = find(done->sock);

    switch (done->call) {
    case CALL_RELEASE: sock->released++; break;
    case CALL_POLL:
        sock->polled++;
        assert_int_not_equal(done->ret, -ERR_INTR);
        break;
    case CALL_LISTEN: sock->listening = done->ret == 0;                      /* fall through */
    case CALL_BIND: sock->bound = done->call == CALL_BIND && done->ret == 0; /* fall through */
    case CALL_CONNECT:
    case CALL_ACCEPT: sock->called++; break;
    case CALL_SOCKET:
    case CALL_KINDS: fail();
    }
    assert_true(sock->called <= sock->calls && sock->polled <= sock->polls &&
                sock->released <= sock->releases);
}

/* Requests to the backend, ends to the application. */
static void settle(void)
{
    pair_run(&pair);
    while (outstanding_count < OUTSTANDING && rogue_request(&back, &outstanding[outstanding_count]))
        outstanding_count++;
    for (uint32_t i = 0; i < pair.log_count; i++)
        if (pair.log[i].kind == ACT_DONE)
            note(&pair.log[i].done);
    pair_forget(&pair);
}

/* Of accepted ones alone: a backend knows the others by their id as soon as they are asked for. */
static void own(const struct call *call, int32_t ret)
{
    for (uint32_t i = 0; call->kind == CALL_RELEASE && i < owned_count; i++)
        if (owned[i] == call->sockid)
            owned[i--] = owned[--owned_count];
    if (ret == 0 && call->kind == CALL_ACCEPT)
        owned[owned_count++] = call->new_sockid;
}

/* Any of the outstanding; of `truth` never -EINTR, which an honest backend says only so often. */
static void answer(bool truth)
{
    static const int32_t results[] = {0,          0,         0,         -ERR_INVAL,
                                      -ERR_AGAIN, -ERR_INTR, -ERR_INTR, -ERR_INTR};
    uint32_t i = outstanding_count > 0 ? random_below(outstanding_count) : 0;
    const struct call call = outstanding[i];

    if (outstanding_count == 0)
        return;
    outstanding[i] = outstanding[--outstanding_count];
    const struct call_reply reply = {call.id, call.code, call.sockid,
                                     results[random_below(truth ? 5 : 8)]};
    own(&call, reply.ret);
    rogue_answer(&back, &reply);
    settle();
}

static void begin(int64_t id)
{
    if (id >= 0)
        socks[sock_count++] = (struct sock){.id = (uint64_t)id, .calls = 1};
}

static void release(struct sock *sock)
{
    if (sock->releases == 0 && pair_release(&pair, sock->id) == 0)
        sock->releases = 1;
    settle();
}

/* On a socket: what can be done with it now. */
static void use(struct sock *sock)
{
    if (sock->listening && sock->releases == 0 && random_below(3) > 0)
        begin(pair_accept_begin(&pair, sock->id));
    else if (sock->listening && sock->releases == 0 && pair_poll_begin(&pair, sock->id) == 0)
        sock->polls++;
    else if (sock->bound && sock->releases == 0 && pair_listen_begin(&pair, sock->id) == 0)
        sock->calls++, sock->bound = false;
}

static void call(void)
{
    uint32_t what = random_below(8);

    if (sock_count < SOCKS && what == 0)
        begin(pair_bind_begin(&pair, 7000));
    else if (sock_count < SOCKS && what == 1)
        begin(pair_connect_begin(&pair, 80));
    else if (sock_count > 0 && what < 5)
        release(&socks[random_below(sock_count)]);
    for (uint32_t i = 0; i < sock_count && sock_count < SOCKS && what > 4; i++)
        if (random_below(3) == 0)
            use(&socks[i]);
    settle();
}

/* Nobody waits who is not told of. */
static void all_ended(void)
{
    for (uint32_t i = 0; i < sock_count; i++) {
        assert_int_equal(socks[i].called, socks[i].calls);
        assert_int_equal(socks[i].polled, socks[i].polls);
        assert_int_equal(socks[i].released, socks[i].releases);
    }
}

static void end(bool lost)
{
    if (lost) {
        pair_write(&pair, PAIR_BACK, "state", "6");
        settle();
    }
    while (!lost && outstanding_count > 0)
        answer(true);
    all_ended();
    for (uint32_t i = 0; i < sock_count; i++)
        release(&socks[i]);
    while (!lost && outstanding_count > 0)
        answer(true);
    all_ended();
    assert_int_equal(lost ? 0 : owned_count, 0);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(pair.front_fault_count, 0);
    rogue_back_close(&back);
}

static void live(uint32_t life)
{
    random_state = 0x9e3779b97f4a7c15u * (life + 1);
    sock_count = outstanding_count = owned_count = 0;
    rogue_back_open_with(
        &back, &pair,
        &(struct pair_config){.dialect = spoken, .order = 1, .max_sockets = 5 + random_below(155)});
    uint32_t calls = 1 + random_below(4), rounds = random_below(ROUNDS_MAX);
    for (uint32_t i = 0; i < rounds; i++) {
        if (random_below(5) < calls)
            call();
        else
            answer(false);
    }
    end(random_below(3) == 0);
}

static void random_answers(void **state)
{
    (void)state;
    for (uint32_t life = 0; life < LIVES; life++)
        live(life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_answers)};
    int failed = 0;

    for (uint32_t i = 0; (spoken = dialect_at(i)); i++)
        failed += cmocka_run_group_tests_name(spoken->name, tests, NULL, NULL);
    return !!failed;
}
