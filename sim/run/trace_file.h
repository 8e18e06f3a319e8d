/*
 * The file of a trace, XSTRACE1: its format, and reading it. trace_log.h writes it.
 *
 *   offset  bytes
 *        0      8  "XSTRACE1"
 *        8      2  version, 1
 *       10      2  bytes of a record, 32
 *       12      4  bytes of the names, N
 *       16      N  the names: lines of text, each ended by a newline
 *                      scenario NAME
 *                      seed NUMBER
 *                      WHO NAME        for each entity, in any order, WHO as in its records
 *   16 + N     32  a record, and so on to the end of the file
 *
 * A record is struct trace_record as it lies in memory: now_ns 8, token 8, value 8, extra 4, who 2,
 * point 1, detail 1 bytes. All numbers are little-endian, those of the names decimal. A name is 1
 * to TRACE_FILE_NAME_BYTES - 1 printable ASCII characters without space, quote and backslash.
 *
 * The file may be anybody's: nothing in it is believed, what is wrong is said with its offset.
 * A file is not marked as whole: one that was cut between two records reads as a shorter trace.
 */
#ifndef XENSOCK_SIM_RUN_TRACE_FILE_H
#define XENSOCK_SIM_RUN_TRACE_FILE_H

#include "ringlib/trace.h"

#include <stdbool.h>
#include <stddef.h>

#define TRACE_FILE_MAGIC "XSTRACE1"

enum {
    TRACE_FILE_VERSION = 1,
    TRACE_FILE_HEADER_BYTES = 16,
    TRACE_FILE_RECORD_BYTES = 32,
    TRACE_FILE_NAMES_BYTES_MAX = 8 << 20, /* every entity with the longest name fits */
    TRACE_FILE_NAME_BYTES = 64,
    TRACE_FILE_ENTITIES = 65536,
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a record is written as it lies there");
_Static_assert(sizeof(struct trace_record) == TRACE_FILE_RECORD_BYTES &&
                   offsetof(struct trace_record, token) == 8 &&
                   offsetof(struct trace_record, value) == 16 &&
                   offsetof(struct trace_record, extra) == 24 &&
                   offsetof(struct trace_record, who) == 28 &&
                   offsetof(struct trace_record, point) == 30 &&
                   offsetof(struct trace_record, detail) == 31,
               "a record has the same layout in either word size");

/* Whether a text may be the name of a scenario or an entity. */
bool trace_file_name_ok(const char *name);

/* What is wrong with a file: where, in bytes from its start, and what, for people. */
struct trace_file_fault {
    uint64_t offset;
    char what[192];
};

struct trace_file;

/* Open a file and read all that stands before its records; NULL, and the fault filled in, if it
 * cannot be read or is no such file. Asserts that there is memory. */
struct trace_file *trace_file_open(const char *path, struct trace_file_fault *fault);
void trace_file_close(struct trace_file *file);

/* Read the next record: 1; 0 at the end; -1, and the fault filled in, if there is no whole record
 * of a known point. After 0 or -1 there is nothing more to read. */
int trace_file_next(struct trace_file *file, struct trace_record *record,
                    struct trace_file_fault *fault);

/* The number, from 0, of the record read next, and its offset in bytes. */
uint64_t trace_file_position(const struct trace_file *file);
uint64_t trace_file_offset(const struct trace_file *file);

/* What the names say; they live as long as `file`. An entity without a name has NULL. */
const char *trace_file_scenario(const struct trace_file *file);
uint64_t trace_file_seed(const struct trace_file *file);
const char *trace_file_name(const struct trace_file *file, uint16_t who);

/* Characters of the longest name of an entity. */
uint32_t trace_file_name_width(const struct trace_file *file);

/* Find an entity by its name; false if there is none. */
bool trace_file_find(const struct trace_file *file, const char *name, uint16_t *who);

#endif
