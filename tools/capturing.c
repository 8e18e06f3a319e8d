/* A command's capture. See capturing.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/capturing.h"

#include "sim/run/units.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

bool capturing_limit(const char *text, uint64_t *limit_bytes)
{
    if (units_parse_size(text, limit_bytes) == UNITS_OK && *limit_bytes >= CAPTURE_LIMIT_MIN &&
        *limit_bytes <= CAPTURE_LIMIT_MAX)
        return true;
    fprintf(stderr, "xensock: error: --capture-limit takes a size from %s to %s (%s), not '%s'\n",
            units_format_size(CAPTURE_LIMIT_MIN).text, units_format_size(CAPTURE_LIMIT_MAX).text,
            UNITS_OF_SIZE, text);
    return false;
}

static uint64_t monotonic_ns(void *clock)
{
    (void)clock;
    return uv_hrtime();
}

static int64_t wall_offset_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)uv_hrtime();
}

/* ---- the file and its parts ---- */

/* What is no regular file would be replaced by one. */
const char *capturing_refused(const char *file)
{
    struct stat info;

    if (!file[0])
        return strerror(ENOENT);
    if (stat(file, &info) < 0) {
        int problem = errno;
        if (problem != ENOENT)
            return strerror(problem);
        return lstat(file, &info) == 0 ? "it is a link to nothing" : NULL;
    }
    if (S_ISDIR(info.st_mode))
        return strerror(EISDIR);
    if (!S_ISREG(info.st_mode))
        return "it is there and no regular file";
    return access(file, W_OK) < 0 ? strerror(errno) : NULL;
}

/* Make a part and remove it again: what fails at that would fail in each process of a run. */
static const char *cannot_write(struct capturing *capturing)
{
    struct capture *probe;
    const char *part = capturing_part(capturing, "probe");
    int ret = capture_create(&(struct capture_config){.path = part,
                                                      .limit_bytes = capturing->limit_bytes,
                                                      .now_ns = monotonic_ns},
                             &probe);

    if (ret == 0)
        capture_destroy(probe);
    unlink(part);
    free(capturing->parts[--capturing->part_count]);
    return ret < 0 ? strerror(-ret) : NULL;
}

/* For `xensock capture`, should nobody else live to make the file. */
static void write_offset(const struct capturing *capturing)
{
    FILE *file = fopen(capturing->offset, "w");

    if (!file)
        return; /* parts cannot be made either, which is told */
    fprintf(file, "%" PRId64 "\n", capturing->offset_ns);
    fclose(file);
}

static void close_all(struct capturing *capturing)
{
    for (uint32_t i = 0; i < capturing->part_count; i++) {
        unlink(capturing->parts[i]);
        free(capturing->parts[i]);
    }
    if (capturing->offset)
        unlink(capturing->offset);
    if (capturing->directory)
        rmdir(capturing->directory);
    free(capturing->offset);
    free(capturing->parts);
    free(capturing->directory);
    free(capturing->to);
    *capturing = (struct capturing){.file = NULL};
}

static const char *open_directory(struct capturing *capturing)
{
    const char *reason = capturing_refused(capturing->file);

    if (reason)
        return reason;
    capturing->to = realpath(capturing->file, NULL); /* a link stays one */
    if (!capturing->to)
        capturing->to = strdup(capturing->file);
    if (!capturing->to || asprintf(&capturing->directory, "%s.parts-XXXXXX", capturing->to) < 0)
        assert(!"there is memory");
    if (mkdtemp(capturing->directory)) {
        if (asprintf(&capturing->offset, "%s/" CAPTURING_OFFSET, capturing->directory) < 0)
            assert(!"there is memory");
        write_offset(capturing);
        return cannot_write(capturing);
    }
    reason = strerror(errno);
    free(capturing->directory);
    capturing->directory = NULL;
    return reason;
}

bool capturing_open(struct capturing *capturing, const struct capturing_options *options, bool wall,
                    char why[CAPTURING_WORDS_BYTES])
{
    *capturing = (struct capturing){.file = options->file,
                                    .limit_bytes = options->limit_bytes ? options->limit_bytes
                                                                        : CAPTURE_LIMIT_DEFAULT,
                                    .offset_ns = wall ? wall_offset_ns() : 0};
    signal(SIGXFSZ, SIG_IGN); /* as below */
    const char *reason = open_directory(capturing);

    if (!reason)
        return true;
    snprintf(why, CAPTURING_WORDS_BYTES, "cannot write the capture %s: %s", options->file, reason);
    close_all(capturing);
    return false;
}

const char *capturing_part(struct capturing *capturing, const char *process)
{
    uint32_t count = capturing->part_count;
    char *path;

    capturing->parts = realloc(capturing->parts, (count + 1) * sizeof(char *));
    if (!capturing->parts ||
        asprintf(&path, "%s/%s.%" PRIu32, capturing->directory, process, count) < 0)
        assert(!"there is memory");
    capturing->parts[count] = path;
    capturing->part_count++;
    return path;
}

/* Whether there is no room for the file beside its parts: a packet takes less than twice as much in
 * it. Where there is, they stay until it is whole, for `xensock capture`. */
static bool is_scarce(const struct capturing *capturing)
{
    struct statvfs disk;
    struct stat info;
    uint64_t parts = 0;

    for (uint32_t i = 0; i < capturing->part_count; i++)
        parts += stat(capturing->parts[i], &info) == 0 ? (uint64_t)info.st_size : 0;
    return statvfs(capturing->directory, &disk) == 0 &&
           (uint64_t)disk.f_bavail * disk.f_frsize < 2 * parts;
}

static bool merge(struct capturing *capturing, struct capture_summary *summary,
                  char why[CAPTURING_WORDS_BYTES])
{
    char *under;

    if (asprintf(&under, "%s/merged", capturing->directory) < 0)
        assert(!"there is memory");
    int ret =
        capture_merge(&(struct capture_merge_config){.parts = (const char *const *)capturing->parts,
                                                     .part_count = capturing->part_count,
                                                     .to = capturing->to,
                                                     .under = under,
                                                     .offset_ns = capturing->offset_ns,
                                                     .give_back = is_scarce(capturing)},
                      summary);
    free(under);
    const char *reason = ret < 0                ? strerror(-ret)
                         : summary->error != 0  ? strerror((int)summary->error)
                         : summary->damaged > 0 ? "what a process left of it is damaged"
                                                : NULL;
    if (reason)
        snprintf(why, CAPTURING_WORDS_BYTES, "the capture %s is not whole: %s", capturing->file,
                 reason);
    return reason == NULL;
}

bool capturing_end(struct capturing *capturing, struct capture_summary *summary,
                   char why[CAPTURING_WORDS_BYTES])
{
    bool whole = true;

    *summary = (struct capture_summary){0};
    if (capturing->own)
        capture_destroy(capturing->own);
    if (capturing->file)
        whole = merge(capturing, summary, why);
    close_all(capturing);
    return whole;
}

void capturing_lost(const struct capture_summary *summary, uint64_t limit_bytes,
                    char words[CAPTURING_WORDS_BYTES])
{
    words[0] = '\0';
    if (summary->lost > 0 && summary->error != 0) /* which was said */
        snprintf(words, CAPTURING_WORDS_BYTES, "%" PRIu64 " more packets did not fit",
                 summary->lost);
    else if (summary->lost > 0)
        snprintf(words, CAPTURING_WORDS_BYTES,
                 "%" PRIu64 " more packets did not fit into %s a process (--capture-limit)",
                 summary->lost, units_format_size(limit_bytes).text);
}

/* ---- of a process ---- */

bool capturing_join(struct capturing *capturing, const struct capturing_options *options, bool wall,
                    const char *process, char why[CAPTURING_WORDS_BYTES])
{
    const char *part = options->part;

    signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk */
    *capturing = (struct capturing){.limit_bytes = options->limit_bytes ? options->limit_bytes
                                                                        : CAPTURE_LIMIT_DEFAULT};
    if (!part && !options->file)
        return true;
    if (!part && !capturing_open(capturing, options, wall, why))
        return false;
    if (!part)
        part = capturing_part(capturing, process);
    int ret = capture_create(&(struct capture_config){.path = part,
                                                      .limit_bytes = capturing->limit_bytes,
                                                      .now_ns = monotonic_ns},
                             &capturing->own);
    if (ret == 0)
        return true;
    snprintf(why, CAPTURING_WORDS_BYTES, "cannot write the capture %s: %s", part, strerror(-ret));
    close_all(capturing);
    return false;
}

bool capturing_leave(struct capturing *capturing, const char *command)
{
    struct capture_summary summary;
    char words[CAPTURING_WORDS_BYTES];
    uint64_t limit_bytes = capturing->limit_bytes;
    bool whole = capturing_end(capturing, &summary, words);

    if (!whole)
        fprintf(stderr, "%s: error[" CAPTURING_CODE "]: %s\n", command, words);
    capturing_lost(&summary, limit_bytes, words);
    if (words[0])
        fprintf(stderr, "%s: note: %s\n", command, words);
    return whole;
}
