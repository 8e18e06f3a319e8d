/* See textfile.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/textfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The whole file as a string, to be freed; NULL with errno set: EFBIG if it is too large, EILSEQ
 * if it holds a NUL. */
static char *file_read(const char *path, uint32_t most_bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc((size_t)most_bytes + 2) : NULL;
    size_t bytes;
    int problem;

    if (!file)
        return NULL;
    if (text) {
        bytes = fread(text, 1, (size_t)most_bytes + 1, file);
        problem = ferror(file) ? errno : 0;
        if (bytes > most_bytes)
            problem = EFBIG;
        if (!problem && memchr(text, '\0', bytes))
            problem = EILSEQ;
        text[bytes] = '\0';
        if (problem) {
            free(text);
            text = NULL;
            errno = problem;
        }
    }
    problem = errno;
    fclose(file);
    errno = problem;
    return text;
}

char *textfile_read(const char *path, uint32_t most_bytes, struct diag_list *diags,
                    uint32_t *source)
{
    char *text = file_read(path, most_bytes);
    int problem = errno;
    struct diag_place whole = {.source = diag_add_source(diags, path, text)};

    *source = whole.source;
    if (text)
        return text;
    if (problem == EFBIG)
        diag_error(diags, DIAG_TOO_LARGE, whole, "the file is larger than %u bytes", most_bytes);
    else if (problem == EILSEQ)
        diag_error(diags, DIAG_SYNTAX, whole, "not a text file: it holds a NUL");
    else
        diag_error(diags, DIAG_UNREADABLE, whole, "cannot read the file: %s", strerror(problem));
    return NULL;
}
