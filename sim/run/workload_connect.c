/*
 * Connections alone: `connect-close` connects, releases as soon as it is connected, and again.
 *
 * Sends nothing, so it says what a connection costs both sides: pages and a port shared and mapped,
 * a socket opened, all of it undone. Operations are connections released. Two times are taken from
 * the start, in an open loop the intended one: until it is established, and until it is released.
 * Where the device may be lost, a connection that goes with it is lost, and begun again after UP.
 */
#include "sim/run/workload_private.h"

/* This socket connects no more. */
static void connect_end(struct conn *conn)
{
    conn->state = CONN_IDLE;
    if (--conn->wl->running == 0)
        workload_finish(conn->wl);
}

/* Begin a connection that was to begin at `intended_ns`. */
static void connect_begin(struct conn *conn, uint64_t intended_ns)
{
    struct wl *wl = conn->wl;
    struct workload_set *set = wl->set;
    int64_t sock = fe_connect(set->env.fe, &wl->peer->addr.addr, workload_call(set));

    workload_called(set, CALL_CONNECT, (uint64_t)sock, sock);
    wl->requests++;
    conn->intended_ns = intended_ns;
    conn->asked_ns = set->now_ns;
    workload_note(conn, TRACE_ARRIVAL, wl->requests - 1);
    if (sock < 0 && workload_is_down(wl)) {
        wl->requests--;
        conn->lost = true; /* it waits for the device, without having been anything */
        return;
    }
    if (sock < 0) {
        workload_fail(wl, "connect to", (int32_t)sock);
        connect_end(conn);
        return;
    }
    conn->state = CONN_CONNECTING;
    wl->connections++;
    workload_adopt(conn, (uint64_t)sock);
}

/* The next one, when it is due; or there is none. */
static void next(struct conn *conn)
{
    conn->state = CONN_IDLE;
    if (!workload_client_may_ask(conn->wl))
        connect_end(conn);
    else if (!workload_arrivals_wait(conn))
        connect_begin(conn, conn->wl->set->now_ns);
}

static void connect_start(struct wl *wl)
{
    wl->running = wl->spec->sockets;
    workload_arrivals_start(wl);
    for (uint32_t i = 0; i < wl->spec->sockets; i++) {
        wl->conns[i].wl = wl;
        wl->conns[i].number = i;
        next(&wl->conns[i]);
    }
}

static void established(struct conn *conn)
{
    struct wl *wl = conn->wl;
    uint64_t now_ns = wl->set->now_ns;

    wl->connected++;
    if (conn->state != CONN_CONNECTING)
        return; /* given up at the end of the run */
    conn->state = CONN_OPEN;
    if (workload_measures(wl)) {
        metrics_hist_record(wl->times->latency, now_ns - conn->intended_ns);
        if (wl->times->service)
            metrics_hist_record(wl->times->service, now_ns - conn->asked_ns);
    }
    workload_release(conn);
}

/* It went with the device: unless it is late for that, it is begun again behind UP. */
static void lost(struct conn *conn)
{
    struct wl *wl = conn->wl;

    workload_lose(conn);
    wl->requests--;
    conn->state = CONN_IDLE;
    if (workload_stopping(wl))
        connect_end(conn);
}

static void connect_gone(struct wl *wl)
{
    for (uint32_t i = 0; i < wl->spec->sockets; i++)
        wl->conns[i].lost |= wl->conns[i].idle;
    workload_arrivals_forget(wl);
}

static void connect_resume(struct wl *wl)
{
    for (uint32_t i = 0; i < wl->spec->sockets; i++) {
        struct conn *conn = &wl->conns[i];
        if (!conn->lost)
            continue;
        conn->lost = false;
        next(conn);
    }
}

static void released(struct conn *conn)
{
    struct wl *wl = conn->wl;
    uint64_t took_ns = wl->set->now_ns - conn->intended_ns;

    wl->operations++; /* one given up at the end of the run comes too late to count */
    workload_note(conn, TRACE_ANSWER, took_ns);
    if (workload_measures(wl))
        metrics_hist_record(wl->times->released, took_ns);
    next(conn);
}

static void connect_done(struct conn *conn, const struct act_done *done)
{
    bool ends = done->call == CALL_RELEASE || done->ret < 0;

    if (ends && workload_is_down(conn->wl)) {
        lost(conn);
    } else if (done->call == CALL_RELEASE) {
        released(conn);
    } else if (done->call == CALL_CONNECT && done->ret == 0) {
        established(conn);
    } else if (done->call == CALL_CONNECT) {
        workload_fail(conn->wl, "connect to", done->ret);
        connect_end(conn);
    }
}

static void connect_drain(struct wl *wl)
{
    for (uint32_t i = 0; i < wl->spec->sockets; i++)
        if (wl->conns[i].state == CONN_CONNECTING)
            workload_release(&wl->conns[i]);
}

const struct workload_kind workload_connect = {.start = connect_start,
                                               .gone = connect_gone,
                                               .resume = connect_resume,
                                               .drain = connect_drain,
                                               .done = connect_done,
                                               .ask = connect_begin,
                                               .end = connect_end,
                                               .rest = CONN_IDLE};
