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

/* Identified by its frontend's directory: the type, domain and number it is known by. */
struct device {
    uint16_t front, back;
    bool attached; /* its nodes are there */
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
    int ret = store_put(hv->store, path, value);
    assert(ret == 0);
}

/* A directory of `owner`, with what it holds from now on, that `reader` may read too: what libxl
 * gives the two directories of a device. With one and the same, nobody else may. */
static void make_directory(struct hypervisor *hv, const char *path, uint16_t owner, uint16_t reader)
{
    const struct store_perm perms[2] = {{owner, STORE_NONE}, {reader, STORE_READ}};
    struct store_client *toolstack = store_toolstack(hv->store);
    int ret = store_mkdir(toolstack, 0, path);

    if (ret == 0)
        ret = store_set_perms(toolstack, 0, path, perms, owner == reader ? 1 : 2);
    assert(ret == 0);
    (void)ret;
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
        hv->config.grants_max = HYPERVISOR_GRANTS;
    if (hv->config.ports_max == 0)
        hv->config.ports_max = HYPERVISOR_PORTS;
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

struct store_client *hypervisor_client(struct hypervisor *hv, uint16_t domid)
{
    return hv->domains[domid]->client;
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

void hypervisor_domain_limit(struct hypervisor *hv, uint16_t domid,
                             const struct hypervisor_limits *limits)
{
    assert(limits->grants_max == 0 || limits->grants_max > HV_REFS_RESERVED);
    assert(limits->ports_max != 1); /* port 0 is none */
    history_of(hv, domid)->limits = *limits;
}

/* The nodes of a domain that is there, or whose device is there before it. */
static void make_domain_directory(struct hypervisor *hv, uint16_t domid)
{
    char path[HV_PATH_BYTES];

    domain_path(domid, path);
    if (store_text(hv->store, path))
        return;
    make_directory(hv, path, 0, domid);
    write_number(hv, path, "domid", domid);
    memcpy(path + strlen(path), "/data", sizeof("/data"));
    if (domid != 0)
        make_directory(hv, path, domid, domid);
}

static void attach(struct hypervisor *hv, struct device *device)
{
    device->attached = true;
    make_directory(hv, device->back_path, device->back, device->front);
    make_directory(hv, device->front_path, device->front, device->back);
    write_node(hv, device->back_path, "frontend", device->front_path);
    write_number(hv, device->back_path, "frontend-id", device->front);
    write_number(hv, device->back_path, "online", 1);
    write_number(hv, device->back_path, "state", 1);
    write_node(hv, device->front_path, "backend", device->back_path);
    write_number(hv, device->front_path, "backend-id", device->back);
    write_number(hv, device->front_path, "state", 1);
}

/* A domain is back: its devices come again, where the other one is there too. */
static void attach_again(struct hypervisor *hv, uint16_t domid)
{
    struct device *device;

    DL_FOREACH (hv->devices, device) {
        bool ours = device->front == domid || device->back == domid;
        if (ours && !device->attached && hv->domains[device->front] && hv->domains[device->back])
            attach(hv, device);
    }
}

int hypervisor_domain_add(struct hypervisor *hv, uint16_t domid)
{
    if (hv->domains[domid])
        return -ERR_EXIST;
    struct domain *domain = calloc(1, sizeof(*domain));
    assert(domain);
    domain->domid = domid;
    struct history *history = history_of(hv, domid);
    const struct hypervisor_limits *own = &history->limits;
    hypervisor_grants_init(domain, own->grants_max ? own->grants_max : hv->config.grants_max);
    slots_init(&domain->ports, 1, own->ports_max ? own->ports_max : hv->config.ports_max);
    hv->domains[domid] = domain;
    history->lives++;
    domain->client = store_connect(hv->store, domid, NULL);
    make_domain_directory(hv, domid);
    store_introduce(hv->store, domid);
    attach_again(hv, domid);
    return 0;
}

/* A device's directory goes, and the one above it if that is left empty. */
static void remove_directory(struct hypervisor *hv, const char *path)
{
    char above[HV_PATH_BYTES];
    struct store_names names;

    (void)store_cut(hv->store, path); /* may be gone: a domain can remove it too */
    snprintf(above, sizeof(above), "%s", path);
    *strrchr(above, '/') = '\0';
    if (store_list(store_toolstack(hv->store), 0, above, &names) == 0 && names.count == 0)
        (void)store_cut(hv->store, above);
}

static void detach_devices(struct hypervisor *hv, uint16_t domid)
{
    struct device *device;

    DL_FOREACH (hv->devices, device) {
        if ((device->front != domid && device->back != domid) || !device->attached)
            continue;
        device->attached = false;
        remove_directory(hv, device->front_path);
        remove_directory(hv, device->back_path);
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
    store_disconnect(domain->client);
    free(domain);
    hv->domains[domid] = NULL;

    detach_devices(hv, domid);
    domain_path(domid, path);
    (void)store_cut(hv->store, path); /* may be gone: domain 0 can remove it too */
    store_release(hv->store, domid);
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
    make_domain_directory(hv, front);
    make_domain_directory(hv, back);
    attach(hv, device);
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

/* Whether the directory of a node below /local/domain is there for `client`. Permissions keep a
 * guest from making it again. Domain 0, which may, looks first, as a driver there does: Linux's
 * xenbus_switch_state. */
static int look_for_directory(struct store_client *client, uint32_t transaction, const char *path)
{
    static const char guarded[] = "/local/domain/";
    char directory[HV_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    const void *value;
    uint32_t bytes;

    if (strncmp(path, guarded, sizeof(guarded) - 1) != 0)
        return 0;
    if (slash == path + sizeof(guarded) - 2)
        slash = path + strlen(path);
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = '\0';
    return store_read(client, transaction, directory, &value, &bytes);
}

int hypervisor_publish(struct hypervisor *hv, uint16_t domid, const struct hv_node *nodes,
                       uint32_t count)
{
    struct store_client *client = hypervisor_client(hv, domid);
    int64_t transaction = store_begin(client);
    int ret = transaction < 0 ? (int)transaction : 0;

    for (uint32_t i = 0; i < count && ret == 0; i++) {
        ret = look_for_directory(client, (uint32_t)transaction, nodes[i].path);
        if (ret == 0)
            ret = store_write(client, (uint32_t)transaction, nodes[i].path, nodes[i].value,
                              (uint32_t)strlen(nodes[i].value));
    }
    if (transaction < 0)
        return ret;
    int ended = store_end(client, (uint32_t)transaction, ret == 0);
    return ret < 0 ? ret : ended;
}
