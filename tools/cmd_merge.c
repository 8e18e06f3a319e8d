/*
 * xensock merge: the results of shards as one.
 *
 * Every run of the plan must be there, and none twice; what is then said of all runs (summary,
 * expectations, exit code) is as if one process had made them. The same shards give the same file.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/record.h"
#include "sim/run/study_result.h"
#include "tools/cmd.h"
#include "tools/output.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "usage: xensock merge [--out DIR] [--quiet] DIR|FILE...\n"
    "\n"
    "Puts together what `xensock run --shard I/N` left: each DIR holds shards, or is one, or is "
    "given\n"
    "as its result.json. A run that is missing, or there twice, is an error. Writes result.json "
    "into\n"
    "the first DIR, or the one of --out, prints it, and ends as the whole study would have.\n"
    "\n"
    "  xensock merge out/ring-sizes\n"
    "  xensock merge --out merged ci-1/out ci-2/out ci-3/out\n";

enum { MERGE_MAX = 1024, MISSING_SHOWN = 8 };

struct part {
    char path[1024];
    json_t *result;
};

static struct part parts[MERGE_MAX];
static uint32_t part_count;

static int fail(const char *code, const char *path, const char *what)
{
    fprintf(stderr, "xensock merge: error[%s]: %s: %s\n", code, path, what);
    return CMD_USAGE;
}

static int add_file(const char *path)
{
    json_error_t error;
    struct part *part = &parts[part_count];

    if (part_count == MERGE_MAX)
        return fail("E0852", path, "too many parts");
    snprintf(part->path, sizeof(part->path), "%s", path);
    part->result = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!part->result)
        return fail("E0851", path, error.text);
    part_count++;
    const char *schema = json_string_value(json_object_get(part->result, "schema"));
    if (!schema || strcmp(schema, "xensock/result/1") != 0 ||
        !json_is_string(json_object_get(json_object_get(part->result, "scenario"), "text")))
        return fail("E0851", path, "not a result of xensock run that has its scenario's text");
    return CMD_OK;
}

static int is_shard(const struct dirent *entry)
{
    return strncmp(entry->d_name, "shard-", 6) == 0;
}

/* A result's file, a directory of one, or of shards. */
static int add(const char *name)
{
    struct dirent **entries;
    struct stat info;
    char path[1024];
    int code = CMD_OK, count;

    if (stat(name, &info) < 0)
        return fail("E0851", name, "there is no such file or directory");
    if (!S_ISDIR(info.st_mode))
        return add_file(name);
    count = scandir(name, &entries, is_shard, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s/result.json", name, entries[i]->d_name);
        code = code == CMD_OK ? add_file(path) : code;
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    if (count > 0)
        return code;
    snprintf(path, sizeof(path), "%s/result.json", name);
    return add_file(path);
}

static const json_t *member(const json_t *result, const char *key, const char *of)
{
    return json_object_get(json_object_get(result, key), of);
}

/* What all parts must have in common. */
static int check_same(const struct part *part)
{
    static const char *const same[][2] = {
        {"scenario", "xxh3"}, {"plan", "sets"}, {"tool", "version"}};
    char what[1200];

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        const json_t *ours = member(parts[0].result, same[i][0], same[i][1]);
        const json_t *theirs = member(part->result, same[i][0], same[i][1]);
        /* a part without runs has no version */
        if (!ours || !theirs || json_equal(ours, theirs))
            continue;
        snprintf(what, sizeof(what), "its %s.%s is not that of %s", same[i][0], same[i][1],
                 parts[0].path);
        return fail("E0853", part->path, what);
    }
    return CMD_OK;
}

/* Put the parts in; a run that is there already is an error. */
static int take(json_t *result, const struct study *study, const struct part *part)
{
    size_t i, j;
    json_t *point, *repeat;
    char what[96];

    if (!study_result_fits(study, part->result))
        return fail("E0851", part->path, "it has a run that its scenario has not");
    json_array_foreach(json_object_get(part->result, "points"), i, point)
    {
        json_int_t id = json_integer_value(json_object_get(point, "id"));
        json_array_foreach(json_object_get(point, "repeats"), j, repeat)
        {
            json_int_t its = json_integer_value(json_object_get(repeat, "i"));
            if (!study_result_has(result, (uint32_t)id, (uint32_t)its))
                continue;
            snprintf(what, sizeof(what),
                     "point %" JSON_INTEGER_FORMAT " repeat %" JSON_INTEGER_FORMAT
                     " is in another part too",
                     id, its);
            return fail("E0854", part->path, what);
        }
    }
    study_result_take(result, study, part->result, false);
    return CMD_OK;
}

static int check_missing(const json_t *result, const struct study *study)
{
    uint32_t missing = 0;

    for (uint32_t point = 0; point < study->point_count; point++) {
        for (uint32_t repeat = 0; repeat < study->repeat_count; repeat++) {
            if (study_result_has(result, point, repeat))
                continue;
            if (missing++ < MISSING_SHOWN)
                fprintf(stderr,
                        "xensock merge: error[E0855]: no part has point %" PRIu32 " repeat %" PRIu32
                        "\n",
                        point, repeat);
        }
    }
    if (missing > MISSING_SHOWN)
        fprintf(stderr, "xensock merge: and %" PRIu32 " more runs are missing\n",
                missing - MISSING_SHOWN);
    return missing ? CMD_USAGE : CMD_OK;
}

/* The study of the first part, by the text that it holds. */
static int load(struct study *study, struct diag_list *diags)
{
    const json_t *first = parts[0].result, *sets = member(first, "plan", "sets");
    const char *text = json_string_value(member(first, "scenario", "text"));
    const char *file = json_string_value(member(first, "scenario", "file"));
    const char *list[CMD_SETS_MAX];
    uint32_t count = 0;
    size_t i;
    json_t *set;

    if (json_array_size(sets) > CMD_SETS_MAX)
        return fail("E0851", parts[0].path, "it has more overrides than there can be");
    json_array_foreach(sets, i, set)
    {
        if (!json_is_string(set))
            return fail("E0851", parts[0].path, "an override that is no text");
        list[count++] = json_string_value(set);
    }
    diag_add_source(diags, file ? file : "scenario", text);
    if (study_load_text(study, text, list, count, diags) == 0)
        return CMD_OK;
    diag_print(diags, stderr, false);
    return CMD_SCENARIO;
}

/* The whole, and its exit code. */
static int merge(const struct study *study, const struct diag_list *diags, char *out, bool quiet)
{
    const json_t *plan = json_object_get(parts[0].result, "plan");
    const char *list[CMD_SETS_MAX];
    struct study_part part = {.sets = list};
    size_t i;
    json_t *set;
    int code = CMD_OK, ret;

    json_array_foreach(json_object_get(plan, "sets"), i, set) list[part.set_count++] =
        json_string_value(set);
    json_t *result = study_result_begin(study, &part, diags);
    for (i = 0; i < part_count && code == CMD_OK; i++) {
        code = check_same(&parts[i]);
        code = code == CMD_OK ? take(result, study, &parts[i]) : code;
    }
    code = code == CMD_OK ? check_missing(result, study) : code;
    if (code == CMD_OK) {
        code = study_result_judge(result, study, true);
        ret = output_directories(out) < 0 ? -errno : record_write(result, out);
        if (ret < 0)
            code = fail("E0701", out, strerror(-ret));
        else if (!quiet)
            record_print_table(stdout, result);
        if (ret == 0 && !quiet)
            printf("result: %s/result.json\n", out);
    }
    json_decref(result);
    return code;
}

/* Where the whole goes if nothing else is said: the first argument, or the directory of that file.
 */
static void default_out(const char *first, char *out, size_t bytes)
{
    struct stat info;
    const char *slash = strrchr(first, '/');

    if (stat(first, &info) == 0 && S_ISDIR(info.st_mode))
        snprintf(out, bytes, "%s", first);
    else
        snprintf(out, bytes, "%.*s", slash ? (int)(slash - first) : 1, slash ? first : ".");
}

int cmd_merge(int argc, char **argv)
{
    static const struct option options[] = {{"out", required_argument, NULL, 'o'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static struct study study;
    static struct diag_list diags;
    char out[1024] = "";
    bool quiet = false;
    int option, code = CMD_OK;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == '?')
            return CMD_USAGE;
        if (option == 'o')
            snprintf(out, sizeof(out), "%s", optarg);
        quiet |= option == 'q';
    }
    if (optind == argc)
        return cmd_usage(help);
    if (!out[0])
        default_out(argv[optind], out, sizeof(out));
    for (int i = optind; i < argc && code == CMD_OK; i++)
        code = add(argv[i]);
    diag_init(&diags);
    code = code == CMD_OK ? load(&study, &diags) : code;
    if (code == CMD_OK) {
        code = merge(&study, &diags, out, quiet);
        study_fini(&study);
    }
    for (uint32_t i = 0; i < part_count; i++)
        json_decref(parts[i].result);
    diag_fini(&diags);
    return code;
}
