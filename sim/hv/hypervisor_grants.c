/*
 * The grant table: runs of pages, and who maps them. See hypervisor.h.
 *
 * A run's handle is its first ref, which no other run can have while this one exists. A run lives
 * until it is ended and no mapping holds it; one that outlives its owner has no refs any more and
 * is reachable only through the mappings.
 */
#include "ringlib/err.h"
#include "sim/hv/hypervisor_private.h"

#include <stdlib.h>

/* Free a run that nobody can reach any more, its refs with it. */
static void run_settle(struct hypervisor *hv, struct run *run)
{
    struct domain *owner = run->owner;

    if (!run->ended || run->holds > 0)
        return;
    for (uint32_t i = 0; owner && i < run->pages; i++) {
        owner->grants[run->refs[i]] = (struct grant){0};
        slots_give(&owner->refs, run->refs[i]);
    }
    if (owner)
        owner->quarantined -= run->pages;
    else
        hv->history[run->owner_domid].held_pages -= run->pages;
    hv->config.release_run(hv->config.self, run->backing);
    free(run);
}

static void run_end(struct hypervisor *hv, struct run *run)
{
    run->ended = true;
    run->owner->quarantined += run->pages;
    run_settle(hv, run);
}

/* Owner's refs, in one piece if there is one, else wherever they are free. */
static void take_refs(struct domain *owner, struct run *run)
{
    int64_t first = slots_take(&owner->refs, run->pages);

    for (uint32_t i = 0; i < run->pages; i++) {
        int64_t ref = first >= 0 ? first + i : slots_take(&owner->refs, 1);
        assert(ref >= 0); /* the caller counted them */
        run->refs[i] = (uint32_t)ref;
        owner->grants =
            slots_table(&owner->refs, owner->grants, &owner->grant_room, sizeof(*owner->grants));
        owner->grants[ref] = (struct grant){.run = run, .page = i};
    }
}

/* tidy: who, to whom, how much, of what, and where the refs go: a struct would be filled once */
int64_t hypervisor_share(struct hypervisor *hv, uint16_t owner, uint16_t peer, uint32_t pages,
                         void *backing, uint32_t *refs)
{
    struct domain *domain = hv->domains[owner];

    assert(domain && pages > 0);
    if (pages > slots_free(&domain->refs))
        return -ERR_NOSPC;
    struct run *run = calloc(1, sizeof(*run) + pages * sizeof(run->refs[0]));
    assert(run);
    run->owner = domain;
    run->owner_domid = owner;
    run->backing = backing;
    run->pages = pages;
    run->peer = peer;
    take_refs(domain, run);
    memcpy(refs, run->refs, pages * sizeof(*refs));
    return run->refs[0];
}

int hypervisor_unshare(struct hypervisor *hv, uint16_t owner, uint32_t handle)
{
    struct domain *domain = hv->domains[owner];

    assert(domain);
    if (!slots_taken(&domain->refs, handle))
        return -ERR_INVAL;
    const struct grant *grant = &domain->grants[handle];
    if (grant->page != 0 || grant->run->ended)
        return -ERR_INVAL;
    run_end(hv, grant->run);
    return 0;
}

/* The page a ref of `owner` grants to `mapper`, NULL if it grants none. */
static const struct grant *resolve(const struct domain *owner, uint16_t mapper, uint32_t ref)
{
    if (!slots_taken(&owner->refs, ref))
        return NULL;
    const struct grant *grant = &owner->grants[ref];
    return grant->run->ended || grant->run->peer != mapper ? NULL : grant;
}

/* Turn pieces into a mapping that holds their runs. */
static struct mapping *mapping_new(struct domain *mapper, struct run *const *runs, uint32_t count)
{
    struct mapping *mapping = calloc(1, sizeof(*mapping) + count * sizeof(struct run *));

    assert(mapping);
    mapping->handle = mapper->next_map++;
    mapping->piece_count = count;
    for (uint32_t i = 0; i < count; i++) {
        mapping->runs[i] = runs[i];
        runs[i]->holds++;
    }
    HASH_ADD(hh, mapper->maps, handle, sizeof(mapping->handle), mapping);
    return mapping;
}

/* tidy: as hypervisor_share; the pieces are its result */
int64_t hypervisor_map(struct hypervisor *hv, uint16_t mapper, uint16_t owner, const uint32_t *refs,
                       uint32_t count, struct hypervisor_piece *pieces, uint32_t *piece_count)
{
    const struct domain *from = hv->domains[owner];
    struct run *runs[HV_REFS_MAX];
    uint32_t n = 0;

    assert(hv->domains[mapper] && count > 0 && count <= HV_REFS_MAX);
    if (!from)
        return -ERR_INVAL;
    for (uint32_t i = 0; i < count; i++) {
        const struct grant *grant = resolve(from, mapper, refs[i]);
        if (!grant)
            return -ERR_INVAL;
        struct hypervisor_piece *last = n > 0 ? &pieces[n - 1] : NULL;
        if (last && runs[n - 1] == grant->run && last->first_page + last->pages == grant->page) {
            last->pages++;
            continue;
        }
        runs[n] = grant->run;
        pieces[n++] = (struct hypervisor_piece){.backing = grant->run->backing,
                                                .first_page = grant->page,
                                                .pages = 1,
                                                .run_pages = grant->run->pages};
    }
    *piece_count = n;
    struct mapping *mapping = mapping_new(hv->domains[mapper], runs, n);
    mapping->pages = count;
    return mapping->handle;
}

static void mapping_end(struct hypervisor *hv, struct domain *mapper, struct mapping *mapping)
{
    HASH_DEL(mapper->maps, mapping);
    for (uint32_t i = 0; i < mapping->piece_count; i++) {
        mapping->runs[i]->holds--;
        run_settle(hv, mapping->runs[i]);
    }
    free(mapping);
}

int hypervisor_unmap(struct hypervisor *hv, uint16_t mapper, uint32_t handle)
{
    struct domain *domain = hv->domains[mapper];
    struct mapping *mapping;

    assert(domain);
    HASH_FIND(hh, domain->maps, &handle, sizeof(handle), mapping);
    if (!mapping)
        return -ERR_INVAL;
    mapping_end(hv, domain, mapping);
    return 0;
}

void hypervisor_grants_init(struct domain *domain, uint32_t grants_max)
{
    slots_init(&domain->refs, HV_REFS_RESERVED, grants_max);
}

void hypervisor_grants_fini(struct hypervisor *hv, struct domain *domain)
{
    struct mapping *mapping, *following;

    HASH_ITER (hh, domain->maps, mapping, following) {
        mapping_end(hv, domain, mapping);
    }
    uint32_t left = domain->refs.used;
    for (uint32_t ref = HV_REFS_RESERVED; left > 0; ref++) {
        bool taken = slots_taken(&domain->refs, ref);
        left -= taken ? 1u : 0u;
        if (!taken || domain->grants[ref].page != 0)
            continue;
        struct run *run = domain->grants[ref].run;
        /* Its other refs are skipped from here on and go with the table. */
        run->owner = NULL;
        run->ended = true;
        hv->history[run->owner_domid].held_pages += run->pages;
        run_settle(hv, run);
    }
    free(domain->grants);
    slots_fini(&domain->refs);
}

void hypervisor_usage(const struct hypervisor *hv, uint16_t domid, struct hypervisor_usage *usage)
{
    const struct domain *domain = hv->domains[domid];

    *usage = (struct hypervisor_usage){0};
    if (!domain)
        return;
    usage->grants = domain->refs.used;
    usage->grants_quarantined = domain->quarantined;
    usage->ports = domain->ports.used;
    usage->maps = HASH_COUNT(domain->maps);
}
