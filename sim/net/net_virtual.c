/*
 * The world of virtual sockets: hosts, what their tokens name, and what has completed. Addresses
 * and the handshake: net_virtual_listen.c; bytes: net_virtual_stream.c.
 *
 * A completion is queued with the time it is due, and its host's vCPU woken for it: for a call's
 * own result when the call is paid for, for the network's at once or, if that finds the vCPU idle,
 * when it is awake. Whatever else the network brings until then is found awake with it.
 * Invariants:
 * - Completions are taken in order of due_ns, then of completing; CLOSE is the last of its socket.
 * - A socket lives while a token names it and while a completion of it is queued; completions lie
 *   in it, so queueing one allocates nothing.
 * Source: net_virtual.h, net_virtual_private.h.
 */
#include "sim/net/net_virtual_private.h"

#include <stdlib.h>

enum { FIRST_EPHEMERAL_PORT = 49152 };

/* ---- what a token names ---- */

struct virtual_socket *net_virtual_find(const struct virtual_host *host, uint64_t token)
{
    struct virtual_socket *socket;

    HASH_FIND(hh, host->named, &token, sizeof(token), socket);
    return socket;
}

static struct virtual_socket *alloc_socket(struct virtual_host *host, uint64_t token,
                                           enum ev_kind kind)
{
    struct virtual_socket *socket = calloc(1, sizeof(*socket));

    assert(socket != NULL);
    socket->host = host;
    socket->token = token;
    socket->holds = 1;
    socket->opened = (struct virtual_completion){.socket = socket, .kind = kind};
    socket->listened = (struct virtual_completion){.socket = socket, .kind = EV_NET_LISTEN};
    socket->closed = (struct virtual_completion){.socket = socket, .kind = EV_NET_CLOSE};
    socket->transfers[VIRTUAL_IN].done =
        (struct virtual_completion){.socket = socket, .kind = EV_NET_READ};
    socket->transfers[VIRTUAL_OUT].done =
        (struct virtual_completion){.socket = socket, .kind = EV_NET_WRITE};
    return socket;
}

struct virtual_socket *net_virtual_name(struct virtual_host *host, uint64_t token,
                                        enum ev_kind kind)
{
    assert(net_virtual_find(host, token) == NULL);

    struct virtual_socket *socket = alloc_socket(host, token, kind);

    HASH_ADD(hh, host->named, token, sizeof(socket->token), socket);
    return socket;
}

void net_virtual_count_open(struct virtual_socket *socket)
{
    socket->open = true;
    socket->host->base.counters.sockets_now++;
}

static void drop(struct virtual_socket *socket)
{
    if (--socket->holds == 0)
        free(socket);
}

void net_virtual_forget(struct virtual_socket *socket)
{
    struct virtual_host *host = socket->host;

    if (socket->open) {
        host->base.counters.sockets_now--;
        host->base.counters.closes++;
    }
    HASH_DEL(host->named, socket);
    drop(socket);
}

/* ---- completions ---- */

static uint64_t network_due_ns(struct virtual_host *host)
{
    uint64_t now_ns = net_virtual_now_ns(host->world);
    uint64_t idle_ns;

    if (now_ns >= host->awake_ns) {
        host->awake_ns = now_ns;
        if (vcpu_state(host->vcpu, &idle_ns) == VCPU_IDLE)
            host->awake_ns += vcpu_draw_ns(host->vcpu, COST_SOCKET_WAKE);
    }
    return host->awake_ns;
}

/* Behind all of its cause that are due no later: at the end, but for a CLOSE that waits for others
 * of its socket, since what calls complete is due ever later, and so is what the network brings. */
static void enqueue(struct virtual_host *host, struct virtual_completion *done,
                    enum virtual_cause cause)
{
    struct virtual_completion *at = host->done[cause] == NULL ? NULL : host->done[cause]->prev;

    while (at != NULL && at->due_ns > done->due_ns)
        at = at == host->done[cause] ? NULL : at->prev;
    if (at == NULL)
        DL_PREPEND(host->done[cause], done);
    else
        DL_APPEND_ELEM(host->done[cause], at, done);
}

uint64_t net_virtual_complete(struct virtual_completion *done, int32_t ret,
                              enum virtual_cause cause)
{
    struct virtual_socket *socket = done->socket;
    struct virtual_host *host = socket->host;
    uint64_t due_ns = cause == VIRTUAL_BY_CALL ? vcpu_now_ns(host->vcpu) : network_due_ns(host);

    assert(done->prev == NULL);
    if (socket->due_ns < due_ns)
        socket->due_ns = due_ns;
    if (done->kind == EV_NET_CLOSE)
        due_ns = socket->due_ns;
    done->due_ns = due_ns;
    done->number = host->completions++;
    done->ret = ret;
    socket->holds++;
    enqueue(host, done, cause);
    vcpu_wake(host->vcpu, due_ns);
    return due_ns;
}

static bool before(const struct virtual_completion *a, const struct virtual_completion *b)
{
    return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->number < b->number);
}

/* The cause whose first completion is the host's first. */
static enum virtual_cause first_cause(const struct virtual_host *host)
{
    const struct virtual_completion *call = host->done[VIRTUAL_BY_CALL];
    const struct virtual_completion *network = host->done[VIRTUAL_BY_NETWORK];
    bool is_network = network != NULL && (call == NULL || before(network, call));

    return is_network ? VIRTUAL_BY_NETWORK : VIRTUAL_BY_CALL;
}

static void dequeue(struct virtual_host *host, enum virtual_cause cause)
{
    struct virtual_completion *done = host->done[cause];

    DL_DELETE(host->done[cause], done);
    done->prev = NULL;
    drop(done->socket);
}

static bool virtual_next(struct net *net, struct ev *ev)
{
    struct virtual_host *host = net_virtual_host_of(net);
    enum virtual_cause cause = first_cause(host);
    const struct virtual_completion *done = host->done[cause];

    if (done == NULL || done->due_ns > vcpu_horizon_ns(host->vcpu))
        return false;
    *ev = (struct ev){.kind = done->kind, .ret = done->ret, .token = done->socket->token};
    dequeue(host, cause);
    return true;
}

/* ---- close ---- */

static void cancel_pending(struct virtual_socket *socket)
{
    if (socket->connecting)
        net_virtual_complete(&socket->opened, -ERR_CANCELED, VIRTUAL_BY_CALL);
    if (socket->listener != NULL) {
        net_virtual_listen_stop_waiting(socket);
        net_virtual_complete(&socket->opened, -ERR_CANCELED, VIRTUAL_BY_CALL);
    }
    for (int i = 0; i < 2; i++) {
        struct virtual_transfer *transfer = &socket->transfers[i];

        if (transfer->posted)
            net_virtual_complete(&transfer->done, -ERR_CANCELED, VIRTUAL_BY_CALL);
    }
}

/* Leave whatever the socket is part of. */
static void leave(struct virtual_socket *socket, bool abort)
{
    if (socket->bound)
        net_virtual_listen_close(socket);
    if (socket->side != NULL)
        net_virtual_stream_close(socket->side, vcpu_now_ns(socket->host->vcpu),
                                 abort || socket->connecting);
    socket->side = NULL;
}

/* When the last of what a token completed, and nobody has taken yet, is due; 0: there is nothing.
 */
static uint64_t last_due_ns(const struct virtual_host *host, uint64_t token)
{
    uint64_t due_ns = 0;

    for (enum virtual_cause cause = VIRTUAL_BY_CALL; cause <= VIRTUAL_BY_NETWORK; cause++) {
        const struct virtual_completion *done;

        DL_FOREACH (host->done[cause], done)
            if (done->socket->token == token && done->due_ns > due_ns)
                due_ns = done->due_ns;
    }
    return due_ns;
}

/* A token that names nothing any more (its CONNECT has failed, its POLL is over) completes like any
 * other, and after that. */
static void close_token(struct virtual_host *host, uint64_t token, bool abort)
{
    struct virtual_socket *socket = net_virtual_find(host, token);

    vcpu_charge(host->vcpu, COST_SOCKET_OPEN, 1);
    if (socket == NULL) {
        socket = alloc_socket(host, token, EV_NET_CLOSE);
        socket->due_ns = last_due_ns(host, token);
        net_virtual_complete(&socket->closed, 0, VIRTUAL_BY_CALL);
        drop(socket);
        return;
    }
    cancel_pending(socket);
    leave(socket, abort);
    net_virtual_complete(&socket->closed, 0, VIRTUAL_BY_CALL);
    net_virtual_forget(socket);
}

static void virtual_close(struct net *net, uint64_t token)
{
    close_token(net_virtual_host_of(net), token, false);
}

static void virtual_reset(struct net *net, uint64_t token)
{
    close_token(net_virtual_host_of(net), token, true);
}

/* Whatever the host has open goes, and what it has not taken yet. */
static void leave_all(struct virtual_host *host, bool abort)
{
    struct virtual_socket *socket, *next;

    for (enum virtual_cause cause = VIRTUAL_BY_CALL; cause <= VIRTUAL_BY_NETWORK; cause++)
        while (host->done[cause] != NULL)
            dequeue(host, cause);
    HASH_ITER (hh, host->named, socket, next) {
        if (socket->listener != NULL)
            net_virtual_listen_stop_waiting(socket);
    }
    HASH_ITER (hh, host->named, socket, next) {
        leave(socket, abort);
        net_virtual_forget(socket);
    }
}

void net_virtual_died(struct net *net)
{
    leave_all(net_virtual_host_of(net), false);
}

void net_virtual_reborn(struct net *net, struct vcpu *vcpu)
{
    struct virtual_host *host = net_virtual_host_of(net);

    host->vcpu = vcpu;
    host->awake_ns = 0;
    net->counters = (struct net_counters){0};
}

static void virtual_destroy(struct net *net)
{
    struct virtual_host *host = net_virtual_host_of(net);

    leave_all(host, true);
    host->world->hosts--;
    free(host->name);
    free(host);
}

/* ---- the world ---- */

static const struct net_ops virtual_ops = {
    .connect = net_virtual_listen_connect,
    .bind = net_virtual_listen_bind,
    .listen = net_virtual_listen_listen,
    .accept = net_virtual_listen_accept,
    .poll = net_virtual_listen_poll,
    .read = net_virtual_stream_read,
    .write = net_virtual_stream_write,
    .shutdown = net_virtual_stream_shutdown,
    .close = virtual_close,
    .reset = virtual_reset,
    .next = virtual_next,
    .destroy = virtual_destroy,
};

struct net_virtual *net_virtual_create(const struct net_virtual_config *config)
{
    struct net_virtual *world = calloc(1, sizeof(*world));

    assert(world != NULL);
    net_virtual_pipe_check_link(&config->link);
    world->config = *config;
    world->next_port = FIRST_EPHEMERAL_PORT;
    return world;
}

void net_virtual_destroy(struct net_virtual *world)
{
    struct virtual_link *link, *next;

    assert(world->hosts == 0 && world->ports == NULL);
    while (world->conns != NULL) {
        world->conns->holds = 1; /* its events never fire */
        net_virtual_stream_drop(world->conns);
    }
    HASH_ITER (hh, world->links, link, next) {
        HASH_DEL(world->links, link);
        free(link);
    }
    free(world);
}

struct net *net_virtual_host(struct net_virtual *world,
                             const struct net_virtual_host_config *config)
{
    struct virtual_host *host = calloc(1, sizeof(*host));
    size_t bytes = strlen(config->name) + 1;

    assert(host != NULL);
    *host = (struct virtual_host){.base.ops = &virtual_ops,
                                  .world = world,
                                  .name = malloc(bytes),
                                  .number = world->hosts_ever++,
                                  .who = config->who,
                                  .vcpu = config->vcpu};
    assert(host->name != NULL);
    memcpy(host->name, config->name, bytes);
    world->hosts++;
    return &host->base;
}

static struct virtual_link *find_link(struct net_virtual *world, const struct virtual_host *a,
                                      const struct virtual_host *b, uint64_t *key)
{
    uint32_t first = a->number, second = b == NULL ? UINT32_MAX : b->number;
    struct virtual_link *link;

    *key = first < second ? (uint64_t)first << 32 | second : (uint64_t)second << 32 | first;
    HASH_FIND(hh, world->links, key, sizeof(*key), link);
    return link;
}

struct virtual_link *net_virtual_link_between(struct net_virtual *world,
                                              const struct virtual_host *a,
                                              const struct virtual_host *b)
{
    uint64_t key;
    struct virtual_link *link = find_link(world, a, b, &key);

    if (link != NULL)
        return link;
    link = calloc(1, sizeof(*link));
    assert(link != NULL);
    link->key = key;
    link->link = world->config.link;
    HASH_ADD(hh, world->links, key, sizeof(link->key), link);
    return link;
}

void net_virtual_set_link(struct net *a, struct net *b, const struct net_link *link)
{
    struct virtual_host *host = net_virtual_host_of(a);
    struct virtual_link *between =
        net_virtual_link_between(host->world, host, net_virtual_host_of(b));

    net_virtual_pipe_check_link(link);
    between->link = *link;
    for (int i = 0; i < 2; i++)
        between->wires[i].free_rest = 0; /* a fraction of the old rate */
}

const struct net_link *net_virtual_link(const struct net *a, const struct net *b)
{
    const struct virtual_host *host = net_virtual_host_const(a);
    uint64_t key;
    const struct virtual_link *link = find_link(host->world, host, net_virtual_host_const(b), &key);

    return link == NULL ? &host->world->config.link : &link->link;
}

/* ---- for reports and the trace ---- */

uint64_t net_virtual_under_way(const struct net_virtual *world)
{
    return world->under_way;
}

void net_virtual_queued(const struct net *net, uint64_t token, uint64_t *out_bytes,
                        uint64_t *in_bytes)
{
    const struct virtual_socket *socket = net_virtual_find(net_virtual_host_const(net), token);

    assert(socket != NULL && socket->side != NULL);

    const struct virtual_pipe *out = &socket->side->out;
    const struct virtual_pipe *in = &net_virtual_other(socket->side)->out;

    *out_bytes = out->written - out->read;
    *in_bytes = in->written - in->read;
}

void net_virtual_trace(struct virtual_side *side, enum trace_socket what)
{
    const struct net_virtual *world = side->conn->world;

    trace_put(world->config.trace,
              &(struct trace_record){.now_ns = net_virtual_now_ns(world),
                                     .token = side->socket ? side->socket->token : 0,
                                     .value = net_virtual_other(side)->who,
                                     .extra = side->conn->to.port,
                                     .who = side->who,
                                     .point = TRACE_SOCKET,
                                     .detail = (uint8_t)what});
}
