/* The built-in peers on a libuv loop. See peer_uv.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/peer_uv.h"

#include "ringlib/err.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>
#include <uv.h>

struct peer_uv {
    uv_tcp_t listener; /* first: the callbacks get its address; not opened for a client */
    uv_loop_t *loop;
    struct peer_uv_config config;
    struct peer_streams streams;
    struct conn *conns;
    uv_timer_t timer; /* of a client's pause; opened where connections are cut */
    int filler;       /* the connection of its own that fills an unreachable one's queue; or -1 */
    bool listening;   /* the listener is open */
    bool timing;      /* the timer is */
    bool stopping;
};

struct conn {
    uv_tcp_t tcp; /* first: the callbacks get its address */
    struct peer_uv *peer;
    struct conn *prev, *next;
    uv_connect_t connect;
    uv_write_t write; /* one at a time */
    uv_shutdown_t shutdown;
    struct peer_stream stream;
    size_t pending; /* bytes of the write in flight */
    uint8_t in[PEER_CHUNK_BYTES];
    uint8_t out[PEER_CHUNK_BYTES]; /* of a source, a client or a responder */
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
    if (peer->stopping && !peer->listening && !peer->timing && !peer->conns)
        free(peer);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct peer_uv *peer = (struct peer_uv *)(void *)handle;

    peer->listening = false;
    free_when_closed(peer);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct peer_uv *peer = handle->data;

    peer->timing = false;
    free_when_closed(peer);
}

static void open_more(struct peer_uv *peer);

static void on_pause_over(uv_timer_t *timer)
{
    struct peer_uv *peer = timer->data;

    peer->streams.pausing = false;
    open_more(peer);
}

/* One connection less: another one now, or after a pause. */
static void go_on(struct peer_uv *peer)
{
    if (peer->streams.pausing && !uv_is_active((uv_handle_t *)&peer->timer))
        uv_timer_start(&peer->timer, on_pause_over, PEER_PAUSE_NS / 1000000, 0);
    open_more(peer);
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *conn = (struct conn *)(void *)handle;
    struct peer_uv *peer = conn->peer;

    DL_DELETE(peer->conns, conn);
    peer_stream_closed(&conn->stream);
    free(conn);
    if (!peer->stopping)
        go_on(peer);
    if (peer->stopping)
        free_when_closed(peer);
    else if (peer->streams.counters.open == 0 && peer->config.finished &&
             (!peer->streams.pausing || peer->streams.over))
        peer->config.finished(peer->config.self); /* which may have stopped the peer */
}

static void close_conn(struct conn *conn)
{
    if (!uv_is_closing((uv_handle_t *)&conn->tcp))
        uv_close((uv_handle_t *)&conn->tcp, on_conn_closed);
}

/* The connection came to its end: `status` is UV_EOF or what broke it. Of a reset both directions
 * may tell. */
static void end(struct conn *conn, int status)
{
    if (uv_is_closing((uv_handle_t *)&conn->tcp))
        return;
    peer_stream_end(&conn->stream, status != UV_EOF);
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
    peer_stream_sent(&conn->stream, conn->pending);
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
    peer_stream_sent(&conn->stream, (size_t)taken);
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

/* The next bytes of a source's, a client's or a responder's own stream; then a source waits for the
 * other side's end, a responder for the next request, a client reads all the time. */
static void send_next(struct conn *conn)
{
    size_t size = peer_stream_fill(&conn->stream, conn->out, sizeof(conn->out));

    if (size > 0) {
        post(conn, conn->out, size, on_sent);
    } else if (conn->peer->streams.kind == SCENARIO_PEER_SOURCE) {
        uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shut_down);
        start_reading(conn);
    } else if (conn->peer->streams.kind == SCENARIO_PEER_RESPONDER) {
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

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf)
{
    struct conn *conn = (struct conn *)(void *)stream;
    size_t size = (size_t)bytes, echo_bytes;

    (void)buf;
    if (bytes < 0) {
        end(conn, (int)bytes);
        return;
    }
    switch (peer_stream_take(&conn->stream, conn->in, size, &echo_bytes)) {
    case PEER_STREAM_READ: break;
    case PEER_STREAM_ECHO: echo(conn, conn->in + size - echo_bytes, echo_bytes); break;
    case PEER_STREAM_SEND:
        uv_read_stop(stream);
        send_next(conn);
        break;
    case PEER_STREAM_CLOSE: close_conn(conn); break;
    case PEER_STREAM_RESET: uv_tcp_close_reset(&conn->tcp, on_conn_closed); break;
    }
    open_more(conn->peer); /* it may have been answered */
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
        peer->streams.counters.connect_failures++;
        return NULL;
    }
    conn->peer = peer;
    DL_APPEND(peer->conns, conn);
    return conn;
}

static void fail_connect(struct conn *conn)
{
    peer_stream_refused(&conn->stream);
    close_conn(conn);
}

/* Without memory the connection stays with libuv, which then accepts no further ones. */
static void on_connection(uv_stream_t *listener, int status)
{
    struct peer_uv *peer = (struct peer_uv *)(void *)listener;
    struct conn *conn;

    if (status < 0) {
        peer->streams.counters.connect_failures++;
        return;
    }
    conn = add_conn(peer);
    if (!conn)
        return;
    peer_stream_accept(&conn->stream, &peer->streams);
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) < 0) {
        fail_connect(conn);
        return;
    }
    peer->streams.counters.connections++;
    uv_tcp_nodelay(&conn->tcp, 1);
    if (peer->streams.conduct != SCENARIO_CONDUCT_NEVER_READS)
        start_reading(conn);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct conn *conn = (struct conn *)(void *)connect->handle;

    if (status == UV_ECANCELED) /* closed meanwhile */
        return;
    if (status < 0) {
        fail_connect(conn);
        return;
    }
    conn->peer->streams.counters.connections++;
    uv_tcp_nodelay(&conn->tcp, 1);
    start_reading(conn);
    send_next(conn);
}

static void open_conn(struct peer_uv *peer, uint64_t number)
{
    struct conn *conn = add_conn(peer);
    struct sockaddr_storage host;
    struct call_addr addr;

    if (!conn)
        return;
    peer_stream_connect(&conn->stream, &peer->streams, number);
    addr = call_addr_after(&peer->config.connect_to, conn->stream.listener);
    host_addr(&host, &addr);
    if (uv_tcp_connect(&conn->connect, &conn->tcp, (struct sockaddr *)&host, on_connected) < 0)
        fail_connect(conn);
}

static void open_more(struct peer_uv *peer)
{
    uint64_t number;

    while (peer_streams_next(&peer->streams, &number))
        open_conn(peer, number);
}

/* ---- the peer ---- */

/* Whose queue is full does not answer who connects: Linux has room for one more than the backlog
 * (sk_acceptq_is_full). libuv would take them off the queue, so it does not know of this. */
static int fill_queue(struct peer_uv *peer, const struct sockaddr_storage *host)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof(own);
    uv_os_fd_t fd;

    peer->filler = socket(host->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (uv_fileno((uv_handle_t *)&peer->listener, &fd) < 0 || peer->filler < 0 ||
        listen(fd, 0) < 0 || getsockname(fd, (struct sockaddr *)&own, &length) < 0 ||
        connect(peer->filler, (struct sockaddr *)&own, length) < 0)
        return uv_translate_sys_error(errno);
    return 0;
}

/* By its conduct; that a port is taken libuv says late. */
static int begin_to_listen(struct peer_uv *peer, const struct sockaddr_storage *host)
{
    struct sockaddr_storage own;
    int length = sizeof(own);
    int status = uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&own, &length);

    if (status < 0 || peer->streams.conduct == SCENARIO_CONDUCT_REFUSES)
        return status;
    if (peer->streams.conduct == SCENARIO_CONDUCT_UNREACHABLE)
        return fill_queue(peer, host);
    return uv_listen((uv_stream_t *)&peer->listener, SCENARIO_SOCKETS_MAX, on_connection);
}

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
        status = begin_to_listen(peer, &host);
    return status < 0 ? error_of(status) : 0;
}

struct peer_uv *peer_uv_start(struct uv_loop_s *loop, const struct scenario_peer *peer,
                              const struct peer_uv_config *config, int *error)
{
    struct peer_uv *started = calloc(1, sizeof(*started));

    if (!started) {
        *error = -ERR_NOMEM;
        return NULL;
    }
    started->loop = loop;
    started->filler = -1;
    started->config = *config;
    peer_streams_init(&started->streams, peer, config->seed, config->stream_base);
    started->streams.cuts = config->cuts;
    if (peer->kind == SCENARIO_PEER_CLIENT) {
        started->timing = uv_timer_init(loop, &started->timer) == 0;
        started->timer.data = started;
        return started;
    }
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
    assert(peer->streams.kind == SCENARIO_PEER_CLIENT);
    open_more(peer);
}

void peer_uv_end(struct peer_uv *peer)
{
    peer->streams.over = true;
}

const struct peer_counters *peer_uv_counters(const struct peer_uv *peer)
{
    return &peer->streams.counters;
}

void peer_uv_stop(struct peer_uv *peer)
{
    struct conn *conn;

    peer->stopping = true;
    DL_FOREACH (peer->conns, conn)
        close_conn(conn);
    if (peer->listening)
        uv_close((uv_handle_t *)&peer->listener, on_listener_closed);
    if (peer->timing)
        uv_close((uv_handle_t *)&peer->timer, on_timer_closed);
    if (peer->filler >= 0)
        close(peer->filler);
    free_when_closed(peer);
}
