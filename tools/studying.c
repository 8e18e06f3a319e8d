/* A study from its file to its result. See studying.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/studying.h"

#include "sim/run/model.h"
#include "sim/run/record.h"
#include "sim/run/record_points.h"
#include "tools/output.h"
#include "tools/signals.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* Below a study's result, what some of its runs gave when they were made again. */
#define AGAIN "/again"
#define BELOW_BYTES 32 /* what else stands below it */
#define WRITE_EVERY_NS UINT64_C(1000000000)
#define WRITE_SHARE 20 /* of its time, at most: a large result is written less often */
#define SAY_EVERY_NS UINT64_C(10000000000) /* where nobody watches */

/* ---- what can go wrong before there is a result ---- */

void studying_print_errors(json_t *errors)
{
    json_t *result =
        json_pack("{s:s, s:b, s:o}", "schema", "xensock/result/1", "complete", 0, "errors", errors);

    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
}

/* Diagnostics of a scenario that cannot be used, in the format that was asked for. */
static int bad_scenario(struct diag_list *diags, bool json)
{
    if (json)
        studying_print_errors(diag_json(diags));
    else
        diag_print(diags, stderr, isatty(2) && !getenv("NO_COLOR"));
    diag_fini(diags);
    return CMD_SCENARIO;
}

static int cannot(const struct studying_options *options, const char *code, const char *format,
                  const char *what, const char *why)
{
    char words[640];

    snprintf(words, sizeof(words), format, what, why);
    if (options->json)
        studying_print_errors(json_pack("[{s:s, s:s}]", "code", code, "message", words));
    else
        fprintf(stderr, "xensock run: error[%s]: %s\n", code, words);
    return CMD_USAGE;
}

/* Each process of a run reads the file for itself, so it must still be there, and the same. */
static bool is_regular(const char *path, struct diag_list *diags)
{
    struct stat info;

    if (stat(path, &info) < 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))
        return true; /* what else is wrong with it, the loader says */
    diag_error(diags, DIAG_UNREADABLE,
               (struct diag_place){.source = diag_add_source(diags, path, NULL)},
               "not a regular file: a run reads it more than once");
    return false;
}

/* The cost models of points in virtual time, room for those of processes; each once. */
static bool fits(struct study *study, const char *file, struct diag_list *diags)
{
    static struct scenario scenario;
    static struct model model;
    char seen[SCENARIO_PATH_BYTES] = "";

    for (uint32_t point = 0; point < study->point_count && diags->errors == 0; point++) {
        study_scenario(study, point, 0, &scenario);
        if (scenario.steps)
            continue; /* it costs nothing */
        if (scenario.mode != SCENARIO_VIRTUAL) {
            launch_fits(&scenario, diags);
        } else if (strcmp(seen, scenario.cost_model) != 0) {
            model_load(&model, scenario.cost_model, file, diags);
            snprintf(seen, sizeof(seen), "%s", scenario.cost_model);
        }
    }
    return diags->errors == 0;
}

/* ---- going on with an earlier result ---- */

static bool same(const json_t *a, const json_t *b, const char *key, const char *member)
{
    return json_equal(json_object_get(json_object_get(a, key), member),
                      json_object_get(json_object_get(b, key), member));
}

const char *studying_cannot_resume(const struct studying *studying, const json_t *old)
{
    const json_t *version = json_object_get(json_object_get(old, "tool"), "version");

    if (!same(old, studying->result, "scenario", "xxh3"))
        return "is of another scenario";
    if (!same(old, studying->result, "plan", "sets"))
        return "is of other --set";
    if (json_is_string(version) && strcmp(json_string_value(version), XENSOCK_VERSION) != 0)
        return "is of another version";
    return study_result_fits(studying->study, old) ? NULL : "has runs that the scenario has not";
}

/* Take what an earlier result of the same study has. What is there and is none is left alone. */
static int take_result(struct studying *studying)
{
    json_error_t error;
    char path[560];

    snprintf(path, sizeof(path), "%s/result.json", studying->out);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return CMD_OK;
    json_t *old = json_load_file(path, 0, &error);
    if (!old)
        return cannot(studying->options, "E0856", "%s cannot be read: %s", path, error.text);
    const char *why = studying_cannot_resume(studying, old);
    if (why) {
        json_decref(old);
        return cannot(studying->options, "E0856", "%s %s: it cannot be gone on with", path, why);
    }
    study_result_take(studying->result, studying->study, old, true);
    json_decref(old);
    return CMD_OK;
}

/* Take what was made, by workers too, and do not make it again. */
static int resume(struct studying *studying)
{
    const struct study *study = studying->study;
    int code = take_result(studying);

    if (code != CMD_OK)
        return code;
    int ret = studying_jobs_take_left(studying) ? studying_write(studying) : 0;
    if (ret < 0) { /* it is gone from where it was left, once the runs begin */
        cannot(studying->options, "E0701", "cannot write %s/result.json: %s", studying->out,
               strerror(-ret));
        return CMD_FAILED;
    }
    for (uint32_t point = 0; point < study->point_count; point++)
        for (uint32_t repeat = 0; repeat < study->repeat_count; repeat++) {
            uint8_t *wanted = &studying->wanted[point * study->repeat_count + repeat];
            studying->done += *wanted && study_result_has(studying->result, point, repeat);
            *wanted &= !study_result_has(studying->result, point, repeat);
        }
    return CMD_OK;
}

/* ---- the runs ---- */

/* Whether a worker is to end behind its run, since another one failed. */
static bool is_stopped(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, STUDYING_STOP) == 1;
}

void studying_say_done(struct studying *studying, uint32_t run)
{
    uint32_t point = run / studying->study->repeat_count;
    uint32_t repeat = run % studying->study->repeat_count;
    const struct studying_options *options = studying->options;
    uint64_t now_ns = uv_hrtime(), spent_ns = now_ns - studying->start_ns;
    bool watched = options->launch.progress;
    char words[256] = "";

    studying->done++;
    if (options->quiet || options->json || studying->run_count < 2 ||
        (!watched && now_ns - studying->said_ns < SAY_EVERY_NS))
        return;
    studying->said_ns = now_ns;
    study_point_words(studying->study, point, words, sizeof(words));
    fprintf(stderr, "%s%" PRIu32 "/%" PRIu32 " %s %s%srepeat %" PRIu32 ", %s to go%s",
            watched ? "\r\033[K" : "", studying->done, studying->run_count,
            studying->study->first.name, words, words[0] ? ", " : "", repeat,
            units_format_latency(spent_ns / (studying->done - studying->kept) *
                                 (studying->run_count - studying->done))
                .text,
            watched ? "" : "\n");
}

int studying_write(struct studying *studying)
{
    uint64_t start_ns = uv_hrtime(), spent_ns;
    int ret = record_write(studying->result, studying->out);

    spent_ns = (uv_hrtime() - start_ns) * WRITE_SHARE;
    studying->write_ns = uv_hrtime() + (spent_ns > WRITE_EVERY_NS ? spent_ns : WRITE_EVERY_NS);
    return ret;
}

/* A run is done: put it in, and tell. */
static void put(struct studying *studying, const struct study_run *which, json_t *run)
{
    uint32_t index = which->point * studying->study->repeat_count + which->repeat;

    study_result_add(studying->result, studying->study, which, run);
    studying->wanted[index] = 0;
    if (studying->told_fd > 0 && write(studying->told_fd, &index, sizeof(index)) < 0)
        studying->code = CMD_INTERRUPTED; /* nobody is left to take it over */
    studying_say_done(studying, index);
}

/* Whether to go on after a run that ended with this code; `failed`: which is to be the last. */
static bool goes_on(struct studying *studying, int code, bool failed)
{
    if (code == CMD_INTERRUPTED || signals_came() || is_stopped())
        studying->code = CMD_INTERRUPTED;
    else if (code == CMD_UNSUPPORTED || code == CMD_BUG || failed)
        studying->code = code == CMD_OK ? CMD_FAILED : code;
    return studying->code == CMD_OK;
}

void studying_make(struct studying *studying)
{
    uint32_t repeats = studying->study->repeat_count;
    uint32_t all = studying->study->point_count * repeats;

    for (uint32_t i = 0; i < all && studying->code == CMD_OK; i++) {
        struct study_run which = {.point = i / repeats, .repeat = i % repeats};
        if (!studying->wanted[i])
            continue;
        json_t *run = studying_one(studying, which.point, which.repeat, &which.code);
        if (!run) {
            studying->code = which.code;
            break;
        }
        bool failed =
            studying->options->fail_fast && study_result_failed(studying->study, &which, run);
        put(studying, &which, run);
        json_decref(run);
        if (studying->run_count > 1 && uv_hrtime() > studying->write_ns)
            studying_write(studying);
        if (!goes_on(studying, which.code, failed))
            break;
    }
}

/* ---- the result ---- */

static void print_diags(const struct studying *studying)
{
    diag_print(studying->diags, stderr, isatty(2) && !getenv("NO_COLOR"));
}

/* The runs that show a failure again: NULL is all points, or repeats. */
struct failure {
    const json_t *point, *repeat;
};

/* The first that failed: what ended with an error before what did not come out as expected. */
static bool first_failure(const json_t *result, struct failure *failure)
{
    size_t i, j;
    json_t *one, *a_case;

    json_array_foreach(json_object_get(result, "errors"), i, one)
    {
        *failure = (struct failure){json_object_get(one, "point"), json_object_get(one, "repeat")};
        if (failure->point && !json_is_true(json_object_get(one, "expected")))
            return true;
    }
    json_array_foreach(json_object_get(result, "expectations"), i, one)
    {
        const char *that = json_string_value(json_object_get(one, "that"));
        json_array_foreach(json_object_get(one, "cases"), j, a_case)
        {
            *failure = (struct failure){json_object_get(a_case, "point"),
                                        json_object_get(a_case, "repeat")};
            if (strchr(that, '@') || !json_is_integer(failure->point))
                failure->point = NULL; /* it looks at other points, too */
            if (strcmp(json_string_value(json_object_get(a_case, "result")), "pass") != 0)
                return true;
        }
    }
    return false;
}

static bool is_again(const char *out)
{
    size_t bytes = strlen(out), again = strlen(AGAIN);

    return bytes > again && strcmp(out + bytes - again, AGAIN) == 0;
}

/* The command that shows the first failure again. */
static void print_reproduce(FILE *out, const struct studying *studying)
{
    const struct studying_options *options = studying->options;
    struct failure failure;
    char directory[560];

    if (!first_failure(studying->result, &failure) ||
        studying->study->point_count * studying->study->repeat_count < 2)
        return;
    fputs("reproduce: xensock run", out);
    if (failure.point)
        fprintf(out, " --point %" JSON_INTEGER_FORMAT, json_integer_value(failure.point));
    if (failure.repeat)
        fprintf(out, " --repeat %" JSON_INTEGER_FORMAT, json_integer_value(failure.repeat));
    fputs(" --out", out); /* beside this result, and not over it */
    snprintf(directory, sizeof(directory), "%s%s", studying->out,
             is_again(studying->out) ? "" : AGAIN);
    cmd_put_word(out, directory);
    for (uint32_t i = 0; i < options->sets.count; i++) {
        fputs(" --set", out);
        cmd_put_word(out, options->sets.list[i]);
    }
    for (uint32_t i = 0; i < options->launch.allow_count; i++) {
        fputs(" --allow", out);
        cmd_put_word(out, options->allow[i]);
    }
    if (options->launch.immediate)
        fputs(" --notify immediate", out);
    cmd_put_word(out, options->file);
    fputc('\n', out);
}

static void print_result(FILE *out, const struct studying *studying)
{
    record_print_table(out, studying->result);
    print_reproduce(out, studying);
}

/* At the end; a result that cannot be written says so where it is shown. */
static bool written_or_told(struct studying *studying)
{
    int ret = studying_write(studying);
    char message[640];

    if (ret == 0)
        return true;
    snprintf(message, sizeof(message), "cannot write %s/result.json: %s", studying->out,
             strerror(-ret));
    record_add_error(studying->result, "E0701", message);
    return false;
}

static int output(struct studying *studying, int code)
{
    const struct studying_options *options = studying->options;
    bool written = written_or_told(studying);

    if (options->launch.progress && studying->run_count > 1)
        fputs("\r\033[K", stderr);
    if (!written)
        code = code == CMD_OK ? CMD_FAILED : code;
    if (options->json) {
        json_dumpf(studying->result, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (studying->diags->errors > 0) {
        print_diags(studying);
    } else if (!options->quiet) {
        print_diags(studying); /* notes */
        print_result(stdout, studying);
        if (written)
            printf("result: %s/result.json\n", studying->out);
        if (options->capture.file)
            printf("capture: %s, %" PRIu64 " packets\n", options->capture.file, studying->captured);
    } else if (code != CMD_OK) {
        print_result(stderr, studying);
    }
    return code;
}

/* Where the result goes: of a shard, and of chosen runs, into a directory of its own, so that it
 * meets no other. */
static int open_out(struct studying *studying)
{
    const struct studying_options *options = studying->options;
    char shard[48] = "";

    if (options->shards > 0)
        snprintf(shard, sizeof(shard), "/shard-%" PRIu32 "-of-%" PRIu32, options->shard,
                 options->shards);
    else if (studying_is_choice(options) && !options->out)
        snprintf(shard, sizeof(shard), "%s", AGAIN);
    int bytes = snprintf(studying->out, sizeof(studying->out), "%s%s%s", options->out ? "" : "out/",
                         options->out ? options->out : studying->study->first.name, shard);
    errno = ENAMETOOLONG;
    if (bytes + BELOW_BYTES < (int)sizeof(studying->out) && output_directories(studying->out) == 0)
        return CMD_OK;
    return cannot(options, "E0701", "cannot make the directory %s: %s", studying->out,
                  strerror(errno));
}

/* Whether all runs that were asked for are in, whoever was to make them. */
static bool has_all(const struct studying *studying)
{
    const struct study *study = studying->study;

    for (uint32_t point = 0; point < study->point_count; point++)
        for (uint32_t repeat = 0; repeat < study->repeat_count; repeat++)
            if (studying_is_asked(studying, point, repeat) &&
                !study_result_has(studying->result, point, repeat))
                return false;
    return true;
}

static int make(struct studying *studying)
{
    struct studying_options *options = studying->options;
    int code = open_out(studying);

    if (code != CMD_OK)
        return code;
    studying->result = study_result_begin(studying->study, &studying->part, studying->diags);
    if (!studying->result)
        return CMD_BUG;
    code = options->resume ? resume(studying) : CMD_OK;
    if (code != CMD_OK)
        return code;
    studying_jobs_drop_left(studying);
    studying->kept = studying->done;
    studying->start_ns = studying->said_ns = uv_hrtime();
    studying->write_ns = studying->start_ns + WRITE_EVERY_NS;
    signals_hold(); /* between runs, and of workers to their end */
    if (options->jobs > 1 && studying->run_count - studying->kept > 1)
        studying_jobs(studying);
    else
        studying_make(studying);
    signals_came(); /* what came when all was over, or twice */
    signals_release();
    if (studying->done == 0 && studying->run_count > 0)
        return studying->code; /* it could not begin, which has been said */
    bool whole = studying->code != CMD_INTERRUPTED && has_all(studying);
    code = study_result_judge(studying->result, studying->study, whole);
    if (studying->code != CMD_OK)
        code = studying->code;
    else if (code == CMD_OK && !whole)
        code = CMD_BUG; /* runs are missing, and nothing said why */
    return output(studying, code);
}

int studying_run(struct studying_options *options)
{
    static struct study study;
    static struct diag_list diags;
    struct studying studying = {.options = options, .study = &study, .diags = &diags};
    int code = CMD_USAGE;

    diag_init(&diags);
    if (!is_regular(options->file, &diags) ||
        study_load(&study, options->file, options->sets.list, options->sets.count, &diags) < 0)
        return bad_scenario(&diags, options->json);
    if (!fits(&study, options->file, &diags)) {
        study_fini(&study);
        return bad_scenario(&diags, options->json);
    }
    studying.part = (struct study_part){options->shard, options->shards, options->sets.list,
                                        options->sets.count};
    options->launch.progress = !options->quiet && !options->json && isatty(2) && !getenv("CI");
    if (studying_choose(&studying) && studying_suits(&studying))
        code = make(&studying);
    json_decref(studying.result);
    free(studying.wanted);
    study_fini(&study);
    diag_fini(&diags);
    return code;
}
