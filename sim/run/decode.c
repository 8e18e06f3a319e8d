/* A captured packet, checked and taken apart. See decode.h. */
#include "sim/run/decode.h"

#include <assert.h>
#include <string.h>

#define X(constant, number, name) [number] = (name),
static const char *const kind_names[] = {CAPTURE_KINDS(X)};
static const char *const side_names[] = {CAPTURE_SIDES(X)};
static const char *const moved_names[] = {CAPTURE_MOVES(X)};
static const char *const ring_names[] = {CAPTURE_RINGS(X)};
static const char *const word_names[] = {CAPTURE_WORDS(X)};
#undef X

#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

const char *decode_kind_name(uint32_t kind)
{
    return kind >= COUNT(kind_names) ? NULL : kind_names[kind] ? kind_names[kind] : "";
}

const char *decode_side_name(enum capture_side side)
{
    return side_names[side];
}

const char *decode_moved_name(const struct decode_packet *packet)
{
    static const char *const notify_names[] = {"sent", "received"};
    bool is_notify = packet->header.kind == CAPTURE_NOTIFY;

    return (is_notify ? notify_names : moved_names)[packet->header.moved];
}

const char *decode_word_name(enum capture_word word)
{
    return word_names[word];
}

bool decode_find_side(const char *name, enum capture_side *side)
{
    uint32_t i = 0;

    while (i < COUNT(side_names) && strcmp(side_names[i], name) != 0)
        i++;
    *side = (enum capture_side)i;
    return i < COUNT(side_names);
}

/* ---- rows ---- */

static enum decode_role reply_role(uint32_t member)
{
    switch (member) {
    case offsetof(struct call_reply, id): return DECODE_ID;
    case offsetof(struct call_reply, code): return DECODE_CODE;
    case offsetof(struct call_reply, sockid): return DECODE_SOCKID;
    case offsetof(struct call_reply, ret): return DECODE_RET;
    }
    return DECODE_NUMBER;
}

enum decode_role decode_role(const struct dialect_row *row, bool is_response)
{
    if (is_response)
        return reply_role(row->call_at);
    switch (row->call_at) {
    case offsetof(struct call, id): return DECODE_ID;
    case offsetof(struct call, code): return DECODE_CODE;
    case offsetof(struct call, sockid):
    case offsetof(struct call, new_sockid): return DECODE_SOCKID;
    case offsetof(struct call, addr.bytes): return DECODE_ADDR;
    case offsetof(struct call, addr.len): return DECODE_ADDR_LEN;
    case offsetof(struct call, family): return DECODE_FAMILY;
    case offsetof(struct call, type): return DECODE_TYPE;
    }
    return DECODE_NUMBER;
}

uint64_t decode_value(const struct dialect_row *row, const uint8_t *slot, uint32_t i)
{
    const uint8_t *from = slot + row->wire_at + i * row->wire_bytes;
    bool is_negative = row->is_signed && from[row->wire_bytes - 1] & 0x80;
    uint64_t value = is_negative ? UINT64_MAX : 0;

    for (uint32_t byte = row->wire_bytes; byte-- > 0;)
        value = value << 8 | from[byte];
    return value;
}

/* ---- a packet ---- */

static bool check_header(const struct pcapng_read_packet *from, const struct capture_header *header,
                         struct pcapng_fault *fault)
{
    static const struct {
        uint32_t at;
        const char *what;
        const char *const *names;
        size_t count;
    } rows[] = {
        {offsetof(struct capture_header, kind), "kind", kind_names, COUNT(kind_names)},
        {offsetof(struct capture_header, side), "side", side_names, COUNT(side_names)},
        {offsetof(struct capture_header, moved), "way to move", moved_names, COUNT(moved_names)},
        {offsetof(struct capture_header, ring), "ring", ring_names, COUNT(ring_names)},
        {offsetof(struct capture_header, what), "word of a ring", word_names, COUNT(word_names)},
    };

    if (header->version != CAPTURE_VERSION)
        return pcapng_fault(fault, from->offset, "a packet of version %u; this xensock reads %d",
                            header->version, CAPTURE_VERSION);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t value = from->data[rows[i].at];

        if (value >= rows[i].count || !rows[i].names[value])
            return pcapng_fault(fault, from->offset + rows[i].at, "there is no %s %u", rows[i].what,
                                value);
    }
    if (!dialect_at(header->dialect))
        return pcapng_fault(fault, from->offset + offsetof(struct capture_header, dialect),
                            "there is no dialect %u", header->dialect);
    bool is_slot = header->kind == CAPTURE_REQUEST || header->kind == CAPTURE_RESPONSE;
    bool is_elsewhere = header->ring == CAPTURE_COMMANDS ? header->kind == CAPTURE_INDEX : is_slot;
    return !is_elsewhere ||
           pcapng_fault(fault, from->offset + offsetof(struct capture_header, ring),
                        "a ring of %s has no %s", ring_names[header->ring],
                        kind_names[header->kind]);
}

/* What follows the header has the length that its kind asks for, and the header says. */
static bool check_length(const struct pcapng_read_packet *from, const struct capture_header *header,
                         struct pcapng_fault *fault)
{
    const struct dialect *dialect = dialect_at(header->dialect);
    uint32_t bytes = from->bytes - (uint32_t)sizeof(*header), wanted = 0;

    if (header->kind == CAPTURE_REQUEST)
        wanted = dialect->request_bytes;
    if (header->kind == CAPTURE_RESPONSE)
        wanted = dialect->response_bytes;
    if (bytes != wanted)
        return pcapng_fault(fault, from->offset + sizeof(*header),
                            "a %s of %s of %u bytes; it has %u", kind_names[header->kind],
                            dialect->name, bytes, wanted);
    return header->kind == CAPTURE_INDEX || header->bytes == bytes ||
           pcapng_fault(fault, from->offset + offsetof(struct capture_header, bytes),
                        "%u bytes are said to follow; it is %u", header->bytes, bytes);
}

static enum call_kind kind_of(const struct dialect *dialect, uint32_t code)
{
    enum call_kind kind = 0;

    while (kind < CALL_KINDS && !(dialect->calls[kind].exists && dialect->calls[kind].code == code))
        kind++;
    return kind;
}

static void take_slot(struct decode_packet *packet)
{
    struct call call;
    struct call_reply reply;

    if (packet->header.kind == CAPTURE_REQUEST) {
        dialect_unpack_call(packet->dialect, packet->slot, &call);
        packet->kind = call.kind;
        packet->id = call.id;
        packet->sockid = call.sockid;
        packet->new_sockid = call.new_sockid;
        packet->addr = call.addr;
    } else {
        dialect_unpack_reply(packet->dialect, packet->slot, &reply);
        packet->kind = kind_of(packet->dialect, reply.code);
        packet->id = reply.id;
        packet->sockid = reply.sockid;
        packet->ret = reply.ret;
    }
}

bool decode_take(const struct pcapng_read_packet *from, struct decode_packet *packet,
                 struct pcapng_fault *fault)
{
    *packet = (struct decode_packet){
        .number = from->number, .offset = from->offset, .time_ns = from->time_ns};
    if (from->bytes < from->original_bytes)
        return pcapng_fault(fault, from->offset, "a packet cut to %u of its %u bytes", from->bytes,
                            from->original_bytes);
    if (from->bytes < sizeof(packet->header))
        return pcapng_fault(fault, from->offset, "a packet of %u bytes; its header has %zu",
                            from->bytes, sizeof(packet->header));
    memcpy(&packet->header, from->data, sizeof(packet->header));
    if (!check_header(from, &packet->header, fault) || !check_length(from, &packet->header, fault))
        return false;
    packet->dialect = dialect_at(packet->header.dialect);
    packet->kind = CALL_KINDS;
    packet->sockid = packet->header.sockid;
    if (packet->header.kind == CAPTURE_REQUEST || packet->header.kind == CAPTURE_RESPONSE) {
        packet->slot = from->data + sizeof(packet->header);
        take_slot(packet);
    }
    return true;
}

bool decode_life_begins(struct decode_life *life, const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;
    bool again;

    if (header->kind != CAPTURE_REQUEST || header->side != CAPTURE_FRONT)
        return false;
    again = life->begun && (int32_t)(header->index - life->newest) <= 0;
    *life = (struct decode_life){true, header->index};
    return again;
}
