/*
 * Both cores, the executor and hv_mem, on data rings of a few bytes, in every interleaving and, the
 * smaller ones, in every dialect: a guest
 * that sends and receives a few bytes, the backend's process, and the host's socket, which takes
 * and gives bytes at any moment in pieces of any size.
 *
 * Promised: at rest everything sent has arrived, once and in order; the end of the stream comes
 * after its last byte; nobody sleeps while there is work for it. Points where others may go are all
 * accesses to the data ring, also the socket's, and all operations of the event channel.
 */
#include "backend/be_private.h"
#include "frontend/fe_private.h"
#include "tests/explore/taps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { GUEST, HOST, SOCKET, SERIAL = 1 /* of the socket's port: its domain's second */ };
enum { IN = 0, OUT = 64, IN_CONS = 128, IN_PROD = 132, OUT_CONS = 136, OUT_PROD = 140 };
enum { IN_ERROR = 144, OUT_ERROR = 148, PIECE = 3, BYTES_MAX = 16 };

enum { BYTES_PLACES = 2, WORDS = 6 };

/* What is sent, on rings of which size; and where everybody is. */
struct talk {
    const struct dialect *dialect;
    uint32_t ring, up, down, preemptions;
    enum explore_merge merge;
    struct hv_mem *machine;
    struct pair pair;
    uint64_t sock, token;
    struct guest {
        uint32_t sent, want, received, ended;
    } guest;
    struct peer {
        uint32_t taken, given, ended;
    } peer;
    bool woken; /* the socket completed something since the host looked */
};

static struct talk *talk; /* a dialect has no self */

/* A dialect with data rings of a few bytes, whose words are where they always are if they have a
 * page of their own. */
static void tiny_ring(uint32_t order, struct dialect_ring *ring)
{
    bool index = talk->dialect->index.pages > 0;
    struct bytering_layout in = {IN, talk->ring, IN_PROD, IN_CONS, IN_ERROR};
    struct bytering_layout out = {OUT, talk->ring, OUT_PROD, OUT_CONS, OUT_ERROR};
    struct dialect_ring real;

    dialect_ring(talk->dialect, order, &real);
    if (index) {
        in = (struct bytering_layout){IN, talk->ring, real.in.prod, real.in.cons, real.in.error};
        out =
            (struct bytering_layout){OUT, talk->ring, real.out.prod, real.out.cons, real.out.error};
    }
    *ring = (struct dialect_ring){.pages = real.pages, .in = in, .out = out};
}

static unsigned char byte_at(uint32_t position)
{
    return (unsigned char)(position + 1);
}

/* ---- the guest ---------------------------------------------------------------------------------
 */

static void guest_send(struct talk *at)
{
    unsigned char bytes[PIECE];
    struct guest *guest = &at->guest;

    while (guest->sent < at->up) {
        uint32_t rest = at->up - guest->sent;
        if (guest->want == 0)
            guest->want = 1 + explore_choose("sends one more than", rest < PIECE ? rest : PIECE);
        for (uint32_t i = 0; i < guest->want; i++)
            bytes[i] = byte_at(guest->sent + i);
        int64_t taken = pair_send(&at->pair, at->sock, bytes, guest->want);
        explore_check(taken >= 0);
        guest->sent += (uint32_t)taken;
        guest->want -= (uint32_t)taken;
        if (guest->want > 0)
            break; /* WRITABLE comes */
    }
}

static void guest_recv(struct talk *at)
{
    unsigned char bytes[BYTES_MAX];
    struct guest *guest = &at->guest;

    while (!guest->ended) {
        int64_t taken = pair_recv(&at->pair, at->sock, bytes, sizeof(bytes));
        if (taken == -ERR_AGAIN)
            break; /* READABLE comes */
        explore_check(taken >= 0);
        for (uint32_t i = 0; i < taken; i++)
            explore_check(bytes[i] == byte_at(guest->received + i));
        guest->received += (uint32_t)taken;
        guest->ended = taken == 0;
        explore_check(!guest->ended || guest->received == at->down);
    }
}

static void guest_told(void *self, const struct act *act)
{
    if (act->kind == ACT_READABLE)
        guest_recv(self);
    else if (act->kind == ACT_WRITABLE)
        guest_send(self);
}

/* All of the guest's process that outlives a turn. */
static void guest_at(struct talk *at)
{
    const struct fe_sock *sock = fe_sock_by_id(at->pair.fe, at->sock);
    uint32_t all[] = {at->guest.sent,        at->guest.want,  at->guest.received,   at->guest.ended,
                      sock->in.index,        sock->out.index, sock->arm_read,       sock->arm_write,
                      (uint32_t)sock->error, sock->broken,    (uint32_t)sock->state};

    explore_at(all, sizeof(all));
}

static void guest(void *self)
{
    struct talk *at = self;

    guest_send(at);
    while (at->guest.sent < at->up || !at->guest.ended) {
        guest_at(at);
        explore_wait(taps_event, at->pair.front_hv);
        while (exec_turn(at->pair.front, 0))
            continue;
    }
}

/* ---- the host ----------------------------------------------------------------------------------
 */

static struct be_sock *host_sock(struct talk *at)
{
    return &at->pair.be->socks[step_slot(at->token)];
}

static bool host_ready(void *self)
{
    const struct talk *at = self;

    return at->woken || taps_event(at->pair.back_hv);
}

static void host_at(struct talk *at)
{
    const struct be_sock *sock = host_sock(at);
    uint32_t all[] = {
        sock->reading,        sock->writing,  sock->in_ended,  sock->out_ended,
        sock->broken,         sock->in.index, sock->out.index, (uint32_t)sock->write_error,
        (uint32_t)sock->state};

    explore_at(all, sizeof(all));
}

static void host(void *self)
{
    struct talk *at = self;

    for (;;) {
        host_at(at);
        explore_wait(host_ready, at);
        at->woken = false;
        while (exec_turn(at->pair.back, 0))
            continue;
    }
}

/* ---- the socket --------------------------------------------------------------------------------
 */

static uint32_t in_flight(struct talk *at, enum ev_kind kind)
{
    struct net_mem_op op;

    for (uint32_t i = 0; net_mem_pending(at->pair.net, i, &op); i++)
        if (op.kind == kind)
            return (uint32_t)op.bytes;
    return 0;
}

static bool wants_to_end(const struct talk *at)
{
    return at->down > 0 && !at->peer.ended;
}

static bool socket_ready(void *self)
{
    struct talk *at = self;

    return in_flight(at, EV_NET_WRITE) > 0 || (in_flight(at, EV_NET_READ) > 0 && wants_to_end(at));
}

/* The kernel copies from or to the ring, and only then says that it did. */
static void transfer(struct talk *at, enum ev_kind kind, uint32_t bytes, const void *data)
{
    struct be_sock *sock = host_sock(at);
    struct bytering *ring = kind == EV_NET_READ ? &sock->in : &sock->out;
    struct shared_span spans[2];
    uint32_t count = bytering_spans(ring, bytes, spans);

    for (uint32_t i = 0; i < count; i++)
        shared_hook(kind == EV_NET_READ ? SHARED_WRITE : SHARED_READ, &ring->data, spans[i].offset,
                    spans[i].length);
    net_mem_complete(at->pair.net, kind, at->token, (int32_t)bytes, data);
    at->woken = true;
}

static void socket_take(struct talk *at, uint32_t bytes)
{
    uint64_t written;
    uint32_t count = 1 + explore_choose("takes one more than", bytes);

    transfer(at, EV_NET_WRITE, count, NULL);
    const unsigned char *all = net_mem_written(at->pair.net, at->token, &written);
    explore_check(written == at->peer.taken + count && written <= at->up);
    for (; at->peer.taken < written; at->peer.taken++)
        explore_check(all[at->peer.taken] == byte_at(at->peer.taken));
}

static void socket_give(struct talk *at, uint32_t room)
{
    unsigned char bytes[BYTES_MAX];
    uint32_t rest = at->down - at->peer.given, count = 0;

    if (rest > 0)
        count = 1 + explore_choose("gives one more than", rest < room ? rest : room);
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = byte_at(at->peer.given + i);
    transfer(at, EV_NET_READ, count, bytes);
    at->peer.given += count;
    at->peer.ended = count == 0;
}

static void socket(void *self)
{
    struct talk *at = self;

    for (;;) {
        explore_at(&at->peer, sizeof(at->peer));
        explore_wait(socket_ready, at);
        uint32_t queued = in_flight(at, EV_NET_WRITE);
        uint32_t room = wants_to_end(at) ? in_flight(at, EV_NET_READ) : 0;
        explore_saw((uint64_t)queued << 32 | room);
        if (queued > 0 && (room == 0 || explore_choose("takes or gives", 2) == 0))
            socket_take(at, queued);
        else
            socket_give(at, room);
    }
}

/* ---- the exploration ---------------------------------------------------------------------------
 */

/* The pages that are looked at: of the bytes, and of the words that count them, which may be one.
 */
static void name_regions(const struct talk *at, const struct fe_data *data)
{
    static struct explore_place places[BYTES_PLACES + WORDS];
    uint32_t index = at->dialect->index.pages;
    struct shared_area bytes = index > 0 ? shared_after(&data->area, index) : data->area;
    const struct explore_place all[] = {
        {"in", IN, OUT - IN, EXPLORE_NOBODY},  {"out", OUT, IN_CONS - OUT, EXPLORE_NOBODY},
        {"in_cons", data->in.cons, 4, GUEST},  {"in_prod", data->in.prod, 4, HOST},
        {"out_cons", data->out.cons, 4, HOST}, {"out_prod", data->out.prod, 4, GUEST},
        {"in_error", data->in.error, 4, HOST}, {"out_error", data->out.error, 4, HOST},
    };

    memcpy(places, all, sizeof(all));
    explore_region(
        &(struct explore_region){{bytes.base, 1}, places, BYTES_PLACES + (index > 0 ? 0 : WORDS)});
    if (index > 0)
        explore_region(
            &(struct explore_region){{data->area.base, 1}, places + BYTES_PLACES, WORDS});
}

static void begin(void *self)
{
    static struct dialect tiny;
    struct talk *at = self;
    struct fe_data data;

    talk = at;
    tiny = *at->dialect;
    tiny.ring = tiny_ring;
    pair_open(&at->pair, &(struct pair_config){.order = 1,
                                               .max_sockets = 1,
                                               .dialect = &tiny,
                                               .machine = at->machine,
                                               .self = at,
                                               .upcall = guest_told});
    at->sock = pair_connect(&at->pair, &at->token);
    at->guest = (struct guest){.ended = at->down == 0};
    at->peer = (struct peer){0};
    at->woken = false;
    taps_open(&at->pair);
    bool open = fe_data(at->pair.fe, at->sock, &data);
    assert(open);
    name_regions(at, &data);
}

static void end(void *self)
{
    pair_drop(&((struct talk *)self)->pair);
}

/* What is raised, and what the host asked of the socket: at most 4 bytes each. */
static uint64_t state(void *self)
{
    struct talk *at = self;
    uint32_t guest_port = fe_port(at->pair.fe, at->sock), host_port = host_sock(at)->port;

    return (at->woken ? 1u : 0u) |
           (taps_raised(&at->pair, PAIR_FRONT, SERIAL, guest_port) ? 2u : 0u) |
           (taps_raised(&at->pair, PAIR_BACK, SERIAL, host_port) ? 4u : 0u) |
           in_flight(at, EV_NET_WRITE) << 8 | in_flight(at, EV_NET_READ) << 16;
}

static const char *outcome(void *self)
{
    const struct talk *at = self;

    if (at->pair.front_fault_count + at->pair.back_fault_count > 0)
        return "a fault was reported";
    if (at->peer.taken != at->up)
        return "at rest, but not all that was sent has arrived";
    return at->peer.given == at->down ? NULL : "at rest, but not all was received";
}

static struct explore_result search(struct talk *at, const char *name)
{
    struct explore_result result;

    at->machine = hv_mem_create_pages(NULL, 64);
    explore(&(struct explore){.name = name,
                              .self = at,
                              .side_count = 3,
                              .side_names = {"guest", "host", "socket"},
                              .sides = {guest, host, socket},
                              .servants = 1 << HOST | 1 << SOCKET,
                              .begin = begin,
                              .end = end,
                              .state = state,
                              .outcome = outcome,
                              .merge = at->merge,
                              .preemptions = at->preemptions},
            &result);
    hv_mem_destroy(at->machine);
    return result;
}

static void right_in(const struct dialect *dialect, uint32_t ring, uint32_t up, uint32_t down,
                     uint32_t preemptions)
{
    static struct talk talks; /* too large for a stack */
    char name[100];

    talks = (struct talk){.dialect = dialect, .ring = ring, .up = up, .down = down};
    talks.preemptions = preemptions;
    snprintf(name, sizeof(name), "cores, %s, rings of %u, %u bytes up, %u down", dialect->name,
             ring, up, down);
    struct explore_result result = search(&talks, name);
    assert_null(result.wrong);
    assert_true(result.complete || preemptions > 0);
}

/* In the first dialect of the registry. What the others have beside it is where words lie and how a
 * ring is opened: the smaller explorations tell whether that is right. */
static void right(uint32_t ring, uint32_t up, uint32_t down, uint32_t preemptions)
{
    right_in(dialect_at(0), ring, up, down, preemptions);
}

static void in_the_others(void **unused)
{
    (void)unused;
    for (uint32_t i = 1; EXPLORE_SLOW < 2 && dialect_at(i); i++) {
        right_in(dialect_at(i), 2, 2, 0, 0);
        right_in(dialect_at(i), 2, 0, 2, EXPLORE_SLOW ? 2 : 0);
    }
}

static void up(void **unused)
{
    (void)unused;
    right(2, 2, 0, 0);
    if (!EXPLORE_SLOW)
        right(2, 3, 0, 0);
}

static void down_to_the_end(void **unused)
{
    (void)unused;
    if (EXPLORE_SLOW > 1)
        return;
    right(2, 0, 2, 0);
    if (!EXPLORE_SLOW)
        right(2, 0, 4, 3);
}

static void both_ways(void **unused)
{
    (void)unused;
    if (EXPLORE_SLOW > 1)
        return;
    right(2, 1, 1, EXPLORE_SLOW ? 2 : 0);
}

/* Merging states leaves no interleaving out: there are as many when sides are told apart by all
 * that they have read. */
static void every_interleaving_counts(void **unused)
{
    static struct talk talks;

    (void)unused;
    if (EXPLORE_SLOW > 1)
        return;
    talks = (struct talk){.dialect = dialect_at(0), .ring = 2, .up = 2};
    double ways = search(&talks, "cores, rings of 2, 2 bytes up").interleavings;
    talks.merge = EXPLORE_READS;
    assert_true(search(&talks, "    the same by what was read").interleavings == ways);
    talks = (struct talk){.dialect = dialect_at(0), .ring = 1, .down = 2};
    ways = search(&talks, "cores, rings of 1, 2 bytes down").interleavings;
    talks.merge = EXPLORE_READS;
    assert_true(search(&talks, "    the same by what was read").interleavings == ways);
}

/* What takes minutes. */
static void longer(void **unused)
{
    (void)unused;
    right(2, 0, 3, 0);
    right(4, 3, 0, 0);
    right(2, 4, 0, 3);
    right(2, 5, 0, 4);
    right(2, 2, 2, 3);
    right(4, 5, 3, 2);
}

/* Argument `long`: the long ones as well. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up),
        cmocka_unit_test(down_to_the_end),
        cmocka_unit_test(both_ways),
        cmocka_unit_test(in_the_others),
        cmocka_unit_test(every_interleaving_counts),
    };
    const struct CMUnitTest long_tests[] = {cmocka_unit_test(longer)};

    if (argc > 1 && strcmp(argv[1], "long") == 0 &&
        cmocka_run_group_tests_name("cores, long", long_tests, NULL, NULL) != 0)
        return 1;
    return !!cmocka_run_group_tests_name("cores", tests, NULL, NULL);
}
