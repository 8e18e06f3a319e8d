/*
 * hv_mem in virtual time. See hv_virtual.h.
 *
 * A notification is two events of the clock: the send takes effect, and it arrives. Each names its
 * port so that a later one of the same number is not taken for it, and looks whether that is there.
 */
#include "sim/hv/hv_virtual.h"

#include "ringlib/err.h"

#include <stdlib.h>
#include <string.h>

enum { DOMAINS_MAX = UINT16_MAX + 1 };

/* A port as the receiver of notifications; by its number. */
struct port {
    uint64_t signal; /* the latest port of this number, and whether one is under way to it */
    bool under_way;
    struct hv_virtual_signal last;
};

struct domain {
    struct hv_virtual *machine;
    struct vcpu *vcpu;
    uint16_t domid;
    bool backend;
    uint64_t delay_ns;
    uint64_t store_ns; /* when the last that xenstore said is due */
    struct port *ports;
    uint32_t port_count;
    struct domain *before; /* of this domid, dead: what is under way to it names it still */
};

struct hv_virtual {
    struct hv_virtual_config config;
    struct hv_mem *mem;
    struct hv_mem_time time;
    uint32_t domains_end; /* above the largest domid there was */
    struct domain *domains[DOMAINS_MAX];
};

static uint64_t now_ns(void *self, uint16_t domid)
{
    const struct hv_virtual *machine = self;

    return vcpu_horizon_ns(machine->domains[domid]->vcpu);
}

static void spend(void *self, uint16_t domid, enum ev_kind kind, uint32_t pages)
{
    const struct hv_virtual *machine = self;
    const struct domain *domain = machine->domains[domid];
    struct vcpu *vcpu = domain->vcpu;

    if (kind == EV_SHARE)
        vcpu_charge(vcpu, COST_SHARE_PAGE, pages);
    else if (kind == EV_UNSHARE)
        vcpu_charge(vcpu, COST_UNSHARE_PAGE, pages);
    else
        vcpu_charge(vcpu, domain->backend ? COST_HYPERCALL_BACK : COST_HYPERCALL_FRONT, 1);
    if (kind == EV_MAP)
        vcpu_charge(vcpu, COST_MAP_PAGE, pages);
    else if (kind == EV_UNMAP)
        vcpu_charge(vcpu, COST_UNMAP_PAGE, pages);
}

static bool is_store(enum ev_kind kind)
{
    return (kind >= EV_STORE_READ && kind <= EV_STORE_UNWATCH) || kind == EV_STORE;
}

/* What xenstore says to a domain comes in the order in which it is said. */
static uint64_t due_ns(void *self, uint16_t domid, uint16_t by, enum ev_kind kind)
{
    const struct hv_virtual *machine = self;
    struct domain *domain = machine->domains[domid];
    uint64_t at_ns = vcpu_now_ns(machine->domains[by]->vcpu);

    if (!is_store(kind))
        return at_ns;
    at_ns += vcpu_draw_ns(domain->vcpu, COST_STORE_REQUEST);
    if (at_ns > domain->store_ns)
        domain->store_ns = at_ns;
    return domain->store_ns;
}

static void arrived(void *self, uint16_t domid, uint64_t at_ns)
{
    const struct hv_virtual *machine = self;

    vcpu_wake(machine->domains[domid]->vcpu, at_ns);
}

/* ---- notifications ---- */

static struct port *port_of(struct domain *domain, uint64_t signal)
{
    uint32_t number = hv_mem_signal_port(signal);

    if (number >= domain->port_count) {
        uint32_t count = domain->port_count ? domain->port_count : 16;
        while (count <= number)
            count *= 2;
        domain->ports = realloc(domain->ports, count * sizeof(domain->ports[0]));
        assert(domain->ports);
        memset(domain->ports + domain->port_count, 0,
               (count - domain->port_count) * sizeof(domain->ports[0]));
        domain->port_count = count;
    }
    struct port *port = &domain->ports[number];
    if (port->signal != signal)
        *port = (struct port){.signal = signal};
    return port;
}

/* Whether the port a signal names is there. One that died had ports of the same numbers and serials
 * as who came after it. */
static bool is_live(const struct domain *domain, uint64_t signal, bool *raised)
{
    const struct hv_virtual *machine = domain->machine;

    *raised = false;
    return machine->domains[domain->domid] == domain &&
           hv_mem_signal_live(machine->mem, domain->domid, signal, raised);
}

static void on_arrival(void *self, uint64_t signal)
{
    struct domain *domain = self;
    struct hv_virtual *machine = domain->machine;
    struct port *port = &domain->ports[hv_mem_signal_port(signal)];
    uint64_t at_ns = vclock_now_ns(machine->config.clock);
    bool raised;

    if (!is_live(domain, signal, &raised))
        return; /* closed meanwhile, and perhaps its number given again */
    port->under_way = false;
    port->last.arrived_ns = at_ns;
    hv_mem_raise(machine->mem, domain->domid, signal);
    vcpu_wake(domain->vcpu, at_ns);
    trace_put(machine->config.trace, &(struct trace_record){.now_ns = at_ns,
                                                            .who = domain->domid,
                                                            .point = TRACE_WAKE,
                                                            .extra = hv_mem_signal_port(signal)});
}

/* From the send to the handler, by what the receiver does at the moment. */
static uint64_t delivery_ns(const struct domain *domain)
{
    const struct costs *costs = domain->machine->config.costs;
    struct vcpu *vcpu = domain->vcpu;
    uint64_t idle_ns, wake_ns = 0;
    enum vcpu_state state = vcpu_state(vcpu, &idle_ns);

    if (state == VCPU_RUNNING)
        return vcpu_draw_ns(vcpu, COST_DELIVER_RUNNING);
    if (domain->backend)
        wake_ns = vcpu_draw_ns(vcpu, COST_WAKE_BACKEND);
    if (state == VCPU_CONTENDED) {
        wake_ns += vcpu_draw_ns(vcpu, COST_DELIVER_RUNNING); /* one draw after the other */
        return wake_ns + vcpu_draw_ns(vcpu, COST_DELIVER_CONTENDED);
    }
    return wake_ns + vcpu_draw_ns(vcpu, idle_ns >= costs->asleep_after_ns   ? COST_DELIVER_ASLEEP
                                        : idle_ns >= costs->dozing_after_ns ? COST_DELIVER_DOZING
                                                                            : COST_DELIVER_IDLE);
}

/* The send takes effect. */
static void on_sent(void *self, uint64_t signal)
{
    struct domain *domain = self;
    struct hv_virtual *machine = domain->machine;
    struct trace_record record = {.now_ns = vclock_now_ns(machine->config.clock),
                                  .who = domain->domid,
                                  .point = TRACE_NOTIFY,
                                  .detail = TRACE_FATE_UNBOUND,
                                  .extra = hv_mem_signal_port(signal)};
    bool raised;

    if (is_live(domain, signal, &raised)) {
        struct port *port = port_of(domain, signal);
        record.detail = raised || port->under_way ? TRACE_FATE_COALESCED : TRACE_FATE_SENT;
        port->last = (struct hv_virtual_signal){.sent_ns = record.now_ns,
                                                .fate = (enum trace_fate)record.detail,
                                                .count = port->last.count + 1};
        if (record.detail == TRACE_FATE_SENT) {
            port->under_way = true;
            record.value = delivery_ns(domain) + domain->delay_ns;
            vclock_at(machine->config.clock, record.now_ns + record.value,
                      &(struct vclock_event){on_arrival, domain, signal});
        }
    }
    trace_put(machine->config.trace, &record);
}

static void notify(void *self, uint16_t domid, uint16_t to, uint64_t signal)
{
    const struct hv_virtual *machine = self;
    struct vcpu *sender = machine->domains[domid]->vcpu;
    uint64_t at_ns = vcpu_now_ns(sender); /* the delivery contains what the send costs */

    vcpu_charge(sender, COST_NOTIFY, 1);
    vclock_at(machine->config.clock, at_ns,
              &(struct vclock_event){on_sent, machine->domains[to], signal});
}

/* ---- the machine ---- */

struct hv_virtual *hv_virtual_create(const struct hv_virtual_config *config)
{
    struct hv_virtual *machine = calloc(1, sizeof(*machine));

    assert(machine);
    machine->config = *config;
    machine->mem = hv_mem_create_pages(&config->limits, config->pages);
    if (!machine->mem) {
        free(machine);
        return NULL;
    }
    machine->time = (struct hv_mem_time){.self = machine,
                                         .spend = spend,
                                         .due_ns = due_ns,
                                         .now_ns = now_ns,
                                         .notify = notify,
                                         .arrived = arrived};
    hv_mem_set_time(machine->mem, &machine->time);
    return machine;
}

void hv_virtual_destroy(struct hv_virtual *machine)
{
    hv_mem_destroy(machine->mem);
    for (uint32_t domid = 0; domid < machine->domains_end; domid++) {
        while (machine->domains[domid]) {
            struct domain *domain = machine->domains[domid];
            machine->domains[domid] = domain->before;
            free(domain->ports);
            free(domain);
        }
    }
    free(machine);
}

struct hv *hv_virtual_domain(struct hv_virtual *machine, uint16_t domid, struct vcpu *vcpu,
                             bool backend)
{
    struct domain *domain = calloc(1, sizeof(*domain));

    assert(domain);
    *domain = (struct domain){.machine = machine,
                              .vcpu = vcpu,
                              .domid = domid,
                              .backend = backend,
                              .before = machine->domains[domid]};
    machine->domains[domid] = domain;
    if (domid >= machine->domains_end)
        machine->domains_end = domid + 1u;
    struct hv *hv = hv_mem_domain(machine->mem, domid);
    assert(hv);
    return hv;
}

struct hypervisor *hv_virtual_tables(struct hv_virtual *machine)
{
    return hv_mem_tables(machine->mem);
}

uint64_t hv_virtual_due_ns(struct hv *hv)
{
    return hv_mem_due_ns(hv);
}

void hv_virtual_delay(struct hv_virtual *machine, uint16_t domid, uint64_t delay_ns)
{
    machine->domains[domid]->delay_ns = delay_ns;
}

bool hv_virtual_last_signal(const struct hv_virtual *machine, uint16_t domid, uint32_t number,
                            struct hv_virtual_signal *signal)
{
    const struct domain *domain = machine->domains[domid];
    const struct port *port = domain && number < domain->port_count ? &domain->ports[number] : NULL;
    bool waiting;

    if (!port || port->last.count == 0 ||
        !hv_mem_signal_live(machine->mem, domid, port->signal, &waiting))
        return false;
    *signal = port->last;
    signal->waiting = waiting;
    return true;
}
