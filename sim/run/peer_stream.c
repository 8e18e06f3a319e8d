/* What the built-in peers do with their connections. See peer_stream.h. */
#include "sim/run/peer_stream.h"

#include <assert.h>
#include <string.h>

void peer_streams_init(struct peer_streams *all, const struct scenario_peer *peer, uint64_t seed,
                       uint64_t stream_base)
{
    assert(peer->kind != SCENARIO_PEER_EXTERNAL);
    *all = (struct peer_streams){
        .kind = peer->kind,
        .seed = seed,
        .stream_base = stream_base,
        .conduct = peer->conduct,
        .reset_after = peer->reset_after_bytes,
        .bytes = peer->bytes,
        .to_echo = peer->to_echo,
        .connections = peer->kind == SCENARIO_PEER_CLIENT ? peer->connections : 0,
        .listeners = peer->listeners ? peer->listeners : 1,
    };
}

bool peer_streams_next(struct peer_streams *all, uint64_t *number)
{
    uint64_t kept = all->opened - (all->kind == SCENARIO_PEER_CLIENT ? all->counters.cut : 0);

    if (kept == all->connections || all->pausing || all->over ||
        all->unanswered[all->opened % all->listeners] == PEER_UNANSWERED_MAX)
        return false;
    *number = all->stream_base + all->opened++;
    return true;
}

void peer_stream_accept(struct peer_stream *stream, struct peer_streams *all)
{
    *stream = (struct peer_stream){.all = all};
    all->counters.open++;
}

void peer_stream_connect(struct peer_stream *stream, struct peer_streams *all, uint64_t number)
{
    *stream = (struct peer_stream){
        .all = all,
        .header_received = all->to_echo ? PAYLOAD_HEADER_BYTES : 0,
        .header_unsent = PAYLOAD_HEADER_BYTES,
        .header = {.mode = PAYLOAD_BOTH, .seed = all->seed, .stream = number, .bytes = all->bytes},
        .key = payload_key(all->seed, number),
        .limit = all->bytes,
        .listener = (uint32_t)((number - all->stream_base) % all->listeners),
        .unanswered = true,
    };
    payload_header_pack(&stream->header, stream->wire);
    all->counters.open++;
    all->unanswered[stream->listener]++;
}

static bool is_client(const struct peer_stream *stream)
{
    return stream->all->kind == SCENARIO_PEER_CLIENT;
}

static bool has_header(const struct peer_stream *stream)
{
    return stream->header_received == PAYLOAD_HEADER_BYTES;
}

/* Somebody took a client's connection, or it is over. */
static void answered(struct peer_stream *stream)
{
    if (stream->unanswered)
        stream->all->unanswered[stream->listener]--;
    stream->unanswered = false;
}

/* ---- the header ---- */

static enum payload_mode mode_of(enum scenario_peer_kind kind)
{
    switch (kind) {
    case SCENARIO_PEER_SINK: return PAYLOAD_UP;
    case SCENARIO_PEER_SOURCE: return PAYLOAD_DOWN;
    case SCENARIO_PEER_RESPONDER: return PAYLOAD_ASK;
    case SCENARIO_PEER_ECHO:
    case SCENARIO_PEER_CLIENT:
    case SCENARIO_PEER_EXTERNAL: break;
    }
    return PAYLOAD_BOTH;
}

static bool accept_header(struct peer_stream *stream)
{
    if (payload_header_unpack(stream->wire, &stream->header) < 0 ||
        stream->header.mode != mode_of(stream->all->kind)) {
        stream->header = (struct payload_header){0};
        return false;
    }
    stream->key = payload_key(stream->header.seed, stream->header.stream);
    stream->limit = stream->header.bytes ? stream->header.bytes : UINT64_MAX;
    return true;
}

/* Takes what of the bytes belongs to the header: how many, or -1 if it is none that we take. A
 * client's comes back from the guest. */
static ptrdiff_t take_header(struct peer_stream *stream, const uint8_t *data, size_t size)
{
    size_t left = PAYLOAD_HEADER_BYTES - stream->header_received;
    size_t taken = size < left ? size : left;
    uint8_t *place = stream->wire + stream->header_received;

    if (left == 0)
        return 0;
    stream->header_received += (uint32_t)taken;
    if (is_client(stream)) {
        return memcmp(place, data, taken) == 0 ? (ptrdiff_t)taken : -1;
    }
    memcpy(place, data, taken);
    return !has_header(stream) || accept_header(stream) ? (ptrdiff_t)taken : -1;
}

/* ---- the stream ---- */

static void mismatch(struct peer_stream *stream, uint64_t offset)
{
    struct peer_counters *counters = &stream->all->counters;

    if (counters->mismatches++ > 0)
        return;
    counters->first_bad_stream = stream->header.stream;
    counters->first_bad_offset = offset;
}

static void compare(struct peer_stream *stream, const uint8_t *data, size_t size)
{
    size_t from = 0;
    ptrdiff_t wrong;

    while ((wrong = payload_check(stream->key, stream->received + from, data + from,
                                  size - from)) >= 0) {
        from += (size_t)wrong;
        mismatch(stream, stream->received + from);
        from++;
    }
    stream->received += size;
    stream->all->counters.bytes_in += size;
}

static enum peer_stream_todo reject(struct peer_stream *stream)
{
    stream->all->counters.protocol_errors++;
    return PEER_STREAM_CLOSE;
}

/* Takes what of the bytes says how long the request is: how many; -1 if it cannot be true, and
 * where that request ends is then unknown. */
static ptrdiff_t take_ask(struct peer_stream *stream, const uint8_t *data, size_t size)
{
    size_t at = (size_t)(stream->received - stream->ask_at), left;
    struct payload_ask ask;
    ptrdiff_t wrong;

    if (at >= PAYLOAD_ASK_BYTES)
        return 0;
    left = PAYLOAD_ASK_BYTES - at;
    left = size < left ? size : left;
    memcpy(stream->ask + at, data, left);
    stream->received += left;
    stream->all->counters.bytes_in += left;
    stream->ask_end = stream->ask_at + PAYLOAD_ASK_BYTES; /* at least */
    if (at + left < PAYLOAD_ASK_BYTES)
        return (ptrdiff_t)left;
    wrong = payload_ask_unpack(stream->ask, stream->key, stream->ask_at, &ask);
    if (wrong >= 0) {
        mismatch(stream, stream->ask_at + (uint64_t)wrong);
        return -1;
    }
    stream->ask_end = stream->ask_at + ask.request_bytes;
    stream->answer_end = stream->sent + ask.response_bytes;
    return (ptrdiff_t)left;
}

/* Bytes of requests, of which each waits for the answer to the one before. */
static enum peer_stream_todo take_request(struct peer_stream *stream, const uint8_t *data,
                                          size_t size)
{
    ptrdiff_t opening = take_ask(stream, data, size);

    if (opening < 0)
        return PEER_STREAM_CLOSE;
    if (size - (size_t)opening > stream->ask_end - stream->received)
        return reject(stream);
    compare(stream, data + opening, size - (size_t)opening);
    if (stream->received < stream->ask_end)
        return PEER_STREAM_READ;
    stream->ask_at = stream->ask_end;
    return PEER_STREAM_SEND;
}

enum peer_stream_todo peer_stream_take(struct peer_stream *stream, const void *data, size_t size,
                                       size_t *echo_bytes)
{
    const struct peer_streams *all = stream->all;
    bool had_header = has_header(stream);
    ptrdiff_t header = take_header(stream, data, size);
    size_t payload;

    if (header < 0)
        return reject(stream);
    if (!has_header(stream))
        return PEER_STREAM_READ;
    payload = size - (size_t)header;
    if (payload > stream->limit - stream->received ||
        (stream->header.mode == PAYLOAD_DOWN && payload > 0))
        return reject(stream);
    if (stream->header.mode == PAYLOAD_ASK)
        return payload > 0 ? take_request(stream, (const uint8_t *)data + header, payload)
                           : PEER_STREAM_READ;
    compare(stream, (const uint8_t *)data + header, payload);
    if (is_client(stream)) {
        answered(stream);
        return stream->received == stream->limit ? PEER_STREAM_CLOSE : PEER_STREAM_READ;
    }
    if (stream->header.mode == PAYLOAD_DOWN && !had_header)
        return PEER_STREAM_SEND;
    if (all->conduct == SCENARIO_CONDUCT_NEVER_ANSWERS)
        return PEER_STREAM_READ;
    if (all->conduct == SCENARIO_CONDUCT_RESETS && stream->received >= all->reset_after)
        return PEER_STREAM_RESET;
    *echo_bytes = payload;
    return stream->header.mode == PAYLOAD_BOTH && payload > 0 ? PEER_STREAM_ECHO : PEER_STREAM_READ;
}

/* As far as it is to send by now. */
static uint64_t send_end(const struct peer_stream *stream)
{
    return stream->header.mode == PAYLOAD_ASK ? stream->answer_end : stream->limit;
}

uint64_t peer_stream_unsent(const struct peer_stream *stream)
{
    return stream->header_unsent + (send_end(stream) - stream->sent);
}

size_t peer_stream_fill(const struct peer_stream *stream, void *buffer, size_t size)
{
    size_t header = stream->header_unsent < size ? stream->header_unsent : size;
    uint64_t left = send_end(stream) - stream->sent;
    uint64_t key =
        stream->header.mode == PAYLOAD_ASK ? payload_answer_key(stream->key) : stream->key;
    size_t payload = left < size - header ? (size_t)left : size - header;
    uint8_t *out = buffer;

    memcpy(out, stream->wire + PAYLOAD_HEADER_BYTES - stream->header_unsent, header);
    payload_fill(key, stream->sent, out + header, payload);
    return header + payload;
}

void peer_stream_sent(struct peer_stream *stream, size_t bytes)
{
    size_t header = stream->header_unsent < bytes ? stream->header_unsent : bytes;

    stream->header_unsent -= (uint32_t)header;
    stream->sent += bytes - header;
    stream->all->counters.bytes_out += bytes - header;
}

/* ---- the end ---- */

/* Whoever reads an endless stream leaves in the midst of it, which TCP calls a reset. */
static bool may_break(const struct peer_stream *stream)
{
    return has_header(stream) && stream->limit == UINT64_MAX &&
           (stream->header.mode == PAYLOAD_DOWN || stream->header.mode == PAYLOAD_BOTH);
}

/* In the midst of a request, or of its answer. */
static bool is_asked(const struct peer_stream *stream)
{
    return stream->ask_at != stream->ask_end || stream->sent < stream->answer_end;
}

static void cut(struct peer_streams *all)
{
    all->counters.cut++;
    all->pausing = all->kind == SCENARIO_PEER_CLIENT;
}

void peer_stream_refused(struct peer_stream *stream)
{
    if (stream->all->cuts)
        cut(stream->all);
    else
        stream->all->counters.connect_failures++;
}

void peer_stream_end(struct peer_stream *stream, bool broken)
{
    struct peer_counters *counters = &stream->all->counters;
    uint64_t moved = stream->header.mode == PAYLOAD_DOWN ? stream->sent : stream->received;
    bool asked = stream->header.mode == PAYLOAD_ASK && is_asked(stream);
    bool whole = has_header(stream) && moved >= stream->header.bytes && !asked;

    if (!is_client(stream) && stream->header_received == 0)
        return; /* it said nothing: a guest may give a socket up as it connects */
    if (stream->all->cuts && (!whole || (broken && !may_break(stream)))) {
        cut(stream->all);
        return;
    }
    if (!broken && !has_header(stream)) {
        reject(stream);
        return;
    }
    if (broken && !may_break(stream))
        counters->resets++;
    else if (!whole)
        counters->short_streams++;
}

void peer_stream_closed(struct peer_stream *stream)
{
    answered(stream);
    stream->all->counters.open--;
}
