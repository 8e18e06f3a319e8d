/*
 * The load of `tools/bench stream rtt connect`: what is done, how it is told and how it is timed.
 * Shared by its client and servers over sockets (load.c, load_serve.c) and by its client as a guest
 * (load_guest.c), so that every arm does and times the same.
 *
 * Every amount is told to the server before the first byte, in a header: it then knows when all has
 * arrived, and says so. What the bytes are is not looked at, how many they are is.
 */
#ifndef XENSOCK_TESTS_BENCH_LOAD_H
#define XENSOCK_TESTS_BENCH_LOAD_H

#include <stdint.h>
#include <stdnoreturn.h>

enum load_what {
    LOAD_UP,      /* the client sends `count` writes of `size`; the server answers one byte */
    LOAD_DOWN,    /* the server sends them and closes */
    LOAD_RTT,     /* `count` times the client sends `size` bytes and waits for as many */
    LOAD_CONNECT, /* `count` times: connect, read the server's byte and its end, close */
};

enum {
    LOAD_READ_BYTES = 65536, /* of every read that is not of a message */
    LOAD_SIZE_MAX = 65536,
    LOAD_PATIENCE_S = 10, /* how long anybody waits for a byte */
    LOAD_LIFE_S = 60,     /* how long a client lives */
};

#define LOAD_ALL_ARRIVED 'k'
#define LOAD_GREETING 'g'

struct load_plan {
    enum load_what what;
    uint32_t size;
    uint64_t count;
    const char *look; /* a shell's command, run once while the connection is open; or NULL */
};

/* What opens a connection but for LOAD_CONNECT. Both ends are on one machine: no byte order. */
struct load_header {
    uint32_t magic;
    uint32_t what;
    uint32_t size;
    uint32_t reserved;
    uint64_t count;
};

#define LOAD_MAGIC 0x64616f6cu

/* Print a line to stderr and exit with 1. */
noreturn void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From "WHAT SIZE COUNT [LOOK]", the whole of argv; exits with 2 if they are wrong. */
struct load_plan load_plan_of(int argc, char **argv);

struct load_header load_header_of(const struct load_plan *plan);

/* All bytes of one direction. */
uint64_t load_bytes(const struct load_plan *plan);

uint64_t load_now_ns(void);

/* The time of each round trip of a plan, room for all of them; load_times_fini frees it. */
struct load_times {
    uint32_t *ns;
    uint64_t count;
};
void load_times_init(struct load_times *times, const struct load_plan *plan);
void load_times_add(struct load_times *times, uint64_t ns);
void load_times_fini(struct load_times *times);

/* Run the plan's `look`, once. */
void load_look(struct load_plan *plan);

/* The outcome on stdout: what all took, median and 99th percentile of the round trips (0 without),
 * in ns. */
void load_report(uint64_t took_ns, struct load_times *times);

#endif
