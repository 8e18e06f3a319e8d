/*
 * From the sink to the file: parts of several processes, their order, those that died in the midst
 * of a record or at any moment, that were full, or damaged; disks that are full.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/capture.h"
#include "sim/run/capture_merge.h"

#include "ringlib/shared.h"
#include "tests/support/pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOT = 312 };

static char directory[] = "/tmp/xensock-capture-XXXXXX";
static char parts[3][64], under[64], to[64];
static struct pcap pcap;
static uint64_t now; /* what the clock says */
static bool giving;  /* whether a merge lets parts give room back */

static uint64_t clock_ns(void *clock)
{
    return *(uint64_t *)clock;
}

static int begin(void **state)
{
    (void)state;
    now = 0;
    giving = false;
    for (uint32_t i = 0; i < 3; i++)
        unlink(parts[i]);
    unlink(to);
    return 0;
}

static struct capture *create(uint32_t i, uint64_t limit_bytes)
{
    struct capture *capture;

    assert_int_equal(capture_create(&(struct capture_config){.path = parts[i],
                                                             .limit_bytes = limit_bytes,
                                                             .clock = &now,
                                                             .now_ns = clock_ns},
                                    &capture),
                     0);
    return capture;
}

/* A device of guest 1 at domain 0. */
static const struct capture_sink *device(struct capture_device *one, struct capture *capture,
                                         enum capture_side side)
{
    return capture_device_init(
        one, capture,
        &(struct capture_header){.side = (uint8_t)side, .front = 1, .dialect = 1, .device = 2});
}

static void tell_index(const struct capture_sink *sink, uint64_t sockid, uint32_t index)
{
    capture_put(sink, &(struct capture_packet){.kind = CAPTURE_INDEX,
                                               .moved = CAPTURE_PUBLISHED,
                                               .ring = CAPTURE_DATA,
                                               .what = CAPTURE_OUT_PROD,
                                               .index = index,
                                               .bytes = 5,
                                               .sockid = sockid});
}

static void tell_slot(const struct capture_sink *sink, enum capture_moved moved, const void *slot)
{
    capture_put(sink, &(struct capture_packet){.kind = CAPTURE_REQUEST,
                                               .moved = (uint8_t)moved,
                                               .ring = CAPTURE_COMMANDS,
                                               .index = 7,
                                               .bytes = SLOT,
                                               .slot = slot});
}

static int merge(uint32_t count, int64_t offset_ns, struct capture_summary *summary)
{
    const char *const paths[3] = {parts[0], parts[1], parts[2]};

    return capture_merge(&(struct capture_merge_config){.parts = paths,
                                                        .part_count = count,
                                                        .to = to,
                                                        .under = under,
                                                        .offset_ns = offset_ns,
                                                        .give_back = giving},
                         summary);
}

/* Two processes; each packet byte for byte as the format has it. */
static void two_parts(void **state)
{
    struct capture *captures[2] = {create(0, 1 << 20), create(1, 1 << 20)};
    struct capture_device devices[2];
    struct capture_summary summary;
    const struct capture_sink *front = device(&devices[0], captures[0], CAPTURE_FRONT);
    const struct capture_sink *back = device(&devices[1], captures[1], CAPTURE_BACK);
    uint8_t slot[SLOT];

    (void)state;
    for (uint32_t i = 0; i < SLOT; i++)
        slot[i] = (uint8_t)(i * 7);
    now = 100;
    tell_slot(front, CAPTURE_PUBLISHED, slot);
    now = 300;
    tell_index(front, 0x1000001, 77);
    now = 200;
    tell_slot(back, CAPTURE_CONSUMED, slot);
    capture_destroy(captures[0]);
    capture_destroy(captures[1]);
    assert_int_equal(merge(2, 1000, &summary), 0);
    assert_int_equal(summary.packets, 3);
    assert_int_equal(summary.lost + summary.damaged + summary.error, 0);
    pcap_load(&pcap, to);
    static const char *const names[] = {"1/2 pvcalls1 commands front", "1/2 pvcalls1 commands back",
                                        "1/2 pvcalls1 socket 0x1000001 front",
                                        "1/2 pvcalls1 socket 0x1000001 back"};
    assert_int_equal(pcap.interface_count, 4);
    assert_int_equal(pcap.statistics_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_string_equal(pcap.names[i], names[i]);
        assert_int_equal(pcap.received[i], i < 3);
        assert_int_equal(pcap.dropped[i], 0);
    }
    static const uint8_t header[] = {1, 1, 0, 0, 1, 0, 0, 0, 2, 0,           1,         0, 7, 0, 0,
                                     0, 0, 0, 0, 0, 0, 0, 0, 0, SLOT & 0xff, SLOT >> 8, 0, 0, 0};
    assert_int_equal(pcap.packet_count, 3);
    for (uint32_t i = 0; i < 2; i++) {
        const struct pcap_packet *packet = &pcap.packets[i];
        assert_int_equal(packet->now_ns, 1100 + i * 100);
        assert_int_equal(packet->interface, i);
        assert_int_equal(packet->flags, i == 0 ? 2 : 1);
        assert_int_equal(packet->bytes, 32 + SLOT);
        assert_memory_equal(packet->data, header, 2);
        assert_int_equal(packet->data[2], i);
        assert_int_equal(packet->data[3], i);
        assert_memory_equal(packet->data + 4, header + 4, sizeof(header) - 4);
        assert_memory_equal(packet->data + 32, slot, SLOT);
    }
    static const uint8_t index[32] = {1, 3, 0, 0, 1, 0, 0, 0, 2, 0, 1, 1, 77, 0, 0,
                                      0, 1, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0,  2};
    assert_int_equal(pcap.packets[2].now_ns, 1300);
    assert_int_equal(pcap.packets[2].interface, 2);
    assert_int_equal(pcap.packets[2].flags, 2);
    assert_int_equal(pcap.packets[2].bytes, 32);
    assert_memory_equal(pcap.packets[2].data, index, 32);
}

/* By time; then what was published first; then as the parts are listed; a part's own as they came.
 */
static void order_and_ties(void **state)
{
    struct capture_device devices[3];
    struct capture *captures[3];
    struct capture_summary summary;
    uint8_t slot[SLOT] = {0};

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        captures[i] = create(i, 1 << 20);
        const struct capture_sink *sink = device(&devices[i], captures[i], CAPTURE_FRONT);
        now = 10;
        tell_slot(sink, i == 0 ? CAPTURE_CONSUMED : CAPTURE_PUBLISHED, slot);
        tell_index(sink, i, 100 + i);
        now = 20 - i;
        for (uint32_t n = 0; n < 3; n++)
            tell_index(sink, i, 200 + 10 * i + n);
        capture_destroy(captures[i]);
    }
    assert_int_equal(merge(3, 0, &summary), 0);
    pcap_load(&pcap, to);
    static const uint32_t wanted[] = {7,   101, 7,   102, 7,   100, 220, 221,
                                      222, 210, 211, 212, 200, 201, 202};
    assert_int_equal(pcap.packet_count, 15);
    for (uint32_t i = 0; i < 15; i++)
        assert_int_equal(pcap_u32(pcap.packets[i].data + 12), wanted[i]);
}

/* Interfaces by guest, device, back, dialect, ring, socket, side: whatever was first. */
static void interfaces_in_order(void **state)
{
    struct capture *capture = create(0, 1 << 20);
    struct capture_device one;
    struct capture_summary summary;
    static const char *const names[] = {"2/0 xensock1 socket 0xfffffffffffffffe front",
                                        "2/0 xensock1 socket 0xfffffffffffffffe back",
                                        "10/0 xensock1 socket 0x9 front",
                                        "10/0 xensock1 socket 0x9 back",
                                        "10/0 xensock1 socket 0x10 front",
                                        "10/0 xensock1 socket 0x10 back"};

    (void)state;
    struct capture_header who = {.side = CAPTURE_BACK, .front = 10};
    const struct capture_sink *sink = capture_device_init(&one, capture, &who);
    tell_index(sink, 0x10, 1);
    tell_index(sink, 9, 1);
    who.front = 2;
    tell_index(capture_device_init(&one, capture, &who), UINT64_MAX - 1, 1);
    capture_destroy(capture);
    assert_int_equal(merge(1, 0, &summary), 0);
    pcap_load(&pcap, to);
    assert_int_equal(pcap.interface_count, 6);
    for (uint32_t i = 0; i < 6; i++)
        assert_string_equal(pcap.names[i], names[i]);
    assert_int_equal(pcap.packets[0].interface, 5);
}

/* The process dies while it copies the last slot: the others are there. */
static void dies_in_a_record(void **state)
{
    struct capture_summary summary;
    long page = sysconf(_SC_PAGESIZE);
    uint8_t *pages =
        mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, (size_t)page, PROT_NONE), 0);
    pid_t child = fork();
    if (child == 0) {
        struct capture_device one;
        const struct capture_sink *sink = device(&one, create(0, 1 << 20), CAPTURE_FRONT);
        signal(SIGSEGV, SIG_DFL); /* not a sanitizer's */
        for (uint32_t i = 0; i < 5; i++)
            tell_index(sink, 1, i);
        tell_slot(sink, CAPTURE_PUBLISHED, pages + page - 200);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    munmap(pages, (size_t)(2 * page));
    assert_int_equal(merge(1, 0, &summary), 0);
    assert_int_equal(summary.packets, 5);
    assert_int_equal(summary.damaged + summary.lost, 0);
    pcap_load(&pcap, to);
    assert_int_equal(pcap.packet_count, 5);
}

/* It is killed anywhere: what is there is the beginning of what it told, whole. */
static void killed_anywhere(void **state)
{
    struct capture_summary summary;
    void *page =
        mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct shared_area told = {page, 1};

    (void)state;
    assert_ptr_not_equal(page, MAP_FAILED);
    for (uint32_t round = 0; round < 20; round++) {
        shared_store(&told, 0, 0);
        pid_t child = fork();
        if (child == 0) {
            struct capture_device one;
            const struct capture_sink *sink = device(&one, create(0, 4 << 20), CAPTURE_FRONT);
            for (uint32_t i = 0;; shared_store(&told, 0, ++i))
                tell_index(sink, i % 3, i);
        }
        while (shared_load(&told, 0) < 1 + round * 400)
            assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        uint32_t least = shared_load(&told, 0);
        assert_int_equal(merge(1, 0, &summary), 0);
        assert_in_range(summary.packets + summary.lost, least, least + 1);
        pcap_load(&pcap, to);
        assert_int_equal(pcap.packet_count, summary.packets);
        for (uint32_t i = 0; i < pcap.packet_count; i++)
            assert_int_equal(pcap_u32(pcap.packets[i].data + 12), i);
    }
    munmap(page, SHARED_PAGE_BYTES);
}

/* What does not fit is counted for each ring, and nothing comes after it. */
static void limited(void **state)
{
    struct capture *capture = create(0, CAPTURE_LIMIT_MIN);
    struct capture_device one;
    struct capture_summary summary;
    const struct capture_sink *sink = device(&one, capture, CAPTURE_FRONT);
    uint8_t slot[SLOT] = {0};
    uint32_t fit = CAPTURE_LIMIT_MIN / (16 + 32); /* records of an index */

    (void)state;
    for (uint32_t i = 0; i < fit - 1; i++)
        tell_index(sink, 1, i);
    tell_slot(sink, CAPTURE_PUBLISHED, slot); /* too large; what would fit comes too late */
    for (uint32_t i = 0; i < 10; i++)
        tell_index(sink, 1, i);
    tell_index(sink, 2, 1);
    capture_destroy(capture);
    assert_int_equal(merge(1, 0, &summary), 0);
    assert_int_equal(summary.packets, fit - 1);
    assert_int_equal(summary.lost, 12);
    assert_int_equal(summary.error, 0);
    pcap_load(&pcap, to);
    assert_int_equal(pcap.packet_count, fit - 1);
    assert_int_equal(pcap.interface_count, 6);
    static const uint64_t dropped[6] = {1, 0, 10, 0, 1, 0};
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(pcap.dropped[i], dropped[i]);
        assert_int_equal(pcap.received[i], dropped[i] + (i == 2 ? fit - 1 : 0));
    }
}

/* Of more rings than are counted for themselves all is still counted. */
static void limited_for_many(void **state)
{
    struct capture *capture = create(0, CAPTURE_LIMIT_MIN);
    struct capture_device one;
    struct capture_summary summary;
    const struct capture_sink *sink = device(&one, capture, CAPTURE_BACK);
    uint64_t sum = 0;

    (void)state;
    for (uint64_t i = 0; i < 20000; i++)
        tell_index(sink, i % 5000, 1);
    capture_destroy(capture);
    assert_int_equal(merge(1, 0, &summary), 0);
    assert_int_equal(summary.packets + summary.lost, 20000);
    pcap_load(&pcap, to);
    for (uint32_t i = 0; i < pcap.interface_count; i++)
        sum += pcap.dropped[i];
    assert_in_range(sum, CAPTURE_DROPS_MAX / 2, summary.lost - 1);
}

static void limit_files(rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, RLIM_INFINITY}), 0);
}

/* What a process may write is on the disk before: else a full one would kill it. */
static void room_is_reserved(void **state)
{
    struct capture *capture = create(0, 1 << 20);
    struct capture_device one;
    struct stat info;

    (void)state;
    tell_index(device(&one, capture, CAPTURE_BACK), 1, 1);
    assert_int_equal(stat(parts[0], &info), 0);
    assert_true(info.st_size > CAPTURE_RECORDS_AT && info.st_blocks * 512 >= info.st_size);
    capture_destroy(capture);
}

/* A disk that is full is no signal; why it is less is told. */
static void part_on_a_full_disk(void **state)
{
    struct capture *capture;
    struct capture_device one;
    struct capture_summary summary;

    (void)state;
    limit_files(CAPTURE_RECORDS_AT + 200000);
    capture = create(0, 64 << 20);
    const struct capture_sink *sink = device(&one, capture, CAPTURE_BACK);
    for (uint32_t i = 0; i < 10000; i++)
        tell_index(sink, 1, i);
    capture_destroy(capture);
    limit_files(1000);
    assert_int_equal(capture_create(&(struct capture_config){.path = parts[1],
                                                             .limit_bytes = CAPTURE_LIMIT_MIN,
                                                             .clock = &now,
                                                             .now_ns = clock_ns},
                                    &capture),
                     -EFBIG);
    limit_files(RLIM_INFINITY);
    assert_int_equal(merge(1, 0, &summary), 0);
    assert_int_equal(summary.error, EFBIG);
    assert_in_range(summary.packets, 1000, 200000 / 48);
    assert_int_equal(summary.packets + summary.lost, 10000);
}

static void fill(uint32_t i, uint32_t count)
{
    struct capture *capture = create(i, 64 << 20);
    struct capture_device one;
    const struct capture_sink *sink = device(&one, capture, CAPTURE_BACK);

    for (uint32_t n = 0; n < count; n++)
        tell_index(sink, 1, n);
    capture_destroy(capture);
}

/* Where the file does not fit it ends behind the last block that does, and stands where it should;
 * or nothing changes. What is counted is what is in it. */
static void file_on_a_full_disk(void **state)
{
    enum { LIMIT = 1 << 20, PACKET = 76 }; /* bytes of the block of an index */
    struct capture_summary summary;
    struct stat info;

    (void)state;
    fill(0, 20000);
    limit_files(LIMIT);
    assert_int_equal(merge(1, 0, &summary), -EFBIG);
    limit_files(RLIM_INFINITY);
    pcap_load(&pcap, to);
    assert_int_equal(stat(to, &info), 0);
    assert_in_range(info.st_size, LIMIT - PACKET + 1, LIMIT);
    assert_int_equal(pcap.packet_count, summary.packets);
    assert_int_equal(summary.packets + summary.lost, 20000);
    assert_int_equal(summary.error, EFBIG);
    assert_int_equal(pcap.interface_count, 2);
    fill(1, 20000);
    rename(parts[1], parts[0]);
    limit_files(250); /* not for a packet */
    assert_int_equal(merge(1, 0, &summary), -EFBIG);
    assert_int_equal(summary.packets, 0);
    limit_files(RLIM_INFINITY);
    uint32_t before = pcap.packet_count;
    pcap_load(&pcap, to);
    assert_int_equal(pcap.packet_count, before);
    assert_int_equal(access(under, F_OK), -1);
}

/* Parts and the file share a disk: what was read of the ones makes room for the other. */
static void parts_give_back(void **state)
{
    enum { PACKETS = 40000, RECORD = 48 };
    struct capture_summary summary;
    struct stat before, after;

    (void)state;
    fill(0, PACKETS);
    int fd = open(parts[0], O_RDWR);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 30, 4096) < 0)
        skip(); /* this file system cannot */
    close(fd);
    assert_int_equal(stat(parts[0], &before), 0);
    assert_in_range(before.st_blocks, PACKETS * RECORD / 512, UINT32_MAX);
    assert_int_equal(merge(1, 0, &summary), 0);
    assert_int_equal(stat(parts[0], &after), 0);
    assert_int_equal(after.st_blocks, before.st_blocks);
    giving = true;
    assert_int_equal(merge(1, 0, &summary), 0);
    assert_int_equal(summary.packets, PACKETS);
    assert_int_equal(stat(parts[0], &after), 0);
    assert_in_range(after.st_blocks, 0, (CAPTURE_RECORDS_AT + 2 * 65536) / 512);
    assert_int_equal(after.st_size, before.st_size);
}

/* The part of a process that wrote anywhere before it died: what is sound before that is there. */
static void damaged(void **state)
{
    struct capture_summary summary;
    static const struct {
        uint32_t at, value, packets;
    } cases[] = {
        {CAPTURE_RECORDS_AT + 2 * 48 + 8, 0, 2},           /* a record's length */
        {CAPTURE_RECORDS_AT + 2 * 48 + 8, UINT32_MAX, 2},  /* the same */
        {CAPTURE_RECORDS_AT + 2 * 48 + 8, 400, 2},         /* beyond what is whole */
        {CAPTURE_RECORDS_AT + 2 * 48 + 16, 0x03000302, 2}, /* another version */
        {CAPTURE_RECORDS_AT + 2 * 48 + 16, 0x00030301, 2}, /* no side */
        {CAPTURE_RECORDS_AT + 2 * 48 + 26, 0x00000103, 2}, /* no dialect */
        {8, UINT32_MAX / 8, 4},                            /* more whole than there is */
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct capture_device one;
        struct capture *capture = create(0, 1 << 20);
        const struct capture_sink *sink = device(&one, capture, CAPTURE_BACK);
        for (uint32_t n = 0; n < 4; n++)
            tell_index(sink, 1, n);
        capture_destroy(capture);
        int fd = open(parts[0], O_RDWR);
        assert_int_equal(pwrite(fd, &cases[i].value, 4, cases[i].at), 4);
        close(fd);
        assert_int_equal(merge(1, 0, &summary), 0);
        assert_int_equal(summary.packets, cases[i].packets);
        assert_int_equal(summary.damaged, 1);
        pcap_load(&pcap, to);
        assert_int_equal(pcap.packet_count, cases[i].packets);
    }
}

/* Parts that are not there, empty, or only made room for are without packets; so is none at all. */
static void nothing_there(void **state)
{
    struct capture_summary summary;
    int fd = open(parts[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);

    (void)state;
    close(fd);
    fd = open(parts[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(ftruncate(fd, CAPTURE_RECORDS_AT), 0);
    close(fd);
    assert_int_equal(merge(3, 0, &summary), 0);
    assert_int_equal(summary.packets + summary.damaged, 0);
    pcap_load(&pcap, to);
    assert_int_equal(pcap.interface_count, 0);
    assert_int_equal(merge(0, 0, &summary), 0);
    pcap_load(&pcap, to);
    assert_int_equal(pcap.interface_count, 0);
}

/* Nobody captures: a core is given no sink. */
static void none(void **state)
{
    struct capture_device one;

    (void)state;
    assert_null(device(&one, NULL, CAPTURE_FRONT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_parts, begin),
        cmocka_unit_test_setup(order_and_ties, begin),
        cmocka_unit_test_setup(interfaces_in_order, begin),
        cmocka_unit_test_setup(dies_in_a_record, begin),
        cmocka_unit_test_setup(killed_anywhere, begin),
        cmocka_unit_test_setup(limited, begin),
        cmocka_unit_test_setup(limited_for_many, begin),
        cmocka_unit_test_setup(room_is_reserved, begin),
        cmocka_unit_test_setup(part_on_a_full_disk, begin),
        cmocka_unit_test_setup(file_on_a_full_disk, begin),
        cmocka_unit_test_setup(parts_give_back, begin),
        cmocka_unit_test_setup(damaged, begin),
        cmocka_unit_test_setup(nothing_there, begin),
        cmocka_unit_test_setup(none, begin),
    };

    if (!mkdtemp(directory))
        return 1;
    for (uint32_t i = 0; i < 3; i++)
        snprintf(parts[i], sizeof(parts[i]), "%s/%u", directory, i);
    snprintf(under, sizeof(under), "%s/under", directory);
    snprintf(to, sizeof(to), "%s/to", directory);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    begin(NULL);
    pcap_free(&pcap);
    rmdir(directory);
    return failed;
}
