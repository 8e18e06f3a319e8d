/*
 * The backend's directory, listed again whenever something below it changes. See bus.h.
 * A listing goes domain by domain, each with one operation under way; after one during which
 * something changed comes another, so that who is listed last is not forgotten for those who
 * change. What a listing without a change did not see is gone.
 */
#include "backend/bus.h"

#include "ringlib/xenbus.h"

struct bus_device {
    uint16_t domid, devid;
    bool known, seen, second;
};

struct bus {
    struct bus_config config;
    bool listing, again;
    bool full_told;         /* that there are more devices than room; once, until one goes */
    uint32_t domains, next; /* of this listing */
    uint32_t count;
    uint32_t near;    /* where the last search ended: listings come in the table's order */
    uint16_t *domids; /* of this listing, max_devices of them */
    struct bus_device devices[];
};

size_t bus_size(const struct bus_config *config)
{
    return sizeof(struct bus) +
           config->max_devices * (sizeof(struct bus_device) + sizeof(uint16_t));
}

struct bus *bus_init(void *mem, const struct bus_config *config)
{
    struct bus *bus = mem;

    memset(mem, 0, bus_size(config));
    bus->config = *config;
    bus->domids = (uint16_t *)(void *)&bus->devices[config->max_devices];
    return bus;
}

static uint64_t token(const struct bus *bus)
{
    return step_token(bus->config.device, 0, STEP_SLOT_DEVICE);
}

static void list(struct bus *bus, uint16_t domid, struct step_out *out)
{
    step_act(out, ACT_STORE_LIST, token(bus))->store =
        (struct act_store){STEP_OWN, DIALECT_KEYS, domid};
}

static void list_all(struct bus *bus, struct step_out *out)
{
    bus->listing = true;
    bus->again = false;
    bus->domains = bus->next = 0;
    for (uint32_t i = 0; i < bus->count; i++)
        bus->devices[i].seen = false;
    list(bus, STEP_DOMID_ALL, out);
}

static void tell(struct bus *bus, enum act_kind kind, const struct bus_device *device,
                 struct step_out *out)
{
    step_act(out, kind, token(bus))->device = (struct act_device){device->domid, device->devid};
}

static struct bus_device *find(struct bus *bus, uint16_t domid, uint16_t devid)
{
    for (uint32_t i = 0; i < bus->count; i++) {
        struct bus_device *device = &bus->devices[(bus->near + i) % bus->count];
        if (device->domid != domid || device->devid != devid)
            continue;
        bus->near = (bus->near + i + 1) % bus->count;
        return device;
    }
    return NULL;
}

static bool has_front(const struct bus *bus, uint16_t domid)
{
    for (uint32_t i = 0; i < bus->count; i++)
        if (bus->devices[i].domid == domid && !bus->devices[i].second)
            return true;
    return false;
}

static void refuse(struct bus *bus, enum fault_reason reason, uint16_t domid, uint16_t devid,
                   struct step_out *out)
{
    step_act(out, ACT_FAULT, token(bus))->fault = (struct act_fault){reason, domid, devid};
}

static void tell_full(struct bus *bus, uint16_t domid, uint16_t devid, struct step_out *out)
{
    if (!bus->full_told)
        refuse(bus, FAULT_DEVICES, domid, devid, out);
    bus->full_told = true;
}

static void saw(struct bus *bus, uint16_t domid, uint16_t devid, struct step_out *out)
{
    struct bus_device *device = find(bus, domid, devid);

    if (!device) {
        if (bus->count == bus->config.max_devices) {
            tell_full(bus, domid, devid, out);
            return;
        }
        bool second = has_front(bus, domid);
        device = &bus->devices[bus->count++];
        *device = (struct bus_device){.domid = domid, .devid = devid, .second = second};
        if (second)
            refuse(bus, FAULT_SECOND_FRONT, domid, devid, out);
        else
            tell(bus, ACT_DEVICE_NEW, device, out);
    }
    device->seen = true;
}

/* Devices the listing did not meet are gone; the table closes ranks. */
static void forget_unseen(struct bus *bus, struct step_out *out)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < bus->count; i++) {
        struct bus_device device = bus->devices[i];
        bool full = step_room(out) < 4; /* the rest is forgotten by the next listing */
        bus->again |= !device.seen && full;
        if (device.seen || full)
            bus->devices[kept++] = device;
        else if (!device.second)
            tell(bus, ACT_DEVICE_GONE, &device, out);
    }
    bus->full_told &= kept == bus->count;
    bus->count = kept;
    for (uint32_t i = 0; i < bus->count && step_room(out) >= 4; i++) {
        struct bus_device *device = &bus->devices[i];
        if (!device->second || has_front(bus, device->domid))
            continue;
        device->second = false; /* the first has gone: this one is served now */
        tell(bus, ACT_DEVICE_NEW, device, out);
    }
}

static void next_domain(struct bus *bus, struct step_out *out)
{
    if (bus->next < bus->domains) {
        list(bus, bus->domids[bus->next], out);
        return;
    }
    if (!bus->again)
        forget_unseen(bus, out);
    bus->listing = false;
    if (bus->again)
        list_all(bus, out);
}

static void listed(struct bus *bus, const struct ev *ev, struct step_out *out)
{
    const char *name = ev->store.names;
    uint32_t largest = ev->store.domid == STEP_DOMID_ALL ? XENBUS_DOMID_MAX : UINT16_MAX;

    if (ev->ret < 0 && ev->ret != -ERR_NOENT) { /* nothing is known: try at the next change */
        bus->listing = false;
        if (bus->again)
            list_all(bus, out);
        return;
    }
    for (int32_t i = 0; i < ev->ret; i++, name += strlen(name) + 1) {
        int64_t number = xenbus_parse(name, largest);
        if (number < 0)
            continue; /* not a domain's or a device's directory */
        if (ev->store.domid == STEP_DOMID_ALL) {
            if (bus->domains < bus->config.max_devices)
                bus->domids[bus->domains++] = (uint16_t)number;
            else if (step_room(out) >= 4)
                tell_full(bus, (uint16_t)number, 0, out);
        } else if (step_room(out) >= 4) {
            saw(bus, ev->store.domid, (uint16_t)number, out);
        } else {
            bus->again = true;
        }
    }
    bus->next += ev->store.domid != STEP_DOMID_ALL ? 1u : 0u;
    next_domain(bus, out);
}

void bus_step(struct bus *bus, const struct ev *ev, struct step_out *out)
{
    if (ev->kind == EV_START) {
        step_act(out, ACT_STORE_WATCH, token(bus))->store =
            (struct act_store){STEP_OWN, DIALECT_KEYS, STEP_DOMID_ALL};
    } else if (ev->kind == EV_STORE_WATCH && ev->ret < 0) {
        refuse(bus, FAULT_STORE, (uint16_t)ev->kind, (uint16_t)-ev->ret, out);
    } else if (ev->kind == EV_STORE_LIST) {
        listed(bus, ev, out);
    } else if (ev->kind == EV_STORE) {
        if (bus->listing)
            bus->again = true;
        else
            list_all(bus, out);
    }
}
