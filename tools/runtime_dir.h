/*
 * A runtime directory of a command's own: made for a hypervisor that it starts, and cleared away
 * whatever became of that.
 */
#ifndef XENSOCK_TOOLS_RUNTIME_DIR_H
#define XENSOCK_TOOLS_RUNTIME_DIR_H

#include <stdbool.h>

enum { RUNTIME_DIR_BYTES = 128 };

/* Make one under $XDG_RUNTIME_DIR, or /tmp; its name is in `path`. False if it cannot be made. */
bool runtime_dir_make(char path[RUNTIME_DIR_BYTES]);

/* Remove it, with what a killed hypervisor could not remove. */
void runtime_dir_remove(const char *path);

#endif
