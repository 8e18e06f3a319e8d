/*
 * A fuzz harness without a fuzzer: feeds it the files it is given, each a regression or a part of a
 * corpus, so that every build and every sanitizer meets them again. The order is that of their
 * names. An argument is a file or a directory; one that does not exist is empty, since a harness
 * that never failed has no regressions; but nothing at all to feed is a failure.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* scandir */
#endif
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX = 1 << 20 };

static uint8_t *input;
static unsigned fed;

static void feed(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (!file) {
        perror(path);
        exit(1);
    }
    size_t bytes = fread(input, 1, INPUT_MAX, file);
    if (ferror(file) || bytes == INPUT_MAX) {
        fprintf(stderr, "%s: cannot be read, or is larger than %d bytes\n", path, INPUT_MAX - 1);
        exit(1);
    }
    fclose(file);
    uint8_t *exact = malloc(bytes + 1); /* so that a sanitizer sees who reads past the end */
    if (!exact)
        exit(1);
    memcpy(exact, input, bytes);
    fprintf(stderr, "%s\n", path); /* the last line before a failure names its input */
    LLVMFuzzerTestOneInput(exact, bytes);
    free(exact);
    fed++;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void feed_directory(const char *path)
{
    struct dirent **list;
    int count = scandir(path, &list, visible, alphasort);

    for (int i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
        feed(file);
        free(list[i]);
    }
    if (count >= 0)
        free(list);
}

int main(int argc, char **argv)
{
    struct stat info;

    input = malloc(INPUT_MAX);
    if (!input)
        return 1;
    for (int i = 1; i < argc; i++) {
        if (stat(argv[i], &info) < 0)
            continue;
        if (S_ISDIR(info.st_mode))
            feed_directory(argv[i]);
        else
            feed(argv[i]);
    }
    free(input);
    printf("%u inputs\n", fed);
    return fed == 0;
}
