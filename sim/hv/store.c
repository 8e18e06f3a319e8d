/*
 * xenstore's tree. See store.h.
 *
 * Nodes hang in the tree by their order of creation and are found by their whole path in one hash.
 * A queued event points at its watch, so ending a watch takes its events along.
 * Running out of memory ends the process: the tree is a few kilobytes of the toolstack's.
 * Source: Xen docs/misc/xenstore.txt; which watches a removal fires: data/xen-semantics.md, Xen
 * 4.17 (those above once, those below if their node existed).
 */
#include "sim/hv/store.h"

#include "ringlib/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

struct node {
    char *value;
    struct node *parent;
    struct node *children; /* in order of creation */
    struct node *prev, *next;
    UT_hash_handle hh;
    char path[];
};

struct watch {
    uint64_t cookie;
    struct event *last; /* the latest event of this watch, while it is queued */
    struct watch *prev, *next;
    uint16_t domid;
    char path[];
};

struct event {
    struct watch *watch;
    struct event *prev, *next;
    char path[];
};

struct store {
    struct node *root;
    struct node *by_path;
    struct watch *watches;
    struct event *events;
    uint32_t watch_count;
};

/* A struct of `bytes`, zeroed, followed by a terminated copy of `length` characters. */
static void *alloc_named(size_t bytes, const char *text, size_t length)
{
    char *memory = calloc(1, bytes + length + 1);

    assert(memory);
    memcpy(memory + bytes, text, length);
    return memory;
}

static bool path_valid(const char *path)
{
    size_t length = strlen(path);

    if (path[0] != '/' || length > STORE_PATH_MAX)
        return false;
    if (strspn(path, "/-_@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
        length)
        return false;
    return !strstr(path, "//") && (length == 1 || path[length - 1] != '/');
}

/* What can be watched beside paths: "@" and a name. */
static bool special_valid(const char *name)
{
    size_t length = strlen(name);

    return name[0] == '@' && length > 1 && length <= STORE_PATH_MAX && !strchr(name, '/');
}

/* Whether `path` is `top` or lies below it. */
static bool path_within(const char *path, const char *top)
{
    size_t length = strlen(top);

    if (strcmp(top, "/") == 0)
        return path[0] == '/';
    return strncmp(path, top, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static struct node *node_find(const struct store *store, const char *path, size_t length)
{
    struct node *node;

    HASH_FIND(hh, store->by_path, path, length, node);
    return node;
}

static struct node *node_add(struct store *store, struct node *parent, const char *path,
                             size_t length)
{
    struct node *node = alloc_named(offsetof(struct node, path), path, length);

    node->value = alloc_named(0, "", 0);
    node->parent = parent;
    if (parent)
        DL_APPEND(parent->children, node);
    HASH_ADD_KEYPTR(hh, store->by_path, node->path, length, node);
    return node;
}

/* Find a node or make it, with the parents it lacks. */
static struct node *node_make(struct store *store, const char *path)
{
    struct node *parent = store->root;

    for (size_t length = 0; path[length] != '\0';) {
        length += 1 + strcspn(path + length + 1, "/");
        struct node *node = node_find(store, path, length);
        parent = node ? node : node_add(store, parent, path, length);
    }
    return parent;
}

/* Recursive: a path of STORE_PATH_MAX characters bounds the depth. */
static void node_free(struct store *store, struct node *node)
{
    struct node *child, *following;

    DL_FOREACH_SAFE (node->children, child, following) {
        node_free(store, child);
    }
    if (node->parent)
        DL_DELETE(node->parent->children, node);
    HASH_DEL(store->by_path, node); /* NOLINT: clang 14 does not follow uthash's links */
    free(node->value);
    free(node);
}

static void event_queue(struct store *store, struct watch *watch, const char *path)
{
    if (watch->last && strcmp(watch->last->path, path) == 0)
        return;
    watch->last = alloc_named(offsetof(struct event, path), path, strlen(path));
    watch->last->watch = watch;
    DL_APPEND(store->events, watch->last);
}

static void watch_end(struct store *store, struct watch *watch)
{
    struct event *event, *following;

    DL_FOREACH_SAFE (store->events, event, following) {
        if (event->watch == watch) {
            DL_DELETE(store->events, event);
            free(event);
        }
    }
    DL_DELETE(store->watches, watch);
    store->watch_count--;
    free(watch);
}

struct store *store_create(void)
{
    struct store *store = calloc(1, sizeof(*store));

    assert(store);
    store->root = node_add(store, NULL, "/", 1);
    return store;
}

void store_destroy(struct store *store)
{
    struct watch *watch, *following;

    DL_FOREACH_SAFE (store->watches, watch, following) {
        watch_end(store, watch);
    }
    node_free(store, store->root);
    free(store);
}

const char *store_read(const struct store *store, const char *path)
{
    const struct node *node = node_find(store, path, strlen(path));

    return node ? node->value : NULL;
}

int store_write_check(const char *path, const char *value)
{
    if (!path_valid(path))
        return -ERR_INVAL;
    return strlen(value) > STORE_VALUE_MAX ? -ERR_NOSPC : 0;
}

int store_write(struct store *store, const char *path, const char *value)
{
    int ret = store_write_check(path, value);

    if (ret < 0)
        return ret;
    struct node *node = node_make(store, path);
    char *copy = alloc_named(0, value, strlen(value)); /* before: `value` may be the node's own */
    free(node->value);
    node->value = copy;

    struct watch *watch;
    DL_FOREACH (store->watches, watch) {
        if (path_within(path, watch->path))
            event_queue(store, watch, path);
    }
    return 0;
}

int store_remove(struct store *store, const char *path)
{
    if (!path_valid(path) || strcmp(path, "/") == 0)
        return -ERR_INVAL;
    struct node *node = node_find(store, path, strlen(path));
    if (!node)
        return -ERR_NOENT;

    struct watch *watch;
    DL_FOREACH (store->watches, watch) {
        if (path_within(path, watch->path))
            event_queue(store, watch, path);
        else if (path_within(watch->path, path) && store_read(store, watch->path))
            event_queue(store, watch, watch->path);
    }
    node_free(store, node);
    return 0;
}

int store_list(const struct store *store, const char *path, char *names, uint32_t bytes,
               uint32_t *used)
{
    const struct node *node = node_find(store, path, strlen(path));
    const struct node *child;
    int count = 0;

    *used = 0;
    if (!node)
        return -ERR_NOENT;
    DL_FOREACH (node->children, child) {
        const char *name = strrchr(child->path, '/') + 1;
        size_t length = strlen(name) + 1;
        if (length > bytes - *used)
            return -ERR_NOSPC;
        memcpy(names + *used, name, length);
        *used += (uint32_t)length;
        count++;
    }
    return count;
}

int store_watch(struct store *store, uint16_t domid, const char *path, uint64_t cookie)
{
    struct watch *watch;

    if (!path_valid(path) && !special_valid(path))
        return -ERR_INVAL;
    DL_FOREACH (store->watches, watch) {
        if (watch->domid == domid && watch->cookie == cookie && strcmp(watch->path, path) == 0)
            return -ERR_EXIST;
    }
    watch = alloc_named(offsetof(struct watch, path), path, strlen(path));
    watch->domid = domid;
    watch->cookie = cookie;
    DL_APPEND(store->watches, watch);
    store->watch_count++;
    event_queue(store, watch, path);
    return 0;
}

int store_unwatch(struct store *store, uint16_t domid, uint64_t cookie)
{
    struct watch *watch, *following;
    int ended = 0;

    DL_FOREACH_SAFE (store->watches, watch, following) {
        if (watch->domid == domid && watch->cookie == cookie) {
            watch_end(store, watch);
            ended++;
        }
    }
    return ended;
}

void store_forget(struct store *store, uint16_t domid)
{
    struct watch *watch, *following;

    DL_FOREACH_SAFE (store->watches, watch, following) {
        if (watch->domid == domid)
            watch_end(store, watch);
    }
}

void store_fire(struct store *store, const char *special)
{
    struct watch *watch;

    assert(special_valid(special));
    DL_FOREACH (store->watches, watch) {
        if (strcmp(watch->path, special) == 0)
            event_queue(store, watch, special);
    }
}

bool store_next(struct store *store, struct store_event *event)
{
    struct event *head = store->events;

    if (!head)
        return false;
    *event = (struct store_event){.domid = head->watch->domid, .cookie = head->watch->cookie};
    memcpy(event->path, head->path, strlen(head->path) + 1);
    if (head->watch->last == head)
        head->watch->last = NULL;
    DL_DELETE(store->events, head);
    free(head);
    return true;
}

uint32_t store_nodes(const struct store *store)
{
    return HASH_COUNT(store->by_path);
}

uint32_t store_watches(const struct store *store)
{
    return store->watch_count;
}
