/*
 * The store's clients and domains, its paths, and who may do what with a node. See store.h.
 *
 * What is granted to a domain is granted to one life of it: a permission counts only on a node that
 * changed after the domain of that number last died, so nobody inherits from a dead one.
 * Source: Xen 4.17 docs/misc/xenstore.txt.
 */
#include "sim/hv/store_private.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const specials[STORE_SPECIALS] = {"@introduceDomain", "@releaseDomain"};
static const char domains_path[] = "/local/domain/";

void *store_alloc(size_t bytes, const void *text, size_t length)
{
    char *memory = calloc(1, bytes + length + 1);

    assert(memory);
    if (length > 0)
        memcpy(memory + bytes, text, length);
    return memory;
}

struct store_domain *store_domain_of(struct store *store, uint16_t domid)
{
    struct store_domain *domain;

    HASH_FIND(hh, store->domains, &domid, sizeof(domid), domain);
    if (domain)
        return domain;
    domain = calloc(1, sizeof(*domain));
    assert(domain);
    domain->domid = domid;
    domain->introduced = domid == 0;
    HASH_ADD(hh, store->domains, domid, sizeof(domain->domid), domain);
    return domain;
}

static const struct store_domain *domain_find(const struct store *store, uint16_t domid)
{
    struct store_domain *domain;

    HASH_FIND(hh, store->domains, &domid, sizeof(domid), domain);
    return domain;
}

/* ---- paths ---- */

/* Where the part begins whose length is limited on its own. */
static size_t local_part(const char *path)
{
    size_t digits, at = sizeof(domains_path) - 1;

    if (strncmp(path, domains_path, at) != 0)
        return 0;
    digits = strspn(path + at, "0123456789");
    return digits > 0 && digits <= 5 && path[at + digits] == '/' ? at + digits + 1 : 0;
}

static bool path_valid(const char *path, size_t length)
{
    if (path[0] != '/' || length > local_part(path) + STORE_RELATIVE_MAX)
        return false;
    if (strspn(path, "/-_@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
        length)
        return false;
    return !strstr(path, "//") && (length == 1 || path[length - 1] != '/');
}

int store_path_resolve(const struct store_client *client, const char *path, char *out)
{
    int length;

    if (path[0] == '/' || path[0] == '@')
        length = snprintf(out, STORE_PATH_MAX + 1, "%s", path);
    else
        length = snprintf(out, STORE_PATH_MAX + 1, "%s%" PRIu16 "/%s", domains_path,
                          client->domain->domid, path);
    if (length > STORE_PATH_MAX || !path_valid(out, (size_t)length))
        return -ERR_INVAL;
    return length;
}

size_t store_path_parent(const char *path, size_t length)
{
    while (path[--length] != '/') {
    }
    return length > 0 ? length : 1;
}

int store_special(const char *name)
{
    for (int i = 0; i < STORE_SPECIALS; i++) {
        if (strcmp(name, specials[i]) == 0)
            return i;
    }
    return -1;
}

/* ---- permissions ---- */

static bool perm_lives(const struct store *store, const struct store_record *record, uint32_t i)
{
    const struct store_domain *domain = domain_find(store, record->perms[i].domid);

    return i == 0 || !domain || record->generation > domain->died;
}

static bool acts_as(const struct store_client *client, uint16_t domid)
{
    const struct store_domain *domain = client->domain;

    return domain->domid == domid || (domain->has_target && domain->target == domid);
}

unsigned store_access_of(const struct store_client *client, const struct store_record *record)
{
    const struct store_perm *perms = record->perms;

    if (store_privileged(client) || acts_as(client, perms[0].domid))
        return STORE_BOTH | STORE_OWNER;
    for (uint32_t i = 1; i < record->perm_count; i++) {
        if (acts_as(client, perms[i].domid) && perm_lives(client->store, record, i))
            return perms[i].access;
    }
    return perms[0].access;
}

uint32_t store_perms_live(struct store *store, const struct store_record *record,
                          struct store_perm *live)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < record->perm_count; i++) {
        if (perm_lives(store, record, i))
            live[count++] = record->perms[i];
    }
    return count;
}

/* ---- the store ---- */

struct store *store_create(void)
{
    static const struct store_perm private = {0, STORE_NONE};
    struct store *store = calloc(1, sizeof(*store));

    assert(store);
    store->toolstack = store_connect(store, 0, NULL);
    for (int i = 0; i < STORE_SPECIALS; i++)
        store_record_set_perms(&store->specials[i], &private, 1);
    store->root = store_node_add(store, "/", 1, &private, 1);
    store_node_add(store, "/tool", strlen("/tool"), &private, 1);
    store_node_add(store, "/tool/xenstored", strlen("/tool/xenstored"), &private, 1);
    return store;
}

void store_destroy(struct store *store)
{
    struct store_domain *domain, *following;

    store_disconnect(store->toolstack);
    store_node_remove(store, store->root);
    HASH_ITER (hh, store->domains, domain, following) {
        assert(!domain->clients);
        HASH_DEL(store->domains, domain); /* NOLINT: clang 14 does not follow uthash's links */
        free(domain);
    }
    for (int i = 0; i < STORE_SPECIALS; i++)
        store_record_free(&store->specials[i]);
    free(store->taken);
    free(store->matches);
    free(store->names);
    free(store);
}

/* ---- clients and domains ---- */

struct store_client *store_connect(struct store *store, uint16_t domid, void *owner)
{
    struct store_client *client = calloc(1, sizeof(*client));

    assert(client);
    client->store = store;
    client->domain = store_domain_of(store, domid);
    client->owner = owner;
    client->id = store->next_client++;
    client->next_transaction = 1;
    DL_APPEND(client->domain->clients, client);
    return client;
}

void store_reset(struct store_client *client)
{
    store_watches_end(client);
    store_transactions_end(client);
}

void store_disconnect(struct store_client *client)
{
    store_reset(client);
    DL_DELETE(client->domain->clients, client);
    free(client);
}

uint16_t store_domid(const struct store_client *client)
{
    return client->domain->domid;
}

bool store_privileged(const struct store_client *client)
{
    return client->domain->domid == 0;
}

struct store_client *store_toolstack(struct store *store)
{
    return store->toolstack;
}

void store_introduce(struct store *store, uint16_t domid)
{
    struct store_domain *domain = store_domain_of(store, domid);

    domain->introduced = true;
    domain->released = false;
    store_watches_fire_special(store, "@introduceDomain");
}

void store_release(struct store *store, uint16_t domid)
{
    struct store_domain *domain = store_domain_of(store, domid);
    struct store_client *client;

    if (domid != 0) {
        DL_FOREACH (domain->clients, client) {
            store_reset(client);
        }
        store_nodes_of_remove(store, domain);
        domain->introduced = false;
        domain->released = true;
        domain->has_target = false;
        domain->died = store->generation;
    }
    store_watches_fire_special(store, "@releaseDomain");
}

bool store_introduced(const struct store *store, uint16_t domid)
{
    const struct store_domain *domain = domain_find(store, domid);

    return domain && domain->introduced;
}

bool store_present(const struct store *store, uint16_t domid)
{
    const struct store_domain *domain = domain_find(store, domid);

    return domain && (domain->clients || domain->introduced);
}

void store_set_target(struct store *store, uint16_t domid, uint16_t target)
{
    struct store_domain *domain = store_domain_of(store, domid);

    domain->has_target = true;
    domain->target = target;
}

void store_usage(const struct store *store, uint16_t domid, struct store_usage *usage)
{
    const struct store_domain *domain = domain_find(store, domid);

    *usage = domain ? domain->usage : (struct store_usage){0};
}
