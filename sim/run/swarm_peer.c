/*
 * The other side of a swarm: one program with a socket for each connection of the plan. See
 * swarm.h.
 *
 * Tokens: connection c is CONN + c, its listener LISTENER + c. One read and one write in flight a
 * connection. In the quiet it reads everything, sends what is left, ends its stream where the guest
 * waits for that, and closes what the other side has ended.
 */
#include <stdio.h>

#include "ringlib/err.h"
#include "sim/run/swarm_private.h"

enum { CONN = 1000, LISTENER = 2000, EVENTS_MAX = 64 };

static uint64_t now(const struct swarm *swarm)
{
    return vclock_now_ns(swarm->clock);
}

static struct call_addr address(uint32_t port)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    struct call_addr addr;

    call_addr4(&addr, loopback, (uint16_t)port);
    return addr;
}

static void leave(struct swarm *swarm, struct swarm_conn *conn, bool reset)
{
    if (conn->peer.state != SWARM_OPEN)
        return;
    conn->left |= reset || !conn->peer.ended;
    conn->peer.state = SWARM_CLOSING;
    if (reset)
        net_reset(swarm->peer_net, CONN + conn->number);
    else
        net_close(swarm->peer_net, CONN + conn->number);
}

static void shut(struct swarm *swarm, struct swarm_conn *conn)
{
    conn->shut = true;
    net_shutdown(swarm->peer_net, CONN + conn->number);
}

static void post_read(struct swarm *swarm, struct swarm_conn *conn)
{
    bool paused = !swarm_is_quiet(swarm) && conn->peer.paused_ns > now(swarm);

    if (conn->reading || conn->peer.ended || paused)
        return;
    conn->reading = true;
    struct shared_iov iov = {conn->in, 1 + (size_t)prng_below(&swarm->peer_prng, sizeof(conn->in))};
    net_read(swarm->peer_net, CONN + conn->number, &iov, 1);
}

/* The number that a connection of ours opens with counts as no byte of the stream. */
static void post_write(struct swarm *swarm, struct swarm_conn *conn)
{
    uint64_t left = conn->peer.to_send - conn->peer.sent;
    uint64_t size = 1 + prng_below(&swarm->peer_prng, sizeof(conn->out));
    bool number = conn->passive && !conn->numbered;

    if (conn->writing || conn->shut || (left == 0 && !number))
        return;
    if (number) {
        size = 1;
        conn->out[0] = (uint8_t)conn->number;
    } else {
        size = size < left ? size : left;
        payload_fill(conn->key_down, conn->peer.sent, conn->out, (size_t)size);
        conn->peer.sent += size; /* as far as the guest may see */
    }
    conn->writing = true;
    conn->writing_bytes = number ? 0 : (uint32_t)size;
    struct shared_iov iov = {conn->out, (size_t)size};
    net_write(swarm->peer_net, CONN + conn->number, &iov, 1);
}

static void pump(struct swarm *swarm, struct swarm_conn *conn)
{
    bool quiet = swarm_is_quiet(swarm);

    if (conn->peer.state != SWARM_OPEN)
        return;
    post_read(swarm, conn);
    post_write(swarm, conn);
    bool sent = !conn->writing && conn->peer.sent == conn->peer.to_send;
    if (sent && !conn->shut && (conn->to_shut || (quiet && conn->patient)))
        shut(swarm, conn);
    if (conn->peer.ended && (sent || conn->shut))
        leave(swarm, conn, false);
}

/* ---- completions ---- */

static void opened(struct swarm *swarm, struct swarm_conn *conn, int32_t ret)
{
    conn->peer.state = ret == 0 ? SWARM_OPEN : SWARM_OVER;
    pump(swarm, conn);
}

static void received(struct swarm *swarm, struct swarm_conn *conn, int32_t ret)
{
    conn->reading = false;
    if (ret < 0) {
        conn->left |= ret != -ERR_CANCELED;
        leave(swarm, conn, false);
        return;
    }
    if (ret == 0)
        conn->peer.ended = true;
    ptrdiff_t wrong = payload_check(conn->key_up, conn->peer.received, conn->in, (size_t)ret);
    uint64_t offset = conn->peer.received;
    conn->peer.received += (uint64_t)ret;
    swarm->progress += (uint64_t)ret;
    if (conn->peer.received > conn->front.sent)
        swarm_fail(swarm, "byte from nowhere",
                   "connection %u: the peer received %llu bytes, the guest sent %llu", conn->number,
                   (unsigned long long)conn->peer.received, (unsigned long long)conn->front.sent);
    if (wrong >= 0) {
        offset += (uint64_t)wrong;
        swarm_fail(swarm, "wrong byte",
                   "connection %u: the peer received a wrong byte at offset %llu", conn->number,
                   (unsigned long long)offset);
    }
    pump(swarm, conn);
}

static void written(struct swarm *swarm, struct swarm_conn *conn, int32_t ret)
{
    conn->writing = false;
    if (ret < 0) {
        conn->left |= ret != -ERR_CANCELED;
        conn->peer.to_send = conn->peer.sent;
        leave(swarm, conn, false);
        return;
    }
    conn->numbered |= conn->passive && conn->writing_bytes == 0;
    if (conn->writing_bytes > 0) /* what was not taken goes again */
        conn->peer.sent -= conn->writing_bytes - (uint32_t)ret;
    swarm->progress += (uint64_t)ret;
    pump(swarm, conn);
}

static void completed(struct swarm *swarm, const struct ev *ev)
{
    bool listener = ev->token >= LISTENER;
    struct swarm_conn *conn = &swarm->conns[(ev->token - CONN) % 1000];

    switch (ev->kind) {
    case EV_NET_BIND: net_listen(swarm->peer_net, ev->token, 8); return;
    case EV_NET_LISTEN: net_accept(swarm->peer_net, CONN + conn->number, ev->token); return;
    case EV_NET_ACCEPT:
    case EV_NET_CONNECT: opened(swarm, conn, ev->ret); return;
    case EV_NET_READ: received(swarm, conn, ev->ret); return;
    case EV_NET_WRITE: written(swarm, conn, ev->ret); return;
    case EV_NET_CLOSE:
        if (!listener)
            conn->peer.state = SWARM_OVER;
        return;
    default: assert(!"a completion of the peer's own operations");
    }
}

/* ---- events of the plan ---- */

static void do_op(struct swarm *swarm, const struct swarm_op *op)
{
    struct swarm_conn *conn = &swarm->conns[op->conn % SWARM_CONNS];

    switch (op->kind) {
    case SWARM_CALL:
        if (conn->peer.state == SWARM_NONE) {
            struct call_addr addr = address(SWARM_PORT_GUEST + conn->guest);
            conn->peer.state = SWARM_OPENING;
            net_connect(swarm->peer_net, CONN + conn->number, &addr);
        }
        return;
    case SWARM_PEER_SEND: conn->peer.to_send += conn->to_shut ? 0 : op->amount; break;
    case SWARM_PEER_PAUSE: conn->peer.paused_ns = op->at_ns + op->amount; break;
    case SWARM_PEER_SHUT: conn->to_shut = true; break;
    case SWARM_PEER_CLOSE: leave(swarm, conn, false); break;
    case SWARM_PEER_RESET: leave(swarm, conn, true); break;
    case SWARM_CONNECT:
    case SWARM_LISTEN:
    case SWARM_ACCEPT:
    case SWARM_POLL:
    case SWARM_GUEST_SEND:
    case SWARM_GUEST_PAUSE:
    case SWARM_RELEASE:
    case SWARM_LINK:
    case SWARM_STALL:
    case SWARM_DELAY:
    case SWARM_KIND_COUNT: return;
    }
    pump(swarm, conn);
}

static bool is_own(enum swarm_kind kind)
{
    return kind == SWARM_CALL || kind == SWARM_PEER_SEND || kind == SWARM_PEER_PAUSE ||
           kind == SWARM_PEER_SHUT || kind == SWARM_PEER_CLOSE || kind == SWARM_PEER_RESET;
}

/* When it is to be run again at the latest. */
static uint64_t do_due(struct swarm *swarm)
{
    const struct swarm_plan *plan = swarm->plan;
    uint64_t due_ns = now(swarm) < plan->rest_ns ? plan->rest_ns : VCLOCK_NEVER;

    for (; swarm->peer_next_op < plan->op_count; swarm->peer_next_op++) {
        const struct swarm_op *op = &plan->ops[swarm->peer_next_op];
        if (!is_own(op->kind) || !swarm_kept(swarm, swarm->peer_next_op))
            continue;
        if (op->at_ns > now(swarm))
            return op->at_ns < due_ns ? op->at_ns : due_ns;
        do_op(swarm, op);
    }
    return due_ns;
}

static bool run(void *self, uint64_t now_ns)
{
    struct swarm *swarm = self;
    struct ev ev;
    uint32_t taken = 0;

    vcpu_charge(swarm->peer_vcpu, COST_TURN, 1);
    while (taken < EVENTS_MAX && net_next(swarm->peer_net, &ev)) {
        completed(swarm, &ev);
        taken++;
    }
    uint64_t due_ns = do_due(swarm);
    for (uint32_t i = 0; i < SWARM_CONNS; i++) {
        struct swarm_conn *conn = &swarm->conns[i];
        uint64_t paused_ns = conn->peer.paused_ns;
        if (paused_ns > now_ns && !swarm_is_quiet(swarm))
            due_ns = paused_ns < due_ns ? paused_ns : due_ns;
        else
            pump(swarm, conn);
    }
    if (due_ns != VCLOCK_NEVER &&
        (swarm->peer_armed_ns <= now_ns || due_ns < swarm->peer_armed_ns)) {
        swarm->peer_armed_ns = due_ns;
        vcpu_wake(swarm->peer_vcpu, due_ns);
    }
    return taken == EVENTS_MAX;
}

void swarm_peer_wake(struct swarm *swarm)
{
    vcpu_wake(swarm->peer_vcpu, now(swarm));
}

bool swarm_peer_over(const struct swarm *swarm)
{
    for (uint32_t i = 0; i < SWARM_CONNS; i++)
        if (swarm->conns[i].peer.state == SWARM_OPEN ||
            swarm->conns[i].peer.state == SWARM_CLOSING ||
            (swarm->conns[i].passive && swarm->conns[i].peer.state == SWARM_OPENING))
            return false;
    return true;
}

void swarm_peer_open(struct swarm *swarm)
{
    swarm->peer_vcpu = vcpu_add(
        swarm->vcpus, &(struct vcpu_config){.name = "peer", .cpu = -1, .self = swarm, .run = run});
    struct net_virtual_host_config host = {
        .name = "peer", .who = TRACE_PEER_BASE, .vcpu = swarm->peer_vcpu};
    swarm->peer_net = net_virtual_host(swarm->world, &host);
    prng_init(&swarm->peer_prng, swarm->config.seed, "peer", 7);
    for (uint32_t i = 0; i < SWARM_CONNS; i++) {
        struct call_addr addr = address(SWARM_PORT_PEER + i);
        if (swarm->conns[i].passive || swarm->plan->refused[i])
            continue;
        swarm->conns[i].peer.state = SWARM_OPENING;
        net_bind(swarm->peer_net, LISTENER + i, &addr);
    }
    swarm_peer_wake(swarm);
}
