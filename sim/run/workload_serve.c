/*
 * The accepting guest: binds, listens, accepts, echoes until the peer ends its stream.
 *
 * A built-in client opens with the payload header, echoed like all else; then what arrives is
 * compared here too. Bytes of anybody else are only echoed (and hashed, if `accepts` is 1).
 * Where the device may be lost, connections that go with it are lost and no failures, and it binds
 * and listens again after UP.
 * A few accepts wait at a time, so that a burst of connections needs no round trip each.
 */
#include <stdlib.h>

#include "sim/run/workload_private.h"

static void fail(struct wl *wl, const char *what, int32_t ret)
{
    workload_fail(wl, what, ret);
    wl->listening = true; /* nobody has to wait for it any more */
    workload_finish(wl);
}

void workload_serve_start(struct wl *wl)
{
    struct workload_set *set = wl->set;
    int64_t sock = fe_bind(set->env.fe, &wl->spec->listen.addr, workload_call(set));

    workload_called(set, CALL_BIND, (uint64_t)sock, sock);
    if (sock < 0 && workload_is_down(wl))
        return; /* until it is up again */
    if (sock < 0) {
        fail(wl, "bind", (int32_t)sock);
        return;
    }
    wl->listener = (uint64_t)sock;
    wl->listener_live = true;
    set->live++;
}

static struct conn *new_conn(struct wl *wl, uint64_t sock)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    assert(conn);
    conn->echo = malloc(wl->spec->read_bytes ? wl->spec->read_bytes : 65536);
    assert(conn->echo);
    conn->wl = wl;
    conn->state = CONN_CONNECTING;
    conn->header_left = PAYLOAD_HEADER_BYTES;
    conn->number = (uint32_t)wl->accepts_asked;
    conn->next = wl->served_conns;
    wl->served_conns = conn;
    workload_adopt(conn, sock);
    return conn;
}

static void free_conn(struct conn *conn)
{
    struct conn **link = &conn->wl->served_conns;

    while (*link != conn)
        link = &(*link)->next;
    *link = conn->next;
    conn->wl->set->by_slot[step_slot(conn->sock)] = NULL;
    free(conn->echo);
    free(conn);
}

void workload_serve_free(struct wl *wl)
{
    while (wl->served_conns)
        free_conn(wl->served_conns);
}

static void ask_accepts(struct wl *wl)
{
    struct workload_set *set = wl->set;

    while (wl->accepts_waiting < WORKLOAD_ACCEPTS && set->phase < WORKLOAD_DRAIN &&
           (wl->spec->accepts == 0 || wl->accepts_asked < wl->spec->accepts)) {
        int64_t sock = fe_accept(set->env.fe, wl->listener, workload_call(set));
        workload_called(set, CALL_ACCEPT, wl->listener, sock);
        if (sock < 0) {
            if (wl->accepts_waiting == 0 && !workload_is_down(wl))
                fail(wl, "accept on", (int32_t)sock);
            return;
        }
        wl->accepts_asked++;
        wl->accepts_waiting++;
        new_conn(wl, (uint64_t)sock);
    }
}

/* Something a client of ours was given is broken: by whoever was there, or with the device. */
static void broken(struct conn *conn, const char *what, int32_t ret)
{
    if (workload_is_down(conn->wl))
        workload_lose(conn);
    else
        workload_fail(conn->wl, what, ret);
    workload_release(conn);
}

static void ended(struct wl *wl)
{
    wl->served++;
    wl->operations++;
    if (wl->spec->accepts != 0 && wl->served == wl->spec->accepts)
        workload_finish(wl);
}

/* The first bytes tell whether a built-in client is there; then its stream starts at 0 again. */
static uint32_t take_header(struct conn *conn, const uint8_t *bytes, uint32_t count)
{
    uint32_t taken = count < conn->header_left ? count : conn->header_left;
    struct payload_header header;

    memcpy(conn->header + PAYLOAD_HEADER_BYTES - conn->header_left, bytes, taken);
    conn->header_left -= taken;
    if (conn->header_left == 0 && payload_header_unpack(conn->header, &header) == 0) {
        conn->has_header = true;
        conn->key = payload_key(header.seed, header.stream);
    }
    return taken;
}

static void received(struct conn *conn, uint32_t count)
{
    struct wl *wl = conn->wl;
    const uint8_t *bytes = conn->echo;

    wl->received += count;
    conn->echo_at = 0;
    conn->echo_bytes = count;
    if (wl->digesting)
        payload_digest_update(&wl->digest, bytes, count);
    if (conn->header_left > 0) {
        uint32_t taken = take_header(conn, bytes, count);
        bytes += taken;
        count -= taken;
    }
    if (conn->has_header)
        workload_check(conn, bytes, count);
    conn->received += count;
}

/* Echo what was received; false while the ring is full. */
static bool send_echo(struct conn *conn)
{
    while (conn->echo_bytes > 0) {
        int64_t taken = workload_send(conn, conn->echo + conn->echo_at, conn->echo_bytes);
        if (taken < 0) {
            broken(conn, "echo to a client of", (int32_t)taken);
            return false;
        }
        conn->wl->sent += (uint64_t)taken;
        conn->echo_at += (uint32_t)taken;
        conn->echo_bytes -= (uint32_t)taken;
        if (conn->echo_bytes > 0)
            return false;
    }
    return true;
}

void workload_serve_ready(struct conn *conn)
{
    uint32_t bytes = conn->wl->spec->read_bytes ? conn->wl->spec->read_bytes : 65536;

    while (conn->state == CONN_OPEN && send_echo(conn)) {
        int64_t taken = workload_recv(conn, conn->echo, bytes);
        if (taken == -ERR_AGAIN)
            return;
        if (taken > 0) {
            received(conn, (uint32_t)taken);
            continue;
        }
        if (taken < 0)
            broken(conn, "receive from a client of", (int32_t)taken);
        else
            workload_release(conn);
    }
}

static void accepted(struct conn *conn, int32_t ret)
{
    struct wl *wl = conn->wl;

    wl->accepts_waiting--;
    if (ret < 0) {
        if (wl->set->phase < WORKLOAD_DRAIN && !workload_is_down(wl))
            workload_fail(wl, "accept on", ret);
        wl->set->live--;
        free_conn(conn);
        return;
    }
    wl->connections++;
    conn->state = CONN_OPEN;
    ask_accepts(wl);
    if (wl->set->phase >= WORKLOAD_DRAIN)
        workload_release(conn); /* came too late to be served */
    else
        workload_serve_ready(conn);
}

static void listener_done(struct wl *wl, const struct act_done *done)
{
    struct workload_set *set = wl->set;

    if (done->call == CALL_RELEASE) {
        wl->listener_live = false;
        return;
    }
    if (set->phase >= WORKLOAD_DRAIN)
        return; /* it is being released, so what was under way is over, and no failure */
    if (done->ret == -ERR_CONNRESET && workload_is_down(wl)) {
        wl->listener_live = false; /* so it ends, whatever the call was */
        set->live--;
    } else if (done->call == CALL_BIND && done->ret < 0) {
        wl->listener_live = false;
        set->live--;
        wl->bind_error = done->ret;
        fail(wl, "bind", done->ret);
    } else if (done->call == CALL_BIND) {
        int ret = fe_listen(set->env.fe, wl->listener, workload_call(set));
        workload_called(set, CALL_LISTEN, wl->listener, ret);
        if (ret < 0 && !workload_is_down(wl))
            fail(wl, "listen on", ret);
    } else if (done->call == CALL_LISTEN && done->ret < 0) {
        wl->bind_error = done->ret;
        fail(wl, "listen on", done->ret);
    } else if (done->call == CALL_LISTEN) {
        wl->listening = true;
        ask_accepts(wl);
    }
}

void workload_serve_done(struct wl *wl, const struct act_done *done)
{
    struct conn *conn = wl->set->by_slot[step_slot(done->sock)];

    if (wl->listener_live && done->sock == wl->listener) {
        listener_done(wl, done);
    } else if (conn && conn->wl == wl && conn->sock == done->sock) {
        if (done->call == CALL_ACCEPT) {
            accepted(conn, done->ret);
        } else if (done->call == CALL_RELEASE) {
            if (!conn->lost)
                ended(wl);
            free_conn(conn);
        }
    }
}

static void release_listener(struct wl *wl)
{
    struct workload_set *set = wl->set;

    if (!wl->listener_live)
        return;
    int ret = fe_release(set->env.fe, wl->listener, workload_call(set));
    workload_called(set, CALL_RELEASE, wl->listener, ret);
    assert(ret == 0);
}

void workload_serve_gone(struct wl *wl)
{
    if (wl->set->phase < WORKLOAD_DRAIN) /* else it has been */
        release_listener(wl);
    for (struct conn *conn = wl->served_conns; conn; conn = conn->next) {
        if (conn->state != CONN_OPEN)
            continue;
        workload_lose(conn);
        workload_release(conn);
    }
}

void workload_serve_drain(struct wl *wl)
{
    release_listener(wl);
    for (struct conn *conn = wl->served_conns; conn; conn = conn->next)
        if (conn->state == CONN_OPEN && !conn->has_header)
            workload_release(conn); /* a stranger may stay for ever; a client of ours ends itself */
}
