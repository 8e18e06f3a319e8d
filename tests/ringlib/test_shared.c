/*
 * The door to shared memory by itself: nothing beyond an area is touched, and how often the
 * machine code really loads each word. What is ordered before what is test_order_hooked's and
 * explore/handshake's.
 *
 * The loads are counted by the processor: the page may not be read, so that each instruction that
 * does is a fault, after which it is let through and the page closed again behind it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* REG_EFL */
#endif
#include "ringlib/shared.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

enum { LOADS_MAX = 1024 };

static struct {
    unsigned char *page;
    uint32_t count;
    uint32_t at[LOADS_MAX]; /* offsets, in the order of the loads */
} watched;

static int open_page(void **state)
{
    (void)state;
    watched.page =
        mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(watched.page, MAP_FAILED);
    for (uint32_t i = 0; i < SHARED_PAGE_BYTES; i++)
        watched.page[i] = (unsigned char)(i * 7 + i / 256);
    return 0;
}

static int close_page(void **state)
{
    (void)state;
    return munmap(watched.page, SHARED_PAGE_BYTES);
}

static struct shared_area area_of_page(void)
{
    return (struct shared_area){(struct shared_memory *)(void *)watched.page, 1};
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void load(const struct shared_area *area, uint32_t offset, uint32_t bytes)
{
    (void)bytes;
    (void)shared_load(area, offset);
}

static void store(const struct shared_area *area, uint32_t offset, uint32_t bytes)
{
    (void)bytes;
    shared_store(area, offset, 1);
}

static void copy(const struct shared_area *area, uint32_t offset, uint32_t bytes)
{
    static unsigned char to[2 * SHARED_PAGE_BYTES];

    shared_copy(to, area, offset, bytes);
}

static void bulk(const struct shared_area *area, uint32_t offset, uint32_t bytes)
{
    static unsigned char to[2 * SHARED_PAGE_BYTES];

    shared_bulk_in(to, area, offset, bytes);
}

static void fill(const struct shared_area *area, uint32_t offset, uint32_t bytes)
{
    static const unsigned char from[2 * SHARED_PAGE_BYTES];

    shared_fill(area, offset, from, bytes);
}

static void spans(const struct shared_area *area, uint32_t offset, uint32_t bytes)
{
    const struct shared_span span[2] = {{0, 1}, {offset, bytes}};
    struct shared_iov iov[2];

    shared_spans(area, span, 2, iov);
}

typedef void access_fn(const struct shared_area *, uint32_t, uint32_t);

/* Whether an access is stopped by an assertion. */
static bool is_refused(access_fn *access, uint32_t offset, uint32_t bytes)
{
    const struct shared_area area = area_of_page();
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        access(&area, offset, bytes);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void nothing_beyond_an_area_is_touched(void **state)
{
    static access_fn *const accesses[] = {load, store, copy, bulk, fill, spans};

    (void)state;
    for (uint32_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        assert_false(is_refused(accesses[i], SHARED_PAGE_BYTES - 4, 4));
        assert_true(is_refused(accesses[i], SHARED_PAGE_BYTES, 4));
        assert_true(is_refused(accesses[i], SHARED_PAGE_BYTES - 3, 4));
        assert_true(is_refused(accesses[i], UINT32_MAX - 3, 4)); /* the sum is 0 in 32 bits */
    }
}

static void only_words_are_copied(void **state)
{
    (void)state;
    assert_false(is_refused(copy, 64, 312));
    assert_true(is_refused(copy, 62, 312));
    assert_true(is_refused(copy, 64, 310));
}

/* ---- loads ----------------------------------------------------------------------------------- */

#if defined(__linux__) && (defined(__x86_64__) || defined(__i386__))

enum { TRAP_FLAG = 0x100 }; /* Intel SDM 1, 3.4.3.3: a trap after the next instruction */

static void on_load(int number, siginfo_t *info, void *context)
{
    ptrdiff_t at = (unsigned char *)info->si_addr - watched.page;

    if (at < 0 || at >= (ptrdiff_t)SHARED_PAGE_BYTES || watched.count == LOADS_MAX) {
        signal(number, SIG_DFL); /* a fault of another kind, once more */
        return;
    }
    watched.at[watched.count++] = (uint32_t)at;
    mprotect(watched.page, SHARED_PAGE_BYTES, PROT_READ);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_loaded(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    mprotect(watched.page, SHARED_PAGE_BYTES, PROT_NONE);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

/* Count what `access` loads. */
static void watch(access_fn *access, uint32_t offset, uint32_t bytes)
{
    const struct shared_area area = area_of_page();
    struct sigaction faults = {.sa_sigaction = on_load, .sa_flags = SA_SIGINFO};
    struct sigaction traps = {.sa_sigaction = on_loaded, .sa_flags = SA_SIGINFO};
    struct sigaction old_faults, old_traps;

    watched.count = 0;
    sigaction(SIGSEGV, &faults, &old_faults);
    sigaction(SIGTRAP, &traps, &old_traps);
    mprotect(watched.page, SHARED_PAGE_BYTES, PROT_NONE);
    access(&area, offset, bytes);
    mprotect(watched.page, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE);
    sigaction(SIGSEGV, &old_faults, NULL);
    sigaction(SIGTRAP, &old_traps, NULL);
}

static unsigned char copied[312];

static void copy_kept(const struct shared_area *area, uint32_t offset, uint32_t bytes)
{
    shared_copy(copied, area, offset, bytes);
}

/* Neither twice nor in parts: what a peer changes meanwhile is seen wholly or not at all. */
static void words_are_loaded_once_each(void **state)
{
    (void)state;
    watch(load, 64, 4);
    assert_int_equal(watched.count, 1);
    assert_int_equal(watched.at[0], 64);
    watch(copy_kept, 64 + 312, 312);
    assert_int_equal(watched.count, 312 / 4);
    for (uint32_t i = 0; i < watched.count; i++)
        assert_int_equal(watched.at[i], 64 + 312 + 4 * i);
    assert_memory_equal(copied, watched.page + 64 + 312, 312);
}

#else

static void words_are_loaded_once_each(void **state)
{
    (void)state;
    skip(); /* no trap flag */
}

#endif

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_page, close_page)
    const struct CMUnitTest tests[] = {
        TEST(nothing_beyond_an_area_is_touched),
        TEST(only_words_are_copied),
        TEST(words_are_loaded_once_each),
    };
#undef TEST

    return !!cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
