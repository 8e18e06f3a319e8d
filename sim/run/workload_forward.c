/*
 * Workloads of kind `forward`: connections of programs that know nothing of the protocol, carried
 * through the guest's sockets by forward.h, and counted here.
 *
 * It opens nothing itself and compares nothing: whoever talks through it does. Each has a forward
 * of one rule and a socket seam of its own; of the frontend's upcalls it takes those of its
 * sockets. Invariant: sent, received, connections and operations are the forward's, as of its last
 * turn.
 */
#include "sim/run/workload_private.h"

static void sync_counts(struct wl *wl)
{
    const struct forward_counters *counters = forward_counters(wl->forward);
    uint64_t ended = counters->accepted - counters->now;

    if (wl->stopped)
        return;
    wl->sent = counters->up_bytes;
    wl->received = counters->down_bytes;
    wl->connections = counters->accepted;
    wl->connected = counters->joined;
    wl->operations = ended - counters->refused;
    if (wl->spec->accepts != 0 && ended >= wl->spec->accepts)
        workload_finish(wl);
}

struct forward_counters workload_forward_counters(const struct wl *wl)
{
    return wl->forward && !wl->stopped ? *forward_counters(wl->forward) : wl->counters;
}

static void keep_counters(struct wl *wl)
{
    if (!wl->stopped)
        wl->counters = *forward_counters(wl->forward);
    wl->stopped = true;
}

static void stop(struct wl *wl, bool reset)
{
    keep_counters(wl);
    forward_stop(wl->forward, reset);
}

static void cannot_listen(struct wl *wl, int32_t ret)
{
    wl->bind_error = ret;
    workload_fail(wl, "listen on", ret);
    wl->listening = true; /* nobody has to wait for it any more */
    workload_finish(wl);
}

static void listening(void *self, uint32_t rule, int32_t ret)
{
    struct wl *wl = self;

    (void)rule;
    wl->listening = true;
    if (ret < 0 && !wl->finished)
        cannot_listen(wl, ret);
}

bool workload_forward_make(struct wl *wl)
{
    const struct workload_env *env = &wl->set->env;
    const struct scenario_workload *spec = wl->spec;
    bool local = spec->listen_at == SCENARIO_SIDE_GUEST;

    wl->rule = (struct forward_rule){.kind = local ? FORWARD_LOCAL : FORWARD_REMOTE,
                                     .listen = spec->listen.addr,
                                     .target = env->scenario->peers[spec->peer].addr.addr};
    if (!policy_allows(env->policy, local ? &wl->rule.listen : &wl->rule.target))
        return true; /* told at the start */
    wl->net = env->open_net(env->self, wl->index);
    if (wl->net)
        wl->forward = forward_create(&(struct forward_config){.exec = env->exec,
                                                              .fe = env->fe,
                                                              .device = env->device,
                                                              .net = wl->net,
                                                              .rules = &wl->rule,
                                                              .rule_count = 1,
                                                              .max_connections = spec->connections,
                                                              .sockets = env->max_sockets,
                                                              .hold_ns = spec->hold_ns,
                                                              .self = wl,
                                                              .listening = listening});
    return wl->forward != NULL;
}

void workload_forward_free(struct wl *wl)
{
    if (wl->net)
        net_destroy(wl->net);
    if (wl->forward)
        forward_destroy(wl->forward);
}

static void forward_start(struct wl *wl)
{
    if (wl->forward)
        return; /* it has begun with the device */
    if (wl->rule.kind == FORWARD_LOCAL) {
        cannot_listen(wl, -ERR_ACCES);
        return;
    }
    workload_fail(wl, "connect beside the guest for who comes to", -ERR_ACCES);
    wl->listening = true;
    workload_finish(wl);
}

static void forward_nothing(struct wl *wl)
{
    (void)wl; /* it hears of its device by itself */
}

/* Who is there has some time to end by itself. */
static void forward_drain(struct wl *wl)
{
    if (wl->forward && forward_counters(wl->forward)->now == 0)
        stop(wl, false);
}

void workload_forward_cut(struct wl *wl)
{
    if (wl->forward)
        stop(wl, true);
}

void workload_forward_abandon(struct workload_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct wl *wl = &set->wls[i];
        if (!wl->net)
            continue;
        keep_counters(wl);
        net_destroy(wl->net);
        wl->net = NULL;
    }
}

void workload_each_net(struct workload_set *set, void (*each)(struct net *net))
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->wls[i].net)
            each(set->wls[i].net);
}

bool workload_forwards(const struct workload_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->wls[i].forward && !forward_over(set->wls[i].forward))
            return true;
    return false;
}

bool workload_forward_upcall(struct workload_set *set, const struct act *act)
{
    bool device = act->kind == ACT_UP || act->kind == ACT_GONE, theirs = false;

    for (uint32_t i = 0; i < set->count; i++) {
        struct wl *wl = &set->wls[i];
        bool owns = wl->forward && (device || forward_owns(wl->forward, act->done.sock));
        if (!owns)
            continue;
        forward_upcall(wl->forward, act);
        sync_counts(wl);
        theirs = !device;
    }
    return theirs;
}

uint64_t workload_forward_turned(struct workload_set *set)
{
    uint64_t due_ns = STEP_NEVER;

    for (uint32_t i = 0; i < set->count; i++) {
        struct wl *wl = &set->wls[i];
        if (!wl->forward)
            continue;
        uint64_t next_ns = forward_turned(wl->forward, set->now_ns);
        due_ns = next_ns < due_ns ? next_ns : due_ns;
        sync_counts(wl);
        if (set->phase == WORKLOAD_DRAIN && !wl->stopped)
            forward_drain(wl);
    }
    return due_ns;
}

const struct workload_kind workload_forward = {.start = forward_start,
                                               .gone = forward_nothing,
                                               .resume = forward_nothing,
                                               .drain = forward_drain};
