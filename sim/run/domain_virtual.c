/* A domain in virtual time. See domain_virtual.h. */
#include "sim/run/domain_virtual.h"

#include <stdlib.h>

enum { ARMED_MAX = 8 };

struct domain_virtual {
    struct domain_virtual_config config;
    struct vcpu *vcpu;
    struct hv *hv;
    struct net *net;
    struct exec *exec;
    uint64_t armed_ns[ARMED_MAX]; /* our wake-ups still to come, the earliest last */
    uint32_t armed;
};

/* Have the vCPU woken at that time, unless it is to be woken before. A wake-up cannot be taken
 * back, so what is armed for later is remembered: else the end of a long run would be armed anew
 * after every shorter wait. */
static void arm(struct domain_virtual *domain, uint64_t due_ns)
{
    uint64_t now_ns = vclock_now_ns(domain->config.clock);

    while (domain->armed > 0 && domain->armed_ns[domain->armed - 1] <= now_ns)
        domain->armed--;
    if (due_ns == STEP_NEVER ||
        (domain->armed > 0 && domain->armed_ns[domain->armed - 1] <= due_ns))
        return;
    domain->armed -= domain->armed == ARMED_MAX ? 1u : 0u; /* forgotten: one turn too many */
    domain->armed_ns[domain->armed++] = due_ns;
    vcpu_wake(domain->vcpu, due_ns);
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static void trace_turn(const struct domain_virtual *domain, uint64_t now_ns, uint64_t steps)
{
    trace_put(domain->config.trace,
              &(struct trace_record){.now_ns = now_ns,
                                     .who = domain->config.domid,
                                     .point = TRACE_TURN,
                                     .extra = (uint32_t)steps,
                                     .value = vcpu_now_ns(domain->vcpu) - now_ns});
}

static bool run(void *self, uint64_t now_ns)
{
    struct domain_virtual *domain = self;
    uint64_t steps = exec_counters(domain->exec)->steps;

    vcpu_charge(domain->vcpu, COST_TURN, 1);
    bool more = exec_turn(domain->exec, now_ns);
    uint64_t due_ns = domain->config.turned(domain->config.self, now_ns);
    trace_turn(domain, now_ns, exec_counters(domain->exec)->steps - steps);
    due_ns = earlier(due_ns, exec_deadline_ns(domain->exec));
    due_ns = earlier(due_ns, hv_virtual_due_ns(domain->hv));
    if (more || exec_called(domain->exec) || due_ns <= now_ns)
        return true;
    arm(domain, due_ns);
    return false;
}

struct domain_virtual *domain_virtual_open(const struct domain_virtual_config *config)
{
    struct domain_virtual *domain = calloc(1, sizeof(*domain));

    assert(domain);
    domain->config = *config;
    const struct vcpu_config vcpu = {
        .name = config->name, .cpu = config->cpu, .self = domain, .run = run};
    domain->vcpu = vcpu_add(config->vcpus, &vcpu);
    const struct net_virtual_host_config host = {
        .name = config->name, .who = config->domid, .vcpu = domain->vcpu};
    domain->net = config->host;
    if (config->host)
        net_virtual_reborn(config->host, domain->vcpu);
    else if (config->world)
        domain->net = net_virtual_host(config->world, &host);
    domain->hv =
        hv_virtual_domain(config->machine, config->domid, domain->vcpu, config->world != NULL);
    const struct exec_config exec = {.hv = domain->hv,
                                     .net = domain->net,
                                     .notify = config->notify,
                                     .max_devices = config->max_devices,
                                     .share = EXEC_SHARE,
                                     .trace = config->trace,
                                     .vcpu = domain->vcpu};
    domain->exec = exec_create(&exec);
    assert(domain->exec);
    domain->config.name = NULL;
    return domain;
}

static void leave(struct domain_virtual *domain)
{
    exec_destroy(domain->exec);
    hv_close(domain->hv);
    free(domain);
}

void domain_virtual_close(struct domain_virtual *domain)
{
    vcpu_retire(domain->vcpu);
    if (domain->net)
        net_destroy(domain->net);
    leave(domain);
}

struct net *domain_virtual_kill(struct domain_virtual *domain)
{
    struct net *host = domain->net;

    vcpu_retire(domain->vcpu);
    if (host)
        net_virtual_died(host);
    leave(domain);
    return host;
}

struct exec *domain_virtual_exec(struct domain_virtual *domain)
{
    return domain->exec;
}

struct hv *domain_virtual_hv(struct domain_virtual *domain)
{
    return domain->hv;
}

struct net *domain_virtual_net(struct domain_virtual *domain)
{
    return domain->net;
}

struct vcpu *domain_virtual_vcpu(struct domain_virtual *domain)
{
    return domain->vcpu;
}

void domain_virtual_kick(struct domain_virtual *domain)
{
    vcpu_wake(domain->vcpu, vclock_now_ns(domain->config.clock));
}
