/*
 * Both cores, one of them with a quirk or with all those of a driver, under random calls of the
 * application and random ends at the sockets: no core asserts, none calls the other broken, every
 * call completes exactly once, if only when the device goes, and nothing is left. Bytes are not
 * compared: some quirks lose them. What each quirk does is in test_quirks_front and _back.
 */
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LIVES = 6, ROUNDS = 120, SOCKS = 32, CALLS = 512, MOVED_MAX = 1 << 15 };

/* Something that was asked for: how it is to end, and how often it did. */
struct asked {
    enum call_kind call;
    uint64_t sock;
    uint32_t times;
};

enum has { CLOSED, ACTIVE, BOUND, LISTENING, RELEASED };

struct sock {
    uint64_t id;
    enum has has; /* what the application may do with it */
};

static const struct dialect *spoken;
static struct pair pair;
static struct asked asked[CALLS];
static struct sock socks[SOCKS];
static uint32_t asked_count, done_count, seen;
static uint64_t random_state;
static uint64_t succeeded[CALL_KINDS], forgotten; /* in all lives of a test */

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

static void ask(enum call_kind call, uint64_t sock)
{
    assert_true(asked_count < CALLS);
    asked[asked_count++] = (struct asked){call, sock, 0};
}

static struct sock *find(uint64_t id)
{
    for (uint32_t i = 0; i < SOCKS; i++)
        if (socks[i].has != CLOSED && socks[i].id == id)
            return &socks[i];
    return NULL;
}

/* A call has ended. POLLs of one listener are alike: the oldest ends. */
static void end(const struct act_done *done)
{
    struct sock *sock = find(done->sock);
    uint32_t i = 0;

    while (i < asked_count &&
           !(asked[i].call == done->call && asked[i].sock == done->sock && asked[i].times == 0))
        i++;
    assert_true(i < asked_count); /* nobody asked, or it was told before */
    assert_in_range(-done->ret, 0, ERR_MAX);
    asked[i].times++;
    done_count++;
    succeeded[done->call] += done->ret == 0 ? 1u : 0u;
    if (!sock)
        return;
    if (done->call == CALL_RELEASE ||
        (done->ret < 0 && sock->has != RELEASED && sock->has != LISTENING && sock->has != BOUND))
        sock->has = CLOSED;
    else if (done->call == CALL_BIND && sock->has != RELEASED)
        sock->has = done->ret < 0 ? CLOSED : BOUND;
    else if (done->call == CALL_LISTEN && sock->has != RELEASED)
        sock->has = LISTENING;
}

/* What the application was told since it looked last. */
static void listen_to_upcalls(void)
{
    for (; seen < pair.log_count; seen++)
        if (pair.log[seen].kind == ACT_DONE)
            end(&pair.log[seen].done);
    if (pair.log_count > PAIR_LOG / 2)
        pair.log_count = seen = 0;
}

/* ---- the application ---------------------------------------------------------------------------
 */

static void open_sock(enum call_kind call, int64_t id, enum has has)
{
    uint32_t i = 0;

    if (id < 0)
        return;
    while (socks[i].has != CLOSED)
        i++;
    socks[i] = (struct sock){(uint64_t)id, has};
    ask(call, (uint64_t)id);
}

static uint32_t open_count(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < SOCKS; i++)
        count += socks[i].has != CLOSED ? 1u : 0u;
    return count;
}

static void begin_something(void)
{
    if (open_count() == SOCKS || asked_count + 4 * SOCKS > CALLS)
        return;
    if (random_below(2))
        open_sock(CALL_CONNECT, pair_connect_begin(&pair, 80), ACTIVE);
    else
        open_sock(CALL_BIND, pair_bind_begin(&pair, 7000), ACTIVE);
}

static void release(struct sock *sock)
{
    if (pair_release(&pair, sock->id) == 0) {
        ask(CALL_RELEASE, sock->id);
        sock->has = RELEASED;
    }
}

static void use(struct sock *sock)
{
    char bytes[8192] = {0};

    if (sock->has == CLOSED || sock->has == RELEASED || asked_count + 4 * SOCKS > CALLS)
        return;
    if (random_below(6) == 0) {
        release(sock);
    } else if (sock->has == ACTIVE) {
        pair_send(&pair, sock->id, bytes, 1 + random_below(sizeof(bytes)));
        pair_recv(&pair, sock->id, bytes, 1 + random_below(sizeof(bytes)));
    } else if (sock->has == BOUND) {
        if (pair_listen_begin(&pair, sock->id) == 0)
            ask(CALL_LISTEN, sock->id);
    } else if (random_below(2)) {
        if (open_count() < SOCKS)
            open_sock(CALL_ACCEPT, pair_accept_begin(&pair, sock->id), ACTIVE);
    } else if (pair_poll_begin(&pair, sock->id) == 0) {
        ask(CALL_POLL, sock->id);
    }
}

/* ---- the world ---------------------------------------------------------------------------------
 */

static int32_t result_of(const struct net_mem_op *op)
{
    static const int32_t errors[] = {-ERR_CONNREFUSED, -ERR_CONNRESET, -ERR_MFILE};
    bool moves = op->kind == EV_NET_READ || op->kind == EV_NET_WRITE;

    if (random_below(6) == 0)
        return errors[random_below(3)];
    if (op->kind == EV_NET_READ && random_below(8) == 0)
        return 0;
    uint32_t most = op->bytes < MOVED_MAX ? (uint32_t)op->bytes : MOVED_MAX;
    return moves ? 1 + (int32_t)random_below(most) : 0;
}

static void complete_one(void)
{
    static unsigned char bytes[MOVED_MAX];
    struct net_mem_op op;
    uint32_t count = 0;

    while (net_mem_pending(pair.net, count, &op))
        count++;
    if (count == 0)
        return;
    assert_true(net_mem_pending(pair.net, random_below(count), &op));
    net_mem_complete(pair.net, op.kind, op.token, result_of(&op), bytes);
}

static void one_round(void)
{
    if (random_below(3) == 0)
        begin_something();
    for (uint32_t n = random_below(4); n > 0; n--)
        use(&socks[random_below(SOCKS)]);
    if (random_below(3) > 0)
        exec_turn(pair.front, pair.now_ns);
    for (uint32_t n = random_below(4); n > 0; n--)
        complete_one();
    if (random_below(3) > 0)
        exec_turn(pair.back, pair.now_ns);
    pair.now_ns += random_below(3) == 0 ? BE_POLL_NS : 0;
    listen_to_upcalls();
}

/* The device goes, with what is under way; what the application still has it releases. */
static void finish(void)
{
    exec_post(pair.front, 0, EV_STOP);
    pair_settle(&pair);
    listen_to_upcalls();
    for (uint32_t i = 0; i < SOCKS; i++)
        if (socks[i].has != CLOSED && socks[i].has != RELEASED)
            release(&socks[i]);
    pair_settle(&pair);
    listen_to_upcalls();
    assert_int_equal(done_count, asked_count);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(pair.front_fault_count + pair.back_fault_count, 0);
    forgotten += be_counters(pair.be)->forgotten;
    pair_close(&pair);
}

static void live(const struct pair_config *config)
{
    asked_count = done_count = seen = 0;
    memset(socks, 0, sizeof(socks));
    pair_open(&pair, config);
    if (!pair.up) { /* refused at the handshake */
        pair_close(&pair);
        return;
    }
    pair_forget(&pair);
    for (uint32_t i = 0; i < ROUNDS; i++)
        one_round();
    finish();
}

static void lives(uint32_t front_quirks, uint32_t back_quirks)
{
    memset(succeeded, 0, sizeof(succeeded));
    forgotten = 0;
    for (uint32_t i = 0; i < LIVES; i++) {
        random_state = 0x9e3779b97f4a7c15u * (i + 1);
        live(&(struct pair_config){.dialect = spoken,
                                   .order = i % 2 ? spoken->order_default : 1,
                                   .max_sockets = 2 * SOCKS,
                                   .linger_ns = 10 * BE_POLL_NS,
                                   .front_quirks = front_quirks,
                                   .back_quirks = back_quirks});
    }
}

static void no_quirk(void **state)
{
    (void)state;
    lives(0, 0);
    for (uint32_t call = 0; call < CALL_SOCKET; call++)
        assert_true(succeeded[call] > LIVES); /* the mix reaches each */
    assert_int_equal(forgotten, 0);
}

static void each_quirk(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < QUIRK_COUNT; i++) {
        uint32_t bit = quirk_bit((enum quirk)i);
        bool forgets = i == QUIRK_FORGETS_WAITERS || i == QUIRK_LOST_POLL;
        lives(quirk_is_front((enum quirk)i) ? bit : 0, quirk_is_front((enum quirk)i) ? 0 : bit);
        assert_int_equal(forgotten > 0, forgets);
    }
}

/* Every driver against ours, and against each that speaks the dialect. */
static void each_driver(void **state)
{
    const struct quirk_peer *front, *back;

    (void)state;
    for (uint32_t i = 0; (front = quirk_peer_at(i)); i++)
        for (uint32_t k = 0; (back = quirk_peer_at(k)); k++)
            if (front->front.exists && (!front->dialect || front->dialect == spoken) &&
                back->back.exists && (!back->dialect || back->dialect == spoken))
                lives(front->front.quirks, back->back.quirks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_quirk),
        cmocka_unit_test(each_quirk),
        cmocka_unit_test(each_driver),
    };

    int failed = 0;

    for (uint32_t i = 0; (spoken = dialect_at(i)); i++)
        failed += cmocka_run_group_tests_name(spoken->name, tests, NULL, NULL);
    return !!failed;
}
