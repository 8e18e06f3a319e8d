/*
 * The built-in peers in virtual time. See peer_virtual.h.
 *
 * A token of the host is the running number of a connection, never used again, or the listener's.
 * A conn lives until its NET_CLOSE, which comes after whatever is in flight in its buffers.
 */
#include "sim/run/peer_virtual.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>

enum {
    LISTENER = 0,
    FILLER = INT32_MAX, /* the connection of its own that fills an unreachable one's queue */
    IDLE_BYTES = 256,   /* least room of a read */
    EVENTS_MAX = 128,   /* of a turn, as of the executor's */
};

/* Detail of TRACE_PEER. */
enum { TOOK, SENT, ENDED };

struct buffer {
    uint8_t *bytes;
    uint32_t room;
};

struct conn {
    struct peer_virtual *peer;
    uint64_t token;
    struct peer_stream stream;
    struct buffer in;
    struct buffer out;       /* of a source, a client or a responder */
    uint32_t read_room;      /* of the next read */
    uint32_t unwritten;      /* bytes of the write in flight, and what comes after it, */
    const uint8_t *to_write; /* from here */
    bool closing;
    UT_hash_handle hh;
};

static_assert(sizeof(struct conn) + IDLE_BYTES <= 768, "100,000 idle connections are 77 MB");

struct peer_virtual {
    struct peer_virtual_config config;
    struct peer_streams streams;
    struct vcpu *vcpu;
    struct net *net;
    struct conn *conns; /* by token; one more than accepted: that waits */
    uint64_t tokens;    /* given so far */
    uint64_t now_ns;    /* of the turn */
    bool begun;
    uint64_t pause_ns; /* a client's pause ends then */
};

/* Exactly so much room, of no contents; 0: none. */
static void hold(struct buffer *buffer, uint32_t room)
{
    if (room == buffer->room)
        return;
    free(buffer->bytes);
    buffer->bytes = room ? malloc(room) : NULL;
    assert(buffer->bytes || room == 0);
    buffer->room = room;
}

static void trace(const struct conn *conn, uint8_t what, uint64_t bytes, uint64_t offset)
{
    const struct peer_virtual *peer = conn->peer;

    trace_put(peer->config.trace, &(struct trace_record){
                                      .now_ns = peer->now_ns,
                                      .token = conn->token,
                                      .value = offset,
                                      .extra = (uint32_t)bytes,
                                      .who = peer->config.who,
                                      .point = TRACE_PEER,
                                      .detail = what,
                                  });
}

/* ---- connections ---- */

static struct conn *add_conn(struct peer_virtual *peer)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    assert(conn);
    conn->peer = peer;
    conn->token = ++peer->tokens;
    conn->read_room = IDLE_BYTES;
    HASH_ADD(hh, peer->conns, token, sizeof(conn->token), conn);
    return conn;
}

static void free_conn(struct conn *conn)
{
    HASH_DEL(conn->peer->conns, conn);
    hold(&conn->in, 0);
    hold(&conn->out, 0);
    free(conn);
}

/* It is over, and nothing of it in flight. */
static void drop(struct conn *conn)
{
    peer_stream_closed(&conn->stream);
    free_conn(conn);
}

static void close_conn(struct conn *conn)
{
    bool sends = conn->peer->streams.kind == SCENARIO_PEER_SOURCE;

    trace(conn, ENDED, 0, sends ? conn->stream.sent : conn->stream.received);
    conn->closing = true;
    net_close(conn->peer->net, conn->token);
}

static void reset_conn(struct conn *conn)
{
    trace(conn, ENDED, 0, conn->stream.received);
    conn->closing = true;
    net_reset(conn->peer->net, conn->token);
}

static void end(struct conn *conn, bool broken)
{
    peer_stream_end(&conn->stream, broken);
    close_conn(conn);
}

/* ---- bytes ---- */

static void post_read(struct conn *conn)
{
    hold(&conn->in, conn->read_room);
    net_read(conn->peer->net, conn->token,
             &(struct shared_iov){.base = conn->in.bytes, .length = conn->in.room}, 1);
}

/* The room of the next read, by what this one took. */
static void adapt_room(struct conn *conn, uint32_t bytes)
{
    if (bytes == conn->in.room && conn->in.room < PEER_CHUNK_BYTES)
        conn->read_room = conn->in.room * 4;
    else if (bytes < conn->in.room / 4 && conn->in.room > IDLE_BYTES)
        conn->read_room = conn->in.room / 4;
}

static void post_write(struct conn *conn)
{
    struct shared_iov iov = {.base = (void *)(uintptr_t)conn->to_write, .length = conn->unwritten};

    net_write(conn->peer->net, conn->token, &iov, 1);
}

static void write_bytes(struct conn *conn, const uint8_t *bytes, size_t size)
{
    assert(conn->unwritten == 0);
    conn->to_write = bytes;
    conn->unwritten = (uint32_t)size;
    post_write(conn);
}

/* The next bytes of a source's, a client's or a responder's own stream; then a source waits for the
 * other side's end, a responder for the next request, a client reads all the time. */
static void send_next(struct conn *conn)
{
    uint64_t unsent = peer_stream_unsent(&conn->stream);

    if (unsent > 0) {
        hold(&conn->out, unsent < PEER_CHUNK_BYTES ? (uint32_t)unsent : PEER_CHUNK_BYTES);
        write_bytes(conn, conn->out.bytes,
                    peer_stream_fill(&conn->stream, conn->out.bytes, conn->out.room));
        return;
    }
    hold(&conn->out, 0);
    if (conn->peer->streams.kind == SCENARIO_PEER_SOURCE) {
        net_shutdown(conn->peer->net, conn->token);
        post_read(conn);
    } else if (conn->peer->streams.kind == SCENARIO_PEER_RESPONDER) {
        post_read(conn);
    }
}

/* ---- completions; of one that is closing, only its close ---- */

static void on_read(struct conn *conn, int32_t ret)
{
    uint64_t offset = conn->stream.received;
    size_t size = (size_t)ret, echo_bytes;
    enum peer_stream_todo todo;

    if (ret <= 0) {
        end(conn, ret < 0);
        return;
    }
    todo = peer_stream_take(&conn->stream, conn->in.bytes, size, &echo_bytes);
    trace(conn, TOOK, conn->stream.received - offset, offset);
    adapt_room(conn, (uint32_t)ret);
    switch (todo) {
    case PEER_STREAM_READ: post_read(conn); break;
    case PEER_STREAM_ECHO: write_bytes(conn, conn->in.bytes + size - echo_bytes, echo_bytes); break;
    case PEER_STREAM_SEND: send_next(conn); break;
    case PEER_STREAM_CLOSE: close_conn(conn); break;
    case PEER_STREAM_RESET: reset_conn(conn); break;
    }
}

static void on_write(struct conn *conn, int32_t ret)
{
    uint64_t offset = conn->stream.sent;

    if (ret < 0) {
        end(conn, true);
        return;
    }
    assert((uint32_t)ret <= conn->unwritten);
    peer_stream_sent(&conn->stream, (size_t)ret);
    trace(conn, SENT, conn->stream.sent - offset, offset);
    conn->unwritten -= (uint32_t)ret;
    conn->to_write += ret;
    if (conn->unwritten > 0)
        post_write(conn);
    else if (conn->peer->streams.kind == SCENARIO_PEER_ECHO)
        post_read(conn);
    else
        send_next(conn);
}

static void on_accept(struct conn *conn, int32_t ret)
{
    struct peer_virtual *peer = conn->peer;

    if (ret == 0) {
        peer->streams.counters.connections++;
        peer_stream_accept(&conn->stream, &peer->streams);
        if (peer->streams.conduct != SCENARIO_CONDUCT_NEVER_READS)
            post_read(conn);
        conn = add_conn(peer);
    } else {
        peer->streams.counters.connect_failures++;
    }
    net_accept(peer->net, conn->token, LISTENER);
}

static void on_connect(struct conn *conn, int32_t ret)
{
    if (ret < 0) {
        peer_stream_refused(&conn->stream);
        drop(conn); /* the token names nothing */
        return;
    }
    conn->peer->streams.counters.connections++;
    post_read(conn);
    send_next(conn);
}

static void take(struct peer_virtual *peer, const struct ev *ev)
{
    static void (*const handlers[])(struct conn * conn, int32_t ret) = {
        [EV_NET_READ] = on_read,
        [EV_NET_WRITE] = on_write,
        [EV_NET_ACCEPT] = on_accept,
        [EV_NET_CONNECT] = on_connect,
    };
    struct conn *conn;

    if (ev->token == FILLER)
        return;
    HASH_FIND(hh, peer->conns, &ev->token, sizeof(ev->token), conn);
    assert(conn);
    if (ev->kind == EV_NET_CLOSE)
        drop(conn);
    else if (!conn->closing)
        handlers[ev->kind](conn, ev->ret);
}

/* ---- the peer ---- */

/* A connection was cut: the next one waits. */
static void pause_if_cut(struct peer_virtual *peer)
{
    struct peer_streams *streams = &peer->streams;

    if (streams->pausing && peer->pause_ns == 0) {
        peer->pause_ns = peer->now_ns + PEER_PAUSE_NS;
        vcpu_wake(peer->vcpu, peer->pause_ns);
    } else if (streams->pausing && peer->pause_ns <= peer->now_ns) {
        streams->pausing = false;
        peer->pause_ns = 0;
    }
}

static void open_more(struct peer_virtual *peer)
{
    uint64_t number;

    while (peer_streams_next(&peer->streams, &number)) {
        struct conn *conn = add_conn(peer);
        struct call_addr addr;

        peer_stream_connect(&conn->stream, &peer->streams, number);
        addr = call_addr_after(&peer->config.connect_to, conn->stream.listener);
        net_connect(peer->net, conn->token, &addr);
    }
}

static bool run(void *self, uint64_t now_ns)
{
    struct peer_virtual *peer = self;
    uint32_t taken = 0;
    struct ev ev;

    peer->now_ns = now_ns;
    vcpu_charge(peer->vcpu, COST_TURN, 1);
    for (; taken < EVENTS_MAX && net_next(peer->net, &ev); taken++)
        take(peer, &ev);
    pause_if_cut(peer);
    if (peer->begun)
        open_more(peer);
    return taken == EVENTS_MAX;
}

/* What the listener's operation gave. Outside a turn a call takes effect, and completes, at once.
 */
static int listener_result(struct peer_virtual *peer)
{
    struct ev ev;
    bool completed = net_next(peer->net, &ev);

    assert(completed && ev.token == LISTENER);
    return completed ? ev.ret : 0;
}

/* Whose queue is full does not answer who connects. */
static int fill_queue(struct peer_virtual *peer)
{
    struct call_addr own = net_virtual_address(peer->net, LISTENER);

    net_listen(peer->net, LISTENER, 0);
    int error = listener_result(peer);
    if (error == 0)
        net_connect(peer->net, FILLER, &own);
    return error;
}

static int listen_on(struct peer_virtual *peer, const struct call_addr *addr)
{
    int error;

    net_bind(peer->net, LISTENER, addr);
    error = listener_result(peer);
    if (error < 0 || peer->streams.conduct == SCENARIO_CONDUCT_REFUSES)
        return error;
    if (peer->streams.conduct == SCENARIO_CONDUCT_UNREACHABLE)
        return fill_queue(peer);
    net_listen(peer->net, LISTENER, SCENARIO_SOCKETS_MAX);
    error = listener_result(peer);
    if (error == 0)
        net_accept(peer->net, add_conn(peer)->token, LISTENER);
    return error;
}

struct peer_virtual *peer_virtual_start(const struct peer_virtual_config *config, int *error)
{
    const struct scenario_peer *spec = config->peer;
    struct peer_virtual *peer = calloc(1, sizeof(*peer));
    struct vcpu_config vcpu = {.name = spec->name, .cpu = spec->cpu, .self = peer, .run = run};
    struct net_virtual_host_config host = {.name = spec->name, .who = config->who};

    assert(peer);
    peer->config = *config;
    peer->config.peer = NULL;
    peer_streams_init(&peer->streams, spec, config->seed, config->stream_base);
    peer->streams.cuts = config->cuts;
    host.vcpu = peer->vcpu = vcpu_add(config->vcpus, &vcpu);
    peer->net = net_virtual_host(config->world, &host);
    *error = spec->kind == SCENARIO_PEER_CLIENT ? 0 : listen_on(peer, &spec->addr.addr);
    if (*error == 0)
        return peer;
    peer_virtual_stop(peer);
    return NULL;
}

struct call_addr peer_virtual_address(const struct peer_virtual *peer)
{
    if (peer->streams.kind == SCENARIO_PEER_CLIENT)
        return (struct call_addr){0};
    return net_virtual_address(peer->net, LISTENER);
}

void peer_virtual_begin(struct peer_virtual *peer)
{
    assert(peer->streams.kind == SCENARIO_PEER_CLIENT && !peer->begun);
    peer->begun = true;
    vcpu_wake(peer->vcpu, vcpu_now_ns(peer->vcpu));
}

const struct peer_counters *peer_virtual_counters(const struct peer_virtual *peer)
{
    return &peer->streams.counters;
}

struct net *peer_virtual_net(const struct peer_virtual *peer)
{
    return peer->net;
}

void peer_virtual_stop(struct peer_virtual *peer)
{
    vcpu_retire(peer->vcpu);
    net_destroy(peer->net);
    while (peer->conns)
        free_conn(peer->conns);
    free(peer);
}
