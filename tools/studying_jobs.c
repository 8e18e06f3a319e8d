/*
 * Runs of a study by several workers at a time, for virtual time alone. See studying.h.
 *
 * A worker is this process, forked before it has a loop: it makes every k-th run that is wanted and
 * leaves a result of its own in a directory beside the whole one, which takes it over. A pipe tells
 * which runs are done. Signals of a terminal reach all; one sent to this process is passed on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/studying.h"

#include "sim/run/record.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t workers_ended;
static pid_t pids[STUDYING_JOBS_MAX];
static volatile sig_atomic_t pid_count;
static bool stopped; /* by this process, and not by a signal to it */

#define FAILED UINT32_MAX /* told in place of a run: one failed, and is to be the last */

static void pass_on(int number)
{
    workers_ended = 1;
    for (int i = 0; i < pid_count; i++)
        kill(pids[i], number);
}

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

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
    static char out[512 + 32];
    uint32_t i = 0;

    for (size_t run = 0; run < all; run++)
        if (studying->wanted[run] && i++ % jobs != worker)
            studying->wanted[run] = 0;
    directory_of(studying, worker, out, sizeof(out));
    snprintf(studying->out, sizeof(studying->out), "%.500s", out);
    json_decref(studying->result);
    studying->result = study_result_begin(studying->study, &studying->part, studying->diags);
    if (!studying->result || studying_make_directories(studying->out) < 0)
        return CMD_BUG;
    studying->options->quiet = true;
    studying->options->launch.progress = false;
    studying_make(studying);
    if (studying->options->fail_fast && studying->code != CMD_OK && studying->told_fd > 0 &&
        write(studying->told_fd, &failed, sizeof(failed)) < 0)
        studying->told_fd = 0;
    return studying_write(studying) ? studying->code : CMD_FAILED;
}

/* Signals wait while workers begin, so that none reaches some of them only, or one that does not
 * heed it yet. */
static void begin(struct studying *studying, uint32_t jobs, int told[2])
{
    sigset_t ours, before;

    sigemptyset(&ours);
    for (size_t i = 0; i < NUMBERS; i++)
        sigaddset(&ours, numbers[i]);
    sigprocmask(SIG_BLOCK, &ours, &before);
    for (uint32_t i = 0; i < jobs; i++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            close(told[0]);
            studying->told_fd = told[1];
            pid_count = 0;
            studying_heed_signals();
            sigprocmask(SIG_SETMASK, &before, NULL);
            _exit(work(studying, i, jobs));
        }
        if (pid > 0)
            pids[pid_count++] = pid;
        else
            note_error(studying, "cannot begin a worker: %s", strerror(errno));
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(told[1]);
}

/* One has failed, and is to be the last. */
static void stop(void)
{
    stopped = true;
    for (int i = 0; i < pid_count; i++)
        kill(pids[i], STUDYING_STOP);
}

/* Numbers of runs that are done, until no worker is left to tell. */
static void listen_to(struct studying *studying, int fd)
{
    uint32_t run;
    ssize_t got;

    for (;;) {
        got = read(fd, &run, sizeof(run)); /* so few bytes come whole */
        if (got == (ssize_t)sizeof(run) && run == FAILED)
            stop();
        else if (got == (ssize_t)sizeof(run))
            studying_say_done(studying, run);
        else if (got >= 0 || errno != EINTR)
            break;
    }
    close(fd);
}

/* A worker ended: why, if not because it was through. */
static void note_end(struct studying *studying, int status)
{
    char number[16];

    if (WIFEXITED(status) &&
        (WEXITSTATUS(status) == CMD_OK || (stopped && WEXITSTATUS(status) == CMD_INTERRUPTED)))
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

static void take_over(struct studying *studying, uint32_t worker)
{
    char directory[560], path[600];

    directory_of(studying, worker, directory, sizeof(directory));
    snprintf(path, sizeof(path), "%s/result.json", directory);
    json_t *result = json_load_file(path, 0, NULL);
    if (result && study_result_fits(studying->study, result))
        study_result_take(studying->result, studying->study, result, false);
    json_decref(result);
    drop(studying, worker);
}

void studying_jobs(struct studying *studying)
{
    struct sigaction action = {.sa_handler = pass_on}, old[NUMBERS];
    uint32_t runs = studying->run_count - studying->done;
    uint32_t jobs = studying->options->jobs < runs ? studying->options->jobs : runs;
    int told[2], status;

    if (pipe(told) < 0) {
        studying->code = CMD_BUG;
        return;
    }
    for (uint32_t i = 0; i < jobs; i++)
        drop(studying, i); /* of one that was killed with all its workers */
    for (size_t i = 0; i < NUMBERS; i++)
        if (sigaction(numbers[i], NULL, &old[i]) == 0 && old[i].sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    begin(studying, jobs, told);
    listen_to(studying, told[0]);
    for (int i = 0; i < pid_count; i++) {
        while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
            ;
        note_end(studying, status);
    }
    pid_count = 0;
    for (uint32_t i = 0; i < jobs; i++)
        take_over(studying, i);
    if (workers_ended)
        studying->code = CMD_INTERRUPTED;
    for (size_t i = 0; i < NUMBERS; i++)
        sigaction(numbers[i], &old[i], NULL);
}
