/*
 * 100,000 random requests against the backend, from a front the test plays: every command and
 * unknown ones, valid and invalid, over few socket ids so that they meet, while sockets complete in
 * any order with any result and data indexes lie. Each request is answered exactly once, with its
 * own id, command and socket; nothing else is ever answered; at the end nothing is left. In every
 * dialect; where data rings have an index page, it names random orders and refs too.
 *
 * The same, shorter, of a backend with each quirk: those that leave requests unanswered are
 * answered that many less, and lose as many slots, so that theirs are many short lives.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    REQUESTS = 100000,
    REQUESTS_OF_QUIRK = 3000,
    SLOTS_MAX = 64,
    RINGS = 6,
    IDS = 20,
    IDS_OF_QUIRK = 6
};

struct outstanding {
    bool used;
    uint32_t id, code;
    uint64_t sockid;
};

static const struct dialect *spoken;
static uint32_t slots;
static struct pair pair;
static struct rogue front;
static struct rogue_data rings[RINGS];
static struct outstanding asked[SLOTS_MAX];
static uint64_t answered, answers_by_kind[2]; /* success, error */
static uint64_t random_state;
static uint32_t quirks; /* of the backend */

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

static bool one_in(uint32_t n)
{
    return random_below(n) == 0;
}

static uint64_t random_sockid(void)
{
    uint64_t small = random_below(quirks == 0 ? IDS : IDS_OF_QUIRK);
    uint32_t top = spoken->sockid_bytes * 8 - 4;

    return one_in(8) ? (small & 15) << top | small : small;
}

/* What a row's field carries, at most. */
static uint32_t id_limit(void)
{
    return spoken->request[0].wire_bytes == 4 ? UINT32_MAX
                                              : 1u << (8 * spoken->request[0].wire_bytes);
}

/* An id no outstanding request has; often one that was used just before. */
static uint32_t fresh_id(void)
{
    uint32_t id = random_below(one_in(2) ? 16 : id_limit());

    for (uint32_t i = 0; i < slots; i++)
        if (asked[i].used && asked[i].id == id)
            return fresh_id();
    return id;
}

/* What the next backend to map the index page will find there: mostly the truth. */
static void name_pages(struct rogue_data *data)
{
    const struct dialect_index *index = &spoken->index;

    rogue_name_pages(&front, data, front.order);
    if (one_in(10))
        shared_store(&data->area, index->order_at, one_in(2) ? random_below(12) : 1u << 31);
    if (one_in(10))
        shared_store(&data->area, index->refs_at + 4 * random_below(2), random_below(8));
}

static struct call random_call(void)
{
    static const enum call_kind kinds[] = {CALL_CONNECT, CALL_CONNECT, CALL_RELEASE, CALL_RELEASE,
                                           CALL_RELEASE, CALL_BIND,    CALL_LISTEN,  CALL_LISTEN,
                                           CALL_ACCEPT,  CALL_ACCEPT,  CALL_POLL,    CALL_SOCKET};
    static const enum call_kind passive[] = {CALL_BIND, CALL_LISTEN, CALL_ACCEPT, CALL_POLL};
    uint32_t count = sizeof(kinds) / sizeof(kinds[0]);
    struct rogue_data *data = &rings[random_below(RINGS)];
    struct call call = rogue_connect(fresh_id(), random_sockid(), data);

    call.kind = kinds[random_below(dialect_has(spoken, CALL_SOCKET) ? count : count - 1)];
    if (quirks != 0 && one_in(2)) /* most quirks are about what waits */
        call.kind = passive[random_below(4)];
    call.family = one_in(10) ? random_below(12) : 2;
    call.type = one_in(10) ? random_below(4) : 1;
    if (spoken->index.pages > 0)
        name_pages(data);
    call.new_sockid = random_sockid();
    if (one_in(10))
        call.addr.len = random_below(40);
    if (one_in(10))
        call.addr.bytes[random_below(8)] ^= 1;
    if (one_in(10))
        call.refs[random_below(2)] = random_below(8); /* reserved; not the command ring's own */
    if (one_in(10))
        call.evtchn = random_below(32);
    return call;
}

/* A command that nobody knows: one of draft 1's holes, or beyond the last. */
static void unknown_code(unsigned char *slot)
{
    const struct dialect_row *cmd = &spoken->request[1];
    bool holes = !dialect_has(spoken, CALL_SOCKET);
    uint32_t code = holes && one_in(2)     ? 1 + random_below(2)
                    : cmd->wire_bytes == 1 ? 8 + random_below(248)
                                           : 8 + random_below(1u << 31);

    memcpy(slot + cmd->wire_at, &code, cmd->wire_bytes);
}

static void ask(void)
{
    unsigned char slot[DIALECT_SLOT_MAX];
    struct call call = random_call();
    uint32_t free_entry = 0;

    while (asked[free_entry].used)
        free_entry++;
    assert_true(free_entry < slots);
    dialect_pack_call(spoken, &call, slot);
    if (one_in(12))
        unknown_code(slot);
    dialect_unpack_call(spoken, slot, &call);
    asked[free_entry] = (struct outstanding){true, call.id, call.code, call.sockid};
    rogue_put_raw(&front, slot);
}

/* Take every response; each must be the answer to one outstanding request. */
static uint32_t take_answers(void)
{
    struct call_reply reply;
    uint32_t taken = 0;

    for (; rogue_reply(&front, &reply); taken++) {
        struct outstanding *entry = asked;
        while (entry < asked + slots && !(entry->used && entry->id == reply.id))
            entry++;
        assert_true(entry < asked + slots);
        assert_int_equal(reply.code, entry->code);
        assert_true(reply.sockid == entry->sockid ||
                    (quirks == quirk_bit(QUIRK_NAMELESS_UNKNOWN) && reply.ret == -ERR_NOTSUP));
        assert_in_range(-reply.ret, 0, ERR_MAX);
        entry->used = false;
        answers_by_kind[reply.ret < 0]++;
    }
    answered += taken;
    return taken;
}

static int32_t random_result(const struct net_mem_op *op)
{
    static const int32_t errors[] = {-ERR_CONNREFUSED, -ERR_CONNRESET, -ERR_PIPE, -ERR_ADDRINUSE};
    bool moves = op->kind == EV_NET_READ || op->kind == EV_NET_WRITE;

    if (one_in(5))
        return errors[random_below(4)];
    if (op->kind == EV_NET_READ && one_in(10))
        return 0;
    return moves ? 1 + (int32_t)random_below((uint32_t)op->bytes) : 0;
}

/* Complete a random operation of the sockets; false if none is in flight. */
static bool complete_one(void)
{
    static unsigned char bytes[4096];
    struct net_mem_op op;
    uint32_t count = 0;

    while (net_mem_pending(pair.net, count, &op))
        count++;
    if (count == 0)
        return false;
    assert_true(net_mem_pending(pair.net, random_below(count), &op));
    return net_mem_complete(pair.net, op.kind, op.token, random_result(&op), bytes);
}

static void touch_data(void)
{
    struct rogue_data *data = &rings[random_below(RINGS)];
    uint32_t word = one_in(2) ? data->at.out.prod : data->at.in.cons;
    uint32_t now = shared_load(&data->area, word);

    shared_store(&data->area, word, one_in(50) ? 0x80000000 : now + random_below(300));
    hv_notify(pair.front_hv, data->port);
}

static uint32_t forgotten(void)
{
    return (uint32_t)be_counters(pair.be)->forgotten;
}

/* So many requests, or fewer where half of the slots are lost; returns how many. */
static uint32_t drive(uint32_t requests)
{
    uint32_t outstanding = 0, sent = 0, rounds = 0;

    for (uint32_t i = 0; i < RINGS; i++)
        rogue_share(&front, &rings[i]);
    while (sent < requests && forgotten() < slots / 2) {
        for (uint32_t n = random_below(slots + 1); outstanding < slots && n > 0; n--) {
            ask();
            outstanding++;
            sent++;
        }
        if (!one_in(8))
            hv_notify(pair.front_hv, front.port);
        if (one_in(4))
            touch_data();
        for (uint32_t n = random_below(4); n > 0; n--)
            complete_one();
        exec_turn(pair.back, 0);
        outstanding -= take_answers();
        assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
        assert_true(++rounds < 10 * requests); /* a lost answer holds its slot for ever */
    }
    rogue_kick(&front);
    while (complete_one()) {
        pair_run(&pair);
        outstanding -= take_answers();
    }
    assert_int_equal(outstanding, forgotten());
    assert_int_equal(answered, sent - forgotten());
    assert_int_equal(be_counters(pair.be)->requests, sent);
    assert_int_equal(be_counters(pair.be)->replies, answered);
    assert_int_equal(rogue_load(&front, CMDRING_RSP_PROD), answered);
    return sent;
}

static void open_front(uint64_t seed)
{
    random_state = seed;
    answered = answers_by_kind[0] = answers_by_kind[1] = 0;
    memset(asked, 0, sizeof(asked));
    slots = cmdring_size(spoken->request_bytes);
    assert_true(slots <= SLOTS_MAX);
    rogue_front_open_with(
        &front, &pair, &(struct pair_config){.dialect = spoken, .order = 1, .back_quirks = quirks});
}

static void random_requests(void **state)
{
    (void)state;
    quirks = 0;
    open_front(0x243f6a8885a308d3u);
    assert_true(drive(REQUESTS) >= REQUESTS);
    assert_int_equal(forgotten(), 0);
    assert_true(answers_by_kind[0] > REQUESTS / 10); /* the mix reaches both */
    assert_true(answers_by_kind[1] > REQUESTS / 10);
    assert_true(be_counters(pair.be)->faults > 0);
    rogue_front_close(&front); /* sees that the backend kept nothing */
}

/* Whether a request may stay without an answer. */
static bool is_silent(enum quirk which)
{
    return which == QUIRK_SILENT_POLL || which == QUIRK_LOST_POLL ||
           which == QUIRK_SILENT_UNKNOWN || which == QUIRK_FORGETS_WAITERS;
}

static void random_requests_of_each_quirk(void **state)
{
    (void)state;
    for (uint32_t which = 0; which < QUIRK_COUNT; which++) {
        uint32_t lost = 0;
        if (quirk_is_front((enum quirk)which))
            continue;
        quirks = quirk_bit((enum quirk)which);
        for (uint32_t sent = 0; sent < REQUESTS_OF_QUIRK;) {
            open_front(0x243f6a8885a308d3u + 2 * sent);
            sent += drive(REQUESTS_OF_QUIRK - sent);
            lost += forgotten();
            rogue_front_close(&front);
        }
        assert_int_equal(lost > 0, is_silent((enum quirk)which));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_requests),
        cmocka_unit_test(random_requests_of_each_quirk),
    };

    int failed = 0;

    for (uint32_t i = 0; (spoken = dialect_at(i)); i++)
        failed += cmocka_run_group_tests_name(spoken->name, tests, NULL, NULL);
    return !!failed;
}
