/* Counters by name. See metrics_counters.h. */
#include "sim/run/metrics_counters.h"

bool metrics_counters_is_peak(const char *name)
{
    size_t bytes = strlen(name);

    return bytes > 5 && strcmp(name + bytes - 5, "_peak") == 0;
}

static void add(struct metrics_counters *all, const char *name, enum metrics_counter_kind kind,
                uint64_t value)
{
    assert(all->count < METRICS_COUNTERS_MAX);
    assert((kind == METRICS_PEAK) == metrics_counters_is_peak(name));
    all->list[all->count++] = (struct metrics_counter){name, kind, value};
}

void metrics_counters_hv(struct metrics_counters *all, const struct hv_counters *hv)
{
    add(all, "notifications", METRICS_FLOW, hv->notifies);
    add(all, "wakeups", METRICS_FLOW, hv->wakeups);
    add(all, "shares", METRICS_FLOW, hv->shares);
    add(all, "maps", METRICS_FLOW, hv->maps);
    add(all, "ports_opened", METRICS_FLOW, hv->ports_opened);
    add(all, "grants_peak", METRICS_PEAK, hv->grants_peak);
    add(all, "ports_peak", METRICS_PEAK, hv->ports_peak);
    add(all, "grants_left", METRICS_LEVEL, hv->grants_now);
    add(all, "ports_left", METRICS_LEVEL, hv->ports_now);
    add(all, "mapped_pages_left", METRICS_LEVEL, hv->mapped_pages_now);
}

void metrics_counters_vcpu(struct metrics_counters *all, const struct vcpu_counters *vcpu)
{
#define X(constant, key, meaning) "cost." key "_ns",
    static const char *const names[] = {COST_ROWS(X)};
#undef X

    add(all, "cpu_busy_ns", METRICS_FLOW, vcpu->busy_ns);
    add(all, "cpu_switches", METRICS_FLOW, vcpu->switches);
    for (uint32_t row = 0; row < COST_ROWS_COUNT; row++)
        if (cost_of_cpu((enum cost_row)row))
            add(all, names[row], METRICS_FLOW, vcpu->cost_ns[row]);
}

void metrics_counters_exec(struct metrics_counters *all, const struct exec_counters *exec)
{
    add(all, "turns", METRICS_FLOW, exec->turns);
    add(all, "steps", METRICS_FLOW, exec->steps);
    add(all, "actions", METRICS_FLOW, exec->actions);
    add(all, "calls", METRICS_FLOW, exec->calls);
}

void metrics_counters_fe(struct metrics_counters *all, const struct fe_counters *fe)
{
    add(all, "requests", METRICS_FLOW, fe->requests);
    add(all, "responses", METRICS_FLOW, fe->responses);
    add(all, "request_waits", METRICS_FLOW, fe->request_waits);
    add(all, "sent_bytes", METRICS_FLOW, fe->sent_bytes);
    add(all, "received_bytes", METRICS_FLOW, fe->received_bytes);
    add(all, "copies", METRICS_FLOW, fe->copies);
    add(all, "room_waits", METRICS_FLOW, fe->room_waits);
    add(all, "peer_faults", METRICS_FLOW, fe->faults);
    add(all, "sockets_left", METRICS_LEVEL, fe->sockets_now);
}

void metrics_counters_be(struct metrics_counters *all, const struct be_counters *be)
{
    add(all, "requests", METRICS_FLOW, be->requests);
    add(all, "replies", METRICS_FLOW, be->replies);
    add(all, "refused", METRICS_FLOW, be->refused);
    add(all, "sent_bytes", METRICS_FLOW, be->sent_bytes);
    add(all, "received_bytes", METRICS_FLOW, be->received_bytes);
    add(all, "ring_full", METRICS_FLOW, be->ring_full);
    add(all, "peer_faults", METRICS_FLOW, be->faults);
    add(all, "sockets_peak", METRICS_PEAK, be->sockets_peak);
    add(all, "sockets_left", METRICS_LEVEL, be->sockets_now);
}

void metrics_counters_net(struct metrics_counters *all, const struct net_counters *net)
{
    add(all, "tcp_connects", METRICS_FLOW, net->connects);
    add(all, "tcp_accepts", METRICS_FLOW, net->accepts);
    add(all, "tcp_reads", METRICS_FLOW, net->reads);
    add(all, "tcp_writes", METRICS_FLOW, net->writes);
    add(all, "tcp_read_waits", METRICS_FLOW, net->read_waits);
    add(all, "tcp_write_waits", METRICS_FLOW, net->write_waits);
    add(all, "tcp_sockets_left", METRICS_LEVEL, net->sockets_now);
}

json_t *metrics_counters_json(const struct metrics_counters *from,
                              const struct metrics_counters *to)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < to->count; i++) {
        const struct metrics_counter *counter = &to->list[i];
        bool flow = counter->kind == METRICS_FLOW && i < from->count;
        uint64_t value = counter->value - (flow ? from->list[i].value : 0);
        if (json_object_set_new(object, counter->name, json_integer((json_int_t)value)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

void metrics_counters_stop(struct metrics_counters *all, const struct metrics_counters *end)
{
    for (uint32_t i = 0; i < all->count && i < end->count; i++)
        if (all->list[i].kind == METRICS_FLOW)
            all->list[i].value = end->list[i].value;
}

void metrics_counters_die(struct metrics_counters *all, const struct metrics_counters *from)
{
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->list[i].kind == METRICS_LEVEL)
            all->list[i].value = 0;
        else if (all->list[i].kind == METRICS_FLOW && i < from->count)
            all->list[i].value -= from->list[i].value;
    }
}

void metrics_counters_add(struct metrics_counters *sum, const struct metrics_counters *one)
{
    assert(sum->count == 0 || sum->count == one->count);
    if (sum->count == 0) {
        *sum = *one;
        return;
    }
    for (uint32_t i = 0; i < sum->count; i++) {
        uint64_t *value = &sum->list[i].value;
        if (sum->list[i].kind != METRICS_PEAK)
            *value += one->list[i].value;
        else if (*value < one->list[i].value)
            *value = one->list[i].value;
    }
}

const char *metrics_counters_leak(const struct metrics_counters *all)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (all->list[i].kind == METRICS_LEVEL && all->list[i].value != 0)
            return all->list[i].name;
    return NULL;
}
