/*
 * What both cores tell a capture, in each dialect: each request and response once a side and byte
 * for byte the same, each move of an index and each error with its value, as many notifications as
 * the hypervisor counts; and what is published before the peer can see it.
 */
#include "ringlib/cmdring.h"
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TOLD_MAX = 512 };

/* What one side told. */
struct told {
    struct capture_packet packets[TOLD_MAX];
    uint8_t slots[TOLD_MAX][DIALECT_SLOT_MAX];
    uint32_t count;
};

static struct pair pair;
static struct told front, back;
static bool looking; /* at what the peer could see by then */

static uint32_t word_at(enum capture_word what, const struct fe_data *data)
{
    switch (what) {
    case CAPTURE_IN_PROD: return data->in.prod;
    case CAPTURE_IN_CONS: return data->in.cons;
    case CAPTURE_OUT_PROD: return data->out.prod;
    case CAPTURE_OUT_CONS: return data->out.cons;
    case CAPTURE_IN_ERROR: return data->in.error;
    case CAPTURE_OUT_ERROR: return data->out.error;
    }
    return 0;
}

/* The only socket is the first: its id is 0 in each dialect. */
static void assert_unseen(const struct capture_packet *packet)
{
    struct fe_look look;
    struct fe_data data;

    fe_look(pair.fe, &look);
    if (packet->kind == CAPTURE_REQUEST)
        assert_true((int32_t)(packet->index - shared_load(&look.page, CMDRING_REQ_PROD)) >= 0);
    if (packet->kind == CAPTURE_RESPONSE)
        assert_true((int32_t)(packet->index - shared_load(&look.page, CMDRING_RSP_PROD)) >= 0);
    if (packet->kind != CAPTURE_INDEX)
        return;
    assert_true(fe_data(pair.fe, 0, &data));
    bool error = packet->what >= CAPTURE_IN_ERROR;
    assert_int_equal(shared_load(&data.area, word_at(packet->what, &data)),
                     error ? 0 : packet->index - packet->bytes);
}

static void take(void *self, const struct capture_packet *packet)
{
    struct told *told = self;

    assert_in_range(told->count, 0, TOLD_MAX - 1);
    if (looking && packet->moved == CAPTURE_PUBLISHED)
        assert_unseen(packet);
    if (packet->slot)
        memcpy(told->slots[told->count], packet->slot, packet->bytes);
    told->packets[told->count++] = *packet;
}

static const struct capture_sink front_sink = {take, &front}, back_sink = {take, &back};

static void open_in(const struct dialect *dialect)
{
    front.count = back.count = 0;
    looking = false;
    pair_open(&pair, &(struct pair_config){.dialect = dialect,
                                           .linger_ns = 1000000,
                                           .front_capture = &front_sink,
                                           .back_capture = &back_sink});
}

/* How many of a kind and way, and what the last said. */
static uint32_t count_of(const struct told *told, enum capture_kind kind, enum capture_moved moved)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < told->count; i++)
        count += told->packets[i].kind == kind && told->packets[i].moved == moved;
    return count;
}

/* The n-th packet of a kind. */
static uint32_t nth(const struct told *told, enum capture_kind kind, uint32_t n)
{
    uint32_t i = 0;

    for (; told->packets[i].kind != kind || n-- > 0; i++)
        assert_in_range(i, 0, told->count - 1);
    return i;
}

/* What one side published the other consumed: the same, in the same order. */
static void assert_crossed(const struct told *from, const struct told *to, enum capture_kind kind,
                           uint32_t bytes)
{
    uint32_t count = count_of(from, kind, CAPTURE_PUBLISHED);

    assert_int_equal(count_of(to, kind, CAPTURE_CONSUMED), count);
    assert_int_equal(count_of(from, kind, CAPTURE_CONSUMED), 0);
    for (uint32_t n = 0; n < count; n++) {
        uint32_t i = nth(from, kind, n), j = nth(to, kind, n);
        assert_int_equal(from->packets[i].index, n);
        assert_int_equal(to->packets[j].index, n);
        assert_int_equal(from->packets[i].ring, CAPTURE_COMMANDS);
        assert_int_equal(to->packets[j].ring, CAPTURE_COMMANDS);
        assert_int_equal(from->packets[i].bytes, bytes);
        assert_int_equal(to->packets[j].bytes, bytes);
        assert_memory_equal(from->slots[i], to->slots[j], bytes);
    }
}

/* The moves of one word add up, and stand at their end. */
static void assert_moves(const struct told *told, enum capture_word what, uint64_t sum,
                         uint32_t least)
{
    uint32_t index = 0, count = 0;

    for (uint32_t i = 0; i < told->count; i++) {
        const struct capture_packet *packet = &told->packets[i];
        if (packet->kind != CAPTURE_INDEX || packet->what != what)
            continue;
        count++;
        index += packet->bytes;
        assert_int_equal(packet->index, index);
        assert_int_equal(packet->ring, CAPTURE_DATA);
        assert_int_equal(packet->moved, CAPTURE_PUBLISHED);
        assert_int_equal(packet->sockid, 0);
    }
    assert_int_equal(index, sum);
    assert_true(count >= least);
}

/* The one error of a word. */
static int32_t error_of(const struct told *told, enum capture_word what)
{
    int32_t error = 0;

    for (uint32_t i = 0; i < told->count; i++) {
        const struct capture_packet *packet = &told->packets[i];
        if (packet->kind != CAPTURE_INDEX || packet->what != what)
            continue;
        assert_int_equal(error, 0);
        error = (int32_t)packet->index;
    }
    return error;
}

static void assert_notified(const struct told *told, const struct hv *hv, uint32_t port)
{
    uint32_t of_device = 0;

    assert_int_equal(count_of(told, CAPTURE_NOTIFY, CAPTURE_PUBLISHED), hv->counters.notifies);
    assert_int_equal(count_of(told, CAPTURE_NOTIFY, CAPTURE_CONSUMED), hv->counters.wakeups);
    for (uint32_t i = 0; i < told->count; i++) {
        const struct capture_packet *packet = &told->packets[i];
        if (packet->kind != CAPTURE_NOTIFY)
            continue;
        of_device += packet->index == port;
        assert_int_equal(packet->ring, packet->index == port ? CAPTURE_COMMANDS : CAPTURE_DATA);
    }
    assert_in_range(of_device, 1, told->count - 1);
}

/* A stream of bytes both ways, an end, and a reset. */
static void tells_all(void **state)
{
    const struct dialect *dialect = *state;
    struct fe_look look;
    struct be_look back_look;
    uint64_t token;
    char got[16];

    open_in(dialect);
    fe_look(pair.fe, &look);
    be_look(pair.be, &back_look);
    looking = true;
    uint64_t sock = pair_connect(&pair, &token);
    assert_int_equal(sock, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(pair_send(&pair, sock, "hello", 5), 5);
        pair_settle(&pair);
    }
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 7, "abcdefg"));
    pair_run(&pair);
    assert_int_equal(pair_recv(&pair, sock, got, 4), 4);
    assert_int_equal(pair_recv(&pair, sock, got, 4), 3);
    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, 0, NULL));
    pair_run(&pair);
    assert_int_equal(pair_send(&pair, sock, "hello", 5), 5);
    pair_run(&pair);
    assert_true(net_mem_complete(pair.net, EV_NET_WRITE, token, -ERR_CONNRESET, NULL));
    pair_run(&pair);
    assert_int_equal(pair_release(&pair, sock), 0);
    pair_settle(&pair);
    assert_int_equal(fe_counters(pair.fe)->requests,
                     count_of(&front, CAPTURE_REQUEST, CAPTURE_PUBLISHED));
    assert_int_equal(be_counters(pair.be)->replies,
                     count_of(&back, CAPTURE_RESPONSE, CAPTURE_PUBLISHED));
    assert_crossed(&front, &back, CAPTURE_REQUEST, dialect->request_bytes);
    assert_crossed(&back, &front, CAPTURE_RESPONSE, dialect->response_bytes);
    assert_moves(&front, CAPTURE_OUT_PROD, 20, 4);
    assert_moves(&back, CAPTURE_OUT_CONS, 15, 3);
    assert_moves(&back, CAPTURE_IN_PROD, 7, 1);
    assert_moves(&front, CAPTURE_IN_CONS, 7, 2);
    assert_int_equal(error_of(&back, CAPTURE_IN_ERROR), -ERR_NOTCONN);
    assert_int_equal(error_of(&back, CAPTURE_OUT_ERROR), -ERR_CONNRESET);
    assert_notified(&front, pair.front_hv, look.port);
    assert_notified(&back, pair.back_hv, back_look.port);
    looking = false;
    pair_close(&pair);
}

/* The sockets of a listener have ids of their own, on both sides the same. */
static void tells_whose(void **state)
{
    uint64_t token;

    open_in(*state);
    for (uint32_t i = 0; i < 3; i++) { /* so that an id is no longer its slot */
        pair_release(&pair, pair_connect(&pair, &token));
        pair_settle(&pair);
    }
    uint64_t listener = pair_listen(&pair, &token);
    int64_t sock = pair_accept_begin(&pair, listener);
    assert_true(sock > 0);
    pair_settle(&pair);
    assert_true(
        net_mem_complete(pair.net, EV_NET_ACCEPT, pair_pending(&pair, EV_NET_ACCEPT), 0, NULL));
    pair_settle(&pair);
    assert_int_equal(pair_done(&pair, CALL_ACCEPT, (uint64_t)sock), 0);
    front.count = back.count = 0;
    assert_int_equal(pair_send(&pair, (uint64_t)sock, "hello", 5), 5);
    pair_settle(&pair);
    assert_in_range(front.count, 2, TOLD_MAX);
    assert_in_range(back.count, 2, TOLD_MAX);
    for (uint32_t i = 0; i < front.count; i++)
        assert_int_equal(front.packets[i].sockid, fe_wire_id(pair.fe, (uint64_t)sock));
    for (uint32_t i = 0; i < back.count; i++)
        assert_int_equal(back.packets[i].sockid, fe_wire_id(pair.fe, (uint64_t)sock));
    pair_release(&pair, (uint64_t)sock);
    pair_release(&pair, listener);
    pair_close(&pair);
}

/* A guest that lies about its index is told both errors, and so is who looks. */
static void tells_broken(void **state)
{
    struct fe_data data;
    uint64_t token;

    open_in(*state);
    uint64_t sock = pair_connect(&pair, &token);
    assert_true(fe_data(pair.fe, sock, &data));
    shared_store(&data.area, data.out.prod, data.out.size + 1);
    assert_int_equal(pair_send(&pair, sock, "", 0), 0);
    exec_turn(pair.back, 0);
    hv_notify(pair.front_hv, fe_port(pair.fe, sock));
    pair_run(&pair);
    assert_int_equal(error_of(&back, CAPTURE_IN_ERROR), -ERR_IO);
    assert_int_equal(error_of(&back, CAPTURE_OUT_ERROR), -ERR_IO);
    pair_drop(&pair);
}

/* A front that sets an error itself tells that, too. */
static void tells_its_own_error(void **state)
{
    uint64_t token;

    front.count = back.count = 0;
    pair_open(&pair, &(struct pair_config){.dialect = *state,
                                           .front_quirks = 1u << QUIRK_OWN_ERROR,
                                           .front_capture = &front_sink});
    uint64_t sock = pair_connect(&pair, &token);
    pair_release(&pair, sock);
    pair_settle(&pair);
    assert_int_equal(error_of(&front, CAPTURE_IN_ERROR), -ERR_BADF);
    pair_close(&pair);
}

int main(void)
{
    struct CMUnitTest tests[DIALECTS_MAX * 4];
    uint32_t count = 0;

    for (uint32_t i = 0; dialect_at(i); i++) {
        void *dialect = (void *)(uintptr_t)dialect_at(i);
        tests[count++] = (struct CMUnitTest){"tells all", tells_all, NULL, NULL, dialect};
        tests[count++] = (struct CMUnitTest){"tells whose", tells_whose, NULL, NULL, dialect};
        tests[count++] =
            (struct CMUnitTest){"tells its own", tells_its_own_error, NULL, NULL, dialect};
        tests[count++] = (struct CMUnitTest){"tells broken", tells_broken, NULL, NULL, dialect};
    }
    return _cmocka_run_group_tests("capture", tests, count, NULL, NULL);
}
