/*
 * Virtual time: a number of nanoseconds and the events that are still to happen.
 *
 * The tie rule: events fire in order of time, and those of one time in the order in which they were
 * scheduled. Nothing is ever cancelled: whom an event no longer concerns ignores it.
 * Source: architecture 9.
 */
#ifndef XENSOCK_SIM_TIME_VCLOCK_H
#define XENSOCK_SIM_TIME_VCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define VCLOCK_NEVER UINT64_MAX

struct vclock;

/* What happens at a time: fire(self, arg). */
struct vclock_event {
    void (*fire)(void *self, uint64_t arg);
    void *self;
    uint64_t arg;
};

/* A clock at 0 with nothing scheduled; asserts that there is memory. */
struct vclock *vclock_create(void);

/* Frees it; events that are still scheduled never fire. */
void vclock_destroy(struct vclock *clock);

/* The time of the event under way or of the last one, in ns. */
uint64_t vclock_now_ns(const struct vclock *clock);

/* Schedule an event, not before now (asserted); `event` is copied. */
void vclock_at(struct vclock *clock, uint64_t at_ns, const struct vclock_event *event);

/* Fire the earliest event; false if there is none. */
bool vclock_step(struct vclock *clock);

/* When the earliest event is due, or VCLOCK_NEVER. */
uint64_t vclock_next_ns(const struct vclock *clock);

/* How many are scheduled, and how many have fired. */
uint32_t vclock_pending(const struct vclock *clock);
uint64_t vclock_fired(const struct vclock *clock);

#endif
