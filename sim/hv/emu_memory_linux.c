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
#include "sim/hv/emu_queue.h"

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

static int map_whole(int fd, uint32_t pages, struct emu_memory *memory)
{
    struct emu_piece all = {.pages = (uint16_t)pages, .run_pages = (uint16_t)pages};

    return emu_memory_map(&fd, &all, 1, pages, memory);
}

int emu_memory_file(size_t bytes)
{
    int fd = memfd_create("xensock", MFD_CLOEXEC);
    int ret;

    if (fd < 0)
        return emu_os_error();
    if (ftruncate(fd, (off_t)bytes) == 0)
        return fd;
    ret = emu_os_error();
    close(fd);
    return ret;
}

int emu_memory_create(uint32_t pages, struct emu_memory *memory)
{
    int fd = memfd_create("xensock-run", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int ret;

    if (fd < 0)
        return emu_os_error();
    if (ftruncate(fd, (off_t)pages * SHARED_PAGE_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        ret = emu_os_error();
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
