/*
 * The store's tree. See store_private.h.
 *
 * Nodes hang in the tree by their order of creation and are found by their whole path in one hash;
 * each is in the list of its owner, whose count goes with it. A change of a node's children is a
 * change of the node: its generation tells transactions, and who reads a long list in parts.
 */
#include "sim/hv/store_private.h"

static const char *name_of(const struct store_node *node)
{
    return strrchr(node->path, '/') + 1;
}

void store_record_set_value(struct store_record *record, const void *value, uint32_t bytes)
{
    char *copy = store_alloc(0, value, bytes); /* before: `value` may be the record's own */

    free(record->value);
    record->value = copy;
    record->bytes = bytes;
}

void store_record_set_perms(struct store_record *record, const struct store_perm *perms,
                            uint32_t count)
{
    struct store_perm *copy = store_alloc(0, perms, count * sizeof(*perms));

    free(record->perms);
    record->perms = copy;
    record->perm_count = count;
}

void store_record_free(struct store_record *record)
{
    free(record->value);
    free(record->perms);
}

struct store_node *store_node_find(const struct store *store, const char *path, size_t length)
{
    struct store_node *node;

    HASH_FIND(hh, store->by_path, path, length, node);
    return node;
}

static void own(struct store *store, struct store_node *node)
{
    struct store_domain *owner = store_domain_of(store, node->record.perms[0].domid);

    owner->usage.nodes++;
    DL_APPEND2(owner->owned, node, prev_owned, next_owned);
}

static void disown(struct store *store, struct store_node *node)
{
    struct store_domain *owner = store_domain_of(store, node->record.perms[0].domid);

    owner->usage.nodes--;
    DL_DELETE2(owner->owned, node, prev_owned, next_owned);
}

/* A changed node tells it by its generation. Who died has no part in what comes. */
static void changed(struct store *store, struct store_node *node)
{
    node->record.perm_count = store_perms_live(store, &node->record, node->record.perms);
    node->record.generation = ++store->generation;
}

struct store_node *store_node_add(struct store *store, const char *path, size_t length,
                                  const struct store_perm *perms, uint32_t count)
{
    struct store_node *node = store_alloc(offsetof(struct store_node, path), path, length);

    store_record_set_value(&node->record, "", 0);
    store_record_set_perms(&node->record, perms, count);
    node->record.generation = ++store->generation;
    if (length > 1) {
        node->parent = store_node_find(store, path, store_path_parent(path, length));
        DL_APPEND(node->parent->children, node);
        node->parent->record.names_bytes += (uint32_t)strlen(name_of(node)) + 1;
        changed(store, node->parent);
    }
    own(store, node);
    HASH_ADD_KEYPTR(hh, store->by_path, node->path, length, node);
    return node;
}

void store_node_names(const struct store_node *node, char *names)
{
    const struct store_node *child;

    DL_FOREACH (node->children, child) {
        const char *name = name_of(child);
        size_t bytes = strlen(name) + 1;
        memcpy(names, name, bytes);
        names += bytes;
    }
}

void store_node_set_value(struct store *store, struct store_node *node, const void *value,
                          uint32_t bytes)
{
    store_record_set_value(&node->record, value, bytes);
    changed(store, node);
}

void store_node_set_perms(struct store *store, struct store_node *node,
                          const struct store_perm *perms, uint32_t count)
{
    disown(store, node);
    store_record_set_perms(&node->record, perms, count);
    node->record.generation = ++store->generation;
    own(store, node);
}

/* Recursive: STORE_PATH_MAX bounds the depth. */
static void node_free(struct store *store, struct store_node *node)
{
    struct store_node *child, *following;

    DL_FOREACH_SAFE (node->children, child, following) {
        node_free(store, child);
    }
    disown(store, node);
    HASH_DEL(store->by_path, node); /* NOLINT: clang 14 does not follow uthash's links */
    store_record_free(&node->record);
    free(node);
}

void store_node_remove(struct store *store, struct store_node *node)
{
    struct store_node *parent = node->parent;

    if (parent) {
        DL_DELETE(parent->children, node);
        parent->record.names_bytes -= (uint32_t)strlen(name_of(node)) + 1;
        changed(store, parent);
    }
    node_free(store, node);
}

/* The root, which somebody gave to the domain, stays: domain 0's. */
void store_nodes_of_remove(struct store *store, struct store_domain *domain)
{
    while (domain->owned) {
        if (domain->owned == store->root)
            store_node_set_perms(store, store->root, &(struct store_perm){0, STORE_NONE}, 1);
        else
            store_node_remove(store, domain->owned);
    }
}

uint32_t store_nodes(const struct store *store)
{
    return HASH_COUNT(store->by_path);
}
