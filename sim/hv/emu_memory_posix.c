/*
 * Runs as POSIX shared memory objects that have no name any more. See emu_memory.h.
 *
 * There are no seals. What the receiver of a run can check: the object is no directory, socket or
 * device, is open for both directions, and has the size now (rounded up to the host's page, as some
 * hosts do). What it cannot: that it keeps that size. Who shrinks an object that another maps kills
 * that one with SIGBUS at its next access; so here every process of a run must be trusted that far,
 * not only to leave others alone (emu_memory_linux.c).
 * An object has a name, 0600 and random, between two calls of ours; names have at most 31 bytes
 * (PSHMNAMLEN of Darwin).
 * Source: POSIX.1-2008 shm_open, mmap.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_memory.h"

#include "ringlib/err.h"
#include "sim/hv/emu_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 32, NAMES_TRIED = 16 };

static size_t host_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

#ifdef SHM_ANON
static int open_object(void)
{
    return shm_open(SHM_ANON, O_RDWR, 0);
}
#else
/* A name that nobody can have taken in advance. */
static bool make_name(char name[static NAME_BYTES])
{
    uint64_t number;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    bool done = fd >= 0 && read(fd, &number, sizeof(number)) == (ssize_t)sizeof(number);

    if (fd >= 0)
        close(fd);
    if (done)
        snprintf(name, NAME_BYTES, "/xensock-%016" PRIx64, number);
    return done;
}

static int open_object(void)
{
    char name[NAME_BYTES];
    int fd = -1;

    for (int i = 0; i < NAMES_TRIED && fd < 0 && make_name(name); i++) {
        fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd < 0 && errno != EEXIST)
            return -1;
    }
    if (fd >= 0)
        shm_unlink(name);
    return fd;
}
#endif

int emu_memory_file(size_t bytes)
{
    int fd = open_object();
    int ret;

    if (fd < 0)
        return emu_os_error();
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && ftruncate(fd, (off_t)bytes) == 0)
        return fd;
    ret = emu_os_error();
    close(fd);
    return ret;
}

int emu_memory_create(uint32_t pages, struct emu_memory *memory)
{
    struct emu_piece all = {.pages = (uint16_t)pages, .run_pages = (uint16_t)pages};
    int fd = emu_memory_file((size_t)pages * SHARED_PAGE_BYTES);
    int ret;

    if (fd < 0)
        return fd;
    ret = emu_memory_map(&fd, &all, 1, pages, memory);
    if (ret == 0)
        return fd;
    close(fd);
    return ret;
}

/* Some hosts give shared memory no type at all. */
static bool is_memory(const struct stat *st)
{
    return S_ISREG(st->st_mode) || S_TYPEISSHM(st) || (st->st_mode & S_IFMT) == 0;
}

int emu_memory_check(int fd, uint32_t pages)
{
    int flags = fcntl(fd, F_GETFL);
    off_t bytes = (off_t)pages * SHARED_PAGE_BYTES;
    off_t slack = (off_t)host_page_bytes() - 1;
    struct stat st;

    if (flags < 0 || (flags & O_ACCMODE) != O_RDWR)
        return -ERR_INVAL;
    if (fstat(fd, &st) < 0 || !is_memory(&st))
        return -ERR_INVAL;
    return st.st_size == bytes || st.st_size == (bytes + slack) / (slack + 1) * (slack + 1)
               ? 0
               : -ERR_INVAL;
}
