/*
 * Each core fed event by event, without seams and without the other core: completions come in an
 * order that hv_mem never has, and what a step does is seen before anything of it is carried out.
 * Memory is three pages of the test's own: the command ring, and a data ring of order 1.
 */
#include "backend/be.h"
#include "frontend/fe.h"
#include "ringlib/cmdring.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SLOT_BYTES = 312, RING_PORT = 9, DATA_PORT = 10, DATA_PAGES = 2, RING_REF = 8 };

static alignas(SHARED_PAGE_BYTES) unsigned char memory[(1 + DATA_PAGES) * SHARED_PAGE_BYTES];
static const struct shared_area page = {(struct shared_memory *)(void *)memory, 1};
static const struct shared_area data = {
    (struct shared_memory *)(void *)(memory + SHARED_PAGE_BYTES), DATA_PAGES};
static const uint32_t refs[DATA_PAGES] = {RING_REF, RING_REF + 1};

static const uint64_t device = (uint64_t)STEP_SLOT_DEVICE; /* token of device 0 */
static struct step_out out;
static struct policy policy;
static struct be *be;
static struct fe *fe;
static struct cmdring_front guest; /* the test's, against the backend */
static struct cmdring_back host;   /* against the frontend */

static int set_up(void **state)
{
    struct be_config be_config = {.dialect = &dialect_xensock1,
                                  .policy = &policy,
                                  .front = 1,
                                  .order_max = 6,
                                  .max_sockets = 4};
    struct fe_config fe_config = {.dialect = &dialect_xensock1, .order = 1, .max_sockets = 4};

    (void)state;
    memset(memory, 0, sizeof(memory));
    policy_init(&policy);
    be = malloc(be_size(&be_config));
    fe = malloc(fe_size(&fe_config));
    if (!be || !fe)
        return -1;
    be_init(be, &be_config);
    fe_init(fe, &fe_config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(be);
    free(fe);
    return 0;
}

/* ---- events and actions ---------------------------------------------------------------------- */

static void feed(const struct ev *ev)
{
    out.count = 0;
    out.more = false;
    if (be)
        be_step(be, ev, &out);
    else
        fe_step(fe, ev, &out);
    assert_false(out.more);
}

static void only_back(void)
{
    free(fe);
    fe = NULL;
}

static void only_front(void)
{
    free(be);
    be = NULL;
}

/* How many actions of a kind the last step gave, and the last of them. */
static uint32_t acts(enum act_kind kind, struct act *last)
{
    uint32_t count = 0;
    uint32_t at = STEP_ACTS;

    for (uint32_t i = 0; i < out.count; i++) {
        if (out.acts[i].kind != kind)
            continue;
        count++;
        at = i;
    }
    if (last)
        *last = at < STEP_ACTS ? out.acts[at] : (struct act){0};
    return count;
}

static void done(enum ev_kind kind, uint64_t token)
{
    feed(&(struct ev){.kind = kind, .token = token});
}

static void done_port(enum ev_kind kind, uint64_t token, uint32_t port)
{
    feed(&(struct ev){.kind = kind, .token = token, .port = port});
}

static void done_area(enum ev_kind kind, uint64_t token, const struct shared_area *area)
{
    feed(&(struct ev){.kind = kind, .token = token, .share = {.area = *area, .refs = refs}});
}

static void node_changed(enum step_side side, enum dialect_key key)
{
    feed(&(struct ev){.kind = EV_STORE, .token = device, .store = {.side = side, .key = key}});
}

/* The node as it was read; NULL: there is none. */
static void node_read(enum step_side side, enum dialect_key key, const char *value)
{
    struct ev ev = {.kind = EV_STORE_READ,
                    .ret = value ? 0 : -ERR_NOENT,
                    .token = device,
                    .store = {.side = side, .key = key}};

    if (value)
        snprintf(ev.store.value, sizeof(ev.store.value), "%s", value);
    feed(&ev);
}

static void state_becomes(const char *digit)
{
    node_changed(STEP_OTHER, DIALECT_KEY_STATE);
    node_read(STEP_OTHER, DIALECT_KEY_STATE, digit);
}

/* ---- the backend ----------------------------------------------------------------------------- */

static void ask(const struct call *call)
{
    unsigned char slot[SLOT_BYTES];

    dialect_pack_call(&dialect_xensock1, call, slot);
    cmdring_front_put(&guest, slot);
    cmdring_front_push(&guest);
}

static uint32_t replies(void)
{
    return shared_load(&page, CMDRING_RSP_PROD);
}

/* To where ring and port are asked for. */
static void back_begins(void)
{
    only_back();
    cmdring_front_init(&guest, &page, SLOT_BYTES);
    done(EV_START, device);
    done(EV_STORE_PUBLISH, device);
    done(EV_STORE_WATCH, device);
    state_becomes("3");
    node_read(STEP_OTHER, DIALECT_KEY_RING_REF, "8");
    node_read(STEP_OTHER, DIALECT_KEY_PORT, "5");
    node_read(STEP_OTHER, DIALECT_KEY_ORDER, "1");
    assert_int_equal(acts(ACT_MAP, NULL), 1);
    assert_int_equal(acts(ACT_PORT_BIND, NULL), 1);
}

static void back_connects(void)
{
    back_begins();
    done_area(EV_MAP, device, &page);
    done_port(EV_PORT_BIND, device, RING_PORT);
    assert_int_equal(be_state(be), XENBUS_CONNECTED);
    done(EV_STORE_PUBLISH, device);
}

/* The only notification comes before the ring is mapped: nobody will notify again. */
static void requests_before_the_ring_is_mapped_are_seen(void **state)
{
    struct be_look look;

    (void)state;
    back_begins();
    ask(&(struct call){.kind = CALL_POLL, .sockid = 5});
    done_port(EV_PORT_BIND, device, RING_PORT);
    done_port(EV_PORT, device, RING_PORT);
    be_look(be, &look);
    assert_int_equal(look.port, 0); /* not connected */
    done_area(EV_MAP, device, &page);
    assert_int_equal(replies(), 1);
    be_look(be, &look);
    assert_int_equal(look.req_cons, 1);
    assert_int_equal(look.rsp_prod, 1);
    assert_int_equal(look.req_prod, 1);
    assert_int_equal(look.req_event, 2);
    assert_int_equal(look.unanswered, 0);
    assert_int_equal(look.port, RING_PORT);
}

/* What was read may be older than the change that fired meanwhile. */
static void back_reads_again_what_changed_meanwhile(void **state)
{
    (void)state;
    only_back();
    done(EV_START, device);
    done(EV_STORE_PUBLISH, device);
    done(EV_STORE_WATCH, device);
    node_changed(STEP_OTHER, DIALECT_KEY_STATE);
    assert_int_equal(acts(ACT_STORE_READ, NULL), 1);
    node_changed(STEP_OTHER, DIALECT_KEY_STATE);
    assert_int_equal(acts(ACT_STORE_READ, NULL), 0); /* one at a time */
    node_read(STEP_OTHER, DIALECT_KEY_STATE, "1");
    assert_int_equal(acts(ACT_STORE_READ, NULL), 1);
    node_read(STEP_OTHER, DIALECT_KEY_STATE, "3");
    assert_int_equal(acts(ACT_STORE_READ, NULL), 3); /* ring-ref, port, order: no state */
}

/* The socket's token; its id is 7. */
static uint64_t back_opens(void)
{
    struct call call = {
        .kind = CALL_CONNECT, .sockid = 7, .evtchn = 6, .refs = {RING_REF + 1, RING_REF + 2}};
    struct be_sock_look look;
    struct act act;

    call_addr4(&call.addr, (const uint8_t[]){127, 0, 0, 1}, 80);
    ask(&call);
    done_port(EV_PORT, device, RING_PORT);
    assert_int_equal(acts(ACT_MAP, &act), 1);
    done_area(EV_MAP, act.token, &data);
    done_port(EV_PORT_BIND, act.token, DATA_PORT);
    assert_int_equal(acts(ACT_NET_CONNECT, NULL), 1);
    assert_false(be_look_sock(be, 7, &look));
    done(EV_NET_CONNECT, act.token);
    assert_int_equal(replies(), 1);
    assert_true(be_look_sock(be, 7, &look));
    assert_true(look.reading);
    assert_false(look.writing);
    assert_int_equal(look.port, DATA_PORT);
    assert_false(be_look_sock(be, 8, &look));
    return act.token;
}

/* A reply to RELEASE says that nothing is mapped any more, so it comes last. */
static void release_is_answered_when_all_is_undone(void **state)
{
    (void)state;
    back_connects();
    uint64_t sock = back_opens();
    ask(&(struct call){.id = 1, .kind = CALL_RELEASE, .sockid = 7});
    done_port(EV_PORT, device, RING_PORT);
    assert_int_equal(acts(ACT_NET_CLOSE, NULL), 1);
    feed(&(struct ev){.kind = EV_NET_READ, .ret = -ERR_CANCELED, .token = sock});
    done(EV_NET_CLOSE, sock);
    assert_int_equal(acts(ACT_UNMAP, NULL), 1);
    assert_int_equal(acts(ACT_PORT_CLOSE, NULL), 1);
    assert_int_equal(replies(), 1);
    done(EV_UNMAP, sock);
    assert_int_equal(replies(), 1);
    done(EV_PORT_CLOSE, sock);
    assert_int_equal(replies(), 2);
    /* a port that had fired before it was closed */
    done_port(EV_PORT, sock, DATA_PORT);
    assert_int_equal(out.count, 0);
}

/* The next socket has the slot but not the token, so it is not taken for the one before. */
static void slot_of_a_released_socket_has_another_token(void **state)
{
    struct act act;

    (void)state;
    back_connects();
    uint64_t sock = back_opens();
    ask(&(struct call){.id = 1, .kind = CALL_RELEASE, .sockid = 7});
    done_port(EV_PORT, device, RING_PORT);
    feed(&(struct ev){.kind = EV_NET_READ, .ret = -ERR_CANCELED, .token = sock});
    done(EV_NET_CLOSE, sock);
    done(EV_UNMAP, sock);
    done(EV_PORT_CLOSE, sock);
    struct call call = {.id = 2, .kind = CALL_BIND, .sockid = 7};
    call_addr4(&call.addr, (const uint8_t[]){127, 0, 0, 1}, 80);
    ask(&call);
    done_port(EV_PORT, device, RING_PORT);
    assert_int_equal(acts(ACT_NET_BIND, &act), 1);
    assert_int_equal(step_slot(act.token), step_slot(sock));
    assert_int_not_equal(step_generation(act.token), step_generation(sock));
    done_port(EV_PORT, sock, DATA_PORT);
    assert_int_equal(out.count, 0);
}

/* ---- the frontend ---------------------------------------------------------------------------- */

/* To where the backend's state is watched; the toolstack writes its id late. */
static void front_finds(void)
{
    only_front();
    cmdring_back_init(&host, &page, SLOT_BYTES);
    done(EV_START, device);
    done(EV_STORE_WATCH, device);
    node_changed(STEP_OWN, DIALECT_KEY_BACKEND_ID);
    node_read(STEP_OWN, DIALECT_KEY_BACKEND_ID, NULL);
    assert_int_equal(out.count, 0);
    node_changed(STEP_OWN, DIALECT_KEY_BACKEND_ID);
    node_read(STEP_OWN, DIALECT_KEY_BACKEND_ID, "0");
    assert_int_equal(acts(ACT_STORE_WATCH, NULL), 1);
    done(EV_STORE_WATCH, device);
}

static void front_connects(void)
{
    front_finds();
    state_becomes("2");
    node_read(STEP_OTHER, DIALECT_KEY_MAX_ORDER, "6");
    done_area(EV_SHARE, device, &page);
    done_port(EV_PORT_ALLOC, device, RING_PORT);
    done(EV_STORE_PUBLISH, device);
    state_becomes("4");
    assert_int_equal(acts(ACT_UP, NULL), 1);
    done(EV_STORE_PUBLISH, device);
}

static void front_reads_again_what_changed_meanwhile(void **state)
{
    struct act act;

    (void)state;
    front_finds();
    node_changed(STEP_OTHER, DIALECT_KEY_STATE);
    assert_int_equal(acts(ACT_STORE_READ, NULL), 1);
    node_changed(STEP_OTHER, DIALECT_KEY_STATE);
    assert_int_equal(acts(ACT_STORE_READ, NULL), 0);
    node_read(STEP_OTHER, DIALECT_KEY_STATE, "1");
    assert_int_equal(acts(ACT_STORE_READ, NULL), 1);
    node_read(STEP_OTHER, DIALECT_KEY_STATE, "2");
    assert_int_equal(acts(ACT_STORE_READ, &act), 1);
    assert_int_equal(act.store.key, DIALECT_KEY_MAX_ORDER);
}

/* The backend names no largest order, and ours is not the one that then holds. Before it is blamed,
 * its state is read: what it had may have gone with it. */
static void front_doubts(void)
{
    struct act act;

    front_finds();
    state_becomes("2");
    node_read(STEP_OTHER, DIALECT_KEY_MAX_ORDER, NULL);
    assert_int_equal(acts(ACT_FAULT, NULL), 0);
    assert_int_equal(acts(ACT_STORE_READ, &act), 1);
    assert_int_equal(act.store.side, STEP_OTHER);
    assert_int_equal(act.store.key, DIALECT_KEY_STATE);
}

static void front_is_sure_that_no_order_is_named(void **state)
{
    struct act act;

    (void)state;
    front_doubts();
    node_read(STEP_OTHER, DIALECT_KEY_STATE, "2");
    assert_int_equal(acts(ACT_FAULT, &act), 1);
    assert_int_equal(act.fault.reason, FAULT_ORDER);
    assert_int_equal(act.fault.index, 1);
    assert_int_equal(act.fault.value, dialect_xensock1.order_default);
}

static void front_blames_no_backend_that_went(void **state)
{
    (void)state;
    front_doubts();
    node_read(STEP_OTHER, DIALECT_KEY_STATE, NULL);
    assert_int_equal(acts(ACT_FAULT, NULL), 0);
    assert_int_equal(acts(ACT_GONE, NULL), 1);
}

/* What was read while it changed is no answer yet. */
static void front_doubts_until_the_last_read(void **state)
{
    (void)state;
    front_doubts();
    node_changed(STEP_OTHER, DIALECT_KEY_STATE);
    node_read(STEP_OTHER, DIALECT_KEY_STATE, "2");
    assert_int_equal(acts(ACT_FAULT, NULL), 0);
    assert_int_equal(acts(ACT_STORE_READ, NULL), 1);
    node_read(STEP_OTHER, DIALECT_KEY_STATE, "6");
    assert_int_equal(acts(ACT_FAULT, NULL), 0);
    assert_int_equal(acts(ACT_GONE, NULL), 1);
}

/* A CONNECT in the ring: its socket's token, that of the device being 0 also its id. */
static uint64_t front_asks(void)
{
    struct call_addr addr;
    struct fe_look look;

    call_addr4(&addr, (const uint8_t[]){127, 0, 0, 1}, 80);
    out.count = 0;
    int64_t sock = fe_connect(fe, &addr, &out);
    assert_true(sock >= 0);
    assert_int_equal(fe_port(fe, (uint64_t)sock), 0); /* none yet */
    done_area(EV_SHARE, (uint64_t)sock, &data);
    done_port(EV_PORT_ALLOC, (uint64_t)sock, DATA_PORT);
    fe_look(fe, &look);
    assert_int_equal(look.req_prod, 1);
    assert_int_equal(look.rsp_cons, 0);
    assert_int_equal(look.rsp_prod, 0);
    assert_int_equal(look.rsp_event, 1);
    assert_int_equal(look.outstanding, 1);
    assert_int_equal(look.first, CALL_CONNECT);
    assert_int_equal(look.queued, 0);
    assert_int_equal(look.port, RING_PORT);
    assert_int_equal(look.slots, 8);
    assert_int_equal(fe_port(fe, (uint64_t)sock), DATA_PORT);
    return (uint64_t)sock;
}

static void answer(uint64_t sock)
{
    unsigned char slot[SLOT_BYTES];
    struct call_reply reply = {.code = 0, .sockid = sock};
    uint32_t claimed;

    assert_int_equal(cmdring_back_pass(&host, &claimed), 1);
    cmdring_back_get(&host, slot);
    dialect_pack_reply(&dialect_xensock1, &reply, slot);
    cmdring_back_put(&host, slot, 24);
    cmdring_back_push(&host);
}

/* The backend's only notification for the first bytes comes before the answer to CONNECT is seen.
 */
static void bytes_before_the_answer_are_told(void **state)
{
    struct dialect_ring at;
    struct fe_data look;

    (void)state;
    front_connects();
    uint64_t sock = front_asks();
    dialect_ring(&dialect_xensock1, 1, &at);
    assert_false(fe_data(fe, sock, &look));
    answer(sock);
    shared_store(&data, at.in.prod, 3);
    done_port(EV_PORT, sock, DATA_PORT);
    assert_int_equal(out.count, 0);
    done_port(EV_PORT, device, RING_PORT);
    assert_int_equal(acts(ACT_DONE, NULL), 1);
    assert_int_equal(acts(ACT_READABLE, NULL), 1);
    assert_true(fe_data(fe, sock, &look));
    assert_false(look.wants_bytes); /* it has been told */
    assert_false(look.wants_room);
    assert_int_equal(look.in.prod, at.in.prod);
    assert_false(fe_data(fe, step_token(0, 1, step_slot(sock)), &look));
    assert_false(fe_data(fe, 4, &look)); /* there is no fifth slot */
}

/* A port that fired before its socket died reaches nobody; nor has a dead socket a port. */
static void port_of_another_life_reaches_nobody(void **state)
{
    (void)state;
    front_connects();
    uint64_t sock = front_asks();
    uint64_t later = step_token(0, step_generation(sock) + 1, step_slot(sock));

    done_port(EV_PORT, later, DATA_PORT);
    assert_int_equal(out.count, 0);
    assert_int_equal(fe_port(fe, later), 0);
    assert_int_equal(fe_port(fe, 4), 0);
}

static void front_that_is_not_connected_has_nothing_to_show(void **state)
{
    struct fe_look look;

    (void)state;
    fe_look(fe, &look);
    assert_int_equal(look.slots, 0);
    assert_int_equal(look.outstanding, 0);
    assert_int_equal(look.first, CALL_KINDS);
}

int main(void)
{
#define STEPS(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STEPS(requests_before_the_ring_is_mapped_are_seen),
        STEPS(back_reads_again_what_changed_meanwhile),
        STEPS(release_is_answered_when_all_is_undone),
        STEPS(slot_of_a_released_socket_has_another_token),
        STEPS(front_reads_again_what_changed_meanwhile),
        STEPS(front_is_sure_that_no_order_is_named),
        STEPS(front_blames_no_backend_that_went),
        STEPS(front_doubts_until_the_last_read),
        STEPS(bytes_before_the_answer_are_told),
        STEPS(port_of_another_life_reaches_nobody),
        STEPS(front_that_is_not_connected_has_nothing_to_show),
    };
#undef STEPS

    return !!cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
