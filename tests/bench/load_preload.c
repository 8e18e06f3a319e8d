/*
 * A library to be preloaded into the programs that tools/bench compares: every TCP socket they make
 * or accept gets TCP_NODELAY and the congestion control in BENCH_CONGESTION, read back; a program
 * in which this fails is ended. For each of the two ways that was gone, a process appends a line,
 * "made" or "accepted", to the file BENCH_NOTES: by it the script knows that this was in effect.
 *
 * It changes nothing else, and does not undo what a program sets later.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REFUSED = 97 }; /* exit code */

/* Copies: nginx clears its environment, and others write a title over it. */
static char congestion[16], notes[4096];

static void refuse(const char *what)
{
    dprintf(2, "load_preload: %s: %s\n", what, strerror(errno));
    _exit(REFUSED);
}

static void copy(char *to, size_t size, const char *name)
{
    const char *value = getenv(name);

    if (!value || strlen(value) >= size) {
        errno = EINVAL;
        refuse(name);
    }
    memcpy(to, value, strlen(value) + 1);
}

__attribute__((constructor)) static void begin(void)
{
    copy(congestion, sizeof(congestion), "BENCH_CONGESTION");
    copy(notes, sizeof(notes), "BENCH_NOTES");
}

static void note(const char *text, bool *noted)
{
    if (*noted)
        return;
    *noted = true;
    int fd = open(notes, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        refuse(notes);
    close(fd);
}

static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof(protocol);

    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
           protocol == IPPROTO_TCP;
}

/* `errno` is the program's. */
static int set(int fd, const char *text, bool *noted)
{
    int on = 1, before = errno;
    char name[16] = ""; /* TCP_CA_NAME_MAX */
    socklen_t size = sizeof(on), name_size = sizeof(name) - 1;

    if (fd < 0 || !is_tcp(fd)) {
        errno = before;
        return fd;
    }
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, size) != 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) != 0 || on == 0)
        refuse("TCP_NODELAY");
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) !=
            0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &name_size) != 0 ||
        strcmp(name, congestion) != 0)
        refuse("TCP_CONGESTION");
    note(text, noted);
    errno = before;
    return fd;
}

/* POSIX's own way to take a function from dlsym. */
#define NEXT(pointer, name)                                                                        \
    do {                                                                                           \
        if (!(pointer))                                                                            \
            *(void **)&(pointer) = dlsym(RTLD_NEXT, name);                                         \
        if (!(pointer))                                                                            \
            refuse(name);                                                                          \
    } while (0)

static bool made, accepted;

int socket(int domain, int type, int protocol)
{
    static int (*next)(int, int, int);

    NEXT(next, "socket");
    return set(next(domain, type, protocol), "made\n", &made);
}

/* By names of their own: glibc declares the address as a union of pointers. */
int bench_accept(int fd, struct sockaddr *address, socklen_t *size) __asm__("accept");
int bench_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) __asm__("accept4");

int bench_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    static int (*next)(int, struct sockaddr *, socklen_t *);

    NEXT(next, "accept");
    return set(next(fd, address, size), "accepted\n", &accepted);
}

int bench_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    static int (*next)(int, struct sockaddr *, socklen_t *, int);

    NEXT(next, "accept4");
    return set(next(fd, address, size, flags), "accepted\n", &accepted);
}
