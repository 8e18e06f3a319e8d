/* metrics_hist: bucket layout, percentiles against a sorted list, merge, saturation, V2 text. What
 * HdrHistogram itself says of the same values is checked in hist_oracle. */
#include "sim/run/metrics_hist.h"

#include "ringlib/err.h"
#include "sim/time/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)

static struct metrics_hist *create(uint64_t highest_ns)
{
    struct metrics_hist *hist = metrics_hist_create(highest_ns);

    assert_non_null(hist);
    return hist;
}

/* Values whose bucket is known: unit width up to 2047, then two, then four wide. */
static void test_known_buckets(void **state)
{
    static const struct {
        uint64_t value, lowest, greatest;
        size_t index;
    } cases[] = {
        {0, 0, 0, 0},
        {1023, 1023, 1023, 1023},
        {2047, 2047, 2047, 2047},
        {2048, 2048, 2049, 2048},
        {2049, 2048, 2049, 2048},
        {2050, 2050, 2051, 2049},
        {4095, 4094, 4095, 3071},
        {4096, 4096, 4099, 3072},
        {1000000, 999936, 1000447, 11169},
        {60 * SECOND_NS, 59995324416, 60028878847, 27388},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(metrics_hist_bucket_index(cases[i].value), cases[i].index);
        assert_int_equal(metrics_hist_lowest_ns(cases[i].index), cases[i].lowest);
        assert_int_equal(metrics_hist_greatest_ns(cases[i].index), cases[i].greatest);
    }
}

/* The buckets cover all values without gap or overlap, each within three digits. */
static void test_buckets_tile(void **state)
{
    const size_t count = metrics_hist_bucket_index(METRICS_HIST_LIMIT) + 1;
    uint64_t next = 0;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        uint64_t lowest = metrics_hist_lowest_ns(i), greatest = metrics_hist_greatest_ns(i);

        assert_true(lowest == next);
        assert_int_equal(metrics_hist_bucket_index(lowest), i);
        assert_int_equal(metrics_hist_bucket_index(greatest), i);
        assert_true(lowest < 2048 ? greatest == lowest : (greatest - lowest) * 1000 < lowest);
        next = greatest + 1;
    }
    assert_true(next == METRICS_HIST_LIMIT + 1);
}

/* Sizes as HdrHistogram_c's counts_len for 1 ns, 3 digits. */
static void test_sizes(void **state)
{
    static const uint64_t sizes[][2] = {{2, 2048},
                                        {2047, 2048},
                                        {2048, 3072},
                                        {60 * SECOND_NS, 27648},
                                        {METRICS_HIST_HIGHEST_NS, 33792},
                                        {METRICS_HIST_LIMIT, 45056}};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct metrics_hist *hist = create(sizes[i][0]);

        assert_int_equal(hist->bucket_count, sizes[i][1]);
        metrics_hist_record(hist, sizes[i][0]);
        assert_int_equal(hist->saturated, 0);
        metrics_hist_destroy(hist);
    }
}

static void test_empty(void **state)
{
    struct metrics_hist *hist = create(METRICS_HIST_HIGHEST_NS);

    (void)state;
    assert_int_equal(hist->count, 0);
    assert_int_equal(metrics_hist_min_ns(hist), 0);
    assert_int_equal(metrics_hist_max_ns(hist), 0);
    assert_int_equal(metrics_hist_percentile_ns(hist, 500000), 0);
    metrics_hist_destroy(hist);
}

/* 1 to 1000: rank r is the value r. */
static void test_ranks(void **state)
{
    static const uint32_t cases[][2] = {
        {1, 1},        {1000, 1},     {1001, 2},      {500000, 500},   {500001, 501},
        {990000, 990}, {999000, 999}, {999001, 1000}, {1000000, 1000},
    };
    struct metrics_hist *hist = create(METRICS_HIST_HIGHEST_NS);

    (void)state;
    for (uint64_t value = 1000; value > 0; value--)
        metrics_hist_record(hist, value);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(metrics_hist_percentile_ns(hist, cases[i][0]), cases[i][1]);
    metrics_hist_destroy(hist);
}

/* Where count * ppm is beyond 64 bits. */
static void test_ranks_of_huge_counts(void **state)
{
    struct metrics_hist *hist = create(METRICS_HIST_HIGHEST_NS);

    (void)state;
    metrics_hist_record_many(hist, 1, 999 * (METRICS_HIST_LIMIT / 1000));
    metrics_hist_record_many(hist, 2, METRICS_HIST_LIMIT / 1000);
    assert_int_equal(metrics_hist_percentile_ns(hist, 999000), 1);
    assert_int_equal(metrics_hist_percentile_ns(hist, 999001), 2);
    metrics_hist_destroy(hist);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Latencies from 1 ns to 68 s, as many of each magnitude. */
static uint64_t random_latency(struct prng *prng)
{
    return prng_u64(prng) >> (28 + prng_below(prng, 36));
}

static void test_percentiles_of_a_sorted_list(void **state)
{
    static uint64_t values[5000];
    const size_t count = sizeof(values) / sizeof(values[0]);
    struct metrics_hist *hist = create(METRICS_HIST_HIGHEST_NS);
    struct prng prng;

    (void)state;
    prng_init(&prng, 1, "percentiles", 0);
    for (size_t i = 0; i < count; i++) {
        values[i] = random_latency(&prng);
        metrics_hist_record(hist, values[i]);
    }
    qsort(values, count, sizeof(values[0]), by_value);
    for (uint32_t ppm = 100; ppm <= 1000000; ppm += 100) {
        uint64_t exact = values[((uint64_t)ppm * count + 999999) / 1000000 - 1];
        uint64_t got = metrics_hist_percentile_ns(hist, ppm);

        assert_true(got >= exact && got - exact <= exact / 1024);
    }
    assert_true(metrics_hist_min_ns(hist) <= values[0]);
    assert_true(metrics_hist_max_ns(hist) == metrics_hist_percentile_ns(hist, 1000000));
    metrics_hist_destroy(hist);
}

static void test_saturated(void **state)
{
    struct metrics_hist *hist = create(100);

    (void)state;
    metrics_hist_record(hist, 100);
    metrics_hist_record(hist, 101);
    metrics_hist_record_many(hist, UINT64_MAX, 3);
    assert_int_equal(hist->count, 5);
    assert_int_equal(hist->saturated, 4);
    assert_int_equal(hist->buckets[100], 5);
    assert_int_equal(metrics_hist_max_ns(hist), 100);
    metrics_hist_destroy(hist);
}

static void assert_same(const struct metrics_hist *a, const struct metrics_hist *b)
{
    assert_int_equal(a->highest_ns, b->highest_ns);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->bucket_count, b->bucket_count);
    assert_memory_equal(a->buckets, b->buckets, a->bucket_count * sizeof(a->buckets[0]));
}

/* Merged parts equal what one histogram of everything would be. */
static void test_merge(void **state)
{
    struct metrics_hist *whole = create(60 * SECOND_NS), *sum = create(60 * SECOND_NS);
    struct metrics_hist *part = create(METRICS_HIST_HIGHEST_NS);
    struct prng prng;

    (void)state;
    prng_init(&prng, 2, "merge", 0);
    for (int i = 0; i < 2000; i++) {
        uint64_t value = random_latency(&prng);

        metrics_hist_record(whole, value);
        metrics_hist_record(i % 3 == 0 ? sum : part, value);
    }
    metrics_hist_record(part, 100 * SECOND_NS); /* fits the part, not the sum */
    metrics_hist_record(whole, 100 * SECOND_NS);
    part->saturated = 5;
    assert_int_equal(metrics_hist_merge(sum, part), 0);
    assert_same(sum, whole);
    assert_int_equal(sum->saturated, whole->saturated + 5);
    metrics_hist_destroy(whole);
    metrics_hist_destroy(sum);
    metrics_hist_destroy(part);
}

static void test_merge_of_too_much(void **state)
{
    struct metrics_hist *sum = create(1000), *part = create(1000);

    (void)state;
    metrics_hist_record_many(sum, 1, METRICS_HIST_LIMIT - 1);
    metrics_hist_record_many(part, 2, 2);
    assert_int_equal(metrics_hist_merge(sum, part), -ERR_OVERFLOW);
    assert_int_equal(sum->count, METRICS_HIST_LIMIT - 1);
    assert_int_equal(sum->buckets[2], 0);
    metrics_hist_destroy(sum);
    metrics_hist_destroy(part);
}

static void assert_round_trip(const struct metrics_hist *hist)
{
    char *text = metrics_hist_encode(hist);
    struct metrics_hist *read = NULL;

    assert_non_null(text);
    assert_memory_equal(text, "HISTFA", 6);
    assert_int_equal(metrics_hist_decode(text, &read), 0);
    assert_same(read, hist);
    metrics_hist_destroy(read);
    free(text);
}

static void test_text_round_trip(void **state)
{
    struct metrics_hist *hist = create(METRICS_HIST_LIMIT);
    struct prng prng;

    (void)state;
    assert_round_trip(hist);
    metrics_hist_record(hist, 0);
    assert_round_trip(hist);
    metrics_hist_record_many(hist, METRICS_HIST_LIMIT, UINT64_C(1) << 52);
    assert_round_trip(hist);
    prng_init(&prng, 3, "text", 0);
    for (int i = 0; i < 3000; i++) {
        metrics_hist_record_many(hist, random_latency(&prng), prng_below(&prng, 1u << (i % 30)));
        if (i % 100 == 0)
            assert_round_trip(hist);
    }
    metrics_hist_destroy(hist);
}

/* Every bucket in use, with counts of the greatest length: the largest text there is. */
static void test_text_of_every_bucket(void **state)
{
    struct metrics_hist *hist = create(METRICS_HIST_LIMIT);

    (void)state;
    for (size_t i = 0; i < hist->bucket_count; i++)
        metrics_hist_record_many(hist, metrics_hist_lowest_ns(i), (UINT64_C(1) << 37) + i);
    assert_round_trip(hist);
    metrics_hist_destroy(hist);
}

static void assert_refused(const char *text)
{
    struct metrics_hist *untouched = NULL;

    assert_int_equal(metrics_hist_decode(text, &untouched), -ERR_INVAL);
    assert_null(untouched);
}

static void assert_refused_or_same(const char *text, const struct metrics_hist *hist)
{
    struct metrics_hist *read = NULL;

    if (metrics_hist_decode(text, &read) == 0)
        assert_same(read, hist);
    metrics_hist_destroy(read);
}

static void test_garbage_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "H",
        "HIST",
        "====",
        "HISTFAAA",
        "HISTFAAAAAA=",
        "HISTFAAAABx42mNgYGBg",
        "\xff\xff\xff\xff",
        "AA==AAAA",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

/* No cut text decodes, and a changed character is refused or changes nothing: a deflated stream
 * has a few bits of padding that nobody reads. zlib's checksum covers what the heads do not. */
static void test_damaged_text_is_refused(void **state)
{
    struct metrics_hist *hist = create(METRICS_HIST_HIGHEST_NS);
    char *text;

    (void)state;
    for (uint64_t i = 0; i < 50; i++)
        metrics_hist_record_many(hist, i * i * i * 1000, i);
    text = metrics_hist_encode(hist);
    assert_non_null(text);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char right = text[i];

        text[i] = right == 'A' ? 'B' : 'A';
        assert_refused_or_same(text, hist);
        text[i] = '\0';
        assert_refused(text);
        text[i] = right;
    }
    free(text);
    metrics_hist_destroy(hist);
}

/* Made by another encoder: a whole stream, and such as say what cannot be or what we never say. */
static const char truthful[] =
    "HISTFAAAAB94nJNpmSzMwMDAxAABzFCaEcp9Yf8BwuJkAwBJhwN2"; /* 5 empty buckets, then 3 */
static const char *const lies[] = {
    /* more empty buckets than there are */
    "HISTFAAAAB94nJNpmSzMwMDAzAABMJoRyn1h/wHCalRgAgBOvwQL",
    /* more counts than buckets */
    "HISTFAAAACt4nJNpmSzMwMDByAABzFAaymd+Yf8BwmIaBaNgFIyCUTAKRsHIAwDUVRNw",
    /* zeros of 2^63 */
    "HISTFAAAAB94nJNpmSzMwMDAyQABzFCaEcp9Yf8BwvoPAwCPOQxl",
    /* a total above the limit */
    "HISTFAAAACJ4nJNpmSzMwMDAyQABzFCaEcp9Yf8Bwvr3HwzkmQCMcwqH",
    /* a number cut short */
    "HISTFAAAAB54nJNpmSzMwMDAyAABzFAaymd+Yf8BwmoFAEZrA+s=",
    /* 2 digits */
    "HISTFAAAAB14nJNpmSzMwMDAyAABTFAaymd+Yf8BKgEARc4DZw==",
    /* microseconds */
    "HISTFAAAACF4nJNpmSzMwMDAyAABzFDqBYi0nnWKwf4DRIQJAGATBQY=",
    /* highest 1 */
    "HISTFAAAAB14nJNpmSzMwMDAyAABzFAaxme0/wBhMAEAPMECfg==",
    /* highest 2^53 */
    "HISTFAAAAB54nJNpmSzMwMDAyAABzFCakUEBwrD/AKGZAD63Ap0=",
    /* a normalizing offset */
    "HISTFAAAAB54nJNpmSzMwMDACMXMDBDACKGYX9h/gLCYAEYGA2k=",
    /* a ratio of 2 */
    "HISTFAAAAB14nJNpmSzMwMDAyAABzFAaymd+4QAVYAIAPnECeQ==",
    /* encoding V1 */
    "HISTFAAAAB14nJNpmczIwMAAwiDADKWhfOYX9h8gLCYAQzwDVg==",
    /* compression V1 */
    "HISTAgAAAB54nJNpmSzMwMDAyAABzFAaymd+Yf8BwmICAEXoA2g=",
    /* fewer bytes of counts than said */
    "HISTFAAAAB54nJNpmSzMwMDAxAABzFCaEcp9Yf8BwmICAEYKA2k=",
    /* more bytes of counts than said */
    "HISTFAAAAB94nJNpmSzMwMDAyAABzFAaymd+Yf8BwmJiAgBJUgNq",
    /* bytes after the stream */
    "HISTFAAAAB94nJNpmSzMwMDAyAABzFAaymd+Yf8BwmICAEXoA2h4",
    /* bytes after the outer form */
    "HISTFAAAAAp4nJNpmSzMwMDAyAABzFAaymd+Yf8BwmICAEXoA2g=",
    /* a bomb */
    "HISTFAAAA/94nO3IwQ2AIBAAwRMK8OGXhFIg1kYHNmoHmoBdOPPZZMu4jtjPHkv+ukV9pnavkQAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAgN96AebLj2Y=",
};

static void test_lying_text_is_refused(void **state)
{
    struct metrics_hist *read = NULL;

    (void)state;
    assert_int_equal(metrics_hist_decode(truthful, &read), 0);
    assert_int_equal(read->count, 3);
    assert_int_equal(read->buckets[5], 3);
    metrics_hist_destroy(read);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        assert_refused(lies[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_buckets),
        cmocka_unit_test(test_buckets_tile),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_ranks_of_huge_counts),
        cmocka_unit_test(test_percentiles_of_a_sorted_list),
        cmocka_unit_test(test_saturated),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_of_too_much),
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_text_of_every_bucket),
        cmocka_unit_test(test_garbage_is_refused),
        cmocka_unit_test(test_damaged_text_is_refused),
        cmocka_unit_test(test_lying_text_is_refused),
    };

    return !!cmocka_run_group_tests_name("metrics_hist", tests, NULL, NULL);
}
