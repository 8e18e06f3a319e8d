/* Responses and their requests: a hash of those that wait. See decode_pairs.h. */
#include "sim/run/decode_pairs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

/* Without padding, since it is compared as bytes. */
struct key {
    uint16_t front, back, device;
    uint8_t dialect, side;
    uint32_t id;
};
static_assert(sizeof(struct key) == 12, "no padding");

struct waiting {
    struct key key;
    struct decode_request request;
    UT_hash_handle hh;
};

struct decode_pairs {
    struct waiting *waiting;
};

struct decode_pairs *decode_pairs_create(void)
{
    struct decode_pairs *pairs = calloc(1, sizeof(*pairs));

    assert(pairs);
    return pairs;
}

void decode_pairs_destroy(struct decode_pairs *pairs)
{
    struct waiting *one, *next;

    HASH_ITER (hh, pairs->waiting, one, next) {
        HASH_DEL(pairs->waiting, one);
        free(one);
    }
    free(pairs);
}

static void remember(struct decode_pairs *pairs, const struct key *key,
                     const struct decode_packet *packet)
{
    struct waiting *one;

    HASH_FIND(hh, pairs->waiting, key, sizeof(*key), one);
    if (!one) {
        one = calloc(1, sizeof(*one));
        assert(one);
        one->key = *key;
        HASH_ADD(hh, pairs->waiting, key, sizeof(one->key), one);
    }
    one->request = (struct decode_request){packet->number, packet->time_ns};
}

bool decode_pairs_see(struct decode_pairs *pairs, const struct decode_packet *packet,
                      struct decode_request *request)
{
    const struct capture_header *header = &packet->header;
    const struct key key = {header->front,   header->back, header->device,
                            header->dialect, header->side, packet->id};
    struct waiting *one;

    if (header->kind == CAPTURE_REQUEST)
        remember(pairs, &key, packet);
    if (header->kind != CAPTURE_RESPONSE)
        return false;
    /* NOLINTNEXTLINE: clang 14 sees no bytes of a struct */
    HASH_FIND(hh, pairs->waiting, &key, sizeof(key), one);
    if (!one)
        return false;
    *request = one->request;
    HASH_DEL(pairs->waiting, one);
    free(one);
    return true;
}
