/*
 * The guest's core, outermost layer: its memory, its slot table, and who gets which event.
 * The states live in fe_device.c and fe_socket.c. See fe.h.
 */
#include "frontend/fe_private.h"

#define LINGER_DEFAULT_NS 60000000000u /* protocol.md 7 (28) */
/* Where Linux has its memory mapped: what QUIRK_POINTER_IDS tells. */
#define KERNEL_ADDRESS UINT64_C(0xffff888000000000)
#define BACKLOG_DEFAULT 128u /* POSIX's customary SOMAXCONN */

/* A socket may cost each side 8 KiB of private memory; the executor's and the seams' share is below
 * 2 KiB, this is the core's. */
_Static_assert(sizeof(struct fe_sock) <= 1024, "private memory of a socket");

size_t fe_size(const struct fe_config *config)
{
    return sizeof(struct fe) + config->max_sockets * sizeof(struct fe_sock);
}

uint32_t fe_slots(const struct fe_config *config)
{
    return config->max_sockets;
}

struct fe *fe_init(void *mem, const struct fe_config *config)
{
    struct fe *fe = mem;

    assert(config->max_sockets >= 1 && config->max_sockets <= 65536);
    memset(mem, 0, fe_size(config));
    fe->config = *config;
    if (fe->config.linger_ns == 0)
        fe->config.linger_ns = LINGER_DEFAULT_NS;
    if (fe->config.backlog == 0)
        fe->config.backlog = BACKLOG_DEFAULT;
    dialect_ring(config->dialect, config->order, &fe->layout);
    fe->releases = fe->controls = fe->connects = (struct fe_queue){FE_NONE, FE_NONE, 0, true};
    fe->listeners = fe->cold = fe->held = fe->draining = fe->ending = fe->free =
        (struct fe_queue){FE_NONE, FE_NONE, 0, false};
    for (uint32_t i = 0; i < config->max_sockets; i++)
        fe_enqueue(fe, &fe->free, &fe->socks[i]);
    fe->published = XENBUS_INITIALISING; /* as the toolstack leaves it */
    fe->patience_ns = STEP_NEVER;
    return fe;
}

void fe_fini(struct fe *fe)
{
    assert(fe->ops == 0);
    fe->config.dialect = NULL;
}

uint64_t fe_deadline_ns(const struct fe *fe)
{
    /* every socket lingers equally long, so the list is in the order of the deadlines */
    uint64_t drained_ns =
        fe->draining.head == FE_NONE ? STEP_NEVER : fe->socks[fe->draining.head].deadline_ns;

    return fe->patience_ns < drained_ns ? fe->patience_ns : drained_ns;
}

const struct fe_counters *fe_counters(const struct fe *fe)
{
    return &fe->counters;
}

void fe_look(const struct fe *fe, struct fe_look *look)
{
    *look = (struct fe_look){.first = CALL_KINDS};
    if (fe->phase != FE_CONNECTED)
        return;
    look->req_prod = fe->ring.req_pushed;
    look->rsp_cons = fe->ring.rsp_cons;
    look->rsp_prod = shared_load(&fe->ring.page, CMDRING_RSP_PROD);
    look->rsp_event = shared_load(&fe->ring.page, CMDRING_RSP_EVENT);
    look->queued = fe->waiting;
    look->port = fe->ring_port;
    look->page = fe->ring.page;
    look->slots = fe->ring.size;
    for (uint32_t id = 0; id < CMDRING_SIZE_MAX; id++) {
        const struct fe_inflight *inflight = &fe->inflight[id];
        if (inflight->used && look->outstanding++ == 0) {
            look->first = inflight->kind;
            look->first_id = id;
        }
    }
}

/* max_sockets is at most 65536, so 16 bits name the slot; the others are the generation's lowest.
 */
uint64_t fe_wire_id(const struct fe *fe, uint64_t id)
{
    if (fe->config.dialect->sockid_bytes == sizeof(id))
        return fe_has(fe, QUIRK_POINTER_IDS) ? id ^ KERNEL_ADDRESS : id;
    return (uint64_t)(step_generation(id) & 0xffffu) << 16 | step_slot(id);
}

uint32_t fe_port(const struct fe *fe, uint64_t id)
{
    uint32_t slot = step_slot(id);
    const struct fe_sock *sock = slot < fe->config.max_sockets ? &fe->socks[slot] : NULL;

    return sock && sock->generation == step_generation(id) && sock->ported ? sock->port : 0;
}

bool fe_data(const struct fe *fe, uint64_t id, struct fe_data *data)
{
    uint32_t slot = step_slot(id);
    const struct fe_sock *sock = slot < fe->config.max_sockets ? &fe->socks[slot] : NULL;

    if (!sock || sock->generation != step_generation(id) || sock->state != FE_SOCK_OPEN)
        return false;
    *data = (struct fe_data){.area = sock->in.area,
                             .in = sock->in.at,
                             .out = sock->out.at,
                             .wants_bytes = sock->arm_read,
                             .wants_room = sock->arm_write};
    return true;
}

enum xenbus_state fe_state(const struct fe *fe)
{
    return fe->published;
}

bool fe_idle(const struct fe *fe)
{
    return fe->phase == FE_OFF && fe->ops == 0;
}

bool fe_is_up(const struct fe *fe)
{
    return fe->phase == FE_CONNECTED;
}

bool fe_is_found(const struct fe *fe)
{
    return fe->phase > FE_FINDING;
}

uint32_t fe_slot(const struct fe *fe, const struct fe_sock *sock)
{
    return (uint32_t)(sock - fe->socks);
}

uint64_t fe_sock_id(const struct fe *fe, const struct fe_sock *sock)
{
    return step_token(0, sock->generation, fe_slot(fe, sock));
}

uint64_t fe_sock_token(const struct fe *fe, const struct fe_sock *sock)
{
    return step_token(fe->config.device, sock->generation, fe_slot(fe, sock));
}

uint64_t fe_token(const struct fe *fe)
{
    return step_token(fe->config.device, 0, STEP_SLOT_DEVICE);
}

struct fe_sock *fe_sock_at(struct fe *fe, uint32_t slot)
{
    assert(slot < fe->config.max_sockets);
    return &fe->socks[slot];
}

struct fe_sock *fe_sock_by_id(struct fe *fe, uint64_t id)
{
    uint32_t slot = step_slot(id);

    if (slot >= fe->config.max_sockets || step_device(id) != 0)
        return NULL;
    struct fe_sock *sock = &fe->socks[slot];
    return sock->state != FE_SOCK_FREE && sock->generation == step_generation(id) ? sock : NULL;
}

void fe_enqueue(struct fe *fe, struct fe_queue *queue, struct fe_sock *sock)
{
    uint32_t slot = fe_slot(fe, sock);

    assert(!sock->queue);
    sock->queue = queue;
    sock->prev = queue->tail;
    sock->next = FE_NONE;
    if (queue->tail == FE_NONE)
        queue->head = slot;
    else
        fe->socks[queue->tail].next = slot;
    queue->tail = slot;
    queue->count++;
    fe->waiting += queue->requests ? 1u : 0u;
}

void fe_dequeue(struct fe *fe, struct fe_sock *sock)
{
    struct fe_queue *queue = sock->queue;

    assert(queue);
    if (sock->prev == FE_NONE)
        queue->head = sock->next;
    else
        fe->socks[sock->prev].next = sock->next;
    if (sock->next == FE_NONE)
        queue->tail = sock->prev;
    else
        fe->socks[sock->next].prev = sock->prev;
    queue->count--;
    fe->waiting -= queue->requests ? 1u : 0u;
    sock->queue = NULL;
}

struct fe_sock *fe_queue_first(struct fe *fe, const struct fe_queue *queue)
{
    return queue->head == FE_NONE ? NULL : &fe->socks[queue->head];
}

void fe_fault(struct fe *fe, enum fault_reason reason, uint32_t index, uint32_t value,
              struct step_out *out)
{
    fe->counters.faults++;
    step_act(out, ACT_FAULT, fe_token(fe))->fault = (struct act_fault){reason, index, value};
}

/* Releases whose time to drain is over go to the ring with what is left unsent. */
static void lingered(struct fe *fe, struct step_out *out)
{
    struct fe_sock *sock;

    while ((sock = fe_queue_first(fe, &fe->draining)) && sock->deadline_ns <= out->now_ns) {
        if (step_room(out) < 2 * FE_SOCK_ACTS) {
            out->more = true;
            return;
        }
        fe_sock_release_now(fe, sock, out);
    }
}

static void socket_step(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    struct fe_sock *sock = fe_sock_by_id(fe, ev->token & 0xffffffffffffu);

    if (!sock) {
        assert(ev->kind == EV_PORT); /* only a port can fire for a slot that died */
        return;
    }
    if (ev->kind == EV_PORT)
        fe_data_port(fe, sock, out);
    else
        fe_sock_step(fe, sock, ev, out);
}

void fe_step(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    assert(step_device(ev->token) == fe->config.device);
    if (step_slot(ev->token) != STEP_SLOT_DEVICE)
        socket_step(fe, ev, out);
    else if (ev->kind == EV_PORT || ev->kind == EV_MORE)
        fe_ring_port(fe, out);
    else if (ev->kind != EV_TIME)
        fe_device_step(fe, ev, out);
    if (ev->kind == EV_TIME || ev->kind == EV_MORE) {
        lingered(fe, out);
        fe_device_patience(fe, out);
    }
    fe_end_listeners(fe, out);
    if (fe->sweeping)
        fe_sweep(fe, out);
    fe_ring_submit(fe, out);
}
