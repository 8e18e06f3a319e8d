/*
 * Fuzz harness of xenstore: what clients of three domains send over the wire, split anywhere.
 *
 * The input: a first byte, 250 and more of which leave domain 1 few nodes of its quota; operations
 * until it ends or REQUESTS_MAX were sent. An operation's byte is client + CLIENTS * what:
 *
 *   what 0..35   a request that looks like one: its type, a path of few words, what goes with it;
 * in one of the client's transactions, in none, in one that never was 40..43       the same up to
 * 200 times with a number in its path or token: quotas 44           a request of bytes as they come
 *   45           a head that no request has: the client must be dropped
 *   46           the client goes, and comes again
 *
 * What is checked, beside what xs_reference.h does: each request has one answer, in order; who
 * breaks the wire is dropped, nobody else; no domain has more than its quotas; the tree is the
 * reference's, node by node, in the end; when all have gone, neither watch nor transaction is left.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/fuzz/fuzz.h"

#include "sim/hv/hypervisor.h"
#include "sim/hv/store_wire.h"
#include "tests/support/xs_messages.h"
#include "tests/support/xs_reference.h"

#include <string.h>

enum {
    CLIENTS = XS_REFERENCE_CLIENTS,
    REQUESTS_MAX = 400,
    REPEATS_MAX = 200,
    HEAD_BYTES = 16,
    PAYLOAD_MAX = XS_PAYLOAD_MAX,
    OPEN_MAX = 16, /* transactions of a client we know of */
    TYPES = 24,
};

static const uint16_t domid_of[CLIENTS] = {0, 1, 1, 2, 0};

/* A client: its session, what it asked and is not answered, its transactions. */
struct client {
    struct store_wire *wire; /* NULL: dropped, or gone */
    uint32_t open[OPEN_MAX], open_count;
};

static struct {
    struct hypervisor *tables;
    struct client clients[CLIENTS];
    struct xs_request request;
    uint32_t requests;
    bool answered; /* the request under way is */
    bool narrow;   /* few paths */
    uint32_t asker;
} all;

static void put_u32(uint8_t *to, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

/* ---- what is heard --------------------------------------------------------------------------- */

static void forget_transaction(struct client *client, uint32_t id)
{
    for (uint32_t i = 0; i < client->open_count; i++)
        if (client->open[i] == id)
            client->open[i] = client->open[--client->open_count];
}

static void answered(uint32_t number, const struct xs_said *said)
{
    const struct xs_request *request = &all.request;
    struct xs_said asked = {request->type, request->req_id, request->tx_id, request->bytes,
                            request->payload};
    struct client *client = &all.clients[number];

    FUZZ_CHECK(number == all.asker && !all.answered, "client %u is answered and asked nothing",
               number);
    all.answered = true;
    xs_reference_answered(number, &asked, said);
    if (said->type == XS_TRANSACTION_START && client->open_count < OPEN_MAX)
        client->open[client->open_count++] =
            (uint32_t)strtoul((const char *)said->payload, NULL, 10);
    if (asked.type == XS_TRANSACTION_END && said->type == XS_TRANSACTION_END)
        forget_transaction(client, asked.tx_id);
    if (asked.type == XS_RESET_WATCHES && said->type == XS_RESET_WATCHES)
        client->open_count = 0;
}

/* So many bytes of what waits for a client; false: there are not so many. */
static bool take(struct client *client, uint8_t *to, uint32_t count)
{
    const void *bytes;

    while (count > 0) {
        uint32_t waiting = store_wire_output(client->wire, &bytes);
        uint32_t part = waiting < count ? waiting : count;

        if (part == 0)
            return false;
        memcpy(to, bytes, part);
        store_wire_sent(client->wire, part);
        to += part;
        count -= part;
    }
    return true;
}

/* Take one message that waits for a client; false: none does. */
static bool hear(uint32_t number)
{
    static uint8_t payload[PAYLOAD_MAX + 1];
    struct client *client = &all.clients[number];
    uint8_t head[HEAD_BYTES];
    bool whole;

    if (!take(client, head, HEAD_BYTES))
        return false;
    struct xs_said said = {get_u32(head), get_u32(head + 4), get_u32(head + 8), get_u32(head + 12),
                           payload};
    FUZZ_CHECK(said.bytes <= PAYLOAD_MAX, "a message of %u bytes", said.bytes);
    whole = take(client, payload, said.bytes);
    FUZZ_CHECK(whole, "a part of a message of %u bytes", said.bytes);
    payload[said.bytes] = 0;
    if (said.type == XS_WATCH_EVENT)
        xs_reference_event(number, &said);
    else
        answered(number, &said);
    return true;
}

/* Events go to whose watch fired; the domains' own clients have none. */
static void deliver(void)
{
    struct store_event event;

    while (store_next(hypervisor_store(all.tables), &event)) {
        FUZZ_CHECK(event.owner, "an event of nobody");
        store_wire_event(event.owner, &event);
    }
}

/* What all clients hear until there is nothing more. */
static void settle(void)
{
    bool any = true;

    /* the answer first, which tells the reference what events there must be */
    while (!all.answered && all.clients[all.asker].wire && hear(all.asker)) {
    }
    while (any) {
        any = false;
        deliver();
        for (uint32_t c = 0; c < CLIENTS; c++)
            while (all.clients[c].wire && hear(c))
                any = true;
    }
    xs_reference_settled();
    for (uint16_t d = 0; d < (uint16_t)XS_REFERENCE_DOMAINS; d++) {
        struct store_usage has;
        struct xs_reference_usage must;

        store_usage(hypervisor_store(all.tables), d, &has);
        xs_reference_usage(d, &must);
        FUZZ_CHECK(has.watches == must.watches && has.transactions == must.transactions,
                   "domain %u has %u watches, %u transactions, not %u, %u", d, has.watches,
                   has.transactions, must.watches, must.transactions);
        FUZZ_CHECK(has.nodes == must.nodes, "domain %u has %u nodes, not %u", d, has.nodes,
                   must.nodes);
    }
}

/* ---- clients --------------------------------------------------------------------------------- */

static void client_come(uint32_t number)
{
    const struct store_wire_config config = {.store = hypervisor_store(all.tables),
                                             .domid = domid_of[number]};

    all.clients[number] = (struct client){.wire = store_wire_open(&config)};
    xs_reference_open(number, domid_of[number]);
}

static void client_go(uint32_t number)
{
    if (all.clients[number].wire)
        store_wire_close(all.clients[number].wire);
    all.clients[number] = (struct client){.wire = NULL};
    xs_reference_close(number);
}

/* ---- requests -------------------------------------------------------------------------------- */

static uint32_t choose_transaction(struct fuzz_input *input, const struct client *client)
{
    uint8_t which = fuzz_u8(input);

    if (which < 128)
        return 0;
    if (which < 240 && client->open_count > 0)
        return client->open[which % client->open_count];
    return which < 250 ? 0 : which;
}

/* Hand a message to its session, in pieces. Who breaks the wire goes. */
static void hand(struct fuzz_input *input, uint32_t number, const uint8_t *bytes, uint32_t count)
{
    struct store_wire *wire = all.clients[number].wire;
    uint8_t piece = fuzz_u8(input);

    for (uint32_t at = 0; at < count && !store_wire_broken(wire);) {
        uint32_t part = piece == 0 || piece > count - at ? count - at : piece;
        uint32_t taken = store_wire_feed(wire, bytes + at, part);
        FUZZ_CHECK(taken == part || store_wire_broken(wire), "%u of %u bytes are taken", taken,
                   part);
        at += part;
    }
    if (store_wire_broken(wire))
        client_go(number);
}

static void ask(struct fuzz_input *input, uint32_t number)
{
    static uint8_t message[HEAD_BYTES + PAYLOAD_MAX];
    const struct xs_request *request = &all.request;

    put_u32(message, request->type);
    put_u32(message + 4, request->req_id);
    put_u32(message + 8, request->tx_id);
    put_u32(message + 12, request->bytes);
    memcpy(message + HEAD_BYTES, request->payload, request->bytes);
    all.request.payload[request->bytes] = 0;
    all.asker = number;
    all.answered = false;
    all.requests++;
    hand(input, number, message, HEAD_BYTES + request->bytes);
    FUZZ_CHECK(all.clients[number].wire, "client %u kept to the wire and is dropped", number);
    settle();
    FUZZ_CHECK(all.answered, "type %u is not answered", request->type);
}

static void begin_request(uint32_t type, uint32_t tx_id)
{
    all.request.type = type;
    all.request.tx_id = tx_id;
    all.request.req_id = all.requests;
    all.request.bytes = 0;
}

static void read_request(struct fuzz_input *input, uint32_t number)
{
    begin_request(xs_messages_type(input), choose_transaction(input, &all.clients[number]));
    xs_messages_fill(input, &all.request, 0, all.narrow);
    ask(input, number);
}

static void read_many(struct fuzz_input *input, uint32_t number)
{
    uint32_t times = fuzz_u8(input) % REPEATS_MAX, type = xs_messages_type(input);
    uint32_t tx_id = choose_transaction(input, &all.clients[number]);
    struct fuzz_input start = *input;

    for (uint32_t i = 0; i < times && all.requests < REQUESTS_MAX && all.clients[number].wire;
         i++) {
        *input = start;
        begin_request(type, tx_id);
        xs_messages_fill(input, &all.request, all.requests, false);
        ask(input, number);
        if (all.request.type == XS_TRANSACTION_END || all.request.type == XS_RESET_WATCHES)
            return;
    }
}

/* Requests of the tree of one client in a transaction, and of any client beside it. */
static void read_transaction(struct fuzz_input *input, uint32_t number)
{
    static const uint8_t types[] = {XS_READ, XS_WRITE, XS_MKDIR, XS_RM, XS_DIRECTORY, XS_SET_PERMS};
    uint32_t count = fuzz_u8(input) % 8, before = all.clients[number].open_count;

    begin_request(XS_TRANSACTION_START, 0);
    xs_messages_add(&all.request, "", 1);
    ask(input, number);
    if (all.clients[number].open_count == before)
        return; /* it has enough */
    uint32_t tx_id = all.clients[number].open[before];
    all.narrow = true;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t who = fuzz_u8(input);
        uint32_t other = who % CLIENTS;
        bool inside = who < 128 || !all.clients[other].wire;
        begin_request(types[fuzz_u8(input) % sizeof(types)], inside ? tx_id : 0);
        xs_messages_fill(input, &all.request, 0, all.narrow);
        ask(input, inside ? number : other);
    }
    all.narrow = false;
    begin_request(XS_TRANSACTION_END, tx_id);
    xs_messages_add(&all.request, "T", 2);
    ask(input, number);
}

static void read_raw(struct fuzz_input *input, uint32_t number)
{
    uint32_t count = fuzz_u8(input);

    begin_request(xs_messages_type(input), choose_transaction(input, &all.clients[number]));
    for (uint32_t i = 0; i < count; i++) {
        uint8_t byte = fuzz_u8(input);
        xs_messages_add(&all.request, &byte, 1);
    }
    ask(input, number);
}

/* A length that no message has. What was asked before is answered. */
static void break_wire(struct fuzz_input *input, uint32_t number)
{
    uint8_t head[HEAD_BYTES];

    put_u32(head, XS_READ);
    put_u32(head + 4, 0);
    put_u32(head + 8, 0);
    put_u32(head + 12, PAYLOAD_MAX + 1 + fuzz_u32(input) % 65536);
    hand(input, number, head, HEAD_BYTES);
    FUZZ_CHECK(!all.clients[number].wire, "client %u broke the wire and is not dropped", number);
    settle();
}

static void read_operation(struct fuzz_input *input)
{
    uint8_t byte = fuzz_u8(input);
    uint32_t number = byte % CLIENTS, what = byte / CLIENTS;

    if (!all.clients[number].wire)
        client_come(number);
    if (what < 36) {
        read_request(input, number);
    } else if (what < 40) {
        read_transaction(input, number);
    } else if (what < 44) {
        read_many(input, number);
    } else if (what == 44) {
        read_raw(input, number);
    } else if (what == 45) {
        break_wire(input, number);
    } else {
        client_go(number);
        settle();
    }
}

/* ---- the tree as a whole --------------------------------------------------------------------- */

static void release_run(void *self, void *backing)
{
    (void)self;
    (void)backing;
}

/* Hand each node of the tree to `each`, parents first. */
static void walk(const char *path, void (*each)(const char *path, const char *value, uint32_t bytes,
                                                const char *perms, uint32_t perms_bytes))
{
    struct store_client *as = store_toolstack(hypervisor_store(all.tables));
    const struct store_perm *list;
    struct store_names names;
    const void *value;
    char perms[256];
    uint32_t bytes, perms_bytes = 0;

    int count = store_get_perms(as, 0, path, &list);
    for (int i = 0; i < count; i++)
        perms_bytes += 1 + (uint32_t)snprintf(perms + perms_bytes, sizeof(perms) - perms_bytes,
                                              "%c%u", "nrwb"[list[i].access], list[i].domid);
    int ret = store_read(as, 0, path, &value, &bytes);
    FUZZ_CHECK(ret == 0 && count > 0, "%s: %d", path, ret);
    each(path, value, bytes, perms, perms_bytes);

    ret = store_list(as, 0, path, &names);
    FUZZ_CHECK(ret >= 0, "%s: %d", path, ret);
    char *copy = malloc(names.bytes + 1);
    memcpy(copy, names.text, names.bytes);
    for (const char *name = copy; name < copy + names.bytes; name += strlen(name) + 1) {
        char child[4096];
        snprintf(child, sizeof(child), "%s/%s", path[1] ? path : "", name);
        walk(child, each);
    }
    free(copy);
}

/* All but a few of the nodes that domain 1 may own. */
static void fill(struct store *store)
{
    char path[64];
    struct store_usage usage = {0};

    for (uint32_t i = 0; usage.nodes < STORE_NODES_MAX - 4; i++) {
        snprintf(path, sizeof(path), "/local/domain/1/data/full/%u/%u", i / 64, i);
        FUZZ_CHECK(store_put(store, path, "") == 0, "%s", path);
        store_usage(store, 1, &usage);
    }
}

static void start(bool full)
{
    static const struct hypervisor_config config = {.release_run = release_run};

    all.tables = hypervisor_create(&config);
    all.requests = 0;
    for (uint16_t d = 0; d < (uint16_t)XS_REFERENCE_DOMAINS; d++)
        FUZZ_CHECK(hypervisor_domain_add(all.tables, d) == 0, "domain %u", d);
    FUZZ_CHECK(hypervisor_device_add(all.tables, "xensock", 1, 0, 0) == 0, "device");
    FUZZ_CHECK(store_put(hypervisor_store(all.tables), "/narrow", "") == 0, "a node");
    if (full)
        fill(hypervisor_store(all.tables));
    xs_reference_start();
    walk("/", xs_reference_node);
    for (uint32_t c = 0; c < CLIENTS; c++)
        client_come(c);
}

static uint32_t compared;

static void compare(const char *path, const char *value, uint32_t bytes, const char *perms,
                    uint32_t perms_bytes)
{
    xs_reference_compare(path, value, bytes, perms, perms_bytes);
    compared++;
}

static void finish(void)
{
    compared = 0;
    walk("/", compare);
    FUZZ_CHECK(compared == xs_reference_nodes(), "%u nodes, not %u", compared,
               xs_reference_nodes());
    for (uint32_t c = 0; c < CLIENTS; c++)
        client_go(c);
    for (uint16_t d = 0; d < (uint16_t)XS_REFERENCE_DOMAINS; d++) {
        struct store_usage has;

        store_usage(hypervisor_store(all.tables), d, &has);
        FUZZ_CHECK(has.watches == 0 && has.transactions == 0, "domain %u leaves %u, %u", d,
                   has.watches, has.transactions);
    }
    hypervisor_destroy(all.tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    start(fuzz_u8(&input) >= 250);
    while (input.size > 0 && all.requests < REQUESTS_MAX)
        read_operation(&input);
    finish();
    return 0;
}
