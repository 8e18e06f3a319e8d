/*
 * Commands through the command ring: requests and their responses by id, as both sides saw them.
 * See stages.h.
 *
 * Few are under way at a time, so they are looked through; of a file in which ever more are, as no
 * ring has slots for, the oldest are forgotten.
 */
#include "sim/run/stages_private.h"

#include <stdlib.h>
#include <string.h>

enum { UNDER_WAY_MAX = 256 };

/* The marks of a request, in the order of STAGES_PATHS. */
enum { ASKED, NOTIFIED, WOKEN, TAKEN, ANSWERED, REPLY_NOTIFIED, REPLY_WOKEN, REPLY_TAKEN, MARKS };
static_assert((int)MARKS == (int)STAGES_MARKS_MAX, "as many as a path has");

static void drop(struct stages_ring *ring, uint32_t i)
{
    ring->asked_count--;
    memmove(&ring->asked[i], &ring->asked[i + 1], (ring->asked_count - i) * sizeof(ring->asked[0]));
}

static void ask(struct stages_ring *ring, const struct decode_packet *packet)
{
    if (ring->asked_count == UNDER_WAY_MAX)
        drop(ring, 0);
    if (ring->asked_count == ring->asked_room) {
        ring->asked_room = ring->asked_room ? 2 * ring->asked_room : 8;
        ring->asked = realloc(ring->asked, ring->asked_room * sizeof(ring->asked[0]));
        assert(ring->asked);
    }
    struct stages_asked *asked = &ring->asked[ring->asked_count++];
    *asked = (struct stages_asked){packet->id, packet->kind, packet->sockid, {packet->time_ns}};
    for (uint32_t i = NOTIFIED; i < MARKS; i++)
        asked->at_ns[i] = STAGES_NEVER;
}

/* All that have passed `from`, and neither `to` nor what comes when it has been overtaken. */
static void pass(struct stages_ring *ring, uint32_t from, uint32_t to, uint64_t now_ns)
{
    uint32_t end = to < TAKEN ? TAKEN : REPLY_TAKEN;

    for (uint32_t i = 0; i < ring->asked_count; i++) {
        uint64_t *at_ns = ring->asked[i].at_ns;
        if (at_ns[from] != STAGES_NEVER && at_ns[to] == STAGES_NEVER && at_ns[end] == STAGES_NEVER)
            at_ns[to] = now_ns;
    }
}

/* The one of an id that has passed `from` and not `to`: passes it. An id that was used again before
 * its answer is the oldest one's, as rings keep their order. */
static uint32_t pass_one(struct stages_ring *ring, uint32_t from, uint32_t to,
                         const struct decode_packet *packet)
{
    uint32_t i = 0;

    while (i < ring->asked_count &&
           (ring->asked[i].id != packet->id || ring->asked[i].at_ns[from] == STAGES_NEVER ||
            ring->asked[i].at_ns[to] != STAGES_NEVER))
        i++;
    if (i < ring->asked_count)
        ring->asked[i].at_ns[to] = packet->time_ns;
    return i;
}

static void answer(struct stages *stages, struct stages_ring *ring,
                   const struct decode_packet *packet)
{
    uint32_t i = pass_one(ring, ANSWERED, REPLY_TAKEN, packet);

    if (i == ring->asked_count)
        return;
    struct stages_path path = {.kind = STAGES_COMMAND,
                               .command = ring->asked[i].kind,
                               .who = ring->who,
                               .sockid = ring->asked[i].sockid,
                               .id = packet->id,
                               .marks = MARKS};
    memcpy(path.at_ns, ring->asked[i].at_ns, sizeof(path.at_ns));
    drop(ring, i);
    if (path.at_ns[TAKEN] != STAGES_NEVER)
        stages_tell(stages, &path);
}

void stages_commands_see(struct stages *stages, struct stages_ring *ring,
                         const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;
    bool front = header->side == CAPTURE_FRONT, sent = header->moved == CAPTURE_PUBLISHED;

    if (header->kind == CAPTURE_NOTIFY && sent)
        pass(ring, front ? ASKED : ANSWERED, front ? NOTIFIED : REPLY_NOTIFIED, packet->time_ns);
    else if (header->kind == CAPTURE_NOTIFY)
        pass(ring, front ? REPLY_NOTIFIED : NOTIFIED, front ? REPLY_WOKEN : WOKEN, packet->time_ns);
    else if (header->kind == CAPTURE_REQUEST && front)
        ask(ring, packet);
    else if (header->kind == CAPTURE_REQUEST)
        pass_one(ring, ASKED, TAKEN, packet);
    else if (header->kind == CAPTURE_RESPONSE && !front)
        pass_one(ring, TAKEN, ANSWERED, packet);
    else if (header->kind == CAPTURE_RESPONSE)
        answer(stages, ring, packet);
}
