/*
 * What each device gets of a turn, so that one with much to do costs the others little.
 *
 * While there are several devices beside buses, a turn spends at most a share on each: one for a
 * step, and one more for each 8 KiB that came with it, which takes about as long. What comes for a
 * device behind that is held, in order, for the next turns, which begin with what it has left to
 * do, once, and with this; between them the loop looks for what has come for others. (What points
 * to memory of the seam is not held, and so may overtake what is: no completion waits for another.)
 * Nothing is held for a device alone: its turns end when there is nothing left. Source:
 * architecture 3 ("serves them round-robin with a budget each").
 */
#include <stdlib.h>

#include "sim/run/exec_private.h"

enum { UNIT_BYTES = 8192 };

static bool is_shared(const struct exec *exec)
{
    return exec->config.share > 0 && exec->device_count > 1;
}

bool exec_share_left(struct exec *exec, struct exec_device *device)
{
    if (device->turn != exec->counters.turns) {
        device->turn = exec->counters.turns;
        device->spent = 0;
    }
    return !is_shared(exec) || device->spent < exec->config.share;
}

void exec_share_spend(struct exec_device *device, const struct ev *ev)
{
    bool bytes = ev->kind == EV_NET_READ || ev->kind == EV_NET_WRITE;

    device->spent += 1 + (bytes && ev->ret > 0 ? (uint32_t)ev->ret / UNIT_BYTES : 0);
}

/* For one more, behind the others. No more are held than are in flight. */
static void make_room(struct exec_held *held)
{
    if (held->at + held->count < held->room)
        return;
    if (held->at > 0) {
        memmove(held->events, held->events + held->at, held->count * sizeof(struct ev));
        held->at = 0;
        return;
    }
    held->room = 2 * held->room + 16;
    held->events = realloc(held->events, held->room * sizeof(struct ev));
    assert(held->events); /* a process out of memory at this point has nothing to fall back to */
}

bool exec_share_hold(struct exec *exec, const struct ev *ev)
{
    uint16_t index = step_device(ev->token);
    struct exec_device *device = &exec->devices[index];
    struct exec_held *held = &device->held;

    /* names and refs are only there until the seam gives the next event; whose share is left has
     * nothing held, since the turn began with that */
    bool lent = ev->kind == EV_STORE_LIST || ev->kind == EV_SHARE;
    if (!device->used || lent || exec_share_left(exec, device))
        return false;
    make_room(held);
    held->events[held->at + held->count++] = *ev;
    if (!device->waiting)
        exec->waiting[exec->waiting_count++] = index;
    device->waiting = true;
    return true;
}

bool exec_share_take(struct exec *exec, uint16_t index, struct ev *ev)
{
    struct exec_device *device = &exec->devices[index];
    struct exec_held *held = &device->held;

    if (held->count == 0 || !exec_share_left(exec, device))
        return false;
    *ev = held->events[held->at++];
    held->at = --held->count == 0 ? 0 : held->at;
    return true;
}

void exec_share_forget(struct exec_device *device)
{
    free(device->held.events);
    device->held = (struct exec_held){.events = NULL};
}
