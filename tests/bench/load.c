/*
 * load [--nagle] [--congestion NAME] ADDRESS up|down|rtt|connect SIZE COUNT [LOOK]   the client
 * load [--nagle] [--congestion NAME] serve|greet ADDRESS                             its servers
 * load congestion     prints cubic if it can be had, else what the system has
 * load ports N        prints N ports of loopback that nobody has
 * load line CPU CPU   the round trip of a cache line between two CPUs that spin, in ns
 *
 * See load.h. `greet` serves connect, `serve` the others.
 */
#define _GNU_SOURCE 1
#include "tests/bench/load.h"
#include "tests/bench/load_socket.h"

#include "ringlib/shared.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the client ---- */

static char buffer[LOAD_SIZE_MAX];

static int dial(const struct load_address *address, const struct load_options *options)
{
    int fd = load_socket(address, options);

    if (connect(fd, &address->addr.any, address->size) != 0)
        load_fail("connect: %s", strerror(errno));
    return fd;
}

static void must(bool good, const char *what)
{
    if (!good)
        load_fail("%s: %s", what, errno != 0 ? strerror(errno) : "end of stream");
}

static void expect_byte(int fd, char wanted)
{
    char byte = 0;

    errno = 0;
    must(load_read(fd, &byte, 1), "waiting for the server's byte");
    if (byte != wanted)
        load_fail("the server said %d instead of %d", byte, wanted);
}

static void expect_end(int fd)
{
    errno = 0;
    if (recv(fd, buffer, 1, 0) != 0)
        load_fail("instead of the end of the stream: %s", errno ? strerror(errno) : "a byte");
}

static void send_up(int fd, const struct load_plan *plan)
{
    for (uint64_t i = 0; i < plan->count; i++)
        must(load_write(fd, buffer, plan->size), "sending");
    expect_byte(fd, LOAD_ALL_ARRIVED);
}

static void take_down(int fd, const struct load_plan *plan)
{
    uint64_t left = load_bytes(plan);

    while (left > 0) {
        errno = 0;
        ssize_t got = recv(fd, buffer, left < LOAD_READ_BYTES ? left : LOAD_READ_BYTES, 0);
        must(got > 0, "receiving");
        left -= (uint64_t)got;
    }
}

static void ask(int fd, struct load_plan *plan, struct load_times *times)
{
    for (uint64_t i = 0; i < plan->count; i++) {
        uint64_t began_ns = load_now_ns();
        errno = 0;
        must(load_write(fd, buffer, plan->size), "asking");
        must(load_read(fd, buffer, plan->size), "waiting for an answer");
        load_times_add(times, load_now_ns() - began_ns);
        load_look(plan);
    }
}

static void visit(const struct load_address *address, const struct load_options *options)
{
    int fd = dial(address, options);

    expect_byte(fd, LOAD_GREETING);
    expect_end(fd);
    close(fd);
}

/* What it took, in ns. */
static uint64_t converse(int fd, struct load_plan *plan, struct load_times *times)
{
    struct load_header header = load_header_of(plan);
    uint64_t began_ns = load_now_ns(); /* before the server can begin to send */

    must(load_write(fd, &header, sizeof(header)), "sending the header");
    if (plan->what == LOAD_UP)
        send_up(fd, plan);
    else if (plan->what == LOAD_DOWN)
        take_down(fd, plan);
    else
        ask(fd, plan, times);
    uint64_t took_ns = load_now_ns() - began_ns;
    expect_end(fd);
    return took_ns;
}

static void run_client(const char *text, struct load_plan plan, const struct load_options *options)
{
    struct load_address address = load_address_of(text);
    struct load_times times;
    uint64_t took_ns;

    alarm(LOAD_LIFE_S);
    load_times_init(&times, &plan);
    if (plan.what == LOAD_CONNECT) {
        uint64_t began_ns = load_now_ns();
        for (uint64_t i = 0; i < plan.count; i++)
            visit(&address, options);
        took_ns = load_now_ns() - began_ns;
    } else {
        int fd = dial(&address, options);
        took_ns = converse(fd, &plan, &times);
        close(fd);
    }
    load_report(took_ns, &times);
    load_times_fini(&times);
}

/* ---- what the script asks ---- */

static void print_congestion(void)
{
    char name[16] = "cubic"; /* TCP_CA_NAME_MAX */
    socklen_t size = sizeof(name) - 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, 5) != 0 &&
        getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0)
        load_fail("TCP_CONGESTION: %s", strerror(errno));
    close(fd);
    puts(name);
}

/* Below those that the system gives to connections, of which there will be many. They stay bound
 * until all are found. */
static void print_ports(unsigned long count)
{
    enum { FIRST = 10240, COUNT = 21760, STEP = 7919 }; /* the step is prime to the count */
    struct load_options none = {.nagle = true};
    unsigned long at = (unsigned long)getpid() * 31;

    for (unsigned tries = 0; count > 0; tries++, at += STEP) {
        char text[8];
        if (tries == COUNT)
            load_fail("no port is free");
        snprintf(text, sizeof(text), "%lu", FIRST + at % COUNT);
        struct load_address address = load_address_of(text);
        int fd = load_socket(&address, &none);
        if (bind(fd, &address.addr.any, address.size) != 0) {
            close(fd);
            continue;
        }
        printf("%s ", text);
        count--;
    }
    putchar('\n');
}

enum { PING = 0, PONG = 1024, LINE_ROUNDS = 64, LINE_BATCHES = 512, LINE_NS = 10000000 };
#define LINE_STOP UINT32_MAX

static _Alignas(SHARED_PAGE_BYTES) unsigned char line_memory[SHARED_PAGE_BYTES];
static const struct shared_area line = {(struct shared_memory *)(void *)line_memory, 1};

static void pin(const char *cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(strtoul(cpu, NULL, 10), &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        load_fail("CPU %s: %s", cpu, strerror(errno));
}

static void *echo_line(void *cpu)
{
    uint32_t seen = 0, now = 0;

    pin(cpu);
    while (seen != LINE_STOP) {
        while ((now = shared_load(&line, PING)) == seen)
            ;
        seen = now;
        shared_store(&line, PONG, seen);
    }
    return NULL;
}

static void line_trip(uint32_t value)
{
    shared_store(&line, PING, value);
    while (shared_load(&line, PONG) != value)
        ;
}

/* The median of batches over 10 ms: how far apart the two are at this moment. */
static void print_line(const char *cpu, char *other)
{
    struct load_plan plan = {.what = LOAD_RTT, .count = LINE_BATCHES};
    struct load_times times;
    pthread_t thread;
    uint32_t value = 0;

    alarm(LOAD_PATIENCE_S);
    load_times_init(&times, &plan);
    pin(cpu);
    if (pthread_create(&thread, NULL, echo_line, other) != 0)
        load_fail("no second thread");
    line_trip(++value);
    for (uint64_t began_ns = load_now_ns();
         times.count < LINE_BATCHES && load_now_ns() - began_ns < LINE_NS;) {
        uint64_t from_ns = load_now_ns();
        for (unsigned i = 0; i < LINE_ROUNDS; i++)
            line_trip(++value);
        load_times_add(&times, (load_now_ns() - from_ns) / LINE_ROUNDS);
    }
    line_trip(LINE_STOP);
    pthread_join(thread, NULL);
    load_report(0, &times);
    load_times_fini(&times);
}

static int usage(const char *name)
{
    fprintf(
        stderr,
        "usage: %s [--nagle] [--congestion NAME] ADDRESS up|down|rtt|connect SIZE COUNT [LOOK]\n"
        "       %s [--nagle] [--congestion NAME] serve|greet ADDRESS\n"
        "       %s congestion | ports N | line CPU CPU\n",
        name, name, name);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"nagle", no_argument, NULL, 'n'},
                                            {"congestion", required_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    struct load_options load = {.nagle = false};
    int option;

    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        load.nagle |= option == 'n';
        load.congestion = option == 'c' ? optarg : load.congestion;
        if (option == '?')
            return usage(argv[0]);
    }
    const char *word = optind < argc ? argv[optind] : "";
    int words = argc - optind;
    if (words == 1 && strcmp(word, "congestion") == 0)
        print_congestion();
    else if (words == 2 && strcmp(word, "ports") == 0)
        print_ports(strtoul(argv[optind + 1], NULL, 10));
    else if (words == 3 && strcmp(word, "line") == 0)
        print_line(argv[optind + 1], argv[optind + 2]);
    else if (words == 2 && (strcmp(word, "serve") == 0 || strcmp(word, "greet") == 0))
        load_serve(argv[optind + 1], &load, word[0] == 'g');
    else if (words >= 4)
        run_client(word, load_plan_of(words - 1, argv + optind + 1), &load);
    else
        return usage(argv[0]);
    return 0;
}
