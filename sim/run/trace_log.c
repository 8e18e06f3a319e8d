/*
 * Hashing records and writing them. See trace_log.h.
 *
 * Records are gathered in a block; a full one is hashed and written at once.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/trace_log.h"

#include "sim/run/trace_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* A few KiB: in the first cache, and large enough that a write costs little per record. */
enum { BLOCK_BYTES = 512 * TRACE_FILE_RECORD_BYTES };

struct trace_log {
    struct trace_sink sink;
    uint64_t records; /* that have left the block */
    uint32_t used;    /* bytes of `block` */
    bool finished;
    int fd;    /* -1: there is no file, or no longer */
    int error; /* 0, or the negated errno of what failed first */
    XXH3_state_t *state;
    uint8_t block[BLOCK_BYTES];
};

/* ---- the file ---- */

/* After a failure nothing more is written: a file has no holes. */
static void file_write(struct trace_log *log, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    while (log->fd >= 0 && log->error == 0 && size > 0) {
        ssize_t written = write(log->fd, at, size);

        if (written > 0) {
            at += written;
            size -= (size_t)written;
        } else if (written == 0 || errno != EINTR) {
            log->error = written == 0 ? -EIO : -errno;
        }
    }
}

/* The text of the names, to be freed. */
static char *names_make(const struct trace_log_config *config, size_t *size)
{
    uint8_t seen[TRACE_FILE_ENTITIES / 8] = {0};
    char *text = NULL;
    FILE *out = open_memstream(&text, size);

    assert(out && trace_file_name_ok(config->scenario));
    fprintf(out, "scenario %s\nseed %" PRIu64 "\n", config->scenario, config->seed);
    for (uint32_t i = 0; i < config->entity_count; i++) {
        const struct trace_log_entity *entity = &config->entities[i];
        uint8_t bit = (uint8_t)(1u << entity->who % 8);

        assert(trace_file_name_ok(entity->name) && !(seen[entity->who / 8] & bit));
        seen[entity->who / 8] |= bit;
        fprintf(out, "%u %s\n", (unsigned)entity->who, entity->name);
    }
    int failed = fclose(out);
    assert(!failed && text && *size <= TRACE_FILE_NAMES_BYTES_MAX);
    (void)failed;
    return text;
}

static void put(uint8_t *to, uint32_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static void file_begin(struct trace_log *log, const struct trace_log_config *config)
{
    uint8_t header[TRACE_FILE_HEADER_BYTES] = TRACE_FILE_MAGIC;
    size_t size;
    char *names = names_make(config, &size);

    put(header + 8, TRACE_FILE_VERSION, 2);
    put(header + 10, TRACE_FILE_RECORD_BYTES, 2);
    put(header + 12, (uint32_t)size, 4);
    file_write(log, header, sizeof(header));
    file_write(log, names, size);
    free(names);
}

/* ---- records ---- */

/* Records that leave the block are hashed, and written if there is a file. */
static void block_out(struct trace_log *log)
{
    XXH_errorcode code = XXH3_128bits_update(log->state, log->block, log->used);

    assert(code == XXH_OK);
    (void)code;
    file_write(log, log->block, log->used);
    log->records += log->used / TRACE_FILE_RECORD_BYTES;
    log->used = 0;
}

static void log_take(void *self, const struct trace_record *record)
{
    struct trace_log *log = self;

    assert(!log->finished);
    memcpy(log->block + log->used, record, TRACE_FILE_RECORD_BYTES);
    log->used += TRACE_FILE_RECORD_BYTES;
    if (log->used == BLOCK_BYTES)
        block_out(log);
}

int trace_log_create(const struct trace_log_config *config, struct trace_log **log)
{
    struct trace_log *made = calloc(1, sizeof(*made));

    assert(made);
    made->sink = (struct trace_sink){.take = log_take, .self = made};
    made->fd = -1;
    if (config->path) {
        made->fd = open(config->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (made->fd < 0) {
            int error = -errno;

            free(made);
            return error;
        }
        file_begin(made, config);
    }
    made->state = XXH3_createState();
    assert(made->state);
    XXH3_128bits_reset(made->state); /* fails only without a state */
    *log = made;
    return 0;
}

const struct trace_sink *trace_log_sink(struct trace_log *log)
{
    return &log->sink;
}

uint64_t trace_log_count(const struct trace_log *log)
{
    return log->records + log->used / TRACE_FILE_RECORD_BYTES;
}

void trace_log_hash(struct trace_log *log, char text[TRACE_LOG_HASH_BYTES])
{
    block_out(log);
    XXH128_hash_t hash = XXH3_128bits_digest(log->state);
    snprintf(text, TRACE_LOG_HASH_BYTES, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
             (uint64_t)hash.low64);
}

int trace_log_finish(struct trace_log *log)
{
    block_out(log);
    log->finished = true;
    if (log->fd >= 0 && close(log->fd) != 0 && log->error == 0)
        log->error = -errno;
    log->fd = -1;
    return log->error;
}

void trace_log_destroy(struct trace_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    XXH3_freeState(log->state);
    free(log);
}
