/*
 * The executor. See exec.h.
 *
 * Per socket slot it keeps the area, its handle and the port; what a core calls (channel, offset,
 * length) becomes an address here, and only for the socket seam. Ports are unmasked when the step
 * for their event came back without `more` (late EOI). What a core has left to do is forgotten only
 * when it was called again for it, whatever other events come between.
 */
#include "sim/run/exec.h"

#include <stdlib.h>

#include "sim/run/exec_private.h"
#include "sim/run/probe.h"

/* Bounds of a turn: rounds, and events a round takes from each seam. A peer that makes work as fast
 * as it is done must not keep the loop from the rest of the world. */
enum { ROUNDS_MAX = 64, SEAM_EVENTS_MAX = 128 };

struct exec *exec_create(const struct exec_config *config)
{
    struct exec *exec = calloc(1, sizeof(*exec));

    if (!exec)
        return NULL;
    exec->config = *config;
    exec->devices = calloc(config->max_devices, sizeof(struct exec_device));
    exec->business = calloc(config->max_devices, sizeof(exec->business[0]));
    exec->waiting = calloc(config->max_devices, sizeof(exec->waiting[0]));
    if (exec->devices && exec->business && exec->waiting)
        return exec;
    free(exec->devices);
    free(exec->business);
    free(exec->waiting);
    free(exec);
    return NULL;
}

void exec_destroy(struct exec *exec)
{
    for (uint32_t i = 0; i < exec->config.max_devices; i++) {
        free(exec->devices[i].channels);
        exec_share_forget(&exec->devices[i]);
    }
    free(exec->devices);
    free(exec->business);
    free(exec->waiting);
    free(exec->marks);
    free(exec->upcalls);
    free(exec);
}

uint16_t exec_next_device(const struct exec *exec)
{
    uint32_t device = exec->device_first;

    while (device < exec->config.max_devices - 1 && exec->devices[device].used)
        device++;
    return (uint16_t)device;
}

int exec_add(struct exec *exec, const struct exec_core *core)
{
    uint16_t index = exec_next_device(exec);
    struct exec_device *device = &exec->devices[index];

    if (device->used)
        return -ERR_NOSPC;
    /* it may still be listed for the one that had its index */
    *device = (struct exec_device){
        .used = true, .listed = device->listed, .waiting = device->waiting, .core = *core};
    device->channels = calloc(core->slots + 1, sizeof(struct exec_channel));
    if (!device->channels) {
        device->used = false;
        return -ERR_NOMEM;
    }
    exec->device_first = index;
    exec->device_count += device->core.dialect != NULL;
    return index;
}

void exec_remove(struct exec *exec, uint16_t index)
{
    struct exec_device *device = &exec->devices[index];

    assert(device->used && device->in_flight == 0);
    free(device->channels);
    exec_share_forget(device);
    exec->device_count -= device->core.dialect != NULL;
    *device = (struct exec_device){.listed = device->listed, .waiting = device->waiting};
    exec->device_first = index < exec->device_first ? index : exec->device_first;
}

static uint64_t deadline_of(const struct exec_device *device)
{
    return device->used && device->core.deadline_ns ? device->core.deadline_ns(device->core.core)
                                                    : STEP_NEVER;
}

static bool has_business(const struct exec_device *device)
{
    return device->used &&
           (device->start || device->stop || device->more || deadline_of(device) != STEP_NEVER);
}

/* After whatever may have given a device something to do. */
static void enlist(struct exec *exec, uint16_t index)
{
    struct exec_device *device = &exec->devices[index];

    if (device->listed || !has_business(device))
        return;
    device->listed = true;
    exec->business[exec->business_count++] = index;
}

void exec_post(struct exec *exec, uint16_t device, enum ev_kind kind)
{
    assert(kind == EV_START || kind == EV_STOP);
    exec->called = true;
    *(kind == EV_START ? &exec->devices[device].start : &exec->devices[device].stop) = true;
    enlist(exec, device);
}

bool exec_busy(const struct exec *exec, uint16_t device)
{
    return exec->devices[device].in_flight > 0;
}

const struct exec_counters *exec_counters(const struct exec *exec)
{
    return &exec->counters;
}

const struct hv_counters *exec_hv_counters(const struct exec *exec)
{
    return &exec->config.hv->counters;
}

uint64_t exec_deadline_ns(const struct exec *exec)
{
    uint64_t earliest = STEP_NEVER;

    for (uint32_t i = 0; i < exec->business_count; i++) {
        uint64_t due = deadline_of(&exec->devices[exec->business[i]]);
        earliest = due < earliest ? due : earliest;
    }
    return earliest;
}

struct exec_channel *exec_channel(struct exec *exec, uint64_t token)
{
    struct exec_device *device = &exec->devices[step_device(token)];
    uint32_t slot = step_slot(token);

    assert(slot == STEP_SLOT_DEVICE || slot < device->core.slots);
    return &device->channels[slot == STEP_SLOT_DEVICE ? device->core.slots : slot];
}

static void trace_event(struct exec *exec, const struct ev *ev)
{
    uint64_t text = 0; /* how a value that was read begins */
    bool port = ev->kind == EV_PORT || ev->kind == EV_PORT_ALLOC || ev->kind == EV_PORT_BIND;
    bool pages = ev->kind == EV_SHARE || ev->kind == EV_MAP;

    if (!exec->config.trace)
        return;
    if (ev->kind == EV_STORE_READ && ev->ret == 0)
        memcpy(&text, ev->store.value, sizeof(text)); /* zeros follow it */
    trace_put(exec->config.trace, &(struct trace_record){.now_ns = exec->now_ns,
                                                         .who = exec->config.hv->domid,
                                                         .point = TRACE_EVENT,
                                                         .detail = (uint8_t)ev->kind,
                                                         .token = ev->token,
                                                         .extra = (uint32_t)ev->ret,
                                                         .value = port    ? ev->port
                                                                  : pages ? ev->share.area.pages
                                                                          : text});
}

/* Hand an event to its core and carry out what comes back. */
static void step(struct exec *exec, const struct ev *ev)
{
    struct exec_device *device = &exec->devices[step_device(ev->token)];
    struct step_out *out = &exec->out;

    out->now_ns = exec->now_ns;
    out->count = 0;
    out->more = false;
    trace_event(exec, ev);
    device->core.step(device->core.core, ev, out);
    device->more = out->more || (device->more && ev->kind != EV_MORE);
    exec->counters.steps++;
    exec_share_spend(device, ev);
    enlist(exec, step_device(ev->token));
    if (exec->config.vcpu)
        vcpu_charge(exec->config.vcpu, COST_STEP, 1);
    exec_run(exec, step_device(ev->token));
}

static void step_own(struct exec *exec, uint32_t device, enum ev_kind kind)
{
    step(exec,
         &(struct ev){.kind = kind, .token = step_token((uint16_t)device, 0, STEP_SLOT_DEVICE)});
}

/* A completion tells the channel table what a token has now. */
static void note(struct exec *exec, const struct ev *ev)
{
    struct exec_device *device = &exec->devices[step_device(ev->token)];
    struct exec_channel *channel = exec_channel(exec, ev->token);

    if (ev->kind == EV_PORT || ev->kind == EV_STORE)
        return;
    assert(device->in_flight > 0);
    device->in_flight--;
    if ((ev->kind == EV_SHARE || ev->kind == EV_MAP) && ev->ret >= 0) {
        assert(channel->runs < sizeof(channel->handles) / sizeof(channel->handles[0]));
        channel->area = ev->share.area;
        channel->handles[channel->runs++] = ev->share.handle;
    } else if ((ev->kind == EV_PORT_ALLOC || ev->kind == EV_PORT_BIND) && ev->ret >= 0) {
        channel->port = ev->port;
        channel->marked = false;
    }
}

static void dispatch(struct exec *exec, const struct ev *ev)
{
    struct exec_device *device = &exec->devices[step_device(ev->token)];

    if (!device->used)
        return; /* a port of a device that is gone */
    note(exec, ev);
    step(exec, ev);
    if (ev->kind != EV_PORT)
        return;
    /* the ring's port stays masked until the core has caught up; a data port's step is whole */
    if (exec->out.more && step_slot(ev->token) == STEP_SLOT_DEVICE)
        device->late_port = ev->port;
    else
        hv_unmask(exec->config.hv, ev->port);
}

/* One device's own business: being started or stopped, going on, a deadline. */
static bool serve_device(struct exec *exec, uint32_t index)
{
    struct exec_device *device = &exec->devices[index];
    enum ev_kind kind = device->start ? EV_START : device->stop ? EV_STOP : EV_MORE;
    bool due = deadline_of(device) <= exec->now_ns;

    if (kind == EV_MORE && !device->more && due)
        kind = EV_TIME;
    else if (kind == EV_MORE && !device->more)
        return false;
    if (!exec_share_left(exec, device)) {
        exec->held_back = true;
        return false;
    }
    if (kind == EV_START)
        device->start = false;
    else if (kind == EV_STOP)
        device->stop = false;
    step_own(exec, index, kind);
    if (!device->more && device->late_port != 0) {
        hv_unmask(exec->config.hv, device->late_port);
        device->late_port = 0;
    }
    return true;
}

/* Every device that has something to do, in the order in which it came to have it. Who gets it
 * meanwhile is served too. */
static bool serve_devices(struct exec *exec)
{
    uint32_t kept = 0;
    bool any = false;

    for (uint32_t i = 0; i < exec->business_count; i++) {
        uint16_t index = exec->business[i];
        struct exec_device *device = &exec->devices[index];
        any |= serve_device(exec, index); /* nothing, if it was removed */
        device->listed = has_business(device);
        if (device->listed)
            exec->business[kept++] = index;
    }
    exec->business_count = kept;
    return any;
}

static void take(struct exec *exec, const struct ev *ev)
{
    if (!exec_share_hold(exec, ev))
        dispatch(exec, ev);
}

static bool serve_seams(struct exec *exec)
{
    struct ev ev;
    bool any = false;

    for (uint32_t i = 0; i < SEAM_EVENTS_MAX && hv_next(exec->config.hv, &ev); i++) {
        if (ev.kind == EV_PORT) {
            probe_wake(exec->config.hv->domid, ev.token, ev.port);
            exec_capture(exec, ev.token, ev.port, CAPTURE_CONSUMED);
        }
        take(exec, &ev);
        any = true;
    }
    for (uint32_t i = 0; i < SEAM_EVENTS_MAX && exec->config.net && net_next(exec->config.net, &ev);
         i++) {
        probe_net_done(ev.kind, ev.token, ev.ret);
        take(exec, &ev);
        any = true;
    }
    return any;
}

/* What was held for a later turn: each device has its share of it. What a device has left to do
 * comes before, else one whose share is always spent on what came would never get to it. */
static void serve_waiting(struct exec *exec)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < exec->waiting_count; i++) {
        uint16_t index = exec->waiting[i];
        struct exec_device *device = &exec->devices[index];
        struct ev ev;
        if (device->more)
            serve_device(exec, index);
        while (exec_share_take(exec, index, &ev))
            dispatch(exec, &ev);
        device->waiting = device->held.count > 0;
        if (device->waiting)
            exec->waiting[kept++] = index;
    }
    exec->waiting_count = kept;
}

static bool deliver_upcalls(struct exec *exec)
{
    bool any = exec->upcall_next < exec->upcall_count;

    while (exec->upcall_next < exec->upcall_count) {
        struct act act = exec->upcalls[exec->upcall_next++]; /* a copy: the list may move */
        const struct exec_device *device = &exec->devices[step_device(act.token)];
        if (device->core.upcall)
            device->core.upcall(device->core.self, &act);
    }
    exec->upcall_next = exec->upcall_count = 0;
    return any;
}

bool exec_turn(struct exec *exec, uint64_t now_ns)
{
    bool any = true;

    assert(!exec->in_turn);
    exec->in_turn = true;
    exec->called = false;
    exec->now_ns = now_ns;
    exec->counters.turns++;
    probe_turn_begin(exec->config.hv->domid, now_ns);
    exec->held_back = false;
    serve_waiting(exec);
    for (uint32_t round = 0; any && round < ROUNDS_MAX; round++) {
        any = serve_seams(exec);
        any |= serve_devices(exec);
        any |= deliver_upcalls(exec);
    }
    exec_flush(exec);
    exec->in_turn = false;
    bool more = any || exec->held_back || exec->waiting_count > 0;
    probe_turn_end(exec->config.hv->domid, now_ns, more);
    return more;
}

struct step_out *exec_call(struct exec *exec, uint64_t now_ns)
{
    if (!exec->in_turn)
        exec->now_ns = now_ns;
    exec->out.now_ns = exec->now_ns;
    exec->out.count = 0;
    exec->out.more = false;
    return &exec->out;
}

void exec_call_was(struct exec *exec, const struct exec_call *call)
{
    bool bytes = call->call >= TRACE_CALL_SEND && call->ret > 0;

    exec->counters.calls++;
    probe_request(call->call, call->sock, call->bytes, call->ret);
    if (exec->config.vcpu) {
        vcpu_charge(exec->config.vcpu, COST_STEP, 1);
        vcpu_charge(exec->config.vcpu, COST_COPY_BYTE, bytes ? (uint64_t)call->ret : 0);
    }
    if (exec->config.trace)
        trace_put(exec->config.trace, &(struct trace_record){.now_ns = exec->now_ns,
                                                             .who = exec->config.hv->domid,
                                                             .point = TRACE_CALL,
                                                             .detail = call->call,
                                                             .token = call->sock,
                                                             .extra = call->bytes,
                                                             .value = (uint64_t)call->ret});
}

void exec_note(struct exec *exec, const struct trace_record *note)
{
    struct trace_record record = *note;

    record.now_ns = exec->now_ns;
    record.who = exec->config.hv->domid;
    trace_put(exec->config.trace, &record);
}

void exec_call_end(struct exec *exec, uint16_t device)
{
    exec->devices[device].more |= exec->out.more;
    enlist(exec, device);
    if (!exec->in_turn && (exec->out.count > 0 || exec->out.more))
        exec->called = true;
    exec_run(exec, device);
    if (!exec->in_turn)
        exec_flush(exec);
}

bool exec_called(const struct exec *exec)
{
    return exec->called;
}
