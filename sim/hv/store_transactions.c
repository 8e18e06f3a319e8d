/*
 * Transactions: what one sees instead of the tree, and how it becomes the tree. See
 * store_private.h.
 *
 * An entry is a node as it was when the transaction first looked at it, or that it was not there.
 * What was looked at and what was changed must be unchanged in the tree at the end: `base` is the
 * generation then. Changed entries are in the order in which they were made or first changed, so a
 * parent comes before its children; what was removed on the way is taken out of the tree first.
 * Source: Xen 4.17 tools/xenstore for what conflicts and what spoils one.
 */
#include "sim/hv/store_private.h"

enum fire { FIRE_NOT, FIRE_EXACT, FIRE };

struct entry {
    struct store_record record; /* empty unless `there` */
    struct store_record first;  /* its permissions when first looked at; empty: it was not there */
    char *names;                /* of its children, terminated each; record.names_bytes of them */
    uint64_t base;              /* its generation then; 0: it was not there */
    bool there, changed, removed;
    enum fire fire;
    struct entry *prev, *next; /* of what is changed */
    UT_hash_handle hh;
    char path[];
};

struct store_transaction {
    uint32_t id;
    bool spoilt;
    int32_t growth;
    struct entry *entries; /* by path */
    struct entry *changes;
    struct store_transaction *prev, *next;
};

static bool quota_free(const struct store_view *view)
{
    return store_privileged(view->client) ||
           HASH_COUNT(view->transaction->entries) < STORE_TOUCHED_MAX;
}

static struct entry *entry_find(const struct store_transaction *transaction, const char *path,
                                size_t length)
{
    struct entry *entry;

    HASH_FIND(hh, transaction->entries, path, length, entry);
    return entry;
}

/* The entry of a path, made of the tree as it is now; NULL with view->error. */
static struct entry *entry_touch(struct store_view *view, const char *path, size_t length)
{
    struct store *store = view->client->store;
    struct entry *entry = entry_find(view->transaction, path, length);

    if (entry)
        return entry;
    if (!quota_free(view)) {
        view->error = -ERR_NOSPC;
        store_transaction_spoil(view->transaction);
        return NULL;
    }
    const struct store_node *node = store_node_find(store, path, length);
    entry = store_alloc(offsetof(struct entry, path), path, length);
    HASH_ADD_KEYPTR(hh, view->transaction->entries, entry->path, length, entry);
    if (!node)
        return entry;
    const struct store_record *record = &node->record;
    entry->there = true;
    entry->base = entry->record.generation = record->generation;
    store_record_set_value(&entry->record, record->value, record->bytes);
    store_record_set_perms(&entry->record, record->perms, record->perm_count);
    store_record_set_perms(&entry->first, record->perms, record->perm_count);
    entry->first.generation = record->generation;
    entry->record.names_bytes = record->names_bytes;
    entry->names = malloc(record->names_bytes + 1);
    assert(entry->names);
    store_node_names(node, entry->names);
    return entry;
}

static void entry_free(struct store_transaction *transaction, struct entry *entry)
{
    HASH_DEL(transaction->entries, entry);
    store_record_free(&entry->record);
    store_record_free(&entry->first);
    free(entry->names);
    free(entry);
}

/* A changed entry is as young as what the transaction will make of it. Who died before has no part
 * in it. */
static void entry_change(struct store_view *view, struct entry *entry)
{
    struct store *store = view->client->store;

    if (!entry->changed)
        DL_APPEND(view->transaction->changes, entry);
    entry->changed = true;
    if (!entry->there)
        return;
    entry->record.perm_count = store_perms_live(store, &entry->record, entry->record.perms);
    entry->record.generation = store->generation + 1;
}

/* Permissions given now, which live whatever was before. */
static void entry_grant(struct store_view *view, struct entry *entry,
                        const struct store_perm *perms, uint32_t count)
{
    store_record_set_perms(&entry->record, perms, count);
    entry->record.generation = view->client->store->generation + 1;
}

/* The entry of a path that was looked at. */
static struct entry *entry_of(struct store_view *view, const char *path)
{
    struct entry *entry = entry_find(view->transaction, path, strlen(path));

    assert(entry);
    return entry;
}

struct store_record *store_transaction_look(struct store_view *view, const char *path,
                                            size_t length)
{
    struct entry *entry = entry_touch(view, path, length);

    return entry && entry->there ? &entry->record : NULL;
}

const char *store_transaction_names(struct store_view *view, const char *path)
{
    return entry_of(view, path)->names;
}

static void grow(struct store_view *view, const struct entry *entry, int32_t by)
{
    if (entry->record.perms[0].domid == store_domid(view->client))
        view->transaction->growth += by;
}

struct store_record *store_transaction_add(struct store_view *view, const char *path, size_t length,
                                           const struct store_perm *perms, uint32_t count)
{
    struct entry *parent = entry_touch(view, path, store_path_parent(path, length));
    struct entry *entry = parent ? entry_touch(view, path, length) : NULL;
    const char *name = path + length;
    uint32_t name_bytes;

    if (!entry)
        return NULL;
    while (name[-1] != '/')
        name--;
    name_bytes = (uint32_t)(path + length - name) + 1;
    parent->names = realloc(parent->names, parent->record.names_bytes + name_bytes);
    assert(parent->names);
    memcpy(parent->names + parent->record.names_bytes, name, name_bytes - 1);
    parent->names[parent->record.names_bytes + name_bytes - 1] = '\0';
    parent->record.names_bytes += name_bytes;
    entry_change(view, parent);

    if (entry->changed) /* it was removed: it comes after what was made since */
        DL_DELETE(view->transaction->changes, entry);
    entry->changed = false;
    entry->there = true;
    store_record_set_value(&entry->record, "", 0);
    entry_grant(view, entry, perms, count);
    entry_change(view, entry);
    grow(view, entry, 1);
    return &entry->record;
}

void store_transaction_set_value(struct store_view *view, const char *path, const void *value,
                                 uint32_t bytes)
{
    struct entry *entry = entry_of(view, path);

    store_record_set_value(&entry->record, value, bytes);
    entry_change(view, entry);
}

void store_transaction_set_perms(struct store_view *view, const char *path,
                                 const struct store_perm *perms, uint32_t count)
{
    struct entry *entry = entry_of(view, path);

    grow(view, entry, -1);
    entry_grant(view, entry, perms, count);
    grow(view, entry, 1);
    entry_change(view, entry);
}

static void entry_fire(struct entry *entry, enum fire fire)
{
    if (fire > entry->fire)
        entry->fire = fire;
}

void store_transaction_fire(struct store_view *view, const char *path)
{
    entry_fire(entry_of(view, path), FIRE);
}

void store_transaction_spoil(struct store_transaction *transaction)
{
    transaction->spoilt = true;
}

int32_t store_transaction_growth(const struct store_transaction *transaction)
{
    return transaction->growth;
}

/* Remove what is at `path`, which has room for STORE_PATH_MAX and is the same again afterwards, and
 * all below. As deep as a path allows. */
static int remove_all(struct store_view *view, char *path, size_t length, enum fire fire)
{
    struct entry *entry = entry_touch(view, path, length);

    if (!entry)
        return view->error;
    if (!entry->there) /* another's change since we looked at the parent: the end will fail */
        return 0;
    for (uint32_t at = 0; at < entry->record.names_bytes;) {
        size_t name_bytes = strlen(entry->names + at) + 1;
        path[length] = '/';
        memcpy(path + length + 1, entry->names + at, name_bytes);
        int ret = remove_all(view, path, length + name_bytes, FIRE_EXACT);
        path[length] = '\0';
        if (ret < 0)
            return ret;
        at += (uint32_t)name_bytes;
    }
    grow(view, entry, -1);
    entry->there = false;
    entry->removed = true;
    entry->record.names_bytes = 0;
    entry_change(view, entry);
    entry_fire(entry, fire);
    return 0;
}

/* Take a child's name out of its parent's list. */
static void forget_name(struct store_view *view, const char *path, size_t length)
{
    struct entry *parent = entry_find(view->transaction, path, store_path_parent(path, length));
    const char *name = strrchr(path, '/') + 1;
    uint32_t bytes = (uint32_t)strlen(name) + 1;

    for (uint32_t at = 0; at < parent->record.names_bytes;
         at += (uint32_t)strlen(parent->names + at) + 1) {
        if (strcmp(parent->names + at, name) != 0)
            continue;
        memmove(parent->names + at, parent->names + at + bytes,
                parent->record.names_bytes - at - bytes);
        parent->record.names_bytes -= bytes;
        break;
    }
    entry_change(view, parent);
}

int store_transaction_remove(struct store_view *view, const char *path)
{
    char below[STORE_PATH_MAX + 2];
    size_t length = strlen(path);

    memcpy(below, path, length + 1);
    if (!entry_touch(view, path, store_path_parent(path, length)))
        return view->error;
    int ret = remove_all(view, below, length, FIRE);
    if (ret == 0)
        forget_name(view, path, length);
    return ret;
}

/* ---- begin and end ---- */

struct store_transaction *store_transaction_find(const struct store_client *client, uint32_t id)
{
    struct store_transaction *transaction;

    DL_FOREACH (client->transactions, transaction) {
        if (transaction->id == id)
            return transaction;
    }
    return NULL;
}

bool store_in_transaction(const struct store_client *client, uint32_t id)
{
    return store_transaction_find(client, id) != NULL;
}

int64_t store_begin(struct store_client *client)
{
    struct store_usage *usage = &client->domain->usage;

    if (client->domain->released)
        return -ERR_NODEV;
    if (!store_privileged(client) && usage->transactions > STORE_TRANSACTIONS_MAX)
        return -ERR_NOSPC;
    struct store_transaction *transaction = calloc(1, sizeof(*transaction));
    assert(transaction);
    do {
        transaction->id = client->next_transaction++;
    } while (transaction->id == 0 || store_transaction_find(client, transaction->id));
    DL_APPEND(client->transactions, transaction);
    usage->transactions++;
    return transaction->id;
}

static void transaction_end(struct store_client *client, struct store_transaction *transaction)
{
    struct entry *entry, *following;

    HASH_ITER (hh, transaction->entries, entry, following) {
        entry_free(transaction, entry);
    }
    DL_DELETE(client->transactions, transaction);
    client->domain->usage.transactions--;
    free(transaction);
}

void store_transactions_end(struct store_client *client)
{
    while (client->transactions)
        transaction_end(client, client->transactions);
}

/* Whether somebody changed what it looked at. */
static bool conflicts(const struct store *store, const struct store_transaction *transaction)
{
    const struct entry *entry, *following;

    HASH_ITER (hh, transaction->entries, entry, following) {
        const struct store_node *node = store_node_find(store, entry->path, strlen(entry->path));

        if ((node ? node->record.generation : 0) != entry->base)
            return true;
    }
    return false;
}

static void apply(struct store *store, const struct entry *entry)
{
    size_t length = strlen(entry->path);
    const struct store_record *record = &entry->record;
    struct store_node *node = store_node_find(store, entry->path, length);

    if (!node)
        node = store_node_add(store, entry->path, length, record->perms, record->perm_count);
    else
        store_node_set_perms(store, node, record->perms, record->perm_count);
    store_node_set_value(store, node, record->value, record->bytes);
}

static void commit(struct store *store, const struct store_transaction *transaction)
{
    const struct entry *entry;

    DL_FOREACH (transaction->changes, entry) {
        struct store_node *node =
            entry->removed ? store_node_find(store, entry->path, strlen(entry->path)) : NULL;
        if (node)
            store_node_remove(store, node);
    }
    DL_FOREACH (transaction->changes, entry) {
        if (entry->there)
            apply(store, entry);
    }
    DL_FOREACH (transaction->changes, entry) {
        const struct store_record *first = entry->base ? &entry->first : NULL;
        if (entry->fire == FIRE)
            store_watches_fire(store, entry->path, first);
        else if (entry->fire == FIRE_EXACT)
            store_watches_fire_exact(store, entry->path, first);
    }
}

int store_end(struct store_client *client, uint32_t id, bool commits)
{
    struct store_transaction *transaction = store_transaction_find(client, id);
    const struct store_domain *domain = client->domain;
    int ret = 0;

    if (domain->released)
        return -ERR_NODEV;
    if (!transaction)
        return -ERR_NOENT;
    if (commits && transaction->spoilt)
        ret = -ERR_NOMEM;
    else if (commits && transaction->growth > 0 && !store_privileged(client) &&
             domain->usage.nodes + (uint32_t)transaction->growth > STORE_NODES_MAX)
        ret = -ERR_NOSPC;
    else if (commits && conflicts(client->store, transaction))
        ret = -ERR_AGAIN;
    else if (commits)
        commit(client->store, transaction);
    transaction_end(client, transaction);
    return ret;
}
