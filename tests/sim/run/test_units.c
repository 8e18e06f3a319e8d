/* Units: every suffix, every fault, the last value that fits and the first that does not. */
#include "sim/run/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_parsed(enum units_fault (*parse)(const char *, uint64_t *), const char *text,
                          uint64_t expected)
{
    uint64_t value = 0;

    if (parse(text, &value) != UNITS_OK || value != expected)
        fail_msg("'%s' gave %llu", text, (unsigned long long)value);
}

static void assert_fault(enum units_fault (*parse)(const char *, uint64_t *), const char *text,
                         enum units_fault expected)
{
    uint64_t value = 77;
    enum units_fault fault = parse(text, &value);

    if (fault != expected || value != 77)
        fail_msg("'%s' gave fault %d, value %llu", text, (int)fault, (unsigned long long)value);
}

static void counts(void **state)
{
    (void)state;
    assert_parsed(units_parse_count, "0", 0);
    assert_parsed(units_parse_count, "18446744073709551615", UINT64_MAX);
    assert_fault(units_parse_count, "18446744073709551616", UNITS_OVERFLOW);
    assert_fault(units_parse_count, "99999999999999999999", UNITS_OVERFLOW);
    assert_fault(units_parse_count, "", UNITS_MALFORMED);
    assert_fault(units_parse_count, "-1", UNITS_MALFORMED);
    assert_fault(units_parse_count, "+1", UNITS_MALFORMED);
    assert_fault(units_parse_count, " 1", UNITS_MALFORMED);
    assert_fault(units_parse_count, "1 ", UNITS_MALFORMED);
    assert_fault(units_parse_count, "010", UNITS_MALFORMED);
    assert_fault(units_parse_count, "0x10", UNITS_MALFORMED);
    assert_fault(units_parse_count, "1e3", UNITS_MALFORMED);
    assert_fault(units_parse_count, "5s", UNITS_MALFORMED);
}

static void durations(void **state)
{
    (void)state;
    assert_parsed(units_parse_duration, "0s", 0);
    assert_parsed(units_parse_duration, "3ns", 3);
    assert_parsed(units_parse_duration, "250us", 250000);
    assert_parsed(units_parse_duration, "200ms", 200000000);
    assert_parsed(units_parse_duration, "2s", 2000000000);
    assert_parsed(units_parse_duration, "2min", UINT64_C(120000000000));
    assert_parsed(units_parse_duration, "18446744073s", UINT64_C(18446744073000000000));
    assert_fault(units_parse_duration, "18446744074s", UNITS_OVERFLOW);
    assert_fault(units_parse_duration, "5", UNITS_NO_UNIT);
    assert_fault(units_parse_duration, "0", UNITS_NO_UNIT);
    assert_fault(units_parse_duration, "5h", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_duration, "5S", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_duration, "5KiB", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_duration, "5 s", UNITS_MALFORMED);
    assert_fault(units_parse_duration, "1.5s", UNITS_MALFORMED);
    assert_fault(units_parse_duration, "-5s", UNITS_MALFORMED);
    assert_fault(units_parse_duration, "s", UNITS_MALFORMED);
    assert_fault(units_parse_duration, "1s2", UNITS_MALFORMED);
}

static void sizes(void **state)
{
    (void)state;
    assert_parsed(units_parse_size, "0", 0);
    assert_parsed(units_parse_size, "1500", 1500);
    assert_parsed(units_parse_size, "1500B", 1500);
    assert_parsed(units_parse_size, "2kB", 2000);
    assert_parsed(units_parse_size, "2MB", 2000000);
    assert_parsed(units_parse_size, "2GB", 2000000000);
    assert_parsed(units_parse_size, "64KiB", 65536);
    assert_parsed(units_parse_size, "4MiB", 4194304);
    assert_parsed(units_parse_size, "1GiB", 1073741824);
    assert_parsed(units_parse_size, "17179869183GiB", UINT64_C(18446744072635809792));
    assert_fault(units_parse_size, "17179869184GiB", UNITS_OVERFLOW);
    assert_fault(units_parse_size, "64KB", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_size, "64k", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_size, "64Kib", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_size, "1_000", UNITS_MALFORMED);
    assert_fault(units_parse_size, "KiB", UNITS_MALFORMED);
}

static void rates(void **state)
{
    (void)state;
    assert_parsed(units_parse_rate, "0/s", 0);
    assert_parsed(units_parse_rate, "5000/s", 5000);
    assert_parsed(units_parse_rate, "18446744073709551615/s", UINT64_MAX);
    assert_fault(units_parse_rate, "18446744073709551616/s", UNITS_OVERFLOW);
    assert_fault(units_parse_rate, "5000", UNITS_NO_UNIT);
    assert_fault(units_parse_rate, "5/ms", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_rate, "5/", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_rate, "5s", UNITS_MALFORMED);
    assert_fault(units_parse_rate, "5 /s", UNITS_MALFORMED);
    assert_fault(units_parse_rate, "0.5/s", UNITS_MALFORMED);
    assert_fault(units_parse_rate, "/s", UNITS_MALFORMED);
}

static void bandwidths(void **state)
{
    (void)state;
    assert_parsed(units_parse_bandwidth, "0B/s", 0);
    assert_parsed(units_parse_bandwidth, "8bit/s", 1);
    assert_parsed(units_parse_bandwidth, "8kbit/s", 1000);
    assert_parsed(units_parse_bandwidth, "100Mbit/s", 12500000);
    assert_parsed(units_parse_bandwidth, "10Gbit/s", 1250000000);
    assert_parsed(units_parse_bandwidth, "2.5Gbit/s", 312500000);
    assert_parsed(units_parse_bandwidth, "7B/s", 7);
    assert_parsed(units_parse_bandwidth, "7kB/s", 7000);
    assert_parsed(units_parse_bandwidth, "7MB/s", 7000000);
    assert_parsed(units_parse_bandwidth, "0.000000007GB/s", 7);
    assert_parsed(units_parse_bandwidth, "18446744073709551608bit/s",
                  UINT64_C(2305843009213693951));
    assert_fault(units_parse_bandwidth, "2305843009213693952B/s", UNITS_OVERFLOW);
    assert_fault(units_parse_bandwidth, "7bit/s", UNITS_TOO_FINE);
    assert_fault(units_parse_bandwidth, "0.5B/s", UNITS_TOO_FINE);
    assert_fault(units_parse_bandwidth, "0.3bit/s", UNITS_TOO_FINE);
    assert_fault(units_parse_bandwidth, "10", UNITS_NO_UNIT);
    assert_fault(units_parse_bandwidth, "0", UNITS_NO_UNIT);
    assert_fault(units_parse_bandwidth, "10Gbps", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_bandwidth, "10Gb/s", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_bandwidth, "10gbit/s", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_bandwidth, "10KiB/s", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_bandwidth, "10/s", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_bandwidth, "10 Gbit/s", UNITS_MALFORMED);
    assert_fault(units_parse_bandwidth, "1.Gbit/s", UNITS_MALFORMED);
    assert_fault(units_parse_bandwidth, "1.2.3Gbit/s", UNITS_MALFORMED);
    assert_fault(units_parse_bandwidth, "-1Gbit/s", UNITS_MALFORMED);
    assert_fault(units_parse_bandwidth, "Gbit/s", UNITS_MALFORMED);
    assert_fault(units_parse_bandwidth, "unlimited", UNITS_MALFORMED);
}

static void shares(void **state)
{
    (void)state;
    assert_parsed(units_parse_share, "0%", 0);
    assert_parsed(units_parse_share, "0.1%", 1000);
    assert_parsed(units_parse_share, "50%", 500000);
    assert_parsed(units_parse_share, "100%", 1000000);
    assert_parsed(units_parse_share, "0.0001%", 1);
    assert_parsed(units_parse_share, "250ppm", 250);
    assert_parsed(units_parse_share, "1844674407370955.1615%", UINT64_MAX);
    assert_fault(units_parse_share, "1844674407370955.1616%", UNITS_OVERFLOW);
    assert_fault(units_parse_share, "0.00001%", UNITS_TOO_FINE);
    assert_fault(units_parse_share, "0.5ppm", UNITS_TOO_FINE);
    assert_fault(units_parse_share, "0.1", UNITS_NO_UNIT);
    assert_fault(units_parse_share, "0", UNITS_NO_UNIT);
    assert_fault(units_parse_share, "1%%", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_share, "1PPM", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_share, "1 %", UNITS_MALFORMED);
    assert_fault(units_parse_share, "%", UNITS_MALFORMED);
    assert_fault(units_parse_share, "-1%", UNITS_MALFORMED);
    assert_fault(units_parse_share, ".1%", UNITS_MALFORMED);
}

static void fine_durations(void **state)
{
    (void)state;
    assert_parsed(units_parse_fine_duration, "0ns", 0);
    assert_parsed(units_parse_fine_duration, "0.1ns", 100);
    assert_parsed(units_parse_fine_duration, "21ps", 21);
    assert_parsed(units_parse_fine_duration, "2.6us", 2600000);
    assert_parsed(units_parse_fine_duration, "2.600us", 2600000);
    assert_parsed(units_parse_fine_duration, "1.5ms", 1500000000);
    assert_parsed(units_parse_fine_duration, "0.000000000001s", 1);
    assert_parsed(units_parse_fine_duration, "18446744.073709551615s",
                  UINT64_C(18446744073709551615));
    assert_fault(units_parse_fine_duration, "18446744.073709551616s", UNITS_OVERFLOW);
    assert_fault(units_parse_fine_duration, "18446745s", UNITS_OVERFLOW);
    assert_fault(units_parse_fine_duration, "0.1ps", UNITS_TOO_FINE);
    assert_fault(units_parse_fine_duration, "0.0001ns", UNITS_TOO_FINE);
    assert_fault(units_parse_fine_duration, "2.6", UNITS_NO_UNIT);
    assert_fault(units_parse_fine_duration, "2.6min", UNITS_UNKNOWN_UNIT);
    assert_fault(units_parse_fine_duration, "2.us", UNITS_MALFORMED);
    assert_fault(units_parse_fine_duration, ".6us", UNITS_MALFORMED);
    assert_fault(units_parse_fine_duration, "2.6.1us", UNITS_MALFORMED);
    assert_fault(units_parse_fine_duration, "02.6us", UNITS_MALFORMED);
    assert_fault(units_parse_fine_duration, "-2.6us", UNITS_MALFORMED);
    assert_fault(units_parse_fine_duration, "2,6us", UNITS_MALFORMED);
    assert_fault(units_parse_fine_duration, "", UNITS_MALFORMED);
}

static void decimals(void **state)
{
    (void)state;
    assert_parsed(units_parse_decimal, "0", 0);
    assert_parsed(units_parse_decimal, "0.25", 250000);
    assert_parsed(units_parse_decimal, "1.000000", 1000000);
    assert_parsed(units_parse_decimal, "0.000001", 1);
    assert_parsed(units_parse_decimal, "18446744073709.551615", UINT64_MAX);
    assert_fault(units_parse_decimal, "18446744073709.551616", UNITS_OVERFLOW);
    assert_fault(units_parse_decimal, "0.0000001", UNITS_TOO_FINE);
    assert_fault(units_parse_decimal, "0.25us", UNITS_MALFORMED);
    assert_fault(units_parse_decimal, "1e-3", UNITS_MALFORMED);
    assert_fault(units_parse_decimal, "1.", UNITS_MALFORMED);
    assert_fault(units_parse_decimal, "", UNITS_MALFORMED);
}

static void fine_formats(void **state)
{
    (void)state;
    assert_string_equal(units_format_fine_duration(0).text, "0ps");
    assert_string_equal(units_format_fine_duration(2600000).text, "2600ns");
    assert_string_equal(units_format_fine_duration(UINT64_C(1000000000000)).text, "1s");
    assert_string_equal(units_format_decimal(0).text, "0");
    assert_string_equal(units_format_decimal(250000).text, "0.25");
    assert_string_equal(units_format_decimal(1000001).text, "1.000001");
    assert_string_equal(units_format_decimal(1000000000).text, "1000");
}

static void network_formats(void **state)
{
    static const uint64_t values[] = {0, 1, 125, 1000, 312500000, 1250000000, 1234567};
    uint64_t value;

    (void)state;
    assert_string_equal(units_format_bandwidth(0).text, "0bit/s");
    assert_string_equal(units_format_bandwidth(1).text, "8bit/s");
    assert_string_equal(units_format_bandwidth(125).text, "1kbit/s");
    assert_string_equal(units_format_bandwidth(312500000).text, "2500Mbit/s");
    assert_string_equal(units_format_bandwidth(UINT64_C(1000000000000)).text, "8000Gbit/s");
    assert_string_equal(units_format_share(0).text, "0%");
    assert_string_equal(units_format_share(1).text, "0.0001%");
    assert_string_equal(units_format_share(1000).text, "0.1%");
    assert_string_equal(units_format_share(500000).text, "50%");
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_int_equal(units_parse_bandwidth(units_format_bandwidth(values[i]).text, &value),
                         UNITS_OK);
        assert_true(value == values[i]);
        assert_int_equal(units_parse_share(units_format_share(values[i]).text, &value), UNITS_OK);
        assert_true(value == values[i]);
    }
}

static void addresses(void **state)
{
    static const uint8_t one[16] = {[15] = 1};
    struct call_addr addr, expected;

    (void)state;
    assert_int_equal(units_parse_addr("192.0.2.1:65535", &addr), UNITS_OK);
    call_addr4(&expected, (const uint8_t[]){192, 0, 2, 1}, 65535);
    assert_memory_equal(&addr, &expected, sizeof(addr));
    assert_int_equal(units_parse_addr("[::1]:80", &addr), UNITS_OK);
    call_addr6(&expected, one, 80);
    assert_memory_equal(&addr, &expected, sizeof(addr));
    assert_int_equal(units_parse_addr("[1111:2222:3333:4444:5555:6666:255.255.255.255]:0", &addr),
                     UNITS_OK);
    assert_int_equal(call_addr_family(&addr), CALL_AF_INET6);
    assert_int_equal(call_addr_port(&addr), 0);
}

static void addresses_refused(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:-1",
        "::1:80",
        "[::1]80",
        "[::1]",
        "[::1",
        "[",
        "[:",
        "[]:80",
        "[::1%1]:5",
        "[::1]]:80",
        "localhost:5",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "[1.2.3.4]:5",
        "1.2.3.4:5 ",
        "1.2.3.4:080",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};
    struct call_addr addr;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (units_parse_addr(texts[i], &addr) != UNITS_MALFORMED)
            fail_msg("'%s' was not refused", texts[i]);
    assert_int_equal(units_parse_addr("127.0.0.1:65536", &addr), UNITS_OVERFLOW);
}

static void exact_formats(void **state)
{
    static const uint64_t values[] = {0,     1,     999,         1000,           1024,      1536,
                                      65536, 60000, 60000000000, 1073741824 + 1, UINT64_MAX};
    uint64_t value;

    (void)state;
    assert_string_equal(units_format_size(65536).text, "64KiB");
    assert_string_equal(units_format_size(1500).text, "1500B");
    assert_string_equal(units_format_size(0).text, "0B");
    assert_string_equal(units_format_size(UINT64_C(1) << 40).text, "1024GiB");
    assert_string_equal(units_format_duration(200000000).text, "200ms");
    assert_string_equal(units_format_duration(UINT64_C(120000000000)).text, "2min");
    assert_string_equal(units_format_duration(1500).text, "1500ns");
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_int_equal(units_parse_size(units_format_size(values[i]).text, &value), UNITS_OK);
        assert_true(value == values[i]);
        assert_int_equal(units_parse_duration(units_format_duration(values[i]).text, &value),
                         UNITS_OK);
        assert_true(value == values[i]);
    }
}

static void rounded_formats(void **state)
{
    (void)state;
    assert_string_equal(units_format_latency(0).text, "0 ns");
    assert_string_equal(units_format_latency(999).text, "999 ns");
    assert_string_equal(units_format_latency(1000).text, "1.00 us");
    assert_string_equal(units_format_latency(9994).text, "9.99 us");
    assert_string_equal(units_format_latency(9995).text, "10.0 us");
    assert_string_equal(units_format_latency(17912).text, "17.9 us");
    assert_string_equal(units_format_latency(99949).text, "99.9 us");
    assert_string_equal(units_format_latency(99950).text, "100 us");
    assert_string_equal(units_format_latency(999499).text, "999 us");
    assert_string_equal(units_format_latency(999500).text, "1.00 ms");
    assert_string_equal(units_format_latency(UINT64_C(2500000000000)).text, "2500 s");
    assert_string_equal(units_format_latency(UINT64_MAX).text, "18446744074 s");
    assert_string_equal(units_format_rate(1500000000).text, "1.50 GB/s");
    assert_string_equal(units_format_rate(123456).text, "123 kB/s");
    assert_string_equal(units_format_rate(12).text, "12 B/s");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),         cmocka_unit_test(fine_durations),
        cmocka_unit_test(rates),         cmocka_unit_test(bandwidths),
        cmocka_unit_test(shares),        cmocka_unit_test(decimals),
        cmocka_unit_test(fine_formats),  cmocka_unit_test(network_formats),
        cmocka_unit_test(addresses),     cmocka_unit_test(addresses_refused),
        cmocka_unit_test(exact_formats), cmocka_unit_test(rounded_formats),
    };

    return !!cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
