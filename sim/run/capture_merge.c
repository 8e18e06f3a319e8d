/*
 * Merging parts of a capture. See capture_merge.h.
 *
 * All parts are gone through twice: to learn what interfaces there are, since they stand before the
 * packets, and to write these. A heap of parts, the one with the next packet first, has the order.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/capture_merge.h"

#include "ringlib/dialect.h"
#include "sim/run/capture_part.h"
#include "sim/run/pcapng_write.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

/* A ring as one side saw it. */
struct interface {
    struct capture_key key;
    uint32_t number;
    uint64_t packets, lost;
    UT_hash_handle hh;
};

/* A part with its next packet. */
struct source {
    struct capture_part part;
    struct capture_view next;
    uint32_t place;
};

enum { GIVE_BACK_BYTES = 65536 };

struct merge {
    const struct capture_merge_config *config;
    struct capture_summary *summary;
    struct source *sources;
    struct source **heap; /* those that have a packet */
    uint32_t heap_count;
    struct interface *interfaces;
    uint64_t last_ns; /* the file's time */
    uint64_t told;    /* packets that were written, or could not be */
    struct pcapng_writer *writer;
};

/* ---- interfaces ---- */

static struct interface *find(struct merge *merge, const struct capture_key *key)
{
    struct interface *interface;

    HASH_FIND(hh, merge->interfaces, key, sizeof(*key), interface);
    return interface;
}

static void add(struct merge *merge, const struct capture_key *key)
{
    struct interface *interface = calloc(1, sizeof(*interface));

    assert(interface);
    interface->key = *key;
    HASH_ADD(hh, merge->interfaces, key, sizeof(interface->key), interface);
}

/* The ring's, of that side; both sides have one. */
static struct interface *interface_of(struct merge *merge, struct capture_key key)
{
    struct interface *interface = find(merge, &key);

    if (interface)
        return interface;
    add(merge, &key);
    key.side ^= 1u;
    add(merge, &key);
    key.side ^= 1u;
    return find(merge, &key);
}

static int64_t by_number(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int in_order(const struct interface *a, const struct interface *b)
{
    int64_t order = by_number(a->key.front, b->key.front);

    order = order ? order : by_number(a->key.device, b->key.device);
    order = order ? order : by_number(a->key.back, b->key.back);
    order = order ? order : by_number(a->key.dialect, b->key.dialect);
    order = order ? order : by_number(a->key.ring, b->key.ring);
    order = order ? order : by_number(a->key.sockid, b->key.sockid);
    return (int)(order ? order : by_number(a->key.side, b->key.side));
}

static void describe(const struct capture_key *key, char name[PCAPNG_NAME_MAX])
{
    static const char *const sides[] = {
#define X(constant, number, name) [number] = (name),
        CAPTURE_SIDES(X)
#undef X
    };
    const char *dialect = dialect_at(key->dialect)->name;

    if (key->ring == CAPTURE_COMMANDS)
        snprintf(name, PCAPNG_NAME_MAX, CAPTURE_NAME_COMMANDS, key->front, key->device, dialect,
                 sides[key->side]);
    else
        snprintf(name, PCAPNG_NAME_MAX, CAPTURE_NAME_SOCKET, key->front, key->device, dialect,
                 (unsigned long long)key->sockid, sides[key->side]);
}

/* What rings there are, and what was lost of them. */
static void survey(struct merge *merge, struct source *source)
{
    struct capture_view view;
    struct capture_key key;
    uint32_t count;

    while (capture_part_next(&source->part, &view))
        interface_of(merge, capture_key_of(&view.header))->packets++;
    for (uint32_t i = 0; i < CAPTURE_DROPS_MAX; i++)
        if (capture_part_drop(&source->part, i, &key, &count)) {
            interface_of(merge, key)->lost += count;
            merge->summary->lost += count;
        }
    merge->summary->lost += capture_part_others(&source->part);
    merge->summary->damaged += source->part.damaged ? 1u : 0u;
    if (capture_part_error(&source->part) != 0)
        merge->summary->error = capture_part_error(&source->part);
}

static void write_interfaces(struct merge *merge)
{
    char name[PCAPNG_NAME_MAX];
    uint32_t number = 0;

    HASH_SORT(merge->interfaces, in_order);
    for (struct interface *one = merge->interfaces; one; one = one->hh.next) {
        one->number = number++;
        describe(&one->key, name);
        pcapng_interface(merge->writer, CAPTURE_LINKTYPE, name, CAPTURE_TSRESOL);
    }
}

static void write_statistics(struct merge *merge)
{
    for (const struct interface *one = merge->interfaces; one; one = one->hh.next)
        pcapng_statistics(merge->writer,
                          &(struct pcapng_statistics){.interface = one->number,
                                                      .time = merge->last_ns,
                                                      .received = one->packets + one->lost,
                                                      .dropped = one->lost});
}

/* ---- packets ---- */

static bool is_before(const struct source *a, const struct source *b)
{
    if (a->next.now_ns != b->next.now_ns)
        return a->next.now_ns < b->next.now_ns;
    if (a->next.header.moved != b->next.header.moved)
        return a->next.header.moved == CAPTURE_PUBLISHED;
    return a->place < b->place;
}

/* The i-th of the heap goes down to where it belongs. */
static void sink(struct merge *merge, uint32_t i)
{
    struct source **heap = merge->heap;

    for (uint32_t child = 2 * i + 1; child < merge->heap_count; child = 2 * i + 1) {
        if (child + 1 < merge->heap_count && is_before(heap[child + 1], heap[child]))
            child++;
        if (!is_before(heap[child], heap[i]))
            return;
        struct source *up = heap[child];
        heap[child] = heap[i];
        heap[i] = up;
        i = child;
    }
}

/* A disk that was too full for the parts has no room for the file beside them. */
static void give_back(const struct merge *merge, struct source *source)
{
    uint64_t read = source->part.at - source->part.given_back;

    if (merge->config->give_back &&
        (read >= GIVE_BACK_BYTES || source->part.at == source->part.end))
        capture_part_give_back(&source->part);
}

static void start(struct merge *merge)
{
    for (uint32_t i = 0; i < merge->config->part_count; i++) {
        struct source *source = &merge->sources[i];
        capture_part_rewind(&source->part);
        if (merge->config->give_back)
            capture_part_give_back(&source->part);
        if (capture_part_next(&source->part, &source->next))
            merge->heap[merge->heap_count++] = source;
    }
    for (uint32_t i = merge->heap_count; i > 0; i--)
        sink(merge, i - 1);
}

static void write_packet(struct merge *merge, const struct capture_view *view)
{
    bool published = view->header.moved == CAPTURE_PUBLISHED;

    merge->last_ns = view->now_ns + (uint64_t)merge->config->offset_ns;
    pcapng_packet(merge->writer,
                  &(struct pcapng_packet){
                      .interface = interface_of(merge, capture_key_of(&view->header))->number,
                      .time = merge->last_ns,
                      .way = published ? PCAPNG_OUTBOUND : PCAPNG_INBOUND,
                      .bytes = view->packet,
                      .count = view->bytes});
    merge->told++;
}

static void write_packets(struct merge *merge)
{
    start(merge);
    while (merge->heap_count > 0) {
        struct source *first = merge->heap[0];
        write_packet(merge, &first->next);
        give_back(merge, first);
        if (!capture_part_next(&first->part, &first->next))
            merge->heap[0] = merge->heap[--merge->heap_count];
        sink(merge, 0);
    }
}

/* ---- all of it ---- */

static int open_parts(struct merge *merge)
{
    int error = 0;

    for (uint32_t i = 0; i < merge->config->part_count; i++) {
        struct source *source = &merge->sources[i];
        int ret =
            capture_part_open(&source->part, merge->config->parts[i], merge->config->give_back);
        error = error == 0 ? ret : error; /* the others are worth having */
        source->place = i;
        survey(merge, source);
    }
    return error;
}

static int write_file(struct merge *merge)
{
    const struct capture_merge_config *config = merge->config;
    struct capture_summary *summary = merge->summary;
    int ret = pcapng_create(config->under, CAPTURE_APPLICATION, &merge->writer);

    if (ret < 0)
        return ret;
    write_interfaces(merge);
    write_packets(merge);
    write_statistics(merge);
    ret = pcapng_finish(merge->writer, &summary->packets);
    summary->lost += merge->told - summary->packets;
    if (ret < 0 && summary->error == 0)
        summary->error = (uint32_t)-ret;
    if (ret < 0 && summary->packets == 0)
        unlink(config->under);
    else if (rename(config->under, config->to) < 0) {
        ret = ret < 0 ? ret : -errno;
        unlink(config->under);
    }
    return ret;
}

int capture_merge(const struct capture_merge_config *config, struct capture_summary *summary)
{
    struct merge merge = {.config = config, .summary = summary};
    uint32_t count = config->part_count + 1; /* not none */

    *summary = (struct capture_summary){0};
    merge.sources = calloc(count, sizeof(merge.sources[0]));
    merge.heap = calloc(count, sizeof(struct source *));
    assert(merge.sources && merge.heap);
    int unread = open_parts(&merge);
    int ret = write_file(&merge);
    for (uint32_t i = 0; i < config->part_count; i++)
        capture_part_close(&merge.sources[i].part);
    free(merge.sources);
    free(merge.heap);
    struct interface *interface, *next;
    HASH_ITER (hh, merge.interfaces, interface, next) {
        HASH_DEL(merge.interfaces, interface);
        free(interface);
    }
    return ret < 0 ? ret : unread;
}
