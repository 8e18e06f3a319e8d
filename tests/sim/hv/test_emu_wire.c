/* Control connections: messages stay whole and in order, and descriptors stay with theirs, however
 * the connection cuts them. What only streams do is left out where packets go whole. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/emu_queue.h"

#include "ringlib/err.h"
#include "tests/support/emu_machine.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];
static struct emu_message in;

static int kind_of_socket(void)
{
    int fd = emu_wire_socket(), type = 0;
    socklen_t bytes = sizeof(type);

    assert_true(fd >= 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes), 0);
    close(fd);
    return type;
}

static int make(void **state)
{
    (void)state;
    memset(&in, 0, sizeof(in));
    assert_int_equal(socketpair(AF_UNIX, kind_of_socket(), 0, ends), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fcntl(ends[i], F_SETFL, O_NONBLOCK), 0);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    emu_wire_dismiss(&in);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void need_stream(void)
{
    if (kind_of_socket() != SOCK_STREAM)
        skip();
}

/* A file that tells its number by its size. */
static int numbered_file(uint32_t number)
{
    char name[] = "/tmp/xensock-wire-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(ftruncate(fd, (off_t)number), 0);
    return fd;
}

static void expect_file(uint32_t index, uint32_t number)
{
    struct stat st;

    assert_int_equal(fstat(in.fds[index], &st), 0);
    assert_int_equal(st.st_size, number);
    assert_true((fcntl(in.fds[index], F_GETFD) & FD_CLOEXEC) != 0);
}

static void a_socket_waits_for_nothing_and_does_not_survive_exec(void **state)
{
    int fd = emu_wire_socket();

    (void)state;
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
}

static void messages_keep_their_bounds_and_their_descriptors(void **state)
{
    struct emu_head head = {.kind = EMU_SHARE};
    int fds[2] = {numbered_file(101), numbered_file(102)};

    (void)state;
    assert_int_equal(emu_wire_send(ends[0], &head, sizeof(head), NULL, 0), 0);
    assert_int_equal(emu_wire_send(ends[0], &head, sizeof(head) - 3, fds, 2), 0);
    assert_int_equal(emu_wire_send(ends[0], &head, sizeof(head), &fds[1], 1), 0);
    assert_int_equal(emu_wire_receive(ends[1], &in), 0);
    assert_int_equal(in.length, sizeof(head));
    assert_int_equal(in.fd_count, 0);
    assert_int_equal(emu_wire_receive(ends[1], &in), 0);
    assert_int_equal(in.length, sizeof(head) - 3);
    assert_int_equal(in.fd_count, 2);
    expect_file(0, 101);
    expect_file(1, 102);
    emu_wire_dismiss(&in);
    assert_int_equal(emu_wire_receive(ends[1], &in), 0);
    assert_int_equal(in.fd_count, 1);
    expect_file(0, 102);
    emu_wire_dismiss(&in);
    assert_int_equal(emu_wire_receive(ends[1], &in), -ERR_AGAIN);
    close(fds[0]);
    close(fds[1]);
}

static void the_end_is_no_signal(void **state)
{
    struct emu_head head = {.kind = EMU_SHARE};

    (void)state;
    assert_int_equal(emu_wire_send(ends[0], &head, sizeof(head), NULL, 0), 0);
    close(ends[0]);
    assert_int_equal(emu_wire_receive(ends[1], &in), 0);
    assert_int_equal(emu_wire_receive(ends[1], &in), -ERR_PIPE);
    assert_int_equal(emu_wire_send(ends[1], &head, sizeof(head), NULL, 0), -ERR_PIPE);
    ends[0] = dup(ends[1]);
}

static void longer_than_any_message(void **state)
{
    static char huge[sizeof(union emu_body) + 1];

    (void)state;
    assert_int_equal(emu_wire_send(ends[0], huge, sizeof(huge), NULL, 0), 0);
    assert_int_equal(emu_wire_receive(ends[1], &in), 0);
    assert_int_equal(in.length, UINT32_MAX);
}

enum { BURST = 400, LARGE = 20000, TURNS_MAX = 100000 };

/* What message `i` of the burst has. */
static uint32_t length_of(uint32_t i)
{
    return 16 + i * 7919 % LARGE;
}

static uint32_t files_of(uint32_t i)
{
    return i % 3;
}

/* Take what has come; how many messages so far. */
static uint32_t take_burst(uint32_t taken)
{
    int ret;

    while ((ret = emu_wire_receive(ends[1], &in)) == 0) {
        const unsigned char *bytes = (const unsigned char *)&in.body;

        assert_int_equal(in.length, length_of(taken));
        assert_int_equal(in.fd_count, files_of(taken));
        for (uint32_t b = 0; b < in.length; b++)
            assert_int_equal(bytes[b], (unsigned char)(taken + b));
        for (uint32_t f = 0; f < in.fd_count; f++)
            expect_file(f, 1000 + taken * 2 + f);
        emu_wire_dismiss(&in);
        taken++;
    }
    assert_int_equal(ret, -ERR_AGAIN);
    return taken;
}

/* Far more than the socket holds, through the queue, each with files of its own. So small a buffer
 * takes no message whole where it may take a part. */
static void a_burst_is_cut_and_comes_whole(void **state)
{
    static unsigned char bytes[LARGE + 16];
    struct emu_queue queue = {.socket = ends[0]};
    uint32_t taken = 0;
    int least = 1;

    (void)state;
    if (kind_of_socket() == SOCK_STREAM)
        assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
    for (uint32_t i = 0; i < BURST; i++) {
        struct emu_file *files[2];

        for (uint32_t b = 0; b < length_of(i); b++)
            bytes[b] = (unsigned char)(i + b);
        for (uint32_t f = 0; f < files_of(i); f++)
            files[f] = emu_file_new(numbered_file(1000 + i * 2 + f));
        assert_int_equal(emu_queue_send(&queue, bytes, length_of(i), files, files_of(i)), 0);
        for (uint32_t f = 0; f < files_of(i); f++)
            emu_file_drop(files[f]);
    }
    assert_true(emu_queue_waits(&queue));
    for (uint32_t turns = 0; emu_queue_waits(&queue); turns++) {
        assert_true(turns < TURNS_MAX);
        taken = take_burst(taken);
        assert_int_equal(emu_queue_flush(&queue), 0);
    }
    assert_int_equal(take_burst(taken), BURST);
}

/* `bytes` of a stream with a file beside them. */
static void dribble(const void *bytes, size_t length, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.align = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec iov = {(void *)(uintptr_t)bytes, length};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
        header.msg_control = &control;
        header.msg_controllen = sizeof(control.bytes);
    }
    assert_int_equal(sendmsg(ends[0], &header, 0), (ssize_t)length);
}

static void a_message_may_come_byte_by_byte(void **state)
{
    struct emu_head head = {.kind = EMU_MAP, .ret = 5, .id = 77};
    unsigned char frame[8 + sizeof(head)];
    uint32_t start[2] = {sizeof(head), 1};
    int fd = numbered_file(55);

    (void)state;
    need_stream();
    memcpy(frame, start, sizeof(start));
    memcpy(frame + 8, &head, sizeof(head));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(frame); i++) {
            assert_int_equal(emu_wire_receive(ends[1], &in), -ERR_AGAIN);
            dribble(&frame[i], 1, i == 0 ? fd : -1);
        }
        assert_int_equal(emu_wire_receive(ends[1], &in), 0);
        assert_int_equal(in.length, sizeof(head));
        assert_memory_equal(&in.body, &head, sizeof(head));
        assert_int_equal(in.fd_count, 1);
        expect_file(0, 55);
        emu_wire_dismiss(&in);
    }
    close(fd);
}

/* A liar's: a file at each byte of a frame, more of them than a message may have. */
static void files_without_end_are_bounded_and_closed(void **state)
{
    unsigned char frame[8 + 600] = {0};
    uint32_t start[2] = {600, 600};
    int fd = numbered_file(1);
    uint32_t before = emu_count_fds();

    (void)state;
    need_stream();
    memcpy(frame, start, sizeof(start));
    for (size_t i = 0; i < sizeof(frame); i++) {
        dribble(&frame[i], 1, fd);
        assert_int_equal(emu_wire_receive(ends[1], &in), i + 1 < sizeof(frame) ? -ERR_AGAIN : 0);
    }
    assert_int_equal(in.fd_count, EMU_FDS_MAX);
    assert_true(in.fds_lost);
    emu_wire_dismiss(&in);
    assert_int_equal(emu_count_fds(), before);
    close(fd);
}

static void half_a_message_is_none(void **state)
{
    uint32_t start[2] = {100, 1};
    int fd = numbered_file(1);
    uint32_t before = emu_count_fds();

    (void)state;
    need_stream();
    dribble(start, sizeof(start), fd);
    assert_int_equal(emu_wire_receive(ends[1], &in), -ERR_AGAIN);
    assert_int_equal(in.fd_count, 1);
    close(ends[0]);
    assert_int_equal(emu_wire_receive(ends[1], &in), -ERR_PIPE);
    assert_int_equal(in.fd_count, 0);
    ends[0] = dup(ends[1]);
    assert_int_equal(emu_count_fds(), before);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make, unmake)
        T(a_socket_waits_for_nothing_and_does_not_survive_exec),
        T(messages_keep_their_bounds_and_their_descriptors),
        T(the_end_is_no_signal),
        T(longer_than_any_message),
        T(a_burst_is_cut_and_comes_whole),
        T(a_message_may_come_byte_by_byte),
        T(files_without_end_are_bounded_and_closed),
        T(half_a_message_is_none),
#undef T
    };

    return !!cmocka_run_group_tests_name("emu_wire", tests, NULL, NULL);
}
