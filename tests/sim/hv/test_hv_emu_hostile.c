/* What the hypervisor does with domains that break the wire, and what a domain does with memory and
 * answers it cannot trust: dropped or answered, reported, nothing left over, others unharmed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/emu_machine.h"

#include "ringlib/err.h"
#include "sim/hv/emu_memory.h"
#include "sim/hv/emu_runtime.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { BACK = 0, LIAR = 1 };

static struct emu_machine machine;
static struct emu_message answer;

static int make(void **state)
{
    int error = 0;

    (void)state;
    emu_machine_start(&machine);
    assert_non_null(emu_machine_open(&machine, BACK, &error));
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    emu_machine_stop(&machine);
    return 0;
}

/* The other domain must not have noticed. */
static void check_back(void)
{
    struct ev ev;

    hv_share(machine.domains[BACK], 1, LIAR, 1);
    ev = emu_machine_expect(&machine, BACK, EV_SHARE, 1);
    assert_int_equal(ev.ret, 0);
    hv_unshare(machine.domains[BACK], 2, ev.share.handle);
    emu_machine_expect(&machine, BACK, EV_UNSHARE, 2);
    emu_machine_settle(&machine);
}

/* Send as LIAR: it must be dropped, with a report that has `reason` in it. */
static void expect_drop(const void *bytes, size_t length, const int *fds, uint32_t fd_count,
                        const char *reason)
{
    uint32_t fds_before = emu_count_fds(), reports = machine.reports;
    int fd = emu_machine_connect(&machine, LIAR);

    assert_true(emu_server_connected(machine.server, LIAR));
    assert_int_equal(emu_wire_send(fd, bytes, (uint32_t)length, fds, fd_count), 0);
    emu_machine_settle(&machine);
    assert_false(emu_server_connected(machine.server, LIAR));
    assert_int_equal(machine.reports, reports + 1);
    if (!strstr(machine.reason, reason))
        fail_msg("reported \"%s\", not \"%s\"", machine.reason, reason);
    close(fd);
    assert_int_equal(emu_count_fds(), fds_before);
    check_back();
}

/* Send as LIAR on an open connection and take the answer: its ret. */
static int32_t ask(int fd, const void *bytes, size_t length, const int *fds, uint32_t fd_count)
{
    assert_int_equal(emu_wire_send(fd, bytes, (uint32_t)length, fds, fd_count), 0);
    emu_machine_settle(&machine);
    assert_int_equal(emu_wire_receive(fd, &answer), 0);
    return answer.body.head.ret;
}

static int memory_fd(uint32_t bytes, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(fd, bytes), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

enum { PROPER = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

/* How many of `fds` to look at: those whose seals alone are wrong come last, and are looked at
 * where runs have seals (not with emu_memory_posix.c, which takes them). */
static uint32_t faulty(uint32_t count, uint32_t of_seals)
{
    struct emu_memory memory;
    int fd = emu_memory_create(1, &memory);
    int seals = fcntl(fd, F_GET_SEALS);

    assert_true(fd >= 0);
    emu_memory_unmap(&memory);
    close(fd);
    return seals == PROPER ? count : count - of_seals;
}

static void wrong_numbers_of_descriptors(void **state)
{
    struct emu_grant grant = {.head.kind = EMU_SHARE, .domid = BACK, .pages = 1};
    struct emu_port port = {.head.kind = EMU_PORT_ALLOC, .domid = BACK};
    int fds[EMU_FDS_MAX];

    (void)state;
    for (int i = 0; i < EMU_FDS_MAX; i++)
        fds[i] = memory_fd(4096, PROPER);
    expect_drop(&grant, sizeof(grant), fds, 0, "SHARE with 0 descriptors");
    expect_drop(&grant, sizeof(grant), fds, 2, "SHARE with 2 descriptors");
    expect_drop(&grant, sizeof(grant), fds, EMU_FDS_MAX, "SHARE with 253 descriptors");
    expect_drop(&port, sizeof(port), fds, 1, "PORT_ALLOC with 1 descriptors");
    expect_drop(&port, sizeof(port), fds, EMU_FDS_MAX, "PORT_ALLOC with 253 descriptors");
    expect_drop(&port, 3, fds, 2, "no request");
    for (int i = 0; i < EMU_FDS_MAX; i++)
        close(fds[i]);
}

static void memory_that_is_not_what_it_should_be(void **state)
{
    struct emu_grant grant = {.head.kind = EMU_SHARE, .domid = BACK, .pages = 2};
    char path[64];
    int plain = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[] = {
        plain,
        memory_fd(4096, PROPER),
        memory_fd(12288, PROPER),
        memory_fd(0, PROPER),
        memory_fd(8192, 0),
        memory_fd(8192, F_SEAL_SHRINK | F_SEAL_GROW),
        memory_fd(8192, F_SEAL_SHRINK | F_SEAL_SEAL),
        memory_fd(8192, F_SEAL_GROW | F_SEAL_SEAL),
        memory_fd(8192, PROPER | F_SEAL_WRITE),
        memory_fd(8192, PROPER | F_SEAL_FUTURE_WRITE),
    };
    const uint32_t count = sizeof(fds) / sizeof(fds[0]), looked_at = faulty(count, 6);
    int good = memory_fd(8192, PROPER), read_only;

    (void)state;
    for (uint32_t i = 0; i < looked_at; i++)
        expect_drop(&grant, sizeof(grant), &fds[i], 1, "not sealed or not of the size");
    for (uint32_t i = 0; i < count; i++)
        close(fds[i]);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", good);
    read_only = open(path, O_RDONLY | O_CLOEXEC);
    expect_drop(&grant, sizeof(grant), &read_only, 1, "not sealed or not of the size");
    close(read_only);
    close(good);
}

static void lengths_kinds_and_values_out_of_range(void **state)
{
    struct emu_grant grant = {.head.kind = EMU_SHARE, .domid = BACK, .pages = 0};
    struct emu_map map = {.head.kind = EMU_MAP, .domid = BACK, .count = 1};
    struct emu_publish publish = {.head.kind = EMU_STORE_PUBLISH, .count = 0};
    struct emu_path path = {.head.kind = EMU_STORE_READ};
    struct emu_head head = {.kind = EMU_HELLO};
    struct emu_cookie event = {.head.kind = EMU_STORE_EVENT};
    static char huge[sizeof(union emu_body) + 1];
    int fd = memory_fd(4096, PROPER);

    (void)state;
    expect_drop("", 1, NULL, 0, "no request");
    expect_drop(&head, sizeof(head), NULL, 0, "no request");
    expect_drop(&event, sizeof(event), NULL, 0, "no request");
    head.kind = EMU_KIND_COUNT;
    expect_drop(&head, sizeof(head), NULL, 0, "no request");
    head.kind = UINT32_MAX;
    expect_drop(&head, sizeof(head), NULL, 0, "no request");
    expect_drop(huge, sizeof(huge), NULL, 0, "no request");
    expect_drop(&grant, sizeof(grant) - 1, &fd, 1, "no request");
    expect_drop(&grant, sizeof(grant), &fd, 1, "out of range");
    grant.pages = HV_REFS_MAX + 1;
    expect_drop(&grant, sizeof(grant), &fd, 1, "out of range");
    grant = (struct emu_grant){.head.kind = EMU_SHARE, .domid = 65536, .pages = 1};
    expect_drop(&grant, sizeof(grant), &fd, 1, "out of range");
    expect_drop(&map, offsetof(struct emu_map, refs), NULL, 0, "no request");
    expect_drop(&map, sizeof(map), NULL, 0, "no request");
    map.count = 0;
    expect_drop(&map, offsetof(struct emu_map, refs), NULL, 0, "no request");
    map.count = 0x40000000; /* times 4 is 0 */
    expect_drop(&map, offsetof(struct emu_map, refs), NULL, 0, "no request");
    expect_drop(&publish, offsetof(struct emu_publish, nodes), NULL, 0, "no request");
    memset(path.path, 'x', sizeof(path.path));
    expect_drop(&path, sizeof(path), NULL, 0, "out of range");
    publish.count = 1;
    memset(&publish.nodes[0], '/', sizeof(publish.nodes[0]));
    expect_drop(&publish, offsetof(struct emu_publish, nodes[1]), NULL, 0, "out of range");
    close(fd);
}

static void handles_it_does_not_have(void **state)
{
    static const uint32_t kinds[] = {EMU_UNSHARE, EMU_UNMAP, EMU_PORT_CLOSE};
    static const uint32_t handles[] = {0, 8, UINT32_MAX};
    char reason[64];

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        for (int i = 0; i < 3; i++) {
            struct emu_handle message = {.head.kind = kinds[kind], .handle = handles[i]};

            snprintf(reason, sizeof(reason), "%s of a handle", emu_wire_name(kinds[kind]));
            expect_drop(&message, sizeof(message), NULL, 0, reason);
        }
    }
}

static void what_it_cannot_have_is_answered(void **state)
{
    struct emu_map map = {.head = {.kind = EMU_MAP, .id = 99}, .domid = BACK, .count = HV_REFS_MAX};
    struct emu_port bind = {.head.kind = EMU_PORT_BIND, .domid = BACK, .port = UINT32_MAX};
    struct emu_path path = {.head.kind = EMU_STORE_WATCH, .path = "//"};
    int fd = emu_machine_connect(&machine, LIAR);

    (void)state;
    assert_int_equal(ask(fd, &map, offsetof(struct emu_map, refs) + sizeof(map.refs), NULL, 0),
                     -ERR_INVAL);
    assert_int_equal(answer.body.head.id, 99);
    assert_int_equal(ask(fd, &bind, sizeof(bind), NULL, 0), -ERR_INVAL);
    assert_int_equal(ask(fd, &path, sizeof(path), NULL, 0), -ERR_INVAL);
    assert_true(emu_server_connected(machine.server, LIAR));
    close(fd);
}

static void a_domain_that_does_not_read_is_dropped(void **state)
{
    struct emu_path path = {.head.kind = EMU_STORE_READ, .path = "/local/domain/1/domid"};
    int fd = emu_machine_connect(&machine, LIAR);

    (void)state;
    for (int i = 0; i < 100000 && emu_server_connected(machine.server, LIAR); i++) {
        (void)emu_wire_send(fd, &path, sizeof(path), NULL, 0);
        if (i % 16 == 0)
            emu_machine_turn(&machine, 0);
    }
    assert_false(emu_server_connected(machine.server, LIAR));
    assert_string_equal(machine.reason, "does not read what it is sent");
    close(fd);
    check_back();
}

/* Its answers wait for it, and come when it reads though it asks for nothing more. */
static void a_domain_that_reads_late_gets_every_answer(void **state)
{
    struct emu_path path = {.head.kind = EMU_STORE_READ, .path = "/local/domain/1/domid"};
    int fd = emu_machine_connect(&machine, LIAR);

    (void)state;
    for (path.head.id = 0; path.head.id < 2000; path.head.id++) {
        assert_int_equal(emu_wire_send(fd, &path, sizeof(path), NULL, 0), 0);
        emu_machine_settle(&machine);
    }
    assert_true(machine.loop.want_writes > 0);
    for (uint64_t id = 0; id < 2000; id++) {
        assert_int_equal(emu_wire_receive(fd, &answer), 0);
        assert_int_equal(answer.body.head.id, id);
        emu_machine_settle(&machine);
    }
    close(fd);
}

/* No room for one more descriptor: the domain's share fails, and it stays. */
static void a_hypervisor_without_descriptors_says_so(void **state)
{
    struct emu_grant grant = {.head.kind = EMU_SHARE, .domid = BACK, .pages = 1};
    int fd = emu_machine_connect(&machine, LIAR), memory = memory_fd(4096, PROPER);
    struct rlimit before, none;
    int32_t ret;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)memory + 1; /* all below are taken */
    setrlimit(RLIMIT_NOFILE, &none);
    ret = ask(fd, &grant, sizeof(grant), &memory, 1);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(ret, -ERR_NFILE);
    assert_int_equal(ask(fd, &grant, sizeof(grant), &memory, 1), 0);
    close(memory);
    close(fd);
}

static void watch_events_do_not_reach_who_came_after(void **state)
{
    struct emu_path watch = {.head.kind = EMU_STORE_WATCH, .path = "/local/domain/1"};
    int fd = emu_machine_connect(&machine, LIAR);
    struct hv_node node = {"/local/domain/1/a", "1"}; /* which it may see */

    (void)state;
    assert_int_equal(ask(fd, &watch, sizeof(watch), NULL, 0), 0);
    close(fd);
    fd = emu_machine_connect(&machine, LIAR);
    hv_store_publish(machine.domains[BACK], 3, &node, 1);
    emu_machine_expect(&machine, BACK, EV_STORE_PUBLISH, 3);
    emu_machine_settle(&machine);
    assert_int_equal(emu_wire_receive(fd, &answer), -ERR_AGAIN);
    close(fd);
}

/* --- a domain before a hypervisor that says what it should not --- */

struct fake {
    char runtime[64];
    struct emu_runtime *directory;
    int listener;
    int peer; /* -1: none yet */
    struct emu_loop loop;
    struct hv *hv;
};

static void *say_hello(void *argument)
{
    struct emu_hello hello = {.head.kind = EMU_HELLO, .version = EMU_VERSION, .domid = LIAR};
    struct fake *fake = argument;
    struct pollfd ready = {.fd = fake->listener, .events = POLLIN};

    if (poll(&ready, 1, 5000) == 1)
        fake->peer = accept(fake->listener, NULL, NULL);
    (void)emu_wire_send(fake->peer, &hello, sizeof(hello), NULL, 0);
    return NULL;
}

static void fake_open(struct fake *fake)
{
    char error[256];
    pthread_t thread;
    int ret = 0;

    emu_machine_name(fake->runtime);
    emu_loop_init(&fake->loop);
    fake->peer = -1;
    fake->directory = emu_runtime_take(fake->runtime, error, sizeof(error));
    assert_non_null(fake->directory);
    fake->listener = emu_runtime_listen(fake->directory, LIAR, error, sizeof(error));
    assert_int_equal(pthread_create(&thread, NULL, say_hello, fake), 0);
    fake->hv = hv_emu_open(fake->runtime, LIAR, &fake->loop.hv, 5000, &ret);
    pthread_join(thread, NULL);
    assert_non_null(fake->hv);
}

static void fake_close(struct fake *fake)
{
    hv_close(fake->hv);
    close(fake->peer);
    close(fake->listener);
    emu_runtime_unlink(fake->directory, LIAR);
    emu_runtime_release(fake->directory);
}

/* Answer a map of one ref with `out` and these descriptors: the completion's ret, and whether the
 * hypervisor is given up. */
static int32_t answer_map(const struct emu_mapped *out, size_t length, const int *fds,
                          uint32_t fd_count, bool *lost)
{
    uint32_t before = emu_count_fds(), ref = 8;
    struct emu_mapped message = *out;
    struct fake fake;
    struct ev ev;

    fake_open(&fake);
    hv_map(fake.hv, 9, BACK, &ref, 1);
    assert_int_equal(emu_wire_receive(fake.peer, &answer), 0);
    message.head = answer.body.head;
    assert_int_equal(emu_wire_send(fake.peer, &message, (uint32_t)length, fds, fd_count), 0);
    hv_wait(fake.hv, UINT64_C(5000000000));
    assert_true(hv_next(fake.hv, &ev));
    assert_int_equal(ev.kind, EV_MAP);
    *lost = hv_emu_lost(fake.hv);
    if (!*lost) { /* it undid what the hypervisor believes to be mapped */
        assert_int_equal(emu_wire_receive(fake.peer, &answer), 0);
        assert_int_equal(answer.body.head.kind, EMU_UNMAP);
        assert_int_equal(answer.body.handle.handle, out->handle);
    }
    fake_close(&fake);
    assert_int_equal(emu_count_fds(), before);
    return ev.ret;
}

static void the_mapper_checks_the_memory_itself(void **state)
{
    const struct emu_mapped out = {.handle = 5, .count = 1, .pieces = {{0, 1, 1, 2}}};
    const size_t length = offsetof(struct emu_mapped, pieces[1]);
    int fds[] = {memory_fd(4096, PROPER), memory_fd(8192, 0),
                 memory_fd(8192, PROPER | F_SEAL_WRITE)};
    uint32_t looked_at = faulty(3, 2);
    bool lost;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        if (i >= looked_at) {
            close(fds[i]);
            continue;
        }
        assert_int_equal(answer_map(&out, length, &fds[i], 1, &lost), -ERR_INVAL);
        assert_false(lost);
        close(fds[i]);
    }
}

static void an_answer_no_hypervisor_would_give_is_its_end(void **state)
{
    static const struct emu_mapped bad[] = {
        {.count = 0},
        {.count = 1, .pieces = {{1, 0, 1, 2}}}, /* no such descriptor */
        {.count = 1, .pieces = {{0, 2, 1, 2}}}, /* behind the run */
        {.count = 1, .pieces = {{0, 0, 2, 2}}}, /* more than asked for */
        {.count = 1, .pieces = {{0, 0, 0, 2}}}, /* nothing */
        {.count = HV_REFS_MAX + 1, .pieces = {{0, 0, 1, 2}}},
    };
    int fds[2] = {memory_fd(8192, PROPER), memory_fd(8192, PROPER)};
    struct emu_mapped good = {.count = 1, .pieces = {{0, 0, 1, 2}}};
    bool lost;

    (void)state;
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t length =
            offsetof(struct emu_mapped, pieces) + bad[i].count * sizeof(struct emu_piece);

        length = length < sizeof(good) ? length : sizeof(good);
        assert_int_equal(answer_map(&bad[i], length, fds, 1, &lost), -ERR_NODEV);
        assert_true(lost);
    }
    assert_int_equal(answer_map(&good, sizeof(good), fds, 1, &lost), -ERR_NODEV);
    assert_true(lost);
    assert_int_equal(answer_map(&good, offsetof(struct emu_mapped, pieces[1]), fds, 2, &lost),
                     -ERR_NODEV);
    assert_true(lost);
    close(fds[0]);
    close(fds[1]);
}

/* --- whose runtime directory it is --- */

static void expect_refusal(const char *path, const char *reason)
{
    uint32_t before = emu_count_fds();
    char error[256] = "";

    assert_null(emu_runtime_take(path, error, sizeof(error)));
    if (!strstr(error, reason) || !strstr(error, path))
        fail_msg("refused with \"%s\", not \"%s\"", error, reason);
    assert_int_equal(emu_count_fds(), before);
}

static void a_directory_that_is_not_ours_is_refused(void **state)
{
    char path[64], link_path[64];
    struct emu_loop loop;
    int error = 0;

    (void)state;
    emu_machine_name(path);
    emu_machine_name(link_path);
    emu_loop_init(&loop);
    assert_null(hv_emu_open(path, LIAR, &loop.hv, 0, &error));
    assert_int_equal(error, -ERR_NOENT);
    assert_int_equal(mkdir(path, 0755), 0);
    expect_refusal(path, "closed to others");
    assert_null(hv_emu_open(path, LIAR, &loop.hv, 0, &error));
    assert_int_equal(error, -ERR_ACCES);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(symlink(path, link_path), 0);
    expect_refusal(link_path, "no directory");
    assert_null(hv_emu_open(link_path, LIAR, &loop.hv, 0, &error));
    assert_int_equal(error, -ERR_ACCES);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 4711, 4711), 0);
        expect_refusal(path, "belong to this user");
    }
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(rmdir(path), 0);
    expect_refusal("/proc/nowhere", "cannot create");
}

static void a_directory_in_use_is_refused_with_its_process(void **state)
{
    char pid[32];

    (void)state;
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    expect_refusal(machine.runtime, pid);
    check_back();
}

static void a_directory_that_was_there_stays(void **state)
{
    char path[64], error[256];
    struct emu_runtime *runtime;

    (void)state;
    emu_machine_name(path);
    assert_int_equal(mkdir(path, 0700), 0);
    runtime = emu_runtime_take(path, error, sizeof(error));
    assert_non_null(runtime);
    emu_runtime_release(runtime);
    assert_int_equal(rmdir(path), 0); /* is there, and empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make, unmake)
        T(wrong_numbers_of_descriptors),
        T(memory_that_is_not_what_it_should_be),
        T(lengths_kinds_and_values_out_of_range),
        T(handles_it_does_not_have),
        T(what_it_cannot_have_is_answered),
        T(a_domain_that_does_not_read_is_dropped),
        T(a_domain_that_reads_late_gets_every_answer),
        T(a_hypervisor_without_descriptors_says_so),
        T(watch_events_do_not_reach_who_came_after),
        cmocka_unit_test(the_mapper_checks_the_memory_itself),
        cmocka_unit_test(an_answer_no_hypervisor_would_give_is_its_end),
        cmocka_unit_test(a_directory_that_is_not_ours_is_refused),
        T(a_directory_in_use_is_refused_with_its_process),
        cmocka_unit_test(a_directory_that_was_there_stays),
#undef T
    };

    return !!cmocka_run_group_tests_name("hv_emu_hostile", tests, NULL, NULL);
}
