/* Clients of the reference of xenstore: transactions, watches, events. See xs_reference.h. */
#include "tests/support/xs_reference_private.h"

#include <ctype.h>
#include <string.h>

struct said {
    struct xs_said asked, answer; /* copies */
    struct said *next;
};

struct transaction {
    uint32_t id;
    uint64_t changes; /* of the world when it began */
    struct said *said, **said_end;
    struct transaction *next;
};

struct watch {
    char *path, *given, *token; /* absolute; as it was given */
    struct watch *next;
};

/* An event that is due, or (not `must`) may come. */
struct due {
    char *changed;    /* the node's path */
    const char *path; /* as the client is told it, and */
    const char *token;
    bool must, came;
    struct due *next;
};

struct client {
    bool open;
    uint16_t domid;
    struct transaction *transactions;
    struct watch *watches;
    struct due *due;
};

static struct {
    struct xs_world world;
    uint64_t changes;
    struct client clients[XS_REFERENCE_CLIENTS];
} all;

static bool same(const struct xs_reply *reply, const struct xs_said *answer)
{
    if (reply->error)
        return answer->type == ERROR && answer->bytes == strlen(reply->error) + 1 &&
               memcmp(answer->payload, reply->error, answer->bytes) == 0;
    return answer->type != ERROR && answer->bytes == reply->bytes &&
           memcmp(answer->payload, reply->payload, reply->bytes) == 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void due(struct client *client, const struct watch *watch, const char *path, bool must)
{
    struct due *new = calloc(1, sizeof(*new));
    char home[64];

    FUZZ_CHECK(new, "memory");
    int length = snprintf(home, sizeof(home), "/local/domain/%u/", client->domid);
    bool relative = watch->given[0] != '/' && watch->given[0] != '@';
    *new = (struct due){.changed = xs_copy_of(path, strlen(path)),
                        .token = watch->token,
                        .must = must,
                        .next = client->due};
    FUZZ_CHECK(!relative || strncmp(path, home, (size_t)length) == 0, "%s below %s", path, home);
    new->path = new->changed + (relative ? length : 0);
    client->due = new;
}

/* A node changed: those who watch it (or above, unless `exact`) are told, if they may know. Within
 * a transaction that may depend on permissions it changes: then they may be told. */
static void fire(const struct xs_doing *doing, const struct xs_node *node,
                 const struct xs_node *before, bool exact)
{
    bool settled = doing->world == &all.world;

    for (uint32_t c = 0; c < XS_REFERENCE_CLIENTS; c++) {
        struct client *client = &all.clients[c];
        bool sees = xs_may_see(doing->world, client->domid, node) ||
                    (before && (xs_allowed(client->domid, before) & MAY_READ));

        for (const struct watch *watch = client->watches; watch && (sees || !settled);
             watch = watch->next)
            if (exact ? strcmp(node->path, watch->path) == 0 : xs_is_below(node->path, watch->path))
                due(client, watch, node->path, settled || client->domid == 0);
    }
}

/* ---- transactions ---------------------------------------------------------------------------- */

static struct transaction **find_transaction(struct client *client, uint32_t id)
{
    struct transaction **link = &client->transactions;

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

static void end_transaction(struct transaction **link)
{
    struct transaction *ending = *link;

    while (ending->said) {
        struct said *said = ending->said;
        ending->said = said->next;
        free((void *)(uintptr_t)said->asked.payload);
        free((void *)(uintptr_t)said->answer.payload);
        free(said);
    }
    *link = ending->next;
    free(ending);
}

static struct xs_said said_copy(const struct xs_said *from)
{
    struct xs_said copy = *from;

    copy.payload = xs_copy_of(from->payload, from->bytes);
    return copy;
}

static void keep(struct transaction *in, const struct xs_said *asked, const struct xs_said *answer)
{
    struct said *said = calloc(1, sizeof(*said));

    FUZZ_CHECK(said, "memory");
    *said = (struct said){.asked = said_copy(asked), .answer = said_copy(answer)};
    *in->said_end = said;
    in->said_end = &said->next;
}

/* All that was asked gives the same answers, at once and now. Of a node that came and went in it
 * nobody need be told. */
static void commit(const struct client *client, const struct transaction *transaction)
{
    struct xs_world after = xs_world_copy(&all.world);
    struct xs_doing doing = {.world = &after, .domid = client->domid, .tell = fire};

    for (const struct said *said = transaction->said; said; said = said->next) {
        struct xs_reply reply = {0};
        xs_do_tree(&doing, &said->asked, &reply);
        FUZZ_CHECK(same(&reply, &said->answer),
                   "committed, but type %u of '%s' is now answered otherwise: %s", said->asked.type,
                   (const char *)said->asked.payload, reply.error ? reply.error : "no error");
    }
    for (uint32_t c = 0; c < XS_REFERENCE_CLIENTS; c++)
        for (struct due *due = all.clients[c].due; due; due = due->next)
            due->must =
                due->must && (xs_find(&all.world, due->changed) || xs_find(&after, due->changed));
    xs_world_fini(&all.world);
    all.world = after;
    all.changes += doing.changed ? 1 : 0;
}

static void end(struct client *client, const struct xs_said *asked, const struct xs_said *answer)
{
    struct transaction **link = find_transaction(client, asked->tx_id);
    bool failed = answer->type == ERROR;

    if (xs_strings(asked) != 1 || (asked->payload[0] != 'T' && asked->payload[0] != 'F') ||
        asked->bytes != 2) {
        FUZZ_CHECK(failed, "the end of a transaction that is none");
        return;
    }
    if (!failed && asked->payload[0] == 'T')
        commit(client, *link);
    if (failed) {
        bool again = strcmp((const char *)answer->payload, "EAGAIN") == 0;
        FUZZ_CHECK(asked->payload[0] == 'T' && again, "%s at the end of a transaction",
                   (const char *)answer->payload);
        FUZZ_CHECK((*link)->changes != all.changes, "EAGAIN, and nothing has changed");
    }
    end_transaction(link);
}

static void start_transaction(struct client *client, const struct xs_said *answer)
{
    uint32_t usage = 0, id;

    for (uint32_t c = 0; c < XS_REFERENCE_CLIENTS; c++)
        for (const struct transaction *t = all.clients[c].transactions; t; t = t->next)
            usage += all.clients[c].domid == client->domid;
    if (answer->type == ERROR) {
        FUZZ_CHECK(client->domid != 0 && usage > TRANSACTIONS_QUOTA - 1, "%u transactions: %s",
                   usage, (const char *)answer->payload);
        return;
    }
    FUZZ_CHECK(client->domid == 0 || usage <= TRANSACTIONS_QUOTA, "%u transactions", usage + 1);
    id = (uint32_t)strtoul((const char *)answer->payload, NULL, 10);
    FUZZ_CHECK(id != 0 && !*find_transaction(client, id), "transaction %u", id);
    struct transaction *new = calloc(1, sizeof(*new));
    FUZZ_CHECK(new, "memory");
    *new = (struct transaction){.id = id, .changes = all.changes, .next = client->transactions};
    new->said_end = &new->said;
    client->transactions = new;
}

/* ---- watches --------------------------------------------------------------------------------- */

static void end_watch(struct client *client, struct watch **link)
{
    struct watch *ending = *link;

    for (const struct due *due = client->due; due; due = due->next)
        FUZZ_CHECK(due->token != ending->token, "unsettled");
    *link = ending->next;
    free(ending->path);
    free(ending->given);
    free(ending->token);
    free(ending);
}

static uint32_t count_watches(uint16_t domid)
{
    uint32_t count = 0;

    for (uint32_t c = 0; c < XS_REFERENCE_CLIENTS; c++)
        for (const struct watch *w = all.clients[c].watches; w; w = w->next)
            count += all.clients[c].open && all.clients[c].domid == domid;
    return count;
}

/* The link to the watch of a path and token; at the end if there is none. */
static struct watch **find_watch(struct client *client, const char *path, const char *token)
{
    struct watch **link = &client->watches;

    while (*link && (strcmp((*link)->path, path) != 0 || strcmp((*link)->token, token) != 0))
        link = &(*link)->next;
    return link;
}

static const char *do_watch(struct client *client, const struct xs_said *asked)
{
    const char *given = (const char *)asked->payload;
    char path[PATH_BYTES];

    if (xs_strings(asked) != 2)
        return "EINVAL";
    if (given[0] == '@' && strlen(given) < 2048)
        xs_copy_path(path, given);
    else if (!xs_absolute(client->domid, given, path))
        return "EINVAL";
    const char *token = given + strlen(given) + 1;
    struct watch **link = find_watch(client, path, token);
    if (asked->type == UNWATCH) {
        if (!*link)
            return "ENOENT";
        end_watch(client, link);
        return NULL;
    }
    if (*link)
        return "EEXIST";
    if (client->domid != 0 && count_watches(client->domid) > WATCHES_QUOTA)
        return "E2BIG";
    *link = calloc(1, sizeof(**link));
    FUZZ_CHECK(*link, "memory");
    **link = (struct watch){.path = xs_copy_of(path, strlen(path)),
                            .given = xs_copy_of(given, strlen(given)),
                            .token = xs_copy_of(token, strlen(token))};
    due(client, *link, (*link)->path, true);
    return NULL;
}

static void forget(struct client *client)
{
    while (client->watches)
        end_watch(client, &client->watches);
    while (client->transactions)
        end_transaction(&client->transactions);
}

/* ---- the interface --------------------------------------------------------------------------- */

void xs_reference_start(void)
{
    for (uint32_t c = 0; c < XS_REFERENCE_CLIENTS; c++)
        xs_reference_close(c);
    xs_world_fini(&all.world);
    all.changes = 0;
}

static uint32_t read_perms(const char *perms, uint32_t bytes, struct xs_perm *list)
{
    uint32_t count = 0;

    for (const char *text = perms; text < perms + bytes; text += strlen(text) + 1) {
        bool proper = count < PERMS_MAX && xs_read_perm(text, &list[count++]);
        FUZZ_CHECK(proper, "permissions %s", text);
    }
    return count;
}

void xs_reference_node(const char *path, const char *value, uint32_t bytes, const char *perms,
                       uint32_t perms_bytes) /* tidy: all that a node is */
{
    struct xs_node *node = xs_add(&all.world, path);

    free(node->value);
    node->bytes = bytes;
    node->value = xs_copy_of(value, bytes);
    node->perm_count = read_perms(perms, perms_bytes, node->perms);
}

void xs_reference_compare(const char *path, const char *value, uint32_t bytes, const char *perms,
                          uint32_t perms_bytes) /* tidy: as above */
{
    const struct xs_node *node = xs_find(&all.world, path);
    struct xs_perm list[PERMS_MAX];

    FUZZ_CHECK(node, "%s should not be there", path);
    FUZZ_CHECK(node->bytes == bytes && memcmp(node->value, value, bytes) == 0, "%s is '%s'", path,
               value);
    uint32_t count = read_perms(perms, perms_bytes, list);
    FUZZ_CHECK(count == node->perm_count, "%s has %u permissions", path, count);
    for (uint32_t i = 0; i < count; i++)
        FUZZ_CHECK(list[i].domid == node->perms[i].domid && list[i].may == node->perms[i].may,
                   "%s: permission %u is another", path, i);
}

uint32_t xs_reference_nodes(void)
{
    return all.world.count;
}

void xs_reference_open(uint32_t client, uint16_t domid)
{
    all.clients[client] = (struct client){.open = true, .domid = domid};
}

static void drop_due(struct client *client)
{
    while (client->due) {
        struct due *due = client->due;
        client->due = due->next;
        free(due->changed);
        free(due);
    }
}

void xs_reference_close(uint32_t client)
{
    drop_due(&all.clients[client]);
    forget(&all.clients[client]);
    all.clients[client].open = false;
}

static void do_rest(struct client *client, const struct xs_said *asked, struct xs_reply *reply)
{
    const char *text = (const char *)asked->payload;

    switch (asked->type) {
    case WATCH:
    case UNWATCH:
        reply->error = do_watch(client, asked);
        if (!reply->error)
            xs_put_text(reply, "OK");
        break;
    case RESET_WATCHES:
        forget(client);
        xs_put_text(reply, "OK");
        break;
    case GET_DOMAIN_PATH:
        if (xs_strings(asked) != 1 || !isdigit((unsigned char)text[0]) || strlen(text) > 4 ||
            text[strspn(text, "0123456789")]) {
            reply->error = "EINVAL";
            break;
        }
        char path[64];
        snprintf(path, sizeof(path), "/local/domain/%lu", strtoul(text, NULL, 10));
        xs_put_text(reply, path);
        break;
    default: reply->error = "ENOSYS";
    }
}

/* Requests of which only is known that they are answered: also who is told of domains. */
static bool is_anything(const struct xs_said *asked)
{
    bool special = asked->bytes > 0 && asked->payload[0] == '@';

    return asked->type == DIRECTORY_PART || asked->type == IS_DOMAIN_INTRODUCED ||
           (special && (asked->type == GET_PERMS || asked->type == SET_PERMS));
}

static bool is_tree(const struct xs_said *asked)
{
    uint32_t type = asked->type;

    return !is_anything(asked) &&
           (type == READ || type == DIRECTORY || type == GET_PERMS || type == WRITE ||
            type == MKDIR || type == RM || type == SET_PERMS);
}

static void check(const struct xs_said *asked, const struct xs_reply *reply,
                  const struct xs_said *answer)
{
    FUZZ_CHECK(same(reply, answer), "type %u of '%s' should be answered %s, not with %s '%s'",
               asked->type, (const char *)asked->payload, reply->error ? reply->error : "well",
               answer->type == ERROR ? "error" : "type", (const char *)answer->payload);
}

void xs_reference_answered(uint32_t number, const struct xs_said *asked,
                           const struct xs_said *answer)
{
    struct client *client = &all.clients[number];
    struct xs_reply reply = {0};
    struct transaction *in = asked->tx_id ? *find_transaction(client, asked->tx_id) : NULL;
    bool known = asked->type <= DIRECTORY_PART && asked->type != WATCH_EVENT &&
                 asked->type != ERROR && asked->type != 20;
    bool in_any = asked->type == WATCH || asked->type == UNWATCH; /* they belong to none */

    FUZZ_CHECK(answer->req_id == asked->req_id && answer->tx_id == asked->tx_id,
               "the answer is to %u, %u", answer->req_id, answer->tx_id);
    FUZZ_CHECK(answer->type == ERROR || answer->type == asked->type, "type %u", answer->type);
    if (known && !in_any && asked->tx_id != 0 && !in) {
        reply.error = "ENOENT";
        check(asked, &reply, answer);
    } else if (asked->type == TRANSACTION_START) {
        if (in) {
            reply.error = "EBUSY";
            check(asked, &reply, answer);
        } else {
            start_transaction(client, answer);
        }
    } else if (asked->type == TRANSACTION_END && in) {
        end(client, asked, answer);
    } else if (is_tree(asked) && in) {
        keep(in, asked, answer);
    } else if (is_tree(asked)) {
        struct xs_doing doing = {.world = &all.world, .domid = client->domid, .tell = fire};
        xs_do_tree(&doing, asked, &reply);
        all.changes += doing.changed ? 1 : 0;
        check(asked, &reply, answer);
    } else if (!is_anything(asked) && asked->type != TRANSACTION_END) {
        do_rest(client, asked, &reply);
        check(asked, &reply, answer);
    } else if (asked->type == TRANSACTION_END) {
        FUZZ_CHECK(answer->type == ERROR, "the end of no transaction");
    }
}

void xs_reference_event(uint32_t number, const struct xs_said *event)
{
    const struct client *client = &all.clients[number];
    const char *path = (const char *)event->payload, *token = path + strlen(path) + 1;
    struct due *found = client->due;

    FUZZ_CHECK(event->type == WATCH_EVENT && xs_strings(event) == 2, "an event of type %u",
               event->type);
    FUZZ_CHECK(event->req_id == 0 && event->tx_id == 0, "an event with ids");
    while (found && (strcmp(found->path, path) != 0 || strcmp(found->token, token) != 0))
        found = found->next;
    FUZZ_CHECK(found, "client %u is told of %s (%s)", number, path, token);
    for (struct due *due = client->due; due; due = due->next)
        if (strcmp(due->path, path) == 0 && strcmp(due->token, token) == 0)
            due->came = true;
}

void xs_reference_settled(void)
{
    for (uint32_t c = 0; c < XS_REFERENCE_CLIENTS; c++) {
        for (const struct due *due = all.clients[c].due; due; due = due->next)
            FUZZ_CHECK(due->came || !due->must, "client %u is not told of %s (%s)", c, due->path,
                       due->token);
        drop_due(&all.clients[c]);
    }
}

void xs_reference_usage(uint16_t domid, struct xs_reference_usage *usage)
{
    *usage = (struct xs_reference_usage){.nodes = xs_owned(&all.world, domid),
                                         .watches = count_watches(domid)};
    for (uint32_t c = 0; c < XS_REFERENCE_CLIENTS; c++)
        for (const struct transaction *t = all.clients[c].transactions; t; t = t->next)
            usage->transactions += all.clients[c].domid == domid;
}
