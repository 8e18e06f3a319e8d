/*
 * Connected sockets in virtual time: bytes, ends of streams, resets. Knows no address and no
 * listener.
 *
 * Bytes go to the wire as soon as the window allows and are numbered by the offsets of their pipe,
 * so an event of a segment says only how long it is. What makes progress: a write, an
 * acknowledgement (room in the send buffer), a window update (room in the receive buffer), each
 * known to the sender a link's delay after it happened. None of these two is lost or late.
 * A reset loses all that is under way, keeps its place behind it, and is never lost itself, only
 * late.
 * Source: net_virtual.h; Linux 6.1's tcp_close, tcp_reset and sk_stream_is_writeable.
 */
#include "sim/net/net_virtual_private.h"

#include <stdlib.h>

/* ---- the life of a connection ---- */

void net_virtual_stream_drop(struct virtual_conn *conn)
{
    if (--conn->holds > 0)
        return;
    DL_DELETE(conn->world->conns, conn);
    for (int i = 0; i < 2; i++)
        net_virtual_pipe_free(&conn->sides[i].out);
    free(conn);
}

void net_virtual_stream_at(struct virtual_side *side, uint64_t at_ns,
                           void (*fire)(void *side, uint64_t arg), uint64_t arg)
{
    side->conn->holds++;
    side->conn->world->under_way++;
    vclock_at(side->conn->world->config.clock, at_ns, &(struct vclock_event){fire, side, arg});
}

void net_virtual_stream_fired(struct virtual_conn *conn)
{
    assert(conn->world->under_way > 0);
    conn->world->under_way--;
    net_virtual_stream_drop(conn);
}

void net_virtual_stream_open(struct virtual_side *side, struct virtual_host *host)
{
    side->open = true;
    side->host = host;
    side->who = host->who;
    side->conn->holds++;
}

/* ---- the sender ---- */

static uint64_t delay_ns(const struct virtual_side *side)
{
    return side->conn->link->link.delay_ns;
}

static uint32_t saturated(uint64_t size, uint64_t used)
{
    return size > used ? (uint32_t)(size - used) : 0;
}

static uint32_t send_room(const struct virtual_side *side)
{
    return saturated(side->conn->link->link.send_buffer_bytes, side->out.written - side->out.acked);
}

static uint32_t window_room(const struct virtual_side *side)
{
    return saturated(side->conn->link->link.receive_buffer_bytes,
                     side->out.departed - side->out.window);
}

static uint32_t least(uint64_t a, uint32_t b)
{
    return a < b ? (uint32_t)a : b;
}

/* Send a segment, an end (0 bytes) or a reset, which `fire` receives. */
static void send(struct virtual_side *side, uint64_t at_ns, uint32_t bytes,
                 void (*fire)(void *side, uint64_t arg))
{
    const struct net_virtual *world = side->conn->world;
    uint32_t again;
    uint64_t arrival_ns = net_virtual_pipe_arrival_ns(side, at_ns, bytes, &again);

    trace_put(world->config.trace,
              &(struct trace_record){.now_ns = net_virtual_now_ns(world),
                                     .token = side->socket ? side->socket->token : 0,
                                     .value = arrival_ns - net_virtual_now_ns(world),
                                     .extra = bytes,
                                     .who = side->who,
                                     .point = TRACE_LINK,
                                     .detail = (uint8_t)again});
    net_virtual_stream_at(side, arrival_ns, fire, bytes);
}

static void on_segment(void *self, uint64_t bytes);
static void on_end(void *self, uint64_t arg);
static void on_reset(void *self, uint64_t arg);

/* Send what may be sent. */
static void push(struct virtual_side *side, uint64_t at_ns)
{
    struct virtual_pipe *out = &side->out;
    uint32_t bytes;

    if (out->cut)
        return;
    while ((bytes = least(out->written - out->departed, window_room(side))) > 0) {
        bytes = least(bytes, side->conn->link->link.segment_bytes);
        out->departed += bytes;
        send(side, at_ns, bytes, on_segment);
    }
    if (side->shut && !side->end_sent && out->departed == out->written) {
        side->end_sent = true;
        send(side, at_ns, 0, on_end);
    }
}

static void send_reset(struct virtual_side *side, uint64_t at_ns)
{
    side->reset = true;
    net_virtual_pipe_cut(&side->out);
    net_virtual_trace(side, TRACE_SOCKET_RESET);
    send(side, at_ns, 0, on_reset);
}

/* ---- reading and writing ---- */

static int32_t tell_once(struct virtual_side *side, enum virtual_direction direction)
{
    int32_t error = side->told[direction];

    side->told[direction] = 0;
    return error;
}

static uint32_t wanted_bytes(const struct virtual_transfer *transfer)
{
    uint64_t bytes = transfer->iov[0].length;

    if (transfer->count > 1)
        bytes += transfer->iov[1].length;
    assert(bytes <= INT32_MAX);
    return (uint32_t)bytes;
}

/* Returns bytes, 0, -ERR_AGAIN or another -ERR_*. */
static int32_t read_now(struct virtual_side *side, const struct virtual_transfer *transfer)
{
    struct virtual_pipe *in = &net_virtual_other(side)->out;
    uint32_t bytes = least(in->arrived - in->read, wanted_bytes(transfer));

    if (bytes > 0)
        net_virtual_pipe_get(in, transfer->iov, bytes);
    else if (side->told[VIRTUAL_IN] == 0 && !side->ended && !side->reset)
        return -ERR_AGAIN;
    return bytes > 0 ? (int32_t)bytes : tell_once(side, VIRTUAL_IN);
}

/* The same; one that waits needs room for a third of the buffer. */
static int32_t write_now(struct virtual_side *side, const struct virtual_transfer *transfer,
                         enum virtual_cause cause)
{
    uint32_t buffer_bytes = side->conn->link->link.send_buffer_bytes;
    uint64_t room = send_room(side);
    uint32_t bytes = least(room, wanted_bytes(transfer));

    if (side->told[VIRTUAL_OUT] != 0)
        return tell_once(side, VIRTUAL_OUT);
    if (side->reset || side->shut)
        return -ERR_PIPE;
    if (room == 0 || (cause == VIRTUAL_BY_NETWORK && room * 3 < buffer_bytes))
        return -ERR_AGAIN;
    net_virtual_pipe_put(&side->out, transfer->iov, bytes);
    return (int32_t)bytes;
}

/* A transfer came to its end with `ret`: what it costs and counts. Returns when it is due. */
static uint64_t finish(struct virtual_socket *socket, enum virtual_direction direction, int32_t ret,
                       enum virtual_cause cause)
{
    static const enum cost_row rows[2][2] = {
        [VIRTUAL_IN] = {COST_SOCKET_READ, COST_SOCKET_READ_BYTE},
        [VIRTUAL_OUT] = {COST_SOCKET_WRITE, COST_SOCKET_WRITE_BYTE},
    };
    struct net_counters *counters = &socket->host->base.counters;
    struct virtual_transfer *transfer = &socket->transfers[direction];

    transfer->posted = false;
    vcpu_charge(socket->host->vcpu, rows[direction][0], 1);
    if (ret > 0) {
        vcpu_charge(socket->host->vcpu, rows[direction][1], (uint64_t)ret);
        *(direction == VIRTUAL_IN ? &counters->reads : &counters->writes) += 1;
        *(direction == VIRTUAL_IN ? &counters->read_bytes : &counters->written_bytes) +=
            (uint64_t)ret;
    }
    return net_virtual_complete(&transfer->done, ret, cause);
}

static void on_window(void *self, uint64_t bytes)
{
    struct virtual_side *side = self;

    side->out.window += bytes;
    push(side, net_virtual_now_ns(side->conn->world));
    net_virtual_stream_fired(side->conn);
}

/* Returns false if the read has to wait. */
static bool try_read(struct virtual_side *side, enum virtual_cause cause)
{
    int32_t ret = read_now(side, &side->socket->transfers[VIRTUAL_IN]);

    if (ret == -ERR_AGAIN)
        return false;

    uint64_t due_ns = finish(side->socket, VIRTUAL_IN, ret, cause);

    if (ret > 0)
        net_virtual_stream_at(net_virtual_other(side), due_ns + delay_ns(side), on_window,
                              (uint64_t)ret);
    return true;
}

/* Returns false if the write has to wait. */
static bool try_write(struct virtual_side *side, enum virtual_cause cause)
{
    int32_t ret = write_now(side, &side->socket->transfers[VIRTUAL_OUT], cause);

    if (ret == -ERR_AGAIN)
        return false;

    uint64_t due_ns = finish(side->socket, VIRTUAL_OUT, ret, cause);

    if (ret > 0)
        push(side, due_ns);
    return true;
}

/* The network brought something: what waits for it goes on. */
static void go_on(struct virtual_side *side, enum virtual_direction direction)
{
    if (side->socket == NULL || !side->socket->transfers[direction].posted)
        return;
    if (direction == VIRTUAL_IN)
        try_read(side, VIRTUAL_BY_NETWORK);
    else
        try_write(side, VIRTUAL_BY_NETWORK);
}

static struct virtual_side *post(struct net *net, uint64_t token, enum virtual_direction direction,
                                 const struct shared_iov *iov, uint32_t count)
{
    struct virtual_socket *socket = net_virtual_find(net_virtual_host_of(net), token);

    assert(socket != NULL && socket->side != NULL && !socket->connecting);

    struct virtual_transfer *transfer = &socket->transfers[direction];

    assert(!transfer->posted && transfer->done.prev == NULL);
    memcpy(transfer->iov, iov, count * sizeof(*iov));
    transfer->count = count;
    transfer->posted = true;
    return socket->side;
}

void net_virtual_stream_read(struct net *net, uint64_t token, const struct shared_iov *iov,
                             uint32_t count)
{
    struct virtual_side *side = post(net, token, VIRTUAL_IN, iov, count);

    net->counters.read_waits += try_read(side, VIRTUAL_BY_CALL) ? 0 : 1;
}

void net_virtual_stream_write(struct net *net, uint64_t token, const struct shared_iov *iov,
                              uint32_t count)
{
    struct virtual_side *side = post(net, token, VIRTUAL_OUT, iov, count);

    net->counters.write_waits += try_write(side, VIRTUAL_BY_CALL) ? 0 : 1;
}

/* ---- what arrives; `self` is the side that sent it ---- */

static void on_acknowledged(void *self, uint64_t bytes)
{
    struct virtual_side *side = self;

    side->out.acked += bytes;
    go_on(side, VIRTUAL_OUT);
    net_virtual_stream_fired(side->conn);
}

static void receive(struct virtual_side *to, struct virtual_side *from, uint64_t bytes)
{
    uint64_t now_ns = net_virtual_now_ns(to->conn->world);

    if (to->reset)
        return;
    if (!to->open) {
        send_reset(to, now_ns);
        return;
    }
    from->out.arrived += bytes;
    net_virtual_stream_at(from, now_ns + delay_ns(from), on_acknowledged, bytes);
    go_on(to, VIRTUAL_IN);
}

static void on_segment(void *self, uint64_t bytes)
{
    struct virtual_side *side = self;

    if (!side->out.cut)
        receive(net_virtual_other(side), side, bytes);
    net_virtual_stream_fired(side->conn);
}

static void on_end(void *self, uint64_t arg)
{
    struct virtual_side *side = self;
    struct virtual_side *to = net_virtual_other(side);

    (void)arg;
    if (!side->out.cut && to->open) {
        to->ended = true;
        net_virtual_trace(to, TRACE_SOCKET_ENDED);
        go_on(to, VIRTUAL_IN);
    }
    net_virtual_stream_fired(side->conn);
}

/* As Linux has it: one that knew the end of the stream already keeps reading that, and its writes
 * say that nobody reads them. */
static void on_reset(void *self, uint64_t arg)
{
    struct virtual_side *side = self;
    struct virtual_side *to = net_virtual_other(side);

    (void)arg;
    to->reset = true;
    to->told[VIRTUAL_IN] = to->told[VIRTUAL_OUT] = to->ended ? 0 : -ERR_CONNRESET;
    net_virtual_pipe_cut(&to->out);
    if (to->open)
        net_virtual_trace(to, TRACE_SOCKET_RESET);
    go_on(to, VIRTUAL_IN);
    go_on(to, VIRTUAL_OUT);
    net_virtual_stream_fired(side->conn);
}

/* ---- ends ---- */

void net_virtual_stream_close(struct virtual_side *side, uint64_t at_ns, bool abort)
{
    const struct virtual_pipe *in = &net_virtual_other(side)->out;

    net_virtual_trace(side, TRACE_SOCKET_CLOSED);
    side->open = false;
    side->shut = true;
    if (!side->reset && (abort || in->arrived > in->read))
        send_reset(side, at_ns);
    else
        push(side, at_ns);
    side->socket = NULL;
    side->host = NULL;
    net_virtual_stream_drop(side->conn);
}

void net_virtual_stream_shutdown(struct net *net, uint64_t token)
{
    struct virtual_host *host = net_virtual_host_of(net);
    struct virtual_socket *socket = net_virtual_find(host, token);

    assert(socket != NULL && socket->side != NULL && !socket->connecting && !socket->side->shut);
    vcpu_charge(host->vcpu, COST_SOCKET_OPEN, 1);
    socket->side->shut = true;
    push(socket->side, vcpu_now_ns(host->vcpu));
    if (socket->transfers[VIRTUAL_OUT].posted)
        try_write(socket->side, VIRTUAL_BY_CALL);
}
