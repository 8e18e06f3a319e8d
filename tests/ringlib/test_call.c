/* Names of calls and the arithmetic of wire addresses. */
#include "ringlib/call.h"
#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void calls_have_names(void **state)
{
    (void)state;
    assert_string_equal(call_name(CALL_CONNECT), "CONNECT");
    assert_string_equal(call_name(CALL_RELEASE), "RELEASE");
    assert_string_equal(call_name(CALL_BIND), "BIND");
    assert_string_equal(call_name(CALL_LISTEN), "LISTEN");
    assert_string_equal(call_name(CALL_ACCEPT), "ACCEPT");
    assert_string_equal(call_name(CALL_POLL), "POLL");
    assert_string_equal(call_name(CALL_SOCKET), "SOCKET");
    assert_string_equal(call_name(CALL_KINDS), "UNKNOWN");
    assert_string_equal(call_name((enum call_kind)(CALL_KINDS + 1)), "UNKNOWN");
    assert_int_equal(CALL_KINDS, 7);
}

static void ipv4_address_is_a_sockaddr_in(void **state)
{
    static const uint8_t ip[4] = {192, 0, 2, 33};
    static const uint8_t expected[CALL_ADDR_BYTES] = {2, 0, 0x1f, 0x90, 192, 0, 2, 33};
    struct call_addr addr = {.bytes = {[27] = 0xff}, .len = 99};

    (void)state;
    call_addr4(&addr, ip, 8080);
    assert_memory_equal(addr.bytes, expected, sizeof(expected));
    assert_int_equal(addr.len, 16);
    assert_int_equal(call_addr_family(&addr), CALL_AF_INET);
    assert_int_equal(call_addr_port(&addr), 8080);
    assert_int_equal(call_addr_check(&addr), 0);
}

static void ipv6_address_is_a_sockaddr_in6(void **state)
{
    static const uint8_t ip[16] = {0x20, 1, 0x0d, 0xb8, [15] = 0xef};
    static const uint8_t expected[CALL_ADDR_BYTES] = {10, 0,    0xff, 0xfe, 0,    0,          0,
                                                      0,  0x20, 1,    0x0d, 0xb8, [23] = 0xef};
    struct call_addr addr = {.bytes = {[5] = 0xff, [27] = 0xff}, .len = 99};

    (void)state;
    call_addr6(&addr, ip, 65534);
    assert_memory_equal(addr.bytes, expected, sizeof(expected));
    assert_int_equal(addr.len, 28);
    assert_int_equal(call_addr_family(&addr), CALL_AF_INET6);
    assert_int_equal(call_addr_port(&addr), 65534);
    assert_int_equal(call_addr_check(&addr), 0);
}

/* Family, length and the last byte of the scope, as a guest may send them. */
static const struct {
    uint8_t family[2], scope;
    uint32_t len;
    int expected;
} checks[] = {
    {{2, 0}, 0, 16, 0},
    {{2, 0}, 1, 16, 0}, /* beyond an IPv4 address: not looked at */
    {{10, 0}, 0, 28, 0},
    {{2, 0}, 0, 0, -ERR_INVAL},
    {{2, 0}, 0, 1, -ERR_INVAL},
    {{2, 0}, 0, 2, -ERR_INVAL},
    {{2, 0}, 0, 15, -ERR_INVAL},
    {{2, 0}, 0, 17, -ERR_INVAL},
    {{2, 0}, 0, 28, -ERR_INVAL},
    {{2, 0}, 0, 29, -ERR_INVAL},
    {{2, 0}, 0, 0xffffffff, -ERR_INVAL},
    {{10, 0}, 0, 16, -ERR_INVAL},
    {{10, 0}, 0, 27, -ERR_INVAL},
    {{10, 0}, 0, 29, -ERR_INVAL},
    {{10, 0}, 1, 28, -ERR_INVAL},
    {{0, 0}, 0, 16, -ERR_AFNOSUPPORT},
    {{1, 0}, 0, 16, -ERR_AFNOSUPPORT},
    {{0, 2}, 0, 16, -ERR_AFNOSUPPORT}, /* network order */
    {{2, 1}, 0, 16, -ERR_AFNOSUPPORT},
    {{10, 1}, 0, 28, -ERR_AFNOSUPPORT},
    {{23, 0}, 0, 28, -ERR_AFNOSUPPORT},
    {{1, 0}, 0, 2, -ERR_AFNOSUPPORT},
    {{1, 0}, 0, 1, -ERR_INVAL}, /* too short to hold a family */
    {{1, 0}, 0, 29, -ERR_INVAL},
};

static void only_the_addresses_we_speak_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        struct call_addr addr = {.len = checks[i].len};

        addr.bytes[0] = checks[i].family[0];
        addr.bytes[1] = checks[i].family[1];
        addr.bytes[27] = checks[i].scope;
        if (call_addr_check(&addr) != checks[i].expected)
            fail_msg("check %zu gave %d", i, call_addr_check(&addr));
    }
}

/* Each byte of the scope counts. */
static void any_scope_is_refused(void **state)
{
    static const uint8_t ip[16] = {0xfe, 0x80, [15] = 1};
    struct call_addr addr;

    (void)state;
    for (uint32_t at = 24; at < 28; at++) {
        call_addr6(&addr, ip, 1);
        addr.bytes[at] = 0x80;
        assert_int_equal(call_addr_check(&addr), -ERR_INVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_have_names),
        cmocka_unit_test(ipv4_address_is_a_sockaddr_in),
        cmocka_unit_test(ipv6_address_is_a_sockaddr_in6),
        cmocka_unit_test(only_the_addresses_we_speak_pass),
        cmocka_unit_test(any_scope_is_refused),
    };

    return !!cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
