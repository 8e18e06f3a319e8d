/*
 * Runs of a study by several workers at a time, for virtual time alone. See studying.h.
 *
 * A worker is this process, forked while its loop is idle: it makes every k-th run that is wanted
 * and leaves a result of its own in a directory beside the whole one, which takes it over. A pipe
 * tells which runs are done. Signals are passed on: a worker ends its run, and leaves what it has.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/studying.h"

#include "sim/run/record.h"
#include "tools/output.h"
#include "tools/signals.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILED UINT32_MAX /* told in place of a run: one failed, and is to be the last */

struct workers {
    struct studying *studying;
    pid_t pids[STUDYING_JOBS_MAX];
    uint32_t count;
    uv_poll_t told;
    struct signals signals;
    int told_fd;
    bool ended;   /* by a signal */
    bool stopped; /* by this process, since one failed */
};

static void on_signal(void *self, int number)
{
    struct workers *workers = self;

    workers->ended = true;
    for (uint32_t i = 0; i < workers->count; i++)
        kill(workers->pids[i], number);
}

static void note_error(struct studying *studying, const char *format, const char *what)
{
    char words[160];

    snprintf(words, sizeof(words), format, what);
    record_add_error(studying->result, "E0857", words);
    studying->code = CMD_BUG;
}

static void directory_of(const struct studying *studying, uint32_t worker, char *path, size_t bytes)
{
    snprintf(path, bytes, "%s/.worker-%" PRIu32, studying->out, worker);
}

/* In the worker: leave it every `jobs`-th run, and a result of its own. */
static int work(struct studying *studying, uint32_t worker, uint32_t jobs)
{
    size_t all = (size_t)studying->study->point_count * studying->study->repeat_count;
    const uint32_t failed = FAILED;
    static char out[512 + 32], files[512];
    uint32_t i = 0;

    for (size_t run = 0; run < all; run++)
        if (studying->wanted[run] && i++ % jobs != worker)
            studying->wanted[run] = 0;
    directory_of(studying, worker, out, sizeof(out));
    memcpy(files, studying->out, sizeof(files));
    studying->files = files;
    snprintf(studying->out, sizeof(studying->out), "%.500s", out);
    json_decref(studying->result);
    studying->result = study_result_begin(studying->study, &studying->part, studying->diags);
    if (!studying->result || output_directories(studying->out) < 0)
        return CMD_BUG;
    studying->options->quiet = true;
    studying->options->launch.progress = false;
    studying_make(studying);
    if (studying->options->fail_fast && studying->code != CMD_OK && studying->told_fd > 0 &&
        write(studying->told_fd, &failed, sizeof(failed)) < 0)
        studying->told_fd = 0;
    return studying_write(studying) == 0 ? studying->code : CMD_FAILED;
}

/* What ends them is held back, so they heed it between runs. */
static void begin(struct workers *workers, uint32_t jobs, int told[2])
{
    sigset_t stop, before;

    sigemptyset(&stop);
    sigaddset(&stop, STUDYING_STOP);
    sigprocmask(SIG_BLOCK, &stop, &before);
    for (uint32_t i = 0; i < jobs; i++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            close(told[0]);
            if (uv_loop_fork(uv_default_loop()) < 0) /* else it would share its parent's */
                _exit(CMD_BUG);
            signal(SIGPIPE, SIG_IGN); /* who is told may die */
            workers->studying->told_fd = told[1];
            _exit(work(workers->studying, i, jobs));
        }
        if (pid > 0)
            workers->pids[workers->count++] = pid;
        else
            note_error(workers->studying, "cannot begin a worker: %s", strerror(errno));
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(told[1]);
    workers->told_fd = told[0];
}

static void stop(struct workers *workers)
{
    workers->stopped = true;
    for (uint32_t i = 0; i < workers->count; i++)
        kill(workers->pids[i], STUDYING_STOP);
}

/* Indexes of runs that are done; so few bytes come whole. At the end no worker is left to tell. */
static void on_told(uv_poll_t *told, int status, int events)
{
    struct workers *workers = told->data;
    uint32_t run;
    ssize_t got = read(workers->told_fd, &run, sizeof(run));

    (void)events;
    if (status == 0 && got == (ssize_t)sizeof(run) && run == FAILED) {
        stop(workers);
    } else if (status == 0 && got == (ssize_t)sizeof(run)) {
        studying_say_done(workers->studying, run);
    } else if (got >= 0 || errno != EINTR) {
        uv_close((uv_handle_t *)told, NULL);
        signals_close(&workers->signals);
    }
}

/* Until all workers have closed the pipe. */
static void listen_to(struct workers *workers)
{
    uv_loop_t *loop = uv_default_loop();

    uv_poll_init(loop, &workers->told, workers->told_fd);
    workers->told.data = workers;
    uv_poll_start(&workers->told, UV_READABLE | UV_DISCONNECT, on_told);
    signals_listen(&workers->signals, loop, workers, on_signal);
    uv_run(loop, UV_RUN_DEFAULT);
    close(workers->told_fd);
}

/* A worker ended: why, if not because it was through. */
static void note_end(struct workers *workers, int status)
{
    struct studying *studying = workers->studying;
    char number[16];

    if (WIFEXITED(status) && (WEXITSTATUS(status) == CMD_OK ||
                              (workers->stopped && WEXITSTATUS(status) == CMD_INTERRUPTED)))
        return;
    if (WIFEXITED(status)) {
        if (studying->code == CMD_OK)
            studying->code = WEXITSTATUS(status);
        return;
    }
    snprintf(number, sizeof(number), "%d", WTERMSIG(status));
    note_error(studying, "a worker died of signal %s", number);
}

/* What a worker leaves. */
static void drop(const struct studying *studying, uint32_t worker)
{
    char directory[560], path[600];

    directory_of(studying, worker, directory, sizeof(directory));
    snprintf(path, sizeof(path), "%s/result.json", directory);
    unlink(path);
    rmdir(directory);
}

static json_t *load(const struct studying *studying, uint32_t worker)
{
    char directory[560], path[600];

    directory_of(studying, worker, directory, sizeof(directory));
    snprintf(path, sizeof(path), "%s/result.json", directory);
    return json_load_file(path, 0, NULL);
}

bool studying_jobs_take_left(struct studying *studying)
{
    bool took = false;

    for (uint32_t i = 0; i < STUDYING_JOBS_MAX; i++) {
        json_t *result = load(studying, i);
        if (result && !studying_cannot_resume(studying, result)) {
            study_result_take(studying->result, studying->study, result, true);
            took = true;
        }
        json_decref(result);
    }
    return took;
}

/* Mostly there is none, and one look at the directory says so. */
void studying_jobs_drop_left(const struct studying *studying)
{
    DIR *directory = opendir(studying->out);
    struct dirent *entry;
    bool left = false;

    while (directory && (entry = readdir(directory)))
        left |= strncmp(entry->d_name, ".worker-", strlen(".worker-")) == 0;
    if (directory)
        closedir(directory);
    for (uint32_t i = 0; left && i < STUDYING_JOBS_MAX; i++)
        drop(studying, i);
}

static void take_over(struct studying *studying, uint32_t worker)
{
    json_t *result = load(studying, worker);

    if (result && study_result_fits(studying->study, result))
        study_result_take(studying->result, studying->study, result, false);
    json_decref(result);
    drop(studying, worker);
}

void studying_jobs(struct studying *studying)
{
    static struct workers workers;
    uint32_t runs = studying->run_count - studying->done;
    uint32_t jobs = studying->options->jobs < runs ? studying->options->jobs : runs;
    int told[2], status;

    workers.studying = studying;
    if (pipe(told) < 0) {
        studying->code = CMD_BUG;
        return;
    }
    begin(&workers, jobs, told);
    listen_to(&workers);
    for (uint32_t i = 0; i < workers.count; i++) {
        while (waitpid(workers.pids[i], &status, 0) < 0 && errno == EINTR)
            ;
        note_end(&workers, status);
    }
    for (uint32_t i = 0; i < jobs; i++)
        take_over(studying, i);
    if (workers.ended)
        studying->code = CMD_INTERRUPTED;
}
