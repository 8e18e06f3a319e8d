/* payload: the byte function, every alignment, what a broken ring would do, header, digest. */
#include "sim/run/payload.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 16384u

static uint8_t bytes[SIZE], other[SIZE];

static uint8_t *stream(uint8_t *buffer, uint64_t seed, uint64_t id)
{
    payload_fill(payload_key(seed, id), 0, buffer, SIZE);
    return buffer;
}

/* A peer of another version or build must send these very bytes. */
static void test_golden(void **state)
{
    static const uint8_t golden[16] = {0x02, 0xa1, 0x7a, 0x56, 0xb5, 0x3b, 0x5e, 0x89,
                                       0x50, 0xf5, 0x68, 0x95, 0x4f, 0x9c, 0x2d, 0xb2};

    (void)state;
    assert_memory_equal(stream(bytes, 42, 7), golden, sizeof(golden));
}

/* Whatever the start and length, the bytes are those of the whole stream, and no other is
 * touched. */
static void test_any_range(void **state)
{
    const uint64_t key = payload_key(1, 2);

    (void)state;
    stream(bytes, 1, 2);
    for (size_t from = 0; from < 24; from++)
        for (size_t size = 0; size < 40; size++) {
            memset(other, 0xa5, 64);
            payload_fill(key, from, other + 1, size);
            assert_int_equal(other[0], 0xa5);
            assert_memory_equal(other + 1, bytes + from, size);
            assert_int_equal(other[1 + size], 0xa5);
            assert_int_equal(payload_check(key, from, other + 1, size), -1);
        }
}

static void test_any_wrong_byte(void **state)
{
    const uint64_t key = payload_key(1, 2);

    (void)state;
    for (size_t from = 0; from < 9; from++)
        for (size_t wrong = 0; wrong < 40; wrong++) {
            payload_fill(key, from, other, 40);
            other[wrong] ^= 0x80;
            assert_int_equal(payload_check(key, from, other, 40), wrong);
            assert_int_equal(payload_check(key, from, other, wrong), -1);
            other[39] ^= 1;
            assert_int_equal(payload_check(key, from, other, 40), wrong);
        }
}

static void test_far_offsets(void **state)
{
    const uint64_t key = payload_key(5, 5), far = (UINT64_C(1) << 40) + 3;

    (void)state;
    payload_fill(key, far, other, 100);
    payload_fill(key, far + 13, bytes, 50);
    assert_memory_equal(other + 13, bytes, 50);
    payload_fill(key, far & UINT32_MAX, bytes, 100);
    assert_memory_not_equal(other, bytes, 100);
}

/* Equal bytes of two sequences; independent ones have SIZE / 256 = 64 of them, sigma 8. */
static size_t equal_bytes(const uint8_t *a, const uint8_t *b, size_t size)
{
    size_t equal = 0;

    for (size_t i = 0; i < size; i++)
        equal += a[i] == b[i];
    return equal;
}

static void test_streams_differ_everywhere(void **state)
{
    static const uint64_t pairs[][2] = {{1, 1}, {2, 0},          {0, 0},
                                        {0, 1}, {UINT64_MAX, 0}, {1, 0x9e3779b97f4a7c15u}};

    (void)state;
    stream(bytes, 1, 0);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_in_range(equal_bytes(bytes, stream(other, pairs[i][0], pairs[i][1]), SIZE), 24, 104);
}

/* A stream is no shifted copy of itself or of a neighbour, at any distance a ring could cause. */
static void test_no_shift_matches(void **state)
{
    static const size_t shifts[] = {1, 2, 7, 8, 9, 16, 63, 64, 512, 4095, 4096, 8192};

    (void)state;
    stream(bytes, 1, 0);
    stream(other, 1, 1);
    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        size_t size = SIZE - shifts[i], most = size / 256 + 48;

        assert_in_range(equal_bytes(bytes, bytes + shifts[i], size), 1, most);
        assert_in_range(equal_bytes(bytes, other + shifts[i], size), 1, most);
    }
}

static void test_every_bit_is_even(void **state)
{
    (void)state;
    stream(bytes, 9, 9);
    for (size_t bit = 0; bit < 64; bit++) {
        size_t ones = 0;

        for (size_t i = bit / 8; i < SIZE; i += 8)
            ones += (size_t)bytes[i] >> (bit % 8) & 1;
        assert_in_range(ones, SIZE / 16 - 140, SIZE / 16 + 140); /* sigma is 22.6 */
    }
}

/* What a broken ring delivers; `first` is the first byte that is then wrong. */
static void expect_detected(uint64_t key, size_t first)
{
    ptrdiff_t wrong = payload_check(key, 0, bytes, SIZE);

    assert_in_range(wrong, first, first + 3); /* a changed byte can equal the right one by chance */
}

static void swap_blocks(size_t a, size_t b, size_t size)
{
    memcpy(other, bytes + a, size);
    memcpy(bytes + a, bytes + b, size);
    memcpy(bytes + b, other, size);
}

static void test_broken_delivery_is_seen(void **state)
{
    const uint64_t key = payload_key(11, 0);

    (void)state;
    stream(bytes, 11, 0);
    memmove(bytes + 4096, bytes + 4097, SIZE - 4097); /* one byte lost */
    expect_detected(key, 4096);
    stream(bytes, 11, 0);
    memmove(bytes + 4097, bytes + 4096, SIZE - 4097); /* one byte twice */
    expect_detected(key, 4097);
    stream(bytes, 11, 0);
    swap_blocks(128, 192, 64);
    expect_detected(key, 128);
    stream(bytes, 11, 0);
    swap_blocks(0, 8192, 4096);
    expect_detected(key, 0);
    stream(bytes, 11, 0);
    memcpy(bytes + 8192, bytes + 4096, 4096); /* a page repeated */
    expect_detected(key, 8192);
    stream(bytes, 11, 0);
    memset(bytes + 1000, 0, 64); /* never written */
    expect_detected(key, 1000);
}

static void test_header(void **state)
{
    static const uint8_t golden[PAYLOAD_HEADER_BYTES] = {
        'X',  'S',  'P',  'L',  1,    0,    2,    0,    0x08, 7,    6, 5, 4, 3, 2, 1,
        0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0xff, 0xee, 0, 0, 0, 0, 0, 0};
    const struct payload_header header = {.mode = PAYLOAD_DOWN,
                                          .seed = 0x0102030405060708,
                                          .stream = 0x1112131415161718,
                                          .bytes = 0xeeff};
    struct payload_header read;
    uint8_t wire[PAYLOAD_HEADER_BYTES];

    (void)state;
    payload_header_pack(&header, wire);
    assert_memory_equal(wire, golden, sizeof(golden));
    assert_int_equal(payload_header_unpack(wire, &read), 0);
    assert_int_equal(read.mode, header.mode);
    assert_true(read.seed == header.seed && read.stream == header.stream);
    assert_true(read.bytes == header.bytes);
}

static void test_header_of_a_stranger(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int ret;
    } cases[] = {{0, 'x', -ERR_INVAL},        {3, 0, -ERR_INVAL},
                 {4, 2, -ERR_PROTONOSUPPORT}, {5, 1, -ERR_PROTONOSUPPORT},
                 {6, 0, -ERR_PROTONOSUPPORT}, {6, 5, -ERR_PROTONOSUPPORT},
                 {7, 1, -ERR_PROTONOSUPPORT}, {6, PAYLOAD_UP, 0}};
    uint8_t wire[PAYLOAD_HEADER_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct payload_header header = {.mode = PAYLOAD_BOTH, .seed = 1}, read = {.bytes = 77};

        payload_header_pack(&header, wire);
        wire[cases[i].at] = cases[i].value;
        assert_int_equal(payload_header_unpack(wire, &read), cases[i].ret);
        assert_int_equal(read.bytes, cases[i].ret == 0 ? 0 : 77);
    }
}

/* What a request opens with says where it belongs, and any bit of it that is wrong is seen. */
static void test_ask(void **state)
{
    static const uint8_t golden[8] = {0x40, 0, 0, 0, 0x56, 0x34, 0x12, 0};
    const struct payload_ask ask = {64, 0x123456};
    struct payload_ask read = {7, 7};
    uint8_t wire[PAYLOAD_ASK_BYTES];
    uint64_t key = payload_key(1, 2);

    (void)state;
    payload_ask_pack(&ask, key, 4096, wire);
    assert_memory_equal(wire, golden, sizeof(golden));
    for (uint32_t bit = 0; bit < 8 * PAYLOAD_ASK_BYTES; bit++) {
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(payload_ask_unpack(wire, key, 4096, &read) >= 0);
        wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(payload_ask_unpack(wire, key, 4095, &read) == 8);
    assert_true(payload_ask_unpack(wire, key + 1, 4096, &read) == 8);
    assert_true(read.request_bytes == 7 && read.response_bytes == 7);
    assert_true(payload_ask_unpack(wire, key, 4096, &read) == -1);
    assert_true(read.request_bytes == 64 && read.response_bytes == 0x123456);
    payload_ask_pack(&(struct payload_ask){PAYLOAD_ASK_BYTES - 1, 1}, key, 0, wire);
    assert_true(payload_ask_unpack(wire, key, 0, &read) == 0);
    payload_ask_pack(&(struct payload_ask){PAYLOAD_ASK_BYTES, 0}, key, 0, wire);
    assert_true(payload_ask_unpack(wire, key, 0, &read) == 4);
    assert_true(payload_answer_key(key) != key);
}

/* The values are xxh128sum's, of no bytes and of the numbers 0 to 255. */
static void test_digest(void **state)
{
    char text[PAYLOAD_DIGEST_TEXT_BYTES];
    struct payload_digest digest;
    uint8_t byte = 0;

    (void)state;
    assert_int_equal(payload_digest_init(&digest), 0);
    payload_digest_text(&digest, text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
    do
        payload_digest_update(&digest, &byte, 1);
    while (++byte != 0);
    payload_digest_text(&digest, text);
    assert_string_equal(text, "f1f8a93f50849ac39408a4433b952d71");
    payload_digest_fini(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_any_range),
        cmocka_unit_test(test_any_wrong_byte),
        cmocka_unit_test(test_far_offsets),
        cmocka_unit_test(test_streams_differ_everywhere),
        cmocka_unit_test(test_no_shift_matches),
        cmocka_unit_test(test_every_bit_is_even),
        cmocka_unit_test(test_broken_delivery_is_seen),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_header_of_a_stranger),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_digest),
    };

    return !!cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
