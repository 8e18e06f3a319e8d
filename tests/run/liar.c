/*
 * liar RUNTIME DOMID STRANGER DIALECT PORT: a guest that lies, as a process of its own, to a
 * backend that is one too. Connects as domain DOMID and tells domain 0 the lies of support/lies.h,
 * but for those that need to be told between two steps of the backend; one of its sockets is good,
 * and goes to 127.0.0.1:PORT. As STRANGER it is another domain, whose numbers are not its own.
 * Without arguments: the dialects of the registry.
 * Exit code 0: each lie was answered as it should be, and the backend let go of everything. What
 * the backend and the hypervisor still hold is for whoever starts this to see (test_liar.sh).
 */
#include "tests/support/lies.h"

#include "sim/hv/hv_emu.h"
#include "tests/support/emu_machine.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 20000, ORDER = 2, LISTENER = 2000, GOOD = 1000, KEY_TOKEN = 30 };

static struct emu_loop loops[2];
static struct hv *domains[2]; /* the liar's, the stranger's */
static struct rogue front, stranger;
static struct rogue_data good, strange;
static struct lies lies;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "liar: %s\n", what);
    exit(1);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void serve(struct emu_loop *loop, struct hv *hv)
{
    int ready[EMU_LOOP_FDS];
    uint32_t count = 0;

    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->fds[i].revents != 0)
            ready[count++] = loop->fds[i].fd;
    for (uint32_t i = 0; i < count; i++)
        hv_emu_ready(hv, ready[i]);
    if (hv_emu_lost(hv))
        fail("the hypervisor has gone");
}

static void wait_for(struct rogue *rogue)
{
    uint32_t which = rogue->hv == domains[0] ? 0 : 1;

    if (poll(loops[which].fds, loops[which].count, PATIENCE_MS) <= 0)
        fail("no answer");
    serve(&loops[which], domains[which]);
}

static void path_of(bool back, const char *key, char path[HV_PATH_BYTES])
{
    const char *device = front.dialect->device;
    uint32_t domid = front.hv->domid;
    const char *form = back ? "/local/domain/0/backend/%s/%u/0/%s" : "%s";

    if (back)
        snprintf(path, HV_PATH_BYTES, form, device, domid, key);
    else
        snprintf(path, HV_PATH_BYTES, "/local/domain/%u/device/%s/0/%s", domid, device, key);
}

/* A number of the backend's; -1: there is none. */
static int64_t read_back(enum dialect_key key)
{
    const struct hv_tag tag = {STEP_OTHER, key, 0};
    char path[HV_PATH_BYTES];
    struct ev ev;

    path_of(true, front.dialect->keys[key], path);
    hv_store_read(front.hv, KEY_TOKEN, &tag, path);
    do {
        while (!hv_next(front.hv, &ev))
            wait_for(&front);
        if (ev.kind == EV_PORT)
            hv_unmask(front.hv, ev.port);
    } while (ev.kind != EV_STORE_READ);
    return ev.ret < 0 ? -1 : xenbus_parse(ev.store.value, UINT32_MAX);
}

static void await_state(enum xenbus_state state)
{
    struct ev ev;

    while (read_back(DIALECT_KEY_STATE) != (int64_t)state)
        while (!hv_next(front.hv, &ev)) /* of the watch */
            wait_for(&front);
}

/* ---- the device ------------------------------------------------------------------------------ */

static void add_node(struct hv_node *nodes, uint32_t *count, const char *key, const char *value)
{
    path_of(false, key, nodes[*count].path);
    snprintf(nodes[(*count)++].value, STEP_VALUE_BYTES, "%s", value);
}

static void publish(const struct hv_node *nodes, uint32_t count)
{
    struct ev ev;

    hv_store_publish(front.hv, KEY_TOKEN, nodes, count);
    rogue_take(&front, EV_STORE_PUBLISH, &ev);
}

static void publish_state(const char *state)
{
    struct hv_node node;
    uint32_t count = 0;

    add_node(&node, &count, "state", state);
    publish(&node, count);
}

static void offer(void)
{
    const struct dialect *dialect = front.dialect;
    const struct dialect_node *constants = dialect->front_nodes;
    struct hv_node nodes[HV_PUBLISH_MAX];
    char number[16];
    uint32_t count = 0;

    rogue_front_ring(&front);
    xenbus_print(number, front.ring_ref);
    add_node(nodes, &count, dialect->keys[DIALECT_KEY_RING_REF], number);
    xenbus_print(number, front.port);
    add_node(nodes, &count, dialect->keys[DIALECT_KEY_PORT], number);
    xenbus_print(number, front.order);
    if (dialect->keys[DIALECT_KEY_ORDER])
        add_node(nodes, &count, dialect->keys[DIALECT_KEY_ORDER], number);
    for (uint32_t i = 0; i < dialect_node_count(constants); i++)
        add_node(nodes, &count, dialect->keys[constants[i].key], constants[i].value);
    add_node(nodes, &count, "state", "3");
    publish(nodes, count);
}

static void connect_device(void)
{
    const struct hv_tag tag = {STEP_OTHER, DIALECT_KEY_STATE, 0};
    char path[HV_PATH_BYTES];
    struct ev ev;

    path_of(true, "state", path);
    hv_store_watch(front.hv, KEY_TOKEN, &tag, path);
    rogue_take(&front, EV_STORE_WATCH, &ev);
    await_state(XENBUS_INITWAIT);
    lies.order_most = (uint32_t)read_back(DIALECT_KEY_MAX_ORDER);
    offer();
    await_state(XENBUS_CONNECTED);
    publish_state("4");
}

/* ---- requests -------------------------------------------------------------------------------- */

/* What was given or taken back before has reached the hypervisor: it answers in order. */
static int32_t ask(struct lies *self, const struct call *call)
{
    struct call_reply reply;
    struct ev ev;

    (void)self;
    read_back(DIALECT_KEY_STATE);
    rogue_store(&front, CMDRING_RSP_EVENT, front.cons + 1);
    rogue_put(&front, call);
    hv_notify(front.hv, front.port);
    while (!rogue_reply(&front, &reply)) {
        while (!hv_next(front.hv, &ev))
            wait_for(&front);
        if (ev.kind == EV_PORT)
            hv_unmask(front.hv, ev.port);
    }
    if (reply.id != call->id || reply.sockid != call->sockid)
        fail("another's answer");
    return reply.ret;
}

static void open_sockets(uint16_t port)
{
    struct call call;

    rogue_share(&front, &good);
    call = rogue_connect(1, GOOD, &good);
    call.addr = pair_addr(port);
    if (ask(&lies, &call) != 0)
        fail("the good socket does not connect");
    call = (struct call){.id = 2, .kind = CALL_BIND, .sockid = LISTENER, .addr = pair_addr(0)};
    int32_t ret = ask(&lies, &call);
    call.kind = CALL_LISTEN;
    if (ret != 0 || ask(&lies, &call) != 0)
        fail("nothing listens");
}

static uint32_t tell_all(void)
{
    const struct lie *lie;
    uint32_t told = 0, wrong = lies_of_ids(&lies);

    for (uint32_t i = 0; (lie = lies_at(i)); i++) {
        for (enum lies_way way = 0; way < LIES_WAYS; way++) {
            if (!lies_can(&lies, lie, way))
                continue;
            told++;
            if (lies_tell(&lies, lie, way))
                continue;
            wrong++;
            fprintf(stderr, "liar: %s: not answered as it should be\n", lie->name);
        }
    }
    printf("%s: %u lies, %u answered otherwise\n", front.dialect->name, told, wrong);
    return wrong;
}

static void leave(void)
{
    const uint64_t ids[] = {GOOD, LISTENER};

    for (uint32_t i = 0; i < 2; i++)
        if (ask(&lies, &(struct call){.id = 7, .kind = CALL_RELEASE, .sockid = ids[i]}) != 0)
            fail("a release is refused");
    publish_state("6");
    await_state(XENBUS_CLOSED);
    hv_close(domains[0]);
    hv_close(domains[1]);
}

/* ---- who it is ------------------------------------------------------------------------------- */

static void join(const char *runtime, uint32_t which, const char *domid, struct rogue *rogue)
{
    int error;

    emu_loop_init(&loops[which]);
    domains[which] = hv_emu_open(runtime, (uint16_t)strtoul(domid, NULL, 10), &loops[which].hv,
                                 PATIENCE_MS, &error);
    if (!domains[which])
        fail(err_name(error));
    *rogue = (struct rogue){.wait = wait_for, .hv = domains[which], .order = ORDER};
}

/* Numbers that the liar itself never has: behind those of many pages and ports. */
static void be_strange(void)
{
    struct ev ev;

    stranger.order = stranger.dialect->order_max;
    rogue_share(&stranger, &strange);
    for (uint32_t i = 0; i < 40; i++) {
        hv_port_alloc(stranger.hv, 9, PAIR_BACK);
        rogue_take(&stranger, EV_PORT_ALLOC, &ev);
        lies.strange_port = ev.port;
    }
    lies.stranger = stranger.hv->domid;
    lies.strange_ref = strange.refs[0] + 40;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        for (uint32_t i = 0; argc == 1 && dialect_at(i); i++)
            puts(dialect_at(i)->name);
        return argc == 1 ? 0 : 2;
    }
    join(argv[1], 0, argv[2], &front);
    join(argv[1], 1, argv[3], &stranger);
    front.dialect = stranger.dialect = dialect_find(argv[4]);
    if (!front.dialect)
        fail("no such dialect");
    be_strange();
    connect_device();
    lies.front = &front;
    lies.good = GOOD;
    lies.listener = LISTENER;
    lies.ask = ask;
    open_sockets((uint16_t)strtoul(argv[5], NULL, 10));
    lies.good_port = good.port;
    uint32_t wrong = tell_all();
    leave();
    return wrong > 0;
}
