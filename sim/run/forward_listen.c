/*
 * Where connections come from: listeners beside the guest and on the backend's side. See forward.c.
 */
#include "ringlib/err.h"
#include "sim/run/forward_private.h"

static void tell_listening(struct forward *forward, uint32_t rule, int32_t ret)
{
    forward->rules[rule].listening = ret == 0;
    if (forward->config.listening)
        forward->config.listening(forward->config.self, rule, ret);
}

void forward_listener_completed(struct forward *forward, uint32_t rule, const struct ev *ev)
{
    if (forward->stopped)
        return;
    if (ev->kind == EV_NET_BIND)
        forward->rules[rule].named = ev->ret == 0;
    if (ev->kind == EV_NET_BIND && ev->ret == 0)
        net_listen(forward->config.net, ev->token, FORWARD_BACKLOG);
    else if (ev->kind == EV_NET_BIND || ev->kind == EV_NET_LISTEN)
        tell_listening(forward, rule, ev->ret);
    if (ev->kind == EV_NET_LISTEN && ev->ret == 0)
        forward_accept_local(forward, rule);
}

/* ---- beside the guest ---- */

void forward_bind_local(struct forward *forward, uint32_t rule)
{
    forward->rules[rule].named = true;
    net_bind(forward->config.net, forward_listener_token | rule,
             &forward->config.rules[rule].listen);
}

/* For those who are there and those who may come at any time, or as soon as somebody does: one that
 * is held is given up for it then. */
static bool has_room(const struct forward *forward)
{
    return forward->counters.now + forward->waiting <
           forward->config.max_connections + forward->held_count;
}

void forward_accept_local(struct forward *forward, uint32_t rule)
{
    struct rule *own = &forward->rules[rule];
    bool taken = fe_is_up(forward->config.fe) || forward->lost;

    if (!own->listening || own->accepts > 0 || !taken || forward->stopped || !has_room(forward))
        return;
    struct pair *pair = forward_pair_take(forward, rule);
    if (!pair) {
        forward_retry(forward);
        return;
    }
    own->accepts++;
    forward->waiting++;
    pair->named = true;
    net_accept(forward->config.net, forward_token_of(pair), forward_listener_token | rule);
}

/* ---- on the backend's side ---- */

/* Nothing to tell: its next UP binds again. */
static bool device_goes(int32_t ret)
{
    return ret == -ERR_NOTCONN || ret == -ERR_CONNRESET || ret == -ERR_CONNABORTED;
}

void forward_bind_remote(struct forward *forward, uint32_t rule)
{
    int64_t ret = forward_end(
        forward, CALL_BIND, 0,
        fe_bind(forward->config.fe, &forward->config.rules[rule].listen, forward_begin(forward)));

    forward->rules[rule].bound = ret >= 0;
    forward->rules[rule].sock = ret >= 0 ? (uint64_t)ret : 0;
    if (ret < 0 && !device_goes((int32_t)ret))
        tell_listening(forward, rule, (int32_t)ret);
}

static uint32_t remotes(const struct forward *forward)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < forward->config.rule_count; i++)
        count += forward->config.rules[i].kind == FORWARD_REMOTE ? 1u : 0u;
    return count;
}

/* Each accept that waits has a slot of the command ring, which nobody else has meanwhile: a single
 * rule keeps FORWARD_ACCEPTS, of so many rules each keeps one. More of them poll, and accept when
 * there is somebody: polls make room for each other. */
static bool polls(const struct forward *forward)
{
    return remotes(forward) > FORWARD_ACCEPTS;
}

uint32_t forward_connect_room(const struct forward *forward, uint32_t slots)
{
    uint32_t count = remotes(forward);

    if (polls(forward))
        return (slots - 1) / 2;
    return slots - 1 - (count == 1 ? FORWARD_ACCEPTS : count);
}

static bool accept_one(struct forward *forward, uint32_t rule)
{
    struct rule *own = &forward->rules[rule];
    struct pair *pair = forward_pair_take(forward, rule);

    if (!pair) {
        forward_retry(forward);
        return false;
    }
    int64_t ret = forward_end(forward, CALL_ACCEPT, own->sock,
                              fe_accept(forward->config.fe, own->sock, forward_begin(forward)));
    if (ret < 0) {
        forward_pair_give(pair);
        return false;
    }
    own->accepts++;
    forward->waiting++;
    forward_adopt(pair, (uint64_t)ret);
    return true;
}

static void poll(struct forward *forward, uint32_t rule)
{
    struct rule *own = &forward->rules[rule];

    if (own->polling)
        return;
    int ret = fe_poll(forward->config.fe, own->sock, forward_begin(forward));
    forward_end(forward, CALL_POLL, own->sock, ret);
    own->polling = ret == 0;
}

/* As many as may wait, or as there is room for. */
void forward_accept_remote(struct forward *forward, uint32_t rule)
{
    struct rule *own = &forward->rules[rule];
    uint32_t most = remotes(forward) == 1 ? FORWARD_ACCEPTS : 1;

    while (own->listening && own->accepts < most && !forward->stopped && has_room(forward)) {
        if (polls(forward)) {
            poll(forward, rule);
            return;
        }
        if (!accept_one(forward, rule))
            return;
    }
}

/* Somebody is there; if there is no room any more, it is asked for again when there is. */
static void polled(struct forward *forward, uint32_t rule, int32_t ret)
{
    struct rule *own = &forward->rules[rule];

    own->polling = false;
    if (!own->listening || forward->stopped || device_goes(ret))
        return;
    if (ret < 0)
        forward_retry(forward);
    else if (own->accepts == 0 && has_room(forward))
        accept_one(forward, rule);
}

uint32_t forward_rule_of_listener(const struct forward *forward, uint64_t sock)
{
    uint32_t rule = 0;

    while (rule < forward->config.rule_count &&
           (!forward->rules[rule].bound || forward->rules[rule].sock != sock))
        rule++;
    return rule;
}

/* The device went, or the forwarding ends. */
void forward_unbind_remote(struct forward *forward, uint32_t rule)
{
    struct rule *own = &forward->rules[rule];

    own->listening = false;
    if (!own->bound)
        return;
    own->bound = false;
    int ret = fe_release(forward->config.fe, own->sock, forward_begin(forward));
    forward_end(forward, CALL_RELEASE, own->sock, ret);
}

void forward_listener_done(struct forward *forward, uint32_t rule, const struct act_done *done)
{
    if (done->call == CALL_BIND && done->ret == 0) {
        int ret = fe_listen(forward->config.fe, done->sock, forward_begin(forward));
        forward_end(forward, CALL_LISTEN, done->sock, ret);
        return;
    }
    if (done->call == CALL_POLL) {
        polled(forward, rule, done->ret);
        return;
    }
    /* an id that could not be bound, or went with the device, is dead */
    forward->rules[rule].bound = done->call == CALL_LISTEN && done->ret != -ERR_CONNRESET;
    if (!device_goes(done->ret))
        tell_listening(forward, rule, done->ret);
    forward_accept_remote(forward, rule);
}
