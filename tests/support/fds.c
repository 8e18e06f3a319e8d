/* See fds.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/fds.h"

#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FDS_MAX = 512, PAGE_BYTES = 4096 };

struct fds_to_send fds_to_send[FDS_TO_SEND];

/* One call of the host's, since it is asked twice an input. */
uint32_t fds_count(void)
{
    static struct pollfd fds[FDS_MAX];
    uint32_t count = 0;

    for (int i = 0; i < FDS_MAX; i++)
        fds[i] = (struct pollfd){.fd = i};
    FUZZ_CHECK(poll(fds, FDS_MAX, 0) >= 0, "poll");
    for (int i = 0; i < FDS_MAX; i++)
        count += !(fds[i].revents & POLLNVAL);
    return count;
}

void fds_limit(int room)
{
    static struct rlimit before;
    struct rlimit now;
    int lowest = dup(0);

    close(lowest);
    if (room >= 0)
        getrlimit(RLIMIT_NOFILE, &before);
    now = before;
    if (room >= 0)
        now.rlim_cur = (rlim_t)lowest + (rlim_t)room;
    setrlimit(RLIMIT_NOFILE, &now);
}

static int memory(uint32_t bytes, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    FUZZ_CHECK(fd >= 0 && ftruncate(fd, bytes) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0, "memfd");
    return fd;
}

void fds_make(void)
{
    static const uint32_t pages[] = {1, 1, 2, 3, 16, 512};
    const int grow = F_SEAL_SHRINK | F_SEAL_GROW, proper = grow | F_SEAL_SEAL;
    struct fds_to_send *at = fds_to_send;
    char path[64];

    for (uint32_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++, at++) {
        struct stat info;

        at->fd = memory(pages[i] * PAGE_BYTES, proper);
        at->pages = pages[i];
        FUZZ_CHECK(fstat(at->fd, &info) == 0, "fstat");
        at->inode = info.st_ino;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds_to_send[0].fd);
    at++->fd = open(path, O_RDONLY | O_CLOEXEC);
    at++->fd = memory(PAGE_BYTES, 0);
    at++->fd = memory(PAGE_BYTES, grow);
    at++->fd = memory(PAGE_BYTES, F_SEAL_GROW | F_SEAL_SEAL);
    at++->fd = memory(PAGE_BYTES, F_SEAL_SHRINK | F_SEAL_SEAL);
    at++->fd = memory(PAGE_BYTES, proper | F_SEAL_WRITE);
    at++->fd = memory(PAGE_BYTES, proper | F_SEAL_FUTURE_WRITE);
    at++->fd = memory(PAGE_BYTES + 1, proper);
    at++->fd = memory(0, proper);
    at++->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    at++->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    at++->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(at == fds_to_send + FDS_TO_SEND, "%td", at - fds_to_send);
    for (at = fds_to_send; at < fds_to_send + FDS_TO_SEND; at++)
        FUZZ_CHECK(at->fd >= 0, "descriptor %td", at - fds_to_send);
}
