/*
 * Exact fractions, for arithmetic over results that must be the same everywhere.
 *
 * A ratio is in lowest terms and its denominator positive, so equal ones look alike. Numerator and
 * denominator are below 2^63; what would not fit is refused, never rounded.
 */
#ifndef XENSOCK_SIM_RUN_RATIO_H
#define XENSOCK_SIM_RUN_RATIO_H

#include "sim/run/units.h"

#include <stdbool.h>
#include <stdint.h>

struct ratio {
    int64_t over, under;
};

/* over / under, of which `under` is not 0 and both are below 2^63 - 1 either way. */
struct ratio ratio_of(int64_t over, int64_t under);

/* a + b, a - b, a * b, a / b: false, with nothing written, if it does not fit, or b is 0 and
 * divides. */
bool ratio_add(struct ratio a, struct ratio b, struct ratio *out);
bool ratio_subtract(struct ratio a, struct ratio b, struct ratio *out);
bool ratio_multiply(struct ratio a, struct ratio b, struct ratio *out);
bool ratio_divide(struct ratio a, struct ratio b, struct ratio *out);

/* Below 0, 0, or above: a against b. */
int ratio_compare(struct ratio a, struct ratio b);

/* The nearest whole number, halves away from 0. */
int64_t ratio_round(struct ratio a);

/* As a decimal, rounded to six digits, or to a whole number where that has more. */
struct units_text ratio_text(struct ratio a);

#endif
