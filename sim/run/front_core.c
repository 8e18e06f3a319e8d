/* A frontend core at its executor. See front_core.h. */
#include "sim/run/front_core.h"

#include <stdio.h>
#include <stdlib.h>

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
    const struct front_core *core = self;

    core->config.upcall(core->config.self, act);
}

static void observe(void *self, const struct act *act)
{
    const struct front_core *core = self;

    if (act->kind == ACT_FAULT && core->config.report)
        core->config.report(core->config.self, &act->fault);
}

bool front_core_init(struct front_core *front, const struct front_core_config *config)
{
    struct fe_config fe_config = {.dialect = config->dialect,
                                  .device = exec_next_device(config->exec),
                                  .order = config->order,
                                  .max_sockets = config->max_sockets,
                                  .backlog = config->backlog,
                                  .quirks = config->quirks,
                                  .linger_ns = config->linger_ns};
    struct exec_core core = {.step = step,
                             .deadline_ns = deadline,
                             .dialect = config->dialect,
                             .slots = fe_slots(&fe_config),
                             .self = front,
                             .upcall = upcall,
                             .observe = observe};

    front->config = *config;
    core.core = malloc(fe_size(&fe_config));
    if (!core.core)
        return false;
    front->fe = fe_init(core.core, &fe_config);
    snprintf(core.own, sizeof(core.own), "/local/domain/%u/device/%s/%u", config->domid,
             config->dialect->device, config->devid);
    snprintf(core.other, sizeof(core.other), "/local/domain/%u/backend/%s/%u/%u", config->backend,
             config->dialect->device, config->domid, config->devid);
    int index = exec_add(config->exec, &core);
    if (index < 0) {
        free(core.core);
        front->fe = NULL;
        return false;
    }
    front->index = (uint16_t)index;
    exec_post(config->exec, front->index, EV_START);
    return true;
}

bool front_core_idle(const struct front_core *core)
{
    return fe_idle(core->fe) && !exec_busy(core->config.exec, core->index);
}

void front_core_fini(struct front_core *core)
{
    free(core->fe);
}
