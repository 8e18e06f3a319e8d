/*
 * The server of the load, one connection at a time with blocking calls; and what it shares with the
 * client: sockets. See load.h, load_socket.h.
 */
#define _GNU_SOURCE 1
#include "tests/bench/load_socket.h"

#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

struct load_address load_address_of(const char *text)
{
    struct load_address address = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    if (strchr(text, '/') && strlen(text) < sizeof(address.addr.un.sun_path)) {
        address.addr.un = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(address.addr.un.sun_path, text, strlen(text) + 1);
        address.size = sizeof(address.addr.un);
    } else if (end != text && *end == '\0' && port <= 65535) {
        in.sin_port = htons((uint16_t)port);
        memcpy(&address.addr, &in, sizeof(in));
    } else {
        fprintf(stderr, "load: '%s' is neither a port nor a path with a slash\n", text);
        exit(2);
    }
    return address;
}

static void set_congestion(int fd, const char *wanted)
{
    char name[16] = ""; /* TCP_CA_NAME_MAX */
    socklen_t size = sizeof(name) - 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, wanted, (socklen_t)strlen(wanted)) != 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0 || strcmp(name, wanted) != 0)
        load_fail("congestion control %s cannot be had: %s", wanted, strerror(errno));
}

static void set_nodelay(int fd, int wanted)
{
    int is = -1;
    socklen_t size = sizeof(is);

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &wanted, sizeof(wanted)) != 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &is, &size) != 0 || (is != 0) != wanted)
        load_fail("TCP_NODELAY cannot be %d: %s", wanted, strerror(errno));
}

void load_socket_options(int fd, const struct load_options *options)
{
    struct timeval patience = {.tv_sec = LOAD_PATIENCE_S};
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(own);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &size) != 0)
        load_fail("socket: %s", strerror(errno));
    if (own.ss_family == AF_UNIX)
        return;
    set_nodelay(fd, !options->nagle);
    if (options->congestion)
        set_congestion(fd, options->congestion);
}

int load_socket(const struct load_address *address, const struct load_options *options)
{
    int fd = socket(address->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        load_fail("socket: %s", strerror(errno));
    load_socket_options(fd, options);
    return fd;
}

bool load_write(int fd, const void *from, size_t size)
{
    const char *at = from;

    while (size > 0) {
        ssize_t took = send(fd, at, size, MSG_NOSIGNAL);
        if (took <= 0)
            return false;
        at += took;
        size -= (size_t)took;
    }
    return true;
}

bool load_read(int fd, void *to, size_t size)
{
    char *at = to;

    while (size > 0) {
        ssize_t got = recv(fd, at, size, 0);
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static char buffer[LOAD_SIZE_MAX];

static bool take_all(int fd, uint64_t left)
{
    while (left > 0) {
        ssize_t got = recv(fd, buffer, left < LOAD_READ_BYTES ? left : LOAD_READ_BYTES, 0);
        if (got <= 0)
            return false;
        left -= (uint64_t)got;
    }
    return recv(fd, buffer, 1, MSG_DONTWAIT) <= 0; /* more than was sent? */
}

static bool answer(int fd, const struct load_header *header)
{
    bool good = true;

    if (header->what == LOAD_UP)
        return take_all(fd, header->count * header->size) &&
               load_write(fd, &(char){LOAD_ALL_ARRIVED}, 1);
    for (uint64_t i = 0; i < header->count && good; i++)
        good = (header->what == LOAD_DOWN || load_read(fd, buffer, header->size)) &&
               load_write(fd, buffer, header->size);
    return good;
}

/* A connection that fails is its client's to complain of; here it only ends. */
static void serve_one(int fd, bool greet)
{
    struct load_header header;

    if (greet)
        load_write(fd, &(char){LOAD_GREETING}, 1);
    else if (load_read(fd, &header, sizeof(header)) && header.magic == LOAD_MAGIC &&
             header.what < LOAD_CONNECT && header.size <= sizeof(buffer) && !answer(fd, &header))
        fprintf(stderr, "load: a connection broke: %s\n", strerror(errno));
    close(fd);
}

static void say_where(int listener)
{
    struct sockaddr_in own = {.sin_port = 0};
    socklen_t size = sizeof(own);

    if (getsockname(listener, (struct sockaddr *)&own, &size) != 0)
        load_fail("getsockname: %s", strerror(errno));
    printf("%u\n", own.sin_family == AF_INET ? ntohs(own.sin_port) : 0);
    fflush(stdout);
}

void load_serve(const char *text, const struct load_options *options, bool greet)
{
    struct load_address address = load_address_of(text);
    int listener = load_socket(&address, options);

    if (bind(listener, &address.addr.any, address.size) != 0 || listen(listener, 1024) != 0)
        load_fail("cannot listen on %s: %s", text, strerror(errno));
    say_where(listener);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue; /* patience has run out, or the connection was gone again */
        load_socket_options(fd, options);
        serve_one(fd, greet);
    }
}
