/* Runs of two arms in turns. See interleave.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/interleave.h"

#include "tools/cmd.h"
#include "tools/output.h"
#include "tools/signals.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { ARGUMENTS_MAX = 200 };

static const char *const sides[] = {"a", "b"};

/* ---- arms ---- */

static json_t *new_arm(const char *command)
{
    return json_pack("{s:s, s:[]}", "command", command, "arguments");
}

json_t *interleave_arms(const char *file)
{
    char command[PATH_MAX], *whole = realpath(file, NULL);
    size_t bytes = sizeof(command);
    json_t *arms = NULL;

    /* A name that leads nowhere is for the run to complain about. */
    if (uv_exepath(command, &bytes) == 0)
        arms = json_pack("{s:s, s:s, s:o, s:o}", "schema", "xensock/arms/1", "file",
                         whole ? whole : file, "a", new_arm(command), "b", new_arm(command));
    free(whole);
    return arms;
}

bool interleave_command(json_t *arms, const char *arm, const char *command)
{
    char *whole = strchr(command, '/') ? realpath(command, NULL) : NULL;
    json_t *text = json_string(whole ? whole : command);

    free(whole);
    return json_object_set_new(json_object_get(arms, arm), "command", text) == 0;
}

bool interleave_argument(json_t *arms, const char *arm, const char *option, const char *value)
{
    json_t *arguments = json_object_get(json_object_get(arms, arm), "arguments");

    return json_array_append_new(arguments, json_sprintf("%s%s", option, value)) == 0;
}

/* What a file says need not be what we wrote. */
static bool well_formed(const json_t *arms)
{
    json_t *argument;
    size_t i;

    for (int side = 0; side < 2; side++) {
        const json_t *arm = json_object_get(arms, sides[side]);
        if (!json_is_string(json_object_get(arm, "command")) ||
            !json_is_array(json_object_get(arm, "arguments")))
            return false;
        json_array_foreach(json_object_get(arm, "arguments"), i,
                           argument) if (!json_is_string(argument)) return false;
    }
    return json_is_string(json_object_get(arms, "file"));
}

static void run_path(char path[PATH_MAX], const char *out, int side, uint64_t number,
                     const char *file)
{
    snprintf(path, PATH_MAX, "%s/%s/%" PRIu64 "%s", out, sides[side], number, file);
}

/* How many runs of an arm there are: numbered from 0 without a gap. */
static uint64_t runs_there(const char *out, int side)
{
    char path[PATH_MAX];
    uint64_t count = 0;

    do
        run_path(path, out, side, count++, "/result.json");
    while (access(path, F_OK) == 0);
    return count - 1;
}

/* The arms of a new directory or of an old one; NULL: refused. */
static json_t *open_directory(const struct interleave *interleave, struct compare_refusal *refusal)
{
    char path[PATH_MAX];
    const char *problem;
    json_t *arms;

    snprintf(path, sizeof(path), "%s/arms.json", interleave->out);
    if (interleave->more) {
        arms = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
        if (well_formed(arms))
            return arms;
        compare_refuse(refusal, "E0828", "%s does not say what to run more of", path);
        json_decref(arms);
        return NULL;
    }
    if (access(path, F_OK) == 0) {
        compare_refuse(refusal, "E0828",
                       "%s has runs already: --more N adds to them, another --out begins anew",
                       interleave->out);
        return NULL;
    }
    problem = output_directories(interleave->out) == 0 ? output_json(path, interleave->arms)
                                                       : strerror(errno);
    if (!problem)
        return json_incref(interleave->arms);
    compare_refuse(refusal, "E0826", "cannot write %s: %s", path, problem);
    return NULL;
}

/* ---- one child at a time ---- */

struct minder {
    uv_loop_t loop;
    struct signals signals;
    uv_process_t child;
    bool is_there, told; /* told: we were told to end, and so was the child */
    int64_t status;
    int signal;
};

static void on_exited(uv_process_t *process, int64_t status, int signal)
{
    struct minder *minder = process->data;

    minder->is_there = false;
    minder->status = status;
    minder->signal = signal;
}

static void on_signal(void *self, int number)
{
    struct minder *minder = self;

    (void)number;
    minder->told = true;
    if (minder->is_there)
        uv_process_kill(&minder->child, SIGINT);
}

static void minder_open(struct minder *minder)
{
    int ret = uv_loop_init(&minder->loop);

    assert(ret == 0);
    (void)ret;
    signals_listen(&minder->signals, &minder->loop, minder, on_signal);
    signals_unref(&minder->signals);
}

static void minder_close(struct minder *minder)
{
    signals_close(&minder->signals);
    uv_run(&minder->loop, UV_RUN_DEFAULT);
    uv_loop_close(&minder->loop);
}

/* Runs it to its end: 0, or a UV_* error. In a session of its own, so that a terminal's signal
 * reaches it once, through us. */
static int run_child(struct minder *minder, char **arguments)
{
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE},
                                     {.flags = UV_INHERIT_FD, .data.fd = 2},
                                     {.flags = UV_INHERIT_FD, .data.fd = 2}};
    uv_process_options_t options = {.exit_cb = on_exited,
                                    .file = arguments[0],
                                    .args = arguments,
                                    .stdio_count = 3,
                                    .stdio = stdio,
                                    .flags = UV_PROCESS_DETACHED};
    int ret;

    minder->child.data = minder;
    ret = uv_spawn(&minder->loop, &minder->child, &options);
    minder->is_there = ret == 0;
    while (minder->is_there)
        uv_run(&minder->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&minder->child, NULL);
    uv_run(&minder->loop, UV_RUN_DEFAULT);
    return ret;
}

/* ---- runs ---- */

/* COMMAND run --quiet --out DIR/a/N ARGUMENT... FILE, in `words`; false: too many. */
static bool words_of(const json_t *arms, int side, char *out, char *words[ARGUMENTS_MAX])
{
    json_t *arm = json_object_get(arms, sides[side]), *argument;
    size_t count = 0, i;

    words[count++] = (char *)json_string_value(json_object_get(arm, "command"));
    words[count++] = "run";
    words[count++] = "--quiet";
    words[count++] = "--out";
    words[count++] = out;
    json_array_foreach(json_object_get(arm, "arguments"), i,
                       argument) if (count < ARGUMENTS_MAX - 2) words[count++] =
        (char *)json_string_value(argument);
    if (i + 7 > ARGUMENTS_MAX)
        return false;
    words[count++] = (char *)json_string_value(json_object_get(arms, "file"));
    words[count] = NULL;
    return true;
}

/* A run that came to its end measured something, whatever it found; another is as if it never was.
 */
static bool has_measured(const struct minder *minder)
{
    return minder->signal == 0 && (minder->status == CMD_OK || minder->status == CMD_FAILED ||
                                   minder->status == CMD_BROKEN);
}

static int refuse_run(const struct minder *minder, int side, char *const *words,
                      struct compare_refusal *refusal)
{
    int code = minder->signal ? minder->signal : (int)minder->status;
    size_t used;

    compare_refuse(refusal, "E0829", "a run of %c ended with %s %d:", "AB"[side],
                   code == minder->signal ? "signal" : "code", code);
    for (; *words; words++) {
        used = strlen(refusal->why);
        snprintf(refusal->why + used, sizeof(refusal->why) - used, " %s", *words);
    }
    return minder->signal ? CMD_BROKEN : (int)minder->status;
}

struct course {
    const char *out;
    json_t *arms;
    uint64_t there[2]; /* runs of each arm */
    struct minder minder;
};

static int run_one(struct course *course, int side, struct compare_refusal *refusal)
{
    struct minder *minder = &course->minder;
    char out[PATH_MAX], result[PATH_MAX], *words[ARGUMENTS_MAX];

    if (minder->told)
        return CMD_INTERRUPTED;
    run_path(out, course->out, side, course->there[side], "");
    run_path(result, course->out, side, course->there[side], "/result.json");
    if (!words_of(course->arms, side, out, words)) {
        compare_refuse(refusal, "E0828", "too many arguments of %c", "AB"[side]);
        return CMD_USAGE;
    }
    int ret = run_child(minder, words);
    if (ret < 0) {
        compare_refuse(refusal, "E0829", "cannot start %s: %s", words[0], uv_strerror(ret));
        return CMD_USAGE;
    }
    if (has_measured(minder) && !minder->told && access(result, F_OK) == 0) {
        course->there[side]++;
        return CMD_OK;
    }
    unlink(result);
    return minder->told ? CMD_INTERRUPTED : refuse_run(minder, side, words, refusal);
}

/* Which arm is next: A B B A, from the start or from where it was left, but never more than wanted
 * of one, from which runs may have been taken away. */
static int next_side(const struct course *course, uint64_t wanted)
{
    uint64_t done = course->there[0] + course->there[1];
    int side = done % 4 == 1 || done % 4 == 2;

    return course->there[side] < wanted ? side : !side;
}

static int run_all(struct course *course, const struct interleave *interleave,
                   struct compare_refusal *refusal)
{
    const uint64_t *there = course->there;
    uint64_t wanted = (there[0] < there[1] ? there[0] : there[1]) + interleave->runs;
    int code = CMD_OK;

    while (code == CMD_OK && (there[0] < wanted || there[1] < wanted)) {
        int side = next_side(course, wanted);
        if (!interleave->quiet)
            fprintf(stderr, "run %" PRIu64 " of %" PRIu64 ": %c\n", there[0] + there[1] + 1,
                    2 * wanted, "AB"[side]);
        code = run_one(course, side, refusal);
    }
    return code;
}

int interleave_run(const struct interleave *interleave, struct compare_refusal *refusal)
{
    static struct course course;
    int code;

    course = (struct course){.out = interleave->out, .arms = open_directory(interleave, refusal)};
    if (!course.arms)
        return CMD_USAGE;
    for (int side = 0; side < 2; side++)
        course.there[side] = runs_there(interleave->out, side);
    minder_open(&course.minder);
    code = run_all(&course, interleave, refusal);
    minder_close(&course.minder);
    json_decref(course.arms);
    return code;
}
