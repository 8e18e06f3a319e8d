/*
 * The guest of a forward: its device, the connections it carries, and how it ends. See
 * forwarding.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/forwarding.h"

#include "ringlib/err.h"
#include "sim/net/net_uv.h"
#include "sim/run/domain_uv.h"
#include "sim/run/fault_words.h"
#include "sim/run/peer_fault.h"
#include "tools/resolve.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- ends ---- */

static void print_counters(const struct forwarding *forwarding)
{
    const struct forward_counters *counters = forward_counters(forwarding->forward);

    printf("connections %" PRIu64 " (now %u, most %u)  joined %" PRIu64 "  refused %" PRIu64
           "  resets %" PRIu64 "  held out %" PRIu64 "\nup %" PRIu64 " bytes  down %" PRIu64
           " bytes\n",
           counters->accepted, counters->now, counters->most, counters->joined, counters->refused,
           counters->resets, counters->held_out, counters->up_bytes, counters->down_bytes);
    fflush(stdout);
}

/* Nothing of the guest is left: tell the parts, close the handles. */
static void finish(struct forwarding *forwarding)
{
    if (forwarding->domain) {
        print_counters(forwarding);
        waiting_end(&forwarding->waiting);
        net_destroy(forwarding->net);
        domain_uv_close(forwarding->domain);
        forward_destroy(forwarding->forward);
        front_core_fini(&forwarding->core);
        forwarding->domain = NULL;
    }
    forwarding_tell_terminated(forwarding);
    forwarding_quit_parts(forwarding);
    if (uv_is_active((uv_handle_t *)&forwarding->usr1))
        uv_close((uv_handle_t *)&forwarding->usr1, NULL);
    process_stop(&forwarding->process);
}

void forwarding_stop(struct forwarding *forwarding, int code, bool reset)
{
    forwarding->code = forwarding->code == CMD_OK ? code : forwarding->code;
    if (forwarding->stopping)
        return;
    forwarding->stopping = true;
    if (!forwarding->domain) {
        finish(forwarding);
        return;
    }
    forward_stop(forwarding->forward, reset);
    domain_uv_kick(forwarding->domain);
}

void forwarding_asked(void *self, const char *what)
{
    (void)what;
    forwarding_stop(self, CMD_OK, false);
}

void forwarding_on_usr1(uv_signal_t *handle, int number)
{
    const struct forwarding *forwarding = handle->data;

    (void)number;
    if (forwarding->domain)
        print_counters(forwarding);
}

void forwarding_clear(void *self)
{
    const struct forwarding *forwarding = self;

    if (!forwarding->options->runtime && forwarding->runtime[0] != '\0')
        runtime_dir_remove(forwarding->runtime);
}

static void lost(void *self)
{
    struct forwarding *forwarding = self;

    if (!forwarding->stopping)
        process_error(&forwarding->process, "E0602", "the hypervisor has gone away");
    forwarding_clear(forwarding);
    exit(CMD_FAILED); /* which closes every connection */
}

/* ---- the guest ---- */

static void upcall(void *self, const struct act *act)
{
    struct forwarding *forwarding = self;

    forwarding->gone |= act->kind == ACT_GONE;
    forward_upcall(forwarding->forward, act);
}

static void report(void *self, const struct act_fault *fault)
{
    struct forwarding *forwarding = self;
    char text[PEER_FAULT_BYTES], own[FAULT_WORDS_BYTES];

    if (fault_words(own, fault, forwarding->options->domid, "the backend")) {
        process_error(&forwarding->process, FAULT_WORDS_CODE, "%s", own);
        return;
    }
    peer_fault_text(text, fault, forwarding->options->dialect);
    process_error(&forwarding->process, PEER_FAULT_CODE, "fault of the backend: %s", text);
}

static void listening(void *self, uint32_t rule, int32_t ret)
{
    struct forwarding *forwarding = self;
    const struct forward_spec *spec = &forwarding->options->specs[rule];

    if (ret < 0) {
        process_error(&forwarding->process, "E0609", "cannot listen on %s: %s", spec->listen,
                      err_name(ret));
        forwarding_stop(forwarding, CMD_FAILED, false);
        return;
    }
    printf("forwards %s to %s\n", spec->listen, spec->target);
    if (++forwarding->listening == forwarding->options->spec_count)
        puts("ready");
    fflush(stdout);
}

void forwarding_resolved(void *self, uint64_t id, int32_t error, const struct call_addr *addr)
{
    struct forwarding *forwarding = self;

    if (!forwarding->domain)
        return;
    forward_resolved(forwarding->forward, id, error, addr);
    domain_uv_kick(forwarding->domain);
}

/* Looked up beside the backend, if that is ours to ask; else here. */
static void resolve(void *self, uint64_t id, const char *name, uint16_t port)
{
    struct forwarding *forwarding = self;
    const struct resolve here = {NULL, forwarding, forwarding_resolved};

    if (!forwarding->backend.running) {
        resolve_name(forwarding->process.loop, &here, id, name, port);
        return;
    }
    json_t *question = json_pack("{s:s, s:I, s:s, s:i}", "do", "resolve", "id", (json_int_t)id,
                                 "name", name, "port", (int)port);
    if (question)
        control_uv_say(forwarding->backend.control, question);
    else /* it is not UTF-8, and no host's */
        forwarding_resolved(forwarding, id, -ERR_NOENT, NULL);
}

static uint64_t turned(void *self, uint64_t now_ns)
{
    struct forwarding *forwarding = self;
    uint64_t due_ns = forward_turned(forwarding->forward, now_ns);
    bool idle = front_core_idle(&forwarding->core);

    if (forwarding->stopping && !forwarding->stopped && forward_over(forwarding->forward)) {
        forwarding->stopped = true;
        exec_post(domain_uv_exec(forwarding->domain), forwarding->core.index, EV_STOP);
        due_ns = now_ns;
    } else if (forwarding->stopped && idle) {
        finish(forwarding);
        return STEP_NEVER;
    } else if (forwarding->gone && !forwarding->stopping && idle) {
        forwarding->gone = false;
        exec_post(domain_uv_exec(forwarding->domain), forwarding->core.index, EV_START);
        due_ns = now_ns;
    }
    if (due_ns > now_ns)
        return due_ns;
    domain_uv_kick(forwarding->domain);
    return STEP_NEVER;
}

static void wake(void *self)
{
    struct forwarding *forwarding = self;

    domain_uv_kick(forwarding->domain);
}

static bool open_core(struct forwarding *forwarding)
{
    const struct forwarding_options *options = forwarding->options;

    return front_core_init(&forwarding->core,
                           &(struct front_core_config){.exec = domain_uv_exec(forwarding->domain),
                                                       .domid = options->domid,
                                                       .backend = options->backend,
                                                       .dialect = options->dialect,
                                                       .order = (uint32_t)options->order,
                                                       .backlog = FORWARD_BACKLOG,
                                                       .max_sockets = forward_sockets(
                                                           (uint32_t)options->connections,
                                                           forwarding->rules, options->spec_count),
                                                       .self = forwarding,
                                                       .upcall = upcall,
                                                       .report = report});
}

/* Another one for each process: two that run at the same time do not try the same ones. */
static uint16_t first_bind_port(void)
{
    uint32_t count = FORWARD_BIND_HIGH - FORWARD_BIND_LOW + 1;

    return (uint16_t)(FORWARD_BIND_LOW + (uint32_t)getpid() * 61 % count);
}

/* In a testbed of others, who may not have made what we need. */
static void start_waiting(struct forwarding *forwarding)
{
    const struct forwarding_options *options = forwarding->options;

    forwarding->waiting = (struct waiting){.process = &forwarding->process,
                                           .fe = forwarding->core.fe,
                                           .device = options->dialect->device,
                                           .runtime = options->runtime,
                                           .domid = options->domid,
                                           .backend = options->backend};
    waiting_start(&forwarding->waiting);
}

/* The hypervisor and the backend are there, or will be: become the guest. */
void forwarding_join(struct forwarding *forwarding)
{
    const struct forwarding_options *options = forwarding->options;
    struct domain_uv_config config = {.runtime = forwarding->runtime,
                                      .domid = options->domid,
                                      .notify = options->immediate ? EXEC_NOTIFY_IMMEDIATE
                                                                   : EXEC_NOTIFY_COALESCED,
                                      .max_devices = 1,
                                      .timeout_ms = process_patience_ms(&forwarding->process),
                                      .self = forwarding,
                                      .lost = lost,
                                      .turned = turned};
    int error;

    forwarding->domain = domain_uv_open(forwarding->process.loop, &config, &error);
    if (!forwarding->domain) {
        process_error(&forwarding->process, "E0601", "no hypervisor in %s for domain %u: %s",
                      forwarding->runtime, options->domid, err_name(error));
        forwarding_stop(forwarding, CMD_USAGE, false);
        return;
    }
    if (options->runtime)
        process_signals(&forwarding->process);
    forwarding->net = net_uv_create(forwarding->process.loop, wake, forwarding);
    bool whole = forwarding->net && open_core(forwarding);
    assert(whole); /* little memory, at the start */
    forwarding->forward = forward_create(
        &(struct forward_config){.exec = domain_uv_exec(forwarding->domain),
                                 .fe = forwarding->core.fe,
                                 .device = forwarding->core.index,
                                 .net = forwarding->net,
                                 .rules = forwarding->rules,
                                 .rule_count = options->spec_count,
                                 .max_connections = (uint32_t)options->connections,
                                 .hold_ns = options->hold_ns,
                                 .connect_wait_ns = options->connect_wait_ns,
                                 .talk_wait_ns = FORWARDING_TALK_WAIT_NS,
                                 .bind_on = {options->bind_on[0], options->bind_on[1]},
                                 .bind_first = first_bind_port(),
                                 .bind_wait_ns = FORWARDING_BIND_WAIT_NS,
                                 .self = forwarding,
                                 .listening = listening,
                                 .resolve = resolve});
    assert(forwarding->forward);
    if (options->runtime)
        start_waiting(forwarding);
    domain_uv_kick(forwarding->domain);
}
