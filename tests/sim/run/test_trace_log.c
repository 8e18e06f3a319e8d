/*
 * The trace's hash and file: golden values of both, the way back through the reader, a full disk,
 * and files that are cut, foreign or random, which must be refused and never crash.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/trace_log.h"

#include "sim/run/trace_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const struct trace_log_entity entities[] = {
    {0, "dom0"}, {1, "web"}, {TRACE_PEER_BASE, "sink"}};

enum { ENTITIES = sizeof(entities) / sizeof(entities[0]) };

/* The bytes before the records of every file made here. */
static const uint8_t opening[] = "XSTRACE1\x01\0\x20\0\x34\0\0\0"
                                 "scenario quickstart\nseed 42\n0 dom0\n1 web\n32768 sink\n";

enum { OPENING_BYTES = sizeof(opening) - 1 };

static char path[64]; /* of a file in memory */

/* The i-th of the records: every byte of every member changes, and no point is unknown. */
static struct trace_record record_of(uint64_t i)
{
    uint64_t mixed = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

    return (struct trace_record){
        .now_ns = i * 1000 + (mixed >> 60),
        .token = mixed,
        .value = ~mixed,
        .extra = (uint32_t)(mixed >> 16),
        .who = entities[i % ENTITIES].who,
        .point = (uint8_t)(i % 13),
        .detail = (uint8_t)(mixed >> 8),
    };
}

static int log_open(const char *to, struct trace_log **log)
{
    const struct trace_log_config config = {.path = to,
                                            .scenario = "quickstart",
                                            .seed = 42,
                                            .entities = entities,
                                            .entity_count = ENTITIES};

    return trace_log_create(&config, log);
}

/* A trace of `count` records; its hash in `hash`. Returns what finish said. */
static int log_write(const char *to, uint64_t count, char hash[TRACE_LOG_HASH_BYTES])
{
    struct trace_log *log;
    int ret;

    assert_int_equal(log_open(to, &log), 0);
    for (uint64_t i = 0; i < count; i++) {
        struct trace_record record = record_of(i);

        assert_int_equal(trace_log_count(log), i);
        trace_put(trace_log_sink(log), &record);
    }
    ret = trace_log_finish(log);
    trace_log_hash(log, hash);
    assert_int_equal(trace_log_count(log), count);
    trace_log_destroy(log);
    return ret;
}

/* The whole of the file, to be freed. */
static uint8_t *file_load(size_t *size)
{
    FILE *in = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);

    assert_non_null(in);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, in);
    fclose(in);
    return bytes;
}

static void file_store(const void *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

/* ---- hash and bytes ---- */

/* As xxh128sum prints it for the records' bytes, made by another program. */
static void test_golden_hash(void **state)
{
    static const struct {
        uint64_t count;
        const char *hash;
    } golden[] = {
        {0, "99aa06d3014798d86001c324468d497f"},   {1, "94c668b9757f94ae1e692a0dfc6ba61b"},
        {511, "d381e307d8f855c30e846b97a6bdef81"}, {512, "dfe4ac27d844bf8eea5f7449ba5a2724"},
        {513, "ea16b1547b0b77941ed6fd8eba99910b"}, {5000, "018880b41273b52c7b4fb15e3775805f"},
    };
    char hash[TRACE_LOG_HASH_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        assert_int_equal(log_write(NULL, golden[i].count, hash), 0);
        assert_string_equal(hash, golden[i].hash);
    }
}

/* Looking at the hash on the way changes nothing. */
static void test_hash_on_the_way(void **state)
{
    char hash[TRACE_LOG_HASH_BYTES], whole[TRACE_LOG_HASH_BYTES];
    struct trace_log *log;

    (void)state;
    assert_int_equal(log_open(NULL, &log), 0);
    for (uint64_t i = 0; i < 700; i++) {
        struct trace_record record = record_of(i);

        trace_put(trace_log_sink(log), &record);
        if (i % 100 > 0)
            continue;
        log_write(NULL, i + 1, whole);
        trace_log_hash(log, hash);
        assert_string_equal(hash, whole);
        assert_int_equal(trace_log_count(log), i + 1);
    }
    trace_log_hash(log, hash);
    trace_log_destroy(log);
    log_write(NULL, 700, whole);
    assert_string_equal(hash, whole);
}

static void test_golden_bytes(void **state)
{
    static const uint8_t last[TRACE_FILE_RECORD_BYTES] = {
        0xeb, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x2a, 0xf8, 0x94,
        0xfe, 0x72, 0xf3, 0x6e, 0x3c, 0xd5, 0x07, 0x6b, 0x01, 0x8d, 0x0c,
        0x91, 0xc3, 0x94, 0xfe, 0x72, 0xf3, 0x01, 0x00, 0x01, 0xf8};
    char hash[TRACE_LOG_HASH_BYTES];
    uint8_t *bytes;
    size_t size;

    (void)state;
    assert_int_equal(log_write(path, 2, hash), 0);
    bytes = file_load(&size);
    assert_int_equal(size, OPENING_BYTES + 64);
    assert_memory_equal(bytes, opening, OPENING_BYTES);
    assert_memory_equal(bytes + OPENING_BYTES + 32, last, 32);
    free(bytes);
}

/* An earlier, longer file is written over; the hash is that without a file. */
static void test_round_trip(void **state)
{
    static const uint64_t counts[] = {5000, 513, 512, 1, 0};
    char with[TRACE_LOG_HASH_BYTES], without[TRACE_LOG_HASH_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct trace_file_fault fault;
        struct trace_record record;

        assert_int_equal(log_write(path, counts[i], with), 0);
        assert_int_equal(log_write(NULL, counts[i], without), 0);
        assert_string_equal(with, without);
        struct trace_file *file = trace_file_open(path, &fault);
        assert_non_null(file);
        for (uint64_t k = 0; k < counts[i]; k++) {
            struct trace_record wanted = record_of(k);

            assert_int_equal(trace_file_position(file), k);
            assert_int_equal(trace_file_offset(file), OPENING_BYTES + 32 * k);
            assert_int_equal(trace_file_next(file, &record, &fault), 1);
            assert_memory_equal(&record, &wanted, sizeof(record));
        }
        assert_int_equal(trace_file_next(file, &record, &fault), 0);
        assert_int_equal(trace_file_next(file, &record, &fault), 0);
        trace_file_close(file);
    }
}

static void test_names(void **state)
{
    char hash[TRACE_LOG_HASH_BYTES];
    struct trace_file_fault fault;
    struct trace_file *file;
    uint16_t who = 7;

    (void)state;
    log_write(path, 0, hash);
    file = trace_file_open(path, &fault);
    assert_non_null(file);
    assert_string_equal(trace_file_scenario(file), "quickstart");
    assert_int_equal(trace_file_seed(file), 42);
    assert_int_equal(trace_file_name_width(file), 4);
    for (size_t i = 0; i < ENTITIES; i++) {
        assert_string_equal(trace_file_name(file, entities[i].who), entities[i].name);
        assert_true(trace_file_find(file, entities[i].name, &who));
        assert_int_equal(who, entities[i].who);
    }
    assert_null(trace_file_name(file, 2));
    assert_false(trace_file_find(file, "we", &who));
    trace_file_close(file);
}

/* ---- what cannot be written ---- */

static void test_no_such_place(void **state)
{
    struct trace_log *log;

    (void)state;
    assert_int_equal(log_open("/nowhere/at/all", &log), -ENOENT);
    assert_int_equal(log_open("/", &log), -EISDIR);
}

/* The failure is told at the end, and the hash is that of the whole trace all the same. */
static void test_full_disk(void **state)
{
    static const uint64_t counts[] = {0, 1, 5000};
    char full[TRACE_LOG_HASH_BYTES], hash[TRACE_LOG_HASH_BYTES];

    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_int_equal(log_write("/dev/full", counts[i], full), -ENOSPC);
        log_write(NULL, counts[i], hash);
        assert_string_equal(full, hash);
    }
}

/* ---- files that are none ---- */

/* Read all of the file: how many records; the last fault, or an empty text, in `fault`. */
static uint64_t file_read(struct trace_file_fault *fault)
{
    struct trace_file *file = trace_file_open(path, fault);
    struct trace_record record;
    uint64_t count = 0;
    int ret;

    if (!file) {
        assert_string_not_equal(fault->what, "");
        return 0;
    }
    while ((ret = trace_file_next(file, &record, fault)) == 1)
        count++;
    if (ret < 0)
        assert_string_not_equal(fault->what, "");
    trace_file_close(file);
    return count;
}

/* Wherever a file is cut, what is whole is read, and the cut is told with its place; only between
 * two records none can be seen. */
static void test_every_truncation(void **state)
{
    char hash[TRACE_LOG_HASH_BYTES];
    uint8_t *bytes;
    size_t size;

    (void)state;
    log_write(path, 3, hash);
    bytes = file_load(&size);
    assert_int_equal(size, OPENING_BYTES + 96);
    for (size_t cut = 0; cut < size; cut++) {
        size_t records = cut < OPENING_BYTES ? 0 : (cut - OPENING_BYTES) / 32;
        struct trace_file_fault fault = {UINT64_MAX, ""};

        file_store(bytes, cut);
        assert_int_equal(file_read(&fault), records);
        if (cut >= OPENING_BYTES && (cut - OPENING_BYTES) % 32 == 0)
            continue;
        assert_int_equal(fault.offset, cut);
        assert_non_null(strstr(fault.what, cut == 0 ? "no trace" : "the file ends in "));
    }
    free(bytes);
}

/* One place of a good file changed: where the fault is then seen, and a part of what is said. */
static const struct {
    size_t at;
    const char *put; /* in place of as many bytes */
    uint64_t offset;
    const char *what;
} foreign[] = {
    {0, "Y", 0, "no trace: it does not begin with XSTRACE1"},
    {7, "2", 0, "no trace"},
    {8, "\x02", 8, "format version 2; this xensock reads version 1"},
    {10, "\x1f", 10, "records of 31 bytes; they have 32"},
    {15, "\x01", 12, "names of 16777268 bytes; at most 8388608"},
    {12, "\x35", 68, "expected the number and the name of an entity"},
    {12, "\x33", 57, "expected the number and the name of an entity"},
    {16, "z", 16, "expected a line 'scenario NAME'"},
    {24, "_", 16, "expected a line 'scenario NAME'"},
    {25, "\x1b", 16, "expected a line 'scenario NAME'"},
    {25, "\"", 16, "expected a line 'scenario NAME'"},
    {35, "x", 16, "expected a line 'scenario NAME'"},
    {36, "b", 36, "expected a line 'seed NUMBER'"},
    {41, "-", 36, "expected a line 'seed NUMBER'"},
    {44, "x", 44, "expected the number and the name of an entity"},
    {45, "x", 44, "expected the number and the name of an entity"},
    {46, " ", 44, "expected the number and the name of an entity"},
    {51, "0", 51, "an entity is named twice"},
    {57, "9", 57, "expected the number and the name of an entity"},
    {OPENING_BYTES + 62, "\xff", OPENING_BYTES + 62, "record 1 has trace point 255; this xensock "},
};

static void test_foreign_files(void **state)
{
    char hash[TRACE_LOG_HASH_BYTES];
    uint8_t *bytes;
    size_t size;

    (void)state;
    log_write(path, 3, hash);
    bytes = file_load(&size);
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        struct trace_file_fault fault = {UINT64_MAX, ""};
        uint8_t before[8];
        size_t length = strlen(foreign[i].put);

        memcpy(before, bytes + foreign[i].at, length);
        memcpy(bytes + foreign[i].at, foreign[i].put, length);
        file_store(bytes, size);
        memcpy(bytes + foreign[i].at, before, length);
        file_read(&fault);
        if (fault.offset != foreign[i].offset || !strstr(fault.what, foreign[i].what))
            fail_msg("row %zu: offset %ju: %s", i, (uintmax_t)fault.offset, fault.what);
    }
    free(bytes);
}

static void test_unreadable(void **state)
{
    struct trace_file_fault fault;

    (void)state;
    assert_null(trace_file_open("/nowhere/at/all", &fault));
    assert_non_null(strstr(fault.what, "cannot be read: No such file or directory"));
    assert_null(trace_file_open("/", &fault));
    assert_non_null(strstr(fault.what, "cannot be read: "));
}

/* A number below `bound` from a sequence that is the same each time. */
static uint32_t random_below(uint32_t bound)
{
    static uint64_t last = 1;

    last = last * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(last >> 33) % bound;
}

/* Whatever the bytes, reading ends, and ends by itself; a sanitizer sees the rest. */
static void test_random_bytes(void **state)
{
    char hash[TRACE_LOG_HASH_BYTES];
    struct trace_file_fault fault;
    uint8_t *bytes, changed[512];
    size_t size;

    (void)state;
    log_write(path, 3, hash);
    bytes = file_load(&size);
    for (uint32_t round = 0; round < 3000; round++) {
        uint32_t first = round % 3 == 0 ? 8 : round % 3 == 1 ? 16 : (uint32_t)size;

        memcpy(changed, bytes, size);
        for (size_t i = first; i < size; i++) /* nothing but the magic, or the header, is right */
            changed[i] = (uint8_t)random_below(256);
        for (uint32_t i = round % 3 < 2 ? 4 : 0; i < 4; i++)
            changed[random_below((uint32_t)size)] = (uint8_t)random_below(256);
        file_store(changed, size);
        assert_in_range(file_read(&fault), 0, 6);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_hash),   cmocka_unit_test(test_hash_on_the_way),
        cmocka_unit_test(test_golden_bytes),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_no_such_place),
        cmocka_unit_test(test_full_disk),     cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_foreign_files), cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_random_bytes),
    };

    snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd_create("trace", MFD_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
