/* Reading captures and checking what is printed of them. See captures.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/captures.h"

#include "sim/run/decode_summary.h"
#include "sim/run/decode_text.h"
#include "sim/run/perfetto.h"
#include "sim/run/timeline.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void show(const struct decode_packet *packet, struct decode_pairs *pairs,
                 struct decode_summary *summary, FILE *text, FILE *json)
{
    struct decode_request request;
    bool answers = decode_pairs_see(pairs, packet, &request);

    decode_text_print(text, packet, answers ? &request : NULL);
    decode_text_print_json(json, packet, answers ? &request : NULL);
    decode_summary_add(summary, packet, answers ? &request : NULL);
}

/* Paths, series and events of a capture, from its packets, whatever they are. */
struct uses {
    struct stages_hist *hist;
    struct stages *stages;
    struct timeline *timeline;
};

static void take_path(void *self, const struct stages_path *path)
{
    assert(path->marks >= 2 && path->marks <= STAGES_MARKS_MAX);
    for (uint32_t i = 1; i < path->marks; i++)
        assert(path->at_ns[i] >= path->at_ns[i - 1]);
    stages_hist_add(self, path);
}

static void begin_uses(struct uses *uses)
{
    const struct stages_window all = {0, UINT64_MAX};

    uses->hist = stages_hist_create(&all);
    uses->stages = stages_create(take_path, uses->hist);
    uses->timeline = timeline_create(&all);
}

static void end_uses(struct uses *uses)
{
    json_t *metrics = json_object(), *timeline = timeline_json(uses->timeline);

    stages_finish(uses->stages);
    assert(stages_hist_metrics(uses->hist, metrics) == 0);
    assert(json_object_size(json_object_get(timeline, "series")) == TIMELINE_SERIES_COUNT);
    stages_hist_destroy(uses->hist);
    timeline_destroy(uses->timeline);
    json_decref(metrics);
    json_decref(timeline);
}

static void export(FILE *in, int end)
{
    const struct perfetto_config config = {.to_ns = UINT64_MAX, .limit = 1000};
    struct perfetto_summary summary;
    struct pcapng_fault fault;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    rewind(in);
    bool good = perfetto_export(in, &config, out, &summary, &fault);
    fclose(out);
    assert(good ? end == 0 : fault.what[0] && bytes == 0);
    json_t *json = good ? json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL) : NULL;
    assert(json_array_size(json_object_get(json, "traceEvents")) >= summary.events &&
           summary.events <= config.limit && !json == !good);
    json_decref(json);
    free(text);
}

/* Read all that can be read, and print it in each way. */
static struct captures_outcome read_into(FILE *in, FILE *text, FILE *json)
{
    struct pcapng_reader *file = pcapng_read_open(in);
    struct decode_pairs *pairs = decode_pairs_create();
    struct decode_summary *summary = decode_summary_create();
    struct captures_outcome outcome = {0};
    struct pcapng_read_packet from;
    struct decode_packet packet;
    struct pcapng_fault fault;
    struct uses uses;

    begin_uses(&uses);
    while ((outcome.end = pcapng_read_next(file, &from, &outcome.fault)) == 1) {
        assert(from.interface < pcapng_read_interfaces(file));
        outcome.packets++;
        if (decode_take(&from, &packet, &fault)) {
            show(&packet, pairs, summary, text, json);
            stages_see(uses.stages, &packet);
            timeline_see(uses.timeline, &packet);
        } else
            assert(fault.offset >= from.offset && fault.what[0]);
    }
    decode_summary_print(text, summary);
    decode_summary_print_json(json, summary);
    decode_pairs_destroy(pairs);
    decode_summary_destroy(summary);
    pcapng_read_close(file);
    end_uses(&uses);
    export(in, outcome.end);
    return outcome;
}

static void check_text(const char *text, const char *json)
{
    for (const char *c = text; *c; c++)
        assert((*c >= ' ' && *c <= '~') || *c == '\n');
    while (*json) {
        size_t length = strcspn(json, "\n");
        json_t *line =
            json_loadb(json, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);

        assert(line);
        json_decref(line);
        json += length + 1;
    }
}

/* The bytes are copied, so that a sanitizer sees who reads behind them. */
struct captures_outcome captures_read(const uint8_t *bytes, uint32_t size)
{
    char *text = NULL, *json = NULL;
    size_t text_bytes, json_bytes;
    uint8_t *copy = malloc(size);
    FILE *in = fmemopen(copy, size, "r"), *to_text = open_memstream(&text, &text_bytes),
         *to_json = open_memstream(&json, &json_bytes);

    assert(copy && in && to_text && to_json);
    memcpy(copy, bytes, size);
    struct captures_outcome outcome = read_into(in, to_text, to_json);
    fclose(in);
    fclose(to_text);
    fclose(to_json);
    check_text(text, json);
    free(copy);
    free(text);
    free(json);
    return outcome;
}
