/* record: the shape of result.json, that no number in it is a float, its atomic writing, usage and
 * fingerprint of the running process, the table. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sim/run/record.h"

#include "sim/run/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static json_t *begin(void)
{
    json_t *scenario = json_pack("{s:s, s:s, s:{}}", "file", "quickstart.yaml", "xxh3",
                                 "0b481e6d91382b8e", "resolved");
    json_t *host = json_pack("{s:i}", "cores", 2);
    json_t *result = record_begin(scenario, host, "0.1.0", "emulated", 42);

    assert_non_null(result);
    json_decref(scenario);
    json_decref(host);
    return result;
}

/* A result with one of everything. */
static json_t *example(void)
{
    const struct record_usage usage = {.cpu_user_ns = 1200000000,
                                       .cpu_system_ns = 340000000,
                                       .switches_voluntary = 12345,
                                       .switches_involuntary = 67,
                                       .faults_minor = 890,
                                       .memory_peak_bytes = 5033165};
    struct metrics_hist *hist = metrics_hist_create(METRICS_HIST_HIGHEST_NS);
    struct record_workload up = {
        .name = "up", .duration_ns = 3000000000, .bytes = 4500000000, .operations = 3};
    struct record_workload small = {.name = "klein-ä",
                                    .duration_ns = 2000000000,
                                    .bytes = 128000,
                                    .operations = 1000,
                                    .latency = hist};
    json_t *result = begin();

    assert_non_null(hist);
    for (uint64_t i = 1; i <= 1000; i++)
        metrics_hist_record(hist, i);
    assert_int_equal(record_add_workload(result, &up), 0);
    assert_int_equal(record_add_workload(result, &small), 0);
    assert_int_equal(record_add_process(result, "backend", 1, &usage), 0);
    assert_int_equal(record_add_counter(result, "backend.notifications", 80000), 0);
    assert_int_equal(record_add_counter(result, "backend.notifications", 1234), 0);
    assert_int_equal(record_finish(result, 4000000000, true), 0);
    metrics_hist_destroy(hist);
    return result;
}

static void test_begin(void **state)
{
    json_t
        *result = begin(),
        *want = json_loads(
            "{\"schema\":\"xensock/result/1\",\"complete\":false,\"tool\":{\"version\":\"0.1.0\"},"
            "\"scenario\":{\"file\":\"quickstart.yaml\",\"xxh3\":\"0b481e6d91382b8e\",\"resolved\":"
            "{}},"
            "\"host\":{\"cores\":2},\"mode\":\"emulated\",\"seed\":42,"
            "\"points\":[{\"id\":0,\"axes\":{},\"repeats\":[{\"i\":0,\"wall_ns\":0,\"metrics\":{},"
            "\"processes\":[],"
            "\"counters\":{}}]}],\"errors\":[]}",
            0, NULL);

    (void)state;
    assert_non_null(want);
    assert_true(json_equal(result, want));
    json_decref(want);
    json_decref(result);
}

static void test_contents(void **state)
{
    const char *unit, *hdr;
    json_int_t throughput, bytes, p50, p99_9, max, count, notify, memory, wall;
    json_t *result = example();
    int complete;

    (void)state;
    assert_int_equal(
        json_unpack(result,
                    "{s:b, s:[{s:[{s:I, s:{s:{s:I}, s:{s:I}, s:{s:s, s:I, s:I, s:I, s:I, s:s}}, "
                    "s:[{s:I}], s:{s:I}}]}]}",
                    "complete", &complete, "points", "repeats", "wall_ns", &wall, "metrics",
                    "throughput.up", "value", &throughput, "bytes.up", "value", &bytes,
                    "latency.klein-ä", "unit", &unit, "count", &count, "p50", &p50, "p99_9", &p99_9,
                    "max", &max, "hdr_v2", &hdr, "processes", "memory_peak_bytes", &memory,
                    "counters", "backend.notifications", &notify),
        0);
    assert_true(complete);
    assert_int_equal(throughput, 1500000000);
    assert_int_equal(bytes, 4500000000);
    assert_string_equal(unit, "ns");
    assert_int_equal(count, 1000);
    assert_int_equal(p50, 500);
    assert_int_equal(p99_9, 999);
    assert_int_equal(max, 1000);
    assert_memory_equal(hdr, "HISTFAAAA", 9);
    assert_int_equal(memory, 5033165);
    assert_int_equal(notify, 81234);
    assert_int_equal(wall, 4000000000);
    json_decref(result);
}

static bool has_real(json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_array(json))
        json_array_foreach(json, i, value) if (has_real(value)) return true;
    json_object_foreach(json, key, value) if (has_real(value)) return true;
    return json_is_real(json);
}

static void test_no_floating_point(void **state)
{
    json_t *result = example(), *host = record_host();

    (void)state;
    assert_false(has_real(result));
    assert_false(has_real(host));
    json_decref(result);
    json_decref(host);
}

static void test_rate(void **state)
{
    (void)state;
    assert_int_equal(record_rate(0, 1), 0);
    assert_int_equal(record_rate(1, 1000000000), 1);
    assert_int_equal(record_rate(1, 1000000001), 0);
    assert_int_equal(record_rate(10, 3), 3333333333);
    assert_int_equal(record_rate(UINT64_C(1) << 62, UINT64_C(1) << 60), 4000000000);
    assert_int_equal(record_rate(123456789012345678, 98765432109876543), 1249999988);
}

static void test_no_time_no_rate(void **state)
{
    struct record_workload idle = {.name = "idle"};
    json_t *result = begin();
    json_int_t value = 1;

    (void)state;
    assert_int_equal(record_add_workload(result, &idle), 0);
    assert_int_equal(json_unpack(result, "{s:[{s:[{s:{s:{s:I}}}]}]}", "points", "repeats",
                                 "metrics", "throughput.idle", "value", &value),
                     0);
    assert_int_equal(value, 0);
    json_decref(result);
}

static void test_errors(void **state)
{
    const char *code, *first, *second;
    json_t *result = begin();

    (void)state;
    assert_int_equal(record_add_error(result, "E0301", "cannot read caf\xc3\xa9"), 0);
    assert_int_equal(record_add_error(result, "E0301", "cannot read caf\xe9"), 0);
    assert_int_equal(json_unpack(result, "{s:[{s:s, s:s}, {s:s}]}", "errors", "code", &code,
                                 "message", &first, "message", &second),
                     0);
    assert_string_equal(code, "E0301");
    assert_string_equal(first, "cannot read caf\xc3\xa9");
    assert_string_equal(second, "cannot read caf?");
    json_decref(result);
}

/* ---- files ---- */

static int make_directory(void **state)
{
    static char directory[64];

    snprintf(directory, sizeof(directory), "%s", "/tmp/test_record.XXXXXX");
    *state = mkdtemp(directory);
    return *state == NULL;
}

static const char *path_in(const char *directory)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/result.json", directory);
    return path;
}

/* Fails if anything but result.json is left. */
static int remove_directory(void **state)
{
    unlink(path_in(*state));
    return rmdir(*state);
}

static void test_write(void **state)
{
    json_t *result = example(), *read;

    assert_int_equal(record_write(result, *state), 0);
    read = json_load_file(path_in(*state), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(read);
    assert_true(json_equal(read, result));
    json_decref(read);
    json_decref(result);
}

static void test_write_replaces(void **state)
{
    json_t *result = example(), *read;
    struct stat before, after;

    assert_int_equal(record_write(result, *state), 0);
    assert_int_equal(stat(path_in(*state), &before), 0);
    record_finish(result, 1, false);
    assert_int_equal(record_write(result, *state), 0);
    assert_int_equal(stat(path_in(*state), &after), 0);
    assert_true(before.st_ino != after.st_ino); /* never written over in place */
    read = json_load_file(path_in(*state), 0, NULL);
    assert_true(json_equal(read, result));
    json_decref(read);
    json_decref(result);
}

/* A disk that fills up after `limit` bytes. */
static int write_within(const json_t *result, const char *directory, rlim_t limit)
{
    struct rlimit old, small;
    int ret;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = limit, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ret = record_write(result, directory);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    return ret;
}

static void test_failed_write_leaves_the_old(void **state)
{
    json_t *old = example(), *fresh = begin(), *read;

    assert_int_equal(record_write(old, *state), 0);
    assert_int_equal(write_within(fresh, *state, 100), -EFBIG);
    read = json_load_file(path_in(*state), 0, NULL);
    assert_true(json_equal(read, old));
    json_decref(read);
    json_decref(old);
    json_decref(fresh);
}

static void test_write_errors(void **state)
{
    json_t *result = begin();
    char path[256];

    snprintf(path, sizeof(path), "%s/missing", (const char *)*state);
    assert_int_equal(record_write(result, path), -ENOENT);
    assert_int_equal(mkdir(path_in(*state), 0700), 0);
    assert_int_equal(record_write(result, path_in(*state)), 0);
    snprintf(path, sizeof(path), "%s/result.json", path_in(*state));
    assert_int_equal(record_write(result, path), -ENOTDIR);
    assert_int_equal(record_write(result, *state), -EISDIR); /* rename onto a directory */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(path_in(*state)), 0);
    json_decref(result);
}

/* ---- process and host ---- */

static void test_usage(void **state)
{
    const size_t size = 32 * 1024 * 1024;
    struct record_usage before, after, used;
    uint8_t *memory = malloc(size);

    (void)state;
    assert_non_null(memory);
    record_usage_now(&before);
    do {
        payload_fill(1, 0, memory, size);
        record_usage_now(&after);
        used = record_usage_between(&before, &after);
    } while (used.cpu_user_ns + used.cpu_system_ns < 20000000);
    free(memory);

    assert_true(used.wall_ns >= 10000000 && used.wall_ns < UINT64_C(60000000000));
    assert_true(used.cpu_user_ns + used.cpu_system_ns <= 2 * used.wall_ns);
    assert_true(used.faults_minor > 0 && used.faults_minor < 1000000);
    assert_true(used.memory_peak_bytes >= size && used.memory_peak_bytes < 64 * size);
}

static void test_usage_between(void **state)
{
    const struct record_usage a = {1, 2, 3, 4, 5, 6, 700}, b = {11, 22, 33, 44, 55, 66, 900};
    const struct record_usage d = record_usage_between(&a, &b);

    (void)state;
    assert_int_equal(d.wall_ns, 10);
    assert_int_equal(d.cpu_user_ns, 20);
    assert_int_equal(d.cpu_system_ns, 30);
    assert_int_equal(d.switches_voluntary, 40);
    assert_int_equal(d.switches_involuntary, 50);
    assert_int_equal(d.faults_minor, 60);
    assert_int_equal(d.memory_peak_bytes, 900);
}

static void test_host(void **state)
{
    const char *kernel, *machine;
    json_int_t cores, page_bytes;
    json_t *host = record_host();

    (void)state;
    assert_int_equal(json_unpack(host, "{s:s, s:s, s:I, s:I}", "kernel", &kernel, "machine",
                                 &machine, "cores", &cores, "page_bytes", &page_bytes),
                     0);
    assert_true(strchr(kernel, ' ') != NULL && strlen(machine) > 0);
    assert_int_equal(cores, sysconf(_SC_NPROCESSORS_ONLN));
    assert_int_equal(page_bytes, sysconf(_SC_PAGESIZE));
    if (access("/proc/loadavg", R_OK) == 0)
        assert_true(json_integer_value(json_object_get(host, "load_1m_milli")) % 10 == 0);
    if (access("/proc/sys/net/ipv4/tcp_congestion_control", R_OK) == 0)
        assert_true(json_is_string(json_object_get(host, "tcp_congestion_control")));
    json_decref(host);
}

/* ---- table ---- */

static void assert_table(const json_t *result, const char *want)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    record_print_table(out, result);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, want);
    free(text);
}

/* clang-format off */
static const char table[] =
    "workload  throughput      bytes  operations   rate     p50     p90     p99   p99.9      max\n"
    "up         1.50 GB/s    4.1 GiB           3    1/s       -       -       -       -        -\n"
    "klein-ä    64.0 kB/s  125.0 KiB        1000  500/s  500 ns  900 ns  990 ns  999 ns  1.00 us\n"
    "\n"
    "process  cpu user  cpu system  switches  preempted  faults  peak memory\n"
    "backend    1.20 s      340 ms     12345         67     890      4.8 MiB\n"
    "\n"
    "counts   notified  woken  copies  room waits  slot waits  ring full  maps  grants  ports\n"
    "backend     81234      -       -           -           -          -     -       -      -\n"
    "\n"
    "ok\n";
/* clang-format on */

static void test_table(void **state)
{
    json_t *result = example();

    (void)state;
    assert_table(result, table);
    json_decref(result);
}

/* An open loop has rows below its own; the backlog's is there only if there is one. */
static void test_open_loop(void **state)
{
    static const char head[] = "workload   throughput     bytes  operations   rate     p50     "
                               "p90     p99   p99.9     max\n"
                               "visits      32.0 kB/s  62.5 KiB        1000  500/s  300 ns  300 ns"
                               "  300 ns  300 ns  300 ns\n"
                               "  service                                           100 ns  100 ns"
                               "  100 ns  100 ns  100 ns\n"
                               "  offered                                    510/s\n";
    struct metrics_hist *latency = metrics_hist_create(METRICS_HIST_HIGHEST_NS);
    struct metrics_hist *service = metrics_hist_create(METRICS_HIST_HIGHEST_NS);
    struct record_workload visits = {.name = "visits",
                                     .duration_ns = 2000000000,
                                     .bytes = 64000,
                                     .operations = 1000,
                                     .latency = latency,
                                     .service = service,
                                     .offered_per_s = 510};
    json_t *result = begin();
    char want[1024];

    (void)state;
    metrics_hist_record(latency, 300);
    metrics_hist_record(service, 100);
    record_finish(result, 1, true);
    assert_int_equal(record_add_workload(result, &visits), 0);
    snprintf(want, sizeof(want), "%s\nok\n", head);
    assert_table(result, want);
    visits.backlog = 20;
    assert_int_equal(record_add_workload(result, &visits), 0);
    snprintf(want, sizeof(want), "%s  backlog                                20\n\nok\n", head);
    assert_table(result, want);
    metrics_hist_destroy(latency);
    metrics_hist_destroy(service);
    json_decref(result);
}

static void test_verdicts(void **state)
{
    json_t *result = begin();

    (void)state;
    assert_table(result, "INCOMPLETE\n");
    record_finish(result, 1, true);
    assert_table(result, "ok\n");
    record_add_error(result, "E0301", "byte 7 of stream 1 differs");
    assert_table(result, "error[E0301]: byte 7 of stream 1 differs\nFAIL: 1 error\n");
    record_add_error(result, "E0302", "x");
    record_finish(result, 1, false);
    assert_table(result, "error[E0301]: byte 7 of stream 1 differs\nerror[E0302]: x\n"
                         "FAIL: 2 errors, incomplete\n");
    json_decref(result);
}

/* A stored file may be anything. */
static void test_table_of_another_shape(void **state)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"points\":7,\"errors\":[3]}",
        "{\"points\":[{\"repeats\":[{\"metrics\":{\"throughput.\":7},\"processes\":[1,{\"name\":2}]"
        ","
        "\"counters\":{\"x\":\"y\"}}]}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *json = json_loads(texts[i], 0, NULL);
        FILE *out = fopen("/dev/null", "w");

        assert_non_null(json);
        assert_non_null(out);
        record_print_table(out, json);
        fclose(out);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_no_floating_point),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_no_time_no_rate),
        cmocka_unit_test(test_errors),
        cmocka_unit_test_setup_teardown(test_write, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_write_replaces, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_failed_write_leaves_the_old, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(test_write_errors, make_directory, remove_directory),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_usage_between),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_open_loop),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_table_of_another_shape),
    };

    return !!cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
