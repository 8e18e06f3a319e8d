/* Hypervisor and domains of hv_emu in one process. See emu_machine.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/emu_machine.h"

#include "sim/hv/emu_runtime.h"
#include "sim/hv/emu_wire.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 5000 };

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint32_t emu_count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    uint32_t count = 0;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static struct emu_loop *loop_of(struct hv_loop *loop)
{
    return (struct emu_loop *)(void *)loop;
}

static struct pollfd *find(struct emu_loop *loop, int fd)
{
    for (uint32_t i = 0; i < loop->count; i++) {
        if (loop->fds[i].fd == fd)
            return &loop->fds[i];
    }
    fail_msg("fd %d is not in the loop", fd);
    return NULL;
}

static int fd_add(struct hv_loop *hv_loop, int fd)
{
    struct emu_loop *loop = loop_of(hv_loop);

    assert_true(loop->count < EMU_LOOP_FDS);
    loop->fds[loop->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return 0;
}

static void fd_del(struct hv_loop *hv_loop, int fd)
{
    struct emu_loop *loop = loop_of(hv_loop);
    struct pollfd *found = find(loop, fd);

    *found = loop->fds[--loop->count];
}

static void fd_want(struct hv_loop *hv_loop, int fd, bool reads, bool writes)
{
    struct emu_loop *loop = loop_of(hv_loop);

    loop->want_writes += writes;
    find(loop, fd)->events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

void emu_loop_init(struct emu_loop *loop)
{
    *loop = (struct emu_loop){.hv = {fd_add, fd_del, fd_want}};
}

/* The descriptors of a loop that are ready now; the set may change while they are served. */
static uint32_t ready_fds(struct emu_loop *loop, int ready[EMU_LOOP_FDS])
{
    uint32_t count = 0;

    if (loop->count == 0 || poll(loop->fds, loop->count, 0) <= 0)
        return 0;
    for (uint32_t i = 0; i < loop->count; i++) {
        if (loop->fds[i].revents != 0)
            ready[count++] = loop->fds[i].fd;
    }
    return count;
}

static bool turn_once(struct emu_machine *machine)
{
    int ready[EMU_LOOP_FDS];
    uint32_t count = machine->server ? ready_fds(&machine->loop, ready) : 0;
    bool any = count > 0;

    for (uint32_t i = 0; i < count; i++)
        emu_server_ready(machine->server, ready[i]);
    for (uint32_t d = 0; d < EMU_MACHINE_DOMAINS; d++) {
        count = machine->domains[d] ? ready_fds(&machine->loops[d], ready) : 0;
        any = any || count > 0;
        for (uint32_t i = 0; i < count; i++)
            hv_emu_ready(machine->domains[d], ready[i]);
    }
    return any;
}

void emu_machine_turn(struct emu_machine *machine, int timeout_ms)
{
    static struct pollfd all[(EMU_MACHINE_DOMAINS + 1) * EMU_LOOP_FDS];
    uint32_t count = 0;

    memcpy(all, machine->loop.fds, machine->loop.count * sizeof(all[0]));
    count = machine->loop.count;
    for (uint32_t d = 0; d < EMU_MACHINE_DOMAINS; d++) {
        if (!machine->domains[d])
            continue; /* a thread may be opening it */
        memcpy(all + count, machine->loops[d].fds, machine->loops[d].count * sizeof(all[0]));
        count += machine->loops[d].count;
    }
    poll(all, count, timeout_ms);
    turn_once(machine);
}

void emu_machine_settle(struct emu_machine *machine)
{
    uint64_t deadline_ms = clock_ms() + PATIENCE_MS;

    while (turn_once(machine))
        assert_true(clock_ms() < deadline_ms);
}

struct ev emu_machine_await(struct emu_machine *machine, uint16_t domid)
{
    uint64_t deadline_ms = clock_ms() + PATIENCE_MS;
    struct ev ev;

    while (!hv_next(machine->domains[domid], &ev)) {
        assert_true(clock_ms() < deadline_ms);
        emu_machine_turn(machine, 100);
    }
    return ev;
}

struct ev emu_machine_expect(struct emu_machine *machine, uint16_t domid, enum ev_kind kind,
                             uint64_t token)
{
    struct ev ev = emu_machine_await(machine, domid);

    assert_int_equal(ev.kind, kind);
    assert_int_equal(ev.token, token);
    return ev;
}

void emu_machine_silent(struct emu_machine *machine, uint16_t domid)
{
    struct ev ev;

    emu_machine_settle(machine);
    assert_false(hv_next(machine->domains[domid], &ev));
}

void emu_machine_name(char name[static 64])
{
    static uint32_t number;

    snprintf(name, 64, "/tmp/xensock-test-%ld-%u", (long)getpid(), number++);
}

static void report(void *self, uint16_t domid, const char *reason)
{
    struct emu_machine *machine = self;

    (void)domid;
    machine->reports++;
    snprintf(machine->reason, sizeof(machine->reason), "%s", reason);
}

void emu_machine_start(struct emu_machine *machine)
{
    struct emu_server_config config = {.loop = &machine->loop.hv, .self = machine};
    char error[256] = "";

    *machine = (struct emu_machine){.fds_before = emu_count_fds()};
    emu_machine_name(machine->runtime);
    emu_loop_init(&machine->loop);
    for (uint32_t d = 0; d < EMU_MACHINE_DOMAINS; d++)
        emu_loop_init(&machine->loops[d]);
    config.runtime = machine->runtime;
    config.report = report;
    machine->server = emu_server_create(&config, error, sizeof(error));
    assert_string_equal(error, "");
    for (int d = 0; d < EMU_MACHINE_DOMAINS; d++)
        assert_int_equal(emu_server_domain(machine->server, (uint16_t)d, error, sizeof(error)), 0);
}

void emu_machine_stop(struct emu_machine *machine)
{
    for (uint32_t d = 0; d < EMU_MACHINE_DOMAINS; d++) {
        if (machine->domains[d])
            hv_close(machine->domains[d]);
        machine->domains[d] = NULL;
        assert_int_equal(machine->loops[d].count, 0);
    }
    if (machine->server) {
        emu_machine_settle(machine);
        emu_server_destroy(machine->server);
    }
    assert_int_equal(machine->loop.count, 0);
    assert_int_equal(emu_count_fds(), machine->fds_before);
    assert_int_not_equal(access(machine->runtime, F_OK), 0);
}

struct opening {
    struct emu_machine *machine;
    uint16_t domid;
    struct hv *hv;
    int *error;
    int done[2]; /* a pipe, closed at its writing end when the thread is through */
};

static void *open_domain(void *argument)
{
    struct opening *opening = argument;

    opening->hv = hv_emu_open(opening->machine->runtime, opening->domid,
                              &opening->machine->loops[opening->domid].hv, 1000, opening->error);
    close(opening->done[1]);
    return NULL;
}

struct hv *emu_machine_open(struct emu_machine *machine, uint16_t domid, int *error)
{
    struct opening opening = {.machine = machine, .domid = domid, .error = error};
    struct pollfd done;
    pthread_t thread;

    assert_int_equal(pipe(opening.done), 0);
    done = (struct pollfd){.fd = opening.done[0], .events = POLLIN};
    assert_int_equal(pthread_create(&thread, NULL, open_domain, &opening), 0);
    while (poll(&done, 1, 1) == 0)
        emu_machine_turn(machine, 1);
    pthread_join(thread, NULL);
    close(opening.done[0]);
    if (opening.hv)
        machine->domains[domid] = opening.hv;
    return opening.hv;
}

int emu_machine_connect(struct emu_machine *machine, uint16_t domid)
{
    struct sockaddr_un address;
    static struct emu_message message;
    int fd = emu_wire_socket();

    assert_true(emu_runtime_address(machine->runtime, domid, &address));
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    emu_machine_settle(machine);
    assert_int_equal(emu_wire_receive(fd, &message), 0);
    assert_int_equal(message.body.head.kind, EMU_HELLO);
    assert_int_equal(message.body.head.ret, 0);
    return fd;
}
