/* From a capture's file to a result. See stages_file.h. */
#include "sim/run/stages_file.h"

#include "sim/run/decode_file.h"
#include "sim/run/timeline.h"

#include <assert.h>

struct sums {
    struct stages *stages;
    struct timeline *timeline;
};

static void see(void *self, const struct decode_packet *packet)
{
    struct sums *sums = self;

    stages_see(sums->stages, packet);
    timeline_see(sums->timeline, packet);
}

static void widen(void *self, const struct decode_packet *packet)
{
    struct stages_window *window = self;

    if (packet->time_ns < window->from_ns)
        window->from_ns = packet->time_ns;
    if (packet->time_ns >= window->to_ns)
        window->to_ns = packet->time_ns + 1;
}

bool stages_file_add(json_t *repeat, const char *path, const struct stages_window *window,
                     struct pcapng_fault *fault)
{
    struct stages_window part = {UINT64_MAX, 0};

    if (window)
        part = *window;
    else if (!decode_file_each_of(path, widen, &part, fault))
        return false;
    if (part.from_ns >= part.to_ns)
        return true;
    struct stages_hist *hist = stages_hist_create(&part);
    struct sums sums = {stages_create(stages_hist_add, hist), timeline_create(&part)};
    bool whole = decode_file_each_of(path, see, &sums, fault);
    stages_finish(sums.stages);
    int ret = stages_hist_metrics(hist, json_object_get(repeat, "metrics"));
    assert(ret == 0);
    json_object_set_new(repeat, "timeline", timeline_json(sums.timeline));
    timeline_destroy(sums.timeline);
    stages_hist_destroy(hist);
    return whole;
}
