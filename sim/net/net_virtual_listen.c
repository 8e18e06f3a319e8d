/*
 * Addresses, listeners and the handshake in virtual time. Knows no bytes.
 *
 * A connection is in the listener's queue from the arrival of the attempt, a link's delay before
 * the client knows; an attempt that finds the queue full, as one that is lost, is made again until
 * there were too many. It goes to whoever listens when it arrives; the link is the one to whoever
 * listened when it was begun, or, if nobody did, one to nobody: the world's link.
 * Invariants:
 * - While a listener's queue holds a connection, no ACCEPT and no POLL of it is pending.
 * - Of the sockets bound to overlapping addresses at most one listens.
 * Source: net_virtual.h; Linux 6.1: SO_REUSEADDR (tried), sk_acceptq_is_full, tcp_syn_retries.
 */
#include "sim/net/net_virtual_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { PORT_EPHEMERAL = 49152, PORT_LAST = 65535, TRIES_MAX = 7, STREAMS_PER_CONNECTION = 2 };

static const uint64_t TRY_AGAIN_NS = 1000000000; /* after the first attempt; then doubled */

static const uint8_t loopback4[16] = {127, 0, 0, 1};
static const uint8_t loopback6[16] = {[15] = 1};
static const uint8_t any[16];

/* ---- addresses ---- */

static struct virtual_place place_of(const struct call_addr *addr)
{
    struct virtual_place place = {.family = call_addr_family(addr), .port = call_addr_port(addr)};

    if (place.family == CALL_AF_INET)
        memcpy(place.ip, addr->bytes + 4, 4);
    else
        memcpy(place.ip, addr->bytes + 8, 16);
    return place;
}

static bool is_any(const struct virtual_place *place)
{
    return memcmp(place->ip, any, sizeof(any)) == 0;
}

static bool exists(const struct virtual_place *place)
{
    if (is_any(place))
        return true;
    return place->family == CALL_AF_INET ? place->ip[0] == 127
                                         : memcmp(place->ip, loopback6, sizeof(loopback6)) == 0;
}

static bool overlap(const struct virtual_place *a, const struct virtual_place *b)
{
    return is_any(a) || is_any(b) || memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static struct virtual_port *find_port(struct net_virtual *world, const struct virtual_place *place)
{
    uint32_t key = (uint32_t)place->family << 16 | place->port;
    struct virtual_port *port;

    HASH_FIND(hh, world->ports, &key, sizeof(key), port);
    return port;
}

/* A bound socket whose address overlaps, or NULL. */
static struct virtual_socket *find_bound(struct net_virtual *world,
                                         const struct virtual_place *place, bool listening)
{
    const struct virtual_port *port = find_port(world, place);
    struct virtual_socket *socket;

    DL_FOREACH (port == NULL ? NULL : port->bound, socket) {
        if (overlap(&socket->at, place) && (socket->listening || !listening))
            return socket;
    }
    return NULL;
}

static void take_place(struct virtual_socket *socket, const struct virtual_place *place)
{
    struct net_virtual *world = socket->host->world;
    struct virtual_port *port = find_port(world, place);

    if (port == NULL) {
        port = calloc(1, sizeof(*port));
        assert(port != NULL);
        port->key = (uint32_t)place->family << 16 | place->port;
        HASH_ADD(hh, world->ports, key, sizeof(port->key), port);
    }
    DL_APPEND(port->bound, socket);
    socket->bound = true;
    socket->at = *place;
}

static void leave_place(struct virtual_socket *socket)
{
    struct net_virtual *world = socket->host->world;
    struct virtual_port *port = find_port(world, &socket->at);

    DL_DELETE(port->bound, socket);
    socket->bound = false;
    if (port->bound == NULL) {
        HASH_DEL(world->ports, port);
        free(port);
    }
}

/* Choose the port of an address that has none. Returns 0 or -ERR_ADDRINUSE. */
static int32_t choose_port(struct net_virtual *world, struct virtual_place *place)
{
    for (uint32_t i = PORT_EPHEMERAL; i <= PORT_LAST; i++) {
        place->port = world->next_port;
        world->next_port = place->port == PORT_LAST ? PORT_EPHEMERAL : place->port + 1;
        if (find_bound(world, place, false) == NULL)
            return 0;
    }
    return -ERR_ADDRINUSE;
}

static int32_t bind_place(struct virtual_socket *socket, struct virtual_place *place)
{
    struct net_virtual *world = socket->host->world;
    int32_t ret = 0;

    if (!exists(place))
        return -ERR_ADDRNOTAVAIL;
    if (place->port == 0)
        ret = choose_port(world, place);
    else if (find_bound(world, place, true) != NULL)
        ret = -ERR_ADDRINUSE;
    if (ret == 0)
        take_place(socket, place);
    return ret;
}

void net_virtual_listen_bind(struct net *net, uint64_t token, const struct call_addr *addr)
{
    struct virtual_host *host = net_virtual_host_of(net);
    struct virtual_socket *socket = net_virtual_name(host, token, EV_NET_BIND);
    struct virtual_place place = place_of(addr);
    int32_t ret;

    net_virtual_count_open(socket);
    vcpu_charge(host->vcpu, COST_SOCKET_OPEN, 1);
    ret = bind_place(socket, &place);
    net_virtual_complete(&socket->opened, ret, VIRTUAL_BY_CALL);
    if (ret < 0)
        net_virtual_forget(socket);
}

struct call_addr net_virtual_address(const struct net *net, uint64_t token)
{
    const struct virtual_socket *socket = net_virtual_find(net_virtual_host_const(net), token);
    struct call_addr addr;

    assert(socket != NULL && socket->bound);
    if (socket->at.family == CALL_AF_INET)
        call_addr4(&addr, socket->at.ip, socket->at.port);
    else
        call_addr6(&addr, socket->at.ip, socket->at.port);
    return addr;
}

/* ---- listeners ---- */

void net_virtual_listen_listen(struct net *net, uint64_t token, uint32_t backlog)
{
    struct virtual_host *host = net_virtual_host_of(net);
    struct virtual_socket *socket = net_virtual_find(host, token);

    assert(socket != NULL && socket->bound);

    const struct virtual_socket *other = find_bound(host->world, &socket->at, true);
    bool busy = other != NULL && other != socket;

    vcpu_charge(host->vcpu, COST_SOCKET_OPEN, 1);
    if (!busy) {
        socket->listening = true;
        socket->backlog = backlog;
    }
    net_virtual_complete(&socket->listened, busy ? -ERR_ADDRINUSE : 0, VIRTUAL_BY_CALL);
}

/* The list of its listener that a pending ACCEPT or POLL waits in. */
static struct virtual_socket **waiting_list(struct virtual_socket *socket)
{
    struct virtual_socket *listener = socket->listener;

    return socket->opened.kind == EV_NET_ACCEPT ? &listener->accepts : &listener->polls;
}

static void start_waiting(struct virtual_socket *socket, uint64_t listener)
{
    socket->listener = net_virtual_find(socket->host, listener);
    assert(socket->listener != NULL && socket->listener->listening);

    struct virtual_socket **list = waiting_list(socket);

    DL_APPEND(*list, socket);
}

void net_virtual_listen_stop_waiting(struct virtual_socket *socket)
{
    struct virtual_socket **list = waiting_list(socket);

    DL_DELETE(*list, socket);
    socket->listener = NULL;
}

static struct virtual_side *take_queued(struct virtual_socket *listener)
{
    struct virtual_side *side = listener->queue;

    DL_DELETE(listener->queue, side);
    listener->queued--;
    return side;
}

static void accept_one(struct virtual_socket *socket, struct virtual_side *side,
                       enum virtual_cause cause)
{
    net_virtual_listen_stop_waiting(socket);
    side->socket = socket;
    socket->side = side;
    net_virtual_count_open(socket);
    socket->host->base.counters.accepts++;
    net_virtual_trace(side, TRACE_SOCKET_ACCEPTED);
    vcpu_charge(socket->host->vcpu, COST_SOCKET_OPEN, 1);
    net_virtual_complete(&socket->opened, 0, cause);
}

/* Bring together who waits and who came: accepts in order, then all polls at once. */
static void serve(struct virtual_socket *listener, enum virtual_cause cause)
{
    while (listener->queue != NULL && listener->accepts != NULL)
        accept_one(listener->accepts, take_queued(listener), cause);
    while (listener->queue != NULL && listener->polls != NULL) {
        struct virtual_socket *poll = listener->polls;

        net_virtual_listen_stop_waiting(poll);
        net_virtual_complete(&poll->opened, 0, cause);
        net_virtual_forget(poll);
    }
}

void net_virtual_listen_accept(struct net *net, uint64_t token, uint64_t listener)
{
    struct virtual_host *host = net_virtual_host_of(net);
    struct virtual_socket *socket = net_virtual_name(host, token, EV_NET_ACCEPT);

    start_waiting(socket, listener);
    serve(socket->listener, VIRTUAL_BY_CALL);
}

void net_virtual_listen_poll(struct net *net, uint64_t token, uint64_t listener)
{
    struct virtual_host *host = net_virtual_host_of(net);
    struct virtual_socket *socket = net_virtual_name(host, token, EV_NET_POLL);

    vcpu_charge(host->vcpu, COST_SOCKET_OPEN, 1);
    start_waiting(socket, listener);
    serve(socket->listener, VIRTUAL_BY_CALL);
}

void net_virtual_listen_close(struct virtual_socket *socket)
{
    assert(socket->accepts == NULL && socket->polls == NULL);
    leave_place(socket);
    while (socket->queue != NULL)
        net_virtual_stream_close(take_queued(socket), vcpu_now_ns(socket->host->vcpu), true);
}

/* ---- the handshake; events are the client side's ---- */

/* Give the connection its link and its random numbers, which no other connection has. */
static void set_link(struct virtual_conn *conn, const struct virtual_host *server)
{
    struct virtual_side *sides = conn->sides;
    const struct virtual_host *client = sides[VIRTUAL_CLIENT].host;
    const char *server_name = server == NULL ? "" : server->name;
    size_t length = strlen(client->name) + 1 + strlen(server_name) + 1;
    char *entity = malloc(length);
    bool down;

    assert(entity != NULL);
    conn->link = net_virtual_link_between(conn->world, client, server);
    down = server != NULL && client->number > server->number;
    snprintf(entity, length, "%s\n%s", client->name, server_name);
    for (unsigned i = 0; i < 2; i++) {
        sides[i].wire = &conn->link->wires[down ? 1 - i : i];
        prng_init(&sides[i].out.prng, conn->world->config.seed, entity,
                  conn->link->connections * STREAMS_PER_CONNECTION + i);
    }
    conn->link->connections++;
    free(entity);
}

static void fail(struct virtual_side *client, int32_t error)
{
    struct virtual_socket *socket = client->socket;

    net_virtual_trace(client, TRACE_SOCKET_REFUSED);
    net_virtual_complete(&socket->opened, error, VIRTUAL_BY_NETWORK);
    socket->side = NULL;
    net_virtual_forget(socket);
    client->open = false;
    client->socket = NULL;
    net_virtual_stream_drop(client->conn);
}

static void on_refused(void *self, uint64_t arg)
{
    struct virtual_side *client = self;

    (void)arg;
    if (client->open)
        fail(client, -ERR_CONNREFUSED);
    net_virtual_stream_fired(client->conn);
}

static void on_connected(void *self, uint64_t arg)
{
    struct virtual_side *client = self;

    (void)arg;
    if (client->open) {
        client->socket->connecting = false;
        client->host->base.counters.connects++;
        net_virtual_trace(client, TRACE_SOCKET_CONNECTED);
        net_virtual_complete(&client->socket->opened, 0, VIRTUAL_BY_NETWORK);
    }
    net_virtual_stream_fired(client->conn);
}

static void on_try_again(void *self, uint64_t arg);
static void on_attempt(void *self, uint64_t arg);

static void lose_attempt(struct virtual_side *client)
{
    const struct virtual_conn *conn = client->conn;
    uint64_t now_ns = net_virtual_now_ns(conn->world);
    uint64_t again_ns = conn->tried_ns + (TRY_AGAIN_NS << (conn->tries - 1));

    net_virtual_stream_at(client, again_ns < now_ns ? now_ns : again_ns, on_try_again, 0);
}

static void attempt(struct virtual_side *client, uint64_t at_ns)
{
    struct virtual_conn *conn = client->conn;
    uint64_t delay_ns = conn->link->link.delay_ns;

    conn->tried_ns = at_ns;
    conn->tries++;
    if (net_virtual_pipe_lost(client))
        lose_attempt(client);
    else
        net_virtual_stream_at(client, at_ns + delay_ns + net_virtual_pipe_jitter_ns(client),
                              on_attempt, 0);
}

static void on_try_again(void *self, uint64_t arg)
{
    struct virtual_side *client = self;

    (void)arg;
    if (client->open && client->conn->tries == TRIES_MAX)
        fail(client, -ERR_TIMEDOUT);
    else if (client->open)
        attempt(client, net_virtual_now_ns(client->conn->world));
    net_virtual_stream_fired(client->conn);
}

/* An attempt finds room at a listener. Whatever the server sends arrives after its answer. */
static void enter_queue(struct virtual_side *client, struct virtual_socket *listener)
{
    struct virtual_conn *conn = client->conn;
    struct virtual_side *server = &conn->sides[VIRTUAL_SERVER];
    const struct net_link *link = &conn->link->link;

    net_virtual_stream_open(server, listener->host);
    server->out.last_arrival_ns =
        net_virtual_now_ns(conn->world) + link->delay_ns + link->connect_ns;
    net_virtual_stream_at(client, server->out.last_arrival_ns, on_connected, 0);
    DL_APPEND(listener->queue, server);
    listener->queued++;
    serve(listener, VIRTUAL_BY_NETWORK);
}

static void arrive(struct virtual_side *client)
{
    struct virtual_conn *conn = client->conn;
    struct virtual_socket *listener = find_bound(conn->world, &conn->to, true);
    uint64_t now_ns = net_virtual_now_ns(conn->world);

    if (listener == NULL) {
        net_virtual_stream_at(client, now_ns + conn->link->link.delay_ns, on_refused, 0);
    } else if (listener->queued > listener->backlog) {
        lose_attempt(client);
    } else {
        if (net_virtual_link_between(conn->world, client->host, listener->host) != conn->link)
            set_link(conn, listener->host);
        enter_queue(client, listener);
    }
}

static void on_attempt(void *self, uint64_t arg)
{
    struct virtual_side *client = self;

    (void)arg;
    if (client->open)
        arrive(client);
    net_virtual_stream_fired(client->conn);
}

static struct virtual_conn *new_conn(struct virtual_socket *socket, const struct virtual_place *to)
{
    struct net_virtual *world = socket->host->world;
    struct virtual_conn *conn = calloc(1, sizeof(*conn));
    struct virtual_side *client;

    assert(conn != NULL);
    conn->world = world;
    conn->to = *to;
    DL_APPEND(world->conns, conn);
    for (int i = 0; i < 2; i++)
        conn->sides[i].conn = conn;
    client = &conn->sides[VIRTUAL_CLIENT];
    net_virtual_stream_open(client, socket->host);
    client->socket = socket;
    socket->side = client;
    socket->connecting = true;
    return conn;
}

void net_virtual_listen_connect(struct net *net, uint64_t token, const struct call_addr *addr)
{
    struct virtual_host *host = net_virtual_host_of(net);
    struct virtual_socket *socket = net_virtual_name(host, token, EV_NET_CONNECT);
    struct virtual_place to = place_of(addr);

    net_virtual_count_open(socket);
    vcpu_charge(host->vcpu, COST_SOCKET_OPEN, 1);
    if (!exists(&to)) {
        net_virtual_complete(&socket->opened, -ERR_NETUNREACH, VIRTUAL_BY_CALL);
        net_virtual_forget(socket);
        return;
    }
    if (is_any(&to))
        memcpy(to.ip, to.family == CALL_AF_INET ? loopback4 : loopback6, sizeof(to.ip));

    const struct virtual_socket *listener = find_bound(host->world, &to, true);
    struct virtual_conn *conn = new_conn(socket, &to);

    set_link(conn, listener == NULL ? NULL : listener->host);
    attempt(&conn->sides[VIRTUAL_CLIENT], vcpu_now_ns(host->vcpu));
}
