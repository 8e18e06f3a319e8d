/*
 * hv_mem's xenstore: the tree of the tables, and which watch of the tree is which token and tag. A
 * watch's cookie in the tree is ours, so that one token can have several watches.
 */
#include "sim/hv/hv_mem_private.h"

#include <stdlib.h>

void hv_mem_store_read(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path)
{
    struct mem_domain *d = hv_mem_enter(hv);
    struct ev_store result = {.side = tag->side, .key = tag->key, .domid = tag->domid};
    struct ev *failed = hv_mem_injected(d, EV_STORE_READ, token);

    if (failed) {
        failed->store = result;
    } else {
        const char *value = store_read(hypervisor_store(d->machine->tables), path);
        int ret = !value ? -ERR_NOENT : strlen(value) >= STEP_VALUE_BYTES ? -ERR_2BIG : 0;

        if (ret == 0)
            memcpy(result.value, value, strlen(value) + 1);
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
        char *names = NULL;
        int ret = -ERR_NOSPC;

        for (uint32_t bytes = 1024, used; ret == -ERR_NOSPC; bytes *= 2) {
            free(names);
            names = malloc(bytes);
            assert(names);
            ret = store_list(hypervisor_store(d->machine->tables), path, names, bytes, &used);
        }
        result.names = names;
        hv_mem_complete(d, EV_STORE_LIST, token, ret, names)->store = result;
    }
    hv_mem_leave(d);
}

void hv_mem_store_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes,
                          uint32_t count)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_STORE_PUBLISH, token))
        hv_mem_complete(d, EV_STORE_PUBLISH, token,
                        hypervisor_publish(d->machine->tables, nodes, count), NULL);
    hv_mem_leave(d);
}

void hv_mem_store_watch(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_STORE_WATCH, token)) {
        uint64_t cookie = d->next_cookie++;
        int ret = store_watch(hypervisor_store(d->machine->tables), hv->domid, path, cookie);

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
        store_unwatch(hypervisor_store(d->machine->tables), d->hv.domid, watch->cookie);
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
