/*
 * xenstore's tree. See store.h.
 *
 * Nodes hang in the tree by their order of creation and are found by their whole path in one hash.
 * Watches are found by their path, by their domain and cookie, and in the list of their domain: a
 * change asks for those of its own path and of each parent's, so it costs nothing that others watch
 * elsewhere. What a change fires is queued in the order of registration.
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

enum { STORE_DOMAINS = UINT16_MAX + 1 };

struct node {
    char *value;
    struct node *parent;
    struct node *children; /* in order of creation */
    struct node *prev, *next;
    UT_hash_handle hh;
    char path[];
};

struct watch_key {
    uint64_t cookie;
    uint64_t domid; /* so wide that there is no padding */
};

struct watch {
    struct watch_key key; /* with several paths, of several watches */
    uint64_t serial;      /* in order of registration */
    struct event *last;   /* the latest event of this watch, while it is queued */
    struct watched *at;
    struct watch *prev, *next;               /* of its path */
    struct watch *prev_domain, *next_domain; /* of its domain */
    UT_hash_handle hh;
};

/* A path or special name that somebody watches. */
struct watched {
    struct watch *watches; /* in order of registration */
    UT_hash_handle hh;
    char path[];
};

/* A watch that a change fires, and with what. */
struct match {
    struct watch *watch;
    const char *path;
};

struct event {
    struct watch *watch;
    struct event *prev, *next;
    char path[];
};

struct store {
    struct node *root;
    struct node *by_path;
    struct watched *watched; /* by path */
    struct watch *by_key;
    struct watch *by_domain[STORE_DOMAINS];
    struct event *events;
    struct match *matches; /* of the change under way */
    uint32_t match_count, match_room;
    uint64_t next_serial;
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

static struct watched *watched_find(const struct store *store, const char *path, size_t length)
{
    struct watched *watched;

    HASH_FIND(hh, store->watched, path, length, watched);
    return watched;
}

static struct watched *watched_make(struct store *store, const char *path)
{
    size_t length = strlen(path);
    struct watched *watched = watched_find(store, path, length);

    if (watched)
        return watched;
    watched = alloc_named(offsetof(struct watched, path), path, length);
    HASH_ADD_KEYPTR(hh, store->watched, watched->path, length, watched);
    return watched;
}

static void watch_end(struct store *store, struct watch *watch)
{
    struct watched *at = watch->at;
    struct event *event, *following;

    DL_FOREACH_SAFE (store->events, event, following) {
        if (event->watch == watch) {
            DL_DELETE(store->events, event);
            free(event);
        }
    }
    DL_DELETE(at->watches, watch);
    if (!at->watches) {
        HASH_DEL(store->watched, at);
        free(at);
    }
    DL_DELETE2(store->by_domain[watch->key.domid], watch, prev_domain, next_domain);
    HASH_DEL(store->by_key, watch);
    free(watch);
}

/* ---- what a change fires ---- */

/* Those who watch this very path. */
static void match_at(struct store *store, const char *path, size_t length, const char *changed)
{
    const struct watched *at = watched_find(store, path, length);
    struct watch *watch;

    DL_FOREACH (at ? at->watches : NULL, watch) {
        if (store->match_count == store->match_room) {
            store->match_room = store->match_room ? store->match_room * 2 : 16;
            store->matches = realloc(store->matches, store->match_room * sizeof(store->matches[0]));
            assert(store->matches);
        }
        store->matches[store->match_count++] = (struct match){watch, changed};
    }
}

/* Those who watch the path or a parent of it. */
static void match_above(struct store *store, const char *path)
{
    size_t length = strlen(path);

    match_at(store, path, length, path);
    while (length > 1) {
        while (path[--length] != '/') {
        }
        length = length > 0 ? length : 1;
        match_at(store, path, length, path);
    }
}

/* Those who watch what goes with a node. As deep as node_free. */
static void match_below(struct store *store, const struct node *node)
{
    const struct node *child;

    DL_FOREACH (node->children, child) {
        match_at(store, child->path, strlen(child->path), child->path);
        match_below(store, child);
    }
}

static int match_order(const void *a, const void *b)
{
    uint64_t first = ((const struct match *)a)->watch->serial;
    uint64_t second = ((const struct match *)b)->watch->serial;

    return (first > second) - (first < second);
}

static void fire_matches(struct store *store)
{
    if (store->match_count > 1)
        qsort(store->matches, store->match_count, sizeof(store->matches[0]), match_order);
    for (uint32_t i = 0; i < store->match_count; i++)
        event_queue(store, store->matches[i].watch, store->matches[i].path);
    store->match_count = 0;
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

    HASH_ITER (hh, store->by_key, watch, following) {
        watch_end(store, watch);
    }
    node_free(store, store->root);
    free(store->matches);
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
    match_above(store, path);
    fire_matches(store);
    return 0;
}

int store_remove(struct store *store, const char *path)
{
    if (!path_valid(path) || strcmp(path, "/") == 0)
        return -ERR_INVAL;
    struct node *node = node_find(store, path, strlen(path));
    if (!node)
        return -ERR_NOENT;
    match_above(store, path);
    match_below(store, node);
    fire_matches(store);
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
    struct watched *at = watched_make(store, path);
    DL_FOREACH (at->watches, watch) {
        if (watch->key.domid == domid && watch->key.cookie == cookie)
            return -ERR_EXIST;
    }
    watch = calloc(1, sizeof(*watch));
    assert(watch);
    watch->key = (struct watch_key){.cookie = cookie, .domid = domid};
    watch->serial = store->next_serial++;
    watch->at = at;
    DL_APPEND(at->watches, watch);
    DL_APPEND2(store->by_domain[domid], watch, prev_domain, next_domain);
    HASH_ADD(hh, store->by_key, key, sizeof(watch->key), watch);
    event_queue(store, watch, path);
    return 0;
}

int store_unwatch(struct store *store, uint16_t domid, uint64_t cookie)
{
    const struct watch_key key = {.cookie = cookie, .domid = domid};
    struct watch *watch;
    int ended = 0;

    for (;; ended++) {
        /* one of those there are. NOLINTNEXTLINE: clang 14 loses the key's bytes */
        HASH_FIND(hh, store->by_key, &key, sizeof(key), watch);
        if (!watch)
            return ended;
        watch_end(store, watch);
    }
}

void store_forget(struct store *store, uint16_t domid)
{
    while (store->by_domain[domid])
        watch_end(store, store->by_domain[domid]);
}

void store_fire(struct store *store, const char *special)
{
    assert(special_valid(special));
    match_at(store, special, strlen(special), special);
    fire_matches(store);
}

bool store_next(struct store *store, struct store_event *event)
{
    struct event *head = store->events;

    if (!head)
        return false;
    *event = (struct store_event){.domid = (uint16_t)head->watch->key.domid,
                                  .cookie = head->watch->key.cookie};
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
    return HASH_COUNT(store->by_key);
}
