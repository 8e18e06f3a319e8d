/* xensock capture: the file of a capture whose run did not live to make it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/capturing.h"
#include "tools/cmd.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: xensock capture DIR FILE\n"
    "\n"
    "Makes the pcapng file FILE of the parts of a capture in the directory DIR, which a run leaves "
    "as\n"
    "FILE.parts-XXXXXX when it is killed itself. What its processes had told up to then is in "
    "them.\n"
    "DIR stays as it is.\n"
    "\n"
    "  xensock capture out.pcapng.parts-a1b2c3 out.pcapng && rm -r out.pcapng.parts-a1b2c3\n";

enum { PARTS_MAX = 4096 };

/* The number behind a part's name, in whose order they were named; -1: it is no part. */
static int64_t part_number(const char *name)
{
    const char *dot = strrchr(name, '.');
    bool number = dot && dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1);

    return number ? strtoll(dot + 1, NULL, 10) : -1;
}

static int is_part(const struct dirent *entry)
{
    return part_number(entry->d_name) >= 0;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
    int64_t x = part_number((*a)->d_name), y = part_number((*b)->d_name);

    return x < y ? -1 : x > y;
}

static char *path_in(const char *directory, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        assert(!"there is memory");
    return path;
}

/* The paths of the parts, to be freed: how many, or the negated errno. */
static int list_parts(const char *directory, char *parts[PARTS_MAX])
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_part, by_number), kept = 0;

    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        if (kept < PARTS_MAX)
            parts[kept++] = path_in(directory, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return kept;
}

/* Without that file times are those of the machine since it started. */
static int64_t read_offset(const char *directory)
{
    char *path = path_in(directory, CAPTURING_OFFSET);
    FILE *file = fopen(path, "r");
    int64_t offset_ns = 0;

    free(path);
    if (!file)
        return 0;
    if (fscanf(file, "%" SCNd64, &offset_ns) != 1)
        offset_ns = 0;
    fclose(file);
    return offset_ns;
}

static int failed(const char *what, const char *name, const char *reason)
{
    fprintf(stderr, "xensock capture: error[" CAPTURING_CODE "]: %s %s: %s\n", what, name, reason);
    return CMD_USAGE;
}

static int make(const char *directory, const char *file)
{
    const char *reason = capturing_refused(file);
    static char *parts[PARTS_MAX];
    struct capture_summary summary;
    int count = list_parts(directory, parts);
    char *under;

    if (count <= 0)
        return failed("cannot read", directory,
                      count < 0 ? strerror(-count) : "there are no parts of a capture in it");
    if (reason)
        return failed("cannot write", file, reason);
    char *to = realpath(file, NULL); /* a link stays one */
    if (!to)
        to = strdup(file);
    if (!to || asprintf(&under, "%s.merged", to) < 0)
        assert(!"there is memory");
    int ret = capture_merge(&(struct capture_merge_config){.parts = (const char *const *)parts,
                                                           .part_count = (uint32_t)count,
                                                           .to = to,
                                                           .under = under,
                                                           .offset_ns = read_offset(directory)},
                            &summary);
    free(under);
    free(to);
    while (count > 0)
        free(parts[--count]);
    if (ret < 0)
        return failed("cannot write", file, strerror(-ret));
    printf("capture: %s, %" PRIu64 " packets\n", file, summary.packets);
    if (summary.damaged > 0)
        return failed("not whole:", file, "what a process left of it is damaged");
    return CMD_OK;
}

int cmd_capture(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        return option == 'h' ? cmd_help(help) : CMD_USAGE;
    if (argc - optind != 2)
        return cmd_usage(help);
    return make(argv[optind], argv[optind + 1]);
}
