/*
 * Records of a trace in words.
 *
 * What a number of a record means follows from its point, TRACE_POINTS says how; what nothing is
 * known of is shown as it is, so that a new point needs nothing here to be seen.
 */
#ifndef XENSOCK_SIM_RUN_TRACE_TEXT_H
#define XENSOCK_SIM_RUN_TRACE_TEXT_H

#include "sim/run/trace_file.h"

#include <stdio.h>

enum { TRACE_TEXT_BYTES = 128 };

/* The name of a point, and the point of a name; false if there is none of that name. */
const char *trace_text_point(enum trace_point point);
bool trace_text_find_point(const char *name, uint8_t *point);

/* Write what a record says beside when, where and of whom: "NET_READ 0/3/1 result=-ECONNRESET".
 * A token is shown as device/slot/generation, the slot of the device itself as "-". */
void trace_text_detail(const struct trace_record *record, char text[TRACE_TEXT_BYTES]);

/* Write the name of an entity of `file`; of one without a name its number, as "#12". */
void trace_text_who(const struct trace_file *file, uint16_t who, char text[TRACE_FILE_NAME_BYTES]);

/* Print a record of `file` as one line: time in seconds, entity, point, and its detail. */
void trace_text_print(FILE *out, const struct trace_file *file, const struct trace_record *record);

/* Print a record of `file` as one line of JSON: the members of the record by their names, `token`
 * as 16 hex digits, with `name` (entity), `point` (name) and `text` (detail). */
void trace_text_print_json(FILE *out, const struct trace_file *file,
                           const struct trace_record *record);

#endif
