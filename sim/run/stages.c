/*
 * Paths from packets: the names, and what is kept of each ring. See stages.h; stages_data.c follows
 * bytes, stages_commands.c requests.
 */
#include "sim/run/stages_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *stages[STAGES_MARKS_MAX];
} paths[] = {
#define X(constant, name, ...) {name, {__VA_ARGS__}},
    STAGES_PATHS(X)
#undef X
};

uint32_t stages_count(enum stages_kind kind)
{
    uint32_t count = 0;

    while (count < STAGES_MARKS_MAX && paths[kind].stages[count])
        count++;
    return count > 0 ? count : 1;
}

const char *stages_stage_name(enum stages_kind kind, uint32_t stage)
{
    return paths[kind].stages[stage];
}

void stages_name(enum stages_kind kind, enum call_kind command, uint32_t stage,
                 char name[STAGES_NAME_BYTES])
{
    const char *of = kind == STAGES_COMMAND ? call_name(command) : paths[kind].name;
    const char *part = stage == UINT32_MAX ? NULL : stages_stage_name(kind, stage);

    snprintf(name, STAGES_NAME_BYTES, part ? "%s.%s" : "%s", of, part);
    for (char *at = name; kind == STAGES_COMMAND && *at; at++)
        *at = (char)tolower((unsigned char)*at);
}

void stages_tell(struct stages *stages, struct stages_path *path)
{
    for (uint32_t i = 1; i < path->marks; i++)
        if (path->at_ns[i] == STAGES_NEVER || path->at_ns[i] < path->at_ns[i - 1])
            path->at_ns[i] = path->at_ns[i - 1];
    stages->path(stages->self, path);
}

struct stages *stages_create(void (*path)(void *self, const struct stages_path *path), void *self)
{
    struct stages *stages = calloc(1, sizeof(*stages));

    assert(stages);
    stages->path = path;
    stages->self = self;
    return stages;
}

static struct stages_ring *find(const struct stages *stages, const struct capture_ring_key *key)
{
    struct stages_ring *ring;

    /* NOLINTNEXTLINE: clang 14 sees no bytes of a struct */
    HASH_FIND(hh, stages->rings, key, sizeof(*key), ring);
    return ring;
}

static struct stages_ring *ring_of(struct stages *stages, const struct capture_header *header)
{
    const struct capture_ring_key key =
        capture_ring_key(header, (enum capture_ring)header->ring, header->sockid);
    struct stages_ring *ring = find(stages, &key);

    if (!ring) {
        ring = calloc(1, sizeof(*ring));
        assert(ring);
        ring->key = key;
        ring->who = *header;
        HASH_ADD(hh, stages->rings, key, sizeof(ring->key), ring);
    }
    return ring;
}

static void forget(struct stages *stages, struct stages_ring *ring)
{
    stages_data_end(stages, ring);
    HASH_DEL(stages->rings, ring);
    free(ring->out.moves);
    free(ring->in.moves);
    free(ring->asked);
    free(ring);
}

/* A socket's id may be another's: before its rings are new, and when they are gone. */
static void forget_socket(struct stages *stages, const struct decode_packet *packet)
{
    bool front = packet->header.side == CAPTURE_FRONT;
    bool begins = packet->header.kind == CAPTURE_REQUEST &&
                  (packet->kind == CALL_CONNECT || packet->kind == CALL_ACCEPT);
    bool ends = packet->header.kind == CAPTURE_RESPONSE && packet->kind == CALL_RELEASE;
    uint64_t sockid = begins && packet->kind == CALL_ACCEPT ? packet->new_sockid : packet->sockid;
    const struct capture_ring_key key = capture_ring_key(&packet->header, CAPTURE_DATA, sockid);
    struct stages_ring *ring = front && (begins || ends) ? find(stages, &key) : NULL;

    if (ring)
        forget(stages, ring);
}

/* The device has come again: nothing that was under way is answered, or taken, any more. */
static void forget_life(struct stages *stages, struct stages_ring *commands)
{
    struct stages_ring *ring, *next;

    commands->asked_count = 0;
    HASH_ITER (hh, stages->rings, ring, next)
        if (ring->key.ring == CAPTURE_DATA && ring->key.front == commands->key.front &&
            ring->key.back == commands->key.back && ring->key.device == commands->key.device)
            forget(stages, ring);
}

void stages_see(struct stages *stages, const struct decode_packet *packet)
{
    struct stages_ring *ring = ring_of(stages, &packet->header);

    if (!decode_is_command(packet)) {
        stages_data_see(stages, ring, packet);
        return;
    }
    if (decode_life_begins(&ring->life, packet))
        forget_life(stages, ring);
    stages_commands_see(stages, ring, packet);
    forget_socket(stages, packet);
}

void stages_finish(struct stages *stages)
{
    struct stages_ring *ring, *next;

    HASH_ITER (hh, stages->rings, ring, next)
        forget(stages, ring);
    free(stages);
}
