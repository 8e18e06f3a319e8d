/*
 * hv_mem's xenstore: the tree of the tables, and which watch of the tree is which token and tag. A
 * watch's token in the tree is a cookie of ours, so that one token can have several watches.
 */
#include "sim/hv/hv_mem_private.h"

#include <stdlib.h>

static struct store_client *client_of(const struct mem_domain *d)
{
    return hypervisor_client(d->machine->tables, d->hv.domid);
}

void hv_mem_store_read(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path)
{
    struct mem_domain *d = hv_mem_enter(hv);
    struct ev_store result = {.side = tag->side, .key = tag->key, .domid = tag->domid};
    struct ev *failed = hv_mem_injected(d, EV_STORE_READ, token);

    if (failed) {
        failed->store = result;
    } else {
        const void *value;
        uint32_t bytes;
        int ret = store_read(client_of(d), 0, path, &value, &bytes);

        if (ret == 0 && bytes >= STEP_VALUE_BYTES)
            ret = -ERR_2BIG;
        if (ret == 0)
            memcpy(result.value, value, bytes);
        hv_mem_complete(d, EV_STORE_READ, token, ret, NULL)->store = result;
    }
    hv_mem_leave(d);
}

void hv_mem_store_list(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path)
{
    struct mem_domain *d = hv_mem_enter(hv);
    struct ev_store result = {.side = tag->side, .key = tag->key, .domid = tag->domid};
    struct ev *failed = hv_mem_injected(d, EV_STORE_LIST, token);

    if (failed) {
        failed->store = result;
    } else {
        struct store_names names = {0};
        int ret = store_list(client_of(d), 0, path, &names);
        char *copy = malloc(names.bytes + 1);

        assert(copy);
        if (ret == 0) {
            memcpy(copy, names.text, names.bytes);
            ret = (int)names.count;
        }
        result.names = copy;
        hv_mem_complete(d, EV_STORE_LIST, token, ret, copy)->store = result;
    }
    hv_mem_leave(d);
}

void hv_mem_store_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes,
                          uint32_t count)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_STORE_PUBLISH, token))
        hv_mem_complete(d, EV_STORE_PUBLISH, token,
                        hypervisor_publish(d->machine->tables, hv->domid, nodes, count), NULL);
    hv_mem_leave(d);
}

void hv_mem_store_watch(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_STORE_WATCH, token)) {
        uint64_t cookie = d->next_cookie++;
        int ret = store_watch(client_of(d), path, &cookie, sizeof(cookie));

        if (ret == 0) {
            struct mem_watch *watch = calloc(1, sizeof(*watch));
            assert(watch);
            watch->cookie = cookie;
            watch->token = token;
            watch->tag = *tag;
            HASH_ADD(hh, d->watches, cookie, sizeof(watch->cookie), watch);
            HASH_ADD(by_token, d->watches_by_token, token, sizeof(watch->token), watch);
        }
        hv_mem_complete(d, EV_STORE_WATCH, token, ret, NULL)->store =
            (struct ev_store){.side = tag->side, .key = tag->key, .domid = tag->domid};
    }
    hv_mem_leave(d);
}

static void watch_free(struct mem_domain *d, struct mem_watch *watch)
{
    HASH_DEL(d->watches, watch);
    HASH_DELETE(by_token, d->watches_by_token, watch); /* NOLINT: as in store.c */
    free(watch);
}

static void unwatch(struct mem_domain *d, uint64_t token)
{
    struct mem_watch *watch;

    for (;;) {
        HASH_FIND(by_token, d->watches_by_token, &token, sizeof(token), watch); /* one of them */
        if (!watch)
            break;
        store_unwatch_token(client_of(d), &watch->cookie, sizeof(watch->cookie));
        watch_free(d, watch);
    }
    hv_mem_drop_store(d, token);
}

void hv_mem_store_unwatch(struct hv *hv, uint64_t token)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_STORE_UNWATCH, token)) {
        unwatch(d, token);
        hv_mem_complete(d, EV_STORE_UNWATCH, token, 0, NULL);
    }
    hv_mem_leave(d);
}

void hv_mem_watches_free(struct mem_domain *d)
{
    struct mem_watch *watch, *following;

    HASH_ITER (hh, d->watches, watch, following) {
        watch_free(d, watch);
    }
}
