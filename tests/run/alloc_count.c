/*
 * Counts a process's allocations: preloaded by test_cost.sh, which compares runs of different
 * length. Writes "NAME COUNT" to the file $ALLOC_COUNT at exit.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);

static unsigned long allocations; /* the processes have one thread */

void *malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    allocations++;
    return __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes)
{
    allocations++;
    return __libc_realloc(block, bytes);
}

/* The subcommand names the process. */
static void subcommand(char *name, size_t room)
{
    char text[256] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t bytes = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    size_t first = strlen(text) + 1;
    snprintf(name, room, "%s", bytes > (ssize_t)first ? text + first : "?");
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("ALLOC_COUNT");
    char name[64], line[128];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;

    if (fd < 0)
        return;
    subcommand(name, sizeof(name));
    int bytes = snprintf(line, sizeof(line), "%s %lu\n", name, allocations);
    if (write(fd, line, (size_t)bytes) != bytes)
        perror("alloc_count");
    close(fd);
}
