/*
 * One handler a call: it checks the private copy and either says the answer or makes the request
 * something that will be answered (`LATER`). Only be_call hands verdicts to be_reply.
 * A call without a handler here does not compile.
 * Source: protocol.md 1.3 and 7 (2, 3, 5, 7, 22, 27).
 */
#include "backend/be_private.h"

#define LATER 1             /* a verdict beside 0 and -ERR_* */
#define NEVER 2             /* and that of a quirk */
#define FLAG_NONBLOCK 2048u /* Linux's O_NONBLOCK, as a guest's file flags say it */
#define BACKLOG_MAX 65535u

static struct be_request request_of(const struct call *call)
{
    return (struct be_request){
        .pending = true, .id = call->id, .code = call->code, .sockid = call->sockid};
}

/* Errors of an address: its form, then where policy lets this guest go. */
static int32_t address_verdict(struct be *be, const struct call *call)
{
    int32_t ret = call_addr_check(&call->addr);

    if (be_has(be, QUIRK_INET_ONLY) && call_addr_family(&call->addr) != CALL_AF_INET)
        ret = -ERR_INVAL;
    if (ret == 0 && !policy_allows(be->config.policy, &call->addr)) {
        be->counters.refused++;
        ret = -ERR_ACCES;
    }
    return ret;
}

/* The same of the pages that a request names. */
static int32_t pages_verdict(const struct be *be, const struct call *call)
{
    return be_refs_fit(be, call->refs, be_sock_named(be), BE_NONE) ? 0 : be_refs_error(be);
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
    bool nonblock = be_has(be, QUIRK_NONBLOCK_FAILS) && (call->flags & FLAG_NONBLOCK);

    if (ret == 0)
        ret = pages_verdict(be, call);
    struct be_sock *sock = ret < 0 || nonblock ? NULL : active_sock(be, call->sockid, &ret);
    if (!sock)
        return nonblock ? -ERR_INPROGRESS : ret;
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

/* The POLLs under way, of one listener or of all (NULL). */
static uint32_t polls_of(const struct be *be, const struct be_sock *listener)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < CMDRING_SIZE_MAX; i++)
        count += be->polls[i].call.pending &&
                 (!listener || &be->socks[be->polls[i].listener] == listener);
    return count;
}

/* Whether by a quirk there is no more room for one that waits. */
static bool is_taken(const struct be *be, const struct be_sock *listener, enum call_kind kind)
{
    if (be_has(be, QUIRK_ONE_WAITER) && listener->children > 0)
        return true;
    return kind == CALL_ACCEPT && be_has(be, QUIRK_ONE_ACCEPT) && be->parked > polls_of(be, NULL);
}

static int32_t handle_ACCEPT(struct be *be, const struct call *call, struct step_out *out)
{
    struct be_sock *listener = listener_of(be, call->sockid);
    int32_t ret = listener ? pages_verdict(be, call) : -ERR_INVAL;

    if (listener && is_taken(be, listener, CALL_ACCEPT))
        return -ERR_INTR;
    struct be_sock *sock = ret < 0 ? NULL : new_sock(be, call->new_sockid, &ret);

    if (!sock)
        return ret;
    sock->call = request_of(call);
    sock->parent = be_slot(be, listener);
    be_poll_news(be, listener);
    be_poll_park(be, listener, out);
    be_sock_map(be, sock, call, out);
    return LATER;
}

/* A quirk: the POLL that waits at this listener is never answered. */
static void overtake(struct be *be, const struct be_sock *listener, struct step_out *out)
{
    for (uint32_t i = 0; i < CMDRING_SIZE_MAX; i++) {
        struct be_poll *poll = &be->polls[i];
        if (!poll->call.pending || poll->closing || &be->socks[poll->listener] != listener)
            continue;
        poll->call.forgotten = true;
        be_poll_close(be, poll, -ERR_INTR, out);
    }
}

static int32_t handle_POLL(struct be *be, const struct call *call, struct step_out *out)
{
    struct be_sock *listener = listener_of(be, call->sockid);
    struct be_poll *poll = be->polls;

    if (!listener)
        return be_has(be, QUIRK_SILENT_POLL) ? NEVER : -ERR_INVAL;
    if (is_taken(be, listener, CALL_POLL))
        return -ERR_INTR;
    if (be_has(be, QUIRK_LOST_POLL) && listener->children > polls_of(be, listener))
        return NEVER;
    if (be_has(be, QUIRK_LOST_POLL))
        overtake(be, listener, out);
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
    bool inet_only = be_has(be, QUIRK_INET_ONLY);
    bool inet = call->family == CALL_AF_INET || (call->family == CALL_AF_INET6 && !inet_only);

    if (inet_only && !(stream && inet))
        return -ERR_AFNOSUPPORT;
    if (stream && inet && be_has(be, QUIRK_UNMADE))
        return 0;
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

    if (call->kind == CALL_KINDS && be_has(be, QUIRK_NAMELESS_UNKNOWN))
        request.sockid = 0;
    be->connects += call->kind == CALL_CONNECT ? 1u : 0u;
    int32_t verdict = call->kind < CALL_KINDS            ? handlers[call->kind](be, call, out)
                      : be_has(be, QUIRK_SILENT_UNKNOWN) ? NEVER
                                                         : -ERR_NOTSUP;

    request.forgotten = verdict == NEVER;
    if (verdict != LATER)
        be_reply(be, &request, request.forgotten ? 0 : verdict);
}
