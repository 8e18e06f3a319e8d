/*
 * One action, one call on a seam. Builds store paths; turns spans into addresses.
 * See exec.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/run/exec_private.h"
#include "sim/run/probe.h"

/* Room for one more element of a list that only grows: no allocation once warm. */
static void *grow(void *list, uint32_t count, uint32_t *room, size_t element_bytes)
{
    if (count < *room)
        return list;
    *room = *room ? *room * 2 : 64;
    list = realloc(list, *room * element_bytes);
    assert(list); /* a process out of memory at this point has nothing to fall back to */
    return list;
}

void exec_capture(struct exec *exec, uint64_t token, uint32_t port, enum capture_moved moved)
{
    const struct exec_core *core = &exec->devices[step_device(token)].core;
    bool data = step_slot(token) != STEP_SLOT_DEVICE;

    if (core->capture)
        capture_put(core->capture, &(struct capture_packet){
                                       .kind = CAPTURE_NOTIFY,
                                       .moved = (uint8_t)moved,
                                       .ring = data ? CAPTURE_DATA : CAPTURE_COMMANDS,
                                       .index = port,
                                       .sockid = data ? core->wire_id(core->core, token) : 0});
}

/* The one place that notifies, so that a capture has as many as the hypervisor counts. */
static void notify_now(struct exec *exec, uint64_t token, uint32_t port)
{
    exec_capture(exec, token, port, CAPTURE_PUBLISHED);
    probe_notify(exec->config.hv->domid, token, port);
    hv_notify(exec->config.hv, port);
}

static void notify(struct exec *exec, const struct act *act)
{
    struct exec_channel *channel = exec_channel(exec, act->token);

    if (exec->config.notify == EXEC_NOTIFY_IMMEDIATE) {
        notify_now(exec, act->token, act->port.port);
        return;
    }
    if (channel->marked)
        return;
    channel->marked = true;
    exec->marks = grow(exec->marks, exec->mark_count, &exec->mark_room, sizeof(exec->marks[0]));
    exec->marks[exec->mark_count++] = act->token;
}

void exec_flush(struct exec *exec)
{
    for (uint32_t i = 0; i < exec->mark_count; i++) {
        if (!exec->devices[step_device(exec->marks[i])].used)
            continue;
        struct exec_channel *channel = exec_channel(exec, exec->marks[i]);
        if (!channel->marked) /* closed meanwhile, and notified then */
            continue;
        channel->marked = false;
        notify_now(exec, exec->marks[i], channel->port);
    }
    exec->mark_count = 0;
}

/* The peer must still hear of index changes made before the port goes. */
static void port_close(struct exec *exec, const struct act *act)
{
    struct exec_channel *channel = exec_channel(exec, act->token);

    if (channel->marked)
        notify_now(exec, act->token, channel->port);
    channel->marked = false;
    hv_port_close(exec->config.hv, act->token, act->port.port);
}

static void upcall(struct exec *exec, const struct act *act)
{
    if (act->kind == ACT_DONE)
        probe_response(act->done.call, act->done.sock, act->done.ret);
    exec->upcalls =
        grow(exec->upcalls, exec->upcall_count, &exec->upcall_room, sizeof(exec->upcalls[0]));
    exec->upcalls[exec->upcall_count++] = *act;
}

static const char *key_name(const struct exec_core *core, enum dialect_key key)
{
    return key < DIALECT_KEYS ? core->dialect->keys[key] : NULL;
}

/* `<side>/<key>`; for a listing `<side>` or `<side>/<domid>`. */
static void store_path(const struct exec_core *core, const struct act_store *store, char *path)
{
    const char *side = store->side == STEP_OWN ? core->own : core->other;
    const char *key = key_name(core, store->key);
    int written;

    if (key)
        written = snprintf(path, HV_PATH_BYTES, "%s/%s", side, key);
    else if (store->domid == STEP_DOMID_ALL)
        written = snprintf(path, HV_PATH_BYTES, "%s", side);
    else
        written = snprintf(path, HV_PATH_BYTES, "%s/%u", side, (unsigned)store->domid);
    assert(written > 0 && written < HV_PATH_BYTES);
}

static void store(struct exec *exec, const struct exec_core *core, const struct act *act)
{
    struct hv_tag tag = {act->store.side, act->store.key, act->store.domid};
    char path[HV_PATH_BYTES];

    store_path(core, &act->store, path);
    if (act->kind == ACT_STORE_READ)
        hv_store_read(exec->config.hv, act->token, &tag, path);
    else if (act->kind == ACT_STORE_LIST)
        hv_store_list(exec->config.hv, act->token, &tag, path);
    else
        hv_store_watch(exec->config.hv, act->token, &tag, path);
}

static void publish(struct exec *exec, const struct exec_core *core, const struct act *act)
{
    struct hv_node nodes[HV_PUBLISH_MAX];

    assert(act->publish.count <= HV_PUBLISH_MAX);
    memset(nodes, 0, act->publish.count * sizeof(nodes[0])); /* they leave the process whole */
    for (uint32_t i = 0; i < act->publish.count; i++) {
        const struct step_node *node = &act->publish.nodes[i];
        store_path(core, &(struct act_store){STEP_OWN, node->key, 0}, nodes[i].path);
        memcpy(nodes[i].value, node->value, sizeof(nodes[i].value));
    }
    hv_store_publish(exec->config.hv, act->token, nodes, act->publish.count);
}

static void io(struct exec *exec, const struct act *act)
{
    struct shared_iov iov[2];
    uint32_t count =
        shared_spans(&exec_channel(exec, act->token)->area, act->io.spans, act->io.count, iov);

    if (act->kind == ACT_NET_READ) {
        probe_net_read(act->token, act->io.spans[0].length, act->io.count);
        net_read(exec->config.net, act->token, iov, count);
    } else {
        probe_net_write(act->token, act->io.spans[0].length, act->io.count);
        net_write(exec->config.net, act->token, iov, count);
    }
}

static uint32_t last_run(struct exec_channel *channel)
{
    assert(channel->runs > 0);
    return channel->handles[--channel->runs];
}

static void run_hv(struct exec *exec, const struct act *act)
{
    struct hv *hv = exec->config.hv;
    struct exec_channel *channel = exec_channel(exec, act->token);

    switch (act->kind) {
    case ACT_SHARE: hv_share(hv, act->token, act->share.domid, act->share.pages); return;
    case ACT_UNSHARE: hv_unshare(hv, act->token, last_run(channel)); return;
    case ACT_MAP: hv_map(hv, act->token, act->map.domid, act->map.refs, act->map.count); return;
    case ACT_UNMAP: hv_unmap(hv, act->token, last_run(channel)); return;
    case ACT_PORT_ALLOC: hv_port_alloc(hv, act->token, act->port.domid); return;
    case ACT_PORT_BIND: hv_port_bind(hv, act->token, act->port.domid, act->port.port); return;
    case ACT_PORT_CLOSE: port_close(exec, act); return;
    default: assert(!"not a hypervisor's action");
    }
}

static void run_net(struct exec *exec, const struct act *act)
{
    struct net *net = exec->config.net;

    switch (act->kind) {
    case ACT_NET_CONNECT: net_connect(net, act->token, &act->net.addr); return;
    case ACT_NET_BIND: net_bind(net, act->token, &act->net.addr); return;
    case ACT_NET_LISTEN: net_listen(net, act->token, act->net.backlog); return;
    case ACT_NET_ACCEPT: net_accept(net, act->token, act->net.listener); return;
    case ACT_NET_POLL: net_poll(net, act->token, act->net.listener); return;
    case ACT_NET_READ:
    case ACT_NET_WRITE: io(exec, act); return;
    case ACT_NET_CLOSE: net_close(net, act->token); return;
    default: assert(!"not a socket's action");
    }
}

static void run_store(struct exec *exec, const struct exec_core *core, const struct act *act)
{
    if (act->kind == ACT_STORE_PUBLISH)
        publish(exec, core, act);
    else if (act->kind == ACT_STORE_UNWATCH)
        hv_store_unwatch(exec->config.hv, act->token);
    else
        store(exec, core, act);
}

/* What the trace has of an action beside its kind and token: see TRACE_POINTS. */
static void describe(const struct act *act, struct trace_record *record)
{
    if (act->kind == ACT_SHARE) {
        record->extra = act->share.pages;
    } else if (act->kind == ACT_MAP) {
        record->extra = act->map.count;
    } else if (act->kind == ACT_PORT_BIND || act->kind == ACT_PORT_CLOSE ||
               act->kind == ACT_NOTIFY) {
        record->extra = act->port.port;
    } else if (act->kind == ACT_NET_READ || act->kind == ACT_NET_WRITE) {
        for (uint32_t i = 0; i < act->io.count; i++)
            record->value += act->io.spans[i].length;
    } else if (act->kind == ACT_FAULT) {
        record->extra = (uint32_t)act->fault.reason;
        record->value = (uint64_t)act->fault.index << 32 | act->fault.value;
    } else if (act->kind == ACT_DONE) {
        record->token = act->done.sock;
        record->extra = (uint32_t)act->done.call;
        record->value = (uint64_t)(int64_t)act->done.ret;
    } else if (act->kind == ACT_READABLE || act->kind == ACT_WRITABLE) {
        record->token = act->done.sock;
    }
}

static void trace_act(struct exec *exec, const struct act *act)
{
    struct trace_record record = {.now_ns = exec->now_ns,
                                  .who = exec->config.hv->domid,
                                  .point = TRACE_ACTION,
                                  .detail = (uint8_t)act->kind,
                                  .token = act->token};

    describe(act, &record);
    trace_put(exec->config.trace, &record);
}

static void run(struct exec *exec, struct exec_device *device, const struct act *act)
{
    if (exec->config.trace)
        trace_act(exec, act);
    if (act->kind >= ACT_NET_CONNECT && act->kind <= ACT_NET_CLOSE)
        run_net(exec, act);
    else if (act->kind >= ACT_STORE_READ && act->kind <= ACT_STORE_UNWATCH)
        run_store(exec, &device->core, act);
    else if (act->kind <= ACT_PORT_CLOSE)
        run_hv(exec, act);
    else if (act->kind == ACT_NOTIFY)
        notify(exec, act);
    else if (act->kind != ACT_FAULT && act->kind != ACT_TRACE)
        upcall(exec, act);
    else if (device->core.observe)
        device->core.observe(device->core.self, act);
    device->in_flight += act->kind < ACT_NOTIFY ? 1u : 0u;
}

void exec_run(struct exec *exec, uint16_t index)
{
    exec->counters.actions += exec->out.count;
    for (uint32_t i = 0; i < exec->out.count; i++)
        run(exec, &exec->devices[index], &exec->out.acts[i]);
    exec->out.count = 0;
}
