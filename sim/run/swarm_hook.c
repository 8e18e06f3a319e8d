/*
 * Where the hooked build lets the other side in: before each access to shared memory. One run at a
 * time in a process. In the plain build there is no such place.
 */
#include "sim/run/swarm_private.h"

#ifdef XENSOCK_HOOKED
static void (*hook)(void *self);
static void *hook_self;

void shared_hook(enum shared_access access, const struct shared_area *area, uint32_t offset,
                 uint32_t bytes)
{
    (void)access;
    (void)area;
    (void)offset;
    (void)bytes;
    if (hook)
        hook(hook_self);
}

void swarm_hook_set(void (*intrude)(void *self), void *self)
{
    hook = intrude;
    hook_self = self;
}

bool swarm_hooked(void)
{
    return true;
}
#else
void swarm_hook_set(void (*intrude)(void *self), void *self)
{
    (void)intrude;
    (void)self;
}

bool swarm_hooked(void)
{
    return false;
}
#endif
