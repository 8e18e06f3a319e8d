/*
 * What clients do with nodes: who may, within which quota, and what fires. See store.h.
 *
 * Each call sees the tree, or a transaction over it, through the few functions at the top.
 * Source: Xen 4.17 docs/misc/xenstore.txt; tools/xenstore for the order of its checks, each error
 * and each comparison with a quota.
 */
#include "sim/hv/store_private.h"

/* A call on a path: what it sees, and what it found there. */
struct call {
    struct store_view view;
    struct store_record *record; /* NULL: there is none, and perhaps may be */
    bool absent;                 /* that: the call may make it */
    char path[STORE_PATH_MAX + 1];
};

static struct store_record *look(struct call *call, size_t length)
{
    struct store_node *node;

    if (call->view.transaction)
        return store_transaction_look(&call->view, call->path, length);
    node = store_node_find(call->view.client->store, call->path, length);
    return node ? &node->record : NULL;
}

/* The nearest node above that exists, and the length of its path. NULL: view.error. */
static struct store_record *look_above(struct call *call, size_t *length)
{
    struct store_record *record;

    *length = strlen(call->path);
    do {
        *length = store_path_parent(call->path, *length);
        record = look(call, *length);
    } while (!record && call->view.error == 0); /* the root exists */
    return record;
}

/* Begin a call on a node that is to be used like that. */
static int call_open(struct call *call, struct store_client *client, uint32_t transaction,
                     const char *path, unsigned need)
{
    size_t above_length;

    call->view = (struct store_view){.client = client};
    call->absent = false;
    if (client->domain->released)
        return -ERR_NODEV;
    if (transaction != 0) {
        call->view.transaction = store_transaction_find(client, transaction);
        if (!call->view.transaction)
            return -ERR_NOENT;
    }
    int length = store_path_resolve(client, path, call->path);
    if (length < 0)
        return length;
    call->record = look(call, (size_t)length);
    if (call->record)
        return (store_access_of(client, call->record) & need) == need ? 0 : -ERR_ACCES;
    const struct store_record *above =
        call->view.error < 0 ? NULL : look_above(call, &above_length);
    if (!above)
        return call->view.error;
    call->absent = (store_access_of(client, above) & need) != 0;
    return call->absent ? -ERR_NOENT : -ERR_ACCES;
}

static struct store_node *node_of(const struct call *call)
{
    return store_node_find(call->view.client->store, call->path, strlen(call->path));
}

static void fire(struct call *call, const struct store_record *old)
{
    if (call->view.transaction)
        store_transaction_fire(&call->view, call->path);
    else
        store_watches_fire(call->view.client->store, call->path, old);
}

/* A quota was met in the middle of what Xen does not undo in a transaction. */
static int spoil(struct call *call, int ret)
{
    if (call->view.transaction)
        store_transaction_spoil(call->view.transaction);
    return ret;
}

/* ---- looking ---- */

int store_read(struct store_client *client, uint32_t transaction, const char *path,
               const void **value, uint32_t *bytes)
{
    struct call call;
    int ret = call_open(&call, client, transaction, path, STORE_READ);

    if (ret < 0)
        return ret;
    *value = call.record->value;
    *bytes = call.record->bytes;
    return 0;
}

static const char *names_of(struct store *store, const struct store_node *node)
{
    if (store->names_room <= node->record.names_bytes) {
        free(store->names);
        store->names_room = node->record.names_bytes * 2 + 1;
        store->names = malloc(store->names_room);
        assert(store->names);
    }
    store_node_names(node, store->names);
    return store->names;
}

int store_list(struct store_client *client, uint32_t transaction, const char *path,
               struct store_names *names)
{
    struct call call;
    int ret = call_open(&call, client, transaction, path, STORE_READ);

    if (ret < 0)
        return ret;
    names->text = call.view.transaction ? store_transaction_names(&call.view, call.path)
                                        : names_of(client->store, node_of(&call));
    names->bytes = call.record->names_bytes;
    names->generation = call.record->generation;
    names->count = 0;
    for (uint32_t i = 0; i < names->bytes; i++)
        names->count += names->text[i] == '\0';
    return 0;
}

int store_get_perms(struct store_client *client, uint32_t transaction, const char *path,
                    const struct store_perm **perms)
{
    struct call call;
    int ret = call_open(&call, client, transaction, path, STORE_READ);

    if (ret < 0)
        return ret;
    /* Who died stays dead: the list may as well be without him. */
    call.record->perm_count = store_perms_live(client->store, call.record, call.record->perms);
    *perms = call.record->perms;
    return (int)call.record->perm_count;
}

/* ---- quotas ---- */

static bool fits(const struct call *call, uint32_t perm_count, size_t bytes)
{
    return store_privileged(call->view.client) ||
           STORE_NODE_BYTES + STORE_PERM_BYTES * perm_count + bytes < STORE_NODE_MAX;
}

/* Whether the domain may own so many nodes more. A transaction in which the first of them could be
 * made, and not all, is spoilt, as Xen's. */
static int may_own(struct call *call, uint32_t more)
{
    int64_t nodes = call->view.client->domain->usage.nodes;

    if (store_privileged(call->view.client))
        return 0;
    if (call->view.transaction)
        nodes += store_transaction_growth(call->view.transaction);
    if (nodes + more <= STORE_NODES_MAX)
        return 0;
    return nodes < STORE_NODES_MAX ? spoil(call, -ERR_NOSPC) : -ERR_NOSPC;
}

/* Where the next name of a path begins, behind the node of that path length. */
static size_t name_at(size_t length)
{
    return length == 1 ? 1 : length + 1;
}

/* Whether quotas allow the nodes that a path lacks below `above`, its nearest node. */
static int may_create(struct call *call, const struct store_record *above, size_t above_length,
                      uint32_t bytes)
{
    size_t own_bytes = (size_t)above->bytes + above->names_bytes; /* of the node above the name */
    size_t length = strlen(call->path);
    uint32_t levels = 0;
    bool all_fit = true;

    for (size_t at = name_at(above_length), end; at < length; at = end + 1) {
        end = at + strcspn(call->path + at, "/");
        all_fit = all_fit && fits(call, above->perm_count, own_bytes + (end - at) + 1);
        own_bytes = 0;
        levels++;
    }
    int ret = may_own(call, levels);
    if (ret == 0 && !(all_fit && fits(call, above->perm_count, bytes)))
        ret = spoil(call, -ERR_NOSPC);
    return ret;
}

/* ---- changing ---- */

/* Make a node that is not there, with the parents it lacks. */
static int create(struct call *call, uint32_t bytes)
{
    struct store_client *client = call->view.client;
    size_t length = strlen(call->path), at;
    const struct store_record *above = look_above(call, &at);
    int ret = above ? may_create(call, above, at, bytes) : call->view.error;

    if (ret < 0)
        return ret;
    assert(above); /* there is the root, or an error */
    struct store_perm *perms = store_alloc(0, above->perms, above->perm_count * sizeof(*perms));
    uint32_t count = store_perms_live(client->store, above, perms);
    if (!store_privileged(client))
        perms[0].domid = store_domid(client);
    for (at = name_at(at); at <= length && ret == 0; at++) {
        at += strcspn(call->path + at, "/");
        if (!call->view.transaction)
            store_node_add(client->store, call->path, at, perms, count);
        else if (!store_transaction_add(&call->view, call->path, at, perms, count))
            ret = call->view.error;
    }
    free(perms);
    return ret;
}

int store_write(struct store_client *client, uint32_t transaction, const char *path,
                const void *value, uint32_t bytes)
{
    struct call call;
    int ret = call_open(&call, client, transaction, path, STORE_WRITE);

    if (call.absent)
        ret = create(&call, bytes);
    else if (ret == 0 &&
             !fits(&call, call.record->perm_count, (size_t)bytes + call.record->names_bytes))
        ret = spoil(&call, -ERR_NOSPC);
    if (ret < 0)
        return ret;
    if (call.view.transaction)
        store_transaction_set_value(&call.view, call.path, value, bytes);
    else
        store_node_set_value(client->store, node_of(&call), value, bytes);
    fire(&call, NULL);
    return 0;
}

int store_mkdir(struct store_client *client, uint32_t transaction, const char *path)
{
    struct call call;
    int ret = call_open(&call, client, transaction, path, STORE_WRITE);

    if (!call.absent)
        return ret;
    ret = create(&call, 0);
    if (ret == 0)
        fire(&call, NULL);
    return ret;
}

int store_remove(struct store_client *client, uint32_t transaction, const char *path)
{
    struct call call;
    int ret = call_open(&call, client, transaction, path, STORE_WRITE);

    if (call.absent) {
        bool parent = look(&call, store_path_parent(call.path, strlen(call.path))) != NULL;
        return parent ? 0 : -ERR_NOENT;
    }
    if (ret < 0)
        return ret;
    if (strcmp(call.path, "/") == 0)
        return -ERR_INVAL;
    if (call.view.transaction)
        return store_transaction_remove(&call.view, call.path);
    struct store_node *node = node_of(&call);
    store_watches_fire_removal(client->store, node);
    store_node_remove(client->store, node);
    return 0;
}

/* Who hears of domains that come and go is domain 0's to say. */
static int set_special(struct store_client *client, const char *name,
                       const struct store_perm *perms, uint32_t count)
{
    int special = store_special(name);

    if (special < 0)
        return -ERR_INVAL;
    if (!store_privileged(client))
        return -ERR_ACCES;
    struct store_record *record = &client->store->specials[special];
    store_record_set_perms(record, perms, count);
    record->generation = ++client->store->generation;
    return 0;
}

int store_set_perms(struct store_client *client, uint32_t transaction, const char *path,
                    const struct store_perm *perms, uint32_t count)
{
    struct call call;

    assert(count > 0);
    if (!store_privileged(client) && count > STORE_PERMS_MAX)
        return -ERR_NOSPC;
    if (path[0] == '@')
        return set_special(client, path, perms, count);
    int ret = call_open(&call, client, transaction, path, STORE_WRITE | STORE_OWNER);
    if (ret < 0)
        return ret;
    struct store_record *record = call.record;
    if (!store_privileged(client) && perms[0].domid != record->perms[0].domid)
        return -ERR_PERM;
    if (!fits(&call, count, (size_t)record->bytes + record->names_bytes))
        return spoil(&call, -ERR_NOSPC);
    if (call.view.transaction) {
        store_transaction_set_perms(&call.view, call.path, perms, count);
        fire(&call, NULL);
        return 0;
    }
    struct store_record old = {.generation = record->generation};
    store_record_set_perms(&old, record->perms, record->perm_count);
    store_node_set_perms(client->store, node_of(&call), perms, count);
    fire(&call, &old);
    store_record_free(&old);
    return 0;
}

/* ---- the toolstack's shorthands ---- */

const char *store_text(struct store *store, const char *path)
{
    const void *value;
    uint32_t bytes;

    return store_read(store->toolstack, 0, path, &value, &bytes) == 0 ? value : NULL;
}

int store_put(struct store *store, const char *path, const char *text)
{
    return store_write(store->toolstack, 0, path, text, (uint32_t)strlen(text));
}

int store_cut(struct store *store, const char *path)
{
    return store_text(store, path) ? store_remove(store->toolstack, 0, path) : -ERR_NOENT;
}
