/* Event channels between processes: what a notification is made of. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/emu_channel.h"
#include "sim/hv/emu_wire.h"

#include "ringlib/err.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static struct emu_channel_end ends[2];

static int make(void **state)
{
    (void)state;
    assert_int_equal(emu_channel_create(ends), 0);
    return 0;
}

static void drop(struct emu_file **file)
{
    if (*file)
        emu_file_drop(*file);
    *file = NULL;
}

static int unmake(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        drop(&ends[i].receive);
        drop(&ends[i].send);
    }
    return 0;
}

static void nothing_waits_and_nothing_survives_exec(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true((fcntl(ends[i].receive->fd, F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl(ends[i].send->fd, F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl(ends[i].receive->fd, F_GETFD) & FD_CLOEXEC) != 0);
        assert_true((fcntl(ends[i].send->fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
}

static void a_signal_reaches_the_other_side_alone(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        emu_channel_signal(ends[i].send->fd);
        assert_int_equal(emu_channel_drain(ends[i].receive->fd), 0);
        assert_int_equal(emu_channel_drain(ends[1 - i].receive->fd), 1);
        assert_int_equal(emu_channel_drain(ends[1 - i].receive->fd), 0);
    }
}

/* More than any pipe holds: it neither waits nor fails, and few drains take it. */
static void signals_without_a_reader_coalesce(void **state)
{
    uint32_t drains = 0;

    (void)state;
    for (uint32_t i = 0; i < 200000; i++)
        emu_channel_signal(ends[0].send->fd);
    while (emu_channel_drain(ends[1].receive->fd) > 0)
        drains++;
    assert_in_range(drains, 1, 256);
    emu_channel_signal(ends[0].send->fd);
    assert_int_equal(emu_channel_drain(ends[1].receive->fd), 1);
}

static void few_signals_are_one(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4096; i++)
        emu_channel_signal(ends[0].send->fd);
    assert_int_equal(emu_channel_drain(ends[1].receive->fd), 1);
    assert_int_equal(emu_channel_drain(ends[1].receive->fd), 0);
}

/* As after the death of the hypervisor, which holds all ends, and of one side. */
static void a_side_that_is_gone_is_no_signal(void **state)
{
    int ret;

    (void)state;
    close(emu_wire_socket()); /* as every process with a channel has called before */
    drop(&ends[0].receive);
    drop(&ends[0].send);
    emu_channel_signal(ends[1].send->fd);
    ret = emu_channel_drain(ends[1].receive->fd);
    assert_true(ret == 0 || ret == -ERR_PIPE);
}

/* Where the ends are apart, a side has no descriptor by which to fill what the other notifies. */
static void a_side_of_pipes_cannot_write_where_it_reads(void **state)
{
    (void)state;
    if (ends[0].receive == ends[1].send)
        skip();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fcntl(ends[i].receive->fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        assert_int_equal(fcntl(ends[i].send->fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make, unmake)
        T(nothing_waits_and_nothing_survives_exec), T(a_signal_reaches_the_other_side_alone),
        T(signals_without_a_reader_coalesce),       T(few_signals_are_one),
        T(a_side_that_is_gone_is_no_signal),        T(a_side_of_pipes_cannot_write_where_it_reads),
#undef T
    };

    return !!cmocka_run_group_tests_name("emu_channel", tests, NULL, NULL);
}
