/* The devices of a backend process. See run_back.h. */
#include "sim/run/run_back.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/bus.h"

#include <uthash.h>

struct device {
    struct run_back *back;
    struct be *be;
    uint16_t index; /* at the executor */
    uint16_t front, devid;
    uint32_t key; /* both */
    bool gone;    /* its nodes are: it is being stopped */
    bool again;   /* they are there again: it is served anew when the old core is through */
    struct device *next;
    UT_hash_handle hh;
};

struct run_back {
    struct run_back_config config;
    struct bus *bus;
    struct device *devices; /* the latest first */
    struct device *by_key;
    struct be_counters retired;
    uint32_t gone; /* how many devices are */
    bool stopping;
};

static void step_be(void *core, const struct ev *ev, struct step_out *out)
{
    be_step(core, ev, out);
}

static void step_bus(void *core, const struct ev *ev, struct step_out *out)
{
    bus_step(core, ev, out);
}

static uint64_t deadline_be(const void *core)
{
    return be_deadline_ns(core);
}

static void report(struct run_back *back, uint16_t front, const struct act_fault *fault)
{
    if (back->config.report)
        back->config.report(back->config.self, front, fault);
}

static void observe_be(void *self, const struct act *act)
{
    struct device *device = self;

    if (act->kind == ACT_FAULT)
        report(device->back, device->front, &act->fault);
}

static void observe_bus(void *self, const struct act *act)
{
    const struct run_back *back = self;
    bool ours = act->kind == ACT_FAULT && act->fault.reason == FAULT_STORE;

    if (act->kind == ACT_FAULT)
        report(self, ours ? back->config.domid : (uint16_t)act->fault.index, &act->fault);
}

static uint32_t key_of(uint16_t front, uint16_t devid)
{
    return (uint32_t)front << 16 | devid;
}

static struct device *find(struct run_back *back, uint16_t front, uint16_t devid)
{
    uint32_t key = key_of(front, devid);
    struct device *device;

    HASH_FIND(hh, back->by_key, &key, sizeof(key), device);
    return device;
}

static bool add_core(struct run_back *back, struct device *device)
{
    const struct run_back_config *config = &back->config;
    struct be_config be_config = {.dialect = config->dialect,
                                  .policy = config->policy,
                                  .device = exec_next_device(config->exec),
                                  .front = device->front,
                                  .order_max = config->order_max,
                                  .max_sockets = config->max_sockets,
                                  .backlog = config->backlog};
    struct exec_core core = {.step = step_be,
                             .deadline_ns = deadline_be,
                             .dialect = config->dialect,
                             .slots = be_slots(&be_config),
                             .self = device,
                             .observe = observe_be};

    core.core = malloc(be_size(&be_config));
    if (!core.core)
        return false;
    snprintf(core.own, sizeof(core.own), "/local/domain/%u/backend/%s/%u/%u", config->domid,
             config->dialect->device, device->front, device->devid);
    snprintf(core.other, sizeof(core.other), "/local/domain/%u/device/%s/%u", device->front,
             config->dialect->device, device->devid);
    device->be = be_init(core.core, &be_config);
    int index = exec_add(config->exec, &core);
    if (index < 0) {
        free(core.core);
        return false;
    }
    device->index = (uint16_t)index;
    exec_post(config->exec, device->index, EV_START);
    return true;
}

static void device_new(struct run_back *back, const struct act_device *act)
{
    struct device *device = calloc(1, sizeof(*device));

    assert(device);
    device->back = back;
    device->front = act->domid;
    device->devid = act->devid;
    if (!add_core(back, device)) {
        report(back, act->domid, &(struct act_fault){FAULT_DEVICES, act->domid, act->devid});
        free(device);
        return;
    }
    device->key = key_of(device->front, device->devid);
    HASH_ADD(hh, back->by_key, key, sizeof(device->key), device);
    device->next = back->devices;
    back->devices = device;
}

static void upcall_bus(void *self, const struct act *act)
{
    struct run_back *back = self;

    struct device *device = find(back, act->device.domid, act->device.devid);

    /* two cores in one directory would write over each other's state: one at a time */
    if (act->kind == ACT_DEVICE_NEW && device) {
        device->again = true;
    } else if (act->kind == ACT_DEVICE_NEW && !back->stopping) {
        device_new(back, &act->device);
    } else if (act->kind == ACT_DEVICE_GONE && device) {
        device->again = false;
        if (!device->gone)
            exec_post(back->config.exec, device->index, EV_STOP);
        back->gone += device->gone ? 0u : 1u;
        device->gone = true;
    }
}

struct run_back *run_back_create(const struct run_back_config *config)
{
    struct run_back *back = calloc(1, sizeof(*back));
    struct bus_config bus_config = {.device = exec_next_device(config->exec),
                                    .max_devices = config->max_devices};
    struct exec_core core = {
        .step = step_bus, .self = back, .upcall = upcall_bus, .observe = observe_bus};
    void *mem = malloc(bus_size(&bus_config));

    if (!back || !mem) {
        free(back);
        free(mem);
        return NULL;
    }
    back->config = *config;
    back->bus = bus_init(mem, &bus_config);
    core.core = mem;
    snprintf(core.own, sizeof(core.own), "/local/domain/%u/backend/%s", config->domid,
             config->dialect->device);
    int index = exec_add(config->exec, &core);
    assert(index >= 0); /* the first core of its executor */
    exec_post(config->exec, (uint16_t)index, EV_START);
    return back;
}

void run_back_stop(struct run_back *back)
{
    back->stopping = true;
    for (struct device *device = back->devices; device; device = device->next)
        if (!device->gone)
            exec_post(back->config.exec, device->index, EV_STOP);
}

const struct be *run_back_core(const struct run_back *back, uint16_t front)
{
    for (const struct device *device = back->devices; device; device = device->next)
        if (device->front == front)
            return device->be;
    return NULL;
}

int32_t run_back_front(const struct run_back *back, uint64_t token)
{
    for (const struct device *device = back->devices; device; device = device->next)
        if (device->index == step_device(token))
            return device->front;
    return -1;
}

static void add_counters(struct be_counters *sum, const struct be_counters *one)
{
    sum->requests += one->requests;
    sum->replies += one->replies;
    sum->refused += one->refused;
    sum->sent_bytes += one->sent_bytes;
    sum->received_bytes += one->received_bytes;
    sum->ring_full += one->ring_full;
    sum->faults += one->faults;
    sum->sockets_now += one->sockets_now;
    sum->sockets_peak += one->sockets_peak;
}

void run_back_turned(struct run_back *back)
{
    struct device **link = &back->devices;

    if (back->gone == 0 && !back->stopping)
        return;
    while (*link) {
        struct device *device = *link;
        bool through = (device->gone || back->stopping) && be_idle(device->be) &&
                       !exec_busy(back->config.exec, device->index);
        if (!through) {
            link = &device->next;
            continue;
        }
        struct act_device next = {device->front, device->devid};
        bool again = device->again && !back->stopping;
        back->gone -= device->gone ? 1u : 0u;
        add_counters(&back->retired, be_counters(device->be));
        exec_remove(back->config.exec, device->index);
        *link = device->next;
        HASH_DEL(back->by_key, device); /* NOLINT: clang 14 does not follow uthash's links */
        free(device->be);
        free(device);
        if (again)
            device_new(back, &next);
    }
}

bool run_back_idle(const struct run_back *back)
{
    return back->devices == NULL;
}

void run_back_counters(const struct run_back *back, struct be_counters *sum)
{
    *sum = back->retired;
    for (const struct device *device = back->devices; device; device = device->next)
        add_counters(sum, be_counters(device->be));
}

void run_back_destroy(struct run_back *back)
{
    HASH_CLEAR(hh, back->by_key);
    while (back->devices) {
        struct device *device = back->devices;
        back->devices = device->next;
        free(device->be);
        free(device);
    }
    free(back->bus);
    free(back);
}
