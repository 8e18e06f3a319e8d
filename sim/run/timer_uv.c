/* A wake-up of a libuv loop. See timer_uv.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/timer_uv.h"

#include "ringlib/step.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#ifdef __linux__

#include <sys/timerfd.h>
#include <unistd.h>

struct timer_uv {
    uv_poll_t poll; /* first: the close callback gets its address */
    int fd;
    uint64_t due_ns; /* as the kernel has it */
};

static void on_due(uv_poll_t *poll, int status, int events)
{
    struct timer_uv *timer = (struct timer_uv *)(void *)poll;
    uint64_t expirations;

    (void)status;
    (void)events;
    if (read(timer->fd, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
        timer->due_ns = STEP_NEVER;
}

struct timer_uv *timer_uv_open(struct uv_loop_s *uv)
{
    struct timer_uv *timer = calloc(1, sizeof(*timer));

    if (!timer)
        return NULL;
    timer->due_ns = STEP_NEVER;
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer->fd >= 0 && uv_poll_init(uv, &timer->poll, timer->fd) == 0) {
        uv_poll_start(&timer->poll, UV_READABLE, on_due);
        return timer;
    }
    if (timer->fd >= 0)
        close(timer->fd);
    free(timer);
    return NULL;
}

void timer_uv_set(struct timer_uv *timer, uint64_t due_ns)
{
    struct itimerspec at = {.it_value.tv_nsec = 0}; /* all zero: not at all */

    if (due_ns == timer->due_ns)
        return;
    timer->due_ns = due_ns;
    if (due_ns != STEP_NEVER) {
        at.it_value.tv_sec = (time_t)(due_ns / 1000000000);
        at.it_value.tv_nsec = due_ns == 0 ? 1 : (long)(due_ns % 1000000000);
    }
    int failed = timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &at, NULL);
    assert(failed == 0);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void timer_uv_close(struct timer_uv *timer)
{
    if (!timer)
        return;
    uv_close((uv_handle_t *)&timer->poll, on_closed);
    close(timer->fd);
}

#else

struct timer_uv {
    uv_timer_t timer; /* first: the close callback gets its address */
};

static void on_due(uv_timer_t *timer)
{
    (void)timer; /* the loop has woken up, which is all */
}

struct timer_uv *timer_uv_open(struct uv_loop_s *uv)
{
    struct timer_uv *timer = calloc(1, sizeof(*timer));

    if (timer)
        uv_timer_init(uv, &timer->timer);
    return timer;
}

void timer_uv_set(struct timer_uv *timer, uint64_t due_ns)
{
    uint64_t now_ns = uv_hrtime();
    uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;

    if (due_ns == STEP_NEVER) {
        uv_timer_stop(&timer->timer);
        return;
    }
    uv_update_time(timer->timer.loop);
    uv_timer_start(&timer->timer, on_due, wait_ns / 1000000 + (wait_ns % 1000000 != 0), 0);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void timer_uv_close(struct timer_uv *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->timer, on_closed);
}

#endif
