/* Walks a dialect's rows; knows no dialect but through the registry. See dialect.h. */
#include "ringlib/dialect.h"

#include "ringlib/xenbus.h"

static const struct dialect *const registry[] = {
    &dialect_xensock1,
    &dialect_pvcalls1,
    &dialect_xensock1_compact,
};

_Static_assert(sizeof(registry) / sizeof(registry[0]) <= DIALECTS_MAX, "sets of them are small");

const struct dialect *dialect_at(uint32_t i)
{
    return i < sizeof(registry) / sizeof(registry[0]) ? registry[i] : NULL;
}

uint32_t dialect_node_count(const struct dialect_node nodes[DIALECT_NODES_MAX])
{
    uint32_t count = 0;

    while (count < DIALECT_NODES_MAX && nodes[count].value)
        count++;
    return count;
}

const struct dialect_node *dialect_node_find(const struct dialect_node nodes[DIALECT_NODES_MAX],
                                             enum dialect_key key)
{
    for (uint32_t i = 0; i < dialect_node_count(nodes); i++)
        if (nodes[i].key == key)
            return &nodes[i];
    return NULL;
}

bool dialect_node_fits(const struct dialect_node *node, const char *text)
{
    return node->listed ? xenbus_lists(text, node->value) : strcmp(text, node->value) == 0;
}

uint32_t dialect_place(const struct dialect *dialect)
{
    uint32_t place = 0;

    while (dialect_at(place) != dialect)
        place++;
    return place;
}

const struct dialect *dialect_find(const char *name)
{
    for (uint32_t i = 0; dialect_at(i); i++)
        if (strcmp(dialect_at(i)->name, name) == 0)
            return dialect_at(i);
    return NULL;
}

void dialect_ring(const struct dialect *dialect, uint32_t order, struct dialect_ring *ring)
{
    /* below the least lies what a backend of QUIRK_ORDER_ZERO takes */
    assert(order <= dialect->order_max &&
           (order >= dialect->order_min || dialect->index.pages > 0));
    dialect->ring(order, ring);
    assert(ring->pages <= DIALECT_PAGES_MAX);
}

/* Copy one row between layouts; little-endian on both sides, so a prefix is the value. */
static void row_copy(unsigned char *to, uint8_t to_bytes, const unsigned char *from,
                     uint8_t from_bytes, const struct dialect_row *row)
{
    uint8_t bytes = to_bytes < from_bytes ? to_bytes : from_bytes;

    for (uint32_t i = 0; i < row->count; i++) {
        memset(to, row->is_signed && (from[from_bytes - 1] & 0x80) ? 0xff : 0, to_bytes);
        memcpy(to, from, bytes);
        to += to_bytes;
        from += from_bytes;
    }
}

static void rows_pack(const struct dialect_row *rows, uint32_t count, const void *members,
                      void *slot)
{
    for (uint32_t i = 0; i < count; i++)
        row_copy((unsigned char *)slot + rows[i].wire_at, rows[i].wire_bytes,
                 (const unsigned char *)members + rows[i].call_at, rows[i].call_bytes, &rows[i]);
}

static void rows_unpack(const struct dialect_row *rows, uint32_t count, const void *slot,
                        void *members)
{
    for (uint32_t i = 0; i < count; i++)
        row_copy((unsigned char *)members + rows[i].call_at, rows[i].call_bytes,
                 (const unsigned char *)slot + rows[i].wire_at, rows[i].wire_bytes, &rows[i]);
}

void dialect_pack_call(const struct dialect *dialect, const struct call *call, void *slot)
{
    const struct dialect_call *entry = &dialect->calls[call->kind];
    struct call coded = *call;

    assert(call->kind < CALL_KINDS && entry->exists);
    coded.code = entry->code;
    memset(slot, 0, dialect->request_bytes);
    rows_pack(dialect->request, dialect->request_rows, &coded, slot);
    rows_pack(entry->rows, entry->row_count, &coded, slot);
}

void dialect_unpack_call(const struct dialect *dialect, const void *slot, struct call *call)
{
    memset(call, 0, sizeof(*call));
    rows_unpack(dialect->request, dialect->request_rows, slot, call);
    for (call->kind = 0; call->kind < CALL_KINDS; call->kind++)
        if (dialect->calls[call->kind].exists && dialect->calls[call->kind].code == call->code)
            break;
    if (call->kind < CALL_KINDS)
        rows_unpack(dialect->calls[call->kind].rows, dialect->calls[call->kind].row_count, slot,
                    call);
}

void dialect_pack_reply(const struct dialect *dialect, const struct call_reply *reply, void *slot)
{
    memset(slot, 0, dialect->response_bytes);
    rows_pack(dialect->response, dialect->response_rows, reply, slot);
}

void dialect_unpack_reply(const struct dialect *dialect, const void *slot, struct call_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    rows_unpack(dialect->response, dialect->response_rows, slot, reply);
}
