/* Exact fractions. See ratio.h. */
#include "sim/run/ratio.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static uint64_t magnitude(int64_t number)
{
    return number < 0 ? (uint64_t)-number : (uint64_t)number;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

struct ratio ratio_of(int64_t over, int64_t under)
{
    int64_t divisor = (int64_t)greatest_divisor(magnitude(over), magnitude(under));

    assert(under != 0 && over > INT64_MIN && under > INT64_MIN);
    if (under < 0)
        divisor = -divisor;
    return (struct ratio){over / divisor, under / divisor};
}

static bool times(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out) && *out > INT64_MIN;
}

/* Over the least common denominator. */
bool ratio_add(struct ratio a, struct ratio b, struct ratio *out)
{
    int64_t common = (int64_t)greatest_divisor((uint64_t)a.under, (uint64_t)b.under);
    int64_t left, right, over, under;

    if (!times(a.over, b.under / common, &left) || !times(b.over, a.under / common, &right) ||
        !times(a.under, b.under / common, &under) || __builtin_add_overflow(left, right, &over) ||
        over == INT64_MIN)
        return false;
    *out = ratio_of(over, under);
    return true;
}

bool ratio_subtract(struct ratio a, struct ratio b, struct ratio *out)
{
    return ratio_add(a, (struct ratio){-b.over, b.under}, out);
}

/* What cancels is taken out first, so that only what does not fit in lowest terms is refused. */
bool ratio_multiply(struct ratio a, struct ratio b, struct ratio *out)
{
    struct ratio one = ratio_of(a.over, b.under), other = ratio_of(b.over, a.under);
    int64_t over, under;

    if (!times(one.over, other.over, &over) || !times(one.under, other.under, &under))
        return false;
    *out = ratio_of(over, under);
    return true;
}

bool ratio_divide(struct ratio a, struct ratio b, struct ratio *out)
{
    if (b.over == 0)
        return false;
    return ratio_multiply(a, ratio_of(b.under, b.over), out);
}

/* The whole number at or below it, and what is above that, in parts of `under`. */
static int64_t split(struct ratio a, int64_t *rest)
{
    *rest = a.over % a.under;
    if (*rest >= 0)
        return a.over / a.under;
    *rest += a.under;
    return a.over / a.under - 1;
}

/* By continued fractions: whole parts first, then the rests upside down; no product is needed. */
int ratio_compare(struct ratio a, struct ratio b)
{
    for (int sense = 1;; sense = -sense) {
        int64_t rest_a, rest_b, x = split(a, &rest_a), y = split(b, &rest_b);
        if (x != y)
            return x > y ? sense : -sense;
        if (rest_a == 0 || rest_b == 0)
            return ((rest_a > 0) - (rest_b > 0)) * sense;
        a = (struct ratio){a.under, rest_a};
        b = (struct ratio){b.under, rest_b};
    }
}

int64_t ratio_round(struct ratio a)
{
    int64_t whole = a.over / a.under, rest = a.over % a.under;
    bool up = magnitude(rest) >= (uint64_t)a.under - magnitude(rest);

    return whole + (up ? (a.over < 0 ? -1 : 1) : 0);
}

struct units_text ratio_text(struct ratio a)
{
    uint64_t whole = magnitude(a.over) / (uint64_t)a.under, scale = 1;
    struct ratio part, scaled;
    struct units_text out;
    int digits = 0;

    for (; digits < 6 && whole < 1000000 / (scale * 10); digits++)
        scale *= 10;
    part = (struct ratio){(int64_t)(magnitude(a.over) % (uint64_t)a.under), a.under};
    if (part.over == 0 || !ratio_multiply(part, (struct ratio){(int64_t)scale, 1}, &scaled)) {
        snprintf(out.text, sizeof(out.text), "%s%" PRIu64, a.over < 0 ? "-" : "", whole);
        return out;
    }
    uint64_t decimals = (uint64_t)ratio_round(scaled);
    whole += decimals / scale;
    decimals %= scale;
    for (; digits > 0 && decimals % 10 == 0; digits--)
        decimals /= 10;
    assert(digits <= 6 && decimals < 1000000);
    if (digits > 0)
        snprintf(out.text, sizeof(out.text), "%s%" PRIu64 ".%0*" PRIu64, a.over < 0 ? "-" : "",
                 whole, digits, decimals);
    else
        snprintf(out.text, sizeof(out.text), "%s%" PRIu64, a.over < 0 ? "-" : "", whole);
    return out;
}
