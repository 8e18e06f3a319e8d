/*
 * Runs as sealed memfds. See emu_memory.h.
 *
 * F_SEAL_SEAL matters as much as the other two: without it a peer adds F_SEAL_FUTURE_WRITE and our
 * next mapping fails. A hugetlb memfd can carry the same seals but faults when the pool is empty.
 * Source: memfd_create(2), fcntl(2) "File Sealing".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/emu_memory.h"

#include "ringlib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
    SEALS_REFUSED = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE,
};

static size_t host_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int os_error(void)
{
    switch (errno) {
    case EMFILE: return -ERR_MFILE;
    case ENFILE: return -ERR_NFILE;
    default: return -ERR_NOMEM;
    }
}

static int map_whole(int fd, uint32_t pages, struct emu_memory *memory)
{
    struct emu_piece all = {.pages = (uint16_t)pages, .run_pages = (uint16_t)pages};

    return emu_memory_map(&fd, &all, 1, pages, memory);
}

int emu_memory_create(uint32_t pages, struct emu_memory *memory)
{
    int fd = memfd_create("xensock-run", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int ret;

    if (fd < 0)
        return os_error();
    if (ftruncate(fd, (off_t)pages * SHARED_PAGE_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        ret = os_error();
    else
        ret = map_whole(fd, pages, memory);
    if (ret == 0)
        return fd;
    close(fd);
    return ret;
}

int emu_memory_check(int fd, uint32_t pages)
{
    int seals = fcntl(fd, F_GET_SEALS);
    int flags = fcntl(fd, F_GETFL);
    struct stat st;
    struct statfs fs;

    if (seals < 0 || (seals & SEALS) != SEALS || (seals & SEALS_REFUSED) != 0)
        return -ERR_INVAL;
    if (flags < 0 || (flags & O_ACCMODE) != O_RDWR)
        return -ERR_INVAL;
    if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
        return -ERR_INVAL;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -ERR_INVAL;
    return st.st_size == (off_t)pages * SHARED_PAGE_BYTES ? 0 : -ERR_INVAL;
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

int emu_memory_map(const int *fds, const struct emu_piece *pieces, uint32_t count, uint32_t pages,
                   struct emu_memory *memory)
{
    size_t bytes = (size_t)pages * SHARED_PAGE_BYTES;
    void *start;

    if (count == 1)
        return map_piece(fds[pieces[0].run], &pieces[0], memory);
    if (host_page_bytes() > SHARED_PAGE_BYTES)
        return -ERR_INVAL;
    start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return -ERR_NOMEM;
    memory->start = start;
    memory->bytes = bytes;
    memory->area.base = (struct shared_memory *)start;
    memory->area.pages = pages;
    if (map_pieces(fds, pieces, count, start) == 0)
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
