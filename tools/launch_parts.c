/*
 * The processes of a run: how each is started, and what it means when one says it is ready or
 * exits. Every part is this very program with another subcommand.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/capturing.h"
#include "tools/child.h"
#include "tools/launch_private.h"
#include "tools/profiling.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGS_MAX = 2 * CMD_SETS_MAX + 2 * SCENARIO_PEERS_MAX + 96, TEXTS_BYTES = 16384 };

/* An argument list under construction; texts made here live in `texts`. */
struct args {
    char *list[ARGS_MAX];
    uint32_t count;
    char texts[TEXTS_BYTES];
    size_t used;
};

static void arg(struct args *args, const char *text)
{
    assert(args->count < ARGS_MAX - 1);
    args->list[args->count++] = (char *)(uintptr_t)text; /* uv_spawn's list is not const */
}

static void arg_format(struct args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void arg_format(struct args *args, const char *format, ...)
{
    va_list list;
    char *text = args->texts + args->used;

    va_start(list, format);
    int bytes = vsnprintf(text, TEXTS_BYTES - args->used, format, list);
    va_end(list);
    assert(bytes >= 0 && args->used + (size_t)bytes + 1 <= TEXTS_BYTES);
    args->used += (size_t)bytes + 1;
    arg(args, text);
}

static void arg_scenario(struct args *args, const struct launch *launch)
{
    for (uint32_t i = 0; i < launch->options->sets->count; i++) {
        arg(args, "--set");
        arg(args, launch->options->sets->list[i]);
    }
}

static void arg_allow(struct args *args, const struct launch *launch)
{
    for (uint32_t i = 0; i < launch->options->allow_count; i++) {
        arg(args, "--allow");
        arg(args, launch->options->allow[i]);
    }
}

static void arg_profile(struct args *args, const struct launch *launch, const char *name)
{
    const struct profiling *profiling = launch->options->profiling;

    if (!profiling || profiling->kind == PROFILE_NONE)
        return;
    arg(args, "--profile");
    arg_format(args, "%s:%s%s.%s", profile_name(profiling->kind), profiling->prefix, name,
               profile_suffix(profiling->kind));
}

static void arg_capture(struct args *args, const struct launch *launch, const char *name)
{
    if (!launch->options->capturing)
        return;
    arg(args, "--capture-part");
    arg(args, capturing_part(launch->options->capturing, name));
    arg(args, "--capture-limit");
    arg_format(args, "%" PRIu64, launch->options->capturing->limit_bytes);
}

void launch_parts_check(struct launch *launch)
{
    for (uint32_t i = 0; i < launch->part_count; i++)
        if (!launch->parts[i].exited)
            return;
    if (!launch->quitting || launch->ended)
        return;
    launch->ended = true;
    launch_ended(launch);
}

static void on_said(void *self, json_t *object)
{
    struct launch_part *part = self;

    if (object)
        launch_said(part->launch, part, object);
}

/* What a part's end means: after quit all is well, before it the run cannot go on. */
static void exited(struct launch *launch, struct launch_part *part, int64_t status, int number)
{
    if (part->killed && number == SIGKILL)
        return;
    if (number == SIGTERM || (part->terminated && status == CMD_INTERRUPTED)) {
        launch_terminated(launch, part);
        return;
    }
    if (launch->hypervisor_killed && part->told && status == CMD_FAILED)
        return;
    /* a part that was told to quit has nothing left to fail at: a sanitizer's leak report, say */
    bool bug = (number != 0 && number != SIGKILL) ||
               (launch->quitting && launch->outcome->complete && status != 0);

    if (launch->quitting && !bug)
        return;
    if (number != 0)
        launch_error(launch, "E0603", "%s died of signal %d (%s)", part->name, number,
                     strsignal(number));
    else if (bug || part->ready || json_array_size(launch->outcome->errors) == 0)
        launch_error(launch, "E0603", "%s exited with code %d when it should not", part->name,
                     (int)status);
    bool told = status == CMD_SCENARIO || status == CMD_UNSUPPORTED;
    launch_fail(launch, bug ? CMD_BUG : told ? (int)status : CMD_FAILED);
}

static void on_part_closed(uv_handle_t *process)
{
    launch_part_closed(process->data);
}

static void on_part_exit(uv_process_t *process, int64_t status, int number)
{
    struct launch_part *part = process->data;
    struct launch *launch = part->launch;

    /* what it said last may still lie in the control's stream: read it before judging */
    part->exited = true;
    control_uv_drain(part->control);
    control_uv_close(part->control);
    part->control = NULL;
    uv_close((uv_handle_t *)process, on_part_closed);
    exited(launch, part, status, number);
    launch_advance(launch);
    launch_parts_check(launch);
}

/* A part that is to be spawned. */
static struct launch_part *add_part(struct launch *launch, enum launch_kind kind, const char *name)
{
    struct launch_part *part = &launch->parts[launch->part_count];

    assert(launch->part_count < LAUNCH_PARTS_MAX);
    *part = (struct launch_part){
        .launch = launch, .kind = kind, .exited = true, .waits = FAULT_LOG_NONE};
    snprintf(part->name, sizeof(part->name), "%s", name);
    part->process.data = part;
    launch->part_count++;
    return part;
}

static void spawn(struct launch_part *part, struct args *args)
{
    struct launch *launch = part->launch;
    int fd;

    arg(args, "--control");
    arg(args, "3");
    int ret = child_spawn(launch->loop, &part->process, args->list, on_part_exit, &fd);
    if (ret < 0) {
        launch_error(launch, "E0606", "cannot start %s: %s", part->name, uv_strerror(ret));
        launch_fail(launch, CMD_UNSUPPORTED);
        return;
    }
    part->control = control_uv_open(launch->loop, fd, on_said, part);
    part->exited = false;
}

static void start_backend(struct launch_part *part)
{
    struct args args = {.count = 0};
    const struct launch *launch = part->launch;
    const struct scenario_host *host = &launch->scenario->hosts[part->domain.host];

    arg(&args, "xensock");
    arg(&args, "backend");
    arg(&args, "--runtime");
    arg(&args, launch->runtime);
    arg(&args, "--domid");
    arg_format(&args, "%u", part->domain.domid);
    if (host->cpu != SCENARIO_CPU_ANY) {
        arg(&args, "--cpu");
        arg_format(&args, "%d", host->cpu);
    }
    if (launch->options->notify) {
        arg(&args, "--notify");
        arg(&args, launch->options->notify);
    }
    arg(&args, "--peer");
    arg(&args, host->peer);
    arg_allow(&args, launch);
    arg_profile(&args, launch, part->name);
    arg_capture(&args, launch, part->name);
    spawn(part, &args);
}

/* The measured phase of a guest that comes again goes on: all processes have the same clock. */
static void arg_until(struct args *args, const struct launch_part *guest)
{
    if (guest->measure_ns == 0)
        return;
    arg(args, "--until");
    arg_format(args, "%" PRIu64, launch_until_ns(guest));
}

static void start_frontend(struct launch_part *guest)
{
    struct args args = {.count = 0};
    const struct launch *launch = guest->launch;

    arg(&args, "xensock");
    arg(&args, "frontend");
    arg(&args, "--runtime");
    arg(&args, launch->runtime);
    arg(&args, "--guest");
    arg(&args, guest->domain.name);
    arg_scenario(&args, launch);
    arg_until(&args, guest);
    for (uint32_t i = 0; i < launch->part_count; i++) {
        const struct launch_part *part = &launch->parts[i];
        if (part->kind != LAUNCH_PEER || part->address[0] == '\0')
            continue;
        arg(&args, "--set");
        arg_format(&args, "topology.peers.%s.listen=%s", part->name, part->address);
    }
    if (launch->options->notify) {
        arg(&args, "--notify");
        arg(&args, launch->options->notify);
    }
    arg_allow(&args, launch);
    arg_profile(&args, launch, guest->name);
    arg_capture(&args, launch, guest->name);
    arg(&args, launch->options->file);
    spawn(guest, &args);
}

static bool peers_ready(const struct launch *launch)
{
    for (uint32_t i = 0; i < launch->part_count; i++)
        if (!launch->parts[i].ready)
            return false;
    return true;
}

static void start(struct launch_part *part)
{
    if (part->kind == LAUNCH_FRONTEND)
        start_frontend(part);
    else
        start_backend(part);
}

/* One of its kind is called by its role: in errors, and in the names of profiles. */
static void start_domain(struct launch *launch, const struct scenario_domain *domain)
{
    bool guest = domain->role == SCENARIO_FRONTEND;
    uint32_t count =
        guest ? scenario_guest_count(launch->scenario) : scenario_backend_count(launch->scenario);
    struct launch_part *part = add_part(launch, guest ? LAUNCH_FRONTEND : LAUNCH_BACKEND,
                                        count > 1 ? domain->name
                                        : guest   ? "frontend"
                                                  : "backend");

    part->domain = *domain;
    start(part);
}

void launch_part_again(struct launch_part *part)
{
    part->killed = part->returning = part->closed = false;
    part->ready = part->up = part->ended = false;
    start(part);
}

static void start_domains(struct launch *launch)
{
    struct scenario_domain domain;

    launch->spawned = true;
    for (uint32_t i = 0; !launch->quitting && scenario_domain(launch->scenario, i, &domain); i++)
        start_domain(launch, &domain);
}

void launch_part_ready(struct launch *launch, struct launch_part *part, const char *address)
{
    part->ready = true;
    if (address)
        snprintf(part->address, sizeof(part->address), "%s", address);
    if (part->kind == LAUNCH_PEER && !launch->spawned && !launch->quitting && peers_ready(launch))
        start_domains(launch);
    if (part->kind == LAUNCH_BACKEND && launch->measuring && !launch->measured)
        control_uv_say(part->control, json_pack("{s:s}", "do", "measure-all"));
}

void launch_peers(struct launch *launch)
{
    bool any = false;

    for (uint32_t i = 0; i < launch->scenario->peer_count && !launch->quitting; i++) {
        const struct scenario_peer *peer = &launch->scenario->peers[i];
        struct args args = {.count = 0};
        if (peer->kind == SCENARIO_PEER_EXTERNAL)
            continue;
        any = true;
        arg(&args, "xensock");
        arg(&args, "peer");
        arg_scenario(&args, launch);
        char profile[64];
        snprintf(profile, sizeof(profile), "peer.%s", peer->name); /* as in the result */
        arg_profile(&args, launch, profile);
        arg_allow(&args, launch);
        arg(&args, launch->options->file);
        arg(&args, peer->name);
        struct launch_part *part = add_part(launch, LAUNCH_PEER, peer->name);
        part->peer = i;
        spawn(part, &args);
    }
    if (!any && !launch->quitting)
        start_domains(launch);
}
