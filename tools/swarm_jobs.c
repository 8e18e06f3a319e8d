/*
 * Seeds of a swarm in child processes. See swarm_jobs.h.
 *
 * Job j takes the seeds first + j, first + j + jobs, ... and writes one record a seed into its
 * pipe. A pipe that ends before its seeds do is a child that died of the next one.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/swarm_jobs.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

struct job {
    pid_t pid;
    int fd;        /* -1: through */
    uint64_t next; /* the seed whose record comes next */
    struct swarm_outcome record;
    size_t got; /* bytes of it */
};

static void write_all(int fd, const void *data, size_t bytes)
{
    const char *at = data;

    while (bytes > 0) {
        ssize_t written = write(fd, at, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            _exit(1); /* nobody listens any more */
        at += written;
        bytes -= (size_t)written;
    }
}

static void work(const struct swarm_jobs *jobs, uint64_t from, int fd)
{
    static struct swarm_plan plan;
    static struct swarm_outcome outcome;

    for (uint64_t seed = from; seed <= jobs->last; seed += jobs->jobs) {
        swarm_plan_make(&plan, jobs->scenario, seed);
        swarm_run(
            &(struct swarm_config){
                .scenario = jobs->scenario, .costs = jobs->costs, .seed = seed, .plan = &plan},
            &outcome);
        write_all(fd, &outcome, sizeof(outcome));
        if (seed + jobs->jobs < seed)
            break;
    }
    _exit(0);
}

static bool start(struct job *job, int ends[2])
{
    fflush(NULL);
    if (pipe(ends) < 0)
        return false;
    job->pid = fork();
    if (job->pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    if (job->pid == 0) {
        close(ends[0]);
        return true;
    }
    close(ends[1]);
    job->fd = ends[0];
    return true;
}

/* The child is gone: how. */
static void reap(struct job *job, struct swarm_outcome *outcome)
{
    int status = 0;

    close(job->fd);
    job->fd = -1;
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *outcome = (struct swarm_outcome){.failed = true, .what = "crash"};
    if (WIFSIGNALED(status))
        snprintf(outcome->text, sizeof(outcome->text), "died of signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(outcome->text, sizeof(outcome->text), "exited with code %d", WEXITSTATUS(status));
}

/* More of a record: 1 it is whole, 0 not yet, -1 the pipe has ended. */
static int take(struct job *job)
{
    ssize_t got = read(job->fd, (char *)&job->record + job->got, sizeof(job->record) - job->got);

    if (got < 0 && errno == EINTR)
        return 0;
    if (got <= 0)
        return -1;
    job->got += (size_t)got;
    if (job->got < sizeof(job->record))
        return 0;
    job->got = 0;
    return 1;
}

bool swarm_jobs_one(const struct swarm_config *config, struct swarm_outcome *outcome)
{
    static struct swarm_outcome made;
    struct job job = {.fd = -1};
    int ends[2], whole = 0;

    if (!start(&job, ends))
        return false;
    if (job.pid == 0) {
        swarm_run(config, &made);
        write_all(ends[1], &made, sizeof(made));
        _exit(0);
    }
    while (whole == 0)
        whole = take(&job);
    reap(&job, outcome);
    if (whole > 0)
        *outcome = job.record;
    return true;
}

/* ---- many ---- */

struct course {
    const struct swarm_jobs *jobs;
    struct swarm_sum *sum;
    char (*hashes)[TRACE_LOG_HASH_BYTES]; /* by seed */
    struct job list[SWARM_JOBS_MAX];
    uint64_t failures;
};

static void add(struct course *course, uint64_t seed, const struct swarm_outcome *outcome)
{
    struct swarm_sum *sum = course->sum;

    sum->seeds++;
    sum->events += outcome->events;
    sum->records += outcome->records;
    sum->requests += outcome->requests;
    sum->bytes += outcome->bytes;
    sum->intrusions += outcome->intrusions;
    sum->virtual_ns += outcome->virtual_ns;
    sum->excused += outcome->excused;
    memcpy(course->hashes[seed - course->jobs->first], outcome->trace, TRACE_LOG_HASH_BYTES);
    if (outcome->failed) {
        course->failures++;
        if (!sum->failed || seed < sum->seed) {
            sum->seed = seed;
            sum->outcome = *outcome;
        }
        sum->failed = true;
    }
    if (course->jobs->done)
        course->jobs->done(course->jobs->self, sum->seeds, course->failures);
}

/* Nothing of a job is wanted any more: it is through, or behind a seed that failed. */
static void end_if_through(struct course *course, struct job *job)
{
    struct swarm_outcome ignored;
    bool behind = course->sum->failed && job->next > course->sum->seed;

    if (job->fd < 0 || (job->next <= course->jobs->last && !behind))
        return;
    kill(job->pid, SIGKILL);
    reap(job, &ignored);
}

static void serve(struct course *course, struct job *job)
{
    struct swarm_outcome how;
    int whole = take(job);

    if (whole == 0)
        return;
    if (whole > 0) {
        add(course, job->next, &job->record);
        job->next += course->jobs->jobs;
        return;
    }
    reap(job, &how);
    add(course, job->next, &how);
}

static bool collect(struct course *course)
{
    struct pollfd polls[SWARM_JOBS_MAX];
    bool any = false;

    for (uint32_t i = 0; i < course->jobs->jobs; i++) {
        end_if_through(course, &course->list[i]);
        polls[i] = (struct pollfd){.fd = course->list[i].fd, .events = POLLIN};
        any |= course->list[i].fd >= 0;
    }
    if (!any || (poll(polls, course->jobs->jobs, -1) < 0 && errno != EINTR))
        return false;
    for (uint32_t i = 0; i < course->jobs->jobs; i++)
        if (course->list[i].fd >= 0 && polls[i].revents)
            serve(course, &course->list[i]);
    return true;
}

static bool start_all(struct course *course)
{
    const struct swarm_jobs *jobs = course->jobs;
    int ends[2];

    for (uint32_t i = 0; i < jobs->jobs; i++) {
        course->list[i] = (struct job){.fd = -1, .next = jobs->first + i};
        if (jobs->first + i > jobs->last)
            continue;
        if (!start(&course->list[i], ends))
            return false;
        if (course->list[i].pid == 0)
            work(jobs, jobs->first + i, ends[1]);
    }
    return true;
}

bool swarm_jobs_run(const struct swarm_jobs *jobs, struct swarm_sum *sum)
{
    struct course *course = calloc(1, sizeof(*course));
    size_t count = (size_t)(jobs->last - jobs->first + 1);

    assert(course && jobs->last - jobs->first < SWARM_SEEDS_MAX && jobs->jobs >= 1 &&
           jobs->jobs <= SWARM_JOBS_MAX);
    *sum = (struct swarm_sum){.seeds = 0};
    course->jobs = jobs;
    course->sum = sum;
    course->hashes = calloc(count, TRACE_LOG_HASH_BYTES);
    assert(course->hashes);
    bool started = start_all(course);
    while (started && collect(course))
        continue;
    for (uint32_t i = 0; i < jobs->jobs; i++)
        if (course->list[i].fd >= 0)
            kill(course->list[i].pid, SIGKILL);
    XXH128_hash_t hash = XXH3_128bits(course->hashes, count * TRACE_LOG_HASH_BYTES);
    snprintf(sum->trace, sizeof(sum->trace), "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    free(course->hashes);
    free(course);
    return started;
}
