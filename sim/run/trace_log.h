/*
 * The trace of a run as a hash, and as a file if asked for.
 *
 * The hash is XXH3-128 over the bytes of all records, as they stand in a file (trace_file.h), and
 * over nothing else: with and without a file, whatever entities are called, it is the same. It is
 * the identity of a virtual run. A file that cannot be written further never changes it.
 * Source: architecture 9.
 */
#ifndef XENSOCK_SIM_RUN_TRACE_LOG_H
#define XENSOCK_SIM_RUN_TRACE_LOG_H

#include "ringlib/trace.h"

struct trace_log;

struct trace_log_entity {
    uint16_t who; /* as in records; each once */
    const char *name;
};

/* All of it is copied. The names must be such that trace_file_name_ok takes them. */
struct trace_log_config {
    const char *path; /* NULL: no file; one that is there is overwritten */
    const char *scenario;
    uint64_t seed;
    const struct trace_log_entity *entities;
    uint32_t entity_count;
};

/* Make a trace without records and open its file: 0, or the negated errno of what failed, and then
 * there is no trace. What comes before the records is written here, too, but a failure of that is
 * kept for finish. Asserts that there is memory. */
int trace_log_create(const struct trace_log_config *config, struct trace_log **log);

/* What takes records, until finish. It lives as long as `log`. */
const struct trace_sink *trace_log_sink(struct trace_log *log);

/* How many records it has taken. */
uint64_t trace_log_count(const struct trace_log *log);

#define TRACE_LOG_HASH_BYTES 33

/* Write the hash of all records so far, 32 hex digits as xxh128sum prints them, and a NUL. */
void trace_log_hash(struct trace_log *log, char text[TRACE_LOG_HASH_BYTES]);

/* Write what is left and close the file: 0, or the negated errno of the first failure since
 * create; what was written before it is kept. Hash and count stay. */
int trace_log_finish(struct trace_log *log);

/* Free it; what an unfinished one still holds is not written. */
void trace_log_destroy(struct trace_log *log);

#endif
