/* Where output goes: directories, and files that are whole or not there. */
#ifndef XENSOCK_TOOLS_OUTPUT_H
#define XENSOCK_TOOLS_OUTPUT_H

#include <jansson.h>
#include <stddef.h>

/* Make the file `path` hold these bytes, or write them to the standard output if it is "-". An
 * older file is replaced when the new one is whole; what is no regular file is refused, and a link
 * goes on leading to where it does. NULL, or why not, in words good until the next call. */
const char *output_write(const char *path, const char *text, size_t bytes);

/* The same of a JSON value, indented, its keys in order, so that it reads and diffs as text. */
const char *output_json(const char *path, const json_t *value);

/* Make a directory and those above it that are not there: 0, or -1 with errno. */
int output_directories(const char *path);

#endif
