/*
 * Durations, sizes, rates and addresses as people write and read them.
 *
 * Integer arithmetic only, every overflow noticed: what a scenario says never depends on how a
 * compiler rounds. Fractions are refused (1500ms, not 1.5s) but where a function says otherwise,
 * and are exact there. The exact formats can be parsed again; the two rounded ones are for tables.
 */
#ifndef XENSOCK_SIM_RUN_UNITS_H
#define XENSOCK_SIM_RUN_UNITS_H

#include "ringlib/call.h"

#include <stdint.h>

enum units_fault {
    UNITS_OK,
    UNITS_MALFORMED,    /* not what the function reads at all */
    UNITS_NO_UNIT,      /* a bare number where a unit is needed */
    UNITS_UNKNOWN_UNIT, /* a number, then letters that are no unit */
    UNITS_OVERFLOW,     /* does not fit 64 bits; of an address, a port over 65535 */
    UNITS_TOO_FINE,     /* not a whole number of what is kept */
};

enum { UNITS_TEXT_BYTES = 40 };

/* A formatted quantity, returned by value: use its text within the same expression. */
struct units_text {
    char text[UNITS_TEXT_BYTES];
};

/* The units a duration and a size may have, for messages. */
#define UNITS_OF_DURATION "ns, us, ms, s, min"
#define UNITS_OF_FINE_DURATION "ps, ns, us, ms, s"
#define UNITS_OF_SIZE "B, kB, MB, GB, KiB, MiB, GiB"
#define UNITS_OF_RATE "/s"
#define UNITS_OF_BANDWIDTH "bit/s, kbit/s, Mbit/s, Gbit/s, B/s, kB/s, MB/s, GB/s"
#define UNITS_OF_SHARE "%, ppm"

/* Read a whole number without sign or unit. On a fault nothing is written, here and below. */
enum units_fault units_parse_count(const char *text, uint64_t *count);

/* Read a duration, a whole number directly followed by a unit, into nanoseconds. */
enum units_fault units_parse_duration(const char *text, uint64_t *duration_ns);

/* Read a duration, a number such as 2.6 directly followed by a unit, into picoseconds: all digits
 * count, or the fault is UNITS_TOO_FINE. */
enum units_fault units_parse_fine_duration(const char *text, uint64_t *duration_ps);

/* Read a number without sign or unit, such as 0.25, into millionths; the same fault. */
enum units_fault units_parse_decimal(const char *text, uint64_t *millionths);

/* Read a size, a whole number directly followed by a unit or by nothing, into bytes. */
enum units_fault units_parse_size(const char *text, uint64_t *size_bytes);

/* Read how often something happens, a whole number directly followed by "/s". */
enum units_fault units_parse_rate(const char *text, uint64_t *per_s);

/* Read a bandwidth, a number such as 2.5 directly followed by a unit, into whole bytes a second. */
enum units_fault units_parse_bandwidth(const char *text, uint64_t *bytes_per_s);

/* Read a share, a number such as 0.1 directly followed by "%" or "ppm", into whole millionths. */
enum units_fault units_parse_share(const char *text, uint64_t *share_ppm);

/* Read "a.b.c.d:port" or "[v6]:port"; port 0 to 65535, no names, no scopes. */
enum units_fault units_parse_addr(const char *text, struct call_addr *addr);

/* A duration exactly, in the largest unit that divides it: "200ms". */
struct units_text units_format_duration(uint64_t duration_ns);

/* A fine duration exactly, in the largest unit that divides it: "2600ns". */
struct units_text units_format_fine_duration(uint64_t duration_ps);

/* Millionths exactly, without needless zeros: "0.25". */
struct units_text units_format_decimal(uint64_t millionths);

/* A size exactly, in the largest binary unit that divides it: "64KiB", "1500B". */
struct units_text units_format_size(uint64_t size_bytes);

/* A bandwidth exactly, in the largest unit of bits that divides it: "10Gbit/s". Below 2^61. */
struct units_text units_format_bandwidth(uint64_t bytes_per_s);

/* A share exactly: "0.1%". */
struct units_text units_format_share(uint64_t share_ppm);

/* A time in three digits, rounded half up: "17.9 us"; below a microsecond in whole ns. */
struct units_text units_format_latency(uint64_t latency_ns);

/* A throughput in three digits, decimal units, rounded half up: "1.50 GB/s". */
struct units_text units_format_rate(uint64_t bytes_per_s);

#endif
