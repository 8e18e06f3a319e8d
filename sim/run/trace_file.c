/*
 * Reading the file of a trace. See trace_file.h.
 *
 * The lines of the names are cut in place; an entity is known by where its name stands in them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/trace_file.h"

#include "sim/run/units.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trace_file {
    FILE *in;
    uint64_t offset; /* of what is read next */
    uint32_t names_bytes, name_width;
    char *names; /* and a NUL behind them */
    const char *scenario;
    uint64_t seed;
    uint32_t name_at[TRACE_FILE_ENTITIES]; /* in `names`; 0: none, for another line is there */
};

bool trace_file_name_ok(const char *name)
{
    size_t length = 0;

    for (; name[length] != '\0'; length++)
        if (name[length] <= ' ' || name[length] > '~' || strchr("\"\\", name[length]))
            return false;
    return length > 0 && length < TRACE_FILE_NAME_BYTES;
}

/* Word a fault; false, for the caller to return. */
static bool fault_at(struct trace_file_fault *fault, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fault_at(struct trace_file_fault *fault, uint64_t offset, const char *format, ...)
{
    va_list arguments;

    fault->offset = offset;
    va_start(arguments, format);
    vsnprintf(fault->what, sizeof(fault->what), format, arguments);
    va_end(arguments);
    return false;
}

/* Read the next `size` bytes; fewer, and how many in `got`, only at the end of the file. */
static bool read_some(struct trace_file *file, void *to, size_t size, size_t *got,
                      struct trace_file_fault *fault)
{
    *got = fread(to, 1, size, file->in);
    file->offset += *got;
    if (*got < size && ferror(file->in))
        return fault_at(fault, file->offset, "cannot be read: %s", strerror(errno));
    return true;
}

/* ---- what stands before the records ---- */

static uint32_t get(const uint8_t *from, uint32_t bytes)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < bytes; i++)
        value |= (uint32_t)from[i] << (8 * i);
    return value;
}

static bool read_header(struct trace_file *file, struct trace_file_fault *fault)
{
    uint8_t header[TRACE_FILE_HEADER_BYTES] = {0};
    size_t got;

    if (!read_some(file, header, sizeof(header), &got, fault))
        return false;
    if (got == 0 || memcmp(header, TRACE_FILE_MAGIC, got < 8 ? got : 8) != 0)
        return fault_at(fault, 0, "no trace: it does not begin with " TRACE_FILE_MAGIC);
    if (got < sizeof(header))
        return fault_at(fault, got, "the file ends in its header of %zu bytes", sizeof(header));
    if (get(header + 8, 2) != TRACE_FILE_VERSION)
        return fault_at(fault, 8, "format version %u; this xensock reads version %d",
                        get(header + 8, 2), TRACE_FILE_VERSION);
    if (get(header + 10, 2) != TRACE_FILE_RECORD_BYTES)
        return fault_at(fault, 10, "records of %u bytes; they have %d", get(header + 10, 2),
                        TRACE_FILE_RECORD_BYTES);
    file->names_bytes = get(header + 12, 4);
    if (file->names_bytes > TRACE_FILE_NAMES_BYTES_MAX)
        return fault_at(fault, 12, "names of %u bytes; at most %d", file->names_bytes,
                        TRACE_FILE_NAMES_BYTES_MAX);
    return true;
}

static bool read_names(struct trace_file *file, struct trace_file_fault *fault)
{
    size_t got;

    file->names = malloc((size_t)file->names_bytes + 1);
    assert(file->names);
    if (!read_some(file, file->names, file->names_bytes, &got, fault))
        return false;
    file->names[got] = '\0';
    if (got < file->names_bytes)
        return fault_at(fault, file->offset, "the file ends in its names, %zu of %u bytes", got,
                        file->names_bytes);
    return true;
}

/* Cut the line at `*at` off and go on to the next; NULL if there is no whole line of text. */
static char *take_line(struct trace_file *file, uint32_t *at)
{
    char *line = file->names + *at;
    char *end = memchr(line, '\n', file->names_bytes - *at);

    if (!end || memchr(line, '\0', (size_t)(end - line)))
        return NULL;
    *end = '\0';
    *at = (uint32_t)(end + 1 - file->names);
    return line;
}

/* The name in a line "KEY NAME"; NULL if it is no such line. */
static char *name_behind(char *line, const char *key)
{
    size_t length = strlen(key);

    if (!line || strncmp(line, key, length) != 0 || line[length] != ' ')
        return NULL;
    return line + length + 1;
}

/* Take a line "WHO NAME"; what is wrong with it, or NULL. */
static const char *take_entity(struct trace_file *file, char *line)
{
    uint64_t who;
    char *space = line ? strchr(line, ' ') : NULL;

    if (space)
        *space = '\0';
    if (!space || units_parse_count(line, &who) != UNITS_OK || who >= TRACE_FILE_ENTITIES ||
        !trace_file_name_ok(space + 1))
        return "expected the number and the name of an entity";
    if (file->name_at[who])
        return "an entity is named twice";
    file->name_at[who] = (uint32_t)(space + 1 - file->names);
    if (strlen(space + 1) > file->name_width)
        file->name_width = (uint32_t)strlen(space + 1);
    return NULL;
}

static bool parse_names(struct trace_file *file, struct trace_file_fault *fault)
{
    uint32_t at = 0, from = 0;
    const char *seed, *wrong = NULL;

    file->scenario = name_behind(take_line(file, &at), "scenario");
    if (!file->scenario || !trace_file_name_ok(file->scenario))
        return fault_at(fault, TRACE_FILE_HEADER_BYTES, "expected a line 'scenario NAME'");
    from = at;
    seed = name_behind(take_line(file, &at), "seed");
    if (!seed || units_parse_count(seed, &file->seed) != UNITS_OK)
        return fault_at(fault, TRACE_FILE_HEADER_BYTES + (uint64_t)from,
                        "expected a line 'seed NUMBER'");
    while (at < file->names_bytes && !wrong) {
        from = at;
        wrong = take_entity(file, take_line(file, &at));
    }
    if (wrong)
        return fault_at(fault, TRACE_FILE_HEADER_BYTES + (uint64_t)from, "%s", wrong);
    return true;
}

struct trace_file *trace_file_open(const char *path, struct trace_file_fault *fault)
{
    FILE *in = fopen(path, "re");
    struct trace_file *file;

    if (!in) {
        fault_at(fault, 0, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    file = calloc(1, sizeof(*file));
    assert(file);
    file->in = in;
    if (read_header(file, fault) && read_names(file, fault) && parse_names(file, fault))
        return file;
    trace_file_close(file);
    return NULL;
}

void trace_file_close(struct trace_file *file)
{
    fclose(file->in);
    free(file->names);
    free(file);
}

/* ---- records ---- */

int trace_file_next(struct trace_file *file, struct trace_record *record,
                    struct trace_file_fault *fault)
{
    uint64_t number = trace_file_position(file), offset = file->offset;
    size_t got;

    if (!read_some(file, record, sizeof(*record), &got, fault))
        return -1;
    if (got == 0)
        return 0;
    if (got < sizeof(*record)) {
        fault_at(fault, file->offset, "the file ends in record %" PRIu64 ", %zu of %zu bytes",
                 number, got, sizeof(*record));
        return -1;
    }
    if (record->point >= TRACE_POINT_COUNT) {
        fault_at(fault, offset + offsetof(struct trace_record, point),
                 "record %" PRIu64 " has trace point %u; this xensock knows 0 to %d: the file is "
                 "damaged, or newer",
                 number, (unsigned)record->point, TRACE_POINT_COUNT - 1);
        return -1;
    }
    return 1;
}

uint64_t trace_file_position(const struct trace_file *file)
{
    return (trace_file_offset(file) - TRACE_FILE_HEADER_BYTES - file->names_bytes) /
           TRACE_FILE_RECORD_BYTES;
}

uint64_t trace_file_offset(const struct trace_file *file)
{
    return file->offset;
}

const char *trace_file_scenario(const struct trace_file *file)
{
    return file->scenario;
}

uint64_t trace_file_seed(const struct trace_file *file)
{
    return file->seed;
}

const char *trace_file_name(const struct trace_file *file, uint16_t who)
{
    return file->name_at[who] ? file->names + file->name_at[who] : NULL;
}

uint32_t trace_file_name_width(const struct trace_file *file)
{
    return file->name_width;
}

bool trace_file_find(const struct trace_file *file, const char *name, uint16_t *who)
{
    for (uint32_t i = 0; i < TRACE_FILE_ENTITIES; i++)
        if (file->name_at[i] && strcmp(file->names + file->name_at[i], name) == 0) {
            *who = (uint16_t)i;
            return true;
        }
    return false;
}
