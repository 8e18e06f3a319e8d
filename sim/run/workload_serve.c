/*
 * The accepting guest: binds, listens, accepts, echoes until the peer ends its stream.
 *
 * A built-in client opens with the payload header, echoed like all else; then what arrives is
 * compared here too. Bytes of anybody else are only echoed (and hashed, if `accepts` is 1).
 *
 * A single listener keeps a few accepts waiting, so that a burst of connections needs no round trip
 * each; of several, which share the command ring, each keeps one. With `polls` each keeps a poll
 * waiting instead, and accepts one connection when that says so: then the ring has no accept that
 * waits, and there may be any number of listeners (backend/be_poll.c).
 *
 * Where the device may be lost, connections that go with it are lost and no failures, and it binds
 * and listens again after UP.
 */
#include <stdlib.h>

#include "sim/run/workload_private.h"

static void fail(struct wl *wl, const char *what, int32_t ret)
{
    workload_fail(wl, what, ret);
    wl->listening = true; /* nobody has to wait for it any more */
    workload_finish(wl);
}

bool workload_serve_make(struct wl *wl)
{
    wl->listeners = calloc(wl->spec->listeners, sizeof(struct listener));
    return wl->listeners != NULL;
}

/* How many accepts a listener keeps waiting. */
static uint32_t accepts_of(const struct scenario_workload *spec)
{
    return spec->listeners == 1 && !spec->polls ? WORKLOAD_ACCEPTS : 1;
}

uint32_t workload_serve_slots(const struct scenario_workload *spec)
{
    return spec->listeners * (1 + accepts_of(spec) + (spec->polls ? 1 : 0));
}

static void serve_start(struct wl *wl)
{
    struct workload_set *set = wl->set;

    for (uint32_t i = 0; i < wl->spec->listeners && !wl->finished; i++) {
        struct call_addr addr = call_addr_after(&wl->spec->listen.addr, i);
        int64_t sock = fe_bind(set->env.fe, &addr, workload_call(set));

        workload_called(set, CALL_BIND, (uint64_t)sock, sock);
        if (sock < 0 && workload_is_down(wl))
            return; /* until it is up again */
        if (sock < 0) {
            fail(wl, "bind", (int32_t)sock);
            return;
        }
        wl->listeners[i].sock = (uint64_t)sock;
        wl->listeners[i].live = true;
        set->live++;
    }
}

static struct conn *new_conn(struct wl *wl, struct listener *listener, uint64_t sock)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    assert(conn);
    conn->echo = malloc(wl->spec->read_bytes ? wl->spec->read_bytes : 65536);
    assert(conn->echo);
    conn->wl = wl;
    conn->listener = listener;
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
    free(wl->listeners);
}

static bool may_accept(const struct wl *wl)
{
    return wl->set->phase < WORKLOAD_DRAIN && !wl->finished &&
           (wl->spec->accepts == 0 || wl->accepts_asked < wl->spec->accepts);
}

/* A socket more than the guest, or the backend for it, may have. */
static bool is_room(int32_t ret)
{
    return ret == -ERR_NOSPC || ret == -ERR_MFILE || ret == -ERR_NFILE || ret == -ERR_NOBUFS ||
           ret == -ERR_NOMEM;
}

/* Whether a socket of this guest may yet be released, and leave room: any but its listeners. */
static bool may_leave_room(const struct workload_set *set)
{
    uint32_t listeners = 0;

    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t j = 0; set->wls[i].listeners && j < set->wls[i].spec->listeners; j++)
            listeners += set->wls[i].listeners[j].live ? 1u : 0u;
    return set->live > listeners;
}

/* Something a listener asked for cannot be had: now, or it never will. */
static void refused(struct wl *wl, struct listener *listener, const char *what, int32_t ret)
{
    if (workload_is_down(wl))
        return;
    if (!is_room(ret) || !may_leave_room(wl->set)) {
        fail(wl, what, ret);
        return;
    }
    listener->starved = true;
    wl->starved++;
}

static void ask_accepts(struct wl *wl, struct listener *listener)
{
    struct workload_set *set = wl->set;

    while (listener->waiting < accepts_of(wl->spec) && may_accept(wl)) {
        int64_t sock = fe_accept(set->env.fe, listener->sock, workload_call(set));
        workload_called(set, CALL_ACCEPT, listener->sock, sock);
        if (sock < 0) {
            if (listener->waiting == 0)
                refused(wl, listener, "accept on", (int32_t)sock);
            return;
        }
        wl->accepts_asked++;
        listener->waiting++;
        new_conn(wl, listener, (uint64_t)sock);
    }
}

static void ask_poll(struct wl *wl, struct listener *listener)
{
    struct workload_set *set = wl->set;

    if (listener->polling || listener->waiting > 0 || !may_accept(wl))
        return;
    int ret = fe_poll(set->env.fe, listener->sock, workload_call(set));
    workload_called(set, CALL_POLL, listener->sock, ret);
    listener->polling = ret == 0;
    if (ret < 0)
        refused(wl, listener, "poll", ret);
}

/* Wait for the next connection of a listener. */
static void ask(struct wl *wl, struct listener *listener)
{
    if (wl->spec->polls)
        ask_poll(wl, listener);
    else
        ask_accepts(wl, listener);
}

/* A socket of the guest was released: whoever found no room asks again. */
void workload_serve_room(struct workload_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t j = 0; set->wls[i].listeners && j < set->wls[i].spec->listeners; j++) {
            struct listener *listener = &set->wls[i].listeners[j];
            if (!listener->starved)
                continue;
            listener->starved = false;
            if (listener->live)
                ask(&set->wls[i], listener);
        }
}

static void ended(struct wl *wl)
{
    wl->served++;
    wl->operations++;
    if (wl->spec->accepts != 0 && wl->served == wl->spec->accepts)
        workload_finish(wl);
}

/* Of `raw` bytes in one direction those that are payload: whose first bytes are a header is known
 * when they are there, or when no more will come. */
static uint64_t payload_of(const struct conn *conn, uint64_t raw, bool over)
{
    if (conn->has_header)
        return raw > PAYLOAD_HEADER_BYTES ? raw - PAYLOAD_HEADER_BYTES : 0;
    return conn->header_left > 0 && !over ? 0 : raw;
}

static void count(struct conn *conn, bool over)
{
    uint64_t sent = payload_of(conn, conn->raw_sent, over);
    uint64_t received = payload_of(conn, conn->raw_received, over);

    conn->wl->sent += sent - conn->sent;
    conn->wl->received += received - conn->received;
    conn->sent = sent;
    conn->received = received;
}

static void digest(struct conn *conn, const uint8_t *bytes, uint32_t size)
{
    if (conn->wl->digesting)
        payload_digest_update(&conn->wl->digest, bytes, size);
}

/* The first bytes tell whether a built-in client is there; then its stream starts at 0. */
static uint32_t take_header(struct conn *conn, const uint8_t *bytes, uint32_t size)
{
    uint32_t taken = size < conn->header_left ? size : conn->header_left;
    struct payload_header header;

    memcpy(conn->header + PAYLOAD_HEADER_BYTES - conn->header_left, bytes, taken);
    conn->header_left -= taken;
    if (conn->header_left > 0 || taken == 0)
        return taken;
    if (payload_header_unpack(conn->header, &header) == 0) {
        conn->has_header = true;
        conn->key = payload_key(header.seed, header.stream);
        conn->receive_key = conn->key;
    } else {
        digest(conn, conn->header, PAYLOAD_HEADER_BYTES);
    }
    return taken;
}

static void received(struct conn *conn, uint32_t size)
{
    uint32_t header = take_header(conn, conn->echo, size);

    conn->echo_at = 0;
    conn->echo_bytes = size;
    if (conn->has_header)
        workload_check(conn, conn->echo + header, size - header);
    digest(conn, conn->echo + header, size - header);
    conn->raw_received += size;
    count(conn, false);
}

/* No more will come: what there is of a header was none. */
static void stream_ended(struct conn *conn)
{
    if (conn->header_left > 0)
        digest(conn, conn->header, PAYLOAD_HEADER_BYTES - conn->header_left);
    count(conn, true);
    workload_release(conn);
}

/* Something a client of ours was given is broken: by whoever was there, or with the device. */
static void broken(struct conn *conn, const char *what, int32_t ret)
{
    if (workload_is_down(conn->wl))
        workload_lose(conn);
    else
        workload_fail(conn->wl, what, ret);
}

/* Echo what was received; false while the ring is full. */
static bool send_echo(struct conn *conn)
{
    while (conn->echo_bytes > 0) {
        int64_t taken = workload_send(conn, conn->echo + conn->echo_at, conn->echo_bytes);
        if (taken < 0) {
            broken(conn, "echo to a client of", (int32_t)taken);
            workload_release(conn);
            return false;
        }
        conn->raw_sent += (uint64_t)taken;
        conn->echo_at += (uint32_t)taken;
        conn->echo_bytes -= (uint32_t)taken;
        count(conn, false);
        if (conn->echo_bytes > 0)
            return false;
    }
    return true;
}

static void serve_ready(struct conn *conn)
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
        stream_ended(conn);
    }
}

static void accepted(struct conn *conn, int32_t ret)
{
    struct listener *listener = conn->listener;
    struct wl *wl = conn->wl;

    listener->waiting--;
    if (ret < 0) {
        wl->set->live--;
        wl->accepts_asked--;
        free_conn(conn);
        if (wl->set->phase < WORKLOAD_DRAIN)
            refused(wl, listener, "accept on", ret);
        return;
    }
    wl->connections++;
    listener->accepted++;
    conn->state = CONN_OPEN;
    ask(wl, listener);
    if (wl->set->phase >= WORKLOAD_DRAIN)
        workload_release(conn); /* came too late to be served */
    else
        serve_ready(conn);
}

static void polled(struct wl *wl, struct listener *listener, int32_t ret)
{
    listener->polling = false;
    if (ret < 0)
        refused(wl, listener, "poll", ret);
    else
        ask_accepts(wl, listener);
}

/* So a listener ends when the device goes, whatever was asked of it. */
static void listener_lost(struct wl *wl, struct listener *listener)
{
    listener->live = false;
    wl->set->live--;
}

/* It listens on fewer ports than it should: the first of those that could not be had is told. */
static void not_listening(struct wl *wl, const struct listener *listener, const char *what,
                          int32_t ret)
{
    if (wl->bind_error == 0) {
        wl->bind_error = ret;
        wl->bind_port =
            call_addr_port(&wl->spec->listen.addr) + (uint32_t)(listener - wl->listeners);
    }
    fail(wl, what, ret);
}

static void bound(struct wl *wl, struct listener *listener, int32_t ret)
{
    struct workload_set *set = wl->set;

    if (ret == -ERR_CONNRESET && workload_is_down(wl)) {
        listener_lost(wl, listener);
        return;
    }
    if (ret == 0) {
        ret = fe_listen(set->env.fe, listener->sock, workload_call(set));
        workload_called(set, CALL_LISTEN, listener->sock, ret);
        if (ret < 0 && !workload_is_down(wl))
            fail(wl, "listen on", ret);
        return;
    }
    listener->live = false;
    set->live--;
    not_listening(wl, listener, "bind", ret);
}

static void listens(struct wl *wl, struct listener *listener, int32_t ret)
{
    if (ret == -ERR_CONNRESET && workload_is_down(wl)) {
        listener_lost(wl, listener);
        return;
    }
    if (ret < 0) {
        not_listening(wl, listener, "listen on", ret);
        return;
    }
    wl->listening |= ++wl->listening_count == wl->spec->listeners;
    ask(wl, listener);
}

static void listener_done(struct wl *wl, struct listener *listener, const struct act_done *done)
{
    if (done->call == CALL_RELEASE)
        listener->live = false;
    else if (wl->set->phase >= WORKLOAD_DRAIN)
        return; /* it is being released, so what was under way is over, and no failure */
    else if (done->call == CALL_BIND)
        bound(wl, listener, done->ret);
    else if (done->call == CALL_LISTEN)
        listens(wl, listener, done->ret);
    else if (done->call == CALL_POLL)
        polled(wl, listener, done->ret);
}

static struct listener *find_listener(struct wl *wl, uint64_t sock)
{
    for (uint32_t i = 0; i < wl->spec->listeners; i++)
        if (wl->listeners[i].live && wl->listeners[i].sock == sock)
            return &wl->listeners[i];
    return NULL;
}

void workload_serve_done(struct wl *wl, const struct act_done *done)
{
    struct conn *conn = wl->set->by_slot[step_slot(done->sock)];
    struct listener *listener;

    if (conn && conn->sock == done->sock) {
        if (conn->wl != wl)
            return;
        if (done->call == CALL_ACCEPT) {
            accepted(conn, done->ret);
        } else if (done->call == CALL_RELEASE) {
            if (!conn->lost)
                ended(wl);
            free_conn(conn);
        }
    } else if ((listener = find_listener(wl, done->sock))) {
        listener_done(wl, listener, done);
    }
}

static void release_listeners(struct wl *wl)
{
    struct workload_set *set = wl->set;

    for (uint32_t i = 0; i < wl->spec->listeners; i++) {
        if (!wl->listeners[i].live)
            continue;
        int ret = fe_release(set->env.fe, wl->listeners[i].sock, workload_call(set));
        workload_called(set, CALL_RELEASE, wl->listeners[i].sock, ret);
        assert(ret == 0);
    }
}

static void serve_gone(struct wl *wl)
{
    wl->listening_count = 0;
    if (wl->set->phase < WORKLOAD_DRAIN) /* else they have been */
        release_listeners(wl);
    for (struct conn *conn = wl->served_conns; conn; conn = conn->next) {
        if (conn->state != CONN_OPEN)
            continue;
        workload_lose(conn);
        workload_release(conn);
    }
}

static void serve_drain(struct wl *wl)
{
    release_listeners(wl);
    for (struct conn *conn = wl->served_conns; conn; conn = conn->next)
        if (conn->state == CONN_OPEN && !conn->has_header)
            workload_release(conn); /* a stranger may stay for ever; a client of ours ends itself */
}

void workload_serve_cut(struct wl *wl)
{
    struct workload_set *set = wl->set;

    for (struct conn *conn = wl->served_conns; conn; conn = conn->next) {
        if (conn->state == CONN_RELEASING) { /* and its client does not read: give up the rest */
            int ret = fe_linger_end(set->env.fe, conn->sock, workload_call(set));
            workload_called(set, CALL_RELEASE, conn->sock, ret);
        } else if (conn->state == CONN_OPEN) {
            workload_release(conn);
        }
    }
}

const struct workload_kind workload_serve = {.start = serve_start,
                                             .gone = serve_gone,
                                             .resume = serve_start,
                                             .drain = serve_drain,
                                             .ready = serve_ready};
