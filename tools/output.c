/* See output.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/output.h"

#include "tools/capturing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int last_error(void)
{
    return errno > 0 ? errno : EIO;
}

/* Write through to the disk; 0 or an errno. Takes `fd`. */
static int write_and_close(int fd, const char *text, size_t bytes)
{
    FILE *file = fdopen(fd, "w");
    int problem = 0;

    if (!file) {
        problem = last_error();
        close(fd);
        return problem;
    }
    if (fwrite(text, 1, bytes, file) != bytes || fflush(file) != 0 || fsync(fd) != 0)
        problem = last_error();
    if (fclose(file) != 0 && !problem)
        problem = last_error();
    return problem;
}

/* A temporary name of our own: two that write one file must not share it, and what a killed one
 * left may be written over. */
static int replace(const char *path, const char *text, size_t bytes)
{
    char temporary[PATH_MAX + 16];
    int fd, problem;

    snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return last_error();
    problem = write_and_close(fd, text, bytes);
    if (!problem && rename(temporary, path) != 0)
        problem = last_error();
    if (problem)
        unlink(temporary);
    return problem;
}

const char *output_write(const char *path, const char *text, size_t bytes)
{
    char target[PATH_MAX];
    const char *refused;
    int problem;

    if (strcmp(path, "-") == 0)
        return fwrite(text, 1, bytes, stdout) == bytes ? NULL : strerror(last_error());
    refused = capturing_refused(path);
    if (refused)
        return refused;
    if (!realpath(path, target)) { /* it is not there yet */
        if (strlen(path) >= sizeof(target))
            return strerror(ENAMETOOLONG);
        strcpy(target, path);
    }
    problem = replace(target, text, bytes);
    return problem ? strerror(problem) : NULL;
}

const char *output_json(const char *path, const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(1) | JSON_SORT_KEYS), *lines = NULL;
    const char *problem = strerror(ENOMEM);

    if (text && asprintf(&lines, "%s\n", text) >= 0)
        problem = output_write(path, lines, strlen(lines));
    free(lines);
    free(text);
    return problem;
}

static int make_directory(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -1;
}

int output_directories(const char *path)
{
    struct stat info;
    char part[PATH_MAX];
    size_t length = strlen(path);

    errno = ENAMETOOLONG;
    if (length >= sizeof(part))
        return -1;
    for (size_t i = 1; i < length; i++) {
        if (path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (make_directory(part) < 0)
            return -1;
    }
    if (make_directory(path) < 0)
        return -1;
    errno = ENOTDIR;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode) ? 0 : -1;
}
