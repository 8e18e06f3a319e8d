/* xensock report: a result as one HTML page. What is in it, sim/run/html_page.h says. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/diag.h"
#include "sim/run/html_page.h"
#include "sim/run/textfile.h"
#include "tools/cmd.h"
#include "tools/output.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: xensock report [OPTION]... DIR|result.json\n"
    "\n"
    "Writes a result as one HTML page that needs no network: verdict, expectations, charts of the\n"
    "sweep, latency by percentile, time line, costs, resources, counters, scenario.\n"
    "\n"
    "  -o FILE         where to (default report.html beside the result; - is the standard output)\n"
    "  --with OTHER    another result, or its directory, laid over it\n"
    "  --assets DIR    where uPlot is, which draws the charts (default: report/ beside the "
    "command,\n"
    "                  or share/xensock/report; tools/report/fetch puts it there)\n"
    "\n"
    "  xensock run scenarios/quickstart.yaml && xensock report out/quickstart\n";

static const char schema[] = "xensock/result/1";
enum { RESULT_BYTES_MAX = 1 << 28, ASSET_BYTES_MAX = 1 << 20 };

struct choice {
    const char *result, *with, *out, *assets;
};

/* ---- reading results ---- */

/* A directory stands for the result.json in it. For free(). */
static char *result_path(const char *given)
{
    struct stat status;
    char *path = NULL;

    if (stat(given, &status) != 0 || !S_ISDIR(status.st_mode))
        return strdup(given);
    return asprintf(&path, "%s/result.json", given) < 0 ? NULL : path;
}

/* A JSON object of the schema; NULL with the fault reported. */
static json_t *parse_result(const char *text, uint32_t source, struct diag_list *diags)
{
    struct diag_place place = {.source = source};
    json_error_t error;
    json_t *result = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    const char *found = json_string_value(json_object_get(result, "schema"));

    if (!result) {
        place = diag_place_at(source, text, error.position > 0 ? (size_t)error.position - 1 : 0);
        diag_error(diags, DIAG_NO_JSON, place, "this is no JSON: %s", error.text);
        diag_hint(diags, "`xensock run` writes result.json whole or not at all");
    } else if (!found) {
        diag_error(diags, DIAG_NO_RESULT, place, "this is no result: it has no schema");
        diag_hint(diags, "expected the result.json of `xensock run`, of schema %s", schema);
    } else if (strcmp(found, schema) != 0) {
        diag_error(diags, DIAG_NO_RESULT, place, "a result of schema '%s'; this version reads '%s'",
                   found, schema);
        diag_hint(diags, "make the report with the xensock that made the result");
    } else {
        return result;
    }
    json_decref(result);
    return NULL;
}

static json_t *read_result(const char *given)
{
    static struct diag_list diags;
    char *path = result_path(given), *text;
    json_t *result = NULL;
    uint32_t source;

    diag_init(&diags);
    text = path ? textfile_read(path, RESULT_BYTES_MAX, &diags, &source) : NULL;
    if (text)
        result = parse_result(text, source, &diags);
    diag_print(&diags, stderr, false);
    diag_fini(&diags);
    free(text);
    free(path);
    return result;
}

/* ---- the charts' script ---- */

/* A file of the directory; NULL if it is not there. For free(). */
static char *read_asset(const char *directory, const char *name)
{
    static struct diag_list ignored;
    char path[PATH_MAX];
    uint32_t source;
    char *text = NULL;

    diag_init(&ignored);
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path))
        text = textfile_read(path, ASSET_BYTES_MAX, &ignored, &source);
    diag_fini(&ignored);
    return text;
}

/* Where to look: beside the command, or where it is installed. */
static bool own_directory(char directory[PATH_MAX], const char *below)
{
    char self[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (bytes < 0)
        return false;
    self[bytes] = '\0';
    slash = strrchr(self, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return snprintf(directory, PATH_MAX, "%s/%s", self, below) < PATH_MAX;
}

struct loaded {
    char *script, *style, *licence;
};

static bool load_from(const char *directory, struct loaded *loaded)
{
    loaded->script = read_asset(directory, "uplot.js");
    loaded->style = read_asset(directory, "uplot.css");
    loaded->licence = read_asset(directory, "uplot.LICENSE");
    /* it goes into the page as it is */
    if (loaded->script && loaded->style && loaded->licence &&
        !strcasestr(loaded->script, "</script") && !strcasestr(loaded->style, "</style"))
        return true;
    free(loaded->script);
    free(loaded->style);
    free(loaded->licence);
    *loaded = (struct loaded){NULL, NULL, NULL};
    return false;
}

/* Says what to do where there is none, to be shown by the page too; for free(). */
static char *load_assets(const struct choice *choice, struct loaded *loaded)
{
    static const char *const below[] = {"report", "../share/xensock/report"};
    char directory[PATH_MAX];
    char *missing = NULL;

    if (choice->assets) {
        snprintf(directory, sizeof(directory), "%s", choice->assets);
        load_from(directory, loaded);
    }
    for (size_t i = 0; !choice->assets && !loaded->script && i < sizeof(below) / sizeof(below[0]);
         i++)
        if (own_directory(directory, below[i]))
            load_from(directory, loaded);
    if (loaded->script)
        return NULL;
    if (!choice->assets && !own_directory(directory, below[0]))
        snprintf(directory, sizeof(directory), "DIR");
    if (asprintf(&missing, "uPlot is missing; `tools/report/fetch %s` gets it from npm.",
                 directory) < 0)
        return NULL;
    fprintf(stderr, "xensock report: note[E0833]: no charts: %s\n", missing);
    return missing;
}

/* ---- writing ---- */

static char *default_path(const char *given)
{
    struct stat status;
    const char *slash = strrchr(given, '/');
    int directory_bytes = slash ? (int)(slash - given) + 1 : 0;
    char *path = NULL;

    if (stat(given, &status) == 0 && S_ISDIR(status.st_mode))
        return asprintf(&path, "%s/report.html", given) < 0 ? NULL : path;
    return asprintf(&path, "%.*sreport.html", directory_bytes, given) < 0 ? NULL : path;
}

/* Made in memory first: a reader never sees half a page. NULL, or why it could not be written. */
static const char *write_page(const char *path, const json_t *result, const json_t *other,
                              const struct html_assets *assets)
{
    const char *problem = strerror(ENOMEM);
    char *page = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&page, &bytes);

    if (out) {
        bool whole = html_page(out, result, other, assets) == 0 && !ferror(out);
        if (fclose(out) == 0 && whole)
            problem = output_write(path, page, bytes);
    }
    free(page);
    return problem;
}

static int report(const struct choice *choice, const json_t *result, const json_t *other)
{
    struct loaded loaded = {NULL, NULL, NULL};
    char *missing = load_assets(choice, &loaded);
    char *path = choice->out ? strdup(choice->out) : default_path(choice->result);
    struct html_assets assets = {loaded.script, loaded.style, loaded.licence, missing};
    const char *problem = path ? write_page(path, result, other, &assets) : strerror(ENOMEM);

    if (problem)
        fprintf(stderr, "xensock report: error[E0832]: cannot write %s: %s\n", path ? path : "",
                problem);
    else if (strcmp(path, "-") != 0)
        printf("%s\n", path);
    free(path);
    free(missing);
    free(loaded.script);
    free(loaded.style);
    free(loaded.licence);
    return problem ? CMD_FAILED : CMD_OK;
}

int cmd_report(int argc, char **argv)
{
    static const struct option options[] = {{"with", required_argument, NULL, 'w'},
                                            {"assets", required_argument, NULL, 'a'},
                                            {"out", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct choice choice = {NULL, NULL, NULL, NULL};
    json_t *result, *other = NULL;
    int option, code = CMD_USAGE;

    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        switch (option) {
        case 'w': choice.with = optarg; break;
        case 'a': choice.assets = optarg; break;
        case 'o': choice.out = optarg; break;
        case 'h': return cmd_help(help);
        default: return CMD_USAGE;
        }
    }
    if (optind != argc - 1)
        return cmd_usage(help);
    choice.result = argv[optind];
    result = read_result(choice.result);
    if (choice.with)
        other = read_result(choice.with);
    if (result && (other || !choice.with))
        code = report(&choice, result, other);
    json_decref(result);
    json_decref(other);
    return code;
}
