/*
 * The machine of a script: the real core in an executor over hv_mem and scripted sockets, the
 * script's own domain beside it, and a clock that is a number. See steps_private.h.
 *
 * Nothing costs time: all that follows from a step happens at its moment, in turns of the executor,
 * until nothing happens any more. Whoever plays advances the clock.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/steps_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the log ---- */

void steps_log(struct steps_player *player, const char *format, ...)
{
    uint32_t at = player->line_count++ % STEPS_LINES;
    va_list args;

    player->lines[at].at_ns = player->now_ns;
    va_start(args, format);
    vsnprintf(player->lines[at].text, sizeof(player->lines[at].text), format, args);
    va_end(args);
}

struct steps_seen *steps_see(struct steps_player *player, enum steps_kind kind)
{
    if (player->seen_count == player->seen_room) {
        player->seen_room = player->seen_room ? 2 * player->seen_room : 64;
        player->seen = realloc(player->seen, player->seen_room * sizeof(*player->seen));
        assert(player->seen);
    }
    struct steps_seen *seen = &player->seen[player->seen_count++];
    *seen = (struct steps_seen){.kind = kind, .at_ns = player->now_ns};
    seen->taken = player->setting_up;
    return seen;
}

void steps_see_done(struct steps_player *player, const struct steps_seen *seen)
{
    char text[STEPS_LINE_BYTES];

    steps_say_seen(player, seen, text);
    steps_log(player, "%s", text);
}

/* ---- the core ---- */

/* What the core publishes of its state. */
static void see_states(struct steps_player *player, const struct step_out *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct act *act = &out->acts[i];
        for (uint32_t n = 0; act->kind == ACT_STORE_PUBLISH && n < act->publish.count; n++) {
            if (act->publish.nodes[n].key != DIALECT_KEY_STATE)
                continue;
            struct steps_seen *seen = steps_see(player, STEPS_BECOMES);
            seen->state =
                (enum steps_state)xenbus_parse(act->publish.nodes[n].value, XENBUS_RECONFIGURED);
            steps_see_done(player, seen);
        }
    }
}

static void core_step(void *core, const struct ev *ev, struct step_out *out)
{
    struct steps_player *player = core;

    if (player->be)
        be_step(player->be, ev, out);
    else
        fe_step(player->fe, ev, out);
    see_states(player, out);
}

static uint64_t core_deadline(const void *core)
{
    const struct steps_player *player = core;

    return player->be ? be_deadline_ns(player->be) : fe_deadline_ns(player->fe);
}

static void core_observe(void *self, const struct act *act)
{
    struct steps_player *player = self;

    if (act->kind != ACT_FAULT)
        return;
    struct steps_seen *seen = steps_see(player, STEPS_FAULT);
    seen->fault = act->fault;
    steps_see_done(player, seen);
}

static void device_path(const struct steps_player *player, uint16_t domid,
                        char path[EXEC_PATH_BYTES])
{
    snprintf(path, EXEC_PATH_BYTES,
             domid == STEPS_FRONT ? "/local/domain/1/device/%s/0"
                                  : "/local/domain/0/backend/%s/1/0",
             player->dialect->device);
}

void steps_node_write(struct steps_player *player, uint16_t domid, const char *key,
                      const char *value)
{
    struct store *store = hypervisor_store(hv_mem_tables(player->machine));
    char path[EXEC_PATH_BYTES], node[EXEC_PATH_BYTES + STEPS_WORD_BYTES];

    device_path(player, domid, path);
    snprintf(node, sizeof(node), "%s/%s", path, key);
    int ret = value[0] ? store_put(store, node, value) : store_cut(store, node);
    if (ret < 0)
        steps_fail(player, DIAG_STEP_IMPOSSIBLE, "the store refuses %s: %s", key, err_name(ret));
}

static void open_core(struct steps_player *player, const struct trace_sink *trace)
{
    const struct steps *steps = player->steps;
    bool back = steps->against == STEPS_BACKEND;
    struct exec_core core = {.core = player,
                             .step = core_step,
                             .deadline_ns = core_deadline,
                             .self = player,
                             .upcall = back ? NULL : steps_upcall,
                             .observe = core_observe,
                             .dialect = player->dialect};
    struct be_config be = {.dialect = player->dialect,
                           .policy = &player->policy,
                           .front = STEPS_FRONT,
                           .order_max =
                               steps->order_max ? steps->order_max : player->dialect->order_max,
                           .max_sockets = steps->max_sockets,
                           .quirks = steps->quirks};
    struct fe_config fe = {.dialect = player->dialect,
                           .order = player->scenario->protocol.order,
                           .max_sockets = steps->max_sockets,
                           .linger_ns = steps->linger_ns,
                           .quirks = steps->quirks};

    device_path(player, back ? STEPS_BACK : STEPS_FRONT, core.own);
    device_path(player, back ? STEPS_FRONT : STEPS_BACK, core.other);
    policy_init(&player->policy);
    core.slots = back ? be_slots(&be) : fe_slots(&fe);
    void *memory = malloc(back ? be_size(&be) : fe_size(&fe));
    assert(memory);
    player->be = back ? be_init(memory, &be) : NULL;
    player->fe = back ? NULL : fe_init(memory, &fe);
    player->net = back ? net_mem_create() : NULL;
    player->exec = exec_create(&(struct exec_config){
        .hv = player->core_hv, .net = player->net, .max_devices = 1, .trace = trace});
    assert(player->exec);
    int index = exec_add(player->exec, &core);
    assert(index == 0);
}

/* ---- what happens ---- */

static void see_port(struct steps_player *player, uint32_t port)
{
    uint64_t sockid = STEPS_COMMAND;
    bool found = port == player->port;

    for (uint32_t i = player->sock_count; !found && i-- > 0;)
        if (player->socks[i].ringed && player->socks[i].port == port) {
            sockid = player->socks[i].sockid;
            found = true;
        }
    hv_unmask(player->hv, port);
    if (!found)
        return;
    struct steps_seen *seen = steps_see(player, STEPS_NOTIFIED);
    seen->sockid = sockid;
    steps_see_done(player, seen);
}

int32_t steps_take(struct steps_player *player, enum ev_kind kind, struct ev *ev)
{
    do {
        bool any = hv_next(player->hv, ev);
        assert(any); /* hv_mem completes at once */
        if (ev->kind == EV_PORT)
            see_port(player, ev->port);
    } while (ev->kind != kind);
    return ev->ret;
}

static uint64_t moves(const struct steps_player *player)
{
    return player->moves + exec_counters(player->exec)->steps;
}

void steps_settle(struct steps_player *player)
{
    uint64_t before;
    struct ev ev;

    do {
        before = moves(player);
        exec_turn(player->exec, player->now_ns);
        while (hv_next(player->hv, &ev))
            if (ev.kind == EV_PORT)
                see_port(player, ev.port);
        if (player->net)
            steps_net_serve(player);
        steps_rings_look(player);
    } while (moves(player) != before);
}

/* ---- the handshake ---- */

static void write_number(struct steps_player *player, uint16_t domid, enum dialect_key key,
                         uint32_t number)
{
    char text[16];

    if (!player->dialect->keys[key])
        return;
    xenbus_print(text, number);
    steps_node_write(player, domid, player->dialect->keys[key], text);
}

static void write_constants(struct steps_player *player, uint16_t domid)
{
    const struct dialect_node *nodes =
        domid == STEPS_FRONT ? player->dialect->front_nodes : player->dialect->back_nodes;

    for (uint32_t i = 0; i < dialect_node_count(nodes); i++)
        steps_node_write(player, domid, player->dialect->keys[nodes[i].key], nodes[i].value);
}

static void write_state(struct steps_player *player, uint16_t domid, enum steps_state state)
{
    write_number(player, domid, DIALECT_KEY_STATE, state);
    steps_settle(player);
}

static bool offer_ring(struct steps_player *player)
{
    struct ev ev;

    if (player->page.base)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "a ring is offered already");
    hv_share(player->hv, 1, STEPS_BACK, 1);
    steps_take(player, EV_SHARE, &ev);
    player->page = ev.share.area;
    player->ring_ref = ev.share.refs[0];
    shared_store(&player->page, CMDRING_REQ_EVENT, 1);
    shared_store(&player->page, CMDRING_RSP_EVENT, 1);
    hv_port_alloc(player->hv, 2, STEPS_BACK);
    steps_take(player, EV_PORT_ALLOC, &ev);
    player->port = ev.port;
    write_number(player, STEPS_FRONT, DIALECT_KEY_RING_REF, player->ring_ref);
    write_number(player, STEPS_FRONT, DIALECT_KEY_PORT, player->port);
    return true;
}

bool steps_offer(struct steps_player *player, const struct steps_step *step)
{
    bool given = step && STEPS_GIVEN(step, order);
    uint32_t order = player->scenario->protocol.order;

    if (player->steps->against == STEPS_BACKEND) {
        if (!offer_ring(player))
            return false;
        write_number(player, STEPS_FRONT, DIALECT_KEY_ORDER, given ? step->order : order);
        write_constants(player, STEPS_FRONT);
        return true;
    }
    order = player->dialect->order_max;
    write_number(player, STEPS_BACK, DIALECT_KEY_MAX_ORDER, given ? step->order : order);
    write_constants(player, STEPS_BACK);
    return true;
}

/* A number that the front wrote; 0 if it has not. */
static uint32_t front_number(const struct steps_player *player, enum dialect_key key)
{
    char path[EXEC_PATH_BYTES], node[EXEC_PATH_BYTES + STEPS_WORD_BYTES];

    device_path(player, STEPS_FRONT, path);
    snprintf(node, sizeof(node), "%s/%s", path, player->dialect->keys[key]);
    const char *text = store_text(hypervisor_store(hv_mem_tables(player->machine)), node);
    return text ? (uint32_t)xenbus_parse(text, UINT32_MAX) : 0;
}

bool steps_attach(struct steps_player *player)
{
    struct ev ev;

    player->ring_ref = front_number(player, DIALECT_KEY_RING_REF);
    hv_map(player->hv, 1, STEPS_FRONT, &player->ring_ref, 1);
    if (player->page.base || steps_take(player, EV_MAP, &ev) < 0)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "there is no ring that could be mapped");
    player->page = ev.share.area;
    hv_port_bind(player->hv, 2, STEPS_FRONT, front_number(player, DIALECT_KEY_PORT));
    if (steps_take(player, EV_PORT_BIND, &ev) < 0)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "there is no port that could be bound");
    player->port = ev.port;
    while (hv_next(player->hv, &ev)) /* it is born pending, which means nothing */
        if (ev.kind == EV_PORT)
            hv_unmask(player->hv, ev.port);
    return true;
}

static void connect_front(struct steps_player *player)
{
    steps_offer(player, NULL);
    write_state(player, STEPS_FRONT, STEPS_STATE_INITIALISED);
    write_state(player, STEPS_FRONT, STEPS_STATE_CONNECTED);
}

static void connect_back(struct steps_player *player)
{
    steps_offer(player, NULL);
    write_state(player, STEPS_BACK, STEPS_STATE_INITWAIT);
    if (steps_attach(player))
        write_state(player, STEPS_BACK, STEPS_STATE_CONNECTED);
}

static void connect(struct steps_player *player)
{
    bool back = player->steps->against == STEPS_BACKEND;

    if (back)
        connect_front(player);
    else
        connect_back(player);
    steps_settle(player);
    if ((back ? be_state(player->be) : fe_state(player->fe)) != XENBUS_CONNECTED)
        steps_fail(
            player, DIAG_STEP_IMPOSSIBLE,
            "this driver has not come to be connected: 'connected: false' lets a script see");
    player->setting_up = false;
    player->line_count = 0;
}

bool steps_world_open(struct steps_player *player, const struct trace_sink *trace)
{
    bool back = player->steps->against == STEPS_BACKEND;

    player->machine = hv_mem_create(&(struct hypervisor_config){0});
    if (!player->machine)
        return false;
    struct hv *back_hv = hv_mem_domain(player->machine, STEPS_BACK);
    struct hv *front_hv = hv_mem_domain(player->machine, STEPS_FRONT);
    int ret = hypervisor_device_add(hv_mem_tables(player->machine), player->dialect->device,
                                    STEPS_FRONT, STEPS_BACK, 0);
    assert(ret == 0);
    player->hv = back ? front_hv : back_hv;
    player->core_hv = back ? back_hv : front_hv;
    player->setting_up = player->steps->connected;
    open_core(player, trace);
    exec_post(player->exec, 0, EV_START);
    steps_settle(player);
    if (player->steps->connected)
        connect(player);
    return true;
}

void steps_world_close(struct steps_player *player)
{
    exec_destroy(player->exec);
    if (player->net)
        steps_net_close(player);
    hv_close(player->core_hv);
    hv_close(player->hv);
    hv_mem_destroy(player->machine);
    free(player->be);
    free(player->fe);
    free(player->seen);
}
