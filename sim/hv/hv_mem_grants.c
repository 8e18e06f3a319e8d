/*
 * hv_mem's memory: one file, mapped once. A run is consecutive pages of it, so a map of consecutive
 * refs is a pointer into that one mapping, which a race detector can follow; scattered refs are
 * further mappings of the same file.
 * Invariant: pages that belong to no run are zero.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/emu_memory.h"
#include "sim/hv/hv_mem_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef MAP_NORESERVE
enum { UNRESERVED = MAP_NORESERVE };
#else
enum { UNRESERVED = 0 };
#endif

/* Backing of a run: consecutive pages of the memory file. */
struct mem_run {
    uint32_t first_page, pages;
};

bool hv_mem_memory_open(struct hv_mem *machine, uint32_t pages)
{
    size_t bytes = (size_t)pages * SHARED_PAGE_BYTES;
    void *base = MAP_FAILED;

    if (bytes / SHARED_PAGE_BYTES != pages)
        return false; /* more than 32 bits can address */
    machine->fd = emu_memory_file(bytes);
    if (machine->fd >= 0)
        base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | UNRESERVED, machine->fd, 0);
    if (base == MAP_FAILED) {
        if (machine->fd >= 0)
            close(machine->fd);
        return false;
    }
    machine->base = base;
    machine->bytes = bytes;
    return true;
}

void hv_mem_memory_close(struct hv_mem *machine)
{
    munmap(machine->base, machine->bytes);
    close(machine->fd);
}

static void area_add(struct mem_area **areas, uint32_t handle, uint32_t pages, void *alias)
{
    struct mem_area *area = calloc(1, sizeof(*area));

    assert(area);
    *area = (struct mem_area){.handle = handle, .pages = pages, .alias = alias};
    HASH_ADD(hh, *areas, handle, sizeof(area->handle), area);
}

static struct mem_area *area_find(struct mem_area *areas, uint32_t handle)
{
    struct mem_area *area;

    HASH_FIND(hh, areas, &handle, sizeof(handle), area);
    return area;
}

static void area_free(struct mem_area **areas, struct mem_area *area)
{
    if (area->alias)
        munmap(area->alias, (size_t)area->pages * SHARED_PAGE_BYTES);
    HASH_DEL(*areas, area);
    free(area);
}

static struct shared_memory *page_address(const struct hv_mem *machine, uint32_t page)
{
    return (struct shared_memory *)(void *)(machine->base + (size_t)page * SHARED_PAGE_BYTES);
}

/* Where data begin, from `at` on: `at` itself if the host does not tell, -1 if there are none. */
static off_t data_from(int fd, off_t at)
{
#ifdef SEEK_DATA
    off_t data = lseek(fd, at, SEEK_DATA);

    return data < 0 && errno != ENXIO ? at : data;
#else
    (void)fd;
    return at;
#endif
}

/* Zero the pages of a run which the system has given memory; the others still are. What is swapped
 * out is data to the file, though not in core. */
static void zero_run(const struct hv_mem *machine, const struct mem_run *run)
{
    off_t at = (off_t)run->first_page * (off_t)SHARED_PAGE_BYTES;
    off_t end = at + (off_t)run->pages * (off_t)SHARED_PAGE_BYTES;

    while (at < end) {
        off_t data = data_from(machine->fd, at);
        if (data < at || data >= end)
            return;
        memset(machine->base + data, 0, SHARED_PAGE_BYTES);
        at = data + (off_t)SHARED_PAGE_BYTES;
    }
}

void hv_mem_release_run(void *self, void *backing)
{
    struct hv_mem *machine = self;
    struct mem_run *run = backing;

    zero_run(machine, run);
    for (uint32_t i = 0; i < run->pages; i++)
        slots_give(&machine->pages, run->first_page + i);
    free(run);
}

static int share_run(struct mem_domain *d, uint16_t domid, uint32_t pages, uint32_t *refs,
                     struct ev_share *share)
{
    struct hv_mem *machine = d->machine;
    int64_t first = slots_take(&machine->pages, pages);

    if (first < 0)
        return -ERR_NOMEM;
    struct mem_run *run = malloc(sizeof(*run));
    assert(run);
    *run = (struct mem_run){.first_page = (uint32_t)first, .pages = pages};
    int64_t handle = hypervisor_share(machine->tables, d->hv.domid, domid, pages, run, refs);
    if (handle < 0) {
        hv_mem_release_run(machine, run);
        return (int)handle;
    }
    area_add(&d->shares, (uint32_t)handle, pages, NULL);
    hv_count_grants(&d->hv, (int32_t)pages);
    *share = (struct ev_share){.area = {page_address(machine, run->first_page), pages},
                               .refs = refs,
                               .handle = (uint32_t)handle};
    return 0;
}

void hv_mem_share(struct hv *hv, uint64_t token, uint16_t domid, uint32_t pages)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_SHARE, token)) {
        struct ev_share share = {0};
        uint32_t *refs = calloc(pages, sizeof(*refs));
        assert(refs);
        hv_mem_spend(d, EV_SHARE, pages);
        int ret = share_run(d, domid, pages, refs, &share);
        hv_mem_complete(d, EV_SHARE, token, ret, refs)->share = share;
    }
    hv_mem_leave(d);
}

static int unshare_run(struct mem_domain *d, uint32_t handle)
{
    struct mem_area *area = area_find(d->shares, handle);

    if (!area)
        return -ERR_INVAL;
    int ret = hypervisor_unshare(d->machine->tables, d->hv.domid, handle);
    assert(ret == 0);
    hv_mem_spend(d, EV_UNSHARE, area->pages);
    hv_count_grants(&d->hv, -(int32_t)area->pages);
    area_free(&d->shares, area);
    return 0;
}

void hv_mem_unshare(struct hv *hv, uint64_t token, uint32_t handle)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_UNSHARE, token))
        hv_mem_complete(d, EV_UNSHARE, token, unshare_run(d, handle), NULL);
    hv_mem_leave(d);
}

static uint32_t piece_page(const struct hypervisor_piece *piece)
{
    const struct mem_run *run = piece->backing;

    return run->first_page + piece->first_page;
}

/* Show scattered pages of the memory file once more, next to each other; NULL if that fails. */
static void *map_scattered(const struct hv_mem *machine, const struct hypervisor_piece *pieces,
                           uint32_t piece_count, uint32_t pages)
{
    size_t bytes = (size_t)pages * SHARED_PAGE_BYTES;
    unsigned char *alias =
        mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned char *at = alias;

    if (alias == MAP_FAILED)
        return NULL;
    for (uint32_t i = 0; i < piece_count; i++) {
        size_t length = (size_t)pieces[i].pages * SHARED_PAGE_BYTES;
        off_t offset = (off_t)piece_page(&pieces[i]) * (off_t)SHARED_PAGE_BYTES;
        if (mmap(at, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, machine->fd, offset) ==
            MAP_FAILED) {
            munmap(alias, bytes);
            return NULL;
        }
        at += length;
    }
    return alias;
}

static int map_refs(struct mem_domain *d, uint16_t domid, const uint32_t *refs, uint32_t count,
                    struct ev_share *share)
{
    struct hv_mem *machine = d->machine;
    struct hypervisor_piece pieces[HV_REFS_MAX];
    uint32_t piece_count;
    void *alias = NULL;
    int64_t handle =
        hypervisor_map(machine->tables, d->hv.domid, domid, refs, count, pieces, &piece_count);

    if (handle < 0)
        return (int)handle;
    if (piece_count > 1) {
        /* Pages of 4096 bytes cannot be placed one by one where the host's are larger. */
        bool possible = sysconf(_SC_PAGESIZE) == (long)SHARED_PAGE_BYTES;
        alias = possible ? map_scattered(machine, pieces, piece_count, count) : NULL;
        if (!alias) {
            (void)hypervisor_unmap(machine->tables, d->hv.domid, (uint32_t)handle);
            return possible ? -ERR_NOMEM : -ERR_INVAL;
        }
    }
    area_add(&d->maps, (uint32_t)handle, count, alias);
    hv_count_mapped(&d->hv, (int32_t)count);
    share->handle = (uint32_t)handle;
    share->area.pages = count;
    share->area.base = alias ? alias : page_address(machine, piece_page(&pieces[0]));
    return 0;
}

void hv_mem_map(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs, uint32_t count)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_MAP, token)) {
        struct ev_share share = {0};
        hv_mem_spend(d, EV_MAP, count);
        int ret = map_refs(d, domid, refs, count, &share);
        hv_mem_complete(d, EV_MAP, token, ret, NULL)->share = share;
    }
    hv_mem_leave(d);
}

/* The mapping goes before the tables forget it: its pages may be free afterwards. */
static int unmap_area(struct mem_domain *d, uint32_t handle)
{
    struct mem_area *area = area_find(d->maps, handle);

    if (!area)
        return -ERR_INVAL;
    hv_mem_spend(d, EV_UNMAP, area->pages);
    hv_count_mapped(&d->hv, -(int32_t)area->pages);
    area_free(&d->maps, area);
    return hypervisor_unmap(d->machine->tables, d->hv.domid, handle);
}

void hv_mem_unmap(struct hv *hv, uint64_t token, uint32_t handle)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_UNMAP, token))
        hv_mem_complete(d, EV_UNMAP, token, unmap_area(d, handle), NULL);
    hv_mem_leave(d);
}

void hv_mem_areas_free(struct mem_domain *d)
{
    struct mem_area *area, *following;

    HASH_ITER (hh, d->maps, area, following) {
        area_free(&d->maps, area);
    }
    HASH_ITER (hh, d->shares, area, following) {
        area_free(&d->shares, area);
    }
}
