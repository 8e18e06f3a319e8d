/* Parsing and formatting of quantities, by tables of units. See units.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/units.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Each table is sorted by factor; the formats start at the first or the last. */
static const struct unit duration_units[] = {{"ns", 1},
                                             {"us", 1000},
                                             {"ms", 1000 * 1000},
                                             {"s", 1000 * 1000 * 1000},
                                             {"min", UINT64_C(60) * 1000 * 1000 * 1000},
                                             {NULL, 0}};
static const struct unit fine_units[] = {{"ps", 1},
                                         {"ns", 1000},
                                         {"us", 1000 * 1000},
                                         {"ms", 1000 * 1000 * 1000},
                                         {"s", UINT64_C(1000) * 1000 * 1000 * 1000},
                                         {NULL, 0}};
static const struct unit binary_units[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
static const struct unit decimal_units[] = {
    {"kB", 1000}, {"MB", 1000 * 1000}, {"GB", 1000 * 1000 * 1000}, {NULL, 0}};
static const struct unit latency_units[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000 * 1000}, {"s", 1000 * 1000 * 1000}, {NULL, 0}};
static const struct unit rate_units[] = {
    {"B/s", 1}, {"kB/s", 1000}, {"MB/s", 1000 * 1000}, {"GB/s", 1000 * 1000 * 1000}, {NULL, 0}};

static const struct unit bit_units[] = {{"bit/s", 1},
                                        {"kbit/s", 1000},
                                        {"Mbit/s", 1000 * 1000},
                                        {"Gbit/s", 1000 * 1000 * 1000},
                                        {NULL, 0}};
static const struct unit share_units[] = {{"ppm", 1}, {"%", 10000}, {NULL, 0}};

static const struct unit *unit_find(const struct unit *units, const char *name)
{
    for (; units->name; units++)
        if (strcmp(units->name, name) == 0)
            return units;
    return NULL;
}

/* Read the digits `text` starts with; `rest` is what follows. A leading zero is refused, because
 * other readers of YAML take 010 for eight. */
static enum units_fault parse_digits(const char *text, uint64_t *number, const char **rest)
{
    uint64_t sum = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (sum > (UINT64_MAX - digit) / 10)
            return UNITS_OVERFLOW;
        sum = sum * 10 + digit;
    }
    if (at == text || (*text == '0' && at - text > 1))
        return UNITS_MALFORMED;
    *number = sum;
    *rest = at;
    return UNITS_OK;
}

/* Whether `text` is letters only: the shape of a unit, known or not. */
static bool is_letters(const char *text)
{
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')))
            return false;
    return true;
}

static enum units_fault multiply(uint64_t number, const struct unit *unit, uint64_t *out)
{
    if (!unit)
        return UNITS_UNKNOWN_UNIT;
    if (number > UINT64_MAX / unit->factor)
        return UNITS_OVERFLOW;
    *out = number * unit->factor;
    return UNITS_OK;
}

enum units_fault units_parse_count(const char *text, uint64_t *count)
{
    const char *rest;
    uint64_t number;
    enum units_fault fault = parse_digits(text, &number, &rest);

    if (fault != UNITS_OK)
        return fault;
    if (*rest != '\0')
        return UNITS_MALFORMED;
    *count = number;
    return UNITS_OK;
}

enum units_fault units_parse_duration(const char *text, uint64_t *duration_ns)
{
    const char *rest;
    uint64_t number;
    enum units_fault fault = parse_digits(text, &number, &rest);

    if (fault != UNITS_OK)
        return fault;
    if (*rest == '\0')
        return UNITS_NO_UNIT;
    if (!is_letters(rest))
        return UNITS_MALFORMED;
    return multiply(number, unit_find(duration_units, rest), duration_ns);
}

/* Read "2.6" as 26 with one `place` behind the point; `rest` is what follows. A point needs digits
 * on both sides. */
static enum units_fault parse_point(const char *text, uint64_t *number, uint32_t *places,
                                    const char **rest)
{
    uint64_t sum;
    enum units_fault fault = parse_digits(text, &sum, rest);

    *places = 0;
    if (fault != UNITS_OK)
        return fault;
    if (**rest == '.') {
        const char *at = *rest + 1;

        for (; *at >= '0' && *at <= '9'; at++) {
            uint64_t digit = (uint64_t)(*at - '0');

            if (sum > (UINT64_MAX - digit) / 10)
                return UNITS_OVERFLOW;
            sum = sum * 10 + digit;
            ++*places;
        }
        *rest = at;
        if (*places == 0)
            return UNITS_MALFORMED;
    }
    *number = sum;
    return UNITS_OK;
}

/* number * factor / 10^places, if that is whole. */
static enum units_fault scale(uint64_t number, uint32_t places, uint64_t factor, uint64_t *out)
{
    for (; places > 0 && number % 10 == 0; places--)
        number /= 10;
    for (; places > 0 && factor % 10 == 0; places--)
        factor /= 10;
    if (places > 0)
        return UNITS_TOO_FINE;
    if (number > UINT64_MAX / factor)
        return UNITS_OVERFLOW;
    *out = number * factor;
    return UNITS_OK;
}

enum units_fault units_parse_fine_duration(const char *text, uint64_t *duration_ps)
{
    const char *rest;
    uint64_t number;
    uint32_t places;
    enum units_fault fault = parse_point(text, &number, &places, &rest);
    const struct unit *unit;

    if (fault != UNITS_OK)
        return fault;
    if (*rest == '\0')
        return UNITS_NO_UNIT;
    if (!is_letters(rest))
        return UNITS_MALFORMED;
    unit = unit_find(fine_units, rest);
    return unit ? scale(number, places, unit->factor, duration_ps) : UNITS_UNKNOWN_UNIT;
}

enum units_fault units_parse_decimal(const char *text, uint64_t *millionths)
{
    const char *rest;
    uint64_t number;
    uint32_t places;
    enum units_fault fault = parse_point(text, &number, &places, &rest);

    if (fault != UNITS_OK)
        return fault;
    return *rest ? UNITS_MALFORMED : scale(number, places, 1000 * 1000, millionths);
}

enum units_fault units_parse_size(const char *text, uint64_t *size_bytes)
{
    const char *rest;
    uint64_t number;
    enum units_fault fault = parse_digits(text, &number, &rest);
    const struct unit *unit;

    if (fault != UNITS_OK)
        return fault;
    if (!is_letters(rest))
        return UNITS_MALFORMED;
    unit = unit_find(binary_units, *rest ? rest : "B");
    return multiply(number, unit ? unit : unit_find(decimal_units, rest), size_bytes);
}

enum units_fault units_parse_rate(const char *text, uint64_t *per_s)
{
    const char *rest;
    uint64_t number;
    enum units_fault fault = parse_digits(text, &number, &rest);

    if (fault != UNITS_OK)
        return fault;
    if (*rest == '\0')
        return UNITS_NO_UNIT;
    if (*rest != '/' || !is_letters(rest + 1))
        return UNITS_MALFORMED;
    if (strcmp(rest, UNITS_OF_RATE) != 0)
        return UNITS_UNKNOWN_UNIT;
    *per_s = number;
    return UNITS_OK;
}

/* A number with a point, directly followed by one of `units` or `more`, in the least of them. Their
 * signs are not all letters: whatever does not go on with a number is a unit nobody knows. */
static enum units_fault parse_scaled(const char *text, const struct unit *units,
                                     const struct unit *more, uint64_t *out)
{
    const char *rest;
    uint64_t number;
    uint32_t places;
    enum units_fault fault = parse_point(text, &number, &places, &rest);
    const struct unit *unit;

    if (fault != UNITS_OK)
        return fault;
    if (*rest == '\0')
        return UNITS_NO_UNIT;
    if (strpbrk(rest, " .,0123456789"))
        return UNITS_MALFORMED;
    unit = unit_find(units, rest);
    if (!unit && more)
        unit = unit_find(more, rest);
    return unit ? scale(number, places, unit->factor, out) : UNITS_UNKNOWN_UNIT;
}

enum units_fault units_parse_bandwidth(const char *text, uint64_t *bytes_per_s)
{
    static const struct unit byte_units[] = {{"B/s", 8},
                                             {"kB/s", 8 * 1000},
                                             {"MB/s", 8 * 1000 * 1000},
                                             {"GB/s", UINT64_C(8) * 1000 * 1000 * 1000},
                                             {NULL, 0}};
    uint64_t bits;
    enum units_fault fault = parse_scaled(text, bit_units, byte_units, &bits);

    if (fault == UNITS_OK && bits % 8 != 0)
        fault = UNITS_TOO_FINE;
    if (fault == UNITS_OK)
        *bytes_per_s = bits / 8;
    return fault;
}

enum units_fault units_parse_share(const char *text, uint64_t *share_ppm)
{
    return parse_scaled(text, share_units, NULL, share_ppm);
}

enum units_fault units_parse_addr(const char *text, struct call_addr *addr)
{
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    char host[INET6_ADDRSTRLEN + 1];
    uint64_t port = 0;
    uint8_t ip[16];
    size_t length;
    enum units_fault fault;

    if (!colon || (bracketed && colon[-1] != ']'))
        return UNITS_MALFORMED;
    length = (size_t)(colon - text) - (bracketed ? 2 : 0);
    if (length >= sizeof(host))
        return UNITS_MALFORMED;
    memcpy(host, text + bracketed, length);
    host[length] = '\0';
    fault = units_parse_count(colon + 1, &port);
    if (fault != UNITS_OK)
        return fault;
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, ip) != 1)
        return UNITS_MALFORMED;
    if (port > UINT16_MAX)
        return UNITS_OVERFLOW;
    if (bracketed)
        call_addr6(addr, ip, (uint16_t)port);
    else
        call_addr4(addr, ip, (uint16_t)port);
    return UNITS_OK;
}

/* `value` in the largest unit that divides it; 0 in the smallest. */
static struct units_text format_exact(uint64_t value, const struct unit *units)
{
    const struct unit *best = units;
    struct units_text out;

    for (; value && units->name; units++)
        if (value % units->factor == 0)
            best = units;
    snprintf(out.text, sizeof(out.text), "%" PRIu64 "%s", value / best->factor, best->name);
    return out;
}

static uint64_t divide_rounded(uint64_t value, uint64_t divisor)
{
    return value / divisor + (value % divisor >= divisor - divisor / 2);
}

/* `value` in three digits, in the first unit that needs no more than that before the point. */
static struct units_text format_three_digits(uint64_t value, const struct unit *unit)
{
    uint64_t scaled = divide_rounded(value, unit->factor);
    uint64_t hundredths = UINT64_MAX, tenths = UINT64_MAX; /* too many digits, unless found fewer */
    struct units_text out;

    while (scaled >= 1000 && unit[1].name) {
        unit++;
        scaled = divide_rounded(value, unit->factor);
    }
    if (unit->factor > 1 && value / unit->factor < 100) { /* so value * 100 fits 64 bits */
        hundredths = divide_rounded(value * 100, unit->factor);
        tenths = divide_rounded(value * 10, unit->factor);
    }
    if (hundredths < 1000)
        snprintf(out.text, sizeof(out.text), "%" PRIu64 ".%02" PRIu64 " %s", hundredths / 100,
                 hundredths % 100, unit->name);
    else if (tenths < 1000)
        snprintf(out.text, sizeof(out.text), "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
                 unit->name);
    else
        snprintf(out.text, sizeof(out.text), "%" PRIu64 " %s", scaled, unit->name);
    return out;
}

struct units_text units_format_duration(uint64_t duration_ns)
{
    return format_exact(duration_ns, duration_units);
}

struct units_text units_format_fine_duration(uint64_t duration_ps)
{
    return format_exact(duration_ps, fine_units);
}

struct units_text units_format_decimal(uint64_t millionths)
{
    struct units_text out;
    size_t end;

    snprintf(out.text, sizeof(out.text), "%" PRIu64 ".%06u", millionths / (1000 * 1000),
             (unsigned)(millionths % (1000 * 1000)));
    for (end = strlen(out.text); out.text[end - 1] == '0'; end--)
        ;
    out.text[out.text[end - 1] == '.' ? end - 1 : end] = '\0';
    return out;
}

struct units_text units_format_size(uint64_t size_bytes)
{
    return format_exact(size_bytes, binary_units);
}

struct units_text units_format_bandwidth(uint64_t bytes_per_s)
{
    return format_exact(bytes_per_s * 8, bit_units);
}

struct units_text units_format_share(uint64_t share_ppm)
{
    struct units_text out = units_format_decimal(share_ppm * 100); /* millionths of a percent */

    out.text[strlen(out.text) + 1] = '\0';
    out.text[strlen(out.text)] = '%';
    return out;
}

struct units_text units_format_latency(uint64_t latency_ns)
{
    return format_three_digits(latency_ns, latency_units);
}

struct units_text units_format_rate(uint64_t bytes_per_s)
{
    return format_three_digits(bytes_per_s, rate_units);
}
