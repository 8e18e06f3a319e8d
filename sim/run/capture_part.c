/* Reading a part of a capture. See capture_part.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/capture_part.h"

#include "ringlib/dialect.h"
#include "ringlib/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct capture_part_head *head_of(const struct capture_part *part)
{
    return (const struct capture_part_head *)(const void *)part->file;
}

/* A word of the head. */
static uint32_t word(const struct capture_part *part, size_t offset)
{
    const struct shared_area words = {(struct shared_memory *)(uintptr_t)part->file,
                                      CAPTURE_RECORDS_AT / SHARED_PAGE_BYTES};

    return shared_load(&words, (uint32_t)offset);
}

static void unmap(struct capture_part *part)
{
    munmap((void *)(uintptr_t)part->file, part->file_bytes);
    part->file = NULL;
}

static int map(struct capture_part *part, int fd)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return -errno;
    if (info.st_size < CAPTURE_RECORDS_AT)
        return 0;
    void *file = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED)
        return -errno;
    part->fd = fd;
    part->file = file;
    part->file_bytes = (size_t)info.st_size;
    part->given_back = CAPTURE_RECORDS_AT;
    if (head_of(part)->magic != CAPTURE_PART_MAGIC) { /* it came no further than making room */
        unmap(part);
        return 0;
    }
    uint64_t committed = word(part, offsetof(struct capture_part_head, committed)) * UINT64_C(8);
    uint64_t there = part->file_bytes - CAPTURE_RECORDS_AT;
    part->damaged = committed > there;
    part->end = CAPTURE_RECORDS_AT + (committed < there ? committed : there);
    capture_part_rewind(part);
    return 0;
}

int capture_part_open(struct capture_part *part, const char *path, bool give_back)
{
    *part = (struct capture_part){0};
    int fd = open(path, (give_back ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int ret = map(part, fd);
    if (!part->file)
        close(fd);
    return ret;
}

/* Whether a header and its length agree, so that readers need not ask. */
static bool is_sound(const struct capture_header *header, uint32_t bytes)
{
    bool slot = header->kind == CAPTURE_REQUEST || header->kind == CAPTURE_RESPONSE;

    return header->version == CAPTURE_VERSION && header->side <= CAPTURE_BACK &&
           header->ring <= CAPTURE_DATA && header->dialect < DIALECTS_MAX &&
           dialect_at(header->dialect) && bytes == sizeof(*header) + (slot ? header->bytes : 0);
}

/* The record at `part->at`, if it can be one. */
static bool is_whole(const struct capture_part *part, struct capture_record *record)
{
    uint64_t left = part->end - part->at;

    if (left < sizeof(*record))
        return false;
    memcpy(record, part->file + part->at, sizeof(*record));
    return record->bytes >= sizeof(struct capture_header) && record->bytes <= CAPTURE_PACKET_MAX &&
           capture_record_bytes(record) <= left;
}

bool capture_part_next(struct capture_part *part, struct capture_view *view)
{
    struct capture_record record;

    if (part->at == part->end)
        return false;
    if (is_whole(part, &record)) {
        view->now_ns = record.now_ns;
        view->packet = part->file + part->at + sizeof(record);
        view->bytes = record.bytes;
        memcpy(&view->header, view->packet, sizeof(view->header));
        if (is_sound(&view->header, view->bytes)) {
            part->at += capture_record_bytes(&record);
            return true;
        }
    }
    part->damaged = true;
    part->end = part->at; /* the same the next time it is gone through */
    return false;
}

void capture_part_rewind(struct capture_part *part)
{
    part->at = part->file ? CAPTURE_RECORDS_AT : part->end;
}

/* From the page of one offset to that of the other. A file system that cannot keeps all. */
static void punch(const struct capture_part *part, uint64_t from, uint64_t to)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    from &= ~(page - 1);
    to &= ~(page - 1);
    if (from < to)
        (void)fallocate(part->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                        (off_t)(to - from));
}

void capture_part_give_back(struct capture_part *part)
{
    if (!part->file)
        return;
    if (part->given_back == CAPTURE_RECORDS_AT)
        punch(part, part->end + (uint64_t)sysconf(_SC_PAGESIZE) - 1, part->file_bytes);
    punch(part, part->given_back, part->at);
    part->given_back = part->at;
}

bool capture_part_drop(const struct capture_part *part, uint32_t i, struct capture_key *key,
                       uint32_t *count)
{
    if (!part->file)
        return false;
    const struct capture_drop *drop = &head_of(part)->drops[i];
    *count = word(part, offsetof(struct capture_part_head, drops) + i * sizeof(*drop) +
                            offsetof(struct capture_drop, count));
    *key = drop->key;
    return *count > 0 && key->side <= CAPTURE_BACK && key->ring <= CAPTURE_DATA &&
           dialect_at(key->dialect);
}

uint32_t capture_part_others(const struct capture_part *part)
{
    return part->file ? word(part, offsetof(struct capture_part_head, others)) : 0;
}

uint32_t capture_part_error(const struct capture_part *part)
{
    return part->file ? word(part, offsetof(struct capture_part_head, error)) : 0;
}

void capture_part_close(struct capture_part *part)
{
    if (!part->file)
        return;
    unmap(part);
    close(part->fd);
}
