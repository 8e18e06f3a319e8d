/* A process's part of a capture. See capture.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/capture.h"

#include "ringlib/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file grows by what it has, within these: a short run is a small file, a long one has few
 * calls. */
enum { STEP_MIN = 65536, STEP_MAX = 16 * 1024 * 1024 };

enum { PROBES_MAX = 16 }; /* places a ring may have in the table of lost packets */

struct capture {
    struct capture_config config;
    int fd;
    struct capture_part_head *head;
    struct shared_area words; /* the same */
    uint64_t used;            /* bytes of records */
    bool full;
    uint8_t *window; /* of the file, from `window_at` of its records, or NULL */
    uint64_t window_at, window_bytes;
};

struct capture_key capture_key_of(const struct capture_header *header)
{
    return (struct capture_key){.sockid = header->sockid,
                                .front = header->front,
                                .device = header->device,
                                .back = header->back,
                                .dialect = header->dialect,
                                .ring = header->ring,
                                .side = header->side};
}

/* ---- room ---- */

static int reserve(int fd, uint64_t from, uint64_t bytes)
{
    int error = posix_fallocate(fd, (off_t)from, (off_t)bytes);

    while (error == EINTR)
        error = posix_fallocate(fd, (off_t)from, (off_t)bytes);
    return error;
}

/* The window moves on, so that at least `bytes` fit behind what there is: 0 or an errno. What it no
 * longer shows stays in the file. */
static int grow(struct capture *capture, uint64_t bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t at = capture->used & ~(page - 1);
    uint64_t step = capture->used < STEP_MIN   ? STEP_MIN
                    : capture->used < STEP_MAX ? capture->used
                                               : STEP_MAX;
    uint64_t end = capture->used + (bytes > step ? bytes : step);

    end = end < capture->config.limit_bytes ? end : capture->config.limit_bytes;
    int error = reserve(capture->fd, CAPTURE_RECORDS_AT + at, end - at);
    if (error != 0)
        return error;
    void *window = mmap(NULL, (size_t)(end - at), PROT_READ | PROT_WRITE, MAP_SHARED, capture->fd,
                        (off_t)(CAPTURE_RECORDS_AT + at));
    if (window == MAP_FAILED)
        return errno;
    if (capture->window)
        munmap(capture->window, (size_t)capture->window_bytes);
    capture->window = window;
    capture->window_at = at;
    capture->window_bytes = end - at;
    return 0;
}

/* Where the next `bytes` of records go; NULL: nowhere, now and for ever. */
static uint8_t *room(struct capture *capture, uint64_t bytes)
{
    int error = 0;

    capture->full |= capture->used + bytes > capture->config.limit_bytes;
    if (!capture->full && capture->used + bytes > capture->window_at + capture->window_bytes)
        error = grow(capture, bytes);
    if (error != 0) {
        shared_store(&capture->words, offsetof(struct capture_part_head, error), (uint32_t)error);
        capture->full = true;
    }
    return capture->full ? NULL : capture->window + (capture->used - capture->window_at);
}

/* ---- packets ---- */

/* Count a packet that has no room. Whoever reads a count finds the key before it whole. */
static void drop(struct capture *capture, const struct capture_header *header)
{
    struct capture_key key = capture_key_of(header);
    uint32_t hash =
        (uint32_t)(((key.sockid ^ (uint64_t)key.front << 48 ^ (uint64_t)key.device << 32) *
                    0x9e3779b97f4a7c15u) >>
                   32);

    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        struct capture_drop *at = &capture->head->drops[(hash + i) % CAPTURE_DROPS_MAX];
        uint32_t count = at->count; /* nobody else writes */
        if (count == 0)
            at->key = key;
        if (memcmp(&at->key, &key, sizeof(key)) != 0)
            continue;
        if (count < UINT32_MAX)
            shared_store(&capture->words,
                         (uint32_t)((uint8_t *)&at->count - (uint8_t *)capture->head), count + 1);
        return;
    }
    shared_store(&capture->words, offsetof(struct capture_part_head, others),
                 capture->head->others + 1);
}

static void put(struct capture *capture, const struct capture_header *header, const void *slot)
{
    uint32_t slot_bytes = slot ? header->bytes : 0;
    struct capture_record record = {.bytes = (uint32_t)sizeof(*header) + slot_bytes};
    uint64_t bytes = capture_record_bytes(&record);
    uint8_t *at = room(capture, bytes);

    assert(record.bytes <= CAPTURE_PACKET_MAX);
    if (!at) {
        drop(capture, header);
        return;
    }
    record.now_ns = capture->config.now_ns(capture->config.clock);
    memcpy(at, &record, sizeof(record));
    memcpy(at + sizeof(record), header, sizeof(*header));
    if (slot)
        memcpy(at + sizeof(record) + sizeof(*header), slot, slot_bytes);
    capture->used += bytes;
    shared_store(&capture->words, offsetof(struct capture_part_head, committed),
                 (uint32_t)(capture->used / 8));
}

static void take(void *self, const struct capture_packet *packet)
{
    const struct capture_device *device = self;
    struct capture_header header = device->who;

    header.kind = packet->kind;
    header.moved = packet->moved;
    header.ring = packet->ring;
    header.what = packet->what;
    header.index = packet->index;
    header.bytes = packet->bytes;
    header.sockid = packet->sockid;
    put(device->capture, &header, packet->slot);
}

const struct capture_sink *capture_device_init(struct capture_device *device,
                                               struct capture *capture,
                                               const struct capture_header *who)
{
    *device = (struct capture_device){.sink = {.take = take, .self = device},
                                      .capture = capture,
                                      .who = {.version = CAPTURE_VERSION,
                                              .side = who->side,
                                              .front = who->front,
                                              .back = who->back,
                                              .device = who->device,
                                              .dialect = who->dialect}};
    return capture ? &device->sink : NULL;
}

/* ---- the file ---- */

static int open_file(struct capture *capture)
{
    capture->fd = open(capture->config.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (capture->fd < 0)
        return errno;
    int error = reserve(capture->fd, 0, CAPTURE_RECORDS_AT);
    if (error != 0)
        return error;
    void *head = mmap(NULL, CAPTURE_RECORDS_AT, PROT_READ | PROT_WRITE, MAP_SHARED, capture->fd, 0);
    if (head == MAP_FAILED)
        return errno;
    capture->head = head;
    capture->words = (struct shared_area){head, CAPTURE_RECORDS_AT / SHARED_PAGE_BYTES};
    capture->head->magic = CAPTURE_PART_MAGIC;
    return 0;
}

int capture_create(const struct capture_config *config, struct capture **capture)
{
    struct capture *made = calloc(1, sizeof(*made));

    assert(made && config->limit_bytes >= CAPTURE_LIMIT_MIN &&
           config->limit_bytes <= CAPTURE_LIMIT_MAX);
    made->config = *config;
    made->config.limit_bytes &= ~UINT64_C(7);
    int error = open_file(made);
    if (error == 0) {
        *capture = made;
        return 0;
    }
    capture_destroy(made);
    return -error;
}

void capture_clock(struct capture *capture, void *clock, uint64_t (*now_ns)(void *clock))
{
    capture->config.clock = clock;
    capture->config.now_ns = now_ns;
}

void capture_destroy(struct capture *capture)
{
    if (capture->window)
        munmap(capture->window, (size_t)capture->window_bytes);
    if (capture->head)
        munmap(capture->head, CAPTURE_RECORDS_AT);
    if (capture->fd >= 0)
        close(capture->fd);
    free(capture);
}
