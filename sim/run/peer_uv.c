/*
 * The built-in peers on a libuv loop. See peer_uv.h.
 *
 * A connection's life: header first (32 bytes, in whatever pieces), then its stream, then end(),
 * which judges how it ended. Whatever goes wrong with one connection is counted and closes it;
 * the peer goes on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/peer_uv.h"

#include "ringlib/err.h"
#include "sim/run/payload.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include <uv.h>

enum {
    CHUNK_BYTES = 64 << 10, /* what libuv reads at most at once */
    BACKLOG = SCENARIO_SOCKETS_MAX,
    UNANSWERED_MAX = 8, /* a client's connections nobody took yet: below the backlog of draft 1 */
};

struct peer_uv {
    uv_tcp_t listener; /* first: the callbacks get its address; not opened for a client */
    uv_loop_t *loop;
    enum scenario_peer_kind kind;
    uint32_t client_connections;
    uint64_t client_bytes;
    uint32_t client_opened, client_unanswered;
    struct peer_uv_config config;
    struct peer_uv_counters counters;
    struct conn *conns;
    bool listening; /* the listener is open */
    bool stopping;
};

struct conn {
    uv_tcp_t tcp; /* first: the callbacks get its address */
    struct peer_uv *peer;
    struct conn *prev, *next;
    uv_connect_t connect;
    uv_write_t write; /* one at a time */
    uv_shutdown_t shutdown;
    uint8_t wire[PAYLOAD_HEADER_BYTES]; /* as far as received; a client's: what is expected */
    uint32_t header_bytes;              /* of it, received */
    struct payload_header header;
    uint64_t key;
    uint64_t limit;    /* bytes of the stream, UINT64_MAX without an end */
    uint64_t sent;     /* of the stream */
    uint64_t received; /* of the stream */
    size_t pending;    /* bytes of the write in flight */
    bool unanswered;   /* a client's: counted as one nobody took yet */
    uint8_t in[CHUNK_BYTES];
    uint8_t out[CHUNK_BYTES]; /* of a source or a client */
};

/* The wire's number for a libuv error, of those a socket gives when it is opened or bound. */
static int error_of(int status)
{
    static const struct {
        int uv;
        enum err wire;
    } table[] = {
        {UV_EADDRINUSE, ERR_ADDRINUSE}, {UV_EADDRNOTAVAIL, ERR_ADDRNOTAVAIL},
        {UV_EACCES, ERR_ACCES},         {UV_EAFNOSUPPORT, ERR_AFNOSUPPORT},
        {UV_EMFILE, ERR_MFILE},         {UV_ENFILE, ERR_NFILE},
        {UV_ENOMEM, ERR_NOMEM},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].uv == status)
            return -(int)table[i].wire;
    return -ERR_IO;
}

static void host_addr(struct sockaddr_storage *host, const struct call_addr *addr)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(call_addr_port(addr))};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = in.sin_port};

    assert(call_addr_check(addr) == 0);
    memset(host, 0, sizeof(*host));
    memcpy(&in.sin_addr, addr->bytes + 4, 4);
    memcpy(&in6.sin6_addr, addr->bytes + 8, 16);
    if (call_addr_family(addr) == CALL_AF_INET)
        memcpy(host, &in, sizeof(in));
    else
        memcpy(host, &in6, sizeof(in6));
}

/* ---- the end of things ---- */

static void free_when_closed(struct peer_uv *peer)
{
    if (peer->stopping && !peer->listening && !peer->conns)
        free(peer);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct peer_uv *peer = (struct peer_uv *)(void *)handle;

    peer->listening = false;
    free_when_closed(peer);
}

static void open_more(struct peer_uv *peer);

/* Somebody took a client's connection, or it is over. */
static void answered(struct conn *conn)
{
    conn->peer->client_unanswered -= conn->unanswered ? 1u : 0u;
    conn->unanswered = false;
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *conn = (struct conn *)(void *)handle;
    struct peer_uv *peer = conn->peer;

    DL_DELETE(peer->conns, conn);
    answered(conn);
    free(conn);
    peer->counters.open--;
    if (!peer->stopping)
        open_more(peer);
    if (peer->stopping)
        free_when_closed(peer);
    else if (peer->counters.open == 0 && peer->config.finished)
        peer->config.finished(peer->config.self); /* which may have stopped the peer */
}

static void close_conn(struct conn *conn)
{
    if (!uv_is_closing((uv_handle_t *)&conn->tcp))
        uv_close((uv_handle_t *)&conn->tcp, on_conn_closed);
}

static bool is_client(const struct conn *conn)
{
    return conn->peer->kind == SCENARIO_PEER_CLIENT;
}

static bool has_header(const struct conn *conn)
{
    return conn->header_bytes == PAYLOAD_HEADER_BYTES;
}

/* Whoever reads an endless stream leaves in the midst of it, which TCP calls a reset. */
static bool may_break(const struct conn *conn)
{
    return has_header(conn) && conn->limit == UINT64_MAX && conn->header.mode != PAYLOAD_UP;
}

static void reject(struct conn *conn)
{
    conn->peer->counters.protocol_errors++;
    close_conn(conn);
}

/* The connection came to its end: `status` is 0, UV_EOF or what broke it. */
static void end(struct conn *conn, int status)
{
    struct peer_uv_counters *counters = &conn->peer->counters;
    uint64_t moved = conn->header.mode == PAYLOAD_DOWN ? conn->sent : conn->received;

    if (!is_client(conn) && conn->header_bytes == 0) {
        close_conn(conn); /* it said nothing: a guest may give a socket up as it connects */
        return;
    }
    if (status == UV_EOF && !has_header(conn)) {
        reject(conn);
        return;
    }
    if (status < 0 && status != UV_EOF && !may_break(conn))
        counters->resets++;
    if (moved < conn->header.bytes)
        counters->short_streams++;
    close_conn(conn);
}

/* ---- writing ---- */

/* Hand one write to libuv, which tries at once and calls back from the loop in any case: so other
 * connections get their turn however much there is to send. */
static void post(struct conn *conn, uint8_t *data, size_t size, uv_write_cb done)
{
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)size);
    int status;

    assert(conn->pending == 0);
    conn->pending = size;
    status = uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, done);
    if (status < 0)
        end(conn, status);
}

/* Account for a write that has completed; false if the connection is at its end. */
static bool is_written(struct conn *conn, int status)
{
    if (status == UV_ECANCELED) /* closed meanwhile */
        return false;
    if (status < 0) {
        end(conn, status);
        return false;
    }
    conn->peer->counters.bytes_out += conn->pending;
    conn->sent += conn->pending;
    conn->pending = 0;
    return true;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *conn = (struct conn *)(void *)handle;

    (void)suggested;
    *buf = uv_buf_init((char *)conn->in, sizeof(conn->in));
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf);

static void start_reading(struct conn *conn)
{
    int status = uv_read_start((uv_stream_t *)&conn->tcp, on_room, on_read);

    if (status < 0)
        end(conn, status);
}

static void on_echoed(uv_write_t *write, int status)
{
    struct conn *conn = (struct conn *)(void *)write->handle;

    if (is_written(conn, status))
        start_reading(conn);
}

/* Send back what lies in `in`; it is not read into again before all of it has gone. */
static void echo(struct conn *conn, uint8_t *data, size_t size)
{
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)size);
    int taken = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);

    if (taken == UV_EAGAIN)
        taken = 0;
    if (taken < 0) {
        end(conn, taken);
        return;
    }
    conn->sent += (uint64_t)taken;
    conn->peer->counters.bytes_out += (uint64_t)taken;
    if ((size_t)taken == size)
        return;
    uv_read_stop((uv_stream_t *)&conn->tcp);
    post(conn, data + taken, size - (size_t)taken, on_echoed);
}

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status; /* a broken connection shows when it is read */
}

static void on_sent(uv_write_t *write, int status);

/* The next bytes of a source's or a client's own stream; a source then waits for the other side's
 * end, a client reads all the time. */
static void send_next(struct conn *conn)
{
    uint64_t left = conn->limit - conn->sent;
    size_t size = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;

    if (size > 0) {
        payload_fill(conn->key, conn->sent, conn->out, size);
        post(conn, conn->out, size, on_sent);
    } else if (!is_client(conn)) {
        uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shut_down);
        start_reading(conn);
    }
}

static void on_sent(uv_write_t *write, int status)
{
    struct conn *conn = (struct conn *)(void *)write->handle;

    if (is_written(conn, status))
        send_next(conn);
}

/* ---- reading ---- */

static void compare(struct conn *conn, const uint8_t *data, size_t size)
{
    struct peer_uv_counters *counters = &conn->peer->counters;
    size_t from = 0;
    ptrdiff_t wrong;

    while ((wrong = payload_check(conn->key, conn->received + from, data + from, size - from)) >=
           0) {
        from += (size_t)wrong;
        if (counters->mismatches++ == 0) {
            counters->first_bad_stream = conn->header.stream;
            counters->first_bad_offset = conn->received + from;
        }
        from++;
    }
}

static void take_stream(struct conn *conn, uint8_t *data, size_t size)
{
    if (size > conn->limit - conn->received || (conn->header.mode == PAYLOAD_DOWN && size > 0)) {
        reject(conn);
        return;
    }
    compare(conn, data, size);
    conn->received += size;
    conn->peer->counters.bytes_in += size;
    if (is_client(conn)) {
        if (conn->received == conn->limit)
            end(conn, 0);
    } else if (conn->header.mode == PAYLOAD_BOTH && size > 0) {
        echo(conn, data, size);
    }
}

static enum payload_mode mode_of(enum scenario_peer_kind kind)
{
    switch (kind) {
    case SCENARIO_PEER_SINK: return PAYLOAD_UP;
    case SCENARIO_PEER_SOURCE: return PAYLOAD_DOWN;
    case SCENARIO_PEER_ECHO:
    case SCENARIO_PEER_CLIENT:
    case SCENARIO_PEER_EXTERNAL: break;
    }
    return PAYLOAD_BOTH;
}

static bool accept_header(struct conn *conn)
{
    if (payload_header_unpack(conn->wire, &conn->header) < 0 ||
        conn->header.mode != mode_of(conn->peer->kind)) {
        conn->header = (struct payload_header){0};
        return false;
    }
    conn->key = payload_key(conn->header.seed, conn->header.stream);
    conn->limit = conn->header.bytes ? conn->header.bytes : UINT64_MAX;
    return true;
}

/* Takes what of the bytes belongs to the header: how many, or -1 if it is none that we take. A
 * client's comes back from the guest. */
static ptrdiff_t take_header(struct conn *conn, const uint8_t *data, size_t size)
{
    size_t left = PAYLOAD_HEADER_BYTES - conn->header_bytes;
    size_t taken = size < left ? size : left;
    uint8_t *place = conn->wire + conn->header_bytes;

    if (left == 0)
        return 0;
    conn->header_bytes += (uint32_t)taken;
    if (is_client(conn))
        return memcmp(place, data, taken) == 0 ? (ptrdiff_t)taken : -1;
    memcpy(place, data, taken);
    return !has_header(conn) || accept_header(conn) ? (ptrdiff_t)taken : -1;
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf)
{
    struct conn *conn = (struct conn *)(void *)stream;
    bool had_header = has_header(conn);
    ptrdiff_t taken;

    (void)buf;
    if (bytes < 0) {
        end(conn, (int)bytes);
        return;
    }
    taken = take_header(conn, conn->in, (size_t)bytes);
    if (taken < 0) {
        reject(conn);
        return;
    }
    if (!has_header(conn))
        return;
    if (!had_header && is_client(conn)) {
        answered(conn);
        open_more(conn->peer);
    }
    take_stream(conn, conn->in + taken, (size_t)(bytes - taken));
    if (!had_header && conn->header.mode == PAYLOAD_DOWN &&
        !uv_is_closing((uv_handle_t *)&conn->tcp)) {
        uv_read_stop(stream);
        send_next(conn);
    }
}

/* ---- connections ---- */

static struct conn *add_conn(struct peer_uv *peer)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (conn && uv_tcp_init(peer->loop, &conn->tcp) < 0) {
        free(conn);
        conn = NULL;
    }
    if (!conn) {
        peer->counters.connect_failures++;
        return NULL;
    }
    conn->peer = peer;
    DL_APPEND(peer->conns, conn);
    peer->counters.open++;
    return conn;
}

static void fail_connect(struct conn *conn)
{
    conn->peer->counters.connect_failures++;
    close_conn(conn);
}

/* Without memory the connection stays with libuv, which then accepts no further ones. */
static void on_connection(uv_stream_t *listener, int status)
{
    struct peer_uv *peer = (struct peer_uv *)(void *)listener;
    struct conn *conn;

    if (status < 0) {
        peer->counters.connect_failures++;
        return;
    }
    conn = add_conn(peer);
    if (!conn)
        return;
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) < 0) {
        fail_connect(conn);
        return;
    }
    peer->counters.connections++;
    uv_tcp_nodelay(&conn->tcp, 1);
    start_reading(conn);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct conn *conn = (struct conn *)(void *)connect->handle;
    uv_buf_t buf = uv_buf_init((char *)conn->wire, sizeof(conn->wire));

    if (status == UV_ECANCELED) /* closed meanwhile */
        return;
    if (status < 0) {
        fail_connect(conn);
        return;
    }
    conn->peer->counters.connections++;
    uv_tcp_nodelay(&conn->tcp, 1);
    status = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
    if (status < 0) {
        end(conn, status);
        return;
    }
    assert(status == PAYLOAD_HEADER_BYTES); /* a new connection has room for it */
    start_reading(conn);
    send_next(conn);
}

static void open_conn(struct peer_uv *peer, uint64_t stream)
{
    struct conn *conn = add_conn(peer);
    struct sockaddr_storage host;

    if (!conn)
        return;
    conn->unanswered = true;
    peer->client_unanswered++;
    conn->header = (struct payload_header){
        .mode = PAYLOAD_BOTH,
        .seed = peer->config.seed,
        .stream = stream,
        .bytes = peer->client_bytes,
    };
    payload_header_pack(&conn->header, conn->wire);
    conn->key = payload_key(peer->config.seed, stream);
    conn->limit = peer->client_bytes;
    host_addr(&host, &peer->config.connect_to);
    if (uv_tcp_connect(&conn->connect, &conn->tcp, (struct sockaddr *)&host, on_connected) < 0)
        fail_connect(conn);
}

/* Open what a client has still to open, a few at a time: a listener's queue is short. */
static void open_more(struct peer_uv *peer)
{
    while (peer->client_opened < peer->client_connections &&
           peer->client_unanswered < UNANSWERED_MAX)
        open_conn(peer, peer->config.stream_base + peer->client_opened++);
}

/* ---- the peer ---- */

static int listen_on(struct peer_uv *peer, const struct call_addr *addr)
{
    struct sockaddr_storage host;
    int status = uv_tcp_init(peer->loop, &peer->listener);

    if (status < 0)
        return error_of(status);
    peer->listening = true;
    host_addr(&host, addr);
    status = uv_tcp_bind(&peer->listener, (struct sockaddr *)&host, 0); /* sets SO_REUSEADDR */
    if (status == 0)
        status = uv_listen((uv_stream_t *)&peer->listener, BACKLOG, on_connection);
    return status < 0 ? error_of(status) : 0;
}

struct peer_uv *peer_uv_start(struct uv_loop_s *loop, const struct scenario_peer *peer,
                              const struct peer_uv_config *config, int *error)
{
    struct peer_uv *started = calloc(1, sizeof(*started));

    assert(peer->kind != SCENARIO_PEER_EXTERNAL);
    if (!started) {
        *error = -ERR_NOMEM;
        return NULL;
    }
    started->loop = loop;
    started->kind = peer->kind;
    started->client_connections = peer->connections;
    started->client_bytes = peer->bytes;
    started->config = *config;
    if (peer->kind == SCENARIO_PEER_CLIENT)
        return started;
    *error = listen_on(started, &peer->addr.addr);
    if (*error == 0)
        return started;
    peer_uv_stop(started);
    return NULL;
}

void peer_uv_address(const struct peer_uv *peer, char text[SCENARIO_ADDR_BYTES])
{
    struct sockaddr_storage host = {0};
    int length = sizeof(host);
    char ip[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in in;

    text[0] = '\0';
    if (!peer->listening)
        return;
    uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&host, &length);
    uv_ip_name((struct sockaddr *)&host, ip, sizeof(ip));
    memcpy(&in, &host, sizeof(in)); /* sockaddr_in6 has its port in the same place */
    snprintf(text, SCENARIO_ADDR_BYTES, host.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
             ntohs(in.sin_port));
}

void peer_uv_begin(struct peer_uv *peer)
{
    assert(peer->kind == SCENARIO_PEER_CLIENT);
    open_more(peer);
}

const struct peer_uv_counters *peer_uv_counters(const struct peer_uv *peer)
{
    return &peer->counters;
}

void peer_uv_stop(struct peer_uv *peer)
{
    struct conn *conn;

    peer->stopping = true;
    DL_FOREACH (peer->conns, conn)
        close_conn(conn);
    if (peer->listening)
        uv_close((uv_handle_t *)&peer->listener, on_listener_closed);
    free_when_closed(peer);
}
