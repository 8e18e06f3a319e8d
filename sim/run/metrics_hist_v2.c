/*
 * Histograms as text: HdrHistogram's V2 compressed encoding in base64. See metrics_hist.h.
 *
 * Outer, big-endian: cookie 32, bytes of the zlib stream 32, the stream. In the stream: cookie 32,
 * bytes of the counts 32, normalizing offset 32, digits 32, lowest 64, highest 64, and the bits of
 * a double, 1.0, then the counts of all buckets up to the last in use. A count is zigzag-coded in
 * LEB128 of at most 9 bytes, the ninth with 8 bits; -n stands for n empty buckets.
 * Only what encode writes is decoded, and everything else is refused before it is believed.
 */
#include "ringlib/err.h"
#include "sim/run/metrics_hist.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define OUTER_COOKIE 0x1c849314u /* base 0x1c849304, | 0x10: zeros are run-length coded */
#define INNER_COOKIE 0x1c849313u
#define OUTER_BYTES 8u
#define INNER_BYTES 40u
#define DIGITS 3u
#define LOWEST_NS 1u
#define ONE_AS_DOUBLE UINT64_C(0x3ff0000000000000)
#define LEB_BYTES 9u
#define BUCKETS_MAX (44u * 1024u) /* of a histogram up to METRICS_HIST_LIMIT */

/* A byte array that is written, or read, from its start. `ran_out` is set by a read past the end
 * and stays set; what such a read returns is 0. */
struct bytes {
    uint8_t *data;
    size_t size;
    size_t at;
    bool ran_out;
};

static void put_be(struct bytes *bytes, uint64_t value, size_t width)
{
    while (width-- > 0)
        bytes->data[bytes->at++] = (uint8_t)(value >> (8 * width));
}

static uint8_t get_byte(struct bytes *bytes)
{
    if (bytes->at == bytes->size) {
        bytes->ran_out = true;
        return 0;
    }
    return bytes->data[bytes->at++];
}

static uint64_t get_be(struct bytes *bytes, size_t width)
{
    uint64_t value = 0;

    while (width-- > 0)
        value = value << 8 | get_byte(bytes);
    return value;
}

static void put_leb(struct bytes *bytes, uint64_t value)
{
    for (size_t i = 1; i < LEB_BYTES && value > 0x7f; i++) {
        bytes->data[bytes->at++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes->data[bytes->at++] = (uint8_t)value;
}

static uint64_t get_leb(struct bytes *bytes)
{
    uint64_t value = 0;

    for (uint32_t shift = 0; shift < 7 * (LEB_BYTES - 1); shift += 7) {
        uint8_t byte = get_byte(bytes);

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    return value | (uint64_t)get_byte(bytes) << (7 * (LEB_BYTES - 1));
}

/* ---- base64, RFC 4648 with padding ---- */

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64_encode(const uint8_t *data, size_t size)
{
    char *text = malloc((size + 2) / 3 * 4 + 1);
    size_t at = 0;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t second = i + 1 < size ? data[i + 1] : 0, third = i + 2 < size ? data[i + 2] : 0;
        uint32_t group = (uint32_t)data[i] << 16 | second << 8 | third;

        text[at++] = digits64[group >> 18];
        text[at++] = digits64[group >> 12 & 63];
        text[at++] = i + 1 < size ? digits64[group >> 6 & 63] : '=';
        text[at++] = i + 2 < size ? digits64[group & 63] : '=';
    }
    text[at] = '\0';
    return text;
}

/* Value of a digit of base64, 64 for any other character. */
static uint32_t digit_value(char c)
{
    const char *digit = c == '\0' ? NULL : strchr(digits64, c);

    return digit == NULL ? 64 : (uint32_t)(digit - digits64);
}

/* One group of four characters into `out` (room for 3): bytes written, 0 if it is none. */
static size_t decode_group(const char *text, uint8_t *out)
{
    size_t pads = text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i >= 4 - pads ? 0 : digit_value(text[i]);

        if (value == 64)
            return 0;
        group = group << 6 | value;
    }
    if ((group & ((1u << (8 * pads)) - 1)) != 0)
        return 0;
    out[0] = (uint8_t)(group >> 16);
    out[1] = (uint8_t)(group >> 8);
    out[2] = (uint8_t)group;
    return 3 - pads;
}

/* Fills `bytes` with what `text` stands for; the caller frees bytes->data. */
static int base64_decode(const char *text, struct bytes *bytes)
{
    size_t length = strlen(text);

    if (length == 0 || length % 4 != 0)
        return -ERR_INVAL;
    *bytes = (struct bytes){.data = malloc(length / 4 * 3)};
    if (bytes->data == NULL)
        return -ERR_NOMEM;
    for (size_t i = 0; i < length; i += 4) {
        size_t got = decode_group(text + i, bytes->data + bytes->size);

        if (got == 0 || (got < 3 && i + 4 < length)) {
            free(bytes->data);
            return -ERR_INVAL;
        }
        bytes->size += got;
    }
    return 0;
}

/* ---- encode ---- */

/* Buckets up to the last in use, one at least: inflating to nothing is refused by some readers. */
static size_t used_buckets(const struct metrics_hist *hist)
{
    size_t count = hist->bucket_count;

    while (count > 1 && hist->buckets[count - 1] == 0)
        count--;
    return count;
}

static void put_buckets(struct bytes *bytes, const struct metrics_hist *hist, size_t used)
{
    size_t i = 0;

    while (i < used) {
        size_t start = i;

        while (i < used && hist->buckets[i] == 0)
            i++;
        if (i > start)
            put_leb(bytes, 2 * (uint64_t)(i - start) - 1); /* zigzag of a negative number */
        if (i < used)
            put_leb(bytes, 2 * hist->buckets[i++]);
    }
}

/* The stream before compression, into room enough. */
static void put_inner(struct bytes *bytes, const struct metrics_hist *hist, size_t used)
{
    size_t end;

    bytes->at = INNER_BYTES;
    put_buckets(bytes, hist, used);
    end = bytes->at;
    bytes->at = 0;
    put_be(bytes, INNER_COOKIE, 4);
    put_be(bytes, end - INNER_BYTES, 4);
    put_be(bytes, 0, 4);
    put_be(bytes, DIGITS, 4);
    put_be(bytes, LOWEST_NS, 8);
    put_be(bytes, hist->highest_ns, 8);
    put_be(bytes, ONE_AS_DOUBLE, 8);
    bytes->at = end;
}

/* Compresses `inner` behind an outer head; the text, or NULL without memory. */
static char *put_outer(const struct bytes *inner)
{
    uLongf packed_bytes = compressBound(inner->at);
    struct bytes outer = {.data = malloc(OUTER_BYTES + packed_bytes)};
    char *text = NULL;

    if (outer.data == NULL)
        return NULL;
    if (compress(outer.data + OUTER_BYTES, &packed_bytes, inner->data, inner->at) == Z_OK) {
        put_be(&outer, OUTER_COOKIE, 4);
        put_be(&outer, packed_bytes, 4);
        text = base64_encode(outer.data, OUTER_BYTES + packed_bytes);
    }
    free(outer.data);
    return text;
}

char *metrics_hist_encode(const struct metrics_hist *hist)
{
    size_t used = used_buckets(hist);
    struct bytes inner = {.data = malloc(INNER_BYTES + used * LEB_BYTES)};
    char *text;

    if (inner.data == NULL)
        return NULL;
    put_inner(&inner, hist, used);
    text = put_outer(&inner);
    free(inner.data);
    return text;
}

/* ---- decode ---- */

/* Unpacks what the outer form holds into `inner`, which has room for any histogram. */
static int get_outer(struct bytes *outer, struct bytes *inner)
{
    uint64_t cookie = get_be(outer, 4), stream_bytes = get_be(outer, 4);
    uLong taken_bytes = (uLong)stream_bytes;
    uLongf inner_bytes = inner->size;
    int code;

    if (outer->ran_out || cookie != OUTER_COOKIE || stream_bytes != outer->size - outer->at)
        return -ERR_INVAL;
    code = uncompress2(inner->data, &inner_bytes, outer->data + outer->at, &taken_bytes);
    if (code == Z_MEM_ERROR)
        return -ERR_NOMEM;
    if (code != Z_OK || taken_bytes != stream_bytes)
        return -ERR_INVAL;
    inner->size = inner_bytes;
    return 0;
}

/* The head of the stream: highest_ns, or 0 if it is not one of ours. */
static uint64_t get_inner_head(struct bytes *inner)
{
    bool ours = get_be(inner, 4) == INNER_COOKIE;
    uint64_t counts_bytes = get_be(inner, 4), highest_ns;

    ours &= get_be(inner, 4) == 0;
    ours &= get_be(inner, 4) == DIGITS;
    ours &= get_be(inner, 8) == LOWEST_NS;
    highest_ns = get_be(inner, 8);
    ours &= get_be(inner, 8) == ONE_AS_DOUBLE;
    ours &= !inner->ran_out && counts_bytes == inner->size - inner->at;
    ours &= highest_ns >= 2 && highest_ns <= METRICS_HIST_LIMIT;
    return ours ? highest_ns : 0;
}

/* The counts, as far as they are believable. */
static int get_buckets(struct bytes *inner, struct metrics_hist *hist)
{
    size_t i = 0;

    while (inner->at < inner->size) {
        uint64_t code = get_leb(inner), number = code / 2 + code % 2;
        bool zeros = code % 2 == 1;

        if (inner->ran_out || i == hist->bucket_count ||
            number > (zeros ? hist->bucket_count - i : METRICS_HIST_LIMIT - hist->count))
            return -ERR_INVAL;
        if (zeros) {
            i += (size_t)number;
            continue;
        }
        hist->buckets[i++] = number;
        hist->count += number;
    }
    return 0;
}

static int get_inner(struct bytes *inner, struct metrics_hist **hist)
{
    uint64_t highest_ns = get_inner_head(inner);
    struct metrics_hist *fresh;
    int ret;

    if (highest_ns == 0)
        return -ERR_INVAL;
    fresh = metrics_hist_create(highest_ns);
    if (fresh == NULL)
        return -ERR_NOMEM;
    ret = get_buckets(inner, fresh);
    if (ret == 0)
        *hist = fresh;
    else
        metrics_hist_destroy(fresh);
    return ret;
}

int metrics_hist_decode(const char *text, struct metrics_hist **hist)
{
    struct bytes outer, inner = {.size = INNER_BYTES + BUCKETS_MAX * LEB_BYTES};
    int ret = base64_decode(text, &outer);

    if (ret != 0)
        return ret;
    inner.data = malloc(inner.size);
    ret = inner.data == NULL ? -ERR_NOMEM : get_outer(&outer, &inner);
    if (ret == 0)
        ret = get_inner(&inner, hist);
    free(inner.data);
    free(outer.data);
    return ret;
}
