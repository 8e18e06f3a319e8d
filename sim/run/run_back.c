/* The devices of a backend process. See run_back.h. */
#include "sim/run/run_back.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/bus.h"

#include <uthash.h>

/* The devices of one dialect. */
struct kind {
    struct run_back *back;
    const struct dialect *dialect;
    struct bus *bus;
};

struct device {
    const struct kind *kind;
    struct be *be;
    uint16_t index; /* at the executor */
    uint16_t front, devid;
    uint64_t key; /* all three */
    bool gone;    /* its nodes are: it is being stopped */
    bool again;   /* they are there again: it is served anew when the old core is through */
    struct device *next;
    UT_hash_handle hh;
};

struct run_back {
    struct run_back_config config;
    struct kind kinds[DIALECTS_MAX];
    uint32_t kind_count;
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

static void report(const struct kind *kind, uint16_t front, const struct act_fault *fault)
{
    const struct run_back_config *config = &kind->back->config;

    if (config->report)
        config->report(config->self, kind->dialect, front, fault);
}

static void observe_be(void *self, const struct act *act)
{
    struct device *device = self;

    if (act->kind == ACT_FAULT)
        report(device->kind, device->front, &act->fault);
}

static void observe_bus(void *self, const struct act *act)
{
    const struct kind *kind = self;
    bool ours = act->kind == ACT_FAULT && act->fault.reason == FAULT_STORE;

    if (act->kind == ACT_FAULT)
        report(kind, ours ? kind->back->config.domid : (uint16_t)act->fault.index, &act->fault);
}

static uint64_t key_of(const struct kind *kind, const struct act_device *device)
{
    return (uint64_t)(kind - kind->back->kinds) << 32 | (uint32_t)device->domid << 16 |
           device->devid;
}

static struct device *find(const struct kind *kind, const struct act_device *which)
{
    uint64_t key = key_of(kind, which);
    struct device *device;

    HASH_FIND(hh, kind->back->by_key, &key, sizeof(key), device);
    return device;
}

static bool add_core(struct device *device)
{
    const struct run_back_config *config = &device->kind->back->config;
    const struct dialect *dialect = device->kind->dialect;
    bool lower = config->order_max > 0 && config->order_max < dialect->order_max;
    struct be_config be_config = {.dialect = dialect,
                                  .policy = config->policy,
                                  .device = exec_next_device(config->exec),
                                  .front = device->front,
                                  .order_max = lower ? config->order_max : dialect->order_max,
                                  .max_sockets = config->max_sockets,
                                  .backlog = config->backlog,
                                  .quirks = config->quirks};
    struct exec_core core = {.step = step_be,
                             .deadline_ns = deadline_be,
                             .dialect = dialect,
                             .slots = be_slots(&be_config),
                             .self = device,
                             .observe = observe_be};

    core.core = malloc(be_size(&be_config));
    if (!core.core)
        return false;
    snprintf(core.own, sizeof(core.own), "/local/domain/%u/backend/%s/%u/%u", config->domid,
             dialect->device, device->front, device->devid);
    snprintf(core.other, sizeof(core.other), "/local/domain/%u/device/%s/%u", device->front,
             dialect->device, device->devid);
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

static void device_new(const struct kind *kind, const struct act_device *act)
{
    struct run_back *back = kind->back;
    struct device *device = calloc(1, sizeof(*device));

    assert(device);
    device->kind = kind;
    device->front = act->domid;
    device->devid = act->devid;
    if (!add_core(device)) {
        report(kind, act->domid, &(struct act_fault){FAULT_DEVICES, act->domid, act->devid});
        free(device);
        return;
    }
    device->key = key_of(kind, act);
    HASH_ADD(hh, back->by_key, key, sizeof(device->key), device);
    device->next = back->devices;
    back->devices = device;
}

static void upcall_bus(void *self, const struct act *act)
{
    const struct kind *kind = self;
    struct run_back *back = kind->back;
    struct device *device = find(kind, &act->device);

    /* two cores in one directory would write over each other's state: one at a time */
    if (act->kind == ACT_DEVICE_NEW && device) {
        device->again = true;
    } else if (act->kind == ACT_DEVICE_NEW && !back->stopping) {
        device_new(kind, &act->device);
    } else if (act->kind == ACT_DEVICE_GONE && device) {
        device->again = false;
        if (!device->gone)
            exec_post(back->config.exec, device->index, EV_STOP);
        back->gone += device->gone ? 0u : 1u;
        device->gone = true;
    }
}

/* Look for the devices of one more dialect. */
static bool add_kind(struct run_back *back, const struct dialect *dialect)
{
    const struct run_back_config *config = &back->config;
    struct bus_config bus_config = {.device = exec_next_device(config->exec),
                                    .max_devices = config->max_devices};
    struct kind *kind = &back->kinds[back->kind_count];
    struct exec_core core = {
        .step = step_bus, .self = kind, .upcall = upcall_bus, .observe = observe_bus};

    assert(back->kind_count < DIALECTS_MAX);
    core.core = malloc(bus_size(&bus_config));
    if (!core.core)
        return false;
    *kind = (struct kind){back, dialect, bus_init(core.core, &bus_config)};
    back->kind_count++;
    snprintf(core.own, sizeof(core.own), "/local/domain/%u/backend/%s", config->domid,
             dialect->device);
    int index = exec_add(config->exec, &core);
    assert(index >= 0); /* the first cores of its executor */
    exec_post(config->exec, (uint16_t)index, EV_START);
    return true;
}

struct run_back *run_back_create(const struct run_back_config *config)
{
    struct run_back *back = calloc(1, sizeof(*back));

    if (!back)
        return NULL;
    back->config = *config;
    for (uint32_t i = 0; dialect_at(i); i++)
        if ((config->dialects >> i & 1u) && !add_kind(back, dialect_at(i))) {
            run_back_destroy(back);
            return NULL;
        }
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
    sum->forgotten += one->forgotten;
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
        const struct kind *kind = device->kind;
        bool again = device->again && !back->stopping;
        back->gone -= device->gone ? 1u : 0u;
        add_counters(&back->retired, be_counters(device->be));
        exec_remove(back->config.exec, device->index);
        *link = device->next;
        HASH_DEL(back->by_key, device); /* NOLINT: clang 14 does not follow uthash's links */
        free(device->be);
        free(device);
        if (again)
            device_new(kind, &next);
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
    for (uint32_t i = 0; i < back->kind_count; i++)
        free(back->kinds[i].bus);
    free(back);
}
