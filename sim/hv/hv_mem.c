/*
 * A hypervisor in one process. See hv_mem.h.
 *
 * An op takes effect in the tables at its submission; only its completion waits in the handle's
 * queue, with the port and store events, in one order. Store events leave the tree's queue whenever
 * a handle is entered, so they keep their place between what happened before and after.
 * Invariants: a port's queue entry is part of the port, so notify never allocates; an entry that is
 * no port's belongs to the queue; running out of heap ends the process.
 * Source: architecture 3; data/xen-semantics.md.
 */
#include "sim/hv/hv_mem_private.h"

#include <stdlib.h>
#include <utlist.h>

/* Behind all that is due no later; without time that is the end. */
static void insert(struct mem_domain *d, struct queued *entry)
{
    struct queued *after = d->queue ? d->queue->prev : NULL; /* the last one */

    while (after && after->due_ns > entry->due_ns)
        after = after == d->queue ? NULL : after->prev;
    if (after)
        DL_APPEND_ELEM(d->queue, after, entry);
    else
        DL_PREPEND(d->queue, entry);
}

/* When an event of what `by` does now is due. */
static uint64_t due_ns(const struct mem_domain *d, uint16_t by, enum ev_kind kind)
{
    const struct hv_mem_time *time = d->machine->time;

    return time ? time->due_ns(time->self, d->hv.domid, by, kind) : 0;
}

static struct queued *enqueue(struct mem_domain *d, uint16_t by, enum ev_kind kind, uint64_t token)
{
    struct queued *entry = d->machine->spare;

    if (entry)
        d->machine->spare = entry->next;
    else
        entry = malloc(sizeof(*entry));
    assert(entry);
    memset(entry, 0, sizeof(*entry));
    entry->ev.kind = kind;
    entry->ev.token = token;
    entry->due_ns = due_ns(d, by, kind);
    insert(d, entry);
    return entry;
}

void hv_mem_spend(const struct mem_domain *d, enum ev_kind kind, uint32_t pages)
{
    const struct hv_mem_time *time = d->machine->time;

    if (time)
        time->spend(time->self, d->hv.domid, kind, pages);
}

struct ev *hv_mem_complete(struct mem_domain *d, enum ev_kind kind, uint64_t token, int ret,
                           void *payload)
{
    struct queued *entry = enqueue(d, d->hv.domid, kind, token);

    entry->ev.ret = ret;
    entry->payload = payload;
    return &entry->ev;
}

static void discard(struct hv_mem *machine, struct queued *entry)
{
    if (!entry)
        return;
    free(entry->payload);
    entry->next = machine->spare;
    machine->spare = entry;
}

/* Move the tree's events, of what `by` did, to the queues of those who watch. */
static void pump_store(struct hv_mem *machine, uint16_t by)
{
    struct store_event event;

    while (store_next(hypervisor_store(machine->tables), &event)) {
        uint16_t domid = store_domid(event.client);
        struct mem_domain *d = machine->domains[domid];
        struct mem_watch *watch = NULL;

        if (d)
            HASH_FIND(hh, d->watches, event.token, event.token_bytes, watch);
        if (!watch)
            continue;
        struct queued *entry = enqueue(d, by, EV_STORE, watch->token);
        entry->ev.store = (struct ev_store){
            .side = watch->tag.side, .key = watch->tag.key, .domid = watch->tag.domid};
        if (machine->time)
            machine->time->arrived(machine->time->self, domid, entry->due_ns);
    }
}

struct mem_domain *hv_mem_enter(struct hv *hv)
{
    struct mem_domain *d = (struct mem_domain *)hv;

    pthread_mutex_lock(&d->machine->lock);
    pump_store(d->machine, hv->domid);
    return d;
}

void hv_mem_leave(struct mem_domain *d)
{
    if (d->machine->time)
        pump_store(d->machine, d->hv.domid); /* who watches may be asleep, and nobody else enters */
    pthread_mutex_unlock(&d->machine->lock);
}

struct ev *hv_mem_injected(struct mem_domain *d, enum ev_kind kind, uint64_t token)
{
    struct mem_fault *fault = &d->faults[kind];

    if (!fault->armed || fault->after-- > 0)
        return NULL;
    fault->armed = false;
    return hv_mem_complete(d, kind, token, fault->ret, NULL);
}

void hv_mem_drop_store(struct mem_domain *d, uint64_t token)
{
    struct queued *entry, *following;

    DL_FOREACH_SAFE (d->queue, entry, following) {
        if (entry->ev.kind == EV_STORE && entry->ev.token == token) {
            DL_DELETE(d->queue, entry);
            discard(d->machine, entry);
        }
    }
}

static struct mem_port *port_find(const struct mem_domain *d, uint32_t number)
{
    return number < d->port_room ? d->ports[number] : NULL;
}

static struct mem_port *port_add(struct mem_domain *d, uint32_t number)
{
    struct mem_port *port = calloc(1, sizeof(*port));
    uint32_t room = d->port_room ? d->port_room : 16;

    while (room <= number)
        room *= 2;
    if (room > d->port_room) {
        d->ports = realloc(d->ports, room * sizeof(d->ports[0]));
        assert(d->ports);
        memset(d->ports + d->port_room, 0, (room - d->port_room) * sizeof(d->ports[0]));
        d->port_room = room;
    }
    assert(port && !d->ports[number]);
    d->ports[number] = port;
    port->port = number;
    return port;
}

static void port_raise(struct mem_domain *d, struct mem_port *port)
{
    if (port->masked) {
        port->pending = true;
    } else if (!port->queued) {
        const struct hv_mem_time *time = d->machine->time;
        uint64_t now_ns = time ? time->now_ns(time->self, d->hv.domid) : 0;
        port->queued = true;
        port->entry.due_ns = now_ns > port->born_ns ? now_ns : port->born_ns;
        insert(d, &port->entry);
    }
}

/* A signal on its way names its port, and tells it from a later one of that number. */
static uint64_t signal_of(const struct mem_port *port)
{
    return (uint64_t)port->port << 32 | port->serial;
}

static struct mem_port *signal_find(struct hv_mem *machine, uint16_t to, uint64_t signal)
{
    struct mem_domain *d = machine->domains[to];
    struct mem_port *port = d ? port_find(d, (uint32_t)(signal >> 32)) : NULL;

    return port && port->serial == (uint32_t)signal ? port : NULL;
}

static void port_delivered(struct mem_port *port)
{
    port->queued = false;
    port->masked = true;
}

static bool port_drop(struct mem_domain *d, struct mem_port *port)
{
    bool was_queued = port->queued;

    if (was_queued)
        DL_DELETE(d->queue, &port->entry);
    port->queued = false;
    return was_queued;
}

static void port_free(struct mem_domain *d, struct mem_port *port)
{
    port_drop(d, port);
    d->ports[port->port] = NULL;
    free(port);
}

/* Complete an alloc or bind with the tables' answer; the new port, NULL on failure. */
static struct mem_port *port_open(struct mem_domain *d, enum ev_kind kind, uint64_t token,
                                  int64_t number)
{
    hv_mem_spend(d, kind, 0);
    if (number < 0) {
        hv_mem_complete(d, kind, token, (int)number, NULL);
        return NULL;
    }
    struct mem_port *port = port_add(d, (uint32_t)number);
    port->serial = d->next_serial++;
    port->entry.port = port;
    port->entry.ev = (struct ev){.kind = EV_PORT, .token = token, .port = port->port};
    hv_count_ports(&d->hv, 1);
    port->born_ns = due_ns(d, d->hv.domid, kind);
    hv_mem_complete(d, kind, token, 0, NULL)->port = port->port;
    return port;
}

static void mem_port_alloc(struct hv *hv, uint64_t token, uint16_t domid)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_PORT_ALLOC, token))
        port_open(d, EV_PORT_ALLOC, token,
                  hypervisor_port_alloc(d->machine->tables, hv->domid, domid, NULL));
    hv_mem_leave(d);
}

static void mem_port_bind(struct hv *hv, uint64_t token, uint16_t domid, uint32_t remote_port)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_PORT_BIND, token)) {
        void *backing;
        int64_t number =
            hypervisor_port_bind(d->machine->tables, hv->domid, domid, remote_port, &backing);
        struct mem_port *port = port_open(d, EV_PORT_BIND, token, number);
        if (port)
            port_raise(d, port); /* born pending */
    }
    hv_mem_leave(d);
}

static int port_close(struct mem_domain *d, uint32_t number)
{
    struct mem_port *port = port_find(d, number);

    if (!port)
        return -ERR_INVAL;
    hv_mem_spend(d, EV_PORT_CLOSE, 0);
    port_free(d, port);
    hv_count_ports(&d->hv, -1);
    return hypervisor_port_close(d->machine->tables, d->hv.domid, number);
}

static void mem_port_close(struct hv *hv, uint64_t token, uint32_t port)
{
    struct mem_domain *d = hv_mem_enter(hv);

    if (!hv_mem_injected(d, EV_PORT_CLOSE, token))
        hv_mem_complete(d, EV_PORT_CLOSE, token, port_close(d, port), NULL);
    hv_mem_leave(d);
}

static int mem_notify(struct hv *hv, uint32_t port)
{
    struct mem_domain *d = hv_mem_enter(hv);
    bool ours = port_find(d, port) != NULL;
    uint16_t peer;
    uint32_t peer_port;

    if (hypervisor_port_peer(d->machine->tables, hv->domid, port, &peer, &peer_port)) {
        struct mem_domain *other = d->machine->domains[peer];
        struct mem_port *end = other ? port_find(other, peer_port) : NULL;
        /* without an end: a test may have bound it in the tables, without a handle */
        const struct hv_mem_time *time = d->machine->time;
        if (end && time)
            time->notify(time->self, hv->domid, peer, signal_of(end));
        else if (end)
            port_raise(other, end);
    }
    hv_mem_leave(d);
    return ours ? 0 : -ERR_NOTCONN;
}

static int mem_unmask(struct hv *hv, uint32_t number)
{
    struct mem_domain *d = hv_mem_enter(hv);
    struct mem_port *port = port_find(d, number);

    if (port) {
        bool again = port->pending;
        port->masked = false;
        port->pending = false;
        if (again)
            port_raise(d, port);
    }
    hv_mem_leave(d);
    return 0;
}

static void mem_wait(struct hv *hv, uint64_t spin_ns)
{
    (void)hv; /* nothing happens in the background */
    (void)spin_ns;
}

static bool mem_next(struct hv *hv, struct ev *ev)
{
    struct mem_domain *d = hv_mem_enter(hv);
    struct queued *head = d->queue;

    discard(d->machine, d->taken);
    d->taken = NULL;
    const struct hv_mem_time *time = d->machine->time;
    if (head && time && head->due_ns > time->now_ns(time->self, hv->domid))
        head = NULL;
    if (head) {
        DL_DELETE(d->queue, head);
        *ev = head->ev;
        if (!head->port)
            d->taken = head;
        else
            port_delivered(head->port);
    }
    hv_mem_leave(d);
    return head != NULL;
}

/* Ports go before the queue, of which their entries are part; mappings before the tables free what
 * they show. */
static void mem_close(struct hv *hv)
{
    struct mem_domain *d = hv_mem_enter(hv);
    struct queued *entry, *next_entry;

    for (uint32_t number = 0; number < d->port_room; number++)
        if (d->ports[number])
            port_free(d, d->ports[number]);
    free(d->ports);
    DL_FOREACH_SAFE (d->queue, entry, next_entry) {
        discard(d->machine, entry);
    }
    discard(d->machine, d->taken);
    hv_mem_areas_free(d);
    hv_mem_watches_free(d);
    hypervisor_domain_remove(d->machine->tables, hv->domid);
    d->machine->domains[hv->domid] = NULL;
    d->machine->domain_count--;
    hv_mem_leave(d);
    free(d);
}

static const struct hv_ops mem_ops = {
    .share = hv_mem_share,
    .unshare = hv_mem_unshare,
    .map = hv_mem_map,
    .unmap = hv_mem_unmap,
    .port_alloc = mem_port_alloc,
    .port_bind = mem_port_bind,
    .port_close = mem_port_close,
    .notify = mem_notify,
    .unmask = mem_unmask,
    .wait = mem_wait,
    .store_read = hv_mem_store_read,
    .store_list = hv_mem_store_list,
    .store_publish = hv_mem_store_publish,
    .store_watch = hv_mem_store_watch,
    .store_unwatch = hv_mem_store_unwatch,
    .next = mem_next,
    .close = mem_close,
};

struct hv_mem *hv_mem_create(const struct hypervisor_config *limits)
{
    return hv_mem_create_pages(limits, HV_MEM_PAGES);
}

struct hv_mem *hv_mem_create_pages(const struct hypervisor_config *limits, uint32_t pages)
{
    struct hypervisor_config config = {.release_run = hv_mem_release_run};
    struct hv_mem *machine = calloc(1, sizeof(*machine));

    if (!machine || !hv_mem_memory_open(machine, pages)) {
        free(machine);
        return NULL;
    }
    if (limits) {
        config.grants_max = limits->grants_max;
        config.ports_max = limits->ports_max;
    }
    config.self = machine;
    machine->tables = hypervisor_create(&config);
    slots_init(&machine->pages, 0, pages);
    pthread_mutex_init(&machine->lock, NULL);
    return machine;
}

void hv_mem_destroy(struct hv_mem *machine)
{
    assert(machine->domain_count == 0);
    hypervisor_destroy(machine->tables);
    assert(machine->pages.used == 0);
    slots_fini(&machine->pages);
    while (machine->spare) {
        struct queued *entry = machine->spare;
        machine->spare = entry->next;
        free(entry);
    }
    pthread_mutex_destroy(&machine->lock);
    hv_mem_memory_close(machine);
    free(machine);
}

struct hv *hv_mem_domain(struct hv_mem *machine, uint16_t domid)
{
    struct mem_domain *d = NULL;

    pthread_mutex_lock(&machine->lock);
    if (hypervisor_domain_add(machine->tables, domid) == 0) {
        d = calloc(1, sizeof(*d));
        assert(d);
        d->hv.ops = &mem_ops;
        d->hv.domid = domid;
        d->machine = machine;
        machine->domains[domid] = d;
        machine->domain_count++;
    }
    pthread_mutex_unlock(&machine->lock);
    return d ? &d->hv : NULL;
}

struct hypervisor *hv_mem_tables(struct hv_mem *machine)
{
    return machine->tables;
}

void hv_mem_set_time(struct hv_mem *machine, const struct hv_mem_time *time)
{
    machine->time = time;
}

uint32_t hv_mem_signal_port(uint64_t signal)
{
    return (uint32_t)(signal >> 32);
}

bool hv_mem_signal_live(struct hv_mem *machine, uint16_t to, uint64_t signal, bool *raised)
{
    const struct mem_port *port = signal_find(machine, to, signal);

    *raised = port && (port->queued || port->pending);
    return port != NULL;
}

void hv_mem_raise(struct hv_mem *machine, uint16_t to, uint64_t signal)
{
    struct mem_port *port = signal_find(machine, to, signal);

    if (port)
        port_raise(machine->domains[to], port);
}

uint64_t hv_mem_due_ns(struct hv *hv)
{
    const struct mem_domain *d = (struct mem_domain *)hv;

    return d->queue ? d->queue->due_ns : UINT64_MAX;
}

void hv_mem_fail(struct hv *hv, enum ev_kind kind, uint32_t n, int32_t ret)
{
    struct mem_domain *d = hv_mem_enter(hv);

    assert(kind <= EV_STORE_UNWATCH);
    d->faults[kind] = (struct mem_fault){.armed = true, .after = n, .ret = ret};
    hv_mem_leave(d);
}

bool hv_mem_drop(struct hv *hv, uint32_t port)
{
    struct mem_domain *d = hv_mem_enter(hv);
    struct mem_port *found = port_find(d, port);
    bool dropped = found && port_drop(d, found);

    hv_mem_leave(d);
    return dropped;
}
