/* See search_path.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/search_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool search_path(const char *name, char *found, size_t room)
{
    const char *path = getenv("PATH");
    struct stat info;

    while (path && *path) {
        size_t bytes = strcspn(path, ":");
        int written = snprintf(found, room, "%.*s/%s", (int)bytes, path, name);
        if (bytes > 0 && written > 0 && (size_t)written < room && stat(found, &info) == 0 &&
            S_ISREG(info.st_mode) && access(found, X_OK) == 0)
            return true;
        path += bytes + (path[bytes] == ':');
    }
    found[0] = '\0';
    return false;
}
