/* A guest's device and its workloads. See run_front.h. */
#include "sim/run/run_front.h"

#include <stdio.h>
#include <stdlib.h>

struct run_front {
    struct run_front_config config;
    struct fe *fe;
    uint16_t index; /* at the executor */
    struct workload_set *workloads;
    bool stopped;
};

static void step(void *core, const struct ev *ev, struct step_out *out)
{
    fe_step(core, ev, out);
}

static uint64_t deadline(const void *core)
{
    return fe_deadline_ns(core);
}

static void upcall(void *self, const struct act *act)
{
    struct run_front *front = self;

    workload_upcall(front->workloads, act);
}

static void observe(void *self, const struct act *act)
{
    struct run_front *front = self;
    char text[128];

    if (act->kind != ACT_FAULT || !front->config.report)
        return;
    snprintf(text, sizeof(text), "%s (ours %u, claimed %u)", step_fault_name(act->fault.reason),
             act->fault.index, act->fault.value);
    front->config.report(front->config.self, text);
}

static bool add_core(struct run_front *front)
{
    const struct run_front_config *config = &front->config;
    const struct dialect *dialect = dialect_find(config->scenario->protocol.dialect);
    struct fe_config fe_config = {.dialect = dialect,
                                  .device = exec_next_device(config->exec),
                                  .order = config->scenario->protocol.order,
                                  .max_sockets = workload_slots(config->scenario, config->host)};
    struct exec_core core = {.step = step,
                             .deadline_ns = deadline,
                             .dialect = dialect,
                             .slots = fe_slots(&fe_config),
                             .self = front,
                             .upcall = upcall,
                             .observe = observe};

    core.core = malloc(fe_size(&fe_config));
    if (!core.core)
        return false;
    front->fe = fe_init(core.core, &fe_config);
    snprintf(core.own, sizeof(core.own), "/local/domain/%u/device/%s/%u", config->domid,
             dialect->device, config->devid);
    snprintf(core.other, sizeof(core.other), "/local/domain/%u/backend/%s/%u/%u", config->backend,
             dialect->device, config->domid, config->devid);
    int index = exec_add(config->exec, &core);
    if (index < 0)
        return false;
    front->index = (uint16_t)index;
    front->workloads = workload_create(&(struct workload_env){.scenario = config->scenario,
                                                              .exec = config->exec,
                                                              .device = front->index,
                                                              .fe = front->fe,
                                                              .host = config->host,
                                                              .guest = config->guest,
                                                              .name = config->name,
                                                              .max_sockets = fe_config.max_sockets,
                                                              .times = config->times,
                                                              .self = config->self,
                                                              .phase = config->phase});
    if (!front->workloads)
        exec_remove(config->exec, front->index);
    return front->workloads != NULL;
}

struct run_front *run_front_create(const struct run_front_config *config)
{
    struct run_front *front = calloc(1, sizeof(*front));

    if (!front)
        return NULL;
    front->config = *config;
    if (!add_core(front)) {
        free(front->fe);
        free(front);
        return NULL;
    }
    exec_post(config->exec, front->index, EV_START);
    return front;
}

uint64_t run_front_turned(struct run_front *front, uint64_t now_ns)
{
    uint64_t due_ns = workload_time(front->workloads, now_ns);

    if (workload_phase(front->workloads) == WORKLOAD_DONE && !front->stopped) {
        front->stopped = true;
        exec_post(front->config.exec, front->index, EV_STOP);
        return now_ns;
    }
    return due_ns;
}

void run_front_interrupt(struct run_front *front)
{
    workload_interrupt(front->workloads);
}

bool run_front_through(const struct run_front *front)
{
    return front->stopped && fe_idle(front->fe) && !exec_busy(front->config.exec, front->index);
}

const struct fe_counters *run_front_counters(const struct run_front *front)
{
    return fe_counters(front->fe);
}

struct workload_set *run_front_workloads(struct run_front *front)
{
    return front->workloads;
}

const struct fe *run_front_core(const struct run_front *front)
{
    return front->fe;
}

void run_front_destroy(struct run_front *front)
{
    workload_destroy(front->workloads);
    free(front->fe);
    free(front);
}
