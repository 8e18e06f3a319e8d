/* A second guest. See witness.h. */
#include "tests/support/witness.h"

#include <stdio.h>
#include <stdlib.h>

static void front_step(void *core, const struct ev *ev, struct step_out *out)
{
    fe_step(core, ev, out);
}

static void back_step(void *core, const struct ev *ev, struct step_out *out)
{
    be_step(core, ev, out);
}

static void told(void *self, const struct act *act)
{
    struct witness *witness = self;

    assert(act->kind != ACT_GONE || witness->done == 2); /* it asked for that */
    assert(act->kind != ACT_DONE || act->done.ret == 0);
    witness->up += act->kind == ACT_UP;
    witness->done += act->kind == ACT_DONE;
}

static void observe(void *self, const struct act *act)
{
    (void)self;
    assert(act->kind != ACT_FAULT);
}

static void run(struct witness *witness)
{
    uint64_t before, now = 0;

    do {
        before = now;
        pair_run(witness->pair);
        exec_turn(witness->exec, witness->pair->now_ns);
        now = exec_counters(witness->exec)->steps + exec_counters(witness->pair->back)->steps;
    } while (now != before);
}

static void paths(const struct dialect *dialect, struct exec_core *core, bool front)
{
    snprintf(front ? core->own : core->other, EXEC_PATH_BYTES, "/local/domain/%d/device/%s/0",
             WITNESS, dialect->device);
    snprintf(front ? core->other : core->own, EXEC_PATH_BYTES, "/local/domain/%d/backend/%s/%d/0",
             PAIR_BACK, dialect->device, WITNESS);
}

static void open_back(struct witness *witness)
{
    const struct pair_config *pair = &witness->pair->config;
    struct exec_core core = {.step = back_step, .observe = observe, .dialect = pair->dialect};
    struct be_config config = {.dialect = pair->dialect,
                               .device = exec_next_device(witness->pair->back),
                               .policy = &witness->pair->policy,
                               .front = WITNESS,
                               .order_max = pair->back_order,
                               .max_sockets = 2};

    core.slots = be_slots(&config);
    core.core = malloc(be_size(&config));
    witness->be = be_init(core.core, &config);
    paths(pair->dialect, &core, false);
    int index = exec_add(witness->pair->back, &core);
    assert(index == config.device);
    exec_post(witness->pair->back, config.device, EV_START);
}

static void open_front(struct witness *witness)
{
    const struct pair_config *pair = &witness->pair->config;
    struct exec_core core = {.step = front_step,
                             .self = witness,
                             .upcall = told,
                             .observe = observe,
                             .dialect = pair->dialect};
    uint32_t order = pair->dialect->order_default;
    struct fe_config config = {.dialect = pair->dialect, .max_sockets = 2, .linger_ns = 1};

    config.order = order < pair->back_order ? order : pair->back_order;
    witness->exec = exec_create(&(struct exec_config){.hv = witness->hv, .max_devices = 1});
    core.slots = fe_slots(&config);
    core.core = malloc(fe_size(&config));
    witness->fe = fe_init(core.core, &config);
    paths(pair->dialect, &core, true);
    int index = exec_add(witness->exec, &core);
    assert(index == 0);
    exec_post(witness->exec, 0, EV_START);
}

void witness_open(struct witness *witness, struct pair *pair)
{
    struct call_addr addr = pair_addr(80);

    *witness = (struct witness){.pair = pair, .hv = hv_mem_domain(pair->machine, WITNESS)};
    int ret = hypervisor_device_add(hv_mem_tables(pair->machine), pair->config.dialect->device,
                                    WITNESS, PAIR_BACK, 0);
    assert(ret == 0 || ret == -ERR_EXIST);
    open_back(witness);
    open_front(witness);
    run(witness);
    assert(witness->up == 1);
    int64_t sock = fe_connect(witness->fe, &addr, exec_call(witness->exec, pair->now_ns));
    exec_call_end(witness->exec, 0);
    run(witness);
    assert(sock >= 0);
    witness->sock = (uint64_t)sock;
    witness->token = pair_pending(pair, EV_NET_CONNECT);
    net_mem_complete(pair->net, EV_NET_CONNECT, witness->token, 0, NULL);
    run(witness);
    assert(witness->done == 1);
}

void witness_check(struct witness *witness)
{
    struct pair *pair = witness->pair;
    unsigned char byte = (unsigned char)++witness->count, back;
    uint64_t written;

    int64_t taken =
        fe_send(witness->fe, &(struct fe_send){.sock = witness->sock, .from = &byte, .bytes = 1},
                exec_call(witness->exec, pair->now_ns));
    exec_call_end(witness->exec, 0);
    run(witness);
    bool wrote = net_mem_complete(pair->net, EV_NET_WRITE, witness->token, 1, NULL);
    assert(taken == 1 && wrote);
    const unsigned char *all = net_mem_written(pair->net, witness->token, &written);
    assert(written == witness->count && all[written - 1] == byte);
    bool read = net_mem_complete(pair->net, EV_NET_READ, witness->token, 1, &byte);
    run(witness);
    taken = fe_recv(witness->fe, &(struct fe_recv){.sock = witness->sock, .to = &back, .bytes = 1},
                    exec_call(witness->exec, pair->now_ns));
    exec_call_end(witness->exec, 0);
    run(witness);
    assert(read && taken == 1 && back == byte);
}

void witness_close(struct witness *witness)
{
    uint16_t device = step_device(witness->token);
    int ret =
        fe_release(witness->fe, witness->sock, exec_call(witness->exec, witness->pair->now_ns));
    exec_call_end(witness->exec, 0);
    run(witness);
    assert(ret == 0 && witness->done == 2);
    exec_post(witness->pair->back, device, EV_STOP);
    exec_post(witness->exec, 0, EV_STOP);
    run(witness);
    assert(be_idle(witness->be) && fe_idle(witness->fe));
    assert(witness->hv->counters.grants_now == 0 && witness->hv->counters.ports_now == 0);
    exec_remove(witness->pair->back, device);
    exec_destroy(witness->exec);
    hv_close(witness->hv);
    free(witness->fe);
    free(witness->be);
}
