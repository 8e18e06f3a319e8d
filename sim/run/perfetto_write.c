/* Events as the text of Chrome's trace event format. See perfetto.h. */
#include "sim/run/perfetto_private.h"

#include <inttypes.h>
#include <stdlib.h>

#include <jansson.h>

/* Domain 0 is a process like others, which 0 is not for readers. */
static uint32_t pid_of(uint16_t domid)
{
    return domid + 1u;
}

static void put_text(FILE *out, const char *text)
{
    json_t *string = json_string(text);

    assert(string);
    json_dumpf(string, out, JSON_ENCODE_ANY);
    json_decref(string);
}

static void put_time(FILE *out, const char *member, uint64_t time_ns)
{
    fprintf(out, ",\"%s\":%" PRIu64 ".%03" PRIu64, member, time_ns / 1000, time_ns % 1000);
}

/* Longer ones first, so that what lies in another stands behind it. */
static int in_order(const void *a, const void *b)
{
    const struct perfetto_event *left = a, *right = b;

    if (left->at_ns != right->at_ns)
        return left->at_ns < right->at_ns ? -1 : 1;
    if (left->dur_ns != right->dur_ns)
        return left->dur_ns > right->dur_ns ? -1 : 1;
    return left->seq < right->seq ? -1 : 1;
}

/* ---- names ---- */

static void name_process(FILE *out, const struct perfetto_story *story, uint16_t domid)
{
    const struct perfetto_config *config = story->config;
    char name[PERFETTO_NAME_BYTES + 32];

    if (!config->name_of || !config->name_of(config->self, domid, name))
        snprintf(name, sizeof(name), "domain %u", (unsigned)domid);
    fprintf(out, "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%u,\"args\":{\"name\":",
            pid_of(domid));
    put_text(out, name);
    fputs("}},\n", out);
}

/* "socket 0x1000001 out", of the backend with whose: "1/0 commands 2". */
static void name_thread(FILE *out, const struct perfetto_track *track)
{
    static const char *const words[] = {[PERFETTO_COMMANDS] = "commands",
                                        [PERFETTO_SIGNALS] = "notifications",
                                        [PERFETTO_ROUND] = "rounds",
                                        [PERFETTO_OUT] = "out",
                                        [PERFETTO_IN] = "in"};
    const struct perfetto_key *key = &track->key;

    fprintf(out,
            "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%u,\"tid\":%" PRIu32
            ",\"args\":{\"name\":\"",
            pid_of(key->domid), track->tid);
    if (key->domid != key->front || key->device != 0)
        fprintf(out, "%u/%u ", (unsigned)key->front, (unsigned)key->device);
    if (key->ring == CAPTURE_DATA)
        fprintf(out, "socket 0x%" PRIx64 " ", key->sockid);
    else if (key->what == PERFETTO_SIGNALS)
        fputs("commands ", out);
    fputs(words[key->what], out);
    if (key->lane > 0)
        fprintf(out, " %" PRIu32, key->lane + 1);
    fputs("\"}},\n", out);
}

static int by_tid(const struct perfetto_track *a, const struct perfetto_track *b)
{
    return (a->tid > b->tid) - (a->tid < b->tid);
}

static void put_names(FILE *out, struct perfetto_story *story)
{
    HASH_SORT(story->tracks, by_tid);
    for (uint32_t i = 0; i < story->domid_count; i++)
        name_process(out, story, story->domids[i]);
    for (const struct perfetto_track *track = story->tracks; track; track = track->hh.next)
        if (track->tid != 0)
            name_thread(out, track);
}

/* ---- events ---- */

static void put_args(FILE *out, const struct perfetto_event *event)
{
    switch ((enum perfetto_args)event->args) {
    case PERFETTO_NONE: return;
    case PERFETTO_BYTES: fprintf(out, ",\"args\":{\"bytes\":%" PRIu64 "}", event->first); return;
    case PERFETTO_COMMAND:
        fprintf(out, ",\"args\":{\"id\":%" PRIu64 ",\"sockid\":\"0x%" PRIx64 "\"}", event->first,
                event->second);
        return;
    case PERFETTO_PORT: fprintf(out, ",\"args\":{\"port\":%" PRIu64 "}", event->first); return;
    case PERFETTO_FLOW:
        fprintf(out, ",\"cat\":\"notify\",\"id\":%" PRIu64 "%s", event->first,
                event->phase == 'f' ? ",\"bp\":\"e\"" : "");
        return;
    case PERFETTO_LEVEL: fprintf(out, ",\"args\":{\"value\":%" PRIu64 "}", event->first); return;
    }
}

/* A counter is known by its process and its name. */
static void put_event(FILE *out, const struct perfetto_event *event)
{
    const struct perfetto_key *key = &event->track->key;

    fprintf(out, "{\"ph\":\"%c\",\"name\":\"", event->phase);
    if (event->phase == 'C' && key->device != 0)
        fprintf(out, "%u/%u ", (unsigned)key->front, (unsigned)key->device);
    if (event->phase == 'C' && key->ring == CAPTURE_DATA)
        fprintf(out, "0x%" PRIx64 " ", key->sockid);
    fprintf(out, "%s\",\"pid\":%u", event->name, pid_of(key->domid));
    if (event->phase != 'C')
        fprintf(out, ",\"tid\":%" PRIu32, event->track->tid);
    put_time(out, "ts", event->at_ns);
    if (event->phase == 'X')
        put_time(out, "dur", event->dur_ns);
    put_args(out, event);
    fputc('}', out);
}

void perfetto_write(FILE *out, struct perfetto_story *story)
{
    if (story->count > 0)
        qsort(story->events, story->count, sizeof(story->events[0]), in_order);
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
    put_names(out, story);
    for (size_t i = 0; i < story->count; i++) {
        put_event(out, &story->events[i]);
        fputs(i + 1 < story->count ? ",\n" : "\n", out);
    }
    fputs("]}\n", out);
}
