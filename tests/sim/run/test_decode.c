/*
 * Captures that are damaged: every truncation of a small file, and every byte changed, is read to
 * its end or to a fault, and whatever comes out is text, and JSON. And clocks of every resolution.
 *
 * What is read of good files, and how faults are worded: tests/decode.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "ringlib/err.h"
#include "sim/run/decode.h"
#include "tests/support/captures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_BYTES_MAX = 8192, BLOCKS_MAX = 64 };

/* A file under construction, and where its blocks end. */
struct made {
    uint8_t bytes[FILE_BYTES_MAX];
    uint32_t size;
    uint32_t ends[BLOCKS_MAX];
    bool is_packet[BLOCKS_MAX];
    uint32_t blocks, packets;
};

static void put(struct made *made, const void *from, uint32_t size)
{
    assert_true(made->size + size <= sizeof(made->bytes));
    memcpy(made->bytes + made->size, from, size);
    made->size += size;
}

static void put_u32(struct made *made, uint32_t value)
{
    put(made, &value, sizeof(value));
}

static void put_block(struct made *made, uint32_t type, const void *body, uint32_t size)
{
    static const uint8_t zero[4];
    uint32_t padded = (size + 3) / 4 * 4;

    put_u32(made, type);
    put_u32(made, padded + 12);
    put(made, body, size);
    put(made, zero, padded - size);
    put_u32(made, padded + 12);
    assert_true(made->blocks < BLOCKS_MAX);
    made->is_packet[made->blocks] = type == 6;
    made->ends[made->blocks++] = made->size;
    made->packets += type == 6;
}

static void put_section(struct made *made)
{
    const uint32_t body[] = {0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX};

    put_block(made, 0x0a0d0d0a, body, sizeof(body));
}

static void put_interface(struct made *made, uint8_t resolution, int64_t since_s)
{
    struct {
        uint16_t link_type, zero;
        uint32_t snap_bytes;
        uint16_t code, bytes;
        uint8_t resolution, pad[3];
        uint16_t code2, bytes2;
        uint32_t since[2];
        uint32_t end;
    } body = {CAPTURE_LINKTYPE, 0, 0, 9, 1, resolution, {0}, 14, 8, {0}, 0};

    memcpy(body.since, &since_s, sizeof(since_s));
    put_block(made, 1, &body, sizeof(body));
}

static void put_packet(struct made *made, uint64_t ticks, struct capture_header header,
                       const void *slot)
{
    struct {
        uint32_t interface, high, low, bytes, original;
        uint8_t data[sizeof(struct capture_header) + DIALECT_SLOT_MAX];
    } body = {0, (uint32_t)(ticks >> 32), (uint32_t)ticks, 0, 0, {0}};

    header.version = CAPTURE_VERSION;
    header.front = 1;
    body.bytes = body.original = (uint32_t)sizeof(header) + (slot ? header.bytes : 0);
    memcpy(body.data, &header, sizeof(header));
    if (slot)
        memcpy(body.data + sizeof(header), slot, header.bytes);
    put_block(made, 6, &body, 20 + body.bytes);
}

static void put_call(struct made *made, uint32_t place, enum call_kind kind)
{
    const struct dialect *dialect = dialect_at(place);
    struct call call = {.kind = kind, .id = 7, .sockid = 11, .new_sockid = 12, .evtchn = 5};
    struct call_reply reply = {.id = 7, .code = dialect->calls[kind].code, .ret = -ERR_CONNREFUSED};
    struct capture_header header = {.kind = CAPTURE_REQUEST, .dialect = (uint8_t)place};
    const uint8_t ip[4] = {127, 0, 0, 1};
    uint8_t slot[DIALECT_SLOT_MAX];

    call_addr4(&call.addr, ip, 80);
    call.refs[0] = 9;
    dialect_pack_call(dialect, &call, slot);
    header.bytes = dialect->request_bytes;
    put_packet(made, 100, header, slot);
    dialect_pack_reply(dialect, &reply, slot);
    header.kind = CAPTURE_RESPONSE;
    header.moved = CAPTURE_CONSUMED;
    header.bytes = dialect->response_bytes;
    put_packet(made, 200, header, slot);
}

/* A file with each kind of block and packet. */
static void make(struct made *made)
{
    const uint32_t statistics[] = {0, 0, 0, 5 | 8 << 16, 3, 0, 0}, stranger[] = {1, 2, 3};

    memset(made, 0, sizeof(*made));
    put_section(made);
    put_interface(made, 9, 0);
    put_call(made, 1, CALL_CONNECT);
    put_call(made, 1, CALL_SOCKET);
    put_call(made, 2, CALL_ACCEPT);
    put_block(made, 0x0bad, stranger, sizeof(stranger));
    put_packet(made, 300, (struct capture_header){.kind = CAPTURE_NOTIFY, .index = 4}, NULL);
    put_packet(made, 400,
               (struct capture_header){.kind = CAPTURE_INDEX,
                                       .ring = CAPTURE_DATA,
                                       .what = CAPTURE_IN_ERROR,
                                       .index = (uint32_t)-ERR_NOTCONN},
               NULL);
    put_block(made, 5, statistics, sizeof(statistics));
}

/* ---- tests ---- */

static struct made made;

static void test_truncated(void **state)
{
    uint32_t block = 0, packets = 0;

    (void)state;
    make(&made);
    for (uint32_t size = 1; size <= made.size; size++) {
        bool is_end = size == made.ends[block];

        packets += is_end && made.is_packet[block];
        block += is_end;
        struct captures_outcome outcome = captures_read(made.bytes, size);
        assert_int_equal(outcome.packets, packets);
        assert_int_equal(outcome.end, is_end ? 0 : -1);
        if (!is_end && block > 0)
            assert_int_equal(outcome.fault.offset, size);
    }
    assert_int_equal(packets, made.packets);
}

static void test_changed(void **state)
{
    static const uint8_t changes[] = {0x01, 0x10, 0xff};

    (void)state;
    make(&made);
    for (uint32_t i = 0; i < made.size * sizeof(changes); i++) {
        uint8_t *byte = &made.bytes[i / sizeof(changes)], before = *byte;

        *byte ^= changes[i % sizeof(changes)];
        struct captures_outcome outcome = captures_read(made.bytes, made.size);
        assert_true(outcome.packets <= made.packets && outcome.end <= 0);
        if (outcome.end < 0)
            assert_true(outcome.fault.what[0] && outcome.fault.offset <= made.size);
        *byte = before;
    }
    assert_int_equal(captures_read(made.bytes, made.size).packets, made.packets);
}

#define NEVER UINT64_MAX

static const struct {
    uint8_t resolution;
    int64_t since_s;
    uint64_t ticks, time_ns;
} clocks[] = {
    {9, 0, 1, 1},
    {6, 0, 1234567, 1234567000},
    {0, 0, 3, UINT64_C(3000000000)},
    {12, 0, 1999, 1},
    {19, 0, UINT64_MAX, 1844674407},
    {9, 0, UINT64_C(18446744072999999999), UINT64_C(18446744072999999999)},
    {9, 0, UINT64_C(18446744073000000000), NEVER},
    {0, 0, UINT64_MAX, NEVER},
    {9, -1, UINT64_C(2500000000), UINT64_C(1500000000)},
    {9, -3, UINT64_C(2500000000), NEVER},
    {9, 2, 5, UINT64_C(2000000005)},
    {9, INT64_MAX, 5, NEVER},
    {9, INT64_MIN, 5, NEVER},
    {0x80, 0, 2, UINT64_C(2000000000)},
    {0x80 | 10, 0, 1, 976562},
    {0x80 | 10, 0, 3 << 10 | 512, UINT64_C(3500000000)},
    {0x80 | 63, 0, UINT64_MAX, UINT64_C(1999999999)},
    {20, 0, 0, NEVER},
    {0x80 | 64, 0, 0, NEVER},
};

static void test_clocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        struct pcapng_read_packet packet;
        struct pcapng_fault fault;

        memset(&made, 0, sizeof(made));
        put_section(&made);
        put_interface(&made, clocks[i].resolution, clocks[i].since_s);
        put_packet(&made, clocks[i].ticks, (struct capture_header){.kind = CAPTURE_NOTIFY}, NULL);
        FILE *in = fmemopen(made.bytes, made.size, "r");
        assert_non_null(in);
        struct pcapng_reader *file = pcapng_read_open(in);
        int got = pcapng_read_next(file, &packet, &fault);
        assert_int_equal(got, clocks[i].time_ns == NEVER ? -1 : 1);
        if (got == 1 && packet.time_ns != clocks[i].time_ns)
            fail_msg("row %zu gives %llu ns", i, (unsigned long long)packet.time_ns);
        pcapng_read_close(file);
        fclose(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
