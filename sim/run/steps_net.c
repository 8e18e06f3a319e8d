/*
 * The network of a script: the far end of each of the backend's sockets does what steps say, at
 * once. What it takes and does not do by itself: bind and listen succeed, bytes are taken unless it
 * stalls. See steps_private.h.
 */
#include "sim/run/steps_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct steps_conn *conn_of(struct steps_player *player, uint64_t token)
{
    for (uint32_t i = player->conn_count; i-- > 0;)
        if (player->conns[i].token == token && !player->conns[i].done)
            return &player->conns[i];
    return NULL;
}

/* The newest of a socket. */
static struct steps_conn *conn_find(struct steps_player *player, uint64_t sockid)
{
    for (uint32_t i = player->conn_count; i-- > 0;)
        if (player->conns[i].sockid == sockid)
            return &player->conns[i];
    return NULL;
}

static struct steps_conn *conn_make(struct steps_player *player, uint64_t token)
{
    struct steps_conn *conn = conn_of(player, token);

    if (conn)
        return conn;
    assert(player->conn_count < STEPS_MAX);
    conn = &player->conns[player->conn_count++];
    *conn = (struct steps_conn){.token = token, .sockid = be_wire_id(player->be, token)};
    return conn;
}

static struct steps_seen *see(struct steps_player *player, const struct steps_conn *conn,
                              enum steps_sees sees)
{
    struct steps_seen *seen = steps_see(player, STEPS_SEES);

    seen->sockid = conn->sockid;
    seen->sees = sees;
    return seen;
}

/* ---- what the backend asks for ---- */

static bool complete(struct steps_player *player, const struct net_mem_op *op, int32_t ret,
                     const void *data)
{
    bool any = net_mem_complete(player->net, op->kind, op->token, ret, data);

    assert(any);
    player->moves++;
    return true;
}

static bool serve_connect(struct steps_player *player, const struct net_mem_op *op)
{
    struct steps_conn *conn = conn_make(player, op->token);

    if (!conn->asked) {
        struct steps_seen *seen = see(player, conn, STEPS_SEES_CONNECT);
        seen->addr = op->addr;
        steps_see_done(player, seen);
    }
    conn->asked = true;
    if (!conn->decided)
        return false;
    conn->done = conn->ret < 0;
    return complete(player, op, conn->ret, NULL);
}

static bool is_accepted(struct steps_player *player, uint64_t listener)
{
    struct net_mem_op op;

    for (uint32_t i = 0; net_mem_pending(player->net, i, &op); i++)
        if (op.kind == EV_NET_ACCEPT && op.listener == listener)
            return true;
    return false;
}

static bool serve_listener(struct steps_player *player, const struct net_mem_op *op)
{
    struct steps_conn *listener = conn_of(player, op->listener);

    if (!listener || listener->waiting == 0)
        return false;
    if (op->kind == EV_NET_POLL)
        return !is_accepted(player, op->listener) && complete(player, op, 0, NULL);
    listener->waiting--;
    conn_make(player, op->token);
    return complete(player, op, 0, NULL);
}

/* Of what is under way when it resets one operation is told so; see net.h. */
static bool serve_reset(struct steps_player *player, struct steps_conn *conn,
                        const struct net_mem_op *op)
{
    int32_t ret = op->kind == EV_NET_READ ? 0 : -ERR_PIPE;

    if (!conn->reset_told)
        ret = -ERR_CONNRESET;
    conn->reset_told = true;
    return complete(player, op, ret, NULL);
}

static bool serve_read(struct steps_player *player, const struct net_mem_op *op)
{
    struct steps_conn *conn = conn_make(player, op->token);
    size_t count = conn->sending_bytes < op->bytes ? conn->sending_bytes : (size_t)op->bytes;

    if (count > 0) {
        complete(player, op, (int32_t)count, conn->sending);
        conn->sending_bytes -= count;
        memmove(conn->sending, conn->sending + count, conn->sending_bytes);
        return true;
    }
    if (conn->resetting)
        return serve_reset(player, conn, op);
    return conn->ended && complete(player, op, 0, NULL);
}

static bool serve_write(struct steps_player *player, const struct net_mem_op *op)
{
    struct steps_conn *conn = conn_make(player, op->token);

    if (conn->resetting)
        return serve_reset(player, conn, op);
    if (conn->stalled)
        return false;
    steps_log(player, "the peer of %" PRIu64 " receives %" PRIu64 " bytes", conn->sockid,
              op->bytes);
    return complete(player, op, (int32_t)op->bytes, NULL);
}

static bool serve(struct steps_player *player, const struct net_mem_op *op)
{
    switch ((int)op->kind) {
    case EV_NET_CONNECT: return serve_connect(player, op);
    case EV_NET_BIND: conn_make(player, op->token); return complete(player, op, 0, NULL);
    case EV_NET_LISTEN: return complete(player, op, 0, NULL);
    case EV_NET_ACCEPT:
    case EV_NET_POLL: return serve_listener(player, op);
    case EV_NET_READ: return serve_read(player, op);
    case EV_NET_WRITE: return serve_write(player, op);
    }
    return false;
}

/* What the backend has ended. A token that names nothing any more may name another socket. */
static void look_end(struct steps_player *player, struct steps_conn *conn)
{
    static const enum steps_sees sees[] = {[NET_MEM_SHUT] = STEPS_SEES_END,
                                           [NET_MEM_CLOSED] = STEPS_SEES_CLOSE,
                                           [NET_MEM_RESET] = STEPS_SEES_RESET};
    enum net_mem_end end = net_mem_end(player->net, conn->token);

    if (conn->done || end == conn->end)
        return;
    conn->end = end;
    conn->done = end == NET_MEM_CLOSED || end == NET_MEM_RESET;
    steps_see_done(player, see(player, conn, sees[end]));
}

void steps_net_serve(struct steps_player *player)
{
    struct net_mem_op op;
    bool any;

    do {
        any = false;
        for (uint32_t i = 0; !any && net_mem_pending(player->net, i, &op); i++)
            any = serve(player, &op);
    } while (any);
    for (uint32_t i = 0; i < player->conn_count; i++)
        look_end(player, &player->conns[i]);
}

/* ---- steps ---- */

static bool no_peer(struct steps_player *player, const struct steps_step *step, const char *why)
{
    return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "the peer of %" PRIu64 " cannot: %s",
                      step->sockid, why);
}

static bool send_bytes(struct steps_player *player, struct steps_conn *conn,
                       const struct steps_step *step)
{
    if (conn->ended || conn->resetting)
        return no_peer(player, step, "it has ended");
    conn->sending = realloc(conn->sending, conn->sending_bytes + (size_t)step->bytes);
    assert(conn->sending);
    for (size_t i = 0; i < step->bytes; i++)
        conn->sending[conn->sending_bytes + i] =
            STEPS_GIVEN(step, data) ? step->data[i] : steps_pattern(conn->sent + i);
    conn->sending_bytes += (size_t)step->bytes;
    conn->sent += step->bytes;
    return true;
}

static bool decide(struct steps_player *player, struct steps_conn *conn,
                   const struct steps_step *step)
{
    if (!conn->asked || conn->decided)
        return no_peer(player, step, "nobody asks to connect");
    conn->decided = true;
    if (step->does == STEPS_PEER_REFUSES)
        conn->ret = STEPS_GIVEN(step, ret_text) ? step->ret : -ERR_CONNREFUSED;
    return true;
}

bool steps_peer(struct steps_player *player, const struct steps_step *step)
{
    struct steps_conn *conn = conn_find(player, step->sockid);

    if (!conn || conn->done)
        return no_peer(player, step, "the backend has no such socket");
    switch (step->does) {
    case STEPS_PEER_ACCEPTS:
    case STEPS_PEER_REFUSES: return decide(player, conn, step);
    case STEPS_PEER_CONNECTS: conn->waiting++; return true;
    case STEPS_PEER_SENDS: return send_bytes(player, conn, step);
    case STEPS_PEER_ENDS: conn->ended = true; return true;
    case STEPS_PEER_RESETS: conn->resetting = true; return true;
    case STEPS_PEER_STALLS: conn->stalled = true; return true;
    case STEPS_PEER_RESUMES: conn->stalled = false; return true;
    }
    return true;
}

uint64_t steps_unseen(const struct steps_player *player, uint32_t i)
{
    const struct steps_conn *conn = &player->conns[i];
    uint64_t bytes;

    for (uint32_t later = i + 1; later < player->conn_count; later++)
        if (player->conns[later].token == conn->token)
            return 0; /* what was written was looked at before the token was used again */
    net_mem_written(player->net, conn->token, &bytes);
    return bytes - conn->received;
}

enum steps_met steps_sees_data(struct steps_player *player, const struct steps_step *step,
                               char got[STEPS_LINE_BYTES])
{
    struct steps_conn *conn = conn_find(player, step->sockid);
    uint64_t bytes;

    snprintf(got, STEPS_LINE_BYTES, "the backend has no such socket");
    if (!conn)
        return STEPS_NOT_YET;
    const unsigned char *written = net_mem_written(player->net, conn->token, &bytes);
    uint64_t unseen = bytes - conn->received;
    for (uint64_t i = 0; i < step->bytes && i < unseen; i++) {
        char expected = STEPS_GIVEN(step, data) ? step->data[i] : steps_pattern(conn->received + i);
        if ((char)written[conn->received + i] == expected)
            continue;
        snprintf(got, STEPS_LINE_BYTES, "byte %" PRIu64 " is 0x%02x, not 0x%02x", i,
                 written[conn->received + i], (unsigned char)expected);
        return STEPS_WRONG;
    }
    snprintf(got, STEPS_LINE_BYTES, "%" PRIu64 " bytes came", unseen);
    if (unseen < step->bytes)
        return STEPS_NOT_YET;
    conn->received += step->bytes;
    return STEPS_MET;
}

void steps_net_close(struct steps_player *player)
{
    for (uint32_t i = 0; i < player->conn_count; i++)
        free(player->conns[i].sending);
    net_destroy(player->net);
}
