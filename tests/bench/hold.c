/* hold PENDING EVENTS: the hold model on the event queue of virtual time. See hold.h. */
#define _GNU_SOURCE 1
#include "tests/bench/hold.h"

#include "sim/time/vclock.h"

static struct hold hold;
static struct vclock *vclock;

static void fire(void *self, uint64_t number);

static void schedule(uint64_t number)
{
    const struct vclock_event event = {fire, &hold, number};

    vclock_at(vclock, vclock_now_ns(vclock) + hold_delay_ns(&hold), &event);
}

static void fire(void *self, uint64_t number)
{
    hold_fired(self, number);
    schedule(number);
}

static void run(uint64_t events)
{
    hold.left = events;
    while (hold.left > 0)
        vclock_step(vclock);
}

int main(int argc, char **argv)
{
    uint64_t began_ns;

    hold_init(&hold, argc, argv);
    vclock = vclock_create();
    for (uint64_t number = 0; number < hold.pending; number++)
        schedule(number);
    run(3 * (uint64_t)hold.pending); /* until the first events are spread */
    began_ns = hold_host_ns();
    run(hold.events);
    hold_report(&hold, hold_host_ns() - began_ns, vclock_now_ns(vclock));
    vclock_destroy(vclock);
    return 0;
}
