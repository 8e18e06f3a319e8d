/* Machines over hv_mem, hv_virtual and hv_emu. See hv_worlds.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/hv_worlds.h"

#include "sim/hv/hv_mem.h"
#include "sim/hv/hv_virtual.h"
#include "tests/support/emu_pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static_assert((int)WORLD_BACK == (int)BACK && (int)WORLD_FRONT == (int)FRONT &&
                  (int)WORLD_THIRD == (int)THIRD && (int)WORLD_DOMAINS == EMU_MACHINE_DOMAINS,
              "domids");

/* --- both sides in one process --- */

static struct hv_mem *mem;
static struct hv *mem_domains[WORLD_DOMAINS];

static int mem_start(void **state)
{
    (void)state;
    mem = hv_mem_create(NULL);
    assert_non_null(mem);
    for (uint16_t d = 0; d < (uint16_t)WORLD_DOMAINS; d++)
        mem_domains[d] = hv_mem_domain(mem, d);
    return 0;
}

static void mem_kill(uint16_t domid)
{
    hv_close(mem_domains[domid]);
    mem_domains[domid] = NULL;
}

static int mem_stop(void **state)
{
    (void)state;
    for (uint16_t d = 0; d < (uint16_t)WORLD_DOMAINS; d++) {
        if (mem_domains[d])
            mem_kill(d);
    }
    hv_mem_destroy(mem);
    return 0;
}

static struct hv *mem_domain(uint16_t domid)
{
    return mem_domains[domid];
}

static void mem_act(uint16_t domid, void (*what)(struct hv *hv, void *with), void *with)
{
    what(mem_domains[domid], with);
}

static void mem_settle(void)
{
    /* nothing happens in the background */
}

static bool mem_next(uint16_t domid, struct ev *ev)
{
    return hv_next(mem_domains[domid], ev);
}

static const struct hypervisor *mem_tables(void)
{
    return hv_mem_tables(mem);
}

const struct hv_world hv_world_mem = {"memory",   mem_start, mem_stop, mem_domain, mem_act,
                                      mem_settle, mem_next,  mem_kill, mem_tables};

/* --- virtual time --- */

enum { SEEN_MAX = 64, COST_NS = 10 };

/* What a domain took in its turns, and its test has not asked for yet. */
struct virtual_domain {
    struct hv *hv;
    struct vcpu *vcpu;
    void (*what)(struct hv *hv, void *with);
    void *with;
    uint32_t first, count;
    struct ev seen[SEEN_MAX];
    uint32_t refs[SEEN_MAX][HV_REFS_MAX];
};

static struct {
    struct vclock *clock;
    struct costs costs;
    struct vcpus *vcpus;
    struct trace_sink sink;
    struct hv_virtual *machine;
    struct virtual_domain domains[WORLD_DOMAINS];
} virtual;

static void untraced(void *self, const struct trace_record *record)
{
    (void)self;
    (void)record;
}

static void see(struct virtual_domain *domain, const struct ev *ev)
{
    uint32_t slot = domain->count++ % SEEN_MAX;

    assert_true(domain->count - domain->first <= SEEN_MAX);
    domain->seen[slot] = *ev;
    if (ev->kind != EV_SHARE || ev->ret < 0)
        return;
    memcpy(domain->refs[slot], ev->share.refs, ev->share.area.pages * sizeof(uint32_t));
    domain->seen[slot].share.refs = domain->refs[slot];
}

static bool virtual_turn(void *self, uint64_t now_ns)
{
    struct virtual_domain *domain = self;
    void (*what)(struct hv * hv, void *with) = domain->what;
    struct ev ev;
    uint64_t due_ns;

    (void)now_ns;
    domain->what = NULL;
    if (what)
        what(domain->hv, domain->with);
    while (hv_next(domain->hv, &ev))
        see(domain, &ev);
    due_ns = hv_virtual_due_ns(domain->hv);
    if (due_ns != VCLOCK_NEVER)
        vcpu_wake(domain->vcpu, due_ns);
    return false;
}

static int virtual_start(void **state)
{
    (void)state;
    memset(&virtual, 0, sizeof(virtual));
    virtual.clock = vclock_create();
    for (uint32_t row = 0; row < COST_ROWS_COUNT; row++)
        virtual.costs.rows[row].low_ps = COST_NS * UINT64_C(1000);
    virtual.costs.slice_ns = VCLOCK_NEVER / 2;
    virtual.vcpus = vcpus_create(
        &(struct vcpus_config){virtual.clock, &virtual.costs, WORLD_DOMAINS, false});
    virtual.sink = (struct trace_sink){untraced, NULL};
    virtual.machine = hv_virtual_create(&(struct hv_virtual_config){.clock = virtual.clock,
                                                                    .costs = &virtual.costs,
                                                                    .trace = &virtual.sink,
                                                                    .pages = HV_MEM_PAGES});
    assert_non_null(virtual.machine);
    for (uint16_t d = 0; d < (uint16_t)WORLD_DOMAINS; d++) {
        struct virtual_domain *domain = &virtual.domains[d];

        domain->vcpu =
            vcpu_add(virtual.vcpus, &(struct vcpu_config){"domain", d, domain, virtual_turn});
        domain->hv = hv_virtual_domain(virtual.machine, d, domain->vcpu, d == WORLD_BACK);
    }
    return 0;
}

static void virtual_kill(uint16_t domid)
{
    hv_close(virtual.domains[domid].hv);
    virtual.domains[domid].hv = NULL;
}

static int virtual_stop(void **state)
{
    (void)state;
    for (uint16_t d = 0; d < (uint16_t)WORLD_DOMAINS; d++) {
        if (virtual.domains[d].hv)
            virtual_kill(d);
    }
    hv_virtual_destroy(virtual.machine);
    vcpus_destroy(virtual.vcpus);
    vclock_destroy(virtual.clock);
    return 0;
}

static struct hv *virtual_domain(uint16_t domid)
{
    return virtual.domains[domid].hv;
}

static void virtual_settle(void)
{
    while (vclock_step(virtual.clock))
        ;
}

static void virtual_act(uint16_t domid, void (*what)(struct hv *hv, void *with), void *with)
{
    struct virtual_domain *domain = &virtual.domains[domid];

    domain->what = what;
    domain->with = with;
    vcpu_wake(domain->vcpu, vclock_now_ns(virtual.clock));
    virtual_settle();
    assert_null(domain->what);
}

static bool virtual_next(uint16_t domid, struct ev *ev)
{
    struct virtual_domain *domain = &virtual.domains[domid];

    virtual_settle();
    if (domain->first == domain->count)
        return false;
    *ev = domain->seen[domain->first++ % SEEN_MAX];
    return true;
}

static const struct hypervisor *virtual_tables(void)
{
    return hv_virtual_tables(virtual.machine);
}

const struct hv_world hv_world_virtual = {"virtual",      virtual_start, virtual_stop,
                                          virtual_domain, virtual_act,   virtual_settle,
                                          virtual_next,   virtual_kill,  virtual_tables};

/* --- descriptors and a hypervisor --- */

static struct hv *emu_domain(uint16_t domid)
{
    return emu_pair.domains[domid];
}

static void emu_act(uint16_t domid, void (*what)(struct hv *hv, void *with), void *with)
{
    what(emu_pair.domains[domid], with);
}

static void emu_settle(void)
{
    emu_machine_settle(&emu_pair);
}

static bool emu_next(uint16_t domid, struct ev *ev)
{
    emu_machine_settle(&emu_pair);
    return hv_next(emu_pair.domains[domid], ev);
}

static void emu_kill(uint16_t domid)
{
    hv_close(emu_pair.domains[domid]);
    emu_pair.domains[domid] = NULL;
    emu_machine_settle(&emu_pair); /* the hypervisor hears of it */
}

static const struct hypervisor *emu_tables(void)
{
    return emu_server_tables(emu_pair.server);
}

const struct hv_world hv_world_emu = {"processes", emu_pair_make, emu_pair_unmake,
                                      emu_domain,  emu_act,       emu_settle,
                                      emu_next,    emu_kill,      emu_tables};
