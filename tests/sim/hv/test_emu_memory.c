/* Runs of memory between processes: zeroed, nameless, what is refused, and order. (What seals are
 * for is in test_hv_emu_hostile.) */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/emu_memory.h"

#include "ringlib/err.h"
#include "tests/support/emu_machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* Our objects that have a name now: none, at any time a test can look. */
static uint32_t named_objects(void)
{
    DIR *directory = opendir("/dev/shm");
    struct dirent *entry;
    uint32_t count = 0;

    while (directory && (entry = readdir(directory)))
        count += strncmp(entry->d_name, "xensock-", 8) == 0;
    if (directory)
        closedir(directory);
    return count;
}

static void a_run_is_zero_nameless_and_what_it_should_be(void **state)
{
    struct emu_memory memory;
    uint32_t before = emu_count_fds(), named = named_objects();
    int fd = emu_memory_create(3, &memory);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(emu_count_fds(), before + 1);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true(named_objects() <= named);
    assert_int_equal(memory.area.pages, 3);
    for (uint32_t offset = 0; offset < 3 * SHARED_PAGE_BYTES; offset += 4)
        assert_int_equal(shared_load(&memory.area, offset), 0);
    assert_int_equal(emu_memory_check(fd, 3), 0);
    assert_int_equal(emu_memory_check(fd, 2), -ERR_INVAL);
    assert_int_equal(emu_memory_check(fd, 4), -ERR_INVAL);
    emu_memory_unmap(&memory);
    close(fd);
}

static void what_is_no_memory_is_refused(void **state)
{
    int ends[2], fds[4];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    fds[0] = ends[0];
    fds[1] = ends[1];
    fds[2] = open("/dev/zero", O_RDWR | O_CLOEXEC);
    fds[3] = open("/", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(emu_memory_check(fds[i], 1), -ERR_INVAL);
        close(fds[i]);
    }
    assert_int_equal(emu_memory_check(-1, 1), -ERR_INVAL);
}

static void scattered_pieces_are_one_area(void **state)
{
    static const struct emu_piece pieces[] = {{0, 1, 1, 2}, {1, 0, 2, 3}, {0, 0, 1, 2}};
    struct emu_memory runs[2], all;
    int fds[2] = {emu_memory_create(2, &runs[0]), emu_memory_create(3, &runs[1])};

    (void)state;
    shared_store(&runs[0].area, 0, 10);
    shared_store(&runs[0].area, 4096, 11);
    shared_store(&runs[1].area, 0, 20);
    shared_store(&runs[1].area, 4096, 21);
    assert_int_equal(emu_memory_map(fds, pieces, 3, 4, &all), 0);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(shared_load(&all.area, 0), 11);
    assert_int_equal(shared_load(&all.area, 4096), 20);
    assert_int_equal(shared_load(&all.area, 8192), 21);
    assert_int_equal(shared_load(&all.area, 12288), 10);
    shared_store(&all.area, 12288, 12);
    assert_int_equal(shared_load(&runs[0].area, 0), 12);
    emu_memory_unmap(&all);
    emu_memory_unmap(&runs[0]);
    emu_memory_unmap(&runs[1]);
}

static void without_descriptors_nothing_is_left(void **state)
{
    uint32_t before = emu_count_fds(), named = named_objects();
    struct rlimit limit, none;
    struct emu_memory memory;
    int lowest = dup(0), ret;

    (void)state;
    close(lowest);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = (rlim_t)lowest;
    setrlimit(RLIMIT_NOFILE, &none);
    ret = emu_memory_create(1, &memory);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(ret, -ERR_MFILE);
    assert_int_equal(emu_count_fds(), before);
    assert_true(named_objects() <= named);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_zero_nameless_and_what_it_should_be),
        cmocka_unit_test(what_is_no_memory_is_refused),
        cmocka_unit_test(scattered_pieces_are_one_area),
        cmocka_unit_test(without_descriptors_nothing_is_left),
    };

    return !!cmocka_run_group_tests_name("emu_memory", tests, NULL, NULL);
}
