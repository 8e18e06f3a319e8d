/*
 * Events of a capture: paths as slices, notifications as arrows, levels as counters. See
 * perfetto.h; perfetto_write.c writes them.
 *
 * Paths are told in the order of their ends. So a lane is free for one that begins when the lane's
 * last slice has ended, or later.
 */
#include "sim/run/perfetto_private.h"

#include "sim/run/decode_file.h"
#include "sim/run/stages.h"

#include <stdlib.h>

/* Times from the epoch on have this many ns, and those in virtual time never. */
#define EPOCH_NS UINT64_C(1000000000000000000)
enum { LANES_MAX = 512 }; /* more than a ring has slots */
#define SIGNAL_NS 1 /* how long a notification and a wake-up are drawn: an arrow needs a slice */

/* A ring's levels, and the first notification to each side that it was not woken for. */
struct level {
    struct perfetto_key key;
    uint32_t prods[2], conses[2], slots; /* out, in */
    uint64_t sent_ns[2];                 /* to the front, to the back; */
    struct perfetto_track *from[2];      /* from whom, or NULL: there is none */
    struct decode_life life;
    UT_hash_handle hh;
};

struct reading {
    struct perfetto_story *story;
    struct perfetto_summary *summary;
    struct stages *stages;
    struct level *levels;
    uint64_t flows;
};

/* ---- tracks ---- */

static void meet(struct perfetto_story *story, uint16_t domid)
{
    for (uint32_t i = 0; i < story->domid_count; i++)
        if (story->domids[i] == domid)
            return;
    if (story->domid_count == story->domid_room) {
        story->domid_room = story->domid_room ? 2 * story->domid_room : 16;
        story->domids = realloc(story->domids, story->domid_room * sizeof(story->domids[0]));
        assert(story->domids);
    }
    story->domids[story->domid_count++] = domid;
}

static struct perfetto_track *track_of(struct perfetto_story *story, const struct perfetto_key *key)
{
    struct perfetto_track *track;

    /* NOLINTNEXTLINE: clang 14 sees no bytes of a struct */
    HASH_FIND(hh, story->tracks, key, sizeof(*key), track);
    if (!track) {
        track = calloc(1, sizeof(*track));
        assert(track);
        track->key = *key;
        HASH_ADD(hh, story->tracks, key, sizeof(track->key), track);
    }
    return track;
}

static struct perfetto_key key_of(const struct capture_header *who, enum capture_side side,
                                  enum perfetto_what what)
{
    return (struct perfetto_key){.sockid = who->ring == CAPTURE_DATA ? who->sockid : 0,
                                 .domid = side == CAPTURE_FRONT ? who->front : who->back,
                                 .front = who->front,
                                 .device = who->device,
                                 .what = (uint8_t)what,
                                 .ring = who->ring};
}

/* The first lane that is free from then on. */
static struct perfetto_track *lane_of(struct perfetto_story *story, struct perfetto_key key,
                                      uint64_t from_ns)
{
    struct perfetto_track *track = track_of(story, &key);

    while (track->end_ns > from_ns && key.lane + 1 < LANES_MAX) {
        key.lane++;
        track = track_of(story, &key);
    }
    return track;
}

/* ---- events ---- */

/* Whether `count` events of that time are to be written; if only for want of room, they are
 * counted. */
static bool wants(struct reading *reading, uint64_t at_ns, uint64_t count)
{
    const struct perfetto_story *story = reading->story;
    struct perfetto_summary *summary = reading->summary;
    uint64_t own_ns = at_ns - story->base_ns;

    if (own_ns < story->config->from_ns || own_ns > story->config->to_ns)
        return false;
    if (summary->left_out == 0 && story->count + count <= story->config->limit)
        return true;
    if (summary->left_out == 0 || own_ns < summary->left_since_ns)
        summary->left_since_ns = own_ns;
    summary->left_out += count;
    return false;
}

static void put(struct reading *reading, const struct perfetto_event *event)
{
    struct perfetto_story *story = reading->story;

    if (story->count == story->room) {
        story->room = story->room ? 2 * story->room : 1024;
        story->events = realloc(story->events, story->room * sizeof(story->events[0]));
        assert(story->events);
    }
    struct perfetto_event *added = &story->events[story->count];
    *added = *event;
    added->at_ns -= story->base_ns;
    added->seq = story->count++;
    struct perfetto_track *track = event->track;
    if (track->tid == 0 && event->phase != 'C')
        track->tid = ++story->tid_last;
    meet(story, track->key.domid);
}

/* ---- paths ---- */

static uint32_t stages_shown(const struct stages_path *path)
{
    uint32_t shown = 0;

    for (uint32_t i = 0; i + 1 < path->marks; i++)
        shown += path->at_ns[i + 1] > path->at_ns[i];
    return shown;
}

/* A path and in it those of its stages that took time. */
static void put_path(struct reading *reading, const struct stages_path *path,
                     struct perfetto_track *track, const struct perfetto_event *all)
{
    struct perfetto_event event = *all;

    track->end_ns = path->at_ns[path->marks - 1];
    event.phase = 'X';
    event.track = track;
    event.at_ns = path->at_ns[0];
    event.dur_ns = track->end_ns - path->at_ns[0];
    put(reading, &event);
    event.args = PERFETTO_NONE;
    for (uint32_t i = 0; i + 1 < path->marks; i++) {
        event.name = stages_stage_name(path->kind, i);
        event.at_ns = path->at_ns[i];
        event.dur_ns = path->at_ns[i + 1] - path->at_ns[i];
        if (event.dur_ns > 0)
            put(reading, &event);
    }
}

/* What the guest waited for, and in it what the backend worked at. */
static void command(struct reading *reading, const struct stages_path *path)
{
    enum { TAKEN = 3, ANSWERED = 4 };
    struct perfetto_story *story = reading->story;
    struct perfetto_key front = key_of(&path->who, CAPTURE_FRONT, PERFETTO_COMMANDS);
    struct perfetto_key back = key_of(&path->who, CAPTURE_BACK, PERFETTO_COMMANDS);
    struct perfetto_event event = {.name = call_name(path->command),
                                   .args = PERFETTO_COMMAND,
                                   .first = path->id,
                                   .second = path->sockid};

    if (!wants(reading, path->at_ns[0], 2 + stages_shown(path)))
        return;
    put_path(reading, path, lane_of(story, front, path->at_ns[0]), &event);
    struct perfetto_track *work = lane_of(story, back, path->at_ns[TAKEN]);
    work->end_ns = path->at_ns[ANSWERED];
    event.phase = 'X';
    event.track = work;
    event.at_ns = path->at_ns[TAKEN];
    event.dur_ns = path->at_ns[ANSWERED] - path->at_ns[TAKEN];
    put(reading, &event);
}

/* One at a time: the next that begins when the last has ended. */
static void socket_path(struct reading *reading, const struct stages_path *path)
{
    static const struct {
        const char *name;
        enum perfetto_what what;
    } rows[] = {[STAGES_OUT] = {"out", PERFETTO_OUT},
                [STAGES_IN] = {"in", PERFETTO_IN},
                [STAGES_ROUND] = {"round", PERFETTO_ROUND}};
    struct perfetto_key key = key_of(&path->who, CAPTURE_FRONT, rows[path->kind].what);
    struct perfetto_track *track = track_of(reading->story, &key);
    const struct perfetto_event event = {.name = rows[path->kind].name,
                                         .args = path->bytes ? PERFETTO_BYTES : PERFETTO_NONE,
                                         .first = path->bytes};

    if (track->end_ns <= path->at_ns[0] && wants(reading, path->at_ns[0], 1 + stages_shown(path)))
        put_path(reading, path, track, &event);
}

static void see_path(void *self, const struct stages_path *path)
{
    switch (path->kind) {
    case STAGES_OUT:
    case STAGES_IN:
    case STAGES_ROUND: socket_path(self, path); return;
    case STAGES_COMMAND: command(self, path); return;
    case STAGES_APP:
    case STAGES_KINDS: return;
    }
}

/* ---- notifications ---- */

static struct level *level_of(struct reading *reading, const struct capture_header *header)
{
    const struct perfetto_key key = key_of(header, CAPTURE_FRONT, PERFETTO_SIGNALS);
    struct level *level;

    /* NOLINTNEXTLINE: clang 14 sees no bytes of a struct */
    HASH_FIND(hh, reading->levels, &key, sizeof(key), level);
    if (!level) {
        level = calloc(1, sizeof(*level));
        assert(level);
        level->key = key;
        HASH_ADD(hh, reading->levels, key, sizeof(level->key), level);
    }
    return level;
}

/* Both ends of an arrow, or none. */
static void arrow(struct reading *reading, const struct level *level, enum capture_side to,
                  const struct perfetto_event *woken)
{
    struct perfetto_event event = {.at_ns = level->sent_ns[to],
                                   .name = "notify",
                                   .track = level->from[to],
                                   .phase = 's',
                                   .args = PERFETTO_FLOW,
                                   .first = reading->flows + 1};

    if (!level->from[to] || !wants(reading, event.at_ns, 2))
        return;
    reading->flows++;
    put(reading, &event);
    event.at_ns = woken->at_ns;
    event.track = woken->track;
    event.phase = 'f';
    put(reading, &event);
}

static void see_notify(struct reading *reading, struct level *level,
                       const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;
    enum capture_side side = (enum capture_side)header->side;
    enum capture_side to = side == CAPTURE_FRONT ? CAPTURE_BACK : CAPTURE_FRONT;
    bool sent = header->moved == CAPTURE_PUBLISHED;
    const struct perfetto_key key = key_of(header, side, PERFETTO_SIGNALS);
    const struct perfetto_event event = {.at_ns = packet->time_ns,
                                         .dur_ns = SIGNAL_NS,
                                         .name = sent ? "notify" : "woken",
                                         .track = track_of(reading->story, &key),
                                         .phase = 'X',
                                         .args = PERFETTO_PORT,
                                         .first = header->index};
    bool wanted = wants(reading, packet->time_ns, 1);

    if (wanted)
        put(reading, &event);
    if (sent && wanted && !level->from[to]) {
        level->from[to] = event.track;
        level->sent_ns[to] = packet->time_ns;
    } else if (!sent) {
        if (wanted)
            arrow(reading, level, side, &event);
        level->from[side] = NULL;
    }
}

/* ---- levels ---- */

static void put_level(struct reading *reading, const struct capture_header *header,
                      const struct decode_packet *packet, const char *name, uint32_t value)
{
    const struct perfetto_key key = key_of(header, CAPTURE_FRONT, PERFETTO_SIGNALS);

    if (wants(reading, packet->time_ns, 1))
        put(reading, &(struct perfetto_event){.at_ns = packet->time_ns,
                                              .name = name,
                                              .track = track_of(reading->story, &key),
                                              .phase = 'C',
                                              .args = PERFETTO_LEVEL,
                                              .first = value});
}

static void see_index(struct reading *reading, struct level *level,
                      const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;
    bool out = header->what == CAPTURE_OUT_PROD || header->what == CAPTURE_OUT_CONS;
    bool prod = header->what == CAPTURE_OUT_PROD || header->what == CAPTURE_IN_PROD;
    uint32_t way = out ? 0 : 1;

    if (header->what == CAPTURE_IN_ERROR || header->what == CAPTURE_OUT_ERROR)
        return;
    *(prod ? &level->prods[way] : &level->conses[way]) = header->index;
    uint32_t bytes = level->prods[way] - level->conses[way];
    put_level(reading, header, packet, out ? "out ring" : "in ring",
              (int32_t)bytes < 0 ? 0 : bytes);
}

static void see_slot(struct reading *reading, struct level *level,
                     const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;

    if (header->side != CAPTURE_FRONT)
        return;
    if (decode_life_begins(&level->life, packet))
        level->slots = 0;
    if (header->kind == CAPTURE_REQUEST)
        level->slots++;
    else if (level->slots > 0)
        level->slots--;
    put_level(reading, header, packet, "slots", level->slots);
}

/* ---- the file ---- */

/* A ring whose socket begins anew is empty. */
static void forget_level(struct reading *reading, const struct decode_packet *packet)
{
    struct capture_header header = packet->header;

    header.ring = CAPTURE_DATA;
    header.sockid = packet->kind == CALL_ACCEPT ? packet->new_sockid : packet->sockid;
    struct level *level = level_of(reading, &header);
    HASH_DEL(reading->levels, level);
    free(level);
}

static void see(void *self, const struct decode_packet *packet)
{
    struct reading *reading = self;
    const struct capture_header *header = &packet->header;
    struct level *level = level_of(reading, header);
    bool begins = packet->kind == CALL_CONNECT || packet->kind == CALL_ACCEPT;

    if (header->kind == CAPTURE_NOTIFY)
        see_notify(reading, level, packet);
    else if (header->kind == CAPTURE_INDEX)
        see_index(reading, level, packet);
    else
        see_slot(reading, level, packet);
    if (header->kind == CAPTURE_REQUEST && header->side == CAPTURE_FRONT && begins)
        forget_level(reading, packet);
    stages_see(reading->stages, packet);
}

static void find_base(void *self, const struct decode_packet *packet)
{
    uint64_t *first_ns = self;

    *first_ns = packet->time_ns < *first_ns ? packet->time_ns : *first_ns;
}

static void leave(struct perfetto_story *story, struct reading *reading)
{
    struct perfetto_track *track, *next_track;
    struct level *level, *next_level;

    HASH_ITER (hh, story->tracks, track, next_track) {
        HASH_DEL(story->tracks, track);
        free(track);
    }
    HASH_ITER (hh, reading->levels, level, next_level) {
        HASH_DEL(reading->levels, level);
        free(level);
    }
    free(story->events);
    free(story->domids);
}

bool perfetto_export(FILE *in, const struct perfetto_config *config, FILE *out,
                     struct perfetto_summary *summary, struct pcapng_fault *fault)
{
    uint64_t first_ns = UINT64_MAX;
    long start = ftell(in);
    struct perfetto_story story = {.config = config};
    struct reading reading = {.story = &story, .summary = summary};

    *summary = (struct perfetto_summary){0};
    if (!decode_file_each(in, find_base, &first_ns, fault))
        return false;
    if (start < 0 || fseek(in, start, SEEK_SET) != 0)
        return pcapng_fault(fault, 0, "cannot be read twice");
    if (first_ns != UINT64_MAX && first_ns >= EPOCH_NS)
        story.base_ns = first_ns;
    reading.stages = stages_create(see_path, &reading);
    bool whole = decode_file_each(in, see, &reading, fault);
    stages_finish(reading.stages);
    if (whole)
        perfetto_write(out, &story);
    summary->events = story.count;
    leave(&story, &reading);
    return whole;
}
