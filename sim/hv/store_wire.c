/*
 * Bytes and messages of a session of the wire. See store_wire.h.
 */
#include "sim/hv/store_wire_private.h"

#include <uthash.h>
#include <utlist.h>

_Static_assert(sizeof(struct store_wire_header) == STORE_WIRE_HEADER_BYTES, "xs_wire.h");

/* A message that waits to be sent. */
struct store_wire_message {
    struct store_wire_message *prev, *next;
    UT_hash_handle hh; /* of an event of which nothing is sent: by its payload */
    bool event, unsent;
    uint32_t bytes; /* header and payload */
    struct store_wire_header header;
    char payload[];
};

/* What an error is called on the wire: those of xs_wire.h's xsd_errors; others have no name there.
 */
static const char *error_name(int ret)
{
    static const int known[] = {ERR_INVAL,  ERR_ACCES, ERR_EXIST, ERR_NOENT, ERR_NOMEM,
                                ERR_NOSPC,  ERR_IO,    ERR_NOSYS, ERR_BUSY,  ERR_AGAIN,
                                ERR_ISCONN, ERR_2BIG,  ERR_PERM};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (ret == -known[i])
            return err_name(ret);
    }
    return err_name(ERR_INVAL);
}

/* A message at the end of the output. */
static struct store_wire_message *queue(struct store_wire *wire, enum store_wire_type type,
                                        const void *payload, uint32_t bytes)
{
    struct store_wire_message *message = malloc(sizeof(*message) + bytes);

    assert(message && bytes <= STORE_WIRE_PAYLOAD_MAX);
    *message = (struct store_wire_message){.event = type == XS_WATCH_EVENT,
                                           .bytes = STORE_WIRE_HEADER_BYTES + bytes,
                                           .header = {.type = type, .len = bytes}};
    if (bytes > 0)
        memcpy(message->payload, payload, bytes);
    DL_APPEND(wire->output, message);
    wire->output_bytes += message->bytes;
    if (wire->output_bytes > STORE_WIRE_UNREAD_MAX)
        wire->broken = "does not read what it is sent";
    return message;
}

static void answer(struct store_wire *wire, enum store_wire_type type, const void *payload,
                   uint32_t bytes)
{
    struct store_wire_message *message = queue(wire, type, payload, bytes);

    message->header.req_id = wire->in.header.req_id;
    message->header.tx_id = wire->in.header.tx_id;
    wire->answers++;
}

void store_wire_error(struct store_wire *wire, int ret)
{
    const char *name = error_name(ret);

    answer(wire, XS_ERROR, name, (uint32_t)strlen(name) + 1);
    if (ret == -ERR_NODEV)
        wire->broken = "its domain was released";
}

void store_wire_answer(struct store_wire *wire, const void *payload, uint32_t bytes)
{
    if (bytes > STORE_WIRE_PAYLOAD_MAX)
        store_wire_error(wire, -ERR_2BIG);
    else
        answer(wire, (enum store_wire_type)wire->in.header.type, payload, bytes);
}

void store_wire_event(struct store_wire *wire, const struct store_event *event)
{
    char payload[STORE_WIRE_PAYLOAD_MAX];
    size_t path_bytes = strlen(event->path) + 1;
    uint32_t bytes = (uint32_t)path_bytes + event->token_bytes + 1;
    struct store_wire_message *message;

    if (bytes > sizeof(payload))
        return; /* Xen does not tell it either */
    memcpy(payload, event->path, path_bytes);
    memcpy(payload + path_bytes, event->token, event->token_bytes);
    payload[bytes - 1] = '\0';
    if (event->path[0] == '@') { /* each counts */
        queue(wire, XS_WATCH_EVENT, payload, bytes);
        return;
    }
    HASH_FIND(hh, wire->unsent, payload, bytes, message);
    if (message)
        return; /* it is told so anyway */
    message = queue(wire, XS_WATCH_EVENT, payload, bytes);
    message->unsent = true;
    HASH_ADD_KEYPTR(hh, wire->unsent, message->payload, bytes, message);
}

uint32_t store_wire_output(const struct store_wire *wire, const void **bytes)
{
    const struct store_wire_message *first = wire->output;

    if (!first)
        return 0;
    *bytes = (const char *)&first->header + wire->sent;
    return first->bytes - wire->sent;
}

void store_wire_sent(struct store_wire *wire, uint32_t bytes)
{
    struct store_wire_message *first = wire->output;

    assert(first && bytes <= first->bytes - wire->sent);
    if (first->unsent && bytes > 0)
        HASH_DEL(wire->unsent, first); /* NOLINT: clang 14 does not follow uthash's links */
    first->unsent = first->unsent && bytes == 0;
    wire->sent += bytes;
    wire->output_bytes -= bytes;
    if (wire->sent < first->bytes)
        return;
    wire->sent = 0;
    wire->answers -= first->event ? 0 : 1;
    DL_DELETE(wire->output, first);
    free(first);
}

bool store_wire_ready(const struct store_wire *wire)
{
    return !wire->broken && wire->answers < STORE_OUTSTANDING_MAX;
}

const char *store_wire_broken(const struct store_wire *wire)
{
    return wire->broken;
}

uint16_t store_wire_domid(const struct store_wire *wire)
{
    return wire->config.domid;
}

/* Take of what came what a buffer lacks. */
static uint32_t take(char *buffer, uint32_t *have, uint32_t want, const char *from, uint32_t count)
{
    uint32_t taken = want - *have < count ? want - *have : count;

    if (taken > 0)
        memcpy(buffer + *have, from, taken);
    *have += taken;
    return taken;
}

uint32_t store_wire_feed(struct store_wire *wire, const void *bytes, uint32_t count)
{
    const struct store_wire_header *header = &wire->in.header;
    const char *from = bytes;
    uint32_t at = 0;

    while (store_wire_ready(wire)) {
        at += take(wire->in.bytes, &wire->header_bytes, STORE_WIRE_HEADER_BYTES, from + at,
                   count - at);
        if (wire->header_bytes < STORE_WIRE_HEADER_BYTES)
            break;
        if (header->len > STORE_WIRE_PAYLOAD_MAX) {
            store_wire_error(wire, -ERR_2BIG);
            wire->broken = "sent a message that is too long";
            break;
        }
        at += take(wire->payload, &wire->payload_bytes, header->len, from + at, count - at);
        if (wire->payload_bytes < header->len)
            break;
        wire->payload[header->len] = '\0';
        store_wire_request(wire);
        wire->header_bytes = wire->payload_bytes = 0;
    }
    return at;
}

struct store_wire *store_wire_open(const struct store_wire_config *config)
{
    struct store_wire *wire = calloc(1, sizeof(*wire));

    assert(wire);
    wire->config = *config;
    wire->client = store_connect(config->store, config->domid, wire);
    return wire;
}

void store_wire_close(struct store_wire *wire)
{
    struct store_wire_message *message, *following;

    store_disconnect(wire->client);
    HASH_CLEAR(hh, wire->unsent);
    DL_FOREACH_SAFE (wire->output, message, following) {
        free(message);
    }
    free(wire);
}
