/*
 * Bytes through the data rings: moves of indexes, and rounds of questions and answers. See
 * stages.h.
 *
 * A consumer's index ends every move whose last byte is before it. Indexes run freely through 32
 * bits, so only their differences are compared.
 */
#include "sim/run/stages_private.h"

#include <stdlib.h>

static struct stages_move *move_at(const struct stages_flow *flow, uint32_t i)
{
    return &flow->moves[(flow->first + i) & (flow->room - 1)];
}

static void grow(struct stages_flow *flow)
{
    uint32_t room = flow->room ? 2 * flow->room : 16;
    struct stages_move *moves = calloc(room, sizeof(moves[0]));

    assert(moves);
    for (uint32_t i = 0; i < flow->count; i++)
        moves[i] = *move_at(flow, i);
    free(flow->moves);
    flow->moves = moves;
    flow->first = 0;
    flow->room = room;
}

static void published(struct stages_flow *flow, const struct decode_packet *packet)
{
    if (flow->count == flow->room)
        grow(flow);
    *move_at(flow, flow->count++) =
        (struct stages_move){.end = packet->header.index,
                             .bytes = packet->header.bytes,
                             .at_ns = {packet->time_ns, STAGES_NEVER, STAGES_NEVER}};
}

static void notified(struct stages_flow *flow, uint64_t now_ns)
{
    while (flow->notified < flow->count)
        move_at(flow, flow->notified++)->at_ns[1] = now_ns;
}

static void woken(struct stages_flow *flow, uint64_t now_ns)
{
    while (flow->woken < flow->notified)
        move_at(flow, flow->woken++)->at_ns[2] = now_ns;
}

static void taken(struct stages *stages, struct stages_ring *ring, bool out,
                  const struct decode_packet *packet)
{
    struct stages_flow *flow = out ? &ring->out : &ring->in;

    while (flow->count > 0 && (int32_t)(packet->header.index - move_at(flow, 0)->end) >= 0) {
        const struct stages_move *move = move_at(flow, 0);
        struct stages_path path = {
            .kind = out ? STAGES_OUT : STAGES_IN,
            .who = ring->who,
            .sockid = ring->key.sockid,
            .bytes = move->bytes,
            .marks = 4,
            .at_ns = {move->at_ns[0], move->at_ns[1], move->at_ns[2], packet->time_ns}};
        flow->first++;
        flow->count--;
        flow->notified -= flow->notified > 0;
        flow->woken -= flow->woken > 0;
        stages_tell(stages, &path);
    }
}

/* ---- rounds ---- */

static void round_over(struct stages *stages, struct stages_ring *ring)
{
    struct stages_round *round = &ring->round;
    struct stages_path path = {
        .kind = STAGES_ROUND, .who = ring->who, .sockid = ring->key.sockid, .marks = 4};
    struct stages_path app = {.kind = STAGES_APP,
                              .who = ring->who,
                              .sockid = ring->key.sockid,
                              .marks = 2,
                              .at_ns = {round->before_ns, round->at_ns[0]}};

    if (round->had)
        stages_tell(stages, &app);
    for (uint32_t i = 0; i < path.marks; i++)
        path.at_ns[i] = round->at_ns[i];
    stages_tell(stages, &path);
    round->had = true;
    round->before_ns = round->at_ns[3];
    round->turn = STAGES_QUIET;
}

/* The guest sends: more of a question, or the next one, if the answer has been taken whole. */
static void round_ask(struct stages *stages, struct stages_ring *ring, uint64_t now_ns)
{
    struct stages_round *round = &ring->round;

    if (round->turn == STAGES_ANSWERING && ring->in.count == 0)
        round_over(stages, ring);
    else if (round->turn == STAGES_ANSWERING)
        round->turn = STAGES_MIXED;
    if (round->turn == STAGES_MIXED)
        round->had = false;
    if (round->turn != STAGES_QUIET)
        return;
    round->turn = STAGES_ASKING;
    round->at_ns[0] = now_ns;
}

static void round_see(struct stages *stages, struct stages_ring *ring,
                      const struct decode_packet *packet)
{
    struct stages_round *round = &ring->round;
    bool asking = round->turn == STAGES_ASKING;

    switch ((enum capture_word)packet->header.what) {
    case CAPTURE_OUT_PROD: round_ask(stages, ring, packet->time_ns); return;
    case CAPTURE_OUT_CONS: round->at_ns[1] = packet->time_ns; return;
    case CAPTURE_IN_PROD:
        if (asking && ring->out.count == 0) {
            round->at_ns[2] = packet->time_ns;
            round->turn = STAGES_ANSWERING;
        } else if (round->turn != STAGES_ANSWERING) {
            round->turn = STAGES_MIXED;
        }
        return;
    case CAPTURE_IN_CONS: round->at_ns[3] = packet->time_ns; return;
    case CAPTURE_IN_ERROR:
    case CAPTURE_OUT_ERROR: return;
    }
}

/* ---- packets ---- */

static void index_moved(struct stages *stages, struct stages_ring *ring,
                        const struct decode_packet *packet)
{
    switch ((enum capture_word)packet->header.what) {
    case CAPTURE_OUT_PROD:
        round_see(stages, ring, packet);
        published(&ring->out, packet);
        return;
    case CAPTURE_OUT_CONS: taken(stages, ring, true, packet); break;
    case CAPTURE_IN_PROD: published(&ring->in, packet); break;
    case CAPTURE_IN_CONS: taken(stages, ring, false, packet); break;
    case CAPTURE_IN_ERROR:
    case CAPTURE_OUT_ERROR: return;
    }
    round_see(stages, ring, packet);
}

void stages_data_see(struct stages *stages, struct stages_ring *ring,
                     const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;
    bool front = header->side == CAPTURE_FRONT, sent = header->moved == CAPTURE_PUBLISHED;

    if (header->kind == CAPTURE_INDEX)
        index_moved(stages, ring, packet);
    else if (header->kind == CAPTURE_NOTIFY && sent)
        notified(front ? &ring->out : &ring->in, packet->time_ns);
    else if (header->kind == CAPTURE_NOTIFY)
        woken(front ? &ring->in : &ring->out, packet->time_ns);
}

void stages_data_end(struct stages *stages, struct stages_ring *ring)
{
    if (ring->round.turn == STAGES_ANSWERING && ring->in.count == 0)
        round_over(stages, ring);
}
