/* See waiting.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/waiting.h"

#include <stdio.h>

static void expired(uv_timer_t *timer)
{
    const struct waiting *waiting = timer->data;

    if (fe_is_up(waiting->fe))
        return;
    fprintf(stderr, "xensock %s: still waiting: ", waiting->process->name);
    if (fe_is_found(waiting->fe))
        fprintf(stderr, "the backend, domain %u, does not answer on device '%s'; is it running?\n",
                waiting->backend, waiting->device);
    else
        fprintf(stderr,
                "domain %u has no device '%s'; does the hypervisor make one of that dialect "
                "(--dialect, --device)?\n",
                waiting->domid, waiting->device);
    fprintf(stderr, "'xensock ps --runtime %s' shows what there is\n", waiting->runtime);
}

void waiting_start(struct waiting *waiting)
{
    uv_timer_init(waiting->process->loop, &waiting->timer);
    waiting->timer.data = waiting;
    uv_timer_start(&waiting->timer, expired, WAITING_MS, 0);
}

void waiting_end(struct waiting *waiting)
{
    if (waiting->timer.data)
        uv_close((uv_handle_t *)&waiting->timer, NULL);
    waiting->timer.data = NULL;
}
