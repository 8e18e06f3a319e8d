/* A domain's process on a libuv loop. See domain_uv.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/domain_uv.h"

#include "sim/net/net_uv.h"
#include "sim/run/timer_uv.h"
#include "sim/run/watch_uv.h"

#include <stdlib.h>

/* The handles outlive the domain by the loop's next turn; they are freed with the last of them. */
struct handles {
    uv_check_t check;
    uv_idle_t idle; /* started: the loop must not sleep */
    struct domain_uv *domain;
    int open;
};

struct domain_uv {
    struct domain_uv_config config;
    struct watch_uv watch;
    struct hv *hv;
    struct net *net;
    struct exec *exec;
    struct handles *handles;
    struct timer_uv *timer;
    bool lost;
};

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* it exists to keep the loop from sleeping */
}

void domain_uv_kick(struct domain_uv *domain)
{
    uv_idle_start(&domain->handles->idle, on_idle);
}

/* Completions were queued by a callback. One of a closing handle runs after the check of its
 * iteration: without the kick the loop would sleep on them. */
static void on_wake(void *self)
{
    domain_uv_kick(self);
}

static void on_check(uv_check_t *check)
{
    struct handles *handles = check->data;
    struct domain_uv *domain = handles->domain;
    uint64_t now_ns = uv_hrtime();
    bool more = exec_turn(domain->exec, now_ns);
    uint64_t due_ns = exec_deadline_ns(domain->exec);

    uv_idle_stop(&handles->idle); /* before `turned`, which may kick */
    if (domain->config.turned) {
        uint64_t wanted_ns = domain->config.turned(domain->config.self, now_ns);
        due_ns = wanted_ns < due_ns ? wanted_ns : due_ns;
    }
    if (!handles->domain) /* `turned` closed and freed it */
        return;
    if (more || exec_called(domain->exec))
        domain_uv_kick(domain);
    timer_uv_set(domain->timer, due_ns);
}

static void on_ready(void *self, int fd)
{
    struct domain_uv *domain = self;

    hv_emu_ready(domain->hv, fd);
    if (hv_emu_lost(domain->hv) && !domain->lost) {
        domain->lost = true;
        domain->config.lost(domain->config.self);
    }
}

static struct handles *open_handles(struct domain_uv *domain, uv_loop_t *uv)
{
    struct handles *handles = calloc(1, sizeof(*handles));

    if (!handles)
        return NULL;
    handles->domain = domain;
    uv_check_init(uv, &handles->check);
    uv_idle_init(uv, &handles->idle);
    handles->open = 2;
    handles->check.data = handles->idle.data = handles;
    uv_check_start(&handles->check, on_check);
    return handles;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct handles *handles = handle->data;

    if (--handles->open == 0)
        free(handles);
}

static void close_handles(struct domain_uv *domain)
{
    struct handles *handles = domain->handles;

    domain->handles = NULL;
    if (!handles)
        return;
    handles->domain = NULL;
    uv_close((uv_handle_t *)&handles->check, on_handle_closed);
    uv_close((uv_handle_t *)&handles->idle, on_handle_closed);
}

struct domain_uv *domain_uv_open(struct uv_loop_s *uv, const struct domain_uv_config *config,
                                 int *error)
{
    struct domain_uv *domain = calloc(1, sizeof(*domain));

    *error = -ERR_NOMEM;
    if (!domain)
        return NULL;
    domain->config = *config;
    watch_uv_init(&domain->watch, uv, on_ready, domain);
    domain->hv =
        hv_emu_open(config->runtime, config->domid, &domain->watch.loop, config->timeout_ms, error);
    if (domain->hv) {
        domain->net = config->sockets ? net_uv_create(uv, on_wake, domain) : NULL;
        domain->exec = exec_create(&(struct exec_config){.hv = domain->hv,
                                                         .net = domain->net,
                                                         .notify = config->notify,
                                                         .share = EXEC_SHARE,
                                                         .max_devices = config->max_devices});
        domain->handles = open_handles(domain, uv);
        domain->timer = timer_uv_open(uv);
        assert(domain->exec && domain->handles && domain->timer);
        assert(domain->net || !config->sockets);
        return domain;
    }
    watch_uv_fini(&domain->watch);
    free(domain);
    return NULL;
}

void domain_uv_close(struct domain_uv *domain)
{
    close_handles(domain);
    timer_uv_close(domain->timer);
    if (domain->net)
        net_destroy(domain->net);
    exec_destroy(domain->exec);
    hv_close(domain->hv);
    watch_uv_fini(&domain->watch);
    free(domain);
}

struct exec *domain_uv_exec(struct domain_uv *domain)
{
    return domain->exec;
}

const struct hv_counters *domain_uv_hv(const struct domain_uv *domain)
{
    return &domain->hv->counters;
}

const struct net_counters *domain_uv_net(const struct domain_uv *domain)
{
    static const struct net_counters none;

    return domain->net ? &domain->net->counters : &none;
}
