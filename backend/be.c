/*
 * The host's core, outermost layer: memory, the slot table with its index by the guest's ids, and
 * who gets which event. See be.h.
 */
#include "backend/be_private.h"

/* A socket may cost each side 8 KiB of private memory; the executor's and the seams' share is below
 * 2 KiB, this is the core's. */
_Static_assert(sizeof(struct be_sock) <= 1024, "private memory of a socket");

static uint32_t bucket_count(uint32_t max_sockets)
{
    uint32_t count = 16;

    while (count < max_sockets)
        count *= 2;
    return count;
}

/* The largest map of a socket; the index page comes alone. */
static uint32_t refs_per_slot(const struct be_config *config)
{
    struct dialect_ring ring;

    dialect_ring(config->dialect, config->order_max, &ring);
    return ring.pages;
}

size_t be_size(const struct be_config *config)
{
    return sizeof(struct be) + config->max_sockets * sizeof(struct be_sock) +
           bucket_count(config->max_sockets) * sizeof(uint32_t) +
           (size_t)config->max_sockets * refs_per_slot(config) * sizeof(uint32_t);
}

uint32_t be_slots(const struct be_config *config)
{
    return config->max_sockets + CMDRING_SIZE_MAX; /* polls have tokens of their own */
}

struct be *be_init(void *mem, const struct be_config *config)
{
    struct be *be = mem;

    assert(config->max_sockets >= 1 && config->max_sockets <= 65536);
    assert(config->order_max >= config->dialect->order_min);
    assert(config->order_max <= config->dialect->order_max);
    memset(mem, 0, be_size(config));
    be->config = *config;
    be->bucket_mask = bucket_count(config->max_sockets) - 1;
    be->buckets = (uint32_t *)(void *)&be->socks[config->max_sockets];
    memset(be->buckets, 0xff, (be->bucket_mask + 1) * sizeof(uint32_t)); /* BE_NONE */
    be->refs = be->buckets + be->bucket_mask + 1;
    be->refs_per_slot = refs_per_slot(config);
    be->free_head = BE_NONE;
    for (uint32_t slot = config->max_sockets; slot > 0; slot--) {
        be->socks[slot - 1].hash_next = be->free_head;
        be->free_head = slot - 1;
    }
    be->published = XENBUS_INITIALISING;
    be->patience_ns = be->yields_ns = STEP_NEVER;
    be->poll_ns = BE_POLL_NS;
    be->rotation = 1;
    return be;
}

void be_fini(struct be *be)
{
    assert(be->ops == 0 && be->live == 0);
    be->config.dialect = NULL;
}

uint64_t be_deadline_ns(const struct be *be)
{
    return be->patience_ns < be->yields_ns ? be->patience_ns : be->yields_ns;
}

const struct be_counters *be_counters(const struct be *be)
{
    return &be->counters;
}

void be_look(const struct be *be, struct be_look *look)
{
    *look = (struct be_look){0};
    if (be->phase != BE_CONNECTED)
        return;
    look->req_cons = be->ring.req_cons;
    look->rsp_prod = be->ring.rsp_pushed;
    look->req_prod = shared_load(&be->ring.page, CMDRING_REQ_PROD);
    look->req_event = shared_load(&be->ring.page, CMDRING_REQ_EVENT);
    look->unanswered = cmdring_back_unanswered(&be->ring);
    look->port = be->ring_port;
}

bool be_look_sock(const struct be *be, uint64_t id, struct be_sock_look *look)
{
    for (uint32_t slot = 0; slot < be->config.max_sockets; slot++) {
        const struct be_sock *sock = &be->socks[slot];
        if (sock->state != BE_SOCK_OPEN || sock->id != id)
            continue;
        *look = (struct be_sock_look){.reading = sock->reading || sock->in_ended || sock->broken,
                                      .writing = sock->writing || sock->out_ended || sock->broken,
                                      .port = sock->port};
        return true;
    }
    return false;
}

enum xenbus_state be_state(const struct be *be)
{
    return be->published;
}

bool be_idle(const struct be *be)
{
    return be->phase == BE_OFF && be->ops == 0 && be->live == 0;
}

uint64_t be_token(const struct be *be)
{
    return step_token(be->config.device, 0, STEP_SLOT_DEVICE);
}

uint32_t be_slot(const struct be *be, const struct be_sock *sock)
{
    return (uint32_t)(sock - be->socks);
}

uint64_t be_sock_token(const struct be *be, const struct be_sock *sock)
{
    return step_token(be->config.device, sock->generation, be_slot(be, sock));
}

uint64_t be_poll_token(const struct be *be, const struct be_poll *poll)
{
    return step_token(be->config.device, poll->generation,
                      be->config.max_sockets + (uint32_t)(poll - be->polls));
}

/* The guest chooses the ids, so it can make chains long, but no longer than its own sockets. */
static uint32_t *bucket(struct be *be, uint64_t id)
{
    return &be->buckets[(uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32) & be->bucket_mask];
}

struct be_sock *be_sock_find(struct be *be, uint64_t id)
{
    for (uint32_t slot = *bucket(be, id); slot != BE_NONE; slot = be->socks[slot].hash_next)
        if (be->socks[slot].id == id)
            return &be->socks[slot];
    return NULL;
}

uint32_t *be_sock_refs(struct be *be, const struct be_sock *sock)
{
    return be->refs + (size_t)be_slot(be, sock) * be->refs_per_slot;
}

struct be_sock *be_sock_new(struct be *be, uint64_t id)
{
    uint32_t slot = be->free_head;
    struct be_sock *sock;

    if (slot == BE_NONE)
        return NULL;
    sock = &be->socks[slot];
    be->free_head = sock->hash_next;
    *sock = (struct be_sock){
        .generation = sock->generation, .id = id, .parent = BE_NONE, .hash_next = *bucket(be, id)};
    *bucket(be, id) = slot;
    be->live++;
    if (++be->counters.sockets_now > be->counters.sockets_peak)
        be->counters.sockets_peak = be->counters.sockets_now;
    return sock;
}

void be_sock_free(struct be *be, struct be_sock *sock)
{
    uint32_t *link = bucket(be, sock->id);

    while (*link != be_slot(be, sock))
        link = &be->socks[*link].hash_next;
    *link = sock->hash_next;
    sock->generation = (sock->generation + 1) & STEP_GENERATION_MASK;
    sock->hash_next = be->free_head;
    be->free_head = be_slot(be, sock);
    be->counters.sockets_now--;
    be->live--;
}

void be_fault(struct be *be, enum fault_reason reason, uint32_t index, uint32_t value,
              struct step_out *out)
{
    be->counters.faults++;
    step_act(out, ACT_FAULT, be_token(be))->fault = (struct act_fault){reason, index, value};
}

static void socket_step(struct be *be, const struct ev *ev, struct step_out *out)
{
    struct be_sock *sock = &be->socks[step_slot(ev->token)];

    if (sock->state == BE_SOCK_FREE || sock->generation != step_generation(ev->token)) {
        assert(ev->kind == EV_PORT); /* only a port can fire for a slot that died */
        return;
    }
    if (ev->kind == EV_PORT)
        be_data_event(be, sock, out);
    else
        be_sock_step(be, sock, ev, out);
}

void be_step(struct be *be, const struct ev *ev, struct step_out *out)
{
    uint32_t slot = step_slot(ev->token);

    assert(step_device(ev->token) == be->config.device);
    if (slot < be->config.max_sockets)
        socket_step(be, ev, out);
    else if (slot != STEP_SLOT_DEVICE)
        be_poll_step(be, &be->polls[slot - be->config.max_sockets], ev, out);
    else if (ev->kind == EV_PORT || ev->kind == EV_MORE)
        be_ring_port(be, out);
    else
        be_device_step(be, ev, out);
    be_device_patience(be, out);
    if (be->sweeping)
        be_sweep(be, out);
    be_poll_yield(be, out);
    out->more |= be->held && be->connects == 0;
    be_ring_flush(be, out); /* before the ring goes: the last answers are owed too */
    be_device_on(be, out);
}
