/* A runtime directory of a command's own. See runtime_dir.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/runtime_dir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool runtime_dir_make(char path[RUNTIME_DIR_BYTES])
{
    const char *base = getenv("XDG_RUNTIME_DIR");

    snprintf(path, RUNTIME_DIR_BYTES, "%s/xensock-XXXXXX",
             base && strlen(base) < 64 && access(base, W_OK) == 0 ? base : "/tmp");
    return mkdtemp(path) != NULL;
}

void runtime_dir_remove(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory)))
        unlinkat(dirfd(directory), entry->d_name, 0); /* "." and ".." refuse */
    if (directory)
        closedir(directory);
    rmdir(path);
}
