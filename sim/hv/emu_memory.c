/*
 * Mapping runs, which is the same on every host. See emu_memory.h.
 *
 * Scattered pieces go over a range of addresses that is reserved by mapping a file of its own,
 * since anonymous mappings are not POSIX's. Source: POSIX.1-2008 mmap.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_memory.h"

#include "ringlib/err.h"

#include <sys/mman.h>
#include <unistd.h>

static size_t host_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* One mmap, whose file offset the host wants at a multiple of its own page. */
static int map_piece(int fd, const struct emu_piece *piece, struct emu_memory *memory)
{
    size_t offset = (size_t)piece->first_page * SHARED_PAGE_BYTES;
    size_t slack = offset % host_page_bytes();
    size_t bytes = (size_t)piece->pages * SHARED_PAGE_BYTES + slack;
    void *start =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(offset - slack));

    if (start == MAP_FAILED)
        return -ERR_NOMEM;
    memory->start = start;
    memory->bytes = bytes;
    memory->area.base = (struct shared_memory *)(void *)((unsigned char *)start + slack);
    memory->area.pages = piece->pages;
    return 0;
}

static int map_pieces(const int *fds, const struct emu_piece *pieces, uint32_t count,
                      unsigned char *to)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = (size_t)pieces[i].pages * SHARED_PAGE_BYTES;
        off_t offset = (off_t)pieces[i].first_page * SHARED_PAGE_BYTES;

        if (mmap(to, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fds[pieces[i].run],
                 offset) == MAP_FAILED)
            return -ERR_NOMEM;
        to += bytes;
    }
    return 0;
}

/* A range of addresses that nobody else gets. */
static int reserve(uint32_t pages, struct emu_memory *memory)
{
    size_t bytes = (size_t)pages * SHARED_PAGE_BYTES;
    int fd = emu_memory_file(bytes);
    void *start;

    if (fd < 0)
        return fd;
    start = mmap(NULL, bytes, PROT_NONE, MAP_SHARED, fd, 0);
    close(fd);
    if (start == MAP_FAILED)
        return -ERR_NOMEM;
    memory->start = start;
    memory->bytes = bytes;
    memory->area.base = (struct shared_memory *)start;
    memory->area.pages = pages;
    return 0;
}

int emu_memory_map(const int *fds, const struct emu_piece *pieces, uint32_t count, uint32_t pages,
                   struct emu_memory *memory)
{
    int ret;

    if (count == 1)
        return map_piece(fds[pieces[0].run], &pieces[0], memory);
    if (host_page_bytes() > SHARED_PAGE_BYTES)
        return -ERR_INVAL;
    ret = reserve(pages, memory);
    if (ret < 0)
        return ret;
    if (map_pieces(fds, pieces, count, memory->start) == 0)
        return 0;
    emu_memory_unmap(memory);
    return -ERR_NOMEM;
}

void emu_memory_unmap(struct emu_memory *memory)
{
    /* Of a range mapped by us and given back whole this cannot fail. */
    int ret = munmap(memory->start, memory->bytes);

    assert(ret == 0);
    (void)ret;
    *memory = (struct emu_memory){0};
}
