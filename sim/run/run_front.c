/* A guest's device and its workloads. See run_front.h. */
#include "sim/run/run_front.h"

#include <stdlib.h>

#include "sim/run/front_core.h"

struct run_front {
    struct run_front_config config;
    struct front_core core;
    struct workload_set *workloads;
    bool gone;    /* to be started again, when nothing of it is left */
    bool refused; /* its backend is one that it cannot speak with, however often it asks */
    bool stopped;
};

static void upcall(void *self, const struct act *act)
{
    struct run_front *front = self;

    if (act->kind == ACT_GONE)
        front->gone =
            !front->refused && scenario_cuts_host(front->config.scenario, front->config.host);
    if (act->kind == ACT_UP && front->config.up)
        front->config.up(front->config.self);
    workload_upcall(front->workloads, act);
}

static void report(void *self, const struct act_fault *fault)
{
    struct run_front *front = self;

    if (fault->reason == FAULT_ORDER || fault->reason == FAULT_VERSION) {
        front->refused = true;
        workload_refused(front->workloads);
    }
    if (front->config.report)
        front->config.report(front->config.self, fault);
}

static bool open_core(struct run_front *front, uint32_t max_sockets)
{
    const struct run_front_config *config = &front->config;

    return front_core_init(
        &front->core,
        &(struct front_core_config){.exec = config->exec,
                                    .domid = config->domid,
                                    .devid = config->devid,
                                    .backend = config->backend,
                                    .dialect = scenario_dialect(config->scenario, config->host),
                                    .order = config->scenario->hosts[config->host].protocol.order,
                                    .max_sockets = max_sockets,
                                    .quirks = config->scenario->hosts[config->host].side.quirks,
                                    /* what the link is slow to take must not be dropped first */
                                    .linger_ns = config->scenario->timeout_ns,
                                    .capture = config->capture,
                                    .self = front,
                                    .upcall = upcall,
                                    .report = report});
}

static bool open_workloads(struct run_front *front, uint32_t max_sockets)
{
    const struct run_front_config *config = &front->config;

    front->workloads = workload_create(&(struct workload_env){.scenario = config->scenario,
                                                              .exec = config->exec,
                                                              .device = front->core.index,
                                                              .fe = front->core.fe,
                                                              .host = config->host,
                                                              .guest = config->guest,
                                                              .name = config->name,
                                                              .max_sockets = max_sockets,
                                                              .times = config->times,
                                                              .waits = config->waits,
                                                              .until_ns = config->until_ns,
                                                              .policy = config->policy,
                                                              .self = config->self,
                                                              .open_net = config->open_net,
                                                              .phase = config->phase});
    if (!front->workloads)
        exec_remove(config->exec, front->core.index);
    return front->workloads != NULL;
}

struct run_front *run_front_create(const struct run_front_config *config)
{
    uint32_t max_sockets = workload_slots(config->scenario, config->host);
    struct run_front *front = calloc(1, sizeof(*front));

    if (!front)
        return NULL;
    front->config = *config;
    if (open_core(front, max_sockets) && open_workloads(front, max_sockets))
        return front;
    front_core_fini(&front->core);
    free(front);
    return NULL;
}

uint64_t run_front_turned(struct run_front *front, uint64_t now_ns)
{
    uint64_t due_ns = workload_time(front->workloads, now_ns);

    if (workload_phase(front->workloads) == WORKLOAD_DONE && !front->stopped) {
        front->stopped = true;
        exec_post(front->config.exec, front->core.index, EV_STOP);
        return now_ns;
    }
    if (front->gone && !front->stopped && front_core_idle(&front->core)) {
        front->gone = false;
        exec_post(front->config.exec, front->core.index, EV_START);
        return now_ns;
    }
    return due_ns;
}

void run_front_start(struct run_front *front)
{
    workload_start(front->workloads);
}

void run_front_interrupt(struct run_front *front)
{
    workload_interrupt(front->workloads);
}

bool run_front_through(const struct run_front *front)
{
    return front->stopped && front_core_idle(&front->core);
}

const struct fe_counters *run_front_counters(const struct run_front *front)
{
    return fe_counters(front->core.fe);
}

struct workload_set *run_front_workloads(struct run_front *front)
{
    return front->workloads;
}

const struct fe *run_front_core(const struct run_front *front)
{
    return front->core.fe;
}

void run_front_destroy(struct run_front *front)
{
    workload_destroy(front->workloads);
    front_core_fini(&front->core);
    free(front);
}
