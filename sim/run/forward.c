/*
 * Connections joined to sockets. See forward.h.
 *
 * Invariants:
 * - A pair has a token of the program's side from its accept or connect to EV_NET_CLOSE, and a
 *   socket of the frontend from its call to DONE(RELEASE), or to the failure that ends either; it
 *   is freed when it has neither.
 * - Each that was accepted was joined, or is counted as refused at its end.
 * - A flow's bytes between `from` and `to` are on their way; nothing is read before they are gone.
 * - In `held` are those whose program has ended and whose peer is silent, who is due next first.
 * - A slot has one pair at a time: the frontend gives the slot that is free for longest, and has as
 *   many as there are pairs and listeners, so the last DONE of a socket comes before the next one.
 */
#include "sim/run/forward_private.h"

#include <stdlib.h>

enum {
    TAKEN_MAX = 256,    /* completions a turn: the executor's work must go on */
    SERVICE_SHARE = 50, /* of hold_ns: what the end of a service is held */
    RETRY_NS = 1 << 27, /* until an accept that failed for want of descriptors is tried again */
};

uint32_t forward_sockets(uint32_t max_connections, const struct forward_rule *rules,
                         uint32_t rule_count)
{
    bool door = false;

    for (uint32_t i = 0; i < rule_count; i++)
        door |= rules[i].kind == FORWARD_SOCKS;
    return max_connections + rule_count * (FORWARD_ACCEPTS + 1) + (door ? FORWARD_BINDS : 0);
}

/* ---- calls of the frontend ---- */

struct step_out *forward_begin(struct forward *forward)
{
    return exec_call(forward->config.exec, forward->now_ns);
}

int64_t forward_end(struct forward *forward, uint8_t call, uint64_t sock, int64_t ret)
{
    exec_call_was(forward->config.exec, &(struct exec_call){call, sock, 0, ret});
    exec_call_end(forward->config.exec, forward->config.device);
    return ret;
}

int64_t forward_end_io(struct pair *pair, uint8_t call, uint32_t bytes, int64_t ret)
{
    struct forward *forward = pair->forward;

    exec_call_was(forward->config.exec, &(struct exec_call){call, pair->sock, bytes, ret});
    exec_call_end(forward->config.exec, forward->config.device);
    return ret;
}

static const struct forward_rule *rule_of(const struct pair *pair)
{
    return &pair->forward->config.rules[pair->rule];
}

/* ---- pairs ---- */

struct pair *forward_pair_take(struct forward *forward, uint32_t rule)
{
    struct pair *pair = forward->idle;

    if (!pair)
        return NULL;
    if (!pair->up.bytes)
        pair->up.bytes = malloc(2 * FORWARD_FLOW_BYTES);
    if (!pair->up.bytes)
        return NULL;
    DL_DELETE(forward->idle, pair);
    forward->in_use++;
    *pair = (struct pair){.forward = forward,
                          .rule = rule,
                          .number = pair->number,
                          .up.bytes = pair->up.bytes,
                          .down.bytes = pair->up.bytes + FORWARD_FLOW_BYTES};
    return pair;
}

void forward_pair_give(struct pair *pair)
{
    DL_PREPEND(pair->forward->idle, pair);
    pair->forward->in_use--;
}

/* Where there is little room, another rule has it first each time. */
static void accept_more(struct forward *forward)
{
    uint32_t count = forward->config.rule_count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t rule = (forward->first_rule + i) % count;
        if (forward->config.rules[rule].kind != FORWARD_REMOTE)
            forward_accept_local(forward, rule);
        else
            forward_accept_remote(forward, rule);
    }
    forward->first_rule = (forward->first_rule + 1) % count;
}

static void count_in(struct pair *pair)
{
    struct forward_counters *counters = &pair->forward->counters;

    pair->counted = true;
    counters->accepted++;
    counters->now++;
    counters->most = counters->now > counters->most ? counters->now : counters->most;
    if (counters->now > pair->forward->config.max_connections && pair->forward->held)
        forward_give_up_held(pair->forward);
}

void forward_give_if_over(struct pair *pair)
{
    if (pair->named || pair->socketed || pair->listens)
        return;
    pair->forward->counters.now -= pair->counted ? 1u : 0u;
    pair->forward->counters.refused += pair->counted && !pair->joined ? 1u : 0u;
    forward_pair_give(pair);
    accept_more(pair->forward);
}

void forward_unhold(struct pair *pair)
{
    if (pair->held) {
        DL_DELETE(pair->forward->held, pair);
        pair->forward->held_count--;
    }
    pair->held = false;
}

void forward_retry(struct forward *forward)
{
    forward->retry_ns = forward->now_ns + RETRY_NS;
}

void forward_adopt(struct pair *pair, uint64_t sock)
{
    assert(!pair->forward->by_slot[step_slot(sock)]);
    pair->sock = sock;
    pair->socketed = true;
    pair->forward->by_slot[step_slot(sock)] = pair;
}

void forward_disown(struct pair *pair)
{
    pair->forward->by_slot[step_slot(pair->sock)] = NULL;
    pair->socketed = pair->outside = false;
}

/* ---- ends ---- */

static void leave_program(struct pair *pair, bool reset)
{
    if (!pair->named || pair->closing)
        return;
    pair->closing = true;
    pair->inside = false;
    if (reset)
        net_reset(pair->forward->config.net, forward_token_of(pair));
    else
        net_close(pair->forward->config.net, forward_token_of(pair));
}

void forward_leave_guest(struct pair *pair, bool reset)
{
    struct forward *forward = pair->forward;

    if (!pair->socketed)
        return;
    if (!pair->leaving) {
        pair->leaving = true;
        pair->outside = false;
        int ret = fe_release(forward->config.fe, pair->sock, forward_begin(forward));
        forward_end(forward, CALL_RELEASE, pair->sock, ret);
        pair->dead = ret < 0;
    }
    if (!reset || pair->dead)
        return;
    fe_linger_end(forward->config.fe, pair->sock, forward_begin(forward)); /* if it lingers */
    exec_call_end(forward->config.exec, forward->config.device);
}

void forward_finish(struct pair *pair, bool reset)
{
    forward_unhold(pair);
    forward_time_end(pair);
    forward_connect_drop(pair);
    forward_bind_end(pair);
    forward_talk_end(pair);
    leave_program(pair, reset);
    forward_leave_guest(pair, reset);
    forward_give_if_over(pair);
}

void forward_broken(struct pair *pair)
{
    pair->forward->counters.resets += pair->joined ? 1u : 0u;
    forward_finish(pair, true);
}

/* Services close, as a rule, and do not listen on: their ends are due soon. */
void forward_hold(struct pair *pair)
{
    struct forward *forward = pair->forward;
    bool service = rule_of(pair)->kind == FORWARD_REMOTE;

    assert(!pair->held);
    pair->held = true;
    pair->due_ns = forward->now_ns + forward->config.hold_ns / (service ? SERVICE_SHARE : 1);
    struct pair *at = forward->held ? forward->held->prev : NULL;
    while (at && at->due_ns > pair->due_ns)
        at = at == forward->held ? NULL : at->prev;
    if (at)
        DL_APPEND_ELEM(forward->held, at, pair);
    else
        DL_PREPEND(forward->held, pair);
    forward->held_count++;
    if (forward->counters.now + forward->waiting >= forward->config.max_connections)
        accept_more(forward); /* who comes now can have its room */
}

void forward_give_up_held(struct forward *forward)
{
    if (forward->held->up.failed) {
        forward_broken(forward->held);
        return;
    }
    forward->counters.held_out++;
    forward_finish(forward->held, false);
}

/* ---- what the program's side completes ---- */

/* Both sides are there. */
void forward_joined(struct pair *pair)
{
    pair->joined = true;
    pair->forward->counters.joined++;
    forward_pump_up(pair);
    forward_pump_down(pair);
}

static void connect_guest(struct pair *pair)
{
    forward_pump_up(pair); /* its first bytes may wait for the target, no more than a buffer */
    forward_time_begin(pair, TIME_CONNECT);
    forward_connect(pair, &rule_of(pair)->target);
}

static void accept_done(struct pair *pair, int32_t ret)
{
    struct forward *forward = pair->forward;
    uint32_t rule = pair->rule;

    forward->rules[rule].accepts--;
    forward->waiting--;
    if (ret < 0) {
        pair->named = pair->closing; /* EV_NET_CLOSE follows */
        forward_retry(forward);
        if (!pair->named)
            forward_pair_give(pair);
        return;
    }
    count_in(pair);
    pair->inside = !pair->closing;
    forward_accept_local(forward, rule);
    if (!pair->inside)
        return;
    if (forward->lost)
        forward_finish(pair, true);
    else if (rule_of(pair)->kind == FORWARD_SOCKS)
        forward_talk_begin(pair);
    else
        connect_guest(pair);
}

static void program_connected(struct pair *pair, int32_t ret)
{
    if (ret < 0 && !pair->closing)
        pair->named = false;
    if (pair->closing)
        return;
    pair->inside = ret == 0;
    forward_time_end(pair);
    if (ret < 0)
        forward_finish(pair, true);
    else if (pair->outside)
        forward_joined(pair);
}

static void pair_completed(struct pair *pair, const struct ev *ev)
{
    switch ((int)ev->kind) {
    case EV_NET_ACCEPT: accept_done(pair, ev->ret); return;
    case EV_NET_CONNECT: program_connected(pair, ev->ret); return;
    case EV_NET_READ: forward_read_done(pair, ev->ret); return;
    case EV_NET_WRITE: forward_write_done(pair, ev->ret); return;
    case EV_NET_CLOSE:
        pair->named = pair->closing = false;
        forward_give_if_over(pair);
        return;
    }
    assert(!"an operation of the program's side that is never asked for");
}

/* ---- what the frontend tells ---- */

static void accepted(struct pair *pair, int32_t ret)
{
    struct forward *forward = pair->forward;

    if (rule_of(pair)->kind == FORWARD_SOCKS) {
        forward_bind_accepted(pair, ret);
        return;
    }
    forward->rules[pair->rule].accepts--;
    forward->waiting--;
    if (ret < 0) {
        forward_retry(forward);
        if (!pair->leaving) {
            forward_disown(pair);
            forward_pair_give(pair);
        }
        return;
    }
    count_in(pair);
    if (pair->leaving)
        return; /* DONE(RELEASE) follows */
    pair->outside = pair->named = true;
    forward_time_begin(pair, TIME_CONNECT);
    net_connect(forward->config.net, forward_token_of(pair), &rule_of(pair)->target);
    forward_accept_remote(forward, pair->rule);
}

static void socket_gone(struct pair *pair)
{
    forward_disown(pair);
    pair->leaving = pair->dead = false;
    if (!forward_connect_released(pair))
        forward_give_if_over(pair);
}

static void call_done(struct forward *forward, const struct act_done *done)
{
    struct pair *pair = forward->by_slot[step_slot(done->sock)];
    uint32_t rule = forward_rule_of_listener(forward, done->sock);

    if (rule < forward->config.rule_count) {
        forward_listener_done(forward, rule, done);
    } else if (pair && pair->listens && pair->listener == done->sock) {
        forward_bind_done(pair, done);
    } else if (!pair || !pair->socketed || pair->sock != done->sock) {
        return;
    } else {
        bool gone = pair->dead || done->call == CALL_RELEASE;
        if (done->call == CALL_ACCEPT)
            accepted(pair, done->ret);
        else if (done->call == CALL_CONNECT)
            forward_connect_done(pair, done->ret);
        if (gone)
            socket_gone(pair);
    }
}

static void ready(struct forward *forward, uint64_t sock, bool readable)
{
    struct pair *pair = forward->by_slot[step_slot(sock)];

    if (!pair || !pair->socketed || pair->sock != sock)
        return;
    if (readable)
        forward_pump_down(pair);
    else
        forward_pump_up(pair);
}

static void device_up(struct forward *forward)
{
    struct fe_look look;

    forward->lost = false;
    fe_look(forward->config.fe, &look);
    forward->connects_max = forward_connect_room(forward, look.slots);
    for (uint32_t i = 0; i < forward->config.rule_count; i++)
        if (forward->config.rules[i].kind == FORWARD_REMOTE && !forward->stopped)
            forward_bind_remote(forward, i);
    accept_more(forward);
}

static bool has_part_of_guest(const struct pair *pair)
{
    return pair->connect.state == CONNECT_QUEUED || (pair->socketed && !pair->leaving) ||
           (pair->listens && !pair->unlistening);
}

/* Every socket has failed: each connection ends with an error, and those to come until it is up
 * again do. */
static void device_gone(struct forward *forward)
{
    forward->lost = true;
    for (uint32_t i = 0; i < forward->config.rule_count; i++)
        if (forward->config.rules[i].kind == FORWARD_REMOTE)
            forward_unbind_remote(forward, i);
    for (uint32_t i = 0; i < forward->pair_count; i++)
        if (forward->pairs[i].named && has_part_of_guest(&forward->pairs[i]))
            forward_broken(&forward->pairs[i]);
    accept_more(forward);
}

bool forward_owns(const struct forward *forward, uint64_t sock)
{
    const struct pair *pair = forward->by_slot[step_slot(sock)];
    bool owns = pair && (pair->sock == sock || (pair->listens && pair->listener == sock));

    for (uint32_t i = 0; i < forward->config.rule_count && !owns; i++)
        owns = forward->config.rules[i].kind == FORWARD_REMOTE && forward->rules[i].sock == sock;
    return owns;
}

void forward_upcall(struct forward *forward, const struct act *act)
{
    forward->now_ns =
        forward_begin(forward)->now_ns; /* an empty call: it asks for the turn's time */
    exec_call_end(forward->config.exec, forward->config.device);
    switch ((int)act->kind) {
    case ACT_UP: device_up(forward); return;
    case ACT_GONE: device_gone(forward); return;
    case ACT_DONE: call_done(forward, &act->done); return;
    case ACT_READABLE: ready(forward, act->done.sock, true); return;
    case ACT_WRITABLE: ready(forward, act->done.sock, false); return;
    }
}

/* ---- the whole ---- */

static void completed(struct forward *forward, const struct ev *ev)
{
    if (ev->token & forward_listener_token)
        forward_listener_completed(forward, (uint32_t)ev->token, ev);
    else
        pair_completed(&forward->pairs[ev->token], ev);
}

uint64_t forward_turned(struct forward *forward, uint64_t now_ns)
{
    uint64_t due_ns = STEP_NEVER;
    struct ev ev;

    forward->now_ns = now_ns;
    for (int i = 0; i < TAKEN_MAX; i++) {
        if (!net_next(forward->config.net, &ev))
            break;
        completed(forward, &ev);
        due_ns = i == TAKEN_MAX - 1 ? now_ns : due_ns;
    }
    while (forward->held && now_ns >= forward->held->due_ns)
        forward_give_up_held(forward);
    if (forward->retry_ns != 0 && now_ns >= forward->retry_ns) {
        forward->retry_ns = 0;
        accept_more(forward);
    }
    if (forward->held && forward->held->due_ns < due_ns)
        due_ns = forward->held->due_ns;
    if (forward->retry_ns != 0 && forward->retry_ns < due_ns)
        due_ns = forward->retry_ns;
    uint64_t expires_ns = forward_time_turned(forward);
    uint64_t turned_ns = forward_connect_turned(forward);
    due_ns = expires_ns < due_ns ? expires_ns : due_ns;
    return turned_ns < due_ns ? turned_ns : due_ns;
}

void forward_stop(struct forward *forward, bool reset)
{
    forward->stopped = true;
    for (uint32_t i = 0; i < forward->pair_count; i++)
        if (forward->pairs[i].named || forward->pairs[i].socketed)
            forward_finish(&forward->pairs[i], reset);
    for (uint32_t i = 0; i < forward->config.rule_count; i++) {
        if (forward->config.rules[i].kind == FORWARD_REMOTE)
            forward_unbind_remote(forward, i);
        else if (forward->rules[i].named)
            net_close(forward->config.net, forward_listener_token | i);
        forward->rules[i].listening = forward->rules[i].named = false;
    }
}

bool forward_over(const struct forward *forward)
{
    return forward->stopped && forward->in_use == 0;
}

const struct forward_counters *forward_counters(const struct forward *forward)
{
    return &forward->counters;
}

struct forward *forward_create(const struct forward_config *config)
{
    struct forward *forward = calloc(1, sizeof(*forward));
    uint32_t own = forward_sockets(config->max_connections, config->rules, config->rule_count);
    uint32_t sockets = config->sockets ? config->sockets : own;

    assert(config->rule_count >= 1 && config->rule_count <= FORWARD_RULES_MAX && sockets >= own);
    if (!forward)
        return NULL;
    forward->config = *config;
    forward->connects_max = 2;
    forward->pair_count = config->max_connections + config->rule_count * FORWARD_ACCEPTS;
    forward->pairs = calloc(forward->pair_count, sizeof(*forward->pairs));
    forward->by_slot = calloc(sockets, sizeof(struct pair *));
    if (!forward->pairs || !forward->by_slot) {
        forward_destroy(forward);
        return NULL;
    }
    for (uint32_t i = forward->pair_count; i-- > 0;) {
        forward->pairs[i].number = i;
        DL_PREPEND(forward->idle, &forward->pairs[i]);
    }
    for (uint32_t i = 0; i < config->rule_count; i++)
        if (config->rules[i].kind != FORWARD_REMOTE)
            forward_bind_local(forward, i);
    return forward;
}

void forward_destroy(struct forward *forward)
{
    for (uint32_t i = 0; forward->pairs && i < forward->pair_count; i++) {
        forward_talk_end(&forward->pairs[i]);
        free(forward->pairs[i].up.bytes);
    }
    free(forward->pairs);
    free(forward->by_slot);
    free(forward);
}
