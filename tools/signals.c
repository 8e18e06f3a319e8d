/* Signals that end a process. See signals.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/signals.h"

static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *signals = handle->data;

    signals->heard(signals->self, number);
}

static bool is_ignored(int number)
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static void set_of(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void signals_hold(void)
{
    sigset_t set;

    set_of(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void signals_release(void)
{
    sigset_t set;

    set_of(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool signals_came(void)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t pending, one;
    bool came = false;
    int number;

    sigpending(&pending);
    for (int i = 0; i < 3; i++) {
        if (!sigismember(&pending, numbers[i]))
            continue;
        sigemptyset(&one);
        sigaddset(&one, numbers[i]);
        came |= sigwait(&one, &number) == 0; /* it is there, so this does not wait */
    }
    return came;
}

void signals_listen(struct signals *signals, uv_loop_t *loop, void *self,
                    void (*heard)(void *self, int number))
{
    const int numbers[3] = {SIGINT, SIGTERM, SIGHUP};

    signals->count = 0;
    signals->self = self;
    signals->heard = heard;
    for (int i = 0; i < 3; i++) {
        uv_signal_t *handle = &signals->handles[signals->count];
        if (numbers[i] == SIGHUP && is_ignored(SIGHUP))
            continue;
        uv_signal_init(loop, handle);
        handle->data = signals;
        uv_signal_start(handle, on_signal, numbers[i]);
        signals->count++;
    }
    sigset_t set;
    set_of(&set);
    sigprocmask(SIG_UNBLOCK, &set, &signals->before);
}

void signals_unref(struct signals *signals)
{
    for (uint32_t i = 0; i < signals->count; i++)
        uv_unref((uv_handle_t *)&signals->handles[i]);
}

void signals_last(uv_loop_t *loop)
{
    signals_hold();
    uv_run(loop, UV_RUN_NOWAIT); /* a caught signal lies in the loop's pipe until it turns */
}

void signals_close(struct signals *signals)
{
    sigprocmask(SIG_SETMASK, &signals->before, NULL);
    while (signals->count > 0)
        uv_close((uv_handle_t *)&signals->handles[--signals->count], NULL);
}
