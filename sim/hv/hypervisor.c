/*
 * Domains, event channels and the toolstack's device nodes. See hypervisor.h; the grant table is
 * hypervisor_grants.c.
 */
#include "ringlib/err.h"
#include "sim/hv/hypervisor_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

enum {
    GRANTS_DEFAULT = 64 * 512, /* Xen's default of 64 frames of 512 entries */
    PORTS_DEFAULT = 4096,      /* of the 2-level ABI, 64-bit */
};

/* Identified by its frontend's directory: the type, domain and number it is known by. */
struct device {
    uint16_t front, back;
    struct device *prev, *next;
    char front_path[HV_PATH_BYTES];
    char back_path[HV_PATH_BYTES];
};

static void write_node(struct hypervisor *hv, const char *directory, const char *name,
                       const char *value)
{
    char path[HV_PATH_BYTES];
    int length = snprintf(path, sizeof(path), "%s/%s", directory, name);

    assert(length > 0 && (size_t)length < sizeof(path));
    int ret = store_write(hv->store, path, value);
    assert(ret == 0);
}

static void write_number(struct hypervisor *hv, const char *directory, const char *name,
                         uint32_t number)
{
    char value[16];

    snprintf(value, sizeof(value), "%" PRIu32, number);
    write_node(hv, directory, name, value);
}

struct hypervisor *hypervisor_create(const struct hypervisor_config *config)
{
    struct hypervisor *hv = calloc(1, sizeof(*hv));

    assert(hv && config->release_run);
    hv->config = *config;
    if (hv->config.grants_max == 0)
        hv->config.grants_max = GRANTS_DEFAULT;
    if (hv->config.ports_max == 0)
        hv->config.ports_max = PORTS_DEFAULT;
    hv->store = store_create();
    return hv;
}

void hypervisor_destroy(struct hypervisor *hv)
{
    struct device *device, *following;

    for (uint32_t domid = 0; domid < hv->domains_end; domid++) {
        if (hv->domains[domid])
            hypervisor_domain_remove(hv, (uint16_t)domid);
    }
    DL_FOREACH_SAFE (hv->devices, device, following) {
        free(device);
    }
    store_destroy(hv->store);
    free(hv->history);
    free(hv);
}

struct store *hypervisor_store(struct hypervisor *hv)
{
    return hv->store;
}

static void domain_path(uint16_t domid, char path[static HV_PATH_BYTES])
{
    snprintf(path, HV_PATH_BYTES, "/local/domain/%" PRIu16, domid);
}

/* What is known of the domid; the pointer is valid until the next one is new. */
static struct history *history_of(struct hypervisor *hv, uint16_t domid)
{
    uint32_t old = hv->history_room;

    if (domid >= old) {
        hv->history_room = domid < 2 * old ? 2 * old : domid + 1u;
        hv->history = realloc(hv->history, hv->history_room * sizeof(*hv->history));
        assert(hv->history);
        memset(hv->history + old, 0, (hv->history_room - old) * sizeof(*hv->history));
    }
    if (domid >= hv->domains_end)
        hv->domains_end = domid + 1u;
    return &hv->history[domid];
}

void hypervisor_domain_expect(struct hypervisor *hv, uint16_t domid)
{
    history_of(hv, domid)->expected = true;
}

int hypervisor_domain_add(struct hypervisor *hv, uint16_t domid)
{
    char path[HV_PATH_BYTES];

    if (hv->domains[domid])
        return -ERR_EXIST;
    struct domain *domain = calloc(1, sizeof(*domain));
    assert(domain);
    domain->domid = domid;
    hypervisor_grants_init(hv, domain);
    slots_init(&domain->ports, 1, hv->config.ports_max);
    hv->domains[domid] = domain;
    history_of(hv, domid)->lives++;
    domain_path(domid, path);
    write_number(hv, path, "domid", domid);
    return 0;
}

/* A device's directory goes, and the one above it if that is left empty. */
static void remove_directory(struct hypervisor *hv, char *path)
{
    char names[HV_PATH_BYTES];
    uint32_t used;

    (void)store_remove(hv->store, path); /* may be gone: a domain can remove it too */
    *strrchr(path, '/') = '\0';
    if (store_list(hv->store, path, names, sizeof(names), &used) == 0)
        (void)store_remove(hv->store, path);
}

static void remove_devices(struct hypervisor *hv, uint16_t domid)
{
    struct device *device, *following;

    DL_FOREACH_SAFE (hv->devices, device, following) {
        if (device->front != domid && device->back != domid)
            continue;
        DL_DELETE(hv->devices, device);
        remove_directory(hv, device->front_path);
        remove_directory(hv, device->back_path);
        free(device);
    }
}

void hypervisor_domain_remove(struct hypervisor *hv, uint16_t domid)
{
    struct domain *domain = hv->domains[domid];
    char path[HV_PATH_BYTES];

    assert(domain);
    hypervisor_grants_fini(hv, domain);
    for (uint32_t port = 1; domain->ports.used > 0; port++) {
        if (slots_taken(&domain->ports, port))
            (void)hypervisor_port_close(hv, domid, port);
    }
    slots_fini(&domain->ports);
    free(domain->port_table);
    free(domain);
    hv->domains[domid] = NULL;

    store_forget(hv->store, domid);
    remove_devices(hv, domid);
    domain_path(domid, path);
    (void)store_remove(hv->store, path); /* may be gone: a domain can remove it too */
    store_fire(hv->store, "@releaseDomain");
}

int hypervisor_device_add(struct hypervisor *hv, const char *type, uint16_t front, uint16_t back,
                          uint16_t devid)
{
    struct device *device = calloc(1, sizeof(*device));
    struct device *other;

    assert(device);
    device->front = front;
    device->back = back;
    int length = snprintf(device->back_path, sizeof(device->back_path),
                          "/local/domain/%u/backend/%s/%u/%u", back, type, front, devid);
    assert((size_t)length + sizeof("/frontend-id") <= sizeof(device->back_path));
    snprintf(device->front_path, sizeof(device->front_path), "/local/domain/%u/device/%s/%u", front,
             type, devid);
    DL_FOREACH (hv->devices, other) {
        if (strcmp(other->front_path, device->front_path) == 0) {
            free(device);
            return -ERR_EXIST;
        }
    }
    DL_APPEND(hv->devices, device);
    write_node(hv, device->back_path, "frontend", device->front_path);
    write_number(hv, device->back_path, "frontend-id", front);
    write_number(hv, device->back_path, "online", 1);
    write_number(hv, device->back_path, "state", 1);
    write_node(hv, device->front_path, "backend", device->back_path);
    write_number(hv, device->front_path, "backend-id", back);
    write_number(hv, device->front_path, "state", 1);
    return 0;
}

/* Give `domain` a port that is end `end` of the channel: the port or -ERR_NOSPC. */
static int64_t open_end(struct domain *domain, struct channel *channel, uint32_t end)
{
    int64_t port = slots_take(&domain->ports, 1);

    if (port < 0)
        return port;
    domain->port_table = slots_table(&domain->ports, domain->port_table, &domain->port_room,
                                     sizeof(*domain->port_table));
    domain->port_table[port] = (struct port){.channel = channel, .end = end};
    channel->ends[end].domain = domain;
    channel->ends[end].port = (uint32_t)port;
    return port;
}

int64_t hypervisor_port_alloc(struct hypervisor *hv, uint16_t owner, uint16_t peer, void *backing)
{
    assert(hv->domains[owner]);
    struct channel *channel = calloc(1, sizeof(*channel));
    assert(channel);
    channel->backing = backing;
    channel->ends[0].remote = peer;
    channel->ends[1].remote = owner;
    int64_t port = open_end(hv->domains[owner], channel, 0);
    if (port < 0)
        free(channel);
    return port;
}

int64_t hypervisor_port_bind(struct hypervisor *hv, uint16_t binder, uint16_t remote,
                             uint32_t remote_port, void **backing)
{
    const struct domain *from = hv->domains[remote];

    assert(hv->domains[binder]);
    if (!from)
        return -ERR_SRCH;
    if (!slots_taken(&from->ports, remote_port))
        return -ERR_INVAL;
    struct port offered = from->port_table[remote_port];
    if (offered.channel->ends[offered.end].remote != binder)
        return -ERR_SRCH;
    if (offered.channel->ends[!offered.end].domain)
        return -ERR_INVAL;
    *backing = offered.channel->backing;
    return open_end(hv->domains[binder], offered.channel, !offered.end);
}

int hypervisor_port_close(struct hypervisor *hv, uint16_t owner, uint32_t port)
{
    struct domain *domain = hv->domains[owner];

    assert(domain);
    if (!slots_taken(&domain->ports, port))
        return -ERR_INVAL;
    struct port closing = domain->port_table[port];
    struct channel *channel = closing.channel;
    slots_give(&domain->ports, port);
    domain->port_table[port] = (struct port){0};
    channel->ends[closing.end].domain = NULL;
    if (channel->ends[!closing.end].domain)
        return 0;
    if (hv->config.release_channel)
        hv->config.release_channel(hv->config.self, channel->backing);
    free(channel);
    return 0;
}

bool hypervisor_port_peer(const struct hypervisor *hv, uint16_t owner, uint32_t port,
                          uint16_t *peer, uint32_t *peer_port)
{
    const struct domain *domain = hv->domains[owner];

    if (!domain || !slots_taken(&domain->ports, port))
        return false;
    struct port own = domain->port_table[port];
    const struct channel_end *other = &own.channel->ends[!own.end];
    if (!other->domain)
        return false;
    *peer = other->domain->domid;
    *peer_port = other->port;
    return true;
}

/* As xenstore's permissions have it on Xen: the directories of a device belong to the toolstack,
 * and so does that of a domain, through which all of them could be made. */
static bool has_directory(const struct store *store, const char *path)
{
    static const char guarded[] = "/local/domain/";
    char parent[HV_PATH_BYTES];
    const char *slash = strrchr(path, '/');

    if (strncmp(path, guarded, sizeof(guarded) - 1) != 0)
        return true;
    if (slash == path + sizeof(guarded) - 2)
        return store_read(store, path) != NULL;
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    return store_read(store, parent) != NULL;
}

int hypervisor_publish(struct hypervisor *hv, const struct hv_node *nodes, uint32_t count)
{
    struct store *store = hypervisor_store(hv);

    for (uint32_t i = 0; i < count; i++) {
        int ret = store_write_check(nodes[i].path, nodes[i].value);
        if (ret == 0 && !has_directory(store, nodes[i].path))
            ret = -ERR_NOENT;
        if (ret < 0)
            return ret;
    }
    for (uint32_t i = 0; i < count; i++)
        (void)store_write(store, nodes[i].path, nodes[i].value); /* it was checked */
    return 0;
}
