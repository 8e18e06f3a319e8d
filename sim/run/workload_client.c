/*
 * Workloads that connect: `stream` (up, down, both) and `request-response`.
 *
 * A connection to a built-in peer opens with a header that tells it what to compare or to send. An
 * upward stream is through when its release is: the backend took every byte. In `both` and in
 * request-response what was sent comes back and is compared; a responder sends other bytes instead,
 * as many as each request says that it wants. The k-th request that a workload begins, and its
 * answer, have the k-th sizes of its own sequences, whichever socket is idle then; one that is
 * begun again, since the first went with its device, counts as another. A stream's writes are drawn
 * for each socket and round.
 */
#include "sim/run/workload_private.h"

/* Above the streams of enum workload_draw: with the number of a socket over all repeats. */
#define DRAW_OF_SOCKETS (UINT64_C(1) << 32)

static bool is_echoed(const struct wl *wl)
{
    return wl->spec->kind == SCENARIO_REQUEST_RESPONSE || wl->spec->direction == SCENARIO_BOTH;
}

/* Whether requests say what they want. */
static bool is_answered(const struct wl *wl)
{
    return wl->peer->kind == SCENARIO_PEER_RESPONDER;
}

static bool is_down(const struct wl *wl)
{
    return wl->spec->kind == SCENARIO_STREAM && wl->spec->direction == SCENARIO_DOWN;
}

static void conn_through(struct conn *conn)
{
    conn->state = CONN_IDLE;
    conn->wl->running--;
    if (conn->wl->running == 0)
        workload_finish(conn->wl);
}

static void set_header(struct conn *conn, uint64_t stream)
{
    const struct wl *wl = conn->wl;
    uint64_t bytes = wl->spec->kind == SCENARIO_STREAM ? wl->spec->bytes : 0;
    struct payload_header header = {.mode = is_answered(wl) ? PAYLOAD_ASK
                                            : is_echoed(wl) ? PAYLOAD_BOTH
                                            : is_down(wl)   ? PAYLOAD_DOWN
                                                            : PAYLOAD_UP,
                                    .seed = wl->set->env.scenario->seed,
                                    .stream = stream,
                                    .bytes = bytes};

    payload_header_pack(&header, conn->header);
    conn->header_left = wl->peer->kind == SCENARIO_PEER_EXTERNAL ? 0 : PAYLOAD_HEADER_BYTES;
}

static void open_conn(struct conn *conn)
{
    struct wl *wl = conn->wl;
    struct workload_set *set = wl->set;
    uint64_t stream = (uint64_t)set->env.guest << 48 | (uint64_t)wl->index << 32 |
                      (uint64_t)(conn->number + (uint64_t)conn->round * wl->spec->sockets);

    conn->sent = conn->received = 0;
    conn->ended = conn->lost = false;
    conn->to_send = is_down(wl) ? 0 : wl->spec->bytes != 0 ? wl->spec->bytes : UINT64_MAX;
    if (wl->spec->kind == SCENARIO_REQUEST_RESPONSE)
        conn->to_send = 0; /* grows with each request */
    conn->to_receive = 0;
    conn->key = payload_key(set->env.scenario->seed, stream);
    conn->receive_key = is_answered(wl) ? payload_answer_key(conn->key) : conn->key;
    conn->write_end = 0;
    workload_prng(&conn->writes, wl, DRAW_OF_SOCKETS | (stream & UINT32_MAX));
    set_header(conn, stream);
    int64_t sock = fe_connect(set->env.fe, &wl->peer->addr.addr, workload_call(set));
    workload_called(set, CALL_CONNECT, (uint64_t)sock, sock);
    if (sock < 0 && workload_is_down(wl)) {
        conn->lost = true; /* it waits for the device, without having been anything */
        return;
    }
    if (sock < 0) {
        workload_fail(wl, "connect to", (int32_t)sock);
        conn_through(conn);
        return;
    }
    conn->state = CONN_CONNECTING;
    wl->connections++;
    workload_adopt(conn, (uint64_t)sock);
}

static void client_start(struct wl *wl)
{
    wl->running = wl->spec->sockets;
    workload_prng(&wl->asks, wl, WORKLOAD_DRAW_REQUEST);
    workload_prng(&wl->answers, wl, WORKLOAD_DRAW_RESPONSE);
    workload_arrivals_start(wl);
    for (uint32_t i = 0; i < wl->spec->sockets; i++) {
        wl->conns[i].wl = wl;
        wl->conns[i].number = i;
    }
    for (uint32_t i = 0; i < wl->spec->sockets; i++)
        open_conn(&wl->conns[i]);
}

/* The socket went with the device: its round, or the request under way, is to be begun again. */
static void conn_lost(struct conn *conn)
{
    struct wl *wl = conn->wl;

    if (!conn->lost && wl->spec->kind == SCENARIO_REQUEST_RESPONSE &&
        conn->received < conn->to_receive)
        wl->requests--;
    workload_lose(conn);
}

static void conn_failed(struct conn *conn, const char *what, int32_t ret)
{
    if (workload_is_down(conn->wl)) {
        conn_lost(conn);
    } else {
        workload_fail(conn->wl, what, ret);
        conn->round = UINT32_MAX; /* no more repeats */
    }
    workload_release(conn);
}

/* Whether there may be one more request. */
bool workload_client_may_ask(const struct wl *wl)
{
    return wl->spec->kind != SCENARIO_STREAM && !workload_stopping(wl) &&
           (wl->spec->operations == 0 || wl->requests < wl->spec->operations);
}

/* Send the rest of the header; false when the ring took less. */
static bool send_header(struct conn *conn)
{
    while (conn->header_left > 0) {
        uint32_t at = PAYLOAD_HEADER_BYTES - conn->header_left;
        int64_t taken = workload_send(conn, conn->header + at, conn->header_left);
        if (taken < 0) {
            conn_failed(conn, "send to", (int32_t)taken);
            return false;
        }
        conn->header_left -= (uint32_t)taken;
        if (conn->header_left > 0)
            return false;
    }
    return true;
}

/* Over the first bytes of a request, as far as they are among the next `bytes`. */
static void put_ask(const struct conn *conn, uint8_t *buffer, uint32_t bytes)
{
    uint64_t at = conn->sent - conn->ask_at;

    if (at >= PAYLOAD_ASK_BYTES)
        return;
    uint32_t left = PAYLOAD_ASK_BYTES - (uint32_t)at;
    memcpy(buffer, conn->ask + at, bytes < left ? bytes : left);
}

/* The next `bytes` of a stream. A write that the ring takes in parts is made only once. */
static const uint8_t *payload_of(struct conn *conn, uint32_t bytes)
{
    struct workload_set *set = conn->wl->set;
    bool made = set->made_key == conn->key && conn->sent >= set->made_at &&
                conn->sent + bytes <= set->made_at + set->made_bytes;

    if (!made) {
        payload_fill(conn->key, conn->sent, set->out_buffer, bytes);
        if (is_answered(conn->wl))
            put_ask(conn, set->out_buffer, bytes);
        set->made_key = conn->key;
        set->made_at = conn->sent;
        set->made_bytes = bytes;
    }
    return set->out_buffer + (conn->sent - set->made_at);
}

/* How much of the write, or the request, under way is left to send at once: what the ring cut short
 * goes on where it was. */
static uint32_t write_left(struct conn *conn)
{
    const struct wl *wl = conn->wl;

    if (wl->spec->kind == SCENARIO_STREAM && conn->sent == conn->write_end)
        conn->write_end += draw_next(&wl->spec->write, 1, &conn->writes);
    uint64_t end = wl->spec->kind == SCENARIO_STREAM && conn->write_end < conn->to_send
                       ? conn->write_end
                       : conn->to_send;
    uint64_t left = end - conn->sent;
    return left < wl->set->buffer_bytes ? (uint32_t)left : wl->set->buffer_bytes;
}

/* Send what is decided, write by write, until the ring is full. */
static void send_payload(struct conn *conn)
{
    struct wl *wl = conn->wl;

    while (conn->sent < conn->to_send && conn->state == CONN_OPEN) {
        uint32_t bytes = write_left(conn);
        int64_t taken = workload_send(conn, payload_of(conn, bytes), bytes);
        if (taken < 0) {
            conn_failed(conn, "send to", (int32_t)taken);
            return;
        }
        conn->sent += (uint64_t)taken;
        wl->sent += (uint64_t)taken;
        if (taken < bytes)
            return;
    }
}

void workload_note(const struct conn *conn, enum trace_point point, uint64_t value)
{
    exec_note(conn->wl->set->env.exec, &(struct trace_record){.point = (uint8_t)point,
                                                              .token = conn->intended_ns,
                                                              .extra = conn->wl->index,
                                                              .value = value});
}

/* Of the next request and its answer. */
static void decide_sizes(struct conn *conn)
{
    struct wl *wl = conn->wl;
    bool asks = is_answered(wl);
    uint64_t bytes = draw_next(&wl->spec->request, asks ? PAYLOAD_ASK_BYTES : 1, &wl->asks);
    uint64_t back = asks && draw_is_given(&wl->spec->response)
                        ? draw_next(&wl->spec->response, 1, &wl->answers)
                        : bytes;

    conn->ask_at = conn->to_send;
    conn->to_send += bytes;
    conn->to_receive += back;
    if (asks)
        payload_ask_pack(&(struct payload_ask){(uint32_t)bytes, (uint32_t)back}, conn->key,
                         conn->ask_at, conn->ask);
}

/* Begin a request that was to begin at `intended_ns`. */
static void client_ask(struct conn *conn, uint64_t intended_ns)
{
    struct wl *wl = conn->wl;

    wl->requests++;
    decide_sizes(conn);
    conn->intended_ns = intended_ns;
    conn->asked_ns = wl->set->now_ns;
    workload_note(conn, TRACE_ARRIVAL, wl->requests - 1);
    send_payload(conn);
}

/* Nothing is left to send or to wait for: release, or ask again. */
static void end_if_through(struct conn *conn)
{
    struct wl *wl = conn->wl;
    bool all_sent = conn->sent == conn->to_send && conn->header_left == 0;
    bool through = is_down(wl)       ? wl->spec->bytes != 0 && conn->received == wl->spec->bytes
                   : is_answered(wl) ? all_sent && conn->received == conn->to_receive
                   : is_echoed(wl)   ? all_sent && conn->received == conn->sent
                                     : all_sent;

    if (conn->state != CONN_OPEN)
        return;
    if (through && workload_client_may_ask(wl)) {
        if (!workload_arrivals_wait(conn))
            client_ask(conn, wl->set->now_ns);
        return;
    }
    if (through || (workload_stopping(wl) && is_down(wl)))
        workload_release(conn);
}

static void answered(struct conn *conn)
{
    struct wl *wl = conn->wl;

    if (wl->spec->kind != SCENARIO_REQUEST_RESPONSE || conn->received != conn->to_receive)
        return;
    wl->operations++;
    workload_note(conn, TRACE_ANSWER, wl->set->now_ns - conn->intended_ns);
    if (!workload_measures(wl))
        return;
    metrics_hist_record(wl->times->latency, wl->set->now_ns - conn->intended_ns);
    if (wl->times->service)
        metrics_hist_record(wl->times->service, wl->set->now_ns - conn->asked_ns);
}

static void received(struct conn *conn, uint32_t bytes)
{
    struct wl *wl = conn->wl;
    bool known = is_echoed(wl) || wl->peer->kind != SCENARIO_PEER_EXTERNAL;

    if (known)
        workload_check(conn, wl->set->in_buffer, bytes);
    if (wl->digesting)
        payload_digest_update(&wl->digest, wl->set->in_buffer, bytes);
    conn->received += bytes;
    wl->received += bytes;
    answered(conn);
}

/* The peer ended its stream: right for a download of open length, an error for what is owed. */
static void stream_ended(struct conn *conn)
{
    struct wl *wl = conn->wl;
    uint64_t owed = is_down(wl)       ? wl->spec->bytes
                    : is_answered(wl) ? conn->to_receive
                    : is_echoed(wl)   ? conn->to_send
                                      : 0;

    conn->ended = true;
    if (conn->received < owed && !(owed == UINT64_MAX && workload_stopping(wl)))
        conn_failed(conn, "early end of stream from", -ERR_NOTCONN);
    else if (is_down(wl) || is_echoed(wl))
        workload_release(conn);
}

static void recv_payload(struct conn *conn)
{
    uint32_t bytes = conn->wl->spec->kind == SCENARIO_STREAM ? conn->wl->spec->read_bytes : 65536;

    while (conn->state == CONN_OPEN && !conn->ended) {
        int64_t taken = workload_recv(conn, conn->wl->set->in_buffer, bytes);
        if (taken == -ERR_AGAIN)
            return;
        if (taken < 0)
            conn_failed(conn, "receive from", (int32_t)taken);
        else if (taken == 0)
            stream_ended(conn);
        else
            received(conn, (uint32_t)taken);
    }
}

static void client_ready(struct conn *conn)
{
    recv_payload(conn);
    if (conn->state == CONN_OPEN && send_header(conn))
        send_payload(conn);
    end_if_through(conn);
}

/* A round is over: the next one, or the socket is through. One that was still to be drained when
 * the device went is lost like any other. */
static void released(struct conn *conn)
{
    struct wl *wl = conn->wl;

    if (workload_is_down(wl))
        conn_lost(conn);
    conn->state = CONN_IDLE;
    if (conn->lost && !workload_stopping(wl))
        return; /* until client_resume */
    if (wl->spec->kind == SCENARIO_STREAM && !conn->lost)
        wl->operations++;
    if (conn->round == UINT32_MAX || ++conn->round >= wl->spec->repeat || workload_stopping(wl))
        conn_through(conn);
    else
        open_conn(conn);
}

static void client_done(struct conn *conn, const struct act_done *done)
{
    if (done->call == CALL_CONNECT && done->ret == 0)
        conn->wl->connected++;
    if (done->call == CALL_RELEASE) {
        released(conn);
    } else if (done->call == CALL_CONNECT && done->ret < 0 && workload_is_down(conn->wl)) {
        conn_lost(conn);
        conn->state = CONN_IDLE;
    } else if (done->call == CALL_CONNECT && done->ret < 0) {
        workload_fail(conn->wl, "connect to", done->ret);
        conn_through(conn);
    } else if (done->call == CALL_CONNECT && conn->state == CONN_CONNECTING) {
        conn->state = CONN_OPEN;
        client_ready(conn);
    }
}

static void client_gone(struct wl *wl)
{
    workload_arrivals_forget(wl);
    for (uint32_t i = 0; i < wl->spec->sockets; i++) {
        struct conn *conn = &wl->conns[i];
        if (conn->state != CONN_OPEN)
            continue;
        conn_lost(conn);
        workload_release(conn);
    }
}

static void client_resume(struct wl *wl)
{
    for (uint32_t i = 0; i < wl->spec->sockets; i++)
        if (wl->conns[i].lost && wl->conns[i].state == CONN_IDLE)
            open_conn(&wl->conns[i]);
}

static void client_drain(struct wl *wl)
{
    for (uint32_t i = 0; i < wl->spec->sockets; i++) {
        struct conn *conn = &wl->conns[i];
        if (conn->state == CONN_CONNECTING)
            workload_release(conn);
        if (conn->state != CONN_OPEN)
            continue;
        if (!is_answered(wl))           /* who is asked knows how much is to come */
            conn->to_send = conn->sent; /* what is under way is ended, nothing is begun */
        end_if_through(conn);
    }
}

const struct workload_kind workload_client = {.start = client_start,
                                              .gone = client_gone,
                                              .resume = client_resume,
                                              .drain = client_drain,
                                              .ready = client_ready,
                                              .done = client_done,
                                              .ask = client_ask,
                                              .end = workload_release,
                                              .rest = CONN_OPEN};
