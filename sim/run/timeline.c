/*
 * Series of a capture. See timeline.h.
 *
 * Invariant: once `begun`, all intervals up to `at` are, each with the largest of what the rings
 * held at its beginning; those of sockets that were released are forgotten.
 */
#include "sim/run/timeline.h"

#include <assert.h>
#include <stdlib.h>

#include <uthash.h>

struct ring {
    struct capture_ring_key key;
    uint32_t prods[2], conses[2]; /* out, in */
    uint32_t slots;
    struct decode_life life;
    UT_hash_handle hh;
};

struct timeline {
    struct stages_window window;
    uint64_t interval_ns;
    uint32_t count, at;
    bool begun, over;
    uint64_t *series[TIMELINE_SERIES_COUNT];
    struct ring *rings;
};

enum { OUT, IN };

static uint64_t interval_for(uint64_t took_ns)
{
    uint64_t unit_ns = 1;

    for (;; unit_ns *= 10) {
        static const uint32_t steps[] = {1, 2, 5};
        for (uint32_t i = 0; i < 3; i++)
            if ((took_ns - 1) / (unit_ns * steps[i]) < TIMELINE_INTERVALS_MAX)
                return unit_ns * steps[i];
    }
}

struct timeline *timeline_create(const struct stages_window *window)
{
    struct timeline *timeline = calloc(1, sizeof(*timeline));
    uint64_t took_ns = window->to_ns - window->from_ns;

    assert(timeline && window->to_ns > window->from_ns);
    timeline->window = *window;
    timeline->interval_ns = interval_for(took_ns);
    timeline->count = (uint32_t)((took_ns - 1) / timeline->interval_ns) + 1;
    for (uint32_t i = 0; i < TIMELINE_SERIES_COUNT; i++) {
        timeline->series[i] = calloc(timeline->count, sizeof(timeline->series[i][0]));
        assert(timeline->series[i]);
    }
    return timeline;
}

void timeline_destroy(struct timeline *timeline)
{
    struct ring *ring, *next;

    HASH_ITER (hh, timeline->rings, ring, next) {
        HASH_DEL(timeline->rings, ring);
        free(ring);
    }
    for (uint32_t i = 0; i < TIMELINE_SERIES_COUNT; i++)
        free(timeline->series[i]);
    free(timeline);
}

static struct ring *ring_of(struct timeline *timeline, const struct capture_header *header)
{
    const struct capture_ring_key key =
        capture_ring_key(header, (enum capture_ring)header->ring, header->sockid);
    struct ring *ring;

    /* NOLINTNEXTLINE: clang 14 sees no bytes of a struct */
    HASH_FIND(hh, timeline->rings, &key, sizeof(key), ring);
    if (!ring) {
        ring = calloc(1, sizeof(*ring));
        assert(ring);
        ring->key = key;
        HASH_ADD(hh, timeline->rings, key, sizeof(ring->key), ring);
    }
    return ring;
}

static void at_least(struct timeline *timeline, enum timeline_series series, uint64_t value)
{
    uint64_t *now = &timeline->series[series][timeline->at];

    *now = *now < value ? value : *now;
}

/* A consumer's index ahead of the producer's is another's lie, or a packet was lost. */
static uint32_t queued(const struct ring *ring, uint32_t way)
{
    uint32_t bytes = ring->prods[way] - ring->conses[way];

    return (int32_t)bytes < 0 ? 0 : bytes;
}

static void look(struct timeline *timeline, const struct ring *ring)
{
    at_least(timeline, TIMELINE_COMMAND_RING, ring->slots);
    at_least(timeline, TIMELINE_OUT_RING, queued(ring, OUT));
    at_least(timeline, TIMELINE_IN_RING, queued(ring, IN));
}

static void look_all(struct timeline *timeline)
{
    for (const struct ring *ring = timeline->rings; ring; ring = ring->hh.next)
        look(timeline, ring);
}

/* Begin the intervals up to that of a time in the window. */
static void go_on(struct timeline *timeline, uint64_t now_ns)
{
    uint32_t to = (uint32_t)((now_ns - timeline->window.from_ns) / timeline->interval_ns);

    if (!timeline->begun)
        look_all(timeline);
    timeline->begun = true;
    while (timeline->at < to) {
        timeline->at++;
        look_all(timeline);
    }
}

/* What of a socket that was is no longer in a ring. */
static void forget(struct timeline *timeline, const struct decode_packet *packet)
{
    struct capture_header header = packet->header;

    header.ring = CAPTURE_DATA;
    header.sockid = packet->kind == CALL_ACCEPT ? packet->new_sockid : packet->sockid;
    struct ring *ring = ring_of(timeline, &header);
    HASH_DEL(timeline->rings, ring);
    free(ring);
}

/* The device has come again: its rings are new, and empty. */
static void forget_life(struct timeline *timeline, struct ring *commands)
{
    struct ring *ring, *next;

    commands->slots = 0;
    HASH_ITER (hh, timeline->rings, ring, next) {
        if (ring->key.ring != CAPTURE_DATA || ring->key.front != commands->key.front ||
            ring->key.back != commands->key.back || ring->key.device != commands->key.device)
            continue;
        HASH_DEL(timeline->rings, ring);
        free(ring);
    }
}

static void move(struct ring *ring, const struct capture_header *header)
{
    switch ((enum capture_word)header->what) {
    case CAPTURE_OUT_PROD: ring->prods[OUT] = header->index; return;
    case CAPTURE_OUT_CONS: ring->conses[OUT] = header->index; return;
    case CAPTURE_IN_PROD: ring->prods[IN] = header->index; return;
    case CAPTURE_IN_CONS: ring->conses[IN] = header->index; return;
    case CAPTURE_IN_ERROR:
    case CAPTURE_OUT_ERROR: return;
    }
}

static void count(struct timeline *timeline, const struct capture_header *header)
{
    bool front = header->side == CAPTURE_FRONT;
    enum timeline_series sent = front ? TIMELINE_NOTIFICATIONS_FRONT : TIMELINE_NOTIFICATIONS_BACK;

    if (header->kind == CAPTURE_NOTIFY && header->moved == CAPTURE_PUBLISHED)
        timeline->series[sent][timeline->at]++;
    else if (header->kind == CAPTURE_INDEX && header->what == CAPTURE_OUT_PROD)
        timeline->series[TIMELINE_SENT_BYTES][timeline->at] += header->bytes;
    else if (header->kind == CAPTURE_INDEX && header->what == CAPTURE_IN_CONS)
        timeline->series[TIMELINE_RECEIVED_BYTES][timeline->at] += header->bytes;
}

/* What the rings hold from now on. */
static void apply(struct timeline *timeline, struct ring *ring, const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;
    bool front = header->side == CAPTURE_FRONT;

    if (decode_life_begins(&ring->life, packet))
        forget_life(timeline, ring);
    if (header->kind == CAPTURE_INDEX)
        move(ring, header);
    else if (header->kind == CAPTURE_REQUEST && front)
        ring->slots++;
    else if (header->kind == CAPTURE_RESPONSE && front && ring->slots > 0)
        ring->slots--;
    if ((header->kind == CAPTURE_REQUEST && front &&
         (packet->kind == CALL_CONNECT || packet->kind == CALL_ACCEPT)) ||
        (header->kind == CAPTURE_RESPONSE && front && packet->kind == CALL_RELEASE))
        forget(timeline, packet);
}

void timeline_see(struct timeline *timeline, const struct decode_packet *packet)
{
    bool in_window = packet->time_ns >= timeline->window.from_ns;

    if (packet->time_ns >= timeline->window.to_ns) {
        go_on(timeline, timeline->window.to_ns - 1);
        timeline->over = true;
    }
    if (timeline->over)
        return;
    struct ring *ring = ring_of(timeline, &packet->header);
    if (in_window) {
        go_on(timeline, packet->time_ns);
        count(timeline, &packet->header);
    }
    apply(timeline, ring, packet);
    if (in_window)
        look(timeline, ring);
}

json_t *timeline_json(struct timeline *timeline)
{
#define X(constant, name) name,
    static const char *const names[] = {TIMELINE_SERIES(X)};
#undef X
    json_t *series = json_object();

    go_on(timeline, timeline->window.to_ns - 1);
    for (uint32_t i = 0; i < TIMELINE_SERIES_COUNT; i++) {
        json_t *values = json_array();
        for (uint32_t at = 0; at < timeline->count; at++)
            json_array_append_new(values, json_integer((json_int_t)timeline->series[i][at]));
        json_object_set_new(series, names[i], values);
    }
    return json_pack("{s:I, s:i, s:o}", "interval_ns", (json_int_t)timeline->interval_ns, "from_ns",
                     0, "series", series);
}
