/*
 * A stream's bytes, their check, the header before them, and their digest. See payload.h.
 *
 * Byte n is byte n % 8 of 64-bit word n / 8, low byte first.
 */
#include "sim/run/payload.h"

#include "ringlib/err.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are copied as they lie in memory");

/* SplitMix64's finalizer, a bijection: words of one stream do not repeat. */
static inline uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#define WORD_STEP UINT64_C(0x9e3779b97f4a7c15)

/* What is mixed to make the word of a byte; the next word's is WORD_STEP more. */
static inline uint64_t seed_at(uint64_t key, uint64_t offset)
{
    return key + offset / 8 * WORD_STEP;
}

static inline uint8_t byte_at(uint64_t key, uint64_t offset)
{
    return (uint8_t)(mix(seed_at(key, offset)) >> (offset % 8 * 8));
}

/* Bytes before the first whole word of a range, which may be all of it. */
static size_t head_bytes(uint64_t offset, size_t size)
{
    size_t head = (size_t)(-offset % 8);

    return head < size ? head : size;
}

/* A mix for each: two keys a small multiple of WORD_STEP apart would give the same bytes,
 * shifted. */
uint64_t payload_key(uint64_t seed, uint64_t stream)
{
    return mix(mix(seed + WORD_STEP) ^ stream);
}

uint64_t payload_answer_key(uint64_t key)
{
    return payload_key(key, PAYLOAD_ASK);
}

void payload_fill(uint64_t key, uint64_t offset, void *buffer, size_t size)
{
    uint8_t *out = buffer;
    size_t i, head = head_bytes(offset, size);
    uint64_t seed = seed_at(key, offset + head);

    for (i = 0; i < head; i++)
        out[i] = byte_at(key, offset + i);
    for (; size - i >= 8; i += 8, seed += WORD_STEP) {
        uint64_t word = mix(seed);

        memcpy(out + i, &word, 8);
    }
    for (; i < size; i++)
        out[i] = byte_at(key, offset + i);
}

static ptrdiff_t check_bytes(uint64_t key, uint64_t offset, const uint8_t *in, size_t from,
                             size_t to)
{
    size_t i;

    for (i = from; i < to; i++)
        if (in[i] != byte_at(key, offset + i))
            return (ptrdiff_t)i;
    return -1;
}

ptrdiff_t payload_check(uint64_t key, uint64_t offset, const void *buffer, size_t size)
{
    const uint8_t *in = buffer;
    size_t i = head_bytes(offset, size);
    ptrdiff_t wrong = check_bytes(key, offset, in, 0, i);
    uint64_t seed = seed_at(key, offset + i);

    if (wrong >= 0)
        return wrong;
    for (; size - i >= 8; i += 8, seed += WORD_STEP) {
        uint64_t word;

        memcpy(&word, in + i, 8);
        if (word != mix(seed))
            return check_bytes(key, offset, in, i, i + 8);
    }
    return check_bytes(key, offset, in, i, size);
}

static const char magic[4] = {'X', 'S', 'P', 'L'};

/* A field of the wire form, least significant byte first. */
static void put(uint8_t *wire, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        wire[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *wire, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)wire[i] << (8 * i);
    return value;
}

void payload_header_pack(const struct payload_header *header, uint8_t wire[PAYLOAD_HEADER_BYTES])
{
    memcpy(wire, magic, sizeof(magic));
    put(wire + 4, PAYLOAD_VERSION, 2);
    put(wire + 6, header->mode, 2);
    put(wire + 8, header->seed, 8);
    put(wire + 16, header->stream, 8);
    put(wire + 24, header->bytes, 8);
}

int payload_header_unpack(const uint8_t wire[PAYLOAD_HEADER_BYTES], struct payload_header *header)
{
    uint64_t mode = get(wire + 6, 2);

    if (memcmp(wire, magic, sizeof(magic)) != 0)
        return -ERR_INVAL;
    if (get(wire + 4, 2) != PAYLOAD_VERSION || mode < PAYLOAD_UP || mode > PAYLOAD_ASK)
        return -ERR_PROTONOSUPPORT;
    *header = (struct payload_header){
        .mode = (enum payload_mode)mode,
        .seed = get(wire + 8, 8),
        .stream = get(wire + 16, 8),
        .bytes = get(wire + 24, 8),
    };
    return 0;
}

static uint64_t check_of(const uint8_t wire[PAYLOAD_ASK_BYTES], uint64_t key, uint64_t offset)
{
    return payload_key(payload_key(key, offset), get(wire, 8));
}

void payload_ask_pack(const struct payload_ask *ask, uint64_t key, uint64_t offset,
                      uint8_t wire[PAYLOAD_ASK_BYTES])
{
    put(wire, ask->request_bytes, 4);
    put(wire + 4, ask->response_bytes, 4);
    put(wire + 8, check_of(wire, key, offset), 8);
}

ptrdiff_t payload_ask_unpack(const uint8_t wire[PAYLOAD_ASK_BYTES], uint64_t key, uint64_t offset,
                             struct payload_ask *ask)
{
    struct payload_ask read = {(uint32_t)get(wire, 4), (uint32_t)get(wire + 4, 4)};

    if (read.request_bytes < PAYLOAD_ASK_BYTES)
        return 0;
    if (read.response_bytes == 0)
        return 4;
    if (get(wire + 8, 8) != check_of(wire, key, offset))
        return 8;
    *ask = read;
    return -1;
}

int payload_digest_init(struct payload_digest *digest)
{
    digest->state = XXH3_createState();
    if (digest->state == NULL)
        return -ERR_NOMEM;
    XXH3_128bits_reset(digest->state); /* fails only without a state */
    return 0;
}

void payload_digest_update(struct payload_digest *digest, const void *buffer, size_t size)
{
    XXH_errorcode code = XXH3_128bits_update(digest->state, buffer, size);

    assert(code == XXH_OK);
    (void)code;
}

void payload_digest_text(const struct payload_digest *digest, char text[PAYLOAD_DIGEST_TEXT_BYTES])
{
    XXH128_hash_t hash = XXH3_128bits_digest(digest->state);

    snprintf(text, PAYLOAD_DIGEST_TEXT_BYTES, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
             (uint64_t)hash.low64);
}

void payload_digest_fini(struct payload_digest *digest)
{
    XXH3_freeState(digest->state);
    digest->state = NULL;
}
