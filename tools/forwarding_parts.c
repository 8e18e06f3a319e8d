/*
 * The hypervisor and the backend that a forward starts for itself: children that end with it. See
 * forwarding.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/forwarding.h"

#include "backend/policy.h"
#include "ringlib/err.h"
#include "sim/run/units.h"
#include "tools/child.h"

#include <signal.h>
#include <string.h>

/* The backend first, which needs the hypervisor to its end. */
void forwarding_quit_parts(struct forwarding *forwarding)
{
    struct forwarding_part *last =
        forwarding->backend.running ? &forwarding->backend : &forwarding->hypervisor;

    control_uv_say(last->control, json_pack("{s:s}", "do", "quit"));
}

static void take_resolved(struct forwarding *forwarding, const json_t *object)
{
    const char *text = json_string_value(json_object_get(object, "address"));
    uint64_t id = (uint64_t)json_integer_value(json_object_get(object, "id"));
    int32_t error = (int32_t)json_integer_value(json_object_get(object, "error"));
    struct call_addr addr;
    bool found = error == 0 && text && units_parse_addr(text, &addr) == UNITS_OK;

    forwarding_resolved(forwarding, id,
                        found       ? 0
                        : error < 0 ? error
                                    : -ERR_NOENT,
                        found ? &addr : NULL);
}

static void terminated(struct forwarding_part *part)
{
    part->terminated = !part->forwarding->stopping; /* else it ends anyhow */
    forwarding_stop(part->forwarding, CMD_OK, false);
}

/* Who was sent SIGTERM, unless this process was, too: that is a user's, who ends all of it. */
void forwarding_tell_terminated(struct forwarding *forwarding)
{
    const struct forwarding_part *parts[] = {&forwarding->hypervisor, &forwarding->backend};

    for (int i = 0; i < 2 && forwarding->process.signal_count == 0; i++) {
        if (!parts[i]->terminated)
            continue;
        process_error(&forwarding->process, "E0603", "the %s was told to end by signal %d (%s)",
                      parts[i]->name, SIGTERM, strsignal(SIGTERM));
        forwarding->code = forwarding->code == CMD_OK ? CMD_FAILED : forwarding->code;
    }
}

static void on_said(void *self, json_t *object)
{
    struct forwarding_part *part = self;
    const char *event = json_string_value(json_object_get(object, "event"));

    if (!event)
        return;
    if (strcmp(event, "ready") == 0)
        part->ready(part->forwarding);
    else if (strcmp(event, "resolved") == 0)
        take_resolved(part->forwarding, object);
    else if (strcmp(event, "error") == 0)
        process_error(&part->forwarding->process,
                      json_string_value(json_object_get(object, "code")), "%s: %s", part->name,
                      json_string_value(json_object_get(object, "message")));
    else if (strcmp(event, "terminated") == 0)
        terminated(part);
}

/* The connections end with an error: whoever is at their end must not take it for an end in good
 * order. */
static void on_exit_of(uv_process_t *process, int64_t status, int number)
{
    struct forwarding_part *part = process->data;
    struct forwarding *forwarding = part->forwarding;

    part->running = false;
    control_uv_drain(part->control);
    control_uv_close(part->control);
    part->control = NULL;
    uv_close((uv_handle_t *)process, NULL);
    if (forwarding->stopping) {
        forwarding_quit_parts(forwarding);
        return;
    }
    if (number != 0)
        process_error(&forwarding->process, "E0603", "the %s died of signal %d (%s)", part->name,
                      number, strsignal(number));
    else if (forwarding->domain)
        process_error(&forwarding->process, "E0603", "the %s exited with code %d", part->name,
                      (int)status);
    forwarding_stop(forwarding, CMD_FAILED, true);
}

static void start_part(struct forwarding_part *part, char **args)
{
    struct forwarding *forwarding = part->forwarding;
    int fd;

    part->process.data = part;
    int ret = child_spawn(forwarding->process.loop, &part->process, args, on_exit_of, &fd);
    if (ret < 0) {
        process_error(&forwarding->process, "E0606", "cannot start the %s: %s", part->name,
                      uv_strerror(ret));
        forwarding_stop(forwarding, CMD_UNSUPPORTED, false);
        return;
    }
    part->running = true;
    part->control = control_uv_open(forwarding->process.loop, fd, on_said, part);
}

/* The address alone of a rule that leads out, as --allow reads it; false: it needs none. */
static bool outside(const struct forward_spec *spec, char text[FORWARD_SPEC_TEXT])
{
    const struct forward_rule *rule = &spec->rule;
    const struct call_addr *addr = rule->kind == FORWARD_LOCAL ? &rule->target : &rule->listen;
    bool v4 = call_addr_family(addr) == CALL_AF_INET;
    struct policy loopback;

    policy_init(&loopback);
    if (rule->kind == FORWARD_SOCKS || policy_allows(&loopback, addr))
        return false;
    uv_inet_ntop(v4 ? AF_INET : AF_INET6, addr->bytes + (v4 ? 4 : 8), text, FORWARD_SPEC_TEXT);
    return true;
}

void forwarding_start_backend(struct forwarding *forwarding)
{
    const struct forwarding_options *options = forwarding->options;
    static char texts[FORWARD_RULES_MAX][FORWARD_SPEC_TEXT];
    char sockets[16], backlog[16];
    char *args[2 * (FORWARDING_ALLOW_MAX + FORWARD_RULES_MAX) + 22] = {
        "xensock",       "backend", "--runtime", forwarding->runtime,
        "--max-sockets", sockets,   "--backlog", backlog};
    uint32_t count = 8;

    snprintf(
        sockets, sizeof(sockets), "%u",
        forward_sockets((uint32_t)options->connections, forwarding->rules, options->spec_count));
    snprintf(backlog, sizeof(backlog), "%d", FORWARD_BACKLOG);
    for (uint32_t i = 0; i < options->allow_count; i++) {
        args[count++] = "--allow";
        args[count++] = (char *)(uintptr_t)options->allow[i];
    }
    for (uint32_t i = 0; i < options->spec_count; i++) {
        if (!outside(&options->specs[i], texts[i]))
            continue;
        args[count++] = "--allow";
        args[count++] = texts[i];
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (!options->bind_address[i])
            continue;
        args[count++] = "--allow";
        args[count++] = (char *)(uintptr_t)options->bind_address[i];
    }
    if (options->immediate) {
        args[count++] = "--notify";
        args[count++] = "immediate";
    }
    args[count++] = "--control";
    args[count++] = "3";
    start_part(&forwarding->backend, args);
}

void forwarding_start_parts(struct forwarding *forwarding)
{
    char *args[] = {
        "xensock",           "hypervisor", "--runtime",
        forwarding->runtime, "--dialect",  (char *)(uintptr_t)forwarding->options->dialect->name,
        "--control",         "3",          NULL};

    if (runtime_dir_make(forwarding->runtime)) {
        start_part(&forwarding->hypervisor, args);
        return;
    }
    process_error(&forwarding->process, "E0601", "no directory for the testbed can be made");
    forwarding_stop(forwarding, CMD_UNSUPPORTED, false);
}
