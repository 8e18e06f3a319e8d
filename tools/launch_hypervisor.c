/*
 * The hypervisor of a run: in this process, or, where the scenario kills it, in one of its own. See
 * launch.h.
 *
 * That one is a fork, before the run has any other process: it serves until the other end of a
 * socket pair closes, which is this process's end too. What it leaves in the runtime directory when
 * it is killed stops nobody (emu_runtime.h); in a directory of the run's own it is cleared away.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/launch_private.h"

#include "ringlib/dialect.h"
#include "sim/run/guest_room.h"
#include "sim/run/hypervisor_uv.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ERROR_BYTES = 512 };

static void report(void *self, uint16_t domid, const char *reason)
{
    launch_error(self, "E0605", "the hypervisor dropped domain %u: %s", domid, reason);
}

static void report_aside(void *self, uint16_t domid, const char *reason)
{
    (void)self;
    fprintf(stderr, "xensock run: the hypervisor dropped domain %u: %s\n", domid, reason);
}

/* Every domain of the scenario, and a device between each guest and its backend. */
static struct hypervisor_uv *start_machine(struct launch *launch, uv_loop_t *loop,
                                           char error[ERROR_BYTES])
{
    uint16_t domains[LAUNCH_DOMAINS_MAX];
    struct hypervisor_limits limits[LAUNCH_DOMAINS_MAX];
    struct hypervisor_uv_device devices[LAUNCH_DOMAINS_MAX];
    struct hypervisor_uv_config config = {.runtime = launch->runtime,
                                          .domains = domains,
                                          .limits = limits,
                                          .devices = devices,
                                          .self = launch,
                                          .report = loop == launch->loop ? report : report_aside};
    struct scenario_domain domain;

    for (uint32_t i = 0; scenario_domain(launch->scenario, i, &domain); i++) {
        assert(i < LAUNCH_DOMAINS_MAX);
        limits[config.domain_count] = guest_room_limits(launch->scenario, domain.host);
        domains[config.domain_count++] = domain.domid;
        if (domain.role == SCENARIO_FRONTEND)
            devices[config.device_count++] = (struct hypervisor_uv_device){
                scenario_dialect(launch->scenario, domain.host)->device, domain.domid,
                domain.backend, 0};
    }
    return hypervisor_uv_start(loop, &config, error, ERROR_BYTES);
}

/* ---- in a process of its own ---- */

static void on_end(uv_poll_t *poll, int status, int events)
{
    struct hypervisor_uv **host = poll->data;

    (void)status;
    (void)events;
    hypervisor_uv_stop(*host);
    uv_close((uv_handle_t *)poll, NULL);
}

/* Serve, having said so by an empty text, until the other end is gone. */
static _Noreturn void serve(struct launch *launch, int end)
{
    char error[ERROR_BYTES] = "";
    struct hypervisor_uv *host = NULL;
    uv_loop_t loop;
    uv_poll_t poll = {.data = &host};

    signal(SIGINT, SIG_IGN); /* the launcher decides */
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    if (uv_loop_init(&loop) == 0)
        host = start_machine(launch, &loop, error);
    if (write(end, error, strlen(error) + 1) < 0 || !host)
        _exit(CMD_FAILED);
    uv_poll_init(&loop, &poll, end);
    uv_poll_start(&poll, UV_READABLE, on_end);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(CMD_OK);
}

static bool fork_hypervisor(struct launch *launch, char error[ERROR_BYTES])
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    launch->hypervisor_pid = fork();
    if (launch->hypervisor_pid == 0) {
        close(ends[0]);
        serve(launch, ends[1]);
    }
    close(ends[1]);
    launch->hypervisor_end = ends[0];
    ssize_t got = launch->hypervisor_pid < 0 ? -1 : read(ends[0], error, ERROR_BYTES);
    if (got > 0 && error[0] == '\0')
        return true;
    launch_stop_hypervisor(launch);
    return false;
}

/* ---- either way ---- */

static bool is_killed(const struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->fault_count; i++)
        if (scenario->faults[i].host == SCENARIO_HOSTS_MAX)
            return true;
    return false;
}

bool launch_start_hypervisor(struct launch *launch)
{
    char error[ERROR_BYTES] = "no directory for the run can be made";
    bool started = false;

    if (launch->options->runtime)
        snprintf(launch->runtime, sizeof(launch->runtime), "%s", launch->options->runtime);
    launch->own_runtime = !launch->options->runtime && runtime_dir_make(launch->runtime);
    if (!launch->options->runtime && !launch->own_runtime) {
        launch_error(launch, "E0601", "%s", error);
        return false;
    }
    if (is_killed(launch->scenario)) {
        started = fork_hypervisor(launch, error);
    } else {
        launch->hypervisor = start_machine(launch, launch->loop, error);
        started = launch->hypervisor != NULL;
    }
    if (!started)
        launch_error(launch, "E0601", "%s", error);
    return started;
}

void launch_stop_hypervisor(struct launch *launch)
{
    if (launch->hypervisor)
        hypervisor_uv_stop(launch->hypervisor);
    launch->hypervisor = NULL;
    if (launch->hypervisor_end > 0)
        close(launch->hypervisor_end);
    if (launch->hypervisor_pid > 0)
        waitpid(launch->hypervisor_pid, NULL, 0);
    launch->hypervisor_pid = launch->hypervisor_end = 0;
    if (launch->own_runtime)
        runtime_dir_remove(launch->runtime);
}

/* All domains are to notice: whoever stands still must run for that, who is away does not come
 * again, and one that still joins, and so would wait for another hypervisor, ends with this one. */
void launch_kill_hypervisor(struct launch *launch)
{
    launch->hypervisor_killed = true;
    kill(launch->hypervisor_pid, SIGKILL);
    launch_end_faults(launch);
    for (uint32_t i = 0; i < launch->part_count; i++) {
        struct launch_part *part = &launch->parts[i];
        if (part->kind == LAUNCH_PEER || part->ready || part->exited)
            continue;
        part->killed = true;
        uv_process_kill(&part->process, SIGKILL);
    }
    launch_expect_end(launch);
}
