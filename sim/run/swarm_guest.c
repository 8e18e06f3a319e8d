/*
 * A guest of a swarm: does what the plan says, and what follows from it. See swarm.h.
 *
 * Calls are made within turns only. What an upcall or an event of the plan changes about a
 * connection is followed by pump(), which receives, sends and, in the end, releases.
 */
#include <stdlib.h>

#include "ringlib/err.h"
#include "sim/run/swarm_private.h"

#define LINGER_NS UINT64_C(3600000000000) /* more than swarm.c waits for progress */

enum { CHUNK_BYTES = 2048, RUNS_MAX = 64 };

static struct step_out *call(struct swarm_guest *guest)
{
    return exec_call(guest->core.config.exec, vclock_now_ns(guest->swarm->clock));
}

static int64_t called(struct swarm_guest *guest, const struct exec_call *what)
{
    exec_call_was(guest->core.config.exec, what);
    exec_call_end(guest->core.config.exec, guest->core.index);
    return what->ret;
}

struct swarm_conn *swarm_guest_conn(struct swarm_guest *guest, uint64_t sock)
{
    for (uint32_t i = 0; i < SWARM_CONNS; i++) {
        struct swarm_conn *conn = &guest->swarm->conns[i];
        bool live = conn->front.state == SWARM_OPENING || conn->front.state == SWARM_OPEN ||
                    conn->front.state == SWARM_CLOSING;
        if (live && conn->guest == guest->number && conn->sock == sock)
            return conn;
    }
    return NULL;
}

static void release_sock(struct swarm_guest *guest, uint64_t sock)
{
    int ret = fe_release(guest->core.fe, sock, call(guest));

    called(guest, &(struct exec_call){CALL_RELEASE, sock, 0, ret});
    if (ret < 0)
        swarm_fail(guest->swarm, "refused call", "a release of a live socket gave %s",
                   err_name(ret));
}

static void release(struct swarm_guest *guest, struct swarm_conn *conn)
{
    if (conn->front.state != SWARM_OPENING && conn->front.state != SWARM_OPEN)
        return;
    conn->left |= !conn->front.ended || conn->front.sent < conn->front.to_send;
    conn->port = conn->front.state == SWARM_OPEN ? fe_port(guest->core.fe, conn->sock) : 0;
    conn->front.state = SWARM_CLOSING;
    release_sock(guest, conn->sock);
}

/* ---- bytes ---- */

static void received(struct swarm_guest *guest, struct swarm_conn *conn, const uint8_t *bytes,
                     size_t count)
{
    ptrdiff_t wrong = payload_check(conn->key_down, conn->front.received, bytes, count);
    uint64_t offset = conn->front.received;

    conn->front.received += count;
    if (conn->front.received > conn->peer.sent)
        swarm_fail(guest->swarm, "byte from nowhere",
                   "connection %u: the guest received %llu bytes, the peer sent %llu", conn->number,
                   (unsigned long long)conn->front.received, (unsigned long long)conn->peer.sent);
    if (wrong >= 0) {
        offset += (uint64_t)wrong;
        swarm_fail(guest->swarm, "wrong byte",
                   "connection %u: the guest received a wrong byte at offset %llu", conn->number,
                   (unsigned long long)offset);
    }
}

/* Receive what there is; false if the stream has ended. */
static bool receive(struct swarm_guest *guest, struct swarm_conn *conn)
{
    uint8_t bytes[CHUNK_BYTES];

    for (;;) {
        uint32_t room = 1 + (uint32_t)prng_below(&guest->prng, CHUNK_BYTES);
        int64_t ret =
            fe_recv(guest->core.fe, &(struct fe_recv){conn->sock, bytes, room}, call(guest));
        called(guest, &(struct exec_call){TRACE_CALL_RECV, conn->sock, room, ret});
        if (ret == -ERR_AGAIN)
            return true;
        if (ret > 0) {
            received(guest, conn, bytes, (size_t)ret);
            continue;
        }
        conn->front.ended = true;
        conn->broke |= ret < 0;
        swarm_check_ended(guest, conn, ret);
        return false;
    }
}

/* Send what is to be sent; false if that cannot be any more. */
static bool send(struct swarm_guest *guest, struct swarm_conn *conn)
{
    uint8_t bytes[CHUNK_BYTES];

    while (conn->front.sent < conn->front.to_send) {
        uint64_t left = conn->front.to_send - conn->front.sent;
        uint32_t size = 1 + (uint32_t)prng_below(&guest->prng, CHUNK_BYTES);
        if (size > left)
            size = (uint32_t)left;
        payload_fill(conn->key_up, conn->front.sent, bytes, size);
        int64_t ret =
            fe_send(guest->core.fe, &(struct fe_send){conn->sock, bytes, size}, call(guest));
        called(guest, &(struct exec_call){TRACE_CALL_SEND, conn->sock, size, ret});
        if (ret < 0) {
            conn->broke = true;
            return false;
        }
        conn->front.sent += (uint64_t)ret;
        if (ret < size)
            return true;
    }
    return true;
}

static void pump(struct swarm_guest *guest, struct swarm_conn *conn)
{
    struct swarm *swarm = guest->swarm;
    bool paused = !swarm_is_quiet(swarm) && conn->front.paused_ns > vclock_now_ns(swarm->clock);

    if (conn->front.state != SWARM_OPEN)
        return;
    if (!paused && !conn->front.ended)
        receive(guest, conn);
    bool sendable = !conn->broke && send(guest, conn);
    bool sent = conn->front.sent == conn->front.to_send || !sendable;
    bool waits = conn->patient && !conn->front.ended;
    if (conn->broke || (sent && conn->front.ended) || (swarm_is_quiet(swarm) && sent && !waits))
        release(guest, conn);
}

/* ---- accepted, and not yet known ---- */

static void stranger_over(struct swarm_guest *guest, uint32_t i)
{
    guest->strangers[i].releasing = true;
    release_sock(guest, guest->strangers[i].sock);
}

/* The first byte tells which connection it is. */
static void ask_stranger(struct swarm_guest *guest, uint32_t i)
{
    struct swarm *swarm = guest->swarm;
    uint64_t sock = guest->strangers[i].sock;
    uint8_t number;

    if (!guest->strangers[i].accepted || guest->strangers[i].releasing)
        return;
    int64_t ret = fe_recv(guest->core.fe, &(struct fe_recv){sock, &number, 1}, call(guest));
    called(guest, &(struct exec_call){TRACE_CALL_RECV, sock, 1, ret});
    if (ret == -ERR_AGAIN)
        return;
    if (ret <= 0) {
        stranger_over(guest, i);
        return;
    }
    struct swarm_conn *conn = &swarm->conns[number % SWARM_CONNS];
    if (number >= SWARM_CONNS || conn->front.state != SWARM_NONE || !conn->passive) {
        swarm_fail(swarm, "wrong byte", "an accepted connection opens with %u", number);
        return;
    }
    guest->strangers[i].used = false;
    conn->sock = sock;
    conn->numbered = true;
    conn->front.state = SWARM_OPEN;
    pump(guest, conn);
}

/* An accept that waits, or has come from who has not said yet which connection it is. */
static void give_up_accept(struct swarm_guest *guest)
{
    for (uint32_t i = 0; i < SWARM_STRANGERS; i++)
        if (guest->strangers[i].used && !guest->strangers[i].releasing) {
            stranger_over(guest, i);
            return;
        }
}

static int find_stranger(const struct swarm_guest *guest, uint64_t sock)
{
    for (int i = 0; i < SWARM_STRANGERS; i++)
        if (guest->strangers[i].used && guest->strangers[i].sock == sock)
            return i;
    return -1;
}

/* ---- events of the plan ---- */

static void open_conn(struct swarm_guest *guest, struct swarm_conn *conn)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    struct call_addr addr;

    if (conn->front.state != SWARM_NONE)
        return;
    call_addr4(&addr, loopback, (uint16_t)(SWARM_PORT_PEER + conn->number));
    int64_t sock = fe_connect(guest->core.fe, &addr, call(guest));
    called(guest, &(struct exec_call){CALL_CONNECT, (uint64_t)sock, 0, sock});
    if (sock < 0)
        return; /* too many sockets at once */
    conn->sock = (uint64_t)sock;
    conn->connects = true;
    conn->front.state = SWARM_OPENING;
}

static void listen_on(struct swarm_guest *guest)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    struct call_addr addr;

    if (guest->listening != SWARM_NONE)
        return;
    call_addr4(&addr, loopback, (uint16_t)(SWARM_PORT_GUEST + guest->number));
    int64_t sock = fe_bind(guest->core.fe, &addr, call(guest));
    called(guest, &(struct exec_call){CALL_BIND, (uint64_t)sock, 0, sock});
    if (sock < 0)
        return;
    guest->listener = (uint64_t)sock;
    guest->listening = SWARM_OPENING;
}

static void accept_on(struct swarm_guest *guest)
{
    uint32_t i = 0;

    while (i < SWARM_STRANGERS && guest->strangers[i].used)
        i++;
    if (guest->listening != SWARM_OPEN || i == SWARM_STRANGERS)
        return;
    int64_t sock = fe_accept(guest->core.fe, guest->listener, call(guest));
    called(guest, &(struct exec_call){CALL_ACCEPT, guest->listener, 0, sock});
    if (sock < 0)
        return;
    guest->strangers[i].used = guest->strangers[i].waits = true;
    guest->strangers[i].accepted = guest->strangers[i].releasing = false;
    guest->strangers[i].sock = (uint64_t)sock;
    guest->waiting++;
}

static void poll_on(struct swarm_guest *guest)
{
    if (guest->listening != SWARM_OPEN)
        return;
    int ret = fe_poll(guest->core.fe, guest->listener, call(guest));
    called(guest, &(struct exec_call){CALL_POLL, guest->listener, 0, ret});
    guest->waiting += ret == 0 ? 1u : 0u;
}

static void do_op(struct swarm_guest *guest, const struct swarm_op *op)
{
    struct swarm_conn *conn = &guest->swarm->conns[op->conn % SWARM_CONNS];

    switch (op->kind) {
    case SWARM_CONNECT: open_conn(guest, conn); break;
    case SWARM_LISTEN: listen_on(guest); break;
    case SWARM_ACCEPT: accept_on(guest); break;
    case SWARM_POLL: poll_on(guest); break;
    case SWARM_GUEST_SEND: conn->front.to_send += op->amount; break;
    case SWARM_GUEST_PAUSE: conn->front.paused_ns = op->at_ns + op->amount; break;
    case SWARM_RELEASE:
        release(guest, conn);
        if (conn->passive && conn->front.state == SWARM_NONE)
            give_up_accept(guest);
        break;
    case SWARM_CALL:
    case SWARM_PEER_SEND:
    case SWARM_PEER_PAUSE:
    case SWARM_PEER_SHUT:
    case SWARM_PEER_CLOSE:
    case SWARM_PEER_RESET:
    case SWARM_LINK:
    case SWARM_STALL:
    case SWARM_DELAY:
    case SWARM_KIND_COUNT: return;
    }
    pump(guest, conn);
}

/* The guest's next event at or behind `from`, or op_count. */
static uint32_t next_op(const struct swarm_guest *guest, uint32_t from)
{
    const struct swarm_plan *plan = guest->swarm->plan;

    while (from < plan->op_count) {
        const struct swarm_op *op = &plan->ops[from];
        bool own = op->guest == guest->number &&
                   (op->kind <= SWARM_POLL || op->kind == SWARM_GUEST_SEND ||
                    op->kind == SWARM_GUEST_PAUSE || op->kind == SWARM_RELEASE);
        if (own && swarm_kept(guest->swarm, from))
            break;
        from++;
    }
    return from;
}

/* What is due, and if the guest is hurried what would come next. */
static void do_due(struct swarm_guest *guest, uint64_t now_ns)
{
    const struct swarm_plan *plan = guest->swarm->plan;

    guest->next_op = next_op(guest, guest->next_op);
    while (guest->up && guest->next_op < plan->op_count &&
           (plan->ops[guest->next_op].at_ns <= now_ns || guest->hurry)) {
        const struct swarm_op *op = &plan->ops[guest->next_op++];
        guest->hurry = false;
        do_op(guest, op);
        guest->next_op = next_op(guest, guest->next_op);
    }
    guest->hurry = false;
}

/* ---- upcalls ---- */

static void stray(struct swarm_guest *guest, const struct act_done *done)
{
    swarm_fail(guest->swarm, "stray completion", "guest %u: %s completed with %s, unasked",
               guest->number, call_name(done->call), err_name(done->ret));
}

static void listener_done(struct swarm_guest *guest, const struct act_done *done)
{
    bool opening = guest->listening == SWARM_OPENING;

    if (done->call == CALL_BIND && done->ret == 0 && opening && !guest->is_bound) {
        guest->is_bound = true;
        int ret = fe_listen(guest->core.fe, guest->listener, call(guest));
        called(guest, &(struct exec_call){CALL_LISTEN, guest->listener, 0, ret});
    } else if (done->call == CALL_LISTEN && done->ret == 0 && opening && guest->is_bound) {
        guest->listening = SWARM_OPEN;
    } else if (done->call == CALL_POLL && guest->waiting > 0) {
        guest->waiting--;
    } else if (done->call == CALL_RELEASE && guest->listening == SWARM_CLOSING) {
        guest->listening = SWARM_OVER;
    } else if (done->ret < 0) {
        swarm_fail(guest->swarm, "refused call", "%s of the listener: %s", call_name(done->call),
                   err_name(done->ret));
    } else {
        stray(guest, done);
    }
}

static void stranger_done(struct swarm_guest *guest, uint32_t i, const struct act_done *done)
{
    if (done->call == CALL_ACCEPT && guest->strangers[i].waits) {
        guest->waiting--;
        guest->strangers[i].waits = false;
        guest->strangers[i].accepted = done->ret == 0;
        guest->strangers[i].used = done->ret == 0 || guest->strangers[i].releasing;
        if (done->ret == 0)
            ask_stranger(guest, i);
    } else if (done->call == CALL_RELEASE && guest->strangers[i].releasing) {
        guest->strangers[i].used = false;
    } else {
        stray(guest, done);
    }
}

static void conn_done(struct swarm_guest *guest, struct swarm_conn *conn,
                      const struct act_done *done)
{
    if (done->call == CALL_CONNECT && conn->connects) {
        conn->connects = false;
        if (conn->front.state == SWARM_CLOSING)
            return; /* it was released meanwhile, which is still to complete */
        conn->front.state = done->ret == 0 ? SWARM_OPEN : SWARM_OVER;
        conn->left |= done->ret < 0;
        pump(guest, conn);
    } else if (done->call == CALL_RELEASE && conn->front.state == SWARM_CLOSING) {
        conn->front.state = SWARM_OVER;
        swarm_check_released(guest, conn);
        swarm_peer_wake(guest->swarm);
    } else {
        stray(guest, done);
    }
}

static void done(struct swarm_guest *guest, const struct act_done *done)
{
    struct swarm_conn *conn = swarm_guest_conn(guest, done->sock);
    int i = find_stranger(guest, done->sock);
    bool listening = guest->listening != SWARM_NONE && guest->listening != SWARM_OVER;

    if (conn)
        conn_done(guest, conn, done);
    else if (i >= 0)
        stranger_done(guest, (uint32_t)i, done);
    else if (listening && done->sock == guest->listener)
        listener_done(guest, done);
    else
        stray(guest, done);
}

static void upcall(void *self, const struct act *act)
{
    struct swarm_guest *guest = self;
    struct swarm_conn *conn;
    int i;

    if (act->kind == ACT_UP) {
        guest->up = true;
    } else if (act->kind == ACT_GONE) {
        guest->gone = true;
        guest->up = false;
        if (!guest->stopped)
            swarm_fail(guest->swarm, "device lost", "the guest was told that its device is gone");
    } else if (act->kind == ACT_DONE) {
        done(guest, &act->done);
    } else if (act->kind == ACT_READABLE || act->kind == ACT_WRITABLE) {
        conn = swarm_guest_conn(guest, act->done.sock);
        i = find_stranger(guest, act->done.sock);
        if (conn)
            pump(guest, conn);
        else if (i >= 0)
            ask_stranger(guest, (uint32_t)i);
    }
}

/* ---- turns ---- */

/* In the quiet everything is brought to its end. */
static void wind_up(struct swarm_guest *guest)
{
    struct swarm *swarm = guest->swarm;

    for (uint32_t i = 0; i < SWARM_CONNS; i++)
        if (swarm->conns[i].guest == guest->number)
            pump(guest, &swarm->conns[i]);
    if (guest->listening == SWARM_OPEN) {
        guest->listening = SWARM_CLOSING;
        release_sock(guest, guest->listener);
    }
    for (uint32_t i = 0; i < SWARM_STRANGERS; i++)
        if (guest->strangers[i].used && guest->strangers[i].accepted &&
            !guest->strangers[i].releasing)
            stranger_over(guest, i);
}

static bool all_over(const struct swarm_guest *guest)
{
    const struct swarm *swarm = guest->swarm;
    bool over =
        guest->waiting == 0 && (guest->listening == SWARM_NONE || guest->listening == SWARM_OVER);

    for (uint32_t i = 0; i < SWARM_CONNS; i++)
        if (swarm->conns[i].guest == guest->number)
            over &= swarm->conns[i].front.state == SWARM_NONE ||
                    swarm->conns[i].front.state == SWARM_OVER;
    for (uint32_t i = 0; i < SWARM_STRANGERS; i++)
        over &= !guest->strangers[i].used;
    return over;
}

static uint64_t next_due(struct swarm_guest *guest, uint64_t now_ns)
{
    const struct swarm *swarm = guest->swarm;
    uint64_t due_ns = now_ns < swarm->plan->rest_ns ? swarm->plan->rest_ns : STEP_NEVER;

    if (guest->up && guest->next_op < swarm->plan->op_count &&
        swarm->plan->ops[guest->next_op].at_ns < due_ns)
        due_ns = swarm->plan->ops[guest->next_op].at_ns;
    for (uint32_t i = 0; i < SWARM_CONNS; i++) {
        uint64_t paused_ns = swarm->conns[i].front.paused_ns;
        if (swarm->conns[i].guest == guest->number && paused_ns > now_ns && paused_ns < due_ns)
            due_ns = paused_ns;
    }
    return due_ns;
}

static uint64_t turned(void *self, uint64_t now_ns)
{
    struct swarm_guest *guest = self;

    do_due(guest, now_ns);
    for (uint32_t i = 0; i < SWARM_CONNS && !swarm_is_quiet(guest->swarm); i++) {
        struct swarm_conn *conn = &guest->swarm->conns[i];
        if (conn->guest != guest->number || conn->front.paused_ns == 0 ||
            conn->front.paused_ns > now_ns)
            continue;
        conn->front.paused_ns = 0;
        pump(guest, conn);
    }
    if (guest->up && swarm_is_quiet(guest->swarm))
        wind_up(guest);
    if (guest->up && !guest->stopped && swarm_is_quiet(guest->swarm) && all_over(guest)) {
        guest->stopped = true;
        exec_post(guest->core.config.exec, guest->core.index, EV_STOP);
        return now_ns;
    }
    return next_due(guest, now_ns);
}

static void report(void *self, const struct act_fault *fault)
{
    struct swarm_guest *guest = self;

    swarm_fail(guest->swarm, "fault",
               "the guest calls the backend broken: %s (ours %u, claimed %u)",
               step_fault_name(fault->reason), fault->index, fault->value);
}

bool swarm_guest_over(const struct swarm_guest *guest)
{
    return guest->stopped && guest->gone && front_core_idle(&guest->core);
}

void swarm_guest_open(struct swarm *swarm, struct swarm_guest *guest)
{
    const struct dialect *dialect = dialect_find(swarm->sides.protocol->dialect);
    char name[16];

    snprintf(name, sizeof(name), "guest%u", guest->number);
    guest->swarm = swarm;
    guest->domid = (uint16_t)(1 + guest->number);
    prng_init(&guest->prng, swarm->config.seed, name, 7);
    guest->domain = domain_virtual_open(&(struct domain_virtual_config){.clock = swarm->clock,
                                                                        .vcpus = swarm->vcpus,
                                                                        .machine = swarm->machine,
                                                                        .trace = &swarm->sink,
                                                                        .name = name,
                                                                        .domid = guest->domid,
                                                                        .cpu = -1,
                                                                        .max_devices = 1,
                                                                        .self = guest,
                                                                        .turned = turned});
    int ret = hypervisor_device_add(hv_virtual_tables(swarm->machine), dialect->device,
                                    guest->domid, 0, 0);
    assert(ret == 0);
    bool made = front_core_init(
        &guest->core, &(struct front_core_config){.exec = domain_virtual_exec(guest->domain),
                                                  .domid = guest->domid,
                                                  .backend = 0,
                                                  .dialect = dialect,
                                                  .order = swarm->plan->order,
                                                  .max_sockets = swarm->plan->sockets,
                                                  .quirks = swarm->sides.front.quirks,
                                                  .linger_ns = LINGER_NS,
                                                  .self = guest,
                                                  .upcall = upcall,
                                                  .report = report});
    assert(made);
    domain_virtual_kick(guest->domain);
}
