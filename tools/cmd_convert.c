/* xensock convert: a result in the words of another program. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/render_common.h"
#include "sim/run/render_csv.h"
#include "sim/run/render_junit.h"
#include "sim/run/render_markdown.h"
#include "tools/cmd.h"
#include "tools/output.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "usage: xensock convert --to junit|csv|markdown [-o FILE] RESULT\n"
    "\n"
    "Reads RESULT, a result.json or the directory it is in (-: the standard input), and writes it\n"
    "to FILE (-, which is the default: the standard output).\n"
    "\n"
    "  junit     a test case for each expectation at each point, and for the runs of each point\n"
    "  csv       a row for each number of each run\n"
    "  markdown  verdict, expectations, points, errors\n"
    "\n"
    "  xensock convert --to junit -o junit.xml out/quickstart\n"
    "  xensock convert --to markdown out/quickstart >>\"$GITHUB_STEP_SUMMARY\"\n";

static const struct {
    const char *name;
    void (*render)(FILE *out, const json_t *result);
} formats[] = {{"junit", render_junit}, {"csv", render_csv}, {"markdown", render_markdown}};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

/* The index of a format, FORMATS after saying which there are. */
static uint32_t format_find(const char *name)
{
    uint32_t i = 0;

    while (i < FORMATS && strcmp(formats[i].name, name) != 0)
        i++;
    if (i == FORMATS)
        fprintf(stderr, "xensock: error: --to takes junit, csv or markdown, not '%s'\n", name);
    return i;
}

/* The file that is meant: in a directory it is result.json. For free(); NULL without memory. */
static char *path_of(const char *argument)
{
    struct stat info;
    char *path;

    if (strcmp(argument, "-") != 0 && stat(argument, &info) == 0 && S_ISDIR(info.st_mode))
        return asprintf(&path, "%s/result.json", argument) < 0 ? NULL : path;
    return strdup(argument);
}

/* The result in a file; NULL after saying what is wrong with it. */
static json_t *result_load(const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    json_error_t error;
    json_t *result;

    if (!file) {
        fprintf(stderr, "xensock convert: error[E0840]: cannot read %s: %s\n", path,
                strerror(errno));
        return NULL;
    }
    errno = 0;
    result = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    if (ferror(file))
        fprintf(stderr, "xensock convert: error[E0840]: cannot read %s: %s\n", path,
                strerror(errno ? errno : EIO));
    else if (!result)
        fprintf(stderr, "xensock convert: error[E0841]: %s:%d:%d: no JSON: %s\n", path, error.line,
                error.column, error.text);
    if (!standard)
        fclose(file);
    const char *refused = result ? render_refuse(result) : NULL;
    if (refused) {
        fprintf(stderr, "xensock convert: error[E0842]: %s is no result: %s\n", path, refused);
        json_decref(result);
        result = NULL;
    }
    return result;
}

static int write_as(uint32_t format, const json_t *result, const char *out)
{
    const char *problem = strerror(ENOMEM);
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);

    if (memory) {
        formats[format].render(memory, result);
        bool whole = !ferror(memory);
        if (fclose(memory) == 0 && whole)
            problem = output_write(out, text, bytes);
    }
    free(text);
    if (!problem)
        return CMD_OK;
    fprintf(stderr, "xensock convert: error[E0843]: cannot write %s: %s\n", out, problem);
    return CMD_FAILED;
}

int cmd_convert(int argc, char **argv)
{
    static const struct option options[] = {{"to", required_argument, NULL, 't'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    uint32_t format = FORMATS;
    const char *out = "-";
    int option, code;

    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == '?')
            return CMD_USAGE;
        if (option == 'o')
            out = optarg;
        else if ((format = format_find(optarg)) == FORMATS)
            return CMD_USAGE;
    }
    if (optind != argc - 1 || format == FORMATS)
        return cmd_usage(help);
    char *path = path_of(argv[optind]);
    json_t *result = path ? result_load(path) : NULL;
    code = result ? write_as(format, result, out) : CMD_USAGE;
    json_decref(result);
    free(path);
    return code;
}
