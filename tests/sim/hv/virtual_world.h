/* What the tests of hv_virtual share: a backend's domain on a CPU of its own and a guest's, which
 * take in their turns what is due and note when. All costs are constants, so every time is exact.
 */
#ifndef XENSOCK_TESTS_SIM_HV_VIRTUAL_WORLD_H
#define XENSOCK_TESTS_SIM_HV_VIRTUAL_WORLD_H

#include "ringlib/err.h"
#include "sim/hv/hv_virtual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    BACK = 0,
    FRONT = 5,
    PARTIES = 2,
    SEEN_MAX = 64,
    TRACED_MAX = 256,
    TOKEN = 100,
    PAGES = 4,
    PORTS = 8
};
enum { STEP_NS = 50, STORE_NS = 700, DOZING_NS = 10000, ASLEEP_NS = 100000 };

/* What a model says of each row, in ns; those that are not named cost nothing. */
static const uint32_t row_ns[COST_ROWS_COUNT] = {
    [COST_NOTIFY] = 11,          [COST_DELIVER_RUNNING] = 100,    [COST_DELIVER_IDLE] = 200,
    [COST_DELIVER_DOZING] = 300, [COST_DELIVER_ASLEEP] = 400,     [COST_DELIVER_CONTENDED] = 5000,
    [COST_WAKE_BACKEND] = 1000,  [COST_HYPERCALL_FRONT] = 10,     [COST_HYPERCALL_BACK] = 20,
    [COST_SHARE_PAGE] = 3,       [COST_UNSHARE_PAGE] = 4,         [COST_MAP_PAGE] = 5,
    [COST_UNMAP_PAGE] = 6,       [COST_STORE_REQUEST] = STORE_NS, [COST_STEP] = STEP_NS,
};

struct seen {
    uint64_t at_ns;
    struct ev ev;
};

/* A domain: in its turn it does what the test wants, once, and takes what is due. */
struct party {
    struct world *world;
    struct hv *hv;
    struct vcpu *vcpu;
    void (*turn)(struct party *party);
    bool keeps_masked;
    uint32_t port; /* of the channel between the two */
    struct ev_share share;
    uint32_t refs[PAGES];
    struct seen seen[SEEN_MAX];
    uint32_t first, count;
};

struct world {
    struct vclock *clock;
    struct costs costs;
    struct vcpus *vcpus;
    struct hv_virtual *machine;
    struct vcpu *other; /* shares the front's CPU */
    struct trace_sink sink;
    struct trace_record traced[TRACED_MAX];
    uint32_t traced_count;
    struct party back, front;
};

static inline void on_trace(void *self, const struct trace_record *record)
{
    struct world *world = self;

    assert_in_range(world->traced_count, 0, TRACED_MAX - 1);
    world->traced[world->traced_count++] = *record;
}

static inline bool run(void *self, uint64_t now_ns)
{
    struct party *party = self;
    void (*turn)(struct party * party) = party->turn;
    struct ev ev;

    party->turn = NULL;
    if (turn)
        turn(party);
    while (hv_next(party->hv, &ev)) {
        assert_in_range(party->count, 0, SEEN_MAX - 1);
        party->seen[party->count++] = (struct seen){now_ns, ev};
        if (ev.kind == EV_SHARE)
            memcpy(party->refs, ev.share.refs, sizeof(party->refs)); /* they are the event's */
        if (ev.kind == EV_PORT && !party->keeps_masked)
            hv_unmask(party->hv, ev.port);
    }
    uint64_t due_ns = hv_virtual_due_ns(party->hv);
    assert_true(due_ns > now_ns);
    if (due_ns != VCLOCK_NEVER)
        vcpu_wake(party->vcpu, due_ns);
    return false;
}

/* Has the CPU for a while. */
static inline bool run_other(void *self, uint64_t now_ns)
{
    struct world *world = self;

    (void)now_ns;
    vcpu_charge(world->other, COST_STEP, 100);
    return false;
}

static inline void add(struct world *world, struct party *party, uint16_t domid, int32_t cpu)
{
    const struct vcpu_config config = {"domain", cpu, party, run};

    party->world = world;
    party->vcpu = vcpu_add(world->vcpus, &config);
    party->hv = hv_virtual_domain(world->machine, domid, party->vcpu, domid == BACK);
}

static inline int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->clock = vclock_create();
    for (uint32_t row = 0; row < COST_ROWS_COUNT; row++)
        world->costs.rows[row].low_ps = (uint64_t)row_ns[row] * 1000;
    world->costs.dozing_after_ns = DOZING_NS;
    world->costs.asleep_after_ns = ASLEEP_NS;
    world->costs.slice_ns = VCLOCK_NEVER / 2;
    world->vcpus = vcpus_create(&(struct vcpus_config){world->clock, &world->costs, 1, false});
    world->sink = (struct trace_sink){on_trace, world};
    world->machine = hv_virtual_create(&(struct hv_virtual_config){.clock = world->clock,
                                                                   .costs = &world->costs,
                                                                   .trace = &world->sink,
                                                                   .limits = {.ports_max = PORTS},
                                                                   .pages = 64});
    assert_non_null(world->machine);
    add(world, &world->back, BACK, -1);
    add(world, &world->front, FRONT, 0);
    world->other = vcpu_add(world->vcpus, &(struct vcpu_config){"other", 0, world, run_other});
    *state = world;
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *world = *state;

    if (world->front.hv)
        hv_close(world->front.hv);
    hv_close(world->back.hv);
    hv_virtual_destroy(world->machine);
    vcpus_destroy(world->vcpus);
    vclock_destroy(world->clock);
    free(world);
    return 0;
}

static inline void settle(struct world *world)
{
    while (vclock_step(world->clock))
        ;
}

static inline void nothing(void *self, uint64_t arg)
{
    (void)self;
    (void)arg;
}

/* All that happens until then, and it is that time. */
static inline void pass_until(struct world *world, uint64_t at_ns)
{
    vclock_at(world->clock, at_ns, &(struct vclock_event){nothing, NULL, 0});
    while (vclock_next_ns(world->clock) <= at_ns)
        vclock_step(world->clock);
}

/* Have it do something at that time. */
static inline void plan(struct party *party, uint64_t at_ns, void (*turn)(struct party *party))
{
    party->turn = turn;
    vcpu_wake(party->vcpu, at_ns);
}

static inline uint64_t now_ns(const struct world *world)
{
    return vclock_now_ns(world->clock);
}

/* Let it do something now and everything settle. */
static inline void at_once(struct party *party, void (*turn)(struct party *party))
{
    plan(party, now_ns(party->world), turn);
    settle(party->world);
}

/* The next event it took. */
static inline struct seen take(struct party *party, enum ev_kind kind)
{
    assert_in_range(party->first, 0, party->count - 1);
    assert_int_equal(party->seen[party->first].ev.kind, kind);
    return party->seen[party->first++];
}

static inline void take_none(const struct party *party)
{
    assert_int_equal(party->first, party->count);
}

/* What it took since it was asked last is forgotten, and so is the trace. */
static inline void forget(struct world *world)
{
    world->front.first = world->front.count = 0;
    world->back.first = world->back.count = 0;
    world->traced_count = 0;
}

static inline uint64_t busy_ns(const struct party *party)
{
    return vcpu_counters(party->vcpu)->busy_ns;
}

static inline void alloc(struct party *party)
{
    hv_port_alloc(party->hv, TOKEN, BACK);
}

static inline void bind(struct party *party)
{
    hv_port_bind(party->hv, TOKEN, FRONT, party->world->front.port);
}

static inline void close_port(struct party *party)
{
    hv_port_close(party->hv, TOKEN, party->port);
}

#endif
