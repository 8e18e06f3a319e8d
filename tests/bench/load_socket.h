/* Sockets of the load, as every arm of the comparison has them: TCP or AF_UNIX, TCP_NODELAY unless
 * told otherwise, one congestion control, nobody waiting for ever. Shared by load.c and
 * load_serve.c. */
#ifndef XENSOCK_TESTS_BENCH_LOAD_SOCKET_H
#define XENSOCK_TESTS_BENCH_LOAD_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct load_options {
    bool nagle;
    const char *congestion; /* NULL: the system's */
};

/* A port of 127.0.0.1, or a path, which has a slash. */
struct load_address {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
    } addr;
    socklen_t size;
};

/* Exits with 2 if it is neither. */
struct load_address load_address_of(const char *text);

/* A new socket with the options set. */
int load_socket(const struct load_address *address, const struct load_options *options);

/* Sets the options of a TCP socket, and reads them back; one of AF_UNIX has none. */
void load_socket_options(int fd, const struct load_options *options);

/* All of it: true; false at an error, after LOAD_PATIENCE_S, or at the end. */
bool load_write(int fd, const void *from, size_t size);
bool load_read(int fd, void *to, size_t size);

/* Serve until killed; the address, whose port may be 0, is printed when it listens. `greet`: say a
 * byte and close, else what a header asks for. */
void load_serve(const char *text, const struct load_options *options, bool greet);

#endif
