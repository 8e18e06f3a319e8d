/*
 * One handler a call: it checks the private copy and either says the answer or makes the request
 * something that will be answered (`LATER`). Only be_call hands verdicts to be_reply.
 * A call without a handler here does not compile.
 * Source: protocol.md 1.3 and 7 (2, 3, 5, 7, 22, 27).
 */
#include "backend/be_private.h"

#define LATER 1 /* a verdict beside 0 and -ERR_* */
#define BACKLOG_MAX 65535u

static struct be_request request_of(const struct call *call)
{
    return (struct be_request){true, call->id, call->code, call->sockid};
}

/* Errors of an address: its form, then where policy lets this guest go. */
static int32_t address_verdict(struct be *be, const struct call *call)
{
    int32_t ret = call_addr_check(&call->addr);

    if (ret == 0 && !policy_allows(be->config.policy, &call->addr)) {
        be->counters.refused++;
        ret = -ERR_ACCES;
    }
    return ret;
}

/* A slot for a new id of the guest's; NULL with *ret set. */
static struct be_sock *new_sock(struct be *be, uint64_t id, int32_t *ret)
{
    struct be_sock *sock = be_sock_find(be, id) ? NULL : be_sock_new(be, id);

    if (!sock)
        *ret = be_sock_find(be, id) ? -ERR_EXIST : -ERR_MFILE;
    return sock;
}

/* The slot of a socket to connect or bind: made before, or new, for a SOCKET need not be sent
 * (Linux's backend remembers nothing of one). NULL with *ret set. */
static struct be_sock *active_sock(struct be *be, uint64_t id, int32_t *ret)
{
    struct be_sock *sock = be_sock_find(be, id);
    bool made = sock && sock->state == BE_SOCK_MADE;

    return made ? sock : new_sock(be, id, ret);
}

static struct be_sock *listener_of(struct be *be, uint64_t id)
{
    struct be_sock *sock = be_sock_find(be, id);

    return sock && sock->state == BE_SOCK_LISTENING && !sock->closing ? sock : NULL;
}

static int32_t handle_CONNECT(struct be *be, const struct call *call, struct step_out *out)
{
    int32_t ret = address_verdict(be, call);
    struct be_sock *sock = ret < 0 ? NULL : active_sock(be, call->sockid, &ret);

    if (!sock)
        return ret;
    sock->call = request_of(call);
    sock->addr = call->addr;
    be_sock_map(be, sock, call, out);
    be_poll_room_taken(be, out);
    return LATER;
}

static int32_t handle_BIND(struct be *be, const struct call *call, struct step_out *out)
{
    int32_t ret = address_verdict(be, call);
    struct be_sock *sock = ret < 0 ? NULL : active_sock(be, call->sockid, &ret);

    if (!sock)
        return ret;
    sock->call = request_of(call);
    be_sock_set(be, sock, BE_SOCK_BINDING, out);
    step_act(out, ACT_NET_BIND, be_sock_token(be, sock))->net.addr = call->addr;
    return LATER;
}

static uint32_t backlog_of(const struct be *be, const struct call *call)
{
    uint32_t preset = be->config.dialect->backlog; /* 0: the wire has a field */

    if (preset == 0)
        return call->backlog < BACKLOG_MAX ? call->backlog : BACKLOG_MAX;
    return be->config.backlog > 0 ? be->config.backlog : preset;
}

static int32_t handle_LISTEN(struct be *be, const struct call *call, struct step_out *out)
{
    struct be_sock *sock = be_sock_find(be, call->sockid);

    if (!sock || sock->closing)
        return -ERR_INVAL;
    if (sock->state == BE_SOCK_LISTENING)
        return 0; /* as POSIX: once more does no harm */
    if (sock->state != BE_SOCK_BOUND)
        return -ERR_INVAL;
    sock->call = request_of(call);
    be_sock_set(be, sock, BE_SOCK_STARTING, out);
    step_act(out, ACT_NET_LISTEN, be_sock_token(be, sock))->net.backlog = backlog_of(be, call);
    return LATER;
}

static int32_t handle_ACCEPT(struct be *be, const struct call *call, struct step_out *out)
{
    struct be_sock *listener = listener_of(be, call->sockid);
    int32_t ret = -ERR_INVAL;
    struct be_sock *sock = listener ? new_sock(be, call->new_sockid, &ret) : NULL;

    if (!sock)
        return ret;
    sock->call = request_of(call);
    sock->parent = be_slot(be, listener);
    be_poll_news(be, listener);
    be_poll_park(be, listener, out);
    be_sock_map(be, sock, call, out);
    return LATER;
}

static int32_t handle_POLL(struct be *be, const struct call *call, struct step_out *out)
{
    struct be_sock *listener = listener_of(be, call->sockid);
    struct be_poll *poll = be->polls;

    if (!listener)
        return -ERR_INVAL;
    while (poll < be->polls + CMDRING_SIZE_MAX && (poll->call.pending || poll->closing))
        poll++;
    if (poll == be->polls + CMDRING_SIZE_MAX)
        return -ERR_MFILE; /* answered ones that still close count too */
    poll->generation = (poll->generation + 1) & STEP_GENERATION_MASK;
    poll->call = request_of(call);
    poll->listener = be_slot(be, listener);
    poll->yields_ns = STEP_NEVER;
    be_poll_again(be, listener);
    be_poll_park(be, listener, out);
    be->live++;
    step_act(out, ACT_NET_POLL, be_poll_token(be, poll))->net.listener =
        be_sock_token(be, listener);
    return LATER;
}

static int32_t handle_RELEASE(struct be *be, const struct call *call, struct step_out *out)
{
    struct be_sock *sock = be_sock_find(be, call->sockid);

    if (!sock || sock->release.pending)
        return sock ? -ERR_INVAL : be->config.dialect->stranger;
    sock->release = request_of(call);
    be_sock_close(be, sock, -ERR_CONNABORTED, out);
    return LATER;
}

/* Nothing of the host's is taken: the address, which says what is to be opened, comes later. */
static int32_t handle_SOCKET(struct be *be, const struct call *call, struct step_out *out)
{
    int32_t ret = 0;
    bool stream = call->type == CALL_SOCK_STREAM && call->protocol == 0;
    bool inet = call->family == CALL_AF_INET || call->family == CALL_AF_INET6;
    struct be_sock *sock = stream && inet ? new_sock(be, call->sockid, &ret) : NULL;

    if (!sock)
        return ret < 0 ? ret : -ERR_NOTSUP;
    sock->made = true;
    be_sock_set(be, sock, BE_SOCK_MADE, out);
    return 0;
}

void be_call(struct be *be, const struct call *call, struct step_out *out)
{
    static int32_t (*const handlers[CALL_KINDS])(struct be *, const struct call *,
                                                 struct step_out *) = {
#define X(name) [CALL_##name] = handle_##name,
        CALL_LIST(X)
#undef X
    };
    struct be_request request = request_of(call);

    be->connects += call->kind == CALL_CONNECT ? 1u : 0u;
    int32_t verdict = call->kind == CALL_KINDS ? -ERR_NOTSUP : handlers[call->kind](be, call, out);

    if (verdict != LATER)
        be_reply(be, &request, verdict);
}
