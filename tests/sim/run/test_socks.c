/* SOCKS version 5 before the bytes: every form of a request, in every part, and what is none. The
 * bytes are RFC 1928's. */
#include "sim/run/socks.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Give `bytes` one by one; what was used is taken away. The verdict that is not MORE, and how many
 * bytes it took to come to it. */
static enum socks_verdict feed(struct socks *socks, const void *bytes, uint32_t count,
                               uint32_t *taken)
{
    uint32_t used;

    for (*taken = 1; *taken <= count; ++*taken) {
        uint8_t *held = malloc(*taken); /* what lies behind is not there: ASan looks */
        assert_non_null(held);
        memcpy(held, bytes, *taken);
        enum socks_verdict verdict = socks_take(socks, held, *taken, &used);
        free(held);
        if (verdict != SOCKS_MORE) {
            assert_in_range(used, 0, *taken);
            return verdict;
        }
        assert_int_equal(used, 0);
    }
    return SOCKS_MORE;
}

static void greet(struct socks *socks)
{
    uint32_t taken;

    *socks = (struct socks){.greeted = false};
    assert_int_equal(feed(socks, "\x05\x02\x02\x00", 4, &taken), SOCKS_ANSWER);
    assert_int_equal(taken, 4);
    assert_int_equal(socks->reply_bytes, 2);
    assert_memory_equal(socks->reply, "\x05\x00", 2);
}

static void it_needs_a_method_without_authentication(void **state)
{
    struct socks socks = {.greeted = false};
    uint32_t taken;

    (void)state;
    greet(&socks);
    socks = (struct socks){.greeted = false};
    assert_int_equal(feed(&socks, "\x05\x01\x02", 3, &taken), SOCKS_BROKEN);
    assert_memory_equal(socks.reply, "\x05\xff", 2);
    socks = (struct socks){.greeted = false};
    assert_int_equal(feed(&socks, "\x05\x00", 2, &taken), SOCKS_BROKEN);
    assert_memory_equal(socks.reply, "\x05\xff", 2);
}

static void another_protocol_is_not_answered(void **state)
{
    struct socks socks = {.greeted = false};
    uint32_t taken;

    (void)state;
    assert_int_equal(feed(&socks, "GET / HTTP/1.0", 14, &taken), SOCKS_BROKEN);
    assert_int_equal(taken, 1);
    assert_int_equal(socks.reply_bytes, 0);
    greet(&socks);
    assert_int_equal(feed(&socks, "\x04\x01\x00\x01", 4, &taken), SOCKS_BROKEN);
    assert_int_equal(socks.reply_bytes, 0);
}

static void a_request_has_an_address_or_a_name(void **state)
{
    struct socks socks;
    struct call_addr addr;
    uint32_t taken;
    static const uint8_t v6[22] = {5, 1, 0, 4, [19] = 1, 0x1f, 0x90};

    (void)state;
    greet(&socks);
    assert_int_equal(feed(&socks, "\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", 10, &taken),
                     SOCKS_CONNECT);
    assert_int_equal(taken, 10);
    call_addr4(&addr, (const uint8_t[]){127, 0, 0, 1}, 80);
    assert_memory_equal(&socks.addr, &addr, sizeof(addr));
    assert_string_equal(socks.name, "");

    greet(&socks);
    assert_int_equal(feed(&socks, v6, sizeof(v6), &taken), SOCKS_CONNECT);
    assert_int_equal(taken, 22);
    call_addr6(&addr, v6 + 4, 8080);
    assert_memory_equal(&socks.addr, &addr, sizeof(addr));

    greet(&socks);
    assert_int_equal(feed(&socks, "\x05\x01\x00\x03\x04here\x01\xbb", 11, &taken), SOCKS_CONNECT);
    assert_int_equal(taken, 11);
    assert_string_equal(socks.name, "here");
    assert_int_equal(socks.port, 443);
}

/* As CONNECT, but for the verdict. */
static void a_request_may_be_to_bind(void **state)
{
    struct socks socks;
    struct call_addr addr;
    uint32_t taken;

    (void)state;
    greet(&socks);
    assert_int_equal(feed(&socks, "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", 10, &taken),
                     SOCKS_BIND);
    assert_int_equal(taken, 10);
    call_addr4(&addr, (const uint8_t[4]){0}, 0);
    assert_memory_equal(&socks.addr, &addr, sizeof(addr));
    greet(&socks);
    assert_int_equal(feed(&socks, "\x05\x02\x00\x03\x04here\x01\xbb", 11, &taken), SOCKS_BIND);
    assert_string_equal(socks.name, "here");
    assert_int_equal(socks.port, 443);
}

static void the_longest_name_fits(void **state)
{
    struct socks socks;
    uint8_t request[SOCKS_TALK_BYTES] = {5, 1, 0, 3, 255};
    uint32_t taken;

    (void)state;
    memset(request + 5, 'n', 255);
    greet(&socks);
    assert_int_equal(feed(&socks, request, sizeof(request), &taken), SOCKS_CONNECT);
    assert_int_equal(taken, SOCKS_TALK_BYTES);
    assert_int_equal(strlen(socks.name), 255);
}

static void what_it_does_not_do_is_answered(void **state)
{
    static const struct {
        uint8_t request[10];
        uint8_t reply;
    } bad[] = {
        {{5, 3, 0, 1, 127, 0, 0, 1, 0, 80}, 7},   /* UDP ASSOCIATE */
        {{5, 1, 0, 9, 0, 0, 0, 0, 0, 0}, 8},      /* no kind of address */
        {{5, 1, 0, 3, 0, 0, 80, 0, 0, 0}, 1},     /* an empty name */
        {{5, 1, 0, 3, 3, 'a', 0, 'b', 0, 80}, 1}, /* a NUL in it */
    };
    struct socks socks;
    uint32_t taken;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        greet(&socks);
        assert_int_equal(feed(&socks, bad[i].request, sizeof(bad[i].request), &taken),
                         SOCKS_BROKEN);
        assert_int_equal(socks.reply_bytes, 10);
        assert_int_equal(socks.reply[1], bad[i].reply);
    }
}

static void answers_say_what_the_error_was(void **state)
{
    static const struct {
        int32_t error;
        uint8_t reply;
    } rows[] = {{0, 0},          {-ERR_ACCES, 2},       {-ERR_NETUNREACH, 3}, {-ERR_HOSTUNREACH, 4},
                {-ERR_NOENT, 4}, {-ERR_CONNREFUSED, 5}, {-ERR_TIMEDOUT, 6},   {-ERR_AFNOSUPPORT, 8},
                {-ERR_MFILE, 1}};
    struct socks socks;
    struct call_addr addr;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        socks_answer(&socks, rows[i].error, NULL);
        assert_int_equal(socks.reply_bytes, 10);
        assert_int_equal(socks.reply[1], rows[i].reply);
        assert_memory_equal(socks.reply + 3, "\x01\x00\x00\x00\x00\x00\x00", 7);
    }
    call_addr6(&addr, (const uint8_t[16]){[15] = 1}, 0x1234);
    socks_answer(&socks, 0, &addr);
    assert_int_equal(socks.reply_bytes, SOCKS_REPLY_BYTES);
    assert_memory_equal(socks.reply, "\x05\x00\x00\x04", 4);
    assert_int_equal(socks.reply[19], 1);
    assert_memory_equal(socks.reply + 20, "\x12\x34", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_needs_a_method_without_authentication),
        cmocka_unit_test(another_protocol_is_not_answered),
        cmocka_unit_test(a_request_has_an_address_or_a_name),
        cmocka_unit_test(a_request_may_be_to_bind),
        cmocka_unit_test(the_longest_name_fits),
        cmocka_unit_test(what_it_does_not_do_is_answered),
        cmocka_unit_test(answers_say_what_the_error_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
