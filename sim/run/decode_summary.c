/* A capture added up, ring by ring. See decode_summary.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/decode_summary.h"

#include "sim/run/decode_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

enum { SIDES = 2, MOVES = 2, WORDS = CAPTURE_OUT_ERROR + 1, COMMANDS = CALL_KINDS + 1 };

/* One command, or what the dialect does not know. */
struct command {
    uint64_t requests[SIDES], responses[SIDES]; /* seen by each side */
    uint64_t errors;                            /* of the responses of the back */
    uint64_t *waits_ns;                         /* of the front for a response */
    size_t wait_count, wait_room;
};

struct ring {
    struct capture_ring_key key;
    uint64_t notifies[SIDES][MOVES];
    uint64_t bytes[WORDS]; /* of the four indexes */
    int32_t errors[WORDS]; /* of the two errors, the last */
    struct command commands[COMMANDS];
    UT_hash_handle hh;
};

struct decode_summary {
    uint64_t packets, first_ns, last_ns;
    struct ring *rings;
};

struct decode_summary *decode_summary_create(void)
{
    struct decode_summary *summary = calloc(1, sizeof(*summary));

    assert(summary);
    summary->first_ns = UINT64_MAX;
    return summary;
}

void decode_summary_destroy(struct decode_summary *summary)
{
    struct ring *ring, *next;

    HASH_ITER (hh, summary->rings, ring, next) {
        HASH_DEL(summary->rings, ring);
        for (uint32_t i = 0; i < COMMANDS; i++)
            free(ring->commands[i].waits_ns);
        free(ring);
    }
    free(summary);
}

/* ---- adding ---- */

static struct ring *ring_of(struct decode_summary *summary, const struct capture_header *header)
{
    const struct capture_ring_key key =
        capture_ring_key(header, (enum capture_ring)header->ring, header->sockid);
    struct ring *ring;

    /* NOLINTNEXTLINE: clang 14 sees no bytes of a struct */
    HASH_FIND(hh, summary->rings, &key, sizeof(key), ring);
    if (!ring) {
        ring = calloc(1, sizeof(*ring));
        assert(ring);
        ring->key = key;
        HASH_ADD(hh, summary->rings, key, sizeof(ring->key), ring);
    }
    return ring;
}

static void add_wait(struct command *command, uint64_t wait_ns)
{
    if (command->wait_count == command->wait_room) {
        command->wait_room = command->wait_room ? 2 * command->wait_room : 64;
        command->waits_ns =
            realloc(command->waits_ns, command->wait_room * sizeof(command->waits_ns[0]));
        assert(command->waits_ns);
    }
    command->waits_ns[command->wait_count++] = wait_ns;
}

static void add_response(struct command *command, const struct decode_packet *packet,
                         const struct decode_request *request)
{
    command->responses[packet->header.side]++;
    command->errors += packet->header.side == CAPTURE_BACK && packet->ret < 0;
    if (packet->header.side == CAPTURE_FRONT && request && packet->time_ns >= request->time_ns)
        add_wait(command, packet->time_ns - request->time_ns);
}

void decode_summary_add(struct decode_summary *summary, const struct decode_packet *packet,
                        const struct decode_request *request)
{
    const struct capture_header *header = &packet->header;
    struct ring *ring = ring_of(summary, header);

    summary->packets++;
    if (packet->time_ns < summary->first_ns)
        summary->first_ns = packet->time_ns;
    if (packet->time_ns > summary->last_ns)
        summary->last_ns = packet->time_ns;
    switch ((enum capture_kind)header->kind) {
    case CAPTURE_REQUEST: ring->commands[packet->kind].requests[header->side]++; break;
    case CAPTURE_RESPONSE: add_response(&ring->commands[packet->kind], packet, request); break;
    case CAPTURE_NOTIFY: ring->notifies[header->side][header->moved]++; break;
    case CAPTURE_INDEX:
        if (header->what == CAPTURE_IN_ERROR || header->what == CAPTURE_OUT_ERROR)
            ring->errors[header->what] = (int32_t)header->index;
        else
            ring->bytes[header->what] += header->bytes;
        break;
    }
}

/* ---- printing ---- */

static int by_size(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static uint64_t percentile(const struct command *command, uint32_t percent)
{
    return command->waits_ns[(command->wait_count * percent + 99) / 100 - 1];
}

static void sort_waits(struct command *command)
{
    if (command->wait_count > 0)
        qsort(command->waits_ns, command->wait_count, sizeof(command->waits_ns[0]), by_size);
}

static bool was_seen(const struct command *command)
{
    return command->requests[0] + command->requests[1] + command->responses[0] +
               command->responses[1] >
           0;
}

static void print_wait(FILE *out, const struct command *command)
{
    if (command->wait_count == 0)
        fprintf(out, " %12s %12s %12s", "-", "-", "-");
    else
        fprintf(out, " %12" PRIu64 " %12" PRIu64 " %12" PRIu64, percentile(command, 50),
                percentile(command, 99), percentile(command, 100));
}

static void print_commands(FILE *out, struct ring *ring)
{
    const uint64_t *front = ring->notifies[CAPTURE_FRONT], *back = ring->notifies[CAPTURE_BACK];

    fprintf(out, "  %-8s %9s %9s %9s %9s %9s %12s %12s %12s\n", "command", "requests", "taken",
            "responses", "taken", "errors", "p50 ns", "p99 ns", "max ns");
    for (uint32_t i = 0; i < COMMANDS; i++) {
        struct command *command = &ring->commands[i];

        if (!was_seen(command))
            continue;
        sort_waits(command);
        fprintf(out, "  %-8s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64,
                call_name((enum call_kind)i), command->requests[CAPTURE_FRONT],
                command->requests[CAPTURE_BACK], command->responses[CAPTURE_BACK],
                command->responses[CAPTURE_FRONT], command->errors);
        print_wait(out, command);
        fputc('\n', out);
    }
    fprintf(out,
            "  notifications: front %" PRIu64 " sent, %" PRIu64 " received; back %" PRIu64
            " sent, %" PRIu64 " received\n",
            front[CAPTURE_PUBLISHED], front[CAPTURE_CONSUMED], back[CAPTURE_PUBLISHED],
            back[CAPTURE_CONSUMED]);
}

static void print_data_head(FILE *out)
{
    fprintf(out, "  %-18s %11s %11s %11s %11s %10s %10s %10s %10s\n", "socket", "in bytes", "taken",
            "out bytes", "taken", "front sent", "received", "back sent", "received");
}

static void print_data(FILE *out, const struct ring *ring)
{
    fprintf(out, "  0x%-16" PRIx64 " %11" PRIu64 " %11" PRIu64 " %11" PRIu64 " %11" PRIu64,
            ring->key.sockid, ring->bytes[CAPTURE_IN_PROD], ring->bytes[CAPTURE_IN_CONS],
            ring->bytes[CAPTURE_OUT_PROD], ring->bytes[CAPTURE_OUT_CONS]);
    for (uint32_t side = 0; side < SIDES; side++)
        fprintf(out, " %10" PRIu64 " %10" PRIu64, ring->notifies[side][CAPTURE_PUBLISHED],
                ring->notifies[side][CAPTURE_CONSUMED]);
    for (uint32_t word = CAPTURE_IN_ERROR; word <= CAPTURE_OUT_ERROR; word++) {
        char error[DECODE_RESULT_BYTES];

        decode_text_result(ring->errors[word], error);
        if (ring->errors[word])
            fprintf(out, "  %s %s", decode_word_name((enum capture_word)word), error);
    }
    fputc('\n', out);
}

/* By device, commands first; of the same kind they stay as they were met, since the sort is stable.
 */
static int in_order(const struct ring *a, const struct ring *b)
{
    const uint16_t left[] = {a->key.front, a->key.device, a->key.back, a->key.dialect, a->key.ring};
    const uint16_t right[] = {b->key.front, b->key.device, b->key.back, b->key.dialect,
                              b->key.ring};

    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

void decode_summary_print(FILE *out, struct decode_summary *summary)
{
    uint64_t took_ns = summary->packets ? summary->last_ns - summary->first_ns : 0;
    const struct ring *before = NULL;

    HASH_SORT(summary->rings, in_order);
    fprintf(out, "%" PRIu64 " packets in %" PRIu64 ".%09" PRIu64 " s\n", summary->packets,
            took_ns / 1000000000, took_ns % 1000000000);
    for (struct ring *ring = summary->rings; ring; before = ring, ring = ring->hh.next) {
        const struct capture_ring_key *key = &ring->key;
        bool is_data = key->ring == CAPTURE_DATA;

        if (!before || in_order(before, ring) != 0) {
            fprintf(out, "\n%u/%u %s, back %u, %s\n", (unsigned)key->front, (unsigned)key->device,
                    dialect_at(key->dialect)->name, (unsigned)key->back,
                    is_data ? "sockets" : "commands");
            if (is_data)
                print_data_head(out);
        }
        if (is_data)
            print_data(out, ring);
        else
            print_commands(out, ring);
    }
}

/* ---- JSON ---- */

static void json_commands(FILE *out, struct ring *ring)
{
    const char *separator = "";

    fputs(",\"commands\":{", out);
    for (uint32_t i = 0; i < COMMANDS; i++) {
        struct command *command = &ring->commands[i];

        if (!was_seen(command))
            continue;
        sort_waits(command);
        fprintf(out,
                "%s\"%s\":{\"front_requests\":%" PRIu64 ",\"back_requests\":%" PRIu64
                ",\"back_responses\":%" PRIu64 ",\"front_responses\":%" PRIu64
                ",\"errors\":%" PRIu64,
                separator, call_name((enum call_kind)i), command->requests[CAPTURE_FRONT],
                command->requests[CAPTURE_BACK], command->responses[CAPTURE_BACK],
                command->responses[CAPTURE_FRONT], command->errors);
        if (command->wait_count > 0)
            fprintf(out, ",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64,
                    percentile(command, 50), percentile(command, 99), percentile(command, 100));
        fputc('}', out);
        separator = ",";
    }
    fputc('}', out);
}

static void json_data(FILE *out, const struct ring *ring)
{
    fprintf(out, ",\"sockid\":\"0x%" PRIx64 "\"", ring->key.sockid);
    for (uint32_t word = 0; word < WORDS; word++) {
        const char *name = decode_word_name((enum capture_word)word);

        if (word == CAPTURE_IN_ERROR || word == CAPTURE_OUT_ERROR)
            fprintf(out, ",\"%s\":%" PRId32, name, ring->errors[word]);
        else
            fprintf(out, ",\"%s_bytes\":%" PRIu64, name, ring->bytes[word]);
    }
}

void decode_summary_print_json(FILE *out, struct decode_summary *summary)
{
    HASH_SORT(summary->rings, in_order);
    for (struct ring *ring = summary->rings; ring; ring = ring->hh.next) {
        const struct capture_ring_key *key = &ring->key;

        fprintf(out, "{\"front\":%u,\"back\":%u,\"device\":%u,\"dialect\":\"%s\",\"ring\":\"%s\"",
                (unsigned)key->front, (unsigned)key->back, (unsigned)key->device,
                dialect_at(key->dialect)->name,
                key->ring == CAPTURE_COMMANDS ? "commands" : "data");
        if (key->ring == CAPTURE_COMMANDS)
            json_commands(out, ring);
        else
            json_data(out, ring);
        fprintf(out,
                ",\"front_sent\":%" PRIu64 ",\"front_received\":%" PRIu64 ",\"back_sent\":%" PRIu64
                ",\"back_received\":%" PRIu64 "}\n",
                ring->notifies[CAPTURE_FRONT][CAPTURE_PUBLISHED],
                ring->notifies[CAPTURE_FRONT][CAPTURE_CONSUMED],
                ring->notifies[CAPTURE_BACK][CAPTURE_PUBLISHED],
                ring->notifies[CAPTURE_BACK][CAPTURE_CONSUMED]);
    }
}
