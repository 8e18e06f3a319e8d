/*
 * Host CPUs and vCPUs. See vcpu.h.
 *
 * A CPU has at most one event in the clock: the end of the turn it is in. A vCPU's wake-ups are
 * events of their own; one that finds it running or queued only marks it. Invariant: a vCPU is in a
 * queue of its CPU exactly while it is QUEUED.
 */
#include "sim/time/vcpu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_COSTS = 1 };

/* A turn costs no more: a model may have a second for a byte, and no run is longer. */
static const uint64_t COST_MOST_PS = UINT64_C(86400) * 1000000000000;

enum life { BLOCKED, QUEUED, RUNNING };

struct fifo {
    struct vcpu *first, *last;
};

struct cpu {
    struct vcpus *set;
    int32_t number;         /* as placed, or -1: one vCPU's own */
    struct vcpu *current;   /* that runs, else that ran last */
    struct fifo jumping;    /* those that wait for it: woken with preemption, */
    struct fifo waiting;    /* and all others */
    bool busy;              /* its event is scheduled */
    uint64_t idle_since_ns; /* while it is not */
    uint64_t slice_end_ns;  /* of the vCPU that runs */
    struct cpu *next;
};

struct vcpu {
    struct vcpu_config config;
    struct cpu *cpu;
    enum life life;
    bool again;       /* to be run once more when this turn is over */
    bool in_turn;     /* `run` is being called */
    uint64_t turn_ns; /* when the turn under way began, */
    uint64_t cost_ps; /* what it cost so far; outside a turn, what the next one owes; */
    uint64_t cost_ns[COST_ROWS_COUNT]; /* and by row, whole ns, which add up to it */
    bool intrudes;                     /* the turn under way does */
    uint64_t stalled_until_ns;         /* VCLOCK_NEVER: it has retired */
    struct prng prng;
    struct vcpu_counters counters;
    struct vcpu *next_queued;
    struct vcpu *next;
};

struct vcpus {
    struct vcpus_config config;
    struct cpu *cpus;
    struct vcpu *all;
};

struct vcpus *vcpus_create(const struct vcpus_config *config)
{
    struct vcpus *vcpus = calloc(1, sizeof(*vcpus));

    assert(vcpus);
    vcpus->config = *config;
    return vcpus;
}

void vcpus_destroy(struct vcpus *vcpus)
{
    while (vcpus->all) {
        struct vcpu *vcpu = vcpus->all;
        vcpus->all = vcpu->next;
        free(vcpu);
    }
    while (vcpus->cpus) {
        struct cpu *cpu = vcpus->cpus;
        vcpus->cpus = cpu->next;
        free(cpu);
    }
    free(vcpus);
}

static struct cpu *cpu_of(struct vcpus *vcpus, int32_t number)
{
    for (struct cpu *cpu = vcpus->cpus; cpu && number >= 0; cpu = cpu->next)
        if (cpu->number == number)
            return cpu;
    struct cpu *cpu = calloc(1, sizeof(*cpu));
    assert(cpu);
    cpu->set = vcpus;
    cpu->number = number < 0 ? -1 : number;
    cpu->next = vcpus->cpus;
    vcpus->cpus = cpu;
    return cpu;
}

struct vcpu *vcpu_add(struct vcpus *vcpus, const struct vcpu_config *config)
{
    struct vcpu *vcpu = calloc(1, sizeof(*vcpu));

    assert(vcpu);
    vcpu->config = *config;
    vcpu->config.name = NULL;
    vcpu->cpu = cpu_of(vcpus, config->cpu);
    prng_init(&vcpu->prng, vcpus->config.seed, config->name, STREAM_COSTS);
    vcpu->next = vcpus->all;
    vcpus->all = vcpu;
    return vcpu;
}

static struct vclock *clock_of(const struct cpu *cpu)
{
    return cpu->set->config.clock;
}

static void queue(struct vcpu *vcpu, struct fifo *fifo)
{
    vcpu->life = QUEUED;
    vcpu->next_queued = NULL;
    if (fifo->first)
        fifo->last->next_queued = vcpu;
    else
        fifo->first = vcpu;
    fifo->last = vcpu;
}

/* Who has waited longest, of those that jumped the queue if there are any; NULL: nobody waits. */
static struct vcpu *take_queued(struct cpu *cpu)
{
    struct fifo *fifo = cpu->jumping.first ? &cpu->jumping : &cpu->waiting;
    struct vcpu *vcpu = fifo->first;

    if (vcpu)
        fifo->first = vcpu->next_queued;
    return vcpu;
}

static void on_wake(void *self, uint64_t arg);

/* The first vCPU of the queue that may run; one that is held back comes again by itself, one that
 * has retired never. */
static struct vcpu *dequeue(struct cpu *cpu)
{
    uint64_t now_ns = vclock_now_ns(clock_of(cpu));
    struct vcpu *vcpu;

    while ((vcpu = take_queued(cpu)) && vcpu->stalled_until_ns > now_ns) {
        vcpu->life = BLOCKED;
        if (vcpu->stalled_until_ns != VCLOCK_NEVER)
            vcpu_wake(vcpu, vcpu->stalled_until_ns);
    }
    return vcpu;
}

static void on_turn_over(void *self, uint64_t arg);

/* What the turn took, which is paid: at least 1 ns, if by nothing else for being one. */
static uint64_t pay(struct vcpu *vcpu)
{
    uint64_t cost_ns = vcpu->cost_ps / 1000;

    if (cost_ns == 0)
        cost_ns = vcpu->cost_ns[COST_TURN] = 1;
    for (uint32_t row = 0; row < COST_ROWS_COUNT; row++)
        vcpu->counters.cost_ns[row] += vcpu->cost_ns[row];
    memset(vcpu->cost_ns, 0, sizeof(vcpu->cost_ns));
    vcpu->cost_ps = 0;
    vcpu->counters.busy_ns += cost_ns;
    return cost_ns;
}

/* One turn: called at its start, which is when all of it happens; the CPU is its until the end. */
static void run(struct cpu *cpu, struct vcpu *vcpu)
{
    uint64_t now_ns = vclock_now_ns(clock_of(cpu));

    vcpu->counters.turns++;
    vcpu->turn_ns = now_ns;
    if (vcpu->life != RUNNING)
        cpu->slice_end_ns = now_ns + cpu->set->config.costs->slice_ns;
    if (cpu->current && cpu->current != vcpu) {
        vcpu->counters.switches++;
        vcpu_charge(vcpu, COST_CONTEXT_SWITCH, 1);
    }
    cpu->current = vcpu;
    cpu->busy = true;
    vcpu->life = RUNNING;
    vcpu->in_turn = true;
    vcpu->again = vcpu->config.run(vcpu->config.self, now_ns);
    vcpu->in_turn = false;

    vclock_at(clock_of(cpu), now_ns + pay(vcpu), &(struct vclock_event){on_turn_over, cpu, 0});
}

static void on_turn_over(void *self, uint64_t arg)
{
    struct cpu *cpu = self;
    struct vcpu *vcpu = cpu->current;
    uint64_t now_ns = vclock_now_ns(clock_of(cpu));
    bool leave = cpu->jumping.first || (cpu->waiting.first && now_ns >= cpu->slice_end_ns);

    (void)arg;
    if (vcpu->again && !leave && vcpu->stalled_until_ns <= now_ns) {
        run(cpu, vcpu);
        return;
    }
    cpu->busy = false;
    cpu->idle_since_ns = now_ns;
    vcpu->life = BLOCKED;
    if (vcpu->again)
        queue(vcpu, &cpu->waiting);
    struct vcpu *next = dequeue(cpu);
    if (next)
        run(cpu, next);
}

static void on_wake(void *self, uint64_t arg)
{
    struct vcpu *vcpu = self;
    struct cpu *cpu = vcpu->cpu;

    (void)arg;
    if (vcpu->life == RUNNING)
        vcpu->again = true;
    if (vcpu->life != BLOCKED)
        return;
    queue(vcpu, cpu->set->config.preempt ? &cpu->jumping : &cpu->waiting);
    struct vcpu *next = cpu->busy ? NULL : dequeue(cpu);
    if (next)
        run(cpu, next);
}

void vcpu_wake(struct vcpu *vcpu, uint64_t at_ns)
{
    vclock_at(clock_of(vcpu->cpu), at_ns, &(struct vclock_event){on_wake, vcpu, 0});
}

bool vcpu_intrude(struct vcpu *vcpu)
{
    uint64_t now_ns = vclock_now_ns(clock_of(vcpu->cpu));

    if (vcpu->in_turn || vcpu->stalled_until_ns == VCLOCK_NEVER)
        return false;
    vcpu->counters.turns++;
    vcpu->turn_ns = now_ns;
    vcpu->in_turn = true;
    vcpu->intrudes = true;
    bool left = vcpu->config.run(vcpu->config.self, now_ns);
    vcpu->in_turn = false;
    vcpu->intrudes = false;
    if (left)
        vcpu_wake(vcpu, now_ns);
    return true;
}

static const struct cost *row_of(const struct vcpu *vcpu, enum cost_row row)
{
    return &vcpu->cpu->set->config.costs->rows[row];
}

void vcpu_charge(struct vcpu *vcpu, enum cost_row row, uint64_t amount)
{
    uint64_t cost_ps = cost_draw(row_of(vcpu, row), &vcpu->prng);

    assert(cost_of_cpu(row));
    if (__builtin_mul_overflow(cost_ps, amount, &cost_ps) ||
        __builtin_add_overflow(cost_ps, vcpu->cost_ps, &cost_ps) || cost_ps > COST_MOST_PS)
        cost_ps = COST_MOST_PS;
    vcpu->cost_ns[row] += cost_ps / 1000 - vcpu->cost_ps / 1000;
    vcpu->cost_ps = cost_ps;
}

uint64_t vcpu_draw_ns(struct vcpu *vcpu, enum cost_row row)
{
    return cost_draw(row_of(vcpu, row), &vcpu->prng) / 1000;
}

uint64_t vcpu_now_ns(const struct vcpu *vcpu)
{
    return vcpu->in_turn ? vcpu->turn_ns + vcpu->cost_ps / 1000
                         : vclock_now_ns(clock_of(vcpu->cpu));
}

uint64_t vcpu_horizon_ns(const struct vcpu *vcpu)
{
    return vcpu->intrudes ? VCLOCK_NEVER : vclock_now_ns(clock_of(vcpu->cpu));
}

enum vcpu_state vcpu_state(const struct vcpu *vcpu, uint64_t *idle_ns)
{
    const struct cpu *cpu = vcpu->cpu;

    *idle_ns = 0;
    if (vcpu->life == RUNNING)
        return VCPU_RUNNING;
    if (vcpu->life == QUEUED || cpu->busy)
        return VCPU_CONTENDED;
    *idle_ns = vclock_now_ns(clock_of(cpu)) - cpu->idle_since_ns;
    return VCPU_IDLE;
}

void vcpu_stall(struct vcpu *vcpu, uint64_t until_ns)
{
    if (until_ns > vcpu->stalled_until_ns)
        vcpu->stalled_until_ns = until_ns;
}

void vcpu_retire(struct vcpu *vcpu)
{
    assert(!vcpu->in_turn);
    vcpu->stalled_until_ns = VCLOCK_NEVER;
}

const struct vcpu_counters *vcpu_counters(const struct vcpu *vcpu)
{
    return &vcpu->counters;
}
