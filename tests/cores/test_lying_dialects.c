/*
 * A front that lies about memory, ports and ids, in every dialect there is. After each lie nothing
 * of it is left at the backend, whose other socket of this front and other guest are served.
 *
 * Which lies, and what they are answered: support/lies.h. An order that is told in the store, for
 * all rings of a device: fault ORDER, and no ring is mapped. What changes between two reads of a
 * page: test_lying_hooked, test_pvcalls_hooked; the same lies between processes: run/test_liar.
 */
#include "tests/support/lies.h"
#include "tests/support/witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ORDER_MAX = 2, STRANGER = 7, LISTENER = 2000, GOOD = 1000 };

static struct pair pair;
static struct rogue front, stranger;
static struct rogue_data good, strange;
static struct witness witness;
static struct lies lies;
static uint64_t good_token;
static uint32_t good_bytes, maps_left, revoked;
static void (*real_map)(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs,
                        uint32_t count);

/* ---- the world ------------------------------------------------------------------------------- */

/* The back's map, before which the front may take back what it granted. */
static void map(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs, uint32_t count)
{
    if (maps_left > 0 && --maps_left == 0)
        hv_unshare(front.hv, 3, revoked);
    real_map(hv, token, domid, refs, count);
}

static void revoke(struct lies *self, uint32_t map_count, const struct rogue_data *data)
{
    (void)self;
    maps_left = map_count;
    revoked = data->handle;
}

static int32_t ask(struct lies *self, const struct call *call)
{
    struct call_reply reply = {.ret = 1};

    (void)self;
    rogue_put(&front, call);
    rogue_kick(&front);
    rogue_reply(&front, &reply);
    return reply.ret;
}

static int32_t ask_settled(const struct call *call)
{
    struct call_reply reply = {.ret = 1};

    rogue_put(&front, call);
    rogue_kick(&front);
    pair_settle(&pair);
    rogue_reply(&front, &reply);
    return reply.ret;
}

static void open_sockets(void)
{
    struct call call = rogue_connect(1, GOOD, &good);
    struct call_reply reply;

    assert_int_equal(ask(&lies, &call), 1);
    good_token = pair_pending(&pair, EV_NET_CONNECT);
    assert_true(net_mem_complete(pair.net, EV_NET_CONNECT, good_token, 0, NULL));
    pair_run(&pair);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    call = (struct call){.id = 2, .kind = CALL_BIND, .sockid = LISTENER, .addr = pair_addr(7000)};
    assert_int_equal(ask_settled(&call), 0);
    call.kind = CALL_LISTEN;
    assert_int_equal(ask_settled(&call), 0);
}

/* All the orders of draft 1's rings are one, told in the store: the others' are each ring's. */
static void open_world(const struct dialect *dialect)
{
    rogue_front_open_in(&front, &pair, dialect, ORDER_MAX);
    witness_open(&witness, &pair);
    stranger = (struct rogue){.pair = &pair, .dialect = dialect, .order = dialect->order_max};
    stranger.hv = hv_mem_domain(pair.machine, STRANGER);
    rogue_share(&stranger, &strange); /* many: its numbers are none of the front's */
    for (uint32_t i = 0; i < 40; i++) {
        struct ev ev;
        hv_port_alloc(stranger.hv, 9, PAIR_BACK);
        rogue_take(&stranger, EV_PORT_ALLOC, &ev);
        lies.strange_port = ev.port;
    }
    rogue_share(&front, &good);
    good_bytes = 0;
    open_sockets();
    lies.front = &front;
    lies.order_most = dialect->index.pages > 0 ? ORDER_MAX : dialect->order_max;
    lies.good = GOOD;
    lies.listener = LISTENER;
    lies.good_port = good.port;
    lies.stranger = STRANGER;
    lies.strange_ref = strange.refs[0] + 40;
    lies.revoke = revoke;
    lies.ask = ask;
    real_map = pair.back_ops.map;
    pair.back_ops.map = map;
}

static void close_world(void)
{
    witness_close(&witness);
    hv_close(stranger.hv);
    rogue_front_close(&front);
}

/* The front's other socket and the other guest carry bytes, and nobody is called broken. */
static void assert_served(void)
{
    uint64_t written;

    shared_fill(&good.data, good.at.out.array + good_bytes, "w", 1);
    shared_store(&good.area, good.at.out.prod, ++good_bytes);
    hv_notify(pair.front_hv, good.port);
    pair_settle(&pair);
    assert_int_equal(net_mem_written(pair.net, good_token, &written)[good_bytes - 1], 'w');
    assert_int_equal(written, good_bytes);
    witness_check(&witness);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    assert_int_equal(pair.back_fault_count, 0);
}

/* ---- the cells ------------------------------------------------------------------------------- */

/* What lies made and gave away themselves stays the front's: the backend has as much as before, and
 * nothing is kept from being used again. */
static void assert_told(const struct lie *lie, enum lies_way way)
{
    struct pair_usage before, after;
    uint32_t sockets = be_counters(pair.be)->sockets_now;

    pair_usage(&pair, &before);
    assert_true(lies_tell(&lies, lie, way));
    pair_usage(&pair, &after);
    assert_int_equal(maps_left, 0);
    assert_memory_equal(&before.back, &after.back, sizeof(before.back));
    assert_int_equal(before.mapped_pages, after.mapped_pages);
    assert_int_equal(before.net_sockets, after.net_sockets);
    assert_int_equal(after.front.grants_quarantined, 0);
    assert_int_equal(be_counters(pair.be)->sockets_now, sockets);
    assert_served();
}

static void lies_in_each_dialect(void **state)
{
    const struct dialect *dialect;
    const struct lie *lie;

    (void)state;
    for (uint32_t i = 0; (dialect = dialect_at(i)); i++) {
        open_world(dialect);
        for (uint32_t k = 0; (lie = lies_at(k)); k++) {
            printf("%s: %s\n", dialect->name, lie->name);
            for (enum lies_way way = 0; way < LIES_WAYS; way++)
                if (lies_can(&lies, lie, way))
                    assert_told(lie, way);
        }
        assert_int_equal(lies_of_ids(&lies), 0);
        assert_served();
        close_world();
    }
}

/* Refs in any order are a ring's, if none stands twice: of the largest ring, and of each that is
 * one exchange away from it. */
static void any_order_of_refs(void **state)
{
    struct rogue_data data;
    const struct dialect *dialect;
    uint32_t random = 1;

    (void)state;
    lies.front = &front;
    for (uint32_t i = 0; (dialect = dialect_at(i)); i++) {
        rogue_front_open_in(&front, &pair, dialect, dialect->order_max);
        rogue_share(&front, &data);
        for (uint32_t round = 0; round < 20; round++) {
            struct lies_told told = {.data = data, .call = rogue_connect(1, 5, &data)};
            uint32_t refs[DIALECT_PAGES_MAX], pages = data.at.pages;
            for (uint32_t k = 0; k < pages; k++) {
                random = random * 1664525 + 1013904223;
                uint32_t other = round == 0 ? k : (random >> 8) % (k + 1);
                refs[k] = refs[other];
                refs[other] = lies_ref(&lies, &told, k);
            }
            uint32_t twice = (random >> 16) % (pages - 1);
            if (round % 2)
                refs[twice] = refs[pages - 1];
            for (uint32_t k = 0; k < pages; k++)
                lies_set_ref(&lies, &told, k, refs[k]);
            assert_int_equal(ask_settled(&told.call), round % 2 ? -ERR_INVAL : 0);
            ask(&lies, &(struct call){.id = 2, .kind = CALL_RELEASE, .sockid = 5});
        }
        rogue_front_close(&front);
    }
}

/* Where a device has one order for all of its rings, that is refused before anything is mapped. */
static void orders_of_devices(void **state)
{
    const struct dialect *dialect;

    (void)state;
    for (uint32_t i = 0; (dialect = dialect_at(i)); i++) {
        char beyond[16];
        xenbus_print(beyond, dialect->order_max + 1);
        const char *orders[] = {"0", beyond, "31", "2147483648"};
        for (uint32_t k = 0; dialect->keys[DIALECT_KEY_ORDER] && k < 4; k++) {
            pair_open(&pair, &(struct pair_config){.no_front = true, .dialect = dialect});
            pair_write(&pair, PAIR_FRONT, dialect->keys[DIALECT_KEY_RING_REF], "8");
            pair_write(&pair, PAIR_FRONT, dialect->keys[DIALECT_KEY_PORT], "1");
            pair_write(&pair, PAIR_FRONT, dialect->keys[DIALECT_KEY_ORDER], orders[k]);
            pair_write(&pair, PAIR_FRONT, "state", "3");
            pair_run(&pair);
            assert_int_equal(pair.back_fault_count, 1);
            assert_int_equal(pair.back_faults[0].reason, FAULT_ORDER);
            assert_string_equal(pair.back_states, "25");
            assert_int_equal(pair.back_hv->counters.maps, 0);
            assert_int_equal(pair.back_hv->counters.ports_opened, 0);
            pair_write(&pair, PAIR_FRONT, "state", "6");
            pair_close(&pair);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_in_each_dialect),
        cmocka_unit_test(any_order_of_refs),
        cmocka_unit_test(orders_of_devices),
    };

    return !!cmocka_run_group_tests_name("lying_dialects", tests, NULL, NULL);
}
