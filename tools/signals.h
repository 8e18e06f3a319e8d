/*
 * What a user, a service manager or a terminal ends a process by, told while its loop turns:
 * SIGINT, SIGTERM and SIGHUP, but for SIGHUP where it is ignored, as under nohup.
 */
#ifndef XENSOCK_TOOLS_SIGNALS_H
#define XENSOCK_TOOLS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct signals {
    uv_signal_t handles[3];
    uint32_t count;
    sigset_t before; /* what was held back */
    void *self;
    void (*heard)(void *self, int number);
};

/* Keep those signals back, for a while in which nobody listens; and let them come. In between:
 * whether one has come, which is then forgotten. A listener hears what was kept back. */
void signals_hold(void);
void signals_release(void);
bool signals_came(void);

/* Begin; `signals` stays where it is until the loop turned after signals_close. */
void signals_listen(struct signals *signals, uv_loop_t *loop, void *self,
                    void (*heard)(void *self, int number));

/* Do not keep the loop from ending. */
void signals_unref(struct signals *signals);

/* Hear what has come already, and keep back what comes from now on: before signals_close, where no
 * callback of the loop runs, so that none falls between this listener and what heeds the next. */
void signals_last(uv_loop_t *loop);

/* What comes from now on is held back if it was before, else does what it does by default. */
void signals_close(struct signals *signals);

#endif
