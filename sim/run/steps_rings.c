/*
 * The script's end of the command ring and of the data rings: raw slots and words, checked by
 * nobody but for room, so that lies can be told. See steps_private.h.
 */
#include "sim/run/steps_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_front(const struct steps_player *player)
{
    return player->steps->against == STEPS_BACKEND;
}

char steps_pattern(uint64_t offset)
{
    return (char)(offset % 251);
}

static void expected_bytes(const struct steps_step *step, uint64_t offset, char *to)
{
    if (STEPS_GIVEN(step, data))
        memcpy(to, step->data, (size_t)step->bytes);
    else
        for (uint64_t i = 0; i < step->bytes; i++)
            to[i] = steps_pattern(offset + i);
}

/* ---- sockets ---- */

struct steps_sock *steps_sock(struct steps_player *player, uint64_t sockid)
{
    for (uint32_t i = player->sock_count; i-- > 0;)
        if (player->socks[i].sockid == sockid)
            return &player->socks[i];
    return NULL;
}

struct steps_sock *steps_sock_make(struct steps_player *player, uint64_t sockid)
{
    if (player->sock_count == STEPS_SOCKETS_MAX) {
        steps_fail(player, DIAG_STEP_IMPOSSIBLE, "a script has at most %d sockets",
                   STEPS_SOCKETS_MAX);
        return NULL;
    }
    struct steps_sock *sock = &player->socks[player->sock_count++];
    *sock = (struct steps_sock){.sockid = sockid, .wire_id = sockid};
    return sock;
}

uint64_t steps_label(const struct steps_player *player, uint64_t wire_id)
{
    for (uint32_t i = player->sock_count; i-- > 0;)
        if (player->socks[i].wire_id == wire_id)
            return player->socks[i].sockid;
    return wire_id;
}

uint64_t steps_wire(struct steps_player *player, uint64_t sockid)
{
    const struct steps_sock *sock = steps_sock(player, sockid);

    return sock ? sock->wire_id : sockid;
}

static struct steps_sock *ringed(struct steps_player *player, uint64_t sockid)
{
    struct steps_sock *sock = steps_sock(player, sockid);

    if (sock && sock->ringed)
        return sock;
    steps_fail(player, DIAG_STEP_IMPOSSIBLE, "socket %" PRIu64 " has no data ring", sockid);
    return NULL;
}

/* Where the script's side produces, and where it consumes. */
static const struct bytering_layout *out_of(const struct steps_player *player,
                                            const struct steps_sock *sock)
{
    return is_front(player) ? &sock->at.out : &sock->at.in;
}

static const struct bytering_layout *into(const struct steps_player *player,
                                          const struct steps_sock *sock)
{
    return is_front(player) ? &sock->at.in : &sock->at.out;
}

static bool has_commands(struct steps_player *player)
{
    return player->page.base ||
           steps_fail(player, DIAG_STEP_IMPOSSIBLE, "the command ring is not there yet");
}

bool steps_notify(struct steps_player *player, uint64_t sockid)
{
    const struct steps_sock *sock;

    if (sockid == STEPS_COMMAND) {
        if (!has_commands(player))
            return false;
        hv_notify(player->hv, player->port);
        return true;
    }
    sock = ringed(player, sockid);
    if (sock)
        hv_notify(player->hv, sock->port);
    return sock != NULL;
}

/* ---- the command ring ---- */

static uint32_t slots(const struct steps_player *player)
{
    return cmdring_size(player->dialect->request_bytes);
}

static uint32_t slot_at(const struct steps_player *player, uint32_t index)
{
    return CMDRING_SLOTS + index % slots(player) * player->dialect->request_bytes;
}

static void publish(struct steps_player *player, const struct steps_step *step)
{
    if (step->publish)
        shared_store(&player->page, is_front(player) ? CMDRING_REQ_PROD : CMDRING_RSP_PROD,
                     player->prod);
    if (step->notify)
        hv_notify(player->hv, player->port);
}

/* Pages and a port for a socket, given to the backend. */
static bool share_ring(struct steps_player *player, struct steps_sock *sock, uint32_t order)
{
    const struct dialect_index *index = &player->dialect->index;
    struct ev ev;

    dialect_ring(player->dialect, player->scenario->protocol.order, &sock->at);
    hv_share(player->hv, 3, STEPS_BACK, index->pages + sock->at.pages);
    if (steps_take(player, EV_SHARE, &ev) < 0)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "no pages are left to share");
    sock->area = sock->data = ev.share.area;
    if (index->pages > 0) {
        sock->data = shared_after(&sock->area, index->pages);
        sock->refs[0] = ev.share.refs[0];
        shared_store(&sock->area, index->order_at, order);
        shared_fill(&sock->area, index->refs_at, ev.share.refs + 1,
                    sock->at.pages * (uint32_t)sizeof(uint32_t));
    } else {
        memcpy(sock->refs, ev.share.refs, sock->at.pages * sizeof(sock->refs[0]));
    }
    hv_port_alloc(player->hv, 4, STEPS_BACK);
    if (steps_take(player, EV_PORT_ALLOC, &ev) < 0)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "no port is left");
    sock->port = ev.port;
    sock->ringed = true;
    return true;
}

/* What a request says of its data ring, unless the step does. */
static bool put_ring(struct steps_player *player, const struct steps_step *step, struct call *call)
{
    bool accept = step->cmd == STEPS_CALL_ACCEPT;
    uint64_t sockid = accept ? step->new_sockid : step->sockid;
    uint32_t order = STEPS_GIVEN(step, order) ? step->order : player->scenario->protocol.order;
    struct steps_sock *sock;

    if (!accept && step->cmd != STEPS_CALL_CONNECT) {
        bool makes = step->cmd == STEPS_CALL_BIND || step->cmd == STEPS_CALL_SOCKET;
        return !makes || steps_sock(player, sockid) || steps_sock_make(player, sockid);
    }
    sock = steps_sock_make(player, sockid);
    if (!sock || !share_ring(player, sock, order))
        return false;
    memcpy(call->refs, sock->refs, sizeof(call->refs));
    call->evtchn = STEPS_GIVEN(step, evtchn) ? step->evtchn : sock->port;
    if (STEPS_GIVEN(step, ref))
        call->refs[0] = step->ref;
    return true;
}

bool steps_request(struct steps_player *player, const struct steps_step *step)
{
    struct call call = {.id = step->id,
                        .kind = (enum call_kind)step->cmd,
                        .sockid = step->sockid,
                        .new_sockid = step->new_sockid,
                        .addr = step->addr.addr,
                        .flags = step->flags,
                        .backlog = step->backlog,
                        .reuse = step->reuse,
                        .family = STEPS_GIVEN(step, family) ? step->family : CALL_AF_INET,
                        .type = STEPS_GIVEN(step, type) ? step->type : CALL_SOCK_STREAM,
                        .protocol = step->protocol};
    unsigned char slot[DIALECT_SLOT_MAX];

    if (!has_commands(player))
        return false;
    if (player->prod - player->cons >= slots(player))
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE,
                          "the command ring has no free slot: %u requests are without the response "
                          "that a step takes",
                          slots(player));
    if (!put_ring(player, step, &call))
        return false;
    dialect_pack_call(player->dialect, &call, slot);
    for (uint32_t i = 0; STEPS_GIVEN(step, code) && i < player->dialect->request_rows; i++)
        if (player->dialect->request[i].call_at == offsetof(struct call, code))
            memcpy(slot + player->dialect->request[i].wire_at, &step->code, 4);
    shared_fill(&player->page, slot_at(player, player->prod++), slot,
                player->dialect->request_bytes);
    publish(player, step);
    return true;
}

/* The real id of a request that the script calls so; one it never expected is taken as it is. */
static uint32_t real_id(const struct steps_player *player, uint32_t id)
{
    for (uint32_t i = player->id_count; i-- > 0;)
        if (player->ids[i][0] == id)
            return player->ids[i][1];
    return id;
}

bool steps_respond(struct steps_player *player, const struct steps_step *step)
{
    struct call_reply reply = {
        .id = real_id(player, step->id),
        .code = STEPS_GIVEN(step, code) ? step->code : player->dialect->calls[step->cmd].code,
        .sockid = steps_wire(player, step->sockid),
        .ret = step->ret};
    unsigned char slot[DIALECT_SLOT_MAX] = {0};

    if (!has_commands(player))
        return false;
    dialect_pack_reply(player->dialect, &reply, slot);
    shared_fill(&player->page, slot_at(player, player->prod++), slot,
                player->dialect->request_bytes);
    publish(player, step);
    return true;
}

/* Note what the core has put into the command ring. Its index is right, unless a step put another
 * number there: then there is nothing to be seen. */
static void look_commands(struct steps_player *player)
{
    uint32_t prod =
        shared_load(&player->page, is_front(player) ? CMDRING_RSP_PROD : CMDRING_REQ_PROD);

    if (prod - player->peeked > slots(player))
        return;
    for (; player->peeked != prod; player->peeked++) {
        uint32_t slot[DIALECT_SLOT_MAX / 4];
        struct steps_seen *seen =
            steps_see(player, is_front(player) ? STEPS_RESPONSE : STEPS_REQUEST);
        shared_copy(slot, &player->page, slot_at(player, player->peeked),
                    player->dialect->request_bytes);
        if (is_front(player))
            dialect_unpack_reply(player->dialect, slot, &seen->reply);
        else
            dialect_unpack_call(player->dialect, slot, &seen->call);
        steps_see_done(player, seen);
    }
}

/* The other side's pages and port, as a request names them. */
static bool map_ring(struct steps_player *player, struct steps_sock *sock, const struct call *call)
{
    const struct dialect_index *index = &player->dialect->index;
    uint32_t named[DIALECT_PAGES_MAX];
    const uint32_t *refs = call->refs;
    struct ev ev;

    dialect_ring(player->dialect, player->scenario->protocol.order, &sock->at);
    if (index->pages > 0) {
        hv_map(player->hv, 3, STEPS_FRONT, call->refs, index->pages);
        if (steps_take(player, EV_MAP, &ev) < 0)
            return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "the index page cannot be mapped");
        sock->area = ev.share.area;
        shared_copy(named, &sock->area, index->refs_at, sock->at.pages * (uint32_t)sizeof(*named));
        refs = named;
    }
    hv_map(player->hv, 3, STEPS_FRONT, refs, sock->at.pages);
    if (steps_take(player, EV_MAP, &ev) < 0)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "the data ring cannot be mapped");
    sock->data = ev.share.area;
    if (index->pages == 0)
        sock->area = sock->data;
    hv_port_bind(player->hv, 4, STEPS_FRONT, call->evtchn);
    if (steps_take(player, EV_PORT_BIND, &ev) < 0)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "the port cannot be bound");
    sock->port = ev.port;
    while (hv_next(player->hv, &ev)) /* it is born pending, which means nothing */
        if (ev.kind == EV_PORT)
            hv_unmask(player->hv, ev.port);
    sock->ringed = true;
    return true;
}

bool steps_taken(struct steps_player *player, const struct steps_step *step,
                 const struct steps_seen *seen)
{
    const struct call *call = &seen->call;
    struct steps_sock *sock;

    player->cons++;
    if (step->arm)
        shared_store(&player->page, is_front(player) ? CMDRING_RSP_EVENT : CMDRING_REQ_EVENT,
                     player->cons + 1);
    if (is_front(player))
        return true;
    if (STEPS_GIVEN(step, id) && player->id_count < sizeof(player->ids) / sizeof(player->ids[0])) {
        player->ids[player->id_count][0] = step->id;
        player->ids[player->id_count++][1] = call->id;
    }
    if (call->kind != CALL_CONNECT && call->kind != CALL_ACCEPT)
        return true;
    sock = steps_sock(
        player, steps_label(player, call->kind == CALL_ACCEPT ? call->new_sockid : call->sockid));
    return !sock || map_ring(player, sock, call);
}

/* ---- data rings ---- */

/* A piece of a ring: `count` bytes from an index on, and what comes from there or goes there. */
struct piece {
    const struct steps_sock *sock;
    const struct bytering_layout *at;
    uint32_t index, count;
    char *bytes;
};

static void move_bytes(struct piece piece, bool out)
{
    while (piece.count > 0) {
        uint32_t offset = piece.index & (piece.at->size - 1);
        uint32_t end = piece.at->size - offset, part = end < piece.count ? end : piece.count;
        if (out)
            shared_fill(&piece.sock->data, piece.at->array + offset, piece.bytes, part);
        else
            shared_bulk_in(piece.bytes, &piece.sock->data, piece.at->array + offset, part);
        piece.bytes += part;
        piece.index += part;
        piece.count -= part;
    }
}

bool steps_write(struct steps_player *player, const struct steps_step *step)
{
    struct steps_sock *sock = ringed(player, step->sockid);

    if (!sock)
        return false;
    const struct bytering_layout *at = out_of(player, sock);
    uint32_t room = at->size - (sock->prod - shared_load(&sock->area, at->cons));
    if (step->bytes > room)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE,
                          "the ring of socket %" PRIu64 " has room for %" PRIu32 " of %" PRIu64
                          " bytes",
                          step->sockid, room, step->bytes);
    char *bytes = malloc((size_t)step->bytes);
    assert(bytes);
    expected_bytes(step, sock->written, bytes);
    move_bytes((struct piece){sock, at, sock->prod, (uint32_t)step->bytes, bytes}, true);
    free(bytes);
    sock->written += step->bytes;
    sock->prod += (uint32_t)step->bytes;
    if (step->publish)
        shared_store(&sock->area, at->prod, sock->prod);
    if (step->notify)
        hv_notify(player->hv, sock->port);
    return true;
}

static uint32_t unread(const struct steps_player *player, const struct steps_sock *sock)
{
    return shared_load(&sock->area, into(player, sock)->prod) - sock->cons;
}

uint32_t steps_unknown(const struct steps_player *player, const struct steps_sock *sock)
{
    uint32_t known = (int32_t)(sock->known - sock->cons) > 0 ? sock->known : sock->cons;

    return sock->ringed ? shared_load(&sock->area, into(player, sock)->prod) - known : 0;
}

/* Whether the bytes are as they should be, as far as they go: where not, and how many are. */
static uint64_t same_bytes(const char *a, const char *b, uint64_t count)
{
    uint64_t same = 0;

    while (same < count && a[same] == b[same])
        same++;
    return same;
}

enum steps_met steps_read_ring(struct steps_player *player, const struct steps_step *step,
                               char got[STEPS_LINE_BYTES])
{
    struct steps_sock *sock = steps_sock(player, step->sockid);

    snprintf(got, STEPS_LINE_BYTES, "the socket has no data ring");
    if (!sock || !sock->ringed)
        return STEPS_NOT_YET;
    uint32_t queued = unread(player, sock);
    uint32_t count = queued < step->bytes ? queued : (uint32_t)step->bytes;
    char *expected = malloc((size_t)step->bytes), *bytes = malloc((size_t)step->bytes);
    assert(expected && bytes);
    expected_bytes(step, sock->read, expected);
    move_bytes((struct piece){sock, into(player, sock), sock->cons, count, bytes}, false);
    uint64_t same = same_bytes(expected, bytes, count);
    if (same < count)
        snprintf(got, STEPS_LINE_BYTES, "byte %" PRIu64 " is 0x%02x, not 0x%02x", same,
                 (unsigned char)bytes[same], (unsigned char)expected[same]);
    else
        snprintf(got, STEPS_LINE_BYTES, "%" PRIu32 " bytes are there", queued);
    free(expected);
    free(bytes);
    if (same < count)
        return STEPS_WRONG;
    if (count < step->bytes)
        return STEPS_NOT_YET;
    sock->read += count;
    sock->cons += count;
    if (step->publish)
        shared_store(&sock->area, into(player, sock)->cons, sock->cons);
    if (step->notify)
        hv_notify(player->hv, sock->port);
    return STEPS_MET;
}

/* Where a word lies, and in what; false if the socket has no ring, or the index page of its
 * dialect is elsewhere. */
static bool word_at(struct steps_player *player, const struct steps_step *step,
                    struct shared_area *area, uint32_t *at)
{
    static const uint32_t commands[] = {CMDRING_REQ_PROD, CMDRING_REQ_EVENT, CMDRING_RSP_PROD,
                                        CMDRING_RSP_EVENT};
    const struct steps_sock *sock;

    if (step->word <= STEPS_WORD_RSP_EVENT) {
        if (!has_commands(player))
            return false;
        *area = player->page;
        *at = commands[step->word];
        return true;
    }
    sock = ringed(player, step->sockid);
    if (!sock)
        return false;
    const uint32_t words[] = {sock->at.in.prod,  sock->at.in.cons,  sock->at.in.error,
                              sock->at.out.prod, sock->at.out.cons, sock->at.out.error};
    *area = sock->area;
    *at = words[step->word - STEPS_WORD_IN_PROD];
    return true;
}

bool steps_raw(struct steps_player *player, const struct steps_step *step)
{
    struct shared_area area;
    uint32_t at;

    if (STEPS_GIVEN(step, slot)) {
        if (!has_commands(player))
            return false;
        shared_fill(&player->page, slot_at(player, step->slot) + step->slot_at, step->data,
                    (uint32_t)step->bytes);
        return true;
    }
    if (!word_at(player, step, &area, &at))
        return false;
    shared_store(&area, at, step->number[1]);
    return true;
}

enum steps_met steps_index(struct steps_player *player, const struct steps_step *step,
                           char got[STEPS_LINE_BYTES])
{
    struct shared_area area;
    uint32_t at;

    if (!word_at(player, step, &area, &at))
        return STEPS_WRONG;
    uint32_t is = shared_load(&area, at);
    struct steps_sock *sock = steps_sock(player, step->sockid);
    snprintf(got, STEPS_LINE_BYTES, "%" PRIu32, is);
    if (is != step->number[1])
        return STEPS_NOT_YET;
    if (sock && at == into(player, sock)->prod)
        sock->known = is;
    return STEPS_MET;
}

bool steps_set_error(struct steps_player *player, const struct steps_step *step)
{
    struct shared_area area;
    uint32_t at;

    if (!word_at(player, step, &area, &at))
        return false;
    shared_store(&area, at, (uint32_t)step->ret);
    return !step->notify || steps_notify(player, step->sockid);
}

/* Against a backend: an error of a data ring is the backend's. */
static void look_errors(struct steps_player *player, struct steps_sock *sock)
{
    const uint32_t at[] = {sock->at.in.error, sock->at.out.error};

    for (uint32_t i = 0; i < 2; i++) {
        int32_t error = (int32_t)shared_load(&sock->area, at[i]);
        if (error == sock->errors[i])
            continue;
        sock->errors[i] = error;
        struct steps_seen *seen = steps_see(player, STEPS_ERROR);
        seen->sockid = sock->sockid;
        seen->word = i == 0 ? STEPS_WORD_IN_ERROR : STEPS_WORD_OUT_ERROR;
        seen->ret = error;
        steps_see_done(player, seen);
    }
}

void steps_rings_look(struct steps_player *player)
{
    if (!player->page.base)
        return; /* the handshake has not come to it */
    look_commands(player);
    for (uint32_t i = 0; is_front(player) && i < player->sock_count; i++)
        if (player->socks[i].ringed)
            look_errors(player, &player->socks[i]);
}
