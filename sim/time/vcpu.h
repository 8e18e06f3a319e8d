/*
 * Host CPUs in virtual time, and the vCPUs that run on them: domains and peers.
 *
 * A vCPU is run when it was woken and its CPU is free: one call of `run`, a turn, which is atomic
 * at its start. What the turn costs is charged in program order, so its k-th action takes effect at
 * the turn's start plus the cost so far (vcpu_now_ns), and the CPU is busy until the end. Then the
 * vCPU goes on if it has work left or was woken meanwhile; else it blocks and the CPU goes to the
 * one that has waited longest. A vCPU that does not block leaves the CPU after the model's slice
 * or, with preemption, at the end of the turn in which another one was woken, which comes before
 * those that only wait. A turn takes at least
 * 1 ns, so that time goes on whatever the model says; beyond that what is left of a ns at its end
 * is dropped. Source: architecture 9.
 */
#ifndef XENSOCK_SIM_TIME_VCPU_H
#define XENSOCK_SIM_TIME_VCPU_H

#include "sim/time/cost.h"
#include "sim/time/vclock.h"

struct vcpus;
struct vcpu;

struct vcpus_config {
    struct vclock *clock;      /* outlives them */
    const struct costs *costs; /* outlives them */
    uint64_t seed;
    bool preempt; /* on wake-up */
};

/* No vCPUs yet, and as many CPUs as they name; asserts that there is memory. */
struct vcpus *vcpus_create(const struct vcpus_config *config);
void vcpus_destroy(struct vcpus *vcpus);

struct vcpu_config {
    const char *name; /* keys its random numbers; not kept */
    int32_t cpu;      /* which CPU, from 0; below 0: one of its own */
    void *self;
    /* A turn at `now_ns`; true if work is left. */
    bool (*run)(void *self, uint64_t now_ns);
};

/* Add a vCPU, idle; it lives as long as `vcpus`. */
struct vcpu *vcpu_add(struct vcpus *vcpus, const struct vcpu_config *config);

/* Wake it at `at_ns` (not before now). Waking one that runs or waits makes it run once more. */
void vcpu_wake(struct vcpu *vcpu, uint64_t at_ns);

/* Run a turn of it now, in the midst of a turn of another, as on a CPU of its own; what it costs is
 * owed by its next turn. False, and nothing happens, if its own turn is under way or it has
 * retired. Even a stalled one takes it. */
bool vcpu_intrude(struct vcpu *vcpu);

/* Draw the cost of a row of the CPU, once, from the vCPU's own random numbers, and charge it
 * `amount` times to the turn under way; outside one it is due at its next. A turn costs a day at
 * most. */
void vcpu_charge(struct vcpu *vcpu, enum cost_row row, uint64_t amount);

/* Draw a row without charging it, in ns. */
uint64_t vcpu_draw_ns(struct vcpu *vcpu, enum cost_row row);

/* The time at which the next action of the turn under way takes effect; outside one, now. */
uint64_t vcpu_now_ns(const struct vcpu *vcpu);

/* Until when what is due may be taken: now; in a turn that intrudes whatever there is, as by one
 * that looks all the time. */
uint64_t vcpu_horizon_ns(const struct vcpu *vcpu);

/* What it does now, and for an idle one since when its CPU has been. */
enum vcpu_state {
    VCPU_IDLE,      /* it and its CPU */
    VCPU_RUNNING,   /* a turn is under way or being paid for */
    VCPU_CONTENDED, /* it waits, or is idle while its CPU runs another */
};
enum vcpu_state vcpu_state(const struct vcpu *vcpu, uint64_t *idle_ns);

/* Keep it from running before `until_ns`: a disturbance. Turns under way are not cut short. */
void vcpu_stall(struct vcpu *vcpu, uint64_t until_ns);

/* It never runs again, whatever wakes it: what `self` is may go. Not within its turn. */
void vcpu_retire(struct vcpu *vcpu);

/* Counts since it was added. */
struct vcpu_counters {
    uint64_t turns, switches;
    uint64_t busy_ns; /* context switches among it; the sum of: */
    uint64_t cost_ns[COST_ROWS_COUNT];
};
const struct vcpu_counters *vcpu_counters(const struct vcpu *vcpu);

#endif
