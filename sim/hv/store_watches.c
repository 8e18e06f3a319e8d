/*
 * The store's watches and events. See store.h.
 *
 * Watches are found by their path, by their client and token, and in the list of their client: a
 * change asks for those of its own path and of each parent's, so it costs nothing that others watch
 * elsewhere. What a change fires is queued in the order of registration, if who watches may see it.
 * A queued event points at its watch, so ending a watch takes its events along.
 * Source: Xen 4.17 docs/misc/xenstore.txt, tools/xenstore; which watches a removal fires:
 * data/xen-semantics.md (those above once, those below if their node existed).
 */
#include "sim/hv/store_private.h"

struct store_watch {
    uint64_t serial; /* in order of registration */
    struct store_client *client;
    struct store_watched *at;
    struct store_queued *last;       /* the latest event of this watch, while it is queued */
    uint32_t queued;                 /* events of this watch */
    uint32_t prefix;                 /* of a path, which is not told: it was watched relatively */
    struct store_watch *prev, *next; /* of its path */
    struct store_watch *prev_client, *next_client; /* of its client */
    UT_hash_handle hh;
    uint32_t token_bytes;
    char key[]; /* the client's id and the token: with several paths, of several watches */
};

/* A path or special name that somebody watches. */
struct store_watched {
    struct store_watch *watches; /* in order of registration */
    UT_hash_handle hh;
    char path[];
};

/* A watch that a change fires, and with what. */
struct store_match {
    struct store_watch *watch;
    const char *path;
};

struct store_queued {
    struct store_watch *watch;
    struct store_queued *prev, *next;
    char path[]; /* terminated, with the token behind it */
};

static const char *token_of(const struct store_watch *watch)
{
    return watch->key + sizeof(watch->client->id);
}

static void event_queue(struct store *store, struct store_watch *watch, const char *path)
{
    const char *told = path + watch->prefix;
    size_t length = strlen(told);

    if (path[0] != '@' && watch->last && strcmp(watch->last->path, told) == 0)
        return;
    struct store_queued *queued =
        store_alloc(offsetof(struct store_queued, path) + length + 1 + watch->token_bytes, NULL, 0);
    memcpy(queued->path, told, length + 1);
    memcpy(queued->path + length + 1, token_of(watch), watch->token_bytes);
    queued->watch = watch;
    watch->last = queued;
    watch->queued++;
    DL_APPEND(store->events, queued);
}

bool store_next(struct store *store, struct store_event *event)
{
    struct store_queued *head = store->events;

    free(store->taken);
    store->taken = head;
    if (!head)
        return false;
    struct store_watch *watch = head->watch;
    *event = (struct store_event){.client = watch->client,
                                  .owner = watch->client->owner,
                                  .path = head->path,
                                  .token = head->path + strlen(head->path) + 1,
                                  .token_bytes = watch->token_bytes};
    if (watch->last == head)
        watch->last = NULL;
    watch->queued--;
    DL_DELETE(store->events, head);
    return true;
}

/* ---- who watches ---- */

static struct store_watched *watched_find(const struct store *store, const char *path,
                                          size_t length)
{
    struct store_watched *watched;

    HASH_FIND(hh, store->watched, path, length, watched);
    return watched;
}

static struct store_watched *watched_make(struct store *store, const char *path)
{
    size_t length = strlen(path);
    struct store_watched *watched = watched_find(store, path, length);

    if (watched)
        return watched;
    watched = store_alloc(offsetof(struct store_watched, path), path, length);
    HASH_ADD_KEYPTR(hh, store->watched, watched->path, length, watched);
    return watched;
}

/* The absolute path of what a client watches, in `out` of STORE_PATH_MAX + 1 bytes; of what events
 * tell the first `*prefix` characters are left out. */
static int watch_path(const struct store_client *client, const char *path, char *out,
                      uint32_t *prefix)
{
    *prefix = 0;
    if (path[0] == '@') {
        size_t length = strlen(path);
        if (length > STORE_RELATIVE_MAX)
            return -ERR_INVAL;
        memcpy(out, path, length + 1);
        return 0;
    }
    int ret = store_path_resolve(client, path, out);
    if (ret >= 0 && path[0] != '/')
        *prefix = (uint32_t)((size_t)ret - strlen(path));
    return ret < 0 ? ret : 0;
}

static bool has_token(const struct store_watch *watch, const void *token, uint32_t token_bytes)
{
    return watch->token_bytes == token_bytes && memcmp(token_of(watch), token, token_bytes) == 0;
}

static struct store_watch *watch_find(const struct store_client *client, const char *resolved,
                                      const void *token, uint32_t token_bytes)
{
    const struct store_watched *at = watched_find(client->store, resolved, strlen(resolved));
    struct store_watch *watch;

    DL_FOREACH (at ? at->watches : NULL, watch) {
        if (watch->client == client && has_token(watch, token, token_bytes))
            return watch;
    }
    return NULL;
}

/* Client and token in one; the key's size in `*bytes`. From malloc. */
static char *key_make(const struct store_client *client, const void *token, uint32_t token_bytes,
                      uint32_t *bytes)
{
    char *key = store_alloc(sizeof(client->id), token, token_bytes);

    memcpy(key, &client->id, sizeof(client->id));
    *bytes = (uint32_t)sizeof(client->id) + token_bytes;
    return key;
}

int store_watch(struct store_client *client, const char *path, const void *token,
                uint32_t token_bytes)
{
    char resolved[STORE_PATH_MAX + 1];
    struct store *store = client->store;
    struct store_usage *usage = &client->domain->usage;
    uint32_t prefix, key_bytes;
    int ret = client->domain->released ? -ERR_NODEV : watch_path(client, path, resolved, &prefix);

    if (ret < 0)
        return ret;
    if (watch_find(client, resolved, token, token_bytes))
        return -ERR_EXIST;
    if (!store_privileged(client) && usage->watches > STORE_WATCHES_MAX)
        return -ERR_2BIG;
    char *key = key_make(client, token, token_bytes, &key_bytes);
    struct store_watch *watch = store_alloc(offsetof(struct store_watch, key), key, key_bytes);
    free(key);
    watch->serial = store->next_serial++;
    watch->client = client;
    watch->at = watched_make(store, resolved);
    watch->prefix = prefix;
    watch->token_bytes = token_bytes;
    usage->watches++;
    DL_APPEND(watch->at->watches, watch);
    DL_APPEND2(client->watches, watch, prev_client, next_client);
    HASH_ADD_KEYPTR(hh, store->by_token, watch->key, key_bytes, watch);
    event_queue(store, watch, resolved);
    return 0;
}

static void watch_end(struct store *store, struct store_watch *watch)
{
    struct store_watched *at = watch->at;
    struct store_queued *queued, *following;

    DL_FOREACH_SAFE (watch->queued > 0 ? store->events : NULL, queued, following) {
        if (queued->watch == watch) {
            DL_DELETE(store->events, queued);
            free(queued);
        }
    }
    DL_DELETE(at->watches, watch);
    if (!at->watches) {
        HASH_DEL(store->watched, at);
        free(at);
    }
    DL_DELETE2(watch->client->watches, watch, prev_client, next_client);
    HASH_DEL(store->by_token, watch);
    watch->client->domain->usage.watches--;
    free(watch);
}

int store_unwatch(struct store_client *client, const char *path, const void *token,
                  uint32_t token_bytes)
{
    char resolved[STORE_PATH_MAX + 1];
    uint32_t prefix;
    int ret = watch_path(client, path, resolved, &prefix);

    if (ret < 0)
        return ret;
    struct store_watch *watch = watch_find(client, resolved, token, token_bytes);
    if (!watch)
        return -ERR_NOENT;
    watch_end(client->store, watch);
    return 0;
}

int store_unwatch_token(struct store_client *client, const void *token, uint32_t token_bytes)
{
    uint32_t key_bytes;
    char *key = key_make(client, token, token_bytes, &key_bytes);
    struct store_watch *watch;
    int ended = 0;

    for (;; ended++) {
        HASH_FIND(hh, client->store->by_token, key, key_bytes, watch); /* one of those there are */
        if (!watch)
            break;
        watch_end(client->store, watch);
    }
    free(key);
    return ended;
}

void store_watches_end(struct store_client *client)
{
    while (client->watches)
        watch_end(client->store, client->watches);
}

uint32_t store_watches(const struct store *store)
{
    return HASH_COUNT(store->by_token);
}

/* ---- what a change fires ---- */

static bool may_read(const struct store_client *client, const struct store_record *record)
{
    return (store_access_of(client, record) & STORE_READ) != 0;
}

/* Whether a client may hear of a change: it may, or might before, read the node, or may read its
 * parent. */
static bool may_see(const struct store_client *client, const char *path,
                    const struct store_record *old)
{
    const struct store_node *node;

    if (store_privileged(client) || (old && may_read(client, old)))
        return true;
    node = store_node_find(client->store, path, strlen(path));
    if (!node)
        return false;
    return may_read(client, &node->record) ||
           may_read(client, node->parent ? &node->parent->record : &node->record);
}

/* Those who watch the first `length` characters of `changed`. */
static void match_at(struct store *store, size_t length, const char *changed,
                     const struct store_record *old)
{
    const struct store_watched *at = watched_find(store, changed, length);
    struct store_watch *watch;

    DL_FOREACH (at ? at->watches : NULL, watch) {
        if (!may_see(watch->client, changed, old))
            continue;
        if (store->match_count == store->match_room) {
            store->match_room = store->match_room ? store->match_room * 2 : 16;
            store->matches = realloc(store->matches, store->match_room * sizeof(store->matches[0]));
            assert(store->matches);
        }
        store->matches[store->match_count++] = (struct store_match){watch, changed};
    }
}

/* Those who watch the path or a parent of it. */
static void match_above(struct store *store, const char *path, const struct store_record *old)
{
    size_t length = strlen(path);

    match_at(store, length, path, old);
    while (length > 1) {
        length = store_path_parent(path, length);
        match_at(store, length, path, old);
    }
}

/* Those who watch what goes with a node. STORE_PATH_MAX bounds the depth. */
static void match_below(struct store *store, const struct store_node *node)
{
    const struct store_node *child;

    DL_FOREACH (node->children, child) {
        match_at(store, strlen(child->path), child->path, NULL);
        match_below(store, child);
    }
}

static int match_order(const void *a, const void *b)
{
    uint64_t first = ((const struct store_match *)a)->watch->serial;
    uint64_t second = ((const struct store_match *)b)->watch->serial;

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

void store_watches_fire(struct store *store, const char *path, const struct store_record *old)
{
    match_above(store, path, old);
    fire_matches(store);
}

void store_watches_fire_exact(struct store *store, const char *path, const struct store_record *old)
{
    match_at(store, strlen(path), path, old);
    fire_matches(store);
}

void store_watches_fire_removal(struct store *store, const struct store_node *node)
{
    match_above(store, node->path, NULL);
    match_below(store, node);
    fire_matches(store);
}

void store_watches_fire_special(struct store *store, const char *name)
{
    const struct store_watched *at = watched_find(store, name, strlen(name));
    const struct store_record *record = &store->specials[store_special(name)];
    struct store_watch *watch;

    DL_FOREACH (at ? at->watches : NULL, watch) {
        if (may_read(watch->client, record))
            event_queue(store, watch, name);
    }
}
